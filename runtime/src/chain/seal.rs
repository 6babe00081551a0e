//! From what a block did to what is kept of it: changed rows, receipts, roots, the log's record.

use std::sync::Arc;

use kempe_abi::Hash;
use rayon::prelude::*;

use super::nonces::NextNonce;
use crate::executor::Change;
use crate::state::{Changes, StateStore};
use crate::types::messages::Messages;
use crate::types::{
    Block, Header, RECEIPT_KEY, Receipt, SignedTransaction, StateKey, merkle_root, system_field,
};

/// Receipts that one task encodes and hashes.
const RECEIPTS_PER_TASK: usize = 256;
/// Changes that one task turns into rows.
const CHANGES_PER_TASK: usize = 4096;

/// What a block changes, and the names of the cells.
#[derive(Debug)]
pub(super) struct BlockChanges {
    pub(super) rows: Arc<Changes>,
    of_execution: Vec<Change>,
    of_senders: Vec<NextNonce>,
    /// Where each row comes from: a position in `of_senders` with the highest bit, or in
    /// `of_execution`.
    origins: Vec<u32>,
}

const OF_SENDERS: u32 = 1 << 31;

impl BlockChanges {
    /// Merges what execution changed with the senders' nonces, both by ascending key hash. Runs on the
    /// threads of the current rayon pool.
    pub(super) fn new(of_execution: Vec<Change>, of_senders: Vec<NextNonce>) -> Self {
        let (mut origins, mut nonces) = (Vec::new(), (OF_SENDERS..).zip(&of_senders).peekable());
        origins.reserve(of_execution.len() + of_senders.len());
        for (at, change) in (0u32..).zip(&of_execution) {
            while let Some((at, _)) = nonces.next_if(|(_, nonce)| nonce.key < change.hash) {
                origins.push(at);
            }
            origins.push(at);
        }
        origins.extend(nonces.map(|(at, _)| at));
        let rows = |origins: &[u32]| {
            let mut rows = Changes::with_capacity(origins.len());
            for &origin in origins {
                if origin & OF_SENDERS != 0 {
                    let nonce = &of_senders[(origin ^ OF_SENDERS) as usize];
                    rows.push(&nonce.key, Some(&nonce.value()));
                } else {
                    let change = &of_execution[origin as usize];
                    rows.push(&change.hash, change.value.as_deref());
                }
            }
            rows
        };
        let parts: Vec<Changes> = origins.par_chunks(CHANGES_PER_TASK).map(rows).collect();
        let mut all = Changes::with_capacity(origins.len());
        parts.into_iter().for_each(|part| all.append(part));
        Self { rows: Arc::new(all), of_execution, of_senders, origins }
    }

    /// The cell of the row at a position.
    fn name(&self, at: usize) -> StateKey {
        let origin = self.origins[at];
        if origin & OF_SENDERS != 0 {
            self.of_senders[(origin ^ OF_SENDERS) as usize].name()
        } else {
            self.of_execution[origin as usize].key.clone()
        }
    }

    /// Whether a contract or its code changed: what was derived before is not current then.
    pub(super) fn touch_contracts(&self) -> bool {
        let is_contract = |change: &Change| {
            let field = change.key.field;
            change.key.contract == crate::types::SYSTEM
                && (field == system_field::CONTRACT || field == system_field::CODE)
        };
        self.of_execution.iter().any(is_contract)
    }

    /// Puts the changes of the block at `height` into the state. Runs on the threads of the current
    /// rayon pool.
    pub(super) fn apply(&self, state: &StateStore, height: u64) {
        state.apply(height, &self.rows, |at| self.name(at));
    }
}

/// Receipts as they are kept: the borsh encoding of their list.
#[derive(Debug)]
pub(super) struct EncodedReceipts {
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) root: Hash,
    /// What the transactions burned together.
    pub(super) fuel: u64,
}

/// Encodes receipts and computes their root, on the threads of the current rayon pool.
pub(super) fn encode_receipts(receipts: &[Receipt]) -> EncodedReceipts {
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
    let fuel = receipts.iter().fold(0u64, |all, receipt| all.saturating_add(receipt.fuel));
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
