//! Transactions as they come.

/// Encoded transactions, one after the other in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedTxs {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl EncodedTxs {
    /// None, with room for as many of so many bytes together.
    #[must_use]
    pub fn with_capacity(n_txs: usize, n_bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(n_bytes), ends: Vec::with_capacity(n_txs) }
    }

    /// Adds one. Whether it is a transaction shows later.
    pub fn push(&mut self, tx: &[u8]) {
        self.bytes.extend_from_slice(tx);
        self.ends.push(self.bytes.len());
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of all of them.
    #[must_use]
    pub fn n_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The transaction at a position.
    pub(in crate::chain) fn get(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[at]]
    }

    /// The encodings without their borders.
    pub(in crate::chain) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for EncodedTxs {
    fn from_iter<I: IntoIterator<Item = T>>(txs: I) -> Self {
        let mut all = Self::default();
        txs.into_iter().for_each(|tx| all.push(tx.as_ref()));
        all
    }
}
