//! What is found in one method: its template against its reach, and what its cells hold.

use kempe_abi::{Abi, AccessKind, CellKind, Clause, Expr, Method, MethodKind, Type};

use super::super::{AdmittedMethod, FieldReach};
use super::{Finding, Fix, Rule, View, field_line, fixed_cells, is_fixed};

/// A template without what its code does not use, and what was taken out or weakened.
#[derive(Debug, Default)]
pub(super) struct Mended {
    pub(super) clauses: Vec<Clause>,
    changes: Vec<Change>,
}

/// A clause that says too much.
#[derive(Debug)]
struct Change {
    rule: Rule,
    /// The field; none for a call.
    field: Option<u8>,
    /// What is wrong, behind the clause's words.
    what: String,
}

/// Takes out of a template what the method's code does not use, unless that is allowed. A method with `dynamic` is left as it
/// is: its clauses only spare it the simulation.
pub(super) fn mend(abi: &Abi, method: &Method, reached: &AdmittedMethod) -> Mended {
    let mut mended = Mended { clauses: method.access.clone(), changes: Vec::new() };
    if method.kind == MethodKind::Init || super::has_dynamic(&method.access) {
        return mended;
    }
    let [keeps_over, keeps_written] =
        [Rule::OverDeclared, Rule::NeverWritten].map(|rule| super::allows(abi, method, rule));
    let changes = Vec::new();
    let mut mender = Mender { abi, method, reached, keeps_over, keeps_written, changes };
    mended.clauses = mender.clauses(&method.access);
    mended.changes = mender.changes;
    mended
}

struct Mender<'a> {
    abi: &'a Abi,
    method: &'a Method,
    reached: &'a AdmittedMethod,
    /// Whether what is declared and not used stands.
    keeps_over: bool,
    /// Whether what is declared as written and is not stands.
    keeps_written: bool,
    changes: Vec<Change>,
}

