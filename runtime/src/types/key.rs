//! State keys, their hashes, and values.

use std::cmp::Ordering;
use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use kempe_abi::{Address, Hash};

use super::bytes::Bytes;
use super::lanes::{key_words, keyed_hash_block, keyed_hash_many};

/// The name of one cell of state: contract, field and key bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateKey {
    /// The contract that owns the cell; [`SYSTEM`] for the chain's own cells.
    pub contract: Address,
    /// The field's number.
    pub field: u8,
    /// The encoded keys; empty for a field of one cell.
    pub key: Bytes,
}

/// The owner of the cells that the chain itself keeps; no contract can have this address.
pub const SYSTEM: Address = Address::ZERO;

/// The fields of [`SYSTEM`].
pub mod system_field {
    /// Code hash to wasm.
    pub const CODE: u8 = 0;
    /// Contract address to [`ContractRecord`](crate::types::ContractRecord). A call reads it, an upgrade
    /// writes it.
    pub const CONTRACT: u8 = 1;
    /// Account address to the next nonce, `u64`.
    pub const NONCE: u8 = 2;
    /// Account address to the native balance, a `u128` counter.
    pub const BALANCE: u8 = 3;
}

impl StateKey {
    /// The cell `key` of field `field` of `contract`.
    #[must_use]
    pub fn new(contract: Address, field: u8, key: &[u8]) -> Self {
        Self { contract, field, key: Bytes::from_slice(key) }
    }

    /// The chain's own cell `key` of the [`system_field`] `field`.
    #[must_use]
    pub fn system(field: u8, key: &[u8; 32]) -> Self {
        Self::new(SYSTEM, field, key)
    }

    /// The key's place in the state: see [`KeyHash`].
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&FieldPrefix::new(&self.contract, self.field), &self.key)
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}[", self.contract, self.field)?;
        self.key.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("]")
    }
}

impl BorshSerialize for StateKey {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        self.contract.serialize(writer)?;
        self.field.serialize(writer)?;
        self.key.as_slice().serialize(writer)
    }
}

impl BorshDeserialize for StateKey {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let contract = Address::deserialize_reader(reader)?;
        let field = u8::deserialize_reader(reader)?;
        let key = Vec::<u8>::deserialize_reader(reader)?;
        Ok(Self { contract, field, key: Bytes::from_slice(&key) })
    }
}

/// The blake3 key under which the keys of one field are hashed: `blake3(contract ‖ field)`.
///
/// Computed once per field and contract, so that hashing a short key is one compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldPrefix {
    bytes: [u8; 32],
    words: [u32; 8],
}

impl FieldPrefix {
    /// The prefix of a field.
    #[must_use]
    pub fn new(contract: &Address, field: u8) -> Self {
        let mut bytes = [0; 33];
        bytes[..32].copy_from_slice(&contract.0);
        bytes[32] = field;
        let bytes = *blake3::hash(&bytes).as_bytes();
        Self { bytes, words: key_words(&bytes) }
    }
}

/// The hash of a [`StateKey`]: `keyed_blake3(blake3(contract ‖ field), block)`, where `block` is the
/// key, zeros up to 63 bytes, and the key's length; a key of 64 bytes or more is followed by the
/// byte 255 instead, so no two keys have one block.
///
/// It is the key's identity everywhere below the access list, and its place in the state tree: its
/// first 20 bits name the bucket. 32 bytes; uniformly distributed, so its first bytes serve as a hash.
#[derive(Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct KeyHash(pub [u8; 32]);

impl Ord for KeyHash {
    fn cmp(&self, other: &Self) -> Ordering {
        hash_order(&self.0, &other.0)
    }
}

