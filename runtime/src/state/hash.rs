//! The hashes of the state tree.

use blake3::IncrementCounter;
use blake3::platform::{Platform, words_from_le_bytes_32};
use kempe_abi::Hash;

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

/// The hash of a value, as it stands in the state tree: keyed blake3.
#[must_use]
pub fn value_hash(value: &[u8]) -> Hash {
    Hash(*blake3::keyed_hash(&VALUE_KEY, value).as_bytes())
}

/// The hash of a bucket from the `key hash ‖ value hash` of its rows, ascending.
pub(super) fn bucket_hash(rows: &[[u8; 64]]) -> NodeHash {
    if rows.is_empty() {
        return EMPTY;
    }
    *blake3::keyed_hash(&BUCKET_KEY, rows.as_flattened()).as_bytes()
}

/// The hash of a node from its children, one at a time.
#[cfg(test)]
fn node_hash(children: &[u8; 512]) -> NodeHash {
    if is_empty(children) {
        return EMPTY;
    }
    *blake3::keyed_hash(&NODE_KEY, children).as_bytes()
}

/// Whether all children are empty.
fn is_empty(children: &[u8]) -> bool {
    children.iter().all(|&byte| byte == 0)
}

/// Appends the hashes of nodes, given by their children; of a node without children, [`EMPTY`].
pub(super) fn node_hashes(nodes: &[[u8; 512]], out: &mut Vec<NodeHash>) {
    let full: Vec<&[u8; 512]> = nodes.iter().filter(|node| !is_empty(&node[..])).collect();
    let mut hashes = vec![EMPTY; full.len()];
    keyed_hash_many(&NODE_KEY, &full, &mut hashes);
    let mut hashes = hashes.into_iter();
    out.extend(nodes.iter().map(|node| {
        if is_empty(&node[..]) { EMPTY } else { hashes.next().expect("one hash per full node") }
    }));
}

/// The hashes of many buckets; bucket `i` has the rows `rows[ends[i - 1]..ends[i]]`.
pub(super) fn bucket_hash_many(rows: &[[u8; 64]], ends: &[usize]) -> Vec<NodeHash> {
    let mut out = vec![EMPTY; ends.len()];
    hash_buckets_of::<64>(rows, ends, &mut out);
    hash_buckets_of::<128>(rows, ends, &mut out);
    hash_buckets_of::<192>(rows, ends, &mut out);
    hash_buckets_of::<256>(rows, ends, &mut out);
    for (i, bucket) in buckets(rows, ends).enumerate().filter(|(_, bucket)| bucket.len() > 4) {
        out[i] = bucket_hash(bucket);
    }
    out
}

fn buckets<'a>(rows: &'a [[u8; 64]], ends: &'a [usize]) -> impl Iterator<Item = &'a [[u8; 64]]> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(ends).map(|(start, &end)| &rows[start..end])
}

/// Hashes the buckets whose rows are `N` bytes together.
fn hash_buckets_of<const N: usize>(rows: &[[u8; 64]], ends: &[usize], out: &mut [NodeHash]) {
    let (indices, inputs): (Vec<usize>, Vec<&[u8; N]>) = buckets(rows, ends)
        .enumerate()
        .filter_map(|(i, bucket)| {
            let bytes: &[u8; N] = bucket.as_flattened().try_into().ok()?;
            Some((i, bytes))
        })
        .unzip();
    let mut hashes = vec![EMPTY; inputs.len()];
    keyed_hash_many(&BUCKET_KEY, &inputs, &mut hashes);
    for (i, hash) in indices.into_iter().zip(hashes) {
        out[i] = hash;
    }
}

/// `out[i] = blake3::keyed_hash(key, inputs[i])`, up to 16 inputs at a time in the lanes of the
/// processor instead of one by one, which decides what an update of the tree costs.
///
/// blake3 keeps this entrance out of its documentation, so a new version may move it: it is used
/// here and for short keys, and a test holds it to `blake3::keyed_hash`. The flags are those of a message of
/// one chunk. Source: the BLAKE3 paper, section 2.2, table 3.
fn keyed_hash_many<const N: usize>(key: &[u8; 32], inputs: &[&[u8; N]], out: &mut [NodeHash]) {
    const LANES: usize = 16;
    const CHUNK_START: u8 = 1 << 0;
    const CHUNK_END: u8 = 1 << 1;
    const ROOT: u8 = 1 << 3;
    const KEYED_HASH: u8 = 1 << 4;
    const { assert!(N > 0 && N <= 1024 && N.is_multiple_of(64), "whole blocks of one chunk") };
    let platform = Platform::detect();
    let key = words_from_le_bytes_32(key);
    for (inputs, out) in inputs.chunks(LANES).zip(out.chunks_mut(LANES)) {
        platform.hash_many(
            inputs,
            &key,
            0,
            IncrementCounter::No,
            KEYED_HASH,
            CHUNK_START,
            CHUNK_END | ROOT,
            out.as_flattened_mut(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let expected: Vec<_> = nodes.iter().map(node_hash).collect();
            assert_eq!(hashes, expected, "count={count}");
        }
    }

    #[test]
    fn many_buckets_equal_single_buckets() {
        let sizes = [0, 1, 2, 3, 4, 5, 0, 1, 17, 40, 1, 1, 2, 4, 4, 0];
        let mut rows: Vec<[u8; 64]> = Vec::new();
        let mut ends = Vec::new();
        for (i, &size) in sizes.iter().cycle().take(300).enumerate() {
            for row in 0..size {
                let mut bytes = [0; 64];
                blake3::Hasher::new()
                    .update(&(i * 100 + row).to_le_bytes())
                    .finalize_xof()
                    .fill(&mut bytes);
                rows.push(bytes);
            }
            ends.push(rows.len());
        }
        let expected: Vec<_> = buckets(&rows, &ends).map(bucket_hash).collect();
        assert_eq!(bucket_hash_many(&rows, &ends), expected);
    }

    #[test]
    fn domains_are_apart() {
        let row = [7; 64];
        assert_ne!(bucket_hash(&[row]), value_hash(&row).0);
        assert_ne!(node_hash(&[7; 512]), bucket_hash(&[row; 8]));
        assert_eq!(node_hash(&[0; 512]), EMPTY);
        assert_eq!(bucket_hash(&[]), EMPTY);
        assert_ne!(value_hash(&[]), Hash(EMPTY));
    }
}
