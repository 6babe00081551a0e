//! Every host function with every edge of its pointers and lengths, against a model of ten lines.

use crate::calls::callee;
use crate::everywhere::{Args, DYNAMIC, Everywhere, READS, contract, one, touch};
use kempe_abi::def::ClauseDef;
use kempe_abi::{AccessKind, Address, MethodId, Outcome, TrapKind};
use kempe_runtime::scheduler::SCHEDULERS;

/// The bytes of memory.
const M: u32 = 65536;

/// Enough for every length that fits, and for none of 2^31.
const FUEL: u64 = 5_000_000;

const EDGES: [u32; 8] = [0, 1, M - 1, M, M + 1, 0x7fff_ffff, 1 << 31, u32::MAX];

/// A host function: its name, its parameters (`i` or `l` for 32 or 64 bits) and its results.
type Function = (&'static str, &'static str, usize);

const FUNCTIONS: [Function; 25] = [
    ("input", "i", 0),
    ("output", "ii", 0),
    ("caller", "i", 0),
    ("this", "i", 0),
    ("height", "", 1),
    ("time_ms", "", 1),
    ("emit", "iii", 0),
    ("log", "ii", 0),
    ("panic", "ii", 0),
    ("get:0", "iiii", 1),
    ("get:2", "iiii", 1),
    ("start:0", "iiii", 1),
    ("put:3", "iiii", 0),
    ("remove:3", "ii", 0),
    ("add:1", "iill", 0),
    ("max:10", "iill", 0),
    ("min:11", "iill", 0),
    ("reserve:6", "iillll", 1),
    ("append:4", "iiii", 0),
    ("blake3", "iii", 0),
    ("sha256", "iii", 0),
    ("keccak256", "iii", 0),
    ("ed25519_verify", "iiii", 1),
    ("call_output", "ii", 1),
    ("call", "iiiii", 1),
];

/// A template of each of them.
const EVERY: &[ClauseDef] = &[
    touch(AccessKind::Write, 0),
    touch(AccessKind::Add, 1),
    touch(AccessKind::Write, 3),
    touch(AccessKind::Add, 4),
    touch(AccessKind::Write, 6),
    touch(AccessKind::Add, 10),
    touch(AccessKind::Add, 11),
    ClauseDef::Start { field: 0, key: &[] },
];

fn method(name: &str) -> &'static str {
    name.replace(':', "_").leak()
}

/// A contract with a method for each function, which passes its arguments on; and `set`, which gives
/// field 0 a value of 100 bytes.
fn passer() -> Vec<u8> {
    let mut imports =
        String::from(r#"(import "kempe" "put:0" (func $put0 (param i32 i32 i32 i32)))"#);
    let mut bodies = String::from(
        r#"(func (export "call.set") (param i32) (result i32)
            (call $put0 (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 100)) i32.const 0)"#,
    );
    let mut methods = vec![("set", EVERY)];
    for (name, params, results) in FUNCTIONS {
        let types: String =
            params.chars().map(|c| if c == 'i' { "i32 " } else { "i64 " }).collect();
        let result = match (name, results) {
            (_, 0) => "",
            ("height" | "time_ms", _) => "(result i64)",
            _ => "(result i32)",
        };
        imports += &format!(
            r#"(import "kempe" "{name}" (func $f_{} (param {types}) {result}))"#,
            method(name)
        );
        let loads: String = params
            .chars()
            .enumerate()
            .map(|(at, c)| {
                let load = if c == 'i' { "i32.load" } else { "i64.load32_u" };
                format!("({load} (i32.const {})) ", 4 * at)
            })
            .collect();
        let drop = if results > 0 { "drop" } else { "" };
        bodies += &format!(
            r#"(func (export "call.{name}") (param i32) (result i32)
                (call $f_input (i32.const 0)) {loads} call $f_{name} {drop} i32.const 0)"#,
            name = method(name)
        );
        methods.push((method(name), if name == "call" { DYNAMIC } else { EVERY }));
    }
    contract(&methods, &format!("{imports} {bodies}"))
}

fn inside(ptr: u32, len: u32) -> Result<(), TrapKind> {
    let end = u64::from(ptr) + u64::from(len);
    if end <= u64::from(M) { Ok(()) } else { Err(TrapKind::MemoryOutOfBounds) }
}

