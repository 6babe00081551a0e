//! Runs transactions without barriers: each starts when those that it waits for have ended.
//!
//! A worker that ends a transaction goes on with the most urgent one that it set free, so that a
//! chain stays on one core; the others it keeps in its own deque, from which idle workers steal.
//! Transactions that wait for nobody are handed out a few at a time, so that what they need can be
//! fetched ahead; who holds some puts them into its deque when another worker is idle. As long as
//! many wait for nobody, nothing else is urgent, and what was set free runs a few transactions later
//! for the same reason.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crossbeam_deque::{Steal, Stealer, Worker as Deque};
use rayon::prelude::*;

use super::BlockRun;
use super::ends::Ends;
use super::shares::{part_of, sums, take};
use crate::engine::Worker;
use crate::scheduler::Dag;
use crate::state::StoreError;
use crate::sync::{lock, pause};
use crate::types::Footprints;

/// How many footprints a worker collects before it hashes them together.
const FOOTPRINTS_PER_HASH: usize = 64;
/// How many transactions a worker knows beforehand: what the next ones need is fetched up to twelve ahead.
const AHEAD: usize = 16;
/// What is behind a transaction, and behind as many as a worker keeps for itself, must be less than an eighth of what waits
/// for nobody and is left to each worker: else somebody could have to wait for it in the end.
const LEFT_PER_RANK: u64 = 8 * AHEAD as u64;

/// What is done with a transaction when its turn comes.
pub(super) trait Step: Sync {
    /// Runs a transaction whose predecessors have ended, and adds its footprint. False if nobody is to
    /// go on, because the order of what commutes could show.
    fn run(
        &self,
        worker: &mut Worker,
        tx: u32,
        footprints: &mut Footprints,
    ) -> Result<bool, StoreError>;

    /// Asks for what the next transactions need.
    fn fetch_ahead(&self, rest: &[u32]);
}

/// Transactions on their way through a graph.
struct Unbarred<'a, S> {
    run: &'a BlockRun<'a>,
    step: &'a S,
    ends: Ends<'a>,
    /// The transactions that wait for nobody, those first that have the most behind them.
    roots: Vec<u32>,
    /// For each root, what those before it have behind them.
    before: Vec<u64>,
    next_root: AtomicUsize,
    /// What a transaction costs on average.
    mean_cost: u64,
    /// How many workers found nothing to run when they last looked.
    n_idle: AtomicUsize,
    /// A step said so, or a worker failed: nobody goes on.
    is_stopped: AtomicBool,
    error: Mutex<Option<StoreError>>,
}

/// Stops the others if its worker panics: they would wait for ever.
pub(super) struct StopOnPanic<'a>(pub(super) &'a AtomicBool);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Release);
        }
    }
}

impl BlockRun<'_> {
    /// Runs these transactions, of which a verified graph holds all dependencies, on all threads. False
    /// if a step said so.
    pub(super) fn run_graph(
        &self,
        txs: &[u32],
        dag: &Dag,
        step: &impl Step,
    ) -> Result<bool, StoreError> {
        let graph = Unbarred::new(self, txs, dag, step);
        graph.run_on_all_threads();
        let Unbarred { is_stopped, error, .. } = graph;
        match error.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(!is_stopped.into_inner()),
        }
    }

    /// Runs these transactions one after the other. False if a step said so.
    pub(super) fn run_in_order(&self, txs: &[u32], step: &impl Step) -> Result<bool, StoreError> {
        let mut worker = self.executor.worker();
        let mut done = Done::default();
        for (at, &tx) in txs.iter().enumerate() {
            step.fetch_ahead(&txs[at..]);
            if !done.step(self, step, &mut worker, tx)? {
                return Ok(false);
            }
        }
        done.flush(self);
        Ok(true)
    }

    /// Runs these transactions, which wait for nobody, on all threads, the most expensive first (LPT). False
    /// if a step said so.
    pub(super) fn run_all(&self, txs: &[u32], step: &impl Step) -> Result<bool, StoreError> {
        let (block, n_threads) = (self.plan.interned().block(), self.executor.n_threads());
        let mut order = txs.to_vec();
        if block.has_costs() && n_threads > 1 {
            order.sort_by_key(|&tx| std::cmp::Reverse(block.cost(tx)));
        }
        let before = sums(order.iter().map(|&tx| block.cost(tx)));
        let next = AtomicUsize::new(0);
        let work = |_| {
            let mut goes_on = true;
            while goes_on {
                let taken = take(&next, order.len(), &before, n_threads);
                if taken.is_empty() {
                    break;
                }
                goes_on = self.run_in_order(&order[taken], step)?;
            }
            Ok(goes_on)
        };
        // Not a broadcast: a thread that is busy with something else must not be waited for.
        let workers = (0..n_threads).into_par_iter().with_max_len(1);
        workers.map(work).try_reduce(|| true, |a, b| Ok(a && b))
    }
}

