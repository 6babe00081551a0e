//! The data of the chain: keys, transactions, receipts, events, blocks and the genesis file.

mod key;

pub use key::{
    Bytes, FieldPrefix, KeyHash, KeyHasher, KeyMap, SYSTEM, StateKey, system_field,
};
