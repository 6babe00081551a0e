//! What cells held before the block, as far as a worker asked for it since it was given the state.
//!
//! The rates of a market, its terms and totals are asked for by all its calls, and read from the state each of them hashes a key and takes
//! a lock. Kept, calls that borrow from one are a tenth cheaper.

use std::hash::{Hash, Hasher};

use hashbrown::{Equivalent, HashMap};
use kempe_abi::Address;

use crate::types::Bytes;

/// Values that are kept; whoever asks for one more lets go of all others. Ours to choose.
const KEPT_MAX: usize = 256;
/// Bytes of a value that is kept, so that values take at most 256 KiB, and keys a fraction of that. Ours to choose.
const KEPT_BYTES_MAX: usize = 1024;

/// Values by the contract, field and key of their cells.
#[derive(Default)]
pub(super) struct Started(HashMap<Name, Option<Bytes>>);

#[derive(PartialEq, Eq)]
struct Name(Address, u8, Bytes);

struct NameRef<'a>(&'a Address, u8, &'a [u8]);

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        NameRef(&self.0, self.1, &self.2).hash(state);
    }
}

impl Hash for NameRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0.0, self.1, self.2).hash(state);
    }
}

impl Equivalent<Name> for NameRef<'_> {
    fn equivalent(&self, name: &Name) -> bool {
        (*self.0, self.1, self.2) == (name.0, name.1, &name.2[..])
    }
}

impl Started {
    /// What was [kept](Self::keep) for a cell.
    pub(super) fn get(&self, contract: &Address, field: u8, key: &[u8]) -> Option<&Option<Bytes>> {
        self.0.get(&NameRef(contract, field, key))
    }

    /// Keeps the value of a cell for the next one who asks, unless it is long.
    pub(super) fn keep(&mut self, contract: Address, field: u8, key: &[u8], value: &Option<Bytes>) {
        if value.as_ref().is_some_and(|value| value.len() > KEPT_BYTES_MAX) {
            return;
        }
        if self.0.len() >= KEPT_MAX {
            self.0.clear();
        }
        let value = value.as_deref().map(Bytes::from_slice);
        self.0.insert(Name(contract, field, Bytes::from_slice(key)), value);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
