//! Interfaces that contracts share, with their clients.
//!
//! A contract says that it has one with `#[contract(implements(interfaces::Fungible))]`: the compiler compares
//! the methods, the ABI carries the interface, and the host compares again. A caller names no
//! contract but an address: `FungibleClient::new(token).transfer(to, amount)`, declared as
//! `calls(token.transfer(to, amount))`. Which keys that touches is the callee's template to say, so
//! any contract that has the interface will do.

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

/// A collection of tokens of which each is one of a kind.
#[interface]
pub trait NonFungible {
    /// Gives the caller's token to `to`.
    fn transfer(&mut self, to: Address, id: Hash);
    /// Gives `from`'s token to `to`: the caller is approved for it, or an operator of `from`'s.
    fn transfer_from(&mut self, from: Address, to: Address, id: Hash);
    /// Allows `spender` to move the caller's token, once; nobody if `None`.
    fn approve(&mut self, spender: Option<Address>, id: Hash);
    /// Allows `operator` to move every token of the caller's, or takes that back.
    fn set_operator(&mut self, operator: Address, allowed: bool);
    /// Who has the token, if it exists.
    fn owner_of(&self, id: Hash) -> Option<Address>;
    /// Who may move the token once, besides its owner and the owner's operators.
    fn approved(&self, id: Hash) -> Option<Address>;
    /// Whether `operator` may move every token of `owner`'s.
    fn is_operator(&self, owner: Address, operator: Address) -> bool;
    /// How many tokens `of` has.
    fn balance(&self, of: Address) -> u64;
}

/// One in the scale of prices: 10^18.
pub const PRICE_ONE: u128 = 1_000_000_000_000_000_000;

/// What an asset costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Price {
    /// What [`PRICE_ONE`] smallest units of the asset cost, in smallest units of the oracle's
    /// currency: `amount * value / PRICE_ONE` is what `amount` costs.
    pub value: u128,
    /// When it was observed, in milliseconds since 1970. How old is too old is the caller's to say.
    pub time_ms: u64,
}

/// A source of prices.
#[interface]
pub trait Oracle {
    /// What the asset costs: the address of a token, or any other 32 bytes that the oracle gives a
    /// price. `None` if it gives none.
    fn price(&self, asset: Address) -> Option<Price>;
}

/// A source of prices that remembers some.
#[interface]
pub trait PriceHistory {
    /// The first price of the asset that was observed after `after_ms`, in milliseconds since 1970: none that was known
    /// then. Nobody chooses it by when they ask. `None` if there is none yet, or it is forgotten.
    fn first_after(&self, asset: Address, after_ms: u64) -> Option<Price>;
}

/// What an exchange sells at once at most. Source: the 112 bits of a reserve in the Uniswap v2 core whitepaper
/// (Adams, Zinsmeister, Robinson, 2020).
pub const SOLD_MAX: u128 = (1 << 112) - 1;

/// An exchange of two tokens, which it calls `a` and `b`, as a step of a longer path.
#[interface]
pub trait Exchange {
    /// Sells what the exchange was sent since it last counted, of `a` or else of `b`, and sends what
    /// comes out, at least `min_out`, to `to`; returns how much. Whoever sends must call this in the
    /// same transaction: what was sent is anybody's to sell, and so is what is beyond [`SOLD_MAX`], which is left.
    fn swap_received(&mut self, a_in: bool, min_out: u128, to: Address) -> u128;
}
