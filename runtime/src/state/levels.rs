//! Sorted rows on disk that take new ones: runs in files, and the changes of recent blocks in memory.
//!
//! The changes of a block are pushed when it is applied. A checkpoint merges those up to a height,
//! and the runs that are not much larger than what is merged, into one new run: so there are about
//! as many runs as the logarithm of the rows, and a row is written as often. A row is looked up from
//! the newest to the oldest.
//!
//! Source: O'Neil, Cheng, Gawlick, O'Neil, "The log-structured merge-tree" (1996); the rule by which
//! runs are merged is that of a binary counter.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::changes::Changes;
use super::disk::Disk;
use super::error::StoreError;
use super::row::{Row, digest, is_long, is_removed, key, search};
use super::run::{Entry, Run, RunInfo, RunWriter};
use super::tree::{bucket_of, first_key};
use crate::sync::lock;
use crate::types::{Bytes, KeyHash, first_bytes, hash_order};

/// A run is merged with a newer one that has more than this part of its rows.
const MERGE_RATIO: u64 = 2;

/// The most bytes of long values that are held together of a bucket that is visited: there may be more of them than memory. Ours to choose.
const LONG_BYTES_MAX: usize = 1 << 20;

/// Sorted rows that take new ones.
#[derive(Debug)]
pub(super) struct Levels {
    view: RwLock<Arc<View>>,
    index: Mutex<PendingIndex>,
    place: Option<(Disk, PathBuf)>,
}

#[derive(Clone, Debug, Default)]
struct View {
    /// The changes of recent blocks, by ascending height.
    pending: Vec<(u64, Arc<Changes>)>,
    /// The runs, the oldest first.
    runs: Vec<Arc<Run>>,
}

/// Which of the pending blocks changed a bucket: there may be a thousand of them, and who reads a bucket should not have to look into all. Made
/// when the first one is read, so a state that is in memory has none.
#[derive(Debug, Default)]
struct PendingIndex {
    /// The heights of the first and the last block that it knows.
    known: Option<(u64, u64)>,
    /// By bucket: how far above the first one, ascending.
    blocks: HashMap<u32, SmallVec<[u32; 4]>>,
}

impl PendingIndex {
    /// Learns what was pushed since, and begins anew where a checkpoint has taken what it knows.
    fn follow(&mut self, first: u64, pending: &[(u64, Arc<Changes>)]) {
        if self.known.is_some_and(|(known, _)| known != first) {
            *self = Self::default();
        }
        let known = self.known.map(|(_, last)| last);
        for (height, changes) in pending.iter().filter(|(height, _)| Some(*height) > known) {
            let block = u32::try_from(height - first).expect("checkpoints are not so far apart");
            for row in changes.rows() {
                let blocks = self.blocks.entry(bucket_of(&KeyHash(*key(row)))).or_default();
                if blocks.last() != Some(&block) {
                    blocks.push(block);
                }
            }
        }
        // Somebody may still look at fewer.
        let last = pending.last().map(|(height, _)| *height);
        self.known = last.max(known).map(|last| (first, last));
    }

    /// The pending changes that have rows of a bucket, the oldest first; all of them, for who has looked since before the last checkpoint: there are
    /// few such, and what the others know is not given up for them.
    fn of<'a>(&mut self, pending: &'a [(u64, Arc<Changes>)], bucket: u32) -> Vec<&'a Changes> {
        let Some(&(first, _)) = pending.first() else { return Vec::new() };
        if self.known.is_some_and(|(known, _)| first < known) {
            return pending.iter().map(|(_, changes)| &**changes).collect();
        }
        self.follow(first, pending);
        let blocks = self.blocks.get(&bucket).into_iter().flatten();
        let at = |block: &u32| {
            let height = first + u64::from(*block);
            pending.binary_search_by_key(&height, |(height, _)| *height).ok()
        };
        blocks.filter_map(at).map(|at| &*pending[at].1).collect()
    }
}

/// All rows of a bucket, and some of its long values.
#[derive(Debug, Default)]
pub(super) struct BucketRows {
    /// By ascending key hash.
    pub(super) rows: Vec<Row>,
    /// The values that do not fit into rows.
    pub(super) long: Vec<([u8; 32], Bytes)>,
}

/// A checkpoint that was written, and is not yet in use.
#[derive(Debug)]
pub(super) struct Flushed {
    height: u64,
    runs: Vec<Arc<Run>>,
    obsolete: Vec<Arc<Run>>,
}

impl Flushed {
    /// What the manifest has to say of the runs.
    pub(super) fn infos(&self) -> Vec<RunInfo> {
        self.runs.iter().map(|run| run.info()).collect()
    }
}

