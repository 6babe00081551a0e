//! Compiles contract crates to small, admissible wasm.
//!
//! ```no_run
//! let request = kempe_build::BuildRequest::new("contracts/token");
//! let built = kempe_build::build_contract(&request)?;
//! println!("{} is {} bytes", built.wasm_path.display(), built.wasm.len());
//! # Ok::<(), kempe_build::BuildError>(())
//! ```
//!
//! A contract is an ordinary library crate: it needs no `crate-type`, no profile and no linker
//! flags of its own. The build chooses them, so that every contract is optimized alike, keeps the
//! custom section with its ABI, declares the memory that it may use, and has the same bytes on
//! every machine.
//!
//! # Memory of a contract
//! The memory never grows. From address 0 upward it holds the stack (so that an overflow is an
//! access below zero, which traps, and never overwrites data), the data, and the heap:
//!
//! ```text
//! 0          stack-bytes    __data_end    __heap_base              memory-bytes
//! | <- stack | static data               | heap ->                |
//! ```
//!
//! The sizes are [`STACK_BYTES`] and [`MEMORY_BYTES`] unless the contract's `Cargo.toml` says
//! otherwise:
//!
//! ```toml
//! [package.metadata.kempe]
//! memory-bytes = 65536
//! stack-bytes = 8192
//! ```

mod cargo;
mod environment;
mod error;
mod settings;
mod toolchain;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

pub use error::BuildError;
pub use settings::{
    MEMORY_BYTES, MEMORY_BYTES_MAX, STACK_ALIGN_BYTES, STACK_BYTES, STACK_BYTES_MIN, Settings,
};
pub use toolchain::{TARGET, ensure_target};

/// What to build, and where.
#[derive(Clone, Debug)]
pub struct BuildRequest {
    /// The contract's `Cargo.toml`, or the directory that holds it.
    pub manifest_path: PathBuf,
    /// Where cargo works and the wasm is put. `None` is the directory `kempe` in the target
    /// directory of the contract's workspace.
    ///
    /// It must not be the target directory of a cargo that waits for this build: the two would
    /// wait for one lock.
    pub target_dir: Option<PathBuf>,
    /// Whether cargo may color the diagnostics.
    pub color: bool,
}

impl BuildRequest {
    /// Builds the contract at `manifest_path` in the default place, without color.
    pub fn new(manifest_path: impl Into<PathBuf>) -> Self {
        Self { manifest_path: manifest_path.into(), target_dir: None, color: false }
    }

    /// Builds the contract from a build script, whose `OUT_DIR` this is: in a directory of the target
    /// directory that outlives changes of the script's crate, so that dependencies are compiled once; and
    /// that is not the one that the outer cargo has locked.
    pub fn in_script(manifest_path: impl Into<PathBuf>, out_dir: &Path) -> Self {
        let is_target = |dir: &&Path| dir.join("CACHEDIR.TAG").is_file();
        let target = out_dir.ancestors().find(is_target).unwrap_or(out_dir).join("kempe");
        Self { target_dir: Some(target), ..Self::new(manifest_path) }
    }
}

/// A contract that was built.
#[derive(Clone, Debug)]
pub struct Built {
    /// The name of the package.
    pub name: String,
    /// Where the module is: `<target dir>/<name>.wasm`.
    pub wasm_path: PathBuf,
    /// The module.
    pub wasm: Vec<u8>,
    /// The sizes that the module declares.
    pub settings: Settings,
    /// What cargo had to say, warnings above all. Not empty when nothing was wrong.
    pub diagnostics: String,
}

/// Compiles a contract, and installs the wasm target for the contract's toolchain when it is not
/// there.
///
/// Several processes may build at once, in one target directory too: cargo's lock orders them.
/// Whether cargo may use the network is cargo's own setting (`CARGO_NET_OFFLINE`).
///
/// # Errors
/// [`BuildError::Metadata`], [`BuildError::NotAPackage`], [`BuildError::NoLibrary`] and
/// [`BuildError::Setting`] when the manifest is at fault, [`BuildError::Target`] when the wasm
/// target is missing and cannot be installed, [`BuildError::Compile`] with the compiler's messages
/// when the contract does not compile, [`BuildError::Io`] when a file cannot be read or written
/// or a program cannot be started.
pub fn build_contract(request: &BuildRequest) -> Result<Built, BuildError> {
    let manifest_path = resolve_manifest(&request.manifest_path)?;
    let package_dir = manifest_path.parent().unwrap_or(Path::new("/"));
    ensure_target(package_dir)?;
    let package = cargo::describe(&manifest_path)?;
    let target_dir = match &request.target_dir {
        Some(dir) => absolute(dir)?,
        None => package.target_dir.join("kempe"),
    };
    let compiled = cargo::compile(&package, &manifest_path, &target_dir, request.color)?;
    let wasm = read(&compiled.artifact)?;
    let wasm_path = target_dir.join(format!("{}.wasm", package.name));
    replace(&wasm_path, &wasm)?;
    Ok(Built {
        name: package.name,
        wasm_path,
        wasm,
        settings: package.settings,
        diagnostics: compiled.stderr,
    })
}

fn resolve_manifest(path: &Path) -> Result<PathBuf, BuildError> {
    let path = if path.is_dir() { path.join("Cargo.toml") } else { path.to_owned() };
    fs::canonicalize(&path).map_err(|source| BuildError::Io { path, source })
}

fn absolute(path: &Path) -> Result<PathBuf, BuildError> {
    std::path::absolute(path).map_err(|source| BuildError::Io { path: path.to_owned(), source })
}

fn read(path: &Path) -> Result<Vec<u8>, BuildError> {
    fs::read(path).map_err(|source| BuildError::Io { path: path.to_owned(), source })
}

/// Writes a file so that a reader sees the old contents or the new, never a part. Leaves a file
/// that is the same as it is, so that its time does not make others rebuild.
fn replace(path: &Path, contents: &[u8]) -> Result<(), BuildError> {
    let failed = |source: io::Error| BuildError::Io { path: path.to_owned(), source };
    if fs::read(path).is_ok_and(|old| old == contents) {
        return Ok(());
    }
    let mut scratch = OsString::from(path);
    scratch.push(format!(".{}", std::process::id()));
    fs::write(&scratch, contents).map_err(failed)?;
    fs::rename(&scratch, path).map_err(failed)
}

/// Cargo's home, where the sources of dependencies lie.
fn cargo_home() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(env::var_os("HOME").or_else(|| env::var_os("USERPROFILE"))?));
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(home()?.join(".cargo")))
}
