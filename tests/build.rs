//! Compiles the contracts for tests to wasm.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

use kempe_build::{BuildRequest, build_contract};

#[expect(clippy::print_stderr, reason = "the way a build script tells why it fails")]
fn main() {
    if let Err(error) = build() {
        // Not as the result of `main`: that would show the compiler's messages on one line.
        eprintln!("{error}");
        process::exit(1);
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    for source in
        ["busy", "chaos", "smells", "tally", "toil", "../sdk", "../Cargo.toml", "../Cargo.lock"]
    {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    for name in ["busy", "chaos", "smells", "tally", "toil"] {
        let request = BuildRequest::in_script(root.join(name), &out_dir);
        fs::write(out_dir.join(format!("{name}.wasm")), build_contract(&request)?.wasm)?;
    }
    Ok(())
}
