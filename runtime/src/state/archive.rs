//! What follows from the block log and may lag behind it: rows, receipts, the index of transactions and
//! the names of cells.
//!
//! # Files
//!
//! | file | holds |
//! | --- | --- |
//! | `manifest` | what belongs together, and the height up to which it goes |
//! | `state/` | the rows, in sorted runs |
//! | `txs/` | where each transaction is, in sorted runs |
//! | `receipts/` | a log of each block's receipts |
//! | `names` | the contract, field and key of every cell that ever had a value |
//!
//! Everything but the manifest is only added to or replaced by new files. A checkpoint writes and syncs
//! what is new, then replaces the manifest by one rename. So after a crash the old manifest or the new
//! one is there, and everything that it speaks of; the rest is removed, and the blocks behind its height
//! are executed again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use borsh::{BorshDeserialize, BorshSerialize};
use kempe_abi::Hash;

use super::changes::Changes;
use super::disk::{Disk, DiskFile, corrupt, io_error};
use super::error::StoreError;
use super::levels::{Levels, short_array};
use super::log::Log;
use super::run::RunInfo;
use crate::files;
use crate::sync::lock;
use crate::types::{KeyHash, StateKey};

/// The version of the layout of a store.
const FORMAT: u32 = 3;

/// The largest manifest that is read: it has 24 bytes for each run, of which there are some dozens.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// The blake3 key for the manifest's checksum.
const MANIFEST_KEY: [u8; 32] = *b"kempe store 2026: manifest      ";

/// Where a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxLocation {
    /// The height of its block.
    pub height: u64,
    /// Its position in the block.
    pub index: u32,
}

/// What belongs together.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
struct Manifest {
    height: u64,
    state: Vec<RunInfo>,
    txs: Vec<RunInfo>,
    n_receipts: u64,
    names_bytes: u64,
    next_run: u64,
}

/// What of a chain on disk waits for a checkpoint, or may wait: what the next opening has to execute again after a crash.
/// More means fewer bytes written, since later changes replace earlier ones; less means a shorter opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Bytes of rows, receipts and names. They bound the memory that waits, too.
    pub bytes: u64,
    /// Blocks: small ones take time, too.
    pub blocks: u64,
    /// What the transactions burned, without two thirds of the price of each, for its own signature, which is not checked again. One is worth about 0.3 ns of one thread.
    pub fuel: u64,
}

impl Default for Lag {
    /// 512 MiB, 1,024 blocks, and three seconds' worth of fuel.
    fn default() -> Self {
        Self { bytes: 512 << 20, blocks: 1024, fuel: 10_000_000_000 }
    }
}

impl Lag {
    pub(super) const ZERO: Self = Self { bytes: 0, blocks: 0, fuel: 0 };

    /// Whether any part of it is more than so many times what may wait.
    pub(super) fn exceeds(&self, max: &Self, times: u64) -> bool {
        let more = |found: u64, max: u64| found > max.saturating_mul(times);
        more(self.bytes, max.bytes) || more(self.blocks, max.blocks) || more(self.fuel, max.fuel)
    }
}

/// Everything that lags behind the block log.
#[derive(Debug)]
pub(super) struct Archive {
    /// The rows; `None` if they are in memory only.
    state: Option<Arc<Levels>>,
    txs: Levels,
    recent: Mutex<Recent>,
    durable: Option<Arc<Mutex<Durable>>>,
}

/// What is not in files yet, by height.
#[derive(Clone, Debug, Default)]
struct Recent {
    receipts: BTreeMap<u64, Arc<Vec<u8>>>,
    names: BTreeMap<u64, Vec<u8>>,
    /// What waits of each block.
    lag: BTreeMap<u64, Lag>,
}

impl Recent {
    fn wait_for(&mut self, height: u64, bytes: u64, fuel: u64) {
        let lag = self.lag.entry(height).or_insert(Lag { blocks: 1, ..Lag::ZERO });
        lag.bytes += bytes;
        lag.fuel = lag.fuel.saturating_add(fuel);
    }
}

#[derive(Debug)]
struct Durable {
    disk: Disk,
    dir: PathBuf,
    receipts: Log,
    names: DiskFile,
    manifest: Manifest,
    stopped: bool,
}

impl Archive {
    /// Nothing is kept on disk.
    pub(super) fn in_memory() -> Self {
        Self { state: None, txs: Levels::in_memory(), recent: Mutex::default(), durable: None }
    }

