//! The first stage: from bytes to a block that is checked, derived and scheduled.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use kempe_abi::Hash;
use rayon::prelude::*;

use super::{EncodedTxs, Progress, Signatures, Stage, Submitted};
use crate::chain::ChainError;
use crate::chain::blocks::{split, with_hashes};
use crate::chain::nonces::{Accepted, NextNonce, Nonces};
use crate::chain::seal::encode_all;
use crate::engine::BlockEnv;
use crate::executor::{Executor, Plan};
use crate::scheduler::Scheduler;
use crate::state::{StateRead, StateStore, StateTable};
use crate::types::messages::Messages;
use crate::types::{
    Genesis, Header, KeyCache, SIGNATURE_BYTES, SignedTransaction, TX_KEY, TransactionError,
    merkle_root, signatures_together, verify_signatures,
};

/// The stage's own: see the [module](super).
#[derive(Debug)]
pub(super) struct Prepare {
    progress: Arc<Progress>,
    state: Arc<StateTable>,
    executor: Executor,
    scheduler: &'static dyn Scheduler,
    checks: Checks,
    nonces: Nonces,
    height: u64,
    time_ms: u64,
}

/// What is checked of each transaction by itself.
#[derive(Debug)]
pub(in crate::chain) struct Checks {
    pub(in crate::chain) chain_id: u64,
    pub(in crate::chain) fuel_max: u64,
    pub(in crate::chain) signatures: Signatures,
    pub(in crate::chain) keys: Arc<KeyCache>,
}

/// A block on its way to execution, or the news that there is none.
#[derive(Debug)]
pub(super) struct PreparedBlock {
    pub(super) ticket: u64,
    pub(super) rejected: Vec<(usize, TransactionError)>,
    pub(super) block: Option<Planned>,
}

/// A block that is put together and scheduled.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) transactions: Vec<SignedTransaction>,
    pub(super) hashes: Vec<Hash>,
    pub(super) transactions_root: Hash,
    /// The encodings of the transactions, for the log.
    pub(super) encoded: Arc<Vec<u8>>,
    pub(super) nonces: Arc<Vec<NextNonce>>,
    pub(super) plan: Plan,
    /// The block whose changes were in the state, at least, when the plan was made.
    pub(super) planned_at: u64,
    pub(super) env: BlockEnv,
}

/// Derives and schedules transactions.
pub(super) fn make_plan(
    executor: &Executor,
    scheduler: &dyn Scheduler,
    transactions: &[SignedTransaction],
    hashes: &[Hash],
    state: &Arc<dyn StateRead>,
) -> Result<Plan, ChainError> {
    let txs = with_hashes(transactions, hashes);
    let lists = executor.derive(&txs, state)?;
    let interned = executor.intern(lists, &txs)?;
    Ok(Plan::batches(interned, scheduler)?)
}

