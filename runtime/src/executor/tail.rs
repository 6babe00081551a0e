//! The tail lane: transactions whose list was not known, or turned out too short, one by one.

use std::collections::BTreeSet;
use std::mem::take;
use std::sync::{Arc, PoisonError};

use kempe_abi::{AccessKind, Address, Outcome, TrapKind};

use super::effects::{Effect, effects_of, fail_counter};
use super::items::{self, TxItems, changes_of};
use super::{
    BlockOutput, BlockRun, Change, ChangedCells, ExecutorError, Tx, derive_with, receipt_of,
};
use crate::access::{AccessError, ChunkBuilder, Lists, fee_list};
use crate::engine::{Appended, BlockEnv, ContractSet, Engine, Mode, Worker};
use crate::scheduler::Schedule;
use crate::state::{StateRead, StoreError, UpTo, up_to};
use crate::types::{
    Action, Bytes, KeyHash, KeyMap, Prices, Receipt, StateKey, Transaction, footprint_hash,
};

/// The state with the block's changes so far on top.
pub(super) struct BlockView {
    base: Arc<dyn StateRead>,
    /// What the batches left.
    batches: ChangedCells,
    changed: KeyMap<(StateKey, Option<Bytes>)>,
    /// Items that were appended and are not seen yet.
    items: Vec<Change>,
    /// For these the block begins behind their upgrade: what their old code left may mean something else to the new one.
    upgraded: BTreeSet<Address>,
    /// What cells of theirs were then that have changed since.
    upgraded_cells: KeyMap<(Address, Option<Bytes>)>,
}

impl StateRead for BlockView {
    fn get(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        match self.look(key)? {
            Some(value) if value.is_unread() => self.base.get(key),
            value => Ok(value),
        }
    }

    fn look(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        match self.changed.get(key) {
            Some((_, value)) => Ok(value.clone()),
            None => self.batches.get(key).map_or_else(|| self.base.look(key), Ok),
        }
    }

    fn get_up_to(&self, key: &KeyHash, most: u64) -> Result<UpTo, StoreError> {
        match self.look(key)? {
            Some(value) if value.is_unread() => self.base.get_up_to(key, most),
            value => Ok(up_to(value, most)),
        }
    }

    fn at_start(&self, contract: &Address, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        if !self.upgraded.contains(contract) {
            return self.base.at_start(contract, key);
        }
        self.upgraded_cells.get(key).map_or_else(|| self.get(key), |(_, value)| Ok(value.clone()))
    }
}

impl BlockView {
    /// Of the state before the block, and what its batches left.
    pub(super) fn new(base: &Arc<dyn StateRead>, batches: ChangedCells) -> Self {
        let (base, changed) = (Arc::clone(base), KeyMap::default());
        let (items, upgraded, upgraded_cells) = (Vec::new(), BTreeSet::new(), KeyMap::default());
        Self { base, batches, changed, items, upgraded, upgraded_cells }
    }

    /// Applies what a transaction did; its additions may turn out not to fit, and then it failed.
    pub(super) fn settle(
        &mut self,
        tx: &Transaction,
        attempt: &mut Attempt,
        prices: &Prices,
    ) -> Result<(), StoreError> {
        if let Err(cell) = self.apply(attempt)? {
            let Attempt { receipt, effects, fee_only, keys, .. } = attempt;
            let counter = keys[cell as usize].clone();
            fail_counter(receipt, counter, effects, fee_only.take(), &tx.sender, prices);
            attempt.appended = Box::default();
            // What is left of it pays the fee.
            let _ = self.apply(attempt)?;
        }
        let items = changes_of(take(&mut attempt.appended), self)?;
        self.items.extend(items);
        let is_upgrade = |action: &Action| matches!(action, Action::Upgrade(_));
        if attempt.receipt.outcome == Outcome::Ok && tx.actions.iter().any(is_upgrade) {
            // What it appended was there before the block, too, as far as the new code sees.
            self.show_items()?;
            tx.actions.iter().for_each(|action| self.note_upgrade(action));
        }
        Ok(())
    }

    fn note_upgrade(&mut self, action: &Action) {
        let Action::Upgrade(upgrade) = action else { return };
        let contract = upgrade.contract;
        self.upgraded_cells.retain(|_, (other, _)| *other != contract);
        self.upgraded.insert(contract);
    }

