//! What running plans costs beside the transactions, found on blocks made for it.
//!
//! Each overhead is what the simulator still lacks on a block where nothing else shows: first what of a block's
//! time is not executing it, which is what a chain gains from other threads; then what each
//! execution costs, on short independent transactions; then how much longer they take while others
//! run, on long ones, and on a few of them until when the others run; then a value that another worker has, where there is always something to
//! run; then what a barrier costs, taking from a batch, and a hand-over, on ladders whose rungs wait for the rung before.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use kempe_abi::AccessKind;
use kempe_runtime::scheduler::{Form, Graph, Layers, Scheduler};

use super::best::BlockTimes;
use super::block::{Bench, Run};
use super::{Calibration, Measure, RealRuns, share};
use crate::{Input, InputTx, Overheads, WorldError, simulate};

/// What each transaction of a block of short ones burns: about as much as a transfer takes. Locks
/// that workers fight for cost more where transactions are shorter still.
const SHORT_NS: u64 = 1000;
/// How many keys they name: few, and many.
const N_KEYS: [u64; 2] = [2, 12];
/// How many transactions stand on each rung of a ladder: few, and many.
const N_ON_RUNG: [u64; 2] = [2, 16];
/// How many keys are written by all for each worker, where values move between workers: few, and yet so many that there is always something
/// to run for each.
const N_SHARED: u64 = 32;
/// To how many transactions add: two to the same as often as where 1,000 accounts are drawn by Zipf's law with exponent 1.
const N_SUMS: u64 = 34;
/// Those of a block of long ones: so long that what is done beside them does not show.
const LONG: (u64, u64) = (100, 20_000);

/// How many transactions, and what each burns.
type Block = (u64, u64);

/// How long each block is measured, where no other limit is given: a few dozen rounds.
const LIMIT: Duration = Duration::from_secs(2);

/// What a transaction of such blocks is planned to cost: about what it does, whatever that is.
const PLANNED_NS: u64 = 1000;

/// What was seen in searches: what each block took, by its name and who planned it.
pub(super) type Seen = BTreeMap<String, BlockTimes>;

/// Finds the overheads of all schedulers, from what is measured now and what was seen before. How far threads are apart is not looked at.
pub(super) fn find(
    schedulers: &[&dyn Scheduler],
    how: Measure,
    n_txs: u64,
    seen: &mut Seen,
) -> Result<Calibration, WorldError> {
    let short = (n_txs, SHORT_NS);
    let alike = alike(schedulers, &independent(short, N_KEYS[0]), how.n_threads);
    let firsts: Vec<&dyn Scheduler> = alike.0.iter().map(|&at| schedulers[at]).collect();
    // There are sixteen blocks.
    let limit = how.limit.map_or(LIMIT, |limit| limit / 2);
    let mut runs = RealRuns::new(&firsts, Measure { limit: Some(limit), ..how })?;
    all(&mut runs, short, seen)?;
    let overheads = alike.1.iter().map(|&at| runs.used.overheads[at]).collect();
    let plans = || seen.values().flat_map(|times| times.are_settled(how.n_rounds));
    let n_settled = plans().filter(|is_settled| *is_settled).count();
    let settled_permille = share(1000, n_settled as u64, plans().count() as u64);
    Ok(Calibration { hop_ns: None, n_txs, settled_permille, overheads })
}

/// The schedulers that plan transactions which wait for nobody in different ways, and for each scheduler the place among
/// them of the one that plans as it does: what runs in the same way costs the same.
fn alike(
    schedulers: &[&dyn Scheduler],
    input: &Input,
    n_workers: usize,
) -> (Vec<usize>, Vec<usize>) {
    let (mut firsts, mut plans, mut places) = (Vec::new(), Vec::new(), Vec::new());
    for (at, scheduler) in schedulers.iter().enumerate() {
        let plan = scheduler.plan(&input.block(), n_workers);
        let known = plans.iter().position(|known| *known == plan);
        places.push(known.unwrap_or(plans.len()));
        if known.is_none() {
            firsts.push(at);
            plans.push(plan);
        }
    }
    (firsts, places)
}

