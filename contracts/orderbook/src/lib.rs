//! Limit orders with price-time priority.
//!
//! One instance is one market of two tokens. Traders keep funds in it; orders lock them, fills move them, and
//! the tokens are called only to bring funds in and out.
//!
//! What conflicts. A book that is one data structure makes every order wait for every other one. Here
//! it is split by what an order's arguments name:
//! - [`Orderbook::place`] and [`Orderbook::cancel`] write the level of one side and price, where time
//!   priority *is* an order and so cannot be parallel; they add to counts of orders, and to the caller's
//!   funds. Orders at different prices do not conflict, and neither do orders of one trader.
//! - [`Orderbook::trade`] takes from the best prices, which only the state knows. It is `dynamic`: its
//!   transaction carries the list that a simulation found, and if the book has changed so that it does not
//!   suffice, the trade runs behind the block's batches. It adds to the makers' funds, and so does not wait
//!   for what else they do. Trades of one market wait for each other; an order waits for a trade only where
//!   the trade looked: at the prices it took, and for the digits it passed on its way.
//! - Different markets have nothing in common but their tokens: those who bring funds in add to what this contract has of one, and
//!   those who take funds out write it.
//!
//! Measured by a test: 300 orders of 100 traders at 60 prices are five batches of 60, as many as there are orders at one price. Ten trades
//! behind them are ten batches.
//!
//! `place` never trades, even if it could: an order that crosses the other side rests, and whoever trades
//! next gets its price. Use `trade` to take what there is and rest the remainder.
//!
//! A price holds [`LEVEL_ORDERS_MAX`] orders, so whoever places as many shuts others out from it. Each is at least
//! of the market's smallest size, so that costs as many times `order_min_lots` lots, locked: at 100 ticks, with lots of
//! 10 base tokens, a smallest order of 50 lots and a tick of 1, that is 160,000 quote tokens to shut one price of those
//! who buy, or 16,000 base tokens of those who sell. It is for anybody to trade with at that price, and the prices a
//! tick next to it remain. A market chooses the size so that this is dear.
//!
//! A trade takes at most [`TRADE_LEVELS_MAX`] prices, and fewer where the book is sparse or its orders are many
//! people's: it stops before it has touched more than a transaction may ([`TRADE_CELLS_MAX`]), keeps what it has traded,
//! and the next one goes on.
//!
//! Funds are counters, so an order or a withdrawal beyond them is stopped by the host when the transaction ends
//! (`CounterOutOfBounds`), and not refused by this contract with an error. Until then it stands: a transaction can use all that the
//! book holds, if it brings it back, and what a contract is told of the book's depth may rest on an order that will not.
//! Whoever relies on the depth looks in a transaction of its own.
//!
//! Invariants:
//! - what the contract has of each token is the sum of all funds and of what all orders lock;
//! - a trade fills better prices first, and at one price older orders first;
//! - a maker gets exactly the price of the order, a taker never a worse one than the limit;
//! - an order is placed with at least the smallest size; at a price only the oldest can have less left.
//! - the counts of orders are exact.
#![no_std]

use kempe_sdk::interfaces::FungibleClient;
use kempe_sdk::prelude::*;

mod storage;
#[cfg(test)]
mod test;

pub use storage::{
    BookError, Canceled, DEPTH_MAX, DIGIT, Deposited, Depth, Filled, LEVEL_ORDERS_MAX, Level,
    Market, Order, Placed, Price, Side, TICKS_MAX, TRADE_CELLS_MAX, TRADE_LEVELS_MAX, Traded,
    Withdrawn,
};

/// A market of two tokens.
#[contract]
#[derive(Debug)]
pub struct Orderbook {
    /// What is bought and sold.
    base_token: Immutable<Address>,
    /// What it is paid with.
    quote_token: Immutable<Address>,
    /// How much of the base token a lot is.
    lot: Immutable<u128>,
    /// How much of the quote token a lot costs for each tick of its price.
    tick: Immutable<u128>,
    /// How many lots an order has at least when it is placed.
    order_min_lots: Immutable<u64>,
    /// What each trader can use of the base token.
    base_funds: Map<Address, Counter<u128>>,
    /// What each trader can use of the quote token.
    quote_funds: Map<Address, Counter<u128>>,
    /// The orders at each price.
    levels: Map<(Side, Price), Level>,
    /// How many orders there are, by the first digit of their prices.
    by_high: Map<(Side, u8), Counter<u32>>,
    /// How many orders there are, by the first two digits of their prices.
    by_mid: Map<(Side, u8, u8), Counter<u32>>,
}

