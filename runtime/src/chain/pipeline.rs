//! Blocks in a pipeline: while one executes, the next is decoded, checked and scheduled, and the one
//! before is rooted and made durable.
//!
//! ```text
//! bytes → prepare ──→ execute ──→ seal ──→ log → acknowledged
//!         decode      run         root     write, sync
//!         hash        apply       receipts index
//!         signatures              header   checkpoint
//!         nonces
//!         derive, schedule
//! ```
//! Each stage is a thread that mostly waits; the work is done on the executor's threads, so there are
//! never more than the chain's options say. Between two stages wait at most as many blocks as the options
//! say; when a stage is full, the one before waits, and in the end [`Pipeline::submit`].
//!
//! # The same blocks
//!
//! A chain that was built in a pipeline has the same blocks, roots and receipts as one built block by
//! block from the same transactions:
//!
//! - Whether a transaction has its turn depends on the nonces before its block, which are known when the block
//!   before is put together, because a nonce is used whatever becomes of the transaction. Where gas has a price it also
//!   depends on balances, and then putting a block together waits for the block before.
//! - Access lists depend on contracts and their immutables. If a block changes one, what was
//!   derived for later blocks before that is thrown away and derived again.
//! - The root of a block is computed from the rows that the block changed and their buckets, while the
//!   next block executes; the next block's changes are applied after that.
//!
//! # Shutting down
//!
//! [`Pipeline::finish`] takes no more blocks and lets those on their way arrive. After an error in a stage the
//! stages before it stop. Those behind it go on with the blocks that they have, up to one for which they would have
//! to wait for another stage. What was acknowledged is durable; a block that was not acknowledged is durable as a
//! whole or not at all.

mod input;
mod prepare;
mod stages;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::{Chain, ChainError};
use crate::executor::ExecutorError;
use crate::sync::{lock, panic_text};
use crate::types::{Header, Receipt, TransactionError};
pub use input::EncodedTxs;
use prepare::Prepare;
use stages::{Execute, Seal, WriteLog};

/// A part of a block's way, for whoever measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Decoding, form, hashing.
    Check,
    /// Signatures, if they are checked here.
    Signature,
    /// Nonces and balances.
    Accept,
    /// Access lists, numbers of keys, the schedule.
    Plan,
    /// Execution, up to receipts and sorted changes.
    Execute,
    /// The changes put into the state.
    Apply,
    /// The state root.
    Root,
    /// Receipts encoded and hashed, the header.
    Seal,
    /// The log written and synced.
    Log,
    /// The index of transactions.
    Index,
    /// A checkpoint started in the background, if enough waits for one.
    Checkpoint,
}

/// Is told when a block has passed a stage, on the stage's own thread.
pub type StageObserver = Arc<dyn Fn(Stage) + Send + Sync>;

/// How a pipeline takes blocks.
#[derive(Clone)]
pub struct PipelineOptions {
    /// Who checks signatures.
    pub signatures: Signatures,
    /// The most blocks that wait between two stages, at least one.
    pub queue_blocks: usize,
    /// Is told of each stage of each block. The pipeline reads no clock itself.
    pub observer: Option<StageObserver>,
}

impl std::fmt::Debug for PipelineOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PipelineOptions")
            .field("signatures", &self.signatures)
            .field("queue_blocks", &self.queue_blocks)
            .finish_non_exhaustive()
    }
}

impl Default for PipelineOptions {
    /// The pipeline checks signatures; one block waits before each stage.
    fn default() -> Self {
        Self { signatures: Signatures::Check, queue_blocks: 1, observer: None }
    }
}

/// Who checks signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signatures {
    /// The pipeline, in batches.
    Check,
    /// Whoever submits has checked them: a pool of transactions that does so when they arrive. A block with a
    /// signature that does not hold is refused by everybody else.
    Trusted,
}

/// What became of a submitted block. It is durable, unless there is none.
#[derive(Debug)]
pub struct Acknowledged {
    /// The number that [`Pipeline::submit`] gave.
    pub ticket: u64,
    /// The block's header; `None` if none of the transactions was valid, so that there is no block.
    pub header: Option<Header>,
    /// The receipts, by transaction.
    pub receipts: Vec<Receipt>,
    /// The transactions that did not become part of it, by their position in what was submitted.
    pub rejected: Vec<(usize, TransactionError)>,
    /// The log lines of each transaction.
    pub logs: Vec<Vec<String>>,
    /// How many cells changed.
    pub n_changes: usize,
}

