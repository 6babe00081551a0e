//! One run, and what it cost.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use kempe_abi::Outcome;
use kempe_bench::{PipelineCase, TransferSpec};
use kempe_runtime::chain::{
    Chain, ChainError, EncodedTxs, Pipeline, PipelineOptions, Signatures, Stage,
};
use kempe_runtime::scheduler::Sequential;

use super::world::{World, encode_block};
use crate::output::{Exit, Failure};

/// The blocks whose stages are measured, after two that are not.
const MEASURED_BLOCKS: usize = 6;
/// The blocks before those, which take new memory from the system.
const WARM_UP_BLOCKS: usize = 2;

/// How many blocks of one size are measured one at a time, after one that is not: as many as have so many transactions,
/// within these bounds.
const LATENCY_TXS: usize = 200_000;
const LATENCY_BLOCKS: std::ops::RangeInclusive<usize> = 3..=30;

/// How much of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Path {
    /// Bytes, signatures, execution, root, disk
    SignedDurable,
    /// The same without signatures
    UnsignedDurable,
    /// From access lists to receipts
    Execute,
    /// The same in the given order on one thread, to compare with
    Sequential,
}

impl Path {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SignedDurable => "signed-durable",
            Self::UnsignedDurable => "unsigned-durable",
            Self::Execute => "execute",
            Self::Sequential => "sequential",
        }
    }

    /// On how many threads it runs, where these are asked for.
    pub(super) fn threads(self, asked: &[usize]) -> &[usize] {
        if self == Self::Sequential { &[1] } else { asked }
    }

    fn signatures(self) -> Signatures {
        if self == Self::SignedDurable { Signatures::Check } else { Signatures::Trusted }
    }
}

/// Runs blocks along a path.
pub(super) fn run_case<'a>(
    world: &World,
    path: Path,
    n_threads: usize,
    blocks: impl Iterator<Item = &'a [TransferSpec]> + Clone,
) -> Result<PipelineCase, Failure> {
    match path {
        Path::Execute => run_execute(world.chain(n_threads)?, world, path, blocks),
        Path::Sequential => {
            run_execute(world.chain_by(n_threads, &Sequential)?, world, path, blocks)
        }
        Path::SignedDurable | Path::UnsignedDurable => run_durable(world, path, n_threads, blocks),
    }
}

fn run_durable<'a>(
    world: &World,
    path: Path,
    n_threads: usize,
    blocks: impl Iterator<Item = &'a [TransferSpec]> + Clone,
) -> Result<PipelineCase, Failure> {
    let signed = world.sign(blocks, path == Path::SignedDurable);
    let encoded: Vec<EncodedTxs> = signed.iter().map(|block| encode_block(block)).collect();
    drop(signed);
    let some = encoded[..encoded.len().min(WARM_UP_BLOCKS + MEASURED_BLOCKS)].to_vec();
    let (n_blocks, n_txs) = (encoded.len(), encoded.iter().map(EncodedTxs::len).sum::<usize>());
    let chain = world.chain(n_threads)?;
    let first = chain.head().height + 1;
    let (cpu, start) = (ProcessTime::now(), Instant::now());
    let run = run_pipeline(chain, path.signatures(), encoded)?;
    let (elapsed, cpu) = (start.elapsed(), cpu.elapsed());
    let roots = check_roots(world, &run.chain, first)?;
    drop(run.chain);
    let (stages, changes) = stages(world, path, n_threads, some)?;
    Ok(PipelineCase {
        path: path.name(),
        threads: n_threads,
        blocks: n_blocks,
        txs: n_txs,
        ok: run.n_ok,
        tx_per_s: n_txs as f64 / elapsed.as_secs_f64(),
        latency_ms_p50: percentile(&run.latencies, 50),
        latency_ms_p99: percentile(&run.latencies, 99),
        cpu_ns_per_tx_total: ns_per(cpu, n_txs),
        cpu_ns_per_tx: stages,
        changes_per_tx: changes,
        root_equal: roots,
        ..PipelineCase::default()
    })
}

struct Run {
    chain: Chain,
    n_ok: usize,
    latencies: Vec<Duration>,
}

