//! End-to-end tests of the whole of Kempe.
//!
//! This library is what the tests share: a chain with contracts on it, and accounts that sign.
#![allow(clippy::missing_panics_doc, reason = "a test fails by panicking")]

pub mod hold;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use borsh::BorshSerialize;
use ed25519_zebra::SigningKey;
use kempe_abi::{Address, MethodId};
use kempe_runtime::chain::{BlockReport, Chain, ChainError, ChainOptions};
use kempe_runtime::scheduler::{Color, Scheduler};
use kempe_runtime::types::{
    Action, DeclaredAccess, Genesis, GenesisAccount, Receipt, SignedTransaction, Transaction,
    address_of, contract_address,
};

/// The size of a test: a number in the environment, for the long form, or the short form's.
///
/// # Panics
/// If there is something else in the environment, so that nobody takes a short run for a long one.
#[must_use]
pub fn number<N: FromStr>(name: &str, short: N) -> N {
    let Some(text) = std::env::var_os(name) else { return short };
    let number = text.to_str().and_then(|text| text.parse().ok());
    number.unwrap_or_else(|| panic!("{name}={text:?} is not a number in range"))
}

/// Whether an error names a damaged file. Where the key of a log is another one, it is a file of the log that does not fit.
#[must_use]
pub fn names(error: &str, file: &Path) -> bool {
    let is_key = file.file_name().is_some_and(|name| name == "key");
    let named = if is_key { file.parent().unwrap_or(file) } else { file };
    error.contains(&named.display().to_string())
}

/// The workspace.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above")
}

/// Adds the Rust files of a directory, without what is built and what is hidden.
pub fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

/// All cells of a chain as text, in order.
///
/// # Errors
/// What reading them gives.
pub fn cells_of(chain: &Chain) -> Result<Vec<String>, ChainError> {
    let mut cells = Vec::new();
    chain.cells(|key, value| {
        cells.push(format!("{key:?} {value:?}"));
        Ok(())
    })?;
    cells.sort();
    Ok(cells)
}

/// Checks that an error of a damaged file [names] it.
///
/// # Panics
/// If it does not.
#[track_caller]
pub fn assert_named(error: &impl ToString, file: &Path) {
    let error = error.to_string();
    assert!(names(&error, file), "{} is damaged, not named: {error}", file.display());
}

/// The number of cases of a property that has so many in the short form: `KEMPE_CASES`, which is 48 there, is in proportion.
///
/// # Panics
/// As [`number`].
#[must_use]
pub fn cases(short: u32) -> u32 {
    const SHORT: u32 = 48;
    let many = u64::from(short) * u64::from(number("KEMPE_CASES", SHORT));
    u32::try_from(many.div_ceil(u64::from(SHORT))).unwrap_or(u32::MAX)
}

/// The contract that does everything a contract should not.
pub const CHAOS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/chaos.wasm"));

/// The contract in which every method has a smell, apart from those that are called `fine_...`.
pub const SMELLS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/smells.wasm"));

/// The contract whose every call touches the same cells.
pub const BUSY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/busy.wasm"));

/// The contract whose every call works for a while and touches one cell.
pub const TOIL: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/toil.wasm"));

/// The contract of `tests/tally`, compiled: the next version of the counter contract.
pub const TALLY_NEXT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tally.wasm"));

/// Enough for anything the tests do.
pub const FUEL: u64 = 50_000_000;

/// The chain's identifier.
pub const CHAIN_ID: u64 = 42;

/// An account.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    key: SigningKey,
    /// The address.
    pub address: Address,
}

impl Account {
    /// The account with this number.
    #[must_use]
    pub fn new(number: u8) -> Self {
        let key = SigningKey::from([number.wrapping_add(1); 32]);
        Self { key, address: address_of(&key) }
    }

    /// Signs a transaction.
    #[must_use]
    pub fn sign(&self, tx: Transaction) -> SignedTransaction {
        tx.sign(&self.key)
    }
}

/// Options with this many threads.
#[must_use]
pub fn options(n_threads: usize, scheduler: &'static dyn Scheduler) -> ChainOptions {
    ChainOptions { n_threads, scheduler, ..ChainOptions::default() }
}

/// A genesis with `n` accounts that have a balance, and a price of gas.
#[must_use]
pub fn genesis(n: u8, gas: u64) -> Genesis {
    let mut genesis = Genesis::parse(&format!("chain_id = {CHAIN_ID}")).expect("it is a genesis");
    genesis.prices.gas = gas;
    genesis.limits.block_fuel_max = i64::MAX.cast_unsigned();
    genesis.prices.collector = Address([0xfe; 32]);
    genesis.accounts = (0..n)
        .map(|number| GenesisAccount {
            name: String::new(),
            address: Account::new(number).address,
            balance: 1_000_000_000_000,
        })
        .collect();
    genesis
}

