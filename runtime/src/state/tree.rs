//! The state tree: from rows to the state root, and from changed rows to the next one.

use std::fmt;
use std::ops::Range;

use hashbrown::HashMap;
use kempe_abi::Hash;
use rayon::prelude::*;

use super::bucket::{BUCKET_DIGITS, Part, digit, hash_buckets, merge};
use super::changes::{Changes, StateChange};
use super::error::StoreError;
use super::hash::{EMPTY, NodeHash, node_hashes};
use super::proof::{Proof, Siblings};
use super::row::{Row, digest_hash, key};
use super::table::StateTable;
use super::witness::{BucketRows, Leaf, Witness};
use crate::prefetch::prefetch;
use crate::tasks::tasks;
use crate::types::KeyHash;

/// The bits of a key hash that name its bucket.
pub const BUCKET_BITS: u32 = 20;
/// The number of buckets, the leaves of the tree and the units in which state is split.
pub const BUCKETS: u32 = 1 << BUCKET_BITS;
/// The children of a node.
pub const ARITY: usize = 16;
/// The levels above the buckets; `ARITY` to this power is [`BUCKETS`].
pub const LEVELS: usize = 5;

/// Changes hashed by one task. Large enough to hide the cost of a task, small enough to balance.
const CHANGES_PER_TASK: usize = 512;
/// Nodes hashed by one task.
const NODES_PER_TASK: usize = 128;
/// Buckets scanned by one task when a tree is built.
const BUCKETS_PER_TASK: u32 = 4096;

/// The bucket of a key: the first [`BUCKET_BITS`] bits of its hash.
#[must_use]
pub fn bucket_of(key: &KeyHash) -> u32 {
    let [a, b, c, d, ..] = key.0;
    u32::from_be_bytes([a, b, c, d]) >> (u32::BITS - BUCKET_BITS)
}

/// The least key hash of a bucket; for [`BUCKETS`] itself it wraps around to zero.
pub(super) fn first_key(bucket: u32) -> KeyHash {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&(bucket << (u32::BITS - BUCKET_BITS)).to_be_bytes());
    KeyHash(key)
}

/// The inner nodes of the tree, in memory: 36 MB when every bucket has rows, less while memory
/// that was never written costs nothing.
///
/// Rows stay in the [`StateTable`]. An update reads the changed buckets from there; it does not matter
/// whether the table has the changes already, but it must have no later ones.
#[derive(Clone)]
pub struct StateTree {
    /// `levels[0]` is the root, `levels[LEVELS]` the buckets.
    levels: [Vec<NodeHash>; LEVELS + 1],
    /// The insides of large buckets. One that is missing is found again from its rows.
    kept: HashMap<u32, Part>,
}

/// What an update changes in a [`StateTree`]: the new root, and the nodes that lead to it.
pub struct TreeUpdate {
    root: Hash,
    /// The changed nodes of each level, by ascending position.
    levels: [Vec<(u32, NodeHash)>; LEVELS + 1],
    /// The insides of changed buckets that are large now.
    kept: Vec<(u32, Part)>,
}

/// The hashes of buckets, ascending, and the insides of those that are large.
#[derive(Default)]
pub(super) struct Buckets {
    pub(super) hashes: Vec<(u32, NodeHash)>,
    kept: Vec<(u32, Part)>,
}

impl Buckets {
    /// Of the given numbers; bucket `i` of them has the rows `rows[ends[i - 1]..ends[i]]`.
    pub(super) fn of(numbers: Vec<u32>, rows: &[Row], ends: &[usize]) -> Self {
        let (hashes, kept) = hash_buckets(rows, ends);
        let kept = kept.into_iter().map(|(at, part)| (numbers[at], part)).collect();
        Self { hashes: numbers.into_iter().zip(hashes).collect(), kept }
    }

    /// Of parts, ascending.
    pub(super) fn concat(parts: Vec<Self>) -> Self {
        let mut all = Self::default();
        for part in parts {
            all.hashes.extend(part.hashes);
            all.kept.extend(part.kept);
        }
        all
    }
}

