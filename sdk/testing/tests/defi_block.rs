//! A block as decentralized finance fills it: how much of it can run at once, and what it waits for.
//!
//! 60 % transfers, 20 % swaps over 100 pools by Zipf with exponent one, 10 % lending in four markets, 5 %
//! staking, 5 % escrow and votes. `cargo test --release --test defi_block -- --nocapture` shows the
//! figures; `KEMPE_DEFI_TXS` makes a block of another size, 10,000 being the usual one.
//!
//! Of 10,000 transactions (seed 7, costs in fuel): 377 batches, the widest of 5,017, work / critical path 20.6, speedup on
//! 16 workers 10.1 with barriers, where the bound by work, critical path and hottest key is 16.0. The block waits for the swaps of the most
//! popular pool, each of which is priced by what the one before left. The speedup is what the batches permit, without
//! overheads; `kempe bench --workload defi` simulates and runs such a block by every scheduler.

#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(clippy::print_stderr, reason = "the figures are what it is for")]

use std::collections::BTreeMap;

use ed25519_zebra::SigningKey;
use kempe_abi::{Address, Encode, Hash, MethodId, Outcome};
use kempe_escrow::Deal;
use kempe_governance::{Choice, Settings, Step};
use kempe_lending::Terms;
use kempe_oracle::{ROUND_MS, Report, message};
use kempe_runtime::chain::{BlockReport, Chain, ChainOptions};
use kempe_runtime::scheduler::{Color, ConflictGraph, Mode, lower_bound};
use kempe_runtime::types::{
    Action, Genesis, Limits, SignedTransaction, Transaction, address_of, contract_address,
};
use kempe_sdk::testing::Rng;

const ONE: u128 = 1_000_000_000_000_000_000;
const N_POOLS: usize = 100;
const N_MARKETS: usize = 4;
const N_WORKERS: u64 = 16;
/// What everybody has of every token that it uses.
const FUNDS: u128 = 1 << 60;

/// A call, by the number of its sender.
struct Call {
    sender: usize,
    contract: Address,
    method: &'static str,
    args: Vec<u8>,
}

fn call(sender: usize, contract: Address, method: &'static str, args: impl Encode) -> Call {
    Call { sender, contract, method, args: encoded(args) }
}

fn encoded(args: impl Encode) -> Vec<u8> {
    let mut bytes = Vec::new();
    args.serialize(&mut bytes).unwrap();
    bytes
}

/// A chain with everything deployed; account 0 owns it all.
struct World {
    chain: Chain,
    keys: Vec<SigningKey>,
    time_ms: u64,
    /// What is paid with everywhere.
    coin: Address,
    pools: Vec<Address>,
    /// Markets, each with its collateral.
    markets: Vec<(Address, Address)>,
    staking: Address,
    escrow: Address,
    governance: Address,
    proposal: Hash,
}

impl World {
    fn address(&self, account: usize) -> Address {
        address_of(&self.keys[account])
    }

    fn sign(&self, actions: Vec<(usize, Action)>) -> Vec<SignedTransaction> {
        let mut nonces = BTreeMap::new();
        let Limits { tx_fuel_max, block_fuel_max, .. } = Limits::default();
        let fuel_limit = tx_fuel_max.min(block_fuel_max / actions.len() as u64);
        let signed = actions.into_iter().map(|(sender, action)| {
            let next = || self.chain.next_nonce(&self.address(sender)).unwrap();
            let nonce = nonces.entry(sender).or_insert_with(next);
            *nonce += 1;
            let tx = Transaction {
                chain_id: 1,
                sender: self.address(sender),
                nonce: *nonce - 1,
                fuel_limit,
                actions: vec![action],
                access: Vec::new(),
            };
            tx.sign(&self.keys[sender])
        });
        signed.collect()
    }

