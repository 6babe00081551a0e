//! The K-best scheme: what is timed is timed until the fastest few agree, and these count.
//!
//! The same work never takes less time than it needs, and more whenever something else happens to the machine, so the
//! fastest runs are those that were disturbed least; that several are alike tells that they were not disturbed at all.
//! Source: R. E. Bryant, D. R. O'Hallaron, *Computer Systems: A Programmer's Perspective*, chapter "Measuring Program
//! Execution Time" of the first edition (2003).

use crate::lab::ratio;

/// How many of the fastest have to agree, and how far they may be apart. The book's example has three and a
/// thousandth; the latter is ours to choose: in quiet half of all runs of a few milliseconds are within 3 to 5 % of the fastest.
pub(super) const K: usize = 3;
const APART_MAX: f64 = 0.03;

/// What a run took: by the clock, and of all processors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took {
    pub(super) wall_ns: u64,
    pub(super) cpu_ns: u64,
}

/// From how many runs on a plan whose times are settled leaves the rounds: fewer may be alike in a slow stretch. By a simulation of 20 plans in
/// two times of 24 rounds, half of them slower by 1.4, speedups come out as 0.979 of what they are if plans leave at once, and as 0.997 from
/// here on.
const LEAVE: usize = 8;

/// What runs of one kind took.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    /// The fastest first.
    all: Vec<Took>,
    /// How many of them began in quiet.
    n_quiet: usize,
}

impl Times {
    pub(super) fn add(&mut self, took: Took, is_quiet: bool) {
        let at = self.all.partition_point(|other| other.wall_ns < took.wall_ns);
        self.all.insert(at, took);
        self.n_quiet += usize::from(is_quiet);
    }

    fn fastest(&self) -> &[Took] {
        &self.all[..self.all.len().min(K)]
    }

    /// Whether as many as so many, or [`K`] if that is less, began in quiet, and the fastest agree.
    pub(super) fn is_settled(&self, n: usize) -> bool {
        self.n_quiet >= n.min(K) && self.spread() <= APART_MAX
    }

    /// Whether others may have its time.
    pub(super) fn may_leave(&self, n: usize) -> bool {
        self.n() >= LEAVE.max(n) && self.is_settled(n)
    }

    /// How far the fastest are apart, as a share of the least.
    pub(super) fn spread(&self) -> f64 {
        let ends = self.fastest().first().zip(self.fastest().last());
        ends.map_or(0.0, |(least, most)| ratio(most.wall_ns - least.wall_ns, least.wall_ns))
    }

    /// The middle of the fastest, or the fastest while there are few: of three the middle would be the median of all, in which a run counts that
    /// was disturbed as any other.
    pub(super) fn best_ns(&self) -> u64 {
        let at = if self.n() < 2 * K { 0 } else { K / 2 };
        self.all.get(at).map_or(0, |took| took.wall_ns)
    }

    /// That in the middle of what all processors took for the fastest.
    pub(super) fn cpu_ns(&self) -> u64 {
        let mut cpu_ns: Vec<u64> = self.fastest().iter().map(|took| took.cpu_ns).collect();
        cpu_ns.sort_unstable();
        cpu_ns.get(cpu_ns.len() / 2).copied().unwrap_or(0)
    }

    /// How many there are.
    pub(super) fn n(&self) -> usize {
        self.all.len()
    }

    /// The fastest and the slowest, by the clock.
    pub(super) fn ends_ns(&self) -> Option<[u64; 2]> {
        let ends = self.all.first().zip(self.all.last());
        ends.map(|(fastest, slowest)| [fastest.wall_ns, slowest.wall_ns])
    }
}

/// What a block took, all the times that it was measured.
#[derive(Clone, Debug, Default)]
pub(super) struct BlockTimes {
    /// On one thread in the given order, as a graph and as batches: before there were plans.
    pub(super) base: [Times; 2],
    /// On one thread, in turns with the plans.
    pub(super) alone: Times,
    /// By the plan of each scheduler.
    pub(super) plans: Vec<Times>,
    /// How it was measured the first time, and so is always: how often in a row, by which of the plans for one thread, and what the
    /// transactions are said to cost, which shapes plans. None and nothing before that.
    pub(super) n_times: Option<u64>,
    pub(super) faster: Option<usize>,
    pub(super) costs: Vec<u64>,
}

