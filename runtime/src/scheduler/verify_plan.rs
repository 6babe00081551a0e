//! Whether a plan fits a block.

use std::cell::OnceCell;
use std::collections::HashSet;

use super::thin::{self, Sink};
use super::verify::{check_each_once, check_published};
use super::{Block, Dag, Form, Mode, Plan, Schedule, ScheduleError, verify};

/// Why a plan does not fit a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Its batches or its published order do not fit.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// Its batches are not in the order that it publishes.
    #[error("tx={batched} comes next in the batches, and tx={published} in the published order")]
    OtherOrder {
        /// The first of the published order that comes later in the batches.
        published: u32,
        /// Who comes there in the batches.
        batched: u32,
    },
    /// The batches have another tail than the published order.
    #[error("the tail of the batches has n_txs={batched}, that of the published order {published}")]
    OtherTail {
        /// How many transactions the published order says are in the tail.
        published: usize,
        /// How many the batches leave there.
        batched: usize,
    },
    /// A transaction whose access list is not known is not in the tail.
    #[error("tx={tx} has no access list and is not in the tail")]
    Unlisted {
        /// The transaction.
        tx: u32,
    },
    /// Its graph is one of another block.
    #[error("the graph has n_txs={found}, the block n_txs={expected}")]
    OtherBlock {
        /// How many transactions the graph has.
        found: u32,
        /// How many the block has.
        expected: u32,
    },
    /// A transaction waits for one that the published order puts after it.
    #[error("tx={waiting} waits for tx={before}, which the published order puts after it")]
    Backward {
        /// The one that is waited for.
        before: u32,
        /// The one that waits.
        waiting: u32,
    },
    /// Nothing keeps two transactions in the published order, which they need on a key.
    #[error("tx={second} does not wait for tx={first}, and they conflict on slot={slot}")]
    Unordered {
        /// The one that the published order puts first.
        first: u32,
        /// The other.
        second: u32,
        /// A key that they need the order for.
        slot: u32,
    },
    /// The transactions that run again are not the end of the published order.
    #[error("tx={tx} runs again, and does not come there in the end of the published order")]
    Again {
        /// The last one that has another place.
        tx: u32,
    },
}

impl PlanError {
    /// The key that it is about, if it is about one.
    #[must_use]
    pub const fn slot(&self) -> Option<u32> {
        match self {
            Self::Schedule(error) => error.slot(),
            Self::Unordered { slot, .. } => Some(*slot),
            _ => None,
        }
    }
}

/// Checks that a plan fits a block: its published order names each transaction once and keeps senders
/// in order, and in [`Mode::Preserve`] every conflict; what it runs at the same time does not need an
/// order. The plan may come from anyone.
///
/// O(accesses + edges), and where a conflict is kept in order only through other transactions, as
/// much again for every 64 of the transactions that come first in such pairs.
///
/// # Errors
/// [`PlanError`]: the first fault in that order, with the pair and the key.
pub fn verify_plan(plan: &Plan, block: &Block<'_>, mode: Mode) -> Result<(), PlanError> {
    check_each_once(plan.order(), block)?;
    if let Form::Batches(schedule) = plan.form() {
        verify(schedule, block, mode)?;
        return check_same_order(schedule, plan);
    }
    if let Some(&tx) = plan.body().iter().find(|&&tx| block.is_unlisted(tx)) {
        return Err(PlanError::Unlisted { tx });
    }
    check_published(plan.order(), block, mode)?;
    match plan.form() {
        Form::Graph(dag) => {
            let mut pairs = Pairs::new(block);
            thin::conflicts(block, plan.body().iter().copied(), &mut pairs);
            check_dag(dag, plan.body(), block, &pairs)
        }
        Form::Versions(dag) => {
            let mut pairs = Pairs::new(block);
            thin::reads_after_writes(block, plan.body().iter().copied(), &mut pairs);
            check_dag(dag, plan.body(), block, &pairs)
        }
        Form::Rounds { again, dag } => {
            check_again(again, plan.body())?;
            let first = &plan.body()[..plan.body().len() - again.len()];
            check_first_round(block, first)?;
            let mut pairs = Pairs::new(block);
            thin::conflicts(block, again.iter().copied(), &mut pairs);
            check_dag(dag, again, block, &pairs)
        }
        // Hints only advise, but who waits must not wait for ever.
        Form::Optimistic { hints: Some(dag) } => places(dag, plan.body(), block).map(drop),
        // Values are checked when they are used.
        Form::Optimistic { hints: None } | Form::Values | Form::Batches(_) => Ok(()),
    }
}

/// Checks that batches are in the order that a plan publishes; both have each transaction once.
fn check_same_order(schedule: &Schedule, plan: &Plan) -> Result<(), PlanError> {
    let mut pairs = plan.order().iter().zip(schedule.order());
    if let Some((&published, &batched)) = pairs.find(|(published, batched)| published != batched) {
        return Err(PlanError::OtherOrder { published, batched });
    }
    let (published, batched) = (plan.tail().len(), schedule.tail().len());
    if published == batched { Ok(()) } else { Err(PlanError::OtherTail { published, batched }) }
}

