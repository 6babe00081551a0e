//! Sixteen neighboring buckets in memory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};

use super::bucket::Rows;
use super::levels::BucketRows;
use super::row::{Row, digest, guess, is_long, is_removed, key, row, search, short_bytes};
use super::table::SHARD_BITS;
use super::tree::{BUCKET_BITS, BUCKETS, bucket_of, first_key};
use crate::prefetch::prefetch;
use crate::types::{Bytes, KeyHash, KeyMap};

/// Buckets in a shard.
pub(super) const SHARD_BUCKETS: u32 = BUCKETS >> SHARD_BITS;

const N_BUCKETS: usize = 1 << (BUCKET_BITS - SHARD_BITS);

/// What is known here of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It has this value, or none.
    Short(Option<Bytes>),
    /// It has this long value.
    Long(Bytes),
    /// It has a long value with this digest, which is on the disk.
    Elsewhere([u8; 32]),
}

/// Sixteen neighboring buckets. With its lock it is one line of memory, so that a look at it brings all that says where a
/// row is.
#[derive(Default)]
pub(super) struct Shard {
    /// Those of buckets that are not crowded, by ascending key hash.
    rows: Vec<Row>,
    beside: Option<Box<Beside>>,
    /// How many rows each bucket has among these: where a bucket starts is a sum then, and no search through memory.
    n_rows: [u8; N_BUCKETS],
    /// One bit for each bucket that is crowded.
    crowded: u16,
    /// One bit for each bucket that is here.
    resident: u16,
    /// One bit for each bucket that was asked for since eviction last came by.
    touched: AtomicU16,
}

/// What does not fit into a shard's rows.
#[derive(Clone, Default)]
struct Beside {
    /// The values that are not in rows, as far as somebody asked for them since the bucket is here.
    long: KeyMap<Bytes>,
    /// The rows of crowded buckets: digests by key hash.
    crowded: BTreeMap<[u8; 32], [u8; 32]>,
}

/// A bucket is crowded when it has had more rows than so many: a row that comes or goes moves half of those of its shard that are not
/// crowded, 16 KiB at most. There are three rows in a bucket where there are 3,000,000, so it takes a very large state, or somebody who
/// looks for keys that begin alike.
const ROWS_MAX: usize = 32;

impl Shard {
    /// Without rows, where every bucket is here or none is.
    pub(super) fn new(is_resident: bool) -> Self {
        Self { resident: if is_resident { u16::MAX } else { 0 }, ..Self::default() }
    }

    pub(super) fn copy(&self) -> Self {
        let touched = AtomicU16::new(self.touched.load(Ordering::Relaxed));
        let (rows, beside) = (self.rows.clone(), self.beside.clone());
        let &Self { n_rows, crowded, resident, .. } = self;
        Self { rows, beside, n_rows, crowded, resident, touched }
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

    /// The rows of a bucket.
    pub(super) fn bucket(&self, bucket: u32) -> Rows<'_> {
        static NONE: BTreeMap<[u8; 32], [u8; 32]> = BTreeMap::new();
        if self.is_crowded(bucket) {
            return Rows::Among(self.beside.as_ref().map_or(&NONE, |beside| &beside.crowded));
        }
        Rows::Together(&self.rows[self.range(bucket)])
    }

    fn is_crowded(&self, bucket: u32) -> bool {
        self.crowded & bit(bucket) != 0
    }

    /// What a key has.
    #[inline]
    pub(super) fn get(&self, key: &KeyHash) -> Found {
        let crowded;
        let row = if self.is_crowded(bucket_of(key)) {
            let found = self.beside.as_ref().and_then(|beside| beside.crowded.get(&key.0));
            let Some(digest) = found else { return Found::Short(None) };
            crowded = row(key, digest);
            &crowded
        } else {
            let Ok(at) = self.find(&key.0) else { return Found::Short(None) };
            &self.rows[at]
        };
        if !is_long(row) {
            return Found::Short(short_bytes(row));
        }
        let long = self.beside.as_ref().and_then(|beside| beside.long.get(key));
        long.map_or_else(|| Found::Elsewhere(*digest(row)), |value| Found::Long(value.clone()))
    }

    /// Keeps a long value, if its row is here and has this digest; returns its bytes.
    pub(super) fn put_long(&mut self, key: &KeyHash, digest: &[u8; 32], value: &Bytes) -> u64 {
        match self.get(key) {
            Found::Elsewhere(found) if found == *digest => {
                self.set_long(&key.0, Some(value)).unsigned_abs()
            }
            _ => 0,
        }
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
        self.rows[self.range(bucket)].iter().take(ROWS_MAX).for_each(prefetch);
    }

