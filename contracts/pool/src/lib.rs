//! A constant-product exchange of two tokens.
//!
//! A swap touches this pool's reserves and four balances of the tokens, which its access list names
//! because the tokens' templates are spliced in. So swaps on different pools run in parallel, and
//! swaps on one pool one after the other.
//!
//! Invariants:
//! - the pool's token balances are at least its reserves;
//! - `reserve_a * reserve_b` never falls by a swap;
//! - `shares` add up to `total_shares`;
//! - the time-weighted price of a block counts what the reserves were until then, so a swap does not
//!   move the price of its own block.
//!
//! Source of the formulas: Uniswap v2 core whitepaper (Adams, Zinsmeister, Robinson, 2020).
#![no_std]

use ethnum::U256;
use kempe_sdk::interfaces::{self, FungibleClient};
use kempe_sdk::prelude::*;

#[cfg(test)]
mod test;

/// Hundredths of a percent in one.
const BASIS_POINTS: u128 = 10_000;

/// The shares that the first provider leaves in the pool forever, so that a share can never be made
/// expensive by a donation. Source: Uniswap v2, `MINIMUM_LIQUIDITY`.
const LOCKED_SHARES: u128 = 1_000;

/// A pool of two tokens.
#[contract]
#[derive(Debug)]
pub struct Pool {
    /// The first token.
    token_a: Immutable<Address>,
    /// The second token.
    token_b: Immutable<Address>,
    /// What a swap pays to the providers, in hundredths of a percent of what comes in.
    fee_basis_points: Immutable<u16>,
    /// How much of each token the pool counts as its own.
    reserves: Item<Reserves>,
    /// What each provider owns of the pool.
    shares: Map<Address, u128>,
}

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

/// The sums, over time, of the price of each token in the other: in units of 2^-64, times milliseconds.
///
/// The sums wrap around at 2^128; that does not matter between two observations over which the
/// price times the milliseconds stays below 2^64.
///
/// Source: Uniswap v2 core whitepaper, section 2.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Observation {
    /// Until when, in milliseconds since 1970.
    pub time_ms: u64,
    /// Of the first token in the second.
    pub a_in_b: u128,
    /// Of the second token in the first.
    pub b_in_a: u128,
}

impl Observation {
    /// The average prices since an earlier observation, in units of 2^-64: of the first token in the
    /// second, and of the second in the first. `None` if no time has passed.
    #[must_use]
    pub fn average_since(&self, earlier: &Self) -> Option<(u128, u128)> {
        let ms = u128::from(self.time_ms.checked_sub(earlier.time_ms).filter(|ms| *ms > 0)?);
        let average = |now: u128, then: u128| now.wrapping_sub(then) / ms;
        Some((average(self.a_in_b, earlier.a_in_b), average(self.b_in_a, earlier.b_in_a)))
    }
}

impl Reserves {
    /// The same reserves, observed until now.
    fn until(mut self, now_ms: u64) -> Self {
        let seen = &mut self.observed;
        let ms = u128::from(now_ms.saturating_sub(seen.time_ms));
        if self.a > 0 && self.b > 0 && seen.time_ms > 0 {
            seen.a_in_b = seen.a_in_b.wrapping_add(ratio(self.b, self.a).wrapping_mul(ms));
            seen.b_in_a = seen.b_in_a.wrapping_add(ratio(self.a, self.b).wrapping_mul(ms));
        }
        seen.time_ms = now_ms;
        self
    }
}

/// `a / b` in units of 2^-64; the largest number if it is larger.
fn ratio(a: u128, b: u128) -> u128 {
    u128::try_from((U256::from(a) << 64) / U256::from(b)).unwrap_or(u128::MAX)
}

/// Why the pool refuses.
#[error]
pub enum PoolError {
    /// The two tokens are one, or the fee is 100 % or more.
    BadPool = 200,
    /// An amount is zero.
    ZeroAmount = 201,
    /// Less would come out than the caller demands.
    Slippage = 202,
    /// The block's time is past the caller's deadline.
    Expired = 203,
    /// The pool is empty.
    NoLiquidity = 204,
    /// The caller has fewer shares.
    InsufficientShares = 205,
    /// A result does not fit in 128 bits.
    TooLarge = 206,
    /// The pool does not pay itself.
    BadReceiver = 207,
}

/// One token was exchanged for the other.
#[event]
pub struct Swapped {
    /// Who.
    pub by: Address,
    /// Whether the first token came in.
    pub a_in: bool,
    /// How much came in.
    pub amount_in: u128,
    /// How much went out.
    pub amount_out: u128,
}

/// Liquidity was added.
#[event]
pub struct Added {
    /// Who.
    pub by: Address,
    /// How much of the first token.
    pub a: u128,
    /// How much of the second token.
    pub b: u128,
    /// The shares issued for it.
    pub shares: u128,
}

