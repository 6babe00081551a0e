//! `kempe bench compare`: what changed between two benches.

use std::path::Path;

use anyhow::Context;
use kempe_bench::{Comparison, LabReport, REPORT_VERSION, compare};

use crate::abi_view::printable;
use crate::output::{Exit, Failure, Output};
use crate::session::read_capped;

/// The largest report that is read; one of all schedulers on 20 blocks has 2 MiB.
const REPORT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// How many changes are shown as text.
const SHOWN_MAX: usize = 30;

pub(super) fn run(before: &Path, after: &Path, output: &Output) -> Result<(), Failure> {
    let comparison = compare(&read(before)?, &read(after)?);
    if comparison.n_compared + comparison.n_apart == 0 {
        let (before, after) = (before.display(), after.display());
        let message = format!("{before} and {after} have no run in common");
        return Err(Failure::new(Exit::Failed, message)
            .with_help("a run is the same scheduler on the same block with as many workers"));
    }
    output.result(text(&comparison), &comparison)?;
    match comparison.broken.first() {
        None => Ok(()),
        Some(first) => {
            let first = printable(first);
            let message = format!("a result that was right before is wrong now: {first}");
            Err(Failure::new(Exit::Failed, message))
        }
    }
}

fn read(path: &Path) -> Result<LabReport, Failure> {
    let text = read_capped(path, REPORT_BYTES_MAX)?;
    let report: LabReport = serde_json::from_slice(&text)
        .with_context(|| format!("{} is not what `kempe bench --out` writes", path.display()))?;
    if report.version != REPORT_VERSION {
        let found = report.version;
        let message = format!("{} has version={found}, not {REPORT_VERSION}", path.display());
        return Err(Failure::new(Exit::Failed, message));
    }
    Ok(report)
}

fn text(comparison: &Comparison) -> String {
    let Comparison { n_compared, n_gone, n_new, n_apart, n_unsettled, machines, changes, broken } =
        comparison;
    let mut lines = vec![format!(
        "{n_compared} runs compared, {} figures changed beyond the noise; {n_gone} runs are gone, {n_new} are new",
        changes.len()
    )];
    if *n_apart > 0 {
        lines.push(format!(
            "{n_apart} were not compared: the threads were farther apart in one of the benches (hop_ns)"
        ));
    }
    if *n_unsettled > 0 {
        lines.push(format!("{n_unsettled} were not compared: one of the two did not settle"));
    }
    if let Some([before, after]) = machines {
        lines.push(format!(
            "the machines differ, and with them what was measured: {}; {}",
            printable(before),
            printable(after)
        ));
    }
    for change in changes.iter().take(SHOWN_MAX) {
        let how = if change.simulated { "simulated" } else { "measured" };
        let workers = change.workers.map_or(String::new(), |n| format!("{n:>3} workers"));
        let percent = match change.change {
            size if size.is_finite() => format!("{:+7.1} %", size * 100.0),
            _ => "   from 0".to_owned(),
        };
        lines.push(format!(
            "{percent}  {:22} {workers:11}  {} {:.2} -> {:.2}  ({how}, noise {:.1} %)  {}",
            printable(&change.scheduler),
            change.figure,
            change.before,
            change.after,
            change.noise * 100.0,
            printable(&change.workload)
        ));
    }
    if let Some(more) = changes.len().checked_sub(SHOWN_MAX).filter(|&more| more > 0) {
        lines.push(format!("... and {more} more: --json shows all"));
    }
    lines.extend(broken.iter().map(|what| format!("WRONG NOW: {}", printable(what))));
    lines.join("\n")
}