/// Finds the overheads of all schedulers of `runs`, which has none.
fn all(runs: &mut RealRuns<'_>, short: Block, seen: &mut Seen) -> Result<(), WorldError> {
    let (around, around_key) = around(runs, short, seen)?;
    for overheads in &mut runs.used.overheads {
        *overheads = Overheads { around, around_key, ..*overheads };
    }
    dispatch(runs, short, seen)?;
    let n_others = (runs.how.n_threads as u64).saturating_sub(1).max(1);
    let long = independent(LONG, N_KEYS[0]);
    for (at, (found, _)) in measure(runs, &long, seen)?.into_iter().enumerate() {
        let inflation = share(1000, found.missing_ns, found.predicted_ns);
        runs.used.overheads[at].inflation_permille = inflation / n_others;
    }
    wake(runs, seen)?;
    waiting(runs, short, seen)?;
    adding_together(runs, short, seen)
}

/// What of a transaction's time is not executing it, and for each key of the block: what it costs less on several threads although
/// it has to wait for the one before.
fn around(all: &RealRuns<'_>, short: Block, seen: &mut Seen) -> Result<(u64, u64), WorldError> {
    let schedulers: [&dyn Scheduler; 1] = [&Graph];
    let runs = RealRuns::new(&schedulers, all.how)?;
    let n_threads = all.how.n_threads as u64;
    let mut each = |n_keys| -> Result<u64, WorldError> {
        let runs = measure(&runs, &chain(short, n_keys), seen)?.into_iter();
        let gained = |(found, cost): (Found, u64)| {
            let saved = (cost * short.0).saturating_sub(found.makespan_ns);
            saved * n_threads / n_threads.saturating_sub(1).max(1) / short.0
        };
        Ok(runs.map(gained).min().unwrap_or(0))
    };
    let [few, many] = [each(N_KEYS[0])?, each(N_KEYS[1])?];
    // All but one are keys of its own.
    let key = many.saturating_sub(few) / (N_KEYS[1] - N_KEYS[0]);
    Ok((few.saturating_sub(key * (N_KEYS[0] - 1)), key))
}

/// Finds what each execution costs beside, each access of it, and each key that nobody had before.
fn dispatch(runs: &mut RealRuns<'_>, short: Block, seen: &mut Seen) -> Result<(), WorldError> {
    let mut each = |input: &Input| -> Result<Vec<u64>, WorldError> {
        let runs = measure(runs, input, seen)?.into_iter();
        Ok(runs.map(|(run, cost)| share(cost, run.missing_ns, run.predicted_ns)).collect())
    };
    let [few, own] = [each(&independent(short, N_KEYS[0]))?, each(&independent(short, N_KEYS[1]))?];
    let shared = each(&sharing(short))?;
    let more = N_KEYS[1] - N_KEYS[0];
    for (at, overheads) in runs.used.overheads.iter_mut().enumerate() {
        let of_own = own[at].saturating_sub(few[at]) / more;
        let of_shared = shared[at].saturating_sub(few[at]) / more;
        overheads.access = of_shared.min(of_own);
        overheads.key = of_own - overheads.access;
        overheads.dispatch = few[at].saturating_sub(of_own * N_KEYS[0]);
    }
    Ok(())
}

/// Finds how long it takes until the other workers begin, on a block with one transaction for each.
fn wake(runs: &mut RealRuns<'_>, seen: &mut Seen) -> Result<(), WorldError> {
    let one_each = independent((runs.how.n_threads as u64, 5 * LONG.1), N_KEYS[0]);
    let found = measure(runs, &one_each, seen)?;
    for (overheads, (found, _)) in runs.used.overheads.iter_mut().zip(found) {
        overheads.wake = found.missing_ns;
    }
    Ok(())
}