    /// Keeps what a cell was when its contract was upgraded, if it was, before the cell changes.
    fn keep(&mut self, contract: Address, hash: KeyHash) -> Result<(), StoreError> {
        if self.upgraded.contains(&contract) && !self.upgraded_cells.contains_key(&hash) {
            let value = self.get(&hash)?;
            self.upgraded_cells.insert(hash, (contract, value));
        }
        Ok(())
    }

    /// Lets the items be seen that were appended so far: not before all of the batches have run, because in a
    /// parallel run they become cells then, and a list may name one.
    pub(super) fn show_items(&mut self) -> Result<(), StoreError> {
        for Change { key, hash, value } in take(&mut self.items) {
            self.keep(key.contract, hash)?;
            self.changed.insert(hash, (key, value));
        }
        Ok(())
    }

    /// Applies all of it, or nothing, if something does not fit the cell at a position.
    fn apply(&mut self, attempt: &Attempt) -> Result<Result<(), u32>, StoreError> {
        let mut values = Vec::with_capacity(attempt.effects.len());
        for effect in &attempt.effects {
            match effect.value(self.look(&effect.hash)?.as_deref()) {
                Ok(value) => values.push(value),
                Err(_) => return Ok(Err(effect.cell)),
            }
        }
        for (effect, value) in attempt.effects.iter().zip(values) {
            let key = attempt.keys[effect.cell as usize].clone();
            self.keep(key.contract, effect.hash)?;
            self.changed.insert(effect.hash, (key, value));
        }
        Ok(Ok(()))
    }

    /// All that the block changed.
    pub(super) fn into_changes(mut self) -> Result<ChangedCells, StoreError> {
        self.show_items()?;
        let changed = self.changed.into_iter();
        let changed = changed.map(|(hash, (key, value))| Change { key, hash, value });
        Ok(self.batches.then(changed.collect::<Vec<_>>().into()))
    }
}

/// A transaction that ran alone.
pub(super) struct Attempt {
    pub(super) receipt: Receipt,
    pub(super) logs: Vec<String>,
    /// What it appended to logs.
    appended: Box<[Appended]>,
    effects: Vec<Effect>,
    /// The keys of all its cells.
    keys: Vec<StateKey>,
    fee_only: Option<Bytes>,
}

/// How a transaction runs alone.
pub(super) struct Alone {
    lists: Arc<Lists>,
    mode: Mode,
}

impl Alone {
    /// With the list that follows from the state as it is now.
    pub(super) fn derive(
        tx: &Transaction,
        engine: &Engine,
        state: &dyn StateRead,
        prices: &Prices,
    ) -> Result<Self, StoreError> {
        let (lists, mode) = solo(tx, engine, state, prices)?;
        Ok(Self { lists: Arc::new(lists), mode })
    }

    /// Whether it may touch what its list does not name and be tried again.
    pub(super) fn is_dynamic(&self) -> bool {
        self.mode == Mode::Record && self.lists.has_dynamic()
    }

    /// The same, as a transaction of a batch: only its list is permitted.
    pub(super) fn in_batch(mut self) -> Self {
        if self.mode == Mode::Record {
            self.mode = Mode::Enforce;
        }
        self
    }

    /// Runs it on the values that `state` has now.
    pub(super) fn run(
        &self,
        worker: &mut Worker,
        tx: Tx<'_>,
        state: &Arc<dyn StateRead>,
        env: BlockEnv,
        burned: u64,
        tail: bool,
    ) -> Result<Attempt, StoreError> {
        worker.set_state(state);
        // What a list only lets it add to it does not see, unless it may do more than its list says, and pays for what is there.
        let entries = self.lists.of(0).map(|list| list.entries()).unwrap_or_default();
        let is_added = |at: usize| entries.get(at).is_some_and(|of| of.kind == AccessKind::Add);
        worker.load(&self.lists, 0, |_, at, key| {
            let is_unseen = self.mode != Mode::Record && is_added(at);
            Ok((u32::MAX, if is_unseen { None } else { state.look(key)? }))
        })?;
        let mut run = worker.run(tx.transaction, self.mode, env, burned)?;
        let footprint = footprint_hash(&worker.footprint().collect::<Vec<_>>());
        let keys = worker.keys().map(|(key, _)| key).collect();
        let effects = effects_of(worker.cells_mut());
        worker.unload();
        let (logs, fee_only) = (take(&mut run.logs), run.fee_only.take());
        let appended = take(&mut run.appended);
        let receipt = Receipt { footprint, ..receipt_of(run, tx.hash, tail) };
        Ok(Attempt { receipt, logs, appended, effects, keys, fee_only })
    }
}

