//! Blocks of token transfers that run without a chain: no signatures, no nonces, no disk. What is
//! measured with them is what the executor does.

use std::sync::Arc;

use kempe_abi::{Address, Hash, MethodId, Outcome};
use kempe_runtime::engine::{BlockEnv, Engine, EngineError};
use kempe_runtime::executor::{BlockOutput, Change, Executor, ExecutorError, Plan, Tx};
use kempe_runtime::scheduler::{Color, Mode, PlanError, ScheduleError, Scheduler};
use kempe_runtime::state::{StateChange, StateRead, StateTable, StoreError};
use kempe_runtime::types::{Action, Bytes, Prices, StateKey, Transaction, contract_address};

use crate::TransferSpec;

/// What each account has in the beginning; a sender of a million [`TransferSpec`]s keeps some.
pub const BALANCE: u128 = 1_000_000_000;

/// More than a transfer needs, or the deployment of the token.
const FUEL_MAX: u64 = 1_000_000_000;

const ENV: BlockEnv = BlockEnv { height: 1, time_ms: 1 };

/// Why a block of transfers could not be made or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The engine did not start, or refused the token.
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
    /// The store did not take the changes.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The token has no field `balances`, or was not deployed.
    #[error("the token cannot be set up: {0}")]
    Token(String),
}

/// The address of a workload's account. Hashed, because real addresses are spread evenly.
#[must_use]
pub fn account_address(number: usize) -> Address {
    Address(*blake3::hash(&(number as u64).to_le_bytes()).as_bytes())
}

/// The shipped token on a store in memory, and accounts that hold it.
///
/// ```
/// use kempe_bench::{TokenWorld, Workload, run_block};
///
/// let world = TokenWorld::new(100)?;
/// let specs = Workload::Uniform { n_accounts: 100 }.transfers(50, 7)?;
/// let block = world.block(&specs);
/// let mut executor = world.executor(2)?;
/// let output = run_block(&mut executor, &block.txs(), &world.state())?;
/// assert_eq!(output.receipts.len(), 50);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TokenWorld {
    engine: Arc<Engine>,
    store: Arc<StateTable>,
    token: Address,
    balances: u8,
}

/// Unsigned transfers with their hashes.
#[derive(Clone, Debug)]
pub struct TokenBlock {
    /// The transactions.
    pub transactions: Vec<Transaction>,
    /// Their hashes, by position.
    pub hashes: Vec<Hash>,
}

impl TokenBlock {
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

impl TokenWorld {
    /// Deploys the token and gives [`BALANCE`] to each account by writing it to the store, which
    /// takes about 1 µs an account.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn new(n_accounts: usize) -> Result<Self, TokenError> {
        let engine = Arc::new(Engine::new()?);
        let fields = &engine.load(kempe_contracts::TOKEN)?.admitted.abi.fields;
        let balances = fields.iter().position(|field| field.name == "balances");
        let balances = balances.and_then(|at| u8::try_from(at).ok());
        let balances = balances.ok_or_else(|| TokenError::Token("no field balances".to_owned()))?;
        let deployer = Address([1; 32]);
        let token = contract_address(&deployer, 0, 0);
        let mut world = Self { engine, store: Arc::new(StateTable::new()), token, balances };
        world.deploy(deployer)?;
        let balance = Bytes::from_slice(&BALANCE.to_le_bytes());
        let changes = (0..n_accounts).map(|account| {
            let key = world.balance_key(account);
            let hash = key.hash();
            StateChange::new(key, hash, Some(balance.clone()))
        });
        world.store.apply(&changes.collect::<Vec<_>>());
        Ok(world)
    }

    fn deploy(&mut self, deployer: Address) -> Result<(), TokenError> {
        let args = encode(&deployer);
        let wasm = kempe_contracts::TOKEN.to_vec();
        let block = TokenBlock::new(vec![transaction(deployer, Action::Deploy { wasm, args })]);
        let output = run_block(&mut self.executor(1)?, &block.txs(), &self.state())?;
        let outcome = output.receipts[0].outcome;
        if outcome != Outcome::Ok {
            return Err(TokenError::Token(format!("its deployment ended with {outcome:?}")));
        }
        self.settle(output.changes)
    }