impl Levels {
    /// Rows in memory only.
    pub(super) fn in_memory() -> Self {
        Self { view: RwLock::default(), index: Mutex::default(), place: None }
    }

    /// The runs that a manifest speaks of.
    pub(super) fn open(disk: &Disk, dir: PathBuf, runs: &[RunInfo]) -> Result<Self, StoreError> {
        let runs = runs.iter().map(|&info| Run::open(disk, &dir, info).map(Arc::new));
        let runs = runs.collect::<Result<_, _>>()?;
        let view = Arc::new(View { pending: Vec::new(), runs });
        let place = Some((disk.clone(), dir));
        Ok(Self { view: RwLock::new(view), index: Mutex::default(), place })
    }

    /// The same rows, which take other new ones from now on. At most one of the two may be flushed.
    pub(super) fn copy(&self) -> Self {
        let (view, place) = (RwLock::new(self.view()), self.place.clone());
        Self { view, index: Mutex::default(), place }
    }

    fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change_view(&self, change: impl FnOnce(&mut View)) {
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut view));
    }

    /// Adds the changes of a block above all before.
    pub(super) fn push(&self, height: u64, changes: Arc<Changes>) {
        self.change_view(|view| view.pending.push((height, changes)));
    }

    /// The rows of a bucket, with those long values that are in memory: the others may take more of it than there is, and are read when
    /// somebody asks for [one](Self::long).
    pub(super) fn bucket(&self, bucket: u32) -> Result<BucketRows, StoreError> {
        let view = self.view();
        let inside = |row: &Row| bucket_of(&KeyHash(*key(row))) == bucket;
        let first = first_key(bucket).0;
        let mut found: BTreeMap<[u8; 32], Entry> = BTreeMap::new();
        for run in &view.runs {
            let entries = run.range(&first, inside)?.into_iter();
            found.extend(entries.map(|row| (*key(&row), Entry { row, long: None })));
        }
        let pending = lock(&self.index).of(&view.pending, bucket);
        for changes in pending {
            let rows = changes.rows();
            let start = search(rows, &first, 0).unwrap_or_else(|start| start);
            for row in rows[start..].iter().take_while(|row| inside(row)) {
                let long = is_long(row).then(|| changes.long(key(row)).cloned()).flatten();
                found.insert(*key(row), Entry { row: *row, long });
            }
        }
        let mut bucket = BucketRows::default();
        for entry in found.into_values() {
            bucket.push(entry);
        }
        Ok(bucket)
    }

    /// The long value of a key that had it with this digest when somebody looked, if no checkpoint dropped it since; the length of one that is
    /// longer than `most`, which is not read.
    pub(super) fn long(
        &self,
        wanted: &KeyHash,
        found: &[u8; 32],
        most: u64,
    ) -> Result<Option<Result<Bytes, u64>>, StoreError> {
        let view = self.view();
        let pending = lock(&self.index).of(&view.pending, bucket_of(wanted));
        for changes in pending.into_iter().rev() {
            let at = search(changes.rows(), &wanted.0, 0).ok();
            let row = at.map(|at| &changes.rows()[at]);
            if row.is_some_and(|row| is_long(row) && digest(row) == found) {
                return Ok(changes.long(&wanted.0).map(|value| match value.len() as u64 {
                    length if length > most => Err(length),
                    _ => Ok(value.clone()),
                }));
            }
        }
        for run in view.runs.iter().rev() {
            if let Some(value) = run.long(&wanted.0, found, most)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The row of a key.
    pub(super) fn find(&self, wanted: &[u8; 32]) -> Result<Option<Row>, StoreError> {
        let view = self.view();
        let pending = view.pending.iter().rev().find_map(|(_, changes)| {
            let rows = changes.rows();
            search(rows, wanted, 0).ok().map(|at| rows[at])
        });
        let mut found = pending;
        let mut runs = view.runs.iter().rev();
        while found.is_none() {
            let Some(run) = runs.next() else { break };
            found = run.find(wanted)?;
        }
        Ok(found.filter(|row| !is_removed(row)))
    }

    /// Calls `visit` with every bucket that has rows, from `first` on and below `end`, and with the first of its long values. All of them are checked.
    /// Pending changes are not looked at.
    pub(super) fn buckets(
        &self,
        first: u32,
        end: u32,
        mut visit: impl FnMut(u32, BucketRows) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let view = self.view();
        let mut merge = Merge::new(&view.runs, &first_key(first).0)?;
        let mut bucket = BucketRows::default();
        let mut at = first;
        let mut long_bytes = 0;
        while let Some(mut entry) = merge.next_entry()? {
            let next = bucket_of(&KeyHash(*key(&entry.row)));
            if next >= end {
                break;
            }
            if next != at && !bucket.rows.is_empty() {
                visit(at, std::mem::take(&mut bucket))?;
                long_bytes = 0;
            }
            at = next;
            long_bytes += entry.long.as_ref().map_or(0, |value| value.len());
            if long_bytes > LONG_BYTES_MAX {
                entry.long = None;
            }
            bucket.push(entry);
        }
        if bucket.rows.is_empty() { Ok(()) } else { visit(at, bucket) }
    }

    /// Writes the pending changes up to a height into a new run, whose number is `id`. Nothing is changed before
    /// [`install`](Self::install).
    pub(super) fn flush(&self, height: u64, id: u64) -> Result<Flushed, StoreError> {
        let view = self.view();
        let pending = view.pending.iter().filter(|(at, _)| *at <= height);
        let pending: Vec<&Changes> = pending.map(|(_, changes)| &**changes).collect();
        let mut n_rows: u64 = pending.iter().map(|changes| changes.len() as u64).sum();
        let mut n_kept = view.runs.len();
        if n_rows > 0 {
            while let Some(last) = view.runs[..n_kept].last()
                && last.info().n_entries <= n_rows * MERGE_RATIO
            {
                n_rows += last.info().n_entries;
                n_kept -= 1;
            }
        }
        let (kept, merged) = view.runs.split_at(n_kept);
        let mut runs = kept.to_vec();
        if n_rows > 0 {
            runs.push(Arc::new(self.merge(merged, &pending, kept.is_empty(), id)?));
        }
        Ok(Flushed { height, runs, obsolete: merged.to_vec() })
    }

    fn merge(
        &self,
        runs: &[Arc<Run>],
        pending: &[&Changes],
        is_oldest: bool,
        id: u64,
    ) -> Result<Run, StoreError> {
        let (disk, dir) = self.place.as_ref().expect("only levels with a place are flushed");
        let mut writer = RunWriter::create(disk, dir, id)?;
        let mut old = Merge::new(runs, &[0; 32])?;
        let mut next_old = old.next_entry()?;
        let order = |entry: &Entry, row: &Row| hash_order(key(&entry.row), key(row));
        let mut write = |row: &Row, long: Option<&[u8]>| {
            // Below the oldest run there is nothing that a removal would have to hide.
            if is_oldest && is_removed(row) { Ok(()) } else { writer.push(row, long) }
        };
        for_each_latest(pending, |row, changes| {
            while let Some(entry) = next_old.take_if(|entry| order(entry, row).is_lt()) {
                write(&entry.row, entry.long.as_deref())?;
                next_old = old.next_entry()?;
            }
            if next_old.take_if(|entry| order(entry, row).is_eq()).is_some() {
                next_old = old.next_entry()?;
            }
            let long = if is_long(row) { changes.long(key(row)) } else { None };
            write(row, long.map(Bytes::as_slice))
        })?;
        while let Some(entry) = next_old.take() {
            write(&entry.row, entry.long.as_deref())?;
            next_old = old.next_entry()?;
        }
        let run = writer.finish()?;
        disk.sync_dir(dir)?;
        Ok(run)
    }

    /// Puts a checkpoint to use, after the manifest speaks of it, and removes the files that it replaces.
    pub(super) fn install(&self, flushed: Flushed) -> Result<(), StoreError> {
        let Flushed { height, runs, obsolete } = flushed;
        self.change_view(|view| {
            view.pending.retain(|(at, _)| *at > height);
            view.runs = runs;
        });
        let Some((disk, _)) = &self.place else { return Ok(()) };
        // Whoever reads from them at this moment has them open.
        obsolete.iter().try_for_each(|run| run.remove(disk))
    }
}

impl BucketRows {
    /// Adds the row of a key above all before, unless it says that there is none.
    fn push(&mut self, entry: Entry) {
        if is_removed(&entry.row) {
            return;
        }
        if let Some(value) = entry.long {
            self.long.push((*key(&entry.row), value));
        }
        self.rows.push(entry.row);
    }
}

/// Calls `visit` with the last change to each key, by ascending key, and the changes that it is of.
fn for_each_latest(
    pending: &[&Changes],
    mut visit: impl FnMut(&Row, &Changes) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    // Part by part, so that what is sorted stays in the cache.
    let mut starts = vec![0; pending.len()];
    let mut order: Vec<(u64, u32, u32)> = Vec::new();
    for part in 0..=u8::MAX {
        order.clear();
        for ((number, changes), start) in (0u32..).zip(pending).zip(&mut starts) {
            for row in changes.rows()[*start..].iter().take_while(|row| row[0] == part) {
                let at = u32::try_from(*start).expect("a block's rows");
                order.push((first_bytes(key(row)), number, at));
                *start += 1;
            }
        }
        let row = |(_, number, at): (u64, u32, u32)| &pending[number as usize].rows()[at as usize];
        // Each block's rows are sorted already, which a stable sort finds and merges.
        order.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| key(row(*a)).cmp(key(row(*b)))));
        for (at, entry) in order.iter().enumerate() {
            let is_other = |next| hash_order(key(row(next)), key(row(*entry))).is_ne();
            let is_last = order.get(at + 1).is_none_or(|next| next.0 != entry.0 || is_other(*next));
            if is_last {
                visit(row(*entry), pending[entry.1 as usize])?;
            }
        }
    }
    Ok(())
}

