//! Terms, rates, accounts, events and errors.

use kempe_math::{BASIS_POINTS, ONE, mul_div_down, mul_div_up, times_down, times_up};
use kempe_sdk::prelude::*;

/// Milliseconds of a year of 365 days.
pub const YEAR_MS: u128 = 365 * 24 * 60 * 60 * 1_000;

/// How long loans are made without [`accrue`](crate::Lending::accrue): a day. Until then they are
/// made at the last known rate; ours to choose.
pub const ACCRUAL_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// The largest rate of interest in a year: 1,000 %. Ours to choose.
pub const RATE_MAX: u128 = 10 * ONE;

/// How long the rate takes at least from the lowest to the highest: a day. Ours to choose.
pub const RATE_MS: u64 = 24 * 60 * 60 * 1_000;

/// For how much time two samples of utilization speak at most, ten minutes: 1/144 of the way. Ours to choose.
pub const SAMPLE_MS_MAX: u64 = 10 * 60 * 1_000;

/// The shares of the supply that belong to nobody, with one smallest unit that nobody deposited: so the first
/// units cost a million shares each. Whoever makes a share expensive gives these the most of it: to round away
/// an amount that others deposit takes a million times as much. Ours to choose.
///
/// Source: OpenZeppelin, ERC-4626, `_decimalsOffset` of six.
pub const VIRTUAL_SHARES: u128 = 1_000_000;

/// The index of debt at which debts stop growing, 79 billion times what was borrowed: so that no
/// index is beyond 128 bits, and the market goes on. Ours to choose.
pub const DEBT_INDEX_MAX: u128 = 1 << 96;

/// Where the sum of what lenders put in and took out begins: in the middle, since they take out interest, too. What they
/// have put in and not taken out is there or lent, so it is at most what there is of the token and what is owed, and it goes as far below
/// only by as much interest: nobody fills it by going in and out.
pub const INVESTED_START: u128 = 1 << 127;

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
    /// The least that an account owes that borrows or pays back a part: what nobody liquidates for so little is the lenders' loss.
    /// Choose what pays for a liquidation with the bonus on it.
    pub debt_min: u128,
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

/// What debt costs, and who has what, as of when interest was last accrued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Rates {
    /// When that was.
    pub time_ms: u64,
    /// What a share of debt was then, in units of 10^-18, at most [`DEBT_INDEX_MAX`]. Never falls.
    pub debt_index: u128,
    /// The interest of a year on debt since then.
    pub debt_rate: u128,
    /// The market's part of the interest so far.
    pub reserves: u128,
    /// What the lenders had then.
    pub lent: u128,
    /// What lenders had put in less what they had taken out, above [`INVESTED_START`].
    pub invested: u128,
    /// The rate at the utilization that was found then.
    pub found: u128,
}

impl Rates {
    /// What a share of debt is at a time, rounded up: with simple interest since the last accrual.
    #[must_use]
    pub fn debt_index_at(&self, time_ms: u64) -> u128 {
        let ms = time_ms.saturating_sub(self.time_ms);
        let interest = mul_div_up(self.debt_rate, ms.into(), YEAR_MS);
        let more = interest.and_then(|interest| times_up(self.debt_index, interest));
        let index = more.and_then(|more| self.debt_index.checked_add(more));
        index.map_or(DEBT_INDEX_MAX, |index| index.min(DEBT_INDEX_MAX))
    }

    /// The interest of a year after a sample: it moves towards what this one and the one before agree about, by no more than the
    /// time between them permits.
    ///
    /// # Arguments
    /// - `found`: the rate at the utilization that is found.
    /// - `range`: the highest rate less the lowest.
    /// - `time_ms`: now.
    #[must_use]
    pub fn rate_towards(&self, found: u128, range: u128, time_ms: u64) -> u128 {
        let ms = time_ms.saturating_sub(self.time_ms).min(SAMPLE_MS_MAX);
        // Rounded up, so that it arrives also where every moment is sampled.
        let step = mul_div_up(range, ms.into(), RATE_MS.into()).unwrap_or_default();
        let goal = self.debt_rate.clamp(self.found.min(found), self.found.max(found));
        goal.clamp(self.debt_rate.saturating_sub(step), self.debt_rate.saturating_add(step))
    }
}

/// The market's counters at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Totals {
    pub(crate) cash: u128,
    pub(crate) supply: u128,
    pub(crate) debt: u128,
    pub(crate) invested: u128,
}

