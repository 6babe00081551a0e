//! What the transactions of a block take of stocks, and whether anybody can be refused.

use kempe_abi::{AccessKind, Escrow};
use rayon::prelude::*;

use super::list::{Chunk, Lists};
use crate::engine::number;
use crate::scheduler::Schedule;
use crate::state::{StateRead, StoreError};
use crate::types::{KeyHash, KeyMap};

/// The stocks that a block takes from, by the hashes of their keys; for each, all that is declared of it and
/// whether it is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Escrows(KeyMap<(Escrow, bool)>);

impl Lists {
    /// Lists of chunks, where what is taken of stocks commutes if in the state before the block nobody can be
    /// refused.
    ///
    /// Cost: where something takes from a stock, one look at each entry of the block, and one read for each
    /// stock.
    pub(crate) fn new(chunks: Vec<Chunk>, state: &dyn StateRead) -> Result<Self, StoreError> {
        let mut stocks = KeyMap::default();
        for chunk in &chunks {
            for (entry, bound) in &chunk.bounds {
                let hash = chunk.entries[*entry as usize].hash;
                let (escrow, _) = stocks.entry(hash).or_insert((Escrow::default(), false));
                escrow.add(*bound);
            }
        }
        if stocks.is_empty() {
            return Ok(Self { chunks, escrows: Escrows::default() });
        }
        let written = chunks.par_iter().flat_map_iter(|chunk| writers(chunk, &stocks));
        for hash in written.collect::<Vec<_>>() {
            stocks.entry(hash).and_modify(|(escrow, _)| escrow.break_up());
        }
        for (hash, (escrow, holds)) in &mut stocks {
            *holds = escrow.holds(stock(state, hash)?);
        }
        let mut lists = Self { chunks, escrows: Escrows(stocks) };
        lists.set_kinds();
        Ok(lists)
    }

    /// Writes into the entries that only take whether that commutes.
    fn set_kinds(&mut self) {
        for chunk in &mut self.chunks {
            for (entry, _) in &chunk.bounds {
                let entry = &mut chunk.entries[*entry as usize];
                let holds = self.escrows.0.get(&entry.hash).is_some_and(|(_, holds)| *holds);
                entry.kind = if holds { AccessKind::Add } else { AccessKind::Write };
            }
        }
    }

    /// The lists as they were in a block that was published: from stocks of which two took in one batch all took
    /// without conflicting, whatever the state is now.
    pub(crate) fn published_by(mut self, schedule: &Schedule) -> Self {
        if self.escrows.0.is_empty() {
            return self;
        }
        let (mut last, mut together) = (KeyMap::default(), Vec::new());
        for (batch, txs) in schedule.batches().enumerate() {
            for key in txs.iter().filter_map(|&tx| self.of(tx)).flat_map(|list| list.iter()) {
                if key.bound.is_some() && last.insert(key.hash, batch) == Some(batch) {
                    together.push(key.hash);
                }
            }
        }
        self.escrows.0.values_mut().for_each(|(_, holds)| *holds = false);
        for hash in together {
            self.escrows.0.entry(hash).and_modify(|(_, holds)| *holds = true);
        }
        self.set_kinds();
        self
    }

    /// What all transactions declare that they take of a stock, and whether therefore nobody is refused in any
    /// order; `None` for what is no stock, or one that nobody takes from.
    #[must_use]
    pub fn escrow(&self, stock: &KeyHash) -> Option<(Escrow, bool)> {
        self.escrows.0.get(stock).copied()
    }

    /// Whether these are the lists that follow from another state with the same contracts.
    pub(crate) fn hold_in(&self, state: &dyn StateRead) -> Result<bool, StoreError> {
        for (hash, (escrow, holds)) in &self.escrows.0 {
            if escrow.holds(stock(state, hash)?) != *holds {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The stocks that a chunk's transactions may write otherwise than by taking from them.
fn writers(chunk: &Chunk, stocks: &KeyMap<(Escrow, bool)>) -> Vec<KeyHash> {
    let mut bounded = chunk.bounds.iter().map(|(entry, _)| *entry).peekable();
    let mut written = Vec::new();
    for (at, entry) in (0..).zip(&chunk.entries) {
        let takes = bounded.next_if_eq(&at).is_some();
        if entry.kind == AccessKind::Write && !takes && stocks.contains_key(&entry.hash) {
            written.push(entry.hash);
        }
    }
    written
}

/// What is in stock.
fn stock(state: &dyn StateRead, hash: &KeyHash) -> Result<u128, StoreError> {
    Ok(number(state.get(hash)?.as_deref()).unwrap_or(0))
}
