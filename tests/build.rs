//! Compiles the chaos contract to wasm.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use kempe_build::{BuildRequest, build_contract};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    for source in ["chaos", "../sdk", "../Cargo.toml", "../Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    let mut request = BuildRequest::new(root.join("chaos"));
    // The directory in which the shipped contracts are compiled too.
    let is_target = |dir: &&Path| dir.join("CACHEDIR.TAG").is_file();
    let target = out_dir.ancestors().find(is_target).unwrap_or(&out_dir).join("kempe");
    request.target_dir = Some(target);
    fs::write(out_dir.join("chaos.wasm"), build_contract(&request)?.wasm)?;
    Ok(())
}
