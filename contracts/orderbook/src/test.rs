//! The book's rules, run natively.

extern crate std;

use kempe_sdk::abi::TrapKind;
use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, Receipt, TestChain};
use kempe_token::Token;

use crate::{
    BookError, Canceled, DEPTH_MAX, Deposited, Depth, Filled, LEVEL_ORDERS_MAX, Level, Market,
    Order, Orderbook, Placed, Price, Side, TICKS_MAX, TRADE_LEVELS_MAX, Traded, Withdrawn,
};

const LOT: u128 = 10;
const TICK: u128 = 3;

struct Setup {
    chain: TestChain,
    tokens: [Instance<Token>; 2],
    book: Instance<Orderbook>,
    people: Vec<Address>,
}

/// A market in which everybody has a million of both tokens, half of it in the book.
fn setup(n_people: usize) -> Setup {
    setup_of(n_people, 1)
}

fn setup_of(n_people: usize, order_min_lots: u64) -> Setup {
    let mut chain = TestChain::native();
    let people: Vec<Address> =
        (0..n_people).map(|i| chain.account(&std::format!("trader {i}"))).collect();
    let owner = people[0];
    let tokens = [0, 1].map(|_| chain.deploy::<Token>(owner, (owner,)));
    let args = (tokens[0].address(), tokens[1].address(), LOT, TICK, order_min_lots);
    let book = chain.deploy::<Orderbook>(owner, args);
    for who in &people {
        for token in &tokens {
            chain.send(owner, token, "mint", (*who, 1_000_000u128)).assert_ok();
            chain.send(*who, token, "approve", (book.address(), u128::MAX)).assert_ok();
        }
        chain.send(*who, &book, "deposit", (500_000u128, 500_000u128)).assert_ok();
    }
    Setup { chain, tokens, book, people }
}

fn at(ticks: u16) -> Price {
    Price::of(ticks).unwrap()
}

impl Setup {
    fn place(&mut self, who: usize, side: Side, ticks: u16, lots: u64, id: u64) -> Receipt {
        let args = (side, at(ticks), lots, id);
        self.chain.send(self.people[who], &self.book, "place", args)
    }

    fn trade(&mut self, who: usize, side: Side, ticks: u16, lots: u64) -> Receipt {
        let args = (side, at(ticks), lots, None::<u64>);
        self.chain.send(self.people[who], &self.book, "trade", args)
    }

    /// What a trader has in the book, above what it began with.
    fn gain(&mut self, who: usize) -> (i128, i128) {
        let (base, quote): (u128, u128) = self.chain.view(&self.book, "funds", (self.people[who],));
        let above = |funds: u128| i128::try_from(funds).unwrap() - 500_000;
        (above(base), above(quote))
    }

    fn best(&mut self, side: Side) -> Option<u16> {
        let best = self.chain.send(self.people[0], &self.book, "best_price", (side,));
        best.value::<Option<Price>>().and_then(Price::ticks)
    }
}

#[test]
fn better_prices_come_first_and_older_orders_at_one_price() {
    let mut s = setup(4);
    s.place(0, Side::Sell, 105, 5, 1).assert_ok();
    s.place(1, Side::Sell, 101, 5, 1).assert_ok();
    let receipt = s.place(2, Side::Sell, 101, 5, 1);
    let placed = Placed { owner: s.people[2], id: 1, side: Side::Sell, ticks: 101, lots: 5 };
    assert_eq!(receipt.events::<Placed>(), [placed]);
    assert_eq!((s.best(Side::Sell), s.best(Side::Buy)), (Some(101), None));
    let receipt = s.trade(3, Side::Buy, 105, 12);
    let quote = u128::from(10 * 101 + 2 * 105u64) * TICK;
    assert_eq!(receipt.value::<Traded>(), Traded { lots: 12, quote, resting: 0 });
    let filled = |maker: usize, ticks, lots, left| Filled {
        maker: s.people[maker],
        id: 1,
        taker: s.people[3],
        side: Side::Buy,
        ticks,
        lots,
        left,
    };
    let expected = [filled(1, 101, 5, 0), filled(2, 101, 5, 0), filled(0, 105, 2, 3)];
    assert_eq!(receipt.events::<Filled>(), expected);
    assert_eq!(s.gain(3), (120, -i128::try_from(quote).unwrap()));
    // A maker has what it sold locked from the start; five lots at 101 pay 5 * 101 * 3.
    assert_eq!((s.gain(0), s.gain(1), s.gain(2)), ((-50, 630), (-50, 1_515), (-50, 1_515)));
    let level: Level = s.chain.view(&s.book, "level", (Side::Sell, at(105)));
    assert_eq!(level.orders, [Order { owner: s.people[0], id: 1, lots: 3 }]);
}

