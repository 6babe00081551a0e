//! What a transaction touched, from the hash in its receipt.
//!
//! A receipt holds the hash over each touched key and how it was touched, in order of the list. The
//! list is known, and a declaration permits few ways to touch a key, so the one that has the hash is
//! found by trying; finding it proves it.

use kempe_abi::{AccessKind, Hash};
use kempe_runtime::access::Cell;

/// The most combinations that are tried, each about 100 ns.
const TRIES_MAX: u64 = 1 << 20;

const READ: u8 = 1 << AccessKind::Read as u8;
const ADD: u8 = 1 << AccessKind::Add as u8;
const WRITE: u8 = 1 << AccessKind::Write as u8;

/// How each cell of a list was touched: bits of access kinds, 0 for not at all. `None` if the list
/// is too long to try, or the transaction ran with another one.
#[must_use]
pub(crate) fn recover(cells: &[Cell], footprint: &Hash) -> Option<Vec<u8>> {
    let ways: Vec<&[u8]> = cells.iter().map(|cell| ways(cell.kind)).collect();
    let n_tries = ways.iter().try_fold(1u64, |n, ways| n.checked_mul(ways.len() as u64));
    if n_tries.is_none_or(|n| n > TRIES_MAX) {
        return None;
    }
    let mut found = vec![0; cells.len()];
    search(&blake3::Hasher::new(), cells, &ways, footprint, &mut found, 0).then_some(found)
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
    hasher: &blake3::Hasher,
    cells: &[Cell],
    all_ways: &[&[u8]],
    footprint: &Hash,
    found: &mut [u8],
    at: usize,
) -> bool {
    let (Some(cell), Some(ways)) = (cells.get(at), all_ways.get(at)) else {
        return *hasher.finalize().as_bytes() == footprint.0;
    };
    ways.iter().any(|&way| {
        let mut with = hasher.clone();
        if way != 0 {
            with.update(&cell.hash.0).update(&[way]);
        }
        found[at] = way;
        search(&with, cells, all_ways, footprint, found, at + 1)
    })
}

/// The words for the bits: `read, write`.
#[must_use]
pub(crate) fn words(bits: u8) -> Vec<&'static str> {
    let kinds = [AccessKind::Read, AccessKind::Add, AccessKind::Write];
    kinds.into_iter().filter(|&kind| bits & 1 << kind as u8 != 0).map(AccessKind::word).collect()
}

#[cfg(test)]
mod tests {
    use kempe_abi::Address;
    use kempe_runtime::types::StateKey;

    use super::*;

    fn cells(kinds: &[AccessKind]) -> Vec<Cell> {
        let cell = |(field, &kind): (u8, &AccessKind)| {
            let key = StateKey::new(Address([7; 32]), field, &[]);
            let hash = key.hash();
            Cell::new(key, hash, kind)
        };
        (0..).zip(kinds).map(cell).collect()
    }

    fn hash(cells: &[Cell], bits: &[u8]) -> Hash {
        let mut hasher = blake3::Hasher::new();
        for (cell, bits) in cells.iter().zip(bits).filter(|(_, bits)| **bits != 0) {
            hasher.update(&cell.hash.0).update(&[*bits]);
        }
        Hash(*hasher.finalize().as_bytes())
    }

    #[test]
    fn what_was_touched_is_found_again() {
        use AccessKind::{Add, Read, Write};
        let cells = cells(&[Read, Write, Add, Write]);
        for bits in [[1, 5, 2, 4], [0, 0, 0, 0], [1, 7, 0, 1], [0, 2, 2, 0]] {
            assert_eq!(recover(&cells, &hash(&cells, &bits)), Some(bits.to_vec()));
        }
        // A declared read cannot have been written, and an order cannot be exchanged.
        assert_eq!(recover(&cells, &hash(&cells, &[4, 0, 0, 0])), None);
        assert_eq!(words(5), ["read", "write"]);
    }

    #[test]
    fn a_list_that_is_too_long_is_not_tried() {
        let cells = cells(&[AccessKind::Write; 7]);
        assert_eq!(recover(&cells, &hash(&cells, &[0; 7])), None);
    }
}
