//! Solana's greedy scheduler: thread-aware account locks, in order of priority.

use super::lanes::{Lanes, Waiting};
use super::plan::split;
use super::{Block, Mode, Plan, Scheduler};

/// Hands transactions to workers in index order, each to a worker that holds its keys or to the one
/// with the least work, and passes over those whose keys two workers hold.
///
/// It plans with a model of the workers: a transaction takes as long as its cost says. At most 64
/// workers are used.
///
/// Source: agave, `core/src/banking_stage/transaction_scheduler/greedy_scheduler.rs`.
#[derive(Clone, Copy, Debug)]
pub struct Greedy;

/// How many waiting transactions one pass looks at. It keeps a crafted block linear; ours to choose.
const SCANNED_MAX: usize = 256;

impl Scheduler for Greedy {
    fn name(&self) -> &'static str {
        "greedy"
    }

    fn mode(&self) -> Mode {
        Mode::Free
    }

    fn plan(&self, block: &Block<'_>, n_workers: usize) -> Plan {
        let (listed, tail) = split(block, Mode::Free);
        let n_listed = listed.len();
        let mut listed = listed.into_iter().map(Waiting::new);
        // Those of them that were passed over, in index order.
        let mut waiting: Vec<Waiting> = Vec::new();
        let mut lanes = Lanes::new(block, n_workers);
        // The pass in which a sender's transaction was passed over: its later ones wait too.
        let mut passed_over = vec![0u32; block.n_txs()];
        let mut pass = 0;
        while lanes.n_assigned() < n_listed {
            pass += 1;
            lanes.begin_pass();
            let n_before = lanes.n_assigned();
            let mut passes_over = |tx: &mut Waiting, lanes: &mut Lanes<'_>| {
                let passed_over = &mut passed_over[block.sender(tx.tx) as usize];
                if *passed_over == pass {
                    lanes.pass_over(tx);
                    return true;
                }
                let is_passed_over = !lanes.is_due(tx) || !lanes.assign(tx);
                if is_passed_over {
                    *passed_over = pass;
                }
                is_passed_over
            };
            waiting.retain_mut(|tx| {
                if lanes.is_full() {
                    lanes.pass_over(tx);
                    return true;
                }
                passes_over(tx, &mut lanes)
            });
            while waiting.len() < SCANNED_MAX && !lanes.is_full() {
                let Some(mut tx) = listed.next() else { break };
                if passes_over(&mut tx, &mut lanes) {
                    waiting.push(tx);
                }
            }
            lanes.advance_to_pass(lanes.n_assigned() > n_before);
        }
        lanes.into_plan(&tail)
    }
}
