//! What a call touched without permission, in the words of the test and of the contract.

use kempe_abi::{Method, Type, split};

use super::backend::Tx;
use super::chain::TestChain;
use super::receipt::Violation;
use super::shrink::{abi, value};
use super::world::counter_bytes;

/// Fills in the cell's name, and the clause that permits the touch.
pub(super) fn describe(violation: &mut Violation, tx: &Tx, chain: &TestChain) {
    let Some(abi) = abi(&violation.contract, chain) else { return };
    let Some(field) = abi.fields.iter().find(|field| field.name == violation.field) else { return };
    let Some(parts) = parts(field.keys.iter(), &violation.key) else { return };
    let keys = || field.keys.iter().zip(&parts);
    let shown: String = keys().map(|(ty, part)| format!("[{}]", value(ty, part, chain))).collect();
    violation.cell_name = format!("{}.{}{shown}", violation.contract_name, field.name);
    // Inside a call made by another contract the caller and the arguments are not known.
    let Some(method) = abi.method(&tx.method).filter(|_| violation.contract == tx.contract) else {
        return;
    };
    let hole =
        |ty: &Type, part: &[u8]| hole(method, tx, part).unwrap_or_else(|| literal(ty, part, chain));
    let key: Vec<String> = keys().map(|(ty, part)| hole(ty, part)).collect();
    let key = if key.is_empty() { String::new() } else { format!("[{}]", key.join(", ")) };
    let cell = format!("{}{key}", field.name);
    violation.clause = match violation.takes {
        // Taking, beside a clause for looking or adding, is writing.
        Some(takes) if violation.declared.is_none() || violation.may_take.is_some() => {
            let declared = violation.may_take.unwrap_or_default();
            let bytes = counter_bytes(&field.value);
            let number = |number: u128| hole(&field.value, &number.to_le_bytes()[..bytes]);
            let amount = number(takes.amount.max(declared.amount));
            match takes.floor.max(declared.floor) {
                0 => format!("reserve({cell}, {amount})"),
                floor => format!("reserve({cell}, {amount}, {})", number(floor)),
            }
        }
        _ => {
            let kind = violation.wanted.join(violation.declared.unwrap_or(violation.wanted));
            format!("{}({cell})", violation.cell.word(kind))
        }
    };
}

/// The caller, the contract or the parameter that a value is, if it is one.
fn hole(method: &Method, tx: &Tx, part: &[u8]) -> Option<String> {
    if part == tx.sender.0 {
        return Some("caller".into());
    }
    if part == tx.contract.0 {
        return Some("this".into());
    }
    let args = parts(method.params.iter().map(|param| &param.ty), &tx.args)?;
    let at = args.iter().position(|arg| *arg == part)?;
    Some(method.params[at].name.clone())
}

/// The encodings of the members of a tuple; `None` if the bytes are not exactly such a tuple.
fn parts<'t>(types: impl Iterator<Item = &'t Type>, bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut parts = Vec::new();
    split(types, bytes, |part| parts.push(part.to_vec())).ok()?;
    Some(parts)
}

/// A value as a constant of a template.
fn literal(ty: &Type, part: &[u8], chain: &TestChain) -> String {
    let text = value(ty, part, chain);
    if text.parse::<u128>().is_ok() { format!("{text}{ty}") } else { text }
}
