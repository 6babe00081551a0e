//! Real runs in wasm, by the plans of the schedulers, against the serial oracle; and what the simulator
//! predicts for them from runs on one thread.

mod best;
mod calibration;
mod hops;
mod quiet;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use best::Times;
use cpu_time::ProcessTime;
use hops::hop_ns;
pub(crate) use hops::is_alike;
use kempe_runtime::executor::{BlockOutput, Executor, Plan, oracle};
use kempe_runtime::scheduler::{self, Graph, Schedule, Scheduler, Sequential, lower_bound_of};
use kempe_runtime::types::Prices;
use quiet::{Patience, slowness_permille};
use rayon::prelude::*;

use crate::lab::ratio;
use crate::world::ENV;
use crate::{
    Input, Model, Overheads, ReplayWorld, Row, UnsignedBlock, World, WorldError, simulate_as,
};

/// There are at most so many times as many rounds as there have to be: what does not settle in so many does not in more.
const N_ROUNDS_FOR_ONE: usize = 8;

/// How long a block may wait until nothing slows the processors down, where no other limit is given: longer than what
/// slows them down mostly lasts.
const PATIENCE: Duration = Duration::from_secs(2);

/// A block that takes less runs several times in a row each time, until about so much has passed: a few microseconds are
/// noise. Ours to choose.
const TIMED_NS_MIN: u64 = 1_000_000;

/// How blocks are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// On how many threads.
    pub n_threads: usize,
    /// How often each plan runs at least; until three of the fastest runs of each are within 3 %, or this often if that is less, but
    /// not more than eight times as often. Before each, it runs once to warm up, unless the block takes longer than a quarter of a
    /// second on one thread.
    pub n_rounds: usize,
    /// How long a block may be measured, about, after the rounds that there have to be. As long again it may wait until nothing
    /// slows the processors down.
    /// A block is not measured again that took as long already, and overheads are found again only where threads are
    /// twice as far apart, and not more than once. No limit if none is given.
    pub limit: Option<Duration>,
}

/// Real runs of blocks by the plans of schedulers, in rounds in which each follows another, beside one
/// thread that runs the transactions in the given order.
///
/// Only executing is timed: lists, numbers and plans are made before, and so are the values on which
/// a plan of [`Form::Values`](kempe_runtime::scheduler::Form::Values) runs. A row's prediction is the simulator's, from what the
/// run on one thread took and from what running costs beside, which was found on other blocks.
///
/// ```
/// use kempe_bench::{Input, Measure, Pattern, RealRuns};
/// use kempe_runtime::scheduler::{Color, Graph};
///
/// let mut runs = RealRuns::new(&[&Color, &Graph], Measure { n_threads: 2, n_rounds: 3, limit: None })?;
/// let input: Input = "amm:txs=100".parse::<Pattern>()?.generate()?;
/// for row in runs.input(&input)? {
///     assert!(row.root_equal && row.predicted_ns.is_some());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RealRuns<'s> {
    schedulers: &'s [&'s dyn Scheduler],
    how: Measure,
    /// That of the last block.
    used: Calibration,
    /// What was found, also while the distance between threads changed.
    known: Vec<Calibration>,
    /// Tells how far so many threads are apart.
    distance: fn(usize) -> u64,
    /// Tells how slow the threads of an executor are now, in thousandths.
    slowness: fn(&Executor) -> u64,
    /// How many plans were measured, and how many of them did not settle.
    n_measured: AtomicU64,
    n_unsettled: AtomicU64,
    world: ReplayWorld,
}

/// What each scheduler's plans cost beside the transactions, as long as threads are so far apart, in blocks of about
/// so many transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calibration {
    /// Nanoseconds until one thread sees what another wrote; none where that changed while it was found.
    pub hop_ns: Option<u64>,
    /// The transactions of the blocks on which it was found.
    pub n_txs: u64,
    /// How much of it settled, in thousandths.
    pub settled_permille: u64,
    /// By scheduler.
    pub overheads: Vec<Overheads>,
}

/// Overheads are found again where less of what they were found on settled, in thousandths. Ours to choose: in seven searches in a row 981 and
/// 777 gave what a transaction costs by `color` as 146 and 172 ns, and 462 to 611 as 225 to 766.
const SETTLED_PERMILLE_MIN: u64 = 750;

