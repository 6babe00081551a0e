//! Building blocks from transactions, and applying blocks from elsewhere.

use std::sync::Arc;

use kempe_abi::Hash;
use rayon::prelude::*;

use super::nonces::{Nonces, next_nonces, nonce_cells};
use super::seal::{BlockRecordParts, EncodedReceipts, encode_receipts};
use super::{Chain, ChainError};
use crate::engine::BlockEnv;
use crate::executor::{BlockOutput, ChangedCells, Plan, Tx, oracle};
use crate::scheduler::Mode;
use crate::state::{StateStore, TreeUpdate};
use crate::types::{
    Block, BlockRecord, Header, KeyCache, Receipt, SignedTransaction, TransactionError,
    merkle_root, schedule_hash, signatures_together, verify_signatures,
};

/// A block that was built or applied.
#[derive(Debug)]
pub struct BlockReport {
    /// The block and its receipts, as stored.
    pub record: BlockRecord,
    /// The transactions that did not become part of it, by their position in what was given.
    pub rejected: Vec<(usize, TransactionError)>,
    /// The log lines of each transaction.
    pub logs: Vec<Vec<String>>,
}

/// Transactions that were checked, derived and scheduled, but not executed.
#[derive(Debug)]
pub struct Prepared {
    /// The transactions that passed.
    pub transactions: Vec<SignedTransaction>,
    /// Their hashes.
    pub hashes: Vec<Hash>,
    /// Those that did not, by their position in what was given.
    pub rejected: Vec<(usize, TransactionError)>,
    /// Their access lists and the schedule.
    pub plan: Plan,
    /// The height and time under which they run.
    pub env: BlockEnv,
}

impl Prepared {
    fn txs(&self) -> Vec<Tx<'_>> {
        with_hashes(&self.transactions, &self.hashes)
    }
}

pub(super) fn with_hashes<'a>(
    transactions: &'a [SignedTransaction],
    hashes: &[Hash],
) -> Vec<Tx<'a>> {
    let pairs = transactions.iter().zip(hashes);
    pairs.map(|(signed, &hash)| Tx { transaction: &signed.transaction, hash }).collect()
}

impl Chain {
    /// Makes a block of transactions, executes it and makes it durable.
    ///
    /// Transactions that are not valid are left out and reported, and if none is valid there is no
    /// block but the first one's error; the others keep their order in
    /// the block, and take effect in the order of the published schedule.
    ///
    /// # Errors
    /// [`ChainError`]; nothing was changed then, unless a commit failed: see [`ChainError::Poisoned`].
    pub fn build(
        &mut self,
        transactions: Vec<SignedTransaction>,
        time_ms: u64,
    ) -> Result<BlockReport, ChainError> {
        let prepared = self.prepare(transactions, time_ms)?;
        self.build_prepared(prepared)
    }

    /// Makes a block as [`build`](Self::build) does, without looking at signatures: for what tries out on a
    /// [fork](Self::fork) what others could do. Whoever checks signatures refuses such a block.
    ///
    /// # Errors
    /// Those of [`build`](Self::build).
    pub fn build_trusted(
        &mut self,
        transactions: Vec<SignedTransaction>,
        time_ms: u64,
    ) -> Result<BlockReport, ChainError> {
        self.check_usable()?;
        self.check_count(transactions.len())?;
        let (hashes, checked) = self.hash_all(&transactions);
        let prepared = self.prepare_checked(transactions, hashes, checked, time_ms)?;
        self.build_prepared(prepared)
    }

    fn build_prepared(&mut self, mut prepared: Prepared) -> Result<BlockReport, ChainError> {
        if prepared.transactions.is_empty() && !prepared.rejected.is_empty() {
            let (tx_index, source) = prepared.rejected.swap_remove(0);
            return Err(ChainError::Transaction { tx_index, source: Box::new(source) });
        }
        let output = self.execute_plan(&prepared, &prepared.plan)?;
        self.commit_prepared(prepared, output)
    }

