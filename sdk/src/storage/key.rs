//! Keys of maps.

use alloc::string::String;

use kempe_abi::{AbiType, Encode};

use crate::codec::{Any, Bound, Of};

/// What can stand for a key of type `K`: the key, a reference to it, and `&str` for `String`.
pub trait AsKey<K> {
    /// How long encodings can be.
    #[doc(hidden)]
    type Bound: Bound;

    /// What encodes as the key does.
    type Encoded: Encode + ?Sized;

    /// What encodes as the key does.
    fn as_key(&self) -> &Self::Encoded;
}

impl<K: AbiType> AsKey<K> for K {
    type Bound = Of<K>;

    type Encoded = K;

    #[inline(always)]
    fn as_key(&self) -> &K {
        self
    }
}

impl<K: AbiType> AsKey<K> for &K {
    type Bound = Of<K>;

    type Encoded = K;

    #[inline(always)]
    fn as_key(&self) -> &K {
        self
    }
}

impl AsKey<String> for &str {
    type Bound = Any;

    type Encoded = str;

    #[inline(always)]
    fn as_key(&self) -> &str {
        self
    }
}
