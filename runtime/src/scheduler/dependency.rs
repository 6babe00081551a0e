//! Each transaction starts as soon as the conflicts before it are done.

use super::plan::{Form, plan_of, split};
use super::{Block, Dag, Mode, Plan, Scheduler};

/// The dependency graph of the given order, without barriers; the longest chain first.
///
/// Source: A. Thomson et al., "Calvin: fast distributed transactions for partitioned database
/// systems", SIGMOD 2012; Solana's unified scheduler does the same with account locks.
#[derive(Clone, Copy, Debug)]
pub struct Graph;

impl Scheduler for Graph {
    fn name(&self) -> &'static str {
        "graph"
    }

    fn mode(&self) -> Mode {
        Mode::Preserve
    }

    fn plan(&self, block: &Block<'_>, _: usize) -> Plan {
        let (body, tail) = split(block, Mode::Preserve);
        let dag = Dag::conflicts(block, &body);
        plan_of(body, &tail, Form::Graph(dag))
    }
}
