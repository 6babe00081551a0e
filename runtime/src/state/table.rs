//! The state in memory: whole buckets of rows, as many as a budget permits.

use std::fmt;
use std::sync::atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rayon::prelude::*;

use super::changes::{Changes, StateChange};
use super::error::StoreError;
use super::levels::{BucketRows, Levels};
use super::row::{Row, guess, is_long, is_removed, key, search, short_bytes};
use super::tree::{BUCKETS, bucket_of, first_key};
use crate::prefetch::prefetch;
use crate::types::{Bytes, KeyHash, KeyMap};

/// Something that cells can be read from: the state, a block's view of it, a witness.
pub trait StateRead: Send + Sync {
    /// The value of a cell, or `None` if it has none.
    ///
    /// # Errors
    /// [`StoreError::Io`] and [`StoreError::Corrupt`].
    fn get(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError>;

    /// The value that a cell had before the block that runs: that of a view with changes of the block
    /// is not its own.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    fn at_start(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        self.get(key)
    }

    /// Says which cells are read next, so that a state in memory can fetch them all at once
    /// instead of waiting for each.
    fn prepare(&self, _keys: &[KeyHash]) {}
}

/// The rows are in as many parts, by the first bits of their key hashes, each behind a lock of its
/// own: a reader and the writer meet only when they want the same part at the same moment.
const SHARD_BITS: u32 = 16;

/// Buckets in a shard.
const SHARD_BUCKETS: u32 = BUCKETS >> SHARD_BITS;

/// Rows that one task applies.
const ROWS_PER_TASK: usize = 512;

/// The state's rows in memory, by bucket.
///
/// A bucket is there with all its rows or not at all; one that is not is read from the disk when it
/// is asked for. What is on the disk already may be forgotten again, so the state may be larger than
/// memory. A row of a short value is 64 bytes; a read takes one lock that nobody else wants, and one
/// or two lines of main memory.
///
/// Readers see a change at once. Whoever needs the state of one block reads before the next one is
/// applied.
pub struct StateTable {
    shards: Box<[RwLock<Shard>]>,
    /// Where the other buckets are; without it all of them are here.
    levels: Option<Arc<Levels>>,
    /// The bytes of resident rows and long values.
    used_bytes: AtomicU64,
    budget_bytes: u64,
    /// The shard from which eviction goes on.
    clock: AtomicUsize,
}

/// Sixteen neighboring buckets.
#[derive(Default)]
struct Shard {
    /// By ascending key hash.
    rows: Vec<Row>,
    long: Option<Box<KeyMap<Box<[u8]>>>>,
    /// One bit for each bucket that is here.
    resident: u16,
    /// One bit for each bucket that was asked for since eviction last came by.
    touched: AtomicU16,
}

impl StateTable {
    /// A state without rows, in memory only.
    #[must_use]
    pub fn new() -> Self {
        Self::with(None, u64::MAX)
    }

    /// A state whose rows are in `levels`, of which at most `budget_bytes` are kept in memory.
    pub(super) fn over(levels: Arc<Levels>, budget_bytes: u64) -> Self {
        Self::with(Some(levels), budget_bytes)
    }

    fn with(levels: Option<Arc<Levels>>, budget_bytes: u64) -> Self {
        let resident = if levels.is_some() { 0 } else { u16::MAX };
        let shard = |_| RwLock::new(Shard { resident, ..Shard::default() });
        Self {
            shards: (0..1 << SHARD_BITS).map(shard).collect(),
            levels,
            used_bytes: AtomicU64::new(0),
            budget_bytes,
            clock: AtomicUsize::new(0),
        }
    }

    /// The same rows, above a copy of what is below them.
    pub(super) fn copy(&self, levels: Option<Arc<Levels>>) -> Self {
        let shards = (0..self.shards.len()).map(|shard| RwLock::new(self.read(shard).copy()));
        Self {
            shards: shards.collect(),
            levels,
            used_bytes: AtomicU64::new(self.used_bytes()),
            budget_bytes: self.budget_bytes,
            clock: AtomicUsize::new(0),
        }
    }

