//! Vesting: nobody has more than has vested, and the contract has the rest.

use std::collections::BTreeMap;

use kempe_abi::{Address, Hash};
use kempe_sdk::testing::{Campaign, Instance, Receipt, Rng, TestChain};
use kempe_token::Token;
use kempe_vesting::{Grant, Granted, Released, Revoked, Vesting};

use crate::common::{balance, endow, expect, one};
use crate::{PEOPLE, run};

struct World {
    vesting: Instance<Vesting>,
    tokens: [Instance<Token>; 3],
    people: Vec<Address>,
    /// What is left of each grant.
    grants: BTreeMap<Hash, (Grant, u128)>,
    /// How much had vested of each grant that was revoked.
    revoked: BTreeMap<Hash, u128>,
    /// Grants that paid out more or less than they had.
    wrong: Vec<Hash>,
}

fn setup(chain: &mut TestChain) -> World {
    let people: Vec<Address> = PEOPLE.map(|name| chain.account(name)).into();
    let vesting = chain.deploy::<Vesting>(people[0], ());
    // What moves one token waits for the contract's balance of it.
    let tokens = [0, 1, 2].map(|_| chain.deploy::<Token>(people[0], (people[0],)));
    for token in &tokens {
        endow(chain, token, &people, 10_000, vesting.address());
    }
    let (grants, revoked) = (BTreeMap::new(), BTreeMap::new());
    World { vesting, tokens, people, grants, revoked, wrong: Vec::new() }
}

fn new_grant(w: &World, rng: &mut Rng, chain: &TestChain) -> Grant {
    let start_ms = chain.time_ms() + rng.u64(0..4_000) - 1_000;
    let cliff_ms = start_ms + rng.u64(0..10_000);
    Grant {
        funder: one(&w.people, rng),
        beneficiary: one(&w.people, rng),
        token: one(&w.tokens, rng).address(),
        amount: rng.u128(0..3_000),
        start_ms,
        cliff_ms,
        end_ms: cliff_ms + rng.u64(0..60_000),
        revocable: rng.bool(),
        salt: rng.u64(..),
    }
}

fn some_grant(w: &World, rng: &mut Rng, chain: &TestChain) -> Grant {
    let at = rng.usize(0..w.grants.len().max(1));
    let found = w.grants.values().nth(at).map(|(grant, _)| grant.clone());
    found.unwrap_or_else(|| new_grant(w, rng, chain))
}

fn observe(w: &mut World, receipt: &Receipt) {
    for event in receipt.events::<Granted>() {
        let left = event.grant.amount;
        w.grants.insert(event.id, (event.grant, left));
    }
    for event in receipt.events::<Released>() {
        match w.grants.get_mut(&event.id) {
            Some((_, left)) if *left >= event.amount => *left -= event.amount,
            _ => w.wrong.push(event.id),
        }
    }
    for event in receipt.events::<Revoked>() {
        match w.grants.get_mut(&event.id) {
            Some((grant, left)) if event.vested + event.returned == grant.amount => {
                *left -= event.returned;
                w.revoked.insert(event.id, event.vested);
            }
            _ => w.wrong.push(event.id),
        }
    }
}

fn campaign() -> Campaign<World> {
    Campaign::new(setup)
        .call(3, "fund", |w, rng, chain| {
            let grant = new_grant(w, rng, chain);
            w.vesting.tx(grant.funder, "fund", (grant,))
        })
        .call(6, "release", |w, rng, chain| {
            w.vesting.tx(one(&w.people, rng), "release", (some_grant(w, rng, chain),))
        })
        .call(2, "revoke", |w, rng, chain| {
            let grant = some_grant(w, rng, chain);
            w.vesting.tx(grant.funder, "revoke", (grant,))
        })
        .attack(1, "revoke by another", |w, rng, chain| {
            w.vesting.tx(one(&w.people, rng), "revoke", (some_grant(w, rng, chain),))
        })
        .observe(|w, _, receipt| observe(w, receipt))
        .invariant("grants pay what they have", |w, _| {
            expect(w.wrong.is_empty(), || format!("{:?}", w.wrong))
        })
        .invariant("nothing is released before it vests", |w, chain| {
            let last_ms = chain.time_ms();
            w.grants.iter().try_for_each(|(id, (grant, left))| {
                let revoked = w.revoked.get(id);
                let released = revoked.copied().unwrap_or(grant.amount) - left;
                let vested = revoked.copied().unwrap_or_else(|| grant.vested(last_ms));
                expect(released <= vested, || format!("{grant:?} {released}"))
            })
        })
        .invariant("the contract has what is not released", |w, chain| {
            w.tokens.iter().try_for_each(|token| {
                let grants = w.grants.values().filter(|(grant, _)| grant.token == token.address());
                let left: u128 = grants.map(|(_, left)| left).sum();
                let has = balance(chain, token, w.vesting.address());
                expect(has == left, || format!("has={has} left={left}"))
            })
        })
}

#[test]
fn vesting() {
    let wasm = [kempe_contracts::VESTING, kempe_contracts::TOKEN];
    let summary = run::<Vesting, _>(&campaign(), &wasm);
    assert!(summary.widest_batch > 2, "{summary:?}");
}
