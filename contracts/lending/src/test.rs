//! The market's rules, run natively.

extern crate std;

use kempe_math::ONE;
use kempe_oracle::{Oracle, ROUND_MS, Report, message};
use kempe_sdk::abi::{Encode, TrapKind};
use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, Receipt, TestChain, Tx};
use kempe_token::{Token, TokenError};

use crate::{
    ACCRUAL_MS_MAX, Account, Accrued, Borrowed, CollateralMoved, DEBT_INDEX_MAX, Deposited,
    INVESTED_START, Lending, LendingError, Liquidated, RATE_MAX, RATE_MS, Rates, Repaid,
    ReservesTaken, SAMPLE_MS_MAX, Terms, VIRTUAL_SHARES, Withdrawn, YEAR_MS,
};

/// An hour.
const HOUR_MS: u64 = 3_600_000;

/// The shares of the first units.
const SHARES: u128 = VIRTUAL_SHARES;

pub(crate) fn terms(treasurer: Address) -> Terms {
    Terms {
        borrow_bp: 7_500,
        liquidation_bp: 8_000,
        bonus_bp: 500,
        reserve_bp: 1_000,
        base_rate: ONE / 100,
        low_slope: ONE / 10,
        high_slope: ONE,
        kink: ONE / 10 * 8,
        price_ms_max: 2 * HOUR_MS,
        debt_min: 0,
        treasurer,
    }
}

struct Setup {
    chain: TestChain,
    loan: Instance<Token>,
    collateral: Instance<Token>,
    oracle: Instance<Oracle>,
    market: Instance<Lending>,
    treasurer: Address,
    lender: Address,
    borrower: Address,
    liquidator: Address,
}

/// A market in which one of the collateral costs two of the loan's.
fn setup() -> Setup {
    let mut chain = TestChain::native();
    let [treasurer, lender, borrower, liquidator] =
        ["treasurer", "lender", "borrower", "liquidator"].map(|name| chain.account(name));
    let loan = chain.deploy::<Token>(treasurer, (treasurer,));
    let collateral = chain.deploy::<Token>(treasurer, (treasurer,));
    let oracle = chain.deploy::<Oracle>(treasurer, (treasurer, vec![treasurer], 1u8, 1u64));
    let args = (loan.address(), collateral.address(), oracle.address(), terms(treasurer));
    let market = chain.deploy::<Lending>(treasurer, args);
    for token in [&loan, &collateral] {
        for who in [lender, borrower, liquidator] {
            chain.send(treasurer, token, "mint", (who, 1_000_000u128)).assert_ok();
            chain.send(who, token, "approve", (market.address(), u128::MAX)).assert_ok();
        }
    }
    let mut s =
        Setup { chain, loan, collateral, oracle, market, treasurer, lender, borrower, liquidator };
    s.set_price(s.loan, ONE);
    s.set_price(s.collateral, 2 * ONE);
    s
}

impl Setup {
    fn set_price(&mut self, of: Instance<Token>, value: u128) {
        // Each price is of a round of its own.
        self.chain.advance_ms(ROUND_MS);
        let publication = self.publication(of, value);
        self.chain.block([publication]).assert_ok();
    }

    fn publication(&self, of: Instance<Token>, value: u128) -> Tx {
        let (asset, now_ms) = (of.address(), self.chain.time_ms());
        let time_ms = now_ms - now_ms % ROUND_MS;
        let message = message(1, self.oracle.address(), asset, value, time_ms);
        let signature = self.chain.sign(self.treasurer, &message.0);
        let reports = vec![Report { reporter: self.treasurer, value, signature }];
        self.oracle.tx(self.treasurer, "publish", (asset, time_ms, reports))
    }

    fn send(&mut self, by: Address, method: &str, args: impl Encode) -> Receipt {
        self.chain.send(by, &self.market, method, args)
    }

    /// Accrues every ten minutes until the rate is where utilization has it.
    fn follow(&mut self) {
        for _ in 0..RATE_MS / SAMPLE_MS_MAX + 2 {
            self.send(self.treasurer, "accrue", ()).assert_ok();
            let Rates { debt_rate, found, .. } = self.rates();
            if debt_rate.abs_diff(found) <= found / 10_000 {
                return;
            }
            self.chain.advance_ms(SAMPLE_MS_MAX);
        }
        panic!("{:?}", self.rates());
    }

