//! A simulator of plans: the same plans that the runtime runs, discrete events, any number of workers.
//!
//! It is exact for the model it states: a transaction takes its cost on any worker, whatever else
//! runs. What a real machine adds is in [`Overheads`]; without them the result is what the plan
//! permits.

mod caches;
mod optimistic;
mod overheads;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;

use kempe_abi::AccessKind;
use kempe_runtime::scheduler::{Block, Dag, Form, Plan, Schedule, adds_together};

use caches::{Holders, Moves};
pub use overheads::Overheads;

/// One execution of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The transaction.
    pub tx: u32,
    /// The worker, from 0.
    pub worker: u32,
    /// When it started.
    pub start: u64,
    /// When it ended.
    pub end: u64,
    /// Whether it counted; otherwise the transaction ran again, or counts later.
    pub counted: bool,
    /// Whether anything ran; otherwise an execution before, which did not count at first, counts after all.
    pub ran: bool,
}

/// A simulated run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simulated {
    /// When the last transaction ended.
    pub makespan: u64,
    /// Every execution, in order of its start on each worker; and of no length, that one which did not count
    /// at first counts after all ([`Span::ran`]).
    pub spans: Vec<Span>,
    /// For how long workers waited at barriers while others still ran, added up over workers. Nobody waits so for the end of the block.
    pub idle_at_barriers: u64,
    /// How many transactions of a graph started on another worker than the one that set them free.
    pub handovers: u64,
}

impl Simulated {
    /// How many executions there were; more than transactions if some ran again.
    #[must_use]
    pub fn n_executions(&self) -> usize {
        self.spans.iter().filter(|span| span.ran).count()
    }

    /// When each transaction's last execution ended, sorted.
    #[must_use]
    pub fn latencies(&self) -> Vec<u64> {
        let counted = self.spans.iter().filter(|span| span.counted);
        let mut ends: Vec<u64> = counted.map(|span| span.end).collect();
        ends.sort_unstable();
        ends
    }
}

/// What is known of transactions beside their lists and costs, and when they read. Only
/// [`Form::Optimistic`] without hints and [`Form::Rounds`] depend on it.
#[derive(Clone, Copy)]
pub struct Model<'a> {
    /// Whether a transaction does what it declares at a position of its list. It does not if it only declares
    /// it, or fails; whoever reads it then need not run again.
    pub is_done: &'a dyn Fn(u32, usize) -> bool,
    /// Whether a transaction touches what its list names at a position, be it that it fails later. It reads nothing
    /// else, unless it is given all values.
    pub is_touched: &'a dyn Fn(u32, usize) -> bool,
    /// How many lines of a cache the value of a slot takes, at least one.
    pub n_lines: &'a dyn Fn(u32) -> u64,
    /// Whether a transaction is given all values of its list when it starts, what it writes without reading
    /// included, as in the runtime. Otherwise it makes its reads one after the other, spread evenly over its
    /// time.
    pub reads_at_start: bool,
}

impl Default for Model<'_> {
    /// All is done that is declared, values are short, and reads are spread.
    fn default() -> Self {
        Self {
            is_done: &|_, _| true,
            is_touched: &|_, _| true,
            n_lines: &|_| 1,
            reads_at_start: false,
        }
    }
}

impl fmt::Debug for Model<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("reads_at_start", &self.reads_at_start)
            .finish_non_exhaustive()
    }
}

/// Runs a plan, which must have been verified, on as many simulated workers (at least one).
///
/// Inside a batch the most expensive transaction starts first (LPT); in a graph the one with the
/// most expensive chain behind it. Validation of [`Form::Optimistic`] and the second look of
/// [`Form::Rounds`] take no time but what is in the overheads. A plan that [is a chain](Plan::is_chain) runs on one worker.
/// O(executions log executions).
#[must_use]
pub fn simulate(
    plan: &Plan,
    block: &Block<'_>,
    n_workers: usize,
    overheads: Overheads,
) -> Simulated {
    simulate_as(plan, block, n_workers, overheads, Model::default())
}

