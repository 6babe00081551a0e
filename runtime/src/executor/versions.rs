//! A version of each key for each write: who reads waits for what it reads, and nobody else waits.
//!
//! Versions are laid out from the published order before anything runs: one for each declared write or
//! addition, and one wherever additions are followed by something that reads, which holds their sum
//! ([`Layout`]). While the block runs each is set once, by the transaction that it belongs to or by
//! the first who reads the sum ([`Versions`]), so there are no locks: a version that is read before it was
//! set would be a panic, which the order of the graph rules out.
//!
//! A key that is in one list only, or in all lists to be written, needs no versions. Who writes also reads, so its transactions
//! wait for each other anyway, and its value stays in its slot, as in a graph on one value for each key: most
//! accounts of transfers are such keys.
//!
//! A declared write may not happen. Its version then names the one that the transaction read instead,
//! so that a reader behind many such writes takes one step.
//!
//! An addition that does not fit would fail its transaction, whose other writes somebody may have read
//! by then. The block then runs again by its batches.
//!
//! Source: J. Faleiro and D. Abadi, "Rethinking serializable multiversion concurrency control" (BOHM),
//! VLDB 2015.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use kempe_abi::AccessKind;
use rayon::prelude::*;

use super::BlockRun;
use super::effects::Addition;
use super::slots::{Slot, Slots, Start, copied};
use super::unbarred::Step;
use crate::engine::{Cell, Worker};
use crate::prefetch::prefetch;
use crate::scheduler::{Accesses, Schedule};
use crate::state::StoreError;
use crate::types::{Bytes, Footprints};

/// No version: the value before the block.
const START: u32 = u32::MAX;
/// No version: the value is in its slot.
const IN_PLACE: u32 = u32::MAX - 1;

/// Where each access finds its value and leaves its own.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// For each access, by its position among all.
    links: Vec<Link>,
    /// For each version, what is before it.
    places: Vec<Place>,
    /// For each slot, its last version.
    last: Vec<u32>,
}

/// The versions of an access; both [`IN_PLACE`] where there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link {
    /// What it reads.
    reads: u32,
    /// What it sets; [`START`] for a read.
    sets: u32,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    /// The version before it on its slot.
    before: u32,
    /// Whether it belongs to no transaction and holds the sum of the additions before it.
    is_sum: bool,
}

impl Layout {
    /// Numbers the versions of a block that a graph runs, in the order that its schedule publishes. O(accesses).
    pub(super) fn new(accesses: &Accesses, schedule: &Schedule) -> Self {
        // How many lists name a slot, no further than two, and whether one of them has it for something else than to write: nobody
        // knows beforehand that a write does not read, so no graph lets two writers run at once.
        let mut uses = vec![(0u8, false); accesses.n_slots()];
        for access in accesses.rows().flatten() {
            let (n_lists, is_other) = &mut uses[access.slot as usize];
            *n_lists = (*n_lists + 1).min(2);
            *is_other |= access.kind != AccessKind::Write;
        }
        let place = |(n_lists, is_other)| if is_other && n_lists > 1 { START } else { IN_PLACE };
        Self::after(uses.into_iter().map(place).collect(), accesses, schedule)
    }

    /// The same of a block that runs in two rounds: in the first, nobody waits.
    pub(super) fn of_rounds(accesses: &Accesses, schedule: &Schedule) -> Self {
        Self::after(vec![START; accesses.n_slots()], accesses, schedule)
    }

    /// Numbers the versions of the slots that are not in place; `last` says which.
    fn after(last: Vec<u32>, accesses: &Accesses, schedule: &Schedule) -> Self {
        let link = Link { reads: IN_PLACE, sets: IN_PLACE };
        let links = vec![link; accesses.n_accesses()];
        let mut layout = Self { links, places: Vec::new(), last };
        // Whether the last version of a slot is an addition.
        let mut is_added = vec![false; accesses.n_slots()];
        for &tx in schedule.batches().flatten() {
            for (at, access) in accesses.range(tx).zip(accesses.of(tx)) {
                if layout.last[access.slot as usize] == IN_PLACE {
                    continue;
                }
                let is_addition = access.kind == AccessKind::Add;
                let was_added = std::mem::replace(&mut is_added[access.slot as usize], is_addition);
                if was_added && !is_addition {
                    layout.push(access.slot, true);
                }
                let reads = layout.last[access.slot as usize];
                let sets = match access.kind {
                    AccessKind::Read => START,
                    _ => layout.push(access.slot, false),
                };
                layout.links[at] = Link { reads, sets };
            }
        }
        for (slot, was_added) in (0..).zip(is_added) {
            if was_added {
                layout.push(slot, true);
            }
        }
        layout
    }