/// Runs blocks with the pipeline full all the time.
fn run_pipeline(
    chain: Chain,
    signatures: Signatures,
    blocks: Vec<EncodedTxs>,
) -> Result<Run, Failure> {
    let options = PipelineOptions { signatures, ..PipelineOptions::default() };
    let (sender, acknowledged) = channel();
    let mut pipeline = Pipeline::start(chain, options, move |block| {
        let n_ok = block.receipts.iter().filter(|r| r.outcome == Outcome::Ok).count();
        // Whoever does not listen any more has an error to show already.
        let _ = sender.send((Instant::now(), n_ok, block.rejected.len()));
    })?;
    let mut submitted = Vec::with_capacity(blocks.len());
    for block in blocks {
        submitted.push(Instant::now());
        if pipeline.submit(block, 0).is_err() {
            break;
        }
    }
    let chain = pipeline.finish()?;
    let mut run = Run { chain, n_ok: 0, latencies: Vec::new() };
    for (submitted, (durable, n_ok, n_rejected)) in submitted.into_iter().zip(acknowledged) {
        if n_rejected > 0 {
            return Err(Failure::new(Exit::Failed, "a transaction of the workload was rejected"));
        }
        run.n_ok += n_ok;
        run.latencies.push(durable.duration_since(submitted));
    }
    Ok(run)
}