impl Calibration {
    fn is_settled(&self) -> bool {
        self.settled_permille >= SETTLED_PERMILLE_MIN
    }
}

/// The sizes of the blocks on which overheads are found, of which the nearest counts: what transactions share of the caches and of the way
/// to memory is another in a larger block. The first two are those of the presets of `kempe bench`.
const SIZES: [u64; 3] = [1000, 4000, 10_000];
/// The most calibrations of a size: after so many the nearest counts, as where noise makes each another.
const CALIBRATIONS_MAX: usize = 4;
/// How often a block is measured or overheads are found, at most, because threads were not as far apart after it as
/// before.
const N_TRIES: usize = 2;

impl<'s> RealRuns<'s> {
    /// Runs plans of these schedulers. What they cost beside the transactions is found before a block runs, unless
    /// threads are as far apart as they once were when it was found; it takes some seconds.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn new(schedulers: &'s [&'s dyn Scheduler], how: Measure) -> Result<Self, WorldError> {
        let overheads = vec![Overheads::default(); schedulers.len()];
        let used = Calibration { overheads, ..Calibration::default() };
        let (known, world) = (Vec::new(), ReplayWorld::new()?);
        let (distance, slowness) = (hop_ns, slowness_permille);
        let (n_measured, n_unsettled) = Default::default();
        Ok(Self {
            schedulers,
            how,
            used,
            known,
            distance,
            slowness,
            n_measured,
            n_unsettled,
            world,
        })
    }

    /// What the predictions of the last block take for what running costs beside the transactions.
    #[must_use]
    pub fn calibration(&self) -> &Calibration {
        &self.used
    }

    /// Measures again what was measured while the distance between threads changed. If it never stayed the same, the rows do not name
    /// one.
    fn measured(
        &mut self,
        n_txs: usize,
        measure: impl Fn(&Self) -> Result<Vec<Row>, WorldError>,
    ) -> Result<Vec<Row>, WorldError> {
        let mut n_tries = 0;
        loop {
            n_tries += 1;
            let hop_ns = self.calibrate(size_for(n_txs), calibration::find)?;
            let start = Instant::now();
            let mut rows = measure(self)?;
            let is_steady = is_alike(hop_ns, self.distance());
            let is_late = self.how.limit.is_some_and(|limit| start.elapsed() >= limit);
            if is_steady || is_late || n_tries == N_TRIES {
                rows.iter_mut().for_each(|row| row.hop_ns = is_steady.then_some(hop_ns));
                return Ok(rows);
            }
        }
    }

    /// For so many measurements, until there have been as many as possible.
    fn patience(&self, n: usize) -> Patience {
        Patience::new(self.how.limit.unwrap_or(PATIENCE), n * N_ROUNDS_FOR_ONE, self.slowness)
    }

    /// Of what was measured how much settled, in thousandths.
    fn settled_permille(&self) -> u64 {
        let [all, unsettled] =
            [&self.n_measured, &self.n_unsettled].map(|n| n.load(Ordering::Relaxed));
        share(1000, all - unsettled, all)
    }

    /// How far threads are apart now.
    fn distance(&self) -> u64 {
        (self.distance)(self.how.n_threads)
    }

    /// Takes the overheads for threads as far apart as they are, in blocks of such a size, and says how far; finds them
    /// where there are none that settled.
    fn calibrate(
        &mut self,
        n_txs: u64,
        find: impl Fn(&[&dyn Scheduler], Measure, u64) -> Result<Calibration, WorldError>,
    ) -> Result<u64, WorldError> {
        let mut hop_ns = self.distance();
        for _ in 0..N_TRIES {
            let n_known = self.of_size(n_txs).count();
            let n_found = self.known.iter().filter(|known| known.n_txs == n_txs).count();
            let is_late = self.how.limit.is_some() && n_found >= N_TRIES;
            let is_known = |(known, found): (u64, &Calibration)| match self.how.limit {
                None => found.is_settled() && is_alike(known, hop_ns),
                Some(_) => known.max(hop_ns) < 2 * known.min(hop_ns),
            };
            if n_known == CALIBRATIONS_MAX || is_late || self.of_size(n_txs).any(is_known) {
                break;
            }
            let found = find(self.schedulers, self.how, n_txs)?;
            let before = std::mem::replace(&mut hop_ns, self.distance());
            let is_steady = is_alike(before, hop_ns);
            self.known.push(Calibration { hop_ns: is_steady.then_some(before), ..found });
        }
        let distance = |(known, found): &(u64, &Calibration)| {
            (!found.is_settled(), 1000 * hop_ns.max(*known) / hop_ns.min(*known).max(1))
        };
        let nearest = self.of_size(n_txs).min_by_key(distance).map(|(_, known)| known);
        // What was found while it changed is for no distance: the last counts where there is nothing else.
        let unsettled = || self.known.iter().rfind(|known| known.n_txs == n_txs);
        let nearest = nearest.or_else(unsettled).expect("where none is known one was found");
        self.used = nearest.clone();
        Ok(hop_ns)
    }

    /// What is known for blocks of a size, with how far threads were apart all the time.
    fn of_size(&self, n_txs: u64) -> impl Iterator<Item = (u64, &Calibration)> {
        let known = self.known.iter().filter(move |known| known.n_txs == n_txs);
        known.filter_map(|known| Some((known.hop_ns?, known)))
    }

    /// Runs a block of the lab as wasm.
    ///
    /// If its transactions are calls of contracts, those run, and each costs what falls to its fuel of what the block takes on
    /// one thread. If they are keys and costs, they run as calls of a contract that touches such keys and burns such costs; what each transaction costs is found on one thread: with and without burning time. What is burned is
    /// its recorded cost by one factor for the block, the rest goes with the number of keys. A block of
    /// more than ten seconds is shortened to that.
    ///
    /// # Errors
    /// [`WorldError`]; [`WorldError::ListTooLong`] if a transaction touches more keys than a list may name.
    pub fn input(&mut self, input: &Input) -> Result<Vec<Row>, WorldError> {
        if input.calls().is_none() {
            // Before anything is measured for a block that cannot run.
            self.world.block(input)?;
        }
        self.measured(input.n_txs(), |runs| runs.input_once(input))
    }

    fn input_once(&self, input: &Input) -> Result<Vec<Row>, WorldError> {
        if let Some(calls) = input.calls() {
            let name = input.name().to_owned();
            let mut bench = Bench::new(name, &calls.world, &calls.block, self)?;
            let (all_ns, fuel) = (bench.base()?, input.costs().iter().sum());
            let costs = input.costs().iter().map(|&cost| share(all_ns, cost, fuel).max(1));
            return bench.rows(&costs.collect::<Vec<_>>());
        }
        let world = &self.world;
        let idle_block = world.idle_block(input)?;
        let idle_ns = Bench::new(String::new(), &world.base, &idle_block, self)?.base()?;
        let block = world.block(input)?;
        let mut bench = Bench::new(input.name().to_owned(), &world.base, &block, self)?;
        bench.input = Some(input);
        let all_ns = bench.base()?;
        world.check(input, &bench.output)?;
        let burned: u64 = input.costs().iter().copied().fold(0, u64::saturating_add);
        let per_tx = |tx: u32| KEYS_OF_A_TX + input.accesses().of(tx).len() as u64;
        let n_txs = u32::try_from(input.n_txs()).unwrap_or(u32::MAX);
        let all_keys: u64 = (0..n_txs).map(per_tx).sum();
        let costs = (0..n_txs).zip(input.costs()).map(|(tx, &burns)| {
            let burned = share(all_ns.saturating_sub(idle_ns), burns, burned);
            burned.saturating_add(share(idle_ns, per_tx(tx), all_keys)).max(1)
        });
        bench.rows(&costs.collect::<Vec<_>>())
    }
}

