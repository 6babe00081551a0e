//! `greedy` and `prio-graph` against what they are described to do: every pass tries every transaction anew.

use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;

use super::super::dag::Edges;
use super::super::plan::{plan_of, split};
use super::super::thin::{self, Sink};
use super::super::*;
use super::{Add, Owned, Read, Write, brute};

/// How many a pass passes over, and how far the look ahead reaches.
const SCANNED_MAX: usize = 256;
const WINDOW: usize = 2048;

/// Lanes without a memory of why a transaction could not be queued.
struct Model<'a> {
    block: &'a Block<'a>,
    /// How many queued transactions of each lane hold each slot, by kind.
    held: Vec<[Vec<u32>; 3]>,
    queues: Vec<VecDeque<u32>>,
    /// When the first of each queue ends.
    ends: Vec<u64>,
    time: u64,
    assigned: Vec<Vec<u32>>,
    order: Vec<u32>,
}

impl<'a> Model<'a> {
    fn new(block: &'a Block<'a>, n_lanes: usize) -> Self {
        let free = || vec![0; n_lanes];
        Self {
            block,
            held: (0..block.accesses().n_slots()).map(|_| [free(), free(), free()]).collect(),
            queues: vec![VecDeque::new(); n_lanes],
            ends: vec![0; n_lanes],
            time: 0,
            assigned: vec![Vec::new(); n_lanes],
            order: Vec::new(),
        }
    }

    fn load(&self, lane: usize) -> u64 {
        self.queues[lane].iter().map(|&tx| self.block.cost(tx)).sum()
    }

    fn has_room(&self, lane: usize) -> bool {
        let total: u64 = self.block.txs().map(|tx| self.block.cost(tx)).sum();
        self.load(lane) < (total / 4 / self.queues.len() as u64).max(1)
    }

    fn is_full(&self) -> bool {
        !(0..self.queues.len()).any(|lane| self.has_room(lane))
    }

    fn assign(&mut self, tx: u32) -> bool {
        let row = self.block.accesses().of(tx);
        // Nobody else holds a key in a kind that conflicts.
        let is_permitted = |lane: usize| {
            row.iter().all(|access| {
                [Read, Add, Write].into_iter().filter(|kind| kind.conflicts(access.kind)).all(
                    |kind| {
                        let held = &self.held[access.slot as usize][kind as usize];
                        held.iter().enumerate().all(|(other, &n)| other == lane || n == 0)
                    },
                )
            })
        };
        let lanes = (0..self.queues.len()).filter(|&lane| is_permitted(lane));
        let lanes = lanes.filter(|&lane| self.has_room(lane));
        let Some(lane) = lanes.min_by_key(|&lane| (self.load(lane), lane)) else { return false };
        for access in row {
            self.held[access.slot as usize][access.kind as usize][lane] += 1;
        }
        if self.queues[lane].is_empty() {
            self.ends[lane] = self.time + self.block.cost(tx);
        }
        self.queues[lane].push_back(tx);
        self.assigned[lane].push(tx);
        self.order.push(tx);
        true
    }

    fn advance_to_pass(&mut self, has_assigned: bool) {
        for _ in 0..2 {
            let has_idle = self.queues.iter().any(VecDeque::is_empty);
            let busy = (0..self.queues.len()).filter(|&lane| !self.queues[lane].is_empty());
            let Some(lane) = busy.min_by_key(|&lane| (self.ends[lane], lane)) else { return };
            if has_idle && has_assigned {
                return;
            }
            self.time = self.ends[lane];
            let tx = self.queues[lane].pop_front().unwrap();
            for access in self.block.accesses().of(tx) {
                self.held[access.slot as usize][access.kind as usize][lane] -= 1;
            }
            if let Some(&next) = self.queues[lane].front() {
                self.ends[lane] = self.time + self.block.cost(next);
            }
        }
    }

    fn into_plan(self, mode: Mode) -> Plan {
        let mut edges = Edges::new(self.block);
        thin::conflicts(self.block, self.order.iter().copied(), &mut edges);
        for lane in &self.assigned {
            lane.windows(2).for_each(|pair| edges.edge(pair[0], pair[1], 0));
        }
        let dag = Dag::of(self.block, &edges);
        plan_of(self.order, &split(self.block, mode).1, Form::Graph(dag))
    }
}

fn greedy(block: &Block<'_>, n_lanes: usize) -> Plan {
    let mut waiting = split(block, Mode::Free).0;
    let mut lanes = Model::new(block, n_lanes);
    while !waiting.is_empty() {
        let (mut kept, mut late, n_before) = (Vec::new(), BTreeSet::new(), lanes.order.len());
        let mut seen = 0;
        while seen < waiting.len() && kept.len() < SCANNED_MAX && !lanes.is_full() {
            let tx = waiting[seen];
            seen += 1;
            if late.contains(&block.sender(tx)) || !lanes.assign(tx) {
                late.insert(block.sender(tx));
                kept.push(tx);
            }
        }
        kept.extend_from_slice(&waiting[seen..]);
        waiting = kept;
        lanes.advance_to_pass(lanes.order.len() > n_before);
    }
    lanes.into_plan(Mode::Free)
}

