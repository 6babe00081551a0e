//! Batches: nothing of one runs before all of the one before has run and is settled.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::barriers::{Barriers, Positions};
use crate::{Slots, on_threads};

struct Case {
    n_threads: usize,
    barriers: Barriers,
    /// The batch of each position.
    batches: Vec<usize>,
    slots: Slots,
    /// What settling writes: one more than there are batches.
    settled: Slots,
    n_runs: Vec<AtomicUsize>,
    n_settled: AtomicUsize,
    /// The batch in which a worker fails.
    fails_in: Option<usize>,
}

impl Case {
    /// What costs nothing is taken at once, and given away one by one.
    fn new(lens: &[usize], cost: u64, n_threads: usize, fails_in: Option<usize>) -> Self {
        let n: usize = lens.iter().sum();
        let batches = lens.iter().enumerate();
        Self {
            n_threads,
            barriers: Barriers::new(lens.iter().copied(), (0..n).map(|_| cost), n_threads),
            batches: batches.flat_map(|(at, &len)| vec![at; len]).collect(),
            slots: Slots::new(n),
            settled: Slots::new(1),
            n_runs: (0..n).map(|_| AtomicUsize::new(0)).collect(),
            n_settled: AtomicUsize::new(0),
            fails_in,
        }
    }

    fn n_batches(&self) -> usize {
        self.batches.last().map_or(0, |last| last + 1)
    }

    fn work(&self) {
        let run = |number: usize, taken: &mut Positions<'_>| {
            if self.fails_in == Some(number) {
                return Err(());
            }
            self.settled.read(0);
            assert_eq!(self.n_settled.load(SeqCst), number, "each batch before is settled");
            let n_txs = self.batches.iter().filter(|&&batch| batch == number).count();
            assert_eq!(self.barriers.is_shared(number), n_txs > 1);
            for at in taken {
                assert_eq!(self.batches[at], number);
                (0..at).filter(|&before| self.batches[before] < number).for_each(|before| {
                    self.slots.read(before);
                });
                self.slots.write(at);
                self.n_runs[at].fetch_add(1, SeqCst);
            }
            Ok(())
        };
        let settle = || {
            self.settled.write(0);
            let number = self.n_settled.fetch_add(1, SeqCst);
            let all = self.batches.iter().enumerate().filter(|&(_, &batch)| batch <= number);
            all.for_each(|(at, _)| self.slots.read(at));
        };
        if self.barriers.work(run, settle).is_err() {
            self.barriers.is_stopped().store(true, loom::sync::atomic::Ordering::Release);
        }
    }

    fn check(&self) {
        let is_shared = (0..self.n_batches()).any(|number| self.barriers.is_shared(number));
        assert_eq!(self.barriers.n_workers(), if is_shared { self.n_threads } else { 1 });
        let n_runs: Vec<usize> = self.n_runs.iter().map(|n| n.load(SeqCst)).collect();
        match self.fails_in {
            None => {
                assert_eq!(n_runs, vec![1; n_runs.len()], "each once");
                assert_eq!(self.n_settled.load(SeqCst), self.n_batches());
            }
            Some(number) => {
                let expected: Vec<usize> =
                    self.batches.iter().map(|&batch| usize::from(batch < number)).collect();
                assert_eq!(n_runs, expected, "nobody goes on");
            }
        }
    }
}

fn check(lens: &'static [usize], n_threads: usize, fails_in: Option<usize>) {
    let case = move || Case::new(lens, 1, n_threads, fails_in);
    on_threads(n_threads, case, Case::work, Case::check);
}

#[test]
fn a_batch_starts_when_the_one_before_is_settled() {
    check(&[2, 2], 2, None);
    check(&[2, 1, 2], 2, None);
    check(&[1, 2], 2, None);
    check(&[2, 1, 1], 2, None);
    check(&[1, 1], 2, None);
    check(&[3, 2], 2, None);
    check(&[2, 2, 2], 2, None);
    check(&[2, 2], 3, None);
}

#[test]
fn what_one_took_another_runs() {
    for lens in [&[2][..], &[3, 1], &[2, 2]] {
        on_threads(2, || Case::new(lens, 0, 2, None), Case::work, Case::check);
    }
    on_threads(3, || Case::new(&[3], 0, 3, None), Case::work, Case::check);
}

#[test]
fn nobody_waits_for_a_worker_that_failed() {
    check(&[2, 2], 2, Some(0));
    check(&[2, 2], 2, Some(1));
    check(&[2, 1, 2], 2, Some(1));
}
