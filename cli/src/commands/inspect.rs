//! `kempe inspect`: what a module is made of.

use std::fmt::Write;
use std::path::PathBuf;

use comfy_table::{Table, presets};
use kempe_abi::{Abi, MethodKind, SECTION_NAME};
use serde::Serialize;
use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

use crate::abi_view::{access_lines, printable, render, signature};
use crate::args::HELP;
use crate::module;
use crate::output::{Failure, Output};

const EXAMPLES: &str = "\
Examples:
  kempe inspect token.wasm
  kempe inspect token.wat --json
  kempe inspect contracts/token     builds it first

Shows modules too that `kempe check` refuses.";

/// The arguments of `kempe inspect`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// The wasm, its text (.wat), or the directory of the contract
    file: PathBuf,
}

#[derive(Serialize)]
struct Report {
    size_bytes: usize,
    code_hash: String,
    contract: Option<ContractView>,
    abi_error: Option<String>,
    imports: Vec<ImportView>,
    exports: Vec<ExportView>,
    sections: Vec<SectionView>,
    #[serde(skip)]
    abi: Option<Abi>,
}

#[derive(Serialize)]
struct ContractView {
    name: String,
    interfaces: Vec<InterfaceView>,
    fields: Vec<String>,
    methods: Vec<MethodView>,
    events: Vec<String>,
}

#[derive(Serialize)]
struct InterfaceView {
    id: String,
    name: String,
}

#[derive(Serialize)]
struct MethodView {
    kind: &'static str,
    name: String,
    signature: String,
    access: Vec<String>,
    errors: Vec<(u32, String)>,
}

#[derive(Serialize)]
struct ImportView {
    module: String,
    name: String,
}

#[derive(Serialize)]
struct ExportView {
    name: String,
    kind: &'static str,
}

#[derive(Serialize)]
struct SectionView {
    name: String,
    size_bytes: usize,
}

pub(super) fn run(args: &Args, output: &Output) -> Result<(), Failure> {
    let wasm = module::load(&args.file, output)?;
    let report = inspect(&wasm)?;
    Ok(output.result(text(&report), &report)?)
}

fn inspect(wasm: &[u8]) -> Result<Report, Failure> {
    let mut report = Report {
        size_bytes: wasm.len(),
        code_hash: kempe_abi::Hash(*blake3::hash(wasm).as_bytes()).to_string(),
        contract: None,
        abi_error: None,
        imports: Vec::new(),
        exports: Vec::new(),
        sections: Vec::new(),
        abi: None,
    };
    let mut section: Option<Vec<u8>> = None;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        match &payload {
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports() {
                    let import = import?;
                    let what =
                        if matches!(import.ty, TypeRef::Func(_)) { "" } else { " (no function)" };
                    report.imports.push(ImportView {
                        module: import.module.to_owned(),
                        name: format!("{}{what}", import.name),
                    });
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports.clone() {
                    let export = export?;
                    let kind = match export.kind {
                        ExternalKind::Func => "function",
                        ExternalKind::Memory => "memory",
                        ExternalKind::Global => "global",
                        ExternalKind::Table => "table",
                        _ => "other",
                    };
                    report.exports.push(ExportView { name: export.name.to_owned(), kind });
                }
            }
            Payload::CustomSection(custom) if custom.name() == SECTION_NAME => {
                section.get_or_insert_default().extend_from_slice(custom.data());
            }
            _ => {}
        }
        let size = |range: &std::ops::Range<usize>| range.len();
        let named = match &payload {
            Payload::CustomSection(custom) => Some((custom.name().to_owned(), custom.data().len())),
            Payload::CodeSectionStart { range, .. } => Some(("code".to_owned(), size(range))),
            Payload::DataSection(data) => Some(("data".to_owned(), size(&data.range()))),
            _ => None,
        };
        if let Some((name, size_bytes)) = named {
            report.sections.push(SectionView { name, size_bytes });
        }
    }
    match section.as_deref().map(Abi::decode) {
        None => report.abi_error = Some(format!("there is no section `{SECTION_NAME}`")),
        Some(Err(error)) => report.abi_error = Some(error.to_string()),
        Some(Ok(abi)) => {
            report.contract = Some(contract(&abi));
            report.abi = Some(abi);
        }
    }
    Ok(report)
}

fn contract(abi: &Abi) -> ContractView {
    let method = |method: &kempe_abi::Method| MethodView {
        kind: match method.kind {
            MethodKind::Init => "init",
            MethodKind::Call => "call",
            MethodKind::View => "view",
            MethodKind::Migrate => "migrate",
        },
        name: method.name.clone(),
        signature: signature(method),
        access: access_lines(abi, method),
        errors: method
            .error
            .iter()
            .flat_map(|set| &set.cases)
            .map(|case| (case.code, case.name.clone()))
            .collect(),
    };
    let interface = |interface: &kempe_abi::Interface| InterfaceView {
        id: interface.id().to_string(),
        name: interface.name.clone(),
    };
    ContractView {
        name: abi.name.clone(),
        interfaces: abi.interfaces.iter().map(interface).collect(),
        fields: abi.fields.iter().map(|field| field.name.clone()).collect(),
        methods: abi.methods.iter().map(method).collect(),
        events: abi.events.iter().map(|event| event.name.clone()).collect(),
    }
}

fn text(report: &Report) -> String {
    let mut text = match (&report.abi, &report.abi_error) {
        (Some(abi), _) => render(abi),
        (None, Some(error)) => format!("no contract: {}\n", printable(error)),
        (None, None) => String::new(),
    };
    let mut put = |title: &str, rows: Vec<[String; 2]>| {
        if rows.is_empty() {
            return;
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.add_rows(rows);
        write!(text, "\n{title}\n{}\n", table.trim_fmt()).expect("a string takes any text");
    };
    let import = |view: &ImportView| [printable(&view.module), printable(&view.name)];
    put("imports", report.imports.iter().map(import).collect());
    let export = |view: &ExportView| [view.kind.to_owned(), printable(&view.name)];
    put("exports", report.exports.iter().map(export).collect());
    let section = |view: &SectionView| [format!("{:>8}", view.size_bytes), printable(&view.name)];
    let mut sizes: Vec<_> = report.sections.iter().map(section).collect();
    sizes.push([format!("{:>8}", report.size_bytes), "the whole module".into()]);
    put("bytes", sizes);
    text
}
