//! The first pass: section by section, limits before anything is expanded, then wasmparser's
//! validator, then the rules on the section's contents.

use kempe_abi::SECTION_NAME;
use wasmparser::{
    ConstExpr, Data, DataKind, Element, ElementItems, ElementKind, Export, ExternalKind, FuncType,
    FuncValidatorAllocations, GlobalType, MemoryType, Operator, Parser, Payload, TypeRef,
    ValidPayload, Validator,
};

use super::body::{self, Body};
use super::limits::{self, Limit};
use super::operators::FEATURES;
use super::refusal::{Name, Place, Refusal};

/// What a module is made of, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of the module.
    pub module_bytes: u64,
    /// Imported functions.
    pub imports: u64,
    /// Defined functions.
    pub functions: u64,
    /// Instructions of all functions.
    pub operators: u64,
    /// Bytes of all function bodies.
    pub code_bytes: u64,
    /// Bytes of the largest function body.
    pub body_bytes_max: u64,
    /// Data segments.
    pub data_segments: u64,
    /// Bytes of all data segments.
    pub data_bytes: u64,
    /// Entries of the function table.
    pub table_entries: u64,
    /// Function references in all element segments.
    pub elements: u64,
    /// Bytes of the ABI.
    pub abi_bytes: u64,
    /// Bytes of the other custom sections.
    pub custom_bytes: u64,
    /// The estimated work of compiling the module; see [`limits::EFFORT`].
    pub effort: u64,
}

/// What the later passes need of a module.
#[derive(Default)]
pub(super) struct Module<'a> {
    pub(super) wasm: &'a [u8],
    pub(super) types: Vec<FuncType>,
    pub(super) imports: Vec<Imported<'a>>,
    /// The type of each function, imported ones first.
    pub(super) functions: Vec<u32>,
    pub(super) bodies: Vec<Body>,
    pub(super) memory: Option<MemoryType>,
    pub(super) globals: Vec<GlobalType>,
    pub(super) exports: Vec<(usize, Export<'a>)>,
    /// The functions in element segments.
    pub(super) elements: Vec<u32>,
    pub(super) abi: Option<&'a [u8]>,
    pub(super) sizes: Sizes,
    custom_sections: u64,
    code_start: usize,
}

/// An imported function.
pub(super) struct Imported<'a> {
    pub(super) offset: usize,
    pub(super) module: &'a str,
    pub(super) name: &'a str,
}

/// Refuses when `found` is more than the limit.
pub(super) fn check(limit: Limit, found: u64, offset: usize) -> Result<(), Refusal> {
    if found > limit.max {
        return Err(Refusal::Limit { limit, found, at: Place::at(offset) });
    }
    Ok(())
}

/// A result of the parser or the validator as one of admission.
pub(super) fn ok<T>(parsed: wasmparser::Result<T>) -> Result<T, Refusal> {
    parsed.map_err(|error| Refusal::of(&error))
}

/// The length of something that is in memory, as limits count.
pub(super) fn len(n: usize) -> u64 {
    u64::try_from(n).expect("no supported machine has more than 64-bit addresses")
}

/// Reads the whole module.
pub(super) fn scan(wasm: &[u8]) -> Result<Module<'_>, Refusal> {
    check(limits::MODULE_BYTES, len(wasm.len()), 0)?;
    if Parser::is_component(wasm) {
        return Err(Refusal::Component);
    }
    let mut module = Module { wasm, ..Module::default() };
    module.sizes.module_bytes = len(wasm.len());
    let mut validator = Validator::new_with_features(FEATURES);
    let mut parser = Parser::new(0);
    parser.set_features(FEATURES);
    let mut buffers = FuncValidatorAllocations::default();
    for payload in parser.parse_all(wasm) {
        let payload = ok(payload)?;
        module.limit(&payload)?;
        match ok(validator.payload(&payload))? {
            ValidPayload::Func(function, code) => {
                let index = function.index;
                let place = |refusal: Refusal| refusal.inside(index, || function_name(wasm, index));
                let ty = usize::try_from(function.ty).expect("u32 fits");
                let params = len(module.types[ty].params().len());
                let body = body::scan(function, &code, params, &mut buffers).map_err(place)?;
                module.add_body(body)?;
            }
            _ => module.record(payload)?,
        }
    }
    Ok(module)
}

