//! Which transactions of a block have their turn.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashSet;
use kempe_abi::Address;
use rayon::prelude::*;

use super::{ChainError, read_balance};
use crate::access::system_hashes;
use crate::executor::{ChangedCells, Names, gallop};
use crate::prefetch::prefetch;
use crate::state::{Changes, StateRead, StateTable, changed_row};
use crate::tasks::tasks;
use crate::types::{
    Action, Genesis, KeyHash, Prices, SignedTransaction, StateKey, Transaction, TransactionError,
    system_field,
};

/// Transactions that one task hashes, or decides about.
const TXS_PER_TASK: usize = 256;

/// The nonces of senders, and the fees that they may come to owe.
///
/// A nonce is used whatever becomes of the transaction, so the nonces of a block are known before it is
/// executed: they are kept here for the blocks that are on their way, and the next block is put together
/// meanwhile. Where gas has a price, balances have to be those before the block. Nobody but its owner takes from
/// a balance, so who can pay here can when its turn comes: the balance before the block covers the fee with all
/// that the sender's earlier transactions in it may take, and what it receives in the block only adds to that.
#[derive(Debug)]
pub(super) struct Nonces {
    state: Arc<StateTable>,
    prices: Prices,
    block_fuel_max: u64,
    /// The next nonces after blocks that may not be applied yet, by ascending height.
    ahead: VecDeque<(u64, Arc<Vec<NextNonce>>)>,
}

/// The next nonce of a sender after a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct NextNonce {
    pub(super) sender: Address,
    pub(super) key: KeyHash,
    pub(super) next: u64,
}

/// What was decided of the transactions of a block.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    /// By position: whether it may be part of the block.
    pub(super) results: Vec<Result<(), TransactionError>>,
    /// The senders' next nonces, by ascending key hash.
    pub(super) nonces: Arc<Vec<NextNonce>>,
}

/// Transactions by the key of their sender's nonce, ascending, and by position.
///
/// The state has its rows in this order, so what is read for one sender lies beside what is read for the next;
/// and whether a sender's transaction has its turn depends on no other sender, so each task takes some senders.
struct BySender {
    /// The key of the sender's nonce, by position.
    keys: Vec<KeyHash>,
    /// The first bytes of that key, which nearly always decide, and the position.
    order: Vec<(u64, u32)>,
}

impl BySender {
    /// Of the transactions at positions that `is_wanted`. Works on the threads of the current rayon pool.
    fn new(txs: &[SignedTransaction], is_wanted: impl Fn(usize) -> bool + Sync) -> Self {
        let mut keys = vec![KeyHash([0; 32]); txs.len()];
        let tasks = keys.par_chunks_mut(TXS_PER_TASK).zip(txs.par_chunks(TXS_PER_TASK));
        tasks.for_each(|(keys, txs)| {
            let senders = txs.iter().map(|signed| &signed.transaction.sender.0);
            system_hashes(system_field::NONCE, senders, keys);
        });
        let positions = (0u32..).zip(&keys).filter(|(at, _)| is_wanted(*at as usize));
        let order = positions.map(|(at, key)| (key.first_bytes(), at)).collect();
        let mut this = Self { keys, order };
        let keys = &this.keys;
        this.order.par_sort_unstable_by(|a, b| {
            let whole = || keys[a.1 as usize].cmp(&keys[b.1 as usize]);
            a.0.cmp(&b.0).then_with(whole).then(a.1.cmp(&b.1))
        });
        this
    }

    fn key(&self, at: u32) -> &KeyHash {
        &self.keys[at as usize]
    }

    fn is_one_sender(&self, a: (u64, u32), b: (u64, u32)) -> bool {
        a.0 == b.0 && self.key(a.1) == self.key(b.1)
    }

    /// The order in parts that share no sender.
    fn tasks(&self) -> Vec<&[(u64, u32)]> {
        tasks(&self.order, TXS_PER_TASK, |a, b| self.is_one_sender(*a, *b))
    }

    /// The transactions of each sender.
    fn senders<'a>(&'a self, task: &'a [(u64, u32)]) -> impl Iterator<Item = &'a [(u64, u32)]> {
        task.chunk_by(|a, b| self.is_one_sender(*a, *b))
    }
}

/// What a task decided.
#[derive(Default)]
struct Decided {
    /// By ascending key hash.
    nonces: Vec<NextNonce>,
    refused: Vec<(u32, TransactionError)>,
}

/// A sender while a block is put together.
struct Sender {
    next: u64,
    /// The most that its transactions so far take from its balance: their highest fees, and what they transfer.
    taken: u128,
    /// Whether one of its transactions was accepted.
    is_used: bool,
}

impl Nonces {
    pub(super) fn new(state: &Arc<StateTable>, genesis: &Genesis) -> Self {
        Self {
            state: Arc::clone(state),
            prices: genesis.prices,
            block_fuel_max: genesis.limits.block_fuel(),
            ahead: VecDeque::new(),
        }
    }

