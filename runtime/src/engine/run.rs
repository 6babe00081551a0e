//! Running one transaction.

use std::sync::Arc;

use kempe_abi::{AccessKind, Address, MethodId, MethodKind, Outcome, TrapKind};

use super::cell::Accumulator;
use super::cell::{Cell, Delta};
use super::compile::Engine;
use super::deploy::{deploy, write_record};
use super::instance::TABLE_ENTRY_BYTES;
use super::session::{Appended, BlockEnv, Copies, Immutables, Session};
use super::upgrade::upgrade;
use crate::access::Lists;
use crate::state::{StateRead, StoreError};
use crate::types::{
    Action, Bytes, EventRecord, Failure, KeyHash, Prices, StateKey, Transaction, system_field,
};

/// Whether touches outside the access list are refused or recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A touch that the list does not permit is a trap.
    Enforce,
    /// Nothing runs: the transaction pays for having been looked at, and ends with this trap.
    Refuse(TrapKind),
    /// Such a touch is permitted and becomes an entry. Only for a transaction that runs alone.
    Record,
}

/// What running a transaction gave.
#[derive(Debug)]
pub(crate) struct Run {
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// The fuel it burned.
    pub(crate) fuel: u64,
    /// The fee it paid.
    pub(crate) fee: u128,
    /// The results of its actions.
    pub(crate) results: Vec<Vec<u8>>,
    /// Its events.
    pub(crate) events: Vec<EventRecord>,
    /// What it appended to logs, in order.
    pub(crate) appended: Box<[Appended]>,
    /// Its log lines and panics; not part of the receipt.
    pub(crate) logs: Vec<String>,
    /// Where it failed.
    pub(crate) failure: Option<Box<Failure>>,
    /// The sender's balance after the fee alone, should the transaction fail when its additions
    /// are applied.
    pub(crate) fee_only: Option<Bytes>,
}

/// Runs transactions one after the other, with instances of its own.
///
/// Two lines of the cache to itself: workers stand side by side, each is written by its thread twice
/// a transaction, and processors fetch lines in pairs.
#[repr(align(128))]
pub(crate) struct Worker {
    session: Option<Box<Session>>,
    n_runs: u64,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker without instances.
    ///
    /// With `fresh`, every call gets an instance of its own: slower, for the oracle.
    pub(crate) fn new(engine: &Arc<Engine>, prices: Prices, fresh: bool) -> Self {
        let mut session = Session::new(Arc::clone(engine), prices);
        session.pool.fresh = fresh;
        Self { session: Some(Box::new(session)), n_runs: 0 }
    }

    /// From where a recording run, the loading of code and whoever asks what was there before the block read: until the next one is
    /// set, that stays the same.
    pub(crate) fn set_state(&mut self, state: &Arc<dyn StateRead>) {
        self.session_mut().set_state(Arc::clone(state));
    }

    fn session(&self) -> &Session {
        self.session.as_ref().expect("a run returns the session")
    }

    fn session_mut(&mut self) -> &mut Session {
        self.session.as_mut().expect("a run returns the session")
    }

    /// Makes the cells of a transaction's list for the next run; `value` gives each one's number in
    /// the block and its current value, by the worker's copies if it likes.
    ///
    /// # Errors
    /// What `value` returns.
    pub(crate) fn load(
        &mut self,
        lists: &Arc<Lists>,
        tx_index: u32,
        value: impl FnMut(&mut Copies, usize, &KeyHash) -> Result<(u32, Option<Bytes>), StoreError>,
    ) -> Result<(), StoreError> {
        self.session_mut().load(lists, tx_index, value)
    }

    /// Its own copies of what other workers read, too.
    pub(crate) fn copies(&mut self) -> &mut Copies {
        &mut self.session_mut().copies
    }

    /// The cells, after a run: with the changes of a successful one, or only the fee's of a failed
    /// one.
    pub(crate) fn cells_mut(&mut self) -> &mut [Cell] {
        &mut self.session_mut().cells
    }

    /// The same, which the worker lets go of.
    pub(crate) fn take_cells(&mut self) -> Vec<Cell> {
        let cells = &mut self.session_mut().cells;
        let n_cells = cells.len();
        std::mem::replace(cells, Vec::with_capacity(n_cells))
    }

