//! Real runs in wasm, by the plans of the schedulers, against the serial oracle; and what the simulator
//! predicts for them from runs on one thread.

mod best;
mod block;
mod calibration;
mod hops;
mod quiet;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use best::BlockTimes;
use block::Bench;
use calibration::{Place, Seen};
pub(crate) use hops::is_alike;
use hops::{APART_NS_MAX, hop_ns};
use kempe_runtime::executor::Executor;
use kempe_runtime::scheduler::Scheduler;
use kempe_runtime::types::Prices;
use quiet::{Patience, slowness_permille};

use crate::{Input, Overheads, ReplayWorld, Row, World, WorldError};

/// There are at most so many times as many rounds as there have to be: what does not settle in so many does not in more.
const N_ROUNDS_FOR_ONE: usize = 8;

/// How long a block may be measured after the rounds that there have to be, where no other limit is given.
const SETTLE: Duration = Duration::from_secs(10);

/// How long a block may wait until nothing slows the processors down, where no other limit is given: longer than what
/// slows them down mostly lasts.
const PATIENCE: Duration = Duration::from_secs(2);

/// How blocks are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// On how many threads.
    pub n_threads: usize,
    /// How often each plan runs at least, all times together; until three of the fastest runs of each are within 3 %, or this often if
    /// that is less, but each time not more than eight times as often.
    pub n_rounds: usize,
    /// How long a block may be measured each time, about, if there have been as many rounds as there have to be. Of that, it may wait for
    /// half until nothing slows the processors down.
    /// A block is not measured again that took as long already, and overheads are found again, each time, only where threads are
    /// twice as far apart, and not more than once. If none is given: ten seconds, of which two for waiting, and anything is measured again.
    pub limit: Option<Duration>,
}

/// Real runs of blocks by the plans of schedulers, in rounds in which each that is not settled follows another, beside one
/// thread that runs the transactions in the given order.
///
/// Only executing is timed: lists, numbers and plans are made before, and so are the values on which
/// a plan of [`Form::Values`](kempe_runtime::scheduler::Form::Values) runs. A row's prediction is the simulator's, from what the
/// run on one thread took and from what running costs beside, which was found on other blocks.
///
/// ```
/// use std::time::Duration;
///
/// use kempe_bench::{Input, Measure, Pattern, RealRuns};
/// use kempe_runtime::scheduler::{Color, Graph};
///
/// let how = Measure { n_threads: 2, n_rounds: 3, limit: Some(Duration::from_millis(100)) };
/// let mut runs = RealRuns::new(&[&Color, &Graph], how)?;
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
    known: Vec<Search>,
    /// Tells how far the threads of an executor are apart.
    distance: fn(&Executor) -> u64,
    /// Tells how slow the threads of an executor are now, in thousandths.
    slowness: fn(&Executor) -> u64,
    world: ReplayWorld,
}

/// What a block took whenever it was timed, for rows of all these times: see [`RealRuns::time`]. Of one block, and for one [`RealRuns`].
///
/// ```
/// use std::time::Duration;
///
/// use kempe_bench::{Measure, Pattern, RealRuns, Timed};
/// use kempe_runtime::scheduler::{Color, Graph};
///
/// let inputs = ["amm:txs=100".parse::<Pattern>()?.generate()?, "chain:txs=100".parse::<Pattern>()?.generate()?];
/// let mut timed = vec![Timed::default(); inputs.len()];
/// let how = Measure { n_threads: 2, n_rounds: 3, limit: Some(Duration::from_millis(100)) };
/// let mut runs = RealRuns::new(&[&Color, &Graph], how)?;
/// for (input, timed) in inputs.iter().zip(&mut timed) {
///     runs.time(input, timed)?;
/// }
/// for (input, timed) in inputs.iter().zip(&mut timed) {
///     assert!(runs.input_timed(input, timed)?.iter().all(|row| row.root_equal));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Timed {
    /// How often.
    n: usize,
    /// By how far threads were apart all the time.
    at: Vec<(u64, TimedAt)>,
}

