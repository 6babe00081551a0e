//! The values of a block's keys, by slot, while the block runs.

use std::sync::Arc;

use kempe_abi::AccessKind;
use rayon::prelude::*;
use smallvec::SmallVec;

use super::Interned;
use super::changed::{ChangedCells, Listed};
use super::disjoint::Disjoint;
use super::effects::{Addition, Effect};
use crate::engine::Cell;
use crate::prefetch::prefetch;
use crate::scheduler::Access;
use crate::state::{Changes, StateRead, StoreError, changed_row};
use crate::types::{Bytes, KeyHash};

/// For how many additions of a transaction there is room without memory of its own.
const N_SUMS: usize = 4;

/// How many slots fall to a bucket in the mean where they are put in the order of their hashes: what is so short is sorted by insertion.
const BUCKET: usize = 16;

/// Slots, each with the first bytes of its hash, in the order of their hashes: put into buckets by counting, since hashes are spread evenly, and
/// sorted in these on all threads. Where somebody has chosen keys whose hashes begin alike, they are sorted by comparing on one thread.
///
/// Source: Isaac and Singleton, "Sorting by address calculation" (1956).
fn by_hash(slots: &[(u64, u32)], keys: &[KeyHash]) -> Vec<(u64, u32)> {
    let n_buckets = (slots.len() / BUCKET).next_power_of_two();
    let bucket = |(first_bytes, _): &(u64, u32)| {
        let bits = first_bytes.rotate_left(n_buckets.trailing_zeros());
        usize::try_from(bits & (n_buckets as u64 - 1)).expect("there are as many buckets")
    };
    // Where each bucket begins, and then where its next one goes.
    let mut next = vec![0; n_buckets + 1];
    slots.iter().for_each(|slot| next[bucket(slot) + 1] += 1);
    (0..n_buckets).for_each(|at| next[at + 1] += next[at]);
    let mut order = vec![(0, 0); slots.len()];
    for slot in slots {
        let at: &mut usize = &mut next[bucket(slot)];
        order[*at] = *slot;
        *at += 1;
    }
    // Eight bytes of a hash decide nearly always, and comparing them touches no other memory.
    order.par_chunk_by_mut(|a, b| bucket(a) == bucket(b)).for_each(|bucket| {
        bucket.sort_unstable_by(|(a, i), (b, j)| {
            a.cmp(b).then_with(|| keys[*i as usize].cmp(&keys[*j as usize]))
        });
    });
    order
}

/// Inside a batch, a transaction reads and writes the slots of its list; see [`Disjoint`]. What is
/// added is applied between batches, in the published order, or at once where nobody else adds to the slot meanwhile.
#[derive(Debug, Default)]
pub(super) struct Slots(Disjoint<Slot>);

/// A key's value.
#[derive(Debug, Default)]
pub(super) struct Slot {
    value: Option<Bytes>,
    changed: bool,
}

/// The values of the keys before the block, while something else holds the later ones.
#[derive(Debug)]
pub(super) struct Start(Vec<Slot>);

impl Slot {
    pub(super) fn value(&self) -> Option<&Bytes> {
        self.value.as_ref()
    }
}

impl Start {
    /// The value of a slot before the block.
    pub(super) fn get(&self, slot: u32) -> Option<&Bytes> {
        self.slot(slot).value()
    }

    /// A slot as it was before the block.
    pub(super) fn slot(&self, slot: u32) -> &Slot {
        &self.0[slot as usize]
    }

    /// Asks for the slots of a transaction that runs soon.
    pub(super) fn prefetch(&self, accesses: &[Access]) {
        for access in accesses {
            prefetch(&self.0[access.slot as usize]);
        }
    }

    /// The slots after a block that changed nothing but what is in them.
    pub(super) fn finish_unchanged(self) -> Slots {
        Slots(Disjoint::of(self.0))
    }

    /// The slots after the block, on all threads: `last` says of each what the block left, if it changed
    /// it.
    pub(super) fn finish(self, last: impl Fn(u32, &Slot) -> Option<Option<Bytes>> + Sync) -> Slots {
        let mut slots = self.0;
        slots.par_iter_mut().enumerate().with_min_len(1024).for_each(|(at, slot)| {
            let at = u32::try_from(at).expect("slots have 32 bits");
            if let Some(value) = last(at, slot) {
                *slot = Slot { value, changed: true };
            }
        });
        Slots(Disjoint::of(slots))
    }
}

/// The same value once more.
pub(super) fn copied(value: Option<&Bytes>) -> Option<Bytes> {
    value.cloned()
}