    /// Whether balances are looked at, which have to be those before the block then.
    pub(super) fn needs_balances(&self) -> bool {
        self.prices.gas > 0
    }

    /// Accepts the transactions of the block at `height` that have room in it, are their senders' next and that their
    /// senders can pay for, among those that were not refused before. Blocks up to `n_applied` are in the
    /// state.
    ///
    /// Works on the threads of the current rayon pool.
    pub(super) fn accept(
        &mut self,
        height: u64,
        n_applied: u64,
        txs: &[SignedTransaction],
        mut results: Vec<Result<(), TransactionError>>,
    ) -> Result<Accepted, ChainError> {
        while self.ahead.pop_front_if(|(height, _)| *height <= n_applied).is_some() {}
        let mut nonces = self.decide_all(txs, &mut results)?;
        // Of a sender of whom something does not fit, what follows has no turn either.
        if refuse_what_is_too_much(txs, self.block_fuel_max, &mut results) {
            nonces = self.decide_all(txs, &mut results)?;
        }
        let nonces = Arc::new(nonces);
        self.ahead.push_back((height, Arc::clone(&nonces)));
        Ok(Accepted { results, nonces })
    }

    /// Decides about all that was not refused before, and gives the senders' next nonces, by ascending key hash.
    fn decide_all(
        &self,
        txs: &[SignedTransaction],
        results: &mut [Result<(), TransactionError>],
    ) -> Result<Vec<NextNonce>, ChainError> {
        let by_sender = BySender::new(txs, |at| results[at].is_ok());
        let decide = |task: &[(u64, u32)]| self.decide(txs, &by_sender, task);
        let parts = by_sender.tasks().into_par_iter().map(decide);
        let parts: Vec<Decided> = parts.collect::<Result<_, ChainError>>()?;
        let mut nonces = Vec::with_capacity(by_sender.order.len());
        for part in parts {
            nonces.extend(part.nonces);
            for (at, error) in part.refused {
                results[at as usize] = Err(error);
            }
        }
        Ok(nonces)
    }

    /// Decides about the transactions of a task.
    fn decide(
        &self,
        txs: &[SignedTransaction],
        by_sender: &BySender,
        task: &[(u64, u32)],
    ) -> Result<Decided, ChainError> {
        let Some((_, first)) = task.first() else { return Ok(Decided::default()) };
        let mut ahead = Ahead::new(&self.ahead, by_sender.key(*first));
        let keys: Vec<KeyHash> =
            by_sender.senders(task).map(|sender| *by_sender.key(sender[0].1)).collect();
        self.state.prepare(&keys);
        let mut decided = Decided { nonces: Vec::with_capacity(keys.len()), refused: Vec::new() };
        let mut rest = task;
        for (own, key) in by_sender.senders(task).zip(keys) {
            let next = match ahead.next_nonce(&key) {
                Some(next) => next,
                None => {
                    let value = self.state.get(&key)?;
                    value.map_or(0, |value| u64::from_le_bytes(super::le_bytes(&value)))
                }
            };
            let mut sender = Sender { next, taken: 0, is_used: false };
            for &(_, at) in own {
                fetch_ahead(txs, rest);
                rest = &rest[1..];
                let tx = &txs[at as usize].transaction;
                if let Err(error) = accept_one(tx, &mut sender, &self.prices, &self.state)? {
                    decided.refused.push((at, error));
                }
            }
            // A sender all of whose transactions were refused has its old nonce, which is no change.
            if sender.is_used {
                let address = txs[own[0].1 as usize].transaction.sender;
                decided.nonces.push(NextNonce { sender: address, key, next: sender.next });
            }
        }
        Ok(decided)
    }
}

/// Refuses, of what is not refused yet, what asks for more fuel than the transactions before it leave of so much, in their order, and tells
/// whether there is any. What its sender sends behind it takes nothing.
fn refuse_what_is_too_much(
    txs: &[SignedTransaction],
    max: u64,
    results: &mut [Result<(), TransactionError>],
) -> bool {
    let limit = |signed: &SignedTransaction| u128::from(signed.transaction.fuel_limit);
    let all: u128 = txs.par_iter().with_min_len(TXS_PER_TASK).map(limit).sum();
    if all <= u128::from(max) {
        return false;
    }
    let (mut left, mut stopped) = (max, HashSet::new());
    for (signed, result) in txs.iter().zip(results).filter(|(_, result)| result.is_ok()) {
        let Transaction { sender, fuel_limit: found, .. } = signed.transaction;
        if stopped.contains(&sender) {
            continue;
        }
        if let Some(rest) = left.checked_sub(found) {
            left = rest;
        } else {
            *result = Err(TransactionError::BlockFull { found, left, max });
            stopped.insert(sender);
        }
    }
    !stopped.is_empty()
}

