//! Terms, funding, events and errors.

use kempe_math::{BASIS_POINTS, ONE, mul_div_down, mul_div_up};
use kempe_sdk::prelude::*;

/// Milliseconds of a year of 365 days.
pub const YEAR_MS: u128 = 365 * 24 * 60 * 60 * 1_000;

/// The largest position, in smallest units of the asset: with the largest price its cost fits. Ours to
/// choose.
pub const SIZE_MAX: u128 = 1 << 96;

/// The highest price that the market reckons with, in units of 10^-18. Ours to choose.
pub const PRICE_MAX: u128 = 1 << 84;

/// Where the funding index begins: far from zero, because it can fall. Ours to choose.
pub const INDEX_START: u128 = 1 << 84;

/// The shares that the first provider leaves in the vault forever, so that a share can never be made
/// expensive by a fee. Source: Uniswap v2, `MINIMUM_LIQUIDITY`.
pub const LOCKED_SHARES: u128 = 1_000;

/// How long shares stay in the vault at least: a quarter of an hour. Source: the cooldown of GMX's GLP.
pub const PROVIDED_MS_MIN: u64 = 15 * 60 * 1_000;

/// How long a request lasts at least, one minute: time for somebody to settle it. Ours to choose.
pub const ORDER_MS_MIN: u64 = 60 * 1_000;

/// How long a request lasts at most, one day. Ours to choose.
pub const ORDER_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// How old funding may be for positions to grow, one day. Ours to choose.
pub const FUNDING_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// What a market is. Parts are in hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Terms {
    /// The margin for a new position, of what it is worth.
    pub initial_bp: u16,
    /// Where liquidation begins: the margin with profit and loss, of what the position is worth.
    pub maintenance_bp: u16,
    /// What a liquidator gets, of what the position is worth.
    pub liquidation_bp: u16,
    /// What the vault gets when a position is opened and closed, of what it is worth.
    pub fee_bp: u16,
    /// By how much one side may be worth more than the other for positions to grow, of the vault.
    pub open_bp: u16,
    /// The funding of a year where that is reached, in units of 10^-18 of what positions are worth.
    pub funding_rate: u128,
    /// What a request pays whoever settles it.
    pub reward: u128,
    /// How old a price may be, in milliseconds.
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
    }
}

/// What positions pay each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Funding {
    /// When it was last brought up to date.
    pub time_ms: u64,
    /// What longs have paid for 10^18 smallest units of the asset, and shorts received, above
    /// [`INDEX_START`].
    pub index: u128,
    /// What is paid for as much in a year since then.
    pub slope: u128,
    /// Whether longs pay.
    pub longs_pay: bool,
}

impl Funding {
    /// The index at a time. At zero and just below twice [`INDEX_START`] it stays: positions are closed and
    /// margins leave whatever was paid.
    #[must_use]
    #[inline(never)]
    pub fn index_at(&self, time_ms: u64) -> u128 {
        let ms = time_ms.saturating_sub(self.time_ms).into();
        let change = mul_div_down(self.slope, ms, YEAR_MS).unwrap_or(u128::MAX);
        let index = if self.longs_pay {
            self.index.saturating_add(change)
        } else {
            self.index.saturating_sub(change)
        };
        index.min(2 * INDEX_START - 1)
    }
}

/// What a trader has requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Order {
    /// The time of the block in which it was.
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
}

impl Order {
    /// By how much the position grows if it is done.
    #[must_use]
    pub const fn grows_by(&self) -> u128 {
        if self.grow { self.size } else { 0 }
    }
}

/// What a provider has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Provided {
    /// The shares.
    pub shares: u128,
    /// When some were bought last.
    pub time_ms: u64,
}

/// The positions of one side together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Side {
    /// Their size.
    pub size: u128,
    /// What they cost.
    pub cost: u128,
    /// The size of each times the index at which it was funded, in units of 10^18.
    pub funded: u128,
}

/// The market's sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Sums {
    /// What the vault has.
    pub vault: u128,
    /// All shares of the vault.
    pub shares: u128,
    /// All longs.
    pub longs: Side,
    /// All shorts.
    pub shorts: Side,
}

impl Sums {
    /// What the vault is worth if all positions were closed now; at least zero.
    ///
    /// # Arguments
    /// - `price`, `index`: now.
    /// - `up`: which way to round.
    ///
    /// # Errors
    /// - [`FuturesError::TooLarge`].
    #[inline(never)]
    pub fn worth(&self, price: u128, index: u128, up: bool) -> Result<u128, FuturesError> {
        let times = |size: u128, by: u128, up: bool| {
            let product = if up { mul_div_up(size, by, ONE) } else { mul_div_down(size, by, ONE) };
            product.ok_or(FuturesError::TooLarge)
        };
        let plus = [
            self.vault,
            self.longs.cost,
            times(self.shorts.size, price, up)?,
            times(self.longs.size, index, up)?,
            self.shorts.funded,
        ];
        let minus = [
            times(self.longs.size, price, !up)?,
            self.shorts.cost,
            self.longs.funded,
            times(self.shorts.size, index, !up)?,
        ];
        let sum = |parts: &[u128]| {
            parts.iter().try_fold(0u128, |a, &b| a.checked_add(b)).ok_or(FuturesError::TooLarge)
        };
        Ok(sum(&plus)?.saturating_sub(sum(&minus)?))
    }
}

/// Why the market refuses.
#[error]
pub enum FuturesError {
    /// The terms are not sound.
    BadTerms = 1800,
    /// The amount or the size is zero.
    ZeroAmount = 1801,
    /// The oracle gives no price, or one that is too old, zero, or beyond [`PRICE_MAX`].
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
    /// One side would be larger than the other by more than the vault takes.
    VaultFull = 1808,
    /// The caller has fewer shares, or too few would be issued.
    InsufficientShares = 1809,
    /// A result does not fit.
    TooLarge = 1810,
    /// The request does not expire between [`ORDER_MS_MIN`] and [`ORDER_MS_MAX`] from now.
    BadExpiry = 1811,
    /// The account has a request that has not expired, or one that is to be settled.
    OrderPending = 1812,
    /// There is no such request.
    NoOrder = 1813,
    /// Funding is older than [`FUNDING_MS_MAX`].
    StaleFunding = 1815,
    /// The shares were bought less than [`PROVIDED_MS_MIN`] ago.
    TooEarly = 1816,
    /// Positions have won nearly all of the vault, which sells no shares then.
    VaultEmpty = 1817,
}

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
    /// What the liquidator can collect.
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
