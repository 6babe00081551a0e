//! The hashes of the state tree.

use kempe_abi::Hash;

use super::row::Row;
use crate::types::lanes::{key_words, keyed_hash_many, keyed_hash_runs};

/// A bucket or a node; all zero if there is nothing below it.
pub(super) type NodeHash = [u8; 32];

/// What stands for a bucket without rows, and for a node above such buckets only.
pub(super) const EMPTY: NodeHash = [0; 32];

/// The blake3 key for values.
pub(super) const VALUE_KEY: [u8; 32] = *b"kempe state tree 2026: value    ";
/// The blake3 key for buckets.
pub(super) const BUCKET_KEY: [u8; 32] = *b"kempe state tree 2026: bucket   ";
/// The blake3 key for nodes.
pub(super) const NODE_KEY: [u8; 32] = *b"kempe state tree 2026: node     ";

/// The bit of a digest's first byte that says that it is a hash and not the value itself.
pub(super) const DIGEST_IS_HASH: u8 = 0x80;

/// The most bytes of a value that is its own digest.
pub(super) const SHORT_VALUE_BYTES: usize = 31;

/// What stands for a value in the state tree.
///
/// A value of up to 31 bytes stands for itself: its length in one byte, the value, and zeros. A
/// longer one is hashed with keyed blake3, and the first bit is set, so that none can pass for the
/// other. That costs one of 256 bits, and saves hashing balances and counters at all.
#[must_use]
pub fn value_hash(value: &[u8]) -> Hash {
    let mut digest = [0; 32];
    match u8::try_from(value.len()) {
        Ok(length) if value.len() <= SHORT_VALUE_BYTES => {
            digest[0] = length;
            digest[1..=value.len()].copy_from_slice(value);
        }
        _ => {
            digest = *blake3::keyed_hash(&VALUE_KEY, value).as_bytes();
            digest[0] |= DIGEST_IS_HASH;
        }
    }
    Hash(digest)
}

/// Whether all children are empty.
fn is_empty(children: &[u8]) -> bool {
    children.iter().all(|&byte| byte == 0)
}

/// Appends the hashes of nodes, given by their children; of a node without children, [`EMPTY`].
pub(super) fn node_hashes(nodes: &[[u8; 512]], out: &mut Vec<NodeHash>) {
    let full: Vec<&[u8; 512]> = nodes.iter().filter(|node| !is_empty(&node[..])).collect();
    let mut hashes = vec![EMPTY; full.len()];
    keyed_hash_many(&key_words(&NODE_KEY), &full, &mut hashes);
    let mut hashes = hashes.into_iter();
    out.extend(nodes.iter().map(|node| {
        if is_empty(&node[..]) { EMPTY } else { hashes.next().expect("one hash per full node") }
    }));
}

#[cfg(test)]
thread_local! {
    /// The rows that this thread has hashed.
    pub(super) static N_HASHED_ROWS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The hashes of many buckets; bucket `i` has the rows `rows[ends[i - 1]..ends[i]]`.
pub(super) fn bucket_hash_many(rows: &[Row], ends: &[usize]) -> Vec<NodeHash> {
    #[cfg(test)]
    N_HASHED_ROWS.set(N_HASHED_ROWS.get() + ends.last().copied().unwrap_or(0));
    let mut hashes = keyed_hash_runs(&BUCKET_KEY, rows, ends);
    let starts = std::iter::once(0).chain(ends.iter().copied());
    for (hash, (start, &end)) in hashes.iter_mut().zip(starts.zip(ends)) {
        if start == end {
            *hash = EMPTY;
        }
    }
    hashes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node_hash(children: &[u8; 512]) -> NodeHash {
        let mut hashes = Vec::new();
        node_hashes(std::slice::from_ref(children), &mut hashes);
        hashes[0]
    }

    fn bucket_hash(rows: &[Row]) -> NodeHash {
        bucket_hash_many(rows, &[rows.len()])[0]
    }

    #[test]
    fn many_hashes_equal_single_hashes() {
        // More than the lanes, and every remainder of them.
        for count in 0..40usize {
            let node = |i: usize| {
                let mut node = [0; 512];
                if !i.is_multiple_of(3) {
                    blake3::Hasher::new()
                        .update(&i.to_le_bytes())
                        .finalize_xof()
                        .fill(&mut node[..]);
                }
                node
            };
            let nodes: Vec<_> = (0..count).map(node).collect();
            let mut hashes = Vec::new();
            node_hashes(&nodes, &mut hashes);
            let expected: Vec<_> = nodes
                .iter()
                .map(|node| match is_empty(node) {
                    true => EMPTY,
                    false => *blake3::keyed_hash(&NODE_KEY, node).as_bytes(),
                })
                .collect();
            assert_eq!(hashes, expected, "count={count}");
        }
    }

    #[test]
    fn domains_are_apart() {
        let row = [7; 64];
        assert_ne!(bucket_hash(&[row]), value_hash(&row).0);
        assert_ne!(node_hash(&[7; 512]), bucket_hash(&[row; 8]));
        assert_eq!(node_hash(&[0; 512]), EMPTY);
        assert_eq!(bucket_hash(&[]), EMPTY);
        assert_ne!(value_hash(&[0]), value_hash(&[]));
        assert_ne!(value_hash(&[0; 31]), value_hash(&[0; 32]));
    }
}