/// The size of [`SIZES`] that is nearest, as a ratio.
fn size_for(n_txs: usize) -> u64 {
    let n_txs = n_txs as u64;
    let larger = SIZES.windows(2).filter(|pair| n_txs * n_txs > pair[0] * pair[1]).count();
    SIZES[larger]
}

/// An executor whose threads have a processor each, where there are enough.
fn pinned(world: &World, n_threads: usize) -> Result<Executor, WorldError> {
    Ok(Executor::pinned(world.engine(), Prices::default(), n_threads)?)
}

/// A transaction without keys costs about as much as so many keys.
const KEYS_OF_A_TX: u64 = 4;

/// The part of a whole that falls to `part` of `all`; nothing of nothing.
fn share(whole: u64, part: u64, all: u64) -> u64 {
    let share = (u128::from(whole) * u128::from(part)).checked_div(all.into()).unwrap_or(0);
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// A block, and how it runs on one thread.
struct Bench<'a> {
    name: String,
    world: &'a World,
    block: &'a UnsignedBlock,
    runs: &'a RealRuns<'a>,
    /// What it was made of, which says what its transactions do of what they declare; all, if none.
    input: Option<&'a Input>,
    alone: Executor,
    /// One by one in the given order: as a graph, in which what comes next is fetched ahead, and as batches, which
    /// is faster where a graph has to run again. The faster counts.
    plans: [Plan; 2],
    /// Which of them that is: the graph as long as they were not compared.
    faster: usize,
    /// How often it runs in a row each time.
    n_times: u64,
    /// What came out.
    output: BlockOutput,
}

