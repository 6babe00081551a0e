//! `kempe check`: would a module be admitted, and what its methods may touch.

use std::path::PathBuf;

use comfy_table::{Table, presets};
use kempe_runtime::engine::admission::lint::lint;
use kempe_runtime::engine::admission::{AccessTable, Sizes};
use kempe_runtime::engine::{Engine, EngineError};
use kempe_runtime::types::{Limits, Prices};
use serde::Serialize;

use crate::args::HELP;
use crate::lints::{self, FindingView};
use crate::module;
use crate::output::{Exit, Failure, Output};

const EXAMPLES: &str = "\
Examples:
  kempe check token.wasm
  kempe check token.wat --json
  kempe check contracts/token       builds it first
  kempe check contracts/token --lint   also what keeps calls from running in parallel

A module that would be refused ends with code 1, and so does, with --deny-lints, one with findings.";

/// The arguments of `kempe check`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// The wasm, its text (.wat), or the directory of the contract
    file: PathBuf,

    /// Look for what keeps calls from running at the same time, and say what to write instead
    #[arg(long)]
    lint: bool,

    /// Look, and fail if something is found
    #[arg(long)]
    deny_lints: bool,
}

#[derive(Serialize)]
struct Report {
    admitted: bool,
    reason: Option<String>,
    code: Option<&'static str>,
    contract: Option<String>,
    memory_bytes: Option<u32>,
    /// What its bytes cost when it is deployed on a chain with the default prices.
    deploy_fuel: Option<u64>,
    sizes: Option<SizesView>,
    access: Vec<RowView>,
    /// Only if the linter was asked.
    lints: Option<Vec<FindingView>>,
}

impl Report {
    fn refused(reason: &impl ToString, code: &'static str) -> Self {
        Self {
            admitted: false,
            reason: Some(reason.to_string()),
            code: Some(code),
            contract: None,
            memory_bytes: None,
            deploy_fuel: None,
            sizes: None,
            access: Vec::new(),
            lints: None,
        }
    }
}

#[derive(Serialize)]
pub(super) struct SizesView {
    module_bytes: u64,
    code_bytes: u64,
    data_bytes: u64,
    abi_bytes: u64,
    functions: u64,
    imports: u64,
}

#[derive(Serialize)]
pub(super) struct RowView {
    method: String,
    field: String,
    declared: Option<&'static str>,
    declared_start: bool,
    declared_unless: bool,
    declared_reserve: bool,
    reached: Vec<&'static str>,
}

impl SizesView {
    pub(super) fn new(sizes: &Sizes) -> Self {
        Self {
            module_bytes: sizes.module_bytes,
            code_bytes: sizes.code_bytes,
            data_bytes: sizes.data_bytes,
            abi_bytes: sizes.abi_bytes,
            functions: sizes.functions,
            imports: sizes.imports,
        }
    }
}

pub(super) fn run(args: &Args, output: &Output) -> Result<(), Failure> {
    let wasm = match module::load(&args.file, output) {
        Ok(wasm) => wasm,
        // What is no module is not admitted either; a file that is not there is another matter.
        Err(failure) if args.file.is_file() => {
            output.result("refused: not-a-module", &Report::refused(&failure, "not-a-module"))?;
            return Err(failure);
        }
        Err(failure) => return Err(failure),
    };
    // Admission and compilation, exactly as when it is deployed.
    let (reason, code) = match Engine::new()?.load(&wasm) {
        Ok(code) => {
            let admitted = &code.admitted;
            let table = admitted.access_table();
            let found = if args.lint || args.deny_lints {
                Some(lints::views(&admitted.abi, &lint(&wasm).map_err(EngineError::Refused)?))
            } else {
                None
            };
            let deploy_fuel =
                Prices::default().deployment(wasm.len() as u64, admitted.sizes.effort);
            let fuel_max = Limits::default().tx_fuel_max;
            if deploy_fuel > fuel_max {
                output.note(format!(
                    "note: deploying it takes {deploy_fuel} fuel, and a chain permits {fuel_max} by default: \
                     at most {} bytes, and code that is as quickly compiled",
                    fuel_max / Prices::default().deploy_byte
                ));
            }
            let n_found = found.as_deref().map_or(0, lints::count);
            let lint_text = found.as_deref().map(lints::text).unwrap_or_default();
            let report = Report {
                admitted: true,
                reason: None,
                code: None,
                contract: Some(admitted.abi.name.clone()),
                memory_bytes: Some(admitted.memory_bytes),
                deploy_fuel: Some(deploy_fuel),
                sizes: Some(SizesView::new(&admitted.sizes)),
                access: rows(&table),
                lints: found,
            };
            let head = format!(
                "admitted: contract {}, {} bytes, memory {} bytes\n\n",
                admitted.abi.name, admitted.sizes.module_bytes, admitted.memory_bytes
            );
            let text = format!("{head}{}\n\n{lint_text}", text(&table));
            output.result(text.trim_end(), &report)?;
            return lints::deny(args.deny_lints, n_found);
        }
        Err(EngineError::Refused(refusal)) => (refusal.to_string(), refusal.code()),
        Err(error) => return Err(error.into()),
    };
    output.result(format!("refused: {code}"), &Report::refused(&reason, code))?;
    Err(Failure::new(Exit::Failed, reason)
        .with_help("`kempe inspect` shows what the module is made of")
        .context(format!("{} is refused", args.file.display())))
}

pub(super) fn rows(table: &AccessTable) -> Vec<RowView> {
    let view = |row: &kempe_runtime::engine::admission::AccessRow| RowView {
        method: row.method.clone(),
        field: row.field.clone(),
        declared: row.declared_word(),
        declared_start: row.declared_start,
        declared_unless: row.declared_unless,
        declared_reserve: row.declared_reserve,
        reached: row.reached.clone(),
    };
    table.rows.iter().map(view).collect()
}

/// The table: what each method declares, and what its code can reach.
fn text(access: &AccessTable) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["method", "field", "declared", "code reaches"]);
    let mut last = "";
    for row in &access.rows {
        let method = if row.method == last { "" } else { &*row.method };
        last = &row.method;
        let declared = row.declared_words();
        let reached = if row.reached.is_empty() { "-".into() } else { row.reached.join(", ") };
        let field = crate::abi_view::printable(&row.field);
        table.add_row([crate::abi_view::printable(method), field, declared, reached]);
    }
    table.trim_fmt()
}
