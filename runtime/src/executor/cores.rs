//! Threads that stay on one processor.

/// The processors that this thread may run on; none where that is not known.
#[cfg(target_os = "linux")]
pub(super) fn usable() -> Vec<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity};

    let Ok(set) = sched_getaffinity(None) else { return Vec::new() };
    (0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect()
}

/// Keeps this thread on a processor from now on. Where that is refused it runs on any, as before.
#[cfg(target_os = "linux")]
pub(super) fn stay_on(core: usize) {
    use rustix::thread::{CpuSet, sched_setaffinity};

    let mut set = CpuSet::new();
    set.set(core);
    let _refused = sched_setaffinity(None, &set);
}

#[cfg(not(target_os = "linux"))]
pub(super) fn usable() -> Vec<usize> {
    Vec::new()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn stay_on(_: usize) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_stays_where_it_is_told_to() {
        let cores = usable();
        assert!(!cores.is_empty());
        for core in cores {
            let stays = std::thread::spawn(move || {
                stay_on(core);
                usable()
            });
            assert_eq!(stays.join().unwrap(), [core]);
        }
    }
}