/// A block to be.
#[derive(Debug)]
pub(super) struct Submitted {
    ticket: u64,
    txs: EncodedTxs,
    time_ms: u64,
}

/// A chain that takes blocks faster than one after the other.
#[derive(Debug)]
pub struct Pipeline {
    input: SyncSender<Submitted>,
    progress: Arc<Progress>,
    block_txs_max: u32,
    next_ticket: u64,
    prepare: JoinHandle<()>,
    execute: JoinHandle<Execute>,
    seal: JoinHandle<Seal>,
    log: JoinHandle<WriteLog>,
    rest: Rest,
}

/// What of the chain no stage needs.
#[derive(Debug)]
struct Rest {
    engine: Arc<crate::engine::Engine>,
    options: super::ChainOptions,
    genesis: crate::types::Genesis,
    keys: Arc<crate::types::KeyCache>,
    directory: Option<std::path::PathBuf>,
}

impl Pipeline {
    /// Takes a chain apart into stages. `on_acknowledged` is called for each submitted block, in order,
    /// when it is durable; it should not take long. It is dropped when no more blocks can become durable, before
    /// [`finish`](Self::finish) returns: after an error in a stage, whoever waits for what it sends learns so.
    ///
    /// # Errors
    /// [`ChainError::Poisoned`], and [`ChainError::Executor`] when a thread cannot be started.
    pub fn start(
        chain: Chain,
        options: PipelineOptions,
        on_acknowledged: impl FnMut(Acknowledged) + Send + 'static,
    ) -> Result<Self, ChainError> {
        chain.table()?;
        let Chain {
            store, tree, engine, executor, options: chain_options, genesis, protocol, ..
        } = chain;
        let Chain { head, keys, directory, .. } = chain;
        let progress = Arc::new(Progress::new(head.height, options.observer));
        let state = store.state().clone();
        let prepare = Prepare::new(
            &progress,
            &state,
            executor.sharing_threads(),
            &genesis,
            (chain_options.scheduler, options.signatures),
            Arc::clone(&keys),
            &head,
        );
        let execute = Execute::new(&progress, executor, &state, chain_options.scheduler);
        let seal = Seal::new(&progress, &execute, tree, head, protocol, genesis.prices, &state);
        let log = WriteLog::new(&progress, store);
        let queue = options.queue_blocks.max(1);
        let (input, submitted) = sync_channel(queue);
        let (prepared_out, prepared) = sync_channel(queue);
        let (executed_out, executed) = sync_channel(queue);
        let (sealed_out, sealed) = sync_channel(queue);
        Ok(Self {
            input,
            block_txs_max: genesis.limits.block_txs_max,
            next_ticket: 0,
            prepare: spawn("prepare", &progress, move || prepare.run(&submitted, &prepared_out))?,
            execute: spawn("execute", &progress, move || execute.run(&prepared, &executed_out))?,
            seal: spawn("seal", &progress, move || seal.run(&executed, &sealed_out))?,
            log: spawn("log", &progress, move || log.run(&sealed, on_acknowledged))?,
            progress,
            rest: Rest { engine, options: chain_options, genesis, keys, directory },
        })
    }

    /// Hands in the transactions of a block, each encoded. A time before the last block's is moved up to it.
    /// Waits while the pipeline is full.
    ///
    /// Returns the ticket under which it will be acknowledged: 0 for the first, then one more each.
    ///
    /// # Errors
    /// [`ChainError::TooManyTransactions`]; [`ChainError::Poisoned`] after an error in a stage, which
    /// [`finish`](Self::finish) returns.
    pub fn submit(&mut self, txs: EncodedTxs, time_ms: u64) -> Result<u64, ChainError> {
        let (n_txs, max) = (txs.len(), self.block_txs_max);
        if n_txs > max as usize {
            return Err(ChainError::TooManyTransactions { n_txs, max });
        }
        let ticket = self.next_ticket;
        let submitted = Submitted { ticket, txs, time_ms };
        self.input.send(submitted).map_err(|_| ChainError::Poisoned)?;
        self.next_ticket += 1;
        Ok(ticket)
    }

