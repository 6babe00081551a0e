//! The oracle: a price is the median of valid reports, within those of the honest, and its time only grows.

use std::collections::BTreeMap;

use kempe_abi::{Address, Decode};
use kempe_oracle::{
    AHEAD_MS_MAX, AdminOffered, BEHIND_MS_MAX, Oracle, Panel, PanelChanged, RECENT_MAX, ROUND_MS,
    Report, median, message,
};
use kempe_sdk::interfaces::Price;
use kempe_sdk::testing::{Campaign, Instance, Receipt, Rng, TestChain, Tx};

use crate::common::{expect, one};
use crate::{PEOPLE, run};

const ASSETS: [Address; 3] = [Address([1; 32]), Address([2; 32]), Address([3; 32])];

struct World {
    oracle: Instance<Oracle>,
    people: Vec<Address>,
    panel: Panel,
    offered: Option<Address>,
    prices: BTreeMap<Address, Price>,
    /// All that an asset has cost, the oldest first.
    history: BTreeMap<Address, Vec<Price>>,
    wrong: Vec<String>,
}

fn setup(chain: &mut TestChain) -> World {
    // Seven report, so that two may lie.
    let names = PEOPLE.into_iter().chain(["seventh", "eighth"]);
    let people: Vec<Address> = names.map(|name| chain.account(name)).collect();
    let panel = Panel { admin: people[0], reporters: people[..7].to_vec(), quorum: 5 };
    let args = (panel.admin, panel.reporters.clone(), panel.quorum, 1u64);
    let oracle = chain.deploy::<Oracle>(people[0], args);
    World {
        oracle,
        people,
        panel,
        offered: None,
        prices: BTreeMap::new(),
        history: BTreeMap::new(),
        wrong: Vec::new(),
    }
}

/// Those of a panel who lie: as many as are fewer than a third.
fn liars(panel: &Panel) -> &[Address] {
    &panel.reporters[..(panel.reporters.len() - 1) / 3]
}

fn report(w: &World, rng: &mut Rng, chain: &TestChain, by: Address, of: (Address, u64)) -> Report {
    let (reporter, honest) = (by, rng.u128(1_000_000..1_010_000));
    let lie = one(&[0, 1, rng.u128(1..u128::MAX), u128::MAX - 1], rng);
    let value = if liars(&w.panel).contains(&by) { lie } else { honest };
    let signed = if rng.u8(0..60) == 0 { value + 1 } else { value };
    let message = message(1, w.oracle.address(), of.0, signed, of.1);
    Report { reporter, value, signature: chain.sign(reporter, &message.0) }
}

fn publish(w: &World, rng: &mut Rng, chain: &TestChain) -> Tx {
    let asset = one(&ASSETS, rng);
    let time_ms = if rng.u8(0..12) == 0 {
        chain.time_ms().saturating_sub(rng.u64(0..2 * BEHIND_MS_MAX))
    } else {
        (chain.time_ms() + rng.u64(0..AHEAD_MS_MAX + 2_000)).saturating_sub(1_500)
    };
    // Now and then not the beginning of a round.
    let time_ms = time_ms - if rng.u8(0..20) == 0 { 0 } else { time_ms % ROUND_MS };
    // Now and then one who does not report, or one too few.
    let Panel { reporters, quorum, .. } = &w.panel;
    let mut who = if rng.u8(0..8) == 0 { &w.people } else { reporters }.clone();
    rng.shuffle(&mut who);
    who.truncate(rng.usize(usize::from(*quorum) - 1..=reporters.len()));
    let reports: Vec<Report> =
        who.into_iter().map(|by| report(w, rng, chain, by, (asset, time_ms))).collect();
    w.oracle.tx(one(&w.people, rng), "publish", (asset, time_ms, reports))
}

fn set_panel(w: &World, rng: &mut Rng) -> Tx {
    let mut reporters = w.people.clone();
    rng.shuffle(&mut reporters);
    reporters.truncate(rng.usize(1..=7));
    // More than two thirds, or not quite.
    let quorum = u8::try_from(reporters.len() * 2 / 3).unwrap() + rng.u8(0..6).min(1);
    let by = if rng.u8(0..6) == 0 { one(&w.people, rng) } else { w.panel.admin };
    w.oracle.tx(by, "set_panel", (reporters, quorum))
}

