//! The market's rules, run natively.

extern crate std;

use kempe_math::ONE;
use kempe_oracle::{Oracle, Report, message};
use kempe_sdk::abi::{Encode, TrapKind};
use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, Receipt, TestChain, Tx};
use kempe_token::{Token, TokenError};

use crate::{
    Funded, Funding, Futures, FuturesError, INDEX_START, LOCKED_SHARES, Liquidated, MarginMoved,
    PRICE_MAX, Position, PositionClosed, PositionOpened, SIZE_MAX, Side, Sums, Terms, VaultMoved,
    YEAR_MS,
};

const ASSET: Address = Address([5; 32]);

const TERMS: Terms = Terms {
    initial_bp: 1_000,
    maintenance_bp: 500,
    liquidation_bp: 100,
    fee_bp: 10,
    open_bp: 10_000,
    funding_rate: ONE,
    price_ms_max: 3_600_000,
};

struct Setup {
    chain: TestChain,
    token: Instance<Token>,
    oracle: Instance<Oracle>,
    market: Instance<Futures>,
    keeper: Address,
    provider: Address,
    ann: Address,
    ben: Address,
}

/// A million in the vault, and a price of two.
fn setup() -> Setup {
    let mut chain = TestChain::native();
    let [keeper, provider, ann, ben] =
        ["keeper", "provider", "ann", "ben"].map(|name| chain.account(name));
    let token = chain.deploy::<Token>(keeper, (keeper,));
    let oracle = chain.deploy::<Oracle>(keeper, (keeper, vec![keeper], 1u8, 1u64));
    let args = (token.address(), oracle.address(), ASSET, TERMS);
    let market = chain.deploy::<Futures>(keeper, args);
    for (who, amount) in [(provider, 2_000_000u128), (ann, 100_000), (ben, 100_000)] {
        chain.send(keeper, &token, "mint", (who, amount)).assert_ok();
        chain.send(who, &token, "approve", (market.address(), u128::MAX)).assert_ok();
    }
    let mut s = Setup { chain, token, oracle, market, keeper, provider, ann, ben };
    s.set_price(2 * ONE);
    s.send(provider, "provide", (1_000_000u128,)).assert_ok();
    s.send(keeper, "poke", ()).assert_ok();
    s
}

impl Setup {
    fn set_price(&mut self, value: u128) {
        let publication = self.publication(value);
        self.chain.block([publication]).assert_ok();
    }

    fn publication(&self, value: u128) -> Tx {
        let time_ms = self.chain.time_ms();
        let message = message(1, self.oracle.address(), ASSET, value, time_ms);
        let signature = self.chain.sign(self.keeper, &message.0);
        let reports = vec![Report { reporter: self.keeper, value, signature }];
        self.oracle.tx(self.keeper, "publish", (ASSET, time_ms, reports))
    }

    fn send(&mut self, by: Address, method: &str, args: impl Encode) -> Receipt {
        self.chain.send(by, &self.market, method, args)
    }

    fn long(&mut self, by: Address, size: u128, margin: u128) -> Receipt {
        self.send(by, "open", (true, size, margin, u128::MAX))
    }

    fn short(&mut self, by: Address, size: u128, margin: u128) -> Receipt {
        self.send(by, "open", (false, size, margin, 0u128))
    }

    fn position(&mut self, of: Address) -> Position {
        self.chain.view(&self.market, "position", (of,))
    }

    fn sums(&mut self) -> Sums {
        self.chain.view(&self.market, "totals", ())
    }

    fn has(&mut self, of: Address) -> u128 {
        self.chain.view(&self.token, "balance", (of,))
    }
}

