//! What traders request.

use kempe_sdk::prelude::*;

use crate::FuturesError;
use crate::position::{part_up, worth};

/// How long a request lasts at least, one minute: time for somebody to settle it. Ours to choose.
pub const ORDER_MS_MIN: u64 = 60 * 1_000;

/// How long a request lasts at most, one day. Ours to choose.
pub const ORDER_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// What a trader has requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Order {
    /// The time of the block in which it was, or that of the price which was known then if that is later.
    pub time_ms: u64,
    /// Whether the position gains when the price rises.
    pub long: bool,
    /// Whether it grows.
    pub grow: bool,
    /// By how much of the asset.
    pub size: u128,
    /// What is added to the margin.
    pub margin: u128,
    /// The worst price that is accepted.
    pub limit: u128,
    /// Only a price that was observed before this time counts, and without one it can be canceled from this block time on.
    pub expires_ms: u64,
    /// What the vault had before the block in which it was requested.
    pub vault: u128,
}

impl Order {
    /// Whether it expires neither too soon nor too late.
    pub(crate) fn is_timely(&self) -> bool {
        let life_ms = self.expires_ms.saturating_sub(self.time_ms);
        (ORDER_MS_MIN..=ORDER_MS_MAX).contains(&life_ms)
    }

    /// What comes in for it: the margin, and the reward of who settles it.
    pub(crate) fn locks(&self, reward: u128) -> Option<u128> {
        self.margin.checked_add(reward).filter(|locked| *locked <= u128::MAX >> 1)
    }

    /// What it costs to grow at a price.
    #[inline(never)]
    pub(crate) fn cost(&self, price: u128) -> Result<u128, FuturesError> {
        worth(self.size, price, self.long)
    }

    /// What the vault gets for that, and where it has no room, too.
    #[inline(never)]
    pub(crate) fn fee(&self, price: u128, fee_bp: u16) -> Result<u128, FuturesError> {
        part_up(self.cost(price)?, fee_bp)
    }

    /// Whether a vault is about what it was at the request, so that what has no room now is kept out by positions.
    pub(crate) const fn finds(&self, vault: u128) -> bool {
        vault >= self.vault - self.vault / 20
    }

    /// Whether a price is as good as its limit.
    pub(crate) const fn accepts(&self, price: u128) -> bool {
        let rising = self.grow == self.long;
        if rising { price <= self.limit } else { price >= self.limit }
    }
}
