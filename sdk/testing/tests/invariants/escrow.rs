//! The escrow: it holds what is open, and nothing is closed twice.

use std::collections::{BTreeMap, BTreeSet};

use kempe_abi::{Address, Hash};
use kempe_escrow::{Claimed, Closed, Deal, Escrow, Lock, Locked, Opened, Reclaimed, Revealed};
use kempe_sdk::sha256;
use kempe_sdk::testing::{Campaign, Instance, Receipt, Rng, TestChain};
use kempe_token::Token;

use crate::common::{balance, endow, expect, one};
use crate::{PEOPLE, run};

struct World {
    escrow: Instance<Escrow>,
    tokens: [Instance<Token>; 2],
    people: Vec<Address>,
    deals: BTreeMap<Hash, Deal>,
    locks: BTreeMap<Hash, Lock>,
    /// The locks whose secrets were accepted.
    revealed: BTreeSet<Hash>,
    /// What was closed, to be tried again.
    closed: Vec<Deal>,
    twice: usize,
    taken_back: Vec<Hash>,
}

fn setup(chain: &mut TestChain) -> World {
    let people: Vec<Address> = PEOPLE.map(|name| chain.account(name)).into();
    let escrow = chain.deploy::<Escrow>(people[0], ());
    let tokens = [0, 1].map(|_| chain.deploy::<Token>(people[0], (people[0],)));
    for token in &tokens {
        endow(chain, token, &people, 1_000, escrow.address());
    }
    World {
        escrow,
        tokens,
        people,
        deals: BTreeMap::new(),
        locks: BTreeMap::new(),
        revealed: BTreeSet::new(),
        closed: Vec::new(),
        twice: 0,
        taken_back: Vec::new(),
    }
}

fn secret(salt: u64) -> [u8; 32] {
    sha256(&salt.to_le_bytes()).0
}

fn new_deal(w: &World, rng: &mut Rng, chain: &TestChain) -> Deal {
    Deal {
        buyer: one(&w.people, rng),
        seller: one(&w.people, rng),
        arbiter: one(&w.people, rng),
        token: one(&w.tokens, rng).address(),
        amount: rng.u128(0..300),
        deadline_ms: chain.time_ms() + rng.u64(0..30_000),
        salt: rng.u64(0..1_000),
    }
}

fn new_lock(w: &World, rng: &mut Rng, chain: &TestChain) -> Lock {
    let salt = rng.u64(0..1_000);
    Lock {
        sender: one(&w.people, rng),
        recipient: one(&w.people, rng),
        token: one(&w.tokens, rng).address(),
        amount: rng.u128(0..300),
        secret_hash: sha256(&secret(salt)),
        deadline_ms: chain.time_ms() + rng.u64(0..30_000),
        salt,
    }
}

/// Mostly an open deal, now and then one that is over or never was.
fn some_deal(w: &World, rng: &mut Rng, chain: &TestChain) -> Deal {
    let at = rng.usize(0..w.deals.len().max(1));
    match (w.deals.values().nth(at), w.closed.last(), rng.u8(0..8)) {
        (_, Some(closed), 0) => closed.clone(),
        (Some(deal), ..) => deal.clone(),
        _ => new_deal(w, rng, chain),
    }
}

fn some_lock(w: &World, rng: &mut Rng, chain: &TestChain) -> Lock {
    let at = rng.usize(0..w.locks.len().max(1));
    w.locks.values().nth(at).cloned().unwrap_or_else(|| new_lock(w, rng, chain))
}

/// Mostly a lock whose time has not come: of all that are there most are late.
fn timely_lock(w: &World, rng: &mut Rng, chain: &TestChain) -> Lock {
    let timely = w.locks.values().filter(|lock| lock.deadline_ms > chain.time_ms());
    let timely: Vec<_> = timely.filter(|_| rng.u8(0..8) > 0).collect();
    rng.choice(timely).cloned().unwrap_or_else(|| some_lock(w, rng, chain))
}

fn observe(w: &mut World, receipt: &Receipt) {
    w.deals.extend(receipt.events::<Opened>().into_iter().map(|e| (e.id, e.deal)));
    w.locks.extend(receipt.events::<Locked>().into_iter().map(|e| (e.id, e.lock)));
    for event in receipt.events::<Closed>() {
        match w.deals.remove(&event.id) {
            Some(deal) => w.closed.push(deal),
            None => w.twice += 1,
        }
    }
    w.revealed.extend(receipt.events::<Revealed>().into_iter().map(|e| e.id));
    let taken_back = receipt.events::<Reclaimed>().into_iter().map(|e| e.id);
    w.taken_back.extend(taken_back.filter(|id| w.revealed.contains(id)));
    let claimed = receipt.events::<Claimed>().into_iter().map(|e| e.id);
    for id in claimed.chain(receipt.events::<Reclaimed>().into_iter().map(|e| e.id)) {
        w.twice += usize::from(w.locks.remove(&id).is_none());
    }
}

fn campaign() -> Campaign<World> {
    let campaign = Campaign::new(setup)
        .call(4, "open", |w, rng, chain| {
            let deal = new_deal(w, rng, chain);
            w.escrow.tx(deal.buyer, "open", (deal,))
        })
        .call(4, "lock", |w, rng, chain| {
            let lock = new_lock(w, rng, chain);
            w.escrow.tx(lock.sender, "lock", (lock,))
        })
        .call(2, "reclaim", |w, rng, chain| {
            w.escrow.tx(one(&w.people, rng), "reclaim", (some_lock(w, rng, chain),))
        });
    let campaign =
        [("reveal", 1), ("claim", 3)].into_iter().fold(campaign, |campaign, (method, weight)| {
            campaign.call(weight, method, move |w, rng, chain| {
                let lock = timely_lock(w, rng, chain);
                let salt = if rng.u8(0..8) == 0 { rng.u64(..) } else { lock.salt };
                w.escrow.tx(one(&w.people, rng), method, (lock, secret(salt)))
            })
        });
    ["release", "refund"]
        .into_iter()
        .fold(campaign, |campaign, method| {
            campaign.call(4, method, move |w, rng, chain| {
                w.escrow.tx(one(&w.people, rng), method, (some_deal(w, rng, chain),))
            })
        })
        .observe(|w, _, receipt| observe(w, receipt))
        .invariant("nothing is closed twice", |w, _| {
            expect(w.twice == 0, || format!("{} times", w.twice))
        })
        .invariant("nobody takes back what the secret was shown for", |w, _| {
            expect(w.taken_back.is_empty(), || format!("{:?}", w.taken_back))
        })
        .invariant("the escrow has what is open", |w, chain| {
            w.tokens.iter().try_for_each(|token| {
                let deals = w.deals.values().filter(|deal| deal.token == token.address());
                let locks = w.locks.values().filter(|lock| lock.token == token.address());
                let open: u128 = deals.map(|deal| deal.amount).sum::<u128>()
                    + locks.map(|lock| lock.amount).sum::<u128>();
                let has = balance(chain, token, w.escrow.address());
                expect(has == open, || format!("has={has} open={open}"))
            })
        })
}

#[test]
fn escrow() {
    let wasm = [kempe_contracts::ESCROW, kempe_contracts::TOKEN];
    let summary = run::<Escrow, _>(&campaign(), &wasm);
    assert!(summary.widest_batch > 1, "{summary:?}");
}
