//! What is dear where it is asked for often, or in a way in which nobody would.

use kempe_abi::def::{CellDef, ClauseDef, ExprDef};
use kempe_abi::{AbiType, AccessKind, Address, MethodId, Outcome, TrapKind, TypeDef};
use kempe_runtime::types::{Action, DeclaredAccess, StateKey};
use kempe_tests::{call, number};

use super::{FUEL_MAX, escaped, measure, measure_ended, rounds};
use crate::everywhere::{
    DYNAMIC, Everywhere, FIELDS, READS, contract, contract_of, contract_with, field,
};

const EMPTY: &str = r#"(func (export "call.go") (param i32) (result i32) i32.const 0)"#;

/// Nanoseconds for one fuel of all of them.
pub(super) fn corner_prices(chain: &mut Everywhere) -> Vec<(String, f64)> {
    let mut found = ring_prices(chain);
    found.push(("a call with many locals".to_owned(), locals(chain)));
    found.push(("a guard that hashes".to_owned(), guard(chain)));
    found.push(("arguments of wide types".to_owned(), wide(chain)));
    found.push(("long values to add to, alone".to_owned(), added_to(chain)));
    found
}

/// Calls of contracts of different code, one after the other and again.
fn ring_prices(chain: &mut Everywhere) -> Vec<(String, f64)> {
    let large = r#"(memory (export "memory") 16 16)"#;
    let small = r#"(memory (export "memory") 1024 1024 (pagesize 1))"#;
    let entries = "$f ".repeat(4096);
    let table =
        format!("{small} (func $f) (table 4096 4096 funcref) (elem (i32.const 0) {entries})");
    // More than a worker keeps of the largest, and as many as a list can name.
    let forms = [
        ("calls of 1,000 codes in turn", small.to_owned(), 1000),
        ("calls of 1,000 codes with tables", table, 1000),
        ("calls of 130 codes of 1 MiB", large.to_owned(), 130),
    ];
    forms.map(|(name, text, n)| (name.to_owned(), ring(chain, name, &text, n))).into()
}

