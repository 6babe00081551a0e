//! Real runs in wasm, by the plans of the schedulers, against the serial oracle; and what the simulator
//! predicts for them from runs on one thread.

mod calibration;
mod hops;

use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use hops::hop_ns;
pub(crate) use hops::is_alike;
use kempe_runtime::executor::{BlockOutput, Executor, Plan, oracle};
use kempe_runtime::scheduler::{Graph, Schedule, Scheduler, Sequential, lower_bound_of};
use kempe_runtime::types::Prices;
use rayon::prelude::*;

use crate::lab::ratio;
use crate::world::ENV;
use crate::{
    Input, Model, Overheads, ReplayWorld, Row, UnsignedBlock, World, WorldError, simulate_as,
};

/// A block that takes longer on one thread needs no round that warms up, and not more than [`N_ROUNDS_OF_LONG`].
const LONG_NS: u64 = 250_000_000;
/// Enough for a median: even while a long block runs, something else may happen to the machine.
const N_ROUNDS_OF_LONG: usize = 3;

/// How blocks are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// On how many threads.
    pub n_threads: usize,
    /// How often each plan runs, after it has warmed up; the median counts. A block that takes longer than a
    /// quarter of a second on one thread runs three times at most, without warming up.
    pub n_rounds: usize,
    /// How long the rounds of a block may take, about: where all of them would take longer there are three at most.
    /// A block is not measured again that took as long already, and overheads are found again only where threads are
    /// twice as far apart. No limit if none is given.
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
    /// Those of the last block.
    overheads: Vec<Overheads>,
    calibrations: Vec<Calibration>,
    /// Tells how far so many threads are apart.
    distance: fn(usize) -> u64,
    world: ReplayWorld,
}

/// What each scheduler's plans cost beside the transactions, as long as threads are so far apart, in blocks of about
/// so many transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calibration {
    /// Nanoseconds until one thread sees what another wrote.
    pub hop_ns: u64,
    /// The transactions of the blocks on which it was found.
    pub n_txs: u64,
    /// By scheduler.
    pub overheads: Vec<Overheads>,
}