impl<'a, S: Step> Unbarred<'a, S> {
    fn new(run: &'a BlockRun<'a>, txs: &[u32], dag: &'a Dag, step: &'a S) -> Self {
        let free = txs.iter().copied().filter(|&tx| dag.indegrees()[tx as usize] == 0);
        let (mut roots, alone): (Vec<u32>, Vec<u32>) =
            free.partition(|&tx| !dag.successors(tx).is_empty());
        let rank = |tx: u32| dag.ranks()[tx as usize];
        if run.plan.interned().block().has_costs() {
            roots.extend(alone);
            roots.sort_by_key(|&tx| std::cmp::Reverse(rank(tx)));
        } else {
            // Nobody's rank is less than that of who is alone.
            roots.sort_by_key(|&tx| std::cmp::Reverse(rank(tx)));
            roots.extend(alone);
        }
        let block = run.plan.interned().block();
        let costs = txs.iter().fold(0u64, |sum, &tx| sum.saturating_add(block.cost(tx)));
        Self {
            run,
            step,
            mean_cost: costs.div_ceil(txs.len().max(1) as u64),
            n_idle: AtomicUsize::new(0),
            ends: Ends::new(dag, txs.len()),
            before: sums(roots.iter().map(|&tx| rank(tx))),
            roots,
            next_root: AtomicUsize::new(0),
            is_stopped: AtomicBool::new(false),
            error: Mutex::new(None),
        }
    }

    fn run_on_all_threads(&self) {
        let n_threads = self.run.executor.n_threads();
        let deques: Vec<Mutex<Option<Deque<u32>>>> =
            (0..n_threads).map(|_| Mutex::new(Some(Deque::new_lifo()))).collect();
        let stealers: Vec<Stealer<u32>> =
            deques.iter().filter_map(|deque| Some(lock(deque).as_ref()?.stealer())).collect();
        rayon::broadcast(|context| {
            let _guard = StopOnPanic(&self.is_stopped);
            let at = context.index();
            let Some(deque) = lock(&deques[at]).take() else { return };
            // Each begins with another one, so that they do not all meet there.
            let others = [&stealers[at + 1..], &stealers[..at]].concat();
            if let Err(error) = self.work(&deque, &others) {
                *lock(&self.error) = Some(error);
                self.is_stopped.store(true, Ordering::Release);
            }
        });
    }

