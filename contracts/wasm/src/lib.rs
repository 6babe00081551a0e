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

/// The pool: a constant-product exchange of two tokens.
pub const POOL: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pool.wasm"));

/// The token: balances, allowances, and a supply.
pub const TOKEN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/token.wasm"));

/// Every contract with its name, in order of name.
pub const ALL: &[(&str, &[u8])] = &[("counter", COUNTER), ("pool", POOL), ("token", TOKEN)];