    /// The keys of the cells after a run, in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (StateKey, &Cell)> {
        let session = self.session();
        session.cells.iter().map(|cell| (session.state_key(cell), cell))
    }

    /// How many transactions it ran.
    pub(crate) fn n_runs(&self) -> u64 {
        self.n_runs
    }

    /// The entries of the last run's footprint.
    pub(crate) fn footprint(&self) -> impl Iterator<Item = [u8; 32]> {
        self.session().footprint()
    }

    /// Lets go of the lists and the state that it was given.
    pub(crate) fn unload(&mut self) {
        self.session_mut().unload();
    }

    /// Runs a transaction on the cells that were [loaded](Self::load).
    ///
    /// `burned` is the fuel of an earlier attempt: it counts against the limit and is paid for.
    ///
    /// # Errors
    /// [`StoreError`] when this node fails; the transaction then has no outcome.
    pub(crate) fn run(
        &mut self,
        tx: &Transaction,
        mode: Mode,
        env: BlockEnv,
        burned: u64,
    ) -> Result<Run, StoreError> {
        self.n_runs += 1;
        let mut session = self.session.take().expect("a run returns the session");
        let fuel = tx.fuel_limit.saturating_sub(burned);
        session.begin(mode == Mode::Record, env, fuel);
        let run;
        (session, run) = run_transaction(session, tx, mode);
        let fault = session.fault.take();
        self.session = Some(session);
        fault.map_or(Ok(run), Err)
    }
}

const OUT_OF_BOUNDS: Outcome = Outcome::Trap(TrapKind::CounterOutOfBounds);

fn run_transaction(mut session: Box<Session>, tx: &Transaction, mode: Mode) -> (Box<Session>, Run) {
    let fuel_limit = tx.fuel_limit;
    let escrow = session.prices.fee(fuel_limit);
    let mut results = Vec::with_capacity(tx.actions.len());
    let mut action = 0;
    let mut outcome = match take_escrow(&mut session, tx, escrow) {
        Ok(()) => Outcome::Ok,
        Err(kind) => Outcome::Trap(kind),
    };
    let paying = outcome == Outcome::Ok;
    let balance = escrowed_balance(&mut session, tx, escrow);
    if paying {
        let refused = if let Mode::Refuse(kind) = mode { Err(kind) } else { Ok(()) };
        if let Err(kind) = charge_base(&mut session, tx, mode).and(refused) {
            if kind == TrapKind::OutOfFuel {
                session.fuel = 0;
            }
            outcome = Outcome::Trap(kind);
        }
    }
    if outcome == Outcome::Ok {
        for (at, what) in tx.actions.iter().enumerate() {
            action = at;
            let ended;
            (session, ended) = run_action(session, tx, at, what);
            match ended {
                Ok(result) => results.push(result),
                Err(failed) => {
                    outcome = failed;
                    break;
                }
            }
        }
    }
    if outcome == Outcome::Ok
        && let Err(kind) = session.settle_stocks()
    {
        // As where additions are applied later: by then no action runs.
        action = 0;
        outcome = Outcome::Trap(kind);
    }
    let fuel = fuel_limit - session.fuel.min(fuel_limit);
    let failure = (outcome != Outcome::Ok).then(|| {
        Box::new(Failure {
            action: u32::try_from(action).unwrap_or(u32::MAX),
            contract: session.failed_in.unwrap_or(Address::ZERO),
            undeclared: session.undeclared.take(),
            guard: session.guard.take().filter(|_| outcome == Outcome::Trap(TrapKind::Guarded)),
            counter: session.counter.take().filter(|_| outcome == OUT_OF_BOUNDS),
        })
    });
    if outcome != Outcome::Ok {
        session.end_marks();
        results = Vec::new();
        session.events = Vec::new();
        session.appended.clear();
        discard(&mut session.cells);
    }
    let fee = if paying { session.prices.fee(fuel) } else { 0 };
    let fee_only = pay(&mut session, tx, balance, escrow, fee, outcome);
    let run = Run {
        outcome,
        fuel,
        fee,
        results,
        events: std::mem::take(&mut session.events),
        appended: session.take_appended(),
        logs: std::mem::take(&mut session.logs),
        failure,
        fee_only,
    };
    (session, run)
}

