//! The store in memory, for tests and benchmarks.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use kempe_abi::Hash;

use super::error::StoreError;
use super::store::{
    CommitBatch, Row, RowKey, StateChange, StateRead, StateScan, Store, TxLocation,
};
use super::tree::{bucket_of, first_key};
use crate::types::{Bytes, KeyHash, KeyMap, StateKey};

/// The rows are in as many parts, by the first bits of their key hashes. A part is what a commit
/// copies when a snapshot holds on to the old one, and what moves aside for a new row.
const SHARD_BITS: u32 = 16;

/// A store in memory. It passes the same tests as the durable one, but forgets everything.
///
/// A read takes no lock and nearly always one access to main memory. A commit changes rows in place, unless a
/// [snapshot](Store::snapshot) is alive: then it first copies the shards that change, so drop
/// snapshots early.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    rows: Arc<Rows>,
    blocks: BTreeMap<u64, Vec<u8>>,
    // A transaction's hash is blake3's too, so the map of key hashes fits.
    transactions: KeyMap<TxLocation>,
    meta: BTreeMap<&'static str, Vec<u8>>,
}

/// The rows by shard; each shard by ascending key hash.
#[derive(Clone)]
struct Rows {
    shards: Vec<Arc<Vec<StoredRow>>>,
}

#[derive(Clone)]
struct StoredRow {
    hash: KeyHash,
    value: Bytes,
    value_hash: Hash,
    // Apart, because only scans need it and it would double what a read has to fetch.
    key: Box<StateKey>,
}

impl MemoryStore {
    /// A store without rows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Rows {
    fn apply(&mut self, change: StateChange) {
        let (key, hash, value) = change.into_parts();
        let rows = Arc::make_mut(&mut self.shards[shard_of(&hash)]);
        match (search(rows, &hash), value) {
            (Ok(row), Some((value, value_hash))) => {
                rows[row].value = value;
                rows[row].value_hash = value_hash;
            }
            (Ok(row), None) => drop(rows.remove(row)),
            (Err(row), Some((value, value_hash))) => {
                rows.insert(row, StoredRow { hash, value, value_hash, key: Box::new(key) });
            }
            (Err(_), None) => {}
        }
    }
}

/// The position of a key in a shard, or where it would be.
///
/// Key hashes are spread evenly, so a guess in proportion is off by a row or two, which are beside
/// it in memory. That is one access to memory instead of the four of a binary search, which takes
/// over if somebody ground keys to make guesses bad.
fn search(rows: &[StoredRow], key: &KeyHash) -> Result<usize, usize> {
    const STEPS: usize = 8;
    let (mut low, mut high) = (0, rows.len());
    let mut at = guess(rows.len(), key);
    for _ in 0..STEPS {
        if low == high {
            return Err(low);
        }
        match rows[at].hash.cmp(key) {
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
        .binary_search_by(|row| row.hash.cmp(key))
        .map(|row| low + row)
        .map_err(|row| low + row)
}

/// Where a key would be in a shard of `n_rows` if they were spread perfectly.
fn guess(n_rows: usize, key: &KeyHash) -> usize {
    let [_, _, a, b, ..] = key.0;
    (usize::from(u16::from_be_bytes([a, b])) * n_rows) >> 16
}

fn shard_of(key: &KeyHash) -> usize {
    usize::from(u16::from_be_bytes([key.0[0], key.0[1]]))
}

impl Default for Rows {
    fn default() -> Self {
        // All begin as one empty shard and part at their first row.
        Self { shards: vec![Arc::default(); 1 << SHARD_BITS] }
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_rows: usize = self.shards.iter().map(|shard| shard.len()).sum();
        f.debug_struct("Rows").field("n_rows", &n_rows).finish()
    }
}

impl StateRead for Rows {
    fn get(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        let rows = &self.shards[shard_of(key)];
        Ok(search(rows, key).ok().map(|row| Bytes::from_slice(&rows[row].value)))
    }

    fn prepare(&self, keys: &[KeyHash]) {
        // Reads that do not depend on each other wait for main memory together.
        let touched = keys.iter().fold(0, |sum: u8, key| {
            let rows = &self.shards[shard_of(key)];
            sum ^ rows.get(guess(rows.len(), key)).map_or(0, |row| row.hash.0[0])
        });
        std::hint::black_box(touched);
    }
}

impl StateScan for Rows {
    fn scan(
        &self,
        buckets: Range<u32>,
        visit: &mut dyn FnMut(Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if buckets.is_empty() {
            return Ok(());
        }
        let first = first_key(buckets.start);
        let shards = shard_of(&first)..=shard_of(&first_key(buckets.end - 1));
        for shard in &self.shards[shards] {
            let start = search(shard, &first).unwrap_or_else(|start| start);
            for row in &shard[start..] {
                if !buckets.contains(&bucket_of(&row.hash)) {
                    break;
                }
                visit(Row {
                    hash: row.hash,
                    value_hash: row.value_hash,
                    value: &row.value,
                    key: RowKey::Whole(&row.key),
                })?;
            }
        }
        Ok(())
    }

    fn origin(&self) -> &Path {
        Path::new(":memory:")
    }
}

impl StateRead for MemoryStore {
    fn get(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        self.rows.get(key)
    }
}

impl StateScan for MemoryStore {
    fn scan(
        &self,
        buckets: Range<u32>,
        visit: &mut dyn FnMut(Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.rows.scan(buckets, visit)
    }

    fn origin(&self) -> &Path {
        self.rows.origin()
    }
}

impl Store for MemoryStore {
    fn commit(&mut self, batch: CommitBatch) -> Result<(), StoreError> {
        let rows = Arc::make_mut(&mut self.rows);
        for change in batch.state {
            rows.apply(change);
        }
        self.blocks.extend(batch.block);
        let transactions = batch.transactions.into_iter();
        self.transactions.extend(transactions.map(|(hash, location)| (KeyHash(hash.0), location)));
        self.meta.extend(batch.meta);
        Ok(())
    }

    fn snapshot(&self) -> Arc<dyn StateScan> {
        Arc::<Rows>::clone(&self.rows)
    }

    fn block(&self, height: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.blocks.get(&height).cloned())
    }

    fn latest_height(&self) -> Result<Option<u64>, StoreError> {
        Ok(self.blocks.last_key_value().map(|(height, _)| *height))
    }

    fn tx_location(&self, hash: &Hash) -> Result<Option<TxLocation>, StoreError> {
        Ok(self.transactions.get(&KeyHash(hash.0)).copied())
    }

    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.meta.get(name).cloned())
    }
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
                KeyHash(hash)
            };
            let row = |i| StoredRow {
                hash: hash(spread(i)),
                value: Bytes::new(),
                value_hash: Hash::ZERO,
                key: Box::new(StateKey::system(0, &[0; 32])),
            };
            let rows: Vec<_> = (0..n_rows).map(row).collect();
            for low in 0..=u16::MAX {
                let expected = rows.binary_search_by(|row| row.hash.cmp(&hash(low)));
                assert_eq!(search(&rows, &hash(low)), expected, "low={low} n_rows={n_rows}");
            }
        }
    }
}
