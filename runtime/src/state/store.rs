//! A chain's store: the block log, the state in memory, and the archive that lags behind.
//!
//! # Files
//!
//! | file | holds |
//! | --- | --- |
//! | `LOCK` | nothing; locked by the one process that has the store open |
//! | `blocks/` | the [block log](super::log): what is acknowledged |
//! | the others | what follows from the blocks: see [`archive`](super::archive) |

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use kempe_abi::Hash;
use rayon::prelude::*;

use super::archive::{Archive, Lag, TxLocation};
use super::changes::{Changes, StateChange};
use super::disk::{Disk, io_error};
use super::error::StoreError;
use super::log::Log;
use super::table::{StateRead, StateTable};
use super::tree::{BUCKETS, Buckets, StateTree};
use crate::files;
use crate::types::{Bytes, KeyHash, StateKey};

const LOCK: &str = "LOCK";
pub(super) const BLOCKS: &str = "blocks";

/// When so many times as much waits as may wait before a checkpoint is started, the next block waits for that.
pub(super) const LAG_TIMES_MAX: u64 = 3;

/// What may be left for the next opening to execute again, when a store is closed.
const CLOSED_LAG: Lag = Lag { bytes: 4 << 20, blocks: 16, fuel: 1_000_000_000 };

/// Buckets that are loaded by one task.
const BUCKETS_PER_TASK: u32 = 4096;

/// Where a chain is kept: on disk, or in memory.
#[derive(Debug)]
pub struct ChainStore {
    state: StateStore,
    blocks: Blocks,
    checkpoint: Option<JoinHandle<Result<(), StoreError>>>,
    /// What may wait before a checkpoint is started.
    lag_max: Lag,
    /// Held, not read: closing it gives the directory free.
    lock: Option<Arc<File>>,
}

/// The part of a store that has the state: what a block changes goes in here, and is durable with the block.
#[derive(Clone, Debug)]
pub struct StateStore {
    table: Arc<StateTable>,
    archive: Arc<Archive>,
}

#[derive(Debug)]
enum Blocks {
    Memory(Vec<Vec<u8>>),
    Disk(Log),
    /// A log that is only read, and the blocks behind it.
    Fork(Arc<Log>, Vec<Vec<u8>>),
}

impl StateStore {
    /// The state.
    #[must_use]
    pub fn table(&self) -> &Arc<StateTable> {
        &self.table
    }

    /// Takes over what the block at `height` changed. `name` says which cell the row at a position of
    /// the changes is; it is asked for cells that were not there before, by ascending position.
    pub fn apply(&self, height: u64, changes: &Arc<Changes>, name: impl FnMut(usize) -> StateKey) {
        self.table.begin();
        self.archive.push_changes(height, changes);
        let new = self.table.apply_rows(changes);
        self.archive.push_names(height, new.into_iter().map(name));
        self.table.evict();
    }

    /// Takes over what else follows from the block at `height`: its encoded receipts, and where its
    /// transactions are. `fuel` is what they burned, which tells how long executing it again takes.
    pub fn archive(&self, height: u64, receipts: Arc<Vec<u8>>, hashes: &[Hash], fuel: u64) {
        self.archive.push_block(height, receipts, hashes, fuel);
    }

    #[cfg(test)]
    pub(super) fn lag(&self) -> Lag {
        self.archive.lag()
    }
}

impl ChainStore {
    /// A store in memory, with the state and the record of block 0.
    #[must_use]
    pub fn in_memory(changes: &[StateChange], record: Vec<u8>) -> Self {
        let table = Arc::new(StateTable::new());
        let state = StateStore { table, archive: Arc::new(Archive::in_memory()) };
        apply_genesis(&state, changes);
        Self::of(state, Blocks::Memory(vec![record]), None)
    }

    fn of(state: StateStore, blocks: Blocks, lock: Option<Arc<File>>) -> Self {
        Self { state, blocks, checkpoint: None, lag_max: Lag::default(), lock }
    }

