//! Blocks that run without a chain: no signatures, no nonces, no disk. What is measured with them is
//! what the executor does.

mod calls;
mod replay;
mod token;

use std::sync::Arc;

use kempe_abi::{Address, Hash, Outcome};
use kempe_runtime::engine::{BlockEnv, Engine, EngineError};
use kempe_runtime::executor::{BlockOutput, ChangedCells, Executor, ExecutorError, Plan, Tx};
use kempe_runtime::scheduler::{Color, Mode, PlanError, ScheduleError, Scheduler};
use kempe_runtime::state::{StateRead, StateTable, StoreError};
use kempe_runtime::types::{Action, LIST_ENTRIES_MAX, Prices, Transaction, contract_address};

pub(crate) use calls::{CHAIN, Calls, Stage};
pub use replay::ReplayWorld;
pub use token::{BALANCE, TokenWorld, account_address};

use crate::{ACCESSES_MAX, WorkloadError};

/// More than a transfer needs, or a deployment, or the longest transaction of a recorded block.
const FUEL_MAX: u64 = 1_000_000_000_000;

pub(crate) const ENV: BlockEnv = BlockEnv { height: 1, time_ms: 1_000_000_000 };

/// The most keys of a transaction: its list also names the contract that it calls.
const KEYS_MAX: usize = LIST_ENTRIES_MAX - 1;

/// Who deploys the contracts.
const CHAIN_ID: u64 = 1;
const DEPLOYER: Address = Address([1; 32]);

/// Why a block could not be made or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// The engine did not start, or refused a contract.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The executor did not run the block.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
    /// The schedule is wrong: a bug of the scheduler.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The plan is wrong: a bug of the scheduler.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The same, of a scheduler that was measured.
    #[error("{scheduler} on {block}: {error}{key}")]
    Illegal {
        /// The scheduler.
        scheduler: String,
        /// The block.
        block: String,
        /// What is wrong.
        error: PlanError,
        /// The key that it is about, in parentheses behind a space, if it is about one.
        key: String,
    },
    /// The store did not take the changes.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are no such transfers.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// A contract was not deployed, or its state is not what it should be.
    #[error("{contract} cannot be set up: {fault}")]
    Contract {
        /// The contract.
        contract: &'static str,
        /// What is wrong.
        fault: String,
    },
    /// A transaction of a recorded block touches more than a list may name.
    #[error(
        "transaction {tx} of {block} touches {n_keys} keys, and a list names at most {KEYS_MAX}"
    )]
    ListTooLong {
        /// The block.
        block: String,
        /// The position of the transaction.
        tx: usize,
        /// How many keys it touches.
        n_keys: usize,
    },
    /// The transactions of a pattern would have more accesses than [`ACCESSES_MAX`].
    #[error("{0} has more than {ACCESSES_MAX} accesses: take less of `txs`, `over` or `ops`")]
    TooManyAccesses(String),
    /// A transaction that should succeed failed, or the other way round.
    #[error("transaction {tx} of {block} ended with {outcome:?}")]
    Outcome {
        /// The block.
        block: String,
        /// The position of the transaction.
        tx: usize,
        /// How it ended.
        outcome: Outcome,
    },
}

/// An engine, and a state in memory with contracts in it.
#[derive(Debug)]
pub struct World {
    engine: Arc<Engine>,
    store: Arc<StateTable>,
    n_deployed: u32,
}

/// Unsigned transactions with their hashes.
#[derive(Clone, Debug)]
pub struct UnsignedBlock {
    /// The transactions.
    pub transactions: Vec<Transaction>,
    /// Their hashes, by position.
    pub hashes: Vec<Hash>,
}

impl UnsignedBlock {
    /// The transactions as the executor takes them.
    #[must_use]
    pub fn txs(&self) -> Vec<Tx<'_>> {
        let pairs = self.transactions.iter().zip(&self.hashes);
        pairs.map(|(transaction, &hash)| Tx { transaction, hash }).collect()
    }

    fn new(transactions: Vec<Transaction>) -> Self {
        let hashes = transactions.iter().map(Transaction::hash).collect();
        Self { transactions, hashes }
    }
}

impl World {
    /// A world without contracts.
    ///
    /// # Errors
    /// [`WorldError::Engine`].
    pub fn new() -> Result<Self, WorldError> {
        Ok(Self {
            engine: Arc::new(Engine::new()?),
            store: Arc::new(StateTable::new()),
            n_deployed: 0,
        })
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Deploys a contract; `name` is for the error.
    fn deploy(
        &mut self,
        name: &'static str,
        wasm: &[u8],
        args: Vec<u8>,
    ) -> Result<Address, WorldError> {
        let nonce = u64::from(self.n_deployed);
        let action = Action::Deploy { wasm: wasm.to_vec(), args, authority: None };
        let block = UnsignedBlock::new(vec![transaction(DEPLOYER, nonce, action)]);
        let output = run_block(&mut self.executor(1)?, &block.txs(), &self.state())?;
        let outcome = output.receipts[0].outcome;
        if outcome != Outcome::Ok {
            let fault = format!("its deployment ended with {outcome:?}");
            return Err(WorldError::Contract { contract: name, fault });
        }
        self.settle(&output.changes);
        self.n_deployed += 1;
        Ok(contract_address(CHAIN_ID, &DEPLOYER, nonce, 0))
    }

    /// An executor for this world's blocks.
    ///
    /// # Errors
    /// [`WorldError::Executor`], if the threads cannot be started.
    pub fn executor(&self, n_threads: usize) -> Result<Executor, WorldError> {
        Ok(Executor::new(&self.engine, Prices::default(), n_threads)?)
    }

    /// The state as it is now.
    #[must_use]
    pub fn state(&self) -> Arc<dyn StateRead> {
        self.store.clone()
    }

    /// Takes over a block's changes.
    pub fn settle(&mut self, changes: &ChangedCells) {
        self.store.apply_changes(changes.rows());
    }
}

fn encode(args: &impl borsh::BorshSerialize) -> Vec<u8> {
    borsh::to_vec(args).expect("encoding to memory cannot fail")
}

fn transaction(sender: Address, nonce: u64, action: Action) -> Transaction {
    Transaction {
        chain_id: CHAIN_ID,
        sender,
        nonce,
        fuel_limit: FUEL_MAX,
        actions: vec![action],
        access: Vec::new(),
    }
}

/// Runs a block as a chain does between the check of signatures and the state root: access lists,
/// slots, schedule by [`Color`] and its check, execution, receipts, sorted changes.
///
/// # Errors
/// [`WorldError`].
pub fn run_block(
    executor: &mut Executor,
    txs: &[Tx<'_>],
    state: &Arc<dyn StateRead>,
) -> Result<BlockOutput, WorldError> {
    let lists = executor.derive(txs, state)?;
    let interned = executor.intern(lists, txs)?;
    let schedule = Color.schedule(&interned.block());
    let plan = Plan::new(interned, schedule, Mode::Free)?;
    Ok(executor.execute(txs, &plan, state, ENV)?)
}
