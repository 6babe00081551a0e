//! `kempe run`: many calls as blocks, in parallel.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use kempe_bench::{Trace, transfers};
use kempe_runtime::chain::{Chain, ChainOptions};
use kempe_runtime::scheduler::by_name;
use serde::Serialize;
use tempfile::TempDir;

use crate::args::{Global, HELP};
use crate::calls::Calls;
use crate::measure::{Plan, Summary};
use crate::output::{Exit, Failure, Output};
use crate::progress;
use crate::send::Uncertain;
use crate::session::{ChainArgs, Session, now_ms};
use crate::transfers::TokenChain;

const EXAMPLES: &str = "\
Examples:
  kempe run calls.jsonl             {\"from\": \"alice\", \"contract\": \"token\", \"method\": \"transfer\",
                                     \"args\": {\"to\": \"bob\", \"amount\": 5}} on each line
  kempe run calls.csv               the header is from,contract,method,to,amount
  kempe run --trace block.jsonl     a recorded block as transfers of a token, on a chain of its own

  kempe run calls.jsonl --scheduler layers

Calls of one sender keep their order; others that conflict may change it, unless the scheduler is
layers, graph, versions, values, block-stm, block-stm-hints, prio-graph or sequential. Those named
...-graph, graph, stages, greedy, versions, values, block-stm, block-stm-hints and aria run without
barriers; replay runs the batches that they publish. Each block is executed on each number of
threads and by the serial oracle; it is committed once, and only if all agree. A broken line commits
nothing of its block. The chain of a trace is a real one on disk, in a temporary directory unless
--dir is given.";

/// The arguments of `kempe run`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// The calls: JSON Lines, or CSV if the name ends in .csv
    #[arg(required_unless_present = "trace", conflicts_with = "trace")]
    file: Option<PathBuf>,

    /// A recorded block: JSON Lines with `from` and `to`
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// How many calls in a block
    #[arg(long, value_name = "N", default_value = "1000")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    block_size: u32,

    /// The numbers of threads to execute on [default: 1 and all; 1,2 for a trace]
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Vec<u16>,

    /// How often to execute each block; the fastest counts [default: 1; 15 for a trace]
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeats: Option<u16>,

    /// Which scheduler; layers keeps the order of calls that conflict, color may change it
    #[arg(long, value_name = "NAME", default_value = "color")]
    #[arg(value_parser = super::schedule::scheduler_names())]
    scheduler: String,

    /// Do not execute with the serial oracle
    #[arg(long)]
    no_oracle: bool,

    /// Read the password of the senders' key from the first line of standard input
    #[arg(long)]
    password_stdin: bool,

    #[command(flatten)]
    chain: ChainArgs,
}

#[derive(Serialize)]
struct TraceDone {
    trace: String,
    accounts: usize,
    skipped: usize,
    #[serde(flatten)]
    summary: Summary,
}

/// Where a chain of its own lives: a directory that is named, or one that goes away.
pub(super) enum Home {
    Kept(PathBuf),
    Temporary(TempDir),
}

impl Home {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(dir) => dir.path(),
        }
    }
}

/// The directory of a chain of its own, which is made.
pub(super) fn home(dir: Option<&Path>) -> Result<Home, Failure> {
    Ok(match dir {
        Some(dir) => {
            fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
            Home::Kept(dir.to_owned())
        }
        None => Home::Temporary(TempDir::with_prefix("kempe-").context("making a directory")?),
    })
}

/// The numbers of threads, ascending; 1 and all processors where none are named.
pub(super) fn threads(named: &[u16]) -> Vec<usize> {
    let all = std::thread::available_parallelism().map_or(1, Into::into);
    let mut threads: Vec<usize> = named.iter().map(|&n| usize::from(n)).collect();
    if threads.is_empty() {
        threads = vec![1, all];
    }
    threads.sort_unstable();
    threads.dedup();
    threads
}

pub(super) fn run(args: &Args, global: &Global, output: &Output) -> Result<(), Failure> {
    match (&args.trace, &args.file) {
        (Some(trace), _) => run_trace(args, trace, output),
        (None, Some(file)) => run_file(args, file, global, output),
        (None, None) => Err(Failure::new(Exit::Usage, "no file is named")),
    }
}