    /// Makes a store in a directory that has none, with the state and the record of block 0, and closes it.
    ///
    /// # Errors
    /// [`StoreError::Locked`] and [`StoreError::Io`].
    pub fn create(
        disk: &Disk,
        dir: &Path,
        changes: &[StateChange],
        record: &[u8],
    ) -> Result<(), StoreError> {
        disk.create_dir(dir)?;
        let lock = lock(dir)?;
        let mut log = Log::create(disk, dir.join(BLOCKS))?;
        log.append(&[&[record]])?;
        log.sync()?;
        log.mark_end()?;
        let archive = Arc::new(Archive::create(disk, dir)?);
        let table = Arc::new(StateTable::over(archive.levels()?, u64::MAX));
        let state = StateStore { table, archive };
        apply_genesis(&state, changes);
        state.archive.checkpoint(0)?;
        disk.sync_dir(dir)?;
        drop(lock);
        Ok(())
    }

    /// Opens the store in a directory: the state as of the last checkpoint, whose height is given,
    /// and the tree over it. The blocks above that height have to be executed again.
    ///
    /// Reads, checks and hashes every row, on all threads of the current rayon pool; keeps as many
    /// as `memory_bytes` permit.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Locked`], [`StoreError::Format`],
    /// [`StoreError::Corrupt`] and [`StoreError::Io`].
    pub fn open(
        disk: &Disk,
        dir: &Path,
        memory_bytes: u64,
    ) -> Result<(Self, StateTree, u64), StoreError> {
        if !dir.join(BLOCKS).exists() {
            return Err(StoreError::Missing { path: dir.into() });
        }
        let lock = lock(dir)?;
        Self::open_locked(disk, dir, memory_bytes, lock, Blocks::Disk)
    }

