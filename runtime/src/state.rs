//! The state: where rows are kept, the tree that authenticates them, and proofs against its root.
//!
//! A row is a cell that has a value: a [`KeyHash`](crate::types::KeyHash) that names it, the
//! [`StateKey`](crate::types::StateKey) behind the hash, and the value. A cell without a value has
//! no row.
//!
//! - [`StateRead`] is how the executor reads; [`StateTable`] has the rows in memory, as many as a budget
//!   permits.
//! - [`ChainStore`] keeps a chain: the log of its blocks, and what follows from them.
//! - [`StateTree`] turns the rows into one root. The root depends on the rows alone: not on the
//!   order in which they came, and not on the machines over which they are spread.
//! - [`Proof`] shows one cell's value, or its absence, to somebody who has only the root.
//!   [`Witness`] does so for many cells at once, and computes the root after an update without the
//!   state.
//!
//! # The tree
//!
//! | level | nodes | a node is |
//! | ---: | ---: | --- |
//! | 0 | 1 | the root: the hash of its 16 children |
//! | 1 to 4 | 16 to 65,536 | the hash of its 16 children, 512 bytes |
//! | 5 | 1,048,576 | a bucket: the hash of `key hash ‖ value` of its rows, at most 16, by ascending key hash |
//!
//! A row belongs to the bucket named by the first 20 bits of its key hash. A bucket without rows,
//! and a node whose children are all zero, is 32 zero bytes. A value of up to 31 bytes stands for itself,
//! a longer one is hashed: see [`value_hash`]. Values, buckets and nodes are hashed with keyed blake3
//! under a key each, so that none can pass for another.
//!
//! The number of buckets is fixed, and somebody who looks for keys that begin alike can make any of them long. So a bucket of more than
//! 16 rows is a node too: its children are parts of it, each of the rows with one next digit of the key hash, and a part of more
//! than 16 rows is divided again. What changing or proving a row takes does not grow with its bucket therefore. A [`Witness`] has
//! buckets whole.

mod archive;
mod bucket;
mod changes;
mod disk;
mod error;
mod hash;
mod levels;
mod log;
mod proof;
mod row;
mod run;
mod salvage;
mod shard;
mod store;
mod table;
mod tree;
mod witness;

#[cfg(test)]
mod tests;

pub use archive::{Lag, TxLocation};
pub use changes::{Changes, StateChange};
pub use disk::{Disk, FaultKind, Faults};
pub use error::{ProofError, StoreError};
pub use hash::value_hash;
pub use proof::{Proof, Siblings};
pub(crate) use row::changed as changed_row;
pub(crate) use salvage::SalvagedBlocks;
pub(crate) use store::lock_directory;
pub use store::{ChainStore, StateStore};
pub(crate) use table::up_to;
pub use table::{StateRead, StateTable, UpTo};
pub use tree::{
    ARITY, BUCKET_BITS, BUCKETS, LEVELS, StateTree, TreeUpdate, bucket_hashes, bucket_of,
};
pub use witness::{BucketRows, Leaf, Proven, Witness};