/// The same with what is known of the transactions.
#[must_use]
pub fn simulate_as(
    plan: &Plan,
    block: &Block<'_>,
    n_workers: usize,
    overheads: Overheads,
    model: Model<'_>,
) -> Simulated {
    let overheads = those_of(plan, overheads);
    let mut machine = Machine::new(block, n_workers.max(1), overheads, model);
    let around = machine.around.iter().fold(0u64, |sum, &around| sum.saturating_add(around));
    machine.now = around.div_ceil(machine.n_workers as u64);
    machine.adds_together = match plan.form() {
        Form::Batches(schedule) => adds_together(block, schedule.batches()),
        _ => adds_together(block, [plan.body()]),
    };
    machine.looks_at_all = matches!(plan.form(), Form::Optimistic { .. });
    if let Form::Optimistic { hints: Some(_) } = plan.form() {
        machine.expect_changes();
    }
    machine.moves = Moves::of(plan);
    match plan.form() {
        Form::Batches(schedule) => machine.batches(schedule),
        _ if plan.is_chain(block) => machine.chain(plan.body()),
        Form::Graph(dag) | Form::Versions(dag) => {
            machine.graph(dag, plan.body(), dag.ranks(), |_| true);
        }
        Form::Values => machine.batch(plan.body(), true),
        Form::Optimistic { hints: Some(dag) } => {
            // Lower places first.
            let mut urgency = vec![0; block.n_txs()];
            (0..).zip(plan.body().iter().rev()).for_each(|(at, &tx)| urgency[tx as usize] = at);
            machine.graph(dag, plan.body(), &urgency, |_| true);
        }
        Form::Optimistic { hints: None } => optimistic::run(&mut machine, plan.body()),
        Form::Rounds { again, dag } => machine.rounds(plan.body(), again, dag),
        form => unreachable!("the simulator knows every form of plan: {form:?}"),
    }
    for &tx in plan.tail() {
        let takes = machine.cost(tx);
        let end = machine.now.saturating_add(takes);
        machine.span(tx, 0, machine.now, end);
        machine.now = end;
    }
    let Machine { now, spans, idle_at_barriers, handovers, .. } = machine;
    Simulated { makespan: now, spans, idle_at_barriers, handovers }
}

/// Those of the overheads that a plan of such a form has. Where there are batches additions are settled at their end, elsewhere by each
/// transaction, and where each addition has a version of its own by nobody.
fn those_of(plan: &Plan, overheads: Overheads) -> Overheads {
    match plan.form() {
        Form::Batches(_) => Overheads { add: 0, ordered: 0, ..overheads },
        Form::Values => Overheads { settle: 0, ordered: 0, ..overheads },
        _ => Overheads { settle: 0, ..overheads },
    }
}

/// Workers and a clock.
struct Machine<'a> {
    block: &'a Block<'a>,
    n_workers: usize,
    overheads: Overheads,
    model: Model<'a>,
    /// By transaction: what of its cost all workers share. A key counts for the first that names it.
    around: Vec<u64>,
    /// By transaction: how many keys none before it names, and it has not looked at yet.
    n_new: Vec<u64>,
    /// By transaction, whether it adds to what others add to meanwhile; empty if none does.
    adds_together: Vec<bool>,
    /// Whether transactions have run before, and what they did then is looked at first.
    looks_again: bool,
    /// Whether a transaction looks at all that its list names, and once more when it ended, whatever it makes of it.
    looks_at_all: bool,
    /// What workers take from each other now.
    moves: Moves,
    /// By slot.
    holders: Vec<Holders>,
    now: u64,
    spans: Vec<Span>,
    idle_at_barriers: u64,
    handovers: u64,
}

impl<'a> Machine<'a> {
    fn new(block: &'a Block<'a>, n_workers: usize, overheads: Overheads, model: Model<'a>) -> Self {
        let (now, spans, idle_at_barriers, handovers) = (0, Vec::new(), 0, 0);
        let n_new = n_new(block);
        let around = around(block, &n_new, overheads);
        let n_holders = if overheads.remote == 0 { 0 } else { block.accesses().n_slots() };
        let holders = vec![Holders::default(); n_holders];
        Self {
            block,
            n_workers,
            overheads,
            model,
            around,
            n_new,
            adds_together: Vec::new(),
            looks_again: false,
            looks_at_all: false,
            moves: Moves::All,
            holders,
            now,
            spans,
            idle_at_barriers,
            handovers,
        }
    }

