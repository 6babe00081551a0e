//! The access lists of a block, and the numbering of their keys.

use std::sync::atomic::{AtomicU32, Ordering};

use hashbrown::HashMap;
use kempe_abi::Address;
use kempe_abi::derive::DeriveError;
use rayon::prelude::*;

use super::{ExecutorError, Tx};
use crate::access::{AccessError, AccessList, derive_list};
use crate::engine::{ContractSet, Engine};
use crate::scheduler::{Access, Accesses};
use crate::state::{StateRead, StoreError};
use crate::types::{KeyHash, KeyMap, Prices, Transaction};

/// The transactions that one task derives: enough to spread the work, few enough that each loads
/// the contracts once.
const CHUNK: usize = 512;

/// The parts into which keys are divided to be numbered in parallel. A constant, so that the
/// numbers do not depend on the threads.
const N_SHARDS: usize = 4;

/// The access lists of a block's transactions.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// `None` for a transaction whose list is not known before it runs.
    lists: Vec<Option<AccessList>>,
}

/// A block as the scheduler sees it, and the keys behind the slots.
#[derive(Debug)]
pub struct Interned {
    /// What each transaction touches, by slot. Empty for a transaction of the tail.
    pub accesses: Accesses,
    /// The number of each transaction's sender.
    pub senders: Vec<u32>,
    /// Which transactions belong in the tail: those without a list, and the later ones of the
    /// same sender.
    pub tail: Vec<bool>,
    /// The hash of each slot's key.
    pub slots: Vec<KeyHash>,
}

