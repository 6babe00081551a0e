//! What the vault is worth, and whose it is.

use kempe_math::{ONE, mul_div_down, mul_div_up};
use kempe_sdk::prelude::*;

use crate::FuturesError;

/// The shares that the first provider leaves in the vault forever, so that a share can never be made
/// expensive by a fee. Source: Uniswap v2, `MINIMUM_LIQUIDITY`.
pub const LOCKED_SHARES: u128 = 1_000;

/// How long shares stay in the vault at least: a quarter of an hour. Source: the cooldown of GMX's GLP.
pub const PROVIDED_MS_MIN: u64 = 15 * 60 * 1_000;

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

    /// The shares that are sold for an amount, while the vault is worth so much.
    ///
    /// # Errors
    /// - [`FuturesError::VaultEmpty`], [`FuturesError::InsufficientShares`].
    pub(crate) fn shares_for(&self, amount: u128, worth: u128) -> Result<u128, FuturesError> {
        ensure!(worth >= self.shares / 100, FuturesError::VaultEmpty);
        mul_div_down(amount, self.shares, worth).ok_or(FuturesError::InsufficientShares)
    }
}
