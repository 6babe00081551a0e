//! Changes to the state: one by one, and as the sorted rows of a block.

use std::cmp::Ordering;

use kempe_abi::Hash;
use rayon::prelude::*;

use super::hash::value_hash;
use super::row::{Row, changed, is_long, is_removed, key, search, short_bytes};
use crate::types::{Bytes, KeyHash, StateKey, hash_order};

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    rows: Vec<Row>,
    /// By ascending key hash.
    long: Vec<([u8; 32], Bytes)>,
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
            self.long.push((hash.0, Bytes::from_slice(value)));
        }
        self.rows.push(row);
    }

    /// Of rows by ascending key hash, each once; `long` gives the value of the row at a position, where the row does
    /// not hold it.
    pub(crate) fn of_rows<'a>(rows: Vec<Row>, long: impl Fn(usize) -> &'a Bytes) -> Self {
        let long_rows = rows.iter().enumerate().filter(|(_, row)| is_long(row));
        let long = long_rows.map(|(at, row)| (*key(row), long(at).clone())).collect();
        Self { rows, long }
    }

    /// These, and then others: of a cell in both what it is after the others. On the threads of the current rayon
    /// pool.
    #[must_use]
    pub fn then(&self, others: &Self) -> Self {
        /// Rows of this side that one task merges.
        const ROWS_PER_TASK: usize = 4096;
        let mut tasks = Vec::with_capacity(self.rows.len() / ROWS_PER_TASK + 1);
        let mut rest = &others.rows[..];
        let mut chunks = self.rows.chunks(ROWS_PER_TASK).peekable();
        while let Some(rows) = chunks.next() {
            let end = chunks.peek().map_or(rest.len(), |next| {
                rest.partition_point(|row| hash_order(key(row), key(&next[0])).is_lt())
            });
            let (these, after) = rest.split_at(end);
            tasks.push((rows, these));
            rest = after;
        }
        let parts: Vec<Vec<Row>> =
            tasks.into_par_iter().map(|(rows, others)| merge(rows, others)).collect();
        let rows = if self.rows.is_empty() { others.rows.clone() } else { parts.concat() };
        let mut long: Vec<_> =
            self.long.iter().filter(|(key, _)| !others.has(key)).cloned().collect();
        long.extend(others.long.iter().cloned());
        long.sort_unstable_by_key(|(key, _)| *key);
        Self { rows, long }
    }

    fn has(&self, wanted: &[u8; 32]) -> bool {
        search(&self.rows, wanted, 0).is_ok()
    }

    /// What a cell changes to: `None` if it does not change.
    #[must_use]
    pub fn get(&self, cell: &KeyHash) -> Option<Option<Bytes>> {
        let at = search(&self.rows, &cell.0, 0).ok()?;
        Some(self.value(&self.rows[at]))
    }

    /// The changes by ascending key hash.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (KeyHash, Option<Bytes>)> {
        self.rows.iter().map(|row| (KeyHash(*key(row)), self.value(row)))
    }

    fn value(&self, row: &Row) -> Option<Bytes> {
        if is_removed(row) {
            return None;
        }
        if is_long(row) { self.long(key(row)).cloned() } else { short_bytes(row) }
    }

    /// The cell of the row at a position.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn key(&self, at: usize) -> KeyHash {
        KeyHash(*key(&self.rows[at]))
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
    pub(super) fn long(&self, key: &[u8; 32]) -> Option<&Bytes> {
        let at = self.long.binary_search_by(|(at, _)| at.cmp(key)).ok()?;
        Some(&self.long[at].1)
    }
}

/// Rows of both, by ascending key hash; of a key in both that of `others`.
fn merge(rows: &[Row], others: &[Row]) -> Vec<Row> {
    let mut merged = Vec::with_capacity(rows.len() + others.len());
    let mut rest = rows;
    for other in others {
        while let [row, after @ ..] = rest {
            match hash_order(key(row), key(other)) {
                Ordering::Less => merged.push(*row),
                Ordering::Equal => {}
                Ordering::Greater => break,
            }
            rest = after;
        }
        merged.push(*other);
    }
    merged.extend_from_slice(rest);
    merged
}
