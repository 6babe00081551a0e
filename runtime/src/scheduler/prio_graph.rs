//! Solana's priority graph: looks ahead, and keeps conflicts in order of priority.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::lanes::{Lanes, Waiting};
use super::plan::split;
use super::{Block, Dag, Mode, Plan, Scheduler};

/// Looks ahead over a window of transactions, takes the first that waits for none that is not yet
/// handed out, and hands it to a worker as [`Greedy`](super::Greedy) does.
///
/// Source: agave, `core/src/banking_stage/transaction_scheduler/prio_graph_scheduler.rs`; written from
/// the description of the algorithm.
#[derive(Clone, Copy, Debug)]
pub struct PrioGraph;

/// How many transactions the graph holds at most. Source: agave, `look_ahead_window_size`.
const WINDOW: usize = 2048;
/// How many waiting transactions one pass looks at. It keeps a crafted block linear; ours to choose.
const SCANNED_MAX: usize = 256;

impl Scheduler for PrioGraph {
    fn name(&self) -> &'static str {
        "prio-graph"
    }

    fn mode(&self) -> Mode {
        Mode::Preserve
    }

    fn plan(&self, block: &Block<'_>, n_workers: usize) -> Plan {
        let (listed, tail) = split(block, Mode::Preserve);
        let mut window = Window::new(block, &listed);
        let mut lanes = Lanes::new(block, n_workers);
        while lanes.n_assigned() < listed.len() {
            let n_before = lanes.n_assigned();
            window.pass(&mut lanes);
            lanes.advance_to_pass(lanes.n_assigned() > n_before);
        }
        lanes.into_plan(&tail)
    }
}

/// The part of the graph that is looked at.
struct Window<'a> {
    block: &'a Block<'a>,
    dag: Dag,
    /// How many predecessors of each node are not handed out.
    blocked: Vec<u32>,
    /// The transactions that nothing blocks, and that the window has reached.
    ready: BinaryHeap<Reverse<u32>>,
    /// Those of them that no lane could take when they were tried, in index order.
    tried: Vec<Waiting>,
    /// Room for the next of those, empty.
    spare: Vec<Waiting>,
    /// The first transaction that the window has not reached.
    end: u32,
    n_listed: u32,
    /// The last transaction of each sender that was handed out comes before its next.
    next_of_sender: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl<'a> Window<'a> {
    fn new(block: &'a Block<'a>, listed: &[u32]) -> Self {
        let dag = Dag::conflicts(block, listed);
        let mut blocked = dag.indegrees().to_vec();
        let mut last = vec![NONE; block.n_txs()];
        let mut next_of_sender = vec![NONE; block.n_txs()];
        for &tx in listed {
            let before = std::mem::replace(&mut last[block.sender(tx) as usize], tx);
            if before != NONE {
                next_of_sender[before as usize] = tx;
                blocked[tx as usize] += 1;
            }
        }
        let n_listed = u32::try_from(listed.len()).expect("a block has fewer than 2^32");
        let ready = BinaryHeap::new();
        Self {
            block,
            dag,
            blocked,
            ready,
            tried: Vec::new(),
            spare: Vec::new(),
            end: 0,
            n_listed,
            next_of_sender,
        }
    }

    fn pass(&mut self, lanes: &mut Lanes<'_>) {
        let mut assigned = Vec::new();
        let mut kept = std::mem::take(&mut self.spare);
        let before = std::mem::take(&mut self.tried);
        let mut tried = before.iter();
        lanes.begin_pass();
        self.reach(lanes.n_assigned());
        while kept.len() < SCANNED_MAX && !lanes.is_full() {
            // The first of those that were tried before and those that became ready since.
            let ready = self.ready.peek().map_or(NONE, |Reverse(tx)| *tx);
            let mut tx = match tried.as_slice().first() {
                Some(first) if first.tx < ready => {
                    tried.next();
                    if !lanes.is_due(first) {
                        kept.push(*first);
                        continue;
                    }
                    *first
                }
                _ if self.ready.pop().is_some() => Waiting::new(ready),
                _ if assigned.is_empty() => break,
                _ => {
                    // What was handed out holds its keys, so what it blocked may follow.
                    assigned.drain(..).for_each(|tx| self.unblock(tx));
                    self.reach(lanes.n_assigned());
                    continue;
                }
            };
            if lanes.assign(&mut tx) {
                assigned.push(tx.tx);
            } else {
                kept.push(tx);
            }
        }
        assigned.into_iter().for_each(|tx| self.unblock(tx));
        let n_looked_at = kept.len();
        kept.extend_from_slice(tried.as_slice());
        kept[n_looked_at..].iter_mut().for_each(|tx| lanes.pass_over(tx));
        if !kept.is_sorted_by_key(|tx| tx.tx) {
            kept.sort_unstable_by_key(|tx| tx.tx);
        }
        // More than a pass looks at are not gone through by it either.
        let more = kept.drain(SCANNED_MAX.min(kept.len())..);
        self.ready.extend(more.map(|tx| Reverse(tx.tx)));
        self.tried = kept;
        self.spare = before;
        self.spare.clear();
    }

    /// Moves the end of the window on.
    fn reach(&mut self, n_assigned: usize) {
        while self.end < self.n_listed && (self.end as usize) < n_assigned + WINDOW {
            if self.blocked[self.end as usize] == 0 {
                self.ready.push(Reverse(self.end));
            }
            self.end += 1;
        }
    }

    fn unblock(&mut self, tx: u32) {
        let mut nodes = vec![tx];
        let sent = self.next_of_sender[tx as usize];
        if sent != NONE {
            self.release(sent);
        }
        while let Some(node) = nodes.pop() {
            for at in 0..self.dag.successors(node).len() {
                let next = self.dag.successors(node)[at];
                if self.release(next) && next >= self.block.txs().end {
                    nodes.push(next);
                }
            }
        }
    }

    /// Whether nothing blocks the node any more.
    fn release(&mut self, node: u32) -> bool {
        let blocked = &mut self.blocked[node as usize];
        *blocked -= 1;
        let is_free = *blocked == 0;
        if is_free && node < self.end {
            self.ready.push(Reverse(node));
        }
        is_free
    }
}
