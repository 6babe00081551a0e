//! Who executes and validates what next.

use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use crate::sync::{Mutex, lock};

/// Something to do for the transaction at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// To run it.
    Execute { place: u32 },
    /// To look whether its execution with this number read what stands there now.
    Validate { place: u32, incarnation: u32 },
}

/// Executions and validations of a block, handed out in order of places; whatever makes an earlier
/// one necessary again moves the counters back.
///
/// Whoever holds a task, or is about to take one, counts as active. All is done when both counters are
/// at the end and nobody is active, unless a counter was moved back meanwhile.
#[derive(Debug)]
pub(super) struct Tasks {
    n_txs: usize,
    next_execution: AtomicUsize,
    next_validation: AtomicUsize,
    /// How often a counter was moved back.
    n_moves: AtomicUsize,
    n_active: AtomicUsize,
    is_done: AtomicBool,
    places: Vec<Place>,
}

/// A transaction, on a line of the cache of its own: those beside it run on other cores.
#[derive(Debug)]
#[repr(align(64))]
struct Place {
    status: Mutex<Status>,
    /// Those who wait for it.
    waiting: Mutex<Vec<u32>>,
}

impl Place {
    fn ready() -> Self {
        let status = Status { incarnation: 0, phase: Phase::Ready };
        Self { status: Mutex::new(status), waiting: Mutex::new(Vec::new()) }
    }
}

#[derive(Clone, Copy, Debug)]
struct Status {
    /// How often it ran before.
    incarnation: u32,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Ready,
    Executing,
    Executed,
    /// It waits, or its writes are being made estimates.
    Aborting,
}

impl Tasks {
    pub(super) fn new(n_txs: usize) -> Self {
        Self {
            n_txs,
            next_execution: AtomicUsize::new(0),
            next_validation: AtomicUsize::new(0),
            n_moves: AtomicUsize::new(0),
            n_active: AtomicUsize::new(0),
            is_done: AtomicBool::new(n_txs == 0),
            places: (0..n_txs).map(|_| Place::ready()).collect(),
        }
    }

    /// Whether every transaction has a valid execution.
    pub(super) fn is_done(&self) -> bool {
        self.is_done.load(SeqCst)
    }

    /// The next task, if there is one now.
    pub(super) fn next(&self) -> Option<Task> {
        loop {
            let is_validation =
                self.next_validation.load(SeqCst) < self.next_execution.load(SeqCst);
            let next = if is_validation { &self.next_validation } else { &self.next_execution };
            if next.load(SeqCst) >= self.n_txs {
                self.check_done();
                return None;
            }
            self.n_active.fetch_add(1, SeqCst);
            let at = next.fetch_add(1, SeqCst);
            let task = if is_validation { self.validation_of(at) } else { self.execution_of(at) };
            if task.is_some() {
                return task;
            }
            // Nothing is to be done for this one, and often not for many behind it, who wait.
            self.n_active.fetch_sub(1, SeqCst);
        }
    }

    /// Lets a transaction, which runs, wait for the one at an earlier place. False if that has ended
    /// meanwhile.
    pub(super) fn wait_for(&self, place: u32, before: u32) -> bool {
        let mut waiting = lock(&self.places[before as usize].waiting);
        if lock(&self.places[before as usize].status).phase == Phase::Executed {
            return false;
        }
        lock(&self.places[place as usize].status).phase = Phase::Aborting;
        waiting.push(place);
        drop(waiting);
        self.n_active.fetch_sub(1, SeqCst);
        true
    }

    /// Lets a transaction go on if it waits for the one at an earlier place. The caller runs one, so all is not done.
    pub(super) fn stop_waiting(&self, place: u32, before: u32) -> bool {
        let mut waiting = lock(&self.places[before as usize].waiting);
        let Some(at) = waiting.iter().position(|&other| other == place) else { return false };
        waiting.swap_remove(at);
        drop(waiting);
        self.set_ready(place);
        self.move_back(&self.next_execution, place as usize);
        true
    }

    /// Ends an execution. With `is_elsewhere` it left something where nothing was, so those after it
    /// are to be validated again. Returns a task that follows.
    pub(super) fn executed(&self, place: u32, is_elsewhere: bool) -> Option<Task> {
        let incarnation = {
            let mut status = lock(&self.places[place as usize].status);
            status.phase = Phase::Executed;
            status.incarnation
        };
        let waiting = std::mem::take(&mut *lock(&self.places[place as usize].waiting));
        waiting.iter().for_each(|&waiting| self.set_ready(waiting));
        if let Some(&first) = waiting.iter().min() {
            self.move_back(&self.next_execution, first as usize);
        }
        if self.next_validation.load(SeqCst) > place as usize {
            if !is_elsewhere {
                return Some(Task::Validate { place, incarnation });
            }
            self.move_back(&self.next_validation, place as usize);
        }
        self.n_active.fetch_sub(1, SeqCst);
        None
    }

    /// Whether the caller is the one to undo this execution, because nobody else is.
    pub(super) fn abort(&self, place: u32, incarnation: u32) -> bool {
        let mut status = lock(&self.places[place as usize].status);
        let is_current = status.incarnation == incarnation && status.phase == Phase::Executed;
        if is_current {
            status.phase = Phase::Aborting;
        }
        is_current
    }

    /// Ends a validation. Returns a task that follows.
    pub(super) fn validated(&self, place: u32, is_aborted: bool) -> Option<Task> {
        if is_aborted {
            self.set_ready(place);
            self.move_back(&self.next_validation, place as usize + 1);
            if self.next_execution.load(SeqCst) > place as usize
                && let Some(task) = self.execution_of(place as usize)
            {
                return Some(task);
            }
        }
        self.n_active.fetch_sub(1, SeqCst);
        None
    }

    fn execution_of(&self, at: usize) -> Option<Task> {
        let mut status = lock(&self.places.get(at)?.status);
        if status.phase != Phase::Ready {
            return None;
        }
        status.phase = Phase::Executing;
        Some(Task::Execute { place: to_place(at) })
    }

    fn validation_of(&self, at: usize) -> Option<Task> {
        let Status { incarnation, phase } = *lock(&self.places.get(at)?.status);
        let is_executed = phase == Phase::Executed;
        is_executed.then(|| Task::Validate { place: to_place(at), incarnation })
    }

    fn set_ready(&self, place: u32) {
        let mut status = lock(&self.places[place as usize].status);
        status.incarnation += 1;
        status.phase = Phase::Ready;
    }

    fn move_back(&self, counter: &AtomicUsize, to: usize) {
        counter.fetch_min(to, SeqCst);
        self.n_moves.fetch_add(1, SeqCst);
    }

    fn check_done(&self) {
        let n_moves = self.n_moves.load(SeqCst);
        let at = self.next_execution.load(SeqCst).min(self.next_validation.load(SeqCst));
        if at >= self.n_txs
            && self.n_active.load(SeqCst) == 0
            && n_moves == self.n_moves.load(SeqCst)
        {
            self.is_done.store(true, SeqCst);
        }
    }
}

fn to_place(at: usize) -> u32 {
    u32::try_from(at).expect("a block has fewer than 2^32 txs")
}
