//! What each thing that costs fuel takes in time: nothing takes more than ten times what its fuel pays for.
//!
//! `just calibrate` measures it and prints the table; the time of a shared machine proves nothing in CI.

mod corners;
mod disk;

use std::fmt::Write;
use std::time::Instant;

use ed25519_zebra::SigningKey;
use kempe_abi::def::{CellDef, ClauseDef, ExprDef, FieldDef};
use kempe_abi::{AccessKind, Address, MethodId, Outcome, TrapKind};
use kempe_runtime::engine::admit;
use kempe_runtime::scheduler::Color;
use kempe_runtime::types::{Action, DeclaredAccess, SignedTransaction, StateKey};
use kempe_tests::{call, number, options};

use crate::everywhere::{ALL, DYNAMIC, Everywhere, contract, contract_of, field, guarded, touch};

/// What one fuel pays for, in nanoseconds: the prices' own scale.
const FUEL_NS: f64 = 0.3;

/// How much dearer something may be than its fuel pays for.
const RATIO_MAX: f64 = 10.0;

/// The fuel of a measured transaction, about: some 10 ms where prices are right.
const FUEL: u64 = 30_000_000;

/// The most that a transaction may burn.
const FUEL_MAX: u64 = 1_000_000_000;

/// The transactions of a measured block.
const N_TXS: usize = 4;

/// Everything that the loops use: memory of the largest size, a function, a table, at 64 the
/// address of a callee and at 96 that of one that a flag stops, at 128 a public key, a signature and no message, and at 256
/// the address of one that writes and fails.
const BEFORE: &str = r#"
    (import "kempe" "height" (func $height (result i64)))
    (import "kempe" "caller" (func $caller (param i32)))
    (import "kempe" "input" (func $input (param i32)))
    (import "kempe" "output" (func $output (param i32 i32)))
    (import "kempe" "emit" (func $emit (param i32 i32 i32)))
    (import "kempe" "log" (func $log (param i32 i32)))
    (import "kempe" "get:0" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "kempe" "put:0" (func $put0 (param i32 i32 i32 i32)))
    (import "kempe" "put:3" (func $put (param i32 i32 i32 i32)))
    (import "kempe" "remove:3" (func $remove (param i32 i32)))
    (import "kempe" "add:1" (func $add (param i32 i32 i64 i64)))
    (import "kempe" "append:4" (func $append (param i32 i32 i32 i32)))
    (import "kempe" "start:0" (func $start (param i32 i32 i32 i32) (result i32)))
    (import "kempe" "reserve:6" (func $reserve (param i32 i32 i64 i64 i64 i64) (result i32)))
    (import "kempe" "max:10" (func $max (param i32 i32 i64 i64)))
    (import "kempe" "min:11" (func $min (param i32 i32 i64 i64)))
    (import "kempe" "blake3" (func $blake3 (param i32 i32 i32)))
    (import "kempe" "sha256" (func $sha256 (param i32 i32 i32)))
    (import "kempe" "keccak256" (func $keccak256 (param i32 i32 i32)))
    (import "kempe" "ed25519_verify" (func $verify (param i32 i32 i32 i32) (result i32)))
    (import "kempe" "call" (func $call (param i32 i32 i32 i32 i32) (result i32)))
    (type $plain (func)) (func $f) (global $g (export "g") (mut i64) (i64.const 1))
    (table 2 2 funcref) (elem (i32.const 0) $f $f)"#;

/// What a loop does: its name, the instructions of a round, and how often they are written one after the
/// other.
type Op = (&'static str, &'static str, usize);

/// The locals of a function that has as many as it may, beside its parameter.
const LOCALS: usize = 126;

/// Leaves a number below 64 KiB, a multiple of 8, that nobody can guess.
const NEXT: &str = "(local.set $x (i64.add (i64.mul (local.get $x) (i64.const 6364136223846793005)) \
     (i64.const 1442695040888963407)))";

