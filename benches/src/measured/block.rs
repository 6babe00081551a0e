//! A block, and how it runs: on one thread, and by the plans of schedulers.

use std::mem;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use kempe_runtime::executor::{BlockOutput, Executor, Interned, Plan, oracle};
use kempe_runtime::scheduler::{self, Graph, Schedule, Scheduler, Sequential, lower_bound_of};
use kempe_runtime::types::{Prices, SYSTEM};
use rayon::prelude::*;

use super::best::{BlockTimes, Times, Took};
use super::quiet::Patience;
use super::{Measure, RealRuns, nanos, pinned, share};
use crate::lab::ratio;
use crate::world::ENV;
use crate::{Input, Model, Overheads, Row, UnsignedBlock, World, WorldError, simulate_as};

/// A block that takes less runs several times in a row each time, until about so much has passed: a few microseconds are
/// noise. Ours to choose.
const TIMED_NS_MIN: u64 = 1_000_000;

/// Of the time that a block has, what it may take to find how long it takes on one thread, once with burning time and once without, and what
/// running its plans may take.
const BASE_PART: (u32, u32) = (1, 8);
const PLANS_PART: (u32, u32) = (3, 4);

/// What moves from one core to another at once, on all machines that it runs on.
const CACHE_LINE_BYTES: usize = 64;

