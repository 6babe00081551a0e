//! Terms, rates, accounts, events and errors.

use kempe_math::{BASIS_POINTS, ONE, mul_div_down, mul_div_up, times_down, times_up};
use kempe_sdk::prelude::*;

/// Milliseconds of a year of 365 days.
pub const YEAR_MS: u128 = 365 * 24 * 60 * 60 * 1_000;

/// How long rates stay usable without [`accrue`](crate::Lending::accrue): a day. Until then deposits are
/// priced by the last known rate; ours to choose.
pub const ACCRUAL_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// The largest rate of interest in a year: 1,000 %. Ours to choose.
pub const RATE_MAX: u128 = 10 * ONE;

/// What a market is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Terms {
    /// What can be borrowed against collateral, in hundredths of a percent of its worth.
    pub borrow_bp: u16,
    /// Where liquidation begins, in hundredths of a percent of the collateral's worth.
    pub liquidation_bp: u16,
    /// What a liquidator gets on top, in hundredths of a percent of what is repaid.
    pub bonus_bp: u16,
    /// The market's part of the interest, in hundredths of a percent.
    pub reserve_bp: u16,
    /// The interest of a year when nothing is borrowed, in units of 10^-18.
    pub base_rate: u128,
    /// What is added to it up to the kink.
    pub low_slope: u128,
    /// What is added to it beyond the kink.
    pub high_slope: u128,
    /// The utilization at the kink, in units of 10^-18; above zero, below one.
    pub kink: u128,
    /// How old a price may be, in milliseconds.
    pub price_ms_max: u64,
    /// Who takes out the market's part.
    pub treasurer: Address,
}

impl Terms {
    /// Whether a market with these terms stays solvent by its own rules: what can be borrowed is below
    /// where liquidation begins, and a liquidation at that point, with its bonus, leaves something over.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let bp = |n: u16| u128::from(n);
        let with_bonus = bp(self.liquidation_bp) * (BASIS_POINTS + bp(self.bonus_bp));
        let rates = [self.base_rate, self.low_slope, self.high_slope];
        self.borrow_bp > 0
            && self.borrow_bp < self.liquidation_bp
            && with_bonus <= BASIS_POINTS * BASIS_POINTS
            && bp(self.reserve_bp) < BASIS_POINTS
            && rates.iter().try_fold(0u128, |a, &b| a.checked_add(b)).is_some_and(|r| r <= RATE_MAX)
            && self.kink > 0
            && self.kink < ONE
    }

    /// The interest of a year at a utilization of at most [`ONE`], in units of 10^-18.
    #[must_use]
    pub fn rate(&self, utilization: u128) -> u128 {
        // Both parts are at most their slopes, so nothing overflows and nothing is lost.
        let low = mul_div_up(self.low_slope, utilization.min(self.kink), self.kink);
        let beyond = utilization.min(ONE).saturating_sub(self.kink);
        let high = mul_div_up(self.high_slope, beyond, ONE - self.kink);
        self.base_rate + low.unwrap_or(self.low_slope) + high.unwrap_or(self.high_slope)
    }
}

/// What shares are worth, and how that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Rates {
    /// When interest was last accrued.
    pub time_ms: u64,
    /// What a share of debt was then, in units of 10^-18. Never falls.
    pub debt_index: u128,
    /// What a share of the supply was worth then, in units of 10^-18. Falls only by bad debt.
    pub supply_index: u128,
    /// The interest of a year on debt since then.
    pub debt_rate: u128,
    /// The most that the supply can earn in a year since then, unless more is borrowed.
    pub supply_rate: u128,
    /// The market's part of the interest so far.
    pub reserves: u128,
}

impl Rates {
    /// What a share of debt is at a time, rounded up.
    ///
    /// # Errors
    /// - [`LendingError::TooLarge`].
    pub fn debt_index_at(&self, time_ms: u64) -> Result<u128, LendingError> {
        grown(self.debt_index, self.debt_rate, time_ms.saturating_sub(self.time_ms))
    }