    /// One worker, until nothing is left.
    fn work(&self, deque: &Deque<u32>, stealers: &[Stealer<u32>]) -> Result<(), StoreError> {
        let mut worker = self.run.executor.worker();
        let mut done = Done::default();
        let n_threads = self.run.executor.n_threads();
        // The next ones, from `at` on.
        let (mut soon, mut at) = (Vec::<u32>::new(), 0);
        let mut n_idle = 0u32;
        while !self.ends.is_over() && !self.is_stopped.load(Ordering::Acquire) {
            self.give(&mut soon, at, deque);
            if soon.len() - at < self.n_held_max() {
                soon.drain(..at);
                at = 0;
                self.keep_some(&mut worker, &mut soon, deque, &mut done)?;
                if soon.len() < AHEAD && self.may_take(&soon) {
                    let taken = take(&self.next_root, self.roots.len(), &self.before, n_threads);
                    soon.extend_from_slice(&self.roots[taken]);
                }
            }
            let next = match soon.get(at) {
                Some(&tx) => {
                    self.step.fetch_ahead(&soon[at..]);
                    at += 1;
                    Some(tx)
                }
                None => steal(stealers),
            };
            match next {
                Some(tx) => {
                    if n_idle > 0 {
                        self.n_idle.fetch_sub(1, Ordering::Relaxed);
                        n_idle = 0;
                    }
                    self.run_chain(&mut worker, tx, deque, &mut done)?;
                }
                None => {
                    if n_idle == 0 {
                        self.n_idle.fetch_add(1, Ordering::Relaxed);
                    }
                    pause(&mut n_idle);
                }
            }
        }
        done.flush(self.run);
        Ok(())
    }

    /// How many a worker holds, at most: no more than the next one while another worker has nothing to do.
    fn n_held_max(&self) -> usize {
        if self.has_idle() { 1 } else { AHEAD }
    }

    fn has_idle(&self) -> bool {
        self.n_idle.load(Ordering::Relaxed) > 0
    }

    /// Puts what this worker holds, all but the next one, where others steal, if one of them has nothing to do. What costs more than
    /// was known is shared so, too.
    fn give(&self, soon: &mut Vec<u32>, at: usize, deque: &Deque<u32>) {
        if soon.len() - at > 1 && self.has_idle() {
            // In the order in which this worker pops them again.
            soon.drain(at + 1..).rev().for_each(|tx| deque.push(tx));
        }
    }

    /// Runs what is urgent of what this worker set free, and keeps some of the rest for itself.
    fn keep_some(
        &self,
        worker: &mut Worker,
        soon: &mut Vec<u32>,
        deque: &Deque<u32>,
        done: &mut Done,
    ) -> Result<(), StoreError> {
        while soon.len() < self.n_held_max()
            && let Some(tx) = deque.pop()
        {
            if self.is_urgent(tx) {
                self.run_chain(worker, tx, deque, done)?;
            } else {
                soon.push(tx);
            }
        }
        Ok(())
    }

    /// Whether a transaction that was set free should not wait for others.
    fn is_urgent(&self, tx: u32) -> bool {
        is_urgent(self.ends.rank(tx), self.left(), self.run.executor.n_threads())
    }

    /// Whether a worker that holds these may take more of what waits for nobody. What it holds nobody can steal, and behind one of them
    /// may be a long chain.
    fn may_take(&self, held: &[u32]) -> bool {
        let behind = held.iter().fold(0u64, |sum, &tx| sum.saturating_add(self.ends.rank(tx)));
        may_take(behind, self.left(), self.run.executor.n_threads())
    }

    /// What is left with those that wait for nobody and were not taken. What several of them have behind them counts for each, but no more
    /// is left than has not ended.
    fn left(&self) -> u64 {
        let end = self.roots.len();
        let next = self.next_root.load(Ordering::Relaxed).min(end);
        let not_taken = self.before[end].saturating_sub(self.before[next]);
        not_taken.min(self.mean_cost.saturating_mul(self.ends.n_left() as u64))
    }

