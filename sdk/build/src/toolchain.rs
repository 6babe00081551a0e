//! The wasm target of the toolchain.
//!
//! A `rust-toolchain.toml` that names a target installs it together with the toolchain, but adds
//! nothing to a toolchain that is there already. So the first build asks for it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::BuildError;
use crate::environment::command;

/// The target of contracts: WebAssembly 1.0 and mutable globals, without a standard library.
///
/// `wasm32-unknown-unknown` has gained instructions over the years that the runtime does not
/// admit; this target is fixed. Source:
/// <https://doc.rust-lang.org/rustc/platform-support/wasm32v1-none.html>.
pub const TARGET: &str = "wasm32v1-none";

/// Installs [`TARGET`] for the toolchain that is active in `dir`, unless it is there.
///
/// # Errors
/// [`BuildError::Start`] when there is no `rustc`, [`BuildError::Target`] when `rustup` is missing
/// or fails.
pub fn ensure_target(dir: &Path) -> Result<(), BuildError> {
    let sysroot = sysroot(dir)?;
    if is_installed(&sysroot) {
        return Ok(());
    }
    let reason = match command("rustup").args(["target", "add", TARGET]).current_dir(dir).output() {
        // Another process may have been faster, and rustup does not like to be run twice at once.
        _ if is_installed(&sysroot) => return Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            format!("`rustup target add {TARGET}` did not install it:\n{}", said.trim())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            "there is no `rustup` to install it with; install it the way this toolchain was \
             installed"
                .to_owned()
        }
        Err(error) => format!("cannot run `rustup`: {error}"),
    };
    Err(BuildError::Target { sysroot, reason })
}

fn is_installed(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir()
}

fn sysroot(dir: &Path) -> Result<PathBuf, BuildError> {
    let start = |source| BuildError::Start { program: "rustc".into(), source };
    let output: Output =
        command("rustc").args(["--print", "sysroot"]).current_dir(dir).output().map_err(start)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(start(io::Error::other(said)));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}
