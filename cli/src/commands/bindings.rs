//! `kempe bindings`: clients of contracts.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use kempe_abi::Abi;
use kempe_runtime::engine::admission::admit;
use kempe_runtime::files;
use serde::Serialize;

use crate::args::HELP;
use crate::bindings;
use crate::durable;
use crate::module;
use crate::output::{Exit, Failure, Output};

const EXAMPLES: &str = "\
Examples:
  kempe bindings rust token.wasm > src/token.rs         a module for a crate with kempe-runtime
  kempe bindings typescript contracts/token --out token-client
  kempe bindings typescript token.wasm pool.wasm --out clients";

/// The arguments of `kempe bindings`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    #[command(subcommand)]
    language: Language,
}

/// In which language.
#[derive(Debug, Subcommand)]
enum Language {
    /// A module, on standard output, that uses kempe-abi and kempe-runtime
    Rust {
        /// The wasm, its text (.wat), or the directory of the contract
        file: PathBuf,
    },
    /// A package of JavaScript modules with TypeScript declarations, without dependencies
    #[command(name = "typescript")]
    TypeScript {
        /// The wasm, its text (.wat), or the directory of each contract
        #[arg(required = true)]
        files: Vec<PathBuf>,

        /// The directory to write to; that of an earlier package, or a new one
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

#[derive(Serialize)]
struct Module {
    contract: String,
    source: String,
}

#[derive(Serialize)]
struct Package {
    dir: String,
    files: Vec<String>,
    /// The modules of an earlier package, which `package.json` no longer names.
    removed: Vec<String>,
}

pub(super) fn run(args: &Args, output: &Output) -> Result<(), Failure> {
    match &args.language {
        Language::Rust { file } => {
            let abi = abi(file, output)?;
            let source = bindings::rust(&abi)?;
            Ok(output.result(&source, &Module { contract: abi.name, source: source.clone() })?)
        }
        Language::TypeScript { files, out } => typescript(files, out, output),
    }
}

fn typescript(files: &[PathBuf], out: &Path, output: &Output) -> Result<(), Failure> {
    let abis = files.iter().map(|file| abi(file, output)).collect::<Result<Vec<_>, _>>()?;
    let package = bindings::typescript(&abis)?;
    check_free(out, &package)?;
    fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
    let mut written = Vec::new();
    for file in &package {
        let path = out.join(&file.name);
        durable::replace(&path, file.contents.as_bytes())
            .with_context(|| format!("writing {}", path.display()))?;
        written.push(path);
    }
    let removed = remove_others(out, &written)?;
    for path in &removed {
        output.note(format_args!("{} is of no contract named now, and removed", path.display()));
    }
    let shown = |paths: Vec<PathBuf>| paths.iter().map(|path| path.display().to_string()).collect();
    let dir = out.display().to_string();
    let package = Package { dir, files: shown(written), removed: shown(removed) };
    Ok(output.result(&package.dir, &package)?)
}

/// Refuses a directory of somebody else's, or in which a file of somebody else's would be written over.
fn check_free(out: &Path, package: &[bindings::File]) -> Result<(), Failure> {
    let is_taken = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    let is_there = |name: &str| fs::symlink_metadata(out.join(name)).is_ok();
    let is_ours =
        |name: &str| head(&out.join(name)).is_ok_and(|head| bindings::is_ours(name, &head));
    let others = package.iter().find(|file| is_there(&file.name) && !is_ours(&file.name));
    let what = match others {
        Some(file) => out.join(&file.name),
        None if out.is_file() || is_taken && !is_there("kempe.js") => out.to_owned(),
        None => return Ok(()),
    };
    let message = format!("{} is there already, and is no package of ours", what.display());
    Err(Failure::new(Exit::Failed, message).with_help("name another directory with --out"))
}

/// How a file begins.
fn head(path: &Path) -> io::Result<String> {
    /// More than the line takes that says what the file is.
    const HEAD_BYTES: u64 = 4096;
    let mut head = Vec::new();
    files::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Removes the modules of an earlier package: what was written here and is not written now.
fn remove_others(out: &Path, written: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let reading = || format!("reading {}", out.display());
    let mut removed = Vec::new();
    for entry in fs::read_dir(out).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        let is_script =
            path.to_str().is_some_and(|path| path.ends_with(".js") || path.ends_with(".d.ts"));
        let is_ours = || head(&path).is_ok_and(|head| bindings::is_module(&head));
        if is_script && !written.contains(&path) && is_ours() {
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            removed.push(path);
        }
    }
    removed.sort();
    Ok(removed)
}

/// The ABI of a module that a chain admits: bindings of another one are of no use.
fn abi(file: &Path, output: &Output) -> Result<Abi, Failure> {
    let wasm = module::load(file, output)?;
    let admitted = admit(&wasm).map_err(|refusal| {
        Failure::new(Exit::Failed, refusal)
            .context(format!("{} would be refused", file.display()))
            .with_help("`kempe check` says what a chain makes of a module")
    })?;
    Ok(admitted.abi)
}
