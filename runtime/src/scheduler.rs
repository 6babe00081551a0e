//! Plans: from the access lists of a block to who may run beside whom.
//!
//! Everything here is a pure function of [`Accesses`], costs and senders: no engine, no state, no
//! threads, no clock. A [`Plan`] publishes one order of the block's transactions; replaying it one by
//! one is its meaning. A [`Schedule`] publishes batches: its order is (batch, index), then the tail.
//!
//! | scheduler | mode | what waits | cost |
//! | --- | --- | --- | --- |
//! | [`Sequential`] | preserve | everybody | O(txs) |
//! | [`Layers`] | preserve | batches: the longest path, the fewest that keep the given order | O(accesses) |
//! | [`Color`] | free | batches: first-fit coloring of the full conflict graph, without building it | O(accesses) |
//! | [`WelshPowell`], [`HeaviestFirst`] | free | the same in another order | O(accesses + txs log txs) |
//! | [`SmallestLast`], [`Dsatur`] | free | batches from the graph of all pairs | O(edges log edges), capped |
//! | [`Unbarred`] | as its batches | each waits for the conflicts before it in (batch, cost) | as its batches |
//! | [`Graph`] | preserve | each waits for the conflicts before it | O(accesses) |
//! | [`Versions`] | preserve | readers wait for the writers of what they read | O(accesses) |
//! | [`Values`] | preserve | nobody: what is read is published | O(txs) |
//! | [`BlockStm`] | preserve | who read too early runs again | O(1), O(accesses) with hints |
//! | [`Stages`] | free | clusters on workers, in up to four stages | O(accesses) |
//! | [`Greedy`] | free | queues of workers that lock keys | O(accesses) |
//! | [`PrioGraph`] | preserve | the same with a look ahead | O(accesses log txs) |
//! | [`Aria`] | free | nobody; those that could not count run again as a graph | O(accesses log txs) |
//!
//! ```
//! use kempe_abi::AccessKind::{Read, Write};
//! use kempe_runtime::scheduler::{Access, Accesses, Block, Color, Mode, Scheduler, verify};
//!
//! let mut accesses = Accesses::default();
//! accesses.push_tx([Access::new(0, Write), Access::new(1, Write)]);
//! accesses.push_tx([Access::new(1, Write), Access::new(2, Write)]);
//! accesses.push_tx([Access::new(2, Write), Access::new(3, Read)]);
//! let block = Block::new(&accesses, &[], &[], &[])?;
//! let schedule = Color.schedule(&block);
//! assert_eq!(schedule.to_string(), "[0 2] [1]");
//! verify(&schedule, &block, Mode::Free)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accesses;
mod aria;
mod block_stm;
mod bound;
mod color;
mod color_sets;
mod dag;
mod dependency;
mod dsatur;
mod graph;
mod greedy;
mod lanes;
mod layers;
mod picture;
mod plan;
mod prio_graph;
mod schedule;
mod sequential;
mod smallest_last;
mod stages;
#[cfg(test)]
mod tests;
mod thin;
mod together;
mod unbarred;
mod values;
mod verify;
mod verify_plan;
mod versions;
mod welsh_powell;

pub use accesses::{Access, Accesses, Block, BlockError};
pub use aria::Aria;
pub use block_stm::{BLOCK_STM, BLOCK_STM_HINTS, BlockStm};
pub use bound::{LowerBound, lower_bound, lower_bound_of};
pub use color::{Color, HeaviestFirst};
pub use dag::{Dag, DagError};
pub use dependency::Graph;
pub use dsatur::{DSATUR_EDGES_MAX, Dsatur, TooManyEdges};
pub use graph::{ConflictGraph, CriticalPath, Node, Wait};
pub use greedy::Greedy;
pub use layers::Layers;
pub use picture::{PICTURE_TXS_MAX, PictureError, dot, svg};
pub use plan::{Form, Plan};
pub use prio_graph::PrioGraph;
pub use schedule::{FormError, Schedule};
pub use sequential::Sequential;
pub use smallest_last::SmallestLast;
pub use stages::Stages;
pub use together::adds_together;
pub use unbarred::{
    COLOR_GRAPH, DSATUR_GRAPH, HEAVIEST_FIRST_GRAPH, SMALLEST_LAST_GRAPH, Unbarred,
    WELSH_POWELL_GRAPH,
};
pub use values::Values;
pub use verify::{ScheduleError, verify};
pub use verify_plan::{PlanError, verify_plan};
pub use versions::Versions;
pub use welsh_powell::WelshPowell;

