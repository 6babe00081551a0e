//! The next version of the counter contract, for tests of upgrades.
//!
//! `raise` reads one cell more than before, `raise_by_start` and `set_cap` are new, `lower` and `raise_slowly` are gone.
#![no_std]

use kempe_sdk::prelude::*;

/// A total with a cap, and each caller's share of it.
#[contract]
#[derive(Debug)]
pub struct Tally {
    total: Counter<u64>,
    by_caller: Map<Address, Counter<u64>>,
    /// No single call raises the total by more.
    cap: Item<u64>,
    /// Who ran the migration.
    migrated_by: Immutable<Address>,
}

/// Why a call is refused.
#[error]
pub enum TallyError {
    /// The call raises the total by more than the cap.
    AboveCap = 100,
    /// The cap is zero.
    NoCap = 101,
}

#[contract]
impl Tally {
    /// Sets the cap.
    ///
    /// # Errors
    /// - [`TallyError::NoCap`].
    #[access(write(cap))]
    pub fn migrate(&mut self, cap: u64) -> Result<(), TallyError> {
        self.cap.put(cap);
        self.migrated_by.set(caller());
        ensure!(cap > 0, TallyError::NoCap);
        Ok(())
    }

    /// Raises the total.
    ///
    /// # Errors
    /// - [`TallyError::AboveCap`].
    #[access(read(cap), add(total, by_caller[caller]))]
    pub fn raise(&mut self, amount: u64) -> Result<(), TallyError> {
        ensure!(amount <= self.cap.get().unwrap_or(u64::MAX), TallyError::AboveCap);
        self.total.add(amount);
        self.by_caller.add(caller(), amount);
        Ok(())
    }

    /// Raises the total by no more than the cap that there was before the block.
    ///
    /// # Errors
    /// - [`TallyError::AboveCap`].
    #[access(start(cap), add(total, by_caller[caller]))]
    pub fn raise_by_start(&mut self, amount: u64) -> Result<(), TallyError> {
        ensure!(Some(amount) <= self.cap.at_start(), TallyError::AboveCap);
        self.total.add(amount);
        self.by_caller.add(caller(), amount);
        Ok(())
    }

    /// Sets another cap.
    #[access(write(cap))]
    pub fn set_cap(&mut self, cap: u64) {
        self.cap.put(cap);
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

    /// The cap.
    #[access(read(cap))]
    pub fn cap(&self) -> Option<u64> {
        self.cap.get()
    }

    /// Who ran the migration.
    #[access()]
    pub fn migrated_by(&self) -> Address {
        self.migrated_by.get()
    }
}