/// Applies all blocks one by one on one thread; whether the headers are the same.
fn check_roots(world: &World, chain: &Chain, first: u64) -> Result<bool, Failure> {
    let mut again = world.second_chain(1)?;
    for height in first..=chain.head().height {
        let Some(record) = chain.block(height)? else { return Ok(false) };
        match again.apply_trusted(&record.block) {
            Ok(()) if again.head() == &record.block.header => {}
            // So a difference in a root or an order that is none shows; a disk that fails is not one.
            Ok(())
            | Err(
                ChainError::Header { .. }
                | ChainError::IllegalSchedule(_)
                | ChainError::IllegalPlan(_),
            ) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// When the last stage ended, and the time spent in each so far.
type Spent = (Option<ProcessTime>, BTreeMap<&'static str, Duration>);

/// The process's time by stage with one block at a time on its way, and the cells changed for each transaction.
fn stages(
    world: &World,
    path: Path,
    n_threads: usize,
    blocks: Vec<EncodedTxs>,
) -> Result<(BTreeMap<&'static str, f64>, f64), Failure> {
    let chain = world.chain(n_threads)?;
    let n_warm_up = WARM_UP_BLOCKS.min(blocks.len().saturating_sub(1));
    let n_all: usize = blocks.iter().map(EncodedTxs::len).sum();
    let n_txs: usize = blocks[n_warm_up..].iter().map(EncodedTxs::len).sum();
    let spent: Arc<Mutex<Spent>> = Arc::default();
    let into = Arc::clone(&spent);
    let observer = move |stage: Stage| {
        if let Ok(mut spent) = into.lock() {
            let now = ProcessTime::now();
            if let Some(before) = spent.0.replace(now) {
                *spent.1.entry(stage_name(stage)).or_default() += now.duration_since(before);
            }
        }
    };
    let (sender, acknowledged) = channel();
    let options = PipelineOptions {
        signatures: path.signatures(),
        observer: Some(Arc::new(observer)),
        ..PipelineOptions::default()
    };
    let mut pipeline = Pipeline::start(chain, options, move |block| {
        let _ = sender.send(block.n_changes);
    })?;
    let mut n_changes = 0;
    for (number, block) in blocks.into_iter().enumerate() {
        if let Ok(mut spent) = spent.lock() {
            if number == n_warm_up {
                spent.1.clear();
            }
            spent.0 = Some(ProcessTime::now());
        }
        // Why there is none, finishing says.
        let Some(changed) = one(&mut pipeline, block, &acknowledged) else { break };
        n_changes += changed;
    }
    let mut chain = pipeline.finish()?;
    let before = ProcessTime::now();
    chain.checkpoint()?;
    let checkpoint = before.elapsed();
    let changes = n_changes as f64 / n_all as f64;
    let spent = spent.lock().map(|spent| spent.1.clone()).unwrap_or_default();
    let mut spent: BTreeMap<_, _> =
        spent.into_iter().map(|(stage, time)| (stage, ns_per(time, n_txs))).collect();
    *spent.entry("checkpoint").or_default() += ns_per(checkpoint, n_all);
    Ok((spent, changes))
}

/// Hands in a block and waits for its acknowledgement; `None` after an error in a stage.
fn one<T>(pipeline: &mut Pipeline, block: EncodedTxs, acknowledged: &Receiver<T>) -> Option<T> {
    pipeline.submit(block, 0).ok()?;
    acknowledged.recv().ok()
}

fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Check => "check",
        Stage::Signature => "signature",
        Stage::Accept => "accept",
        Stage::Plan => "plan",
        Stage::Execute => "execute",
        Stage::Apply => "apply",
        Stage::Root => "root",
        Stage::Seal => "seal",
        Stage::Log => "log",
        Stage::Index => "index",
        Stage::Checkpoint => "checkpoint",
    }
}

fn run_execute<'a>(
    mut chain: Chain,
    world: &World,
    path: Path,
    blocks: impl Iterator<Item = &'a [TransferSpec]>,
) -> Result<PipelineCase, Failure> {
    const ROUNDS: usize = 5;
    let (mut times, mut cpu) = (Vec::new(), Duration::ZERO);
    let (mut n_txs, mut n_ok, mut n_changes, mut is_equal) = (0, 0, 0, true);
    for block in world.sign(blocks, true) {
        let prepared = chain.prepare(block, 0)?;
        let mut rounds = Vec::new();
        let mut output = None;
        for _ in 0..ROUNDS {
            let (cpu, start) = (ProcessTime::now(), Instant::now());
            output = Some(chain.execute(&prepared)?);
            rounds.push((start.elapsed(), cpu.elapsed()));
        }
        rounds.sort_unstable();
        let Some(output) = output else { continue };
        let oracle = chain.execute_oracle(&prepared)?;
        let root = chain.root_after(&oracle)?;
        is_equal &= oracle == output;
        times.push(rounds[ROUNDS / 2].0);
        cpu += rounds[ROUNDS / 2].1;
        n_txs += prepared.transactions.len();
        n_ok += output.receipts.iter().filter(|r| r.outcome == Outcome::Ok).count();
        n_changes += output.changes.len();
        let committed = chain.commit_prepared(prepared, output)?;
        is_equal &= committed.record.block.header.state_root == root;
    }
    let cpu_ns = ns_per(cpu, n_txs);
    Ok(PipelineCase {
        path: path.name(),
        threads: chain.options().n_threads,
        blocks: times.len(),
        txs: n_txs,
        ok: n_ok,
        tx_per_s: n_txs as f64 / times.iter().sum::<Duration>().as_secs_f64(),
        latency_ms_p50: percentile(&times, 50),
        latency_ms_p99: percentile(&times, 99),
        cpu_ns_per_tx_total: cpu_ns,
        cpu_ns_per_tx: BTreeMap::from([("execute", cpu_ns)]),
        changes_per_tx: n_changes as f64 / n_txs as f64,
        root_equal: is_equal,
        ..PipelineCase::default()
    })
}

/// How many blocks of a size are run one at a time, the first of which is not measured.
pub(super) fn latency_blocks(size: u32) -> usize {
    1 + (LATENCY_TXS / size as usize).clamp(*LATENCY_BLOCKS.start(), *LATENCY_BLOCKS.end())
}

/// The times from bytes to durable of the blocks of a size, one at a time, half of them and 99 of 100.
pub(super) fn latency(
    world: &World,
    n_threads: usize,
    specs: &[TransferSpec],
    size: u32,
) -> Result<(usize, f64, f64), Failure> {
    let blocks = specs.chunks_exact(size as usize).take(latency_blocks(size));
    let signed = world.sign(blocks, true);
    let (sender, acknowledged) = channel();
    let chain = world.chain(n_threads)?;
    let mut pipeline = Pipeline::start(chain, PipelineOptions::default(), move |_| {
        let _ = sender.send(Instant::now());
    })?;
    let mut times = Vec::new();
    for block in &signed {
        let block = encode_block(block);
        let start = Instant::now();
        // Why there is none, finishing says.
        let Some(durable) = one(&mut pipeline, block, &acknowledged) else { break };
        times.push(durable.duration_since(start));
    }
    pipeline.finish()?;
    // The first finds contracts that are not compiled and memory that is not there yet.
    let times = times.split_off(1.min(times.len()));
    Ok((times.len(), percentile(&times, 50), percentile(&times, 99)))
}

fn percentile(times: &[Duration], percent: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

fn ns_per(time: Duration, n: usize) -> f64 {
    time.as_secs_f64() * 1e9 / n as f64
}
