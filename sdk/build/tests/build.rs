//! Builds small contracts without dependencies and looks at what came out.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::fs;
use std::path::Path;

use kempe_build::{BuildError, BuildRequest, Built, build_contract};
use tempfile::TempDir;
use wasmparser::{ExternalKind, Parser, Payload};

const SOURCE: &str = r#"
#![no_std]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let place = info.location().map_or("", |location| location.file());
    unsafe { report(place.as_ptr(), place.len()) }
}
#[unsafe(link_section = "kempe.abi")]
#[used]
static ABI: [u8; 5] = *b"hello";
#[link(wasm_import_module = "kempe")]
unsafe extern "C" {
    #[link_name = "panic"]
    fn report(place: *const u8, len: usize) -> !;
}
#[unsafe(export_name = "call.half")]
extern "C" fn half(number: i32) -> i32 {
    [1, 2, 3][number as usize] + i32::from(cfg!(debug_assertions))
}
"#;

fn contract(dir: &Path, extra: &str, source: &str) {
    let manifest = format!(
        "[package]\nname = \"tiny\"\nedition = \"2024\"\n[workspace]\n[profile.release]\ndebug = true\n{extra}"
    );
    fs::create_dir_all(dir.join("src")).unwrap();
    fs::write(dir.join("Cargo.toml"), manifest).unwrap();
    fs::write(dir.join("src/lib.rs"), source).unwrap();
}

fn build(dir: &Path) -> Result<Built, BuildError> {
    build_contract(&BuildRequest::new(dir))
}

#[test]
fn a_module_has_its_sizes_its_section_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let sizes = "[package.metadata.kempe]\nmemory-bytes = 32768\nstack-bytes = 2048\n";
    contract(dir.path(), sizes, SOURCE);
    let built = build(dir.path()).unwrap();
    assert_eq!(built.name, "tiny");
    assert!(built.wasm_path.ends_with("target/kempe/tiny.wasm"), "{}", built.wasm_path.display());
    assert_eq!(fs::read(&built.wasm_path).unwrap(), built.wasm);

    let (mut exports, mut custom, mut memory) = (Vec::new(), Vec::new(), None);
    for payload in Parser::new(0).parse_all(&built.wasm) {
        match payload.unwrap() {
            Payload::ExportSection(section) => {
                exports.extend(section.into_iter().map(|export| export.unwrap()));
            }
            Payload::CustomSection(section) => {
                custom.push((section.name().to_owned(), section.data().to_vec()));
            }
            Payload::MemorySection(section) => {
                memory = section.into_iter().next().map(|memory| memory.unwrap());
            }
            _ => {}
        }
    }
    assert_eq!(custom, [("kempe.abi".to_owned(), b"hello".to_vec())]);
    let memory = memory.unwrap();
    assert_eq!(
        (memory.initial, memory.maximum, memory.page_size_log2),
        (32768, Some(32768), Some(0))
    );
    let mut names: Vec<_> = exports.iter().map(|export| export.name).collect();
    names.sort_unstable();
    assert_eq!(names, ["__data_end", "__heap_base", "__stack_pointer", "call.half", "memory"]);
    assert!(exports.iter().any(|e| e.name == "call.half" && e.kind == ExternalKind::Func));
}

/// A contract and, beside it, outside its workspace, a crate whose panics name their place.
fn contract_with_neighbor(dir: &Path) -> Built {
    let neighbor = dir.join("neighbor");
    contract(&neighbor, "", "#![no_std]\npub fn third(n: usize) -> i32 { [1, 2, 3][n] }");
    let manifest = fs::read_to_string(neighbor.join("Cargo.toml")).unwrap();
    fs::write(neighbor.join("Cargo.toml"), manifest.replace("tiny", "neighbor")).unwrap();
    let source = SOURCE.replace("[1, 2, 3][number as usize]", "neighbor::third(number as usize)");
    contract(
        &dir.join("contract"),
        "[dependencies]\nneighbor = { path = \"../neighbor\" }\n",
        &source,
    );
    build(&dir.join("contract")).unwrap()
}

#[test]
fn the_bytes_do_not_depend_on_the_place() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let one = contract_with_neighbor(one.path());
    let two = contract_with_neighbor(&two.path().join("a/rather/longer/path"));
    let place = b"/neighbor-0.0.0/src/lib.rs";
    assert!(one.wasm.windows(place.len()).any(|window| window == place), "no place to differ in");
    assert!(one.wasm == two.wasm, "{} and {} bytes", one.wasm.len(), two.wasm.len());
}

#[test]
fn warnings_are_kept_and_errors_are_carried() {
    let dir = TempDir::new().unwrap();
    contract(dir.path(), "", &format!("{SOURCE}\nfn nobody_calls_me() {{}}"));
    let built = build(dir.path()).unwrap();
    assert!(built.diagnostics.contains("nobody_calls_me"), "{}", built.diagnostics);

    contract(dir.path(), "", &format!("{SOURCE}\nfn wrong() -> u8 {{ \"text\" }}"));
    let error = build(dir.path()).unwrap_err();
    assert!(matches!(&error, BuildError::Compile { package, .. } if package == "tiny"), "{error}");
    assert!(error.to_string().contains("mismatched types"), "{error}");
}

#[test]
fn a_memory_that_does_not_hold_the_data_is_refused() {
    let dir = TempDir::new().unwrap();
    let big =
        format!("{SOURCE}\n#[unsafe(no_mangle)] #[used] static BIG: [u8; 20000] = [7; 20000];");
    contract(dir.path(), "", &big);
    let error = build(dir.path()).unwrap_err();
    assert!(error.to_string().contains("initial memory too small"), "{error}");
}

#[test]
fn what_is_no_contract_is_refused_by_name() {
    let dir = TempDir::new().unwrap();
    assert!(matches!(build(dir.path()), Err(BuildError::Io { .. })));

    contract(&dir.path().join("member"), "", SOURCE);
    let manifest = "[package]\nname = \"member\"\n";
    fs::write(dir.path().join("member/Cargo.toml"), manifest).unwrap();
    fs::write(dir.path().join("Cargo.toml"), "[workspace]\nmembers = [\"member\"]\n").unwrap();
    assert!(matches!(build(dir.path()), Err(BuildError::NotAPackage(_))));

    fs::write(dir.path().join("Cargo.toml"), "[package\n").unwrap();
    assert!(matches!(build(dir.path()), Err(BuildError::Metadata { .. })));

    contract(dir.path(), "", SOURCE);
    fs::rename(dir.path().join("src/lib.rs"), dir.path().join("src/main.rs")).unwrap();
    assert!(matches!(build(dir.path()), Err(BuildError::NoLibrary(name)) if name == "tiny"));
}
