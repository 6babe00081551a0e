//! Bad input: each with its exact outcome, and with nothing changed that should not be.

use kempe_abi::{AccessKind, Address, Bound, Hash, Outcome, TrapKind};
use kempe_runtime::chain::{Chain, ChainError};
use kempe_runtime::engine::BlockEnv;
use kempe_runtime::executor::{Executor, Plan, PostValuesError, Tx};
use kempe_runtime::scheduler::{Color, Mode, Schedule, Values};
use kempe_runtime::state::{StateRead, StoreError};
use kempe_runtime::types::{
    Action, Bytes, DeclaredAccess, KeyHash, Receipt, StateKey, TransactionError, Undeclared,
    contract_address,
};
use kempe_tests::{CHAIN_ID, CHAOS, FUEL, World, assert_named, call, deploy, genesis, options};

fn token(world: &mut World) -> Address {
    let owner = world.accounts[0].address;
    world.deploy(0, kempe_contracts::TOKEN, &owner)
}

/// Sends a transaction that must fail, and checks that only the nonce changed.
fn fails(world: &mut World, from: usize, action: Action, outcome: Outcome) -> Receipt {
    let txs = world.sign(vec![(from, vec![action])]);
    let prepared = world.chain.prepare(txs, 0).expect("it is prepared");
    let output = world.chain.execute(&prepared).expect("it runs");
    let oracle = world.chain.execute_oracle(&prepared).expect("it runs");
    assert_eq!(output, oracle);
    assert_eq!(output.receipts[0].outcome, outcome);
    assert_eq!(output.changes.len(), 1, "only the nonce changes: {:?}", output.changes);
    assert!(output.receipts[0].events.is_empty() && output.receipts[0].results.is_empty());
    let receipt = output.receipts[0].clone();
    world.chain.commit_prepared(prepared, output).expect("it is committed");
    receipt
}

fn trap(kind: TrapKind) -> Outcome {
    Outcome::Trap(kind)
}

#[test]
fn calls_that_name_nothing() {
    let mut world = World::new(2);
    let token = token(&mut world);
    let nobody = Address([7; 32]);
    fails(&mut world, 1, call(nobody, "transfer", &()), trap(TrapKind::NoSuchContract));
    fails(&mut world, 1, call(token, "teleport", &()), trap(TrapKind::NoSuchMethod));
    let owner = world.accounts[1].address;
    fails(&mut world, 1, call(token, "init", &owner), trap(TrapKind::NotPermitted));
}

#[test]
fn arguments_of_other_types() {
    let mut world = World::new(2);
    let token = token(&mut world);
    let to = world.accounts[0].address;
    for args in [vec![], vec![0; 47], vec![0; 49]] {
        let method = kempe_abi::MethodId::of("transfer");
        let action = Action::Call { contract: token, method, args };
        fails(&mut world, 1, action, trap(TrapKind::BadArguments));
    }
    let action = call(token, "transfer", &(to, 1u64));
    fails(&mut world, 1, action, trap(TrapKind::BadArguments));
}

#[test]
fn refusals_and_bounds_of_contracts() {
    let mut world = World::new(2);
    let token = token(&mut world);
    let to = world.accounts[0].address;
    fails(&mut world, 1, call(token, "transfer", &(to, 1u128)), Outcome::Revert(101));
    fails(&mut world, 1, call(token, "mint", &(to, 1u128)), Outcome::Revert(104));
    let chaos = world.deploy(0, CHAOS, &());
    let sub = call(chaos, "sub", &(3u8, 1u8));
    let receipt = fails(&mut world, 1, sub, trap(TrapKind::CounterOutOfBounds));
    // It says which.
    let counter = receipt.failure.and_then(|failure| failure.counter);
    assert_eq!(counter, Some(StateKey::new(chaos, 1, &[3])));
    let too_much = i128::MAX.cast_unsigned();
    let native = Action::Transfer { to, amount: too_much };
    fails(&mut world, 1, native, trap(TrapKind::InsufficientBalance));
    let native = Action::Transfer { to, amount: u128::MAX };
    fails(&mut world, 1, native, trap(TrapKind::InsufficientBalance));
}

