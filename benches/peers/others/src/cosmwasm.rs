//! `cw20-base` in cosmwasm-vm: compiled from the registry's source (see `build.rs`), pinned in the
//! cache of modules, with a fresh instance for each call, as chains have it.
//!
//! A transaction is one `execute` with a message in JSON, which the contract parses; sender and
//! block go in as JSON, and the response comes out as JSON. Storage is the map of cosmwasm-vm's own
//! tests, with nothing to undo it; addresses are checked as bech32, in Rust.

use std::process;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use cosmwasm_std::{Addr, ContractResult, Empty, Env, MessageInfo, Response};
use cosmwasm_vm::testing::{MockApi, MockQuerier, MockStorage, mock_backend, mock_env, mock_info};
use cosmwasm_vm::{
    Backend, Cache, CacheOptions, Instance, InstanceOptions, Size, call_execute, call_instantiate,
    call_query, capabilities_from_csv,
};
use kempe_bench::{BALANCE, TransferSpec};
use serde_json::json;
use tempfile::TempDir;

use crate::{Peer, timed};

const WASM: &[u8] = include_bytes!(env!("CW20_WASM"));
/// More than any call here needs.
const GAS_MAX: u64 = 3_000_000_000_000;
/// What wasmd has.
const INSTANCE_MEMORY: Size = Size::mebi(32);

type Vm = Instance<MockApi, MockStorage, MockQuerier>;

/// The token with its storage, and calls of its `transfer`.
pub(crate) struct CosmWasm {
    chain: Chain,
    txs: Vec<(MessageInfo, Vec<u8>)>,
    accounts: Vec<String>,
}

struct Chain {
    cache: Cache<MockApi, MockStorage, MockQuerier>,
    checksum: cosmwasm_std::Checksum,
    env: Env,
    /// Absent only while a call has it.
    backend: Option<Backend<MockApi, MockStorage, MockQuerier>>,
    _directory: TempDir,
}

impl CosmWasm {
    /// Stores and instantiates the contract, and mints what each account has.
    pub(crate) fn new(n_accounts: usize, specs: &[TransferSpec]) -> Result<Self> {
        let account = |account: usize| MockApi::default().addr_make(&format!("account {account}"));
        let accounts: Vec<String> = (0..n_accounts).map(account).collect();
        let mut chain = Chain::new()?;
        let minter = mock_info(&accounts[0], &[]);
        let token = json!({
            "name": "Token", "symbol": "TOKEN", "decimals": 6, "initial_balances": [],
            "mint": { "minter": accounts[0] },
        });
        chain.call(|vm, env| {
            let result = call_instantiate::<_, _, _, Empty>(vm, env, &minter, &json(&token)?)?;
            succeeded(result).map(drop)
        })?;
        for account in &accounts {
            let amount = BALANCE.to_string();
            let mint = json!({ "mint": { "recipient": account, "amount": amount } });
            chain.execute(&minter, &json(&mint)?)?;
        }
        let tx = |spec: &TransferSpec| -> Result<(MessageInfo, Vec<u8>)> {
            let sender = Addr::unchecked(&accounts[spec.from]);
            let (recipient, amount) = (&accounts[spec.to], spec.amount.to_string());
            let message = json!({ "transfer": { "recipient": recipient, "amount": amount } });
            Ok((MessageInfo { sender, funds: Vec::new() }, json(&message)?))
        };
        let txs = specs.iter().map(tx).collect::<Result<_>>()?;
        Ok(Self { chain, txs, accounts })
    }
}

impl Peer for CosmWasm {
    fn name(&self) -> &'static str {
        "cosmwasm-vm, cw20-base (wasm)"
    }

    fn round(&mut self) -> Result<Duration> {
        timed(|| self.txs.iter().try_for_each(|(info, message)| self.chain.execute(info, message)))
    }

    fn balance(&mut self, account: usize) -> Result<u128> {
        let query = json!({ "balance": { "address": self.accounts[account] } });
        let answer = self.chain.call(|vm, env| succeeded(call_query(vm, env, &json(&query)?)?))?;
        let answer: serde_json::Value = serde_json::from_slice(&answer)?;
        Ok(answer["balance"].as_str().context("there is a balance")?.parse()?)
    }
}

impl Chain {
    fn new() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let capabilities = capabilities_from_csv("iterator,staking");
        let options =
            CacheOptions::new(directory.path(), capabilities, Size::mebi(100), INSTANCE_MEMORY);
        #[expect(unsafe_code, reason = "the cache loads the code that it has compiled from disk")]
        // SAFETY: the directory is new, this process made it for itself, and nobody else writes to
        // it.
        let cache = unsafe { Cache::new(options) }?;
        let checksum = cache.store_code(WASM, true, true)?;
        cache.pin(&checksum)?;
        let backend = Some(mock_backend(&[]));
        Ok(Self { cache, checksum, env: mock_env(), backend, _directory: directory })
    }

    /// Lends the storage to a fresh instance.
    fn call<R>(&mut self, body: impl FnOnce(&mut Vm, &Env) -> Result<R>) -> Result<R> {
        let backend = self.backend.take().context("an instance was lost")?;
        let options = InstanceOptions { gas_limit: GAS_MAX };
        let mut instance = self.cache.get_instance(&self.checksum, backend, options)?;
        let result = body(&mut instance, &self.env);
        self.backend = instance.recycle();
        result
    }

    fn execute(&mut self, info: &MessageInfo, message: &[u8]) -> Result<()> {
        self.call(|vm, env| {
            let result: ContractResult<Response> = call_execute(vm, env, info, message)?;
            succeeded(result).map(drop)
        })
    }
}

fn json(value: &serde_json::Value) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(value)?)
}

fn succeeded<T>(result: ContractResult<T>) -> Result<T> {
    result.into_result().map_err(|refusal| anyhow!("the contract says {refusal}"))
}

/// What wasmer 5 links to and never calls: its table of functions for compiled code takes the
/// address, but the singlepass compiler, which cosmwasm-vm has, refers to none of them by name. It
/// touches the pages of a large frame before their use; the standard library had it under this name
/// until code did so in line. Source: <https://github.com/rust-lang/rust/issues/142612>.
#[expect(unsafe_code, reason = "wasmer knows the function by this name")]
// SAFETY: nothing else in the program has the name, and nobody who calls it goes on with pages that
// were not touched.
#[unsafe(no_mangle)]
extern "C" fn __rust_probestack() -> ! {
    process::abort()
}
