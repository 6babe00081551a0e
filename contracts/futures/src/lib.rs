//! Perpetual futures against a vault, with margin, funding and liquidation.
//!
//! Providers give a vault an amount for shares. Traders bet on a price with margin: the vault takes the other
//! side of every position, at the oracle's price. The side that is larger pays *funding* to the other and to
//! the vault, so that the vault's own bet tends to shrink. A position whose margin, with profit and loss, falls
//! below a part of what it is worth is closed by anyone, for a reward.
//!
//! What conflicts. A position is one cell, and all sums are counters to which traders only add; funding is
//! an index that is only read, since it moves by a known slope between two calls of [`Futures::poke`]. So
//! traders do not conflict with each other in this contract. `poke` sets the slope by the sums, and so
//! conflicts with all of them, and so do providers, whose shares depend on every position: both are rare.
//! What the token declares for this contract's balance, and a publication of the price, come on top.
//!
//! The vault is a counter: this contract does not see that a profit is beyond it. How much each side may be
//! worth is therefore limited when positions are opened, as of the last `poke`; closing with a profit beyond
//! the vault fails, by the host (`CounterOutOfBounds`) or by the token, until the vault has grown. Where positions
//! have won all of it, its shares are worth nothing and cannot be sold for an amount; anyone may
//! [`refill`](Futures::refill) it then, without shares, such as who runs the market or who waits for a profit.
//!
//! Who knows the next price. All of a block trade at the price before it, so whoever sees a publication that waits
//! for a block, or the reports before they are published, opens at the old price in that block and closes at the
//! new one in the next. The vault pays the difference. It gains by such a trade only if the price moves by less than
//! the two fees, `2 * fee_bp`; nothing in the oracle bounds a move. A market is for prices that are published
//! so often that they hardly ever move by more; `open_bp`, which holds as of the last `poke`, does not bound the loss.
//!
//! Invariants:
//! - what the contract has of the token is the vault and all margins, exactly, unless somebody gave it more;
//! - size, cost and funding of all positions add up to the sums;
//! - nobody takes out more than margin and profit: every rounding is to the disadvantage of who calls.
//!
//! Source: a vault as the counterparty and prices without slippage as in GMX (2021); funding by skew as in
//! Synthetix Perps.
#![no_std]

use kempe_math::{BASIS_POINTS, mul_div_down};
use kempe_sdk::interfaces::{FungibleClient, OracleClient};
use kempe_sdk::prelude::*;

mod position;
mod storage;
#[cfg(test)]
mod test;

pub use position::Position;
use position::{Flow, part_up, worth};
pub use storage::{
    Funded, Funding, FuturesError, INDEX_START, LOCKED_SHARES, Liquidated, MarginMoved, PRICE_MAX,
    PositionClosed, PositionOpened, SIZE_MAX, Side, Sums, Terms, VaultMoved, YEAR_MS,
};

/// A market.
#[contract]
#[derive(Debug)]
pub struct Futures {
    /// What margins and the vault are in.
    token: Immutable<Address>,
    /// Who gives the price.
    oracle: Immutable<Address>,
    /// Of what.
    asset: Immutable<Address>,
    /// The terms.
    terms: Immutable<Terms>,
    /// What positions pay each other.
    funding: Item<Funding>,
    /// What the vault has.
    vault: Counter<u128>,
    /// All shares of the vault.
    total_shares: Counter<u128>,
    /// The shares of each provider.
    shares: Map<Address, u128>,
    /// The size of all positions: of longs under `true`.
    sizes: Map<bool, Counter<u128>>,
    /// The cost of all positions: of longs under `true`.
    costs: Map<bool, Counter<u128>>,
    /// Size times index of all positions: of longs under `true`.
    funded: Map<bool, Counter<u128>>,
    /// Each trader's position.
    positions: Map<Address, Position>,
}

