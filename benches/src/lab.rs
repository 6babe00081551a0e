//! The scheduler lab: every scheduler on the same blocks, against a proven lower bound.

mod check;
mod compare;
mod contention;
mod html;
mod ladder;
mod machine;
mod pipeline;
mod plots;
mod prediction;
mod report;
mod versions;

pub use check::is_serializable;
pub use compare::{Change, Comparison, compare};
pub use contention::{Contention, HotKey, Together, best_change, contention};
pub use html::html;
pub use ladder::{Rung, ladder};
pub use machine::Machine;
pub use pipeline::{BlockLatency, PipelineCase, PipelineReport};
pub use plots::PlotError;
pub use prediction::Prediction;
use prediction::p95_without_overheads;
pub use report::{BuildTime, Calibrated, LabReport, REPORT_VERSION, Row};
use versions::n_versions;

use kempe_runtime::scheduler::{Form, Plan, Scheduler, lower_bound_of, verify_plan};
use rayon::prelude::*;

use crate::{Input, Model, Overheads, Simulated, planning_time, simulate_as};

/// The schedulers that plots show: one of each kind, as many as colors can be told apart.
pub const SHOWN: [&str; 8] = [
    "layers",
    "color",
    "graph",
    "heaviest-first-graph",
    "versions",
    "block-stm",
    "greedy",
    "values",
];

/// How often a block is planned to find what that costs; the least counts.
const PLANNING_ROUNDS: u32 = 3;

/// Plans a block with a scheduler, checks the plan, and simulates it on each number of workers.
///
/// # Errors
/// A sentence that names scheduler, block and fault, if the plan is illegal: the transactions and the
/// key are in it.
pub fn simulate_rows(
    scheduler: &dyn Scheduler,
    input: &Input,
    workers: &[usize],
) -> Result<Vec<Row>, String> {
    let block = input.block();
    let name = scheduler.name();
    let n_txs = input.n_txs().max(1);
    let plan = planning_time(scheduler, &block, 8, PLANNING_ROUNDS);
    let (plan_ns, plan_ns_max) = (plan.min_ns, plan.max_ns);
    let total = input.costs().iter().copied().fold(0, u64::saturating_add);
    let stand_in = scheduler.stand_in(&block).map(|other| other.name().to_owned());
    // What is timed was done alone; the rest takes all cores.
    let rows = workers.par_iter().with_max_len(1).map(|&n_workers| {
        let plan = scheduler.plan(&block, n_workers);
        verify_plan(&plan, &block, scheduler.mode()).map_err(|error| {
            let key = error.slot().map(|slot| format!(" (key {})", input.key_name(slot)));
            format!("{name} on {}: {error}{}", input.name(), key.unwrap_or_default())
        })?;
        let (run, root_equal) = simulated(&plan, input, n_workers);
        let bound = lower_bound_of(&plan, &block, n_workers as u64, scheduler.mode()).max();
        let latencies = run.latencies();
        Ok(Row {
            scheduler: name.to_owned(),
            stand_in: stand_in.clone(),
            workload: input.name().to_owned(),
            workers: n_workers,
            simulated: true,
            txs: input.n_txs(),
            speedup: ratio(total, run.makespan),
            speedup_with_overheads: None,
            bound_ratio: ratio(run.makespan, bound),
            root_equal,
            makespan_ns: run.makespan,
            bound_ns: bound,
            tx_per_s: ratio(n_txs as u64 * 1_000_000_000, run.makespan),
            executions_per_tx: ratio(run.n_executions() as u64, n_txs as u64),
            cpu_ns_per_tx: None,
            idle: Some(ratio(
                (run.makespan * n_workers as u64).saturating_sub(busy(&run)),
                run.makespan * n_workers as u64,
            )),
            idle_at_barriers: matches!(plan.form(), Form::Batches(_))
                .then(|| ratio(run.idle_at_barriers, run.makespan * n_workers as u64)),
            handovers_per_tx: Some(ratio(run.handovers, n_txs as u64)),
            versions_per_tx: n_versions(&plan, input).map(|n| ratio(n, n_txs as u64)),
            false_dependencies_per_tx: (input.calls().is_none())
                .then(|| ratio(input.n_untouched() as u64, n_txs as u64)),
            latency_ns_p50: Some(percentile(&latencies, 50)),
            latency_ns_p99: Some(percentile(&latencies, 99)),
            overtakes_per_tx: Some(ratio(overtakes(plan.order()), n_txs as u64)),
            plan_ns_per_tx: Some(ratio(plan_ns, n_txs as u64)),
            plan_share: Some(ratio(plan_ns, plan_ns + run.makespan)),
            predicted_ns: None,
            spread: 0.0,
            hop_ns: None,
            rounds: None,
            settled: None,
            overheads_settled: None,
            speedup_min: None,
            speedup_max: None,
            plan_ns_per_tx_max: Some(ratio(plan_ns_max, n_txs as u64)),
        })
    });
    rows.collect::<Vec<_>>().into_iter().collect()
}