impl<'a> Bench<'a> {
    fn new(
        name: String,
        world: &'a World,
        block: &'a UnsignedBlock,
        runs: &'a RealRuns<'a>,
    ) -> Result<Self, WorldError> {
        let mut alone = pinned(world, 1)?;
        let plans = [
            plan(&Graph, &alone, world, block, &[])?,
            plan(&Sequential, &alone, world, block, &[])?,
        ];
        let output = alone.execute(&block.txs(), &plans[1], &world.state(), ENV)?;
        let mut warm_ns = time(&mut alone, &plans[1], world, block, 1)?;
        for _ in 0..2 {
            if warm_ns < TIMED_NS_MIN {
                warm_ns = warm_ns.min(time(&mut alone, &plans[1], world, block, 1)?);
            }
        }
        let n_times = (TIMED_NS_MIN / warm_ns.max(1000)).max(1);
        let input = None;
        Ok(Self { name, world, block, runs, input, alone, plans, faster: 0, n_times, output })
    }

    /// The time of the block on one thread, in the given order, by the plan that is faster.
    fn base(&mut self) -> Result<u64, WorldError> {
        let mut times = [Times::default(), Times::default()];
        let n_rounds = self.runs.how.n_rounds;
        let mut patience = self.runs.patience(times.len() * n_rounds);
        for round in 0..N_ROUNDS_FOR_ONE * n_rounds {
            if round >= n_rounds && times.iter().all(|times| times.is_settled(n_rounds)) {
                break;
            }
            for (times, plan) in times.iter_mut().zip(&self.plans) {
                let alone = &mut self.alone;
                patience.wait(alone);
                times.add(time(alone, plan, self.world, self.block, self.n_times)?, 0);
            }
        }
        let [graph, batches] = times.map(|times| times.best_ns());
        self.faster = usize::from(batches < graph);
        Ok(graph.min(batches))
    }

