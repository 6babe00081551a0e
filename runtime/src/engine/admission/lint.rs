//! The linter: what is admitted, and keeps calls from running at the same time without need.
//!
//! It looks at templates and at what the code can reach, which admission has proved, and for
//! [`Rule::CouldAdd`] at what the code computes. Everything it says follows from the module: it knows
//! no arguments and no state, so it is silent where these decide.

mod adds;
mod contract;
mod methods;
mod paths;
mod symbols;

use kempe_abi::{Abi, AccessKind, Allowance, CellKind, Clause, Expr, Field, Method, Type};

use super::refusal::Refusal;
use super::{FieldReach, prove};

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A clause that the code never uses: it never touches the field so, it cannot know the key, or
    /// another clause permits the same.
    OverDeclared,
    /// A cell is declared with `write`, and the code only reads it, or only adds to it.
    NeverWritten,
    /// A number is read and written, and all that happens to it is that something is added or
    /// subtracted, so that a counter would do and its calls would commute.
    CouldAdd,
    /// Most methods that change state write one and the same cell, and none needs what it holds.
    EveryCall,
    /// One cell holds a whole map, or `dynamic` stands for the whole contract where the template could
    /// name the cells.
    WholeMap,
    /// The method allows a rule of which nothing is found there, or gives no reason. Cannot be allowed.
    UnusedAllow,
}

impl Rule {
    /// All rules.
    pub const ALL: [Self; 6] = [
        Self::OverDeclared,
        Self::NeverWritten,
        Self::CouldAdd,
        Self::EveryCall,
        Self::WholeMap,
        Self::UnusedAllow,
    ];

    /// A stable word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::OverDeclared => "over-declared",
            Self::NeverWritten => "never-written",
            Self::CouldAdd => "could-add",
            Self::EveryCall => "every-call",
            Self::WholeMap => "whole-map",
            Self::UnusedAllow => "unused-allow",
        }
    }
}

/// Something that keeps calls from running at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub rule: Rule,
    /// The method, by its position in the ABI.
    pub method: usize,
    /// The field, by name; none for a call or for `dynamic`.
    pub field: Option<String>,
    /// What is found, in a sentence.
    pub explanation: String,
    /// How to mend it.
    pub fix: Fix,
    /// Why it is let stand, if the method [allows](kempe_abi::Allowance) it.
    pub allowed: Option<String>,
}

/// How to mend a finding: what to write in place of what is there. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fix {
    /// The field, as a line of the contract's struct.
    pub field: Option<String>,
    /// The whole template of the method, mended for everything that is found of the method and can be
    /// said in a template.
    pub access: Option<Vec<Clause>>,
    /// What to write in the method's body, in place of the write.
    pub code: Option<String>,
}

/// Marks what is let stand, and adds what lets nothing stand.
fn allow(abi: &Abi, findings: &mut Vec<Finding>) {
    // What is added here cannot be let stand.
    let n_found = findings.len();
    for Allowance { method: name, rule, reason } in &abi.allowances {
        let method = abi.methods.iter().position(|method| method.name == *name);
        let method = method.expect("decoding checks that there is such a method");
        let is_blank = reason.trim().is_empty();
        let mut used = false;
        for finding in findings[..n_found].iter_mut().filter(|_| !is_blank) {
            if finding.method == method && finding.rule.word() == rule {
                finding.allowed = Some(reason.clone());
                used = true;
            }
        }
        let explanation = match (used, is_blank) {
            (true, _) => continue,
            (false, true) => format!("`{name}` allows `{rule}` without a reason, so it is not"),
            (false, false) => {
                format!("`{name}` allows `{rule}`, of which nothing is found in it: remove that")
            }
        };
        let (rule, fix, allowed) = (Rule::UnusedAllow, Fix::default(), None);
        findings.push(Finding { rule, method, field: None, explanation, fix, allowed });
    }
}

/// Whether the findings of a rule stand in a method.
fn allows(abi: &Abi, method: &Method, rule: Rule) -> bool {
    abi.allowances.iter().any(|allowance| {
        allowance.method == method.name
            && allowance.rule == rule.word()
            && !allowance.reason.trim().is_empty()
    })
}

/// Looks for what keeps calls from running at the same time.
///
/// The findings are in the order of the rules, then of the methods; those that a method allows are among them. Costs as much as admission, and
/// for [`Rule::CouldAdd`] at most a fixed number of steps for each method and field that is both read
/// and written.
///
/// # Errors
/// [`Refusal`], if the module is not admitted.
pub fn lint(wasm: &[u8]) -> Result<Vec<Finding>, Refusal> {
    let proved = prove(wasm)?;
    let mut findings = Vec::new();
    let all: Vec<View<'_>> = proved.views().collect();
    for view in &all {
        methods::templates(view, &mut findings);
        methods::dynamic(view, &mut findings);
        methods::collections(view, &mut findings);
    }
    let adds = adds::find(&proved, &all);
    for &(method, field) in &adds {
        findings.push(methods::could_add(&all[method], field));
    }
    contract::every_call(&all, &adds, &mut findings);
    allow(&proved.admitted.abi, &mut findings);
    findings.sort_by_key(|finding| (finding.rule, finding.method));
    Ok(findings)
}

