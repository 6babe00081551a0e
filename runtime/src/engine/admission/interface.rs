//! The ABI as text, and the exports against it.

use std::collections::{BTreeMap, BTreeSet};

use kempe_abi::host::{INIT, MEMORY, METHOD_PREFIX, MIGRATE};
use kempe_abi::{Abi, Member, MethodKind, Type};
use wasmparser::{ExternalKind, ValType};

use super::imports::signature_of;
use super::limits;
use super::refusal::{Name, Place, Refusal};
use super::scan::{Module, check, global_name, kind_word, len};

/// Decodes the ABI and checks every name and text in it.
pub(super) fn abi(module: &Module<'_>) -> Result<Abi, Refusal> {
    let section = module.abi.ok_or(Refusal::AbiMissing)?;
    let abi =
        Abi::decode(section).map_err(|error| Refusal::Abi(Name::new(&error.to_string()), error))?;
    check(limits::METHODS, len(abi.methods.len()), 0)?;
    item("contract", &abi.name, &abi.doc)?;
    distinct("field", abi.fields.iter().map(|field| &field.name))?;
    for field in &abi.fields {
        item("field", &field.name, &field.doc)?;
        field.keys.iter().chain([&field.value]).try_for_each(ty)?;
    }
    distinct("method", abi.methods.iter().map(|method| &method.name))?;
    for method in &abi.methods {
        item("method", &method.name, &method.doc)?;
        for (kind, name) in [(MethodKind::Init, INIT), (MethodKind::Migrate, MIGRATE)] {
            if (method.kind == kind) != (method.name == name) {
                return Err(Refusal::AbiInit { method: Name::new(&method.name) });
            }
        }
        members("parameter", &method.params)?;
        ty(&method.returns)?;
        if let Some(set) = &method.error {
            item("error enum", &set.name, "")?;
            distinct("error", set.cases.iter().map(|case| &case.name))?;
            set.cases.iter().try_for_each(|case| item("error", &case.name, &case.doc))?;
        }
    }
    for allowance in &abi.allowances {
        // A rule is a name with dashes.
        identifier("allowed rule", &allowance.rule.replace('-', "_"))?;
        doc("allowance of the linter's", &allowance.rule, &allowance.reason)?;
    }
    for event in &abi.events {
        item("event", &event.name, &event.doc)?;
        members("event field", &event.fields)?;
    }
    Ok(abi)
}

fn distinct<'a>(
    what: &'static str,
    names: impl Iterator<Item = &'a String>,
) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Refusal::AbiRepeatedName { what, name: Name::new(name) });
        }
    }
    Ok(())
}

fn item(what: &'static str, name: &str, text: &str) -> Result<(), Refusal> {
    identifier(what, name)?;
    doc(what, name, text)
}

/// Documentation is printed on terminals.
fn doc(what: &'static str, name: &str, text: &str) -> Result<(), Refusal> {
    check(limits::DOC_BYTES, len(text.len()), 0)?;
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(Refusal::AbiDoc { what, name: Name::new(name) });
    }
    Ok(())
}

/// Names are ASCII, so that no two look the same.
fn identifier(what: &'static str, name: &str) -> Result<(), Refusal> {
    check(limits::NAME_BYTES, len(name.len()), 0)?;
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.starts_with(first) && name.chars().all(rest) {
        return Ok(());
    }
    Err(Refusal::AbiName { what, name: Name::new(name) })
}

fn members(what: &'static str, members: &[Member]) -> Result<(), Refusal> {
    distinct(what, members.iter().map(|member| &member.name))?;
    for member in members {
        // The fields of tuple structs are called 0, 1, ...
        if member.name.is_empty() || !member.name.bytes().all(|b| b.is_ascii_digit()) {
            identifier(what, &member.name)?;
        }
        check(limits::NAME_BYTES, len(member.name.len()), 0)?;
        ty(&member.ty)?;
    }
    Ok(())
}

fn ty(of: &Type) -> Result<(), Refusal> {
    match of {
        Type::Option(inner) | Type::List(inner) | Type::Array(inner, _) => ty(inner),
        Type::Tuple(list) => list.iter().try_for_each(ty),
        Type::Struct(name, fields) => {
            identifier("type", name)?;
            members("type's field", fields)
        }
        Type::Enum(name, variants) => {
            identifier("type", name)?;
            distinct("variant", variants.iter().map(|variant| &variant.name))?;
            variants.iter().try_for_each(|variant| {
                identifier("variant", &variant.name)?;
                members("variant's field", &variant.fields)
            })
        }
        _ => Ok(()),
    }
}

/// What the exports are, once they are admitted.
pub(super) struct Exports {
    /// The function of each method, in the ABI's order.
    pub(super) methods: Vec<u32>,
    /// The exported name of each mutable global, in order.
    pub(super) globals: Vec<String>,
}

/// Checks the exports against the ABI.
pub(super) fn exports(module: &Module<'_>, abi: &Abi) -> Result<Exports, Refusal> {
    let mut functions = BTreeMap::new();
    let mut globals = BTreeMap::new();
    let mut memory = false;
    for (offset, export) in &module.exports {
        let at = Place::at(*offset);
        let name = || Name::new(export.name);
        if export.name.is_empty() || export.name.chars().any(char::is_control) {
            return Err(Refusal::ExportName { name: name(), at });
        }
        match export.kind {
            ExternalKind::Memory if export.name == MEMORY => memory = true,
            ExternalKind::Global => {
                globals.entry(export.index).or_insert(export.name);
            }
            ExternalKind::Func => {
                let method = export.name.strip_prefix(METHOD_PREFIX);
                let Some(method) = method.filter(|method| abi.method(method).is_some()) else {
                    return Err(Refusal::ExportUnknown { name: name(), kind: "function", at });
                };
                method_type(module, export.index, name, at)?;
                functions.insert(method, export.index);
            }
            kind => {
                return Err(Refusal::ExportUnknown { name: name(), kind: kind_word(kind), at });
            }
        }
    }
    if !memory {
        return Err(Refusal::MemoryNotExported);
    }
    let methods = abi.methods.iter().map(|method| {
        let found = functions.get(&*method.name).copied();
        found.ok_or_else(|| Refusal::ExportMissing { method: Name::new(&method.name) })
    });
    let methods = methods.collect::<Result<_, _>>()?;
    let mut names = Vec::new();
    for (index, _) in (0..).zip(&module.globals).filter(|(_, global)| global.mutable) {
        let name = globals.get(&index).ok_or_else(|| Refusal::GlobalNotExported {
            index,
            name: global_name(module.wasm, index),
        })?;
        names.push((*name).to_owned());
    }
    Ok(Exports { methods, globals: names })
}

fn method_type(
    module: &Module<'_>,
    function: u32,
    name: impl Fn() -> Name,
    at: Place,
) -> Result<(), Refusal> {
    let index = usize::try_from(function).expect("u32 fits");
    let ty = &module.types[usize::try_from(module.functions[index]).expect("u32 fits")];
    if (ty.params(), ty.results()) != (&[ValType::I32], &[ValType::I32]) {
        return Err(Refusal::ExportType { name: name(), found: signature_of(ty), at });
    }
    Ok(())
}
