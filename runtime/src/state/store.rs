//! The boundary to storage: reading a cell, scanning rows, committing a block.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use kempe_abi::{Address, Hash};

use super::error::StoreError;
use super::hash::value_hash;
use crate::types::{Bytes, KeyHash, StateKey};

/// Something that cells can be read from: a store, a snapshot of one, a witness.
pub trait StateRead: Send + Sync {
    /// The value of a cell, or `None` if it has none.
    ///
    /// # Errors
    /// [`StoreError::Io`] and [`StoreError::Corrupt`].
    fn get(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError>;

    /// Says which cells are read next, so that a state in memory can fetch them all at once
    /// instead of waiting for each.
    fn prepare(&self, _keys: &[KeyHash]) {}
}

/// State whose rows can be listed, as the state tree needs it.
pub trait StateScan: StateRead {
    /// Calls `visit` with each row of the buckets, by ascending key hash, until it fails.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupt`], and what `visit` returns.
    fn scan(
        &self,
        buckets: Range<u32>,
        visit: &mut dyn FnMut(Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// Where the rows are kept, to be named in an error.
    fn origin(&self) -> &Path;
}

/// A durable place for the state and for the blocks that led to it.
///
/// Readers and the committer do not meet: `commit` takes the store for itself, and whoever reads
/// meanwhile does so from a [`snapshot`](Self::snapshot). So a read takes no lock.
pub trait Store: StateScan {
    /// Applies a batch: after it, and after any crash, all of the batch is there or none of it.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`]: nothing of the batch was applied. Any other: reads show the state
    /// before the batch, but it may be on disk, and every later commit fails with
    /// [`StoreError::Stopped`] until the store is opened again.
    fn commit(&mut self, batch: CommitBatch) -> Result<(), StoreError>;

    /// The state as it is now, whatever is committed later.
    fn snapshot(&self) -> Arc<dyn StateScan>;

    /// The record of the block at a height.
    ///
    /// # Errors
    /// [`StoreError::Io`] and [`StoreError::Corrupt`].
    fn block(&self, height: u64) -> Result<Option<Vec<u8>>, StoreError>;

    /// The greatest height of a block; `None` before genesis.
    ///
    /// # Errors
    /// [`StoreError::Io`] and [`StoreError::Corrupt`].
    fn latest_height(&self) -> Result<Option<u64>, StoreError>;

    /// Where the transaction with this hash is.
    ///
    /// # Errors
    /// [`StoreError::Io`] and [`StoreError::Corrupt`].
    fn tx_location(&self, hash: &Hash) -> Result<Option<TxLocation>, StoreError>;

    /// A named record.
    ///
    /// # Errors
    /// [`StoreError::Io`] and [`StoreError::Corrupt`].
    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;
}

/// What one commit applies.
#[derive(Clone, Debug, Default)]
pub struct CommitBatch {
    /// The cells that change. If a cell is named twice, the last counts.
    pub state: Vec<StateChange>,
    /// The block and its height.
    pub block: Option<(u64, Vec<u8>)>,
    /// The block's transactions by hash.
    pub transactions: Vec<(Hash, TxLocation)>,
    /// Named records; a record of the same name is replaced.
    pub meta: Vec<(&'static str, Vec<u8>)>,
}

/// Where a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxLocation {
    /// The height of its block.
    pub height: u64,
    /// Its position in the block.
    pub index: u32,
}

/// A cell's new value, or the end of its value.
#[derive(Clone, Debug)]
pub struct StateChange {
    key: StateKey,
    hash: KeyHash,
    value: Option<(Bytes, Hash)>,
}

impl StateChange {
    /// The cell `key`, whose hash is `hash`, gets `value`, or loses the one it has.
    ///
    /// Hashes the value, which takes 70 ns for a small one; worth doing in parallel for many.
    /// Whoever passes the hash of another key writes rows that are refused as corrupt when the
    /// store is opened.
    #[must_use]
    pub fn new(key: StateKey, hash: KeyHash, value: Option<Bytes>) -> Self {
        let value = value.map(|value| {
            let hash = value_hash(&value);
            (value, hash)
        });
        Self { key, hash, value }
    }

    /// The cell.
    #[must_use]
    pub const fn key(&self) -> &StateKey {
        &self.key
    }

    /// The cell's hash.
    #[must_use]
    pub const fn hash(&self) -> &KeyHash {
        &self.hash
    }

    /// The new value; `None` if the row goes away.
    #[must_use]
    pub fn value(&self) -> Option<&Bytes> {
        self.value.as_ref().map(|(value, _)| value)
    }

    /// The hash of the new value.
    #[must_use]
    pub fn value_hash(&self) -> Option<&Hash> {
        self.value.as_ref().map(|(_, hash)| hash)
    }

    pub(super) fn into_parts(self) -> (StateKey, KeyHash, Option<(Bytes, Hash)>) {
        (self.key, self.hash, self.value)
    }
}

/// A row, as a scan shows it.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The hash of the key.
    pub hash: KeyHash,
    /// The hash of the value, as it was stored.
    pub value_hash: Hash,
    /// The value.
    pub value: &'a [u8],
    /// The name of the cell, to be looked at only if asked for: an update of the tree never does.
    pub(super) key: RowKey<'a>,
}

/// Where a row's key is.
#[derive(Clone, Copy, Debug)]
pub(super) enum RowKey<'a> {
    /// In memory.
    Whole(&'a StateKey),
    /// In a page: contract, field, key.
    Parts(&'a [u8; 32], u8, &'a [u8]),
}

impl Row<'_> {
    /// The name of the cell.
    #[must_use]
    pub fn state_key(&self) -> StateKey {
        match self.key {
            RowKey::Whole(key) => key.clone(),
            RowKey::Parts(contract, field, key) => StateKey::new(Address(*contract), field, key),
        }
    }
}

/// The changes by ascending key hash; of several of one key only the last.
pub(super) fn by_key_hash(changes: &[StateChange]) -> Vec<&StateChange> {
    let mut order: Vec<(u64, usize)> = changes
        .iter()
        .enumerate()
        .map(|(i, change)| {
            let [a, b, c, d, e, f, g, h, ..] = change.hash.0;
            (u64::from_be_bytes([a, b, c, d, e, f, g, h]), i)
        })
        .collect();
    // Eight bytes decide nearly always, and comparing them touches no other memory.
    order.sort_unstable_by(|(a, i), (b, j)| {
        a.cmp(b).then_with(|| changes[*i].hash.cmp(&changes[*j].hash)).then(i.cmp(j))
    });
    let mut sorted: Vec<&StateChange> = Vec::with_capacity(order.len());
    for (_, i) in order {
        let change = &changes[i];
        match sorted.last_mut() {
            Some(last) if last.hash == change.hash => *last = change,
            _ => sorted.push(change),
        }
    }
    sorted
}
