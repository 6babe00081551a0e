//! Receipts and events: what a transaction did.

use borsh::{BorshDeserialize, BorshSerialize};
use kempe_abi::{AccessKind, Address, Bound, Hash, Outcome};

use super::key::{KeyHash, StateKey};
use super::lanes::keyed_hash_runs;
use super::messages::message_hash;

/// The key under which receipts are hashed.
pub(crate) const RECEIPT_KEY: &[u8; 32] = b"kempe 2026 receipt              ";

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
    /// The hash of what it touched, in order of the list: see [`footprint_hash`].
    pub footprint: Hash,
    /// Whether it ran in the tail lane.
    pub tail: bool,
    /// Where and why it failed, if it did. Apart, because most do not, and receipts are many.
    pub failure: Option<Box<Failure>>,
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
    /// The cell that was set before the block, where a call is not made
    /// [unless](kempe_abi::Clause::Unless) it is not, if that was why.
    pub guard: Option<StateKey>,
    /// The counter or stock that would have left its bounds, if that was why.
    pub counter: Option<StateKey>,
}

impl Failure {
    /// Of a transaction that ended well, and whose additions to this cell do not fit: by then no action runs, and no
    /// contract.
    pub(crate) fn of_counter(counter: StateKey) -> Self {
        let (contract, counter) = (Address::ZERO, Some(counter));
        Self { action: 0, contract, undeclared: None, guard: None, counter }
    }
}

/// A touch that the access list does not permit.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Undeclared {
    /// What was touched.
    pub key: StateKey,
    /// How.
    pub wanted: AccessKind,
    /// What the list declares for the key: of a stock that is only taken from, `Add`.
    pub declared: Option<AccessKind>,
    /// If a stock was to be taken from: how much in all by this transaction, and what was to be left.
    pub takes: Option<Bound>,
    /// How much the list declares that is taken, where it declares nothing else for the key.
    pub may_take: Option<Bound>,
}

impl Receipt {
    /// The leaf of the receipts tree.
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "encoding to memory cannot fail")]
    pub fn hash(&self) -> Hash {
        message_hash(RECEIPT_KEY, &borsh::to_vec(self).expect("encoding to memory cannot fail"))
    }
}

/// The blake3 key for footprints.
const FOOTPRINT_KEY: &[u8; 32] = b"kempe 2026 footprint            ";

/// What a footprint holds of a touched key: its hash, with how it was touched in the three lowest
/// bits of the last byte (1 read, 2 add, 4 write).
#[must_use]
pub fn footprint_entry(hash: &KeyHash, touched: u8) -> [u8; 32] {
    const KINDS: u8 = 0b111;
    let mut entry = hash.0;
    entry[31] = entry[31] & !KINDS | touched & KINDS;
    entry
}

/// The hash of a footprint from its [entries](footprint_entry): keyed blake3 of them, with a zero
/// entry behind an odd number, so that it is whole blocks. No entry is zero.
///
/// ```
/// use kempe_runtime::types::{StateKey, footprint_entry, footprint_hash};
///
/// let key = StateKey::system(3, &[7; 32]).hash();
/// let (read, written) = (footprint_entry(&key, 1), footprint_entry(&key, 5));
/// assert_ne!(footprint_hash(&[read]), footprint_hash(&[written]));
/// ```
#[must_use]
pub fn footprint_hash(entries: &[[u8; 32]]) -> Hash {
    let mut hasher = blake3::Hasher::new_keyed(FOOTPRINT_KEY);
    hasher.update(entries.as_flattened());
    if !entries.len().is_multiple_of(2) {
        hasher.update(&[0; 32]);
    }
    Hash(*hasher.finalize().as_bytes())
}

/// The footprints of several transactions, hashed side by side.
#[derive(Debug, Default)]
pub(crate) struct Footprints {
    blocks: Vec<[u8; 64]>,
    ends: Vec<usize>,
}

impl Footprints {
    /// Adds a transaction's.
    pub(crate) fn push(&mut self, entries: impl Iterator<Item = [u8; 32]>) {
        let mut half = false;
        for entry in entries {
            if half {
                let block = self.blocks.last_mut().expect("its first half was pushed");
                block[32..].copy_from_slice(&entry);
            } else {
                let mut block = [0; 64];
                block[..32].copy_from_slice(&entry);
                self.blocks.push(block);
            }
            half = !half;
        }
        self.ends.push(self.blocks.len());
    }

    /// The [hashes](footprint_hash), in order; nothing is left.
    pub(crate) fn take(&mut self) -> Vec<[u8; 32]> {
        let hashes = keyed_hash_runs(FOOTPRINT_KEY, &self.blocks, &self.ends);
        self.blocks.clear();
        self.ends.clear();
        hashes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn footprints_side_by_side_are_those_of_one_by_one() {
        let entry =
            |i: usize| footprint_entry(&StateKey::system(0, &[i.to_le_bytes()[0]; 32]).hash(), 1);
        let mut footprints = Footprints::default();
        let mut expected = Vec::new();
        for n_entries in (0..20).cycle().take(100) {
            let entries: Vec<_> = (0..n_entries).map(entry).collect();
            footprints.push(entries.iter().copied());
            expected.push(footprint_hash(&entries).0);
        }
        assert_eq!(footprints.take(), expected);
        assert!(footprints.take().is_empty());
    }
}
