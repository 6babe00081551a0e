//! The fare collection's rules, run natively.

extern crate std;

use std::vec::Vec;

use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, Receipt, TestChain, Tx};
use kempe_token::Token;

use crate::{
    Began, DAY_MS, Fare, FareError, GateSet, PaidIn, PaidOut, RIDE_MS_MAX, Rider, Rode, Settled,
    TAP_MS_MAX, TAP_TAG, TRANSFER_MS, Tap, Tariff, TariffSet,
};

const TARIFF: Tariff = Tariff { base: 200, per_zone: 50, daily_cap: 700 };

/// Each with one gate, whose key both operators use.
const ZONES: [u16; 8] = [0, 1, 2, 3, 4, 5, 8, 60_000];

/// The arguments of `tap_in` and `tap_out`.
type Tapped = (Address, Address, u64, [u8; 64]);

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
    for zone in ZONES {
        let gate = chain.account(&std::format!("gate {zone}"));
        for operator in [metro, bus] {
            chain.send(operator, &fare, "set_gate", (gate, Some(zone))).assert_ok();
        }
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

    fn gate(&mut self, zone: u16) -> Address {
        self.chain.account(&std::format!("gate {zone}"))
    }

    /// What a zone's gate signs for who passes it in the next block.
    fn tap(&mut self, rider: Address, operator: Address, zone: u16, entering: bool) -> Tapped {
        let (gate, at_ms) = (self.gate(zone), self.chain.time_ms());
        let tap = Tap { tag: TAP_TAG, fare: self.fare.address(), operator, rider, entering, at_ms };
        let shown = (operator, rider, entering, at_ms);
        let shown = self.chain.view::<Vec<u8>>(&self.fare, "tap_message", shown);
        assert_eq!(kempe_sdk::blake3(&shown), hash(&tap));
        (operator, gate, at_ms, self.chain.sign(gate, hash(&tap).as_bytes()))
    }

    fn tap_in(&mut self, rider: Address, operator: Address, zone: u16) -> Receipt {
        let tap = self.tap(rider, operator, zone, true);
        self.send(rider, "tap_in", tap)
    }

    fn tap_out(&mut self, rider: Address, operator: Address, zone: u16) -> Receipt {
        let tap = self.tap(rider, operator, zone, false);
        self.send(rider, "tap_out", tap)
    }

    /// A tap at the metro's.
    fn tap_tx(&mut self, rider: Address, method: &str, zone: u16) -> Tx {
        let tap = self.tap(rider, self.metro, zone, method == "tap_in");
        self.fare.tx(rider, method, tap)
    }

    fn ride(&mut self, rider: Address, operator: Address, from: u16, to: u16) -> u128 {
        self.tap_in(rider, operator, from).assert_ok();
        self.tap_out(rider, operator, to).assert_ok().value()
    }

    fn rider(&mut self, of: Address) -> Rider {
        self.chain.view(&self.fare, "rider", (of,))
    }
}

