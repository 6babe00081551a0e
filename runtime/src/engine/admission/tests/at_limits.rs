//! Every limit, met and exceeded by one.

use super::*;
use crate::engine::admission::limits::{self as all, Limit};

/// Checks that as much as a limit permits is not refused for it, and one more is. What surrounds it has `beside`
/// already.
#[track_caller]
fn exact(limit: Limit, beside: u64, of: impl Fn(usize) -> &'static str) -> &'static str {
    ends(limit, beside, "admitted", of)
}

/// The same where another rule refuses as much as the limit permits.
#[track_caller]
fn ends(
    limit: Limit,
    beside: u64,
    within: &str,
    of: impl Fn(usize) -> &'static str,
) -> &'static str {
    let most = usize::try_from(limit.max - beside).unwrap();
    assert_eq!((of(most), of(most + 1)), (within, limit.name), "{}", limit.name);
    limit.name
}

/// A module in which `text` stands before everything else.
fn led_by(text: &str) -> &'static str {
    code(admit(&wasm(MethodKindDef::Call, &[], &format!("{text} {FRAME} {GO}"))))
}

/// A module of which only the section of the ABI is given, as it stands in a text.
fn described(custom: &str) -> &'static str {
    code(admit(&wat::parse_str(format!("(module {FRAME} {GO} {custom})")).unwrap()))
}

/// A contract with so many methods beside `init`, of names of so many bytes, and such a documentation.
fn methods(n: usize, name_bytes: usize, doc_bytes: usize) -> &'static str {
    let digits = name_bytes - 1;
    let name = |at: usize| -> &'static str { format!("m{at:0>digits$}").leak() };
    let names: Vec<_> = (0..n).map(name).collect();
    let methods: Vec<_> = names.iter().map(|name| method(name, MethodKindDef::Call, &[])).collect();
    let doc = "x".repeat(doc_bytes).leak();
    let def = ContractDef { name: "C", doc, fields: &[], methods: methods.leak(), interfaces: &[] };
    let exports: String =
        names.iter().map(|name| format!(r#"(export "call.{name}" (func 0))"#)).collect();
    let text = format!(
        r#"(module (memory (export "memory") 1 1)
            (func (param i32) (result i32) i32.const 0) {exports} {})"#,
        custom(&def)
    );
    code(admit(&wat::parse_str(text).unwrap()))
}

/// `go` with this body, beside a function table.
fn through_table(text: &str) -> &'static str {
    let go = format!(
        r#"(func (export "call.go") (param i32) (result i32) {text} local.get 0) (table 1 1 funcref)"#
    );
    code(admit(&wasm(MethodKindDef::Call, &[], &format!("{FRAME} {go}"))))
}

fn of_bodies() -> Vec<&'static str> {
    let many = |text: &str, n: usize| body(&format!("{} local.get 0", text.repeat(n)));
    let nested = |text: &str, n: usize| {
        body(&format!("{} {} local.get 0", text.repeat(n), "end ".repeat(n)))
    };
    let arm = "local.get 0 if ";
    let indirect = "local.get 0 call_indirect (param) ";
    vec![
        exact(all::NESTING, 0, |n| nested("block ", n)),
        exact(all::NESTING, 0, |n| nested(arm, n)),
        exact(all::NESTING, 20, |n| {
            let loops = "loop ".repeat(20);
            body(&format!("{loops} {} {} local.get 0", arm.repeat(n), "end ".repeat(n + 20)))
        }),
        exact(all::LOOP_DEPTH, 0, |n| nested("loop ", n)),
        // Loops that are closed do not count, nor do blocks between them.
        exact(all::LOOP_DEPTH, 1, |n| {
            let ends = "end end ".repeat(n);
            body(&format!("{} {ends} local.get 0", "loop loop end block ".repeat(n)))
        }),
        exact(all::BLOCKS, 0, |n| many("block end ", n)),
        exact(all::BLOCKS, 0, |n| many("local.get 0 if else end ", n)),
        exact(all::BLOCKS, 400, |n| {
            body(&format!("{} {} local.get 0", "loop end ".repeat(400), "block end ".repeat(n)))
        }),
        exact(all::LOOPS, 0, |n| many("loop end ", n)),
        exact(all::LOOPS, 0, |n| through_table(&indirect.repeat(n))),
        exact(all::LOOPS, 0, |n| {
            let rest = "loop end ".repeat(n - n / 2);
            through_table(&format!("{} {rest}", indirect.repeat(n / 2)))
        }),
        exact(all::LOCALS, 1, |n| many(&format!("(local {})", "i32 ".repeat(n)), 1)),
        exact(all::OPERANDS, 0, |n| {
            body(&format!("{} {}", "local.get 0 ".repeat(n), "i32.add ".repeat(n - 1)))
        }),
        exact(all::BRANCH_TARGETS, 0, |n| {
            body(&format!("local.get 0 local.get 0 br_table {}", "0 ".repeat(n + 1)))
        }),
        // The targets of two tables count together, without the default of either.
        exact(all::BRANCH_TARGETS, 0, |n| {
            let table = |n: usize| {
                format!("block local.get 0 local.get 0 br_table 1 {} end ", "1 ".repeat(n))
            };
            body(&format!("{}{} unreachable", table(n / 2), table(n - n / 2)))
        }),
        // No locals, `local.get 0` and `end`.
        exact(all::BODY_BYTES, 4, |n| many("nop ", n)),
    ]
}

