//! The transaction that runs on this thread: what the native host functions act on.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use kempe_abi::derive::{self, Guards};
use kempe_abi::host::{
    APPENDED_BYTES_MAX, CALL_DEPTH_MAX, DATA_BYTES_MAX, IMMUTABLE_BYTES, IMMUTABLE_BYTES_MAX,
    IMMUTABLES_BYTES_MAX, ITEM_BYTES, KEY_BYTES_MAX, LIST_ENTRIES_MAX, VALUE_BYTES_MAX,
};
use kempe_abi::log::{INDEX_BYTES, item_key};
use kempe_abi::{
    Abi, AccessKind, Address, Bound, CellKind, MethodId, MethodKind, Outcome, TrapKind, split,
};

use super::receipt::{Emitted, NamedCell, Receipt, Violation};
use super::world::{Key, List, World, count, count_bytes};

thread_local! {
    static SESSION: RefCell<Option<Session>> = const { RefCell::new(None) };
}

/// A contract that is running.
pub(crate) struct Frame {
    pub(crate) contract: Address,
    pub(crate) caller: Address,
    kind: MethodKind,
}

/// What a transaction would change.
#[derive(Clone, Default)]
struct Overlay {
    writes: BTreeMap<Key, Option<Vec<u8>>>,
    /// What is to be added to counters, on top of `writes`.
    deltas: BTreeMap<Key, i128>,
    /// What was appended, with the logs.
    items: Vec<(Key, Vec<u8>)>,
    events: Vec<Emitted>,
}

/// A transaction while it runs.
pub(crate) struct Session {
    pub(crate) world: World,
    pub(crate) log: Vec<String>,
    pub(crate) call_output: Vec<u8>,
    list: List,
    /// Whether what the list does not name may be touched.
    recording: bool,
    /// What was touched and called, if that is recorded.
    observed: List,
    /// How many entries the list has, with what is recorded beside it.
    n_entries: usize,
    frames: Vec<Frame>,
    overlay: Overlay,
    violation: Option<Violation>,
    guard: Option<NamedCell>,
    /// The cell that would last have left its bounds.
    counter: Option<NamedCell>,
}

/// How a host function ends the contract: thrown through its code.
struct Stop(Outcome);

/// Acts on the running transaction; an error stops the contract.
pub(crate) fn with<T>(act: impl FnOnce(&mut Session) -> Result<T, TrapKind>) -> T {
    let result = SESSION.with_borrow_mut(|session| {
        let session = session.as_mut().expect(
            "a contract's code asks its host, so it runs only under a chain: use kempe_sdk::testing::TestChain",
        );
        act(session)
    });
    result.unwrap_or_else(|kind| stop(Outcome::Trap(kind)))
}

fn stop(outcome: Outcome) -> ! {
    // Unlike a panic this calls no hook, so that a test's output shows no panic that is none.
    resume_unwind(Box::new(Stop(outcome)))
}

/// What to run.
pub(crate) struct Call<'a> {
    pub(crate) caller: Address,
    pub(crate) contract: Address,
    pub(crate) method: &'a str,
    pub(crate) args: &'a [u8],
}

/// What became of a transaction, and what it touched if its list has a dynamic method.
pub(crate) struct Ran {
    pub(crate) receipt: Receipt,
    pub(crate) observed: List,
}

/// Runs a call with the list that its templates give, and lets its writes stand if it succeeds.
pub(crate) fn run_alone(world: &mut World, call: &Call<'_>) -> Receipt {
    match List::derive(world, &call.caller, &call.contract, call.method, call.args) {
        Ok(list) => run(world, list, call, true).receipt,
        Err(kind) => Receipt::new(Outcome::Trap(kind)),
    }
}

