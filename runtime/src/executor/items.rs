//! Where the items go that a block appends to logs.
//!
//! A transaction's items are kept beside its receipt until all have run; what it adds to a log's length takes the way of
//! every addition. So the forms of execution need not know of items, and a scheduler's choice does
//! not show: the published order alone numbers them.

use kempe_abi::log::item_key;
use rayon::prelude::*;

use super::Change;
use crate::engine::{Appended, number};
use crate::state::{StateRead, StoreError};
use crate::types::{Bytes, KeyMap, StateKey};

/// What a transaction appended, with its number.
pub(super) type TxItems = (u32, Box<[Appended]>);

/// The cells of the items that transactions appended one after the other, the first to logs as they are in `state`.
pub(super) fn changes(
    appended: Vec<TxItems>,
    state: &dyn StateRead,
) -> Result<Vec<Change>, StoreError> {
    let mut lengths: KeyMap<u64> = KeyMap::default();
    let mut items = Vec::with_capacity(appended.iter().map(|(_, items)| items.len()).sum());
    for item in appended.into_iter().flat_map(|(_, items)| items) {
        let index = match lengths.get(&item.hash) {
            Some(&length) => length,
            None => length(state, &item)?,
        };
        lengths.insert(item.hash, index + 1);
        items.push((item, index));
    }
    let change = |(item, index)| change(item, index);
    Ok(items.into_par_iter().with_min_len(256).map(change).collect())
}

/// The cells of the items of one transaction, where `state` has the lengths after it.
pub(super) fn changes_of(
    items: Box<[Appended]>,
    state: &dyn StateRead,
) -> Result<Vec<Change>, StoreError> {
    let mut ends: KeyMap<u64> = KeyMap::default();
    let mut changes = Vec::with_capacity(items.len());
    for item in items.into_iter().rev() {
        let end = match ends.get(&item.hash) {
            Some(&end) => end,
            None => length(state, &item)?,
        };
        let index = end.checked_sub(1).expect("a length counts its items");
        ends.insert(item.hash, index);
        changes.push(change(item, index));
    }
    Ok(changes)
}

/// The length of an item's log. That of a state that was tampered with may be none, and then nothing could be
/// appended.
fn length(state: &dyn StateRead, item: &Appended) -> Result<u64, StoreError> {
    let length = number(state.get(&item.hash)?.as_deref());
    let length = length.and_then(|length| u64::try_from(length).ok());
    length.ok_or_else(|| StoreError::inconsistent(format!("{:?} is no length of a log", item.log)))
}

fn change(Appended { log, item, .. }: Appended, index: u64) -> Change {
    let StateKey { contract, field, key } = log;
    let key = StateKey { contract, field, key: Bytes::from_slice(&item_key(&key, index)) };
    Change { hash: key.hash(), key, value: Some(item) }
}