impl Slots {
    /// Looks at the value of every key of the block, on all threads. Long ones that are not in memory stay [unread](Bytes::unread): a
    /// transaction that pays for one reads it, and none are held for others.
    pub(super) fn load(interned: &Interned, state: &dyn StateRead) -> Result<Self, StoreError> {
        /// The keys that are announced together: about as many as a core has reads in flight.
        const AHEAD: usize = 16;
        let keys = interned.slots();
        let mut slots = Disjoint::new(keys.len(), Slot::default);
        let chunks = slots.as_mut_slice().par_chunks_mut(AHEAD).zip(keys.par_chunks(AHEAD));
        chunks.with_min_len(16).try_for_each(|(slots, keys)| {
            state.prepare(keys);
            for (slot, key) in slots.iter_mut().zip(keys) {
                slot.get_mut().value = state.look(key)?;
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(Self(slots))
    }

    #[cfg(test)]
    pub(super) fn empty(n_slots: usize) -> Self {
        Self(Disjoint::new(n_slots, Slot::default))
    }

    /// The values as they are now, to be only read; none are left here.
    pub(super) fn take_start(&mut self) -> Start {
        Start(std::mem::take(self).0.into_vec())
    }

    /// Asks for the slots of a transaction that runs soon.
    pub(super) fn prefetch(&self, accesses: &[Access]) {
        for access in accesses {
            self.0.prefetch(access.slot);
        }
    }

    /// A slot.
    ///
    /// # Safety
    /// While the reference lives no thread changes the slot.
    #[expect(unsafe_code, reason = "see `Disjoint`")]
    pub(super) unsafe fn get(&self, slot: u32) -> &Slot {
        // SAFETY: as the caller promises.
        unsafe { self.0.get(slot) }
    }

    /// Writes the value of a slot.
    ///
    /// # Safety
    /// While this runs nobody else uses the slot.
    #[expect(unsafe_code, reason = "see `Disjoint`")]
    pub(super) unsafe fn put(&self, slot: u32, value: Option<Bytes>) {
        // SAFETY: as the caller promises.
        *unsafe { self.0.get_mut(slot) } = Slot { value, changed: true };
    }

    /// The value of a slot.
    ///
    /// # Safety
    /// While this runs no other thread changes the slot.
    #[expect(unsafe_code, reason = "see `Disjoint`")]
    pub(super) unsafe fn read(&self, slot: u32) -> Option<Bytes> {
        // SAFETY: as the caller promises.
        let slot = unsafe { self.0.get(slot) };
        slot.value.clone()
    }

    /// Publishes the writes and additions of a transaction. False, and nothing is changed, if an addition does not fit.
    ///
    /// # Safety
    /// The calling thread runs the transaction with these accesses, whose turn has come by a verified plan, and no other thread
    /// meanwhile runs one that adds to a slot that it adds to, unless that one waits.
    #[expect(unsafe_code, reason = "see `Disjoint`")]
    pub(super) unsafe fn publish(&self, accesses: &[Access], cells: &mut [Cell]) -> bool {
        for (access, cell) in accesses.iter().zip(&mut *cells) {
            let Some(addition) = Addition::of(cell) else { continue };
            // SAFETY: as below.
            let slot = unsafe { self.0.get(access.slot) };
            match addition.value(slot.value.as_deref()) {
                Ok(value) => cell.value = Some(value),
                Err(_) => return false,
            }
        }
        for (access, cell) in accesses.iter().zip(cells) {
            let is_written = cell.dirty && access.kind == AccessKind::Write;
            if is_written || cell.added.get() != 0 {
                // SAFETY: no other transaction whose turn has come lists a slot which this one may
                // write, and none at all one that it adds to, as the caller promises.
                unsafe { self.put(access.slot, cell.value.take()) };
            }
        }
        true
    }

    /// Applies effects, in order, while other transactions may run. If an addition does not fit nothing is
    /// changed, and the error is the position of its cell.
    ///
    /// # Safety
    /// While this runs no other thread uses a slot of the effects.
    #[expect(unsafe_code, reason = "see `Disjoint`")]
    pub(super) unsafe fn try_apply_beside(&self, effects: &[Effect]) -> Result<(), u32> {
        let is_addition = |effect: &&Effect| effect.added != 0;
        let added = effects.iter().filter(is_addition).map(|effect| {
            // SAFETY: as the caller promises.
            let slot = unsafe { self.0.get(effect.slot) };
            effect.value(slot.value.as_deref()).map_err(|_| effect.cell)
        });
        // Each slot is in these effects once, so a sum stays what it is while the others are put.
        let sums: SmallVec<[Option<Bytes>; N_SUMS]> = added.collect::<Result<_, u32>>()?;
        for (effect, sum) in effects.iter().filter(is_addition).zip(sums) {
            // SAFETY: as the caller promises.
            *unsafe { self.0.get_mut(effect.slot) } = Slot { value: sum, changed: true };
        }
        for effect in effects.iter().filter(|effect| !is_addition(effect)) {
            // SAFETY: as the caller promises.
            let slot = unsafe { self.0.get_mut(effect.slot) };
            let value = effect.value(slot.value.as_deref()).map_err(|_| effect.cell)?;
            *slot = Slot { value, changed: true };
        }
        Ok(())
    }

    /// Applies effects; an addition that does not fit is left out.
    ///
    /// # Safety
    /// That of [`try_apply_beside`](Self::try_apply_beside).
    #[expect(unsafe_code, reason = "see `Disjoint`")]
    pub(super) unsafe fn apply_beside(&self, effects: &[Effect]) {
        for effect in effects {
            // SAFETY: as the caller promises.
            let slot = unsafe { self.0.get_mut(effect.slot) };
            if let Ok(value) = effect.value(slot.value.as_deref()) {
                *slot = Slot { value, changed: true };
            }
        }
    }

    /// The changed keys.
    pub(super) fn into_changes(self, interned: &Interned) -> ChangedCells {
        let slots = self.0.into_vec();
        let keys = interned.slots();
        let changed: Vec<(u64, u32)> = (0..slots.len())
            .into_par_iter()
            .with_min_len(1024)
            .filter(|at| slots[*at].changed)
            .map(|at| (keys[at].first_bytes(), u32::try_from(at).expect("slots have 32 bits")))
            .collect();
        let order = by_hash(&changed, keys);
        let value = |at: usize| slots[order[at].1 as usize].value.as_ref();
        let row = |at: usize| {
            // In order of hashes everything is far apart.
            if let Some((_, soon)) = order.get(at + 8) {
                interned.prefetch_slot(*soon);
                prefetch(&slots[*soon as usize]);
            }
            let (first_bytes, slot) = order[at];
            assert!(!value(at).is_some_and(Bytes::is_unread), "slot={slot} is changed and unread");
            let row = changed_row(&keys[slot as usize], value(at).map(Bytes::as_slice));
            (row, (first_bytes, interned.place(slot)))
        };
        let (mut rows, mut places) = (Vec::new(), Vec::new());
        let tasks = (0..order.len()).into_par_iter().with_min_len(1024);
        tasks.map(row).unzip_into_vecs(&mut rows, &mut places);
        let changes = Changes::of_rows(rows, |at| value(at).expect("a row of a long value has it"));
        let lists = Arc::clone(interned.shared_lists());
        // A list names contracts and their code to be read only.
        ChangedCells::new(changes, Arc::new(Listed { lists, places }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn effects_count_all_or_none_and_long_values_are_not_copied() {
        let byte = |byte: u8| Some(Bytes::from_slice(&[byte]));
        let long = Bytes::from_slice(&[7; 1000]);
        let check = |additions: [i128; 2], expected: Result<[Option<Bytes>; 2], u32>| {
            let mut slots = Slots::empty(4);
            let effects = [
                Effect::of_byte(3, Some(Some(long.clone())), 0),
                Effect::of_byte(0, None, additions[0]),
                Effect::of_byte(2, Some(None), 0),
                Effect::of_byte(1, None, additions[1]),
            ];
            #[expect(unsafe_code, reason = "see `Disjoint`")]
            // SAFETY: nobody else has them.
            let applied = unsafe {
                slots.put(0, byte(10));
                slots.put(1, byte(20));
                slots.put(2, byte(30));
                slots.try_apply_beside(&effects)
            };
            assert_eq!(applied, expected.as_ref().map(|_| ()).map_err(|cell| *cell));
            let start = slots.take_start();
            let left = |slot| copied(start.get(slot));
            let (numbers, others) = match expected {
                Ok(numbers) => (numbers, [None, Some(long.clone())]),
                Err(_) => ([byte(10), byte(20)], [byte(30), None]),
            };
            assert_eq!(([left(0), left(1)], [left(2), left(3)]), (numbers, others));
            let of_long = start.get(3).map(|value| value.as_ptr());
            assert_eq!(of_long, applied.ok().map(|()| long.as_ptr()));
        };
        check([5, -5], Ok([byte(15), byte(15)]));
        check([-10, 235], Ok([byte(0), byte(255)]));
        check([5, 236], Err(1));
        check([-11, 5], Err(0));
    }

    proptest! {
        #[test]
        fn slots_are_in_the_order_of_their_hashes(
            hashes in vec((0..3u8, any::<[u8; 32]>()), 0..600),
        ) {
            // Of some the first bytes are alike, of some all of those that are compared first.
            let hash = |(alike, mut hash): (u8, [u8; 32])| {
                hash[..[0, 3, 8][usize::from(alike)]].fill(7);
                KeyHash(hash)
            };
            let keys: Vec<KeyHash> = hashes.into_iter().map(hash).collect();
            let slots: Vec<_> = (0..).zip(&keys).map(|(at, key)| (key.first_bytes(), at)).collect();
            let mut expected = slots.clone();
            expected.sort_by_key(|(_, slot)| keys[*slot as usize]);
            prop_assert_eq!(by_hash(&slots, &keys), expected);
        }
    }
}
