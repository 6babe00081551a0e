//! Optimistic execution in the given order.

use super::plan::{Form, plan_of, split};
use super::{Block, Dag, Mode, Plan, Scheduler};

/// Runs transactions before it is known what they touch, and again where they read too early.
///
/// Source: R. Gelashvili et al., "Block-STM: scaling blockchain execution by turning ordering curse
/// to a performance blessing", PPoPP 2023.
#[derive(Clone, Copy, Debug)]
pub struct BlockStm {
    with_hints: bool,
}

/// Block-STM as in the paper: nothing is known of a transaction before it ran but its sender, for whose last one it waits as long as
/// what that sender sends follows from each other.
pub const BLOCK_STM: BlockStm = BlockStm { with_hints: false };
/// Block-STM with the declared lists as estimates from the start.
pub const BLOCK_STM_HINTS: BlockStm = BlockStm { with_hints: true };

impl Scheduler for BlockStm {
    fn name(&self) -> &'static str {
        if self.with_hints { "block-stm-hints" } else { "block-stm" }
    }

    fn mode(&self) -> Mode {
        Mode::Preserve
    }

    fn plan(&self, block: &Block<'_>, _: usize) -> Plan {
        let (body, tail) = split(block, Mode::Preserve);
        let hints = self.with_hints.then(|| Dag::reads_after_writes(block, &body));
        plan_of(body, &tail, Form::Optimistic { hints })
    }
}
