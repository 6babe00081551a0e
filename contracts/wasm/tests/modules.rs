//! What is promised about the compiled contracts.

#![allow(clippy::unwrap_used, reason = "a test may")]

use kempe_abi::{Abi, SECTION_NAME};
use kempe_contracts::ALL;
use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

/// What each contract's module should have: a name and a number of bytes on a line.
const SIZES: &str = include_str!("../sizes.txt");

/// By how many thousandths a module may be larger or smaller than what is written down. Ours to choose:
/// small changes of the SDK stay below it; formatting code in a panic message, the usual cause of
/// a jump, does not.
const TOLERANCE_PER_MILLE: usize = 30;

/// What every module has fewer bytes than, whatever is written down. Ours to choose: a deployment stores and
/// compiles them, and a third more than the largest needs is room enough.
const SIZE_MAX: usize = 64 * 1024;

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

/// What is wrong with a size, and what to do about it.
fn check_size(name: &str, found: usize, written: Option<usize>) -> Result<(), String> {
    let Some(written) = written else {
        return Err(format!("{name} has {found} bytes: add the line `{name} {found}`"));
    };
    if found.max(written) >= SIZE_MAX {
        return Err(format!(
            "{name} has {found} bytes, and {written} are written down: a contract stays under {SIZE_MAX}"
        ));
    }
    let tolerance = written * TOLERANCE_PER_MILLE / 1000;
    if found > written + tolerance {
        return Err(format!(
            "{name} grew from {written} to {found} bytes: find out why; if the bytes are worth it, \
             write `{name} {found}`"
        ));
    }
    if found + tolerance < written {
        return Err(format!(
            "{name} shrank from {written} to {found} bytes: write `{name} {found}`, so that it \
             does not grow again unseen"
        ));
    }
    Ok(())
}

#[test]
fn every_contract_has_the_size_that_is_written_down() {
    let lines = SIZES.lines().filter(|line| !line.starts_with('#'));
    let written: Vec<(&str, usize)> = lines
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, size)| (name, size.parse().unwrap()))
        .collect();
    let size_of = |of: &str| written.iter().find(|(name, _)| *name == of).map(|(_, size)| *size);
    let checks = ALL.iter().map(|(name, wasm)| check_size(name, wasm.len(), size_of(name)));
    let mut wrong: Vec<String> = checks.filter_map(Result::err).collect();
    let gone = written.iter().filter(|(name, _)| !ALL.iter().any(|(of, _)| of == name));
    wrong.extend(gone.map(|(name, _)| format!("there is no contract {name}: take its line out")));
    assert!(wrong.is_empty(), "in contracts/wasm/sizes.txt:\n{}", wrong.join("\n"));
}

/// Writing the size down is no way past the limit.
#[test]
fn no_contract_may_reach_the_limit() {
    for (found, written) in [(SIZE_MAX, Some(SIZE_MAX)), (SIZE_MAX - 1, Some(SIZE_MAX))] {
        assert!(check_size("large", found, written).unwrap_err().contains("stays under 65536"));
    }
    assert_eq!(check_size("large", SIZE_MAX - 1, Some(SIZE_MAX - 1)), Ok(()));
}

#[test]
fn a_size_beyond_the_tolerance_is_told() {
    let check = |found| check_size("token", found, Some(10_000));
    for found in [9_700, 10_000, 10_300] {
        assert_eq!(check(found), Ok(()));
    }
    assert!(check(10_301).unwrap_err().starts_with("token grew from 10000 to 10301 bytes"));
    assert!(check(9_699).unwrap_err().starts_with("token shrank from 10000 to 9699 bytes"));
    let unknown = check_size("token", 5, None).unwrap_err();
    assert_eq!(unknown, "token has 5 bytes: add the line `token 5`");
}

#[test]
fn every_contract_is_what_its_abi_says_and_nothing_else() {
    for (name, wasm) in ALL {
        let module = parse(wasm);
        assert_eq!(module.custom, [SECTION_NAME], "{name}");
        let bytes = match *name {
            // Its memory is copied for each call.
            "token" => 8192,
            // A trade may fill hundreds of orders.
            "orderbook" => 32_768,
            _ => 16_384,
        };
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
