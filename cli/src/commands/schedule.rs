//! `kempe schedule`: how a file of calls, or a recorded block, would be scheduled.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use kempe_bench::{Trace, transfer_accesses, transfers};
use kempe_runtime::scheduler::{
    Accesses, Block, ConflictGraph, SCHEDULERS, Schedule, Scheduler, by_name, dot, lower_bound,
    svg, verify,
};
use serde::Serialize;

use crate::args::{Global, HELP};
use crate::calls::Calls;
use crate::describe::Describer;
use crate::output::{Failure, Output};
use crate::session::{ChainArgs, Session, now_ms};

const EXAMPLES: &str = "\
Examples:
  kempe schedule calls.jsonl        calls of contracts of the chain; nothing is executed
  kempe schedule block.jsonl        a recorded block with its own keys
  kempe schedule block.jsonl --transfers --scheduler layers
  kempe schedule calls.jsonl --format svg > schedule.svg

The steps are transactions of equal cost; a batch of n transactions takes n / workers steps.";

/// The numbers of workers for which steps are counted.
const WORKERS: [u64; 4] = [2, 4, 8, 16];

/// The arguments of `kempe schedule`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// Calls (JSON Lines, or CSV if the name ends in .csv), or a recorded block
    file: PathBuf,

    /// Which scheduler
    #[arg(long, value_name = "NAME", default_value = "color", value_parser = scheduler_names())]
    scheduler: String,

    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,

    /// Take a recorded block as transfers of a token
    #[arg(long)]
    transfers: bool,

    #[command(flatten)]
    chain: ChainArgs,
}

/// How to print a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table
    Text,
    /// JSON, with every batch
    Json,
    /// The conflict graph for Graphviz
    Dot,
    /// A picture: a column for each batch
    Svg,
}

pub(super) fn scheduler_names() -> clap::builder::PossibleValuesParser {
    SCHEDULERS.map(Scheduler::name).into()
}

/// A block to be scheduled.
struct Input {
    accesses: Accesses,
    senders: Vec<u32>,
    tail: Vec<bool>,
    /// The names of slots; a slot without one is a number.
    keys: BTreeMap<u32, String>,
}

#[derive(Serialize)]
struct Report {
    scheduler: &'static str,
    txs: usize,
    keys: usize,
    batches: usize,
    widest_batch: usize,
    tail: usize,
    widths: Vec<Width>,
    critical_path: usize,
    workers: BTreeMap<u64, Workers>,
    schedule: Vec<Vec<u32>>,
    tail_txs: Vec<u32>,
}

#[derive(Serialize)]
struct Width {
    from: usize,
    to: usize,
    batches: usize,
}

#[derive(Serialize)]
struct Workers {
    steps: u64,
    lower_bound: u64,
    speedup: f64,
}

pub(super) fn run(args: &Args, global: &Global, output: &Output) -> Result<(), Failure> {
    let input = if is_trace(&args.file)? {
        trace(&args.file, args.transfers)?
    } else {
        calls(args, global)?
    };
    let block = Block::new(&input.accesses, &[], &input.senders, &input.tail)?;
    let scheduler = by_name(&args.scheduler).expect("clap accepts only the schedulers' names");
    let schedule = scheduler.schedule(&block);
    verify(&schedule, &block, scheduler.mode())?;
    let graph = ConflictGraph::new(&block);
    let name = |slot: u32| input.keys.get(&slot).cloned().unwrap_or_else(|| format!("key {slot}"));
    match args.format {
        Format::Dot => Ok(output.raw(dot(&graph, name).as_bytes())?),
        Format::Svg => Ok(output.raw(svg(&graph, &schedule)?.as_bytes())?),
        Format::Text => {
            let report = report(&block, scheduler, &graph, &schedule);
            Ok(output.result(text(&report), &report)?)
        }
        Format::Json => {
            let report = report(&block, scheduler, &graph, &schedule);
            Ok(output.json(&report)?)
        }
    }
}

/// A recorded block names what each transaction read; calls do not.
fn is_trace(path: &Path) -> Result<bool, Failure> {
    const HEAD_BYTES: u64 = 64 * 1024;
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut head = Vec::new();
    BufReader::new(file)
        .take(HEAD_BYTES)
        .read_until(b'\n', &mut head)
        .with_context(|| format!("reading {}", path.display()))?;
    Ok(head.windows(7).any(|window| window == b"\"reads\""))
}