    /// Whether a transaction changed what its list names at a position.
    fn changes(&self, tx: u32, at: usize) -> bool {
        self.block.accesses().of(tx)[at].kind != AccessKind::Read && (self.model.is_done)(tx, at)
    }

    /// Whether a transaction has to have the value of what its list names at a position.
    fn reads(&self, tx: u32, at: usize) -> bool {
        if !self.model.reads_at_start && !(self.model.is_touched)(tx, at) {
            return false;
        }
        match self.block.accesses().of(tx)[at].kind {
            AccessKind::Read => true,
            AccessKind::Write => self.model.reads_at_start || !self.block.is_blind(tx, at),
            AccessKind::Add => false,
        }
    }

    /// The workers that are there now, and those that are not yet awake.
    fn workers(&self) -> (Vec<usize>, Vec<usize>) {
        (0..self.n_workers).rev().partition(|&worker| self.begins(worker) == self.now)
    }

    /// What a transaction takes while no other worker does anything.
    fn cost_alone(&self, tx: u32) -> u64 {
        self.block.cost(tx) - self.around[tx as usize]
    }

    /// What the next execution of a transaction takes beside others, but for values that others have.
    fn cost(&mut self, tx: u32) -> u64 {
        let cost = self.cost_alone(tx);
        let others = self.n_workers as u64 - 1;
        let longer =
            u128::from(cost) * u128::from(self.overheads.inflation_permille) * u128::from(others)
                / 1000;
        let longer = u64::try_from(longer).unwrap_or(u64::MAX);
        let n_accesses = self.block.accesses().of(tx).len() as u64;
        let Overheads { dispatch, access, key, add, .. } = self.overheads;
        let n_new = std::mem::take(&mut self.n_new[tx as usize]);
        let beside = dispatch
            .saturating_add(add.saturating_mul(self.n_added_together(tx)))
            .saturating_add(access.saturating_mul(n_accesses))
            .saturating_add(key.saturating_mul(n_new));
        cost.saturating_add(longer).saturating_add(beside)
    }

    /// How many additions of a transaction are settled, if it adds to what others add to meanwhile.
    fn n_added_together(&self, tx: u32) -> u64 {
        if !self.is_together(tx) {
            return 0;
        }
        let row = self.block.accesses().of(tx).iter().enumerate();
        let added =
            row.filter(|&(at, access)| access.kind == AccessKind::Add && self.changes(tx, at));
        added.count() as u64
    }

    fn is_together(&self, tx: u32) -> bool {
        self.adds_together.get(tx as usize).copied().unwrap_or(false)
    }

    /// When a worker can begin with what there is now.
    fn begins(&self, worker: usize) -> u64 {
        if worker == 0 { self.now } else { self.now.max(self.overheads.wake) }
    }

    /// What it costs to pass over so many places on the way to something to do: each has a state and each step moves counters, which other workers had.
    fn passing(&self, n_places: u64) -> u64 {
        self.overheads.remote.saturating_mul(n_places)
    }

    fn span(&mut self, tx: u32, worker: usize, start: u64, end: u64) {
        let worker = u32::try_from(worker).unwrap_or(u32::MAX);
        self.spans.push(Span { tx, worker, start, end, counted: true, ran: true });
    }

    /// One after the other on one worker, which costs nothing beside.
    fn chain(&mut self, txs: &[u32]) {
        txs.iter().for_each(|&tx| self.alone(tx));
    }

    /// While no other worker does anything, which shares nothing with it then.
    fn alone(&mut self, tx: u32) {
        let end = self.now.saturating_add(self.cost_alone(tx));
        // Whoever ran what came before runs it.
        self.fetch(tx, 0);
        self.span(tx, 0, self.now, end);
        self.now = end;
    }

    fn batches(&mut self, schedule: &Schedule) {
        let last = schedule.n_batches().saturating_sub(1);
        for (at, batch) in schedule.batches().enumerate() {
            let &[tx] = batch else {
                self.batch(batch, at == last);
                continue;
            };
            self.alone(tx);
            self.now = self.now.saturating_add(self.overheads.single);
            if at < last {
                let idle = (self.n_workers as u64 - 1).saturating_mul(self.cost_alone(tx));
                self.idle_at_barriers = self.idle_at_barriers.saturating_add(idle);
            }
        }
    }

