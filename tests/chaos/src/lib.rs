//! A contract for tests that does everything a contract should not.
#![no_std]

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;
use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};

use kempe_sdk::prelude::*;

/// Memory that a call leaves dirty: the next one must not see it.
static DIRTY: AtomicU32 = AtomicU32::new(7);

/// Cells that are read and written, sums that are added to, and ways to fail.
#[contract]
#[derive(Debug)]
pub struct Chaos {
    /// Values.
    cells: Map<u8, u64>,
    /// Small counters, so that their bounds are reached.
    sums: Map<u8, Counter<u8>>,
    /// Small counters in shards, so that a shard's bounds are reached, and the total's.
    parts: Map<u8, Sharded<Counter<u8>, 4>>,
    /// Maxima.
    highs: Map<u8, Max<u16>>,
    /// Minima.
    lows: Map<u8, Min<u8>>,
    /// Small stocks, so that they run out, and are full.
    stocks: Map<u8, Stock<u8>>,
    /// Logs.
    notes: Map<u8, Log<(Address, u8)>>,
    /// What guards calls.
    flags: Map<u8, bool>,
    /// Values under hashes.
    digests: Map<Hash, u64>,
}

/// What the contract refuses with.
#[error]
pub enum ChaosError {
    /// As demanded.
    Demanded = 100,
    /// Demanded after something was written.
    AfterWriting = 101,
}

/// A cell was written.
#[event]
pub struct Wrote {
    /// Which.
    pub slot: u8,
    /// What.
    pub value: u64,
}

/// The calls between two of these contracts.
#[interface]
pub trait Chaotic {
    /// Writes, and then refuses.
    fn fail_after_writing(&mut self, slot: u8, value: u64);
    /// Writes again and again, and then refuses or not.
    fn stir(&mut self, inner: Address, slot: u8, fails: u8);
    /// Writes.
    fn put(&mut self, slot: u8, value: u64);
    /// Adds.
    fn add(&mut self, slot: u8, amount: u8);
    /// Reads a sum, and then refuses.
    fn look_and_fail(&mut self, slot: u8);
    /// Reads a sum.
    fn show(&mut self, slot: u8) -> u8;
    /// Takes from a stock.
    fn book(&mut self, slot: u8, n: u8) -> bool;
    /// Takes from a stock, and then refuses.
    fn book_and_fail(&mut self, slot: u8, n: u8);
    /// Appends to a log.
    fn note(&mut self, slot: u8, n: u8);
    /// Appends to a log, and then refuses.
    fn note_and_fail(&mut self, slot: u8, n: u8);
    /// Writes, unless a flag is set.
    fn guarded(&mut self, slot: u8, value: u8);
    /// Calls back.
    fn bounce(&mut self, back: Address, slot: u8);
}

#[contract]
impl Chaos {
    /// Writes a cell.
    #[access(write(cells[slot]))]
    pub fn put(&mut self, slot: u8, value: u64) {
        self.cells.put(slot, value);
        emit(Wrote { slot, value });
    }

    /// Removes a cell.
    #[access(write(cells[slot]))]
    pub fn remove(&mut self, slot: u8) {
        self.cells.remove(slot);
    }

    /// Copies a cell, plus one.
    #[access(read(cells[from]), write(cells[to]))]
    pub fn copy(&mut self, from: u8, to: u8) -> u64 {
        let value = self.cells.get(from).wrapping_add(1);
        self.cells.put(to, value);
        value
    }

    /// Copies what was there before the block, whatever the block has done to it.
    #[access(start(cells[from], sums[from]), write(cells[to]))]
    pub fn recall(&mut self, from: u8, to: u8) -> u64 {
        let value = self.cells.at_start(from).unwrap_or_default();
        let value = value.wrapping_add(u64::from(self.sums.at_start(from)));
        self.cells.put(to, value);
        value
    }

    /// Sets a flag, or clears it, or removes it.
    #[access(write(flags[slot]))]
    pub fn flag(&mut self, slot: u8, n: u8) {
        match n % 3 {
            0 => self.flags.remove(slot),
            n => self.flags.put(slot, n == 1),
        }
    }

    /// Adds, unless the slot's flag is set.
    #[access(unless(flags[slot]), add(sums[slot]))]
    pub fn guarded(&mut self, slot: u8, value: u8) {
        self.sums.add(slot, value % 4);
    }

    /// Never ends, unless the slot's flag is set.
    #[access(unless(flags[slot]))]
    pub fn spin_guarded(&mut self, slot: u8) {
        black_box(slot);
        self.spin();
    }

