//! The order of a coloring, run without barriers.

use std::cmp::Reverse;

use super::plan::{Form, plan_of};
use super::{
    Block, Color, Dag, Dsatur, HeaviestFirst, Mode, Plan, Scheduler, SmallestLast, WelshPowell,
};

/// Takes the batches of another scheduler as an order, (batch, most expensive first), and lets each
/// transaction start as soon as the conflicts before it are done.
///
/// The barrier is what costs in batches: one expensive transaction holds up everything behind it. Of
/// [`Layers`](super::Layers) it would be [`Graph`](super::Graph): the conflicts keep the given order in both.
#[derive(Clone, Copy, Debug)]
pub struct Unbarred {
    name: &'static str,
    batches: &'static dyn Scheduler,
}

/// [`Color`] without barriers.
pub const COLOR_GRAPH: Unbarred = Unbarred { name: "color-graph", batches: &Color };
/// [`WelshPowell`] without barriers.
pub const WELSH_POWELL_GRAPH: Unbarred =
    Unbarred { name: "welsh-powell-graph", batches: &WelshPowell };
/// [`Dsatur`] without barriers.
pub const DSATUR_GRAPH: Unbarred = Unbarred { name: "dsatur-graph", batches: &Dsatur };
/// [`SmallestLast`] without barriers.
pub const SMALLEST_LAST_GRAPH: Unbarred =
    Unbarred { name: "smallest-last-graph", batches: &SmallestLast };
/// [`HeaviestFirst`] without barriers.
pub const HEAVIEST_FIRST_GRAPH: Unbarred =
    Unbarred { name: "heaviest-first-graph", batches: &HeaviestFirst };

impl Scheduler for Unbarred {
    fn name(&self) -> &'static str {
        self.name
    }

    fn mode(&self) -> Mode {
        self.batches.mode()
    }

    fn stand_in(&self, block: &Block<'_>) -> Option<&'static dyn Scheduler> {
        self.batches.stand_in(block)
    }

    fn plan(&self, block: &Block<'_>, _: usize) -> Plan {
        let schedule = self.batches.schedule(block);
        let mut body = Vec::with_capacity(block.n_txs());
        for batch in schedule.batches() {
            let start = body.len();
            body.extend_from_slice(batch);
            body[start..].sort_by_key(|&tx| Reverse(block.cost(tx)));
        }
        restore_senders(block, &mut body);
        let dag = Dag::conflicts(block, &body);
        plan_of(body, schedule.tail(), Form::Graph(dag))
    }
}

/// Puts each sender's transactions back into index order, on the places that they have together.
/// They may share a batch, where the costs have mixed them, and nothing else: so none of them
/// conflicts with what it passes.
fn restore_senders(block: &Block<'_>, body: &mut [u32]) {
    let mut by_sender: Vec<(u32, u32)> = body.iter().map(|&tx| (block.sender(tx), tx)).collect();
    by_sender.sort_unstable();
    let mut next = vec![u32::MAX; block.n_txs()];
    for (at, &(sender, _)) in (0..).zip(&by_sender) {
        let first = &mut next[sender as usize];
        *first = (*first).min(at);
    }
    for tx in body {
        let next = &mut next[block.sender(*tx) as usize];
        *tx = by_sender[*next as usize].1;
        *next += 1;
    }
}