    /// Makes an archive in a directory that has none, without anything in it. It has no manifest before its
    /// first checkpoint.
    pub(super) fn create(disk: &Disk, dir: &Path) -> Result<Self, StoreError> {
        disk.create_dir(&dir.join("state"))?;
        disk.create_dir(&dir.join("txs"))?;
        let receipts = Log::create(disk, dir.join("receipts"))?;
        let names = disk.create(&dir.join("names"))?;
        let manifest = Manifest {
            height: 0,
            state: Vec::new(),
            txs: Vec::new(),
            n_receipts: 0,
            names_bytes: 0,
            next_run: 0,
        };
        Self::of(disk, dir, receipts, names, manifest)
    }

    /// Opens the archive as its last checkpoint left it.
    pub(super) fn open(disk: &Disk, dir: &Path) -> Result<Self, StoreError> {
        let manifest = read_manifest(&dir.join("manifest"))?;
        remove_others(disk, &dir.join("state"), &manifest.state)?;
        remove_others(disk, &dir.join("txs"), &manifest.txs)?;
        let mut receipts = Log::open(disk, dir.join("receipts"), manifest.n_receipts)?;
        receipts.truncate(manifest.n_receipts)?;
        let names = disk.open(&dir.join("names"))?;
        if names.len()? < manifest.names_bytes {
            return Err(corrupt(names.path(), "it is cut short".to_owned()));
        }
        Self::of(disk, dir, receipts, names, manifest)
    }

    fn of(
        disk: &Disk,
        dir: &Path,
        receipts: Log,
        names: DiskFile,
        manifest: Manifest,
    ) -> Result<Self, StoreError> {
        let state = Levels::open(disk, dir.join("state"), &manifest.state)?;
        let txs = Levels::open(disk, dir.join("txs"), &manifest.txs)?;
        let (disk, dir) = (disk.clone(), dir.to_owned());
        let durable = Durable { disk, dir, receipts, names, manifest, stopped: false };
        Ok(Self {
            state: Some(Arc::new(state)),
            txs,
            recent: Mutex::default(),
            durable: Some(Arc::new(Mutex::new(durable))),
        })
    }

    /// The same, which takes other blocks from now on, in memory: nobody may make a checkpoint of either.
    pub(super) fn copy(&self) -> Self {
        Self {
            state: self.state.as_ref().map(|state| Arc::new(state.copy())),
            txs: self.txs.copy(),
            recent: Mutex::new(lock(&self.recent).clone()),
            durable: self.durable.clone(),
        }
    }

    /// The rows on disk.
    pub(super) fn levels(&self) -> Result<Arc<Levels>, StoreError> {
        let missing = || StoreError::inconsistent("the state is not on disk".to_owned());
        self.state.clone().ok_or_else(missing)
    }

    /// The height of the last checkpoint.
    pub(super) fn height(&self) -> u64 {
        self.durable.as_ref().map_or(0, |durable| lock(durable).manifest.height)
    }

    /// Takes what a block changed. Its rows must be [applied](super::StateTable::apply_rows) afterward.
    pub(super) fn push_changes(&self, height: u64, changes: &Arc<Changes>) {
        let Some(state) = &self.state else { return };
        state.push(height, Arc::clone(changes));
        lock(&self.recent).wait_for(height, changes.bytes(), 0);
    }

    /// Takes the names of cells that a block gave their first values.
    pub(super) fn push_names(&self, height: u64, names: impl Iterator<Item = StateKey>) {
        let mut bytes = Vec::new();
        for name in names {
            name.serialize(&mut bytes).expect("encoding to memory cannot fail");
        }
        let mut recent = lock(&self.recent);
        recent.wait_for(height, bytes.len() as u64, 0);
        recent.names.insert(height, bytes);
    }