#[test]
fn taking_more_than_is_declared_says_how_much() {
    let mut world = World::new(2);
    let chaos = world.deploy(0, CHAOS, &());
    world.send(0, call(chaos, "stock", &(7u8, 100u8)));
    let bound = |amount, floor| Some(Bound { amount, floor });
    let write = AccessKind::Write;
    // What is taken in all, what is declared, and whether the block has one that orders them changes nothing.
    for (method, args, takes, may_take, wanted) in [
        ("overbook", vec![7, 5], bound(6, 0), bound(5, 1), write),
        ("overbook", vec![7, 3], bound(3, 2), bound(3, 1), write),
        ("peek", vec![7, 7, 9], None, None, AccessKind::Read),
        ("peek", vec![7, 8, 9], None, bound(9, 0), AccessKind::Read),
    ] {
        let action =
            Action::Call { contract: chaos, method: kempe_abi::MethodId::of(method), args };
        if (takes, may_take) == (None, None) {
            // It declares both for the one stock, which is writing.
            assert_eq!(world.send(1, action).outcome, Outcome::Ok);
            continue;
        }
        for other in [None, Some(call(chaos, "restock", &(7u8, 50u8)))] {
            let mut actions = vec![(1, vec![action.clone()])];
            actions.extend(other.map(|other| (0, vec![other])));
            let txs = world.sign(actions);
            let prepared = world.chain.prepare(txs, 0).expect("it is prepared");
            let output = world.chain.execute(&prepared).expect("it runs");
            assert_eq!(output, world.chain.execute_oracle(&prepared).expect("it runs"));
            let failure = output.receipts[0].failure.clone().expect("it says where");
            let undeclared = failure.undeclared.expect("it says what");
            let key = StateKey::new(chaos, 5, &[7]);
            let declared = Some(AccessKind::Add);
            assert_eq!(undeclared, Undeclared { key, wanted, declared, takes, may_take });
        }
    }
}

#[test]
fn loops_recursion_and_hunger_end() {
    let mut world = World::new(2);
    let chaos = world.deploy(0, CHAOS, &());
    let spin = fails(&mut world, 1, call(chaos, "spin", &()), trap(TrapKind::OutOfFuel));
    assert_eq!(spin.fuel, FUEL);
    // The linker puts the stack below the data, so that running over it is an access below zero.
    let deep = call(chaos, "recurse", &1_000_000u32);
    let deep = fails(&mut world, 1, deep, trap(TrapKind::MemoryOutOfBounds));
    assert_eq!(deep.fuel, FUEL, "a trap of wasm burns everything");
    let hungry = call(chaos, "devour", &1_000_000u32);
    let hungry = fails(&mut world, 1, hungry, trap(TrapKind::Panic));
    assert!(hungry.fuel < FUEL, "out of memory is a panic: {}", hungry.fuel);
    let action = call(chaos, "soil_and_panic", &1u8);
    let panic = fails(&mut world, 1, action, trap(TrapKind::Panic));
    assert!(panic.fuel < FUEL, "a panic burns what it used: {}", panic.fuel);
}

#[test]
fn nothing_is_left_over_between_transactions() {
    let mut world = World::new(2);
    let chaos = world.deploy(0, CHAOS, &());
    let mut fuels = Vec::new();
    for action in [
        call(chaos, "soil", &1u32),
        call(chaos, "soil", &2u32),
        call(chaos, "soil_and_panic", &1u8),
        call(chaos, "soil", &3u32),
        call(chaos, "devour", &1_000_000u32),
        call(chaos, "recurse", &1_000_000u32),
        call(chaos, "soil", &4u32),
    ] {
        let receipt = world.send(1, action);
        if receipt.outcome == Outcome::Ok {
            assert_eq!(receipt.results, [7u32.to_le_bytes().to_vec()], "as in a fresh instance");
            fuels.push(receipt.fuel);
        }
    }
    assert_eq!(fuels.len(), 4);
    assert!(fuels.iter().all(|fuel| *fuel == fuels[0]), "{fuels:?}");
}

