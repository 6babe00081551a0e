//! What a transaction does to the state, from its cells.

use kempe_abi::{Accumulate, Address, Outcome, TrapKind};

use crate::access::system_hash;
use crate::engine::{Accumulator, Cell, Delta, number};
use crate::types::{Bytes, Failure, KeyHash, Prices, Receipt, StateKey, system_field};

/// What a transaction does to one key.
#[derive(Debug)]
pub(super) struct Effect {
    /// The position of its cell.
    pub(super) cell: u32,
    pub(super) slot: u32,
    pub(super) hash: KeyHash,
    /// The new value, if there is one; `Some(None)` removes it.
    pub(super) write: Option<Option<Bytes>>,
    /// What is added to whatever the value is when the transaction's turn comes.
    pub(super) added: i128,
    /// How it is added to.
    accumulator: Accumulator,
}

/// What was added to a key and what was taken from it, in all.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    added: u128,
    taken: u128,
}

impl Totals {
    /// Counts one more.
    pub(super) fn count(&mut self, added: i128) {
        let total = if added > 0 { &mut self.added } else { &mut self.taken };
        *total = total.saturating_add(added.unsigned_abs());
    }
}

/// What is added to a cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addition {
    added: Delta,
    accumulator: Accumulator,
}

impl Addition {
    #[cfg(test)]
    pub(super) fn new(added: i128) -> Self {
        Self { added: added.into(), accumulator: Accumulator::BYTE }
    }

    /// The same to a number of 16 bytes.
    #[cfg(test)]
    pub(super) fn wide(added: i128) -> Self {
        Self { added: added.into(), accumulator: Accumulator::BALANCE }
    }

    /// What a transaction adds to a cell that its list lets it only add to, if it does.
    pub(super) fn of(cell: &Cell) -> Option<Self> {
        let Cell { added, accumulator, .. } = *cell;
        (added.get() != 0).then_some(Self { added, accumulator })
    }

    /// The value that it leaves, where there is `current`.
    pub(super) fn value(self, current: Option<&[u8]>) -> Result<Bytes, TrapKind> {
        self.accumulator.apply(current, self.added.get())
    }

    /// The value that this and further additions to the same cell leave, where there is `current`; those that do
    /// not fit are passed over.
    pub(super) fn value_with<'a>(
        self,
        others: impl Iterator<Item = &'a Self>,
        current: Option<&[u8]>,
    ) -> Option<Bytes> {
        let amounts = others.map(|addition| addition.added.get());
        self.accumulator.apply_all(current, std::iter::once(self.added.get()).chain(amounts))
    }
}

/// The effects of a transaction that ran, which takes the values out of its cells.
pub(super) fn effects_of(cells: &mut [Cell]) -> Vec<Effect> {
    (0..)
        .zip(cells)
        .filter(|(_, cell)| cell.dirty || cell.added.get() != 0)
        .map(|(at, cell)| Effect {
            cell: at,
            slot: cell.slot,
            hash: cell.hash,
            write: cell.dirty.then(|| cell.value.take()),
            added: cell.added.get(),
            accumulator: cell.accumulator,
        })
        .collect()
}

/// Whether the additions of a cell fit what it holds: for a transaction that ran alone.
pub(crate) fn fits(cell: &Cell) -> bool {
    let added = cell.added.get();
    added == 0 || cell.accumulator.apply(cell.value.as_deref(), added).is_ok()
}

impl Effect {
    /// What it does to a slot whose number has one byte.
    #[cfg(test)]
    pub(super) fn of_byte(slot: u32, write: Option<Option<Bytes>>, added: i128) -> Self {
        let hash = KeyHash([0; 32]);
        Self { cell: slot, slot, hash, write, added, accumulator: Accumulator::BYTE }
    }

    /// Whether the order of its addition among others could show: sums have bounds.
    pub(super) fn is_sum(&self) -> bool {
        let how = self.accumulator.how();
        self.added != 0 && matches!(how, Accumulate::Sum | Accumulate::Stock | Accumulate::Length)
    }