#[test]
fn a_long_gains_when_the_price_rises() {
    let mut s = setup();
    let receipt = s.long(s.ann, 10_000, 3_000);
    let opened = PositionOpened { by: s.ann, long: true, size: 10_000, price: 2 * ONE, fee: 20 };
    assert_eq!(receipt.assert_ok().events::<PositionOpened>(), [opened]);
    let position =
        Position { long: true, size: 10_000, cost: 20_000, margin: 2_980, index: INDEX_START };
    assert_eq!(s.position(s.ann), position);
    s.set_price(ONE / 2 * 5);
    let receipt = s.send(s.ann, "close", (true, u128::MAX, 0u128));
    // 5,000 of profit, less a fee of 25.
    let closed =
        PositionClosed { by: s.ann, size: 10_000, price: ONE / 2 * 5, paid: 2_980 + 5_000 - 25 };
    assert_eq!(receipt.assert_ok().events::<PositionClosed>(), [closed]);
    assert_eq!(s.has(s.ann), 100_000 - 3_000 + 7_955);
    let sums = s.sums();
    assert_eq!((sums.vault, sums.longs), (1_000_000 + 20 - 5_000 + 25, Side::default()));
    assert_eq!(s.position(s.ann), Position::default());
    assert_eq!(s.has(s.market.address()), sums.vault);
}

#[test]
fn a_short_gains_when_it_falls_and_can_be_closed_in_parts() {
    let mut s = setup();
    s.short(s.ann, 10_000, 3_000).assert_ok();
    s.set_price(ONE / 2 * 3);
    assert_eq!(s.send(s.ann, "close", (false, 4_000u128, u128::MAX)).value::<u128>(), 0);
    // 2,000 of profit, less a fee of 6, stay in the margin.
    let position = s.position(s.ann);
    assert_eq!((position.size, position.cost, position.margin), (6_000, 12_000, 4_974));
    s.send(s.ann, "close", (true, 1u128, 0u128)).assert_revert(FuturesError::NoPosition);
    let paid: u128 = s.send(s.ann, "close", (false, 6_000u128, u128::MAX)).value();
    assert_eq!(paid, 4_974 + 3_000 - 9);
}

#[test]
fn positions_grow_on_their_side_only() {
    let mut s = setup();
    s.long(s.ann, 1_000, 500).assert_ok();
    s.set_price(3 * ONE);
    s.long(s.ann, 1_000, 500).assert_ok();
    let position = s.position(s.ann);
    assert_eq!((position.size, position.cost, position.margin), (2_000, 5_000, 1_000 - 2 - 3));
    s.short(s.ann, 1, 100).assert_revert(FuturesError::WrongSide);
    // The profit of a thousand counts for the margin.
    s.long(s.ann, 4_000, 0).assert_ok();
    s.long(s.ann, 10_000, 0).assert_revert(FuturesError::Unhealthy);
}

#[test]
fn margin_is_needed_and_can_be_moved() {
    let mut s = setup();
    s.long(s.ann, 10_000, 2_019).assert_revert(FuturesError::Unhealthy);
    s.long(s.ann, 10_000, 10).assert_revert(FuturesError::Unhealthy);
    s.long(s.ann, 10_000, 2_020).assert_ok();
    s.send(s.ann, "remove_margin", (true, 1u128)).assert_revert(FuturesError::Unhealthy);
    s.send(s.ann, "remove_margin", (false, 1u128)).assert_revert(FuturesError::NoPosition);
    let receipt = s.send(s.ann, "add_margin", (500u128,));
    let moved = MarginMoved { by: s.ann, amount: 500, added: true };
    assert_eq!(receipt.assert_ok().events::<MarginMoved>(), [moved]);
    s.send(s.ann, "remove_margin", (true, 501u128)).assert_revert(FuturesError::Unhealthy);
    s.send(s.ann, "remove_margin", (true, 9_999u128)).assert_revert(FuturesError::Unhealthy);
    s.send(s.ann, "remove_margin", (true, 500u128)).assert_ok();
    s.send(s.ben, "add_margin", (5u128,)).assert_revert(FuturesError::NoPosition);
    // What is left of a position must stand by itself.
    s.set_price(ONE / 100 * 182);
    s.send(s.ann, "close", (true, 100u128, 0u128)).assert_revert(FuturesError::Unhealthy);
    s.send(s.ann, "close", (true, 10_000u128, 0u128)).assert_ok();
}

