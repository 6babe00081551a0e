//! Taking from a stock.

use kempe_abi::host::KEY_BYTES_MAX;
use kempe_abi::{AccessKind, Bound, TrapKind};

use super::Session;
use crate::engine::cell::{Accumulator, number};
use crate::types::StateKey;

impl Session {
    /// Takes from a stock of the running contract if at least `floor` is left then; whether it was taken.
    ///
    /// Where the list says that nobody of the block can be refused, the value is not looked at: it is not
    /// there. Else this writes. The footprint, the fuel and the outcome are the same either way.
    pub(crate) fn reserve(
        &mut self,
        field: u8,
        key: &[u8],
        amount: u128,
        floor: u128,
    ) -> Result<bool, TrapKind> {
        if key.len() > KEY_BYTES_MAX {
            return Err(TrapKind::TooLarge);
        }
        if (Bound { amount, floor }).is_nothing() {
            return Ok(true);
        }
        let accumulator = Accumulator::of(self.own_contract(), field);
        let address = self.frame().address;
        let out_of_bounds = |session: &mut Self| {
            session.counter = Some(StateKey::new(address, field, key));
            TrapKind::CounterOutOfBounds
        };
        // What is taken is kept as what is added.
        let taken = i128::try_from(amount).map_err(|_| out_of_bounds(self))?;
        let found = self.find(&address, field, key);
        if let Some(at) = found
            && self.cells[at].accumulator.is_bounded()
        {
            let left = self.cells[at].added.get().checked_sub(taken);
            let left = left.ok_or_else(|| out_of_bounds(self))?;
            if self.is_within(at, left, floor) {
                return self.take_bounded(at, accumulator, left, floor);
            }
            let takes = Bound { amount: left.unsigned_abs(), floor };
            self.exceed(at, AccessKind::Write).map_err(|trap| self.refuse_taking(trap, takes))?;
        }
        let at = self
            .permit(found, AccessKind::Write, || StateKey::new(address, field, key))
            .map_err(|trap| self.refuse_taking(trap, Bound { amount, floor }))?;
        if !self.is_left(at, -taken, floor)? {
            return Ok(false);
        }
        let left = accumulator.apply(self.cells[at].value.as_deref(), -taken);
        let left = left.map_err(|_| out_of_bounds(self))?;
        self.replace(at, Some(left))?;
        self.cells[at].accumulator = accumulator;
        Ok(true)
    }

    /// Whether the list permits that `-added` is taken so that `floor` is left.
    fn is_within(&self, at: usize, added: i128, floor: u128) -> bool {
        let Bound { amount, floor: lowest } = self.bound(at);
        added.unsigned_abs() <= amount && floor <= lowest
    }

    /// How much the list permits to take from a cell.
    pub(super) fn bound(&self, at: usize) -> Bound {
        // They are in the order of the cells.
        let found = self.bounds.binary_search_by_key(&at, |(cell, _)| *cell);
        found.map_or_else(|_| Bound::default(), |found| self.bounds[found].1)
    }

    /// Notes how much was to be taken where the list does not permit it.
    fn refuse_taking(&mut self, trap: TrapKind, takes: Bound) -> TrapKind {
        if let Some(undeclared) = &mut self.undeclared {
            undeclared.takes = Some(takes);
        }
        trap
    }

    /// Takes what the list permits: `-added` is all that is taken then.
    fn take_bounded(
        &mut self,
        at: usize,
        accumulator: Accumulator,
        added: i128,
        floor: u128,
    ) -> Result<bool, TrapKind> {
        self.cells[at].touched.insert(AccessKind::Add);
        if self.cells[at].kind == AccessKind::Write && !self.is_left(at, added, floor)? {
            return Ok(false);
        }
        self.accumulate(at, accumulator.bounded(), added)?;
        Ok(true)
    }

    /// Whether `floor` is left in a cell whose value is known when `added` is added to that.
    fn is_left(&mut self, at: usize, added: i128, floor: u128) -> Result<bool, TrapKind> {
        let value = number(self.cells[at].value.as_deref());
        let value = value.ok_or_else(|| self.out_of_bounds(at))?;
        Ok(value.checked_add_signed(added).is_some_and(|left| left >= floor))
    }

    /// Writes what was taken under a list that knew the value, at the end of a transaction that succeeded.
    pub(crate) fn settle_stocks(&mut self) -> Result<(), TrapKind> {
        for at in 0..self.bounds.len() {
            let (at, _) = self.bounds[at];
            let cell = &mut self.cells[at];
            if cell.kind == AccessKind::Write && cell.accumulator.is_bounded() {
                let added = std::mem::take(&mut cell.added).get();
                if added != 0 {
                    let left = cell.accumulator.apply(cell.value.as_deref(), added);
                    let left = left.map_err(|_| self.out_of_bounds(at))?;
                    let cell = &mut self.cells[at];
                    (cell.value, cell.dirty) = (Some(left), true);
                }
            }
        }
        Ok(())
    }
}
