//! Runs in turns with runs on one thread, so that a machine whose speed changes changes both alike.

use super::share;
use crate::WorldError;

/// How many runs there are between two on one thread, at most. More would be nearer in time, and take longer.
const RUNS_MAX: usize = 7;

/// What a run took: by the clock, and of all processors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took {
    pub(super) wall_ns: u64,
    pub(super) cpu_ns: u64,
}

/// Each plan once, in groups between runs on one thread.
#[derive(Debug)]
pub(super) struct Round {
    /// On one thread: before each group, and after the last.
    alone: Vec<Took>,
    runs: Vec<Took>,
    /// How many of them are in a group.
    len: usize,
}

/// What a round of so many plans takes, about, of a block that takes so long on one thread: if half of the work goes to another.
pub(super) fn cost(n_runs: usize, alone_ns: u64) -> u64 {
    let n_groups = n_runs.div_ceil(RUNS_MAX);
    let n_halves = 2 * (n_groups + 1) + n_groups + n_runs;
    alone_ns.saturating_mul(n_halves as u64) / 2
}

impl Round {
    /// Runs so many plans: `time` runs the one at a place, or on one thread.
    pub(super) fn run(
        n_runs: usize,
        mut time: impl FnMut(Option<usize>) -> Result<Took, WorldError>,
    ) -> Result<Self, WorldError> {
        let (mut alone, mut runs) = (vec![time(None)?], Vec::new());
        // As many in each group, as nearly as it goes.
        let len = n_runs.div_ceil(n_runs.div_ceil(RUNS_MAX).max(1)).max(1);
        for first in (0..n_runs).step_by(len) {
            // Whoever comes first would find the caches as one thread left them.
            time(Some(first))?;
            for at in first..n_runs.min(first + len) {
                runs.push(time(Some(at))?);
            }
            alone.push(time(None)?);
        }
        Ok(Self { alone, runs, len })
    }

    /// What the block took on one thread.
    pub(super) fn alone_ns(&self) -> impl Iterator<Item = u64> {
        self.alone.iter().map(|took| took.wall_ns)
    }

    pub(super) fn cpu_ns(&self, at: usize) -> u64 {
        self.runs[at].cpu_ns
    }

    /// What a run would have taken if the block took `base_ns` on one thread: it counts by what it is of the two runs on
    /// one thread around it.
    pub(super) fn paced_ns(&self, at: usize, base_ns: u64) -> u64 {
        let group = at / self.len;
        let [before, after] = [self.alone[group], self.alone[group + 1]].map(|took| took.wall_ns);
        share(base_ns, self.runs[at].wall_ns, before.midpoint(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::median;

    /// What each of 20 plans takes, in thousandths of one thread's time.
    fn permille(at: usize) -> u64 {
        500 + 25 * at as u64
    }

    /// The medians of five rounds on a machine that takes `slow(t)` thousandths as long at a time `t`, in thousandths of
    /// the block's time on one thread.
    fn measured(slow: impl Fn(u64) -> u64) -> Vec<u64> {
        let mut now = 0;
        let mut round = || {
            let measured = Round::run(20, |run| {
                let wall_ns = run.map_or(1000, permille) * slow(now) / 1000;
                now += wall_ns;
                Ok(Took { wall_ns, cpu_ns: 2 * wall_ns })
            });
            measured.unwrap()
        };
        let rounds: Vec<Round> = (0..5).map(|_| round()).collect();
        let of = |at| {
            median(&mut rounds.iter().map(|round| round.paced_ns(at, 1000)).collect::<Vec<_>>())
        };
        (0..20).map(of).collect()
    }

    fn worst_percent(slow: impl Fn(u64) -> u64) -> u64 {
        let errors = measured(slow).into_iter().enumerate();
        errors.map(|(at, found)| 100 * found.abs_diff(permille(at)) / permille(at)).max().unwrap()
    }

    #[test]
    fn each_plan_runs_once_between_two_runs_on_one_thread() {
        for (n_runs, expected) in [
            (1, "a 0 0 a"),
            (3, "a 0 0 1 2 a"),
            (8, "a 0 0 1 2 3 a 4 4 5 6 7 a"),
            (15, "a 0 0 1 2 3 4 a 5 5 6 7 8 9 a 10 10 11 12 13 14 a"),
        ] {
            let mut order = Vec::new();
            let round = Round::run(n_runs, |run| {
                order.push(run.map_or("a".to_owned(), |at| at.to_string()));
                Ok(Took { wall_ns: order.len() as u64, cpu_ns: 0 })
            });
            let round = round.unwrap();
            assert_eq!(order.join(" "), expected);
            assert_eq!(
                (round.runs.len(), cost(n_runs, 2)),
                (n_runs, {
                    let n_alone = expected.matches('a').count();
                    2 * n_alone as u64 + (order.len() - n_alone) as u64
                })
            );
        }
    }

    #[test]
    fn a_machine_whose_speed_changes_gives_what_a_steady_one_gives() {
        assert_eq!(worst_percent(|_| 1000), 0);
        // Slower by 1.6 from one moment on, whenever that is; and for a time.
        for from in (0..80_000).step_by(1700) {
            assert!(worst_percent(|now| if now < from { 1000 } else { 1600 }) <= 1, "{from}");
            let is_slow = |now| (from..from + 20_000).contains(&now);
            assert!(worst_percent(|now| if is_slow(now) { 1600 } else { 1000 }) <= 1, "{from}");
        }
        // It slows down steadily, by 1.6 in three rounds; and waves, by 1.6 from least to most.
        assert!(worst_percent(|now| 1000 + now / 90) <= 2);
        let wave = |now: u64| 1000 + now.abs_diff(now / 60_000 * 60_000 + 30_000) / 50;
        assert!(worst_percent(wave) <= 5);
    }
}
