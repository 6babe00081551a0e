//! Clients of contracts in Rust and TypeScript, written from their ABIs.
//!
//! An ABI is a stranger's. Whatever it says, what is written here does nothing but encode and decode:
//! names are checked to be identifiers, texts stand only in comments and cannot end them, and a type
//! of which no value can exist is refused.

mod names;
mod rust;
mod typescript;

#[cfg(test)]
mod tests;

use kempe_abi::host::DATA_BYTES_MAX;
use kempe_abi::{Abi, Member, MethodKind, Type};

pub(crate) use names::RUST_KEYWORDS;
pub use rust::rust;
pub use typescript::{File, is_module, is_ours, typescript};

/// Why there are no bindings for an ABI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindingsError {
    /// A name that could be more than a name.
    #[error("the {what} `{}` is not called by an ASCII identifier", .name.escape_debug())]
    Name {
        /// What has the name.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// An enum that has no values, or more variants than its tag can tell.
    #[error("the enum `{name}` has {n_variants} variants: 1 to 256 are possible")]
    Variants {
        /// The enum.
        name: String,
        /// How many there are.
        n_variants: usize,
    },
    /// A type whose every value is larger than arguments, results and events can be.
    #[error("a value of type {ty} has more than {DATA_BYTES_MAX} bytes or elements")]
    TooLarge {
        /// The type.
        ty: String,
    },
}

/// Refuses what cannot be written down safely. Admission refuses most of it before; but who
/// has an ABI does not have to have an admitted module.
fn check(abi: &Abi) -> Result<(), BindingsError> {
    identifier("contract", &abi.name)?;
    for method in &abi.methods {
        identifier("method", &method.name)?;
        members("parameter", &method.params)?;
        ty(&method.returns)?;
        if let Some(set) = &method.error {
            identifier("error enum", &set.name)?;
            set.cases.iter().try_for_each(|case| identifier("error", &case.name))?;
        }
    }
    for event in &abi.events {
        identifier("event", &event.name)?;
        members("event field", &event.fields)?;
    }
    Ok(())
}

fn identifier(what: &'static str, name: &str) -> Result<(), BindingsError> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    if name.starts_with(first) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    Err(BindingsError::Name { what, name: name.to_owned() })
}

fn members(what: &'static str, members: &[Member]) -> Result<(), BindingsError> {
    for member in members {
        // The fields of tuple structs are called 0, 1, ...
        let is_number = !member.name.is_empty() && member.name.bytes().all(|b| b.is_ascii_digit());
        if !is_number {
            identifier(what, &member.name)?;
        }
        ty(&member.ty)?;
    }
    Ok(())
}

fn ty(of: &Type) -> Result<(), BindingsError> {
    if size_min(of) > DATA_BYTES_MAX {
        return Err(BindingsError::TooLarge { ty: of.to_string() });
    }
    match of {
        Type::Option(inner) | Type::List(inner) | Type::Array(inner, _) => ty(inner),
        Type::Tuple(list) => list.iter().try_for_each(ty),
        Type::Struct(name, fields) => {
            identifier("type", name)?;
            members("type's field", fields)
        }
        Type::Enum(name, variants) => {
            identifier("type", name)?;
            if variants.is_empty() || variants.len() > 256 {
                let n_variants = variants.len();
                return Err(BindingsError::Variants { name: name.clone(), n_variants });
            }
            variants.iter().try_for_each(|variant| {
                identifier("variant", &variant.name)?;
                members("variant's field", &variant.fields)
            })
        }
        _ => Ok(()),
    }
}

/// The least bytes of a value; an element of an array counts at least one, whatever it is.
fn size_min(of: &Type) -> usize {
    let sum = |fields: &[Member]| {
        fields.iter().fold(0usize, |sum, field| sum.saturating_add(size_min(&field.ty)))
    };
    match of {
        Type::Unit => 0,
        Type::Bool | Type::U8 | Type::I8 | Type::Option(_) => 1,
        Type::U16 | Type::I16 => 2,
        Type::U32 | Type::I32 | Type::String | Type::List(_) => 4,
        Type::U64 | Type::I64 => 8,
        Type::U128 | Type::I128 => 16,
        Type::Address | Type::Hash => 32,
        Type::Array(inner, n) => size_min(inner).max(1).saturating_mul(*n as usize),
        Type::Tuple(list) => list.iter().fold(0, |sum, ty| sum.saturating_add(size_min(ty))),
        Type::Struct(_, fields) => sum(fields),
        Type::Enum(_, variants) => {
            let variants = variants.iter().map(|variant| sum(&variant.fields));
            variants.min().unwrap_or(0).saturating_add(1)
        }
    }
}