#[test]
fn selling_takes_the_highest_bids_down_to_the_limit() {
    let mut s = setup(3);
    for (ticks, id) in [(40, 1), (2_000, 2), (31_000, 3)] {
        s.place(0, Side::Buy, ticks, 1, id).assert_ok();
    }
    assert_eq!(s.best(Side::Buy), Some(31_000));
    let receipt = s.trade(1, Side::Sell, 2_000, 5);
    let quote = u128::from(33_000u32) * TICK;
    assert_eq!(receipt.value::<Traded>(), Traded { lots: 2, quote, resting: 0 });
    assert_eq!(s.best(Side::Buy), Some(40));
    assert_eq!(s.gain(1), (-20, 99_000));
    s.trade(1, Side::Sell, 41, 5).assert_ok();
    assert_eq!(s.trade(1, Side::Sell, 40, 5).value::<Traded>().lots, 1);
    assert_eq!(s.trade(1, Side::Sell, 1, 5).value::<Traded>(), Traded::default());
}

#[test]
fn a_trader_sees_the_book_and_its_orders() {
    let mut s = setup(2);
    for (who, side, ticks, lots, id) in [
        (0, Side::Buy, 40, 2, 1),
        (1, Side::Buy, 40, 3, 1),
        (0, Side::Buy, 41, 4, 2),
        (0, Side::Buy, 2_000, 5, 3),
        (0, Side::Sell, 2_001, 6, 4),
        (1, Side::Sell, 30_000, 7, 5),
    ] {
        s.place(who, side, ticks, lots, id).assert_ok();
    }
    let depth = |s: &mut Setup, side, n_prices: u8| -> Vec<(u16, u32, u128)> {
        let seen = s.chain.send(s.people[0], &s.book, "depth", (side, n_prices));
        let seen: Vec<Depth> = seen.value();
        let row = |seen: Depth| (seen.price.ticks().unwrap(), seen.n_orders, seen.lots);
        seen.into_iter().map(row).collect()
    };
    assert_eq!(depth(&mut s, Side::Buy, 9), [(2_000, 1, 5), (41, 1, 4), (40, 2, 5)]);
    assert_eq!(depth(&mut s, Side::Buy, 2), [(2_000, 1, 5), (41, 1, 4)]);
    assert_eq!(depth(&mut s, Side::Sell, 255), [(2_001, 1, 6), (30_000, 1, 7)]);
    assert_eq!(depth(&mut s, Side::Sell, 0), []);
    let order = |s: &mut Setup, who: usize, side, ticks, id: u64| {
        let args = (s.people[who], side, at(ticks), id);
        s.chain.view::<Option<u64>>(&s.book, "order", args)
    };
    s.trade(1, Side::Sell, 2_000, 1).assert_ok();
    assert_eq!(order(&mut s, 0, Side::Buy, 2_000, 3), Some(4));
    assert_eq!(order(&mut s, 1, Side::Buy, 2_000, 3), None);
    s.trade(1, Side::Sell, 2_000, 4).assert_ok();
    assert_eq!(order(&mut s, 0, Side::Buy, 2_000, 3), None);
    // A book too sparse to be seen as a whole; and as many prices as are shown, and one more.
    for ticks in (4_096..30_000).step_by(1_024) {
        s.place(0, Side::Sell, ticks, 1, 1).assert_ok();
    }
    let seen = depth(&mut s, Side::Sell, 64);
    assert!((10..26).contains(&seen.len()) && seen.is_sorted(), "{seen:?}");
    for ticks in 3_000..=3_000 + u16::try_from(DEPTH_MAX).unwrap() {
        s.place(0, Side::Sell, ticks, 1, 1).assert_ok();
    }
    let seen = depth(&mut s, Side::Sell, 255);
    assert!(seen.len() == DEPTH_MAX && seen.is_sorted(), "{seen:?}");
}

