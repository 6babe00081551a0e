//! Tests of contracts: a chain in memory, accounts, receipts, and what ran in parallel.
//!
//! [`TestChain::native`] runs the contract's Rust code in the test's own process, which is fast and can
//! be debugged; access lists are derived and enforced as on a chain. Another [`Backend`] runs the same
//! test on compiled wasm.
//!
//! ```
//! use kempe_sdk::prelude::*;
//! use kempe_sdk::testing::TestChain;
//!
//! #[contract]
//! pub struct Notes { notes: Map<Address, String> }
//!
//! #[contract]
//! impl Notes {
//!     #[access(write(notes[caller]))]
//!     pub fn write(&mut self, note: String) { self.notes.put(caller(), note); }
//!     #[access(read(notes[of]))]
//!     pub fn read(&self, of: Address) -> String { self.notes.get(of) }
//! }
//!
//! let mut chain = TestChain::native();
//! let [alice, bob] = ["alice", "bob"].map(|name| chain.account(name));
//! let notes = chain.deploy::<Notes>(alice, ());
//! chain.send(alice, &notes, "write", ("mine".to_string(),)).assert_ok();
//! assert_eq!(chain.view::<String>(&notes, "read", (alice,)), "mine");
//! assert_eq!(chain.view::<String>(&notes, "read", (bob,)), "");
//! ```

mod backend;
mod campaign;
mod chain;
mod gas;
mod native;
mod receipt;
pub(crate) mod session;
mod shrink;
mod upgrade;
mod violation;
mod world;

pub use backend::{Backend, CodeSource, Tx};
pub use campaign::{Campaign, NewChain, Summary};
pub use chain::{Instance, TestChain};
/// The random numbers of a [`Campaign`].
pub use fastrand::Rng;
pub use gas::GasReport;
pub use native::Native;
pub use receipt::{BlockReport, Emitted, NamedCell, Receipt, Violation};
pub use upgrade::UpgradeOptions;