/// The same as long as threads are so far apart.
#[derive(Clone, Debug, Default)]
struct TimedAt {
    /// The block, and without burning time.
    block: BlockTimes,
    idle: BlockTimes,
}

/// Overheads, and what they were found from.
#[derive(Clone, Debug, Default)]
struct Search {
    calibration: Calibration,
    seen: Seen,
    n_searches: usize,
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

/// Overheads are found again where less of what they were found on settled, in thousandths. Ours to choose: three searches of which 638, 694 and 833
/// settled gave what an execution by `color` costs as 172 to 240 ns, and others, in which less than half did, up to 5,000.
const SETTLED_PERMILLE_MIN: u64 = 500;

impl Calibration {
    fn is_settled(&self) -> bool {
        self.settled_permille >= SETTLED_PERMILLE_MIN
    }
}

/// The sizes of the blocks on which overheads are found, of which the nearest counts: what transactions share of the caches and of the way
/// to memory is another in a larger block. The first two are those of the presets of `kempe bench`.
const SIZES: [u64; 3] = [1000, 4000, 10_000];
/// How often overheads are found for a size at most, for each time of a block: after that the nearest count, as where noise makes each another.
const CALIBRATIONS_MAX: usize = 6;
/// How often a block is measured or overheads are found, at most, because threads were not as far apart after it as
/// before.
const N_TRIES: usize = 2;

impl<'s> RealRuns<'s> {
    /// Runs plans of these schedulers. What they cost beside the transactions is found before a block runs, unless
    /// threads are as far apart as they once were when it was found; it takes ten seconds, and up to a minute on a machine that others use too.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn new(schedulers: &'s [&'s dyn Scheduler], how: Measure) -> Result<Self, WorldError> {
        let overheads = vec![Overheads::default(); schedulers.len()];
        let used = Calibration { overheads, ..Calibration::default() };
        let (known, world) = (Vec::new(), ReplayWorld::new()?);
        let (distance, slowness) = (hop_ns, slowness_permille);
        Ok(Self { schedulers, how, used, known, distance, slowness, world })
    }

    /// What the predictions of the last block take for what running costs beside the transactions.
    #[must_use]
    pub fn calibration(&self) -> &Calibration {
        &self.used
    }

    /// Measures again what was measured while the distance between threads changed, and says what that was. What was timed at another
    /// distance does not count, until threads are as far apart again, nor later what was timed while it changed.
    fn measured<T>(
        &mut self,
        n_txs: usize,
        timed: &mut Timed,
        measure: impl Fn(&Self, &mut TimedAt) -> Result<T, WorldError>,
    ) -> Result<(T, Option<u64>), WorldError> {
        let mut n_tries = 0;
        loop {
            n_tries += 1;
            let hop_ns = self.calibrate(size_for(n_txs), timed.n + 1, calibration::find)?;
            let near = timed.at.iter().enumerate().map(|(at, (known, _))| (*known, at));
            let near = near.filter(|(known, _)| is_alike(*known, hop_ns));
            let known = near.min_by_key(|(known, _)| known.abs_diff(hop_ns)).map(|(_, at)| at);
            let mut now = known.map_or_else(TimedAt::default, |at| timed.at[at].1.clone());
            let start = Instant::now();
            let found = measure(self, &mut now)?;
            let is_steady = is_alike(hop_ns, self.distance()?);
            match known {
                Some(at) if is_steady => timed.at[at].1 = now,
                None if is_steady => timed.at.push((hop_ns, now)),
                _ => {}
            }
            let is_late = self.how.limit.is_some_and(|limit| start.elapsed() >= limit);
            if is_steady || is_late || n_tries == N_TRIES {
                timed.n += 1;
                return Ok((found, is_steady.then_some(hop_ns)));
            }
        }
    }

