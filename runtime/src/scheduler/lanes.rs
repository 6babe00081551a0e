//! Thread-aware locks: a model of workers with queues, for the schedulers that assign each
//! transaction to a worker while others run.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use kempe_abi::AccessKind::{self, Add, Read, Write};

use super::dag::Edges;
use super::plan::{Form, plan_of};
use super::thin::{self, Sink};
use super::{Access, Block, Dag, Plan};

/// For how many workers a plan is made at most: a set of them is a word.
///
/// Source: agave, `core/src/banking_stage/transaction_scheduler/thread_aware_account_locks.rs`, `MAX_THREADS`.
const LANES_MAX: usize = u64::BITS as usize;

/// How many transactions end between two looks that find nothing; ours to choose.
const ENDED_PER_PASS: usize = 2;

/// Who holds a key.
#[derive(Clone, Copy)]
struct Lock {
    /// The lanes that hold it, by kind.
    lanes: [u64; 3],
    /// Where in [`Counts`] it is how many transactions of each lane; [`NONE`] while nobody holds it.
    counts: u32,
}

/// No place.
const NONE: u32 = u32::MAX;

/// How many queued transactions of each lane hold a key, by kind. There are only those of keys that somebody holds,
/// which are few, so that they stay in the processor's caches.
struct Counts {
    n_lanes: usize,
    all: Vec<[u32; 3]>,
    /// The places of those that nobody needs any more, where all is zero.
    free: Vec<u32>,
}

impl Counts {
    /// Those of a key that nobody has held.
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            let place = self.all.len() / self.n_lanes;
            self.all.resize(self.all.len() + self.n_lanes, [0; 3]);
            u32::try_from(place).expect("a block has fewer than 2^32 accesses")
        })
    }

    fn of(&mut self, place: u32, lane: usize, kind: AccessKind) -> &mut u32 {
        &mut self.all[place as usize * self.n_lanes + lane][kind as usize]
    }
}

/// A transaction that no lane has yet.
#[derive(Clone, Copy)]
pub(super) struct Waiting {
    /// What may leave it a lane again.
    waits_for: Freed,
    /// Two of its accesses, or one twice, that left it no lane when it was tried last. As long as they do, the
    /// others need not be looked at.
    blocked_by: [Access; 2],
    pub(super) tx: u32,
    /// Whether it was tried.
    is_blocked: bool,
    /// Whether something happened that may have left it a lane since it was tried last.
    is_due: bool,
}

impl Waiting {
    pub(super) fn new(tx: u32) -> Self {
        let (waits_for, blocked_by) = (Freed::default(), [Access::new(0, Read); 2]);
        Self { waits_for, blocked_by, tx, is_blocked: false, is_due: true }
    }
}

/// What became free: keys, a bit for each 64th of them, and lanes, a bit each.
#[derive(Clone, Copy, Default)]
struct Freed {
    keys: u64,
    lanes: u64,
}

impl Freed {
    fn add_key(&mut self, slot: u32) {
        self.keys |= 1 << (slot % u64::BITS);
    }

    #[inline]
    fn meets(self, other: Self) -> bool {
        self.keys & other.keys != 0 || self.lanes & other.lanes != 0
    }
}

/// Workers that run their queues in order, and the locks of what is queued.
pub(super) struct Lanes<'a> {
    block: &'a Block<'a>,
    locks: Vec<Lock>,
    counts: Counts,
    queues: Vec<VecDeque<u32>>,
    /// The cost of each queue.
    loads: Vec<u64>,
    /// What each lane may have queued: it keeps some for the others.
    load_max: u64,
    /// The lanes that have less than that.
    open: u64,
    /// What became free between the last pass and the one before it, and since.
    freed: Freed,
    freed_since: Freed,
    /// When the first of each queue ends.
    running: BinaryHeap<Reverse<(u64, usize)>>,
    time: u64,
    /// The transactions of each lane so far, for the plan.
    assigned: Vec<Vec<u32>>,
    order: Vec<u32>,
}

impl<'a> Lanes<'a> {
    /// Idle lanes. Each takes at most a quarter of its even share of the work ahead, as Solana's
    /// schedulers do with a block's limit.
    ///
    /// Source: agave 3.0, `GreedySchedulerConfig::target_scheduled_cus` and `PrioGraphSchedulerConfig`.
    pub(super) fn new(block: &'a Block<'a>, n_workers: usize) -> Self {
        let n_lanes = n_workers.clamp(1, LANES_MAX);
        let total = block.txs().map(|tx| block.cost(tx)).fold(0, u64::saturating_add);
        let lock = Lock { lanes: [0; 3], counts: NONE };
        Self {
            block,
            locks: vec![lock; block.accesses().n_slots()],
            counts: Counts { n_lanes, all: Vec::new(), free: Vec::new() },
            queues: vec![VecDeque::new(); n_lanes],
            loads: vec![0; n_lanes],
            load_max: (total / 4 / n_lanes as u64).max(1),
            open: u64::MAX >> (LANES_MAX - n_lanes),
            freed: Freed::default(),
            freed_since: Freed::default(),
            running: BinaryHeap::new(),
            time: 0,
            assigned: vec![Vec::new(); n_lanes],
            order: Vec::with_capacity(block.n_txs()),
        }
    }

    /// Whether every lane has as much as it may.
    pub(super) fn is_full(&self) -> bool {
        self.open == 0
    }

    /// Begins to look at transactions. Each of those that wait is given to [`assign`](Self::assign) or to
    /// [`pass_over`](Self::pass_over) before the next look begins.
    pub(super) fn begin_pass(&mut self) {
        self.freed = std::mem::take(&mut self.freed_since);
    }

