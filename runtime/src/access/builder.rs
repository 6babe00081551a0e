//! Putting lists together: entries are pushed as templates name them, and hashed when the chunk is
//! full, side by side.

use kempe_abi::derive::Sink;
use kempe_abi::{AccessKind, Address, Bound};

use super::escrow::Taking;
use super::list::{Chunk, Entry, Row, Work};
use super::names::NameIndex;
use super::{LINEAR_MAX, SYSTEM_PREFIXES, system_hash};
use crate::engine::{Accumulator, Contract, Find};
use crate::types::lanes::LANES;
use crate::types::{
    FieldPrefix, KeyBlock, KeyHash, LIST_ENTRIES_MAX, SYSTEM, StateKey, key_block, system_field,
};

/// The position of [`SYSTEM`] among a chunk's contracts.
const SYSTEM_AT: u32 = 0;

/// Makes a [`Chunk`].
#[derive(Debug)]
pub(crate) struct ChunkBuilder {
    chunk: Chunk,
    /// The entries that have no hash yet.
    pending: Vec<Pending>,
    prefixes: Vec<FieldPrefix>,
    /// The entries of the last row.
    index: NameIndex,
}

#[derive(Debug)]
struct Pending {
    prefix: u32,
    entry: u32,
    block: KeyBlock,
}

/// One transaction's row while it is made.
pub(super) struct RowBuilder<'a> {
    builder: &'a mut ChunkBuilder,
    contracts: &'a dyn Find,
    /// The contract that was asked for last: a template touches one contract several times.
    last: Option<&'a Contract>,
    /// The row's first entry.
    start: usize,
    dynamic: bool,
    /// What finding the list took so far.
    pub(super) work: Work,
    /// The most that it may be.
    pub(super) work_max: Work,
    pub(super) overflow: bool,
}

impl ChunkBuilder {
    /// With room for the lists of so many transactions, if they are as those of a transfer.
    pub(crate) fn new(n_txs: usize) -> Self {
        /// A contract and the balances of two accounts.
        const ENTRIES: usize = 3;
        const KEY_BYTES: usize = 32;
        let n_entries = n_txs * ENTRIES;
        let chunk = Chunk {
            rows: Vec::with_capacity(n_txs),
            entries: Vec::with_capacity(n_entries),
            contracts: vec![SYSTEM],
            keys: Vec::with_capacity(n_entries * KEY_BYTES),
            bounds: Vec::new(),
        };
        let pending = Vec::with_capacity(n_entries);
        Self { chunk, pending, prefixes: Vec::new(), index: NameIndex::default() }
    }