    fn build(&mut self, actions: Vec<(usize, Action)>) -> BlockReport {
        let signed = self.sign(actions);
        self.time_ms += 1_000;
        let report = self.chain.build(signed, self.time_ms).unwrap();
        for receipt in &report.record.receipts {
            assert_eq!(receipt.outcome, Outcome::Ok, "{receipt:?}");
        }
        report
    }

    fn send(&mut self, calls: Vec<Call>) -> BlockReport {
        self.build(actions(calls))
    }

    fn deploy(&mut self, wasm: &[u8], args: impl Encode) -> Address {
        let nonce = self.chain.next_nonce(&self.address(0)).unwrap();
        self.build(vec![(
            0,
            Action::Deploy { wasm: wasm.to_vec(), args: encoded(args), authority: None },
        )]);
        contract_address(1, &self.address(0), nonce, 0)
    }

    /// Gives an account a token and lets `spender` take it.
    fn endow(&self, calls: &mut Vec<Call>, token: Address, account: usize, spender: Address) {
        calls.push(call(0, token, "mint", (self.address(account), FUNDS)));
        calls.push(call(account, token, "approve", (spender, u128::MAX)));
    }
}

fn actions(calls: Vec<Call>) -> Vec<(usize, Action)> {
    let action = |call: Call| {
        let method = MethodId::of(call.method);
        (call.sender, Action::Call { contract: call.contract, method, args: call.args })
    };
    calls.into_iter().map(action).collect()
}

fn world(n_accounts: usize) -> World {
    let genesis = Genesis::parse("chain_id = 1\ndevelopment = true").unwrap();
    let options = ChainOptions { n_threads: 2, scheduler: &Color, ..ChainOptions::default() };
    let keys = (0..n_accounts as u64).map(|i| SigningKey::from(*blake3_of(i).as_bytes()));
    let zero = Address::ZERO;
    let mut w = World {
        chain: Chain::in_memory(genesis, options).unwrap(),
        keys: keys.collect(),
        time_ms: 1_000_000,
        coin: zero,
        pools: Vec::new(),
        markets: Vec::new(),
        staking: zero,
        escrow: zero,
        governance: zero,
        proposal: Hash::ZERO,
    };
    let owner = w.address(0);
    w.coin = w.deploy(kempe_contracts::TOKEN, (owner,));
    w.escrow = w.deploy(kempe_contracts::ESCROW, ());
    w.staking = w.deploy(kempe_contracts::STAKING, (w.coin, w.coin, owner, 1u64));
    add_pools(&mut w);
    add_markets(&mut w);
    add_governance(&mut w);
    w
}

fn blake3_of(n: u64) -> blake3::Hash {
    blake3::hash(&n.to_le_bytes())
}

fn add_pools(w: &mut World) {
    for _ in 0..N_POOLS {
        let token = w.deploy(kempe_contracts::TOKEN, (w.address(0),));
        let pool = w.deploy(kempe_contracts::POOL, (token, w.coin, 30u16));
        let mut calls = Vec::new();
        w.endow(&mut calls, token, 0, pool);
        w.endow(&mut calls, w.coin, 0, pool);
        w.send(calls);
        let args = (1u128 << 50, 1u128 << 50, 0u128, u64::MAX);
        w.send(vec![call(0, pool, "add_liquidity", args)]);
        w.pools.push(pool);
    }
}