const OPS: &[Op] = &[
    ("i64.add", "(local.set $x (i64.add (local.get $x) (i64.const 3)))", 16),
    ("i64.mul", "(local.set $x (i64.mul (local.get $x) (i64.const 3)))", 16),
    (
        "i64.div_u",
        "(local.set $x (i64.div_u (i64.const -1) (i64.or (local.get $x) (i64.const 1))))",
        16,
    ),
    (
        "i64.rem_s",
        "(local.set $x (i64.rem_s (i64.const -7) (i64.or (local.get $x) (i64.const 1))))",
        16,
    ),
    ("i64.popcnt", "(local.set $x (i64.popcnt (local.get $x)))", 16),
    ("i64.clz", "(local.set $x (i64.clz (local.get $x)))", 16),
    ("i64.rotl", "(local.set $x (i64.rotl (local.get $x) (local.get $x)))", 16),
    ("global.set", "(global.set $g (i64.add (global.get $g) (i64.const 1)))", 16),
    (
        "select",
        "(local.set $x (select (i64.const 5) (i64.const 6) (i32.wrap_i64 (local.get $x))))",
        16,
    ),
    (
        "if, not to be guessed",
        "NEXT (if (i64.lt_s (local.get $x) (i64.const 0)) (then (local.set $x (i64.add \
         (local.get $x) (i64.const 7)))) (else (local.set $x (i64.sub (local.get $x) (i64.const 9)))))",
        4,
    ),
    (
        "br_table, not to be guessed",
        "NEXT (block $a (block $b (block $c (block $d (br_table $a $b $c $d (i32.wrap_i64 \
         (i64.shr_u (local.get $x) (i64.const 62))))) (local.set $x (i64.const 3))) \
         (local.set $x (i64.add (local.get $x) (i64.const 5)))) (local.set $x (i64.const 9)))",
        4,
    ),
    (
        "i64.load, anywhere",
        "NEXT (local.set $x (i64.xor (local.get $x) (i64.load (i32.wrap_i64 (i64.and \
         (i64.shr_u (local.get $x) (i64.const 30)) (i64.const 0xfffe8))))))",
        4,
    ),
    (
        "i64.store, anywhere",
        "NEXT (i64.store (i32.wrap_i64 (i64.and (i64.shr_u (local.get $x) (i64.const 30)) \
         (i64.const 0xfffe8))) (local.get $x))",
        4,
    ),
    ("call", "(call $f)", 16),
    (
        "call_indirect, not to be guessed",
        "NEXT (call_indirect (type $plain) (i32.wrap_i64 (i64.shr_u (local.get $x) (i64.const 63))))",
        4,
    ),
    ("memory.size", "(drop (memory.size))", 16),
    ("height", "(drop (call $height))", 4),
    ("caller", "(call $caller (i32.const 0))", 4),
    ("input of 20", "(call $input (i32.const 1024))", 4),
    ("output of 64 Ki", "(call $output (i32.const 0) (i32.const 65536))", 1),
    (
        "get, 8 bytes",
        "(drop (call $get (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8)))",
        4,
    ),
    (
        "get, 64 Ki",
        "(drop (call $get (i32.const 0) (i32.const 0) (i32.const 65536) (i32.const 65536)))",
        1,
    ),
    ("put, 8 bytes", "(call $put (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8))", 4),
    ("put, 64 Ki", "(call $put (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 65536))", 1),
    (
        "start, 8 bytes",
        "(drop (call $start (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8)))",
        4,
    ),
    (
        "start, 64 Ki",
        "(drop (call $start (i32.const 0) (i32.const 0) (i32.const 65536) (i32.const 65536)))",
        1,
    ),
    (
        "reserve",
        "(drop (call $reserve (i32.const 0) (i32.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)))",
        4,
    ),
    (
        "max",
        "(call $max (i32.const 0) (i32.const 0) (i64.extend_i32_u (local.get $n)) (i64.const 0))",
        4,
    ),
    (
        "min",
        "(call $min (i32.const 0) (i32.const 0) (i64.extend_i32_u (local.get $n)) (i64.const 0))",
        4,
    ),
    (
        "get of one of 1,000",
        "(i32.store (i32.const 0) (i32.rem_u (local.get $n) (i32.const 1000)))
         (drop (call $get (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0)))",
        1,
    ),
    ("remove", "(call $remove (i32.const 0) (i32.const 0))", 4),
    ("add", "(call $add (i32.const 0) (i32.const 0) (i64.const 0) (i64.const 0))", 4),
    ("append of 0", "(call $append (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))", 1),
    (
        "append of 64 Ki",
        "(call $append (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 65536))",
        1,
    ),
    ("emit of 0", "(call $emit (i32.const 0) (i32.const 0) (i32.const 0))", 1),
    ("emit of 64 Ki", "(call $emit (i32.const 0) (i32.const 0) (i32.const 65536))", 1),
    ("log of 64 Ki", "(call $log (i32.const 1024) (i32.const 65536))", 1),
    ("blake3 of 64", "(call $blake3 (i32.const 0) (i32.const 64) (i32.const 1024))", 4),
    ("blake3 of 1 Mi", "(call $blake3 (i32.const 0) (i32.const 1048576) (i32.const 1024))", 1),
    ("sha256 of 64", "(call $sha256 (i32.const 0) (i32.const 64) (i32.const 1024))", 4),
    ("sha256 of 1 Mi", "(call $sha256 (i32.const 0) (i32.const 1048576) (i32.const 1024))", 1),
    ("keccak256 of 64", "(call $keccak256 (i32.const 0) (i32.const 64) (i32.const 1024))", 4),
    (
        "keccak256 of 1 Mi",
        "(call $keccak256 (i32.const 0) (i32.const 1048576) (i32.const 1024))",
        1,
    ),
    (
        "ed25519_verify",
        "(drop (call $verify (i32.const 128) (i32.const 0) (i32.const 0) (i32.const 160)))",
        1,
    ),
    (
        "ed25519_verify of 1 Mi",
        "(drop (call $verify (i32.const 128) (i32.const 0) (i32.const 1048576) (i32.const 160)))",
        1,
    ),
    (
        "call of a contract",
        "(drop (call $call (i32.const 64) (i32.const METHOD) (i32.const 0) (i32.const 20) (i32.const 0)))",
        1,
    ),
    (
        "call that writes and fails",
        "(drop (call $call (i32.const 256) (i32.const METHOD) (i32.const 0) (i32.const 20) (i32.const 1)))",
        1,
    ),
    (
        "call that a guard stops",
        "(drop (call $call (i32.const 96) (i32.const METHOD) (i32.const 0) (i32.const 20) (i32.const 1)))",
        1,
    ),
];