/// The sizes of the blocks on which overheads are found, of which the nearest counts: what transactions share of the caches and of the way
/// to memory is another in a larger block.
const SIZES: [u64; 3] = [800, 3200, 12_800];
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
        let (calibrations, world) = (Vec::new(), ReplayWorld::new()?);
        Ok(Self { schedulers, how, overheads, calibrations, distance: hop_ns, world })
    }

    /// What was found of costs beside the transactions.
    #[must_use]
    pub fn calibrations(&self) -> &[Calibration] {
        &self.calibrations
    }

    /// What each scheduler's plan of the last block cost beside its transactions.
    #[must_use]
    pub fn overheads(&self) -> &[Overheads] {
        &self.overheads
    }

    /// Measures again what was measured while the distance between threads changed. If it never stayed the same,
    /// the rows do not name one.
    fn measured(
        &mut self,
        n_txs: usize,
        measure: impl Fn(&Self) -> Result<Vec<Row>, WorldError>,
    ) -> Result<Vec<Row>, WorldError> {
        let mut n_tries = 0;
        loop {
            n_tries += 1;
            let hop_ns = self.calibrate(size_for(n_txs), calibration::overheads)?;
            let start = Instant::now();
            let mut rows = measure(self)?;
            let is_settled = is_alike(hop_ns, self.distance());
            let is_late = self.how.limit.is_some_and(|limit| start.elapsed() >= limit);
            if is_settled || is_late || n_tries == N_TRIES {
                rows.iter_mut().for_each(|row| row.hop_ns = is_settled.then_some(hop_ns));
                return Ok(rows);
            }
        }
    }

    /// How far threads are apart now.
    fn distance(&self) -> u64 {
        (self.distance)(self.how.n_threads)
    }

    /// Takes the overheads for threads as far apart as they are, in blocks of such a size, and says how far; finds them
    /// where there are none.
    fn calibrate(
        &mut self,
        n_txs: u64,
        find: impl Fn(&[&dyn Scheduler], Measure, u64) -> Result<Vec<Overheads>, WorldError>,
    ) -> Result<u64, WorldError> {
        let mut hop_ns = self.distance();
        for _ in 0..N_TRIES {
            let mut known = self.calibrations.iter().filter(|known| known.n_txs == n_txs);
            let n_known = known.clone().count();
            let is_known = |known: &Calibration| match self.how.limit {
                None => is_alike(known.hop_ns, hop_ns),
                Some(_) => known.hop_ns.max(hop_ns) < 2 * known.hop_ns.min(hop_ns),
            };
            if n_known == CALIBRATIONS_MAX || known.any(is_known) {
                break;
            }
            let overheads = find(self.schedulers, self.how, n_txs)?;
            let before = std::mem::replace(&mut hop_ns, self.distance());
            // What was found while it changed is for no distance.
            if is_alike(before, hop_ns) {
                self.calibrations.push(Calibration { hop_ns: before, n_txs, overheads });
            } else if n_known == 0 {
                self.overheads = overheads;
            }
        }
        let distance = |known: &&Calibration| {
            1000 * known.hop_ns.max(hop_ns) / known.hop_ns.min(hop_ns).max(1)
        };
        let of_size = self.calibrations.iter().filter(|known| known.n_txs == n_txs);
        if let Some(nearest) = of_size.min_by_key(distance) {
            self.overheads.clone_from(&nearest.overheads);
        }
        Ok(hop_ns)
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
        let mut alone = world.executor(1)?;
        let plans = [
            plan(&Graph, &alone, world, block, &[])?,
            plan(&Sequential, &alone, world, block, &[])?,
        ];
        let output = alone.execute(&block.txs(), &plans[1], &world.state(), ENV)?;
        Ok(Self { name, world, block, runs, input: None, alone, plans, output })
    }

    /// The time of the block on one thread, in the given order.
    fn base(&mut self) -> Result<u64, WorldError> {
        let mut times = Base::default();
        let Measure { n_rounds, limit, .. } = self.runs.how;
        let n_rounds = limit.map_or(n_rounds, |_| n_rounds.min(N_ROUNDS_OF_LONG));
        // The first round warms up.
        for round in 0..=n_rounds {
            let time = self.time_alone()?;
            if round > 0 {
                times.push(time);
            }
        }
        Ok(times.best())
    }

    fn time_alone(&mut self) -> Result<[u64; 2], WorldError> {
        let mut time = |plan| time(&mut self.alone, plan, self.world, self.block);
        let [graph, batches] = &self.plans;
        Ok([time(graph)?, time(batches)?])
    }

    /// Runs all plans, in rounds in which each follows another.
    fn run(&mut self, costs: &[u64]) -> Result<Ran<'a>, WorldError> {
        let RealRuns { schedulers, how: Measure { n_threads, n_rounds, limit }, overheads, .. } =
            self.runs;
        let mut executor = self.world.executor(*n_threads)?;
        let mut runs = Vec::new();
        for (&scheduler, &overheads) in schedulers.iter().zip(overheads) {
            let plan = plan(scheduler, &executor, self.world, self.block, costs)?;
            let (times_ns, cpu_ns) = (Vec::new(), Vec::new());
            runs.push(Run { scheduler, overheads, plan, times_ns, cpu_ns, predicted_ns: 0 });
        }
        let costs_ns: u64 = costs.iter().sum();
        // What all rounds would take if half of the work went to another thread.
        let n_runs = (*n_rounds as u64 + 1) * (4 + runs.len() as u64) / 2;
        let is_over = |limit: Duration| nanos(limit) < costs_ns.saturating_mul(n_runs);
        let is_long = costs_ns > LONG_NS;
        let n_rounds = match is_long || limit.is_some_and(is_over) {
            true => N_ROUNDS_OF_LONG.min(*n_rounds),
            false => *n_rounds,
        };
        let first = usize::from(is_long);
        let mut base_ns = Base::default();
        // The first round warms up.
        for round in first..=n_rounds {
            let base = self.time_alone()?;
            if round > 0 {
                base_ns.push(base);
            }
            // Whoever comes first would find the caches as one thread left them.
            if let Some(first) = runs.first() {
                time(&mut executor, &first.plan, self.world, self.block)?;
            }
            for run in &mut runs {
                let before = ProcessTime::now();
                let time = time(&mut executor, &run.plan, self.world, self.block)?;
                if round > 0 {
                    run.times_ns.push(time);
                    run.cpu_ns.push(nanos(before.elapsed()));
                }
            }
        }
        let rounds = base_ns.rounds();
        let base_ns = median(&mut rounds.clone());
        let costs_ns = costs_ns.max(1);
        for run in &mut runs {
            // The machine is not always as fast: what counts is how a run compares with one thread in
            // the same round.
            let of_round = run.times_ns.iter().zip(rounds);
            run.times_ns = of_round.map(|(&time, &alone)| share(base_ns, time, alone)).collect();
            run.times_ns.sort_unstable();
        }
        let mut predicted = Vec::new();
        let each = runs.par_iter().map(|run| self.predicted_ns(run, base_ns, costs_ns));
        each.collect_into_vec(&mut predicted);
        runs.iter_mut().zip(predicted).for_each(|(run, ns)| run.predicted_ns = ns);
        Ok(Ran { executor, runs, base_ns, costs_ns })
    }

    /// What the simulator says of a run.
    fn predicted_ns(&self, run: &Run<'_>, base_ns: u64, costs_ns: u64) -> u64 {
        let n_threads = self.runs.how.n_threads;
        let block = run.plan.interned().block();
        let planned = run.scheduler.plan(&block, n_threads);
        // What transactions took while this was measured, not when the costs were found.
        let overheads = run.overheads.map(|nanos| share(costs_ns, nanos, base_ns));
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
        let (fastest, slowest) = (run.times_ns.first(), run.times_ns.last());
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
            cpu_ns_per_tx: Some(ratio(median(&mut run.cpu_ns.clone()), n_txs)),
            idle: None,
            idle_at_barriers: None,
            latency_ns_p50: None,
            handovers_per_tx: None,
            latency_ns_p99: None,
            overtakes_per_tx: None,
            plan_ns_per_tx: None,
            plan_share: None,
            predicted_ns: Some(run.predicted_ns),
            spread: spread(&run.times_ns),
            hop_ns: None,
            rounds: Some(run.times_ns.len()),
            speedup_min: slowest.map(|&time| ratio(base_ns, time)),
            speedup_max: fastest.map(|&time| ratio(base_ns, time)),
            plan_ns_per_tx_max: None,
        }
    }
}

