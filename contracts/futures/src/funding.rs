//! What positions pay each other over time.

use kempe_math::{ONE, mul_div_down, mul_div_up};
use kempe_sdk::prelude::*;

use crate::FuturesError;
use crate::position::worth;

/// Milliseconds of a year of 365 days.
pub const YEAR_MS: u128 = 365 * 24 * 60 * 60 * 1_000;

/// Where the funding index begins: far from zero, because it can fall. Ours to choose.
pub const INDEX_START: u128 = 1 << 84;

/// How old funding may be for positions to grow, one hour. Ours to choose.
pub const FUNDING_MS_MAX: u64 = 60 * 60 * 1_000;

/// How long funding takes at least from all that the vault takes on one side to as much on the other: a day. Ours to choose.
pub const TILT_MS: u64 = 24 * 60 * 60 * 1_000;

/// For how much time two samples of the sides speak at most, ten minutes: 1/144 of the way. Ours to choose.
pub const SAMPLE_MS_MAX: u64 = 10 * 60 * 1_000;

/// What positions pay each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Funding {
    /// When it was last brought up to date.
    pub time_ms: u64,
    /// What longs have paid for 10^18 smallest units of the asset, and shorts received, above
    /// [`INDEX_START`].
    pub index: u128,
    /// By how much more it is than the index says, divided by [`YEAR_MS`]: below one. Without it whoever pokes often would
    /// stop funding.
    pub rest: u128,
    /// What is paid for as much in a year since then. Nothing while the tilt and the last two samples lie on different sides of one.
    pub slope: u128,
    /// Whether longs pay.
    pub longs_pay: bool,
    /// By how much of the asset one side could be larger than the other then.
    pub room: u128,
    /// By what part of the limit longs are larger, as funding goes by: in units of 10^-18, above one; below one shorts are.
    pub tilt: u128,
    /// By what part they were, as the last poke found the sides.
    pub found: u128,
}

impl Funding {
    /// The index at a time. At zero and just below twice [`INDEX_START`] it stays: positions are closed and
    /// margins leave whatever was paid.
    #[must_use]
    #[inline(never)]
    pub fn index_at(&self, time_ms: u64) -> u128 {
        self.moved(time_ms).0
    }

    /// The index at a time and its rest: the same however often it was brought up to date before.
    #[inline(never)]
    pub(crate) fn moved(&self, time_ms: u64) -> (u128, u128) {
        let ms = time_ms.saturating_sub(self.time_ms).into();
        let divided = mul_div_down(self.slope, ms, YEAR_MS).map(|whole| {
            // Below a year, so it is right whatever the products are cut off of.
            (whole, self.slope.wrapping_mul(ms).wrapping_sub(whole.wrapping_mul(YEAR_MS)))
        });
        let (whole, part) = divided.unwrap_or((u128::MAX, 0));
        let (index, rest) = if self.longs_pay {
            let rest = self.rest + part;
            (self.index.saturating_add(whole).saturating_add(rest / YEAR_MS), rest % YEAR_MS)
        } else if part <= self.rest {
            (self.index.saturating_sub(whole), self.rest - part)
        } else {
            (self.index.saturating_sub(whole).saturating_sub(1), self.rest + YEAR_MS - part)
        };
        (index.min(2 * INDEX_START - 1), rest)
    }

    /// Funding from a time on, as the sides and the vault are and were when it was brought up to date before.
    ///
    /// # Arguments
    /// - `time_ms`: since when.
    /// - `sides`: the sizes of all longs and of all shorts.
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
        sides: (u128, u128),
        limit: u128,
        price: u128,
        rate: u128,
        room: u128,
    ) -> Result<Self, FuturesError> {
        let found = tilt_of(sides, limit, price)?;
        let tilt = self.tilt_towards(found, time_ms);
        let full = worth(price, rate, false)?;
        // Where two samples found the other side larger, what follows them would have the vault pay that side.
        let (least, most) = (self.found.min(found), self.found.max(found));
        let is_behind = most < ONE && tilt > ONE || least > ONE && tilt < ONE;
        let part = if is_behind { 0 } else { tilt.abs_diff(ONE) };
        let slope = worth(full, part, false)?;
        let (index, rest) = self.moved(time_ms);
        Ok(Self { time_ms, index, rest, slope, longs_pay: tilt > ONE, room, tilt, found })
    }

    /// The tilt after a sample: it moves towards what this one and the one before agree about, by no more than the time
    /// between them permits.
    #[must_use]
    pub fn tilt_towards(&self, found: u128, time_ms: u64) -> u128 {
        let ms = time_ms.saturating_sub(self.time_ms).min(SAMPLE_MS_MAX);
        // Rounded up, so that it arrives also where every moment is sampled.
        let step = mul_div_up(2 * ONE, ms.into(), TILT_MS.into()).unwrap_or_default();
        let goal = self.tilt.clamp(self.found.min(found), self.found.max(found));
        goal.clamp(self.tilt.saturating_sub(step), self.tilt.saturating_add(step))
    }
}

/// By what part of a limit longs are larger than shorts: in units of 10^-18, above one.
fn tilt_of((longs, shorts): (u128, u128), limit: u128, price: u128) -> Result<u128, FuturesError> {
    let skew = worth(longs.abs_diff(shorts), price, false)?;
    // Where the vault takes nothing, any difference is all of it.
    let part = if skew < limit { mul_div_down(ONE, skew, limit).unwrap_or(ONE) } else { ONE };
    let part = if skew == 0 { 0 } else { part };
    Ok(if longs > shorts { ONE + part } else { ONE - part })
}