/// Liquidity was removed.
#[event]
pub struct Removed {
    /// Who.
    pub by: Address,
    /// How much of the first token.
    pub a: u128,
    /// How much of the second token.
    pub b: u128,
    /// The shares given up for it.
    pub shares: u128,
}

#[contract(implements(interfaces::Exchange))]
impl Pool {
    /// Sets up an empty pool.
    ///
    /// # Arguments
    /// - `token_a`, `token_b`: two different tokens.
    /// - `fee_basis_points`: below 10,000; 30 is usual.
    ///
    /// # Errors
    /// - [`PoolError::BadPool`].
    pub fn init(
        &mut self,
        token_a: Address,
        token_b: Address,
        fee_basis_points: u16,
    ) -> Result<(), PoolError> {
        let fee_fits = u128::from(fee_basis_points) < BASIS_POINTS;
        ensure!(token_a != token_b && fee_fits, PoolError::BadPool);
        self.token_a.set(token_a);
        self.token_b.set(token_b);
        self.fee_basis_points.set(fee_basis_points);
        Ok(())
    }

    /// Adds liquidity at the pool's ratio; the first provider sets the ratio. The pool takes the
    /// amounts out of the caller's allowances.
    ///
    /// # Arguments
    /// - `max_a`, `max_b`: the most to add of each token.
    /// - `min_shares`: the fewest shares to accept.
    /// - `deadline_ms`: the latest block time to accept.
    ///
    /// # Errors
    /// - [`PoolError::Expired`], [`PoolError::ZeroAmount`], [`PoolError::Slippage`],
    ///   [`PoolError::TooLarge`], and whatever the tokens refuse with.
    ///
    /// # Events
    /// [`Added`].
    #[access(
        write(reserves, shares[caller]),
        calls(token_a.transfer_from(caller, this, _)),
        calls(token_b.transfer_from(caller, this, _))
    )]
    pub fn add_liquidity(
        &mut self,
        max_a: u128,
        max_b: u128,
        min_shares: u128,
        deadline_ms: u64,
    ) -> Result<u128, PoolError> {
        ensure!(time_ms() <= deadline_ms, PoolError::Expired);
        ensure!(max_a > 0 && max_b > 0, PoolError::ZeroAmount);
        let pool = self.counted();
        let (a, b, shares, locked) = quote_liquidity(&pool, max_a, max_b)?;
        ensure!(shares > 0 && shares >= min_shares, PoolError::Slippage);
        self.reserves.put(Reserves {
            a: sum(pool.a, a)?,
            b: sum(pool.b, b)?,
            total_shares: sum(sum(pool.total_shares, shares)?, locked)?,
            ..pool
        });
        let owned = self.shares.get(caller());
        self.shares.put(caller(), sum(owned, shares)?);
        FungibleClient::new(self.token_a.get()).transfer_from(caller(), this(), a);
        FungibleClient::new(self.token_b.get()).transfer_from(caller(), this(), b);
        emit(Added { by: caller(), a, b, shares });
        Ok(shares)
    }

    /// Gives up shares for the caller's part of both reserves.
    ///
    /// # Arguments
    /// - `shares`: how many.
    /// - `min_a`, `min_b`: the least to accept of each token.
    /// - `deadline_ms`: the latest block time to accept.
    ///
    /// # Errors
    /// - [`PoolError::Expired`], [`PoolError::ZeroAmount`], [`PoolError::InsufficientShares`],
    ///   [`PoolError::Slippage`].
    ///
    /// # Events
    /// [`Removed`].
    #[access(
        write(reserves, shares[caller]),
        calls(token_a.transfer(caller, _)),
        calls(token_b.transfer(caller, _))
    )]
    pub fn remove_liquidity(
        &mut self,
        shares: u128,
        min_a: u128,
        min_b: u128,
        deadline_ms: u64,
    ) -> Result<(u128, u128), PoolError> {
        ensure!(time_ms() <= deadline_ms, PoolError::Expired);
        ensure!(shares > 0, PoolError::ZeroAmount);
        let owned = self.shares.get(caller());
        ensure!(shares <= owned, PoolError::InsufficientShares);
        let pool = self.counted();
        let a = mul_div(shares, pool.a, pool.total_shares)?;
        let b = mul_div(shares, pool.b, pool.total_shares)?;
        ensure!(a >= min_a && b >= min_b, PoolError::Slippage);
        self.shares.put(caller(), owned - shares);
        self.reserves.put(Reserves {
            a: pool.a - a,
            b: pool.b - b,
            total_shares: pool.total_shares - shares,
            ..pool
        });
        FungibleClient::new(self.token_a.get()).transfer(caller(), a);
        FungibleClient::new(self.token_b.get()).transfer(caller(), b);
        emit(Removed { by: caller(), a, b, shares });
        Ok((a, b))
    }

    /// Sells the first token for the second. The pool takes the amount out of the caller's allowance.
    ///
    /// # Arguments
    /// - `amount_in`: how much to sell.
    /// - `min_out`: the least to accept.
    /// - `deadline_ms`: the latest block time to accept.
    ///
    /// # Errors
    /// - [`PoolError::Expired`], [`PoolError::ZeroAmount`], [`PoolError::NoLiquidity`],
    ///   [`PoolError::Slippage`], [`PoolError::TooLarge`], and whatever the tokens refuse with.
    ///
    /// # Events
    /// [`Swapped`].
    #[access(
        write(reserves),
        calls(token_a.transfer_from(caller, this, amount_in)),
        calls(token_b.transfer(caller, _))
    )]
    pub fn sell_a(
        &mut self,
        amount_in: u128,
        min_out: u128,
        deadline_ms: u64,
    ) -> Result<u128, PoolError> {
        let pool = self.counted();
        let fee = self.fee_basis_points.get();
        let out = quote_swap(pool.a, pool.b, fee, amount_in, min_out, deadline_ms)?;
        self.reserves.put(Reserves { a: sum(pool.a, amount_in)?, b: pool.b - out, ..pool });
        FungibleClient::new(self.token_a.get()).transfer_from(caller(), this(), amount_in);
        FungibleClient::new(self.token_b.get()).transfer(caller(), out);
        emit(Swapped { by: caller(), a_in: true, amount_in, amount_out: out });
        Ok(out)
    }

    /// Sells the second token for the first: [`Pool::sell_a`] the other way round.
    ///
    /// # Arguments
    /// - `amount_in`: how much to sell.
    /// - `min_out`: the least to accept.
    /// - `deadline_ms`: the latest block time to accept.
    ///
    /// # Errors
    /// - Those of [`Pool::sell_a`].
    ///
    /// # Events
    /// [`Swapped`].
    #[access(
        write(reserves),
        calls(token_b.transfer_from(caller, this, amount_in)),
        calls(token_a.transfer(caller, _))
    )]
    pub fn sell_b(
        &mut self,
        amount_in: u128,
        min_out: u128,
        deadline_ms: u64,
    ) -> Result<u128, PoolError> {
        let pool = self.counted();
        let fee = self.fee_basis_points.get();
        let out = quote_swap(pool.b, pool.a, fee, amount_in, min_out, deadline_ms)?;
        self.reserves.put(Reserves { a: pool.a - out, b: sum(pool.b, amount_in)?, ..pool });
        FungibleClient::new(self.token_b.get()).transfer_from(caller(), this(), amount_in);
        FungibleClient::new(self.token_a.get()).transfer(caller(), out);
        emit(Swapped { by: caller(), a_in: false, amount_in, amount_out: out });
        Ok(out)
    }

    /// Sells what the pool was sent and not counted, and sends the proceeds on: a step of a path whose
    /// steps pay each other, so that nobody in between holds anything. See `router`.
    ///
    /// Which of the two tokens comes in is known when it runs, so both are declared: of the pool's own
    /// balances, and of the receiver's.
    ///
    /// # Arguments
    /// - `a_in`: whether the first token came in.
    /// - `min_out`: the least to send on.
    /// - `to`: who receives; not this pool.
    ///
    /// # Errors
    /// - [`PoolError::ZeroAmount`]: nothing was sent.
    /// - [`PoolError::BadReceiver`], [`PoolError::NoLiquidity`], [`PoolError::Slippage`],
    ///   [`PoolError::TooLarge`], and whatever the tokens refuse with.
    ///
    /// # Events
    /// [`Swapped`].
    #[access(
        write(reserves),
        calls(token_a.balance(this)),
        calls(token_b.balance(this)),
        calls(token_a.transfer(to, _)),
        calls(token_b.transfer(to, _))
    )]
    pub fn swap_received(
        &mut self,
        a_in: bool,
        min_out: u128,
        to: Address,
    ) -> Result<u128, PoolError> {
        ensure!(to != this(), PoolError::BadReceiver);
        let pool = self.counted();
        let fee = self.fee_basis_points.get();
        let (token_in, token_out, reserve_in, reserve_out) = if a_in {
            (self.token_a.get(), self.token_b.get(), pool.a, pool.b)
        } else {
            (self.token_b.get(), self.token_a.get(), pool.b, pool.a)
        };
        let has = FungibleClient::new(token_in).balance(this());
        let amount_in = has.saturating_sub(reserve_in);
        let out = quote_swap(reserve_in, reserve_out, fee, amount_in, min_out, u64::MAX)?;
        let (a, b) = if a_in { (has, pool.b - out) } else { (pool.a - out, has) };
        self.reserves.put(Reserves { a, b, ..pool });
        FungibleClient::new(token_out).transfer(to, out);
        emit(Swapped { by: to, a_in, amount_in, amount_out: out });
        Ok(out)
    }

    /// What the reserves were worth over time, until now: the difference between two of these, by the
    /// time between them, is an average price that a single block cannot move.
    #[access(read(reserves))]
    pub fn observe(&self) -> Observation {
        self.counted().observed
    }

    /// The two tokens.
    pub fn tokens(&self) -> (Address, Address) {
        (self.token_a.get(), self.token_b.get())
    }

    /// How much of each token the pool has, and the shares it has issued.
    #[access(read(reserves))]
    pub fn reserves(&self) -> Reserves {
        self.reserves.get().unwrap_or_default()
    }

    /// What a provider owns of the pool.
    #[access(read(shares[of]))]
    pub fn shares(&self, of: Address) -> u128 {
        self.shares.get(of)
    }

    /// The reserves, observed until now.
    fn counted(&self) -> Reserves {
        self.reserves.get().unwrap_or_default().until(time_ms())
    }
}