impl Mender<'_> {
    fn clauses(&mut self, clauses: &[Clause]) -> Vec<Clause> {
        let mut kept: Vec<Clause> = Vec::new();
        for (i, clause) in clauses.iter().enumerate() {
            let others = clauses[..i].iter().map(|other| (other, true));
            let others = others.chain(clauses[i + 1..].iter().map(|other| (other, false)));
            if let Some(other) = others.into_iter().find_map(|(other, before)| {
                (covers(other, clause) && (before || !covers(clause, other))).then_some(other)
            }) {
                self.repeated(clause, other);
                if !self.keeps_over {
                    continue;
                }
            }
            kept.extend(self.clause(clause));
        }
        kept
    }

    fn clause(&mut self, clause: &Clause) -> Option<Clause> {
        match clause {
            Clause::Touch { kind, field, key } => {
                let key = self.key(*field, key);
                let kind = self.touch(*kind, *field, &key)?;
                Some(Clause::Touch { kind, field: *field, key })
            }
            Clause::Start { field, .. } if !self.reached.of(*field).starts => {
                let name = self.name(*field);
                self.over(
                    Some(*field),
                    format!("never looks at what `{name}` held before the block"),
                );
                self.keeps_over.then(|| clause.clone())
            }
            Clause::Reserve { field, .. } if !self.reached.of(*field).reserves => {
                let name = self.name(*field);
                self.over(Some(*field), format!("never takes from `{name}`"));
                self.keeps_over.then(|| clause.clone())
            }
            Clause::Call { method, .. } if !self.reached.calls => {
                self.over(
                    None,
                    format!("declares a call of `{method}`, but calls no other contract"),
                );
                self.keeps_over.then(|| clause.clone())
            }
            Clause::Each { list, clauses } => {
                let clauses = self.clauses(clauses);
                (!clauses.is_empty()).then(|| Clause::Each { list: list.clone(), clauses })
            }
            // A guard is used by being there.
            Clause::Unless { .. }
            | Clause::Start { .. }
            | Clause::Reserve { .. }
            | Clause::Call { .. }
            | Clause::Dynamic => Some(clause.clone()),
        }
    }

    /// The key; or where the code cannot know it, and no other clause of the field has one that it can, with arguments of the
    /// same types instead, which the code takes for it then: every call would be stopped, unless they happen to be equal.
    fn key(&mut self, field: u8, key: &[Expr]) -> Vec<Expr> {
        let why = key.iter().find_map(|part| self.unknowable(part));
        let types = &self.abi.fields[usize::from(field)].keys;
        let known = |(part, ty): (&Expr, &Type)| match self.unknowable(part) {
            Some(_) => argument_of(self.method, ty).filter(|arg| self.unknowable(arg).is_none()),
            None => Some(part.clone()),
        };
        let known: Option<Vec<Expr>> = key.iter().zip(types).map(known).collect();
        let (Some(why), Some(known)) = (why, known.filter(|_| !self.has_other_key(field))) else {
            return key.to_vec();
        };
        let name = self.name(field);
        let what = format!(
            "declares a cell of `{name}` whose key it cannot know: {why}. What it touches is another cell, which stops the call"
        );
        self.over(Some(field), what);
        if self.keeps_over { key.to_vec() } else { known }
    }

    /// The kind that is enough; `None` if the clause is of no use.
    fn touch(&mut self, kind: AccessKind, field: u8, key: &[Expr]) -> Option<AccessKind> {
        let FieldReach { reads, writes, adds, reserves, .. } = self.reached.of(field);
        let name = self.name(field);
        let used = match kind {
            AccessKind::Read => reads,
            AccessKind::Add => adds,
            AccessKind::Write => reads || writes || adds || reserves,
        };
        if !used {
            let word = kind.word();
            self.over(Some(field), format!("declares `{word}` of `{name}`, but never does that"));
            return self.keeps_over.then_some(kind);
        }
        if let Some(why) = key.iter().find_map(|part| self.unknowable(part))
            && self.has_other_key(field)
        {
            self.over(
                Some(field),
                format!("declares a cell of `{name}` whose key it cannot know: {why}"),
            );
            return self.keeps_over.then_some(kind);
        }
        let enough = match (reads, writes || reserves, adds) {
            (true, false, false) => AccessKind::Read,
            (false, false, true) => AccessKind::Add,
            _ => return Some(kind),
        };
        if kind == AccessKind::Write {
            let does = if enough == AccessKind::Read { "reads it" } else { "adds to it" };
            let what = format!("declares `write` of `{name}`, but only {does}");
            self.changes.push(Change { rule: Rule::NeverWritten, field: Some(field), what });
            return Some(if self.keeps_written { kind } else { enough });
        }
        Some(kind)
    }

    /// Why the code cannot know the value of an expression, if it cannot.
    fn unknowable(&self, expr: &Expr) -> Option<String> {
        let lacks = |host: &str| !self.reached.host.contains(&host);
        match expr {
            Expr::Caller if lacks("caller") => Some("it never asks who calls".into()),
            Expr::This if lacks("this") => Some("it never asks for its own address".into()),
            Expr::Param(_) if lacks("input") => Some("it never reads its arguments".into()),
            Expr::Immutable(field) if !self.reached.of(*field).reads => {
                Some(format!("it never reads `{}`", self.name(*field)))
            }
            Expr::Hash(_) if lacks("blake3") => Some("it hashes nothing".into()),
            Expr::Member(of, _) => self.unknowable(of),
            Expr::Hash(parts) | Expr::Tuple(parts) => {
                parts.iter().find_map(|part| self.unknowable(part))
            }
            _ => None,
        }
    }

    /// Whether some clause of the field has a key that the code can know; if none has, the code has
    /// another way to its key, and what that is cannot be said.
    fn has_other_key(&self, field: u8) -> bool {
        fn any(clauses: &[Clause], test: &dyn Fn(&Clause) -> bool) -> bool {
            clauses.iter().any(|clause| match clause {
                Clause::Each { clauses, .. } => any(clauses, test),
                clause => test(clause),
            })
        }
        any(&self.method.access, &|clause| {
            matches!(clause, Clause::Touch { field: found, key, .. }
                if *found == field && key.iter().all(|part| self.unknowable(part).is_none()))
        })
    }

    fn repeated(&mut self, clause: &Clause, other: &Clause) {
        let (what, field) = match (clause, other) {
            (Clause::Touch { kind, field, .. }, Clause::Touch { kind: other, .. }) => {
                let (kind, other, name) = (kind.word(), other.word(), self.name(*field));
                (
                    format!(
                        "declares `{kind}` of a cell of `{name}` that it declares with `{other}` too"
                    ),
                    Some(*field),
                )
            }
            (Clause::Start { field, .. }, _) => {
                (format!("declares `start` of `{}` twice", self.name(*field)), Some(*field))
            }
            (Clause::Unless { field, .. }, _) => {
                (format!("declares `unless` of `{}` twice", self.name(*field)), Some(*field))
            }
            _ => ("declares the same clause twice".into(), None),
        };
        self.over(field, what);
    }

    fn over(&mut self, field: Option<u8>, what: String) {
        self.changes.push(Change { rule: Rule::OverDeclared, field, what });
    }

    fn name(&self, field: u8) -> &str {
        &self.abi.fields[usize::from(field)].name
    }
}

