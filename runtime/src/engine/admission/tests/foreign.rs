//! What is not WebAssembly, and what is more of it than is admitted.

use super::*;

fn uleb(mut n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(n % 128).unwrap();
        n /= 128;
        bytes.push(if n == 0 { low } else { low | 128 });
        if n == 0 {
            return bytes;
        }
    }
}

fn section(id: u8, contents: &[u8]) -> Vec<u8> {
    [&[id][..], &uleb(contents.len()), contents].concat()
}

/// A module of these sections.
fn of(sections: &[&[u8]]) -> &'static str {
    code(admit(&[b"\0asm\x01\0\0\0", &sections.concat()[..]].concat()))
}

/// `() -> ()`.
const TYPES: &[u8] = &[1, 4, 1, 0x60, 0, 0];
/// One function of the first type.
const FUNCTIONS: &[u8] = &[3, 2, 1, 0];
/// Its body.
const CODE: &[u8] = &[10, 4, 1, 2, 0, 0x0b];

#[test]
fn malformed_bytes() {
    let valid = wasm(MethodKindDef::Call, &[], &format!("{FRAME} {GO}"));
    assert_eq!(code(admit(&valid)), "admitted");
    for (bytes, expected) in [
        (&b""[..], "malformed"),
        (b"\0asm", "malformed"),
        (b"\0asm\x02\0\0\0", "malformed"),
        (b"\0ASM\x01\0\0\0", "malformed"),
        (b"(module)", "malformed"),
        (b"\x7fELF\x02\x01\x01\0", "malformed"),
        (b"\0asm\x0d\0\x01\0", "component"),
    ] {
        assert_eq!(code(admit(bytes)), expected, "{bytes:?}");
    }
    // As far as it goes it is well-formed, and not a contract.
    assert_eq!(of(&[]), "memory-missing");
    assert_eq!(of(&[TYPES, FUNCTIONS, CODE]), "memory-missing");
    for (what, sections) in [
        ("a section that is not known", &[&[14, 0][..]][..]),
        ("a section behind its place", &[FUNCTIONS, TYPES, CODE]),
        ("a section twice", &[TYPES, TYPES, FUNCTIONS, CODE]),
        ("no bodies", &[TYPES, FUNCTIONS]),
        ("more bodies than functions", &[TYPES, CODE]),
        ("a section longer than the module", &[TYPES, FUNCTIONS, &[10, 5, 1, 2, 0, 0x0b]]),
        ("a section longer than what is in it", &[TYPES, &[3, 3, 1, 0, 0], CODE]),
        ("a section shorter than what is in it", &[TYPES, &[3, 1, 1, 0], CODE]),
        ("a function without a type", &[TYPES, &[3, 2, 1, 7], CODE]),
        ("a body without an end", &[TYPES, FUNCTIONS, &[10, 4, 1, 2, 0, 0x01]]),
        ("a body that goes on", &[TYPES, FUNCTIONS, &[10, 5, 1, 3, 0, 0x0b, 0x0b]]),
        ("an instruction that is none", &[TYPES, FUNCTIONS, &[10, 5, 1, 3, 0, 0x27, 0x0b]]),
        ("a length of six bytes", &[&[1, 0x84, 0x80, 0x80, 0x80, 0x80, 0, 1, 0x60, 0, 0]]),
        ("a length of more than 32 bits", &[&[1, 0x84, 0x80, 0x80, 0x80, 0x10, 1, 0x60, 0, 0]]),
        // `i32.const`, whose fifth byte has bits beyond the sign.
        (
            "a number of more than 32 bits",
            &[TYPES, FUNCTIONS, &[10, 11, 1, 9, 0, 0x41, 0x80, 0x80, 0x80, 0x80, 0x40, 0x1a, 0x0b]],
        ),
        ("a name that is not UTF-8", &[TYPES, FUNCTIONS, &[7, 5, 1, 1, 0xff, 0, 0], CODE]),
        ("a section's name that is not UTF-8", &[&[0, 2, 1, 0xff]]),
        ("a name of a surrogate", &[TYPES, FUNCTIONS, &[7, 7, 1, 3, 0xed, 0xa0, 0x80, 0, 0], CODE]),
    ] {
        assert_eq!(of(sections), "malformed", "{what}");
    }
    let twice = section(7, &[2, 1, b'a', 0, 0, 1, b'a', 0, 0]);
    assert_eq!(of(&[TYPES, FUNCTIONS, &twice, CODE]), "malformed");
    // A length may have more bytes than it needs, as linkers write it.
    assert_eq!(of(&[&[1, 0x84, 0x80, 0, 1, 0x60, 0, 0], FUNCTIONS, CODE]), "memory-missing");
}

