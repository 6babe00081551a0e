//! Random contracts: a module of wasm-smith, made into one that admission accepts and whose run can
//! be seen from outside.
//!
//! The random code is as it comes. Around it are put: a memory of fixed size, an ABI, exports of the
//! mutable globals, and a function before each host function. That function brings most arguments
//! into a range in which something happens, and writes all of them and the result to the log. When a
//! method returns, so are the globals and the hash of the memory. So the log is the trace of a run,
//! and it is there however the run ends.

use kempe_abi::def::{CellDef, ClauseDef, ContractDef, FieldDef, MethodDef, MethodKindDef};
use kempe_abi::{AbiType, MethodId, section};
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, DataSection, ElementSection, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection,
    Instruction, MemArg, MemorySection, MemoryType, Module, TableSection, TableType, TypeSection,
    ValType,
};
use wasm_smith::Config;
use wasmparser::{Parser, Payload};

/// Two pages: random code stays in the first for the most part, the trace is written in the second.
pub(crate) const MEMORY_BYTES: u32 = 2 * 65536;

/// Where the trace is put together; the last bytes of the memory.
const SCRATCH: i32 = 2 * 65536 - 256;

/// What is known of an argument of a host function.
#[derive(Clone, Copy)]
enum Arg {
    /// An address in the first page.
    At,
    /// A length of a key: few, so that keys repeat.
    Key,
    /// A length of other bytes.
    Len,
    /// Any 32 bits.
    Any,
    /// Any 64 bits, made small for the low half of a sum.
    Low,
    /// Any 64 bits, made 0 or -1 for the high half of a sum.
    High,
    /// The address of a contract's address: this one's.
    Callee,
    /// A method: `go`.
    Method,
}

use Arg::{Any, At, Callee, High, Key, Len, Low, Method};

/// The host functions that are imported, in this order.
const HOSTS: &[(&str, &[Arg], &[ValType])] = &[
    ("log", &[At, Len], &[]),
    ("blake3", &[At, Len, At], &[]),
    ("this", &[At], &[]),
    ("get:0", &[At, Key, At, Len], &[ValType::I32]),
    ("get:1", &[At, Key, At, Len], &[ValType::I32]),
    ("get:2", &[At, Key, At, Len], &[ValType::I32]),
    ("get:3", &[At, Key, At, Len], &[ValType::I32]),
    ("start:0", &[At, Key, At, Len], &[ValType::I32]),
    ("start:1", &[At, Key, At, Len], &[ValType::I32]),
    ("put:0", &[At, Key, At, Len], &[]),
    ("put:1", &[At, Key, At, Key], &[]),
    ("put:2", &[At, Key, At, Len], &[]),
    ("remove:0", &[At, Key], &[]),
    ("remove:1", &[At, Key], &[]),
    ("add:1", &[At, Key, Low, High], &[]),
    ("add:3", &[At, Key, Low, High], &[]),
    ("input", &[At], &[]),
    ("output", &[At, Len], &[]),
    ("caller", &[At], &[]),
    ("height", &[], &[ValType::I64]),
    ("time_ms", &[], &[ValType::I64]),
    ("emit", &[Any, At, Len], &[]),
    ("panic", &[At, Len], &[]),
    ("call", &[Callee, Method, At, Len, Any], &[ValType::I32]),
    ("call_output", &[At, Len], &[ValType::I32]),
    ("sha256", &[At, Len, At], &[]),
    ("keccak256", &[At, Len, At], &[]),
];

/// The positions of those that the trace itself uses.
const LOG: u32 = 0;
const BLAKE3: u32 = 1;
const THIS: u32 = 2;

/// The positions of those that touch cells.
const STORAGE: std::ops::Range<u32> = 3..16;
const TIME_MS: u32 = 20;
/// What ends everything: a panic, and a call of itself; and in `go`, setting an immutable is refused.
const ENDS: [&str; 2] = ["panic", "call"];
const GO_ENDS: [&str; 3] = ["panic", "call", "put:2"];

/// The fields: bytes, a counter, an immutable, and a counter of one byte.
const FIELDS: &[FieldDef] = &[
    FieldDef { name: "cell", doc: "", cell: CellDef::Value, keys: &[], value: u64::TYPE },
    FieldDef { name: "sum", doc: "", cell: CellDef::Counter, keys: &[], value: u64::TYPE },
    FieldDef { name: "fixed", doc: "", cell: CellDef::Immutable, keys: &[], value: u64::TYPE },
    FieldDef { name: "small", doc: "", cell: CellDef::Counter, keys: &[], value: u8::TYPE },
];