    /// Writes several cells, unless one of their flags is set.
    #[access(each(slots, unless(flags[element]), write(cells[element])))]
    pub fn spread_guarded(&mut self, slots: Vec<u8>, value: u64) {
        for slot in slots {
            self.cells.put(slot, value);
        }
    }

    /// Has another contract add twice where flags let it, once forgiving, and counts.
    #[access(write(cells[slot]), calls(other.guarded(slot, _), other.guarded(next, _)))]
    pub fn try_guarded(&mut self, other: Address, slot: u8, next: u8) -> u8 {
        let client = ChaoticClient::new(other);
        let tried = client.try_guarded(slot, 1).is_ok();
        self.cells.put(slot, 7 + u64::from(tried));
        client.guarded(next, 1);
        u8::from(tried)
    }

    /// The same where only its run can tell whom it calls.
    #[access(dynamic)]
    pub fn seek_guarded(&mut self, other: Address, slot: u8) {
        let at = self.cells.get(slot).to_le_bytes()[0] % 8;
        ChaoticClient::new(other).guarded(at, 1);
    }

    /// Writes several cells.
    #[access(each(slots, write(cells[element])))]
    pub fn spread(&mut self, slots: Vec<u8>, value: u64) {
        for slot in slots {
            self.cells.put(slot, value);
        }
    }

    /// Adds to a sum, which ends at 255.
    #[access(add(sums[slot]))]
    pub fn add(&mut self, slot: u8, amount: u8) {
        self.sums.add(slot, amount);
    }

    /// Takes from a sum, which ends at 0.
    #[access(add(sums[slot]), write(cells[slot]))]
    pub fn sub(&mut self, slot: u8, amount: u8) {
        self.cells.put(slot, u64::from(amount));
        self.sums.sub(slot, amount);
        emit(Wrote { slot, value: u64::from(amount) });
    }

    /// Copies a sum to a cell.
    #[access(read(sums[slot]), write(cells[slot]))]
    pub fn show(&mut self, slot: u8) -> u8 {
        let sum = self.sums.get(slot);
        self.cells.put(slot, u64::from(sum));
        sum
    }

    /// Raises a maximum, twice.
    #[access(max(highs[slot]))]
    pub fn raise(&mut self, slot: u8, to: u8) {
        self.highs.raise(slot, u16::from(to) * 3);
        self.highs.raise(slot, u16::from(to));
    }

    /// Lowers a minimum.
    #[access(min(lows[slot]))]
    pub fn lower(&mut self, slot: u8, to: u8) {
        self.lows.lower(slot, to);
    }

    /// Raises a maximum, sees it, and sets a minimum, also back.
    #[access(write(highs[slot], lows[slot]))]
    pub fn reset(&mut self, slot: u8, to: u8) -> u16 {
        self.highs.raise(slot, u16::from(to));
        self.lows.put(slot, to);
        self.highs.get(slot)
    }

    /// Copies a maximum and a minimum to a cell.
    #[access(read(highs[slot], lows[slot]), write(cells[slot]))]
    pub fn extremes(&mut self, slot: u8) -> (u16, u8) {
        let both = (self.highs.get(slot), self.lows.get(slot));
        self.cells.put(slot, u64::from(both.0) << 8 | u64::from(both.1));
        both
    }

    /// Raises a maximum that only its run can tell, and then sees it.
    #[access(dynamic)]
    pub fn surpass(&mut self, slot: u8, to: u8) -> u16 {
        let at = self.cells.get(slot).to_le_bytes()[0] % 8;
        self.highs.raise(at, u16::from(to));
        self.lows.lower(at, to);
        self.highs.get(at)
    }

    /// Adds to a stock, which ends at 255.
    #[access(add(stocks[slot]))]
    pub fn stock(&mut self, slot: u8, n: u8) {
        self.stocks.add(slot, n);
    }

    /// Takes from a stock; two are left.
    #[access(reserve(stocks[slot], n, 2u8))]
    pub fn book(&mut self, slot: u8, n: u8) -> bool {
        self.stocks.reserve_above(slot, n, 2)
    }

    /// Takes from a stock in two parts, less than it declares, and says how it went.
    #[access(reserve(stocks[slot], n), write(cells[slot]))]
    pub fn book_parts(&mut self, slot: u8, n: u8) -> (bool, bool) {
        let both = (self.stocks.reserve(slot, n / 2), self.stocks.reserve(slot, n / 3));
        self.cells.put(slot, u64::from(both.0) * 2 + u64::from(both.1));
        both
    }