/// The rows of several runs in one order; of several of one key the newest.
struct Merge<'a> {
    /// The oldest first.
    runs: Vec<Peekable<super::run::RunIter<'a>>>,
}

impl<'a> Merge<'a> {
    fn new(runs: &'a [Arc<Run>], first: &[u8; 32]) -> Result<Self, StoreError> {
        let runs = runs.iter().map(|run| Ok(run.iter_from(first)?.peekable()));
        Ok(Self { runs: runs.collect::<Result<_, StoreError>>()? })
    }

    fn next_entry(&mut self) -> Result<Option<Entry>, StoreError> {
        // Nearly always there is one to be merged with what is new.
        if let [run] = &mut self.runs[..] {
            return run.next().transpose();
        }
        let mut least: Option<[u8; 32]> = None;
        for run in &mut self.runs {
            let Some(next) = run.next_if(Result::is_err).or(None) else {
                if let Some(Ok(entry)) = run.peek() {
                    let key = *key(&entry.row);
                    least = Some(least.map_or(key, |least| least.min(key)));
                }
                continue;
            };
            next?;
        }
        let Some(least) = least else { return Ok(None) };
        let mut newest = None;
        for run in &mut self.runs {
            let is_least = |next: &Result<Entry, StoreError>| {
                next.as_ref().is_ok_and(|entry| *key(&entry.row) == least)
            };
            if let Some(entry) = run.next_if(is_least) {
                newest = Some(entry?);
            }
        }
        Ok(newest)
    }
}

