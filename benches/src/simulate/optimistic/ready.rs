//! Who may run, and who waits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Transactions of which the lowest is to be run next.
#[derive(Default)]
pub(super) struct Ready {
    alone: BTreeSet<u32>,
    /// By its first.
    groups: BTreeMap<u32, Group>,
}

/// Transactions that met an estimate at the same slot, ascending, none of which can meet one before it. So whoever of them comes next answers for those behind it, as
/// long as nobody between has written there: thousands that wait for one key are passed on as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) slot: u32,
    txs: VecDeque<u32>,
}

/// Who waits for one transaction.
#[derive(Clone, Default)]
pub(super) struct Waiting {
    alone: Vec<u32>,
    groups: Vec<Group>,
}

impl Ready {
    pub(super) fn of(txs: impl Iterator<Item = u32>) -> Self {
        Self { alone: txs.collect(), groups: BTreeMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.alone.is_empty() && self.groups.is_empty()
    }

    pub(super) fn insert(&mut self, tx: u32) {
        self.alone.insert(tx);
    }

    pub(super) fn insert_group(&mut self, group: Group) {
        if let Some(&first) = group.txs.front() {
            self.groups.insert(first, group);
        }
    }

    /// Takes the lowest, with those that waited as it did.
    pub(super) fn pop_first(&mut self) -> Option<(u32, Option<Group>)> {
        let of_groups = self.groups.keys().next().copied();
        let is_alone = |tx: &u32| of_groups.is_none_or(|first| *tx < first);
        if self.alone.first().is_some_and(is_alone) {
            return Some((self.alone.pop_first()?, None));
        }
        let (first, mut group) = self.groups.pop_first()?;
        group.txs.pop_front();
        Some((first, Some(group)))
    }

    /// Takes all who waited, and says who is the lowest of them.
    pub(super) fn release(&mut self, waiting: &mut Waiting) -> Option<u32> {
        let of_groups = waiting.groups.iter().filter_map(|group| group.txs.front());
        let first = waiting.alone.iter().chain(of_groups).min().copied();
        self.alone.extend(waiting.alone.drain(..));
        waiting.groups.drain(..).for_each(|group| self.insert_group(group));
        first
    }
}

impl Group {
    pub(super) fn of(slot: u32, tx: u32) -> Self {
        Self { slot, txs: VecDeque::from([tx]) }
    }

    pub(super) fn push_first(&mut self, tx: u32) {
        self.txs.push_front(tx);
    }

    /// How many of it are below a transaction.
    pub(super) fn n_below(&self, tx: u32) -> u64 {
        self.txs.partition_point(|&other| other < tx) as u64
    }

    /// Takes those up to a transaction out of it. O(the smaller part).
    pub(super) fn up_to(&mut self, tx: u32) -> Self {
        let n_taken = self.txs.partition_point(|&other| other <= tx);
        let txs = if n_taken < self.txs.len() / 2 {
            self.txs.drain(..n_taken).collect()
        } else {
            let rest = self.txs.split_off(n_taken);
            std::mem::replace(&mut self.txs, rest)
        };
        Self { slot: self.slot, txs }
    }
}

impl Waiting {
    #[cfg(test)]
    pub(super) fn n_in_groups(&self) -> usize {
        self.groups.iter().map(|group| group.txs.len()).max().unwrap_or(0)
    }

    pub(super) fn push(&mut self, tx: u32) {
        self.alone.push(tx);
    }

    /// Takes one out that waits alone. False if it does not.
    pub(super) fn remove(&mut self, tx: u32) -> bool {
        let at = self.alone.iter().position(|&other| other == tx);
        at.map(|at| self.alone.swap_remove(at)).is_some()
    }

    /// Adds a group to one of the same slot if it is all above or below that. O(the smaller one).
    pub(super) fn push_group(&mut self, mut group: Group) {
        let (Some(&first), Some(&last)) = (group.txs.front(), group.txs.back()) else { return };
        let slot = group.slot;
        for known in self.groups.iter_mut().filter(|known| known.slot == slot) {
            let is_above = known.txs.back().is_some_and(|&tx| tx < first);
            let is_below = known.txs.front().is_some_and(|&tx| tx > last);
            if is_below {
                std::mem::swap(known, &mut group);
            }
            if is_above || is_below {
                if known.txs.len() < group.txs.len() {
                    while let Some(tx) = known.txs.pop_back() {
                        group.txs.push_front(tx);
                    }
                    std::mem::swap(known, &mut group);
                } else {
                    known.txs.append(&mut group.txs);
                }
                return;
            }
        }
        self.groups.push(group);
    }
}
