//! The block log: what is acknowledged is in it.
//!
//! Determinism lets the ordered transactions be the log: everything else follows from them, so one
//! write and one sync for each block make the block durable.
//!
//! # Files
//!
//! Segments `<number>.log` of about 64 MiB, whose space is taken ahead, so that a sync need not write
//! the file system's own tables. A record does not cross into the next segment. Where a segment ends, a mark says that
//! there is a next one, so that the last segment cannot be lost unseen. The mark is made when the next segment is there.
//!
//! ```text
//! header    magic (4) | kind (1) | zeros (3) | length of the body (8) | height (8) | durable (8)
//!           | checksum of the body (24) | checksum of the header (8)
//! body      as long as the header says, then zeros to a multiple of 64 bytes
//! ```
//! Numbers are little endian, checksums keyed blake3; the key for headers is in the file `key` and is
//! another one for each log, because the bytes of a body are chosen by others. The record of height 0 is the first of segment
//! 0, and heights follow each other. `durable` is the height up to which all records were known to be
//! on the disk when this one was written.
//!
//! # Crashes and damage
//!
//! A record that is torn was never acknowledged, and it is the last: nothing is written behind a record
//! before that is synced, except the records of one group, which are written together and say so in
//! `durable`. So a broken record is cut off if nothing behind it says that it was durable, and is
//! damage otherwise. Damage to the last record alone cannot be told from a torn one, except after a
//! clean end, which leaves a mark behind it.
//!
//! A failed write or sync stops the log: what is on the disk then is known only after opening it again.

mod record;
mod salvage;
mod scan;

use std::path::{Path, PathBuf};

use super::disk::{Disk, DiskFile, corrupt};
use super::error::StoreError;
use record::{ALIGN, Header, Kind, body_sum, padded};
pub(super) use salvage::{Damage, Salvage};

/// The bytes of a segment, unless one record is longer. Unit tests have some of them.
const SEGMENT_BYTES: u64 = if cfg!(test) { 1 << 10 } else { 64 << 20 };

/// The space that a new segment takes at first; it doubles until the segment is full.
const FIRST_SPACE_BYTES: u64 = if cfg!(test) { 1 << 8 } else { 256 << 10 };

/// A log of records by height, open for appending.
#[derive(Debug)]
pub(super) struct Log {
    disk: Disk,
    dir: PathBuf,
    segments: Vec<Segment>,
    /// Where the record of each height is.
    places: Vec<Place>,
    /// Where the next record goes in the last segment.
    end: u64,
    /// How many records are durable.
    n_durable: u64,
    stopped: bool,
    buffer: Vec<u8>,
    /// What headers are checked with, so that no contents of a body can pass for a header.
    key: [u8; 32],
}

#[derive(Debug)]
struct Segment {
    file: DiskFile,
    /// The bytes for which there is space.
    space: u64,
}

/// Where a record is.
#[derive(Clone, Copy, Debug)]
struct Place {
    segment: u32,
    offset: u64,
}

/// The file of the key with which headers are checked.
const KEY_FILE: &str = "key";

