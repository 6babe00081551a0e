//! The state against a map, the tree against a naive one, proofs under tampering, and files under damage
//! and power failures.

mod crowds;
mod faults;
mod files;
mod lag;
mod model;
mod proofs;
mod tree;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kempe_abi::{Address, Hash};

use super::*;
use crate::types::{Bytes, KeyHash, StateKey};

/// The rows that should be there: key hash to key and value.
type Model = BTreeMap<KeyHash, (StateKey, Vec<u8>)>;

/// Keys that meet: the first 12 are four buckets of three rows each, the others are spread.
static KEYS: LazyLock<Vec<StateKey>> = LazyLock::new(|| {
    let key =
        |i: u32| StateKey::new(Address([u8::try_from(i % 7).unwrap(); 32]), 1, &i.to_le_bytes());
    let mut buckets: BTreeMap<u32, Vec<StateKey>> = BTreeMap::new();
    for i in 0..60_000 {
        buckets.entry(bucket_of(&key(i).hash())).or_default().push(key(i));
    }
    let full = buckets.into_values().filter(|keys| keys.len() >= 3).take(4);
    let mut keys: Vec<_> = full.flat_map(|keys| keys.into_iter().take(3)).collect();
    assert_eq!(keys.len(), 12);
    keys.extend((60_000..60_020).map(key));
    keys
});

fn change(key: &StateKey, value: Option<&[u8]>) -> StateChange {
    StateChange::new(key.clone(), key.hash(), value.map(Bytes::from_slice))
}

fn apply(model: &mut Model, changes: &[StateChange]) {
    for change in changes {
        match change.value() {
            Some(value) => {
                model.insert(*change.hash(), (change.key().clone(), value.to_vec()));
            }
            None => drop(model.remove(change.hash())),
        }
    }
}

fn naive_digest(value: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    if value.len() <= 31 {
        digest[0] = u8::try_from(value.len()).unwrap();
        digest[1..=value.len()].copy_from_slice(value);
    } else {
        digest = *blake3::keyed_hash(b"kempe state tree 2026: value    ", value).as_bytes();
        digest[0] |= 0x80;
    }
    digest
}

/// The root by the letter of the documentation: every node of every level, one by one.
fn naive_root(model: &Model) -> Hash {
    let mut level: Vec<[u8; 32]> = vec![[0; 32]; 1 << 20];
    let mut buckets: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    for (hash, (_, value)) in model {
        let bucket = usize::from(hash.0[0]) << 12
            | usize::from(hash.0[1]) << 4
            | usize::from(hash.0[2]) >> 4;
        let bytes = buckets.entry(bucket).or_default();
        bytes.extend_from_slice(&hash.0);
        bytes.extend_from_slice(&naive_digest(value));
    }
    for (bucket, bytes) in buckets {
        level[bucket] = naive_bucket(&bytes, 5);
    }
    while level.len() > 1 {
        level = level.chunks(16).map(naive_node).collect();
    }
    Hash(level[0])
}

/// Of rows, which have as many digits of their keys in common: as they are, or more than 16 by their next digit.
fn naive_bucket(bytes: &[u8], n_digits: usize) -> [u8; 32] {
    if bytes.is_empty() {
        return [0; 32];
    }
    if bytes.len() <= 16 * 64 {
        return *blake3::keyed_hash(b"kempe state tree 2026: bucket   ", bytes).as_bytes();
    }
    let parts = (0..16).map(|next| {
        let digit = |row: &[u8]| row[n_digits / 2] >> (4 * ((n_digits + 1) % 2)) & 15;
        let is_in = |row: &&[u8]| digit(row) == next;
        naive_bucket(&bytes.chunks(64).filter(is_in).collect::<Vec<_>>().concat(), n_digits + 1)
    });
    naive_node(&parts.collect::<Vec<_>>())
}

fn naive_node(children: &[[u8; 32]]) -> [u8; 32] {
    if children.iter().all(|child| *child == [0; 32]) {
        return [0; 32];
    }
    let bytes = children.as_flattened();
    *blake3::keyed_hash(b"kempe state tree 2026: node     ", bytes).as_bytes()
}
