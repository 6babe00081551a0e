//! `stages` against its description: every try is packed to its end, and every key knows all its members.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;

use super::super::dag::Edges;
use super::super::plan::{plan_of, split};
use super::super::thin::{self, Sink};
use super::super::*;
use super::{Add, Owned, Read, Write, kind};

fn planned(block: &Block<'_>, n_workers: usize) -> Plan {
    let (listed, tail) = split(block, Mode::Free);
    let one = std::iter::once((1, n_workers, 100));
    let several = (2..=4).flat_map(|n_stages| {
        let halves = std::iter::successors(Some(n_workers), |&n| (n > 2).then(|| n.div_ceil(2)));
        halves.flat_map(move |n| [100, 120, 150].map(|percent| (n_stages, n, percent)))
    });
    let packed = one.chain(several).map(|(n_stages, n, percent)| {
        pack(block, &listed, n_workers, n_stages, Share { n, percent })
    });
    let best = packed.min_by_key(|packed| packed.time).unwrap();
    let mut body = listed;
    body.sort_by_key(|&tx| (best.stages[tx as usize], tx));
    let dag = best.dag(block, &body);
    plan_of(body, &tail, Form::Graph(dag))
}

/// How large a cluster may be: so many percent of what falls to each of `n` workers in a stage.
#[derive(Clone, Copy)]
struct Share {
    n: usize,
    percent: u64,
}

/// A packed block.
struct Packed {
    n_stages: u32,
    n_workers: usize,
    stages: Vec<u32>,
    /// The worker of each transaction.
    workers: Vec<usize>,
    time: u64,
}

fn pack(
    block: &Block<'_>,
    listed: &[u32],
    n_workers: usize,
    n_stages: u32,
    share: Share,
) -> Packed {
    let work: u128 = listed.iter().map(|&tx| u128::from(block.cost(tx))).sum();
    let n_shares = share.n as u128 * u128::from(n_stages);
    let share = work * u128::from(share.percent) / 100 / n_shares;
    let share = u64::try_from(share).unwrap_or(u64::MAX).max(1);
    let mut built: Vec<Clusters<'_>> = (0..n_stages).map(|_| Clusters::new(block)).collect();
    let mut stages = vec![0; block.n_txs()];
    let mut floors = vec![0u32; block.n_txs()];
    for &tx in listed {
        let floor = &mut floors[block.sender(tx) as usize];
        let last = n_stages - 1;
        let fits = |stage: &u32| {
            built[*stage as usize].add(tx, if *stage == last { u64::MAX } else { share })
        };
        let stage = (*floor..n_stages).find(fits).expect("the last stage takes every transaction");
        (*floor, stages[tx as usize]) = (stage, stage);
    }
    let mut workers = vec![0; block.n_txs()];
    let mut time = 0u64;
    for (stage, clusters) in (0..).zip(&mut built) {
        let members = listed.iter().copied().filter(|&tx| stages[tx as usize] == stage);
        time = time.saturating_add(clusters.spread(members, n_workers, &mut workers));
    }
    Packed { n_stages, n_workers, stages, workers, time }
}

impl Packed {
    /// Each worker's transactions of a stage as a chain, the conflicts, and barriers between stages.
    fn dag(&self, block: &Block<'_>, body: &[u32]) -> Dag {
        let mut edges = Edges::new(block);
        thin::conflicts(block, body.iter().copied(), &mut edges);
        let barriers: Vec<u32> = (1..self.n_stages).map(|_| edges.join()).collect();
        let mut last = vec![None; self.n_workers];
        let mut now = 0;
        for &tx in body {
            let stage = self.stages[tx as usize] as usize;
            while now < stage {
                last.iter_mut().filter_map(Option::take).for_each(|tx| {
                    edges.edge(tx, barriers[now], 0);
                });
                now += 1;
                if let Some(&next) = barriers.get(now) {
                    edges.edge(barriers[now - 1], next, 0);
                }
            }
            match last[self.workers[tx as usize]].replace(tx) {
                Some(before) => edges.edge(before, tx, 0),
                None if stage > 0 => edges.edge(barriers[stage - 1], tx, 0),
                None => {}
            }
        }
        Dag::of(block, &edges)
    }
}

/// The clusters of a stage: the transactions of two conflict with each other nowhere.
struct Clusters<'a> {
    block: &'a Block<'a>,
    /// A forest: each transaction's parent; a root's cluster is that of its tree.
    parents: Vec<u32>,
    costs: Vec<u64>,
    keys: Vec<Key>,
}