/// Finds what a value costs that another worker has, with what a graph does to keep its writers in order, where something else runs meanwhile; what a barrier costs, what taking from a batch,
/// and what a hand-over, on ladders with few and with many transactions on a rung, by plans that wait on each rung; and what
/// a batch of one costs, and what one worker has to do when a batch of which many add to the same ends.
fn waiting(runs: &mut RealRuns<'_>, short: Block, seen: &mut Seen) -> Result<(), WorldError> {
    let schedulers: [&dyn Scheduler; 2] = [&Layers, &Graph];
    let mut own = RealRuns::new(&schedulers, runs.how)?;
    if let Some(&Overheads { around, around_key, .. }) = runs.used.overheads.first() {
        own.used.overheads.fill(Overheads { around, around_key, ..Overheads::default() });
    }
    dispatch(&mut own, short, seen)?;
    let graphs = [schedulers[1]];
    let mut graph = RealRuns::new(&graphs, runs.how)?;
    graph.used.overheads = own.used.overheads[1..].to_vec();
    let n_shared = N_SHARED * runs.how.n_threads.max(1) as u64;
    let shared = probe(&graph, short, |short| moving(short, n_shared), seen)?;
    let [narrow, wide] =
        N_ON_RUNG.map(|n_on_rung| probe(&own, short, |short| ladder(short, n_on_rung), seen));
    let (narrow, wide) = (narrow?, wide?);
    let [of_batches, of_graphs] = [own.used.overheads[0], own.used.overheads[1]];
    let remote = shared[0].lacks(of_graphs, |some| Overheads { remote: SOME_NS, ..some });
    let remote = share(SOME_NS, remote[0], remote[1]);
    let [of_batches, of_graphs] = [of_batches, of_graphs].map(|of| Overheads { remote, ..of });
    let step = |some: Overheads| Overheads { barrier: SOME_NS, handover: SOME_NS, ..some };
    let take = |some: Overheads| Overheads { take: SOME_NS, ..some };
    let handover = narrow[1].lacks(of_graphs, step);
    let handover = share(SOME_NS, handover[0], handover[1]);
    let (barrier, taken) = solved([&narrow[0], &wide[0]].map(|probe| {
        let [missing, by_barriers] = probe.lacks(of_batches, step);
        [missing, by_barriers, probe.lacks(of_batches, take)[1]]
    }));
    let found = Overheads { barrier, take: taken, ..of_batches };
    own.used.overheads[0] = found;
    let mut per_tx = |input: &Input| -> Result<u64, WorldError> {
        Ok(measure(&own, input, seen)?[0].0.missing_ns / short.0)
    };
    let single = per_tx(&chain(short, N_KEYS[0]))?;
    let settle = per_tx(&adding(short))?;
    for overheads in &mut runs.used.overheads {
        let Overheads { remote, take, .. } = found;
        let known = Overheads { barrier, handover, take, remote, ..*overheads };
        *overheads = Overheads { single, settle, ..known };
    }
    Ok(())
}

/// Finds what adding to what others add to costs each on its way, where there are no batches.
fn adding_together(
    runs: &mut RealRuns<'_>,
    short: Block,
    seen: &mut Seen,
) -> Result<(), WorldError> {
    let (input, n_workers) = (adding(short), runs.how.n_threads);
    for (at, (found, _)) in measure(runs, &input, seen)?.into_iter().enumerate() {
        let plan = runs.schedulers[at].plan(&input.block(), n_workers);
        if !matches!(plan.form(), Form::Batches(_)) {
            runs.used.overheads[at].add = found.missing_ns * n_workers as u64 / short.0;
        }
    }
    Ok(())
}

/// A block on which transactions wait, as it was run.
struct Probe<'s> {
    scheduler: &'s dyn Scheduler,
    input: Input,
    n_workers: usize,
    makespan_ns: u64,
}

impl Probe<'_> {
    fn predicted(&self, overheads: Overheads) -> u64 {
        let block = self.input.block();
        let plan = self.scheduler.plan(&block, self.n_workers);
        simulate(&plan, &block, self.n_workers, overheads).makespan
    }

    /// What the simulator lacks with these overheads, and how much longer its run is by [`SOME_NS`] of another one.
    fn lacks(&self, known: Overheads, with: impl Fn(Overheads) -> Overheads) -> [u64; 2] {
        let predicted = self.predicted(known);
        let longer = self.predicted(with(known)).saturating_sub(predicted);
        [self.makespan_ns.saturating_sub(predicted), longer]
    }
}

/// For each scheduler.
fn probe<'s>(
    runs: &RealRuns<'s>,
    short: Block,
    input: impl Fn(Block) -> Input,
    seen: &mut Seen,
) -> Result<Vec<Probe<'s>>, WorldError> {
    let found = measure(runs, &input(short), seen)?;
    let found = found.into_iter().zip(runs.schedulers);
    let probes = found.map(|((found, cost), &scheduler)| Probe {
        scheduler,
        input: input((short.0, cost)),
        n_workers: runs.how.n_threads,
        makespan_ns: found.makespan_ns,
    });
    Ok(probes.collect())
}

/// About what is looked for.
const SOME_NS: u64 = 100;

