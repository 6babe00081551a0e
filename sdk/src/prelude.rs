//! Everything that a contract usually needs: `use kempe_sdk::prelude::*;`.

pub use alloc::format;
pub use alloc::string::{String, ToString};
pub use alloc::vec;
pub use alloc::vec::Vec;

pub use crate::{
    Address, CallError, Contract, ContractError, Counter, Event, Hash, Immutable, Item, Log, Map,
    Max, Min, Revert, Sharded, Stock, Value, access, caller, contract, emit, ensure, error, event,
    hash, height, interface, log, revert, this, time_ms,
};
