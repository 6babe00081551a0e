//! `kempe bench compare`: what changed between two benches.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use kempe_bench::{Change, Comparison, LabReport, REPORT_VERSION, compare};

use crate::abi_view::printable;
use crate::measure::plural;
use crate::output::{Exit, Failure, Output};
use crate::session::read_capped;

/// The largest report that is read; one of all schedulers on 20 blocks has 2 MiB.
const REPORT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// How many runs are named that only one of the two has.
const NAMED_MAX: usize = 5;

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
            let message = format!("a result of the second bench is wrong: {first}");
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
    let Comparison {
        n_compared,
        n_gone,
        n_new,
        only,
        commits,
        p95,
        n_apart,
        n_unsettled,
        machines,
        changes,
        broken,
    } = comparison;
    let [before, after] = commits
        .each_ref()
        .map(|commit| printable(commit.as_deref().unwrap_or("an unknown commit")));
    let mut lines = vec![format!(
        "{} compared, {} changed beyond the noise from {before} to {after}",
        plural(*n_compared as u64, "run"),
        plural(changes.len() as u64, "figure")
    )];
    for (n, only, what) in [(*n_gone, &only[0], "gone"), (*n_new, &only[1], "new")] {
        if n > 0 {
            let are = if n == 1 { "is" } else { "are" };
            lines.push(format!("{} {are} {what}: {}", plural(n as u64, "run"), some_of(only)));
        }
    }
    if let Some([before, after]) = p95 {
        lines.push(format!(
            "95 of 100 predictions were within {:.1} % before, and {:.1} % after",
            before * 100.0,
            after * 100.0
        ));
    }
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
    lines.extend(changes.iter().take(SHOWN_MAX).map(line));
    if let Some(more) = changes.len().checked_sub(SHOWN_MAX).filter(|&more| more > 0) {
        lines.push(format!("... and {more} more: --json shows all"));
    }
    lines.extend(broken.iter().map(|what| format!("WRONG: {}", printable(what))));
    lines.join("\n")
}

/// A change as a line.
fn line(change: &Change) -> String {
    let how = if change.simulated { "simulated" } else { "measured" };
    let workers = change.workers.map_or(String::new(), |n| format!("{n:>3} workers"));
    let percent = match change.change {
        size if size.is_finite() && change.is_of_shares() => {
            format!("{:+7.1} points", size * 100.0)
        }
        size if size.is_finite() => format!("{:+7.1} %", size * 100.0),
        _ => "   from 0".to_owned(),
    };
    format!(
        "{percent}  {:22} {workers:11}  {} {:.2} -> {:.2}  ({how}, noise {:.1} %)  {}",
        printable(&change.scheduler),
        change.figure,
        change.before,
        change.after,
        change.noise * 100.0,
        printable(&change.workload)
    )
}

/// The first of some names.
fn some_of(names: &BTreeSet<String>) -> String {
    let mut some: Vec<_> = names.iter().take(NAMED_MAX).map(|name| printable(name)).collect();
    if let Some(more) = names.len().checked_sub(NAMED_MAX).filter(|&more| more > 0) {
        some.push(format!("and {more} more, which --json shows"));
    }
    some.join("; ")
}
