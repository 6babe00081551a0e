//! Swaps along a path of pools.
//!
//! The router holds nothing: the caller's tokens go to the first pool, each pool sends its proceeds to
//! the next, and the last one to the receiver. So two swaps through the router share no key unless they
//! share a pool or an account, as if each had called its pools itself.
//!
//! The path is an argument, so the access list of the whole swap, over all pools and tokens of it,
//! follows from the call.
//!
//! Pools and tokens are the caller's choice, and what comes out is what the last pool says: a path through a contract that
//! lies, or a token that takes a fee out of transfers, gives less than that, whatever the caller demands.
//!
//! Invariants:
//! - the router has no state and no balance;
//! - a swap along pools that tell the truth gives at least what was demanded, or nothing happens.
#![no_std]

use kempe_sdk::interfaces::{ExchangeClient, FungibleClient, SOLD_MAX};
use kempe_sdk::prelude::*;

#[cfg(test)]
mod test;

/// The most pools of a path. Each is a call, and the list of a transaction is bounded.
pub const HOPS_MAX: usize = 8;

/// The router.
#[contract]
#[derive(Debug)]
pub struct Router {}

/// A step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Hop {
    /// The pool that swaps: any contract with the interface `Exchange`.
    pub pool: Address,
    /// Whether the pool's first token comes in.
    pub a_in: bool,
    /// Who gets what comes out: the next step's pool, or at the end the receiver.
    pub to: Address,
}

/// Why the router refuses: codes 220 to 239.
#[error]
pub enum RouterError {
    /// The path is empty or longer than [`HOPS_MAX`], does not begin at `first`, or a step does not
    /// pay the next one.
    BadPath = 220,
    /// The block's time is past the caller's deadline.
    Expired = 221,
    /// Less would come out than the caller demands.
    Slippage = 222,
    /// The amount is zero.
    ZeroAmount = 223,
    /// More would come into a pool than it sells at once ([`SOLD_MAX`]): the rest would be anybody's.
    TooLarge = 224,
}

/// A path was gone.
#[event]
pub struct Routed {
    /// Who swapped.
    pub by: Address,
    /// How much went into the first pool.
    pub amount_in: u128,
    /// How much came out of the last.
    pub amount_out: u128,
    /// Who got it.
    pub to: Address,
}

#[contract]
impl Router {
    /// Swaps along a path. Takes the amount out of the caller's allowance for the router.
    ///
    /// # Arguments
    /// - `token_in`: what is sold; the first pool takes nothing else.
    /// - `amount_in`: how much.
    /// - `first`: the first pool, once more: it is what the tokens are sent to.
    /// - `path`: the steps; the last one's `to` is who receives.
    /// - `min_out`: the least to accept in the end.
    /// - `deadline_ms`: the latest block time to accept.
    ///
    /// # Errors
    /// - [`RouterError::BadPath`], [`RouterError::Expired`], [`RouterError::ZeroAmount`], [`RouterError::TooLarge`],
    ///   [`RouterError::Slippage`], and whatever the pools and tokens refuse with.
    ///
    /// # Events
    /// [`Routed`].
    #[access(
        calls(token_in.transfer_from(caller, first, amount_in)),
        each(path, calls(element.pool.swap_received(element.a_in, _, element.to)))
    )]
    pub fn swap(
        &mut self,
        token_in: Address,
        amount_in: u128,
        first: Address,
        path: Vec<Hop>,
        min_out: u128,
        deadline_ms: u64,
    ) -> Result<u128, RouterError> {
        ensure!(time_ms() <= deadline_ms, RouterError::Expired);
        ensure!(amount_in > 0, RouterError::ZeroAmount);
        let to = check_path(first, &path)?;
        FungibleClient::new(token_in).transfer_from(caller(), first, amount_in);
        let mut amount = amount_in;
        for hop in &path {
            ensure!(amount <= SOLD_MAX, RouterError::TooLarge);
            amount = ExchangeClient::new(hop.pool).swap_received(hop.a_in, 1, hop.to);
        }
        ensure!(amount >= min_out, RouterError::Slippage);
        emit(Routed { by: caller(), amount_in, amount_out: amount, to });
        Ok(amount)
    }
}

/// Whether each step pays the next one; returns who is paid in the end.
fn check_path(first: Address, path: &[Hop]) -> Result<Address, RouterError> {
    ensure!(path.len() <= HOPS_MAX, RouterError::BadPath);
    let mut at = first;
    for hop in path {
        ensure!(hop.pool == at, RouterError::BadPath);
        at = hop.to;
    }
    ensure!(!path.is_empty(), RouterError::BadPath);
    Ok(at)
}
