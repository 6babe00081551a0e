//! The clusters of each stage.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use kempe_abi::AccessKind::{self, Read, Write};

use crate::scheduler::{Access, Block};

/// No transaction, or no entry.
const NONE: u32 = u32::MAX;

/// The clusters of all stages while they are packed: in a stage, the transactions of two conflict with each other nowhere.
pub(super) struct Clusters<'a> {
    block: &'a Block<'a>,
    n_workers: usize,
    n_stages: u32,
    /// A forest: each transaction's parent; a root's cluster is that of its tree.
    parents: Vec<u32>,
    /// For each root, what its cluster costs.
    costs: Vec<u64>,
    /// For each slot and stage who touched it: those of a slot stand together.
    keys: Vec<Key>,
    /// Members of keys beside their first: each with the next.
    others: Vec<(u32, u32)>,
    stages: Vec<Stage>,
    /// What [`least_time`](Self::least_time) gives.
    least: u64,
    /// The clusters that a transaction joins, while it is looked at.
    joined: Vec<u32>,
}

/// What is known of a stage.
#[derive(Clone, Copy, Default)]
struct Stage {
    work: u128,
    /// What its largest cluster costs.
    largest: u64,
    /// What it takes at least.
    least: u64,
}

/// Who touched a key: members that commute, or one that stands for the cluster of them all.
#[derive(Clone, Copy)]
struct Key {
    /// What the members' clusters cost together when that was last asked; not more than now.
    cost: u64,
    /// A member; [`NONE`] if there is none.
    first: u32,
    /// The others, in a list.
    others: u32,
    kind: AccessKind,
}

const UNTOUCHED: Key = Key { cost: 0, first: NONE, others: NONE, kind: Read };

impl Key {
    fn conflicts(&self, access: &Access) -> bool {
        self.first != NONE && self.kind.conflicts(access.kind)
    }
}

impl<'a> Clusters<'a> {
    /// None, for so many workers.
    pub(super) fn new(block: &'a Block<'a>, n_workers: usize) -> Self {
        Self {
            block,
            n_workers,
            n_stages: 0,
            parents: Vec::new(),
            costs: vec![0; block.n_txs()],
            keys: Vec::new(),
            others: Vec::new(),
            stages: Vec::new(),
            least: 0,
            joined: Vec::new(),
        }
    }

    pub(super) fn block(&self) -> &'a Block<'a> {
        self.block
    }

    pub(super) fn n_workers(&self) -> usize {
        self.n_workers
    }

    /// Forgets all, for so many stages.
    pub(super) fn clear(&mut self, n_stages: u32) {
        self.n_stages = n_stages;
        self.parents.clear();
        self.parents.extend(self.block.txs());
        self.keys.clear();
        self.keys.resize(self.block.accesses().n_slots() * n_stages as usize, UNTOUCHED);
        self.others.clear();
        self.stages.clear();
        self.stages.resize(n_stages as usize, Stage::default());
        self.least = 0;
    }

    /// What all that was added takes at least: in each stage as long as its largest cluster, or its share of the work.
    pub(super) fn least_time(&self) -> u64 {
        self.least
    }

    /// The transaction that stands for a transaction's cluster.
    pub(super) fn root(&mut self, mut tx: u32) -> u32 {
        while self.parents[tx as usize] != tx {
            let above = self.parents[self.parents[tx as usize] as usize];
            self.parents[tx as usize] = above;
            tx = above;
        }
        tx
    }

    fn key(&self, stage: u32, slot: u32) -> usize {
        slot as usize * self.n_stages as usize + stage as usize
    }

