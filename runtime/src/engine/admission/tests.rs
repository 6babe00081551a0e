//! Modules in the text format with the exact outcome of each.

use kempe_abi::def::{
    CellDef, ClauseDef, ContractDef, ExprDef, FieldDef, MethodDef, MethodKindDef,
};
use kempe_abi::{AbiType, AccessKind, Address, section};
use proptest::prelude::*;

use super::*;

mod at_limits;
mod foreign;

const fn field(name: &'static str, cell: CellDef) -> FieldDef {
    FieldDef { name, doc: "", cell, keys: &[], value: u64::TYPE }
}

/// Field 0 is a value, field 1 a counter, field 2 an immutable, field 3 a maximum, field 4 a
/// minimum, field 5 a log, field 6 a flag.
const FIELDS: &[FieldDef] = &[
    field("total", CellDef::Value),
    field("supply", CellDef::Counter),
    field("owner", CellDef::Immutable),
    field("best", CellDef::Maximum),
    field("least", CellDef::Minimum),
    field("trail", CellDef::Log),
    FieldDef { name: "closed", doc: "", cell: CellDef::Value, keys: &[], value: bool::TYPE },
];

const fn method(
    name: &'static str,
    kind: MethodKindDef,
    access: &'static [ClauseDef],
) -> MethodDef {
    MethodDef { name, doc: "", kind, params: &[], returns: <()>::TYPE, error: None, access }
}

const fn touch(kind: AccessKind, field: u8) -> ClauseDef {
    ClauseDef::Touch { kind, field, key: &[] }
}

const CALLS: ClauseDef = ClauseDef::Call { callee: ExprDef::Caller, method: "x", args: &[] };

fn custom(def: &ContractDef) -> String {
    let bytes = section::contract_to_vec(def);
    let text: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!("(@custom \"kempe.abi\" \"{text}\")")
}

/// A module with one method `go` and one `init`; `go` and what surrounds it is given.
fn wasm(kind: MethodKindDef, access: &'static [ClauseDef], body: &str) -> Vec<u8> {
    let methods = [method("init", MethodKindDef::Init, &[]), method("go", kind, access)];
    let methods = methods.to_vec().leak();
    let def = ContractDef { name: "C", doc: "", fields: FIELDS, methods, interfaces: &[] };
    wat::parse_str(format!("(module {body} {})", custom(&def))).unwrap()
}

const FRAME: &str = r#"(memory (export "memory") 1 1)
    (func (export "call.init") (param i32) (result i32) i32.const 0)"#;
const GO: &str = r#"(func (export "call.go") (param i32) (result i32) i32.const 0)"#;

/// A contract that does nothing.
pub(crate) fn smallest() -> Vec<u8> {
    wasm(MethodKindDef::Call, &[], &format!("{FRAME} {GO}"))
}

fn code(result: Result<Admitted, Refusal>) -> &'static str {
    result.map_or_else(|refusal| refusal.code(), |_| "admitted")
}

/// A module with everything that is needed, and `extra`.
fn with(extra: &str) -> &'static str {
    code(admit(&wasm(MethodKindDef::Call, &[], &format!("{FRAME} {GO} {extra}"))))
}

/// The same, where `go` has this body.
fn body(text: &str) -> &'static str {
    let go = format!(r#"(func (export "call.go") (param i32) (result i32) {text})"#);
    code(admit(&wasm(MethodKindDef::Call, &[], &format!("{FRAME} {go}"))))
}

/// `go`, of this kind and template, calls a helper that calls the host function `name`.
fn reach(
    kind: MethodKindDef,
    access: &'static [ClauseDef],
    name: &str,
) -> Result<Admitted, Refusal> {
    admit(&wasm(kind, access, &reaching(name, "call.go", "")))
}