#[test]
fn every_beginning_of_a_contract_is_refused() {
    const ACCESS: &[ClauseDef] = &[touch(AccessKind::Write, 0)];
    let extra = r#"(table 2 2 funcref) (elem (i32.const 0) 0 1) (data (i32.const 8) "abc")
        (global (export "sp") (mut i32) (i32.const 0))"#;
    let wasm = wasm(MethodKindDef::Call, ACCESS, &reaching("put:0", "call.go", extra));
    assert_eq!(code(admit(&wasm)), "admitted");
    let mut codes: Vec<_> = (0..wasm.len()).map(|n| code(admit(&wasm[..n]))).collect();
    // What debuggers read is behind everything else, and not needed: its number, its length, that of `name`.
    let names = wasm.windows(4).rposition(|bytes| bytes == b"name").unwrap() - 3;
    assert_eq!(codes.remove(names), "admitted");
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes, ["abi-missing", "malformed", "memory-missing"]);
}

/// What stands in a module beside what is needed, and why it is refused.
const PROPOSALS: &[(&str, &str)] = &[
    // Several of what there is one of.
    ("(memory 1 1)", "malformed"),
    ("(table 1 1 funcref) (table 1 1 funcref)", "malformed"),
    // Threads.
    ("(func (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))))", "operator"),
    ("(func (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0))))", "operator"),
    ("(func atomic.fence)", "operator"),
    // Garbage collection.
    ("(type (struct (field i32)))", "feature"),
    ("(type (array i8))", "feature"),
    ("(rec (type (func)) (type (func)))", "feature"),
    ("(func (drop (ref.i31 (i32.const 0))))", "operator"),
    // Exceptions.
    ("(tag)", "feature"),
    ("(func (try_table (catch_all 0)))", "operator"),
    ("(func (param exnref))", "feature"),
    // Stack switching.
    ("(type $f (func)) (type $k (cont $f))", "feature"),
    // Reference types, and what changes tables.
    ("(table 1 1 externref)", "feature"),
    ("(func (param externref))", "feature"),
    ("(table 1 1 funcref) (func (drop (table.get 0 (i32.const 0))))", "operator"),
    ("(table 1 1 funcref) (func (table.set 0 (i32.const 0) (ref.null func)))", "operator"),
    ("(table 1 1 funcref) (func (drop (table.grow 0 (ref.null func) (i32.const 1))))", "operator"),
    (
        "(table 1 1 funcref) (func (table.fill 0 (i32.const 0) (ref.null func) (i32.const 1)))",
        "operator",
    ),
    (
        "(table 1 1 funcref) (func (table.copy (i32.const 0) (i32.const 0) (i32.const 1)))",
        "operator",
    ),
    ("(func (drop (table.size 0))) (table 1 1 funcref)", "operator"),
    // Bulk memory, and what drops segments.
    (
        r#"(data $d "a") (func (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)))"#,
        "operator",
    ),
    (r#"(data $d "a") (func (data.drop $d))"#, "operator"),
    ("(table 1 1 funcref) (elem $e func 0) (func (elem.drop $e))", "feature"),
    ("(func (memory.copy (i32.const 0) (i32.const 0) (i32.const 1)))", "operator"),
    // Tail calls.
    (
        "(type $t (func)) (table 1 1 funcref) (func (return_call_indirect (type $t) (i32.const 0)))",
        "operator",
    ),
    // Vectors, relaxed ones too.
    ("(func (drop (v128.const i32x4 0 0 0 0)))", "operator"),
    ("(func (param v128))", "feature"),
    (
        "(func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))))",
        "operator",
    ),
    // Conversions that do not trap, several values, constants that are computed, wide numbers.
    ("(func (drop (i32.trunc_sat_f32_s (f32.const 0))))", "float"),
    ("(func (result i64 i64) (i64.const 0) (i64.const 0))", "feature"),
    ("(global i32 (i32.add (i32.const 1) (i32.const 2)))", "feature"),
    (
        "(func (i64.add128 (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)) drop drop)",
        "operator",
    ),
];

#[test]
fn other_proposals() {
    for (extra, expected) in PROPOSALS {
        assert_eq!(with(extra), *expected, "{extra}");
    }
    for (memory, expected) in [
        (r#"(memory (export "memory") 1 1 shared)"#, "feature"),
        (r#"(memory (export "memory") i64 1 1)"#, "feature"),
    ] {
        let init = r#"(func (export "call.init") (param i32) (result i32) i32.const 0)"#;
        let module = wasm(MethodKindDef::Call, &[], &format!("{memory} {init} {GO}"));
        assert_eq!(code(admit(&module)), expected, "{memory}");
    }
}