    /// Opens the store in a directory as [`open`](Self::open) does, without changing anything in it: what is
    /// added stays in memory. Others may do so at the same time; nobody can open it to change it.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn fork(dir: &Path, memory_bytes: u64) -> Result<(Self, StateTree, u64), StoreError> {
        if !dir.join(BLOCKS).exists() {
            return Err(StoreError::Missing { path: dir.into() });
        }
        let lock = lock_shared(dir)?;
        let blocks = |log| Blocks::Fork(Arc::new(log), Vec::new());
        Self::open_locked(&Disk::read_only(), dir, memory_bytes, lock, blocks)
    }

    fn open_locked(
        disk: &Disk,
        dir: &Path,
        memory_bytes: u64,
        lock: File,
        blocks: impl FnOnce(Log) -> Blocks,
    ) -> Result<(Self, StateTree, u64), StoreError> {
        let archive = Archive::open(disk, dir)?;
        let height = archive.height();
        let log = Log::open(disk, dir.join(BLOCKS), height + 1)?;
        let table = StateTable::over(archive.levels()?, memory_bytes);
        let tree = load(&archive, &table)?;
        let state = StateStore { table: Arc::new(table), archive: Arc::new(archive) };
        Ok((Self::of(state, blocks(log), Some(Arc::new(lock))), tree, height))
    }

    /// The same store, which takes other blocks from now on; `None` if its blocks go to a disk. Copies the rows
    /// that are in memory.
    #[must_use]
    pub fn copy(&self) -> Option<Self> {
        let blocks = match &self.blocks {
            Blocks::Memory(blocks) => Blocks::Memory(blocks.clone()),
            Blocks::Fork(log, above) => Blocks::Fork(Arc::clone(log), above.clone()),
            Blocks::Disk(_) => return None,
        };
        let archive = Arc::new(self.state.archive.copy());
        let table = Arc::new(self.state.table.copy(archive.levels().ok()));
        let state = StateStore { table, archive };
        Some(Self::of(state, blocks, self.lock.clone()))
    }

    /// Sets what may wait before [`keep_up`](Self::keep_up) starts a checkpoint.
    pub fn set_lag_max(&mut self, lag_max: Lag) {
        self.lag_max = lag_max;
    }

    /// The state and where it changes.
    #[must_use]
    pub fn state(&self) -> &StateStore {
        &self.state
    }

    /// The greatest height of a block.
    #[must_use]
    pub fn height(&self) -> u64 {
        let n_records = match &self.blocks {
            Blocks::Memory(blocks) => blocks.len() as u64,
            Blocks::Disk(log) => log.n_records(),
            Blocks::Fork(log, above) => log.n_records() + above.len() as u64,
        };
        n_records - 1
    }

    /// Writes the records of the next blocks, each in parts that belong together, and makes them
    /// durable with one sync.
    ///
    /// # Errors
    /// [`StoreError::Io`]; after it nobody knows which of the blocks are on disk, and every later call
    /// fails with [`StoreError::Stopped`] until the store is opened again.
    pub fn append(&mut self, records: &[&[&[u8]]]) -> Result<(), StoreError> {
        match &mut self.blocks {
            Blocks::Memory(blocks) | Blocks::Fork(_, blocks) => {
                blocks.extend(records.iter().map(|parts| parts.concat()));
            }
            Blocks::Disk(log) => {
                log.append(records)?;
                log.sync()?;
            }
        }
        Ok(())
    }

    /// The record of the block at a height, checked.
    ///
    /// # Errors
    /// [`StoreError::Io`] and [`StoreError::Corrupt`].
    pub fn block(&self, height: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let nth = |blocks: &[Vec<u8>], at: u64| {
            usize::try_from(at).ok().and_then(|at| blocks.get(at)).cloned()
        };
        match &self.blocks {
            Blocks::Memory(blocks) => Ok(nth(blocks, height)),
            Blocks::Disk(log) => log.read(height),
            Blocks::Fork(log, above) => match height.checked_sub(log.n_records()) {
                Some(at) => Ok(nth(above, at)),
                None => log.read(height),
            },
        }
    }

    /// The encoded receipts of the block at a height.
    ///
    /// # Errors
    /// [`StoreError::Io`] and [`StoreError::Corrupt`].
    pub fn receipts(&self, height: u64) -> Result<Option<Arc<Vec<u8>>>, StoreError> {
        self.state.archive.receipts(height)
    }

    /// Where the transaction with this hash is.
    ///
    /// # Errors
    /// [`StoreError::Io`] and [`StoreError::Corrupt`].
    pub fn tx_location(&self, hash: &Hash) -> Result<Option<TxLocation>, StoreError> {
        self.state.archive.tx_location(hash)
    }

    /// Calls `visit` with every cell that has a value, in no order that means anything. Counts at the end whether
    /// they were all, since names have no checksum: that looks at every bucket.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupt`], and what `visit` returns.
    pub fn cells(
        &self,
        visit: &mut dyn FnMut(&StateKey, &Bytes) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut seen: hashbrown::HashSet<KeyHash> = hashbrown::HashSet::new();
        self.state.archive.names(&mut |name| {
            let hash = name.hash();
            match self.state.table.get(&hash)? {
                Some(value) if seen.insert(hash) => visit(name, &value),
                _ => Ok(()),
            }
        })?;
        let (n_named, n_rows) = (seen.len() as u64, self.state.table.n_rows()?);
        if n_named == n_rows {
            return Ok(());
        }
        Err(self.state.archive.damaged_names(n_named, n_rows))
    }

    /// Starts a checkpoint in the background if enough waits for one, and waits for it if three times as much does. So
    /// what the next opening executes again is at most that, and the blocks since the last call.
    /// All blocks that were applied must be durable.
    ///
    /// # Errors
    /// What an earlier checkpoint failed with.
    pub fn keep_up(&mut self) -> Result<(), StoreError> {
        self.keep_up_to(self.height())
    }

    /// As [`keep_up`](Self::keep_up), where only the blocks up to a height were applied.
    ///
    /// # Errors
    /// What an earlier checkpoint failed with.
    pub fn keep_up_to(&mut self, height: u64) -> Result<(), StoreError> {
        if !matches!(self.blocks, Blocks::Disk(_)) {
            return Ok(());
        }
        if self.checkpoint.as_ref().is_some_and(JoinHandle::is_finished) {
            self.finish_checkpoint()?;
        }
        if self.checkpoint.is_some()
            && self.state.archive.lag().exceeds(&self.lag_max, LAG_TIMES_MAX)
        {
            self.finish_checkpoint()?;
        }
        if self.checkpoint.is_none() && self.state.archive.lag().exceeds(&self.lag_max, 1) {
            let archive = Arc::clone(&self.state.archive);
            let thread = std::thread::Builder::new().name("kempe-checkpoint".to_owned());
            let start = thread.spawn(move || archive.checkpoint(height));
            self.checkpoint = Some(start.map_err(io_error("start a thread for", Path::new("")))?);
        }
        Ok(())
    }

    /// Makes a checkpoint now, where blocks go to a disk: the next opening has nothing to execute again.
    ///
    /// # Errors
    /// [`StoreError::Io`], what an earlier checkpoint failed with, and [`StoreError::Stopped`] where an
    /// [`append`](Self::append) has failed: nobody knows which of its blocks are on the disk, and a checkpoint must not be ahead of them.
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        let Blocks::Disk(log) = &self.blocks else { return Ok(()) };
        log.check_usable()?;
        self.finish_checkpoint()?;
        self.state.archive.checkpoint(self.height())
    }

    fn finish_checkpoint(&mut self) -> Result<(), StoreError> {
        let Some(thread) = self.checkpoint.take() else { return Ok(()) };
        let ended = thread.join();
        ended.unwrap_or_else(|_| Err(StoreError::inconsistent("a checkpoint panicked".to_owned())))
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.finish_checkpoint()?;
        if self.state.archive.lag().exceeds(&CLOSED_LAG, 1) {
            self.checkpoint()?;
        }
        match &mut self.blocks {
            Blocks::Memory(_) | Blocks::Fork(..) => Ok(()),
            Blocks::Disk(log) => log.mark_end(),
        }
    }
}

