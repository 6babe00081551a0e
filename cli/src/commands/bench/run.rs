//! Running the bench and printing what it found.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use comfy_table::{CellAlignment, Table, presets};
use kempe_bench::{
    BuildTime, COMMON, Calibrated, Calibration, Input, LabReport, Machine, Measure, Overheads,
    Parameter, Prediction, REPORT_VERSION, RealRuns, Row, SHAPES, Timed, WorldError, html, ladder,
    planning_time, simulate_rows, speedup_with_overheads,
};
use kempe_runtime::scheduler::{SCHEDULERS, Scheduler};
use serde::Serialize;

use super::blocks::{Blocks, generated, preset};
use super::{Preset, RunArgs};
use crate::measure::plural;
use crate::output::{Exit, Failure, Output};
use crate::progress;

/// How the sentence of the method begins that says why a block did not run.
const ONLY_SIMULATED: &str = "Only simulated: ";

/// How the one begins that says which files are no blocks.
const LEFT_OUT: &str = "Left out: ";

/// The sizes for which planning is measured.
const SIZES: [u32; 4] = [2_000, 20_000, 60_000, 200_000];

/// How often each measured run is repeated at least.
const ROUNDS: u32 = 3;

/// About how long a block of a preset may be measured each time: so the eighteen blocks of `quick`, the overheads and planning end in
/// a minute, and the fifty of `full` in five.
const fn limit_of(preset: Preset) -> Duration {
    match preset {
        Preset::Quick => Duration::from_millis(450),
        Preset::Full => Duration::from_millis(1000),
    }
}

/// The schedulers for which planning is measured on large blocks.
const PLANNERS: [&str; 14] = [
    "layers",
    "color",
    "graph",
    "versions",
    "heaviest-first-graph",
    "dsatur",
    "prio-graph",
    "greedy",
    "stages",
    "welsh-powell",
    "smallest-last",
    "color-graph",
    "block-stm-hints",
    "aria",
];