#[test]
fn reentry_is_refused_and_a_caught_failure_is_undone() {
    let mut world = World::new(2);
    let (one, two) = (world.deploy(0, CHAOS, &()), world.deploy(0, CHAOS, &()));
    let action = call(one, "reenter", &(two, 1u8));
    fails(&mut world, 1, action, trap(TrapKind::Reentry));
    let receipt = world.send(1, call(one, "forgive", &(two, 4u8, 3u64)));
    assert_eq!(receipt.outcome, Outcome::Ok);
    assert_eq!(receipt.results, [101u32.to_le_bytes().to_vec()]);
    assert!(receipt.events.is_empty(), "the callee's event is undone: {:?}", receipt.events);
    let state = world.chain.state().expect("readable");
    let undone = state.get(&StateKey::new(two, 0, &[4]).hash()).expect("readable");
    assert_eq!(undone, None, "the callee's write is undone");
    let kept = state.get(&StateKey::new(one, 0, &[4]).hash()).expect("readable");
    assert_eq!(kept.as_deref(), Some(&102u64.to_le_bytes()[..]));
}

#[test]
fn a_dynamic_call_with_a_lying_list_runs_again_in_the_tail() {
    let mut world = World::new(2);
    let chaos = world.deploy(0, CHAOS, &());
    let follow = || vec![call(chaos, "follow", &(2u8, 3u8))];
    let lie = vec![DeclaredAccess { kind: AccessKind::Read, key: StateKey::new(chaos, 0, &[2]) }];
    let simulation = {
        let txs = world.sign_with([(1, follow(), FUEL, Vec::new())]);
        world.chain.simulate(&txs[0].transaction).expect("it runs")
    };
    let truth = simulation.explicit_list();
    assert_eq!(truth.len(), 3, "the contract, the start, and the end: {truth:?}");
    for (list, tail) in [(truth, false), (lie, true), (Vec::new(), true)] {
        let txs = world.sign_with([(1, follow(), FUEL, list)]);
        let receipt = world.build(txs).record.receipts[0].clone();
        assert_eq!((receipt.outcome, receipt.tail), (Outcome::Ok, tail));
        assert!(receipt.fuel <= FUEL);
    }
}

#[test]
fn transactions_that_are_no_part_of_a_block() {
    let mut world = World::new(2);
    let to = world.accounts[0].address;
    let good = world.sign(vec![(1, vec![Action::Transfer { to, amount: 1 }])]).remove(0);
    let sender = good.transaction.sender;
    let mut forged = good.clone();
    forged.transaction.fuel_limit -= 1;
    let mut other_chain = good.transaction.clone();
    other_chain.chain_id = 1;
    let other_chain = world.accounts[1].sign(other_chain);
    let mut ahead = good.transaction.clone();
    ahead.nonce = 5;
    let ahead = world.accounts[1].sign(ahead);
    let mut greedy = good.transaction.clone();
    greedy.fuel_limit = u64::MAX;
    let greedy = world.accounts[1].sign(greedy);
    let mut idle = good.transaction.clone();
    idle.actions.clear();
    let idle = world.accounts[1].sign(idle);
    let mut meddling = good.transaction.clone();
    let balance = StateKey::system(3, &to.0);
    meddling.access = vec![DeclaredAccess { kind: AccessKind::Write, key: balance.clone() }];
    let meddling = world.accounts[1].sign(meddling);
    let txs = vec![forged, other_chain, ahead, greedy, idle, meddling, good.clone(), good.clone()];
    let report = world.build(txs);
    let errors: Vec<_> = report.rejected.into_iter().collect();
    let fuel_max = world.chain.genesis().limits.tx_fuel_max;
    assert_eq!(
        errors,
        [
            (0, TransactionError::BadSignature(sender)),
            (1, TransactionError::ChainId { found: 1, expected: CHAIN_ID }),
            (2, TransactionError::Nonce { sender, found: 5, expected: 0 }),
            (3, TransactionError::FuelLimit { found: u64::MAX, max: fuel_max }),
            (4, TransactionError::NoActions),
            (5, TransactionError::SystemKey(balance)),
            (7, TransactionError::Nonce { sender, found: 0, expected: 1 }),
        ]
    );
    assert_eq!(report.record.block.transactions, std::slice::from_ref(&good));
    let head = world.chain.head().clone();
    let error = world.chain.build(vec![good], 0).expect_err("replayed");
    let expected = TransactionError::Nonce { sender, found: 0, expected: 1 };
    assert!(
        matches!(error, ChainError::Transaction { tx_index: 0, source } if *source == expected)
    );
    assert_eq!(world.chain.head(), &head, "a block of nothing but refused transactions is none");
}

