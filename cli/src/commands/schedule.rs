//! `kempe schedule`: how a file of calls, or a recorded block, would be scheduled.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use kempe_abi::{AccessKind, CellKind};
use kempe_bench::{
    HotKey, Input as Recorded, Overheads, Together, Trace, best_change, contention, first_fields,
    simulate, transfer_accesses, transfers,
};
use kempe_runtime::access::AccessList;
use kempe_runtime::scheduler::{
    Accesses, Block, ConflictGraph, Plan, SCHEDULERS, Scheduler, by_name, dot, lower_bound_of, svg,
    verify_plan,
};
use serde::Serialize;

use crate::abi_view::printable;
use crate::args::{Global, HELP};
use crate::calls::Calls;
use crate::describe::Describer;
use crate::measure::plural;
use crate::output::{Exit, Failure, Output};
use crate::session::{ChainArgs, Session, now_ms};

const EXAMPLES: &str = "\
Examples:
  kempe schedule calls.jsonl        calls of contracts of the chain; nothing is executed
  kempe schedule block.jsonl        a recorded block with its own keys
  kempe schedule block.jsonl --transfers --scheduler layers
  kempe schedule calls.jsonl --format svg > schedule.svg
  kempe schedule block.jsonl --format flame > hot-keys.svg

The steps are transactions of equal cost; a batch of n transactions takes n / workers steps. For a
scheduler without barriers they are simulated, and the batches are those that it publishes. What a
key costs, and what a change saves, counts recorded times where there are some, and what is saved
is so in the given order with the scheduler graph. The flame graph is of the same keys.";

/// The numbers of workers for which steps are counted.
const WORKERS: [u64; 4] = [2, 4, 8, 16];

/// The workers on which changes of keys are judged.
const HOT_WORKERS: usize = 8;
/// How many hot keys are named.
const HOT_KEYS_MAX: usize = 5;
/// How many keys a flame graph has at most.
const FLAME_KEYS_MAX: usize = 50;

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
    /// A flame graph: contract, field, key, as wide as its transactions take turns
    Flame,
}

pub(super) fn scheduler_names() -> clap::builder::PossibleValuesParser {
    SCHEDULERS.map(Scheduler::name).into()
}

/// A block to be scheduled.
#[derive(Default)]
struct Input {
    accesses: Accesses,
    /// What each takes, if that is known.
    costs: Vec<u64>,
    /// How many of its list each touches, the first ones, if that is known.
    n_touched: Vec<usize>,
    senders: Vec<u32>,
    tail: Vec<bool>,
    /// The names of slots; a slot without one is a number.
    keys: BTreeMap<u32, String>,
    /// The slots that are stocks, and how many only take from each.
    takers: BTreeMap<u32, usize>,
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
    hottest: Vec<Hot>,
    /// What goes away if the first two of them were changed, the first three, and so on.
    together: Vec<Together>,
    saved_if_narrowed: Option<f64>,
    best_change: Option<String>,
    /// Whether what keys cost, and what changes save, is of recorded times; otherwise of transactions of equal cost, as steps are.
    has_costs: bool,
}

/// A hot key by its name.
#[derive(Serialize)]
struct Hot {
    key: String,
    /// How many of the writers only take from a stock, which does not hold what all declare or is written by others.
    #[serde(skip_serializing_if = "is_zero")]
    takers: usize,
    #[serde(flatten)]
    found: HotKey,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
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
        if args.transfers { as_transfers(&args.file)? } else { recorded(&args.file, output)? }
    } else {
        calls(args, global, output)?
    };
    // Steps are counted, whatever each takes; what a key costs is what its transactions take.
    let block = Block::new(&input.accesses, &[], &input.senders, &input.tail)?;
    let costed = Block::new(&input.accesses, &input.costs, &input.senders, &input.tail)?;
    let scheduler = by_name(&args.scheduler).expect("clap accepts only the schedulers' names");
    let plan = scheduler.plan(&block, HOT_WORKERS);
    verify_plan(&plan, &block, scheduler.mode())?;
    let graph = ConflictGraph::new(&block);
    let name = |slot: u32| input.keys.get(&slot).cloned().unwrap_or_else(|| format!("key {slot}"));
    match args.format {
        Format::Dot => Ok(output.raw(dot(&graph, name).as_bytes())?),
        Format::Svg => Ok(output.raw(svg(&graph, &plan.schedule(&block))?.as_bytes())?),
        Format::Flame => {
            let unit = if input.costs.is_empty() { "transactions" } else { "ns" };
            Ok(output.raw(&flame(&costed, unit, name)?)?)
        }
        Format::Text => {
            let report = report(&input, [&block, &costed], scheduler, &graph, &plan, &name);
            Ok(output.result(text(&report), &report)?)
        }
        Format::Json => {
            let report = report(&input, [&block, &costed], scheduler, &graph, &plan, &name);
            Ok(output.json(&report)?)
        }
    }
}