    /// Independent transactions, the most expensive first, and a barrier after them.
    fn batch(&mut self, txs: &[u32], is_free_of_barrier: bool) {
        let mut order = txs.to_vec();
        order.sort_by_key(|&tx| Reverse(self.block.cost(tx)));
        let n_busy = self.n_workers.min(order.len());
        let mut free: BinaryHeap<Reverse<(u64, usize)>> =
            (0..n_busy).map(|worker| Reverse((self.begins(worker), worker))).collect();
        let (mut last, mut last_worker) = (self.now, 0);
        let (mut ends, mut sum_of_ends) = (Vec::new(), 0u64);
        let mut rest = Shares::new(self, &order);
        while let Some(Reverse((start, worker))) = free.pop() {
            let taken = rest.take(self.n_workers);
            if taken.is_empty() {
                ends.push(start);
                continue;
            }
            let mut end = start.saturating_add(self.overheads.take);
            for &tx in taken {
                let start = end;
                end = end.saturating_add(self.cost(tx)).saturating_add(self.fetch(tx, worker));
                self.span(tx, worker, start, end);
            }
            last_worker = if end >= last { worker } else { last_worker };
            last = last.max(end);
            free.push(Reverse((end, worker)));
        }
        for end in ends {
            // Whoever woke up too late was there for nothing.
            sum_of_ends = sum_of_ends.saturating_add(last.saturating_sub(end));
        }
        let unused = (self.n_workers - n_busy) as u64;
        let idle = sum_of_ends.saturating_add(unused.saturating_mul(last - self.now));
        if !is_free_of_barrier {
            self.idle_at_barriers = self.idle_at_barriers.saturating_add(idle);
        }
        let barrier =
            if self.n_workers == 1 || is_free_of_barrier { 0 } else { self.overheads.barrier };
        self.now = last.saturating_add(barrier);
        let settle = if self.n_workers == 1 { 0 } else { self.overheads.settle };
        let settled = txs.iter().map(|&tx| settled(settle, self.n_added_together(tx)));
        self.now = self.now.saturating_add(settled.fold(0, u64::saturating_add));
        self.settle_on(last_worker, txs);
    }

    /// All at once, and then those of `again` whose first run did not count, by their graph.
    fn rounds(&mut self, body: &[u32], again: &[u32], dag: &Dag) {
        let runs_again = self.runs_again(body, again);
        let mut is_counted = vec![true; self.block.n_txs()];
        again.iter().for_each(|&tx| is_counted[tx as usize] = false);
        let first = self.spans.len();
        // All read what was there before the block; what is left by who counts moves later.
        let moves = std::mem::replace(&mut self.moves, Moves::Nothing);
        self.batch(body, true);
        self.moves = moves;
        for at in first..self.spans.len() {
            let Span { tx, worker, .. } = self.spans[at];
            self.spans[at].counted = is_counted[tx as usize];
            if is_counted[tx as usize] {
                self.fetch(tx, worker as usize);
            }
        }
        // Whoever does not run again counts when it is looked at.
        let first = self.spans.len();
        self.looks_again = true;
        self.graph(dag, again, dag.ranks(), |tx| runs_again[tx as usize]);
        for span in &mut self.spans[first..] {
            span.ran = runs_again[span.tx as usize];
        }
    }

    /// By transaction: whether it is one of `again`, and anything of its list but what it adds to was changed by
    /// one that comes before it in `body`.
    fn runs_again(&self, body: &[u32], again: &[u32]) -> Vec<bool> {
        let accesses = self.block.accesses();
        let mut is_again = vec![false; self.block.n_txs()];
        again.iter().for_each(|&tx| is_again[tx as usize] = true);
        let mut is_changed = vec![false; accesses.n_slots()];
        for &tx in body {
            let row = accesses.of(tx);
            let mut reads = row.iter().enumerate().filter(|&(at, _)| self.reads(tx, at));
            is_again[tx as usize] &= reads.any(|(_, access)| is_changed[access.slot as usize]);
            let changed = row.iter().enumerate().filter(|&(at, _)| self.changes(tx, at));
            changed.for_each(|(_, access)| is_changed[access.slot as usize] = true);
        }
        is_again
    }