#[test]
fn a_block_asks_for_so_much_fuel_and_no_more() {
    let mut genesis = genesis(4, 0);
    genesis.limits.tx_fuel_max = FUEL;
    genesis.limits.block_fuel_max = 3 * FUEL + 1;
    let mut world = World::of(genesis.clone(), options(2, &Color));
    let to = world.accounts[0].address;
    let pay = |from| (from, vec![Action::Transfer { to, amount: 1 }]);
    let txs = world.sign((0..4).map(pay).collect());
    let max = 3 * FUEL + 1;
    let full = TransactionError::BlockFull { found: FUEL, left: 1, max };
    let report = world.build(txs.clone());
    assert_eq!(report.rejected, [(3, full.clone())]);
    assert_eq!(report.record.block.transactions, txs[..3]);
    // Whoever else builds blocks has the same limit.
    let mut other = World::of(genesis, options(2, &Color));
    let mut block = report.record.block.clone();
    block.transactions.push(txs[3].clone());
    let error = other.chain.apply(&block).expect_err("it is too much");
    let ChainError::Transaction { tx_index: 3, source } = error else { panic!("{error}") };
    assert_eq!(*source, full);
    other.chain.apply(&report.record.block).expect("as much as permitted");
    // There is room in the next, and what has no turn takes none.
    let mut early = txs[3].transaction.clone();
    early.nonce = 7;
    let early = world.accounts[3].sign(early);
    let report = world.build(vec![early.clone(), early.clone(), early, txs[3].clone()]);
    assert_eq!(report.record.block.transactions, txs[3..]);
}

