//! Interfaces that contracts share, with their clients.

#![allow(unused_imports, reason = "the prelude is for contracts")]

use crate::prelude::*;

/// A fungible token.
#[interface]
pub trait Fungible {
    /// Moves `amount` from the caller to `to`.
    fn transfer(&mut self, to: Address, amount: u128);
    /// Moves `amount` from `from` to `to`, out of what `from` allowed the caller.
    fn transfer_from(&mut self, from: Address, to: Address, amount: u128);
    /// Allows `spender` to move up to `amount` of the caller's.
    fn approve(&mut self, spender: Address, amount: u128);
    /// What `of` has.
    fn balance(&self, of: Address) -> u128;
    /// What `spender` may still move of `owner`'s.
    fn allowance(&self, owner: Address, spender: Address) -> u128;
    /// The sum of all balances.
    fn total_supply(&self) -> u128;
}