/// Whether `clause` permits everything that `other` permits, of the same cell.
fn covers(clause: &Clause, other: &Clause) -> bool {
    match (clause, other) {
        // What two of them permit adds up.
        (Clause::Reserve { .. }, Clause::Reserve { .. }) => false,
        (
            Clause::Touch { kind: a, field: f, key: k },
            Clause::Touch { kind: b, field: g, key: l },
        ) => (f, k) == (g, l) && a.permits(*b),
        (a, b) => a == b,
    }
}

/// Findings of what [`mend`] changed.
pub(super) fn templates(view: &View<'_>, findings: &mut Vec<Finding>) {
    findings.extend(view.mended.changes.iter().map(|change| Finding {
        rule: change.rule,
        method: view.index,
        field: change.field.map(|field| view.field(field).name.clone()),
        explanation: format!("`{}` {}", view.method.name, change.what),
        fix: Fix { access: Some(view.mended.clauses.clone()), ..Fix::default() },
        allowed: None,
    }));
}

/// `dynamic` where the code reaches only cells without keys: a template can name them all.
pub(super) fn dynamic(view: &View<'_>, findings: &mut Vec<Finding>) {
    let mut fields = view
        .reached
        .reach
        .iter()
        .filter(|reach| view.field(reach.field).cell != CellKind::Immutable);
    let fixed = fields.clone().all(|reach| view.field(reach.field).keys.is_empty());
    if !view.is_dynamic() || view.reached.calls || !fixed {
        return;
    }
    let name = &view.method.name;
    let explanation = if fields.clone().next().is_none() {
        format!("`{name}` declares `dynamic`, but touches no state that changes")
    } else {
        format!(
            "`{name}` declares `dynamic`, which is simulated first and may touch everything, but touches only fields without keys"
        )
    };
    let clauses = fields.by_ref().flat_map(|reach| {
        let touch = |kind| Clause::Touch { kind, field: reach.field, key: Vec::new() };
        let kind = match (reach.reads, reach.writes || reach.reserves, reach.adds) {
            (false, false, false) => None,
            (true, false, false) => Some(AccessKind::Read),
            (false, false, true) => Some(AccessKind::Add),
            _ => Some(AccessKind::Write),
        };
        let start = Clause::Start { field: reach.field, key: Vec::new() };
        kind.map(touch).into_iter().chain(reach.starts.then_some(start))
    });
    let access = Some(clauses.collect());
    findings.push(Finding {
        rule: Rule::WholeMap,
        method: view.index,
        field: None,
        explanation,
        fix: Fix { access, ..Fix::default() },
        allowed: None,
    });
}