/// What a swap gives: `out = out_reserve * in' / (in_reserve + in')`, where `in'` is what comes in less
/// the fee.
fn quote_swap(
    in_reserve: u128,
    out_reserve: u128,
    fee_basis_points: u16,
    amount_in: u128,
    min_out: u128,
    deadline_ms: u64,
) -> Result<u128, PoolError> {
    ensure!(time_ms() <= deadline_ms, PoolError::Expired);
    ensure!(amount_in > 0, PoolError::ZeroAmount);
    ensure!(in_reserve > 0 && out_reserve > 0, PoolError::NoLiquidity);
    let kept = BASIS_POINTS - u128::from(fee_basis_points);
    // Then what comes in less the fee is below 2^126, and its product with a reserve fits in 256 bits.
    ensure!(amount_in < 1 << 112, PoolError::TooLarge);
    let in_less_fee = U256::from(amount_in) * U256::from(kept);
    let numerator = in_less_fee * U256::from(out_reserve);
    let denominator = U256::from(in_reserve) * U256::from(BASIS_POINTS) + in_less_fee;
    let out = u128::try_from(numerator / denominator).map_err(|_| PoolError::TooLarge)?;
    ensure!(out > 0 && out >= min_out, PoolError::Slippage);
    Ok(out)
}

/// How much of each token to take, the shares for it, and the shares to lock.
fn quote_liquidity(
    pool: &Reserves,
    max_a: u128,
    max_b: u128,
) -> Result<(u128, u128, u128, u128), PoolError> {
    if pool.total_shares == 0 {
        let root = isqrt(U256::from(max_a) * U256::from(max_b));
        ensure!(root > LOCKED_SHARES, PoolError::Slippage);
        return Ok((max_a, max_b, root - LOCKED_SHARES, LOCKED_SHARES));
    }
    ensure!(pool.a > 0 && pool.b > 0, PoolError::NoLiquidity);
    let b_for_a = mul_div_up(max_a, pool.b, pool.a);
    let (a, b) = match b_for_a {
        Ok(b) if b <= max_b => (max_a, b),
        _ => (mul_div_up(max_b, pool.a, pool.b)?.min(max_a), max_b),
    };
    let by_a = mul_div(a, pool.total_shares, pool.a)?;
    let by_b = mul_div(b, pool.total_shares, pool.b)?;
    Ok((a, b, by_a.min(by_b), 0))
}

