//! What is said of stocks that calls take from.

use kempe_abi::def::{
    CellDef, ClauseDef, ContractDef, ExprDef, FieldDef, MethodDef, MethodKindDef,
};
use kempe_abi::{AbiType, AccessKind, section};
use serde_json::{Value, json};

use super::Kempe;

/// A contract with seats: `fill` adds 30, `take` takes as many as it declares and leaves two, `overtake` one more.
fn seats() -> Vec<u8> {
    const FIELD: FieldDef =
        FieldDef { name: "seats", doc: "", cell: CellDef::Stock, keys: &[], value: u64::TYPE };
    const TAKE: &[ClauseDef] = &[ClauseDef::Reserve {
        field: 0,
        key: &[],
        amount: ExprDef::Param(0),
        floor: ExprDef::Literal(&[2, 0, 0, 0, 0, 0, 0, 0]),
    }];
    const ADD: &[ClauseDef] = &[ClauseDef::Touch { kind: AccessKind::Add, field: 0, key: &[] }];
    const fn method(
        name: &'static str,
        params: &'static [(&'static str, &'static kempe_abi::TypeDef)],
        access: &'static [ClauseDef],
    ) -> MethodDef {
        let (kind, returns) = (MethodKindDef::Call, <()>::TYPE);
        MethodDef { name, doc: "", kind, params, returns, error: None, access }
    }
    const N: &[(&str, &kempe_abi::TypeDef)] = &[("n", u64::TYPE)];
    const METHODS: &[MethodDef] =
        &[method("fill", &[], ADD), method("take", N, TAKE), method("overtake", N, TAKE)];
    const DEF: ContractDef =
        ContractDef { name: "Seats", doc: "", fields: &[FIELD], methods: METHODS, interfaces: &[] };
    let abi: String =
        section::contract_to_vec(&DEF).iter().map(|byte| format!("\\{byte:02x}")).collect();
    let take = |name: &str, more: u8| {
        format!(
            r#"(func (export "call.{name}") (param i32) (result i32)
                (call $input (i32.const 0))
                (drop (call $reserve (i32.const 0) (i32.const 0)
                    (i64.add (i64.load (i32.const 0)) (i64.const {more})) (i64.const 0)
                    (i64.const 2) (i64.const 0)))
                i32.const 0)"#
        )
    };
    let text = format!(
        r#"(module
            (import "kempe" "input" (func $input (param i32)))
            (import "kempe" "add:0" (func $add (param i32 i32 i64 i64)))
            (import "kempe" "reserve:0"
                (func $reserve (param i32 i32 i64 i64 i64 i64) (result i32)))
            (memory (export "memory") 1 1) (@custom "kempe.abi" "{abi}")
            (func (export "call.fill") (param i32) (result i32)
                (call $add (i32.const 0) (i32.const 0) (i64.const 30) (i64.const 0)) i32.const 0)
            {} {})"#,
        take("take", 0),
        take("overtake", 1)
    );
    wat::parse_str(text).unwrap()
}

fn with_seats() -> Kempe {
    let kempe = Kempe::new();
    kempe.write("seats.wasm", seats());
    kempe.ok("init");
    kempe.ok("deploy seats.wasm");
    kempe.ok("call seats fill");
    kempe
}

/// Calls of `take` by as many accounts.
fn takes(n: &[u64]) -> String {
    let from = ["alice", "bob", "carol", "dave"];
    let line = |(from, n): (&str, &u64)| {
        json!({ "contract": "seats", "method": "take", "args": [n.to_string()], "from": from })
            .to_string()
            + "\n"
    };
    from.into_iter().zip(n).map(line).collect()
}

#[test]
fn taking_too_much_is_refused_with_what_was_declared() {
    let kempe = with_seats();
    let ended = kempe.run("call seats overtake --n 3");
    assert_eq!(ended.code, 3);
    let said = "         wanted reserve of seats.seats: in all 4 that leave 2\n         \
                declared reserve: at most 3 that leave 2\n         \
                clause to declare instead: reserve(seats, 4u64, 2u64)\n";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
    let help = "help: declare `reserve(seats, 4u64, 2u64)` in the method's `#[access(...)]` \
                instead, or take no more than is declared";
    assert!(ended.stderr.contains(help), "{}", ended.stderr);
    let ended = kempe.run("call seats overtake --n 3 --json");
    let receipt: Value = serde_json::from_str(&ended.stdout).unwrap();
    let undeclared = json!({
        "key": "seats.seats",
        "wanted": "reserve",
        "declared": "reserve",
        "takes": { "amount": "4", "floor": "2" },
        "may_take": { "amount": "3", "floor": "2" },
        "clause": "reserve(seats, 4u64, 2u64)",
    });
    assert_eq!(receipt["outcome"]["undeclared"], undeclared);
}

#[test]
fn a_stock_is_not_to_be_made_an_add() {
    let kempe = with_seats();
    kempe.write("calls.jsonl", takes(&[20; 4]));
    let text = kempe.ok("schedule calls.jsonl");
    let hot = "hot key        seats.seats  4 reserve, 0 write, 0 read, 0 add: 100.0 % of all transactions\n";
    assert!(text.contains(hot), "{text}");
    let change = "best change    declare less of seats.seats than it holds: 75 % less time";
    assert!(text.contains(change), "{text}");
    // 4 of 7 that leave 2 are there.
    kempe.write("calls.jsonl", takes(&[7; 4]));
    let text = kempe.ok("schedule calls.jsonl");
    assert!(text.contains("batches        1, ") && !text.contains("hot key"), "{text}");
}

#[test]
fn taking_is_explained_with_its_bound_and_what_the_block_declares() {
    let kempe = with_seats();
    let text = kempe.ok("simulate seats take --n 7");
    let entry = "reserve seats.seats  (at most 7 that leave 2; reserve)\n";
    assert!(text.contains(entry), "{text}");
    for (n, follows, waits) in [
        (7, "in any order, because so much was there before the block", false),
        (20, "in order, as where less is there before the block", true),
    ] {
        kempe.write("calls.jsonl", takes(&[n; 4]));
        kempe.ok("run calls.jsonl");
        let height = kempe.json("block")["height"].as_u64().unwrap();
        let text = kempe.ok(&format!("explain {height}:3"));
        let all = n * 4;
        let entry = format!(
            "  reserve  seats.seats  touched: reserve\n           \
             at most {n} that leave 2; all of the block at most {all} that leave 2: {follows}\n"
        );
        assert!(text.contains(&entry), "{text}");
        assert_eq!(text.contains("both reserve seats.seats"), waits, "{text}");
    }
}
