//! The cells that a transaction works on: the entries of its list, with their values.

use kempe_abi::{AccessKind, CellKind, TrapKind, Type};

use super::contracts::Contract;
use crate::access::Entry;
use crate::types::{Bytes, KeyHash};

/// A key of the access list while the transaction runs.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// The value as the transaction sees it; `None` if there is none.
    pub(crate) value: Option<Bytes>,
    /// The key's hash.
    pub(crate) hash: KeyHash,
    /// What was added under [`AccessKind::Add`].
    pub(crate) added: Delta,
    /// Where the key is among the lists, or its number among the recorded keys.
    pub(crate) key: u32,
    /// Where its contract is among the lists.
    pub(crate) contract: u32,
    /// The key's number in the block.
    pub(crate) slot: u32,
    /// The catching call for which the cell was last journaled; 0 for none.
    pub(crate) journaled: u32,
    pub(crate) key_len: u16,
    pub(crate) field: u8,
    /// What the list permits.
    pub(crate) kind: AccessKind,
    /// The bytes of the counter that was added to.
    pub(crate) width: u8,
    /// What was done.
    pub(crate) touched: Touched,
    /// Whether `value` replaces the value in the state.
    pub(crate) dirty: bool,
    /// Whether no list names the key: it was recorded while the transaction ran.
    pub(crate) recorded: bool,
}

impl Cell {
    /// The cell of a list's entry, untouched.
    pub(crate) fn listed(entry: &Entry, slot: u32, value: Option<Bytes>) -> Self {
        let Entry { hash, contract, key, key_len, field, kind } = *entry;
        Self {
            value,
            hash,
            added: Delta::default(),
            key,
            contract,
            slot,
            journaled: 0,
            key_len,
            field,
            kind,
            width: 16,
            touched: Touched::default(),
            dirty: false,
            recorded: false,
        }
    }
}

/// A signed 128-bit number with the alignment of its halves: cells are smaller with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delta([u64; 2]);

impl Delta {
    /// The number.
    pub(crate) fn get(self) -> i128 {
        (u128::from(self.0[1]) << 64 | u128::from(self.0[0])).cast_signed()
    }
}

impl From<i128> for Delta {
    fn from(number: i128) -> Self {
        let bits = number.cast_unsigned();
        let (low, high) = (bits & u128::from(u64::MAX), bits >> 64);
        let half = |bits| u64::try_from(bits).expect("half of the bits");
        Self([half(low), half(high)])
    }
}

/// What was done to a cell: a set of access kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched(u8);

impl Touched {
    /// Adds a kind.
    pub(crate) fn insert(&mut self, kind: AccessKind) {
        self.0 |= 1 << kind as u8;
    }

    /// The one byte that a footprint holds: bit 0 read, bit 1 add, bit 2 write.
    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    /// The least kind of declaration that permits all of it, if anything was done.
    pub(crate) fn kind(self) -> Option<AccessKind> {
        let kinds = [AccessKind::Read, AccessKind::Add, AccessKind::Write];
        kinds.into_iter().filter(|&kind| self.0 & 1 << kind as u8 != 0).reduce(AccessKind::join)
    }
}

/// The bytes of a counter field's value.
pub(crate) fn counter_width(contract: &Contract, field: u8) -> usize {
    match contract.abi().fields.get(usize::from(field)).map(|field| (&field.cell, &field.value)) {
        Some((CellKind::Counter, Type::U8)) => 1,
        Some((CellKind::Counter, Type::U16)) => 2,
        Some((CellKind::Counter, Type::U32)) => 4,
        Some((CellKind::Counter, Type::U64)) => 8,
        _ => 16,
    }
}

/// Adds to a counter of `width` bytes; an absent one is zero.
///
/// # Errors
/// [`TrapKind::CounterOutOfBounds`] when the sum is negative or does not fit.
pub(crate) fn counter_add(
    value: Option<&[u8]>,
    width: usize,
    delta: i128,
) -> Result<Bytes, TrapKind> {
    let mut bytes = [0; 16];
    if let Some(value) = value {
        bytes.get_mut(..value.len()).ok_or(TrapKind::CounterOutOfBounds)?.copy_from_slice(value);
    }
    let sum = u128::from_le_bytes(bytes)
        .checked_add_signed(delta)
        .filter(|sum| width == 16 || sum >> (8 * width) == 0)
        .ok_or(TrapKind::CounterOutOfBounds)?;
    Ok(Bytes::from_slice(&sum.to_le_bytes()[..width]))
}