/// A key that nobody outside can guess. It shows in no result.
fn fresh_key() -> [u8; 32] {
    use std::hash::{BuildHasher, RandomState};
    let mut hasher = blake3::Hasher::new();
    for number in 0..4u8 {
        hasher.update(&RandomState::new().hash_one(number).to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

fn read_key(disk: &Disk, dir: &Path) -> Result<[u8; 32], StoreError> {
    let mut key = [0; 32];
    disk.open(&dir.join(KEY_FILE))?.read_at(&mut key, 0)?;
    Ok(key)
}

fn segment_path(dir: &Path, number: usize) -> PathBuf {
    dir.join(format!("{number:08}.log"))
}

impl Log {
    /// A log without records in a directory that has none.
    pub(super) fn create(disk: &Disk, dir: PathBuf) -> Result<Self, StoreError> {
        disk.create_dir(&dir)?;
        let key = fresh_key();
        disk.replace(&dir.join(KEY_FILE), &key)?;
        let mut log = Self::without_segments(disk, dir, key);
        log.add_segment()?;
        Ok(log)
    }

    fn without_segments(disk: &Disk, dir: PathBuf, key: [u8; 32]) -> Self {
        Self {
            disk: disk.clone(),
            dir,
            segments: Vec::new(),
            places: Vec::new(),
            end: 0,
            n_durable: 0,
            stopped: false,
            buffer: Vec::new(),
            key,
        }
    }

    /// Opens a log of which at least `n_required` records were durable, and checks the bodies of the others;
    /// those are only checked for being there. A torn end is cut off.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when a record is damaged that was acknowledged; the files are as they were then.
    pub(super) fn open(disk: &Disk, dir: PathBuf, n_required: u64) -> Result<Self, StoreError> {
        let key = read_key(disk, &dir)?;
        scan::open(Self::without_segments(disk, dir, key), n_required)
    }

    /// How many records there are: one more than the greatest height.
    pub(super) fn n_records(&self) -> u64 {
        self.places.len() as u64
    }

    /// Writes the records of the next heights, which are the concatenated parts. They are durable
    /// after [`sync`](Self::sync).
    pub(super) fn append(&mut self, records: &[&[&[u8]]]) -> Result<(), StoreError> {
        self.check_usable()?;
        self.stopped = true;
        for parts in records {
            self.append_one(parts)?;
        }
        self.write_buffer()?;
        self.stopped = false;
        Ok(())
    }

    fn append_one(&mut self, parts: &[&[u8]]) -> Result<(), StoreError> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let record_bytes = ALIGN as u64 + padded(length as u64);
        let pending = self.buffer.len() as u64;
        // One record is in every segment, however long it is.
        if self.end + pending + record_bytes > SEGMENT_BYTES && self.end + pending > 0 {
            self.write_buffer()?;
            // Records behind the end of a segment say that those before are durable only if they are.
            self.last().file.sync()?;
            let end = self.end;
            self.add_segment()?;
            self.mark(Kind::Next, self.segments.len() - 2, end)?;
        }
        let header = Header {
            kind: Kind::Record,
            length: length as u64,
            height: self.n_records(),
            n_durable: self.n_durable,
            sum: body_sum(parts),
        };
        let offset = self.end + self.buffer.len() as u64;
        let segment = u32::try_from(self.segments.len() - 1).expect("segments are counted in u32");
        self.buffer.extend_from_slice(&header.encode(&self.key));
        parts.iter().for_each(|part| self.buffer.extend_from_slice(part));
        self.buffer.resize(self.buffer.len().next_multiple_of(ALIGN), 0);
        self.places.push(Place { segment, offset });
        Ok(())
    }

    fn write_buffer(&mut self) -> Result<(), StoreError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let end = self.end + self.buffer.len() as u64;
        let segment = self.segments.last_mut().expect("there is always one");
        if end > segment.space {
            let space = (segment.space * 2).clamp(FIRST_SPACE_BYTES, SEGMENT_BYTES).max(end);
            segment.file.preallocate(space)?;
            segment.space = space;
        }
        segment.file.write_at(&self.buffer, self.end)?;
        self.end = end;
        self.buffer.clear();
        Ok(())
    }

    /// Makes all records durable.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        self.check_usable()?;
        // After a failed sync the system may have dropped what it could not write.
        self.stopped = true;
        self.last().file.sync()?;
        self.n_durable = self.n_records();
        self.stopped = false;
        Ok(())
    }

    /// The record of a height, checked.
    pub(super) fn read(&self, height: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let place = usize::try_from(height).ok().and_then(|height| self.places.get(height));
        let Some(place) = place else { return Ok(None) };
        let file = &self.segments[place.segment as usize].file;
        let damaged = || corrupt(file.path(), format!("the record of height={height} is damaged"));
        let mut header = [0; ALIGN];
        file.read_at(&mut header, place.offset)?;
        let header = Header::decode(&header, &self.key).filter(|header| header.height == height);
        let header = header.ok_or_else(damaged)?;
        let length = usize::try_from(header.length).map_err(|_| damaged())?;
        if place.offset + ALIGN as u64 + header.length > file.len()? {
            return Err(damaged());
        }
        let mut body = vec![0; length];
        file.read_at(&mut body, place.offset + ALIGN as u64)?;
        if body_sum(&[&body]) != header.sum {
            return Err(damaged());
        }
        Ok(Some(body))
    }

    /// Forgets the records from a height on.
    pub(super) fn truncate(&mut self, height: u64) -> Result<(), StoreError> {
        let Some(&place) = usize::try_from(height).ok().and_then(|at| self.places.get(at)) else {
            return Ok(());
        };
        while self.segments.len() - 1 > place.segment as usize {
            let segment = self.segments.pop().expect("there is more than one");
            self.disk.remove(segment.file.path())?;
        }
        self.places.truncate(usize::try_from(height).expect("it is the position of a place"));
        self.cut(place.offset)
    }

    /// Removes what is behind the last record.
    fn cut(&mut self, end: u64) -> Result<(), StoreError> {
        self.end = end;
        self.n_durable = self.n_records();
        let segment = self.segments.last_mut().expect("there is always one");
        segment.file.set_len(end)?;
        segment.space = end;
        segment.file.sync()
    }

    /// Marks a clean end, behind which nothing was being written, and gives back space that was taken
    /// ahead. The log takes further records.
    pub(super) fn mark_end(&mut self) -> Result<(), StoreError> {
        self.check_usable()?;
        self.mark(Kind::End, self.segments.len() - 1, self.end)
    }

    /// Marks the end of a segment, behind which no records of it follow. All records so far must be durable.
    fn mark(&mut self, kind: Kind, segment: usize, end: u64) -> Result<(), StoreError> {
        let height = self.n_records();
        let header = Header { kind, length: 0, height, n_durable: height, sum: [0; 24] };
        let header = header.encode(&self.key);
        let segment = &mut self.segments[segment];
        segment.file.write_at(&header, end)?;
        segment.space = end + ALIGN as u64;
        segment.file.set_len(segment.space)?;
        segment.file.sync()
    }

    fn last(&self) -> &Segment {
        self.segments.last().expect("there is always one")
    }

    fn add_segment(&mut self) -> Result<(), StoreError> {
        let file = self.disk.create(&segment_path(&self.dir, self.segments.len()))?;
        self.disk.sync_dir(&self.dir)?;
        self.segments.push(Segment { file, space: 0 });
        self.end = 0;
        Ok(())
    }

    /// # Errors
    /// [`StoreError::Stopped`] when a write or a sync has failed.
    pub(super) fn check_usable(&self) -> Result<(), StoreError> {
        if self.stopped { Err(StoreError::Stopped { path: self.dir.clone() }) } else { Ok(()) }
    }
}