impl Totals {
    /// What all debts are, rounded down.
    pub(crate) fn debt(&self, index: u128) -> u128 {
        times_down(self.debt, index).unwrap_or(u128::MAX)
    }

    /// Cash and debt. What does not fit is not counted: it could not be paid either, and the market goes on.
    pub(crate) fn assets(&self, index: u128) -> u128 {
        self.cash.saturating_add(self.debt(index))
    }
}

/// What the lenders have together, and the market beside them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lenders {
    /// The shares of the supply, without [`VIRTUAL_SHARES`].
    supply: u128,
    /// What they are worth.
    pub(crate) lent: u128,
    /// The market's part of the interest.
    pub(crate) reserves: u128,
}

impl Lenders {
    /// What there is at a time, of which a part of the gain since interest was last accrued is the market's. The
    /// gain is by how much there is more than what came in since, so no deposit is taken for a gain and
    /// no withdrawal for a loss, whatever they were priced at.
    pub(crate) fn at(rates: &Rates, totals: Totals, terms: &Terms, time_ms: u64) -> Self {
        let supply = totals.supply;
        let assets = totals.assets(rates.debt_index_at(time_ms));
        if supply == 0 {
            // Without lenders what there is belongs to nobody else.
            return Self { supply, lent: 0, reserves: assets };
        }
        // A loss beyond the lenders' part is the reserves' too.
        let reserves = rates.reserves.min(assets);
        let came = totals.invested.saturating_sub(rates.invested).saturating_add(rates.lent);
        let went = rates.invested.saturating_sub(totals.invested);
        let gain = (assets - reserves).saturating_add(went).saturating_sub(came);
        // A part of less than all, so it fits.
        let part = mul_div_down(gain, terms.reserve_bp.into(), BASIS_POINTS).unwrap_or_default();
        let part = part.min(assets - reserves);
        Self { supply, lent: assets - reserves - part, reserves: reserves + part }
    }

    /// The shares for a deposit, rounded down.
    pub(crate) fn shares_for(&self, amount: u128) -> Result<u128, LendingError> {
        let shares = mul_div_down(amount, self.shares()?, self.units()?);
        // What one step of a counter can be.
        let fits = shares.filter(|shares| amount.max(*shares) <= u128::MAX >> 1);
        fits.ok_or(LendingError::TooLarge)
    }

    /// What shares are worth, rounded down. All of the supply together are never worth more than what the
    /// lenders have, for some of the shares are nobody's.
    pub(crate) fn worth(&self, shares: u128) -> Result<u128, LendingError> {
        mul_div_down(shares, self.units()?, self.shares()?).ok_or(LendingError::TooLarge)
    }

    fn shares(&self) -> Result<u128, LendingError> {
        self.supply.checked_add(VIRTUAL_SHARES).ok_or(LendingError::TooLarge)
    }

    fn units(&self) -> Result<u128, LendingError> {
        self.lent.checked_add(1).ok_or(LendingError::TooLarge)
    }
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

/// What a share count is, rounded up: what a debtor owes. What does not fit is more than anybody can pay.
pub(crate) fn owed(shares: u128, index: u128) -> u128 {
    times_up(shares, index).unwrap_or(u128::MAX)
}

/// Shares for an amount, rounded down: for a repayment.
pub(crate) fn shares_down(amount: u128, index: u128) -> Result<u128, LendingError> {
    mul_div_down(amount, ONE, index).ok_or(LendingError::TooLarge)
}

/// Shares for an amount, rounded up: for a loan.
pub(crate) fn shares_up(amount: u128, index: u128) -> Result<u128, LendingError> {
    mul_div_up(amount, ONE, index).ok_or(LendingError::TooLarge)
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

/// Why the market refuses: codes 1500 to 1599.
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
    /// Interest was not accrued for too long: call `accrue`, and borrow from the next block on. Or the market was set up in this block.
    NotAccrued = 1506,
    /// The caller is not the treasurer.
    NotTreasurer = 1507,
    /// A result does not fit in 128 bits.
    TooLarge = 1508,
    /// The shares, or what is paid for them, are less than the caller's limit.
    Slippage = 1509,
    /// The account would owe something, and less than [`Terms::debt_min`].
    TooSmall = 1510,
    /// Interest was accrued in this block: the next one accrues.
    AlreadyAccrued = 1511,
}