#[test]
fn a_position_without_enough_margin_is_liquidated() {
    let mut s = setup();
    s.short(s.ann, 10_000, 3_000).assert_ok();
    s.send(s.ben, "liquidate", (s.ann, false)).assert_revert(FuturesError::Healthy);
    s.send(s.ben, "liquidate", (s.ben, false)).assert_revert(FuturesError::Healthy);
    s.set_price(ONE / 10 * 22);
    s.send(s.ben, "liquidate", (s.ann, true)).assert_revert(FuturesError::NoPosition);
    let receipt = s.send(s.ben, "liquidate", (s.ann, false));
    let event = Liquidated {
        trader: s.ann,
        by: s.ben,
        size: 10_000,
        price: ONE / 10 * 22,
        reward: 220,
        left: 2_980 - 2_000 - 22 - 220,
        bad_debt: 0,
    };
    assert_eq!(receipt.assert_ok().events::<Liquidated>(), [event]);
    assert_eq!((s.has(s.ann), s.has(s.ben)), (97_738, 100_220));
    assert_eq!(s.has(s.market.address()), s.sums().vault);
}

#[test]
fn the_vault_bears_what_a_margin_does_not_cover() {
    let mut s = setup();
    s.long(s.ann, 10_000, 3_000).assert_ok();
    s.set_price(ONE);
    let receipt = s.send(s.ben, "liquidate", (s.ann, true));
    let [event] = &receipt.assert_ok().events::<Liquidated>()[..] else { panic!("one event") };
    assert_eq!((event.reward, event.left, event.bad_debt), (0, 0, 10_000 - 2_980));
    assert_eq!(s.sums().vault, 1_003_000);
    assert_eq!(s.has(s.market.address()), 1_003_000);
}

#[test]
fn the_larger_side_pays_funding() {
    let mut s = setup();
    s.long(s.ann, 40_000, 30_000).assert_ok();
    s.short(s.ben, 20_000, 30_000).assert_ok();
    let receipt = s.send(s.keeper, "poke", ());
    // A third of all positions is skew: a third of two in a year.
    let funded = Funded { index: INDEX_START, slope: 2 * ONE / 3, longs_pay: true };
    assert_eq!(receipt.assert_ok().events::<Funded>(), [funded]);
    s.chain.advance_ms(u64::try_from(YEAR_MS).unwrap() / 10 - 2_000);
    s.set_price(2 * ONE);
    let before = (s.position(s.ann).margin, s.position(s.ben).margin);
    for (who, long) in [(s.ann, true), (s.ben, false)] {
        s.send(who, "add_margin", (1u128,)).assert_ok();
        s.send(who, "remove_margin", (long, 1u128)).assert_ok();
    }
    let after = (s.position(s.ann).margin, s.position(s.ben).margin);
    let (paid, received) = (before.0 - after.0, after.1 - before.1);
    // A tenth of a year: 40,000 * 2 / 3 / 10, and half of that.
    assert!((2_666..=2_668).contains(&paid), "{paid}");
    assert!((1_332..=1_334).contains(&received), "{received}");
    assert_eq!(s.sums().vault, 1_000_000 + 80 + 40 + paid - received);
}

#[test]
fn shares_are_a_part_of_what_the_vault_is_worth() {
    let mut s = setup();
    assert_eq!(s.chain.view::<u128>(&s.market, "shares", (s.provider,)), 999_000);
    s.long(s.ann, 50_000, 20_000).assert_ok();
    s.set_price(3 * ONE);
    // The vault has 1,000,100 and owes a profit of 50,000.
    let receipt = s.send(s.ben, "provide", (9_501u128,));
    let [event] = &receipt.assert_ok().events::<VaultMoved>()[..] else { panic!("one event") };
    assert_eq!((event.shares, event.added), (9_999, true));
    s.send(s.ann, "close", (true, u128::MAX, 0u128)).assert_ok();
    let out: u128 = s.send(s.ben, "take_out", (9_999u128,)).value();
    // And the fee of 150 was earned since.
    assert!((9_500..=9_502).contains(&out), "{out}");
    s.send(s.ben, "take_out", (1u128,)).assert_revert(FuturesError::InsufficientShares);
    s.send(s.ben, "take_out", (0u128,)).assert_revert(FuturesError::ZeroAmount);
    s.send(s.ben, "provide", (0u128,)).assert_revert(FuturesError::InsufficientShares);
    s.send(s.ben, "provide", (99_000_000u128,)).assert_revert(TokenError::InsufficientBalance);
    assert_eq!(s.has(s.market.address()), s.sums().vault);
}

