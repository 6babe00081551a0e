//! What changed between two benches, beyond the noise.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{LabReport, Prediction, Row};
use crate::measured::is_alike;

/// The least change of a simulated figure that is said: rounding. Ours to choose.
const ROUNDING: f64 = 0.001;
/// The least change of a measured figure that is said, whatever the spread: between two benches of the same build on
/// the same machine 98 of 100 speedups changed less (2-core EPYC that others use too).
const NOISE_MIN: f64 = 0.1;
/// The least change of the time that planning takes which is said: it is the least of three.
const PLANNING_NOISE: f64 = 0.5;

/// One figure that changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The scheduler.
    pub scheduler: String,
    /// The block.
    pub workload: String,
    /// The number of workers; none where planning was measured.
    pub workers: Option<usize>,
    /// Whether it was simulated.
    pub simulated: bool,
    /// Which figure: the name of a field of [`Row`], or `build_ns_per_tx`.
    pub figure: &'static str,
    /// The figure before.
    pub before: f64,
    /// The figure now.
    pub after: f64,
    /// The change as a share of what was before: infinite from 0, which is null in JSON. Of a share of time, idle, the
    /// difference.
    pub change: f64,
    /// What the spread of both explains.
    pub noise: f64,
}

impl Change {
    /// Whether it is a difference of shares, not a share of what was before.
    #[must_use]
    pub fn is_of_shares(&self) -> bool {
        self.figure.starts_with("idle")
    }

    /// The change where more is better, and its opposite where less is.
    fn gain(&self) -> f64 {
        if self.figure == "speedup" { self.change } else { -self.change }
    }
}

/// Two benches compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// How many runs both have.
    pub n_compared: usize,
    /// How many only the first has.
    pub n_gone: usize,
    /// How many only the second has.
    pub n_new: usize,
    /// Which schedulers on which blocks those are of, that only the first has, or that only the second has.
    pub only: [BTreeSet<String>; 2],
    /// The commits of both, as far as known.
    pub commits: [Option<String>; 2],
    /// What the absolute error of 95 of 100 predictions does not exceed in both, where both have some.
    pub p95: Option<[f64; 2]>,
    /// How many both have and cannot be compared: the threads were farther apart in one of them (see
    /// [`Row::hop_ns`]).
    pub n_apart: usize,
    /// How many both have and cannot be compared: one of them did not settle (see [`Row::settled`]).
    pub n_unsettled: usize,
    /// The processors and cores of both, if they are not the same.
    pub machines: Option<[String; 2]>,
    /// What changed beyond the noise, the greatest loss first.
    pub changes: Vec<Change>,
    /// What gave another result than it must in the second, whatever it gave in the first.
    pub broken: Vec<String>,
}

/// A scheduler on a block of so many transactions with so many workers, really or simulated.
type Key<'a> = (&'a str, &'a str, usize, usize, bool);

/// Compares the figures of the same scheduler, block and workers. A change counts if it exceeds the sum of both
/// spreads, and what such figures change by themselves.
#[must_use]
pub fn compare(before: &LabReport, after: &LabReport) -> Comparison {
    let (old, new) = (by_key(before), by_key(after));
    let machines = [before, after]
        .map(|report| format!("{}, {} cores", report.machine.processor, report.machine.cores));
    let [gone, added] = [(&old, &new), (&new, &old)]
        .map(|(of, other)| of.keys().filter(|key| !other.contains_key(*key)).collect::<Vec<_>>());
    let p95 = |report: &LabReport| Prediction::all(report).first().map(|all| all.p95);
    let is_wrong = new.iter().filter(|(_, row)| !row.root_equal);
    let mut comparison = Comparison {
        n_gone: gone.len(),
        n_new: added.len(),
        only: [gone, added].map(|keys| keys.into_iter().map(named).collect()),
        commits: [before, after].map(|report| report.machine.commit.clone()),
        p95: p95(before).zip(p95(after)).map(|(before, after)| [before, after]),
        broken: is_wrong.map(|(key, _)| format!("{}, {} workers", named(key), key.3)).collect(),
        machines: Some(machines).filter(|[before, after]| before != after),
        ..Comparison::default()
    };
    for (key, was) in &old {
        let Some(is) = new.get(key) else { continue };
        if was.hop_ns.zip(is.hop_ns).is_some_and(|(was, is)| !is_alike(was, is)) {
            comparison.n_apart += 1;
            continue;
        }
        if [was, is].iter().any(|row| row.settled == Some(false)) {
            comparison.n_unsettled += 1;
            continue;
        }
        comparison.n_compared += 1;
        comparison.changes.extend(changes(was, is));
    }
    comparison.changes.extend(plans(&old, &new));
    comparison.changes.extend(build_times(before, after));
    comparison.changes.sort_by(|a, b| a.gain().total_cmp(&b.gain()));
    comparison
}

fn named((scheduler, workload, ..): &Key<'_>) -> String {
    format!("{scheduler} on {workload}")
}

fn by_key(report: &LabReport) -> BTreeMap<Key<'_>, &Row> {
    let rows = report
        .results
        .iter()
        .map(|row| ((&*row.scheduler, &*row.workload, row.txs, row.workers, row.simulated), row));
    rows.collect()
}

