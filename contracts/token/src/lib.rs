//! A fungible token: balances, allowances, and a supply that mints and burns in parallel.
//!
//! Invariants:
//! - the sum of all balances is `supply`;
//! - only a holder's own call, or a spender within the holder's allowance, lowers a balance;
//! - only the owner's call raises the supply, and it never exceeds 2^128 - 1.
//!
//! Transfers between different accounts do not conflict. Mints do not conflict on the supply, which is
//! a counter; they conflict only on the balance of one receiver.
#![no_std]

use kempe_sdk::interfaces;
use kempe_sdk::prelude::*;

mod errors;
mod events;
#[cfg(test)]
mod test;

pub use errors::TokenError;
pub use events::{Approval, Burn, Mint, Transfer};

/// A fungible token with one owner, who mints.
#[contract]
#[derive(Debug)]
pub struct Token {
    /// Who may mint.
    owner: Item<Address>,
    /// The sum of all balances.
    supply: Counter<u128>,
    /// What each account has; absent is zero.
    balances: Map<Address, u128>,
    /// What a spender, the second key, may move of a holder's, the first; absent is zero.
    allowances: Map<Address, Map<Address, u128>>,
}

#[contract(implements(interfaces::Fungible))]
impl Token {
    /// Sets up a token without any supply.
    ///
    /// # Arguments
    /// - `owner`: who may mint.
    pub fn init(&mut self, owner: Address) {
        self.owner.put(owner);
    }

    /// Creates `amount` and gives it to `to`.
    ///
    /// # Arguments
    /// - `to`: who receives.
    /// - `amount`: how much; zero is permitted.
    ///
    /// # Errors
    /// - [`TokenError::NotOwner`]: the caller is not the owner.
    /// - [`TokenError::AmountTooLarge`]: the receiver would have 2^128 or more, or the amount is 2^127
    ///   or more.
    ///
    /// A supply of 2^128 or more stops the transaction.
    ///
    /// # Events
    /// [`Mint`].
    #[access(read(owner), add(supply), write(balances[to]))]
    pub fn mint(&mut self, to: Address, amount: u128) -> Result<(), TokenError> {
        ensure!(self.owner.get() == Some(caller()), TokenError::NotOwner);
        ensure!(amount <= Self::MINT_MAX, TokenError::AmountTooLarge);
        self.supply.add(amount);
        self.deposit(to, amount)?;
        emit(Mint { to, amount });
        Ok(())
    }

    /// Destroys `amount` of the caller's.
    ///
    /// # Arguments
    /// - `amount`: how much; zero is permitted.
    ///
    /// # Errors
    /// - [`TokenError::InsufficientBalance`]: the caller has less.
    /// - [`TokenError::AmountTooLarge`]: the amount is 2^127 or more.
    ///
    /// # Events
    /// [`Burn`].
    #[access(add(supply), write(balances[caller]))]
    pub fn burn(&mut self, amount: u128) -> Result<(), TokenError> {
        ensure!(amount <= Self::MINT_MAX, TokenError::AmountTooLarge);
        let from = caller();
        self.withdraw(from, amount)?;
        self.supply.sub(amount);
        emit(Burn { from, amount });
        Ok(())
    }

    /// Moves `amount` from the caller to `to`.
    ///
    /// # Arguments
    /// - `to`: who receives; the caller is permitted, and changes nothing.
    /// - `amount`: how much; zero is permitted.
    ///
    /// # Errors
    /// - [`TokenError::InsufficientBalance`]: the caller has less.
    ///
    /// # Events
    /// [`Transfer`].
    #[access(write(balances[caller], balances[to]))]
    pub fn transfer(&mut self, to: Address, amount: u128) -> Result<(), TokenError> {
        self.move_balance(caller(), to, amount)
    }

    /// Allows `spender` to move up to `amount` of the caller's. Replaces what was allowed before.
    ///
    /// # Arguments
    /// - `spender`: who is allowed.
    /// - `amount`: how much; zero takes the permission back.
    ///
    /// A spender that sees the change coming can use both the old and the new amount: set zero first,
    /// and look, where that matters.
    ///
    /// # Events
    /// [`Approval`].
    #[access(write(allowances[caller][spender]))]
    pub fn approve(&mut self, spender: Address, amount: u128) {
        let owner = caller();
        self.allowances.put((owner, spender), amount);
        emit(Approval { owner, spender, amount });
    }

    /// Moves `amount` from `from` to `to`, out of what `from` allowed the caller.
    ///
    /// # Arguments
    /// - `from`: whose balance it is.
    /// - `to`: who receives.
    /// - `amount`: how much; zero is permitted.
    ///
    /// # Errors
    /// - [`TokenError::InsufficientAllowance`]: the caller may move less, also of its own.
    /// - [`TokenError::InsufficientBalance`]: `from` has less.
    ///
    /// # Events
    /// [`Transfer`].
    #[access(write(allowances[from][caller], balances[from], balances[to]))]
    pub fn transfer_from(
        &mut self,
        from: Address,
        to: Address,
        amount: u128,
    ) -> Result<(), TokenError> {
        let spender = caller();
        let allowed = self.allowances.get((from, spender));
        let left = allowed.checked_sub(amount).ok_or(TokenError::InsufficientAllowance)?;
        self.allowances.put((from, spender), left);
        self.move_balance(from, to, amount)
    }

    /// What `of` has.
    #[access(read(balances[of]))]
    pub fn balance(&self, of: Address) -> u128 {
        self.balances.get(of)
    }

    /// What `spender` may still move of `owner`'s.
    #[access(read(allowances[owner][spender]))]
    pub fn allowance(&self, owner: Address, spender: Address) -> u128 {
        self.allowances.get((owner, spender))
    }

    /// The sum of all balances.
    #[access(read(supply))]
    pub fn total_supply(&self) -> u128 {
        self.supply.get()
    }

    /// Who may mint.
    #[access(read(owner))]
    pub fn owner(&self) -> Option<Address> {
        self.owner.get()
    }

    /// One step of a counter: 2^127 - 1.
    const MINT_MAX: u128 = u128::MAX >> 1;

    /// Moves a balance. The deposit reads what the withdrawal wrote, so moving to oneself is right.
    fn move_balance(&mut self, from: Address, to: Address, amount: u128) -> Result<(), TokenError> {
        self.withdraw(from, amount)?;
        self.deposit(to, amount)?;
        emit(Transfer { from, to, amount });
        Ok(())
    }

    fn withdraw(&mut self, from: Address, amount: u128) -> Result<(), TokenError> {
        let had = self.balances.get(from);
        let has = had.checked_sub(amount).ok_or(TokenError::InsufficientBalance)?;
        self.balances.put(from, has);
        Ok(())
    }

    fn deposit(&mut self, to: Address, amount: u128) -> Result<(), TokenError> {
        let had = self.balances.get(to);
        let has = had.checked_add(amount).ok_or(TokenError::AmountTooLarge)?;
        self.balances.put(to, has);
        Ok(())
    }
}
