//! When the next batch may start: the counters of a block's batches, and a worker's way through them.
//!
//! A batch ends when all of its transactions have run. Whoever ran the last one settles the batch, and lets the
//! others go on to the next; nobody waits for a worker that has not come yet. A batch too small to be
//! shared is run by the worker that ended the one before, so a chain stays on one core. A worker takes several transactions at
//! once; while another one has none, it gives half of what it has left.

use std::ops::Range;

use super::shares::{sums, take};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::pause;

/// A batch, by the positions of its transactions.
struct Batch {
    end: usize,
    /// The first that nobody has taken.
    next: AtomicUsize,
    /// How many have not ended.
    n_left: AtomicUsize,
    /// Positions that were taken and given to whoever comes first, their start and end in half of the bits each; 0 for none.
    given: AtomicU64,
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
    /// How many workers wait for a batch to end.
    n_idle: AtomicUsize,
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
            let (given, is_shared) = (AtomicU64::new(0), n_threads > 1 && len > 1);
            Batch { end: start, next, n_left, given, is_shared }
        });
        let batches: Vec<Batch> = batches.collect();
        let last = batches.iter().rposition(|batch| batch.is_shared);
        Self {
            n_threads,
            batches,
            before: sums(costs),
            n_shared: last.map_or(0, |last| last + 1),
            has_begun: AtomicBool::new(false),
            n_idle: AtomicUsize::new(0),
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
    /// nobody else gets, all of which it runs; all that is run in earlier batches has been seen by then. `settle` is called by
    /// one worker when all of a batch have run, and before any of the next.
    ///
    /// # Errors
    /// The first of `run`; the caller sets [`is_stopped`](Self::is_stopped) then, or others wait for ever.
    pub(super) fn work<E>(
        &self,
        mut run: impl FnMut(usize, &mut Positions<'_>) -> Result<(), E>,
        settle: impl Fn(),
    ) -> Result<(), E> {
        let mut number = self.n_ended.load(Ordering::Acquire);
        // Whether this worker ended the batch before, so that what is not shared is its own.
        let mut is_next = number == 0 && !self.has_begun.swap(true, Ordering::Relaxed);
        while let Some(batch) = self.batches.get(number) {
            let mut rest = match batch.is_shared || is_next {
                true => take(&batch.next, batch.end, &self.before, self.n_threads),
                false => 0..0,
            };
            if rest.is_empty() {
                rest = batch.take_given();
            }
            if !rest.is_empty() {
                let mut positions = Positions { n_idle: &self.n_idle, batch, rest, n_run: 0 };
                run(number, &mut positions)?;
                let n_run = positions.n_run;
                if batch.n_left.fetch_sub(n_run, Ordering::AcqRel) == n_run {
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

    /// Waits until a batch has ended, and says which comes next, or until some of it was given, and says which it is. `None` if nothing is
    /// left for another worker than the one that ends it.
    fn wait(&self, number: usize) -> Option<usize> {
        self.n_idle.fetch_add(1, Ordering::Relaxed);
        let mut n_idle = 0;
        let mut next = None;
        while number < self.n_shared && !self.is_stopped.load(Ordering::Acquire) {
            let n_ended = self.n_ended.load(Ordering::Acquire);
            if n_ended > number || self.batches[number].given.load(Ordering::Relaxed) != 0 {
                next = Some(n_ended.max(number));
                break;
            }
            pause(&mut n_idle);
        }
        self.n_idle.fetch_sub(1, Ordering::Relaxed);
        next
    }
}

impl Batch {
    /// Gives positions to whoever comes first. False if others are there already, or cannot be.
    fn give(&self, positions: &Range<usize>) -> bool {
        let half = |at: usize| u32::try_from(at).ok().map(u64::from);
        let (Some(start), Some(end)) = (half(positions.start), half(positions.end)) else {
            return false;
        };
        let (set, failed) = (Ordering::Release, Ordering::Relaxed);
        self.given.compare_exchange(0, start << 32 | end, set, failed).is_ok()
    }

    /// Takes what was given.
    fn take_given(&self) -> Range<usize> {
        let given = self.given.load(Ordering::Relaxed);
        let (set, failed) = (Ordering::Acquire, Ordering::Relaxed);
        if given == 0 || self.given.compare_exchange(given, 0, set, failed).is_err() {
            return 0..0;
        }
        let half = |bits: u64| usize::try_from(bits & u64::from(u32::MAX)).expect("it was one");
        half(given >> 32)..half(given)
    }
}

/// Positions that one worker runs: those that it took, without those that it gives away meanwhile.
pub(super) struct Positions<'a> {
    n_idle: &'a AtomicUsize,
    batch: &'a Batch,
    rest: Range<usize>,
    n_run: usize,
}

impl Iterator for Positions<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.rest.len() > 1 && self.n_idle.load(Ordering::Relaxed) > 0 {
            let middle = self.rest.start + self.rest.len().div_ceil(2);
            if self.batch.give(&(middle..self.rest.end)) {
                self.rest.end = middle;
            }
        }
        let at = self.rest.next()?;
        self.n_run += 1;
        Some(at)
    }
}