    /// Takes over a row; whether it was not there before, and by how many bytes the shard grew.
    pub(super) fn apply(&mut self, row: &Row, long: Option<&Bytes>) -> (bool, i64) {
        let bucket = bucket_of(&KeyHash(*key(row)));
        let (was_crowded, row_bytes) = (self.is_crowded(bucket), self.row_bytes(bucket));
        let mut grown = self.set_long(key(row), long);
        let (was_there, is_there) = (self.set_row(bucket, row), !is_removed(row));
        grown += row_bytes * (i64::from(is_there) - i64::from(was_there));
        if self.is_crowded(bucket) && !was_crowded {
            grown += (CROWDED_ROW_BYTES - ROW_BYTES) * (ROWS_MAX as i64 + 1);
        }
        (is_there && !was_there, grown)
    }

    /// What a row of a bucket takes.
    fn row_bytes(&self, bucket: u32) -> i64 {
        if self.is_crowded(bucket) { CROWDED_ROW_BYTES } else { ROW_BYTES }
    }

    /// Puts or removes a row; whether there was one of its key.
    fn set_row(&mut self, bucket: u32, row: &Row) -> bool {
        if self.is_crowded(bucket) {
            let rows = &mut self.beside.get_or_insert_default().crowded;
            let before = match is_removed(row) {
                true => rows.remove(key(row)),
                false => rows.insert(*key(row), *digest(row)),
            };
            return before.is_some();
        }
        match self.find(key(row)) {
            Ok(at) if is_removed(row) => {
                self.rows.remove(at);
                self.n_rows[slot(bucket)] -= 1;
                true
            }
            Ok(at) => {
                self.rows[at] = *row;
                true
            }
            Err(_) if is_removed(row) => false,
            Err(at) => {
                self.rows.insert(at, *row);
                self.n_rows[slot(bucket)] += 1;
                if usize::from(self.n_rows[slot(bucket)]) > ROWS_MAX {
                    let range = self.range(bucket);
                    let rows: Vec<Row> = self.rows.drain(range).collect();
                    self.n_rows[slot(bucket)] = 0;
                    self.put_apart(bucket, &rows);
                }
                false
            }
        }
    }

    /// Puts the rows of a bucket that is crowded from now on, and has no others.
    fn put_apart(&mut self, bucket: u32, rows: &[Row]) {
        let crowded = &mut self.beside.get_or_insert_default().crowded;
        crowded.extend(rows.iter().map(|row| (*key(row), *digest(row))));
        self.crowded |= bit(bucket);
    }

    /// Puts the rows of a bucket that was not here; returns their bytes.
    pub(super) fn put(&mut self, bucket: u32, found: BucketRows) -> u64 {
        let n_found = found.rows.len() as u64;
        match u8::try_from(found.rows.len()) {
            Ok(n_rows) if found.rows.len() <= ROWS_MAX => {
                let at = self.range(bucket).start;
                self.rows.splice(at..at, found.rows);
                self.n_rows[slot(bucket)] = n_rows;
            }
            _ => self.put_apart(bucket, &found.rows),
        }
        let mut bytes = n_found * self.row_bytes(bucket).unsigned_abs();
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
        let idle = (first..first + SHARD_BUCKETS).filter(|bucket| idle & bit(*bucket) != 0);
        let bytes = idle.map(|bucket| self.forget(bucket)).sum();
        self.give_back();
        bytes
    }

