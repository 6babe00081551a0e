//! A constant-product exchange of two tokens.
//!
//! A swap touches this pool's reserves and four balances of the tokens, which its access list names
//! because the tokens' templates are spliced in. So swaps on different pools run in parallel, and
//! swaps on one pool one after the other: each is priced by what the one before it left, which is what an exchange by a formula
//! is. Whoever looks at the price over time ([`Pool::observe`]) waits for none of them.
//!
//! Shares are a fungible token: whoever has them can send them, let others move them, stake them. That writes
//! the sender's and adds to the receiver's, and touches no reserves, so it waits for no swap and no swap for it.
//!
//! Use tokens that move what they are told to move: of one that takes a fee out of transfers, or whose authority takes
//! units out of the pool, the pool has less than it counts, whoever swaps along a path pays for that, and the last providers
//! find nothing. [`Pool::sync`] then lowers the reserves to what is there, so that all providers bear it. Liquidity leaves as both tokens: one that
//! cannot be moved, because it is paused or the pool is frozen in it, keeps the other one in the pool.
//!
//! Invariants:
//! - the pool's token balances are at least its reserves;
//! - `reserve_a * reserve_b` never falls by a swap;
//! - `shares`, and the locked ones, which nobody has, add up to `total_shares`;
//! - the time-weighted price of a block counts what the reserves were until then, so a swap does not
//!   move the price of its own block.
//!
//! Source of the formulas: Uniswap v2 core whitepaper (Adams, Zinsmeister, Robinson, 2020).
#![no_std]

use ethnum::U256;
use kempe_sdk::interfaces::{self, FungibleClient, SOLD_MAX};
use kempe_sdk::prelude::*;

mod events;
mod reserves;
#[cfg(test)]
mod test;

pub use events::{Added, Approval, PoolError, Removed, Swapped, Synced, Transfer};
pub use reserves::{Observation, PriceSum, Reserves};

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
    /// What each account owns of the pool.
    shares: Map<Address, Counter<u128>>,
    /// What a spender, the second key, may move of an owner's shares, the first; absent is zero.
    allowances: Map<Address, Map<Address, u128>>,
}

