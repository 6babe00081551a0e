//! Optimistic execution: transactions run before those in front of them have ended, and again where
//! they read too early.
//!
//! Each key has the values that transactions left so far, by their places in the order ([`Memory`]). A
//! transaction reads the last ones before its own place; when it ended, the same is read again, and if
//! the values differ its writes become estimates and it runs again. Who meets an estimate waits for
//! the transaction that left it. [`Tasks`] hands out executions and validations, lower ones first.
//!
//! Values are compared, not who wrote them: a transaction is a function of what it read, so one that
//! reads the same again has done what it would do. What it read is its whole list, because the fuel that a
//! list costs depends on its values.
//!
//! Nothing is known of a transaction before it ran but its sender, and what one sender sends often touches what it sent
//! before, so its next transaction waits for that: see [`Senders`].
//!
//! Additions commute unless one does not fit. While the block runs such a one is passed over; if one is
//! left when all is valid, in the published order, the block runs again by its batches.
//!
//! Source: R. Gelashvili et al., "Block-STM: scaling blockchain execution by turning ordering curse to a
//! performance blessing", PPoPP 2023, algorithms 1 to 5.

mod hints;
mod memory;
mod senders;
mod tasks;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use kempe_abi::AccessKind;
use rayon::prelude::*;

use super::slots::{Slots, Start};
use super::unbarred::StopOnPanic;
use super::{BlockRun, CHUNK_TXS};
use crate::engine::{Copies, Run, Worker};
use crate::prefetch::prefetch;
use crate::scheduler::Access;
use crate::state::StoreError;
use crate::sync::{lock, pause};
use crate::types::{Bytes, Footprints};

use hints::Hints;
use memory::Memory;

use senders::Senders;
use tasks::{Task, Tasks};

/// The last execution of a transaction.
struct Execution {
    run: Run,
    footprint: Vec<[u8; 32]>,
    /// What it read, by its list; nothing where it only adds.
    values: Vec<Option<Bytes>>,
}

/// A block while it runs optimistically. Transactions are known by their places in `body`.
struct Optimistic<'a> {
    run: &'a BlockRun<'a>,
    body: &'a [u32],
    start: &'a Start,
    memory: Memory,
    tasks: Tasks,
    /// Where nothing else is known before transactions run.
    senders: Option<Senders>,
    executions: Vec<Mutex<Option<Execution>>>,
    is_stopped: AtomicBool,
    error: Mutex<Option<StoreError>>,
}

impl BlockRun<'_> {
    /// Runs `body` so that the result is that of its order. With `has_hints` whatever a list lets a
    /// transaction change is an estimate from the start. `None` if an addition did not fit.
    pub(super) fn run_optimistic(
        &self,
        body: &[u32],
        start: Start,
        has_hints: bool,
    ) -> Result<Option<Slots>, StoreError> {
        let accesses = self.plan.interned().accesses();
        let hints = if has_hints { Hints::of(accesses, body) } else { Hints::default() };
        let memory = Memory::new(accesses.n_slots(), hints);
        let senders = self.plan.interned().senders();
        let senders =
            (!has_hints).then(|| Senders::of(body.iter().map(|&tx| senders[tx as usize])));
        let optimistic = Optimistic {
            run: self,
            body,
            start: &start,
            memory,
            tasks: Tasks::new(body.len()),
            senders,
            executions: body.iter().map(|_| Mutex::new(None)).collect(),
            is_stopped: AtomicBool::new(false),
            error: Mutex::new(None),
        };
        rayon::broadcast(|_| {
            let _guard = StopOnPanic(&optimistic.is_stopped);
            if let Err(error) = optimistic.work() {
                *lock(&optimistic.error) = Some(error);
                optimistic.is_stopped.store(true, Ordering::Release);
            }
        });
        let error = lock(&optimistic.error).take();
        if let Some(error) = error {
            return Err(error);
        }
        let (memory, published) = optimistic.into_memory();
        Ok(memory.finish(start, &published))
    }
}

