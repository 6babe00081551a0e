//! The stages behind the first: execute, seal, log. Each owns what only it changes.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use kempe_abi::Hash;

use super::prepare::{Planned, PreparedBlock, make_plan};
use super::{Acknowledged, Progress, Stage};
use crate::chain::ChainError;
use crate::chain::blocks::{apply, with_hashes};
use crate::chain::nonces::nonce_cells;
use crate::chain::seal::{BlockRecordParts, EncodedReceipts, encode_receipts};
use crate::executor::{BlockOutput, ChangedCells, Executor};
use crate::scheduler::{Schedule, Scheduler};
use crate::state::{ChainStore, StateRead, StateStore, StateTree};
use crate::types::{Header, Prices, Receipt, TransactionError, schedule_hash};

/// The most blocks that are made durable by one sync.
const GROUP_BLOCKS: usize = 8;

/// Runs blocks and applies their changes to the state.
#[derive(Debug)]
pub(super) struct Execute {
    progress: Arc<Progress>,
    executor: Executor,
    state: StateStore,
    scheduler: &'static dyn Scheduler,
    /// The last block that changed a contract or its code.
    contracts_changed: u64,
}

/// A block that was executed, or the news that there is none.
#[derive(Debug)]
pub(super) struct ExecutedBlock {
    ticket: u64,
    rejected: Vec<(usize, TransactionError)>,
    block: Option<Executed>,
}

#[derive(Debug)]
struct Executed {
    height: u64,
    time_ms: u64,
    transactions_root: Hash,
    hashes: Vec<Hash>,
    encoded: Arc<Vec<u8>>,
    schedule: Schedule,
    changes: ChangedCells,
    receipts: Vec<Receipt>,
    logs: Vec<Vec<String>>,
}

impl Execute {
    pub(super) fn new(
        progress: &Arc<Progress>,
        executor: Executor,
        state: &StateStore,
        scheduler: &'static dyn Scheduler,
    ) -> Self {
        let (progress, state) = (Arc::clone(progress), state.clone());
        Self { progress, executor, state, scheduler, contracts_changed: 0 }
    }

    pub(super) fn into_executor(self) -> Executor {
        self.executor
    }

    /// An executor for another stage, on the same threads.
    fn sharing_threads(&self) -> Executor {
        self.executor.sharing_threads()
    }

    pub(super) fn run(
        mut self,
        input: &Receiver<PreparedBlock>,
        output: &SyncSender<ExecutedBlock>,
    ) -> Self {
        for PreparedBlock { ticket, rejected, block } in input {
            let block = match block.map(|block| self.step(block)).transpose() {
                Ok(block) => block,
                Err(error) => {
                    self.progress.fail(error);
                    break;
                }
            };
            if output.send(ExecutedBlock { ticket, rejected, block }).is_err() {
                break;
            }
        }
        self
    }

    fn step(&mut self, block: Planned) -> Result<Executed, ChainError> {
        let Planned { transactions, hashes, mut plan, env, nonces, .. } = block;
        let state: Arc<dyn StateRead> = self.state.table().clone();
        let lists_hold = || plan.interned().lists().hold_in(&*state);
        if self.contracts_changed > block.planned_at || !lists_hold()? {
            let (executor, scheduler) = (&self.executor, self.scheduler);
            plan = make_plan(executor, scheduler, &transactions, &hashes, &state)?;
        }
        let txs = with_hashes(&transactions, &hashes);
        let output = self.executor.execute(&txs, &plan, &state, env)?;
        let BlockOutput { receipts, changes, logs } = output;
        let schedule = plan.into_schedule();
        let changes = self.executor.install(|| changes.then(nonce_cells(nonces)));
        self.progress.passed(Stage::Execute);
        // The root of the block before is computed from the rows as that block left them.
        self.progress.wait_rooted(env.height - 1)?;
        if changes.has_contracts() {
            self.contracts_changed = env.height;
        }
        self.executor.install(|| apply(&self.state, env.height, &changes));
        self.progress.set_applied(env.height);
        self.progress.passed(Stage::Apply);
        Ok(Executed {
            height: env.height,
            time_ms: env.time_ms,
            transactions_root: block.transactions_root,
            hashes,
            encoded: block.encoded,
            schedule,
            changes,
            receipts,
            logs,
        })
    }
}

/// Computes roots and puts headers on blocks.
#[derive(Debug)]
pub(super) struct Seal {
    progress: Arc<Progress>,
    executor: Executor,
    tree: StateTree,
    head: Header,
    protocol: Hash,
    prices: Prices,
    state: StateStore,
}

/// A block with its header, or the news that there is none.
#[derive(Debug)]
pub(super) struct SealedBlock {
    acknowledged: Acknowledged,
    block: Option<Sealed>,
}

#[derive(Debug)]
struct Sealed {
    record: BlockRecordParts,
    receipts: EncodedReceipts,
    hashes: Vec<Hash>,
}