/// How a row has a figure, what it changes by itself, and how two are compared.
type Figure = (fn(&Row) -> f64, f64, fn(f64, f64) -> f64);

/// What changed of a run.
fn changes(was: &Row, is: &Row) -> Vec<Change> {
    let measured = (was.spread + is.spread).max(NOISE_MIN);
    let by_share: fn(f64, f64) -> f64 = relative;
    let by_difference: fn(f64, f64) -> f64 = |before, after| after - before;
    let exact = |of: fn(&Row) -> f64| -> Option<Figure> {
        was.simulated.then_some((of, ROUNDING, by_share))
    };
    let share = |of: fn(&Row) -> f64| -> Option<Figure> {
        was.simulated.then_some((of, ROUNDING, by_difference))
    };
    let some = |of: fn(&Row) -> f64, noise| -> Option<Figure> { Some((of, noise, by_share)) };
    let noise = |of_measured| if was.simulated { ROUNDING } else { of_measured };
    #[expect(clippy::cast_precision_loss, reason = "a makespan has fewer than 53 bits")]
    let figures: [(&str, Option<Figure>); 14] = [
        ("speedup", some(|row| row.speedup, noise(measured))),
        ("makespan_ns", exact(|row| row.makespan_ns as f64)),
        ("bound_ratio", exact(|row| row.bound_ratio)),
        ("bound_ns", exact(|row| row.bound_ns as f64)),
        ("latency_ns_p50", exact(|row| row.latency_ns_p50.unwrap_or(0) as f64)),
        ("handovers_per_tx", exact(|row| row.handovers_per_tx.unwrap_or(0.0))),
        ("versions_per_tx", exact(|row| row.versions_per_tx.unwrap_or(0.0))),
        ("false_dependencies_per_tx", exact(|row| row.false_dependencies_per_tx.unwrap_or(0.0))),
        ("latency_ns_p99", exact(|row| row.latency_ns_p99.unwrap_or(0) as f64)),
        ("idle", share(|row| row.idle.unwrap_or(0.0))),
        ("idle_at_barriers", share(|row| row.idle_at_barriers.unwrap_or(0.0))),
        ("overtakes_per_tx", exact(|row| row.overtakes_per_tx.unwrap_or(0.0))),
        (
            "cpu_ns_per_tx",
            some(|row| row.cpu_ns_per_tx.unwrap_or(0.0), measured).filter(|_| !was.simulated),
        ),
        ("executions_per_tx", some(|row| row.executions_per_tx, noise(NOISE_MIN))),
    ];
    let changed = figures.into_iter().filter_map(|(figure, how)| {
        let (of, noise, compared) = how?;
        let (before, after) = (of(was), of(is));
        let change = Some(compared(before, after)).filter(|change| change.abs() > noise)?;
        let (scheduler, workload) = (was.scheduler.clone(), was.workload.clone());
        let (workers, simulated) = (Some(was.workers), was.simulated);
        Some(Change {
            scheduler,
            workload,
            workers,
            simulated,
            figure,
            before,
            after,
            change,
            noise,
        })
    });
    changed.collect()
}

/// What changed of the time that planning a block takes, which is measured once for all numbers of workers.
fn plans(old: &BTreeMap<Key<'_>, &Row>, new: &BTreeMap<Key<'_>, &Row>) -> Vec<Change> {
    let mut seen = BTreeSet::new();
    let changed = old.iter().filter_map(|(key, was)| {
        let ns = |row: &Row| row.plan_ns_per_tx;
        let (before, after) = (ns(was)?, ns(new.get(key)?)?);
        let change = relative(before, after);
        let is_first = seen.insert((key.0, key.1, key.2));
        (is_first && change.abs() > PLANNING_NOISE).then(|| Change {
            scheduler: was.scheduler.clone(),
            workload: was.workload.clone(),
            workers: None,
            simulated: false,
            figure: "plan_ns_per_tx",
            before,
            after,
            change,
            noise: PLANNING_NOISE,
        })
    });
    changed.collect()
}

/// What changed of the time that planning takes as blocks grow.
fn build_times(before: &LabReport, after: &LabReport) -> Vec<Change> {
    let changed = before.build_times.iter().filter_map(|was| {
        let same = |is: &&super::BuildTime| {
            (&is.scheduler, &is.workload, is.txs) == (&was.scheduler, &was.workload, was.txs)
        };
        let is = after.build_times.iter().find(same)?;
        let change = relative(was.ns_per_tx, is.ns_per_tx);
        (change.abs() > PLANNING_NOISE).then(|| Change {
            scheduler: was.scheduler.clone(),
            workload: format!("{}, txs={}", was.workload, was.txs),
            workers: None,
            simulated: false,
            figure: "build_ns_per_tx",
            before: was.ns_per_tx,
            after: is.ns_per_tx,
            change,
            noise: PLANNING_NOISE,
        })
    });
    changed.collect()
}

/// The change as a share of what was before; infinite from nothing.
fn relative(before: f64, after: f64) -> f64 {
    if before == after { 0.0 } else { (after - before) / before }
}
