//! What a pool has, and what that was worth over time.

use ethnum::U256;
use kempe_sdk::prelude::*;

/// How much of each token a pool has, and the shares it has issued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Reserves {
    /// Of the first token.
    pub a: u128,
    /// Of the second token.
    pub b: u128,
    /// The sum of all shares, the locked ones included.
    pub total_shares: u128,
    /// What the reserves were worth over time, until they last changed.
    pub observed: Observation,
}

/// The sums, over time, of the price of each token in the other.
///
/// A window may be as long as a reader likes: the sums do not wrap around, whatever the decimals of the tokens.
///
/// Source: Uniswap v2 core whitepaper, section 2.2, whose sums do wrap around.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Observation {
    /// Until when, in milliseconds since 1970; zero before there was a price.
    pub time_ms: u64,
    /// Of the first token in the second.
    pub a_in_b: PriceSum,
    /// Of the second token in the first.
    pub b_in_a: PriceSum,
}

/// A price summed over time: `high * 2^128 + low`, in units of 2^-64, times milliseconds.
///
/// A price is below 2^128 of its units, by being cut off there, and a time below 2^64 milliseconds: so no sum of
/// them reaches the 2^192 that do not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Value)]
pub struct PriceSum {
    /// What is above the lower 128 bits.
    pub high: u64,
    /// The lower 128 bits.
    pub low: u128,
}

impl PriceSum {
    /// With a price that held for a time.
    fn plus(self, price: u128, ms: u64) -> Self {
        let sum = self.wide() + U256::from(price) * U256::from(ms);
        let (high, low) = sum.into_words();
        // Never larger: see the type.
        Self { high: u64::try_from(high).unwrap_or(u64::MAX), low }
    }

    fn wide(self) -> U256 {
        U256::from_words(self.high.into(), self.low)
    }
}

impl Observation {
    /// The average prices since an earlier observation, in units of 2^-64: of the first token in the
    /// second, and of the second in the first. `None` if no time has passed, if there was no price at the earlier one, or
    /// if the sums are not of one pool.
    #[must_use]
    pub fn average_since(&self, earlier: &Self) -> Option<(u128, u128)> {
        if earlier.time_ms == 0 {
            return None;
        }
        let ms = U256::from(self.time_ms.checked_sub(earlier.time_ms).filter(|ms| *ms > 0)?);
        let average = |now: PriceSum, then: PriceSum| {
            u128::try_from(now.wide().checked_sub(then.wide())? / ms).ok()
        };
        Some((average(self.a_in_b, earlier.a_in_b)?, average(self.b_in_a, earlier.b_in_a)?))
    }
}

impl Reserves {
    /// The same reserves, observed until now.
    pub(crate) fn until(mut self, now_ms: u64) -> Self {
        // Without a price time does not count.
        if self.a == 0 || self.b == 0 {
            return self;
        }
        let seen = &mut self.observed;
        if seen.time_ms > 0 {
            let ms = now_ms.saturating_sub(seen.time_ms);
            seen.a_in_b = seen.a_in_b.plus(ratio(self.b, self.a), ms);
            seen.b_in_a = seen.b_in_a.plus(ratio(self.a, self.b), ms);
        }
        seen.time_ms = now_ms;
        self
    }
}

/// `a / b` in units of 2^-64; the largest number if it is larger.
fn ratio(a: u128, b: u128) -> u128 {
    u128::try_from((U256::from(a) << 64) / U256::from(b)).unwrap_or(u128::MAX)
}
