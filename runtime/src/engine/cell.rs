//! The cells that a transaction works on: the entries of its list, with their values.

use kempe_abi::{AccessKind, Accumulate, CellKind, TrapKind, Type};

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
    /// The innermost call on the stack that catches and for which the cell is journaled; 0, or the number of one
    /// that has ended, for none.
    pub(crate) journaled: u32,
    pub(crate) key_len: u16,
    pub(crate) field: u8,
    /// What the list permits.
    pub(crate) kind: AccessKind,
    /// How it was added to.
    pub(crate) accumulator: Accumulator,
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
            accumulator: Accumulator::BALANCE,
            touched: Touched::default(),
            dirty: false,
            recorded: false,
        }
    }

    /// Whether its value is [unread](Bytes::unread).
    pub(crate) fn is_unread(&self) -> bool {
        self.value.as_ref().is_some_and(Bytes::is_unread)
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

/// How and in how many bytes something accumulates in a cell. One byte, because every cell has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accumulator(u8);

impl Accumulator {
    /// The sum of an account's balance.
    pub(crate) const BALANCE: Self = Self(16);

    /// A sum of one byte.
    #[cfg(test)]
    pub(crate) const BYTE: Self = Self(1);

    const MAX: u8 = 32;
    const MIN: u8 = 64;
    const STOCK: u8 = Self::MAX | Self::MIN;
    /// The transaction may only take from the stock, and only so much.
    const BOUNDED: u8 = 128;

    /// That of a contract's field.
    pub(crate) fn of(contract: &Contract, field: u8) -> Self {
        let Some(field) = contract.abi().fields.get(usize::from(field)) else {
            return Self::BALANCE;
        };
        let width = match field.value {
            // Of a log it is the length.
            _ if field.cell == CellKind::Log => 8,
            Type::U8 => 1,
            Type::U16 => 2,
            Type::U32 => 4,
            Type::U64 => 8,
            _ => 16,
        };
        Self(match Accumulate::of(field.cell) {
            Some(Accumulate::Sum | Accumulate::Length) | None => width,
            Some(Accumulate::Max) => width | Self::MAX,
            Some(Accumulate::Min) => width | Self::MIN,
            Some(Accumulate::Stock) => width | Self::STOCK,
        })
    }

    pub(crate) fn how(self) -> Accumulate {
        match self.0 & (Self::MAX | Self::MIN) {
            0 => Accumulate::Sum,
            Self::MAX => Accumulate::Max,
            Self::MIN => Accumulate::Min,
            _ => Accumulate::Stock,
        }
    }

    /// The same, of a stock of which the transaction may only take so much.
    pub(crate) fn bounded(self) -> Self {
        Self(self.0 | Self::BOUNDED)
    }

    /// The same, of a cell with which the transaction may do all that its kind permits.
    pub(crate) fn unbounded(self) -> Self {
        Self(self.0 & !Self::BOUNDED)
    }

    pub(crate) fn is_bounded(self) -> bool {
        self.0 & Self::BOUNDED != 0
    }

    fn width(self) -> usize {
        usize::from(self.0 & 31)
    }

    /// The greatest value that the bytes hold.
    pub(crate) fn max(self) -> u128 {
        u128::MAX >> (128 - 8 * self.width())
    }

    /// What a cell holds after an amount.
    ///
    /// # Errors
    /// [`TrapKind::CounterOutOfBounds`] when a sum is negative or does not fit.
    pub(crate) fn apply(self, value: Option<&[u8]>, amount: i128) -> Result<Bytes, TrapKind> {
        let value = self.decode(value)?;
        let left = self.how().apply(value, self.max(), amount);
        Ok(self.encode(left.ok_or(TrapKind::CounterOutOfBounds)?))
    }

    /// What a cell holds after some amounts, where those that do not fit are passed over; nothing if there was
    /// nothing and none fits.
    pub(crate) fn apply_all(
        self,
        value: Option<&[u8]>,
        amounts: impl Iterator<Item = i128>,
    ) -> Option<Bytes> {
        let Ok(start) = self.decode(value) else { return value.map(Bytes::from_slice) };
        let (how, max) = (self.how(), self.max());
        let mut fits = false;
        let left = amounts.fold(start, |value, amount| {
            let left = how.apply(value, max, amount);
            fits |= left.is_some();
            left.or(value)
        });
        // One by one, the first that fits writes all bytes, even if the number is what it was.
        if fits { left.map(|left| self.encode(left)) } else { value.map(Bytes::from_slice) }
    }

    fn decode(self, value: Option<&[u8]>) -> Result<Option<u128>, TrapKind> {
        let value = value.map(|value| number(Some(value)).ok_or(TrapKind::CounterOutOfBounds));
        value.transpose()
    }

    fn encode(self, value: u128) -> Bytes {
        Bytes::from_slice(&value.to_le_bytes()[..self.width()])
    }
}

/// The number that a cell holds, zero if it holds nothing; `None` if its value is longer than a number.
pub(crate) fn number(value: Option<&[u8]>) -> Option<u128> {
    let value = value.unwrap_or_default();
    let mut bytes = [0; 16];
    bytes.get_mut(..value.len())?.copy_from_slice(value);
    Some(u128::from_le_bytes(bytes))
}
