//! Bounds of derivation.

use alloc::vec;

use super::*;
use crate::{Expr, MethodKind, Param, Type};

/// What nobody pays for limits nothing.
const MOST: (usize, usize) = (STEPS_MAX, GUARD_BYTES_MAX);

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

/// A contract with one method, which takes one argument.
fn of(ty: Type, access: Vec<Clause>) -> Abi {
    let method = Method {
        name: "go".into(),
        doc: "".into(),
        kind: MethodKind::Call,
        params: vec![Param { name: "data".into(), ty }],
        returns: Type::Unit,
        error: None,
        access,
    };
    Abi {
        name: "One".into(),
        doc: "".into(),
        fields: vec![],
        methods: vec![method],
        events: vec![],
        interfaces: vec![],
        allowances: vec![],
    }
}

/// The guards of a call of the only method.
fn guards_of(abi: &Abi, args: &[u8], most: (usize, usize)) -> (Guards, Result<(), DeriveError>) {
    let (at, method) = (Address([1; 32]), &abi.methods[0]);
    let clauses = super::guarded(&method.access);
    guards(&One(abi.clone()), &at, &at, (abi, method), &clauses, args, most)
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
    let abi = of(Type::List(Type::U8.into()), vec![clause]);
    let mut args = u32::try_from(n_bytes).unwrap().to_le_bytes().to_vec();
    args.resize(4 + n_bytes, 7);
    let (at, id) = (Address([1; 32]), MethodId::of("go"));
    if guarded {
        guards_of(&abi, &args, MOST).1
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

/// What becomes of a call with a list of so many elements, each with so many members that have no bytes, and one that has.
fn wide(
    n_elements: usize,
    n_members: usize,
    most: (usize, usize),
) -> (Result<(), DeriveError>, usize) {
    let units = Type::Tuple(vec![Type::Unit; n_members]);
    let element = Type::Tuple(vec![units, Type::Bool]);
    let abi = of(Type::List(element.into()), vec![]);
    let mut args = u32::try_from(n_elements).unwrap().to_le_bytes().to_vec();
    args.resize(4 + n_elements, 1);
    let (at, id) = (Address([1; 32]), MethodId::of("go"));
    let mut poor = Poor { most, spent: (0, 0) };
    let derived = derive(&One(abi), &at, &at, id, &args, &mut poor);
    (derived, poor.spent.1)
}

#[test]
fn members_without_bytes_are_counted_and_bounded() {
    use crate::layout::{MEMBERS_FREE, MEMBERS_PER_BYTE};
    let all = (STEPS_MAX, LIST_BYTES_MAX);
    // The list, and for each element itself, its two members, and the members of the first.
    let n_steps = |n_elements: usize, n_members: usize| 1 + n_elements * (3 + n_members);
    let (derived, bytes) = wide(100, 1, all);
    assert_eq!((derived, bytes), (Ok(()), MEMBER_BYTES * (n_steps(100, 1) - MEMBERS_FREE)));
    // Four steps for each of its bytes, of which four say how many there are, and those that are free.
    let n_most = MEMBERS_PER_BYTE * (4 + 10) + MEMBERS_FREE;
    assert_eq!(n_steps(10, 8), 111);
    assert_eq!(n_steps(10, 9), n_most + 1);
    assert_eq!(wide(10, 8, all).0, Ok(()));
    let refused = |n_elements, n_members| {
        let (derived, bytes) = wide(n_elements, n_members, all);
        let source = LayoutError::TooManyMembers;
        assert_eq!(derived, Err(DeriveError::BadArguments { method: "go".into(), source }));
        bytes
    };
    assert_eq!(refused(10, 9), MEMBER_BYTES * (n_most - MEMBERS_FREE));
    assert_eq!(refused(10, 30_000), MEMBER_BYTES * (n_most - MEMBERS_FREE));
    // Who cannot pay for looking at them is looked at no more of.
    let least = MEMBER_BYTES * (n_steps(100, 1) - MEMBERS_FREE);
    assert_eq!(wide(100, 1, (STEPS_MAX, least)).0, Ok(()));
    for paid in [0, MEMBER_BYTES, least - 1] {
        let (derived, bytes) = wide(100, 1, (STEPS_MAX, paid));
        assert_eq!(derived, Err(DeriveError::Unaffordable));
        assert!(bytes <= paid + 2 * MEMBER_BYTES, "{bytes} {paid}");
    }
}

#[test]
fn no_more_guards_are_looked_at_than_are_paid() {
    let args = [7u8; 32];
    let clause = Clause::Unless { field: 0, key: vec![Expr::Hash(vec![Expr::Param(0); 1000])] };
    let abi = of(Type::Address, vec![clause]);
    let look = |most| guards_of(&abi, &args, most);
    let (found, ended) = look(MOST);
    assert_eq!((found.cells.len(), ended), (1, Ok(())));
    for most in [(100, GUARD_BYTES_MAX), (STEPS_MAX, 1000)] {
        let (found, ended) = look(most);
        assert_eq!((found.cells.len(), ended), (0, Err(DeriveError::Unaffordable)));
        assert!(found.steps <= most.0 + 1 && found.bytes <= most.1 + 32, "{found:?}");
    }
}

#[test]
fn what_does_not_guard_is_left_out_once_and_for_all() {
    let unless = || Clause::Unless { field: 3, key: vec![] };
    let each = |clauses| Clause::Each { list: Expr::Param(0), clauses };
    let many = || vec![Clause::Dynamic; 1000];
    let template = vec![
        Clause::Dynamic,
        each(vec![each(many()), Clause::Dynamic, each(vec![unless(), Clause::Dynamic])]),
        each(many()),
        unless(),
    ];
    let guards_only = vec![each(vec![each(vec![unless()])]), unless()];
    assert_eq!(super::guarded(&template), guards_only);
    assert_eq!(super::guarded(&guards_only), guards_only);
    assert_eq!(super::guarded(&many()), []);
}
