//! Rows as they are kept: 64 bytes, the leaf of the state tree.
//!
//! ```text
//! bytes   what
//! 0..32   key hash
//! 32..64  the value's digest: see `value_hash`
//! ```
//! A value of up to 31 bytes is its digest, so a row of a balance is one cache line with everything
//! in it. A longer value is kept beside the rows, and its digest is a hash.

use std::cmp::Ordering;

use kempe_abi::Hash;

use super::hash::{DIGEST_IS_HASH, value_hash};
use crate::types::{Bytes, KeyHash, first_bytes, hash_order};

/// Key hash and digest.
pub(crate) type Row = [u8; 64];

/// The digest of a cell that lost its value, where changes are kept. No value has it: the first byte
/// is above every length, and below every hash.
pub(super) const REMOVED: [u8; 32] = {
    let mut digest = [0; 32];
    digest[0] = 0x40;
    digest
};

/// A row of its parts.
pub(super) fn row(key: &KeyHash, digest: &[u8; 32]) -> Row {
    let mut row = [0; 64];
    row[..32].copy_from_slice(&key.0);
    row[32..].copy_from_slice(digest);
    row
}

/// The row that a change leads to, which may say that there is none.
pub(crate) fn changed(key: &KeyHash, value: Option<&[u8]>) -> Row {
    row(key, &value.map_or(REMOVED, |value| value_hash(value).0))
}

/// The key's hash.
pub(super) fn key(row: &Row) -> &[u8; 32] {
    row.first_chunk().expect("64 bytes have 32")
}

/// The value's digest.
pub(super) fn digest(row: &Row) -> &[u8; 32] {
    row.last_chunk().expect("64 bytes have 32")
}

/// The digest as a hash.
pub(super) fn digest_hash(row: &Row) -> Hash {
    Hash(*digest(row))
}

/// Whether the row stands for a cell that lost its value.
pub(super) fn is_removed(row: &Row) -> bool {
    row[32] == REMOVED[0]
}

/// Whether the value is kept beside the row.
pub(super) fn is_long(row: &Row) -> bool {
    row[32] & DIGEST_IS_HASH != 0
}

/// The value, if it is in the row.
pub(super) fn short_value(row: &Row) -> Option<&[u8]> {
    let length = usize::from(row[32]);
    row[33..].get(..length)
}

/// The value, if it is in the row.
pub(super) fn short_bytes(row: &Row) -> Option<Bytes> {
    short_value(row).map(Bytes::from_slice)
}

/// The position of a key in rows by ascending key hash, or where it would be. The rows are those of
/// key hashes whose first `skipped` bits are equal, at most 32.
///
/// Key hashes are spread evenly, so a guess in proportion is off by a row or two, which are beside
/// it in memory. That is one access to memory instead of the four of a binary search, which takes
/// over if somebody ground keys to make guesses bad.
pub(super) fn search(rows: &[Row], key: &[u8; 32], skipped: u32) -> Result<usize, usize> {
    const STEPS: usize = 8;
    let (mut low, mut high) = (0, rows.len());
    let mut at = guess(rows.len(), key, skipped);
    for _ in 0..STEPS {
        if low == high {
            return Err(low);
        }
        match hash_order(self::key(&rows[at]), key) {
            Ordering::Equal => return Ok(at),
            Ordering::Less => {
                low = at + 1;
                at = low;
            }
            Ordering::Greater => {
                high = at;
                at = at.saturating_sub(1);
            }
        }
    }
    rows[low..high]
        .binary_search_by(|row| hash_order(self::key(row), key))
        .map(|row| low + row)
        .map_err(|row| low + row)
}

/// Where a key would be among `n_rows` if they were spread perfectly.
pub(super) fn guess(n_rows: usize, key: &[u8; 32], skipped: u32) -> usize {
    let fraction = first_bytes(key) << skipped >> 32;
    let product = u128::from(fraction) * n_rows as u128;
    usize::try_from(product >> 32).expect("less than the number of rows")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_finds_every_place_however_keys_are_spread() {
        // Evenly spread, all at the low end, all at the high end.
        let even = |i: u16| i * 300 + 7;
        let spreads: [&dyn Fn(u16) -> u16; 3] = [&even, &|i| i * 2, &|i| u16::MAX - 400 + i * 2];
        for (spread, n_rows) in spreads.into_iter().flat_map(|s| [(s, 0), (s, 1), (s, 200)]) {
            let hash = |low: u16| {
                let mut hash = [0; 32];
                hash[2..4].copy_from_slice(&low.to_be_bytes());
                hash
            };
            let rows: Vec<_> =
                (0..n_rows).map(|i| row(&KeyHash(hash(spread(i))), &[0; 32])).collect();
            for low in 0..=u16::MAX {
                let expected = rows.binary_search_by(|row| key(row).cmp(&hash(low)));
                assert_eq!(search(&rows, &hash(low), 16), expected, "low={low} n_rows={n_rows}");
            }
        }
    }

    #[test]
    fn digests_tell_values_from_hashes_and_from_nothing() {
        let key = KeyHash([9; 32]);
        for length in 0..80 {
            let value = vec![0x40; length];
            let row = changed(&key, Some(&value));
            assert_eq!(is_long(&row), length > 31, "length={length}");
            assert_eq!(short_value(&row), (length <= 31).then_some(&value[..]));
            assert!(!is_removed(&row) || is_long(&row), "length={length}");
        }
        let removed = changed(&key, None);
        assert!(is_removed(&removed) && !is_long(&removed) && short_value(&removed).is_none());
    }
}
