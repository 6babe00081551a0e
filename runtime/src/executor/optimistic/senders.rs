//! Who sent what, the only thing that is known of transactions before they run.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The senders of a block's transactions, which are known by their places, and whether what they send follows from what they sent before.
///
/// Before it has run, a transaction waits for its sender's last one, until one has been seen to read nothing of what that left. So a sender's chain
/// runs once, and where what one sends has nothing to do with each other, all behind the second goes on when that has ended; for good, so that
/// who alternates does not make others wait and go on over and over.
///
/// Source: that one sender's transactions conflict is why Aptos spreads them over a block, AIP-27 (sender-aware transaction shuffling).
#[derive(Debug)]
pub(super) struct Senders {
    /// By place.
    rows: Vec<Row>,
    /// By sender.
    are_apart: Vec<AtomicBool>,
}

#[derive(Debug)]
struct Row {
    sender: u32,
    /// The place of its last transaction before, or [`NOBODY`].
    before: u32,
    /// The place of its next one, or [`NOBODY`].
    after: u32,
}

const NOBODY: u32 = u32::MAX;

impl Senders {
    /// Of transactions in their order, whose senders are numbered from 0 by a block.
    pub(super) fn of(senders: impl Iterator<Item = u32>) -> Self {
        let mut last: Vec<u32> = Vec::new();
        let mut rows: Vec<Row> = Vec::with_capacity(senders.size_hint().0);
        for (place, sender) in (0..).zip(senders) {
            let at = sender as usize;
            if last.len() <= at {
                last.resize(at + 1, NOBODY);
            }
            let before = std::mem::replace(&mut last[at], place);
            if let Some(before) = rows.get_mut(before as usize) {
                before.after = place;
            }
            rows.push(Row { sender, before, after: NOBODY });
        }
        Self { rows, are_apart: last.iter().map(|_| AtomicBool::new(false)).collect() }
    }

    /// The place of the same sender's last transaction before, if there is one.
    pub(super) fn before(&self, place: u32) -> Option<u32> {
        let before = self.rows[place as usize].before;
        (before != NOBODY).then_some(before)
    }

    /// The place of the same sender's next transaction, if there is one.
    pub(super) fn after(&self, place: u32) -> Option<u32> {
        let after = self.rows[place as usize].after;
        (after != NOBODY).then_some(after)
    }

    /// Whether a transaction is taken to read what its sender's last one left.
    pub(super) fn follow(&self, place: u32) -> bool {
        !self.are_apart(place).load(Relaxed)
    }

    /// Learns that one did not.
    pub(super) fn set_apart(&self, place: u32) {
        self.are_apart(place).store(true, Relaxed);
    }

    fn are_apart(&self, place: u32) -> &AtomicBool {
        &self.are_apart[self.rows[place as usize].sender as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_s_transactions_follow_until_one_does_not() {
        let senders = Senders::of([1, 0, 1, 1, 0].into_iter());
        let before = [0, 1, 2, 3, 4].map(|place| senders.before(place));
        assert_eq!(before, [None, None, Some(0), Some(2), Some(1)]);
        let after = [0, 1, 2, 3, 4].map(|place| senders.after(place));
        assert_eq!(after, [Some(2), Some(4), Some(3), None, None]);
        assert!(senders.follow(2) && senders.follow(4));
        senders.set_apart(2);
        assert!(!senders.follow(3) && senders.follow(4), "of this sender only");
    }
}
