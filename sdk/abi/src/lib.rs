//! The boundary between contracts and the runtime: types, canonical encoding, access templates and the ABI.
//!
//! The SDK (in the contract) and the runtime (on the host) both depend on this crate and never on
//! each other. What a contract declares is written once, as constants ([`def`]), encoded at compile
//! time into the custom section [`SECTION_NAME`] of its wasm ([`section`]), decoded by the host into
//! an [`Abi`], and turned into the access list of a call by [`derive::derive`], without running any code.
//!
//! Every value is encoded with [borsh](https://borsh.io), whose encoding is canonical: one value, one
//! byte string. The key bytes of a map entry are the concatenated encodings of its keys, so a nested
//! map and a map with a tuple key address the same cells.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod abi;
mod access;
mod accumulate;
mod address;
pub mod def;
pub mod derive;
mod escrow;
pub mod host;
mod interface;
mod layout;
pub mod log;
mod missing;
mod outcome;
pub mod section;
mod types;
pub mod upgrade;

pub use abi::{
    Abi, AbiError, Allowance, CellKind, ErrorCase, ErrorSet, Event, Field, Method, MethodKind,
    Param,
};
pub use access::{AccessKind, CLAUSE_DEPTH_MAX, Clause, EXPR_DEPTH_MAX, Expr};
pub use accumulate::Accumulate;
pub use address::{Address, Hash, MethodId, ParseHexError, SMALL_ORDER};
pub use borsh;
pub use borsh::{BorshDeserialize as Decode, BorshSerialize as Encode};
pub use escrow::{Bound, Escrow};
pub use interface::{Interface, InterfaceId, InterfaceMethod};
pub use layout::{
    LayoutError, MEMBERS_FREE, MEMBERS_PER_BYTE, TYPE_DEPTH_MAX, project, size_of_value, split,
};
pub use missing::{Filled, Missing};
pub use outcome::{Outcome, TrapKind};
pub use section::SECTION_NAME;
pub use types::{AbiType, Member, Type, TypeDef, Variant};
