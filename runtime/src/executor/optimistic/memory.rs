//! What transactions left of each key so far.

mod places;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use kempe_abi::AccessKind;
use rayon::prelude::*;

use crate::engine::Cell;
use crate::executor::effects::Addition;
use crate::executor::slots::{Slots, Start, copied};
use crate::prefetch::prefetch;
use crate::scheduler::Access;
use crate::sync::lock;
use crate::types::Bytes;

use super::hints::{Expected, Hints};
use places::Places;

/// For each slot, what transactions left of it, in order of their places.
#[derive(Debug)]
pub(super) struct Memory {
    slots: Vec<Key>,
    hints: Hints,
}

/// One key, on lines of the cache of its own, of which the first says whether there is anything on the other.
#[derive(Debug)]
#[repr(C, align(64))]
struct Key {
    /// Whether anybody has left something, or is expected to. Until then nobody writes here, not even a lock, so whoever
    /// reads shares what all read. As everything by which [`Tasks`](super::Tasks) tell who has to look again, it is in the one order of all: who does not
    /// see it has looked before whoever sets it looks whether somebody has.
    is_touched: AtomicBool,
    all: Mutex<AllLeft>,
}

impl Key {
    fn expecting(expected: Expected) -> Self {
        let all = AllLeft { expected, ..AllLeft::default() };
        Self { is_touched: AtomicBool::new(!all.expected.is_empty()), all: Mutex::new(all) }
    }

    /// What there is, if anybody has touched it.
    fn touched(&self) -> Option<MutexGuard<'_, AllLeft>> {
        self.is_touched.load(Ordering::SeqCst).then(|| lock(&self.all))
    }

    /// What there is, to leave something.
    fn touch(&self) -> MutexGuard<'_, AllLeft> {
        let all = lock(&self.all);
        if !self.is_touched.load(Ordering::SeqCst) {
            self.is_touched.store(true, Ordering::SeqCst);
        }
        all
    }
}

/// What transactions left of one key.
#[derive(Debug, Default)]
struct AllLeft {
    /// By their places.
    left: Places<Left>,
    /// What the key holds before some places, ascending, so that a sum of many is not made anew for each who
    /// reads it.
    sums: Vec<Sum>,
    /// Who may change it, and has not run.
    expected: Expected,
}

/// What a key holds after all that was left before a place, where its last value is, or what was added since, and
/// no estimate.
#[derive(Debug)]
struct Sum {
    before: u32,
    value: Option<Bytes>,
}

/// How many additions are worth keeping their sum: it costs about as much as ten of them.
const SUM_MIN: usize = 64;

/// What a transaction left of a key.
#[derive(Clone, Debug)]
enum Left {
    /// It runs for the first time, or again, and may change the key.
    Estimate,
    Value(Option<Bytes>),
    More(Addition),
}

impl Memory {
    /// Nobody has left anything, and nobody is expected to but those of the hints.
    pub(super) fn new(n_slots: usize, hints: Hints) -> Self {
        let n_slots = u32::try_from(n_slots).expect("slots have 32 bits");
        let slots = (0..n_slots).into_par_iter().with_min_len(1024);
        Self { slots: slots.map(|slot| Key::expecting(hints.expected(slot))).collect(), hints }
    }

    /// Makes an estimate of what a transaction left of a slot, if anything.
    pub(super) fn invalidate(&self, slot: u32, place: u32) {
        let Some(mut all) = self.slots[slot as usize].touched() else { return };
        if let Some(left) = all.left.get_mut(place) {
            *left = Left::Estimate;
            all.forget_sums(place);
        }
    }

    /// Replaces what a transaction left of a slot by what it did now. True if nothing stood there
    /// before, not even an estimate, so that somebody may have read past it.
    pub(super) fn publish(&self, access: Access, place: u32, cell: &mut Cell) -> bool {
        let left = match access.kind {
            AccessKind::Read => return false,
            AccessKind::Add => Addition::of(cell).map(Left::More),
            _ => cell.dirty.then(|| Left::Value(cell.value.take())),
        };
        self.put(access.slot, place, left)
    }

    fn put(&self, slot: u32, place: u32, what: Option<Left>) -> bool {
        let key = &self.slots[slot as usize];
        let Some(mut all) = (if what.is_some() { Some(key.touch()) } else { key.touched() }) else {
            return false;
        };
        all.forget_sums(place);
        let was_expected = self.hints.take(slot, place, &mut all.expected);
        match what {
            Some(what) => !all.left.insert(place, what) && !was_expected,
            None => {
                all.left.remove(place);
                false
            }
        }
    }

    /// Whether anything stands there that a transaction left of a slot.
    pub(super) fn has_left(&self, slot: u32, place: u32) -> bool {
        let all = self.slots[slot as usize].touched();
        all.is_some_and(|mut all| all.left.get_mut(place).is_some())
    }

