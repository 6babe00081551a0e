//! Token transfers on a chain of their own: what `run --trace` and `demo` execute.

use std::path::Path;

use ed25519_zebra::SigningKey;
use kempe_abi::{Address, Encode, MethodId, Outcome};
use kempe_bench::TransferSpec;
use kempe_runtime::chain::{Chain, ChainOptions};
use kempe_runtime::types::{
    Action, Genesis, SignedTransaction, Transaction, address_of, contract_address,
};
use rayon::prelude::*;

use crate::output::{Exit, Failure};
use crate::session::{Names, now_ms};

/// What each account has before the first transfer.
pub(crate) const BALANCE: u128 = 1_000_000_000;

/// The fuel limit of a transfer or a mint: three times what they burn. So many are the most transactions of a block.
const FUEL: u64 = 200_000;

const CHAIN_ID: u64 = 1;

/// A fresh chain with a token, whose accounts have [`BALANCE`] each.
pub(crate) struct TokenChain {
    pub(crate) chain: Chain,
    pub(crate) names: Names,
    token: Address,
    accounts: Vec<Account>,
}

struct Account {
    key: SigningKey,
    address: Address,
    nonce: u64,
}

impl Account {
    /// An account of a trace or a workload. Its key follows from its number.
    fn new(number: usize) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"kempe trace account").update(&(number as u64).to_le_bytes());
        let key = SigningKey::from_bytes(hasher.finalize().as_bytes());
        Self { address: address_of(&key), key, nonce: 0 }
    }
}

impl TokenChain {
    /// Makes the chain in a directory that has none, deploys the token and mints.
    pub(crate) fn create(dir: &Path, n_accounts: usize) -> Result<Self, Failure> {
        let genesis = Genesis {
            chain_id: CHAIN_ID,
            time_ms: now_ms(),
            development: true,
            limits: Default::default(),
            prices: Default::default(),
            accounts: Vec::new(),
        };
        let (block_txs_max, fuel_max) =
            (genesis.limits.block_txs_max as usize, genesis.limits.tx_fuel_max);
        let mut chain = Chain::create(dir, genesis, ChainOptions::default())?;
        let accounts: Vec<_> = (0..n_accounts).into_par_iter().map(Account::new).collect();
        // The minter is no account of the workload.
        let minter = Account::new(usize::MAX);
        let token = contract_address(CHAIN_ID, &minter.address, 0, 0);
        let deploy = Action::Deploy {
            wasm: kempe_contracts::TOKEN.to_vec(),
            args: encode(&minter.address),
            authority: None,
        };
        commit(&mut chain, vec![sign(&minter, 0, fuel_max, deploy)])?;
        let mints = accounts.par_iter().enumerate().map(|(at, account)| {
            let args = encode(&(account.address, BALANCE));
            sign(&minter, 1 + at as u64, FUEL, call(token, "mint", args))
        });
        let mints: Vec<_> = mints.collect();
        for block in mints.chunks(block_txs_max) {
            commit(&mut chain, block.to_vec())?;
        }
        let mut names = Names::default();
        names.set_file(dir);
        names.add_contract("token", token)?;
        Ok(Self { chain, names, token, accounts })
    }

    /// Signs transfers, with the senders' nonces in order.
    pub(crate) fn sign(&mut self, specs: &[TransferSpec]) -> Vec<SignedTransaction> {
        let numbered: Vec<_> = specs
            .iter()
            .map(|spec| {
                let sender = &mut self.accounts[spec.from];
                sender.nonce += 1;
                (spec, sender.nonce - 1)
            })
            .collect();
        let sign = |(spec, nonce): &(&TransferSpec, u64)| {
            let args = encode(&(self.accounts[spec.to].address, spec.amount));
            sign(&self.accounts[spec.from], *nonce, FUEL, call(self.token, "transfer", args))
        };
        numbered.par_iter().map(sign).collect()
    }
}

fn encode(value: &impl Encode) -> Vec<u8> {
    borsh::to_vec(value).expect("encoding to memory cannot fail")
}

fn call(contract: Address, method: &str, args: Vec<u8>) -> Action {
    Action::Call { contract, method: MethodId::of(method), args }
}

fn sign(sender: &Account, nonce: u64, fuel_limit: u64, action: Action) -> SignedTransaction {
    let transaction = Transaction {
        chain_id: CHAIN_ID,
        sender: sender.address,
        nonce,
        fuel_limit,
        actions: vec![action],
        access: Vec::new(),
    };
    transaction.sign(&sender.key)
}

/// A block in which everything must succeed.
fn commit(chain: &mut Chain, transactions: Vec<SignedTransaction>) -> Result<(), Failure> {
    let report = chain.build(transactions, now_ms())?;
    let failed = report.record.receipts.iter().find(|receipt| receipt.outcome != Outcome::Ok);
    let error = report.rejected.first().map(|(_, error)| error.to_string());
    let error = error.or_else(|| failed.map(|receipt| format!("{:?}", receipt.outcome)));
    match error {
        Some(error) => {
            Err(Failure::new(Exit::Failed, format!("the token could not be set up: {error}")))
        }
        None => Ok(()),
    }
}
