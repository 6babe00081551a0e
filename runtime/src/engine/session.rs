//! What one transaction sees while it runs: its cells, the contracts on its stack, its events.
//!
//! A session belongs to one worker and travels with the call: it sits in the store of the instance
//! that runs, moves into the callee's store on a call between contracts, and back. So host
//! functions reach it without a lock and without `unsafe`.

mod cells;
mod copies;
mod guards;
mod journal;
mod log;
mod started;
mod stock;

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use kempe_abi::host::CALL_DEPTH_MAX;
use kempe_abi::{AccessKind, Address, Bound, Outcome, TrapKind};
use wasmtime::Memory;

pub(crate) use copies::Copies;
pub(crate) use log::Appended;

use super::cell::Cell;
use super::compile::{Engine, WASM_STACK_BYTES};
use super::contracts::Contract;
use super::instance::{Instance, Pool};
use crate::access::{Chunk, Lists, NameIndex, Work, place};
use crate::state::{StateRead, StoreError};
use crate::types::{
    Bytes, EventRecord, KeyHash, Prices, StateKey, Undeclared, footprint_entry, system_field,
};

/// The stack that a thread needs to run transactions: each contract on the call stack takes its
/// wasm stack and the host's frames around it, for which 64 KiB are allowed. A test measures what the
/// deepest hostile calls use, and that more than 512 KiB are left.
pub const CALL_STACK_BYTES: usize = CALL_DEPTH_MAX * (WASM_STACK_BYTES + 64 * 1024) + 1024 * 1024;

/// The most bytes of events, and of log lines, of one transaction. Ours to choose.
const OUTPUT_BYTES_MAX: usize = 256 * 1024;

/// What a block fixes for all its transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockEnv {
    /// The height.
    pub height: u64,
    /// The time in milliseconds since 1970.
    pub time_ms: u64,
}

/// What a wasmtime store holds.
pub(crate) struct Host {
    pub(crate) session: Option<Box<Session>>,
    pub(crate) memory: Option<Memory>,
}

/// Why execution stopped; the reason is in [`Session::stop`].
#[derive(Debug, thiserror::Error)]
#[error("the transaction was stopped")]
pub(crate) struct Stopped;

/// Lines of the cache of its own, as for a [`Worker`](super::Worker): workers' sessions are made one after the other, and each is
/// written at every step.
#[repr(align(128))]
pub(crate) struct Session {
    pub(crate) engine: Arc<Engine>,
    pub(crate) prices: Prices,
    pub(crate) pool: Pool,
    contracts: Vec<Arc<Contract>>,
    by_address: HashMap<Address, usize>,
    /// The numbers of their codes, and the bytes of these.
    codes: (HashSet<usize>, u64),
    /// Whether the transaction brought code, which nobody else may need: it is not kept for the next one.
    pub(crate) has_new_code: bool,
    /// Where a recording run, and the loading of code, read what the cells do not hold.
    state: Arc<dyn StateRead>,
    /// What it said of cells before the block.
    started: started::Started,
    /// What other workers read, too.
    pub(crate) copies: Copies,
    /// Whether touches outside the list are recorded instead of refused.
    pub(crate) recording: bool,
    pub(crate) env: BlockEnv,
    pub(crate) cells: Vec<Cell>,
    /// How much may be taken of the stocks that the transaction only takes from, with their cells.
    bounds: Vec<(usize, Bound)>,
    /// What finding the list took.
    pub(super) list_work: Work,
    /// Where the names of the cells are.
    lists: Arc<Lists>,
    chunk: usize,
    /// The keys that no list names.
    recorded: Vec<StateKey>,
    index: NameIndex,
    pub(crate) frames: Vec<Frame>,
    /// A buffer that held arguments, for the next ones.
    spare: Vec<u8>,
    journal: Vec<journal::Undo>,
    /// The number of the innermost call on the stack that would catch a failure; 0 if there is none.
    catching: u32,
    /// The number of the last such call.
    n_marks: u32,
    pub(crate) events: Vec<EventRecord>,
    event_bytes: usize,
    /// What was appended to logs, in order.
    pub(crate) appended: Vec<Appended>,
    appended_bytes: usize,
    pub(crate) logs: Vec<String>,
    log_bytes: usize,
    /// The result of the last call between contracts.
    pub(crate) callee_output: Vec<u8>,
    /// The fuel left; while wasm runs, the store has it.
    pub(crate) fuel: u64,
    pub(crate) stop: Option<Outcome>,
    /// The innermost contract that failed.
    pub(crate) failed_in: Option<Address>,
    pub(crate) undeclared: Option<Undeclared>,
    /// The cell that stopped the last call that was stopped by what guards it.
    pub(crate) guard: Option<StateKey>,
    /// The cell that would last have left its bounds.
    pub(crate) counter: Option<StateKey>,
    /// A failure of this node, not of the transaction.
    pub(crate) fault: Option<StoreError>,
}

