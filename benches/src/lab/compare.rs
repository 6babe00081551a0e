//! What changed between two benches, beyond the noise.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{LabReport, Row};
use crate::measured::is_alike;

/// The least change of a simulated figure that is said: rounding. Ours to choose.
const ROUNDING: f64 = 0.001;
/// The least change of a measured figure that is said, whatever the spread. Ours to choose.
const NOISE_MIN: f64 = 0.02;

/// One figure that changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The scheduler.
    pub scheduler: String,
    /// The block.
    pub workload: String,
    /// The number of workers.
    pub workers: usize,
    /// Whether it was simulated.
    pub simulated: bool,
    /// The speedup before.
    pub before: f64,
    /// The speedup now.
    pub after: f64,
    /// The change as a share of what was before; positive is faster.
    pub change: f64,
    /// What the spread of both explains.
    pub noise: f64,
}

/// Two benches compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// How many figures both have.
    pub n_compared: usize,
    /// How many only the first has.
    pub n_gone: usize,
    /// How many only the second has.
    pub n_new: usize,
    /// How many both have and cannot be compared: the threads were farther apart in one of them (see
    /// [`Row::hop_ns`]).
    pub n_apart: usize,
    /// What changed beyond the noise, the greatest loss first.
    pub changes: Vec<Change>,
    /// What gave the right result before and does not now.
    pub broken: Vec<String>,
}

/// Compares the speedups of the same scheduler, block and workers. A change counts if it exceeds
/// the sum of both spreads.
#[must_use]
pub fn compare(before: &LabReport, after: &LabReport) -> Comparison {
    type Key<'a> = (&'a str, &'a str, usize, bool);
    fn by_key(report: &LabReport) -> BTreeMap<Key<'_>, &Row> {
        let key = |row: &'_ Row| (row.workers, row.simulated);
        let rows = report.results.iter().map(|row| {
            let (workers, simulated) = key(row);
            ((&*row.scheduler, &*row.workload, workers, simulated), row)
        });
        rows.collect()
    }
    let (old, new) = (by_key(before), by_key(after));
    let mut comparison = Comparison {
        n_gone: old.keys().filter(|key| !new.contains_key(*key)).count(),
        n_new: new.keys().filter(|key| !old.contains_key(*key)).count(),
        ..Comparison::default()
    };
    for (key, was) in &old {
        let Some(is) = new.get(key) else { continue };
        if was.root_equal && !is.root_equal {
            let (scheduler, workload, workers, _) = key;
            comparison.broken.push(format!("{scheduler} on {workload}, {workers} workers"));
        }
        if was.hop_ns.zip(is.hop_ns).is_some_and(|(was, is)| !is_alike(was, is)) {
            comparison.n_apart += 1;
            continue;
        }
        comparison.n_compared += 1;
        let change = (is.speedup - was.speedup) / was.speedup.max(f64::MIN_POSITIVE);
        let noise = match is.simulated {
            true => ROUNDING,
            false => (was.spread + is.spread).max(NOISE_MIN),
        };
        if change.abs() > noise {
            comparison.changes.push(Change {
                scheduler: was.scheduler.clone(),
                workload: was.workload.clone(),
                workers: was.workers,
                simulated: was.simulated,
                before: was.speedup,
                after: is.speedup,
                change,
                noise,
            });
        }
    }
    comparison.changes.sort_by(|a, b| a.change.total_cmp(&b.change));
    comparison
}
