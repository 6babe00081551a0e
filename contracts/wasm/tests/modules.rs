//! What is promised about the compiled contracts.

#![allow(clippy::unwrap_used, reason = "a test may")]

use kempe_abi::{Abi, SECTION_NAME};
use kempe_contracts::ALL;
use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

/// The largest module of each contract, in bytes. Raise one only for a reason: every deployment
/// pays for each byte, and the cause of a jump is usually formatting code in a panic message.
const SIZE_BYTES_MAX: &[(&str, usize)] = &[
    ("asset", 32 * 1024),
    ("counter", 4 * 1024),
    ("escrow", 32 * 1024),
    ("fare", 32 * 1024),
    ("futures", 52 * 1024),
    ("governance", 48 * 1024),
    ("lending", 48 * 1024),
    ("multisig", 32 * 1024),
    ("nft", 32 * 1024),
    ("options", 40 * 1024),
    ("oracle", 32 * 1024),
    ("orderbook", 40 * 1024),
    ("pool", 28 * 1024),
    ("router", 16 * 1024),
    ("staking", 36 * 1024),
    ("token", 16 * 1024),
    ("vesting", 32 * 1024),
];

struct Module {
    abi: Abi,
    custom: Vec<String>,
    exports: Vec<String>,
    memory: Option<(u64, Option<u64>)>,
    module_of_imports: Vec<String>,
}

fn parse(wasm: &[u8]) -> Module {
    let (mut section, mut custom, mut exports) = (Vec::new(), Vec::new(), Vec::new());
    let (mut memory, mut module_of_imports) = (None, Vec::new());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.unwrap() {
            Payload::CustomSection(found) => {
                custom.push(found.name().to_owned());
                if found.name() == SECTION_NAME {
                    section.extend_from_slice(found.data());
                }
            }
            Payload::ExportSection(found) => {
                let found = found.into_iter().map(|export| export.unwrap());
                let methods = found.filter(|export| export.kind == ExternalKind::Func);
                exports.extend(methods.map(|export| export.name.to_owned()));
            }
            Payload::MemorySection(found) => {
                let found = found.into_iter().next().unwrap().unwrap();
                assert_eq!(found.page_size_log2, Some(0));
                memory = Some((found.initial, found.maximum));
            }
            Payload::ImportSection(found) => {
                for import in found.into_imports() {
                    let import = import.unwrap();
                    assert!(matches!(import.ty, TypeRef::Func(_)), "{}", import.name);
                    module_of_imports.push(import.module.to_owned());
                }
            }
            _ => {}
        }
    }
    Module { abi: Abi::decode(&section).unwrap(), custom, exports, memory, module_of_imports }
}

#[test]
fn every_contract_stays_within_its_size() {
    for ((name, wasm), (of, limit)) in ALL.iter().zip(SIZE_BYTES_MAX) {
        assert_eq!(name, of);
        assert!(wasm.len() <= *limit, "{name} has {} bytes, the limit is {limit}", wasm.len());
    }
    assert_eq!(ALL.len(), SIZE_BYTES_MAX.len());
}

#[test]
fn every_contract_is_what_its_abi_says_and_nothing_else() {
    for (name, wasm) in ALL {
        let module = parse(wasm);
        assert_eq!(module.custom, [SECTION_NAME], "{name}");
        // The token asks for less than the default: its memory is copied for each call.
        let bytes = if *name == "token" { 8192 } else { 16384 };
        assert_eq!(module.memory, Some((bytes, Some(bytes))), "{name}");
        assert!(module.module_of_imports.iter().all(|module| module == "kempe"), "{name}");
        let methods = module.abi.methods.iter().map(|method| format!("call.{}", method.name));
        let mut methods: Vec<_> = methods.collect();
        let mut exports = module.exports;
        methods.sort();
        exports.sort();
        assert_eq!(exports, methods, "{name}");
    }
}

#[test]
fn no_module_knows_where_it_was_built() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let root = std::fs::canonicalize(root).unwrap();
    for (name, wasm) in ALL {
        for place in [root.to_str().unwrap(), ".cargo/registry", ".rustup"] {
            let found = wasm.windows(place.len()).any(|bytes| bytes == place.as_bytes());
            assert!(!found, "{name} contains {place}");
        }
    }
}
