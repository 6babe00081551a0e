//! The encodings of rows and records; the layout stands in the parent module.

use kempe_abi::Hash;
use redb::StorageError;

use crate::state::store::{Row, RowKey, StateChange};
use crate::types::KeyHash;

/// The blake3 key for the checksums of records.
const CHECKSUM_KEY: [u8; 32] = *b"kempe store 2026: checksum      ";

/// Contract, field and key length: what stands between a row's value hash and its key.
const ROW_HEAD_BYTES: usize = 32 + 32 + 1 + 4;

/// Writes what the table holds for a row.
pub(super) fn encode_row(
    change: &StateChange,
    value: &[u8],
    value_hash: &Hash,
    row: &mut Vec<u8>,
) -> Result<(), StorageError> {
    let key = change.key();
    let length = u32::try_from(key.key.len());
    let length = length.map_err(|_| StorageError::ValueTooLarge(key.key.len()))?;
    row.clear();
    row.extend_from_slice(&value_hash.0);
    row.extend_from_slice(&key.contract.0);
    row.push(key.field);
    row.extend_from_slice(&length.to_le_bytes());
    row.extend_from_slice(&key.key);
    row.extend_from_slice(value);
    Ok(())
}

/// The table's name in a checksum.
pub(super) const BLOCK_TAG: u8 = b'b';
/// The table's name in a checksum.
pub(super) const TX_TAG: u8 = b't';
/// The table's name in a checksum.
pub(super) const META_TAG: u8 = b'm';

fn checksum(tag: u8, key: &[u8], body: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new_keyed(&CHECKSUM_KEY);
    // One table's keys that vary in length stand alone under their tag, with the length before.
    let key_bytes = u64::try_from(key.len()).expect("lengths fit 64 bits");
    hasher.update(&[tag]).update(&key_bytes.to_le_bytes()).update(key).update(body);
    let mut checksum = [0; 8];
    hasher.finalize_xof().fill(&mut checksum);
    checksum
}

/// A record as it is stored: checksum and body.
pub(super) fn seal(tag: u8, key: &[u8], body: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(8 + body.len());
    record.extend_from_slice(&checksum(tag, key, body));
    record.extend_from_slice(body);
    record
}

/// The body of a stored record, or `None` if it is not what was stored.
pub(super) fn unseal<'a>(tag: u8, key: &[u8], record: &'a [u8]) -> Option<&'a [u8]> {
    let (sum, body) = record.split_first_chunk::<8>()?;
    (checksum(tag, key, body) == *sum).then_some(body)
}

/// The row in what the table holds, or `None` if it is cut short.
pub(super) fn decode_row<'a>(hash: &KeyHash, bytes: &'a [u8]) -> Option<Row<'a>> {
    let (head, rest) = bytes.split_first_chunk::<ROW_HEAD_BYTES>()?;
    let length = u32::from_le_bytes([head[65], head[66], head[67], head[68]]);
    let (key, value) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some(Row {
        hash: *hash,
        value_hash: Hash(head[..32].try_into().ok()?),
        value,
        key: RowKey::Parts(head[32..64].try_into().ok()?, head[64], key),
    })
}
