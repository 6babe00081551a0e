//! The shipped contracts as compiled wasm.
//!
//! The build script compiles them from the sources beside this crate, with the toolchain of the
//! workspace, so that tests, benches and the command line run what a person would deploy.
//!
//! ```
//! assert!(kempe_contracts::TOKEN.starts_with(b"\0asm"));
//! assert!(kempe_contracts::ALL.iter().any(|(name, _)| *name == "token"));
//! ```

/// The counter: a total that any number of callers raise at the same time.
pub const COUNTER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/counter.wasm"));

/// The escrow: deals with an arbiter, and hash-time-locked payments.
pub const ESCROW: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/escrow.wasm"));

/// The multisig: a wallet whose calls need the approval of several members.
pub const MULTISIG: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/multisig.wasm"));

/// The pool: a constant-product exchange of two tokens.
pub const POOL: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pool.wasm"));

/// The token: balances, allowances, and a supply.
pub const TOKEN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/token.wasm"));

/// Vesting: grants of tokens that vest over time.
pub const VESTING: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/vesting.wasm"));

/// The collection: tokens of which each is one of a kind.
pub const NFT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/nft.wasm"));

/// Every contract with its name, in order of name.
pub const ALL: &[(&str, &[u8])] = &[
    ("counter", COUNTER),
    ("escrow", ESCROW),
    ("multisig", MULTISIG),
    ("nft", NFT),
    ("pool", POOL),
    ("token", TOKEN),
    ("vesting", VESTING),
];
