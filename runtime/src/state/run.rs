//! A sorted run: rows by ascending key hash, in a file that never changes.
//!
//! # Files
//!
//! | file | holds |
//! | --- | --- |
//! | `<id>.rows` | pages of 63 entries of 64 bytes and a trailer |
//! | `<id>.values` | the values that do not fit into rows, one after the other; no file if there are none |
//!
//! ```text
//! entry     key hash (32) | digest (32)                                a row, see `row`
//!           key hash (32) | 0x60 | offset (8) | length (8) | zeros     behind the row of a long value:
//!                                                                      where the value is
//!           0xff (64)                                                  the rest of the last page
//! trailer   number of the run (8) | number of the page (8) | checksum (16) | zeros (32)
//! ```
//! Numbers are little endian. The checksum is XXH3 with 128 bits of all before it: it is against what disks do, not
//! against who writes the file, as whoever can do that can write a checksum too; the state root is against both. A long
//! value is checked against its digest. How many entries and bytes a run has is in the manifest.
//!
//! Key hashes are spread evenly, so the page of a key is guessed in proportion, and guessed again from the keys of the page that was
//! read: two or three reads, and no index.

use std::ops::Range;
use std::path::{Path, PathBuf};

use borsh::{BorshDeserialize, BorshSerialize};

use super::disk::{Disk, DiskFile, corrupt};
use super::error::StoreError;
use super::hash::value_hash;
use super::row::{Row, digest, is_long, key, search};
use crate::types::{Bytes, first_bytes};

/// The bytes of a page: what a disk reads at once.
const PAGE_BYTES: usize = 4096;
/// The entries of a page, of 64 bytes each; the trailer takes the place of one.
const PAGE_ROWS: usize = PAGE_LINES - 1;
/// The entries of a page and its trailer.
const PAGE_LINES: usize = PAGE_BYTES / 64;
/// What is written, and read in order, at once.
const CHUNK_PAGES: usize = 64;

/// The bytes of a page before its checksum, which it is over.
const CHECKED_BYTES: usize = PAGE_ROWS * 64 + 16;
/// The bytes of a page before the zeros at its end.
const USED_BYTES: usize = CHECKED_BYTES + 16;

/// The first byte behind the key hash of an entry that says where a long value is.
const LOCATOR: u8 = 0x60;

/// What the manifest says of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct RunInfo {
    /// Its number, which is the name of its files.
    pub(super) id: u64,
    /// Rows and locators.
    pub(super) n_entries: u64,
    /// The bytes of its long values.
    pub(super) values_bytes: u64,
}

/// A run, open.
#[derive(Debug)]
pub(super) struct Run {
    info: RunInfo,
    rows: DiskFile,
    values: Option<DiskFile>,
}

/// A row on its way into or out of a run, with its value if that does not fit into it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) row: Row,
    pub(super) long: Option<Bytes>,
}

fn paths(dir: &Path, id: u64) -> (PathBuf, PathBuf) {
    (dir.join(format!("{id:08}.rows")), dir.join(format!("{id:08}.values")))
}

impl Run {
    /// Opens the run that the manifest speaks of.
    pub(super) fn open(disk: &Disk, dir: &Path, info: RunInfo) -> Result<Self, StoreError> {
        let (rows, values) = paths(dir, info.id);
        let rows = disk.open(&rows)?;
        let values = (info.values_bytes > 0).then(|| disk.open(&values)).transpose()?;
        let run = Self { info, rows, values };
        let expected = run.n_pages() * PAGE_BYTES as u64;
        if run.rows.len()? < expected {
            return Err(corrupt(run.rows.path(), "it is cut short".to_owned()));
        }
        Ok(run)
    }

    pub(super) fn info(&self) -> RunInfo {
        self.info
    }

    /// Removes the files of a run that no manifest speaks of any more.
    pub(super) fn remove(&self, disk: &Disk) -> Result<(), StoreError> {
        disk.remove(self.rows.path())?;
        self.values.as_ref().map_or(Ok(()), |values| disk.remove(values.path()))
    }

