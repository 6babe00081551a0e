//! Runs a block: derives the access lists, schedules, runs each batch on all threads, and gives the
//! receipts and the changes to the state.
//!
//! The stages are public, because the benches measure them one by one:
//! [`Executor::derive`] → [`Executor::intern`] → a scheduler → [`Executor::execute`].
//! The [`oracle`] does the same sequentially and without any of the machinery; both must agree.

mod arena;
mod lists;
pub mod oracle;
mod tail;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashSet;
use kempe_abi::{Address, Hash, Outcome, TrapKind};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::access::Cell;
use crate::engine::{BlockEnv, CALL_STACK_BYTES, Engine, Mode, Run, Worker};
use crate::scheduler::Schedule;
use crate::state::{StateRead, StoreError};
use crate::types::{Bytes, KeyHash, Prices, Receipt, StateKey, Transaction};

use arena::Arena;
pub(crate) use arena::sum_of;
pub(crate) use lists::derive_with;
pub use lists::{Interned, Lists};
pub(crate) use tail::solo;

/// Below this many transactions a batch runs on the calling thread: waking another one costs more.
/// An estimate: a barrier costs some microseconds, a transfer two or three.
const INLINE_MAX: usize = 16;

/// A transaction with its hash, which was computed to check the signature.
#[derive(Clone, Copy, Debug)]
pub struct Tx<'a> {
    /// The transaction.
    pub transaction: &'a Transaction,
    /// [`Transaction::hash`].
    pub hash: Hash,
}

/// A change to the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: StateKey,
    /// Its hash.
    pub hash: KeyHash,
    /// The new value; `None` removes it.
    pub value: Option<Bytes>,
}

/// What executing a block gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockOutput {
    /// The receipts, by transaction.
    pub receipts: Vec<Receipt>,
    /// The changes, in order of key hash, each key once.
    pub changes: Vec<Change>,
    /// The log lines of each transaction; not part of the protocol.
    pub logs: Vec<Vec<String>>,
}

/// Why a block could not be executed. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutorError {
    /// The state could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A bug of the executor: a worker panicked. The executor stays usable.
    #[error("a worker panicked: {0}")]
    Panicked(String),
    /// The thread pool could not be started.
    #[error("the thread pool could not be started: {0}")]
    Threads(String),
}

/// A pool of threads, each with its own instances.
#[derive(Debug)]
pub struct Executor {
    engine: Arc<Engine>,
    prices: Prices,
    threads: ThreadPool,
    workers: Vec<Mutex<Worker>>,
    fresh: bool,
}

/// A transaction on its way through a block.
struct Work {
    tx_index: u32,
    cells: Vec<Cell>,
    dynamic: bool,
    /// The sender's balance after the fee alone, where gas has a price.
    fee_only: Option<Bytes>,
    done: Option<Done>,
}

/// What a work came to.
enum Done {
    Receipt(Box<Receipt>, Vec<String>),
    /// A dynamic transaction touched a key outside its list, or its sender's earlier one did: it
    /// runs in the tail lane.
    Retry {
        burned: u64,
    },
}

impl Executor {
    /// An executor with `n_threads` threads, at least one.
    ///
    /// # Errors
    /// [`ExecutorError::Threads`].
    pub fn new(
        engine: &Arc<Engine>,
        prices: Prices,
        n_threads: usize,
    ) -> Result<Self, ExecutorError> {
        let threads = ThreadPoolBuilder::new()
            .num_threads(n_threads.max(1))
            .stack_size(CALL_STACK_BYTES)
            .thread_name(|at| format!("kempe-worker-{at}"))
            .build()
            .map_err(|error| ExecutorError::Threads(error.to_string()))?;
        Ok(Self { engine: Arc::clone(engine), prices, threads, workers: Vec::new(), fresh: false })
    }

