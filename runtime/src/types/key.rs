//! State keys, their hashes, and values.

use std::fmt;
use std::sync::LazyLock;

use blake3::platform::{Platform, le_bytes_from_words_32, words_from_le_bytes_32};
use borsh::{BorshDeserialize, BorshSerialize};
use kempe_abi::{Address, Hash};
use smallvec::SmallVec;

/// The bytes of a key or a value. Up to 32 bytes are held without an allocation: an address, a
/// balance.
pub type Bytes = SmallVec<[u8; 32]>;

/// The name of one cell of state: contract, field and key bytes.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Contract address to [`ContractRecord`](crate::types::ContractRecord). A call reads it.
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

impl Clone for StateKey {
    fn clone(&self) -> Self {
        // The vector's own `clone` goes byte by byte; this is one copy.
        Self::new(self.contract, self.field, &self.key)
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
        Ok(Self { contract, field, key: Bytes::from_vec(key) })
    }
}

/// The blake3 key under which the keys of one field are hashed: `blake3(contract ‖ field)`.
///
/// Computed once per field and block, so that hashing a key of up to 64 bytes is one compression.
#[derive(Clone, Copy, Debug)]
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
        Self { bytes, words: words_from_le_bytes_32(&bytes) }
    }
}

/// The hash of a [`StateKey`]: `keyed_blake3(blake3(contract ‖ field), key)`.
///
/// It is the key's identity everywhere below the access list, and its place in the state tree: its
/// first 20 bits name the bucket. 32 bytes; uniformly distributed, so its first bytes serve as a hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// The hash of `key` in the field of `prefix`: one compression for a key of up to 64 bytes.
    #[must_use]
    pub fn of(prefix: &FieldPrefix, key: &[u8]) -> Self {
        match u8::try_from(key.len()) {
            Ok(len @ 0..=64) => Self(keyed_hash_of_block(&prefix.words, key, len)),
            _ => Self(*blake3::keyed_hash(&prefix.bytes, key).as_bytes()),
        }
    }
}

/// `blake3::keyed_hash` of at most one block, without the state that blake3 keeps for longer input,
/// which costs as much as the compression itself.
///
/// blake3 keeps this entrance out of its documentation, so a new version may move it; a test holds it
/// to `blake3::keyed_hash`. The flags are those of a message of one block. Source: the BLAKE3 paper,
/// section 2.2, table 3.
fn keyed_hash_of_block(key: &[u32; 8], message: &[u8], len: u8) -> [u8; 32] {
    const CHUNK_START: u8 = 1 << 0;
    const CHUNK_END: u8 = 1 << 1;
    const ROOT: u8 = 1 << 3;
    const KEYED_HASH: u8 = 1 << 4;
    static PLATFORM: LazyLock<Platform> = LazyLock::new(Platform::detect);
    let mut block = [0; 64];
    block[..message.len()].copy_from_slice(message);
    let mut words = *key;
    let flags = CHUNK_START | CHUNK_END | ROOT | KEYED_HASH;
    PLATFORM.compress_in_place(&mut words, &block, len, 0, flags);
    le_bytes_from_words_32(&words)
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
    fn short_keys_hash_as_blake3_says() {
        let contract = Address([3; 32]);
        let prefix = FieldPrefix::new(&contract, 9);
        let field = blake3::hash(&[&[3; 32][..], &[9]].concat());
        let key: Vec<u8> = (0..130).collect();
        for len in 0..=key.len() {
            let expected = blake3::keyed_hash(field.as_bytes(), &key[..len]);
            assert_eq!(KeyHash::of(&prefix, &key[..len]).0, *expected.as_bytes(), "{len} bytes");
        }
    }
}
