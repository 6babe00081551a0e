//! The engine's configuration, and the cache of compiled code.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use hashbrown::HashMap;
use kempe_abi::{Hash, MethodId};
use wasmtime::{Config, InstancePre, Linker, Module, OperatorCost};

use super::admission::{Admitted, Refusal, admit};
use super::artifacts::Artifacts;
use super::codes::Codes;
use super::compiler::Compiler;
use super::host;
use super::instance::{Exports, Image};
use super::session::Host;
use super::weight;
use crate::sync::{lock, panic_text};

/// The most bytes of native stack that the wasm of one contract uses. Reaching it is a trap.
///
/// The depth at which it is reached depends on the compiler's frames, so the engine's version is
/// part of the protocol.
pub(super) const WASM_STACK_BYTES: usize = 256 * 1024;

/// What the engine is, as part of the protocol: another version may burn other fuel.
pub const ENGINE_VERSION: &str = "wasmtime 48.0.8 cranelift; kempe 10";

/// Why code cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The module is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The compiler failed on an admitted module: for want of memory or threads, or by a bug of its own. Never an
    /// outcome of a transaction, as another machine may well compile it.
    #[error("an admitted module was not compiled, code={code}: {what}")]
    Compile {
        /// The blake3 hash of the module.
        code: Hash,
        /// What the compiler says, or what it panicked with.
        what: String,
    },
    /// The host refused the configuration.
    #[error("the engine cannot be configured on this machine: {0}")]
    Configure(String),
    /// The threads that compile could not be started.
    #[error("the threads that compile cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// What compiled code may take of memory while nobody uses it: a thousand contracts of a usual size. Ours to choose.
const CODE_BYTES_MAX: u64 = 256 << 20;

/// Compiled code, by the hash of its wasm.
#[derive(Debug)]
pub struct Engine {
    wasmtime: wasmtime::Engine,
    codes: Mutex<Codes<Code>>,
    artifacts: Option<&'static Artifacts>,
    compiler: Compiler,
    n_codes: AtomicUsize,
    /// How many there are that somebody has.
    n_live: Arc<AtomicUsize>,
}

/// Admitted and compiled code, shared by all contracts that were deployed from it.
pub struct Code {
    /// The blake3 hash of the wasm.
    pub hash: Hash,
    /// What admission found.
    pub admitted: Admitted,
    /// Each method's selector and position in the ABI.
    pub methods: HashMap<MethodId, usize>,
    /// Tells it from every other code of the engine.
    pub(super) number: usize,
    /// What it takes of memory, about.
    pub(super) bytes: u64,
    pub(super) pre: InstancePre<Host>,
    pub(super) exports: Exports,
    /// The memory after instantiation, taken from the first instance.
    pub(super) image: OnceLock<Image>,
    live: Live,
}

/// Counts code while it is there.
struct Live(Arc<AtomicUsize>);

impl Live {
    fn new(n_live: &Arc<AtomicUsize>) -> Self {
        n_live.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(n_live))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The most code of an engine that idle instances hold on to, of all its workers together: each takes two of a process's mappings of memory, of which
/// Linux permits 65,530. Ours to choose.
const LIVE_CODES_MAX: usize = 16 * 1024;

impl Code {
    /// Whether there is so much code that nobody should keep any for later.
    pub(super) fn is_one_too_many(&self) -> bool {
        self.live.0.load(Ordering::Relaxed) > LIVE_CODES_MAX
    }
}

/// A module that is looked at and not compiled yet: what compiling it costs is known, or why it is refused.
pub(super) struct Candidate<'a> {
    wasm: &'a [u8],
    hash: Hash,
    found: Result<Found, Refusal>,
}

/// What there is of a module that is admitted.
enum Found {
    /// All of it, from before.
    Code(Arc<Code>),
    /// What admission says.
    Admitted(Box<Admitted>),
}

