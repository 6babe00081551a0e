//! One file that holds the whole report: text, tables, and plots as SVG.

use std::fmt::Write;

use super::plots::{self, Line, PlotError, lines::Axes};
use super::{LabReport, Machine, Prediction, Row, SHOWN, p95_without_overheads};
use crate::{Input, Overheads, simulate};
use kempe_runtime::scheduler::by_name;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2em auto;\
padding:0 1em;color:#111;background:#fff}h1,h2{line-height:1.2}table{border-collapse:collapse;\
font-size:13px;font-variant-numeric:tabular-nums}td,th{border-bottom:1px solid #ccc;padding:2px 8px;\
text-align:right}td:first-child,th:first-child{text-align:left}svg{max-width:100%;height:auto}\
section{break-inside:avoid}figure{margin:1em 0}figcaption{font-size:13px;color:#333}\
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
        page.gantts(input)?;
    }
    page.build_times(report)?;
    page.measured(report);
    page.table(report);
    Ok(page.end())
}

#[derive(Default)]
pub(super) struct Page(String);

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[expect(clippy::cast_precision_loss, reason = "a plot needs few digits")]
fn float(n: u64) -> f64 {
    n as f64
}

impl Page {
    pub(super) fn put(&mut self, text: impl AsRef<str>) {
        self.0.push_str(text.as_ref());
        self.0.push('\n');
    }

