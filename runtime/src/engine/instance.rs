//! Instances and their reuse.
//!
//! The state of an instance of an admitted module is its one memory, whose size is fixed, and its
//! mutable globals, all exported: admission refuses start functions, passive segments, and every
//! instruction that changes a table or drops a segment. So copying the memory's first image and
//! setting the globals to their first values gives an instance that nothing can tell from a fresh
//! one, however the last call ended. A test runs hostile modules both ways and compares.

use std::sync::Arc;

use hashbrown::HashMap;
use kempe_abi::host::{MEMORY, METHOD_PREFIX};
use kempe_abi::{Outcome, TrapKind};
use wasmtime::{Extern, Global, Memory, Module, ModuleExport, Store, Trap, TypedFunc, Val};

use super::admission::Admitted;
use super::compile::{Code, Engine};
use super::session::{Host, Session};
use crate::state::StoreError;

/// The most bytes of idle instances that a worker keeps. A transaction may call a thousand contracts in turn, over and over, and for
/// the usual call of an instance that is there everybody pays the same: these are all contracts of a transaction, if they are not the largest, for
/// whose memory it pays more. Ours to choose.
const IDLE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// What an entry of a table takes.
pub(super) const TABLE_ENTRY_BYTES: u64 = 8;

/// What an instance takes beside its memory and its table, about.
const INSTANCE_BYTES: u64 = 8 * 1024;

/// What making an instance takes, in fuel. Each call pays it, whether there is an instance already or not: who calls more contracts
/// than a worker keeps finds none, and what a call burns must not depend on what was called before. A global is also set at each call;
/// the larger the code and the memory, the fewer are kept; and a large memory is mapped anew, page by page. On a 2 vCPU AMD EPYC (Zen 4) a
/// function in a table takes 70 nanoseconds, a global 110, an import 12, a data segment, which is code that runs once, 46, and a KiB that is mapped 77
/// to 214. Ours to choose: contracts have one mutable global, some thirty imports, two segments, no table, and less memory than is free here.
const ELEMENT_FUEL: u64 = 100;
const SEGMENT_FUEL: u64 = 200;
const GLOBAL_FUEL: u64 = 200;
const IMPORT_FUEL: u64 = 10;
const MODULE_BYTES_PER_FUEL: u64 = 32;
const LARGE_MEMORY_KIB_FUEL: u64 = 80;
const LARGE_MEMORY_KIB: u64 = 32;

impl Admitted {
    /// What a call of the contract burns beside the [prices](crate::types::Prices) of a call and of its memory: 200 for each mutable global,
    /// 100 for each function in its table, 200 for each data segment, 10 for each import, one for each 32 bytes of its module, and 80 for each
    /// KiB of its memory behind the first 32, which is what making an instance takes.
    #[must_use]
    pub const fn instance_fuel(&self) -> u64 {
        let Self { sizes, stack_globals, memory_bytes, .. } = self;
        let memory_kib = memory_bytes.div_ceil(1024) as u64;
        sizes.elements * ELEMENT_FUEL
            + sizes.data_segments * SEGMENT_FUEL
            + stack_globals.len() as u64 * GLOBAL_FUEL
            + sizes.imports * IMPORT_FUEL
            + sizes.module_bytes / MODULE_BYTES_PER_FUEL
            + memory_kib.saturating_sub(LARGE_MEMORY_KIB) * LARGE_MEMORY_KIB_FUEL
    }
}

/// The idle instances of one worker.
#[derive(Default)]
pub(crate) struct Pool {
    /// By the number of their code.
    idle: HashMap<usize, Vec<Instance>>,
    idle_bytes: u64,
    /// Whether to make a fresh instance for each call instead of reusing one.
    pub(crate) fresh: bool,
}

pub(crate) struct Instance {
    store: Store<Host>,
    memory: Memory,
    instance: wasmtime::Instance,
    globals: Vec<(Global, Val)>,
    /// The methods that were called, by their position in the ABI.
    methods: Vec<Option<TypedFunc<u32, u32>>>,
    code: Arc<Code>,
}

/// Where what the host uses of a module is among its exports.
pub(super) struct Exports {
    memory: ModuleExport,
    /// The mutable globals.
    globals: Vec<ModuleExport>,
    /// The methods, in the order of the ABI.
    methods: Vec<ModuleExport>,
}