impl<'a> Candidate<'a> {
    pub(super) const fn wasm(&self) -> &'a [u8] {
        self.wasm
    }

    /// The estimate of the work of compiling it, whether it was compiled before or not; zero if it is refused.
    pub(super) fn effort(&self) -> u64 {
        match &self.found {
            Ok(Found::Code(code)) => code.admitted.sizes.effort,
            Ok(Found::Admitted(admitted)) => admitted.sizes.effort,
            Err(_) => 0,
        }
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").field("hash", &self.hash).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine without code.
    ///
    /// # Errors
    /// [`EngineError::Configure`] where wasmtime does not support the machine.
    pub fn new() -> Result<Self, EngineError> {
        Self::with(None)
    }

    /// An engine that keeps what it compiles on disk, and loads what an earlier one kept. Modules are admitted
    /// again all the same.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_artifacts(artifacts: &'static Artifacts) -> Result<Self, EngineError> {
        Self::with(Some(artifacts))
    }

    pub(crate) fn with(artifacts: Option<&'static Artifacts>) -> Result<Self, EngineError> {
        let wasmtime = wasmtime::Engine::new(&config())
            .map_err(|error| EngineError::Configure(format!("{error:#}")))?;
        let codes = Mutex::new(Codes::new(CODE_BYTES_MAX));
        let (compiler, n_codes) = (Compiler::default(), AtomicUsize::new(0));
        let n_live = Arc::default();
        Ok(Self { wasmtime, codes, artifacts, compiler, n_codes, n_live })
    }

    pub(super) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }

    /// The code with this hash, if it was loaded before. Code that nobody uses is given up when all of it takes more
    /// than 256 MiB.
    #[must_use]
    pub fn loaded(&self, hash: &Hash) -> Option<Arc<Code>> {
        lock(&self.codes).get(hash)
    }

    /// Admits and compiles a module, or returns it if it was loaded before. Takes milliseconds
    /// for a contract of usual size; admission bounds it.
    ///
    /// # Errors
    /// [`EngineError::Refused`] says why a module is not admitted.
    pub fn load(&self, wasm: &[u8]) -> Result<Arc<Code>, EngineError> {
        self.finish(self.consider(wasm))
    }

    /// Admits a module, unless it was loaded before, without compiling it.
    pub(super) fn consider<'a>(&self, wasm: &'a [u8]) -> Candidate<'a> {
        let hash = Hash(*blake3::hash(wasm).as_bytes());
        let found = match self.loaded(&hash) {
            Some(code) => Ok(Found::Code(code)),
            None => admit(wasm).map(|admitted| Found::Admitted(Box::new(admitted))),
        };
        Candidate { wasm, hash, found }
    }

    /// Compiles what was considered, unless somebody else does so meanwhile.
    pub(super) fn finish(&self, candidate: Candidate<'_>) -> Result<Arc<Code>, EngineError> {
        let Candidate { wasm, hash, found } = candidate;
        let admitted = match found? {
            Found::Code(code) => return Ok(code),
            Found::Admitted(admitted) => *admitted,
        };
        let compiled = self.compiler.run(|| match self.loaded(&hash) {
            Some(code) => Ok(code),
            None => {
                let code = Arc::new(self.compile(hash, wasm, admitted)?);
                let bytes = code.bytes;
                Ok(lock(&self.codes).insert(hash, code, bytes))
            }
        })?;
        compiled.unwrap_or_else(|panic| {
            let what = format!("it panicked: {}", panic_text(&*panic));
            Err(EngineError::Compile { code: hash, what })
        })
    }

    fn compile(&self, hash: Hash, wasm: &[u8], admitted: Admitted) -> Result<Code, EngineError> {
        let failed = |error: wasmtime::Error| EngineError::Compile {
            code: hash,
            what: format!("{error:#}"),
        };
        let kept = self.artifacts.and_then(|artifacts| artifacts.load(&self.wasmtime, &hash));
        let module = match kept {
            Some(module) => module,
            None => {
                let module = Module::new(&self.wasmtime, wasm).map_err(failed)?;
                if let Some(artifacts) = self.artifacts {
                    artifacts.keep(&self.wasmtime, &hash, &module);
                }
                module
            }
        };
        let mut linker = Linker::new(&self.wasmtime);
        for import in module.imports() {
            host::link(&mut linker, import.name(), &admitted.abi).map_err(failed)?;
        }
        let pre = linker.instantiate_pre(&module).map_err(failed)?;
        let methods = (0..).zip(&admitted.abi.methods);
        let methods = methods.map(|(at, method)| (MethodId::of(&method.name), at)).collect();
        let exports = Exports::of(&module, &admitted).map_err(failed)?;
        let number = self.n_codes.fetch_add(1, Ordering::Relaxed);
        let text = module.image_range();
        let text_bytes = (text.end as usize - text.start as usize) as u64;
        let bytes = text_bytes
            + wasm.len() as u64
            + image_bytes_max(wasm, &admitted)
            + weight::bytes_of(&admitted);
        let live = Live::new(&self.n_live);
        let image = OnceLock::new();
        Ok(Code { hash, admitted, methods, number, bytes, pre, exports, image, live })
    }
}

