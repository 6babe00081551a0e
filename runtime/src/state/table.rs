//! The state in memory: whole buckets of rows, as many as a budget permits.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hashbrown::HashSet;
use kempe_abi::{Address, Hash};
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use rayon::prelude::*;

use super::bucket::Rows;
use super::changes::{Changes, StateChange};
use super::error::StoreError;
use super::levels::{BucketRows, Levels};
use super::row::{Row, is_long, key};
use super::shard::{Found, SHARD_BUCKETS, Shard, bit};
use super::tree::{BUCKETS, bucket_of, first_key};
use crate::prefetch::prefetch;
use crate::sync::lock;
use crate::tasks::tasks;
use crate::types::{Bytes, KeyHash};

/// Something that cells can be read from: the state, a block's view of it, a witness.
pub trait StateRead: Send + Sync {
    /// The value of a cell, or `None` if it has none.
    ///
    /// # Errors
    /// [`StoreError::Io`] and [`StoreError::Corrupt`].
    fn get(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError>;

    /// The value of a cell, or [what stands for it](Bytes::unread) if it is long and not in memory: who may not pay for it need not wait until it is
    /// read, and it takes no memory.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    fn look(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        self.get(key)
    }

    /// The value of a cell, or `Err` with its length, if it has more bytes than `most`: then it is not read.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    fn get_up_to(&self, key: &KeyHash, most: u64) -> Result<UpTo, StoreError> {
        Ok(up_to(self.get(key)?, most))
    }

    /// The value that a contract's cell had before the block that runs, or behind the upgrade of the contract in
    /// this block: that of a view with changes of the block is not its own.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    fn at_start(&self, _contract: &Address, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        self.get(key)
    }

    /// Says which cells are read next, so that a state in memory can fetch them all at once
    /// instead of waiting for each.
    fn prepare(&self, _keys: &[KeyHash]) {}
}

/// A value, or the length of one that is longer than who asked for it wants to read.
pub type UpTo = Result<Option<Bytes>, u64>;

pub(crate) fn up_to(value: Option<Bytes>, most: u64) -> UpTo {
    match value.as_ref().map_or(0, |value| value.len() as u64) {
        length if length > most => Err(length),
        _ => Ok(value),
    }
}

/// The rows are in as many parts, by the first bits of their key hashes, each behind a lock of its
/// own: a reader and the writer meet only when they want the same part at the same moment.
pub(super) const SHARD_BITS: u32 = 16;

