//! The cells of a transaction: finding one, permission for it, and its changes.

use kempe_abi::host::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use kempe_abi::{AccessKind, Address, Bound, TrapKind};

use super::Session;
use crate::access::{Entry, LINEAR_MAX};
use crate::engine::cell::{Accumulator, Cell, Delta};
use crate::state::StoreError;
use crate::types::{Bytes, KeyHash, LIST_ENTRIES_MAX, SYSTEM, StateKey, Undeclared};

impl Session {
    /// The running contract's cell, with permission for `want`.
    pub(crate) fn own_cell(
        &mut self,
        field: u8,
        key: &[u8],
        want: AccessKind,
    ) -> Result<usize, TrapKind> {
        if key.len() > KEY_BYTES_MAX {
            return Err(TrapKind::TooLarge);
        }
        let address = self.frame().address;
        let found = self.find(&address, field, key);
        self.permit(found, want, || StateKey::new(address, field, key))
    }

    /// The value that a cell of the running contract had before the block, or behind its upgrade in this block. In no list; it costs what
    /// an entry of a list and its value cost, because it reads the state as one does.
    pub(crate) fn at_start(&mut self, field: u8, key: &[u8]) -> Result<Option<Bytes>, TrapKind> {
        if key.len() > KEY_BYTES_MAX {
            return Err(TrapKind::TooLarge);
        }
        self.charge(self.prices.list_entry)?;
        let contract = self.frame().address;
        let value = match self.started.get(&contract, field, key) {
            Some(value) => value.as_deref().map(Bytes::from_slice),
            None => self.read_start(contract, field, key)?,
        };
        self.charge(self.prices.listed_value(value.as_deref()))?;
        Ok(value)
    }

    fn read_start(
        &mut self,
        contract: Address,
        field: u8,
        key: &[u8],
    ) -> Result<Option<Bytes>, TrapKind> {
        let hash = self.hash(&contract, field, key);
        let value = self.state.at_start(&contract, &hash).map_err(|error| self.fail(error))?;
        self.started.keep(contract, field, key, &value);
        Ok(value)
    }

    /// One of the chain's own cells, with permission for `want`.
    pub(crate) fn system_cell(
        &mut self,
        field: u8,
        key: &[u8; 32],
        want: AccessKind,
    ) -> Result<usize, TrapKind> {
        let found = self.find(&SYSTEM, field, key);
        self.permit(found, want, || StateKey::system(field, key))
    }

    pub(super) fn find(&mut self, contract: &Address, field: u8, key: &[u8]) -> Option<usize> {
        if self.cells.len() <= LINEAR_MAX {
            return self.cells.iter().position(|cell| {
                cell.field == field && usize::from(cell.key_len) == key.len() && {
                    let (its_contract, its_key) = self.name(cell);
                    its_key == key && its_contract == contract
                }
            });
        }
        let (cells, recorded, chunk) =
            (&self.cells, &self.recorded, &self.lists.chunks[self.chunk]);
        let name = |at: usize| {
            let cell: &Cell = &cells[at];
            let (contract, key) = super::name(recorded, chunk, cell);
            (contract, cell.field, key)
        };
        self.index.find(cells.len(), name, (contract, field, key))
    }

    fn hash(&self, contract: &Address, field: u8, key: &[u8]) -> KeyHash {
        match self.by_address.get(contract) {
            Some(&at) => KeyHash::of(&self.contracts[at].prefix(field), key),
            None => StateKey::new(*contract, field, key).hash(),
        }
    }

    pub(super) fn permit(
        &mut self,
        found: Option<usize>,
        want: AccessKind,
        key: impl FnOnce() -> StateKey,
    ) -> Result<usize, TrapKind> {
        let at = match found {
            Some(at) => at,
            None if self.recording => self.record(key(), want)?,
            None => {
                return Err(self.refuse(key(), want, None, None));
            }
        };
        let Cell { kind, accumulator, .. } = self.cells[at];
        if !kind.permits(want) || accumulator.is_bounded() {
            self.exceed(at, want)?;
        }
        self.cells[at].touched.insert(want);
        Ok(at)
    }

    /// A touch of a cell that its declaration does not permit: refused, or recorded.
    pub(super) fn exceed(&mut self, at: usize, want: AccessKind) -> Result<(), TrapKind> {
        if self.recording {
            return self.widen(at);
        }
        let cell = &self.cells[at];
        let may_take = cell.accumulator.is_bounded().then(|| self.bound(at));
        // Which of its kinds a bounded cell has is up to the block.
        let declared = if may_take.is_some() { AccessKind::Add } else { cell.kind };
        Err(self.refuse(self.state_key(cell), want, Some(declared), may_take))
    }

    /// Notes what was touched without permission.
    fn refuse(
        &mut self,
        key: StateKey,
        wanted: AccessKind,
        declared: Option<AccessKind>,
        may_take: Option<Bound>,
    ) -> TrapKind {
        self.undeclared = Some(Undeclared { key, wanted, declared, takes: None, may_take });
        TrapKind::UndeclaredAccess
    }

    /// Adds a cell that no list declares, with its value from the state.
    fn record(&mut self, key: StateKey, want: AccessKind) -> Result<usize, TrapKind> {
        if self.cells.len() >= LIST_ENTRIES_MAX {
            return Err(TrapKind::ListTooLarge);
        }
        // An entry found while running costs what a declared one costs.
        self.charge(self.prices.list_entry)?;
        let hash = key.hash();
        let mut value = self.state.look(&hash).map_err(|error| self.fail(error))?;
        if want != AccessKind::Add {
            value = self.paid(&hash, value)?;
        }
        let entry = Entry {
            hash,
            contract: 0,
            key: u32::try_from(self.recorded.len()).expect("LIST_ENTRIES_MAX bounds the cells"),
            key_len: u16::try_from(key.key.len()).expect("KEY_BYTES_MAX bounds the key"),
            field: key.field,
            kind: if want == AccessKind::Add { want } else { AccessKind::Write },
        };
        self.cells.push(Cell { recorded: true, ..Cell::listed(&entry, u32::MAX, value) });
        self.recorded.push(key);
        Ok(self.cells.len() - 1)
    }