/// Runs the tail, and collects the receipts and changes of the whole block.
pub(super) fn finish(mut block: BlockRun<'_>) -> Result<BlockOutput, ExecutorError> {
    let planned = block.plan.schedule().tail().iter().map(|&tx_index| (tx_index, 0));
    // In order of index, so that one sender's transactions keep their order.
    let mut tail: Vec<(u32, u64)> = planned.chain(block.retries.drain(..)).collect();
    tail.sort_unstable();
    let (mut receipts, mut logs) = (block.receipts.into_vec(), block.logs.into_vec());
    let appended = block.appended.into_inner().unwrap_or_else(PoisonError::into_inner);
    let appended = published(appended, block.plan.schedule(), &receipts, &tail);
    let mut changes = block.slots.into_changes(block.plan.interned());
    if !appended.is_empty() {
        changes = changes.then(items::changes(appended, &**block.state)?.into());
    }
    if tail.is_empty() {
        return Ok(BlockOutput { receipts, changes, logs });
    }
    let mut view = Arc::new(BlockView::new(block.state, changes));
    let (executor, env) = (block.executor, block.env);
    let mut worker = executor.worker();
    for (tx_index, burned) in tail {
        let at = tx_index as usize;
        let tx = block.txs[at];
        let state: Arc<dyn StateRead> = view.clone();
        let alone = Alone::derive(tx.transaction, &executor.engine, &*state, &executor.prices)?;
        let mut attempt = alone.run(&mut worker, tx, &state, env, burned, true)?;
        drop(state);
        let view = Arc::get_mut(&mut view).expect("the worker gave its handle back");
        view.settle(tx.transaction, &mut attempt, &executor.prices)?;
        view.show_items()?;
        (receipts[at], logs[at]) = (attempt.receipt, attempt.logs);
    }
    let view = Arc::into_inner(view).expect("the worker gave its handle back");
    Ok(BlockOutput { receipts, changes: view.into_changes()?, logs })
}

/// What the transactions of batches appended, in the published order, without those that count for nothing.
fn published(
    mut appended: Vec<TxItems>,
    schedule: &Schedule,
    receipts: &[Receipt],
    tail: &[(u32, u64)],
) -> Vec<TxItems> {
    if appended.is_empty() {
        return appended;
    }
    appended.retain(|(tx, _)| {
        let is_tail = tail.binary_search_by_key(tx, |(other, _)| *other).is_ok();
        receipts[*tx as usize].outcome == Outcome::Ok && !is_tail
    });
    let mut places = vec![0; receipts.len()];
    (0u32..).zip(schedule.order()).for_each(|(place, &tx)| places[tx as usize] = place);
    appended.sort_unstable_by_key(|(tx, _)| places[*tx as usize]);
    appended
}

/// The list of a transaction, and how it runs, when it runs alone: in the tail, or simulated.
pub(crate) fn solo(
    tx: &Transaction,
    engine: &Engine,
    state: &dyn StateRead,
    prices: &Prices,
) -> Result<(Lists, Mode), StoreError> {
    let mut chunk = ChunkBuilder::new(1);
    let mut contracts = ContractSet::default();
    let derived = derive_with(tx, &mut contracts, engine, state, prices, &mut chunk)?;
    let mode = match derived {
        Ok(()) if chunk.is_dynamic() => Mode::Record,
        Ok(()) => Mode::Enforce,
        Err(error) => {
            // What paying for it touches is known whatever it does, and there to pay at the end.
            let work = chunk.work();
            chunk = ChunkBuilder::new(1);
            fee_list(tx, prices, work, &mut chunk);
            match error {
                AccessError::Deployment => Mode::Record,
                error => Mode::Refuse(refusal(&error)),
            }
        }
    };
    Ok((Lists::of_chunk(chunk.finish()), mode))
}

fn refusal(error: &AccessError) -> TrapKind {
    match error {
        AccessError::Derive { source, .. } => source.trap(),
        AccessError::TooLarge => TrapKind::ListTooLarge,
        AccessError::Unaffordable => TrapKind::OutOfFuel,
        AccessError::Deployment => TrapKind::NotPermitted,
    }
}