/// What the loops touch, but for those that a transaction names.
const TOUCHED: &[ClauseDef] = &[
    touch(AccessKind::Write, 0),
    touch(AccessKind::Add, 1),
    touch(AccessKind::Write, 3),
    touch(AccessKind::Add, 4),
    ClauseDef::Start { field: 0, key: &[] },
    ClauseDef::Reserve {
        field: 6,
        key: &[],
        amount: ExprDef::Literal(&[255; 8]),
        floor: ExprDef::Literal(&[]),
    },
    touch(AccessKind::Add, 10),
    touch(AccessKind::Add, 11),
];

/// How many keys a transaction names for a loop whose keys no template has.
const N_KEYS: u32 = 1000;

/// Whether the transaction names what the loop touches.
fn is_dynamic(name: &str) -> bool {
    name.starts_with("call ") || name.ends_with("of 1,000")
}

/// A contract that writes 100 values of 64 KiB when it is filled, and removes them and fails when it is called.
fn failing() -> Vec<u8> {
    let each = |what: &str| {
        format!(
            "(local $n i32) (local.set $n (i32.const 100))
             (loop $l (i32.store (i32.const 0) (local.get $n)) {what}
                (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"
        )
    };
    let fill = each("(call $put (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 65536))");
    let fail = each("(call $remove (i32.const 0) (i32.const 4))");
    let text = format!(
        r#"(import "kempe" "put:0" (func $put (param i32 i32 i32 i32)))
        (import "kempe" "remove:0" (func $remove (param i32 i32)))
        (func (export "call.fill") (param i32) (result i32) {fill} i32.const 0)
        (func (export "call.go") (param i32) (result i32) {fail} i32.const 1)"#
    );
    contract(&[("fill", DYNAMIC), ("go", DYNAMIC)], &text)
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

/// A contract with a method for each loop, which takes the number of rounds, and one that fills field 0.
fn loops([callee, stopped, failing]: [Address; 3]) -> Vec<u8> {
    let key = SigningKey::from([7; 32]);
    let mut signed = kempe_runtime::types::address_of(&key).0.to_vec();
    signed.extend(key.sign(b"").to_bytes());
    let mut text = format!(
        "{BEFORE} (memory (export \"memory\") 16 16) (data (i32.const 64) \"{}\") \
         (data (i32.const 128) \"{}\") (data (i32.const 256) \"{}\")",
        escaped([callee.0, stopped.0].as_flattened()),
        escaped(&signed),
        escaped(&failing.0)
    );
    let fill =
        "(call $put0 (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 65536)) i32.const 0";
    _ = write!(text, r#"(func (export "call.fill") (param i32) (result i32) {fill})"#);
    let mut methods = vec![("fill", ALL)];
    let method = MethodId::of("go").0.cast_signed().to_string();
    for (at, (name, body, n_copies)) in OPS.iter().enumerate() {
        let body = body.replace("NEXT", NEXT).replace("METHOD", &method).repeat(*n_copies);
        let export: &'static str = format!("op{at}").leak();
        _ = write!(
            text,
            r#"(func (export "call.{export}") (param i32) (result i32)
                (local $n i32) (local $x i64)
                (call $input (i32.const 32)) (local.set $n (i32.load (i32.const 32)))
                (loop $l {body}
                    (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                i32.const 0)"#
        );
        methods.push((export, if is_dynamic(name) { DYNAMIC } else { TOUCHED }));
    }
    contract(&methods, &text)
}

/// Nanoseconds for one fuel of a block, from its transactions to its receipts on one thread; all
/// transactions must succeed.
fn measure_once(chain: &mut Everywhere, name: &str, txs: Vec<SignedTransaction>) -> f64 {
    measure_ended(chain, name, txs, Outcome::Ok)
}

/// The same where all end like that.
fn measure_ended(
    chain: &mut Everywhere,
    name: &str,
    txs: Vec<SignedTransaction>,
    outcome: Outcome,
) -> f64 {
    nanoseconds_a_fuel(chain, name, txs, |_, found| found == outcome)
}

/// The same where each ends as it may.
fn nanoseconds_a_fuel(
    chain: &mut Everywhere,
    name: &str,
    txs: Vec<SignedTransaction>,
    may_end: impl Fn(usize, Outcome) -> bool,
) -> f64 {
    let start = Instant::now();
    let prepared = chain.world.chain.prepare(txs, 0).expect("it is prepared");
    assert!(prepared.rejected.is_empty(), "{name}: {:?}", prepared.rejected);
    let output = chain.world.chain.execute(&prepared).expect("it runs");
    let time = start.elapsed();
    for (at, receipt) in output.receipts.iter().enumerate() {
        assert!(may_end(at, receipt.outcome), "{name}: {receipt:?} {:?}", output.logs);
    }
    let fuel: u64 = output.receipts.iter().map(|receipt| receipt.fuel).sum();
    #[expect(clippy::cast_precision_loss, reason = "a figure needs few digits")]
    let found = time.as_nanos() as f64 / fuel as f64;
    found
}

/// The least of some runs.
fn measure(chain: &mut Everywhere, name: &str, txs: &[SignedTransaction]) -> f64 {
    let runs = 0..number("KEMPE_CALIBRATE_RUNS", 3u32);
    runs.map(|_| measure_once(chain, name, txs.to_vec())).fold(f64::INFINITY, f64::min)
}

/// The rounds of a loop that burn about [`FUEL`], found with a few; fewer where a limit on events or
/// results is met before.
fn rounds(chain: &Everywhere, call: impl Fn(u32) -> (Action, Vec<DeclaredAccess>)) -> u32 {
    let fuel = |n: u32| {
        let (action, access) = call(n);
        let signed = chain.world.sign_with([(0, vec![action], FUEL_MAX, access)]);
        let simulation = chain.world.chain.simulate(&signed[0].transaction).expect("it runs");
        (simulation.outcome == Outcome::Ok).then_some(simulation.fuel)
    };
    let (one, three) = (fuel(1).expect("once is possible"), fuel(3).expect("thrice too"));
    let each = (three - one).div_ceil(2).max(1);
    let mut n = u32::try_from((FUEL / each).clamp(3, 1_000_000_000)).expect("in range");
    while fuel(n).is_none() {
        n = n.div_ceil(2);
    }
    n
}

/// How a transaction of account 0 that may burn all that it can ends.
fn send_with_most_fuel(chain: &mut Everywhere, action: Action) -> Outcome {
    let txs = chain.world.sign_with([(0, vec![action], FUEL_MAX, Vec::new())]);
    chain.world.build(txs).record.receipts[0].outcome
}

/// Nanoseconds for one fuel of every loop.
fn loop_prices(chain: &mut Everywhere) -> Vec<(String, f64)> {
    let callee = chain.deploy(&crate::everywhere::one(DYNAMIC, "", "i32.const 0"));
    let stopped = chain.deploy(&guarded());
    let set = call(stopped, "set", &[0u32; 5]);
    assert_eq!(chain.world.send(0, set).outcome, Outcome::Ok);
    let failing = chain.deploy(&failing());
    assert_eq!(send_with_most_fuel(chain, call(failing, "fill", &[0u32; 5])), Outcome::Ok);
    let contract = chain.deploy(&loops([callee, stopped, failing]));
    assert_eq!(send_with_most_fuel(chain, call(contract, "fill", &[0u32; 5])), Outcome::Ok);
    let mut found = Vec::new();
    for (at, (name, ..)) in OPS.iter().enumerate() {
        let action = |n: u32| call(contract, &format!("op{at}"), &[n, 0, 0, 0, 0]);
        // What is dynamic runs in a batch with its list.
        let n_first = if is_dynamic(name) { N_KEYS } else { 1 };
        let signed = chain.world.sign_with([(0, vec![action(n_first)], FUEL_MAX, Vec::new())]);
        let simulation = chain.world.chain.simulate(&signed[0].transaction).expect("it runs");
        assert_eq!(simulation.outcome, Outcome::Ok, "{name}: {:?}", simulation.failure);
        let access = if simulation.dynamic { simulation.explicit_list() } else { Vec::new() };
        let n = rounds(chain, |n| (action(n), access.clone()));
        let txs = (0..N_TXS).map(|from| (from, vec![action(n)], FUEL_MAX, access.clone()));
        let txs = chain.world.sign_with(txs);
        found.push(((*name).to_owned(), measure(chain, name, &txs)));
    }
    found
}

const HASHING: &str = r#"(func (export "call.args") (param i32) (result i32) i32.const 0)
    (func (export "call.literal") (param i32) (result i32) i32.const 0)"#;

/// A template that names one cell, by the hash of an argument and by a hash of many bytes, over and over.
const ARGS: &[ClauseDef] = &[flag(&[ExprDef::Hash(&[ExprDef::Param(0); 16])]); 100];
const LITERAL: &[ClauseDef] = &[flag(&[ExprDef::Hash(&[ExprDef::Literal(&[7; 256])])]); 60];

const fn flag(key: &'static [ExprDef]) -> ClauseDef {
    ClauseDef::Touch { kind: AccessKind::Read, field: 8, key }
}

/// Nanoseconds for one fuel of what a transaction is made of, from its bytes to its receipt.
fn transaction_prices(chain: &mut Everywhere) -> Vec<(String, f64)> {
    let to = chain.world.accounts[0].address;
    let reader = chain.deploy(&crate::everywhere::one(DYNAMIC, "", "i32.const 0"));
    let many = |action: Action, access: Vec<DeclaredAccess>, n: usize| {
        (0..n).map(move |at| (at % 16, vec![action.clone()], FUEL_MAX, access.clone()))
    };
    let list = |n: u64| {
        let entry = |at: u64| DeclaredAccess {
            key: StateKey::new(reader, 0, &at.to_le_bytes()),
            kind: kempe_abi::AccessKind::Read,
        };
        (0..n).map(entry).collect::<Vec<_>>()
    };
    let transfer = Action::Transfer { to, amount: 1 };
    let call_of_nothing =
        Action::Call { contract: reader, method: MethodId::of("go"), args: [0; 20].into() };
    let hashing = chain.deploy(&contract(&[("args", ARGS), ("literal", LITERAL)], HASHING));
    let list_of = |method| many(call(hashing, method, &[0u32; 5]), vec![], 32);
    let mut found = Vec::new();
    for (name, txs) in [
        ("a template of many steps", chain.world.sign_with(list_of("args"))),
        ("a template that hashes", chain.world.sign_with(list_of("literal"))),
        ("a transfer", chain.world.sign_with(many(transfer.clone(), vec![], 2000))),
        ("a list of 1,000 keys", chain.world.sign_with(many(call_of_nothing, list(1000), 32))),
        (
            "64 actions",
            chain.world.sign_with(
                (0..64).map(|at| (at % 16, vec![transfer.clone(); 64], FUEL_MAX, vec![])),
            ),
        ),
    ] {
        found.push((name.to_owned(), measure(chain, name, &txs)));
    }
    found
}

/// A contract whose template calls all of these.
fn caller_of(contracts: &[Address]) -> Vec<u8> {
    const NUMBERS: &[ExprDef] = &[ExprDef::Literal(&[0; 4]); 5];
    let call = |contract: &Address| ClauseDef::Call {
        callee: ExprDef::Literal(contract.0.to_vec().leak()),
        method: "go",
        args: NUMBERS,
    };
    let clauses: Vec<ClauseDef> = contracts.iter().map(call).collect();
    let empty = r#"(func (export "call.go") (param i32) (result i32) i32.const 0)"#;
    contract(&[("go", clauses.leak())], empty)
}

/// A contract of as many fields as there may be.
fn of_many_fields() -> Vec<u8> {
    let fields: Vec<FieldDef> =
        (0..255).map(|at| field(format!("f{at}").leak(), CellDef::Value)).collect();
    let empty = r#"(func (export "call.go") (param i32) (result i32) i32.const 0)"#;
    contract_of(fields.leak(), &[("go", DYNAMIC)], empty)
}

/// As many immutables of eight bytes as a contract may have: 4,096 bytes, 64 for each beside its own.
const MOST_IMMUTABLES: usize = 56;

/// A contract that sets so many immutables of eight bytes.
fn of_immutables(n: usize) -> Vec<u8> {
    let name = |at: usize| -> &'static str { format!("f{at}").leak() };
    let fields: Vec<FieldDef> = (0..n).map(|at| field(name(at), CellDef::Immutable)).collect();
    let import =
        |at| format!(r#"(import "kempe" "put:{at}" (func $put{at} (param i32 i32 i32 i32)))"#);
    let zero = "(i32.const 0)";
    let put = |at| format!("(call $put{at} {zero} {zero} {zero} (i32.const 8))");
    let imports: String = (0..n).map(import).collect();
    let puts: String = (0..n).map(put).collect();
    let text = format!(
        r#"{imports} (func (export "call.init") (param i32) (result i32) {puts} i32.const 0)
        (func (export "call.go") (param i32) (result i32) i32.const 0)"#
    );
    contract_of(fields.leak(), &[("init", &[]), ("go", DYNAMIC)], &text)
}

/// Nanoseconds for one fuel of calls that each meet another contract, which has to be looked at: with a list, and where there is none,
/// because of a method that does not exist.
fn contract_prices(chain: &mut Everywhere) -> Vec<(String, f64)> {
    const N_TXS: usize = 16;
    const N_CALLS: usize = 63;
    const NO_METHOD: Outcome = Outcome::Trap(TrapKind::NoSuchMethod);
    let call = |&contract: &Address, method: &str| Action::Call {
        contract,
        method: MethodId::of(method),
        args: [0; 20].into(),
    };
    let n = N_TXS * N_CALLS;
    let wide: Vec<Address> = {
        let wasm = of_many_fields();
        (0..n).map(|_| chain.deploy(&wasm)).collect()
    };
    let full: Vec<Address> = {
        let wasm = of_immutables(MOST_IMMUTABLES);
        (0..n).map(|_| chain.deploy_with(&wasm, &[0u32; 5])).collect()
    };
    let callers: Vec<Address> =
        wide.chunks(N_CALLS).map(|some| chain.deploy(&caller_of(some))).collect();
    let calls = |contracts: &[Address], n_each: usize, n_calls: usize, last: Option<&str>| {
        let actions = |some: &[Address]| -> Vec<Action> {
            let calls = some.iter().take(n_calls).map(|contract| call(contract, "go"));
            calls.chain(last.map(|method| call(&some[0], method))).collect()
        };
        contracts.chunks(n_each).map(actions).collect::<Vec<_>>()
    };
    let nothing = Some("nothing");
    let mut found = Vec::new();
    for (name, txs, outcome) in [
        ("calls of 63 contracts", calls(&wide, N_CALLS, N_CALLS, None), Outcome::Ok),
        ("a template that calls 63", calls(&callers, 1, 1, None), Outcome::Ok),
        ("calls of 63, then of no method", calls(&wide, N_CALLS, N_CALLS, nothing), NO_METHOD),
        ("calls of 25, then of no method", calls(&wide, N_CALLS, 25, nothing), NO_METHOD),
        ("calls of 63 with full records", calls(&full, N_CALLS, N_CALLS, None), Outcome::Ok),
        ("calls of 63 full, then of none", calls(&full, N_CALLS, N_CALLS, nothing), NO_METHOD),
        ("calls of 25 full, then of none", calls(&full, N_CALLS, 25, nothing), NO_METHOD),
        ("a call of no method, full record", calls(&full, N_CALLS, 0, nothing), NO_METHOD),
    ] {
        let txs = txs.into_iter().enumerate();
        let txs = chain
            .world
            .sign_with(txs.map(|(at, actions)| (at % 16, actions, FUEL_MAX, Vec::new())));
        let runs = 0..number("KEMPE_CALIBRATE_RUNS", 3u32);
        let each = runs.map(|_| measure_ended(chain, name, txs.clone(), outcome));
        found.push((name.to_owned(), each.fold(f64::INFINITY, f64::min)));
    }
    found
}

/// So many functions of 64 parameters, for each of which the compiler makes another that takes them from memory.
fn in_a_table(n: usize, salt: usize) -> String {
    let params = "i64 ".repeat(64);
    let func = |i| format!("(func $t{i} (param {params}) (drop (i32.const {salt})))");
    let funcs: String = (0..n).map(func).collect();
    let elems: String = (0..n).map(|i| format!("$t{i} ")).collect();
    format!("{funcs} (table {n} {n} funcref) (elem (i32.const 0) {elems})")
}

/// Modules that the compiler has not seen before, in the text format; `salt` makes them new.
fn modules(salt: usize) -> [(&'static str, String); 6] {
    let go = |body: String| {
        format!("(func (export \"call.go\") (param i32) (result i32) {body} i32.const 0)")
    };
    let add = format!("(local.set $x (i64.add (local.get $x) (i64.const {salt})))").repeat(4000);
    let sum = format!("(func (result i32) (i32.add (i32.const {salt}) (i32.const 2)))");
    let targets = "0 ".repeat(4000);
    let table = format!("(func (block (br_table {targets} 0 (i32.const {salt}))))");
    let (open, close) = ("(block ".repeat(400), ")".repeat(400));
    let nest = format!("{open} (br_if 0 (local.get 0)) {close}").repeat(12);
    let locals = "i64 ".repeat(LOCALS + 1);
    let set = |at: usize| {
        let other = 1 + (at * 7) % LOCALS;
        format!("(local.set {at} (i64.add (local.get {at}) (local.get {other})))")
    };
    let sets: String = (1..=LOCALS).map(set).collect();
    [
        ("a deployment of functions in a table", in_a_table(1200, salt) + &go(String::new())),
        ("a deployment of one long function", go(format!("(local $x i64) {add}"))),
        ("a deployment of 4,000 functions", sum.repeat(4000) + &go(String::new())),
        ("a deployment of long branch tables", table.repeat(10) + &go(String::new())),
        ("a deployment of nested blocks", go(format!("{nest} i32.const {salt} drop"))),
        (
            "a deployment of many locals",
            go(format!(
                "(local {locals}) (loop {sets} (br_if 0 (local.get 0))) i32.const {salt} drop"
            )),
        ),
    ]
}

/// Nanoseconds for one fuel of deployments.
fn deployment_prices(chain: &mut Everywhere) -> Vec<(String, f64)> {
    let mut found: Vec<(String, f64)> = Vec::new();
    for round in 0..number("KEMPE_CALIBRATE_RUNS", 3usize) {
        for (at, (name, text)) in modules(round + 1).into_iter().enumerate() {
            let deploy = kempe_tests::deploy(&contract(&[("go", ALL)], &text), &());
            let txs = chain.world.sign_with([(0, vec![deploy], FUEL_MAX, Vec::new())]);
            let price = measure_once(chain, name, txs);
            match found.get_mut(at) {
                Some((_, best)) => *best = best.min(price),
                None => found.push((name.to_owned(), price)),
            }
        }
    }
    found
}

/// What is small and takes long to compile is paid by admission's estimate, before it is compiled.
#[test]
fn what_takes_long_to_compile_is_paid_by_the_estimate() {
    let mut chain = Everywhere::new(1);
    let go = r#"(func (export "call.go") (param i32) (result i32) i32.const 0)"#;
    let wasm = contract(&[("go", ALL)], &(in_a_table(400, 0) + go));
    let effort = admit(&wasm).expect("it is admitted").sizes.effort;
    let prices = chain.world.chain.genesis().prices;
    let bytes = wasm.len() as u64;
    let price = prices.deployment(bytes, effort);
    assert!(price > bytes * prices.deploy_byte, "{effort} units, {bytes} bytes");
    let mut deploy = |more: u64| {
        let sign = |limit| {
            let deploy = kempe_tests::deploy(&wasm, &());
            chain.world.sign_with([(0, vec![deploy], limit, Vec::new())])
        };
        let limit = sign(0)[0].transaction.base_fuel(&prices) + price - 1 + more;
        let txs = sign(limit);
        (chain.block(txs).receipts.swap_remove(0), limit)
    };
    let (short, limit) = deploy(0);
    assert_eq!((short.outcome, short.fuel), (Outcome::Trap(TrapKind::OutOfFuel), limit));
    // The second time it is compiled already, and is paid all the same.
    for _ in 0..2 {
        let (receipt, limit) = deploy(10_000_000);
        assert_eq!(receipt.outcome, Outcome::Ok);
        assert!(receipt.fuel > limit - 10_000_000, "{}", receipt.fuel);
    }
}

#[test]
fn a_record_holds_so_much_and_no_more() {
    let mut chain = Everywhere::new(1);
    let mut deploy = |n: usize| {
        let deploy = kempe_tests::deploy(&of_immutables(n), &[0u32; 5]);
        let txs = chain.world.sign_with([(0, vec![deploy], FUEL_MAX, Vec::new())]);
        chain.block(txs).receipts.swap_remove(0).outcome
    };
    assert_eq!(deploy(MOST_IMMUTABLES), Outcome::Ok);
    assert_eq!(deploy(MOST_IMMUTABLES + 1), Outcome::Trap(TrapKind::TooLarge));
}

/// Prints what each thing takes in relation to what its fuel pays for.
#[test]
#[ignore = "it measures: `just calibrate`"]
fn nothing_is_ten_times_dearer_than_its_fuel() {
    let mut chain = Everywhere::new(16);
    chain.world.chain.set_options(options(1, &Color)).expect("a thread");
    let mut found = loop_prices(&mut chain);
    found.extend(transaction_prices(&mut chain));
    found.extend(contract_prices(&mut chain));
    found.extend(corners::corner_prices(&mut chain));
    found.extend(deployment_prices(&mut chain));
    found.extend(disk::disk_prices());
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    println!("{:34} {:>8} {:>7}", "what", "ns/fuel", "ratio");
    for (name, price) in &found {
        println!("{name:34} {price:8.3} {:7.2}", price / FUEL_NS);
    }
    let (name, worst) = &found[0];
    assert!(worst / FUEL_NS <= RATIO_MAX, "{name} takes {worst:.2} ns a fuel");
}
