//! Which transactions of a block have their turn.

use std::sync::Arc;

use hashbrown::HashMap;
use kempe_abi::Address;
use rayon::prelude::*;

use super::{ChainError, read_balance};
use crate::access::system_hash;
use crate::executor::Change;
use crate::state::{StateRead, StateTable, StoreError};
use crate::types::{
    Bytes, KeyHash, Prices, SignedTransaction, StateKey, Transaction, TransactionError,
    system_field,
};

/// Transactions whose nonces one task reads.
const TXS_PER_TASK: usize = 256;

/// The nonces of senders, and the fees that they may come to owe.
///
/// A nonce is used whatever becomes of the transaction, so the nonces of a block are known before it is
/// executed: they are kept here for the blocks that are on their way, and the next block is put together
/// meanwhile. Where gas has a price, balances have to be those before the block.
#[derive(Debug)]
pub(super) struct Nonces {
    state: Arc<StateTable>,
    prices: Prices,
    /// The next nonce after a block that may not be applied yet, and that block's height.
    ahead: HashMap<Address, (u64, u64)>,
}

/// The next nonce of a sender after a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct NextNonce {
    pub(super) sender: Address,
    pub(super) key: KeyHash,
    pub(super) next: u64,
}

/// A sender while a block is put together.
struct Sender {
    address: Address,
    key: KeyHash,
    next: u64,
    owed: u128,
    /// Whether one of its transactions was accepted.
    is_used: bool,
}

/// What was decided of the transactions of a block.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    /// By position: whether it may be part of the block.
    pub(super) results: Vec<Result<(), TransactionError>>,
    /// The senders' next nonces, by ascending key hash.
    pub(super) nonces: Vec<NextNonce>,
}

impl Nonces {
    pub(super) fn new(state: &Arc<StateTable>, prices: Prices) -> Self {
        Self { state: Arc::clone(state), prices, ahead: HashMap::new() }
    }

    /// Whether balances are looked at, which have to be those before the block then.
    pub(super) fn needs_balances(&self) -> bool {
        self.prices.gas > 0
    }

    /// Accepts the transactions of the block at `height` that are their senders' next and that their
    /// senders can pay for, among those that were not refused before. Blocks up to `n_applied` are in the
    /// state.
    ///
    /// Reads on the threads of the current rayon pool.
    pub(super) fn accept(
        &mut self,
        height: u64,
        n_applied: u64,
        txs: &[SignedTransaction],
        mut results: Vec<Result<(), TransactionError>>,
    ) -> Result<Accepted, ChainError> {
        let read = self.read(txs)?;
        let mut numbers: HashMap<Address, usize> = HashMap::with_capacity(txs.len());
        let mut senders: Vec<Sender> = Vec::with_capacity(txs.len());
        for ((signed, result), (key, stored)) in txs.iter().zip(&mut results).zip(read) {
            if result.is_err() {
                continue;
            }
            let tx = &signed.transaction;
            let number = *numbers.entry(tx.sender).or_insert_with(|| {
                let next = self.ahead.get(&tx.sender).map_or(stored, |(next, _)| *next);
                senders.push(Sender { address: tx.sender, key, next, owed: 0, is_used: false });
                senders.len() - 1
            });
            *result = accept_one(tx, &mut senders[number], &self.prices, &self.state)?;
        }
        // A sender all of whose transactions were refused has its old nonce, which is no change.
        let used = senders.iter().filter(|sender| sender.is_used);
        let next = |sender: &Sender| {
            let Sender { address, key, next, .. } = *sender;
            NextNonce { sender: address, key, next }
        };
        let mut nonces: Vec<NextNonce> = used.map(next).collect();
        nonces.sort_unstable_by_key(|nonce| nonce.key);
        self.remember(height, n_applied, &nonces);
        Ok(Accepted { results, nonces })
    }

    fn remember(&mut self, height: u64, n_applied: u64, nonces: &[NextNonce]) {
        if self.ahead.len() > 4 * nonces.len() {
            self.ahead.retain(|_, (_, height)| *height > n_applied);
        }
        self.ahead.extend(nonces.iter().map(|nonce| (nonce.sender, (nonce.next, height))));
    }

    /// The key of each sender's nonce and the nonce in the state.
    fn read(&self, txs: &[SignedTransaction]) -> Result<Vec<(KeyHash, u64)>, StoreError> {
        let read = |txs: &[SignedTransaction]| {
            let key = |signed: &SignedTransaction| {
                system_hash(system_field::NONCE, &signed.transaction.sender.0)
            };
            let keys: Vec<KeyHash> = txs.iter().map(key).collect();
            self.state.prepare(&keys);
            let nonce = |key: KeyHash| {
                let value = self.state.get(&key)?;
                Ok((key, value.map_or(0, |value| u64::from_le_bytes(super::le_bytes(&value)))))
            };
            keys.into_iter().map(nonce).collect::<Result<Vec<_>, StoreError>>()
        };
        let parts: Vec<_> =
            txs.par_chunks(TXS_PER_TASK).map(read).collect::<Result<_, StoreError>>()?;
        Ok(parts.concat())
    }
}

fn accept_one(
    tx: &Transaction,
    known: &mut Sender,
    prices: &Prices,
    state: &StateTable,
) -> Result<Result<(), TransactionError>, ChainError> {
    let sender = tx.sender;
    // The last nonce is never used, so that there always is a next one.
    if tx.nonce != known.next || known.next == u64::MAX {
        let (found, expected) = (tx.nonce, known.next);
        return Ok(Err(TransactionError::Nonce { sender, found, expected }));
    }
    let min = tx.base_fuel(prices);
    if tx.fuel_limit < min {
        return Ok(Err(TransactionError::FuelTooLow { found: tx.fuel_limit, min }));
    }
    let fee_max = prices.fee(tx.fuel_limit).saturating_add(known.owed);
    if fee_max > 0 {
        let balance = read_balance(state, &sender)?;
        if balance < fee_max {
            return Ok(Err(TransactionError::Unpayable { sender, balance, fee_max }));
        }
    }
    (known.next, known.owed, known.is_used) = (known.next + 1, fee_max, true);
    Ok(Ok(()))
}

impl NextNonce {
    pub(super) fn value(&self) -> [u8; 8] {
        self.next.to_le_bytes()
    }

    pub(super) fn name(&self) -> StateKey {
        StateKey::system(system_field::NONCE, &self.sender.0)
    }

    pub(super) fn change(&self) -> Change {
        let value = Some(Bytes::from_slice(&self.value()));
        Change { key: self.name(), hash: self.key, value }
    }
}

/// The next nonces after a block whose transactions were accepted, by ascending key hash.
pub(super) fn next_nonces(txs: &[SignedTransaction]) -> Vec<NextNonce> {
    let mut last: HashMap<Address, u64> = HashMap::with_capacity(txs.len());
    let mut order = Vec::new();
    for signed in txs {
        let (sender, nonce) = (signed.transaction.sender, signed.transaction.nonce);
        if last.insert(sender, nonce).is_none() {
            order.push(sender);
        }
    }
    let next = |sender: Address| {
        let key = system_hash(system_field::NONCE, &sender.0);
        NextNonce { sender, key, next: last[&sender] + 1 }
    };
    let mut nonces: Vec<NextNonce> = order.into_iter().map(next).collect();
    nonces.sort_unstable_by_key(|nonce| nonce.key);
    nonces
}
