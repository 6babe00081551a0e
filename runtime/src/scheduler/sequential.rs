//! One transaction after the other: the schedule of the serial oracle.

use super::schedule::TAIL;
use super::{Block, Mode, Plan, Schedule, Scheduler};

/// Each transaction a batch of its own, in index order. The reference for every other scheduler.
#[derive(Clone, Copy, Debug)]
pub struct Sequential;

impl Scheduler for Sequential {
    fn name(&self) -> &'static str {
        "sequential"
    }

    fn mode(&self) -> Mode {
        Mode::Preserve
    }

    fn plan(&self, block: &Block<'_>, _: usize) -> Plan {
        let tail = block.tail(Mode::Preserve);
        let color = |(tx, in_tail): (u32, bool)| if in_tail { TAIL } else { tx };
        let colors: Vec<u32> = block.txs().zip(tail).map(color).collect();
        Plan::batches(Schedule::from_colors(&colors))
    }
}