/// A random contract.
pub(crate) struct Contract {
    /// What is deployed.
    pub(crate) wasm: Vec<u8>,
    /// The same, and it counts in its exported global `fuel` what wasmtime would.
    pub(crate) counting: Vec<u8>,
    /// Whether there is an `init`.
    pub(crate) init: bool,
}

/// A bug put into the second engine's module, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    /// What should be subtracted is added.
    Subtract,
    /// An instruction that costs nothing is counted.
    Fuel,
    /// In the model, what is removed stays.
    Remove,
    /// In the model, what was before the block is what is now.
    Start,
    /// In the model, what a call that failed has written stays.
    Failed,
}

/// A host function that a method calls before its random code, by its position, with its arguments.
type Step = (u32, Vec<Instruction<'static>>);

/// Makes a contract of random numbers.
pub(crate) fn contract(random: &mut fastrand::Rng, bug: Bug) -> Contract {
    let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(64 * 1024).collect();
    let mut smith =
        wasm_smith::Module::new(config(random), &mut arbitrary::Unstructured::new(&bytes))
            .expect("there are bytes enough for a module");
    smith.ensure_termination(random.u32(50..800)).expect("every function is generated");
    let smith = smith.to_bytes();
    let build = Build {
        init: random.bool(),
        raw: HOSTS.iter().map(|_| random.u8(..24) == 0).collect(),
        scripts: [script(random, &GO_ENDS), script(random, &ENDS)],
        is_scripted: [random.bool(), random.bool()],
        code: if random.u8(..4) == 0 { 0x7f } else { 0 },
        counter: None,
        bug,
        n_imports: 0,
        imports: Vec::new(),
    };
    let make = |counts| build.clone().module(&smith, counts).expect("wasm-smith's module is valid");
    Contract { wasm: make(false), counting: make(true), init: build.init }
}

/// Random calls of the host, most of them of its storage, none of them of `ends`.
fn script(random: &mut fastrand::Rng, ends: &[&str]) -> Vec<Step> {
    let n = random.usize(..16);
    let step = |_| {
        let host = if random.u8(..5) == 0 { random.u32(..N_HOSTS) } else { random.u32(STORAGE) };
        let host = if ends.contains(&HOSTS[host as usize].0) { TIME_MS } else { host };
        let args = HOSTS[host as usize].1.iter().map(|arg| match arg.ty() {
            ValType::I64 => Instruction::I64Const(random.i64(-40..200)),
            _ => Instruction::I32Const(random.i32(..0x400)),
        });
        (host, args.collect())
    };
    (0..n).map(step).collect()
}

fn config(random: &mut fastrand::Rng) -> Config {
    let imports = HOSTS.iter().map(|(name, params, results)| {
        let word = |ty: &ValType| if *ty == ValType::I64 { "i64" } else { "i32" };
        let params: Vec<_> = params.iter().map(|arg| word(&arg.ty())).collect();
        let results: Vec<_> = results.iter().map(word).collect();
        let (params, results) = (params.join(" "), results.join(" "));
        format!("(import \"kempe\" \"{name}\" (func (param {params}) (result {results})))")
    });
    let imports: String = imports.collect();
    let exports = r#"(func (export "call.go") (param i32) (result i32) unreachable)
        (func (export "call.init") (param i32) (result i32) unreachable)"#;
    let parse = |text: &str| wat::parse_str(format!("(module {text})")).expect("it is a module");
    Config {
        available_imports: Some(parse(&imports)),
        exports: Some(parse(exports)),
        disallow_traps: random.u8(..8) != 0,
        max_instructions: random.usize(100..1000),
        max_imports: HOSTS.len(),
        max_funcs: HOSTS.len() + 8,
        max_globals: 10,
        max_types: 40,
        min_memories: 1,
        max_memories: 1,
        max_memory32_bytes: 65536,
        max_tables: 1,
        max_table_elements: 64,
        allow_floats: false,
        allow_start_export: false,
        bulk_memory_enabled: false,
        exceptions_enabled: false,
        extended_const_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        multi_value_enabled: false,
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        saturating_float_to_int_enabled: false,
        simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    }
}

impl Arg {
    const fn ty(self) -> ValType {
        match self {
            Low | High => ValType::I64,
            _ => ValType::I32,
        }
    }

    /// What brings the argument on the stack into its range.
    fn tame(self) -> Vec<Instruction<'static>> {
        let go = MethodId::of("go").0.cast_signed();
        match self {
            At => vec![Instruction::I32Const(0xff), Instruction::I32And],
            Key => vec![Instruction::I32Const(1), Instruction::I32And],
            Len => vec![Instruction::I32Const(0x3f), Instruction::I32And],
            Any => vec![],
            Low => vec![Instruction::I64Const(0x3f), Instruction::I64And],
            High => vec![Instruction::I64Const(63), Instruction::I64ShrS],
            // Where the function before `call` has put this contract's address.
            Callee => vec![Instruction::Drop, Instruction::I32Const(SCRATCH + 200)],
            Method => vec![Instruction::Drop, Instruction::I32Const(go)],
        }
    }
}

