//! Aria: all transactions at once on one snapshot, then those again that could not count.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use kempe_abi::AccessKind::{Add, Read, Write};

use super::plan::{Form, plan_of, split};
use super::{Block, Dag, Mode, Plan, Scheduler};

/// Runs every transaction on the state before the block. One counts if no earlier one writes what it
/// writes, and if not both an earlier one writes what it reads and another reads what it writes; it
/// then stands before the writers of what it read. The others run once more after all that count, in
/// index order by their dependency graph (the fallback of the paper).
///
/// A sender's second transaction writes the sender's nonce after the first, and so does not count.
///
/// Source: Y. Lu et al., "Aria: a fast and practical deterministic OLTP database", VLDB 2020.
#[derive(Clone, Copy, Debug)]
pub struct Aria;

impl Scheduler for Aria {
    fn name(&self) -> &'static str {
        "aria"
    }

    fn mode(&self) -> Mode {
        Mode::Free
    }

    fn plan(&self, block: &Block<'_>, _: usize) -> Plan {
        let (listed, tail) = split(block, Mode::Free);
        let (counted, again) = divide(block, &listed);
        let mut body = readers_first(block, &counted);
        let dag = Dag::conflicts(block, &again);
        body.extend_from_slice(&again);
        plan_of(body, &tail, Form::Rounds { again, dag })
    }
}

/// The first transactions that touched a slot, by what matters.
#[derive(Clone, Copy)]
struct First {
    /// The first that reads the slot, a write not being taken as a read here.
    read: u32,
    /// The first that adds.
    add: u32,
    /// The first that writes.
    write: u32,
}

const NEVER: u32 = u32::MAX;

/// Which transactions count in the first round, and which do not; both in index order.
fn divide(block: &Block<'_>, listed: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let accesses = block.accesses();
    let mut firsts = vec![First { read: NEVER, add: NEVER, write: NEVER }; accesses.n_slots()];
    for &tx in listed {
        for (at, access) in accesses.of(tx).iter().enumerate() {
            let first = &mut firsts[access.slot as usize];
            if access.kind == Read || access.kind == Write && !block.is_blind(tx, at) {
                first.read = first.read.min(tx);
            }
            match access.kind {
                Read => {}
                Add => first.add = first.add.min(tx),
                Write => first.write = first.write.min(tx),
            }
        }
    }
    let mut has_sent = vec![false; block.n_txs()];
    listed.iter().partition(|&&tx| {
        let (mut reads_late, mut writes_late) = (false, false);
        let mut doubled = std::mem::replace(&mut has_sent[block.sender(tx) as usize], true);
        for (at, access) in accesses.of(tx).iter().enumerate() {
            let first = firsts[access.slot as usize];
            let reads = access.kind == Read || access.kind == Write && !block.is_blind(tx, at);
            reads_late |= reads && first.write.min(first.add) < tx;
            match access.kind {
                Read => {}
                Add => {
                    doubled |= first.write < tx;
                    writes_late |= first.read < tx;
                }
                Write => {
                    doubled |= first.write.min(first.add) < tx;
                    writes_late |= first.read < tx;
                }
            }
        }
        !(doubled || reads_late && writes_late)
    })
}

/// Orders transactions that all saw the same state: who reads a slot stands before who writes it or
/// adds to it; otherwise by index. The paper proves that there is such an order.
fn readers_first(block: &Block<'_>, counted: &[u32]) -> Vec<u32> {
    let accesses = block.accesses();
    let mut readers = vec![Vec::new(); accesses.n_slots()];
    for &tx in counted {
        let reads = accesses.of(tx).iter().filter(|access| access.kind == Read);
        reads.for_each(|access| readers[access.slot as usize].push(tx));
    }
    // A join for each slot with readers that somebody changes: n readers and m adders, n + m edges.
    let mut n_before = vec![0u32; block.n_txs() + accesses.n_slots()];
    let mut after: Vec<Vec<u32>> = vec![Vec::new(); n_before.len()];
    let join = |slot: u32| block.txs().end + slot;
    let mut edge = |from: u32, to: u32| {
        after[from as usize].push(to);
        n_before[to as usize] += 1;
    };
    for (slot, readers) in (0..).zip(&readers) {
        readers.iter().for_each(|&reader| edge(reader, join(slot)));
    }
    for &tx in counted {
        let row = accesses.of(tx).iter().filter(|access| access.kind != Read);
        row.for_each(|access| edge(join(access.slot), tx));
    }
    let free = |node: u32, n_before: &[u32]| n_before[node as usize] == 0;
    let mut ready: BinaryHeap<Reverse<u32>> =
        counted.iter().filter(|&&tx| free(tx, &n_before)).map(|&tx| Reverse(tx)).collect();
    let n_slots = u32::try_from(accesses.n_slots()).expect("slots are numbered in 32 bits");
    // Joins for which nobody is waited any more. They come at once, so that nobody waits for them behind a later transaction.
    let mut joins: Vec<u32> =
        (0..n_slots).map(join).filter(|&node| free(node, &n_before)).collect();
    let mut order = Vec::with_capacity(counted.len());
    while let Some(node) = joins.pop().or_else(|| ready.pop().map(|Reverse(tx)| tx)) {
        let is_tx = node < block.txs().end;
        if is_tx {
            order.push(node);
        }
        for &next in &after[node as usize] {
            n_before[next as usize] -= 1;
            if free(next, &n_before) && is_tx {
                joins.push(next);
            } else if free(next, &n_before) {
                ready.push(Reverse(next));
            }
        }
    }
    order
}
