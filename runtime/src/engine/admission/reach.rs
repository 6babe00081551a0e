//! The call graph: which host functions each function can reach.
//!
//! An edge is a direct call, or a call through the table to any function that is in the table and
//! has the called type; the instruction traps on any other, and nothing changes the table. So what
//! is found is never less than what can happen. Functions that call each other in a circle reach
//! the same, so the graph is condensed to its strongly connected components and each component is
//! visited once: linear in calls, times one bit for each host function.

use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::{BTreeMap, VecDeque};

use super::imports::Host;
use super::refusal::{Name, Path};
use super::scan::Module;

/// What each function can reach.
pub(super) struct Reach<'m> {
    module: &'m Module<'m>,
    hosts: &'m [Host],
    graph: DiGraph<(), ()>,
    /// The distinct host functions; the position is the bit.
    bits: Vec<Host>,
    /// The set of each node, `words` words.
    sets: Vec<u64>,
    words: usize,
}

impl<'m> Reach<'m> {
    /// Builds the graph; `hosts` are the imports in order.
    pub(super) fn new(module: &'m Module<'m>, hosts: &'m [Host]) -> Self {
        let mut bits = hosts.to_vec();
        bits.sort_unstable();
        bits.dedup();
        let graph = graph(module);
        let words = bits.len().div_ceil(64);
        let sets = vec![0; words * graph.node_count()];
        let mut reach = Self { module, hosts, graph, bits, sets, words };
        reach.propagate();
        reach
    }

    /// The host functions that a function can reach, in order.
    pub(super) fn of(&self, function: u32) -> Vec<Host> {
        let node = usize::try_from(function).expect("u32 fits");
        let set = &self.sets[node * self.words..(node + 1) * self.words];
        let has = |bit: usize| set[bit / 64] >> (bit % 64) & 1 == 1;
        self.bits.iter().enumerate().filter(|(bit, _)| has(*bit)).map(|(_, host)| *host).collect()
    }

    /// A shortest way from a function to a host function that it reaches.
    pub(super) fn path(&self, function: u32, to: Host) -> Path {
        let start = NodeIndex::from(function);
        let mut from = vec![None; self.graph.node_count()];
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            if self.hosts.get(node.index()) == Some(&to) {
                return self.names(start, node, &from);
            }
            for next in self.graph.neighbors(node) {
                if next != start && from[next.index()].is_none() {
                    from[next.index()] = Some(node);
                    queue.push_back(next);
                }
            }
        }
        Path(Vec::new())
    }

    fn names(&self, start: NodeIndex, end: NodeIndex, from: &[Option<NodeIndex>]) -> Path {
        let mut nodes = vec![end];
        let mut node = end;
        while let Some(before) = from[node.index()].filter(|_| node != start) {
            nodes.push(before);
            node = before;
        }
        nodes.reverse();
        // A long way is shown with its middle left out; names of the middle are not looked up.
        let n = nodes.len();
        let shown = |i: usize| i < 4 || i + 4 >= n;
        let name = |(i, node): (usize, &NodeIndex)| match u32::try_from(node.index()) {
            Ok(index) if shown(i) && node.index() < self.module.functions.len() => {
                self.module.name_of(index)
            }
            _ => Name::new("(table)"),
        };
        Path(nodes.iter().enumerate().map(name).collect())
    }

    fn propagate(&mut self) {
        for (node, host) in self.hosts.iter().enumerate() {
            let bit = self.bits.binary_search(host).expect("every host function has a bit");
            self.sets[node * self.words + bit / 64] |= 1 << (bit % 64);
        }
        // Callees come before their callers.
        for component in petgraph::algo::kosaraju_scc(&self.graph) {
            let mut union = vec![0_u64; self.words];
            for &node in &component {
                for from in self.graph.neighbors(node).chain([node]) {
                    let set = &self.sets[from.index() * self.words..][..self.words];
                    union.iter_mut().zip(set).for_each(|(word, more)| *word |= more);
                }
            }
            for node in component {
                self.sets[node.index() * self.words..][..self.words].copy_from_slice(&union);
            }
        }
    }
}

/// One node for each function, then one for each type that is called through the table.
fn graph(module: &Module<'_>) -> DiGraph<(), ()> {
    let mut graph = DiGraph::new();
    for _ in &module.functions {
        graph.add_node(());
    }
    // Types are equal by structure, not by number.
    let ty = |index: u32| {
        let ty = &module.types[usize::try_from(index).expect("u32 fits")];
        (ty.params(), ty.results())
    };
    let type_of =
        |function: u32| ty(module.functions[usize::try_from(function).expect("u32 fits")]);
    let mut tables = BTreeMap::new();
    let mut elements = module.elements.clone();
    elements.sort_unstable();
    elements.dedup();
    for element in elements {
        let (params, results) = type_of(element);
        let key = (codes(params), codes(results));
        let node = *tables.entry(key).or_insert_with(|| graph.add_node(()));
        graph.add_edge(node, NodeIndex::from(element), ());
    }
    for (i, body) in module.bodies.iter().enumerate() {
        let caller = NodeIndex::new(module.imports.len() + i);
        for &callee in &body.calls {
            graph.add_edge(caller, NodeIndex::from(callee), ());
        }
        for &index in &body.indirect {
            let (params, results) = ty(index);
            if let Some(&node) = tables.get(&(codes(params), codes(results))) {
                graph.add_edge(caller, node, ());
            }
        }
    }
    graph
}

/// Types in a form that has an order; only the two integer types are admitted.
fn codes(types: &[wasmparser::ValType]) -> Vec<bool> {
    types.iter().map(|ty| *ty == wasmparser::ValType::I64).collect()
}
