//! Bindings of contracts: in Rust, compiled here and used on a chain; in TypeScript, by node, which
//! must come to the same bytes.
//!
//! `token.rs` and `shapes.rs` are what `kempe bindings rust` writes, `vectors.json` what both sides
//! agree on. When one is not current, the test says where the current one is.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod clients;
mod command;
mod node;
mod shapes_abi;
mod vectors;

// Compiled as a person would compile them.
#[rustfmt::skip]
mod shapes;
#[rustfmt::skip]
mod token;

use std::fs;
use std::path::{Path, PathBuf};

use kempe_abi::Abi;
use kempe_runtime::engine::admission::admit;

/// The ABI of an admitted module.
fn abi_of(wasm: &[u8]) -> Abi {
    admit(wasm).unwrap().abi
}

/// A directory of the test's own, empty.
fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Compares a committed file with what it should be.
fn check_current(name: &str, expected: &str) {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bindings").join(name);
    if fs::read_to_string(&committed).unwrap_or_default() != expected {
        let current = scratch("current").join(name);
        fs::write(&current, expected).unwrap();
        panic!("{} is not current; {} is", committed.display(), current.display());
    }
}
