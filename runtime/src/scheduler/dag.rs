//! Dependencies between transactions in a form that is quick to run: successors, counts, ranks.

use super::Block;
use super::thin::{self, Sink};

/// Who waits for whom, and how urgent each is.
///
/// Nodes below the number of transactions are the transactions; the others are *joins*, which take
/// no time and stand for a group, so that n readers and m adders need n + m edges. Successors are
/// one array with a row for each node (compressed sparse rows).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dag {
    n_txs: u32,
    offsets: Vec<u32>,
    successors: Vec<u32>,
    indegrees: Vec<u32>,
    ranks: Vec<u64>,
}

/// Why edges make no [`Dag`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DagError {
    /// An edge leads from or to a node that there is not.
    #[error("the edge from={from} to={to} leaves n_nodes={n_nodes}")]
    OutOfRange {
        /// Where the edge starts.
        from: u32,
        /// Where it ends.
        to: u32,
        /// How many nodes there are.
        n_nodes: u32,
    },
    /// A node waits for itself through others.
    #[error("node={node} waits for itself")]
    Cycle {
        /// One node of the cycle, or behind it.
        node: u32,
    },
    /// More nodes or edges than 32 bits number.
    #[error("the graph has more than 2^32 nodes or edges")]
    TooLarge,
}

/// Edges as they are found.
#[derive(Debug)]
pub(super) struct Edges {
    n_nodes: u32,
    pairs: Vec<(u32, u32)>,
}

impl Edges {
    pub(super) fn new(block: &Block<'_>) -> Self {
        let pairs = Vec::with_capacity(block.accesses().n_accesses());
        Self { n_nodes: block.txs().end, pairs }
    }
}

impl Sink for Edges {
    fn join(&mut self) -> u32 {
        self.n_nodes = self.n_nodes.checked_add(1).expect("there are fewer joins than accesses");
        self.n_nodes - 1
    }

    fn edge(&mut self, from: u32, to: u32, _: u32) {
        // Two transactions often share two keys, one after the other.
        if self.pairs.last() != Some(&(from, to)) {
            self.pairs.push((from, to));
        }
    }
}

impl Dag {
    /// The graph of these edges, with `n_joins` nodes beside the transactions. A pair that is named
    /// twice counts twice, which does no harm. O(nodes + edges).
    ///
    /// # Errors
    /// [`DagError`], if an edge has no end or the edges form a cycle.
    pub fn new(block: &Block<'_>, n_joins: u32, edges: &[(u32, u32)]) -> Result<Self, DagError> {
        let n_nodes = block.txs().end.checked_add(n_joins).ok_or(DagError::TooLarge)?;
        u32::try_from(edges.len()).map_err(|_| DagError::TooLarge)?;
        if let Some(&(from, to)) = edges.iter().find(|&&(from, to)| from.max(to) >= n_nodes) {
            return Err(DagError::OutOfRange { from, to, n_nodes });
        }
        let mut dag = Self { n_txs: block.txs().end, ..Self::default() };
        dag.fill_rows(n_nodes as usize, edges);
        dag.rank(block)?;
        Ok(dag)
    }

    /// Every conflict of these transactions, in this order; the others are free.
    pub(super) fn conflicts(block: &Block<'_>, order: &[u32]) -> Self {
        let mut edges = Edges::new(block);
        thin::conflicts(block, order.iter().copied(), &mut edges);
        Self::of(block, &edges)
    }

    /// What is read after it was written by these transactions, in this order.
    pub(crate) fn reads_after_writes(block: &Block<'_>, order: &[u32]) -> Self {
        let mut edges = Edges::new(block);
        thin::reads_after_writes(block, order.iter().copied(), &mut edges);
        Self::of(block, &edges)
    }

    /// The graph of edges that were found in an order, so that there is no cycle.
    pub(super) fn of(block: &Block<'_>, edges: &Edges) -> Self {
        let n_joins = edges.n_nodes - block.txs().end;
        Self::new(block, n_joins, &edges.pairs).expect("edges along an order form no cycle")
    }

    /// How many transactions: the nodes from here on are joins.
    #[must_use]
    pub fn n_txs(&self) -> u32 {
        self.n_txs
    }

    /// How many nodes.
    #[must_use]
    pub fn n_nodes(&self) -> usize {
        self.indegrees.len()
    }

    /// How many edges.
    #[must_use]
    pub fn n_edges(&self) -> usize {
        self.successors.len()
    }

    /// Who waits for a node.
    ///
    /// # Panics
    /// If there is no such node.
    #[must_use]
    pub fn successors(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.successors[self.offsets[node] as usize..self.offsets[node + 1] as usize]
    }

    /// For each node, how many edges lead to it.
    #[must_use]
    pub fn indegrees(&self) -> &[u32] {
        &self.indegrees
    }

    /// For each node, the cost of the most expensive chain that starts with it: its upward rank.
    /// What has the highest should run first.
    ///
    /// Source: H. Topcuoglu, S. Hariri, M. Wu, "Performance-effective and low-complexity task
    /// scheduling for heterogeneous computing" (2002).
    #[must_use]
    pub fn ranks(&self) -> &[u64] {
        &self.ranks
    }

    /// The cost of the most expensive chain.
    #[must_use]
    pub fn critical_path(&self) -> u64 {
        self.ranks.iter().max().copied().unwrap_or(0)
    }

    fn fill_rows(&mut self, n_nodes: usize, edges: &[(u32, u32)]) {
        let mut offsets = vec![0u32; n_nodes + 1];
        self.indegrees = vec![0; n_nodes];
        for &(from, to) in edges {
            offsets[from as usize + 1] += 1;
            self.indegrees[to as usize] += 1;
        }
        let mut sum = 0;
        for offset in &mut offsets {
            sum += *offset;
            *offset = sum;
        }
        // Each row is filled from its end, which leaves `offsets` at the starts.
        self.successors = vec![0; edges.len()];
        for &(from, to) in edges.iter().rev() {
            let end = &mut offsets[from as usize + 1];
            *end -= 1;
            self.successors[*end as usize] = to;
        }
        offsets.rotate_left(1);
        offsets[n_nodes] = sum;
        self.offsets = offsets;
    }

    /// Finds an order in which nobody comes before what it waits for, and from its end the ranks.
    fn rank(&mut self, block: &Block<'_>) -> Result<(), DagError> {
        let n_nodes = self.n_nodes();
        let mut left = self.indegrees.clone();
        let mut order: Vec<u32> = Vec::with_capacity(n_nodes);
        order.extend((0..).zip(&left).filter(|(_, left)| **left == 0).map(|(node, _)| node));
        let mut at = 0;
        while let Some(&node) = order.get(at) {
            at += 1;
            for &next in self.successors(node) {
                left[next as usize] -= 1;
                if left[next as usize] == 0 {
                    order.push(next);
                }
            }
        }
        if let Some((node, _)) = (0..).zip(&left).find(|(_, left)| **left > 0) {
            return Err(DagError::Cycle { node });
        }
        let mut ranks = vec![0u64; n_nodes];
        for &node in order.iter().rev() {
            let after = self.successors(node).iter().map(|&next| ranks[next as usize]).max();
            let cost = if node < self.n_txs { block.cost(node) } else { 0 };
            ranks[node as usize] = after.unwrap_or(0).saturating_add(cost);
        }
        self.ranks = ranks;
        Ok(())
    }
}
