//! How work that waits for nobody is handed out: a part of what is left at a time.

use std::ops::Range;

use crate::sync::atomic::{AtomicUsize, Ordering};

/// The most transactions that wait for nobody that a worker takes at once: enough to fetch ahead.
const TAKE_MAX: usize = 32;

/// Takes from transactions that wait for nobody those that a worker runs next, by their positions: a part of
/// the costs that are left before `end`, of which each worker gets several, so that the last ones are shared by
/// all. `before` has for each position the costs before it, and at last those of all.
///
/// Source: Polychronopoulos, Kuck, "Guided self-scheduling" (1987), by costs instead of numbers.
pub(super) fn take(
    next: &AtomicUsize,
    end: usize,
    before: &[u64],
    n_threads: usize,
) -> Range<usize> {
    let until = |first: usize| {
        let left = before[end].saturating_sub(before[first]);
        let limit = before[first].saturating_add(part_of(left, n_threads));
        let ends = &before[first + 1..=end.min(first + TAKE_MAX)];
        first + ends.partition_point(|&before| before <= limit).max(1)
    };
    let moved = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |first| {
        (first < end).then(|| until(first))
    });
    moved.map_or(end..end, |first| first..until(first))
}

/// The part of what is left that one worker gets at a time.
pub(super) fn part_of(left: u64, n_threads: usize) -> u64 {
    left / (4 * n_threads as u64)
}

/// For each of these costs the sum of those before it, and at last the sum of all.
pub(super) fn sums(costs: impl Iterator<Item = u64>) -> Vec<u64> {
    let sum = |sum: &mut u64, cost| {
        *sum = sum.saturating_add(cost);
        Some(*sum)
    };
    std::iter::once(0).chain(costs.scan(0, sum)).collect()
}
