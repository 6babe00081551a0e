//! The state: where rows are kept, the tree that authenticates them, and proofs against its root.
//!
//! A row is a cell that has a value: a [`KeyHash`](crate::types::KeyHash) that names it, the
//! [`StateKey`](crate::types::StateKey) behind the hash, and the value. A cell without a value has
//! no row.
//!
//! - [`StateRead`], [`StateScan`] and [`Store`] are the boundary to storage; [`MemoryStore`] and
//!   [`RedbStore`] stand behind it and pass one suite of tests.
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
//! | 5 | 1,048,576 | a bucket: the hash of `key hash ‖ value hash` of its rows, by ascending key hash |
//!
//! A row belongs to the bucket named by the first 20 bits of its key hash. A bucket without rows,
//! and a node whose children are all zero, is 32 zero bytes. Values, buckets and nodes are hashed
//! with keyed blake3 under a key each, so that none can pass for another.
//!
//! The number of buckets is fixed, and a bucket's hash and its proofs cost as much as it has rows.
//! Whoever grinds 20-bit prefixes, for about 0.1 s of one core per row, can make one bucket long:
//! 64 bytes to hash, and to put in a proof, for each such row.

mod error;
mod hash;
mod memory;
mod proof;
mod redb_store;
mod store;
mod tree;
mod witness;

#[cfg(test)]
mod tests;

pub use error::{ProofError, StoreError};
pub use hash::value_hash;
pub use memory::MemoryStore;
pub use proof::{Proof, Siblings};
pub use redb_store::RedbStore;
pub use store::{CommitBatch, Row, StateChange, StateRead, StateScan, Store, TxLocation};
pub use tree::{
    ARITY, BUCKET_BITS, BUCKETS, LEVELS, StateTree, TreeUpdate, bucket_hashes, bucket_of,
};
pub use witness::{BucketRows, Leaf, Proven, Witness};