/// A call.
#[must_use]
pub fn call(contract: Address, method: &str, args: &impl BorshSerialize) -> Action {
    let args = borsh::to_vec(args).expect("encoding to memory cannot fail");
    Action::Call { contract, method: MethodId::of(method), args }
}

/// A deployment.
#[must_use]
pub fn deploy(wasm: &[u8], args: &impl BorshSerialize) -> Action {
    let args = borsh::to_vec(args).expect("encoding to memory cannot fail");
    Action::Deploy { wasm: wasm.to_vec(), args, authority: None }
}

/// A chain and the accounts on it.
#[derive(Debug)]
pub struct World {
    /// The chain.
    pub chain: Chain,
    /// The accounts.
    pub accounts: Vec<Account>,
    time_ms: u64,
}

impl World {
    /// A chain in memory with one thread, `n` accounts and free gas.
    #[must_use]
    pub fn new(n: u8) -> Self {
        Self::of(genesis(n, 0), options(1, &Color))
    }

    /// A chain in memory.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn of(genesis: Genesis, options: ChainOptions) -> Self {
        let n = u8::try_from(genesis.accounts.len()).expect("tests have few accounts");
        let chain = Chain::in_memory(genesis, options).expect("a chain in memory starts");
        Self::on(chain, n)
    }

    /// Accounts on a chain.
    #[must_use]
    pub fn on(chain: Chain, n: u8) -> Self {
        let time_ms = chain.head().time_ms;
        Self { chain, accounts: (0..n).map(Account::new).collect(), time_ms }
    }

    /// Signs actions of accounts, with the nonces they must have in one block.
    #[must_use]
    pub fn sign(&self, actions: Vec<(usize, Vec<Action>)>) -> Vec<SignedTransaction> {
        self.sign_with(actions.into_iter().map(|(from, actions)| (from, actions, FUEL, Vec::new())))
    }

    /// Signs actions of accounts with fuel limits and explicit lists.
    ///
    /// # Panics
    /// If the state cannot be read.
    #[must_use]
    pub fn sign_with(
        &self,
        txs: impl IntoIterator<Item = (usize, Vec<Action>, u64, Vec<DeclaredAccess>)>,
    ) -> Vec<SignedTransaction> {
        let mut sent: BTreeMap<usize, u64> = BTreeMap::new();
        txs.into_iter()
            .map(|(from, actions, fuel_limit, access)| {
                let account = self.accounts[from];
                let n_sent = sent.entry(from).or_default();
                let nonce = self.chain.next_nonce(&account.address).expect("readable") + *n_sent;
                *n_sent += 1;
                account.sign(Transaction {
                    chain_id: CHAIN_ID,
                    sender: account.address,
                    nonce,
                    fuel_limit,
                    actions,
                    access,
                })
            })
            .collect()
    }

    /// Builds a block of signed transactions.
    ///
    /// # Panics
    /// If the block cannot be built.
    pub fn build(&mut self, txs: Vec<SignedTransaction>) -> BlockReport {
        self.time_ms += 1000;
        self.chain.build(txs, self.time_ms).expect("the block is built")
    }

    /// Runs one transaction in a block of its own.
    pub fn send(&mut self, from: usize, action: Action) -> Receipt {
        let txs = self.sign(vec![(from, vec![action])]);
        let report = self.build(txs);
        assert!(report.rejected.is_empty(), "{:?}", report.rejected);
        report.record.receipts[0].clone()
    }

    /// Deploys a contract and returns its address.
    ///
    /// # Panics
    /// If the deployment fails.
    pub fn deploy(&mut self, from: usize, wasm: &[u8], args: &impl BorshSerialize) -> Address {
        let sender = self.accounts[from].address;
        let nonce = self.chain.next_nonce(&sender).expect("readable");
        let txs = vec![(from, vec![deploy(wasm, args)], 1_000_000_000, Vec::new())];
        let txs = self.sign_with(txs);
        let report = self.build(txs);
        let receipt = &report.record.receipts[0];
        assert_eq!(receipt.outcome, kempe_abi::Outcome::Ok, "{:?}", report.logs);
        contract_address(CHAIN_ID, &sender, nonce, 0)
    }
}