    /// Checks, derives and schedules transactions for the next block.
    ///
    /// A time before the last block's is moved up to it.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn prepare(
        &self,
        transactions: Vec<SignedTransaction>,
        time_ms: u64,
    ) -> Result<Prepared, ChainError> {
        self.check_usable()?;
        self.check_count(transactions.len())?;
        let (hashes, checked) = self.check_signatures(&transactions);
        self.prepare_checked(transactions, hashes, checked, time_ms)
    }

    fn prepare_checked(
        &self,
        transactions: Vec<SignedTransaction>,
        hashes: Vec<Hash>,
        checked: Vec<Result<(), TransactionError>>,
        time_ms: u64,
    ) -> Result<Prepared, ChainError> {
        let height = self.head.height + 1;
        let mut nonces = self.nonces();
        let results = self
            .executor
            .install(|| nonces.accept(height, self.head.height, &transactions, checked))?;
        let (kept, hashes, rejected) = split(transactions, hashes, results.results);
        let env = BlockEnv { height, time_ms: time_ms.max(self.head.time_ms) };
        let state = self.state()?;
        let txs = with_hashes(&kept, &hashes);
        let lists = self.executor.derive(&txs, &state)?;
        let interned = self.executor.intern(lists, &txs)?;
        let scheduler = self.options.scheduler;
        let plan = Plan::by(interned, scheduler, self.executor.n_threads())?;
        drop(txs);
        Ok(Prepared { transactions: kept, hashes, rejected, plan, env })
    }

    /// Executes prepared transactions on this chain's threads, from deriving the lists to the
    /// receipts, by the schedule that was made. Commits nothing, so it can be repeated.
    ///
    /// # Errors
    /// [`ChainError::Executor`].
    pub fn execute(&mut self, prepared: &Prepared) -> Result<BlockOutput, ChainError> {
        let txs = prepared.txs();
        let lists = self.executor.derive(&txs, &self.state()?)?;
        let interned = self.executor.intern(lists, &txs)?;
        let plan = prepared.plan.again(interned)?;
        self.execute_plan(prepared, &plan)
    }

    fn execute_plan(
        &mut self,
        prepared: &Prepared,
        plan: &Plan,
    ) -> Result<BlockOutput, ChainError> {
        let state = self.state()?;
        let output = self.executor.execute(&prepared.txs(), plan, &state, prepared.env)?;
        Ok(self.executor.install(|| with_nonces(output, &prepared.transactions)))
    }

    /// Executes prepared transactions with the serial oracle. Commits nothing.
    ///
    /// # Errors
    /// [`ChainError::Executor`].
    pub fn execute_oracle(&self, prepared: &Prepared) -> Result<BlockOutput, ChainError> {
        let state = self.state()?;
        let (engine, prices) = (&self.engine, self.genesis.prices);
        let (txs, schedule) = (prepared.txs(), prepared.plan.schedule());
        let output = self
            .executor
            .install(|| oracle::execute(engine, prices, &txs, schedule, &state, prepared.env))?;
        Ok(self.executor.install(|| with_nonces(output, &prepared.transactions)))
    }

    /// The state root that a block with these changes would have.
    ///
    /// # Errors
    /// [`ChainError::Store`].
    pub fn root_after(&self, output: &BlockOutput) -> Result<Hash, ChainError> {
        Ok(self.tree_update(&output.changes)?.root())
    }

    /// Makes an executed block durable.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn commit_prepared(
        &mut self,
        prepared: Prepared,
        output: BlockOutput,
    ) -> Result<BlockReport, ChainError> {
        let Prepared { transactions, hashes, rejected, plan, env } = prepared;
        let schedule = plan.into_schedule();
        let BlockOutput { receipts, changes, logs } = output;
        let update = self.tree_update(&changes)?;
        let encoded = self.executor.install(|| encode_receipts(&receipts, &self.genesis.prices));
        let header = Header {
            height: env.height,
            parent: self.head.hash(),
            time_ms: env.time_ms,
            protocol: self.protocol,
            transactions_root: merkle_root(&hashes),
            schedule_hash: schedule_hash(&schedule),
            receipts_root: encoded.root,
            state_root: update.root(),
        };
        let block = Block { header, transactions, schedule };
        self.commit(&block, &changes, update, encoded, &hashes)?;
        Ok(BlockReport { record: BlockRecord { block, receipts }, rejected, logs })
    }

    /// Executes a block that was built elsewhere, by the schedule it publishes, and makes it
    /// durable if everything in its header comes out the same.
    ///
    /// # Errors
    /// [`ChainError`]; nothing was changed then, unless a commit failed.
    pub fn apply(&mut self, block: &Block) -> Result<BlockReport, ChainError> {
        let (hashes, plan) = self.check_block(block)?;
        let executed = self.run_block(block, &hashes, &plan)?;
        let encoded = self.check_receipts(block, &executed.receipts)?;
        let update = self.tree_update(&executed.changes)?;
        expect("state_root", block.header.state_root, update.root())?;
        self.commit(block, &executed.changes, update, encoded, &hashes)?;
        let record = BlockRecord { block: block.clone(), receipts: executed.receipts };
        Ok(BlockReport { record, rejected: Vec::new(), logs: executed.logs })
    }

    /// Executes a block as [`apply`](Self::apply) does, where somebody has checked its signatures and nonces: its
    /// own log, or whoever measures with transactions that nobody signed.
    ///
    /// # Errors
    /// [`ChainError`]; nothing was changed then, unless a commit failed.
    pub fn apply_trusted(&mut self, block: &Block) -> Result<(), ChainError> {
        self.check_usable()?;
        self.redo(block)?;
        self.poisoned = true;
        self.store.append(&[&BlockRecordParts::of(block).parts()])?;
        self.store.keep_up()?;
        self.poisoned = false;
        Ok(())
    }

    /// Executes a block that is in the log, and changes the state as it says.
    pub(super) fn redo(&mut self, block: &Block) -> Result<(), ChainError> {
        self.check_header(&block.header)?;
        let (hashes, _) = self.hash_all(&block.transactions);
        expect("transactions_root", block.header.transactions_root, merkle_root(&hashes))?;
        expect("schedule_hash", block.header.schedule_hash, schedule_hash(&block.schedule))?;
        let plan = self.derive_block(block, &hashes)?;
        let executed = self.run_block(block, &hashes, &plan)?;
        let encoded = self.check_receipts(block, &executed.receipts)?;
        let update = self.tree_update(&executed.changes)?;
        expect("state_root", block.header.state_root, update.root())?;
        self.take_over(&block.header, &executed.changes, update, encoded, &hashes);
        Ok(())
    }

    fn run_block(
        &mut self,
        block: &Block,
        hashes: &[Hash],
        plan: &Plan,
    ) -> Result<Executed, ChainError> {
        let state = self.state()?;
        let txs = with_hashes(&block.transactions, hashes);
        let output = self.executor.execute(&txs, plan, &state, env_of(block))?;
        let output = self.executor.install(|| with_nonces(output, &block.transactions));
        let BlockOutput { receipts, changes, logs } = output;
        Ok(Executed { receipts, changes, logs })
    }

    fn check_receipts(
        &self,
        block: &Block,
        receipts: &[Receipt],
    ) -> Result<EncodedReceipts, ChainError> {
        let encoded = self.executor.install(|| encode_receipts(receipts, &self.genesis.prices));
        expect("receipts_root", block.header.receipts_root, encoded.root)?;
        Ok(encoded)
    }

    /// Everything about a block from elsewhere that can be checked before it is executed.
    pub(super) fn check_block(&self, block: &Block) -> Result<(Vec<Hash>, Plan), ChainError> {
        self.check_usable()?;
        self.check_count(block.transactions.len())?;
        self.check_header(&block.header)?;
        let (hashes, checked) = self.check_signatures(&block.transactions);
        let mut nonces = self.nonces();
        let (height, applied) = (block.header.height, self.head.height);
        let accepted = self
            .executor
            .install(|| nonces.accept(height, applied, &block.transactions, checked))?;
        for (tx_index, result) in accepted.results.into_iter().enumerate() {
            let refuse = |source| ChainError::Transaction { tx_index, source: Box::new(source) };
            result.map_err(refuse)?;
        }
        expect("transactions_root", block.header.transactions_root, merkle_root(&hashes))?;
        expect("schedule_hash", block.header.schedule_hash, schedule_hash(&block.schedule))?;
        let plan = self.derive_block(block, &hashes)?;
        Ok((hashes, plan))
    }

    fn derive_block(&self, block: &Block, hashes: &[Hash]) -> Result<Plan, ChainError> {
        let txs = with_hashes(&block.transactions, hashes);
        let lists = self.executor.derive(&txs, &self.state()?)?;
        let interned = self.executor.intern(lists, &txs)?;
        Ok(Plan::new(interned, block.schedule.clone(), Mode::Free)?)
    }

    /// The state root that the serial oracle gives for a block from elsewhere.
    pub(super) fn oracle_root(&self, block: &Block) -> Result<Hash, ChainError> {
        let (hashes, _) = self.check_block(block)?;
        let state = self.state()?;
        let txs = with_hashes(&block.transactions, &hashes);
        let (engine, prices) = (&self.engine, self.genesis.prices);
        let output = self.executor.install(|| {
            oracle::execute(engine, prices, &txs, &block.schedule, &state, env_of(block))
        })?;
        let output = self.executor.install(|| with_nonces(output, &block.transactions));
        self.root_after(&output)
    }

    fn check_header(&self, header: &Header) -> Result<(), ChainError> {
        expect("height", header.height, self.head.height + 1)?;
        expect("parent", header.parent, self.head.hash())?;
        expect("protocol", header.protocol, self.protocol)?;
        expect("time_ms", header.time_ms, header.time_ms.max(self.head.time_ms))
    }

    fn check_usable(&self) -> Result<(), ChainError> {
        if self.poisoned { Err(ChainError::Poisoned) } else { Ok(()) }
    }

    fn check_count(&self, n_txs: usize) -> Result<(), ChainError> {
        let max = self.genesis.limits.block_txs_max;
        if n_txs > max as usize {
            return Err(ChainError::TooManyTransactions { n_txs, max });
        }
        Ok(())
    }

    /// Checks form and signature of each transaction, on all threads, and gives the hashes.
    fn check_signatures(
        &self,
        transactions: &[SignedTransaction],
    ) -> (Vec<Hash>, Vec<Result<(), TransactionError>>) {
        let (hashes, mut results) = self.hash_all(transactions);
        self.executor.install(|| check_all(transactions, &hashes, &mut results, &self.keys));
        (hashes, results)
    }

    /// The hash of each transaction and whether its form is right, on all threads.
    fn hash_all(
        &self,
        transactions: &[SignedTransaction],
    ) -> (Vec<Hash>, Vec<Result<(), TransactionError>>) {
        let (chain_id, fuel_max) = (self.genesis.chain_id, self.genesis.limits.tx_fuel_max);
        let check = |signed: &SignedTransaction| {
            let tx = &signed.transaction;
            (tx.hash(), tx.check_form(chain_id, fuel_max))
        };
        self.executor.install(|| transactions.par_iter().with_min_len(64).map(check).unzip())
    }

    fn nonces(&self) -> Nonces {
        Nonces::new(self.store.state().table(), &self.genesis)
    }

    fn tree_update(&self, changes: &ChangedCells) -> Result<TreeUpdate, ChainError> {
        let table = self.store.state().table();
        Ok(self.executor.install(|| self.tree.update_rows(table, changes.rows()))?)
    }

    /// Makes a block durable. After an error nobody knows what is on disk, so nothing else is
    /// done until the chain is opened again.
    fn commit(
        &mut self,
        block: &Block,
        changes: &ChangedCells,
        update: TreeUpdate,
        receipts: EncodedReceipts,
        hashes: &[Hash],
    ) -> Result<(), ChainError> {
        self.poisoned = true;
        self.store.append(&[&BlockRecordParts::of(block).parts()])?;
        self.take_over(&block.header, changes, update, receipts, hashes);
        self.store.keep_up()?;
        self.poisoned = false;
        Ok(())
    }

    /// Moves to the state after a block that is durable.
    fn take_over(
        &mut self,
        header: &Header,
        changes: &ChangedCells,
        update: TreeUpdate,
        receipts: EncodedReceipts,
        hashes: &[Hash],
    ) {
        let state = self.store.state();
        self.executor.install(|| apply(state, header.height, changes));
        state.archive(header.height, receipts.bytes, hashes, receipts.fuel);
        self.tree.apply(update);
        self.head = header.clone();
    }
}