    /// Whether no order of additions to its key could show, of which this was the last, `totals` are all so far, and `left` is what is there
    /// now. `totals` may also count others, before the last time that somebody read or wrote the key.
    ///
    /// Whatever the order, there never was less than what was there first without all that was taken, which is what is left without all that
    /// was added; nor more than what is left with all that was taken. Where all of them go one way, the last value is the extreme one, and it
    /// fits; unless there was more than fits before it, as an upgrade may leave it. Nobody takes more from a stock than was there first.
    pub(super) fn commutes(&self, left: Option<&[u8]>, totals: Totals) -> bool {
        let Some(left) = number(left) else { return false };
        let fits = |more: u128| left.checked_add(more).is_some_and(|n| n <= self.accumulator.max());
        if self.added < 0 && !fits(self.added.unsigned_abs()) {
            return false;
        }
        let is_one_way = totals.added == 0 || totals.taken == 0;
        let has_all = self.accumulator.how() == Accumulate::Stock || totals.added <= left;
        is_one_way || has_all && fits(totals.taken)
    }

    /// The value that it leaves, where there is `current`.
    pub(super) fn value(&self, current: Option<&[u8]>) -> Result<Option<Bytes>, TrapKind> {
        match &self.write {
            _ if self.added != 0 => self.accumulator.apply(current, self.added).map(Some),
            // Long values are shared by copies.
            Some(value) => Ok(value.clone()),
            None => Ok(current.map(Bytes::from_slice)),
        }
    }
}

/// Turns a transaction whose additions do not fit into a failed one that pays its fee: `counter` is the first of its
/// cells to which one does not. `fee_only` is the sender's balance then, where gas has a price.
pub(super) fn fail_counter(
    receipt: &mut Receipt,
    counter: StateKey,
    effects: &mut Vec<Effect>,
    fee_only: Option<Bytes>,
    sender: &Address,
    prices: &Prices,
) {
    receipt.outcome = Outcome::Trap(TrapKind::CounterOutOfBounds);
    receipt.results = Vec::new();
    receipt.events = Vec::new();
    receipt.failure.get_or_insert_with(|| Box::new(Failure::of_counter(counter)));
    let sender = system_hash(system_field::BALANCE, &sender.0);
    let collector = system_hash(system_field::BALANCE, &prices.collector.0);
    let fee = i128::try_from(receipt.fee).unwrap_or(i128::MAX);
    effects.retain_mut(|effect| {
        let Some(balance) = &fee_only else { return false };
        if effect.hash == sender {
            // Whoever collects fees pays its own to itself.
            let own = if sender == collector { fee } else { 0 };
            effect.write = Some(Accumulator::BALANCE.apply(Some(balance), own).ok());
            effect.added = 0;
            true
        } else if effect.hash == collector {
            effect.write = None;
            effect.added = fee;
            true
        } else {
            false
        }
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(added: i128) -> Effect {
        Effect::of_byte(0, None, added)
    }

    /// Whether all additions fit, in every order of which nothing is known but what each starts with.
    fn fit_in_every_order(start: i128, additions: &[i128]) -> bool {
        let fits = |number| (0..=255).contains(&number);
        additions.is_empty()
            || (0..additions.len()).all(|first| {
                let (next, mut rest) = (start + additions[first], additions.to_vec());
                rest.remove(first);
                fits(next) && fit_in_every_order(next, &rest)
            })
    }

    #[test]
    fn what_goes_one_way_commutes_whatever_was_written_before() {
        let totals = |amounts: [i128; 2]| {
            let mut totals = Totals::default();
            amounts.into_iter().for_each(|amount| totals.count(amount));
            totals
        };
        // Somebody spent it between, or put something there.
        assert!(sum(50).commutes(Some(&[50]), totals([100, 50])));
        assert!(sum(-50).commutes(Some(&[200]), totals([-100, -50])));
        assert!(!sum(50).commutes(Some(&[50]), totals([-100, 50 + 100])));
    }

    proptest! {
        #[test]
        fn what_commutes_fits_in_every_order(
            start in prop_oneof![0..12u16, 244..270u16, 0..400u16],
            mut additions in proptest::collection::vec(prop_oneof![-4..5i128, -60..60i128], 1..6),
        ) {
            // Nothing added is no addition, and fits where there is more than fits.
            additions.retain(|added| *added != 0);
            // Where it is more than fits, an upgrade left it.
            let mut value = Some(Bytes::from_slice(&start.to_le_bytes()));
            let mut totals = Totals::default();
            let mut all_commute = true;
            for &added in &additions {
                let effect = sum(added);
                let Ok(left) = effect.value(value.as_deref()) else {
                    all_commute = false;
                    break;
                };
                value = left;
                totals.count(added);
                all_commute &= effect.commutes(value.as_deref(), totals);
            }
            let fit = fit_in_every_order(start.into(), &additions);
            prop_assert!(fit || !all_commute);
            prop_assert!(all_commute || !fit || start > 255, "a run too many");
        }
    }
}