/// The most bytes of an [image](Image): a line for each of the shortest data segments, which take six bytes of the module.
fn image_bytes_max(wasm: &[u8], admitted: &Admitted) -> u64 {
    u64::from(admitted.memory_bytes).min(64 / 6 * wasm.len() as u64 + 64)
}

/// The fuel of a call inside of a module, where other instructions burn one: it takes six times as long, and a function with as many
/// locals as [there may be](super::admission::limits::LOCALS) may have to set them all to zero. Ours to choose.
const CALL_FUEL: u8 = 8;

/// How contracts are compiled and run: for tools that compare engines.
///
/// Everything that could make two machines differ is switched off by name; admission refuses the
/// same features before, with a better message. The target is named, so that code is made for every machine of this architecture: what
/// it takes of the stack, and so where it overflows, does not depend on what the processor can do beside. Threads, reference types, garbage collection,
/// exceptions and components are not compiled in at all.
///
/// Memories are allocated without reservation, guard pages or copy-on-write: instantiating and
/// resetting then makes no kernel call, and kernel calls that change page tables stop two threads
/// of one process from scaling.
#[must_use]
#[allow(clippy::missing_panics_doc, reason = "the target is that for which this is compiled")]
pub fn config() -> Config {
    let mut config = Config::new();
    config.target(&target_lexicon::HOST.to_string()).expect("the name of a target");
    let costs = OperatorCost { Call: CALL_FUEL, CallIndirect: CALL_FUEL, ..OperatorCost::new() };
    config
        .consume_fuel(true)
        .operator_cost(costs)
        .max_wasm_stack(WASM_STACK_BYTES)
        .cranelift_nan_canonicalization(true)
        .wasm_backtrace_max_frames(None)
        .native_unwind_info(false)
        .generate_address_map(false)
        .memory_reservation(0)
        .memory_reservation_for_growth(0)
        .memory_guard_size(0)
        .memory_init_cow(false)
        .signals_based_traps(false)
        .table_lazy_init(false)
        .wasm_custom_page_sizes(true)
        .wasm_bulk_memory(false)
        .wasm_multi_value(false)
        .wasm_simd(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_extended_const(false)
        .wasm_wide_arithmetic(false);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_that_is_linked() {
        let lock = include_str!("../../../Cargo.lock");
        let version = lock.split("name = \"wasmtime\"\nversion = \"").nth(1).unwrap();
        let version = version.split('"').next().unwrap();
        assert!(ENGINE_VERSION.starts_with(&format!("wasmtime {version} ")));
    }

    /// Without its own instructions the processor counts bits by adding up.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn code_is_the_same_whatever_the_processor_can_do_beside() {
        let text = |config: &Config| {
            let engine = wasmtime::Engine::new(config).unwrap();
            let wasm = r#"(module (func (export "f") (param i64) (result i64) (i64.popcnt (local.get 0))))"#;
            let module = Module::new(&engine, wat::parse_str(wasm).unwrap()).unwrap();
            module.text().to_vec()
        };
        let counts = |code: &[u8]| {
            code.windows(5)
                .any(|at| at[0] == 0xf3 && (at[1..3] == [0x0f, 0xb8] || at[2..4] == [0x0f, 0xb8]))
        };
        assert!(!counts(&text(&config())));
        if std::arch::is_x86_feature_detected!("popcnt") {
            assert!(counts(&text(&Config::new())), "the instruction is known when it is there");
        }
    }

    #[test]
    fn what_many_ask_for_at_once_is_compiled_once() {
        let engine = Engine::new().unwrap();
        let wasm = crate::engine::admission::tests::smallest();
        let codes: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| engine.load(&wasm).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(codes.iter().all(|code| Arc::ptr_eq(code, &codes[0])));
        assert_eq!(engine.n_codes.load(Ordering::Relaxed), 1);
    }
}
