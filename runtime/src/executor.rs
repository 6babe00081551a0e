//! Runs a block: derives the access lists, schedules, runs each batch on all threads, and gives the
//! receipts and the changes to the state.
//!
//! The stages are public, because the benches measure them one by one:
//! [`Executor::derive`] → [`Executor::intern`] → a scheduler → [`Plan::new`] → [`Executor::execute`].
//! The [`oracle`] does the same sequentially and without any of the machinery; both must agree.

mod barriers;
mod batched;
mod changed;
mod cores;
mod disjoint;
mod effects;
mod ends;
mod forms;
mod graph;
mod intern;
mod items;
mod optimistic;
pub mod oracle;
mod plan;
mod rounds;
mod shares;
mod slots;
mod tail;
mod unbarred;
mod values;
mod versions;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kempe_abi::derive::DeriveError;
use kempe_abi::{AccessKind, Hash, Outcome, TrapKind};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

pub use crate::access::Lists;
use crate::access::{AccessError, CHUNK_TXS, Chunk, ChunkBuilder, derive_list};
use crate::engine::{
    Appended, BlockEnv, CALL_STACK_BYTES, Cell, Contract, ContractSet, Engine, Loading, Mode, Run,
    Worker,
};
use crate::scheduler::Access;
use crate::state::{StateRead, StoreError};
use crate::sync::{lock, panic_text};
use crate::types::{Bytes, Footprints, Prices, Receipt, StateKey, Transaction};

use disjoint::Disjoint;
use effects::{Effect, effects_of, fail_counter};
use items::TxItems;
use slots::Slots;

pub use changed::{Change, ChangedCells};
pub(crate) use changed::{Names, gallop};
pub(crate) use effects::fits;
pub use intern::Interned;
pub use plan::Plan;
pub(crate) use tail::solo;
pub use values::{PostValues, PostValuesError};

/// A transaction with its hash, which was computed to check the signature.
#[derive(Clone, Copy, Debug)]
pub struct Tx<'a> {
    /// The transaction.
    pub transaction: &'a Transaction,
    /// [`Transaction::hash`].
    pub hash: Hash,
}