    fn n_pages(&self) -> u64 {
        self.info.n_entries.div_ceil(PAGE_ROWS as u64)
    }

    /// The entries of pages, checked.
    fn pages(&self, pages: Range<u64>) -> Result<Vec<Row>, StoreError> {
        let n_pages = usize::try_from(pages.end - pages.start).expect("a chunk fits into memory");
        let mut rows = vec![[0; 64]; n_pages * PAGE_LINES];
        self.rows.read_at(rows.as_flattened_mut(), pages.start * PAGE_BYTES as u64)?;
        let mut n_rows = 0;
        for (at, number) in pages.enumerate() {
            let start = at * PAGE_LINES;
            let page = rows[start..start + PAGE_LINES].as_flattened();
            let (checked, sum) = page[..USED_BYTES].split_at(CHECKED_BYTES);
            if checked[PAGE_ROWS * 64..] != place(self.info.id, number) || sum != checksum(checked)
            {
                let what = format!("page {number} is not the one that was written");
                return Err(corrupt(self.rows.path(), what));
            }
            let left = self.info.n_entries - number * PAGE_ROWS as u64;
            let n_entries = usize::try_from(left).unwrap_or(PAGE_ROWS).min(PAGE_ROWS);
            rows.copy_within(start..start + n_entries, n_rows);
            n_rows += n_entries;
        }
        rows.truncate(n_rows);
        Ok(rows)
    }

    /// The first page whose last entry is not below the key, and its entries; `None` if there is none.
    fn seek(&self, wanted: &[u8; 32]) -> Result<Option<(u64, Vec<Row>)>, StoreError> {
        seek(self.n_pages(), wanted, |page| self.pages(page..page + 1))
    }

    /// Appends the entries from the first key on, as long as `inside` holds.
    fn collect(
        &self,
        first: &[u8; 32],
        inside: impl Fn(&Row) -> bool,
        out: &mut Vec<Row>,
    ) -> Result<(), StoreError> {
        let Some((mut page, mut rows)) = self.seek(first)? else { return Ok(()) };
        loop {
            let start = rows.partition_point(|row| key(row) < first);
            let n_inside = rows[start..].iter().take_while(|row| inside(row)).count();
            out.extend_from_slice(&rows[start..start + n_inside]);
            page += 1;
            if start + n_inside < rows.len() || page == self.n_pages() {
                return Ok(());
            }
            rows = self.pages(page..page + 1)?;
        }
    }

    /// The rows from a key on, as long as `inside` holds. Long values are not read.
    pub(super) fn range(
        &self,
        first: &[u8; 32],
        inside: impl Fn(&Row) -> bool,
    ) -> Result<Vec<Row>, StoreError> {
        let mut entries = Vec::new();
        self.collect(first, inside, &mut entries)?;
        let mut rows = Vec::with_capacity(entries.len());
        let mut entries = entries.into_iter();
        while let Some(row) = entries.next() {
            if is_long(&row) {
                self.place_of(&row, entries.next())?;
            }
            rows.push(row);
        }
        Ok(rows)
    }

    /// The long value of a key, if it has one with this digest here.
    pub(super) fn long(
        &self,
        wanted: &[u8; 32],
        found: &[u8; 32],
        most: u64,
    ) -> Result<Option<Result<Bytes, u64>>, StoreError> {
        let mut entries = Vec::new();
        self.collect(wanted, |row| key(row) == wanted, &mut entries)?;
        let Some(row) = entries.first().filter(|row| is_long(row) && digest(row) == found) else {
            return Ok(None);
        };
        let locator = entries.get(1).copied();
        let (_, _, length) = self.place_of(row, locator)?;
        if length > most {
            return Ok(Some(Err(length)));
        }
        Ok(self.entry(*row, locator)?.long.map(Ok))
    }

