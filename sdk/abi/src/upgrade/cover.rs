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
use alloc::vec;
use alloc::vec::Vec;

use crate::{AccessKind, Clause, Expr};

pub(super) fn covers(wide: &[Clause], narrow: &[Clause]) -> bool {
    let mut lists = Lists::default();
    let [wide, other] = [wide, narrow].map(|clauses| {
        let mut template = Template::default();
        template.add(clauses, 0, &mut lists);
        template
    });
    wide.permits_all(narrow, &other, &mut vec![0], &mut lists)
}

/// The lists that clauses stand under, by numbers: an inner one by that of the one around it, so that none is written out for each
/// clause under it. Nothing is around 0.
#[derive(Default)]
struct Lists {
    numbers: BTreeMap<(usize, Vec<u8>), usize>,
}

impl Lists {
    fn under(&mut self, around: usize, list: &Expr) -> usize {
        let n_known = self.numbers.len();
        *self.numbers.entry((around, encoded(list))).or_insert(n_known + 1)
    }
}

fn encoded(what: &impl borsh::BorshSerialize) -> Vec<u8> {
    borsh::to_vec(what).expect("encoding to memory cannot fail")
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
    /// One byte string for each thing and the lists that it stands under, by their number.
    fn place(&self, lists: usize) -> Vec<u8> {
        let lists = lists as u64;
        match self {
            Self::Cell(field, key) => encoded(&(lists, 0u8, field, key)),
            Self::Call(callee, method, args) => encoded(&(lists, 1u8, callee, method, args)),
            Self::Anything => encoded(&(lists, 2u8)),
            Self::Amount(field, key, numbers) => encoded(&(lists, 3u8, field, key, numbers)),
        }
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
    fn add(&mut self, clauses: &[Clause], under: usize, lists: &mut Lists) {
        for clause in clauses {
            match clause {
                Clause::Touch { kind, field, key } => {
                    let named = self.entry(&Thing::Cell(*field, key), under);
                    named.kind = Some(named.kind.map_or(*kind, |had| had.join(*kind)));
                }
                Clause::Start { field, key } => {
                    self.entry(&Thing::Cell(*field, key), under).start = true;
                }
                Clause::Call { callee, method, args } => {
                    self.entry(&Thing::Call(callee, method, args), under).call = true;
                }
                Clause::Each { list, clauses } => {
                    let under = lists.under(under, list);
                    self.add(clauses, under, lists);
                }
                Clause::Dynamic => self.entry(&Thing::Anything, under).dynamic = true,
                // It permits nothing.
                Clause::Unless { .. } => {}
                Clause::Reserve { field, key, amount, floor } => {
                    let thing = Thing::Amount(*field, key, [amount, floor]);
                    self.entry(&thing, under).n_reserves += 1;
                }
            }
        }
    }

    fn entry(&mut self, thing: &Thing<'_>, under: usize) -> &mut Named {
        self.named.entry(thing.place(under)).or_default()
    }

    /// How the template names a thing whenever a clause under the last of these lists does, each of which is around the next.
    fn named(&self, thing: &Thing<'_>, under: &[usize]) -> Named {
        let fewest = if thing.names_element() { under.len() - 1 } else { 0 };
        let mut all = Named::default();
        for &lists in &under[fewest..] {
            if let Some(named) = self.named.get(&thing.place(lists)) {
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
    fn permits_all(
        &self,
        clauses: &[Clause],
        other: &Self,
        under: &mut Vec<usize>,
        lists: &mut Lists,
    ) -> bool {
        // A dynamic method may touch anything: the transaction says what.
        self.named(&Thing::Anything, under).dynamic
            || clauses.iter().all(|clause| match clause {
                Clause::Touch { kind, field, key } => {
                    let named = self.named(&Thing::Cell(*field, key), under);
                    named.kind.is_some_and(|declared| declared.permits(*kind))
                }
                Clause::Start { field, key } => {
                    let named = self.named(&Thing::Cell(*field, key), under);
                    named.start || named.kind.is_some_and(|kind| kind.permits(AccessKind::Read))
                }
                Clause::Call { callee, method, args } => {
                    self.named(&Thing::Call(callee, method, args), under).call
                }
                Clause::Each { list, clauses } => {
                    let innermost = under[under.len() - 1];
                    under.push(lists.under(innermost, list));
                    let permitted = self.permits_all(clauses, other, under, lists);
                    under.pop();
                    permitted
                }
                Clause::Dynamic => false,
                Clause::Unless { .. } => true,
                Clause::Reserve { field, key, amount, floor } => {
                    let kind = self.named(&Thing::Cell(*field, key), under).kind;
                    let place =
                        Thing::Amount(*field, key, [amount, floor]).place(under[under.len() - 1]);
                    let count =
                        |of: &Self| of.named.get(&place).map_or(0, |named| named.n_reserves);
                    kind == Some(AccessKind::Write) || count(other) <= count(self)
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_clause_does_not_grow_with_the_lists_around_it() {
        let list = || Expr::Tuple(vec![Expr::Caller; 1000]);
        let touch =
            |field| Clause::Touch { kind: AccessKind::Write, field, key: vec![Expr::Element] };
        let clauses: Vec<_> = (0..=u8::MAX).map(touch).collect();
        let inner = Clause::Each { list: list(), clauses };
        let template = vec![Clause::Each { list: list(), clauses: vec![inner] }];
        let (mut lists, mut found) = (Lists::default(), Template::default());
        found.add(&template, 0, &mut lists);
        let n_bytes: usize = found.named.keys().map(Vec::len).sum();
        assert!(found.named.len() == 256 && n_bytes < 256 * 32, "{n_bytes}");
        assert_eq!(lists.numbers.len(), 2, "one in the other is another");
        assert!(covers(&template, &template));
        let Clause::Each { list, clauses: inner } = &template[0] else { unreachable!() };
        assert!(!covers(inner, &template), "the element is that of another list");
        let Clause::Each { clauses, .. } = &inner[0] else { unreachable!() };
        let one_list = vec![Clause::Each { list: list.clone(), clauses: clauses.clone() }];
        assert!(!covers(&one_list, &template) && !covers(&template, &one_list));
    }
}