/// Reads a value that [`Levels::find`] found, if it is short and of `N` bytes.
pub(super) fn short_array<const N: usize>(row: &Row) -> Option<[u8; N]> {
    let digest = digest(row);
    (usize::from(digest[0]) == N).then(|| digest[1..].first_chunk().copied()).flatten()
}

#[cfg(test)]
mod tests {
    use kempe_abi::Address;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::changes::StateChange;
    use super::*;
    use crate::types::StateKey;

    fn changes(buckets: &[u32]) -> Arc<Changes> {
        let change = |bucket: &u32| {
            let hash = first_key(*bucket);
            let key = StateKey::new(Address(hash.0), 0, &[]);
            StateChange::new(key, hash, Some(Bytes::from_slice(&[1])))
        };
        Arc::new(Changes::of(&buckets.iter().map(change).collect::<Vec<_>>()))
    }

    proptest! {
        /// The index names the blocks that a look at all of them finds, also for who holds a view of before the last ones were pushed or a
        /// checkpoint took the first ones.
        #[test]
        fn the_index_finds_what_a_look_at_all_blocks_finds(
            steps in vec((vec(0..4u32, 0..4), 0..20usize, 0..3usize), 1..60),
        ) {
            let mut index = PendingIndex::default();
            let mut pending = Vec::new();
            let mut views = Vec::new();
            for (height, (buckets, n_taken, age)) in (7..).zip(&steps) {
                pending.push((height, changes(buckets)));
                if *n_taken < pending.len() / 4 {
                    pending.drain(..*n_taken);
                }
                views.push(pending.clone());
                let view: &Vec<_> = &views[views.len().saturating_sub(1 + age)];
                for bucket in 0..5 {
                    let has = |changes: &Changes| {
                        changes.rows().iter().any(|row| bucket_of(&KeyHash(*key(row))) == bucket)
                    };
                    let all = view.iter().map(|(_, changes)| &**changes);
                    let expected: Vec<*const Changes> =
                        all.filter(|changes| has(changes)).map(std::ptr::from_ref).collect();
                    let found = index.of(view, bucket).into_iter().filter(|changes| has(changes));
                    let found: Vec<*const Changes> = found.map(std::ptr::from_ref).collect();
                    prop_assert_eq!(found, expected);
                    let is_old = index.known.is_some_and(|(first, _)| view[0].0 < first);
                    prop_assert!(is_old || index.of(view, bucket).into_iter().all(has));
                }
            }
        }
    }
}
