//! The serial oracle: what parallel execution must equal, byte for byte.
//!
//! It executes the published order one transaction after the other on a map of changed keys: no
//! slots, no batches, no threads, and a fresh instance for every call. It shares with the executor
//! only what one transaction does alone: derivation and the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kempe_abi::{Address, Outcome, TrapKind};

use super::arena::{fail_counter, sum_of};
use super::lists::derive_with;
use super::tail::{self, BlockView};
use super::{BlockOutput, Done, ExecutorError, Tx, Work};
use crate::access::AccessList;
use crate::engine::{BlockEnv, ContractSet, Engine, Mode, Worker};
use crate::scheduler::Schedule;
use crate::state::StateRead;
use crate::types::Prices;

/// Executes a block sequentially, in the order that `schedule` publishes.
///
/// # Errors
/// [`ExecutorError::Store`] when the state cannot be read.
#[allow(clippy::missing_panics_doc, reason = "handles are given back before they are taken")]
pub fn execute(
    engine: &Arc<Engine>,
    prices: Prices,
    txs: &[Tx<'_>],
    schedule: &Schedule,
    state: &Arc<dyn StateRead>,
    env: BlockEnv,
) -> Result<BlockOutput, ExecutorError> {
    let mut oracle = Oracle {
        worker: Worker::new(engine, prices, state, true),
        view: Arc::new(BlockView::new(state)),
        engine,
        prices,
        txs,
        env,
        done: BTreeMap::new(),
    };
    let mut retries = Vec::new();
    let mut lists = BTreeMap::new();
    // Lists are derived from the state before the block: that is the rule of the protocol.
    for &tx_index in schedule.batches().flatten() {
        lists.insert(tx_index, oracle.list(tx_index, &**state)?);
    }
    let mut waiting: BTreeSet<Address> = BTreeSet::new();
    for &tx_index in schedule.batches().flatten() {
        let (list, mode) = lists.remove(&tx_index).expect("every batched list was derived above");
        let sender = txs[tx_index as usize].transaction.sender;
        if waiting.contains(&sender) {
            retries.push((tx_index, 0));
        } else if let Some(burned) = oracle.run(tx_index, list, mode, 0)? {
            waiting.insert(sender);
            retries.push((tx_index, burned));
        }
    }
    retries.extend(schedule.tail().iter().map(|&tx_index| (tx_index, 0)));
    retries.sort_unstable();
    for (tx_index, burned) in retries {
        let view = Arc::clone(&oracle.view);
        let (list, mode) = oracle.list(tx_index, &*view)?;
        drop(view);
        oracle.run_alone(tx_index, list, mode, burned)?;
    }
    let view = Arc::into_inner(oracle.view).expect("the worker gave its handle back");
    let mut output = BlockOutput { changes: view.into_changes(), ..BlockOutput::default() };
    output.changes.sort_unstable_by_key(|change| change.hash);
    for (receipt, logs) in oracle.done.into_values() {
        output.receipts.push(receipt);
        output.logs.push(logs);
    }
    Ok(output)
}

struct Oracle<'a> {
    worker: Worker,
    view: Arc<BlockView>,
    engine: &'a Arc<Engine>,
    prices: Prices,
    txs: &'a [Tx<'a>],
    env: BlockEnv,
    done: BTreeMap<u32, (crate::types::Receipt, Vec<String>)>,
}

impl Oracle<'_> {
    fn list(
        &self,
        tx_index: u32,
        state: &dyn StateRead,
    ) -> Result<(AccessList, Mode), ExecutorError> {
        let tx = self.txs[tx_index as usize].transaction;
        let mut contracts = ContractSet::default();
        let derived = derive_with(tx, &mut contracts, self.engine, state, &self.prices)?;
        Ok(tail::solo(derived, tx, &self.prices, state)?)
    }

    /// A transaction of a batch: only its list is permitted. Returns the fuel it burned if it is
    /// to be tried again.
    fn run(
        &mut self,
        tx_index: u32,
        list: AccessList,
        mode: Mode,
        burned: u64,
    ) -> Result<Option<u64>, ExecutorError> {
        let dynamic = list.dynamic;
        let mode = if mode == Mode::Record { Mode::Enforce } else { mode };
        let work = self.attempt(tx_index, list, mode, burned, false)?;
        let Some(Done::Receipt(receipt, _)) = &work.done else { return Ok(None) };
        let undeclared = Outcome::Trap(TrapKind::UndeclaredAccess);
        if dynamic && receipt.outcome == undeclared {
            return Ok(Some(receipt.fuel));
        }
        self.settle(work)?;
        Ok(None)
    }

    fn run_alone(
        &mut self,
        tx_index: u32,
        list: AccessList,
        mode: Mode,
        burned: u64,
    ) -> Result<(), ExecutorError> {
        let work = self.attempt(tx_index, list, mode, burned, true)?;
        self.settle(work)
    }

    fn attempt(
        &mut self,
        tx_index: u32,
        mut list: AccessList,
        mode: Mode,
        burned: u64,
        tail: bool,
    ) -> Result<Work, ExecutorError> {
        let tx = self.txs[tx_index as usize];
        let state: Arc<dyn StateRead> = self.view.clone();
        for cell in &mut list.cells {
            cell.value = state.get(&cell.hash)?;
        }
        self.worker.set_state(&state);
        let mut run = self.worker.run(tx.transaction, list.cells, mode, self.env, burned)?;
        let cells = std::mem::take(&mut run.cells);
        let mut work = Work { tx_index, cells, dynamic: list.dynamic, fee_only: None, done: None };
        work.finish(run, tx.hash, tail);
        Ok(work)
    }

    fn settle(&mut self, mut work: Work) -> Result<(), ExecutorError> {
        let sender: Address = self.txs[work.tx_index as usize].transaction.sender;
        let base = Arc::clone(&self.view);
        let overflow = work.cells.iter().try_fold(false, |failed, cell| {
            let current = base.get(&cell.hash)?;
            Ok::<_, ExecutorError>(failed || sum_of(cell, current.as_deref()).is_err())
        })?;
        if overflow {
            fail_counter(&mut work, &sender, &self.prices);
        }
        // The worker holds a handle on the view until it is given another.
        let none: Arc<dyn StateRead> = Arc::new(Nothing);
        self.worker.set_state(&none);
        drop(base);
        let view = Arc::get_mut(&mut self.view).expect("the worker gave its handle back");
        view.settle(&mut work, &sender, &self.prices)?;
        if let Some(Done::Receipt(receipt, logs)) = work.done {
            self.done.insert(work.tx_index, (*receipt, logs));
        }
        Ok(())
    }
}

/// A state without keys.
struct Nothing;

impl StateRead for Nothing {
    fn get(
        &self,
        _: &crate::types::KeyHash,
    ) -> Result<Option<crate::types::Bytes>, crate::state::StoreError> {
        Ok(None)
    }
}