impl Drop for ChainStore {
    fn drop(&mut self) {
        // Whatever was acknowledged is durable already, so there is nobody to tell of a failure.
        let _ = self.close();
    }
}

fn apply_genesis(state: &StateStore, changes: &[StateChange]) {
    let mut sorted: Vec<&StateChange> = changes.iter().collect();
    sorted.sort_by_key(|change| *change.hash());
    let all = Arc::new(Changes::of(changes));
    state.apply(0, &all, |at| sorted[at].key().clone());
    state.archive(0, Arc::new(borsh::to_vec::<Vec<u8>>(&Vec::new()).unwrap_or_default()), &[], 0);
}

/// Reads all rows, keeps those that fit into memory, and hashes their buckets.
fn load(archive: &Archive, table: &StateTable) -> Result<StateTree, StoreError> {
    let levels = archive.levels()?;
    let parts: Vec<_> = (0..BUCKETS / BUCKETS_PER_TASK)
        .into_par_iter()
        .map(|task| {
            let first = task * BUCKETS_PER_TASK;
            let (mut numbers, mut rows, mut ends) = (Vec::new(), Vec::new(), Vec::new());
            levels.buckets(first, first + BUCKETS_PER_TASK, |bucket, found| {
                numbers.push(bucket);
                rows.extend_from_slice(&found.rows);
                ends.push(rows.len());
                table.admit(bucket, found);
                Ok(())
            })?;
            Ok(Buckets::of(numbers, &rows, &ends))
        })
        .collect::<Result<_, StoreError>>()?;
    let buckets = Buckets::concat(parts);
    table.admit_empty(&buckets.hashes);
    Ok(StateTree::from_parts(buckets))
}

/// How often and after what time a lock is asked for again: a process that this one starts has what was open, the
/// lock of a chain that was just closed too, until it becomes the other program.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

pub(super) fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK);
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    let lock = files::open_with(&mut options, &path).map_err(io_error("open", &path))?;
    locked(|| lock.try_lock(), dir)?;
    Ok(lock)
}

/// A lock on a directory itself, in which somebody puts something together that has its name only when it is whole: another one
/// would take it for something unfinished.
pub(crate) fn lock_directory(dir: &Path) -> Result<File, StoreError> {
    let lock = File::open(dir).map_err(io_error("open", dir))?;
    locked(|| lock.try_lock(), dir)?;
    Ok(lock)
}

/// A lock for readers, on the file that whoever made the store left.
fn lock_shared(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK);
    let lock = files::open(&path).map_err(io_error("open", &path))?;
    locked(|| lock.try_lock_shared(), dir)?;
    Ok(lock)
}

/// Asks for a lock, again for a moment if it is held.
fn locked(ask: impl Fn() -> Result<(), TryLockError>, dir: &Path) -> Result<(), StoreError> {
    let mut result = ask();
    for _ in 0..LOCK_TRIES {
        if !matches!(result, Err(TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(LOCK_PAUSE);
        result = ask();
    }
    result.map_err(|error| match error {
        TryLockError::WouldBlock => StoreError::Locked { path: dir.into() },
        TryLockError::Error(source) => io_error("lock", dir)(source),
    })
}
