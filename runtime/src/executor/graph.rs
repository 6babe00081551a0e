//! Runs a block by a graph in which every conflict is an edge, on one value for each key.

use std::sync::Mutex;

use hashbrown::HashMap;

use super::effects::Totals;
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
    /// What those added in all, by slot, who added to what others may add to meanwhile. Held while additions are applied.
    totals: Mutex<HashMap<u32, Totals>>,
}

impl<'a> InPlace<'a> {
    pub(super) fn new(run: &'a BlockRun<'a>) -> Self {
        Self { run, totals: Mutex::default() }
    }

    /// Applies the effects of a transaction that added to what others may add to meanwhile. False if the order could show; the
    /// block then runs again.
    fn settle(&self, pending: &Pending) -> bool {
        let mut totals = lock(&self.totals);
        #[expect(unsafe_code, reason = "see `Disjoint`")]
        // SAFETY: whoever runs now and lists a slot that this adds to only adds to it too, which does
        // not read it, and applies its addition with the lock held; the other slots of these effects
        // are in no list of a transaction that runs now.
        let applied = unsafe { self.run.slots.try_apply_beside(&pending.effects) };
        applied.is_ok()
            && pending.effects.iter().filter(|effect| effect.is_sum()).all(|effect| {
                #[expect(unsafe_code, reason = "see `Disjoint`")]
                // SAFETY: whoever runs now changes a slot that others add to only with the lock held.
                let left = unsafe { self.run.slots.read(effect.slot) };
                let totals = totals.entry(effect.slot).or_default();
                totals.count(effect.added);
                effect.commutes(left.as_deref(), *totals)
            })
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
