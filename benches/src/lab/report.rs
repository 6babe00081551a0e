//! What a bench found, for scripts and for people.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::html::counted;
use super::{Machine, Rung, SHOWN};
use crate::Overheads;

/// The version of the form of [`LabReport`]: it grows when a field changes its meaning.
pub const REPORT_VERSION: u32 = 3;

/// A scheduler on a block with so many workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The scheduler.
    pub scheduler: String,
    /// Who made the plan in its place, because the block is too large for it.
    #[serde(default)]
    pub stand_in: Option<String>,
    /// The block.
    pub workload: String,
    /// The number of workers.
    pub workers: usize,
    /// Whether the run was simulated; otherwise it was measured.
    pub simulated: bool,
    /// How many transactions.
    pub txs: usize,
    /// The time that one worker needs without a scheduler, divided by the makespan.
    pub speedup: f64,
    /// The speedup with the overheads that were measured for the scheduler on this block, each further worker slowing the others
    /// as much as the second does; none where the block did not run or the row was measured.
    #[serde(default)]
    pub speedup_with_overheads: Option<f64>,
    /// The makespan divided by the lower bound for what the scheduler is free to do.
    pub bound_ratio: f64,
    /// Whether the result is that of the published order, one by one: the state root of a measured
    /// run, what every key holds after a simulated one.
    pub root_equal: bool,
    /// From the first start to the last end.
    pub makespan_ns: u64,
    /// What no plan of that freedom can beat.
    pub bound_ns: u64,
    /// Transactions in a second.
    pub tx_per_s: f64,
    /// How often a transaction ran on average.
    pub executions_per_tx: f64,
    /// Nanoseconds of processors that a transaction of a measured run took, those of workers that waited
    /// included; none where the row is simulated.
    #[serde(default)]
    pub cpu_ns_per_tx: Option<f64>,
    /// The share of the workers' time in which they did nothing. This and the next seven are found by the
    /// simulator, and none where the run was measured.
    pub idle: Option<f64>,
    /// The share of the workers' time that they waited at barriers; none where the plan has no batches, as those of `stages`, whose stages end in a graph.
    pub idle_at_barriers: Option<f64>,
    /// How many transactions of a graph started on another worker than the one that set them free, on average.
    #[serde(default)]
    pub handovers_per_tx: Option<f64>,
    /// How many versions of keys a plan keeps until the block ends, on average; none where each key has one value, and where the row was
    /// measured.
    #[serde(default)]
    pub versions_per_tx: Option<f64>,
    /// How many accesses a transaction declares and does not make, on average, for which others may wait in vain; none where that is not known, as of
    /// calls, and where the row was measured.
    #[serde(default)]
    pub false_dependencies_per_tx: Option<f64>,
    /// When half of the transactions were done.
    pub latency_ns_p50: Option<u64>,
    /// When 99 of 100 transactions were done.
    pub latency_ns_p99: Option<u64>,
    /// How many transactions that were sent later come first in the published order, on average.
    pub overtakes_per_tx: Option<f64>,
    /// What planning cost, in nanoseconds of a processor for each transaction.
    pub plan_ns_per_tx: Option<f64>,
    /// Planning as a share of planning and running.
    pub plan_share: Option<f64>,
    /// The makespan that the simulator predicts for a measured run, from what the transactions took on one
    /// thread; none where the row is simulated itself.
    #[serde(default)]
    pub predicted_ns: Option<u64>,
    /// How far the three fastest repeats are apart, divided by the fastest; 0 where simulated, because a simulation repeats
    /// exactly.
    pub spread: f64,
    /// How far the threads of a measured run were apart: nanoseconds until one saw what another wrote, measured just
    /// before the last time; none where that was not the same just after, in two tries, and where the row is simulated. From 1,000 on
    /// they did not run at the same time.
    #[serde(default)]
    pub hop_ns: Option<u64>,
    /// How often a measured plan ran; none where it is simulated.
    #[serde(default)]
    pub rounds: Option<usize>,
    /// Whether the fastest runs of a measured plan were alike, and so were those on one thread; if not, something
    /// disturbed all but a few of them. None where the row is simulated.
    #[serde(default)]
    pub settled: Option<bool>,
    /// Whether that was so for half of the runs by which the overheads were found that the prediction takes. None where the
    /// row is simulated.
    #[serde(default)]
    pub overheads_settled: Option<bool>,
    /// The speedup that the slowest run of a measured plan would be; none where it is simulated.
    #[serde(default)]
    pub speedup_min: Option<f64>,
    /// That of the fastest run.
    #[serde(default)]
    pub speedup_max: Option<f64>,
    /// What planning cost when it took longest: `plan_ns_per_tx` is the least of three.
    #[serde(default)]
    pub plan_ns_per_tx_max: Option<f64>,
}

/// What planning a block of so many transactions costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildTime {
    /// The scheduler.
    pub scheduler: String,
    /// The block.
    pub workload: String,
    /// How many transactions.
    pub txs: usize,
    /// Nanoseconds of a processor for each: the least of three.
    pub ns_per_tx: f64,
    /// The greatest of them.
    #[serde(default)]
    pub ns_per_tx_max: Option<f64>,
}