#[test]
fn what_is_not_traded_can_rest() {
    let mut s = setup(2);
    s.place(0, Side::Sell, 100, 5, 1).assert_ok();
    let args = (Side::Buy, at(101), 8u64, Some(7u64));
    let receipt = s.chain.send(s.people[1], &s.book, "trade", args);
    assert_eq!(receipt.value::<Traded>(), Traded { lots: 5, quote: 1_500, resting: 3 });
    assert_eq!(s.best(Side::Buy), Some(101));
    // Five lots at 100 are paid and three at 101 are locked.
    assert_eq!(s.gain(1), (50, -1_500 - 909));
    let args = (Side::Buy, at(101), 7u64);
    let receipt = s.chain.send(s.people[1], &s.book, "cancel", args);
    let event = Canceled { owner: s.people[1], id: 7, side: Side::Buy, ticks: 101, lots: 3 };
    assert_eq!(receipt.assert_ok().events::<Canceled>(), [event]);
    assert_eq!((s.gain(1), s.best(Side::Buy)), ((50, -1_500), None));
}

#[test]
fn one_call_takes_so_many_prices() {
    let mut s = setup(2);
    let n = u16::try_from(TRADE_LEVELS_MAX).unwrap();
    for ticks in 100..=100 + n {
        s.place(0, Side::Sell, ticks, 1, 1).assert_ok();
    }
    let args = (Side::Buy, at(200), 50u64, Some(1u64));
    let traded = s.chain.send(s.people[1], &s.book, "trade", args).value::<Traded>();
    // There is more to take, so nothing rests: it would cross.
    assert_eq!((traded.lots, traded.resting), (u64::from(n), 0));
    let traded = s.chain.send(s.people[1], &s.book, "trade", args).value::<Traded>();
    assert_eq!((traded.lots, traded.resting), (1, 49));
}

/// When exactly as many prices were taken as one call takes, and no more fit, the remainder rests all the same.
#[test]
fn what_is_left_behind_the_last_price_rests() {
    let mut s = setup(2);
    let n = u16::try_from(TRADE_LEVELS_MAX).unwrap();
    for ticks in 100..100 + n {
        s.place(0, Side::Sell, ticks, 1, 1).assert_ok();
    }
    let args = (Side::Buy, at(200), u64::from(n) + 4, Some(1u64));
    let traded = s.chain.send(s.people[1], &s.book, "trade", args).value::<Traded>();
    assert_eq!((traded.lots, traded.resting), (u64::from(n), 4));
}

/// Whoever fills up the price at which a taker's remainder would rest does not undo the trade.
#[test]
fn a_full_price_does_not_undo_a_trade() {
    let mut s = setup(3);
    for id in 1..=LEVEL_ORDERS_MAX as u64 {
        s.place(0, Side::Buy, 100, 1, id).assert_ok();
    }
    s.place(1, Side::Buy, 99, 1, 7).assert_ok();
    s.place(0, Side::Sell, 99, 5, 1).assert_ok();
    let before = s.chain.snapshot();
    for (who, ticks) in [(2, 100), (1, 99)] {
        let args = (Side::Buy, at(ticks), 8u64, Some(7u64));
        let receipt = s.chain.send(s.people[who], &s.book, "trade", args);
        let traded = receipt.value::<Traded>();
        assert_eq!((traded.lots, traded.resting, receipt.events::<Placed>()), (5, 0, Vec::new()));
        s.chain = before.snapshot();
    }
}

#[test]
fn an_order_is_canceled_by_its_owner_once() {
    let mut s = setup(2);
    s.place(0, Side::Sell, 100, 5, 1).assert_ok();
    for (who, side, ticks, id) in [
        (1, Side::Sell, 100, 1u64),
        (0, Side::Buy, 100, 1),
        (0, Side::Sell, 101, 1),
        (0, Side::Sell, 100, 2),
    ] {
        s.chain
            .send(s.people[who], &s.book, "cancel", (side, at(ticks), id))
            .assert_revert(BookError::NoSuchOrder);
    }
    let args = (Side::Sell, at(100), 1u64);
    assert_eq!(s.chain.send(s.people[0], &s.book, "cancel", args).value::<u64>(), 5);
    s.chain.send(s.people[0], &s.book, "cancel", args).assert_revert(BookError::NoSuchOrder);
    assert_eq!((s.gain(0), s.best(Side::Sell)), ((0, 0), None));
}