/// Runs a transaction on the world; its writes stand if it succeeds and `commit` says so. A list with a
/// dynamic method permits everything.
pub(crate) fn run(world: &mut World, list: List, call: &Call<'_>, commit: bool) -> Ran {
    let n_entries = list.n_entries();
    let session = Session {
        world: std::mem::take(world),
        log: Vec::new(),
        call_output: Vec::new(),
        recording: list.is_dynamic,
        list,
        observed: List::default(),
        n_entries,
        frames: Vec::new(),
        overlay: Overlay::default(),
        violation: None,
        guard: None,
        counter: None,
    };
    SESSION.set(Some(session));
    let mut result = enter(call.caller, call.contract, MethodId::of(call.method), call.args);
    let mut session = SESSION.take().expect("it was set above, and contracts cannot reach it");
    if result.is_ok()
        && let Err(kind) = session.settle()
    {
        result = Err(Outcome::Trap(kind));
    }
    let mut receipt = Receipt::new(result.as_ref().err().copied().unwrap_or(Outcome::Ok));
    receipt.log = session.log;
    receipt.violation = session.violation;
    let ended = |kind| receipt.outcome == Outcome::Trap(kind);
    let (guarded, out) = (ended(TrapKind::Guarded), ended(TrapKind::CounterOutOfBounds));
    receipt.guard = session.guard.filter(|_| guarded);
    receipt.counter = session.counter.filter(|_| out);
    if let Outcome::Revert(code) = receipt.outcome {
        let mut abis = session.world.contracts.get(&call.contract).into_iter();
        receipt.error_name =
            abis.find_map(|deployed| deployed.abi.error_name(code)).map(Into::into);
    }
    if let Ok(output) = result {
        receipt.output = output;
        receipt.events = session.overlay.events;
        if commit {
            for (key, value) in session.overlay.writes {
                session.world.change(key, value);
            }
        }
    }
    *world = session.world;
    Ran { receipt, observed: session.observed }
}

/// A cell of a contract with this ABI.
fn named(abi: &Abi, (contract, field, key): &Key) -> NamedCell {
    let name = abi.fields.get(usize::from(*field)).map(|field| field.name.clone());
    NamedCell {
        contract: *contract,
        contract_name: abi.name.clone(),
        field: name.unwrap_or_default(),
        key: key.clone(),
    }
}

/// A call from a running contract. The code of a revert, -1 for a trap.
pub(crate) fn call(callee: Address, method: u32, args: &[u8], catch: bool) -> i32 {
    let (caller, before) = with(|session| Ok((session.frame().contract, session.overlay.clone())));
    match enter(caller, callee, MethodId(method), args) {
        Ok(output) => {
            with(|session| {
                session.call_output = output;
                Ok(())
            });
            0
        }
        // A list that is too short ends the transaction whatever the caller would do about it, so
        // that the caller cannot come to depend on it.
        Err(outcome @ Outcome::Trap(TrapKind::UndeclaredAccess)) => stop(outcome),
        Err(outcome) if !catch => stop(outcome),
        Err(outcome) => {
            with(|session| {
                session.overlay = before;
                session.call_output.clear();
                Ok(())
            });
            match outcome {
                Outcome::Revert(code) => i32::try_from(code).unwrap_or(-1),
                _ => -1,
            }
        }
    }
}