fn of_sections() -> Vec<&'static str> {
    let table = "(table 4096 4096 funcref)";
    vec![
        ends(all::MODULE_BYTES, 0, "malformed", |n| code(admit(&vec![0; n]))),
        exact(all::TYPES, 1, |n| with(&"(type (func))".repeat(n))),
        exact(all::PARAMS, 0, |n| with(&format!("(func (param {}))", "i32 ".repeat(n)))),
        exact(all::IMPORTS, 0, |n| {
            led_by(&r#"(import "kempe" "caller" (func (param i32)))"#.repeat(n))
        }),
        exact(all::FUNCTIONS, 2, |n| with(&"(func) ".repeat(n))),
        exact(all::TABLE_ENTRIES, 0, |n| with(&format!("(table {n} {n} funcref)"))),
        exact(all::GLOBALS, 0, |n| with(&"(global i32 (i32.const 0))".repeat(n))),
        // More than there are names for methods, globals and the memory.
        ends(all::EXPORTS, 3, "export-unknown", |n| {
            let exports: String =
                (0..n).map(|at| format!(r#"(export "x{at}" (func 0))"#)).collect();
            with(&exports)
        }),
        exact(all::NAME_BYTES, 0, |n| {
            let name = "g".repeat(n);
            with(&format!(r#"(global (export "{name}") (mut i32) (i32.const 0))"#))
        }),
        exact(all::ELEMENT_SEGMENTS, 0, |n| {
            with(&format!("{table} {}", "(elem (i32.const 0) 0)".repeat(n)))
        }),
        exact(all::ELEMENTS, 0, |n| {
            let half = "0 ".repeat(n / 2);
            let rest = "0 ".repeat(n - n / 2);
            with(&format!("{table} (elem (i32.const 0) {half}) (elem (i32.const 0) {rest})"))
        }),
        exact(all::DATA_SEGMENTS, 0, |n| with(&r#"(data (i32.const 0) "")"#.repeat(n))),
        exact(all::CUSTOM_SECTIONS, 1, |n| with(&r#"(@custom "x" "")"#.repeat(n))),
        exact(all::CUSTOM_BYTES, 2, |n| {
            let bytes = "x".repeat(n / 2);
            let rest = "x".repeat(n - n / 2);
            with(&format!(r#"(@custom "x" "{bytes}") (@custom "y" "{rest}")"#))
        }),
        exact(all::MEMORY_BYTES, 0, |n| {
            let memory = format!(r#"(memory (export "memory") {n} {n} (pagesize 1))"#);
            let init = r#"(func (export "call.init") (param i32) (result i32) i32.const 0)"#;
            code(admit(&wasm(MethodKindDef::Call, &[], &format!("{memory} {init} {GO}"))))
        }),
    ]
}

fn of_the_abi() -> Vec<&'static str> {
    vec![
        ends(all::ABI_BYTES, 0, "abi", |n| {
            described(&format!(r#"(@custom "kempe.abi" "{}")"#, "\\00".repeat(n)))
        }),
        exact(all::METHODS, 0, |n| methods(n, 4, 0)),
        exact(all::DOC_BYTES, 0, |n| methods(1, 2, n)),
    ]
}

#[test]
fn limits_hold_exactly() {
    let mut met = [of_bodies(), of_sections(), of_the_abi()].concat();
    // What two limits measure is estimated: see `compile_bombs_of_few_bytes`.
    met.extend([all::JOIN_VALUES.name, all::EFFORT.name]);
    met.sort_unstable();
    met.dedup();
    let mut names: Vec<_> = all::ALL.iter().map(|limit| limit.name).collect();
    names.sort_unstable();
    assert_eq!(met, names);
    // The export of a method has a prefix.
    assert_eq!((methods(1, 123, 0), methods(1, 124, 0)), ("admitted", "name-bytes"));
}