impl Exports {
    pub(super) fn of(module: &Module, admitted: &Admitted) -> Result<Self, wasmtime::Error> {
        let find = |name: &str| {
            let export = module.get_export_index(name);
            export.ok_or_else(|| wasmtime::format_err!("`{name}` is not exported"))
        };
        let globals = admitted.stack_globals.iter().map(|name| find(name));
        let methods = admitted.abi.methods.iter();
        let methods = methods.map(|method| find(&format!("{METHOD_PREFIX}{}", method.name)));
        Ok(Self {
            memory: find(MEMORY)?,
            globals: globals.collect::<Result<_, _>>()?,
            methods: methods.collect::<Result<_, _>>()?,
        })
    }
}

/// The first image of a memory, without its zeros, which are most of it: they need not be read to be written.
#[derive(Debug)]
pub(crate) struct Image {
    /// Where each part is, ascending, and its bytes. The rest is zeros.
    parts: Vec<(usize, Box<[u8]>)>,
}

impl Image {
    fn of(memory: &[u8]) -> Self {
        /// A line of memory.
        const LINE_BYTES: usize = 64;
        let lines: Vec<&[u8]> = memory.chunks(LINE_BYTES).collect();
        let is_zero = |line: &[u8]| line.iter().all(|&byte| byte == 0);
        let (mut parts, mut start) = (Vec::new(), 0);
        for lines in lines.chunk_by(|a, b| is_zero(a) == is_zero(b)) {
            let bytes = lines.concat();
            let end = start + bytes.len();
            if !is_zero(&bytes) {
                parts.push((start, bytes.into()));
            }
            start = end;
        }
        Self { parts }
    }

    /// Makes a memory what it was at first, whatever is in it.
    fn restore(&self, memory: &mut [u8]) {
        let mut at = 0;
        for (start, bytes) in &self.parts {
            memory[at..*start].fill(0);
            at = start + bytes.len();
            memory[*start..at].copy_from_slice(bytes);
        }
        memory[at..].fill(0);
    }
}

impl Pool {
    /// An instance in its first state.
    pub(crate) fn take(
        &mut self,
        engine: &Engine,
        code: &Arc<Code>,
    ) -> Result<Instance, wasmtime::Error> {
        if !self.fresh
            && let Some(mut instance) = self.idle.get_mut(&code.number).and_then(Vec::pop)
        {
            self.idle_bytes -= instance.bytes();
            instance.reset()?;
            return Ok(instance);
        }
        Instance::new(engine, code)
    }

    /// Returns an instance, in whatever state.
    pub(crate) fn put(&mut self, instance: Instance) {
        if self.fresh {
            return;
        }
        if self.idle_bytes + instance.bytes() > IDLE_BYTES_MAX || instance.code.is_one_too_many() {
            self.idle.clear();
            self.idle_bytes = 0;
        }
        self.idle_bytes += instance.bytes();
        self.idle.entry(instance.code.number).or_default().push(instance);
    }
}

type Callable<'a> = (&'a TypedFunc<u32, u32>, &'a mut Store<Host>);

impl Instance {
    fn new(engine: &Engine, code: &Arc<Code>) -> Result<Self, wasmtime::Error> {
        let mut store = Store::new(engine.wasmtime(), Host { session: None, memory: None });
        // Instantiation copies the data segments, which takes fuel, and runs no function: admission
        // refuses start functions. What it costs is in the price of a call.
        store.set_fuel(u64::MAX)?;
        let instance = code.pre.instantiate(&mut store)?;
        let exports = &code.exports;
        let memory = instance.get_module_export(&mut store, &exports.memory);
        let memory = memory
            .and_then(Extern::into_memory)
            .ok_or_else(|| wasmtime::format_err!("the memory is not exported"))?;
        store.data_mut().memory = Some(memory);
        let mut globals = Vec::new();
        for global in &exports.globals {
            let global = instance.get_module_export(&mut store, global);
            let global = global
                .and_then(Extern::into_global)
                .ok_or_else(|| wasmtime::format_err!("a global is not exported"))?;
            let first = global.get(&mut store);
            globals.push((global, first));
        }
        code.image.get_or_init(|| Image::of(memory.data(&store)));
        let methods = vec![None; exports.methods.len()];
        Ok(Self { store, memory, instance, globals, methods, code: Arc::clone(code) })
    }