/// A flame graph of the keys that make transactions wait.
fn flame(block: &Block<'_>, unit: &str, name: impl Fn(u32) -> String) -> Result<Vec<u8>, Failure> {
    let work: u64 = block.txs().map(|tx| block.cost(tx)).fold(0, u64::saturating_add);
    let found = contention(block, HOT_WORKERS, FLAME_KEYS_MAX, None);
    let lines = found.keys.iter().map(|key| {
        let name = name(key.slot);
        // `token.balances[alice]` is three frames, `key 7` two. A space would start the count.
        let (contract, rest) =
            name.split_once('.').or_else(|| name.split_once(' ')).unwrap_or(("", &name));
        let entry = rest.strip_suffix(']').and_then(|rest| rest.split_once('['));
        let (field, entry) = entry.unwrap_or((rest, ""));
        let frames =
            [contract, field, entry].map(|frame| frame.replace(';', ",").replace(' ', "_"));
        let frames: Vec<&str> =
            frames.iter().map(String::as_str).filter(|frame| !frame.is_empty()).collect();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a share of the work"
        )]
        let width = (key.serial_share * work as f64).ceil() as u64;
        format!("{} {width}", frames.join(";"))
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        return Err(Failure::new(Exit::Failed, "nobody waits for a key: there is nothing to draw"));
    }
    let mut options = inferno::flamegraph::Options::default();
    options.title = "Keys that make transactions wait".to_owned();
    options.count_name = format!("{unit} one by one");
    let mut svg = Vec::new();
    let lines = lines.iter().map(String::as_str);
    inferno::flamegraph::from_lines(&mut options, lines, &mut svg).context("drawing the keys")?;
    Ok(svg)
}

/// A recorded block names what each transaction touched; calls name a method. What is neither is taken as a block, which says
/// what is wrong with it.
fn is_trace(path: &Path) -> Result<bool, Failure> {
    let is_csv = path.extension().is_some_and(|extension| extension == "csv");
    let fields = first_fields(path)?.unwrap_or_default();
    if fields.is_empty() && !is_csv {
        return Ok(true);
    }
    let has = |field: &&str| fields.contains_key(*field);
    Ok(!has(&"method") && ["reads", "writes", "adds"].iter().any(has))
}

/// A recorded block as transfers of a token.
fn as_transfers(path: &Path) -> Result<Input, Failure> {
    let found = transfers(&Trace::open(path)?);
    let accesses = transfer_accesses(&found.specs);
    // Numbered by first occurrence as a sender, as the scheduler wants them.
    let mut numbers = BTreeMap::new();
    let mut senders = Vec::with_capacity(found.specs.len());
    for spec in &found.specs {
        let next = u32::try_from(numbers.len())?;
        senders.push(*numbers.entry(spec.from).or_insert(next));
    }
    Ok(Input { accesses, senders, ..Input::default() })
}

/// A recorded block with its own keys, or lines of reads and writes.
fn recorded(path: &Path, output: &Output) -> Result<Input, Failure> {
    let found = Recorded::open(path)?;
    if let Some(warning) = found.warning() {
        output.warn(format_args!("{}: {warning}", printable(&path.display().to_string())));
    }
    let n_slots = u32::try_from(found.accesses().n_slots())?;
    let keys = (0..n_slots).map(|slot| (slot, printable(found.key_name(slot)))).collect();
    let (accesses, costs) = (found.accesses().clone(), found.costs().to_vec());
    let n_txs = u32::try_from(found.n_txs())?;
    let n_touched = (0..n_txs).map(|tx| found.n_touched(tx)).collect();
    let senders = found.senders().to_vec();
    Ok(Input { accesses, costs, n_touched, senders, keys, ..Input::default() })
}

