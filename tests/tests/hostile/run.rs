//! Contracts that trap, loop, recurse and leave things behind: the exact outcome and fuel, on one, two
//! and three threads and in the oracle.

use crate::everywhere::{ADDS, ALL, Everywhere, READS, contract, go, one};
use kempe_abi::{Outcome, TrapKind};

const FUEL: u64 = 1_000_000;

const ARGS: [u32; 5] = [0; 5];

const TABLE: &str = r#"(type $plain (func)) (type $wide (func (param i64)))
    (func $f (param i64)) (table 4 4 funcref) (elem (i32.const 1) $f)"#;

#[test]
fn traps_of_wasm_have_their_kind_and_burn_everything() {
    use TrapKind::{
        Arithmetic, BadIndirectCall, MemoryOutOfBounds, OutOfFuel, StackOverflow, Unreachable,
    };
    let mut chain = Everywhere::new(20);
    for (before, body, kind) in [
        ("", "unreachable", Unreachable),
        ("", "(i32.div_u (i32.const 1) (i32.const 0))", Arithmetic),
        ("", "(i32.rem_s (i32.const 1) (i32.const 0))", Arithmetic),
        ("", "(i32.div_s (i32.const 0x80000000) (i32.const -1))", Arithmetic),
        ("", "(i32.load (i32.const 65533))", MemoryOutOfBounds),
        ("", "(i32.load8_u (i32.const 65536))", MemoryOutOfBounds),
        ("", "(i32.load offset=0xffffffff (i32.const -1))", MemoryOutOfBounds),
        ("", "(i64.store offset=1 (i32.const -1) (i64.const 1)) i32.const 0", MemoryOutOfBounds),
        (TABLE, "(call_indirect (type $plain) (i32.const 0)) i32.const 0", BadIndirectCall),
        (TABLE, "(call_indirect (type $plain) (i32.const 1)) i32.const 0", BadIndirectCall),
        (TABLE, "(call_indirect (type $plain) (i32.const 4)) i32.const 0", BadIndirectCall),
        (TABLE, "(call_indirect (type $plain) (i32.const -1)) i32.const 0", BadIndirectCall),
        ("", "(loop $l (br $l)) i32.const 0", OutOfFuel),
        ("", "(loop $l (br_table $l $l (i32.const 7))) i32.const 0", OutOfFuel),
        ("(func $f (call $f))", "(call $f) i32.const 0", StackOverflow),
        ("(func $f (call $g)) (func $g (call $f))", "(call $f) i32.const 0", StackOverflow),
        (
            "(type $plain (func)) (func $f (call_indirect (type $plain) (i32.const 0)))
             (table 1 1 funcref) (elem (i32.const 0) $f)",
            "(call $f) i32.const 0",
            StackOverflow,
        ),
        // Recursion that never ends and never gets deep.
        ("(func $f (loop $l (call $g) (br $l))) (func $g)", "(call $f) i32.const 0", OutOfFuel),
    ] {
        let contract = chain.deploy(&one(READS, before, body));
        let receipt = chain.attack(FUEL, &go(contract, ARGS));
        assert_eq!(receipt.outcome, Outcome::Trap(kind), "{body}");
        assert_eq!(receipt.fuel, FUEL, "{body}");
    }
}

#[test]
fn work_before_a_trap_is_not_free() {
    let mut chain = Everywhere::new(2);
    let work = |end: &str| {
        format!(
            "(local $i i32) (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1)))
             (br_if $l (i32.lt_u (local.get $i) (i32.const 1000000)))) {end}"
        )
    };
    for end in ["(i32.div_u (i32.const 1) (i32.const 0))", "(i32.load (i32.const -1))"] {
        let contract = chain.deploy(&one(READS, "", &work(end)));
        let receipt = chain.attack(20_000_000, &go(contract, ARGS));
        assert_eq!(receipt.fuel, 20_000_000, "{end}");
    }
    let contract = chain.deploy(&one(READS, "", &work("i32.const 0")));
    let receipt = chain.attack(20_000_000, &go(contract, ARGS));
    assert_eq!(receipt.outcome, Outcome::Ok);
    assert!((5_000_000..12_000_000).contains(&receipt.fuel), "{}", receipt.fuel);
}

#[test]
fn every_code_but_zero_is_a_revert() {
    let mut chain = Everywhere::new(20);
    for code in [1, 99, 100, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        let contract = chain.deploy(&one(READS, "", &format!("i32.const {}", code.cast_signed())));
        let receipt = chain.attack(FUEL, &go(contract, ARGS));
        assert_eq!(receipt.outcome, Outcome::Revert(code));
        assert!(receipt.fuel < 100_000);
    }
}

