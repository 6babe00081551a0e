//! Solana's greedy scheduler: thread-aware account locks, in order of priority.

use std::collections::VecDeque;

use super::lanes::Lanes;
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
        let mut waiting: VecDeque<u32> = listed.into();
        let mut lanes = Lanes::new(block, n_workers);
        // The pass in which a sender's transaction was passed over: its later ones wait too.
        let mut passed_over = vec![0u32; block.n_txs()];
        let mut pass = 0;
        while !waiting.is_empty() {
            pass += 1;
            let n_before = lanes.n_assigned();
            let mut kept = Vec::new();
            while kept.len() < SCANNED_MAX && !lanes.is_full() {
                let Some(tx) = waiting.pop_front() else { break };
                let passed_over = &mut passed_over[block.sender(tx) as usize];
                if *passed_over == pass || !lanes.assign(tx) {
                    *passed_over = pass;
                    kept.push(tx);
                }
            }
            kept.into_iter().rev().for_each(|tx| waiting.push_front(tx));
            lanes.advance_to_pass(lanes.n_assigned() > n_before);
        }
        lanes.into_plan(&tail)
    }
}
