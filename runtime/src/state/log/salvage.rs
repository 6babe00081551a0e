//! Reading what is left of a damaged log, without changing it.
//!
//! A record counts as whole if its body has the checksum that stands where its header is, whatever else of the
//! header or of the file `key` is damaged. What a body says is for the chain to check.

use std::path::PathBuf;

use super::record::{ALIGN, Header, Kind, padded};
use super::scan::{Found, evidence, is_whole, open_segments};
use super::{Log, Place, Segment, read_key, segment_path};
use crate::state::disk::{Disk, corrupt};
use crate::state::error::StoreError;

/// The whole records of a log, from the first one on.
#[derive(Debug)]
pub(in crate::state) struct Salvage {
    log: Log,
    damage: Option<Damage>,
}

/// The first record that is lost although it was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Its height.
    pub(crate) height: u64,
    /// The file where it is, or should be.
    pub(crate) path: PathBuf,
}

/// Where the whole records end.
struct End {
    segment: usize,
    offset: u64,
    /// What stands there.
    found: Found,
}

impl Log {
    /// Finds the whole records of a log that had at least `n_required`. The files stay as they are.
    ///
    /// Where the key is lost nothing tells a torn end from damage, and it counts as damage.
    ///
    /// # Errors
    /// [`StoreError::Missing`] without a first segment, and [`StoreError::Io`].
    pub(in crate::state) fn salvage(
        disk: &Disk,
        dir: PathBuf,
        n_required: u64,
    ) -> Result<Salvage, StoreError> {
        let key = read_key(disk, &dir);
        let mut log = Self::without_segments(disk, dir, key.as_ref().copied().unwrap_or_default());
        let gap = open_segments(&mut log)?;
        // A key that does not fit the first header is damaged, or that header is.
        let is_key_good = key.is_ok() && log.segments[0].space >= ALIGN as u64 && {
            let mut bytes = [0; ALIGN];
            log.segments[0].file.read_at(&mut bytes, 0)?;
            Header::decode(&bytes, &log.key).is_some()
        };
        let end = find_whole(&mut log, is_key_good)?;
        let height = log.n_records();
        let is_broken = matches!(end.found, Found::Broken);
        let is_damaged =
            is_broken && !is_key_good || evidence(&log, end.segment, end.offset, height)?.is_some();
        let next = segment_path(&log.dir, log.segments.len());
        let gap = gap.or_else(|| matches!(end.found, Found::Next).then_some(next));
        let path = match gap {
            Some(gap) if !is_broken && !is_damaged => Some(gap),
            None if !is_damaged && height >= n_required => None,
            _ => Some(segment_path(&log.dir, end.segment)),
        };
        Ok(Salvage { log, damage: path.map(|path| Damage { height, path }) })
    }
}

impl Salvage {
    /// How many whole records there are from the first one on.
    pub(in crate::state) fn n_records(&self) -> u64 {
        self.log.n_records()
    }

    /// What is lost behind them.
    pub(in crate::state) fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// A whole record, checked again.
    pub(in crate::state) fn read(&self, height: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let place = usize::try_from(height).ok().and_then(|at| self.log.places.get(at));
        let Some(place) = place else { return Ok(None) };
        let file = &self.log.segments[place.segment as usize].file;
        let mut bytes = [0; ALIGN];
        file.read_at(&mut bytes, place.offset)?;
        let header = Header::guess(&bytes);
        let changed = || corrupt(file.path(), format!("the record of height={height} changed"));
        if header.length > file.len()? || !is_whole(file, place.offset, &header)? {
            return Err(changed());
        }
        let mut body = vec![0; usize::try_from(header.length).map_err(|_| changed())?];
        file.read_at(&mut body, place.offset + ALIGN as u64)?;
        Ok(Some(body))
    }
}

fn find_whole(log: &mut Log, is_key_good: bool) -> Result<End, StoreError> {
    for segment in 0..log.segments.len() {
        let mut offset = 0;
        while let Some(length) =
            whole_record(&log.segments[segment], &log.key, offset, log.places.len() as u64)?
        {
            let number = u32::try_from(segment).expect("segments are counted in u32");
            log.places.push(Place { segment: number, offset });
            offset += ALIGN as u64 + padded(length);
        }
        let height = log.places.len() as u64;
        let found = find_end(&log.segments[segment], log, offset, height, is_key_good)?;
        if matches!(found, Found::Broken) || segment + 1 == log.segments.len() {
            return Ok(End { segment, offset, found });
        }
    }
    unreachable!("the last segment has an end")
}

/// The header at a place, if there is room for one.
fn header_at(segment: &Segment, offset: u64) -> Result<Option<[u8; ALIGN]>, StoreError> {
    if segment.space.saturating_sub(offset) < ALIGN as u64 {
        return Ok(None);
    }
    let mut bytes = [0; ALIGN];
    segment.file.read_at(&mut bytes, offset)?;
    Ok(Some(bytes))
}

/// The length of the record at a place, if one is there that is whole and not that of another height.
fn whole_record(
    segment: &Segment,
    key: &[u8; 32],
    offset: u64,
    height: u64,
) -> Result<Option<u64>, StoreError> {
    let Some(bytes) = header_at(segment, offset)? else { return Ok(None) };
    let checked = Header::decode(&bytes, key);
    if checked.is_some_and(|header| header.height != height || header.kind != Kind::Record) {
        return Ok(None);
    }
    let header = Header::guess(&bytes);
    let is_inside = header.length <= segment.space - offset - ALIGN as u64;
    let is_record = is_inside && is_whole(&segment.file, offset, &header)?;
    Ok(is_record.then_some(header.length))
}

/// How a segment ends at a place behind its records: with nothing, with zeros, with a mark, or broken.
fn find_end(
    segment: &Segment,
    log: &Log,
    offset: u64,
    height: u64,
    is_key_good: bool,
) -> Result<Found, StoreError> {
    let Some(bytes) = header_at(segment, offset)? else {
        return Ok(if segment.space <= offset { Found::End } else { Found::Broken });
    };
    let header = if is_key_good {
        Header::decode(&bytes, &log.key)
    } else {
        Some(Header::guess(&bytes)).filter(|header| header.length == 0)
    };
    Ok(match header.filter(|header| header.height == height).map(|header| header.kind) {
        Some(Kind::End) => Found::End,
        Some(Kind::Next) => Found::Next,
        _ if bytes == [0; ALIGN] => Found::End,
        _ => Found::Broken,
    })
}