fn trace(path: &Path, as_transfers: bool) -> Result<Input, Failure> {
    let trace = Trace::open(path)?;
    if as_transfers {
        let found = transfers(&trace);
        let accesses = transfer_accesses(&found.specs);
        // Numbered by first occurrence as a sender, as the scheduler wants them.
        let mut numbers = BTreeMap::new();
        let mut senders = Vec::with_capacity(found.specs.len());
        for spec in &found.specs {
            let next = u32::try_from(numbers.len())?;
            senders.push(*numbers.entry(spec.from).or_insert(next));
        }
        return Ok(Input { accesses, senders, tail: Vec::new(), keys: BTreeMap::new() });
    }
    let (accesses, senders) = (trace.accesses(), trace.senders());
    Ok(Input { accesses, senders, tail: Vec::new(), keys: BTreeMap::new() })
}

fn calls(args: &Args, global: &Global) -> Result<Input, Failure> {
    let session = Session::open(&args.chain, global)?;
    let mut calls = Calls::open(&args.file, false)?;
    let n_max = session.chain.genesis().limits.block_txs_max as usize;
    let transactions = calls.next_block(&session, n_max)?;
    let prepared = session.chain.prepare(transactions, now_ms())?;
    let describer = Describer::new(&session.chain, &session.names);
    let interned = prepared.plan.interned();
    let slots = 0..u32::try_from(interned.slots().len())?;
    let key = |slot| (slot, describer.key(&interned.key(slot).state_key()));
    Ok(Input {
        accesses: interned.accesses().clone(),
        senders: interned.senders().to_vec(),
        tail: interned.tail().to_vec(),
        keys: slots.map(key).collect(),
    })
}

fn report(
    block: &Block<'_>,
    scheduler: &'static dyn Scheduler,
    graph: &ConflictGraph,
    schedule: &Schedule,
) -> Report {
    let widths: Vec<usize> = schedule.batches().map(<[u32]>::len).collect();
    let n_txs = block.n_txs();
    let workers = WORKERS.map(|n_workers| {
        let in_batches: u64 = widths.iter().map(|&n| (n as u64).div_ceil(n_workers)).sum();
        let steps = in_batches + schedule.tail().len() as u64;
        #[expect(clippy::cast_precision_loss, reason = "a block has fewer than 2^52 transactions")]
        let speedup = n_txs as f64 / steps.max(1) as f64;
        let lower_bound = lower_bound(block, n_workers, scheduler.mode()).max();
        (n_workers, Workers { steps, lower_bound, speedup: (speedup * 100.0).round() / 100.0 })
    });
    Report {
        scheduler: scheduler.name(),
        txs: n_txs,
        keys: block.accesses().n_slots(),
        batches: widths.len(),
        widest_batch: widths.iter().max().copied().unwrap_or(0),
        tail: schedule.tail().len(),
        widths: histogram(&widths),
        critical_path: graph.critical_path(block).txs.len(),
        workers: workers.into(),
        schedule: schedule.batches().map(<[u32]>::to_vec).collect(),
        tail_txs: schedule.tail().to_vec(),
    }
}

/// How many batches have 1, 2 to 3, 4 to 7, ... transactions.
fn histogram(widths: &[usize]) -> Vec<Width> {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for &width in widths {
        *counts.entry(width.max(1).ilog2()).or_default() += 1;
    }
    let row = |(log, batches): (u32, usize)| Width {
        from: 1usize << log,
        to: (2usize << log) - 1,
        batches,
    };
    counts.into_iter().map(row).collect()
}

fn text(report: &Report) -> String {
    let mut lines = Vec::new();
    let mut row = |label: &str, value: String| lines.push(format!("{label:15}{value}"));
    row("transactions", format!("{} over {} keys", report.txs, report.keys));
    row("scheduler", report.scheduler.to_owned());
    row("batches", format!("{}, the widest of {}", report.batches, report.widest_batch));
    row("tail", format!("{} one by one", report.tail));
    row("critical path", format!("{} transactions in the given order", report.critical_path));
    for (n_workers, found) in &report.workers {
        let Workers { steps, lower_bound, speedup } = found;
        let value = format!("{steps:>7} steps  (at least {lower_bound})  speedup {speedup:.2}");
        row(&format!("{n_workers} workers"), value);
    }
    row("batch widths", String::new());
    let most = report.widths.iter().map(|width| width.batches).max().unwrap_or(1);
    for Width { from, to, batches } in &report.widths {
        let bar = "#".repeat((batches * 40).div_ceil(most));
        row(&format!("  {from}-{to}"), format!("{batches:>7}  {bar}"));
    }
    lines.join("\n").lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
