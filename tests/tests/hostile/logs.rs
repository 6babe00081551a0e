//! Contracts that would forge what a log holds.

use crate::everywhere::{ALL, DYNAMIC, Everywhere, contract_of, field, go, one};
use kempe_abi::def::{CellDef, ClauseDef, ExprDef, FieldDef};
use kempe_abi::derive::MEMBER_BYTES;
use kempe_abi::log::item_key;
use kempe_abi::{AbiType, AccessKind, Outcome, TrapKind, TypeDef};
use kempe_runtime::types::{DeclaredAccess, StateKey};

const FUEL: u64 = 20_000_000;

const ARGS: [u32; 5] = [0; 5];

const APPEND: &str = r#"(import "kempe" "append:4" (func $append (param i32 i32 i32 i32)))"#;

/// A log by a number, an item of it, and what is neither.
const KEYED: &[ClauseDef] = &[keyed(&[0; 8]), keyed(&[0; 16]), keyed(&[0; 9])];

const fn keyed(key: &'static [u8]) -> ClauseDef {
    ClauseDef::Touch { kind: AccessKind::Write, field: 5, key: KEYS[key.len()] }
}

/// For each length a key of so many zeros.
const KEYS: [&[ExprDef]; 17] = {
    let mut keys: [&[ExprDef]; 17] = [&[]; 17];
    keys[8] = &[ExprDef::Literal(&[0; 8])];
    keys[9] = &[ExprDef::Literal(&[0; 9])];
    keys[16] = &[ExprDef::Literal(&[0; 16])];
    keys
};

#[test]
fn only_whole_keys_are_those_of_logs() {
    let mut chain = Everywhere::new(12);
    for (import, call) in [
        (r#"(import "kempe" "append:5" (func $f (param i32 i32 i32 i32)))"#, "call $f"),
        (
            r#"(import "kempe" "get:5" (func $f (param i32 i32 i32 i32) (result i32)))"#,
            "call $f drop",
        ),
    ] {
        for template in [KEYED, DYNAMIC] {
            let body = format!(
                "(i32.const 0) (i32.load (i32.const 64)) (i32.const 0) (i32.const 8) {call} i32.const 0"
            );
            let read = r#"(import "kempe" "input" (func $input (param i32)))"#;
            let body = format!("(call $input (i32.const 64)) {body}");
            let contract = chain.deploy(&one(template, &format!("{read} {import}"), &body));
            for (len, outcome) in [
                (8, Outcome::Ok),
                (16, Outcome::Trap(TrapKind::NotPermitted)),
                (9, Outcome::Trap(TrapKind::NotPermitted)),
                (0, Outcome::Trap(TrapKind::NotPermitted)),
            ] {
                let receipts = chain.flood(FUEL, &go(contract, [len, 0, 0, 0, 0]));
                assert!(receipts.iter().all(|receipt| receipt.outcome == outcome), "{call} {len}");
            }
        }
    }
}

/// Whoever lists the cells of items still cannot change them, and what they hold is what was appended.
#[test]
fn a_list_of_items_permits_nothing() {
    // What is longer than 1 KiB costs whoever lists it: nothing in the block in which it is appended, wherever
    // that runs.
    list_items_of(8);
    list_items_of(2000);
}

fn list_items_of(len: usize) {
    let mut chain = Everywhere::new(12);
    let body = format!(
        "(call $append (i32.const 0) (i32.const 0) (i32.const 0) (i32.const {len})) i32.const 0"
    );
    let contract = chain.deploy(&one(DYNAMIC, APPEND, &body));
    for round in 0..3u64 {
        let list: Vec<DeclaredAccess> = (0..40)
            .map(|index| (AccessKind::Write, item_key(&[], index)))
            .chain([(AccessKind::Add, Vec::new())])
            .map(|(kind, key)| DeclaredAccess { kind, key: StateKey::new(contract, 4, &key) })
            .collect();
        for receipt in chain.flood_with(FUEL, &go(contract, ARGS), &list) {
            assert_eq!((receipt.outcome, receipt.tail), (Outcome::Ok, false));
        }
        let state = chain.world.chain.state().expect("it is readable");
        let get = |key: &[u8]| {
            let found = state.get(&StateKey::new(contract, 4, key).hash());
            found.expect("it is readable").map(|value| value.to_vec())
        };
        assert_eq!(get(&[]), Some((12 * (round + 1)).to_le_bytes().to_vec()));
        assert!(
            (0..12 * (round + 1)).all(|index| get(&item_key(&[], index)) == Some(vec![0; len]))
        );
        assert_eq!(get(&item_key(&[], 12 * (round + 1))), None);
    }
}

#[test]
fn what_a_transaction_appends_has_a_limit_and_a_price() {
    let mut chain = Everywhere::new(12);
    let append = |n: u32, len: u32| {
        let one =
            format!("(call $append (i32.const 0) (i32.const 0) (i32.const 0) (i32.const {len}))");
        format!("{} i32.const 0", one.repeat(n as usize))
    };
    let mut fuel_of = |n, len, outcome| {
        let before = format!(r#"{APPEND} (memory (export "memory") 2 2)"#);
        let contract = chain.deploy(&one(ALL, &before, &append(n, len)));
        let receipt = chain.attack(FUEL, &go(contract, ARGS));
        assert_eq!(receipt.outcome, outcome, "{n} items of {len} bytes");
        receipt.fuel
    };
    let too_large = Outcome::Trap(TrapKind::TooLarge);
    // 256 KiB, where each item counts 64 bytes more.
    let [none, most, over] = [(0, 0, Outcome::Ok), (4, 65472, Outcome::Ok), (5, 52400, too_large)]
        .map(|(n, len, outcome)| fuel_of(n, len, outcome));
    assert!(most - none > 4 * 65472 * 10, "{most} for what a write of so many bytes costs");
    assert!(over > 4 * 52400 * 10);
    fuel_of(1, 65537, too_large);
    let empty = fuel_of(100, 0, Outcome::Ok);
    assert!(empty - none > 100 * 1000, "{empty}: each item makes a cell");
    // The key of its log is kept with each item: 3,640 are 72 bytes each.
    let many = |n: u32| {
        let before = r#"(import "kempe" "append:5" (func $append (param i32 i32 i32 i32)))"#;
        let body = format!(
            "(local $n i32) (local.set $n (i32.const {n})) (loop $l
             (call $append (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 0))
             (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))) i32.const 0"
        );
        one(KEYED, before, &body)
    };
    for (n, outcome) in [(3640, Outcome::Ok), (3641, too_large)] {
        let contract = chain.deploy(&many(n));
        assert_eq!(chain.world.send(0, go(contract, ARGS)).outcome, outcome, "{n} items");
    }
}

