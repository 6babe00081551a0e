//! The store in memory, for tests and benchmarks.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use kempe_abi::Hash;

use super::error::StoreError;
use super::store::{CommitBatch, Row, StateChange, StateRead, StateScan, Store, TxLocation};
use super::tree::{BUCKETS, bucket_of};
use crate::types::{Bytes, KeyHash, KeyMap, StateKey};

/// Buckets that are copied together when a snapshot holds on to the old ones.
const BUCKETS_PER_SHARD: u32 = 256;

/// A store in memory. It passes the same tests as the durable one, but forgets everything.
///
/// A read takes no lock and touches two places in memory. A commit changes rows in place, unless a
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

/// The rows by shard and bucket; each bucket by ascending key hash.
#[derive(Clone)]
struct Rows {
    shards: Vec<Arc<Shard>>,
}

type Shard = Vec<Vec<StoredRow>>;

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
    fn bucket(&self, bucket: u32) -> &[StoredRow] {
        let (shard, slot) = place(bucket);
        &self.shards[shard][slot]
    }

    fn find(&self, key: &KeyHash) -> Option<&StoredRow> {
        let rows = self.bucket(bucket_of(key));
        rows.binary_search_by(|row| row.hash.cmp(key)).ok().map(|row| &rows[row])
    }

    fn apply(&mut self, change: StateChange) {
        let (key, hash, value) = change.into_parts();
        let (shard, slot) = place(bucket_of(&hash));
        let rows = &mut Arc::make_mut(&mut self.shards[shard])[slot];
        match (rows.binary_search_by(|row| row.hash.cmp(&hash)), value) {
            (Ok(row), Some((value, value_hash))) => {
                rows[row].value = value;
                rows[row].value_hash = value_hash;
            }
            (Ok(row), None) => drop(rows.remove(row)),
            (Err(row), Some((value, value_hash))) => {
                // Buckets are small, so room for more rows than there are is mostly waste.
                rows.reserve_exact(1);
                rows.insert(row, StoredRow { hash, value, value_hash, key: Box::new(key) });
            }
            (Err(_), None) => {}
        }
    }
}

impl Default for Rows {
    fn default() -> Self {
        let per_shard = usize::try_from(BUCKETS_PER_SHARD).expect("256 fits");
        let n_shards = usize::try_from(BUCKETS / BUCKETS_PER_SHARD).expect("4096 fits");
        // All begin as one empty shard and part at their first row.
        let empty = Arc::new(vec![Vec::new(); per_shard]);
        Self { shards: vec![empty; n_shards] }
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_rows: usize = self.shards.iter().flat_map(|shard| shard.iter()).map(Vec::len).sum();
        f.debug_struct("Rows").field("n_rows", &n_rows).finish()
    }
}

impl StateRead for Rows {
    fn get(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        Ok(self.find(key).map(|row| row.value.clone()))
    }
}

impl StateScan for Rows {
    fn scan(
        &self,
        buckets: Range<u32>,
        visit: &mut dyn FnMut(Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for row in buckets.flat_map(|bucket| self.bucket(bucket)) {
            visit(Row {
                hash: row.hash,
                value_hash: row.value_hash,
                contract: row.key.contract,
                field: row.key.field,
                key: &row.key.key,
                value: &row.value,
            })?;
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

fn place(bucket: u32) -> (usize, usize) {
    let place = |n: u32| usize::try_from(n).expect("a number below 2^20 fits");
    (place(bucket / BUCKETS_PER_SHARD), place(bucket % BUCKETS_PER_SHARD))
}
