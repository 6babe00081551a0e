//! The durable store: one redb file in a directory.
//!
//! # Files
//!
//! | file | holds |
//! | --- | --- |
//! | `LOCK` | nothing; locked by the one process that has the store open |
//! | `state.redb` | everything |
//! | `state.redb.new` | a store that is being created; complete only once it is renamed |
//!
//! # Tables of `state.redb`
//!
//! ```text
//! table         key                  value
//! ------------  -------------------  ------------------------------------------------------------
//! state         key hash (32)        value hash (32) | contract (32) | field (1) | key length (4)
//!                                    | key | value
//! blocks        height (8)           checksum (8) | block record
//! transactions  transaction hash(32) checksum (8) | height (8) | index in the block (4)
//! meta          name                 checksum (8) | record
//! ```
//! Numbers are little endian, lengths in bytes. The record `format` of `meta` is the version of this
//! layout. A checksum is the first 8 bytes of keyed blake3 over table, key and body; a row needs
//! none, because its value hash covers the value, its key hash covers contract, field and key, and
//! both are in the state tree.
//!
//! # Crashes and corruption
//!
//! A batch is one redb transaction. redb writes changed pages beside the old ones, syncs, switches
//! a root pointer and syncs again, so after a crash the file is at the old or at the new root.
//! Two-phase commit is on, because contracts choose bytes that are written here, and with one phase
//! redb tells a torn commit from a whole one by a checksum that can be forged.
//!
//! Creation writes `state.redb.new`, syncs, renames, and syncs the directory. A crash leaves a
//! leftover that the next creation removes, never a `state.redb` that cannot be opened.
//!
//! Each row and record is checked against its hash whenever it is read, and a rebuilt state tree
//! checks that no row is missing. redb itself panics on some damaged pages; such panics are caught
//! here and become [`StoreError::Corrupt`].

mod fault;
mod format;

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use kempe_abi::Hash;
use redb::{
    Database, Durability, Key, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageError,
    TableDefinition, WriteTransaction,
};

use self::fault::{corrupt, database_error, guard, io_error, redb_error};
use self::format::{BLOCK_TAG, META_TAG, TX_TAG, decode_row, encode_row, seal, unseal};
use super::error::StoreError;
use super::hash::value_hash;
use super::store::{CommitBatch, Row, StateRead, StateScan, Store, TxLocation, by_key_hash};
use super::tree::{BUCKETS, first_key};
use crate::types::{Bytes, KeyHash};

type State = TableDefinition<'static, &'static [u8; 32], &'static [u8]>;
const STATE: State = TableDefinition::new("state");
const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");
const TRANSACTIONS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("transactions");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// The version of the layout above.
const FORMAT: u32 = 1;
/// The record of `meta` that holds [`FORMAT`].
const FORMAT_RECORD: &str = "format";

const FILE: &str = "state.redb";
const FILE_NEW: &str = "state.redb.new";
const LOCK: &str = "LOCK";

/// Memory in which redb keeps pages: half of its own default, room for about a million rows.
const CACHE_BYTES: usize = 512 << 20;

/// The store on disk. See the source of this module for its layout.
///
/// A commit is durable when it returns. Reads go to the state of the last commit.
pub struct RedbStore {
    view: View,
    database: Handle,
    /// Whether a commit failed, so that the disk may be ahead of `view`.
    stopped: bool,
    /// Held, not read: closing it gives the directory free. Last, so that the database closes first.
    _lock: File,
}

/// The tables at one commit.
#[derive(Clone)]
struct View {
    tables: Arc<Tables>,
    path: Arc<Path>,
}

struct Tables {
    state: ReadOnlyTable<&'static [u8; 32], &'static [u8]>,
    blocks: ReadOnlyTable<u64, &'static [u8]>,
    transactions: ReadOnlyTable<&'static [u8; 32], &'static [u8]>,
    meta: ReadOnlyTable<&'static str, &'static [u8]>,
}

/// The database, which is closed behind a [`guard`]: closing writes, and on damaged pages redb panics.
struct Handle {
    /// `None` only while it is being dropped.
    database: Option<Database>,
    path: Arc<Path>,
}

impl Handle {
    fn get(&self) -> &Database {
        self.database.as_ref().expect("the database is there until the handle is dropped")
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Whatever was committed is durable already, so there is nobody to tell of a failure.
        let _ = guard(&self.path, || {
            drop(self.database.take());
            Ok(())
        });
    }
}

