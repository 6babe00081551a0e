use core::fmt;
use core::marker::PhantomData;

use kempe_abi::AbiType;

use super::counter::CounterValue;
use super::{AsKey, Handle, Map, load, load_start, store, with_key};
use crate::host::{self, FieldTag, Untagged};

/// What is in stock: an unsigned integer from which transactions take as far as there is enough, without
/// conflicting while there is enough for all: `reserve(seats, amount)`.
///
/// `reserve(seats, amount)` declares the most that a call takes, `reserve(seats, amount, floor)` also the
/// most that it wants to be left. If what all transactions of a block declare, and the greatest of their floors, is in
/// stock before the block, and none of them writes the stock, they commute; else they run in order, as if they
/// wrote it. What they see is the same either way: taking is an `if` that knows the value. See
/// [`Escrow`](crate::abi::Escrow).
///
/// ```
/// use kempe_sdk::prelude::*;
///
/// #[contract]
/// pub struct Concert {
///     seats: Stock<u32>,
///     booked: Map<Address, u32>,
/// }
///
/// #[error]
/// pub enum ConcertError {
///     SoldOut = 100,
/// }
///
/// #[contract]
/// impl Concert {
///     pub fn init(&mut self, seats: u32) {
///         self.seats.put(seats);
///     }
///
///     /// Bookings of a block run at the same time, while there are seats for all.
///     #[access(reserve(seats, n), write(booked[caller]))]
///     pub fn book(&mut self, n: u32) -> Result<(), ConcertError> {
///         ensure!(self.seats.reserve(n), ConcertError::SoldOut);
///         self.booked.update(caller(), |had| had + n);
///         Ok(())
///     }
///
///     #[access(read(seats))]
///     pub fn left(&self) -> u32 {
///         self.seats.get()
///     }
/// }
///
/// use kempe_sdk::testing::TestChain;
///
/// let mut chain = TestChain::native();
/// let [ann, ben] = ["ann", "ben"].map(|name| chain.account(name));
/// let concert = chain.deploy::<Concert>(ann, (10u32,));
/// let report = chain.block([concert.tx(ann, "book", (4u32,)), concert.tx(ben, "book", (3u32,))]);
/// report.assert_ok().assert_batches(&[&[0, 1]]);
/// // Three are left: not enough for both, so who comes first gets them.
/// let report = chain.block([concert.tx(ann, "book", (3u32,)), concert.tx(ben, "book", (1u32,))]);
/// report.assert_batches(&[&[0], &[1]]);
/// report.receipts[0].assert_ok();
/// report.receipts[1].assert_revert(ConcertError::SoldOut);
/// assert_eq!(chain.view::<u32>(&concert, "left", ()), 0);
/// ```
pub struct Stock<T, F = Untagged>(PhantomData<fn() -> (T, F)>);

impl<T, F> Handle for Stock<T, F> {
    const NEW: Self = Self(PhantomData);
}

impl<T, F> fmt::Debug for Stock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stock")
    }
}

impl<T: CounterValue, F: FieldTag> Stock<T, F> {
    /// What is there, zero at first. A read, which conflicts with adding and with taking.
    #[inline]
    pub fn get(&self) -> T {
        load::<F, T>(&[]).unwrap_or_default()
    }

    /// What was there before the block: conflicts with nothing.
    #[inline]
    pub fn at_start(&self) -> T {
        load_start::<F, T>(&[]).unwrap_or_default()
    }

    /// Adds, without seeing what is there. Commutes with adding, and with taking where that commutes. If it
    /// does not fit the type, the transaction is stopped.
    #[inline]
    pub fn add(&mut self, amount: T) {
        amount.add_to::<F>(&[]);
    }

    /// Takes `amount` if it is there; whether it was taken.
    ///
    /// Taking more than is declared is a touch that was not declared. A single transaction takes at most
    /// 2^127 - 1.
    #[inline]
    #[must_use]
    pub fn reserve(&mut self, amount: T) -> bool {
        self.reserve_above(amount, T::default())
    }

    /// Takes `amount` if at least `floor` is left then; whether it was taken.
    #[inline]
    #[must_use]
    pub fn reserve_above(&mut self, amount: T, floor: T) -> bool {
        host::reserve::<F>(&[], amount.wide(), floor.wide())
    }

    /// Sets it. A write.
    #[inline]
    pub fn put(&mut self, amount: T) {
        store::<F, T>(&[], &amount);
    }
}

impl<K: AbiType, T: CounterValue, F: FieldTag> Map<K, Stock<T>, F> {
    /// What is there, zero at first. A read, which conflicts with adding and with taking.
    #[inline]
    pub fn get(&self, key: impl AsKey<K>) -> T {
        with_key(&key, load::<F, T>).unwrap_or_default()
    }

    /// What was there before the block: conflicts with nothing.
    #[inline]
    pub fn at_start(&self, key: impl AsKey<K>) -> T {
        with_key(&key, load_start::<F, T>).unwrap_or_default()
    }

    /// Adds, without seeing what is there; see [`Stock::add`].
    #[inline]
    pub fn add(&mut self, key: impl AsKey<K>, amount: T) {
        with_key(&key, |key| amount.add_to::<F>(key));
    }

    /// Takes `amount` if it is there; whether it was taken. See [`Stock::reserve`].
    #[inline]
    #[must_use]
    pub fn reserve(&mut self, key: impl AsKey<K>, amount: T) -> bool {
        self.reserve_above(key, amount, T::default())
    }

    /// Takes `amount` if at least `floor` is left then; whether it was taken.
    #[inline]
    #[must_use]
    pub fn reserve_above(&mut self, key: impl AsKey<K>, amount: T, floor: T) -> bool {
        with_key(&key, |key| host::reserve::<F>(key, amount.wide(), floor.wide()))
    }

    /// Sets it. A write.
    #[inline]
    pub fn put(&mut self, key: impl AsKey<K>, amount: T) {
        with_key(&key, |key| store::<F, T>(key, &amount));
    }
}
