//! What a transaction touched, from the hash in its receipt.
//!
//! A receipt holds the hash over each touched key and how it was touched, in order of the list. The
//! list is known, and a declaration permits few ways to touch a key, so the one that has the hash is
//! found by trying; finding it proves it.

use kempe_abi::{AccessKind, Hash};
use kempe_runtime::types::{KeyHash, footprint_entry, footprint_hash};

/// The most combinations that are tried, each about 200 ns.
const TRIES_MAX: u64 = 1 << 20;

const READ: u8 = 1 << AccessKind::Read as u8;
const ADD: u8 = 1 << AccessKind::Add as u8;
const WRITE: u8 = 1 << AccessKind::Write as u8;

/// How each key of a list was touched: bits of access kinds, 0 for not at all. `None` if the list
/// is too long to try, or the transaction ran with another one.
#[must_use]
pub(crate) fn recover(list: &[(KeyHash, AccessKind)], footprint: &Hash) -> Option<Vec<u8>> {
    let ways: Vec<&[u8]> = list.iter().map(|(_, kind)| ways(*kind)).collect();
    let n_tries = ways.iter().try_fold(1u64, |n, ways| n.checked_mul(ways.len() as u64));
    if n_tries.is_none_or(|n| n > TRIES_MAX) {
        return None;
    }
    let mut found = vec![0; list.len()];
    search(&mut Vec::new(), list, &ways, footprint, &mut found, 0).then_some(found)
}

/// The ways to touch a cell that a declaration permits.
fn ways(kind: AccessKind) -> &'static [u8] {
    match kind {
        AccessKind::Read => &[READ, 0],
        AccessKind::Add => &[ADD, 0],
        AccessKind::Write => {
            &[READ | WRITE, WRITE, READ, 0, ADD, ADD | READ, ADD | WRITE, READ | ADD | WRITE]
        }
    }
}

fn search(
    touched: &mut Vec<[u8; 32]>,
    list: &[(KeyHash, AccessKind)],
    all_ways: &[&[u8]],
    footprint: &Hash,
    found: &mut [u8],
    at: usize,
) -> bool {
    let (Some((hash, _)), Some(ways)) = (list.get(at), all_ways.get(at)) else {
        return footprint_hash(touched) == *footprint;
    };
    ways.iter().any(|&way| {
        let n_touched = touched.len();
        if way != 0 {
            touched.push(footprint_entry(hash, way));
        }
        found[at] = way;
        let is_it = search(touched, list, all_ways, footprint, found, at + 1);
        touched.truncate(n_touched);
        is_it
    })
}

/// The words for the bits: `read, write`; `word` has that of a kind.
#[must_use]
pub(crate) fn words(bits: u8, word: impl Fn(AccessKind) -> &'static str) -> Vec<&'static str> {
    let kinds = [AccessKind::Read, AccessKind::Add, AccessKind::Write];
    kinds.into_iter().filter(|&kind| bits & 1 << kind as u8 != 0).map(word).collect()
}

#[cfg(test)]
mod tests {
    use kempe_runtime::types::StateKey;

    use super::*;

    fn list(kinds: &[AccessKind]) -> Vec<(KeyHash, AccessKind)> {
        let key = |number: u8| StateKey::system(0, &[number; 32]).hash();
        (0..).zip(kinds).map(|(number, kind)| (key(number), *kind)).collect()
    }

    fn hash(list: &[(KeyHash, AccessKind)], bits: &[u8]) -> Hash {
        let touched = list.iter().zip(bits).filter(|(_, bits)| **bits != 0);
        let entries: Vec<_> = touched.map(|((key, _), bits)| footprint_entry(key, *bits)).collect();
        footprint_hash(&entries)
    }

    #[test]
    fn what_was_touched_is_found_again() {
        use AccessKind::{Add, Read, Write};
        let list = list(&[Read, Write, Add, Write]);
        for bits in [[1, 5, 2, 4], [0, 0, 0, 0], [1, 7, 0, 1], [0, 2, 2, 0]] {
            assert_eq!(recover(&list, &hash(&list, &bits)), Some(bits.to_vec()));
        }
        // A declared read cannot have been written, and an order cannot be exchanged.
        assert_eq!(recover(&list, &hash(&list, &[4, 0, 0, 0])), None);
        assert_eq!(words(5, AccessKind::word), ["read", "write"]);
    }

    #[test]
    fn a_list_that_is_too_long_is_not_tried() {
        let list = list(&[AccessKind::Write; 7]);
        assert_eq!(recover(&list, &hash(&list, &[0; 7])), None);
    }
}
