//! The shipped contracts' invariants, under random calls: natively, on wasm in parallel and on wasm one
//! by one, with equal receipts, and equal roots behind every block.
//!
//! `KEMPE_CALLS` is the number of calls of each campaign: 10,000 in the long form, `just test-slow`.

#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(clippy::print_stdout, reason = "what a campaign did is of interest, too")]

use kempe_abi::def::MethodKindDef;
use kempe_sdk::Contract;
use kempe_sdk::testing::{Campaign, Summary};

mod asset;
mod common;
mod counter;
mod escrow;
mod fare;
mod futures;
mod governance;
mod lending;
mod multisig;
mod nft;
mod options;
mod oracle;
mod orderbook;
mod pool;
mod staking;
mod token;
mod vesting;

/// How many calls a campaign makes.
fn n_calls() -> usize {
    std::env::var("KEMPE_CALLS").map_or(2_000, |n| n.parse().expect("KEMPE_CALLS is a number"))
}

/// Runs a campaign of `C` in every way. Each method that changes something must succeed often enough that what it
/// does is tested.
fn run<C: Contract, W>(campaign: &Campaign<W>, modules: &[&[u8]]) -> Summary {
    let summary = kempe_testing::run(campaign, n_calls(), modules);
    println!("{summary:?}");
    demand_methods::<C>(&summary);
    summary
}

/// The methods that are not called as others are.
const ELSEWHERE: [&str; 5] = [
    // Once for each writer: the campaign says how often.
    "Options.settle_locked",
    "Options.settle_paid",
    // Once: that it succeeds is what every kind of call must.
    "Token.describe",
    // The host calls these, for an upgrade: `contracts/{governance,multisig}/src/test.rs`.
    "Governance.authorize_upgrade",
    "Multisig.authorize_upgrade",
];

/// One of so many calls of a method must succeed.
const TRIED_MAX: usize = 20;

fn demand_methods<C: Contract>(summary: &Summary) {
    let calls = C::DEF.methods.iter().filter(|method| method.kind == MethodKindDef::Call);
    let names = calls.map(|method| format!("{}.{}", C::DEF.name, method.name));
    let rare = names.filter(|name| !ELSEWHERE.contains(&&**name)).filter_map(|name| {
        let (succeeded, tried) = summary.methods.get(&name).copied().unwrap_or_default();
        let often = succeeded > 0 && succeeded * TRIED_MAX >= tried;
        (!often).then(|| format!("{succeeded} of {tried} calls of {name}"))
    });
    let rare: Vec<String> = rare.collect();
    assert!(rare.is_empty(), "too few succeed: {}", rare.join(", "));
}

/// The names of the accounts.
const PEOPLE: [&str; 6] = ["ann", "ben", "cleo", "dan", "eve", "fay"];