impl BlockTimes {
    /// Whether the times of each plan are settled, and those of one thread.
    pub(super) fn are_settled(&self, n: usize) -> impl Iterator<Item = bool> {
        let is_alone = self.alone.is_settled(n);
        self.plans.iter().map(move |times| is_alone && times.is_settled(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(wall_ns: &[u64]) -> Times {
        let mut times = Times::default();
        wall_ns.iter().for_each(|&ns| times.add(Took { wall_ns: ns, cpu_ns: 2 * ns }, true));
        times
    }

    #[test]
    fn the_fastest_count_and_are_settled_where_they_agree() {
        for (wall_ns, n, is_settled, best_ns) in [
            (&[][..], 3, false, 0),
            (&[7], 1, true, 7),
            (&[7], 3, false, 7),
            (&[1030, 1000, 1020], 3, true, 1000),
            (&[1031, 1000, 1020], 3, false, 1000),
            (&[1500, 1000, 1900, 1400, 1010], 3, false, 1000),
            (&[1020, 1000], 2, true, 1000),
            (&[1040, 1000], 2, false, 1000),
            (&[1500, 1000, 1900, 1030, 1010], 3, true, 1000),
            (&[1500, 1000, 1900, 1030, 1010], 9, true, 1000),
            (&[1500, 1000, 1900, 1030, 1010, 1600], 3, true, 1010),
            (&[1500, 1005, 1900, 1030, 1010, 1600, 1000], 9, true, 1005),
        ] {
            let times = times(wall_ns);
            assert_eq!(
                (times.is_settled(n), times.best_ns()),
                (is_settled, best_ns),
                "{wall_ns:?}"
            );
        }
        let alike = |n: usize| times(&vec![1000; n]);
        assert!(alike(7).is_settled(3) && !alike(7).may_leave(3) && alike(8).may_leave(3));
        assert!(!alike(8).may_leave(9) && !times(&[10, 11, 12, 13, 14, 15, 16, 17]).may_leave(3));
        assert_eq!((times(&[5, 9, 7]).ends_ns(), times(&[5, 9, 7]).n()), (Some([5, 9]), 3));
        assert_eq!(times(&[5, 9, 7, 8]).cpu_ns(), 14);
        // What never began in quiet may be alike and wrong.
        let mut loud = times(&[1000, 1000]);
        loud.add(Took { wall_ns: 1000, cpu_ns: 0 }, false);
        assert!(!loud.is_settled(3) && loud.is_settled(2));
    }

    #[test]
    fn what_is_compared_with_one_thread_settles_with_it() {
        let [settled, restless] = [times(&[10, 10, 10]), times(&[10, 11, 12])];
        let of = |alone: &Times| {
            let plans = vec![settled.clone(), restless.clone()];
            let times = BlockTimes { alone: alone.clone(), plans, ..BlockTimes::default() };
            times.are_settled(3).collect::<Vec<_>>()
        };
        assert_eq!((of(&settled), of(&restless)), (vec![true, false], vec![false, false]));
    }

    /// What a run takes at a time on a machine that is slower by 1.8 for `slow_ns` of each `of_ns`.
    fn took(work_ns: u64, mut now_ns: u64, (slow_ns, of_ns): (u64, u64)) -> u64 {
        let start_ns = now_ns;
        let mut left = 9 * work_ns;
        while left > 0 {
            let at = now_ns % of_ns;
            let (is_slow, ends) = if at < slow_ns { (true, slow_ns) } else { (false, of_ns) };
            let speed = if is_slow { 5 } else { 9 };
            let passes = (ends - at).min(left.div_ceil(speed));
            left = left.saturating_sub(speed * passes);
            now_ns += passes;
        }
        now_ns - start_ns
    }

    #[test]
    fn a_machine_that_is_slowed_down_for_half_of_the_time_gives_what_a_quiet_one_gives() {
        // 20 plans of 500 to 975 in turns, which take less than it is quiet in a row.
        for of_ns in [2300, 4100, 7900, 50_000] {
            let mut now = 0;
            let mut found = vec![Times::default(); 20];
            for _ in 0..24 {
                for (at, times) in found.iter_mut().enumerate() {
                    let took_ns = took(500 + 25 * at as u64, now, (of_ns / 2, of_ns));
                    times.add(Took { wall_ns: took_ns, cpu_ns: 0 }, true);
                    now += took_ns;
                }
            }
            for (at, times) in found.iter().enumerate() {
                let expected = 500 + 25 * at as u64;
                let is_right = times.best_ns() <= expected + expected / 33;
                assert!(!times.is_settled(K) || is_right, "{of_ns} {at}: {times:?}");
            }
            let n_settled = found.iter().filter(|times| times.is_settled(K)).count();
            assert!(n_settled >= 17, "{of_ns}: {n_settled}");
        }
    }
}
