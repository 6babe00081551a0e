//! Block-STM without hints.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use kempe_abi::AccessKind::{self, Write};

use super::{Machine, Span};

/// What the multi-version memory holds of a transaction's writes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Nothing,
    /// It ran, and will run again: its writes are estimates.
    Estimate,
    /// What this execution wrote, counted from 1.
    Value(u32),
}

/// What a read saw: the last write before it and each addition since, mixed into one number.
type Seen = u64;

struct Memory<'a> {
    machine: &'a Machine<'a>,
    /// The transactions that write or add to each slot, ascending; not those that only declared it.
    writers: Vec<Vec<(u32, AccessKind)>>,
    /// The transactions that read each slot, ascending.
    readers: Vec<Vec<u32>>,
    written: Vec<Written>,
    n_runs: Vec<u32>,
    /// What the last execution of each transaction saw, by its reads.
    seen: Vec<Vec<Seen>>,
    /// How many of its reads each transaction has tried, the first ones: what it reads then is known.
    n_tried: Vec<usize>,
    is_done: Vec<bool>,
}

impl<'a> Memory<'a> {
    fn new(machine: &'a Machine<'a>, txs: &[u32]) -> Self {
        let block = machine.block;
        let n_slots = block.accesses().n_slots();
        let (mut writers, mut readers) = (vec![Vec::new(); n_slots], vec![Vec::new(); n_slots]);
        for &tx in txs {
            for (at, access) in block.accesses().of(tx).iter().enumerate() {
                if machine.changes(tx, at) {
                    writers[access.slot as usize].push((tx, access.kind));
                }
                if machine.reads(tx, at) {
                    readers[access.slot as usize].push(tx);
                }
            }
        }
        let n_txs = block.n_txs();
        Self {
            machine,
            writers,
            readers,
            written: vec![Written::Nothing; n_txs],
            n_runs: vec![0; n_txs],
            seen: vec![Vec::new(); n_txs],
            n_tried: vec![0; n_txs],
            is_done: vec![false; n_txs],
        }
    }

    /// When an execution makes its next read, or ends: reads are spread evenly from the start on, or all made
    /// at the start.
    fn next_step(&self, tx: u32, span: Span) -> u64 {
        let (made, all) = (self.seen[tx as usize].len(), self.reads(tx).count());
        let time = span.end - span.start;
        if self.machine.model.reads_at_start {
            return if made < all { span.start } else { span.end };
        }
        let passed = u128::from(time) * made as u128 / all.max(1) as u128;
        span.start + u64::try_from(passed).unwrap_or(time)
    }

    fn reads(&self, tx: u32) -> impl Iterator<Item = u32> {
        let block = self.machine.block;
        let row = block.accesses().of(tx).iter().enumerate();
        row.filter(move |(at, _)| self.machine.reads(tx, *at)).map(|(_, access)| access.slot)
    }

    /// What a read of a slot sees now. `Err` names the transaction whose estimate it meets.
    fn read(&self, tx: u32, slot: u32) -> Result<Seen, u32> {
        let writers = &self.writers[slot as usize];
        let below = writers.partition_point(|&(writer, _)| writer < tx);
        let mut seen = 0u64;
        for &(writer, kind) in writers[..below].iter().rev() {
            match self.written[writer as usize] {
                Written::Nothing => continue,
                Written::Estimate => return Err(writer),
                Written::Value(run) => seen = mixed(seen, writer, run),
            }
            if kind == Write {
                break;
            }
        }
        Ok(seen)
    }

    /// Whose estimate a transaction would meet by what it is known to read, if it ran again now.
    fn known_estimate(&self, tx: u32) -> Option<u32> {
        let mut known = self.reads(tx).take(self.n_tried[tx as usize]);
        known.find_map(|slot| self.read(tx, slot).err())
    }

    /// Makes the next read of a transaction that runs.
    fn read_next(&mut self, tx: u32) -> Step {
        let n_made = self.seen[tx as usize].len();
        let Some(slot) = self.reads(tx).nth(n_made) else {
            return Step::End;
        };
        self.n_tried[tx as usize] = self.n_tried[tx as usize].max(n_made + 1);
        match self.read(tx, slot) {
            Ok(seen) => {
                self.seen[tx as usize].push(seen);
                Step::Read
            }
            Err(writer) => Step::Meets(writer),
        }
    }

    /// Ends an execution: whether it stands, and who does not any more because of it.
    fn end(&mut self, tx: u32, undone: &mut Vec<u32>) -> bool {
        self.n_runs[tx as usize] += 1;
        let is_valid = self.is_valid(tx);
        self.is_done[tx as usize] = is_valid;
        let run = self.n_runs[tx as usize];
        self.written[tx as usize] = if is_valid { Written::Value(run) } else { Written::Estimate };
        self.undo_readers_of(tx, undone);
        is_valid
    }

