//! The linter: it finds every planted smell, and nothing in the shipped contracts.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeSet;

use kempe_abi::{Abi, AccessKind, Clause, Expr};
use kempe_contracts::ALL;
use kempe_runtime::engine::admission::admit;
use kempe_runtime::engine::admission::lint::{Finding, lint};
use kempe_tests::{BUSY, SMELLS};

/// Each smell of the contract `smells`, in the order in which they are reported.
const PLANTED: &[(&str, &str, &str)] = &[
    ("over-declared", "unread_cell", "owner"),
    ("over-declared", "untouched_map", "balances"),
    ("over-declared", "unadded", "total"),
    ("over-declared", "unread_start", "owner"),
    ("over-declared", "uncalled", "-"),
    ("over-declared", "untouched_each", "balances"),
    ("over-declared", "not_the_callers", "balances"),
    ("over-declared", "only_the_callers", "balances"),
    ("over-declared", "not_its_own", "balances"),
    ("over-declared", "not_the_tokens", "balances"),
    ("over-declared", "not_hashed", "notes"),
    ("over-declared", "twice", "balances"),
    ("never-written", "only_reads", "owner"),
    ("never-written", "only_adds", "total"),
    ("never-written", "only_reads_a_map", "balances"),
    ("never-written", "only_adds_each", "votes"),
    ("could-add", "one_more", "hits"),
    ("could-add", "some_more", "hits"),
    ("could-add", "credit", "balances"),
    ("could-add", "counter_by_hand", "total"),
    ("could-add", "fewer", "hits"),
    ("could-add", "more_of_a_large_one", "large"),
    ("could-add", "more_if_permitted", "hits"),
    ("whole-map", "append", "ledger"),
    ("whole-map", "append_to_a_page", "pages"),
    ("whole-map", "dynamic_for_two_cells", "-"),
    ("whole-map", "dynamic_for_nothing", "-"),
    ("unused-allow", "allowed_one_more", "-"),
];

/// Each smell that is let stand, with the reason.
const ALLOWED: &[(&str, &str, &str, &str)] = &[
    ("over-declared", "allowed_unread_cell", "owner", "the next version reads it"),
    ("never-written", "allowed_only_reads", "owner", "callers rely on being ordered"),
    ("could-add", "allowed_one_more", "hits", "others read it as a cell"),
    ("whole-map", "allowed_dynamic", "-", "more cells will come"),
];

fn abi(wasm: &[u8]) -> Abi {
    admit(wasm).unwrap().abi
}

fn row<'a>(abi: &'a Abi, finding: &'a Finding) -> (&'a str, &'a str, &'a str) {
    let method = &abi.methods[finding.method].name;
    (finding.rule.word(), method, finding.field.as_deref().unwrap_or("-"))
}

#[test]
fn every_planted_smell_is_found_and_nothing_else() {
    let (abi, findings) = (abi(SMELLS), lint(SMELLS).unwrap());
    let (allowed, findings): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.allowed.is_some());
    let found: BTreeSet<_> = findings.iter().map(|finding| row(&abi, finding)).collect();
    let planted: BTreeSet<_> = PLANTED.iter().copied().collect();
    let difference: Vec<_> = found.symmetric_difference(&planted).collect();
    assert!(difference.is_empty(), "{difference:#?}");
    assert_eq!(findings.len(), PLANTED.len());
    let reason = |finding: &'_ Finding| finding.allowed.clone().unwrap();
    let allowed: Vec<_> = allowed.iter().map(|found| (row(&abi, found), reason(found))).collect();
    let expected: Vec<_> = ALLOWED
        .iter()
        .map(|&(rule, method, field, reason)| ((rule, method, field), reason.to_owned()))
        .collect();
    assert_eq!(allowed, expected);
}

/// What is let stand is in the template that is written for something else.
#[test]
fn a_fix_leaves_what_is_let_stand() {
    let (abi, findings) = (abi(SMELLS), lint(SMELLS).unwrap());
    for method in ["allowed_unread_cell", "allowed_only_reads"] {
        let found = findings.iter().find(|finding| row(&abi, finding).1 == method).unwrap();
        let access = found.fix.access.as_ref().unwrap();
        assert_eq!(*access, abi.method(method).unwrap().access, "{method}");
    }
}

/// The compiler compares fields and kinds, not keys: whoever declares the caller's cell and touches an argument's is told.
#[test]
fn a_key_that_the_code_cannot_know_is_the_arguments() {
    let (abi, findings) = (abi(SMELLS), lint(SMELLS).unwrap());
    let found = findings.iter().find(|finding| row(&abi, finding).1 == "only_the_callers").unwrap();
    assert!(found.explanation.contains("it never asks who calls"), "{}", found.explanation);
    let field = abi.fields.iter().position(|field| field.name == "balances").unwrap();
    let touch = Clause::Touch {
        kind: AccessKind::Write,
        field: u8::try_from(field).unwrap(),
        key: vec![Expr::Param(0)],
    };
    assert_eq!(found.fix.access.as_ref().unwrap(), &[touch]);
}

#[test]
fn nothing_is_found_in_the_shipped_contracts() {
    for (name, wasm) in ALL {
        let (abi, findings) = (abi(wasm), lint(wasm).unwrap());
        let rows: Vec<_> = findings.iter().map(|finding| row(&abi, finding)).collect();
        assert!(rows.is_empty(), "{name}: {rows:#?}");
    }
}

#[test]
fn what_every_call_writes_and_none_reads_is_found() {
    let (abi, findings) = (abi(BUSY), lint(BUSY).unwrap());
    let rows: Vec<_> = findings.iter().map(|finding| row(&abi, finding)).collect();
    // The number of calls is only added to, but not every method that does so could be followed.
    let expected = [
        ("could-add", "pause", "calls"),
        ("every-call", "raise", "changed_ms"),
        ("every-call", "raise", "last"),
    ];
    assert_eq!(rows, expected);
    // Methods that do not touch them are no reason for those that do to wait.
    let said = "3 of the 5 methods that change state write the same cell of `changed_ms`";
    assert!(findings[1].explanation.starts_with(said), "{}", findings[1].explanation);
    let reasons: Vec<_> = findings.iter().map(|finding| finding.allowed.as_deref()).collect();
    let reason = Some("it is the point of this contract");
    assert_eq!(reasons, [None, reason, reason]);
}
