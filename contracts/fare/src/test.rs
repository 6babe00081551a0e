//! The fare collection's rules, run natively.

extern crate std;

use std::vec::Vec;

use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, Receipt, TestChain, Tx};
use kempe_token::Token;

use crate::{
    DAY_MS, Fare, FareError, PaidIn, PaidOut, Rider, Rode, Settled, TRANSFER_MS, Tariff, TariffSet,
};

const TARIFF: Tariff = Tariff { base: 200, per_zone: 50, daily_cap: 700 };

struct Setup {
    chain: TestChain,
    token: Instance<Token>,
    fare: Instance<Fare>,
    authority: Address,
    metro: Address,
    bus: Address,
    ann: Address,
    ben: Address,
}

fn setup() -> Setup {
    let mut chain = TestChain::native();
    let [authority, metro, bus, ann, ben] =
        ["authority", "metro", "bus", "ann", "ben"].map(|name| chain.account(name));
    let token = chain.deploy::<Token>(authority, (authority,));
    let fare = chain.deploy::<Fare>(authority, (token.address(), authority));
    for operator in [metro, bus] {
        chain.send(authority, &fare, "set_tariff", (operator, TARIFF)).assert_ok();
    }
    for rider in [ann, ben] {
        chain.send(authority, &token, "mint", (rider, 10_000u128)).assert_ok();
        chain.send(rider, &token, "approve", (fare.address(), u128::MAX)).assert_ok();
        chain.send(rider, &fare, "pay_in", (5_000u128,)).assert_ok();
    }
    chain.set_time_ms(10 * DAY_MS);
    Setup { chain, token, fare, authority, metro, bus, ann, ben }
}

impl Setup {
    fn send(&mut self, by: Address, method: &str, args: impl kempe_sdk::abi::Encode) -> Receipt {
        self.chain.send(by, &self.fare, method, args)
    }

    fn ride(&mut self, rider: Address, operator: Address, from: u16, to: u16) -> u128 {
        self.send(rider, "tap_in", (operator, from)).assert_ok();
        self.send(rider, "tap_out", (operator, to)).assert_ok().value()
    }

    fn rider(&mut self, of: Address) -> Rider {
        self.chain.view(&self.fare, "rider", (of,))
    }
}

#[test]
fn a_ride_costs_its_zones_in_either_direction() {
    let mut s = setup();
    assert_eq!(s.ride(s.ann, s.metro, 3, 5), 300);
    s.send(s.ben, "tap_in", (s.metro, 5u16)).assert_ok();
    let receipt = s.send(s.ben, "tap_out", (s.metro, 3u16));
    let event = Rode { rider: s.ben, operator: s.metro, from_zone: 5, to_zone: 3, fare: 300 };
    assert_eq!(receipt.assert_ok().events::<Rode>(), [event]);
    assert_eq!((s.rider(s.ann).balance, s.rider(s.ben).balance), (4_700, 4_700));
    assert_eq!(s.chain.view::<u128>(&s.fare, "earned", (s.metro,)), 600);
}

#[test]
fn the_days_rides_are_capped_and_the_next_day_begins_anew() {
    let mut s = setup();
    assert_eq!([1, 2, 3].map(|_| s.ride(s.ann, s.metro, 0, 2)), [300, 300, 100]);
    assert_eq!(s.ride(s.ann, s.metro, 0, 8), 0);
    s.chain.set_time_ms(11 * DAY_MS);
    assert_eq!(s.ride(s.ann, s.metro, 0, 0), 200);
    let rider = s.rider(s.ann);
    assert_eq!((rider.day, rider.spent), (11, 200));
}

#[test]
fn a_transfer_to_another_operator_waives_the_base_fare() {
    let mut s = setup();
    assert_eq!(s.ride(s.ann, s.metro, 0, 1), 250);
    // The same operator again is no transfer; another one is, for an hour.
    assert_eq!(s.ride(s.ann, s.metro, 1, 1), 200);
    assert_eq!(s.ride(s.ann, s.bus, 1, 2), 50);
    s.chain.advance_ms(TRANSFER_MS);
    assert_eq!(s.ride(s.ann, s.metro, 1, 1), 200);
}

#[test]
fn who_cannot_pay_does_not_ride() {
    let mut s = setup();
    s.send(s.ann, "pay_out", (4_401u128,)).assert_ok();
    s.send(s.ann, "tap_in", (s.metro, 1u16)).assert_revert(FareError::InsufficientBalance);
    let receipt = s.send(s.ann, "pay_in", (1u128,));
    assert_eq!(receipt.assert_ok().events::<PaidIn>(), [PaidIn { rider: s.ann, amount: 1 }]);
    s.send(s.ann, "tap_in", (s.metro, 1u16)).assert_ok();
    // Riding too far costs the longest ride, not more.
    assert_eq!(s.send(s.ann, "tap_out", (s.metro, 60_000u16)).value::<u128>(), 600);
    assert_eq!(s.rider(s.ann).balance, 0);
}