/// Forgets what a failed transaction did to its cells.
fn discard(cells: &mut [Cell]) {
    for cell in cells {
        cell.dirty = false;
        cell.added = Delta::default();
    }
}

/// The cell of the sender's balance, where gas has a price.
fn sender_cell(session: &mut Session, tx: &Transaction) -> Result<usize, TrapKind> {
    session.system_cell(system_field::BALANCE, &tx.sender.0, AccessKind::Write)
}

/// Takes the highest possible fee from the sender before anything runs.
fn take_escrow(session: &mut Session, tx: &Transaction, escrow: u128) -> Result<(), TrapKind> {
    if escrow == 0 {
        return Ok(());
    }
    let delta = i128::try_from(escrow).map_err(|_| TrapKind::InsufficientBalance)?;
    let at = sender_cell(session, tx)?;
    session.add(at, Accumulator::BALANCE, -delta).map_err(|_| TrapKind::InsufficientBalance)
}

/// The sender's balance while the escrow is held, to which a failed transaction returns.
fn escrowed_balance(session: &mut Session, tx: &Transaction, escrow: u128) -> Option<Bytes> {
    if escrow == 0 {
        return None;
    }
    let at = sender_cell(session, tx).ok()?;
    session.cells[at].value.clone()
}

/// Returns what the fee leaves of the escrow, and credits the collector.
fn pay(
    session: &mut Session,
    tx: &Transaction,
    balance: Option<Bytes>,
    escrow: u128,
    fee: u128,
    outcome: Outcome,
) -> Option<Bytes> {
    let before = balance?;
    if fee == 0 && outcome == Outcome::Trap(TrapKind::InsufficientBalance) && escrow > 0 {
        return None;
    }
    let refund = i128::try_from(escrow - fee.min(escrow)).ok()?;
    let at = sender_cell(session, tx).ok()?;
    let fee_only = Accumulator::BALANCE.apply(Some(&before), refund).ok()?;
    let cell = &mut session.cells[at];
    let current = if outcome == Outcome::Ok { cell.value.take() } else { Some(before) };
    cell.value = Accumulator::BALANCE.apply(current.as_deref(), refund).ok();
    cell.dirty = true;
    let collector = session.prices.collector;
    let paid = i128::try_from(fee).ok()?;
    let at = session.system_cell(system_field::BALANCE, &collector.0, AccessKind::Add).ok()?;
    session.add(at, Accumulator::BALANCE, paid).ok()?;
    Some(fee_only)
}

fn charge_base(session: &mut Session, tx: &Transaction, mode: Mode) -> Result<(), TrapKind> {
    let prices = session.prices;
    let entries = (session.cells.len() as u64).saturating_mul(prices.list_entry);
    let entries = entries.saturating_add(session.list_work.fuel(&prices));
    // What is added to is not read, and its value depends on what else is added in the batch.
    // Neither is what is only taken from, where nobody can be refused, and that must not show. Who may do more than the
    // list says runs alone, and is given all values.
    let is_read = |cell: &&Cell| match mode {
        Mode::Record => true,
        _ => cell.kind != AccessKind::Add && !cell.accumulator.is_bounded(),
    };
    let (mut values, mut n_unread) = (0u64, 0);
    for cell in session.cells.iter().filter(is_read) {
        values = values.saturating_add(prices.listed_value(cell.value.as_deref()));
        n_unread += usize::from(cell.is_unread());
    }
    session.charge(tx.base_fuel(&prices).saturating_add(entries).saturating_add(values))?;
    if n_unread > 0 {
        // The others are paid for, so what is left pays for these or nothing does.
        let unread = session.cells.iter().enumerate();
        let unread = unread.filter(|(_, cell)| is_read(cell) && cell.is_unread());
        for at in unread.map(|(at, _)| at).collect::<Vec<_>>() {
            session.read(at)?;
        }
    }
    Ok(())
}

/// What an action returns, or how it ended the transaction.
pub(super) type Ended = Result<Vec<u8>, Outcome>;