fn pays(bytes: u32, price: u64) -> Result<(), TrapKind> {
    if u64::from(bytes) * price < FUEL { Ok(()) } else { Err(TrapKind::OutOfFuel) }
}

fn at_most(len: u32, max: u32) -> Result<(), TrapKind> {
    if len <= max { Ok(()) } else { Err(TrapKind::TooLarge) }
}

fn data(ptr: u32, len: u32) -> Result<(), TrapKind> {
    at_most(len, 65536).and_then(|()| pays(len, 10)).and_then(|()| inside(ptr, len))
}

fn key(ptr: u32, len: u32) -> Result<(), TrapKind> {
    pays(len, 1).and_then(|()| inside(ptr, len))
}

/// Only the key without bytes is in the list.
fn listed(len: u32) -> Result<(), TrapKind> {
    at_most(len, 256)?;
    if len == 0 { Ok(()) } else { Err(TrapKind::UndeclaredAccess) }
}

/// What must come out.
fn model(name: &str, [a, b, c, d, e]: Args) -> Result<(), TrapKind> {
    match name {
        "input" => inside(a, 20),
        "output" | "log" => data(a, b),
        "panic" => data(a, b).and(Err(TrapKind::Panic)),
        "emit" => data(b, c),
        "caller" | "this" => inside(a, 32),
        "get:0" => key(a, b).and_then(|()| listed(b)).and_then(|()| inside(c, d.min(100))),
        // No list names what was there before the block; only the cell without a key has a value.
        "start:0" => {
            let found = || if b == 0 { inside(c, d.min(100)) } else { Ok(()) };
            key(a, b).and_then(|()| at_most(b, 256)).and_then(|()| found())
        }
        "put:3" => {
            let value = || pays(d, 10).and_then(|()| inside(c, d));
            key(a, b).and_then(|()| value()).and_then(|()| listed(b))
        }
        // Whoever takes nothing touches nothing.
        "reserve:6" if [c, d, e] == [0; 3] => key(a, b).and_then(|()| at_most(b, 256)),
        // Of an empty stock nothing is taken, which stops nobody.
        "remove:3" | "reserve:6" => key(a, b).and_then(|()| listed(b)),
        "add:1" | "max:10" | "min:11" => {
            let fits = if d == 0 { Ok(()) } else { Err(TrapKind::CounterOutOfBounds) };
            key(a, b).and_then(|()| listed(b)).and(fits)
        }
        "append:4" => {
            key(a, b).and_then(|()| pays(b, 10)).and_then(|()| pays(d, 10))?;
            inside(c, d).and_then(|()| at_most(b, 248)).and_then(|()| at_most(d, 65536))?;
            if b == 0 { Ok(()) } else { Err(TrapKind::NotPermitted) }
        }
        "blake3" | "sha256" | "keccak256" => {
            pays(b / 64 + 1, 600).and_then(|()| inside(a, b)).and_then(|()| inside(c, 32))
        }
        "ed25519_verify" => pays(c / 64 + 1, 600)
            .and_then(|()| inside(a, 32))
            .and_then(|()| inside(b, c))
            .and_then(|()| inside(d, 64)),
        "call_output" => inside(a, 0),
        "call" => {
            at_most(d, 65536)?;
            pays(d, 1).and_then(|()| inside(a, 32)).and_then(|()| inside(c, d))?;
            if e == 0 { Err(TrapKind::NoSuchContract) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

/// Every pair of neighboring parameters takes every pair of edges, while the others are harmless.
fn cases() -> Vec<(&'static str, Args)> {
    let mut cases = Vec::new();
    for (name, params, _) in FUNCTIONS {
        let n = params.len().min(Args::default().len());
        if n < 2 {
            cases.extend(EDGES.map(|edge| (name, [edge, 0, 0, 0, 0])));
        }
        for first in 0..n.saturating_sub(1) {
            for x in EDGES {
                for y in EDGES {
                    let mut args = [0; 5];
                    (args[first], args[first + 1]) = (x, y);
                    cases.push((name, args));
                }
            }
        }
    }
    cases
}

#[test]
fn every_pointer_and_every_length() {
    let mut chain = Everywhere::new(16);
    let passer = chain.deploy(&passer());
    let set = kempe_tests::call(passer, "set", &[0u32; 5]);
    assert_eq!(chain.world.send(0, set).outcome, Outcome::Ok);
    let mut n_ok = 0;
    for cases in cases().chunks(140) {
        let txs = cases.iter().enumerate().map(|(at, (name, args))| {
            (at % 16, vec![kempe_tests::call(passer, method(name), args)], FUEL, Vec::new())
        });
        let txs = chain.world.sign_with(txs);
        let output = chain.block(txs);
        for ((name, args), receipt) in cases.iter().zip(&output.receipts) {
            let expected = model(name, *args).map_or_else(Outcome::Trap, |()| Outcome::Ok);
            assert_eq!(receipt.outcome, expected, "{name} {args:x?}");
            n_ok += u32::from(receipt.outcome == Outcome::Ok);
        }
    }
    assert!(n_ok > 300, "{n_ok} succeed: the others fail for a reason");
    assert_eq!(chain.ran_by(), SCHEDULERS.len(), "every scheduler had its turn");
}

/// What sets a contract up writes its immutables, whose values have a limit of their own.
#[test]
fn every_pointer_and_every_length_of_an_immutable() {
    const LARGEST: u32 = 1024;
    let text = r#"(import "kempe" "input" (func $input (param i32)))
        (import "kempe" "put:2" (func $put (param i32 i32 i32 i32)))
        (func (export "call.init") (param i32) (result i32) (call $input (i32.const 0))
            (call $put (i32.load (i32.const 0)) (i32.load (i32.const 4))
                (i32.load (i32.const 8)) (i32.load (i32.const 12)))
            i32.const 0)"#;
    let wasm = contract(&[("init", &[])], text);
    let mut chain = Everywhere::new(1);
    let edges = || EDGES.into_iter().chain([LARGEST, LARGEST + 1, M - LARGEST, M - LARGEST + 1]);
    // An immutable is the whole field: its key is not looked at.
    let keys = [[0, 0], [u32::MAX, u32::MAX]];
    let cases = keys.into_iter().flat_map(|[key, key_len]| {
        edges().flat_map(move |value| edges().map(move |len| [key, key_len, value, len, 0]))
    });
    let cases: Vec<Args> = cases.collect();
    let deploy =
        |args: &Args| (0, vec![kempe_tests::deploy(&wasm, args)], 1_000_000_000, Vec::new());
    let txs = chain.world.sign_with(cases.iter().map(deploy));
    let output = chain.block(txs);
    for (args, receipt) in cases.iter().zip(&output.receipts) {
        let [_, _, value, len, _] = *args;
        let expected = at_most(len, LARGEST).and_then(|()| inside(value, len));
        let expected = expected.map_or_else(Outcome::Trap, |()| Outcome::Ok);
        assert_eq!(receipt.outcome, expected, "{args:x?}");
    }
    let n_ok = output.receipts.iter().filter(|receipt| receipt.outcome == Outcome::Ok).count();
    assert!(n_ok >= 12, "{n_ok} succeed");
}

/// What copies into the memory: an immutable of 100 bytes, and what a callee of as many bytes returned. The whole memory
/// behind it is the result, with what the function returned at 3000.
fn copier(other: Address) -> Vec<u8> {
    let go = MethodId::of("go").0.cast_signed();
    let arg = |at: u32| format!("(i32.load (i32.const {}))", 2000 + 4 * at);
    let [a, b, c, d] = [0, 1, 2, 3].map(arg);
    let method = |name: &str, body: &str| {
        format!(
            r#"(func (export "call.{name}") (param i32) (result i32) (call $input (i32.const 2000))
                {body} (call $output (i32.const 0) (i32.const {M})) i32.const 0)"#
        )
    };
    let call = format!(
        "(drop (call $call (i32.const 64) (i32.const {go}) (i32.const 2000) (i32.const 20) (i32.const 0)))"
    );
    let fixed = format!("(i32.store (i32.const 3000) (call $get {a} {b} {c} {d}))");
    let called = format!("{call} (i32.store (i32.const 3000) (call $result {c} {d}))");
    let text = format!(
        r#"(import "kempe" "input" (func $input (param i32)))
        (import "kempe" "output" (func $output (param i32 i32)))
        (import "kempe" "put:2" (func $put (param i32 i32 i32 i32)))
        (import "kempe" "get:2" (func $get (param i32 i32 i32 i32) (result i32)))
        (import "kempe" "call" (func $call (param i32 i32 i32 i32 i32) (result i32)))
        (import "kempe" "call_output" (func $result (param i32 i32) (result i32)))
        {} {PATTERN}
        (func (export "call.init") (param i32) (result i32)
            (call $put (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 100)) i32.const 0)
        {} {}"#,
        callee(other),
        method("fixed", &fixed),
        method("called", &called),
    );
    contract(&[("init", &[]), ("fixed", EVERY), ("called", DYNAMIC)], &text)
}

/// The bytes 1 to 100 at 1000.
const PATTERN: &str = r#"(data (i32.const 1000) "\01\02\03\04\05\06\07\08\09\0a\0b\0c\0d\0e\0f\10\11\12\13\14\15\16\17\18\19\1a\1b\1c\1d\1e\1f\20\21\22\23\24\25\26\27\28\29\2a\2b\2c\2d\2e\2f\30\31\32\33\34\35\36\37\38\39\3a\3b\3c\3d\3e\3f\40\41\42\43\44\45\46\47\48\49\4a\4b\4c\4d\4e\4f\50\51\52\53\54\55\56\57\58\59\5a\5b\5c\5d\5e\5f\60\61\62\63\64")"#;

/// The memory of [`copier`] behind a copy.
fn copied(other: Address, args: Args) -> Result<Vec<u8>, TrapKind> {
    let [_, _, out, cap, _] = args;
    let value: Vec<u8> = (1..=100).collect();
    let mut memory = vec![0; M as usize];
    memory[64..96].copy_from_slice(&other.0);
    memory[1000..1100].copy_from_slice(&value);
    for (at, arg) in args.iter().enumerate() {
        memory[2000 + 4 * at..2004 + 4 * at].copy_from_slice(&arg.to_le_bytes());
    }
    let n = cap.min(100);
    inside(out, n)?;
    let (out, n) = (out as usize, n as usize);
    memory[out..out + n].copy_from_slice(&value[..n]);
    // How much there is, be it that less was asked for.
    memory[3000..3004].copy_from_slice(&100u32.to_le_bytes());
    Ok(memory)
}

#[test]
fn every_copy_into_the_memory() {
    let mut chain = Everywhere::new(16);
    let output = r#"(import "kempe" "output" (func $output (param i32 i32)))"#;
    let body = "(call $output (i32.const 1000) (i32.const 100)) i32.const 0";
    let other = chain.deploy(&one(READS, &format!("{output} {PATTERN}"), body));
    let copier = chain.deploy_with(&copier(other), &Args::default());
    let outs = || EDGES.into_iter().chain([M - 100, M - 99, 3000]);
    let caps = || EDGES.into_iter().chain([99, 100, 101]);
    // An immutable is the whole field: its key is not looked at.
    let keys = [[0, 0], [u32::MAX, u32::MAX]];
    let args = keys.into_iter().flat_map(|[key, len]| {
        outs().flat_map(move |out| caps().map(move |cap| [key, len, out, cap, 0]))
    });
    let cases: Vec<(&str, Args)> =
        args.flat_map(|args| [("fixed", args), ("called", args)]).collect();
    let mut n_ok = 0;
    for cases in cases.chunks(160) {
        let txs = cases.iter().enumerate().map(|(at, (name, args))| {
            (at % 16, vec![kempe_tests::call(copier, name, args)], FUEL, Vec::new())
        });
        let txs = chain.world.sign_with(txs);
        let receipts = chain.block(txs).receipts;
        for ((name, args), receipt) in cases.iter().zip(&receipts) {
            match copied(other, *args) {
                Ok(memory) => {
                    assert_eq!(receipt.outcome, Outcome::Ok, "{name} {args:x?}");
                    assert!(receipt.results == [memory], "{name} {args:x?} copies something else");
                    n_ok += 1;
                }
                Err(kind) => {
                    assert_eq!(receipt.outcome, Outcome::Trap(kind), "{name} {args:x?}");
                }
            }
        }
    }
    assert!(n_ok > 100, "{n_ok} succeed");
}
