//! The values of a block's keys, by slot, while the block runs.

use kempe_abi::{Address, Outcome, TrapKind};
use rayon::prelude::*;

use super::{Change, Done, Interned, Work};
use crate::access::{Cell, system_hash};
use crate::engine::{counter_add, discard};
use crate::scheduler::Access;
use crate::state::{StateRead, StoreError};
use crate::types::{Bytes, Prices, system_field};

/// During a batch the arena is only read; between batches one thread applies the batch's changes.
pub(super) struct Arena {
    values: Vec<Slot>,
}

pub(super) struct Slot {
    value: Option<Bytes>,
    /// The position of the last work that changed it, and of its cell in there.
    changed_by: Option<(u32, u32)>,
}

impl Arena {
    /// Reads the value of every key of the block, on all threads.
    pub(super) fn load(interned: &Interned, state: &dyn StateRead) -> Result<Self, StoreError> {
        /// The keys that are announced together: about as many as a core has reads in flight.
        const AHEAD: usize = 16;
        let n_slots = interned.slots.len();
        let mut values = Vec::new();
        values.resize_with(n_slots, || Slot { value: None, changed_by: None });
        let chunks = values.par_chunks_mut(AHEAD).zip(interned.slots.par_chunks(AHEAD));
        chunks.with_min_len(16).try_for_each(|(values, keys)| {
            state.prepare(keys);
            for (slot, key) in values.iter_mut().zip(keys) {
                slot.value = state.get(key)?;
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(Self { values })
    }

    fn slot(&self, cell: &Cell) -> &Slot {
        &self.values[cell.slot as usize]
    }

    /// Gives cells their slots and current values.
    pub(super) fn read_into(&self, cells: &mut [Cell], accesses: &[Access]) {
        for (cell, access) in cells.iter_mut().zip(accesses) {
            cell.slot = access.slot;
            cell.value = self.slot(cell).value.as_deref().map(Bytes::from_slice);
        }
    }

    /// Applies what a transaction did; its additions may turn out not to fit, and then it failed.
    ///
    /// Transactions of a batch settle in the published order, so that the one that fails is the
    /// one that would fail sequentially.
    pub(super) fn settle(
        &mut self,
        position: usize,
        work: &mut Work,
        sender: &Address,
        prices: &Prices,
    ) {
        if !matches!(work.done, Some(Done::Receipt(..))) {
            return;
        }
        if work.cells.iter().any(|cell| self.sum(cell).is_err()) {
            fail_counter(work, sender, prices);
        }
        let position = u32::try_from(position).expect("a block has fewer than 4 Gi transactions");
        for (at, cell) in (0..).zip(&work.cells) {
            let value = if cell.added.get() != 0 {
                self.sum(cell).ok()
            } else if cell.dirty {
                cell.value.as_deref().map(Bytes::from_slice)
            } else {
                continue;
            };
            self.values[cell.slot as usize] = Slot { value, changed_by: Some((position, at)) };
        }
    }

    fn sum(&self, cell: &Cell) -> Result<Bytes, TrapKind> {
        sum_of(cell, self.slot(cell).value.as_deref())
    }
}

/// The value of a cell after its additions.
pub(crate) fn sum_of(cell: &Cell, current: Option<&[u8]>) -> Result<Bytes, TrapKind> {
    if cell.added.get() == 0 {
        return Ok(Bytes::new());
    }
    counter_add(current, usize::from(cell.width), cell.added.get())
}

/// Turns a transaction whose additions do not fit into a failed one that pays its fee.
pub(super) fn fail_counter(work: &mut Work, sender: &Address, prices: &Prices) {
    discard(&mut work.cells);
    let Some(Done::Receipt(receipt, _)) = &mut work.done else { return };
    receipt.outcome = Outcome::Trap(TrapKind::CounterOutOfBounds);
    receipt.results = Vec::new();
    receipt.events = Vec::new();
    let last = receipt.failure.take();
    receipt.failure = Some(last.unwrap_or_else(|| crate::types::Failure {
        action: 0,
        contract: Address::ZERO,
        undeclared: None,
    }));
    let Some(balance) = work.fee_only.take() else { return };
    let sender = system_hash(system_field::BALANCE, &sender.0);
    let collector = system_hash(system_field::BALANCE, &prices.collector.0);
    let fee = i128::try_from(receipt.fee).unwrap_or(i128::MAX);
    for cell in &mut work.cells {
        if cell.hash == sender {
            // Whoever collects fees pays its own to itself.
            let own = if sender == collector { fee } else { 0 };
            cell.value = counter_add(Some(&balance), 16, own).ok();
            cell.dirty = true;
        } else if cell.hash == collector {
            cell.added = fee.into();
        }
    }
}

impl Arena {
    /// The changed cells, each key once, in order of slot.
    pub(super) fn into_changes(self, works: &[Work]) -> Vec<Change> {
        self.values
            .into_par_iter()
            .with_min_len(256)
            .filter_map(|slot| {
                let (work, cell) = slot.changed_by?;
                let cell = &works[work as usize].cells[cell as usize];
                Some(Change { key: cell.key.clone(), hash: cell.hash, value: slot.value })
            })
            .collect()
    }
}