/// Asks for transactions that are decided about soon, which lie anywhere in the block, and then for what they do: its size is looked at.
fn fetch_ahead(txs: &[SignedTransaction], rest: &[(u64, u32)]) {
    let soon = |ahead: usize| rest.get(ahead).map(|(_, at)| &txs[*at as usize].transaction);
    if let Some(tx) = soon(12) {
        prefetch(&tx.nonce);
        prefetch(&tx.access);
        prefetch(&tx.sender);
    }
    if let Some(action) = soon(6).and_then(|tx| tx.actions.first()) {
        prefetch(action);
    }
}

/// The next nonces after blocks on their way, for who asks by ascending key.
struct Ahead<'a> {
    /// The latest block first; of each what has not been passed yet.
    blocks: Vec<&'a [NextNonce]>,
}

impl<'a> Ahead<'a> {
    /// From a key on.
    fn new(blocks: &'a VecDeque<(u64, Arc<Vec<NextNonce>>)>, first: &KeyHash) -> Self {
        let from =
            |nonces: &'a [NextNonce]| &nonces[nonces.partition_point(|nonce| nonce.key < *first)..];
        Self { blocks: blocks.iter().rev().map(|(_, nonces)| from(nonces)).collect() }
    }

    /// What the latest of the blocks says.
    fn next_nonce(&mut self, key: &KeyHash) -> Option<u64> {
        self.blocks.iter_mut().find_map(|nonces| {
            while let [passed, rest @ ..] = *nonces
                && passed.key < *key
            {
                *nonces = rest;
            }
            nonces.first().filter(|nonce| nonce.key == *key).map(|nonce| nonce.next)
        })
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
    let (fee_max, taken) = (prices.fee(tx.fuel_limit), known.taken);
    let with_fee = taken.saturating_add(fee_max);
    if fee_max > 0 {
        let balance = read_balance(state, &sender)?;
        if balance < with_fee {
            return Ok(Err(TransactionError::Unpayable { sender, balance, taken, fee_max }));
        }
    }
    if prices.gas > 0 {
        known.taken = with_fee.saturating_add(transferred(tx));
    }
    (known.next, known.is_used) = (known.next + 1, true);
    Ok(Ok(()))
}

/// What a transaction moves away from its sender's balance if it succeeds.
fn transferred(tx: &Transaction) -> u128 {
    let amounts = tx.actions.iter().map(|action| match action {
        Action::Transfer { to, amount } if *to != tx.sender => *amount,
        _ => 0,
    });
    amounts.fold(0, u128::saturating_add)
}

impl Names for Vec<NextNonce> {
    fn name(&self, cell: &KeyHash, from: &mut usize) -> Option<StateKey> {
        *from = gallop(self.len(), *from, |at| self[at].key < *cell);
        let nonce = self.get(*from).filter(|nonce| nonce.key == *cell)?;
        Some(StateKey::system(system_field::NONCE, &nonce.sender.0))
    }
}

/// The cells of nonces, which are by ascending key hash.
pub(super) fn nonce_cells(nonces: Arc<Vec<NextNonce>>) -> ChangedCells {
    let row = |nonce: &NextNonce| changed_row(&nonce.key, Some(&nonce.next.to_le_bytes()));
    let rows = nonces.par_iter().with_min_len(TXS_PER_TASK).map(row).collect();
    let rows = Changes::of_rows(rows, |_| unreachable!("a nonce has eight bytes"));
    ChangedCells::new(rows, nonces)
}

/// The next nonces after a block whose transactions were accepted, by ascending key hash. Works on the threads of
/// the current rayon pool.
pub(super) fn next_nonces(txs: &[SignedTransaction]) -> Vec<NextNonce> {
    let by_sender = BySender::new(txs, |_| true);
    let senders = by_sender.senders(&by_sender.order);
    let next = |own: &[(u64, u32)]| {
        let (_, last) = own[own.len() - 1];
        let Transaction { sender, nonce, .. } = txs[last as usize].transaction;
        NextNonce { sender, key: *by_sender.key(last), next: nonce + 1 }
    };
    senders.map(next).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::state::StateChange;
    use crate::types::Bytes;

    fn sender(number: u8) -> Address {
        Address([number; 32])
    }

    fn signed(number: u8, nonce: u64, fuel_limit: u64) -> SignedTransaction {
        let transaction = Transaction {
            chain_id: 1,
            sender: sender(number),
            nonce,
            fuel_limit,
            actions: Vec::new(),
            access: Vec::new(),
        };
        SignedTransaction { transaction, signature: [0; 64] }
    }

    /// A generator of numbers below a bound, the same each time.
    fn numbers() -> impl FnMut(u64) -> u64 {
        let mut state = 9u64;
        move |bound| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % bound
        }
    }