    /// Runs all plans, in rounds in which each follows another, until they are settled.
    fn run(&mut self, costs: &[u64]) -> Result<Ran<'a>, WorldError> {
        let RealRuns { schedulers, how: Measure { n_threads, n_rounds, limit }, used, .. } =
            self.runs;
        let mut executor = pinned(self.world, *n_threads)?;
        let mut runs = Vec::new();
        for (&scheduler, &overheads) in schedulers.iter().zip(&used.overheads) {
            let plan = plan(scheduler, &executor, self.world, self.block, costs)?;
            let times = Times::default();
            runs.push(Run {
                scheduler,
                overheads,
                plan,
                times,
                is_settled: false,
                predicted_ns: 0,
            });
        }
        let mut alone = Times::default();
        let mut patience = self.runs.patience((runs.len() + 1) * n_rounds);
        let ends_at = limit.map(|limit| Instant::now() + limit);
        for round in 0..N_ROUNDS_FOR_ONE * n_rounds {
            let is_late = ends_at.is_some_and(|ends_at| Instant::now() >= ends_at);
            let is_enough = |times: &Times| round >= *n_rounds && times.is_settled(*n_rounds);
            let is_settled = is_enough(&alone) && runs.iter().all(|run| is_enough(&run.times));
            if is_settled || (round >= *n_rounds && is_late) {
                break;
            }
            self.timed(None, &mut patience, &mut alone)?;
            if let Some(run) = runs.first() {
                // Whoever comes first would find the caches as one thread left them.
                time(&mut executor, &run.plan, self.world, self.block, 1)?;
            }
            for run in &mut runs {
                self.timed(Some((&mut executor, &run.plan)), &mut patience, &mut run.times)?;
            }
        }
        let (base_ns, costs_ns) = (alone.best_ns(), costs.iter().sum::<u64>().max(1));
        for run in &mut runs {
            run.is_settled = alone.is_settled(*n_rounds) && run.times.is_settled(*n_rounds);
            self.runs.n_measured.fetch_add(1, Ordering::Relaxed);
            self.runs.n_unsettled.fetch_add((!run.is_settled).into(), Ordering::Relaxed);
        }
        let mut predicted = Vec::new();
        let each = runs.par_iter().map(|run| self.predicted_ns(run, base_ns, costs_ns));
        each.collect_into_vec(&mut predicted);
        runs.iter_mut().zip(predicted).for_each(|(run, ns)| run.predicted_ns = ns);
        Ok(Ran { executor, runs, base_ns, costs_ns })
    }

    /// Runs a plan when it is quiet, or the block on one thread, and takes note of what it took.
    fn timed(
        &mut self,
        on: Option<(&mut Executor, &Plan)>,
        patience: &mut Patience,
        times: &mut Times,
    ) -> Result<(), WorldError> {
        let (executor, plan) = on.unwrap_or((&mut self.alone, &self.plans[self.faster]));
        patience.wait(executor);
        let before = ProcessTime::now();
        let wall_ns = time(executor, plan, self.world, self.block, self.n_times)?;
        times.add(wall_ns, nanos(before.elapsed()) / self.n_times);
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
        let done = self.input.map(|input| self.runs.world.done(input, run.plan.interned()));
        let is_done = |tx: u32, at: usize| done.as_ref().is_none_or(|done| done[tx as usize][at]);
        let model = Model { is_done: &is_done, reads_at_start: true, ..Model::default() };
        let predicted = simulate_as(&planned, &block, n_threads, overheads, model).makespan;
        share(base_ns, predicted, costs_ns)
    }

    /// Runs all plans, once more to compare what comes out with what the serial oracle says of their published orders.
    fn rows(&mut self, costs: &[u64]) -> Result<Vec<Row>, WorldError> {
        let Ran { mut executor, runs, base_ns, costs_ns } = self.run(costs)?;
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
        let times_ns = run.times.wall_ns();
        let (fastest, slowest) = (times_ns.first(), times_ns.last());
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
            latency_ns_p99: None,
            overtakes_per_tx: None,
            plan_ns_per_tx: None,
            plan_share: None,
            predicted_ns: Some(run.predicted_ns),
            spread: run.times.spread(),
            hop_ns: None,
            rounds: Some(times_ns.len()),
            settled: Some(run.is_settled),
            speedup_min: slowest.map(|&time| ratio(base_ns, time)),
            speedup_max: fastest.map(|&time| ratio(base_ns, time)),
            plan_ns_per_tx_max: None,
        }
    }
}

/// How all plans ran.
struct Ran<'a> {
    executor: Executor,
    runs: Vec<Run<'a>>,
    /// What the block takes on one thread, and what its transactions are said to cost together.
    base_ns: u64,
    costs_ns: u64,
}

/// A plan and how long it took.
struct Run<'a> {
    scheduler: &'a dyn Scheduler,
    overheads: Overheads,
    plan: Plan,
    times: Times,
    /// Whether its times agree, and those of one thread.
    is_settled: bool,
    /// What the simulator says.
    predicted_ns: u64,
}

impl Run<'_> {
    fn makespan_ns(&self) -> u64 {
        self.times.best_ns()
    }

    /// What the simulator lacks.
    fn missing_ns(&self) -> u64 {
        self.makespan_ns().saturating_sub(self.predicted_ns)
    }
}

