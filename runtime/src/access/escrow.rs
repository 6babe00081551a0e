//! What the transactions of a block take of stocks, and whether anybody can be refused.

use kempe_abi::{AccessKind, Bound, Escrow};
use rayon::prelude::*;

use super::list::{Chunk, Lists};
use crate::engine::number;
use crate::scheduler::Schedule;
use crate::state::{StateRead, StoreError};
use crate::types::{KeyHash, KeyMap};

/// The stocks that a block takes from, by the hashes of their keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Escrows(KeyMap<Stock>);

/// What a block takes of a stock.
#[derive(Clone, Copy, Debug)]
struct Stock {
    /// All that is declared.
    escrow: Escrow,
    /// The most that the field holds.
    max: u128,
    /// Whether nobody is refused.
    holds: bool,
}

impl Stock {
    /// Whether nobody is refused where so much is there. More than the field holds, which something else wrote, is nothing to
    /// take from: who tries is refused one by one.
    fn holds(&self, value: u128) -> bool {
        value <= self.max && self.escrow.holds(value)
    }
}

/// What an entry takes of a stock, and the most that the stock's field holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taking {
    pub(super) bound: Bound,
    pub(super) max: u128,
}

impl Lists {
    /// Lists of chunks, where what is taken of stocks commutes if in the state before the block nobody can be
    /// refused.
    ///
    /// Cost: where something takes from a stock, one look at each entry of the block, and one read for each
    /// stock.
    pub(crate) fn new(chunks: Vec<Chunk>, state: &dyn StateRead) -> Result<Self, StoreError> {
        let mut stocks = KeyMap::default();
        for chunk in &chunks {
            for &(entry, Taking { bound, max }) in &chunk.bounds {
                let hash = chunk.entries[entry as usize].hash;
                let none = Stock { escrow: Escrow::default(), max, holds: false };
                stocks.entry(hash).or_insert(none).escrow.add(bound);
            }
        }
        if stocks.is_empty() {
            return Ok(Self { chunks, escrows: Escrows::default() });
        }
        let written = chunks.par_iter().flat_map_iter(|chunk| writers(chunk, &stocks));
        for hash in written.collect::<Vec<_>>() {
            stocks.entry(hash).and_modify(|stock| stock.escrow.break_up());
        }
        for (hash, stock) in &mut stocks {
            stock.holds = stock.holds(in_stock(state, hash)?);
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
                let holds = self.escrows.0.get(&entry.hash).is_some_and(|stock| stock.holds);
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
        self.escrows.0.values_mut().for_each(|stock| stock.holds = false);
        for hash in together {
            self.escrows.0.entry(hash).and_modify(|stock| stock.holds = true);
        }
        self.set_kinds();
        self
    }

    /// What all transactions declare that they take of a stock, and whether therefore nobody is refused in any
    /// order; `None` for what is no stock, or one that nobody takes from.
    #[must_use]
    pub fn escrow(&self, stock: &KeyHash) -> Option<(Escrow, bool)> {
        self.escrows.0.get(stock).map(|stock| (stock.escrow, stock.holds))
    }

    /// Whether these are the lists that follow from another state with the same contracts.
    pub(crate) fn hold_in(&self, state: &dyn StateRead) -> Result<bool, StoreError> {
        for (hash, stock) in &self.escrows.0 {
            if stock.holds(in_stock(state, hash)?) != stock.holds {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The stocks that a chunk's transactions may write otherwise than by taking from them.
fn writers(chunk: &Chunk, stocks: &KeyMap<Stock>) -> Vec<KeyHash> {
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
fn in_stock(state: &dyn StateRead, hash: &KeyHash) -> Result<u128, StoreError> {
    Ok(number(state.look(hash)?.as_deref()).unwrap_or(0))
}