    /// The transactions of a graph, each as soon as it may, the most urgent first; starts and ends at
    /// [`now`](Self::now). Some need not run, which takes no time.
    fn graph(&mut self, dag: &Dag, txs: &[u32], urgency: &[u64], runs: impl Fn(u32) -> bool) {
        let mut ready = Ready::new(dag, txs, urgency);
        let (mut idle, asleep) = self.workers();
        // By the time, a transaction or none, and the worker.
        let mut running: BinaryHeap<Reverse<(u64, u32, usize)>> =
            asleep.into_iter().map(|at| Reverse((self.begins(at), NONE, at))).collect();
        loop {
            while !idle.is_empty()
                && let Some((tx, Freed { by, at: freed_at })) = ready.pop()
            {
                // Whoever set it free goes on with it, if idle; optimistically, if nobody else is, since it looks for work behind who waits.
                let stays = !self.looks_at_all;
                let place = by.and_then(|by| idle.iter().position(|&at| (at == by) == stays));
                let worker = idle.remove(place.unwrap_or(idle.len() - 1));
                let is_handed_over = by.is_some_and(|by| by != worker);
                self.handovers += u64::from(is_handed_over);
                let handover = if is_handed_over { self.overheads.handover } else { 0 };
                let start = self.now.max(freed_at.saturating_add(handover));
                let mut beside = self.fetch(tx, worker);
                let Overheads { ordered, .. } = self.overheads;
                if by.is_some() && !self.looks_at_all && !self.looks_again {
                    beside = beside.saturating_add(ordered);
                }
                if self.looks_at_all {
                    beside = beside.saturating_add(self.passing(ready.passed(tx)));
                }
                let again = if self.looks_again { ordered } else { 0 };
                let takes = if runs(tx) { self.cost(tx).saturating_add(beside) } else { 0 };
                let takes = takes.saturating_add(again);
                let end = start.saturating_add(takes);
                self.span(tx, worker, start, end);
                running.push(Reverse((end, tx, worker)));
            }
            let Some(Reverse((end, tx, worker))) = running.pop() else { break };
            if tx == NONE && ready.n_left == 0 {
                continue;
            }
            self.now = end;
            idle.push(worker);
            ready.release(tx, Freed { by: Some(worker), at: end });
            // All that ends now, before anything starts: the choice is by rank, not by chance.
            while let Some(&Reverse((other, tx, worker))) = running.peek()
                && other == end
            {
                running.pop();
                idle.push(worker);
                ready.release(tx, Freed { by: Some(worker), at: end });
            }
        }
    }
}

/// By transaction: what of its cost all workers share.
fn around(
    block: &Block<'_>,
    n_new: &[u64],
    Overheads { around, around_key, .. }: Overheads,
) -> Vec<u64> {
    let of = |(tx, &n_new): (u32, &u64)| {
        let of_keys = around_key.saturating_mul(n_new);
        around.saturating_add(of_keys).min(block.cost(tx))
    };
    block.txs().zip(n_new).map(of).collect()
}

/// For each transaction how many keys its list names that no list before it does.
fn n_new(block: &Block<'_>) -> Vec<u64> {
    let mut is_known = vec![false; block.accesses().n_slots()];
    let mut is_new = |slot: u32| !std::mem::replace(&mut is_known[slot as usize], true);
    let of = |tx| block.accesses().of(tx).iter().map(|access| u64::from(is_new(access.slot))).sum();
    block.txs().map(of).collect()
}

/// What is left of a batch. Where taking from it costs something, a worker takes as many at once as the runtime gives it.
struct Shares<'t> {
    rest: &'t [u32],
    /// Before each of them and behind the last, the costs of those before.
    before: Vec<u64>,
    /// How many are taken at once, at most.
    max: usize,
}

/// What a worker of the runtime takes at most at once of what waits for nobody.
const TAKE_MAX: usize = 32;

impl<'t> Shares<'t> {
    fn new(machine: &Machine<'_>, order: &'t [u32]) -> Self {
        let max = if machine.overheads.take == 0 { 1 } else { TAKE_MAX };
        let sums = order.iter().scan(0u64, |sum, &tx| {
            *sum = sum.saturating_add(machine.block.cost(tx));
            Some(*sum)
        });
        Self { rest: order, before: std::iter::once(0).chain(sums).collect(), max }
    }

