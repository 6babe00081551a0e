//! A chain with contracts and funded accounts, and the transactions that run on it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use ed25519_zebra::SigningKey;
use kempe_abi::{Address, Encode, MethodId};
use kempe_bench::TransferSpec;
use kempe_runtime::chain::{
    Chain, ChainOptions, EncodedTxs, Pipeline, PipelineOptions, Signatures,
};
use kempe_runtime::scheduler::Scheduler;
use kempe_runtime::types::{
    ACTIONS_MAX, Action, Genesis, SignedTransaction, Transaction, address_of, contract_address,
};
use rayon::prelude::*;
use tempfile::TempDir;

use crate::output::{Exit, Failure};

const CHAIN_ID: u64 = 1;
/// More than any of the transactions burns.
const FUEL: u64 = 100_000_000;
/// What each account has of each token.
const BALANCE: u128 = 1_000_000_000_000;
/// The accounts that trade with the pool, which has to be allowed to take their tokens.
const N_TRADERS: usize = 1_000;

/// The directory of the funded chain in the world's.
const FUNDED: &str = "funded";

/// What a transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// A transfer of a token
    Token,
    /// A swap in a pool, of one of 1,000 traders
    Pool,
    /// A counter raised
    Counter,
}

impl Kind {
    /// Its name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Pool => "pool",
            Self::Counter => "counter",
        }
    }
}

/// A funded chain in a directory, closed, from which each run starts.
pub(super) struct World {
    /// Where the funded chain and its copies are; goes away with the world.
    home: TempDir,
    memory_bytes: u64,
    kinds: Vec<Kind>,
    addresses: Vec<Address>,
    /// Of the accounts that sign, by number.
    keys: HashMap<usize, SigningKey>,
    contracts: Contracts,
}

struct Contracts {
    tokens: [Address; 2],
    pool: Address,
    tally: Address,
}

/// The key of an account follows from its number.
fn key(number: usize) -> SigningKey {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"kempe bench account").update(&(number as u64).to_le_bytes());
    SigningKey::from_bytes(hasher.finalize().as_bytes())
}

impl World {
    /// Makes a chain on which every account has both tokens, in a directory of its own below `dir`; those that send
    /// in `specs` can sign.
    pub(super) fn fund(
        dir: Option<&Path>,
        memory_bytes: u64,
        n_accounts: usize,
        specs: &[TransferSpec],
        kinds: &[Kind],
    ) -> Result<Self, Failure> {
        let home = home(dir)?;
        let mut signers: Vec<usize> = specs.iter().map(|spec| spec.from).collect();
        if kinds.contains(&Kind::Pool) {
            signers.extend(0..N_TRADERS.min(n_accounts));
        }
        signers.sort_unstable();
        signers.dedup();
        let keys: Vec<_> = signers.into_par_iter().map(|number| (number, key(number))).collect();
        let mut addresses: Vec<Address> = (0..n_accounts as u64)
            .into_par_iter()
            .map(|number| Address(*blake3::hash(&number.to_le_bytes()).as_bytes()))
            .collect();
        let known: Vec<_> = keys.par_iter().map(|(at, key)| (*at, address_of(key))).collect();
        for (at, address) in known {
            addresses[at] = address;
        }
        let owner = address_of(&key(usize::MAX));
        let at = |nonce| contract_address(CHAIN_ID, &owner, nonce, 0);
        let contracts = Contracts { tokens: [at(0), at(1)], pool: at(2), tally: at(3) };
        let (kinds, keys) = (kinds.to_vec(), keys.into_iter().collect());
        let world = Self { home, memory_bytes, kinds, addresses, keys, contracts };
        world.set_up(owner)?;
        Ok(world)
    }

