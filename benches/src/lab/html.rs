//! One file that holds the whole report: text, tables, and plots as SVG.

mod tables;

use std::collections::{BTreeMap, BTreeSet};

use super::plots::{self, Line, PlotError, lines::Axes};
use super::{LabReport, Machine, Row, simulated};
use crate::Input;
use kempe_runtime::scheduler::by_name;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2em auto;\
padding:0 1em;color:#111;background:#fff}h1,h2{line-height:1.2}table{border-collapse:collapse;\
font-size:13px;font-variant-numeric:tabular-nums}td,th{border-bottom:1px solid #ccc;padding:2px 8px;\
text-align:right}td:first-child,th:first-child{text-align:left}svg{max-width:100%;height:auto}\
section{break-inside:avoid}figure{margin:1em 0}summary{cursor:pointer}figcaption{font-size:13px;color:#333}\
@media print{body{margin:0;max-width:none}}";

/// The report as one page that needs nothing from elsewhere. `gantt_of` is the block whose run is
/// drawn worker by worker.
///
/// # Errors
/// [`PlotError`].
pub fn html(report: &LabReport, gantt_of: Option<&Input>) -> Result<String, PlotError> {
    let mut page = Page::default();
    page.head(report);
    page.speedups(report)?;
    page.contention(report)?;
    page.boxes(report)?;
    page.ladder(report)?;
    page.latencies(report)?;
    if let Some(input) = gantt_of {
        page.gantts(report, input)?;
    }
    page.build_times(report)?;
    page.measured(report)?;
    page.table(report);
    Ok(page.end())
}

#[derive(Default)]
pub(super) struct Page {
    text: String,
    /// Which program on which machine: it stands below each figure, so that a figure that is cut out says it too.
    origin: String,
}

/// The schedulers whose runs are drawn worker by worker, and how many; others if these were not run.
const GANTTS: [&str; 4] = ["color", "heaviest-first-graph", "versions", "block-stm"];
/// The most workers that are drawn.
const GANTT_WORKERS_MAX: usize = 16;

/// The bounds of speedups, and the schedulers whose plans have that freedom: whichever of them ran knows it.
const BOUNDS: &[(&str, &[&str])] = &[
    (
        "bound: any order",
        &[
            "color",
            "welsh-powell",
            "heaviest-first",
            "smallest-last",
            "dsatur",
            "color-graph",
            "welsh-powell-graph",
            "heaviest-first-graph",
            "smallest-last-graph",
            "dsatur-graph",
            "stages",
            "greedy",
        ],
    ),
    ("bound: given order", &["graph", "layers", "prio-graph", "sequential"]),
    ("bound: versions", &["versions", "block-stm-hints"]),
    ("bound: known values", &["values", "block-stm"]),
];

/// Why lines are drawn of some schedulers only.
const AS_MANY: &str = "as many as colors and marks can tell apart, first one of each kind";

/// What is said of the spread of figures that are simulated.
const EXACT: &str = "Simulated: it repeats exactly, so that there is no spread.";

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A number of things: `1 worker`, `2 workers`.
pub(super) fn counted(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

/// Which schedulers a plot is of, as two sentences, where it is not of all that the tables have.
fn drawn_of(report: &LabReport, n_drawn: usize, why: &str) -> String {
    let some = some_of(report, n_drawn, why);
    if some.is_empty() { some } else { some + " The tables at the end have all." }
}

/// Which schedulers a plot is of, as a sentence, where it is not of all.
fn some_of(report: &LabReport, n_drawn: usize, why: &str) -> String {
    let n_all = report.schedulers().len();
    if n_drawn >= n_all {
        return String::new();
    }
    let are = if n_drawn == 1 { "is" } else { "are" };
    format!(" Of {n_all} schedulers {n_drawn} {are} drawn: {why}.")
}

#[expect(clippy::cast_precision_loss, reason = "a plot needs few digits")]
fn float(n: u64) -> f64 {
    n as f64
}

impl Page {
    pub(super) fn put(&mut self, text: impl AsRef<str>) {
        self.text.push_str(text.as_ref());
        self.text.push('\n');
    }

    /// The head of a page, up to the paragraph that says where it was measured.
    pub(super) fn begin(&mut self, title: &str, machine: &Machine) {
        self.put("<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">");
        self.put(format!("<title>{title}</title>"));
        self.put(format!("<style>{STYLE}</style></head><body><h1>{title}</h1>"));
        self.origin = format!(
            "Kempe {} at commit {}, {} ({} threads at once), {}.",
            machine.version,
            machine.commit.as_deref().unwrap_or("unknown"),
            machine.processor,
            machine.cores,
            machine.system
        );
        self.put(format!("<p>{}", escaped(&self.origin)));
    }

    /// The page.
    pub(super) fn end(mut self) -> String {
        self.put("</body></html>");
        self.text
    }

    fn head(&mut self, report: &LabReport) {
        self.begin("Kempe scheduler lab", &report.machine);
        self.put(format!("{} at least.</p><ul>", counted(report.repeats as usize, "repeat")));
        for sentence in &report.method {
            self.put(format!("<li>{}</li>", escaped(sentence)));
        }
        self.put("</ul>");
    }

    pub(super) fn figure(&mut self, title: &str, svg: &str, caption: &str) {
        self.put(format!("<section><h2>{}</h2><figure>{svg}", escaped(title)));
        let (caption, origin) = (escaped(caption), escaped(&self.origin));
        self.put(format!("<figcaption>{caption} {origin}</figcaption></figure></section>"));
    }

    /// Says why a figure is missing.
    fn missing(&mut self, title: &str, why: &str) {
        self.put(format!("<h2>{title}</h2><p>Not drawn: {}.</p>", escaped(why)));
    }

    fn speedups(&mut self, report: &LabReport) -> Result<(), PlotError> {
        let workers = report.workers(true);
        let line = |scheduler: &str, figure: &dyn Fn(&Row) -> f64| -> Vec<(f64, f64)> {
            let points = workers
                .iter()
                .filter_map(|&n| Some((float(n as u64), report.mean(scheduler, n, true, figure)?)));
            points.collect()
        };
        let low = |scheduler: &str| -> Vec<(f64, f64)> {
            let is_known = |row: &&Row| row.scheduler == scheduler && row.simulated;
            let mut rows = report.results.iter().filter(is_known);
            if rows.any(|row| row.speedup_with_overheads.is_none()) {
                return Vec::new();
            }
            line(scheduler, &|row| row.speedup_with_overheads.unwrap_or(row.speedup))
        };
        let shown = report.schedulers_shown();
        let some = drawn_of(report, shown.len(), AS_MANY);
        let mut drawn: Vec<Line> = shown
            .into_iter()
            .map(|name| Line {
                name: name.to_owned(),
                points: line(name, &|row| row.speedup),
                low: low(name),
                ..Line::default()
            })
            .collect();
        for (name, schedulers) in BOUNDS {
            let of = |scheduler: &&str| line(scheduler, &|row| row.speedup * row.bound_ratio);
            let points = schedulers.iter().map(of).find(|points| !points.is_empty());
            drawn.extend(points.map(|points| Line {
                name: (*name).to_owned(),
                points,
                is_bound: true,
                ..Line::default()
            }));
        }
        if drawn.iter().all(|line| line.points.is_empty()) {
            return Ok(());
        }
        let axes = Axes { x: "workers (simulated)", y: "speedup, mean over blocks", log_y: true };
        let svg = plots::lines(&drawn, &axes)?;
        let band = match drawn.iter().any(|line| !line.low.is_empty()) {
            true => {
                " Dotted: where the overheads of two threads, as measured, and work that takes longer beside each \
                 further worker would put the line of the same color."
            }
            false => "",
        };
        let caption = format!(
            "Discrete events on recorded or given costs, without overheads.{band} Dashed: what no plan with that freedom \
             can exceed, as far as one of it ran.{some} {EXACT}"
        );
        self.figure("Speedup against workers", &svg, &caption);
        Ok(())
    }

    /// Blocks of transfers that differ in the number of accounts and in nothing else.
    fn contention(&mut self, report: &LabReport) -> Result<(), PlotError> {
        const TITLE: &str = "Throughput against contention";
        let Some(n_workers) = report.workers_shown() else { return Ok(()) };
        // The family of blocks that has most of them.
        let mut families = BTreeMap::<String, BTreeSet<&str>>::new();
        for row in &report.results {
            if let Some((family, _)) = accounts_of(&row.workload) {
                families.entry(family).or_default().insert(&row.workload);
            }
        }
        let Some((family, blocks)) = families.into_iter().max_by_key(|(_, blocks)| blocks.len())
        else {
            self.missing(TITLE, "no block of the run is of p2p");
            return Ok(());
        };
        if blocks.len() < 2 {
            self.missing(TITLE, "no two blocks of p2p differ in the number of accounts alone");
            return Ok(());
        }
        let is_meant = |row: &&Row| {
            row.simulated && row.workers == n_workers && blocks.contains(&*row.workload)
        };
        let shown = report.schedulers_shown();
        let some = drawn_of(report, shown.len(), AS_MANY);
        let drawn = shown.into_iter().map(|name| {
            let rows = report.results.iter().filter(is_meant).filter(|row| row.scheduler == name);
            let mut points: Vec<(f64, f64)> = rows
                .filter_map(|row| Some((accounts_of(&row.workload)?.1, row.tx_per_s / 1e6)))
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            Line { name: name.to_owned(), points, ..Line::default() }
        });
        let axes = Axes {
            x: "accounts: many on the right conflict seldom",
            y: "million tx/s (simulated)",
            log_y: true,
        };
        let svg = plots::lines(&drawn.collect::<Vec<_>>(), &axes)?;
        let caption = format!(
            "The blocks {family} with so many accounts, {}.{some} {EXACT}",
            counted(n_workers, "worker")
        );
        self.figure(TITLE, &svg, &caption);
        Ok(())
    }

    fn boxes(&mut self, report: &LabReport) -> Result<(), PlotError> {
        const TITLE: &str = "Makespan over lower bound";
        let Some(n_workers) = report.workers_shown() else { return Ok(()) };
        let of = |name: &str| -> Vec<f64> {
            let rows = report
                .results
                .iter()
                .filter(|row| row.scheduler == name && row.workers == n_workers && row.simulated);
            rows.map(|row| row.bound_ratio).collect()
        };
        let values: Vec<(String, Vec<f64>)> = report
            .schedulers()
            .into_iter()
            .filter(|&name| name != "sequential")
            .map(|name| (name.to_owned(), of(name)))
            .filter(|(_, values)| !values.is_empty())
            .collect();
        if values.is_empty() {
            self.missing(TITLE, "nothing was planned but one by one");
            return Ok(());
        }
        let svg = plots::boxes(&values, "makespan / lower bound (simulated)")?;
        let others = report.stand_ins().join(" ");
        let some = drawn_of(report, values.len(), "all but sequential, which plans nothing");
        let caption = format!(
            "{}; least, quartiles, median and greatest over the blocks; beside each name the median. 1 cannot be \
             beaten by any plan that has the scheduler's freedom.{some} {others} {EXACT}",
            counted(n_workers, "worker")
        );
        self.figure(TITLE, &svg, &caption);
        Ok(())
    }

    fn ladder(&mut self, report: &LabReport) -> Result<(), PlotError> {
        let mut models: Vec<(String, Vec<f64>)> = Vec::new();
        for rung in &report.ladder {
            match models.iter_mut().find(|(model, _)| *model == rung.model) {
                Some((_, values)) => values.push(rung.parallelism),
                None => models.push((rung.model.clone(), vec![rung.parallelism])),
            }
        }
        if models.is_empty() {
            return Ok(());
        }
        let medians = models.into_iter().map(|(model, mut values)| {
            values.sort_by(f64::total_cmp);
            let median = values[values.len() / 2];
            (model, median)
        });
        let medians: Vec<(String, f64)> = medians.collect();
        let svg = plots::rungs(&medians, "work / critical path, median over blocks")?;
        let caption = "What each model of conflicts permits in the given order on any number of workers. Computed from \
                       lists and costs: it repeats exactly, so that there is no spread.";
        self.figure("The ladder of conflict models", &svg, caption);
        Ok(())
    }

    fn latencies(&mut self, report: &LabReport) -> Result<(), PlotError> {
        let Some(n_workers) = report.workers_shown() else { return Ok(()) };
        let mut values = Vec::new();
        for name in report.schedulers() {
            for (figure, of) in [
                ("p50", (|row| row.latency_ns_p50) as fn(&Row) -> Option<u64>),
                ("p99", |row| row.latency_ns_p99),
            ] {
                // As a share of the time that one worker needs, so that blocks can be averaged.
                let share = |row: &Row| {
                    Some(float(of(row)?) / (row.speedup * float(row.makespan_ns)).max(1.0))
                };
                if let Some(mean) = report.mean(name, n_workers, true, share) {
                    values.push((format!("{name} {figure}"), mean));
                }
            }
        }
        if values.is_empty() {
            return Ok(());
        }
        let svg = plots::rungs(&values, "share of the sequential time (simulated)")?;
        let caption = format!(
            "When half, and 99 of 100, transactions of a block were done, mean over blocks; {}. {EXACT}",
            counted(n_workers, "worker")
        );
        self.figure("Latency", &svg, &caption);
        Ok(())
    }

    fn gantts(&mut self, report: &LabReport, input: &Input) -> Result<(), PlotError> {
        let shown = report.schedulers_shown();
        let chosen = GANTTS.into_iter().filter(|name| shown.contains(name));
        let others = shown.iter().copied().filter(|name| !GANTTS.contains(name));
        let n_workers = report.workers_shown().unwrap_or(8).min(GANTT_WORKERS_MAX);
        let drawn: Vec<&str> = chosen.chain(others).take(GANTTS.len()).collect();
        let some = some_of(report, drawn.len(), "different ways to run a plan");
        for name in drawn {
            let Some(scheduler) = by_name(name) else { continue };
            let (run, _) = simulated(&scheduler.plan(&input.block(), n_workers), input, n_workers);
            let (svg, end) = plots::gantt(&run.spans, n_workers)?;
            let title = format!("{name} on {}, worker by worker", input.name());
            let mut caption = format!(
                "{}. Each bar is a transaction, in one of two shades of blue, so that neighbors can be told apart; orange \
                 ones did not count when they ended.{some} {EXACT}",
                counted(n_workers, "worker")
            );
            if end < run.makespan {
                caption += &format!(
                    " Shown are the first {} of {} µs; what follows would be too small to see.",
                    end / 1000,
                    run.makespan / 1000
                );
            }
            self.figure(&title, &svg, &caption);
        }
        Ok(())
    }

    fn build_times(&mut self, report: &LabReport) -> Result<(), PlotError> {
        let mut names: Vec<&str> = Vec::new();
        for found in &report.build_times {
            if !names.contains(&&*found.scheduler) {
                names.push(&found.scheduler);
            }
        }
        if names.is_empty() {
            self.missing("What planning costs", "no scheduler of the run was given large blocks");
        }
        let why = "in all parts together, those that look at conflicts, one where some do it alike";
        let some = some_of(report, names.len(), why);
        let mut workloads: Vec<&str> =
            report.build_times.iter().map(|found| &*found.workload).collect();
        workloads.dedup();
        for workload in workloads {
            // As many in one plot as can be told apart.
            let parts = names.chunks(plots::COLORS.len());
            let n_parts = parts.len();
            for (part, names) in (1..).zip(parts) {
                let line = |&name: &&str| build_line(report, workload, name);
                let mut drawn: Vec<Line> =
                    names.iter().map(line).filter(|line| !line.points.is_empty()).collect();
                drawn.extend(guides(&drawn));
                let axes =
                    Axes { x: "transactions", y: "ms of a processor (measured)", log_y: true };
                let svg = plots::lines(&drawn, &axes)?;
                let part = match n_parts {
                    1 => String::new(),
                    n_parts => format!(" ({part} of {n_parts})"),
                };
                let title = format!("What planning costs: {workload}{part}");
                let caption = "One thread; the least of three (of two that take more than 0.1 s), and a line to the greatest. Both axes are logarithmic. \
                               Dashed: what grows as the transactions (n), and as their square (n²), which a planner that walks all pairs \
                               rises like where pairs grow so; what no longer fits into a cache rises more steeply than n for a while. dsatur \
                               and smallest-last, which do walk pairs, fall back above 200,000 of them, and take longest just below.";
                self.figure(&title, &svg, &format!("{caption}{some}"));
            }
        }
        Ok(())
    }
}

/// How lines rise that grow as the transactions, and as their square, from where the lowest of some lines begins.
pub(super) fn guides(lines: &[Line]) -> Vec<Line> {
    let firsts = lines.iter().filter_map(|line| line.points.first().copied());
    let Some((n_txs, ms)) = firsts.min_by(|a, b| a.1.total_cmp(&b.1)) else { return Vec::new() };
    let lasts = lines.iter().filter_map(|line| line.points.last());
    let most = lasts.map(|point| point.0).fold(n_txs, f64::max);
    let guide = |(name, power): (&str, i32)| {
        let points = vec![(n_txs, ms), (most, ms * (most / n_txs).powi(power))];
        Line { name: name.to_owned(), points, is_bound: true, ..Line::default() }
    };
    [("n", 1), ("n²", 2)].map(guide).into()
}

/// What a scheduler's plans cost as blocks of one kind grow, in milliseconds.
fn build_line(report: &LabReport, workload: &str, name: &str) -> Line {
    let mut line = Line { name: name.to_owned(), ..Line::default() };
    let found = report.build_times.iter();
    for found in found.filter(|found| found.scheduler == name && found.workload == workload) {
        let n_txs = float(found.txs as u64);
        let ms = |ns_per_tx: f64| ns_per_tx * n_txs / 1e6;
        line.points.push((n_txs, ms(found.ns_per_tx)));
        if let Some(most) = found.ns_per_tx_max {
            line.whiskers.push((n_txs, [found.ns_per_tx, most].map(ms)));
        }
    }
    line
}

/// The name of a block of transfers without the number of its accounts, and that number.
fn accounts_of(workload: &str) -> Option<(String, f64)> {
    /// What is not said is what it is by default.
    const DEFAULT: f64 = 1000.0;
    let (name, parameters) = workload.split_once(':').unwrap_or((workload, ""));
    let (own, others): (Vec<&str>, Vec<&str>) =
        parameters.split(',').partition(|parameter| parameter.starts_with("accounts="));
    let accounts = own.first().and_then(|own| own.split_once('='));
    let accounts = accounts.map_or(Some(DEFAULT), |(_, n)| n.parse().ok())?;
    let others = others.join(",");
    let colon = if others.is_empty() { "" } else { ":" };
    (name == "p2p").then(|| (format!("{name}{colon}{others}"), accounts))
}
