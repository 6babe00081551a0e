//! Compiles the shipped contracts to wasm.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

use kempe_build::{BuildRequest, build_contract};

/// The directories beside this crate that hold contracts.
const CONTRACTS: &[&str] = &[
    "asset",
    "counter",
    "escrow",
    "fare",
    "futures",
    "governance",
    "lending",
    "multisig",
    "nft",
    "options",
    "oracle",
    "orderbook",
    "pool",
    "router",
    "staking",
    "token",
    "vesting",
];

/// What the contracts' bytes depend on, from the root of the workspace.
const SOURCES: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "contracts/math/Cargo.toml",
    "contracts/math/src",
    "rust-toolchain.toml",
    "sdk/Cargo.toml",
    "sdk/abi/Cargo.toml",
    "sdk/abi/src",
    "sdk/macros/Cargo.toml",
    "sdk/macros/src",
    "sdk/src",
];

#[expect(clippy::print_stderr, reason = "the way a build script tells why it fails")]
fn main() {
    if let Err(error) = build() {
        // Not as the result of `main`: that would show the compiler's messages on one line.
        eprintln!("{error}");
        process::exit(1);
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    let contracts = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", contracts.join("..").join(source).display());
    }
    for name in CONTRACTS {
        let dir = contracts.join(name);
        println!("cargo::rerun-if-changed={}", dir.display());
        let built = build_contract(&BuildRequest::in_script(dir, &out_dir))?;
        fs::write(out_dir.join(format!("{name}.wasm")), &built.wasm)?;
    }
    Ok(())
}