    /// The most fuel of a block, and of a transaction: of a third of the blocks all is too much.
    const BLOCK_FUEL: u64 = 900 * 300_000;
    const FUEL: [u64; 3] = [200_000, 300_000, 500_000];

    /// One after the other, as the rule reads.
    fn model(
        next: &mut BTreeMap<u8, u64>,
        txs: &[(u8, u64, u64)],
        refused: &[bool],
    ) -> (Vec<bool>, BTreeMap<u8, u64>) {
        let mut used = BTreeMap::new();
        let (mut asked, mut stopped) = (0, BTreeSet::new());
        let accept = |(&(sender, nonce, fuel), &is_refused): (&(u8, u64, u64), &bool)| {
            let next = next.entry(sender).or_default();
            let has_turn = !is_refused && *next == nonce && !stopped.contains(&sender);
            let accepted = has_turn && asked + fuel <= BLOCK_FUEL;
            if accepted {
                asked += fuel;
                *next += 1;
                used.insert(sender, *next);
            } else if has_turn {
                stopped.insert(sender);
            }
            accepted
        };
        (txs.iter().zip(refused).map(accept).collect(), used)
    }

    #[test]
    fn each_sender_has_its_turns_whatever_is_on_its_way() {
        let mut number = numbers();
        let state = Arc::new(StateTable::new());
        let mut genesis = Genesis::parse("chain_id = 1").unwrap();
        genesis.limits.tx_fuel_max = FUEL[2];
        genesis.limits.block_fuel_max = BLOCK_FUEL;
        let mut nonces = Nonces::new(&state, &genesis);
        let mut n_full = 0;
        let mut next: BTreeMap<u8, u64> = BTreeMap::new();
        // What the state will hold, behind by some blocks.
        let mut waiting: VecDeque<(u64, BTreeMap<u8, u64>)> = VecDeque::new();
        let mut n_applied = 0;
        for height in 1..=60 {
            // Few senders with many transactions, and many with few: more than one task, and one sender over its end.
            let n_senders = [3, 40, 200][usize::try_from(height % 3).unwrap()];
            let mut own: BTreeMap<u8, u64> = next.clone();
            let fuel_max = FUEL[usize::try_from(number(3)).unwrap()];
            let txs: Vec<(u8, u64, u64)> = (0..900)
                .map(|_| {
                    let sender = u8::try_from(number(n_senders)).unwrap();
                    let nonce = own.entry(sender).or_default();
                    let found = *nonce + u64::from(number(12) == 0);
                    *nonce += u64::from(found == *nonce);
                    (sender, found, fuel_max - number(100_000))
                })
                .collect();
            let refused: Vec<bool> = txs.iter().map(|_| number(40) == 0).collect();
            let (expected, used) = model(&mut next, &txs, &refused);
            let signed: Vec<_> =
                txs.iter().map(|&(from, nonce, fuel)| signed(from, nonce, fuel)).collect();
            let results = refused
                .iter()
                .map(|&is| if is { Err(TransactionError::NoActions) } else { Ok(()) });
            let accepted = nonces.accept(height, n_applied, &signed, results.collect()).unwrap();
            let found: Vec<bool> = accepted.results.iter().map(Result::is_ok).collect();
            assert_eq!(found, expected, "height={height}");
            let is_full = |result: &&Result<(), TransactionError>| {
                matches!(result, Err(TransactionError::BlockFull { .. }))
            };
            n_full += accepted.results.iter().filter(is_full).count();
            assert!(accepted.nonces.is_sorted_by_key(|nonce| nonce.key));
            let after: BTreeMap<u8, u64> =
                accepted.nonces.iter().map(|nonce| (nonce.sender.0[0], nonce.next)).collect();
            assert_eq!((after.len(), &after), (accepted.nonces.len(), &used), "height={height}");
            let kept = signed.iter().zip(&expected).filter(|(_, is)| **is);
            let kept: Vec<_> = kept.map(|(signed, _)| signed.clone()).collect();
            let again: BTreeMap<u8, u64> =
                next_nonces(&kept).iter().map(|nonce| (nonce.sender.0[0], nonce.next)).collect();
            assert_eq!(again, used, "height={height}");
            waiting.push_back((height, used));
            while waiting.len() as u64 > number(4) {
                let (height, used) = waiting.pop_front().unwrap();
                let change = |(from, next): (u8, u64)| {
                    let key = StateKey::system(system_field::NONCE, &sender(from).0);
                    let hash = key.hash();
                    StateChange::new(key, hash, Some(Bytes::from_slice(&next.to_le_bytes())))
                };
                state.apply(&used.into_iter().map(change).collect::<Vec<_>>());
                n_applied = height;
            }
        }
        assert!(n_full > 20, "{n_full}");
    }
}