/// A block, and how it runs on one thread.
pub(super) struct Bench<'a> {
    name: String,
    world: &'a World,
    block: &'a UnsignedBlock,
    runs: &'a RealRuns<'a>,
    /// What it took whenever it was measured.
    times: &'a mut BlockTimes,
    /// What it was made of, which says what its transactions do of what they declare; all but reading contracts' records, if none.
    pub(super) input: Option<&'a Input>,
    alone: Executor,
    /// What all plans are made of: with lists of its own each would find them where others have pushed them out of the caches.
    interned: Interned,
    /// One by one in the given order: as a graph, in which what comes next is fetched ahead, and as batches, which
    /// is faster where a graph has to run again. The faster counts.
    plans: [Plan; 2],
    /// How often it runs in a row each time.
    pub(super) n_times: u64,
    /// What came out.
    pub(super) output: BlockOutput,
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        name: String,
        world: &'a World,
        block: &'a UnsignedBlock,
        runs: &'a RealRuns<'a>,
        times: &'a mut BlockTimes,
    ) -> Result<Self, WorldError> {
        let mut alone = pinned(world, 1)?;
        let txs = block.txs();
        let interned = alone.intern(alone.derive(&txs, &world.state())?, &txs)?;
        let plan = |scheduler: &dyn Scheduler| plan(scheduler, 1, &interned, &name, &[]);
        let plans = [plan(&Graph)?, plan(&Sequential)?];
        let output = alone.execute(&block.txs(), &plans[1], &world.state(), ENV)?;
        let mut warm_ns = time(&mut alone, &plans[1], world, block, 1)?;
        for _ in 0..2 {
            if warm_ns < TIMED_NS_MIN {
                warm_ns = warm_ns.min(time(&mut alone, &plans[1], world, block, 1)?);
            }
        }
        let n_times = (TIMED_NS_MIN / warm_ns.max(1000)).max(1);
        let n_times = *times.n_times.get_or_insert(n_times);
        let input = None;
        Ok(Self { name, world, block, runs, times, input, alone, interned, plans, n_times, output })
    }

    /// The time of the block on one thread, in the given order, by the plan that is faster.
    pub(super) fn base(&mut self) -> Result<u64, WorldError> {
        let n_rounds = self.runs.how.n_rounds;
        let (n_before, start) = (self.times.base[0].n(), Instant::now());
        let mut patience = self.runs.patience(self.plans.len(), BASE_PART);
        for round in 0.. {
            let are_settled = || self.times.base.iter().all(|of| of.is_settled(n_rounds));
            if self.runs.is_over([n_before, round], (start, BASE_PART), are_settled) {
                break;
            }
            for (times, plan) in self.times.base.iter_mut().zip(&self.plans) {
                let alone = &mut self.alone;
                let is_quiet = patience.wait(alone);
                let wall_ns = time(alone, plan, self.world, self.block, self.n_times)?;
                times.add(Took { wall_ns, cpu_ns: 0 }, is_quiet);
            }
        }
        let [graph, batches] = self.times.base.each_ref().map(Times::best_ns);
        self.times.faster.get_or_insert(usize::from(batches < graph));
        Ok(graph.min(batches))
    }

    /// Runs all plans, in rounds in which each follows another, until they are settled. What they are predicted to take is not known then.
    pub(super) fn run(&mut self, costs: &[u64]) -> Result<Ran<'a>, WorldError> {
        if self.times.costs.len() != costs.len() {
            self.times.costs = costs.to_vec();
        }
        let costs = self.times.costs.clone();
        let RealRuns { schedulers, how: Measure { n_threads, n_rounds, .. }, used, .. } = self.runs;
        let mut executor = pinned(self.world, *n_threads)?;
        let mut runs = Vec::new();
        self.times.plans.resize_with(schedulers.len(), Times::default);
        let each = schedulers.iter().zip(&used.overheads).zip(&mut self.times.plans);
        for ((&scheduler, &overheads), times) in each {
            let plan = plan(scheduler, *n_threads, &self.interned, &self.name, &costs)?;
            let times = mem::take(times);
            runs.push(Run {
                scheduler,
                overheads,
                plan,
                times,
                is_settled: false,
                predicted_ns: 0,
            });
        }
        let mut alone = mem::take(&mut self.times.alone);
        let (n_before, start) = (alone.n(), Instant::now());
        let mut patience = self.runs.patience(runs.len() + 1, PLANS_PART);
        for round in 0.. {
            let are_settled = || {
                let mut all = runs.iter().map(|run| &run.times).chain([&alone]);
                all.all(|times| times.is_settled(*n_rounds))
            };
            if self.runs.is_over([n_before, round], (start, PLANS_PART), are_settled) {
                break;
            }
            // Whoever comes first would find the caches as others left them.
            let plan = &self.plans[self.times.faster.unwrap_or(0)];
            time(&mut self.alone, plan, self.world, self.block, 1)?;
            self.timed(None, &mut patience, &mut alone)?;
            // What is settled gives its time to what is not.
            let is_on = |run: &&mut Run<'_>| round == 0 || !run.times.may_leave(*n_rounds);
            for (at, run) in runs.iter_mut().filter(is_on).enumerate() {
                if at == 0 {
                    time(&mut executor, &run.plan, self.world, self.block, 1)?;
                }
                self.timed(Some((&mut executor, &run.plan)), &mut patience, &mut run.times)?;
            }
        }
        let (base_ns, costs_ns) = (alone.best_ns(), costs.iter().sum::<u64>().max(1));
        self.times.plans = runs.iter().map(|run| run.times.clone()).collect();
        self.times.alone = alone;
        let are_settled = self.times.are_settled(*n_rounds);
        runs.iter_mut().zip(are_settled).for_each(|(run, is_settled)| run.is_settled = is_settled);
        Ok(Ran { executor, runs, base_ns, costs_ns })
    }

    /// Runs all plans, and predicts what they take.
    pub(super) fn predicted(&mut self, costs: &[u64]) -> Result<Ran<'a>, WorldError> {
        let mut ran = self.run(costs)?;
        let (base_ns, costs_ns) = (ran.base_ns, ran.costs_ns);
        let each = ran.runs.par_iter().map(|run| self.predicted_ns(run, base_ns, costs_ns));
        let predicted: Vec<u64> = each.collect();
        ran.runs.iter_mut().zip(predicted).for_each(|(run, ns)| run.predicted_ns = ns);
        Ok(ran)
    }

    /// Runs a plan when it is quiet, or the block on one thread, and takes note of what it took.
    fn timed(
        &mut self,
        on: Option<(&mut Executor, &Plan)>,
        patience: &mut Patience,
        times: &mut Times,
    ) -> Result<(), WorldError> {
        let (executor, plan) =
            on.unwrap_or((&mut self.alone, &self.plans[self.times.faster.unwrap_or(0)]));
        let is_quiet = patience.wait(executor);
        let before = ProcessTime::now();
        let wall_ns = time(executor, plan, self.world, self.block, self.n_times)?;
        times.add(Took { wall_ns, cpu_ns: nanos(before.elapsed()) / self.n_times }, is_quiet);
        Ok(())
    }

    /// What the simulator says of a run.
    fn predicted_ns(&self, run: &Run<'_>, base_ns: u64, costs_ns: u64) -> u64 {
        let n_threads = self.runs.how.n_threads;
        let block = run.plan.interned().block();
        let mut planned = run.scheduler.plan(&block, n_threads);
        // What transactions took while this was measured, not when the costs were found.
        let overheads = run.overheads.map(|nanos| share(costs_ns, nanos, base_ns));
        if run.plan.is_in_batches() {
            planned = scheduler::Plan::batches(planned.into_schedule(&block));
        }
        let interned = run.plan.interned();
        let made = self.input.map(|input| self.runs.world.made(input, interned));
        let of = |tx: u32, at: usize| made.as_ref().map(|made| made[tx as usize][at]);
        // What a call finds of its contract is part of what an execution takes, as it is where overheads are found.
        let is_record = is_of_chain(interned);
        let is_own = |tx, at: usize| !is_record[block.accesses().of(tx)[at].slot as usize];
        let is_done = |tx, at| of(tx, at).is_none_or(|made| made.is_done);
        let is_touched = |tx, at| of(tx, at).map_or_else(|| is_own(tx, at), |made| made.is_touched);
        let lines = self.lines(interned);
        let model = Model {
            is_done: &is_done,
            is_touched: &is_touched,
            n_lines: &|slot| lines[slot as usize],
            reads_at_start: true,
        };
        let predicted = simulate_as(&planned, &block, n_threads, overheads, model).makespan;
        share(base_ns, predicted, costs_ns)
    }

    /// By slot, how many lines of a cache its value takes after the block; one if the block leaves it as it was.
    fn lines(&self, interned: &Interned) -> Vec<u64> {
        let n_lines = |key| {
            let value = self.output.changes.get(key).flatten();
            value.map_or(1, |value| value.len().div_ceil(CACHE_LINE_BYTES).max(1) as u64)
        };
        interned.slots().iter().map(n_lines).collect()
    }

    /// Runs all plans, once more to compare what comes out with what the serial oracle says of their published orders.
    pub(super) fn rows(&mut self, costs: &[u64]) -> Result<Vec<Row>, WorldError> {
        let Ran { mut executor, runs, base_ns, costs_ns } = self.predicted(costs)?;
        let mut schedules: Vec<&Schedule> = Vec::new();
        let mut expected_of = Vec::new();
        for run in &runs {
            let schedule = run.plan.schedule();
            let known = schedules.iter().position(|&known| known == schedule);
            expected_of.push(known.unwrap_or(schedules.len()));
            if known.is_none() {
                schedules.push(schedule);
            }
        }
        let (txs, state, engine) = (self.block.txs(), self.world.state(), self.world.engine());
        let expected = |schedule: &&Schedule| {
            oracle::execute(engine, Prices::default(), &txs, schedule, &state, ENV)
        };
        let expected = executor.install(|| {
            // One after the other as each of them is, but not one after the other.
            let each = schedules.par_iter().with_max_len(1).map(expected);
            each.collect::<Result<Vec<_>, _>>()
        })?;
        let of_run = |(run, expected_at): (&Run<'_>, usize)| {
            let n_before = executor.n_runs();
            let output = executor.execute(&txs, &run.plan, &state, ENV)?;
            let n_runs = executor.n_runs() - n_before;
            let is_equal = output == expected[expected_at];
            Ok(Row { root_equal: is_equal, ..self.row(run, n_runs, base_ns, costs_ns) })
        };
        runs.iter().zip(expected_of).map(of_run).collect()
    }

    /// The row of a run, whose result was not looked at.
    fn row(&self, run: &Run<'_>, n_runs: u64, base_ns: u64, costs_ns: u64) -> Row {
        let makespan_ns = run.makespan_ns();
        let ends = run.times.ends_ns();
        let n_threads = self.runs.how.n_threads;
        let block = run.plan.interned().block();
        let planned = run.scheduler.plan(&block, n_threads);
        let mode = run.scheduler.mode();
        let bound_ns = lower_bound_of(&planned, &block, n_threads as u64, mode).max();
        let bound_ns = share(base_ns, bound_ns, costs_ns);
        let n_txs = block.n_txs() as u64;
        Row {
            scheduler: run.scheduler.name().to_owned(),
            stand_in: run.scheduler.stand_in(&block).map(|other| other.name().to_owned()),
            workload: self.name.clone(),
            workers: n_threads,
            simulated: false,
            txs: block.n_txs(),
            speedup: ratio(base_ns, makespan_ns),
            speedup_with_overheads: None,
            bound_ratio: ratio(makespan_ns, bound_ns),
            root_equal: false,
            makespan_ns,
            bound_ns,
            tx_per_s: ratio(n_txs * 1_000_000_000, makespan_ns),
            executions_per_tx: ratio(n_runs, n_txs),
            cpu_ns_per_tx: Some(ratio(run.times.cpu_ns(), n_txs)),
            idle: None,
            idle_at_barriers: None,
            latency_ns_p50: None,
            handovers_per_tx: None,
            versions_per_tx: None,
            false_dependencies_per_tx: None,
            latency_ns_p99: None,
            overtakes_per_tx: None,
            plan_ns_per_tx: None,
            plan_share: None,
            predicted_ns: Some(run.predicted_ns),
            spread: run.times.spread(),
            hop_ns: None,
            rounds: Some(run.times.n()),
            settled: Some(run.is_settled),
            overheads_settled: Some(self.runs.used.is_settled()),
            speedup_min: ends.map(|[_, slowest]| ratio(base_ns, slowest)),
            speedup_max: ends.map(|[fastest, _]| ratio(base_ns, fastest)),
            plan_ns_per_tx_max: None,
        }
    }
}