    fn rates(&mut self) -> Rates {
        self.chain.view::<Option<Rates>>(&self.market, "current_rates", ()).unwrap()
    }

    fn account(&mut self, of: Address) -> Account {
        self.chain.view(&self.market, "account", (of,))
    }

    fn totals(&mut self) -> (u128, u128, u128) {
        self.chain.view(&self.market, "totals", ())
    }

    fn has(&mut self, token: Instance<Token>, of: Address) -> u128 {
        self.chain.view(&token, "balance", (of,))
    }

    /// 100,000 lent, 10,000 of collateral, and a debt.
    fn with_debt(&mut self, amount: u128) {
        self.send(self.lender, "deposit", (100_000u128, 0u128)).assert_ok();
        self.send(self.borrower, "add_collateral", (10_000u128,)).assert_ok();
        self.send(self.borrower, "borrow", (amount,)).assert_ok();
    }
}

#[test]
fn deposits_and_withdrawals_are_shares() {
    let mut s = setup();
    let receipt = s.send(s.lender, "deposit", (1_000u128, 0u128));
    let deposited = Deposited { by: s.lender, amount: 1_000, shares: 1_000 * SHARES };
    assert_eq!(receipt.events::<Deposited>(), [deposited]);
    assert_eq!(s.totals(), (1_000, 1_000 * SHARES, 0));
    let receipt = s.send(s.lender, "withdraw", (400 * SHARES, 0u128));
    let withdrawn = Withdrawn { by: s.lender, amount: 400, shares: 400 * SHARES };
    assert_eq!(receipt.events::<Withdrawn>(), [withdrawn]);
    s.send(s.lender, "withdraw", (601 * SHARES, 0u128)).assert_revert(LendingError::Insufficient);
    s.send(s.lender, "withdraw", (0u128, 0u128)).assert_revert(LendingError::ZeroAmount);
    s.send(s.lender, "deposit", (0u128, 0u128)).assert_revert(LendingError::ZeroAmount);
    s.send(s.lender, "deposit", (2_000_000u128, 0u128))
        .assert_revert(TokenError::InsufficientBalance);
    assert_eq!((s.has(s.loan, s.market.address()), s.totals()), (600, (600, 600 * SHARES, 0)));
}

#[test]
fn a_loan_is_limited_by_its_collateral() {
    let mut s = setup();
    s.send(s.lender, "deposit", (100_000u128, 0u128)).assert_ok();
    s.send(s.borrower, "borrow", (1u128,)).assert_revert(LendingError::Unhealthy);
    let receipt = s.send(s.borrower, "add_collateral", (10_000u128,));
    let moved = CollateralMoved { by: s.borrower, amount: 10_000, added: true };
    assert_eq!(receipt.events::<CollateralMoved>(), [moved]);
    // 10,000 are worth 20,000, of which 75 % can be borrowed.
    s.send(s.borrower, "borrow", (15_001u128,)).assert_revert(LendingError::Unhealthy);
    let receipt = s.send(s.borrower, "borrow", (14_999u128,));
    let [borrowed] = &receipt.assert_ok().events::<Borrowed>()[..] else { panic!("one event") };
    assert_eq!((borrowed.amount, borrowed.by), (14_999, s.borrower));
    assert!(borrowed.shares <= 14_999);
    s.send(s.borrower, "remove_collateral", (100u128,)).assert_revert(LendingError::Unhealthy);
    s.send(s.borrower, "remove_collateral", (10_001u128,))
        .assert_revert(LendingError::Insufficient);
    for method in ["remove_collateral", "add_collateral", "borrow"] {
        s.send(s.borrower, method, (0u128,)).assert_revert(LendingError::ZeroAmount);
    }
    assert_eq!(s.has(s.loan, s.borrower), 1_014_999);
    s.send(s.borrower, "repay", (u128::MAX,)).assert_ok();
    s.send(s.borrower, "repay", (1u128,)).assert_revert(LendingError::ZeroAmount);
    s.send(s.borrower, "remove_collateral", (10_000u128,)).assert_ok();
    assert_eq!(s.account(s.borrower), Account::default());
}