fn plan(
    scheduler: &dyn Scheduler,
    executor: &Executor,
    world: &World,
    block: &UnsignedBlock,
    costs: &[u64],
) -> Result<Plan, WorldError> {
    let txs = block.txs();
    let lists = executor.derive(&txs, &world.state())?;
    let interned = executor.intern(lists, &txs).with_costs(costs.to_vec());
    Ok(Plan::by(interned, scheduler, executor.n_threads())?)
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

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// That in the middle of what ascends.
fn middle(sorted: &[u64]) -> u64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use kempe_abi::AccessKind;
    use kempe_runtime::scheduler::SCHEDULERS;

    use super::*;
    use crate::{InputTx, Pattern};

    const HOW: Measure = Measure { n_threads: 3, n_rounds: 1, limit: None };

    fn runs() -> RealRuns<'static> {
        RealRuns::new(&SCHEDULERS, HOW).unwrap()
    }

    thread_local! {
        /// The distances between threads that [`scripted`] runs find, one after the other.
        static SCRIPT: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    }

    fn scripted() -> RealRuns<'static> {
        let distance = |_: usize| SCRIPT.with_borrow_mut(|script| script.remove(0));
        RealRuns { distance, slowness: |_| 1000, ..runs() }
    }

    fn calibration(n_schedulers: usize, dispatch: u64) -> Calibration {
        let overheads = vec![Overheads { dispatch, ..Overheads::default() }; n_schedulers];
        Calibration { n_txs: SIZES[0], settled_permille: 1000, overheads, ..Calibration::default() }
    }

    fn check(rows: Vec<Row>) {
        assert_eq!(rows.len(), SCHEDULERS.len());
        for row in rows {
            assert!(row.root_equal && !row.simulated && row.predicted_ns > Some(0), "{row:?}");
            let [least, most] = [row.speedup_min, row.speedup_max].map(Option::unwrap);
            assert!(least <= row.speedup && row.speedup <= most, "{row:?}");
            assert_eq!((row.rounds, least), (Some(HOW.n_rounds), most), "{row:?}");
        }
    }

    #[test]
    fn overheads_are_found_for_each_distance_and_not_while_it_changes() {
        let mut runs = scripted();
        let found = Cell::new(0);
        let find = |schedulers: &[&dyn Scheduler], _, _| {
            found.set(found.get() + 1);
            Ok(calibration(schedulers.len(), found.get()))
        };
        // Before, and after each search: what is seen, how often was searched, whose overheads count, and for what distance.
        for (script, hop, n_found, dispatch, of) in [
            (&[60, 280, 60][..], 60, 2, 2, None), // it changed all the time: the last count for this block
            (&[60, 280, 270], 270, 4, 4, Some(280)), // it changed once: only the second count
            (&[290], 290, 4, 4, Some(280)),
            (&[60, 66], 66, 5, 5, Some(60)),
            (&[250], 250, 5, 4, Some(280)),
            (&[700, 60], 60, 6, 5, Some(60)), // it changed back to what is known
        ] {
            SCRIPT.set(script.to_vec());
            assert_eq!(runs.calibrate(SIZES[0], find).unwrap(), hop, "{script:?}");
            let Calibration { hop_ns, overheads, .. } = runs.calibration();
            let found = (found.get(), overheads[0].dispatch, *hop_ns);
            assert_eq!(found, (n_found, dispatch, of), "{script:?}");
        }
        assert_eq!(runs.of_size(SIZES[0]).count(), 2);
    }

    #[test]
    fn a_block_during_which_the_distance_changes_is_measured_again() {
        let mut runs = scripted();
        for hop_ns in [60, 280] {
            let hop_ns = Some(hop_ns);
            runs.known.push(Calibration { hop_ns, ..calibration(SCHEDULERS.len(), 0) });
        }
        let input = Input::new("one".to_owned(), vec![InputTx::default()]);
        let row = runs.input_once(&input).unwrap().swap_remove(0);
        // Before and after each try: how often it was measured, and what the rows say.
        for (script, n_runs, hop_ns) in [
            (&[60, 70][..], 1, Some(60)),
            (&[60, 280, 280, 290], 2, Some(280)),
            (&[60, 280, 280, 60], 2, None),
        ] {
            SCRIPT.set(script.to_vec());
            let n = Cell::new(0);
            let measure = |_: &RealRuns<'_>| {
                n.set(n.get() + 1);
                Ok(vec![row.clone()])
            };
            assert_eq!(runs.measured(1, measure).unwrap()[0].hop_ns, hop_ns, "{script:?}");
            assert_eq!(n.get(), n_runs, "{script:?}");
        }
    }

    #[test]
    fn with_a_limit_little_is_measured_again() {
        let how = Measure { n_rounds: 4, limit: Some(Duration::ZERO), ..HOW };
        let mut runs = RealRuns { how, ..scripted() };
        let found = Cell::new(0);
        let find = |schedulers: &[&dyn Scheduler], _, _| {
            found.set(found.get() + 1);
            Ok(calibration(schedulers.len(), 0))
        };
        // Before, and after each search: how often was searched.
        for (script, n_found) in [(&[60, 60][..], 1), (&[110], 1), (&[130, 130], 2)] {
            SCRIPT.set(script.to_vec());
            runs.calibrate(SIZES[0], find).unwrap();
            assert_eq!(found.get(), n_found, "{script:?}");
        }
        // What never settles is not looked for before each block.
        let mut restless = RealRuns { how, ..scripted() };
        for (script, n_found) in [(&[60, 280, 60][..], 4), (&[280], 4)] {
            SCRIPT.set(script.to_vec());
            restless.calibrate(SIZES[0], find).unwrap();
            assert_eq!((found.get(), restless.calibration().hop_ns), (n_found, None), "{script:?}");
        }
        SCRIPT.set(vec![60, 280]);
        let input = Input::new("one".to_owned(), vec![InputTx::default()]);
        for row in runs.input(&input).unwrap() {
            assert_eq!((row.rounds, row.hop_ns), (Some(how.n_rounds), None));
        }
    }

    #[test]
    fn every_plan_of_calls_gives_what_the_oracle_gives() {
        for pattern in ["token:accounts=60,zipf=1,txs=300", "token:accounts=50,hot=100,txs=200"] {
            let input = pattern.parse::<Pattern>().unwrap().generate().unwrap();
            check(runs().input_once(&input).unwrap());
        }
        let calls = crate::SHAPES.iter().filter(|shape| shape.is_of_calls());
        for pattern in calls.map(|shape| format!("{}:txs=150", shape.name)) {
            let input = pattern.parse::<Pattern>().unwrap().generate().unwrap();
            check(runs().input_once(&input).unwrap());
        }
    }

    #[test]
    fn blocks_of_the_lab_run_as_wasm() {
        for pattern in ["amm:txs=120", "p2p:accounts=9,txs=90,trap=30,over=3", "oracle:txs=100"] {
            let input = pattern.parse::<Pattern>().unwrap().generate().unwrap();
            check(runs().input_once(&input).unwrap());
        }
    }

    #[test]
    fn the_longest_list_runs() {
        let accesses = (0..1023).map(|key| (key, AccessKind::Write, false)).collect();
        let txs = vec![InputTx { accesses, ..InputTx::default() }];
        check(runs().input_once(&Input::new("longest".to_owned(), txs)).unwrap());
    }

    #[test]
    fn a_block_that_is_hardly_there_is_timed_many_times() {
        let runs = runs();
        let n_times = |n_txs| {
            let input = Input::new("short".to_owned(), vec![InputTx::default(); n_txs]);
            let block = runs.world.block(&input).unwrap();
            Bench::new(String::new(), &runs.world.base, &block, &runs).unwrap().n_times
        };
        assert!((2..=1000).contains(&n_times(1)), "{}", n_times(1));
        assert_eq!(n_times(5000), 1);
    }

    #[test]
    fn a_list_that_is_too_long_is_named() {
        let accesses = (0..1024).map(|key| (key, AccessKind::Read, false)).collect();
        let txs = vec![InputTx::default(), InputTx { accesses, ..InputTx::default() }];
        // Before overheads are looked for: the distance is not asked for.
        SCRIPT.set(Vec::new());
        let error = scripted().input(&Input::new("long".to_owned(), txs));
        assert_eq!(
            error.unwrap_err().to_string(),
            "transaction 1 of long touches 1024 keys, and a list names at most 1023"
        );
    }
}
