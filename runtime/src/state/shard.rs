//! Sixteen neighboring buckets in memory.

use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};

use super::levels::BucketRows;
use super::row::{Row, guess, is_long, is_removed, key, search, short_bytes};
use super::table::{SHARD_BITS, start_of};
use super::tree::{BUCKET_BITS, BUCKETS, bucket_of, first_key};
use crate::prefetch::prefetch;
use crate::types::{Bytes, KeyHash, KeyMap};

/// Buckets in a shard.
pub(super) const SHARD_BUCKETS: u32 = BUCKETS >> SHARD_BITS;

const N_BUCKETS: usize = 1 << (BUCKET_BITS - SHARD_BITS);

/// Sixteen neighboring buckets. With its lock it is one line of memory, so that a look at it brings all that says where a
/// row is.
#[derive(Default)]
pub(super) struct Shard {
    /// By ascending key hash.
    rows: Vec<Row>,
    long: Option<Box<KeyMap<Box<[u8]>>>>,
    counts: Counts,
    /// One bit for each bucket that is here.
    resident: u16,
    /// One bit for each bucket that was asked for since eviction last came by.
    touched: AtomicU16,
}

impl Shard {
    /// Without rows, where every bucket is here or none is.
    pub(super) fn new(is_resident: bool) -> Self {
        Self { resident: if is_resident { u16::MAX } else { 0 }, ..Self::default() }
    }

    pub(super) fn copy(&self) -> Self {
        let touched = AtomicU16::new(self.touched.load(Ordering::Relaxed));
        let (rows, long) = (self.rows.clone(), self.long.clone());
        Self { rows, long, counts: self.counts, resident: self.resident, touched }
    }

    pub(super) fn has(&self, bucket: u32) -> bool {
        self.resident & bit(bucket) != 0
    }

    pub(super) fn touch(&self, bucket: u32) {
        // Mostly it is set already, and then nothing is written that another core may read.
        if self.touched.load(Ordering::Relaxed) & bit(bucket) == 0 {
            self.touched.fetch_or(bit(bucket), Ordering::Relaxed);
        }
    }

    /// The rows of a bucket, by ascending key hash.
    pub(super) fn bucket(&self, bucket: u32) -> &[Row] {
        &self.rows[self.range(bucket)]
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &KeyHash) -> Option<Bytes> {
        let row = &self.rows[self.find(&key.0).ok()?];
        if !is_long(row) {
            return short_bytes(row);
        }
        Some(Bytes::from_slice(self.long.as_ref()?.get(key)?))
    }

    /// The value of a key for who only adds to it; see [`StateRead::get_number`](super::StateRead::get_number).
    pub(super) fn get_number(&self, key: &KeyHash) -> Option<Bytes> {
        let row = &self.rows[self.find(&key.0).ok()?];
        if !is_long(row) {
            return short_bytes(row);
        }
        Some(Bytes::from_slice(start_of(self.long.as_ref()?.get(key)?)))
    }

    /// Asks for the row of a key.
    pub(super) fn prefetch(&self, key: &KeyHash) {
        let range = self.range(bucket_of(key));
        let at = range.start + guess(range.len(), &key.0, BUCKET_BITS);
        if let Some(row) = self.rows.get(at) {
            prefetch(row);
        }
    }

    /// Asks for the rows of a bucket, of which there are mostly few.
    pub(super) fn prefetch_bucket(&self, bucket: u32) {
        const ROWS_MAX: usize = 8;
        self.bucket(bucket).iter().take(ROWS_MAX).for_each(prefetch);
    }

    /// Takes over a row; whether it was not there before, and by how many bytes the shard grew.
    pub(super) fn apply(&mut self, row: &Row, long: Option<&[u8]>) -> (bool, i64) {
        let bucket = bucket_of(&KeyHash(*key(row)));
        let mut grown = self.set_long(key(row), long);
        let mut is_new = false;
        match self.find(key(row)) {
            Ok(at) if is_removed(row) => {
                self.rows.remove(at);
                self.counts.set(bucket, |n_rows| n_rows - 1);
                grown -= ROW_BYTES;
            }
            Ok(at) => self.rows[at] = *row,
            Err(_) if is_removed(row) => {}
            Err(at) => {
                self.rows.insert(at, *row);
                self.counts.set(bucket, |n_rows| n_rows + 1);
                grown += ROW_BYTES;
                is_new = true;
            }
        }
        (is_new, grown)
    }