#[test]
fn interest_goes_from_borrowers_to_lenders_and_reserves() {
    let mut s = setup();
    s.with_debt(10_000);
    s.follow();
    // 10 % are borrowed: an eighth of the way to the kink, 1 % + 1.25 %.
    assert_eq!(s.rates().debt_rate / (ONE / 1_000_000), 22_500);
    s.chain.advance_ms(ACCRUAL_MS_MAX * 50);
    let receipt = s.send(s.treasurer, "accrue", ());
    assert_eq!(receipt.assert_ok().events::<Accrued>().len(), 1);
    // Fifty days at 2.25 % are 30.8.
    let debt: u128 = s.chain.view(&s.market, "debt_of", (s.borrower,));
    assert_eq!(debt, 10_031);
    let receipt = s.send(s.borrower, "repay", (u128::MAX,));
    let [repaid] = &receipt.assert_ok().events::<Repaid>()[..] else { panic!("one event") };
    assert_eq!((repaid.amount, s.account(s.borrower).debt), (10_031, 0));
    s.send(s.treasurer, "accrue", ()).assert_ok();
    let (cash, supply, debt) = s.totals();
    assert_eq!((cash, supply, debt), (100_031, 100_000 * SHARES, 0));
    assert_eq!(s.rates().reserves, 3);
    s.send(s.lender, "take_reserves", (s.lender, 1u128)).assert_revert(LendingError::NotTreasurer);
    s.send(s.treasurer, "take_reserves", (s.lender, 4u128))
        .assert_revert(LendingError::Insufficient);
    s.send(s.treasurer, "take_reserves", (s.treasurer, 3u128)).assert_ok();
    let all: u128 = s.send(s.lender, "withdraw", (100_000 * SHARES, 0u128)).value();
    assert!((100_026..=100_028).contains(&all), "{all}");
    // What rounding left belongs to nobody, so to the reserves.
    s.send(s.treasurer, "accrue", ()).assert_ok();
    assert_eq!(s.rates().reserves, s.totals().0);
}

/// Of a million 750,000 are borrowed after the last accrual; a day later somebody comes with nine million.
#[test]
fn nobody_buys_into_interest_that_others_earned() {
    let mut s = setup();
    for (token, who) in [(s.loan, s.liquidator), (s.collateral, s.borrower)] {
        s.chain.send(s.treasurer, &token, "mint", (who, 8_000_000u128)).assert_ok();
    }
    s.send(s.lender, "deposit", (1_000_000u128, 0u128)).assert_ok();
    s.send(s.treasurer, "accrue", ()).assert_ok();
    s.send(s.borrower, "add_collateral", (1_000_000u128,)).assert_ok();
    s.send(s.borrower, "borrow", (750_000u128,)).assert_ok();
    s.chain.advance_ms(24 * HOUR_MS);
    let before: u128 = s.chain.view(&s.market, "worth", (1_000_000 * SHARES,));
    assert!((1_000_015..=1_000_020).contains(&before), "{before}");
    let shares: u128 = s.send(s.liquidator, "deposit", (9_000_000u128, 0u128)).value();
    s.send(s.treasurer, "accrue", ()).assert_ok();
    let back: u128 = s.send(s.liquidator, "withdraw", (shares, 0u128)).value();
    assert!((8_999_990..=9_000_000).contains(&back), "{back}");
    // Nor did the reserves take the deposit, or the withdrawal, for a part of the interest.
    assert!(s.rates().reserves <= 2, "{:?}", s.rates());
    let after: u128 = s.chain.view(&s.market, "worth", (1_000_000 * SHARES,));
    assert!((before..before + 3).contains(&after), "{before} {after}");
}

/// In whichever order interest is accrued and shares are bought and sold in a block, they have one price.
#[test]
fn one_block_has_one_price() {
    let mut s = setup();
    s.with_debt(14_000);
    s.send(s.liquidator, "deposit", (100_000u128, 0u128)).assert_ok();
    s.chain.advance_ms(50 * ACCRUAL_MS_MAX);
    let shares = s.account(s.lender).supply / 2;
    let report = s.chain.block([
        s.market.tx(s.lender, "withdraw", (shares, 0u128)),
        s.market.tx(s.treasurer, "accrue", ()),
        s.market.tx(s.liquidator, "withdraw", (shares, 0u128)),
    ]);
    let paid = [0, 2].map(|tx| report.assert_ok().receipts[tx].value::<u128>());
    assert!(paid[0] == paid[1] && paid[0] > 50_000, "{paid:?}");
}

