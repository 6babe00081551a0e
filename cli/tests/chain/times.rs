//! What calls see of the time, on chains whose last block is long ago.

use kempe_abi::def::{CellDef, ClauseDef, ContractDef, FieldDef, MethodDef, MethodKindDef};
use kempe_abi::{AbiType, section};
use kempe_cli::session::{development_address, development_key};
use kempe_runtime::chain::{Chain, ChainOptions};
use kempe_runtime::types::{Action, Transaction, contract_address};
use serde_json::json;

use super::Kempe;

/// The time of the last block: in 1970.
const LONG_AGO_MS: u64 = 1_000;

/// When the glass has run out: in 2001, between the last block and the next one.
const DUE_MS: u64 = 1_000_000_000_000;

/// A time that no machine shows: in 2096.
const FAR_MS: u64 = 4_000_000_000_000;

/// A contract with a view of the time; `ring` refuses with 100 until the glass has run out, and then writes a cell and burns
/// several times the fuel that is added to what a simulation burned.
fn glass() -> Vec<u8> {
    const RUNG: FieldDef =
        FieldDef { name: "rung", doc: "", cell: CellDef::Value, keys: &[], value: u64::TYPE };
    const METHODS: &[MethodDef] = &[
        MethodDef {
            name: "now",
            doc: "",
            kind: MethodKindDef::View,
            params: &[],
            returns: u64::TYPE,
            error: None,
            access: &[],
        },
        MethodDef {
            name: "ring",
            doc: "",
            kind: MethodKindDef::Call,
            params: &[],
            returns: <()>::TYPE,
            error: None,
            access: &[ClauseDef::Dynamic],
        },
    ];
    const DEF: ContractDef =
        ContractDef { name: "Glass", doc: "", fields: &[RUNG], methods: METHODS, interfaces: &[] };
    let abi: String =
        section::contract_to_vec(&DEF).iter().map(|byte| format!("\\{byte:02x}")).collect();
    let text = format!(
        r#"(module
            (import "kempe" "time_ms" (func $time (result i64)))
            (import "kempe" "output" (func $output (param i32 i32)))
            (import "kempe" "put:0" (func $put (param i32 i32 i32 i32)))
            (memory (export "memory") 1 1) (@custom "kempe.abi" "{abi}")
            (func (export "call.now") (param i32) (result i32)
                (i64.store (i32.const 0) (call $time))
                (call $output (i32.const 0) (i32.const 8)) i32.const 0)
            (func (export "call.ring") (param i32) (result i32) (local $i i32)
                (if (i64.lt_u (call $time) (i64.const {DUE_MS})) (then (return (i32.const 100))))
                (loop $turn
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $turn (i32.lt_u (local.get $i) (i32.const 100000))))
                (call $put (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8))
                i32.const 0))"#
    );
    wat::parse_str(text).unwrap()
}

/// A chain on which gas has a price and alice deployed the glass, and the glass's address. All blocks have this time.
fn with_glass(time_ms: u64) -> (Kempe, String) {
    let kempe = Kempe::new();
    let alice = development_address("alice");
    let genesis = format!(
        "chain_id = 1\ndevelopment = true\ntime_ms = {time_ms}\n[prices]\ngas = 1\n\
         [[accounts]]\nname = \"alice\"\naddress = \"{alice}\"\nbalance = 1000000000000\n"
    );
    kempe.write("genesis.toml", genesis);
    kempe.ok("init --genesis genesis.toml");
    let directory = kempe.home.path().join("kempe-chain");
    let mut chain = Chain::open(&directory, ChainOptions::default()).unwrap();
    let tx = Transaction {
        chain_id: 1,
        sender: alice,
        nonce: 0,
        fuel_limit: chain.genesis().limits.tx_fuel_max,
        actions: vec![Action::Deploy { wasm: glass(), args: Vec::new(), authority: None }],
        access: Vec::new(),
    };
    let report = chain.build(vec![tx.sign(&development_key("alice"))], time_ms).unwrap();
    assert_eq!(report.record.block.header.time_ms, time_ms);
    (kempe, contract_address(1, &alice, 0, 0).to_string())
}

#[test]
fn a_view_and_a_simulation_see_the_time_that_a_block_would_have() {
    let (kempe, glass) = with_glass(LONG_AGO_MS);
    let now: u64 = kempe.ok(&format!("call {glass} now")).trim().parse().unwrap();
    assert!(now > DUE_MS, "{now}");
    let simulated = kempe.json(&format!("simulate {glass} ring"));
    assert_eq!(simulated["outcome"], json!({ "status": "ok" }));
    assert_eq!(kempe.json("block")["time_ms"], LONG_AGO_MS, "nothing of this made a block");

    // Where the last block is ahead of the clock, so is the next one.
    let (kempe, glass) = with_glass(FAR_MS);
    assert_eq!(kempe.ok(&format!("call {glass} now")), format!("{FAR_MS}\n"));
}

#[test]
fn a_call_that_waited_for_its_time_has_its_fuel_and_its_list() {
    let (kempe, glass) = with_glass(LONG_AGO_MS);
    let sent = kempe.json(&format!("call {glass} ring"));
    assert_eq!((&sent["outcome"], &sent["tail"]), (&json!({ "status": "ok" }), &json!(false)));
    assert!(kempe.json("block")["time_ms"].as_u64().unwrap() > DUE_MS);
}

#[test]
fn a_file_of_calls_that_waited_for_their_time_runs() {
    let (kempe, glass) = with_glass(LONG_AGO_MS);
    let line = json!({ "from": "alice", "contract": glass, "method": "ring" });
    kempe.write("calls.jsonl", line.to_string());
    // The contract, who pays, who is paid, and the cell.
    assert_eq!(kempe.json("schedule calls.jsonl")["keys"], 4);
    let summary = kempe.json("run calls.jsonl --threads 1");
    assert_eq!((&summary["ok"], &summary["traps"]), (&json!(1), &json!(0)), "{summary}");
    assert_eq!(kempe.json("block")["transactions"][0]["tail"], json!(false));
}
