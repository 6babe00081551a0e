//! What a caught call changed, to be undone if it fails.

use kempe_abi::{AccessKind, TrapKind};

use super::Session;
use crate::engine::cell::{Accumulator, Cell, Delta};
use crate::types::Bytes;

/// A cell as it was.
pub(super) struct Undo {
    cell: usize,
    kind: AccessKind,
    value: Option<Bytes>,
    added: Delta,
    accumulator: Accumulator,
    dirty: bool,
    /// What [`Cell::journaled`](crate::engine::cell::Cell::journaled) was.
    journaled: u32,
}

/// What an entry costs with a short value, in bytes that are copied: about its size. Ours to choose.
const UNDO_BYTES: u64 = 128;

/// Values longer than this cost what copying them costs beside. What accumulates is shorter: whether its value is known depends
/// on how the block runs, and fuel must not.
const SHORT_VALUE_BYTES: u64 = 64;

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
    /// Keeps a cell as it is before its first change since the innermost mark, for the price of copying it. The journal
    /// has at most one entry for each cell and each catching call that runs: those of one that ended are given to
    /// the call around it, unless that has an older one.
    pub(super) fn journal(&mut self, at: usize) -> Result<(), TrapKind> {
        let Cell { journaled, value, .. } = &self.cells[at];
        if self.catching == *journaled || self.catching == 0 {
            return Ok(());
        }
        let value_bytes = value.as_ref().map_or(0, |value| value.len() as u64);
        let n_bytes = UNDO_BYTES + if value_bytes > SHORT_VALUE_BYTES { value_bytes } else { 0 };
        self.charge(n_bytes.saturating_mul(self.prices.copy_byte))?;
        let cell = &mut self.cells[at];
        self.journal.push(Undo {
            cell: at,
            kind: cell.kind,
            value: cell.value.as_deref().map(Bytes::from_slice),
            added: cell.added,
            accumulator: cell.accumulator,
            dirty: cell.dirty,
            journaled: cell.journaled,
        });
        cell.journaled = self.catching;
        Ok(())
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

    /// Ends a catching call that succeeded.
    pub(crate) fn release(&mut self, mark: &Mark) {
        self.catching = mark.outer;
        if self.catching == 0 {
            self.journal.clear();
            return;
        }
        let (outer, cells) = (self.catching, &mut self.cells);
        let mut kept = mark.journal;
        for at in mark.journal..self.journal.len() {
            let Undo { cell, journaled, .. } = self.journal[at];
            cells[cell].journaled = outer;
            if journaled != outer {
                self.journal.swap(kept, at);
                kept += 1;
            }
        }
        self.journal.truncate(kept);
    }

    /// Nothing catches any more: the transaction has failed, and only its fee is still to be paid, which journals nothing.
    pub(crate) fn end_marks(&mut self) {
        self.catching = 0;
        self.journal.clear();
    }

    /// Undoes what happened since the mark.
    pub(crate) fn undo(&mut self, mark: &Mark) {
        for undo in self.journal.drain(mark.journal..).rev() {
            let cell = &mut self.cells[undo.cell];
            cell.kind = undo.kind;
            cell.value = undo.value;
            cell.added = undo.added;
            cell.accumulator = undo.accumulator;
            cell.dirty = undo.dirty;
            cell.journaled = undo.journaled;
        }
        self.catching = mark.outer;
        self.events.truncate(mark.events);
        self.event_bytes = mark.event_bytes;
        self.appended.truncate(mark.appended);
        self.appended_bytes = mark.appended_bytes;
        self.stop = None;
        self.failed_in = None;
    }
}