    /// Whether the last row is dynamic.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.chunk.rows.last().is_some_and(|row| row.dynamic)
    }

    pub(super) fn row<'a>(&'a mut self, contracts: &'a dyn Find) -> RowBuilder<'a> {
        self.index.clear();
        let start = self.chunk.entries.len();
        RowBuilder {
            builder: self,
            contracts,
            last: None,
            start,
            dynamic: false,
            work: Work::default(),
            work_max: Work::default(),
            overflow: false,
        }
    }

    /// Turns the last row into one whose list is not known.
    pub(crate) fn unlist(&mut self) {
        let work = self.work();
        self.pop();
        self.push_unlisted(work);
    }

    /// What finding the last row's list took.
    pub(crate) fn work(&self) -> Work {
        self.chunk.rows.last().map_or(Work::default(), |row| row.work)
    }

    /// Takes the last row out.
    pub(crate) fn pop(&mut self) {
        self.chunk.rows.pop();
        let start = self.chunk.rows.last().map_or(0, |row| row.end);
        self.cut(start as usize);
    }

    /// A row whose list is not known.
    fn push_unlisted(&mut self, work: Work) {
        let end = to_u32(self.chunk.entries.len());
        self.chunk.rows.push(Row { end, listed: false, dynamic: false, work });
    }

    fn cut(&mut self, n_entries: usize) {
        self.chunk.entries.truncate(n_entries);
        while self.pending.pop_if(|pending| pending.entry as usize >= n_entries).is_some() {}
        while self.chunk.bounds.pop_if(|(entry, _)| *entry as usize >= n_entries).is_some() {}
    }

    /// Hashes what is not hashed yet.
    pub(crate) fn finish(mut self) -> Chunk {
        let ascending = self.pending.is_sorted_by_key(|pending| pending.prefix);
        if !ascending {
            self.pending.sort_unstable_by_key(|pending| (pending.prefix, pending.entry));
        }
        let mut hashes = [[0; 32]; LANES];
        for field in self.pending.chunk_by(|a, b| a.prefix == b.prefix) {
            let prefix = &self.prefixes[field[0].prefix as usize];
            for group in field.chunks(hashes.len()) {
                let mut blocks = [&group[0].block; LANES];
                for (block, pending) in blocks.iter_mut().zip(group) {
                    *block = &pending.block;
                }
                KeyHash::of_blocks(prefix, &blocks[..group.len()], &mut hashes[..group.len()]);
                for (pending, hash) in group.iter().zip(hashes) {
                    self.chunk.entries[pending.entry as usize].hash = KeyHash(hash);
                }
            }
        }
        self.chunk
    }

    /// The position of a prefix. Templates name few fields, and those over and over.
    fn prefix(&mut self, prefix: &FieldPrefix) -> u32 {
        const NEAR: usize = 8;
        let n_prefixes = self.prefixes.len();
        let first = n_prefixes.saturating_sub(NEAR);
        let near = self.prefixes[first..].iter().position(|known| known == prefix);
        to_u32(near.map_or_else(
            || {
                self.prefixes.push(*prefix);
                n_prefixes
            },
            |near| first + near,
        ))
    }

    fn contract(&mut self, address: &Address) -> u32 {
        if *address == SYSTEM {
            return SYSTEM_AT;
        }
        if self.chunk.contracts.last() != Some(address) {
            self.chunk.contracts.push(*address);
        }
        to_u32(self.chunk.contracts.len() - 1)
    }
}