fn prio_graph(block: &Block<'_>, n_lanes: usize) -> Plan {
    let listed = split(block, Mode::Preserve).0;
    // Who waits for whom, by all pairs; and how many of those before each are not handed out.
    let waits = |a: u32, b: u32| {
        block.sender(a) == block.sender(b) || brute::conflict(block, a, b).is_some()
    };
    let after = |&a: &u32| listed.iter().copied().filter(|&b| b > a && waits(a, b)).collect();
    let after: Vec<Vec<u32>> = listed.iter().map(after).collect();
    let mut blocked = vec![0; listed.len()];
    after.iter().flatten().for_each(|&b| blocked[b as usize] += 1);
    let mut lanes = Model::new(block, n_lanes);
    // Free of those before them, and not handed out.
    let mut free: BTreeSet<u32> =
        listed.iter().copied().filter(|&tx| blocked[tx as usize] == 0).collect();
    while lanes.order.len() < listed.len() {
        let n_before = lanes.order.len();
        let (mut kept, mut assigned) = (BTreeSet::new(), Vec::new());
        let mut end = n_before + WINDOW;
        while kept.len() < SCANNED_MAX && !lanes.is_full() {
            let next = free.iter().copied().find(|tx| (*tx as usize) < end && !kept.contains(tx));
            match next {
                Some(tx) if lanes.assign(tx) => assigned.push(tx),
                Some(tx) => {
                    kept.insert(tx);
                    continue;
                }
                None if assigned.is_empty() => break,
                None => {
                    release(&mut assigned, &after, &mut blocked, &mut free);
                    end = lanes.order.len() + WINDOW;
                    continue;
                }
            }
            free.remove(lanes.order.last().unwrap());
        }
        release(&mut assigned, &after, &mut blocked, &mut free);
        lanes.advance_to_pass(lanes.order.len() > n_before);
    }
    lanes.into_plan(Mode::Preserve)
}

fn release(
    assigned: &mut Vec<u32>,
    after: &[Vec<u32>],
    blocked: &mut [u32],
    free: &mut BTreeSet<u32>,
) {
    for next in assigned.drain(..).flat_map(|tx| &after[tx as usize]) {
        blocked[*next as usize] -= 1;
        if blocked[*next as usize] == 0 {
            free.insert(*next);
        }
    }
}

/// Blocks in which more wait than a pass looks at.
fn crowded() -> impl Strategy<Value = Owned> {
    let row = prop::collection::vec((any::<u32>(), 0..6usize), 0..4);
    let tx = (row, 0..50u64, any::<u32>(), 0..1000u32);
    (prop::collection::vec(tx, 0..600), 1..60u32, 1..600u32).prop_map(
        |(txs, n_slots, n_senders)| {
            let mut owned = Owned::default();
            let n_txs = u32::try_from(txs.len()).unwrap();
            let kinds = [Read, Add, Write, Write, Write, Write];
            for (row, cost, sender, luck) in txs {
                let accesses =
                    row.iter().map(|&(slot, kind)| Access::new(slot % n_slots, kinds[kind]));
                owned.accesses.push_tx(accesses);
                owned.costs.push(cost);
                owned.senders.push(sender % n_senders.min(n_txs));
                owned.unlisted.push(luck == 0);
            }
            owned
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::cases::cases(40), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_not_tried_again_could_not_have_been_queued(
        owned in crowded(),
        n_lanes in prop::sample::select(vec![1, 2, 3, 8, 64]),
    ) {
        let block = owned.block();
        prop_assert_eq!(Greedy.plan(&block, n_lanes), greedy(&block, n_lanes));
        prop_assert_eq!(PrioGraph.plan(&block, n_lanes), prio_graph(&block, n_lanes));
    }
}

#[test]
fn a_block_beyond_the_look_ahead_is_planned_as_described() {
    let mut owned = Owned::default();
    // A few keys that many write, in no particular order; costs that differ.
    for tx in 0..3000u32 {
        let mixed = tx.wrapping_mul(2_654_435_761) >> 8;
        let accesses = [Access::new(mixed % 61, Write), Access::new(61 + mixed / 61 % 997, Write)];
        owned.accesses.push_tx(accesses);
        owned.costs.push(u64::from(mixed % 17));
        owned.senders.push(tx);
        owned.unlisted.push(false);
    }
    let block = owned.block();
    assert_eq!(Greedy.plan(&block, 8), greedy(&block, 8));
    assert_eq!(PrioGraph.plan(&block, 8), prio_graph(&block, 8));
}
