//! `kempe build`: contracts to wasm.

use std::path::PathBuf;

use kempe_abi::{Abi, SECTION_NAME};
use kempe_build::{BuildRequest, build_contract};
use kempe_runtime::engine::admission::lint::lint;
use serde::Serialize;
use wasmparser::{Parser, Payload};

use crate::args::HELP;
use crate::lints::{self, FindingView};
use crate::output::{Exit, Failure, Output};

const EXAMPLES: &str = "\
Examples:
  kempe build                       the contract in this directory
  kempe build contracts/token       another one; the wasm is target/kempe/<name>.wasm

What the linter finds (`kempe check --lint`) is printed as warnings.";

/// The arguments of `kempe build`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// Directories or manifests of contracts
    #[arg(default_value = ".", value_name = "CONTRACT")]
    contracts: Vec<PathBuf>,

    /// Where to put the wasm and cargo's files [default: target/kempe of the workspace]
    #[arg(long, value_name = "DIR")]
    target_dir: Option<PathBuf>,

    /// Fail if the linter finds something; the wasm is written all the same
    #[arg(long)]
    deny_lints: bool,
}

/// What was built. Sizes are in bytes.
#[derive(Debug, Serialize)]
struct Report {
    name: String,
    contract: String,
    wasm: PathBuf,
    methods: usize,
    size_bytes: usize,
    code_bytes: usize,
    data_bytes: usize,
    abi_bytes: usize,
    memory_bytes: u32,
    stack_bytes: u32,
    lints: Vec<FindingView>,
}

pub(super) fn run(args: &Args, output: &Output) -> Result<(), Failure> {
    let (mut reports, mut n_found) = (Vec::new(), 0);
    for contract in &args.contracts {
        let request = BuildRequest {
            manifest_path: contract.clone(),
            target_dir: args.target_dir.clone(),
            color: output.color(),
        };
        let built = build_contract(&request)?;
        output.note(&built.diagnostics);
        let sizes = Sizes::of(&built.wasm)?;
        let abi = sizes.abi.as_deref().map(Abi::decode).transpose()?.ok_or_else(|| {
            Failure::new(Exit::Failed, format!("`{}` declares no contract", built.name))
                .with_help("mark the struct that is the state, and its impl, with `#[contract]`")
        })?;
        let found = match lint(&built.wasm) {
            Ok(findings) => lints::views(&abi, &findings),
            Err(refusal) => {
                output.warn(format_args!("`{}` would not be admitted: {refusal}", built.name));
                Vec::new()
            }
        };
        let n_here = lints::count(&found);
        if n_here > 0 {
            output.warn(format_args!("the linter on `{}`\n{}", built.name, lints::text(&found)));
        }
        n_found += n_here;
        reports.push(Report {
            name: built.name,
            contract: abi.name,
            wasm: built.wasm_path,
            methods: abi.methods.len(),
            size_bytes: built.wasm.len(),
            code_bytes: sizes.code,
            data_bytes: sizes.data,
            abi_bytes: sizes.abi.map_or(0, |abi| abi.len()),
            memory_bytes: built.settings.memory_bytes,
            stack_bytes: built.settings.stack_bytes,
            lints: found,
        });
    }
    let text = reports.iter().map(line).collect::<Vec<_>>().join("\n");
    output.result(text, &reports)?;
    lints::deny(args.deny_lints, n_found)
}

fn line(report: &Report) -> String {
    format!(
        "{}\n  contract {} with {} methods, {} bytes: code {}, data {}, abi {}\n  memory {} bytes, of them stack {}",
        report.wasm.display(),
        report.contract,
        report.methods,
        report.size_bytes,
        report.code_bytes,
        report.data_bytes,
        report.abi_bytes,
        report.memory_bytes,
        report.stack_bytes,
    )
}

struct Sizes {
    code: usize,
    data: usize,
    abi: Option<Vec<u8>>,
}

impl Sizes {
    fn of(wasm: &[u8]) -> anyhow::Result<Self> {
        let mut sizes = Self { code: 0, data: 0, abi: None };
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::CodeSectionStart { range, .. } => sizes.code = range.len(),
                Payload::DataSection(section) => sizes.data = section.range().len(),
                Payload::CustomSection(section) if section.name() == SECTION_NAME => {
                    sizes.abi.get_or_insert_default().extend_from_slice(section.data());
                }
                _ => {}
            }
        }
        Ok(sizes)
    }
}
