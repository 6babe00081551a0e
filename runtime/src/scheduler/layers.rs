//! The longest path: the fewest batches that keep the given order.

use kempe_abi::AccessKind::{Add, Read, Write};

use super::plan::split;
use super::schedule::TAIL;
use super::{Block, Mode, Plan, Schedule, Scheduler};

/// Puts each transaction one batch after the last earlier transaction that it conflicts with.
///
/// Every conflict keeps its order, and no schedule that keeps the order has fewer batches: each batch
/// but the first holds a transaction that waits for one of the batch before. One pass over the
/// accesses, no graph.
///
/// Source: this is the level schedule of a dependency graph; Gallai, Hasse, Roy and Vitaver relate
/// its depth to colorings (T. Gallai, "On directed paths and circuits", 1968).
#[derive(Clone, Copy, Debug)]
pub struct Layers;

impl Scheduler for Layers {
    fn name(&self) -> &'static str {
        "layers"
    }

    fn mode(&self) -> Mode {
        Mode::Preserve
    }

    fn plan(&self, block: &Block<'_>, _: usize) -> Plan {
        let (body, tail) = split(block, Mode::Preserve);
        Plan::batches(layers_of(block, &body, &tail))
    }
}

/// For each kind, one more than the last layer that has an access of that kind to the slot.
#[derive(Clone, Copy, Default)]
struct SlotLayers {
    read: u32,
    add: u32,
    write: u32,
}

/// The layers of transactions that are given in this order, and their tail.
pub(super) fn layers_of(block: &Block<'_>, body: &[u32], tail: &[u32]) -> Schedule {
    let accesses = block.accesses();
    let mut slots = vec![SlotLayers::default(); accesses.n_slots()];
    let mut floors = vec![0; block.n_txs()];
    let mut layers = vec![TAIL; body.len() + tail.len()];
    for &tx in body {
        let floor: &mut u32 = &mut floors[block.sender(tx) as usize];
        let mut layer = *floor;
        for access in accesses.of(tx) {
            let slot = slots[access.slot as usize];
            layer = layer.max(match access.kind {
                Read => slot.write.max(slot.add),
                Add => slot.write.max(slot.read),
                Write => slot.write.max(slot.read).max(slot.add),
            });
        }
        *floor = layer;
        for access in accesses.of(tx) {
            let slot = &mut slots[access.slot as usize];
            let last = match access.kind {
                Read => &mut slot.read,
                Add => &mut slot.add,
                Write => &mut slot.write,
            };
            *last = (*last).max(layer + 1);
        }
        layers[tx as usize] = layer;
    }
    Schedule::from_colors(&layers)
}
