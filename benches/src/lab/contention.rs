//! Which keys a block waits for, and which one change would save most.

use kempe_abi::AccessKind::{Add, Read, Write};
use kempe_runtime::scheduler::{Access, Accesses, Block, Graph, Scheduler};
use serde::Serialize;

use super::ratio;
use crate::{Overheads, simulate};

/// A key and what it costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HotKey {
    /// The key's number in the block.
    pub slot: u32,
    /// How many transactions write it.
    pub writers: usize,
    /// How many read it.
    pub readers: usize,
    /// How many add to it.
    pub adders: usize,
    /// What its transactions that exclude each other cost, as a share of all work: with one worker
    /// more than its inverse, somebody idles.
    pub serial_share: f64,
    /// The share of the makespan that goes away if each transaction had a key of its own here.
    pub saved_if_split: f64,
    /// The share of the makespan that goes away if its writers only added.
    pub saved_if_added: f64,
}

/// The hottest keys of a block.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contention {
    /// The number of simulated workers.
    pub workers: usize,
    /// The makespan in the given order without barriers, in the unit of the costs.
    pub makespan: u64,
    /// The keys whose transactions exclude each other longest, the most expensive first.
    pub keys: Vec<HotKey>,
}

/// Finds the `n_keys` hottest keys, and simulates the block without each. O(keys x accesses).
#[must_use]
pub fn contention(block: &Block<'_>, n_workers: usize, n_keys: usize) -> Contention {
    let n_slots = block.accesses().n_slots();
    let mut costs = vec![[0u64; 3]; n_slots];
    let mut counts = vec![[0usize; 3]; n_slots];
    for tx in block.txs() {
        for access in block.accesses().of(tx) {
            let cost = &mut costs[access.slot as usize][access.kind as usize];
            *cost = cost.saturating_add(block.cost(tx));
            counts[access.slot as usize][access.kind as usize] += 1;
        }
    }
    let work: u64 = block.txs().map(|tx| block.cost(tx)).fold(0, u64::saturating_add);
    // Readers and adders exclude each other, but not themselves: the shorter side waits in parts.
    let serial = |slot: u32| {
        let [read, add, write] = [Read, Add, Write].map(|kind| costs[slot as usize][kind as usize]);
        let count = |kind: kempe_abi::AccessKind| counts[slot as usize][kind as usize];
        let alone = count(Write) + count(Read).min(1) + count(Add).min(1) < 2;
        if alone { 0 } else { write.saturating_add(read.min(add) / n_workers.max(1) as u64) }
    };
    let mut slots: Vec<u32> = (0..).take(n_slots).filter(|&slot| serial(slot) > 0).collect();
    slots.sort_by_key(|&slot| (std::cmp::Reverse(serial(slot)), slot));
    slots.truncate(n_keys);
    let makespan = makespan_of(block, n_workers, Some);
    let saved = |with: u64| ratio(makespan.saturating_sub(with), makespan);
    let keys = slots.into_iter().map(|slot| {
        let [readers, adders, writers] =
            [Read, Add, Write].map(|kind| counts[slot as usize][kind as usize]);
        let split = |access: Access| (access.slot != slot).then_some(access);
        let added = |access: Access| match (access.slot == slot, access.kind) {
            (true, Write) => Some(Access::new(slot, Add)),
            _ => Some(access),
        };
        HotKey {
            slot,
            writers,
            readers,
            adders,
            serial_share: ratio(serial(slot), work),
            saved_if_split: saved(makespan_of(block, n_workers, split)),
            saved_if_added: saved(makespan_of(block, n_workers, added)),
        }
    });
    Contention { workers: n_workers, makespan, keys: keys.collect() }
}

/// How long a block takes as a graph in the given order, with its accesses changed.
fn makespan_of(
    block: &Block<'_>,
    n_workers: usize,
    changed: impl Fn(Access) -> Option<Access>,
) -> u64 {
    let mut accesses = Accesses::with_capacity(block.n_txs(), block.accesses().n_accesses());
    for row in block.accesses().rows() {
        accesses.push_tx(row.iter().filter_map(|&access| changed(access)));
    }
    let columns = |of: &dyn Fn(u32) -> u64| -> Vec<u64> { block.txs().map(of).collect() };
    let costs = columns(&|tx| block.cost(tx));
    let senders: Vec<u32> = block.txs().map(|tx| block.sender(tx)).collect();
    let unlisted: Vec<bool> = block.txs().map(|tx| block.is_unlisted(tx)).collect();
    let changed = Block::new(&accesses, &costs, &senders, &unlisted);
    let changed = changed.expect("the columns have an entry for each transaction");
    let plan = Graph.plan(&changed, n_workers);
    simulate(&plan, &changed, n_workers, Overheads::default()).makespan
}

/// The one change that saves most: a sentence with `name` for the key; `None` if none saves a
/// hundredth.
#[must_use]
pub fn best_change(contention: &Contention, name: impl Fn(u32) -> String) -> Option<String> {
    let changes = contention.keys.iter().flat_map(|key| {
        let add = (key.saved_if_added, format!("make {} an Add", name(key.slot)));
        let split = (key.saved_if_split, format!("split {}", name(key.slot)));
        // An Add is less work than a split, so it is named first where both save as much.
        let can_add = key.writers > 0;
        can_add.then_some(add).into_iter().chain([split])
    });
    let mut best: Option<(f64, String)> = None;
    for change in changes {
        if best.as_ref().is_none_or(|(saved, _)| change.0 > *saved) {
            best = Some(change);
        }
    }
    let (saved, what) = best.filter(|(saved, _)| *saved >= 0.01)?;
    let workers = contention.workers;
    Some(format!("{what}: {:.0} % less time on {workers} workers", saved * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, Pattern};

    fn input(text: &str) -> Input {
        text.parse::<Pattern>().unwrap().generate()
    }

    fn best(text: &str) -> Option<String> {
        let input = input(text);
        let found = contention(&input.block(), 8, 5);
        best_change(&found, |slot| input.key_name(slot).to_owned())
    }

    #[test]
    fn the_change_that_saves_most_is_named() {
        // One mint counter that everybody reads and writes: with an Add nothing else is shared.
        let nft = best("nft:txs=800").unwrap();
        assert!(nft.starts_with("make 1:0 an Add: 88 % less"), "{nft}");
        // What is read cannot become an addition for its readers.
        let price = best("readers:txs=800,writes=10").unwrap();
        assert!(price.starts_with("split 1:0: "), "{price}");
        assert_eq!(best("independent:txs=100"), None);
    }

    #[test]
    fn the_hottest_keys_come_first() {
        let input = input("hot:txs=1000,share=40,keys=2");
        let found = contention(&input.block(), 8, 3);
        assert_eq!(found.keys.len(), 2, "the others have one transaction each");
        assert!(found.keys.iter().all(|key| key.writers > 150 && key.serial_share > 0.15));
        assert!(found.keys[0].serial_share >= found.keys[1].serial_share);
    }
}