fn run_action(
    mut session: Box<Session>,
    tx: &Transaction,
    at: usize,
    action: &Action,
) -> (Box<Session>, Ended) {
    match action {
        Action::Call { contract, method, args } => {
            let outcome;
            let args = session.buffer_of(args);
            (session, outcome) = enter(session, *contract, *method, tx.sender, args);
            let ended = match outcome {
                Outcome::Ok => Ok(std::mem::take(&mut session.callee_output)),
                failed => Err(failed),
            };
            (session, ended)
        }
        Action::Transfer { to, amount } => {
            let ended = transfer(&mut session, tx, to, *amount);
            (session, ended.map(|()| Vec::new()).map_err(Outcome::Trap))
        }
        Action::Deploy { wasm, args, authority } => {
            deploy(session, tx, at, (wasm, args), authority.as_deref().copied())
        }
        Action::Upgrade(what) => upgrade(session, tx, what),
    }
}

fn transfer(
    session: &mut Session,
    tx: &Transaction,
    to: &Address,
    amount: u128,
) -> Result<(), TrapKind> {
    let delta = i128::try_from(amount).map_err(|_| TrapKind::InsufficientBalance)?;
    let from = sender_cell(session, tx)?;
    session.add(from, Accumulator::BALANCE, -delta).map_err(|_| TrapKind::InsufficientBalance)?;
    let to = session.system_cell(system_field::BALANCE, &to.0, AccessKind::Add)?;
    session.add(to, Accumulator::BALANCE, delta)
}

/// Calls a method of a deployed contract; its result is in [`Session::callee_output`].
pub(super) fn enter(
    mut session: Box<Session>,
    address: Address,
    method: MethodId,
    caller: Address,
    args: Vec<u8>,
) -> (Box<Session>, Outcome) {
    let resolved = session.resolve(&address).and_then(|at| {
        let contract = session.contract(at);
        let position = *contract.code.methods.get(&method).ok_or(TrapKind::NoSuchMethod)?;
        match contract.abi().methods[position].kind {
            MethodKind::Init | MethodKind::Migrate => Err(TrapKind::NotPermitted),
            MethodKind::Call | MethodKind::View => Ok((at, position)),
        }
    });
    match resolved {
        Ok((at, position)) => enter_frame(session, at, position, caller, args, None),
        Err(kind) => {
            session.failed_in.get_or_insert(address);
            (session, Outcome::Trap(kind))
        }
    }
}

/// Calls the method at a position of a contract's ABI. With `immutables`, those that are set, it may set
/// more, and the contract's record is written when it succeeds.
pub(super) fn enter_frame(
    mut session: Box<Session>,
    contract: usize,
    position: usize,
    caller: Address,
    args: Vec<u8>,
    immutables: Option<Immutables>,
) -> (Box<Session>, Outcome) {
    let address = session.contract(contract).address;
    let admitted = &session.contract(contract).code.admitted;
    let table_bytes = TABLE_ENTRY_BYTES * admitted.sizes.table_entries;
    let memory_kib = u64::from(admitted.memory_bytes).div_ceil(1024) + table_bytes / 1024;
    let args_len = u32::try_from(args.len()).unwrap_or(u32::MAX);
    let fuel = session.prices.call.saturating_add(admitted.instance_fuel());
    let fuel = fuel.saturating_add(memory_kib.saturating_mul(session.prices.memory_kib));
    let entered =
        session.charge(fuel).and_then(|()| session.push_frame(contract, caller, args, immutables));
    if let Err(kind) = entered {
        session.failed_in.get_or_insert(address);
        return (session, Outcome::Trap(kind));
    }
    if let Err(kind) = session.check_guards(contract, position) {
        session.failed_in.get_or_insert(address);
        session.frames.pop();
        return (session, Outcome::Trap(kind));
    }
    let mut instance = match session.take_instance(contract) {
        Ok(instance) => instance,
        Err(error) => {
            session.fault = Some(StoreError::machine(format!("instance: {error:#}")));
            session.frames.pop();
            return (session, Outcome::Trap(TrapKind::NotPermitted));
        }
    };
    let mut outcome;
    (session, outcome) = instance.call(session, position, args_len);
    session.pool.put(instance);
    let frame = session.frames.pop().expect("it was pushed above");
    session.keep_buffer(frame.args);
    session.callee_output = frame.output;
    if outcome == Outcome::Ok
        && let Some(immutables) = frame.immutables
    {
        outcome = write_record(&mut session, contract, immutables);
    }
    if outcome != Outcome::Ok {
        session.failed_in.get_or_insert(address);
    }
    (session, outcome)
}