    /// Makes a fresh instance for every call instead of reusing them: the tier that the reuse of
    /// instances is tested against.
    #[must_use]
    pub fn with_fresh_instances(mut self) -> Self {
        self.fresh = true;
        self
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The number of threads.
    #[must_use]
    pub fn n_threads(&self) -> usize {
        self.threads.current_num_threads()
    }

    /// Runs a function on the pool's threads, whose stacks are sized for contracts.
    pub fn install<R: Send>(&self, body: impl FnOnce() -> R + Send) -> R {
        self.threads.install(body)
    }

    /// Derives the access list of each transaction, on all threads.
    ///
    /// # Errors
    /// [`ExecutorError::Store`] when the contracts cannot be read.
    pub fn derive(
        &self,
        txs: &[Tx<'_>],
        state: &Arc<dyn StateRead>,
    ) -> Result<Lists, ExecutorError> {
        self.threads.install(|| Lists::derive(txs, &self.engine, &**state, &self.prices))
    }

    /// Numbers the keys of a block, on all threads.
    #[must_use]
    pub fn intern(&self, lists: &Lists, txs: &[Tx<'_>]) -> Interned {
        self.threads.install(|| lists.intern(txs))
    }

    /// Runs a block by its schedule, which must have been verified, and gives what sequential
    /// execution in the published order would give.
    ///
    /// # Errors
    /// [`ExecutorError`]; nothing was changed then.
    pub fn execute(
        &mut self,
        txs: &[Tx<'_>],
        lists: Lists,
        interned: &Interned,
        schedule: &Schedule,
        state: &Arc<dyn StateRead>,
        env: BlockEnv,
    ) -> Result<BlockOutput, ExecutorError> {
        if self.workers.is_empty() {
            let worker = |_| Mutex::new(Worker::new(&self.engine, self.prices, state, self.fresh));
            self.workers = (0..self.n_threads()).map(worker).collect();
        }
        for worker in &mut self.workers {
            worker.get_mut().unwrap_or_else(PoisonError::into_inner).set_state(state);
        }
        let block = BlockRun { executor: self, txs, state, env };
        let result = catch_unwind(AssertUnwindSafe(|| {
            self.threads.install(|| block.run(lists, interned, schedule))
        }));
        result.unwrap_or_else(|panic| {
            // The workers may be in the middle of something; new ones replace them.
            self.workers.clear();
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(ExecutorError::Panicked(text.unwrap_or_default()))
        })
    }

    /// The worker of the current thread. Its lock is never contended: one thread, one worker.
    fn worker(&self) -> MutexGuard<'_, Worker> {
        let at = rayon::current_thread_index().unwrap_or(0);
        self.workers[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct BlockRun<'a> {
    executor: &'a Executor,
    txs: &'a [Tx<'a>],
    state: &'a Arc<dyn StateRead>,
    env: BlockEnv,
}

impl BlockRun<'_> {
    fn run(
        &self,
        lists: Lists,
        interned: &Interned,
        schedule: &Schedule,
    ) -> Result<BlockOutput, ExecutorError> {
        let mut arena = Arena::load(interned, &**self.state)?;
        let mut works = self.works(lists, schedule);
        let mut waiting: HashSet<Address> = HashSet::new();
        let mut first = 0;
        for batch in schedule.batches() {
            let range = first..first + batch.len();
            first = range.end;
            self.run_batch(&mut works[range.clone()], interned, &arena, &waiting)?;
            for position in range {
                let work = &mut works[position];
                let sender = &self.txs[work.tx_index as usize].transaction.sender;
                if waiting.contains(sender) {
                    work.done = Some(Done::Retry { burned: 0 });
                }
                match work.done {
                    Some(Done::Retry { .. }) => drop(waiting.insert(*sender)),
                    _ => arena.settle(position, work, sender, &self.executor.prices),
                }
            }
        }
        let mut output = tail::finish(self, works, arena, schedule)?;
        output.changes.par_sort_unstable_by_key(|change| change.hash);
        Ok(output)
    }

    /// The transactions of the batches, in the published order, so that a batch is a slice.
    fn works(&self, lists: Lists, schedule: &Schedule) -> Vec<Work> {
        let mut lists = lists.into_cells();
        let order = schedule.batches().flatten();
        order
            .map(|&tx_index| {
                let list = std::mem::take(&mut lists[tx_index as usize]);
                let (cells, dynamic) = (list.cells, list.dynamic);
                Work { tx_index, cells, dynamic, fee_only: None, done: None }
            })
            .collect()
    }

    fn run_batch(
        &self,
        batch: &mut [Work],
        interned: &Interned,
        arena: &Arena,
        waiting: &HashSet<Address>,
    ) -> Result<(), StoreError> {
        let n_threads = self.executor.n_threads();
        if n_threads == 1 || batch.len() < INLINE_MAX {
            return self.run_chunk(batch, interned, arena, waiting);
        }
        // Several chunks for each thread, so that a thread with cheap transactions takes more.
        let chunk = (batch.len() / (n_threads * 8)).clamp(8, 256);
        batch
            .par_chunks_mut(chunk)
            .try_for_each(|chunk| self.run_chunk(chunk, interned, arena, waiting))
    }

    fn run_chunk(
        &self,
        chunk: &mut [Work],
        interned: &Interned,
        arena: &Arena,
        waiting: &HashSet<Address>,
    ) -> Result<(), StoreError> {
        let mut worker = self.executor.worker();
        for work in chunk {
            let tx = self.txs[work.tx_index as usize];
            if !waiting.is_empty() && waiting.contains(&tx.transaction.sender) {
                continue;
            }
            let mut cells = std::mem::take(&mut work.cells);
            arena.read_into(&mut cells, interned.accesses.of(work.tx_index));
            let mut run = worker.run(tx.transaction, cells, Mode::Enforce, self.env, 0)?;
            let undeclared = Outcome::Trap(TrapKind::UndeclaredAccess);
            if work.dynamic && run.outcome == undeclared {
                work.done = Some(Done::Retry { burned: run.fuel });
            } else {
                work.cells = std::mem::take(&mut run.cells);
                work.finish(run, tx.hash, false);
            }
        }
        Ok(())
    }
}

impl Work {
    fn finish(&mut self, run: Run, tx: Hash, tail: bool) {
        let receipt = Receipt {
            tx,
            outcome: run.outcome,
            fuel: run.fuel,
            fee: run.fee,
            results: run.results,
            events: run.events,
            footprint: run.footprint,
            tail,
            failure: run.failure,
        };
        self.fee_only = run.fee_only;
        self.done = Some(Done::Receipt(Box::new(receipt), run.logs));
    }
}