/// What executing a block gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockOutput {
    /// The receipts, by transaction.
    pub receipts: Vec<Receipt>,
    /// The cells that it changed.
    pub changes: ChangedCells,
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
    /// A transaction left something else than the block says: the published values are wrong. All
    /// before it in the published order are right.
    #[error("tx={tx_index} did not leave the published value: key={key}")]
    PostValue {
        /// The transaction.
        tx_index: u32,
        /// The hash of the key.
        key: Hash,
    },
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
    threads: Arc<ThreadPool>,
    workers: Vec<Mutex<Worker>>,
    fresh: bool,
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
        Self::on(engine, prices, n_threads, &[])
    }

    /// The same with each thread on a processor of its own, for measuring: where threads wake up for a short block, a kernel may
    /// leave two on one processor until long after its end. These are the first ones that the calling thread may use, for each executor, and threads
    /// that one of them starts may use no others. As [`new`](Self::new) where there are fewer processors than threads, or the system is not Linux.
    ///
    /// # Errors
    /// [`ExecutorError::Threads`].
    pub fn pinned(
        engine: &Arc<Engine>,
        prices: Prices,
        n_threads: usize,
    ) -> Result<Self, ExecutorError> {
        let cores = cores::usable();
        let is_enough = cores.len() >= n_threads;
        Self::on(engine, prices, n_threads, if is_enough { &cores } else { &[] })
    }

    /// With each thread on one of these processors; on any where there are none.
    fn on(
        engine: &Arc<Engine>,
        prices: Prices,
        n_threads: usize,
        cores: &[usize],
    ) -> Result<Self, ExecutorError> {
        let cores = cores.to_vec();
        let threads = ThreadPoolBuilder::new()
            .num_threads(n_threads.max(1))
            .stack_size(CALL_STACK_BYTES)
            .thread_name(|at| format!("kempe-worker-{at}"))
            .start_handler(move |at| cores.get(at).copied().into_iter().for_each(cores::stay_on))
            .build()
            .map_err(|error| ExecutorError::Threads(error.to_string()))?;
        let (engine, threads) = (Arc::clone(engine), Arc::new(threads));
        Ok(Self { engine, prices, threads, workers: Vec::new(), fresh: false })
    }

    /// Another executor on the same threads: one derives the next block while the other executes.
    #[must_use]
    pub fn sharing_threads(&self) -> Self {
        Self {
            engine: Arc::clone(&self.engine),
            prices: self.prices,
            threads: Arc::clone(&self.threads),
            workers: Vec::new(),
            fresh: self.fresh,
        }
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

    /// How often this executor has run a transaction: more often than it was given some where a plan runs
    /// some of them again. Starts from 0 after a panic.
    pub fn n_runs(&mut self) -> u64 {
        let workers = self.workers.iter_mut();
        workers
            .map(|worker| worker.get_mut().unwrap_or_else(PoisonError::into_inner).n_runs())
            .sum()
    }

    /// Runs a function on the pool's threads, whose stacks are sized for contracts.
    pub fn install<R: Send>(&self, body: impl FnOnce() -> R + Send) -> R {
        self.threads.install(body)
    }

    /// Derives the access list of each transaction, on all threads.
    ///
    /// # Errors
    /// [`ExecutorError::Store`] when the contracts cannot be read, and [`ExecutorError::Panicked`].
    pub fn derive(
        &self,
        txs: &[Tx<'_>],
        state: &Arc<dyn StateRead>,
    ) -> Result<Lists, ExecutorError> {
        let derive = |txs: &[Tx<'_>]| derive_chunk(txs, &self.engine, &**state, &self.prices);
        self.caught(|| {
            let chunks = txs.par_chunks(CHUNK_TXS).map(derive);
            let chunks = chunks.collect::<Result<Vec<_>, StoreError>>()?;
            Ok(Lists::new(chunks, &**state)?)
        })
    }

    /// Numbers the keys of a block, on all threads.
    ///
    /// # Errors
    /// [`ExecutorError::Panicked`].
    pub fn intern(&self, lists: Lists, txs: &[Tx<'_>]) -> Result<Interned, ExecutorError> {
        self.caught(|| Ok(Interned::new(lists, txs)))
    }

    /// Runs a function on the pool's threads; a panic, which is a bug of the executor, is an error.
    fn caught<R: Send>(
        &self,
        body: impl FnOnce() -> Result<R, ExecutorError> + Send,
    ) -> Result<R, ExecutorError> {
        let result = catch_unwind(AssertUnwindSafe(|| self.threads.install(body)));
        result.unwrap_or_else(|panic| Err(ExecutorError::Panicked(panic_text(&*panic))))
    }

    /// Runs a block by its plan, and gives what sequential execution in the published order would
    /// give.
    ///
    /// # Errors
    /// [`ExecutorError`]; nothing was changed then.
    pub fn execute(
        &mut self,
        txs: &[Tx<'_>],
        plan: &Plan,
        state: &Arc<dyn StateRead>,
        env: BlockEnv,
    ) -> Result<BlockOutput, ExecutorError> {
        if self.workers.is_empty() {
            let worker = |_| Mutex::new(Worker::new(&self.engine, self.prices, self.fresh));
            self.workers = (0..self.n_threads()).map(worker).collect();
        }
        for worker in &mut self.workers {
            worker.get_mut().unwrap_or_else(PoisonError::into_inner).set_state(state);
        }
        let this = &*self;
        let result = this.caught(|| {
            let new = || BlockRun::new(this, txs, plan, state, env);
            if let Some(run) = new()?.run_as_planned()? {
                return tail::finish(run);
            }
            let mut run = new()?;
            run.run_batches()?;
            tail::finish(run)
        });
        if matches!(result, Err(ExecutorError::Panicked(_))) {
            // The workers may be in the middle of something; new ones replace them.
            self.workers.clear();
        }
        for worker in &mut self.workers {
            worker.get_mut().unwrap_or_else(PoisonError::into_inner).unload();
        }
        result
    }

    /// The worker of the current thread. Its lock is never contended: one thread, one worker.
    fn worker(&self) -> MutexGuard<'_, Worker> {
        let at = rayon::current_thread_index().unwrap_or(0);
        lock(&self.workers[at])
    }
}

/// A block while it runs.
struct BlockRun<'a> {
    executor: &'a Executor,
    txs: &'a [Tx<'a>],
    plan: &'a Plan,
    state: &'a Arc<dyn StateRead>,
    env: BlockEnv,
    slots: Slots,
    /// By transaction, whether it may add to what others may add to meanwhile ([`adds_together`](crate::scheduler::adds_together)): what
    /// it does counts in turn with them. Empty if none does, or there is one thread, which runs them in turn.
    adds_together: Vec<bool>,
    /// By transaction, whether an earlier one of its sender in its batch may turn out to be tried again; empty if none is such.
    behind_dynamic: Vec<bool>,
    receipts: Disjoint<Receipt>,
    logs: Disjoint<Vec<String>>,
    /// What was appended to logs, in the order in which they ran. Of those that failed when their additions
    /// were applied, or that run again in the tail lane, it does not count.
    appended: Mutex<Vec<TxItems>>,
    /// Transactions that run in the tail lane although a batch holds them, with the fuel that they
    /// burned there.
    retries: Vec<(u32, u64)>,
}

/// A transaction whose effects wait: for its turn among those that add to the same, or because an earlier one of its sender in the batch, or
/// it itself, is to be tried again.
struct Pending {
    tx_index: u32,
    effects: Vec<Effect>,
    fee_only: Option<Bytes>,
    /// The fuel that it burned, if it left its list.
    retry: Option<u64>,
}

impl<'a> BlockRun<'a> {
    fn new(
        executor: &'a Executor,
        txs: &'a [Tx<'a>],
        plan: &'a Plan,
        state: &'a Arc<dyn StateRead>,
        env: BlockEnv,
    ) -> Result<Self, StoreError> {
        let n_txs = plan.interned().accesses().n_txs();
        assert_eq!(txs.len(), n_txs, "the plan is for these transactions");
        Ok(Self {
            executor,
            txs,
            plan,
            state,
            env,
            slots: Slots::load(plan.interned(), &**state)?,
            adds_together: Vec::new(),
            behind_dynamic: Vec::new(),
            receipts: Disjoint::new(n_txs, blank),
            logs: Disjoint::new(n_txs, Vec::new),
            appended: Mutex::default(),
            retries: Vec::new(),
        })
    }

    /// Writes the footprints of transactions that this thread ran into their receipts.
    fn put_footprints(&self, txs: &[u32], mut footprints: Footprints) {
        for (&tx_index, footprint) in txs.iter().zip(footprints.take()) {
            #[expect(unsafe_code, reason = "see `Disjoint`")]
            // SAFETY: a verified plan names each transaction once, and between its two rounds, if there are two,
            // all threads meet.
            let receipt = unsafe { self.receipts.get_mut(tx_index) };
            receipt.footprint = Hash(footprint);
        }
    }

    /// Asks for what the next transactions need, their slots at last.
    fn fetch_ahead(&self, rest: &[u32]) {
        self.fetch_ahead_with(rest, |accesses| self.slots.prefetch(accesses));
    }

    /// Asks for what the next transactions need, in steps, since one thing says where the next is;
    /// `values` asks for the values of one.
    fn fetch_ahead_with(&self, rest: &[u32], values: impl Fn(&[Access])) {
        let interned = self.plan.interned();
        if let Some(&soon) = rest.get(12) {
            warm::actions(self.txs[soon as usize].transaction);
            interned.lists().prefetch_entries(soon);
        }
        if let Some(&soon) = rest.get(6) {
            warm::args(self.txs[soon as usize].transaction);
            interned.lists().prefetch_keys(soon);
            self.receipts.prefetch(soon);
        }
        if let Some(&soon) = rest.get(3) {
            values(interned.accesses().of(soon));
        }
    }

    fn run_one(
        &self,
        worker: &mut Worker,
        tx_index: u32,
        has_dynamic: bool,
    ) -> Result<Option<Pending>, StoreError> {
        let interned = self.plan.interned();
        let mut run = self.run_on(worker, tx_index, |_, slot| {
            #[expect(unsafe_code, reason = "see `Disjoint`")]
            // SAFETY: the slot is in the list of a transaction whose turn has come, which does not only add
            // to it.
            unsafe { self.slots.get(slot) }.value()
        })?;
        let undeclared = Outcome::Trap(TrapKind::UndeclaredAccess);
        let is_dynamic = || interned.lists().of(tx_index).is_some_and(|list| list.dynamic);
        if has_dynamic && run.outcome == undeclared && is_dynamic() {
            return Ok(Some(Pending::retry(tx_index, run.fuel)));
        }
        let (accesses, cells) = (interned.accesses().of(tx_index), worker.cells_mut());
        if self.waits(tx_index, accesses, cells) {
            let (effects, fee_only) = (effects_of(cells), run.fee_only.take());
            self.put_run(tx_index, run);
            return Ok(Some(Pending { tx_index, effects, fee_only, retry: None }));
        }
        #[expect(unsafe_code, reason = "see `Disjoint`")]
        // SAFETY: these are the accesses of a transaction whose turn has come, and no other thread adds meanwhile to what it adds
        // to, or it would wait.
        if unsafe { self.slots.publish(accesses, cells) } {
            self.put_run(tx_index, run);
            return Ok(None);
        }
        let (mut effects, fee_only) = (effects_of(cells), run.fee_only.take());
        self.put_run(tx_index, run);
        #[expect(unsafe_code, reason = "see `Disjoint`")]
        // SAFETY: likewise.
        unsafe {
            self.settle(tx_index, &mut effects, fee_only);
        }
        Ok(None)
    }

    /// Whether what a transaction did must not count yet.
    fn waits(&self, tx_index: u32, accesses: &[Access], cells: &[Cell]) -> bool {
        let is_in = |txs: &[bool]| txs.get(tx_index as usize).copied().unwrap_or(false);
        let adds = |(access, cell): (&Access, &Cell)| {
            access.kind == AccessKind::Add && cell.added.get() != 0
        };
        is_in(&self.behind_dynamic)
            || is_in(&self.adds_together) && accesses.iter().zip(cells).any(adds)
    }

    /// Runs a transaction on the values that `read` gives for the positions in its list and their
    /// slots. What it only adds to it does not see.
    fn run_on<'v>(
        &self,
        worker: &mut Worker,
        tx_index: u32,
        read: impl Fn(usize, u32) -> Option<&'v Bytes>,
    ) -> Result<Run, StoreError> {
        let interned = self.plan.interned();
        let accesses = interned.accesses().of(tx_index);
        worker.load(interned.shared_lists(), tx_index, |copies, at, _| {
            let Access { slot, kind } = accesses[at];
            let value = match kind {
                // Others may be adding to a counter that it adds to.
                AccessKind::Add => None,
                // Others may be reading it, too.
                AccessKind::Read => read(at, slot).map(|value| copies.of(value)),
                AccessKind::Write => read(at, slot).cloned(),
            };
            Ok((slot, value))
        })?;
        worker.run(self.txs[tx_index as usize].transaction, Mode::Enforce, self.env, 0)
    }

    /// Writes down what a transaction gave, without its footprint.
    fn put_run(&self, tx_index: u32, mut run: Run) {
        let logs = std::mem::take(&mut run.logs);
        self.put_items(tx_index, std::mem::take(&mut run.appended));
        self.put(tx_index, receipt_of(run, self.txs[tx_index as usize].hash, false), logs);
    }

    fn put_items(&self, tx_index: u32, items: Box<[Appended]>) {
        if !items.is_empty() {
            lock(&self.appended).push((tx_index, items));
        }
    }

    fn put(&self, tx_index: u32, receipt: Receipt, logs: Vec<String>) {
        #[expect(unsafe_code, reason = "see `Disjoint`")]
        // SAFETY: a verified plan names each transaction once, and its last run is put by one thread.
        unsafe {
            if !logs.is_empty() {
                self.logs.put(tx_index, logs);
            }
            self.receipts.put(tx_index, receipt);
        }
    }

    /// The key at a position of a transaction's list.
    fn key_of(&self, tx_index: u32, at: u32) -> StateKey {
        let list = self.plan.interned().lists().of(tx_index);
        let key = list.and_then(|list| list.iter().nth(at as usize));
        key.expect("the cells of a batch's transaction are its list").state_key()
    }

    /// Ends a transaction whose additions waited: where one does not fit, it failed.
    ///
    /// # Safety
    /// While this runs nobody else uses the transaction's receipt, or a slot of its effects.
    #[expect(unsafe_code, reason = "see `Disjoint`")]
    unsafe fn settle(&self, tx_index: u32, effects: &mut Vec<Effect>, fee_only: Option<Bytes>) {
        // SAFETY: as the caller promises.
        unsafe {
            if let Err(cell) = self.slots.try_apply_beside(effects) {
                let sender = &self.txs[tx_index as usize].transaction.sender;
                let (receipt, prices) = (self.receipts.get_mut(tx_index), &self.executor.prices);
                let counter = self.key_of(tx_index, cell);
                fail_counter(receipt, counter, effects, fee_only, sender, prices);
                self.slots.apply_beside(effects);
            }
        }
    }
}

