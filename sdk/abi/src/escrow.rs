//! Taking from a stock without seeing it.

use borsh::{BorshDeserialize, BorshSerialize};

/// What a transaction takes of a stock, or by [`Clause::Reserve`](crate::Clause::Reserve) declares that it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Bound {
    /// The most that it takes.
    pub amount: u128,
    /// The most that it wants to be left.
    pub floor: u128,
}

impl Bound {
    /// Whether it takes nothing and wants nothing to be left: that succeeds whatever is there, so it orders nothing, is
    /// in no list, and touches nothing.
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        self.amount == 0 && self.floor == 0
    }

    /// What two clauses for one stock permit together.
    #[must_use]
    pub const fn join(self, other: Self) -> Self {
        let floor = if self.floor < other.floor { other.floor } else { self.floor };
        // A sum that does not fit is one that no stock has: see `Escrow::holds`.
        Self { amount: self.amount.saturating_add(other.amount), floor }
    }
}

/// All that the transactions of a block declare of one stock.
///
/// Taking is an `if`: where `amount` can be taken so that `floor` is left it is taken, else not, and whoever
/// takes sees which. So in general the order shows, and who takes writes. But where the escrow
/// [holds](Self::holds), nobody is refused in any order, and the order cannot show: taking is then an
/// [`Add`](crate::AccessKind::Add).
///
/// Proof. Let the stock be `s` before the block, and let it hold: the bounds `b` of all who take, and the
/// greatest of their floors `f`, satisfy `Σb + f ≤ s`, and nobody else lowers the stock, since nobody writes
/// it and what is added is never negative. Take any order, and in it any transaction that takes `a ≤ b₁` with
/// a floor `f₁ ≤ f`. Those before it took at most `Σb − b₁`, so at least `s − Σb + b₁ ≥ f + b₁` is there, and at
/// least `f ≥ f₁` is left: it is not refused. So what each sees (that it was not refused) is the same in
/// every order, and what all leave is `s` less the sum of what they took, and more by what was added.
///
/// Source: P. O'Neil, "The escrow transactional method", ACM TODS 11(4), 1986; there the test is made as each
/// request comes, here once for all of a block, before it runs.
///
/// ```
/// # use kempe_abi::{Bound, Escrow};
/// let mut escrow = Escrow::default();
/// escrow.add(Bound { amount: 3, floor: 1 });
/// escrow.add(Bound { amount: 2, floor: 4 });
/// assert!(escrow.holds(9) && !escrow.holds(8));
/// escrow.break_up();
/// assert!(!escrow.holds(9));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Escrow {
    all: Bound,
    is_broken: bool,
}

impl Escrow {
    /// Counts a transaction that takes.
    pub const fn add(&mut self, bound: Bound) {
        self.all = self.all.join(bound);
    }

    /// Notes a transaction that may write the stock: what it leaves is not known.
    pub const fn break_up(&mut self) {
        self.is_broken = true;
    }

    /// What all who were counted take together. An amount of [`u128::MAX`] may stand for more than that.
    #[must_use]
    pub const fn all(&self) -> Bound {
        self.all
    }

    /// Whether somebody may write the stock.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Whether nobody can be refused in any order, if the stock is `value` before the block.
    #[must_use]
    pub const fn holds(&self, value: u128) -> bool {
        let Bound { amount, floor } = self.all;
        // The greatest amount may stand for a sum that did not fit.
        !self.is_broken
            && amount < u128::MAX
            && match amount.checked_add(floor) {
                Some(needed) => needed <= value,
                None => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_overflows_never_holds() {
        let mut escrow = Escrow::default();
        escrow.add(Bound { amount: u128::MAX, floor: 0 });
        escrow.add(Bound { amount: u128::MAX, floor: 0 });
        assert!(!escrow.holds(u128::MAX));
        let mut floor = Escrow::default();
        floor.add(Bound { amount: 1, floor: u128::MAX });
        assert!(!floor.holds(u128::MAX));
    }

    /// The proof, by trying: wherever it holds, nobody is refused in any order of takers that take as much
    /// as they may, and wherever it does not, somebody is in some order.
    #[test]
    fn it_holds_exactly_where_no_order_refuses_anybody() {
        let bounds =
            [(0, 0), (1, 0), (2, 1), (1, 3), (3, 2)].map(|(amount, floor)| Bound { amount, floor });
        for a in bounds {
            for b in bounds {
                for c in bounds {
                    let mut escrow = Escrow::default();
                    [a, b, c].into_iter().for_each(|bound| escrow.add(bound));
                    for value in 0..16 {
                        let orders =
                            [[a, b, c], [a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]];
                        let all = orders.iter().all(|order| {
                            let mut left = value;
                            order.iter().all(|bound| {
                                let takes = left >= bound.amount + bound.floor;
                                left -= if takes { bound.amount } else { 0 };
                                takes
                            })
                        });
                        assert_eq!(escrow.holds(value), all, "{a:?} {b:?} {c:?} of {value}");
                    }
                }
            }
        }
    }
}