/// What executing a block from elsewhere gave.
struct Executed {
    receipts: Vec<Receipt>,
    changes: ChangedCells,
    logs: Vec<Vec<String>>,
}

/// Checks the signatures of the transactions that were not refused before, in batches on the threads
/// of the current rayon pool.
pub(super) fn check_all(
    transactions: &[SignedTransaction],
    hashes: &[Hash],
    results: &mut [Result<(), TransactionError>],
    keys: &Arc<KeyCache>,
) {
    let together = signatures_together(transactions.len(), rayon::current_num_threads());
    let chunks = transactions
        .par_chunks(together)
        .zip(hashes.par_chunks(together))
        .zip(results.par_chunks_mut(together));
    chunks.for_each(|((transactions, hashes), results)| {
        let wanted: Vec<usize> = (0..results.len()).filter(|&at| results[at].is_ok()).collect();
        let signed: Vec<&SignedTransaction> = wanted.iter().map(|&at| &transactions[at]).collect();
        let hashes: Vec<Hash> = wanted.iter().map(|&at| hashes[at]).collect();
        let checked = verify_signatures(&signed, &hashes, keys);
        for (at, result) in wanted.into_iter().zip(checked) {
            results[at] = result;
        }
    });
}

type Refused = Vec<(usize, TransactionError)>;

