//! Runs a block as the form of its plan says.

use super::graph::InPlace;
use super::plan::{Unbarred, Way};
use super::slots::Slots;
use super::versions::Versions;
use super::{BlockRun, ExecutorError};
use crate::scheduler::{Form, adds_together};

impl BlockRun<'_> {
    /// Runs all but the tail, without batches if the plan needs none. `None` if the block must run by its
    /// batches instead, on values that are loaded again: where additions do not fit, the order of those
    /// that commute could show.
    pub(super) fn run_as_planned(mut self) -> Result<Option<Self>, ExecutorError> {
        let unbarred = match self.plan.way() {
            Way::Batches => {
                self.run_batches()?;
                return Ok(Some(self));
            }
            Way::Unbarred(unbarred) => unbarred,
            Way::Values(values) => {
                let start = self.slots.take_start();
                self.slots = match values.get() {
                    Some(values) => self.run_values(start, values)?,
                    None => {
                        let (slots, recorded) = self.record_values(start)?;
                        values.get_or_init(|| recorded);
                        slots
                    }
                };
                return Ok(Some(self));
            }
        };
        let is_alone = self.executor.n_threads() == 1 || unbarred.is_chain();
        if is_alone || matches!(unbarred.form(), Form::Graph(_)) {
            // The order of a graph may be another than the published one where additions commute.
            self.adds_together = adds_together(&self.plan.interned().block(), [unbarred.body()]);
        }
        if is_alone {
            let goes_on = self.run_in_order(unbarred.body(), &InPlace::new(&self))?;
            return Ok(goes_on.then_some(self));
        }
        if let Form::Graph(dag) = unbarred.form() {
            let goes_on = self.run_graph(unbarred.body(), dag, &InPlace::new(&self))?;
            return Ok(goes_on.then_some(self));
        }
        let Some(slots) = self.run_versions(unbarred)? else { return Ok(None) };
        self.slots = slots;
        Ok(Some(self))
    }

    /// Runs a block whose keys have several values at a time.
    fn run_versions(&mut self, unbarred: &Unbarred) -> Result<Option<Slots>, ExecutorError> {
        let body = unbarred.body();
        if let Form::Optimistic { hints } = unbarred.form() {
            let start = self.slots.take_start();
            return Ok(self.run_optimistic(body, start, hints.is_some())?);
        }
        #[expect(unsafe_code, reason = "see `Disjoint`")]
        // SAFETY: both are of the block's plan, which was verified.
        let versions = unsafe { Versions::new(self, unbarred.layout()) };
        let goes_on = match unbarred.form() {
            Form::Versions(dag) => self.run_graph(body, dag, &versions)?,
            Form::Rounds { again, dag } => self.run_rounds(&versions, body, again, dag)?,
            _ => unreachable!("the other forms have one value for each key"),
        };
        let table = versions.into_table();
        let start = self.slots.take_start();
        Ok(if goes_on { table.finish(start) } else { None })
    }
}
