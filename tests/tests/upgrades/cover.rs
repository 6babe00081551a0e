//! "Narrower" is proved from templates; here it is compared with lists: for random templates and random
//! arguments, a list of the new one has nothing that the old one's does not permit.

use std::collections::BTreeMap;

use kempe_abi::derive::{Contracts, Sink, derive};
use kempe_abi::upgrade::{Change, methods};
use kempe_abi::{
    Abi, AccessKind, Address, Bound, CellKind, Clause, Expr, Field, Member, Method, MethodId,
    MethodKind, Type,
};
use kempe_tests::cases;
use proptest::prelude::*;

const CALLER: Address = Address([1; 32]);
const CONTRACT: Address = Address([2; 32]);
const CALLEE: Address = Address([3; 32]);

fn method(name: &str, access: Vec<Clause>) -> Method {
    let list = |ty| Type::List(Box::new(ty));
    let params = [Type::U8, list(Type::U8), list(list(Type::U8))];
    let params = params.into_iter().map(|ty| Member { name: "p".into(), ty }).collect();
    Method {
        name: name.into(),
        doc: String::new(),
        kind: MethodKind::Call,
        params,
        returns: Type::Unit,
        error: None,
        access,
    }
}

fn abi(access: Vec<Clause>) -> Abi {
    let field = |cell| Field {
        name: "f".into(),
        doc: String::new(),
        cell,
        keys: vec![Type::U8],
        value: Type::U64,
    };
    Abi {
        name: "C".into(),
        doc: String::new(),
        fields: [CellKind::Value, CellKind::Counter, CellKind::Stock].map(field).into(),
        methods: vec![method("go", access)],
        events: Vec::new(),
        interfaces: Vec::new(),
        allowances: Vec::new(),
    }
}

struct World {
    this: Abi,
    callee: Abi,
}

impl Contracts for World {
    fn abi(&self, contract: &Address) -> Option<&Abi> {
        Some(if *contract == CALLEE { &self.callee } else { &self.this })
    }

    fn immutable(&self, _: &Address, _: u8) -> Option<&[u8]> {
        None
    }
}

/// What a call may touch.
#[derive(Default, PartialEq, Eq, Debug)]
struct List {
    cells: BTreeMap<(Address, u8, Vec<u8>), AccessKind>,
    /// Of the cells that are only taken from, how much.
    bounds: BTreeMap<(Address, u8, Vec<u8>), Bound>,
    calls: Vec<Address>,
    dynamic: bool,
}

impl Sink for List {
    fn call(&mut self, contract: &Address) {
        self.calls.push(*contract);
        self.calls.sort_unstable();
        self.calls.dedup();
    }

    fn touch(&mut self, kind: AccessKind, contract: &Address, field: u8, key: &[u8]) {
        let key = (*contract, field, key.to_vec());
        self.bounds.remove(&key);
        let cell = self.cells.entry(key).or_insert(kind);
        *cell = cell.join(kind);
    }

    fn reserve(&mut self, contract: &Address, field: u8, key: &[u8], bound: Bound) {
        let key = (*contract, field, key.to_vec());
        let is_first = self.cells.insert(key.clone(), AccessKind::Write).is_none();
        if is_first {
            self.bounds.insert(key, bound);
        } else {
            self.bounds.entry(key).and_modify(|had| *had = had.join(bound));
        }
    }

    fn dynamic(&mut self, _: &Address) {
        self.dynamic = true;
    }
}

impl List {
    fn of(access: &[Clause], args: &(u8, Vec<u8>, Vec<Vec<u8>>)) -> Option<Self> {
        let callee = vec![touch(AccessKind::Read, 0, Expr::Param(0))];
        let mut callee = abi(callee);
        callee.methods[0].params.truncate(1);
        let world = World { this: abi(access.to_vec()), callee };
        let args = borsh::to_vec(args).expect("encoding to memory cannot fail");
        let mut list = Self::default();
        derive(&world, &CALLER, &CONTRACT, MethodId::of("go"), &args, &mut list).ok()?;
        Some(list)
    }

    fn permits(&self, other: &Self) -> bool {
        let within = |a: Option<&Bound>, b: Option<&Bound>| match (a, b) {
            (None, _) => true,
            (Some(a), Some(b)) => b.amount <= a.amount && b.floor <= a.floor,
            (Some(_), None) => false,
        };
        let cell = |(key, kind): (_, &AccessKind)| {
            self.cells.get(key).is_some_and(|declared| declared.permits(*kind))
                && within(self.bounds.get(key), other.bounds.get(key))
        };
        self.dynamic
            || (other.cells.iter().all(cell)
                && other.calls.iter().all(|call| self.calls.contains(call))
                && !other.dynamic)
    }
}

fn touch(kind: AccessKind, field: u8, key: Expr) -> Clause {
    Clause::Touch { kind, field, key: vec![key] }
}

/// A key that may name an element.
fn key(element: bool) -> BoxedStrategy<Expr> {
    let literal = (0..3_u8).prop_map(|byte| Expr::Literal(vec![byte]));
    if element {
        prop_oneof![3 => Just(Expr::Element), 1 => Just(Expr::Param(0)), 1 => literal].boxed()
    } else {
        prop_oneof![Just(Expr::Param(0)), literal].boxed()
    }
}

