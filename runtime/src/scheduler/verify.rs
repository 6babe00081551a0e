//! Whether a schedule fits a block.

use kempe_abi::AccessKind::{self, Add, Read, Write};

use super::{Block, Mode, Schedule};

/// Why a schedule does not fit a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// It names a transaction that the block does not have.
    #[error("the block has no tx={tx}: n_txs={n_txs}")]
    OutOfRange {
        /// The transaction.
        tx: u32,
        /// How many the block has.
        n_txs: usize,
    },
    /// It names a transaction twice.
    #[error("tx={tx} is scheduled twice")]
    Duplicate {
        /// The transaction.
        tx: u32,
    },
    /// It leaves a transaction out.
    #[error("tx={tx} is not scheduled")]
    Missing {
        /// The transaction.
        tx: u32,
    },
    /// A transaction whose access list is not known is in a batch.
    #[error("tx={tx} has no access list and is in batch={batch} instead of the tail")]
    Unlisted {
        /// The transaction.
        tx: u32,
        /// The batch.
        batch: usize,
    },
    /// Two transactions of one batch conflict.
    #[error("tx={first} and tx={second} conflict on slot={slot} in batch={batch}")]
    Conflict {
        /// The batch.
        batch: usize,
        /// One of the two.
        first: u32,
        /// The other.
        second: u32,
        /// A key that they conflict on.
        slot: u32,
    },
    /// A sender's transactions are not in the order in which the block lists them.
    #[error("tx={earlier} of sender={sender} comes after its tx={later}")]
    Sender {
        /// The one that should come first.
        earlier: u32,
        /// The one that does.
        later: u32,
        /// The sender's number.
        sender: u32,
    },
    /// Two transactions that conflict are not in the given order, which was to be preserved.
    #[error("tx={earlier} comes after tx={later}, and they conflict on slot={slot:?}")]
    Order {
        /// The one that should come first.
        earlier: u32,
        /// The one that does.
        later: u32,
        /// A key that they conflict on; `None` if `earlier` or `later` has no access list and so
        /// conflicts with everything.
        slot: Option<u32>,
    },
}

impl ScheduleError {
    /// The key that it is about, if it is about one.
    #[must_use]
    pub const fn slot(&self) -> Option<u32> {
        match self {
            Self::Conflict { slot, .. } => Some(*slot),
            Self::Order { slot, .. } => *slot,
            _ => None,
        }
    }
}

/// Checks that a schedule fits a block: it names each transaction once, no batch holds a conflict,
/// senders' transactions stay in order, and in [`Mode::Preserve`] so does every conflict.
///
/// One pass over the accesses. The schedule may come from anyone. It may put more than the unlisted
/// transactions into the tail: that is where an executor retries what left its list.
///
/// # Errors
/// [`ScheduleError`], the first fault in that order.
pub fn verify(schedule: &Schedule, block: &Block<'_>, mode: Mode) -> Result<(), ScheduleError> {
    check_each_once(schedule.order(), block)?;
    check_batches(schedule, block)?;
    check_published(schedule.order(), block, mode)
}

/// The checks of a published order that names each transaction once.
pub(super) fn check_published(
    order: &[u32],
    block: &Block<'_>,
    mode: Mode,
) -> Result<(), ScheduleError> {
    check_senders(order, block)?;
    match mode {
        Mode::Free => Ok(()),
        Mode::Preserve => check_order(order, block),
    }
}

pub(super) fn check_each_once(order: &[u32], block: &Block<'_>) -> Result<(), ScheduleError> {
    let n_txs = block.n_txs();
    let mut is_scheduled = vec![false; n_txs];
    for &tx in order {
        match is_scheduled.get_mut(tx as usize) {
            None => return Err(ScheduleError::OutOfRange { tx, n_txs }),
            Some(true) => return Err(ScheduleError::Duplicate { tx }),
            Some(is_scheduled) => *is_scheduled = true,
        }
    }
    match block.txs().find(|&tx| !is_scheduled[tx as usize]) {
        Some(tx) => Err(ScheduleError::Missing { tx }),
        None => Ok(()),
    }
}

/// The last batch that touched a slot, who did first, and how. Inside one batch all accesses to a
/// slot have one kind, or there would have been a conflict.
#[derive(Clone, Copy)]
struct LastTouch {
    batch: usize,
    tx: u32,
    kind: AccessKind,
}

fn check_batches(schedule: &Schedule, block: &Block<'_>) -> Result<(), ScheduleError> {
    let never = LastTouch { batch: usize::MAX, tx: 0, kind: Read };
    let mut slots = vec![never; block.accesses().n_slots()];
    for (batch, txs) in schedule.batches().enumerate() {
        for &tx in txs {
            if block.is_unlisted(tx) {
                return Err(ScheduleError::Unlisted { tx, batch });
            }
            for access in block.accesses().of(tx) {
                let last = &mut slots[access.slot as usize];
                if last.batch != batch {
                    *last = LastTouch { batch, tx, kind: access.kind };
                } else if last.kind.conflicts(access.kind) {
                    let (first, slot) = (last.tx, access.slot);
                    return Err(ScheduleError::Conflict { batch, first, second: tx, slot });
                }
            }
        }
    }
    Ok(())
}

fn check_senders(order: &[u32], block: &Block<'_>) -> Result<(), ScheduleError> {
    // One more than the last transaction of each sender.
    let mut last = vec![0; block.n_txs()];
    for &tx in order {
        let sender = block.sender(tx);
        let last = &mut last[sender as usize];
        if *last > tx {
            return Err(ScheduleError::Sender { earlier: tx, later: *last - 1, sender });
        }
        *last = tx + 1;
    }
    Ok(())
}

/// For each kind, one more than the highest transaction so far that touched a slot that way.
#[derive(Clone, Copy, Default)]
struct Highest([u32; 3]);

impl Highest {
    fn in_conflict_with(self, kind: AccessKind) -> u32 {
        let Self([read, add, write]) = self;
        write.max(match kind {
            Read => add,
            Add => read,
            Write => read.max(add),
        })
    }
}

fn check_order(order: &[u32], block: &Block<'_>) -> Result<(), ScheduleError> {
    let mut slots = vec![Highest::default(); block.accesses().n_slots()];
    // One more than the highest transaction so far, and than the highest unlisted one.
    let (mut highest, mut highest_unlisted) = (0, 0);
    for &tx in order {
        let before = if block.is_unlisted(tx) { highest } else { highest_unlisted };
        if before > tx {
            return Err(ScheduleError::Order { earlier: tx, later: before - 1, slot: None });
        }
        highest = highest.max(tx + 1);
        if block.is_unlisted(tx) {
            highest_unlisted = highest_unlisted.max(tx + 1);
            continue;
        }
        for access in block.accesses().of(tx) {
            let Highest(kinds) = &mut slots[access.slot as usize];
            let before = Highest(*kinds).in_conflict_with(access.kind);
            if before > tx {
                let slot = Some(access.slot);
                return Err(ScheduleError::Order { earlier: tx, later: before - 1, slot });
            }
            let same = &mut kinds[access.kind as usize];
            *same = (*same).max(tx + 1);
        }
    }
    Ok(())
}
