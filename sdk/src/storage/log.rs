use core::borrow::Borrow;
use core::fmt;
use core::marker::PhantomData;

use kempe_abi::AbiType;
use kempe_abi::log::INDEX_BYTES;

use super::{AsKey, Handle, Map, load, load_start, with_key};
use crate::codec::{self, Longer, Of};
use crate::host::{self, FieldTag, Untagged};

/// A sequence to which transactions append, without conflicting and without seeing it: `append(entries)`.
///
/// The items that a block appends get their indices when it ends, in its published order; those of a
/// transaction that fails are not there. From the next block on `start(entries[index])` reads one, which conflicts
/// with nothing, because an item never changes and is never removed. `read(entries)` is for the length, which
/// those before it in the block have raised. Each item is a cell of its own, so it can be proven against the
/// state root, and costs what one costs. See [`log`](crate::abi::log).
///
/// ```
/// use kempe_sdk::prelude::*;
///
/// #[contract]
/// pub struct Register {
///     entries: Log<(Address, u32)>,
///     notes: Map<Address, Log<String>>,
/// }
///
/// #[contract]
/// impl Register {
///     /// Entries of a block run at the same time.
///     #[access(append(entries, notes[caller]))]
///     pub fn enter(&mut self, what: u32, note: String) {
///         self.entries.append((caller(), what));
///         self.notes.append(caller(), note);
///     }
///
///     /// Sees how many there are, so it waits for those before it in the block.
///     #[access(read(entries))]
///     pub fn len(&self) -> u64 {
///         self.entries.len()
///     }
///
///     #[access(start(entries[index]))]
///     pub fn entry(&self, index: u64) -> Option<(Address, u32)> {
///         self.entries.at_start(index)
///     }
///
///     #[access(start(notes[of], notes[of][index]))]
///     pub fn note(&self, of: Address, index: u64) -> (u64, Option<String>) {
///         (self.notes.len_at_start(of), self.notes.at_start(of, index))
///     }
/// }
///
/// use kempe_sdk::testing::TestChain;
///
/// let mut chain = TestChain::native();
/// let [ann, ben] = ["ann", "ben"].map(|name| chain.account(name));
/// let register = chain.deploy::<Register>(ann, ());
/// let enter = |who, what: u32| register.tx(who, "enter", (what, "seen".to_string()));
/// let report = chain.block([enter(ann, 7), enter(ben, 5), register.tx(ann, "len", ())]);
/// report.assert_ok().assert_batches(&[&[0, 1], &[2]]);
/// let mut entry = |index: u64| chain.view::<Option<(Address, u32)>>(&register, "entry", (index,));
/// assert_eq!([entry(0), entry(1), entry(2)], [Some((ann, 7)), Some((ben, 5)), None]);
/// let note = chain.view::<(u64, Option<String>)>(&register, "note", (ben, 0u64));
/// assert_eq!(note, (1, Some("seen".to_string())));
/// ```
pub struct Log<T, F = Untagged>(PhantomData<fn() -> (T, F)>);

impl<T, F> Handle for Log<T, F> {
    const NEW: Self = Self(PhantomData);
}

impl<T, F> fmt::Debug for Log<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

#[inline(always)]
fn append<F: FieldTag, T: AbiType>(key: &[u8], item: &T) {
    codec::encoded::<Of<T>, _, _>(item, |item| host::append::<F>(key, item));
}

#[allow(clippy::len_without_is_empty, reason = "whoever needs it sees the length")]
impl<T: AbiType, F: FieldTag> Log<T, F> {
    /// How many items there are, with those that the block has appended before. A read, which conflicts with
    /// appending.
    #[inline]
    pub fn len(&self) -> u64 {
        load::<F, u64>(&[]).unwrap_or_default()
    }

    /// How many there were before the block: conflicts with nothing.
    #[inline]
    pub fn len_at_start(&self) -> u64 {
        load_start::<F, u64>(&[]).unwrap_or_default()
    }

    /// An item that was there before the block: conflicts with nothing.
    #[inline]
    pub fn at_start(&self, index: u64) -> Option<T> {
        load_start::<F, T>(&index.to_le_bytes())
    }

    /// Appends an item. Commutes with itself; where the item goes is not known yet.
    ///
    /// What one transaction appends has at most 256 KiB, where each item counts the key of its
    /// log and 64 bytes more.
    #[inline]
    pub fn append(&mut self, item: impl Borrow<T>) {
        append::<F, T>(&[], item.borrow());
    }
}

impl<K: AbiType, T: AbiType, F: FieldTag> Map<K, Log<T>, F> {
    /// How many items there are; see [`Log::len`].
    #[inline]
    pub fn len(&self, key: impl AsKey<K>) -> u64 {
        with_key(&key, load::<F, u64>).unwrap_or_default()
    }

    /// How many there were before the block: conflicts with nothing.
    #[inline]
    pub fn len_at_start(&self, key: impl AsKey<K>) -> u64 {
        with_key(&key, load_start::<F, u64>).unwrap_or_default()
    }

    /// An item that was there before the block: conflicts with nothing.
    #[inline]
    pub fn at_start(&self, key: impl AsKey<K>, index: u64) -> Option<T> {
        with_item(&key, index, load_start::<F, T>)
    }

    /// Appends an item; see [`Log::append`].
    #[inline]
    pub fn append(&mut self, key: impl AsKey<K>, item: impl Borrow<T>) {
        with_key(&key, |key| append::<F, T>(key, item.borrow()));
    }
}

/// Calls `with` with the bytes of an item's key.
#[inline(always)]
fn with_item<K, Q: AsKey<K>, R>(key: &Q, index: u64, with: impl FnOnce(&[u8]) -> R) -> R {
    codec::encoded::<Longer<Q::Bound, INDEX_BYTES>, _, _>(&(key.as_key(), index), with)
}