#[test]
fn refusals() {
    let mut s = setup();
    s.send(s.ann, "tap_in", (s.ben, 1u16)).assert_revert(FareError::NoSuchOperator);
    s.send(s.ann, "tap_out", (s.metro, 1u16)).assert_revert(FareError::NotRiding);
    s.send(s.ann, "tap_in", (s.metro, 1u16)).assert_ok();
    s.send(s.ann, "tap_in", (s.metro, 1u16)).assert_revert(FareError::AlreadyRiding);
    s.send(s.ann, "tap_out", (s.bus, 1u16)).assert_revert(FareError::NotRiding);
    s.send(s.ann, "pay_out", (1u128,)).assert_revert(FareError::AlreadyRiding);
    s.send(s.ben, "pay_out", (5_001u128,)).assert_revert(FareError::InsufficientBalance);
    s.send(s.ben, "pay_out", (0u128,)).assert_revert(FareError::BadAmount);
    s.send(s.ben, "pay_in", (0u128,)).assert_revert(FareError::BadAmount);
    s.send(s.metro, "settle", ()).assert_revert(FareError::NothingOwed);
    s.send(s.metro, "set_tariff", (s.metro, TARIFF)).assert_revert(FareError::NotAuthority);
    let large = Tariff { base: u128::MAX, ..TARIFF };
    s.send(s.authority, "set_tariff", (s.metro, large)).assert_revert(FareError::BadTariff);
}

#[test]
fn operators_settle_and_riders_take_back_what_is_left() {
    let mut s = setup();
    s.ride(s.ann, s.metro, 0, 2);
    let receipt = s.send(s.metro, "settle", ());
    let event = Settled { operator: s.metro, amount: 300 };
    assert_eq!(receipt.assert_ok().events::<Settled>(), [event]);
    let receipt = s.send(s.ann, "pay_out", (4_700u128,));
    assert_eq!(receipt.assert_ok().events::<PaidOut>(), [PaidOut { rider: s.ann, amount: 4_700 }]);
    let balance = |s: &mut Setup, of| s.chain.view::<u128>(&s.token, "balance", (of,));
    let (ann, metro, fare) = (s.ann, s.metro, s.fare.address());
    assert_eq!([ann, metro, fare].map(|of| balance(&mut s, of)), [9_700, 300, 5_000]);
}

#[test]
fn taps_of_different_riders_never_wait() {
    let mut s = setup();
    let report = s.chain.block([
        s.fare.tx(s.ann, "tap_in", (s.metro, 1u16)),
        s.fare.tx(s.ben, "tap_in", (s.metro, 1u16)),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1]]);
    let report = s.chain.block([
        s.fare.tx(s.ann, "tap_out", (s.metro, 2u16)),
        s.fare.tx(s.ben, "tap_out", (s.metro, 2u16)),
        s.fare.tx(s.metro, "settle", ()),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1], &[2]]);
    assert_eq!(report.receipts[2].value::<u128>(), 500);
}

/// The block of a change of tariff and of two taps, in every order: the same receipts, one batch.
#[test]
fn a_new_tariff_commutes_with_the_taps_of_its_block() {
    let orders: [[usize; 3]; 6] =
        [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        let mut s = setup();
        for rider in [s.ann, s.ben] {
            s.send(rider, "tap_in", (s.metro, 0u16)).assert_ok();
        }
        let dear = Tariff { base: 300, ..TARIFF };
        let txs = [
            s.fare.tx(s.authority, "set_tariff", (s.metro, dear)),
            s.fare.tx(s.ann, "tap_out", (s.metro, 0u16)),
            s.fare.tx(s.ben, "tap_out", (s.metro, 1u16)),
        ];
        let block: Vec<Tx> = order.iter().map(|at| txs[*at].clone()).collect();
        let report = s.chain.block(block);
        report.assert_ok().assert_batches(&[&[0, 1, 2]]);
        let place = |tx| order.iter().position(|at| *at == tx).unwrap();
        assert_eq!(report.receipts[place(1)].value::<u128>(), 200, "{order:?}");
        assert_eq!(report.receipts[place(2)].value::<u128>(), 250, "{order:?}");
        let event = TariffSet { operator: s.metro, tariff: dear };
        assert_eq!(report.receipts[place(0)].events::<TariffSet>(), [event]);
        // From the next block on it is charged.
        assert_eq!(s.ride(s.ann, s.metro, 0, 0), 300, "{order:?}");
        assert_eq!(s.chain.view::<Option<Tariff>>(&s.fare, "tariff", (s.metro,)), Some(dear));
    }
}