    /// Whether what was found when threads were so far apart counts where they are otherwise.
    fn is_near(&self, known: u64, hop_ns: u64) -> bool {
        match self.how.limit {
            None => is_alike(known, hop_ns),
            Some(_) => is_alike(known, hop_ns) || known.max(hop_ns) < 2 * known.min(hop_ns),
        }
    }

    /// The most rounds in a row.
    fn n_rounds_max(&self) -> usize {
        self.how.n_rounds.saturating_mul(N_ROUNDS_FOR_ONE)
    }

    /// For so many measurements in a round, until there have been as many rounds as possible: half of this part of the time that a block has.
    fn patience(&self, n: usize, (part, whole): (u32, u32)) -> Patience {
        let all = self.how.limit.map_or(PATIENCE, |limit| limit / 2).saturating_mul(part) / whole;
        Patience::new(all, n.saturating_mul(self.n_rounds_max()), self.slowness)
    }

    /// Whether no round follows after so many, those of another time and those since `start`, with such a part of the time that a block has:
    /// there is at least one.
    fn is_over(
        &self,
        [n_before, n]: [usize; 2],
        (start, (part, whole)): (Instant, (u32, u32)),
        are_settled: impl FnOnce() -> bool,
    ) -> bool {
        let limit = || self.how.limit.unwrap_or(SETTLE).saturating_mul(part) / whole;
        let is_late = || start.elapsed() >= limit() || n >= self.n_rounds_max();
        n > 0 && n_before + n >= self.how.n_rounds && (is_late() || are_settled())
    }

    /// How far threads are apart now.
    fn distance(&self) -> Result<u64, WorldError> {
        Ok((self.distance)(&pinned(&self.world.base, self.how.n_threads.max(2))?))
    }

    /// Takes the overheads for threads as far apart as they are, in blocks of such a size, and says how far; finds them
    /// where they were not found so many times, or did not settle.
    fn calibrate(
        &mut self,
        n_txs: u64,
        n_searches: usize,
        find: impl Fn(&[&dyn Scheduler], Measure, Place, &mut Seen) -> Result<Calibration, WorldError>,
    ) -> Result<u64, WorldError> {
        let mut hop_ns = self.distance()?;
        for _ in 0..N_TRIES {
            let of_size = self.known.iter().filter(|known| known.calibration.n_txs == n_txs);
            let n_found: usize = of_size.map(|known| known.n_searches).sum();
            let n_max = n_searches * self.how.limit.map_or(CALIBRATIONS_MAX, |_| N_TRIES);
            let near = self.known.iter().enumerate().filter_map(|(at, known)| {
                let Calibration { n_txs: of_txs, hop_ns: known, .. } = known.calibration;
                known.filter(|&known| of_txs == n_txs && self.is_near(known, hop_ns)).zip(Some(at))
            });
            let near = near.min_by_key(|(known, _)| known.abs_diff(hop_ns)).map(|(_, at)| at);
            let is_found = |at: usize| {
                let known = &self.known[at];
                known.n_searches >= n_searches && known.calibration.is_settled()
            };
            if n_found >= n_max || near.is_some_and(is_found) {
                break;
            }
            // What is found again is found of all times.
            let known = near.map_or_else(Search::default, |at| self.known[at].clone());
            let Search { mut seen, n_searches, calibration } = known;
            let label = calibration.hop_ns;
            let place = Place { n_txs, hop_ns };
            let found = find(self.schedulers, self.how, place, &mut seen)?;
            let before = std::mem::replace(&mut hop_ns, self.distance()?);
            let is_steady = is_alike(before, hop_ns) && before < APART_NS_MAX;
            match near {
                Some(at) if is_steady => {
                    let calibration = Calibration { hop_ns: label, ..found };
                    self.known[at] = Search { calibration, seen, n_searches: n_searches + 1 };
                }
                _ => {
                    let calibration = Calibration { hop_ns: is_steady.then_some(before), ..found };
                    let seen = if is_steady { seen } else { Seen::default() };
                    self.known.push(Search { calibration, seen, n_searches: 1 });
                }
            }
        }
        let distance = |(known, found): &(u64, &Calibration)| {
            let apart_permille = 1000 * hop_ns.max(*known) / hop_ns.min(*known).max(1);
            (!is_alike(hop_ns, *known), !found.is_settled(), apart_permille)
        };
        let nearest = self.of_size(n_txs).min_by_key(distance).map(|(_, known)| known);
        // What was found while it changed is for no distance: the last counts where there is nothing else.
        let all = || self.known.iter().map(|known| &known.calibration);
        let unsettled = || all().rfind(|known| known.n_txs == n_txs);
        let nearest = nearest.or_else(unsettled).expect("where none is known one was found");
        self.used = nearest.clone();
        Ok(hop_ns)
    }