    /// Adds a transaction to a stage if the cluster that it makes costs at most `share`.
    pub(super) fn add(&mut self, stage: u32, tx: u32, share: u64) -> bool {
        let row = self.block.accesses().of(tx);
        let own = self.block.cost(tx);
        // A key's clusters only grow: what did not fit once will not fit later.
        let is_too_much = |access: &Access| {
            let key = &self.keys[self.key(stage, access.slot)];
            key.conflicts(access) && key.cost.saturating_add(own) > share
        };
        if own > share || row.iter().any(is_too_much) {
            return false;
        }
        self.joined.clear();
        for access in row {
            let at = self.key(stage, access.slot);
            if self.keys[at].conflicts(access) {
                self.join_members(at);
            }
        }
        self.joined.sort_unstable();
        self.joined.dedup();
        let costs = self.joined.iter().map(|&root| self.costs[root as usize]);
        let cost = costs.fold(own, u64::saturating_add);
        if cost > share {
            return false;
        }
        for &root in &self.joined {
            self.parents[root as usize] = tx;
        }
        self.costs[tx as usize] = cost;
        for access in row {
            let at = self.key(stage, access.slot);
            let key = &mut self.keys[at];
            if key.conflicts(access) {
                // One cluster holds all of them now: whoever comes conflicts with a member of it.
                *key = Key { first: tx, others: NONE, kind: Write, cost };
            } else if key.first == NONE {
                *key = Key { first: tx, others: NONE, kind: access.kind, cost };
            } else {
                let before = std::mem::replace(&mut key.others, index(self.others.len()));
                self.others.push((tx, before));
            }
        }
        self.count(stage, own, cost);
        true
    }

    /// Adds the clusters of a key's members to those that are joined, and keeps one member of each.
    fn join_members(&mut self, at: usize) {
        let Key { first, mut others, .. } = self.keys[at];
        let root = self.root(first);
        if others == NONE {
            self.joined.push(root);
            let key = &mut self.keys[at];
            (key.first, key.cost) = (root, self.costs[root as usize]);
            return;
        }
        let mut roots = vec![root];
        let mut entries = Vec::new();
        while others != NONE {
            let (member, next) = self.others[others as usize];
            roots.push(self.root(member));
            entries.push(others);
            others = next;
        }
        roots.sort_unstable();
        roots.dedup();
        let cost = roots.iter().map(|&root| self.costs[root as usize]);
        let cost = cost.fold(0, u64::saturating_add);
        let mut next = NONE;
        for (&root, entry) in roots[1..].iter().zip(entries) {
            self.others[entry as usize] = (root, next);
            next = entry;
        }
        let key = &mut self.keys[at];
        (key.first, key.others, key.cost) = (roots[0], next, cost);
        self.joined.extend(roots);
    }

    /// Counts a transaction that costs so much and has made a cluster that costs so much.
    fn count(&mut self, stage: u32, own: u64, cluster: u64) {
        let stage = &mut self.stages[stage as usize];
        stage.work += u128::from(own);
        stage.largest = stage.largest.max(cluster);
        let even = stage.work.div_ceil(self.n_workers as u128);
        let least = u64::try_from(even).unwrap_or(u64::MAX).max(stage.largest);
        self.least = self.least.saturating_add(least - std::mem::replace(&mut stage.least, least));
    }

    /// Gives the root of each cluster of a stage, whose members these are, a worker, the largest cluster first, and
    /// returns when the last ends.
    pub(super) fn spread(&self, members: impl Iterator<Item = u32>, workers: &mut [usize]) -> u64 {
        let mut roots: Vec<u32> = members.filter(|&tx| self.parents[tx as usize] == tx).collect();
        roots.sort_by_key(|&root| Reverse(self.costs[root as usize]));
        let mut free: BinaryHeap<Reverse<(u64, usize)>> =
            (0..self.n_workers).map(|worker| Reverse((0, worker))).collect();
        let mut end = 0;
        for root in roots {
            let Some(mut first) = free.peek_mut() else { break };
            let Reverse((time, worker)) = &mut *first;
            workers[root as usize] = *worker;
            *time = time.saturating_add(self.costs[root as usize]);
            end = end.max(*time);
            drop::<PeekMut<'_, _>>(first);
        }
        end
    }
}

fn index(at: usize) -> u32 {
    u32::try_from(at).expect("a block has fewer than 2^32 accesses")
}
