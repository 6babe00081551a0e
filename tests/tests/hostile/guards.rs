//! What `unless` costs a contract that is called again and again only to be stopped.

use crate::everywhere::{DYNAMIC, Everywhere, FLAGS, contract, go, one};
use kempe_abi::def::{ClauseDef, ExprDef};
use kempe_abi::{AccessKind, Address, MethodId, Outcome, TrapKind};
use kempe_runtime::scheduler::Color;
use kempe_runtime::types::Prices;
use kempe_tests::{World, options};

const FUEL: u64 = 200_000_000;

const ARGS: [u32; 5] = [0; 5];

/// The flag guards.
const FLAG: ClauseDef = ClauseDef::Unless { field: 7, key: &[] };

/// A flag that is called by a hash of so many bytes guards.
const fn hashed(key: &'static [ExprDef]) -> ClauseDef {
    ClauseDef::Unless { field: 8, key }
}

const SHORT: &[ExprDef] = &[ExprDef::Hash(&[ExprDef::Literal(&[7; 64])])];
const LONG: &[ExprDef] = &[ExprDef::Hash(&[ExprDef::Literal(&[7; 64 * 51])])];

/// Of one method each.
const METHODS: [(&str, &[ClauseDef]); 6] = [
    ("one", &[FLAG; 1]),
    ("many", &[FLAG; 101]),
    ("short", &[hashed(SHORT)]),
    ("long", &[hashed(LONG)]),
    // More than are looked at.
    ("endless", &[FLAG; 8200]),
    ("set", FLAGS),
];

