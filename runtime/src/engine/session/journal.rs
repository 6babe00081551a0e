//! What a caught call changed, to be undone if it fails.

use kempe_abi::AccessKind;

use super::Session;
use crate::engine::cell::{Accumulator, Delta};
use crate::types::Bytes;

/// A cell as it was.
pub(super) struct Undo {
    cell: usize,
    kind: AccessKind,
    value: Option<Bytes>,
    added: Delta,
    accumulator: Accumulator,
    dirty: bool,
}

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
    /// Keeps a cell as it is before its first change since the innermost mark. So the journal has at
    /// most one entry for each cell and catching call, and both are paid for.
    pub(super) fn journal(&mut self, at: usize) {
        let cell = &mut self.cells[at];
        if self.catching == cell.journaled {
            return;
        }
        cell.journaled = self.catching;
        if self.catching > 0 {
            self.journal.push(Undo {
                cell: at,
                kind: cell.kind,
                value: cell.value.as_deref().map(Bytes::from_slice),
                added: cell.added,
                accumulator: cell.accumulator,
                dirty: cell.dirty,
            });
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

    /// Ends a catching call that succeeded.
    pub(crate) fn release(&mut self, mark: &Mark) {
        self.catching = mark.outer;
        if self.catching == 0 {
            self.journal.clear();
        }
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
