//! Real runs in wasm, by the plans of the schedulers, against the serial oracle; and what the simulator
//! predicts for them from runs on one thread.

mod best;
mod block;
mod calibration;
mod hops;
mod quiet;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use block::Bench;
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
    /// How often each plan runs at least; until three of the fastest runs of each are within 3 %, or this often if that is less, but
    /// not more than eight times as often.
    pub n_rounds: usize,
    /// How long a block may be measured, about, if there have been as many rounds as there have to be. Of that, it may wait for half
    /// until nothing slows the processors down.
    /// A block is not measured again that took as long already, and overheads are found again only where threads are
    /// twice as far apart, and not more than once. If none is given: ten seconds, of which two for waiting, and anything is measured again.
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
    /// Tells how far the threads of an executor are apart.
    distance: fn(&Executor) -> u64,
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
/// How often overheads are found for a size at most: after that the nearest count, as where noise makes each another.
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
            let is_steady = is_alike(hop_ns, self.distance()?);
            let is_late = self.how.limit.is_some_and(|limit| start.elapsed() >= limit);
            if is_steady || is_late || n_tries == N_TRIES {
                rows.iter_mut().for_each(|row| row.hop_ns = is_steady.then_some(hop_ns));
                return Ok(rows);
            }
        }
    }

    /// For so many measurements in a round, until there have been as many rounds as possible: half of the time that a block has.
    fn patience(&self, n: usize) -> Patience {
        let all = self.how.limit.map_or(PATIENCE, |limit| limit / 2);
        Patience::new(all, n * N_ROUNDS_FOR_ONE * self.how.n_rounds, self.slowness)
    }

    /// Whether no round follows after so many, the first of which began at a time.
    fn is_over(&self, n: usize, start: Instant, are_settled: impl FnOnce() -> bool) -> bool {
        let Measure { n_rounds, limit, .. } = self.how;
        let is_late =
            || start.elapsed() >= limit.unwrap_or(SETTLE) || n >= N_ROUNDS_FOR_ONE * n_rounds;
        n >= n_rounds && (is_late() || are_settled())
    }

    /// Takes note of what others measured for these.
    fn note_all(&self, others: &Self) {
        for (own, of_others) in
            [(&self.n_measured, &others.n_measured), (&self.n_unsettled, &others.n_unsettled)]
        {
            own.fetch_add(of_others.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Takes note of whether a plan settled that was measured.
    fn note(&self, is_settled: bool) {
        self.n_measured.fetch_add(1, Ordering::Relaxed);
        self.n_unsettled.fetch_add((!is_settled).into(), Ordering::Relaxed);
    }

    /// Of what was measured how much settled, in thousandths.
    fn settled_permille(&self) -> u64 {
        let [all, unsettled] =
            [&self.n_measured, &self.n_unsettled].map(|n| n.load(Ordering::Relaxed));
        share(1000, all - unsettled, all)
    }

    /// How far threads are apart now.
    fn distance(&self) -> Result<u64, WorldError> {
        Ok((self.distance)(&pinned(&self.world.base, self.how.n_threads.max(2))?))
    }

    /// Takes the overheads for threads as far apart as they are, in blocks of such a size, and says how far; finds them
    /// where there are none that settled.
    fn calibrate(
        &mut self,
        n_txs: u64,
        find: impl Fn(&[&dyn Scheduler], Measure, u64) -> Result<Calibration, WorldError>,
    ) -> Result<u64, WorldError> {
        let mut hop_ns = self.distance()?;
        for _ in 0..N_TRIES {
            let n_found = self.known.iter().filter(|known| known.n_txs == n_txs).count();
            let n_max = self.how.limit.map_or(CALIBRATIONS_MAX, |_| N_TRIES);
            let is_near = |known: u64| match self.how.limit {
                None => is_alike(known, hop_ns),
                Some(_) => known.max(hop_ns) < 2 * known.min(hop_ns),
            };
            let is_known =
                |(known, found): (u64, &Calibration)| found.is_settled() && is_near(known);
            if n_found >= n_max || self.of_size(n_txs).any(is_known) {
                break;
            }
            let found = find(self.schedulers, self.how, n_txs)?;
            let before = std::mem::replace(&mut hop_ns, self.distance()?);
            let is_steady = is_alike(before, hop_ns) && before < APART_NS_MAX;
            self.known.push(Calibration { hop_ns: is_steady.then_some(before), ..found });
        }
        let distance = |(known, found): &(u64, &Calibration)| {
            let apart_permille = 1000 * hop_ns.max(*known) / hop_ns.min(*known).max(1);
            (!is_alike(hop_ns, *known), !found.is_settled(), apart_permille)
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

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
