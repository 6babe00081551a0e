//! The tail lane: transactions whose list was not known, or turned out too short, one by one.

use std::sync::Arc;

use kempe_abi::derive::DeriveError;
use kempe_abi::{Address, TrapKind};
use rayon::prelude::*;

use super::arena::{Arena, fail_counter, sum_of};
use super::lists::derive_with;
use super::{BlockOutput, BlockRun, Change, Done, ExecutorError, Work};
use crate::access::{AccessError, AccessList, fee_list};
use crate::engine::{ContractSet, Mode};
use crate::scheduler::Schedule;
use crate::state::{StateRead, StoreError};
use crate::types::{Bytes, KeyHash, KeyMap, Prices, StateKey, Transaction};

/// The state with the block's changes so far on top.
pub(super) struct BlockView {
    base: Arc<dyn StateRead>,
    changed: KeyMap<(StateKey, Option<Bytes>)>,
}

impl StateRead for BlockView {
    fn get(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        match self.changed.get(key) {
            Some((_, value)) => Ok(value.clone()),
            None => self.base.get(key),
        }
    }
}

impl BlockView {
    pub(super) fn new(base: &Arc<dyn StateRead>) -> Self {
        Self { base: Arc::clone(base), changed: KeyMap::default() }
    }

    /// Applies what a transaction did; see [`Arena::settle`].
    pub(super) fn settle(
        &mut self,
        work: &mut Work,
        sender: &Address,
        prices: &Prices,
    ) -> Result<(), StoreError> {
        for cell in &work.cells {
            if cell.added.get() != 0 && sum_of(cell, self.get(&cell.hash)?.as_deref()).is_err() {
                fail_counter(work, sender, prices);
                break;
            }
        }
        for cell in &work.cells {
            if cell.added.get() != 0
                && let Ok(sum) = sum_of(cell, self.get(&cell.hash)?.as_deref())
            {
                self.changed.insert(cell.hash, (cell.key.clone(), Some(sum)));
            }
            if cell.dirty {
                self.changed.insert(cell.hash, (cell.key.clone(), cell.value.clone()));
            }
        }
        Ok(())
    }

    /// The changes, in arbitrary order.
    pub(super) fn into_changes(self) -> Vec<Change> {
        let changed = self.changed.into_iter();
        changed.map(|(hash, (key, value))| Change { key, hash, value }).collect()
    }
}

/// Runs the tail, and collects the receipts and changes of the whole block.
pub(super) fn finish(
    block: &BlockRun<'_>,
    mut works: Vec<Work>,
    arena: Arena,
    schedule: &Schedule,
) -> Result<BlockOutput, ExecutorError> {
    let retries = works.iter().filter_map(|work| match work.done {
        Some(Done::Retry { burned }) => Some((work.tx_index, burned)),
        _ => None,
    });
    let planned = schedule.tail().iter().map(|&tx_index| (tx_index, 0));
    // In order of index, so that one sender's transactions keep their order.
    let mut tail: Vec<(u32, u64)> = planned.chain(retries).collect();
    tail.sort_unstable();
    let changes = if tail.is_empty() {
        arena.into_changes(&works)
    } else {
        let mut view = BlockView::new(block.state);
        for change in arena.into_changes(&works) {
            view.changed.insert(change.hash, (change.key, change.value));
        }
        run_tail(block, &tail, &mut works, view)?
    };
    let mut done: Vec<Option<Done>> = Vec::new();
    done.resize_with(block.txs.len(), || None);
    for work in &mut works {
        if !matches!(work.done, Some(Done::Retry { .. })) {
            done[work.tx_index as usize] = work.done.take();
        }
    }
    // Freeing a block's cells is work enough to share.
    works.into_par_iter().with_min_len(256).for_each(drop);
    let mut receipts = Vec::with_capacity(done.len());
    let mut logs = Vec::with_capacity(done.len());
    for done in done.into_iter().flatten() {
        if let Done::Receipt(receipt, lines) = done {
            receipts.push(*receipt);
            logs.push(lines);
        }
    }
    Ok(BlockOutput { receipts, changes, logs })
}

fn run_tail(
    block: &BlockRun<'_>,
    tail: &[(u32, u64)],
    works: &mut Vec<Work>,
    view: BlockView,
) -> Result<Vec<Change>, ExecutorError> {
    let mut view = Arc::new(view);
    let mut worker = block.executor.worker();
    for &(tx_index, burned) in tail {
        let tx = block.txs[tx_index as usize];
        let state: Arc<dyn StateRead> = view.clone();
        let (list, mode) =
            tail_list(block, tx.transaction, &*state).map_err(ExecutorError::Store)?;
        worker.set_state(&state);
        let mut run = worker.run(tx.transaction, list.cells, mode, block.env, burned)?;
        worker.set_state(block.state);
        drop(state);
        let cells = std::mem::take(&mut run.cells);
        let mut work = Work { tx_index, cells, dynamic: list.dynamic, fee_only: None, done: None };
        work.finish(run, tx.hash, true);
        let view = Arc::get_mut(&mut view).expect("the worker gave its handle back");
        view.settle(&mut work, &tx.transaction.sender, &block.executor.prices)?;
        works.push(work);
    }
    drop(worker);
    let view = Arc::into_inner(view).expect("the worker gave its handle back");
    Ok(view.into_changes())
}

/// The list with which a transaction runs alone, against the state as it is now.
fn tail_list(
    block: &BlockRun<'_>,
    tx: &Transaction,
    state: &dyn StateRead,
) -> Result<(AccessList, Mode), StoreError> {
    let executor = block.executor;
    let mut contracts = ContractSet::default();
    let derived = derive_with(tx, &mut contracts, &executor.engine, state, &executor.prices)?;
    solo(derived, tx, &executor.prices, state)
}

/// How a transaction with this list runs when it runs alone: in the tail, or simulated.
pub(crate) fn solo(
    derived: Result<AccessList, AccessError>,
    tx: &Transaction,
    prices: &Prices,
    state: &dyn StateRead,
) -> Result<(AccessList, Mode), StoreError> {
    let (mut list, mode) = match derived {
        Ok(list) if list.dynamic => (list, Mode::Record),
        Ok(list) => (list, Mode::Enforce),
        Err(AccessError::Deployment) => (AccessList::default(), Mode::Record),
        Err(error) => (fee_list(tx, prices), Mode::Refuse(refusal(&error))),
    };
    for cell in &mut list.cells {
        cell.value = state.get(&cell.hash)?;
    }
    Ok((list, mode))
}

fn refusal(error: &AccessError) -> TrapKind {
    match error {
        AccessError::Derive { source, .. } => match source {
            DeriveError::NoSuchContract(_) => TrapKind::NoSuchContract,
            DeriveError::NoSuchMethod { .. } => TrapKind::NoSuchMethod,
            DeriveError::BadArguments { .. } => TrapKind::BadArguments,
            DeriveError::TooLarge => TrapKind::ListTooLarge,
            _ => TrapKind::Underivable,
        },
        AccessError::TooLarge => TrapKind::ListTooLarge,
        AccessError::Deployment => TrapKind::NotPermitted,
    }
}
