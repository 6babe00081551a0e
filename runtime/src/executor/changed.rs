//! The cells that a block changed.

use std::fmt;
use std::sync::Arc;

use super::intern::Place;
use crate::access::Lists;
use crate::state::Changes;
use crate::types::{Bytes, KeyHash, SYSTEM, StateKey, system_field};

/// A change to the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: StateKey,
    /// Its hash.
    pub hash: KeyHash,
    /// The new value; `None` removes it.
    pub value: Option<Bytes>,
}

/// The cells that a block changed, each once, by ascending key hash: as rows of the state, which need no names. A
/// cell's name is put together when somebody asks for it, which is for those that had no value before.
///
/// Equal are two that leave the same values in the same cells.
#[derive(Clone, Debug, Default)]
pub struct ChangedCells {
    rows: Arc<Changes>,
    names: Vec<Arc<dyn Names>>,
    /// Whether a contract or its code is among them.
    has_contracts: bool,
}

/// Who knows the names of some cells, by ascending hash.
pub(crate) trait Names: fmt::Debug + Send + Sync {
    /// The name of a cell, if it is one of them. `from` is where it looks first, 0 for the first cell, and is moved to
    /// where it ends, for who asks for a later cell next.
    fn name(&self, cell: &KeyHash, from: &mut usize) -> Option<StateKey>;
}

