//! How far threads are apart.

use std::hint;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use kempe_runtime::executor::Executor;
use rayon::BroadcastContext;

use super::nanos;

/// How often the word is passed on, in each of so many rounds of which the fastest counts: some milliseconds.
const N_HOPS: u64 = 2000;
const N_ROUNDS: usize = 9;

/// Nanoseconds until a word that one thread of an executor wrote is seen by the next, passed around all of them; at least 1.
///
/// Where it takes three times as long, so does all that threads share. It changes while a program runs: whoever
/// lends the machine moves its processors, now to neighbors that share a cache, now to others.
pub(super) fn hop_ns(executor: &Executor) -> u64 {
    (0..N_ROUNDS).map(|_| round(executor)).min().unwrap_or(0).max(1)
}

/// From here on threads do not run at the same time, and how long it takes says nothing of where they run: a word
/// comes from one socket to another in less than half of it.
pub(super) const APART_NS_MAX: u64 = 1000;

/// Whether threads are about as far apart in both cases: noise is a fifth; from one cache to another of the same
/// machine it is three times and more.
pub(crate) fn is_alike(a_ns: u64, b_ns: u64) -> bool {
    let [a, b] = [a_ns, b_ns].map(|ns| ns.min(APART_NS_MAX));
    3 * a.min(b) >= 2 * a.max(b)
}

fn round(executor: &Executor) -> u64 {
    let turn = AtomicU64::new(0);
    let all = |thread: BroadcastContext<'_>| {
        let own = (thread.index() as u64..N_HOPS).step_by(thread.num_threads());
        own.for_each(|at| pass(&turn, at));
    };
    let start = Instant::now();
    executor.install(|| rayon::broadcast(all));
    nanos(start.elapsed()) / N_HOPS
}

/// Waits for its turn and passes it on.
fn pass(turn: &AtomicU64, at: u64) {
    /// After so many looks there may be more threads than processors.
    const N_LOOKS: u32 = 1000;
    let mut n_looks = 0;
    while turn.load(Ordering::Acquire) != at {
        n_looks += 1;
        if n_looks < N_LOOKS { hint::spin_loop() } else { thread::yield_now() }
    }
    turn.store(at + 1, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kempe_runtime::engine::Engine;
    use kempe_runtime::types::Prices;

    use super::*;

    #[test]
    fn half_as_much_more_is_alike_and_so_is_all_that_takes_turns() {
        assert!(is_alike(60, 90) && is_alike(90, 60) && !is_alike(60, 91) && !is_alike(240, 60));
        assert!(is_alike(1000, 20_000) && is_alike(30_000, 700) && !is_alike(300, 20_000));
    }

    #[test]
    fn the_word_comes_around_with_more_threads_than_processors() {
        // It is never passed on in less than a cycle.
        let engine = Arc::new(Engine::new().unwrap());
        assert!(round(&Executor::new(&engine, Prices::default(), 9).unwrap()) > 0);
    }
}