    /// Gives cells new values, on all threads of the current rayon pool.
    ///
    /// A state that is in memory only takes every change; one with a disk behind it changes by
    /// blocks. If a cell is named twice, the last counts.
    pub fn apply(&self, changes: &[StateChange]) {
        self.apply_rows(&Changes::of(changes));
    }

    /// Takes over changed rows and says which of them are new, by position and ascending.
    ///
    /// Where there is a disk, the changes must be among its [levels](Levels::push) before: a
    /// bucket that is not here is then found there.
    pub(super) fn apply_rows(&self, changes: &Changes) -> Vec<usize> {
        let rows = changes.rows();
        let mut tasks = Vec::new();
        let mut first = 0;
        while first < rows.len() {
            let mut end = (first + ROWS_PER_TASK).min(rows.len());
            while end < rows.len() && shard_of(key(&rows[end])) == shard_of(key(&rows[end - 1])) {
                end += 1;
            }
            tasks.push(first..end);
            first = end;
        }
        if tasks.len() < 2 {
            return tasks.into_iter().flat_map(|task| self.apply_task(changes, task)).collect();
        }
        let parts: Vec<_> =
            tasks.into_par_iter().map(|task| self.apply_task(changes, task)).collect();
        parts.concat()
    }

    fn apply_task(&self, changes: &Changes, task: std::ops::Range<usize>) -> Vec<usize> {
        let rows = &changes.rows()[task.clone()];
        let mut new = Vec::new();
        let mut first = task.start;
        for group in rows.chunk_by(|a, b| shard_of(key(a)) == shard_of(key(b))) {
            let mut shard = self.write(shard_of(key(&group[0])));
            let mut grown = 0i64;
            for (at, row) in (first..).zip(group) {
                if !shard.has(bucket_of(&KeyHash(*key(row)))) {
                    new.push(at);
                    continue;
                }
                let long = is_long(row).then(|| changes.long(key(row)));
                let (is_new, growth) = shard.apply(row, long);
                if is_new {
                    new.push(at);
                }
                grown += growth;
            }
            drop(shard);
            first += group.len();
            self.used_bytes.fetch_add(grown.cast_unsigned(), Ordering::Relaxed);
        }
        new
    }

    /// Calls `read` with the rows of a bucket, by ascending key hash.
    pub(super) fn with_bucket<R>(
        &self,
        bucket: u32,
        read: impl FnOnce(&[Row]) -> R,
    ) -> Result<R, StoreError> {
        let shard = self.resident(bucket)?;
        Ok(read(&shard.rows[shard.range(bucket)]))
    }

    /// How many rows there are. Reads buckets that are not here.
    pub(super) fn n_rows(&self) -> Result<u64, StoreError> {
        let mut n_rows = 0;
        for bucket in 0..BUCKETS {
            n_rows += self.with_bucket(bucket, |rows| rows.len() as u64)?;
            if bucket.is_multiple_of(SHARD_BUCKETS) {
                self.evict();
            }
        }
        Ok(n_rows)
    }

    /// Fetches what [`with_bucket`](Self::with_bucket) will read of these buckets.
    pub(super) fn prepare_buckets(&self, buckets: impl Iterator<Item = u32> + Clone) {
        for bucket in buckets.clone() {
            prefetch(&self.shards[(bucket / SHARD_BUCKETS) as usize]);
        }
        for bucket in buckets {
            let shard = self.read((bucket / SHARD_BUCKETS) as usize);
            if let Some(row) = shard.rows.get(guess(shard.rows.len(), &first_key(bucket).0, 2)) {
                prefetch(row);
            }
        }
    }

