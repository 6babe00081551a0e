//! A version of each key for each write: only readers wait, and only for what they read.

use super::plan::{Form, plan_of, split};
use super::{Block, Dag, Mode, Plan, Scheduler};

/// Keeps the given order, and lets a transaction wait only for the writers of what it reads.
///
/// A declared write may not happen, because the transaction fails or decides otherwise: its version
/// then forwards to the one before. Additions fold when somebody reads them, or at the end.
///
/// Source: J. Faleiro and D. Abadi, "Rethinking serializable multiversion concurrency control"
/// (BOHM), VLDB 2015.
#[derive(Clone, Copy, Debug)]
pub struct Versions;

impl Scheduler for Versions {
    fn name(&self) -> &'static str {
        "versions"
    }

    fn mode(&self) -> Mode {
        Mode::Preserve
    }

    fn plan(&self, block: &Block<'_>, _: usize) -> Plan {
        let (body, tail) = split(block, Mode::Preserve);
        let dag = Dag::reads_after_writes(block, &body);
        plan_of(body, &tail, Form::Versions(dag))
    }
}
