//! Terms and errors.

use kempe_math::{BASIS_POINTS, ONE, mul_div_down, mul_div_up};
use kempe_sdk::prelude::*;

use crate::order::{ORDER_MS_MIN, Order};
use crate::position::part_up;

/// The largest position, in smallest units of the asset: with the largest price its cost fits. Ours to
/// choose.
pub const SIZE_MAX: u128 = 1 << 96;

/// The most that the positions of a side are together, in smallest units of the asset. Of what [`Sums::worth`](crate::Sums::worth) adds
/// up, a side times the index, which is below 2^85, is in units of 10^18 below 2^125.3, and there are two of these; its cost and
/// what it is worth are below 2^124.3. So with a vault below 2^127 all fits into 128 bits, whatever traders do. Of an asset with 18
/// decimals that is 1.27 * 10^12 whole ones. Ours to choose.
pub const SIDE_MAX: u128 = 1 << 100;

/// The lowest price that the market reckons with, in units of 10^-18: what 10^18 smallest units of the asset cost, in smallest units of
/// the token. So a step of the price, and of the index of funding, is a hundredth of a percent at most. Ours to choose.
pub const PRICE_MIN: u128 = 10_000;

/// The highest price that the market reckons with, in units of 10^-18: what 10^18 smallest units of the asset cost, in smallest units of the
/// token, is below 2^84. Of an asset with 8 decimals and a token with 18 that is a whole one for 0.0019 tokens, so no market in
/// it ever has a price: choose a token with no more decimals than the asset. Ours to choose.
pub const PRICE_MAX: u128 = 1 << 84;

/// What a market is. Parts are in hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Terms {
    /// The margin for a new position, of what it is worth.
    pub initial_bp: u16,
    /// Where liquidation begins: the margin with profit and loss, of what the position is worth.
    pub maintenance_bp: u16,
    /// What a liquidator gets, of what the position is worth.
    pub liquidation_bp: u16,
    /// What the vault gets when a position is opened and closed, of what it is worth, and when a request to grow is refused for want of room.
    pub fee_bp: u16,
    /// By how much one side may be worth more than the other for positions to grow, of the vault.
    pub open_bp: u16,
    /// The funding of a year where that is reached, in units of 10^-18 of what positions are worth.
    pub funding_rate: u128,
    /// What a request pays whoever settles it, and what a liquidation pays at least. Every position has twice as much
    /// behind it or is liquidated.
    pub reward: u128,
    /// The least that a position is worth which grows, or is left of one that shrinks, above zero: nobody liquidates what is worth less than
    /// the call. Choose what pays for it by `liquidation_bp`.
    pub value_min: u128,
    /// By how much the price of a request may be observed after it, in milliseconds, at least [`ORDER_MS_MIN`]: several rounds of the
    /// oracle, for one of them to be published.
    pub wait_ms_max: u64,
    /// How old the last price may be, in milliseconds, at least [`ORDER_MS_MIN`]: several times what usually passes between two
    /// publications, since a request to grow that is settled without a last price is refused.
    pub price_ms_max: u64,
}

impl Terms {
    /// Whether a position can be opened that is not liquidated at once, and a liquidation is paid for.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let bp = BASIS_POINTS;
        let [initial, maintenance, reward, fee] =
            [self.initial_bp, self.maintenance_bp, self.liquidation_bp, self.fee_bp]
                .map(u128::from);
        reward > 0
            && reward + fee <= maintenance
            && maintenance < initial
            && initial <= bp
            && self.open_bp > 0
            && u128::from(self.open_bp) <= bp
            && self.funding_rate <= 10 * ONE
            && self.reward < u128::MAX >> 2
            && self.needed(0, self.initial_bp).is_ok()
            && self.value_min > 0
            && self.wait_ms_max >= ORDER_MS_MIN
            && self.price_ms_max >= ORDER_MS_MIN
    }

    /// What a position needs at a part of its worth: margin with profit and loss.
    ///
    /// A small position needs as much as one whose maintenance margin is twice what a liquidation pays at least, whatever it is
    /// worth by now. So the vault pays of that only where one price has taken half of the maintenance margin before anybody
    /// could liquidate, and otherwise no more than the fee that it gets then.
    #[inline(never)]
    pub(crate) fn needed(&self, worth: u128, bp: u16) -> Result<u128, FuturesError> {
        let least = mul_div_up(2 * self.reward, BASIS_POINTS, self.maintenance_bp.into());
        part_up(worth.max(least.ok_or(FuturesError::TooLarge)?), bp)
    }

    /// When a price can be observed at the latest that decides about a request.
    pub(crate) fn last_ms(&self, order: &Order) -> u64 {
        order.time_ms.saturating_add(self.wait_ms_max)
    }

    /// By how much one side may be worth more than the other with so much in the vault.
    #[inline(never)]
    pub(crate) fn room(&self, vault: u128) -> u128 {
        mul_div_down(vault, self.open_bp.into(), BASIS_POINTS).unwrap_or(vault)
    }
}

/// Why the market refuses: codes 1800 to 1899.
#[error]
pub enum FuturesError {
    /// The terms are not sound.
    BadTerms = 1800,
    /// The amount or the size is zero.
    ZeroAmount = 1801,
    /// The oracle gives no price, or one that is too old, below [`PRICE_MIN`], or beyond [`PRICE_MAX`].
    NoPrice = 1802,
    /// The price is worse than the caller's limit.
    Slippage = 1803,
    /// The caller has a position on the other side.
    WrongSide = 1804,
    /// The account has no position, or one that is smaller.
    NoPosition = 1805,
    /// The margin is too small for the position.
    Unhealthy = 1806,
    /// The margin is large enough for the position.
    Healthy = 1807,
    /// One side would be larger than the other by more than the vault takes, or than [`SIDE_MAX`].
    VaultFull = 1808,
    /// The caller has fewer shares, or too few would be issued.
    InsufficientShares = 1809,
    /// A result does not fit.
    TooLarge = 1810,
    /// The request does not expire between [`ORDER_MS_MIN`](crate::ORDER_MS_MIN) and
    /// [`ORDER_MS_MAX`](crate::ORDER_MS_MAX) from now.
    BadExpiry = 1811,
    /// The account has a request that has not expired, or one that is to be settled.
    OrderPending = 1812,
    /// There is no such request.
    NoOrder = 1813,
    /// Funding is older than [`FUNDING_MS_MAX`](crate::FUNDING_MS_MAX).
    StaleFunding = 1815,
    /// The shares were bought less than [`PROVIDED_MS_MIN`](crate::PROVIDED_MS_MIN) ago.
    TooEarly = 1816,
    /// Positions have won nearly all of the vault, which sells no shares then.
    VaultEmpty = 1817,
    /// The room that the last poke found is used up, and there is more; or it is more than there is now by a twentieth.
    StaleRoom = 1818,
    /// The position would be worth less than [`Terms::value_min`].
    TooSmall = 1819,
}
