//! Smallest-last coloring.

use super::color::first_fit_after_senders;
use super::dsatur::{TooManyEdges, is_too_large, pairs};
use super::{Block, Mode, Plan, Scheduler, WelshPowell};

/// Takes away the transaction with the fewest conflicts left, again and again; colors them first-fit
/// in the opposite order.
///
/// It needs every pair, so above [`DSATUR_EDGES_MAX`](super::DSATUR_EDGES_MAX) it falls back to
/// [`WelshPowell`].
///
/// Source: D. Matula and L. Beck, "Smallest-last ordering and clustering and graph coloring
/// algorithms" (1983).
#[derive(Clone, Copy, Debug)]
pub struct SmallestLast;

impl Scheduler for SmallestLast {
    fn name(&self) -> &'static str {
        "smallest-last"
    }

    fn mode(&self) -> Mode {
        Mode::Free
    }

    fn stand_in(&self, block: &Block<'_>) -> Option<&'static dyn Scheduler> {
        is_too_large(block).then_some(&WelshPowell)
    }

    fn plan(&self, block: &Block<'_>, n_workers: usize) -> Plan {
        match pairs(block, &block.tail(Mode::Free)) {
            Ok(pairs) => Plan::batches(first_fit_after_senders(block, order(block, &pairs))),
            Err(TooManyEdges { .. }) => WelshPowell.plan(block, n_workers),
        }
    }
}

/// The order in which to color: what was taken away last comes first.
fn order(block: &Block<'_>, pairs: &[(u32, u32)]) -> Vec<u32> {
    let n_txs = block.n_txs();
    let mut neighbors = vec![Vec::new(); n_txs];
    for &(a, b) in pairs {
        neighbors[a as usize].push(b);
        neighbors[b as usize].push(a);
    }
    // Buckets by degree; an entry whose degree has changed since is passed over.
    let mut degrees: Vec<usize> = neighbors.iter().map(Vec::len).collect();
    let mut buckets = vec![Vec::new(); degrees.iter().max().map_or(1, |max| max + 1)];
    for tx in block.txs() {
        buckets[degrees[tx as usize]].push(tx);
    }
    let mut is_taken = vec![false; n_txs];
    let mut order = Vec::with_capacity(n_txs);
    let mut lowest = 0;
    while let Some(bucket) = buckets.get_mut(lowest) {
        let Some(tx) = bucket.pop() else {
            lowest += 1;
            continue;
        };
        if is_taken[tx as usize] || degrees[tx as usize] != lowest {
            continue;
        }
        is_taken[tx as usize] = true;
        order.push(tx);
        for &other in neighbors[tx as usize].iter().filter(|&&other| !is_taken[other as usize]) {
            let degree = &mut degrees[other as usize];
            *degree -= 1;
            buckets[*degree].push(other);
        }
        lowest = lowest.saturating_sub(1);
    }
    order.reverse();
    order
}