    /// Takes a block's encoded receipts, the hashes of its transactions, and the fuel that they burned, without what their own signatures cost.
    pub(super) fn push_block(
        &self,
        height: u64,
        receipts: Arc<Vec<u8>>,
        hashes: &[Hash],
        fuel: u64,
    ) {
        let prefix =
            |hash: &Hash| hash.0.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let mut order: Vec<(u64, u32)> = hashes.iter().map(prefix).zip(0..).collect();
        // Eight bytes decide nearly always, and comparing them touches no other memory.
        order.sort_unstable_by(|(a, i), (b, j)| {
            a.cmp(b).then_with(|| hashes[*i as usize].cmp(&hashes[*j as usize]))
        });
        let mut located = Changes::with_capacity(order.len());
        for (_, index) in order {
            let hash = hashes[index as usize];
            let mut place = [0; 12];
            place[..8].copy_from_slice(&height.to_le_bytes());
            place[8..].copy_from_slice(&index.to_le_bytes());
            located.push(&KeyHash(hash.0), Some(&place));
        }
        let bytes = located.bytes() + receipts.len() as u64;
        self.txs.push(height, Arc::new(located));
        let mut recent = lock(&self.recent);
        recent.receipts.insert(height, receipts);
        recent.wait_for(height, bytes, fuel);
    }

    /// What waits for a checkpoint.
    pub(super) fn lag(&self) -> Lag {
        let recent = lock(&self.recent);
        recent.lag.values().fold(Lag::ZERO, |all, block| Lag {
            bytes: all.bytes + block.bytes,
            blocks: all.blocks + block.blocks,
            fuel: all.fuel.saturating_add(block.fuel),
        })
    }

    /// Where the transaction with this hash is.
    pub(super) fn tx_location(&self, hash: &Hash) -> Result<Option<TxLocation>, StoreError> {
        let Some(row) = self.txs.find(&hash.0)? else { return Ok(None) };
        let complaint = || StoreError::inconsistent(format!("a location is cut short tx={hash}"));
        let place: [u8; 12] = short_array(&row).ok_or_else(complaint)?;
        let (height, index) = place.split_first_chunk().expect("12 bytes have 8");
        let index = index.first_chunk().expect("12 bytes have 4 behind 8");
        let (height, index) = (u64::from_le_bytes(*height), u32::from_le_bytes(*index));
        Ok(Some(TxLocation { height, index }))
    }

    /// The encoded receipts of a block.
    pub(super) fn receipts(&self, height: u64) -> Result<Option<Arc<Vec<u8>>>, StoreError> {
        if let Some(receipts) = lock(&self.recent).receipts.get(&height) {
            return Ok(Some(Arc::clone(receipts)));
        }
        let Some(durable) = &self.durable else { return Ok(None) };
        Ok(lock(durable).receipts.read(height)?.map(Arc::new))
    }

    /// Calls `visit` with the name of every cell that has, or had, a value; some more than once.
    pub(super) fn names(
        &self,
        visit: &mut dyn FnMut(&StateKey) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if let Some(durable) = &self.durable {
            let durable = lock(durable);
            let length = usize::try_from(durable.manifest.names_bytes);
            let mut bytes = vec![0; length.expect("files of names fit into memory")];
            durable.names.read_at(&mut bytes, 0)?;
            visit_names(&bytes, durable.names.path(), visit)?;
        }
        let recent: Vec<Vec<u8>> = lock(&self.recent).names.values().cloned().collect();
        recent.iter().try_for_each(|bytes| visit_names(bytes, Path::new(":memory:"), visit))
    }

    /// The error for names that are not those of the cells.
    pub(super) fn damaged_names(&self, n_named: u64, n_cells: u64) -> StoreError {
        let what = format!("names of cells are damaged n_named={n_named} n_cells={n_cells}");
        match &self.durable {
            Some(durable) => corrupt(lock(durable).names.path(), what),
            None => StoreError::inconsistent(what),
        }
    }

    /// Writes what follows from the blocks up to a height to files. The blocks themselves must be
    /// durable. After an error nothing more is written until the store is opened again.
    pub(super) fn checkpoint(&self, height: u64) -> Result<(), StoreError> {
        let (Some(durable), Some(state)) = (&self.durable, &self.state) else { return Ok(()) };
        let mut durable = lock(durable);
        if durable.stopped {
            return Err(StoreError::Stopped { path: durable.dir.clone() });
        }
        durable.stopped = true;
        let next_run = durable.manifest.next_run;
        let state_flushed = state.flush(height, next_run)?;
        let txs_flushed = self.txs.flush(height, next_run + 1)?;
        self.write_receipts(&mut durable, height)?;
        let names_bytes = self.write_names(&durable, height)?;
        let manifest = Manifest {
            height,
            state: state_flushed.infos(),
            txs: txs_flushed.infos(),
            n_receipts: durable.receipts.n_records(),
            names_bytes,
            next_run: next_run + 2,
        };
        durable.disk.replace(&durable.dir.join("manifest"), &seal(FORMAT, &manifest))?;
        durable.manifest = manifest;
        state.install(state_flushed)?;
        self.txs.install(txs_flushed)?;
        let mut recent = lock(&self.recent);
        recent.lag.retain(|at, _| *at > height);
        recent.receipts.retain(|at, _| *at > height);
        recent.names.retain(|at, _| *at > height);
        durable.stopped = false;
        Ok(())
    }