/// The two, in nanoseconds, that explain what is missing in two runs, each given with how much longer it is by [`SOME_NS`] of
/// each; neither is negative.
fn solved([one, other]: [[u64; 3]; 2]) -> (u64, u64) {
    let minor = |a: usize, b: usize| {
        i128::from(one[a]) * i128::from(other[b]) - i128::from(other[a]) * i128::from(one[b])
    };
    let alone = |of: [u64; 3], by: usize| share(SOME_NS, of[0], of[by]);
    let determinant = minor(1, 2);
    if determinant == 0 {
        return (alone(one, 1), 0);
    }
    let [first, second] =
        [minor(0, 2), minor(1, 0)].map(|minor| i128::from(SOME_NS) * minor / determinant);
    match (u64::try_from(first), u64::try_from(second)) {
        (Ok(first), Ok(second)) => (first, second),
        (Err(_), _) => (0, alone(other, 2)),
        (_, Err(_)) => (alone(one, 1), 0),
    }
}

/// What a block took by a scheduler's plan, what the simulator says of that, and what it lacks.
struct Found {
    makespan_ns: u64,
    predicted_ns: u64,
    missing_ns: u64,
}

/// What each scheduler's plan took, with what a transaction cost on one thread. What comes out of such blocks is compared
/// in tests only.
fn measure(
    runs: &RealRuns<'_>,
    input: &Input,
    seen: &mut Seen,
) -> Result<Vec<(Found, u64)>, WorldError> {
    let block = runs.world.block(input)?;
    let by: Vec<&str> = runs.schedulers.iter().map(|scheduler| scheduler.name()).collect();
    let times = seen.entry(format!("{} by {}", input.name(), by.join(", "))).or_default();
    let name = input.name().to_owned();
    let mut bench = Bench::new(name, &runs.world.base, &block, runs, times)?;
    bench.base()?;
    let ran = bench.predicted(&vec![PLANNED_NS; input.n_txs()])?;
    let cost = (ran.base_ns / (input.n_txs() as u64).max(1)).max(1);
    let found = |run: &Run<'_>| Found {
        makespan_ns: run.makespan_ns(),
        predicted_ns: run.predicted_ns,
        missing_ns: run.missing_ns(),
    };
    Ok(ran.runs.iter().map(|run| (found(run), cost)).collect())
}

/// Transactions that write so many keys each.
fn independent((n_txs, cost): (u64, u64), n_keys: u64) -> Input {
    let tx = |at: u64| InputTx {
        accesses: (0..n_keys).map(|key| (n_keys * at + key, AccessKind::Write, false)).collect(),
        cost,
        ..InputTx::default()
    };
    Input::new(format!("independent:{n_txs},{cost},{n_keys}"), (0..n_txs).map(tx).collect())
}

/// Transactions that write a few keys of their own, and read the same others: they name many.
fn sharing((n_txs, cost): Block) -> Input {
    let tx = |at: u64| {
        let own =
            (0..N_KEYS[0]).map(|key| (N_KEYS[1] + N_KEYS[0] * at + key, AccessKind::Write, false));
        let shared = (N_KEYS[0]..N_KEYS[1]).map(|key| (key, AccessKind::Read, false));
        InputTx { accesses: own.chain(shared).collect(), cost, ..InputTx::default() }
    };
    Input::new("sharing".to_owned(), (0..n_txs).map(tx).collect())
}

/// Transactions that add to one of [`N_SUMS`] each, drawn for each: whether two that add to the same run at the same time does not depend on
/// how a plan divides them.
fn adding((n_txs, cost): (u64, u64)) -> Input {
    let mut rng = Rng::with_seed(0);
    let mut tx = |at: u64| {
        let own = (N_SUMS + at, AccessKind::Write, false);
        let sum = (rng.u64(..N_SUMS), AccessKind::Add, false);
        InputTx { accesses: vec![own, sum], cost, ..InputTx::default() }
    };
    Input::new("adding".to_owned(), (0..n_txs).map(&mut tx).collect())
}

/// Transactions that all write one key, and others of their own.
fn chain((n_txs, cost): (u64, u64), n_keys: u64) -> Input {
    let tx = |at: u64| {
        let own = (1..n_keys).map(|key| (1 + n_keys * at + key, AccessKind::Write, false));
        let accesses = own.chain([(0, AccessKind::Write, false)]).collect();
        InputTx { accesses, cost, ..InputTx::default() }
    };
    Input::new(format!("chain:{n_keys}"), (0..n_txs).map(tx).collect())
}

