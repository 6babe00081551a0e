//! What running plans costs beside the transactions, found on blocks made for it.
//!
//! Each overhead is what the simulator still lacks on a block where nothing else shows: first what each
//! execution costs, on short independent transactions; then how much longer they take while others
//! run, on long ones, and on a few of them until when the others run; then what a barrier or a hand-over costs, on a ladder of pairs that all wait for the
//! pair before.

use kempe_abi::AccessKind;
use kempe_runtime::scheduler::{Graph, Layers, Scheduler};

use super::{Bench, Measure, RealRuns, median, share};
use crate::{Input, InputTx, Overheads, Row, WorldError, simulate};

/// The transactions of a block of short ones, and what each burns: about as much as a transfer takes. Locks
/// that workers fight for cost more where transactions are shorter still.
const SHORT: (u64, u64) = (800, 1000);
/// How many keys they write: few, and many.
const N_KEYS: [u64; 2] = [2, 12];
/// Those of a block of long ones: so long that what is done beside them does not show.
const LONG: (u64, u64) = (100, 20_000);

/// How often all is found again, in as many rounds each.
const N_PASSES: usize = 3;

/// Finds the overheads of all schedulers.
pub(super) fn overheads(
    schedulers: &[&dyn Scheduler],
    how: Measure,
) -> Result<Vec<Overheads>, WorldError> {
    let how = Measure { n_rounds: how.n_rounds.min(N_PASSES), ..how };
    let mut runs = RealRuns::new(schedulers, how)?;
    let mut passes = Vec::new();
    for _ in 0..N_PASSES {
        runs.overheads = vec![Overheads::default(); schedulers.len()];
        pass(&mut runs)?;
        passes.push(runs.overheads.clone());
    }
    Ok((0..schedulers.len()).map(|at| of_passes(passes.iter().map(|pass| pass[at]))).collect())
}

/// The least of what is measured as it is, as other work on the machine only makes it larger; and in the middle what
/// is left when that was taken away, where noise goes both ways.
fn of_passes(passes: impl Iterator<Item = Overheads> + Clone) -> Overheads {
    let few = |pass: &Overheads| pass.dispatch + pass.access * N_KEYS[0];
    let middle =
        |part: fn(Overheads) -> u64| median(&mut passes.clone().map(part).collect::<Vec<_>>());
    let Overheads { dispatch, access, .. } = passes.clone().min_by_key(few).unwrap_or_default();
    Overheads {
        dispatch,
        access,
        wake: middle(|pass| pass.wake),
        barrier: middle(|pass| pass.barrier),
        handover: middle(|pass| pass.handover),
        inflation_permille: middle(|pass| pass.inflation_permille),
    }
}

/// Finds the overheads of all schedulers of `runs` once.
fn pass(runs: &mut RealRuns<'_>) -> Result<(), WorldError> {
    dispatch(runs)?;
    let n_others = (runs.how.n_threads as u64).saturating_sub(1).max(1);
    for (at, (row, _)) in measure(runs, &independent(LONG, N_KEYS[0]))?.into_iter().enumerate() {
        let inflation = share(1000, missing(&row), predicted(&row));
        runs.overheads[at].inflation_permille = inflation / n_others;
    }
    wake(runs)?;
    let (barrier, handover) = on_the_ladder(runs.how)?;
    for overheads in &mut runs.overheads {
        *overheads = Overheads { barrier, handover, ..*overheads };
    }
    Ok(())
}

/// Finds what each execution costs beside, and each access of it.
fn dispatch(runs: &mut RealRuns<'_>) -> Result<(), WorldError> {
    let each = |n_keys| -> Result<Vec<u64>, WorldError> {
        let rows = measure(runs, &independent(SHORT, n_keys))?.into_iter();
        Ok(rows.map(|(row, cost)| share(cost, missing(&row), predicted(&row))).collect())
    };
    let [few, many] = [each(N_KEYS[0])?, each(N_KEYS[1])?];
    for ((overheads, few), many) in runs.overheads.iter_mut().zip(few).zip(many) {
        overheads.access = many.saturating_sub(few) / (N_KEYS[1] - N_KEYS[0]);
        overheads.dispatch = few.saturating_sub(overheads.access * N_KEYS[0]);
    }
    Ok(())
}