/// A cell with a fixed key that holds a list of pairs, which the method reads and writes: a map in one
/// cell.
pub(super) fn collections(view: &View<'_>, findings: &mut Vec<Finding>) {
    if view.method.kind != MethodKind::Call {
        return;
    }
    for (number, key, kind) in fixed_cells(&view.mended.clauses) {
        let (field, reach) = (view.field(number), view.reach(number));
        let Some((entry, value)) = entries(&field.value) else { continue };
        if kind != AccessKind::Write || !reach.reads || !reach.writes {
            continue;
        }
        let mut keys = field.keys.clone();
        keys.push(entry.clone());
        let part = part_of(view.method, entry);
        let access = part.map(|part| {
            view.exchanged(number, |key| {
                let is_fixed = key.iter().all(is_fixed);
                let key = key.iter().cloned().chain(is_fixed.then(|| part.clone())).collect();
                Some(Clause::Touch { kind: AccessKind::Write, field: number, key })
            })
        });
        let cell = if key.is_empty() { "a cell" } else { "one cell of a map" };
        findings.push(Finding {
            rule: Rule::WholeMap,
            method: view.index,
            field: Some(field.name.clone()),
            explanation: format!(
                "`{}` reads and writes all entries of `{}`, which is a map in {cell}: calls for different entries wait for each other",
                view.method.name, field.name
            ),
            fix: Fix {
                field: Some(field_line(&field.name, CellKind::Value, &keys, &value)),
                access,
                code: None,
            },
            allowed: None,
        });
    }
}

/// The key and the value of the entries, where a value is a list of pairs.
fn entries(ty: &Type) -> Option<(&Type, Type)> {
    let Type::List(entry) = ty else { return None };
    match &**entry {
        Type::Tuple(parts) => match &**parts {
            [key, value] => Some((key, value.clone())),
            [key, rest @ ..] if !rest.is_empty() => Some((key, Type::Tuple(rest.to_vec()))),
            _ => None,
        },
        Type::Struct(_, members) if members.len() > 1 => Some((&members[0].ty, (**entry).clone())),
        _ => None,
    }
}

/// A parameter of the type, or the caller if it is an address.
fn part_of(method: &Method, ty: &Type) -> Option<Expr> {
    argument_of(method, ty).or_else(|| (*ty == Type::Address).then_some(Expr::Caller))
}

/// The first parameter of the type.
fn argument_of(method: &Method, ty: &Type) -> Option<Expr> {
    let param = (0_u8..).zip(&method.params).find(|(_, param)| param.ty == *ty);
    param.map(|(index, _)| Expr::Param(index))
}

/// A finding of a read and a write that could be an addition.
pub(super) fn could_add(view: &View<'_>, number: u8) -> Finding {
    let field = view.field(number);
    let counter = field.cell == CellKind::Counter;
    let touch = |key: &[Expr]| {
        Some(Clause::Touch { kind: AccessKind::Add, field: number, key: key.to_vec() })
    };
    let key = if field.keys.is_empty() { "" } else { "key, " };
    let name = &field.name;
    Finding {
        rule: Rule::CouldAdd,
        method: view.index,
        field: Some(name.clone()),
        explanation: format!(
            "`{}` reads `{name}` only to add to it or to subtract from it, and to stop where that does not fit: as an `add`, its calls do not wait for each other",
            view.method.name
        ),
        fix: Fix {
            field: (!counter)
                .then(|| field_line(name, CellKind::Counter, &field.keys, &field.value)),
            access: Some(view.exchanged(number, touch)),
            code: Some(format!("self.{name}.add({key}amount);  // or `sub`")),
        },
        allowed: None,
    }
}
