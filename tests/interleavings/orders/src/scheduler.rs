//! What the runtime's graph says of itself.

/// Who waits for whom.
pub(crate) struct Dag {
    n_txs: u32,
    successors: Vec<Vec<u32>>,
    indegrees: Vec<u32>,
    ranks: Vec<u64>,
}

impl Dag {
    /// The graph of these edges; later transactions are more urgent.
    pub(crate) fn new(n_txs: u32, n_joins: u32, edges: &[(u32, u32)]) -> Self {
        let n_nodes = (n_txs + n_joins) as usize;
        let (mut successors, mut indegrees) = (vec![Vec::new(); n_nodes], vec![0; n_nodes]);
        for &(from, to) in edges {
            successors[from as usize].push(to);
            indegrees[to as usize] += 1;
        }
        Self { n_txs, successors, indegrees, ranks: (0..n_nodes as u64).collect() }
    }

    pub(crate) fn n_txs(&self) -> u32 {
        self.n_txs
    }

    pub(crate) fn successors(&self, node: u32) -> &[u32] {
        &self.successors[node as usize]
    }

    pub(crate) fn indegrees(&self) -> &[u32] {
        &self.indegrees
    }

    pub(crate) fn ranks(&self) -> &[u64] {
        &self.ranks
    }
}
