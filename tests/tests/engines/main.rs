//! Two engines agree: random contracts run on the runtime, and on wasmi with a model of the host.
//!
//! Compared are the outcome with the kind of a trap, the result, the events, the log, in which stand
//! all host calls, the globals and the hash of the memory (see `module`), the fuel to the last
//! instruction, and every key of the state.

mod model;
mod module;

use std::collections::BTreeMap;

use kempe_abi::{Address, Outcome, TrapKind};
use kempe_runtime::engine::{BlockEnv, admit};
use kempe_runtime::scheduler::{Color, by_name};
use kempe_runtime::types::{
    Action, EventRecord, Prices, Receipt, SignedTransaction, StateKey, contract_address,
};
use kempe_tests::{CHAIN_ID, World, call, deploy, genesis, number, options};
use model::{Code, Ran, Scene, Stored};
use module::Bug;

/// More than any of these contracts can burn: they count their loops and calls.
const FUEL: u64 = 1_000_000_000;

const N_ACCOUNTS: u8 = 3;

/// What was tried.
#[derive(Debug, Default)]
struct Counts {
    contracts: u32,
    /// Refused by admission, by its message.
    refused: Vec<String>,
    calls: u32,
    ok: u32,
    reverts: u32,
    /// By the code of the kind.
    traps: BTreeMap<u8, u32>,
    /// Host functions called besides `log`, in what ended well.
    host_calls: usize,
    /// The native stack was exhausted first, whose depth is the compiler's.
    too_deep: u32,
}

/// A chain on which all is free but instructions.
fn world(n_accounts: u8, n_threads: usize) -> World {
    let mut genesis = genesis(n_accounts, 0);
    genesis.prices = Prices {
        transaction: 0,
        transaction_byte: 0,
        list_entry: 0,
        call: 0,
        memory_kib: 0,
        host_call: 0,
        copy_byte: 0,
        write_byte: 0,
        hash_block: 0,
        signature: 0,
        deploy_byte: 0,
        ..genesis.prices
    };
    World::of(genesis, options(n_threads, &Color))
}

/// What the runtime did, as the model says it.
fn ran(receipt: &Receipt, logs: &[String], fuel: Option<u64>) -> Ran {
    let events = receipt.events.iter().map(|EventRecord { id, data, .. }| (*id, data.clone()));
    // A trap of wasm itself burns the limit.
    let fuel = match fuel {
        None => (receipt.fuel != FUEL).then_some(receipt.fuel),
        Some(_) => Some(receipt.fuel),
    };
    Ran {
        outcome: receipt.outcome,
        output: receipt.results.first().cloned().unwrap_or_default(),
        events: events.collect(),
        logs: logs.to_vec(),
        fuel,
    }
}