/// A function that is written, and counts what its instructions cost if it should.
struct Body {
    function: Function,
    counter: Option<u32>,
    bug: Bug,
}

impl Body {
    fn new(function: Function, counter: Option<u32>, bug: Bug) -> Self {
        let mut body = Self { function, counter, bug };
        // Entering a function costs one.
        body.count(1);
        body
    }

    fn count(&mut self, fuel: i64) {
        let Some(counter) = self.counter else { return };
        self.function.instruction(&Instruction::GlobalGet(counter));
        self.function.instruction(&Instruction::I64Const(fuel));
        self.function.instruction(&Instruction::I64Add);
        self.function.instruction(&Instruction::GlobalSet(counter));
    }

    fn push(&mut self, instruction: &Instruction<'_>) {
        use Instruction as I;
        let fuel = match instruction {
            I::Nop | I::Block(_) | I::Loop(_) | I::Unreachable | I::Return | I::Else | I::End => 0,
            I::Drop if self.bug != Bug::Fuel => 0,
            I::Call(_) | I::CallIndirect { .. } => 8,
            _ => 1,
        };
        if fuel > 0 {
            self.count(fuel);
        }
        match instruction {
            I::I32Sub if self.counter.is_some() && self.bug == Bug::Subtract => {
                self.function.instruction(&I::I32Add)
            }
            I::I64Sub if self.counter.is_some() && self.bug == Bug::Subtract => {
                self.function.instruction(&I::I64Add)
            }
            other => self.function.instruction(other),
        };
    }

    fn extend(&mut self, instructions: impl IntoIterator<Item = Instruction<'static>>) {
        for instruction in instructions {
            self.push(&instruction);
        }
    }
}

/// How a module of wasm-smith is changed.
#[derive(Clone)]
struct Build {
    init: bool,
    /// For each host function, whether its arguments stay as they come.
    raw: Vec<bool>,
    /// What `go` and `init` do first, and whether that is all.
    scripts: [Vec<Step>; 2],
    is_scripted: [bool; 2],
    /// Which bits of a method's result are kept.
    code: i32,
    /// The global that counts.
    counter: Option<u32>,
    bug: Bug,
    n_imports: u32,
    /// For each import of the random module, which host function it is.
    imports: Vec<u32>,
}

const N_HOSTS: u32 = 27;

const _: () = assert!(HOSTS.len() == N_HOSTS as usize);

/// The function that writes a number to the log.
const TRACE: u32 = 2 * N_HOSTS;

/// The first function of the random module.
const FIRST: u32 = TRACE + 1;

impl Reencode for Build {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<Self::Error>> {
        Ok(match function.checked_sub(self.n_imports) {
            Some(defined) => FIRST + defined,
            None => N_HOSTS + self.imports[function as usize],
        })
    }

    fn table_type(
        &mut self,
        table: wasmparser::TableType,
    ) -> Result<TableType, Error<Self::Error>> {
        let mut table = utils::table_type(self, table)?;
        // No table grows either.
        table.maximum = Some(table.minimum);
        Ok(table)
    }

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: wasmparser::FunctionBody<'_>,
    ) -> Result<(), Error<Self::Error>> {
        let function = self.new_function_with_parsed_locals(&body)?;
        let mut out = Body::new(function, self.counter, self.bug);
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            match utils::parse_instruction(self, &mut reader)? {
                // No memory grows: the growing fails.
                Instruction::MemoryGrow(_) => {
                    out.extend([Instruction::Drop, Instruction::I32Const(-1)]);
                }
                other => out.push(&other),
            }
        }
        code.function(&out.function);
        Ok(())
    }
}

