//! Logs: sequences to which transactions append without seeing them.
//!
//! The cell of a log holds its length, `u64`; item `i` has a cell of its own in the same field, whose key is the
//! log's with the eight little-endian bytes of `i` behind it. An encoded key is no prefix of another one of its
//! types, so no log's length is another one's item; the host takes only whole keys of these types for a log.
//!
//! To append is an `Add` on the length. It does not say where the item goes: when the block ends, the items of those who
//! succeeded get their indices in the published order. So an item is there from the next block on, never changes and is
//! never removed, and reading one, a [`Clause::Start`](crate::Clause::Start), conflicts with nothing.
//!
//! *Why it commutes.* Who appends sees neither the length nor an item, and cannot fail by it: the length is a sum of
//! what is never negative, and stays below 2^64. So exchanging two neighbors of an order changes neither the outcome of
//! either nor the length after both, and by exchanges of neighbors any order becomes any other. The indices
//! are a function of who succeeded and of the published order, not of who ran first; and nobody of the block
//! sees them.

use alloc::vec::Vec;

use crate::layout::{Cursor, split};
use crate::{CellKind, Field};

/// The bytes of an item's index.
pub const INDEX_BYTES: usize = size_of::<u64>();

/// What a cell of a log's field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A log's length.
    Length,
    /// The item with this index.
    Item(u64),
}

/// The key of an item: that of its log, and its index.
///
/// ```
/// assert_eq!(kempe_abi::log::item_key(&[7], 258), [7, 2, 1, 0, 0, 0, 0, 0, 0]);
/// ```
#[must_use]
pub fn item_key(log: &[u8], index: u64) -> Vec<u8> {
    [log, &index.to_le_bytes()].concat()
}

impl Field {
    /// Which part of a log has this key, with the log's key; `None` if the field is no log, or it is neither.
    #[must_use]
    pub fn log_part<'a>(&self, key: &'a [u8]) -> Option<(&'a [u8], Part)> {
        let is_whole = |key: &[u8]| split(self.keys.iter(), key, |_| ()).is_ok();
        if self.cell != CellKind::Log {
            return None;
        }
        if is_whole(key) {
            return Some((key, Part::Length));
        }
        let (log, index) = key.split_last_chunk::<INDEX_BYTES>()?;
        is_whole(log).then(|| (log, Part::Item(u64::from_le_bytes(*index))))
    }

    /// Whether this is the key of a log, and of no item; and how many members of values were looked at to find out:
    /// none if the field is no log.
    #[must_use]
    pub fn is_log_key(&self, key: &[u8]) -> (bool, usize) {
        if self.cell != CellKind::Log {
            return (false, 0);
        }
        let mut cursor = Cursor::new(key);
        let is_whole = cursor.split(self.keys.iter(), |_| ()).is_ok();
        (is_whole, cursor.steps())
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec;

    use super::*;
    use crate::Type;

    fn field(cell: CellKind, keys: &[Type]) -> Field {
        Field { name: String::new(), doc: String::new(), cell, keys: keys.into(), value: Type::U8 }
    }

    #[test]
    fn no_key_is_both_a_length_and_an_item() {
        let plain = field(CellKind::Log, &[]);
        assert_eq!(plain.log_part(&[]), Some((&[][..], Part::Length)));
        assert_eq!(plain.log_part(&item_key(&[], 5)), Some((&[][..], Part::Item(5))));
        assert_eq!(plain.log_part(&[0; 7]), None);
        assert_eq!(plain.log_part(&[0; 16]), None);
        // The index of an item has as many bytes as this key.
        let by_number = field(CellKind::Log, &[Type::U64]);
        assert_eq!(by_number.log_part(&[]), None);
        assert_eq!(by_number.log_part(&[1; 8]), Some((&[1; 8][..], Part::Length)));
        let item = item_key(&[1; 8], u64::MAX);
        assert_eq!(by_number.log_part(&item), Some((&[1; 8][..], Part::Item(u64::MAX))));
        // A text says how long it is.
        let by_text = field(CellKind::Log, &[Type::String]);
        let key = borsh::to_vec("ab").unwrap();
        assert_eq!(by_text.log_part(&key), Some((&key[..], Part::Length)));
        assert_eq!(by_text.log_part(&item_key(&key, 1)), Some((&key[..], Part::Item(1))));
        assert_eq!(field(CellKind::Counter, &[]).log_part(&[]), None);
        // Members are counted also where they have no bytes, and where it is no key.
        let empty = field(CellKind::Log, &[Type::Tuple(vec![Type::Unit, Type::Unit, Type::U8])]);
        assert_eq!([empty.is_log_key(&[1]), empty.is_log_key(&[])], [(true, 4), (false, 4)]);
        assert_eq!(empty.is_log_key(&item_key(&[1], 1)), (false, 4));
        assert_eq!(field(CellKind::Counter, &[]).is_log_key(&[]), (false, 0));
    }
}
