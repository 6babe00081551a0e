//! The plan of a block, verified.

use std::sync::{Arc, OnceLock};

use super::Interned;
use super::values::{PostValues, PostValuesError};
use super::versions::Layout;
use crate::scheduler::{
    self, Form, Mode, PlanError, Schedule, ScheduleError, Scheduler, verify, verify_plan,
};

/// A block with a schedule that was verified: what the executor runs.
#[derive(Debug)]
pub struct Plan {
    interned: Interned,
    schedule: Schedule,
    way: Way,
}

/// How a block is run.
#[derive(Debug)]
pub(super) enum Way {
    /// By the batches of its schedule.
    Batches,
    /// As the form of a verified plan says.
    Unbarred(Box<Unbarred>),
    /// On published values, or to make them.
    Values(Arc<OnceLock<PostValues>>),
}

/// A verified plan of a form that is not batches.
#[derive(Debug)]
pub(super) struct Unbarred {
    plan: scheduler::Plan,
    /// Where versions are, for the forms that have some; empty for the others.
    layout: Layout,
    is_chain: bool,
}

impl Plan {
    /// Verifies a schedule, which may come from anyone. Costs about as much as scheduling.
    ///
    /// # Errors
    /// [`ScheduleError`], if the schedule does not fit the block.
    pub fn new(interned: Interned, schedule: Schedule, mode: Mode) -> Result<Self, ScheduleError> {
        verify(&schedule, &interned.block(), mode)?;
        Ok(Self { interned, schedule, way: Way::Batches })
    }

    /// Plans a block and verifies the plan, which runs as its form says. A block with dynamic calls runs
    /// by the batches that the plan publishes.
    ///
    /// # Errors
    /// [`PlanError`], if the plan does not fit the block.
    pub fn by(
        interned: Interned,
        scheduler: &dyn Scheduler,
        n_workers: usize,
    ) -> Result<Self, PlanError> {
        let plan = scheduler.plan(&interned.block(), n_workers);
        Self::of(interned, plan, scheduler.mode())
    }

    /// Plans a block and verifies the plan; it runs by the batches that the plan publishes, whatever its form.
    ///
    /// # Errors
    /// [`PlanError`], if the plan does not fit the block.
    pub fn batches(interned: Interned, scheduler: &dyn Scheduler) -> Result<Self, PlanError> {
        let (plan, mode) = (scheduler.plan(&interned.block(), 1), scheduler.mode());
        if !matches!(plan.form(), Form::Batches(_)) {
            // Batches are made from the order of any other form, which must be one.
            verify_plan(&plan, &interned.block(), mode)?;
        }
        let schedule = plan.into_schedule(&interned.block());
        Ok(Self::new(interned, schedule, mode)?)
    }

    /// The same plan for the same block, whose keys were numbered again.
    ///
    /// # Errors
    /// [`PlanError`], if it is another block.
    pub fn again(&self, interned: Interned) -> Result<Self, PlanError> {
        match &self.way {
            Way::Unbarred(unbarred) => Self::of(interned, unbarred.plan.clone(), Mode::Free),
            Way::Batches => Ok(Self::new(interned, self.schedule.clone(), Mode::Free)?),
            Way::Values(values) => {
                let n_accesses = interned.accesses().n_accesses();
                let is_same = values.get().is_none_or(|values| values.after.len() == n_accesses);
                let values = if is_same { Arc::clone(values) } else { Arc::default() };
                let plan = Self::new(interned, self.schedule.clone(), Mode::Free)?;
                Ok(Self { way: Way::Values(values), ..plan })
            }
        }
    }

    fn of(interned: Interned, plan: scheduler::Plan, mode: Mode) -> Result<Self, PlanError> {
        let block = interned.block();
        verify_plan(&plan, &block, mode)?;
        let schedule = plan.schedule(&block);
        // A dynamic transaction may leave its list and take its sender's later ones to the tail.
        let way = match plan.form() {
            _ if interned.lists().has_dynamic() => Way::Batches,
            Form::Batches(_) => Way::Batches,
            Form::Values => Way::Values(Arc::default()),
            form => {
                let is_chain = plan.is_chain(&block);
                let layout = match form {
                    Form::Versions(_) => Layout::new(block.accesses(), &schedule),
                    Form::Rounds { .. } => Layout::of_rounds(block.accesses(), &schedule),
                    _ => Layout::default(),
                };
                Way::Unbarred(Box::new(Unbarred { plan, layout, is_chain }))
            }
        };
        if !matches!(way, Way::Unbarred(_)) {
            verify(&schedule, &block, mode)?;
        }
        Ok(Self { interned, schedule, way })
    }

    /// The same block, to be run on what each transaction is said to have left, which is checked.
    ///
    /// # Errors
    /// [`PostValuesError`], if these cannot be values of the block.
    pub fn with_post_values(self, values: PostValues) -> Result<Self, PostValuesError> {
        let (found, expected) = (values.after.len(), self.interned.accesses().n_accesses());
        if self.interned.lists().has_dynamic() {
            return Err(PostValuesError::Dynamic);
        }
        if found != expected {
            return Err(PostValuesError::Length { found, expected });
        }
        Ok(Self { way: Way::Values(Arc::new(values.into())), ..self })
    }

    /// What each transaction left, if the plan runs on such values and ran before or was given them.
    #[must_use]
    pub fn post_values(&self) -> Option<&PostValues> {
        match &self.way {
            Way::Values(values) => values.get(),
            _ => None,
        }
    }

    /// Whether the block runs by the batches that are published, as any does that has dynamic calls.
    #[must_use]
    pub fn is_in_batches(&self) -> bool {
        matches!(self.way, Way::Batches)
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    /// The lists and their numbering.
    #[must_use]
    pub fn interned(&self) -> &Interned {
        &self.interned
    }

    /// The schedule.
    #[must_use]
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The schedule, to be published.
    #[must_use]
    pub fn into_schedule(self) -> Schedule {
        self.schedule
    }
}

impl Unbarred {
    /// The transactions that are not in the tail, in an order in which they could run one by one.
    pub(super) fn body(&self) -> &[u32] {
        self.plan.body()
    }

    pub(super) fn form(&self) -> &Form {
        self.plan.form()
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Whether there is nothing to gain from more than one thread.
    pub(super) fn is_chain(&self) -> bool {
        self.is_chain
    }
}
