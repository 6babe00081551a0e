//! The longest path: the fewest batches that keep the given order.

use kempe_abi::AccessKind::{Add, Read, Write};

use super::schedule::TAIL;
use super::{Block, Mode, Schedule, Scheduler};

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

/// For each kind, one more than the last layer that has an access of that kind to the slot.
#[derive(Clone, Copy, Default)]
struct SlotLayers {
    read: u32,
    add: u32,
    write: u32,
}

impl Scheduler for Layers {
    fn name(&self) -> &'static str {
        "layers"
    }

    fn mode(&self) -> Mode {
        Mode::Preserve
    }

    fn schedule(&self, block: &Block<'_>) -> Schedule {
        let accesses = block.accesses();
        let mut slots = vec![SlotLayers::default(); accesses.n_slots()];
        let mut floors = vec![0; block.n_txs()];
        let mut layers = Vec::with_capacity(block.n_txs());
        for (tx, in_tail) in block.txs().zip(block.tail(Mode::Preserve)) {
            if in_tail {
                layers.push(TAIL);
                continue;
            }
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
            layers.push(layer);
        }
        Schedule::from_colors(&layers)
    }
}