impl<'a> RowBuilder<'a> {
    fn loaded(&mut self, address: &Address) -> Option<&'a Contract> {
        if self.last.is_none_or(|last| last.address != *address) {
            self.last = self.contracts.find(address);
        }
        self.last
    }

    fn prefix(&mut self, contract: &Address, field: u8) -> FieldPrefix {
        match self.loaded(contract) {
            Some(contract) => contract.prefix(field),
            None => FieldPrefix::new(contract, field),
        }
    }

    pub(super) fn system(&mut self, kind: AccessKind, field: u8, key: &Address) {
        let prefix = &SYSTEM_PREFIXES[usize::from(field)];
        self.insert(kind, None, &SYSTEM, (field, &key.0), Hashing::By(prefix));
    }

    pub(super) fn declared(&mut self, kind: AccessKind, key: &StateKey) {
        let hashing = Hashing::Known(key.hash());
        self.insert(kind, None, &key.contract, (key.field, &key.key), hashing);
    }

    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.builder.chunk.entries.len() - self.start
    }

    /// Ends the row.
    pub(super) fn end(self) {
        let end = to_u32(self.builder.chunk.entries.len());
        let Self { dynamic, work, .. } = self;
        self.builder.chunk.rows.push(Row { end, listed: true, dynamic, work });
    }

    /// Ends the row as one whose list is not known.
    pub(super) fn abandon(self) {
        self.builder.cut(self.start);
        self.builder.push_unlisted(self.work);
    }

    fn insert(
        &mut self,
        kind: AccessKind,
        bound: Option<Taking>,
        contract: &Address,
        (field, key): (u8, &[u8]),
        hashing: Hashing<'_>,
    ) {
        if let Some(at) = self.find(contract, field, key) {
            let entry = &mut self.builder.chunk.entries[at];
            entry.kind = entry.kind.join(kind);
            self.join_bound(at, bound);
            return;
        }
        let builder = &mut *self.builder;
        let entry = builder.chunk.entries.len();
        if entry - self.start == LIST_ENTRIES_MAX {
            self.overflow = true;
            return;
        }
        let hash = match hashing {
            Hashing::Known(hash) => hash,
            Hashing::By(prefix) => match key_block(key) {
                None => KeyHash::of(prefix, key),
                Some(block) => {
                    let prefix = builder.prefix(prefix);
                    builder.pending.push(Pending { prefix, entry: to_u32(entry), block });
                    KeyHash([0; 32])
                }
            },
        };
        let contract = builder.contract(contract);
        let at = to_u32(builder.chunk.keys.len());
        builder.chunk.keys.extend_from_slice(key);
        let key_len = u16::try_from(key.len()).expect("keys have at most KEY_BYTES_MAX bytes");
        builder.chunk.bounds.extend(bound.map(|bound| (to_u32(entry), bound)));
        builder.chunk.entries.push(Entry { hash, contract, key: at, key_len, field, kind });
    }

    /// Adds to what an entry takes of a stock. With anything else in the list for it, it is no longer bounded.
    fn join_bound(&mut self, at: usize, bound: Option<Taking>) {
        let bounds = &mut self.builder.chunk.bounds;
        let Ok(found) = bounds.binary_search_by_key(&to_u32(at), |(entry, _)| *entry) else {
            return;
        };
        match bound {
            Some(Taking { bound, .. }) => {
                bounds[found].1.bound = bounds[found].1.bound.join(bound);
            }
            None => drop(bounds.remove(found)),
        }
    }

    /// The position of the row's entry for a key.
    fn find(&mut self, contract: &Address, field: u8, key: &[u8]) -> Option<usize> {
        let chunk = &self.builder.chunk;
        let is = |entry: &Entry| {
            entry.field == field && {
                let listed = chunk.key(entry);
                listed.key == key && listed.contract == contract
            }
        };
        let row = &chunk.entries[self.start..];
        if row.len() <= LINEAR_MAX {
            return row.iter().position(is).map(|at| self.start + at);
        }
        let name = |at: usize| {
            let listed = chunk.key(&row[at]);
            (listed.contract, listed.field, listed.key)
        };
        let found = self.builder.index.find(row.len(), name, (contract, field, key));
        found.map(|at| self.start + at)
    }
}

/// How an entry comes to its hash.
enum Hashing<'a> {
    Known(KeyHash),
    By(&'a FieldPrefix),
}

impl Sink for RowBuilder<'_> {
    fn call(&mut self, contract: &Address) {
        let (hash, n_immutables) = match self.loaded(contract) {
            Some(contract) => (contract.record_hash, contract.record.immutables.len()),
            None => (system_hash(system_field::CONTRACT, &contract.0), 0),
        };
        // Reading a record takes some 100 ns for each, beside `CALL_STEPS`.
        self.work.add(n_immutables, 0);
        let kind = AccessKind::Read;
        let name = (system_field::CONTRACT, &contract.0[..]);
        self.insert(kind, None, &SYSTEM, name, Hashing::Known(hash));
    }

    fn touch(&mut self, kind: AccessKind, contract: &Address, field: u8, key: &[u8]) {
        let prefix = self.prefix(contract, field);
        self.insert(kind, None, contract, (field, key), Hashing::By(&prefix));
    }

    fn reserve(&mut self, contract: &Address, field: u8, key: &[u8], bound: Bound) {
        let prefix = self.prefix(contract, field);
        let max = self.loaded(contract).map(|contract| Accumulator::of(contract, field).max());
        let taking = Taking { bound, max: max.unwrap_or(0) };
        let kind = AccessKind::Write;
        self.insert(kind, Some(taking), contract, (field, key), Hashing::By(&prefix));
    }

    fn dynamic(&mut self, _: &Address) {
        self.dynamic = true;
    }

    fn most(&self) -> (usize, usize) {
        self.work_max.beyond(self.work)
    }

    fn spent(&mut self, steps: usize, bytes: usize) {
        self.work.add(steps, bytes);
    }
}

fn to_u32(n: usize) -> u32 {
    u32::try_from(n).expect("a chunk has fewer than 4 Gi entries and bytes")
}