/// Checks that what runs again are the last of those that do not run one by one.
fn check_again(again: &[u32], body: &[u32]) -> Result<(), PlanError> {
    let mut last = body.iter().rev();
    match again.iter().rev().find(|&tx| last.next() != Some(tx)) {
        Some(&tx) => Err(PlanError::Again { tx }),
        None => Ok(()),
    }
}

/// Checks that nobody reads what another one leaves who comes before it: all of them run at once on
/// the state before the block.
fn check_first_round(block: &Block<'_>, txs: &[u32]) -> Result<(), PlanError> {
    let mut pairs = Pairs::new(block);
    thin::reads_after_writes(block, txs.iter().copied(), &mut pairs);
    match pairs.pairs.first() {
        Some(&(from, second, slot)) => {
            Err(PlanError::Unordered { first: pairs.source(from), second, slot })
        }
        None => Ok(()),
    }
}

/// The pairs that must be kept in order: a transaction, or a join that stands for all that lead into it; another transaction;
/// and the key. They are not multiplied out, because n readers after m adders would be n x m.
struct Pairs {
    n_txs: u32,
    /// What leads into each join.
    joined: Vec<Vec<u32>>,
    pairs: Vec<(u32, u32, u32)>,
}

impl Pairs {
    fn new(block: &Block<'_>) -> Self {
        Self { n_txs: block.txs().end, joined: Vec::new(), pairs: Vec::new() }
    }
}

impl Sink for Pairs {
    fn join(&mut self) -> u32 {
        self.joined.push(Vec::new());
        self.n_txs + u32::try_from(self.joined.len()).expect("fewer joins than accesses") - 1
    }

    fn edge(&mut self, from: u32, to: u32, slot: u32) {
        match to.checked_sub(self.n_txs) {
            Some(join) => self.joined[join as usize].push(from),
            None => self.pairs.push((from, to, slot)),
        }
    }
}

impl Pairs {
    /// A transaction that a node stands for.
    fn source(&self, mut node: u32) -> u32 {
        while let Some(join) = node.checked_sub(self.n_txs) {
            node = *self.joined[join as usize].first().expect("something leads into a join");
        }
        node
    }

    /// All transactions that the first nodes of these pairs stand for.
    fn sources(&self, pairs: &[(u32, u32, u32)]) -> Vec<u32> {
        let mut is_source = vec![false; self.n_txs as usize + self.joined.len()];
        pairs.iter().for_each(|&(from, ..)| is_source[from as usize] = true);
        // What leads into a join was there before it.
        for (join, members) in self.joined.iter().enumerate().rev() {
            if is_source[self.n_txs as usize + join] {
                members.iter().for_each(|&member| is_source[member as usize] = true);
            }
        }
        (0..self.n_txs).filter(|&tx| is_source[tx as usize]).collect()
    }

    /// For each node which of at most 64 transactions it stands for.
    fn stands_for(&self, txs: &[u32]) -> Vec<u64> {
        let mut bits = vec![0u64; self.n_txs as usize + self.joined.len()];
        txs.iter().enumerate().for_each(|(bit, &tx)| bits[tx as usize] = 1 << bit);
        for (join, members) in (self.n_txs..).zip(&self.joined) {
            bits[join as usize] =
                members.iter().fold(0, |all, &member| all | bits[member as usize]);
        }
        bits
    }
}

fn check_dag(dag: &Dag, order: &[u32], block: &Block<'_>, pairs: &Pairs) -> Result<(), PlanError> {
    let places = places(dag, order, block)?;
    let unsettled = unsettled(dag, pairs);
    // 64 at a time: a bit of a node says that the source reaches it.
    let mut sources = pairs.sources(&unsettled);
    sources.sort_unstable_by_key(|&tx| places[tx as usize]);
    for sources in sources.chunks(64) {
        let (needed, reached) = (pairs.stands_for(sources), reach(dag, sources));
        let missing = unsettled.iter().filter_map(|&(from, second, slot)| {
            let missing = needed[from as usize] & !reached[second as usize];
            (missing != 0).then(|| (missing.trailing_zeros(), second, slot))
        });
        if let Some((bit, second, slot)) = missing.min_by_key(|(bit, ..)| *bit) {
            return Err(PlanError::Unordered { first: sources[bit as usize], second, slot });
        }
    }
    Ok(())
}

/// The pairs that no edge keeps in order, and no join between two edges.
fn unsettled(dag: &Dag, pairs: &Pairs) -> Vec<(u32, u32, u32)> {
    let rows = Rows { dag, of_long: OnceCell::new() };
    let mut same = Vec::new();
    for (join, members) in (pairs.n_txs..).zip(&pairs.joined) {
        same.push(rows.same_as(join, members, &same));
    }
    let is_kept = |from: u32, to: u32| match from.checked_sub(pairs.n_txs) {
        Some(join) => same[join as usize].is_some_and(|same| rows.leads(same, to)),
        None => {
            rows.leads(from, to) || rows.joins_of(from).iter().any(|&join| rows.leads(join, to))
        }
    };
    pairs.pairs.iter().copied().filter(|&(from, to, _)| !is_kept(from, to)).collect()
}