/// How all plans ran.
pub(super) struct Ran<'a> {
    executor: Executor,
    pub(super) runs: Vec<Run<'a>>,
    /// What the block takes on one thread, and what its transactions are said to cost together.
    pub(super) base_ns: u64,
    costs_ns: u64,
}

/// A plan and how long it took.
pub(super) struct Run<'a> {
    scheduler: &'a dyn Scheduler,
    overheads: Overheads,
    plan: Plan,
    times: Times,
    /// Whether its times agree, and those of one thread.
    is_settled: bool,
    /// What the simulator says.
    pub(super) predicted_ns: u64,
}

impl Run<'_> {
    pub(super) fn makespan_ns(&self) -> u64 {
        self.times.best_ns()
    }

    /// What the simulator lacks; negative where it says too much.
    pub(super) fn missing_ns(&self) -> i64 {
        let signed = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
        signed(self.makespan_ns()) - signed(self.predicted_ns)
    }
}

/// By slot, whether its key is the chain's own: a contract's record.
fn is_of_chain(interned: &Interned) -> Vec<bool> {
    let slots = 0..u32::try_from(interned.accesses().n_slots()).unwrap_or(u32::MAX);
    slots.map(|slot| *interned.key(slot).contract == SYSTEM).collect()
}

fn plan(
    scheduler: &dyn Scheduler,
    n_threads: usize,
    interned: &Interned,
    name: &str,
    costs: &[u64],
) -> Result<Plan, WorldError> {
    let with_costs = interned.clone().with_costs(costs.to_vec());
    Plan::by(with_costs, scheduler, n_threads).map_err(|error| {
        let key = match error.slot() {
            Some(slot) => format!(" (key {:?})", interned.key(slot).state_key()),
            None => String::new(),
        };
        let (scheduler, block) = (scheduler.name().to_owned(), name.to_owned());
        WorldError::Illegal { scheduler, block, error, key }
    })
}

/// How long a run takes, the mean of so many in a row.
fn time(
    executor: &mut Executor,
    plan: &Plan,
    world: &World,
    block: &UnsignedBlock,
    n_times: u64,
) -> Result<u64, WorldError> {
    let (txs, state) = (block.txs(), world.state());
    let mut all = Duration::ZERO;
    for _ in 0..n_times {
        let start = Instant::now();
        let output = executor.execute(&txs, plan, &state, ENV)?;
        all += start.elapsed();
        drop(output);
    }
    Ok(nanos(all) / n_times)
}
