//! The fare collection: it has of the token what it owes, and nobody rides beyond a cap.

use kempe_abi::Address;
use kempe_fare::{Fare, Rider, Tariff};
use kempe_sdk::testing::{Campaign, Instance, Rng};
use kempe_token::Token;

use crate::{PEOPLE, run};

const CAP: u128 = 2_000;

struct World {
    token: Instance<Token>,
    fare: Instance<Fare>,
    /// The first two operate, the others ride.
    people: Vec<Address>,
}

fn rider(w: &World, rng: &mut Rng) -> Address {
    w.people[rng.usize(2..w.people.len())]
}

fn operator(w: &World, rng: &mut Rng) -> Address {
    w.people[rng.usize(0..2)]
}

fn tariff(rng: &mut Rng) -> Tariff {
    Tariff { base: rng.u128(0..300), per_zone: rng.u128(0..100), daily_cap: rng.u128(0..=CAP) }
}

fn campaign() -> Campaign<World> {
    Campaign::new(|chain| {
        let people: Vec<Address> = PEOPLE.map(|name| chain.account(name)).into();
        let token = chain.deploy::<Token>(people[0], (people[0],));
        let fare = chain.deploy::<Fare>(people[0], (token.address(), people[0]));
        for who in &people {
            chain.send(people[0], &token, "mint", (*who, 1u128 << 40)).assert_ok();
            chain.send(*who, &token, "approve", (fare.address(), u128::MAX)).assert_ok();
        }
        World { token, fare, people }
    })
    .blocks(12, 3_600_000)
    .call(1, "set_tariff", |w, rng, _| {
        w.fare.tx(w.people[0], "set_tariff", (operator(w, rng), tariff(rng)))
    })
    .call(2, "pay_in", |w, rng, _| w.fare.tx(rider(w, rng), "pay_in", (rng.u128(0..3_000),)))
    .call(1, "pay_out", |w, rng, _| w.fare.tx(rider(w, rng), "pay_out", (rng.u128(0..2_000),)))
    .call(6, "tap_in", |w, rng, _| {
        w.fare.tx(rider(w, rng), "tap_in", (operator(w, rng), rng.u16(0..10)))
    })
    .call(6, "tap_out", |w, rng, chain| {
        let who = rider(w, rng);
        let riding = chain.view::<Rider>(&w.fare, "rider", (who,)).riding;
        let with = riding.map_or_else(|| operator(w, rng), |ride| ride.operator);
        w.fare.tx(who, "tap_out", (with, rng.u16(0..12)))
    })
    .call(1, "settle", |w, rng, _| w.fare.tx(operator(w, rng), "settle", ()))
    .invariant("the contract has what it owes", |w, chain| {
        let mut owed = 0;
        for who in &w.people {
            let rider: Rider = chain.view(&w.fare, "rider", (*who,));
            if rider.spent > CAP {
                return Err(format!("a day cost {}", rider.spent));
            }
            owed += rider.balance + chain.view::<u128>(&w.fare, "earned", (*who,));
        }
        let has: u128 = chain.view(&w.token, "balance", (w.fare.address(),));
        if has == owed { Ok(()) } else { Err(format!("has={has} owed={owed}")) }
    })
}

#[test]
fn fare() {
    let modules = [kempe_contracts::FARE, kempe_contracts::TOKEN];
    let summary = run::<Fare, _>(&campaign(), &modules);
    assert!(summary.widest_batch > 2, "{summary:?}");
}
