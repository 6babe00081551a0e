//! Appending to a log.

use kempe_abi::derive::MEMBER_BYTES;
use kempe_abi::host::{APPENDED_BYTES_MAX, ITEM_BYTES, KEY_BYTES_MAX, VALUE_BYTES_MAX};
use kempe_abi::log::INDEX_BYTES;
use kempe_abi::{AccessKind, TrapKind};

use super::Session;
use crate::engine::cell::Accumulator;
use crate::types::{Bytes, KeyHash, StateKey};

/// An item that a transaction appended to a log. Where it goes is known when the transaction's turn has come in
/// the published order.
#[derive(Clone, Debug)]
pub(crate) struct Appended {
    /// The hash of the log's key.
    pub(crate) hash: KeyHash,
    /// The log's key, under which its length is.
    pub(crate) log: StateKey,
    pub(crate) item: Bytes,
}

impl Session {
    /// Appends to a log of the running contract: adds to its length, and keeps the item.
    pub(crate) fn append(&mut self, field: u8, key: &[u8], item: &[u8]) -> Result<(), TrapKind> {
        if key.len() + INDEX_BYTES > KEY_BYTES_MAX || item.len() > VALUE_BYTES_MAX {
            return Err(TrapKind::TooLarge);
        }
        // The block makes a cell of it.
        self.charge(self.prices.list_entry)?;
        self.own_log(field, key)?;
        let at = self.own_cell(field, key, AccessKind::Add)?;
        self.appended_bytes += key.len() + item.len() + ITEM_BYTES;
        if self.appended_bytes > APPENDED_BYTES_MAX {
            return Err(TrapKind::TooLarge);
        }
        self.add(at, Accumulator::of(self.own_contract(), field), 1)?;
        let hash = self.cells[at].hash;
        let log = StateKey::new(self.frame().address, field, key);
        self.appended.push(Appended { hash, log, item: Bytes::from_slice(item) });
        Ok(())
    }

    /// Whether the key is that of a log, and of no item: else the length of one log could be another's item. What its types have of members
    /// costs what members of arguments cost, since a key may have many that have no bytes.
    pub(crate) fn own_log(&mut self, field: u8, key: &[u8]) -> Result<(), TrapKind> {
        let field = self.own_contract().abi().fields.get(usize::from(field));
        let (is_log, n_members) = field.map_or((false, 0), |field| field.is_log_key(key));
        let n_blocks = (n_members.saturating_sub(key.len()) * MEMBER_BYTES / 64) as u64;
        self.charge(n_blocks.saturating_mul(self.prices.hash_block))?;
        if is_log { Ok(()) } else { Err(TrapKind::NotPermitted) }
    }
}