/// A sole lender borrows from itself, leaves little but much debt, pays it with the interest of a thousand years,
/// keeps one share, and waits for others.
#[test]
fn a_share_cannot_be_made_too_expensive_for_others() {
    let mut s = setup();
    s.chain.send(s.treasurer, &s.loan, "mint", (s.lender, 9_000_000u128)).assert_ok();
    s.send(s.lender, "deposit", (1_000_000u128, 0u128)).assert_ok();
    s.send(s.lender, "add_collateral", (900_000u128,)).assert_ok();
    s.send(s.lender, "borrow", (900_000u128,)).assert_ok();
    s.follow();
    s.chain.advance_ms(365 * ACCRUAL_MS_MAX);
    s.send(s.lender, "repay", (1_400_000u128,)).assert_ok();
    let most = s.account(s.lender).supply / 100 * 96;
    s.send(s.lender, "withdraw", (most, 0u128)).assert_ok();
    s.follow();
    s.chain.advance_ms(1_000 * 365 * ACCRUAL_MS_MAX);
    s.send(s.lender, "repay", (u128::MAX,)).assert_ok();
    let all_but_one = s.account(s.lender).supply - 1;
    s.send(s.lender, "withdraw", (all_but_one, 0u128)).assert_ok();
    s.send(s.treasurer, "accrue", ()).assert_ok();
    let cost: u128 = s.chain.view(&s.market, "worth", (SHARES,));
    assert!(cost > 50, "{cost}");
    let shares: u128 = s.send(s.borrower, "deposit", (260u128, 0u128)).value();
    s.send(s.lender, "withdraw", (1u128, 0u128)).assert_revert(LendingError::ZeroAmount);
    let back: u128 = s.send(s.borrower, "withdraw", (shares, 0u128)).value();
    assert!((259..=260).contains(&back), "{back} for {shares}");
}

#[test]
fn shares_have_a_limit_of_the_callers() {
    let mut s = setup();
    let too_many = (1_000u128, 1_000 * SHARES + 1);
    s.send(s.lender, "deposit", too_many).assert_revert(LendingError::Slippage);
    s.send(s.lender, "deposit", (1_000u128, 1_000 * SHARES)).assert_ok();
    s.send(s.lender, "withdraw", (SHARES, 2u128)).assert_revert(LendingError::Slippage);
    s.send(s.lender, "withdraw", (SHARES, 1u128)).assert_ok();
}

/// The last lender leaves one share, and a debt grows for as long as it takes: the market goes on.
#[test]
fn interest_ends_where_the_index_does() {
    let mut s = setup();
    s.with_debt(14_000);
    s.send(s.lender, "withdraw", (85_999 * SHARES, 0u128)).assert_ok();
    for _ in 0..40 {
        s.chain.advance_ms(10 * 365 * ACCRUAL_MS_MAX);
        s.send(s.treasurer, "accrue", ()).assert_ok();
    }
    assert_eq!(s.rates().debt_index, DEBT_INDEX_MAX);
    let shares: u128 = s.send(s.liquidator, "deposit", (1_000_000u128, 0u128)).value();
    let back: u128 = s.send(s.liquidator, "withdraw", (shares, 0u128)).value();
    assert!(back <= 1_000_000, "{back}");
    s.send(s.borrower, "repay", (1_000u128,)).assert_revert(LendingError::ZeroAmount);
    let debt: u128 = s.chain.view(&s.market, "debt_of", (s.borrower,));
    s.chain.send(s.treasurer, &s.loan, "mint", (s.borrower, debt)).assert_ok();
    s.send(s.borrower, "repay", (u128::MAX,)).assert_ok();
    s.send(s.treasurer, "accrue", ()).assert_ok();
    assert_eq!(s.account(s.borrower).debt, 0);
}

