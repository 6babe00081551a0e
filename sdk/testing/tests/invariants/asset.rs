//! The asset: supply is the sum of the balances, no limit is passed by receiving, no locked unit
//! moves, and every trail is whole.

use std::collections::{BTreeMap, BTreeSet};

use kempe_abi::{Address, Hash};
use kempe_asset::{ALL_ROLES, Asset, Deed, Holder, Recorded};
use kempe_sdk::testing::{Campaign, Instance, Rng, TestChain};

use crate::{PEOPLE, run};

const REASON: Hash = Hash([9; 32]);

struct World {
    asset: Instance<Asset>,
    people: Vec<Address>,
    /// Each account's trail and balance by the lines.
    books: BTreeMap<Address, (Hash, u128)>,
    /// The trails behind the lines that are registered.
    registered: Vec<Hash>,
    broken: Option<Recorded>,
}

fn one(w: &World, rng: &mut Rng) -> Address {
    w.people[rng.usize(0..w.people.len())]
}

fn owner(w: &World, chain: &TestChain) -> Address {
    chain.cell(&w.asset, "owner", ()).expect("there is one")
}

impl World {
    fn enter(&mut self, record: Recorded) {
        let (trail, balance) = self.books.entry(record.line.holder).or_default();
        if record.line.before != *trail || kempe_sdk::hash(&record.line) != record.trail {
            self.broken = Some(record.clone());
        }
        *trail = record.trail;
        let deed = record.line.deed;
        let power = matches!(
            deed,
            Deed::RolesSet | Deed::Paused | Deed::OwnershipOffered | Deed::OwnershipTaken
        );
        if power || record.line.reason != Hash::ZERO {
            self.registered.push(record.trail);
        }
        let amount = record.line.amount;
        match deed {
            Deed::Issued | Deed::Received | Deed::ForcedIn => *balance += amount,
            Deed::Redeemed | Deed::Sent | Deed::ForcedOut => *balance -= amount,
            Deed::Admitted | Deed::Frozen | Deed::Locked => {}
            _ => assert!(power, "what {deed:?} does to a balance is said here"),
        }
    }
}

fn accounts(w: &World, chain: &mut TestChain) -> Result<(), String> {
    if let Some(record) = &w.broken {
        return Err(format!("a line does not fit: {record:?}"));
    }
    let mut sum = 0;
    for who in w.people.iter().chain([&w.asset.address()]) {
        let holder: Holder = chain.view(&w.asset, "holder", (*who,));
        let (trail, balance) = w.books.get(who).copied().unwrap_or_default();
        if (holder.trail, holder.balance) != (trail, balance) {
            return Err(format!("{holder:?}, but by the lines {trail} and {balance}"));
        }
        sum += balance;
    }
    let supply: u128 = chain.view(&w.asset, "total_supply", ());
    if supply == sum { Ok(()) } else { Err(format!("supply={supply} sum={sum}")) }
}

fn campaign() -> Campaign<World> {
    Campaign::new(|chain| {
        let people: Vec<Address> = PEOPLE.map(|name| chain.account(name)).into();
        let asset = chain.deploy::<Asset>(people[0], (people[0],));
        // What the first owner has is on record already.
        let trails = [people[0], asset.address()].map(|of| {
            let holder: Holder = chain.view(&asset, "holder", (of,));
            (of, holder.trail)
        });
        let books = trails.map(|(of, trail)| (of, (trail, 0))).into();
        let registered = trails.map(|(_, trail)| trail).into();
        World { asset, people, books, registered, broken: None }
    })
    .call(2, "admit", |w, rng, _| {
        let limit = if rng.u8(0..6) == 0 { 0 } else { rng.u128(0..3_000) };
        w.asset.tx(w.people[0], "admit", (one(w, rng), limit))
    })
    .call(2, "issue", |w, rng, _| w.asset.tx(w.people[0], "issue", (one(w, rng), rng.u128(0..500))))
    .call(8, "transfer", |w, rng, _| {
        w.asset.tx(one(w, rng), "transfer", (one(w, rng), rng.u128(0..200)))
    })
    .call(2, "approve", |w, rng, _| {
        w.asset.tx(one(w, rng), "approve", (one(w, rng), rng.u128(0..500)))
    })
    .call(3, "transfer_from", |w, rng, _| {
        w.asset.tx(one(w, rng), "transfer_from", (one(w, rng), one(w, rng), rng.u128(0..200)))
    })
    .call(1, "redeem", |w, rng, _| {
        w.asset.tx(w.people[0], "redeem", (one(w, rng), rng.u128(0..200), REASON))
    })
    .call(1, "freeze", |w, rng, _| {
        w.asset.tx(w.people[0], "freeze", (one(w, rng), rng.u8(0..4) == 0, REASON))
    })
    .call(1, "lock", |w, rng, _| {
        w.asset.tx(w.people[0], "lock", (one(w, rng), rng.u128(0..300), REASON))
    })
    .call(1, "force_transfer", |w, rng, _| {
        let args = (one(w, rng), one(w, rng), rng.u128(0..300), REASON);
        w.asset.tx(w.people[0], "force_transfer", args)
    })
    .call(1, "set_paused", |w, rng, _| w.asset.tx(w.people[0], "set_paused", (rng.u8(0..5) == 0,)))
    .call(1, "set_roles", |w, rng, chain| {
        // Those of the first stay, who does what needs a role.
        let args = (w.people[rng.usize(1..w.people.len())], rng.u8(0..=ALL_ROLES));
        w.asset.tx(owner(w, chain), "set_roles", args)
    })
    .call(1, "offer_ownership", |w, rng, chain| {
        w.asset.tx(owner(w, chain), "offer_ownership", (one(w, rng),))
    })
    .call(1, "accept_ownership", |w, rng, chain| {
        let offered = chain.cell(&w.asset, "offered", ()).unwrap_or_else(|| one(w, rng));
        w.asset.tx(offered, "accept_ownership", ())
    })
    .observe(|w, _, receipt| receipt.events::<Recorded>().into_iter().for_each(|r| w.enter(r)))
    .invariant("the register has every line with a reason or about power once", |w, chain| {
        let n: u64 = chain.view(&w.asset, "n_registered", ());
        if n != w.registered.len() as u64 {
            return Err(format!("n_registered={n} lines={}", w.registered.len()));
        }
        // Those of the last block are among the last; each trail is one of a kind.
        let mut last = BTreeSet::new();
        for index in n.saturating_sub(16)..n {
            let found: Option<Hash> = chain.view(&w.asset, "registered", (index,));
            let trail = found.filter(|trail| w.registered.contains(trail));
            if !trail.is_some_and(|trail| last.insert(trail)) {
                return Err(format!("line {index} is {found:?}"));
            }
        }
        Ok(())
    })
    .invariant("accounts are what their trails say", accounts)
}

#[test]
fn asset() {
    let summary = run::<Asset, _>(&campaign(), &[kempe_contracts::ASSET]);
    assert!(summary.widest_batch > 2, "{summary:?}");
}
