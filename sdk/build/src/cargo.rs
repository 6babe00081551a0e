//! What is asked of cargo: the description of a package, and its compilation.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;
use serde_json::Value;

use crate::environment::cargo;
use crate::{BuildError, Settings, TARGET, cargo_home};

/// A package that holds a contract.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) settings: Settings,
    pub(crate) workspace_root: PathBuf,
    pub(crate) target_dir: PathBuf,
    /// Directories of the packages that come from this machine, with names for them.
    pub(crate) local: Vec<(PathBuf, String)>,
}

/// What a compilation gave.
pub(crate) struct Compiled {
    pub(crate) artifact: PathBuf,
    pub(crate) stderr: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    version: String,
    id: String,
    source: Option<String>,
    manifest_path: PathBuf,
    metadata: Value,
    targets: Vec<CargoTarget>,
}

impl MetadataPackage {
    /// The directory of a package that is not from a registry, and a name that is the same
    /// everywhere.
    fn local(&self) -> Option<(PathBuf, String)> {
        let dir = self.manifest_path.parent().filter(|_| self.source.is_none())?;
        Some((dir.to_owned(), format!("/{}-{}", self.name, self.version)))
    }
}

#[derive(Deserialize)]
struct CargoTarget {
    kind: Vec<String>,
}

impl CargoTarget {
    fn is_library(&self) -> bool {
        self.kind.iter().any(|kind| matches!(&**kind, "lib" | "rlib" | "cdylib"))
    }
}

/// A line of `--message-format=json`. Other messages have other fields.
#[derive(Deserialize)]
struct Message {
    reason: String,
    package_id: Option<String>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Asks cargo about the package of a manifest.
pub(crate) fn describe(manifest: &Path) -> Result<Package, BuildError> {
    let mut command = cargo();
    command
        .args(["metadata", "--format-version=1", "--filter-platform", TARGET, "--manifest-path"])
        .arg(manifest);
    let output = run(command)?;
    if !output.status.success() {
        let stderr = text(&output.stderr);
        return Err(BuildError::Metadata { manifest: manifest.to_owned(), stderr });
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let local = metadata.packages.iter().filter_map(MetadataPackage::local).collect();
    let package = metadata
        .packages
        .into_iter()
        .find(|package| package.manifest_path == manifest)
        .ok_or_else(|| BuildError::NotAPackage(manifest.to_owned()))?;
    if !package.targets.iter().any(CargoTarget::is_library) {
        return Err(BuildError::NoLibrary(package.name));
    }
    Ok(Package {
        settings: Settings::from_metadata(&package.metadata)?,
        name: package.name,
        id: package.id,
        workspace_root: metadata.workspace_root,
        target_dir: metadata.target_directory,
        local,
    })
}

/// Compiles the package's library, alone, to wasm.
///
/// `cargo rustc` gives the linker's flags and the crate type to the contract and not to what it
/// depends on, so contracts with different sizes share compiled dependencies, and a contract that
/// another one depends on is not linked a second time.
pub(crate) fn compile(
    package: &Package,
    manifest: &Path,
    target_dir: &Path,
    color: bool,
) -> Result<Compiled, BuildError> {
    let mut command = cargo();
    command
        .args(["rustc", "--lib", "--crate-type=cdylib", "--release", "--target", TARGET])
        .args(["--message-format=json-render-diagnostics", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(target_dir)
        .arg("--")
        .args(linker_flags(package.settings))
        .current_dir(manifest.parent().unwrap_or(Path::new("/")))
        .env("CARGO_ENCODED_RUSTFLAGS", remapping(package).join("\u{1f}"))
        .env("CARGO_TERM_COLOR", if color { "always" } else { "never" })
        .envs(PROFILE.iter().copied());
    let output = run(command)?;
    let stderr = text(&output.stderr);
    if !output.status.success() {
        return Err(BuildError::Compile { package: package.name.clone(), stderr });
    }
    let artifact = find_wasm(&package.id, &text(&output.stdout))?
        .ok_or_else(|| BuildError::NoWasm(package.name.clone()))?;
    Ok(Compiled { artifact, stderr })
}

/// The release profile of every contract, whatever its workspace says.
///
/// Level 3 was smaller than `s` and `z` on contracts that hash: those two keep more calls of small
/// functions. Stripping keeps the custom section of the ABI, which is not a debug section.
const PROFILE: &[(&str, &str)] = &[
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
    ("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "false"),
    ("CARGO_PROFILE_RELEASE_INCREMENTAL", "false"),
    ("CARGO_PROFILE_RELEASE_LTO", "fat"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
    ("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true"),
    ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
    ("CARGO_PROFILE_RELEASE_STRIP", "symbols"),
];

/// Memory of bytes instead of pages of 64 KiB, fixed in size, with the stack below everything
/// (which is rustc's default). The stack pointer is exported so that the host can put it back.
fn linker_flags(settings: Settings) -> [String; 5] {
    [
        format!("-Clink-arg=-zstack-size={}", settings.stack_bytes),
        "-Clink-arg=--page-size=1".into(),
        format!("-Clink-arg=--initial-memory={}", settings.memory_bytes),
        format!("-Clink-arg=--max-memory={}", settings.memory_bytes),
        "-Clink-arg=--export=__stack_pointer".into(),
    ]
}

/// Panics carry the path of their source into the module; it must not be one of this machine.
fn remapping(package: &Package) -> Vec<String> {
    let mut flags = Vec::new();
    let mut remap = |from: &Path, to: &str| {
        if let Some(from) = from.to_str() {
            flags.push(format!("--remap-path-prefix={from}={to}"));
        }
    };
    if let Some(home) = cargo_home() {
        remap(&home, "/cargo");
    }
    remap(&package.workspace_root, "/workspace");
    for (dir, name) in &package.local {
        remap(dir, name);
    }
    flags
}

/// The wasm file among the artifacts of the package with this id.
fn find_wasm(id: &str, messages: &str) -> Result<Option<PathBuf>, BuildError> {
    let mut found = None;
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Message = serde_json::from_str(line)?;
        if message.reason != "compiler-artifact" || message.package_id.as_deref() != Some(id) {
            continue;
        }
        let wasm = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "wasm");
        found = message.filenames.into_iter().find(wasm).or(found);
    }
    Ok(found)
}

fn run(mut command: Command) -> Result<Output, BuildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).output().map_err(|source| BuildError::Start { program, source })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