pub(super) fn run(args: &RunArgs, output: &Output) -> Result<(), Failure> {
    check_places(&[("--out", &args.out), ("--csv", &args.csv), ("--html", &args.html)])?;
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    if usize::from(args.threads) > n_cores {
        let message = format!("--threads {}: this machine has cores={n_cores}", args.threads);
        return Err(Failure::new(Exit::Usage, message).with_help(
            "with more threads than cores nothing runs as it would: --workers simulates them",
        ));
    }
    let blocks = Blocks::of(args, output)?;
    let inputs = &blocks.inputs;
    let schedulers: Vec<&dyn Scheduler> = match &args.schedulers[..] {
        [] => SCHEDULERS.to_vec(),
        names => {
            SCHEDULERS.into_iter().filter(|known| names.iter().any(|n| n == known.name())).collect()
        }
    };
    let mut workers: Vec<usize> = args.workers.iter().map(|&n| n.into()).collect();
    workers.sort_unstable();
    workers.dedup();
    let bar = progress::bar((inputs.len() * schedulers.len()) as u64, "blocks x schedulers");
    let mut results = Vec::new();
    for input in inputs {
        for scheduler in &schedulers {
            let rows = simulate_rows(*scheduler, input, &workers);
            results.extend(rows.map_err(|error| Failure::new(Exit::Failed, error))?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let mut method = method(inputs);
    method.extend(blocks.left_out().map(|files| format!("{LEFT_OUT}{files}.")));
    let overheads = match args.threads {
        0 => Vec::new(),
        _ => measure(args, inputs, &schedulers, &mut results, &mut method)?,
    };
    let report = LabReport {
        version: REPORT_VERSION,
        machine: Machine::here(commit()),
        method,
        // A simulation repeats exactly.
        repeats: if args.threads > 0 { ROUNDS } else { 1 },
        results,
        overheads,
        build_times: build_times(&schedulers)?,
        ladder: inputs.iter().flat_map(ladder).collect(),
    };
    write(args, &report, inputs)?;
    check(&report)?;
    output.result(text(&report, &workers), &report)?;
    match blocks.n_broken {
        0 => Ok(()),
        n => Err(Failure::new(Exit::Failed, format!("{} cannot be read", plural(n, "trace")))
            .with_help("the report is of the others; the warnings before it say what is wrong")),
    }
}

/// Runs the blocks for real. A block that cannot run is left out, and the method says why. Gives the overheads.
fn measure(
    args: &RunArgs,
    inputs: &[Input],
    schedulers: &[&dyn Scheduler],
    results: &mut Vec<Row>,
    method: &mut Vec<String>,
) -> Result<Vec<Calibrated>, Failure> {
    let n_rounds = ROUNDS as usize;
    let settle = args.settle.map(Duration::from_millis);
    let limit = settle.or_else(|| preset(args).map(limit_of));
    let how = Measure { n_threads: args.threads.into(), n_rounds, limit };
    let bar = progress::bar(inputs.len() as u64 * u64::from(args.times), "blocks run for real");
    let mut runs =
        RealRuns::new(schedulers, how).map_err(|error| Failure::new(Exit::Failed, error))?;
    let (mut left_out, mut calibrated) = (Vec::new(), Vec::new());
    let mut timed = vec![Timed::default(); inputs.len()];
    for _ in 1..args.times {
        for (input, timed) in inputs.iter().zip(&mut timed) {
            match runs.time(input, timed) {
                // It is left out below.
                Ok(()) | Err(WorldError::ListTooLong { .. }) => bar.inc(1),
                Err(error) => return Err(Failure::new(Exit::Failed, error)),
            }
        }
    }
    for (input, timed) in inputs.iter().zip(&mut timed) {
        match runs.input_timed(input, timed) {
            Ok(rows) => {
                let Calibration { hop_ns, n_txs, settled_permille, overheads } = runs.calibration();
                if rows.iter().all(|row| row.overheads_settled == Some(true)) {
                    add_overheads(results, input, &rows, schedulers, overheads);
                }
                let each = schedulers.iter().zip(overheads);
                calibrated.extend(each.map(|(scheduler, &overheads)| Calibrated {
                    scheduler: scheduler.name().to_owned(),
                    workload: input.name().to_owned(),
                    settled_permille: *settled_permille,
                    hop_ns: *hop_ns,
                    block_txs: *n_txs,
                    overheads,
                }));
                results.extend(rows);
            }
            Err(error @ WorldError::ListTooLong { .. }) => left_out.push(error.to_string()),
            Err(error) => return Err(Failure::new(Exit::Failed, error)),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let limit_ms = limit.map_or(10_000, |limit| limit.as_millis());
    let limited = format!(", nor after {limit_ms} ms");
    method.push(format!(
        "Measured runs execute transactions in wasm on {}, in turns with one thread that runs them in the given order. Each waits, if not for too long, until all its threads count as fast as \
         ever, within a tenth. All blocks are measured one after the other, {} in all; what was measured when threads were farther apart or nearer does not count. \
         There are {ROUNDS} rounds at least, and more until \
         the {ROUNDS} fastest of each are within 3 %, but each time not more than eight times as many{limited}; what is settled leaves after eight. The second fastest \
         counts, or the fastest of fewer than six, with the slowest and the fastest of all beside it; only executing is timed, and receipts and state must equal \
         those of the serial oracle.",
        plural(args.threads.into(), "thread"),
        plural(args.times.into(), "time")
    ));
    method.push(
        "The transactions of a block touch its keys and burn its costs, one multiplication a \
         nanosecond; those of the blocks that are calls call the shipped contracts."
            .to_owned(),
    );
    method.push(
        "What is predicted for a measured run comes from the simulator, with what the transactions took \
         on one thread and with the overheads of each scheduler, which were found on other blocks: \
         short and long independent transactions, a few of them, chains, some that share reads or additions or write a few keys, and ladders. They were found before each \
         of these times, and again, but not often, where less than half of that settled, or threads were not as far apart as in one of the times before: the nanoseconds until one sees what \
         another wrote (hop_ns). A block during which that changed was measured again if it had not taken its time. Rows that are simulated have no \
         overheads."
            .to_owned(),
    );
    method.extend(left_out.into_iter().map(|why| format!("{ONLY_SIMULATED}{why}.")));
    Ok(calibrated)
}

/// Says of the simulated rows of a block what the overheads would leave that were measured with it.
fn add_overheads(
    results: &mut [Row],
    input: &Input,
    measured: &[Row],
    schedulers: &[&dyn Scheduler],
    overheads: &[Overheads],
) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a time of a block"
    )]
    let base_ns = measured.first().map_or(0, |row| (row.speedup * row.makespan_ns as f64) as u64);
    for row in results.iter_mut().filter(|row| row.simulated && row.workload == input.name()) {
        let of_scheduler = schedulers.iter().zip(overheads);
        let mut found = of_scheduler.filter(|(scheduler, _)| scheduler.name() == row.scheduler);
        if let Some((scheduler, &overheads)) = found.next() {
            // One worker is what the overheads are beside.
            let speedup = match row.workers {
                1 => row.speedup,
                n => speedup_with_overheads(*scheduler, input, n, overheads, base_ns),
            };
            row.speedup_with_overheads = Some(speedup);
        }
    }
}

/// A run whose result is not that of its order is a bug, and no figure of it is worth anything.
fn check(report: &LabReport) -> Result<(), Failure> {
    match report.results.iter().find(|row| !row.root_equal) {
        None => Ok(()),
        Some(row) => {
            let (scheduler, workload) = (&row.scheduler, &row.workload);
            let message = format!("{scheduler} on {workload} gives another result than its order");
            Err(Failure::new(Exit::Failed, message).with_help("this is a bug of the scheduler"))
        }
    }
}

/// What planning costs as blocks grow, at low and at high contention: with as many accounts for each transaction, so that each
/// conflicts with as many others in a large block as in a small one, with few, and with one key that all write.
fn build_times(schedulers: &[&dyn Scheduler]) -> Result<Vec<BuildTime>, Failure> {
    type Named = fn(u32) -> String;
    let families: [(&str, Named); 3] = [
        ("p2p, 50 accounts a transaction", |n| format!("p2p:accounts={},txs={n}", 50 * n)),
        ("p2p, 100 accounts", |n| format!("p2p:accounts=100,txs={n}")),
        ("fees, all pay into one account", |n| format!("fees:txs={n}")),
    ];
    let mut found = Vec::new();
    let planners: Vec<&&dyn Scheduler> =
        schedulers.iter().filter(|scheduler| PLANNERS.contains(&scheduler.name())).collect();
    let n_plans = families.len() * SIZES.len() * planners.len();
    let bar = progress::bar(n_plans as u64, "planning");
    for (family, named) in families {
        for n_txs in SIZES {
            let input = generated(&named(n_txs).parse()?)?;
            for scheduler in &planners {
                let time = planning_time(**scheduler, &input.block(), 8, 3);
                #[expect(clippy::cast_precision_loss, reason = "a figure needs few digits")]
                let per_tx = |ns: u64| (ns as f64 / f64::from(n_txs) * 100.0).round() / 100.0;
                found.push(BuildTime {
                    scheduler: scheduler.name().to_owned(),
                    workload: family.to_owned(),
                    txs: input.n_txs(),
                    ns_per_tx: per_tx(time.min_ns),
                    ns_per_tx_max: Some(per_tx(time.max_ns)),
                });
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    Ok(found)
}

/// How the simulated figures were found.
fn method(inputs: &[Input]) -> Vec<String> {
    let txs: usize = inputs.iter().map(Input::n_txs).sum();
    vec![
        format!("{} with {}.", plural(inputs.len() as u64, "block"), plural(txs as u64, "transaction")),
        "Speedups are simulated: discrete events over the plan that the runtime would get, with the \
         costs of the recorded block or of the generator (calls of contracts: their fuel), and without overheads. A plan \
         of which nine tenths are one chain runs on one worker, as in the runtime."
            .to_owned(),
        "Speedup is the sum of all costs divided by the makespan. The lower bound is the greatest of \
         work divided by workers, critical path, heaviest key and biggest transaction, for what the \
         scheduler is free to do."
            .to_owned(),
        "Every plan is verified. A simulated run by batches, a graph or rounds is replayed on symbols: reads at the \
         start, writes at the end, compared with the published order one by one; where keys have versions, each \
         transaction must have had in time what it reads; where values are published, nothing waits. Schedulers \
         without lists neither wait nor run again for what is only declared."
            .to_owned(),
        "`greedy` and `prio-graph` know 64 workers, as Solana's scheduler does: with more the others have nothing to do."
            .to_owned(),
        "What planning costs is measured: processor time of one thread, the least of 3 plans, or of 2 that take more than 0.1 s; the greatest is given beside it."
            .to_owned(),
    ]
}

/// The commit of the sources that this program was built of, if git knew them; marked where they were changed since.
pub(super) fn commit() -> Option<String> {
    Some(env!("KEMPE_COMMIT").to_owned()).filter(|commit| !commit.is_empty())
}

/// Refuses files that could not be written after all has been measured, and two that are one.
fn check_places(options: &[(&str, &Option<PathBuf>)]) -> Result<(), Failure> {
    let mut seen: Vec<(&str, PathBuf)> = Vec::new();
    for (option, path) in options {
        let Some(path) = path else { continue };
        check_place(path)?;
        let place = place_of(path);
        if let Some((other, _)) = seen.iter().find(|(_, known)| *known == place) {
            let message = format!("{other} and {option} both name {}", path.display());
            return Err(
                Failure::new(Exit::Usage, message).with_help("each needs a file of its own")
            );
        }
        seen.push((option, place));
    }
    Ok(())
}

/// Where a file is, or will be, whatever leads there.
fn place_of(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = fs::canonicalize(parent.unwrap_or(Path::new(".")));
    let new = || Some(parent.ok()?.join(path.file_name()?));
    fs::canonicalize(path).ok().or_else(new).unwrap_or_else(|| path.to_owned())
}

/// Refuses a file that could not be written after all has been measured.
fn check_place(path: &Path) -> Result<(), Failure> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let why = if path.is_dir() {
        "it is a directory"
    } else if !parent.unwrap_or(Path::new(".")).is_dir() {
        "its directory is missing"
    } else {
        return Ok(());
    };
    Err(Failure::new(Exit::Usage, format!("{} cannot be written: {why}", path.display())))
}

fn write(args: &RunArgs, report: &LabReport, inputs: &[Input]) -> Result<(), Failure> {
    if let Some(path) = &args.out {
        let text = serde_json::to_string_pretty(report).context("writing JSON")?;
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    if let Some(path) = &args.csv {
        let mut writer =
            csv::Writer::from_path(path).with_context(|| format!("writing {}", path.display()))?;
        for row in &report.results {
            writer.serialize(row).context("writing CSV")?;
        }
        writer.flush().with_context(|| format!("writing {}", path.display()))?;
    }
    if let Some(path) = &args.html {
        // A block that is small enough to see single transactions.
        let gantt_of = inputs.iter().min_by_key(|input| input.n_txs().abs_diff(200));
        let page = html(report, gantt_of)?;
        fs::write(path, page).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn text(report: &LabReport, workers: &[usize]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let mut head = vec!["scheduler".to_owned()];
    head.extend(workers.iter().map(|n| format!("P={n}")));
    head.extend(["/ bound", "runs/tx", "p99/seq", "plan ns/tx"].map(str::to_owned));
    table.set_header(head);
    let last = workers.last().copied().unwrap_or(1);
    let wide = report.workers_shown().unwrap_or(last);
    for name in report.schedulers() {
        let mean = |n: usize, figure: &dyn Fn(&Row) -> Option<f64>| {
            report.mean(name, n, true, figure).unwrap_or(0.0)
        };
        let mut cells = vec![name.to_owned()];
        cells.extend(workers.iter().map(|&n| format!("{:.2}", mean(n, &|row| Some(row.speedup)))));
        #[expect(clippy::cast_precision_loss, reason = "a figure needs few digits")]
        let p99 = |row: &Row| {
            Some(row.latency_ns_p99? as f64 / (row.speedup * row.makespan_ns as f64).max(1.0))
        };
        cells.extend([
            format!("{:.2}", mean(wide, &|row| Some(row.bound_ratio))),
            format!("{:.2}", mean(wide, &|row| Some(row.executions_per_tx))),
            format!("{:.2}", mean(wide, &p99)),
            format!("{:.0}", mean(wide, &|row| row.plan_ns_per_tx)),
        ]);
        table.add_row(cells);
    }
    for at in 1..workers.len() + 5 {
        if let Some(column) = table.column_mut(at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let n_blocks = report.ladder.len() / 5;
    let stand_ins = report.stand_ins().into_iter().chain(report.disturbed());
    let stand_ins: String = stand_ins.map(|sentence| sentence + "\n").collect();
    let lines = table.to_string();
    let lines: Vec<&str> = lines.lines().map(str::trim_end).collect();
    let is_told = |sentence: &&String| {
        [ONLY_SIMULATED, LEFT_OUT].iter().any(|start| sentence.starts_with(start))
    };
    let left_out = report.method.iter().filter(is_told);
    let left_out: String = left_out.map(|sentence| format!("{sentence}\n")).collect();
    let Machine { processor, cores, commit, .. } = &report.machine;
    format!(
        "{processor}, {cores} cores, commit {}.\n\
         Mean speedup over {}, simulated; the last four columns at {}.\n{}\n\
         {}{stand_ins}{left_out}Every plan is legal, and every run gave the result of its published order.",
        commit.as_deref().unwrap_or("unknown"),
        plural(n_blocks as u64, "block"),
        plural(wide as u64, "worker"),
        lines.join("\n"),
        measured_text(report)
    )
}

/// The measured speedups, and how far the simulator was off.
fn measured_text(report: &LabReport) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "measured",
        "runs",
        "settled",
        "speedup",
        "of rounds",
        "least",
        "/ bound",
        "simulator",
        "p95",
        "of settled",
    ]);
    for found in Prediction::all(report) {
        let name = found.scheduler.as_deref();
        let rows = report.results.iter().filter(|row| !row.simulated);
        let rows: Vec<&Row> =
            rows.filter(|row| name.is_none_or(|name| row.scheduler == name)).collect();
        #[expect(clippy::cast_precision_loss, reason = "there are few rows")]
        let mean = |figure: &dyn Fn(&Row) -> f64| {
            rows.iter().map(|row| figure(row)).sum::<f64>() / rows.len() as f64
        };
        let least = rows.iter().map(|row| row.speedup).fold(f64::INFINITY, f64::min);
        table.add_row([
            name.unwrap_or("all").to_owned(),
            found.runs.to_string(),
            found.settled.to_string(),
            format!("{:.2}", mean(&|row| row.speedup)),
            // What the slowest and the fastest rounds of all blocks have in the mean.
            format!(
                "{:.2}-{:.2}",
                mean(&|row| row.speedup_min.unwrap_or(row.speedup)),
                mean(&|row| row.speedup_max.unwrap_or(row.speedup))
            ),
            format!("{least:.2}"),
            format!("{:.2}", mean(&|row| row.bound_ratio)),
            format!("{:+.1}%", found.median * 100.0),
            format!("{:.1}%", found.p95 * 100.0),
            found.p95_settled.map_or("-".to_owned(), |p95| format!("{:.1}%", p95 * 100.0)),
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    for at in 1..10 {
        if let Some(column) = table.column_mut(at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines = table.to_string();
    lines.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    about: &'static str,
    parameters: Vec<ListedParameter>,
}

#[derive(Serialize)]
struct ListedParameter {
    name: &'static str,
    default: f64,
    min: f64,
    max: f64,
}

fn listed(parameters: &[Parameter]) -> Vec<ListedParameter> {
    let listed =
        |&Parameter { name, default, min, max, .. }| ListedParameter { name, default, min, max };
    parameters.iter().map(listed).collect()
}

pub(super) fn workloads(output: &Output) -> Result<(), Failure> {
    let mut all: Vec<Listed> = SHAPES
        .iter()
        .map(|shape| Listed {
            name: shape.name,
            about: shape.about,
            parameters: listed(shape.parameters),
        })
        .collect();
    all.push(Listed {
        name: "(all)",
        about: "what every workload has; calls of contracts only txs and seed",
        parameters: listed(&COMMON),
    });
    let lines = all.iter().map(|shape| {
        let parameters = shape.parameters.iter();
        let parameters: Vec<String> =
            parameters.map(|p| format!("{}={}", p.name, p.default)).collect();
        format!("{:12} {}\n{:12}   {}", shape.name, shape.about, "", parameters.join(" "))
    });
    let text = lines.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n");
    Ok(output.result(text, &all)?)
}
