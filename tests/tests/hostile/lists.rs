//! Access lists that lie, that are too long, or that cost more than they say.

use crate::everywhere::{DYNAMIC, Everywhere, READS, contract, go, one};
use kempe_abi::def::{ClauseDef, ExprDef};
use kempe_abi::derive::CALL_STEPS;
use kempe_abi::{AccessKind, Outcome, TrapKind};
use kempe_runtime::chain::ChainError;
use kempe_runtime::types::{DeclaredAccess, LIST_ENTRIES_MAX, StateKey, TransactionError};

const FUEL: u64 = 20_000_000;

const ARGS: [u32; 5] = [0; 5];

fn entry(kind: AccessKind, contract: kempe_abi::Address, key: &[u8]) -> DeclaredAccess {
    DeclaredAccess { kind, key: StateKey::new(contract, 0, key) }
}

/// What a stock holds that is no number costs who takes nothing of it the same, whether others could be refused or not.
#[test]
fn a_stock_that_is_no_number_costs_the_same_in_any_company() {
    const fn takes(amount: &'static [u8]) -> ClauseDef {
        let (amount, floor) = (ExprDef::Literal(amount), ExprDef::Literal(&[]));
        ClauseDef::Reserve { field: 6, key: &[], amount, floor }
    }
    const NOTHING: &[ClauseDef] = &[takes(&[])];
    const SOME: &[ClauseDef] = &[takes(&[5])];
    const FILLS: &[ClauseDef] = &[ClauseDef::Touch { kind: AccessKind::Write, field: 6, key: &[] }];
    let text = r#"(import "kempe" "put:6" (func $put (param i32 i32 i32 i32)))
        (func (export "call.fill") (param i32) (result i32)
            (call $put (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 4096)) i32.const 0)
        (func (export "call.nothing") (param i32) (result i32) i32.const 0)
        (func (export "call.some") (param i32) (result i32) i32.const 0)"#;
    let mut chain = Everywhere::new(3);
    let methods = [("fill", FILLS), ("nothing", NOTHING), ("some", SOME)];
    let stock = chain.deploy(&contract(&methods, text));
    let call = |method| vec![kempe_tests::call(stock, method, &[0u32; 5])];
    let fill = chain.world.sign(vec![(0, call("fill"))]);
    assert_eq!(chain.block(fill).receipts[0].outcome, Outcome::Ok);
    let [alone, beside] = ["nothing", "some"].map(|other| {
        let txs = chain.world.sign(vec![(0, call("nothing")), (1, call(other))]);
        chain.block(txs).receipts[0].fuel
    });
    assert_eq!(alone, beside);
}

#[test]
fn a_key_outside_the_list_stops_the_transaction() {
    let mut chain = Everywhere::new(20);
    for (name, params, result, drop, kind) in [
        ("get:0", "i32 i32 i32 i32", "(result i32)", "drop", AccessKind::Read),
        ("put:0", "i32 i32 i32 i32", "", "", AccessKind::Write),
        ("remove:0", "i32 i32", "", "", AccessKind::Write),
    ] {
        let zeros = "(i32.const 0)".repeat(params.split(' ').count());
        // The list has the key without bytes; this one has one byte.
        let zeros = zeros.replacen("(i32.const 0)(i32.const 0)", "(i32.const 0)(i32.const 1)", 1);
        let import = format!(r#"(import "kempe" "{name}" (func $f (param {params}) {result}))"#);
        let body = format!("{zeros} call $f {drop} i32.const 0");
        let contract = chain.deploy(&one(crate::everywhere::ALL, &import, &body));
        let receipt = chain.attack(FUEL, &go(contract, ARGS));
        assert_eq!(receipt.outcome, Outcome::Trap(TrapKind::UndeclaredAccess), "{name}");
        assert!(receipt.fuel < 200_000, "{name}: exact, {}", receipt.fuel);
        let failure = receipt.failure.expect("it says where");
        let undeclared = failure.undeclared.expect("it says what");
        assert_eq!((undeclared.wanted, undeclared.declared), (kind, None), "{name}");
        assert_eq!(undeclared.key, StateKey::new(contract, 0, &[0]), "{name}");
    }
}

#[test]
fn a_read_list_does_not_permit_a_write() {
    let mut chain = Everywhere::new(20);
    let put = r#"(import "kempe" "put:0" (func $put (param i32 i32 i32 i32)))"#;
    let body = "(call $put (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8)) i32.const 0";
    let contract = chain.deploy(&one(DYNAMIC, put, body));
    // The list lies: the transaction runs again alone, and everybody sees the same.
    let list = [entry(AccessKind::Read, contract, &[])];
    for receipt in chain.flood_with(FUEL, &go(contract, ARGS), &list) {
        assert_eq!((receipt.outcome, receipt.tail), (Outcome::Ok, true));
    }
}

#[test]
fn lists_have_a_largest_length() {
    let mut chain = Everywhere::new(2);
    let contract = chain.deploy(&one(DYNAMIC, "", "i32.const 0"));
    let list = |n: usize| -> Vec<_> {
        let key = |at: usize| entry(AccessKind::Write, contract, &at.to_le_bytes());
        (0..n).map(key).collect()
    };
    // One entry is the contract's own record.
    let most = LIST_ENTRIES_MAX - 1;
    let receipts = chain.flood_with(FUEL, &go(contract, ARGS), &list(most));
    assert!(receipts.iter().all(|receipt| receipt.outcome == Outcome::Ok));
    let receipts = chain.flood_with(FUEL, &go(contract, ARGS), &list(most + 1));
    for receipt in receipts {
        assert_eq!(receipt.outcome, Outcome::Trap(TrapKind::ListTooLarge));
    }
    let txs =
        chain.world.sign_with([(0, vec![go(contract, ARGS)], FUEL, list(LIST_ENTRIES_MAX + 1))]);
    let error = chain.world.chain.build(txs, 0).expect_err("it is too long");
    let ChainError::Transaction { source, .. } = error else { panic!("{error}") };
    assert!(matches!(*source, TransactionError::ListTooLong(1025)), "{source}");
    // The same key many times is one entry.
    let same = vec![entry(AccessKind::Read, contract, &[7]); LIST_ENTRIES_MAX];
    let receipts = chain.flood_with(FUEL, &go(contract, ARGS), &same);
    assert!(receipts.iter().all(|receipt| receipt.outcome == Outcome::Ok));
}

#[test]
fn what_a_run_touches_alone_has_a_largest_number_too() {
    let mut chain = Everywhere::new(2);
    let put = r#"(import "kempe" "put:0" (func $put (param i32 i32 i32 i32)))"#;
    let body = "(local $i i32) (loop $l (i32.store (i32.const 0) (local.get $i))
        (call $put (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 4))
        (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $l)) i32.const 0";
    let contract = chain.deploy(&one(DYNAMIC, put, body));
    for receipt in chain.flood(FUEL, &go(contract, ARGS)) {
        assert_eq!(receipt.outcome, Outcome::Trap(TrapKind::ListTooLarge));
        assert!(receipt.fuel > 1_000_000 && receipt.fuel < FUEL, "{}", receipt.fuel);
    }
}

