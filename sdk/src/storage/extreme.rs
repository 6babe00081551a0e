use core::fmt;
use core::marker::PhantomData;

use kempe_abi::AbiType;

use super::counter::CounterValue;
use super::{AsKey, Handle, Map, load, load_start, store, with_key};
use crate::host::{FieldTag, Untagged};

macro_rules! extremes {
    ($(
        $(#[$doc:meta])*
        $name:ident $add:ident $to:ident $absent:expr, $held:literal
    )*) => {$(
        $(#[$doc])*
        pub struct $name<T, F = Untagged>(PhantomData<fn() -> (T, F)>);

        impl<T, F> Handle for $name<T, F> {
            const NEW: Self = Self(PhantomData);
        }

        impl<T, F> fmt::Debug for $name<T, F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl<T: CounterValue, F: FieldTag> $name<T, F> {
            #[doc = $held]
            /// A read, which conflicts with changing it.
            #[inline]
            pub fn get(&self) -> T {
                load::<F, T>(&[]).unwrap_or($absent)
            }

            #[doc = $held]
            /// As it was before the block: conflicts with nothing.
            #[inline]
            pub fn at_start(&self) -> T {
                load_start::<F, T>(&[]).unwrap_or($absent)
            }

            /// Changes it to `value` if that is further. Commutes with itself; what it leaves is not
            /// seen here, and it cannot fail.
            #[inline]
            pub fn $add(&mut self, value: T) {
                value.$to::<F>(&[]);
            }

            /// Sets it, also back. A write.
            #[inline]
            pub fn put(&mut self, value: T) {
                store::<F, T>(&[], &value);
            }
        }

        impl<K: AbiType, T: CounterValue, F: FieldTag> Map<K, $name<T>, F> {
            #[doc = $held]
            /// A read, which conflicts with changing it.
            #[inline]
            pub fn get(&self, key: impl AsKey<K>) -> T {
                with_key(&key, load::<F, T>).unwrap_or($absent)
            }

            #[doc = $held]
            /// As it was before the block: conflicts with nothing.
            #[inline]
            pub fn at_start(&self, key: impl AsKey<K>) -> T {
                with_key(&key, load_start::<F, T>).unwrap_or($absent)
            }

            /// Changes it to `value` if that is further. Commutes with itself; what it leaves is not
            /// seen here, and it cannot fail.
            #[inline]
            pub fn $add(&mut self, key: impl AsKey<K>, value: T) {
                with_key(&key, |key| value.$to::<F>(key));
            }

            /// Sets it, also back. A write.
            #[inline]
            pub fn put(&mut self, key: impl AsKey<K>, value: T) {
                with_key(&key, |key| store::<F, T>(key, &value));
            }
        }
    )*};
}

extremes! {
    /// The greatest of what transactions raise it to, without conflicting: `max(best)`.
    ///
    /// ```
    /// use kempe_sdk::prelude::*;
    ///
    /// #[contract]
    /// pub struct Auction {
    ///     best: Max<u64>,
    ///     cheapest: Map<u8, Min<u64>>,
    /// }
    ///
    /// #[contract]
    /// impl Auction {
    ///     /// Bids of a block run at the same time.
    ///     #[access(max(best))]
    ///     pub fn bid(&mut self, amount: u64) {
    ///         self.best.raise(amount);
    ///     }
    ///
    ///     #[access(min(cheapest[lot]))]
    ///     pub fn ask(&mut self, lot: u8, amount: u64) {
    ///         self.cheapest.lower(lot, amount);
    ///     }
    ///
    ///     #[access(read(best, cheapest[lot]))]
    ///     pub fn spread(&self, lot: u8) -> (u64, u64) {
    ///         (self.best.get(), self.cheapest.get(lot))
    ///     }
    /// }
    ///
    /// use kempe_sdk::testing::TestChain;
    ///
    /// let mut chain = TestChain::native();
    /// let [ann, ben] = ["ann", "ben"].map(|name| chain.account(name));
    /// let auction = chain.deploy::<Auction>(ann, ());
    /// assert_eq!(chain.view::<(u64, u64)>(&auction, "spread", (1u8,)), (0, u64::MAX));
    /// let report = chain.block([
    ///     auction.tx(ann, "bid", (7u64,)),
    ///     auction.tx(ben, "bid", (5u64,)),
    ///     auction.tx(ann, "ask", (1u8, 9u64)),
    ///     auction.tx(ben, "ask", (1u8, 8u64)),
    /// ]);
    /// report.assert_ok().assert_batches(&[&[0, 1, 2, 3]]);
    /// assert_eq!(chain.view::<(u64, u64)>(&auction, "spread", (1u8,)), (7, 8));
    /// ```
    Max raise raise_to T::default(), "The greatest value, zero at first."

    /// The least of what transactions lower it to, without conflicting: `min(cheapest)`. See [`Max`].
    Min lower lower_to T::GREATEST, "The least value, at first the greatest of the type."
}
