//! What is found in a contract as a whole.

use kempe_abi::{AccessKind, CellKind, Clause, Expr, MethodKind};

use super::{Finding, Fix, Rule, View, field_line, fixed_cells};

/// Cells that every call writes though none needs what they hold.
///
/// That is a cell with a fixed key which each method that changes state writes, and which none of these
/// reads, or reads only to add to it. Such a cell makes every call of the contract wait for the one
/// before. Where calls do need what the cell holds, the contract is sequential by its meaning, and
/// there is nothing to say. One method alone is not enough to tell, and neither is `dynamic`.
pub(super) fn every_call(views: &[View<'_>], adds: &[(usize, u8)], findings: &mut Vec<Finding>) {
    let calls: Vec<&View<'_>> =
        views.iter().filter(|view| view.method.kind == MethodKind::Call).collect();
    let [first, rest @ ..] = &*calls else { return };
    if rest.is_empty() || calls.iter().any(|view| view.is_dynamic()) {
        return;
    }
    for (number, key, kind) in fixed_cells(&first.mended.clauses) {
        let writes = |view: &&View<'_>| {
            view.reach(number).writes
                && fixed_cells(&view.mended.clauses).any(|cell| cell == (number, key, kind))
        };
        if kind != AccessKind::Write || !calls.iter().all(writes) {
            continue;
        }
        let adds = calls.iter().all(|view| adds.contains(&(view.index, number)));
        let unread = calls.iter().all(|view| !view.reach(number).reads);
        if adds || unread {
            findings.push(finding(first, number, key, adds));
        }
    }
}

fn finding(view: &View<'_>, number: u8, key: &[Expr], adds: bool) -> Finding {
    let field = view.field(number);
    let name = &field.name;
    let what = format!(
        "every call that changes state writes the same cell of `{name}`, so that all wait for each other"
    );
    let fix = if adds {
        let add = |key: &[Expr]| {
            Some(Clause::Touch { kind: AccessKind::Add, field: number, key: key.to_vec() })
        };
        Fix {
            field: (field.cell != CellKind::Counter)
                .then(|| field_line(name, CellKind::Counter, &field.keys, &field.value)),
            access: Some(view.exchanged(number, add)),
            code: None,
        }
    } else {
        let gone = |found: &[Expr]| {
            let clause =
                Clause::Touch { kind: AccessKind::Write, field: number, key: found.to_vec() };
            (found != key).then_some(clause)
        };
        Fix {
            field: None,
            access: Some(view.exchanged(number, gone)),
            code: Some(format!("emit({} {{ value }});", event_name(name))),
        }
    };
    let why = if adds {
        "none needs it for more than adding to it: make it a counter"
    } else {
        "none reads it: emit an event, which keeps its order and conflicts with nothing"
    };
    Finding {
        rule: Rule::EveryCall,
        method: view.index,
        field: Some(name.clone()),
        explanation: format!("{what}; {why}"),
        fix,
        allowed: None,
    }
}

/// A field's name as that of a type: `last_change` is `LastChange`.
fn event_name(field: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    field.split('_').map(word).collect()
}
