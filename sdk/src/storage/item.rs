use core::fmt;
use core::marker::PhantomData;

use kempe_abi::AbiType;

use super::{Handle, load, load_start, store};
use crate::host::{self, FieldTag, Untagged};

/// One value, or none.
pub struct Item<T, F = Untagged>(PhantomData<fn() -> (T, F)>);

impl<T, F> Handle for Item<T, F> {
    const NEW: Self = Self(PhantomData);
}

impl<T, F> fmt::Debug for Item<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Item")
    }
}

impl<T: AbiType, F: FieldTag> Item<T, F> {
    /// The value, if there is one. A read.
    #[inline]
    pub fn get(&self) -> Option<T> {
        load::<F, T>(&[])
    }

    /// The value that was there before the block. Conflicts with nothing, also not with
    /// those that change it in this block: what they do is seen in the next.
    #[inline]
    pub fn at_start(&self) -> Option<T> {
        load_start::<F, T>(&[])
    }

    /// Whether there is a value. A read.
    #[inline]
    pub fn exists(&self) -> bool {
        host::exists::<F>(&[])
    }

    /// Sets the value. A write.
    #[inline]
    pub fn put(&mut self, value: impl core::borrow::Borrow<T>) {
        store::<F, T>(&[], value.borrow());
    }

    /// Replaces the value by what `change` makes of it. A write.
    #[inline]
    pub fn update(&mut self, change: impl FnOnce(Option<T>) -> T) {
        let value = change(self.get());
        store::<F, T>(&[], &value);
    }

    /// Removes the value and returns it. A write.
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        let value = self.get();
        self.remove();
        value
    }

    /// Removes the value. A write.
    #[inline]
    pub fn remove(&mut self) {
        host::remove::<F>(&[]);
    }
}
