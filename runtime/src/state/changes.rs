//! Changes to the state: one by one, and as the sorted rows of a block.

use kempe_abi::Hash;

use super::hash::value_hash;
use super::row::{Row, changed, is_long, key};
use crate::types::{Bytes, KeyHash, StateKey};

/// A cell's new value, or the end of its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    key: StateKey,
    hash: KeyHash,
    value: Option<Bytes>,
}

impl StateChange {
    /// The cell `key`, whose hash is `hash`, gets `value`, or loses the one it has.
    #[must_use]
    pub const fn new(key: StateKey, hash: KeyHash, value: Option<Bytes>) -> Self {
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
    pub const fn value(&self) -> Option<&Bytes> {
        self.value.as_ref()
    }

    /// What stands for the new value in the tree.
    #[must_use]
    pub fn value_hash(&self) -> Option<Hash> {
        self.value.as_ref().map(|value| value_hash(value))
    }
}

/// The rows that a block changes, by ascending key hash, each once; and the values that do not fit
/// into rows.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    rows: Vec<Row>,
    /// By ascending key hash.
    long: Vec<([u8; 32], Box<[u8]>)>,
}

impl Changes {
    /// Of changes in any order; of several of one cell the last counts.
    #[must_use]
    pub fn of(changes: &[StateChange]) -> Self {
        let mut sorted: Vec<&StateChange> = changes.iter().collect();
        // Stable: of equal keys the last stays last.
        sorted.sort_by_key(|change| change.hash);
        let mut all = Self::with_capacity(sorted.len());
        for (at, change) in sorted.iter().enumerate() {
            if sorted.get(at + 1).is_none_or(|next| next.hash != change.hash) {
                all.push(&change.hash, change.value.as_deref());
            }
        }
        all
    }

    /// With room for as many rows.
    #[must_use]
    pub fn with_capacity(n_rows: usize) -> Self {
        Self { rows: Vec::with_capacity(n_rows), long: Vec::new() }
    }

    /// Adds a change to a cell whose hash is above all before.
    pub fn push(&mut self, hash: &KeyHash, value: Option<&[u8]>) {
        let row = changed(hash, value);
        debug_assert!(self.rows.last().is_none_or(|last| key(last) < &hash.0), "out of order");
        if let Some(value) = value.filter(|_| is_long(&row)) {
            self.long.push((hash.0, value.into()));
        }
        self.rows.push(row);
    }

    /// Adds the changes to cells whose hashes are above all before.
    pub fn append(&mut self, mut others: Self) {
        self.rows.append(&mut others.rows);
        self.long.append(&mut others.long);
    }

    /// How many cells change.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The key hashes of the cells, ascending.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = KeyHash> {
        self.rows.iter().map(|row| KeyHash(*key(row)))
    }

    /// About as many bytes as they take on the disk.
    pub(super) fn bytes(&self) -> u64 {
        let long: usize = self.long.iter().map(|(_, value)| value.len()).sum();
        (size_of_val(self.rows.as_slice()) + long) as u64
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The value of a row that does not hold it.
    pub(super) fn long(&self, key: &[u8; 32]) -> &[u8] {
        let at = self.long.binary_search_by(|(at, _)| at.cmp(key));
        at.map_or(&[][..], |at| &self.long[at].1)
    }
}