#[test]
fn a_debt_that_is_not_covered_is_liquidated() {
    let mut s = setup();
    s.with_debt(14_000);
    let all = (s.borrower, u128::MAX);
    s.send(s.liquidator, "liquidate", all).assert_revert(LendingError::Healthy);
    s.set_price(s.collateral, ONE * 17 / 10);
    let nothing = (s.borrower, 0u128);
    s.send(s.liquidator, "liquidate", nothing).assert_revert(LendingError::ZeroAmount);
    let receipt = s.send(s.liquidator, "liquidate", (s.borrower, 1_700u128));
    // 1,700 are a thousand of the collateral, and 5 % on top.
    assert_eq!(receipt.value::<(u128, u128)>(), (1_700, 1_050));
    assert_eq!(s.account(s.borrower).collateral, 8_950);
    assert_eq!(s.has(s.collateral, s.liquidator), 1_001_050);
    let event = Liquidated {
        borrower: s.borrower,
        by: s.liquidator,
        repaid: 1_700,
        seized: 1_050,
        bad_debt: 0,
    };
    assert_eq!(receipt.events::<Liquidated>(), [event]);
}

#[test]
fn lenders_bear_bad_debt() {
    let mut s = setup();
    s.with_debt(14_000);
    s.set_price(s.collateral, ONE);
    let receipt = s.send(s.liquidator, "liquidate", (s.borrower, u128::MAX));
    let [event] = &receipt.assert_ok().events::<Liquidated>()[..] else { panic!("one event") };
    // All the collateral, worth 10,000, for 10,000 / 1.05.
    assert_eq!((event.repaid, event.seized), (9_524, 10_000));
    assert!((4_476..=4_478).contains(&event.bad_debt), "{event:?}");
    assert_eq!(s.account(s.borrower), Account::default());
    s.send(s.treasurer, "accrue", ()).assert_ok();
    assert_eq!(s.totals(), (95_524, 100_000 * SHARES, 0));
    assert_eq!(s.rates().lent, 95_524);
    assert_eq!(s.send(s.lender, "withdraw", (100_000 * SHARES, 0u128)).value::<u128>(), 95_524);
}

/// A liquidator leaves next to nothing of the collateral, so that the rest of the debt looks like one that is still paid.
#[test]
fn debt_that_nothing_stands_behind_is_written_off() {
    let mut s = setup();
    s.with_debt(14_000);
    s.set_price(s.collateral, ONE);
    let receipt = s.send(s.liquidator, "liquidate", (s.borrower, 9_500u128));
    let [event] = &receipt.assert_ok().events::<Liquidated>()[..] else { panic!("one event") };
    let left = s.account(s.borrower);
    assert_eq!((event.repaid, event.seized, left.collateral), (9_500, 9_975, 25));
    assert!((4_470..=4_478).contains(&event.bad_debt), "{event:?}");
    // What is left of the debt is what is paid for the rest.
    let debt: u128 = s.chain.view(&s.market, "debt_of", (s.borrower,));
    assert!((23..=25).contains(&debt), "{debt}");
}

/// Debts of next to nothing would be worth nobody's liquidation.
#[test]
fn no_debt_is_too_small_to_be_liquidated() {
    let mut s = setup();
    let terms = Terms { debt_min: 500, ..terms(s.treasurer) };
    let args = (s.loan.address(), s.collateral.address(), s.oracle.address(), terms);
    s.market = s.chain.deploy::<Lending>(s.treasurer, args);
    for (token, who) in [(s.loan, s.lender), (s.loan, s.borrower), (s.collateral, s.borrower)] {
        s.chain.send(who, &token, "approve", (s.market.address(), u128::MAX)).assert_ok();
    }
    s.send(s.lender, "deposit", (100_000u128, 0u128)).assert_ok();
    s.send(s.borrower, "add_collateral", (1_000u128,)).assert_ok();
    s.send(s.borrower, "borrow", (498u128,)).assert_revert(LendingError::TooSmall);
    s.send(s.borrower, "borrow", (501u128,)).assert_ok();
    s.send(s.borrower, "borrow", (1u128,)).assert_ok();
    s.send(s.borrower, "repay", (10u128,)).assert_revert(LendingError::TooSmall);
    s.send(s.borrower, "repay", (2u128,)).assert_ok();
    s.send(s.borrower, "repay", (u128::MAX,)).assert_ok();
    assert_eq!(s.account(s.borrower).debt, 0);
}

