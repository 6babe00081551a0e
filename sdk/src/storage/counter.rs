use core::fmt;
use core::marker::PhantomData;

use kempe_abi::AbiType;

use super::{Handle, load, load_start, store};
use crate::host::{self, FieldTag, Untagged};

/// An unsigned integer that transactions add to without conflicting.
pub struct Counter<T, F = Untagged>(PhantomData<fn() -> (T, F)>);

impl<T, F> Handle for Counter<T, F> {
    const NEW: Self = Self(PhantomData);
}

impl<T, F> fmt::Debug for Counter<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counter")
    }
}

impl<T: CounterValue, F: FieldTag> Counter<T, F> {
    /// The count, zero at first. A read, which conflicts with adding.
    #[inline]
    pub fn get(&self) -> T {
        load::<F, T>(&[]).unwrap_or_default()
    }

    /// The count before the block. Conflicts with nothing, also not with
    /// those that change it in this block: what they do is seen in the next.
    #[inline]
    pub fn at_start(&self) -> T {
        load_start::<F, T>(&[]).unwrap_or_default()
    }

    /// Adds. Adding commutes with adding, so two transactions that add do not conflict.
    ///
    /// The result is not seen here. If at the end of the transaction the count would leave the range
    /// of `T`, the transaction is stopped.
    #[inline]
    pub fn add(&mut self, amount: T) {
        amount.add_to::<F>(&[]);
    }

    /// Subtracts. Commutes with adding and subtracting; see [`Counter::add`].
    #[inline]
    pub fn sub(&mut self, amount: T) {
        amount.sub_from::<F>(&[]);
    }

    /// Sets the count. A write.
    #[inline]
    pub fn put(&mut self, count: T) {
        store::<F, T>(&[], &count);
    }
}

/// The types of counters, maxima, minima and stocks: `u8`, `u16`, `u32`, `u64`, `u128`.
pub trait CounterValue: AbiType + Copy + Default {
    #[doc(hidden)]
    const GREATEST: Self;
    #[doc(hidden)]
    fn raise_to<F: FieldTag>(self, key: &[u8]);
    #[doc(hidden)]
    fn lower_to<F: FieldTag>(self, key: &[u8]);
    #[doc(hidden)]
    fn wide(self) -> u128;
    #[doc(hidden)]
    fn plus(self, other: Self) -> Option<Self>;
    #[doc(hidden)]
    fn add_to<F: FieldTag>(self, key: &[u8]);
    #[doc(hidden)]
    fn sub_from<F: FieldTag>(self, key: &[u8]);
}

macro_rules! counter_values {
    ($($int:ty)*) => {
        $(impl CounterValue for $int {
            const GREATEST: Self = Self::MAX;

            #[inline(always)]
            fn raise_to<F: FieldTag>(self, key: &[u8]) {
                host::max::<F>(key, u128::from(self));
            }

            #[inline(always)]
            fn lower_to<F: FieldTag>(self, key: &[u8]) {
                host::min::<F>(key, u128::from(self));
            }

            #[inline(always)]
            fn wide(self) -> u128 {
                u128::from(self)
            }

            #[inline(always)]
            fn plus(self, other: Self) -> Option<Self> {
                self.checked_add(other)
            }

            #[inline(always)]
            fn add_to<F: FieldTag>(self, key: &[u8]) {
                host::add::<F>(key, i128::from(self));
            }

            #[inline(always)]
            fn sub_from<F: FieldTag>(self, key: &[u8]) {
                host::add::<F>(key, -i128::from(self));
            }
        })*
    };
}

counter_values! { u8 u16 u32 u64 }

impl CounterValue for u128 {
    const GREATEST: Self = Self::MAX;

    #[inline(always)]
    fn raise_to<F: FieldTag>(self, key: &[u8]) {
        host::max::<F>(key, self);
    }

    #[inline(always)]
    fn lower_to<F: FieldTag>(self, key: &[u8]) {
        host::min::<F>(key, self);
    }

    #[inline(always)]
    fn wide(self) -> u128 {
        self
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Option<Self> {
        self.checked_add(other)
    }

    #[inline(always)]
    fn add_to<F: FieldTag>(self, key: &[u8]) {
        host::add::<F>(key, delta(self));
    }

    #[inline(always)]
    fn sub_from<F: FieldTag>(self, key: &[u8]) {
        host::add::<F>(key, -delta(self));
    }
}

/// One step is at most 2^127 - 1, which is what the host's signed number holds.
#[inline(always)]
fn delta(amount: u128) -> i128 {
    match i128::try_from(amount) {
        Ok(delta) => delta,
        Err(_) => panic!("one step of a counter is at most 2^127 - 1"),
    }
}
