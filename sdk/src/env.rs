//! What a contract can ask its host.

use core::fmt;

use alloc::vec::Vec;
use kempe_abi::{AbiType, Address, Hash};

use crate::{codec, host};

/// Who calls: the account that signed the transaction, or the contract that made the call.
#[inline]
#[must_use]
pub fn caller() -> Address {
    host::caller()
}

/// The address of this contract.
#[inline]
#[must_use]
pub fn this() -> Address {
    host::this()
}

/// The height of the block. Reading it conflicts with nothing.
#[inline]
#[must_use]
pub fn height() -> u64 {
    host::height()
}

/// The time of the block, in milliseconds since 1970. Reading it conflicts with nothing.
#[inline]
#[must_use]
pub fn time_ms() -> u64 {
    host::time_ms()
}

/// What [`log!`](crate::log!) does.
#[inline(always)]
pub fn log(args: fmt::Arguments<'_>) {
    match args.as_str() {
        Some(text) => host::log(text),
        None => host::log(&alloc::fmt::format(args)),
    }
}

/// The blake3 hash of the canonical encoding of a value, as `hash(..)` in `#[access(...)]`.
///
/// There `hash(a, b)` is `hash(&(a, b))` here.
#[inline]
#[must_use]
pub fn hash<T: AbiType>(value: &T) -> Hash {
    codec::encoded::<codec::Of<T>, _, _>(value, blake3)
}

/// The canonical encoding of a value: the bytes that [`hash()`] hashes.
///
/// A view that returns them of what somebody is to sign lets tools show and sign it, such as `kempe keys sign`, which signs
/// the hash of a message.
#[inline]
#[must_use]
pub fn message<T: AbiType>(value: &T) -> Vec<u8> {
    codec::encoded::<codec::Of<T>, _, _>(value, <[u8]>::to_vec)
}

/// The blake3 hash.
#[inline]
#[must_use]
pub fn blake3(bytes: &[u8]) -> Hash {
    Hash(host::blake3(bytes))
}

/// The SHA-256 hash.
///
/// Source: FIPS 180-4.
#[inline]
#[must_use]
pub fn sha256(bytes: &[u8]) -> Hash {
    Hash(host::sha256(bytes))
}

/// The Keccak-256 hash, as Ethereum uses it. Not SHA3-256.
#[inline]
#[must_use]
pub fn keccak256(bytes: &[u8]) -> Hash {
    Hash(host::keccak256(bytes))
}

/// Whether the signature of the message is valid under the key.
///
/// The address of an account is its key. Valid means valid by ZIP 215, which is the same in every
/// implementation and in batches; under a key of small order, for which anyone can sign, nothing is.
#[inline]
#[must_use]
pub fn ed25519_verify(key: &Address, message: &[u8], signature: &[u8; 64]) -> bool {
    host::ed25519_verify(&key.0, message, signature)
}