    /// Whether something may have left it a lane since it was tried last.
    #[inline]
    pub(super) fn is_due(&self, waiting: &Waiting) -> bool {
        waiting.is_due || waiting.waits_for.meets(self.freed)
    }

    /// Does not look at a transaction in this pass.
    #[inline]
    pub(super) fn pass_over(&self, waiting: &mut Waiting) {
        waiting.is_due = self.is_due(waiting);
    }

    /// Queues a transaction where its keys permit: on the lane with the least work that is not full.
    /// False if there is none.
    pub(super) fn assign(&mut self, waiting: &mut Waiting) -> bool {
        if !self.is_due(waiting) {
            return false;
        }
        waiting.is_due = false;
        let tx = waiting.tx;
        let row = self.block.accesses().of(tx);
        let still = if waiting.is_blocked { self.open_for(&waiting.blocked_by) } else { Ok(0) };
        let permitted = match still.and_then(|_| self.open_for(row)) {
            Ok(lanes) => lanes,
            Err(pair) => {
                // Whatever is queued meanwhile only takes lanes away.
                let lanes = self.permitted(&pair[0]) & self.permitted(&pair[1]);
                waiting.waits_for = Freed { keys: 0, lanes };
                pair.iter().for_each(|access| waiting.waits_for.add_key(access.slot));
                (waiting.blocked_by, waiting.is_blocked) = (pair, true);
                return false;
            }
        };
        let lanes = (0..self.queues.len()).filter(|&lane| permitted >> lane & 1 == 1);
        let Some(lane) = lanes.min_by_key(|&lane| (self.loads[lane], lane)) else { return false };
        for access in row {
            let lock = &mut self.locks[access.slot as usize];
            if lock.counts == NONE {
                lock.counts = self.counts.take();
            }
            *self.counts.of(lock.counts, lane, access.kind) += 1;
            lock.lanes[access.kind as usize] |= 1 << lane;
        }
        let cost = self.block.cost(tx);
        self.loads[lane] = self.loads[lane].saturating_add(cost);
        if self.loads[lane] >= self.load_max {
            self.open &= !(1 << lane);
        }
        self.queues[lane].push_back(tx);
        if self.queues[lane].len() == 1 {
            self.running.push(Reverse((self.time.saturating_add(cost), lane)));
        }
        self.assigned[lane].push(tx);
        self.order.push(tx);
        true
    }

    /// The lanes that are not full and on which these accesses are permitted. If there are none, two accesses that
    /// leave none by themselves: each permits all lanes, one or none, so that no more are needed.
    fn open_for(&self, row: &[Access]) -> Result<u64, [Access; 2]> {
        let mut lanes = self.open;
        let mut narrowed_by = None;
        for access in row {
            let left = lanes & self.permitted(access);
            if left == 0 {
                return Err([narrowed_by.unwrap_or(*access), *access]);
            }
            if left != lanes {
                narrowed_by = Some(*access);
            }
            lanes = left;
        }
        Ok(lanes)
    }

    /// The lanes on which nobody else holds the key in a kind that conflicts.
    fn permitted(&self, access: &Access) -> u64 {
        let Lock { lanes: [read, add, write], .. } = self.locks[access.slot as usize];
        let others = write
            | match access.kind {
                Read => add,
                Add => read,
                Write => read | add,
            };
        match others.count_ones() {
            0 => u64::MAX,
            1 => others,
            _ => 0,
        }
    }

    /// Lets time pass until the next transaction ends. False if all lanes are idle.
    fn advance(&mut self) -> bool {
        let Some(Reverse((time, lane))) = self.running.pop() else { return false };
        self.time = time;
        let Some(tx) = self.queues[lane].pop_front() else { return true };
        self.loads[lane] = self.loads[lane].saturating_sub(self.block.cost(tx));
        if self.loads[lane] < self.load_max && self.open >> lane & 1 == 0 {
            self.open |= 1 << lane;
            self.freed_since.lanes |= 1 << lane;
        }
        for access in self.block.accesses().of(tx) {
            let kind: AccessKind = access.kind;
            let lock = &mut self.locks[access.slot as usize];
            let count = self.counts.of(lock.counts, lane, kind);
            *count -= 1;
            if *count == 0 {
                lock.lanes[kind as usize] &= !(1 << lane);
                self.freed_since.add_key(access.slot);
                if lock.lanes == [0; 3] {
                    self.counts.free.push(std::mem::replace(&mut lock.counts, NONE));
                }
            }
        }
        if let Some(&next) = self.queues[lane].front() {
            self.running.push(Reverse((time.saturating_add(self.block.cost(next)), lane)));
        }
        true
    }

    /// Lets time pass until it is worth looking at the waiting transactions again: a lane is idle and
    /// the last look found something, or [`ENDED_PER_PASS`] transactions have ended.
    pub(super) fn advance_to_pass(&mut self, has_assigned: bool) {
        for _ in 0..ENDED_PER_PASS {
            let has_idle = self.running.len() < self.queues.len();
            if has_idle && has_assigned || !self.advance() {
                break;
            }
        }
    }

    /// How many transactions were assigned.
    pub(super) fn n_assigned(&self) -> usize {
        self.order.len()
    }

    /// The plan: each lane a chain, and the conflicts between lanes.
    pub(super) fn into_plan(self, tail: &[u32]) -> Plan {
        let mut edges = Edges::new(self.block);
        thin::conflicts(self.block, self.order.iter().copied(), &mut edges);
        for lane in &self.assigned {
            lane.windows(2).for_each(|pair| edges.edge(pair[0], pair[1], 0));
        }
        let dag = Dag::of(self.block, &edges);
        plan_of(self.order, tail, Form::Graph(dag))
    }
}
