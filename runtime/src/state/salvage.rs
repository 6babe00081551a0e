//! The blocks of a store that does not open, for a chain that is made again from them.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::archive::least_height;
use super::disk::Disk;
use super::error::StoreError;
use super::log::{Damage, Log, Salvage};
use super::store::{BLOCKS, lock};

/// The blocks of a damaged store. Nobody else opens it meanwhile, and nothing in it is changed.
#[derive(Debug)]
pub(crate) struct SalvagedBlocks {
    log: Salvage,
    path: PathBuf,
    /// Held, not read: closing it gives the directory free.
    _lock: File,
}

impl SalvagedBlocks {
    /// Finds what is whole of the blocks in a store's directory.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Locked`] and [`StoreError::Io`].
    pub(crate) fn find(disk: &Disk, dir: &Path) -> Result<Self, StoreError> {
        let blocks = dir.join(BLOCKS);
        if !blocks.exists() {
            return Err(StoreError::Missing { path: blocks });
        }
        let lock = lock(dir)?;
        let n_required = least_height(disk, dir).map_or(0, |height| height + 1);
        let log = Log::salvage(disk, blocks.clone(), n_required)?;
        Ok(Self { log, path: blocks, _lock: lock })
    }

    /// The directory of the blocks.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How many blocks are whole, from block 0 on.
    pub(crate) fn n_blocks(&self) -> u64 {
        self.log.n_records()
    }

    /// The first block that is lost although it was acknowledged.
    pub(crate) fn damage(&self) -> Option<&Damage> {
        self.log.damage()
    }

    /// The record of a whole block.
    ///
    /// # Errors
    /// [`StoreError::Io`], and [`StoreError::Corrupt`] if it changed meanwhile.
    pub(crate) fn block(&self, height: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.log.read(height)
    }
}
