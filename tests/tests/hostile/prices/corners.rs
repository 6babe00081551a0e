//! What is dear where it is asked for often, or in a way in which nobody would.

use kempe_abi::def::{CellDef, ClauseDef, ExprDef};
use kempe_abi::{AbiType, AccessKind, Address, MethodId, Outcome, TrapKind, TypeDef};
use kempe_runtime::types::{Action, DeclaredAccess, StateKey, Upgrade, contract_address};
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
    found.push(("a guard among thousands of clauses".to_owned(), guard_among_many(chain)));
    found.push(("keys of logs without bytes".to_owned(), log_keys(chain)));
    found.push(("an upgrade of many clauses".to_owned(), upgrade(chain)));
    found.push(("arguments of wide types".to_owned(), wide(chain)));
    found.push(("long values to add to, alone".to_owned(), added_to(chain)));
    found.push(("long values that nobody pays for".to_owned(), unpaid(chain)));
    found.extend(rows(chain));
    found
}

/// Calls of contracts of different code, one after the other and again.
fn ring_prices(chain: &mut Everywhere) -> Vec<(String, f64)> {
    let large = r#"(memory (export "memory") 16 16)"#;
    let small = r#"(memory (export "memory") 1024 1024 (pagesize 1))"#;
    let entries = "$f ".repeat(4096);
    let middle = r#"(memory (export "memory") 49152 49152 (pagesize 1))"#;
    let table = "(func $f) (table 4096 4096 funcref)";
    let table = format!("{middle} {table} (elem (i32.const 0) {entries})");
    let imports = r#"(import "kempe" "caller" (func (param i32)))"#.repeat(100);
    let long = format!("(func $f) (func {})", "(call $f)".repeat(24_000));
    let global = |at| format!(r#"(global (export "g{at}") (mut i64) (i64.const 1))"#);
    let globals: String = (0..64).map(global).collect();
    let segments = r#"(data (i32.const 0) "\01")"#.repeat(256);
    let calls = format!("(func $f) (func {})", "(call $f)".repeat(1000));
    let free = r#"(memory (export "memory") 1 1)"#;
    // As many as a list can name: of some a worker keeps all, and of the others none is there when it is called again.
    let forms = [
        ("calls of 1,000 codes in turn", small.to_owned(), 1000),
        ("calls of 1,000 codes of 64 KiB", free.to_owned(), 1000),
        ("calls of 1,000 codes with segments", format!("{small} {segments} {calls}"), 1000),
        ("calls of 900 codes with tables", table, 900),
        ("calls of 320 large codes", format!("{imports} {small} {long}"), 320),
        ("calls of 320 codes with globals", format!("{small} {globals} {long}"), 320),
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

/// For each element of one list, a guard for each of another that is empty, beside thousands of clauses that guard nothing.
fn guard_among_many(chain: &mut Everywhere) -> f64 {
    const PARAMS: &[(&str, &TypeDef)] = &[("xs", <Vec<u8>>::TYPE), ("ys", <Vec<u8>>::TYPE)];
    const INNER: &[ClauseDef] = &[
        ClauseDef::Each { list: ExprDef::Param(1), clauses: &[ClauseDef::Dynamic; 8000] },
        ClauseDef::Each {
            list: ExprDef::Param(1),
            clauses: &[ClauseDef::Unless { field: 7, key: &[] }],
        },
    ];
    const CLAUSES: &[ClauseDef] = &[ClauseDef::Each { list: ExprDef::Param(0), clauses: INNER }];
    let at = chain.deploy(&contract_with(FIELDS, PARAMS, &[("go", CLAUSES)], EMPTY));
    let action = call(at, "go", &(vec![1u8; 1000], Vec::<u8>::new()));
    let txs = (0..16).map(|from| (from, vec![action.clone()], FUEL_MAX, Vec::new()));
    least(chain, "a guard among thousands of clauses", txs.collect(), Outcome::Ok)
}

/// Reads of a log whose keys have members without bytes.
fn log_keys(chain: &mut Everywhere) -> f64 {
    const UNITS: &TypeDef = &TypeDef::Tuple(&[&TypeDef::Unit, &TypeDef::Unit, u8::TYPE]);
    const KEY: &[ExprDef] = &[ExprDef::Literal(&[0; 200])];
    const READ: &[ClauseDef] = &[ClauseDef::Touch { kind: AccessKind::Read, field: 0, key: KEY }];
    let keys: &[&TypeDef] = &[&TypeDef::Array(UNITS, 200)];
    let fields = vec![kempe_abi::def::FieldDef { keys, ..field("log", CellDef::Log) }].leak();
    let gets = "(drop (call $get (i32.const 256) (i32.const 200) (i32.const 512) (i32.const 8)))";
    let text = format!(
        r#"(import "kempe" "input" (func $input (param i32)))
        (import "kempe" "get:0" (func $get (param i32 i32 i32 i32) (result i32)))
        (func (export "call.go") (param i32) (result i32) (local $n i32)
            (call $input (i32.const 0)) (local.set $n (i32.load (i32.const 0)))
            (loop $l {gets} (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            i32.const 0)"#
    );
    let at = chain.deploy(&contract_of(fields, &[("go", READ)], &text));
    let action = |n: u32| call(at, "go", &[n, 0, 0, 0, 0]);
    let n = rounds(chain, |n| (action(n), Vec::new()));
    let txs = (0..4).map(|from| (from, vec![action(n)], FUEL_MAX, Vec::new()));
    let txs = chain.world.sign_with(txs);
    measure(chain, "keys of logs without bytes", &txs)
}

/// An upgrade to the same template, of thousands of clauses for each element of a list that takes thousands of steps to write down.
fn upgrade(chain: &mut Everywhere) -> f64 {
    const LIST: ExprDef = ExprDef::Tuple(&[ExprDef::Caller; 8000]);
    const CLAUSES: &[ClauseDef] =
        &[ClauseDef::Each { list: LIST, clauses: &[ClauseDef::Dynamic; 8000] }];
    let code = |more: &str| contract(&[("go", CLAUSES)], &format!("{EMPTY} {more}"));
    let args = Vec::new();
    let authority = Some(chain.world.accounts[0].address);
    let deploy =
        Action::Deploy { wasm: code(""), args: args.clone(), authority: authority.map(Box::new) };
    let nonce = chain.world.chain.next_nonce(&chain.world.accounts[0].address).expect("readable");
    assert_eq!(super::send_with_most_fuel(chain, deploy), Outcome::Ok);
    let sender = chain.world.accounts[0].address;
    let contract = contract_address(kempe_tests::CHAIN_ID, &sender, nonce, 0);
    let wasm = code("(func)");
    let upgrade = Upgrade { contract, wasm, args, allow_wider: false, authority };
    let action = Action::Upgrade(upgrade.into());
    let txs = vec![(0, vec![action], FUEL_MAX, Vec::new())];
    least(chain, "an upgrade of many clauses", txs, Outcome::Ok)
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

/// A contract with as many values of 64 KiB as a list may name, but for a few.
fn with_long_values(chain: &mut Everywhere) -> Address {
    let fields = vec![field("long", CellDef::Value)].leak();
    let fill = format!(
        r#"(import "kempe" "put:0" (func $put (param i32 i32 i32 i32)))
        (func (export "call.go") (param i32) (result i32) (local $n i32) (local.set $n (i32.const {N_LONG}))
            (loop $l (i32.store (i32.const 0) (local.get $n))
                (call $put (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 65536))
                (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            i32.const 0)"#
    );
    let at = chain.deploy(&contract_of(fields, &[("go", DYNAMIC)], &fill));
    let filled = super::send_with_most_fuel(chain, call(at, "go", &[0u32; 5]));
    assert_eq!(filled, Outcome::Ok);
    at
}

/// The long values of [`with_long_values`].
const N_LONG: u32 = 1000;

/// A list of all of them.
fn long_list(at: Address, kind: AccessKind) -> Vec<DeclaredAccess> {
    let entry = |key: u32| DeclaredAccess { key: StateKey::new(at, 0, &key.to_le_bytes()), kind };
    (1..=N_LONG).map(entry).collect()
}

/// A list of long values that are read, of a transaction that pays for the list and not for the values.
fn unpaid(chain: &mut Everywhere) -> f64 {
    let at = with_long_values(chain);
    let list = long_list(at, AccessKind::Read);
    let to = chain.world.accounts[0].address;
    let transfer = || vec![Action::Transfer { to, amount: 0 }];
    let prices = chain.world.chain.genesis().prices;
    let whole = chain.world.sign_with([(0, transfer(), FUEL_MAX, list.clone())]);
    let least_fuel = whole[0].transaction.base_fuel(&prices);
    let fuel = least_fuel + u64::from(N_LONG + 10) * prices.list_entry;
    let txs = (0..200).map(|from| (from % 16, transfer(), fuel, list.clone()));
    let outcome = Outcome::Trap(TrapKind::OutOfFuel);
    least(chain, "long values that nobody pays for", txs.collect(), outcome)
}

/// A list that says of long values that they are added to, for a transaction that runs alone.
fn added_to(chain: &mut Everywhere) -> f64 {
    let at = with_long_values(chain);
    let list = long_list(at, AccessKind::Add);
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

/// Rows that come and go, to the root and the store: of keys that are spread, and of as many of one shard as move most.
fn rows(chain: &mut Everywhere) -> Vec<(String, f64)> {
    const N_ROWS: usize = 512;
    const PARAMS: &[(&str, &TypeDef)] = &[("keys", <Vec<u8>>::TYPE)];
    // The keys are what is behind the length, which takes less than four bytes.
    let each = |name: &str, what: &str| {
        format!(
            r#"(func (export "call.{name}") (param $end i32) (result i32) (local $at i32)
                (call $input (i32.const 0))
                (local.set $at (i32.rem_u (local.get $end) (i32.const 4)))
                (loop $l
                    (call {what})
                    (local.set $at (i32.add (local.get $at) (i32.const 4)))
                    (br_if $l (i32.lt_u (local.get $at) (local.get $end))))
                i32.const 0)"#
        )
    };
    let key = "(local.get $at) (i32.const 4)";
    let text = format!(
        r#"(import "kempe" "input" (func $input (param i32)))
        (import "kempe" "put:0" (func $put (param i32 i32 i32 i32)))
        (import "kempe" "remove:0" (func $remove (param i32 i32)))
        {} {}"#,
        each("put", &format!("$put {key} (i32.const 60000) (i32.const 8)")),
        each("remove", &format!("$remove {key}")),
    );
    let fields = vec![field("rows", CellDef::Value)].leak();
    let methods = [("put", DYNAMIC), ("remove", DYNAMIC)];
    let at = chain.deploy(&contract_with(fields, PARAMS, &methods, &text));
    let shard = |key: &u32| StateKey::new(at, 0, &key.to_le_bytes()).hash().0[..2].to_vec();
    let alike: Vec<u32> = (0..).filter(|key| shard(key) == [0, 7]).take(N_ROWS).collect();
    let spread: Vec<u32> = (0..).take(N_ROWS).collect();
    let mut found = Vec::new();
    for (name, keys) in [("rows", spread), ("rows that begin alike", alike)] {
        let bytes: Vec<u8> = keys.iter().flat_map(|key| key.to_le_bytes()).collect();
        let mut least = [f64::INFINITY; 2];
        for _ in 0..number("KEMPE_CALIBRATE_RUNS", 3u32) {
            for (method, least) in ["put", "remove"].iter().zip(&mut least) {
                let action = call(at, method, &bytes);
                let txs = chain.world.sign_with([(0, vec![action], FUEL_MAX, Vec::new())]);
                let start = std::time::Instant::now();
                let built = chain.world.build(txs);
                let time = start.elapsed();
                let [receipt] = &built.record.receipts[..] else {
                    panic!("one of them: {built:?}")
                };
                assert_eq!(receipt.outcome, Outcome::Ok);
                #[expect(clippy::cast_precision_loss, reason = "a figure needs few digits")]
                let nanoseconds = time.as_nanos() as f64 / receipt.fuel as f64;
                *least = least.min(nanoseconds);
            }
        }
        let names = [format!("{name}, put"), format!("{name}, removed")];
        found.extend(names.into_iter().zip(least));
    }
    found
}
