//! The serial oracle: what parallel execution must equal, byte for byte.
//!
//! It executes the published order one transaction after the other on a map of changed keys: no
//! slots, no batches, no threads, and a fresh instance for every call. It shares with the executor
//! only what one transaction does alone: derivation and the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kempe_abi::{Address, Outcome, TrapKind};

use super::tail::{Alone, Attempt, BlockView};
use super::{BlockOutput, ChangedCells, ExecutorError, Tx};
use crate::engine::{BlockEnv, Engine, Worker};
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
        worker: Worker::new(engine, prices, true),
        view: Arc::new(BlockView::new(state, ChangedCells::default())),
        engine,
        prices,
        txs,
        env,
        done: BTreeMap::new(),
    };
    let mut retries = Vec::new();
    let mut batched = BTreeMap::new();
    // Lists are derived from the state before the block: that is the rule of the protocol.
    for &tx_index in schedule.batches().flatten() {
        batched.insert(tx_index, oracle.alone(tx_index, &**state)?);
    }
    let mut waiting: BTreeSet<Address> = BTreeSet::new();
    for &tx_index in schedule.batches().flatten() {
        let alone = batched.remove(&tx_index).expect("every batched list was derived above");
        let sender = txs[tx_index as usize].transaction.sender;
        if waiting.contains(&sender) {
            retries.push((tx_index, 0));
        } else if let Some(burned) = oracle.run_in_batch(tx_index, alone)? {
            waiting.insert(sender);
            retries.push((tx_index, burned));
        }
    }
    oracle.show_items()?;
    retries.extend(schedule.tail().iter().map(|&tx_index| (tx_index, 0)));
    retries.sort_unstable();
    for (tx_index, burned) in retries {
        let view = Arc::clone(&oracle.view);
        let alone = oracle.alone(tx_index, &*view)?;
        drop(view);
        let attempt = oracle.attempt(tx_index, &alone, burned, true)?;
        oracle.settle(tx_index, attempt)?;
        oracle.show_items()?;
    }
    let view = Arc::into_inner(oracle.view).expect("the worker gave its handle back");
    let mut output = BlockOutput { changes: view.into_changes()?, ..BlockOutput::default() };
    for (receipt, logs) in oracle.done.into_values() {
        output.receipts.push(receipt);
        output.logs.push(logs);
    }
    Ok(output)
}

struct Oracle<'a> {
    worker: Worker,
    view: Arc<BlockView>,
    engine: &'a Engine,
    prices: Prices,
    txs: &'a [Tx<'a>],
    env: BlockEnv,
    done: BTreeMap<u32, (crate::types::Receipt, Vec<String>)>,
}

impl Oracle<'_> {
    fn alone(&self, tx_index: u32, state: &dyn StateRead) -> Result<Alone, ExecutorError> {
        let tx = self.txs[tx_index as usize].transaction;
        Ok(Alone::derive(tx, self.engine, state, &self.prices)?)
    }

    /// Returns the fuel it burned if it is to be tried again.
    fn run_in_batch(&mut self, tx_index: u32, alone: Alone) -> Result<Option<u64>, ExecutorError> {
        let dynamic = alone.is_dynamic();
        let attempt = self.attempt(tx_index, &alone.in_batch(), 0, false)?;
        let undeclared = Outcome::Trap(TrapKind::UndeclaredAccess);
        if dynamic && attempt.receipt.outcome == undeclared {
            return Ok(Some(attempt.receipt.fuel));
        }
        self.settle(tx_index, attempt)?;
        Ok(None)
    }

    fn attempt(
        &mut self,
        tx_index: u32,
        alone: &Alone,
        burned: u64,
        tail: bool,
    ) -> Result<Attempt, ExecutorError> {
        let tx = self.txs[tx_index as usize];
        let state: Arc<dyn StateRead> = self.view.clone();
        Ok(alone.run(&mut self.worker, tx, &state, self.env, burned, tail)?)
    }

    fn show_items(&mut self) -> Result<(), ExecutorError> {
        let view = Arc::get_mut(&mut self.view).expect("the worker gave its handle back");
        Ok(view.show_items()?)
    }

    fn settle(&mut self, tx_index: u32, mut attempt: Attempt) -> Result<(), ExecutorError> {
        let tx = self.txs[tx_index as usize].transaction;
        let view = Arc::get_mut(&mut self.view).expect("the worker gave its handle back");
        view.settle(tx, &mut attempt, &self.prices)?;
        self.done.insert(tx_index, (attempt.receipt, attempt.logs));
        Ok(())
    }
}
