//! Pictures of a conflict graph: Graphviz and SVG.

use std::fmt::Write as _;

use petgraph::visit::EdgeRef;

use super::{ConflictGraph, Node, Schedule};

/// How many transactions [`svg`] draws: more would be no picture. Ours to choose.
pub const PICTURE_TXS_MAX: usize = 2_000;

/// Why there is no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// More than [`PICTURE_TXS_MAX`] transactions.
    #[error("the block is too large for a picture: n_txs={0} n_txs_max={PICTURE_TXS_MAX}")]
    TooLarge(usize),
    /// The schedule is not one of the graph's block.
    #[error("the schedule has n_txs={found}, the graph n_txs={expected}, or they differ otherwise")]
    OtherBlock {
        /// How many transactions the schedule names.
        found: usize,
        /// How many the graph has.
        expected: usize,
    },
}

/// The graph in the DOT language of Graphviz; `slot_name` names keys.
#[must_use]
pub fn dot(graph: &ConflictGraph, slot_name: impl Fn(u32) -> String) -> String {
    let mut text = String::from("digraph conflicts {\n    rankdir=LR;\n");
    let inner = graph.graph();
    for node in inner.node_indices() {
        // A string takes formatting without fail.
        _ = match inner[node] {
            Node::Tx(tx) => writeln!(text, "    n{tx} [label=\"{tx}\"];"),
            Node::Join => writeln!(text, "    n{} [shape=point];", node.index()),
        };
    }
    for edge in inner.edge_references() {
        let (from, to) = (edge.source().index(), edge.target().index());
        let label = escape_dot(&slot_name(*edge.weight()));
        _ = writeln!(text, "    n{from} -> n{to} [label=\"{label}\"];");
    }
    text.push_str("}\n");
    text
}

fn escape_dot(name: &str) -> String {
    let visible = name.chars().filter(|c| !c.is_control());
    visible.flat_map(|c| matches!(c, '"' | '\\').then_some('\\').into_iter().chain([c])).collect()
}

const STEP_X_PX: usize = 90;
const STEP_Y_PX: usize = 36;
const RADIUS_PX: usize = 13;

/// A picture of a schedule: a column for each batch (each transaction of the tail is a column of its
/// own), a circle for each transaction, a line for each conflict of the thinned graph.
///
/// # Errors
/// [`PictureError`].
pub fn svg(graph: &ConflictGraph, schedule: &Schedule) -> Result<String, PictureError> {
    let expected = graph.txs().len();
    if expected > PICTURE_TXS_MAX {
        return Err(PictureError::TooLarge(expected));
    }
    let places = places(schedule, expected)
        .ok_or(PictureError::OtherBlock { found: schedule.n_txs(), expected })?;
    let width = places.iter().map(|place| place.0).max().unwrap_or(0) + STEP_X_PX;
    let height = places.iter().map(|place| place.1).max().unwrap_or(0) + STEP_Y_PX;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\" text-anchor=\"middle\">\n"
    );
    for tx in graph.txs() {
        let (x2, y2) = places[tx as usize];
        for wait in graph.waits_for(tx) {
            let (x1, y1) = places[wait.tx as usize];
            _ = writeln!(
                text,
                "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke=\"#999\"/>"
            );
        }
    }
    for (tx, (x, y)) in places.iter().enumerate() {
        _ = writeln!(
            text,
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{RADIUS_PX}\" fill=\"#fff\" stroke=\"#246\"/>\
             <text x=\"{x}\" y=\"{}\">{tx}</text>",
            y + 4
        );
    }
    text.push_str("</svg>\n");
    Ok(text)
}

/// Where each transaction is drawn; `None` if the schedule does not name each of `n_txs` once.
fn places(schedule: &Schedule, n_txs: usize) -> Option<Vec<(usize, usize)>> {
    if schedule.n_txs() != n_txs {
        return None;
    }
    let mut places = vec![None; n_txs];
    let columns = schedule.batches().chain(schedule.tail().chunks(1));
    for (column, txs) in columns.enumerate() {
        for (row, &tx) in txs.iter().enumerate() {
            let place = (column * STEP_X_PX + STEP_X_PX / 2, row * STEP_Y_PX + STEP_Y_PX / 2);
            *places.get_mut(tx as usize)? = Some(place);
        }
    }
    places.into_iter().collect()
}
