//! What the words mean, in O(n^2): the oracle of the other tests.

use super::super::{Block, Mode, Schedule};

/// A slot that two transactions conflict on.
pub(super) fn conflict(block: &Block<'_>, a: u32, b: u32) -> Option<u32> {
    let (a, b) = (block.accesses().of(a), block.accesses().of(b));
    let conflicts =
        a.iter().filter(|a| b.iter().any(|b| a.slot == b.slot && a.kind.conflicts(b.kind)));
    conflicts.map(|access| access.slot).next()
}

/// Whether a schedule fits, by comparing every pair.
pub(super) fn fits(schedule: &Schedule, block: &Block<'_>, mode: Mode) -> bool {
    let mut sorted = schedule.order().to_vec();
    sorted.sort_unstable();
    if sorted != block.txs().collect::<Vec<_>>() {
        return false;
    }
    let batch_of = |tx: u32| schedule.batches().position(|batch| batch.contains(&tx));
    let place = |tx: u32| schedule.order().iter().position(|&other| other == tx).unwrap();
    block.txs().all(|tx| !block.is_unlisted(tx) || batch_of(tx).is_none())
        && block.txs().all(|later| {
            (0..later).all(|earlier| {
                let unlisted = block.is_unlisted(earlier) || block.is_unlisted(later);
                let conflicts = unlisted || conflict(block, earlier, later).is_some();
                let same_batch =
                    batch_of(earlier).is_some() && batch_of(earlier) == batch_of(later);
                let in_order = place(earlier) < place(later);
                let same_sender = block.sender(earlier) == block.sender(later);
                !(conflicts && same_batch)
                    && (in_order || !same_sender)
                    && (in_order || !conflicts || mode == Mode::Free)
            })
        })
}

/// The layer of each transaction on the full conflict graph, with senders in order.
pub(super) fn layers(block: &Block<'_>) -> Vec<u32> {
    let mut layers: Vec<u32> = Vec::new();
    for tx in block.txs() {
        let layer = (0..tx).map(|before| {
            let layer = layers[before as usize];
            match conflict(block, before, tx) {
                Some(_) => layer + 1,
                None if block.sender(before) == block.sender(tx) => layer,
                None => 0,
            }
        });
        let layer = layer.max().unwrap_or(0);
        layers.push(layer);
    }
    layers
}

/// First-fit colors on the full conflict graph, in an order that keeps each sender's.
pub(super) fn first_fit(block: &Block<'_>, order: &[u32]) -> Vec<u32> {
    let mut colors = vec![u32::MAX; block.n_txs()];
    for &tx in order {
        let done = || block.txs().filter(|&other| colors[other as usize] != u32::MAX);
        let own = done().filter(|&other| block.sender(other) == block.sender(tx) && other < tx);
        let floor = own.map(|other| colors[other as usize]).max().unwrap_or(0);
        let taken: Vec<u32> = done()
            .filter(|&other| conflict(block, other, tx).is_some())
            .map(|other| colors[other as usize])
            .collect();
        colors[tx as usize] = (floor..).find(|color| !taken.contains(color)).unwrap();
    }
    colors
}

/// The longest weighted path of the full conflict graph in index order.
pub(super) fn critical_path(block: &Block<'_>) -> u64 {
    let mut ends: Vec<u64> = Vec::new();
    for tx in block.txs() {
        let before = (0..tx).filter(|&before| conflict(block, before, tx).is_some());
        let start = before.map(|before| ends[before as usize]).max().unwrap_or(0);
        ends.push(start + block.cost(tx));
    }
    ends.into_iter().max().unwrap_or(0)
}
