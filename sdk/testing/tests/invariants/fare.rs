//! The fare collection: it has of the token what it owes, nobody rides beyond a cap, and rides are where gates
//! say.

use std::collections::BTreeMap;

use kempe_abi::Address;
use kempe_fare::{Fare, Rider, Rode, TAP_MS_MAX, TAP_TAG, Tap, Tariff};
use kempe_sdk::testing::{Campaign, Instance, Rng, TestChain, Tx};
use kempe_token::Token;

use crate::common::expect;
use crate::{PEOPLE, run};

const CAP: u128 = 2_000;
/// One gate in each zone, of both operators.
const N_ZONES: u16 = 12;
/// The longest between two blocks.
const BLOCK_MS_MAX: u64 = 400_000;

struct World {
    token: Instance<Token>,
    fare: Instance<Fare>,
    /// The first two operate, the others ride.
    people: Vec<Address>,
    gates: Vec<Address>,
    wrong: Vec<String>,
    /// What each rider's last ride cost.
    fares: BTreeMap<Address, u128>,
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

/// A tap of a rider's whom a gate lets pass, at about the time of its block: some are too far from it.
fn tap(
    w: &World,
    rng: &mut Rng,
    chain: &TestChain,
    rider: Address,
    operator: Address,
    entering: bool,
) -> Tx {
    let gate = w.gates[rng.usize(0..w.gates.len())];
    let at_ms = chain.time_ms() + rng.u64(0..TAP_MS_MAX * 5 / 4);
    // Now and then the signature is for the other way.
    let signed = entering != (rng.u8(0..20) == 0);
    let fare = w.fare.address();
    let tap = Tap { tag: TAP_TAG, fare, operator, rider, entering: signed, at_ms };
    let signature = chain.sign(gate, kempe_sdk::hash(&tap).as_bytes());
    let method = if entering { "tap_in" } else { "tap_out" };
    w.fare.tx(rider, method, (operator, gate, at_ms, signature))
}

/// Somebody who rides, mostly, and with whom.
fn riding(w: &World, rng: &mut Rng, chain: &mut TestChain) -> (Address, Address) {
    let who = rider(w, rng);
    let found = w.people[2..].iter().chain([&who]).rev().find_map(|who| {
        let ride = chain.view::<Rider>(&w.fare, "rider", (*who,)).riding?;
        Some((*who, ride.operator))
    });
    found.unwrap_or_else(|| (who, operator(w, rng)))
}

fn setup(chain: &mut TestChain) -> World {
    let people: Vec<Address> = PEOPLE.map(|name| chain.account(name)).into();
    let token = chain.deploy::<Token>(people[0], (people[0],));
    let fare = chain.deploy::<Fare>(people[0], (token.address(), people[0]));
    for who in &people {
        chain.send(people[0], &token, "mint", (*who, 1u128 << 40)).assert_ok();
        chain.send(*who, &token, "approve", (fare.address(), u128::MAX)).assert_ok();
    }
    for who in &people[..2] {
        let tariff = Tariff { base: 200, per_zone: 50, daily_cap: CAP };
        chain.send(people[0], &fare, "set_tariff", (*who, tariff)).assert_ok();
    }
    let gates: Vec<Address> =
        (0..N_ZONES).map(|zone| chain.account(&format!("gate {zone}"))).collect();
    for (zone, gate) in (0..N_ZONES).zip(&gates) {
        for who in &people[..2] {
            chain.send(*who, &fare, "set_gate", (*gate, Some(zone))).assert_ok();
        }
    }
    World { token, fare, people, gates, wrong: Vec::new(), fares: BTreeMap::new() }
}

fn campaign() -> Campaign<World> {
    Campaign::new(setup)
        .blocks(12, BLOCK_MS_MAX)
        .call(1, "set_tariff", |w, rng, _| {
            w.fare.tx(w.people[0], "set_tariff", (operator(w, rng), tariff(rng)))
        })
        .call(2, "pay_in", |w, rng, _| w.fare.tx(rider(w, rng), "pay_in", (rng.u128(0..3_000),)))
        .call(1, "pay_out", |w, rng, _| w.fare.tx(rider(w, rng), "pay_out", (rng.u128(0..2_000),)))
        .call(1, "set_gate", |w, rng, _| {
            // Where they were, or nowhere for a while.
            let zone = rng.u16(0..N_ZONES);
            let gate = w.gates[usize::from(zone)];
            let set = (rng.u8(0..3) > 0).then_some(zone);
            w.fare.tx(operator(w, rng), "set_gate", (gate, set))
        })
        .call(9, "tap_in", |w, rng, chain| {
            let (who, with) = (rider(w, rng), operator(w, rng));
            tap(w, rng, chain, who, with, true)
        })
        .call(9, "tap_out", |w, rng, chain| {
            let (who, with) = riding(w, rng, chain);
            tap(w, rng, chain, who, with, false)
        })
        .call(1, "give_up", |w, rng, chain| {
            let (who, with) = riding(w, rng, chain);
            w.fare.tx(who, "give_up", (with,))
        })
        .observe(|w, tx, receipt| {
            for rode in receipt.events::<Rode>() {
                w.fares.insert(rode.rider, rode.fare);
                // The gate is behind the operator in the arguments.
                let gate = w.gates.iter().position(|gate| tx.args.get(32..64) == Some(&gate.0[..]));
                if rode.to_zone.map(usize::from) != gate {
                    w.wrong.push(format!("{rode:?}, but at gate {gate:?}"));
                }
            }
        })
        .invariant("rides end where a gate says", |w, _| {
            if w.wrong.is_empty() { Ok(()) } else { Err(w.wrong.join(", ")) }
        })
        .invariant("only a ride that was paid for makes the next one a transfer", |w, chain| {
            w.people[2..].iter().try_for_each(|who| {
                let rider: Rider = chain.view(&w.fare, "rider", (*who,));
                let paid = w.fares.get(who).is_some_and(|fare| *fare > 0);
                expect(rider.last.is_none() || paid, || format!("{rider:?}"))
            })
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