impl Optimistic<'_> {
    /// One worker, until all is valid.
    fn work(&self) -> Result<(), StoreError> {
        let mut worker = self.run.executor.worker();
        let mut task = None;
        let mut n_idle = 0u32;
        while !self.tasks.is_done() && !self.is_stopped.load(Ordering::Acquire) {
            task = match task {
                Some(Task::Execute { place, .. }) => self.execute(&mut worker, place)?,
                Some(Task::Validate { place, incarnation }) => self.validate(place, incarnation),
                None => self.tasks.next(),
            };
            if task.is_none() {
                pause(&mut n_idle);
            } else {
                n_idle = 0;
            }
        }
        Ok(())
    }

    fn accesses(&self, place: u32) -> &[Access] {
        self.run.plan.interned().accesses().of(self.body[place as usize])
    }

    /// Looks at what a transaction reads now at a position of its list; see [`Memory::look`].
    fn look<R>(
        &self,
        place: u32,
        &Access { slot, kind }: &Access,
        look: impl FnOnce(Result<Option<&Bytes>, u32>) -> R,
    ) -> R {
        match kind {
            AccessKind::Add => look(Ok(None)),
            _ => self.memory.look(slot, place, self.start.get(slot), look),
        }
    }

    /// What a transaction reads now, by its list. `Err` names the place whose estimate it meets.
    fn read(&self, copies: &mut Copies, place: u32) -> Result<Vec<Option<Bytes>>, u32> {
        let accesses = self.accesses(place).iter();
        let mut own = |value: &Bytes, kind| match kind {
            AccessKind::Read => copies.of(value),
            _ => value.clone(),
        };
        let read = |access: &Access| {
            self.look(place, access, |seen| {
                seen.map(|seen| seen.map(|value| own(value, access.kind)))
            })
        };
        accesses.map(read).collect()
    }

    /// Whether a transaction would read the same again.
    fn is_valid(&self, place: u32) -> bool {
        let execution = lock(&self.executions[place as usize]);
        let Some(Execution { values, .. }) = &*execution else { return false };
        let mut seen = self.accesses(place).iter().zip(values);
        seen.all(|(access, value)| self.look(place, access, |now| now == Ok(value.as_ref())))
    }

    /// Whom a transaction waits for that has not run: see [`Senders`].
    fn before(&self, place: u32) -> Option<(&Senders, u32)> {
        let senders = self.senders.as_ref()?;
        let before = senders.before(place)?;
        lock(&self.executions[place as usize]).is_none().then_some((senders, before))
    }

    /// Lets those of a sender go on that wait for each other behind one that has nothing to do with the one before it.
    fn let_go(&self, senders: &Senders, place: u32) {
        senders.set_apart(place);
        let mut at = place;
        while let Some(after) = senders.after(at)
            && self.tasks.stop_waiting(after, at)
        {
            at = after;
        }
    }

    /// Whether a transaction reads something that stands there from the one at an earlier place.
    fn reads_of(&self, place: u32, before: u32) -> bool {
        let mut read = self.accesses(place).iter().filter(|access| access.kind != AccessKind::Add);
        read.any(|access| self.memory.has_left(access.slot, before))
    }

    /// Asks for where a transaction that runs now will leave what it did.
    fn fetch_own(&self, place: u32) {
        prefetch(&self.executions[place as usize]);
        self.memory.prefetch(self.accesses(place));
    }

    fn execute(&self, worker: &mut Worker, place: u32) -> Result<Option<Task>, StoreError> {
        let before = self.before(place);
        if let Some((senders, before)) = before
            && senders.follow(place)
            && self.tasks.wait_for(place, before)
        {
            return Ok(None);
        }
        let rest = &self.body[place as usize..];
        self.run.fetch_ahead_with(rest, |accesses| {
            self.start.prefetch(accesses);
            self.memory.prefetch(accesses);
        });
        let values = loop {
            match self.read(worker.copies(), place) {
                Ok(values) => break values,
                Err(before) if self.tasks.wait_for(place, before) => return Ok(None),
                // It ended meanwhile.
                Err(_) => {}
            }
        };
        self.fetch_own(place);
        let run = self.run.run_on(worker, rest[0], |at, _| values[at].as_ref())?;
        let footprint = worker.footprint().collect();
        let mut is_elsewhere = false;
        for (access, cell) in self.accesses(place).iter().zip(worker.cells_mut()) {
            is_elsewhere |= self.memory.publish(*access, place, cell);
        }
        if let Some((senders, before)) = before
            && senders.follow(place)
            && !self.reads_of(place, before)
        {
            self.let_go(senders, place);
        }
        *lock(&self.executions[place as usize]) = Some(Execution { run, footprint, values });
        Ok(self.tasks.executed(place, is_elsewhere))
    }

    fn validate(&self, place: u32, incarnation: u32) -> Option<Task> {
        let is_aborted = !self.is_valid(place) && self.tasks.abort(place, incarnation);
        if is_aborted {
            let changed =
                self.accesses(place).iter().filter(|access| access.kind != AccessKind::Read);
            changed.for_each(|access| self.memory.invalidate(access.slot, place));
        }
        self.tasks.validated(place, is_aborted)
    }

    /// Writes the receipts. Gives the memory, and for each place its number in the published order.
    fn into_memory(self) -> (Memory, Vec<u32>) {
        let Self { run, body, memory, executions, .. } = self;
        let mut places = vec![0; run.txs.len()];
        let published = run.plan.schedule().batches().flatten();
        (0..).zip(published).for_each(|(place, &tx)| places[tx as usize] = place);
        let published = body.iter().map(|&tx| places[tx as usize]).collect();
        let chunks = body.par_chunks(CHUNK_TXS).zip(executions.par_chunks(CHUNK_TXS));
        chunks.for_each(|(txs, executions)| {
            let mut footprints = Footprints::default();
            for (&tx, execution) in txs.iter().zip(executions) {
                let execution = lock(execution).take().expect("all is valid");
                run.put_run(tx, execution.run);
                footprints.push(execution.footprint.into_iter());
            }
            run.put_footprints(txs, footprints);
        });
        (memory, published)
    }
}
