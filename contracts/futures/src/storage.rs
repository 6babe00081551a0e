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
    /// How much each side may be worth for new positions, of the vault.
    pub open_bp: u16,
    /// The funding of a year if all positions are on one side, in units of 10^-18 of their worth.
    pub funding_rate: u128,
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
    /// Whether new longs are taken.
    pub longs_open: bool,
    /// Whether new shorts are taken.
    pub shorts_open: bool,
}

impl Funding {
    /// The index at a time.
    ///
    /// # Errors
    /// - [`FuturesError::TooLarge`].
    pub fn index_at(&self, time_ms: u64) -> Result<u128, FuturesError> {
        let ms = time_ms.saturating_sub(self.time_ms).into();
        let change = mul_div_down(self.slope, ms, YEAR_MS);
        let index = change.and_then(|change| {
            if self.longs_pay {
                self.index.checked_add(change)
            } else {
                self.index.checked_sub(change)
            }
        });
        index.filter(|index| *index < 2 * INDEX_START).ok_or(FuturesError::TooLarge)
    }
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
    /// The vault takes no more positions on this side, or must keep what was asked for.
    VaultFull = 1808,
    /// The caller has fewer shares, or too few would be issued.
    InsufficientShares = 1809,
    /// A result does not fit.
    TooLarge = 1810,
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
    /// What was paid out; zero if the position is still open.
    pub paid: u128,
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
    /// What the liquidator got.
    pub reward: u128,
    /// What the trader got.
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
