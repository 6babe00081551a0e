//! Receipts and events: what a transaction did.

use borsh::{BorshDeserialize, BorshSerialize};
use kempe_abi::{AccessKind, Address, Hash, Outcome};

use super::key::StateKey;

/// What became of a transaction. The same on every node; names and texts come from the ABI.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Receipt {
    /// The transaction's hash.
    pub tx: Hash,
    /// How it ended.
    pub outcome: Outcome,
    /// The fuel it burned.
    pub fuel: u64,
    /// What its sender paid, in units of the native balance.
    pub fee: u128,
    /// The results of its calls, in order; empty unless the outcome is `Ok`.
    pub results: Vec<Vec<u8>>,
    /// Its events, in order; empty unless the outcome is `Ok`.
    pub events: Vec<EventRecord>,
    /// The hash of what it touched: each key's hash and how, in order of the list.
    pub footprint: Hash,
    /// Whether it ran in the tail lane.
    pub tail: bool,
    /// Where and why it failed, if it did.
    pub failure: Option<Failure>,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct EventRecord {
    /// Who emitted it.
    pub contract: Address,
    /// The event's identifier in the contract's ABI.
    pub id: u32,
    /// The encoded fields.
    pub data: Vec<u8>,
}

/// Where a transaction failed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Failure {
    /// The position of the action.
    pub action: u32,
    /// The contract that reverted or was stopped; the zero address for the chain itself.
    pub contract: Address,
    /// The key that was touched without permission, if that was why.
    pub undeclared: Option<Undeclared>,
}

/// A touch that the access list does not permit.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Undeclared {
    /// What was touched.
    pub key: StateKey,
    /// How.
    pub wanted: AccessKind,
    /// What the list declares for the key.
    pub declared: Option<AccessKind>,
}

impl Receipt {
    /// The leaf of the receipts tree.
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "writing to a hasher cannot fail")]
    pub fn hash(&self) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key("kempe 2026 receipt");
        self.serialize(&mut hasher).expect("writing to a hasher cannot fail");
        Hash(*hasher.finalize().as_bytes())
    }
}
