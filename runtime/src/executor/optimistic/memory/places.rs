//! Something at each of some places of a block.

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::iter::Either;
use smallvec::SmallVec;

/// By places, in their order: side by side where it is a few, as of most keys, of which one transaction changes
/// most; and in a tree where taking one out would move many.
#[derive(Debug)]
pub(super) enum Places<T> {
    Few(SmallVec<[(u32, T); 1]>),
    Many(BTreeMap<u32, T>),
}

/// How many stand side by side at most. An estimate: moving half of so many takes as long as a look into a tree.
const FEW_MAX: usize = 32;

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self::Few(SmallVec::new())
    }
}

impl<T> Places<T> {
    /// What stands at a place.
    pub(super) fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        match self {
            Self::Few(few) => find(few, place).ok().map(|at| &mut few[at].1),
            Self::Many(many) => many.get_mut(&place),
        }
    }

    /// Puts something at a place. True if something stood there.
    pub(super) fn insert(&mut self, place: u32, what: T) -> bool {
        match self {
            Self::Few(few) => match find(few, place) {
                Ok(at) => {
                    few[at].1 = what;
                    true
                }
                Err(at) if few.len() < FEW_MAX => {
                    few.insert(at, (place, what));
                    false
                }
                Err(_) => {
                    let mut many: BTreeMap<u32, T> = few.drain(..).collect();
                    many.insert(place, what);
                    *self = Self::Many(many);
                    false
                }
            },
            Self::Many(many) => many.insert(place, what).is_some(),
        }
    }

    /// Takes away what stands at a place, if anything.
    pub(super) fn remove(&mut self, place: u32) {
        match self {
            Self::Few(few) => {
                if let Ok(at) = find(few, place) {
                    few.remove(at);
                }
            }
            Self::Many(many) => drop(many.remove(&place)),
        }
    }

    /// What stands at some places, in their order.
    pub(super) fn range(&self, places: Range<u32>) -> impl DoubleEndedIterator<Item = (u32, &T)> {
        match self {
            Self::Few(few) => {
                let [first, end] = [places.start, places.end].map(|bound| below(few, bound));
                Either::Left(few[first..end.max(first)].iter().map(|(place, what)| (*place, what)))
            }
            Self::Many(many) => {
                let places = places.start..places.end.max(places.start);
                Either::Right(many.range(places).map(|(place, what)| (*place, what)))
            }
        }
    }

    /// All, in order.
    pub(super) fn into_vec(self) -> SmallVec<[(u32, T); 1]> {
        match self {
            Self::Few(few) => few,
            Self::Many(many) => many.into_iter().collect(),
        }
    }
}

/// Where something stands, or would stand.
fn find<T>(few: &[(u32, T)], place: u32) -> Result<usize, usize> {
    few.binary_search_by_key(&place, |&(place, _)| place)
}

/// How many stand before a place.
fn below<T>(few: &[(u32, T)], place: u32) -> usize {
    few.partition_point(|&(other, _)| other < place)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn few_and_many_stand_as_in_a_tree(changes in vec((0..90u32, any::<Option<u8>>()), 0..200)) {
            let (mut places, mut model) = (Places::default(), BTreeMap::new());
            for (place, what) in changes {
                match what {
                    Some(what) => {
                        let stood = model.insert(place, what).is_some();
                        prop_assert_eq!(places.insert(place, what), stood);
                    }
                    None => {
                        places.remove(place);
                        model.remove(&place);
                    }
                }
                prop_assert_eq!(places.get_mut(place), model.get_mut(&place));
                let bounds = (place / 2, place);
                let found: Vec<_> = places.range(bounds.0..bounds.1).rev().collect();
                let expected = model.range(bounds.0..bounds.1).map(|(place, what)| (*place, what));
                prop_assert_eq!(found, expected.rev().collect::<Vec<_>>());
            }
            let all: Vec<_> = places.into_vec().into_iter().collect();
            prop_assert_eq!(all, model.into_iter().collect::<Vec<_>>());
        }
    }
}
