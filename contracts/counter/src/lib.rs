//! Counters that many callers raise at the same time.
//!
//! It shows what `add` is for: raising `total` touches it in a kind that commutes, so any number of
//! callers run in one batch, and the sum is exact. [`Tally::raise_slowly`] does the same as a read
//! and a write, so each of its calls waits for the one before.
//!
//! Invariant: `total` is the sum of `by_caller`.
#![no_std]

use kempe_sdk::prelude::*;

#[cfg(test)]
mod test;

/// A total, and each caller's share of it.
#[contract]
#[derive(Debug)]
pub struct Tally {
    /// The sum over all callers.
    total: Counter<u64>,
    /// What each caller has contributed.
    by_caller: Map<Address, Counter<u64>>,
}

/// A caller raised the total.
#[event]
pub struct Raised {
    /// Who.
    pub by: Address,
    /// By how much.
    pub amount: u64,
}

#[contract]
impl Tally {
    /// Raises the total. Does not wait for anybody.
    ///
    /// # Arguments
    /// - `amount`: by how much. A total of 2^64 or more stops the transaction.
    ///
    /// # Events
    /// [`Raised`].
    #[access(add(total, by_caller[caller]))]
    pub fn raise(&mut self, amount: u64) {
        self.total.add(amount);
        self.by_caller.add(caller(), amount);
        emit(Raised { by: caller(), amount });
    }

    /// Takes back some of what the caller contributed.
    ///
    /// # Arguments
    /// - `amount`: how much. More than the caller contributed stops the transaction.
    #[access(add(total, by_caller[caller]))]
    pub fn lower(&mut self, amount: u64) {
        self.total.sub(amount);
        self.by_caller.sub(caller(), amount);
    }

    /// Raises the total and returns it. Sees the total, so it waits for every other change of it.
    ///
    /// # Arguments
    /// - `amount`: by how much. A total of 2^64 or more stops the transaction.
    ///
    /// # Events
    /// [`Raised`].
    #[access(write(total), add(by_caller[caller]))]
    pub fn raise_slowly(&mut self, amount: u64) -> u64 {
        self.total.add(amount);
        self.by_caller.add(caller(), amount);
        emit(Raised { by: caller(), amount });
        self.total.get()
    }

    /// The sum over all callers.
    #[access(read(total))]
    pub fn total(&self) -> u64 {
        self.total.get()
    }

    /// What one caller has contributed.
    #[access(read(by_caller[of]))]
    pub fn contribution(&self, of: Address) -> u64 {
        self.by_caller.get(of)
    }
}