/// Runs a plan of a block as the rows say, without overheads; and whether the result is that of its order.
fn simulated(plan: &Plan, input: &Input, n_workers: usize) -> (Simulated, bool) {
    let block = input.block();
    // What a transaction only declares, or would have done if it had not failed, nobody had to wait for who did not
    // know the lists.
    let is_touched = |tx, at| input.touches(tx, at);
    let is_done = |tx, at| input.does(tx, at);
    let model = Model { is_done: &is_done, is_touched: &is_touched, ..Model::default() };
    let run = simulate_as(plan, &block, n_workers, Overheads::default(), model);
    let is_equal = is_serializable(plan, &block, model, &run);
    (run, is_equal)
}

/// The speedup of a block with a scheduler's overheads, in nanoseconds, where the block takes `base_ns` on one thread.
///
/// # Panics
/// If the scheduler's plan is illegal.
#[must_use]
pub fn speedup_with_overheads(
    scheduler: &dyn Scheduler,
    input: &Input,
    n_workers: usize,
    overheads: Overheads,
    base_ns: u64,
) -> f64 {
    let block = input.block();
    let total = input.costs().iter().copied().fold(0, u64::saturating_add);
    let of_costs = |ns: u64| {
        let cost = u128::from(ns) * u128::from(total) / u128::from(base_ns.max(1));
        u64::try_from(cost).unwrap_or(u64::MAX)
    };
    let plan = scheduler.plan(&block, n_workers);
    let is_record = |tx, at: usize| input.is_record(input.accesses().of(tx)[at].slot);
    let is_touched = |tx, at| input.touches(tx, at) && !is_record(tx, at);
    let is_done = |tx, at| input.does(tx, at);
    let model = Model {
        is_done: &is_done,
        is_touched: &is_touched,
        reads_at_start: true,
        ..Model::default()
    };
    let run = simulate_as(&plan, &block, n_workers, overheads.map(of_costs), model);
    ratio(total, run.makespan)
}

/// How long each execution took, added up.
fn busy(run: &Simulated) -> u64 {
    run.spans.iter().map(|span| span.end - span.start).sum()
}

/// The least value that so many percent do not exceed.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or(0)
}

/// How many pairs of transactions the published order has turned around: who was sent later comes
/// first. Counted with a Fenwick tree, O(txs log txs).
fn overtakes(order: &[u32]) -> u64 {
    let mut tree = vec![0u64; order.len() + 1];
    let mut turned = 0;
    for (seen, &tx) in (0u64..).zip(order) {
        let mut lower = 0;
        let mut at = tx as usize;
        while at > 0 {
            lower += tree[at];
            at &= at - 1;
        }
        turned += seen - lower;
        let mut at = tx as usize + 1;
        while at < tree.len() {
            tree[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
    turned
}

/// A quotient with four digits; 1 where nothing is divided by nothing.
#[expect(clippy::cast_precision_loss, reason = "a ratio needs four digits")]
pub(crate) fn ratio(a: u64, b: u64) -> f64 {
    if b == 0 {
        return if a == 0 { 1.0 } else { 0.0 };
    }
    (a as f64 / b as f64 * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests;
