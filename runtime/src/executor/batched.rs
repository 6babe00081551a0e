//! Runs a block batch after batch, on workers that stay for the whole block.
//!
//! A batch ends when all of its transactions have run. Whoever ran the last one settles the batch, and lets the
//! others go on to the next; nobody waits for a worker that has not come yet. A batch too small to be
//! shared is run by the worker that ended the one before, so a chain stays on one core.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use hashbrown::HashSet;
use kempe_abi::Address;

use super::unbarred::{Done, StopOnPanic, sums, take};
use super::{BlockRun, Pending};
use crate::engine::Worker;
use crate::state::StoreError;
use crate::sync::lock;

/// A batch, by the positions of its transactions in the published order.
struct Batch {
    end: usize,
    /// The first that nobody has taken.
    next: AtomicUsize,
    /// How many have not ended.
    n_left: AtomicUsize,
}

/// A block on its way through its batches.
pub(super) struct Batched<'a> {
    run: &'a BlockRun<'a>,
    /// The transactions as they are taken: batch after batch, and inside a batch the most expensive first,
    /// so that nobody is left with a long one at its end (LPT).
    order: Vec<u32>,
    /// For each position, the costs before it.
    before: Vec<u64>,
    batches: Vec<Batch>,
    /// Which batches are shared.
    shared: Vec<bool>,
    /// One more than the last batch that is shared.
    n_shared: usize,
    has_dynamic: bool,
    /// Whether a worker has begun with the first batch.
    has_begun: AtomicBool,
    /// How many batches have ended, as far as others need to know.
    n_ended: AtomicUsize,
    /// What waits for the current batch to end.
    pending: Mutex<Vec<Pending>>,
    /// The senders whose transactions wait for the tail lane; only changed between batches.
    waiting: RwLock<HashSet<Address>>,
    retries: Mutex<Vec<(u32, u64)>>,
    /// A worker failed: nobody goes on.
    is_stopped: AtomicBool,
    error: Mutex<Option<StoreError>>,
}

impl BlockRun<'_> {
    /// Runs the batches of the schedule on all threads.
    pub(super) fn run_batches(&mut self) -> Result<(), StoreError> {
        let batched = Batched::new(self);
        batched.run_all();
        let Batched { retries, error, .. } = batched;
        match error.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => {
                self.retries = retries.into_inner().unwrap_or_else(PoisonError::into_inner);
                Ok(())
            }
        }
    }
}

impl<'a> Batched<'a> {
    fn new(run: &'a BlockRun<'a>) -> Self {
        let schedule = run.plan.schedule();
        let n_threads = run.executor.n_threads();
        let block = run.plan.interned().block();
        let mut order = schedule.order().to_vec();
        let (mut batches, mut shared, mut start) = (Vec::new(), Vec::new(), 0);
        for batch in schedule.batches() {
            let end = start + batch.len();
            let is_shared = n_threads > 1 && batch.len() > 1;
            if is_shared && block.has_costs() {
                order[start..end].sort_by_key(|&tx| std::cmp::Reverse(block.cost(tx)));
            }
            let (next, n_left) = (AtomicUsize::new(start), AtomicUsize::new(batch.len()));
            batches.push(Batch { end, next, n_left });
            shared.push(is_shared);
            start = end;
        }
        Self {
            run,
            before: sums(order.iter().map(|&tx| block.cost(tx))),
            order,
            n_shared: shared.iter().rposition(|shared| *shared).map_or(0, |last| last + 1),
            batches,
            shared,
            has_dynamic: run.plan.interned().lists().has_dynamic(),
            has_begun: AtomicBool::new(false),
            n_ended: AtomicUsize::new(0),
            pending: Mutex::default(),
            waiting: RwLock::default(),
            retries: Mutex::default(),
            is_stopped: AtomicBool::new(false),
            error: Mutex::default(),
        }
    }

    fn run_all(&self) {
        let work = || {
            let _guard = StopOnPanic(&self.is_stopped);
            if let Err(error) = self.work() {
                *lock(&self.error) = Some(error);
                self.is_stopped.store(true, Ordering::Release);
            }
        };
        let n_others = if self.n_shared == 0 { 0 } else { self.run.executor.n_threads() - 1 };
        // Not a broadcast: a thread that is busy with something else must not be waited for.
        rayon::scope(|scope| {
            for _ in 0..n_others {
                scope.spawn(|_| work());
            }
            work();
        });
    }

