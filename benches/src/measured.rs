//! Real runs: token transfers in wasm, by the plans of the schedulers, against the serial oracle.

use std::time::Instant;

use kempe_runtime::engine::BlockEnv;
use kempe_runtime::executor::{BlockOutput, Executor, Plan, oracle};
use kempe_runtime::scheduler::{Form, Scheduler, Sequential, lower_bound_of};
use kempe_runtime::types::Prices;

use crate::lab::ratio;
use crate::{Row, TokenBlock, TokenError, TokenWorld, Workload};

const ENV: BlockEnv = BlockEnv { height: 1, time_ms: 1 };

/// Whether the executor runs a scheduler's plans as they are: batches and graphs. The others it would
/// run by the batches that they publish, which would measure something else.
#[must_use]
pub fn is_run_as_planned(scheduler: &dyn Scheduler) -> bool {
    let accesses = kempe_runtime::scheduler::Accesses::default();
    let empty = kempe_runtime::scheduler::Block::new(&accesses, &[], &[], &[]);
    empty.is_ok_and(|empty| {
        matches!(scheduler.plan(&empty, 1).form(), Form::Batches(_) | Form::Graph(_))
    })
}

/// Executes a block of transfers by each scheduler's plan on so many threads, in rounds in which each
/// follows another, beside one thread that runs them in the given order; the median counts.
///
/// Only executing is timed: lists, numbers and plans are made before. Schedulers whose plans the
/// executor does not run as they are are left out.
///
/// # Errors
/// [`TokenError`].
pub fn measure_rows(
    schedulers: &[&dyn Scheduler],
    workload: Workload,
    n_txs: usize,
    n_threads: usize,
    n_rounds: usize,
) -> Result<Vec<Row>, TokenError> {
    let world = TokenWorld::new(workload.n_accounts(n_txs))?;
    let specs =
        workload.transfers(n_txs, 7).map_err(|error| TokenError::Token(error.to_string()))?;
    let block = world.block(&specs);
    let mut alone = world.executor(1)?;
    let mut executor = world.executor(n_threads)?;
    let mut runs = Vec::new();
    for &scheduler in schedulers.iter().filter(|scheduler| is_run_as_planned(**scheduler)) {
        runs.push(Measured::new(scheduler, &world, &block, &executor)?);
    }
    let sequential = Measured::new(&Sequential, &world, &block, &alone)?;
    let mut base_ns = Vec::new();
    // The first round warms up.
    for round in 0..=n_rounds {
        let base = sequential.time(&mut alone, &world, &block)?;
        if round > 0 {
            base_ns.push(base);
        }
        for run in &mut runs {
            let time = run.time(&mut executor, &world, &block)?;
            if round > 0 {
                run.times_ns.push(time);
            }
        }
    }
    let base = median(&mut base_ns);
    let name = format!("token {workload}");
    runs.into_iter()
        .map(|run| run.row(&name, base, n_threads, &mut executor, &world, &block))
        .collect()
}

struct Measured<'a> {
    scheduler: &'a dyn Scheduler,
    plan: Plan,
    times_ns: Vec<u64>,
}

impl<'a> Measured<'a> {
    fn new(
        scheduler: &'a dyn Scheduler,
        world: &TokenWorld,
        block: &TokenBlock,
        executor: &Executor,
    ) -> Result<Self, TokenError> {
        let (txs, state) = (block.txs(), world.state());
        let lists = executor.derive(&txs, &state)?;
        let interned = executor.intern(lists, &txs);
        let plan = Plan::by(interned, scheduler, executor.n_threads())?;
        Ok(Self { scheduler, plan, times_ns: Vec::new() })
    }

    fn run(
        &self,
        executor: &mut Executor,
        world: &TokenWorld,
        block: &TokenBlock,
    ) -> Result<BlockOutput, TokenError> {
        Ok(executor.execute(&block.txs(), &self.plan, &world.state(), ENV)?)
    }

    fn time(
        &self,
        executor: &mut Executor,
        world: &TokenWorld,
        block: &TokenBlock,
    ) -> Result<u64, TokenError> {
        let (txs, state) = (block.txs(), world.state());
        let start = Instant::now();
        let output = executor.execute(&txs, &self.plan, &state, ENV)?;
        let time = start.elapsed();
        drop(output);
        Ok(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }

    fn row(
        mut self,
        workload: &str,
        base_ns: u64,
        n_threads: usize,
        executor: &mut Executor,
        world: &TokenWorld,
        block: &TokenBlock,
    ) -> Result<Row, TokenError> {
        let txs = block.txs();
        let output = self.run(executor, world, block)?;
        let engine = std::sync::Arc::clone(executor.engine());
        let (schedule, state) = (self.plan.schedule(), world.state());
        let expected = executor
            .install(|| oracle::execute(&engine, Prices::default(), &txs, schedule, &state, ENV))?;
        let makespan_ns = median(&mut self.times_ns);
        let spread = spread(&self.times_ns);
        let planned = self.scheduler.plan(&self.plan.interned().block(), n_threads);
        // Transfers cost the same, so the bound in transactions is one in time.
        let block = self.plan.interned().block();
        let steps = lower_bound_of(&planned, &block, n_threads as u64, self.scheduler.mode()).max();
        let n_txs = txs.len() as u64;
        let bound_ns = base_ns.saturating_mul(steps) / n_txs.max(1);
        Ok(Row {
            scheduler: self.scheduler.name().to_owned(),
            workload: workload.to_owned(),
            workers: n_threads,
            simulated: false,
            txs: txs.len(),
            speedup: ratio(base_ns, makespan_ns),
            bound_ratio: ratio(makespan_ns, bound_ns),
            root_equal: output == expected,
            makespan_ns,
            bound_ns,
            tx_per_s: ratio(n_txs * 1_000_000_000, makespan_ns),
            executions_per_tx: 1.0,
            idle: None,
            idle_at_barriers: None,
            latency_ns_p50: None,
            latency_ns_p99: None,
            overtakes_per_tx: None,
            plan_ns_per_tx: None,
            plan_share: None,
            spread,
        })
    }
}

fn median(times: &mut [u64]) -> u64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(0)
}

/// Half the distance between the quartiles, divided by the median.
fn spread(sorted: &[u64]) -> f64 {
    let at = |percent: usize| sorted.get(sorted.len() * percent / 100).copied().unwrap_or(0);
    ratio(at(75).saturating_sub(at(25)) / 2, at(50))
}

#[cfg(test)]
mod tests {
    use kempe_runtime::scheduler::SCHEDULERS;

    use super::*;

    #[test]
    fn every_plan_that_runs_gives_what_the_oracle_gives() {
        for workload in ["uniform:200", "one-hot:50", "zipf:100:120", "pairs"] {
            let workload: Workload = workload.parse().unwrap();
            let rows = measure_rows(&SCHEDULERS, workload, 300, 3, 1).unwrap();
            assert_eq!(rows.len(), 15, "those with batches or a graph");
            for row in rows {
                assert!(row.root_equal && !row.simulated, "{row:?}");
            }
        }
    }
}