fn calls(args: &Args, global: &Global, output: &Output) -> Result<Input, Failure> {
    let session = Session::open(&args.chain, global)?;
    let mut calls = Calls::open(&args.file, false)?;
    let n_max = session.chain.genesis().limits.block_txs_max as usize;
    let time_ms = now_ms();
    let transactions = calls.next_block(&session, n_max, time_ms)?;
    if calls.is_left() {
        let (file, n) = (printable(&args.file.display().to_string()), transactions.len());
        output.warn(format_args!(
            "{file}: a block has fuel for the first {n} calls, and these are shown"
        ));
    }
    let prepared = session.chain.prepare(transactions, time_ms)?;
    let describer = Describer::new(&session.chain, &session.names);
    let interned = prepared.plan.interned();
    let slots = 0..u32::try_from(interned.slots().len())?;
    let key = |slot| (slot, describer.key(&interned.key(slot).state_key()));
    let is_stock = |slot: &u32| describer.cell(&interned.key(*slot).state_key()) == CellKind::Stock;
    let mut takers: BTreeMap<u32, usize> =
        slots.clone().filter(is_stock).map(|slot| (slot, 0)).collect();
    for (tx, row) in (0..).zip(interned.accesses().rows()) {
        let list = interned.lists().of(tx);
        for (access, entry) in row.iter().zip(list.iter().flat_map(AccessList::iter)) {
            if entry.bound.is_some() && access.kind == AccessKind::Write {
                takers.entry(access.slot).and_modify(|n| *n += 1);
            }
        }
    }
    Ok(Input {
        accesses: interned.accesses().clone(),
        senders: interned.senders().to_vec(),
        tail: interned.tail().to_vec(),
        keys: slots.map(key).collect(),
        takers,
        ..Input::default()
    })
}

fn report(
    input: &Input,
    [block, costed]: [&Block<'_>; 2],
    scheduler: &'static dyn Scheduler,
    graph: &ConflictGraph,
    plan: &Plan,
    name: &dyn Fn(u32) -> String,
) -> Report {
    let schedule = plan.schedule(block);
    let widths: Vec<usize> = schedule.batches().map(<[u32]>::len).collect();
    let n_txs = block.n_txs();
    let n_touched = |tx: u32| input.n_touched[tx as usize];
    let is_known = !input.n_touched.is_empty();
    let n_touched: Option<&dyn Fn(u32) -> usize> = if is_known { Some(&n_touched) } else { None };
    let hot = contention(costed, HOT_WORKERS, HOT_KEYS_MAX, n_touched);
    let best_change = best_change(&hot, name, |slot| input.takers.contains_key(&slot));
    let takers = |slot| input.takers.get(&slot).copied().unwrap_or(0);
    let hot_key = |found: HotKey| Hot { key: name(found.slot), takers: takers(found.slot), found };
    let hottest = hot.keys.into_iter().map(hot_key).collect();
    let workers = WORKERS.map(|n_workers| {
        let plan = scheduler.plan(block, usize::try_from(n_workers).unwrap_or(1));
        let run =
            simulate(&plan, block, usize::try_from(n_workers).unwrap_or(1), Overheads::default());
        let steps = run.makespan;
        #[expect(clippy::cast_precision_loss, reason = "a block has fewer than 2^52 transactions")]
        let speedup = n_txs as f64 / steps.max(1) as f64;
        let lower_bound = lower_bound_of(&plan, block, n_workers, scheduler.mode()).max();
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
        hottest,
        together: hot.together,
        saved_if_narrowed: hot.saved_if_narrowed,
        best_change,
        has_costs: !input.costs.is_empty(),
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
    row("transactions", format!("{} over {}", report.txs, plural(report.keys as u64, "key")));
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
    for Hot { key, takers, found } in &report.hottest {
        let HotKey { writers, readers, adders, serial_share, .. } = found;
        let (writers, share) = (writers - takers, serial_share * 100.0);
        let takers = if *takers == 0 { String::new() } else { format!("{takers} reserve, ") };
        let of = if report.has_costs { "the recorded time" } else { "all transactions" };
        let value =
            format!("{takers}{writers} write, {readers} read, {adders} add: {share:.1} % of {of}");
        lines.push(format!("hot key        {key}  {value}"));
    }
    if let Some(change) = &report.best_change {
        lines.push(format!("best change    {change}, by graph"));
    }
    lines.join("\n").lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