/// The first eight bytes of a hash, ordered as hashes are.
pub(crate) fn first_bytes(hash: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The order of hashes. Eight bytes decide nearly always, and are compared at once.
pub(crate) fn hash_order(a: &[u8; 32], b: &[u8; 32]) -> Ordering {
    first_bytes(a).cmp(&first_bytes(b)).then_with(|| a.cmp(b))
}

impl PartialOrd for KeyHash {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The most bytes of a key that is hashed as one block.
pub(crate) const SHORT_KEY_BYTES: usize = BLOCK_BYTES - 1;

/// The bytes of a block of blake3.
const BLOCK_BYTES: usize = blake3::BLOCK_LEN;

/// A short key as the block that is hashed.
pub(crate) type KeyBlock = [u8; BLOCK_BYTES];

/// The block of a key of at most [`SHORT_KEY_BYTES`]; `None` of a longer one.
pub(crate) fn key_block(key: &[u8]) -> Option<KeyBlock> {
    let len = u8::try_from(key.len()).ok().filter(|&len| usize::from(len) <= SHORT_KEY_BYTES)?;
    let mut block = [0; BLOCK_BYTES];
    block[..key.len()].copy_from_slice(key);
    block[SHORT_KEY_BYTES] = len;
    Some(block)
}

impl KeyHash {
    /// The hash of `key` in the field of `prefix`: one compression, about 75 ns, for a key of up to
    /// 63 bytes.
    #[must_use]
    pub fn of(prefix: &FieldPrefix, key: &[u8]) -> Self {
        match key_block(key) {
            Some(block) => Self(keyed_hash_block(&prefix.words, &block)),
            None => {
                Self(*blake3::keyed_hash(&prefix.bytes, &[key, &[u8::MAX]].concat()).as_bytes())
            }
        }
    }

    /// The first eight bytes, ordered as the hashes are.
    pub(crate) fn first_bytes(&self) -> u64 {
        first_bytes(&self.0)
    }

    /// The hashes of short keys of one field, side by side: a quarter of the time of one by one
    /// where the processor has AVX-512.
    pub(crate) fn of_blocks(prefix: &FieldPrefix, blocks: &[&KeyBlock], out: &mut [[u8; 32]]) {
        keyed_hash_many(&prefix.words, blocks, out);
    }
}

impl std::hash::Hash for KeyHash {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        state.write_u64(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Hash(self.0), f)
    }
}

/// A hasher for [`KeyHash`]: takes eight of its bytes as they are.
///
/// Safe against chosen keys because the bytes come from blake3; it is for nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyHasher(u64);

impl std::hash::Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only reached by types other than `KeyHash`; correct, if slow.
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// A map from key hashes. Its iteration order is arbitrary: sort before anything shows.
pub type KeyMap<V> = hashbrown::HashMap<KeyHash, V, std::hash::BuildHasherDefault<KeyHasher>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hash_as_blake3_says() {
        let contract = Address([3; 32]);
        let prefix = FieldPrefix::new(&contract, 9);
        let field = blake3::hash(&[&[3; 32][..], &[9]].concat());
        let key: Vec<u8> = (0..130).collect();
        for len in 0..=key.len() {
            let mut message = key[..len].to_vec();
            if len < 64 {
                message.resize(63, 0);
                message.push(u8::try_from(len).unwrap());
            } else {
                message.push(255);
            }
            let expected = blake3::keyed_hash(field.as_bytes(), &message);
            assert_eq!(KeyHash::of(&prefix, &key[..len]).0, *expected.as_bytes(), "{len} bytes");
        }
    }

    #[test]
    fn hashes_side_by_side_are_hashes_one_by_one() {
        let prefix = FieldPrefix::new(&Address([3; 32]), 9);
        for count in 0..40u8 {
            let blocks: Vec<_> = (0..count).map(|i| key_block(&[i; 32]).unwrap()).collect();
            let mut hashes = vec![[0; 32]; blocks.len()];
            KeyHash::of_blocks(&prefix, &blocks.iter().collect::<Vec<_>>(), &mut hashes);
            let expected: Vec<_> = (0..count).map(|i| KeyHash::of(&prefix, &[i; 32]).0).collect();
            assert_eq!(hashes, expected, "count={count}");
        }
    }
}