fn add_markets(w: &mut World) {
    let owner = w.address(0);
    let oracle = w.deploy(kempe_contracts::ORACLE, (owner, vec![owner], 1u8, 1u64));
    let terms = Terms {
        borrow_bp: 7_500,
        liquidation_bp: 8_000,
        bonus_bp: 500,
        reserve_bp: 1_000,
        base_rate: ONE / 50,
        low_slope: ONE / 10,
        high_slope: ONE,
        kink: ONE / 10 * 8,
        price_ms_max: u64::MAX,
        debt_min: 1_000,
        treasurer: owner,
    };
    let mut assets = vec![w.coin];
    for _ in 0..N_MARKETS {
        let collateral = w.deploy(kempe_contracts::TOKEN, (owner,));
        let args = (w.coin, collateral, oracle, terms);
        let market = w.deploy(kempe_contracts::LENDING, args);
        let mut calls = Vec::new();
        w.endow(&mut calls, w.coin, 0, market);
        w.send(calls);
        w.send(vec![call(0, market, "deposit", (1u128 << 50, 0u128))]);
        w.markets.push((market, collateral));
        assets.push(collateral);
    }
    for asset in assets {
        let time_ms = w.time_ms / ROUND_MS * ROUND_MS;
        let message = message(1, oracle, asset, ONE, time_ms);
        let signature = w.keys[0].sign(&message.0).into();
        let reports = vec![Report { reporter: owner, value: ONE, signature }];
        w.send(vec![call(0, oracle, "publish", (asset, time_ms, reports))]);
    }
}

fn add_governance(w: &mut World) {
    let settings = Settings {
        delay_ms: 0,
        voting_ms: 30 * 24 * 3_600_000,
        timelock_ms: 0,
        grace_ms: 1,
        quorum_bp: 1,
        quorum_min: 0,
        threshold: 0,
    };
    w.governance = w.deploy(kempe_contracts::GOVERNANCE, (w.coin, settings));
}

/// Makes up the block's calls, and gives their senders what they need.
fn traffic(w: &mut World, n_txs: usize, rng: &mut Rng) -> Vec<(&'static str, Call)> {
    let zipf: Vec<f64> = (1..=N_POOLS).map(|rank| 1.0 / rank as f64).collect();
    let (mut calls, mut setup, mut voters) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..n_txs {
        // A sender each, so that only what they do is in the way.
        let sender = i + 1;
        let (kind, call) = match rng.u8(0..100) {
            0..60 => {
                setup.push(call(0, w.coin, "mint", (w.address(sender), FUNDS)));
                let to = w.address(rng.usize(1..=n_txs));
                ("transfer", call(sender, w.coin, "transfer", (to, 1u128)))
            }
            60..80 => {
                let pool = w.pools[by_weight(&zipf, rng)];
                w.endow(&mut setup, w.coin, sender, pool);
                ("swap", call(sender, pool, "sell_b", (1_000u128, 0u128, u64::MAX)))
            }
            80..90 => lend(w, sender, &mut setup, rng),
            90..95 => {
                w.endow(&mut setup, w.coin, sender, w.staking);
                ("stake", call(sender, w.staking, "stake", (1_000u128, 0u64)))
            }
            95..97 => {
                w.endow(&mut setup, w.coin, sender, w.escrow);
                let deal = Deal {
                    buyer: w.address(sender),
                    seller: w.address(rng.usize(1..=n_txs)),
                    arbiter: w.address(0),
                    token: w.coin,
                    amount: 5,
                    deadline_ms: u64::MAX,
                    salt: 0,
                };
                ("escrow", call(sender, w.escrow, "open", (deal,)))
            }
            _ => {
                w.endow(&mut setup, w.coin, sender, w.governance);
                setup.push(call(sender, w.governance, "lock", (9u128,)));
                voters.push(calls.len());
                ("vote", call(sender, w.governance, "vote", (Hash::ZERO, Choice::For)))
            }
        };
        calls.push((kind, call));
    }
    w.send(setup);
    let step = Step::call(w.coin, "transfer", encoded((w.address(0), 1u128)));
    let propose = call(0, w.governance, "propose", (vec![step], Hash::ZERO, 0u64));
    let report = w.send(vec![propose]);
    w.proposal = Hash(report.record.receipts[0].results[0].as_slice().try_into().unwrap());
    for voter in voters {
        calls[voter].1.args = encoded((w.proposal, Choice::For));
    }
    calls
}

