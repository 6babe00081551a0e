//! A module that claims a lot of what it does not have costs no memory.
//!
//! Alone in its process, whose address space is measured: what is allocated is seen there, be it touched or not.

use std::fs;
use std::hint::black_box;

use kempe_abi::def::{ContractDef, MethodDef, MethodKindDef};
use kempe_abi::{AbiType, SECTION_NAME, section};
use kempe_runtime::engine::admit;

/// 2^32 - 1, as a module writes it.
const CLAIM: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x0f];

/// What a heap takes at a time, and a little more. A claim of 2^32 - 1 bytes would be 4,096 times as much.
const GROWTH_MAX_KIB: u64 = 1 << 10;

/// What this process has of its address space, as `VmSize:`, or had at most, as `VmPeak:`; `None` where the system does not say.
fn space_kib(what: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(what))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn peak_kib() -> Option<u64> {
    space_kib("VmPeak:")
}

fn section_of(id: u8, contents: &[u8]) -> Vec<u8> {
    let len = u8::try_from(contents.len()).expect("it is short");
    assert!(len < 128, "one byte says its length");
    [&[id, len], contents].concat()
}

/// A module that ends with this section; before it stand a type, a function, a table and a memory, as far as they come first.
fn ending(id: u8, contents: &[u8]) -> Vec<u8> {
    let parts: [(u8, &[u8]); 4] = [
        (1, &[1, 0x60, 1, 0x7f, 1, 0x7f]),
        (3, &[1, 0]),
        (4, &[1, 0x70, 1, 1, 1]),
        (5, &[1, 1, 1, 1]),
    ];
    let before = parts.iter().filter(|(other, _)| *other < id);
    let before: Vec<u8> = before.flat_map(|(id, contents)| section_of(*id, contents)).collect();
    [b"\0asm\x01\0\0\0", &before[..], &section_of(id, contents)].concat()
}

/// The only function, with this body behind its locals.
fn body(text: &[u8]) -> Vec<u8> {
    let len = u8::try_from(text.len()).expect("it is short");
    ending(10, &[&[1, len], text].concat())
}

/// Every place in which a module says how many of something follow.
fn claims() -> Vec<(&'static str, Vec<u8>)> {
    let with = |before: &[u8], after: &[u8]| [before, &CLAIM, after].concat();
    let names = ["types", "imports", "functions", "tables", "memories", "globals", "exports"];
    let mut all: Vec<_> = (1..).zip(names).map(|(id, name)| (name, ending(id, &CLAIM))).collect();
    let abi = |rest: &[u8]| {
        let name = SECTION_NAME.as_bytes();
        let len = u8::try_from(name.len()).expect("it is short");
        ending(0, &[&[len], name, rest].concat())
    };
    all.extend([
        ("segments of elements", ending(9, &CLAIM)),
        ("bodies", ending(10, &CLAIM)),
        ("segments of data", ending(11, &CLAIM)),
        ("a count of segments of data", ending(12, &CLAIM)),
        ("parameters", ending(1, &with(&[1, 0x60], &[]))),
        ("results", ending(1, &with(&[1, 0x60, 0], &[]))),
        ("bytes of a name of an import", ending(2, &with(&[1], &[]))),
        ("entries of a table", ending(4, &with(&[1, 0x70, 1], &CLAIM))),
        ("pages of memory", ending(5, &with(&[1, 1], &CLAIM))),
        ("bytes of a name of an export", ending(7, &with(&[1], &[]))),
        ("elements", ending(9, &with(&[1, 0, 0x41, 0, 0x0b], &[]))),
        ("bytes of data", ending(11, &with(&[1, 0, 0x41, 0, 0x0b], &[]))),
        ("bytes of a custom section's name", ending(0, &CLAIM)),
        ("bytes of a body", ending(10, &with(&[1], &[]))),
        ("groups of locals", body(&CLAIM)),
        ("locals", body(&with(&[1], &[0x7f, 0x41, 0, 0x0b]))),
        (
            "locals twice",
            body(&[&[2][..], &CLAIM, &[0x7f], &CLAIM, &[0x7e, 0x41, 0, 0x0b]].concat()),
        ),
        ("targets", body(&with(&[0, 0x41, 0, 0x0e], &[0, 0x0b]))),
        ("names in the ABI", abi(&[0xff; 16])),
    ]);
    all
}

/// A contract that does nothing.
fn smallest() -> Vec<u8> {
    const METHOD: MethodDef = MethodDef {
        name: "go",
        doc: "",
        kind: MethodKindDef::Call,
        params: &[],
        returns: <()>::TYPE,
        error: None,
        access: &[],
    };
    let def = ContractDef { name: "C", doc: "", fields: &[], methods: &[METHOD], interfaces: &[] };
    let abi: String =
        section::contract_to_vec(&def).iter().map(|byte| format!("\\{byte:02x}")).collect();
    let text = format!(
        r#"(module (memory (export "memory") 1 1) (@custom "{SECTION_NAME}" "{abi}")
            (func (export "call.go") (param i32) (result i32) i32.const 0))"#
    );
    wat::parse_str(text).expect("it is a module")
}

#[test]
fn claimed_counts_do_not_allocate() {
    admit(&smallest()).expect("nothing is wrong with it");
    let claims = claims();
    let Some(mut before) = peak_kib() else {
        println!("skipped: /proc/self/status has no VmPeak here");
        return;
    };
    // What starts a thread takes more for a moment; with that much kept, whatever is allocated is a new peak.
    let kept_kib = before - space_kib("VmSize:").expect("as before");
    let kept_bytes = usize::try_from(kept_kib << 10).expect("it fits");
    let kept: Vec<u8> = black_box(Vec::with_capacity(kept_bytes));
    before = peak_kib().expect("as before");
    for (what, module) in &claims {
        let refusal = admit(module).map(|_| ()).expect_err(what);
        let after = peak_kib().expect("as before");
        assert!(after - before < GROWTH_MAX_KIB, "{what}: {} KiB for {refusal}", after - before);
        before = after;
    }
    // The measure sees what it is for.
    let claimed: Vec<u8> = black_box(Vec::with_capacity(64 << 20));
    let after = peak_kib().expect("as before");
    assert!(after - before > GROWTH_MAX_KIB, "{} bytes are not seen", claimed.capacity());
    drop(kept);
}
