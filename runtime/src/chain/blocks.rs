//! Building blocks from transactions, and applying blocks from elsewhere.

use std::collections::BTreeMap;

use kempe_abi::{Address, Hash};
use rayon::prelude::*;

use super::{Chain, ChainError, read_balance, read_nonce};
use crate::engine::BlockEnv;
use crate::executor::{BlockOutput, Change, Executor, Plan, Tx, oracle};
use crate::scheduler::Mode;
use crate::state::{CommitBatch, StateChange, StateRead, TreeUpdate, TxLocation};
use crate::types::{
    Block, BlockRecord, Bytes, Header, Prices, SignedTransaction, StateKey, Transaction,
    TransactionError, merkle_root, schedule_hash, system_field,
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

fn with_hashes<'a>(transactions: &'a [SignedTransaction], hashes: &[Hash]) -> Vec<Tx<'a>> {
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
        let mut prepared = self.prepare(transactions, time_ms)?;
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
        let checked = self.check_signatures(&transactions);
        let mut nonces = Nonces::new(self)?;
        let mut kept = Vec::with_capacity(transactions.len());
        let mut hashes = Vec::with_capacity(transactions.len());
        let mut rejected = Vec::new();
        for (at, (signed, checked)) in transactions.into_iter().zip(checked).enumerate() {
            let accepted = match checked {
                Ok(hash) => nonces.accept(&signed.transaction)?.map(|()| hash),
                Err(error) => Err(error),
            };
            match accepted {
                Ok(hash) => {
                    kept.push(signed);
                    hashes.push(hash);
                }
                Err(error) => rejected.push((at, error)),
            }
        }
        let env =
            BlockEnv { height: self.head.height + 1, time_ms: time_ms.max(self.head.time_ms) };
        let state = self.state()?;
        let txs = with_hashes(&kept, &hashes);
        let lists = self.executor.derive(&txs, &state)?;
        let interned = self.executor.intern(lists, &txs);
        let scheduler = self.options.scheduler;
        let schedule = scheduler.schedule(&interned.block());
        let plan = Plan::new(interned, schedule, scheduler.mode())?;
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
        let interned = self.executor.intern(lists, &txs);
        let plan = Plan::new(interned, prepared.plan.schedule().clone(), Mode::Free)?;
        self.execute_plan(prepared, &plan)
    }

    fn execute_plan(
        &mut self,
        prepared: &Prepared,
        plan: &Plan,
    ) -> Result<BlockOutput, ChainError> {
        let state = self.state()?;
        let output = self.executor.execute(&prepared.txs(), plan, &state, prepared.env)?;
        Ok(with_nonces(output, &prepared.transactions))
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
        Ok(with_nonces(output, &prepared.transactions))
    }

    /// The state root that a block with these changes would have.
    ///
    /// # Errors
    /// [`ChainError::Store`].
    pub fn root_after(&self, output: &BlockOutput) -> Result<Hash, ChainError> {
        let changes = state_changes(&self.executor, output.changes.clone());
        Ok(self.tree_update(&changes)?.root())
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
        let changes = state_changes(&self.executor, changes);
        let update = self.tree_update(&changes)?;
        let header = Header {
            height: env.height,
            parent: self.head.hash(),
            time_ms: env.time_ms,
            protocol: self.protocol,
            transactions_root: merkle_root(&hashes),
            schedule_hash: schedule_hash(&schedule),
            receipts_root: self.receipts_root(&receipts),
            state_root: update.root(),
        };
        let record = BlockRecord { block: Block { header, transactions, schedule }, receipts };
        self.commit(&record, changes, update, &hashes)?;
        Ok(BlockReport { record, rejected, logs })
    }

    /// Executes a block that was built elsewhere, by the schedule it publishes, and makes it
    /// durable if everything in its header comes out the same.
    ///
    /// # Errors
    /// [`ChainError`]; nothing was changed then, unless a commit failed.
    pub fn apply(&mut self, block: &Block) -> Result<BlockReport, ChainError> {
        let (hashes, plan) = self.check_block(block)?;
        let state = self.state()?;
        let txs = with_hashes(&block.transactions, &hashes);
        let output = self.executor.execute(&txs, &plan, &state, env_of(block))?;
        let output = with_nonces(output, &block.transactions);
        let receipts_root = self.receipts_root(&output.receipts);
        expect("receipts_root", block.header.receipts_root, receipts_root)?;
        let changes = state_changes(&self.executor, output.changes);
        let update = self.tree_update(&changes)?;
        expect("state_root", block.header.state_root, update.root())?;
        let record = BlockRecord { block: block.clone(), receipts: output.receipts };
        self.commit(&record, changes, update, &hashes)?;
        Ok(BlockReport { record, rejected: Vec::new(), logs: output.logs })
    }

    /// Everything about a block from elsewhere that can be checked before it is executed.
    fn check_block(&self, block: &Block) -> Result<(Vec<Hash>, Plan), ChainError> {
        self.check_usable()?;
        self.check_count(block.transactions.len())?;
        self.check_header(&block.header)?;
        let mut nonces = Nonces::new(self)?;
        let mut hashes = Vec::with_capacity(block.transactions.len());
        let checked = self.check_signatures(&block.transactions);
        for (tx_index, (signed, checked)) in block.transactions.iter().zip(checked).enumerate() {
            let refuse = |source| ChainError::Transaction { tx_index, source: Box::new(source) };
            hashes.push(checked.map_err(refuse)?);
            nonces.accept(&signed.transaction)?.map_err(refuse)?;
        }
        expect("transactions_root", block.header.transactions_root, merkle_root(&hashes))?;
        expect("schedule_hash", block.header.schedule_hash, schedule_hash(&block.schedule))?;
        let txs = with_hashes(&block.transactions, &hashes);
        let lists = self.executor.derive(&txs, &self.state()?)?;
        let interned = self.executor.intern(lists, &txs);
        Ok((hashes, Plan::new(interned, block.schedule.clone(), Mode::Free)?))
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
        self.root_after(&with_nonces(output, &block.transactions))
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
    ) -> Vec<Result<Hash, TransactionError>> {
        let (chain_id, fuel_max) = (self.genesis.chain_id, self.genesis.limits.tx_fuel_max);
        self.executor.install(|| {
            let check = |signed: &SignedTransaction| {
                signed.transaction.check_form(chain_id, fuel_max)?;
                signed.verify()
            };
            transactions.par_iter().with_min_len(8).map(check).collect()
        })
    }

    fn receipts_root(&self, receipts: &[crate::types::Receipt]) -> Hash {
        let hashes = self.executor.install(|| {
            receipts
                .par_iter()
                .with_min_len(64)
                .map(crate::types::Receipt::hash)
                .collect::<Vec<_>>()
        });
        merkle_root(&hashes)
    }

    fn tree_update(&self, changes: &[StateChange]) -> Result<TreeUpdate, ChainError> {
        Ok(self.executor.install(|| self.tree.update(&*self.store, changes))?)
    }

    /// Makes a block durable. After an error nobody knows what is on disk, so nothing else is
    /// done until the chain is opened again.
    fn commit(
        &mut self,
        record: &BlockRecord,
        changes: Vec<StateChange>,
        update: TreeUpdate,
        hashes: &[Hash],
    ) -> Result<(), ChainError> {
        let header = &record.block.header;
        let located = (0u32..).zip(hashes);
        let located =
            located.map(|(index, &hash)| (hash, TxLocation { height: header.height, index }));
        let bytes = borsh::to_vec(record).expect("encoding to memory cannot fail");
        let batch = CommitBatch {
            state: changes,
            block: Some((header.height, bytes)),
            transactions: located.collect(),
            meta: Vec::new(),
        };
        self.poisoned = true;
        self.store.commit(batch)?;
        self.tree.apply(update);
        self.head = header.clone();
        self.poisoned = false;
        Ok(())
    }
}

