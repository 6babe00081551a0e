//! Waiting until nothing slows the processors down.
//!
//! Who rents a processor often has one of two threads of a core, and what runs on the other one slows it down without
//! any trace in what the kernel counts. On a 2 vCPU AMD EPYC (Zen 4) counting took up to 2.1 times as long as at
//! other times, on each of the two processors for itself, for a third of the time, and for a millisecond at once in the mean (30,000
//! counts of 0.1 ms on each). A block on two threads is as slow as the slower of them.

use std::hint;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kempe_runtime::executor::Executor;

use super::nanos;

/// The most threads that are told from others.
const THREADS_MAX: usize = 64;

/// The least that counting took the slowest of so many threads of this process: where all run, each may be slower than one alone.
static LEAST_NS: [AtomicU64; THREADS_MAX + 1] =
    [const { AtomicU64::new(u64::MAX) }; THREADS_MAX + 1];

/// Up to here it is quiet: in thousandths of the least, which noise of the clock and changes of its rate do not exceed. Ours to choose: of
/// 30,000 counts 64 in 100 were within 50, 4 between 50 and 150.
const QUIET_PERMILLE_MAX: u64 = 1100;

/// How much longer than ever before the slowest thread of an executor counts now, in thousandths. Some 50 microseconds.
pub(super) fn slowness_permille(executor: &Executor) -> u64 {
    let slowest_ns = executor.install(|| rayon::broadcast(|_| count()).into_iter().max());
    let slowest_ns = slowest_ns.unwrap_or(0).max(1);
    let least_ns = LEAST_NS[executor.n_threads().min(THREADS_MAX)]
        .fetch_min(slowest_ns, Ordering::Relaxed)
        .min(slowest_ns);
    slowest_ns.saturating_mul(1000) / least_ns
}

/// How long it takes to count for about 30 microseconds.
fn count() -> u64 {
    const N: u64 = 100_000;
    let start = Instant::now();
    let sum = (0..N).fold(0u64, |sum, at| hint::black_box(sum ^ at));
    hint::black_box(sum);
    nanos(start.elapsed())
}

/// How long all of so many measurements may be put off because it is not quiet.
#[derive(Debug)]
pub(super) struct Patience {
    left: Duration,
    n_left: u32,
    slowness: fn(&Executor) -> u64,
}

/// As one measurement may have bad luck and others none, each has up to so many times its share.
const SHARES: u32 = 4;

impl Patience {
    pub(super) fn new(all: Duration, n: usize, slowness: fn(&Executor) -> u64) -> Self {
        Self { left: all, n_left: u32::try_from(n).unwrap_or(u32::MAX), slowness }
    }

    /// Waits until it is quiet, which it says, or as long as this measurement may wait has passed.
    pub(super) fn wait(&mut self, executor: &Executor) -> bool {
        let share = self.left.saturating_mul(SHARES) / self.n_left.max(SHARES);
        self.n_left = self.n_left.saturating_sub(1);
        let start = Instant::now();
        let is_quiet = loop {
            let is_quiet = (self.slowness)(executor) <= QUIET_PERMILLE_MAX;
            if is_quiet || start.elapsed() >= share {
                break is_quiet;
            }
        };
        self.left = self.left.saturating_sub(start.elapsed());
        is_quiet
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Arc;

    use kempe_runtime::engine::Engine;
    use kempe_runtime::types::Prices;

    use super::*;

    thread_local! {
        /// What is heard, one after the other.
        static SCRIPT: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    }

    fn executor(n_threads: usize) -> Executor {
        let engine = Arc::new(Engine::new().unwrap());
        Executor::new(&engine, Prices::default(), n_threads).unwrap()
    }

    fn scripted(_: &Executor) -> u64 {
        SCRIPT.with_borrow_mut(|script| script.remove(0))
    }

    /// Whether it was quiet, and how much of the script is left.
    fn check(script: &[u64], patience: Duration, is_quiet: bool, n_unheard: usize) {
        SCRIPT.set(script.to_vec());
        let was_quiet = Patience::new(patience, 1, scripted).wait(&executor(1));
        let n_left = SCRIPT.with_borrow(Vec::len);
        assert_eq!((was_quiet, n_left), (is_quiet, n_unheard), "{script:?}");
    }

    #[test]
    fn it_waits_for_quiet() {
        const LONG: Duration = Duration::from_secs(60);
        check(&[1100, 7], Duration::MAX, true, 1);
        check(&[2000, 1101, 1050, 7], LONG, true, 1);
        check(&[2000, 7], Duration::ZERO, false, 1);
    }

    #[test]
    fn patience_ends() {
        let executor = executor(1);
        let mut patience = Patience::new(Duration::from_millis(40), 8, |_| 1500);
        let start = Instant::now();
        assert!(!(0..8).any(|_| patience.wait(&executor)));
        assert!(start.elapsed() >= Duration::from_millis(20), "the first may wait for half of it");
        assert!(patience.left < Duration::from_millis(20), "{patience:?}");
    }

    #[test]
    fn no_thread_is_faster_than_at_its_fastest() {
        assert!((0..20).all(|_| slowness_permille(&executor(2)) >= 1000));
    }
}