/// A contract that returns what it finds in its memory and globals, and leaves them dirty; `after`
/// decides how the call ends.
fn dirty(after: &str) -> String {
    format!(
        r#"(global $g (export "g") (mut i32) (i32.const 5))
        (global $h (export "h") (mut i64) (i64.const 7))
        (data (i32.const 100) "\01\02\03\04")
        (func $look (result i32)
            (i32.add (i32.add (global.get $g) (i32.wrap_i64 (global.get $h)))
                (i32.add (i32.load8_u (i32.const 102))
                    (i32.add (i32.load (i32.const 0)) (i32.load (i32.const 65532))))))
        (func $soil (global.set $g (i32.const 1000)) (global.set $h (i64.const -1))
            (i64.store (i32.const 0) (i64.const -1)) (i64.store (i32.const 65528) (i64.const -1))
            (i64.store (i32.const 100) (i64.const -1)))
        (func (export "call.look") (param i32) (result i32) (call $look) (call $soil))
        (func (export "call.go") (param i32) (result i32) (call $soil) {after})"#
    )
}

#[test]
fn each_call_sees_a_fresh_image() {
    let mut chain = Everywhere::new(40);
    for (after, outcome) in [
        ("unreachable", Outcome::Trap(TrapKind::Unreachable)),
        ("(loop $l (br $l)) i32.const 0", Outcome::Trap(TrapKind::OutOfFuel)),
        ("i32.const 300", Outcome::Revert(300)),
        ("i32.const 0", Outcome::Ok),
    ] {
        let contract = chain.deploy(&contract(&[("look", READS), ("go", READS)], &dirty(after)));
        let look = kempe_tests::call(contract, "look", &ARGS);
        let txs = (0..160).map(|at| {
            let action = if at % 3 == 1 { go(contract, ARGS) } else { look.clone() };
            (at % 40, vec![action], 200_000, Vec::new())
        });
        let txs = chain.world.sign_with(txs);
        for (at, receipt) in chain.block(txs).receipts.iter().enumerate() {
            // 5 + 7 + 3 + 0 + 0, as in a module that was just instantiated.
            let expected = if at % 3 == 1 { outcome } else { Outcome::Revert(15) };
            assert_eq!(receipt.outcome, expected, "{after} {at}");
        }
    }
}

#[test]
fn floods_of_events_logs_and_results_end() {
    let mut chain = Everywhere::new(3);
    let imports = r#"(import "kempe" "emit" (func $emit (param i32 i32 i32)))
        (import "kempe" "log" (func $log (param i32 i32)))
        (import "kempe" "output" (func $output (param i32 i32)))"#;
    let times = |n: u32, what: &str| {
        format!(
            "(local $i i32) (loop $l {what} (local.set $i (i32.add (local.get $i) (i32.const 1)))
             (br_if $l (i32.lt_u (local.get $i) (i32.const {n})))) i32.const 0"
        )
    };
    let empty = "(call $emit (i32.const 1) (i32.const 0) (i32.const 0))";
    let large = "(call $emit (i32.const 1) (i32.const 0) (i32.const 65472))";
    let result = "(call $output (i32.const 0) (i32.const 65536))";
    let line = "(call $log (i32.const 0) (i32.const 65472))";
    let too_large = Outcome::Trap(TrapKind::TooLarge);
    for (n, what, outcome, events, bytes) in [
        (4096, empty, Outcome::Ok, 4096, 0),
        (4097, empty, too_large, 0, 0),
        (4, large, Outcome::Ok, 4, 0),
        (5, large, too_large, 0, 0),
        (100, result, Outcome::Ok, 0, 65536),
        (100, line, Outcome::Ok, 0, 0),
    ] {
        let contract = chain.deploy(&one(ALL, imports, &times(n, what)));
        let receipts = chain.flood(100_000_000, &go(contract, ARGS));
        for receipt in receipts {
            assert_eq!(receipt.outcome, outcome, "{n} {what}");
            assert_eq!(receipt.events.len(), events, "{n} {what}");
            let size: usize = receipt.results.iter().map(Vec::len).sum();
            assert_eq!(size, bytes, "{n} {what}");
        }
    }
    // What is logged is bounded, and never the reason of a failure.
    let contract = chain.deploy(&one(ALL, imports, &times(100, line)));
    let txs = chain.world.sign_with([(0, vec![go(contract, ARGS)], 100_000_000, Vec::new())]);
    let output = chain.block(txs);
    assert_eq!(output.logs[0].len(), 4);
}