/// Neither who pays in nor who takes out for a part of a block sets a rate that stays.
#[test]
fn the_rate_is_that_of_what_was_lent_before_the_block() {
    let mut s = setup();
    s.with_debt(14_000);
    s.follow();
    let rate = s.rates().debt_rate;
    let shares = 80_000 * SHARES;
    let report = s.chain.block([
        s.market.tx(s.lender, "withdraw", (shares, 0u128)),
        s.market.tx(s.treasurer, "accrue", ()),
        s.market.tx(s.lender, "deposit", (79_000u128, 0u128)),
    ]);
    report.assert_ok();
    let after = s.rates().debt_rate;
    assert!(after.abs_diff(rate) <= rate / 1_000, "{rate} {after}");
}

/// A lender borrows what is left over the end of a block, and accrues in the next one while it pays back.
#[test]
fn one_sample_moves_no_rate() {
    let mut s = setup();
    s.with_debt(14_000);
    s.send(s.liquidator, "add_collateral", (500_000u128,)).assert_ok();
    s.follow();
    let rate = s.rates().debt_rate;
    for _ in 0..3 {
        for asset in [s.loan, s.collateral] {
            s.set_price(asset, ONE);
        }
        s.send(s.liquidator, "borrow", (85_900u128,)).assert_ok();
        let report = s.chain.block([
            s.market.tx(s.treasurer, "accrue", ()),
            s.market.tx(s.liquidator, "repay", (u128::MAX,)),
        ]);
        report.assert_ok();
        let spoiled = s.rates();
        assert!(spoiled.found > 40 * rate, "{spoiled:?}");
        assert!(spoiled.debt_rate.abs_diff(rate) <= rate / 1_000, "{rate} {spoiled:?}");
        s.chain.advance_ms(SAMPLE_MS_MAX);
        s.send(s.treasurer, "accrue", ()).assert_ok();
        let after = s.rates();
        assert!(after.debt_rate.abs_diff(rate) <= rate / 1_000, "{rate} {after:?}");
        s.chain.advance_ms(HOUR_MS);
    }
}

/// Utilization that stays arrives, whether interest is accrued every ten minutes or in every block.
#[test]
fn the_rate_follows_within_hours() {
    for every_ms in [SAMPLE_MS_MAX, 60_000] {
        let mut s = setup();
        s.with_debt(10_000);
        s.follow();
        let (rate, range) = (s.rates().debt_rate, ONE / 10 * 11);
        s.send(s.lender, "withdraw", (88_800 * SHARES, 0u128)).assert_ok();
        s.send(s.treasurer, "accrue", ()).assert_ok();
        assert!(s.rates().debt_rate.abs_diff(rate) < rate / 1_000);
        let mut hours = Vec::new();
        while hours.last() != Some(&s.rates().found) {
            for _ in 0..HOUR_MS / every_ms {
                s.chain.advance_ms(every_ms - 1_000);
                s.send(s.treasurer, "accrue", ()).assert_ok();
            }
            hours.push(s.rates().debt_rate);
            assert!(hours.len() <= 14, "{hours:?}");
        }
        // A 24th of the way in an hour.
        let (moved, hour) = (hours[0] - rate, range / 24);
        assert!(moved > hour / 10 * 9 && moved <= hour / 10 * 11, "{moved} {hour}");
    }
}

#[test]
fn a_rate_moves_by_what_the_time_permits() {
    let rates = Rates {
        time_ms: 0,
        debt_index: ONE,
        debt_rate: ONE,
        reserves: 0,
        lent: 0,
        invested: INVESTED_START,
        found: 2 * ONE,
    };
    let range = 144 * ONE;
    for (found, time_ms, rate) in [
        // The samples agree about what is above the rate.
        (2 * ONE, SAMPLE_MS_MAX / 2, ONE / 2 * 3),
        (3 * ONE, SAMPLE_MS_MAX, 2 * ONE),
        (5 * ONE / 4, SAMPLE_MS_MAX, 5 * ONE / 4),
        // However long nobody looked.
        (100 * ONE, u64::MAX, 2 * ONE),
        // They do not.
        (ONE, SAMPLE_MS_MAX, ONE),
        (0, SAMPLE_MS_MAX, ONE),
        // No time at all.
        (3 * ONE, 0, ONE),
    ] {
        assert_eq!(rates.rate_towards(found, range, time_ms), rate, "{found} {time_ms}");
    }
    let high = Rates { debt_rate: 100 * ONE, found: 200 * ONE, ..rates };
    assert_eq!(high.rate_towards(300 * ONE, range, u64::MAX), 101 * ONE);
    let falls = Rates { debt_rate: 3 * ONE, ..rates };
    assert_eq!(falls.rate_towards(0, range, SAMPLE_MS_MAX), 2 * ONE);
    // A range that is next to nothing, and a time that is.
    assert_eq!(rates.rate_towards(2 * ONE, 1, 1), ONE + 1);
    assert_eq!(rates.rate_towards(2 * ONE, 0, SAMPLE_MS_MAX), ONE);
}

