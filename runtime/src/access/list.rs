//! Access lists, many at a time: flat arrays, so that a block's lists are a few allocations and are
//! read in order.

use kempe_abi::{AccessKind, Address, Bound};

use super::escrow::{Escrows, Taking};
use crate::prefetch::prefetch;
use crate::types::{KeyHash, Prices, StateKey};

/// The transactions of one [`Chunk`]: enough to spread the work over threads and to hash keys side
/// by side, few enough that a chunk stays in a core's cache while it is made.
pub(crate) const CHUNK_TXS: usize = 256;

/// The access lists of a block's transactions.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    pub(crate) chunks: Vec<Chunk>,
    /// What all of them take of stocks.
    pub(super) escrows: Escrows,
}

/// The access lists of [`CHUNK_TXS`] transactions in order, the last ones of a block of fewer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chunk {
    pub(super) rows: Vec<Row>,
    pub(super) entries: Vec<Entry>,
    pub(super) contracts: Vec<Address>,
    pub(super) keys: Vec<u8>,
    /// What the entries take that only take from a stock, with the positions of these entries, in order.
    pub(super) bounds: Vec<(u32, Taking)>,
}

/// One transaction's list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The end of its entries; they begin at the end of the row before.
    pub(super) end: u32,
    /// Whether the list is known before the transaction runs.
    pub(super) listed: bool,
    /// See [`AccessList::dynamic`].
    pub(super) dynamic: bool,
    /// What finding it took.
    pub(super) work: Work,
}

/// What finding a list took: steps, and bytes of values that were looked at. What is below costs nothing
/// beside the price of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    steps: u32,
    bytes: u32,
}

/// What the price of a transaction covers of finding its list. A transfer takes a tenth of both. Ours to choose.
const FREE: Work = Work { steps: 256, bytes: 4096 };

/// What a step costs, in calls of the host: an expression, a key put together and looked for.
const STEP_HOST_CALLS: u64 = 4;

impl Work {
    /// The most for which so much fuel pays: of steps as of bytes.
    pub(crate) fn paid_by(fuel: u64, prices: &Prices) -> Self {
        let paid = |free: u32, price: u64| {
            let n = fuel.checked_div(price).and_then(|n| u32::try_from(n).ok());
            free.saturating_add(n.unwrap_or(u32::MAX))
        };
        Self {
            steps: paid(FREE.steps, STEP_HOST_CALLS.saturating_mul(prices.host_call)),
            bytes: paid(FREE.bytes, prices.copy_byte),
        }
    }

    /// How much more it may be than another, in steps and in bytes.
    pub(crate) fn beyond(self, other: Self) -> (usize, usize) {
        let more = |most: u32, n| most.saturating_sub(n) as usize;
        (more(self.steps, other.steps), more(self.bytes, other.bytes))
    }

    /// Adds what another derivation took.
    pub(crate) fn add(&mut self, steps: usize, bytes: usize) {
        let sum = |n: u32, more| n.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        *self = Self { steps: sum(self.steps, steps), bytes: sum(self.bytes, bytes) };
    }

    /// The fuel for it.
    pub(crate) fn fuel(self, prices: &Prices) -> u64 {
        let steps = u64::from(self.steps.saturating_sub(FREE.steps));
        let bytes = u64::from(self.bytes.saturating_sub(FREE.bytes));
        let of_steps = steps.saturating_mul(STEP_HOST_CALLS).saturating_mul(prices.host_call);
        of_steps.saturating_add(bytes.saturating_mul(prices.copy_byte))
    }
}

/// One key of a list. Contract and key are positions in the chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) hash: KeyHash,
    pub(crate) contract: u32,
    pub(crate) key: u32,
    pub(crate) key_len: u16,
    pub(crate) field: u8,
    pub(crate) kind: AccessKind,
}

/// What a transaction declares that it touches, each key once.
#[derive(Clone, Copy, Debug)]
pub struct AccessList<'a> {
    chunk: &'a Chunk,
    row: usize,
    entries: &'a [Entry],
    /// Whether a method in it is declared as dynamic: a touch outside the list is then not an
    /// error of the contract, and the transaction is tried again in the tail lane.
    pub dynamic: bool,
}

/// An entry of an access list.
#[derive(Clone, Copy, Debug)]
pub struct ListedKey<'a> {
    /// The contract that owns the cell.
    pub contract: &'a Address,
    /// The field's number.
    pub field: u8,
    /// The encoded keys.
    pub key: &'a [u8],
    /// The hash of all three.
    pub hash: KeyHash,
    /// What the list permits; of a stock that is only taken from, `Add` where nobody can be refused, and
    /// else `Write`.
    pub kind: AccessKind,
    /// How much may be taken of a stock, if nothing else is permitted.
    pub bound: Option<Bound>,
}

impl ListedKey<'_> {
    /// The key, on its own.
    #[must_use]
    pub fn state_key(&self) -> StateKey {
        StateKey::new(*self.contract, self.field, self.key)
    }
}

impl Lists {
    /// The lists of one chunk of transactions.
    pub(crate) fn of_chunk(chunk: Chunk) -> Self {
        Self { chunks: vec![chunk], escrows: Escrows::default() }
    }