/// With more memory than anything may be long.
#[test]
fn values_and_keys_have_a_largest_size() {
    use TrapKind::{TooLarge, UndeclaredAccess};
    let import = r#"(import "kempe" "put:0" (func $put (param i32 i32 i32 i32)))
        (memory (export "memory") 3 3)"#;
    let mut chain = Everywhere::new(3);
    for (key, value, outcome) in [
        (0, 65536, Outcome::Ok),
        (0, 65537, Outcome::Trap(TooLarge)),
        (0, 3 * 65536, Outcome::Trap(TooLarge)),
        (256, 0, Outcome::Trap(UndeclaredAccess)),
        (257, 0, Outcome::Trap(TooLarge)),
        (3 * 65536, 0, Outcome::Trap(TooLarge)),
    ] {
        let body = format!(
            "(call $put (i32.const 0) (i32.const {key}) (i32.const 0) (i32.const {value})) i32.const 0"
        );
        let contract = chain.deploy(&one(ALL, import, &body));
        for receipt in chain.flood(10_000_000, &go(contract, ARGS)) {
            assert_eq!(receipt.outcome, outcome, "{key} {value}");
            // The bytes are paid, and a trap of the host burns no more than that.
            let paid = key + value..9_000_000;
            assert!(paid.contains(&receipt.fuel), "{key} {value}: {}", receipt.fuel);
        }
    }
}

#[test]
fn every_spin_of_the_host_runs_out_of_fuel() {
    let mut chain = Everywhere::new(20);
    let spins = [
        ("height", "", "(result i64)", "drop"),
        ("this", "i32", "", ""),
        ("get:0", "i32 i32 i32 i32", "(result i32)", "drop"),
        ("blake3", "i32 i32 i32", "", ""),
        ("ed25519_verify", "i32 i32 i32 i32", "(result i32)", "drop"),
        ("log", "i32 i32", "", ""),
        ("call_output", "i32 i32", "(result i32)", "drop"),
    ];
    for (name, params, result, drop) in spins {
        let import = format!(r#"(import "kempe" "{name}" (func $f (param {params}) {result}))"#);
        let zeros = "(i32.const 0)".repeat(params.split_whitespace().count());
        let body = format!("(loop $l {zeros} call $f {drop} (br $l)) i32.const 0");
        let contract = chain.deploy(&one(READS, &import, &body));
        let receipt = chain.attack(FUEL, &go(contract, ARGS));
        assert_eq!(receipt.outcome, Outcome::Trap(TrapKind::OutOfFuel), "{name}");
        assert_eq!(receipt.fuel, FUEL, "{name}");
    }
}

#[test]
fn nobody_can_sign_for_a_key_of_small_order() {
    let import =
        r#"(import "kempe" "ed25519_verify" (func $f (param i32 i32 i32 i32) (result i32)))"#;
    // The key of all zeros, and a signature whose R is the neutral element and whose s is zero, which fits by ZIP 215.
    let body = "(i32.store8 (i32.const 1024) (i32.const 1)) \
        (call $f (i32.const 960) (i32.const 0) (i32.const 0) (i32.const 1024))";
    let mut chain = Everywhere::new(20);
    let contract = chain.deploy(&one(READS, import, body));
    assert_eq!(chain.attack(FUEL, &go(contract, ARGS)).outcome, Outcome::Ok, "it is not valid");
}

#[test]
fn a_counter_takes_every_sum_or_none() {
    let import = r#"(import "kempe" "add:1" (func $add (param i32 i32 i64 i64)))"#;
    let add = |low: i64, high: i64| {
        format!("(call $add (i32.const 0) (i32.const 0) (i64.const {low}) (i64.const {high}))")
    };
    let mut chain = Everywhere::new(20);
    // Up by more than the counter holds and down again: only the sum counts.
    let body = format!("{} {} i32.const 0", add(-1, 0x7fff), add(0, -0x7fff));
    let contract = chain.deploy(&one(ADDS, import, &body));
    for (at, receipt) in chain.flood(FUEL, &go(contract, ARGS)).iter().enumerate() {
        // 2^64 - 1 fits once; the second addition on top does not.
        let expected =
            if at == 0 { Outcome::Ok } else { Outcome::Trap(TrapKind::CounterOutOfBounds) };
        assert_eq!(receipt.outcome, expected);
    }
    // Beyond 128 bits inside one transaction.
    let body = format!("{} {} i32.const 0", add(-1, i64::MAX), add(-1, i64::MAX));
    let contract = chain.deploy(&one(ADDS, import, &body));
    let receipt = chain.attack(FUEL, &go(contract, ARGS));
    assert_eq!(receipt.outcome, Outcome::Trap(TrapKind::CounterOutOfBounds));
}
