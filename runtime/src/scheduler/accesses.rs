//! The input of every scheduler: interned accesses, costs and senders.

use kempe_abi::AccessKind;

/// That a transaction touches a key, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The key's number in the block. Keys are numbered from 0 without gaps: memory grows with the
    /// largest.
    pub slot: u32,
    /// How.
    pub kind: AccessKind,
}

impl Access {
    /// An access.
    #[must_use]
    pub const fn new(slot: u32, kind: AccessKind) -> Self {
        Self { slot, kind }
    }
}

/// The accesses of a block's transactions, one row a transaction, each slot once in a row.
#[derive(Clone, Debug)]
pub struct Accesses {
    /// Where each row starts in `entries`, and the end of the last.
    offsets: Vec<u32>,
    entries: Vec<Access>,
    /// For each slot, the last entry that named it, plus one: finds a slot named twice in a row.
    last_entry: Vec<u32>,
    n_slots: usize,
}

impl Default for Accesses {
    fn default() -> Self {
        Self::with_capacity(0, 0)
    }
}

impl Accesses {
    /// Empty, with room for as many transactions and accesses.
    #[must_use]
    pub fn with_capacity(n_txs: usize, n_accesses: usize) -> Self {
        let mut offsets = Vec::with_capacity(n_txs + 1);
        offsets.push(0);
        Self {
            offsets,
            entries: Vec::with_capacity(n_accesses),
            last_entry: Vec::new(),
            n_slots: 0,
        }
    }

    /// Appends the accesses of the next transaction. A slot named twice becomes one entry that
    /// permits both: the kinds are joined.
    ///
    /// # Panics
    /// With 2^32 accesses or more in a block, which is 32 GiB of them.
    pub fn push_tx(&mut self, accesses: impl IntoIterator<Item = Access>) {
        let row = self.end();
        for access in accesses {
            let slot = access.slot as usize;
            if slot >= self.last_entry.len() {
                self.last_entry.resize(slot + 1, 0);
            }
            let last = self.last_entry[slot];
            if last > row {
                let entry = &mut self.entries[last as usize - 1];
                entry.kind = entry.kind.join(access.kind);
            } else {
                self.entries.push(access);
                self.last_entry[slot] = self.end();
            }
        }
        self.n_slots = self.n_slots.max(self.last_entry.len());
        self.offsets.push(self.end());
    }

    /// The accesses of rows that name each slot once, as lists do. `offsets` says where each row
    /// starts in `entries`, and the end of the last; slots are below `n_slots`.
    pub(crate) fn of_lists(offsets: Vec<u32>, entries: Vec<Access>, n_slots: usize) -> Self {
        Self { offsets, entries, last_entry: Vec::new(), n_slots }
    }

    /// How many transactions.
    #[must_use]
    pub fn n_txs(&self) -> usize {
        self.offsets.len() - 1
    }

    /// How many entries all rows have together.
    #[must_use]
    pub fn n_accesses(&self) -> usize {
        self.entries.len()
    }

    /// One more than the largest slot; 0 without accesses.
    #[must_use]
    pub fn n_slots(&self) -> usize {
        self.n_slots
    }

    /// The accesses of one transaction, in the order in which they were pushed.
    ///
    /// # Panics
    /// If there is no such transaction.
    #[must_use]
    pub fn of(&self, tx: u32) -> &[Access] {
        &self.entries[self.range(tx)]
    }

    /// Where the accesses of a transaction are among all.
    pub(crate) fn range(&self, tx: u32) -> std::ops::Range<usize> {
        let tx = tx as usize;
        self.offsets[tx] as usize..self.offsets[tx + 1] as usize
    }

    /// The rows, in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[Access]> {
        self.offsets.windows(2).map(|ends| &self.entries[ends[0] as usize..ends[1] as usize])
    }

    fn end(&self) -> u32 {
        u32::try_from(self.entries.len()).expect("a block has fewer than 2^32 accesses")
    }
}

/// What a scheduler sees of a block.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    n_txs: u32,
    accesses: &'a Accesses,
    costs: &'a [u64],
    senders: &'a [u32],
    unlisted: &'a [bool],
    blind: &'a [bool],
}

/// Why the parts do not make a [`Block`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// A column has neither no entry nor one for each transaction.
    #[error("column={column} has n_entries={found} for n_txs={n_txs}")]
    Length {
        /// The column: costs, senders or unlisted; or blind, which has one for each access.
        column: &'static str,
        /// How many entries it has.
        found: usize,
        /// How many transactions there are.
        n_txs: usize,
    },
    /// Senders are numbered from 0 without gaps, so no number reaches the count of transactions.
    #[error("tx={tx} has sender={sender} of n_txs={n_txs}")]
    Sender {
        /// The transaction.
        tx: usize,
        /// Its sender's number.
        sender: u32,
        /// How many transactions there are.
        n_txs: usize,
    },
    /// Transactions are numbered in 32 bits, and the last numbers are reserved.
    #[error("n_txs={0} is above n_txs_max={max}", max = u32::MAX - 2)]
    TooManyTxs(usize),
}

