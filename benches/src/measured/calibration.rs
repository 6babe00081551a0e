//! What running plans costs beside the transactions, found on blocks made for it.
//!
//! Each overhead is what the simulator still lacks on a block where nothing else shows: first what of a block's
//! time is not executing it, which is what a chain gains from other threads; then how much longer transactions take while others
//! run, and what each execution costs, on long independent ones and on short ones; on a few long ones until when
//! the others run; then what keeping order costs in a graph, where there is always something to
//! run, and what running before it is known what others do costs where they change the same; then what a barrier costs, taking from a batch, and a hand-over, on ladders whose rungs wait for the rung before; and what additions cost
//! more than versions of the same, which share nothing. What a value costs that another worker has goes with how far threads are apart.

mod blocks;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use kempe_runtime::scheduler::{Form, Graph, Layers, Scheduler, Versions};

use super::best::BlockTimes;
use super::block::{Bench, Run};
use super::hops::APART_NS_MAX;
use super::{Calibration, Measure, RealRuns, share};
use crate::{Input, Model, Overheads, WorldError, simulate_as};

use blocks::{adding, chain, independent, ladder, moving, sharing};

/// What each transaction of a block of short ones burns: next to nothing. The call alone takes more than a transfer does: of those that burned a
/// thousand one took 2,820 to 2,990 ns, and a `token.transfer` 1,020 to 1,080, so that a twentieth of the one, which is noise, was a seventh of the other
/// (2 vCPU AMD EPYC, Zen 4).
const SHORT_NS: u64 = 100;
/// How many keys they name: few, and many.
const N_KEYS: [u64; 2] = [2, 12];
/// How many transactions stand on each rung of a ladder: few, and many.
const N_ON_RUNG: [u64; 2] = [2, 16];
/// How many keys are written by all for each worker, where values move between workers: few, and yet so many that there is always something
/// to run for each.
const N_SHARED: u64 = 32;
/// How many transactions there are for each key that some of them write, where what others left is looked at and nobody waits: each key is written
/// by twice as many, two keys by each. Ours to choose.
const TXS_PER_SHARED: u64 = 4;
/// To how many transactions add: two to the same as often as where 1,000 accounts are drawn by Zipf's law with exponent 1.
const N_SUMS: u64 = 34;
/// How long a value takes that another worker has, in how long it takes until a thread sees what another wrote: a fraction. Found on ladders in quiet, by plans that
/// wait on each rung, together with a hand-over: the median of 18 searches of which more than six tenths settled, at distances of 32 to 42 ns and
/// one of 162 (1.0 there; 2 vCPU AMD EPYC, Zen 4, 31b4efd to 4e81a23). Each search alone gave anything from 0.4 to 4.
const REMOTE_HOPS: (u64, u64) = (4, 3);
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

/// What overheads are found for: blocks of so many transactions, on threads that are so far apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) n_txs: u64,
    pub(super) hop_ns: u64,
}

/// Those by which plans of other forms are told apart: they stand behind the schedulers whose overheads are looked for.
const NEEDED: [&dyn Scheduler; 3] = [&Layers, &Graph, &Versions];

/// Finds the overheads of all schedulers, from what is measured now and what was seen before.
pub(super) fn find(
    schedulers: &[&dyn Scheduler],
    how: Measure,
    Place { n_txs, hop_ns }: Place,
    seen: &mut Seen,
) -> Result<Calibration, WorldError> {
    // There are thirteen blocks.
    let how = Measure { limit: Some(how.limit.map_or(LIMIT, |limit| limit / 2)), ..how };
    let mut times = |runs: &RealRuns<'_>, input: &Input| timed(runs, input, seen);
    let overheads = fitted(schedulers, how, Place { n_txs, hop_ns }, &mut times)?;
    let plans = || seen.values().flat_map(|times| times.are_settled(how.n_rounds));
    let n_settled = plans().filter(|is_settled| *is_settled).count();
    let settled_permille = share(1000, n_settled as u64, plans().count() as u64);
    Ok(Calibration { hop_ns: None, n_txs, settled_permille, overheads })
}