    /// Lets the blocks on their way arrive, and puts the chain together again.
    ///
    /// # Errors
    /// What went wrong in a stage first. What was acknowledged is durable; the chain has to be opened
    /// again.
    pub fn finish(self) -> Result<Chain, ChainError> {
        let Self { input, progress, prepare, execute, seal, log, rest, .. } = self;
        drop(input);
        let ended = (join(prepare), join(execute), join(seal), join(log));
        if let Some(error) = progress.take_error() {
            return Err(error);
        }
        ended.0?;
        let (execute, seal, log) = (ended.1?, ended.2?, ended.3?);
        let (tree, head, protocol) = seal.into_parts();
        let Rest { engine, options, genesis, keys, directory } = rest;
        Ok(Chain {
            store: log.into_store(),
            tree,
            engine,
            executor: execute.into_executor(),
            options,
            genesis,
            protocol,
            head,
            keys,
            poisoned: false,
            directory,
        })
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    progress: &Arc<Progress>,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, ChainError> {
    let progress = Arc::clone(progress);
    let run = move || {
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            // Nobody waits for a stage that panicked, and what the others meet then is not the reason.
            progress.fail(ExecutorError::Panicked(panic_text(&*panic)).into());
            resume_unwind(panic)
        })
    };
    let thread = thread::Builder::new().name(format!("kempe-{name}")).spawn(run);
    thread.map_err(|error| ExecutorError::Threads(error.to_string()).into())
}

fn join<T>(thread: JoinHandle<T>) -> Result<T, ChainError> {
    let panicked = |_| ExecutorError::Panicked("a stage of the pipeline".to_owned()).into();
    thread.join().map_err(panicked)
}

/// How far the stages are, for those that wait for each other.
pub(super) struct Progress {
    observer: Option<StageObserver>,
    heights: Mutex<Heights>,
    changed: Condvar,
    error: Mutex<Option<ChainError>>,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("heights", &self.heights).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug)]
struct Heights {
    /// The last block whose changes are in the state.
    applied: u64,
    /// The last block whose root was computed.
    rooted: u64,
    stopped: bool,
}

impl Progress {
    fn new(height: u64, observer: Option<StageObserver>) -> Self {
        let heights = Heights { applied: height, rooted: height, stopped: false };
        let (heights, changed) = (Mutex::new(heights), Condvar::new());
        Self { observer, heights, changed, error: Mutex::default() }
    }

    fn passed(&self, stage: Stage) {
        if let Some(observer) = &self.observer {
            observer(stage);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Heights> {
        lock(&self.heights)
    }

    fn update(&self, update: impl FnOnce(&mut Heights)) {
        update(&mut self.lock());
        self.changed.notify_all();
    }

    fn set_applied(&self, height: u64) {
        self.update(|heights| heights.applied = height);
    }

    fn set_rooted(&self, height: u64) {
        self.update(|heights| heights.rooted = height);
    }

    fn applied(&self) -> u64 {
        self.lock().applied
    }

    /// Waits until a block is applied.
    fn wait_applied(&self, height: u64) -> Result<(), ChainError> {
        self.wait(|heights| heights.applied >= height)
    }

    /// Waits until the root of a block is computed.
    fn wait_rooted(&self, height: u64) -> Result<(), ChainError> {
        self.wait(|heights| heights.rooted >= height)
    }

    fn wait(&self, mut is_reached: impl FnMut(&Heights) -> bool) -> Result<(), ChainError> {
        let mut heights = self.lock();
        while !is_reached(&heights) {
            if heights.stopped {
                return Err(ChainError::Poisoned);
            }
            heights = self.changed.wait(heights).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// Notes the first error and lets nobody wait any more.
    fn fail(&self, error: ChainError) {
        // Those that only met the end of others say so behind the reason.
        lock(&self.error).get_or_insert(error);
        self.update(|heights| heights.stopped = true);
    }

    fn take_error(&self) -> Option<ChainError> {
        lock(&self.error).take()
    }
}