/// The least by which the budget may be exceeded inside of a block: to evict is to look at all shards, which must free as much as that is
/// worth.
const SLACK_BYTES: u64 = 4 << 20;

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
    /// The buckets that were read from the disk since [`begin`](Self::begin).
    loaded: Mutex<HashSet<u32>>,
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
        let shard = |_| RwLock::new(Shard::new(levels.is_none()));
        Self {
            shards: (0..1 << SHARD_BITS).map(shard).collect(),
            levels,
            used_bytes: AtomicU64::new(0),
            budget_bytes,
            clock: AtomicUsize::new(0),
            loaded: Mutex::default(),
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
            loaded: Mutex::default(),
        }
    }

    /// Gives cells new values, on all threads of the current rayon pool.
    ///
    /// A state that is in memory only takes every change; one with a disk behind it changes by
    /// blocks. If a cell is named twice, the last counts.
    pub fn apply(&self, changes: &[StateChange]) {
        self.apply_changes(&Changes::of(changes));
    }

    /// Gives cells new values, as [`apply`](Self::apply) does.
    pub fn apply_changes(&self, changes: &Changes) {
        self.apply_rows(changes);
    }

    /// Must be called before changes are added to the [levels](Levels::push): a bucket that somebody reads from the disk behind that has
    /// them, and does not tell any more which of its rows are new.
    pub(super) fn begin(&self) {
        lock(&self.loaded).clear();
    }

    /// Takes over changed rows and says which of them are new, or may be, by position and ascending.
    ///
    /// Where there is a disk, the changes must be among its [levels](Levels::push) before: a
    /// bucket that is not here is then found there.
    pub(super) fn apply_rows(&self, changes: &Changes) -> Vec<usize> {
        let mut new = self.apply_all(changes);
        let loaded = lock(&self.loaded);
        if !loaded.is_empty() {
            let may_be = |row: &Row| loaded.contains(&bucket_of(&KeyHash(*key(row))));
            let more = changes.rows().iter().enumerate().filter(|(_, row)| may_be(row));
            new.extend(more.map(|(at, _)| at));
            new.sort_unstable();
            new.dedup();
        }
        new
    }

    fn apply_all(&self, changes: &Changes) -> Vec<usize> {
        let rows = changes.rows();
        let is_one_shard = |a: &Row, b: &Row| shard_of(key(a)) == shard_of(key(b));
        let mut end = 0;
        let range = |task: &[Row]| {
            let start = end;
            end += task.len();
            start..end
        };
        let tasks = tasks(rows, ROWS_PER_TASK, is_one_shard);
        let tasks: Vec<_> = tasks.into_iter().map(range).collect();
        if tasks.len() < 2 {
            return tasks.into_iter().flat_map(|task| self.apply_task(changes, task)).collect();
        }
        let parts: Vec<_> =
            tasks.into_par_iter().map(|task| self.apply_task(changes, task)).collect();
        parts.concat()
    }

    fn apply_task(&self, changes: &Changes, task: std::ops::Range<usize>) -> Vec<usize> {
        /// The rows that are announced together: about as many as a core has reads in flight.
        const AHEAD: usize = 16;
        let (mut new, mut grown) = (Vec::new(), 0);
        let rows = &changes.rows()[task.clone()];
        let (mut at, mut n_announced) = (0, 0);
        for group in rows.chunk_by(|a, b| shard_of(key(a)) == shard_of(key(b))) {
            let end = at + group.len();
            if end > n_announced {
                let announced = n_announced..end.max(at + AHEAD).min(rows.len());
                n_announced = announced.end;
                self.prefetch(rows[announced].iter().map(|row| KeyHash(*key(row))));
            }
            grown += self.apply_group(changes, task.start + at, group, &mut new);
            at = end;
        }
        self.used_bytes.fetch_add(grown.cast_unsigned(), Ordering::Relaxed);
        new
    }

    /// Takes over rows of one shard, the first of which is at `first` among the changes, and adds which of them are
    /// new; returns by how many bytes the shard grew.
    fn apply_group(
        &self,
        changes: &Changes,
        first: usize,
        group: &[Row],
        new: &mut Vec<usize>,
    ) -> i64 {
        let mut shard = self.write(shard_of(key(&group[0])));
        let mut grown = 0;
        for (at, row) in (first..).zip(group) {
            if !shard.has(bucket_of(&KeyHash(*key(row)))) {
                new.push(at);
                continue;
            }
            let long = if is_long(row) { changes.long(key(row)) } else { None };
            let (is_new, growth) = shard.apply(row, long);
            if is_new {
                new.push(at);
            }
            grown += growth;
        }
        grown
    }

    /// Calls `read` with the rows of a bucket.
    pub(super) fn with_bucket<R>(
        &self,
        bucket: u32,
        read: impl FnOnce(Rows<'_>) -> R,
    ) -> Result<R, StoreError> {
        let shard = self.resident(bucket)?;
        Ok(read(shard.bucket(bucket)))
    }

    /// How many rows there are. Reads buckets that are not here.
    pub(super) fn n_rows(&self) -> Result<u64, StoreError> {
        let mut n_rows = 0;
        for bucket in 0..BUCKETS {
            let first = first_key(bucket).0;
            n_rows += self.with_bucket(bucket, |rows| rows.all(&first).len() as u64)?;
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
            self.read((bucket / SHARD_BUCKETS) as usize).prefetch_bucket(bucket);
        }
    }

    /// Fetches the rows of keys.
    fn prefetch(&self, keys: impl Iterator<Item = KeyHash> + Clone) {
        for key in keys.clone() {
            prefetch(&self.shards[shard_of(&key.0)]);
        }
        for key in keys {
            self.read(shard_of(&key.0)).prefetch(&key);
        }
    }

    /// Puts a bucket there that was read from the disk, if there is room for it.
    pub(super) fn admit(&self, bucket: u32, rows: BucketRows) {
        if self.used_bytes() < self.budget_bytes {
            let mut shard = self.write((bucket / SHARD_BUCKETS) as usize);
            let bytes = shard.put(bucket, rows);
            self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Says that all other buckets than these, which ascend, have no rows.
    pub(super) fn admit_empty(&self, others: &[(u32, [u8; 32])]) {
        for group in others.chunk_by(|(a, _), (b, _)| a / SHARD_BUCKETS == b / SHARD_BUCKETS) {
            let has_rows = group.iter().fold(0, |bits, (bucket, _)| bits | bit(*bucket));
            self.write((group[0].0 / SHARD_BUCKETS) as usize).put_empty(!has_rows);
        }
        let mut others = others.iter().map(|(bucket, _)| bucket / SHARD_BUCKETS).peekable();
        for shard in 0..1 << SHARD_BITS {
            let mut has_rows = false;
            while others.next_if_eq(&shard).is_some() {
                has_rows = true;
            }
            if !has_rows {
                self.write(shard as usize).put_empty(u16::MAX);
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
            if self.used_bytes() <= self.budget_bytes {
                return;
            }
            let at = self.clock.fetch_add(1, Ordering::Relaxed) % n_shards;
            let first = u32::try_from(at).expect("there are 2^16 shards") * SHARD_BUCKETS;
            let freed = self.write(at).forget_idle(first);
            self.used_bytes.fetch_sub(freed, Ordering::Relaxed);
        }
    }

    /// The bytes that rows and long values take in memory, without what their containers keep free.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        // What a block adds is counted behind it, and may be forgotten before: less than nothing then, for a moment.
        let bytes = self.used_bytes.load(Ordering::Relaxed).cast_signed();
        u64::try_from(bytes).unwrap_or(0)
    }

    /// The shard of a bucket, with the bucket in it.
    fn resident(&self, bucket: u32) -> Result<RwLockReadGuard<'_, Shard>, StoreError> {
        let shard = self.read((bucket / SHARD_BUCKETS) as usize);
        if !shard.has(bucket) {
            drop(shard);
            return self.load(bucket);
        }
        if self.levels.is_some() {
            shard.touch(bucket);
        }
        Ok(shard)
    }

    /// Reads a bucket from the disk. What it returns keeps the bucket there, however large it is.
    #[cold]
    fn load(&self, bucket: u32) -> Result<RwLockReadGuard<'_, Shard>, StoreError> {
        self.make_room();
        let mut shard = self.write((bucket / SHARD_BUCKETS) as usize);
        if let Some(levels) = self.levels.as_ref().filter(|_| !shard.has(bucket)) {
            let rows = levels.bucket(bucket)?;
            let bytes = shard.put(bucket, rows);
            self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
            lock(&self.loaded).insert(bucket);
        }
        Ok(RwLockWriteGuard::downgrade(shard))
    }

    /// Reads a long value from the disk, if it is there with this digest and not longer than it may be, and keeps it beside its row.
    #[cold]
    fn load_long(
        &self,
        key: &KeyHash,
        digest: &[u8; 32],
        most: u64,
    ) -> Result<Option<Result<Bytes, u64>>, StoreError> {
        let Some(levels) = &self.levels else { return Ok(None) };
        let found = levels.long(key, digest, most)?;
        if let Some(Ok(value)) = &found {
            self.make_room();
            let bytes = self.write(shard_of(&key.0)).put_long(key, digest, value);
            self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        Ok(found)
    }

    /// Mostly the end of a block is soon enough to evict, but one transaction may ask for every bucket.
    fn make_room(&self) {
        let slack = SLACK_BYTES.max(self.budget_bytes / 4);
        if self.used_bytes() > self.budget_bytes.saturating_add(slack) {
            self.evict();
        }
    }

    fn read(&self, shard: usize) -> RwLockReadGuard<'_, Shard> {
        self.shards[shard].read()
    }

    fn write(&self, shard: usize) -> RwLockWriteGuard<'_, Shard> {
        self.shards[shard].write()
    }
}