/// What blocks take by the plans of some runs, and what their transactions cost on one thread.
type Measures<'m> = dyn FnMut(&RealRuns<'_>, &Input) -> Result<Vec<(Found, u64)>, WorldError> + 'm;

/// The overheads of all schedulers, by what blocks take.
fn fitted(
    schedulers: &[&dyn Scheduler],
    how: Measure,
    Place { n_txs, hop_ns }: Place,
    measure: &mut Measures<'_>,
) -> Result<Vec<Overheads>, WorldError> {
    let short = (n_txs, SHORT_NS);
    let all: Vec<&dyn Scheduler> = schedulers.iter().copied().chain(NEEDED).collect();
    let (firsts, mut places) = alike(&all, &independent(short, N_KEYS[0]), how.n_threads);
    let firsts: Vec<&dyn Scheduler> = firsts.into_iter().map(|at| all[at]).collect();
    let mut runs = RealRuns::new(&firsts, how)?;
    independently(&mut runs, short, measure)?;
    let remote = if hop_ns < APART_NS_MAX { hop_ns * REMOTE_HOPS.0 / REMOTE_HOPS.1 } else { 0 };
    runs.used.overheads.iter_mut().for_each(|overheads| overheads.remote = remote);
    let needed = places.split_off(schedulers.len());
    together(&mut runs, &needed, short, measure)?;
    Ok(places.iter().map(|&at| runs.used.overheads[at]).collect())
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

/// Finds the overheads of all schedulers of `runs`, which has none, where nobody waits for anybody.
fn independently(
    runs: &mut RealRuns<'_>,
    short: Block,
    measure: &mut Measures<'_>,
) -> Result<(), WorldError> {
    let (around, around_key) = around(runs, short, measure)?;
    for overheads in &mut runs.used.overheads {
        *overheads = Overheads { around, around_key, ..*overheads };
    }
    executions(runs, short, measure)?;
    wake(runs, measure)
}

/// What is looked for is not negative: less is noise.
fn floored(missing_ns: i64) -> u64 {
    u64::try_from(missing_ns).unwrap_or(0)
}

/// What of a transaction's time is not executing it, and for each key of the block: what it costs less on several threads although
/// it has to wait for the one before.
fn around(
    all: &RealRuns<'_>,
    short: Block,
    measure: &mut Measures<'_>,
) -> Result<(u64, u64), WorldError> {
    let schedulers: [&dyn Scheduler; 1] = [&Graph];
    let runs = RealRuns::new(&schedulers, all.how)?;
    let n_threads = all.how.n_threads as u64;
    let mut each = |n_keys| -> Result<u64, WorldError> {
        let runs = measure(&runs, &chain(short, n_keys))?.into_iter();
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

/// Finds how much longer transactions take while others run, and what each execution costs beside, each access of it, and each key that nobody had before. Both are
/// in what any block lacks, so they are told apart by how long transactions are.
fn executions(
    runs: &mut RealRuns<'_>,
    short: Block,
    measure: &mut Measures<'_>,
) -> Result<(), WorldError> {
    let n_workers = runs.how.n_threads as u64;
    let n_others = n_workers.saturating_sub(1);
    // What each execution lacks, and takes on one thread.
    let mut each = |n_txs: u64, input: &Input| -> Result<Vec<(u64, u64)>, WorldError> {
        let found = measure(runs, input)?.into_iter();
        let lacks = |found: Found| floored(found.missing_ns) * n_workers / n_txs;
        Ok(found.map(|(found, cost)| (lacks(found), cost)).collect())
    };
    let few_keys = independent(short, N_KEYS[0]);
    let long = each(LONG.0, &independent(LONG, N_KEYS[0]))?;
    let [few, own] = [each(short.0, &few_keys)?, each(short.0, &independent(short, N_KEYS[1]))?];
    let shared = each(short.0, &sharing(short))?;
    for at in 0..few.len() {
        let (more, longer) =
            (long[at].0.saturating_sub(few[at].0), long[at].1 - few[at].1.min(long[at].1));
        let inflation_permille = share(1000, more, longer) / n_others.max(1);
        let without = |(lacks, cost): (u64, u64)| {
            lacks.saturating_sub(cost * inflation_permille * n_others / 1000)
        };
        let sums = [few[at], own[at], shared[at]].map(without);
        let known = Overheads { inflation_permille, ..runs.used.overheads[at] };
        runs.used.overheads[at] = of_sums(sums, known);
    }
    Ok(())
}

/// With what each execution costs beside, each access and each new key, by what executions cost in all that have few keys of their own, many, and few
/// with as many of others as many are more. Whatever noise is in the others, those with few keys come out as they were. Lists also name
/// the record of the contract.
fn of_sums([few, own, shared]: [u64; 3], known: Overheads) -> Overheads {
    let more = N_KEYS[1] - N_KEYS[0];
    let each = |many: u64| many.saturating_sub(few) / more;
    let of_own = each(own).min(few / (N_KEYS[0] + 1));
    let access = each(shared).min(of_own);
    let dispatch = few - of_own * N_KEYS[0] - access;
    Overheads { access, key: of_own - access, dispatch, ..known }
}

/// Finds how long it takes until the other workers begin, on a block with one transaction for each.
fn wake(runs: &mut RealRuns<'_>, measure: &mut Measures<'_>) -> Result<(), WorldError> {
    let one_each = independent((runs.how.n_threads as u64, 5 * LONG.1), N_KEYS[0]);
    let found = measure(runs, &one_each)?;
    for (overheads, (found, _)) in runs.used.overheads.iter_mut().zip(found) {
        overheads.wake = floored(found.missing_ns);
    }
    Ok(())
}

/// Finds what waiting costs and what adding to the same, by the schedulers of [`NEEDED`], whose overheads so far are those of `runs` at these places.
fn together(
    runs: &mut RealRuns<'_>,
    needed: &[usize],
    short: Block,
    measure: &mut Measures<'_>,
) -> Result<(), WorldError> {
    let forms: Vec<Kind> = (0..runs.schedulers.len()).map(|at| Kind::of(runs, at, short)).collect();
    let of_needed: Vec<Overheads> = needed.iter().map(|&at| runs.used.overheads[at]).collect();
    let [of_layers, of_graph, of_versions] = of_needed[..] else { return Ok(()) };
    let shared = (short, N_SHARED * runs.how.n_threads.max(1) as u64);
    let kept = ordered(runs.how, &NEEDED[1..], &[of_graph, of_versions], shared, measure)?;
    let of_graph = Overheads { ordered: kept[0], ..of_graph };
    let waits = on_ladders(runs.how, [of_layers, of_graph], short, measure)?;
    let known = |of: Overheads, ordered| {
        let Overheads { barrier, take, handover, single, .. } = waits;
        Overheads { barrier, take, handover, single, ordered, ..of }
    };
    let mut of_needed = [(of_layers, 0), (of_graph, kept[0]), (of_versions, kept[1])]
        .map(|(of, ordered)| known(of, ordered))
        .to_vec();
    for (overheads, kind) in runs.used.overheads.iter_mut().zip(&forms) {
        let ordered = match kind {
            Kind::Graph => kept[0],
            Kind::Versions => kept[1],
            _ => 0,
        };
        *overheads = known(*overheads, ordered);
    }
    let of_kinds = |kinds: &'static [Kind]| {
        let all = 0..forms.len();
        all.filter(|&at| kinds.contains(&forms[at])).collect::<Vec<_>>()
    };
    let early = of_kinds(&[Kind::Optimistic, Kind::Rounds]);
    let by: Vec<&dyn Scheduler> = early.iter().map(|&at| runs.schedulers[at]).collect();
    let of_early: Vec<Overheads> = early.iter().map(|&at| runs.used.overheads[at]).collect();
    let shared = (short, short.0.div_ceil(TXS_PER_SHARED).max(2));
    let left = ordered(runs.how, &by, &of_early, shared, measure)?;
    early.iter().zip(left).for_each(|(&at, ns)| runs.used.overheads[at].ordered = ns);
    let optimistic = of_kinds(&[Kind::Optimistic]);
    let all: Vec<&dyn Scheduler> =
        NEEDED.into_iter().chain(optimistic.iter().map(|&at| runs.schedulers[at])).collect();
    of_needed.extend(optimistic.iter().map(|&at| runs.used.overheads[at]));
    let [settle, add, adds @ ..] = &adding_costs(runs.how, &all, of_needed, short, measure)?[..]
    else {
        return Ok(());
    };
    for (overheads, kind) in runs.used.overheads.iter_mut().zip(&forms) {
        overheads.settle = *settle;
        overheads.add = if *kind == Kind::Graph { *add } else { 0 };
    }
    optimistic.iter().zip(adds).for_each(|(&at, add)| runs.used.overheads[at].add = *add);
    Ok(())
}

/// How plans are run, as far as it matters for what they cost where transactions meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Graph,
    Versions,
    Optimistic,
    Rounds,
    Other,
}

impl Kind {
    /// That of a scheduler of `runs`.
    fn of(runs: &RealRuns<'_>, at: usize, short: Block) -> Self {
        let input = independent(short, N_KEYS[0]);
        match runs.schedulers[at].plan(&input.block(), runs.how.n_threads).form() {
            Form::Graph(_) => Self::Graph,
            Form::Versions(_) => Self::Versions,
            Form::Optimistic { .. } => Self::Optimistic,
            Form::Rounds { .. } => Self::Rounds,
            _ => Self::Other,
        }
    }
}

/// Runs of these schedulers, with these overheads.
fn runs_of<'s>(
    schedulers: &'s [&'s dyn Scheduler],
    how: Measure,
    overheads: Vec<Overheads>,
) -> Result<RealRuns<'s>, WorldError> {
    let mut runs = RealRuns::new(schedulers, how)?;
    runs.used.overheads = overheads;
    Ok(runs)
}