impl RedbStore {
    /// Opens the store in a directory.
    ///
    /// The rows are as they were committed if the [state tree](super::StateTree::from_state) over
    /// them has the root of the last block; opening alone does not read them.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Locked`], [`StoreError::Format`],
    /// [`StoreError::Corrupt`] and [`StoreError::Io`].
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let file = dir.join(FILE);
        if !file.try_exists().map_err(io_error("look for", &file))? {
            return Err(StoreError::Missing { path: dir.into() });
        }
        let lock = lock(dir)?;
        let database = guard(&file, || {
            let database = Database::builder().set_cache_size(CACHE_BYTES).open(&file);
            database.map_err(|error| database_error(dir, &file, error))
        })?;
        let path: Arc<Path> = file.into();
        let database = Handle { database: Some(database), path: Arc::clone(&path) };
        let view = View::of(database.get(), path)?;
        let store = Self { view, database, stopped: false, _lock: lock };
        store.check_format()?;
        Ok(store)
    }

    /// Creates a store without rows in a directory, which is created if need be.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::Locked`] and [`StoreError::Io`].
    pub fn create(dir: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(io_error("create", dir))?;
        let (file, new) = (dir.join(FILE), dir.join(FILE_NEW));
        let lock = lock(dir)?;
        if file.try_exists().map_err(io_error("look for", &file))? {
            return Err(StoreError::Exists { path: dir.into() });
        }
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("remove", &new)(error));
            }
            _ => {}
        }
        let database =
            Database::builder().create(&new).map_err(|error| database_error(dir, &new, error))?;
        write(&database, &new, |tx| {
            tx.open_table(STATE)?;
            tx.open_table(BLOCKS)?;
            tx.open_table(TRANSACTIONS)?;
            let format = FORMAT.to_le_bytes();
            let record = seal(META_TAG, FORMAT_RECORD.as_bytes(), &format);
            tx.open_table(META)?.insert(FORMAT_RECORD, record.as_slice())?;
            Ok(())
        })?;
        drop(database);
        fs::rename(&new, &file).map_err(io_error("rename", &new))?;
        sync_dir(dir)?;
        drop(lock);
        Self::open(dir)
    }

    fn check_format(&self) -> Result<(), StoreError> {
        let path = &self.view.path;
        let record = self.meta(FORMAT_RECORD)?.and_then(|record| record.try_into().ok());
        let Some(record) = record else {
            return Err(corrupt(path, "it does not say its format".into()));
        };
        match u32::from_le_bytes(record) {
            FORMAT => Ok(()),
            found => Err(StoreError::Format { path: path.to_path_buf(), found, expected: FORMAT }),
        }
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").field("path", &self.view.path).finish_non_exhaustive()
    }
}

impl View {
    fn of(database: &Database, path: Arc<Path>) -> Result<Self, StoreError> {
        let tables = guard(&path, || {
            let error = |error: redb::Error| redb_error(&path, error);
            let tx = database.begin_read().map_err(|e| error(e.into()))?;
            Ok(Tables {
                state: tx.open_table(STATE).map_err(|e| error(e.into()))?,
                blocks: tx.open_table(BLOCKS).map_err(|e| error(e.into()))?,
                transactions: tx.open_table(TRANSACTIONS).map_err(|e| error(e.into()))?,
                meta: tx.open_table(META).map_err(|e| error(e.into()))?,
            })
        })?;
        Ok(Self { tables: Arc::new(tables), path })
    }

    /// The body of a record, checked.
    fn record<'k, K: Key + 'static>(
        &self,
        table: &ReadOnlyTable<K, &'static [u8]>,
        tag: u8,
        key: K::SelfType<'k>,
        key_bytes: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        guard(&self.path, || {
            let found = table.get(key).map_err(|e| redb_error(&self.path, e.into()))?;
            let Some(found) = found else { return Ok(None) };
            let body = unseal(tag, key_bytes, found.value());
            let body = body.ok_or_else(|| {
                let what = format!("a record does not have its checksum table={}", char::from(tag));
                corrupt(&self.path, what)
            })?;
            Ok(Some(body.to_vec()))
        })
    }

    fn row<'a>(&self, hash: &KeyHash, bytes: &'a [u8]) -> Result<Row<'a>, StoreError> {
        decode_row(hash, bytes)
            .ok_or_else(|| corrupt(&self.path, format!("the row of key={hash:?} is cut short")))
    }
}

impl StateRead for View {
    fn get(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        guard(&self.path, || {
            let found = self.tables.state.get(&key.0);
            let Some(found) = found.map_err(|e| redb_error(&self.path, e.into()))? else {
                return Ok(None);
            };
            let row = self.row(key, found.value())?;
            if value_hash(row.value) != row.value_hash {
                let what = format!("the value of key={key:?} is not the one that was written");
                return Err(corrupt(&self.path, what));
            }
            Ok(Some(Bytes::from_slice(row.value)))
        })
    }
}