/// A long has won more than the vault has. Nobody can buy shares of that, but who gives without any lets it pay.
#[test]
fn a_vault_that_owes_more_than_it_has_is_refilled() {
    let mut s = setup();
    s.chain.send(s.keeper, &s.token, "mint", (s.ben, 5_000_000u128)).assert_ok();
    s.long(s.ann, 450_000, 95_000).assert_ok();
    s.set_price(5 * ONE);
    let close = (true, u128::MAX, 0u128);
    s.send(s.ann, "close", close).assert_revert(TokenError::InsufficientBalance);
    s.send(s.ben, "provide", (5_000_000u128,)).assert_revert(FuturesError::InsufficientShares);
    s.send(s.ben, "refill", (0u128,)).assert_revert(FuturesError::ZeroAmount);
    s.send(s.ben, "refill", (1u128 << 127,)).assert_revert(FuturesError::TooLarge);
    let receipt = s.send(s.ben, "refill", (600_000u128,));
    let moved = VaultMoved { by: s.ben, amount: 600_000, shares: 0, added: true };
    assert_eq!(receipt.assert_ok().events::<VaultMoved>(), [moved]);
    // 1,350,000 of profit, less fees of 900 and 2,250.
    let paid: u128 = s.send(s.ann, "close", close).value();
    assert_eq!(paid, 95_000 - 900 + 1_350_000 - 2_250);
    let sums = s.sums();
    assert_eq!((sums.vault, sums.shares), (1_600_000 - 1_350_000 + 3_150, 1_000_000));
    assert_eq!(s.has(s.market.address()), sums.vault);
    s.send(s.ben, "provide", (253_150u128,)).assert_ok();
    assert_eq!(s.sums().shares, 2_000_000);
}

#[test]
fn the_vault_limits_positions() {
    let mut s = setup();
    // Each side may be worth as much as the vault, as of the last poke.
    s.send(s.ann, "open", (true, 600_000u128, 100_000u128, u128::MAX))
        .assert_revert(FuturesError::Unhealthy);
    s.long(s.ann, 450_000, 95_000).assert_ok();
    s.send(s.keeper, "poke", ()).assert_ok();
    s.long(s.ben, 100_000, 30_000).assert_ok();
    s.send(s.keeper, "poke", ()).assert_ok();
    s.long(s.ben, 1, 1).assert_revert(FuturesError::VaultFull);
    s.short(s.keeper, 1, 0).assert_revert(FuturesError::Unhealthy);
    s.send(s.provider, "take_out", (1_000u128,)).assert_revert(FuturesError::VaultFull);
    // A profit beyond the vault waits until it has grown.
    s.set_price(ONE / 10_000 * 42_444);
    let close = (true, u128::MAX, 0u128);
    s.send(s.ann, "close", close).assert_trap(TrapKind::CounterOutOfBounds);
    s.set_price(20 * ONE);
    s.send(s.ann, "close", close).assert_revert(TokenError::InsufficientBalance);
    s.send(s.provider, "take_out", (1_000u128,)).assert_revert(FuturesError::ZeroAmount);
}

