//! Work that is cut into parts for threads.

/// What is sorted, in parts of `len` or a few more, such that what `is_together` with its neighbor is in one part.
pub(crate) fn tasks<T>(
    sorted: &[T],
    len: usize,
    is_together: impl Fn(&T, &T) -> bool,
) -> Vec<&[T]> {
    let mut tasks = Vec::with_capacity(sorted.len() / len + 1);
    let mut rest = sorted;
    while !rest.is_empty() {
        let mut end = rest.len().min(len);
        while end < rest.len() && is_together(&rest[end - 1], &rest[end]) {
            end += 1;
        }
        let (task, others) = rest.split_at(end);
        tasks.push(task);
        rest = others;
    }
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_together_stays_together_and_nothing_is_lost() {
        for (len, n) in [(1, 0), (1, 9), (3, 10), (4, 4), (100, 10)] {
            let sorted: Vec<u32> = (0..n).map(|at| at * at / 7).collect();
            let parts = tasks(&sorted, len, |a, b| a == b);
            assert_eq!(parts.concat(), sorted);
            assert!(parts.windows(2).all(|pair| pair[0].last() != pair[1].first()));
            assert!(parts.iter().rev().skip(1).all(|part| part.len() >= len));
        }
    }
}