/// How long a block took on one thread, by its two plans.
#[derive(Default)]
struct Base([Vec<u64>; 2]);

impl Base {
    fn push(&mut self, times: [u64; 2]) {
        self.0.iter_mut().zip(times).for_each(|(all, time)| all.push(time));
    }

    /// The faster plan's median.
    fn best(&self) -> u64 {
        median(&mut self.rounds().clone())
    }

    /// The faster plan's time in each round.
    fn rounds(&self) -> &Vec<u64> {
        let [graph, batches] = &self.0;
        let is_faster = median(&mut graph.clone()) <= median(&mut batches.clone());
        if is_faster { graph } else { batches }
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
    /// In each round; the least first.
    times_ns: Vec<u64>,
    /// What all threads of the process took.
    cpu_ns: Vec<u64>,
    /// What the simulator says.
    predicted_ns: u64,
}

impl Run<'_> {
    /// The time in the middle.
    fn makespan_ns(&self) -> u64 {
        self.times_ns.get(self.times_ns.len() / 2).copied().unwrap_or(0)
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

fn time(
    executor: &mut Executor,
    plan: &Plan,
    world: &World,
    block: &UnsignedBlock,
) -> Result<u64, WorldError> {
    let (txs, state) = (block.txs(), world.state());
    let start = Instant::now();
    let output = executor.execute(&txs, plan, &state, ENV)?;
    let time = start.elapsed();
    drop(output);
    Ok(nanos(time))
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
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
        RealRuns { distance: |_| SCRIPT.with_borrow_mut(|script| script.remove(0)), ..runs() }
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
            Ok(vec![Overheads { dispatch: found.get(), ..Overheads::default() }; schedulers.len()])
        };
        // Before, and after each search: what is seen, how often was searched, whose overheads count.
        for (script, hop, n_found, dispatch) in [
            (&[60, 280, 270][..], 270, 2, 2), // it changed: only the second counts
            (&[290], 290, 2, 2),
            (&[60, 66], 66, 3, 3),
            (&[250], 250, 3, 2),
            (&[700, 60], 60, 4, 3), // it changed back to what is known
        ] {
            SCRIPT.set(script.to_vec());
            assert_eq!(runs.calibrate(800, find).unwrap(), hop, "{script:?}");
            assert_eq!(
                (found.get(), runs.overheads[0].dispatch),
                (n_found, dispatch),
                "{script:?}"
            );
        }
        assert_eq!(runs.calibrations().len(), 2);
    }

    #[test]
    fn a_block_during_which_the_distance_changes_is_measured_again() {
        let mut runs = scripted();
        let zeros = vec![Overheads::default(); SCHEDULERS.len()];
        for hop_ns in [60, 280] {
            runs.calibrations.push(Calibration { hop_ns, n_txs: 800, overheads: zeros.clone() });
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
        let how = Measure { n_rounds: 9, limit: Some(Duration::ZERO), ..HOW };
        let mut runs = RealRuns { how, ..scripted() };
        let found = Cell::new(0);
        let find = |schedulers: &[&dyn Scheduler], _, _| {
            found.set(found.get() + 1);
            Ok(vec![Overheads::default(); schedulers.len()])
        };
        // Before, and after each search: how often was searched.
        for (script, n_found) in [(&[60, 60][..], 1), (&[110], 1), (&[130, 130], 2)] {
            SCRIPT.set(script.to_vec());
            runs.calibrate(800, find).unwrap();
            assert_eq!(found.get(), n_found, "{script:?}");
        }
        SCRIPT.set(vec![60, 280]);
        let input = Input::new("one".to_owned(), vec![InputTx::default()]);
        for row in runs.input(&input).unwrap() {
            assert_eq!((row.rounds, row.hop_ns), (Some(N_ROUNDS_OF_LONG), None));
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
    fn a_list_that_is_too_long_is_named() {
        let accesses = (0..1024).map(|key| (key, AccessKind::Read, false)).collect();
        let txs = vec![InputTx::default(), InputTx { accesses, ..InputTx::default() }];
        let error = runs().input_once(&Input::new("long".to_owned(), txs));
        assert_eq!(
            error.unwrap_err().to_string(),
            "transaction 1 of long touches 1024 keys, and a list names at most 1023"
        );
    }
}