#[test]
fn modules_that_are_refused() {
    let mut world = World::new(1);
    let text = |wat: &str| wat::parse_str(wat).expect("it is wat");
    let mut tampered = kempe_contracts::TOKEN.to_vec();
    let middle = tampered.len() / 2;
    tampered.truncate(middle);
    for (name, wasm) in [
        ("not wasm", b"#!/bin/sh".to_vec()),
        ("empty", Vec::new()),
        ("tampered", tampered),
        ("no contract", text("(module)")),
        ("foreign import", text(r#"(module (import "env" "open" (func)))"#)),
        ("start", text("(module (func $f) (start $f))")),
        ("growing", text(r#"(module (memory (export "memory") 1))"#)),
    ] {
        let (sender, nonce) =
            (world.accounts[0].address, world.chain.next_nonce(&world.accounts[0].address));
        let action = deploy(&wasm, &());
        let txs = world.sign_with([(0, vec![action], 1_000_000_000, Vec::new())]);
        let report = world.build(txs);
        let receipt = &report.record.receipts[0];
        assert_eq!(receipt.outcome, trap(TrapKind::ModuleRefused), "{name}");
        assert_eq!(report.logs[0].len(), 1, "{name}: the log says why");
        let address = contract_address(CHAIN_ID, &sender, nonce.expect("readable"), 0);
        assert!(world.chain.contract(&address).expect("readable").is_none(), "{name}");
    }
}

#[test]
fn blocks_from_elsewhere_that_do_not_fit() {
    let mut world = World::new(3);
    let tally = world.deploy(0, kempe_contracts::COUNTER, &());
    let slow = |from| (from, vec![call(tally, "raise_slowly", &1u64)]);
    let txs = world.sign(vec![slow(0), slow(1), slow(2)]);
    let record = world.build(txs).record;
    let fresh = || {
        let mut chain =
            Chain::in_memory(genesis(3, 0), options(2, &Color)).expect("a chain starts");
        let first = world.chain.block(1).expect("readable").expect("there");
        chain.apply(&first.block).expect("it fits");
        chain
    };
    let refused = |change: &dyn Fn(&mut kempe_runtime::types::Block)| {
        let mut chain = fresh();
        let before = chain.head().clone();
        let mut block = record.block.clone();
        change(&mut block);
        let error = chain.apply(&block).expect_err("it does not fit");
        assert_eq!(chain.head(), &before);
        chain.apply(&record.block).expect("the true block still fits");
        error.to_string()
    };
    let error = refused(&|block| block.header.state_root = Hash([1; 32]));
    assert!(error.contains("state_root"), "{error}");
    let error = refused(&|block| block.header.receipts_root = Hash([1; 32]));
    assert!(error.contains("receipts_root"), "{error}");
    let error = refused(&|block| block.header.parent = Hash([1; 32]));
    assert!(error.contains("parent"), "{error}");
    let error = refused(&|block| block.header.protocol = Hash([1; 32]));
    assert!(error.contains("protocol"), "{error}");
    let error = refused(&|block| block.header.time_ms = 0);
    assert!(error.contains("time_ms"), "{error}");
    let error = refused(&|block| {
        block.transactions.pop();
    });
    assert!(error.contains("transactions_root"), "{error}");
    let error = refused(&|block| {
        block.transactions[1].signature[3] ^= 1;
    });
    assert!(error.contains("transaction 1"), "{error}");
    // All three in one batch: a schedule that is committed to, but not legal.
    let error = refused(&|block| {
        block.schedule = Schedule::new([[0, 1, 2]], &[]).expect("each once");
        block.header.schedule_hash = kempe_runtime::types::schedule_hash(&block.schedule);
    });
    assert!(error.contains("schedule"), "{error}");
}

#[test]
fn one_process_one_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    let chain = Chain::create(directory.path(), genesis(1, 0), options(1, &Color));
    let chain = chain.expect("it is created");
    let error = Chain::open(directory.path(), options(1, &Color)).expect_err("it is locked");
    assert!(matches!(error, ChainError::Store(_)), "{error}");
    assert!(error.to_string().contains("in use"), "{error}");
    drop(chain);
    Chain::open(directory.path(), options(1, &Color)).expect("it is free again");
    let error = Chain::create(directory.path(), genesis(1, 0), options(1, &Color));
    assert!(matches!(error, Err(ChainError::Exists(_))));
}

#[test]
fn a_chain_survives_being_opened_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let chain = Chain::create(directory.path(), genesis(2, 0), options(2, &Color));
    let mut world = World::on(chain.expect("it is created"), 2);
    let token = token(&mut world);
    let to = world.accounts[1].address;
    for _ in 0..3 {
        assert_eq!(world.send(0, call(token, "mint", &(to, 5u128))).outcome, Outcome::Ok);
    }
    let head = world.chain.head().clone();
    drop(world);
    let chain = Chain::open(directory.path(), options(1, &Color)).expect("it opens");
    assert_eq!(chain.head(), &head);
    let report = kempe_runtime::chain::replay(&chain, options(2, &Color), |_| ()).expect("replays");
    assert_eq!((report.n_blocks, report.divergence), (4, None));
}

#[test]
fn a_corrupt_directory_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let chain = Chain::create(directory.path(), genesis(2, 0), options(1, &Color));
    let chain = chain.expect("it is created");
    let head = chain.head().clone();
    drop(chain);
    let damaged = ["blocks/00000000.log", "blocks/key", "manifest", "names", "state/00000000.rows"];
    for name in damaged {
        let file = directory.path().join("store").join(name);
        let bytes = std::fs::read(&file).expect("readable");
        let mut harmless = 0;
        for at in (0..bytes.len()).step_by(bytes.len() / 13 + 1) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x40;
            std::fs::write(&file, &changed).expect("writable");
            match Chain::open(directory.path(), options(1, &Color)) {
                Err(error) => assert_named(&error, &file),
                Ok(chain) => {
                    harmless += 1;
                    assert_eq!(chain.head(), &head, "what opens is what was written");
                }
            }
            // Opening may have cut off what it took for a torn end.
            std::fs::write(&file, &bytes).expect("writable");
        }
        Chain::open(directory.path(), options(1, &Color)).expect("the true file opens");
        // Names are looked at when cells are listed; a name that is wrong has no cell.
        assert!(harmless < 5 || name == "names", "{name}: {harmless}");
    }
}

/// A state that panics when a certain account's balance is read.
struct Broken(std::sync::Arc<dyn StateRead>);

impl StateRead for Broken {
    fn get(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        assert_ne!(*key, StateKey::system(3, &[9; 32]).hash(), "as the test wants it");
        self.0.get(key)
    }
}

