//! The shipped contracts' invariants, under random calls: natively, on wasm in parallel and on wasm one
//! by one, with equal receipts, and equal roots behind every block.
//!
//! `KEMPE_CALLS` is the number of calls of each campaign: 10,000 in the long form, `just test-slow`.

#![allow(clippy::unwrap_used, reason = "a test may")]

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

/// The names of the accounts.
const PEOPLE: [&str; 6] = ["ann", "ben", "cleo", "dan", "eve", "fay"];