/// Parts the transactions that are accepted from those that are not.
pub(super) fn split(
    transactions: Vec<SignedTransaction>,
    hashes: Vec<Hash>,
    results: Vec<Result<(), TransactionError>>,
) -> (Vec<SignedTransaction>, Vec<Hash>, Refused) {
    if results.iter().all(Result::is_ok) {
        return (transactions, hashes, Vec::new());
    }
    let (mut kept, mut kept_hashes, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
    let all = transactions.into_iter().zip(hashes).zip(results);
    for (at, ((signed, hash), result)) in all.enumerate() {
        match result {
            Ok(()) => {
                kept.push(signed);
                kept_hashes.push(hash);
            }
            Err(error) => rejected.push((at, error)),
        }
    }
    (kept, kept_hashes, rejected)
}

fn env_of(block: &Block) -> BlockEnv {
    BlockEnv { height: block.header.height, time_ms: block.header.time_ms }
}

pub(super) fn expect<T: PartialEq + ToString>(
    field: &'static str,
    found: T,
    expected: T,
) -> Result<(), ChainError> {
    if found == expected {
        return Ok(());
    }
    Err(ChainError::Header { field, found: found.to_string(), expected: expected.to_string() })
}

/// Adds the senders' new nonces: one write for each sender and block, which no transaction waits for. On the threads
/// of the current rayon pool.
fn with_nonces(output: BlockOutput, transactions: &[SignedTransaction]) -> BlockOutput {
    let nonces = nonce_cells(Arc::new(next_nonces(transactions)));
    BlockOutput { changes: output.changes.then(nonces), ..output }
}

/// Puts the changes of the block at `height` into the state, on the threads of the current rayon pool.
pub(super) fn apply(state: &StateStore, height: u64, changes: &ChangedCells) {
    state.apply(height, changes.rows(), changes.names());
}
