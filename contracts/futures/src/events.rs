//! Events.

use kempe_sdk::prelude::*;

use crate::order::Order;

/// A position's change was requested.
#[event]
pub struct OrderPlaced {
    /// Whose.
    pub by: Address,
    /// What.
    pub order: Order,
}

/// A request could not be done at its price, and is gone.
#[event]
pub struct OrderRefused {
    /// Whose.
    pub by: Address,
    /// The price, in units of 10^-18.
    pub price: u128,
    /// The code of the error for which it was refused.
    pub reason: u32,
    /// What the vault got of the margin, because positions left it no room.
    pub fee: u128,
}

/// A request was canceled.
#[event]
pub struct OrderCanceled {
    /// Whose.
    pub by: Address,
}

/// Somebody was paid what the market owed.
#[event]
pub struct Collected {
    /// Who.
    pub by: Address,
    /// How much.
    pub amount: u128,
}

/// A position was opened or made larger.
#[event]
pub struct PositionOpened {
    /// Whose.
    pub by: Address,
    /// Whether it gains when the price rises.
    pub long: bool,
    /// By how much.
    pub size: u128,
    /// The price, in units of 10^-18.
    pub price: u128,
    /// The fee.
    pub fee: u128,
}

/// A position was closed or made smaller.
#[event]
pub struct PositionClosed {
    /// Whose.
    pub by: Address,
    /// By how much.
    pub size: u128,
    /// The price, in units of 10^-18.
    pub price: u128,
    /// What the trader can collect of the margin; zero if the position is still open.
    pub paid: u128,
    /// What the vault did not get.
    pub bad_debt: u128,
}

/// A position was closed because its margin was too small.
#[event]
pub struct Liquidated {
    /// Whose.
    pub trader: Address,
    /// Who did it.
    pub by: Address,
    /// How large it was.
    pub size: u128,
    /// The price, in units of 10^-18.
    pub price: u128,
    /// What the liquidator can collect: out of the margin, and out of the vault what that lacks of the least.
    pub reward: u128,
    /// What the trader can collect.
    pub left: u128,
    /// What the vault did not get.
    pub bad_debt: u128,
}

/// Margin came in, or went out.
#[event]
pub struct MarginMoved {
    /// Whose.
    pub by: Address,
    /// How much.
    pub amount: u128,
    /// Whether it came in.
    pub added: bool,
}

/// The vault was given, or gave back, an amount, for shares or as a gift.
#[event]
pub struct VaultMoved {
    /// Whose.
    pub by: Address,
    /// How much.
    pub amount: u128,
    /// The shares for it; zero for a gift.
    pub shares: u128,
    /// Whether it came in.
    pub added: bool,
}

/// Funding was brought up to date.
#[event]
pub struct Funded {
    /// The index.
    pub index: u128,
    /// What is paid in a year from now on.
    pub slope: u128,
    /// Whether longs pay.
    pub longs_pay: bool,
}
