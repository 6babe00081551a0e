//! Compiles the token that cosmwasm-vm runs, with the newest Rust whose standard library for wasm
//! has no bulk memory operations: cosmwasm-vm refuses those.

use std::env;
use std::path::PathBuf;
use std::process::Command;

const TOOLCHAIN: &str = "1.86.0";

fn main() {
    println!("cargo::rerun-if-changed=cw20/Cargo.lock");
    println!("cargo::rerun-if-changed=cw20/Cargo.toml");
    println!("cargo::rerun-if-changed=cw20/src");
    let target_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("cw20");
    let status = Command::new("rustup")
        .args(["run", TOOLCHAIN, "cargo", "build", "--release", "--locked", "--lib"])
        .args(["--target", "wasm32-unknown-unknown", "--manifest-path", "cw20/Cargo.toml"])
        .arg("--target-dir")
        .arg(&target_dir)
        // What the outer cargo has set is for the outer toolchain.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC")
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("RUSTDOC")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .status()
        .expect("rustup starts");
    assert!(
        status.success(),
        "cw20 was not compiled; it needs `rustup toolchain install {TOOLCHAIN} --profile minimal \
         --target wasm32-unknown-unknown`"
    );
    let wasm = target_dir.join("wasm32-unknown-unknown/release/kempe_peer_cw20.wasm");
    println!("cargo::rustc-env=CW20_WASM={}", wasm.display());
}