    fn is_valid(&self, tx: u32) -> bool {
        let seen = &self.seen[tx as usize];
        self.reads(tx).zip(seen).all(|(slot, &seen)| self.read(tx, slot) == Ok(seen))
    }

    /// Undoes transactions that are done and saw what is not so any more, and whoever saw theirs.
    fn undo_readers_of(&mut self, tx: u32, undone: &mut Vec<u32>) {
        let mut changed = vec![tx];
        while let Some(tx) = changed.pop() {
            let block = self.machine.block;
            let row = block.accesses().of(tx).iter().enumerate();
            let here = row.filter(|&(at, _)| self.machine.changes(tx, at));
            for slot in here.map(|(_, access)| access.slot as usize) {
                let above = self.readers[slot].partition_point(|&reader| reader <= tx);
                for at in above..self.readers[slot].len() {
                    let reader = self.readers[slot][at];
                    if self.is_done[reader as usize] && !self.is_valid(reader) {
                        self.is_done[reader as usize] = false;
                        self.written[reader as usize] = Written::Estimate;
                        undone.push(reader);
                        changed.push(reader);
                    }
                }
            }
        }
    }
}

/// Source: the finalizer of MurmurHash3, which maps different inputs to different outputs.
fn mixed(seen: u64, writer: u32, run: u32) -> u64 {
    let mut mix = seen.rotate_left(17) ^ (u64::from(writer) << 32 | u64::from(run));
    mix = (mix ^ mix >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mix = (mix ^ mix >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mix ^ mix >> 33
}

/// Runs transactions in the order of `txs`, which ascends: each worker takes the lowest that is not
/// done, running or waiting. Who ran before waits without running again as long as what it read then is an estimate.
///
/// Additions commute: an adder reads nothing, and a reader depends on all of them since the last
/// write.
pub(super) fn run(machine: &mut Machine<'_>, txs: &[u32]) {
    let quiet = Machine::new(machine.block, machine.n_workers, machine.overheads, machine.model);
    let mut memory = Memory::new(&quiet, txs);
    let mut ready: BTreeSet<u32> = txs.iter().copied().collect();
    let mut waiting: Vec<Vec<u32>> = vec![Vec::new(); machine.block.n_txs()];
    let (mut idle, asleep) = machine.workers();
    let mut running: BinaryHeap<Reverse<(u64, Run)>> = BinaryHeap::new();
    let wakes = |&worker: &usize| Run { tx: NOBODY, worker, span: 0 };
    running.extend(asleep.iter().map(|at| Reverse((machine.begins(*at), wakes(at)))));
    loop {
        while let Some(&worker) = idle.last()
            && let Some(tx) = ready.pop_first()
        {
            if let Some(writer) = memory.known_estimate(tx) {
                waiting[writer as usize].push(tx);
                continue;
            }
            idle.pop();
            memory.seen[tx as usize].clear();
            let fetched = machine.fetch(tx, worker);
            let end = machine.now.saturating_add(machine.cost(tx)).saturating_add(fetched);
            running.push(Reverse((machine.now, Run { tx, worker, span: machine.spans.len() })));
            machine.span(tx, worker, machine.now, end);
        }
        let Some(Reverse((now, run))) = running.pop() else { break };
        let Run { tx, worker, span } = run;
        if tx == NOBODY {
            if running.is_empty() && ready.is_empty() {
                break;
            }
            machine.now = now;
            idle.push(worker);
            continue;
        }
        machine.now = now;
        match memory.read_next(tx) {
            Step::Read => {
                let next = memory.next_step(tx, machine.spans[span]).max(now);
                running.push(Reverse((next, run)));
            }
            Step::Meets(writer) => {
                idle.push(worker);
                let span = &mut machine.spans[span];
                (span.end, span.counted) = (now, false);
                if now == span.start {
                    // It found out before it did anything.
                    span.tx = NOBODY;
                }
                waiting[writer as usize].push(tx);
            }
            Step::End if now < machine.spans[span].end => {
                running.push(Reverse((machine.spans[span].end, run)));
            }
            Step::End => {
                idle.push(worker);
                let mut undone = Vec::new();
                if memory.end(tx, &mut undone) {
                    ready.extend(waiting[tx as usize].drain(..));
                } else {
                    machine.spans[span].counted = false;
                    ready.insert(tx);
                }
                for tx in undone {
                    let last = machine.spans.iter_mut().rev().find(|span| span.tx == tx);
                    last.expect("it ran").counted = false;
                    ready.insert(tx);
                }
            }
        }
    }
    machine.spans.retain(|span| span.tx != NOBODY);
}

/// The transaction of an execution that does not count as one, and of a worker that wakes up.
const NOBODY: u32 = u32::MAX;

/// An execution that goes on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    tx: u32,
    worker: usize,
    span: usize,
}

/// What an execution does next.
enum Step {
    Read,
    /// It met the estimate of this transaction.
    Meets(u32),
    End,
}
