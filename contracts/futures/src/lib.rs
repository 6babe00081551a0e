//! Perpetual futures against a vault, with margin, funding and liquidation.
//!
//! Providers give a vault an amount for shares. Traders bet on a price with margin: the vault takes the other side of every
//! position, at the oracle's price. The side that is larger pays *funding* to the other and to the vault, so that the vault's own
//! bet tends to shrink. A position whose margin, with profit and loss and less the funding that it could not pay, falls below a
//! part of what it is worth is closed by anyone, for a reward. When a position is closed, or a part of it, its profit or the funding
//! that it receives pays first what it owes: funding beyond a margin is owed out of profit.
//!
//! Orders are settled at the next price. A trader *requests* that a position grows or shrinks, with the margin for it, the worst
//! price to accept, and an expiry. Anyone, a *keeper*, then *settles* the request at the first price that was observed after the
//! time of its block, whatever was published since, for [`Terms::reward`]. So nobody trades at a price that is known, as far as
//! the reporters' clocks agree with the chain's. Settling decides: what cannot be done at that price is refused for good, and
//! what came in for it is owed to the trader. A request is canceled only where no price decides about it: the first one does not
//! count, or there is none by its expiry. So whoever has seen the price cannot take the request back, nor change the margin that
//! decides about it. Whoever has seen it can take the room of the own request by another account's, so what is refused for want of room
//! pays the fee as if it were done, out of what came in with it; a request to grow that brings less than its fee is refused at any price.
//! The oracle remembers a price for so many rounds, two minutes at least; a trader could still hope that nobody settles for so long, so the
//! vault's providers should have a keeper, or pay for one by the reward. The keeper publishes prices, too: a round of the oracle
//! that nobody has published is passed over by the next, and only a price of at most [`Terms::wait_ms_max`] behind the request
//! counts, so that nobody has many rounds to choose from.
//!
//! A request to grow is decided about with the position as it was when it was requested: for the other side it is refused at once,
//! and until it is settled the position's margin does not move, and nobody liquidates it. Otherwise whoever has seen the price could
//! choose, by having the own position liquidated or not, whether a request is done that is covered only with that position, or only
//! without it; and if a liquidation ended the request, it would be a way to cancel it. A liquidator settles the request first.
//! What the trader gains is time: until a price is published that was observed behind the request, or at most
//! [`Terms::wait_ms_max`] where there is none; and not twice, since a position that can be liquidated requests no growth. A request to
//! shrink stops no liquidation: either way the position ends at a price that everybody sees, and anyone is paid for doing either.
//!
//! What conflicts: nothing, between traders. A request and a position are cells of their trader, all sums are counters to which
//! traders only add, what the market owes is a counter for each account, funding is that of before the block, and how much a side
//! may still grow is a stock, from which positions that grow take while there is enough for all of the block. [`Futures::poke`],
//! which brings funding up to date and fills the stocks, orders those of its block that grow, and so do providers, whose shares
//! depend on every position: both are rare. So does whoever says that more grows than there is room for, if only what grows: what
//! shrinks takes from no stock. What comes in and out (`request`, `add_margin`, `collect`) conflicts as the token declares: with `token` what
//! comes in adds to what the market has, and what is collected from one market follows one another, since it writes that.
//!
//! A poke samples the sides and the vault as they were before its block. One sample moves no funding, since whoever has much can hold
//! it there, or away, over the end of a single block and poke in the next: funding moves towards what two samples, one behind
//! the other, agree about, by no more than the time between them permits. All the way takes a day ([`TILT_MS`]), and of the time between two
//! samples ten minutes count at most ([`SAMPLE_MS_MAX`]). So who stays over the end of every block is no faster than anybody
//! else who stays; who is there for single samples moves nothing where others poke in between, and a 144th of the way for each two
//! where nobody does. Single samples can also keep funding where it is, if they are one of every two. So somebody should poke
//! every ten minutes, and more often while funding does not move as it should; where nobody does, it follows more slowly.
//! It never pays the side that is larger for long: where two samples, one behind the other, find the side smaller that still pays, nobody
//! pays until funding has come round.
//!
//! The vault is a counter: this contract does not see that a profit is beyond it. By how much one side may be larger than the
//! other is therefore limited when positions grow: all that grow between two pokes take from what the first one found, which must
//! be about what there still is when the price has moved, and each must also fit, at the last price, what there was before its block. What shrinks
//! gives nothing back before the next poke, so where only the stock is short, or no longer true, settling fails and waits for
//! one. A side is never larger than [`SIDE_MAX`], so what the vault is worth fits whatever traders do: balanced sides need no room.
//! Closing with a profit beyond the vault fails, by the host (`CounterOutOfBounds`), until the vault has grown. Where
//! positions have won nearly all of it, its shares are not sold; anyone may [`refill`](Futures::refill) it then, without shares,
//! such as who runs the market or who waits for a profit.
//!
//! A liquidation pays [`Terms::reward`] at least, out of the vault where the margin is gone: otherwise nobody would end a position that
//! can only win. Every position has twice that reward behind it, or can be liquidated, and more when it is opened. So whoever lets a position
//! be liquidated has lost more to the vault than it pays; and with a position on each side, which loses nothing by any price, gains
//! only where one price takes half of the maintenance margin at once. While the vault has less than it is to pay, such a
//! liquidation fails, too.
//!
//! What a price that is known still gives: liquidation and [`Futures::remove_margin`] go by the last price, which leaves a
//! position with too little margin at most. Who provides, or takes out, does so at the last price too, and gains or avoids its
//! part of a move that is known; shares stay for [`PROVIDED_MS_MIN`]. Whoever has so large a part of the vault, or so much
//! margin, that a side is full without the one or with the other, decides whether a request to grow has room, and
//! pays for it by shares sold or a position; and so does who settles, as long as one price has room and the next has none. For an
//! own request the fee is the price of that, so choose a [`Terms::fee_bp`] that is no less than what prices usually move between two
//! rounds. A vault is valued as if losses beyond margins could be collected: liquidate such
//! positions before trusting what a share is worth.
//!
//! Invariants:
//! - what the contract has of the token is the vault, all margins, those of orders with their rewards, and what
//!   is owed, exactly, unless somebody gave it more;
//! - size, cost and funding of all positions add up to the sums;
//! - between two pokes the positions of a side grow by no more than the first one found room for;
//! - what was requested is done at one price or not at all, and that price is known to nobody before;
//! - a position that pays its trader anything when it is closed or liquidated leaves no bad debt;
//! - nobody takes out more than margin and profit: every rounding is to the disadvantage of who calls.
//!
//! Source: a vault as the counterparty, and orders that keepers settle at the next price, as in GMX (2021, 2023); funding by skew
//! as in Synthetix Perps.
#![no_std]