    fn set_up(&self, owner: Address) -> Result<(), Failure> {
        let mut genesis = Genesis::parse(&format!("chain_id = {CHAIN_ID}\ndevelopment = true"))?;
        genesis.limits.block_fuel_max = FUEL.saturating_mul(genesis.limits.block_txs_max.into());
        let directory = self.home.path().join(FUNDED);
        fs::create_dir(&directory).with_context(|| format!("making {}", directory.display()))?;
        let options = ChainOptions { memory_bytes: self.memory_bytes, ..ChainOptions::default() };
        let chain = Chain::create(&directory, genesis, options)?;
        let Contracts { tokens, pool, .. } = self.contracts;
        let deploy =
            |wasm: &[u8], args| Action::Deploy { wasm: wasm.to_vec(), args, authority: None };
        let token = || deploy(kempe_contracts::TOKEN, encode(&owner));
        let pool_args = encode(&(tokens[0], tokens[1], 30u16));
        let mut actions = vec![
            vec![token()],
            vec![token()],
            vec![deploy(kempe_contracts::POOL, pool_args)],
            vec![deploy(kempe_contracts::COUNTER, encode(&()))],
        ];
        let liquidity = u128::from(u64::MAX);
        for token in tokens {
            actions.push(vec![call(token, "mint", encode(&(owner, liquidity)))]);
            actions.push(vec![call(token, "approve", encode(&(pool, liquidity)))]);
        }
        let args = encode(&(liquidity / 2, liquidity / 2, 0u128, u64::MAX));
        actions.push(vec![call(pool, "add_liquidity", args)]);
        // The second token is only for those who trade.
        let funded = [&self.addresses[..], &self.addresses[..self.n_traders()]];
        for (token, receivers) in tokens.into_iter().zip(funded) {
            let mint = |to: &Address| call(token, "mint", encode(&(*to, BALANCE)));
            let receivers = receivers.chunks(ACTIONS_MAX);
            actions.extend(receivers.map(|some| some.iter().map(mint).collect()));
        }
        let mut nonce = 0;
        let sent = actions.into_iter().map(|actions| {
            nonce += 1;
            unsigned(owner, nonce - 1, 1_000_000_000, actions)
        });
        let sent: Vec<SignedTransaction> = sent.collect();
        let approvals = (0..self.n_traders()).map(|at| {
            let approve = call(tokens[0], "approve", encode(&(pool, u128::from(u64::MAX))));
            unsigned(self.addresses[at], 0, FUEL, vec![approve])
        });
        let approvals: Vec<SignedTransaction> = approvals.collect();
        let (first, rest) = sent.split_at(9.min(sent.len()));
        let blocks = std::iter::once(first).chain(rest.chunks(1_000));
        let blocks = blocks.chain(approvals.chunks(10_000)).map(encode_block);
        let mut chain = run_trusted(chain, blocks)?;
        chain.checkpoint()?;
        Ok(())
    }

    fn n_traders(&self) -> usize {
        if self.kinds.contains(&Kind::Pool) { N_TRADERS.min(self.addresses.len()) } else { 0 }
    }

    /// A copy of the funded chain, open.
    pub(super) fn chain(&self, n_threads: usize) -> Result<Chain, Failure> {
        self.chain_in("run", n_threads, ChainOptions::default().scheduler)
    }

    /// The same, which schedules otherwise.
    pub(super) fn chain_by(
        &self,
        n_threads: usize,
        scheduler: &'static dyn Scheduler,
    ) -> Result<Chain, Failure> {
        self.chain_in("run", n_threads, scheduler)
    }

    /// A copy of the funded chain for another purpose, open.
    pub(super) fn second_chain(&self, n_threads: usize) -> Result<Chain, Failure> {
        self.chain_in("again", n_threads, ChainOptions::default().scheduler)
    }

    fn chain_in(
        &self,
        name: &str,
        n_threads: usize,
        scheduler: &'static dyn Scheduler,
    ) -> Result<Chain, Failure> {
        let directory = self.home.path().join(name);
        if directory.exists() {
            fs::remove_dir_all(&directory).context("removing the last run")?;
        }
        copy(&self.home.path().join(FUNDED), &directory).context("copying the funded chain")?;
        let memory_bytes = self.memory_bytes;
        let options =
            ChainOptions { n_threads, scheduler, memory_bytes, ..ChainOptions::default() };
        Ok(Chain::open(&directory, options)?)
    }

