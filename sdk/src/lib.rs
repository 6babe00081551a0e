//! Write Kempe contracts: typed storage, declared access, events, errors and cross-contract calls.
//!
//! A contract is a struct of storage fields and an `impl` of methods. Each method declares what it
//! touches; the macro compares that with what the method's code touches, and the declaration travels
//! in the wasm to the host, which schedules and enforces by it.
//!
//! ```
//! use kempe_sdk::prelude::*;
//!
//! #[contract]
//! pub struct Tally {
//!     /// Votes by candidate.
//!     votes: Map<String, Counter<u64>>,
//!     /// Who has voted.
//!     voted: Map<Address, bool>,
//! }
//!
//! #[error]
//! pub enum TallyError {
//!     /// The caller has voted before.
//!     AlreadyVoted = 100,
//! }
//!
//! #[contract]
//! impl Tally {
//!     /// Votes for a candidate, once. Votes of two callers run at the same time.
//!     #[access(write(voted[caller]), add(votes[candidate]))]
//!     pub fn vote(&mut self, candidate: String) -> Result<(), TallyError> {
//!         ensure!(!self.voted.get(caller()), TallyError::AlreadyVoted);
//!         self.voted.put(caller(), true);
//!         self.votes.add(candidate, 1);
//!         Ok(())
//!     }
//!
//!     /// The votes for a candidate.
//!     #[access(read(votes[candidate]))]
//!     pub fn votes(&self, candidate: String) -> u64 {
//!         self.votes.get(candidate)
//!     }
//! }
//!
//! use kempe_sdk::testing::TestChain;
//!
//! let mut chain = TestChain::native();
//! let (alice, bob) = (chain.account("alice"), chain.account("bob"));
//! let tally = chain.deploy::<Tally>(alice, ());
//! let report = chain.block([
//!     tally.tx(alice, "vote", ("Ada".to_string(),)),
//!     tally.tx(bob, "vote", ("Ada".to_string(),)),
//! ]);
//! report.assert_ok().assert_batches(&[&[0, 1]]);
//! assert_eq!(chain.view::<u64>(&tally, "votes", ("Ada".to_string(),)), 2);
//! chain.send(alice, &tally, "vote", ("Bea".to_string(),)).assert_revert(TallyError::AlreadyVoted);
//! ```
//!
//! Compiled for wasm the crate needs no standard library and brings an allocator and a panic handler.
//! Natively it brings [`testing`].
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;
// The macros name this crate by its path, also inside it.
extern crate self as kempe_sdk;

mod call;
mod codec;
mod contract;
mod env;
mod event;
#[doc(hidden)]
pub mod host;
pub mod interfaces;
mod macros;
pub mod prelude;
mod storage;
mod template;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
#[cfg(all(target_arch = "wasm32", target_os = "none"))]
mod wasm;

pub use call::{CallError, call_encoded};
pub use contract::{Contract, ContractError, Revert, revert};
pub use env::{
    blake3, caller, ed25519_verify, hash, height, keccak256, message, sha256, this, time_ms,
};
pub use event::{Event, emit};
pub use kempe_abi::{self as abi, AbiType, Address, Hash};
pub use kempe_sdk_macros::{Value, access, contract, error, event, interface};
pub use storage::{
    AsKey, Counter, CounterValue, Immutable, Item, Log, Map, Max, Min, Sharded, Stock,
};

/// What the macros' output names. Not for contracts.
#[doc(hidden)]
pub mod __private {
    pub use alloc::string::String;
    pub use alloc::vec::Vec;

    pub use kempe_sdk_macros::contract_impl;

    pub use crate::call::{call, try_call};
    pub use crate::codec::{AtMost, invalid, max_len_of};
    #[cfg(target_arch = "wasm32")]
    pub use crate::contract::enter;
    #[cfg(not(target_arch = "wasm32"))]
    pub use crate::contract::run;
    pub use crate::contract::{ResultType, not_implemented};
    pub use crate::env::log;
    pub use crate::storage::Handle;
    pub use crate::template::{assert_key, assert_list, assert_member, element, member};
}

/// The contract in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The contracts in the guide compile, and do what it says.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../docs/src/access.md")]
    struct Access;
    #[doc = include_str!("../../docs/src/calls.md")]
    struct Calls;
    #[doc = include_str!("../../docs/src/cookbook.md")]
    struct Cookbook;
    #[doc = include_str!("../../docs/src/first-contract.md")]
    struct FirstContract;
    #[doc = include_str!("../../docs/src/security.md")]
    struct Security;
    #[doc = include_str!("../../docs/src/testing.md")]
    struct Testing;
    #[doc = include_str!("../../docs/src/upgrades.md")]
    struct Upgrades;
}