/// Where no list follows, nothing is paid for entries: looking for many contracts is paid all the same.
#[test]
fn contracts_that_are_looked_for_in_vain_are_paid() {
    let mut chain = Everywhere::new(2);
    let wasm = one(DYNAMIC, "", "i32.const 0");
    let contracts: Vec<_> = (0..63).map(|_| chain.deploy(&wasm)).collect();
    let prices = chain.world.chain.genesis().prices;
    let mut burned = |n_calls: usize| {
        let calls = contracts[..n_calls].iter().map(|contract| go(*contract, ARGS));
        let nothing = kempe_tests::call(contracts[0], "nothing", &ARGS);
        let actions: Vec<_> = calls.chain([nothing]).collect();
        let txs = chain.world.sign_with([(0, actions, FUEL, Vec::new())]);
        let base = txs[0].transaction.base_fuel(&prices);
        let receipt = chain.block(txs).receipts.swap_remove(0);
        assert_eq!(receipt.outcome, Outcome::Trap(TrapKind::NoSuchMethod));
        receipt.fuel - base
    };
    // Each call is a step for itself, and one for its only clause.
    let steps = |n_calls: usize| (n_calls * (CALL_STEPS + 2)) as u64;
    assert_eq!(burned(20), 0, "some steps are free");
    assert_eq!(burned(63), (steps(63) - 256) * 4 * prices.host_call);
}

#[test]
fn a_listed_value_is_paid_by_its_bytes() {
    let mut chain = Everywhere::new(20);
    let text = r#"(import "kempe" "put:0" (func $put (param i32 i32 i32 i32)))
        (func (export "call.fill") (param i32) (result i32)
            (call $put (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 65536)) i32.const 0)
        (func (export "call.go") (param i32) (result i32) i32.const 0)"#;
    let methods = [("fill", crate::everywhere::ALL), ("go", READS)];
    let contract = chain.deploy(&contract(&methods, text));
    let empty = chain.attack(FUEL, &go(contract, ARGS));
    let fill = kempe_tests::call(contract, "fill", &ARGS);
    assert_eq!(chain.world.send(0, fill).outcome, Outcome::Ok);
    let full = chain.attack(FUEL, &go(contract, ARGS));
    assert_eq!(full.outcome, Outcome::Ok);
    assert_eq!(full.fuel, empty.fuel + 65536, "one fuel for each byte that is copied");
}

#[test]
fn a_list_that_is_not_paid_for_is_not_loaded() {
    let mut chain = Everywhere::new(20);
    let contract = chain.deploy(&one(DYNAMIC, "", "i32.const 0"));
    let list: Vec<_> =
        (0..1000_u32).map(|at| entry(AccessKind::Write, contract, &at.to_le_bytes())).collect();
    let prices = chain.world.chain.genesis().prices;
    let txs = chain.world.sign_with([(0, vec![go(contract, ARGS)], FUEL, list.clone())]);
    let base = txs[0].transaction.base_fuel(&prices);
    let short = base + 500 * prices.list_entry;
    for receipt in chain.flood_with(short, &go(contract, ARGS), &list) {
        assert_eq!(receipt.outcome, Outcome::Trap(TrapKind::OutOfFuel));
        assert_eq!(receipt.fuel, short, "all of it");
    }
    let enough = base + 1100 * prices.list_entry;
    for receipt in chain.flood_with(enough, &go(contract, ARGS), &list) {
        assert_eq!(receipt.outcome, Outcome::Ok);
    }
}
