//! How well the simulator predicts real runs.

use serde::{Deserialize, Serialize};

use super::{LabReport, Row};

/// The simulator's signed error over measured runs: predicted makespan divided by measured, less one. What is
/// negative was predicted too fast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The scheduler whose runs these are; none if they are those of all.
    pub scheduler: Option<String>,
    /// How many runs.
    pub runs: usize,
    /// How many of them settled: see [`Row::settled`].
    #[serde(default)]
    pub settled: usize,
    /// What the absolute error of 95 of 100 does not exceed of those that settled, as did the overheads that their predictions take; none if these are less than half of the runs.
    #[serde(default)]
    pub p95_settled: Option<f64>,
    /// The error in the middle.
    pub median: f64,
    /// What the absolute error of 95 of 100 of all runs does not exceed.
    pub p95: f64,
    /// The error that is farthest from zero.
    pub worst: f64,
    /// The block of that run.
    pub worst_workload: String,
}

impl Prediction {
    /// `None` if there is no measured run.
    fn of<'a>(scheduler: Option<&str>, rows: impl Iterator<Item = &'a Row>) -> Option<Self> {
        let mut errors: Vec<(f64, &Row)> =
            rows.filter_map(|row| Some((row.prediction_error()?, row))).collect();
        errors.sort_by(|a, b| a.0.total_cmp(&b.0));
        let median = errors.get(errors.len() / 2)?.0;
        errors.sort_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
        let (worst, row) = errors.last()?;
        let settled: Vec<f64> = errors
            .iter()
            .filter(|(_, row)| row.settled != Some(false) && row.overheads_settled != Some(false))
            .map(|(error, _)| error.abs())
            .collect();
        let is_enough = 2 * settled.len() >= errors.len();
        Some(Self {
            scheduler: scheduler.map(str::to_owned),
            runs: errors.len(),
            settled: errors.iter().filter(|(_, row)| row.settled != Some(false)).count(),
            p95_settled: is_enough.then(|| settled[at_p95(settled.len())]),
            median,
            p95: errors[at_p95(errors.len())].0.abs(),
            worst: *worst,
            worst_workload: row.workload.clone(),
        })
    }

    /// Those of all runs, and of each scheduler that has some.
    #[must_use]
    pub fn all(report: &LabReport) -> Vec<Self> {
        let measured = || report.results.iter().filter(|row| !row.simulated);
        let of = |name| Self::of(Some(name), measured().filter(|row| row.scheduler == name));
        let each = report.schedulers().into_iter().filter_map(of);
        Self::of(None, measured()).into_iter().chain(each).collect()
    }
}

/// The place, of so many in ascending order, which 95 of 100 do not exceed.
fn at_p95(n: usize) -> usize {
    (n * 95).div_ceil(100).saturating_sub(1)
}

/// What the absolute error of 95 of 100 measured runs does not exceed if the simulator takes nothing for overheads, as
/// in the rows that are simulated and in the plots of them; `None` if no measured run has such a row.
pub(super) fn p95_without_overheads(report: &LabReport) -> Option<f64> {
    let key = |row: &Row| (row.scheduler.clone(), row.workload.clone(), row.workers);
    let simulated = report.results.iter().filter(|row| row.simulated);
    let speedups: std::collections::BTreeMap<_, f64> =
        simulated.map(|row| (key(row), row.speedup)).collect();
    let measured = report.results.iter().filter(|row| !row.simulated);
    let mut errors: Vec<f64> = measured
        .filter_map(|row| Some((row.speedup / speedups.get(&key(row))? - 1.0).abs()))
        .collect();
    errors.sort_by(f64::total_cmp);
    errors.get(at_p95(errors.len())).copied()
}

impl Row {
    /// The simulator's error for this run; none if it was not measured.
    #[must_use]
    pub fn prediction_error(&self) -> Option<f64> {
        let predicted = self.predicted_ns.filter(|_| self.makespan_ns > 0)?;
        Some(super::ratio(predicted, self.makespan_ns) - 1.0)
    }
}