/// A contract with all of them, and one that calls a method of it, catches what comes of it, and does so as often
/// as its first argument says.
fn setup(chain: &mut Everywhere) -> (Address, impl Fn(&mut Everywhere, &str, u32) -> u64 + use<>) {
    let call =
        |name| format!(r#"(func (export "call.{name}") (param i32) (result i32) i32.const 0)"#);
    let text: String = METHODS[..5].iter().map(|(name, _)| call(*name)).collect();
    let text = format!(
        r#"(import "kempe" "put:7" (func $put (param i32 i32 i32 i32))) (data (i32.const 8) "\01") {text}
        (func (export "call.set") (param i32) (result i32)
            (call $put (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 1)) i32.const 0)"#
    );
    let guarded = chain.deploy(&contract(&METHODS, &text));
    let again = move |chain: &mut Everywhere, method: &str, n: u32| {
        let address: String = guarded.0.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let method = MethodId::of(method).0.cast_signed();
        let text = format!(
            r#"(import "kempe" "input" (func $input (param i32)))
            (import "kempe" "call" (func $call (param i32 i32 i32 i32 i32) (result i32)))
            (data (i32.const 64) "{address}")
            (func (export "call.go") (param i32) (result i32) (local $n i32)
                (call $input (i32.const 0)) (local.set $n (i32.load (i32.const 0)))
                (i32.store (i32.const 0) (i32.const 0))
                (loop $l (drop (call $call (i32.const 64) (i32.const {method}) (i32.const 0)
                        (i32.const 20) (i32.const 1)))
                    (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                i32.const 0)"#
        );
        let caller = chain.deploy(&contract(&[("go", DYNAMIC)], &text));
        let receipt = chain.attack(FUEL, &go(caller, [n, 0, 0, 0, 0]));
        assert_eq!(receipt.outcome, Outcome::Ok, "{method} {n}");
        receipt.fuel
    };
    (guarded, again)
}

#[test]
fn what_guards_a_call_is_paid_by_its_steps_its_bytes_and_its_cells() {
    // A template of so many clauses is long.
    let mut genesis = kempe_tests::genesis(3, 0);
    genesis.prices.deploy_byte = 1;
    let mut chain = Everywhere::on(World::of(genesis, options(1, &Color)));
    let Prices { list_entry, host_call, hash_block, .. } = chain.world.chain.genesis().prices;
    let (guarded, again) = setup(&mut chain);
    let each = |chain: &mut Everywhere, method| {
        let [few, many] = [1, 11].map(|n| again(chain, method, n));
        let each = (many - few) / 10;
        assert_eq!(each * 10, many - few, "{method}: nothing is remembered");
        each
    };
    let one = each(&mut chain, "one");
    assert_eq!(each(&mut chain, "many") - one, 100 * (list_entry + host_call));
    assert_eq!(each(&mut chain, "long") - each(&mut chain, "short"), 50 * hash_block);
    // What is too much to be looked at is paid for up to there.
    let endless = each(&mut chain, "endless");
    assert!(endless > 8 * 1024 * host_call, "{endless}");
    // The first that stops the call is the last that is looked at.
    let set = kempe_tests::call(guarded, "set", &ARGS);
    assert_eq!(chain.world.send(0, set).outcome, Outcome::Ok);
    let stopped = [each(&mut chain, "one"), each(&mut chain, "many")];
    assert_eq!(stopped[1] - stopped[0], 100 * host_call);
}

#[test]
fn a_guard_by_the_caller_stops_that_caller() {
    const BAN: &[ClauseDef] =
        &[ClauseDef::Touch { kind: AccessKind::Write, field: 9, key: &[ExprDef::Caller] }];
    const BANNED: &[ClauseDef] = &[ClauseDef::Unless { field: 9, key: &[ExprDef::Caller] }];
    let mut chain = Everywhere::new(6);
    let text = r#"(import "kempe" "put:9" (func $put (param i32 i32 i32 i32)))
        (import "kempe" "caller" (func $caller (param i32))) (data (i32.const 8) "\01")
        (func (export "call.ban") (param i32) (result i32) (call $caller (i32.const 64))
            (call $put (i32.const 64) (i32.const 32) (i32.const 8) (i32.const 1)) i32.const 0)
        (func (export "call.enter") (param i32) (result i32) i32.const 0)"#;
    let contract = chain.deploy(&contract(&[("ban", BAN), ("enter", BANNED)], text));
    let ban = kempe_tests::call(contract, "ban", &ARGS);
    assert_eq!(chain.world.send(2, ban).outcome, Outcome::Ok);
    let receipts = chain.flood(FUEL, &kempe_tests::call(contract, "enter", &ARGS));
    for (at, receipt) in receipts.iter().enumerate() {
        let stopped = Outcome::Trap(TrapKind::Guarded);
        assert_eq!(receipt.outcome, if at == 2 { stopped } else { Outcome::Ok }, "{at}");
    }
}

/// What was there before the block is in no list, and costs as much as if it were.
#[test]
fn a_large_value_before_the_block_costs_its_bytes() {
    const BOTH: &[ClauseDef] = &[
        ClauseDef::Touch { kind: AccessKind::Write, field: 3, key: &[] },
        ClauseDef::Start { field: 3, key: &[] },
    ];
    let mut chain = Everywhere::new(3);
    let Prices { copy_byte, .. } = chain.world.chain.genesis().prices;
    let fuel_of = |chain: &mut Everywhere, len: u32| {
        let imports = r#"(import "kempe" "put:3" (func $put (param i32 i32 i32 i32)))
            (import "kempe" "start:3" (func $start (param i32 i32 i32 i32) (result i32)))
            (import "kempe" "input" (func $input (param i32)))"#;
        let body = format!(
            "(call $input (i32.const 0)) (if (i32.load (i32.const 0))
                (then (call $put (i32.const 0) (i32.const 0) (i32.const 0) (i32.const {len})))
                (else (drop (call $start (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))))
            i32.const 0"
        );
        let contract = chain.deploy(&one(BOTH, imports, &body));
        assert_eq!(chain.world.send(0, go(contract, [1, 0, 0, 0, 0])).outcome, Outcome::Ok);
        // The value is listed, too, for what the other branch writes.
        chain.attack(FUEL, &go(contract, ARGS)).fuel
    };
    let [free, paid] = [1024, 2048].map(|len| fuel_of(&mut chain, len));
    assert_eq!(paid - free, 2 * 2048 * copy_byte);
}
