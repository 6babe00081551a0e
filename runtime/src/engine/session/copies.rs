//! A worker's own copies of what many read.

use hashbrown::HashMap;

use crate::types::Bytes;

/// Places that are known, two for each copy; values beyond are shared with other workers, so that no more copies of a block are held at once, whoever
/// holds them. Ours to choose.
const KNOWN_MAX: usize = 1024;
/// Bytes of a value that is copied: as long as the price of a list's entry covers copying it, so that all of them take 512 KiB at most. Ours
/// to choose.
const COPIED_BYTES_MAX: usize = 1024;

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
    /// The same value, which no other worker holds if it is one that is copied.
    pub(crate) fn of(&mut self, value: &Bytes) -> Bytes {
        if !value.is_shared() || value.len() > COPIED_BYTES_MAX {
            return value.clone();
        }
        if let Some(copied) = self.0.get(&value.as_ptr().addr()) {
            return copied.own.clone();
        }
        if self.0.len() >= KNOWN_MAX {
            return value.clone();
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
            if round % 700 == 0 {
                copies.clear();
            }
        }
    }

    #[test]
    fn so_many_are_copied_and_no_more_whoever_holds_them() {
        let value = |round: u16| Bytes::from_slice(&[round.to_le_bytes(); 500].concat());
        let values: Vec<Bytes> = (0..4096).map(value).collect();
        let mut copies = Copies::default();
        let held: Vec<Bytes> = values.iter().chain(&values).map(|value| copies.of(value)).collect();
        let is_copy = |(value, held): (&Bytes, &Bytes)| value.as_ptr() != held.as_ptr();
        let n_copied = values.iter().chain(&values).zip(&held).filter(|&(v, h)| is_copy((v, h)));
        assert_eq!(n_copied.count(), KNOWN_MAX);
    }
}
