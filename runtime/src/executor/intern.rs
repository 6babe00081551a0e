//! The numbering of a block's keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hashbrown::{DefaultHashBuilder, HashTable};
use rayon::prelude::*;

use super::Tx;
use crate::access::{CHUNK_TXS, Chunk, ListedKey, Lists};
use crate::prefetch::prefetch;
use crate::scheduler::{Access, Accesses, Block};
use crate::types::KeyHash;

/// The parts into which keys are divided to be numbered in parallel. A constant, so that the
/// numbers do not depend on the threads.
const N_SHARDS: usize = 4;

/// A block as the scheduler sees it, and the keys behind the slots. Copies share all but the costs.
#[derive(Clone, Debug)]
pub struct Interned {
    numbered: Arc<Numbered>,
    /// By transaction; empty if all cost the same.
    costs: Vec<u64>,
}

#[derive(Debug)]
struct Numbered {
    lists: Arc<Lists>,
    accesses: Accesses,
    senders: Vec<u32>,
    tail: Vec<bool>,
    slots: Vec<KeyHash>,
    /// For each slot, an entry that names its key.
    names: Vec<Place>,
}

/// Where an entry is: its chunk, and its position in there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    chunk: u32,
    entry: u32,
}

impl Place {
    /// What the entry names.
    pub(super) fn key(self, lists: &Lists) -> ListedKey<'_> {
        let chunk = &lists.chunks[self.chunk as usize];
        chunk.key(&chunk.entries()[self.entry as usize])
    }
}

impl Interned {
    /// Numbers the keys of the block: equal keys get one slot. Runs on the threads of the current
    /// rayon pool; the numbers do not depend on how many there are.
    pub(super) fn new(lists: Lists, txs: &[Tx<'_>]) -> Self {
        let ((senders, n_senders), parts) =
            rayon::join(|| intern_senders(txs), || partition(&lists));
        let tail = tail(&lists, &senders, n_senders);
        let n_entries = lists.n_entries();
        let mut numbers = Vec::new();
        numbers.resize_with(n_entries, AtomicU32::default);
        let shards: Vec<Shard> = (0..N_SHARDS)
            .into_par_iter()
            .map(|shard| Shard::number(shard, &parts, &lists, &numbers))
            .collect();
        let mut bases = [0; N_SHARDS];
        let n_slots = shards.iter().map(|shard| shard.keys.len()).sum();
        let (mut slots, mut names) = (Vec::with_capacity(n_slots), Vec::with_capacity(n_slots));
        for (base, shard) in bases.iter_mut().zip(&shards) {
            *base = to_u32(slots.len());
            slots.extend_from_slice(&shard.keys);
            names.extend_from_slice(&shard.names);
        }
        let accesses = accesses(&lists, &tail, &parts, &numbers, &bases, n_slots);
        let lists = Arc::new(lists);
        let numbered = Arc::new(Numbered { lists, accesses, senders, tail, slots, names });
        Self { numbered, costs: Vec::new() }
    }

    /// The access lists.
    #[must_use]
    pub fn lists(&self) -> &Lists {
        &self.numbered.lists
    }

    pub(super) fn shared_lists(&self) -> &Arc<Lists> {
        &self.numbered.lists
    }

    /// What each transaction touches, by slot. Empty for a transaction of the tail.
    #[must_use]
    pub fn accesses(&self) -> &Accesses {
        &self.numbered.accesses
    }

    /// The number of each transaction's sender.
    #[must_use]
    pub fn senders(&self) -> &[u32] {
        &self.numbered.senders
    }

    /// Which transactions belong in the tail: those without a list, and the later ones of the same
    /// sender.
    #[must_use]
    pub fn tail(&self) -> &[bool] {
        &self.numbered.tail
    }

    /// The hash of each slot's key.
    #[must_use]
    pub fn slots(&self) -> &[KeyHash] {
        &self.numbered.slots
    }

    /// The key of a slot.
    ///
    /// # Panics
    /// If there is no such slot.
    #[must_use]
    pub fn key(&self, slot: u32) -> ListedKey<'_> {
        self.place(slot).key(&self.numbered.lists)
    }

