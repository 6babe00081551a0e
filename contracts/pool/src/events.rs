//! What the pool emits and refuses with.

use kempe_sdk::prelude::*;

/// Why the pool refuses: codes 200 to 219.
#[error]
pub enum PoolError {
    /// The two tokens are one, or the fee is 100 % or more.
    BadPool = 200,
    /// An amount is zero.
    ZeroAmount = 201,
    /// Less would come out than the caller demands.
    Slippage = 202,
    /// The block's time is past the caller's deadline.
    Expired = 203,
    /// The pool is empty.
    NoLiquidity = 204,
    /// Whose shares they are has fewer.
    InsufficientShares = 205,
    /// A result does not fit in 128 bits.
    TooLarge = 206,
    /// The pool does not pay itself, and has no shares of its own.
    BadReceiver = 207,
    /// The allowance is smaller than the amount.
    InsufficientAllowance = 208,
}

/// One token was exchanged for the other.
#[event]
pub struct Swapped {
    /// Who.
    pub by: Address,
    /// Whether the first token came in.
    pub a_in: bool,
    /// How much came in.
    pub amount_in: u128,
    /// How much went out.
    pub amount_out: u128,
}

/// The pool had less than it counted.
#[event]
pub struct Synced {
    /// Who said so.
    pub by: Address,
    /// How much of the first token it has.
    pub a: u128,
    /// How much of the second token it has.
    pub b: u128,
}

/// Liquidity was added.
#[event]
pub struct Added {
    /// Who.
    pub by: Address,
    /// How much of the first token.
    pub a: u128,
    /// How much of the second token.
    pub b: u128,
    /// The shares issued for it.
    pub shares: u128,
}

/// Liquidity was removed.
#[event]
pub struct Removed {
    /// Who.
    pub by: Address,
    /// How much of the first token.
    pub a: u128,
    /// How much of the second token.
    pub b: u128,
    /// The shares given up for it.
    pub shares: u128,
}

/// Shares moved.
#[event]
pub struct Transfer {
    /// Who had them.
    pub from: Address,
    /// Who has them.
    pub to: Address,
    /// How many.
    pub amount: u128,
}

/// A spender may move up to an amount of shares.
#[event]
pub struct Approval {
    /// Whose shares they are.
    pub owner: Address,
    /// Who may move them.
    pub spender: Address,
    /// How many.
    pub amount: u128,
}
