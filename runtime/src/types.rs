//! The data of the chain: keys, transactions, receipts, events, blocks and the genesis file.

mod block;
mod bytes;
mod call;
mod genesis;
mod key;
pub(crate) mod lanes;
pub(crate) mod messages;
mod receipt;
mod signatures;
mod transaction;

pub use block::{Block, BlockRecord, ContractRecord, Header, merkle_root, schedule_hash};
pub use bytes::Bytes;
pub use call::{Call, CallError, ErrorCodes};
pub use genesis::{Genesis, GenesisAccount, GenesisError, Limits, Prices};
pub use key::{FieldPrefix, KeyHash, KeyHasher, KeyMap, SYSTEM, StateKey, system_field};
pub(crate) use key::{KeyBlock, first_bytes, hash_order, key_block};
pub use receipt::{EventRecord, Failure, Receipt, Undeclared, footprint_entry, footprint_hash};
pub(crate) use receipt::{Footprints, RECEIPT_KEY};
pub use signatures::{KeyCache, signatures_together, verify_signatures};
pub(crate) use transaction::SIGNATURE_BYTES;
pub use transaction::{
    ACTIONS_MAX, Action, DeclaredAccess, LIST_ENTRIES_MAX, SIGNATURE_DOMAIN, SignedTransaction,
    TX_BYTES_MAX, TX_KEY, Transaction, TransactionError, Upgrade, address_of, contract_address,
};