    /// The head of a page, up to the paragraph that says where it was measured.
    pub(super) fn begin(&mut self, title: &str, machine: &Machine) {
        self.put("<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">");
        self.put(format!("<title>{title}</title>"));
        self.put(format!("<style>{STYLE}</style></head><body><h1>{title}</h1>"));
        self.put(format!(
            "<p>Kempe {} at commit {}, {} ({} threads at once), {}.",
            escaped(&machine.version),
            escaped(machine.commit.as_deref().unwrap_or("unknown")),
            escaped(&machine.processor),
            machine.cores,
            escaped(&machine.system)
        ));
    }

    /// The page.
    pub(super) fn end(mut self) -> String {
        self.put("</body></html>");
        self.0
    }

    fn head(&mut self, report: &LabReport) {
        self.begin("Kempe scheduler lab", &report.machine);
        self.put(format!("{} repeats.</p><ul>", report.repeats));
        for sentence in &report.method {
            self.put(format!("<li>{}</li>", escaped(sentence)));
        }
        self.put("</ul>");
    }

    /// Real runs, and what the simulator said of them.
    fn measured(&mut self, report: &LabReport) {
        let predictions = Prediction::all(report);
        if predictions.is_empty() {
            return;
        }
        let hops = report.results.iter().filter_map(|row| row.hop_ns);
        let plotted = p95_without_overheads(report).map_or(String::new(), |error| {
            format!(
                " Rows and plots that are simulated have no overheads: 95 of 100 real runs are within {:.0} % of those.",
                error * 100.0
            )
        });
        let apart = hops.clone().min().zip(hops.max()).map_or(String::new(), |(least, most)| {
            format!(" It took {least} to {most} ns until one thread saw what another wrote.")
        });
        self.put(format!(
            "<h2>Real runs, and the simulator's error</h2><p>Measured runs in wasm beside what the \
            simulator predicts for the same plan from times on one thread. The spread is half the distance between the quartiles of the rounds, divided by their median. The error is signed: \
            negative is predicted too fast.{apart}{plotted}</p>"
        ));
        self.put("<table><tr><th>scheduler</th><th>runs</th>\
            <th>mean speedup</th><th>mean spread</th><th>median error</th><th>p95 of |error|</th><th>worst</th><th>on</th></tr>");
        for found in predictions {
            let name = found.scheduler.as_deref();
            let rows = report.results.iter().filter(|row| !row.simulated);
            let speedups: Vec<f64> = rows
                .filter(|row| name.is_none_or(|name| row.scheduler == name))
                .map(|row| row.speedup)
                .collect();
            let spreads: Vec<f64> = report
                .results
                .iter()
                .filter(|row| !row.simulated && name.is_none_or(|name| row.scheduler == name))
                .map(|row| row.spread)
                .collect();
            let spread = spreads.iter().sum::<f64>() / float(spreads.len() as u64).max(1.0);
            let mean = speedups.iter().sum::<f64>() / float(speedups.len() as u64).max(1.0);
            self.put(format!(
                "<tr><td>{}</td><td>{}</td><td>{mean:.2}</td><td>{:.1} %</td><td>{:+.1} %</td><td>{:.1} %</td>\
                 <td>{:+.1} %</td><td>{}</td></tr>",
                escaped(name.unwrap_or("all")),
                found.runs,
                spread * 100.0,
                found.median * 100.0,
                found.p95 * 100.0,
                found.worst * 100.0,
                escaped(&found.worst_workload)
            ));
        }
        self.put("</table>");
    }

    pub(super) fn figure(&mut self, title: &str, svg: &str, caption: &str) {
        self.put(format!("<section><h2>{}</h2><figure>{svg}", escaped(title)));
        self.put(format!("<figcaption>{}</figcaption></figure></section>", escaped(caption)));
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
        let shown = SHOWN.iter().filter(|name| report.schedulers().contains(*name));
        let mut drawn: Vec<Line> = shown
            .map(|&name| Line {
                name: name.to_owned(),
                points: line(name, &|row| row.speedup),
                low: low(name),
                is_bound: false,
            })
            .collect();
        for (scheduler, name) in [
            ("color", "bound: any order"),
            ("graph", "bound: given order"),
            ("versions", "bound: versions"),
        ] {
            let points = line(scheduler, &|row| row.speedup * row.bound_ratio);
            if !points.is_empty() {
                drawn.push(Line { name: name.to_owned(), points, low: Vec::new(), is_bound: true });
            }
        }
        if drawn.iter().all(|line| line.points.is_empty()) {
            return Ok(());
        }
        let axes = Axes { x: "workers (simulated)", y: "speedup, mean over blocks", log_y: true };
        let svg = plots::lines(&drawn, &axes)?;
        self.figure(
            "Speedup against workers",
            &svg,
            "Simulated: exact discrete events on recorded or given costs, without overheads. The band below each line \
             ends where the overheads of two threads, as measured, and work that takes longer beside each further \
             worker would put it. Dashed: what no plan with that freedom can exceed.",
        );
        Ok(())
    }

    /// Blocks of one shape that differ in the number of accounts.
    fn contention(&mut self, report: &LabReport) -> Result<(), PlotError> {
        let accounts = |row: &Row| -> Option<f64> {
            let (name, parameters) = row.workload.split_once(':').unwrap_or((&row.workload, ""));
            let mut parameters = parameters.split(',').filter_map(|each| each.split_once('='));
            let accounts = parameters.find(|(name, _)| *name == "accounts");
            // What is not said is what it is by default.
            let accounts = accounts.map_or(Some(1000.0), |(_, n)| n.parse().ok());
            accounts.filter(|_| name == "p2p")
        };
        let n_workers = 8;
        let mut drawn = Vec::new();
        for name in SHOWN {
            let rows = report
                .results
                .iter()
                .filter(|row| row.scheduler == name && row.workers == n_workers && row.simulated);
            let mut points: Vec<(f64, f64)> =
                rows.filter_map(|row| Some((accounts(row)?, row.tx_per_s / 1e6))).collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            if points.len() > 1 {
                drawn.push(Line {
                    name: name.to_owned(),
                    points,
                    low: Vec::new(),
                    is_bound: false,
                });
            }
        }
        if drawn.is_empty() {
            return Ok(());
        }
        let axes = Axes {
            x: "accounts: many on the right conflict seldom",
            y: "million tx/s (simulated)",
            log_y: true,
        };
        let svg = plots::lines(&drawn, &axes)?;
        let caption = "Transfers between accounts drawn uniformly, 8 simulated workers.";
        self.figure("Throughput against contention", &svg, caption);
        Ok(())
    }

    fn boxes(&mut self, report: &LabReport) -> Result<(), PlotError> {
        let n_workers = 8;
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
            return Ok(());
        }
        let svg = plots::boxes(&values, "makespan / lower bound (simulated)")?;
        self.figure(
            "Makespan over lower bound",
            &svg,
            "8 simulated workers; least, quartiles, median and greatest over the blocks. 1 cannot be \
             beaten by any plan that has the scheduler's freedom.",
        );
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
        let caption =
            "What each model of conflicts permits in the given order on any number of workers.";
        self.figure("The ladder of conflict models", &svg, caption);
        Ok(())
    }

