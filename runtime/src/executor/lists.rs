//! The access lists of a block, and the numbering of their keys.

use std::collections::HashMap;

use kempe_abi::Address;
use kempe_abi::derive::DeriveError;
use rayon::prelude::*;

use super::{ExecutorError, Tx};
use crate::access::{AccessError, AccessList, derive_list};
use crate::engine::{ContractSet, Engine};
use crate::scheduler::{Access, Accesses};
use crate::state::{StateRead, StoreError};
use crate::types::{KeyHash, KeyMap, Prices, Transaction};

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
        /// Enough to spread the work, few enough that each loads the contracts once.
        const CHUNK: usize = 512;
        let chunks: Result<Vec<Vec<_>>, StoreError> = txs
            .par_chunks(CHUNK)
            .map(|chunk| {
                let mut contracts = ContractSet::default();
                chunk
                    .iter()
                    .map(|tx| {
                        let derived =
                            derive_with(tx.transaction, &mut contracts, engine, state, prices)?;
                        // A dynamic transaction without an explicit list would only fail.
                        let hopeless =
                            |list: &AccessList| list.dynamic && tx.transaction.access.is_empty();
                        Ok(derived.ok().filter(|list| !hopeless(list)))
                    })
                    .collect()
            })
            .collect();
        Ok(Self { lists: chunks?.into_iter().flatten().collect() })
    }

    /// The list of each transaction, `None` for one of the tail.
    #[must_use]
    pub fn as_slice(&self) -> &[Option<AccessList>] {
        &self.lists
    }

    pub(super) fn into_cells(self) -> Vec<AccessList> {
        self.lists.into_iter().map(Option::unwrap_or_default).collect()
    }

    /// Numbers the keys of the block: equal keys get one slot, in order of first occurrence.
    #[must_use]
    pub fn intern(&mut self, txs: &[Tx<'_>]) -> Interned {
        let senders = intern_senders(txs);
        let tail = self.tail(&senders);
        let n_cells = self.lists.iter().flatten().map(|list| list.cells.len()).sum();
        let mut by_hash: KeyMap<u32> = KeyMap::default();
        by_hash.reserve(n_cells);
        let mut slots = Vec::with_capacity(n_cells);
        let mut accesses = Accesses::with_capacity(self.lists.len(), n_cells);
        for (list, &tail) in self.lists.iter_mut().zip(&tail) {
            let cells = match list {
                Some(list) if !tail => &mut list.cells[..],
                _ => &mut [],
            };
            for cell in &mut *cells {
                let next = u32::try_from(slots.len()).expect("a block has fewer than 4 Gi keys");
                let slot = *by_hash.entry(cell.hash).or_insert(next);
                if slot == next {
                    slots.push(cell.hash);
                }
                cell.slot = slot;
            }
            accesses.push_tx(cells.iter().map(|cell| Access { slot: cell.slot, kind: cell.kind }));
        }
        Interned { accesses, senders, tail, slots }
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

fn intern_senders(txs: &[Tx<'_>]) -> Vec<u32> {
    let mut numbers: HashMap<Address, u32> = HashMap::with_capacity(txs.len());
    txs.iter()
        .map(|tx| {
            let next = u32::try_from(numbers.len()).expect("a block has fewer than 4 Gi senders");
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