    /// Looks at what the transaction at a place reads of a slot that had `start` before the block: a
    /// value, or the place of the transaction whose estimate it meets. An addition that does not fit is
    /// passed over.
    pub(super) fn look<R>(
        &self,
        slot: u32,
        place: u32,
        start: Option<&Bytes>,
        look: impl FnOnce(Result<Option<&Bytes>, u32>) -> R,
    ) -> R {
        let Some(mut all) = self.slots[slot as usize].touched() else { return look(Ok(start)) };
        let AllLeft { left, sums, expected } = &mut *all;
        let expected = self.hints.last_before(slot, place, expected);
        let n_sums = sums.partition_point(|sum| sum.before <= place);
        let (mut value, mut first) = match sums[..n_sums].last() {
            Some(Sum { before, value }) => (value.as_ref(), *before),
            None => (start, 0),
        };
        let mut n_added = 0;
        for (at, left) in left.range(first..place).rev() {
            match left {
                Left::Estimate => {
                    let last = expected.map_or(at, |expected| expected.max(at));
                    return look(Err(last));
                }
                Left::More(_) => n_added += 1,
                Left::Value(left) => {
                    (value, first) = (left.as_ref(), at + 1);
                    break;
                }
            }
        }
        if let Some(expected) = expected.filter(|expected| *expected >= first) {
            return look(Err(expected));
        }
        if n_added == 0 {
            return look(Ok(value));
        }
        let mut additions = left.range(first..place).filter_map(|(_, left)| match left {
            Left::More(addition) => Some(addition),
            _ => None,
        });
        let Some(next) = additions.next() else { return look(Ok(value)) };
        let value = next.value_with(additions, value.map(|value| &value[..]));
        let seen = look(Ok(value.as_ref()));
        if n_added >= SUM_MIN {
            sums.insert(n_sums, Sum { before: place, value });
        }
        seen
    }

    /// Asks for what was left of the slots of a transaction that runs soon.
    pub(super) fn prefetch(&self, accesses: &[Access]) {
        for access in accesses {
            prefetch(&self.slots[access.slot as usize]);
        }
    }

    /// What the block left of each slot, where additions count in the order of `published`, which has a
    /// number for each place. `None` if one does not fit there, or was passed over for who read in the order of places.
    pub(super) fn finish(self, start: Start, published: &[u32]) -> Option<Slots> {
        let is_unfit = AtomicBool::new(false);
        let slots = start.finish(|slot, before| {
            let mut left =
                std::mem::take(&mut self.slots[slot as usize].touched()?.left).into_vec();
            let is_turned = !left.is_sorted_by_key(|&(place, _)| published[place as usize]);
            let last = last_of(&left, before.value(), &is_unfit);
            if !is_turned {
                return last;
            }
            left.sort_unstable_by_key(|&(place, _)| published[place as usize]);
            last_of(&left, before.value(), &is_unfit)
        });
        (!is_unfit.into_inner()).then_some(slots)
    }
}

/// What is left after all of it, one after the other, if there is any; tells if an addition does not fit.
fn last_of(
    left: &[(u32, Left)],
    before: Option<&Bytes>,
    is_unfit: &AtomicBool,
) -> Option<Option<Bytes>> {
    let mut last: Option<Option<Bytes>> = None;
    for (_, left) in left {
        last = Some(match left {
            Left::Value(left) => copied(left.as_ref()),
            Left::More(addition) => {
                let current = last.as_ref().map_or(before, Option::as_ref);
                let sum = addition.value(current.map(|current| &current[..]));
                is_unfit.fetch_or(sum.is_err(), Ordering::Relaxed);
                sum.ok()
            }
            Left::Estimate => unreachable!("all is valid"),
        });
    }
    last
}

