//! What no schedule of a block can beat.

use kempe_abi::AccessKind::{Add, Read, Write};

use super::{Block, ConflictGraph, Mode};

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
