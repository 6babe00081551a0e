//! Who may change a key and has not run yet.

use kempe_abi::AccessKind;
use smallvec::SmallVec;

use crate::scheduler::Accesses;

/// For each slot, the places of the transactions that may change it by their lists, ascending.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// By slot, where its places end.
    ends: Vec<usize>,
    places: Vec<u32>,
}

/// Which of the places of a slot have not run yet, by bits. Most slots are changed by one.
#[derive(Debug, Default)]
pub(super) struct Expected(SmallVec<[u64; 1]>);

impl Expected {
    /// Whether nobody ever was.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Hints {
    /// Of the transactions of `body`, which are known by their places there. O(accesses).
    pub(super) fn of(accesses: &Accesses, body: &[u32]) -> Self {
        let changes = || {
            (0u32..).zip(body).flat_map(|(place, &tx)| {
                let accesses = accesses.of(tx).iter();
                let changed = accesses.filter(|access| access.kind != AccessKind::Read);
                changed.map(move |access| (access.slot as usize, place))
            })
        };
        // Where the places of each slot begin, and when all are written, end.
        let mut ends = vec![0; accesses.n_slots()];
        changes().for_each(|(slot, _)| ends[slot] += 1);
        let mut n_changes = 0;
        for end in &mut ends {
            n_changes += std::mem::replace(end, n_changes);
        }
        let mut places = vec![0; n_changes];
        for (slot, place) in changes() {
            places[ends[slot]] = place;
            ends[slot] += 1;
        }
        Self { ends, places }
    }

    fn places(&self, slot: u32) -> &[u32] {
        let slot = slot as usize;
        let Some(&end) = self.ends.get(slot) else { return &[] };
        &self.places[slot.checked_sub(1).map_or(0, |before| self.ends[before])..end]
    }

    /// All who may change a slot.
    pub(super) fn expected(&self, slot: u32) -> Expected {
        let places = self.places(slot).chunks(64);
        Expected(places.map(|chunk| u64::MAX >> (64 - chunk.len())).collect())
    }

    /// The last one before a place that is expected to change a slot.
    pub(super) fn last_before(&self, slot: u32, place: u32, expected: &Expected) -> Option<u32> {
        let places = self.places(slot);
        let mut n_below = places.partition_point(|&other| other < place);
        while let Some(last) = n_below.checked_sub(1) {
            let below = expected.0[last / 64] << (63 - last % 64);
            if below != 0 {
                return Some(places[last - below.leading_zeros() as usize]);
            }
            n_below = last / 64 * 64;
        }
        None
    }

    /// Expects nothing any more of the transaction at a place. True if that was so before.
    pub(super) fn take(&self, slot: u32, place: u32, expected: &mut Expected) -> bool {
        let Ok(at) = self.places(slot).binary_search(&place) else { return false };
        let (word, bit) = (&mut expected.0[at / 64], 1 << (at % 64));
        let was_expected = *word & bit != 0;
        *word &= !bit;
        was_expected
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::scheduler::Access;

    proptest! {
        #[test]
        fn who_is_expected_is_found_as_in_a_tree(
            lists in vec(0..8u8, 1..300),
            steps in vec((0..3u32, 0..310u32, 0..310u32), 0..400),
        ) {
            let kinds = [AccessKind::Add, AccessKind::Write, AccessKind::Read];
            let (mut accesses, mut model) = (Accesses::default(), [(); 3].map(|()| BTreeSet::new()));
            let n_txs = u32::try_from(lists.len()).unwrap();
            for (tx, list) in (0..).zip(&lists) {
                let slots = (0..3u32).filter(|slot| list >> slot & 1 == 1);
                accesses.push_tx(slots.map(|slot| Access::new(slot, kinds[slot as usize])));
                // The places are those of the order, not the numbers of transactions.
                let place = n_txs - 1 - tx;
                (0..2).filter(|slot| list >> slot & 1 == 1).for_each(|slot| assert!(model[slot].insert(place)));
            }
            let hints = Hints::of(&accesses, &(0..n_txs).rev().collect::<Vec<_>>());
            let n_slots = u32::try_from(accesses.n_slots()).unwrap();
            let mut expected: Vec<_> = (0..n_slots).map(|slot| hints.expected(slot)).collect();
            for (slot, place, reader) in steps.into_iter().filter(|&(slot, ..)| slot < n_slots) {
                let (model, expected) = (&mut model[slot as usize], &mut expected[slot as usize]);
                prop_assert_eq!(hints.take(slot, place, expected), model.remove(&place));
                let last = model.range(..reader).next_back().copied();
                prop_assert_eq!(hints.last_before(slot, reader, expected), last);
            }
        }
    }
}
