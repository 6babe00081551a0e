//! From a touch that was not declared to the clause that is missing: the way of [`derive`](crate::derive) backwards.

use alloc::vec::Vec;

use crate::{Abi, AccessKind, Address, Bound, Clause, Expr, Method, Type, layout};

/// A touch of a cell that a call's list does not permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing<'a> {
    /// The field, by its number.
    pub field: u8,
    /// The bytes of the key.
    pub key: &'a [u8],
    /// How the cell was touched.
    pub wanted: AccessKind,
    /// What the list declares for it, if anything.
    pub declared: Option<AccessKind>,
    /// If a stock was to be taken from: how much in all, and what was to be left.
    pub takes: Option<Bound>,
    /// How much the list declares that is taken, where it declares nothing else for the cell.
    pub may_take: Option<Bound>,
}

impl Missing<'_> {
    /// The clause that permits the touch, also beside what is declared; `None` if the contract has no such cell.
    ///
    /// A part of the key, or a number, that fills a hole of the call stands as that hole, else as it is. A floor of zero is a literal
    /// without bytes.
    #[must_use]
    pub fn clause(&self, abi: &Abi, filled: &Filled<'_>) -> Option<Clause> {
        let number = self.field;
        let field = abi.fields.get(usize::from(number))?;
        let parts = parts(field.keys.iter(), self.key)?;
        let key = parts.into_iter().map(|part| filled.hole(part)).collect();
        // Taking, beside a clause for looking or adding, is writing.
        let takes = self.takes.filter(|_| self.declared.is_none() || self.may_take.is_some());
        let Some(takes) = takes else {
            let kind = self.wanted.join(self.declared.unwrap_or(self.wanted));
            return Some(Clause::Touch { kind, field: number, key });
        };
        let declared = self.may_take.unwrap_or_default();
        let hole = |of: u128| Some(filled.hole(&number_of(&field.value, of)?));
        let amount = hole(takes.amount.max(declared.amount))?;
        let floor = match takes.floor.max(declared.floor) {
            0 => Expr::Literal(Vec::new()),
            floor => hole(floor)?,
        };
        Some(Clause::Reserve { field: number, key, amount, floor })
    }
}

/// What the holes of a method's template were filled with in one call.
#[derive(Clone, Copy, Debug)]
pub struct Filled<'a> {
    /// Who called.
    pub caller: Address,
    /// The contract.
    pub this: Address,
    /// The method; `None` where it is not known, as inside a call that another contract made: then nothing fills a hole.
    pub method: Option<&'a Method>,
    /// The encoded arguments.
    pub args: &'a [u8],
}

impl Filled<'_> {
    /// The hole that a value filled: the caller, the contract, or the first parameter that is so; else the value.
    fn hole(&self, value: &[u8]) -> Expr {
        let literal = || Expr::Literal(value.to_vec());
        let Some(method) = self.method else { return literal() };
        if value == self.caller.as_bytes() {
            return Expr::Caller;
        }
        if value == self.this.as_bytes() {
            return Expr::This;
        }
        let args = parts(method.params.iter().map(|param| &param.ty), self.args);
        let at = args.unwrap_or_default().into_iter().position(|arg| arg == value);
        at.and_then(|at| u8::try_from(at).ok()).map_or_else(literal, Expr::Param)
    }
}

/// The encodings of the members of a tuple; `None` if the bytes are not exactly such a tuple.
fn parts<'a, 't>(types: impl Iterator<Item = &'t Type>, bytes: &'a [u8]) -> Option<Vec<&'a [u8]>> {
    let mut parts = Vec::new();
    layout::split(types, bytes, |part| parts.push(part)).ok()?;
    Some(parts)
}