    /// Asks for what [`place`](Self::place) and the hash of a slot need.
    pub(super) fn prefetch_slot(&self, slot: u32) {
        prefetch(&self.numbered.slots[slot as usize]);
        prefetch(&self.numbered.names[slot as usize]);
    }

    /// Where an entry is that names the key of a slot.
    pub(super) fn place(&self, slot: u32) -> Place {
        self.numbered.names[slot as usize]
    }

    /// Tells the scheduler what each transaction costs, in any unit; without, and of those behind the
    /// end of `costs`, all cost 1. No result depends on it but the choice of a schedule.
    #[must_use]
    pub fn with_costs(mut self, mut costs: Vec<u64>) -> Self {
        costs.resize(self.numbered.senders.len(), 1);
        self.costs = costs;
        self
    }

    /// The block as the scheduler sees it. Costs are equal where nobody has [told](Self::with_costs)
    /// them: a transaction's fuel limit says little about its time.
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "interning fills every column")]
    pub fn block(&self) -> Block<'_> {
        Block::new(
            &self.numbered.accesses,
            &self.costs,
            &self.numbered.senders,
            &self.numbered.tail,
        )
        .expect("interning fills every column, and a block in memory has fewer than 2^32 txs")
    }
}

/// The entries of one chunk by shard: the first bytes of their hashes, and their positions.
struct Part {
    entries: [Vec<(u64, u32)>; N_SHARDS],
    /// The entries of the chunks before.
    first: usize,
}

fn partition(lists: &Lists) -> Vec<Part> {
    let mut first = 0;
    let mut firsts = Vec::with_capacity(lists.chunks.len());
    for chunk in &lists.chunks {
        firsts.push(first);
        first += chunk.entries().len();
    }
    let chunks = lists.chunks.par_iter().zip(firsts);
    chunks
        .map(|(chunk, first)| {
            let room = chunk.entries().len() / N_SHARDS;
            let mut entries = std::array::from_fn(|_| Vec::with_capacity(room + room / 2));
            for (at, entry) in (0..).zip(chunk.entries()) {
                entries[shard_of(&entry.hash)].push((entry.hash.first_bytes(), at));
            }
            Part { entries, first }
        })
        .collect()
}

fn shard_of(hash: &KeyHash) -> usize {
    usize::from(hash.0[31]) % N_SHARDS
}

/// The keys of one shard in order of first occurrence.
#[derive(Default)]
struct Shard {
    keys: Vec<KeyHash>,
    names: Vec<Place>,
}

impl Shard {
    /// Numbers the keys of a shard and writes the number of each entry.
    fn number(shard: usize, parts: &[Part], lists: &Lists, numbers: &[AtomicU32]) -> Self {
        let n_entries = parts.iter().map(|part| part.entries[shard].len()).sum();
        let mut this = Self::default();
        let mut table: HashTable<u32> = HashTable::with_capacity(n_entries);
        // A contract that every transaction calls is in every list.
        let mut last = None;
        for (chunk_at, (part, chunk)) in (0..).zip(parts.iter().zip(&lists.chunks)) {
            let numbers = &numbers[part.first..];
            for &(first_bytes, entry) in &part.entries[shard] {
                let place = Place { chunk: chunk_at, entry };
                let number = match last {
                    Some((bytes, number))
                        if bytes == first_bytes && {
                            this.keys[number as usize] == chunk.entries()[entry as usize].hash
                        } =>
                    {
                        number
                    }
                    _ => this.number_of(&mut table, first_bytes, chunk, place),
                };
                last = Some((first_bytes, number));
                // Every entry belongs to one shard, so nothing else writes it; the join of the
                // threads orders it before it is read.
                numbers[entry as usize].store(number, Ordering::Relaxed);
            }
        }
        this
    }