impl super::Proved<'_> {
    fn views(&self) -> impl Iterator<Item = View<'_>> {
        let abi = &self.admitted.abi;
        let methods = abi.methods.iter().zip(&self.admitted.methods).enumerate();
        methods.map(|(index, (method, reached))| {
            let mended = methods::mend(abi, method, reached);
            View { abi, index, method, reached, mended }
        })
    }
}

/// A method with what is known of it.
struct View<'a> {
    abi: &'a Abi,
    index: usize,
    method: &'a Method,
    reached: &'a super::AdmittedMethod,
    /// The template without what its code does not use.
    mended: methods::Mended,
}

impl View<'_> {
    fn reach(&self, field: u8) -> FieldReach {
        self.reached.of(field)
    }

    fn field(&self, field: u8) -> &Field {
        &self.abi.fields[usize::from(field)]
    }

    fn is_dynamic(&self) -> bool {
        has_dynamic(&self.method.access)
    }

    /// The mended template, with every clause of the field exchanged.
    fn exchanged(&self, field: u8, with: impl Fn(&[Expr]) -> Option<Clause>) -> Vec<Clause> {
        exchange(&self.mended.clauses, field, &with)
    }
}

impl super::AdmittedMethod {
    /// How the code can touch a field.
    fn of(&self, field: u8) -> FieldReach {
        let found = self.reach.iter().find(|reach| reach.field == field);
        found.copied().unwrap_or(FieldReach { field, ..FieldReach::default() })
    }
}

fn has_dynamic(clauses: &[Clause]) -> bool {
    clauses.iter().any(|clause| match clause {
        Clause::Dynamic => true,
        Clause::Each { clauses, .. } => has_dynamic(clauses),
        Clause::Touch { .. }
        | Clause::Start { .. }
        | Clause::Unless { .. }
        | Clause::Reserve { .. }
        | Clause::Call { .. } => false,
    })
}

fn exchange(
    clauses: &[Clause],
    number: u8,
    with: &dyn Fn(&[Expr]) -> Option<Clause>,
) -> Vec<Clause> {
    let one = |clause: &Clause| match clause {
        Clause::Touch { field, key, .. } if *field == number => with(key),
        Clause::Each { list, clauses } => {
            let clauses = exchange(clauses, number, with);
            (!clauses.is_empty()).then(|| Clause::Each { list: list.clone(), clauses })
        }
        other => Some(other.clone()),
    };
    clauses.iter().filter_map(one).collect()
}

/// The cells that a template touches whatever the call, with how: those whose keys are constants.
fn fixed_cells(clauses: &[Clause]) -> impl Iterator<Item = (u8, &[Expr], AccessKind)> {
    clauses.iter().filter_map(|clause| match clause {
        Clause::Touch { kind, field, key } if key.iter().all(is_fixed) => {
            Some((*field, &**key, *kind))
        }
        _ => None,
    })
}

/// Whether the expression has one value in all calls of the contract.
fn is_fixed(expr: &Expr) -> bool {
    match expr {
        Expr::This | Expr::Literal(_) | Expr::Immutable(_) => true,
        Expr::Member(of, _) | Expr::Shard(of, _) => is_fixed(of),
        Expr::Hash(parts) | Expr::Tuple(parts) => parts.iter().all(is_fixed),
        Expr::Caller | Expr::Param(_) | Expr::Element | Expr::Open => false,
    }
}

/// The bytes of an unsigned integer.
const fn unsigned_bytes(ty: &Type) -> Option<u32> {
    Some(match ty {
        Type::U8 => 1,
        Type::U16 => 2,
        Type::U32 => 4,
        Type::U64 => 8,
        Type::U128 => 16,
        _ => return None,
    })
}

/// A field as a line of the contract's struct.
fn field_line(name: &str, cell: CellKind, keys: &[Type], value: &Type) -> String {
    let value = rust_type(value);
    let cell = match (cell, keys) {
        (CellKind::Counter, _) => format!("Counter<{value}>"),
        (CellKind::Maximum, _) => format!("Max<{value}>"),
        (CellKind::Minimum, _) => format!("Min<{value}>"),
        (CellKind::Stock, _) => format!("Stock<{value}>"),
        (CellKind::Log, _) => format!("Log<{value}>"),
        (CellKind::Immutable, _) => format!("Immutable<{value}>"),
        (CellKind::Value, []) => format!("Item<{value}>"),
        (CellKind::Value, _) => value,
    };
    let map = |cell: String, key: &Type| format!("Map<{}, {cell}>", rust_type(key));
    format!("{name}: {},", keys.iter().rev().fold(cell, map))
}

/// A type as it stands in a contract.
fn rust_type(ty: &Type) -> String {
    let list = |types: &[Type]| types.iter().map(rust_type).collect::<Vec<_>>().join(", ");
    match ty {
        Type::Unit => "()".into(),
        Type::String => "String".into(),
        Type::Address => "Address".into(),
        Type::Hash => "Hash".into(),
        Type::Option(inner) => format!("Option<{}>", rust_type(inner)),
        Type::List(inner) => format!("Vec<{}>", rust_type(inner)),
        Type::Array(inner, n) => format!("[{}; {n}]", rust_type(inner)),
        Type::Tuple(types) => format!("({})", list(types)),
        Type::Struct(name, _) | Type::Enum(name, _) => name.clone(),
        // The words of the ABI are those of Rust.
        integer => integer.to_string(),
    }
}
