//! Modules at the limits of admission, each the worst of its kind that was found: what compiling one takes of the
//! processor, of memory and of stacks, in a process of its own.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::fmt::Write;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use kempe_abi::def::{ContractDef, MethodDef, MethodKindDef};
use kempe_abi::{AbiType, section};
use kempe_cli::session::development_address;
use kempe_runtime::engine::{admit, config};
use kempe_runtime::types::Prices;
use tempfile::TempDir;

/// A module of this text, with a method `go` that takes nothing.
fn module(text: &str) -> Vec<u8> {
    const GO: MethodDef = MethodDef {
        name: "go",
        doc: "",
        kind: MethodKindDef::Call,
        params: &[],
        returns: <()>::TYPE,
        error: None,
        access: &[],
    };
    const DEF: ContractDef =
        ContractDef { name: "Worst", doc: "", fields: &[], methods: &[GO], interfaces: &[] };
    let abi: String =
        section::contract_to_vec(&DEF).iter().map(|byte| format!("\\{byte:02x}")).collect();
    let text = format!(
        r#"(module {text} (memory (export "memory") 1 1) (@custom "kempe.abi" "{abi}")
            (func (export "call.go") (param i32) (result i32) i32.const 0))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// A kind of module, by how much there is of what makes it large.
type Kind = (&'static str, fn(usize) -> String);

/// The first five are tried each time; `KEMPE_COMPILE_KINDS=16` tries all.
const KINDS: [Kind; 16] = [
    ("functions that escape, of 64 parameters", |n| {
        let params = "i64 ".repeat(64);
        let funcs: String = (0..n).map(|i| format!("(func $f{i} (param {params}))")).collect();
        let elems: String = (0..n).map(|i| format!("$f{i} ")).collect();
        format!("{funcs} (table {n} {n} funcref) (elem (i32.const 0) {elems})")
    }),
    ("nested blocks", |n| {
        let (open, close) = ("(block ".repeat(500), ")".repeat(500));
        let nest = format!("{open} (br_if 0 (local.get 0)) {close}").repeat(9);
        format!("(func (param i32) {nest})").repeat(n)
    }),
    ("loops of many locals", |n| {
        let set: String = (1..127)
            .map(|i| {
                format!("(local.set {i} (i64.add (local.get {i}) (local.get {})))", i * 7 % 126 + 1)
            })
            .collect();
        let (open, close) = ("(loop ".repeat(24), "(br_if 0 (local.get 0)))".repeat(24));
        format!("(func (param i32) (local {}) {open} {set} {close})", "i64 ".repeat(127)).repeat(n)
    }),
    ("locals that meet in joins", |n| {
        let sets: String =
            (1..60).map(|i| format!("(local.set {i} (local.get {}))", i % 59 + 1)).collect();
        let one = format!("(if (local.get 0) (then {sets}))").repeat(60);
        format!("(func (param i32) (local {}) {one})", "i64 ".repeat(127)).repeat(n)
    }),
    ("branch tables to many blocks", |n| {
        let (open, close) = ("(block ".repeat(500), ")".repeat(500));
        let targets: String = (0..4000).map(|i| format!("{} ", i % 500)).collect();
        format!("(func (param i32) {open} (br_table {targets} 0 (local.get 0)) {close})").repeat(n)
    }),
    ("functions", |n| "(func)".repeat(n)),
    ("types of 64 parameters, each called", |n| {
        let mut text = String::from("(table 1 1 funcref)");
        for i in 0..1000 {
            let params: String =
                (0..64).map(|bit| if i >> (bit % 10) & 1 == 1 { "i64 " } else { "i32 " }).collect();
            _ = write!(text, "(type $t{i} (func (param {params})))");
        }
        for f in 0..n {
            _ = write!(text, "(func");
            for i in 0..20 {
                let i = (f * 20 + i) % 1000;
                for bit in 0..64 {
                    let ty = if i >> (bit % 10) & 1 == 1 { "i64" } else { "i32" };
                    _ = write!(text, "({ty}.const {bit})");
                }
                _ = write!(text, "(call_indirect (type $t{i}) (i32.const 0))");
            }
            text.push(')');
        }
        text
    }),
    ("calls of 64 arguments", |n| {
        let params = "i64 ".repeat(64);
        let args: String = (0..64).map(|i| format!("(local.get {i})")).collect();
        let call = format!("(call $f {args})");
        let body = call.repeat(200);
        format!("(func $f (param {params}))") + &format!("(func (param {params}) {body})").repeat(n)
    }),
    ("branch tables", |n| {
        let targets = "0 1 2 3 ".repeat(1000);
        format!(
            "(func (param i32) (block (block (block (block (br_table {targets} 0 (local.get 0)))))))"
        )
        .repeat(n)
    }),
    ("values that live across calls", |n| {
        let push = "(i64.load (i32.const 8))".repeat(250);
        let pop = "i64.add ".repeat(249);
        let one = format!("{push} {} {pop} drop", "(call $f)".repeat(50)).repeat(20);
        String::from("(func $f)") + &format!("(func {one})").repeat(n)
    }),
    ("divisions", |n| {
        let one = "(local.set 0 (i64.div_s (local.get 0) (local.get 1)))".repeat(7000);
        format!("(func (param i64 i64) {one})").repeat(n)
    }),
    ("loads", |n| {
        let one = "(local.set 0 (i64.load (i32.wrap_i64 (local.get 0))))".repeat(7000);
        format!("(func (param i64 i64) {one})").repeat(n)
    }),
    ("arithmetic", |n| {
        let one = "(local.set 0 (i64.rotl (i64.popcnt (local.get 0)) (local.get 1)))".repeat(7000);
        format!("(func (param i64 i64) {one})").repeat(n)
    }),
    ("globals", |n| {
        let one = "(global.set 0 (i64.add (global.get 0) (global.get 1)))".repeat(7000);
        let globals = r#"(global (export "a") (mut i64) (i64.const 0))
            (global (export "b") (mut i64) (i64.const 0))"#;
        String::from(globals) + &format!("(func {one})").repeat(n)
    }),
    ("calls", |n| {
        String::from("(func $f)") + &format!("(func {})", "(call $f)".repeat(20_000)).repeat(n)
    }),
    ("selects", |n| {
        let one = "(local.set 0 (select (local.get 0) (local.get 1) (i64.eqz (local.get 1))))"
            .repeat(6000);
        format!("(func (param i64 i64) {one})").repeat(n)
    }),
];

/// The largest module of a kind that is admitted, and the estimate of the work on it.
fn largest(kind: fn(usize) -> String) -> (usize, Vec<u8>, u64) {
    let admitted = |n: usize| {
        let wasm = module(&kind(n));
        let effort = admit(&wasm).ok()?.sizes.effort;
        Some((n, wasm, effort))
    };
    let mut best =
        admitted(1).unwrap_or_else(|| panic!("{}", admit(&module(&kind(1))).unwrap_err()));
    let mut refused = 2;
    while let Some(larger) = admitted(refused) {
        best = larger;
        refused *= 2;
    }
    while best.0 + 1 < refused {
        let middle = usize::midpoint(best.0, refused);
        match admitted(middle) {
            Some(larger) => best = larger,
            None => refused = middle,
        }
    }
    best
}

/// Milliseconds of the processor, and the most memory in KiB, of a process so far.
fn usage(child: &Child) -> Option<(u64, u64)> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    // In hundredths of a second: proc_pid_stat(5), fields 14 and 15.
    let ticks: u64 = fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?;
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some((ticks * 10, line.trim().strip_suffix(" kB")?.parse().ok()?))
}

/// What one fuel pays for, in picoseconds: the prices' own scale.
const FUEL_PS: u64 = 300;

/// How many times the time that its fuel pays for compiling may take. Prices are those of an optimized build; one that is
/// checked while it runs takes up to six times as long, beside other tests.
const RATIO_MAX: u64 = if cfg!(debug_assertions) { 100 } else { 10 };

/// What the process takes of the processor beside: the chain, the key, the list.
const START_MS: u64 = 500;

const MEMORY_KIB_MAX: u64 = 1 << 20;

/// A sixteenth of the stack that each of the compiler's threads has.
const STACK_BYTES: usize = 512 << 10;

/// Compiles on threads with little stack. One that overflows ends the process.
fn compile_on_small_stacks(wasm: &[u8]) {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(2).stack_size(STACK_BYTES);
    let engine = wasmtime::Engine::new(&config()).unwrap();
    threads.build().unwrap().install(|| wasmtime::Module::new(&engine, wasm).map(drop)).unwrap();
}

#[test]
fn compiling_what_is_admitted_ends_in_time() {
    let home = TempDir::new().unwrap();
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kempe"));
        command.current_dir(home.path()).env("KEMPE_HOME", home.path()).env_remove("KEMPE_DIR");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    // Here nobody runs out of fuel, as the largest would by the limit of a new chain.
    let alice = development_address("alice");
    let genesis = format!(
        "chain_id = 1\ndevelopment = true\n[limits]\ntx_fuel_max = 1000000000000000\n\
         [[accounts]]\nname = \"alice\"\naddress = \"{alice}\"\n"
    );
    fs::write(home.path().join("genesis.toml"), genesis).unwrap();
    assert!(command().args(["init", "--genesis", "genesis.toml"]).status().unwrap().success());
    let n_kinds = env::var("KEMPE_COMPILE_KINDS").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    for (at, &(kind, text)) in KINDS.iter().take(n_kinds).enumerate() {
        let (n, wasm, effort) = largest(text);
        fs::write(home.path().join("worst.wasm"), &wasm).unwrap();
        let name = format!("worst-{at}");
        let mut child = command().args(["deploy", "worst.wasm", "--name", &name]).spawn().unwrap();
        let mut used = (0, 0);
        let status = loop {
            used = usage(&child).unwrap_or(used);
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        let (ms, kib) = used;
        let bytes = wasm.len();
        let paid_ms = Prices::default().deployment(bytes as u64, effort) * FUEL_PS / 1_000_000_000;
        println!(
            "{kind:42} n={n:4} {bytes:6} B {effort:7} units {ms:5} ms of {paid_ms:4} paid {:4} MiB",
            kib / 1024
        );
        assert!(status.success(), "{kind}: {status}");
        assert!(ms <= paid_ms * RATIO_MAX + START_MS, "{kind}: {ms} ms, paid {paid_ms}");
        assert!(kib <= MEMORY_KIB_MAX, "{kind}: {kib} KiB");
        compile_on_small_stacks(&wasm);
    }
}
