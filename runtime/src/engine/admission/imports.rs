//! The host functions that a module may import, with their types.

use kempe_abi::host::MODULE;
use kempe_abi::{Abi, CellKind};
use wasmparser::{FuncType, ValType};

use super::refusal::{Name, Place, Refusal};
use super::scan::Module;

/// A host function, as the checks on access see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Host {
    Get(u8),
    Start(u8),
    Put(u8),
    Remove(u8),
    Add(u8),
    Max(u8),
    Min(u8),
    Reserve(u8),
    Append(u8),
    Emit,
    Call,
    /// Any other: it touches no state.
    Pure(&'static str),
}

/// What makes the host function of a field.
type OfField = fn(u8) -> Host;

const STORAGE: &[(&str, OfField, &[ValType], &[ValType])] = &[
    ("get", Host::Get, &[ValType::I32; 4], &[ValType::I32]),
    ("start", Host::Start, &[ValType::I32; 4], &[ValType::I32]),
    ("put", Host::Put, &[ValType::I32; 4], &[]),
    ("remove", Host::Remove, &[ValType::I32; 2], &[]),
    ("add", Host::Add, ADD, &[]),
    ("max", Host::Max, ADD, &[]),
    ("min", Host::Min, ADD, &[]),
    ("reserve", Host::Reserve, RESERVE, &[ValType::I32]),
    ("append", Host::Append, &[ValType::I32; 4], &[]),
];

const ADD: &[ValType] = &[ValType::I32, ValType::I32, ValType::I64, ValType::I64];

const RESERVE: &[ValType] =
    &[ValType::I32, ValType::I32, ValType::I64, ValType::I64, ValType::I64, ValType::I64];

const OTHERS: &[(&str, &[ValType], &[ValType])] = &[
    ("input", &[ValType::I32], &[]),
    ("output", &[ValType::I32; 2], &[]),
    ("caller", &[ValType::I32], &[]),
    ("this", &[ValType::I32], &[]),
    ("height", &[], &[ValType::I64]),
    ("time_ms", &[], &[ValType::I64]),
    ("emit", &[ValType::I32; 3], &[]),
    ("log", &[ValType::I32; 2], &[]),
    ("panic", &[ValType::I32; 2], &[]),
    ("call", &[ValType::I32; 5], &[ValType::I32]),
    ("call_output", &[ValType::I32; 2], &[ValType::I32]),
    ("blake3", &[ValType::I32; 3], &[]),
    ("sha256", &[ValType::I32; 3], &[]),
    ("keccak256", &[ValType::I32; 3], &[]),
    ("ed25519_verify", &[ValType::I32; 4], &[ValType::I32]),
];

/// The host function of each import, in order.
pub(super) fn resolve(module: &Module<'_>, abi: &Abi) -> Result<Vec<Host>, Refusal> {
    let functions = module.imports.iter().zip(&module.functions);
    functions
        .map(|(import, &ty)| {
            let at = Place::at(import.offset);
            let name = || Name::new(import.name);
            if import.module != MODULE {
                let module = Name::new(import.module);
                return Err(Refusal::ImportModule { module, name: name(), at });
            }
            let Some((host, params, results)) = lookup(import.name, abi, &at)? else {
                return Err(Refusal::ImportUnknown { name: name(), at });
            };
            let found = &module.types[usize::try_from(ty).expect("u32 fits")];
            if (found.params(), found.results()) != (params, results) {
                let expected = signature(params, results);
                let found = signature_of(found);
                return Err(Refusal::ImportType { name: name(), expected, found, at });
            }
            Ok(host)
        })
        .collect()
}

type Found = (Host, &'static [ValType], &'static [ValType]);

fn lookup(name: &str, abi: &Abi, at: &Place) -> Result<Option<Found>, Refusal> {
    let Some((op, number)) = name.split_once(':') else {
        let found = OTHERS.iter().find(|(word, ..)| *word == name);
        return Ok(found.map(|&(word, params, results)| {
            let host = match word {
                "emit" => Host::Emit,
                "call" => Host::Call,
                word => Host::Pure(word),
            };
            (host, params, results)
        }));
    };
    // Two spellings of one number would be two imports that mean one field: only the canonical
    // decimal is a name.
    let field = number.parse::<u8>().ok().filter(|n| n.to_string() == number);
    let (Some(&(_, make, params, results)), true) =
        (STORAGE.iter().find(|(word, ..)| *word == op), number.bytes().all(|b| b.is_ascii_digit()))
    else {
        return Ok(None);
    };
    let Some((number, field)) =
        field.and_then(|n| abi.fields.get(usize::from(n)).map(|field| (n, field)))
    else {
        let fields = abi.fields.len();
        return Err(Refusal::ImportField { name: Name::new(name), fields, at: at.clone() });
    };
    let host = make(number);
    let fits = match (host, field.cell) {
        (Host::Add(_), cell) => matches!(cell, CellKind::Counter | CellKind::Stock),
        (Host::Reserve(_), cell) => cell == CellKind::Stock,
        (Host::Max(_), cell) => cell == CellKind::Maximum,
        (Host::Min(_), cell) => cell == CellKind::Minimum,
        (Host::Append(_), cell) => cell == CellKind::Log,
        // Items are for good, and a length counts them.
        (Host::Put(_) | Host::Remove(_), CellKind::Log) => false,
        (Host::Remove(_) | Host::Start(_), cell) => cell != CellKind::Immutable,
        _ => true,
    };
    if !fits {
        let cell = match field.cell {
            CellKind::Value => "a value",
            CellKind::Counter => "a counter",
            CellKind::Immutable => "an immutable",
            CellKind::Maximum => "a maximum",
            CellKind::Minimum => "a minimum",
            CellKind::Stock => "a stock",
            CellKind::Log => "a log",
        };
        let field = Name::new(&field.name);
        return Err(Refusal::ImportCell { name: Name::new(name), field, cell, at: at.clone() });
    }
    Ok(Some((host, params, results)))
}

/// A function type in the notation of messages.
pub(super) fn signature_of(ty: &FuncType) -> Name {
    Name::new(&signature(ty.params(), ty.results()))
}

fn signature(params: &[ValType], results: &[ValType]) -> String {
    let list = |types: &[ValType]| {
        let words: Vec<String> = types.iter().map(ToString::to_string).collect();
        words.join(", ")
    };
    match results {
        [] => format!("({})", list(params)),
        results => format!("({}) -> {}", list(params), list(results)),
    }
}
