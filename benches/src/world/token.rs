//! Transfers of the shipped token.

use kempe_abi::{Address, MethodId};
use kempe_runtime::state::{StateChange, StateRead as _};
use kempe_runtime::types::{Action, Bytes, StateKey};

use super::{UnsignedBlock, World, WorldError, encode, transaction};
use crate::TransferSpec;

/// What each account has in the beginning; a sender of a million [`TransferSpec`]s keeps some.
pub const BALANCE: u128 = 1_000_000_000;

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
/// let mut executor = world.base.executor(2)?;
/// let output = run_block(&mut executor, &block.txs(), &world.base.state())?;
/// assert_eq!(output.receipts.len(), 50);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TokenWorld {
    /// The engine, and the state with the token in it.
    pub base: World,
    token: Address,
    balances: u8,
}

impl TokenWorld {
    /// Deploys the token and gives [`BALANCE`] to each account by writing it to the store, which
    /// takes about 1 µs an account.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn new(n_accounts: usize) -> Result<Self, WorldError> {
        let mut base = World::new()?;
        let token = base.deploy("the token", kempe_contracts::TOKEN, encode(&super::DEPLOYER))?;
        let fields = &base.engine.load(kempe_contracts::TOKEN)?.admitted.abi.fields;
        let balances = fields.iter().position(|field| field.name == "balances");
        let balances = balances.and_then(|at| u8::try_from(at).ok());
        let balances = balances.ok_or_else(|| fault("no field balances"))?;
        let world = Self { base, token, balances };
        let balance = Bytes::from_slice(&BALANCE.to_le_bytes());
        let changes = (0..n_accounts).map(|account| {
            let key = world.balance_key(account);
            let hash = key.hash();
            StateChange::new(key, hash, Some(balance.clone()))
        });
        world.base.store.apply(&changes.collect::<Vec<_>>());
        Ok(world)
    }

    /// Makes a block of transfers.
    #[must_use]
    pub fn block(&self, specs: &[TransferSpec]) -> UnsignedBlock {
        let method = MethodId::of("transfer");
        let transfer = |spec: &TransferSpec| {
            let args = encode(&(account_address(spec.to), spec.amount));
            let action = Action::Call { contract: self.token, method, args };
            transaction(account_address(spec.from), 0, action)
        };
        UnsignedBlock::new(specs.iter().map(transfer).collect())
    }

    /// What an account has; zero if it was never given anything.
    ///
    /// # Errors
    /// [`WorldError`], if the state cannot be read or is not a balance.
    pub fn balance(&self, account: usize) -> Result<u128, WorldError> {
        let Some(value) = self.base.store.get(&self.balance_key(account).hash())? else {
            return Ok(0);
        };
        let bytes = value[..].try_into();
        bytes.map(u128::from_le_bytes).map_err(|_| fault("no balance"))
    }

    fn balance_key(&self, account: usize) -> StateKey {
        StateKey::new(self.token, self.balances, &account_address(account).0)
    }
}

fn fault(fault: &str) -> WorldError {
    WorldError::Contract { contract: "the token", fault: fault.to_owned() }
}

#[cfg(test)]
mod tests {
    use kempe_abi::Outcome;

    use super::*;
    use crate::{Workload, run_block};

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
                let mut executor = world.base.executor(n_threads).unwrap();
                run_block(&mut executor, &block.txs(), &world.base.state()).unwrap()
            };
            let output = run(2);
            assert_eq!(output, run(1), "{workload}");
            assert!(output.receipts.iter().all(|receipt| receipt.outcome == Outcome::Ok));
            world.base.settle(&output.changes);
            assert_eq!(balances(&world), expected, "{workload}");
        }
        assert_eq!(world.balance(N_ACCOUNTS).unwrap(), 0);
    }
}
