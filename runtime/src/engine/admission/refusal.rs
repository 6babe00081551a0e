//! Why a module is not admitted.

use std::fmt::{self, Write as _};

use kempe_abi::AbiError;
use kempe_abi::host::{MEMORY, METHOD_PREFIX, MODULE};

use super::limits::Limit;

/// The most characters of a hostile name in a message.
const NAME_CHARS: usize = 120;

/// A name or text from the module, escaped and cut so that it can be printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    pub(super) fn new(text: &str) -> Self {
        let mut out = String::new();
        for (i, c) in text.chars().enumerate() {
            if i == NAME_CHARS {
                out.push_str("...");
                break;
            }
            // Quotes stay as they are; everything else that could disturb a terminal is escaped.
            match c {
                '\'' | '"' => out.push(c),
                c => write!(out, "{}", c.escape_debug()).expect("writing to a string succeeds"),
            }
        }
        Self(out)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where in the module something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The offset in bytes.
    pub offset: usize,
    /// The function, if it is in one: its index and its name where the module has one.
    pub function: Option<(u32, Option<Name>)>,
}

impl Place {
    pub(super) const fn at(offset: usize) -> Self {
        Self { offset, function: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some((index, Some(name))) => write!(f, "function {index} `{name}`, ")?,
            Some((index, None)) => write!(f, "function {index}, ")?,
            None => {}
        }
        write!(f, "offset {:#x}", self.offset)
    }
}

/// The functions on the way from a method to what it must not reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(pub Vec<Name>);

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// How many steps are shown at each end.
        const END: usize = 4;
        for (i, name) in self.0.iter().enumerate() {
            if i >= END && i + END < self.0.len() {
                if i == END {
                    f.write_str(" -> ...")?;
                }
                continue;
            }
            write!(f, "{}{name}", if i == 0 { "" } else { " -> " })?;
        }
        Ok(())
    }
}

/// Why a module is not admitted. The message names the place, the limit and what to do;
/// [`Refusal::code`] is the stable word.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the message of each variant says what its fields are")]
pub enum Refusal {
    #[error("the module is malformed: {reason} ({at})")]
    Malformed { reason: Name, at: Place },
    #[error("this is a component; deploy a core module, built for wasm32v1-none")]
    Component,
    #[error("{found} {}, the limit is {} ({at}); {}", .limit.unit, .limit.max, .limit.help)]
    Limit { limit: Limit, found: u64, at: Place },
    #[error("{reason} ({at}); build for wasm32v1-none without extra target features")]
    Feature { reason: Name, at: Place },
    #[error(
        "floating point is not admitted: {what} ({at}); the bits of a NaN differ between machines, \
         use integers or fixed point"
    )]
    Float { what: Name, at: Place },
    #[error(
        "the instruction {operator} of the proposal `{proposal}` is not admitted ({at}); \
         build for wasm32v1-none without extra target features"
    )]
    Operator { operator: Name, proposal: &'static str, at: Place },
    #[error(
        "memory.grow is not admitted ({at}); the memory has a fixed size, use the SDK's allocator"
    )]
    Grow { at: Place },
    #[error("a start function is not admitted ({at}); initialize in the method `init`")]
    Start { at: Place },

    #[error("import `{name}` is of the module `{module}`; only `{MODULE}` is there ({at})")]
    ImportModule { module: Name, name: Name, at: Place },
    #[error(
        "import `{name}` is not a function ({at}); memories, tables and globals are not imported"
    )]
    ImportKind { name: Name, at: Place },
    #[error("there is no host function `{name}` ({at}); see the table in kempe_abi::host")]
    ImportUnknown { name: Name, at: Place },
    #[error("import `{name}` has type {found}, the host function has {expected} ({at})")]
    ImportType { name: Name, expected: String, found: Name, at: Place },
    #[error(
        "import `{name}` names a field that the contract does not have: it has {fields} ({at})"
    )]
    ImportField { name: Name, fields: usize, at: Place },
    #[error("import `{name}` does not fit field `{field}`, which is {cell} ({at})")]
    ImportCell { name: Name, field: Name, cell: &'static str, at: Place },

    #[error("the module has no memory; link with `--initial-memory`")]
    MemoryMissing,
    #[error("the memory is not exported as `{MEMORY}`")]
    MemoryNotExported,
    #[error(
        "the memory grows: its minimum is {min} pages, its maximum {}; \
         link with equal `--initial-memory` and `--max-memory`",
        .max.map_or_else(|| "missing".into(), |max| max.to_string())
    )]
    MemoryGrows { min: u64, max: Option<u64> },
    #[error("the memory has no bytes; link with `--initial-memory`")]
    MemoryEmpty,
    #[error(
        "the function table grows: its minimum is {min}, its maximum {}; link without `--growable-table`",
        .max.map_or_else(|| "missing".into(), |max| max.to_string())
    )]
    TableGrows { min: u64, max: Option<u64> },
    #[error("a {kind} segment is passive or declared ({at}); only active segments are admitted")]
    SegmentKind { kind: &'static str, at: Place },
    #[error("a {kind} segment ends at {end}, behind the end at {size} ({at})")]
    SegmentBounds { kind: &'static str, end: u64, size: u64, at: Place },
    #[error(
        "mutable global {index}{} is not exported, so its value cannot be reset between \
         transactions; link with `--export={}`",
        .name.as_ref().map_or_else(String::new, |name| format!(" `{name}`")),
        .name.as_ref().map_or_else(|| "NAME".into(), ToString::to_string)
    )]
    GlobalNotExported { index: u32, name: Option<Name> },

    #[error("the exported name `{name}` has control characters or is empty ({at})")]
    ExportName { name: Name, at: Place },
    #[error(
        "export `{name}` is a {kind} that is not part of the interface ({at}); \
         only the memory, globals and `{METHOD_PREFIX}<method>` are exported"
    )]
    ExportUnknown { name: Name, kind: &'static str, at: Place },
    #[error("export `{name}` has type {found}, a method has (i32) -> i32 ({at})")]
    ExportType { name: Name, found: Name, at: Place },
    #[error("method `{method}` of the ABI is not exported as `{METHOD_PREFIX}{method}`")]
    ExportMissing { method: Name },

    #[error("the module has no section `kempe.abi`; build the contract with the SDK")]
    AbiMissing,
    #[error("the module has more than one section `kempe.abi` ({at}); link it once")]
    AbiRepeated { at: Place },
    #[error("the section `kempe.abi` is not an ABI: {0}")]
    Abi(Name, #[source] AbiError),
    #[error(
        "the ABI's {what} `{name}` is not a name: ASCII letters, digits and `_`, not first a digit"
    )]
    AbiName { what: &'static str, name: Name },
    #[error("the ABI's {what} `{name}` is there twice")]
    AbiRepeatedName { what: &'static str, name: Name },
    #[error("the documentation of {what} `{name}` has control characters")]
    AbiDoc { what: &'static str, name: Name },
    #[error(
        "method `{method}`: what runs at deployment is called `init`, what runs at an upgrade `migrate`, and no other method is"
    )]
    AbiInit { method: Name },
    #[error("the access template of method `{method}` {what}")]
    Template { method: Name, what: &'static str },

    #[error(
        "method `{method}` reaches {import} but does not declare it ({path}); \
         add `{clause}({field})` to its #[access(...)]"
    )]
    Undeclared { method: Name, field: Name, import: String, clause: &'static str, path: Path },
    #[error(
        "method `{method}` reaches a call of another contract but declares none ({path}); \
         add `calls(...)` or `dynamic` to its #[access(...)]"
    )]
    UndeclaredCall { method: Name, path: Path },
    #[error("method `{method}` is a view but reaches {import} ({path}); take `&mut self`")]
    ViewWrites { method: Name, import: String, path: Path },
    #[error(
        "method `{method}` reaches {import} ({path}); the immutable `{field}` is set in `init` only"
    )]
    ImmutableWrite { method: Name, field: Name, import: String, path: Path },
}