#[test]
fn collateral_without_debt_leaves_without_a_price() {
    let mut s = setup();
    s.send(s.borrower, "add_collateral", (10u128,)).assert_ok();
    s.chain.advance_ms(100 * HOUR_MS);
    s.send(s.borrower, "remove_collateral", (10u128,)).assert_ok();
}

#[test]
fn beyond_the_cash_nothing_goes_out() {
    let mut s = setup();
    s.with_debt(14_000);
    s.send(s.lender, "withdraw", (90_000 * SHARES, 0u128))
        .assert_revert(TokenError::InsufficientBalance);
    // What somebody gave the market is not its cash.
    let args = (s.market.address(), 1_000_000u128);
    s.chain.send(s.treasurer, &s.loan, "mint", args).assert_ok();
    s.send(s.lender, "withdraw", (90_000 * SHARES, 0u128))
        .assert_trap(TrapKind::CounterOutOfBounds);
    s.send(s.lender, "withdraw", (86_000 * SHARES, 0u128)).assert_ok();
    s.send(s.borrower, "add_collateral", (10_000u128,)).assert_ok();
    s.send(s.borrower, "borrow", (1u128,)).assert_trap(TrapKind::CounterOutOfBounds);
}

#[test]
fn stale_prices_and_rates_are_refused() {
    let mut s = setup();
    s.with_debt(1_000);
    s.chain.advance_ms(2 * HOUR_MS);
    s.send(s.borrower, "borrow", (1u128,)).assert_revert(LendingError::NoPrice);
    s.send(s.borrower, "remove_collateral", (1u128,)).assert_revert(LendingError::NoPrice);
    let all = (s.borrower, u128::MAX);
    s.send(s.liquidator, "liquidate", all).assert_revert(LendingError::NoPrice);
    s.chain.advance_ms(ACCRUAL_MS_MAX);
    s.send(s.borrower, "borrow", (1u128,)).assert_revert(LendingError::NotAccrued);
    // A debt can always be paid, and shares have their price.
    s.send(s.lender, "deposit", (10u128, 0u128)).assert_ok();
    s.send(s.lender, "withdraw", (10 * SHARES, 0u128)).assert_ok();
    s.send(s.borrower, "repay", (u128::MAX,)).assert_ok();
}

#[test]
fn terms_that_are_not_sound() {
    let mut s = setup();
    let good = terms(s.treasurer);
    let (loan, collateral, oracle) = (s.loan.address(), s.collateral.address(), s.oracle.address());
    for (collateral, terms) in [
        (loan, good),
        (collateral, Terms { borrow_bp: 0, ..good }),
        (collateral, Terms { borrow_bp: 8_000, ..good }),
        (collateral, Terms { liquidation_bp: 9_600, ..good }),
        (collateral, Terms { reserve_bp: 10_000, ..good }),
        (collateral, Terms { base_rate: RATE_MAX, ..good }),
        (collateral, Terms { base_rate: u128::MAX, ..good }),
        (collateral, Terms { kink: 0, ..good }),
        (collateral, Terms { kink: ONE, ..good }),
    ] {
        let refused = s.chain.try_deploy::<Lending>(s.lender, (loan, collateral, oracle, terms));
        refused.unwrap_err().assert_revert(LendingError::BadTerms);
    }
}

#[test]
fn the_rate_has_a_kink() {
    let terms = terms(Address::ZERO);
    for (utilization, rate) in [
        (0, ONE / 100),
        (ONE / 10 * 4, ONE / 100 * 6),
        (ONE / 10 * 8, ONE / 100 * 11),
        (ONE / 10 * 9, ONE / 100 * 61),
        (ONE, ONE / 100 * 111),
        (2 * ONE, ONE / 100 * 111),
    ] {
        assert_eq!(terms.rate(utilization), rate);
    }
    let rates = Rates {
        time_ms: 0,
        debt_index: ONE,
        debt_rate: ONE,
        reserves: 0,
        lent: 0,
        invested: INVESTED_START,
        found: ONE,
    };
    assert_eq!(rates.debt_index_at(u64::try_from(YEAR_MS).unwrap() / 2), ONE / 2 * 3);
    let large = Rates { debt_index: DEBT_INDEX_MAX, ..rates };
    assert_eq!(large.debt_index_at(u64::MAX), DEBT_INDEX_MAX);
}