    /// What a share of the supply costs at a time, rounded up: what it will be worth when interest is
    /// accrued, so that nobody buys into interest that others earned.
    ///
    /// # Errors
    /// - [`LendingError::TooLarge`].
    pub fn supply_price_at(&self, time_ms: u64) -> Result<u128, LendingError> {
        grown(self.supply_index, self.supply_rate, time_ms.saturating_sub(self.time_ms))
    }
}

/// An index with simple interest of a time, rounded up.
fn grown(index: u128, rate: u128, ms: u64) -> Result<u128, LendingError> {
    let interest = mul_div_up(rate, ms.into(), YEAR_MS).ok_or(LendingError::TooLarge)?;
    let more = times_up(index, interest).ok_or(LendingError::TooLarge)?;
    index.checked_add(more).ok_or(LendingError::TooLarge)
}

/// What an account has in the market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Account {
    /// Shares of the supply.
    pub supply: u128,
    /// Shares of the debt.
    pub debt: u128,
    /// Collateral, which earns nothing and is lent to nobody.
    pub collateral: u128,
}

/// What a share count is, rounded up: what a debtor owes.
pub(crate) fn owed(shares: u128, index: u128) -> Result<u128, LendingError> {
    times_up(shares, index).ok_or(LendingError::TooLarge)
}

/// Shares for an amount, rounded down: for a deposit, and for a repayment.
pub(crate) fn shares_down(amount: u128, index: u128) -> Result<u128, LendingError> {
    mul_div_down(amount, ONE, index).ok_or(LendingError::TooLarge)
}

/// Shares for an amount, rounded up: for a loan.
pub(crate) fn shares_up(amount: u128, index: u128) -> Result<u128, LendingError> {
    mul_div_up(amount, ONE, index).ok_or(LendingError::TooLarge)
}

/// What shares are worth, rounded down.
pub(crate) fn worth(shares: u128, index: u128) -> Result<u128, LendingError> {
    times_down(shares, index).ok_or(LendingError::TooLarge)
}

/// The two prices of a market.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prices {
    pub(crate) loan: u128,
    pub(crate) collateral: u128,
}

impl Prices {
    /// A part of what collateral is worth, in the loan's token, rounded down. What does not fit is more
    /// than anybody can owe.
    pub(crate) fn limit(self, collateral: u128, part_bp: u16) -> u128 {
        let worth = mul_div_down(collateral, self.collateral, self.loan).unwrap_or(u128::MAX);
        mul_div_down(worth, part_bp.into(), BASIS_POINTS).unwrap_or(worth)
    }

    /// The collateral for a repayment with a bonus, rounded down. `None` if it does not fit: more than
    /// there is.
    pub(crate) fn seized(self, repaid: u128, bonus_bp: u16) -> Option<u128> {
        let with_bonus = BASIS_POINTS + u128::from(bonus_bp);
        let value = mul_div_down(repaid, with_bonus, BASIS_POINTS)?;
        mul_div_down(value, self.loan, self.collateral)
    }

    /// The repayment for collateral with a bonus, rounded up.
    pub(crate) fn price_of(self, collateral: u128, bonus_bp: u16) -> Result<u128, LendingError> {
        let with_bonus = BASIS_POINTS + u128::from(bonus_bp);
        let value = mul_div_up(collateral, self.collateral, self.loan);
        value
            .and_then(|value| mul_div_up(value, BASIS_POINTS, with_bonus))
            .ok_or(LendingError::TooLarge)
    }
}

/// Why the market refuses.
#[error]
pub enum LendingError {
    /// The terms are not sound, or the two tokens are one.
    BadTerms = 1500,
    /// The amount is zero, or too small to be a share.
    ZeroAmount = 1501,
    /// The caller has fewer shares or less collateral.
    Insufficient = 1502,
    /// The collateral is not worth enough for the debt.
    Unhealthy = 1503,
    /// The account's collateral is worth enough for its debt.
    Healthy = 1504,
    /// The oracle gives no price, one that is too old, or zero.
    NoPrice = 1505,
    /// Interest was not accrued for too long: call `accrue`.
    NotAccrued = 1506,
    /// The caller is not the treasurer.
    NotTreasurer = 1507,
    /// A result does not fit in 128 bits.
    TooLarge = 1508,
}
