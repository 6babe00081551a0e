//! The counters that say when something may start, on every interleaving of small cases, and with every value that
//! the memory orders allow a load to see.
//!
//! The files are those of the runtime; only what they share between threads comes from the tester, which also
//! notices two accesses of a cell that nothing orders.
//!
//! Source: B. Norris, B. Demsky, "CDSChecker: checking concurrent data structures written with C/C++ atomics",
//! OOPSLA 2013, as in the crate loom.

#![cfg(test)]
#![forbid(unsafe_code)]

#[path = "../../../../runtime/src/executor/barriers.rs"]
mod barriers;
#[path = "../../../../runtime/src/executor/ends.rs"]
mod ends;
#[path = "../../../../runtime/src/executor/shares.rs"]
mod shares;

mod batches;
mod graphs;
mod scheduler;

use loom::cell::UnsafeCell;

/// What the runtime takes from the standard library.
mod sync {
    pub(crate) use loom::sync::atomic;

    pub(crate) fn pause(n_idle: &mut u32) {
        *n_idle += 1;
        loom::thread::yield_now();
    }
}

/// What transactions leave: the tester fails where one looks at what another leaves at the same time.
struct Slots(Vec<UnsafeCell<()>>);

impl Slots {
    fn new(n: usize) -> Self {
        Self((0..n).map(|_| UnsafeCell::new(())).collect())
    }

    fn write(&self, at: usize) {
        self.0[at].with_mut(|_| ());
    }

    fn read(&self, at: usize) {
        self.0[at].with(|_| ());
    }
}

/// Runs a case on so many threads, in every way in which two can be preempted three times, or more of them once.
fn on_threads<S: 'static>(
    n_threads: usize,
    shared: impl Fn() -> S + Send + Sync + 'static,
    work: fn(&S),
    check: fn(&S),
) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(if n_threads == 2 { 3 } else { 1 });
    model.max_branches = 100_000;
    model.check(move || {
        let shared = loom::sync::Arc::new(shared());
        let others: Vec<_> = (1..n_threads)
            .map(|_| {
                let shared = loom::sync::Arc::clone(&shared);
                loom::thread::spawn(move || work(&shared))
            })
            .collect();
        work(&shared);
        others.into_iter().for_each(|other| other.join().expect("no thread panics"));
        check(&shared);
    });
}
