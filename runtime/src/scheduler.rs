//! Schedules: from the access lists of a block to batches of transactions that cannot conflict.
//!
//! Everything here is a pure function of [`Accesses`], costs and senders: no engine, no state, no
//! threads, no clock. The published order is (batch, index), then the tail; replaying it one by one
//! is the meaning of a schedule.
//!
//! | scheduler | mode | batches | cost |
//! | --- | --- | --- | --- |
//! | [`Sequential`] | preserve | one transaction each | O(txs) |
//! | [`Layers`] | preserve | the longest path: the fewest that keep the given order | O(accesses) |
//! | [`Color`] | free | first-fit coloring of the full conflict graph, without building it | O(accesses) |
//! | [`HeaviestFirst`] | free | the same, the most expensive first | O(accesses + txs log txs) |
//! | [`Dsatur`] | free | DSATUR coloring of the full conflict graph | O(edges log edges), capped |
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
mod bound;
mod color;
mod color_sets;
mod dsatur;
mod graph;
mod layers;
mod picture;
mod schedule;
mod sequential;
#[cfg(test)]
mod tests;
mod verify;

pub use accesses::{Access, Accesses, Block, BlockError};
pub use bound::{LowerBound, lower_bound};
pub use color::{Color, HeaviestFirst};
pub use dsatur::{DSATUR_EDGES_MAX, Dsatur, TooManyEdges};
pub use graph::{ConflictGraph, CriticalPath, Node, Wait};
pub use layers::Layers;
pub use picture::{PICTURE_TXS_MAX, PictureError, dot, svg};
pub use schedule::{FormError, Schedule};
pub use sequential::Sequential;
pub use verify::{ScheduleError, verify};

/// What a schedule may do with the order in which a block lists its transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The builder may reorder; only the transactions of one sender keep their order.
    Free,
    /// The result is that of the given order: two transactions that conflict keep their order.
    Preserve,
}

/// A way to make a [`Schedule`].
pub trait Scheduler: std::fmt::Debug + Sync {
    /// The word that selects it on the command line.
    fn name(&self) -> &'static str;

    /// The mode under which its schedules stand up to [`verify`]. What passes in
    /// [`Mode::Preserve`] passes in [`Mode::Free`] too.
    fn mode(&self) -> Mode;

    /// Schedules every transaction of the block exactly once.
    fn schedule(&self, block: &Block<'_>) -> Schedule;
}

/// Every scheduler; the default, [`Color`], first.
pub const SCHEDULERS: [&dyn Scheduler; 5] = [&Color, &HeaviestFirst, &Dsatur, &Layers, &Sequential];

/// The scheduler of that [`Scheduler::name`].
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Scheduler> {
    SCHEDULERS.into_iter().find(|scheduler| scheduler.name() == name)
}
