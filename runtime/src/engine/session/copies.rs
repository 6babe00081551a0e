//! A worker's own copies of what many read.

use hashbrown::HashMap;

use crate::types::Bytes;

/// Copies that are kept; whoever asks for one more lets go of all others. Ours to choose.
const KEPT_MAX: usize = 1024;
/// Bytes of a value that is copied: as long as the price of a list's entry covers copying it, so that all of them take 1 MiB at most. Ours to
/// choose.
const KEPT_BYTES_MAX: usize = 1024;

/// Copies of long values, by where these are.
///
/// Whoever holds a [long value](Bytes) counts its holders. That of a contract's record is held and let go by each call of the contract, and
/// a count that two threads change is a line of the cache that goes back and forth between them. So each worker counts the holders of a
/// copy of its own, and looks at where the value is only.
#[derive(Debug, Default)]
pub(crate) struct Copies(HashMap<usize, Copied>);

#[derive(Debug)]
struct Copied {
    /// Held so that nothing else comes to be where it is.
    _from: Bytes,
    own: Bytes,
}

impl Copies {
    /// The same value, which no other thread holds if it is one that is kept.
    pub(crate) fn of(&mut self, value: &Bytes) -> Bytes {
        if !value.is_shared() || value.len() > KEPT_BYTES_MAX {
            return value.clone();
        }
        if let Some(copied) = self.0.get(&value.as_ptr().addr()) {
            return copied.own.clone();
        }
        if self.0.len() >= KEPT_MAX {
            self.0.clear();
        }
        let own = Bytes::from_slice(value);
        // Whoever comes with the copy gets that.
        for from in [value, &own] {
            let copied = Copied { _from: from.clone(), own: own.clone() };
            self.0.insert(from.as_ptr().addr(), copied);
        }
        own
    }

    /// Lets go of all of them.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_made_once_and_of_nothing_that_is_too_long() {
        let mut copies = Copies::default();
        for (len, is_copied) in [(3, false), (33, true), (1024, true), (1025, false)] {
            let value = Bytes::from_slice(&vec![7; len]);
            let [first, second] = [copies.of(&value), copies.of(&value)];
            assert_eq!([&first, &second], [&value; 2]);
            assert_eq!(copies.of(&first).as_ptr() == first.as_ptr(), len > 32, "len={len}");
            assert_eq!(first.as_ptr() == value.as_ptr(), len > 1024, "len={len}");
            assert_eq!(first.as_ptr() == second.as_ptr(), len > 32, "len={len}");
            assert_eq!(copies.0.contains_key(&value.as_ptr().addr()), is_copied, "len={len}");
        }
    }

    #[test]
    fn what_comes_to_be_in_a_place_is_never_taken_for_what_was_there() {
        let mut copies = Copies::default();
        for round in 0..5_000u16 {
            let value = Bytes::from_slice(&[round.to_le_bytes(); 20].concat());
            assert_eq!(copies.of(&value), value);
            assert!(copies.0.len() <= KEPT_MAX + 1);
        }
    }
}