impl Seal {
    pub(super) fn new(
        progress: &Arc<Progress>,
        execute: &Execute,
        tree: StateTree,
        head: Header,
        protocol: Hash,
        prices: Prices,
        state: &StateStore,
    ) -> Self {
        let (progress, state) = (Arc::clone(progress), state.clone());
        let executor = execute.sharing_threads();
        Self { progress, executor, tree, head, protocol, prices, state }
    }

    pub(super) fn into_parts(self) -> (StateTree, Header, Hash) {
        (self.tree, self.head, self.protocol)
    }

    pub(super) fn run(
        mut self,
        input: &Receiver<ExecutedBlock>,
        output: &SyncSender<SealedBlock>,
    ) -> Self {
        for executed in input {
            match self.step(executed) {
                Ok(sealed) => {
                    if output.send(sealed).is_err() {
                        break;
                    }
                }
                Err(error) => {
                    self.progress.fail(error);
                    break;
                }
            }
        }
        self
    }

    fn step(&mut self, executed: ExecutedBlock) -> Result<SealedBlock, ChainError> {
        let ExecutedBlock { ticket, rejected, block } = executed;
        let mut acknowledged = Acknowledged {
            ticket,
            header: None,
            receipts: Vec::new(),
            rejected,
            logs: Vec::new(),
            n_changes: 0,
        };
        let Some(block) = block else { return Ok(SealedBlock { acknowledged, block: None }) };
        let Executed { height, time_ms, transactions_root, hashes, encoded, .. } = block;
        let (tree, table) = (&self.tree, self.state.table());
        let update = self.executor.install(|| tree.update_rows(table, block.changes.rows()))?;
        let state_root = update.root();
        self.tree.apply(update);
        self.progress.set_rooted(height);
        self.progress.passed(Stage::Root);
        let receipts = self.executor.install(|| encode_receipts(&block.receipts, &self.prices));
        let header = Header {
            height,
            parent: self.head.hash(),
            time_ms,
            protocol: self.protocol,
            transactions_root,
            schedule_hash: schedule_hash(&block.schedule),
            receipts_root: receipts.root,
            state_root,
        };
        let schedule = borsh::to_vec(&block.schedule).expect("encoding to memory cannot fail");
        let record = BlockRecordParts::new(&header, hashes.len(), encoded, schedule);
        self.head = header.clone();
        self.progress.passed(Stage::Seal);
        acknowledged.header = Some(header);
        acknowledged.receipts = block.receipts;
        acknowledged.logs = block.logs;
        acknowledged.n_changes = block.changes.len();
        let block = Some(Sealed { record, receipts, hashes });
        Ok(SealedBlock { acknowledged, block })
    }
}

/// Makes blocks durable and acknowledges them.
#[derive(Debug)]
pub(super) struct WriteLog {
    progress: Arc<Progress>,
    store: ChainStore,
}

impl WriteLog {
    pub(super) fn new(progress: &Arc<Progress>, store: ChainStore) -> Self {
        Self { progress: Arc::clone(progress), store }
    }

    pub(super) fn into_store(self) -> ChainStore {
        self.store
    }

    /// Drops `on_acknowledged` when it ends, so that whoever waits for an acknowledgement learns that none comes.
    pub(super) fn run(
        mut self,
        input: &Receiver<SealedBlock>,
        mut on_acknowledged: impl FnMut(Acknowledged),
    ) -> Self {
        while let Ok(first) = input.recv() {
            // What came in meanwhile is written together.
            let more = input.try_iter().take(GROUP_BLOCKS - 1);
            let group: Vec<SealedBlock> = std::iter::once(first).chain(more).collect();
            if let Err(error) = self.step(group, &mut on_acknowledged) {
                self.progress.fail(error);
                break;
            }
        }
        self
    }

    fn step(
        &mut self,
        group: Vec<SealedBlock>,
        on_acknowledged: &mut impl FnMut(Acknowledged),
    ) -> Result<(), ChainError> {
        let n_blocks = group.len();
        let blocks = || group.iter().filter_map(|sealed| sealed.block.as_ref());
        let parts: Vec<[&[u8]; 3]> = blocks().map(|block| block.record.parts()).collect();
        let records: Vec<&[&[u8]]> = parts.iter().map(|parts| &parts[..]).collect();
        if !records.is_empty() {
            self.store.append(&records)?;
        }
        group.iter().for_each(|_| self.progress.passed(Stage::Log));
        for SealedBlock { acknowledged, block } in group {
            if let (Some(header), Some(block)) = (&acknowledged.header, block) {
                let Sealed { receipts, hashes, .. } = block;
                let state = self.store.state();
                state.archive(header.height, receipts.bytes, &hashes, receipts.fuel);
            }
            self.progress.passed(Stage::Index);
            on_acknowledged(acknowledged);
        }
        self.store.keep_up()?;
        (0..n_blocks).for_each(|_| self.progress.passed(Stage::Checkpoint));
        Ok(())
    }
}
