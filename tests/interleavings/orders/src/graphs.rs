//! Graphs: a transaction starts when all that it waits for have ended, through joins too, and sees what they did.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use loom::sync::Mutex;
use loom::sync::atomic::AtomicUsize as Next;

use crate::ends::Ends;
use crate::scheduler::Dag;
use crate::shares::{sums, take};
use crate::{Slots, on_threads, sync};

struct Case {
    dag: &'static Dag,
    ends: Ends<'static>,
    n_threads: usize,
    roots: Vec<u32>,
    next_root: Next,
    /// Instead of the deques of the runtime: those that are free and not urgent.
    kept: Mutex<Vec<u32>>,
    slots: Slots,
    n_runs: Vec<AtomicUsize>,
}

impl Case {
    fn new(dag: &'static Dag, n_threads: usize) -> Self {
        let txs = 0..dag.n_txs();
        let n_txs = txs.len();
        Self {
            dag,
            ends: Ends::new(dag, n_txs),
            n_threads,
            roots: txs.filter(|&tx| dag.indegrees()[tx as usize] == 0).collect(),
            next_root: Next::new(0),
            kept: Mutex::new(Vec::new()),
            slots: Slots::new(n_txs),
            n_runs: (0..n_txs).map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    /// The transactions that one waits for itself.
    fn before(&self, tx: u32) -> Vec<u32> {
        let leads = |from: u32, to: u32| self.dag.successors(from).contains(&to);
        let joins = || self.dag.n_txs()..u32::try_from(self.dag.indegrees().len()).unwrap();
        let through = |from| joins().any(|join| leads(from, join) && leads(join, tx));
        (0..self.dag.n_txs()).filter(|&from| leads(from, tx) || through(from)).collect()
    }

    fn run_chain(&self, tx: u32) {
        let mut next = Some(tx);
        while let Some(tx) = next {
            self.before(tx).into_iter().for_each(|before| self.slots.read(before as usize));
            self.slots.write(tx as usize);
            self.n_runs[tx as usize].fetch_add(1, SeqCst);
            next = self.ends.end(tx, |free| self.kept.lock().unwrap().push(free));
        }
    }

    fn work(&self) {
        let before = sums(self.roots.iter().map(|_| 1));
        let mut n_idle = 0;
        while !self.ends.is_over() {
            let taken = take(&self.next_root, self.roots.len(), &before, self.n_threads);
            let roots = self.roots[taken].iter().copied();
            let kept = self.kept.lock().unwrap().pop();
            let free: Vec<u32> = roots.chain(kept).collect();
            if free.is_empty() {
                sync::pause(&mut n_idle);
            }
            free.into_iter().for_each(|tx| self.run_chain(tx));
        }
    }

    fn check(&self) {
        assert_eq!(self.ends.n_left(), 0);
        for (tx, n) in self.n_runs.iter().enumerate() {
            assert_eq!(n.load(SeqCst), 1, "tx={tx} runs once");
        }
    }
}

fn check(n_threads: usize, n_txs: u32, n_joins: u32, edges: &[(u32, u32)]) {
    let dag: &'static Dag = Box::leak(Box::new(Dag::new(n_txs, n_joins, edges)));
    on_threads(n_threads, move || Case::new(dag, n_threads), Case::work, Case::check);
}

#[test]
fn a_transaction_starts_when_all_that_it_waits_for_have_ended() {
    // One waits for two, two for one, a diamond.
    check(2, 3, 0, &[(0, 2), (1, 2)]);
    check(2, 3, 0, &[(0, 1), (0, 2)]);
    check(2, 4, 0, &[(0, 2), (1, 2), (1, 3)]);
    check(2, 4, 0, &[(0, 1), (0, 2), (1, 3), (2, 3)]);
    // Two before two, through a join.
    check(2, 4, 1, &[(0, 4), (1, 4), (4, 2), (4, 3)]);
    check(3, 3, 0, &[(0, 2), (1, 2)]);
}
