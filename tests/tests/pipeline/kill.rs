//! A process that is killed with its pipeline stopped between two stages, at every one of them.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, fs, thread};

use kempe_runtime::chain::{
    Chain, EncodedTxs, Pipeline, PipelineOptions, Signatures, Stage, StageObserver, replay,
};
use kempe_runtime::scheduler::Color;
use kempe_tests::{number, options};

use super::{blocks, one_by_one, pipelined, start, with_checkpoints};

/// Where the child finds its directory.
const DIRECTORY: &str = "KEMPE_PIPELINE_DIRECTORY";

/// Where the child stops: the number of a stage, and after how many blocks.
const STOP: &str = "KEMPE_PIPELINE_STOP";

/// All of them, in their order.
pub(super) const STAGES: [Stage; 11] = [
    Stage::Check,
    Stage::Signature,
    Stage::Accept,
    Stage::Plan,
    Stage::Execute,
    Stage::Apply,
    Stage::Root,
    Stage::Seal,
    Stage::Log,
    Stage::Index,
    Stage::Checkpoint,
];

/// Writes a line for the parent, at once.
fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "\n{line}").and_then(|()| stdout.flush()).expect("the parent reads");
}

/// Not a test: what the killed process does. It hands all blocks to a pipeline, says what is
/// acknowledged, and stops for good when a block has passed the stage.
#[test]
#[ignore = "the child of `nothing_acknowledged_is_lost_wherever_a_block_is`"]
fn child() {
    let Some(directory) = env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let stop = env::var(STOP).expect("the parent says where to stop");
    let (stage, n_blocks) = stop.split_once(' ').expect("a stage and a number");
    let stage = STAGES[stage.parse::<usize>().expect("a number")];
    let n_blocks: u64 = n_blocks.parse().expect("a number");
    let n_passed = AtomicU64::new(0);
    let observer: StageObserver = Arc::new(move |passed| {
        if passed == stage && n_passed.fetch_add(1, Ordering::Relaxed) + 1 == n_blocks {
            say("stopped");
            loop {
                thread::park();
            }
        }
    });
    let chain = Chain::open(&directory, with_checkpoints()).expect("it opens");
    let pipeline_options = PipelineOptions { observer: Some(observer), ..Default::default() };
    let mut pipeline = Pipeline::start(chain, pipeline_options, |block| {
        let header = block.header.expect("all of them are blocks");
        say(&format!("acknowledged {} {}", header.height, header.hash()));
    })
    .expect("it starts");
    for (time_ms, block) in (1..).zip(&blocks()) {
        // Waits for good, sooner or later, for the stage that stopped.
        pipeline.submit(block.iter().collect::<EncodedTxs>(), time_ms).expect("taken");
    }
    pipeline.finish().expect("the stage is passed before the last block is");
    panic!("the pipeline ended before it stopped");
}

/// Runs a child until it has stopped after so many blocks have passed a stage, and kills it. Gives
/// what it acknowledged.
fn run_and_kill(directory: &Path, stage: usize, n_blocks: u64) -> Vec<(u64, String)> {
    let mut child = Command::new(env::current_exe().expect("this test has a path"))
        .args(["--exact", "kill::child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(STOP, format!("{stage} {n_blocks}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut acknowledged = Vec::new();
    let mut read = |line: &str| {
        let block = line.strip_prefix("acknowledged ").and_then(|line| line.split_once(' '));
        acknowledged.extend(
            block.map(|(height, hash)| (height.parse::<u64>().expect("a height"), hash.to_owned())),
        );
        line == "stopped"
    };
    while !read(&lines.next().expect("the child stops").expect("text")) {}
    child.kill().expect("it is killed");
    child.wait().expect("it is gone");
    // What was written to the pipe before counts as acknowledged.
    lines.map_while(Result::ok).for_each(|line| _ = read(&line));
    acknowledged
}

#[test]
fn nothing_acknowledged_is_lost_wherever_a_block_is() {
    let blocks = blocks();
    let in_memory = Chain::in_memory(start(), options(1, &Color)).expect("it starts");
    let expected = one_by_one(in_memory, &blocks);
    let last: u64 = number("KEMPE_STAGE_BLOCKS", 2);
    let (mut heads, mut n_checkpoints) = (Vec::new(), 0);
    for (number, stage) in STAGES.into_iter().enumerate() {
        for n_blocks in (1..=last).map(|at| at * (blocks.len() as u64 - 1) / last) {
            let directory = tempfile::tempdir().expect("a directory");
            drop(Chain::create(directory.path(), start(), options(1, &Color)).expect("created"));
            let checkpoint =
                || fs::read(directory.path().join("store/manifest")).expect("is there");
            let created = checkpoint();
            let acknowledged = run_and_kill(directory.path(), number, n_blocks);
            n_checkpoints += usize::from(checkpoint() != created);
            let chain = Chain::open(directory.path(), options(2, &Color)).expect("it recovers");
            let head = chain.head().height;
            let n_acknowledged = acknowledged.last().map_or(0, |(height, _)| *height);
            let at = format!("{stage:?} {n_blocks}: head={head} acknowledged={n_acknowledged}");
            assert!(head >= n_acknowledged, "{at}: a block is lost");
            if stage < Stage::Log {
                assert!(head < n_blocks, "{at}: durable before it was sealed");
            } else {
                // Several blocks may have passed as one.
                assert!(head >= n_blocks, "{at}: not durable, but logged");
            }
            if stage == Stage::Index {
                assert!(n_acknowledged < n_blocks, "{at}: acknowledged before it was logged");
            }
            if stage == Stage::Checkpoint {
                assert!(n_acknowledged >= n_blocks, "{at}: a checkpoint of what is not durable");
            }
            for (height, hash) in acknowledged {
                let block = expected.block(height).expect("readable").expect("there").block;
                assert_eq!(block.header.hash().to_string(), hash, "{at}");
            }
            let same = expected.block(head).expect("readable").expect("there");
            assert_eq!(chain.head(), &same.block.header, "{at}");
            heads.push(head);
            // What was lost is handed in again.
            let rest = &blocks[usize::try_from(head).expect("few")..];
            let chain = pipelined(chain, rest, Signatures::Check).0.expect("it ends well");
            assert_eq!(chain.head(), expected.head(), "{at}");
            let report = replay(&chain, options(1, &Color), |_| ()).expect("it replays");
            assert_eq!(report.divergence, None, "{at}");
        }
    }
    // Wherever many blocks went through, checkpoints ran and some ended before the kill.
    assert!(n_checkpoints >= STAGES.len(), "n_checkpoints={n_checkpoints} of {}", heads.len());
    println!("{} kills, heads {heads:?}, n_checkpoints={n_checkpoints}", heads.len());
}