    /// The row of a key.
    pub(super) fn find(&self, wanted: &[u8; 32]) -> Result<Option<Row>, StoreError> {
        let Some((_, rows)) = self.seek(wanted)? else { return Ok(None) };
        Ok(search(&rows, wanted, 0).ok().map(|at| rows[at]))
    }

    /// The file in which the value of a long row is, and where, from the locator behind the row.
    fn place_of(
        &self,
        row: &Row,
        locator: Option<Row>,
    ) -> Result<(&DiskFile, u64, u64), StoreError> {
        let complaint = |what: &str| corrupt(self.rows.path(), what.to_owned());
        let locator = locator.filter(|next| key(next) == key(row) && next[32] == LOCATOR);
        let locator = locator.ok_or_else(|| complaint("a long value has no place"))?;
        let number = |at: usize| locator[at..].first_chunk().map_or(0, |n| u64::from_le_bytes(*n));
        let (offset, length) = (number(33), number(41));
        let file = self.values.as_ref().filter(|_| {
            offset.checked_add(length).is_some_and(|end| end <= self.info.values_bytes)
        });
        let file = file.ok_or_else(|| complaint("a long value is nowhere"))?;
        Ok((file, offset, length))
    }

    /// A row and its value, from the locator behind it.
    fn entry(&self, row: Row, locator: Option<Row>) -> Result<Entry, StoreError> {
        if !is_long(&row) {
            return Ok(Entry { row, long: None });
        }
        let (file, offset, length) = self.place_of(&row, locator)?;
        let mut value = vec![0; usize::try_from(length).expect("checked against the file")];
        file.read_at(&mut value, offset)?;
        if value_hash(&value).0 != *digest(&row) {
            return Err(corrupt(file.path(), "a value is not the one that was written".to_owned()));
        }
        Ok(Entry { row, long: Some(Bytes::from_slice(&value)) })
    }

    /// The entries from a key on, in order.
    pub(super) fn iter_from(&self, first: &[u8; 32]) -> Result<RunIter<'_>, StoreError> {
        let (page, rows) = self.seek(first)?.unwrap_or((self.n_pages(), Vec::new()));
        let at = rows.partition_point(|row| key(row) < first);
        Ok(RunIter { run: self, page: page + 1, rows, at })
    }
}

/// The entries of a run in order.
#[derive(Debug)]
pub(super) struct RunIter<'a> {
    run: &'a Run,
    /// The next page to read.
    page: u64,
    rows: Vec<Row>,
    at: usize,
}

impl RunIter<'_> {
    fn fill(&mut self) -> Result<(), StoreError> {
        let end = (self.page + CHUNK_PAGES as u64).min(self.run.n_pages()).max(self.page);
        self.rows = self.run.pages(self.page..end)?;
        (self.page, self.at) = (end, 0);
        Ok(())
    }

    fn next_row(&mut self) -> Result<Option<Row>, StoreError> {
        if self.at == self.rows.len() {
            self.fill()?;
        }
        let row = self.rows.get(self.at).copied();
        self.at += usize::from(row.is_some());
        Ok(row)
    }

    fn next_entry(&mut self) -> Result<Option<Entry>, StoreError> {
        let Some(row) = self.next_row()? else { return Ok(None) };
        let locator = if is_long(&row) { self.next_row()? } else { None };
        self.run.entry(row, locator).map(Some)
    }
}

impl Iterator for RunIter<'_> {
    type Item = Result<Entry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_entry().transpose()
    }
}

/// Writes a run.
#[derive(Debug)]
pub(super) struct RunWriter {
    id: u64,
    rows: Output,
    values: Option<Output>,
    disk: Disk,
    values_path: PathBuf,
    page: Vec<u8>,
    n_pages: u64,
    n_entries: u64,
}

/// A file that is written from its start to its end.
#[derive(Debug)]
struct Output {
    file: DiskFile,
    buffer: Vec<u8>,
    written: u64,
}

