//! What was measured, and the tables of a page.

use std::fmt::Write;

use super::{Page, counted, escaped, float};
use crate::lab::plots::{self, PlotError};
use crate::lab::{LabReport, Prediction, Row, p95_without_overheads};

/// From where to where the repeats went, the mean over rows: speedups in the slowest and in the fastest round.
fn range_of<'a>(rows: impl Iterator<Item = &'a Row> + Clone) -> Option<[f64; 2]> {
    let mean = |of: fn(&Row) -> Option<f64>| {
        let found: Vec<f64> = rows.clone().filter_map(of).collect();
        (!found.is_empty()).then(|| found.iter().sum::<f64>() / float(found.len() as u64))
    };
    Some([mean(|row| row.speedup_min)?, mean(|row| row.speedup_max)?])
}

/// Two ends as a cell.
fn range_cell(range: Option<[f64; 2]>, digits: usize) -> String {
    range.map_or_else(String::new, |[least, most]| format!("{least:.digits$}–{most:.digits$}"))
}

impl Page {
    /// Real runs, and what the simulator said of them.
    pub(super) fn measured(&mut self, report: &LabReport) -> Result<(), PlotError> {
        const TITLE: &str = "Real runs, and the simulator's error";
        let predictions = Prediction::all(report);
        if predictions.is_empty() {
            self.missing(TITLE, "no block ran for real");
            return Ok(());
        }
        self.measured_speedups(report)?;
        let hops = report.results.iter().filter_map(|row| row.hop_ns);
        let plotted = p95_without_overheads(report).map_or(String::new(), |error| {
            format!(
                " Rows and plots that are simulated have no overheads: 95 of 100 real runs, settled or not, are within {:.0} % of those.",
                error * 100.0
            )
        });
        let apart = hops.clone().min().zip(hops.max()).map_or(String::new(), |(least, most)| {
            format!(" It took {least} to {most} ns until one thread saw what another wrote.")
        });
        self.put(format!(
            "<h2>{TITLE}</h2><p>Measured runs in wasm beside what the \
            simulator predicts for the same plan from times on one thread. Beside each mean speedup stand those of the \
            slowest and of the fastest round of each block. The spread is how far the three fastest rounds are apart; \
            a run settled if that is at most 3 %, and so it is on one thread and for half of what the overheads were found by. \
            The error is signed: negative is predicted too fast.{apart}{plotted}</p>"
        ));
        self.put(
            "<table><tr><th>scheduler</th><th>runs</th><th>settled</th><th>mean speedup</th><th>rounds</th>\
            <th>mean spread</th><th>median error</th><th>p95 of |error|</th><th>of settled</th><th>worst</th><th>on</th></tr>",
        );
        for found in predictions {
            let name = found.scheduler.as_deref();
            let rows = report.results.iter().filter(|row| !row.simulated);
            let rows = rows.filter(|row| name.is_none_or(|name| row.scheduler == name));
            let mean = |of: fn(&Row) -> f64| {
                rows.clone().map(of).sum::<f64>() / float(found.runs as u64).max(1.0)
            };
            self.put(format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.2}</td><td>{}</td><td>{:.1} %</td><td>{:+.1} %</td><td>{:.1} %</td>\
                 <td>{}</td><td>{:+.1} %</td><td>{}</td></tr>",
                escaped(name.unwrap_or("all")),
                found.runs,
                found.settled,
                mean(|row| row.speedup),
                range_cell(range_of(rows.clone()), 2),
                mean(|row| row.spread) * 100.0,
                found.median * 100.0,
                found.p95 * 100.0,
                found.p95_settled.map_or("–".to_owned(), |p95| format!("{:.1} %", p95 * 100.0)),
                found.worst * 100.0,
                escaped(&found.worst_workload)
            ));
        }
        self.put("</table>");
        self.every_run(report);
        Ok(())
    }

    /// A bar for each scheduler, and how far its rounds were apart.
    fn measured_speedups(&mut self, report: &LabReport) -> Result<(), PlotError> {
        for n_threads in report.workers(false) {
            let mut values = Vec::new();
            for name in report.schedulers() {
                let is_meant = |row: &&Row| {
                    !row.simulated && row.workers == n_threads && row.scheduler == name
                };
                let mean = report.mean(name, n_threads, false, |row| row.speedup);
                let range = range_of(report.results.iter().filter(is_meant));
                values.extend(mean.zip(range).map(|(mean, range)| (name.to_owned(), mean, range)));
            }
            if values.is_empty() {
                continue;
            }
            let svg = plots::spreads(&values, "speedup, mean over blocks (measured)")?;
            let caption = format!(
                "Transactions in wasm on {}, in turns with one thread that runs them in the given order, until \
                 the three fastest rounds of each are within 3 %, or the time is over, at least {} rounds: the one in the middle of the three \
                 counts, the fastest where there are fewer than six rounds. The line goes from the slowest round of each block to its fastest, mean over the blocks. {}",
                counted(n_threads, "thread"),
                report.repeats,
                report.disturbed().join(" "),
            );
            self.figure("Measured speedup", &svg, &caption);
        }
        Ok(())
    }

    /// Every measured run with its spread, folded away.
    fn every_run(&mut self, report: &LabReport) {
        self.put(
            "<details><summary>Every measured run</summary><table><tr><th>block</th><th>scheduler</th>\
            <th>threads</th><th>speedup</th><th>rounds</th><th>of</th><th>spread</th><th>settled</th><th>/ bound</th>\
            <th>error</th></tr>",
        );
        for row in report.results.iter().filter(|row| !row.simulated) {
            self.put(format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.2}</td><td>{}</td><td>{}</td><td>{:.1} %</td>\
                 <td>{}</td><td>{:.2}</td><td>{}</td></tr>",
                escaped(&row.workload),
                escaped(&row.scheduler),
                row.workers,
                row.speedup,
                range_cell(range_of(std::iter::once(row)), 2),
                row.rounds.map(|n| n.to_string()).unwrap_or_default(),
                row.spread * 100.0,
                if row.settled == Some(false) { "no" } else { "yes" },
                row.bound_ratio,
                row.prediction_error()
                    .map(|error| format!("{:+.1} %", error * 100.0))
                    .unwrap_or_default(),
            ));
        }
        self.put("</table></details>");
    }

    /// The mean speedups on each number of workers.
    pub(super) fn table(&mut self, report: &LabReport) {
        for simulated in [false, true] {
            let workers = report.workers(simulated);
            if workers.is_empty() {
                continue;
            }
            let how = if simulated {
                "simulated: they repeat exactly"
            } else {
                "measured; in brackets the slowest and the fastest rounds"
            };
            self.put(format!(
                "<h2>Mean speedup over the blocks ({how})</h2><table><tr><th>scheduler"
            ));
            for n in &workers {
                self.put(format!("<th>P={n}"));
            }
            // The same number as on the terminal and in the plots.
            let greatest = workers.last().copied();
            let shown = report.workers_shown().filter(|_| simulated).or(greatest).unwrap_or(1);
            let plan = if simulated { "<th>plan ns/tx, least and most of 3" } else { "" };
            self.put(format!("<th>runs/tx at P={shown}{plan}<th>result"));
            for name in report.schedulers() {
                let own = || {
                    let rows = report.results.iter().filter(|row| row.simulated == simulated);
                    rows.filter(|row| row.scheduler == name)
                };
                let mut row = format!("<tr><td>{}", escaped(name));
                for &n in &workers {
                    let mean = report.mean(name, n, simulated, |row| row.speedup);
                    let mean = mean.map_or_else(String::new, |mean| format!("{mean:.2}"));
                    let range = range_of(own().filter(|row| row.workers == n));
                    let range = range.map(|range| format!(" ({})", range_cell(Some(range), 2)));
                    _ = write!(row, "<td>{mean}{}", range.unwrap_or_default());
                }
                let mean = |of: fn(&Row) -> Option<f64>| report.mean(name, shown, simulated, of);
                let runs = mean(|row| Some(row.executions_per_tx)).unwrap_or(0.0);
                let plan = mean(|row| row.plan_ns_per_tx);
                let plan = plan.zip(mean(|row| row.plan_ns_per_tx_max));
                let plan = plan.map(|(least, most)| [least, most]);
                let plan =
                    if simulated { format!("<td>{}", range_cell(plan, 0)) } else { String::new() };
                let equal = own().all(|row| row.root_equal);
                let equal = if equal { "equal" } else { "DIFFERENT" };
                _ = write!(row, "<td>{runs:.2}{plan}<td>{equal}");
                self.put(row);
            }
            self.put("</table>");
            let disturbed = if simulated { Vec::new() } else { report.disturbed() };
            let remarks = [report.stand_ins(), disturbed].concat();
            if !remarks.is_empty() {
                self.put(format!("<p>{}</p>", escaped(&remarks.join(" "))));
            }
        }
    }
}
