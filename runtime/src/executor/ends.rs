//! When a transaction of a graph may start: the counters of what each still waits for.

use crate::scheduler::Dag;
use crate::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// The transactions of a graph that have not ended.
pub(super) struct Ends<'a> {
    dag: &'a Dag,
    /// For each node, how many it still waits for.
    waits: Vec<AtomicU32>,
    n_left: AtomicUsize,
}

impl<'a> Ends<'a> {
    /// So many transactions, of which a graph holds all dependencies.
    pub(super) fn new(dag: &'a Dag, n_txs: usize) -> Self {
        let waits = dag.indegrees().iter().map(|&n| AtomicU32::new(n)).collect();
        Self { dag, waits, n_left: AtomicUsize::new(n_txs) }
    }

    /// What a transaction has behind it.
    pub(super) fn rank(&self, tx: u32) -> u64 {
        self.dag.ranks()[tx as usize]
    }

    /// How many have not ended; in passing, it may be more.
    pub(super) fn n_left(&self) -> usize {
        self.n_left.load(Ordering::Relaxed)
    }

    /// Whether all have ended.
    pub(super) fn is_over(&self) -> bool {
        self.n_left.load(Ordering::Acquire) == 0
    }

    /// Counts a transaction as ended for those that wait for it. Of those that are free now the most urgent one is
    /// returned, and the others are kept. Whoever runs them sees what all that they waited for did.
    pub(super) fn end(&self, tx: u32, mut keep: impl FnMut(u32)) -> Option<u32> {
        let mut first: Option<u32> = None;
        let mut joins = vec![];
        let mut node = tx;
        loop {
            for &next in self.dag.successors(node) {
                // What this transaction wrote is seen by whoever brings the count to zero, and the
                // other way round: a release and an acquire for each edge.
                if self.waits[next as usize].fetch_sub(1, Ordering::AcqRel) > 1 {
                    continue;
                }
                if next >= self.dag.n_txs() {
                    joins.push(next);
                    continue;
                }
                match first {
                    Some(other) if self.rank(other) >= self.rank(next) => keep(next),
                    Some(other) => {
                        keep(other);
                        first = Some(next);
                    }
                    None => first = Some(next),
                }
            }
            match joins.pop() {
                Some(join) => node = join,
                None => break,
            }
        }
        self.n_left.fetch_sub(1, Ordering::Release);
        first
    }
}
