//! Lending: the market has what it owes, and nobody takes out what others put in.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use kempe_abi::Address;
use kempe_lending::{
    Account, Accrued, Borrowed, Lending, Liquidated, Rates, Repaid, Terms, VIRTUAL_SHARES,
};
use kempe_oracle::{Oracle, ROUND_MS, Report, message};
use kempe_sdk::testing::{Campaign, Instance, TestChain, Tx};
use kempe_token::Token;

use crate::common::{any_size, balance, endow, expect, one};
use crate::{PEOPLE, run};

const ONE: u128 = 1_000_000_000_000_000_000;
const HOUR_MS: u64 = 3_600_000;
const DEBT_MIN: u128 = 100;

struct World {
    market: Instance<Lending>,
    oracle: Instance<Oracle>,
    loan: Instance<Token>,
    collateral: Instance<Token>,
    people: Vec<Address>,
    /// Whether debt was written off in a block before, since interest was last accrued.
    lost: Cell<bool>,
    /// Whether it was in this block.
    written_off: Cell<bool>,
    /// Who borrowed or repaid in this block, and was not liquidated since.
    borrowed: RefCell<BTreeSet<Address>>,
    /// What so many shares were worth behind the block before, if anybody had shares.
    worth: Cell<Option<u128>>,
}

/// A publication by the only reporter.
pub(crate) fn publish(
    chain: &TestChain,
    oracle: &Instance<Oracle>,
    reporter: Address,
    asset: Address,
    value: u128,
) -> Tx {
    let time_ms = chain.time_ms() / ROUND_MS * ROUND_MS;
    let message = message(1, oracle.address(), asset, value, time_ms);
    let signature = chain.sign(reporter, &message.0);
    oracle.tx(reporter, "publish", (asset, time_ms, vec![Report { reporter, value, signature }]))
}

fn setup(chain: &mut TestChain) -> World {
    let people: Vec<Address> = PEOPLE.map(|name| chain.account(name)).into();
    let [loan, collateral] = [0, 1].map(|_| chain.deploy::<Token>(people[0], (people[0],)));
    let oracle = chain.deploy::<Oracle>(people[0], (people[0], vec![people[0]], 1u8, 1u64));
    let terms = Terms {
        borrow_bp: 7_500,
        liquidation_bp: 8_000,
        bonus_bp: 1_000,
        reserve_bp: 1_000,
        base_rate: ONE / 50,
        low_slope: ONE / 5,
        high_slope: 3 * ONE,
        kink: ONE / 10 * 8,
        price_ms_max: 48 * HOUR_MS,
        debt_min: DEBT_MIN,
        treasurer: people[0],
    };
    let args = (loan.address(), collateral.address(), oracle.address(), terms);
    let market = chain.deploy::<Lending>(people[0], args);
    for token in [&loan, &collateral] {
        endow(chain, token, &people, 1 << 60, market.address());
        let price = publish(chain, &oracle, people[0], token.address(), ONE);
        chain.block([price]).assert_ok();
    }
    World {
        market,
        oracle,
        loan,
        collateral,
        people,
        lost: Cell::new(false),
        written_off: Cell::new(false),
        borrowed: RefCell::default(),
        worth: Cell::new(None),
    }
}

fn account(w: &World, chain: &mut TestChain, of: Address) -> Account {
    chain.view(&w.market, "account", (of,))
}