impl<'a> Module<'a> {
    /// The limits that are known before a section is read.
    fn limit(&mut self, payload: &Payload<'a>) -> Result<(), Refusal> {
        let of = |limit, count: u32, range: &std::ops::Range<usize>| {
            check(limit, u64::from(count), range.start)
        };
        match payload {
            Payload::TypeSection(s) => of(limits::TYPES, s.count(), &s.range()),
            Payload::ImportSection(s) => of(limits::IMPORTS, s.count(), &s.range()),
            Payload::FunctionSection(s) => of(limits::FUNCTIONS, s.count(), &s.range()),
            Payload::GlobalSection(s) => of(limits::GLOBALS, s.count(), &s.range()),
            Payload::ExportSection(s) => of(limits::EXPORTS, s.count(), &s.range()),
            Payload::ElementSection(s) => of(limits::ELEMENT_SEGMENTS, s.count(), &s.range()),
            Payload::DataSection(s) => of(limits::DATA_SEGMENTS, s.count(), &s.range()),
            Payload::CodeSectionStart { count, range, .. } => {
                self.code_start = range.start;
                of(limits::FUNCTIONS, *count, range)
            }
            Payload::StartSection { range, .. } => {
                Err(Refusal::Start { at: Place::at(range.start) })
            }
            _ => Ok(()),
        }
    }

    /// Takes what the later passes need out of a section that is valid.
    fn record(&mut self, payload: Payload<'a>) -> Result<(), Refusal> {
        match payload {
            Payload::TypeSection(section) => {
                let offset = section.range().start;
                for ty in section.into_iter_err_on_gc_types() {
                    let ty = ok(ty)?;
                    check(limits::PARAMS, len(ty.params().len()), offset)?;
                    self.types.push(ty);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports_with_offsets() {
                    let (offset, import) = ok(import)?;
                    self.add_import(offset, import)?;
                }
            }
            Payload::FunctionSection(section) => {
                self.sizes.functions = u64::from(section.count());
                for ty in section {
                    self.functions.push(ok(ty)?);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let table = ok(table)?.ty;
                    if table.maximum != Some(table.initial) {
                        return Err(Refusal::TableGrows { min: table.initial, max: table.maximum });
                    }
                    check(limits::TABLE_ENTRIES, table.initial, 0)?;
                    self.sizes.table_entries = table.initial;
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memory = Some(ok(memory)?);
                }
                self.memory_bytes()?;
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    self.globals.push(ok(global)?.ty);
                }
            }
            Payload::ExportSection(section) => {
                for export in section.into_iter_with_offsets() {
                    let (offset, export) = ok(export)?;
                    check(limits::NAME_BYTES, len(export.name.len()), offset)?;
                    self.exports.push((offset, export));
                }
            }
            Payload::ElementSection(section) => {
                for element in section {
                    self.add_element(ok(element)?)?;
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    self.add_data(&ok(data)?)?;
                }
            }
            Payload::CustomSection(section) => self.add_custom(&section)?,
            _ => {}
        }
        Ok(())
    }

    /// The size of the memory: fixed, and within the limit.
    pub(super) fn memory_bytes(&self) -> Result<u32, Refusal> {
        let memory = self.memory.ok_or(Refusal::MemoryMissing)?;
        let (min, max) = (memory.initial, memory.maximum);
        if max != Some(min) {
            return Err(Refusal::MemoryGrows { min, max });
        }
        let bytes = min.saturating_mul(u64::from(memory.page_size()));
        check(limits::MEMORY_BYTES, bytes, 0)?;
        if bytes == 0 {
            return Err(Refusal::MemoryEmpty);
        }
        Ok(u32::try_from(bytes).expect("the limit is below 4 GiB"))
    }

    fn add_import(&mut self, offset: usize, import: wasmparser::Import<'a>) -> Result<(), Refusal> {
        let TypeRef::Func(ty) = import.ty else {
            let name = Name::new(import.name);
            return Err(Refusal::ImportKind { name, at: Place::at(offset) });
        };
        self.imports.push(Imported { offset, module: import.module, name: import.name });
        self.functions.push(ty);
        self.sizes.imports += 1;
        check(limits::IMPORTS, self.sizes.imports, offset)
    }

    fn add_element(&mut self, element: Element<'a>) -> Result<(), Refusal> {
        let at = Place::at(element.range.start);
        let kind = "element";
        let (ElementKind::Active { offset_expr, .. }, ElementItems::Functions(items)) =
            (&element.kind, element.items)
        else {
            return Err(Refusal::SegmentKind { kind, at });
        };
        let total = len(self.elements.len()) + u64::from(items.count());
        check(limits::ELEMENTS, total, at.offset)?;
        let n = usize::try_from(items.count()).expect("u32 fits");
        inside(kind, offset_expr, n, self.sizes.table_entries, at.offset)?;
        for item in items {
            self.elements.push(ok(item)?);
            self.sizes.elements += 1;
        }
        Ok(())
    }