    fn latencies(&mut self, report: &LabReport) -> Result<(), PlotError> {
        let n_workers = 8;
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
        let caption =
            "When half, and 99 of 100, transactions of a block were done; 8 simulated workers.";
        self.figure("Latency", &svg, caption);
        Ok(())
    }

    fn gantts(&mut self, input: &Input) -> Result<(), PlotError> {
        const N_WORKERS: usize = 8;
        let block = input.block();
        for name in ["color", "heaviest-first-graph", "versions", "block-stm"] {
            let Some(scheduler) = by_name(name) else { continue };
            let plan = scheduler.plan(&block, N_WORKERS);
            let run = simulate(&plan, &block, N_WORKERS, Overheads::default());
            let (svg, end) = plots::gantt(&run.spans, N_WORKERS)?;
            let title = format!("{name} on {}, worker by worker", input.name());
            let mut caption =
                "Simulated. Each bar is a transaction; orange ones did not count when they ended."
                    .to_owned();
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
        let mut workloads: Vec<&str> =
            report.build_times.iter().map(|found| &*found.workload).collect();
        workloads.dedup();
        for workload in workloads {
            let drawn = names.iter().map(|&name| {
                let found = report.build_times.iter();
                let found =
                    found.filter(|found| found.scheduler == name && found.workload == workload);
                let total = |found: &super::BuildTime| {
                    (float(found.txs as u64), found.ns_per_tx * float(found.txs as u64) / 1e6)
                };
                let points = found.map(total).collect();
                Line { name: name.to_owned(), points, low: Vec::new(), is_bound: false }
            });
            let drawn: Vec<Line> = drawn.filter(|line| !line.points.is_empty()).collect();
            let axes = Axes { x: "transactions", y: "ms of a processor (measured)", log_y: true };
            let svg = plots::lines(&drawn, &axes)?;
            let title = format!("What planning costs: {workload}");
            let caption = "Both axes are logarithmic: a planner that walks all pairs would rise twice as \
                           steeply. dsatur and smallest-last fall back above 200,000 pairs.";
            self.figure(&title, &svg, caption);
        }
        Ok(())
    }

    fn table(&mut self, report: &LabReport) {
        for simulated in [false, true] {
            let workers = report.workers(simulated);
            if workers.is_empty() {
                continue;
            }
            let how = if simulated { "simulated" } else { "measured" };
            self.put(format!(
                "<h2>Mean speedup over the blocks ({how})</h2><table><tr><th>scheduler"
            ));
            for n in &workers {
                self.put(format!("<th>P={n}"));
            }
            self.put("<th>runs/tx<th>plan ns/tx<th>result");
            for name in report.schedulers() {
                let mut row = format!("<tr><td>{name}");
                for &n in &workers {
                    let mean = report.mean(name, n, simulated, |row| row.speedup);
                    let text = mean.map_or_else(String::new, |mean| format!("{mean:.2}"));
                    _ = write!(row, "<td>{text}");
                }
                let n = workers.last().copied().unwrap_or(1);
                let runs = report.mean(name, n, simulated, |row| row.executions_per_tx);
                let plan = report.mean(name, n, simulated, |row| row.plan_ns_per_tx);
                let plan = plan.map_or_else(String::new, |plan| format!("{plan:.0}"));
                let mut own = report.results.iter();
                let is_own = |row: &&Row| row.scheduler == name && row.simulated == simulated;
                let equal = own.by_ref().filter(is_own).all(|row| row.root_equal);
                let equal = if equal { "equal" } else { "DIFFERENT" };
                let runs = runs.unwrap_or(0.0);
                _ = write!(row, "<td>{runs:.2}<td>{plan}<td>{equal}");
                self.put(row);
            }
            self.put("</table>");
        }
    }
}
