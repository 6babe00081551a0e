//! The market's rules, run natively.

extern crate std;

use kempe_math::{ONE, mul_div_up};
use kempe_oracle::{Oracle, RECENT_MAX, ROUND_MS, Report, message};
use kempe_sdk::abi::{Encode, TrapKind};
use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, Receipt, TestChain, Tx};
use kempe_token::{Token, TokenError};

use crate::{
    Collected, Funded, Funding, Futures, FuturesError, INDEX_START, LOCKED_SHARES, Liquidated,
    MarginMoved, ORDER_MS_MAX, ORDER_MS_MIN, Order, OrderCanceled, OrderPlaced, OrderRefused,
    PRICE_MAX, PRICE_MIN, PROVIDED_MS_MIN, Position, PositionClosed, PositionOpened, SAMPLE_MS_MAX,
    SIDE_MAX, SIZE_MAX, Side, Sums, TILT_MS, Terms, VaultMoved, YEAR_MS,
};

const ASSET: Address = Address([5; 32]);

const TERMS: Terms = Terms {
    initial_bp: 1_000,
    maintenance_bp: 500,
    liquidation_bp: 100,
    fee_bp: 10,
    open_bp: 10_000,
    funding_rate: ONE,
    reward: 0,
    value_min: 20,
    wait_ms_max: 2 * ORDER_MS_MIN,
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
    /// The last price.
    price: u128,
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
    let mut s = Setup { chain, token, oracle, market, keeper, provider, ann, ben, price: 0 };
    s.set_price(2 * ONE);
    s.send(provider, "provide", (1_000_000u128, 0u128)).assert_ok();
    s.send(keeper, "poke", ()).assert_ok();
    s
}

impl Setup {
    fn set_price(&mut self, value: u128) {
        // Each price is of a round of its own.
        self.chain.advance_ms(ROUND_MS);
        let publication = self.publication(value);
        self.chain.block([publication]).assert_ok();
        self.price = value;
    }

    fn publication(&self, value: u128) -> Tx {
        self.publication_of(value, self.chain.time_ms() / ROUND_MS * ROUND_MS)
    }

    /// Of a round.
    fn publication_of(&self, value: u128, time_ms: u64) -> Tx {
        let message = message(1, self.oracle.address(), ASSET, value, time_ms);
        let signature = self.chain.sign(self.keeper, &message.0);
        let reports = vec![Report { reporter: self.keeper, value, signature }];
        self.oracle.tx(self.keeper, "publish", (ASSET, time_ms, reports))
    }

    fn send(&mut self, by: Address, method: &str, args: impl Encode) -> Receipt {
        self.chain.send(by, &self.market, method, args)
    }

    /// Requests a change of a position, to expire as early as possible.
    fn request(
        &mut self,
        by: Address,
        long: bool,
        grow: bool,
        size: u128,
        margin: u128,
    ) -> Receipt {
        let limit = if long == grow { u128::MAX } else { 0 };
        let expires_ms = self.chain.time_ms() + ORDER_MS_MIN;
        self.send(by, "request", (long, grow, size, margin, limit, expires_ms))
    }

    /// Pokes every ten minutes until funding is as the sides are.
    fn follow(&mut self) {
        for _ in 0..TILT_MS / SAMPLE_MS_MAX + 2 {
            self.set_price(self.price);
            self.send(self.keeper, "poke", ()).assert_ok();
            let Funding { tilt, found, .. } = self.funding();
            if tilt == found {
                return;
            }
            self.chain.advance_ms(SAMPLE_MS_MAX);
        }
        panic!("{:?}", self.funding());
    }

    fn funding(&mut self) -> Funding {
        self.chain.view::<Option<Funding>>(&self.market, "current_funding", ()).unwrap()
    }

    fn order(&mut self, of: Address) -> Option<Order> {
        self.chain.view(&self.market, "order", (of,))
    }

    fn settle(&mut self, trader: Address, long: bool) -> Receipt {
        match self.order(trader) {
            Some(Order { grow: true, size, .. }) => {
                self.send(self.keeper, "settle_growing", (trader, long, size))
            }
            _ => self.send(self.keeper, "settle_shrinking", (trader, long)),
        }
    }

    /// Another market, with a reward of seven.
    fn with_reward(self) -> Self {
        self.with_terms(Terms { reward: 7, ..TERMS })
    }

    /// Another market.
    fn with_terms(mut self, terms: Terms) -> Self {
        let args = (self.token.address(), self.oracle.address(), ASSET, terms);
        self.market = self.chain.deploy::<Futures>(self.keeper, args);
        for who in [self.provider, self.ann, self.ben] {
            let all = (self.market.address(), u128::MAX);
            self.chain.send(who, &self.token, "approve", all).assert_ok();
        }
        self.send(self.provider, "provide", (900_000u128, 0u128)).assert_ok();
        self.send(self.keeper, "poke", ()).assert_ok();
        self
    }

    /// Changes a position, at the last price, which is published again.
    fn trade(&mut self, by: Address, long: bool, grow: bool, size: u128, margin: u128) -> Receipt {
        let receipt = self.request(by, long, grow, size, margin);
        if !receipt.is_ok() {
            return receipt;
        }
        self.set_price(self.price);
        let receipt = self.settle(by, long);
        if self.owed(by) > 0 {
            self.send(by, "collect", ()).assert_ok();
        }
        receipt
    }

    fn long(&mut self, by: Address, size: u128, margin: u128) -> Receipt {
        self.trade(by, true, true, size, margin)
    }

    fn short(&mut self, by: Address, size: u128, margin: u128) -> Receipt {
        self.trade(by, false, true, size, margin)
    }

    fn close(&mut self, by: Address, long: bool, size: u128) -> Receipt {
        self.trade(by, long, false, size, 0)
    }

    /// What a position paid that was closed.
    fn paid(receipt: &Receipt) -> u128 {
        receipt.assert_ok().events::<PositionClosed>()[0].paid
    }

