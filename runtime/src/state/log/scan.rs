//! Opening a log: finding its records, and telling a torn end from damage.

use std::fs;
use std::path::PathBuf;

use super::record::{ALIGN, Header, Kind, body_sum, padded};
use super::{Log, Place, Segment, segment_path};
use crate::state::disk::{DiskFile, corrupt, io_error};
use crate::state::error::StoreError;

/// What is read at once in search of a header.
const CHUNK_BYTES: usize = 1 << 20;

/// What stands at a place of a segment.
pub(super) enum Found {
    Record {
        length: u64,
    },
    /// A clean end, or the end of what the segment holds.
    End,
    /// The mark that there is a next segment.
    Next,
    Broken,
}

pub(super) fn open(mut log: Log, n_required: u64) -> Result<Log, StoreError> {
    if let Some(missing) = open_segments(&mut log)? {
        return Err(corrupt(&missing, "it is missing, and there is one behind it".to_owned()));
    }
    let (segment, end) = find_records(&mut log, n_required)?;
    let n_records = log.n_records();
    if n_records < n_required {
        let what = format!("the record of height={n_records} is damaged");
        return Err(corrupt(log.segments[segment].file.path(), what));
    }
    if let Some(what) = evidence(&log, segment, end, n_records)? {
        return Err(corrupt(log.segments[segment].file.path(), what));
    }
    while log.segments.len() > segment + 1 {
        let behind = log.segments.pop().expect("there is more than one");
        log.disk.remove(behind.file.path())?;
    }
    log.end = end;
    log.n_durable = n_records;
    // What was torn must not be taken for a record when others stand before it.
    if log.last().space > end + ALIGN as u64 {
        log.cut(end)?;
    }
    Ok(log)
}

/// Opens the segments from the first one on; gives the path of one that is missing before others.
pub(super) fn open_segments(log: &mut Log) -> Result<Option<PathBuf>, StoreError> {
    while segment_path(&log.dir, log.segments.len()).exists() {
        let file = log.disk.open(&segment_path(&log.dir, log.segments.len()))?;
        let space = file.len()?;
        log.segments.push(Segment { file, space });
    }
    let n_there = log.segments.len();
    for entry in fs::read_dir(&log.dir).map_err(io_error("list", &log.dir))? {
        let path = entry.map_err(io_error("list", &log.dir))?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let number: Option<usize> = stem.and_then(|stem| stem.parse().ok());
        if number.is_some_and(|number| number > n_there && segment_path(&log.dir, number) == path) {
            return Ok(Some(segment_path(&log.dir, n_there)));
        }
    }
    if n_there == 0 {
        return Err(StoreError::Missing { path: segment_path(&log.dir, 0) });
    }
    Ok(None)
}

/// Notes the place of each record, in order; gives where the next one would be.
fn find_records(log: &mut Log, checked_from: u64) -> Result<(usize, u64), StoreError> {
    for number in 0..log.segments.len() {
        let mut offset = 0;
        loop {
            let height = log.places.len() as u64;
            let is_checked = height >= checked_from;
            match look(&log.segments[number], &log.key, offset, height, is_checked)? {
                Found::Record { length } => {
                    let segment = u32::try_from(number).expect("segments are counted in u32");
                    log.places.push(Place { segment, offset });
                    offset += ALIGN as u64 + padded(length);
                }
                Found::End | Found::Next if number + 1 < log.segments.len() => break,
                Found::Next => {
                    let missing = segment_path(&log.dir, number + 1);
                    return Err(corrupt(
                        &missing,
                        "it is missing, and was the last one".to_owned(),
                    ));
                }
                Found::End | Found::Broken => return Ok((number, offset)),
            }
        }
    }
    unreachable!("the last segment has an end")
}

fn look(
    segment: &Segment,
    key: &[u8; 32],
    offset: u64,
    height: u64,
    is_checked: bool,
) -> Result<Found, StoreError> {
    let left = segment.space.saturating_sub(offset);
    if left < ALIGN as u64 {
        return Ok(if left == 0 { Found::End } else { Found::Broken });
    }
    let mut bytes = [0; ALIGN];
    segment.file.read_at(&mut bytes, offset)?;
    if bytes == [0; ALIGN] {
        return Ok(Found::End);
    }
    let Some(header) = Header::decode(&bytes, key).filter(|header| header.height == height) else {
        return Ok(Found::Broken);
    };
    match header.kind {
        Kind::Record => {}
        Kind::End => return Ok(Found::End),
        Kind::Next => return Ok(Found::Next),
    }
    let is_inside = header.length <= left - ALIGN as u64;
    if !is_inside || is_checked && !is_whole(&segment.file, offset, &header)? {
        return Ok(Found::Broken);
    }
    Ok(Found::Record { length: header.length })
}

pub(super) fn is_whole(file: &DiskFile, offset: u64, header: &Header) -> Result<bool, StoreError> {
    let mut body = vec![0; usize::try_from(header.length).expect("it is inside the file")];
    file.read_at(&mut body, offset + ALIGN as u64)?;
    Ok(body_sum(&[&body]) == header.sum)
}

/// What says that the record that is not at this place was durable: a header behind it.
pub(super) fn evidence(
    log: &Log,
    first: usize,
    offset: u64,
    height: u64,
) -> Result<Option<String>, StoreError> {
    for (number, segment) in log.segments.iter().enumerate().skip(first) {
        let mut at = if number == first { offset } else { 0 };
        while at < segment.space {
            let left = usize::try_from(segment.space - at).unwrap_or(CHUNK_BYTES);
            let mut bytes = vec![0; left.min(CHUNK_BYTES)];
            segment.file.read_at(&mut bytes, at)?;
            let (blocks, _) = bytes.as_chunks::<ALIGN>();
            let later = |block: &[u8; ALIGN]| {
                Header::decode(block, &log.key).is_some_and(|header| header.n_durable > height)
            };
            if blocks.iter().any(later) {
                return Ok(Some(format!("the record of height={height} is damaged")));
            }
            at += bytes.len() as u64;
        }
    }
    Ok(None)
}