    fn add_data(&mut self, data: &Data<'a>) -> Result<(), Refusal> {
        let (kind, start) = ("data", data.range.start);
        let DataKind::Active { offset_expr, .. } = &data.kind else {
            return Err(Refusal::SegmentKind { kind, at: Place::at(start) });
        };
        self.sizes.data_segments += 1;
        self.sizes.data_bytes += len(data.data.len());
        inside(kind, offset_expr, data.data.len(), self.memory_bytes()?.into(), start)
    }

    fn add_custom(&mut self, section: &wasmparser::CustomSectionReader<'a>) -> Result<(), Refusal> {
        let offset = section.data_offset();
        self.custom_sections += 1;
        check(limits::CUSTOM_SECTIONS, self.custom_sections, offset)?;
        let bytes = len(section.data().len());
        if section.name() == SECTION_NAME {
            check(limits::ABI_BYTES, bytes, offset)?;
            self.sizes.abi_bytes = bytes;
            if self.abi.replace(section.data()).is_some() {
                return Err(Refusal::AbiRepeated { at: Place::at(offset) });
            }
            return Ok(());
        }
        self.sizes.custom_bytes += len(section.name().len()) + bytes;
        check(limits::CUSTOM_BYTES, self.sizes.custom_bytes, offset)
    }

    fn add_body(&mut self, body: Body) -> Result<(), Refusal> {
        let sizes = &mut self.sizes;
        sizes.operators += body.operators;
        sizes.code_bytes += body.bytes;
        sizes.body_bytes_max = sizes.body_bytes_max.max(body.bytes);
        sizes.effort += body.effort;
        check(limits::EFFORT, sizes.effort, self.code_start)?;
        self.bodies.push(body);
        Ok(())
    }

    /// The name of a function in messages: the import's, or that of the section `name`.
    pub(super) fn name_of(&self, index: u32) -> Name {
        let import = usize::try_from(index).ok().and_then(|i| self.imports.get(i));
        import
            .map(|import| Name::new(import.name))
            .or_else(|| function_name(self.wasm, index))
            .unwrap_or_else(|| Name::new(&format!("function {index}")))
    }
}

/// Refuses a segment that would not fit, so that instantiation cannot fail.
fn inside(
    kind: &'static str,
    start: &ConstExpr<'_>,
    n: usize,
    size: u64,
    offset: usize,
) -> Result<(), Refusal> {
    let at = Place::at(offset);
    // The validator admits no other expression: there are no imported globals and no extended
    // constant expressions.
    let Operator::I32Const { value } = ok(start.get_operators_reader().read())? else {
        return Err(Refusal::Malformed {
            reason: Name::new("a segment's offset is not i32.const"),
            at,
        });
    };
    let end = u64::from(value.cast_unsigned()) + len(n);
    if end > size {
        return Err(Refusal::SegmentBounds { kind, end, size, at });
    }
    Ok(())
}

/// What the section `name` calls a function. Looked up only when a message needs it.
fn function_name(wasm: &[u8], index: u32) -> Option<Name> {
    names(
        wasm,
        |name| match name {
            wasmparser::Name::Function(map) => Some(map),
            _ => None,
        },
        index,
    )
}

/// What the section `name` calls a global.
pub(super) fn global_name(wasm: &[u8], index: u32) -> Option<Name> {
    names(
        wasm,
        |name| match name {
            wasmparser::Name::Global(map) => Some(map),
            _ => None,
        },
        index,
    )
}

fn names<'a>(
    wasm: &'a [u8],
    pick: impl Fn(wasmparser::Name<'a>) -> Option<wasmparser::NameMap<'a>>,
    index: u32,
) -> Option<Name> {
    let mut custom =
        Parser::new(0).parse_all(wasm).map_while(Result::ok).filter_map(|payload| match payload {
            Payload::CustomSection(section) if section.name() == "name" => Some(section),
            _ => None,
        });
    let section = custom.next()?;
    let reader = wasmparser::BinaryReader::new(section.data(), section.data_offset());
    let map = wasmparser::NameSectionReader::new(reader).map_while(Result::ok).find_map(pick)?;
    let found = map.into_iter().map_while(Result::ok).find(|naming| naming.index == index)?;
    Some(Name::new(found.name))
}

/// What an export is, in a word.
pub(super) const fn kind_word(kind: ExternalKind) -> &'static str {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => "function",
        ExternalKind::Table => "table",
        ExternalKind::Memory => "memory",
        ExternalKind::Global => "global",
        ExternalKind::Tag => "tag",
    }
}