    /// Appends a version of a slot.
    fn push(&mut self, slot: u32, is_sum: bool) -> u32 {
        let version = u32::try_from(self.places.len()).expect("at most two for each access");
        let last = &mut self.last[slot as usize];
        self.places.push(Place { before: std::mem::replace(last, version), is_sum });
        version
    }
}

/// What is known of a key at a place of the published order.
#[derive(Debug)]
enum Version {
    /// A value, or that there is none.
    Value(Option<Bytes>),
    /// What this other version has.
    Same(u32),
    /// What the version before it has, and something added.
    More(Addition),
}

/// A block whose keys have versions, while it runs.
pub(super) struct Versions<'a, 'p> {
    /// Its slots have the values that are in place, and of the others those before the block.
    run: &'a BlockRun<'a>,
    table: Table<'p>,
}

/// The versions of a block's keys. Where a slot is asked for it is the one before the block.
pub(super) struct Table<'a> {
    layout: &'a Layout,
    versions: Vec<OnceLock<Version>>,
    /// An addition did not fit.
    is_unfit: AtomicBool,
}

impl<'a, 'p> Versions<'a, 'p> {
    /// The versions of a block, none of them set.
    ///
    /// # Safety
    /// The layout is that of the block's plan, and what runs on it keeps that plan's order.
    #[expect(unsafe_code, reason = "see `Disjoint`")]
    pub(super) unsafe fn new(run: &'a BlockRun<'a>, layout: &'p Layout) -> Self {
        let places = layout.places.par_iter().with_min_len(1024);
        let versions = places.map(|_| OnceLock::new()).collect();
        let table = Table { layout, versions, is_unfit: AtomicBool::new(false) };
        Self { run, table }
    }

    /// The value before the block, of a key that has versions.
    pub(super) fn at_start(&self, slot: u32) -> Option<&Bytes> {
        self.start(slot).value()
    }

    /// The slot of a key that has versions.
    fn start(&self, slot: u32) -> &Slot {
        assert_ne!(self.table.layout.last[slot as usize], IN_PLACE, "slot={slot} has no versions");
        #[expect(unsafe_code, reason = "see `Disjoint`")]
        // SAFETY: as long as the versions live, only slots that have none are written.
        unsafe {
            self.run.slots.get(slot)
        }
    }

