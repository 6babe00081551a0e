//! What planning costs.

use cpu_time::ThreadTime;
use kempe_runtime::scheduler::{Block, Scheduler};

/// What one plan takes, in nanoseconds of this thread's processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanningTime {
    /// The least of all rounds. It is what counts: whatever else the machine does only adds.
    pub min_ns: u64,
    /// The greatest.
    pub max_ns: u64,
}

/// From here on two rounds are enough: what takes so long is not disturbed by much in each.
const LONG_NS: u64 = 100_000_000;

/// The time that a scheduler takes for one plan, in `n_rounds`, of which there are two where that takes longer than a tenth
/// of a second.
#[must_use]
pub fn planning_time(
    scheduler: &dyn Scheduler,
    block: &Block<'_>,
    n_workers: usize,
    n_rounds: u32,
) -> PlanningTime {
    let round = || {
        let start = ThreadTime::now();
        let plan = scheduler.plan(block, n_workers);
        let time = start.elapsed();
        drop(plan);
        u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
    };
    let mut rounds = vec![round()];
    while rounds.len() < n_rounds as usize && (rounds.len() < 2 || rounds[1] <= LONG_NS) {
        rounds.push(round());
    }
    let of = |chosen: Option<&u64>| chosen.copied().unwrap_or(0);
    PlanningTime { min_ns: of(rounds.iter().min()), max_ns: of(rounds.iter().max()) }
}

#[cfg(test)]
mod tests {
    use kempe_runtime::scheduler::SCHEDULERS;

    use super::*;
    use crate::{Workload, plain_transfer_accesses};

    /// Prints the table; the time of a busy machine proves nothing.
    #[test]
    #[ignore = "measures"]
    fn planning_costs() {
        for name in ["uniform:1000000", "zipf:1000000:100", "uniform:100", "one-hot:1000000"] {
            for n_txs in [20_000, 40_000] {
                let specs = name.parse::<Workload>().unwrap().transfers(n_txs, 7).unwrap();
                let accesses = plain_transfer_accesses(&specs);
                let block = Block::new(&accesses, &[], &[], &[]).unwrap();
                print!("{name} {n_txs}:");
                for scheduler in SCHEDULERS {
                    let ns = planning_time(scheduler, &block, 8, 3).min_ns / n_txs as u64;
                    print!(" {}={ns}", scheduler.name());
                }
                println!();
            }
        }
    }
}
