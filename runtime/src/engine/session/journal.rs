//! What a caught call changed, to be undone if it fails.

use kempe_abi::{AccessKind, TrapKind};

use super::Session;
use crate::engine::cell::{Accumulator, Cell, Delta};
use crate::types::Bytes;

/// A cell as it was.
pub(super) struct Undo {
    cell: usize,
    kind: AccessKind,
    /// The value, unless what follows leaves it as it is until the cell is widened.
    value: Option<Option<Bytes>>,
    added: Delta,
    accumulator: Accumulator,
    dirty: bool,
    /// [`Cell::journaled`] before; `None` where the cell was widened, which says nothing about that.
    journaled: Option<u32>,
}

impl Undo {
    fn of(cell: &mut Cell, at: usize, takes_value: bool, journaled: Option<u32>) -> Self {
        let Cell { kind, added, accumulator, dirty, .. } = *cell;
        let value = takes_value.then(|| cell.value.take());
        Self { cell: at, kind, value, added, accumulator, dirty, journaled }
    }
}

/// What an entry costs, in bytes that are copied: about its size. Ours to choose.
const UNDO_BYTES: u64 = 128;

/// A point to which the writes of a caught call are undone.
pub(crate) struct Mark {
    journal: usize,
    /// The mark that was innermost before.
    outer: u32,
    events: usize,
    event_bytes: usize,
    appended: usize,
    appended_bytes: usize,
}

impl Session {
    /// Keeps a cell as it is before its first change since the innermost mark. If its value is `replaced`, it is taken
    /// out, not copied, so whoever calls this puts a new one there. Else it is not looked at: whether the value of what is
    /// added to is known depends on how the block runs, and fuel must not.
    pub(super) fn journal(&mut self, at: usize, replaced: bool) -> Result<(), TrapKind> {
        let catching = self.catching;
        if catching == 0 || self.cells[at].journaled == catching {
            return Ok(());
        }
        self.charge(UNDO_BYTES.saturating_mul(self.prices.copy_byte))?;
        let cell = &mut self.cells[at];
        let before = std::mem::replace(&mut cell.journaled, catching);
        self.journal.push(Undo::of(cell, at, replaced, Some(before)));
        Ok(())
    }

    /// Keeps a cell as it is before it is widened: its value too, which no entry before has. That happens once for
    /// each cell, unless it is undone.
    pub(super) fn journal_widening(&mut self, at: usize) {
        if self.catching > 0 {
            let cell = &mut self.cells[at];
            let value = cell.value.clone();
            self.journal.push(Undo::of(cell, at, true, None));
            cell.value = value;
        }
    }

    /// Begins a call that catches failures.
    pub(crate) fn mark(&mut self) -> Mark {
        let outer = self.catching;
        self.n_marks += 1;
        self.catching = self.n_marks;
        Mark {
            journal: self.journal.len(),
            outer,
            events: self.events.len(),
            event_bytes: self.event_bytes,
            appended: self.appended.len(),
            appended_bytes: self.appended_bytes,
        }
    }

    /// Ends a catching call that succeeded: what it keeps is now kept for the call around it, unless that has it
    /// already, as it was before. So the journal has one entry for each cell and catching call on the stack, and one
    /// more for each cell that was widened, however many calls there were.
    pub(crate) fn release(&mut self, mark: &Mark) {
        self.catching = mark.outer;
        if self.catching == 0 {
            self.journal.clear();
            return;
        }
        let mut kept = mark.journal;
        for at in mark.journal..self.journal.len() {
            let undo = &self.journal[at];
            if undo.journaled.is_some() {
                self.cells[undo.cell].journaled = mark.outer;
            }
            if undo.journaled != Some(mark.outer) {
                self.journal.swap(kept, at);
                kept += 1;
            }
        }
        self.journal.truncate(kept);
    }

    /// Undoes what happened since the mark.
    pub(crate) fn undo(&mut self, mark: &Mark) {
        for undo in self.journal.drain(mark.journal..).rev() {
            let cell = &mut self.cells[undo.cell];
            cell.kind = undo.kind;
            if let Some(value) = undo.value {
                cell.value = value;
            }
            cell.added = undo.added;
            cell.accumulator = undo.accumulator;
            cell.dirty = undo.dirty;
            if let Some(journaled) = undo.journaled {
                cell.journaled = journaled;
            }
        }
        self.catching = mark.outer;
        self.events.truncate(mark.events);
        self.event_bytes = mark.event_bytes;
        self.appended.truncate(mark.appended);
        self.appended_bytes = mark.appended_bytes;
        self.stop = None;
        self.failed_in = None;
    }

    /// Ends all catching calls of a transaction that failed, so that what follows is for good.
    pub(crate) fn end_marks(&mut self) {
        self.catching = 0;
        self.journal.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, LazyLock};

    use proptest::prelude::*;

    use super::*;
    use crate::access::Entry;
    use crate::engine::Engine;
    use crate::types::{KeyHash, Prices};

    const KINDS: [AccessKind; 3] = [AccessKind::Add, AccessKind::Write, AccessKind::Add];

    /// The most calls that catch, one in the other.
    const DEPTH_MAX: usize = 4;

    static ENGINE: LazyLock<Arc<Engine>> = LazyLock::new(|| Arc::new(Engine::new().unwrap()));

    fn session() -> Session {
        let mut session = Session::new(Arc::clone(&ENGINE), Prices::default());
        (session.recording, session.fuel) = (true, u64::MAX);
        let cell = |kind| {
            let hash = KeyHash([0; 32]);
            let entry = Entry { hash, contract: 0, key: 0, key_len: 0, field: 0, kind };
            Cell::listed(&entry, 0, Some(Bytes::from_slice(&[5])))
        };
        session.cells.extend(KINDS.map(cell));
        session
    }

    /// What a transaction has done to its cells.
    fn seen(session: &Session) -> Vec<(AccessKind, Option<Bytes>, i128, Accumulator, bool)> {
        let of = |cell: &Cell| {
            (cell.kind, cell.value.clone(), cell.added.get(), cell.accumulator, cell.dirty)
        };
        session.cells.iter().map(of).collect()
    }

    proptest! {
        /// Against copies of all cells; and the journal does not grow with what has happened.
        #[test]
        fn what_is_undone_is_as_it_was(
            steps in prop::collection::vec((0..6u8, 0..KINDS.len(), any::<u8>()), 1..80)
        ) {
            let mut session = session();
            let mut marks = Vec::new();
            for (what, at, byte) in steps {
                match what {
                    0 if marks.len() < DEPTH_MAX => {
                        let before = seen(&session);
                        marks.push((session.mark(), before));
                    }
                    1 => if let Some((mark, before)) = marks.pop() {
                        session.undo(&mark);
                        prop_assert_eq!(seen(&session), before);
                    },
                    2 => if let Some((mark, _)) = marks.pop() {
                        let now = seen(&session);
                        session.release(&mark);
                        prop_assert_eq!(seen(&session), now);
                    },
                    3 => {
                        if session.cells[at].kind == AccessKind::Add {
                            session.widen(at).unwrap();
                        }
                        session.write(at, Some(&[byte])).unwrap();
                    }
                    _ => session.add(at, Accumulator::BALANCE, i128::from(byte)).unwrap(),
                }
                let n_widened = if marks.is_empty() { 0 } else { KINDS.len() };
                prop_assert!(session.journal.len() <= marks.len() * KINDS.len() + n_widened);
            }
        }
    }
}
