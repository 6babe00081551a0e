//! Creating a chain from a genesis file, and opening one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kempe_abi::Hash;

use super::{Chain, ChainError, ChainOptions};
use crate::engine::{ENGINE_VERSION, Engine};
use crate::executor::{Change, Executor};
use crate::scheduler::Schedule;
use crate::state::{
    CommitBatch, MemoryStore, RedbStore, StateChange, StateTree, Store, StoreError,
};
use crate::types::{
    Block, BlockRecord, Bytes, Genesis, Header, StateKey, merkle_root, schedule_hash, system_field,
};

/// The name of the store's directory inside the chain's directory.
pub const STORE_DIRECTORY: &str = "store";

/// The store's directory until the genesis block is in it.
const UNFINISHED_DIRECTORY: &str = "store.unfinished";

const META_GENESIS: &str = "genesis";

/// Whether there is a chain in a directory.
#[must_use]
pub fn exists(directory: &Path) -> bool {
    directory.join(STORE_DIRECTORY).exists()
}

impl Chain {
    /// Makes a chain in a directory that has none, with the genesis block in it.
    ///
    /// # Errors
    /// [`ChainError::Exists`], and [`ChainError::Store`] when the directory cannot be written.
    pub fn create(
        directory: &Path,
        genesis: Genesis,
        options: ChainOptions,
    ) -> Result<Self, ChainError> {
        if exists(directory) {
            return Err(ChainError::Exists(directory.to_owned()));
        }
        // The store gets its name when the genesis block is in it, so that a crash leaves either
        // no chain or a whole one.
        let (unfinished, finished) =
            (directory.join(UNFINISHED_DIRECTORY), directory.join(STORE_DIRECTORY));
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(io("remove", &unfinished))?;
        }
        let mut store = RedbStore::create(&unfinished)?;
        store.commit(genesis_batch(&genesis)?)?;
        drop(store);
        fs::rename(&unfinished, &finished).map_err(io("rename", &unfinished))?;
        let parent = fs::File::open(directory).map_err(io("open", directory))?;
        parent.sync_all().map_err(io("sync", directory))?;
        Self::open(directory, options)
    }

    /// Opens the chain in a directory and checks that its state has the root of the last block.
    ///
    /// # Errors
    /// [`ChainError::Missing`], [`ChainError::StateRoot`], [`ChainError::Protocol`], and
    /// [`ChainError::Store`] when another process has it open or a file is corrupt.
    pub fn open(directory: &Path, options: ChainOptions) -> Result<Self, ChainError> {
        if !exists(directory) {
            return Err(ChainError::Missing(directory.to_owned()));
        }
        let store = RedbStore::open(&directory.join(STORE_DIRECTORY))?;
        Self::with_store(Box::new(store), options, Some(directory.to_owned()))
    }

    /// A chain in memory; it is gone when dropped.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn in_memory(genesis: Genesis, options: ChainOptions) -> Result<Self, ChainError> {
        let mut store = MemoryStore::default();
        store.commit(genesis_batch(&genesis)?)?;
        Self::with_store(Box::new(store), options, None)
    }

    fn with_store(
        store: Box<dyn Store>,
        options: ChainOptions,
        directory: Option<PathBuf>,
    ) -> Result<Self, ChainError> {
        let corrupt = |what: &str| StoreError::inconsistent(what.to_owned());
        let text = store.meta(META_GENESIS)?.ok_or_else(|| corrupt("the genesis is missing"))?;
        let text = String::from_utf8(text).map_err(|_| corrupt("the genesis is not text"))?;
        let genesis = Genesis::parse(&text)?;
        let engine = Arc::new(Engine::new()?);
        let executor = Executor::new(&engine, genesis.prices, options.n_threads)?;
        let tree = executor.install(|| StateTree::from_state(&*store))?;
        let height = store.latest_height()?.ok_or_else(|| corrupt("there is no block"))?;
        let bytes = store.block(height)?.ok_or_else(|| corrupt("the last block is missing"))?;
        let record: BlockRecord = borsh::from_slice(&bytes)
            .map_err(|error| corrupt(&format!("block height={height}: {error}")))?;
        let head = record.block.header;
        let protocol = genesis.protocol(ENGINE_VERSION);
        if head.protocol != protocol {
            return Err(ChainError::Protocol { found: head.protocol, expected: protocol });
        }
        if tree.root() != head.state_root {
            let (found, expected) = (tree.root(), head.state_root);
            return Err(ChainError::StateRoot { found, expected, height });
        }
        Ok(Self {
            store,
            tree,
            engine,
            executor,
            options,
            genesis,
            protocol,
            head,
            poisoned: false,
            directory,
        })
    }

    /// Executes with another number of threads or another scheduler from now on.
    ///
    /// # Errors
    /// [`ChainError::Executor`] when the threads cannot be started.
    pub fn set_options(&mut self, options: ChainOptions) -> Result<(), ChainError> {
        if options.n_threads != self.options.n_threads {
            self.executor = Executor::new(&self.engine, self.genesis.prices, options.n_threads)?;
        }
        self.options = options;
        Ok(())
    }
}

fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> StoreError + 'a {
    move |source| StoreError::Io { action, path: path.to_owned(), source }
}

/// Block 0: the balances of the genesis file, and nothing else.
fn genesis_batch(genesis: &Genesis) -> Result<CommitBatch, ChainError> {
    let mut changes: Vec<Change> = genesis
        .accounts
        .iter()
        .filter(|account| account.balance > 0)
        .map(|account| {
            let key = StateKey::system(system_field::BALANCE, &account.address.0);
            let value = Bytes::from_slice(&u128::from(account.balance).to_le_bytes());
            Change { hash: key.hash(), key, value: Some(value) }
        })
        .collect();
    changes.sort_unstable_by_key(|change| change.hash);
    let state: Vec<_> =
        changes.into_iter().map(|c| StateChange::new(c.key, c.hash, c.value)).collect();
    let update = StateTree::empty().update(&MemoryStore::default(), &state)?;
    let schedule = Schedule::default();
    let header = Header {
        height: 0,
        parent: Hash::ZERO,
        time_ms: genesis.time_ms,
        protocol: genesis.protocol(ENGINE_VERSION),
        transactions_root: merkle_root(&[]),
        schedule_hash: schedule_hash(&schedule),
        receipts_root: merkle_root(&[]),
        state_root: update.root(),
    };
    let block = Block { header, transactions: Vec::new(), schedule };
    let record = BlockRecord { block, receipts: Vec::new() };
    let bytes = borsh::to_vec(&record).expect("encoding to memory cannot fail");
    Ok(CommitBatch {
        state,
        block: Some((0, bytes)),
        transactions: Vec::new(),
        meta: vec![(META_GENESIS, genesis.to_toml().into_bytes())],
    })
}