#[contract]
impl Orderbook {
    /// Sets up an empty market.
    ///
    /// # Arguments
    /// - `base_token`, `quote_token`: two different tokens that move what they are told to move.
    /// - `lot`: how much of the base token a lot is.
    /// - `tick`: how much of the quote token a lot costs for each tick.
    /// - `order_min_lots`: how many lots an order has at least, above zero. What it costs to shut a price is
    ///   [`LEVEL_ORDERS_MAX`] times as much.
    ///
    /// # Errors
    /// - [`BookError::BadMarket`].
    pub fn init(
        &mut self,
        base_token: Address,
        quote_token: Address,
        lot: u128,
        tick: u128,
        order_min_lots: u64,
    ) -> Result<(), BookError> {
        let is_sized = lot > 0 && tick > 0 && order_min_lots > 0;
        ensure!(base_token != quote_token && is_sized, BookError::BadMarket);
        self.base_token.set(base_token);
        self.quote_token.set(quote_token);
        self.lot.set(lot);
        self.tick.set(tick);
        self.order_min_lots.set(order_min_lots);
        Ok(())
    }

    /// Brings funds in, out of the caller's allowances.
    ///
    /// # Arguments
    /// - `base`, `quote`: how much of each token; one may be zero.
    ///
    /// # Errors
    /// - [`BookError::ZeroAmount`]: both are.
    ///
    /// # Events
    /// [`Deposited`].
    #[access(
        add(base_funds[caller], quote_funds[caller]),
        calls(base_token.transfer_from(caller, this, base)),
        calls(quote_token.transfer_from(caller, this, quote))
    )]
    pub fn deposit(&mut self, base: u128, quote: u128) -> Result<(), BookError> {
        ensure!(base > 0 || quote > 0, BookError::ZeroAmount);
        self.base_funds.add(caller(), base);
        self.quote_funds.add(caller(), quote);
        if base > 0 {
            FungibleClient::new(self.base_token.get()).transfer_from(caller(), this(), base);
        }
        if quote > 0 {
            FungibleClient::new(self.quote_token.get()).transfer_from(caller(), this(), quote);
        }
        emit(Deposited { by: caller(), base, quote });
        Ok(())
    }

    /// Takes funds out. Beyond the caller's funds the transaction is stopped.
    ///
    /// # Arguments
    /// - `base`, `quote`: how much of each token; one may be zero.
    ///
    /// # Errors
    /// - [`BookError::ZeroAmount`]: both are.
    ///
    /// # Events
    /// [`Withdrawn`].
    #[access(
        add(base_funds[caller], quote_funds[caller]),
        calls(base_token.transfer(caller, base)),
        calls(quote_token.transfer(caller, quote))
    )]
    pub fn withdraw(&mut self, base: u128, quote: u128) -> Result<(), BookError> {
        ensure!(base > 0 || quote > 0, BookError::ZeroAmount);
        self.base_funds.sub(caller(), base);
        self.quote_funds.sub(caller(), quote);
        if base > 0 {
            FungibleClient::new(self.base_token.get()).transfer(caller(), base);
        }
        if quote > 0 {
            FungibleClient::new(self.quote_token.get()).transfer(caller(), quote);
        }
        emit(Withdrawn { by: caller(), base, quote });
        Ok(())
    }

    /// Rests an order in the book, behind those at its price. Trades nothing, whatever the other side
    /// offers. Beyond the caller's funds the transaction is stopped.
    ///
    /// # Arguments
    /// - `side`: buys or sells.
    /// - `price`: for a lot.
    /// - `lots`: how many; at least the market's smallest order.
    /// - `id`: a number that no other order of the caller's at this price has.
    ///
    /// # Errors
    /// - [`BookError::BadPrice`], [`BookError::TooSmall`], [`BookError::LevelFull`],
    ///   [`BookError::DuplicateId`], [`BookError::TooLarge`].
    ///
    /// # Events
    /// [`Placed`].
    #[access(
        write(levels[side, price]),
        add(by_high[side, price.high], by_mid[side, price.high, price.mid]),
        add(base_funds[caller], quote_funds[caller])
    )]
    pub fn place(&mut self, side: Side, price: Price, lots: u64, id: u64) -> Result<(), BookError> {
        self.rest(side, price, lots, id)
    }

    /// Takes an order out of the book and gives what it locks back to the caller's funds.
    ///
    /// # Arguments
    /// - `side`, `price`, `id`: the order.
    ///
    /// Returns how many lots were left.
    ///
    /// # Errors
    /// - [`BookError::NoSuchOrder`]: also if it was filled.
    /// - [`BookError::BadPrice`].
    ///
    /// # Events
    /// [`Canceled`].
    #[access(
        write(levels[side, price]),
        add(by_high[side, price.high], by_mid[side, price.high, price.mid]),
        add(base_funds[caller], quote_funds[caller])
    )]
    pub fn cancel(&mut self, side: Side, price: Price, id: u64) -> Result<u64, BookError> {
        let ticks = price.ticks().ok_or(BookError::BadPrice)?;
        let (owner, mut level) = (caller(), self.levels.get((side, price)));
        let at = level.orders.iter().position(|order| order.owner == owner && order.id == id);
        let lots = level.orders.remove(at.ok_or(BookError::NoSuchOrder)?).lots;
        self.put_level(side, price, &level);
        self.count(side, price, false);
        match side {
            Side::Buy => self.quote_funds.add(owner, self.cost(ticks, lots)?),
            Side::Sell => self.base_funds.add(owner, self.size(lots)?),
        }
        emit(Canceled { owner, id, side, ticks, lots });
        Ok(lots)
    }

    /// Trades with the best orders of the other side, the oldest first at each price, at their prices.
    /// Beyond the caller's funds the transaction is stopped.
    ///
    /// # Arguments
    /// - `side`: buys or sells.
    /// - `limit`: the worst price to accept.
    /// - `lots`: the most to trade. At most [`TRADE_LEVELS_MAX`] prices are taken, and no more than
    ///   [`TRADE_CELLS_MAX`] allows.
    /// - `rest`: with a number, what could not be traded at the limit rests there under it, unless it is
    ///   smaller than the market's smallest order, there are more prices to take than one call does, or the price has no
    ///   room for it or an order of the caller's with that number. What was traded stays traded.
    ///
    /// # Errors
    /// - [`BookError::BadPrice`], [`BookError::ZeroAmount`], [`BookError::TooLarge`].
    ///
    /// # Events
    /// [`Filled`] for each order, and [`Placed`].
    #[access(dynamic)]
    pub fn trade(
        &mut self,
        side: Side,
        limit: Price,
        lots: u64,
        rest: Option<u64>,
    ) -> Result<Traded, BookError> {
        let limit_ticks = limit.ticks().ok_or(BookError::BadPrice)?;
        ensure!(lots > 0, BookError::ZeroAmount);
        let (mut left, mut quote, mut n_levels, mut n_cells) = (lots, 0u128, 0, 0);
        let more = loop {
            let (best, n_searched) = self.best(side.other());
            n_cells += n_searched;
            let best = best.and_then(|price| Some((price, price.ticks()?)));
            let fits = |ticks| match side {
                Side::Buy => ticks <= limit_ticks,
                Side::Sell => ticks >= limit_ticks,
            };
            let Some((price, ticks)) = best.filter(|(_, ticks)| left > 0 && fits(*ticks)) else {
                break false;
            };
            if n_levels == TRADE_LEVELS_MAX || n_cells + LEVEL_CELLS_MAX > TRADE_CELLS_MAX {
                break true;
            }
            let (taken, n_filled) = self.take(side, price, ticks, left)?;
            left -= taken;
            quote = sum(quote, self.cost(ticks, taken)?)?;
            (n_levels, n_cells) = (n_levels + 1, n_cells + n_filled);
        };
        let (taker, traded) = (caller(), lots - left);
        match side {
            Side::Buy => {
                self.quote_funds.sub(taker, quote);
                self.base_funds.add(taker, self.size(traded)?);
            }
            Side::Sell => {
                self.base_funds.sub(taker, self.size(traded)?);
                self.quote_funds.add(taker, quote);
            }
        }
        let resting = match rest {
            Some(id) if left >= self.order_min_lots.get() && !more => {
                match self.rest(side, limit, left, id) {
                    Ok(()) => left,
                    // Whoever fills the price up does not undo what was traded.
                    Err(BookError::LevelFull | BookError::DuplicateId) => 0,
                    Err(error) => return Err(error),
                }
            }
            _ => 0,
        };
        Ok(Traded { lots: traded, quote, resting })
    }

    /// The orders at a price, the oldest first.
    #[access(read(levels[side, price]))]
    pub fn level(&self, side: Side, price: Price) -> Level {
        self.levels.get((side, price))
    }

    /// How many lots are left of a trader's order; `None` for one that was filled or canceled, or never placed.
    #[access(read(levels[side, price]))]
    pub fn order(&self, of: Address, side: Side, price: Price, id: u64) -> Option<u64> {
        let orders = self.levels.get((side, price)).orders;
        let order = orders.into_iter().find(|order| order.owner == of && order.id == id);
        order.map(|order| order.lots)
    }

    /// What the market is.
    pub fn market(&self) -> Market {
        Market {
            base_token: self.base_token.get(),
            quote_token: self.quote_token.get(),
            lot: self.lot.get(),
            tick: self.tick.get(),
            order_min_lots: self.order_min_lots.get(),
        }
    }

    /// What a trader can use of the base and of the quote token.
    #[access(read(base_funds[of], quote_funds[of]))]
    pub fn funds(&self, of: Address) -> (u128, u128) {
        (self.base_funds.get(of), self.quote_funds.get(of))
    }

    /// The best price of a side: the highest that buys, or the lowest that sells.
    #[access(dynamic)]
    pub fn best_price(&self, side: Side) -> Option<Price> {
        self.best(side).0
    }

    /// The best prices of a side and what there is at them, the best one first: the book as a trader sees it.
    ///
    /// # Arguments
    /// - `n_prices`: how many; at most [`DEPTH_MAX`], and fewer where the book is so sparse that [`TRADE_CELLS_MAX`] are looked at
    ///   before.
    #[access(dynamic)]
    pub fn depth(&self, side: Side, n_prices: u8) -> Vec<Depth> {
        let n_prices = usize::from(n_prices).min(DEPTH_MAX);
        let (mut found, mut n_cells) = (Vec::new(), 0);
        let mut look = || {
            n_cells += 1;
            n_cells <= TRADE_CELLS_MAX
        };
        for high in digits(side) {
            if !look() || self.by_high.get((side, high)) == 0 {
                continue;
            }
            for mid in digits(side) {
                if !look() || self.by_mid.get((side, high, mid)) == 0 {
                    continue;
                }
                for low in digits(side) {
                    let price = Price { high, mid, low };
                    if found.len() == n_prices || !look() {
                        return found;
                    }
                    if let Some(level) = self.levels.try_get((side, price)) {
                        let lots = level.orders.iter().map(|order| u128::from(order.lots)).sum();
                        let n_orders = u32::try_from(level.orders.len()).unwrap_or(u32::MAX);
                        found.push(Depth { price, n_orders, lots });
                    }
                }
            }
        }
        found
    }

    /// Puts an order into the book and locks its funds. Changes nothing if the price is full or the number taken.
    fn rest(&mut self, side: Side, price: Price, lots: u64, id: u64) -> Result<(), BookError> {
        let ticks = price.ticks().ok_or(BookError::BadPrice)?;
        ensure!(lots >= self.order_min_lots.get(), BookError::TooSmall);
        let (owner, mut level) = (caller(), self.levels.get((side, price)));
        ensure!(level.orders.len() < LEVEL_ORDERS_MAX, BookError::LevelFull);
        let taken = level.orders.iter().any(|order| order.owner == owner && order.id == id);
        ensure!(!taken, BookError::DuplicateId);
        level.orders.push(Order { owner, id, lots });
        self.levels.put((side, price), level);
        self.count(side, price, true);
        match side {
            Side::Buy => self.quote_funds.sub(owner, self.cost(ticks, lots)?),
            Side::Sell => self.base_funds.sub(owner, self.size(lots)?),
        }
        emit(Placed { owner, id, side, ticks, lots });
        Ok(())
    }

    /// Fills orders at a price, the oldest first, and pays their owners. Returns how many lots, of how many orders.
    fn take(
        &mut self,
        side: Side,
        price: Price,
        ticks: u16,
        lots: u64,
    ) -> Result<(u64, usize), BookError> {
        let (taker, makers) = (caller(), side.other());
        let (mut left, mut kept, mut n_filled) = (lots, Vec::new(), 0);
        for order in self.levels.get((makers, price)).orders {
            let filled = left.min(order.lots);
            if filled == 0 {
                kept.push(order);
                continue;
            }
            left -= filled;
            n_filled += 1;
            match makers {
                Side::Buy => self.base_funds.add(order.owner, self.size(filled)?),
                Side::Sell => self.quote_funds.add(order.owner, self.cost(ticks, filled)?),
            }
            let (maker, id, rest) = (order.owner, order.id, order.lots - filled);
            emit(Filled { maker, id, taker, side, ticks, lots: filled, left: rest });
            if rest > 0 {
                kept.push(Order { lots: rest, ..order });
            } else {
                self.count(makers, price, false);
            }
        }
        self.put_level(makers, price, &Level { orders: kept });
        Ok((lots - left, n_filled))
    }

    /// The best price of a side, digit by digit, and how many cells were looked at for it.
    fn best(&self, side: Side) -> (Option<Price>, usize) {
        let mut n_cells = 0;
        let mut digit = |has: &dyn Fn(u8) -> bool| {
            digits(side).find(|digit| {
                n_cells += 1;
                has(*digit)
            })
        };
        let mut find = || {
            let high = digit(&|high| self.by_high.get((side, high)) > 0)?;
            let mid = digit(&|mid| self.by_mid.get((side, high, mid)) > 0)?;
            let low = digit(&|low| self.levels.contains((side, Price { high, mid, low })))?;
            Some(Price { high, mid, low })
        };
        (find(), n_cells)
    }

    fn count(&mut self, side: Side, price: Price, more: bool) {
        let (high, mid) = ((side, price.high), (side, price.high, price.mid));
        if more {
            self.by_high.add(high, 1);
            self.by_mid.add(mid, 1);
        } else {
            self.by_high.sub(high, 1);
            self.by_mid.sub(mid, 1);
        }
    }

    /// A level without orders is not kept, so that what is there has some.
    fn put_level(&mut self, side: Side, price: Price, level: &Level) {
        if level.orders.is_empty() {
            self.levels.remove((side, price));
        } else {
            self.levels.put((side, price), level);
        }
    }

    /// What lots cost, in the quote token.
    fn cost(&self, ticks: u16, lots: u64) -> Result<u128, BookError> {
        let ticks = u128::from(ticks) * u128::from(lots);
        bounded(ticks.checked_mul(self.tick.get()))
    }

    /// What lots are, in the base token.
    fn size(&self, lots: u64) -> Result<u128, BookError> {
        bounded(u128::from(lots).checked_mul(self.lot.get()))
    }
}

/// The values of a digit, those of better prices of a side first.
fn digits(side: Side) -> impl Iterator<Item = u8> {
    (0..DIGIT).map(move |n| if side == Side::Buy { DIGIT - 1 - n } else { n })
}

/// The most cells that taking a price touches behind the search for it, and the search for the next one: the funds of a
/// maker for each order, and three digits.
const LEVEL_CELLS_MAX: usize = LEVEL_ORDERS_MAX + 3 * DIGIT as usize;

fn sum(a: u128, b: u128) -> Result<u128, BookError> {
    bounded(a.checked_add(b))
}

/// One step of a counter is at most 2^127 - 1.
fn bounded(amount: Option<u128>) -> Result<u128, BookError> {
    amount.filter(|amount| *amount <= u128::MAX >> 1).ok_or(BookError::TooLarge)
}
