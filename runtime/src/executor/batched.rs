//! Runs a block batch after batch, on workers that stay for the whole block; see [`Barriers`].

use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError, RwLock};

use hashbrown::HashSet;
use kempe_abi::Address;

use super::barriers::{Barriers, Positions};
use super::unbarred::{Done, StopOnPanic};
use super::{BlockRun, Pending};
use crate::engine::Worker;
use crate::scheduler::adds_together;
use crate::state::StoreError;
use crate::sync::lock;

/// A block on its way through its batches.
pub(super) struct Batched<'a> {
    run: &'a BlockRun<'a>,
    /// The transactions as they are taken: batch after batch, and inside a batch the most expensive first,
    /// so that nobody is left with a long one at its end (LPT).
    order: Vec<u32>,
    barriers: Barriers,
    has_dynamic: bool,
    /// What waits for the current batch to end.
    pending: Mutex<Vec<Pending>>,
    /// The senders whose transactions wait for the tail lane; only changed between batches.
    waiting: RwLock<HashSet<Address>>,
    retries: Mutex<Vec<(u32, u64)>>,
    error: Mutex<Option<StoreError>>,
}

impl BlockRun<'_> {
    /// Runs the batches of the schedule on all threads.
    pub(super) fn run_batches(&mut self) -> Result<(), StoreError> {
        self.behind_dynamic = self.behind_dynamic();
        if self.executor.n_threads() > 1 || !self.behind_dynamic.is_empty() {
            let batches = self.plan.schedule().batches();
            self.adds_together = adds_together(&self.plan.interned().block(), batches);
        }
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

    /// By transaction, whether an earlier one of its sender in its batch is dynamic: if that is to be tried again, this one runs behind it.
    fn behind_dynamic(&self) -> Vec<bool> {
        let interned = self.plan.interned();
        let (block, lists, mut is_behind) = (interned.block(), interned.lists(), Vec::new());
        if !lists.has_dynamic() {
            return is_behind;
        }
        // By sender, one more than the last batch that has a dynamic transaction of it.
        let mut last = vec![0; block.n_txs()];
        for (number, batch) in (1..).zip(self.plan.schedule().batches()) {
            for &tx in batch {
                let last = &mut last[block.sender(tx) as usize];
                if *last == number {
                    is_behind.resize(block.n_txs(), false);
                    is_behind[tx as usize] = true;
                } else if lists.of(tx).is_some_and(|list| list.dynamic) {
                    *last = number;
                }
            }
        }
        is_behind
    }
}

impl<'a> Batched<'a> {
    fn new(run: &'a BlockRun<'a>) -> Self {
        let schedule = run.plan.schedule();
        let n_threads = run.executor.n_threads();
        let block = run.plan.interned().block();
        let mut order = schedule.order().to_vec();
        let mut rest = &mut order[..];
        for batch in schedule.batches() {
            let (batch, behind) = rest.split_at_mut(batch.len());
            if n_threads > 1 && block.has_costs() {
                batch.sort_by_key(|&tx| std::cmp::Reverse(block.cost(tx)));
            }
            rest = behind;
        }
        let costs = order.iter().map(|&tx| block.cost(tx));
        let barriers = Barriers::new(schedule.batches().map(<[u32]>::len), costs, n_threads);
        Self {
            run,
            order,
            barriers,
            has_dynamic: run.plan.interned().lists().has_dynamic(),
            pending: Mutex::default(),
            waiting: RwLock::default(),
            retries: Mutex::default(),
            error: Mutex::default(),
        }
    }

    fn run_all(&self) {
        let is_stopped = self.barriers.is_stopped();
        let work = || {
            let _guard = StopOnPanic(is_stopped);
            if let Err(error) = self.work() {
                *lock(&self.error) = Some(error);
                is_stopped.store(true, Ordering::Release);
            }
        };
        // Not a broadcast: a thread that is busy with something else must not be waited for.
        rayon::scope(|scope| {
            for _ in 1..self.barriers.n_workers() {
                scope.spawn(|_| work());
            }
            work();
        });
    }

    /// One worker, until nothing is left for it.
    fn work(&self) -> Result<(), StoreError> {
        let mut worker = self.run.executor.worker();
        let mut done = Done::default();
        let run = |number: usize, positions: &mut Positions<'_>| {
            self.run_some(&mut worker, number, positions, &mut done)
        };
        self.barriers.work(run, || self.settle())?;
        done.flush(self.run);
        Ok(())
    }

    /// Runs some transactions of a batch, by their positions.
    fn run_some(
        &self,
        worker: &mut Worker,
        number: usize,
        positions: &mut Positions<'_>,
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
            if self.barriers.is_shared(number) {
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
            // SAFETY: every transaction of the batch has ended, which `Barriers` sees to, and the next
            // batch starts when this has ended: no other thread uses a slot or the receipt of a
            // transaction that settles, whose footprint was written before, or is by this thread.
            unsafe {
                self.run.settle(tx_index, &mut effects, fee_only);
            }
        }
    }
}
