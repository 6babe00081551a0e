//! When the next batch may start: the counters of a block's batches, and a worker's way through them.
//!
//! A batch ends when all of its transactions have run. Whoever ran the last one settles the batch, and lets the
//! others go on to the next; nobody waits for a worker that has not come yet. A batch too small to be
//! shared is run by the worker that ended the one before, so a chain stays on one core.

use std::ops::Range;

use super::shares::{sums, take};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::pause;

/// A batch, by the positions of its transactions.
struct Batch {
    end: usize,
    /// The first that nobody has taken.
    next: AtomicUsize,
    /// How many have not ended.
    n_left: AtomicUsize,
    /// Whether more than one worker takes from it.
    is_shared: bool,
}

/// Batches, one behind the other, for so many workers.
pub(super) struct Barriers {
    n_threads: usize,
    batches: Vec<Batch>,
    /// For each position, the costs before it.
    before: Vec<u64>,
    /// One more than the last batch that is shared.
    n_shared: usize,
    /// Whether a worker has begun with the first batch.
    has_begun: AtomicBool,
    /// How many batches have ended, as far as others need to know.
    n_ended: AtomicUsize,
    /// A worker failed: nobody goes on.
    is_stopped: AtomicBool,
}

impl Barriers {
    /// Batches of so many transactions each, which cost so much each.
    pub(super) fn new(
        lens: impl Iterator<Item = usize>,
        costs: impl Iterator<Item = u64>,
        n_threads: usize,
    ) -> Self {
        let mut start = 0;
        let batches = lens.map(|len| {
            let (next, n_left) = (AtomicUsize::new(start), AtomicUsize::new(len));
            start += len;
            Batch { end: start, next, n_left, is_shared: n_threads > 1 && len > 1 }
        });
        let batches: Vec<Batch> = batches.collect();
        let last = batches.iter().rposition(|batch| batch.is_shared);
        Self {
            n_threads,
            batches,
            before: sums(costs),
            n_shared: last.map_or(0, |last| last + 1),
            has_begun: AtomicBool::new(false),
            n_ended: AtomicUsize::new(0),
            is_stopped: AtomicBool::new(false),
        }
    }

    /// Whether more than one worker takes from a batch.
    pub(super) fn is_shared(&self, number: usize) -> bool {
        self.batches[number].is_shared
    }

    /// How many workers have something to do.
    pub(super) fn n_workers(&self) -> usize {
        if self.n_shared == 0 { 1 } else { self.n_threads }
    }

    /// What stops all workers when it is set.
    pub(super) fn is_stopped(&self) -> &AtomicBool {
        &self.is_stopped
    }

    /// One worker, until nothing is left for it. `run` is given the number of a batch and positions in it that
    /// nobody else gets; all that is run in earlier batches has been seen by then. `settle` is called by
    /// one worker when all of a batch have run, and before any of the next.
    ///
    /// # Errors
    /// The first of `run`; the caller sets [`is_stopped`](Self::is_stopped) then, or others wait for ever.
    pub(super) fn work<E>(
        &self,
        mut run: impl FnMut(usize, Range<usize>) -> Result<(), E>,
        settle: impl Fn(),
    ) -> Result<(), E> {
        let mut number = self.n_ended.load(Ordering::Acquire);
        // Whether this worker ended the batch before, so that what is not shared is its own.
        let mut is_next = number == 0 && !self.has_begun.swap(true, Ordering::Relaxed);
        while let Some(batch) = self.batches.get(number) {
            let taken = match batch.is_shared || is_next {
                true => take(&batch.next, batch.end, &self.before, self.n_threads),
                false => 0..0,
            };
            if !taken.is_empty() {
                let n_taken = taken.len();
                run(number, taken)?;
                if batch.n_left.fetch_sub(n_taken, Ordering::AcqRel) == n_taken {
                    settle();
                    number += 1;
                    is_next = true;
                    if number >= self.n_shared || self.batches[number].is_shared {
                        self.n_ended.store(number, Ordering::Release);
                    }
                }
            } else if let Some(next) = self.wait(number) {
                (number, is_next) = (next, false);
            } else {
                break;
            }
        }
        Ok(())
    }

    /// Waits until a batch has ended, and says which comes next. `None` if nothing is left for another worker than
    /// the one that ends it.
    fn wait(&self, number: usize) -> Option<usize> {
        let mut n_idle = 0;
        while number < self.n_shared && !self.is_stopped.load(Ordering::Acquire) {
            let n_ended = self.n_ended.load(Ordering::Acquire);
            if n_ended > number {
                return Some(n_ended);
            }
            pause(&mut n_idle);
        }
        None
    }
}
