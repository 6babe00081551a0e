//! What positions pay each other over time.

use kempe_math::mul_div_down;
use kempe_sdk::prelude::*;

use crate::FuturesError;
use crate::position::worth;

/// Milliseconds of a year of 365 days.
pub const YEAR_MS: u128 = 365 * 24 * 60 * 60 * 1_000;

/// Where the funding index begins: far from zero, because it can fall. Ours to choose.
pub const INDEX_START: u128 = 1 << 84;

/// How old funding may be for positions to grow, one hour. Ours to choose.
pub const FUNDING_MS_MAX: u64 = 60 * 60 * 1_000;

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
    /// By how much of the asset one side could be larger than the other then.
    pub room: u128,
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

    /// Funding from a time on, as the sides and the vault are.
    ///
    /// # Arguments
    /// - `time_ms`: since when.
    /// - `longs`, `shorts`: the sizes of all positions.
    /// - `limit`: by how much one side may be worth more than the other.
    /// - `price`: of the asset.
    /// - `rate`: of a year where the limit is reached.
    /// - `room`: what the limit is of the asset, with the vault as it is.
    ///
    /// # Errors
    /// - [`FuturesError::TooLarge`].
    #[inline(never)]
    pub(crate) fn renewed(
        &self,
        time_ms: u64,
        (longs, shorts): (u128, u128),
        limit: u128,
        price: u128,
        rate: u128,
        room: u128,
    ) -> Result<Self, FuturesError> {
        let skew = worth(longs.abs_diff(shorts), price, false)?;
        let full = worth(price, rate, false)?;
        let slope = mul_div_down(full, skew.min(limit), limit).unwrap_or(full);
        let index = self.index_at(time_ms);
        Ok(Self { time_ms, index, slope, longs_pay: longs > shorts, room })
    }
}