fn ring(chain: &mut Everywhere, name: &str, text: &str, n_contracts: u32) -> f64 {
    let contracts: Vec<Address> = (0..n_contracts)
        .map(|salt| {
            chain.deploy(&contract(
                &[("go", READS)],
                &format!("{text} {EMPTY} (func (drop (i32.const {salt})))"),
            ))
        })
        .collect();
    let addresses: Vec<u8> = contracts.iter().flat_map(|contract| contract.0).collect();
    let method = MethodId::of("go").0.cast_signed();
    let caller = format!(
        r#"(import "kempe" "input" (func $input (param i32)))
        (import "kempe" "call" (func $call (param i32 i32 i32 i32 i32) (result i32)))
        (data (i32.const 64) "{}")
        (func (export "call.go") (param i32) (result i32) (local $n i32)
            (call $input (i32.const 0)) (local.set $n (i32.load (i32.const 0)))
            (loop $l
                (drop (call $call
                    (i32.add (i32.const 64) (i32.mul (i32.const 32) (i32.rem_u (local.get $n) (i32.const {n_contracts}))))
                    (i32.const {method}) (i32.const 32) (i32.const 20) (i32.const 0)))
                (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            i32.const 0)"#,
        escaped(&addresses)
    );
    let caller = chain.deploy(&contract(&[("go", DYNAMIC)], &caller));
    let action = |n: u32| call(caller, "go", &[n, 0, 0, 0, 0]);
    let signed = chain.world.sign_with([(0, vec![action(n_contracts)], FUEL_MAX, Vec::new())]);
    let simulation = chain.world.chain.simulate(&signed[0].transaction).expect("it runs");
    assert_eq!(simulation.outcome, Outcome::Ok, "{name}: {:?}", simulation.failure);
    let list = simulation.explicit_list();
    let n = rounds(chain, |n| (action(n), list.clone()));
    let txs = (0..4).map(|from| (from, vec![action(n)], FUEL_MAX, list.clone()));
    let txs = chain.world.sign_with(txs);
    measure(chain, name, &txs)
}

/// A function whose locals are all zero when its loop begins, called over and over.
fn locals(chain: &mut Everywhere) -> f64 {
    const N: usize = super::LOCALS;
    let locals = "i64 ".repeat(N);
    let set = |at: usize| {
        let other = 1 + (at * 7) % N;
        format!("(local.set {at} (i64.add (local.get {at}) (local.get {other})))")
    };
    let sets: String = (1..=N).map(set).collect();
    let calls = "(call $h (i32.const 1))".repeat(16);
    let text = format!(
        r#"(import "kempe" "input" (func $input (param i32)))
        (func $h (param i32) (local {locals})
            (block $out (loop $l (br_if $out (local.get 0)) {sets} (br $l))))
        (func (export "call.go") (param i32) (result i32) (local $n i32)
            (call $input (i32.const 0)) (local.set $n (i32.load (i32.const 0)))
            (loop $l {calls} (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            i32.const 0)"#
    );
    let contract = chain.deploy(&contract(&[("go", READS)], &text));
    let action = |n: u32| call(contract, "go", &[n, 0, 0, 0, 0]);
    let n = rounds(chain, |n| (action(n), Vec::new()));
    let txs = (0..4).map(|from| (from, vec![action(n)], FUEL_MAX, Vec::new()));
    let txs = chain.world.sign_with(txs);
    measure(chain, "a call with many locals", &txs)
}

/// The least time for a fuel of some runs that all end so.
fn least(
    chain: &mut Everywhere,
    name: &str,
    txs: Vec<(usize, Vec<Action>, u64, Vec<DeclaredAccess>)>,
    outcome: Outcome,
) -> f64 {
    let txs = chain.world.sign_with(txs);
    let runs = 0..number("KEMPE_CALIBRATE_RUNS", 3u32);
    let each = runs.map(|_| measure_ended(chain, name, txs.clone(), outcome));
    each.fold(f64::INFINITY, f64::min)
}

/// What guards a call hashes its argument thousands of times, for which it cannot pay.
fn guard(chain: &mut Everywhere) -> f64 {
    const PARAMS: &[(&str, &TypeDef)] = &[("data", <Vec<u8>>::TYPE)];
    const CLAUSES: &[ClauseDef] =
        &[ClauseDef::Unless { field: 8, key: &[ExprDef::Hash(&[ExprDef::Param(0); 8000])] }];
    let at = chain.deploy(&contract_with(FIELDS, PARAMS, &[("go", CLAUSES)], EMPTY));
    let action = call(at, "go", &vec![7u8; 127]);
    let prices = chain.world.chain.genesis().prices;
    let least_fuel =
        chain.world.sign(vec![(0, vec![action.clone()])])[0].transaction.base_fuel(&prices);
    let txs = (0..200).map(|at| (at % 16, vec![action.clone()], least_fuel + 8_000, Vec::new()));
    least(chain, "a guard that hashes", txs.collect(), Outcome::Trap(TrapKind::OutOfFuel))
}

/// A list of which each byte has a thousand members without bytes beside it.
fn wide(chain: &mut Everywhere) -> f64 {
    const UNITS: [&TypeDef; 1000] = [&TypeDef::Unit; 1000];
    const ELEMENT: &TypeDef = &TypeDef::Tuple(&[&TypeDef::Tuple(&UNITS), &TypeDef::Bool]);
    const PARAMS: &[(&str, &TypeDef)] = &[("data", &TypeDef::List(ELEMENT))];
    let at = chain.deploy(&contract_with(FIELDS, PARAMS, &[("go", READS)], EMPTY));
    let action = call(at, "go", &vec![1u8; 100_000]);
    let txs = (0..16).map(|from| (from, vec![action.clone()], FUEL_MAX, Vec::new()));
    let outcome = Outcome::Trap(TrapKind::BadArguments);
    least(chain, "arguments of wide types", txs.collect(), outcome)
}

/// A list that says of long values that they are added to, for a transaction that runs alone.
fn added_to(chain: &mut Everywhere) -> f64 {
    const N_KEYS: u32 = 1000;
    let fields = vec![field("long", CellDef::Value)].leak();
    let fill = format!(
        r#"(import "kempe" "put:0" (func $put (param i32 i32 i32 i32)))
        (func (export "call.go") (param i32) (result i32) (local $n i32) (local.set $n (i32.const {N_KEYS}))
            (loop $l (i32.store (i32.const 0) (local.get $n))
                (call $put (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 65536))
                (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            i32.const 0)"#
    );
    let at = chain.deploy(&contract_of(fields, &[("go", DYNAMIC)], &fill));
    let filled = super::send_with_most_fuel(chain, call(at, "go", &[0u32; 5]));
    assert_eq!(filled, Outcome::Ok);
    let entry = |key: u32| DeclaredAccess {
        key: StateKey::new(at, 0, &key.to_le_bytes()),
        kind: AccessKind::Add,
    };
    let list: Vec<DeclaredAccess> = (1..=N_KEYS).map(entry).collect();
    let to = chain.world.accounts[0].address;
    // What nobody finds a list for runs alone, and all of its sender that come behind it.
    let nothing = call(Address([7; 32]), "go", &());
    let name = "long values to add to, alone";
    let transfer = || vec![Action::Transfer { to, amount: 0 }];
    let mut txs = vec![(0, vec![nothing], 40_000, Vec::new())];
    txs.extend((0..16).map(|_| (0, transfer(), FUEL_MAX, list.clone())));
    let txs = chain.world.sign_with(txs);
    let runs = 0..number("KEMPE_CALIBRATE_RUNS", 3u32);
    let may_end = |at, outcome| (outcome == Outcome::Ok) == (at > 0);
    runs.map(|_| super::nanoseconds_a_fuel(chain, name, txs.clone(), may_end))
        .fold(f64::INFINITY, f64::min)
}