    fn owed(&mut self, of: Address) -> u128 {
        self.chain.view(&self.market, "owed", (of,))
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

/// That a request was refused for good, and why.
#[track_caller]
fn assert_refused(receipt: &Receipt, why: FuturesError) {
    let events = receipt.assert_ok().events::<OrderRefused>();
    let reasons: Vec<u32> = events.iter().map(|event| event.reason).collect();
    assert_eq!(reasons, [why.code()]);
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
    let receipt = s.close(s.ann, true, u128::MAX);
    // 5,000 of profit, less a fee of 25.
    let (price, paid) = (ONE / 2 * 5, 2_980 + 5_000 - 25);
    let closed = PositionClosed { by: s.ann, size: 10_000, price, paid, bad_debt: 0 };
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
    assert_eq!(Setup::paid(&s.close(s.ann, false, 4_000)), 0);
    // 2,000 of profit, less a fee of 6, stay in the margin.
    let position = s.position(s.ann);
    assert_eq!((position.size, position.cost, position.margin), (6_000, 12_000, 4_974));
    assert_refused(&s.close(s.ann, true, 1), FuturesError::NoPosition);
    assert_eq!(Setup::paid(&s.close(s.ann, false, 6_000)), 4_974 + 3_000 - 9);
}

#[test]
fn positions_grow_on_their_side_only() {
    let mut s = setup();
    s.long(s.ann, 1_000, 500).assert_ok();
    s.set_price(3 * ONE);
    s.send(s.keeper, "poke", ()).assert_ok();
    s.long(s.ann, 1_000, 500).assert_ok();
    let position = s.position(s.ann);
    // Less two fees.
    assert_eq!((position.size, position.cost, position.margin), (2_000, 5_000, 1_000 - 5));
    s.short(s.ann, 1, 100).assert_revert(FuturesError::WrongSide);
    // The profit of a thousand counts for the margin.
    assert_eq!(s.long(s.ann, 4_000, 12).events::<PositionOpened>().len(), 1);
    assert_refused(&s.long(s.ann, 10_000, 30), FuturesError::Unhealthy);
}

#[test]
fn margin_is_needed_and_can_be_moved() {
    let mut s = setup();
    assert_refused(&s.long(s.ann, 10_000, 2_019), FuturesError::Unhealthy);
    assert_refused(&s.long(s.ann, 10_000, 10), FuturesError::Unhealthy);
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
    assert_refused(&s.close(s.ann, true, 100), FuturesError::Unhealthy);
    s.close(s.ann, true, 10_000).assert_ok();
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
    // Both are owed: a token that refuses the trader does not stop a liquidation.
    assert_eq!((s.has(s.ann), s.owed(s.ann), s.owed(s.ben)), (97_000, 738, 220));
    assert_eq!(s.has(s.market.address()), s.sums().vault + 738 + 220);
    for (who, amount) in [(s.ann, 738), (s.ben, 220)] {
        let receipt = s.send(who, "collect", ());
        assert_eq!(receipt.assert_ok().events::<Collected>(), [Collected { by: who, amount }]);
        s.send(who, "collect", ()).assert_revert(FuturesError::ZeroAmount);
    }
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

/// Whose margin is gone pays nothing, so who ends such a position is paid by the vault.
#[test]
fn a_liquidation_is_paid_for_where_the_margin_is_gone() {
    let mut s = setup().with_reward();
    s.long(s.ann, 10_000, 3_000).assert_ok();
    s.set_price(ONE);
    let before = s.sums().vault;
    let receipt = s.send(s.ben, "liquidate", (s.ann, true));
    let [event] = &receipt.assert_ok().events::<Liquidated>()[..] else { panic!("one event") };
    assert_eq!((event.reward, event.left, event.bad_debt), (7, 0, 10_000 - 2_980));
    assert_eq!((s.owed(s.ben), s.sums().vault), (7, before + 2_980 - 7));
}

/// Of what is worth little a part pays for no liquidation: it needs twice what that costs.
#[test]
fn a_small_position_pays_for_its_liquidation() {
    let mut s = setup().with_reward();
    // Worth 20, and needs as much as 280.
    assert_refused(&s.long(s.ann, 10, 28), FuturesError::Unhealthy);
    s.long(s.ann, 10, 29).assert_ok();
    s.send(s.ann, "remove_margin", (true, 1u128)).assert_revert(FuturesError::Unhealthy);
    s.set_price(ONE / 2);
    let before = s.sums().vault;
    // 28 less 15, and a fee of one.
    let receipt = s.send(s.ben, "liquidate", (s.ann, true));
    let [event] = &receipt.assert_ok().events::<Liquidated>()[..] else { panic!("one event") };
    assert_eq!((event.reward, event.left, event.bad_debt), (7, 13 - 1 - 7, 0));
    assert_eq!(s.sums().vault, before + 15 + 1);
}

/// A long of which the margin was taken out when the price had risen, against a short half as large. It pays 40,000 of
/// funding in half a year, and has a profit of 80,000.
fn long_without_margin() -> Setup {
    let mut s = setup();
    s.long(s.ann, 200_000, 45_000).assert_ok();
    s.short(s.ben, 100_000, 90_000).assert_ok();
    s.follow();
    s.set_price(ONE / 10 * 24);
    let all = s.position(s.ann).margin - 100;
    s.send(s.ann, "remove_margin", (true, all)).assert_ok();
    assert!(s.position(s.ann).margin <= 100);
    s
}

#[test]
fn funding_beyond_the_margin_is_owed_out_of_profit() {
    let mut s = long_without_margin();
    s.chain.advance_ms(u64::try_from(YEAR_MS / 2).unwrap());
    s.set_price(s.price);
    s.send(s.ben, "liquidate", (s.ann, true)).assert_revert(FuturesError::Healthy);
    // Neither goes on as if it were paid.
    assert_refused(&s.close(s.ann, true, 100), FuturesError::Unhealthy);
    s.send(s.ann, "remove_margin", (true, 1u128)).assert_revert(FuturesError::Unhealthy);
    let before = s.sums().vault;
    let receipt = s.close(s.ann, true, u128::MAX);
    let [event] = &receipt.assert_ok().events::<PositionClosed>()[..] else { panic!("one event") };
    // With the fee of 480.
    assert!((39_400..39_700).contains(&event.paid) && event.bad_debt == 0, "{event:?}");
    let vault = s.sums().vault;
    assert!(before - vault >= event.paid - 100 && before - vault <= event.paid, "{before} {vault}");
}

#[test]
fn what_cannot_pay_its_funding_is_liquidated() {
    // Of a profit of 80,000, with a maintenance margin of 24,000.
    for (tenths, funding) in [(8, 64_000u128), (11, 88_000)] {
        let mut s = long_without_margin();
        s.chain.advance_ms(u64::try_from(YEAR_MS / 10).unwrap() * tenths);
        s.set_price(s.price);
        let receipt = s.send(s.keeper, "liquidate", (s.ann, true));
        let [event] = &receipt.assert_ok().events::<Liquidated>()[..] else { panic!("one event") };
        let (left, bad_debt) = if funding < 80_000 {
            (80_000 - funding - 480 - 4_800, 0)
        } else {
            (0, funding - 80_000)
        };
        assert!(event.left.abs_diff(left) <= 150, "{event:?}");
        assert!(event.bad_debt.abs_diff(bad_debt) <= 150, "{event:?}");
        assert_eq!(event.reward, if bad_debt == 0 { 4_800 } else { 0 });
    }
}

#[test]
fn what_pays_its_trader_leaves_no_bad_debt() {
    let mut seed = 7u64;
    let mut random = |below: u128| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u128::from(seed >> 20) % below
    };
    let (mut n_paid, mut n_lost) = (0, 0);
    for _ in 0..10_000 {
        let position = Position {
            long: random(2) == 0,
            size: 1 + random(10_000),
            cost: random(20_000),
            margin: random(2) * random(10_000),
            index: INDEX_START,
        };
        let index = INDEX_START - ONE + random(2 * ONE);
        let (size, price) = (1 + random(position.size), 1 + random(2 * ONE));
        let (now, change) = position.reduced(position.long, size, price, index, 10).unwrap();
        assert!(now.margin == 0 || change.flow.lost == 0, "{position:?} {now:?} {change:?}");
        assert_eq!(position.margin + change.flow.to_trader, now.margin + change.flow.to_vault);
        n_paid += u32::from(now.margin > 0);
        n_lost += u32::from(change.flow.lost > 0);
    }
    assert!(n_paid > 1_000 && n_lost > 1_000, "{n_paid} {n_lost}");
}

/// The main provider takes out nearly all over the end of a block, and provides again while somebody pokes.
#[test]
fn one_sample_moves_no_funding() {
    let mut s = setup();
    s.long(s.ann, 5_000, 5_000).assert_ok();
    s.follow();
    let before = s.funding();
    for _ in 0..3 {
        s.chain.advance_ms(PROVIDED_MS_MIN);
        s.set_price(s.price);
        let shares: u128 = s.chain.view(&s.market, "shares", (s.provider,));
        let out: u128 = s.send(s.provider, "take_out", (shares - 15_000, 0u128)).value();
        let provide = s.market.tx(s.provider, "provide", (out, 0u128));
        s.chain.block([s.market.tx(s.keeper, "poke", ()), provide]).assert_ok();
        let spoiled = s.funding();
        assert!(spoiled.found > ONE + ONE / 2, "{spoiled:?}");
        assert_eq!((spoiled.tilt, spoiled.slope), (before.tilt, before.slope));
        s.chain.advance_ms(SAMPLE_MS_MAX);
        s.set_price(s.price);
        s.send(s.keeper, "poke", ()).assert_ok();
        let after = s.funding();
        assert!(after.tilt.abs_diff(before.tilt) < ONE / 10_000, "{before:?} {after:?}");
    }
}

/// A difference that stays arrives, in hours: a tenth of the limit is a twentieth of the way.
#[test]
fn funding_follows_within_hours() {
    let mut s = setup();
    s.long(s.ann, 50_000, 50_000).assert_ok();
    let start_ms = s.chain.time_ms();
    s.follow();
    let (hours, funding) = ((s.chain.time_ms() - start_ms) / 3_600_000, s.funding());
    assert!(hours <= 1 && funding.tilt.abs_diff(ONE / 10 * 11) < ONE / 1_000, "{funding:?}");
    // Every block is enough, too.
    s.close(s.ann, true, u128::MAX).assert_ok();
    for _ in 0..40 {
        s.chain.advance_ms(60_000);
        s.set_price(s.price);
        s.send(s.keeper, "poke", ()).assert_ok();
    }
    let after = s.funding();
    let (moved, time_ms) = (funding.tilt - after.tilt, after.time_ms - funding.time_ms);
    let most = 2 * ONE * u128::from(time_ms) / u128::from(TILT_MS);
    assert!(moved > most / 10 * 9 && moved <= most + 100, "{moved} {most}");
}

#[test]
fn funding_moves_by_what_the_time_permits() {
    let funding = Funding {
        time_ms: 0,
        index: INDEX_START,
        rest: 0,
        slope: 0,
        longs_pay: false,
        room: 0,
        tilt: ONE,
        found: 2 * ONE,
    };
    let step = 2 * ONE / 144 + 1;
    for (found, time_ms, tilt) in [
        // The samples agree about what is above.
        (2 * ONE, SAMPLE_MS_MAX, ONE + step),
        (ONE + 5, SAMPLE_MS_MAX, ONE + 5),
        (2 * ONE, SAMPLE_MS_MAX / 2, ONE + step / 2 + 1),
        // However long nobody looked.
        (2 * ONE, u64::MAX, ONE + step),
        // They do not.
        (ONE, SAMPLE_MS_MAX, ONE),
        (0, SAMPLE_MS_MAX, ONE),
        // No time at all.
        (2 * ONE, 0, ONE),
    ] {
        assert_eq!(funding.tilt_towards(found, time_ms), tilt, "{found} {time_ms}");
    }
    let falls = Funding { tilt: 2 * ONE, found: 0, ..funding };
    assert_eq!(falls.tilt_towards(ONE, SAMPLE_MS_MAX), 2 * ONE - step);
    assert_eq!(
        Funding { found: ONE, ..falls }.tilt_towards(ONE / 2, 1),
        2 * ONE - 2 * ONE / 86_400_000 - 1
    );
}

#[test]
fn the_larger_side_pays_funding() {
    let mut s = setup();
    s.long(s.ann, 40_000, 30_000).assert_ok();
    s.short(s.ben, 20_000, 30_000).assert_ok();
    s.follow();
    for (who, long) in [(s.ann, true), (s.ben, false)] {
        s.send(who, "remove_margin", (long, 1u128)).assert_ok();
    }
    let receipt = s.send(s.keeper, "poke", ());
    // A difference of 40,000 where the vault takes 1,000,120: so much of two in a year.
    let slope = 2 * (ONE * 40_000 / 1_000_120);
    let [funded] = &receipt.assert_ok().events::<Funded>()[..] else { panic!("one event") };
    assert_eq!(
        (funded.longs_pay, funded.slope / (ONE / 1_000_000)),
        (true, slope / (ONE / 1_000_000))
    );
    let vault = s.sums().vault;
    s.chain.advance_ms(u64::try_from(YEAR_MS).unwrap() - 2_000);
    s.set_price(2 * ONE);
    let before = (s.position(s.ann).margin, s.position(s.ben).margin);
    for (who, long) in [(s.ann, true), (s.ben, false)] {
        s.send(who, "add_margin", (1u128,)).assert_ok();
        s.send(who, "remove_margin", (long, 1u128)).assert_ok();
    }
    let after = (s.position(s.ann).margin, s.position(s.ben).margin);
    let (paid, received) = (before.0 - after.0, after.1 - before.1);
    // 40,000 of the asset at 0.08 each, and half of that.
    assert!((3_199..=3_201).contains(&paid), "{paid}");
    assert!((1_598..=1_600).contains(&received), "{received}");
    assert_eq!(s.sums().vault, vault + paid - received);
    // Whoever grows a position waits for somebody to poke.
    s.long(s.ann, 10, 100).assert_revert(FuturesError::StaleFunding);
    s.send(s.keeper, "poke", ()).assert_ok();
    assert_eq!(s.settle(s.ann, true).value::<Option<u128>>(), Some(2 * ONE));
}

#[test]
fn shares_are_a_part_of_what_the_vault_is_worth() {
    let mut s = setup();
    assert_eq!(s.chain.view::<u128>(&s.market, "shares", (s.provider,)), 999_000);
    s.long(s.ann, 50_000, 20_000).assert_ok();
    s.set_price(3 * ONE);
    // The vault has 1,000,100 and owes a profit of 50,000.
    s.send(s.ben, "provide", (9_501u128, 10_000u128))
        .assert_revert(FuturesError::InsufficientShares);
    let receipt = s.send(s.ben, "provide", (9_501u128, 9_999u128));
    let [event] = &receipt.assert_ok().events::<VaultMoved>()[..] else { panic!("one event") };
    assert_eq!((event.shares, event.added), (9_999, true));
    s.close(s.ann, true, u128::MAX).assert_ok();
    // Who has just provided takes no part of a fee with it at once.
    let out = (9_999u128, 9_500u128);
    s.send(s.ben, "take_out", out).assert_revert(FuturesError::TooEarly);
    s.chain.advance_ms(PROVIDED_MS_MIN);
    s.send(s.ben, "take_out", (9_999u128, 9_503u128)).assert_revert(FuturesError::Slippage);
    let out: u128 = s.send(s.ben, "take_out", out).value();
    // And the fee of 150 was earned since.
    assert!((9_500..=9_502).contains(&out), "{out}");
    let none = (1u128, 0u128);
    s.send(s.ben, "take_out", none).assert_revert(FuturesError::InsufficientShares);
    s.send(s.ben, "take_out", (0u128, 0u128)).assert_revert(FuturesError::ZeroAmount);
    s.send(s.ben, "provide", (0u128, 0u128)).assert_revert(FuturesError::InsufficientShares);
    s.send(s.ben, "provide", (99_000_000u128, 0u128))
        .assert_revert(TokenError::InsufficientBalance);
    assert_eq!(s.has(s.market.address()), s.sums().vault);
}

/// Nearly all of the vault is a trader's. Whoever provided little would have nearly all of its shares, and of what the
/// vault wins when the price comes back.
#[test]
fn a_vault_that_is_worth_next_to_nothing_sells_no_shares() {
    let mut s = setup();
    s.long(s.ann, 450_000, 95_000).assert_ok();
    s.set_price(ONE / 100 * 420);
    let worth = s.sums().worth(s.price, INDEX_START, true).unwrap();
    assert!(worth > 0 && worth < 11_000, "{worth}");
    s.send(s.ben, "provide", (1_000u128, 0u128)).assert_ok();
    s.set_price(ONE / 1_000 * 4_215);
    s.send(s.ben, "provide", (1_000u128, 0u128)).assert_revert(FuturesError::VaultEmpty);
}

/// A long has won more than the vault has. Nobody can buy shares of that, but who gives without any lets it pay.
#[test]
fn a_vault_that_owes_more_than_it_has_is_refilled() {
    let mut s = setup();
    s.chain.send(s.keeper, &s.token, "mint", (s.ben, 5_000_000u128)).assert_ok();
    s.long(s.ann, 450_000, 95_000).assert_ok();
    s.set_price(5 * ONE);
    s.close(s.ann, true, u128::MAX).assert_trap(TrapKind::CounterOutOfBounds);
    s.send(s.ben, "provide", (5_000_000u128, 0u128)).assert_revert(FuturesError::VaultEmpty);
    s.send(s.ben, "refill", (0u128,)).assert_revert(FuturesError::ZeroAmount);
    s.send(s.ben, "refill", (1u128 << 127,)).assert_revert(FuturesError::TooLarge);
    let receipt = s.send(s.ben, "refill", (600_000u128,));
    let moved = VaultMoved { by: s.ben, amount: 600_000, shares: 0, added: true };
    assert_eq!(receipt.assert_ok().events::<VaultMoved>(), [moved]);
    // 1,350,000 of profit, less fees of 900 and 2,250.
    let paid = Setup::paid(&s.settle(s.ann, true));
    s.send(s.ann, "collect", ()).assert_ok();
    assert_eq!(paid, 95_000 - 900 + 1_350_000 - 2_250);
    let sums = s.sums();
    assert_eq!((sums.vault, sums.shares), (1_600_000 - 1_350_000 + 3_150, 1_000_000));
    assert_eq!(s.has(s.market.address()), sums.vault);
    s.send(s.ben, "provide", (253_150u128, 0u128)).assert_ok();
    assert_eq!(s.sums().shares, 2_000_000);
}

#[test]
fn the_vault_limits_positions() {
    let mut s = setup();
    // One side may be larger than the other by as much as the vault has.
    assert_refused(&s.long(s.ann, 600_000, 99_000), FuturesError::VaultFull);
    s.long(s.ann, 450_000, 95_000).assert_ok();
    // With the fees of that and of one that was refused.
    assert_refused(&s.long(s.ben, 51_051, 20_000), FuturesError::VaultFull);
    s.long(s.ben, 50_000, 20_000).assert_ok();
    assert_refused(&s.long(s.ben, 2_000, 500), FuturesError::VaultFull);
    assert_refused(&s.short(s.keeper, 1, 0), FuturesError::Unhealthy);
    s.chain.advance_ms(PROVIDED_MS_MIN);
    let out = (3_000u128, 0u128);
    s.send(s.provider, "take_out", out).assert_revert(FuturesError::VaultFull);
    // A profit beyond the vault waits until it has grown.
    s.set_price(ONE / 10_000 * 42_444);
    s.close(s.ann, true, u128::MAX).assert_trap(TrapKind::CounterOutOfBounds);
    s.set_price(20 * ONE);
    s.settle(s.ann, true).assert_trap(TrapKind::CounterOutOfBounds);
    s.send(s.provider, "take_out", (1_000u128, 0u128)).assert_revert(FuturesError::ZeroAmount);
}

/// A long and a short as large cost their owner next to nothing to hold. They must not close the market, nor keep the providers in.
#[test]
fn a_pair_of_positions_is_in_nobodys_way() {
    let mut s = setup();
    s.long(s.ann, 450_000, 95_000).assert_ok();
    s.short(s.ben, 450_000, 95_000).assert_ok();
    s.send(s.keeper, "poke", ()).assert_ok();
    s.chain.send(s.keeper, &s.token, "mint", (s.provider, 10_000u128)).assert_ok();
    for long in [true, false] {
        s.trade(s.provider, long, true, 10_000, 5_000).assert_ok();
        s.close(s.provider, long, u128::MAX).assert_ok();
    }
    s.chain.advance_ms(PROVIDED_MS_MIN);
    s.send(s.provider, "take_out", (900_000u128, 0u128)).assert_ok();
}

/// Funding is what the difference is worth to the vault, not what it is of all positions: or a position of next to nothing would set the
/// full rate for a large one against it, which the vault pays.
#[test]
fn a_small_difference_pays_little() {
    let mut s = setup();
    s.long(s.ann, 100, 100).assert_ok();
    s.follow();
    let receipt = s.send(s.keeper, "poke", ());
    let [funded] = &receipt.assert_ok().events::<Funded>()[..] else { panic!("one event") };
    assert!(funded.longs_pay && funded.slope < ONE / 1_000, "{funded:?}");
}

/// Whoever bet against a vault without providers would win from the first provider, or be it.
#[test]
fn nobody_bets_against_a_vault_without_providers() {
    let mut s = setup();
    let args = (s.token.address(), s.oracle.address(), ASSET, TERMS);
    s.market = s.chain.deploy::<Futures>(s.keeper, args);
    for who in [s.ann, s.ben] {
        s.chain.send(who, &s.token, "approve", (s.market.address(), u128::MAX)).assert_ok();
    }
    s.send(s.ben, "refill", (50_000u128,)).assert_ok();
    s.send(s.keeper, "poke", ()).assert_ok();
    assert_refused(&s.long(s.ann, 10, 5), FuturesError::VaultFull);
    s.send(s.ben, "provide", (LOCKED_SHARES, 0u128))
        .assert_revert(FuturesError::InsufficientShares);
    s.send(s.ben, "provide", (u128::MAX, 0u128)).assert_revert(FuturesError::TooLarge);
    s.send(s.ben, "provide", (2_000u128, 1_000u128)).assert_ok();
    s.long(s.ann, 10, 5).assert_ok();
}

/// Each of a block's positions fits what there was before the block; together they do not.
#[test]
fn all_of_a_block_share_one_room() {
    let mut s = setup();
    let (ann, ben, cid) = (s.ann, s.ben, s.chain.account("cid"));
    s.chain.send(s.keeper, &s.token, "mint", (cid, 100_000u128)).assert_ok();
    s.chain.send(cid, &s.token, "approve", (s.market.address(), u128::MAX)).assert_ok();
    // What is there for 500,000.
    let sizes = [(ann, 200_000u128), (ben, 400_000), (cid, 300_000)];
    for (who, size) in sizes {
        s.request(who, true, true, size, 90_000).assert_ok();
    }
    s.set_price(2 * ONE);
    let txs = sizes.map(|(who, size)| s.market.tx(s.keeper, "settle_growing", (who, true, size)));
    let report = s.chain.block(txs);
    report.assert_batches(&[&[0], &[1], &[2]]);
    report.receipts[0].assert_ok();
    report.receipts[1].assert_revert(FuturesError::StaleRoom);
    report.receipts[2].assert_ok();
    assert_refused(&s.settle(ben, true), FuturesError::VaultFull);
    assert_eq!((s.sums().longs.size, s.owed(ben)), (500_000, 90_000 - 800));
    // What shrinks, and what the other side grows by, counts when somebody has poked.
    let room = |s: &mut Setup, long: bool| s.chain.view::<u128>(&s.market, "room_left", (long,));
    s.close(ann, true, 100_000).assert_ok();
    s.send(ben, "collect", ()).assert_ok();
    s.short(ben, 50_000, 90_000).assert_ok();
    assert_eq!((room(&mut s, true), room(&mut s, false)), (0, 450_000));
    s.send(s.keeper, "poke", ()).assert_ok();
    // The vault has 1,002,100 of fees: 501,050, less a difference of 350,000, or more by it.
    assert_eq!(s.sums().vault, 1_002_100);
    assert_eq!((room(&mut s, true), room(&mut s, false)), (151_050, 851_050));
    // Providers who leave take their part of it along.
    s.chain.advance_ms(PROVIDED_MS_MIN);
    s.send(s.provider, "take_out", (100_000u128, 0u128)).assert_ok();
    let left = s.sums().vault / 2;
    assert_eq!((room(&mut s, true), room(&mut s, false)), (left - 350_000, left + 350_000));
}

/// The price that counts is the first that was observed after the request's block, whenever somebody asks for it.
#[test]
fn an_order_is_settled_at_the_next_price() {
    let mut s = setup();
    s.chain.advance_ms(ROUND_MS);
    let expires_ms = s.chain.time_ms() + ORDER_MS_MIN;
    let args = (true, true, 10_000u128, 5_000u128, 4 * ONE, expires_ms);
    let report = s.chain.block([s.publication(3 * ONE), s.market.tx(s.ann, "request", args)]);
    report.assert_ok().assert_batches(&[&[0, 1]]);
    let order = s.order(s.ann).unwrap();
    let placed = OrderPlaced { by: s.ann, order };
    assert_eq!(report.receipts[1].events::<OrderPlaced>(), [placed]);
    assert_eq!((order.size, order.expires_ms, s.has(s.ann)), (10_000, expires_ms, 95_000));
    s.request(s.ann, true, true, 1, 0).assert_revert(FuturesError::OrderPending);
    // What was on its way when the request was made is not its price.
    s.settle(s.ann, true).assert_revert(FuturesError::NoPrice);
    s.set_price(4 * ONE);
    s.set_price(ONE);
    s.settle(s.ann, false).assert_revert(FuturesError::NoOrder);
    // Nobody takes another room than the request's.
    for size in [0u128, 9_999, 10_001] {
        let args = (s.ann, true, size);
        s.send(s.keeper, "settle_growing", args).assert_revert(FuturesError::NoOrder);
    }
    s.send(s.keeper, "settle_shrinking", (s.ann, true)).assert_revert(FuturesError::NoOrder);
    assert_eq!(s.settle(s.ann, true).value::<Option<u128>>(), Some(4 * ONE));
    s.settle(s.ann, true).assert_revert(FuturesError::NoOrder);
    assert_eq!(s.position(s.ann).cost, 40_000);
}

#[test]
fn an_order_is_canceled_when_it_has_expired() {
    let mut s = setup();
    let at = |s: &Setup, ms| s.chain.time_ms() + ms;
    for (ms, limit) in [(ORDER_MS_MIN - 1, 0u128), (ORDER_MS_MAX + 1, 0)] {
        let args = (true, true, 10_000u128, 3_000u128, limit, at(&s, ms));
        s.send(s.ann, "request", args).assert_revert(FuturesError::BadExpiry);
    }
    s.send(s.ann, "cancel", ()).assert_revert(FuturesError::NoOrder);
    s.request(s.ann, true, true, 10_000, 3_000).assert_ok();
    s.send(s.ann, "cancel", ()).assert_revert(FuturesError::OrderPending);
    s.chain.advance_ms(ORDER_MS_MIN);
    // What was observed behind the expiry is not its price.
    s.set_price(2 * ONE);
    s.settle(s.ann, true).assert_revert(FuturesError::NoPrice);
    let receipt = s.send(s.ann, "cancel", ());
    assert_eq!(receipt.assert_ok().events::<OrderCanceled>(), [OrderCanceled { by: s.ann }]);
    assert_eq!(s.send(s.ann, "collect", ()).value::<u128>(), 3_000);
}

/// Whoever has seen the price cannot take the request back, not even behind its expiry.
#[test]
fn an_order_with_a_price_is_settled_and_not_canceled() {
    let mut s = setup();
    s.request(s.ann, true, true, 10_000, 3_000).assert_ok();
    s.set_price(3 * ONE);
    s.set_price(ONE);
    s.chain.advance_ms(ORDER_MS_MIN);
    s.send(s.ann, "cancel", ()).assert_revert(FuturesError::OrderPending);
    assert_eq!(
        s.settle(s.ann, true).value::<Option<u128>>(),
        None,
        "a tenth is not covered, with the fee"
    );
    // Refused for good, whoever asks: the margin is the trader's.
    s.settle(s.ann, true).assert_revert(FuturesError::NoOrder);
    assert_eq!(s.owed(s.ann), 3_000);
    s.request(s.ann, true, true, 10_000, 4_000).assert_ok();
    s.set_price(3 * ONE);
    s.set_price(ONE);
    s.chain.advance_ms(ORDER_MS_MIN);
    s.send(s.ann, "cancel", ()).assert_revert(FuturesError::OrderPending);
    assert_eq!(s.settle(s.ann, true).value::<Option<u128>>(), Some(3 * ONE));
    assert_eq!(s.position(s.ann).cost, 30_000);
}

/// A price that nobody settled at while the oracle remembered it leaves the funds to the trader.
#[test]
fn an_order_whose_price_is_forgotten_is_canceled() {
    let mut s = setup();
    s.request(s.ann, true, true, 10_000, 3_000).assert_ok();
    for n in 0..=RECENT_MAX {
        s.set_price(2 * ONE);
        if n < RECENT_MAX {
            s.send(s.ann, "cancel", ()).assert_revert(FuturesError::OrderPending);
        }
    }
    s.settle(s.ann, true).assert_revert(FuturesError::NoPrice);
    s.send(s.ann, "cancel", ()).assert_ok();
    assert_eq!(s.owed(s.ann), 3_000);
}

#[test]
fn a_worse_price_than_the_limit_refuses() {
    let mut s = setup();
    let expires_ms = s.chain.time_ms() + ORDER_MS_MIN;
    let args = (true, true, 10_000u128, 3_000u128, 2 * ONE, expires_ms);
    s.send(s.ann, "request", args).assert_ok();
    s.set_price(2 * ONE + 1);
    let receipt = s.settle(s.ann, true);
    let reason = FuturesError::Slippage.code();
    let refused = OrderRefused { by: s.ann, price: 2 * ONE + 1, reason, fee: 0 };
    assert_eq!(receipt.assert_ok().events::<OrderRefused>(), [refused]);
    assert_eq!((s.owed(s.ann), s.position(s.ann)), (3_000, Position::default()));
}

#[test]
fn margin_stays_while_an_order_waits() {
    let mut s = setup();
    s.long(s.ann, 1_000, 3_000).assert_ok();
    s.request(s.ann, true, true, 10_000, 20).assert_ok();
    s.send(s.ann, "remove_margin", (true, 1_000u128)).assert_revert(FuturesError::OrderPending);
    s.send(s.ann, "add_margin", (1_000u128,)).assert_revert(FuturesError::OrderPending);
    s.set_price(2 * ONE);
    s.settle(s.ann, true).assert_ok();
    s.send(s.ann, "remove_margin", (true, 500u128)).assert_ok();
    assert_eq!(s.owed(s.ann), 500);
}

/// The own position must be no switch that a second account turns behind the price: here it would make a request that it spoils
/// one that is done.
#[test]
fn nobody_is_liquidated_while_a_request_to_grow_is_decided() {
    let mut s = setup();
    s.long(s.ann, 10_000, 2_020).assert_ok();
    s.request(s.ann, true, true, 1_000, 200).assert_ok();
    s.set_price(ONE / 100 * 188);
    s.send(s.ben, "liquidate", (s.ann, true)).assert_revert(FuturesError::OrderPending);
    assert_refused(&s.settle(s.ann, true), FuturesError::Unhealthy);
    assert_eq!(s.owed(s.ann), 200);
    // And there is no next one, which would put it off again.
    s.request(s.ann, true, true, 1_000, 9_000).assert_revert(FuturesError::Unhealthy);
    s.request(s.ann, true, false, 1_000, 0).assert_ok();
    // What shrinks stops nobody.
    s.send(s.ben, "liquidate", (s.ann, true)).assert_ok();
    s.set_price(2 * ONE);
    assert_refused(&s.settle(s.ann, true), FuturesError::NoPosition);
}

/// A price of before the request, which comes in its block, makes the position one to liquidate. That waits for the request's own price,
/// but not for one that never comes.
#[test]
fn a_liquidation_waits_for_a_price_and_not_for_ever() {
    for comes in [true, false] {
        let mut s = setup();
        s.long(s.ann, 10_000, 2_020).assert_ok();
        s.chain.advance_ms(2 * ROUND_MS - s.chain.time_ms() % ROUND_MS + 2_000);
        let (time_ms, low) = (s.chain.time_ms(), ONE / 100 * 188);
        let expires_ms = time_ms + 2 * TERMS.wait_ms_max;
        let args = (true, true, 1_000u128, 5_000u128, u128::MAX, expires_ms);
        let report = s.chain.block([s.market.tx(s.ann, "request", args), s.publication(low)]);
        report.assert_ok();
        assert_eq!(s.order(s.ann).map(|order| order.time_ms), Some(time_ms));
        s.send(s.ben, "liquidate", (s.ann, true)).assert_revert(FuturesError::OrderPending);
        if comes {
            s.set_price(low);
            s.send(s.ben, "liquidate", (s.ann, true)).assert_revert(FuturesError::OrderPending);
            assert_eq!(s.settle(s.ann, true).value::<Option<u128>>(), Some(low));
            // With what came in it stands.
            s.send(s.ben, "liquidate", (s.ann, true)).assert_revert(FuturesError::Healthy);
            continue;
        }
        s.chain.set_time_ms(time_ms + TERMS.wait_ms_max - 1);
        s.send(s.ben, "liquidate", (s.ann, true)).assert_revert(FuturesError::OrderPending);
        s.send(s.ben, "liquidate", (s.ann, true)).assert_ok();
        s.chain.advance_ms(TERMS.wait_ms_max);
        s.send(s.ann, "cancel", ()).assert_ok();
    }
}

/// Nor for one that is not the request's.
#[test]
fn a_request_that_no_price_decides_about_stops_no_liquidation() {
    let mut s = setup();
    s.long(s.ann, 10_000, 2_020).assert_ok();
    s.request(s.ann, true, true, 1_000, 5_000).assert_ok();
    s.chain.advance_ms(ORDER_MS_MIN);
    s.set_price(ONE / 100 * 188);
    s.send(s.ben, "liquidate", (s.ann, true)).assert_ok();
    s.settle(s.ann, true).assert_revert(FuturesError::NoPrice);
    s.send(s.ann, "cancel", ()).assert_ok();
}

/// A dust position on the other side, which a second account liquidates where the price suits.
#[test]
fn the_other_side_is_refused_at_once() {
    let mut s = setup();
    s.short(s.ann, 10, 5).assert_ok();
    s.request(s.ann, true, true, 10_000, 5_000).assert_revert(FuturesError::WrongSide);
    assert_eq!(s.order(s.ann), None);
    // To shrink what is not there does nothing either way.
    assert_refused(&s.close(s.ann, true, 10), FuturesError::NoPosition);
}

#[test]
fn who_settles_is_paid() {
    let mut s = setup().with_reward();
    s.request(s.ann, true, true, 10_000, 3_000).assert_ok();
    assert_eq!(s.has(s.ann), 100_000 - 3_007);
    s.set_price(2 * ONE);
    s.settle(s.ann, true).assert_ok();
    assert_eq!((s.owed(s.keeper), s.owed(s.ann)), (7, 0));
    // Who has only to wait for the expiry gets it back.
    s.request(s.ann, true, false, 1, 5).assert_ok();
    s.chain.advance_ms(ORDER_MS_MIN);
    s.send(s.ann, "cancel", ()).assert_ok();
    assert_eq!(s.owed(s.ann), 12);
    assert_eq!(s.has(s.market.address()), s.sums().vault + 2_980 + 7 + 12);
}

#[test]
fn refusals() {
    let mut s = setup();
    s.send(s.ann, "add_margin", (0u128,)).assert_revert(FuturesError::ZeroAmount);
    s.long(s.ann, 0, 5).assert_revert(FuturesError::ZeroAmount);
    s.long(s.ann, 1, u128::MAX).assert_revert(FuturesError::TooLarge);
    s.send(s.ann, "remove_margin", (true, 0u128)).assert_revert(FuturesError::ZeroAmount);
    s.long(s.ann, SIZE_MAX + 1, 5).assert_revert(FuturesError::TooLarge);
    s.long(s.ann, 1_000, 500).assert_ok();
    assert_refused(&s.close(s.ben, true, 1), FuturesError::NoPosition);
    s.set_price(PRICE_MAX + 1);
    s.long(s.ann, 1, 5).assert_revert(FuturesError::NoPrice);
    s.chain.advance_ms(ORDER_MS_MIN);
    s.send(s.ann, "cancel", ()).assert_ok();
    for price in [12, PRICE_MIN - 1] {
        s.set_price(price);
        s.send(s.keeper, "poke", ()).assert_revert(FuturesError::NoPrice);
    }
    s.set_price(PRICE_MIN);
    s.send(s.keeper, "poke", ()).assert_ok();
    s.set_price(2 * ONE);
    s.chain.advance_ms(TERMS.price_ms_max + 1);
    s.send(s.keeper, "poke", ()).assert_revert(FuturesError::NoPrice);
    s.send(s.ben, "liquidate", (s.ann, true)).assert_revert(FuturesError::NoPrice);
    for bad in [
        Terms { liquidation_bp: 0, ..TERMS },
        Terms { fee_bp: 401, ..TERMS },
        Terms { maintenance_bp: 1_000, ..TERMS },
        Terms { initial_bp: 10_001, ..TERMS },
        Terms { open_bp: 0, ..TERMS },
        Terms { open_bp: 10_001, ..TERMS },
        Terms { funding_rate: 10 * ONE + 1, ..TERMS },
        Terms { reward: 1 << 126, ..TERMS },
        Terms { reward: 1 << 125, ..TERMS },
        Terms { value_min: 0, ..TERMS },
        Terms { wait_ms_max: ORDER_MS_MIN - 1, ..TERMS },
        Terms { price_ms_max: ORDER_MS_MIN - 1, ..TERMS },
    ] {
        let args = (s.token.address(), s.oracle.address(), ASSET, bad);
        let refused = s.chain.try_deploy::<Futures>(s.keeper, args);
        refused.unwrap_err().assert_revert(FuturesError::BadTerms);
    }
}

#[test]
fn indices_stay_in_their_range() {
    let funding = Funding {
        time_ms: 0,
        index: INDEX_START,
        rest: 0,
        slope: INDEX_START,
        longs_pay: true,
        room: 0,
        tilt: 2 * ONE,
        found: 2 * ONE,
    };
    let year_ms = u64::try_from(YEAR_MS).unwrap();
    assert_eq!(funding.index_at(year_ms / 2), INDEX_START / 2 * 3);
    assert_eq!(funding.index_at(year_ms), 2 * INDEX_START - 1);
    assert_eq!(Funding { slope: u128::MAX, ..funding }.index_at(u64::MAX), 2 * INDEX_START - 1);
    let falls = Funding { longs_pay: false, ..funding };
    assert_eq!((falls.index_at(year_ms), falls.index_at(0)), (0, INDEX_START));
    assert_eq!(falls.index_at(year_ms + 1), 0);
}

#[test]
fn traders_do_not_wait_for_each_other() {
    let mut s = setup();
    for who in [s.ann, s.ben] {
        s.long(who, 1_000, 500).assert_ok();
    }
    s.request(s.ann, true, false, 10, 0).assert_ok();
    s.request(s.ben, true, true, 10, 1).assert_ok();
    s.set_price(2 * ONE);
    let report = s.chain.block([
        s.market.tx(s.keeper, "settle_shrinking", (s.ann, true)),
        s.market.tx(s.provider, "settle_growing", (s.ben, true, 10u128)),
        s.market.tx(s.ben, "cancel", ()),
        s.market.tx(s.keeper, "collect", ()),
    ]);
    // Who has a request waits for whoever settles it, and who collects for whoever adds to what is owed: nobody else.
    report.assert_batches(&[&[0, 1], &[2, 3]]);
    for i in [0, 1] {
        report.receipts[i].assert_ok();
    }
    report.receipts[2].assert_revert(FuturesError::NoOrder);
    for who in [s.ann, s.ben] {
        s.request(who, true, true, 10, 1).assert_ok();
    }
    s.set_price(2 * ONE);
    s.chain.advance_ms(ROUND_MS);
    let report = s.chain.block([
        s.market.tx(s.keeper, "settle_growing", (s.ann, true, 10u128)),
        s.market.tx(s.provider, "settle_growing", (s.ben, true, 10u128)),
        s.market.tx(s.ben, "poke", ()),
        s.publication(3 * ONE),
    ]);
    // Who says how much a side may grow is behind those who grow, and sees them; so in such a block these are ordered too.
    report.assert_ok().assert_batches(&[&[0, 3], &[1], &[2]]);
}

/// Whoever pokes, or says that more grows than can, is in the way of what grows only.
#[test]
fn what_shrinks_waits_for_nobody() {
    let mut s = setup();
    for who in [s.ann, s.ben] {
        s.long(who, 1_000, 500).assert_ok();
        s.request(who, true, false, 10, 0).assert_ok();
    }
    s.set_price(2 * ONE);
    let report = s.chain.block([
        s.market.tx(s.keeper, "settle_shrinking", (s.ann, true)),
        s.market.tx(s.provider, "settle_shrinking", (s.ben, true)),
        s.market.tx(s.ben, "settle_growing", (s.provider, true, u128::MAX)),
    ]);
    report.assert_batches(&[&[0, 1, 2]]);
    for i in [0, 1] {
        assert_eq!(report.receipts[i].value::<Option<u128>>(), Some(2 * ONE));
    }
    report.receipts[2].assert_revert(FuturesError::NoOrder);
}

/// Somebody came and went, and took the room of the last poke along. What fits is not refused for good, it waits for a poke.
#[test]
fn room_that_nobody_has_found_yet_refuses_nothing() {
    let mut s = setup();
    s.long(s.ann, 450_000, 95_000).assert_ok();
    s.close(s.ann, true, u128::MAX).assert_ok();
    s.request(s.ben, true, true, 100_000, 50_000).assert_ok();
    s.set_price(2 * ONE);
    s.settle(s.ben, true).assert_revert(FuturesError::StaleRoom);
    s.send(s.keeper, "poke", ()).assert_ok();
    assert_eq!(s.settle(s.ben, true).value::<Option<u128>>(), Some(2 * ONE));
}

/// What fitted at its own price and does not at the last one is refused, and does not wait until the price has come back.
#[test]
fn what_no_poke_finds_room_for_is_refused() {
    let mut s = setup();
    s.request(s.ann, false, true, 400_000, 90_000).assert_ok();
    s.set_price(2 * ONE);
    // What was room for 500,000 is room for 250,000.
    s.set_price(4 * ONE);
    s.send(s.keeper, "poke", ()).assert_ok();
    assert_refused(&s.settle(s.ann, false), FuturesError::VaultFull);
    assert_eq!((s.owed(s.ann), s.sums().shorts), (90_000 - 800, Side::default()));
}

/// Where the oracle has fallen silent nobody can poke: the margin is not kept for that.
#[test]
fn growing_ends_where_prices_end() {
    let mut s = setup();
    s.request(s.ann, true, true, 10_000, 3_000).assert_ok();
    s.set_price(2 * ONE);
    s.chain.advance_ms(TERMS.price_ms_max + ROUND_MS);
    s.send(s.ann, "cancel", ()).assert_revert(FuturesError::OrderPending);
    s.send(s.keeper, "poke", ()).assert_revert(FuturesError::NoPrice);
    assert_refused(&s.settle(s.ann, true), FuturesError::NoPrice);
    assert_eq!((s.owed(s.ann), s.sums().longs), (3_000, Side::default()));
}

/// A loss beyond the margin of what nobody liquidates is the vault's.
#[test]
fn a_position_is_worth_a_liquidation() {
    let mut s = setup();
    assert_refused(&s.long(s.ann, 9, 50), FuturesError::TooSmall);
    s.long(s.ann, 10, 50).assert_ok();
    assert_refused(&s.close(s.ann, true, 1), FuturesError::TooSmall);
    s.long(s.ann, 1, 1).assert_ok();
    s.close(s.ann, true, 1).assert_ok();
    assert_eq!(s.position(s.ann).size, 10);
    s.close(s.ann, true, 10).assert_ok();
    assert_eq!(s.position(s.ann), Position::default());
}

/// Reporters may be ahead of the block's time: a price that everybody sees is not the next one.
#[test]
fn a_price_that_is_on_the_chain_is_known() {
    let mut s = setup();
    s.chain.advance_ms(ROUND_MS - s.chain.time_ms() % ROUND_MS);
    let ahead_ms = s.chain.time_ms() + ROUND_MS;
    let publication = s.publication_of(3 * ONE, ahead_ms);
    s.chain.block([publication]).assert_ok();
    s.request(s.ann, true, true, 10_000, 9_000).assert_ok();
    assert_eq!(s.order(s.ann).map(|order| order.time_ms), Some(ahead_ms));
    s.settle(s.ann, true).assert_revert(FuturesError::NoPrice);
    s.chain.advance_ms(ROUND_MS);
    s.set_price(4 * ONE);
    s.send(s.keeper, "poke", ()).assert_ok();
    assert_eq!(s.settle(s.ann, true).value::<Option<u128>>(), Some(4 * ONE));
}

/// Where nobody publishes for long, nobody chooses which round is next.
#[test]
fn a_price_long_behind_the_request_does_not_count() {
    let mut s = setup();
    for late_ms in [0, 1] {
        let time_ms = s.chain.time_ms() / ROUND_MS * ROUND_MS + ROUND_MS;
        s.chain.set_time_ms(time_ms - late_ms);
        let expires_ms = time_ms + 2 * TERMS.wait_ms_max;
        let args = (true, true, 10_000u128, 5_000u128, u128::MAX, expires_ms);
        s.send(s.ann, "request", args).assert_ok();
        s.chain.set_time_ms(time_ms + TERMS.wait_ms_max);
        let publication = s.publication(2 * ONE);
        s.chain.block([publication]).assert_ok();
        let receipt = s.settle(s.ann, true);
        if late_ms == 0 {
            assert_eq!(receipt.value::<Option<u128>>(), Some(2 * ONE));
            continue;
        }
        receipt.assert_revert(FuturesError::NoPrice);
        // Nor will another: the position is not shut until the request expires.
        assert!(s.chain.time_ms() < expires_ms);
        s.send(s.ann, "cancel", ()).assert_ok();
    }
}

/// What the last poke found is of the asset: when that has become dear, not all of a block may take so much of it.
#[test]
fn room_is_found_anew_when_the_price_has_moved() {
    let mut s = setup();
    let cid = s.chain.account("cid");
    for who in [s.ann, s.ben, cid] {
        s.chain.send(s.keeper, &s.token, "mint", (who, 1_000_000u128)).assert_ok();
        s.chain.send(who, &s.token, "approve", (s.market.address(), u128::MAX)).assert_ok();
        s.request(who, true, true, 100_000, 200_000).assert_ok();
    }
    // What was room for 500,000 is room for 125,000.
    s.set_price(8 * ONE);
    let settle =
        |s: &Setup, who: Address| s.market.tx(s.keeper, "settle_growing", (who, true, 100_000u128));
    let report = s.chain.block([settle(&s, s.ann), settle(&s, s.ben), settle(&s, cid)]);
    for receipt in &report.receipts {
        receipt.assert_revert(FuturesError::StaleRoom);
    }
    s.send(s.keeper, "poke", ()).assert_ok();
    let report = s.chain.block([settle(&s, s.ann), settle(&s, s.ben), settle(&s, cid)]);
    assert_eq!(report.receipts[0].value::<Option<u128>>(), Some(8 * ONE));
    for i in [1, 2] {
        report.receipts[i].assert_revert(FuturesError::StaleRoom);
    }
}

/// Whoever pokes every second must not round funding away, which for cheap assets is less than one of the index in a second.
#[test]
fn poking_often_stops_no_funding() {
    let mut s = setup().with_terms(Terms { funding_rate: ONE / 10, ..TERMS });
    s.set_price(3_000_000_000);
    s.send(s.keeper, "poke", ()).assert_ok();
    s.long(s.ann, 90_000 * ONE / s.price, 50_000).assert_ok();
    s.follow();
    s.send(s.keeper, "poke", ()).assert_ok();
    let before = s.funding();
    assert!(before.longs_pay && before.tilt.abs_diff(ONE / 10 * 11) < ONE / 1_000, "{before:?}");
    for n in 1..=60 {
        s.chain.set_time_ms(before.time_ms + n * 1_000);
        s.send(s.keeper, "poke", ()).assert_ok();
    }
    let after = s.funding();
    let once = before.index_at(after.time_ms);
    assert!(once > before.index + 50 && after.index.abs_diff(once) <= 1, "{before:?} {after:?}");
}

/// The index is the sum of all parts of the time, rounded down once, also where who pays changes.
#[test]
fn an_index_does_not_depend_on_who_pokes() {
    let mut seed = 11u64;
    let mut random = |below: u128| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u128::from(seed >> 20) % below
    };
    let mut funding = Funding {
        time_ms: 0,
        index: INDEX_START,
        rest: 0,
        slope: 0,
        longs_pay: false,
        room: 0,
        tilt: ONE,
        found: ONE,
    };
    let (mut moved, mut n_down) = (0i128, 0);
    for _ in 0..10_000 {
        let wide = random(2) * random(1 << 40);
        funding.slope = random(100_000_000) + (wide << 44);
        funding.longs_pay = random(2) == 0;
        let ms = random(5_000);
        let by = (funding.slope * ms).cast_signed();
        moved += if funding.longs_pay { by } else { -by };
        let time_ms = funding.time_ms + u64::try_from(ms).unwrap();
        let (index, rest) = funding.moved(time_ms);
        funding = Funding { time_ms, index, rest, ..funding };
        let year_ms = YEAR_MS.cast_signed();
        assert_eq!(index.cast_signed() - INDEX_START.cast_signed(), moved.div_euclid(year_ms));
        assert_eq!(rest.cast_signed(), moved.rem_euclid(year_ms));
        n_down += u32::from(moved < 0);
    }
    assert!((100..9_900).contains(&n_down), "{n_down}");
}

/// Funding that is still on its way would have the vault pay the larger side for hours.
#[test]
fn the_larger_side_is_never_paid_for_long() {
    let mut s = setup();
    s.long(s.ann, 400_000, 95_000).assert_ok();
    s.follow();
    s.close(s.ann, true, u128::MAX).assert_ok();
    s.short(s.ben, 400_000, 95_000).assert_ok();
    // One sample moves nothing.
    let before = s.funding();
    s.send(s.keeper, "poke", ()).assert_ok();
    assert!(s.funding().found < ONE && s.funding().slope > before.slope / 100 * 99);
    s.chain.advance_ms(1_000);
    s.send(s.keeper, "poke", ()).assert_ok();
    let (vault, funding) = (s.sums().vault, s.funding());
    for _ in 0..72 {
        s.chain.advance_ms(SAMPLE_MS_MAX - 2 * ROUND_MS);
        s.set_price(s.price);
        s.send(s.keeper, "poke", ()).assert_ok();
    }
    s.send(s.ben, "add_margin", (5_000u128,)).assert_ok();
    s.send(s.ben, "remove_margin", (false, 1u128)).assert_ok();
    assert!(s.sums().vault >= vault, "{} {vault}", s.sums().vault);
    assert!(funding.longs_pay && funding.tilt > ONE && funding.slope == 0, "{funding:?}");
    // At last the shorts pay.
    s.follow();
    assert!(s.funding().slope > ONE && !s.funding().longs_pay);
}

#[test]
fn funding_waits_while_it_is_on_the_other_side() {
    let funding = Funding {
        time_ms: 0,
        index: INDEX_START,
        rest: 0,
        slope: 0,
        longs_pay: false,
        room: 0,
        tilt: ONE / 2 * 3,
        found: ONE / 2,
    };
    let slope_of = |funding: Funding, sides: (u128, u128)| {
        funding.renewed(1, sides, 1_000, ONE, ONE, 0).unwrap().slope
    };
    let none = Funding { found: ONE, ..funding };
    let other = Funding { tilt: ONE / 2, found: ONE / 2 * 3, ..funding };
    assert_eq!((slope_of(funding, (0, 1)), slope_of(other, (1, 0))), (0, 0));
    for (funding, sides) in [
        // The last sample or the one before is not there.
        (funding, (1, 0)),
        (funding, (0, 0)),
        (none, (0, 1)),
        (other, (0, 1)),
        (other, (0, 0)),
    ] {
        assert!(slope_of(funding, sides) > ONE / 3, "{funding:?} {sides:?}");
    }
}

/// A dust order that is settled before it takes the room of a large one whose price is known. That is no way to take it back for
/// nothing.
#[test]
fn what_has_no_room_pays_its_fee() {
    let mut s = setup();
    s.chain.send(s.keeper, &s.token, "mint", (s.ben, 100_000u128)).assert_ok();
    // The stock is short by what came and went.
    s.long(s.ann, 10, 50).assert_ok();
    s.close(s.ann, true, u128::MAX).assert_ok();
    s.request(s.ben, true, true, 500_000, 110_000).assert_ok();
    s.request(s.ann, true, true, 10, 50).assert_ok();
    s.set_price(2 * ONE);
    s.settle(s.ben, true).assert_revert(FuturesError::StaleRoom);
    s.settle(s.ann, true).assert_ok();
    s.send(s.keeper, "poke", ()).assert_ok();
    let vault = s.sums().vault;
    let receipt = s.settle(s.ben, true);
    let (by, reason) = (s.ben, FuturesError::VaultFull.code());
    let refused = OrderRefused { by, price: 2 * ONE, reason, fee: 1_000 };
    assert_eq!(receipt.assert_ok().events::<OrderRefused>(), [refused]);
    assert_eq!((s.owed(s.ben), s.sums().vault), (109_000, vault + 1_000));
}

/// Whoever provides would be paid for taking the room away.
#[test]
fn who_finds_a_smaller_vault_pays_no_fee() {
    let mut s = setup();
    s.chain.send(s.keeper, &s.token, "mint", (s.ben, 100_000u128)).assert_ok();
    s.chain.advance_ms(PROVIDED_MS_MIN);
    s.set_price(s.price);
    s.send(s.keeper, "poke", ()).assert_ok();
    s.request(s.ben, true, true, 240_000, 110_000).assert_ok();
    s.send(s.provider, "take_out", (600_000u128, 0u128)).assert_ok();
    s.set_price(s.price);
    s.send(s.keeper, "poke", ()).assert_ok();
    let vault = s.sums().vault;
    let receipt = s.settle(s.ben, true);
    let (by, price, reason) = (s.ben, s.price, FuturesError::VaultFull.code());
    let refused = OrderRefused { by, price, reason, fee: 0 };
    assert_eq!(receipt.assert_ok().events::<OrderRefused>(), [refused]);
    assert_eq!((s.owed(s.ben), s.sums().vault), (110_000, vault));
}

/// Nor where a position stands behind it: its margin might be a profit, which pays no fee.
#[test]
fn what_grows_brings_its_fee() {
    let mut s = setup();
    s.long(s.ann, 10_000, 50_000).assert_ok();
    assert_refused(&s.long(s.ann, 10_000, 19), FuturesError::Unhealthy);
    assert_refused(&s.long(s.ann, 600_000, 1_199), FuturesError::Unhealthy);
    assert_refused(&s.long(s.ann, 600_000, 1_200), FuturesError::VaultFull);
    s.long(s.ann, 10_000, 20).assert_ok();
    assert_eq!(s.position(s.ann).margin, 50_000 - 20);
}

/// Longs and shorts as large need no room, however large they are: what the vault is worth must fit all the same.
#[test]
fn sides_stay_in_their_range() {
    let mut s = setup();
    s.set_price(1_000_000_000);
    s.chain.send(s.keeper, &s.token, "mint", (s.provider, 2_000_000 * ONE)).assert_ok();
    s.send(s.provider, "provide", (1_000_000 * ONE, 0u128)).assert_ok();
    s.send(s.keeper, "poke", ()).assert_ok();
    let mut n_open = 0;
    for n in 0..230 {
        let (who, long) = (s.chain.account(&std::format!("trader {n}")), n % 2 == 0);
        s.chain.send(s.keeper, &s.token, "mint", (who, 20 * ONE)).assert_ok();
        s.chain.send(who, &s.token, "approve", (s.market.address(), u128::MAX)).assert_ok();
        let receipt = s.trade(who, long, true, SIZE_MAX, 9 * ONE);
        if s.position(who).size > 0 {
            n_open += 1;
        } else {
            assert_refused(&receipt, FuturesError::VaultFull);
        }
    }
    s.send(s.provider, "provide", (1_000 * ONE, 0u128)).assert_ok();
    s.chain.advance_ms(PROVIDED_MS_MIN);
    s.send(s.provider, "take_out", (1_000 * ONE, 0u128)).assert_ok();
    let sums = s.sums();
    assert_eq!((n_open, sums.longs.size, sums.shorts.size), (32, SIDE_MAX, SIDE_MAX));
}

/// At the highest price and the furthest index.
#[test]
fn what_full_sides_are_worth_fits() {
    let vault = (1 << 127) - 1;
    for index in [0, INDEX_START, 2 * INDEX_START - 1] {
        let times = |size, by| mul_div_up(size, by, ONE).unwrap();
        let side = Side {
            size: SIDE_MAX,
            cost: times(SIDE_MAX, PRICE_MAX),
            funded: times(SIDE_MAX, 2 * INDEX_START - 1),
        };
        let sums = Sums { vault, shares: 1, longs: side, shorts: side };
        assert!(sums.worth(PRICE_MAX, index, true).unwrap().abs_diff(vault) <= 2);
    }
}