use kempe_math::{BASIS_POINTS, ONE, mul_div_down};
use kempe_sdk::interfaces::{FungibleClient, OracleClient, Price, PriceHistoryClient};
use kempe_sdk::prelude::*;

mod events;
mod funding;
mod order;
mod position;
mod storage;
#[cfg(test)]
mod test;
mod vault;

pub use events::{
    Collected, Funded, Liquidated, MarginMoved, OrderCanceled, OrderPlaced, OrderRefused,
    PositionClosed, PositionOpened, VaultMoved,
};
pub use funding::{FUNDING_MS_MAX, Funding, INDEX_START, SAMPLE_MS_MAX, TILT_MS, YEAR_MS};
pub use order::{ORDER_MS_MAX, ORDER_MS_MIN, Order};
pub use position::Position;
use position::{Change, Flow, worth};
pub use storage::{FuturesError, PRICE_MAX, PRICE_MIN, SIDE_MAX, SIZE_MAX, Terms};
pub use vault::{LOCKED_SHARES, PROVIDED_MS_MIN, Provided, Side, Sums};

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
    shares: Map<Address, Provided>,
    /// The size of all positions: of longs under `true`.
    sizes: Map<bool, Counter<u128>>,
    /// The cost of all positions: of longs under `true`.
    costs: Map<bool, Counter<u128>>,
    /// Size times index of all positions: of longs under `true`.
    funded: Map<bool, Counter<u128>>,
    /// By how much of the asset the positions of a side may still grow until the next [`Futures::poke`]: longs under `true`.
    rooms: Map<bool, Stock<u128>>,
    /// Each trader's position.
    positions: Map<Address, Position>,
    /// What each trader has requested.
    orders: Map<Address, Order>,
    /// What each account can collect.
    owed: Map<Address, Counter<u128>>,
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
            rest: 0,
            slope: 0,
            longs_pay: false,
            room: 0,
            tilt: ONE,
            found: ONE,
        });
        Ok(())
    }

    /// Requests that a position grows or shrinks, at the next price: one that is observed after this block's time, and after every
    /// price that was published before this block.
    ///
    /// Takes the margin, and the reward of who will settle it, out of the caller's allowance. An account has one
    /// request at a time.
    ///
    /// # Arguments
    /// - `long`: whether the position gains when the price rises.
    /// - `grow`: whether it grows. One that shrinks to nothing is closed, and its margin is owed to the trader.
    /// - `size`: by how much of the asset; a position is at most [`SIZE_MAX`], and one that shrinks by more than it has is closed.
    /// - `margin`: what is added to the margin, out of which fees are paid; may be zero for what shrinks. What grows pays its
    ///   fee out of it: it is [`Terms::fee_bp`] of what `size` is worth at least.
    /// - `limit`: the worst price to accept: the highest for a long that grows and a short that shrinks, else the lowest.
    /// - `expires_ms`: only a price that was observed before it counts, and from this block time on it can be canceled if there is
    ///   none; [`ORDER_MS_MIN`] to [`ORDER_MS_MAX`] from now.
    ///
    /// # Errors
    /// - [`FuturesError::ZeroAmount`], [`FuturesError::TooLarge`], [`FuturesError::BadExpiry`].
    /// - [`FuturesError::OrderPending`]: the caller has a request.
    /// - [`FuturesError::WrongSide`]: it is to grow, and the caller's position is on the other side.
    /// - [`FuturesError::Unhealthy`]: it is to grow, and the caller's position can be liquidated.
    ///
    /// # Events
    /// [`OrderPlaced`].
    #[access(
        start(funding),
        start(vault),
        read(positions[caller]),
        write(orders[caller]),
        calls(token.transfer_from(caller, this, _)),
        calls(oracle.price(asset))
    )]
    pub fn request(
        &mut self,
        long: bool,
        grow: bool,
        size: u128,
        margin: u128,
        limit: u128,
        expires_ms: u64,
    ) -> Result<(), FuturesError> {
        let (by, time_ms) = (caller(), time_ms());
        ensure!(size > 0, FuturesError::ZeroAmount);
        ensure!(!grow || size <= SIZE_MAX, FuturesError::TooLarge);
        let vault = self.vault.at_start();
        let mut order = Order { time_ms, long, grow, size, margin, limit, expires_ms, vault };
        ensure!(order.is_timely(), FuturesError::BadExpiry);
        let known = OracleClient::new(self.oracle.get()).price(self.asset.get());
        order.time_ms = known.map_or(time_ms, |price| time_ms.max(price.time_ms));
        ensure!(!self.orders.contains(by), FuturesError::OrderPending);
        if grow {
            self.check_growing(by, long)?;
        }
        let locked = order.locks(self.terms().reward).ok_or(FuturesError::TooLarge)?;
        self.orders.put(by, order);
        if locked > 0 {
            self.pull(locked);
        }
        emit(OrderPlaced { by, order });
        Ok(())
    }

    /// Settles a request to grow at the first price that was observed since. Anyone may.
    ///
    /// Since the time of the request, that is. It is done, or refused for good: then its margin is owed to the trader, less the fee where the
    /// vault has no room for it though it is about as large as it was. Either way whoever settles is owed [`Terms::reward`].
    ///
    /// # Arguments
    /// - `trader`, `long`: whose request, and on which side it is.
    /// - `size`: by how much the position grows: no more is taken of what the side may grow.
    ///
    /// Returns the price, if it was done.
    ///
    /// # Errors
    /// - [`FuturesError::NoOrder`].
    /// - [`FuturesError::NoPrice`]: none yet, or too many since, or one that does not count.
    /// - [`FuturesError::StaleFunding`], [`FuturesError::StaleRoom`]: a position cannot grow before the next [`Futures::poke`].
    ///
    /// What a request is refused for is in the event:
    /// - [`FuturesError::Slippage`]: the price is worse than the trader's limit.
    /// - [`FuturesError::NoPrice`]: the last price is too old for positions to grow.
    /// - [`FuturesError::VaultFull`]: this side would be larger than the other by more than the vault takes at the last price, or than
    ///   [`SIDE_MAX`], or nobody provides. The vault gets the fee all the same.
    /// - [`FuturesError::Unhealthy`]: there is less than the initial margin, or the fee is more than what came in with the request.
    /// - [`FuturesError::TooSmall`]: the position would be worth less than [`Terms::value_min`].
    /// - [`FuturesError::TooLarge`].
    ///
    /// # Events
    /// [`PositionOpened`] or [`OrderRefused`].
    #[access(
        start(funding, vault, total_shares, sizes[true], sizes[false]),
        write(orders[trader], positions[trader]),
        reserve(rooms[long], size),
        add(vault, sizes[long], costs[long], funded[long], owed[trader], owed[caller]),
        calls(oracle.first_after(asset, _), oracle.price(asset))
    )]
    pub fn settle_growing(
        &mut self,
        trader: Address,
        long: bool,
        size: u128,
    ) -> Result<Option<u128>, FuturesError> {
        let order = self.orders.take(trader).filter(|order| order.grow && order.size == size);
        let order = order.filter(|order| order.long == long).ok_or(FuturesError::NoOrder)?;
        let price = self.price_of(&order)?;
        let done = self.grow(trader, &order, price);
        if let Err(error @ (FuturesError::StaleFunding | FuturesError::StaleRoom)) = done {
            return Err(error);
        }
        let done = done.map_err(|error| (error, self.fee_of_refused(&order, price, error)));
        Ok(self.settled(trader, &order, price, done))
    }

    /// Settles a request to shrink, as [`Futures::settle_growing`] does one to grow. Anyone may.
    ///
    /// # Arguments
    /// - `trader`, `long`: whose request, and on which side it is.
    ///
    /// Returns the price, if it was done.
    ///
    /// # Errors
    /// - [`FuturesError::NoOrder`].
    /// - [`FuturesError::NoPrice`]: none yet, or too many since, or one that does not count.
    ///
    /// What a request is refused for is in the event:
    /// - [`FuturesError::Slippage`]: the price is worse than the trader's limit.
    /// - [`FuturesError::NoPosition`]: the trader has none on this side.
    /// - [`FuturesError::Unhealthy`]: what is left would be liquidated.
    /// - [`FuturesError::TooSmall`]: something would be left, and be worth less than [`Terms::value_min`].
    /// - [`FuturesError::TooLarge`].
    ///
    /// # Events
    /// [`PositionClosed`] or [`OrderRefused`].
    #[access(
        start(funding),
        write(orders[trader], positions[trader]),
        add(vault, sizes[long], costs[long], funded[long], owed[trader], owed[caller]),
        calls(oracle.first_after(asset, _))
    )]
    pub fn settle_shrinking(
        &mut self,
        trader: Address,
        long: bool,
    ) -> Result<Option<u128>, FuturesError> {
        let order = self.orders.take(trader).filter(|order| !order.grow && order.long == long);
        let order = order.ok_or(FuturesError::NoOrder)?;
        let price = self.price_of(&order)?;
        let done = self.shrink(trader, &order, price).map_err(|error| (error, 0));
        Ok(self.settled(trader, &order, price, done))
    }

    /// Takes back a request that no price decides about: its margin and reward are owed to the caller.
    ///
    /// Its first price does not count, since it came too late or is none that the market reckons with; or there is no price
    /// and the request has expired. One whose price counts is to be settled, by the caller too, until the oracle has
    /// forgotten the price.
    ///
    /// # Errors
    /// - [`FuturesError::NoOrder`], [`FuturesError::OrderPending`].
    ///
    /// # Events
    /// [`OrderCanceled`].
    #[access(write(orders[caller]), add(owed[caller]), calls(oracle.first_after(asset, _)))]
    pub fn cancel(&mut self) -> Result<(), FuturesError> {
        let by = caller();
        let order = self.orders.take(by).ok_or(FuturesError::NoOrder)?;
        ensure!(!self.waits(&order, order.expires_ms), FuturesError::OrderPending);
        // Both fit together when they came in.
        self.owe(by, order.margin + self.terms().reward);
        emit(OrderCanceled { by });
        Ok(())
    }

    /// Pays what the market owes the caller; of 2^127 or more only so much less one, which is what a token moves at once.
    ///
    /// That is for positions that are closed or liquidated, margin that was removed, orders that were canceled, and
    /// rewards.
    ///
    /// Returns the amount.
    ///
    /// # Errors
    /// - [`FuturesError::ZeroAmount`]: nothing is owed.
    ///
    /// # Events
    /// [`Collected`].
    #[access(write(owed[caller]), calls(token.transfer(caller, _)))]
    pub fn collect(&mut self) -> Result<u128, FuturesError> {
        let (by, owed) = (caller(), self.owed.get(caller()));
        ensure!(owed > 0, FuturesError::ZeroAmount);
        let amount = owed.min(u128::MAX >> 1);
        self.owed.put(by, owed - amount);
        FungibleClient::new(self.token.get()).transfer(by, amount);
        emit(Collected { by, amount });
        Ok(amount)
    }

    /// Closes a position whose margin is too small, at the last price. Anyone may.
    ///
    /// There is a reward out of what is left of the margin, of which the trader has the rest. Where that is less than
    /// [`Terms::reward`], the vault adds what is missing. Both are owed.
    ///
    /// Not while a request of the trader to grow waits for its price or is to be settled: settle it before. Else whoever has
    /// seen the price would decide by a liquidation whether the request is done.
    ///
    /// # Arguments
    /// - `trader`, `long`: whose position, and on which side it is.
    ///
    /// Returns the reward.
    ///
    /// # Errors
    /// - [`FuturesError::NoPosition`], [`FuturesError::NoPrice`], [`FuturesError::TooLarge`].
    /// - [`FuturesError::Healthy`]: the margin is large enough.
    /// - [`FuturesError::OrderPending`].
    ///
    /// # Events
    /// [`Liquidated`].
    #[access(
        start(funding),
        read(orders[trader]),
        write(positions[trader]),
        add(vault, sizes[long], costs[long], funded[long], owed[caller], owed[trader]),
        calls(oracle.price(asset), oracle.first_after(asset, _))
    )]
    pub fn liquidate(&mut self, trader: Address, long: bool) -> Result<u128, FuturesError> {
        let (by, terms, price) = (caller(), self.terms(), self.price()?);
        let position = self.position_of(trader);
        let (size, value) = (position.size, worth(position.size, price, false)?);
        ensure!(self.falls_short(&position, price)?, FuturesError::Healthy);
        let order = self.orders.try_get(trader).filter(|order| order.grow);
        let last_ms = |order: &Order| terms.last_ms(order).min(order.expires_ms);
        let waits = order.is_some_and(|order| self.waits(&order, last_ms(&order)));
        ensure!(!waits, FuturesError::OrderPending);
        let (mut position, mut change) =
            position.reduced(long, size, price, self.index()?, terms.fee_bp)?;
        let lost = change.flow.lost;
        position.credit(terms.reward.saturating_sub(position.margin), &mut change.flow)?;
        let reward = mul_div_down(value, terms.liquidation_bp.into(), BASIS_POINTS);
        let reward = reward.ok_or(FuturesError::TooLarge)?.max(terms.reward).min(position.margin);
        position.margin -= reward;
        self.subtract(long, change);
        self.positions.remove(trader);
        self.owe(by, reward);
        self.owe(trader, position.margin);
        let (left, bad_debt) = (position.margin, lost);
        emit(Liquidated { trader, by, size, price, reward, left, bad_debt });
        Ok(reward)
    }

    /// Adds margin to the caller's position, out of the caller's allowance.
    ///
    /// Not while the caller has a request: whoever has seen its price would decide by the margin whether it is done.
    ///
    /// # Arguments
    /// - `amount`: how much.
    ///
    /// # Errors
    /// - [`FuturesError::ZeroAmount`], [`FuturesError::NoPosition`], [`FuturesError::TooLarge`],
    ///   [`FuturesError::OrderPending`].
    ///
    /// # Events
    /// [`MarginMoved`].
    #[access(
        read(orders[caller]),
        write(positions[caller]),
        calls(token.transfer_from(caller, this, amount))
    )]
    pub fn add_margin(&mut self, amount: u128) -> Result<(), FuturesError> {
        ensure!(amount > 0, FuturesError::ZeroAmount);
        let (by, mut position) = (caller(), self.position_of(caller()));
        ensure!(position.size > 0, FuturesError::NoPosition);
        ensure!(!self.orders.contains(by), FuturesError::OrderPending);
        position.margin = position.margin.checked_add(amount).ok_or(FuturesError::TooLarge)?;
        self.put_position(by, position);
        self.pull(amount);
        emit(MarginMoved { by, amount, added: true });
        Ok(())
    }

    /// Takes margin out of the caller's position, as long as the initial margin is left.
    ///
    /// At the last price, that is. It is owed to the caller. Not while the caller has a request, which would otherwise be as good as canceled.
    ///
    /// # Arguments
    /// - `long`: which side the position is on.
    /// - `amount`: how much.
    ///
    /// # Errors
    /// - [`FuturesError::ZeroAmount`], [`FuturesError::NoPosition`], [`FuturesError::NoPrice`],
    ///   [`FuturesError::Unhealthy`], [`FuturesError::TooLarge`], [`FuturesError::OrderPending`].
    ///
    /// # Events
    /// [`MarginMoved`].
    #[access(
        start(funding),
        read(orders[caller]),
        write(positions[caller]),
        add(vault, funded[long], owed[caller]),
        calls(oracle.price(asset))
    )]
    pub fn remove_margin(&mut self, long: bool, amount: u128) -> Result<(), FuturesError> {
        ensure!(amount > 0, FuturesError::ZeroAmount);
        let (by, mut position) = (caller(), self.position_of(caller()));
        ensure!(position.size > 0 && position.long == long, FuturesError::NoPosition);
        ensure!(!self.orders.contains(by), FuturesError::OrderPending);
        let (price, mut flow) = (self.price()?, Flow::default());
        self.funded.sub(long, position.funded()?);
        position.fund(self.index()?, &mut flow)?;
        self.funded.add(long, position.funded()?);
        let left = position.margin.checked_sub(amount).ok_or(FuturesError::Unhealthy)?;
        position.margin = left;
        let terms = self.terms();
        // As for what shrinks: it stays, so it must have paid all.
        let covered = flow.lost == 0 && position.covers(price, terms.initial_bp, 0, &terms)?;
        ensure!(covered, FuturesError::Unhealthy);
        self.put_position(by, position);
        self.flow(flow);
        self.owe(by, amount);
        emit(MarginMoved { by, amount, added: false });
        Ok(())
    }

    /// Gives the vault an amount, out of the caller's allowance, for shares.
    ///
    /// # Arguments
    /// - `amount`: how much. The first provider leaves [`LOCKED_SHARES`] in the vault.
    /// - `min_shares`: how many shares to accept at least.
    ///
    /// Returns the shares.
    ///
    /// # Errors
    /// - [`FuturesError::InsufficientShares`]: fewer would be issued, or none.
    /// - [`FuturesError::VaultEmpty`]: the vault is worth less than a hundredth of what it has shares: they would be nearly all
    ///   of the caller's, who would take what the others hope for.
    /// - [`FuturesError::NoPrice`], [`FuturesError::TooLarge`].
    ///
    /// # Events
    /// [`VaultMoved`].
    #[access(
        start(funding),
        write(vault, total_shares, shares[caller]),
        read(sizes[true], costs[true], funded[true]),
        read(sizes[false], costs[false], funded[false]),
        calls(token.transfer_from(caller, this, amount)),
        calls(oracle.price(asset))
    )]
    pub fn provide(&mut self, amount: u128, min_shares: u128) -> Result<u128, FuturesError> {
        let (by, sums) = (caller(), self.sums());
        let (issued, shares) = if sums.shares == 0 {
            (amount, amount.saturating_sub(LOCKED_SHARES))
        } else {
            let worth = sums.worth(self.price()?, self.index()?, true)?;
            let shares = sums.shares_for(amount, worth)?;
            (shares, shares)
        };
        ensure!(shares >= min_shares.max(1), FuturesError::InsufficientShares);
        let fits = amount.max(issued) <= u128::MAX >> 1;
        ensure!(fits, FuturesError::TooLarge);
        let has = self.shares.get(by).shares.checked_add(shares).ok_or(FuturesError::TooLarge)?;
        self.shares.put(by, Provided { shares: has, time_ms: time_ms() });
        self.total_shares.add(issued);
        self.vault.add(amount);
        self.pull(amount);
        emit(VaultMoved { by, amount, shares, added: true });
        Ok(shares)
    }

    /// Gives the vault an amount, out of the caller's allowance, without shares.
    ///
    /// So traders are paid when it has less than they won. What is left of it belongs to the providers. Conflicts with no trader.
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
        self.pull(amount);
        emit(VaultMoved { by, amount, shares: 0, added: true });
        Ok(())
    }

    /// Gives up shares for the caller's part of what the vault is worth.
    ///
    /// Not before [`PROVIDED_MS_MIN`] after the caller has provided.
    ///
    /// # Arguments
    /// - `shares`: how many.
    /// - `min_amount`: how much to accept at least.
    ///
    /// Returns the amount.
    ///
    /// # Errors
    /// - [`FuturesError::TooEarly`].
    /// - [`FuturesError::Slippage`]: the amount is smaller.
    /// - [`FuturesError::ZeroAmount`]: the shares are not worth anything.
    /// - [`FuturesError::InsufficientShares`], [`FuturesError::NoPrice`], [`FuturesError::TooLarge`].
    /// - [`FuturesError::VaultFull`]: one side is larger than the other by more than the rest would take.
    ///
    /// # Events
    /// [`VaultMoved`].
    #[access(
        start(funding),
        write(vault, total_shares, shares[caller], rooms[true], rooms[false]),
        read(sizes[true], costs[true], funded[true]),
        read(sizes[false], costs[false], funded[false]),
        calls(token.transfer(caller, _)),
        calls(oracle.price(asset))
    )]
    pub fn take_out(&mut self, shares: u128, min_amount: u128) -> Result<u128, FuturesError> {
        let (by, sums, price) = (caller(), self.sums(), self.price()?);
        let mut had = self.shares.get(by);
        had.shares = had.shares.checked_sub(shares).ok_or(FuturesError::InsufficientShares)?;
        let since_ms = time_ms().saturating_sub(had.time_ms);
        ensure!(since_ms >= PROVIDED_MS_MIN, FuturesError::TooEarly);
        let amount = mul_div_down(sums.worth(price, self.index()?, false)?, shares, sums.shares);
        let amount = amount.ok_or(FuturesError::TooLarge)?;
        ensure!(amount > 0, FuturesError::ZeroAmount);
        ensure!(amount >= min_amount, FuturesError::Slippage);
        let rest = sums.vault.checked_sub(amount).ok_or(FuturesError::VaultFull)?;
        let skew = worth(sums.longs.size.abs_diff(sums.shorts.size), price, true)?;
        ensure!(skew <= self.terms().room(rest), FuturesError::VaultFull);
        self.shares.put(by, had);
        self.total_shares.sub(shares);
        self.vault.sub(amount);
        self.fill_rooms(price);
        FungibleClient::new(self.token.get()).transfer(by, amount);
        emit(VaultMoved { by, amount, shares, added: false });
        Ok(amount)
    }

    /// Brings funding up to date, and finds how much the sides may grow. Anyone may.
    ///
    /// That is the index of funding, and who pays how much from now on, by the sums of before the block; and by how much each
    /// side may grow until somebody does this again, by the sums of now. In its block it is ordered among what is settled, so every ten
    /// minutes is often enough.
    ///
    /// A year's funding is the full rate where one side is larger than the other by all that the vault takes,
    /// and less by as much as the difference is smaller: so that a small difference, whoever made it, moves little. It gets
    /// there step by step: see [`Funding::tilt_towards`].
    ///
    /// # Errors
    /// - [`FuturesError::NoPrice`], [`FuturesError::TooLarge`].
    ///
    /// # Events
    /// [`Funded`].
    #[access(
        start(vault, sizes[true], sizes[false]),
        read(vault, sizes[true], sizes[false]),
        write(funding, rooms[true], rooms[false]),
        calls(oracle.price(asset))
    )]
    pub fn poke(&mut self) -> Result<(), FuturesError> {
        let price = self.price()?;
        let funding = self.funding.get().ok_or(FuturesError::BadTerms)?;
        let sides = (self.sizes.at_start(true), self.sizes.at_start(false));
        let (terms, room) = (self.terms(), self.fill_rooms(price));
        let limit = terms.room(self.vault.at_start());
        let rate = terms.funding_rate;
        let funding = funding.renewed(time_ms(), sides, limit, price, rate, room)?;
        self.funding.put(funding);
        let Funding { index, slope, longs_pay, .. } = funding;
        emit(Funded { index, slope, longs_pay });
        Ok(())
    }

    /// A trader's position.
    #[access(read(positions[of]))]
    pub fn position(&self, of: Address) -> Position {
        self.position_of(of)
    }

    /// A provider's shares of the vault.
    #[access(read(shares[of]))]
    pub fn shares(&self, of: Address) -> u128 {
        self.shares.get(of).shares
    }

    /// What a trader has requested.
    #[access(read(orders[of]))]
    pub fn order(&self, of: Address) -> Option<Order> {
        self.orders.try_get(of)
    }

    /// By how much of the asset the positions of a side may still grow until the next [`Futures::poke`].
    #[access(read(rooms[long]))]
    pub fn room_left(&self, long: bool) -> u128 {
        self.rooms.get(long)
    }

    /// What an account can collect.
    #[access(read(owed[of]))]
    pub fn owed(&self, of: Address) -> u128 {
        self.owed.get(of)
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

    /// The price at which a request is settled.
    fn price_of(&self, order: &Order) -> Result<u128, FuturesError> {
        let first = self.first_price(order).ok_or(FuturesError::NoPrice)?;
        self.counts(order, first)
    }

    /// The first price behind a request, whether it counts or not.
    #[inline(never)]
    fn first_price(&self, order: &Order) -> Option<Price> {
        let oracle = PriceHistoryClient::new(self.oracle.get());
        oracle.first_after(self.asset.get(), order.time_ms)
    }

    /// A request's first price, if it was observed in time.
    #[inline(never)]
    fn counts(&self, order: &Order, first: Price) -> Result<u128, FuturesError> {
        let timely =
            first.time_ms < order.expires_ms && first.time_ms <= self.terms().last_ms(order);
        sane(Some(first).filter(|_| timely))
    }

    /// Whether a price decides about a request, or may until a time.
    #[inline(never)]
    fn waits(&self, order: &Order, until_ms: u64) -> bool {
        match self.first_price(order) {
            Some(first) => self.counts(order, first).is_ok(),
            None => time_ms() < until_ms,
        }
    }

    /// Whether a trader may request to grow. From then on the position is what it is until the request is settled.
    #[inline(never)]
    fn check_growing(&self, by: Address, long: bool) -> Result<(), FuturesError> {
        let position = self.position_of(by);
        if position.size == 0 {
            return Ok(());
        }
        ensure!(position.long == long, FuturesError::WrongSide);
        // Without a price nobody liquidates either.
        if let Ok(price) = self.price() {
            ensure!(!self.falls_short(&position, price)?, FuturesError::Unhealthy);
        }
        Ok(())
    }

    /// Whether a position is to be liquidated at a price, with funding until now.
    #[inline(never)]
    fn falls_short(&self, position: &Position, price: u128) -> Result<bool, FuturesError> {
        let (mut funded, mut flow, terms) = (*position, Flow::default(), self.terms());
        funded.fund(self.index()?, &mut flow)?;
        Ok(!funded.covers(price, terms.maintenance_bp, flow.lost, &terms)?)
    }

    /// What the vault gets of a request to grow that is refused for good.
    #[inline(never)]
    fn fee_of_refused(&self, order: &Order, price: u128, error: FuturesError) -> u128 {
        let fee = match error {
            // Not where providers have taken the room away, who would be paid for that.
            FuturesError::VaultFull if order.finds(self.vault.at_start()) => {
                order.fee(price, self.terms().fee_bp)
            }
            _ => Ok(0),
        };
        // Only what brings its fee gets so far.
        fee.unwrap_or_default().min(order.margin)
    }

    /// Ends a request, which was done at the price or is refused for good, for a fee. Returns the price if it was done.
    #[inline(never)]
    fn settled(
        &mut self,
        by: Address,
        order: &Order,
        price: u128,
        done: Result<(), (FuturesError, u128)>,
    ) -> Option<u128> {
        if let Err((error, fee)) = done {
            self.vault.add(fee);
            self.owe(by, order.margin - fee);
            emit(OrderRefused { by, price, reason: error.code(), fee });
        }
        self.owe(caller(), self.terms().reward);
        done.ok().map(|()| price)
    }

    /// Opens a trader's position, or makes it larger; where it fails, nothing has changed.
    #[inline(never)]
    fn grow(&mut self, by: Address, order: &Order, price: u128) -> Result<(), FuturesError> {
        let (&Order { long, size, .. }, terms) = (order, self.terms());
        ensure!(order.accepts(price), FuturesError::Slippage);
        // Of what came in with it, since that is there whatever becomes of the position.
        let fee = order.fee(price, terms.fee_bp)?;
        ensure!(fee <= order.margin, FuturesError::Unhealthy);
        // Without it a poke fails too, so waiting for one could be for ever.
        let last_price = self.price()?;
        let funding = self.funding.at_start().ok_or(FuturesError::BadTerms)?;
        let age_ms = time_ms().saturating_sub(funding.time_ms);
        ensure!(age_ms <= FUNDING_MS_MAX, FuturesError::StaleFunding);
        // At the price by which a poke fills the stock: what fits does not wait for more than one.
        self.check_room(long, size, last_price)?;
        // All of a block take from what the last poke found, so that must be about what there is.
        let room = room_of(terms.room(self.vault.at_start()), last_price);
        ensure!(room >= funding.room - funding.room / 20, FuturesError::StaleRoom);
        let position = self.position_of(by);
        let (position, change, fee) = position.grown(order, price, self.index()?, &terms)?;
        // Takes it, so nothing may fail from here on.
        ensure!(self.rooms.reserve(long, size), FuturesError::StaleRoom);
        self.sizes.add(long, size);
        self.costs.add(long, change.cost);
        self.funded.sub(long, change.funded);
        self.funded.add(long, change.funded_now);
        self.put_position(by, position);
        self.flow(change.flow);
        emit(PositionOpened { by, long, size, price, fee });
        Ok(())
    }

    /// Makes a trader's position smaller, or closes it; where it fails, nothing has changed.
    #[inline(never)]
    fn shrink(&mut self, by: Address, order: &Order, price: u128) -> Result<(), FuturesError> {
        ensure!(order.accepts(price), FuturesError::Slippage);
        let mut position = self.position_of(by);
        position.margin =
            position.margin.checked_add(order.margin).ok_or(FuturesError::TooLarge)?;
        let size = order.size.min(position.size);
        let (index, terms) = (self.index()?, self.terms());
        let (position, change) = position.reduced(order.long, size, price, index, terms.fee_bp)?;
        let stays = position.size > 0;
        let lost = change.flow.lost;
        // What stays must have paid all: what it owes is forgotten from here on.
        let covered =
            !stays || lost == 0 && position.covers(price, terms.maintenance_bp, 0, &terms)?;
        ensure!(covered, FuturesError::Unhealthy);
        let worthwhile = !stays || worth(position.size, price, false)? >= terms.value_min;
        ensure!(worthwhile, FuturesError::TooSmall);
        self.subtract(order.long, change);
        let paid = if stays { 0 } else { position.margin };
        if stays {
            self.put_position(by, position);
        } else {
            self.positions.remove(by);
            self.owe(by, paid);
        }
        emit(PositionClosed { by, size, price, paid, bad_debt: lost });
        Ok(())
    }

    /// Whether the vault, as it was before the block, takes so much more on a side.
    #[inline(never)]
    fn check_room(&self, long: bool, size: u128, price: u128) -> Result<(), FuturesError> {
        let side = self.sizes.at_start(long).saturating_add(size);
        let skew = worth(side.saturating_sub(self.sizes.at_start(!long)), price, true)?;
        let provided = self.total_shares.at_start() > 0;
        let fits = provided && side <= SIDE_MAX && skew <= self.terms().room(self.vault.at_start());
        ensure!(fits, FuturesError::VaultFull);
        Ok(())
    }

    /// Fills what the sides may grow by, as positions and the vault are now. Returns by how much one may be larger than the other.
    #[inline(never)]
    fn fill_rooms(&mut self, price: u128) -> u128 {
        let room = room_of(self.terms().room(self.vault.get()), price);
        let (longs, shorts) = (self.sizes.get(true), self.sizes.get(false));
        for (long, this, other) in [(true, longs, shorts), (false, shorts, longs)] {
            let most = room.saturating_add(other).min(SIDE_MAX);
            self.rooms.put(long, most.saturating_sub(this));
        }
        room
    }

    /// Takes what is gone of a position out of the sums.
    #[inline(never)]
    fn subtract(&mut self, long: bool, change: Change) {
        self.sizes.sub(long, change.size);
        self.costs.sub(long, change.cost);
        self.funded.sub(long, change.funded);
        self.funded.add(long, change.funded_now);
        self.flow(change.flow);
    }

    // Each of these is in the module once, not wherever it is used: it is deployed by the byte.
    #[inline(never)]
    fn terms(&self) -> Terms {
        self.terms.get()
    }

    #[inline(never)]
    fn position_of(&self, trader: Address) -> Position {
        self.positions.get(trader)
    }

    #[inline(never)]
    fn put_position(&mut self, trader: Address, position: Position) {
        self.positions.put(trader, position);
    }

    #[inline(never)]
    fn pull(&self, amount: u128) {
        FungibleClient::new(self.token.get()).transfer_from(caller(), this(), amount);
    }

    #[inline(never)]
    fn owe(&mut self, to: Address, amount: u128) {
        self.owed.add(to, amount);
    }

    #[inline(never)]
    fn flow(&mut self, flow: Flow) {
        if flow.to_vault >= flow.to_trader {
            self.vault.add(flow.to_vault - flow.to_trader);
        } else {
            self.vault.sub(flow.to_trader - flow.to_vault);
        }
    }

    /// The funding index now: a poke in this block comes to the same.
    #[inline(never)]
    fn index(&self) -> Result<u128, FuturesError> {
        Ok(self.funding.at_start().ok_or(FuturesError::BadTerms)?.index_at(time_ms()))
    }

    /// The last price.
    #[inline(never)]
    fn price(&self) -> Result<u128, FuturesError> {
        let oldest_ms = time_ms().saturating_sub(self.terms().price_ms_max);
        let price = OracleClient::new(self.oracle.get()).price(self.asset.get());
        sane(price.filter(|price| price.time_ms >= oldest_ms))
    }

    #[inline(never)]
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

/// How much of the asset is worth a limit.
#[inline(never)]
fn room_of(limit: u128, price: u128) -> u128 {
    mul_div_down(limit, ONE, price).unwrap_or(u128::MAX)
}

/// A price that the market reckons with.
fn sane(price: Option<Price>) -> Result<u128, FuturesError> {
    let value = price.map(|price| price.value);
    let value = value.filter(|value| (PRICE_MIN..=PRICE_MAX).contains(value));
    value.ok_or(FuturesError::NoPrice)
}