#[contract(implements(interfaces::Exchange, interfaces::Fungible))]
impl Pool {
    /// Sets up an empty pool.
    ///
    /// # Arguments
    /// - `token_a`, `token_b`: two different tokens that move what they are told to move.
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
        let added = Reserves {
            a: sum(pool.a, a)?,
            b: sum(pool.b, b)?,
            total_shares: sum(sum(pool.total_shares, shares)?, locked)?,
            ..pool
        };
        // The first liquidity is the first price: it is observed from now on.
        self.reserves.put(added.until(time_ms()));
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
        // What is beyond stays for the next swap: a gift that is more than one takes in does not end it.
        let amount_in = has.saturating_sub(reserve_in).min(SOLD_MAX);
        let out = quote_swap(reserve_in, reserve_out, fee, amount_in, min_out, u64::MAX)?;
        let holds = sum(reserve_in, amount_in)?;
        let (a, b) = if a_in { (holds, pool.b - out) } else { (pool.a - out, holds) };
        self.reserves.put(Reserves { a, b, ..pool });
        FungibleClient::new(token_out).transfer(to, out);
        emit(Swapped { by: to, a_in, amount_in, amount_out: out });
        Ok(out)
    }

    /// Counts no more of each token than the pool has, where a token was taken out of it against its rules. Anyone
    /// may; changes nothing where the pool has what it counts.
    ///
    /// A pool without any of one token is at its end: shares still give their part of the other.
    ///
    /// # Events
    /// [`Synced`], if something is missing.
    ///
    /// Source: Uniswap v2 core whitepaper, section 3.4, whose `sync` also counts what was sent; here that is for
    /// [`Pool::swap_received`] to sell.
    #[access(write(reserves), calls(token_a.balance(this)), calls(token_b.balance(this)))]
    pub fn sync(&mut self) {
        let pool = self.counted();
        let has = |token: Address| FungibleClient::new(token).balance(this());
        let a = pool.a.min(has(self.token_a.get()));
        let b = pool.b.min(has(self.token_b.get()));
        if (a, b) != (pool.a, pool.b) {
            self.reserves.put(Reserves { a, b, ..pool });
            emit(Synced { by: caller(), a, b });
        }
    }

    /// Moves shares from the caller to `to`.
    ///
    /// # Arguments
    /// - `to`: who receives; the caller is permitted, and changes nothing.
    /// - `amount`: how many; zero is permitted.
    ///
    /// # Errors
    /// - [`PoolError::InsufficientShares`]: the caller has fewer.
    /// - [`PoolError::BadReceiver`]: what the pool itself had would be lost.
    /// - [`PoolError::TooLarge`]: the amount is 2^127 or more.
    ///
    /// # Events
    /// [`Transfer`].
    #[access(write(shares[caller]), add(shares[to]))]
    pub fn transfer(&mut self, to: Address, amount: u128) -> Result<(), PoolError> {
        self.move_shares(caller(), to, amount)
    }

    /// Allows `spender` to move up to `amount` of the caller's shares. Replaces what was allowed before.
    ///
    /// # Arguments
    /// - `spender`: who is allowed.
    /// - `amount`: how many; zero takes the permission back.
    ///
    /// # Events
    /// [`Approval`].
    #[access(write(allowances[caller][spender]))]
    pub fn approve(&mut self, spender: Address, amount: u128) {
        let owner = caller();
        self.allowances.put((owner, spender), amount);
        emit(Approval { owner, spender, amount });
    }

    /// Moves shares from `from` to `to`, out of what `from` allowed the caller.
    ///
    /// # Arguments
    /// - `from`: whose shares they are.
    /// - `to`: who receives.
    /// - `amount`: how many; zero is permitted.
    ///
    /// # Errors
    /// - [`PoolError::InsufficientAllowance`]: the caller may move fewer, also of its own.
    /// - Those of [`Pool::transfer`].
    ///
    /// # Events
    /// [`Transfer`].
    #[access(write(allowances[from][caller], shares[from]), add(shares[to]))]
    pub fn transfer_from(
        &mut self,
        from: Address,
        to: Address,
        amount: u128,
    ) -> Result<(), PoolError> {
        let spender = caller();
        let allowed = self.allowances.get((from, spender));
        let left = allowed.checked_sub(amount).ok_or(PoolError::InsufficientAllowance)?;
        self.allowances.put((from, spender), left);
        self.move_shares(from, to, amount)
    }

    /// What the reserves were worth over time, until now: the difference between two of these, by the
    /// time between them, is an average price that a single block cannot move. See
    /// [`Observation::average_since`]. Before the first liquidity there is no price, and no average since then.
    ///
    /// It is that of before the block, with the time until now, and no swap of the block changes that: so who looks waits for none.
    #[access(start(reserves))]
    pub fn observe(&self) -> Observation {
        self.reserves.at_start().unwrap_or_default().until(time_ms()).observed
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

    /// The shares of `of`.
    #[access(read(shares[of]))]
    pub fn balance(&self, of: Address) -> u128 {
        self.shares.get(of)
    }

    /// How many of `owner`'s shares `spender` may still move.
    #[access(read(allowances[owner][spender]))]
    pub fn allowance(&self, owner: Address, spender: Address) -> u128 {
        self.allowances.get((owner, spender))
    }

    /// The sum of all shares, the locked ones included. It changes where liquidity is added or removed,
    /// [`Added`] and [`Removed`], and is with the reserves: reading it waits for swaps.
    #[access(read(reserves))]
    pub fn total_supply(&self) -> u128 {
        self.reserves.get().map_or(0, |reserves| reserves.total_shares)
    }

    /// Adds to the receiver's shares behind what the sender's became, so moving to oneself is right.
    fn move_shares(&mut self, from: Address, to: Address, amount: u128) -> Result<(), PoolError> {
        ensure!(to != this(), PoolError::BadReceiver);
        ensure!(amount <= u128::MAX >> 1, PoolError::TooLarge);
        let had = self.shares.get(from);
        let left = had.checked_sub(amount).ok_or(PoolError::InsufficientShares)?;
        self.shares.put(from, left);
        self.shares.add(to, amount);
        emit(Transfer { from, to, amount });
        Ok(())
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
    // Less the fee it is below 2^126 then, and its product with a reserve fits in 256 bits.
    ensure!(amount_in <= SOLD_MAX, PoolError::TooLarge);
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
