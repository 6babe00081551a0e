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
    /// What goes away if the first two of them are changed, the first three, and so on: where each makes wait for
    /// itself what another makes wait, one alone saves nothing.
    pub together: Vec<Together>,
    /// The share of the makespan that goes away if each list named only what its transaction touches; none where
    /// that is not known.
    pub saved_if_narrowed: Option<f64>,
}

/// What goes away if several keys are changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Together {
    /// How many, the hottest ones.
    pub n_keys: usize,
    /// The share of the makespan that goes away if each transaction had keys of its own there.
    pub saved_if_split: f64,
    /// The share of the makespan that goes away if their writers only added.
    pub saved_if_added: f64,
}

/// How many of the hottest keys are looked at together; ours to choose.
const TOGETHER_MAX: usize = 8;

/// Finds the `n_keys` hottest keys, and simulates the block without each. `n_touched` says of a transaction how many
/// of its list it touches, the first ones, if that is known. O(keys x accesses).
#[must_use]
pub fn contention(
    block: &Block<'_>,
    n_workers: usize,
    n_keys: usize,
    n_touched: Option<&dyn Fn(u32) -> usize>,
) -> Contention {
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
    let makespan = makespan_of(block, n_workers, |_, _, access| Some(access));
    let saved = |with: u64| ratio(makespan.saturating_sub(with), makespan);
    let saved_if_split = |changed: &[u32]| {
        let split = |_, _, access: Access| (!changed.contains(&access.slot)).then_some(access);
        saved(makespan_of(block, n_workers, split))
    };
    let saved_if_added = |changed: &[u32]| {
        let added = |_, _, access: Access| match (changed.contains(&access.slot), access.kind) {
            (true, Write) => Some(Access::new(access.slot, Add)),
            _ => Some(access),
        };
        saved(makespan_of(block, n_workers, added))
    };
    let together = (2..=slots.len().min(TOGETHER_MAX)).map(|n_keys| Together {
        n_keys,
        saved_if_split: saved_if_split(&slots[..n_keys]),
        saved_if_added: saved_if_added(&slots[..n_keys]),
    });
    let saved_if_narrowed = n_touched.map(|n_touched| {
        let touched = |tx, at, access| (at < n_touched(tx)).then_some(access);
        saved(makespan_of(block, n_workers, touched))
    });
    let keys = slots.iter().map(|&slot| {
        let [readers, adders, writers] =
            [Read, Add, Write].map(|kind| counts[slot as usize][kind as usize]);
        HotKey {
            slot,
            writers,
            readers,
            adders,
            serial_share: ratio(serial(slot), work),
            saved_if_split: saved_if_split(&[slot]),
            saved_if_added: saved_if_added(&[slot]),
        }
    });
    Contention {
        workers: n_workers,
        makespan,
        keys: keys.collect(),
        together: together.collect(),
        saved_if_narrowed,
    }
}