impl Pending {
    fn retry(tx_index: u32, burned: u64) -> Self {
        Self { tx_index, effects: Vec::new(), fee_only: None, retry: Some(burned) }
    }
}

/// What stands for a receipt until the transaction has run.
pub(crate) fn blank() -> Receipt {
    Receipt {
        tx: Hash::ZERO,
        outcome: Outcome::Ok,
        fuel: 0,
        fee: 0,
        results: Vec::new(),
        events: Vec::new(),
        footprint: Hash::ZERO,
        tail: false,
        failure: None,
    }
}

/// The receipt of a run, without its footprint.
fn receipt_of(run: Run, tx: Hash, tail: bool) -> Receipt {
    Receipt {
        tx,
        outcome: run.outcome,
        fuel: run.fuel,
        fee: run.fee,
        results: run.results,
        events: run.events,
        footprint: Hash::ZERO,
        tail,
        failure: run.failure,
    }
}

/// Hints for transactions that are looked at soon.
mod warm {
    use crate::prefetch::prefetch;
    use crate::types::{Action, Transaction};

    pub(super) fn actions(tx: &Transaction) {
        if let Some(action) = tx.actions.first() {
            prefetch(action);
        }
    }

    pub(super) fn args(tx: &Transaction) {
        if let Some(Action::Call { args, .. }) = tx.actions.first()
            && let Some(byte) = args.first()
        {
            prefetch(byte);
        }
    }
}