impl Lists {
    pub(super) fn derive(
        txs: &[Tx<'_>],
        engine: &Engine,
        state: &dyn StateRead,
        prices: &Prices,
    ) -> Result<Self, ExecutorError> {
        let mut lists: Vec<Option<AccessList>> = Vec::new();
        lists.resize_with(txs.len(), || None);
        let chunks = lists.par_chunks_mut(CHUNK).zip(txs.par_chunks(CHUNK));
        chunks.try_for_each(|(lists, txs)| {
            let mut contracts = ContractSet::default();
            for (list, tx) in lists.iter_mut().zip(txs) {
                let tx = tx.transaction;
                let derived = derive_with(tx, &mut contracts, engine, state, prices)?;
                // A dynamic transaction without an explicit list would only fail.
                let hopeless = |list: &AccessList| list.dynamic && tx.access.is_empty();
                *list = derived.ok().filter(|list| !hopeless(list));
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(Self { lists })
    }

    /// The list of each transaction, `None` for one of the tail.
    #[must_use]
    pub fn as_slice(&self) -> &[Option<AccessList>] {
        &self.lists
    }

    pub(super) fn into_cells(self) -> Vec<AccessList> {
        self.lists.into_iter().map(Option::unwrap_or_default).collect()
    }

    /// Numbers the keys of the block: equal keys get one slot. Runs on the threads of the current
    /// rayon pool; the numbers do not depend on how many there are.
    #[must_use]
    pub fn intern(&self, txs: &[Tx<'_>]) -> Interned {
        let (senders, parts) = rayon::join(|| intern_senders(txs), || self.partition());
        let tail = self.tail(&senders);
        let n_entries = self.lists.iter().flatten().map(|list| list.cells.len()).sum();
        let mut numbers = Vec::new();
        numbers.resize_with(n_entries, AtomicU32::default);
        let shards: Vec<Vec<KeyHash>> = (0..N_SHARDS)
            .into_par_iter()
            .map(|shard| number_shard(parts.iter().map(|part| &part.entries[shard]), &numbers))
            .collect();
        let mut bases = [0; N_SHARDS];
        let mut slots = Vec::with_capacity(shards.iter().map(Vec::len).sum());
        for (base, shard) in bases.iter_mut().zip(&shards) {
            *base = to_u32(slots.len());
            slots.extend_from_slice(shard);
        }
        let mut accesses = Accesses::with_capacity(self.lists.len(), n_entries);
        let mut numbers = numbers.into_iter().map(AtomicU32::into_inner);
        for (list, &tail) in self.lists.iter().zip(&tail) {
            let cells = list.as_ref().map_or(&[][..], |list| &list.cells);
            let row = cells.iter().zip(&mut numbers).map(|(cell, number)| Access {
                slot: bases[shard_of(&cell.hash)] + number,
                kind: cell.kind,
            });
            if tail {
                row.for_each(drop);
                accesses.push_tx([]);
            } else {
                accesses.push_tx(row);
            }
        }
        Interned { accesses, senders, tail, slots }
    }

    /// The keys of each chunk of transactions by shard, with the position of the entry.
    fn partition(&self) -> Vec<Part> {
        let mut first = 0;
        let firsts: Vec<u32> = self
            .lists
            .chunks(CHUNK)
            .map(|chunk| {
                let n: usize = chunk.iter().flatten().map(|list| list.cells.len()).sum();
                first += to_u32(n);
                first - to_u32(n)
            })
            .collect();
        let chunks = self.lists.par_chunks(CHUNK).zip(firsts);
        chunks
            .map(|(chunk, first)| {
                let mut part = Part::default();
                let cells = chunk.iter().flatten().flat_map(|list| &list.cells);
                for (cell, entry) in cells.zip(first..) {
                    part.entries[shard_of(&cell.hash)].push((cell.hash, entry));
                }
                part
            })
            .collect()
    }

    fn tail(&self, senders: &[u32]) -> Vec<bool> {
        let n_senders = senders.iter().max().map_or(0, |&max| max as usize + 1);
        let mut sender_in_tail = vec![false; n_senders];
        self.lists
            .iter()
            .zip(senders)
            .map(|(list, &sender)| {
                let flag = &mut sender_in_tail[sender as usize];
                *flag |= list.is_none();
                *flag
            })
            .collect()
    }
}

#[derive(Default)]
struct Part {
    entries: [Vec<(KeyHash, u32)>; N_SHARDS],
}

fn shard_of(hash: &KeyHash) -> usize {
    usize::from(hash.0[31]) % N_SHARDS
}

/// Numbers the keys of one shard in order of first occurrence and returns them in that order.
fn number_shard<'a>(
    parts: impl Iterator<Item = &'a Vec<(KeyHash, u32)>>,
    numbers: &[AtomicU32],
) -> Vec<KeyHash> {
    let mut by_hash: KeyMap<u32> = KeyMap::default();
    by_hash.reserve(numbers.len() / N_SHARDS);
    let mut keys = Vec::with_capacity(numbers.len() / N_SHARDS);
    for &(hash, entry) in parts.flatten() {
        let next = to_u32(keys.len());
        let number = *by_hash.entry(hash).or_insert(next);
        if number == next {
            keys.push(hash);
        }
        // Every entry belongs to one shard, so nothing else writes it; the join of the threads
        // orders it before it is read.
        numbers[entry as usize].store(number, Ordering::Relaxed);
    }
    keys
}

fn to_u32(n: usize) -> u32 {
    u32::try_from(n).expect("a block has fewer than 4 Gi accesses")
}

fn intern_senders(txs: &[Tx<'_>]) -> Vec<u32> {
    let mut numbers: HashMap<Address, u32> = HashMap::with_capacity(txs.len());
    txs.iter()
        .map(|tx| {
            let next = to_u32(numbers.len());
            *numbers.entry(tx.transaction.sender).or_insert(next)
        })
        .collect()
}

/// Derives a list, loading the contracts it needs.
pub(crate) fn derive_with(
    tx: &Transaction,
    contracts: &mut ContractSet,
    engine: &Engine,
    state: &dyn StateRead,
    prices: &Prices,
) -> Result<Result<AccessList, AccessError>, StoreError> {
    loop {
        let derived = derive_list(tx, contracts, prices);
        match &derived {
            Err(AccessError::Derive { source: DeriveError::NoSuchContract(address), .. })
                if contracts.load(engine, state, address)? => {}
            _ => return Ok(derived),
        }
    }
}