    /// Whether changes are better [merged](Self::merge) than applied one by one: each row that comes or goes moves half of those that
    /// are there, and somebody who looks for keys of one shard can make these many.
    pub(super) fn is_crowded_for(&self, changes: &[Row]) -> bool {
        const ROWS_MIN: usize = 1024;
        const MOVES_MIN: usize = 8;
        let is_here = |row: &Row| self.has(bucket_of(&KeyHash(*key(row))));
        let moves = |row: &&Row| is_here(row) && self.find(key(row)).is_ok() == is_removed(row);
        self.rows.len() >= ROWS_MIN
            && changes.iter().filter(moves).take(MOVES_MIN).count() == MOVES_MIN
    }

    /// Takes over rows of buckets that are here, ascending, in one go through all rows; says of each whether it was not there before,
    /// and returns by how many bytes the shard grew.
    pub(super) fn merge<'a>(
        &mut self,
        changes: impl Iterator<Item = (&'a Row, Option<&'a [u8]>)>,
        mut is_new: impl FnMut(bool),
    ) -> i64 {
        let before = std::mem::take(&mut self.rows);
        let n_before = before.len();
        let mut merged = Vec::with_capacity(n_before + n_before / 8);
        let mut before = before.into_iter().peekable();
        let mut grown = 0;
        for (row, long) in changes {
            grown += self.set_long(key(row), long);
            while let Some(other) = before.next_if(|other| key(other) < key(row)) {
                merged.push(other);
            }
            let was_there = before.next_if(|other| key(other) == key(row)).is_some();
            is_new(!was_there && !is_removed(row));
            if !is_removed(row) {
                merged.push(*row);
            }
        }
        merged.extend(before);
        self.rows = merged;
        let mut n_rows = [0; N_BUCKETS];
        self.rows.iter().for_each(|row| n_rows[slot(bucket_of(&KeyHash(*key(row))))] += 1);
        (0..).zip(n_rows).for_each(|(bucket, n_rows)| self.counts.set(bucket, |_| n_rows));
        let [n_before, n_after] =
            [n_before, self.rows.len()].map(|n| (n * size_of::<Row>()) as u64);
        grown + n_after.cast_signed() - n_before.cast_signed()
    }

    /// Puts the rows of a bucket that was not here; returns their bytes.
    pub(super) fn put(&mut self, bucket: u32, found: BucketRows) -> u64 {
        let at = self.range(bucket).start;
        let n_rows = found.rows.len();
        let mut bytes = (n_rows * size_of::<Row>()) as u64;
        self.rows.splice(at..at, found.rows);
        self.counts.set(bucket, |_| n_rows);
        for (key, value) in found.long {
            bytes += self.set_long(&key, Some(&value)).unsigned_abs();
        }
        self.resident |= bit(bucket);
        self.touch(bucket);
        bytes
    }

    /// Says that the buckets of these bits are here, without rows.
    pub(super) fn put_empty(&mut self, buckets: u16) {
        self.resident |= buckets;
    }

    /// Forgets the buckets that nobody asked for since this was last called; `first` is the shard's first bucket.
    /// Returns their bytes. One without rows takes none and stays.
    pub(super) fn forget_idle(&mut self, first: u32) -> u64 {
        let touched = std::mem::take(self.touched.get_mut());
        let idle = self.resident & !touched;
        (first..first + SHARD_BUCKETS)
            .filter(|bucket| idle & bit(*bucket) != 0)
            .map(|bucket| self.forget(bucket))
            .sum()
    }

    pub(super) fn forget(&mut self, bucket: u32) -> u64 {
        let range = self.range(bucket);
        if range.is_empty() {
            return 0;
        }
        let mut bytes = (range.len() * size_of::<Row>()) as u64;
        let rows: Vec<Row> = self.rows.drain(range).collect();
        self.counts.set(bucket, |_| 0);
        for row in rows.iter().filter(|row| is_long(row)) {
            bytes += self.set_long(key(row), None).unsigned_abs();
        }
        self.resident &= !bit(bucket);
        bytes
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

    /// Where the rows of a bucket are.
    fn range(&self, bucket: u32) -> Range<usize> {
        self.counts.range(bucket).unwrap_or_else(|| {
            let skipped = SHARD_BITS;
            let place =
                |first: KeyHash| search(&self.rows, &first.0, skipped).unwrap_or_else(|at| at);
            let is_last = slot(bucket) + 1 == N_BUCKETS;
            let end = if is_last { self.rows.len() } else { place(first_key(bucket + 1)) };
            place(first_key(bucket))..end
        })
    }

    /// Where a key is, or would be.
    fn find(&self, key: &[u8; 32]) -> Result<usize, usize> {
        let range = self.range(bucket_of(&KeyHash(*key)));
        let start = range.start;
        match search(&self.rows[range], key, BUCKET_BITS) {
            Ok(at) => Ok(start + at),
            Err(at) => Err(start + at),
        }
    }
}

