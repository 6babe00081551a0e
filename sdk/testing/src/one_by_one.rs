//! The published order of a parallel block, one by one.

use kempe_runtime::scheduler::{Block, Layers, Mode, Plan, Schedule, Scheduler};

/// The order of [`Layers`], each transaction a batch of its own. It is not the given order: there, what is taken from
/// a counter may come behind what was added to it in a later batch.
#[derive(Debug)]
pub(crate) struct OneByOne;

impl Scheduler for OneByOne {
    fn name(&self) -> &'static str {
        "one-by-one"
    }

    fn mode(&self) -> Mode {
        Layers.mode()
    }

    fn plan(&self, block: &Block<'_>, _: usize) -> Plan {
        let layers = Layers.schedule(block);
        let batches = layers.batches().flatten().map(std::slice::from_ref);
        Plan::batches(Schedule::new(batches, layers.tail()).expect("no batch is empty"))
    }
}