impl StateTree {
    /// The tree of the state without rows; its root is zero.
    #[must_use]
    pub fn empty() -> Self {
        let levels = std::array::from_fn(|level| vec![EMPTY; ARITY.pow(exponent(level))]);
        Self { levels, kept: HashMap::new() }
    }

    /// The tree over all rows of a state, on all threads of the current rayon pool.
    ///
    /// # Errors
    /// What reading rows from the disk returns.
    pub fn from_state(state: &StateTable) -> Result<Self, StoreError> {
        let tasks: Vec<u32> = (0..BUCKETS / BUCKETS_PER_TASK).collect();
        let buckets = tasks
            .par_iter()
            .map(|task| {
                let first = task * BUCKETS_PER_TASK;
                buckets_of(state, first..first + BUCKETS_PER_TASK)
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        Ok(Self::from_parts(Buckets::concat(buckets)))
    }

    /// The tree over the given buckets, ascending; the others are empty. It does not matter which
    /// machine computed which of them with [`bucket_hashes`].
    #[must_use]
    pub fn from_buckets(buckets: Vec<(u32, Hash)>) -> Self {
        let hashes = buckets.into_iter().map(|(bucket, hash)| (bucket, hash.0)).collect();
        Self::from_parts(Buckets { hashes, kept: Vec::new() })
    }

    pub(super) fn from_parts(buckets: Buckets) -> Self {
        let mut tree = Self::empty();
        let update = tree.lift(buckets);
        tree.apply(update);
        tree
    }

    /// Of how many buckets the insides are kept.
    #[cfg(test)]
    pub(super) fn n_kept(&self) -> usize {
        self.kept.len()
    }

    /// The state root.
    #[must_use]
    pub fn root(&self) -> Hash {
        Hash(self.levels[0][0])
    }

    /// What the changes make of the tree over `state`.
    ///
    /// The tree stays as it is until the update is [applied](Self::apply), so that a block can be
    /// tried and dropped.
    ///
    /// # Errors
    /// What reading rows from the disk returns.
    pub fn update(
        &self,
        state: &StateTable,
        changes: &[StateChange],
    ) -> Result<TreeUpdate, StoreError> {
        self.update_rows(state, &Changes::of(changes))
    }

    /// What the changed rows make of the tree over `state`; see [`update`](Self::update).
    ///
    /// # Errors
    /// What reading rows from the disk returns.
    pub fn update_rows(
        &self,
        state: &StateTable,
        changes: &Changes,
    ) -> Result<TreeUpdate, StoreError> {
        let is_one_bucket = |a: &Row, b: &Row| bucket_of_row(a) == bucket_of_row(b);
        let tasks = tasks(changes.rows(), CHANGES_PER_TASK, is_one_bucket);
        let buckets = match &tasks[..] {
            [] => Buckets::default(),
            [task] => self.changed_buckets(state, task)?,
            tasks => {
                let parts = tasks.par_iter().map(|task| self.changed_buckets(state, task));
                Buckets::concat(parts.collect::<Result<_, StoreError>>()?)
            }
        };
        Ok(self.lift(buckets))
    }

    /// Moves the tree to the state after the update. The update must be the last one that this
    /// tree has computed since it last moved.
    pub fn apply(&mut self, update: TreeUpdate) {
        if !self.kept.is_empty() {
            for (bucket, _) in &update.levels[LEVELS] {
                self.kept.remove(bucket);
            }
        }
        self.kept.extend(update.kept);
        for (level, changed) in self.levels.iter_mut().zip(update.levels) {
            for (index, hash) in changed {
                level[position(index)] = hash;
            }
        }
    }

    /// Everything that somebody without the state needs to check reads and writes of these keys.
    ///
    /// # Errors
    /// What the state's reads return. `state` must be the one that the tree is over.
    pub fn witness(&self, state: &StateTable, keys: &[KeyHash]) -> Result<Witness, StoreError> {
        let mut indices: Vec<u32> = keys.iter().map(bucket_of).collect();
        indices.sort_unstable();
        indices.dedup();
        let mut buckets = Vec::with_capacity(indices.len());
        for &bucket in &indices {
            let first = first_key(bucket).0;
            let rows = state.with_bucket(bucket, |rows| leaves(&rows.all(&first)))?;
            buckets.push(BucketRows { bucket, rows });
        }
        let mut nodes = Vec::new();
        for level in (1..=LEVELS).rev() {
            let children = indices;
            indices = Vec::new();
            for group in children.chunk_by(|a, b| parent(*a) == parent(*b)) {
                nodes.push(self.siblings(level, group));
                indices.push(parent(group[0]));
            }
        }
        Ok(Witness { buckets, nodes })
    }

    /// The proof of what the state says about one key.
    ///
    /// # Errors
    /// What the state's reads return. `state` must be the one that the tree is over.
    pub fn prove(&self, state: &StateTable, key: &KeyHash) -> Result<Proof, StoreError> {
        let bucket = bucket_of(key);
        let (rows, way) = state.with_bucket(bucket, |rows| {
            let all;
            let part = match self.kept.get(&bucket) {
                Some(part) => part,
                None => {
                    all = Part::of(&rows.all(&key.0), BUCKET_DIGITS);
                    &all
                }
            };
            let (way, n_digits) = part.way(&key.0, BUCKET_DIGITS);
            (leaves(&rows.part(&key.0, n_digits)), way)
        })?;
        let n_inside = way.len();
        let inside = way.iter().enumerate().map(|(at, children)| {
            let place = BUCKET_DIGITS + n_inside - 1 - at;
            Siblings::of(children, |child| child == digit(&key.0, place))
        });
        let mut path: Vec<Siblings> = inside.collect();
        let mut index = bucket;
        for level in (1..=LEVELS).rev() {
            path.push(self.siblings(level, &[index]));
            index = parent(index);
        }
        Ok(Proof { rows, path })
    }

    /// The children, at `level`, of the parent of `group` that are not in the group.
    fn siblings(&self, level: usize, group: &[u32]) -> Siblings {
        let first = position(parent(group[0])) * ARITY;
        let children = &self.levels[level][first..first + ARITY];
        Siblings::of(children, |child| group.iter().any(|at| position(*at) == first + child))
    }

    /// The buckets that the sorted changes are in, as they will be.
    fn changed_buckets(&self, state: &StateTable, sorted: &[Row]) -> Result<Buckets, StoreError> {
        /// The buckets that are announced together: about as many as a core has reads in flight.
        const AHEAD: usize = 16;
        let groups: Vec<&[Row]> =
            sorted.chunk_by(|a, b| bucket_of_row(a) == bucket_of_row(b)).collect();
        let mut numbers = Vec::with_capacity(groups.len());
        let mut ends = Vec::with_capacity(groups.len());
        let mut rows = Vec::with_capacity(2 * sorted.len());
        let mut kept = Vec::new();
        for groups in groups.chunks(AHEAD) {
            state.prepare_buckets(groups.iter().map(|group| bucket_of_row(&group[0])));
            for changes in groups {
                let bucket = bucket_of_row(&changes[0]);
                state.with_bucket(bucket, |found| match self.kept.get(&bucket) {
                    None => merge(&found.all(key(&changes[0])), changes, &mut rows),
                    Some(part) => {
                        let part = part.changed(BUCKET_DIGITS, found, changes);
                        kept.push((numbers.len(), part));
                    }
                })?;
                numbers.push(bucket);
                ends.push(rows.len());
            }
        }
        let mut buckets = Buckets::of(numbers, &rows, &ends);
        for (at, part) in kept {
            let (bucket, hash) = &mut buckets.hashes[at];
            *hash = part.hash();
            if part.is_kept() {
                buckets.kept.push((*bucket, part));
            }
        }
        Ok(buckets)
    }

    /// Carries changed buckets, ascending, up to the root.
    fn lift(&self, buckets: Buckets) -> TreeUpdate {
        let mut levels: [Vec<(u32, NodeHash)>; LEVELS + 1] = Default::default();
        levels[LEVELS] = buckets.hashes;
        for level in (0..LEVELS).rev() {
            let groups: Vec<&[(u32, NodeHash)]> =
                levels[level + 1].chunk_by(|(a, _), (b, _)| parent(*a) == parent(*b)).collect();
            levels[level] = if groups.len() <= NODES_PER_TASK {
                self.parents(level, &groups)
            } else {
                let parts: Vec<_> = groups
                    .par_chunks(NODES_PER_TASK)
                    .map(|groups| self.parents(level, groups))
                    .collect();
                parts.concat()
            };
        }
        let root = levels[0].first().map_or(self.root(), |(_, root)| Hash(*root));
        TreeUpdate { root, levels, kept: buckets.kept }
    }

    /// The nodes of `level` whose changed children are the groups.
    fn parents(&self, level: usize, groups: &[&[(u32, NodeHash)]]) -> Vec<(u32, NodeHash)> {
        /// The nodes that are on their way from memory while one is copied: eight lines each.
        const AHEAD: usize = 4;
        let children = |group: &[(u32, NodeHash)]| {
            let first = position(parent(group[0].0)) * ARITY;
            (first, &self.levels[level + 1][first..first + ARITY])
        };
        let mut nodes = vec![[0u8; 512]; groups.len()];
        for (at, (node, group)) in nodes.iter_mut().zip(groups).enumerate() {
            if let Some(soon) = groups.get(at + AHEAD) {
                // Two hashes a line.
                children(soon).1.iter().step_by(2).for_each(prefetch);
            }
            let (first, hashes) = children(group);
            node.copy_from_slice(hashes.as_flattened());
            for (index, hash) in *group {
                let offset = (position(*index) - first) * 32;
                node[offset..offset + 32].copy_from_slice(hash);
            }
        }
        let mut hashes = Vec::with_capacity(nodes.len());
        node_hashes(&nodes, &mut hashes);
        groups.iter().map(|group| parent(group[0].0)).zip(hashes).collect()
    }
}

impl fmt::Debug for StateTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateTree").field("root", &self.root()).finish_non_exhaustive()
    }
}