impl Output {
    fn new(file: DiskFile) -> Self {
        Self { file, buffer: Vec::new(), written: 0 }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK_PAGES * PAGE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.file.write_at(&self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn length(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn finish(mut self) -> Result<DiskFile, StoreError> {
        self.flush()?;
        self.file.sync()?;
        Ok(self.file)
    }
}

impl RunWriter {
    pub(super) fn create(disk: &Disk, dir: &Path, id: u64) -> Result<Self, StoreError> {
        let (rows, values_path) = paths(dir, id);
        Ok(Self {
            id,
            rows: Output::new(disk.create(&rows)?),
            values: None,
            disk: disk.clone(),
            values_path,
            page: Vec::with_capacity(PAGE_BYTES),
            n_pages: 0,
            n_entries: 0,
        })
    }

    /// Adds a row whose key is above all before.
    pub(super) fn push(&mut self, row: &Row, long: Option<&[u8]>) -> Result<(), StoreError> {
        self.push_entry(row)?;
        let Some(value) = long else { return Ok(()) };
        if self.values.is_none() {
            self.values = Some(Output::new(self.disk.create(&self.values_path)?));
        }
        let values = self.values.as_mut().expect("it was made");
        let mut locator = [0; 64];
        locator[..32].copy_from_slice(key(row));
        locator[32] = LOCATOR;
        locator[33..41].copy_from_slice(&values.length().to_le_bytes());
        locator[41..49].copy_from_slice(&(value.len() as u64).to_le_bytes());
        values.push(value)?;
        self.push_entry(&locator)
    }

    fn push_entry(&mut self, entry: &Row) -> Result<(), StoreError> {
        self.page.extend_from_slice(entry);
        self.n_entries += 1;
        if self.page.len() == PAGE_ROWS * 64 { self.end_page() } else { Ok(()) }
    }

    fn end_page(&mut self) -> Result<(), StoreError> {
        self.page.resize(PAGE_ROWS * 64, 0xff);
        self.page.extend_from_slice(&place(self.id, self.n_pages));
        let checksum = checksum(&self.page);
        self.page.extend_from_slice(&checksum);
        self.page.resize(PAGE_BYTES, 0);
        self.rows.push(&self.page)?;
        self.page.clear();
        self.n_pages += 1;
        Ok(())
    }

    /// Makes the run durable; its name in the directory still has to be.
    pub(super) fn finish(mut self) -> Result<Run, StoreError> {
        if !self.page.is_empty() {
            self.end_page()?;
        }
        let values_bytes = self.values.as_ref().map_or(0, Output::length);
        let info = RunInfo { id: self.id, n_entries: self.n_entries, values_bytes };
        let rows = self.rows.finish()?;
        let values = self.values.map(Output::finish).transpose()?;
        // A run of empty values has a file that says nothing.
        Ok(Run { info, rows, values: values.filter(|_| values_bytes > 0) })
    }
}

/// The first of some pages whose last entry is not below a key, and its entries; `None` if there is none.
///
/// A first guess is off by the square root of the rows, about: by 8 pages of a million rows. From the keys found there the next one is off
/// by the square root of that. Somebody may have looked for keys that spoil guesses, so after some the rest is halved.
///
/// Source: Perl, Itai, Avni, "Interpolation search: a log log N search" (1978).
fn seek(
    n_pages: u64,
    wanted: &[u8; 32],
    mut read: impl FnMut(u64) -> Result<Vec<Row>, StoreError>,
) -> Result<Option<(u64, Vec<Row>)>, StoreError> {
    const GUESSES: usize = 8;
    // In how many pages there would be what is between two keys, the lower one first.
    let between = |from: &[u8; 32], to: &[u8; 32]| {
        let distance = u128::from(first_bytes(to).saturating_sub(first_bytes(from)));
        u64::try_from((distance * u128::from(n_pages)) >> 64).expect("a part of the pages")
    };
    let (mut low, mut high) = (0, n_pages);
    let mut at = between(&[0; 32], wanted);
    let mut n_guesses = 0;
    // The page at `high`, if it was read.
    let mut found = None;
    while low < high {
        let page = read(at)?;
        let (Some(first), Some(last)) = (page.first(), page.last()) else { break };
        if key(last) < wanted {
            low = at + 1;
            at = low + between(key(last), wanted);
        } else if key(first) >= wanted {
            high = at;
            at = at.saturating_sub(1 + between(wanted, key(first)));
            found = Some((high, page));
        } else {
            return Ok(Some((at, page)));
        }
        n_guesses += 1;
        at = if n_guesses < GUESSES {
            at.min(high.saturating_sub(1)).max(low)
        } else {
            (low + high) / 2
        };
    }
    Ok(found)
}

/// What a page says of itself: its run, and its number there.
fn place(id: u64, page: u64) -> [u8; 16] {
    let mut place = [0; 16];
    place[..8].copy_from_slice(&id.to_le_bytes());
    place[8..].copy_from_slice(&page.to_le_bytes());
    place
}

fn checksum(bytes: &[u8]) -> [u8; 16] {
    twox_hash::XxHash3_128::oneshot(bytes).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::KeyHash;

    /// Rows of a page, of so many keys in order.
    fn pages(mut keys: Vec<[u8; 32]>) -> Vec<Vec<Row>> {
        keys.sort_unstable();
        let row = |key: &[u8; 32]| super::super::row::row(&KeyHash(*key), &[0; 32]);
        keys.chunks(PAGE_ROWS).map(|keys| keys.iter().map(row).collect()).collect()
    }

    /// Seeks keys, and says how often a page was read at most, and in the mean.
    fn reads(pages: &[Vec<Row>], wanted: impl Iterator<Item = [u8; 32]>) -> (usize, f64) {
        let (mut most, mut sum, mut n_wanted) = (0, 0, 0);
        for wanted in wanted {
            let mut n_reads = 0;
            let read = |at: u64| {
                n_reads += 1;
                Ok(pages[usize::try_from(at).unwrap()].clone())
            };
            let found = seek(pages.len() as u64, &wanted, read).unwrap();
            let expected = pages.partition_point(|page| *key(page.last().unwrap()) < wanted);
            assert_eq!(found.map(|(at, _)| at), pages.get(expected).map(|_| expected as u64));
            (most, sum, n_wanted) = (most.max(n_reads), sum + n_reads, n_wanted + 1);
        }
        #[expect(clippy::cast_precision_loss, reason = "a mean needs few digits")]
        let mean = sum as f64 / f64::from(n_wanted);
        (most, mean)
    }

    fn hashed(number: u32) -> [u8; 32] {
        *blake3::hash(&number.to_le_bytes()).as_bytes()
    }

    #[test]
    fn a_page_is_found_with_few_reads_however_keys_are_spread() {
        const N_KEYS: u32 = 300_000;
        let even = pages((0..N_KEYS).map(hashed).collect());
        let (most, mean) = reads(&even, (N_KEYS - 1000..N_KEYS + 1000).map(hashed));
        assert!(most <= 8 && mean < 3.0, "{most} reads at most, {mean} in the mean");
        // All but one begin alike, and differ late.
        let alike = |number: u32| {
            let mut key = [7; 32];
            key[28..].copy_from_slice(&number.to_be_bytes());
            key
        };
        let crowded = pages((0..N_KEYS).map(alike).chain([[255; 32]]).collect());
        let wanted = (0..N_KEYS).step_by(100).map(alike).chain([[0; 32], [254; 32], [255; 32]]);
        let (most, _) = reads(&crowded, wanted);
        // Thirteen halve 4,763 pages.
        assert!(most <= 8 + 13, "{most} reads");
        assert!(seek(0, &[1; 32], |_| unreachable!()).unwrap().is_none());
    }
}
