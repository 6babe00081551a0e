//! The inside of a bucket: its rows, and the parts into which they are divided where they are many.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::hash::{NodeHash, bucket_hash_many, node_hashes};
use super::row::{Row, is_removed, key, row};
use super::tree::{ARITY, BUCKET_BITS};
use crate::types::{KeyHash, hash_order};

/// The most rows of a bucket, or of a part of one, that are hashed as they are: one chunk of BLAKE3, so that sixteen share the lanes of
/// the processor. About one bucket of fifty-five has more where there are ten million rows, and any that somebody fills who looks for keys that
/// begin alike.
const ROWS_MAX: usize = 16;

/// The most rows of a bucket whose parts are not kept in memory: 16 KiB are hashed again for each change. Where keys are spread, buckets have
/// more behind 200,000,000 rows; the parts take some 30 bytes a row. Ours to choose.
const UNKEPT_ROWS_MAX: usize = 256;

/// The hexadecimal digits of a key hash that name its bucket.
pub(super) const BUCKET_DIGITS: usize = BUCKET_BITS as usize / 4;

/// The hexadecimal digits of a key hash.
pub(super) const DIGITS: usize = 64;

/// The digit of a key hash at a place.
pub(super) fn digit(key: &[u8; 32], place: usize) -> usize {
    let byte = key[place / 2];
    usize::from(if place.is_multiple_of(2) { byte >> 4 } else { byte & 15 })
}

/// The rows of a bucket as they are in memory.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rows<'a> {
    /// All of them, by ascending key hash.
    Together(&'a [Row]),
    /// Those of crowded buckets, key hash to digest; this bucket's are among them.
    Among(&'a BTreeMap<[u8; 32], [u8; 32]>),
}

impl<'a> Rows<'a> {
    /// All rows of the bucket of `key`.
    pub(super) fn all(self, key: &[u8; 32]) -> Cow<'a, [Row]> {
        match self {
            Self::Together(rows) => Cow::Borrowed(rows),
            Self::Among(_) => self.part(key, BUCKET_DIGITS),
        }
    }

    /// The rows whose key hashes have the first `n_digits` digits of `key`, at least those of the bucket.
    pub(super) fn part(self, wanted: &[u8; 32], n_digits: usize) -> Cow<'a, [Row]> {
        let (mut first, mut last) = (*wanted, *wanted);
        for place in n_digits..DIGITS {
            let low = if place.is_multiple_of(2) { 0xf0 } else { 0x0f };
            first[place / 2] &= !low;
            last[place / 2] |= low;
        }
        match self {
            Self::Together(rows) => {
                let start = rows.partition_point(|row| hash_order(key(row), &first).is_lt());
                let end = rows.partition_point(|row| hash_order(key(row), &last).is_le());
                Cow::Borrowed(&rows[start..end])
            }
            Self::Among(rows) => {
                let range = rows.range(first..=last);
                Cow::Owned(range.map(|(key, digest)| row(&KeyHash(*key), digest)).collect())
            }
        }
    }
}

/// A bucket, or the rows of one whose key hashes begin alike.
#[derive(Clone, Debug)]
pub(super) struct Part {
    hash: NodeHash,
    n_rows: usize,
    /// Of more than [`ROWS_MAX`] rows: those with each next digit.
    parts: Option<Arc<[Self; ARITY]>>,
}

impl Part {
    /// The part of rows, by ascending key hash, that have the first `n_digits` digits in common.
    pub(super) fn of(rows: &[Row], n_digits: usize) -> Self {
        if rows.len() <= ROWS_MAX {
            let hash = bucket_hash_many(rows, &[rows.len()])[0];
            return Self { hash, n_rows: rows.len(), parts: None };
        }
        let ends: [usize; ARITY] = std::array::from_fn(|next| {
            rows.partition_point(|row| digit(key(row), n_digits) <= next)
        });
        let hashes = undivided_hashes(rows, &ends);
        let mut start = 0;
        Self::above(std::array::from_fn(|next| {
            let rows = &rows[start..ends[next]];
            start = ends[next];
            if rows.len() > ROWS_MAX {
                return Self::of(rows, n_digits + 1);
            }
            Self { hash: hashes[next], n_rows: rows.len(), parts: None }
        }))
    }

    fn above(parts: [Self; ARITY]) -> Self {
        let children = parts.each_ref().map(|part| part.hash);
        let mut hashes = Vec::with_capacity(1);
        node_hashes(&[*flat(&children)], &mut hashes);
        let n_rows = parts.iter().map(|part| part.n_rows).sum();
        Self { hash: hashes[0], n_rows, parts: Some(Arc::new(parts)) }
    }