#[test]
fn a_panic_in_a_worker_loses_the_block_and_nothing_else() {
    let world = World::new(2);
    let to = |byte| Action::Transfer { to: Address([byte; 32]), amount: 1 };
    let state: std::sync::Arc<dyn StateRead> =
        std::sync::Arc::new(Broken(world.chain.state().expect("readable")));
    let prices = world.chain.genesis().prices;
    let mut executor = Executor::new(world.chain.engine(), prices, 2).expect("threads start");
    let mut run = |byte| {
        let signed = world.sign(vec![(0, vec![to(byte)]), (1, vec![to(byte)])]);
        let txs: Vec<Tx<'_>> = signed
            .iter()
            .map(|signed| Tx { transaction: &signed.transaction, hash: signed.transaction.hash() })
            .collect();
        let lists = executor.derive(&txs, &state).expect("lists");
        let interned = executor.intern(lists, &txs).expect("numbers");
        let schedule = Schedule::new([[0, 1]], &[]).expect("each once");
        let plan = Plan::new(interned, schedule, Mode::Free).expect("they do not conflict");
        executor.execute(&txs, &plan, &state, BlockEnv::default())
    };
    let error = run(9).expect_err("a worker panicked");
    assert!(error.to_string().contains("as the test wants it"), "{error}");
    let output = run(8).expect("the executor lives");
    assert!(output.receipts.iter().all(|receipt| receipt.outcome == Outcome::Ok));
    assert_eq!(output.receipts.len(), 2);
}

#[test]
fn published_values_that_are_not_those_of_the_block_are_refused() {
    let mut world = World::of(genesis(4, 0), options(3, &Values));
    let tally = world.deploy(0, kempe_contracts::COUNTER, &());
    let raise = |amount: u64| call(tally, "raise", &amount);
    let lower = |amount: u64| call(tally, "lower", &amount);
    let native = |byte, amount| Action::Transfer { to: Address([byte; 32]), amount };
    // The third does not fit, and the last of the second sender has less than it sends.
    let txs = world.sign(vec![
        (0, vec![raise(5), native(7, 1)]),
        (1, vec![lower(3)]),
        (2, vec![lower(9), native(7, 2)]),
        (3, vec![raise(1), native(7, 3)]),
        (1, vec![native(8, u128::MAX / 4)]),
    ]);
    let mut prepared = world.chain.prepare(txs, 0).expect("it is prepared");
    assert_eq!(prepared.plan.post_values(), None, "nobody knows them yet");
    let first = world.chain.execute(&prepared).expect("it runs");
    assert_eq!(first, world.chain.execute_oracle(&prepared).expect("it runs"));
    assert_eq!(first.receipts[2].outcome, trap(TrapKind::CounterOutOfBounds));
    let right = prepared.plan.post_values().expect("it ran").clone();
    assert_eq!(first, world.chain.execute(&prepared).expect("they are right"));
    let accesses = prepared.plan.interned().accesses();
    let rows: Vec<usize> = accesses.rows().map(<[_]>::len).collect();
    let owners = (0..).zip(rows).flat_map(|(tx, n)| std::iter::repeat_n(tx, n));
    for n_threads in [1, 3] {
        world.chain.set_options(options(n_threads, &Values)).expect("threads start");
        for (at, tx) in owners.clone().enumerate().collect::<Vec<(usize, u32)>>() {
            for other in [None, Some(None), Some(Some(Bytes::from_slice(&[9; 16])))] {
                let mut wrong = right.clone();
                if wrong.after[at] == other {
                    continue;
                }
                wrong.after[at] = other;
                prepared.plan = prepared.plan.with_post_values(wrong).expect("one for each access");
                let error = world.chain.execute(&prepared).expect_err("one value is wrong");
                let text = format!("tx={tx} did not leave the published value: key=");
                assert!(error.to_string().starts_with(&text), "{at}: {error}");
            }
        }
        prepared.plan = prepared.plan.with_post_values(right.clone()).expect("as before");
        assert_eq!(first, world.chain.execute(&prepared).expect("they are right"));
    }
    let (mut short, n_values) = (right.clone(), right.after.len());
    short.after.pop();
    let error = prepared.plan.with_post_values(short).expect_err("one is missing");
    assert_eq!(error, PostValuesError::Length { found: n_values - 1, expected: n_values });
}