    /// A part of the costs that are left.
    fn take(&mut self, n_workers: usize) -> &'t [u32] {
        let before = &self.before[self.before.len() - 1 - self.rest.len()..];
        let left = before[self.rest.len()] - before[0];
        let limit = before[0] + left / (4 * n_workers as u64);
        let ends = &before[1..=self.rest.len().min(self.max)];
        let n_taken = ends.partition_point(|&before| before <= limit).max(1);
        let (taken, rest) = self.rest.split_at(n_taken.min(self.rest.len()));
        self.rest = rest;
        taken
    }
}

/// No transaction: a worker that wakes up.
const NONE: u32 = u32::MAX;

/// The transactions of a graph that wait for nobody, by urgency, with the worker that set each free.
struct Ready<'a> {
    dag: &'a Dag,
    urgency: &'a [u64],
    /// How many have not ended.
    n_left: usize,
    waits: Vec<u32>,
    is_here: Vec<bool>,
    most_urgent: u64,
    /// The place from where on who is idle looks for something to do, where places are what is urgent.
    next: u64,
    heap: BinaryHeap<(u64, Reverse<u32>, Freed)>,
}

/// Which worker set a transaction free, if it waited for anybody, and when.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Freed {
    by: Option<usize>,
    at: u64,
}

impl<'a> Ready<'a> {
    fn new(dag: &'a Dag, txs: &[u32], urgency: &'a [u64]) -> Self {
        let mut is_here = vec![false; dag.n_txs() as usize];
        txs.iter().for_each(|&tx| is_here[tx as usize] = true);
        let waits = dag.indegrees().to_vec();
        let (n_left, heap) = (txs.len(), BinaryHeap::new());
        let most_urgent = urgency.iter().copied().max().unwrap_or(0);
        let mut ready = Self { dag, urgency, n_left, waits, is_here, most_urgent, next: 0, heap };
        let is_free = |node: &u32| dag.indegrees()[*node as usize] == 0;
        let joins = dag.n_txs()..u32::try_from(dag.n_nodes()).unwrap_or(u32::MAX);
        joins.filter(is_free).for_each(|join| ready.end(join, Freed::default()));
        txs.iter().copied().filter(is_free).for_each(|tx| ready.push(tx, Freed::default()));
        ready
    }

    fn push(&mut self, tx: u32, freed: Freed) {
        let urgency = self.urgency[tx as usize];
        if freed.by.is_some() {
            self.next = self.next.min(self.most_urgent - urgency);
        }
        self.heap.push((urgency, Reverse(tx), freed));
    }

    fn pop(&mut self) -> Option<(u32, Freed)> {
        self.heap.pop().map(|(_, Reverse(tx), freed)| (tx, freed))
    }

    /// How many places a worker passes that looks for what runs next: from the first that was set free since, or from the last that ran.
    fn passed(&mut self, tx: u32) -> u64 {
        // Lower places are more urgent.
        let place = self.most_urgent - self.urgency[tx as usize];
        let n_passed = place.saturating_sub(self.next);
        self.next = self.next.max(place + 1);
        n_passed
    }

    /// Counts a transaction as done for those that wait for it.
    fn release(&mut self, tx: u32, freed: Freed) {
        if tx != NONE {
            self.n_left -= 1;
            self.end(tx, freed);
        }
    }

    /// Ends a node, and the joins that waited for nothing else.
    fn end(&mut self, node: u32, freed: Freed) {
        let mut ended = vec![node];
        while let Some(node) = ended.pop() {
            for &next in self.dag.successors(node) {
                self.waits[next as usize] -= 1;
                if self.waits[next as usize] > 0 {
                    continue;
                }
                if next >= self.dag.n_txs() {
                    ended.push(next);
                } else if self.is_here[next as usize] {
                    self.push(next, freed);
                }
            }
        }
    }
}

/// What settling so many additions of one transaction costs where one costs so much. What comes with each transaction is most of it: another addition
/// is about a fifth, as calls say that have two (`mints`) and four of them (`stakes`, `orders`), in a quiet run on a 2 vCPU AMD EPYC (Zen 4).
fn settled(one: u64, n_additions: u64) -> u64 {
    const OTHER: u64 = 5;
    match n_additions {
        0 => 0,
        n => one.saturating_mul(n + OTHER - 1) / OTHER,
    }
}

#[cfg(test)]
mod tests;
