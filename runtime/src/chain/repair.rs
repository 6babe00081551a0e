//! Making a chain's store again from its blocks.
//!
//! The block log is all that counts; whatever else is in the store follows from it. A repair executes every block
//! again, from genesis, into a new store beside the old one, and changes nothing before that is whole:
//!
//! | step | a crash behind it leaves |
//! | --- | --- |
//! | `store.unfinished` is made | the old store; the next repair starts again |
//! | it becomes `store.repaired` | the same |
//! | `store` becomes `store.damaged-N` | no store; the next repair goes on with the next step |
//! | `store.repaired` becomes `store` | the repaired chain |
//!
//! Nothing of the old store is removed.

use std::fs;
use std::path::{Path, PathBuf};

use borsh::BorshDeserialize;
use kempe_abi::Hash;

use super::open::{REPAIRED_DIRECTORY, STORE_DIRECTORY, Start, UNFINISHED_DIRECTORY, io};
use super::{Chain, ChainError, ChainOptions};
use crate::state::{ChainStore, Disk, SalvagedBlocks, StoreError};
use crate::types::{Block, Genesis};

/// What a repair made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The height of the last block.
    pub height: u64,
    /// The state root after it.
    pub state_root: Hash,
    /// Where the files are that were there before.
    pub set_aside: PathBuf,
}

