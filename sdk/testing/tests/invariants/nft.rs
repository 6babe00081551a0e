//! The collection: every token has one owner, and the balances and the supply count them.

use std::collections::BTreeMap;

use kempe_abi::{Address, Hash};
use kempe_nft::{Burned, Minted, Moved, Nft};
use kempe_sdk::testing::{Campaign, Instance, Rng, TestChain, Tx};

use crate::{PEOPLE, run};

struct World {
    nft: Instance<Nft>,
    people: Vec<Address>,
    /// Who has which token, by the events.
    owners: BTreeMap<Hash, Option<Address>>,
}

fn one(world: &World, rng: &mut Rng) -> Address {
    world.people[rng.usize(0..world.people.len())]
}

/// A token, and mostly who has it.
fn token(w: &World, rng: &mut Rng) -> (Address, Hash) {
    let minted: Vec<_> = w.owners.iter().collect();
    if minted.is_empty() {
        return (one(w, rng), Hash::ZERO);
    }
    let (id, owner) = minted[rng.usize(0..minted.len())];
    let honest = rng.u8(0..5) > 0;
    (owner.filter(|_| honest).unwrap_or_else(|| one(w, rng)), *id)
}

fn move_from(w: &World, rng: &mut Rng) -> Tx {
    let (owner, id) = token(w, rng);
    w.nft.tx(one(w, rng), "transfer_from", (owner, one(w, rng), id))
}

fn admin(w: &World, chain: &TestChain) -> Address {
    chain.cell(&w.nft, "admin", ()).unwrap()
}

fn campaign() -> Campaign<World> {
    Campaign::new(|chain| {
        let people: Vec<Address> = PEOPLE.map(|name| chain.account(name)).into();
        let nft = chain.deploy::<Nft>(people[0], (people[0], String::new()));
        chain.send(people[0], &nft, "set_minter", (people[1], true)).assert_ok();
        World { nft, people, owners: BTreeMap::new() }
    })
    .call(2, "mint", |w, rng, _| {
        let args = (one(w, rng), rng.u64(0..2_000), Hash::ZERO);
        w.nft.tx(w.people[rng.usize(0..3)], "mint", args)
    })
    .call(5, "transfer", |w, rng, _| {
        let (owner, id) = token(w, rng);
        w.nft.tx(owner, "transfer", (one(w, rng), id))
    })
    .call(4, "transfer_from", |w, rng, _| move_from(w, rng))
    .call(3, "approve", |w, rng, _| {
        let (owner, id) = token(w, rng);
        w.nft.tx(owner, "approve", (Some(one(w, rng)), id))
    })
    .call(1, "set_operator", |w, rng, _| {
        w.nft.tx(one(w, rng), "set_operator", (one(w, rng), rng.bool()))
    })
    .call(1, "burn", |w, rng, _| {
        let (owner, id) = token(w, rng);
        w.nft.tx(owner, "burn", (id,))
    })
    .call(1, "set_minter", |w, rng, chain| {
        // Those of the first two stay.
        let who = w.people[rng.usize(2..w.people.len())];
        w.nft.tx(admin(w, chain), "set_minter", (who, rng.bool()))
    })
    .call(1, "offer_admin", |w, rng, chain| {
        w.nft.tx(admin(w, chain), "offer_admin", (one(w, rng),))
    })
    .call(1, "accept_admin", |w, rng, chain| {
        let offered = chain.cell(&w.nft, "offered", ()).unwrap_or_else(|| one(w, rng));
        w.nft.tx(offered, "accept_admin", ())
    })
    .observe(|w, _, receipt| {
        for event in receipt.events::<Minted>() {
            assert_eq!(w.owners.insert(event.id, Some(event.to)), None, "minted twice");
        }
        for event in receipt.events::<Moved>() {
            w.owners.insert(event.id, Some(event.to));
        }
        for event in receipt.events::<Burned>() {
            w.owners.insert(event.id, None);
        }
    })
    .invariant("balances and supply count the tokens", |w, chain| {
        let owned = |who| w.owners.values().filter(|owner| **owner == Some(who)).count() as u64;
        let supply: u64 = chain.view(&w.nft, "total_supply", ());
        let sum: u64 = w.people.iter().map(|who| owned(*who)).sum();
        if supply != sum {
            return Err(format!("supply={supply} tokens={sum}"));
        }
        w.people.iter().try_for_each(|who| {
            let balance: u64 = chain.view(&w.nft, "balance", (*who,));
            let owned = owned(*who);
            if balance == owned { Ok(()) } else { Err(format!("balance={balance} owned={owned}")) }
        })
    })
    .invariant("a token is whose the events say", |w, chain| {
        // A few of them: all would be most of the test's time.
        w.owners.iter().rev().take(3).try_for_each(|(id, owner)| {
            let found: Option<Address> = chain.view(&w.nft, "owner_of", (*id,));
            if found == *owner { Ok(()) } else { Err(format!("{found:?}, not {owner:?}")) }
        })
    })
}

#[test]
fn nft() {
    let summary = run::<Nft, _>(&campaign(), &[kempe_contracts::NFT]);
    assert!(summary.widest_batch > 2, "{summary:?}");
}