impl<'a> Block<'a> {
    /// Joins the columns. A column may be empty, which means: each cost is 1, each sender is another
    /// one, each transaction has a list.
    ///
    /// - `costs`: the expected cost of each transaction, in any unit.
    /// - `senders`: the number of each transaction's sender, counted from 0 in this block.
    /// - `unlisted`: whether the access list is not known before the transaction runs. It then runs in
    ///   the tail, and its row is not looked at.
    ///
    /// # Errors
    /// [`BlockError`], if a column does not fit.
    pub fn new(
        accesses: &'a Accesses,
        costs: &'a [u64],
        senders: &'a [u32],
        unlisted: &'a [bool],
    ) -> Result<Self, BlockError> {
        let n_txs = accesses.n_txs();
        // The two highest numbers mark the tail and a missing color.
        let count = u32::try_from(n_txs).ok().filter(|&count| count < u32::MAX - 1);
        let count = count.ok_or(BlockError::TooManyTxs(n_txs))?;
        let columns =
            [("costs", costs.len()), ("senders", senders.len()), ("unlisted", unlisted.len())];
        for (column, found) in columns {
            if found != 0 && found != n_txs {
                return Err(BlockError::Length { column, found, n_txs });
            }
        }
        if let Some(tx) = senders.iter().position(|&sender| sender as usize >= n_txs) {
            return Err(BlockError::Sender { tx, sender: senders[tx], n_txs });
        }
        Ok(Self { n_txs: count, accesses, costs, senders, unlisted, blind: &[] })
    }

    /// Says for each access, in the order of [`Accesses::rows`], whether it writes without reading.
    /// Such a write needs no version before it; everything else takes it as a write like any other.
    ///
    /// # Errors
    /// [`BlockError::Length`], if there is not one for each access.
    pub fn with_blind(self, blind: &'a [bool]) -> Result<Self, BlockError> {
        let n_accesses = self.accesses.n_accesses();
        if blind.len() != n_accesses {
            let (found, n_txs) = (blind.len(), n_accesses);
            return Err(BlockError::Length { column: "blind", found, n_txs });
        }
        Ok(Self { blind, ..self })
    }

    /// Whether an access of a transaction, by its position in the row, writes without reading.
    #[must_use]
    pub fn is_blind(&self, tx: u32, at: usize) -> bool {
        let first = || self.accesses.offsets[tx as usize] as usize;
        !self.blind.is_empty() && self.blind.get(first() + at).copied().unwrap_or(false)
    }

    /// The same block with a cost for each transaction.
    ///
    /// # Errors
    /// [`BlockError::Length`], if there is not one for each.
    pub fn with_costs(self, costs: &'a [u64]) -> Result<Self, BlockError> {
        let n_txs = self.n_txs();
        if costs.len() != n_txs {
            return Err(BlockError::Length { column: "costs", found: costs.len(), n_txs });
        }
        Ok(Self { costs, ..self })
    }

    /// The accesses.
    #[must_use]
    pub fn accesses(&self) -> &'a Accesses {
        self.accesses
    }

    /// How many transactions.
    #[must_use]
    pub fn n_txs(&self) -> usize {
        self.accesses.n_txs()
    }

    /// The transactions' numbers.
    #[must_use]
    pub fn txs(&self) -> std::ops::Range<u32> {
        0..self.n_txs
    }

    /// Whether costs are known; otherwise each is 1.
    #[must_use]
    pub fn has_costs(&self) -> bool {
        !self.costs.is_empty()
    }

    /// The cost of a transaction.
    #[must_use]
    pub fn cost(&self, tx: u32) -> u64 {
        self.costs.get(tx as usize).copied().unwrap_or(1)
    }

    /// The number of a transaction's sender.
    #[must_use]
    pub fn sender(&self, tx: u32) -> u32 {
        self.senders.get(tx as usize).copied().unwrap_or(tx)
    }

    /// Whether the access list of a transaction is not known.
    #[must_use]
    pub fn is_unlisted(&self, tx: u32) -> bool {
        self.unlisted.get(tx as usize).copied().unwrap_or(false)
    }

    /// For each transaction, whether it must run in the tail.
    ///
    /// Freely ordered, those are the unlisted ones and what their senders sent after them. In the
    /// given order nothing may overtake a transaction that could touch anything, so it is everything
    /// from the first unlisted one on.
    pub(super) fn tail(&self, mode: super::Mode) -> Vec<bool> {
        let n_txs = self.n_txs();
        let mut tail = vec![false; n_txs];
        let Some(first) = self.unlisted.iter().position(|&unlisted| unlisted) else { return tail };
        if mode == super::Mode::Preserve {
            tail[first..].fill(true);
            return tail;
        }
        let mut is_late = vec![false; n_txs];
        for tx in self.txs() {
            let late = &mut is_late[self.sender(tx) as usize];
            *late |= self.is_unlisted(tx);
            tail[tx as usize] = *late;
        }
        tail
    }
}