/// Runs a random contract in both; an error says how they differ.
#[expect(clippy::too_many_lines, reason = "one run, step by step, in both engines")]
fn case(seed: u64, bug: Bug, counts: &mut Counts) -> Result<(), String> {
    let random = &mut fastrand::Rng::with_seed(seed);
    let contract = module::contract(random, bug);
    counts.contracts += 1;
    let instance_fuel = match admit(&contract.wasm) {
        Ok(admitted) => admitted.instance_fuel(),
        Err(refusal) => {
            counts.refused.push(format!("{seed}: {refusal}"));
            return Ok(());
        }
    };
    let mut world = world(N_ACCOUNTS, 1);
    let code = Code::new(&contract.counting, bug);
    let mut stored = Stored::default();
    let mut bytes = || -> Vec<u8> { (0..random.usize(..32)).map(|_| random.u8(..)).collect() };
    let sender = world.accounts[0].address;
    let this = contract_address(CHAIN_ID, &sender, 0, 0);
    let mut nth = 0;
    for block in 0..3 {
        let start = stored.rows.clone();
        let is_deployment = block == 0;
        let calls: Vec<(usize, Action, Vec<u8>)> = if is_deployment {
            let args = bytes();
            let action = if contract.init {
                deploy(&contract.wasm, &args)
            } else {
                deploy(&contract.wasm, &())
            };
            vec![(0, action, args)]
        } else {
            (0..usize::from(N_ACCOUNTS))
                .map(|from| {
                    let args = bytes();
                    (from, call(this, "go", &args), args)
                })
                .collect()
        };
        let txs =
            calls.iter().map(|(from, action, _)| (*from, vec![action.clone()], FUEL, Vec::new()));
        let txs = world.sign_with(txs);
        let report = world.build(txs);
        let header = &report.record.block.header;
        let env = BlockEnv { height: header.height, time_ms: header.time_ms };
        for ((from, _, args), (receipt, logs)) in
            calls.iter().zip(report.record.receipts.iter().zip(&report.logs))
        {
            nth += 1;
            if is_deployment && !contract.init {
                if receipt.outcome != Outcome::Ok {
                    return Err(format!("seed={seed}: deployed: {:?} {logs:?}", receipt.outcome));
                }
                continue;
            }
            let scene = Scene { this, caller: world.accounts[*from].address, env };
            let args = borsh::to_vec(args).expect("encoding to memory cannot fail");
            let method = if is_deployment { "init" } else { "go" };
            let mut expected = code.run(method, &args, &mut stored, &start, scene);
            if receipt.outcome == Outcome::Trap(TrapKind::StackOverflow) {
                counts.too_deep += 1;
                return Ok(());
            }
            let mut found = ran(receipt, logs, expected.fuel);
            // What the model does not know of; who calls itself pays it before that is refused.
            let n_calls = 1 + u64::from(receipt.outcome == Outcome::Trap(TrapKind::Reentry));
            found.fuel = found.fuel.map(|fuel| fuel - n_calls * instance_fuel);
            if is_deployment {
                // The result of a deployment is the address.
                (found.output, expected.output) = (Vec::new(), Vec::new());
            }
            count(counts, found.outcome);
            if found != expected {
                return Err(format!(
                    "seed={seed} call={nth} {method}:\nkempe: {found:?}\nwasmi: {expected:?}"
                ));
            }
            if is_deployment && receipt.outcome != Outcome::Ok {
                return Ok(());
            }
        }
        counts.host_calls += std::mem::take(&mut stored.n_calls);
        compare_state(&world, this, &stored).map_err(|what| format!("seed={seed}: {what}"))?;
    }
    Ok(())
}

fn count(counts: &mut Counts, outcome: Outcome) {
    counts.calls += 1;
    match outcome {
        Outcome::Ok => counts.ok += 1,
        Outcome::Revert(_) => counts.reverts += 1,
        Outcome::Trap(kind) => *counts.traps.entry(kind as u8).or_default() += 1,
    }
}

fn compare_state(world: &World, this: Address, stored: &Stored) -> Result<(), String> {
    let state = world.chain.state().expect("it is there");
    for ((field, key), expected) in &stored.rows {
        let found = state.get(&StateKey::new(this, *field, key).hash()).expect("readable");
        if found.as_deref() != expected.as_deref() {
            return Err(format!("field={field} key={key:?}: {found:?} is not {expected:?}"));
        }
    }
    Ok(())
}

#[test]
fn wasmtime_and_wasmi_agree() {
    let first: u64 = number("KEMPE_SEED", 0);
    let n: u64 = number("KEMPE_MODULES", 300);
    let mut counts = Counts::default();
    for seed in first..first + n {
        case(seed, Bug::None, &mut counts).unwrap_or_else(|what| panic!("{what}"));
    }
    println!("{counts:?}");
    // Nothing is dropped in silence: few are refused, and few are too deep to compare.
    let share = |part: usize, percent: u64| part as u64 <= (n * percent).div_ceil(100);
    assert!(share(counts.refused.len(), 5), "{:?}", counts.refused);
    assert!(share(counts.too_deep as usize, 2), "{}", counts.too_deep);
    assert!(counts.ok * 4 > counts.calls, "few succeed: {counts:?}");
    assert!(counts.traps.len() > 2, "few kinds of traps: {counts:?}");
}

#[test]
fn planted_bugs_are_noticed() {
    for bug in [Bug::Subtract, Bug::Fuel, Bug::Remove, Bug::Start, Bug::Failed] {
        let noticed = (0..100).find(|&seed| case(seed, bug, &mut Counts::default()).is_err());
        assert!(noticed.is_some(), "{bug:?}");
        println!("{bug:?} is noticed at seed {noticed:?}");
    }
}

/// What blocks of many random contracts did.
#[derive(Debug, Default)]
struct Together {
    ok: usize,
    in_tail: usize,
    all: usize,
}