/// The types with names that arguments, results and events have, each once, with the names they
/// get: two of one name may differ.
struct NamedTypes<'a> {
    found: Vec<(&'a Type, String)>,
}

impl<'a> NamedTypes<'a> {
    fn of(abi: &'a Abi, names: &mut names::Names) -> Self {
        let mut named = Self { found: Vec::new() };
        for method in &abi.methods {
            method.params.iter().for_each(|param| named.add(&param.ty, names));
            named.add(&method.returns, names);
        }
        for event in &abi.events {
            event.fields.iter().for_each(|field| named.add(&field.ty, names));
        }
        named
    }

    /// What is inside comes first.
    fn add(&mut self, ty: &'a Type, names: &mut names::Names) {
        match ty {
            Type::Option(inner) | Type::List(inner) | Type::Array(inner, _) => {
                self.add(inner, names);
            }
            Type::Tuple(list) => list.iter().for_each(|ty| self.add(ty, names)),
            Type::Struct(name, _) | Type::Enum(name, _) => {
                if self.found.iter().any(|(found, _)| *found == ty) {
                    return;
                }
                match ty {
                    Type::Struct(_, fields) => {
                        fields.iter().for_each(|field| self.add(&field.ty, names));
                    }
                    Type::Enum(_, variants) => {
                        let fields = variants.iter().flat_map(|variant| &variant.fields);
                        fields.for_each(|field| self.add(&field.ty, names));
                    }
                    _ => {}
                }
                self.found.push((ty, names.take(name)));
            }
            _ => {}
        }
    }

    fn name(&self, ty: &Type) -> &str {
        let found = self.found.iter().find(|(found, _)| *found == ty);
        found.map(|(_, name)| &**name).expect("every type was collected")
    }
}

/// The error enums of the methods, each once, with the names they get.
struct ErrorSets<'a> {
    found: Vec<(&'a kempe_abi::ErrorSet, String)>,
}

impl<'a> ErrorSets<'a> {
    fn of(abi: &'a Abi, names: &mut names::Names) -> Self {
        let mut found: Vec<(&kempe_abi::ErrorSet, String)> = Vec::new();
        for set in abi.methods.iter().filter_map(|method| method.error.as_deref()) {
            if !found.iter().any(|(known, _)| *known == set) {
                found.push((set, names.take(&set.name)));
            }
        }
        Self { found }
    }

    fn name(&self, set: &kempe_abi::ErrorSet) -> &str {
        let found = self.found.iter().find(|(found, _)| *found == set);
        found.map(|(_, name)| &**name).expect("every set was collected")
    }
}

/// The parameters of `init` or `migrate`, if there is one, and its documentation.
fn once(abi: &Abi, kind: MethodKind) -> (&[Member], &str) {
    let method = abi.methods.iter().find(|method| method.kind == kind);
    method.map_or((&[], ""), |method| (&method.params, &method.doc))
}

/// The methods that can be called from outside.
fn methods(abi: &Abi) -> impl Iterator<Item = &kempe_abi::Method> {
    abi.methods.iter().filter(|method| matches!(method.kind, MethodKind::Call | MethodKind::View))
}

/// Whether the fields are called `0`, `1`, ...: those of a tuple struct.
fn are_positions(fields: &[Member]) -> bool {
    crate::value::are_positions(fields)
}

/// One or more lines of a text that comments may hold: words with single spaces.
fn doc_lines(doc: &str) -> impl Iterator<Item = String> {
    let lines = doc.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let line = |line: String| crate::abi_view::printable(&line);
    lines.map(line)
}