    /// One worker, until nothing is left for it.
    fn work(&self) -> Result<(), StoreError> {
        let n_threads = self.run.executor.n_threads();
        let mut worker = self.run.executor.worker();
        let mut done = Done::default();
        let mut number = self.n_ended.load(Ordering::Acquire);
        // Whether this worker ended the batch before, so that what is not shared is its own.
        let mut is_next = number == 0 && !self.has_begun.swap(true, Ordering::Relaxed);
        while let Some(batch) = self.batches.get(number) {
            let taken = match self.shared[number] || is_next {
                true => take(&batch.next, batch.end, &self.before, n_threads),
                false => 0..0,
            };
            if !taken.is_empty() {
                let n_taken = taken.len();
                self.run_some(&mut worker, number, taken, &mut done)?;
                if batch.n_left.fetch_sub(n_taken, Ordering::AcqRel) == n_taken {
                    self.settle();
                    number += 1;
                    is_next = true;
                    if self.shared.get(number) != Some(&false) {
                        self.n_ended.store(number, Ordering::Release);
                    }
                }
            } else if number >= self.n_shared || !self.wait(number) {
                break;
            } else {
                (number, is_next) = (self.n_ended.load(Ordering::Acquire), false);
            }
        }
        done.flush(self.run);
        Ok(())
    }

    /// Waits until a batch has ended. False if it never will.
    fn wait(&self, number: usize) -> bool {
        let mut n_idle = 0u32;
        while self.n_ended.load(Ordering::Acquire) <= number {
            if self.is_stopped.load(Ordering::Acquire) {
                return false;
            }
            // Others run what comes before; the system may need the core for them.
            n_idle += 1;
            if n_idle > 64 { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
        true
    }

    /// Runs some transactions of a batch, by their positions.
    fn run_some(
        &self,
        worker: &mut Worker,
        number: usize,
        positions: std::ops::Range<usize>,
        done: &mut Done,
    ) -> Result<(), StoreError> {
        let mut pending = Vec::new();
        let waiting = self.has_dynamic.then(|| self.waiting.read());
        let waiting = waiting.map(|waiting| waiting.unwrap_or_else(PoisonError::into_inner));
        for at in positions {
            self.run.fetch_ahead(&self.order[at..]);
            let tx = self.order[at];
            let sender = &self.run.txs[tx as usize].transaction.sender;
            if waiting.as_ref().is_some_and(|waiting| waiting.contains(sender)) {
                done.push_empty(self.run, tx);
                pending.push(Pending::retry(tx, 0));
            } else {
                pending.extend(self.run.run_one(worker, tx, self.has_dynamic)?);
                done.push(self.run, worker, tx);
            }
        }
        drop(waiting);
        if !pending.is_empty() {
            // Whoever settles may change the receipts.
            if self.shared[number] {
                done.flush(self.run);
            }
            lock(&self.pending).extend(pending);
        }
        Ok(())
    }

    /// Ends a batch whose transactions have all run: additions are applied in the published order,
    /// and the transaction whose addition does not fit fails, as it would sequentially.
    fn settle(&self) {
        let mut pending = std::mem::take(&mut *lock(&self.pending));
        if pending.is_empty() {
            return;
        }
        // The published order of a batch.
        pending.sort_unstable_by_key(|pending| pending.tx_index);
        let mut waiting = self.waiting.write().unwrap_or_else(PoisonError::into_inner);
        let mut retries = lock(&self.retries);
        for Pending { tx_index, mut effects, fee_only, retry } in pending {
            let sender = self.run.txs[tx_index as usize].transaction.sender;
            let retry = if waiting.contains(&sender) { Some(0) } else { retry };
            if let Some(burned) = retry {
                waiting.insert(sender);
                retries.push((tx_index, burned));
                continue;
            }
            #[expect(unsafe_code, reason = "see `Disjoint`")]
            // SAFETY: every transaction of the batch has ended, which whoever brings `n_left` to zero knows
            // of the others, and the next batch starts when this has ended: no other thread uses a slot or
            // the receipt of a transaction that settles, whose footprint was written before.
            unsafe {
                self.run.settle(tx_index, &mut effects, fee_only);
            }
        }
    }
}
