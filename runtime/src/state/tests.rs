//! The state against a map, the tree against a naive one, proofs under tampering, and files under damage
//! and power failures.

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
        let hash = blake3::keyed_hash(b"kempe state tree 2026: bucket   ", &bytes);
        level[bucket] = *hash.as_bytes();
    }
    while level.len() > 1 {
        level = level
            .chunks(16)
            .map(|children| match children.iter().all(|child| *child == [0; 32]) {
                true => [0; 32],
                false => *blake3::keyed_hash(
                    b"kempe state tree 2026: node     ",
                    children.as_flattened(),
                )
                .as_bytes(),
            })
            .collect();
    }
    Hash(level[0])
}

/// As somebody makes them who looks for keys that begin alike.
#[test]
fn a_shard_with_thousands_of_rows_is_as_any_other() {
    let mut random = 3u64;
    let mut next = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % bound
    };
    let state = StateTable::new();
    let mut model: BTreeMap<KeyHash, Vec<u8>> = BTreeMap::new();
    let mut tree = StateTree::empty();
    for round in 0..14 {
        let mut changes: BTreeMap<KeyHash, Option<Vec<u8>>> = BTreeMap::new();
        for _ in 0..[2_000, 40, 9, 1][round % 4] {
            let mut hash = [0; 32];
            // One shard, and some others; one bucket of it above all.
            hash[0] = u8::from(next(8) == 0);
            hash[2] = [0, 0, 0, 0x70][usize::try_from(next(4)).unwrap()];
            hash[2..6].iter_mut().skip(1).for_each(|byte| *byte = u8::try_from(next(12)).unwrap());
            let value = (next(3) > 0).then(|| vec![1; usize::try_from(next(50)).unwrap()]);
            changes.insert(KeyHash(hash), value);
        }
        let key = |hash: &KeyHash| StateKey::new(Address(hash.0), 0, &[]);
        let changes: Vec<StateChange> = changes
            .into_iter()
            .map(|(hash, value)| {
                let value = value.as_deref().map(Bytes::from_slice);
                StateChange::new(key(&hash), hash, value)
            })
            .collect();
        let is_new =
            |change: &StateChange| change.value().is_some() && !model.contains_key(change.hash());
        let new = changes.iter().enumerate().filter(|(_, change)| is_new(change));
        let new: Vec<usize> = new.map(|(at, _)| at).collect();
        let rows = Changes::of(&changes);
        let update = tree.update_rows(&state, &rows).unwrap();
        tree.apply(update);
        assert_eq!(state.apply_rows(&rows), new, "round={round}");
        for change in &changes {
            match change.value() {
                Some(value) => drop(model.insert(*change.hash(), value.to_vec())),
                None => drop(model.remove(change.hash())),
            }
        }
        for (hash, value) in &model {
            assert_eq!(state.get(hash).unwrap().as_deref(), Some(&value[..]));
        }
        assert_eq!(state.n_rows().unwrap(), model.len() as u64);
        assert_eq!(StateTree::from_state(&state).unwrap().root(), tree.root());
    }
}