    /// What its rows take, with the room that is kept for more.
    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>()
    }

    /// Gives memory back that nothing is in any more, if it is more than half.
    fn give_back(&mut self) {
        if self.rows.len() < self.rows.capacity() / 2 {
            self.rows.shrink_to_fit();
        }
        let Some(beside) = &mut self.beside else { return };
        if beside.long.is_empty() && beside.crowded.is_empty() {
            self.beside = None;
        } else if beside.long.len() < beside.long.capacity() / 2 {
            beside.long.shrink_to_fit();
        }
    }

    pub(super) fn forget(&mut self, bucket: u32) -> u64 {
        let rows = self.bucket(bucket).all(&first_key(bucket).0).into_owned();
        if rows.is_empty() {
            return 0;
        }
        let mut bytes = rows.len() as u64 * self.row_bytes(bucket).unsigned_abs();
        if self.is_crowded(bucket) {
            let crowded = &mut self.beside.get_or_insert_default().crowded;
            for row in &rows {
                crowded.remove(key(row));
            }
            self.crowded &= !bit(bucket);
        } else {
            let range = self.range(bucket);
            self.rows.drain(range);
            self.n_rows[slot(bucket)] = 0;
        }
        for row in rows.iter().filter(|row| is_long(row)) {
            bytes += self.set_long(key(row), None).unsigned_abs();
        }
        self.resident &= !bit(bucket);
        bytes
    }

    fn set_long(&mut self, key: &[u8; 32], value: Option<&Bytes>) -> i64 {
        let key = KeyHash(*key);
        let Some(value) = value else {
            let before = self.beside.as_mut().and_then(|beside| beside.long.remove(&key));
            return before.map_or(0, |value| -length(&value));
        };
        let before = self.beside.get_or_insert_default().long.insert(key, value.clone());
        length(value) - before.map_or(0, |value| length(&value))
    }

    /// Where the rows of a bucket are that is not crowded.
    fn range(&self, bucket: u32) -> Range<usize> {
        let slot = slot(bucket);
        // All sixteen, so that the processor adds them side by side.
        let mut start = 0;
        for (at, n_rows) in self.n_rows.iter().enumerate() {
            start += if at < slot { u16::from(*n_rows) } else { 0 };
        }
        let start = usize::from(start);
        start..start + usize::from(self.n_rows[slot])
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

/// What a row takes of memory.
const ROW_BYTES: i64 = 64;

/// What a row of a crowded bucket takes, in a tree whose nodes are half full.
const CROWDED_ROW_BYTES: i64 = 128;

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
        for n_per_bucket in [1, 2, 3, 20, 31, 32, 33, 34, 300] {
            let mut shard = Shard::new(true);
            let mut model: BTreeMap<[u8; 32], u8> = BTreeMap::new();
            let check = |shard: &Shard, model: &BTreeMap<[u8; 32], u8>| {
                for bucket in 0..SHARD_BUCKETS {
                    let inside = model.keys().filter(|key| bucket_of(&KeyHash(**key)) == bucket);
                    let found = shard.bucket(bucket).all(&first_key(bucket).0);
                    assert!(
                        found.iter().map(|row| *key(row)).eq(inside.copied()),
                        "{n_per_bucket} bucket={bucket}"
                    );
                }
                for (key, value) in model {
                    let expected = Some(Bytes::from_slice(&[*value]));
                    assert_eq!(shard.get(&KeyHash(*key)), Found::Short(expected));
                }
                assert_eq!(shard.get(&key_of(5, 60_000)), Found::Short(None));
            };
            let mut bytes = 0;
            // In another order than that of the keys, and buckets of other sizes.
            for step in 0..n_per_bucket * 16u16 {
                let (bucket, number) = (u32::from(step * 7 % 16), step / 16);
                if bucket != 5 || number < 2 {
                    let key = key_of(bucket, number * 101 % 40_000);
                    let value = (step % 251) as u8;
                    bytes += shard.apply(&changed(&key, Some(&[value])), None).1;
                    model.insert(key.0, value);
                }
            }
            check(&shard, &model);
            let removed: Vec<[u8; 32]> = model.keys().copied().step_by(3).collect();
            for key in removed {
                bytes += shard.apply(&changed(&KeyHash(key), None), None).1;
                model.remove(&key);
            }
            check(&shard, &model);
            // Forgotten, and put back.
            let rows = |shard: &Shard| shard.bucket(9).all(&first_key(9).0).into_owned();
            let kept = rows(&shard);
            if kept.is_empty() {
                continue;
            }
            let was_crowded = shard.is_crowded(9);
            let freed = shard.forget(9);
            assert_eq!(freed, kept.len() as u64 * if was_crowded { 128 } else { 64 });
            assert!(!shard.has(9) && rows(&shard).is_empty());
            let put = shard.put(9, BucketRows { rows: kept, long: Vec::new() });
            assert!(shard.has(9));
            check(&shard, &model);
            // What it takes is what it gives back.
            bytes += put.cast_signed() - freed.cast_signed();
            let all = (0..SHARD_BUCKETS).map(|bucket| shard.forget(bucket));
            assert_eq!(all.sum::<u64>().cast_signed(), bytes, "{n_per_bucket}");
        }
    }

    #[test]
    fn a_long_value_is_kept_where_its_row_is() {
        let (key, long) = (key_of(3, 7), Bytes::from_slice(&[5; 100]));
        let row = changed(&key, Some(&long));
        let mut shard = Shard::new(false);
        assert_eq!(shard.put_long(&key, digest(&row), &long), 0);
        assert_eq!(shard.put(3, BucketRows { rows: vec![row], long: Vec::new() }), 64);
        assert_eq!(shard.get(&key), Found::Elsewhere(*digest(&row)));
        assert_eq!(shard.put_long(&key, &[0; 32], &long), 0);
        assert_eq!(shard.put_long(&key, digest(&row), &long), 100);
        assert_eq!(shard.put_long(&key, digest(&row), &long), 0);
        assert_eq!(shard.get(&key), Found::Long(long));
        assert_eq!(shard.forget(3), 164);
        assert_eq!(shard.get(&key), Found::Short(None));
    }
}
