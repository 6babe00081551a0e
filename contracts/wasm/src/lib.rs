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

/// Futures: perpetual positions against a vault.
pub const FUTURES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/futures.wasm"));

/// Governance: proposals, votes by snapshot, a timelock, a treasury.
pub const GOVERNANCE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/governance.wasm"));

/// Lending: a market where one token is lent against another.
pub const LENDING: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/lending.wasm"));

/// The multisig: a wallet whose calls need the approval of several members.
pub const MULTISIG: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/multisig.wasm"));

/// The collection: tokens of which each is one of a kind.
pub const NFT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/nft.wasm"));

/// Options: covered calls and puts, settled by delivery.
pub const OPTIONS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/options.wasm"));

/// The oracle: prices, the median of what reporters sign.
pub const ORACLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/oracle.wasm"));

/// The order book: limit orders with price-time priority.
pub const ORDERBOOK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/orderbook.wasm"));

/// The pool: a constant-product exchange of two tokens.
pub const POOL: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pool.wasm"));

/// Staking: rewards by amount and time staked.
pub const STAKING: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/staking.wasm"));

/// The token: balances, allowances, and a supply.
pub const TOKEN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/token.wasm"));

/// Vesting: grants of tokens that vest over time.
pub const VESTING: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/vesting.wasm"));

/// The fare collection: riders, operators and what they owe each other.
pub const FARE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/fare.wasm"));

/// The router: a swap along a path of pools.
pub const ROUTER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/router.wasm"));

/// The asset: a regulated token.
pub const ASSET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/asset.wasm"));

/// Every contract with its name, in order of name.
pub const ALL: &[(&str, &[u8])] = &[
    ("asset", ASSET),
    ("counter", COUNTER),
    ("escrow", ESCROW),
    ("fare", FARE),
    ("futures", FUTURES),
    ("governance", GOVERNANCE),
    ("lending", LENDING),
    ("multisig", MULTISIG),
    ("nft", NFT),
    ("options", OPTIONS),
    ("oracle", ORACLE),
    ("orderbook", ORDERBOOK),
    ("pool", POOL),
    ("router", ROUTER),
    ("staking", STAKING),
    ("token", TOKEN),
    ("vesting", VESTING),
];