/// The state of a session that was given none.
struct NoState;

impl StateRead for NoState {
    fn get(&self, _: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        Ok(None)
    }
}

/// A contract on the call stack.
pub(crate) struct Frame {
    contract: usize,
    pub(crate) address: Address,
    pub(crate) caller: Address,
    pub(crate) args: Vec<u8>,
    pub(crate) output: Vec<u8>,
    /// The immutables set so far, when this is an `init` or a `migrate`.
    pub(crate) immutables: Option<Immutables>,
}

/// The contract and key of a cell, from the keys that no list names and the chunk that has the list.
fn name<'a>(recorded: &'a [StateKey], chunk: &'a Chunk, cell: &Cell) -> (&'a Address, &'a [u8]) {
    if cell.recorded {
        let key = &recorded[cell.key as usize];
        return (&key.contract, &key.key);
    }
    chunk.name(cell.contract, cell.key, cell.key_len)
}

/// Values of immutables, by field number, ascending.
pub(crate) type Immutables = Vec<(u8, Vec<u8>)>;

impl Session {
    pub(crate) fn new(engine: Arc<Engine>, prices: Prices) -> Self {
        Self {
            engine,
            prices,
            pool: Pool::default(),
            contracts: Vec::new(),
            by_address: HashMap::new(),
            codes: (HashSet::new(), 0),
            has_new_code: false,
            state: Arc::new(NoState),
            started: started::Started::default(),
            copies: Copies::default(),
            recording: false,
            env: BlockEnv::default(),
            cells: Vec::new(),
            bounds: Vec::new(),
            list_work: Work::default(),
            lists: Arc::default(),
            chunk: 0,
            recorded: Vec::new(),
            index: NameIndex::default(),
            frames: Vec::new(),
            spare: Vec::new(),
            journal: Vec::new(),
            catching: 0,
            n_marks: 0,
            events: Vec::new(),
            event_bytes: 0,
            appended: Vec::new(),
            appended_bytes: 0,
            logs: Vec::new(),
            log_bytes: 0,
            callee_output: Vec::new(),
            fuel: 0,
            stop: None,
            failed_in: None,
            undeclared: None,
            guard: None,
            counter: None,
            fault: None,
        }
    }

