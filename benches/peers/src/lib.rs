//! Kempe and other engines on the same transfers, measured in one process.
//!
//! A crate of its own, which plain `cargo` commands at the root leave alone, because the other
//! engines have more dependencies than everything else together. It has a world for each peer;
//! Kempe's is [`kempe_bench::TokenWorld`].

mod erc20;

pub use erc20::{Erc20Error, Erc20World, TRANSFER_CODE};
