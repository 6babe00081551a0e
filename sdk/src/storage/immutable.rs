use core::borrow::Borrow;
use core::fmt;
use core::marker::PhantomData;

use kempe_abi::AbiType;

use super::{Handle, load, store};
use crate::host::{FieldTag, Untagged};

/// A value that `init` sets and nothing changes, also no upgrade.
///
/// Reading it conflicts with nothing, and the host can read it before the call runs, so it may stand
/// in `#[access(...)]`: as a key, or as the callee of `calls(...)`.
///
/// Every call reads all of a contract's, so one has at most 1,024 bytes, and all together 4,096, each with 64 beside its own.
pub struct Immutable<T, F = Untagged>(PhantomData<fn() -> (T, F)>);

impl<T, F> Handle for Immutable<T, F> {
    const NEW: Self = Self(PhantomData);
}

impl<T, F> fmt::Debug for Immutable<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Immutable")
    }
}

impl<T: AbiType, F: FieldTag> Immutable<T, F> {
    /// The value.
    ///
    /// # Panics
    /// If `init` did not set it.
    #[inline]
    pub fn get(&self) -> T {
        match load::<F, T>(&[]) {
            Some(value) => value,
            None => panic!("an immutable was never set"),
        }
    }

    /// Sets the value. Only in `init`, or in `migrate` if it has none.
    #[inline]
    pub fn set(&mut self, value: impl Borrow<T>) {
        store::<F, T>(&[], value.borrow());
    }
}