    /// What is known for blocks of a size, with how far threads were apart all the time.
    fn of_size(&self, n_txs: u64) -> impl Iterator<Item = (u64, &Calibration)> {
        let known = self.known.iter().map(|known| &known.calibration);
        let known = known.filter(move |known| known.n_txs == n_txs);
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
        self.input_timed(input, &mut Timed::default())
    }

    /// As [`Self::input`], of a block that was timed before: the rows are of all times when threads were as far apart, and so are the overheads.
    ///
    /// # Errors
    /// As [`Self::input`].
    pub fn input_timed(
        &mut self,
        input: &Input,
        timed: &mut Timed,
    ) -> Result<Vec<Row>, WorldError> {
        self.check(input)?;
        let rows = |runs: &Self, timed: &mut TimedAt| runs.rows_once(input, timed);
        let (mut rows, hop_ns) = self.measured(input.n_txs(), timed, rows)?;
        rows.iter_mut().for_each(|row| row.hop_ns = hop_ns);
        Ok(rows)
    }

    /// Times a block, for [`Self::input_timed`] to do it again after others: what slows a machine down for seconds may be over then, and
    /// the fastest runs count.
    ///
    /// # Errors
    /// As [`Self::input`].
    pub fn time(&mut self, input: &Input, timed: &mut Timed) -> Result<(), WorldError> {
        self.check(input)?;
        self.measured(input.n_txs(), timed, |runs, timed| {
            runs.input_once(input, timed, |bench, costs| bench.run(costs).map(drop))
        })?;
        Ok(())
    }

    /// Refuses a block that cannot run, before anything is measured for it.
    fn check(&self, input: &Input) -> Result<(), WorldError> {
        if input.calls().is_none() {
            self.world.block(input)?;
        }
        Ok(())
    }

    fn rows_once(&self, input: &Input, timed: &mut TimedAt) -> Result<Vec<Row>, WorldError> {
        self.input_once(input, timed, |bench, costs| bench.rows(costs))
    }

    /// Finds what transactions cost, and makes something of it.
    fn input_once<T>(
        &self,
        input: &Input,
        timed: &mut TimedAt,
        then: impl Fn(&mut Bench<'_>, &[u64]) -> Result<T, WorldError>,
    ) -> Result<T, WorldError> {
        if let Some(calls) = input.calls() {
            let name = input.name().to_owned();
            let mut bench = Bench::new(name, &calls.world, &calls.block, self, &mut timed.block)?;
            let (all_ns, fuel) = (bench.base()?, input.costs().iter().sum());
            let costs = input.costs().iter().map(|&cost| share(all_ns, cost, fuel).max(1));
            return then(&mut bench, &costs.collect::<Vec<_>>());
        }
        let world = &self.world;
        let idle_block = world.idle_block(input)?;
        let mut idle = Bench::new(String::new(), &world.base, &idle_block, self, &mut timed.idle)?;
        let idle_ns = idle.base()?;
        let block = world.block(input)?;
        let name = input.name().to_owned();
        let mut bench = Bench::new(name, &world.base, &block, self, &mut timed.block)?;
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
        then(&mut bench, &costs.collect::<Vec<_>>())
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

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