/// How many rows each bucket of a shard has: where a bucket starts is a sum then, and no search through memory.
#[derive(Clone, Copy, Default)]
struct Counts {
    n_rows: [u8; N_BUCKETS],
    /// Whether a bucket has had more rows than can be counted; then the counts mean nothing. There are three rows in a
    /// bucket where there are 3,000,000, so it takes somebody who looks for keys of one bucket.
    are_unknown: bool,
}

impl Counts {
    fn set(&mut self, bucket: u32, change: impl FnOnce(usize) -> usize) {
        if self.are_unknown {
            return;
        }
        let n_rows = &mut self.n_rows[slot(bucket)];
        match u8::try_from(change(usize::from(*n_rows))) {
            Ok(changed) => *n_rows = changed,
            Err(_) => self.are_unknown = true,
        }
    }

    fn range(&self, bucket: u32) -> Option<Range<usize>> {
        if self.are_unknown {
            return None;
        }
        let slot = slot(bucket);
        // All sixteen, so that the processor adds them side by side.
        let mut start = 0;
        for (at, n_rows) in self.n_rows.iter().enumerate() {
            start += if at < slot { u16::from(*n_rows) } else { 0 };
        }
        let start = usize::from(start);
        Some(start..start + usize::from(self.n_rows[slot]))
    }
}

const ROW_BYTES: i64 = 64;

fn length(value: &[u8]) -> i64 {
    i64::try_from(value.len()).expect("values are in memory")
}

fn slot(bucket: u32) -> usize {
    (bucket % SHARD_BUCKETS) as usize
}