/// How long a block takes as a graph in the given order, with its accesses changed.
fn makespan_of(
    block: &Block<'_>,
    n_workers: usize,
    changed: impl Fn(u32, usize, Access) -> Option<Access>,
) -> u64 {
    let mut accesses = Accesses::with_capacity(block.n_txs(), block.accesses().n_accesses());
    for (tx, row) in (0..).zip(block.accesses().rows()) {
        let row = row.iter().enumerate();
        accesses.push_tx(row.filter_map(|(at, &access)| changed(tx, at, access)));
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

/// The one change that saves most: a sentence with `name` for the key; of several keys only if no change of one
/// saves a hundredth. `None` if nothing does. Who takes from a key that `is_stock` adds where there is enough, so
/// there the change is not of its kind.
#[must_use]
pub fn best_change(
    contention: &Contention,
    name: impl Fn(u32) -> String,
    is_stock: impl Fn(u32) -> bool,
) -> Option<String> {
    let added = |keys: &[HotKey]| {
        let names = |stocks: bool| {
            let keys = keys.iter().filter(|key| is_stock(key.slot) == stocks);
            keys.map(|key| name(key.slot)).collect::<Vec<_>>()
        };
        let (others, stocks) = (names(false), names(true));
        let others = match &others[..] {
            [] => None,
            [one] => Some(format!("make {one} an Add")),
            several => Some(format!("make {} Adds", several.join(", "))),
        };
        let stocks = stocks.iter().map(|name| format!("declare less of {name} than it holds"));
        others.into_iter().chain(stocks).collect::<Vec<_>>().join(", ")
    };
    let one = contention.keys.iter().flat_map(|key| {
        let add = (key.saved_if_added, added(std::slice::from_ref(key)));
        let split = (key.saved_if_split, format!("split {}", name(key.slot)));
        // An Add is less work than a split, so it is named first where both save as much.
        let can_add = key.writers > 0;
        can_add.then_some(add).into_iter().chain([split])
    });
    let narrow = contention.saved_if_narrowed;
    let narrow = narrow.map(|saved| (saved, "narrow the lists to what is touched".to_owned()));
    let several = contention.together.iter().flat_map(|together| {
        let keys = &contention.keys[..together.n_keys];
        let names: Vec<String> = keys.iter().map(|key| name(key.slot)).collect();
        let names = names.join(", ");
        [
            (together.saved_if_added, added(keys)),
            (together.saved_if_split, format!("split {names}")),
        ]
    });
    let (saved, what) = greatest(one.chain(narrow)).or_else(|| greatest(several))?;
    let workers = contention.workers;
    Some(format!("{what}: {:.0} % less time on {workers} workers", saved * 100.0))
}

/// The first of those that save most; `None` if none saves a hundredth.
fn greatest(changes: impl Iterator<Item = (f64, String)>) -> Option<(f64, String)> {
    let mut best: Option<(f64, String)> = None;
    for change in changes {
        if best.as_ref().is_none_or(|(saved, _)| change.0 > *saved) {
            best = Some(change);
        }
    }
    best.filter(|(saved, _)| *saved >= 0.01)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, Pattern};

    fn input(text: &str) -> Input {
        text.parse::<Pattern>().unwrap().generate().unwrap()
    }

    fn best(text: &str) -> Option<String> {
        let input = input(text);
        let found = contention(&input.block(), 8, 5, Some(&|tx| input.n_touched(tx)));
        best_change(&found, |slot| input.key_name(slot).to_owned(), |_| false)
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
    fn what_only_helps_together_is_named_together() {
        // All write the same two keys: one alone changes nothing.
        let accesses = vec![(1, Write, false), (2, Write, false)];
        let tx = crate::InputTx { accesses, cost: 10, ..Default::default() };
        let input = Input::new("two".to_owned(), vec![tx; 8]);
        let found = contention(&input.block(), 8, 5, None);
        let change =
            best_change(&found, |slot| input.key_name(slot).to_owned(), |_| false).unwrap();
        assert_eq!(change, "make 0:1, 0:2 Adds: 88 % less time on 8 workers");
    }

    #[test]
    fn lists_that_name_too_much_are_found() {
        // Each touches a key of its own and declares one that all declare.
        let tx = |at: u64| crate::InputTx {
            accesses: vec![(at + 10, Write, false), (1, Write, false)],
            n_untouched: 1,
            cost: 10,
            ..Default::default()
        };
        let input = Input::new("wide".to_owned(), (0..8).map(tx).collect());
        let found = contention(&input.block(), 8, 5, Some(&|tx| input.n_touched(tx)));
        assert!((found.saved_if_narrowed.unwrap() - 0.875).abs() < 1e-9, "{found:?}");
        let found = Contention { keys: Vec::new(), ..found };
        let change =
            best_change(&found, |slot| input.key_name(slot).to_owned(), |_| false).unwrap();
        assert!(change.starts_with("narrow the lists to what is touched: 88 %"), "{change}");
    }

    #[test]
    fn the_hottest_keys_come_first() {
        let input = input("hot:txs=1000,share=40,keys=2");
        let found = contention(&input.block(), 8, 3, None);
        assert_eq!(found.keys.len(), 2, "the others have one transaction each");
        assert!(found.keys.iter().all(|key| key.writers > 150 && key.serial_share > 0.15));
        assert!(found.keys[0].serial_share >= found.keys[1].serial_share);
    }
}