/// Why a chain cannot be repaired. Its store is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairError {
    /// Block 0 is lost, from which all others follow.
    #[error("block 0 cannot be recovered, and no block without it path={}: {what}", path.display())]
    Genesis {
        /// The file or directory where it should be.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A block is lost, and those behind it need it.
    #[error("block {height} cannot be recovered, and none behind it path={}: {what}", path.display())]
    Block {
        /// The height of the first block that is lost; those below are whole.
        height: u64,
        /// The file or directory where it is, or should be.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Blocks would be given up for nothing, or another number of them than has to be.
    #[error("nothing is cut off after block {asked}: the blocks are whole up to {last}")]
    Keep {
        /// After which block to cut.
        asked: u64,
        /// The last block that is whole.
        last: u64,
    },
    /// The chain cannot be read or written at all.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl From<StoreError> for RepairError {
    fn from(error: StoreError) -> Self {
        Self::Chain(error.into())
    }
}

/// Makes the store of a chain again from its blocks: the state, the receipts, the index of transactions, and what
/// else follows from them. The old store is kept, as `store.damaged-N` in the chain's directory.
///
/// Every block is checked as one from elsewhere is, signatures too, and executed. A torn last record was never
/// acknowledged and is left out. A block that is lost is an error, because those behind it cannot be executed
/// without it; with its height less one as `keep`, the blocks up to there become the chain.
///
/// Takes as long as applying all blocks does, with a sync for each, and the space of another store.
///
/// # Errors
/// [`RepairError`]; nothing was changed then, unless a rename failed: repairing again goes on.
pub fn repair(
    directory: &Path,
    options: ChainOptions,
    keep: Option<u64>,
    progress: impl FnMut(u64),
) -> Result<Repair, RepairError> {
    repair_on(&Disk::default(), directory, options, keep, progress)
}

/// Repairs as [`repair`] does, on a disk that may fail by a plan.
///
/// # Errors
/// Those of [`repair`].
pub fn repair_on(
    disk: &Disk,
    directory: &Path,
    options: ChainOptions,
    keep: Option<u64>,
    progress: impl FnMut(u64),
) -> Result<Repair, RepairError> {
    let store = directory.join(STORE_DIRECTORY);
    let repaired = directory.join(REPAIRED_DIRECTORY);
    let n_aside = (1..).find(|n| !aside(directory, *n).exists()).unwrap_or(u64::MAX);
    if !store.exists() && repaired.exists() {
        disk.rename(&repaired, &store)?;
        disk.sync_dir(directory)?;
        let chain = Chain::open_on(disk, directory, options)?;
        return Ok(Repair::of(&chain, aside(directory, n_aside - 1)));
    }
    if !store.exists() {
        return Err(ChainError::Missing(directory.to_owned()).into());
    }
    let lost = |error| match error {
        StoreError::Missing { path } => {
            RepairError::Genesis { path, what: "it is missing".to_owned() }
        }
        error => error.into(),
    };
    let blocks = SalvagedBlocks::find(disk, &store).map_err(lost)?;
    check_whole(&blocks, keep)?;
    let unfinished = directory.join(UNFINISHED_DIRECTORY);
    remove(&unfinished)?;
    remove(&repaired)?;
    let made = rebuild(disk, &unfinished, &blocks, options, keep, progress);
    let chain = made.inspect_err(|_| {
        // The error is told; the next repair removes it, too.
        let _ = remove(&unfinished);
    })?;
    let repair = Repair::of(&chain, aside(directory, n_aside));
    drop(chain);
    disk.rename(&unfinished, &repaired)?;
    disk.sync_dir(directory)?;
    disk.rename(&store, &repair.set_aside)?;
    disk.rename(&repaired, &store)?;
    disk.sync_dir(directory)?;
    Ok(repair)
}

impl Repair {
    fn of(chain: &Chain, set_aside: PathBuf) -> Self {
        let head = chain.head();
        Self { height: head.height, state_root: head.state_root, set_aside }
    }
}

fn aside(directory: &Path, n: u64) -> PathBuf {
    directory.join(format!("{STORE_DIRECTORY}.damaged-{n}"))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    if path.exists() { fs::remove_dir_all(path).map_err(io("remove", path)) } else { Ok(()) }
}

/// Refuses a log that lost a block, unless the blocks before it are to be kept and no others.
fn check_whole(blocks: &SalvagedBlocks, keep: Option<u64>) -> Result<(), RepairError> {
    let Some(damage) = blocks.damage() else { return Ok(()) };
    let (height, path) = (damage.height, damage.path.clone());
    let what = "its record is damaged or missing".to_owned();
    let Some(last) = height.checked_sub(1) else { return Err(RepairError::Genesis { path, what }) };
    match keep {
        None => Err(RepairError::Block { height, path, what }),
        // One of the whole blocks may turn out not to execute, and then those before it are kept.
        Some(asked) if asked <= last => Ok(()),
        Some(asked) => Err(RepairError::Keep { asked, last }),
    }
}

/// A chain of the whole blocks, in a store at `path`.
fn rebuild(
    disk: &Disk,
    path: &Path,
    blocks: &SalvagedBlocks,
    options: ChainOptions,
    keep: Option<u64>,
    mut progress: impl FnMut(u64),
) -> Result<Chain, RepairError> {
    let last = blocks.n_blocks().saturating_sub(1);
    let record = blocks.block(0)?.unwrap_or_default();
    let genesis = |what: String| RepairError::Genesis { path: blocks.path().into(), what };
    let (_, text): (Block, String) =
        borsh::from_slice(&record).map_err(|error| genesis(error.to_string()))?;
    let start = Start::of(&Genesis::parse(&text).map_err(ChainError::from)?)?;
    ChainStore::create(disk, path, &start.changes, &record)?;
    let mut chain = Chain::open_store(disk, path, options, None)?;
    for height in 1..=last {
        let record = blocks.block(height)?.unwrap_or_default();
        let applied = Block::try_from_slice(&record)
            .map_err(|error| error.to_string())
            .map(|block| chain.apply(&block));
        let what = match applied {
            Ok(Ok(_)) => None,
            // The new store failed, not the block.
            Ok(Err(error @ (ChainError::Store(_) | ChainError::Executor(_)))) => {
                return Err(error.into());
            }
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error),
        };
        match what {
            None => progress(height),
            Some(_) if keep == Some(height - 1) => return Ok(chain),
            Some(what) => {
                return Err(RepairError::Block { height, path: blocks.path().into(), what });
            }
        }
    }
    match keep {
        Some(asked) if asked != last || blocks.damage().is_none() => {
            Err(RepairError::Keep { asked, last })
        }
        _ => Ok(chain),
    }
}
