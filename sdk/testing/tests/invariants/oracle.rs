//! The oracle: a price is the median of valid reports, and its time only grows.

use std::collections::BTreeMap;

use kempe_abi::{Address, Decode};
use kempe_oracle::{AHEAD_MS_MAX, Oracle, Report, median, message};
use kempe_sdk::interfaces::Price;
use kempe_sdk::testing::{Campaign, Instance, Receipt, Rng, TestChain, Tx};

use crate::common::{expect, one};
use crate::{PEOPLE, n_calls};

const ASSETS: [Address; 3] = [Address([1; 32]), Address([2; 32]), Address([3; 32])];

struct World {
    oracle: Instance<Oracle>,
    /// The last does not report.
    people: Vec<Address>,
    prices: BTreeMap<Address, Price>,
    wrong: Vec<String>,
}

fn setup(chain: &mut TestChain) -> World {
    let people: Vec<Address> = PEOPLE.map(|name| chain.account(name)).into();
    let args = (people[0], people[..5].to_vec(), 3u8, 1u64);
    let oracle = chain.deploy::<Oracle>(people[0], args);
    World { oracle, people, prices: BTreeMap::new(), wrong: Vec::new() }
}

fn report(w: &World, rng: &mut Rng, chain: &TestChain, at: usize, of: (Address, u64)) -> Report {
    let (reporter, value) = (w.people[at], rng.u128(0..1_000_000));
    let signed = if rng.u8(0..60) == 0 { value + 1 } else { value };
    let message = message(1, w.oracle.address(), of.0, signed, of.1);
    Report { reporter, value, signature: chain.sign(reporter, &message.0) }
}

fn publish(w: &World, rng: &mut Rng, chain: &TestChain) -> Tx {
    let asset = one(&ASSETS, rng);
    let time_ms = (chain.time_ms() + rng.u64(0..AHEAD_MS_MAX + 2_000)).saturating_sub(1_500);
    let mut who: Vec<usize> = (0..if rng.u8(0..8) == 0 { 6 } else { 5 }).collect();
    rng.shuffle(&mut who);
    who.truncate(rng.usize(2..=5));
    let reports: Vec<Report> =
        who.into_iter().map(|at| report(w, rng, chain, at, (asset, time_ms))).collect();
    w.oracle.tx(one(&w.people, rng), "publish", (asset, time_ms, reports))
}

fn observe(w: &mut World, tx: &Tx, receipt: &Receipt) {
    if !receipt.is_ok() || tx.method != "publish" {
        return;
    }
    let args = <(Address, u64, Vec<Report>)>::deserialize_reader(&mut &tx.args[..]);
    let (asset, time_ms, reports) = args.unwrap();
    let mut values: Vec<u128> = reports.iter().map(|report| report.value).collect();
    let value = median(&mut values).unwrap();
    let before = w.prices.insert(asset, Price { value, time_ms });
    let known = reports.iter().all(|report| w.people[..5].contains(&report.reporter));
    if before.is_some_and(|price| price.time_ms >= time_ms) || reports.len() < 3 || !known {
        w.wrong.push(format!("{asset} at {time_ms}"));
    }
}

#[test]
fn oracle() {
    let campaign = Campaign::new(setup)
        .blocks(6, 5_000)
        .call(4, "publish", |w, rng, chain| publish(w, rng, chain))
        .call(2, "price", |w, rng, _| {
            w.oracle.tx(one(&w.people, rng), "price", (one(&ASSETS, rng),))
        })
        .observe(observe)
        .invariant("only newer reports of enough reporters count", |w, _| {
            expect(w.wrong.is_empty(), || w.wrong.join(", "))
        })
        .invariant("prices are medians", |w, chain| {
            ASSETS.into_iter().try_for_each(|asset| {
                let price: Option<Price> = chain.view(&w.oracle, "price", (asset,));
                let sane = price.is_none_or(|price| price.value > 0);
                expect(sane && price == w.prices.get(&asset).copied(), || format!("{price:?}"))
            })
        });
    let summary = kempe_testing::run(&campaign, n_calls(), &[kempe_contracts::ORACLE]);
    assert!(summary.widest_batch > 2, "{summary:?}");
}