fn shard_of(key: &[u8; 32]) -> usize {
    usize::from(u16::from_be_bytes([key[0], key[1]]))
}

impl StateRead for StateTable {
    fn get(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        Ok(self.get_up_to(key, u64::MAX)?.unwrap_or_default())
    }

    fn look(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        Ok(match self.resident(bucket_of(key))?.get(key) {
            Found::Short(value) => value,
            Found::Long(value) => Some(value),
            Found::Elsewhere(_) => Some(Bytes::unread()),
        })
    }

    fn get_up_to(&self, key: &KeyHash, most: u64) -> Result<UpTo, StoreError> {
        let mut missed = None;
        loop {
            let digest = match self.resident(bucket_of(key))?.get(key) {
                Found::Short(value) => return Ok(up_to(value, most)),
                Found::Long(value) => return Ok(up_to(Some(value), most)),
                Found::Elsewhere(digest) => digest,
            };
            if let Some(found) = self.load_long(key, &digest, most)? {
                return Ok(found.map(Some));
            }
            // A block may have changed it meanwhile.
            if missed.replace(digest) == Some(digest) {
                let what = format!("a long value is nowhere, key={}", Hash(key.0));
                return Err(StoreError::inconsistent(what));
            }
        }
    }

    fn prepare(&self, keys: &[KeyHash]) {
        self.prefetch(keys.iter().copied());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::disk::Disk;
    use crate::state::row::{changed, digest};
    use crate::types::StateKey;

    /// A state of which the disk has as many rows, each in a bucket of its own.
    fn over(n_rows: u32, budget_bytes: u64) -> (StateTable, Arc<Levels>) {
        let levels = Arc::new(Levels::in_memory());
        let changes = (0..n_rows).map(|at| change(at, 1)).collect::<Vec<_>>();
        levels.push(1, Arc::new(Changes::of(&changes)));
        (StateTable::over(Arc::clone(&levels), budget_bytes), levels)
    }

    fn hash(bucket: u32) -> KeyHash {
        first_key(bucket)
    }

    fn change(bucket: u32, byte: u8) -> StateChange {
        let key = StateKey::new(Address(hash(bucket).0), 0, &[]);
        StateChange::new(key, hash(bucket), Some(Bytes::from_slice(&[byte])))
    }

    #[test]
    fn what_one_block_reads_does_not_stay_beyond_the_budget() {
        const N_ROWS: u32 = 200_000;
        assert!(u64::from(N_ROWS) * 64 > 2 * SLACK_BYTES);
        let (state, _levels) = over(N_ROWS, 1000);
        for bucket in 0..N_ROWS {
            assert_eq!(state.get(&hash(bucket)).unwrap().as_deref(), Some(&[1][..]));
            // There is room for a row when it is read.
            assert!(state.used_bytes() <= 1000 + SLACK_BYTES + 64, "{}", state.used_bytes());
        }
        state.evict();
        // What was forgotten is not kept for later either.
        let kept: usize = state.shards.iter().map(|shard| shard.read().kept_bytes()).sum();
        assert!(kept as u64 <= 4 * state.used_bytes() + 1000, "{kept} of {}", state.used_bytes());
    }

    /// So many long values under keys of one bucket as are far more than the budget.
    fn long_bucket() -> Vec<StateChange> {
        const N_VALUES: u16 = 96;
        let value = |at: u16| vec![at.to_le_bytes()[0]; 65_536];
        let change = |at: u16| {
            let mut key = hash(5);
            key.0[30..].copy_from_slice(&at.to_be_bytes());
            let name = StateKey::new(Address(key.0), 0, &[]);
            StateChange::new(name, key, Some(Bytes::from_slice(&value(at))))
        };
        (0..N_VALUES).map(change).collect()
    }

    #[test]
    fn a_bucket_of_more_than_the_budget_is_read() {
        let levels = Arc::new(Levels::in_memory());
        let changes = long_bucket();
        levels.push(1, Arc::new(Changes::of(&changes)));
        let state = StateTable::over(levels, 0);
        for _ in 0..2 {
            for change in &changes {
                assert_eq!(state.get(change.hash()).unwrap().as_ref(), change.value());
            }
        }
    }

    #[test]
    fn long_values_are_read_from_the_disk_when_somebody_asks_for_them() {
        let dir = tempfile::tempdir().unwrap();
        let levels = Levels::open(&Disk::default(), dir.path().to_owned(), &[]).unwrap();
        let levels = Arc::new(levels);
        let (first, second) = (long_bucket(), long_bucket().split_off(48));
        let shorter = |change: &StateChange| {
            let value = change.value().map(|value| Bytes::from_slice(&value[..40_000]));
            StateChange::new(change.key().clone(), *change.hash(), value)
        };
        let second: Vec<StateChange> = second.iter().map(shorter).collect();
        for (height, changes) in [(1, &first), (2, &second)] {
            levels.push(height, Arc::new(Changes::of(changes)));
            levels.install(levels.flush(height, height).unwrap()).unwrap();
        }
        let state = StateTable::over(Arc::clone(&levels), 0);
        state.with_bucket(5, |rows| assert_eq!(rows.all(&hash(5).0).len(), 96)).unwrap();
        assert!(state.used_bytes() < 20_000, "{}", state.used_bytes());
        // Who cannot pay for them finds out without reading them.
        for change in first[..48].iter().chain(&second) {
            let length = change.value().unwrap().len() as u64;
            assert!(state.look(change.hash()).unwrap().unwrap().is_unread());
            let found = state.get_up_to(change.hash(), length - 1).unwrap();
            assert_eq!((found, state.used_bytes() < 20_000), (Err(length), true));
        }
        let paid = state.get_up_to(first[0].hash(), 65_536).unwrap().unwrap();
        assert_eq!(
            (&paid, state.look(first[0].hash()).unwrap()),
            (&first[0].value().cloned(), paid.clone())
        );
        for change in first[..48].iter().chain(&second) {
            assert_eq!(state.get(change.hash()).unwrap().as_ref(), change.value());
            assert!(state.used_bytes() < SLACK_BYTES + 70_000);
        }
        // Who visits all buckets, as opening does, never has all values of one.
        let visit = |_, found: BucketRows| {
            let bytes: usize = found.long.iter().map(|(_, value)| value.len()).sum();
            assert!(found.rows.len() == 96 && bytes <= 1 << 20, "{bytes}");
            state.admit(5, found);
            Ok(())
        };
        levels.buckets(5, 6, visit).unwrap();
        // Whoever looked at a row finds what it had, as long as it is on the disk.
        let old = changed(first[60].hash(), first[60].value().map(Bytes::as_slice));
        let found = levels.long(first[60].hash(), digest(&old), u64::MAX).unwrap();
        assert_eq!(found.and_then(Result::ok).as_ref(), first[60].value());
        assert_eq!(levels.long(first[60].hash(), &[1; 32], u64::MAX).unwrap(), None);
    }

    /// Somebody reads the state while a block is applied to it.
    #[test]
    fn a_row_is_new_though_its_bucket_was_read_with_it() {
        let (state, levels) = over(3, 1 << 20);
        assert!(state.get(&hash(0)).unwrap().is_some());
        let changes = Arc::new(Changes::of(&[change(0, 2), change(7, 2), change(8, 2)]));
        state.begin();
        levels.push(2, Arc::clone(&changes));
        assert_eq!(state.get(&hash(7)).unwrap().as_deref(), Some(&[2][..]));
        assert_eq!(state.apply_rows(&changes), [1, 2]);
        state.begin();
        // The bucket of the last is not here, so nobody knows.
        assert_eq!(state.apply_rows(&changes), [2]);
    }
}