/// The bit of a bucket among those of its shard.
pub(super) fn bit(bucket: u32) -> u16 {
    1 << slot(bucket)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use parking_lot::RwLock;

    use super::*;
    use crate::state::row::changed;

    #[test]
    fn a_shard_and_its_lock_are_a_line_of_memory() {
        assert_eq!(size_of::<RwLock<Shard>>(), 64);
    }

    /// A key of a bucket of the shard with the given number; `low` tells it from others.
    fn key_of(bucket: u32, low: u16) -> KeyHash {
        let mut key = first_key(bucket);
        // Behind the bits of the bucket, so that keys spread over it.
        let low = u32::from(low) << 12;
        let place = u32::from_be_bytes([key.0[2], key.0[3], key.0[4], key.0[5]]) | low >> 4;
        key.0[2..6].copy_from_slice(&place.to_be_bytes());
        key
    }

    #[test]
    fn a_shard_is_its_buckets_however_many_rows_they_have() {
        for n_per_bucket in [1, 2, 3, 40, 254, 255, 256, 300] {
            let mut shard = Shard::new(true);
            let mut model: BTreeMap<[u8; 32], u8> = BTreeMap::new();
            let check = |shard: &Shard, model: &BTreeMap<[u8; 32], u8>| {
                for bucket in 0..SHARD_BUCKETS {
                    let inside = model.keys().filter(|key| bucket_of(&KeyHash(**key)) == bucket);
                    let found = shard.bucket(bucket).iter().map(|row| *key(row));
                    assert!(found.eq(inside.copied()), "{n_per_bucket} bucket={bucket}");
                }
                for (key, value) in model {
                    assert_eq!(shard.get(&KeyHash(*key)).as_deref(), Some(&[*value][..]));
                }
                assert_eq!(shard.get(&key_of(5, 60_000)), None);
            };
            // In another order than that of the keys, and buckets of other sizes.
            for step in 0..n_per_bucket * 16u16 {
                let (bucket, number) = (u32::from(step * 7 % 16), step / 16);
                if bucket != 5 || number < 2 {
                    let key = key_of(bucket, number * 101 % 40_000);
                    let value = (step % 251) as u8;
                    shard.apply(&changed(&key, Some(&[value])), None);
                    model.insert(key.0, value);
                }
            }
            check(&shard, &model);
            let removed: Vec<[u8; 32]> = model.keys().copied().step_by(3).collect();
            for key in removed {
                shard.apply(&changed(&KeyHash(key), None), None);
                model.remove(&key);
            }
            check(&shard, &model);
            // Forgotten, and put back.
            let kept: Vec<Row> = shard.bucket(9).to_vec();
            if kept.is_empty() {
                continue;
            }
            let bytes = shard.forget(9);
            assert_eq!(bytes, (kept.len() * 64) as u64);
            assert!(!shard.has(9) && shard.bucket(9).is_empty());
            shard.put(9, BucketRows { rows: kept, long: Vec::new() });
            assert!(shard.has(9));
            check(&shard, &model);
        }
    }

    #[test]
    fn many_changes_at_once_are_many_changes_one_by_one() {
        let mut number = 7u64;
        let mut next = |bound: u16| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            u16::try_from((number >> 33) % u64::from(bound)).unwrap()
        };
        // Few buckets and many, so that rows can be counted and cannot.
        for n_buckets in [1, 16] {
            let (mut single, mut merged) = (Shard::new(true), Shard::new(true));
            for round in 0..12 {
                let mut changes: BTreeMap<KeyHash, Option<Vec<u8>>> = BTreeMap::new();
                for _ in 0..[300, 5, 1][round % 3] {
                    let key = key_of(u32::from(next(n_buckets)), next(900));
                    let value = (next(3) > 0).then(|| vec![7; usize::from(next(60))]);
                    changes.insert(key, value);
                }
                let rows: Vec<(Row, Option<&[u8]>)> = changes
                    .iter()
                    .map(|(key, value)| {
                        let row = changed(key, value.as_deref());
                        (row, value.as_deref().filter(|_| is_long(&row)))
                    })
                    .collect();
                let one_by_one = rows.iter().map(|(row, long)| single.apply(row, *long));
                let (new, grown): (Vec<bool>, Vec<i64>) = one_by_one.unzip();
                let mut found = Vec::new();
                let each = rows.iter().map(|(row, long)| (row, *long));
                let all_grown = merged.merge(each, |is_new| found.push(is_new));
                assert_eq!((found, all_grown), (new, grown.iter().sum()), "round={round}");
                assert_eq!(single.rows, merged.rows);
                assert_eq!(single.long, merged.long);
                for bucket in 0..SHARD_BUCKETS {
                    assert_eq!(single.bucket(bucket), merged.bucket(bucket));
                }
            }
        }
    }

    #[test]
    fn a_bucket_beside_one_with_many_rows_gives_and_takes() {
        let mut shard = Shard::new(true);
        for low in 0..300 {
            shard.apply(&changed(&key_of(0, low), Some(&[1])), None);
        }
        let other = key_of(1, 7);
        shard.apply(&changed(&other, Some(&[2])), None);
        assert_eq!(shard.get(&other).as_deref(), Some(&[2][..]));
        shard.apply(&changed(&other, None), None);
        assert_eq!((shard.get(&other), shard.bucket(0).len()), (None, 300));
    }
}