/// A clause; `depth` lists deep, the innermost with single bytes as elements if `bytes`.
fn clause(depth: usize, bytes: bool) -> BoxedStrategy<Clause> {
    let kind =
        proptest::sample::select(&[AccessKind::Read, AccessKind::Add, AccessKind::Write][..]);
    let cell = (kind, 0..3_u8, key(bytes)).prop_map(|(kind, field, key)| {
        let kind = if field == 0 && kind == AccessKind::Add { AccessKind::Write } else { kind };
        touch(kind, field, key)
    });
    let call = key(bytes).prop_map(|arg| Clause::Call {
        callee: Expr::Literal(CALLEE.0.to_vec()),
        method: "go".into(),
        args: vec![arg],
    });
    let reserve = (key(bytes), key(bytes), key(false)).prop_map(|(key, amount, floor)| {
        Clause::Reserve { field: 2, key: vec![key], amount, floor }
    });
    let own = prop_oneof![6 => cell, 3 => reserve, 2 => call, 1 => Just(Clause::Dynamic)];
    if depth == 2 {
        return own.boxed();
    }
    let inner = |list: Expr, bytes| {
        proptest::collection::vec(clause(depth + 1, bytes), 0..3)
            .prop_map(move |clauses| Clause::Each { list: list.clone(), clauses })
    };
    let of_elements = if depth == 1 && !bytes { Expr::Element } else { Expr::Param(1) };
    prop_oneof![
        5 => own,
        1 => inner(of_elements, true),
        1 => inner(Expr::Param(2), false),
    ]
    .boxed()
}

fn template() -> impl Strategy<Value = Vec<Clause>> {
    proptest::collection::vec(clause(0, false), 0..5)
}

/// A template, and one that was made of it by leaving out, adding and changing clauses.
fn pair() -> impl Strategy<Value = (Vec<Clause>, Vec<Clause>)> {
    (template(), template(), any::<u8>(), any::<bool>()).prop_map(|(old, more, mask, whole)| {
        let kept = |(at, clause): (usize, &Clause)| (mask >> at & 1 == 1).then(|| clause.clone());
        let mut new: Vec<Clause> = old.iter().enumerate().filter_map(kept).collect();
        if !whole {
            new.extend(more);
        }
        (old, new)
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(2000),
        ..ProptestConfig::default()
    })]

    #[test]
    fn narrower_is_narrower_for_every_call(
        (old, new) in pair(),
        args in proptest::collection::vec(
            (0..4_u8, proptest::collection::vec(0..4_u8, 0..3),
             proptest::collection::vec(proptest::collection::vec(0..4_u8, 0..2), 0..3)),
            6,
        ),
    ) {
        let (before, after) = (abi(old.clone()), abi(new.clone()));
        let change = methods(&before, &after)[0].change;
        for args in &args {
            let (Some(old), Some(new)) = (List::of(&old, args), List::of(&new, args)) else {
                continue;
            };
            match change {
                Change::Equal => {
                    prop_assert!(old.permits(&new) && new.permits(&old), "{:?} {:?}", old, new);
                }
                Change::Narrower => prop_assert!(old.permits(&new), "{:?} {:?}", old, new),
                Change::Wider => {}
                other => prop_assert!(false, "{:?}", other),
            }
        }
        // What was only taken away is never wider, and what is the same is equal.
        let count = |of: &[Clause], clause| of.iter().filter(|other| *other == clause).count();
        let is_part = new.iter().all(|clause| count(&new, clause) <= count(&old, clause));
        prop_assert!(!is_part || change != Change::Wider, "{:?}", change);
        prop_assert_eq!(methods(&before, &before)[0].change, Change::Equal);
    }
}

#[test]
fn the_changes_by_example() {
    use AccessKind::{Add, Read, Write};
    let each = |clause| Clause::Each { list: Expr::Param(1), clauses: vec![clause] };
    let start = || Clause::Start { field: 0, key: vec![Expr::Param(0)] };
    let cell = |kind| touch(kind, 0, Expr::Param(0));
    let of = |kind, key| touch(kind, 1, key);
    let take = |n: u8| Clause::Reserve {
        field: 2,
        key: vec![Expr::Param(0)],
        amount: Expr::Literal(vec![n]),
        floor: Expr::Param(0),
    };
    for (old, new, change) in [
        (vec![], vec![], Change::Equal),
        (vec![cell(Write)], vec![cell(Read)], Change::Narrower),
        (vec![cell(Read)], vec![cell(Write)], Change::Wider),
        (vec![of(Read, Expr::Param(0))], vec![of(Add, Expr::Param(0))], Change::Wider),
        // Both together are a write.
        (
            vec![of(Read, Expr::Param(0)), of(Add, Expr::Param(0))],
            vec![of(Write, Expr::Param(0))],
            Change::Equal,
        ),
        (vec![cell(Write)], vec![cell(Write), start()], Change::Equal),
        (vec![], vec![start()], Change::Wider),
        (vec![start()], vec![cell(Read)], Change::Wider),
        (vec![each(cell(Write))], vec![cell(Write)], Change::Wider),
        (vec![cell(Write)], vec![each(cell(Write))], Change::Narrower),
        (vec![each(of(Add, Expr::Element))], vec![of(Add, Expr::Literal(vec![1]))], Change::Wider),
        (vec![take(1), take(1)], vec![take(1)], Change::Narrower),
        (vec![take(1)], vec![take(1), take(1)], Change::Wider),
        (vec![take(2)], vec![take(1)], Change::Wider),
        (vec![touch(Write, 2, Expr::Param(0))], vec![take(1), take(2)], Change::Narrower),
        (vec![touch(Add, 2, Expr::Param(0))], vec![take(1)], Change::Wider),
        (vec![Clause::Dynamic], vec![cell(Write)], Change::Narrower),
        (vec![cell(Write)], vec![Clause::Dynamic], Change::Wider),
    ] {
        let found = methods(&abi(old.clone()), &abi(new.clone()))[0].change;
        assert_eq!(found, change, "{old:?} {new:?}");
    }
}
