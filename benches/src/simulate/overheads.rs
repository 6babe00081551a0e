//! What a real machine adds to a plan.

use serde::{Deserialize, Serialize};

/// What running costs beside the transactions, in the unit of their costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overheads {
    /// For each execution of a transaction.
    #[serde(rename = "dispatch_ns")]
    pub dispatch: u64,
    /// For each access of its list, in each execution, whether the transaction makes it or not.
    #[serde(rename = "access_ns")]
    pub access: u64,
    /// For each key of the block, in the first execution that names it: it is in nobody's caches.
    #[serde(rename = "key_ns", default)]
    pub key: u64,
    /// Before the workers beside the first one begin.
    #[serde(rename = "wake_ns")]
    pub wake: u64,
    /// For each barrier between two batches, where more than one worker runs.
    #[serde(rename = "barrier_ns")]
    pub barrier: u64,
    /// For each batch of one transaction, which needs no barrier.
    #[serde(rename = "single_ns", default)]
    pub single: u64,
    /// For a transaction that adds to what others of its batch add to, with what it changes beside, when the batch ends, and a fifth of that for
    /// each further addition: one worker applies all of it.
    #[serde(rename = "settle_ns", default)]
    pub settle: u64,
    /// For each addition, in each execution, of a transaction that adds to what others add to meanwhile, where there are no batches.
    #[serde(rename = "add_ns", default)]
    pub add: u64,
    /// Each time that a worker takes transactions of a batch: as many at once as the runtime gives it.
    #[serde(rename = "take_ns", default)]
    pub take: u64,
    /// For a transaction of a graph that starts on another worker than the one that set it free: so long after that.
    #[serde(rename = "handover_ns")]
    pub handover: u64,
    /// In a graph in which each conflict is an edge, or each read of what was written: for each transaction that waited for another, beside
    /// a hand-over. Workers count down what it waits for. Optimistically, in each execution, for each change of what others have changed before: what it leaves
    /// is put among theirs. In two rounds, for each transaction of the second: what it did in the first was kept, and is looked at again.
    #[serde(rename = "ordered_ns", default)]
    pub ordered: u64,
    /// For each access of a value that another worker has written since this one had it, or, for a write, has looked at:
    /// each line of it has to come from that worker's caches. What a list names and the transaction leaves as it is counts as read, and an addition that is none as nothing. Optimistically
    /// whoever looks at what anybody changes locks it, so that two lines more come for whoever looks next; and each place that a worker passes over when it
    /// looks for something to do is another.
    #[serde(rename = "remote_ns", default)]
    pub remote: u64,
    /// What each execution takes longer for every worker beside it, in thousandths: caches and
    /// memory are shared.
    pub inflation_permille: u64,
    /// What of a transaction's cost is not executing it, but what all workers share whatever waits for what: reading
    /// the block's values from the state, and putting together what changed.
    #[serde(rename = "around_ns", default)]
    pub around: u64,
    /// The same for each key of the block, once.
    #[serde(rename = "around_key_ns", default)]
    pub around_key: u64,
}

impl Overheads {
    /// The same in another unit of costs.
    #[must_use]
    pub fn map(self, unit: impl Fn(u64) -> u64) -> Self {
        Self {
            dispatch: unit(self.dispatch),
            access: unit(self.access),
            key: unit(self.key),
            wake: unit(self.wake),
            barrier: unit(self.barrier),
            handover: unit(self.handover),
            take: unit(self.take),
            single: unit(self.single),
            settle: unit(self.settle),
            add: unit(self.add),
            ordered: unit(self.ordered),
            remote: unit(self.remote),
            inflation_permille: self.inflation_permille,
            around: unit(self.around),
            around_key: unit(self.around_key),
        }
    }
}
