//! What the linter found, for people and for programs.

use comfy_table::{Table, presets};
use kempe_abi::Abi;
use kempe_runtime::engine::admission::lint::Finding;
use serde::Serialize;

use crate::abi_view::{access_lines, printable};
use crate::output::{Exit, Failure};

/// A finding, in the words of the contract.
#[derive(Debug, Serialize)]
pub(crate) struct FindingView {
    rule: &'static str,
    method: String,
    field: Option<String>,
    explanation: String,
    /// Lines to paste, from the struct's field to the method's body.
    fix: Vec<String>,
    /// Why it is let stand.
    allowed: Option<String>,
}

impl FindingView {
    fn new(abi: &Abi, finding: &Finding) -> Self {
        let method = &abi.methods[finding.method];
        let access = finding.fix.access.as_ref().map(|access| {
            let method = kempe_abi::Method { access: access.clone(), ..method.clone() };
            format!("#[access({})]", access_lines(abi, &method).join(", "))
        });
        let lines = [&finding.fix.field, &access, &finding.fix.code];
        Self {
            rule: finding.rule.word(),
            method: printable(&method.name),
            field: finding.field.as_deref().map(printable),
            explanation: printable(&finding.explanation),
            fix: lines.into_iter().flatten().map(|line| printable(line)).collect(),
            allowed: finding.allowed.as_deref().map(printable),
        }
    }
}

/// Findings in the words of their contract.
pub(crate) fn views(abi: &Abi, findings: &[Finding]) -> Vec<FindingView> {
    findings.iter().map(|finding| FindingView::new(abi, finding)).collect()
}

/// How many findings are not let stand.
pub(crate) fn count(findings: &[FindingView]) -> usize {
    findings.iter().filter(|finding| finding.allowed.is_none()).count()
}

/// The findings as a table: each with its explanation, then the lines to paste, or why it stands.
pub(crate) fn text(findings: &[FindingView]) -> String {
    if findings.is_empty() {
        return "lint: nothing found".into();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["lint", "method", "field", "found, and what to write"]);
    for finding in findings {
        let field = finding.field.as_deref().unwrap_or("-");
        table.add_row([finding.rule, &finding.method, field, &finding.explanation]);
        if let Some(reason) = &finding.allowed {
            table.add_row(["", "", "", &format!("  allowed: {reason}")]);
            continue;
        }
        for line in &finding.fix {
            table.add_row(["", "", "", &format!("  {line}")]);
        }
    }
    table.trim_fmt()
}

/// Fails if there are findings and they are denied.
pub(crate) fn deny(denied: bool, found: usize) -> Result<(), Failure> {
    if !denied || found == 0 {
        return Ok(());
    }
    let findings = if found == 1 { "finding" } else { "findings" };
    Err(Failure::new(Exit::Failed, format!("{found} {findings} of the linter"))
        .with_help("write what stands below each, allow it with a reason, as in `#[access(allow(every_call = \"why\"))]`, or leave out `--deny-lints`"))
}