#[test]
fn refusals() {
    let mut s = setup(2);
    let bad = Price { high: 0, mid: 32, low: 0 };
    let zero = Price { high: 0, mid: 0, low: 0 };
    for price in [bad, zero] {
        s.chain
            .send(s.people[0], &s.book, "place", (Side::Buy, price, 1u64, 1u64))
            .assert_revert(BookError::BadPrice);
        s.chain
            .send(s.people[0], &s.book, "cancel", (Side::Buy, price, 1u64))
            .assert_revert(BookError::BadPrice);
        s.chain
            .send(s.people[0], &s.book, "trade", (Side::Buy, price, 1u64, None::<u64>))
            .assert_revert(BookError::BadPrice);
    }
    s.place(0, Side::Buy, 5, 0, 1).assert_revert(BookError::TooSmall);
    s.trade(0, Side::Buy, 5, 0).assert_revert(BookError::ZeroAmount);
    for method in ["deposit", "withdraw"] {
        s.chain
            .send(s.people[0], &s.book, method, (0u128, 0u128))
            .assert_revert(BookError::ZeroAmount);
    }
    s.place(0, Side::Buy, 5, 1, 1).assert_ok();
    s.place(0, Side::Buy, 5, 1, 1).assert_revert(BookError::DuplicateId);
    for id in 2..=LEVEL_ORDERS_MAX as u64 {
        s.place(0, Side::Buy, 5, 1, id).assert_ok();
    }
    s.place(1, Side::Buy, 5, 1, 1).assert_revert(BookError::LevelFull);
    let tokens = [s.tokens[0].address(), s.tokens[1].address()];
    for (a, b, lot, tick, least) in
        [(0, 0, 1u128, 1u128, 1u64), (0, 1, 0, 1, 1), (0, 1, 1, 0, 1), (0, 1, 1, 1, 0)]
    {
        let args = (tokens[a], tokens[b], lot, tick, least);
        let refused = s.chain.try_deploy::<Orderbook>(s.people[0], args);
        refused.unwrap_err().assert_revert(BookError::BadMarket);
    }
    let args = (tokens[0], tokens[1], u128::MAX, u128::MAX, 1u64);
    s.book = s.chain.deploy::<Orderbook>(s.people[0], args);
    s.place(0, Side::Buy, 5, 1, 1).assert_revert(BookError::TooLarge);
    s.place(0, Side::Sell, 5, 1, 1).assert_revert(BookError::TooLarge);
}

#[test]
fn beyond_the_funds_the_host_stops_the_transaction() {
    let mut s = setup(2);
    let out = TrapKind::CounterOutOfBounds;
    s.place(0, Side::Sell, 5, 50_001, 1).assert_trap(out);
    s.place(0, Side::Buy, 1, 166_667, 1).assert_trap(out);
    s.place(0, Side::Sell, 5, 50_000, 1).assert_ok();
    s.chain.send(s.people[0], &s.book, "withdraw", (1u128, 0u128)).assert_trap(out);
    s.trade(1, Side::Buy, 5, 50_000).assert_trap(out);
    s.trade(1, Side::Buy, 5, 30_000).assert_ok();
    let receipt = s.chain.send(s.people[1], &s.book, "deposit", (5u128, 7u128));
    let deposited = Deposited { by: s.people[1], base: 5, quote: 7 };
    assert_eq!(receipt.assert_ok().events::<Deposited>(), [deposited]);
    let receipt = s.chain.send(s.people[1], &s.book, "withdraw", (800_005u128, 50_007u128));
    let withdrawn = Withdrawn { by: s.people[1], base: 800_005, quote: 50_007 };
    assert_eq!(receipt.assert_ok().events::<Withdrawn>(), [withdrawn]);
    assert_eq!(s.gain(1), (-500_000, -500_000));
    let has = s.chain.view::<u128>(&s.tokens[0], "balance", (s.people[1],));
    assert_eq!(has, 1_300_000);
}

#[test]
fn prices_are_three_digits() {
    for ticks in [1, 31, 32, 1_023, 1_024, 12_345, TICKS_MAX] {
        assert_eq!(Price::of(ticks).and_then(Price::ticks), Some(ticks));
    }
    assert_eq!((Price::of(0), Price::of(TICKS_MAX + 1)), (None, None));
}