/// Runs a block on two threads under a few schedulers, each of which must agree with the oracle, and commits it.
fn everywhere(world: &mut World, txs: &[SignedTransaction]) -> Vec<Receipt> {
    let mut done = None;
    for name in ["graph", "versions", "block-stm", "aria", "color"] {
        let scheduler = by_name(name).expect("it is there");
        world.chain.set_options(options(2, scheduler)).expect("threads start");
        let prepared = world.chain.prepare(txs.to_vec(), 0).expect("it is prepared");
        assert!(prepared.rejected.is_empty(), "{:?}", prepared.rejected);
        let oracle = world.chain.execute_oracle(&prepared).expect("it runs");
        let output = world.chain.execute(&prepared).expect("it runs");
        assert_eq!(output.receipts, oracle.receipts, "{name}");
        assert_eq!(output.logs, oracle.logs, "{name}");
        assert_eq!(output, oracle, "{name}");
        done = Some((prepared, output));
    }
    let (prepared, output) = done.expect("there is a scheduler");
    let receipts = output.receipts.clone();
    world.chain.commit_prepared(prepared, output).expect("it is committed");
    receipts
}

/// Deploys the contracts of these seeds in one block, and calls them all in others: with the lists of simulations, so that
/// those that touch other cells run beside each other, and some without.
fn together(seeds: std::ops::Range<u64>, counts: &mut Together) {
    const N_CALLERS: u8 = 6;
    let random = &mut fastrand::Rng::with_seed(seeds.start);
    let contracts =
        seeds.map(|seed| module::contract(&mut fastrand::Rng::with_seed(seed), Bug::None));
    let contracts: Vec<_> = contracts.filter(|contract| admit(&contract.wasm).is_ok()).collect();
    let mut world = world(N_CALLERS, 2);
    let n_callers = usize::from(N_CALLERS);
    let deployments = contracts.iter().enumerate().map(|(at, contract)| {
        let from = at % n_callers;
        let args = vec![u8::try_from(at).expect("a few"); at];
        let action =
            if contract.init { deploy(&contract.wasm, &args) } else { deploy(&contract.wasm, &()) };
        (from, vec![action], FUEL, Vec::new())
    });
    let txs = world.sign_with(deployments);
    let receipts = everywhere(&mut world, &txs);
    let deployed = txs.iter().zip(&receipts).filter(|(_, receipt)| receipt.outcome == Outcome::Ok);
    let address = |signed: &SignedTransaction| {
        contract_address(CHAIN_ID, &signed.transaction.sender, signed.transaction.nonce, 0)
    };
    let deployed: Vec<Address> = deployed.map(|(signed, _)| address(signed)).collect();
    for _ in 0..3 {
        let mut calls = Vec::new();
        for (at, contract) in deployed.iter().enumerate().cycle().take(3 * deployed.len()) {
            let args: Vec<u8> = (0..random.usize(..32)).map(|_| random.u8(..)).collect();
            let (from, action) =
                ((at + random.usize(..3)) % n_callers, call(*contract, "go", &args));
            let signed = world.sign_with([(from, vec![action.clone()], FUEL, Vec::new())]);
            let simulation = world.chain.simulate(&signed[0].transaction).expect("it runs");
            let is_listed = random.u8(..8) > 0;
            let list = if is_listed { simulation.explicit_list() } else { Vec::new() };
            calls.push((from, vec![action], FUEL, list));
        }
        let txs = world.sign_with(calls);
        let receipts = everywhere(&mut world, &txs);
        counts.all += receipts.len();
        counts.ok += receipts.iter().filter(|receipt| receipt.outcome == Outcome::Ok).count();
        counts.in_tail += receipts.iter().filter(|receipt| receipt.tail).count();
    }
}

/// What one contract leaves in an instance, a thread or a cell, no other one sees.
#[test]
fn random_contracts_run_beside_each_other() {
    let first: u64 = number("KEMPE_SEED", 0);
    let n: u64 = number("KEMPE_MODULES", 300) / 5;
    let mut counts = Together::default();
    for seed in (first..first + n).step_by(12) {
        together(seed..(seed + 12).min(first + n), &mut counts);
    }
    println!("{counts:?}");
    let Together { ok, in_tail, all } = counts;
    assert!(ok * 4 > all, "{ok} of {all} succeed");
    assert!(in_tail * 2 < all, "{in_tail} of {all} run one by one");
}