impl Refusal {
    /// A stable word for the reason; for a limit it is the limit's name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "malformed",
            Self::Component => "component",
            Self::Limit { limit, .. } => limit.name,
            Self::Feature { .. } => "feature",
            Self::Float { .. } => "float",
            Self::Operator { .. } => "operator",
            Self::Grow { .. } => "memory-grow",
            Self::Start { .. } => "start",
            Self::ImportModule { .. } => "import-module",
            Self::ImportKind { .. } => "import-kind",
            Self::ImportUnknown { .. } => "import-unknown",
            Self::ImportType { .. } => "import-type",
            Self::ImportField { .. } => "import-field",
            Self::ImportCell { .. } => "import-cell",
            Self::MemoryMissing => "memory-missing",
            Self::MemoryNotExported => "memory-not-exported",
            Self::MemoryGrows { .. } => "memory-grows",
            Self::MemoryEmpty => "memory-empty",
            Self::TableGrows { .. } => "table-grows",
            Self::SegmentKind { .. } => "segment-kind",
            Self::SegmentBounds { .. } => "segment-bounds",
            Self::GlobalNotExported { .. } => "global-not-exported",
            Self::ExportName { .. } => "export-name",
            Self::ExportUnknown { .. } => "export-unknown",
            Self::ExportType { .. } => "export-type",
            Self::ExportMissing { .. } => "export-missing",
            Self::AbiMissing => "abi-missing",
            Self::AbiRepeated { .. } => "abi-repeated",
            Self::Abi(..) => "abi",
            Self::AbiName { .. } => "abi-name",
            Self::AbiRepeatedName { .. } => "abi-repeated-name",
            Self::AbiDoc { .. } => "abi-doc",
            Self::AbiInit { .. } => "abi-init",
            Self::Template { .. } => "template",
            Self::Undeclared { .. } => "undeclared",
            Self::UndeclaredCall { .. } => "undeclared-call",
            Self::ViewWrites { .. } => "view-writes",
            Self::ImmutableWrite { .. } => "immutable-write",
        }
    }

    /// The refusal for an error of the parser or the validator.
    pub(super) fn of(error: &wasmparser::Error) -> Self {
        let at = Place::at(error.offset());
        let reason = Name::new(error.message());
        match error.missing_wasm_feature() {
            Some(feature) if feature == wasmparser::WasmFeatures::FLOATS => {
                Self::Float { what: reason, at }
            }
            Some(_) => Self::Feature { reason, at },
            None => Self::Malformed { reason, at },
        }
    }

    /// The same refusal, saying that it happened in a function.
    pub(super) fn inside(mut self, index: u32, name: impl FnOnce() -> Option<Name>) -> Self {
        match &mut self {
            Self::Malformed { at, .. }
            | Self::Limit { at, .. }
            | Self::Feature { at, .. }
            | Self::Float { at, .. }
            | Self::Operator { at, .. }
            | Self::Grow { at } => at.function = Some((index, name())),
            _ => {}
        }
        self
    }
}
