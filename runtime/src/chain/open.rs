//! Creating a chain from a genesis file, and opening one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kempe_abi::Hash;

use super::{Chain, ChainError, ChainOptions};
use crate::engine::{ENGINE_VERSION, Engine};
use crate::executor::{Executor, ExecutorError};
use crate::scheduler::Schedule;
use crate::state::{
    ChainStore, Disk, StateChange, StateTable, StateTree, StoreError, lock_directory,
};
use crate::types::{
    Block, Bytes, Genesis, GenesisAccount, Header, StateKey, merkle_root, schedule_hash,
    system_field,
};

/// The name of the store's directory inside the chain's directory.
pub const STORE_DIRECTORY: &str = "store";

/// The store's directory until the genesis block is in it.
pub(super) const UNFINISHED_DIRECTORY: &str = "store.unfinished";

/// The directory of a repaired store until the damaged one has another name.
pub(super) const REPAIRED_DIRECTORY: &str = "store.repaired";

/// Whether there is a chain in a directory, also one whose repair was interrupted.
#[must_use]
pub fn exists(directory: &Path) -> bool {
    [STORE_DIRECTORY, REPAIRED_DIRECTORY].iter().any(|name| directory.join(name).exists())
}

impl Chain {
    /// Makes a chain in a directory that has none, with the genesis block in it.
    ///
    /// # Errors
    /// [`ChainError::Exists`], and [`ChainError::Store`] when the directory cannot be written, or somebody makes one there just now.
    pub fn create(
        directory: &Path,
        genesis: Genesis,
        options: ChainOptions,
    ) -> Result<Self, ChainError> {
        Self::create_on(&Disk::default(), directory, genesis, options)
    }

    /// Makes a chain as [`create`](Self::create) does, on a disk that may fail by a plan.
    ///
    /// # Errors
    /// Those of [`create`](Self::create).
    pub fn create_on(
        disk: &Disk,
        directory: &Path,
        genesis: Genesis,
        options: ChainOptions,
    ) -> Result<Self, ChainError> {
        fs::create_dir_all(directory).map_err(io("create", directory))?;
        let lock = lock_directory(directory)?;
        // Nobody else makes one now.
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
        let start = Start::of(&genesis)?;
        ChainStore::create(disk, &unfinished, &start.changes, &start.record)?;
        fs::rename(&unfinished, &finished).map_err(io("rename", &unfinished))?;
        let parent = fs::File::open(directory).map_err(io("open", directory))?;
        parent.sync_all().map_err(io("sync", directory))?;
        drop(lock);
        Self::open_on(disk, directory, options)
    }

    /// Opens the chain in a directory and checks that its state has the root of the last block.
    ///
    /// # Errors
    /// [`ChainError::Missing`], [`ChainError::StateRoot`], [`ChainError::Protocol`], and
    /// [`ChainError::Store`] when another process has it open or a file is corrupt.
    pub fn open(directory: &Path, options: ChainOptions) -> Result<Self, ChainError> {
        Self::open_on(&Disk::default(), directory, options)
    }