    /// Makes the cells of a transaction's list; `value` gives each one's number in the block and
    /// its value.
    pub(crate) fn load(
        &mut self,
        lists: &Arc<Lists>,
        tx_index: u32,
        mut value: impl FnMut(&mut Copies, usize, &KeyHash) -> Result<(u32, Option<Bytes>), StoreError>,
    ) -> Result<(), StoreError> {
        self.cells.clear();
        self.recorded.clear();
        if !Arc::ptr_eq(&self.lists, lists) {
            self.lists = Arc::clone(lists);
        }
        let row;
        (self.chunk, row) = place(tx_index);
        for (at, entry) in lists.chunks[self.chunk].list(row).entries().iter().enumerate() {
            let (slot, value) = value(&mut self.copies, at, &entry.hash)?;
            self.cells.push(Cell::listed(entry, slot, value));
        }
        self.list_work = lists.chunks[self.chunk].work(row);
        self.bounds.clear();
        for (at, bound) in lists.chunks[self.chunk].bounds(row) {
            let cell = &mut self.cells[at];
            cell.accumulator = cell.accumulator.bounded();
            self.bounds.push((at, bound));
        }
        Ok(())
    }

    /// From where it reads from now on.
    pub(crate) fn set_state(&mut self, state: Arc<dyn StateRead>) {
        self.started.clear();
        self.copies.clear();
        self.state = state;
    }

    /// Lets go of the lists and the state.
    pub(crate) fn unload(&mut self) {
        self.cells.clear();
        self.lists = Arc::default();
        self.set_state(Arc::new(NoState));
    }