/// Who touched a key: members that commute, or one that stands for the cluster of them all.
#[derive(Clone)]
struct Key {
    members: Vec<u32>,
    kind: kempe_abi::AccessKind,
    /// What the members' clusters cost together when that was last asked; not more than now.
    cost: u64,
}

impl<'a> Clusters<'a> {
    fn new(block: &'a Block<'a>) -> Self {
        let key = Key { members: Vec::new(), kind: Read, cost: 0 };
        Self {
            block,
            parents: block.txs().collect(),
            costs: block.txs().map(|tx| block.cost(tx)).collect(),
            keys: vec![key; block.accesses().n_slots()],
        }
    }

    fn root(&mut self, mut tx: u32) -> u32 {
        while self.parents[tx as usize] != tx {
            let above = self.parents[self.parents[tx as usize] as usize];
            self.parents[tx as usize] = above;
            tx = above;
        }
        tx
    }

    /// Adds a transaction if the cluster that it makes costs at most `share`.
    fn add(&mut self, tx: u32, share: u64) -> bool {
        let row = self.block.accesses().of(tx);
        let own = self.block.cost(tx);
        let conflicting = |key: &Key, access: &Access| key.kind.conflicts(access.kind);
        let mut roots = Vec::new();
        for access in row {
            let key = &mut self.keys[access.slot as usize];
            if conflicting(key, access) {
                let mut members = std::mem::take(&mut key.members);
                members.iter_mut().for_each(|member| *member = self.root(*member));
                members.sort_unstable();
                members.dedup();
                let costs = members.iter().map(|&root| self.costs[root as usize]);
                let cost = costs.fold(0, u64::saturating_add);
                roots.extend_from_slice(&members);
                let key = &mut self.keys[access.slot as usize];
                (key.members, key.cost) = (members, cost);
            }
        }
        roots.sort_unstable();
        roots.dedup();
        let joined = roots.iter().map(|&root| self.costs[root as usize]);
        let cost = joined.fold(own, u64::saturating_add);
        if cost > share {
            return false;
        }
        for &root in &roots {
            self.parents[root as usize] = tx;
        }
        self.costs[tx as usize] = cost;
        for access in row {
            let key = &mut self.keys[access.slot as usize];
            if !key.members.is_empty() && conflicting(key, access) {
                // One cluster holds all of them now: whoever comes conflicts with a member of it.
                *key = Key { members: vec![tx], kind: Write, cost };
            } else {
                key.kind = access.kind;
                key.members.push(tx);
            }
        }
        true
    }

    /// Gives each member's cluster a worker, the largest first, and returns when the last ends.
    fn spread(
        &mut self,
        members: impl Iterator<Item = u32>,
        n_workers: usize,
        workers: &mut [usize],
    ) -> u64 {
        let members: Vec<u32> = members.collect();
        let mut roots: Vec<u32> = members.iter().map(|&tx| self.root(tx)).collect();
        roots.sort_unstable();
        roots.dedup();
        roots.sort_by_key(|&root| Reverse(self.costs[root as usize]));
        let mut free: BinaryHeap<Reverse<(u64, usize)>> =
            (0..n_workers).map(|worker| Reverse((0, worker))).collect();
        let mut end = 0;
        for root in roots {
            let Some(Reverse((time, worker))) = free.pop() else { break };
            workers[root as usize] = worker;
            let time = time.saturating_add(self.costs[root as usize]);
            end = end.max(time);
            free.push(Reverse((time, worker)));
        }
        for tx in members {
            workers[tx as usize] = workers[self.root(tx) as usize];
        }
        end
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_try_that_is_given_up_would_not_have_been_taken(
        rows in prop::collection::vec(
            (prop::collection::vec((0..40u32, 0..8u8), 0..4), 1..60u64, 0..300u32),
            1..300,
        ),
        n_workers in 1..20usize,
        is_even in any::<bool>(),
    ) {
        let mut owned = Owned::default();
        let n_txs = u32::try_from(rows.len()).unwrap();
        for (row, cost, sender) in rows {
            // Mostly writes, and a few keys that are hot.
            let access = |(slot, of): (u32, u8)| {
                let kind = [Write, Write, Write, Write, Write, kind(of), Read, Add][usize::from(of)];
                Access::new(slot * slot / 40, kind)
            };
            owned.accesses.push_tx(row.into_iter().map(access));
            owned.costs.push(if is_even { 10 } else { cost });
            owned.senders.push(sender % n_txs);
            owned.unlisted.push(false);
        }
        let block = owned.block();
        prop_assert_eq!(Stages.plan(&block, n_workers), planned(&block, n_workers));
    }
}