fn run_trace(args: &Args, file: &Path, output: &Output) -> Result<(), Failure> {
    let trace = Trace::open(file).map_err(|error| {
        Failure::new(Exit::Failed, error).with_help(
            "a recorded block has numbers for keys, `gas`, `ns`, `from` and `to` in each line",
        )
    })?;
    let transfers = transfers(&trace);
    if transfers.specs.is_empty() {
        let message = format!("{} has no transaction with a sender", file.display());
        return Err(Failure::new(Exit::Failed, message));
    }
    let home = home(args.chain.dir.as_deref())?;
    let mut chain = TokenChain::create(home.path(), transfers.accounts.len())?;
    set_scheduler(&mut chain.chain, &args.scheduler)?;
    let named = if args.threads.is_empty() { &[1, 2][..] } else { &args.threads };
    let repeats = args.repeats.unwrap_or(15).into();
    let plan = Plan { threads: threads(named), repeats, oracle: !args.no_oracle };
    let mut summary = Summary::new();
    // A recorded block is one block, as far as the chain's limit permits.
    let block_size = chain.chain.genesis().limits.block_txs_max as usize;
    for block in transfers.specs.chunks(block_size) {
        let transactions = chain.sign(block);
        summary.run_block(&mut chain.chain, &chain.names, transactions, &plan, now_ms())?;
    }
    let done = TraceDone {
        trace: file.display().to_string(),
        accounts: transfers.accounts.len(),
        skipped: transfers.n_skipped,
        summary,
    };
    if done.skipped > 0 {
        output.warn(format_args!("{} transactions without a sender are left out", done.skipped));
    }
    let head = format!("{:15}{}\n", "accounts", done.accounts);
    Ok(output.result(head + &done.summary.text(), &done)?)
}

fn run_file(args: &Args, file: &Path, global: &Global, output: &Output) -> Result<(), Failure> {
    let mut session = Session::open(&args.chain, global)?;
    set_scheduler(&mut session.chain, &args.scheduler)?;
    let mut calls = Calls::open(file, args.password_stdin)?;
    let repeats = args.repeats.unwrap_or(1).into();
    let plan = Plan { threads: threads(&args.threads), repeats, oracle: !args.no_oracle };
    let mut summary = Summary::new();
    let counter = progress::counter("calls");
    loop {
        let time_ms = now_ms();
        let block = calls.next_block(&session, args.block_size as usize, time_ms);
        let block = block.map_err(|failure| committed(failure, &summary))?;
        if block.is_empty() {
            break;
        }
        counter.inc(block.len() as u64);
        summary
            .run_block(&mut session.chain, &session.names, block, &plan, time_ms)
            .map_err(|failure| committed(failure, &summary))?;
    }
    counter.finish_and_clear();
    if summary.blocks == 0 {
        return Err(Failure::new(Exit::Failed, format!("{} has no calls", file.display())));
    }
    let what = format!("the {} calls are committed, up to height {}", summary.txs, summary.height);
    let help = "do not run the file again: `kempe block` shows the last block";
    output.done(summary.text(), &summary, what).map_err(|failure| failure.with_help(help))
}

fn set_scheduler(chain: &mut Chain, name: &str) -> Result<(), Failure> {
    let scheduler = by_name(name).expect("clap accepts only the schedulers' names");
    Ok(chain.set_options(ChainOptions { scheduler, ..chain.options() })?)
}

/// Says how much of the file is on the chain when a later line is broken or a block fails.
fn committed(failure: Failure, summary: &Summary) -> Failure {
    if summary.height > 0 {
        let (n_calls, height) = (summary.txs, summary.height);
        return failure.with_help_before(format!(
            "the {n_calls} calls before this block are committed, up to height {height}"
        ));
    }
    if failure.is::<Uncertain>() {
        return failure.with_help_before("this block is the first of the file");
    }
    failure.with_help_before("nothing was committed")
}