impl Prepare {
    pub(super) fn new(
        progress: &Arc<Progress>,
        state: &StateStore,
        executor: Executor,
        genesis: &Genesis,
        (scheduler, signatures): (&'static dyn Scheduler, Signatures),
        keys: Arc<KeyCache>,
        head: &Header,
    ) -> Self {
        let (chain_id, fuel_max) = (genesis.chain_id, genesis.limits.tx_fuel_max);
        Self {
            progress: Arc::clone(progress),
            state: Arc::clone(state.table()),
            executor,
            scheduler,
            checks: Checks { chain_id, fuel_max, signatures, keys },
            nonces: Nonces::new(state.table(), genesis),
            height: head.height,
            time_ms: head.time_ms,
        }
    }

    pub(super) fn run(mut self, input: &Receiver<Submitted>, output: &SyncSender<PreparedBlock>) {
        for submitted in input {
            match self.step(submitted) {
                Ok(block) => {
                    // The stage behind stopped, and said why.
                    if output.send(block).is_err() {
                        return;
                    }
                }
                Err(error) => return self.progress.fail(error),
            }
        }
    }

    fn step(&mut self, submitted: Submitted) -> Result<PreparedBlock, ChainError> {
        let Submitted { ticket, txs, time_ms } = submitted;
        let mut parts = self.executor.install(|| self.checks.decode(&txs));
        self.progress.passed(Stage::Check);
        self.executor.install(|| self.checks.check_signatures(&mut parts));
        self.progress.passed(Stage::Signature);
        let checked = Checked::of(parts, txs.len());
        let Checked { transactions, hashes, positions, mut rejected } = checked;
        if self.nonces.needs_balances() {
            self.progress.wait_applied(self.height)?;
        }
        let (height, applied) = (self.height + 1, self.progress.applied());
        let all = vec![Ok(()); transactions.len()];
        let nonces = &mut self.nonces;
        let accepted =
            self.executor.install(|| nonces.accept(height, applied, &transactions, all))?;
        let Accepted { results, nonces } = accepted;
        let (transactions, hashes, refused) = split(transactions, hashes, results);
        rejected.extend(refused.into_iter().map(|(at, error)| (positions[at], error)));
        rejected.sort_unstable_by_key(|(at, _)| *at);
        if transactions.is_empty() && !rejected.is_empty() {
            return Ok(PreparedBlock { ticket, rejected, block: None });
        }
        self.progress.passed(Stage::Accept);
        self.height = height;
        self.time_ms = self.time_ms.max(time_ms);
        let planned_at = self.progress.applied();
        let state: Arc<dyn StateRead> = self.state.clone();
        let (executor, scheduler) = (&self.executor, self.scheduler);
        let plan = make_plan(executor, scheduler, &transactions, &hashes, &state)?;
        let encoded =
            if rejected.is_empty() { txs.into_bytes() } else { encode_all(&transactions) };
        self.progress.passed(Stage::Plan);
        let block = Planned {
            transactions_root: merkle_root(&hashes),
            transactions,
            hashes,
            encoded: Arc::new(encoded),
            nonces,
            plan,
            planned_at,
            env: BlockEnv { height, time_ms: self.time_ms },
        };
        Ok(PreparedBlock { ticket, rejected, block: Some(block) })
    }
}

/// Transactions that are right by themselves, and those that are not.
#[derive(Debug, Default)]
pub(in crate::chain) struct Checked {
    pub(in crate::chain) transactions: Vec<SignedTransaction>,
    pub(in crate::chain) hashes: Vec<Hash>,
    /// Where each was in what was given.
    pub(in crate::chain) positions: Vec<usize>,
    pub(in crate::chain) rejected: Vec<(usize, TransactionError)>,
}

impl Checks {
    /// Decodes and hashes transactions, in parts whose signatures are checked together, on the threads of the current
    /// rayon pool.
    fn decode(&self, txs: &EncodedTxs) -> Vec<Checked> {
        let together = signatures_together(txs.len(), rayon::current_num_threads());
        let firsts: Vec<usize> = (0..txs.len()).step_by(together).collect();
        let part = |first| self.decode_some(txs, first..(first + together).min(txs.len()));
        firsts.into_par_iter().map(part).collect()
    }

    /// Checks the signatures of each part, if they are checked here, on the threads of the current rayon pool.
    fn check_signatures(&self, parts: &mut [Checked]) {
        if self.signatures == Signatures::Check {
            parts.par_iter_mut().for_each(|part| part.check_signatures(&self.keys));
        }
    }

    fn decode_some(&self, txs: &EncodedTxs, range: std::ops::Range<usize>) -> Checked {
        let mut some = Checked::with_capacity(range.len());
        let mut messages = Messages::with_capacity(TX_KEY, range.len() * 256);
        for at in range {
            let bytes = txs.get(at);
            let checked = SignedTransaction::decode(bytes).and_then(|signed| {
                signed.transaction.check_form(self.chain_id, self.fuel_max)?;
                Ok(signed)
            });
            match checked {
                Ok(signed) => {
                    // Encodings are canonical, so these are the bytes that are hashed.
                    messages.push(&bytes[..bytes.len() - SIGNATURE_BYTES]);
                    some.transactions.push(signed);
                    some.positions.push(at);
                }
                Err(error) => some.rejected.push((at, error)),
            }
        }
        some.hashes.extend(messages.hashes());
        some
    }
}

impl Checked {
    fn with_capacity(n_txs: usize) -> Self {
        let (transactions, hashes) = (Vec::with_capacity(n_txs), Vec::with_capacity(n_txs));
        let (positions, rejected) = (Vec::with_capacity(n_txs), Vec::new());
        Self { transactions, hashes, positions, rejected }
    }

    fn of(parts: Vec<Self>, n_txs: usize) -> Self {
        let mut all = Self::with_capacity(n_txs);
        for part in parts {
            all.transactions.extend(part.transactions);
            all.hashes.extend(part.hashes);
            all.positions.extend(part.positions);
            all.rejected.extend(part.rejected);
        }
        all
    }

    fn check_signatures(&mut self, keys: &KeyCache) {
        let signed: Vec<&SignedTransaction> = self.transactions.iter().collect();
        let results = verify_signatures(&signed, &self.hashes, keys);
        if results.iter().all(Result::is_ok) {
            return;
        }
        let positions = std::mem::take(&mut self.positions);
        let kept = positions.iter().zip(&results).filter(|(_, result)| result.is_ok());
        self.positions = kept.map(|(at, _)| *at).collect();
        let (transactions, hashes) =
            (std::mem::take(&mut self.transactions), std::mem::take(&mut self.hashes));
        let (transactions, hashes, refused) = split(transactions, hashes, results);
        (self.transactions, self.hashes) = (transactions, hashes);
        self.rejected.extend(refused.into_iter().map(|(at, error)| (positions[at], error)));
    }
}