    /// The name of a cell.
    fn name<'a>(&'a self, cell: &Cell) -> (&'a Address, &'a [u8]) {
        name(&self.recorded, &self.lists.chunks[self.chunk], cell)
    }

    /// The key of a cell.
    pub(crate) fn state_key(&self, cell: &Cell) -> StateKey {
        let (contract, key) = self.name(cell);
        StateKey::new(*contract, cell.field, key)
    }

    /// Starts a transaction on the cells that were loaded: nothing of the one before is left.
    pub(crate) fn begin(&mut self, recording: bool, env: BlockEnv, fuel: u64) {
        if self.has_new_code || self.keeps_too_much() {
            self.has_new_code = false;
            self.contracts.clear();
            self.by_address.clear();
            self.codes = (HashSet::new(), 0);
        }
        self.index.clear();
        self.recording = recording;
        self.env = env;
        self.fuel = fuel;
        self.frames.clear();
        self.journal.clear();
        self.catching = 0;
        self.n_marks = 0;
        self.events = Vec::new();
        self.event_bytes = 0;
        self.appended.clear();
        self.appended_bytes = 0;
        self.logs = Vec::new();
        self.log_bytes = 0;
        self.callee_output.clear();
        self.stop = None;
        self.failed_in = None;
        self.undeclared = None;
        self.guard = None;
        self.counter = None;
        self.fault = None;
    }

    /// Whether the contracts that it met are more than are kept between transactions, where they are only a cache: their code stays where they
    /// are.
    fn keeps_too_much(&self) -> bool {
        /// As many as a list may name. Ours to choose, as the next one.
        const CONTRACTS_MAX: usize = 1024;
        /// Of all their codes, about: a quarter of what an engine keeps.
        const CODE_BYTES_MAX: u64 = 64 << 20;
        let Some(last) = self.contracts.last() else { return false };
        self.contracts.len() > CONTRACTS_MAX
            || self.codes.1 > CODE_BYTES_MAX
            || last.code.is_one_too_many()
    }

    /// What was appended to logs; mostly nothing.
    pub(crate) fn take_appended(&mut self) -> Box<[Appended]> {
        if self.appended.is_empty() { Box::default() } else { self.appended.drain(..).collect() }
    }

    pub(crate) fn frame(&self) -> &Frame {
        self.frames.last().expect("a contract runs, so there is a frame")
    }

    pub(crate) fn frame_mut(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("a contract runs, so there is a frame")
    }

    pub(crate) fn contract(&self, at: usize) -> &Arc<Contract> {
        &self.contracts[at]
    }

    /// An instance of a contract's code, in its first state.
    pub(crate) fn take_instance(&mut self, contract: usize) -> Result<Instance, wasmtime::Error> {
        self.pool.take(&self.engine, &self.contracts[contract].code)
    }

    pub(crate) fn charge(&mut self, fuel: u64) -> Result<(), TrapKind> {
        match self.fuel.checked_sub(fuel) {
            Some(left) => {
                self.fuel = left;
                Ok(())
            }
            None => {
                self.fuel = 0;
                Err(TrapKind::OutOfFuel)
            }
        }
    }

    /// The running contract's field, if its cells are of this kind.
    pub(crate) fn own_contract(&self) -> &Arc<Contract> {
        &self.contracts[self.frame().contract]
    }

    /// The contract at an address, current with the state; a touch of its record.
    pub(crate) fn resolve(&mut self, address: &Address) -> Result<usize, TrapKind> {
        let at = self.system_cell(system_field::CONTRACT, &address.0, AccessKind::Read)?;
        let Cell { value, hash, .. } = &self.cells[at];
        let bytes = value.as_ref().ok_or(TrapKind::NoSuchContract)?;
        if let Some(&at) = self.by_address.get(address)
            && self.contracts[at].record_bytes == *bytes
        {
            return Ok(at);
        }
        let record = (*hash, bytes.clone());
        match Contract::decode(&self.engine, &*self.state, address, record) {
            Ok(contract) => Ok(self.remember(contract)),
            Err(error) => {
                self.fault = Some(error);
                Err(TrapKind::NoSuchContract)
            }
        }
    }

    pub(crate) fn remember(&mut self, contract: Contract) -> usize {
        let address = contract.address;
        if self.codes.0.insert(contract.code.number) {
            self.codes.1 += contract.code.bytes;
        }
        self.contracts.push(Arc::new(contract));
        let at = self.contracts.len() - 1;
        self.by_address.insert(address, at);
        at
    }

    pub(crate) fn push_frame(
        &mut self,
        contract: usize,
        caller: Address,
        args: Vec<u8>,
        immutables: Option<Immutables>,
    ) -> Result<(), TrapKind> {
        let address = self.contracts[contract].address;
        if self.frames.iter().any(|frame| frame.address == address) {
            return Err(TrapKind::Reentry);
        }
        if self.frames.len() >= CALL_DEPTH_MAX {
            return Err(TrapKind::CallDepth);
        }
        self.frames.push(Frame { contract, address, caller, args, output: Vec::new(), immutables });
        Ok(())
    }

    /// A copy of these bytes, if possible in a buffer that was [kept](Self::keep_buffer).
    pub(crate) fn buffer_of(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.spare);
        buffer.clear();
        buffer.extend_from_slice(bytes);
        buffer
    }

    pub(crate) fn keep_buffer(&mut self, buffer: Vec<u8>) {
        self.spare = buffer;
    }

    pub(crate) fn emit(&mut self, id: u32, data: &[u8]) -> Result<(), TrapKind> {
        self.event_bytes += data.len() + 64;
        if self.event_bytes > OUTPUT_BYTES_MAX {
            return Err(TrapKind::TooLarge);
        }
        let contract = self.frame().address;
        if self.events.is_empty() {
            // Most transactions emit one, and a vector's first growth is to four.
            self.events.reserve_exact(1);
        }
        self.events.push(EventRecord { contract, id, data: data.to_vec() });
        Ok(())
    }

    /// Keeps a line for debugging; what exceeds the limit is dropped, not an error, so that logging
    /// never changes an outcome.
    pub(crate) fn log(&mut self, text: &[u8]) {
        self.log_bytes += text.len() + 64;
        if self.log_bytes <= OUTPUT_BYTES_MAX {
            self.logs.push(String::from_utf8_lossy(text).into_owned());
        }
    }

    /// The entries of the [footprint](crate::types::Receipt::footprint).
    pub(crate) fn footprint(&self) -> impl Iterator<Item = [u8; 32]> {
        let touched = self.cells.iter().filter(|cell| cell.touched.bits() != 0);
        touched.map(|cell| footprint_entry(&cell.hash, cell.touched.bits()))
    }
}
