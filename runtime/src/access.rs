//! From a transaction to its access list.

mod builder;
mod escrow;
mod list;
mod names;

use std::array;
use std::sync::LazyLock;

use kempe_abi::AccessKind;
use kempe_abi::derive::{self, DeriveError};

use crate::engine::{ContractSet, Find};
use crate::types::lanes::LANES;
use crate::types::{
    Action, FieldPrefix, KeyBlock, KeyHash, LIST_ENTRIES_MAX, Prices, SYSTEM, Transaction,
    key_block, system_field,
};

pub(crate) use builder::ChunkBuilder;
pub use list::{AccessList, ListedKey, Lists};
pub(crate) use list::{CHUNK_TXS, Chunk, Entry, Work, place};
pub(crate) use names::NameIndex;

/// Why no access list follows from a transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// It deploys or upgrades a contract: its list is known when it runs, in the tail lane.
    #[error("a deployment or an upgrade has no access list before it runs")]
    Deployment,
    /// A call has none.
    #[error("action={action}: {source}")]
    Derive {
        /// The position of the action.
        action: usize,
        /// Why.
        source: DeriveError,
    },
    /// More entries than [`LIST_ENTRIES_MAX`].
    #[error("the access list has more than n_entries_max={LIST_ENTRIES_MAX} entries")]
    TooLarge,
    /// The fuel limit does not pay for the entries.
    #[error("the fuel limit does not pay for the entries of the access list")]
    Unaffordable,
}

/// The prefixes of the chain's own fields.
static SYSTEM_PREFIXES: LazyLock<[FieldPrefix; 4]> =
    LazyLock::new(|| [0, 1, 2, 3].map(|field| FieldPrefix::new(&SYSTEM, field)));

/// The hash of a key of the chain's own.
#[must_use]
pub fn system_hash(field: u8, key: &[u8; 32]) -> KeyHash {
    KeyHash::of(&SYSTEM_PREFIXES[usize::from(field)], key)
}

/// The hashes of keys of one of the chain's own fields, side by side; there are as many keys as places.
pub(crate) fn system_hashes<'a>(
    field: u8,
    keys: impl Iterator<Item = &'a [u8; 32]>,
    out: &mut [KeyHash],
) {
    let prefix = &SYSTEM_PREFIXES[usize::from(field)];
    let mut blocks = keys.map(|key| key_block(key).expect("32 bytes are short"));
    for out in out.chunks_mut(LANES) {
        let blocks: [KeyBlock; LANES] = array::from_fn(|_| blocks.next().unwrap_or([0; 64]));
        let blocks = blocks.each_ref();
        let mut hashes = [[0; 32]; LANES];
        let n_keys = out.len();
        KeyHash::of_blocks(prefix, &blocks[..n_keys], &mut hashes[..n_keys]);
        for (place, hash) in out.iter_mut().zip(hashes) {
            *place = KeyHash(hash);
        }
    }
}

/// Above this many entries, keys are found through a [`NameIndex`] instead of one after the other.
/// An estimate: a comparison takes a nanosecond or two, a look-up in a map and its hash far more.
pub(crate) const LINEAR_MAX: usize = 24;

/// Derives the access list of a transaction and appends it to a chunk. Runs no code.
///
/// # Errors
/// [`AccessError`]; the transaction then belongs in the tail lane, and its row says so.
pub(crate) fn derive_list(
    tx: &Transaction,
    contracts: &dyn Find,
    prices: &Prices,
    chunk: &mut ChunkBuilder,
) -> Result<(), AccessError> {
    let mut row = chunk.row(contracts);
    let derived = derive_row(tx, contracts, prices, &mut row);
    match derived {
        Ok(()) => row.end(),
        Err(_) => row.abandon(),
    }
    derived
}

fn derive_row(
    tx: &Transaction,
    contracts: &dyn Find,
    prices: &Prices,
    row: &mut builder::RowBuilder<'_>,
) -> Result<(), AccessError> {
    list_fee(tx, prices, row);
    let left = tx.fuel_limit.saturating_sub(tx.base_fuel(prices));
    row.work_max = Work::paid_by(left, prices);
    for (action, what) in tx.actions.iter().enumerate() {
        match what {
            Action::Call { contract, method, args } => {
                derive::derive(contracts, &tx.sender, contract, *method, args, row)
                    .map_err(|source| AccessError::Derive { action, source })?;
            }
            Action::Transfer { to, .. } => {
                row.system(AccessKind::Write, system_field::BALANCE, &tx.sender);
                row.system(AccessKind::Add, system_field::BALANCE, to);
            }
            Action::Deploy { .. } | Action::Upgrade(_) => return Err(AccessError::Deployment),
        }
        // What is too long already is not made longer.
        if row.overflow {
            return Err(AccessError::TooLarge);
        }
    }
    for entry in &tx.access {
        row.declared(entry.kind, &entry.key);
    }
    if row.overflow {
        return Err(AccessError::TooLarge);
    }
    // What cannot be paid is not numbered, scheduled and loaded either.
    let entries = (row.len() as u64).saturating_mul(prices.list_entry);
    let price = entries.saturating_add(row.work.fuel(prices));
    if price > left { Err(AccessError::Unaffordable) } else { Ok(()) }
}

/// The list of a transaction that is looked at and refused, which took that much: what paying for it touches.
pub(crate) fn fee_list(tx: &Transaction, prices: &Prices, work: Work, chunk: &mut ChunkBuilder) {
    let contracts = ContractSet::default();
    let mut row = chunk.row(&contracts);
    row.work = work;
    list_fee(tx, prices, &mut row);
    row.end();
}

/// What a fee touches.
fn list_fee(tx: &Transaction, prices: &Prices, row: &mut builder::RowBuilder<'_>) {
    if prices.gas > 0 {
        row.system(AccessKind::Write, system_field::BALANCE, &tx.sender);
        row.system(AccessKind::Add, system_field::BALANCE, &prices.collector);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_keys_side_by_side_hash_as_one_by_one() {
        let keys: Vec<[u8; 32]> = (0..40).map(|i| [i; 32]).collect();
        for count in 0..=keys.len() {
            let mut found = vec![KeyHash([0; 32]); count];
            system_hashes(system_field::NONCE, keys.iter(), &mut found);
            let one = |key| system_hash(system_field::NONCE, key);
            assert_eq!(found, keys[..count].iter().map(one).collect::<Vec<_>>(), "count={count}");
        }
    }
}
