//! What a scheduler hands to an executor.

use super::layers::layers_of;
use super::{Block, Dag, Schedule};

/// How a block is to be run, and in which order that counts as having run.
///
/// Every plan publishes one order of its transactions. Replaying that order one by one gives the same
/// result as the plan on any number of workers; [`verify_plan`](super::verify_plan) checks that it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    order: Vec<u32>,
    n_tail: usize,
    form: Form,
}

/// What makes a transaction wait.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// All of a batch before any of the next.
    Batches(Schedule),
    /// A transaction starts when all that it waits for have ended. Every conflict is an edge.
    Graph(Dag),
    /// The same with a version of each key for each write: edges lead from writers to readers only.
    Versions(Dag),
    /// Nothing: what each transaction reads is known from elsewhere, and is checked.
    Values,
    /// Nothing at first: a transaction that read what an earlier one then wrote runs again.
    Optimistic {
        /// The declared lists as estimates: a transaction waits for the writers before it.
        hints: Option<Dag>,
    },
    /// All at once on the state before the block. Those in `again` could not count, and run once more
    /// after all others, as a graph.
    Rounds {
        /// The transactions that run twice, in the published order.
        again: Vec<u32>,
        /// Who of them waits for whom.
        dag: Dag,
    },
}

/// The part of a block's costs, in percent, that makes a chain. Ours to choose: two workers would gain a
/// tenth at most, and hand over at every transaction.
const CHAIN_PERCENT: u128 = 90;

impl Plan {
    /// The plan to run a schedule's batches one after the other, and then its tail.
    #[must_use]
    pub fn batches(schedule: Schedule) -> Self {
        let (order, n_tail) = (schedule.order().to_vec(), schedule.tail().len());
        Self { order, n_tail, form: Form::Batches(schedule) }
    }

    /// A plan of another form. `order` is the published one, and its last `n_tail` transactions run
    /// one by one after all others.
    #[must_use]
    pub fn new(order: Vec<u32>, n_tail: usize, form: Form) -> Self {
        let n_tail = n_tail.min(order.len());
        Self { order, n_tail, form }
    }

    /// Every transaction in the published order: the tail stands last.
    #[must_use]
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// The transactions that do not run one by one, in the published order.
    #[must_use]
    pub fn body(&self) -> &[u32] {
        &self.order[..self.order.len() - self.n_tail]
    }

    /// The transactions that run one by one after all others.
    #[must_use]
    pub fn tail(&self) -> &[u32] {
        &self.order[self.order.len() - self.n_tail..]
    }

    /// Whether nearly all that the plan costs follows each other, so that more than one worker has nothing
    /// to gain, and handing the chain from core to core would cost: executors run it on one. Batches and
    /// published values are never such a chain: the first are seen by the executor one by one, of the second
    /// nobody waits. O(nodes + edges).
    #[must_use]
    pub fn is_chain(&self, block: &Block<'_>) -> bool {
        let longest = match &self.form {
            Form::Graph(dag) | Form::Versions(dag) => dag.critical_path(),
            Form::Optimistic { hints: Some(dag) } => dag.critical_path(),
            // The graph of rounds lacks those that count at once, which may be most of a chain.
            Form::Optimistic { hints: None } | Form::Rounds { .. } => {
                Dag::reads_after_writes(block, self.body()).critical_path()
            }
            Form::Batches(_) | Form::Values => return false,
        };
        let work: u128 = self.body().iter().map(|&tx| u128::from(block.cost(tx))).sum();
        u128::from(longest) * 100 >= work * CHAIN_PERCENT
    }

    /// What makes a transaction wait.
    #[must_use]
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// The batches that a block publishes: those of the plan, or else the fewest that keep its order
    /// where it matters. Whoever replays them comes to the same result.
    #[must_use]
    pub fn schedule(&self, block: &Block<'_>) -> Schedule {
        match &self.form {
            Form::Batches(schedule) => schedule.clone(),
            _ => layers_of(block, self.body(), self.tail()),
        }
    }

    /// [`schedule`](Self::schedule) of a plan that is not needed any more.
    #[must_use]
    pub fn into_schedule(self, block: &Block<'_>) -> Schedule {
        match self.form {
            Form::Batches(schedule) => schedule,
            _ => self.schedule(block),
        }
    }
}

/// Splits a block's transactions into those that have a list, in index order, and the tail.
pub(super) fn split(block: &Block<'_>, mode: super::Mode) -> (Vec<u32>, Vec<u32>) {
    let in_tail = block.tail(mode);
    block.txs().partition(|&tx| !in_tail[tx as usize])
}

/// A plan whose published order is `body`, then `tail`.
pub(super) fn plan_of(mut body: Vec<u32>, tail: &[u32], form: Form) -> Plan {
    body.extend_from_slice(tail);
    Plan::new(body, tail.len(), form)
}
