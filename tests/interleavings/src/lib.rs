//! The parts of the executor that are synchronized by hand and stand alone, on threads whose every switch a
//! tester chooses: at random, and by priorities that change a few times (PCT).
//!
//! The files are those of the runtime; only what they share between threads comes from the tester.
//!
//! Source: S. Burckhardt et al., "A randomized scheduler with probabilistic guarantees of finding bugs",
//! ASPLOS 2010.

#![cfg(test)]
#![forbid(unsafe_code)]

#[path = "../../../runtime/src/executor/optimistic/tasks.rs"]
mod tasks;

mod optimistic;

/// What the runtime takes from the standard library.
mod sync {
    pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().expect("no thread panicked")
    }
}