impl StateScan for View {
    fn scan(
        &self,
        buckets: Range<u32>,
        visit: &mut dyn FnMut(Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if buckets.is_empty() {
            return Ok(());
        }
        guard(&self.path, || {
            let error = |e: StorageError| redb_error(&self.path, e.into());
            let (start, end) = (first_key(buckets.start).0, first_key(buckets.end).0);
            let range = if buckets.end < BUCKETS {
                self.tables.state.range::<&[u8; 32]>(&start..&end)
            } else {
                self.tables.state.range::<&[u8; 32]>(&start..)
            };
            for entry in range.map_err(error)? {
                let (key, bytes) = entry.map_err(error)?;
                visit(self.row(&KeyHash(*key.value()), bytes.value())?)?;
            }
            Ok(())
        })
    }

    fn origin(&self) -> &Path {
        &self.path
    }
}

impl StateRead for RedbStore {
    fn get(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        self.view.get(key)
    }
}

impl StateScan for RedbStore {
    fn scan(
        &self,
        buckets: Range<u32>,
        visit: &mut dyn FnMut(Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.view.scan(buckets, visit)
    }

    fn origin(&self) -> &Path {
        self.view.origin()
    }
}

impl Store for RedbStore {
    fn commit(&mut self, batch: CommitBatch) -> Result<(), StoreError> {
        let path = Arc::clone(&self.view.path);
        if self.stopped {
            return Err(StoreError::Stopped { path: path.to_path_buf() });
        }
        let written = write(self.database.get(), &path, |tx| write_batch(tx, &batch))
            .and_then(|()| View::of(self.database.get(), path));
        // A value that is too large is found before anything is written.
        self.stopped = !matches!(written, Ok(_) | Err(StoreError::TooLarge { .. }));
        self.view = written?;
        Ok(())
    }

    fn snapshot(&self) -> Arc<dyn StateScan> {
        Arc::new(self.view.clone())
    }

    fn block(&self, height: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let table = &self.view.tables.blocks;
        self.view.record(table, BLOCK_TAG, height, &height.to_le_bytes())
    }

    fn latest_height(&self) -> Result<Option<u64>, StoreError> {
        guard(&self.view.path, || {
            let last = self.view.tables.blocks.last();
            let last = last.map_err(|e| redb_error(&self.view.path, e.into()))?;
            Ok(last.map(|(height, _)| height.value()))
        })
    }

    fn tx_location(&self, hash: &Hash) -> Result<Option<TxLocation>, StoreError> {
        let table = &self.view.tables.transactions;
        let Some(record) = self.view.record(table, TX_TAG, &hash.0, &hash.0)? else {
            return Ok(None);
        };
        let location = record.split_first_chunk().and_then(|(height, index)| {
            let index = u32::from_le_bytes(index.try_into().ok()?);
            Some(TxLocation { height: u64::from_le_bytes(*height), index })
        });
        let complaint = || corrupt(&self.view.path, format!("a location is cut short tx={hash}"));
        location.map(Some).ok_or_else(complaint)
    }

    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.view.record(&self.view.tables.meta, META_TAG, name, name.as_bytes())
    }
}

/// One durable transaction.
fn write(
    database: &Database,
    path: &Path,
    fill: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
) -> Result<(), StoreError> {
    guard(path, || {
        let write = || -> Result<(), redb::Error> {
            let mut tx = database.begin_write()?;
            tx.set_durability(Durability::Immediate)?;
            tx.set_two_phase_commit(true);
            fill(&tx)?;
            tx.commit()?;
            Ok(())
        };
        write().map_err(|error| redb_error(path, error))
    })
}

fn write_batch(tx: &WriteTransaction, batch: &CommitBatch) -> Result<(), redb::Error> {
    let mut table = tx.open_table(STATE)?;
    let mut row = Vec::new();
    // In the order of the tree, so that neighbors are written while their page is at hand.
    for change in by_key_hash(&batch.state) {
        let (Some(value), Some(hash)) = (change.value(), change.value_hash()) else {
            table.remove(&change.hash().0)?;
            continue;
        };
        encode_row(change, value, hash, &mut row)?;
        table.insert(&change.hash().0, row.as_slice())?;
    }
    if let Some((height, block)) = &batch.block {
        let record = seal(BLOCK_TAG, &height.to_le_bytes(), block);
        tx.open_table(BLOCKS)?.insert(height, record.as_slice())?;
    }
    let mut table = tx.open_table(TRANSACTIONS)?;
    for (hash, location) in &batch.transactions {
        let mut body = [0; 12];
        body[..8].copy_from_slice(&location.height.to_le_bytes());
        body[8..].copy_from_slice(&location.index.to_le_bytes());
        table.insert(&hash.0, seal(TX_TAG, &hash.0, &body).as_slice())?;
    }
    let mut table = tx.open_table(META)?;
    for (name, record) in &batch.meta {
        table.insert(*name, seal(META_TAG, name.as_bytes(), record).as_slice())?;
    }
    Ok(())
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK);
    let mut options = File::options();
    let lock = options.create(true).truncate(false).write(true).open(&path);
    let lock = lock.map_err(io_error("open", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: dir.into() }),
        Err(TryLockError::Error(source)) => Err(io_error("lock", &path)(source)),
    }
}

/// Makes a rename in the directory durable.
fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    // Other systems offer no such call on a directory.
    if cfg!(unix) {
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("sync", dir))?;
    }
    Ok(())
}
