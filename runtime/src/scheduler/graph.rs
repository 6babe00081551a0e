//! The thinned conflict graph: who waits for whom, in the given order.

use std::ops::Range;

use petgraph::Direction::Incoming;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::Block;
use super::thin::{self, NONE, Sink};

/// A node of a [`ConflictGraph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// A transaction.
    Tx(u32),
    /// Stands for all members of a group of transactions that commute on a slot, where a group of
    /// another kind follows: n readers and m adders are n + m edges instead of n * m. It takes no
    /// time.
    Join,
}

/// The conflict graph of a block in the given order, thinned: a transaction points only to the
/// transactions that touched the slot last before it in a way that conflicts.
///
/// Every pair that conflicts is joined by a path, never necessarily by an edge, so its longest paths
/// are those of the full graph and its colorings are not. It has at most two edges for each access.
/// It says nothing about senders, and nothing about unlisted transactions, whose accesses nobody
/// knows.
#[derive(Clone, Debug)]
pub struct ConflictGraph {
    graph: DiGraph<Node, u32, u32>,
    n_txs: u32,
}

/// A reason why a transaction waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// The transaction that comes before.
    pub tx: u32,
    /// The key that both touch.
    pub slot: u32,
}

/// The chain of conflicts that takes longest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CriticalPath {
    /// What its transactions cost together; saturates.
    pub cost: u64,
    /// The transactions, each waiting for the one before.
    pub txs: Vec<u32>,
}

impl Sink for DiGraph<Node, u32, u32> {
    fn join(&mut self) -> u32 {
        index(self.add_node(Node::Join))
    }

    fn edge(&mut self, from: u32, to: u32, slot: u32) {
        self.add_edge(from.into(), to.into(), slot);
    }
}

impl ConflictGraph {
    /// Builds the graph in one pass over the accesses. The node of transaction i has index i; joins
    /// come after them.
    #[must_use]
    pub fn new(block: &Block<'_>) -> Self {
        let accesses = block.accesses();
        let mut graph = DiGraph::with_capacity(block.n_txs(), accesses.n_accesses());
        block.txs().for_each(|tx| _ = graph.add_node(Node::Tx(tx)));
        let listed = block.txs().filter(|&tx| !block.is_unlisted(tx));
        thin::conflicts(block, listed, &mut graph);
        Self { graph, n_txs: block.txs().end }
    }

    /// The graph. An edge points from the transaction that comes first to the one that waits; its
    /// weight is the slot.
    #[must_use]
    pub fn graph(&self) -> &DiGraph<Node, u32, u32> {
        &self.graph
    }

    /// The transactions' numbers.
    #[must_use]
    pub fn txs(&self) -> Range<u32> {
        0..self.n_txs
    }

    /// Which transactions a transaction waits for directly, and on which slots; sorted. Empty for a
    /// transaction that the block does not have.
    #[must_use]
    pub fn waits_for(&self, tx: u32) -> Vec<Wait> {
        let mut waits = Vec::new();
        if tx >= self.n_txs {
            return waits;
        }
        for (before, slot) in self.incoming(tx) {
            if before < self.n_txs {
                waits.push(Wait { tx: before, slot });
            } else {
                waits.extend(self.incoming(before).map(|(tx, slot)| Wait { tx, slot }));
            }
        }
        waits.sort_unstable();
        waits
    }

    /// For each transaction, the length of the longest chain of conflicts that ends before it: its
    /// layer. Joins add nothing.
    #[must_use]
    pub fn levels(&self) -> Vec<u64> {
        let (ends, _) = self.longest(|_| 1);
        self.txs().map(|tx| ends[tx as usize] - 1).collect()
    }

    /// The most expensive chain of conflicts. With unlimited workers and no barriers the block takes
    /// as long, in this order.
    #[must_use]
    pub fn critical_path(&self, block: &Block<'_>) -> CriticalPath {
        let (ends, before) = self.longest(|tx| block.cost(tx));
        // The first of the most expensive, so that the answer is one.
        let last = self.txs().min_by_key(|&tx| (std::cmp::Reverse(ends[tx as usize]), tx));
        let Some(last) = last else { return CriticalPath::default() };
        let mut txs = Vec::new();
        let mut node = last;
        while node != NONE {
            if node < self.n_txs {
                txs.push(node);
            }
            node = before[node as usize];
        }
        txs.reverse();
        CriticalPath { cost: ends[last as usize], txs }
    }

    /// The cost of the most expensive chain among the first `n_txs` transactions.
    pub(super) fn longest_before(&self, block: &Block<'_>, n_txs: usize) -> u64 {
        let (ends, _) = self.longest(|tx| block.cost(tx));
        ends.iter().take(n_txs).max().copied().unwrap_or(0)
    }

    /// For each node, the cost of the most expensive chain that ends with it, and the node before it
    /// on that chain.
    fn longest(&self, cost: impl Fn(u32) -> u64) -> (Vec<u64>, Vec<u32>) {
        let n_nodes = self.graph.node_count();
        let mut ends = vec![0u64; n_nodes];
        let mut before = vec![NONE; n_nodes];
        let mut is_joined = vec![false; n_nodes - self.n_txs as usize];
        // Edges lead from lower to higher transactions, so by index is a topological order once each
        // join is settled when the first transaction asks for it.
        for tx in self.txs() {
            for (from, _) in self.incoming(tx) {
                if from >= self.n_txs
                    && !std::mem::replace(&mut is_joined[(from - self.n_txs) as usize], true)
                {
                    self.settle(from, &mut ends, &mut before);
                }
            }
            self.settle(tx, &mut ends, &mut before);
            ends[tx as usize] = ends[tx as usize].saturating_add(cost(tx));
        }
        (ends, before)
    }

    /// Finds the most expensive chain into a node whose predecessors are settled; the lowest of equals.
    fn settle(&self, node: u32, ends: &mut [u64], before: &mut [u32]) {
        for (from, _) in self.incoming(node) {
            let (end, best) = (ends[from as usize], before[node as usize]);
            if best == NONE
                || end > ends[node as usize]
                || end == ends[node as usize] && from < best
            {
                ends[node as usize] = end;
                before[node as usize] = from;
            }
        }
    }

    fn incoming(&self, node: u32) -> impl Iterator<Item = (u32, u32)> {
        let edges = self.graph.edges_directed(NodeIndex::from(node), Incoming);
        edges.map(|edge| (index(edge.source()), *edge.weight()))
    }
}

fn index(node: NodeIndex<u32>) -> u32 {
    u32::try_from(node.index()).expect("the graph numbers its nodes in 32 bits")
}
