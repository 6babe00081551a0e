//! What a call touched without permission, in the words of the test and of the contract.

use kempe_abi::{Abi, Clause, Expr, Filled, Method, Missing, Type, split};

use super::backend::Tx;
use super::chain::TestChain;
use super::receipt::Violation;
use super::shrink::{abi, value};

/// Fills in the cell's name, and the clause that permits the touch.
pub(super) fn describe(violation: &mut Violation, tx: &Tx, chain: &TestChain) {
    let Some(abi) = abi(&violation.contract, chain) else { return };
    let Some(at) = abi.fields.iter().position(|field| field.name == violation.field) else {
        return;
    };
    let field = &abi.fields[at];
    let mut shown = Vec::new();
    if split(field.keys.iter(), &violation.key, |part| shown.push(part)).is_err() {
        return;
    }
    let shown = field.keys.iter().zip(shown).map(|(ty, part)| value(ty, part, chain));
    let shown: String = shown.map(|part| format!("[{part}]")).collect();
    violation.cell_name = format!("{}.{}{shown}", violation.contract_name, field.name);
    // Inside a call made by another contract the caller and the arguments are not known.
    let Some(method) = abi.method(&tx.method).filter(|_| violation.contract == tx.contract) else {
        return;
    };
    let Ok(number) = u8::try_from(at) else { return };
    let missing = Missing {
        field: number,
        key: &violation.key,
        wanted: violation.wanted,
        declared: violation.declared,
        takes: violation.takes,
        may_take: violation.may_take,
    };
    let filled =
        Filled { caller: tx.sender, this: tx.contract, method: Some(method), args: &tx.args };
    let clause = missing.clause(&abi, &filled);
    let text = clause.and_then(|clause| Words { abi: &abi, method, chain }.clause(&clause));
    violation.clause = text.unwrap_or_default();
}

/// What a clause is written with.
struct Words<'a> {
    abi: &'a Abi,
    method: &'a Method,
    chain: &'a TestChain,
}

impl Words<'_> {
    /// The clauses that can be missing.
    fn clause(&self, clause: &Clause) -> Option<String> {
        match clause {
            Clause::Touch { kind, field, key } => {
                let word = self.abi.fields[usize::from(*field)].cell.word(*kind);
                Some(format!("{word}({})", self.cell(*field, key)))
            }
            Clause::Reserve { field, key, amount, floor } => {
                let (cell, ty) =
                    (self.cell(*field, key), &self.abi.fields[usize::from(*field)].value);
                let amount = self.expr(amount, ty);
                Some(if *floor == Expr::Literal(Vec::new()) {
                    format!("reserve({cell}, {amount})")
                } else {
                    format!("reserve({cell}, {amount}, {})", self.expr(floor, ty))
                })
            }
            _ => None,
        }
    }

    fn cell(&self, field: u8, key: &[Expr]) -> String {
        let field = &self.abi.fields[usize::from(field)];
        let parts: Vec<String> =
            key.iter().zip(&field.keys).map(|(part, ty)| self.expr(part, ty)).collect();
        let key = if parts.is_empty() { String::new() } else { format!("[{}]", parts.join(", ")) };
        format!("{}{key}", field.name)
    }

    fn expr(&self, expr: &Expr, ty: &Type) -> String {
        match expr {
            Expr::Caller => "caller".into(),
            Expr::This => "this".into(),
            Expr::Param(at) => self.method.params[usize::from(*at)].name.clone(),
            Expr::Literal(bytes) => {
                let text = value(ty, bytes, self.chain);
                if text.parse::<u128>().is_ok() { format!("{text}{ty}") } else { text }
            }
            _ => "_".into(),
        }
    }
}
