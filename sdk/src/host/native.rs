//! The host's functions for native tests: they go to the transaction that
//! [`TestChain`](crate::testing::TestChain) runs on this thread.

use kempe_abi::{Address, Hash};
use sha2::Digest as _;

use super::FieldTag;
use crate::codec::Bound;
use crate::testing::session;

pub(crate) fn with_value<F: FieldTag, B: Bound, T>(
    key: &[u8],
    read: impl Fn(&[u8]) -> T,
) -> Option<T> {
    session::with(|session| session.get(F::INDEX, key)).map(|value| read(&value))
}

pub(crate) fn with_start<F: FieldTag, B: Bound, T>(
    key: &[u8],
    read: impl Fn(&[u8]) -> T,
) -> Option<T> {
    session::with(|session| session.at_start(F::INDEX, key)).as_deref().map(read)
}

pub(crate) fn exists<F: FieldTag>(key: &[u8]) -> bool {
    session::with(|session| session.get(F::INDEX, key)).is_some()
}

pub(crate) fn put<F: FieldTag>(key: &[u8], value: &[u8]) {
    session::with(|session| session.put(F::INDEX, key, Some(value.to_vec())));
}

pub(crate) fn remove<F: FieldTag>(key: &[u8]) {
    session::with(|session| session.put(F::INDEX, key, None));
}

pub(crate) fn add<F: FieldTag>(key: &[u8], delta: i128) {
    session::with(|session| session.add(F::INDEX, key, delta));
}

pub(crate) fn max<F: FieldTag>(key: &[u8], number: u128) {
    session::with(|session| session.add(F::INDEX, key, number.cast_signed()));
}

pub(crate) fn min<F: FieldTag>(key: &[u8], number: u128) {
    session::with(|session| session.add(F::INDEX, key, number.cast_signed()));
}

pub(crate) fn reserve<F: FieldTag>(key: &[u8], amount: u128, floor: u128) -> bool {
    session::with(|session| session.reserve(F::INDEX, key, amount, floor))
}

pub(crate) fn append<F: FieldTag>(key: &[u8], item: &[u8]) {
    session::with(|session| session.append(F::INDEX, key, item));
}

pub(crate) fn caller() -> Address {
    session::with(|session| Ok(session.frame().caller))
}

pub(crate) fn this() -> Address {
    session::with(|session| Ok(session.frame().contract))
}

pub(crate) fn height() -> u64 {
    session::with(|session| Ok(session.world.height))
}

pub(crate) fn time_ms() -> u64 {
    session::with(|session| Ok(session.world.time_ms))
}

pub(crate) fn emit(id: u32, bytes: &[u8]) {
    session::with(|session| session.emit(id, bytes));
}

pub(crate) fn log(text: &str) {
    session::with(|session| {
        session.log.push(text.to_string());
        Ok(())
    });
}

pub(crate) fn call(callee: &Address, method: u32, args: &[u8], catch: bool) -> i32 {
    session::call(*callee, method, args, catch)
}

pub(crate) fn with_call_output<B: Bound, T>(read: impl Fn(&[u8]) -> T) -> Option<T> {
    let output = session::with(|session| Ok(session.call_output.clone()));
    Some(read(&output))
}

// Hashes need no transaction, so tests can use them too.

pub(crate) fn blake3(bytes: &[u8]) -> [u8; 32] {
    Hash(*blake3::hash(bytes).as_bytes()).0
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(bytes).into()
}

pub(crate) fn keccak256(bytes: &[u8]) -> [u8; 32] {
    sha3::Keccak256::digest(bytes).into()
}

pub(crate) fn ed25519_verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let is_valid = ed25519_zebra::VerificationKey::try_from(*key)
        .is_ok_and(|key| key.verify(&(*signature).into(), message).is_ok());
    is_valid && !Address(*key).is_small_order()
}
