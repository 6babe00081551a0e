//! The proof of many cells, enough to check reads and to compute the root after writes.

use borsh::{BorshDeserialize, BorshSerialize};
use kempe_abi::Hash;

use super::bucket::hash_buckets;
use super::error::ProofError;
use super::hash::{EMPTY, NodeHash, node_hashes, value_hash};
use super::proof::Siblings;
use super::tree::{BUCKETS, LEVELS, bucket_of};
use crate::types::KeyHash;

/// One row in a proof: the hash of its key and the hash of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Leaf {
    /// The hash of the key.
    pub key: KeyHash,
    /// The [`value_hash`] of the value.
    pub value: Hash,
}

/// All rows of one bucket.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BucketRows {
    /// The bucket.
    pub bucket: u32,
    /// Its rows, by ascending key hash.
    pub rows: Vec<Leaf>,
}

/// The buckets that some keys are in, and what is needed to compute the root from them.
///
/// It comes from outside: believe nothing in it before [`verify`](Self::verify). For every state and
/// set of keys there is exactly one witness that verifies, and one encoding of it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Witness {
    /// The buckets, ascending.
    pub buckets: Vec<BucketRows>,
    /// For each node above the buckets, level by level from the lowest and ascending in each, its
    /// children that are not themselves above one of the buckets.
    pub nodes: Vec<Siblings>,
}

/// A witness that was found to belong to a root.
#[derive(Clone, Copy, Debug)]
pub struct Proven<'a> {
    witness: &'a Witness,
}

impl Witness {
    /// Checks that the witness is of a state with this root.
    ///
    /// # Errors
    /// [`ProofError::Malformed`] and [`ProofError::Root`].
    pub fn verify(&self, root: &Hash) -> Result<Proven<'_>, ProofError> {
        let ascending = self.buckets.windows(2).all(|pair| pair[0].bucket < pair[1].bucket);
        if self.buckets.is_empty() || !ascending {
            return Err(ProofError::Malformed { what: "the buckets are out of order or missing" });
        }
        for BucketRows { bucket, rows } in &self.buckets {
            let inside = rows.iter().all(|row| bucket_of(&row.key) == *bucket);
            let ascending = rows.windows(2).all(|pair| pair[0].key < pair[1].key);
            if *bucket >= BUCKETS || !inside || !ascending {
                return Err(ProofError::Malformed { what: "the rows are out of order" });
            }
        }
        let found = root_of(&self.buckets, &self.nodes)?;
        if found != *root {
            return Err(ProofError::Root { expected: *root, found });
        }
        Ok(Proven { witness: self })
    }

    /// The root after writing to a state with the root `old_root`, without the state.
    ///
    /// If a key is written twice, the last write counts.
    ///
    /// # Errors
    /// Those of [`verify`](Self::verify), and [`ProofError::NotCovered`] for a key that the witness
    /// was not made for.
    pub fn update(
        &self,
        old_root: &Hash,
        writes: &[(KeyHash, Option<&[u8]>)],
    ) -> Result<Hash, ProofError> {
        self.verify(old_root)?.update(writes)
    }
}

impl Proven<'_> {
    /// The hash of the value of a cell, or `None` if it has no value.
    ///
    /// # Errors
    /// [`ProofError::NotCovered`] if the witness was not made for this key.
    pub fn value_hash(&self, key: &KeyHash) -> Result<Option<Hash>, ProofError> {
        let rows = &self.witness.buckets[self.position(key)?].rows;
        let found = rows.binary_search_by(|row| row.key.cmp(key));
        Ok(found.ok().map(|row| rows[row].value))
    }

    /// The root after the writes; see [`Witness::update`].
    ///
    /// # Errors
    /// [`ProofError::NotCovered`] if the witness was not made for a written key.
    pub fn update(&self, writes: &[(KeyHash, Option<&[u8]>)]) -> Result<Hash, ProofError> {
        let mut buckets = self.witness.buckets.clone();
        for (key, value) in writes {
            let rows = &mut buckets[self.position(key)?].rows;
            let value = value.map(|value| Leaf { key: *key, value: value_hash(value) });
            match (rows.binary_search_by(|row| row.key.cmp(key)), value) {
                (Ok(row), Some(leaf)) => rows[row] = leaf,
                (Ok(row), None) => drop(rows.remove(row)),
                (Err(row), Some(leaf)) => rows.insert(row, leaf),
                (Err(_), None) => {}
            }
        }
        root_of(&buckets, &self.witness.nodes)
    }

    fn position(&self, key: &KeyHash) -> Result<usize, ProofError> {
        let bucket = bucket_of(key);
        self.witness
            .buckets
            .binary_search_by_key(&bucket, |rows| rows.bucket)
            .map_err(|_| ProofError::NotCovered { key: *key })
    }
}

/// The root over the buckets, which are ascending, and the nodes beside their ways to the root.
fn root_of(buckets: &[BucketRows], nodes: &[Siblings]) -> Result<Hash, ProofError> {
    let (mut rows, mut ends) = (Vec::new(), Vec::new());
    for bucket in buckets {
        rows.extend(bucket.rows.iter().map(|row| {
            let mut bytes = [0; 64];
            bytes[..32].copy_from_slice(&row.key.0);
            bytes[32..].copy_from_slice(&row.value.0);
            bytes
        }));
        ends.push(rows.len());
    }
    let (hashes, _) = hash_buckets(&rows, &ends);
    let mut level: Vec<(u32, NodeHash)> =
        buckets.iter().map(|bucket| bucket.bucket).zip(hashes).collect();

    let mut nodes = nodes.iter();
    for _ in 0..LEVELS {
        let mut parents = Vec::new();
        let mut children = Vec::new();
        for group in level.chunk_by(|(a, _), (b, _)| a / 16 == b / 16) {
            let siblings =
                nodes.next().ok_or(ProofError::Malformed { what: "a node is missing" })?;
            children.push(node_of(group, siblings)?);
            parents.push(group[0].0 / 16);
        }
        let mut hashes = Vec::with_capacity(children.len());
        node_hashes(&children, &mut hashes);
        level = parents.into_iter().zip(hashes).collect();
    }
    if nodes.next().is_some() {
        return Err(ProofError::Malformed { what: "there are more nodes than needed" });
    }
    Ok(Hash(level[0].1))
}

/// The children of the node above `group`.
fn node_of(group: &[(u32, NodeHash)], siblings: &Siblings) -> Result<[u8; 512], ProofError> {
    let mut children = [EMPTY; 16];
    let mut hashes = siblings.hashes.iter();
    for (slot, child) in children.iter_mut().enumerate() {
        if siblings.present & (1 << slot) != 0 {
            let hash = hashes.next().filter(|hash| hash.0 != EMPTY);
            *child = hash.ok_or(ProofError::Malformed { what: "a sibling is missing" })?.0;
        }
    }
    if hashes.next().is_some() {
        return Err(ProofError::Malformed { what: "there are more siblings than named" });
    }
    for (index, hash) in group {
        if siblings.present & (1 << (index % 16)) != 0 {
            return Err(ProofError::Malformed { what: "a sibling is on the path" });
        }
        children[usize::from((index % 16) as u8)] = *hash;
    }
    Ok(children.as_flattened().try_into().expect("16 times 32 bytes"))
}
