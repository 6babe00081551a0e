//! What is found in a contract as a whole.

use kempe_abi::{AccessKind, CellKind, Clause, Expr, MethodKind};

use super::{Finding, Fix, Rule, View, field_line, fixed_cells};

/// Cells that most calls write though none needs what they hold.
///
/// That is a cell with a fixed key which more than half of the methods that change state write, and which no such
/// method reads, or all that touch it only add to. Such a cell makes the calls of all these methods wait for each
/// other. Where a call does need what the cell holds, the contract is sequential by its meaning, and there is
/// nothing to say. One method alone is not enough to tell: it may be what the contract is for.
pub(super) fn every_call(views: &[View<'_>], adds: &[(usize, u8)], findings: &mut Vec<Finding>) {
    let calls: Vec<&View<'_>> =
        views.iter().filter(|view| view.method.kind == MethodKind::Call).collect();
    let mut seen = Vec::new();
    for first in &calls {
        for cell in fixed_cells(&first.mended.clauses) {
            let (number, key, kind) = cell;
            if kind != AccessKind::Write || seen.contains(&cell) {
                continue;
            }
            seen.push(cell);
            let writes = |view: &&&View<'_>| {
                view.reach(number).writes
                    && fixed_cells(&view.mended.clauses).any(|found| found == cell)
            };
            let n_writers = calls.iter().filter(writes).count();
            if n_writers < 2 || 2 * n_writers <= calls.len() {
                continue;
            }
            let adds = calls.iter().all(|view| {
                let reach = view.reach(number);
                let is_touched = reach.reads || reach.starts || reach.writes || reach.adds;
                !is_touched || adds.contains(&(view.index, number))
            });
            let unread = calls.iter().all(|view| {
                let reach = view.reach(number);
                !reach.reads && !reach.starts
            });
            if adds || unread {
                findings.push(finding(first, number, key, adds, [n_writers, calls.len()]));
            }
        }
    }
}

fn finding(
    view: &View<'_>,
    number: u8,
    key: &[Expr],
    adds: bool,
    [n_writers, n_calls]: [usize; 2],
) -> Finding {
    let field = view.field(number);
    let name = &field.name;
    let who = if n_writers == n_calls {
        "every call that changes state writes".to_owned()
    } else {
        format!("{n_writers} of the {n_calls} methods that change state write")
    };
    let what = format!("{who} the same cell of `{name}`, so that all wait for each other");
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