impl AllLeft {
    /// Forgets the sums that hold what stands at a place.
    fn forget_sums(&mut self, place: u32) {
        let n_kept = self.sums.partition_point(|sum| sum.before <= place);
        self.sums.truncate(n_kept);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::Range;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::scheduler::Accesses;

    fn unhinted(n_slots: usize) -> Memory {
        Memory::new(n_slots, Hints::default())
    }

    #[test]
    fn who_is_expected_is_met_until_it_ran() {
        let mut accesses = Accesses::default();
        for _ in 0..4 {
            accesses.push_tx([Access::new(0, AccessKind::Write)]);
        }
        let memory = Memory::new(1, Hints::of(&accesses, &[0, 1, 2, 3]));
        assert_eq!([0, 1, 4].map(|place| read(&memory, place)), [Ok(value(9)), Err(0), Err(3)]);
        assert!(!memory.put(0, 2, Some(Left::Value(value(2)))), "it was expected");
        assert_eq!([2, 3, 4].map(|place| read(&memory, place)), [Err(1), Ok(value(2)), Err(3)]);
        memory.put(0, 3, None);
        memory.invalidate(0, 2);
        assert_eq!(read(&memory, 4), Err(2));
        memory.put(0, 2, more(1));
        assert_eq!(read(&memory, 4), Err(1), "what it adds to is expected");
        memory.put(0, 1, None);
        memory.put(0, 0, None);
        assert_eq!(read(&memory, 4), Ok(value(10)));
    }

    fn value(byte: u8) -> Option<Bytes> {
        Some(Bytes::from_slice(&[byte]))
    }

    fn more(added: i128) -> Option<Left> {
        Some(Left::More(Addition::new(added)))
    }

    fn read(memory: &Memory, place: u32) -> Result<Option<Bytes>, u32> {
        memory.look(0, place, value(9).as_ref(), |seen| seen.map(copied))
    }

    #[test]
    fn a_reader_sees_the_last_value_before_its_place_and_what_was_added_since() {
        let memory = unhinted(1);
        assert_eq!(read(&memory, 3), Ok(value(9)));
        assert!(memory.put(0, 4, more(2)), "nothing stood there");
        assert!(memory.put(0, 1, Some(Left::Value(value(20)))));
        assert!(!memory.put(0, 4, more(3)), "something did");
        assert_eq!(read(&memory, 1), Ok(value(9)), "its own is behind it");
        assert_eq!([read(&memory, 4), read(&memory, 5)], [Ok(value(20)), Ok(value(23))]);
        memory.put(0, 5, more(250));
        assert_eq!(read(&memory, 6), Ok(value(23)), "what does not fit is passed over");
        memory.invalidate(0, 4);
        memory.invalidate(0, 2);
        assert_eq!([read(&memory, 4), read(&memory, 6)], [Ok(value(20)), Err(4)]);
        memory.put(0, 4, None);
        memory.put(0, 5, Some(Left::Value(None)));
        assert_eq!(read(&memory, 6), Ok(None), "it was removed");
    }

    fn change() -> impl Strategy<Value = Option<Left>> {
        prop_oneof![
            1 => Just(None),
            1 => any::<u8>().prop_map(|byte| Some(Left::Value(value(byte)))),
            1 => Just(Some(Left::Estimate)),
            150 => (-3..=3i128).prop_map(more),
        ]
    }

    /// Enough that sums are kept, and few in an interpreter.
    const N_CHANGES: Range<usize> = if cfg!(miri) { 20..40 } else { 300..700 };

    proptest! {
        #[test]
        fn sums_that_are_kept_do_not_show(
            changes in vec((0..400u32, change(), 0..420u32, 0..40u32), N_CHANGES),
        ) {
            let memory = unhinted(1);
            let mut model = BTreeMap::new();
            for (place, what, reader, luck) in changes {
                memory.put(0, place, what.clone());
                match what {
                    Some(what) => drop(model.insert(place, what)),
                    None => drop(model.remove(&place)),
                }
                if luck == 0 {
                    memory.invalidate(0, place / 2);
                    model.entry(place / 2).and_modify(|left| *left = Left::Estimate);
                }
                let mut expected = Ok(value(9));
                for (&place, left) in model.range(..reader) {
                    match (left, &mut expected) {
                        (Left::Estimate, _) => expected = Err(place),
                        (Left::Value(value), _) => expected = Ok(value.clone()),
                        (Left::More(_), Err(_)) => {}
                        (Left::More(addition), Ok(seen)) => {
                            let sum = addition.value(seen.as_ref().map(|value| &value[..]));
                            *seen = sum.ok().or(seen.take());
                        }
                    }
                }
                prop_assert_eq!(read(&memory, reader), expected);
            }
        }
    }

    #[test]
    fn what_was_added_and_taken_again_has_been_written() {
        let memory = unhinted(1);
        let wide = |added| Some(Left::More(Addition::wide(added)));
        assert_eq!(read(&memory, 9), Ok(value(9)), "as it came");
        memory.put(0, 1, wide(2));
        memory.put(0, 2, wide(-2));
        let mut all = [0; 16];
        all[0] = 9;
        assert_eq!(read(&memory, 3), Ok(Some(Bytes::from_slice(&all))));
        memory.put(0, 1, wide(-10));
        memory.put(0, 2, None);
        assert_eq!(read(&memory, 3), Ok(value(9)), "nothing that fits was added");
    }

    #[test]
    fn additions_count_in_the_published_order() {
        let changes = |published: &[u32], [first, second]: [i128; 2]| {
            let memory = unhinted(2);
            memory.put(1, 0, more(first));
            memory.put(1, 1, more(second));
            let slots = memory.finish(Slots::empty(2).take_start(), published)?.take_start();
            Some([copied(slots.get(0)), copied(slots.get(1))])
        };
        assert_eq!(changes(&[0, 1], [7, -5]), Some([None, value(2)]));
        assert_eq!(changes(&[1, 0], [7, -5]), None, "nothing is left to take five from");
        assert_eq!(changes(&[1, 0], [-5, 7]), None, "whoever read between saw seven");
    }
}
