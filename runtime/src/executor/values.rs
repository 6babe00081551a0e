//! Execution on published values: nobody waits, and everything is checked.
//!
//! Who knows what each transaction left of each key ([`PostValues`]) can run all of them at once: each
//! reads what the last one before it is said to have left, and must leave what it is said to leave. If
//! all do, then in the published order each read what was really there, the first because it read the
//! state before the block, and so on: wrong values cannot pass, whoever published them.
//!
//! Whether an addition fits is known at once too, since the counter's value before it is published. So
//! nothing here depends on additions that commute.
//!
//! Source: EIP-7928, "Block-level access lists".

use std::sync::Mutex;

use kempe_abi::{AccessKind, Hash};

use super::effects::{Effect, effects_of, fail_counter};
use super::slots::{Slots, Start, copied};
use super::unbarred::Step;
use super::{BlockRun, ExecutorError, receipt_of};
use crate::engine::{Appended, Run, Worker};
use crate::prefetch::prefetch;
use crate::scheduler::{Accesses, Schedule};
use crate::state::StoreError;
use crate::sync::lock;
use crate::types::{Bytes, Footprints, Receipt};

/// What each transaction of a block left of the keys that it may change.
///
/// [`Executor::execute`](super::Executor::execute) makes them when it runs a plan of the form
/// [`Form::Values`](crate::scheduler::Form::Values) for the first time; [`Plan::post_values`] and
/// [`Plan::with_post_values`] carry them to who verifies. They may come from anyone.
///
/// [`Plan::post_values`]: super::Plan::post_values
/// [`Plan::with_post_values`]: super::Plan::with_post_values
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostValues {
    /// For each access of the block, in the order of [`Accesses::rows`]: the value after the
    /// transaction, where it wrote or added, and then `None` if there is none.
    pub after: Vec<Option<Option<Bytes>>>,
}

impl PostValues {
    /// What an access left.
    fn of(&self, access: u32) -> Option<&Bytes> {
        self.after[access as usize].as_ref()?.as_ref()
    }
}

/// No access: the value before the block.
const START: u32 = u32::MAX;

/// Why values cannot be those of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PostValuesError {
    /// There is not one for each access of the block.
    #[error("there are n_values={found} for n_accesses={expected}")]
    Length {
        /// How many there are.
        found: usize,
        /// How many accesses the block has.
        expected: usize,
    },
    /// A transaction may leave its list, and what it would do then is not published.
    #[error("the block has dynamic calls, which cannot run on published values")]
    Dynamic,
}

/// Where each access of a block finds its value.
struct Sources {
    /// For each access, the last one before it on its slot that left a value.
    reads: Vec<u32>,
    /// For each slot, the last access that left a value.
    last: Vec<u32>,
    /// For each transaction, its place in the published order.
    places: Vec<u32>,
}

impl Sources {
    fn new(accesses: &Accesses, schedule: &Schedule, values: &PostValues) -> Self {
        let mut sources = Self {
            reads: vec![START; accesses.n_accesses()],
            last: vec![START; accesses.n_slots()],
            places: vec![0; accesses.n_txs()],
        };
        for (place, &tx) in (0..).zip(schedule.batches().flatten()) {
            sources.places[tx as usize] = place;
            for (at, access) in accesses.range(tx).zip(accesses.of(tx)) {
                let last = &mut sources.last[access.slot as usize];
                sources.reads[at] = *last;
                // What is said of a key that is only read is wrong, and must not be read.
                if access.kind != AccessKind::Read && values.after[at].is_some() {
                    *last = u32::try_from(at).expect("accesses are numbered in 32 bits");
                }
            }
        }
        sources
    }
}

/// What a transaction did, in the published order.
struct Done {
    receipt: Receipt,
    logs: Vec<String>,
    appended: Box<[Appended]>,
    /// For each access of its list, the value after it where it wrote or added.
    after: Vec<Option<Option<Bytes>>>,
}

/// What a transaction did, from its run and from what was there before it by its list.
fn done<'v>(
    block: &BlockRun<'_>,
    worker: &mut Worker,
    tx: u32,
    mut run: Run,
    before: impl Fn(usize) -> Option<&'v Bytes>,
) -> Done {
    let transaction = &block.txs[tx as usize];
    let (logs, fee_only) = (std::mem::take(&mut run.logs), run.fee_only.take());
    let appended = std::mem::take(&mut run.appended);
    let mut receipt = receipt_of(run, transaction.hash, false);
    let cells = worker.cells_mut();
    let mut after = vec![None; cells.len()];
    let mut effects = effects_of(cells);
    let value =
        |effect: &Effect| effect.value(before(effect.cell as usize).map(|value| &value[..]));
    if let Some(effect) = effects.iter().find(|effect| value(effect).is_err()) {
        let (sender, prices) = (&transaction.transaction.sender, &block.executor.prices);
        let counter = block.key_of(tx, effect.cell);
        fail_counter(&mut receipt, counter, &mut effects, fee_only, sender, prices);
    }
    for effect in &effects {
        // What is left of a failed transaction and does not fit either is left out.
        after[effect.cell as usize] = value(effect).ok();
    }
    Done { receipt, logs, appended, after }
}