/// What each of these schedulers does more where transactions change so many shared keys: a graph, and one of versions, to keep them in order, for each that
/// waited, where something else runs meanwhile; who runs before it is known what others do, for what those left.
fn ordered(
    how: Measure,
    schedulers: &[&dyn Scheduler],
    known: &[Overheads],
    (short, n_shared): (Block, u64),
    measure: &mut Measures<'_>,
) -> Result<Vec<u64>, WorldError> {
    let runs = runs_of(schedulers, how, known.to_vec())?;
    let probes = probe(&runs, short, |short| moving(short, n_shared), measure)?;
    let each = probes.iter().zip(known).map(|(probe, &known)| {
        let lacks = probe.lacks(known, |some| Overheads { ordered: SOME_NS, ..some });
        share(SOME_NS, lacks[0], lacks[1])
    });
    Ok(each.collect())
}

/// What a barrier costs, taking from a batch, and a hand-over, on ladders with few and with many transactions on a rung, by plans that wait on
/// each rung; and what a batch of one costs.
fn on_ladders(
    how: Measure,
    known: [Overheads; 2],
    short: Block,
    measure: &mut Measures<'_>,
) -> Result<Overheads, WorldError> {
    let schedulers = [NEEDED[0], NEEDED[1]];
    let mut runs = runs_of(&schedulers, how, known.to_vec())?;
    let [narrow, wide] =
        N_ON_RUNG.map(|n_on_rung| probe(&runs, short, |short| ladder(short, n_on_rung), measure));
    let (narrow, wide) = (narrow?, wide?);
    let [of_batches, of_graphs] = known;
    let step = |some: Overheads| Overheads { barrier: SOME_NS, handover: SOME_NS, ..some };
    let take = |some: Overheads| Overheads { take: SOME_NS, ..some };
    let handover = narrow[1].lacks(of_graphs, step);
    let handover = share(SOME_NS, handover[0], handover[1]);
    let (barrier, taken) = solved([&narrow[0], &wide[0]].map(|probe| {
        let [missing, by_barriers] = probe.lacks(of_batches, step);
        [missing, by_barriers, probe.lacks(of_batches, take)[1]]
    }));
    let found = Overheads { barrier, take: taken, handover, ..of_batches };
    runs.used.overheads = vec![found, Overheads { handover, ..of_graphs }];
    let chain = measure(&runs, &chain(short, N_KEYS[0]))?;
    Ok(Overheads { single: floored(chain[0].0.missing_ns) / short.0, ..found })
}