    /// Opens a chain as [`open`](Self::open) does, on a disk that may fail by a plan.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_on(
        disk: &Disk,
        directory: &Path,
        options: ChainOptions,
    ) -> Result<Self, ChainError> {
        if !exists(directory) {
            return Err(ChainError::Missing(directory.to_owned()));
        }
        Self::open_store(
            disk,
            &directory.join(STORE_DIRECTORY),
            options,
            Some(directory.to_owned()),
        )
    }

    /// Opens the chain whose store is at a path.
    pub(super) fn open_store(
        disk: &Disk,
        path: &Path,
        options: ChainOptions,
        directory: Option<PathBuf>,
    ) -> Result<Self, ChainError> {
        let threads = loading_threads(options.n_threads)?;
        let (store, tree, height) =
            threads.install(|| ChainStore::open(disk, path, options.memory_bytes))?;
        drop(threads);
        Self::with_store(store, tree, height, options, directory)
    }

    /// Opens the chain in a directory as [`open`](Self::open) does, without changing anything in it: further
    /// blocks are in memory and gone when the chain is dropped. Meanwhile nobody can open it to change it.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    ///
    /// ```
    /// use kempe_runtime::chain::{Chain, ChainOptions};
    /// use kempe_runtime::types::Genesis;
    ///
    /// let directory = tempfile::tempdir()?;
    /// let genesis = Genesis::parse("chain_id = 7")?;
    /// drop(Chain::create(directory.path(), genesis, ChainOptions::default())?);
    /// let mut fork = Chain::fork(directory.path(), ChainOptions::default())?;
    /// fork.build(Vec::new(), 1_000)?;
    /// assert_eq!(fork.head().height, 1);
    /// drop(fork);
    /// assert_eq!(Chain::open(directory.path(), ChainOptions::default())?.head().height, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fork(directory: &Path, options: ChainOptions) -> Result<Self, ChainError> {
        if !exists(directory) {
            return Err(ChainError::Missing(directory.to_owned()));
        }
        let path = directory.join(STORE_DIRECTORY);
        let threads = loading_threads(options.n_threads)?;
        let (store, tree, height) =
            threads.install(|| ChainStore::fork(&path, options.memory_bytes))?;
        drop(threads);
        Self::with_store(store, tree, height, options, None)
    }

    /// The chain as it is now, in memory, on which other blocks may follow; `None` for a chain whose blocks
    /// go to a disk. Compiled code is shared. Cost: copies the rows in memory and the tree of 36 MB.
    ///
    /// # Errors
    /// [`ChainError::Poisoned`], and [`ChainError::Executor`] when threads cannot be started.
    pub fn copy(&self) -> Result<Option<Self>, ChainError> {
        if self.poisoned {
            return Err(ChainError::Poisoned);
        }
        let Some(store) = self.store.copy() else { return Ok(None) };
        Ok(Some(Self {
            store,
            tree: self.tree.clone(),
            engine: Arc::clone(&self.engine),
            executor: Executor::new(&self.engine, self.genesis.prices, self.options.n_threads)?,
            options: self.options,
            genesis: self.genesis.clone(),
            protocol: self.protocol,
            head: self.head.clone(),
            keys: Arc::clone(&self.keys),
            poisoned: false,
            directory: None,
        }))
    }

    /// A chain in memory; it is gone when dropped.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn in_memory(genesis: Genesis, options: ChainOptions) -> Result<Self, ChainError> {
        let start = Start::of(&genesis)?;
        let store = ChainStore::in_memory(&start.changes, start.record);
        Self::with_store(store, start.tree, 0, options, None)
    }

    /// A chain whose state and tree are those after the block at `height`; the blocks behind it are
    /// executed again.
    fn with_store(
        mut store: ChainStore,
        tree: StateTree,
        height: u64,
        options: ChainOptions,
        directory: Option<PathBuf>,
    ) -> Result<Self, ChainError> {
        store.set_lag_max(options.lag_max);
        let record = store.block(0)?.unwrap_or_default();
        let (first, text): (Block, String) = borsh::from_slice(&record)
            .map_err(|error| StoreError::inconsistent(format!("block height=0: {error}")))?;
        let genesis = Genesis::parse(&text)?;
        let engine = Arc::new(Engine::with(options.artifacts)?);
        let executor = Executor::new(&engine, genesis.prices, options.n_threads)?;
        let protocol = genesis.protocol(ENGINE_VERSION);
        if first.header.protocol != protocol {
            let found = first.header.protocol;
            return Err(ChainError::Protocol { found, expected: protocol });
        }
        let mut chain = Self {
            store,
            tree,
            engine,
            executor,
            options,
            genesis,
            protocol,
            head: first.header,
            keys: Arc::default(),
            poisoned: false,
            directory,
        };
        chain.catch_up(height)?;
        Ok(chain)
    }

    /// From the state after the block at `height` to that after the last block.
    fn catch_up(&mut self, height: u64) -> Result<(), ChainError> {
        self.head = self.stored_block(height)?.header;
        if self.tree.root() != self.head.state_root {
            let (found, expected) = (self.tree.root(), self.head.state_root);
            return Err(ChainError::StateRoot { found, expected, height });
        }
        for height in height + 1..=self.store.height() {
            let block = self.stored_block(height)?;
            self.redo(&block)?;
            self.store.keep_up_to(height)?;
        }
        Ok(())
    }

    /// Executes with another number of threads or another scheduler from now on.
    ///
    /// # Errors
    /// [`ChainError::Executor`] when the threads cannot be started.
    pub fn set_options(&mut self, options: ChainOptions) -> Result<(), ChainError> {
        if options.n_threads != self.options.n_threads {
            self.executor = Executor::new(&self.engine, self.genesis.prices, options.n_threads)?;
        }
        self.store.set_lag_max(options.lag_max);
        self.options = options;
        Ok(())
    }
}

pub(super) fn io<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(std::io::Error) -> StoreError + 'a {
    move |source| StoreError::Io { action, path: path.to_owned(), source }
}

fn loading_threads(n_threads: usize) -> Result<rayon::ThreadPool, ExecutorError> {
    // As the system usually gives, whatever the environment says.
    const STACK_BYTES: usize = 2 << 20;
    let threads = rayon::ThreadPoolBuilder::new().num_threads(n_threads.max(1));
    let threads = threads.stack_size(STACK_BYTES).build();
    threads.map_err(|error| ExecutorError::Threads(error.to_string()))
}

/// Block 0: the balances of the genesis file, and nothing else.
pub(super) struct Start {
    pub(super) changes: Vec<StateChange>,
    tree: StateTree,
    /// What the log has of it: the block, and the genesis file.
    record: Vec<u8>,
}

impl Start {
    pub(super) fn of(genesis: &Genesis) -> Result<Self, ChainError> {
        let accounts = genesis.accounts.iter().filter(|account| account.balance > 0);
        let change = |account: &GenesisAccount| {
            let key = StateKey::system(system_field::BALANCE, &account.address.0);
            let value = Bytes::from_slice(&u128::from(account.balance).to_le_bytes());
            let hash = key.hash();
            StateChange::new(key, hash, Some(value))
        };
        let changes: Vec<StateChange> = accounts.map(change).collect();
        let mut tree = StateTree::empty();
        tree.apply(tree.update(&StateTable::new(), &changes)?);
        let schedule = Schedule::default();
        let header = Header {
            height: 0,
            parent: Hash::ZERO,
            time_ms: genesis.time_ms,
            protocol: genesis.protocol(ENGINE_VERSION),
            transactions_root: merkle_root(&[]),
            schedule_hash: schedule_hash(&schedule),
            receipts_root: merkle_root(&[]),
            state_root: tree.root(),
        };
        let block = Block { header, transactions: Vec::new(), schedule };
        let record = (block, genesis.to_toml());
        let record = borsh::to_vec(&record).expect("encoding to memory cannot fail");
        Ok(Self { changes, tree, record })
    }
}