    /// The value of a cell that is looked at, for what that costs. One that is [unread](Bytes::unread) is read, if the fuel pays for it.
    fn paid(
        &mut self,
        hash: &KeyHash,
        mut value: Option<Bytes>,
    ) -> Result<Option<Bytes>, TrapKind> {
        if value.as_ref().is_some_and(Bytes::is_unread) {
            let most = self.prices.listed_bytes(self.fuel);
            let found = self.state.get_up_to(hash, most).map_err(|error| self.fail(error))?;
            value = found.map_err(|_| {
                self.fuel = 0;
                TrapKind::OutOfFuel
            })?;
        }
        self.charge(self.prices.listed_value(value.as_deref()))?;
        Ok(value)
    }

    /// Reads the value of a listed cell and charges what it costs.
    pub(crate) fn read(&mut self, at: usize) -> Result<(), TrapKind> {
        let Cell { hash, value, .. } = &self.cells[at];
        let (hash, value) = (*hash, value.clone());
        self.cells[at].value = self.paid(&hash, value)?;
        Ok(())
    }

    /// Notes that this node failed; whatever the transaction does, it has no outcome.
    fn fail(&mut self, error: StoreError) -> TrapKind {
        self.fault = Some(error);
        TrapKind::NotPermitted
    }

    /// Adds a cell that a template declares to those of a transaction that runs alone.
    pub(crate) fn declare(&mut self, key: StateKey, kind: AccessKind) -> Result<(), TrapKind> {
        match self.find(&key.contract, key.field, &key.key) {
            Some(at) if self.cells[at].kind.permits(kind) => Ok(()),
            Some(at) => self.widen(at),
            None => {
                let at = self.record(key, kind)?;
                self.cells[at].kind = kind;
                Ok(())
            }
        }
    }

    /// Turns a recorded cell into one that may be written, folding in what was added.
    pub(super) fn widen(&mut self, at: usize) -> Result<(), TrapKind> {
        let Cell { value, added, accumulator, .. } = &self.cells[at];
        let (value, added) = (value.as_deref(), added.get());
        let folded = (added != 0).then(|| accumulator.apply(value, added)).transpose();
        let folded = folded.map_err(|_| self.out_of_bounds(at))?;
        // It is looked at now, as the value of an entry that may be read.
        self.read(at)?;
        self.journal_widening(at);
        let cell = &mut self.cells[at];
        if folded.is_some() {
            cell.value = folded;
            cell.added = Delta::default();
            cell.dirty = true;
        }
        cell.kind = AccessKind::Write;
        cell.accumulator = cell.accumulator.unbounded();
        Ok(())
    }

    /// Replaces or removes a cell's value.
    pub(crate) fn write(&mut self, at: usize, value: Option<&[u8]>) -> Result<(), TrapKind> {
        if value.is_some_and(|value| value.len() > VALUE_BYTES_MAX) {
            return Err(TrapKind::TooLarge);
        }
        self.replace(at, value.map(Bytes::from_slice))
    }

    /// Replaces a cell's value.
    pub(super) fn replace(&mut self, at: usize, value: Option<Bytes>) -> Result<(), TrapKind> {
        self.journal(at, true)?;
        let cell = &mut self.cells[at];
        cell.value = value;
        cell.dirty = true;
        Ok(())
    }

    /// Adds to what accumulates. Under `Add` the bounds of sums are checked when the transaction ends.
    pub(crate) fn add(
        &mut self,
        at: usize,
        accumulator: Accumulator,
        number: i128,
    ) -> Result<(), TrapKind> {
        let amount = accumulator.how().amount(number, accumulator.max());
        let amount = amount.ok_or_else(|| self.out_of_bounds(at))?;
        let cell = &self.cells[at];
        if cell.added.get() != 0 && cell.accumulator.unbounded() != accumulator.unbounded() {
            // Its contract was upgraded since, and the field is another one: what was added to that is folded in first.
            self.widen(at)?;
        }
        let cell = &self.cells[at];
        if cell.kind == AccessKind::Add {
            let added = accumulator.how().join(cell.added.get(), amount);
            let added = added.ok_or_else(|| self.out_of_bounds(at))?;
            self.accumulate(at, accumulator, added)
        } else {
            let value = accumulator.apply(cell.value.as_deref(), amount);
            let value = value.map_err(|_| self.out_of_bounds(at))?;
            self.replace(at, Some(value))?;
            self.cells[at].accumulator = accumulator;
            Ok(())
        }
    }

    /// Notes which cell would leave its bounds.
    pub(super) fn out_of_bounds(&mut self, at: usize) -> TrapKind {
        self.counter = Some(self.state_key(&self.cells[at]));
        TrapKind::CounterOutOfBounds
    }

    /// Replaces what was added to a cell whose value is not looked at.
    pub(super) fn accumulate(
        &mut self,
        at: usize,
        accumulator: Accumulator,
        added: i128,
    ) -> Result<(), TrapKind> {
        self.journal(at, false)?;
        let cell = &mut self.cells[at];
        cell.accumulator = accumulator;
        cell.added = added.into();
        Ok(())
    }
}
