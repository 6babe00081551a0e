//! A contract for measuring what kinds of access are worth: each call works for a while and touches one cell, by a
//! kind that commutes or, called `..._written`, as a write that does the same; `look` adds and looks at what there is.
#![no_std]
#![allow(missing_docs, reason = "the names say what is touched")]

use core::hint::black_box;

use kempe_sdk::prelude::*;

/// A cell of each kind under each key.
#[contract]
#[derive(Debug)]
pub struct Toil {
    sums: Map<u8, Counter<u64>>,
    highs: Map<u8, Max<u64>>,
    stocks: Map<u8, Stock<u64>>,
    notes: Map<u8, Log<u64>>,
    rates: Map<u8, u64>,
    lows: Map<u8, Min<u64>>,
    flags: Map<u8, bool>,
    quarters: Map<u8, Sharded<Counter<u64>, 4>>,
    shards: Map<u8, Sharded<Counter<u64>, 16>>,
    splinters: Map<u8, Sharded<Counter<u64>, 64>>,
}

#[contract]
impl Toil {
    #[access(write(stocks[slot]))]
    pub fn fill(&mut self, slot: u8, to: u64) {
        self.stocks.put(slot, to);
    }

    #[access(add(sums[slot]))]
    pub fn add(&mut self, slot: u8, rounds: u32) {
        self.sums.add(slot, work(rounds));
    }

    #[access(write(sums[slot]))]
    pub fn add_written(&mut self, slot: u8, rounds: u32) {
        let amount = work(rounds);
        self.sums.put(slot, self.sums.get(slot) + amount);
    }

    #[access(write(sums[slot]))]
    pub fn look(&mut self, slot: u8, rounds: u32) -> u64 {
        self.sums.add(slot, work(rounds));
        self.sums.get(slot)
    }

    #[access(read(sums[slot]))]
    pub fn total(&self, slot: u8) -> u64 {
        self.sums.get(slot)
    }

    #[access(write(quarters[slot][caller]))]
    pub fn look_4(&mut self, slot: u8, rounds: u32) -> u64 {
        self.quarters.add(slot, caller(), work(rounds));
        self.quarters.part(slot, caller())
    }

    #[access(read(quarters[slot]))]
    pub fn total_4(&self, slot: u8) -> u64 {
        self.quarters.get(slot)
    }

    #[access(write(shards[slot][caller]))]
    pub fn look_16(&mut self, slot: u8, rounds: u32) -> u64 {
        self.shards.add(slot, caller(), work(rounds));
        self.shards.part(slot, caller())
    }

    #[access(read(shards[slot]))]
    pub fn total_16(&self, slot: u8) -> u64 {
        self.shards.get(slot)
    }

    #[access(write(splinters[slot][caller]))]
    pub fn look_64(&mut self, slot: u8, rounds: u32) -> u64 {
        self.splinters.add(slot, caller(), work(rounds));
        self.splinters.part(slot, caller())
    }

    #[access(read(splinters[slot]))]
    pub fn total_64(&self, slot: u8) -> u64 {
        self.splinters.get(slot)
    }

    #[access(max(highs[slot]))]
    pub fn max(&mut self, slot: u8, rounds: u32) {
        self.highs.raise(slot, work(rounds));
    }

    #[access(write(highs[slot]))]
    pub fn max_written(&mut self, slot: u8, rounds: u32) {
        let to = work(rounds);
        self.highs.put(slot, self.highs.get(slot).max(to));
    }

    #[access(min(lows[slot]))]
    pub fn min(&mut self, slot: u8, rounds: u32) {
        self.lows.lower(slot, work(rounds));
    }

    #[access(write(lows[slot]))]
    pub fn min_written(&mut self, slot: u8, rounds: u32) {
        let to = work(rounds);
        self.lows.put(slot, self.lows.get(slot).min(to));
    }

    #[access(reserve(stocks[slot], 1u64))]
    pub fn reserve(&mut self, slot: u8, rounds: u32) -> bool {
        black_box(work(rounds));
        self.stocks.reserve(slot, 1)
    }

    #[access(write(stocks[slot]))]
    pub fn reserve_written(&mut self, slot: u8, rounds: u32) -> bool {
        black_box(work(rounds));
        let left = self.stocks.get(slot).checked_sub(1);
        if let Some(left) = left {
            self.stocks.put(slot, left);
        }
        left.is_some()
    }

    #[access(append(notes[slot]))]
    pub fn append(&mut self, slot: u8, rounds: u32) {
        self.notes.append(slot, work(rounds));
    }

    #[access(write(notes[slot]))]
    pub fn append_written(&mut self, slot: u8, rounds: u32) -> u64 {
        self.notes.append(slot, work(rounds));
        self.notes.len(slot)
    }

    #[access(start(rates[slot]))]
    pub fn start(&mut self, slot: u8, rounds: u32) -> u64 {
        self.rates.at_start(slot).unwrap_or_default() + work(rounds)
    }

    #[access(write(rates[slot]))]
    pub fn start_written(&mut self, slot: u8, rounds: u32) -> u64 {
        let rate = self.rates.get(slot) + work(rounds);
        self.rates.put(slot, rate);
        rate
    }

    #[access(unless(flags[slot]))]
    pub fn unless(&mut self, slot: u8, rounds: u32) -> u64 {
        // Only the list names it.
        let _ = slot;
        work(rounds)
    }

    #[access(write(flags[slot]))]
    pub fn unless_written(&mut self, slot: u8, rounds: u32) -> u64 {
        let barred = self.flags.get(slot);
        self.flags.put(slot, barred);
        work(rounds)
    }
}

/// A small number that so many rounds of arithmetic give.
fn work(rounds: u32) -> u64 {
    let mixed = (0..rounds).fold(1_u64, |mixed, round| {
        black_box(mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(round))
    });
    mixed >> 56
}