    fn number_of(
        &mut self,
        table: &mut HashTable<u32>,
        first_bytes: u64,
        chunk: &Chunk,
        place: Place,
    ) -> u32 {
        let hash = chunk.entries()[place.entry as usize].hash;
        let keys = &self.keys;
        if let Some(&number) = table.find(first_bytes, |&at| keys[at as usize] == hash) {
            return number;
        }
        let number = to_u32(keys.len());
        table.insert_unique(first_bytes, number, |&at| keys[at as usize].first_bytes());
        self.keys.push(hash);
        self.names.push(place);
        number
    }
}

/// The rows of all transactions; those of the tail are empty.
fn accesses(
    lists: &Lists,
    tail: &[bool],
    parts: &[Part],
    numbers: &[AtomicU32],
    bases: &[u32; N_SHARDS],
    n_slots: usize,
) -> Accesses {
    let chunks = lists.chunks.par_iter().zip(parts).zip(tail.par_chunks(CHUNK_TXS));
    let rows: Vec<(Vec<u32>, Vec<Access>)> = chunks
        .map(|((chunk, part), tail)| {
            let mut numbers = numbers[part.first..].iter();
            let mut entries = chunk.entries().iter();
            let mut ends = Vec::with_capacity(tail.len());
            let mut accesses = Vec::with_capacity(chunk.entries().len());
            for ((n_entries, _), &tail) in chunk.rows().zip(tail) {
                let row = entries.by_ref().take(n_entries).zip(numbers.by_ref());
                let row = row.map(|(entry, number)| Access {
                    slot: bases[shard_of(&entry.hash)] + number.load(Ordering::Relaxed),
                    kind: entry.kind,
                });
                if tail {
                    row.for_each(drop)
                } else {
                    accesses.extend(row)
                }
                ends.push(to_u32(accesses.len()));
            }
            (ends, accesses)
        })
        .collect();
    let mut offsets = Vec::with_capacity(tail.len() + 1);
    let mut entries = Vec::with_capacity(numbers.len());
    offsets.push(0);
    for (ends, accesses) in rows {
        let first = to_u32(entries.len());
        offsets.extend(ends.iter().map(|end| first + end));
        entries.extend_from_slice(&accesses);
    }
    Accesses::of_lists(offsets, entries, n_slots)
}

/// Which transactions are in the tail.
fn tail(lists: &Lists, senders: &[u32], n_senders: usize) -> Vec<bool> {
    let mut sender_in_tail = vec![false; n_senders];
    let listed = lists.chunks.iter().flat_map(|chunk| chunk.rows().map(|(_, listed)| listed));
    listed
        .zip(senders)
        .map(|(listed, &sender)| {
            let flag = &mut sender_in_tail[sender as usize];
            *flag |= !listed;
            *flag
        })
        .collect()
}

/// Numbers the senders in order of first occurrence, and counts them.
fn intern_senders(txs: &[Tx<'_>]) -> (Vec<u32>, usize) {
    let hasher = DefaultHashBuilder::default();
    let mut first: Vec<u32> = Vec::with_capacity(txs.len());
    let mut table: HashTable<u32> = HashTable::with_capacity(txs.len());
    let sender = |at: u32| &txs[at as usize].transaction.sender;
    let hash = |at: u32| std::hash::BuildHasher::hash_one(&hasher, sender(at).0);
    let numbers = (0..to_u32(txs.len()))
        .map(|at| {
            let its = hash(at);
            let same = |&number: &u32| sender(first[number as usize]) == sender(at);
            if let Some(&number) = table.find(its, same) {
                return number;
            }
            let number = to_u32(first.len());
            first.push(at);
            table.insert_unique(its, number, |&number| hash(first[number as usize]));
            number
        })
        .collect();
    (numbers, first.len())
}

fn to_u32(n: usize) -> u32 {
    u32::try_from(n).expect("a block has fewer than 4 Gi accesses")
}