#[contract]
impl Futures {
    /// Sets up a market with an empty vault. No position is taken before the first [`Futures::poke`].
    ///
    /// # Arguments
    /// - `token`: of margins and vault; one that moves what it is told to move, in the oracle's currency.
    /// - `oracle`, `asset`: gives the price of what.
    /// - `terms`: see [`Terms`].
    ///
    /// # Errors
    /// - [`FuturesError::BadTerms`].
    pub fn init(
        &mut self,
        token: Address,
        oracle: Address,
        asset: Address,
        terms: Terms,
    ) -> Result<(), FuturesError> {
        ensure!(terms.is_sound(), FuturesError::BadTerms);
        self.token.set(token);
        self.oracle.set(oracle);
        self.asset.set(asset);
        self.terms.set(terms);
        self.funding.put(Funding {
            time_ms: time_ms(),
            index: INDEX_START,
            slope: 0,
            longs_pay: false,
            longs_open: false,
            shorts_open: false,
        });
        Ok(())
    }

    /// Opens a position, or makes one larger, at the oracle's price. Takes margin out of the caller's
    /// allowance.
    ///
    /// # Arguments
    /// - `long`: whether it gains when the price rises.
    /// - `size`: how much of the asset; the position is at most [`SIZE_MAX`].
    /// - `margin`: what is added to the margin, out of which the fee is paid; may be zero.
    /// - `limit`: the highest price to accept for a long, the lowest for a short.
    ///
    /// # Errors
    /// - [`FuturesError::ZeroAmount`], [`FuturesError::TooLarge`], [`FuturesError::NoPrice`],
    ///   [`FuturesError::Slippage`].
    /// - [`FuturesError::VaultFull`]: the vault takes no more on this side.
    /// - [`FuturesError::WrongSide`]: the caller has a position on the other.
    /// - [`FuturesError::Unhealthy`]: the margin is less than the initial one.
    ///
    /// # Events
    /// [`PositionOpened`].
    #[access(
        read(funding),
        write(positions[caller]),
        add(vault, sizes[long], costs[long], funded[long]),
        calls(token.transfer_from(caller, this, margin)),
        calls(oracle.price(asset))
    )]
    pub fn open(
        &mut self,
        long: bool,
        size: u128,
        margin: u128,
        limit: u128,
    ) -> Result<(), FuturesError> {
        ensure!(size > 0, FuturesError::ZeroAmount);
        let (by, terms, funding) = (caller(), self.terms.get(), self.funding()?);
        let takes = if long { funding.longs_open } else { funding.shorts_open };
        ensure!(takes, FuturesError::VaultFull);
        let price = self.price()?;
        let good = if long { price <= limit } else { price >= limit };
        ensure!(good, FuturesError::Slippage);
        let (mut position, mut flow) = (self.positions.get(by), Flow::default());
        if position.size == 0 {
            position.long = long;
        }
        ensure!(position.long == long, FuturesError::WrongSide);
        let fits = position.size.checked_add(size).is_some_and(|size| size <= SIZE_MAX);
        ensure!(fits, FuturesError::TooLarge);
        self.funded.sub(long, position.funded()?);
        position.fund(funding.index_at(time_ms())?, &mut flow)?;
        position.margin = position.margin.checked_add(margin).ok_or(FuturesError::TooLarge)?;
        let cost = position.enlarge(size, price)?;
        let fee = part_up(cost, terms.fee_bp)?;
        position.charge(fee, &mut flow);
        let covered = flow.lost == 0 && position.covers(price, terms.initial_bp)?;
        ensure!(covered, FuturesError::Unhealthy);
        self.sizes.add(long, size);
        self.costs.add(long, cost);
        self.funded.add(long, position.funded()?);
        self.positions.put(by, position);
        self.flow(flow);
        if margin > 0 {
            FungibleClient::new(self.token.get()).transfer_from(by, this(), margin);
        }
        emit(PositionOpened { by, long, size, price, fee });
        Ok(())
    }

    /// Closes a position, or makes it smaller, at the oracle's price. The margin is paid out when
    /// nothing is left of the position.
    ///
    /// # Arguments
    /// - `long`: which side the position is on.
    /// - `size`: by how much; more than the position closes it.
    /// - `limit`: the lowest price to accept for a long, the highest for a short.
    ///
    /// Returns what was paid out.
    ///
    /// # Errors
    /// - [`FuturesError::ZeroAmount`], [`FuturesError::NoPosition`], [`FuturesError::NoPrice`],
    ///   [`FuturesError::Slippage`], [`FuturesError::TooLarge`].
    /// - [`FuturesError::Unhealthy`]: what is left would be liquidated.
    ///
    /// # Events
    /// [`PositionClosed`].
    #[access(
        read(funding),
        write(positions[caller]),
        add(vault, sizes[long], costs[long], funded[long]),
        calls(token.transfer(caller, _)),
        calls(oracle.price(asset))
    )]
    pub fn close(&mut self, long: bool, size: u128, limit: u128) -> Result<u128, FuturesError> {
        ensure!(size > 0, FuturesError::ZeroAmount);
        let (by, price) = (caller(), self.price()?);
        let good = if long { price >= limit } else { price <= limit };
        ensure!(good, FuturesError::Slippage);
        let position = self.positions.get(by);
        let size = size.min(position.size);
        let (position, flow) = self.reduce(position, long, size, price)?;
        let left = position.size > 0;
        let covered = !left || position.covers(price, self.terms.get().maintenance_bp)?;
        ensure!(covered, FuturesError::Unhealthy);
        self.flow(flow);
        let paid = if left { 0 } else { position.margin };
        if left {
            self.positions.put(by, position);
        } else {
            self.positions.remove(by);
        }
        if paid > 0 {
            FungibleClient::new(self.token.get()).transfer(by, paid);
        }
        emit(PositionClosed { by, size, price, paid });
        Ok(paid)
    }

    /// Closes a position whose margin is too small. Anyone may: for a reward out of what is left of the
    /// margin, of which the trader has the rest.
    ///
    /// # Arguments
    /// - `trader`, `long`: whose position, and on which side it is.
    ///
    /// Returns the reward.
    ///
    /// # Errors
    /// - [`FuturesError::NoPosition`], [`FuturesError::NoPrice`], [`FuturesError::TooLarge`].
    /// - [`FuturesError::Healthy`]: the margin is large enough.
    ///
    /// # Events
    /// [`Liquidated`].
    #[access(
        read(funding),
        write(positions[trader]),
        add(vault, sizes[long], costs[long], funded[long]),
        calls(token.transfer(caller, _)),
        calls(token.transfer(trader, _)),
        calls(oracle.price(asset))
    )]
    pub fn liquidate(&mut self, trader: Address, long: bool) -> Result<u128, FuturesError> {
        let (by, terms, price) = (caller(), self.terms.get(), self.price()?);
        let mut position = self.positions.get(trader);
        let (size, value) = (position.size, worth(position.size, price, false)?);
        position.fund(self.funding()?.index_at(time_ms())?, &mut Flow::default())?;
        ensure!(!position.covers(price, terms.maintenance_bp)?, FuturesError::Healthy);
        let position = self.positions.get(trader);
        let (mut position, flow) = self.reduce(position, long, size, price)?;
        let reward = mul_div_down(value, terms.liquidation_bp.into(), BASIS_POINTS);
        let reward = reward.ok_or(FuturesError::TooLarge)?.min(position.margin);
        position.margin -= reward;
        self.flow(flow);
        self.positions.remove(trader);
        let token = FungibleClient::new(self.token.get());
        if reward > 0 {
            token.transfer(by, reward);
        }
        if position.margin > 0 {
            token.transfer(trader, position.margin);
        }
        let (left, bad_debt) = (position.margin, flow.lost);
        emit(Liquidated { trader, by, size, price, reward, left, bad_debt });
        Ok(reward)
    }

    /// Adds margin to the caller's position, out of the caller's allowance.
    ///
    /// # Arguments
    /// - `amount`: how much.
    ///
    /// # Errors
    /// - [`FuturesError::ZeroAmount`], [`FuturesError::NoPosition`], [`FuturesError::TooLarge`].
    ///
    /// # Events
    /// [`MarginMoved`].
    #[access(write(positions[caller]), calls(token.transfer_from(caller, this, amount)))]
    pub fn add_margin(&mut self, amount: u128) -> Result<(), FuturesError> {
        ensure!(amount > 0, FuturesError::ZeroAmount);
        let (by, mut position) = (caller(), self.positions.get(caller()));
        ensure!(position.size > 0, FuturesError::NoPosition);
        position.margin = position.margin.checked_add(amount).ok_or(FuturesError::TooLarge)?;
        self.positions.put(by, position);
        FungibleClient::new(self.token.get()).transfer_from(by, this(), amount);
        emit(MarginMoved { by, amount, added: true });
        Ok(())
    }

    /// Takes margin out of the caller's position, as long as the initial margin is left.
    ///
    /// # Arguments
    /// - `long`: which side the position is on.
    /// - `amount`: how much.
    ///
    /// # Errors
    /// - [`FuturesError::ZeroAmount`], [`FuturesError::NoPosition`], [`FuturesError::NoPrice`],
    ///   [`FuturesError::Unhealthy`], [`FuturesError::TooLarge`].
    ///
    /// # Events
    /// [`MarginMoved`].
    #[access(
        read(funding),
        write(positions[caller]),
        add(vault, funded[long]),
        calls(token.transfer(caller, amount)),
        calls(oracle.price(asset))
    )]
    pub fn remove_margin(&mut self, long: bool, amount: u128) -> Result<(), FuturesError> {
        ensure!(amount > 0, FuturesError::ZeroAmount);
        let (by, mut position) = (caller(), self.positions.get(caller()));
        ensure!(position.size > 0 && position.long == long, FuturesError::NoPosition);
        let (price, mut flow) = (self.price()?, Flow::default());
        self.funded.sub(long, position.funded()?);
        position.fund(self.funding()?.index_at(time_ms())?, &mut flow)?;
        self.funded.add(long, position.funded()?);
        let left = position.margin.checked_sub(amount).ok_or(FuturesError::Unhealthy)?;
        position.margin = left;
        let covered = position.covers(price, self.terms.get().initial_bp)?;
        ensure!(covered && flow.lost == 0, FuturesError::Unhealthy);
        self.positions.put(by, position);
        self.flow(flow);
        FungibleClient::new(self.token.get()).transfer(by, amount);
        emit(MarginMoved { by, amount, added: false });
        Ok(())
    }

    /// Gives the vault an amount, out of the caller's allowance, for shares.
    ///
    /// # Arguments
    /// - `amount`: how much. The first provider leaves [`LOCKED_SHARES`] in the vault.
    ///
    /// Returns the shares.
    ///
    /// # Errors
    /// - [`FuturesError::InsufficientShares`]: too few would be issued.
    /// - [`FuturesError::NoPrice`], [`FuturesError::TooLarge`].
    ///
    /// # Events
    /// [`VaultMoved`].
    #[access(
        read(funding),
        write(vault, total_shares, shares[caller]),
        read(sizes[true], costs[true], funded[true]),
        read(sizes[false], costs[false], funded[false]),
        calls(token.transfer_from(caller, this, amount)),
        calls(oracle.price(asset))
    )]
    pub fn provide(&mut self, amount: u128) -> Result<u128, FuturesError> {
        let (by, sums) = (caller(), self.sums());
        let (issued, shares) = if sums.shares == 0 {
            (amount, amount.saturating_sub(LOCKED_SHARES))
        } else {
            let index = self.funding()?.index_at(time_ms())?;
            let worth = sums.worth(self.price()?, index, true)?;
            let shares = mul_div_down(amount, sums.shares, worth);
            let shares = shares.ok_or(FuturesError::InsufficientShares)?;
            (shares, shares)
        };
        ensure!(shares > 0, FuturesError::InsufficientShares);
        let fits = amount.max(issued) <= u128::MAX >> 1;
        ensure!(fits, FuturesError::TooLarge);
        let had = self.shares.get(by);
        self.shares.put(by, had.checked_add(shares).ok_or(FuturesError::TooLarge)?);
        self.total_shares.add(issued);
        self.vault.add(amount);
        FungibleClient::new(self.token.get()).transfer_from(by, this(), amount);
        emit(VaultMoved { by, amount, shares, added: true });
        Ok(shares)
    }

    /// Gives the vault an amount, out of the caller's allowance, without shares: so that traders are paid when
    /// it has less than they won. What is left of it belongs to the providers. Conflicts with no trader.
    ///
    /// # Arguments
    /// - `amount`: how much.
    ///
    /// # Errors
    /// - [`FuturesError::ZeroAmount`], [`FuturesError::TooLarge`].
    ///
    /// # Events
    /// [`VaultMoved`], of no shares.
    #[access(add(vault), calls(token.transfer_from(caller, this, amount)))]
    pub fn refill(&mut self, amount: u128) -> Result<(), FuturesError> {
        ensure!(amount > 0, FuturesError::ZeroAmount);
        ensure!(amount <= u128::MAX >> 1, FuturesError::TooLarge);
        let by = caller();
        self.vault.add(amount);
        FungibleClient::new(self.token.get()).transfer_from(by, this(), amount);
        emit(VaultMoved { by, amount, shares: 0, added: true });
        Ok(())
    }

    /// Gives up shares for the caller's part of what the vault is worth.
    ///
    /// # Arguments
    /// - `shares`: how many.
    ///
    /// Returns the amount.
    ///
    /// # Errors
    /// - [`FuturesError::ZeroAmount`]: the shares are not worth anything.
    /// - [`FuturesError::InsufficientShares`], [`FuturesError::NoPrice`], [`FuturesError::TooLarge`].
    /// - [`FuturesError::VaultFull`]: the rest would be too little for the positions.
    ///
    /// # Events
    /// [`VaultMoved`].
    #[access(
        read(funding),
        write(vault, total_shares, shares[caller]),
        read(sizes[true], costs[true], funded[true]),
        read(sizes[false], costs[false], funded[false]),
        calls(token.transfer(caller, _)),
        calls(oracle.price(asset))
    )]
    pub fn take_out(&mut self, shares: u128) -> Result<u128, FuturesError> {
        let (by, sums, price) = (caller(), self.sums(), self.price()?);
        let had = self.shares.get(by);
        let left = had.checked_sub(shares).ok_or(FuturesError::InsufficientShares)?;
        let index = self.funding()?.index_at(time_ms())?;
        let amount = mul_div_down(sums.worth(price, index, false)?, shares, sums.shares);
        let amount = amount.ok_or(FuturesError::TooLarge)?;
        ensure!(amount > 0, FuturesError::ZeroAmount);
        let rest = sums.vault.checked_sub(amount).ok_or(FuturesError::VaultFull)?;
        let larger = worth(sums.longs.size.max(sums.shorts.size), price, true)?;
        ensure!(larger <= self.room(rest), FuturesError::VaultFull);
        self.shares.put(by, left);
        self.total_shares.sub(shares);
        self.vault.sub(amount);
        FungibleClient::new(self.token.get()).transfer(by, amount);
        emit(VaultMoved { by, amount, shares, added: false });
        Ok(amount)
    }

    /// Brings funding up to date: its index, who pays how much from now on, and whether the vault takes
    /// more positions. Anyone may.
    ///
    /// # Errors
    /// - [`FuturesError::NoPrice`], [`FuturesError::TooLarge`].
    ///
    /// # Events
    /// [`Funded`].
    #[access(
        read(vault, sizes[true], sizes[false]),
        write(funding),
        calls(oracle.price(asset))
    )]
    pub fn poke(&mut self) -> Result<(), FuturesError> {
        let (now_ms, price, terms) = (time_ms(), self.price()?, self.terms.get());
        let index = self.funding()?.index_at(now_ms)?;
        let (longs, shorts) = (self.sizes.get(true), self.sizes.get(false));
        let longs_pay = longs > shorts;
        let all = longs.checked_add(shorts).ok_or(FuturesError::TooLarge)?;
        let full = worth(price, terms.funding_rate, false)?;
        let slope = mul_div_down(full, longs.abs_diff(shorts), all).unwrap_or(0);
        let room = self.room(self.vault.get());
        self.funding.put(Funding {
            time_ms: now_ms,
            index,
            slope,
            longs_pay,
            longs_open: worth(longs, price, true)? < room,
            shorts_open: worth(shorts, price, true)? < room,
        });
        emit(Funded { index, slope, longs_pay });
        Ok(())
    }

    /// A trader's position.
    #[access(read(positions[of]))]
    pub fn position(&self, of: Address) -> Position {
        self.positions.get(of)
    }

    /// A provider's shares of the vault.
    #[access(read(shares[of]))]
    pub fn shares(&self, of: Address) -> u128 {
        self.shares.get(of)
    }

    /// What positions pay each other, as of the last [`Futures::poke`].
    #[access(read(funding))]
    pub fn current_funding(&self) -> Option<Funding> {
        self.funding.get()
    }

    /// The market's sums.
    #[access(
        read(vault, total_shares),
        read(sizes[true], costs[true], funded[true]),
        read(sizes[false], costs[false], funded[false])
    )]
    pub fn totals(&self) -> Sums {
        self.sums()
    }

    /// Makes a position smaller, and takes what is gone out of the sums.
    fn reduce(
        &mut self,
        mut position: Position,
        long: bool,
        size: u128,
        price: u128,
    ) -> Result<(Position, Flow), FuturesError> {
        ensure!(position.size > 0 && position.long == long, FuturesError::NoPosition);
        let mut flow = Flow::default();
        self.funded.sub(long, position.funded()?);
        position.fund(self.funding()?.index_at(time_ms())?, &mut flow)?;
        let cost = position.reduce(size, price, self.terms.get().fee_bp, &mut flow)?;
        self.sizes.sub(long, size);
        self.costs.sub(long, cost);
        self.funded.add(long, position.funded()?);
        Ok((position, flow))
    }

    fn flow(&mut self, flow: Flow) {
        if flow.to_vault >= flow.to_trader {
            self.vault.add(flow.to_vault - flow.to_trader);
        } else {
            self.vault.sub(flow.to_trader - flow.to_vault);
        }
    }

    fn funding(&self) -> Result<Funding, FuturesError> {
        self.funding.get().ok_or(FuturesError::BadTerms)
    }

    fn price(&self) -> Result<u128, FuturesError> {
        let oldest_ms = time_ms().saturating_sub(self.terms.get().price_ms_max);
        let price = OracleClient::new(self.oracle.get()).price(self.asset.get());
        let good = price.filter(|price| price.time_ms >= oldest_ms).map(|price| price.value);
        good.filter(|value| (1..=PRICE_MAX).contains(value)).ok_or(FuturesError::NoPrice)
    }

    /// How much a side may be worth with so much in the vault.
    fn room(&self, vault: u128) -> u128 {
        mul_div_down(vault, self.terms.get().open_bp.into(), BASIS_POINTS).unwrap_or(vault)
    }

    fn sums(&self) -> Sums {
        let side = |long: bool| Side {
            size: self.sizes.get(long),
            cost: self.costs.get(long),
            funded: self.funded.get(long),
        };
        Sums {
            vault: self.vault.get(),
            shares: self.total_shares.get(),
            longs: side(true),
            shorts: side(false),
        }
    }
}