/// Looking whether a key is that of a log goes through all members of its types, also through those without bytes.
#[test]
fn keys_of_logs_are_paid_by_their_members() {
    const UNITS: TypeDef = TypeDef::Tuple(&[<()>::TYPE, <()>::TYPE, u8::TYPE]);
    const WITH_UNITS: TypeDef = TypeDef::Array(&UNITS, 200);
    const BYTES: TypeDef = TypeDef::Array(u8::TYPE, 200);
    let mut chain = Everywhere::new(12);
    let prices = chain.world.chain.genesis().prices;
    let mut fuel_of = |keys: &'static [&'static TypeDef], n: usize| {
        let fields: &'static [FieldDef] =
            Vec::from([FieldDef { keys, ..field("log", CellDef::Log) }]).leak();
        let text = format!(
            r#"(import "kempe" "append:0" (func $append (param i32 i32 i32 i32)))
            (func (export "call.go") (param i32) (result i32) {} i32.const 0)"#,
            "(call $append (i32.const 0) (i32.const 200) (i32.const 0) (i32.const 0))".repeat(n)
        );
        let access: &[ClauseDef] = &[ClauseDef::Dynamic];
        let contract = chain.deploy(&contract_of(fields, &[("go", access)], &text));
        let receipt = chain.attack(FUEL, &go(contract, ARGS));
        assert_eq!(receipt.outcome, Outcome::Ok);
        receipt.fuel
    };
    let each = |fuel: &mut dyn FnMut(usize) -> u64| (fuel(11) - fuel(1)) / 10;
    let plain = each(&mut |n| fuel_of(&[&BYTES], n));
    let units = each(&mut |n| fuel_of(&[&WITH_UNITS], n));
    // The array, and four for each byte.
    let n_blocks = ((1 + 200 * 4 - 200) * MEMBER_BYTES / 64) as u64;
    assert_eq!(units - plain, n_blocks * prices.hash_block);
}