impl TreeUpdate {
    /// The state root after the update.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }
}

impl fmt::Debug for TreeUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_buckets = self.levels[LEVELS].len();
        f.debug_struct("TreeUpdate")
            .field("root", &self.root)
            .field("n_buckets", &n_buckets)
            .finish_non_exhaustive()
    }
}

/// The hashes of the buckets in the range that have rows, ascending.
///
/// # Errors
/// What reading rows from the disk returns.
pub fn bucket_hashes(
    state: &StateTable,
    buckets: Range<u32>,
) -> Result<Vec<(u32, Hash)>, StoreError> {
    let buckets = buckets_of(state, buckets)?;
    Ok(buckets.hashes.into_iter().map(|(bucket, hash)| (bucket, Hash(hash))).collect())
}

/// The buckets in the range that have rows.
fn buckets_of(state: &StateTable, range: Range<u32>) -> Result<Buckets, StoreError> {
    let (mut numbers, mut rows, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for bucket in range {
        let first = first_key(bucket).0;
        state.with_bucket(bucket, |found| rows.extend_from_slice(&found.all(&first)))?;
        if rows.len() > ends.last().copied().unwrap_or(0) {
            numbers.push(bucket);
            ends.push(rows.len());
        }
    }
    Ok(Buckets::of(numbers, &rows, &ends))
}

fn bucket_of_row(row: &Row) -> u32 {
    bucket_of(&KeyHash(*key(row)))
}

/// Rows for a proof.
fn leaves(rows: &[Row]) -> Vec<Leaf> {
    rows.iter().map(|row| Leaf { key: KeyHash(*key(row)), value: digest_hash(row) }).collect()
}

const fn parent(index: u32) -> u32 {
    index / 16
}

fn position(index: u32) -> usize {
    usize::try_from(index).expect("an index below 2^20 fits")
}

fn exponent(level: usize) -> u32 {
    u32::try_from(level).expect("there are six levels")
}