#[test]
fn a_ride_costs_its_zones_in_either_direction() {
    let mut s = setup();
    assert_eq!(s.ride(s.ann, s.metro, 3, 5), 300);
    let began = Began { rider: s.ben, operator: s.metro, zone: 5 };
    assert_eq!(s.tap_in(s.ben, s.metro, 5).events::<Began>(), [began]);
    let receipt = s.tap_out(s.ben, s.metro, 3);
    let event = Rode { rider: s.ben, operator: s.metro, from_zone: 5, to_zone: Some(3), fare: 300 };
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

/// An operator with a low cap waives nobody's base fare by rides that cost nothing.
#[test]
fn a_ride_behind_the_cap_waives_nothing() {
    let mut s = setup();
    let tariffs = [(s.metro, 5, 5), (s.bus, 50, 1_000)];
    for (operator, base, daily_cap) in tariffs {
        let tariff = Tariff { base, per_zone: 0, daily_cap };
        s.send(s.authority, "set_tariff", (operator, tariff)).assert_ok();
    }
    let rides = [s.metro, s.bus, s.metro, s.bus, s.metro, s.bus];
    assert_eq!(rides.map(|operator| s.ride(s.ann, operator, 0, 0)), [5, 0, 0, 50, 0, 50]);
    assert_eq!(s.chain.view::<u128>(&s.fare, "earned", (s.bus,)), 100);
}

/// Nor does one of which the cap has left less than the base fare.
#[test]
fn a_ride_that_the_cap_made_cheaper_waives_nothing() {
    let mut s = setup();
    let tariffs = [(s.metro, 5, 7), (s.bus, 50, 1_000)];
    for (operator, base, daily_cap) in tariffs {
        let tariff = Tariff { base, per_zone: 0, daily_cap };
        s.send(s.authority, "set_tariff", (operator, tariff)).assert_ok();
    }
    let rides = [s.metro, s.metro, s.bus, s.metro];
    assert_eq!(rides.map(|operator| s.ride(s.ann, operator, 0, 0)), [5, 2, 50, 0]);
}

/// A base fare waives one: not a second one, and a ride that paid none waives nothing, however often it is repeated.
#[test]
fn a_base_fare_is_waived_once() {
    let mut s = setup();
    let (metro, bus) = (s.metro, s.bus);
    let fares = [metro, bus, metro, bus, bus].map(|with| s.ride(s.ann, with, 1, 1));
    assert_eq!(fares, [200, 0, 200, 0, 200]);
    // What pays no base fare because there is none does not waive another's.
    let free = Tariff { base: 0, ..TARIFF };
    s.send(s.authority, "set_tariff", (metro, free)).assert_ok();
    assert_eq!([metro, bus].map(|with| s.ride(s.ben, with, 1, 1)), [0, 200]);
}

/// A tariff that rises during a ride is not that ride's, and one that is lowered neither.
#[test]
fn a_ride_costs_by_the_tariff_with_which_it_began() {
    let mut s = setup();
    for (dear, end) in [(100_000, true), (100_000, false), (0, true)] {
        let before = s.chain.snapshot();
        s.tap_in(s.ann, s.metro, 1).assert_ok();
        let tariff = Tariff { base: dear, per_zone: dear, daily_cap: 1_000_000 };
        s.send(s.authority, "set_tariff", (s.metro, tariff)).assert_ok();
        let fare = if end {
            s.tap_out(s.ann, s.metro, 3).value::<u128>()
        } else {
            s.send(s.ann, "give_up", (s.metro,)).value::<u128>()
        };
        assert_eq!(fare, if end { 300 } else { 600 });
        s.chain = before;
    }
}

#[test]
fn who_cannot_pay_does_not_ride() {
    let mut s = setup();
    s.send(s.ann, "pay_out", (4_401u128,)).assert_ok();
    s.tap_in(s.ann, s.metro, 1).assert_revert(FareError::InsufficientBalance);
    let receipt = s.send(s.ann, "pay_in", (1u128,));
    assert_eq!(receipt.assert_ok().events::<PaidIn>(), [PaidIn { rider: s.ann, amount: 1 }]);
    s.tap_in(s.ann, s.metro, 1).assert_ok();
    // Riding too far costs the longest ride, not more.
    assert_eq!(s.tap_out(s.ann, s.metro, 60_000).value::<u128>(), 600);
    assert_eq!(s.rider(s.ann).balance, 0);
}

/// Whoever stays on, or leaves without a gate, pays the longest ride; and can go on then.
#[test]
fn a_ride_without_an_end_costs_the_longest() {
    let mut s = setup();
    // The next block is a second later.
    for (wait_ms, fare) in [(RIDE_MS_MAX - 1_000, 200), (RIDE_MS_MAX - 999, 600)] {
        s.chain.set_time_ms((s.chain.time_ms() / DAY_MS + 1) * DAY_MS);
        s.tap_in(s.ann, s.metro, 1).assert_ok();
        s.chain.advance_ms(wait_ms);
        assert_eq!(s.tap_out(s.ann, s.metro, 1).value::<u128>(), fare, "{wait_ms}");
    }
    s.chain.advance_ms(DAY_MS);
    s.tap_in(s.ann, s.metro, 1).assert_ok();
    s.chain.advance_ms(10 * DAY_MS);
    assert_eq!(s.tap_out(s.ann, s.metro, 1).value::<u128>(), 600);
    // Not even as a transfer does the longest ride cost less, until the day's cap.
    s.chain.set_time_ms((s.chain.time_ms() / DAY_MS + 1) * DAY_MS);
    s.tap_in(s.ben, s.metro, 2).assert_ok();
    let receipt = s.send(s.ben, "give_up", (s.metro,));
    let event = Rode { rider: s.ben, operator: s.metro, from_zone: 2, to_zone: None, fare: 600 };
    assert_eq!(receipt.assert_ok().events::<Rode>(), [event]);
    s.tap_in(s.ben, s.bus, 2).assert_ok();
    assert_eq!(s.send(s.ben, "give_up", (s.bus,)).value::<u128>(), 100);
}

/// A rider has only what a gate signed: for whom, whose, which way, here and now, and once.
#[test]
fn a_zone_is_for_a_gate_to_say() {
    let mut s = setup();
    let tap = s.tap(s.ann, s.metro, 1, true);
    let (metro, gate, at_ms, signature) = tap;
    let elsewhere = s.gate(8);
    let mut flipped = signature;
    flipped[40] ^= 1;
    let foreign = [
        (s.ann, (s.bus, gate, at_ms, signature)),
        (s.ann, (metro, elsewhere, at_ms, signature)),
        (s.ann, (metro, gate, at_ms + 1, signature)),
        (s.ann, (metro, gate, at_ms, flipped)),
        (s.ben, tap),
    ];
    for (rider, tap) in foreign {
        s.send(rider, "tap_in", tap).assert_revert(FareError::BadTap);
    }
    // The rider's own key is no gate.
    let own = (metro, s.ann, at_ms, signature);
    s.send(s.ann, "tap_in", own).assert_revert(FareError::NoSuchGate);
    s.send(s.ann, "tap_in", tap).assert_ok();
    // What let in does not let out; what let out is used up, and so is what is older.
    s.send(s.ann, "tap_out", tap).assert_revert(FareError::StaleTap);
    let entering = s.tap(s.ann, s.metro, 1, true);
    s.send(s.ann, "tap_out", entering).assert_revert(FareError::BadTap);
    let early = s.tap(s.ann, s.metro, 1, false);
    s.tap_out(s.ann, s.metro, 5).assert_ok();
    s.tap_in(s.ann, s.metro, 1).assert_ok();
    s.send(s.ann, "tap_out", early).assert_revert(FareError::StaleTap);
    s.tap_out(s.ann, s.metro, 1).assert_ok();
    // Held back for a minute it counts, and not longer; and no gate is ahead by more.
    for (late_ms, is_good) in [(TAP_MS_MAX, true), (TAP_MS_MAX + 1, false)] {
        s.chain.advance_ms(10 * TAP_MS_MAX);
        let tap = s.tap(s.ann, s.metro, 1, true);
        s.chain.set_time_ms(tap.2 + late_ms);
        let receipt = s.send(s.ann, "tap_in", tap);
        if is_good {
            receipt.assert_ok();
            s.tap_out(s.ann, s.metro, 1).assert_ok();
        } else {
            receipt.assert_revert(FareError::StaleTap);
        }
    }
    let before = s.chain.snapshot();
    s.chain.advance_ms(2 * TAP_MS_MAX);
    let ahead = s.tap(s.ann, s.metro, 1, true);
    s.chain = before;
    s.send(s.ann, "tap_in", ahead).assert_revert(FareError::StaleTap);
}

#[test]
fn gates_are_their_operators_to_register() {
    let mut s = setup();
    let gate = s.chain.account("new gate");
    let set = (gate, Some(4u16));
    s.send(s.ann, "set_gate", set).assert_revert(FareError::NoSuchOperator);
    let receipt = s.send(s.metro, "set_gate", set);
    let event = GateSet { operator: s.metro, gate, zone: Some(4) };
    assert_eq!(receipt.assert_ok().events::<GateSet>(), [event]);
    let zone = |s: &mut Setup, operator: Address| {
        s.chain.view::<Option<u16>>(&s.fare, "gate", (operator, gate))
    };
    let (metro, bus) = (s.metro, s.bus);
    assert_eq!((zone(&mut s, metro), zone(&mut s, bus)), (Some(4), None));
    // Under a key of small order everybody could sign: the neutral point and zero.
    let (mut small, mut forged) = ([0; 32], [0u8; 64]);
    (small[0], forged[0]) = (1, 1);
    s.send(metro, "set_gate", (Address(small), Some(4u16))).assert_ok();
    let tap = (metro, Address(small), s.chain.time_ms(), forged);
    s.send(s.ann, "tap_in", tap).assert_revert(FareError::BadTap);
    // A gate that is taken out lets nobody pass from the next block on, and waits for nobody.
    s.tap_in(s.ann, s.metro, 1).assert_ok();
    let out = s.gate(1);
    let txs = [
        s.fare.tx(s.metro, "set_gate", (out, None::<u16>)),
        s.tap_tx(s.ann, "tap_out", 1),
        s.tap_tx(s.ben, "tap_in", 1),
    ];
    s.chain.block(txs).assert_ok().assert_batches(&[&[0, 1, 2]]);
    s.tap_out(s.ben, s.metro, 1).assert_revert(FareError::NoSuchGate);
    s.tap_out(s.ben, s.metro, 2).assert_ok();
}

#[test]
fn refusals() {
    let mut s = setup();
    s.tap_in(s.ann, s.ben, 1).assert_revert(FareError::NoSuchOperator);
    s.send(s.ann, "give_up", (s.metro,)).assert_revert(FareError::NotRiding);
    s.tap_out(s.ann, s.metro, 1).assert_revert(FareError::NotRiding);
    s.tap_in(s.ann, s.metro, 1).assert_ok();
    s.tap_in(s.ann, s.metro, 1).assert_revert(FareError::AlreadyRiding);
    s.tap_out(s.ann, s.bus, 1).assert_revert(FareError::NotRiding);
    s.send(s.ann, "give_up", (s.bus,)).assert_revert(FareError::NotRiding);
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
    let txs = [s.tap_tx(s.ann, "tap_in", 1), s.tap_tx(s.ben, "tap_in", 1)];
    let report = s.chain.block(txs);
    report.assert_ok().assert_batches(&[&[0, 1]]);
    let txs = [
        s.tap_tx(s.ann, "tap_out", 2),
        s.tap_tx(s.ben, "tap_out", 2),
        s.fare.tx(s.metro, "settle", ()),
    ];
    let report = s.chain.block(txs);
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
        s.tap_in(s.ann, s.metro, 0).assert_ok();
        let dear = Tariff { base: 300, ..TARIFF };
        let txs = [
            s.fare.tx(s.authority, "set_tariff", (s.metro, dear)),
            s.tap_tx(s.ann, "tap_out", 0),
            s.tap_tx(s.ben, "tap_in", 1),
        ];
        let block: Vec<Tx> = order.iter().map(|at| txs[*at].clone()).collect();
        let report = s.chain.block(block);
        report.assert_ok().assert_batches(&[&[0, 1, 2]]);
        let place = |tx| order.iter().position(|at| *at == tx).unwrap();
        assert_eq!(report.receipts[place(1)].value::<u128>(), 200, "{order:?}");
        assert_eq!(s.tap_out(s.ben, s.metro, 2).value::<u128>(), 250, "{order:?}");
        let event = TariffSet { operator: s.metro, tariff: dear };
        assert_eq!(report.receipts[place(0)].events::<TariffSet>(), [event]);
        // From the next block on it is charged.
        assert_eq!(s.ride(s.ann, s.metro, 0, 0), 300, "{order:?}");
        assert_eq!(s.chain.view::<Option<Tariff>>(&s.fare, "tariff", (s.metro,)), Some(dear));
    }
}