    /// An executor for this world's blocks.
    ///
    /// # Errors
    /// [`TokenError::Executor`], if the threads cannot be started.
    pub fn executor(&self, n_threads: usize) -> Result<Executor, TokenError> {
        Ok(Executor::new(&self.engine, Prices::default(), n_threads)?)
    }

    /// Makes a block of transfers.
    #[must_use]
    pub fn block(&self, specs: &[TransferSpec]) -> TokenBlock {
        let method = MethodId::of("transfer");
        let transfer = |spec: &TransferSpec| {
            let args = encode(&(account_address(spec.to), spec.amount));
            let action = Action::Call { contract: self.token, method, args };
            transaction(account_address(spec.from), action)
        };
        TokenBlock::new(specs.iter().map(transfer).collect())
    }

    /// The state as it is now.
    #[must_use]
    pub fn state(&self) -> Arc<dyn StateRead> {
        self.store.clone()
    }

    /// Takes over a block's changes.
    ///
    /// # Errors
    /// [`TokenError::Store`].
    pub fn settle(&mut self, changes: Vec<Change>) -> Result<(), TokenError> {
        let changes = changes.into_iter();
        let changes = changes.map(|Change { key, hash, value }| StateChange::new(key, hash, value));
        self.store.apply(&changes.collect::<Vec<_>>());
        Ok(())
    }

    /// What an account has; zero if it was never given anything.
    ///
    /// # Errors
    /// [`TokenError`], if the state cannot be read or is not a balance.
    pub fn balance(&self, account: usize) -> Result<u128, TokenError> {
        let Some(value) = self.store.get(&self.balance_key(account).hash())? else {
            return Ok(0);
        };
        let bytes = value[..].try_into();
        bytes.map(u128::from_le_bytes).map_err(|_| TokenError::Token("no balance".to_owned()))
    }

    fn balance_key(&self, account: usize) -> StateKey {
        StateKey::new(self.token, self.balances, &account_address(account).0)
    }
}

fn encode(args: &impl borsh::BorshSerialize) -> Vec<u8> {
    borsh::to_vec(args).expect("encoding to memory cannot fail")
}

fn transaction(sender: Address, action: Action) -> Transaction {
    Transaction {
        chain_id: 1,
        sender,
        nonce: 0,
        fuel_limit: FUEL_MAX,
        actions: vec![action],
        access: Vec::new(),
    }
}

/// Runs a block as a chain does between the check of signatures and the state root: access lists,
/// slots, schedule by [`Color`] and its check, execution, receipts, sorted changes.
///
/// # Errors
/// [`TokenError`].
pub fn run_block(
    executor: &mut Executor,
    txs: &[Tx<'_>],
    state: &Arc<dyn StateRead>,
) -> Result<BlockOutput, TokenError> {
    let lists = executor.derive(txs, state)?;
    let interned = executor.intern(lists, txs);
    let schedule = Color.schedule(&interned.block());
    let plan = Plan::new(interned, schedule, Mode::Free)?;
    Ok(executor.execute(txs, &plan, state, ENV)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Workload;

    #[test]
    fn a_block_moves_what_its_transfers_say() {
        const N_ACCOUNTS: usize = 40;
        let mut world = TokenWorld::new(N_ACCOUNTS).unwrap();
        for (seed, workload) in [
            (1, Workload::Uniform { n_accounts: N_ACCOUNTS }),
            (2, Workload::OneHot { n_accounts: N_ACCOUNTS }),
        ] {
            let balances = |world: &TokenWorld| -> Vec<u128> {
                (0..N_ACCOUNTS).map(|account| world.balance(account).unwrap()).collect()
            };
            let mut expected = balances(&world);
            let specs = workload.transfers(500, seed).unwrap();
            for spec in &specs {
                expected[spec.from] -= spec.amount;
                expected[spec.to] += spec.amount;
            }
            let block = world.block(&specs);
            let run = |n_threads| {
                let mut executor = world.executor(n_threads).unwrap();
                run_block(&mut executor, &block.txs(), &world.state()).unwrap()
            };
            let output = run(2);
            assert_eq!(output, run(1), "{workload}");
            assert!(output.receipts.iter().all(|receipt| receipt.outcome == Outcome::Ok));
            world.settle(output.changes).unwrap();
            assert_eq!(balances(&world), expected, "{workload}");
        }
        assert_eq!(world.balance(N_ACCOUNTS).unwrap(), 0);
    }
}