/// The first position from `from` on at which something is not below what is wanted, of `len` that ascend. Quick where it
/// is near.
///
/// Source: Bentley and Yao, "An almost optimal algorithm for unbounded searching" (1976).
pub(crate) fn gallop(len: usize, from: usize, is_below: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut step) = (from.min(len), 1);
    while low + step <= len && is_below(low + step - 1) {
        low += step;
        step *= 2;
    }
    // What is wanted is among the next `step - 1`, or is the one behind them.
    let mut high = (low + step - 1).min(len);
    while low < high {
        let middle = low + (high - low) / 2;
        if is_below(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

impl ChangedCells {
    /// Changes to cells that somebody names, none of which is a contract or its code.
    pub(crate) fn new(rows: Changes, names: Arc<dyn Names>) -> Self {
        Self { rows: Arc::new(rows), names: vec![names], has_contracts: false }
    }

    /// How many cells.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The changes as rows of the state.
    #[must_use]
    pub fn rows(&self) -> &Arc<Changes> {
        &self.rows
    }

    /// What became of a cell: `None` if it is not among them.
    #[must_use]
    pub fn get(&self, cell: &KeyHash) -> Option<Option<Bytes>> {
        self.rows.get(cell)
    }

    /// Gives the name of the cell of the row at a position, for positions that ascend.
    ///
    /// # Panics
    /// What is returned does if there is no such row.
    pub fn names(&self) -> impl FnMut(usize) -> StateKey {
        let mut names: Vec<_> = self.names.iter().map(|names| (names, 0)).collect();
        move |at| {
            let cell = self.rows.key(at);
            let name = names.iter_mut().find_map(|(names, from)| names.name(&cell, from));
            name.expect("each row came with its name")
        }
    }

    /// The changes one by one, with their names.
    pub fn iter(&self) -> impl Iterator<Item = Change> {
        let mut name = self.names();
        let changes = self.rows.iter().enumerate();
        changes.map(move |(at, (hash, value))| Change { key: name(at), hash, value })
    }

    /// Whether a contract or its code changed: what was derived before is not current then.
    #[must_use]
    pub fn has_contracts(&self) -> bool {
        self.has_contracts
    }

    /// These, and then others: of a cell in both what it is after the others. On the threads of the current rayon
    /// pool.
    #[must_use]
    pub fn then(mut self, others: Self) -> Self {
        if self.is_empty() {
            return others;
        }
        if others.is_empty() {
            return self;
        }
        self.names.extend(others.names);
        Self {
            rows: Arc::new(self.rows.then(&others.rows)),
            names: self.names,
            has_contracts: self.has_contracts || others.has_contracts,
        }
    }
}

impl PartialEq for ChangedCells {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

impl Eq for ChangedCells {}

/// Of changes in any order; of several of one cell the last counts.
impl From<Vec<Change>> for ChangedCells {
    fn from(mut changes: Vec<Change>) -> Self {
        // Stable: of equal keys the last stays last.
        changes.sort_by_key(|change| change.hash);
        let mut rows = Changes::with_capacity(changes.len());
        for (at, change) in changes.iter().enumerate() {
            if changes.get(at + 1).is_none_or(|next| next.hash != change.hash) {
                rows.push(&change.hash, change.value.as_deref());
            }
        }
        let has_contracts = changes.iter().any(|change| is_contract(&change.key));
        let names = changes.into_iter().map(|change| (change.hash, change.key)).collect();
        let names: Arc<dyn Names> = Arc::new(Known(names));
        Self { rows: Arc::new(rows), names: vec![names], has_contracts }
    }
}

fn is_contract(key: &StateKey) -> bool {
    key.contract == SYSTEM && matches!(key.field, system_field::CONTRACT | system_field::CODE)
}

/// Names by ascending hash.
#[derive(Debug)]
struct Known(Vec<(KeyHash, StateKey)>);

impl Names for Known {
    fn name(&self, cell: &KeyHash, from: &mut usize) -> Option<StateKey> {
        *from = gallop(self.0.len(), *from, |at| self.0[at].0 < *cell);
        self.0.get(*from).filter(|(hash, _)| hash == cell).map(|(_, key)| key.clone())
    }
}

/// Cells that access lists name.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) lists: Arc<Lists>,
    /// The first bytes of each hash, ascending, and where an entry is that names the cell.
    pub(super) places: Vec<(u64, Place)>,
}

impl Names for Listed {
    fn name(&self, cell: &KeyHash, from: &mut usize) -> Option<StateKey> {
        let first = cell.first_bytes();
        *from = gallop(self.places.len(), *from, |at| self.places[at].0 < first);
        let mut near = self.places[*from..].iter().take_while(|(bytes, _)| *bytes == first);
        near.find_map(|(_, place)| {
            let listed = place.key(&self.lists);
            (listed.hash == *cell).then(|| listed.state_key())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(number: u8, value: Option<&[u8]>) -> Change {
        let key = StateKey::new(kempe_abi::Address([7; 32]), 1, &[number]);
        Change { hash: key.hash(), key, value: value.map(Bytes::from_slice) }
    }

    #[test]
    fn what_comes_later_counts_and_keeps_its_name() {
        let before = vec![change(1, Some(b"a")), change(2, Some(&[9; 40])), change(3, None)];
        let after = vec![change(2, None), change(4, Some(&[8; 70])), change(4, Some(&[7; 70]))];
        let mut expected = vec![
            change(1, Some(b"a")),
            change(2, None),
            change(3, None),
            change(4, Some(&[7; 70])),
        ];
        expected.sort_by_key(|change| change.hash);
        let all = ChangedCells::from(before).then(ChangedCells::from(after));
        assert_eq!(all.iter().collect::<Vec<_>>(), expected);
        assert_eq!(all, ChangedCells::from(expected.clone()));
        for change in expected {
            assert_eq!(all.get(&change.hash), Some(change.value));
        }
        assert_eq!(all.get(&change(5, None).hash), None);
        assert!(!all.has_contracts());
    }

    #[test]
    fn many_changes_are_merged_in_order() {
        // More than one task takes (except in an interpreter), with runs of either side, and cells in both.
        let thousand = if cfg!(miri) { 10 } else { 1000 };
        let changes = |range: std::ops::Range<u32>, value: u8| -> Vec<Change> {
            let change = |number: u32| {
                let key = StateKey::new(kempe_abi::Address([7; 32]), 1, &number.to_le_bytes());
                let value = vec![value; if number.is_multiple_of(5) { 50 } else { 5 }];
                Change { hash: key.hash(), key, value: Some(Bytes::from_slice(&value)) }
            };
            range.map(change).collect()
        };
        let (before, after) =
            (changes(0..12 * thousand, 1), changes(9 * thousand..20 * thousand, 2));
        let once = [before.clone(), after.clone()].concat();
        let all = ChangedCells::from(before).then(ChangedCells::from(after));
        assert_eq!(all.len(), 20 * thousand as usize);
        assert_eq!(all, ChangedCells::from(once));
        assert!(all.iter().all(|change| change.key.hash() == change.hash));
    }

    #[test]
    fn a_gallop_finds_what_a_search_finds() {
        for len in 0..40 {
            for (from, wanted) in (0..=len).flat_map(|from| (from..=len).map(move |at| (from, at)))
            {
                assert_eq!(gallop(len, from, |at| at < wanted), wanted, "{len} {from}");
            }
        }
    }

    #[test]
    fn contracts_are_seen() {
        let key = StateKey::system(system_field::CONTRACT, &[3; 32]);
        let contract = Change { hash: key.hash(), key, value: None };
        let none = ChangedCells::from(vec![change(1, None)]);
        assert!(!none.has_contracts());
        assert!(none.then(ChangedCells::from(vec![contract])).has_contracts());
    }
}