fn sum(a: u128, b: u128) -> Result<u128, PoolError> {
    a.checked_add(b).ok_or(PoolError::TooLarge)
}

/// `a * b / c`, rounded down: in the pool's favor when it pays out.
fn mul_div(a: u128, b: u128, c: u128) -> Result<u128, PoolError> {
    ensure!(c > 0, PoolError::NoLiquidity);
    let quotient = U256::from(a) * U256::from(b) / U256::from(c);
    u128::try_from(quotient).map_err(|_| PoolError::TooLarge)
}

/// `a * b / c`, rounded up: in the pool's favor when it takes in.
fn mul_div_up(a: u128, b: u128, c: u128) -> Result<u128, PoolError> {
    let (a, b, c) = (U256::from(a), U256::from(b), U256::from(c));
    let product = a * b;
    let quotient = product / c + U256::from(u8::from(product % c != U256::ZERO));
    u128::try_from(quotient).map_err(|_| PoolError::TooLarge)
}

/// The largest integer whose square is at most `n`, by Newton's iteration from above.
fn isqrt(n: U256) -> u128 {
    if n == U256::ZERO {
        return 0;
    }
    let mut guess = U256::ONE << ((256 - n.leading_zeros()).div_ceil(2));
    loop {
        let better: U256 = (guess + n / guess) >> 1;
        if better >= guess {
            return guess.as_u128();
        }
        guess = better;
    }
}
