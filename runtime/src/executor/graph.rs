//! Runs a block by a graph in which every conflict is an edge, on one value for each key.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use super::unbarred::Step;
use super::{BlockRun, Pending};
use crate::engine::Worker;
use crate::state::StoreError;
use crate::sync::lock;
use crate::types::Footprints;

/// Transactions that read and write the block's slots. Whoever runs them keeps all their conflicts in
/// order: by a verified graph of them, or one after the other.
pub(super) struct InPlace<'a> {
    run: &'a BlockRun<'a>,
    /// Held while additions are applied.
    additions: Mutex<()>,
    /// For each slot, whether something was added, whether something was taken away, and whether that was
    /// near a bound: a set of [`ADDED`], [`TAKEN`], [`NEAR_BOUND`].
    signs: Vec<AtomicU8>,
}

const ADDED: u8 = 1;
const TAKEN: u8 = 2;
const NEAR_BOUND: u8 = 4;

impl<'a> InPlace<'a> {
    pub(super) fn new(run: &'a BlockRun<'a>) -> Self {
        let n_slots = run.plan.interned().accesses().n_slots();
        let signs = (0..n_slots).map(|_| AtomicU8::new(0)).collect();
        Self { run, additions: Mutex::new(()), signs }
    }

    /// Applies the effects of a transaction that added to what others may add to meanwhile. False if the order could show.
    ///
    /// Of a stock, what is taken is there in any order, and so is the room for what is added if it never was
    /// above the middle: all that is added, on top of what was there first, is then what is there last and
    /// what was taken, which was there first.
    fn settle(&self, pending: &Pending) -> bool {
        let _held = lock(&self.additions);
        for effect in pending.effects.iter().filter(|effect| effect.is_sum()) {
            #[expect(unsafe_code, reason = "see `Disjoint`")]
            // SAFETY: whoever runs now changes a slot that others add to only with the lock held.
            let current = unsafe { self.run.slots.read(effect.slot) };
            let sign = if effect.added > 0 { ADDED } else { TAKEN };
            let near = if effect.is_near_bound(current.as_deref()) { NEAR_BOUND } else { 0 };
            let signs = &self.signs[effect.slot as usize];
            if signs.fetch_or(sign | near, Ordering::Relaxed) | sign | near
                == ADDED | TAKEN | NEAR_BOUND
            {
                return false;
            }
        }
        #[expect(unsafe_code, reason = "see `Disjoint`")]
        // SAFETY: whoever runs now and lists a slot that this adds to only adds to it too, which does
        // not read it, and applies its addition with the lock held; the other slots of these effects
        // are in no list of a transaction that runs now.
        let applied = unsafe { self.run.slots.try_apply_beside(&pending.effects) };
        applied.is_ok()
    }
}

impl Step for InPlace<'_> {
    fn run(
        &self,
        worker: &mut Worker,
        tx: u32,
        footprints: &mut Footprints,
    ) -> Result<bool, StoreError> {
        let pending = self.run.run_one(worker, tx, false)?;
        footprints.push(worker.footprint());
        Ok(pending.is_none_or(|pending| self.settle(&pending)))
    }

    fn fetch_ahead(&self, rest: &[u32]) {
        self.run.fetch_ahead(rest);
    }
}
