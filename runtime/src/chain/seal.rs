//! From what a block did to what is kept of it: changed rows, receipts, roots, the log's record.

use std::sync::Arc;

use kempe_abi::Hash;
use rayon::prelude::*;

use crate::types::messages::Messages;
use crate::types::{Block, Header, Prices, RECEIPT_KEY, Receipt, SignedTransaction, merkle_root};

/// Receipts that one task encodes and hashes.
const RECEIPTS_PER_TASK: usize = 256;

/// Receipts as they are kept: the borsh encoding of their list.
#[derive(Debug)]
pub(super) struct EncodedReceipts {
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) root: Hash,
    /// What the transactions burned together, [without what their own signatures cost](Prices::without_signature).
    pub(super) fuel: u64,
}

/// Encodes receipts and computes their root, on the threads of the current rayon pool.
pub(super) fn encode_receipts(receipts: &[Receipt], prices: &Prices) -> EncodedReceipts {
    let encode = |receipts: &[Receipt]| {
        let mut bytes = Vec::with_capacity(receipts.len() * 192);
        let mut messages = Messages::with_capacity(RECEIPT_KEY, receipts.len() * 256);
        for receipt in receipts {
            let start = bytes.len();
            borsh::to_writer(&mut bytes, receipt).expect("encoding to memory cannot fail");
            messages.push(&bytes[start..]);
        }
        (bytes, messages.hashes().collect::<Vec<Hash>>())
    };
    let parts: Vec<_> = receipts.par_chunks(RECEIPTS_PER_TASK).map(encode).collect();
    let n_bytes: usize = parts.iter().map(|(bytes, _)| bytes.len()).sum();
    let mut all = Vec::with_capacity(4 + n_bytes);
    let n_receipts = u32::try_from(receipts.len()).expect("a block has fewer than 4 Gi receipts");
    all.extend_from_slice(&n_receipts.to_le_bytes());
    let mut hashes = Vec::with_capacity(receipts.len());
    for (bytes, part) in parts {
        all.extend_from_slice(&bytes);
        hashes.extend(part);
    }
    let fuel = receipts.iter().map(|receipt| prices.without_signature(receipt.fuel));
    let fuel = fuel.fold(0, u64::saturating_add);
    EncodedReceipts { bytes: Arc::new(all), root: merkle_root(&hashes), fuel }
}

/// The log's record of a block, in parts: the encoding of the [`Block`].
#[derive(Debug)]
pub(super) struct BlockRecordParts {
    head: Vec<u8>,
    transactions: Arc<Vec<u8>>,
    schedule: Vec<u8>,
}

impl BlockRecordParts {
    /// Of a header, the encodings of the transactions one after the other, and the encoded schedule.
    pub(super) fn new(
        header: &Header,
        n_txs: usize,
        transactions: Arc<Vec<u8>>,
        schedule: Vec<u8>,
    ) -> Self {
        let mut head = borsh::to_vec(header).expect("encoding to memory cannot fail");
        let n_txs = u32::try_from(n_txs).expect("a block has fewer than 4 Gi transactions");
        head.extend_from_slice(&n_txs.to_le_bytes());
        Self { head, transactions, schedule }
    }

    /// Of a whole block.
    pub(super) fn of(block: &Block) -> Self {
        let Block { header, transactions, schedule } = block;
        let schedule = borsh::to_vec(schedule).expect("encoding to memory cannot fail");
        Self::new(header, transactions.len(), Arc::new(encode_all(transactions)), schedule)
    }

    pub(super) fn parts(&self) -> [&[u8]; 3] {
        [&self.head, &self.transactions, &self.schedule]
    }
}

/// The encodings of transactions one after the other.
pub(super) fn encode_all(transactions: &[SignedTransaction]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for signed in transactions {
        borsh::to_writer(&mut bytes, signed).expect("encoding to memory cannot fail");
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::blank;

    #[test]
    fn signatures_are_no_part_of_what_is_done_again() {
        let receipt = |fuel| Receipt { fuel, ..blank() };
        let prices = Prices { transaction: 3_000, ..Prices::default() };
        // Who could not pay burned nothing.
        let receipts = [receipt(5_500), receipt(3_001), receipt(0)];
        assert_eq!(encode_receipts(&receipts, &prices).fuel, 3_500 + 1_001 + 1_000);
    }
}
