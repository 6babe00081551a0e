//! The access table that `kempe check` prints.

use std::fmt;

use kempe_abi::{AccessKind, CellKind, Clause};

use super::{Admitted, AdmittedMethod, FieldReach};

/// What each method declares and what its code reaches, one line for each field of each method.
///
/// By [`Admitted::access_table`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessTable {
    /// The lines, in the ABI's order of methods, then of fields.
    pub rows: Vec<AccessRow>,
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRow {
    /// The method.
    pub method: String,
    /// The field; empty for a method that touches none, `*` for `dynamic`.
    pub field: String,
    /// What the template declares of the field, if anything.
    pub declared: Option<AccessKind>,
    /// Whether the template declares that the value before the block is read.
    pub declared_start: bool,
    /// Whether the template declares that the method is not called where the cell is set.
    pub declared_unless: bool,
    /// Whether the template declares that it is taken from as far as there is enough.
    pub declared_reserve: bool,
    /// What a cell of the field is, for the words.
    cell: CellKind,
    /// What the code reaches of the field: `read`, `start`, `write`, `add`, `max`, `min`, `append`,
    /// `reserve`.
    pub reached: Vec<&'static str>,
}

impl AccessRow {
    /// The word for what the template declares of the field, `start`, `unless` and `reserve` aside.
    #[must_use]
    pub fn declared_word(&self) -> Option<&'static str> {
        self.declared.map(|kind| self.cell.word(kind))
    }

    /// What the template declares of the field, in words: `-` for nothing.
    #[must_use]
    pub fn declared_words(&self) -> String {
        let words: Vec<&str> = self
            .declared_word()
            .into_iter()
            .chain(self.declared_start.then_some("start"))
            .chain(self.declared_unless.then_some("unless"))
            .chain(self.declared_reserve.then_some("reserve"))
            .collect();
        match (&*words, &*self.field) {
            ([], "*") => "dynamic".into(),
            ([], _) => "-".into(),
            (words, _) => words.join(", "),
        }
    }
}

impl Admitted {
    /// What each method declares and what its code reaches.
    #[must_use]
    pub fn access_table(&self) -> AccessTable {
        let mut rows = Vec::new();
        for (method, admitted) in self.abi.methods.iter().zip(&self.methods) {
            let before = rows.len();
            let mut declared = vec![Declared::default(); self.abi.fields.len()];
            let dynamic = collect(&method.access, &mut declared);
            let row = |field: String, cell, declared: Declared, reached| AccessRow {
                method: method.name.clone(),
                field,
                declared: declared.kind,
                declared_start: declared.start,
                declared_unless: declared.unless,
                declared_reserve: declared.reserve,
                cell,
                reached,
            };
            for ((number, field), declared) in (0_u8..=u8::MAX).zip(&self.abi.fields).zip(declared)
            {
                let reached = words(admitted, number, field.cell);
                if declared != Declared::default() || !reached.is_empty() {
                    rows.push(row(field.name.clone(), field.cell, declared, reached));
                }
            }
            if dynamic {
                rows.push(row("*".into(), CellKind::Value, Declared::default(), Vec::new()));
            }
            if rows.len() == before {
                rows.push(row(String::new(), CellKind::Value, Declared::default(), Vec::new()));
            }
        }
        AccessTable { rows }
    }
}

/// What is declared of a field.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Declared {
    kind: Option<AccessKind>,
    start: bool,
    unless: bool,
    reserve: bool,
}

/// Joins what is declared of each field; whether there is a clause `dynamic`.
fn collect(clauses: &[Clause], declared: &mut [Declared]) -> bool {
    let mut dynamic = false;
    for clause in clauses {
        match clause {
            Clause::Touch { kind, field, .. } => {
                let had = &mut declared[usize::from(*field)].kind;
                *had = Some(had.map_or(*kind, |before| before.join(*kind)));
            }
            Clause::Each { clauses, .. } => dynamic |= collect(clauses, declared),
            Clause::Dynamic => dynamic = true,
            Clause::Start { field, .. } => declared[usize::from(*field)].start = true,
            Clause::Unless { field, .. } => declared[usize::from(*field)].unless = true,
            Clause::Reserve { field, .. } => declared[usize::from(*field)].reserve = true,
            Clause::Call { .. } => {}
        }
    }
    dynamic
}

fn words(method: &AdmittedMethod, number: u8, cell: CellKind) -> Vec<&'static str> {
    let Some(&FieldReach { reads, starts, writes, adds, reserves, .. }) =
        method.reach.iter().find(|reach| reach.field == number)
    else {
        return Vec::new();
    };
    let add = cell.word(AccessKind::Add);
    let words =
        [("read", reads), ("start", starts), ("write", writes), (add, adds), ("reserve", reserves)];
    words.into_iter().filter(|(_, yes)| *yes).map(|(word, _)| word).collect()
}

impl fmt::Display for AccessTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |cell: fn(&AccessRow) -> &str, head: usize| {
            self.rows.iter().map(|row| cell(row).len()).max().unwrap_or(0).max(head)
        };
        let (method, field) = (width(|row| &row.method, 6), width(|row| &row.field, 5));
        writeln!(f, "{:method$}  {:field$}  declared  reached", "method", "field")?;
        let mut last = "";
        for row in &self.rows {
            let name = if row.method == last { "" } else { &row.method };
            last = &row.method;
            let declared = row.declared_words();
            let reached = if row.reached.is_empty() { "-".into() } else { row.reached.join(", ") };
            writeln!(f, "{name:method$}  {:field$}  {declared:8}  {reached}", row.field)?;
        }
        Ok(())
    }
}
