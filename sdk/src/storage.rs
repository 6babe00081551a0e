//! Typed storage: what the fields of a contract are.
//!
//! A handle has no size and no state; its last type parameter, which `#[contract]` fills in, names the
//! field. A cell's key is the canonical encoding of its keys, its value that of the value.

mod counter;
mod extreme;
mod immutable;
mod item;
mod key;
mod log;
mod map;
mod sharded;
mod stock;

pub use counter::{Counter, CounterValue};
pub use extreme::{Max, Min};
pub use immutable::Immutable;
pub use item::Item;
pub use key::AsKey;
pub use log::Log;
pub use map::Map;
pub use sharded::Sharded;
pub use stock::Stock;

use kempe_abi::AbiType;

use crate::codec::Of;
use crate::host::FieldTag;
use crate::{codec, host};

/// A storage handle, which exists without being made.
#[doc(hidden)]
pub trait Handle {
    /// The handle.
    const NEW: Self;
}

/// The value in a cell.
#[inline(always)]
fn load<F: FieldTag, T: AbiType>(key: &[u8]) -> Option<T> {
    host::with_value::<F, Of<T>, _>(key, |bytes| match codec::decode::<Of<T>, T>(bytes) {
        Some(value) => value,
        None => panic!("a stored value has another type"),
    })
}

/// The value that was in a cell before the block.
#[inline(always)]
fn load_start<F: FieldTag, T: AbiType>(key: &[u8]) -> Option<T> {
    host::with_start::<F, Of<T>, _>(key, |bytes| match codec::decode::<Of<T>, T>(bytes) {
        Some(value) => value,
        None => panic!("a stored value has another type"),
    })
}

#[inline(always)]
fn store<F: FieldTag, T: AbiType>(key: &[u8], value: &T) {
    codec::encoded::<Of<T>, _, _>(value, |value| host::put::<F>(key, value));
}

/// Calls `with` with the bytes of a key.
#[inline(always)]
fn with_key<K, Q: AsKey<K>, R>(key: &Q, with: impl FnOnce(&[u8]) -> R) -> R {
    codec::encoded::<Q::Bound, _, _>(key.as_key(), with)
}
