use core::fmt;
use core::marker::PhantomData;

use kempe_abi::{AbiType, Address};

use super::counter::{Counter, CounterValue};
use super::{Handle, Map, load, load_start, store};
use crate::codec::{self, Longer};
use crate::host::{FieldTag, Untagged};
use crate::storage::AsKey;

/// A counter in `N` cells, 2 to 64, so that whoever looks at one of them does not meet everybody.
///
/// `Sharded<Counter<u64>, 16>`, also as the value of a [`Map`]. What is added for an address goes to the
/// address's shard, which a clause names by the address: `add(plays[caller])`. The total is exact: it reads
/// every shard, and `read(plays)` lists all `N` of them.
///
/// Additions to one [`Counter`] commute already. Shards help where additions meet looks: a transaction
/// that reads one shard, or writes it, waits for the additions of that shard alone. They cost `N` cells and
/// `N` entries in the list of each total.
///
/// ```
/// use kempe_sdk::prelude::*;
///
/// #[contract]
/// pub struct Arcade {
///     plays: Sharded<Counter<u64>, 16>,
/// }
///
/// #[contract]
/// impl Arcade {
///     /// Tells how often this was played by those of the caller's shard.
///     #[access(write(plays[caller]))]
///     pub fn play(&mut self) -> u64 {
///         self.plays.add(caller(), 1);
///         self.plays.part(caller())
///     }
///
///     #[access(read(plays))]
///     pub fn plays(&self) -> u64 {
///         self.plays.get()
///     }
/// }
///
/// use kempe_sdk::testing::TestChain;
///
/// let mut chain = TestChain::native();
/// let (ann, ben) = (chain.account("ann"), chain.account("ben"));
/// assert_ne!(ann.shard(16), ben.shard(16));
/// let arcade = chain.deploy::<Arcade>(ann, ());
/// let block = ["play", "play", "plays"].into_iter().zip([ann, ben, ann]);
/// let report = chain.block(block.map(|(method, who)| arcade.tx(who, method, ())));
/// report.assert_ok().assert_batches(&[&[0, 1], &[2]]);
/// assert_eq!(report.receipts[2].value::<u64>(), 2);
/// ```
pub struct Sharded<C, const N: u8, F = Untagged>(PhantomData<fn() -> (C, F)>);

impl<C, const N: u8, F> Handle for Sharded<C, N, F> {
    const NEW: Self = Self(PhantomData);
}

impl<C, const N: u8, F> fmt::Debug for Sharded<C, N, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sharded")
    }
}

/// The shard of an address.
#[inline(always)]
fn shard<const N: u8>(of: &Address) -> u8 {
    match of.shard(N) {
        Some(shard) => shard,
        None => panic!("a counter without shards"),
    }
}

/// The sum of what `load` finds in all shards.
#[inline(always)]
fn total<const N: u8, T: CounterValue>(load: impl Fn(u8) -> Option<T>) -> T {
    (0..N).filter_map(load).fold(T::default(), |sum, part| match sum.plus(part) {
        Some(sum) => sum,
        None => panic!("the total of a counter's shards leaves its range"),
    })
}

/// The count for the first shard, and zero for the others.
#[inline(always)]
fn put<const N: u8, T: CounterValue>(count: T, mut store: impl FnMut(u8, &T)) {
    (0..N).for_each(|shard| store(shard, &if shard == 0 { count } else { T::default() }));
}

impl<T: CounterValue, const N: u8, F: FieldTag> Sharded<Counter<T>, N, F> {
    /// The total of all shards. A read of all.
    ///
    /// # Panics
    /// If it leaves the range of `T`.
    #[inline]
    pub fn get(&self) -> T {
        total::<N, T>(|shard| load::<F, T>(&[shard]))
    }

    /// The total before the block. Conflicts with nothing; see [`Counter::at_start`].
    ///
    /// # Panics
    /// If it leaves the range of `T`.
    #[inline]
    pub fn at_start(&self) -> T {
        total::<N, T>(|shard| load_start::<F, T>(&[shard]))
    }

    /// What the shard of `of` holds. A read of one shard.
    #[inline]
    pub fn part(&self, of: Address) -> T {
        load::<F, T>(&[shard::<N>(&of)]).unwrap_or_default()
    }

    /// Adds to the shard of `by`. Adding commutes with adding; see [`Counter::add`].
    ///
    /// There is nothing that subtracts from one shard: it could hold less although the total does not.
    #[inline]
    pub fn add(&mut self, by: Address, amount: T) {
        amount.add_to::<F>(&[shard::<N>(&by)]);
    }

    /// Sets the total. A write of all shards.
    #[inline]
    pub fn put(&mut self, count: T) {
        put::<N, T>(count, |shard, part| store::<F, T>(&[shard], part));
    }
}

/// Calls `with` with the bytes of a key and a shard's number.
#[inline(always)]
fn with_shard<K, Q: AsKey<K>, R>(key: &Q, shard: u8, with: impl FnOnce(&[u8]) -> R) -> R {
    codec::encoded::<Longer<Q::Bound, 1>, _, _>(&(key.as_key(), shard), with)
}

impl<K: AbiType, T: CounterValue, const N: u8, F: FieldTag> Map<K, Sharded<Counter<T>, N>, F> {
    /// The total of all shards. A read of all; see [`Sharded::get`].
    ///
    /// # Panics
    /// If it leaves the range of `T`.
    #[inline]
    pub fn get(&self, key: impl AsKey<K>) -> T {
        total::<N, T>(|shard| with_shard(&key, shard, load::<F, T>))
    }

    /// The total before the block. Conflicts with nothing; see [`Counter::at_start`].
    ///
    /// # Panics
    /// If it leaves the range of `T`.
    #[inline]
    pub fn at_start(&self, key: impl AsKey<K>) -> T {
        total::<N, T>(|shard| with_shard(&key, shard, load_start::<F, T>))
    }

    /// What the shard of `of` holds. A read of one shard.
    #[inline]
    pub fn part(&self, key: impl AsKey<K>, of: Address) -> T {
        with_shard(&key, shard::<N>(&of), load::<F, T>).unwrap_or_default()
    }

    /// Adds to the shard of `by`. Adding commutes with adding; see [`Sharded::add`].
    #[inline]
    pub fn add(&mut self, key: impl AsKey<K>, by: Address, amount: T) {
        with_shard(&key, shard::<N>(&by), |key| amount.add_to::<F>(key));
    }

    /// Sets the total. A write of all shards.
    #[inline]
    pub fn put(&mut self, key: impl AsKey<K>, count: T) {
        put::<N, T>(count, |shard, part| with_shard(&key, shard, |key| store::<F, T>(key, part)));
    }
}