    /// The transactions of blocks, with nonces in order, signed or with signatures of zeros.
    pub(super) fn sign<'a>(
        &self,
        blocks: impl Iterator<Item = &'a [TransferSpec]>,
        is_signed: bool,
    ) -> Vec<Vec<SignedTransaction>> {
        let n_traders = self.n_traders();
        let mut nonces: HashMap<usize, u64> = (0..n_traders).map(|trader| (trader, 1)).collect();
        let mut turn = 0;
        let mut sign = |block: &[TransferSpec]| {
            let numbered: Vec<_> = block
                .iter()
                .map(|spec| {
                    let kind = self.kinds[turn % self.kinds.len()];
                    let from = if kind == Kind::Pool { turn % n_traders } else { spec.from };
                    turn += 1;
                    let nonce = nonces.entry(from).or_default();
                    *nonce += 1;
                    (from, *nonce - 1, self.action(kind, spec))
                })
                .collect();
            let sign = |(from, nonce, action): (usize, u64, Action)| {
                let signed = unsigned(self.addresses[from], nonce, FUEL, vec![action]);
                if is_signed { signed.transaction.sign(&self.keys[&from]) } else { signed }
            };
            numbered.into_par_iter().map(sign).collect()
        };
        blocks.map(&mut sign).collect()
    }

    fn action(&self, kind: Kind, spec: &TransferSpec) -> Action {
        let Contracts { tokens, pool, tally } = self.contracts;
        match kind {
            Kind::Token => {
                call(tokens[0], "transfer", encode(&(self.addresses[spec.to], spec.amount)))
            }
            Kind::Pool => call(pool, "sell_a", encode(&(1_000 + spec.amount, 0u128, u64::MAX))),
            Kind::Counter => call(tally, "raise", encode(&1u64)),
        }
    }
}

/// The encoding of a block's transactions.
pub(super) fn encode_block(block: &[SignedTransaction]) -> EncodedTxs {
    let mut txs = EncodedTxs::with_capacity(block.len(), block.len() * 256);
    let mut bytes = Vec::new();
    for signed in block {
        bytes.clear();
        borsh::to_writer(&mut bytes, signed).expect("encoding to memory cannot fail");
        txs.push(&bytes);
    }
    txs
}

/// Runs blocks without looking at signatures; all transactions must become part of them and succeed.
fn run_trusted(chain: Chain, blocks: impl Iterator<Item = EncodedTxs>) -> Result<Chain, Failure> {
    let failed = std::sync::Arc::new(std::sync::Mutex::new(None));
    let into = failed.clone();
    let options = PipelineOptions { signatures: Signatures::Trusted, ..PipelineOptions::default() };
    let mut pipeline = Pipeline::start(chain, options, move |block| {
        let rejected = block.rejected.first().map(|(_, error)| error.to_string());
        let outcome = block.receipts.iter().find(|r| r.outcome != kempe_abi::Outcome::Ok);
        let what = rejected.or_else(|| outcome.map(|receipt| format!("{:?}", receipt.outcome)));
        if let (Some(what), Ok(mut failed)) = (what, into.lock()) {
            failed.get_or_insert(what);
        }
    })?;
    for block in blocks {
        // Why nothing more is taken, finishing says.
        if pipeline.submit(block, 0).is_err() {
            break;
        }
    }
    let chain = pipeline.finish()?;
    match failed.lock().ok().and_then(|mut failed| failed.take()) {
        None => Ok(chain),
        Some(what) => Err(Failure::new(Exit::Failed, format!("the chain is not set up: {what}"))),
    }
}

/// A directory that goes away, below one that is named, or where the system keeps temporary files.
fn home(dir: Option<&Path>) -> Result<TempDir, Failure> {
    const PREFIX: &str = "kempe-";
    let home = match dir {
        Some(dir) => fs::create_dir_all(dir).and_then(|()| TempDir::with_prefix_in(PREFIX, dir)),
        None => TempDir::with_prefix(PREFIX),
    };
    let within = dir.map_or_else(std::env::temp_dir, Path::to_path_buf);
    Ok(home.with_context(|| format!("making a directory in {}", within.display()))?)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn encode(value: &impl Encode) -> Vec<u8> {
    borsh::to_vec(value).expect("encoding to memory cannot fail")
}

fn call(contract: Address, method: &str, args: Vec<u8>) -> Action {
    Action::Call { contract, method: MethodId::of(method), args }
}

fn unsigned(
    sender: Address,
    nonce: u64,
    fuel_limit: u64,
    actions: Vec<Action>,
) -> SignedTransaction {
    let access = Vec::new();
    let transaction =
        Transaction { chain_id: CHAIN_ID, sender, nonce, fuel_limit, actions, access };
    SignedTransaction { transaction, signature: [0; 64] }
}