    /// Takes the next one that waits for nobody if it has more than twice as much behind it as one that was set free: by
    /// going on in one chain to its end, a worker would leave a longer one to the end of the block.
    fn take_longer(&self, free: u32) -> Option<u32> {
        let next = self.next_root.load(Ordering::Relaxed);
        let &root = self.roots.get(next)?;
        let is_longer = self.ends.rank(root) > self.ends.rank(free).saturating_mul(2);
        let take = || {
            let (was, is) = (Ordering::Relaxed, Ordering::Relaxed);
            self.next_root.compare_exchange(next, next + 1, was, is).is_ok()
        };
        (is_longer && take()).then_some(root)
    }

    /// Runs a transaction, and after it again and again the most urgent one that it set free, unless that can wait.
    fn run_chain(
        &self,
        worker: &mut Worker,
        tx: u32,
        deque: &Deque<u32>,
        done: &mut Done,
    ) -> Result<(), StoreError> {
        let mut next = Some(tx);
        while let Some(tx) = next {
            if self.is_stopped.load(Ordering::Relaxed) {
                break;
            }
            self.run_one(worker, tx, done)?;
            let mut others = std::mem::take(&mut done.others);
            next = self.ends.end(tx, |free| others.push(free));
            // Whoever steals takes the first.
            others.sort_unstable_by_key(|&free| std::cmp::Reverse(self.ends.rank(free)));
            others.drain(..).for_each(|free| deque.push(free));
            done.others = others;
            let Some(free) = next else { break };
            if !self.is_urgent(free) {
                deque.push(free);
                break;
            }
            if let Some(longer) = self.take_longer(free) {
                deque.push(free);
                next = Some(longer);
            }
        }
        Ok(())
    }

    fn run_one(&self, worker: &mut Worker, tx: u32, done: &mut Done) -> Result<(), StoreError> {
        if !done.step(self.run, self.step, worker, tx)? {
            self.is_stopped.store(true, Ordering::Release);
        }
        Ok(())
    }
}

/// Whether what has so much behind it is urgent while so much waits for nobody.
fn is_urgent(rank: u64, left: u64, n_threads: usize) -> bool {
    rank.saturating_mul(LEFT_PER_RANK).saturating_mul(n_threads as u64) >= left
}

/// Whether who holds what has so much behind it may hold more while so much waits for nobody: it is no more than is
/// [taken](take) at once.
fn may_take(held: u64, left: u64, n_threads: usize) -> bool {
    held <= part_of(left, n_threads)
}

/// What a worker has done and not yet written down.
#[derive(Default)]
pub(super) struct Done {
    txs: Vec<u32>,
    footprints: Footprints,
    /// Empty, for those that a transaction sets free.
    others: Vec<u32>,
}

impl Done {
    /// Adds a transaction that the worker ran last.
    pub(super) fn push(&mut self, run: &BlockRun<'_>, worker: &Worker, tx: u32) {
        self.footprints.push(worker.footprint());
        self.count(run, tx);
    }

    /// Adds a transaction that did not run.
    pub(super) fn push_empty(&mut self, run: &BlockRun<'_>, tx: u32) {
        self.footprints.push(std::iter::empty());
        self.count(run, tx);
    }

    fn step(
        &mut self,
        run: &BlockRun<'_>,
        step: &impl Step,
        worker: &mut Worker,
        tx: u32,
    ) -> Result<bool, StoreError> {
        let goes_on = step.run(worker, tx, &mut self.footprints)?;
        self.count(run, tx);
        Ok(goes_on)
    }

    fn count(&mut self, run: &BlockRun<'_>, tx: u32) {
        self.txs.push(tx);
        if self.txs.len() == FOOTPRINTS_PER_HASH {
            self.flush(run);
        }
    }

    pub(super) fn flush(&mut self, run: &BlockRun<'_>) {
        run.put_footprints(&self.txs, std::mem::take(&mut self.footprints));
        self.txs.clear();
    }
}

fn steal(stealers: &[Stealer<u32>]) -> Option<u32> {
    for stealer in stealers {
        loop {
            match stealer.steal() {
                Steal::Success(tx) => return Some(tx),
                Steal::Empty => break,
                Steal::Retry => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