    pub(super) const fn hash(&self) -> NodeHash {
        self.hash
    }

    /// Whether it has so many rows that finding its parts again from these, for each change, would take longer than a change pays for.
    pub(super) const fn is_kept(&self) -> bool {
        self.n_rows > UNKEPT_ROWS_MAX
    }

    /// The part after changes, by ascending key hash; `found` are the rows of the bucket, with the changes or without. Takes as long
    /// as there are changes, however many rows there are.
    pub(super) fn changed(&self, n_digits: usize, found: Rows<'_>, changes: &[Row]) -> Self {
        let Some(parts) = &self.parts else { return Self::merged(n_digits, found, changes) };
        let mut parts = <[Self; ARITY]>::clone(parts);
        let next = |row: &Row| digit(key(row), n_digits);
        for changes in changes.chunk_by(|a, b| next(a) == next(b)) {
            let part = &mut parts[next(&changes[0])];
            *part = part.changed(n_digits + 1, found, changes);
        }
        if parts.iter().map(|part| part.n_rows).sum::<usize>() > ROWS_MAX {
            return Self::above(parts);
        }
        Self::merged(n_digits, found, changes)
    }

    fn merged(n_digits: usize, found: Rows<'_>, changes: &[Row]) -> Self {
        let found = found.part(key(&changes[0]), n_digits);
        let mut rows = Vec::with_capacity(found.len() + changes.len());
        merge(&found, changes, &mut rows);
        Self::of(&rows, n_digits)
    }

    /// The hashes of the parts on the way to a key from the least part that it is in: below this one, and this one has `n_digits`
    /// digits in common; and how many digits that one has.
    pub(super) fn way(&self, key: &[u8; 32], n_digits: usize) -> (Vec<[NodeHash; ARITY]>, usize) {
        let (mut part, mut way, mut at) = (self, Vec::new(), n_digits);
        while let Some(parts) = &part.parts {
            way.push(parts.each_ref().map(|part| part.hash));
            part = &parts[digit(key, at)];
            at += 1;
        }
        way.reverse();
        (way, at)
    }
}

/// The hashes of rows in runs, those that have no more than [`ROWS_MAX`]; run `i` is `rows[ends[i - 1]..ends[i]]`.
fn undivided_hashes(rows: &[Row], ends: &[usize]) -> Vec<NodeHash> {
    let starts = || std::iter::once(0).chain(ends.iter().copied());
    let runs = || starts().zip(ends).map(|(start, &end)| start..end);
    if runs().all(|run| run.len() <= ROWS_MAX) {
        return bucket_hash_many(rows, ends);
    }
    let (mut few, mut ends_of_few) =
        (Vec::with_capacity(rows.len()), Vec::with_capacity(ends.len()));
    for run in runs() {
        if run.len() <= ROWS_MAX {
            few.extend_from_slice(&rows[run]);
        }
        ends_of_few.push(few.len());
    }
    bucket_hash_many(&few, &ends_of_few)
}

/// The hashes of many buckets, and those whose parts are [kept](Part::is_kept), by position; bucket `i` has the rows
/// `rows[ends[i - 1]..ends[i]]`.
pub(super) fn hash_buckets(rows: &[Row], ends: &[usize]) -> (Vec<NodeHash>, Vec<(usize, Part)>) {
    let mut hashes = undivided_hashes(rows, ends);
    let mut kept = Vec::new();
    let mut start = 0;
    for (at, &end) in ends.iter().enumerate() {
        if end - start > ROWS_MAX {
            let part = Part::of(&rows[start..end], BUCKET_DIGITS);
            hashes[at] = part.hash;
            if part.is_kept() {
                kept.push((at, part));
            }
        }
        start = end;
    }
    (hashes, kept)
}

/// Appends the rows of a bucket after changes; both ascend.
pub(super) fn merge(found: &[Row], changes: &[Row], out: &mut Vec<Row>) {
    let order = |change: &Row, row: &Row| hash_order(key(change), key(row));
    let mut rest = changes;
    for row in found {
        let n_before = rest.iter().take_while(|change| order(change, row).is_lt()).count();
        let (before, behind) = rest.split_at(n_before);
        out.extend(before.iter().filter(|change| !is_removed(change)));
        // What replaces the row comes before the next one.
        if behind.first().is_none_or(|change| order(change, row).is_gt()) {
            out.push(*row);
        }
        rest = behind;
    }
    out.extend(rest.iter().filter(|change| !is_removed(change)));
}

/// The bytes of a node's children.
fn flat(children: &[NodeHash; ARITY]) -> &[u8; 512] {
    children.as_flattened().try_into().expect("16 times 32 bytes")
}