    fn write_receipts(&self, durable: &mut Durable, height: u64) -> Result<(), StoreError> {
        let waiting: Vec<Arc<Vec<u8>>> =
            lock(&self.recent).receipts.range(..=height).map(|(_, r)| Arc::clone(r)).collect();
        for receipts in &waiting {
            durable.receipts.append(&[&[receipts.as_slice()]])?;
        }
        durable.receipts.sync()
    }

    fn write_names(&self, durable: &Durable, height: u64) -> Result<u64, StoreError> {
        let names: Vec<Vec<u8>> =
            lock(&self.recent).names.range(..=height).map(|(_, names)| names.clone()).collect();
        let names = names.concat();
        let start = durable.manifest.names_bytes;
        if !names.is_empty() {
            durable.names.write_at(&names, start)?;
            durable.names.sync()?;
        }
        Ok(start + names.len() as u64)
    }
}

/// The greatest height of which an archive says, as far as it can be read, that it was durable: that of the manifest,
/// or of the last receipts.
pub(super) fn least_height(disk: &Disk, dir: &Path) -> Option<u64> {
    let manifest = read_manifest(&dir.join("manifest")).ok().map(|manifest| manifest.height);
    let receipts = Log::salvage(disk, dir.join("receipts"), 0).ok();
    manifest.max(receipts.and_then(|receipts| receipts.n_records().checked_sub(1)))
}

fn visit_names(
    mut bytes: &[u8],
    path: &Path,
    visit: &mut dyn FnMut(&StateKey) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    while !bytes.is_empty() {
        let name = StateKey::deserialize(&mut bytes);
        visit(&name.map_err(|_| corrupt(path, "a name is cut short".to_owned()))?)?;
    }
    Ok(())
}

/// `format (4) | checksum (32) | manifest`, the checksum over format and manifest. That much is the same in every format,
/// so that damage is not taken for another one.
fn seal(format: u32, manifest: &Manifest) -> Vec<u8> {
    let body = borsh::to_vec(manifest).expect("encoding to memory cannot fail");
    let mut bytes = format.to_le_bytes().to_vec();
    bytes.extend_from_slice(&manifest_sum(format, &body));
    bytes.extend_from_slice(&body);
    bytes
}

fn manifest_sum(format: u32, body: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(&MANIFEST_KEY);
    hasher.update(&format.to_le_bytes()).update(body);
    *hasher.finalize().as_bytes()
}

fn read_manifest(path: &Path) -> Result<Manifest, StoreError> {
    let bytes = files::read(path, MANIFEST_BYTES_MAX).map_err(io_error("read", path))?;
    let damaged = || corrupt(path, "it is not what was written".to_owned());
    let (format, rest) = bytes.split_first_chunk().ok_or_else(damaged)?;
    let found = u32::from_le_bytes(*format);
    let (sum, body) = rest.split_first_chunk::<32>().ok_or_else(damaged)?;
    if *sum != manifest_sum(found, body) {
        return Err(damaged());
    }
    if found != FORMAT {
        return Err(StoreError::Format { path: path.to_owned(), found, expected: FORMAT });
    }
    borsh::from_slice(body).map_err(|_| damaged())
}

/// Removes the runs that the manifest does not speak of: those of a checkpoint that a crash ended, and
/// those that the last one replaced.
fn remove_others(disk: &Disk, dir: &Path, runs: &[RunInfo]) -> Result<(), StoreError> {
    for entry in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let path = entry.map_err(io_error("list", dir))?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let id: Option<u64> = stem.and_then(|stem| stem.parse().ok());
        if id.is_some_and(|id| runs.iter().all(|run| run.id != id)) {
            disk.remove(&path)?;
        }
    }
    Ok(())
}

/// Writes the manifest in this directory again, as one of another format.
#[cfg(test)]
pub(super) fn reformat(dir: &Path, format: u32) {
    let path = dir.join("manifest");
    let manifest = read_manifest(&path).expect("it is whole");
    fs::write(path, seal(format, &manifest)).expect("writable");
}