    /// The versions alone, once all transactions have ended.
    pub(super) fn into_table(self) -> Table<'p> {
        self.table
    }

    /// Whether all additions fitted so far.
    pub(super) fn goes_on(&self) -> bool {
        self.table.goes_on()
    }

    /// What a transaction reads at a position of its list, when those that it waits for have ended.
    pub(super) fn read(&self, tx: u32, at: usize) -> Option<&Bytes> {
        let accesses = self.run.plan.interned().accesses();
        let Link { reads, .. } = self.table.layout.links[accesses.range(tx).start + at];
        let slot = accesses.of(tx)[at].slot;
        if reads == IN_PLACE {
            #[expect(unsafe_code, reason = "see `Disjoint`")]
            // SAFETY: the slot is in all lists to be written, so all but this transaction have ended or wait for it; or in no other.
            return unsafe { self.run.slots.get(slot) }.value();
        }
        let slot = self.start(slot);
        self.table.value(self.table.holder(reads, slot), slot)
    }

    /// Sets the versions of a transaction that ran.
    pub(super) fn publish(&self, tx: u32, cells: &mut [Cell]) {
        let accesses = self.run.plan.interned().accesses();
        let links = &self.table.layout.links[accesses.range(tx)];
        for ((link, access), cell) in links.iter().zip(accesses.of(tx)).zip(cells) {
            let Link { reads, sets } = *link;
            let version = match access.kind {
                AccessKind::Read => continue,
                _ if sets == IN_PLACE => {
                    self.publish_in_place(access.slot, cell);
                    continue;
                }
                AccessKind::Add => match Addition::of(cell) {
                    Some(addition) => Version::More(addition),
                    None => Version::Same(reads),
                },
                _ if cell.dirty => Version::Value(cell.value.take()),
                _ => Version::Same(self.table.holder(reads, self.start(access.slot))),
            };
            let is_first = self.table.versions[sets as usize].set(version).is_ok();
            debug_assert!(is_first, "a transaction runs once");
        }
    }

    /// Writes what a transaction did to a key that has no versions.
    fn publish_in_place(&self, slot: u32, cell: &mut Cell) {
        let value = match Addition::of(cell) {
            Some(addition) => {
                #[expect(unsafe_code, reason = "see `Disjoint`")]
                // SAFETY: as in `read`.
                let current = unsafe { self.run.slots.get(slot) }.value();
                match addition.value(current.map(|value| &**value)) {
                    Ok(value) => Some(value),
                    Err(_) => return self.table.is_unfit.store(true, Ordering::Relaxed),
                }
            }
            None if cell.dirty => cell.value.take(),
            None => return,
        };
        #[expect(unsafe_code, reason = "see `Disjoint`")]
        // SAFETY: as in `read`, and what was read there was copied.
        unsafe {
            self.run.slots.put(slot, value);
        }
    }
}

impl Table<'_> {
    fn goes_on(&self) -> bool {
        !self.is_unfit.load(Ordering::Relaxed)
    }

    fn place(&self, version: u32) -> Place {
        self.layout.places[version as usize]
    }

    fn version(&self, version: u32) -> Option<&Version> {
        self.versions[version as usize].get()
    }

    /// The version that has the value that a reader of `version` sees.
    fn holder(&self, mut version: u32, slot: &Slot) -> u32 {
        while version != START {
            if self.place(version).is_sum && self.version(version).is_none() {
                self.sum_up(version, slot);
            }
            match self.version(version).expect("a transaction waits for what it reads") {
                Version::Same(other) => version = *other,
                Version::Value(_) => break,
                Version::More(_) => unreachable!("a sum stands between an addition and a reader"),
            }
        }
        version
    }

    /// The value that a holder has.
    fn value<'v>(&'v self, holder: u32, slot: &'v Slot) -> Option<&'v Bytes> {
        if holder == START {
            return slot.value();
        }
        match self.version(holder) {
            Some(Version::Value(value)) => value.as_ref(),
            _ => unreachable!("a holder has a value"),
        }
    }

    /// Sets a sum, and before it those that nobody has read yet: each addition is looked at once.
    fn sum_up(&self, sum: u32, slot: &Slot) {
        let mut unset = vec![sum];
        let mut at = self.place(sum).before;
        while at != START {
            match self.version(at) {
                None if self.place(at).is_sum => {
                    unset.push(at);
                    at = self.place(at).before;
                }
                None => unreachable!("a reader waits for the additions before it"),
                Some(Version::Same(other)) => at = *other,
                Some(Version::More(_)) => at = self.place(at).before,
                Some(Version::Value(_)) => break,
            }
        }
        for &sum in unset.iter().rev() {
            // Two readers at once find the same.
            let _ = self.versions[sum as usize].set(self.sum(sum, slot));
        }
    }

    /// What a sum has, where all before it are set.
    fn sum(&self, sum: u32, slot: &Slot) -> Version {
        let mut additions = Vec::new();
        let mut at = self.place(sum).before;
        while at != START {
            match self.version(at) {
                Some(Version::Same(other)) => at = *other,
                Some(Version::More(addition)) => {
                    additions.push(addition);
                    at = self.place(at).before;
                }
                _ => break,
            }
        }
        if additions.is_empty() {
            return Version::Same(at);
        }
        let mut value = copied(self.value(at, slot));
        for addition in additions.into_iter().rev() {
            match addition.value(value.as_deref()) {
                Ok(sum) => value = Some(sum),
                Err(_) => self.is_unfit.store(true, Ordering::Relaxed),
            }
        }
        Version::Value(value)
    }

    /// What the block left of each slot, once all transactions have ended; `None` if an addition did not
    /// fit.
    pub(super) fn finish(self, start: Start) -> Option<Slots> {
        if self.versions.is_empty() {
            return Some(start.finish_unchanged());
        }
        let slots = start.finish(|at, slot| {
            let last = self.layout.last[at as usize];
            let holder = if last == IN_PLACE { START } else { self.holder(last, slot) };
            (holder != START).then(|| copied(self.value(holder, slot)))
        });
        self.goes_on().then_some(slots)
    }

    /// Asks for what tells a transaction its versions.
    fn prefetch_links(&self, range: std::ops::Range<usize>) {
        for links in self.layout.links[range].chunks(64 / size_of::<Link>()) {
            prefetch(links);
        }
    }

    /// Asks for the versions of a transaction.
    fn prefetch_versions(&self, range: std::ops::Range<usize>) {
        for &Link { reads, sets } in &self.layout.links[range] {
            for version in [reads, sets] {
                if let Some(version) = self.versions.get(version as usize) {
                    prefetch(version);
                }
            }
        }
    }
}