/// Transactions that write two of so many keys each, drawn for each.
fn moving((n_txs, cost): Block, n_keys: u64) -> Input {
    let mut rng = Rng::with_seed(0);
    let mut tx = |_: u64| {
        let keys = [rng.u64(..n_keys / 2), rng.u64(n_keys / 2..n_keys)];
        let accesses = keys.map(|key| (key, AccessKind::Write, false)).to_vec();
        InputTx { accesses, cost, ..InputTx::default() }
    };
    Input::new("moving".to_owned(), (0..n_txs).map(&mut tx).collect())
}

/// Rungs of transactions: each writes a key of its own, and reads what two of the rung before wrote, of which one stands where it stands.
fn ladder((n_txs, cost): Block, n_on_rung: u64) -> Input {
    let tx = |at: u64| {
        let (rung, place) = (at / n_on_rung, at % n_on_rung);
        let before = rung.checked_sub(1).into_iter().flat_map(|rung| {
            [place, (place + 1) % n_on_rung].map(|place| rung * n_on_rung + place)
        });
        let reads = before.map(|key| (key, AccessKind::Read, false));
        let accesses = reads.chain([(at, AccessKind::Write, false)]).collect();
        InputTx { accesses, cost, ..InputTx::default() }
    };
    Input::new(format!("ladder:{n_on_rung}"), (0..n_txs).map(tx).collect())
}

#[cfg(test)]
mod tests {
    use kempe_runtime::scheduler::SCHEDULERS;

    use super::super::TimedAt;
    use super::*;

    #[test]
    fn what_waits_for_nobody_is_planned_in_few_ways() {
        let (firsts, places) = alike(&SCHEDULERS, &independent((500, 10), N_KEYS[0]), 2);
        let name = |at: usize| SCHEDULERS[firsts[places[at]]].name();
        let of = |name: &str| SCHEDULERS.iter().position(|known| known.name() == name).unwrap();
        assert_eq!(places.len(), SCHEDULERS.len());
        assert_eq!(name(of("dsatur")), name(of("layers")));
        let forms = ["color", "graph", "versions", "values", "block-stm", "aria", "sequential"];
        let forms: std::collections::BTreeSet<_> = forms.map(|form| places[of(form)]).into();
        assert_eq!(forms.len(), 7, "no two of them run in the same way");
        assert!(firsts.len() < 14, "{firsts:?}");
    }

    #[test]
    fn what_overheads_are_found_on_gives_what_the_oracle_gives() {
        let how = Measure { n_threads: 3, n_rounds: 1, limit: None };
        let runs = RealRuns { slowness: |_| 1000, ..RealRuns::new(&SCHEDULERS, how).unwrap() };
        let short = (60, 10);
        for input in [
            independent(short, N_KEYS[1]),
            sharing(short),
            adding(short),
            chain(short, N_KEYS[0]),
            ladder(short, N_ON_RUNG[0]),
            moving(short, 20),
        ] {
            let rows = runs.rows_once(&input, &mut TimedAt::default()).unwrap();
            assert!(rows.iter().all(|row| row.root_equal), "{}: {rows:?}", input.name());
        }
    }

    #[test]
    fn a_second_search_adds_to_what_the_first_has_seen() {
        let how = Measure { n_threads: 2, n_rounds: 1, limit: Some(Duration::ZERO) };
        let mut seen = Seen::new();
        for n_searches in 1..=2 {
            find(&SCHEDULERS, how, 60, &mut seen).unwrap();
            // As many as there are blocks and who plans them, none under the name of another.
            assert_eq!(seen.len(), 16);
            for (name, times) in &seen {
                assert_eq!(
                    (times.alone.n(), times.plans[0].n()),
                    (n_searches, n_searches),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn a_ladder_has_a_layer_for_each_pair() {
        let ladder = ladder((20, 1), 2);
        let schedule = Layers.plan(&ladder.block(), 2).into_schedule(&ladder.block());
        assert_eq!(schedule.batches().map(<[u32]>::len).collect::<Vec<_>>(), [2; 10]);
        let plan = Graph.plan(&ladder.block(), 2);
        let handover = Overheads { handover: 5, ..Overheads::default() };
        let run = |overheads| simulate(&plan, &ladder.block(), 2, overheads).makespan;
        assert_eq!((run(Overheads::default()), run(handover)), (10, 10 + 9 * 5));
    }
}