    /// Takes more from a stock than it declares, or wants more to be left, where `n` is odd.
    #[access(reserve(stocks[slot], n, 1u8))]
    pub fn overbook(&mut self, slot: u8, n: u8) -> bool {
        match n % 4 {
            1 => self.stocks.reserve(slot, n.saturating_add(1)),
            3 => self.stocks.reserve_above(slot, n, 2),
            _ => self.stocks.reserve_above(slot, n, 1),
        }
    }

    /// Takes from a stock and looks at what is left there, although it declares to look at another one.
    #[access(reserve(stocks[a], n), read(stocks[b]))]
    pub fn peek(&mut self, a: u8, b: u8, n: u8) -> u8 {
        // Only the list names it.
        let _ = b;
        black_box(self.stocks.reserve(a, n));
        self.stocks.get(a)
    }

    /// Takes from two stocks, or twice from one, and refuses if the second has not enough.
    ///
    /// # Errors
    /// If the second has not enough.
    #[access(reserve(stocks[a], 3u8), reserve(stocks[b], 2u8))]
    pub fn book_both(&mut self, a: u8, b: u8) -> Result<bool, ChaosError> {
        let first = self.stocks.reserve(a, 3);
        ensure!(self.stocks.reserve(b, 2), ChaosError::AfterWriting);
        Ok(first)
    }

    /// Adds to a stock and takes from it.
    #[access(add(stocks[slot]), reserve(stocks[slot], n))]
    pub fn exchange(&mut self, slot: u8, n: u8) -> bool {
        self.stocks.add(slot, n / 2);
        self.stocks.reserve(slot, n)
    }

    /// Sets a stock, takes from it, and sees it.
    #[access(write(stocks[slot]))]
    pub fn restock(&mut self, slot: u8, to: u8) -> (bool, u8) {
        self.stocks.put(slot, to);
        (self.stocks.reserve_above(slot, 9, 3), self.stocks.get(slot))
    }

    /// Copies a stock to a cell.
    #[access(read(stocks[slot]), write(cells[slot]))]
    pub fn left(&mut self, slot: u8) -> u8 {
        let left = self.stocks.get(slot);
        self.cells.put(slot, u64::from(left));
        left
    }

    /// Takes from a stock, and then refuses.
    ///
    /// # Errors
    /// Always.
    #[access(reserve(stocks[slot], n))]
    pub fn book_and_fail(&mut self, slot: u8, n: u8) -> Result<(), ChaosError> {
        black_box(self.stocks.reserve(slot, n));
        Err(ChaosError::Demanded)
    }

    /// Has another contract take from its stock, forgives it that it then fails, and has it take again.
    #[access(calls(other.book(slot, n)), calls(other.book_and_fail(slot, n)), calls(other.book(slot, 1u8)))]
    pub fn rebook(&mut self, other: Address, slot: u8, n: u8) -> (bool, bool) {
        let client = ChaoticClient::new(other);
        let first = client.book(slot, n);
        black_box(client.try_book_and_fail(slot, n).is_ok());
        (first, client.book(slot, 1))
    }

    /// Takes from a stock, and from one that only its run can tell, and sees that.
    #[access(dynamic, reserve(stocks[slot], n))]
    pub fn book_somewhere(&mut self, slot: u8, n: u8) -> (bool, bool, u8) {
        let at = self.cells.get(slot).to_le_bytes()[0] % 8;
        let known = self.stocks.reserve(slot, n);
        (known, self.stocks.reserve(at, n), self.stocks.get(at))
    }

    /// Appends to a log, twice where `n` is a multiple of three.
    #[access(append(notes[slot]))]
    pub fn note(&mut self, slot: u8, n: u8) {
        self.notes.append(slot, (caller(), n));
        if n.is_multiple_of(3) {
            self.notes.append(slot, (caller(), n.wrapping_add(100)));
        }
    }

    /// Appends to two logs, which may be one.
    #[access(append(notes[a], notes[b]))]
    pub fn note_both(&mut self, a: u8, b: u8) {
        self.notes.append(a, (caller(), b));
        self.notes.append(b, (caller(), a));
        self.notes.append(a, (this(), b));
    }

    /// Appends to a log, and then refuses.
    ///
    /// # Errors
    /// Always.
    #[access(append(notes[slot]))]
    pub fn note_and_fail(&mut self, slot: u8, n: u8) -> Result<(), ChaosError> {
        self.notes.append(slot, (caller(), n));
        Err(ChaosError::Demanded)
    }

    /// Appends to a log and adds to a sum, which may turn out not to fit.
    #[access(append(notes[slot]), add(sums[slot]))]
    pub fn note_and_add(&mut self, slot: u8, n: u8) {
        self.notes.append(slot, (caller(), n));
        self.sums.add(slot, n);
    }