    /// Puts a bucket there that was read from the disk, if there is room for it.
    pub(super) fn admit(&self, bucket: u32, rows: BucketRows) {
        if self.used_bytes.load(Ordering::Relaxed) < self.budget_bytes {
            let mut shard = self.write((bucket / SHARD_BUCKETS) as usize);
            let bytes = shard.put(bucket, rows);
            self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Says that all other buckets than these, which ascend, have no rows.
    pub(super) fn admit_empty(&self, others: &[(u32, [u8; 32])]) {
        for group in others.chunk_by(|(a, _), (b, _)| a / SHARD_BUCKETS == b / SHARD_BUCKETS) {
            let has_rows = group.iter().fold(0, |bits, (bucket, _)| bits | bit(*bucket));
            let mut shard = self.write((group[0].0 / SHARD_BUCKETS) as usize);
            shard.resident |= !has_rows;
        }
        let mut others = others.iter().map(|(bucket, _)| bucket / SHARD_BUCKETS).peekable();
        for shard in 0..1 << SHARD_BITS {
            let mut has_rows = false;
            while others.next_if_eq(&shard).is_some() {
                has_rows = true;
            }
            if !has_rows {
                self.write(shard as usize).resident = u16::MAX;
            }
        }
    }

    /// Forgets buckets that nobody asked for lately, until the rest fits into the budget.
    ///
    /// Source: the clock algorithm; Corbató, "A paging experiment with the Multics system" (1968).
    pub(super) fn evict(&self) {
        if self.levels.is_none() {
            return;
        }
        // Two rounds: in the first everything may turn out to have been asked for.
        let n_shards = self.shards.len();
        for _ in 0..2 * n_shards {
            if self.used_bytes.load(Ordering::Relaxed) <= self.budget_bytes {
                return;
            }
            let at = self.clock.fetch_add(1, Ordering::Relaxed) % n_shards;
            let mut shard = self.write(at);
            let touched = std::mem::take(shard.touched.get_mut());
            let idle = shard.resident & !touched;
            let mut freed = 0;
            for slot in (0..SHARD_BUCKETS).filter(|slot| idle & 1 << slot != 0) {
                let first = u32::try_from(at).expect("there are 2^16 shards") * SHARD_BUCKETS;
                freed += shard.forget(first + slot);
            }
            drop(shard);
            self.used_bytes.fetch_sub(freed, Ordering::Relaxed);
        }
    }

    /// The bytes that rows and long values take in memory, without what their containers keep free.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// The shard of a bucket, with the bucket in it.
    fn resident(&self, bucket: u32) -> Result<RwLockReadGuard<'_, Shard>, StoreError> {
        loop {
            let shard = self.read((bucket / SHARD_BUCKETS) as usize);
            if shard.has(bucket) {
                if self.levels.is_some() {
                    shard.touch(bucket);
                }
                return Ok(shard);
            }
            drop(shard);
            self.load(bucket)?;
        }
    }

    #[cold]
    fn load(&self, bucket: u32) -> Result<(), StoreError> {
        let mut shard = self.write((bucket / SHARD_BUCKETS) as usize);
        let Some(levels) = self.levels.as_ref().filter(|_| !shard.has(bucket)) else {
            return Ok(());
        };
        let rows = levels.bucket(bucket)?;
        let bytes = shard.put(bucket, rows);
        self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    // A panic inside leaves a shard as it was: nothing in there panics between two changes.
    fn read(&self, shard: usize) -> RwLockReadGuard<'_, Shard> {
        self.shards[shard].read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, shard: usize) -> RwLockWriteGuard<'_, Shard> {
        self.shards[shard].write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn copy(&self) -> Self {
        let touched = AtomicU16::new(self.touched.load(Ordering::Relaxed));
        let (rows, long) = (self.rows.clone(), self.long.clone());
        Self { rows, long, resident: self.resident, touched }
    }

    fn has(&self, bucket: u32) -> bool {
        self.resident & bit(bucket) != 0
    }

    fn touch(&self, bucket: u32) {
        // Mostly it is set already, and then nothing is written that another core may read.
        if self.touched.load(Ordering::Relaxed) & bit(bucket) == 0 {
            self.touched.fetch_or(bit(bucket), Ordering::Relaxed);
        }
    }

    /// Where the rows of a bucket are.
    fn range(&self, bucket: u32) -> std::ops::Range<usize> {
        let start = search(&self.rows, &first_key(bucket).0, 2).unwrap_or_else(|start| start);
        let is_inside = |row: &&Row| bucket_of(&KeyHash(*key(row))) == bucket;
        start..start + self.rows[start..].iter().take_while(is_inside).count()
    }

    fn value(&self, at: usize) -> Option<Bytes> {
        let row = &self.rows[at];
        if !is_long(row) {
            return short_bytes(row);
        }
        let long = self.long.as_ref()?.get(&KeyHash(*key(row)))?;
        Some(Bytes::from_slice(long))
    }

    /// Takes over a row; whether it was not there before, and by how many bytes the shard grew.
    fn apply(&mut self, row: &Row, long: Option<&[u8]>) -> (bool, i64) {
        let mut grown = self.set_long(key(row), long);
        let mut is_new = false;
        match search(&self.rows, key(row), 2) {
            Ok(at) if is_removed(row) => {
                self.rows.remove(at);
                grown -= ROW_BYTES;
            }
            Ok(at) => self.rows[at] = *row,
            Err(_) if is_removed(row) => {}
            Err(at) => {
                self.rows.insert(at, *row);
                grown += ROW_BYTES;
                is_new = true;
            }
        }
        (is_new, grown)
    }

    fn set_long(&mut self, key: &[u8; 32], value: Option<&[u8]>) -> i64 {
        let key = KeyHash(*key);
        let Some(value) = value else {
            let before = self.long.as_mut().and_then(|long| long.remove(&key));
            return before.map_or(0, |value| -length(&value));
        };
        let before = self.long.get_or_insert_default().insert(key, value.into());
        length(value) - before.map_or(0, |value| length(&value))
    }

    /// Puts the rows of a bucket that was not here; returns their bytes.
    fn put(&mut self, bucket: u32, found: BucketRows) -> u64 {
        let at = search(&self.rows, &first_key(bucket).0, 2).unwrap_or_else(|at| at);
        let mut bytes = (found.rows.len() * size_of::<Row>()) as u64;
        self.rows.splice(at..at, found.rows);
        for (key, value) in found.long {
            bytes += self.set_long(&key, Some(&value)).unsigned_abs();
        }
        self.resident |= bit(bucket);
        self.touch(bucket);
        bytes
    }

    /// Forgets a bucket; returns its bytes. One without rows takes none and stays.
    fn forget(&mut self, bucket: u32) -> u64 {
        let range = self.range(bucket);
        if range.is_empty() {
            return 0;
        }
        let mut bytes = (range.len() * size_of::<Row>()) as u64;
        let rows: Vec<Row> = self.rows.drain(range).collect();
        for row in rows.iter().filter(|row| is_long(row)) {
            bytes += self.set_long(key(row), None).unsigned_abs();
        }
        self.resident &= !bit(bucket);
        bytes
    }
}

const ROW_BYTES: i64 = 64;

fn length(value: &[u8]) -> i64 {
    i64::try_from(value.len()).expect("values are in memory")
}

fn bit(bucket: u32) -> u16 {
    1 << (bucket % SHARD_BUCKETS)
}

fn shard_of(key: &[u8; 32]) -> usize {
    usize::from(u16::from_be_bytes([key[0], key[1]]))
}

impl StateRead for StateTable {
    fn get(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        let shard = self.resident(bucket_of(key))?;
        Ok(search(&shard.rows, &key.0, 2).ok().and_then(|at| shard.value(at)))
    }

    fn prepare(&self, keys: &[KeyHash]) {
        for key in keys {
            prefetch(&self.shards[shard_of(&key.0)]);
        }
        for key in keys {
            let shard = self.read(shard_of(&key.0));
            if let Some(row) = shard.rows.get(guess(shard.rows.len(), &key.0, 2)) {
                prefetch(row);
            }
        }
    }
}

impl Default for StateTable {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for StateTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateTable")
            .field("used_bytes", &self.used_bytes())
            .field("budget_bytes", &self.budget_bytes)
            .finish_non_exhaustive()
    }
}