fn reaching(name: &str, from: &str, extra: &str) -> String {
    let (params, result, args, drop) = match name.split(':').next().unwrap() {
        "get" | "start" => ("i32 i32 i32 i32", "(result i32)", 4, "drop"),
        "put" | "append" => ("i32 i32 i32 i32", "", 4, ""),
        "remove" => ("i32 i32", "", 2, ""),
        "add" | "max" | "min" => ("i32 i32 i64 i64", "", 2, ""),
        "emit" => ("i32 i32 i32", "", 3, ""),
        _ => ("i32 i32 i32 i32 i32", "(result i32)", 5, "drop"),
    };
    let wide = if params.contains("i64") { "i64.const 0 i64.const 0" } else { "" };
    let args = "i32.const 0 ".repeat(args);
    let other = if from == "call.go" { "call.init" } else { "call.go" };
    format!(
        r#"(import "kempe" "{name}" (func $host (param {params}) {result}))
        (memory (export "memory") 1 1)
        (func $helper {args} {wide} call $host {drop})
        (func (export "{from}") (param i32) (result i32) call $helper i32.const 0)
        (func (export "{other}") (param i32) (result i32) i32.const 0) {extra}"#
    )
}

#[test]
fn features_are_exactly_the_published_list() {
    let names: Vec<_> = FEATURES.iter_names().map(|(name, _)| name).collect();
    let list = ["MUTABLE_GLOBAL", "SIGN_EXTENSION", "CUSTOM_PAGE_SIZES"];
    assert_eq!(names, list);
}

#[test]
fn instructions() {
    for (text, expected) in [
        ("i32.const 0", "admitted"),
        ("i32.const 0 i32.extend8_s", "admitted"),
        ("i32.const 0 i32.const 0 i32.const 0 memory.fill i32.const 0", "operator"),
        ("f64.const 1 drop i32.const 0", "float"),
        ("i32.const 0 f32.convert_i32_s i32.trunc_f32_s", "float"),
        ("(local f32) i32.const 0", "float"),
        ("i32.const 0 memory.grow", "memory-grow"),
        ("local.get 0 return_call 0", "operator"),
        ("ref.null func drop i32.const 0", "operator"),
        ("i32.const 0 i32.atomic.load", "operator"),
        ("i32.const 0 i32.const 0 (block (param i32) drop)", "feature"),
        ("i64.const 0", "malformed"),
    ] {
        assert_eq!(body(text), expected, "{text}");
    }
}