/// The changes with the hashes of their values, computed on all threads.
fn state_changes(executor: &Executor, changes: Vec<Change>) -> Vec<StateChange> {
    executor.install(|| {
        changes
            .into_par_iter()
            .with_min_len(256)
            .map(|change| StateChange::new(change.key, change.hash, change.value))
            .collect()
    })
}

fn env_of(block: &Block) -> BlockEnv {
    BlockEnv { height: block.header.height, time_ms: block.header.time_ms }
}

fn expect<T: PartialEq + ToString>(
    field: &'static str,
    found: T,
    expected: T,
) -> Result<(), ChainError> {
    if found == expected {
        return Ok(());
    }
    Err(ChainError::Header { field, found: found.to_string(), expected: expected.to_string() })
}

/// The next nonce of each sender while a block is put together, and the fees it may come to owe.
struct Nonces {
    state: std::sync::Arc<dyn StateRead>,
    prices: Prices,
    next: BTreeMap<Address, (u64, u128)>,
}

impl Nonces {
    fn new(chain: &Chain) -> Result<Self, ChainError> {
        Ok(Self { state: chain.state()?, prices: chain.genesis.prices, next: BTreeMap::new() })
    }

    /// Accepts a transaction if it is its sender's next, and its sender can pay for it.
    fn accept(&mut self, tx: &Transaction) -> Result<Result<(), TransactionError>, ChainError> {
        let sender = tx.sender;
        let (next, owed) = match self.next.get(&sender) {
            Some(&known) => known,
            None => (read_nonce(&*self.state, &sender)?, 0),
        };
        // The last nonce is never used, so that there always is a next one.
        if tx.nonce != next || next == u64::MAX {
            let (found, expected) = (tx.nonce, next);
            return Ok(Err(TransactionError::Nonce { sender, found, expected }));
        }
        let min = tx.base_fuel(&self.prices);
        if tx.fuel_limit < min {
            return Ok(Err(TransactionError::FuelTooLow { found: tx.fuel_limit, min }));
        }
        let fee_max = self.prices.fee(tx.fuel_limit).saturating_add(owed);
        if fee_max > 0 {
            let balance = read_balance(&*self.state, &sender)?;
            if balance < fee_max {
                return Ok(Err(TransactionError::Unpayable { sender, balance, fee_max }));
            }
        }
        self.next.insert(sender, (next + 1, fee_max));
        Ok(Ok(()))
    }
}

/// Adds the senders' new nonces: one write for each sender and block, which no transaction waits for.
fn with_nonces(mut output: BlockOutput, transactions: &[SignedTransaction]) -> BlockOutput {
    let mut next = BTreeMap::new();
    for signed in transactions {
        next.insert(signed.transaction.sender, signed.transaction.nonce + 1);
    }
    for (sender, nonce) in next {
        let key = StateKey::system(system_field::NONCE, &sender.0);
        let (hash, value) = (key.hash(), Some(Bytes::from_slice(&nonce.to_le_bytes())));
        output.changes.push(Change { key, hash, value });
    }
    output.changes.sort_unstable_by_key(|change| change.hash);
    output
}
