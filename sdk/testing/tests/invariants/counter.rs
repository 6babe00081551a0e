//! The counter: the total is what everybody contributed, and nobody takes back more.

use std::collections::BTreeMap;

use kempe_abi::{Address, Decode};
use kempe_counter::Tally;
use kempe_sdk::testing::{Campaign, Instance, Receipt, TestChain, Tx};

use crate::common::{any_size, expect, one};
use crate::{PEOPLE, run};

struct World {
    tally: Instance<Tally>,
    people: Vec<Address>,
    /// What each contributed, by what was sent and succeeded.
    shares: BTreeMap<Address, u128>,
}

fn setup(chain: &mut TestChain) -> World {
    let people: Vec<Address> = PEOPLE.map(|name| chain.account(name)).into();
    let tally = chain.deploy::<Tally>(people[0], ());
    World { tally, people, shares: BTreeMap::new() }
}

fn observe(w: &mut World, tx: &Tx, receipt: &Receipt) {
    if !receipt.is_ok() {
        return;
    }
    let amount = u128::from(u64::deserialize_reader(&mut &tx.args[..]).unwrap());
    let share = w.shares.entry(tx.sender).or_default();
    match &*tx.method {
        "lower" => *share -= amount,
        _ => *share += amount,
    }
}

fn campaign() -> Campaign<World> {
    let campaign = Campaign::new(setup);
    [("raise", 6), ("lower", 4), ("raise_slowly", 1)]
        .into_iter()
        .fold(campaign, |campaign, (method, weight)| {
            campaign.call(weight, method, move |w, rng, _| {
                // The largest fill the total up: then raising fails, too.
                let amount = u64::try_from(any_size(rng, 61)).unwrap();
                w.tally.tx(one(&w.people, rng), method, (amount,))
            })
        })
        .observe(observe)
        .invariant("shares are what was sent, and add up to the total", |w, chain| {
            let mut sum = 0;
            for who in &w.people {
                let share: u64 = chain.view(&w.tally, "contribution", (*who,));
                let sent = w.shares.get(who).copied().unwrap_or(0);
                expect(u128::from(share) == sent, || format!("{share} {sent}"))?;
                sum += sent;
            }
            let total: u64 = chain.view(&w.tally, "total", ());
            expect(u128::from(total) == sum, || format!("total={total} sum={sum}"))
        })
}

#[test]
fn counter() {
    let summary = run::<Tally, _>(&campaign(), &[kempe_contracts::COUNTER]);
    assert!(summary.widest_batch > 2, "{summary:?}");
}
