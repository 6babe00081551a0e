//! Multiplication and division of amounts in 256 bits, rounded as asked.
//!
//! Amounts are whole numbers of 128 bits, as tokens have them. A rate, a price, a share's worth is
//! such a number too, in units of [`ONE`]: `1.5` is `1_500_000_000_000_000_000`. The product of an
//! amount and a rate needs up to 256 bits before it is divided, which is why a fixed-point type of
//! 128 bits does not do: the wide numbers are those of `ethnum`. There are no floats anywhere.
//!
//! Nothing here panics, and nothing wraps: what does not fit is `None`. The name says which way a
//! result is rounded, because the caller of a contract must never gain by it.
//!
//! ```
//! use kempe_math::{ONE, mul_div_down, mul_div_up};
//!
//! let rate = ONE / 3;
//! assert_eq!(mul_div_down(100, rate, ONE), Some(33));
//! assert_eq!(mul_div_up(100, rate, ONE), Some(34));
//! assert_eq!(mul_div_down(u128::MAX, u128::MAX, u128::MAX), Some(u128::MAX));
//! assert_eq!(mul_div_down(u128::MAX, 2, 1), None);
//! ```
#![no_std]

use ethnum::U256;

#[cfg(test)]
mod test;

/// One, in fixed point: 10^18, as most of decentralized finance has it.
///
/// Source: the units of Ethereum; MakerDAO's `wad`.
pub const ONE: u128 = 1_000_000_000_000_000_000;

/// Hundredths of a percent in one.
pub const BASIS_POINTS: u128 = 10_000;

/// `a * b / c`, rounded down. `None` if `c` is zero or the result does not fit.
#[must_use]
pub fn mul_div_down(a: u128, b: u128, c: u128) -> Option<u128> {
    if let Some(product) = a.checked_mul(b) {
        return product.checked_div(c);
    }
    let quotient = product(a, b).checked_div(U256::from(c))?;
    u128::try_from(quotient).ok()
}

/// `a * b / c`, rounded up. `None` if `c` is zero or the result does not fit.
#[must_use]
pub fn mul_div_up(a: u128, b: u128, c: u128) -> Option<u128> {
    if c == 0 {
        return None;
    }
    if let Some(product) = a.checked_mul(b) {
        return Some(product.div_ceil(c));
    }
    let (product, c) = (product(a, b), U256::from(c));
    let down = u128::try_from(product / c).ok()?;
    if product % c == U256::ZERO { Some(down) } else { down.checked_add(1) }
}

/// An amount times a rate in units of [`ONE`], rounded down.
#[must_use]
pub fn times_down(amount: u128, rate: u128) -> Option<u128> {
    mul_div_down(amount, rate, ONE)
}

/// An amount times a rate in units of [`ONE`], rounded up.
#[must_use]
pub fn times_up(amount: u128, rate: u128) -> Option<u128> {
    mul_div_up(amount, rate, ONE)
}

/// The product of two numbers of 128 bits, which always fits.
fn product(a: u128, b: u128) -> U256 {
    U256::from(a) * U256::from(b)
}