    /// What it takes, about, and its code, which stays where an instance does.
    fn bytes(&self) -> u64 {
        let Admitted { memory_bytes, sizes, .. } = &self.code.admitted;
        let table_bytes = TABLE_ENTRY_BYTES * sizes.table_entries;
        INSTANCE_BYTES + u64::from(*memory_bytes) + table_bytes + self.code.bytes
    }

    /// The method at a position of the ABI, and the store to call it in. Borrowed: a copy of a function counts references that all
    /// workers share.
    fn method(&mut self, position: usize) -> Result<Callable<'_>, wasmtime::Error> {
        let method = &mut self.methods[position];
        if method.is_none() {
            let export = &self.code.exports.methods[position];
            let found = self.instance.get_module_export(&mut self.store, export);
            let found = found.and_then(Extern::into_func);
            let found = found.ok_or_else(|| wasmtime::format_err!("a method is not exported"))?;
            *method = Some(found.typed(&self.store)?);
        }
        Ok((method.as_ref().expect("it was looked up"), &mut self.store))
    }

    fn reset(&mut self) -> Result<(), wasmtime::Error> {
        let image = self.code.image.get().expect("the first instance took the image");
        image.restore(self.memory.data_mut(&mut self.store));
        for (global, first) in &self.globals {
            global.set(&mut self.store, *first)?;
        }
        Ok(())
    }

    /// Runs the method at a position of the ABI to its end, with the session inside the store meanwhile.
    pub(crate) fn call(
        &mut self,
        mut session: Box<Session>,
        position: usize,
        args_len: u32,
    ) -> (Box<Session>, Outcome) {
        let fuelled = self.store.set_fuel(session.fuel);
        debug_assert!(fuelled.is_ok(), "fuel is configured");
        self.store.data_mut().session = Some(session);
        let result = self.method(position);
        let result = result.and_then(|(method, store)| method.call(store, args_len));
        session =
            self.store.data_mut().session.take().expect("every host function returns the session");
        session.fuel = self.store.get_fuel().unwrap_or(0);
        let outcome = match (result, session.stop.take()) {
            (Ok(0), None) => Outcome::Ok,
            (Ok(code), None) => Outcome::Revert(code),
            // A trap that the host raised: the fuel is exact, because wasm stores its counter
            // before it calls the host.
            (_, Some(stop)) => stop,
            (Err(error), None) => {
                // After a trap of its own, wasm's counter may still be in a register
                // (wasmtime issue 13802): it burns everything.
                session.fuel = 0;
                let kind = error.downcast_ref::<Trap>().map(trap_kind);
                Outcome::Trap(kind.unwrap_or_else(|| {
                    session.fault = Some(StoreError::machine(format!("{error:#}")));
                    TrapKind::NotPermitted
                }))
            }
        };
        (session, outcome)
    }
}

const fn trap_kind(trap: &Trap) -> TrapKind {
    match trap {
        Trap::OutOfFuel => TrapKind::OutOfFuel,
        Trap::StackOverflow => TrapKind::StackOverflow,
        Trap::MemoryOutOfBounds | Trap::HeapMisaligned => TrapKind::MemoryOutOfBounds,
        Trap::TableOutOfBounds | Trap::IndirectCallToNull | Trap::BadSignature => {
            TrapKind::BadIndirectCall
        }
        Trap::IntegerOverflow | Trap::IntegerDivisionByZero | Trap::BadConversionToInteger => {
            TrapKind::Arithmetic
        }
        _ => TrapKind::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_restores_every_byte() {
        let pattern = |at: usize| match at {
            0..3 | 64..192 | 500..501 | 1000..1024 => 7,
            _ => 0,
        };
        for len in [0, 1, 64, 65, 192, 501, 1024] {
            let first: Vec<u8> = (0..len).map(pattern).collect();
            let image = Image::of(&first);
            let mut memory = vec![0xff; len];
            image.restore(&mut memory);
            assert_eq!(memory, first, "len={len}");
            // No part begins or ends with a line of zeros.
            let is_zero = |line: &[u8]| line.iter().all(|&byte| byte == 0);
            for (_, bytes) in &image.parts {
                assert!(!bytes.chunks(64).any(is_zero));
            }
        }
    }
}
