//! The shipped contracts' invariants, under 10,000 random calls each: natively, on wasm in parallel
//! and on wasm one by one, with equal receipts, and equal roots behind every block.
//!
//! `KEMPE_CALLS` changes the number, for a longer run.

mod nft;
mod token;

/// How many calls a campaign makes.
fn n_calls() -> usize {
    std::env::var("KEMPE_CALLS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000)
}

/// The names of the accounts.
const PEOPLE: [&str; 6] = ["ann", "ben", "cleo", "dan", "eve", "fay"];