/// What an addition costs more where others add to the same than by versions, which share none of it: settled at the end of a batch, in a graph, and by each of
/// the schedulers behind those of [`NEEDED`]. What noise there is in the time of one thread is in all of these, so that it does not show.
fn adding_costs(
    how: Measure,
    schedulers: &[&dyn Scheduler],
    known: Vec<Overheads>,
    short: Block,
    measure: &mut Measures<'_>,
) -> Result<Vec<u64>, WorldError> {
    let runs = runs_of(schedulers, how, known)?;
    let found = measure(&runs, &adding(short))?;
    let missing: Vec<i64> = found.into_iter().map(|(found, _)| found.missing_ns).collect();
    Ok(of_additions(&missing, how.n_threads as u64, short.0))
}

/// The same from what the simulator lacks on so many additions. One worker settles; otherwise each adds.
fn of_additions(missing: &[i64], n_workers: u64, n_added: u64) -> Vec<u64> {
    let [by_layers, by_graph, by_versions, others @ ..] = missing else { return Vec::new() };
    let more = |missing: &i64| floored(missing.saturating_sub(*by_versions));
    let settle = more(by_layers) / n_added.max(1);
    let adds = [by_graph].into_iter().chain(others);
    let adds = adds.map(|missing| more(missing).saturating_mul(n_workers) / n_added.max(1));
    [settle].into_iter().chain(adds).collect()
}