#[test]
fn orders_at_different_prices_run_at_once() {
    let mut s = setup(4);
    let place = |s: &Setup, who: usize, ticks, id: u64| {
        s.book.tx(s.people[who], "place", (Side::Buy, at(ticks), 1u64, id))
    };
    let txs = [place(&s, 0, 10, 1), place(&s, 0, 11, 1), place(&s, 1, 12, 1), place(&s, 2, 10, 1)];
    s.chain.block(txs).assert_ok().assert_batches(&[&[0, 1, 2], &[3]]);
    // A trade waits for orders where it looks, and so do orders for it; others do not.
    let trade = s.book.tx(s.people[3], "trade", (Side::Sell, at(12), 1u64, None::<u64>));
    let txs = [trade, place(&s, 1, 9, 2), place(&s, 2, 2_000, 1)];
    let report = s.chain.block(txs);
    report.assert_ok().assert_batches(&[&[0], &[1, 2]]);
    let other = s.book.tx(s.people[2], "place", (Side::Sell, at(12), 1u64, 1u64));
    let trade = s.book.tx(s.people[3], "trade", (Side::Sell, at(11), 1u64, None::<u64>));
    s.chain.block([trade, other]).assert_ok().assert_batches(&[&[0, 1]]);
}

#[test]
fn makers_fill_a_block_in_as_many_batches_as_orders_at_one_price() {
    // The measure of a busy market: 300 orders at 60 prices by 100 traders, and ten trades.
    let mut s = setup(110);
    let mut txs = Vec::new();
    for i in 0..300u16 {
        let (side, ticks) =
            if i % 2 == 0 { (Side::Buy, 1_000 - i % 60) } else { (Side::Sell, 1_001 + i % 60) };
        let args = (side, at(ticks), 1u64, u64::from(i));
        txs.push(s.book.tx(s.people[usize::from(i % 100)], "place", args));
    }
    let makers = s.chain.block(txs);
    // Five orders at each price.
    assert_eq!(makers.assert_ok().batches.len(), 5);
    let widest = makers.batches.iter().map(Vec::len).max();
    assert_eq!(widest, Some(60));
    let trades = (100..110)
        .map(|who| s.book.tx(s.people[who], "trade", (Side::Buy, at(1_100), 1u64, None::<u64>)));
    let trades: Vec<_> = trades.collect();
    assert_eq!(s.chain.block(trades).assert_ok().batches.len(), 10);
}

/// Who shuts a price locks as much as the market asks for, and whoever trades with that opens it again.
#[test]
fn a_price_is_shut_by_no_less_than_the_market_asks() {
    let mut s = setup_of(3, 50);
    let [base_token, quote_token] = s.tokens.map(|token| token.address());
    let market = Market { base_token, quote_token, lot: LOT, tick: TICK, order_min_lots: 50 };
    assert_eq!(s.chain.view::<Market>(&s.book, "market", ()), market);
    s.place(0, Side::Buy, 5, 49, 1).assert_revert(BookError::TooSmall);
    for id in 1..=LEVEL_ORDERS_MAX as u64 {
        s.place(0, Side::Buy, 5, 50, id).assert_ok();
    }
    assert_eq!(s.gain(0), (0, -(32 * 50 * 5 * 3)));
    s.place(1, Side::Buy, 5, 50, 1).assert_revert(BookError::LevelFull);
    s.place(1, Side::Buy, 6, 50, 1).assert_ok();
    // What is left of an order stays, however little; only the oldest can be so.
    assert_eq!(s.trade(2, Side::Sell, 5, 50 + 99).value::<Traded>().lots, 149);
    s.place(1, Side::Buy, 5, 50, 1).assert_ok();
    let level: Level = s.chain.view(&s.book, "level", (Side::Buy, at(5)));
    let lots: Vec<u64> = level.orders.iter().map(|order| order.lots).collect();
    assert_eq!((lots[0], lots[1..].iter().min(), lots.len()), (1, Some(&50), 32));
    // What a trade leaves over rests only if an order could be as small.
    for (lots, resting) in [(149u64, 0), (150, 50)] {
        let before = s.chain.snapshot();
        s.chain.send(s.people[1], &s.book, "cancel", (Side::Buy, at(5), 1u64)).assert_ok();
        s.place(0, Side::Sell, 7, 100, 1).assert_ok();
        let args = (Side::Buy, at(7), lots, Some(9u64));
        let traded = s.chain.send(s.people[1], &s.book, "trade", args).value::<Traded>();
        assert_eq!((traded.lots, traded.resting), (100, resting));
        s.chain = before;
    }
}