fn observe(w: &mut World, tx: &Tx, receipt: &Receipt) {
    for PanelChanged { panel } in receipt.events() {
        let enough = usize::from(panel.quorum) * 3 > panel.reporters.len() * 2;
        // Only whom it was offered to has become the admin, and nobody else has changed anything.
        let accepted = tx.method == "accept_admin" && w.offered.take() == Some(tx.sender);
        let right = if accepted { tx.sender } else { w.panel.admin };
        if tx.sender != right || panel.admin != right || !enough {
            w.wrong.push(format!("{panel:?} by {}", tx.sender));
        }
        w.panel = panel;
    }
    for AdminOffered { to } in receipt.events() {
        w.offered = Some(to);
    }
    if !receipt.is_ok() || tx.method != "publish" {
        return;
    }
    let args = <(Address, u64, Vec<Report>)>::deserialize_reader(&mut &tx.args[..]);
    let (asset, time_ms, reports) = args.unwrap();
    let mut values: Vec<u128> = reports.iter().map(|report| report.value).collect();
    let value = median(&mut values).unwrap();
    let before = w.prices.insert(asset, Price { value, time_ms });
    w.history.entry(asset).or_default().push(Price { value, time_ms });
    let known = reports.iter().all(|report| w.panel.reporters.contains(&report.reporter));
    let enough = known && reports.len() >= usize::from(w.panel.quorum);
    let is_round = before.is_none_or(|price| time_ms.abs_diff(price.time_ms) >= ROUND_MS);
    if before.is_some_and(|price| price.time_ms >= time_ms) || !enough || !is_round {
        w.wrong.push(format!("{asset} at {time_ms}"));
    }
    let honest = reports.iter().filter(|report| !liars(&w.panel).contains(&report.reporter));
    let honest: Vec<u128> = honest.map(|report| report.value).collect();
    let within = honest.iter().any(|&v| v <= value) && honest.iter().any(|&v| v >= value);
    if !within {
        w.wrong.push(format!("{value} by liars: {honest:?}"));
    }
}

#[test]
fn oracle() {
    let campaign = Campaign::new(setup)
        .blocks(6, 5_000)
        .call(8, "publish", |w, rng, chain| publish(w, rng, chain))
        .call(1, "set_panel", |w, rng, _| set_panel(w, rng))
        .call(1, "offer_admin", |w, rng, _| {
            let by = if rng.u8(0..6) == 0 { one(&w.people, rng) } else { w.panel.admin };
            w.oracle.tx(by, "offer_admin", (one(&w.people, rng),))
        })
        .call(1, "accept_admin", |w, rng, _| {
            let offered = w.offered.filter(|_| rng.u8(0..6) > 0);
            w.oracle.tx(offered.unwrap_or_else(|| one(&w.people, rng)), "accept_admin", ())
        })
        .call(4, "price", |w, rng, _| {
            w.oracle.tx(one(&w.people, rng), "price", (one(&ASSETS, rng),))
        })
        .observe(observe)
        .invariant(
            "newer reports of enough reporters count, once a round, and liars move nothing",
            |w, _| expect(w.wrong.is_empty(), || w.wrong.join(", ")),
        )
        .invariant(
            "the first price behind a time is that one for as long as it is remembered",
            |w, chain| {
                w.history.iter().try_for_each(|(asset, prices)| {
                    let known = prices.len().saturating_sub(RECENT_MAX);
                    let forgotten_ms = known.checked_sub(1).map_or(0, |at| prices[at].time_ms);
                    // Behind all, a few, none; and behind what is just forgotten, or just not.
                    let times = prices.iter().rev().step_by(7).take(6).map(|price| price.time_ms);
                    let edges = [0, forgotten_ms, forgotten_ms.saturating_sub(1)];
                    times.chain(edges).try_for_each(|after_ms| {
                        let first = prices.iter().find(|price| price.time_ms > after_ms).copied();
                        let expected = first.filter(|_| after_ms >= forgotten_ms);
                        let found: Option<Price> =
                            chain.view(&w.oracle, "first_after", (*asset, after_ms));
                        expect(found == expected, || format!("{after_ms} {found:?} {expected:?}"))
                    })
                })
            },
        )
        .invariant("prices are medians", |w, chain| {
            ASSETS.into_iter().try_for_each(|asset| {
                let price: Option<Price> = chain.view(&w.oracle, "price", (asset,));
                let sane = price.is_none_or(|price| price.value > 0);
                expect(sane && price == w.prices.get(&asset).copied(), || format!("{price:?}"))
            })
        });
    let summary = run::<Oracle, _>(&campaign, &[kempe_contracts::ORACLE]);
    assert!(summary.widest_batch > 2, "{summary:?}");
}