fn lend(w: &World, sender: usize, setup: &mut Vec<Call>, rng: &mut Rng) -> (&'static str, Call) {
    let (market, collateral) = w.markets[rng.usize(0..N_MARKETS)];
    match rng.u8(0..3) {
        0 => {
            w.endow(setup, w.coin, sender, market);
            ("deposit", call(sender, market, "deposit", (1_000u128, 0u128)))
        }
        1 => {
            w.endow(setup, collateral, sender, market);
            ("collateral", call(sender, market, "add_collateral", (1_000u128,)))
        }
        _ => {
            w.endow(setup, collateral, sender, market);
            setup.push(call(sender, market, "add_collateral", (1_000_000u128,)));
            ("borrow", call(sender, market, "borrow", (1_000u128,)))
        }
    }
}

#[allow(clippy::float_arithmetic, reason = "a test's weights")]
fn by_weight(weights: &[f64], rng: &mut Rng) -> usize {
    let mut at = rng.f64() * weights.iter().sum::<f64>();
    let found = weights.iter().position(|weight| {
        at -= weight;
        at <= 0.0
    });
    found.unwrap_or(0)
}

/// How long the batches take on so many workers, each batch as long as its work or its longest.
fn with_barriers(batches: &[Vec<u64>], n_workers: u64) -> u64 {
    let batch = |costs: &Vec<u64>| {
        let work: u64 = costs.iter().sum();
        work.div_ceil(n_workers).max(costs.iter().copied().max().unwrap_or(0))
    };
    batches.iter().map(batch).sum()
}

#[test]
fn a_block_of_decentralized_finance() {
    let n_txs = std::env::var("KEMPE_DEFI_TXS")
        .map_or(1_000, |n| n.parse().expect("KEMPE_DEFI_TXS is a number"));
    let mut rng = Rng::with_seed(7);
    let mut w = world(n_txs + 1);
    let traffic = traffic(&mut w, n_txs, &mut rng);
    let mut kinds = BTreeMap::<&str, usize>::new();
    for (kind, _) in &traffic {
        *kinds.entry(kind).or_default() += 1;
    }
    let report = w.send(traffic.into_iter().map(|(_, call)| call).collect());
    let record = &report.record;
    let fuel: Vec<u64> = record.receipts.iter().map(|receipt| receipt.fuel).collect();
    let interned = w.chain.lists(&record.block).unwrap();
    let block = interned.block();
    let columns = [block.accesses()];
    let costed = kempe_runtime::scheduler::Block::new(columns[0], &fuel, &[], &[]).unwrap();
    let path = ConflictGraph::new(&costed).critical_path(&costed);
    let batches: Vec<Vec<u64>> = record
        .block
        .schedule
        .batches()
        .map(|batch| batch.iter().map(|&tx| fuel[tx as usize]).collect())
        .collect();
    let work: u64 = fuel.iter().sum();
    let widest = batches.iter().map(Vec::len).max().unwrap();
    let barriers = with_barriers(&batches, N_WORKERS);
    let bound = lower_bound(&costed, N_WORKERS, Mode::Free);
    let ratio = |n: u64| format!("{}.{:02}", work / n, work * 100 / n % 100);
    eprintln!("transactions            {n_txs}: {kinds:?}");
    eprintln!("batches                 {} (widest {widest})", batches.len());
    eprintln!("work / critical path    {}, {} transactions long", ratio(path.cost), path.txs.len());
    eprintln!("work / heaviest key     {}", ratio(bound.heaviest_key.max(1)));
    eprintln!("speedup, 16 workers     {} with barriers", ratio(barriers));
    eprintln!("bound, 16 workers       {}", ratio(bound.max()));
    assert_eq!(record.block.schedule.tail(), &[] as &[u32]);
    // One balance of the coin, or the most popular pool, is what the block waits for.
    assert!(batches.len() < n_txs / 10, "{} batches", batches.len());
}
