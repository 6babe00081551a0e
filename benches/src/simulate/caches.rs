//! Values that move between the caches of workers.

use kempe_abi::AccessKind;
use kempe_runtime::scheduler::{Form, Plan};

use super::{Machine, Overheads};

/// In whose caches a value is; in nobody's before it was touched.
#[derive(Clone, Copy, Default)]
pub(super) struct Holders {
    /// A bit for each worker, worker 64 the first bit again.
    workers: u64,
    /// Whether any of them wrote it. What all have only read each had from memory.
    is_written: bool,
    /// Optimistically, whether somebody has left something, or is expected to.
    is_left: bool,
}

/// What workers take from each other by the form of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Moves {
    /// Nothing: what one leaves no other one looks at while the block runs.
    Nothing,
    /// What is read and written. What is added stands by itself, a version for each addition.
    Written,
    /// All, but what several of a batch add to, with what these write: one worker applies it when the batch ends.
    Settled,
    /// All.
    All,
}

impl Moves {
    pub(super) fn of(plan: &Plan) -> Self {
        match plan.form() {
            Form::Values => Self::Nothing,
            Form::Versions(_) | Form::Rounds { .. } => Self::Written,
            Form::Batches(_) => Self::Settled,
            _ => Self::All,
        }
    }
}

/// The lines of a lock and of what it guards in the runtime, beside those of a value.
const LINES_OF_LEFT: u64 = 2;

impl Machine<'_> {
    /// What a worker waits for the values of a transaction that others have; from then on it has them.
    pub(super) fn fetch(&mut self, tx: u32, worker: usize) -> u64 {
        if self.holders.is_empty() || self.moves == Moves::Nothing {
            return 0;
        }
        if self.looks_at_all {
            return self.fetch_looking(tx, worker);
        }
        let is_settled = self.moves == Moves::Settled && self.is_together(tx);
        let mut n_remote = 0;
        for (at, access) in self.block.accesses().of(tx).iter().enumerate() {
            let changes = self.changes(tx, at);
            let is_elsewhere = self.moves == Moves::Written || is_settled || !changes;
            if access.kind == AccessKind::Add && is_elsewhere {
                continue;
            }
            if self.holders[access.slot as usize].pass_to(worker, changes && !is_settled) {
                n_remote += (self.model.n_lines)(access.slot);
            }
        }
        self.overheads.remote.saturating_mul(n_remote)
    }

    /// The same optimistically: where somebody has left something, whoever looks at it locks it, so that the next one has to fetch it as what was
    /// written; and what is left there is put among the rest.
    fn fetch_looking(&mut self, tx: u32, worker: usize) -> u64 {
        let (mut n_remote, mut n_behind) = (0, 0);
        for (at, access) in self.block.accesses().of(tx).iter().enumerate() {
            let changes = self.changes(tx, at);
            let looks = changes || access.kind != AccessKind::Add;
            let holders = &mut self.holders[access.slot as usize];
            let was_left = holders.is_left;
            holders.is_left |= changes;
            if !looks || !holders.is_left {
                continue;
            }
            n_behind += u64::from(was_left && changes);
            if holders.pass_to(worker, true) {
                n_remote += LINES_OF_LEFT + (self.model.n_lines)(access.slot);
            }
        }
        let Overheads { remote, ordered, .. } = self.overheads;
        remote.saturating_mul(n_remote).saturating_add(ordered.saturating_mul(n_behind))
    }

    /// With hints somebody is expected wherever a list permits a change.
    pub(super) fn expect_changes(&mut self) {
        let changed = self.block.accesses().rows().flatten();
        for access in changed.filter(|access| access.kind != AccessKind::Read) {
            if let Some(holders) = self.holders.get_mut(access.slot as usize) {
                holders.is_left = true;
            }
        }
    }

    /// Lets a worker have what it applied of transactions that were added together, which is part of what settling takes.
    pub(super) fn settle_on(&mut self, worker: usize, txs: &[u32]) {
        if self.holders.is_empty() || self.moves != Moves::Settled {
            return;
        }
        for &tx in txs {
            if !self.is_together(tx) {
                continue;
            }
            for (at, access) in self.block.accesses().of(tx).iter().enumerate() {
                if self.changes(tx, at) {
                    self.holders[access.slot as usize].pass_to(worker, true);
                }
            }
        }
    }
}

impl Holders {
    /// Whether a worker has to get the value from another one. It has it then, and is alone with it if it changes it.
    fn pass_to(&mut self, worker: usize, changes: bool) -> bool {
        let own = 1u64 << (worker % 64);
        let (others, has) = (self.workers & !own, self.workers & own != 0);
        let is_remote = others != 0 && (changes || self.is_written && !has);
        self.workers = if changes { own } else { self.workers | own };
        self.is_written |= changes;
        is_remote
    }
}