/// The lists of one chunk of transactions.
fn derive_chunk(
    txs: &[Tx<'_>],
    engine: &Engine,
    state: &dyn StateRead,
    prices: &Prices,
) -> Result<Chunk, StoreError> {
    let mut chunk = ChunkBuilder::new(txs.len());
    let mut contracts = ContractSet::default();
    for (at, tx) in txs.iter().enumerate() {
        if let Some(soon) = txs.get(at + 16) {
            warm::actions(soon.transaction);
        }
        if let Some(soon) = txs.get(at + 8) {
            warm::args(soon.transaction);
        }
        let tx = tx.transaction;
        // A transaction whose list does not follow has a row that says so.
        let derived = derive_with(tx, &mut contracts, engine, state, prices, &mut chunk)?;
        // A dynamic transaction without an explicit list would only fail.
        if derived.is_ok() && tx.access.is_empty() && chunk.is_dynamic() {
            chunk.unlist();
        }
    }
    Ok(chunk.finish())
}

/// Contracts that are kept from one transaction to the next; they are only a cache.
const CONTRACTS_MAX: usize = 1024;

/// Derives a list, loading the contracts it needs.
pub(crate) fn derive_with(
    tx: &Transaction,
    contracts: &mut ContractSet,
    engine: &Engine,
    state: &dyn StateRead,
    prices: &Prices,
    chunk: &mut ChunkBuilder,
) -> Result<Result<(), AccessError>, StoreError> {
    let derived = derive_list(tx, contracts, prices, chunk);
    let Err(AccessError::Derive { source: DeriveError::NoSuchContract(address), .. }) = &derived
    else {
        return Ok(derived);
    };
    let Some(contract) = Contract::load(engine, state, address)? else { return Ok(derived) };
    if contracts.len() > CONTRACTS_MAX {
        *contracts = ContractSet::default();
    }
    contracts.insert(Arc::new(contract));
    chunk.pop();
    let loading = Loading::new(contracts, engine, state);
    let derived = derive_list(tx, &loading, prices, chunk);
    loading.finish()?.into_iter().for_each(|contract| contracts.insert(contract));
    Ok(derived)
}
