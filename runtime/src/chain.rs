//! The chain: builds, applies, replays and queries blocks. The only module that owns a store; its
//! caller owns the clock.
//!
//! Transactions come from outside, in whatever order; nothing here assumes that it chose the order.
//! A block is acknowledged, by returning from [`Chain::build`] or [`Chain::apply`], when the store
//! has made it durable.

mod bisect;
mod blocks;
mod nonces;
mod open;
mod pipeline;
mod query;
mod repair;
mod replay;
mod seal;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kempe_abi::{Address, Hash};

use crate::engine::{Artifacts, Contract, Engine, EngineError};
use crate::executor::{Executor, ExecutorError};
use crate::scheduler::{BlockError, Color, PlanError, ScheduleError, Scheduler};
use crate::state::{ChainStore, Lag, StateRead, StateTable, StateTree, StoreError, TxLocation};
use crate::types::{
    Block, BlockRecord, Bytes, Genesis, GenesisError, Header, KeyCache, StateKey, TransactionError,
    system_field,
};

pub use bisect::{Bisection, KeyDifference, ReceiptDifference, bisect};
pub use blocks::{BlockReport, Prepared};
pub use open::{STORE_DIRECTORY, exists};
pub use pipeline::{
    Acknowledged, EncodedTxs, Pipeline, PipelineOptions, Signatures, Stage, StageObserver,
};
pub use query::{CallSpec, Simulation};
pub use repair::{Repair, RepairError, repair, repair_on};
pub use replay::{Divergence, ReplayReport, replay};

/// How a chain executes.
#[derive(Clone, Copy, Debug)]
pub struct ChainOptions {
    /// The number of threads; the result does not depend on it.
    pub n_threads: usize,
    /// The scheduler with which blocks are built.
    pub scheduler: &'static dyn Scheduler,
    /// The bytes of rows that are kept in memory; a larger state is read from the disk where it is
    /// asked for, and the result does not depend on it.
    pub memory_bytes: u64,
    /// What of a chain on disk may wait for a checkpoint before one is made in the background. After a crash at most
    /// three times as much, and what is made durable by one sync, is executed again.
    pub lag_max: Lag,
    /// Where compiled contracts are kept, if anywhere; the result does not depend on it.
    pub artifacts: Option<&'static Artifacts>,
}

/// What is kept of the state in memory by default: some 35 million cells, since those of a bucket of more than 32 take twice 64 bytes.
const MEMORY_BYTES: u64 = 4 << 30;

impl Default for ChainOptions {
    /// One thread for each processor, the coloring scheduler, and compiled contracts in memory only.
    fn default() -> Self {
        let n_threads = std::thread::available_parallelism().map_or(1, Into::into);
        Self {
            n_threads,
            scheduler: &Color,
            memory_bytes: MEMORY_BYTES,
            lag_max: Lag::default(),
            artifacts: None,
        }
    }
}