#[test]
fn accounts_do_not_wait_for_each_other() {
    let mut s = setup();
    s.with_debt(1_000);
    s.send(s.liquidator, "add_collateral", (10_000u128,)).assert_ok();
    // Different tokens go different ways, so that only the market itself could be in the way.
    let report = s.chain.block([
        s.market.tx(s.lender, "deposit", (5u128, 0u128)),
        s.market.tx(s.borrower, "add_collateral", (7u128,)),
        s.market.tx(s.treasurer, "accrue", ()),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1, 2]]);
    let report = s.chain.block([
        s.market.tx(s.borrower, "borrow", (10u128,)),
        s.market.tx(s.treasurer, "accrue", ()),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1]]);
}

/// Interest is accrued by what there was before the block, so a block accrues once. What was taken out before is no gain, and stops nobody.
#[test]
fn a_block_accrues_once() {
    let mut s = setup();
    s.with_debt(14_000);
    s.chain.advance_ms(500 * ACCRUAL_MS_MAX);
    let accrue = |s: &Setup| s.market.tx(s.treasurer, "accrue", ());
    let debt: u128 = s.chain.view(&s.market, "debt_of", (s.borrower,));
    let report = s.chain.block([accrue(&s), accrue(&s)]);
    report.receipts[0].assert_ok();
    report.receipts[1].assert_revert(LendingError::AlreadyAccrued);
    let rates = s.rates();
    assert!(rates.reserves > 3, "{rates:?}");
    let now: u128 = s.chain.view(&s.market, "debt_of", (s.borrower,));
    assert!(now.abs_diff(debt) <= 1, "{now} {debt}");
    let take = s.market.tx(s.treasurer, "take_reserves", (s.lender, rates.reserves));
    let report = s.chain.block([take, accrue(&s)]);
    let taken = ReservesTaken { to: s.lender, amount: rates.reserves };
    assert_eq!(report.receipts[0].assert_ok().events::<ReservesTaken>(), [taken]);
    report.receipts[1].assert_ok();
    let before = s.rates();
    assert!(before.reserves == 0 && before.lent.abs_diff(rates.lent) <= 1, "{before:?} {rates:?}");
    s.chain.advance_ms(500 * ACCRUAL_MS_MAX);
    let take = s.market.tx(s.treasurer, "take_reserves", (s.lender, 3u128));
    s.chain.block([accrue(&s), take]).assert_ok();
    let after = s.rates();
    s.send(s.treasurer, "accrue", ()).assert_ok();
    let then = s.rates();
    assert!(then.reserves == after.reserves && then.lent.abs_diff(after.lent) <= 1, "{then:?}");
}

/// What came in and went out again is counted nowhere, so nobody fills a sum with it.
#[test]
fn going_in_and_out_leaves_no_trace() {
    let mut s = setup();
    s.with_debt(1_000);
    s.send(s.treasurer, "accrue", ()).assert_ok();
    let before = s.rates();
    for _ in 0..3 {
        let shares: u128 = s.send(s.liquidator, "deposit", (1_000_000u128, 0u128)).value();
        s.send(s.liquidator, "withdraw", (shares, 0u128)).assert_ok();
    }
    s.send(s.treasurer, "accrue", ()).assert_ok();
    assert_eq!(s.rates().invested, before.invested);
}

/// A price holds from the block after its publication on, so nobody waits for one.
#[test]
fn publications_and_borrowers_run_at_once() {
    let mut s = setup();
    s.with_debt(1_000);
    s.chain.advance_ms(ROUND_MS);
    let report = s.chain.block([
        s.publication(s.collateral, ONE / 1_000),
        s.publication(s.loan, 2 * ONE),
        s.market.tx(s.borrower, "borrow", (10u128,)),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1, 2]]);
    s.send(s.borrower, "borrow", (1u128,)).assert_revert(LendingError::Unhealthy);
}
