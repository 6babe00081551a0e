use core::borrow::Borrow;
use core::fmt;
use core::marker::PhantomData;

use kempe_abi::AbiType;

use super::counter::{Counter, CounterValue};
use super::{AsKey, Handle, load, load_start, store, with_key};
use crate::host::{self, FieldTag, Untagged};

/// A cell for each key: a value, or with [`Counter`] as `V` a counter.
///
/// A tuple as the key makes a table of several dimensions; `Map<A, Map<B, V>>` is `Map<(A, B), V>`.
/// A map does not know its keys: a list of them would be a cell that every writer shares.
#[allow(clippy::type_complexity, reason = "three names")]
pub struct Map<K, V, F = Untagged>(PhantomData<fn() -> (K, V, F)>);

impl<K, V, F> Handle for Map<K, V, F> {
    const NEW: Self = Self(PhantomData);
}

impl<K, V, F> fmt::Debug for Map<K, V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Map")
    }
}

impl<K: AbiType, V: AbiType, F: FieldTag> Map<K, V, F> {
    /// The value, or the default if there is none. A read.
    #[inline]
    pub fn get(&self, key: impl AsKey<K>) -> V
    where
        V: Default,
    {
        self.try_get(key).unwrap_or_default()
    }

    /// The value, if there is one. A read.
    #[inline]
    pub fn try_get(&self, key: impl AsKey<K>) -> Option<V> {
        with_key(&key, load::<F, V>)
    }

    /// The value that was there before the block. Conflicts with nothing, also not with
    /// those that change it in this block: what they do is seen in the next.
    #[inline]
    pub fn at_start(&self, key: impl AsKey<K>) -> Option<V> {
        with_key(&key, load_start::<F, V>)
    }

    /// Whether there is a value. A read.
    #[inline]
    pub fn contains(&self, key: impl AsKey<K>) -> bool {
        with_key(&key, host::exists::<F>)
    }

    /// Sets the value. A write.
    #[inline]
    pub fn put(&mut self, key: impl AsKey<K>, value: impl Borrow<V>) {
        with_key(&key, |key| store::<F, V>(key, value.borrow()));
    }

    /// Replaces the value, or the default if there is none, by what `change` makes of it. A write.
    #[inline]
    pub fn update(&mut self, key: impl AsKey<K>, change: impl FnOnce(V) -> V)
    where
        V: Default,
    {
        with_key(&key, |key| {
            let value = change(load::<F, V>(key).unwrap_or_default());
            store::<F, V>(key, &value);
        });
    }

    /// Removes the value and returns it. A write.
    #[inline]
    pub fn take(&mut self, key: impl AsKey<K>) -> Option<V> {
        with_key(&key, |key| {
            let value = load::<F, V>(key);
            host::remove::<F>(key);
            value
        })
    }

    /// Removes the value. A write.
    #[inline]
    pub fn remove(&mut self, key: impl AsKey<K>) {
        with_key(&key, host::remove::<F>);
    }
}

impl<K: AbiType, T: CounterValue, F: FieldTag> Map<K, Counter<T>, F> {
    /// The count. A read, which conflicts with adding.
    #[inline]
    pub fn get(&self, key: impl AsKey<K>) -> T {
        with_key(&key, load::<F, T>).unwrap_or_default()
    }

    /// The count before the block. Conflicts with nothing, also not with
    /// those that change it in this block: what they do is seen in the next.
    #[inline]
    pub fn at_start(&self, key: impl AsKey<K>) -> T {
        with_key(&key, load_start::<F, T>).unwrap_or_default()
    }

    /// Adds. Adding commutes with adding; see [`Counter::add`].
    #[inline]
    pub fn add(&mut self, key: impl AsKey<K>, amount: T) {
        with_key(&key, |key| amount.add_to::<F>(key));
    }

    /// Subtracts. Commutes with adding and subtracting; see [`Counter::add`].
    #[inline]
    pub fn sub(&mut self, key: impl AsKey<K>, amount: T) {
        with_key(&key, |key| amount.sub_from::<F>(key));
    }

    /// Sets the count. A write.
    #[inline]
    pub fn put(&mut self, key: impl AsKey<K>, count: T) {
        with_key(&key, |key| store::<F, T>(key, &count));
    }
}