fn campaign() -> Campaign<World> {
    let amounts = [("add_collateral", 4), ("borrow", 6), ("repay", 3)];
    amounts
        .into_iter()
        .fold(Campaign::new(setup).blocks(10, 2 * HOUR_MS), |campaign, (method, weight)| {
            campaign.call(weight, method, move |w, rng, _| {
                w.market.tx(one(&w.people, rng), method, (any_size(rng, 40),))
            })
        })
        .call(5, "deposit", |w, rng, _| {
            w.market.tx(one(&w.people, rng), "deposit", (any_size(rng, 40), 0u128))
        })
        .call(3, "withdraw", |w, rng, chain| {
            let who = one(&w.people, rng);
            let shares = account(w, chain, who).supply / rng.u128(1..4);
            w.market.tx(who, "withdraw", (shares + u128::from(rng.bool()), 0u128))
        })
        .call(3, "remove_collateral", |w, rng, chain| {
            let who = one(&w.people, rng);
            let amount = account(w, chain, who).collateral / rng.u128(1..9);
            w.market.tx(who, "remove_collateral", (amount,))
        })
        .call(4, "liquidate", |w, rng, _| {
            let args = (one(&w.people, rng), any_size(rng, 45));
            w.market.tx(one(&w.people, rng), "liquidate", args)
        })
        .call(1, "accrue", |w, rng, _| w.market.tx(one(&w.people, rng), "accrue", ()))
        .call(1, "take_reserves", |w, rng, _| {
            w.market.tx(w.people[0], "take_reserves", (w.people[0], any_size(rng, 20)))
        })
        .attack(1, "take_reserves by another", |w, rng, _| {
            w.market.tx(w.people[1], "take_reserves", (w.people[1], any_size(rng, 20)))
        })
        .call(1, "publish", |w, rng, chain| {
            let asset = one(&[w.loan, w.collateral], rng).address();
            publish(chain, &w.oracle, w.people[0], asset, rng.u128(ONE / 2..2 * ONE))
        })
        .invariant("accounts add up to the totals", |w, chain| {
            let (_, supply, debt): (u128, u128, u128) = chain.view(&w.market, "totals", ());
            let accounts: Vec<Account> =
                w.people.iter().map(|who| account(w, chain, *who)).collect();
            let sums = accounts.iter().fold((0, 0), |s, a| (s.0 + a.supply, s.1 + a.debt));
            expect(sums == (supply, debt), || format!("{sums:?} {supply} {debt}"))
        })
        .invariant("the market has its cash and all collateral", |w, chain| {
            let (cash, ..): (u128, u128, u128) = chain.view(&w.market, "totals", ());
            let collateral: u128 =
                w.people.iter().map(|who| account(w, chain, *who).collateral).sum();
            let has = [w.loan, w.collateral].map(|t| balance(chain, &t, w.market.address()));
            expect(has == [cash, collateral], || format!("{has:?} {cash} {collateral}"))
        })
}

/// Nobody's shares lose what others gain.
fn solvent(campaign: Campaign<World>) -> Campaign<World> {
    campaign
        .observe(|w, _, receipt| {
            // A loss is the lenders' when interest is accrued in a later block.
            let written_off = receipt.events::<Liquidated>().iter().any(|event| event.bad_debt > 0);
            w.written_off.set(w.written_off.get() || written_off);
            if !receipt.events::<Accrued>().is_empty() {
                w.lost.set(false);
            }
            let mut borrowed = w.borrowed.borrow_mut();
            borrowed.extend(receipt.events::<Borrowed>().iter().map(|event| event.by));
            borrowed.extend(receipt.events::<Repaid>().iter().map(|event| event.by));
            for event in receipt.events::<Liquidated>() {
                borrowed.remove(&event.borrower);
            }
        })
        .invariant("cash and debt cover supply and reserves", |w, chain| {
            let (cash, supply, _): (u128, u128, u128) = chain.view(&w.market, "totals", ());
            let rates: Rates = chain.view::<Option<Rates>>(&w.market, "current_rates", ()).unwrap();
            let owed: u128 =
                w.people.iter().map(|who| chain.view::<u128>(&w.market, "debt_of", (*who,))).sum();
            let worth: u128 = chain.view(&w.market, "worth", (supply,));
            let lost = w.lost.get() || w.written_off.get();
            let reserves = if lost { 0 } else { rates.reserves };
            expect(cash + owed >= worth + reserves, || {
                format!("cash={cash} owed={owed} worth={worth} reserves={}", rates.reserves)
            })
        })
        .invariant("who borrows or repays owes enough, or nothing", |w, chain| {
            w.borrowed.take().into_iter().try_for_each(|who| {
                let owed: u128 = chain.view(&w.market, "debt_of", (who,));
                expect(owed == 0 || owed >= DEBT_MIN, || format!("{who} owes {owed}"))
            })
        })
        .invariant("a share's worth falls only by bad debt", |w, chain| {
            let (_, supply, _): (u128, u128, u128) = chain.view(&w.market, "totals", ());
            // Many, so that a small fall shows.
            let worth: u128 = chain.view(&w.market, "worth", (VIRTUAL_SHARES * ONE,));
            let before = w.worth.replace((supply > 0).then_some(worth));
            let fell = supply > 0 && before.is_some_and(|before| worth < before);
            let excused = w.written_off.take();
            w.lost.set(w.lost.get() || excused);
            expect(excused || !fell, || format!("{before:?} {worth}"))
        })
}

#[test]
fn lending() {
    let wasm = [kempe_contracts::LENDING, kempe_contracts::ORACLE, kempe_contracts::TOKEN];
    let summary = run::<Lending, _>(&solvent(campaign()), &wasm);
    assert!(summary.widest_batch > 1, "{summary:?}");
}
