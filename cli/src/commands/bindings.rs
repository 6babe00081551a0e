//! `kempe bindings`: clients of contracts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use kempe_abi::Abi;
use kempe_runtime::engine::admission::admit;
use serde::Serialize;

use crate::args::HELP;
use crate::bindings;
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
    dir: PathBuf,
    files: Vec<PathBuf>,
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
    let is_ours = out.join("kempe.js").is_file();
    let is_taken = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    if out.is_file() || is_taken && !is_ours {
        let message = format!("{} is there already, and is no package of ours", out.display());
        return Err(Failure::new(Exit::Failed, message).with_help("name another one with --out"));
    }
    fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
    let mut written = Vec::new();
    for file in &package {
        let path = out.join(&file.name);
        fs::write(&path, &file.contents).with_context(|| format!("writing {}", path.display()))?;
        written.push(path);
    }
    let package = Package { dir: out.to_owned(), files: written };
    Ok(output.result(package.dir.display(), &package)?)
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