/// A row that is longer is not gone through for each pair, so that a crafted graph stays linear.
const SHORT: usize = 32;

/// The edges of a graph, to be asked for.
struct Rows<'a> {
    dag: &'a Dag,
    /// Those of long rows, once one was asked for that is not where it would stand in order.
    of_long: OnceCell<HashSet<(u32, u32)>>,
}

impl Rows<'_> {
    fn leads(&self, from: u32, to: u32) -> bool {
        let row = self.dag.successors(from);
        if row.len() <= SHORT {
            return row.contains(&to);
        }
        let edges = || {
            let nodes = (0u32..).take(self.dag.n_nodes());
            let rows = nodes.map(|node| (node, self.dag.successors(node)));
            let long = rows.filter(|(_, row)| row.len() > SHORT);
            long.flat_map(|(node, row)| row.iter().map(move |&to| (node, to))).collect()
        };
        row.binary_search(&to).is_ok() || self.of_long.get_or_init(edges).contains(&(from, to))
    }

    /// The joins that a transaction leads to, unless it leads to much.
    fn joins_of(&self, tx: u32) -> Vec<u32> {
        let row = Some(self.dag.successors(tx)).filter(|row| row.len() <= SHORT);
        row.into_iter().flatten().copied().filter(|&node| node >= self.dag.n_txs()).collect()
    }

    /// A join of the graph to which all lead that lead into a join of the pairs, where `same` has those of the joins before:
    /// that of the same number, where the graph was made as the pairs were.
    fn same_as(&self, join: u32, members: &[u32], same: &[Option<u32>]) -> Option<u32> {
        let n_txs = self.dag.n_txs();
        let all_lead_to = |node: u32| {
            members.iter().all(|&member| match member.checked_sub(n_txs) {
                None => self.leads(member, node),
                Some(before) => {
                    same[before as usize].is_some_and(|before| self.leads(before, node))
                }
            })
        };
        let own = Some(join).filter(|&join| (join as usize) < self.dag.n_nodes());
        let first_tx = members.iter().find(|&&member| member < n_txs);
        let others = first_tx.map(|&tx| self.joins_of(tx)).unwrap_or_default();
        own.into_iter().chain(others).find(|&node| all_lead_to(node))
    }
}

/// Where each transaction stands in the published order; every edge must lead forward, and nobody
/// may wait for a transaction that is not run here.
fn places(dag: &Dag, order: &[u32], block: &Block<'_>) -> Result<Vec<u32>, PlanError> {
    let (found, expected) = (dag.n_txs(), block.txs().end);
    if found != expected {
        return Err(PlanError::OtherBlock { found, expected });
    }
    const NOWHERE: u32 = u32::MAX;
    let mut places = vec![NOWHERE; dag.n_nodes()];
    (0..).zip(order).for_each(|(place, &tx)| places[tx as usize] = place);
    // The last transaction that leads to a node, through joins: it must stand before it.
    let mut latest: Vec<Option<u32>> = vec![None; dag.n_nodes()];
    for node in topological(dag) {
        let is_tx = node < dag.n_txs();
        let last = latest[node as usize];
        if let (true, Some(before)) = (is_tx, last)
            && (places[before as usize] == NOWHERE
                || places[before as usize] >= places[node as usize])
        {
            return Err(PlanError::Backward { before, waiting: node });
        }
        let leads = if is_tx { Some(node) } else { last };
        for &next in dag.successors(node) {
            let latest = &mut latest[next as usize];
            *latest = match (*latest, leads) {
                (Some(a), Some(b)) if places[a as usize] >= places[b as usize] => Some(a),
                (a, b) => b.or(a),
            };
        }
    }
    Ok(places)
}

fn topological(dag: &Dag) -> Vec<u32> {
    let mut left = dag.indegrees().to_vec();
    let mut order: Vec<u32> = (0..).zip(&left).filter(|(_, n)| **n == 0).map(|(n, _)| n).collect();
    let mut at = 0;
    while let Some(&node) = order.get(at) {
        at += 1;
        for &next in dag.successors(node) {
            left[next as usize] -= 1;
            if left[next as usize] == 0 {
                order.push(next);
            }
        }
    }
    order
}

/// For each node, which of at most 64 sources reach it.
fn reach(dag: &Dag, sources: &[u32]) -> Vec<u64> {
    let mut reached = vec![0u64; dag.n_nodes()];
    for (bit, &source) in sources.iter().enumerate() {
        reached[source as usize] |= 1 << bit;
    }
    for node in topological(dag) {
        let bits = reached[node as usize];
        if bits != 0 {
            for &next in dag.successors(node) {
                reached[next as usize] |= bits;
            }
        }
    }
    reached
}