#[test]
fn state_that_a_reset_would_miss() {
    for (extra, expected) in [
        (r#"(global (export "sp") (mut i32) (i32.const 0))"#, "admitted"),
        ("(global i32 (i32.const 0))", "admitted"),
        ("(global (mut i32) (i32.const 0))", "global-not-exported"),
        ("(global (mut f32) (f32.const 0))", "float"),
        (r#"(func $s) (start $s)"#, "start"),
        ("(table 1 1 funcref)", "admitted"),
        ("(table 1 2 funcref)", "table-grows"),
        ("(table 1 funcref)", "table-grows"),
        ("(table 5000 5000 funcref)", "table-entries"),
        ("(table 1 1 funcref) (elem (i32.const 0) 0)", "admitted"),
        ("(table 1 1 funcref) (elem (i32.const 1) 0)", "segment-bounds"),
        (r#"(data (i32.const 65535) "a")"#, "admitted"),
        (r#"(data (i32.const 65535) "ab")"#, "segment-bounds"),
        (r#"(data (i32.const -1) "a")"#, "segment-bounds"),
        (r#"(table (export "t") 1 1 funcref)"#, "export-unknown"),
        (r#"(func $f) (export "__alloc" (func $f))"#, "export-unknown"),
        (r#"(func $f) (export "call.other" (func $f))"#, "export-unknown"),
        (r#"(global (export "a\1b[2J") i32 (i32.const 0))"#, "export-name"),
        ("(type (func (param f32)))", "float"),
        ("(type (func (result i32 i32)))", "feature"),
    ] {
        assert_eq!(with(extra), expected, "{extra}");
    }
    // Passive segments cannot be written without a proposal that is not admitted.
    assert_ne!(with(r#"(data "a")"#), "admitted");
    assert_ne!(with("(elem declare func 0)"), "admitted");
}

#[test]
fn memories() {
    for (memory, expected) in [
        (r#"(memory (export "memory") 16 16)"#, "admitted"),
        (r#"(memory (export "memory") 17 17)"#, "memory-bytes"),
        (r#"(memory (export "memory") 65536 65536)"#, "memory-bytes"),
        (r#"(memory (export "memory") 1 2)"#, "memory-grows"),
        (r#"(memory (export "memory") 1)"#, "memory-grows"),
        (r#"(memory (export "memory") 0 0)"#, "memory-empty"),
        (r#"(memory (export "memory") 9000 9000 (pagesize 1))"#, "admitted"),
        (r#"(memory (export "memory") 9000 9001 (pagesize 1))"#, "memory-grows"),
        (r#"(memory (export "mem") 1 1)"#, "export-unknown"),
        ("(memory 1 1)", "memory-not-exported"),
        ("", "memory-missing"),
        (r#"(memory (export "memory") i64 1 1)"#, "feature"),
    ] {
        let init = r#"(func (export "call.init") (param i32) (result i32) i32.const 0)"#;
        let module = wasm(MethodKindDef::Call, &[], &format!("{memory} {init} {GO}"));
        assert_eq!(code(admit(&module)), expected, "{memory}");
    }
}

#[test]
fn imports_have_the_names_and_types_of_the_host() {
    for (import, expected) in [
        (r#"(import "kempe" "caller" (func (param i32)))"#, "admitted"),
        (r#"(import "kempe" "caller" (func (param i64)))"#, "import-type"),
        (r#"(import "kempe" "time" (func))"#, "import-unknown"),
        (r#"(import "env" "caller" (func (param i32)))"#, "import-module"),
        (r#"(import "kempe" "sp" (global i32))"#, "import-kind"),
        (r#"(import "kempe" "get:2" (func (param i32 i32 i32 i32) (result i32)))"#, "admitted"),
        (
            r#"(import "kempe" "get:02" (func (param i32 i32 i32 i32) (result i32)))"#,
            "import-field",
        ),
        (
            r#"(import "kempe" "get:+2" (func (param i32 i32 i32 i32) (result i32)))"#,
            "import-unknown",
        ),
        (r#"(import "kempe" "get:7" (func (param i32 i32 i32 i32) (result i32)))"#, "import-field"),
        (
            r#"(import "kempe" "get:258" (func (param i32 i32 i32 i32) (result i32)))"#,
            "import-field",
        ),
        (r#"(import "kempe" "add:1" (func (param i32 i32 i64 i64)))"#, "admitted"),
        (r#"(import "kempe" "add:0" (func (param i32 i32 i64 i64)))"#, "import-cell"),
        (r#"(import "kempe" "max:3" (func (param i32 i32 i64 i64)))"#, "admitted"),
        (r#"(import "kempe" "max:1" (func (param i32 i32 i64 i64)))"#, "import-cell"),
        (r#"(import "kempe" "max:4" (func (param i32 i32 i64 i64)))"#, "import-cell"),
        (r#"(import "kempe" "min:4" (func (param i32 i32 i64 i64)))"#, "admitted"),
        (r#"(import "kempe" "min:3" (func (param i32 i32 i64 i64)))"#, "import-cell"),
        (r#"(import "kempe" "add:3" (func (param i32 i32 i64 i64)))"#, "import-cell"),
        (r#"(import "kempe" "remove:2" (func (param i32 i32)))"#, "import-cell"),
        (r#"(import "kempe" "append:5" (func (param i32 i32 i32 i32)))"#, "admitted"),
        (r#"(import "kempe" "append:0" (func (param i32 i32 i32 i32)))"#, "import-cell"),
        (r#"(import "kempe" "put:5" (func (param i32 i32 i32 i32)))"#, "import-cell"),
        (r#"(import "kempe" "remove:5" (func (param i32 i32)))"#, "import-cell"),
        (r#"(import "kempe" "add:5" (func (param i32 i32 i64 i64)))"#, "import-cell"),
        (r#"(import "kempe" "get:5" (func (param i32 i32 i32 i32) (result i32)))"#, "admitted"),
        (
            r#"(import "kempe" "input" (func (param i32))) (import "kempe" "input" (func (param i32)))"#,
            "admitted",
        ),
    ] {
        let module = wasm(MethodKindDef::Call, &[], &format!("{import} {FRAME} {GO}"));
        assert_eq!(code(admit(&module)), expected, "{import}");
    }
}

#[test]
fn names_in_messages_are_escaped_and_cut() {
    let name = "\\u{1b}[31m".to_owned() + &"x".repeat(9000);
    let import = format!(r#"(import "kempe" "{name}" (func))"#);
    let module = wasm(MethodKindDef::Call, &[], &format!("{import} {FRAME} {GO}"));
    let text = admit(&module).unwrap_err().to_string();
    assert!(text.contains("\\u{1b}[31mxxx") && text.len() < 300, "{text}");
}

#[test]
fn methods_are_exported_with_their_type() {
    let typed = |ty| {
        let go = format!(r#"(func (export "call.go") {ty} unreachable)"#);
        code(admit(&wasm(MethodKindDef::Call, &[], &format!("{FRAME} {go}"))))
    };
    assert_eq!(typed("(param i32) (result i32)"), "admitted");
    assert_eq!(typed("(param i32)"), "export-type");
    assert_eq!(typed("(param i64) (result i32)"), "export-type");
    assert_eq!(code(admit(&wasm(MethodKindDef::Call, &[], FRAME))), "export-missing");
}

#[test]
fn abi_section() {
    let named = |name, kind: MethodKindDef, doc| {
        let methods = [method(name, kind, &[])];
        let methods = methods.to_vec().leak();
        let def = ContractDef { name: "C", doc, fields: &[], methods, interfaces: &[] };
        let export =
            format!(r#"(func (export "call.{name}") (param i32) (result i32) unreachable)"#);
        let text = format!(r#"(module (memory (export "memory") 1 1) {export} {})"#, custom(&def));
        code(admit(&wat::parse_str(text).unwrap()))
    };
    assert_eq!(named("go", MethodKindDef::Call, "Fine,\nin two lines."), "admitted");
    assert_eq!(named("go", MethodKindDef::Call, "\u{1b}[2J"), "abi-doc");
    assert_eq!(named("go", MethodKindDef::Call, "x".repeat(8193).leak()), "doc-bytes");
    assert_eq!(named("g o", MethodKindDef::Call, ""), "abi-name");
    assert_eq!(named("init", MethodKindDef::Init, ""), "admitted");
    assert_eq!(named("init", MethodKindDef::Call, ""), "abi-init");
    assert_eq!(named("go", MethodKindDef::Init, ""), "abi-init");
    let bare = |custom: &str| {
        let text = format!(r#"(module (memory (export "memory") 1 1) {custom})"#);
        code(admit(&wat::parse_str(text).unwrap()))
    };
    assert_eq!(bare(""), "abi-missing");
    assert_eq!(bare(r#"(@custom "kempe.abi" "\00")"#), "abi");
    assert_eq!(bare(r#"(@custom "kempe.abi" "") (@custom "kempe.abi" "")"#), "abi-repeated");
    assert_eq!(bare(&format!(r#"(@custom "x" "{}")"#, "x".repeat(70_000))), "custom-bytes");
}

#[test]
fn templates_cover_what_the_code_reaches() {
    use AccessKind::{Add, Read, Write};
    use MethodKindDef::{Call, View};
    const READ: &[ClauseDef] = &[touch(Read, 0), touch(Read, 1)];
    const WRITE: &[ClauseDef] = &[touch(Write, 0), touch(Write, 1)];
    const ADD: &[ClauseDef] = &[touch(Add, 1)];
    const MAX: &[ClauseDef] = &[touch(Add, 3)];
    const APPEND: &[ClauseDef] = &[touch(Add, 5)];
    const OTHER: &[ClauseDef] = &[touch(Write, 1)];
    const EACH: &[ClauseDef] = &[ClauseDef::Each { list: ExprDef::Caller, clauses: WRITE }];
    const DYNAMIC: &[ClauseDef] = &[ClauseDef::Dynamic];
    const START: &[ClauseDef] = &[ClauseDef::Start { field: 0, key: &[] }];
    for (kind, access, name, expected) in [
        (Call, READ, "get:0", "admitted"),
        (Call, WRITE, "get:0", "admitted"),
        (Call, EACH, "get:0", "admitted"),
        (Call, DYNAMIC, "get:0", "admitted"),
        (Call, &[], "get:0", "undeclared"),
        (Call, OTHER, "get:0", "undeclared"),
        (Call, ADD, "get:1", "undeclared"),
        (Call, READ, "get:1", "admitted"),
        (Call, &[], "get:2", "admitted"),
        (Call, WRITE, "put:0", "admitted"),
        (Call, EACH, "put:0", "admitted"),
        (Call, READ, "put:0", "undeclared"),
        (Call, DYNAMIC, "remove:0", "admitted"),
        (Call, READ, "remove:0", "undeclared"),
        (Call, ADD, "put:1", "undeclared"),
        (Call, ADD, "add:1", "admitted"),
        (Call, WRITE, "add:1", "admitted"),
        (Call, READ, "add:1", "undeclared"),
        (Call, MAX, "max:3", "admitted"),
        (Call, MAX, "get:3", "undeclared"),
        (Call, MAX, "min:4", "undeclared"),
        (Call, ADD, "max:3", "undeclared"),
        (View, MAX, "max:3", "view-writes"),
        (Call, APPEND, "append:5", "admitted"),
        (Call, APPEND, "get:5", "undeclared"),
        (Call, APPEND, "start:5", "undeclared"),
        (Call, START, "append:5", "undeclared"),
        (View, APPEND, "append:5", "view-writes"),
        (Call, DYNAMIC, "put:2", "immutable-write"),
        (View, READ, "get:0", "admitted"),
        (View, WRITE, "put:0", "view-writes"),
        (View, DYNAMIC, "remove:0", "view-writes"),
        (View, ADD, "add:1", "view-writes"),
        (View, &[], "emit", "view-writes"),
        (Call, START, "start:0", "admitted"),
        (View, START, "start:0", "admitted"),
        (Call, DYNAMIC, "start:0", "admitted"),
        (Call, WRITE, "start:0", "undeclared"),
        (Call, START, "start:1", "undeclared"),
        (Call, START, "get:0", "undeclared"),
        (Call, START, "start:2", "import-cell"),
        (Call, &[], "emit", "admitted"),
        (Call, &[CALLS], "call", "admitted"),
        (Call, DYNAMIC, "call", "admitted"),
        (Call, WRITE, "call", "undeclared-call"),
    ] {
        assert_eq!(code(reach(kind, access, name)), expected, "{access:?} {name}");
    }
}

#[test]
fn init_may_set_every_field_but_declares_its_calls() {
    let init =
        |name| code(admit(&wasm(MethodKindDef::Call, &[], &reaching(name, "call.init", ""))));
    assert_eq!(init("put:2"), "admitted");
    assert_eq!(init("put:0"), "admitted");
    assert_eq!(init("add:1"), "admitted");
    assert_eq!(init("call"), "undeclared-call");
}

#[test]
fn templates_that_no_call_can_fill() {
    let template = |access| code(reach(MethodKindDef::Call, access, "emit"));
    const PARAM: &[ClauseDef] =
        &[ClauseDef::Call { callee: ExprDef::Param(0), method: "x", args: &[] }];
    const ELEMENT: &[ClauseDef] =
        &[ClauseDef::Call { callee: ExprDef::Element, method: "x", args: &[] }];
    const VALUE: &[ClauseDef] =
        &[ClauseDef::Call { callee: ExprDef::Immutable(0), method: "x", args: &[] }];
    const OWNER: &[ClauseDef] =
        &[ClauseDef::Call { callee: ExprDef::Immutable(2), method: "x", args: &[] }];
    // Whoever derives a list looks for them each time.
    let called = |n: usize| {
        let method: &'static str = "x".repeat(n).leak();
        let calls = [ClauseDef::Call { callee: ExprDef::Caller, method, args: &[] }];
        template(Vec::from(calls).leak())
    };
    let member = |n: usize| {
        let callee = ExprDef::Member(&ExprDef::Caller, "0".repeat(n).leak());
        template(Vec::from([ClauseDef::Call { callee, method: "x", args: &[] }]).leak())
    };
    assert_eq!([called(128), called(129)], ["admitted", "template"]);
    assert_eq!([member(128), member(129)], ["admitted", "template"]);
    const ADDS: &[ClauseDef] = &[touch(AccessKind::Add, 0)];
    assert_eq!(template(OWNER), "admitted");
    for access in [PARAM, ELEMENT, VALUE, ADDS] {
        assert_eq!(template(access), "template", "{access:?}");
    }
}

#[test]
fn a_guard_is_a_flag_and_its_key_is_known_when_it_is_called() {
    const fn unless(field: u8, key: &'static [ExprDef]) -> ClauseDef {
        ClauseDef::Unless { field, key }
    }
    let go = |access, name| {
        let admitted = reach(MethodKindDef::Call, access, name);
        let is_guarded =
            admitted.as_ref().is_ok_and(|admitted| !admitted.methods[1].guards.is_empty());
        (code(admitted), is_guarded)
    };
    const CLOSED: &[ClauseDef] = &[unless(6, &[])];
    const EACH: &[ClauseDef] = &[ClauseDef::Each { list: ExprDef::Caller, clauses: CLOSED }];
    assert_eq!(go(CLOSED, "emit"), ("admitted", true));
    assert_eq!(go(EACH, "emit"), ("admitted", true));
    assert_eq!(go(&[], "emit"), ("admitted", false));
    // It permits nothing.
    for name in ["get:6", "put:6", "start:6"] {
        assert_eq!(go(CLOSED, name), ("undeclared", false), "{name}");
    }
    for access in [
        // A number, a counter, an immutable, no field, a key too many.
        const { &[unless(0, &[])] as &[ClauseDef] },
        const { &[unless(1, &[])] },
        const { &[unless(2, &[])] },
        const { &[unless(9, &[])] },
        const { &[unless(6, &[ExprDef::Caller])] },
    ] {
        assert_eq!(go(access, "emit"), ("abi", false), "{access:?}");
    }
    const FLAGS: &[FieldDef] = &[FieldDef { keys: &[Address::TYPE], ..FIELDS[6] }];
    for key in [
        const { &[ExprDef::Open] as &[ExprDef] },
        const { &[ExprDef::Hash(&[ExprDef::Tuple(&[ExprDef::Caller, ExprDef::Open])])] },
        const { &[ExprDef::Param(0)] },
        const { &[ExprDef::Element] },
    ] {
        let access: &'static [ClauseDef] = vec![unless(0, key)].leak();
        let methods = vec![method("go", MethodKindDef::Call, access)].leak();
        let def = ContractDef { name: "C", doc: "", fields: FLAGS, methods, interfaces: &[] };
        let text = format!(r#"(module (memory (export "memory") 1 1) {GO} {})"#, custom(&def));
        assert_eq!(code(admit(&wat::parse_str(text).unwrap())), "template", "{key:?}");
    }
    // Nobody can call what sets a contract up, so nobody is kept from it.
    let methods = vec![method("init", MethodKindDef::Init, CLOSED)].leak();
    let def = ContractDef { name: "C", doc: "", fields: FIELDS, methods, interfaces: &[] };
    let text = format!("(module {FRAME} {})", custom(&def));
    assert_eq!(code(admit(&wat::parse_str(text).unwrap())), "template");
}

/// `go` calls through the table a function of `called`; the table holds one of `held` that puts.
fn indirect(called: &str, held: &str) -> &'static str {
    let text = format!(
        r#"(import "kempe" "put:0" (func $put (param i32 i32 i32 i32)))
        (type $called (func {called})) (table 1 1 funcref) (elem (i32.const 0) $deep)
        {FRAME}
        (func $deep {held} (call $put (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
        (func $middle (call_indirect (type $called) (i32.const 0)) (call $middle))
        (func (export "call.go") (param i32) (result i32) call $middle i32.const 0)"#
    );
    code(admit(&wasm(MethodKindDef::Call, &[], &text)))
}

#[test]
fn calls_through_the_table_reach_what_the_table_holds() {
    assert_eq!(indirect("", ""), "undeclared");
    // The instruction traps on a function of another type.
    assert_eq!(indirect("", "(param i64)"), "admitted");
}

#[test]
fn the_way_is_told() {
    let refusal = reach(MethodKindDef::Call, &[], "put:0").unwrap_err();
    let text = refusal.to_string();
    assert!(text.contains("-> helper -> put:0"), "{text}");
    assert!(text.contains("add `write(total)` to its #[access(...)]"), "{text}");
}

#[test]
fn what_is_admitted_is_described() {
    const ACCESS: &[ClauseDef] = &[touch(AccessKind::Write, 0), touch(AccessKind::Add, 1)];
    let extra = r#"(global (export "sp") (mut i32) (i32.const 0))"#;
    let module = wasm(MethodKindDef::Call, ACCESS, &reaching("put:0", "call.go", extra));
    let admitted = admit(&module).unwrap();
    assert_eq!(admitted.memory_bytes, 65536);
    assert_eq!(admitted.stack_globals, ["sp"]);
    let reach = FieldReach { field: 0, writes: true, ..FieldReach::default() };
    assert_eq!(admitted.methods[1].reach, [reach]);
    assert_eq!(admitted.methods[0].reach, []);
    assert_eq!(admitted.sizes.functions, 3);
    let lines = [
        "method  field   declared  reached",
        "init            -         -",
        "go      total   write     write",
        "        supply  add       -",
        "",
    ];
    assert_eq!(admitted.access_table().to_string(), lines.join("\n"));
}

/// Blocks inside each other that each assign a local, all entered from one branch table.
fn joins(n: usize) -> String {
    const N_LOCALS: usize = 126;
    let set = |i| format!("end local.get 0 i32.load local.set {} ", 1 + i % N_LOCALS);
    let sets: String = (0..n).map(set).collect();
    let targets: String = (0..n).map(|i| format!("{i} ")).collect();
    let locals = "i32 ".repeat(N_LOCALS);
    format!(
        "(local {locals}) {} local.get 0 br_table {targets} {sets} local.get 1",
        "block ".repeat(n)
    )
}

#[test]
fn compile_bombs_of_few_bytes() {
    // A few KB that take long to compile, and the largest that is admitted.
    assert_eq!(body(&joins(500)), "join-values");
    assert_eq!(body(&joins(200)), "admitted");
    // Each alone is admitted; together they would take too long.
    let bombs =
        |n: usize| with(&format!("(func (param i32) (result i32) {})", joins(200)).repeat(n));
    assert_eq!((bombs(5), bombs(20)), ("admitted", "effort"));
    let divisions = "local.get 0 local.get 0 i32.div_s local.set 0 ".repeat(9000);
    let many = |n: usize| with(&format!("(func (param i32) {divisions})").repeat(n));
    assert_eq!((many(4), many(5)), ("admitted", "effort"));
}

#[test]
fn claimed_counts_are_refused() {
    // A section of each kind that claims 2^32 - 1 entries, or a body that claims as many locals.
    for id in 1..=12 {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        module.extend([id, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert!(admit(&module).is_err());
    }
    let locals = body("(local i32) local.get 0");
    assert_eq!(locals, "admitted");
    let mut module = wasm(MethodKindDef::Call, &[], &format!("{FRAME} {GO} (func (local i64))"));
    // The last body is: 4 bytes long, one group, one local, i64, end.
    let at = module.windows(5).position(|w| w == [4, 1, 1, 0x7e, 0x0b]).unwrap();
    module.splice(at..at + 5, [8, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7e, 0x0b]);
    let section = module.windows(2).rposition(|w| w[0] == 10 && usize::from(w[1]) < 40).unwrap();
    module[section + 1] += 4;
    assert_eq!(code(admit(&module)), "locals");
}

#[test]
fn deep_call_chains_are_walked_without_recursion() {
    let chain: String = (0..4990).map(|i| format!("(func $f{i} call $f{})", i + 1)).collect();
    let extra = format!("{chain} (func $f4990 call $f0 call $helper)");
    let module = reaching("put:0", "call.go", &extra).replace(
        "(func (export \"call.go\") (param i32) (result i32) call $helper",
        "(func (export \"call.go\") (param i32) (result i32) call $f0",
    );
    let refusal = admit(&wasm(MethodKindDef::Call, &[], &module)).unwrap_err();
    assert_eq!(refusal.code(), "undeclared");
    assert!(refusal.to_string().len() < 1500);
}

#[test]
fn codes_are_distinct_and_limits_are_positive() {
    let mut names: Vec<_> = limits::ALL.iter().map(|limit| limit.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), limits::ALL.len());
    assert!(limits::ALL.iter().all(|limit| limit.max > 0 && !limit.help.is_empty()));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        module.extend(bytes);
        prop_assert!(admit(&module).is_err());
    }

    #[test]
    fn mutated_modules_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        truncate in any::<bool>(),
    ) {
        const ACCESS: &[ClauseDef] = &[touch(AccessKind::Write, 0), CALLS];
        let extra = r#"(table 2 2 funcref) (elem (i32.const 0) 0 1) (data (i32.const 8) "abc")
            (global (export "sp") (mut i32) (i32.const 0))
            (func (param i32) (local i64) block loop local.get 0 br_table 0 1 2 end end)"#;
        let mut module = wasm(MethodKindDef::Call, ACCESS, &reaching("put:0", "call.go", extra));
        for (index, byte) in edits {
            let at = index.index(module.len());
            module[at] = byte;
        }
        if truncate {
            module.truncate(cut.index(module.len()));
        }
        if let Err(refusal) = admit(&module) {
            let text = refusal.to_string();
            prop_assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
}