/// Finds how long it takes until the other workers begin, on a block with one transaction for each.
fn wake(runs: &mut RealRuns<'_>) -> Result<(), WorldError> {
    let one_each = independent((runs.how.n_threads as u64, 5 * LONG.1), N_KEYS[0]);
    let rows = measure(runs, &one_each)?;
    for (overheads, (row, _)) in runs.overheads.iter_mut().zip(rows) {
        overheads.wake = missing(&row);
    }
    Ok(())
}

/// What the simulator lacks.
fn missing(row: &Row) -> u64 {
    row.makespan_ns.saturating_sub(predicted(row))
}

fn predicted(row: &Row) -> u64 {
    row.predicted_ns.unwrap_or(0)
}

/// What a barrier costs, and what it costs to go on from what another worker did.
fn on_the_ladder(how: Measure) -> Result<(u64, u64), WorldError> {
    let schedulers: [&dyn Scheduler; 2] = [&Layers, &Graph];
    let mut runs = RealRuns::new(&schedulers, how)?;
    dispatch(&mut runs)?;
    let mut found = Vec::new();
    for (scheduler, (row, cost)) in schedulers.iter().zip(measure(&runs, &ladder(SHORT))?) {
        let input = ladder((SHORT.0, cost));
        let (block, n_workers) = (input.block(), how.n_threads);
        let plan = scheduler.plan(&block, n_workers);
        let makespan = |overheads| simulate(&plan, &block, n_workers, overheads).makespan;
        let both = Overheads { barrier: cost, handover: cost, ..Overheads::default() };
        // How much longer the ladder takes with so much of it for each: the one has no hand-overs, the other no
        // barriers.
        let longer = makespan(both).saturating_sub(makespan(Overheads::default()));
        found.push(share(cost, missing(&row), longer));
    }
    Ok((found[0], found[1]))
}

/// The row of each scheduler, with what a transaction cost on one thread.
fn measure(runs: &RealRuns<'_>, input: &Input) -> Result<Vec<(Row, u64)>, WorldError> {
    let block = runs.world.block(input)?;
    let mut bench = Bench::new(input.name().to_owned(), &runs.world.base, &block, runs)?;
    let cost = (bench.base()? / (input.n_txs() as u64).max(1)).max(1);
    let rows = bench.rows(&vec![cost; input.n_txs()])?;
    Ok(rows.into_iter().map(|row| (row, cost)).collect())
}

/// Transactions that write so many keys each.
fn independent((n_txs, cost): (u64, u64), n_keys: u64) -> Input {
    let tx = |at: u64| InputTx {
        accesses: (0..n_keys).map(|key| (n_keys * at + key, AccessKind::Write, false)).collect(),
        cost,
        ..InputTx::default()
    };
    Input::new("independent".to_owned(), (0..n_txs).map(tx).collect())
}

/// Pairs of transactions: each writes a key of its own and reads both keys of the pair before.
fn ladder((n_txs, cost): (u64, u64)) -> Input {
    let tx = |at: u64| {
        let pair = at / 2 * 2;
        let before = pair.checked_sub(2).into_iter().flat_map(|first| [first, first + 1]);
        let reads = before.map(|key| (key, AccessKind::Read, false));
        let accesses = reads.chain([(at, AccessKind::Write, false)]).collect();
        InputTx { accesses, cost, ..InputTx::default() }
    };
    Input::new("ladder".to_owned(), (0..n_txs).map(tx).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ladder_has_a_layer_for_each_pair() {
        let ladder = ladder((20, 1));
        let schedule = Layers.plan(&ladder.block(), 2).into_schedule(&ladder.block());
        assert_eq!(schedule.batches().map(<[u32]>::len).collect::<Vec<_>>(), [2; 10]);
        let plan = Graph.plan(&ladder.block(), 2);
        let handover = Overheads { handover: 5, ..Overheads::default() };
        let run = |overheads| simulate(&plan, &ladder.block(), 2, overheads).makespan;
        assert_eq!((run(Overheads::default()), run(handover)), (10, 10 + 9 * 5));
    }
}