/// Why the chain refuses, or fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The genesis file is refused.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine cannot be started.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The block could not be executed.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
    /// The block cannot be scheduled.
    #[error(transparent)]
    Schedule(#[from] BlockError),
    /// There is a chain in the directory already.
    #[error("there is a chain already: directory={}", .0.display())]
    Exists(PathBuf),
    /// There is no chain in the directory.
    #[error("there is no chain: directory={}", .0.display())]
    Missing(PathBuf),
    /// The chain was made under other rules than this program has.
    #[error("the chain has other rules than this program: protocol={found} expected={expected}")]
    Protocol {
        /// The chain's.
        found: Hash,
        /// This program's.
        expected: Hash,
    },
    /// The state does not have the root that the last block says.
    #[error("the state is corrupt: state_root={found} expected={expected} height={height}")]
    StateRoot {
        /// What the state has.
        found: Hash,
        /// What the header says.
        expected: Hash,
        /// The last block's height.
        height: u64,
    },
    /// A block holds more transactions than the chain's limit.
    #[error("the block has too many transactions: n_txs={n_txs} n_txs_max={max}")]
    TooManyTransactions {
        /// The block's.
        n_txs: usize,
        /// The chain's limit.
        max: u32,
    },
    /// A transaction of the block is not valid; nothing was changed.
    #[error("transaction {tx_index} of the block: {source}")]
    Transaction {
        /// Its position.
        tx_index: usize,
        /// Why.
        source: Box<TransactionError>,
    },
    /// A block from outside publishes a schedule that is not legal.
    #[error("the schedule is not legal: {0}")]
    IllegalSchedule(#[from] ScheduleError),
    /// A scheduler's plan is illegal: a bug of the scheduler.
    #[error("illegal plan: {0}")]
    IllegalPlan(#[from] PlanError),
    /// A block from outside does not fit.
    #[error("the header's {field} does not fit: found={found} expected={expected}")]
    Header {
        /// The field.
        field: &'static str,
        /// The header's.
        found: String,
        /// What it must be.
        expected: String,
    },
    /// A commit failed before; what is on disk is known only after opening the chain again.
    #[error("an earlier commit failed: open the chain again")]
    Poisoned,
}

/// A chain in a directory, or in memory.
pub struct Chain {
    store: ChainStore,
    tree: StateTree,
    engine: Arc<Engine>,
    executor: Executor,
    options: ChainOptions,
    genesis: Genesis,
    protocol: Hash,
    head: Header,
    keys: Arc<KeyCache>,
    poisoned: bool,
    directory: Option<PathBuf>,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("head", &self.head).finish_non_exhaustive()
    }
}

impl Chain {
    /// The header of the last block.
    #[must_use]
    pub fn head(&self) -> &Header {
        &self.head
    }

    /// The genesis file.
    #[must_use]
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The directory, unless it is in memory.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// How it executes.
    #[must_use]
    pub fn options(&self) -> ChainOptions {
        self.options
    }

    /// The engine, with the code loaded so far.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The state after the last block.
    ///
    /// # Errors
    /// [`ChainError::Poisoned`] after a commit that failed: nobody knows whether the block counts.
    pub fn state(&self) -> Result<Arc<dyn StateRead>, ChainError> {
        Ok(self.table()?.clone())
    }

    /// The rows of the state after the last block, for proofs.
    ///
    /// # Errors
    /// [`ChainError::Poisoned`].
    pub fn table(&self) -> Result<&Arc<StateTable>, ChainError> {
        if self.poisoned { Err(ChainError::Poisoned) } else { Ok(self.store.state().table()) }
    }

    /// Calls `visit` with every cell that has a value, in no order that means anything.
    ///
    /// # Errors
    /// [`ChainError::Store`], and what `visit` returns.
    pub fn cells(
        &self,
        mut visit: impl FnMut(&StateKey, &Bytes) -> Result<(), StoreError>,
    ) -> Result<(), ChainError> {
        Ok(self.store.cells(&mut visit)?)
    }

    /// Writes everything that follows from the blocks to files, so that the next opening has nothing to
    /// execute again. It happens by itself, too, every so many blocks.
    ///
    /// # Errors
    /// [`ChainError::Store`].
    pub fn checkpoint(&mut self) -> Result<(), ChainError> {
        Ok(self.store.checkpoint()?)
    }

    /// The tree over the state, for proofs.
    #[must_use]
    pub fn tree(&self) -> &StateTree {
        &self.tree
    }

    /// A contract, if there is one at the address.
    ///
    /// # Errors
    /// [`ChainError::Store`].
    pub fn contract(&self, address: &Address) -> Result<Option<Contract>, ChainError> {
        Ok(Contract::load(&self.engine, &*self.state()?, address)?)
    }

    /// The nonce of an account's next transaction.
    ///
    /// # Errors
    /// [`ChainError::Store`].
    pub fn next_nonce(&self, account: &Address) -> Result<u64, ChainError> {
        Ok(read_nonce(&*self.state()?, account)?)
    }

    /// The native balance of an account.
    ///
    /// # Errors
    /// [`ChainError::Store`].
    pub fn balance(&self, account: &Address) -> Result<u128, ChainError> {
        Ok(read_balance(&*self.state()?, account)?)
    }

    /// A block with its receipts.
    ///
    /// # Errors
    /// [`ChainError::Store`], also when the stored bytes are corrupt.
    pub fn block(&self, height: u64) -> Result<Option<BlockRecord>, ChainError> {
        if height > self.head.height {
            return Ok(None);
        }
        let block = self.stored_block(height)?;
        let inconsistent =
            |what: String| StoreError::inconsistent(format!("receipts height={height}: {what}"));
        let receipts = self.store.receipts(height)?;
        let receipts = receipts.ok_or_else(|| inconsistent("they are missing".to_owned()))?;
        let receipts =
            borsh::from_slice(&receipts).map_err(|error| inconsistent(error.to_string()))?;
        Ok(Some(BlockRecord { block, receipts }))
    }

    fn stored_block(&self, height: u64) -> Result<Block, StoreError> {
        let inconsistent =
            |what: String| StoreError::inconsistent(format!("block height={height}: {what}"));
        let bytes = self.store.block(height)?;
        let bytes = bytes.ok_or_else(|| inconsistent("it is missing".to_owned()))?;
        let mut rest = bytes.as_slice();
        let block = borsh::BorshDeserialize::deserialize(&mut rest);
        let block = block.map_err(|error| inconsistent(error.to_string()))?;
        // Behind block 0 stands the genesis file.
        if height > 0 && !rest.is_empty() {
            return Err(inconsistent("there is something behind it".to_owned()));
        }
        Ok(block)
    }

    /// Where a transaction is.
    ///
    /// # Errors
    /// [`ChainError::Store`].
    pub fn find_transaction(&self, hash: &Hash) -> Result<Option<TxLocation>, ChainError> {
        Ok(self.store.tx_location(hash)?)
    }
}

/// An account's next nonce; an account that never sent has 0.
fn read_nonce(state: &dyn StateRead, account: &Address) -> Result<u64, StoreError> {
    let key = StateKey::system(system_field::NONCE, &account.0);
    Ok(state.get(&key.hash())?.map_or(0, |value| u64::from_le_bytes(le_bytes(&value))))
}

/// An account's native balance.
fn read_balance(state: &dyn StateRead, account: &Address) -> Result<u128, StoreError> {
    let key = StateKey::system(system_field::BALANCE, &account.0);
    Ok(state.get(&key.hash())?.map_or(0, |value| u128::from_le_bytes(le_bytes(&value))))
}

/// A little-endian number, padded or cut to `N` bytes; what the chain itself wrote has `N`.
fn le_bytes<const N: usize>(value: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    let n = value.len().min(N);
    bytes[..n].copy_from_slice(&value[..n]);
    bytes
}
