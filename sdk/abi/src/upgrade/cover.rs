//! Whether one template covers another: whatever list follows from the second, the first permits.
//!
//! A clause stands under the lists whose elements it is repeated for. It is covered by clauses with the
//! same field and key under the same lists, or, if its key names no element, under fewer of them: those name
//! the key whenever it does. Kinds are joined as a derivation joins them; the kind that permits two permits
//! their join, so it does not matter that two keys written differently may turn out to be one.
//!
//! What is taken of a stock adds up. So `reserve` is covered by `write`, or by as many clauses that are written just
//! so under the same lists: each then takes the place of one of them in any sum.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::{AccessKind, Clause, Expr};

pub(super) fn covers(wide: &[Clause], narrow: &[Clause]) -> bool {
    let [wide, other] = [wide, narrow].map(|clauses| {
        let mut template = Template::default();
        template.add(clauses, &mut Vec::new());
        template
    });
    wide.permits_all(narrow, &other, &mut Vec::new())
}

/// What a template names.
#[derive(Default)]
struct Template {
    named: BTreeMap<Vec<u8>, Named>,
}

/// How it names one thing.
#[derive(Clone, Copy, Default)]
struct Named {
    kind: Option<AccessKind>,
    start: bool,
    call: bool,
    dynamic: bool,
    /// How many clauses take so of a stock.
    n_reserves: usize,
}

/// What a clause is about, as it is written.
enum Thing<'a> {
    Cell(u8, &'a [Expr]),
    Call(&'a Expr, &'a str, &'a [Expr]),
    Anything,
    /// So much of a stock.
    Amount(u8, &'a [Expr], [&'a Expr; 2]),
}

impl Thing<'_> {
    /// One byte string for each thing and the lists that it stands under.
    fn place(&self, lists: &[&Expr]) -> Vec<u8> {
        let encoded = match self {
            Self::Cell(field, key) => borsh::to_vec(&(lists, 0u8, field, key)),
            Self::Call(callee, method, args) => borsh::to_vec(&(lists, 1u8, callee, method, args)),
            Self::Anything => borsh::to_vec(&(lists, 2u8)),
            Self::Amount(field, key, numbers) => borsh::to_vec(&(lists, 3u8, field, key, numbers)),
        };
        encoded.expect("encoding to memory cannot fail")
    }

    fn names_element(&self) -> bool {
        match self {
            Self::Cell(_, key) => key.iter().any(names_element),
            Self::Amount(_, key, numbers) => {
                key.iter().chain(numbers.iter().copied()).any(names_element)
            }
            Self::Call(callee, _, args) => names_element(callee) || args.iter().any(names_element),
            Self::Anything => false,
        }
    }
}

fn names_element(expr: &Expr) -> bool {
    match expr {
        Expr::Element => true,
        Expr::Member(of, _) | Expr::Shard(of, _) => names_element(of),
        Expr::Hash(parts) | Expr::Tuple(parts) => parts.iter().any(names_element),
        Expr::Caller
        | Expr::This
        | Expr::Param(_)
        | Expr::Literal(_)
        | Expr::Immutable(_)
        | Expr::Open => false,
    }
}

impl Template {
    fn add<'a>(&mut self, clauses: &'a [Clause], lists: &mut Vec<&'a Expr>) {
        for clause in clauses {
            match clause {
                Clause::Touch { kind, field, key } => {
                    let named = self.entry(&Thing::Cell(*field, key), lists);
                    named.kind = Some(named.kind.map_or(*kind, |had| had.join(*kind)));
                }
                Clause::Start { field, key } => {
                    self.entry(&Thing::Cell(*field, key), lists).start = true;
                }
                Clause::Call { callee, method, args } => {
                    self.entry(&Thing::Call(callee, method, args), lists).call = true;
                }
                Clause::Each { list, clauses } => {
                    lists.push(list);
                    self.add(clauses, lists);
                    lists.pop();
                }
                Clause::Dynamic => self.entry(&Thing::Anything, lists).dynamic = true,
                // It permits nothing.
                Clause::Unless { .. } => {}
                Clause::Reserve { field, key, amount, floor } => {
                    let thing = Thing::Amount(*field, key, [amount, floor]);
                    self.entry(&thing, lists).n_reserves += 1;
                }
            }
        }
    }

    fn entry(&mut self, thing: &Thing<'_>, lists: &[&Expr]) -> &mut Named {
        self.named.entry(thing.place(lists)).or_default()
    }

    /// How the template names a thing whenever a clause under these lists does.
    fn named(&self, thing: &Thing<'_>, lists: &[&Expr]) -> Named {
        let fewest = if thing.names_element() { lists.len() } else { 0 };
        let mut all = Named::default();
        for n in fewest..=lists.len() {
            if let Some(named) = self.named.get(&thing.place(&lists[..n])) {
                all.kind = match (all.kind, named.kind) {
                    (Some(a), Some(b)) => Some(a.join(b)),
                    (a, b) => a.or(b),
                };
                all.start |= named.start;
                all.call |= named.call;
                all.dynamic |= named.dynamic;
            }
        }
        all
    }

    /// Whether all of these clauses are covered, which are some of the template `other`.
    fn permits_all<'a>(
        &self,
        clauses: &'a [Clause],
        other: &Self,
        lists: &mut Vec<&'a Expr>,
    ) -> bool {
        // A dynamic method may touch anything: the transaction says what.
        self.named(&Thing::Anything, lists).dynamic
            || clauses.iter().all(|clause| match clause {
                Clause::Touch { kind, field, key } => {
                    let named = self.named(&Thing::Cell(*field, key), lists);
                    named.kind.is_some_and(|declared| declared.permits(*kind))
                }
                Clause::Start { field, key } => {
                    let named = self.named(&Thing::Cell(*field, key), lists);
                    named.start || named.kind.is_some_and(|kind| kind.permits(AccessKind::Read))
                }
                Clause::Call { callee, method, args } => {
                    self.named(&Thing::Call(callee, method, args), lists).call
                }
                Clause::Each { list, clauses } => {
                    lists.push(list);
                    let permitted = self.permits_all(clauses, other, lists);
                    lists.pop();
                    permitted
                }
                Clause::Dynamic => false,
                Clause::Unless { .. } => true,
                Clause::Reserve { field, key, amount, floor } => {
                    let kind = self.named(&Thing::Cell(*field, key), lists).kind;
                    let place = Thing::Amount(*field, key, [amount, floor]).place(lists);
                    let count =
                        |of: &Self| of.named.get(&place).map_or(0, |named| named.n_reserves);
                    kind == Some(AccessKind::Write) || count(other) <= count(self)
                }
            })
    }
}
