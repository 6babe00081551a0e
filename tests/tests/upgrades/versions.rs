//! A contract in versions, as text: each stores something else, so that a result says which code ran.

use kempe_abi::def::{
    CellDef, ClauseDef, ContractDef, ExprDef, FieldDef, MethodDef, MethodKindDef,
};
use kempe_abi::upgrade::UpgradeTerms;
use kempe_abi::{AbiType, AccessKind, Address, MethodId, TypeDef, section};

/// `cells[u8]: u64` and the immutable `birth: u64`.
pub(crate) const FIELDS: &[FieldDef] = &[
    FieldDef { name: "cells", doc: "", cell: CellDef::Value, keys: &[u8::TYPE], value: u64::TYPE },
    FieldDef { name: "birth", doc: "", cell: CellDef::Immutable, keys: &[], value: u64::TYPE },
];

/// Writes `cells[slot]`, the first parameter.
const WRITES_SLOT: &[ClauseDef] =
    &[ClauseDef::Touch { kind: AccessKind::Write, field: 0, key: &[ExprDef::Param(0)] }];

/// Writes `cells[slot]` and `cells[9]`.
const WRITES_MORE: &[ClauseDef] = &[
    ClauseDef::Touch { kind: AccessKind::Write, field: 0, key: &[ExprDef::Param(0)] },
    ClauseDef::Touch { kind: AccessKind::Write, field: 0, key: &[ExprDef::Literal(&[9])] },
];

const READS_SLOT: &[ClauseDef] =
    &[ClauseDef::Touch { kind: AccessKind::Read, field: 0, key: &[ExprDef::Param(0)] }];

const PUT_PARAMS: &[(&str, &TypeDef)] = &[("slot", u8::TYPE), ("value", u64::TYPE)];

const IMPORTS: &str = r#"
    (import "kempe" "input" (func $input (param i32)))
    (import "kempe" "output" (func $output (param i32 i32)))
    (import "kempe" "caller" (func $caller (param i32)))
    (import "kempe" "put:0" (func $put (param i32 i32 i32 i32)))
    (import "kempe" "get:0" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "kempe" "call" (func $call (param i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1 1)
    (data (i32.const 512) "\09")"#;

/// A method and its body, which begins with the arguments at 0.
pub(crate) struct Written {
    pub(crate) def: MethodDef,
    pub(crate) body: String,
}

pub(crate) fn method(
    name: &'static str,
    kind: MethodKindDef,
    params: &'static [(&'static str, &'static TypeDef)],
    access: &'static [ClauseDef],
    body: &str,
) -> Written {
    let def = MethodDef { name, doc: "", kind, params, returns: <()>::TYPE, error: None, access };
    let body = format!(
        r#"(func (export "call.{name}") (param i32) (result i32) (call $input (i32.const 0)) {body})"#
    );
    Written { def, body }
}

/// `put(slot, value)` stores the value and what the version adds to it.
pub(crate) fn put(adds: u64) -> Written {
    method("put", MethodKindDef::Call, PUT_PARAMS, WRITES_SLOT, &put_body(adds, ""))
}

/// The same, and `cells[9]`, too: wider.
pub(crate) fn wide_put(adds: u64) -> Written {
    let more = "(call $put (i32.const 512) (i32.const 1) (i32.const 1) (i32.const 8))";
    method("put", MethodKindDef::Call, PUT_PARAMS, WRITES_MORE, &put_body(adds, more))
}

fn put_body(adds: u64, more: &str) -> String {
    format!(
        "(i64.store offset=1 align=1 (i32.const 0)
            (i64.add (i64.load offset=1 align=1 (i32.const 0)) (i64.const {adds})))
         (call $put (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 8)) {more} i32.const 0"
    )
}

/// `get(slot)` returns what is in the cell.
pub(crate) fn get() -> Written {
    let mut written = method(
        "get",
        MethodKindDef::View,
        &[("slot", u8::TYPE)],
        READS_SLOT,
        "(drop (call $get (i32.const 0) (i32.const 1) (i32.const 16) (i32.const 8)))
         (call $output (i32.const 16) (i32.const 8)) i32.const 0",
    );
    written.def.returns = u64::TYPE;
    written
}

/// `migrate(slot)` declares `cells[slot]`, and stores its caller's first bytes there, or in another cell.
pub(crate) fn migrate(in_its_cell: bool, end: &str) -> Written {
    let key = if in_its_cell { 0 } else { 512 };
    let body = format!(
        "(call $caller (i32.const 32))
         (call $put (i32.const {key}) (i32.const 1) (i32.const 32) (i32.const 8)) {end}"
    );
    method("migrate", MethodKindDef::Migrate, &[("slot", u8::TYPE)], WRITES_SLOT, &body)
}

/// `relay(to, slot, value)` calls `to.put(slot, value)`.
pub(crate) fn relay() -> Written {
    const CALLS: &[ClauseDef] = &[ClauseDef::Call {
        callee: ExprDef::Param(0),
        method: "put",
        args: &[ExprDef::Param(1), ExprDef::Param(2)],
    }];
    let put = MethodId::of("put").0.cast_signed();
    method(
        "relay",
        MethodKindDef::Call,
        &[("to", Address::TYPE), ("slot", u8::TYPE), ("value", u64::TYPE)],
        CALLS,
        &format!(
            "(call $call (i32.const 0) (i32.const {put}) (i32.const 32) (i32.const 9) (i32.const 0))"
        ),
    )
}

/// The parameter of `authorize_upgrade`.
pub(crate) const TERMS: &[(&str, &TypeDef)] = &[("terms", UpgradeTerms::TYPE)];

/// `authorize_upgrade` with this body.
pub(crate) fn authorize(body: &str) -> Written {
    method(kempe_abi::upgrade::AUTHORIZE, MethodKindDef::Call, TERMS, &[], body)
}

/// A module of these fields and methods.
pub(crate) fn module(fields: &'static [FieldDef], methods: Vec<Written>) -> Vec<u8> {
    module_with(fields, methods, "")
}

/// The same, with more imports.
pub(crate) fn module_with(
    fields: &'static [FieldDef],
    methods: Vec<Written>,
    imports: &str,
) -> Vec<u8> {
    let bodies: String = methods.iter().map(|written| &*written.body).collect();
    let defs: Vec<MethodDef> = methods.iter().map(|written| written.def).collect();
    let (methods, interfaces) = (&*defs.leak(), &[]);
    let def = ContractDef { name: "Versioned", doc: "", fields, methods, interfaces };
    let abi = section::contract_to_vec(&def);
    let abi: String = abi.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let text = format!("(module {imports} {IMPORTS} {bodies} (@custom \"kempe.abi\" \"{abi}\"))");
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// What is there at first, and what replaces it: each adds another number to what it stores.
pub(crate) fn version(adds: u64) -> Vec<u8> {
    module(FIELDS, vec![put(adds), get(), relay()])
}