impl Step for Versions<'_, '_> {
    fn run(
        &self,
        worker: &mut Worker,
        tx: u32,
        footprints: &mut Footprints,
    ) -> Result<bool, StoreError> {
        let run = self.run.run_on(worker, tx, |at, _| self.read(tx, at))?;
        footprints.push(worker.footprint());
        self.publish(tx, worker.cells_mut());
        self.run.put_run(tx, run);
        Ok(self.goes_on())
    }

    fn fetch_ahead(&self, rest: &[u32]) {
        let accesses = self.run.plan.interned().accesses();
        if let Some(&soon) = rest.get(6) {
            self.table.prefetch_links(accesses.range(soon));
        }
        if let Some(&soon) = rest.get(3) {
            self.table.prefetch_versions(accesses.range(soon));
        }
        self.run.fetch_ahead(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::Access;

    #[test]
    fn keys_that_are_only_written_have_no_versions() {
        use AccessKind::{Add, Read, Write};
        // All write 0; 1 is only read; 2 is read between writes; 3 is added to; 4 and 5 are in one list.
        let rows: [&[(u32, AccessKind)]; 3] = [
            &[(0, Write), (1, Read), (2, Write), (3, Add), (4, Add)],
            &[(0, Write), (1, Read), (2, Read), (3, Add), (5, Read)],
            &[(0, Write), (2, Write), (3, Write)],
        ];
        let mut accesses = Accesses::default();
        for row in rows {
            accesses.push_tx(row.iter().map(|&(slot, kind)| Access::new(slot, kind)));
        }
        let schedule = Schedule::new([[0], [1], [2]], &[]).unwrap();
        let layout = Layout::new(&accesses, &schedule);
        let links = |tx| -> Vec<(u32, u32)> {
            let links = &layout.links[accesses.range(tx)];
            links.iter().map(|link| (link.reads, link.sets)).collect()
        };
        const BOTH: (u32, u32) = (IN_PLACE, IN_PLACE);
        assert_eq!(links(0), [BOTH, (START, START), (START, 0), (START, 1), BOTH]);
        assert_eq!(links(1), [BOTH, (START, START), (0, START), (1, 2), BOTH]);
        assert_eq!(links(2), [BOTH, (0, 3), (4, 5)], "4 is the sum of what was added");
        assert_eq!(layout.last, [IN_PLACE, START, 3, 5, IN_PLACE, IN_PLACE]);
        let rounds = Layout::of_rounds(&accesses, &schedule);
        assert_eq!(rounds.last.iter().filter(|&&last| last == IN_PLACE).count(), 0);
        // Three writes, an addition and its sum.
        assert_eq!(rounds.places.len(), layout.places.len() + 5);
    }
}