impl Build {
    #[allow(clippy::too_many_lines, reason = "one arm for each section")]
    fn module(
        mut self,
        smith: &[u8],
        counts: bool,
    ) -> Result<Vec<u8>, Error<std::convert::Infallible>> {
        let mut types = TypeSection::new();
        let mut functions = FunctionSection::new();
        let mut tables = TableSection::new();
        let mut globals = GlobalSection::new();
        let mut elements = ElementSection::new();
        let mut code = CodeSection::new();
        let mut data = DataSection::new();
        let mut exports = ExportSection::new();
        let mut global_types = Vec::new();
        let (mut n_types, mut n_functions) = (0, 0);
        let (mut go, mut init) = (0, 0);
        for payload in Parser::new(0).parse_all(smith) {
            match payload? {
                Payload::TypeSection(section) => {
                    n_types = section.count();
                    self.parse_type_section(&mut types, section)?;
                    self.add_types(&mut types);
                    self.add_functions(&mut functions, n_types);
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let name = import?.name;
                        let at = HOSTS.iter().position(|host| host.0 == name);
                        self.imports.push(u32::try_from(at.expect("it was offered")).expect("few"));
                    }
                    self.n_imports = u32::try_from(self.imports.len()).expect("few");
                }
                Payload::FunctionSection(section) => {
                    n_functions = section.count();
                    self.parse_function_section(&mut functions, section)?;
                }
                Payload::TableSection(section) => self.parse_table_section(&mut tables, section)?,
                Payload::GlobalSection(section) => {
                    for global in section.clone() {
                        global_types.push(global?.ty);
                    }
                    self.parse_global_section(&mut globals, section)?;
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        let index = self.function_index(export.index)?;
                        match export.name {
                            "call.go" => go = index,
                            "call.init" => init = index,
                            _ => {}
                        }
                    }
                }
                Payload::ElementSection(section) => {
                    self.parse_element_section(&mut elements, section)?;
                }
                Payload::CodeSectionStart { .. } => {
                    let at = u32::try_from(global_types.len()).expect("few");
                    self.counter = counts.then_some(at);
                    self.add_code(&mut code);
                }
                Payload::CodeSectionEntry(body) => self.parse_function_body(&mut code, body)?,
                Payload::DataSection(section) => self.parse_data_section(&mut data, section)?,
                _ => {}
            }
        }
        let wrapper = FIRST + n_functions;
        for (at, (name, inner)) in (0..).zip([("call.go", go), ("call.init", init)]) {
            functions.function(n_types + N_HOSTS + 1);
            self.wrap(&mut code, at as usize, inner, &global_types);
            if at == 0 || self.init {
                exports.export(name, ExportKind::Func, wrapper + at);
            }
        }
        exports.export("memory", ExportKind::Memory, 0);
        for (at, _) in (0..).zip(&global_types).filter(|(_, ty)| ty.mutable) {
            exports.export(&format!("g{at}"), ExportKind::Global, at);
        }
        if let Some(at) = self.counter {
            let ty = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
            globals.global(ty, &ConstExpr::i64_const(0));
            exports.export("fuel", ExportKind::Global, at);
        }
        let pages = u64::from(MEMORY_BYTES / 65536);
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: pages,
            maximum: Some(pages),
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut module = Module::new();
        module.section(&types).section(&self.imports_of(n_types)).section(&functions);
        module.section(&tables).section(&memories).section(&globals).section(&exports);
        module.section(&elements).section(&code).section(&data);
        let abi = abi(self.init);
        module.section(&CustomSection { name: "kempe.abi".into(), data: abi.into() });
        Ok(module.finish())
    }

    /// A type for each host function, that of the trace, and that of a method.
    fn add_types(&self, types: &mut TypeSection) {
        for (_, params, results) in HOSTS {
            let params: Vec<_> = params.iter().map(|arg| arg.ty()).collect();
            types.ty().function(params, results.iter().copied());
        }
        types.ty().function([ValType::I64], []);
        types.ty().function([ValType::I32], [ValType::I32]);
    }

    fn imports_of(&self, n_types: u32) -> ImportSection {
        let mut imports = ImportSection::new();
        for (at, (name, ..)) in (n_types..).zip(HOSTS) {
            imports.import("kempe", name, EntityType::Function(at));
        }
        imports
    }

    fn add_functions(&self, functions: &mut FunctionSection, n_types: u32) {
        for at in 0..=N_HOSTS {
            functions.function(n_types + at);
        }
    }

    fn body(&self, locals: &[(u32, ValType)]) -> Body {
        Body::new(Function::new(locals.iter().copied()), self.counter, self.bug)
    }

    /// The functions before the host's, and the trace.
    fn add_code(&self, code: &mut CodeSection) {
        for (at, (_, params, results)) in (0..).zip(HOSTS) {
            let n_params = u32::try_from(params.len()).expect("few");
            let result = results.first().copied().unwrap_or(ValType::I32);
            let mut body = self.body(&[(1, result)]);
            body.extend(trace(&[Instruction::I64Const(i64::from(at))], ValType::I64));
            if matches!(params.first(), Some(Callee)) {
                body.extend([Instruction::I32Const(SCRATCH + 200), Instruction::Call(THIS)]);
            }
            for (local, arg) in (0..).zip(*params) {
                if !self.raw[at as usize] {
                    body.push(&Instruction::LocalGet(local));
                    body.extend(arg.tame());
                    body.push(&Instruction::LocalSet(local));
                }
                body.extend(trace(&[Instruction::LocalGet(local)], arg.ty()));
            }
            body.extend((0..n_params).map(Instruction::LocalGet));
            body.push(&Instruction::Call(at));
            if !results.is_empty() {
                body.push(&Instruction::LocalTee(n_params));
                body.extend(trace(&[Instruction::LocalGet(n_params)], result));
            }
            body.push(&Instruction::End);
            code.function(&body.function);
        }
        let mut body = self.body(&[]);
        // Seven bits a byte, because a log is text.
        for (shift, at) in (0..64).step_by(7).zip(0..) {
            body.extend([
                Instruction::I32Const(SCRATCH),
                Instruction::LocalGet(0),
                Instruction::I64Const(shift),
                Instruction::I64ShrU,
                Instruction::I64Const(0x7f),
                Instruction::I64And,
                Instruction::I64Store8(MemArg { offset: at, align: 0, memory_index: 0 }),
            ]);
        }
        body.extend([Instruction::I32Const(SCRATCH), Instruction::I32Const(10)]);
        body.extend([Instruction::Call(LOG), Instruction::End]);
        code.function(&body.function);
    }

    /// A method: its script, the random one, and then the trace of what it leaves behind.
    fn wrap(
        &self,
        code: &mut CodeSection,
        method: usize,
        inner: u32,
        globals: &[wasmparser::GlobalType],
    ) {
        let mut body = self.body(&[]);
        for (host, args) in &self.scripts[method] {
            body.extend(args.iter().cloned());
            body.push(&Instruction::Call(N_HOSTS + host));
            if !HOSTS[*host as usize].2.is_empty() {
                body.push(&Instruction::Drop);
            }
        }
        if !self.is_scripted[method] {
            let call =
                [Instruction::LocalGet(0), Instruction::Call(inner), Instruction::LocalSet(0)];
            body.extend(call);
        }
        for (at, ty) in (0..).zip(globals) {
            let is_wide = ty.content_type == wasmparser::ValType::I64;
            let ty = if is_wide { ValType::I64 } else { ValType::I32 };
            body.extend(trace(&[Instruction::GlobalGet(at)], ty));
        }
        body.extend([
            Instruction::I32Const(0),
            Instruction::I32Const(MEMORY_BYTES.cast_signed()),
            Instruction::I32Const(SCRATCH + 100),
            Instruction::Call(BLAKE3),
        ]);
        for at in 0..4 {
            let part = MemArg { offset: 100 + 8 * at, align: 0, memory_index: 0 };
            let load = [Instruction::I32Const(SCRATCH), Instruction::I64Load(part)];
            body.extend(trace(&load, ValType::I64));
        }
        body.extend([
            Instruction::LocalGet(0),
            Instruction::I32Const(self.code),
            Instruction::I32And,
            Instruction::End,
        ]);
        code.function(&body.function);
    }
}

/// Writes what these instructions give to the log.
fn trace(of: &[Instruction<'static>], ty: ValType) -> Vec<Instruction<'static>> {
    let mut out = of.to_vec();
    if ty == ValType::I32 {
        out.push(Instruction::I64ExtendI32U);
    }
    out.push(Instruction::Call(TRACE));
    out
}

/// The ABI: both methods take bytes and may touch anything.
fn abi(init: bool) -> Vec<u8> {
    const fn method(name: &'static str, kind: MethodKindDef) -> MethodDef {
        MethodDef {
            name,
            doc: "",
            kind,
            params: &[("data", <Vec<u8>>::TYPE)],
            returns: <()>::TYPE,
            error: None,
            access: &[ClauseDef::Dynamic],
        }
    }
    const METHODS: &[MethodDef] =
        &[method("go", MethodKindDef::Call), method("init", MethodKindDef::Init)];
    let methods = if init { METHODS } else { &METHODS[..1] };
    let def = ContractDef { name: "Random", doc: "", fields: FIELDS, methods, interfaces: &[] };
    section::contract_to_vec(&def)
}