/// Runs a method in a frame of its own.
fn enter(
    caller: Address,
    contract: Address,
    method: MethodId,
    args: &[u8],
) -> Result<Vec<u8>, Outcome> {
    let begun = SESSION.with_borrow_mut(|session| {
        let session = session.as_mut().expect("`run` set it");
        session.begin(caller, contract, method, args)
    });
    let (dispatch, name) = begun.map_err(Outcome::Trap)?;
    let result = catch_unwind(AssertUnwindSafe(|| dispatch(&name, args)));
    SESSION.with_borrow_mut(|session| {
        let session = session.as_mut().expect("`run` set it");
        session.frames.pop();
        match result {
            Ok(Ok(output)) if output.len() > DATA_BYTES_MAX => {
                Err(Outcome::Trap(TrapKind::TooLarge))
            }
            Ok(Ok(output)) => Ok(output),
            Ok(Err(code)) => Err(Outcome::Revert(code)),
            Err(thrown) => match thrown.downcast::<Stop>() {
                Ok(stop) => Err(stop.0),
                Err(panic) => {
                    session.log.push(format!("panic: {}", message(&*panic)));
                    Err(Outcome::Trap(TrapKind::Panic))
                }
            },
        }
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

type Dispatch = fn(&str, &[u8]) -> Result<Vec<u8>, u32>;

impl Session {
    fn begin(
        &mut self,
        caller: Address,
        contract: Address,
        method: MethodId,
        args: &[u8],
    ) -> Result<(Dispatch, String), TrapKind> {
        if self.frames.len() >= CALL_DEPTH_MAX {
            return Err(TrapKind::CallDepth);
        }
        if self.frames.iter().any(|frame| frame.contract == contract) {
            return Err(TrapKind::Reentry);
        }
        if self.recording {
            self.observe_call(contract)?;
        }
        let deployed = self.world.contracts.get(&contract).ok_or(TrapKind::NoSuchContract)?;
        if !self.recording && !self.list.calls.contains(&contract) {
            self.violation = Some(Violation {
                contract,
                contract_name: deployed.abi.name.clone(),
                field: String::new(),
                key: Vec::new(),
                cell: CellKind::Value,
                wanted: AccessKind::Read,
                ..Violation::default()
            });
            return Err(TrapKind::UndeclaredAccess);
        }
        let method = deployed.abi.method_by_id(method).ok_or(TrapKind::NoSuchMethod)?;
        let once = matches!(method.kind, MethodKind::Init | MethodKind::Migrate);
        if once && !self.frames.is_empty() {
            return Err(TrapKind::NotPermitted);
        }
        split(method.params.iter().map(|param| &param.ty), args, |_| ())
            .map_err(|_| TrapKind::BadArguments)?;
        let what = (&deployed.abi, method);
        let clauses = derive::guarded(&method.access);
        let most = (derive::STEPS_MAX, derive::GUARD_BYTES_MAX);
        let (guards, found) =
            derive::guards(&self.world, &caller, &contract, what, &clauses, args, most);
        found.map_err(|error| error.trap())?;
        for (field, key) in guards.cells {
            let cell = (contract, field, key);
            if Guards::stops(self.world.at_start(&cell).as_deref()) {
                self.guard = Some(named(&deployed.abi, &cell));
                return Err(TrapKind::Guarded);
            }
        }
        let begun = (deployed.code.dispatch, method.name.clone());
        if once {
            // The new code is an entry of its own.
            self.n_entries += 1;
        }
        self.frames.push(Frame { contract, caller, kind: method.kind });
        Ok(begun)
    }

    /// The contract that is running.
    pub(crate) fn frame(&self) -> &Frame {
        self.frames.last().expect("only a running contract asks its host")
    }

    /// The full name of a cell, if the running contract may touch it so.
    fn touch(&mut self, field: u8, key: &[u8], kind: AccessKind) -> Result<Key, TrapKind> {
        if key.len() > KEY_BYTES_MAX {
            return Err(TrapKind::TooLarge);
        }
        let frame = self.frame();
        let full = (frame.contract, field, key.to_vec());
        let (contract, method_kind) = (frame.contract, frame.kind);
        if method_kind == MethodKind::View && kind != AccessKind::Read {
            return Err(TrapKind::NotPermitted);
        }
        let abi = &self.world.contracts.get(&contract).expect("it is running").abi;
        if abi.is_cell(field, CellKind::Immutable) {
            let permitted = match (kind, method_kind) {
                (AccessKind::Read, _) => true,
                (_, MethodKind::Init | MethodKind::Migrate) => self.base(&full).is_none(),
                _ => false,
            };
            return if permitted { Ok(full) } else { Err(TrapKind::NotPermitted) };
        }
        if self.recording || method_kind == MethodKind::Init {
            self.observe(&full, kind)?;
            return Ok(full);
        }
        if self.list.permits(&full, kind) {
            return Ok(full);
        }
        let field = abi.fields.get(usize::from(field));
        let may_take = self.list.bounds.get(&full).copied();
        let declared = self.list.cells.get(&full).copied();
        self.violation = Some(Violation {
            contract,
            contract_name: abi.name.clone(),
            field: field.map(|field| field.name.clone()).unwrap_or_default(),
            key: key.to_vec(),
            cell: field.map_or(CellKind::Value, |field| field.cell),
            wanted: kind,
            // Which of its kinds a bounded cell has is up to the block.
            declared: may_take.map(|_| AccessKind::Add).or(declared),
            may_take,
            ..Violation::default()
        });
        Err(TrapKind::UndeclaredAccess)
    }

    /// Records a touch.
    fn observe(&mut self, key: &Key, kind: AccessKind) -> Result<(), TrapKind> {
        if !self.list.cells.contains_key(key) && !self.observed.cells.contains_key(key) {
            self.lengthen()?;
        }
        self.observed.add(key.clone(), kind);
        Ok(())
    }

    /// Records a call.
    fn observe_call(&mut self, contract: Address) -> Result<(), TrapKind> {
        if !self.list.calls.contains(&contract) && !self.observed.calls.contains(&contract) {
            self.lengthen()?;
        }
        self.observed.calls.insert(contract);
        Ok(())
    }

    /// Makes room for one more entry of what is recorded.
    fn lengthen(&mut self) -> Result<(), TrapKind> {
        if self.n_entries >= LIST_ENTRIES_MAX {
            return Err(TrapKind::ListTooLarge);
        }
        self.n_entries += 1;
        Ok(())
    }

    /// The value below the deltas.
    fn base(&self, key: &Key) -> Option<&[u8]> {
        match self.overlay.writes.get(key) {
            Some(written) => written.as_deref(),
            None => self.world.cells.get(key).map(Vec::as_slice),
        }
    }

    /// The bytes of the value with what was added, if it is within its bounds.
    fn counted(&mut self, key: &Key) -> Result<Vec<u8>, TrapKind> {
        let (how, max) = self.world.accumulates(&key.0, key.1).ok_or(TrapKind::NotPermitted)?;
        let amount = self.overlay.deltas.get(key).copied().unwrap_or(0);
        let left = how.apply(self.base(key).map(count), max, amount);
        Ok(count_bytes(left.ok_or_else(|| self.out_of_bounds(key))?, max))
    }

    /// Notes which cell would leave its bounds.
    fn out_of_bounds(&mut self, key: &Key) -> TrapKind {
        let deployed = self.world.contracts.get(&key.0);
        self.counter = deployed.map(|deployed| named(&deployed.abi, key));
        TrapKind::CounterOutOfBounds
    }

    pub(crate) fn get(&mut self, field: u8, key: &[u8]) -> Result<Option<Vec<u8>>, TrapKind> {
        let key = self.touch(field, key, AccessKind::Read)?;
        if self.overlay.deltas.contains_key(&key) {
            return self.counted(&key).map(Some);
        }
        Ok(self.base(&key).map(<[u8]>::to_vec))
    }

    /// The value before the block. That the method declares it is for the compiler to check.
    pub(crate) fn at_start(&self, field: u8, key: &[u8]) -> Result<Option<Vec<u8>>, TrapKind> {
        if key.len() > KEY_BYTES_MAX {
            return Err(TrapKind::TooLarge);
        }
        Ok(self.world.at_start(&(self.frame().contract, field, key.to_vec())))
    }

    pub(crate) fn put(
        &mut self,
        field: u8,
        key: &[u8],
        value: Option<Vec<u8>>,
    ) -> Result<(), TrapKind> {
        let key = self.touch(field, key, AccessKind::Write)?;
        if value.as_ref().is_some_and(|value| value.len() > VALUE_BYTES_MAX) {
            return Err(TrapKind::TooLarge);
        }
        if let Some(value) = &value
            && self.world.contracts[&key.0].abi.is_cell(field, CellKind::Immutable)
        {
            self.check_immutable(&key.0, value)?;
        }
        self.overlay.deltas.remove(&key);
        self.overlay.writes.insert(key, value);
        Ok(())
    }

    /// Whether there is room for one more immutable of a contract.
    fn check_immutable(&self, contract: &Address, value: &[u8]) -> Result<(), TrapKind> {
        let abi = &self.world.contracts[contract].abi;
        let fields = (0u8..=255).filter(|&field| abi.is_cell(field, CellKind::Immutable));
        let set = fields.filter_map(|field| self.base(&(*contract, field, Vec::new())));
        let bytes: usize = set.chain([value]).map(|value| value.len() + IMMUTABLE_BYTES).sum();
        if value.len() > IMMUTABLE_BYTES_MAX || bytes > IMMUTABLES_BYTES_MAX {
            return Err(TrapKind::TooLarge);
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, field: u8, key: &[u8], number: i128) -> Result<(), TrapKind> {
        let key = self.touch(field, key, AccessKind::Add)?;
        let (how, max) = self.world.accumulates(&key.0, field).ok_or(TrapKind::NotPermitted)?;
        let amount = how.amount(number, max).ok_or_else(|| self.out_of_bounds(&key))?;
        let sum = self.overlay.deltas.get(&key).copied().unwrap_or(0);
        let sum = how.join(sum, amount).ok_or_else(|| self.out_of_bounds(&key))?;
        self.overlay.deltas.insert(key, sum);
        Ok(())
    }

    /// Takes from a stock if at least `floor` is left then; whether it was taken.
    pub(crate) fn reserve(
        &mut self,
        field: u8,
        key: &[u8],
        amount: u128,
        floor: u128,
    ) -> Result<bool, TrapKind> {
        if key.len() > KEY_BYTES_MAX {
            return Err(TrapKind::TooLarge);
        }
        if (Bound { amount, floor }).is_nothing() {
            return Ok(true);
        }
        let full = (self.frame().contract, field, key.to_vec());
        let taken = i128::try_from(amount).map_err(|_| self.out_of_bounds(&full))?;
        let added = self.overlay.deltas.get(&full).copied().unwrap_or(0);
        let left = added.checked_sub(taken).ok_or_else(|| self.out_of_bounds(&full))?;
        let bound = self.list.bounds.get(&full);
        let is_within =
            bound.is_some_and(|bound| left.unsigned_abs() <= bound.amount && floor <= bound.floor);
        if !is_within {
            let is_bounded = bound.is_some();
            let touched = self.touch(field, key, AccessKind::Write);
            if let (Err(TrapKind::UndeclaredAccess), Some(violation)) =
                (&touched, &mut self.violation)
            {
                let amount = if is_bounded { left.unsigned_abs() } else { amount };
                violation.takes = Some(Bound { amount, floor });
            }
            touched?;
        }
        let value = self.base(&full).map_or(0, count).checked_add_signed(left);
        if value.is_none_or(|value| value < floor) {
            return Ok(false);
        }
        self.overlay.deltas.insert(full, left);
        Ok(true)
    }

    /// Appends to a log.
    pub(crate) fn append(&mut self, field: u8, key: &[u8], item: &[u8]) -> Result<(), TrapKind> {
        if key.len() + INDEX_BYTES > KEY_BYTES_MAX || item.len() > VALUE_BYTES_MAX {
            return Err(TrapKind::TooLarge);
        }
        self.add(field, key, 1)?;
        let log = (self.frame().contract, field, key.to_vec());
        self.overlay.items.push((log, item.to_vec()));
        let bytes = |((_, _, key), item): &(Key, Vec<u8>)| key.len() + item.len() + ITEM_BYTES;
        let bytes = self.overlay.items.iter().map(bytes);
        if bytes.sum::<usize>() > APPENDED_BYTES_MAX {
            return Err(TrapKind::TooLarge);
        }
        Ok(())
    }

    pub(crate) fn emit(&mut self, id: u32, data: &[u8]) -> Result<(), TrapKind> {
        let frame = self.frame();
        if frame.kind == MethodKind::View {
            return Err(TrapKind::NotPermitted);
        }
        if data.len() > DATA_BYTES_MAX {
            return Err(TrapKind::TooLarge);
        }
        let event = Emitted { contract: frame.contract, id, data: data.to_vec() };
        self.overlay.events.push(event);
        Ok(())
    }

    /// Writes what was appended to where it belongs, once the lengths are known.
    fn append_items(&mut self) {
        let mut lengths = BTreeMap::new();
        for (log, item) in std::mem::take(&mut self.overlay.items).into_iter().rev() {
            let length = || self.base(&log).map_or(0, count);
            let index = lengths.entry(log.clone()).or_insert_with(length);
            *index -= 1;
            let index = u64::try_from(*index).expect("a length has 64 bits");
            let (contract, field, key) = log;
            let key = (contract, field, item_key(&key, index));
            self.overlay.writes.insert(key, Some(item));
        }
    }

    /// Turns deltas and items into writes at the end of the transaction.
    fn settle(&mut self) -> Result<(), TrapKind> {
        let keys: Vec<Key> = self.overlay.deltas.keys().cloned().collect();
        for key in keys {
            let bytes = self.counted(&key)?;
            self.overlay.deltas.remove(&key);
            self.overlay.writes.insert(key, Some(bytes));
        }
        self.append_items();
        Ok(())
    }
}
