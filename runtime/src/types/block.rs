//! Blocks, and the contract records in the state.

use borsh::{BorshDeserialize, BorshSerialize};
use kempe_abi::{Address, Hash};

use super::bytes::Bytes;
use super::lanes::{key_words, keyed_hash_many};
use super::receipt::Receipt;
use super::transaction::SignedTransaction;
use crate::scheduler::Schedule;

/// What a block commits to.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Header {
    /// 0 for genesis, then one more each.
    pub height: u64,
    /// The hash of the header before; zero for genesis.
    pub parent: Hash,
    /// Milliseconds since 1970; never less than the parent's.
    pub time_ms: u64,
    /// The rules under which it was executed: engine version, fuel prices and limits.
    pub protocol: Hash,
    /// The Merkle root over the transactions' hashes, in block order.
    pub transactions_root: Hash,
    /// The hash of the published schedule.
    pub schedule_hash: Hash,
    /// The Merkle root over the receipts' hashes, in block order.
    pub receipts_root: Hash,
    /// The state root after the block.
    pub state_root: Hash,
}

/// A block: the header, the transactions, and the schedule in whose order they took effect.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// The transactions; a `TxIndex` is a position here.
    pub transactions: Vec<SignedTransaction>,
    /// The published schedule.
    pub schedule: Schedule,
}

/// A block as it is stored, with its receipts.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BlockRecord {
    /// The block.
    pub block: Block,
    /// The receipts, by `TxIndex`.
    pub receipts: Vec<Receipt>,
}

/// What the state keeps about a contract, under the system field `CONTRACT`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ContractRecord {
    /// The blake3 hash of its wasm.
    pub code: Hash,
    /// Who deployed it.
    pub deployer: Address,
    /// Who may replace the code; nobody if `None`.
    pub authority: Option<Address>,
    /// The immutables that were set, by field number, ascending.
    pub immutables: Vec<(u8, Vec<u8>)>,
}

impl ContractRecord {
    /// The stored encoding.
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "encoding to memory cannot fail")]
    pub fn encode(&self) -> Bytes {
        Bytes::from_slice(&borsh::to_vec(self).expect("encoding to memory cannot fail"))
    }
}

impl Header {
    /// The hash that names the block.
    #[must_use]
    pub fn hash(&self) -> Hash {
        hash_in_context("kempe 2026 header", self)
    }
}

/// The hash that a header carries for a schedule.
#[must_use]
pub fn schedule_hash(schedule: &Schedule) -> Hash {
    hash_in_context("kempe 2026 schedule", schedule)
}

/// The blake3 hash of an encoding, in a context of its own.
pub(crate) fn hash_in_context(context: &str, value: &impl BorshSerialize) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    value.serialize(&mut hasher).expect("writing to a hasher cannot fail");
    Hash(*hasher.finalize().as_bytes())
}

/// The root of a binary Merkle tree over hashes: an inner node is the keyed hash of its two
/// children, an odd node at the end of a level moves up unchanged, and the root binds the number
/// of leaves, so that no leaf can be taken for a node and no list for a longer one.
///
/// ```
/// # use kempe_runtime::types::merkle_root;
/// # use kempe_abi::Hash;
/// assert_ne!(merkle_root(&[Hash([1; 32])]), merkle_root(&[Hash([1; 32]), Hash([1; 32])]));
/// ```
#[must_use]
#[allow(clippy::missing_panics_doc, reason = "two hashes are 64 bytes")]
pub fn merkle_root(leaves: &[Hash]) -> Hash {
    const NODE: [u8; 32] = *b"kempe merkle tree inner node key";
    const ROOT: [u8; 32] = *b"kempe merkle tree root node key.";
    let node = key_words(&NODE);
    let mut level: Vec<[u8; 32]> = leaves.iter().map(|leaf| leaf.0).collect();
    while level.len() > 1 {
        let (pairs, odd) = level.as_chunks::<2>();
        let pairs: Vec<&[u8; 64]> =
            pairs.iter().map(|pair| pair.as_flattened().try_into().expect("64 bytes")).collect();
        let mut above = vec![[0; 32]; pairs.len()];
        keyed_hash_many(&node, &pairs, &mut above);
        above.extend_from_slice(odd);
        level = above;
    }
    let mut bytes = [0; 40];
    bytes[..8].copy_from_slice(&(leaves.len() as u64).to_le_bytes());
    bytes[8..].copy_from_slice(&level.first().copied().unwrap_or_default());
    Hash(*blake3::keyed_hash(&ROOT, &bytes).as_bytes())
}