/// The encoding of a number of a stock's type; `None` if that has no such number.
fn number_of(ty: &Type, number: u128) -> Option<Vec<u8>> {
    let bytes = number.to_le_bytes();
    let (bytes, rest) = bytes.split_at_checked(layout::size_of_value(ty, &bytes).ok()?)?;
    rest.iter().all(|&byte| byte == 0).then(|| bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::{CellKind, Field, MethodKind, Param};

    fn method() -> Method {
        Method {
            name: "go".into(),
            doc: "".into(),
            kind: MethodKind::Call,
            params: ["from", "to"].map(|name| Param { name: name.into(), ty: Type::U8 }).into(),
            returns: Type::Unit,
            error: None,
            access: vec![],
        }
    }

    fn abi() -> Abi {
        let (name, doc) = ("stocks".into(), "".into());
        let keys = vec![Type::Address, Type::U8];
        let field = Field { name, doc, cell: CellKind::Stock, keys, value: Type::U16 };
        Abi {
            name: "One".into(),
            doc: "".into(),
            fields: vec![field],
            methods: vec![],
            events: vec![],
            interfaces: vec![],
            allowances: vec![],
        }
    }

    fn key(of: Address, slot: u8) -> Vec<u8> {
        let mut key = of.as_bytes().to_vec();
        key.push(slot);
        key
    }

    #[test]
    fn what_filled_a_hole_stands_as_that_hole() {
        let (abi, method, caller, this) = (abi(), method(), Address([1; 32]), Address([2; 32]));
        let filled = Filled { caller, this, method: Some(&method), args: &[5, 6] };
        let clause = |key: &[u8], filled: &Filled<'_>| {
            let (wanted, declared) = (AccessKind::Add, Some(AccessKind::Read));
            let missing = Missing { field: 0, key, wanted, declared, takes: None, may_take: None };
            missing.clause(&abi, filled)
        };
        let touch = |key| Some(Clause::Touch { kind: AccessKind::Write, field: 0, key });
        let literal = |bytes: &[u8]| Expr::Literal(bytes.to_vec());
        let found = clause(&key(caller, 6), &filled);
        assert_eq!(
            found,
            touch(vec![Expr::Caller, Expr::Param(1)]),
            "looking and adding is writing"
        );
        let found = clause(&key(this, 7), &filled);
        assert_eq!(found, touch(vec![Expr::This, literal(&[7])]));
        // Inside another contract's call nothing is known.
        let found = clause(&key(caller, 6), &Filled { method: None, ..filled });
        assert_eq!(found, touch(vec![literal(&[1; 32]), literal(&[6])]));
        assert_eq!(clause(&[1; 40], &filled), None, "no such key");
    }

    #[test]
    fn what_is_taken_is_declared_with_its_bound() {
        let (abi, method, caller) = (abi(), method(), Address([1; 32]));
        let filled =
            Filled { caller, this: Address([2; 32]), method: Some(&method), args: &[5, 6] };
        let key = key(caller, 5);
        let clause = |amount, floor, may_take, declared| {
            let (wanted, takes) = (AccessKind::Add, Some(Bound { amount, floor }));
            let missing = Missing { field: 0, key: &key, wanted, declared, takes, may_take };
            missing.clause(&abi, &filled)
        };
        let cell = || vec![Expr::Caller, Expr::Param(0)];
        let reserve = |amount: [u8; 2], floor: &[u8]| {
            let (amount, floor) = (Expr::Literal(amount.into()), Expr::Literal(floor.to_vec()));
            Some(Clause::Reserve { field: 0, key: cell(), amount, floor })
        };
        assert_eq!(clause(9, 0, None, None), reserve([9, 0], &[]));
        let declared = (Some(Bound { amount: 4, floor: 300 }), Some(AccessKind::Add));
        assert_eq!(clause(9, 2, declared.0, declared.1), reserve([9, 0], &[44, 1]));
        // Beside a clause for looking it is a write; and no stock of this type has so much.
        let write = Clause::Touch { kind: AccessKind::Write, field: 0, key: cell() };
        assert_eq!(clause(9, 0, None, Some(AccessKind::Read)), Some(write));
        assert_eq!(clause(65_536, 0, None, None), None);
    }
}