/// A block on which transactions wait, as it was run.
struct Probe<'s> {
    scheduler: &'s dyn Scheduler,
    input: Input,
    n_workers: usize,
    /// What the simulator lacked; negative where it said too much.
    missing_ns: i64,
}

impl Probe<'_> {
    fn predicted(&self, overheads: Overheads) -> u64 {
        let block = self.input.block();
        let plan = self.scheduler.plan(&block, self.n_workers);
        let model = Model { reads_at_start: true, ..Model::default() };
        simulate_as(&plan, &block, self.n_workers, overheads, model).makespan
    }

    /// What the simulator lacked with these overheads, and how much longer its run is by [`SOME_NS`] of another one.
    fn lacks(&self, known: Overheads, with: impl Fn(Overheads) -> Overheads) -> [u64; 2] {
        let predicted = self.predicted(known);
        let longer = self.predicted(with(known)).saturating_sub(predicted);
        [floored(self.missing_ns), longer]
    }
}

/// For each scheduler.
fn probe<'s>(
    runs: &RealRuns<'s>,
    short: Block,
    input: impl Fn(Block) -> Input,
    measure: &mut Measures<'_>,
) -> Result<Vec<Probe<'s>>, WorldError> {
    let found = measure(runs, &input(short))?;
    let found = found.into_iter().zip(runs.schedulers);
    let probes = found.map(|((found, cost), &scheduler)| Probe {
        scheduler,
        input: input((short.0, cost)),
        n_workers: runs.how.n_threads,
        missing_ns: found.missing_ns,
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

/// What a block took by a scheduler's plan, and what of that the simulator lacks; negative where it says too much.
struct Found {
    makespan_ns: u64,
    missing_ns: i64,
}

/// What each scheduler's plan took, with what a transaction cost on one thread. What comes out of such blocks is compared
/// in tests only.
fn timed(
    runs: &RealRuns<'_>,
    input: &Input,
    seen: &mut Seen,
) -> Result<Vec<(Found, u64)>, WorldError> {
    let block = runs.world.block(input)?;
    let by: Vec<&str> = runs.schedulers.iter().map(|scheduler| scheduler.name()).collect();
    let times = seen.entry(format!("{} by {}", input.name(), by.join(", "))).or_default();
    let name = input.name().to_owned();
    let mut bench = Bench::new(name, &runs.world.base, &block, runs, times)?;
    bench.input = Some(input);
    bench.base()?;
    let ran = bench.predicted(&vec![PLANNED_NS; input.n_txs()])?;
    let cost = (ran.base_ns / (input.n_txs() as u64).max(1)).max(1);
    let found =
        |run: &Run<'_>| Found { makespan_ns: run.makespan_ns(), missing_ns: run.missing_ns() };
    Ok(ran.runs.iter().map(|run| (found(run), cost)).collect())
}
