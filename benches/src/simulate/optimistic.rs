//! Block-STM without hints.

mod ready;

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

use kempe_abi::AccessKind::{self, Write};

use super::{Machine, Span};
use ready::{Group, Ready, Waiting};

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

/// From how many additions on what they mix to is kept. Ours to choose.
const SUM_MIN: usize = 32;

struct Memory<'a> {
    machine: &'a Machine<'a>,
    /// By slot, how those change it who ran and changed it, not only declared that: what they left stands or is an estimate.
    writers: Vec<BTreeMap<u32, AccessKind>>,
    /// By slot, those of them who do not add: nobody behind one sees what is in front of it.
    overwriters: Vec<BTreeSet<u32>>,
    /// By slot, what was seen of it before some transactions, ascending, so that additions are not mixed anew for each who reads them.
    sums: Vec<RefCell<Vec<(u32, Seen)>>>,
    /// By slot, those who read it and are done.
    readers: Vec<BTreeSet<u32>>,
    /// By slot, the first who will ever change it.
    first_writers: Vec<u32>,
    written: Vec<Written>,
    n_runs: Vec<u32>,
    /// What the last execution of each transaction saw, by its reads.
    seen: Vec<Vec<Seen>>,
    /// How many of its reads each transaction has tried, the first ones: what it reads then is known.
    n_tried: Vec<usize>,
    is_done: Vec<bool>,
    /// By transaction, its sender's last one before, or [`NOBODY`].
    before: Vec<u32>,
    /// By transaction, its sender's next one, or [`NOBODY`].
    after: Vec<u32>,
    /// By sender, whether one of its transactions that ran for the first time read nothing of what the one before had left.
    are_apart: Vec<bool>,
}

impl<'a> Memory<'a> {
    fn new(machine: &'a Machine<'a>, txs: &[u32]) -> Self {
        let block = machine.block;
        let n_slots = block.accesses().n_slots();
        let mut first_writers = vec![u32::MAX; n_slots];
        for &tx in txs {
            for (at, access) in block.accesses().of(tx).iter().enumerate() {
                if machine.changes(tx, at) {
                    let first = &mut first_writers[access.slot as usize];
                    *first = tx.min(*first);
                }
            }
        }
        let n_txs = block.n_txs();
        let [mut before, mut after, mut last] = [(); 3].map(|()| vec![NOBODY; n_txs]);
        for &tx in txs {
            let last = std::mem::replace(&mut last[block.sender(tx) as usize], tx);
            before[tx as usize] = last;
            if last != NOBODY {
                after[last as usize] = tx;
            }
        }
        Self {
            machine,
            writers: vec![BTreeMap::new(); n_slots],
            overwriters: vec![BTreeSet::new(); n_slots],
            sums: vec![RefCell::default(); n_slots],
            readers: vec![BTreeSet::new(); n_slots],
            first_writers,
            written: vec![Written::Nothing; n_txs],
            n_runs: vec![0; n_txs],
            seen: vec![Vec::new(); n_txs],
            n_tried: vec![0; n_txs],
            is_done: vec![false; n_txs],
            before,
            after,
            are_apart: vec![false; n_txs],
        }
    }

    /// Whom a transaction waits for that has not begun, not knowing what it will read: its sender's last one, as long as what that sender sent followed
    /// from what it sent before.
    fn follows(&self, tx: u32) -> Option<u32> {
        let before = self.before[tx as usize];
        let is_new = self.n_tried[tx as usize] == 0 && self.n_runs[tx as usize] == 0;
        let waits = is_new && before != NOBODY && !self.are_apart[self.sender(tx)];
        (waits && !self.is_done[before as usize]).then_some(before)
    }

    fn sender(&self, tx: u32) -> usize {
        self.machine.block.sender(tx) as usize
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
        let mut sums = self.sums[slot as usize].borrow_mut();
        let n_sums = sums.partition_point(|(before, _)| *before <= tx);
        let (mut first, mut seen) = sums[..n_sums].last().copied().unwrap_or_default();
        let mut n_looked = 0;
        for (&writer, &kind) in self.writers[slot as usize].range(first..tx).rev() {
            n_looked += 1;
            match self.written[writer as usize] {
                Written::Estimate => return Err(writer),
                Written::Value(_) if kind == Write => {
                    (first, seen) = (writer, 0);
                    break;
                }
                Written::Nothing | Written::Value(_) => {}
            }
        }
        for &writer in self.writers[slot as usize].range(first..tx).map(|(writer, _)| writer) {
            if let Written::Value(run) = self.written[writer as usize] {
                seen = mixed(seen, writer, run);
            }
        }
        if n_looked >= SUM_MIN {
            sums.insert(n_sums, (tx, seen));
        }
        Ok(seen)
    }