    /// How many transactions.
    #[must_use]
    pub fn n_txs(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.rows.len()).sum()
    }

    /// How many entries all lists have together.
    #[must_use]
    pub fn n_entries(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.entries.len()).sum()
    }

    /// Asks for the entries of a transaction's list to be brought from main memory.
    pub(crate) fn prefetch_entries(&self, tx_index: u32) {
        const LINE_ENTRIES: usize = 2;
        let list = self.list(tx_index);
        list.entries().iter().step_by(LINE_ENTRIES).for_each(prefetch);
    }

    /// Asks for the keys that these entries name.
    pub(crate) fn prefetch_keys(&self, tx_index: u32) {
        let (chunk, _) = place(tx_index);
        for entry in self.list(tx_index).entries() {
            if let Some(key) = self.chunks[chunk].keys.get(entry.key as usize) {
                prefetch(key);
            }
        }
    }

    /// The list of a transaction that there is; without entries if it is not known.
    fn list(&self, tx_index: u32) -> AccessList<'_> {
        let (chunk, row) = place(tx_index);
        self.chunks[chunk].list(row)
    }

    /// Whether any list is dynamic.
    pub(crate) fn has_dynamic(&self) -> bool {
        self.chunks.iter().flat_map(|chunk| &chunk.rows).any(|row| row.dynamic)
    }

    /// The list of a transaction; `None` for one of the tail, and if there is no such transaction.
    #[must_use]
    pub fn of(&self, tx_index: u32) -> Option<AccessList<'_>> {
        let (chunk, row) = place(tx_index);
        let chunk = self.chunks.get(chunk)?;
        chunk.rows.get(row).filter(|row| row.listed)?;
        Some(chunk.list(row))
    }

    /// The lists of all transactions in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<AccessList<'_>>> {
        self.chunks.iter().flat_map(|chunk| {
            (0..chunk.rows.len()).map(|row| chunk.rows[row].listed.then(|| chunk.list(row)))
        })
    }
}

/// The chunk of a transaction, and its row in there.
pub(crate) fn place(tx_index: u32) -> (usize, usize) {
    let tx_index = tx_index as usize;
    (tx_index / CHUNK_TXS, tx_index % CHUNK_TXS)
}

impl Chunk {
    /// The entries of all rows.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Where the entries of a row are.
    fn range(&self, row: usize) -> std::ops::Range<usize> {
        let start = row.checked_sub(1).map_or(0, |before| self.rows[before].end as usize);
        start..self.rows[row].end as usize
    }

    /// The list of a row; one that is not known has no entries.
    pub(crate) fn list(&self, row: usize) -> AccessList<'_> {
        let entries = &self.entries[self.range(row)];
        AccessList { chunk: self, row, entries, dynamic: self.rows[row].dynamic }
    }

    /// The bounds of a row, with the positions of their entries in it.
    pub(crate) fn bounds(&self, row: usize) -> impl Iterator<Item = (usize, Bound)> {
        // Few rows take from stocks, and most chunks have none.
        let range = if self.bounds.is_empty() { 0..0 } else { self.range(row) };
        let first = self.bounds.partition_point(|(entry, _)| (*entry as usize) < range.start);
        let bounds = self.bounds[first..].iter();
        let bounds = bounds.take_while(move |(entry, _)| (*entry as usize) < range.end);
        let start = range.start;
        bounds.map(move |&(entry, Taking { bound, .. })| (entry as usize - start, bound))
    }

    /// What finding the list of a row took.
    pub(crate) fn work(&self, row: usize) -> Work {
        self.rows[row].work
    }

    /// How many entries each row has, and whether its list is known.
    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = (usize, bool)> {
        (0..self.rows.len()).map(|row| (self.range(row).len(), self.rows[row].listed))
    }

    /// What an entry names.
    pub(crate) fn key(&self, entry: &Entry) -> ListedKey<'_> {
        let (contract, key) = self.name(entry.contract, entry.key, entry.key_len);
        let Entry { hash, field, kind, .. } = *entry;
        ListedKey { contract, field, key, hash, kind, bound: None }
    }

    /// A contract and a key by their positions.
    pub(crate) fn name(&self, contract: u32, key: u32, key_len: u16) -> (&Address, &[u8]) {
        let key = key as usize;
        let bytes = &self.keys[key..key + usize::from(key_len)];
        (&self.contracts[contract as usize], bytes)
    }
}

impl<'a> AccessList<'a> {
    /// How many entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries, in the order of the templates.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ListedKey<'a>> + use<'a> {
        let chunk = self.chunk;
        let mut bounds = chunk.bounds(self.row).peekable();
        self.entries.iter().enumerate().map(move |(at, entry)| {
            let bound = bounds.next_if(|(found, _)| *found == at).map(|(_, bound)| bound);
            ListedKey { bound, ..chunk.key(entry) }
        })
    }

    /// The entries as they are stored.
    pub(crate) fn entries(&self) -> &'a [Entry] {
        self.entries
    }
}
