//! Finding an entry of a long list by what it names.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use kempe_abi::Address;

/// What an entry names: contract, field and key bytes.
pub(crate) type Name<'a> = (&'a Address, u8, &'a [u8]);

/// A map from names to positions, in which names are hashed faster than as keys of the state. It is seeded
/// anew in each process, so that nobody can choose names that fall together.
#[derive(Debug, Default)]
pub(crate) struct NameIndex {
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    /// The entries that are in the table.
    n_entries: usize,
}

impl NameIndex {
    pub(crate) fn clear(&mut self) {
        self.table.clear();
        self.n_entries = 0;
    }

    /// The position of what is wanted among the first `len` entries, of which `name` gives the names, all different.
    /// Between two calls entries may be added, not changed.
    pub(crate) fn find<'a>(
        &mut self,
        len: usize,
        name: impl Fn(usize) -> Name<'a>,
        wanted: Name<'_>,
    ) -> Option<usize> {
        let Self { hasher, table, n_entries } = self;
        let hash_of = |(contract, field, key): Name<'_>| hasher.hash_one((contract.0, field, key));
        for at in *n_entries..len {
            let position = u32::try_from(at).expect("LIST_ENTRIES_MAX bounds the entries");
            table.insert_unique(hash_of(name(at)), position, |&at| hash_of(name(at as usize)));
        }
        *n_entries = len;
        table.find(hash_of(wanted), |&at| name(at as usize) == wanted).map(|&at| at as usize)
    }
}