/// What the prediction of a measured run takes for what running a scheduler's plans costs beside the transactions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibrated {
    /// The scheduler.
    pub scheduler: String,
    /// The block that ran.
    #[serde(default)]
    pub workload: String,
    /// How many of the runs by which it was found settled, in thousandths.
    #[serde(default)]
    pub settled_permille: u64,
    /// Nanoseconds until one thread saw what another wrote when it was found; none where that changed meanwhile.
    #[serde(default)]
    pub hop_ns: Option<u64>,
    /// The transactions of the blocks on which it was found.
    #[serde(default)]
    pub block_txs: u64,
    /// What was found.
    #[serde(flatten)]
    pub overheads: Overheads,
}

/// Everything that a bench found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LabReport {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// Where it ran.
    pub machine: Machine,
    /// How it was found, in sentences.
    pub method: Vec<String>,
    /// How often each measurement was repeated at least.
    pub repeats: u32,
    /// Schedulers on blocks.
    pub results: Vec<Row>,
    /// What the predictions of the measured runs take as overheads.
    #[serde(default)]
    pub overheads: Vec<Calibrated>,
    /// What planning costs as blocks grow.
    pub build_times: Vec<BuildTime>,
    /// What each model of conflicts permits.
    pub ladder: Vec<Rung>,
}

impl LabReport {
    /// The mean of a figure over the workloads, for a scheduler on so many workers; `None` if there
    /// are none.
    #[must_use]
    pub fn mean<F: Into<Option<f64>>>(
        &self,
        scheduler: &str,
        workers: usize,
        simulated: bool,
        figure: impl Fn(&Row) -> F,
    ) -> Option<f64> {
        let is_meant = |row: &&Row| {
            row.scheduler == scheduler && row.workers == workers && row.simulated == simulated
        };
        let found: Vec<f64> =
            self.results.iter().filter(is_meant).filter_map(|row| figure(row).into()).collect();
        #[expect(clippy::cast_precision_loss, reason = "there are few workloads")]
        let n = found.len() as f64;
        (n > 0.0).then(|| found.iter().sum::<f64>() / n)
    }

    /// The schedulers, in the order in which they were run.
    #[must_use]
    pub fn schedulers(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for row in &self.results {
            if !names.contains(&&*row.scheduler) {
                names.push(&row.scheduler);
            }
        }
        names
    }

    /// The schedulers that plots show: those of [`SHOWN`] that were run, and others as long as colors can be told apart.
    #[must_use]
    pub fn schedulers_shown(&self) -> Vec<&str> {
        let all = self.schedulers();
        let known = SHOWN.into_iter().filter(|name| all.contains(name));
        let others = all.iter().copied().filter(|name| !SHOWN.contains(name));
        known.chain(others).take(SHOWN.len()).collect()
    }

    /// For each scheduler that left blocks to another one, because they are too large for it, a sentence that says so.
    #[must_use]
    pub fn stand_ins(&self) -> Vec<String> {
        let mut found = BTreeMap::<(&str, &str), BTreeSet<&str>>::new();
        for row in &self.results {
            if let Some(other) = &row.stand_in {
                found.entry((&row.scheduler, other)).or_default().insert(&row.workload);
            }
        }
        let sentence = |((name, other), blocks): ((&str, &str), BTreeSet<&str>)| {
            let (n, are) =
                (blocks.len(), if blocks.len() == 1 { "block that is" } else { "blocks that are" });
            format!("{name} is {other} on {n} {are} too large for it.")
        };
        found.into_iter().map(sentence).collect()
    }

    /// Where the fastest times of measured runs were not alike, or the processors were not always as far apart while a block
    /// ran, a sentence for each that says how many.
    #[must_use]
    pub fn disturbed(&self) -> Vec<String> {
        let measured = || self.results.iter().filter(|row| !row.simulated);
        let unsettled = measured().filter(|row| row.settled == Some(false)).count();
        let moved: BTreeSet<&str> =
            measured().filter(|row| row.hop_ns.is_none()).map(|row| &*row.workload).collect();
        let unsettled = (unsettled > 0).then(|| {
            let of = counted(measured().count(), "measured run");
            format!(
                "{unsettled} of {of} did not settle: the three fastest, or those on one thread, were not alike, \
                 or none began while the processors ran at full speed. Their times say little."
            )
        });
        let of_overheads = measured().filter(|row| row.overheads_settled == Some(false)).count();
        let of_overheads = (of_overheads > 0).then(|| {
            let of = counted(of_overheads, "prediction");
            format!("{of} took overheads of which more than half did not settle.")
        });
        let moved = (!moved.is_empty()).then(|| {
            let blocks = counted(moved.len(), "block");
            format!(
                "While {blocks} ran the processors moved: what threads share took longer or less."
            )
        });
        unsettled.into_iter().chain(of_overheads).chain(moved).collect()
    }

    /// The number of simulated workers for which a figure stands that is given for one number only: the least from 8 on,
    /// or the greatest if there is none. `None` if nothing was simulated.
    #[must_use]
    pub fn workers_shown(&self) -> Option<usize> {
        let workers = self.workers(true);
        workers.iter().copied().find(|&n| n >= 8).or_else(|| workers.last().copied())
    }

    /// The numbers of workers, ascending.
    #[must_use]
    pub fn workers(&self, simulated: bool) -> Vec<usize> {
        let rows = self.results.iter().filter(|row| row.simulated == simulated);
        let mut workers: Vec<usize> = rows.map(|row| row.workers).collect();
        workers.sort_unstable();
        workers.dedup();
        workers
    }
}
