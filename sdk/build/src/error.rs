//! Why a contract was not built.

use std::io;
use std::path::PathBuf;

/// Why a contract was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A file or directory could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot run `{program}`: {source}")]
    Start {
        /// The program.
        program: String,
        /// What went wrong.
        source: io::Error,
    },
    /// Cargo does not understand the manifest.
    #[error("cargo cannot read {manifest}:\n{stderr}", manifest = manifest.display())]
    Metadata {
        /// The manifest.
        manifest: PathBuf,
        /// What cargo said.
        stderr: String,
    },
    /// Cargo's output is not what this version understands.
    #[error("cannot read the output of cargo: {0}")]
    Output(#[from] serde_json::Error),
    /// The manifest is that of a workspace, not of a package.
    #[error("{} is not the manifest of a package", .0.display())]
    NotAPackage(PathBuf),
    /// The package has no library, so there is no contract in it.
    #[error("package `{0}` has no library target; a contract is a library (src/lib.rs)")]
    NoLibrary(String),
    /// A value in `[package.metadata.kempe]` is not permitted.
    #[error("[package.metadata.kempe] {key}: {reason}")]
    Setting {
        /// The key.
        key: String,
        /// What is permitted.
        reason: String,
    },
    /// The wasm target is not installed and could not be installed.
    #[error("the target {target} is not installed in {sysroot}: {reason}", target = crate::TARGET, sysroot = sysroot.display())]
    Target {
        /// The toolchain's directory.
        sysroot: PathBuf,
        /// What was tried and what came of it.
        reason: String,
    },
    /// The contract does not compile.
    #[error("`{package}` does not compile:\n{stderr}")]
    Compile {
        /// The package.
        package: String,
        /// What cargo and the compiler said.
        stderr: String,
    },
    /// Cargo succeeded without reporting a wasm file.
    #[error("cargo reported no wasm file for `{0}`")]
    NoWasm(String),
}