    /// Appends to a log before and after it looks at its length.
    #[access(write(notes[slot]))]
    pub fn note_and_see(&mut self, slot: u8, n: u8) -> u64 {
        self.notes.append(slot, (caller(), n));
        let length = self.notes.len(slot);
        self.notes.append(slot, (caller(), length.to_le_bytes()[0]));
        length
    }

    /// Copies a log's length to a cell.
    #[access(read(notes[slot]), write(cells[slot]))]
    pub fn n_notes(&mut self, slot: u8) -> u64 {
        let length = self.notes.len(slot);
        self.cells.put(slot, length);
        length
    }

    /// Copies an item to a cell, with the length that the log had before the block.
    #[access(start(notes[slot], notes[slot][index]), write(cells[slot]))]
    pub fn noted(&mut self, slot: u8, index: u64) -> (u64, Option<(Address, u8)>) {
        let found = (self.notes.len_at_start(slot), self.notes.at_start(slot, index));
        self.cells.put(slot, found.0 << 8 | found.1.map_or(0, |(_, n)| u64::from(n)));
        found
    }

    /// Has another contract append, forgives it that it then fails, and has it append again.
    #[access(calls(other.note(slot, n)), calls(other.note_and_fail(slot, n)), calls(other.note(slot, 1u8)))]
    pub fn renote(&mut self, other: Address, slot: u8, n: u8) {
        let client = ChaoticClient::new(other);
        client.note(slot, n);
        black_box(client.try_note_and_fail(slot, n).is_ok());
        client.note(slot, 1);
    }

    /// Appends to a log that only its run can tell, sees its length, and appends again.
    #[access(dynamic, append(notes[slot]))]
    pub fn note_somewhere(&mut self, slot: u8, n: u8) -> u64 {
        let at = self.cells.get(slot).to_le_bytes()[0] % 8;
        self.notes.append(slot, (caller(), n));
        self.notes.append(at, (caller(), n));
        let length = self.notes.len(at);
        self.notes.append(at, (this(), n));
        length
    }

    /// Adds to the caller's shard.
    #[access(add(parts[slot][caller]))]
    pub fn deal(&mut self, slot: u8, amount: u8) {
        self.parts.add(slot, caller(), amount);
    }

    /// Copies what the caller's shard holds to a cell.
    #[access(read(parts[slot][caller]), write(cells[slot]))]
    pub fn part(&mut self, slot: u8) -> u8 {
        let part = self.parts.part(slot, caller());
        self.cells.put(slot, u64::from(part));
        part
    }

    /// Copies the total of all shards to a cell; fails where it leaves its range.
    #[access(read(parts[slot]), write(cells[slot]))]
    pub fn total(&mut self, slot: u8) -> u8 {
        let total = self.parts.get(slot);
        self.cells.put(slot, u64::from(total));
        total
    }

    /// Sets the total of all shards.
    #[access(write(parts[slot]))]
    pub fn gather(&mut self, slot: u8, total: u8) {
        self.parts.put(slot, total);
    }

    /// Writes, and then refuses.
    ///
    /// # Errors
    /// Always.
    #[access(write(cells[slot]), add(sums[slot]), max(highs[slot]))]
    pub fn fail_after_writing(&mut self, slot: u8, value: u64) -> Result<(), ChaosError> {
        self.cells.put(slot, value);
        self.sums.add(slot, 1);
        self.highs.raise(slot, u16::MAX);
        emit(Wrote { slot, value });
        Err(ChaosError::AfterWriting)
    }

    /// Writes, has another contract fail and forgives it, and writes what came of it.
    #[access(write(cells[slot]), calls(other.fail_after_writing(slot, _)), calls(other.put(slot, _)))]
    pub fn forgive(&mut self, other: Address, slot: u8, value: u64) -> u32 {
        self.cells.put(slot, 1);
        let client = ChaoticClient::new(other);
        let failed = client.try_fail_after_writing(slot, value);
        let put = if value.is_multiple_of(2) { client.try_put(slot, value) } else { Ok(()) };
        let code = match failed {
            Err(CallError::Revert(code)) => code,
            Err(_) => 1,
            Ok(()) => 0,
        };
        self.cells.put(slot, u64::from(code) + u64::from(put.is_ok()));
        code
    }

    /// Reads a cell under the hash of something long.
    #[access(read(digests[hash(data)]))]
    pub fn digest(&self, data: Vec<u8>) -> u64 {
        self.digests.get(hash(&data))
    }

