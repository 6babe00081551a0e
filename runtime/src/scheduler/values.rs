//! Verification against published values: nobody waits.

use super::plan::{Form, plan_of, split};
use super::{Block, Mode, Plan, Scheduler};

/// For a block that carries what each transaction wrote: every transaction runs at once on the values
/// that the block states, and what it writes must be what the block says.
///
/// Source: EIP-7928, "Block-level access lists".
#[derive(Clone, Copy, Debug)]
pub struct Values;

impl Scheduler for Values {
    fn name(&self) -> &'static str {
        "values"
    }

    fn mode(&self) -> Mode {
        Mode::Preserve
    }

    fn plan(&self, block: &Block<'_>, _: usize) -> Plan {
        let (body, tail) = split(block, Mode::Preserve);
        plan_of(body, &tail, Form::Values)
    }
}
