//! First-fit coloring, those with the most conflicts first.

use std::cmp::Reverse;

use kempe_abi::AccessKind::{Add, Read, Write};

use super::color::first_fit_after_senders;
use super::{Block, Mode, Plan, Scheduler};

/// [`Color`](super::Color), but the transactions with the most conflicts choose first.
///
/// The conflicts are counted key by key, without the graph of pairs: a pair that shares two keys
/// counts twice.
///
/// Source: D. Welsh and M. Powell, "An upper bound for the chromatic number of a graph and its
/// application to timetabling problems" (1967).
#[derive(Clone, Copy, Debug)]
pub struct WelshPowell;

impl Scheduler for WelshPowell {
    fn name(&self) -> &'static str {
        "welsh-powell"
    }

    fn mode(&self) -> Mode {
        Mode::Free
    }

    fn plan(&self, block: &Block<'_>, _: usize) -> Plan {
        let degrees = degrees(block);
        let mut order: Vec<u32> = block.txs().collect();
        order.sort_unstable_by_key(|&tx| (Reverse(degrees[tx as usize]), tx));
        Plan::batches(first_fit_after_senders(block, order))
    }
}

/// How many conflicts each transaction has, counted once for each key.
pub(super) fn degrees(block: &Block<'_>) -> Vec<u64> {
    let accesses = block.accesses();
    let mut kinds = vec![[0u64; 3]; accesses.n_slots()];
    for access in accesses.rows().flatten() {
        kinds[access.slot as usize][access.kind as usize] += 1;
    }
    let degree = |row: &[super::Access]| {
        let conflicts = row.iter().map(|access| {
            let [reads, adds, writes] =
                [Read, Add, Write].map(|kind| kinds[access.slot as usize][kind as usize]);
            match access.kind {
                Read => writes + adds,
                Add => writes + reads,
                Write => writes + adds + reads - 1,
            }
        });
        conflicts.sum()
    };
    accesses.rows().map(degree).collect()
}