    /// The same, and names two more.
    #[access(
        read(digests[hash(data)], digests[hash(data, caller)], digests[hash(caller, data)]),
        allow(over_declared = "what naming them costs is tested")
    )]
    pub fn digest_often(&self, data: Vec<u8>) -> u64 {
        self.digests.get(hash(&data))
    }

    /// Has a contract write and forgive several times, forgives what comes of that, and has it done again.
    #[access(calls(middle.stir(inner, slot, _)))]
    pub fn knead(&mut self, middle: Address, inner: Address, slot: u8) -> (bool, bool) {
        let client = ChaoticClient::new(middle);
        let failed = client.try_stir(inner, slot, 1).is_err();
        (failed, client.try_stir(inner, slot, 0).is_ok())
    }

    /// Writes one cell of another contract again and again, of which one call fails and is forgiven, and fails if it is told to.
    ///
    /// # Errors
    /// If `fails` is not zero.
    #[access(calls(inner.put(slot, _)), calls(inner.fail_after_writing(slot, _)))]
    pub fn stir(&mut self, inner: Address, slot: u8, fails: u8) -> Result<(), ChaosError> {
        let client = ChaoticClient::new(inner);
        black_box(client.try_put(slot, 1).is_ok());
        black_box(client.try_fail_after_writing(slot, 2).is_err());
        black_box(client.try_put(slot, 3 + u64::from(fails)).is_ok());
        black_box(client.try_fail_after_writing(slot, 4).is_err());
        if fails == 0 { Ok(()) } else { Err(ChaosError::Demanded) }
    }

    /// Has another contract call back.
    #[access(write(cells[slot]), calls(other.bounce(this, slot)))]
    pub fn reenter(&mut self, other: Address, slot: u8) {
        self.cells.put(slot, 1);
        ChaoticClient::new(other).bounce(this(), slot);
    }

    /// Calls whoever is named.
    #[access(write(cells[slot]), calls(back.put(slot, _)))]
    pub fn bounce(&mut self, back: Address, slot: u8) {
        self.cells.put(slot, 2);
        ChaoticClient::new(back).put(slot, 3);
    }

    /// Follows a chain of cells, which only its run can tell, and writes the last.
    #[access(dynamic)]
    pub fn follow(&mut self, start: u8, steps: u8) -> u8 {
        let mut at = start;
        for _ in 0..steps {
            at = self.cells.get(at).to_le_bytes()[0] % 8;
        }
        let value = self.cells.get(at).wrapping_add(13);
        self.cells.put(at, value);
        at
    }

    /// Reads a sum, and then refuses.
    ///
    /// # Errors
    /// Always.
    #[access(read(sums[slot]))]
    pub fn look_and_fail(&mut self, slot: u8) -> Result<(), ChaosError> {
        black_box(self.sums.get(slot));
        Err(ChaosError::Demanded)
    }

    /// Adds elsewhere, forgives a failure that saw the sum, adds again, and returns the sum.
    #[access(dynamic)]
    pub fn juggle(&mut self, other: Address, slot: u8) -> u8 {
        let client = ChaoticClient::new(other);
        client.add(slot, 5);
        let failed = client.try_look_and_fail(slot).is_err();
        client.add(slot, u8::from(failed));
        client.show(slot)
    }

    /// Returns what is in memory and leaves something else.
    pub fn soil(&mut self, pattern: u32) -> u32 {
        let seen = DIRTY.swap(pattern, Ordering::Relaxed);
        let heap = vec![0xa5_u8; 512];
        black_box(&heap);
        seen
    }

    /// Leaves memory dirty and panics.
    ///
    /// # Panics
    /// Always.
    #[access(write(cells[slot]))]
    pub fn soil_and_panic(&mut self, slot: u8) {
        DIRTY.store(99, Ordering::Relaxed);
        self.cells.put(slot, 1);
        panic!("as demanded");
    }

    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn refuse(&mut self) -> Result<(), ChaosError> {
        Err(ChaosError::Demanded)
    }

    /// Never ends.
    pub fn spin(&mut self) {
        loop {
            black_box(0);
        }
    }

    /// Calls itself until the stack ends, or `depth` times.
    pub fn recurse(&mut self, depth: u32) -> u32 {
        descend(depth)
    }

    /// Takes memory until there is none.
    pub fn devour(&mut self, bytes: u32) -> u32 {
        let mut held = Vec::new();
        for _ in 0..bytes / 256 {
            held.push(vec![1_u8; 256]);
        }
        black_box(&held);
        u32::try_from(held.len()).unwrap_or(u32::MAX)
    }
}

fn descend(depth: u32) -> u32 {
    let frame = [depth; 16];
    black_box(&frame);
    if depth == 0 { 0 } else { 1 + black_box(descend(depth - 1)) }
}