#[test]
fn refusals() {
    let mut s = setup();
    s.send(s.ann, "add_margin", (0u128,)).assert_revert(FuturesError::ZeroAmount);
    s.long(s.ann, 0, 5).assert_revert(FuturesError::ZeroAmount);
    s.send(s.ann, "close", (true, 0u128, 0u128)).assert_revert(FuturesError::ZeroAmount);
    s.send(s.ann, "remove_margin", (true, 0u128)).assert_revert(FuturesError::ZeroAmount);
    s.long(s.ann, SIZE_MAX + 1, 5).assert_revert(FuturesError::TooLarge);
    s.send(s.ann, "open", (true, 1u128, 50u128, 2 * ONE - 1)).assert_revert(FuturesError::Slippage);
    s.send(s.ann, "open", (false, 1u128, 50u128, 2 * ONE + 1))
        .assert_revert(FuturesError::Slippage);
    s.long(s.ann, 1_000, 500).assert_ok();
    s.send(s.ann, "close", (true, 1u128, 2 * ONE + 1)).assert_revert(FuturesError::Slippage);
    s.send(s.ben, "close", (true, 1u128, 0u128)).assert_revert(FuturesError::NoPosition);
    s.set_price(PRICE_MAX + 1);
    s.long(s.ann, 1, 5).assert_revert(FuturesError::NoPrice);
    s.set_price(2 * ONE);
    s.chain.advance_ms(TERMS.price_ms_max + 1);
    s.long(s.ann, 1, 5).assert_revert(FuturesError::NoPrice);
    s.send(s.keeper, "poke", ()).assert_revert(FuturesError::NoPrice);
    for bad in [
        Terms { liquidation_bp: 0, ..TERMS },
        Terms { fee_bp: 401, ..TERMS },
        Terms { maintenance_bp: 1_000, ..TERMS },
        Terms { initial_bp: 10_001, ..TERMS },
        Terms { open_bp: 0, ..TERMS },
        Terms { open_bp: 10_001, ..TERMS },
        Terms { funding_rate: 10 * ONE + 1, ..TERMS },
    ] {
        let args = (s.token.address(), s.oracle.address(), ASSET, bad);
        let refused = s.chain.try_deploy::<Futures>(s.keeper, args);
        refused.unwrap_err().assert_revert(FuturesError::BadTerms);
    }
    // An empty vault takes no positions, and its first provider leaves some shares.
    let args = (s.token.address(), s.oracle.address(), ASSET, TERMS);
    s.market = s.chain.deploy::<Futures>(s.keeper, args);
    s.set_price(2 * ONE);
    s.long(s.ann, 1, 5).assert_revert(FuturesError::VaultFull);
    s.send(s.ann, "provide", (LOCKED_SHARES,)).assert_revert(FuturesError::InsufficientShares);
    s.send(s.ann, "provide", (u128::MAX,)).assert_revert(FuturesError::TooLarge);
}

#[test]
fn indices_stay_in_their_range() {
    let funding = Funding {
        time_ms: 0,
        index: INDEX_START,
        slope: INDEX_START,
        longs_pay: true,
        longs_open: true,
        shorts_open: true,
    };
    let year_ms = u64::try_from(YEAR_MS).unwrap();
    assert_eq!(funding.index_at(year_ms), Err(FuturesError::TooLarge));
    assert_eq!(funding.index_at(year_ms / 2), Ok(INDEX_START / 2 * 3));
    let falls = Funding { longs_pay: false, ..funding };
    assert_eq!((falls.index_at(year_ms), falls.index_at(0)), (Ok(0), Ok(INDEX_START)));
    assert_eq!(falls.index_at(year_ms + 1), Err(FuturesError::TooLarge));
}

#[test]
fn traders_do_not_wait_for_each_other() {
    let mut s = setup();
    for who in [s.ann, s.ben] {
        s.long(who, 1_000, 500).assert_ok();
    }
    // Closing in part moves no tokens, so that only the market itself could be in the way.
    let close = (true, 10u128, 0u128);
    let report = s.chain.block([
        s.market.tx(s.ann, "position", (s.ann,)),
        s.market.tx(s.ben, "position", (s.ben,)),
        s.market.tx(s.provider, "current_funding", ()),
        s.market.tx(s.keeper, "poke", ()),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1, 2], &[3]]);
    let report = s
        .chain
        .block([s.market.tx(s.ann, "close", close), s.market.tx(s.ben, "add_margin", (10u128,))]);
    // Both name the market's balance in the token, which is the only thing that they share.
    report.assert_ok().assert_batches(&[&[0], &[1]]);
}

/// A price holds from the block after its publication on, so nobody waits for one.
#[test]
fn publications_and_traders_run_at_once() {
    let mut s = setup();
    let open = |s: &Setup, by| s.market.tx(by, "open", (true, 1_000u128, 500u128, u128::MAX));
    let report = s.chain.block([s.publication(3 * ONE), open(&s, s.ann)]);
    report.assert_ok().assert_batches(&[&[0, 1]]);
    assert_eq!(report.receipts[1].events::<PositionOpened>()[0].price, 2 * ONE);
    let opened = s.long(s.ben, 1_000, 500).assert_ok().events::<PositionOpened>();
    assert_eq!(opened[0].price, 3 * ONE);
}