/// What a schedule may do with the order in which a block lists its transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The builder may reorder; only the transactions of one sender keep their order.
    Free,
    /// The result is that of the given order: two transactions that conflict keep their order.
    Preserve,
}

/// A way to plan a block.
///
/// To bring your own, implement [`name`](Self::name), [`mode`](Self::mode) and [`plan`](Self::plan).
/// [`verify_plan`] says whether its plans are legal, and names the pair and the key if not. This one
/// hopes that neighbors do not conflict:
///
/// ```
/// use kempe_abi::AccessKind::Write;
/// use kempe_runtime::scheduler::*;
///
/// #[derive(Debug)]
/// struct Pairs;
///
/// impl Scheduler for Pairs {
///     fn name(&self) -> &'static str { "pairs" }
///     fn mode(&self) -> Mode { Mode::Preserve }
///     fn plan(&self, block: &Block<'_>, _: usize) -> Plan {
///         // Two neighbors that do not conflict share a batch.
///         let txs: Vec<u32> = block.txs().collect();
///         Plan::batches(Schedule::new(txs.chunks(2), &[]).expect("no batch is empty"))
///     }
/// }
///
/// let mut accesses = Accesses::default();
/// for slot in [0, 1, 2, 2] {
///     accesses.push_tx([Access::new(slot, Write)]);
/// }
/// let block = Block::new(&accesses, &[], &[], &[])?;
/// let error = verify_plan(&Pairs.plan(&block, 2), &block, Pairs.mode()).unwrap_err();
/// assert_eq!(error.to_string(), "tx=2 and tx=3 conflict on slot=2 in batch=1");
/// # Ok::<(), BlockError>(())
/// ```
pub trait Scheduler: std::fmt::Debug + Sync {
    /// The word that selects it on the command line.
    fn name(&self) -> &'static str;

    /// The mode under which its plans stand up to [`verify_plan`]. What passes in
    /// [`Mode::Preserve`] passes in [`Mode::Free`] too.
    fn mode(&self) -> Mode;

    /// Plans every transaction of the block exactly once, for `n_workers`. The number of workers may
    /// shape the plan, never the meaning of what it publishes.
    fn plan(&self, block: &Block<'_>, n_workers: usize) -> Plan;

    /// Who plans a block in its place, because the block is too large for it; mostly nobody.
    fn stand_in(&self, _block: &Block<'_>) -> Option<&'static dyn Scheduler> {
        None
    }

    /// The batches that a block publishes when this scheduler plans it, for one worker.
    fn schedule(&self, block: &Block<'_>) -> Schedule {
        self.plan(block, 1).into_schedule(block)
    }
}

/// Every scheduler; the default, [`Color`], first.
pub const SCHEDULERS: [&dyn Scheduler; 21] = [
    &Color,
    &WelshPowell,
    &HeaviestFirst,
    &SmallestLast,
    &Dsatur,
    &Layers,
    &COLOR_GRAPH,
    &WELSH_POWELL_GRAPH,
    &HEAVIEST_FIRST_GRAPH,
    &SMALLEST_LAST_GRAPH,
    &DSATUR_GRAPH,
    &Graph,
    &Versions,
    &Values,
    &BLOCK_STM,
    &BLOCK_STM_HINTS,
    &Stages,
    &Greedy,
    &PrioGraph,
    &Aria,
    &Sequential,
];

/// The scheduler of that [`Scheduler::name`].
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Scheduler> {
    SCHEDULERS.into_iter().find(|scheduler| scheduler.name() == name)
}
