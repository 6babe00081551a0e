//! The token: its supply is the sum of the balances, and nothing else makes or destroys value.

use kempe_abi::Address;
use kempe_sdk::testing::{Campaign, Instance, Rng, TestChain};
use kempe_token::{ALL_ROLES, Metadata, PERMIT_TAG, Permit, Token};

use crate::{PEOPLE, run};

struct World {
    token: Instance<Token>,
    people: Vec<Address>,
}

fn one(world: &World, rng: &mut Rng) -> Address {
    world.people[rng.usize(0..world.people.len())]
}

fn owner(w: &World, chain: &mut TestChain) -> Address {
    chain.view::<Option<Address>>(&w.token, "owner", ()).unwrap()
}

fn campaign() -> Campaign<World> {
    Campaign::new(|chain| {
        let people: Vec<Address> = PEOPLE.map(|name| chain.account(name)).into();
        World { token: chain.deploy::<Token>(people[0], (people[0],)), people }
    })
    .call(3, "mint", |w, rng, _| w.token.tx(w.people[0], "mint", (one(w, rng), rng.u128(0..1_000))))
    .call(6, "transfer", |w, rng, _| {
        w.token.tx(one(w, rng), "transfer", (one(w, rng), rng.u128(0..200)))
    })
    .call(2, "burn", |w, rng, _| w.token.tx(one(w, rng), "burn", (rng.u128(0..200),)))
    .call(3, "approve", |w, rng, _| {
        w.token.tx(one(w, rng), "approve", (one(w, rng), rng.u128(0..500)))
    })
    .call(4, "transfer_from", |w, rng, _| {
        let args = (one(w, rng), one(w, rng), rng.u128(0..200));
        w.token.tx(one(w, rng), "transfer_from", args)
    })
    .call(1, "permit", |w, rng, chain| {
        let (owner, spender, amount) = (one(w, rng), one(w, rng), rng.u128(0..500));
        // Some are signed with a number that is used or not yet good.
        let number =
            chain.view::<u64>(&w.token, "permits", (owner,)) + u64::from(rng.u8(0..4) == 0);
        let (token, deadline_ms) = (w.token.address(), u64::MAX);
        let permit = Permit { tag: PERMIT_TAG, token, owner, spender, amount, number, deadline_ms };
        let signature = chain.sign(owner, kempe_sdk::hash(&permit).as_bytes());
        w.token.tx(spender, "permit", (owner, spender, amount, deadline_ms, signature))
    })
    .call(1, "set_paused", |w, rng, _| w.token.tx(w.people[0], "set_paused", (rng.u8(0..4) == 0,)))
    .call(1, "set_roles", |w, rng, chain| {
        // Not those of who mints and of who must not.
        let args = (w.people[rng.usize(2..w.people.len())], rng.u8(0..=ALL_ROLES));
        w.token.tx(owner(w, chain), "set_roles", args)
    })
    .call(1, "offer_ownership", |w, rng, chain| {
        w.token.tx(owner(w, chain), "offer_ownership", (one(w, rng),))
    })
    .call(1, "accept_ownership", |w, rng, chain| {
        let offered = chain.cell(&w.token, "offered", ()).unwrap_or_else(|| one(w, rng));
        w.token.tx(offered, "accept_ownership", ())
    })
    .call(1, "describe", |w, rng, chain| {
        let metadata = Metadata { name: [1; 32], symbol: [2; 12], decimals: rng.u8(0..60) };
        w.token.tx(owner(w, chain), "describe", (metadata,))
    })
    .attack(1, "mint by another", |w, rng, _| {
        w.token.tx(w.people[1], "mint", (one(w, rng), rng.u128(..)))
    })
    .invariant("the supply is the sum of the balances", |w, chain| {
        let sum: u128 =
            w.people.iter().map(|who| chain.view::<u128>(&w.token, "balance", (*who,))).sum();
        let supply: u128 = chain.view(&w.token, "total_supply", ());
        if sum == supply { Ok(()) } else { Err(format!("sum={sum} supply={supply}")) }
    })
}

#[test]
fn token() {
    let summary = run::<Token, _>(&campaign(), &[kempe_contracts::TOKEN]);
    assert!(summary.widest_batch > 2, "{summary:?}");
}
