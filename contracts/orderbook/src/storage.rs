//! Prices, orders, events and errors.

use kempe_sdk::prelude::*;

/// How many values a digit of a price has.
pub const DIGIT: u8 = 32;

/// The highest price, in ticks; the lowest is one.
pub const TICKS_MAX: u16 = 32 * 32 * 32 - 1;

/// The most orders at one price: what is read and written as one value. Ours to choose.
pub const LEVEL_ORDERS_MAX: usize = 32;

/// The most prices at which one call trades. Ours to choose.
pub const TRADE_LEVELS_MAX: usize = 16;

/// The most cells that one trade touches in the book, counted as if none was touched twice. A transaction may have 1,024
/// entries in its access list (`LIST_ENTRIES_MAX` of the runtime); what is left is for the taker's funds, its order, and what
/// a calling contract touches.
pub const TRADE_CELLS_MAX: usize = 960;

/// The most prices that [`Orderbook::depth`](crate::Orderbook::depth) shows. Ours to choose.
pub const DEPTH_MAX: usize = 64;

/// What a market is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Market {
    /// What is bought and sold.
    pub base_token: Address,
    /// What it is paid with.
    pub quote_token: Address,
    /// How much of the base token a lot is.
    pub lot: u128,
    /// How much of the quote token a lot costs for each tick of its price.
    pub tick: u128,
    /// How many lots an order has at least when it is placed.
    pub order_min_lots: u64,
}

/// A price, and what there is at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Depth {
    /// The price.
    pub price: Price,
    /// Of how many orders.
    pub n_orders: u32,
    /// How many lots there are.
    pub lots: u128,
}

/// Which way an order goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub enum Side {
    /// Buys the base token for the quote token.
    Buy,
    /// Sells the base token for the quote token.
    Sell,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

/// A price, in ticks, as three digits to the base of [`DIGIT`]. The digits are what access lists are
/// made of: how many orders there are is counted for each first and each second digit, so that the best
/// price is found in at most 96 steps without a list that every order would have to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Price {
    /// The first digit.
    pub high: u8,
    /// The second digit.
    pub mid: u8,
    /// The third digit.
    pub low: u8,
}

impl Price {
    /// The price of so many ticks; `None` below one or above [`TICKS_MAX`].
    #[must_use]
    pub fn of(ticks: u16) -> Option<Self> {
        let digit = u16::from(DIGIT);
        let byte = |n: u16| u8::try_from(n).ok().filter(|n| *n < DIGIT);
        if ticks == 0 {
            return None;
        }
        Some(Self {
            high: byte(ticks / digit / digit)?,
            mid: byte(ticks / digit % digit)?,
            low: byte(ticks % digit)?,
        })
    }

    /// How many ticks; `None` if a digit is too large or the price is zero.
    #[must_use]
    pub fn ticks(self) -> Option<u16> {
        let valid = [self.high, self.mid, self.low].iter().all(|digit| *digit < DIGIT);
        let digit = u16::from(DIGIT);
        let of = |high: u8, low| (u16::from(high)) * digit + low;
        let ticks = valid.then(|| of(self.high, u16::from(self.mid)) * digit + u16::from(self.low));
        ticks.filter(|ticks| *ticks > 0)
    }
}

/// An order that rests in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Order {
    /// Whose.
    pub owner: Address,
    /// The owner's number for it.
    pub id: u64,
    /// How many lots are left of it.
    pub lots: u64,
}

/// The orders at one price, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Value)]
pub struct Level {
    /// The orders.
    pub orders: Vec<Order>,
}

/// What a trade did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Traded {
    /// How many lots changed hands.
    pub lots: u64,
    /// What they cost, in the quote token.
    pub quote: u128,
    /// How many lots rest in the book.
    pub resting: u64,
}

/// Why the book refuses: codes 1600 to 1699.
#[error]
pub enum BookError {
    /// The two tokens are one, or a lot, a tick or the smallest order is zero.
    BadMarket = 1600,
    /// The amount or the number of lots is zero.
    ZeroAmount = 1601,
    /// The price has a digit that is too large, or is zero.
    BadPrice = 1602,
    /// There are as many orders at this price as it holds.
    LevelFull = 1603,
    /// The caller has an order with this number at this price.
    DuplicateId = 1604,
    /// There is no such order.
    NoSuchOrder = 1605,
    /// A result does not fit in 128 bits.
    TooLarge = 1606,
    /// The order has fewer lots than the market's smallest.
    TooSmall = 1607,
}

/// Funds came in.
#[event]
pub struct Deposited {
    /// Whose.
    pub by: Address,
    /// How much of the base token.
    pub base: u128,
    /// How much of the quote token.
    pub quote: u128,
}

/// Funds went out.
#[event]
pub struct Withdrawn {
    /// Whose.
    pub by: Address,
    /// How much of the base token.
    pub base: u128,
    /// How much of the quote token.
    pub quote: u128,
}

/// An order rests in the book.
#[event]
pub struct Placed {
    /// Whose.
    pub owner: Address,
    /// The owner's number for it.
    pub id: u64,
    /// Which way.
    pub side: Side,
    /// The price, in ticks.
    pub ticks: u16,
    /// How many lots.
    pub lots: u64,
}

/// An order was taken out of the book.
#[event]
pub struct Canceled {
    /// Whose.
    pub owner: Address,
    /// The owner's number for it.
    pub id: u64,
    /// Which way.
    pub side: Side,
    /// The price, in ticks.
    pub ticks: u16,
    /// How many lots were left.
    pub lots: u64,
}

/// A resting order was filled, wholly or in part.
#[event]
pub struct Filled {
    /// Whose order.
    pub maker: Address,
    /// The owner's number for it.
    pub id: u64,
    /// Who traded.
    pub taker: Address,
    /// Which way the taker went.
    pub side: Side,
    /// The price, in ticks.
    pub ticks: u16,
    /// How many lots.
    pub lots: u64,
    /// How many are left of the order.
    pub left: u64,
}
