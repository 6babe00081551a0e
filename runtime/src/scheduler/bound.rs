//! What no schedule of a block can beat.

use kempe_abi::AccessKind::{Add, Read, Write};

use super::{Block, ConflictGraph, Form, Mode, Plan};

/// Four lower bounds on the time that a block takes, in the unit of its costs.
///
/// The tail runs alone, so each bound but `biggest_tx` is over the rest and has the tail added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LowerBound {
    /// All work, divided by the workers.
    pub work: u64,
    /// The most expensive chain of conflicts in the given order; 0 in [`Mode::Free`], where another
    /// order may have a shorter one.
    pub critical_path: u64,
    /// The key whose transactions take longest: its writers run one by one, its readers not beside
    /// its adders.
    pub heaviest_key: u64,
    /// The most expensive transaction.
    pub biggest_tx: u64,
}

impl LowerBound {
    /// The largest of them, which is the lower bound.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.work.max(self.critical_path).max(self.heaviest_key).max(self.biggest_tx)
    }
}

/// Costs of transactions that may run side by side.
#[derive(Clone, Copy, Default)]
struct Costs {
    sum: u64,
    max: u64,
}

impl Costs {
    fn add(&mut self, cost: u64) {
        self.sum = self.sum.saturating_add(cost);
        self.max = self.max.max(cost);
    }

    fn on(self, n_workers: u64) -> u64 {
        self.sum.div_ceil(n_workers).max(self.max)
    }
}

/// The lower bounds of a block on as many workers (at least one is assumed). Sums saturate.
///
/// Source: R. L. Graham, "Bounds on multiprocessing timing anomalies" (1969), for work and path.
#[must_use]
pub fn lower_bound(block: &Block<'_>, n_workers: u64, mode: Mode) -> LowerBound {
    let n_workers = n_workers.max(1);
    let tail = block.tail(mode);
    let (mut all, mut alone, mut biggest_tx) = (0u64, 0u64, 0);
    let mut keys = vec![[Costs::default(); 3]; block.accesses().n_slots()];
    for (tx, in_tail) in block.txs().zip(&tail) {
        let cost = block.cost(tx);
        biggest_tx = biggest_tx.max(cost);
        if *in_tail {
            alone = alone.saturating_add(cost);
            continue;
        }
        all = all.saturating_add(cost);
        for access in block.accesses().of(tx) {
            keys[access.slot as usize][access.kind as usize].add(cost);
        }
    }
    let key_time = |key: &[Costs; 3]| {
        let shared = [Read, Add].map(|kind| key[kind as usize].on(n_workers));
        key[Write as usize].sum.saturating_add(shared[0]).saturating_add(shared[1])
    };
    let critical_path = match mode {
        Mode::Free => 0,
        Mode::Preserve => {
            // Everything from the first unlisted transaction on is in the tail, so the path is over
            // a prefix, which no later transaction can change.
            let n_before = tail.iter().position(|&in_tail| in_tail).unwrap_or(tail.len());
            ConflictGraph::new(block).longest_before(block, n_before).saturating_add(alone)
        }
    };
    LowerBound {
        work: all.div_ceil(n_workers).saturating_add(alone),
        critical_path,
        heaviest_key: keys.iter().map(key_time).max().unwrap_or(0).saturating_add(alone),
        biggest_tx,
    }
}

/// The lower bounds of what any plan with the freedom of this one could reach on as many workers.
///
/// - Batches and graphs: [`lower_bound`] in the mode given.
/// - [`Form::Versions`] and [`Form::Optimistic`] with hints, which keep versions: only what is read
///   after it was written bounds them, so the critical path is over that, and no key is heavier.
/// - [`Form::Values`]: work and the biggest transaction. [`Form::Optimistic`] without hints too: a
///   transaction may start before what it reads late is written.
/// - [`Form::Rounds`], whose first round reads the state before the block: the key whose writers, each
///   of which reads what the one before wrote, take longest.
///
/// O(accesses).
#[must_use]
pub fn lower_bound_of(plan: &Plan, block: &Block<'_>, n_workers: u64, mode: Mode) -> LowerBound {
    let all = lower_bound(block, n_workers, mode);
    let with_path = |path: u64| {
        let tail = plan.tail().iter().map(|&tx| block.cost(tx)).fold(0, u64::saturating_add);
        let critical_path = path.saturating_add(tail);
        LowerBound { critical_path, heaviest_key: 0, ..all }
    };
    match plan.form() {
        Form::Versions(dag) | Form::Optimistic { hints: Some(dag) } => {
            with_path(dag.critical_path())
        }
        Form::Values | Form::Optimistic { hints: None } => with_path(0),
        Form::Rounds { .. } => LowerBound { heaviest_key: heaviest_chain(plan, block), ..all },
        _ => all,
    }
}

/// The key whose writers that read it take longest: they run one by one in any order.
fn heaviest_chain(plan: &Plan, block: &Block<'_>) -> u64 {
    let mut keys = vec![0u64; block.accesses().n_slots()];
    for &tx in plan.body() {
        for (at, access) in block.accesses().of(tx).iter().enumerate() {
            if access.kind == Write && !block.is_blind(tx, at) {
                let key = &mut keys[access.slot as usize];
                *key = key.saturating_add(block.cost(tx));
            }
        }
    }
    let tail = plan.tail().iter().map(|&tx| block.cost(tx)).fold(0, u64::saturating_add);
    keys.into_iter().max().unwrap_or(0).saturating_add(tail)
}