/// A block whose transactions run on published values.
struct Known<'a> {
    run: &'a BlockRun<'a>,
    start: &'a Start,
    values: &'a PostValues,
    sources: Sources,
    /// The first transaction so far that left something else: its place, itself, and the slot.
    wrong: Mutex<Option<(u32, u32, u32)>>,
}

impl Known<'_> {
    fn value(&self, source: u32, slot: u32) -> Option<&Bytes> {
        if source == START { self.start.get(slot) } else { self.values.of(source) }
    }
}

impl Step for Known<'_> {
    fn run(
        &self,
        worker: &mut Worker,
        tx: u32,
        footprints: &mut Footprints,
    ) -> Result<bool, StoreError> {
        let accesses = self.run.plan.interned().accesses();
        let (row, range) = (accesses.of(tx), accesses.range(tx));
        let before = |at: usize| self.value(self.sources.reads[range.start + at], row[at].slot);
        let run = self.run.run_on(worker, tx, |at, _| before(at))?;
        footprints.push(worker.footprint());
        let Done { receipt, logs, appended, after } = done(self.run, worker, tx, run, before);
        let said = &self.values.after[range.clone()];
        if let Some(at) = (0..row.len()).find(|&at| after[at] != said[at]) {
            let mut wrong = lock(&self.wrong);
            let found = (self.sources.places[tx as usize], tx, row[at].slot);
            *wrong = Some(wrong.map_or(found, |first| first.min(found)));
        }
        self.run.put_items(tx, appended);
        self.run.put(tx, receipt, logs);
        Ok(true)
    }

    fn fetch_ahead(&self, rest: &[u32]) {
        if let Some(&soon) = rest.get(3) {
            let range = self.run.plan.interned().accesses().range(soon);
            for (at, &source) in range.clone().zip(&self.sources.reads[range]) {
                prefetch(&self.values.after[at]);
                if let Some(before) = self.values.after.get(source as usize) {
                    prefetch(before);
                }
            }
        }
        self.run.fetch_ahead_with(rest, |accesses| self.start.prefetch(accesses));
    }
}

impl BlockRun<'_> {
    /// Runs a block on published values, which are for its accesses, and checks them.
    pub(super) fn run_values(
        &self,
        start: Start,
        values: &PostValues,
    ) -> Result<Slots, ExecutorError> {
        let accesses = self.plan.interned().accesses();
        let sources = Sources::new(accesses, self.plan.schedule(), values);
        let known = Known { run: self, start: &start, values, sources, wrong: Mutex::new(None) };
        let n_tail = self.plan.schedule().tail().len();
        self.run_all(&self.plan.schedule().order()[..self.txs.len() - n_tail], &known)?;
        let wrong = *lock(&known.wrong);
        if let Some((_, tx_index, slot)) = wrong {
            let key = Hash(self.plan.interned().slots()[slot as usize].0);
            return Err(ExecutorError::PostValue { tx_index, key });
        }
        let last = known.sources.last;
        Ok(start.finish(|slot, _| {
            let source = last[slot as usize];
            (source != START).then(|| copied(values.of(source)))
        }))
    }

    /// Runs a block one by one in its published order, and gives what each transaction left.
    pub(super) fn record_values(&self, start: Start) -> Result<(Slots, PostValues), StoreError> {
        let accesses = self.plan.interned().accesses();
        let mut values = PostValues { after: vec![None; accesses.n_accesses()] };
        let mut last: Vec<Option<u32>> = vec![None; accesses.n_slots()];
        let mut worker = self.executor.worker();
        for &tx in self.plan.schedule().batches().flatten() {
            let (row, range) = (accesses.of(tx), accesses.range(tx));
            let before = |at: usize| match last[row[at].slot as usize] {
                Some(source) => values.of(source),
                None => start.get(row[at].slot),
            };
            let run = self.run_on(&mut worker, tx, |at, _| before(at))?;
            let mut footprints = Footprints::default();
            footprints.push(worker.footprint());
            let Done { receipt, logs, appended, after } = done(self, &mut worker, tx, run, before);
            self.put_items(tx, appended);
            self.put(tx, receipt, logs);
            self.put_footprints(&[tx], footprints);
            for ((at, access), after) in range.zip(row).zip(after) {
                if after.is_some() {
                    last[access.slot as usize] = u32::try_from(at).ok();
                    values.after[at] = after;
                }
            }
        }
        let slots =
            start.finish(|slot, _| last[slot as usize].map(|source| copied(values.of(source))));
        Ok((slots, values))
    }
}
