//! Bounds of derivation.

use alloc::vec;

use super::*;
use crate::{Expr, MethodKind, Param, Type};

/// One contract at every address.
struct One(Abi);

impl Contracts for One {
    fn abi(&self, _: &Address) -> Option<&Abi> {
        Some(&self.0)
    }

    fn immutable(&self, _: &Address, _: u8) -> Option<&[u8]> {
        None
    }
}

/// Derives the list, or the guards, of a call with so many bytes whose key is the hash of them so many times.
fn hashes(n_bytes: usize, n_times: usize, guarded: bool) -> Result<(), DeriveError> {
    hashes_for(n_bytes, n_times, guarded, &mut Guards::default())
}

fn hashes_for(
    n_bytes: usize,
    n_times: usize,
    guarded: bool,
    sink: &mut dyn Sink,
) -> Result<(), DeriveError> {
    let (field, key) = (0, vec![Expr::Hash(vec![Expr::Param(0); n_times])]);
    let clause = if guarded {
        Clause::Unless { field, key }
    } else {
        Clause::Touch { kind: AccessKind::Write, field, key }
    };
    let method = Method {
        name: "go".into(),
        doc: "".into(),
        kind: MethodKind::Call,
        params: vec![Param { name: "data".into(), ty: Type::List(Type::U8.into()) }],
        returns: Type::Unit,
        error: None,
        access: vec![clause],
    };
    let abi = Abi {
        name: "One".into(),
        doc: "".into(),
        fields: vec![],
        methods: vec![method],
        events: vec![],
        interfaces: vec![],
        allowances: vec![],
    };
    let mut args = u32::try_from(n_bytes).unwrap().to_le_bytes().to_vec();
    args.resize(4 + n_bytes, 7);
    let (at, id) = (Address([1; 32]), MethodId::of("go"));
    if guarded {
        guards(&One(abi.clone()), &at, &at, (&abi, &abi.methods[0]), &args).1
    } else {
        derive(&One(abi), &at, &at, id, &args, sink)
    }
}

/// Notes what a derivation takes that may take only so much.
struct Poor {
    most: (usize, usize),
    spent: (usize, usize),
}

impl Sink for Poor {
    fn call(&mut self, _: &Address) {}
    fn touch(&mut self, _: AccessKind, _: &Address, _: u8, _: &[u8]) {}
    fn dynamic(&mut self, _: &Address) {}
    fn most(&self) -> (usize, usize) {
        self.most
    }
    fn spent(&mut self, steps: usize, bytes: usize) {
        self.spent = (steps, bytes);
    }
}

#[test]
fn who_can_pay_for_little_is_stopped_early() {
    let of = |n_times, steps, bytes| {
        let mut sink = Poor { most: (steps, bytes), spent: (0, 0) };
        (hashes_for(1000, n_times, false, &mut sink), sink.spent)
    };
    let (found, (steps, bytes)) = of(8, STEPS_MAX, LIST_BYTES_MAX);
    assert_eq!(found, Ok(()));
    assert_eq!(of(8, steps, bytes), (Ok(()), (steps, bytes)));
    assert_eq!(of(8, steps - 1, bytes).0, Err(DeriveError::Unaffordable));
    assert_eq!(of(8, steps, bytes - 1).0, Err(DeriveError::Unaffordable));
    // What follows is not looked at.
    let (found, (_, looked_at)) = of(8000, STEPS_MAX, 3000);
    assert_eq!(found, Err(DeriveError::Unaffordable));
    assert!(looked_at <= 4 * 1004, "{looked_at}");
}

#[test]
fn nothing_is_looked_at_without_end() {
    let mib = 1024 * 1024 - 4;
    assert_eq!(hashes(mib, 15, false), Ok(()));
    assert_eq!(hashes(mib, 17, false), Err(DeriveError::TooLarge));
    assert_eq!(hashes(mib, 8000, false), Err(DeriveError::TooLarge));
    assert_eq!(hashes(mib / 2, 1, true), Ok(()));
    assert_eq!(hashes(mib / 2, 3, true), Err(DeriveError::TooLarge));
}