    /// Sets what a transaction left, of which nothing is known that was seen behind it.
    fn set_written(&mut self, tx: u32, written: Written) {
        self.written[tx as usize] = written;
        let machine = self.machine;
        for (at, access) in machine.block.accesses().of(tx).iter().enumerate() {
            if machine.changes(tx, at) {
                let sums = self.sums[access.slot as usize].get_mut();
                sums.truncate(sums.partition_point(|(before, _)| *before <= tx));
            }
        }
    }

    /// Whose estimate a transaction would meet by what it is known to read, and where, if it ran again now.
    fn known_estimate(&self, tx: u32) -> Option<(u32, u32)> {
        let mut known = self.reads(tx).take(self.n_tried[tx as usize]);
        known.find_map(|slot| self.read(tx, slot).err().map(|writer| (writer, slot)))
    }

    /// Whether a transaction cannot meet an estimate before it reads a slot.
    fn is_first_at(&self, tx: u32, slot: u32) -> bool {
        let mut before = self.reads(tx).take_while(|&read| read != slot);
        before.all(|read| self.first_writers[read as usize] >= tx)
    }

    /// The lowest transaction from this one on that has changed a slot. What stands in front of it is seen by nobody behind it alone.
    fn writer_from(&self, tx: u32, slot: u32) -> u32 {
        let mut from = self.writers[slot as usize].range(tx..);
        from.next().map_or(u32::MAX, |(&writer, _)| writer)
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
            Err(writer) => Step::Meets(writer, slot),
        }
    }

    /// Ends an execution: whether it stands, and who does not any more because of it.
    fn end(&mut self, tx: u32, undone: &mut Vec<u32>) -> bool {
        self.n_runs[tx as usize] += 1;
        let is_valid = self.is_valid(tx);
        let run = self.n_runs[tx as usize];
        if run == 1 {
            self.leave(tx);
            self.learn(tx);
        }
        self.set_written(tx, if is_valid { Written::Value(run) } else { Written::Estimate });
        if is_valid {
            self.set_done(tx, true);
        }
        self.undo_readers_of(tx, undone);
        is_valid
    }

    /// Whether a transaction that ran for the first time read something that its sender's last one left.
    fn learn(&mut self, tx: u32) {
        let before = self.before[tx as usize];
        if before != NOBODY {
            let reads_of = |slot: u32| self.writers[slot as usize].contains_key(&before);
            let (sender, is_apart) = (self.sender(tx), !self.reads(tx).any(reads_of));
            self.are_apart[sender] |= is_apart;
        }
    }

    /// From now on others find something of it.
    fn leave(&mut self, tx: u32) {
        let machine = self.machine;
        for (at, access) in machine.block.accesses().of(tx).iter().enumerate() {
            if machine.changes(tx, at) {
                self.writers[access.slot as usize].insert(tx, access.kind);
                if access.kind == Write {
                    self.overwriters[access.slot as usize].insert(tx);
                }
            }
        }
    }

    fn set_done(&mut self, tx: u32, is_done: bool) {
        self.is_done[tx as usize] = is_done;
        let read: Vec<u32> = self.reads(tx).collect();
        for slot in read {
            let readers = &mut self.readers[slot as usize];
            if is_done {
                readers.insert(tx);
            } else {
                readers.remove(&tx);
            }
        }
    }

    fn is_valid(&self, tx: u32) -> bool {
        let seen = &self.seen[tx as usize];
        self.reads(tx).zip(seen).all(|(slot, &seen)| self.read(tx, slot) == Ok(seen))
    }

    /// Undoes transactions that are done and saw what is not so any more, and whoever saw theirs.
    fn undo_readers_of(&mut self, tx: u32, undone: &mut Vec<u32>) {
        let mut changed = vec![tx];
        while let Some(tx) = changed.pop() {
            let machine = self.machine;
            let row = machine.block.accesses().of(tx).iter().enumerate();
            for (_, access) in row.filter(|&(at, _)| machine.changes(tx, at)) {
                let slot = access.slot as usize;
                let next = self.overwriters[slot].range(tx + 1..).next();
                let last = next.copied().unwrap_or(u32::MAX);
                let readers: Vec<u32> = self.readers[slot].range(tx + 1..=last).copied().collect();
                for reader in readers {
                    if self.is_done[reader as usize] && !self.is_valid(reader) {
                        self.set_done(reader, false);
                        self.set_written(reader, Written::Estimate);
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
/// done, running or waiting. Who ran before waits without running again as long as what it read then is an estimate, and who has not for its sender's last one.
///
/// Who ends a transaction for which others wait looks for work behind those who have none already, so a chain goes from worker to worker as long as one is idle.
/// Whoever is passed over on the way to what runs, because it would meet an estimate again, costs an access: the runtime reads until it finds that out. So does each
/// place cost as much as a value that another worker has, from the lowest that was set free on: the runtime moves a counter back there, and workers go on from it one by one.
///
/// Additions commute: an adder reads nothing, and a reader depends on all of them since the last
/// write.
pub(super) fn run(machine: &mut Machine<'_>, txs: &[u32]) {
    let quiet = Machine::new(machine.block, machine.n_workers, machine.overheads, machine.model);
    Optimistic::new(machine, &quiet, txs).all();
}

/// A block while it runs.
struct Optimistic<'m, 'a, 'q> {
    machine: &'m mut Machine<'a>,
    memory: Memory<'q>,
    ready: Ready,
    /// By transaction, who waits for it.
    waiting: Vec<Waiting>,
    /// By transaction, where its last execution stands.
    last_span: Vec<usize>,
    /// Who has been idle for the longest time first.
    idle: VecDeque<usize>,
    running: BinaryHeap<Reverse<(u64, Run)>>,
    /// From where on who is idle looks for something to do.
    next: u32,
    /// Whether nobody waits in a group.
    #[cfg(test)]
    is_alone: bool,
    /// How often it was looked whether a transaction may run.
    #[cfg(test)]
    n_looks: u64,
}

impl<'m, 'a, 'q> Optimistic<'m, 'a, 'q> {
    fn new(machine: &'m mut Machine<'a>, quiet: &'q Machine<'q>, txs: &[u32]) -> Self {
        let (idle, asleep) = machine.workers();
        let wakes = |&worker: &usize| Run { tx: NOBODY, worker, span: 0 };
        let running = asleep.iter().map(|at| Reverse((machine.begins(*at), wakes(at)))).collect();
        Self {
            memory: Memory::new(quiet, txs),
            ready: Ready::of(txs.iter().copied()),
            waiting: vec![Waiting::default(); machine.block.n_txs()],
            last_span: vec![0; machine.block.n_txs()],
            idle: idle.into_iter().rev().collect(),
            running,
            next: 0,
            machine,
            #[cfg(test)]
            is_alone: false,
            #[cfg(test)]
            n_looks: 0,
        }
    }

    fn all(&mut self) {
        self.start();
        while self.next() {
            self.start();
        }
        self.machine.spans.retain(|span| span.tx != NOBODY);
    }

    /// What happens next. False if nothing does.
    fn next(&mut self) -> bool {
        let Some(Reverse((now, run))) = self.running.pop() else { return false };
        if run.tx == NOBODY {
            if self.running.is_empty() && self.ready.is_empty() {
                return false;
            }
            self.machine.now = now;
            self.idle.push_back(run.worker);
            return true;
        }
        self.machine.now = now;
        self.step(run);
        true
    }

    /// Gives all idle workers something to do, if there is something. Who would meet an estimate waits for it.
    fn start(&mut self) {
        let mut hung: Vec<(u32, Group)> = Vec::new();
        let (mut n_alone, mut n_counted, mut last) = (0, 0, u32::MAX);
        while let Some(&worker) = self.idle.front()
            && let Some((tx, mut rest)) = self.ready.pop_first()
        {
            #[cfg(test)]
            {
                self.n_looks += 1;
            }
            match (self.memory.known_estimate(tx), &mut rest) {
                (Some((writer, slot)), Some(rest)) if rest.slot == slot => {
                    let mut alike = rest.up_to(self.memory.writer_from(tx, slot));
                    alike.push_first(tx);
                    hung.push((writer, alike));
                }
                (Some((writer, slot)), _) => {
                    n_alone += 1;
                    self.hang(tx, writer, slot);
                }
                (None, _) if let Some(before) = self.memory.follows(tx) => {
                    n_alone += 1;
                    self.waiting[before as usize].push(tx);
                }
                (None, _) => {
                    let in_groups = hung.iter().map(|(_, group)| group.n_below(tx));
                    let n_passed = n_alone + in_groups.sum::<u64>();
                    self.idle.pop_front();
                    self.execute(tx, worker, n_passed - n_counted);
                    (n_counted, last) = (n_passed, tx);
                }
            }
            if let Some(rest) = rest {
                self.ready.insert_group(rest);
            }
        }
        // Where no worker is left nobody has looked at those behind the last that started.
        let last = if self.idle.is_empty() { last } else { u32::MAX };
        for (writer, mut group) in hung {
            self.waiting[writer as usize].push_group(group.up_to(last));
            self.ready.insert_group(group);
        }
    }

    fn hang(&mut self, tx: u32, writer: u32, slot: u32) {
        let waiting = &mut self.waiting[writer as usize];
        #[cfg(test)]
        if self.is_alone {
            return waiting.push(tx);
        }
        if self.memory.is_first_at(tx, slot) {
            waiting.push_group(Group::of(slot, tx));
        } else {
            waiting.push(tx);
        }
    }

    /// Starts an execution on a worker that has passed over so many others.
    fn execute(&mut self, tx: u32, worker: usize, n_passed: u64) {
        self.memory.seen[tx as usize].clear();
        let passing = self.machine.overheads.access.saturating_mul(n_passed);
        let n_places = u64::from(tx.saturating_sub(self.next));
        self.next = self.next.max(tx + 1);
        let passing = passing.saturating_add(self.machine.passing(n_places));
        let (start, span) = (self.machine.now.saturating_add(passing), self.machine.spans.len());
        let fetched = self.machine.fetch(tx, worker);
        let end = start.saturating_add(self.machine.cost(tx)).saturating_add(fetched);
        self.last_span[tx as usize] = span;
        self.running.push(Reverse((start, Run { tx, worker, span })));
        self.machine.span(tx, worker, start, end);
    }

    /// What an execution does next happens now.
    fn step(&mut self, run: Run) {
        let Run { tx, worker, span } = run;
        let now = self.machine.now;
        match self.memory.read_next(tx) {
            Step::Read => {
                let next = self.memory.next_step(tx, self.machine.spans[span]).max(now);
                self.running.push(Reverse((next, run)));
            }
            Step::Meets(writer, slot) => {
                self.idle.push_back(worker);
                let span = &mut self.machine.spans[span];
                (span.end, span.counted) = (now, false);
                if now == span.start {
                    // It found out before it did anything.
                    span.tx = NOBODY;
                }
                self.hang(tx, writer, slot);
            }
            Step::End if now < self.machine.spans[span].end => {
                self.running.push(Reverse((self.machine.spans[span].end, run)));
            }
            Step::End => {
                self.idle.push_back(worker);
                let mut undone = Vec::new();
                let is_valid = self.memory.end(tx, &mut undone);
                self.let_go(tx);
                if is_valid {
                    let first = self.ready.release(&mut self.waiting[tx as usize]);
                    self.next = first.map_or(self.next, |first| first.min(self.next));
                } else {
                    self.undo(tx);
                }
                undone.into_iter().for_each(|tx| self.undo(tx));
            }
        }
    }

    /// Where what a sender sends has nothing to do with each other, those of it that wait for each other go on.
    fn let_go(&mut self, tx: u32) {
        let mut at = tx;
        while self.memory.are_apart[self.memory.sender(tx)] {
            let after = self.memory.after[at as usize];
            let is_new = after != NOBODY && self.memory.n_tried[after as usize] == 0;
            if !is_new || !self.waiting[at as usize].remove(after) {
                return;
            }
            self.ready.insert(after);
            self.next = self.next.min(after);
            at = after;
        }
    }

    /// The last execution of a transaction does not count.
    fn undo(&mut self, tx: u32) {
        self.machine.spans[self.last_span[tx as usize]].counted = false;
        self.ready.insert(tx);
    }
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
    /// It met the estimate of this transaction, of this slot.
    Meets(u32, u32),
    End,
}

#[cfg(test)]
mod tests;
