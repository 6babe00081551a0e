//! Values of a contract's types, as people write and read them.
//!
//! | type | as an argument | in JSON |
//! | --- | --- | --- |
//! | integers | `1_000_000` | a number, or a decimal string; of 128 bits always a string |
//! | `bool` | `true` | `true` |
//! | `string` | the text itself | a string |
//! | `address` | the name of an account, or `0x` and 64 digits | a string |
//! | `hash` | `0x` and 64 digits | a string |
//! | `bytes`, `[u8; n]` | `0x` and digits | a string |
//! | `option<T>` | `none`, or the value | `null`, or the value; `{"some": value}` if the value may be `null` |
//! | lists, arrays, tuples | JSON | an array |
//! | structs | JSON | an object; an array if the fields have no names |
//! | enums | the variant's name, or JSON | `"Name"`, or `{"Name": fields}` |

mod arguments;
mod decode;
mod encode;
#[cfg(test)]
mod tests;
mod unique;

use kempe_abi::{Address, Member, MethodId, Type};

pub use arguments::{encode_args, parse_flags};
pub use decode::{display, to_json};
pub use encode::{from_json, from_text};
pub(crate) use unique::{Members, Unique};

/// Finds the address of an account by its name.
pub type Resolve<'a> = dyn Fn(&str) -> Option<Address> + 'a;

/// What the addresses and the calls in a value are in words.
pub trait Words {
    /// The name of an address.
    fn name(&self, _address: &Address) -> Option<String> {
        None
    }

    /// A call, as in `token.transfer(to: bob, amount: 5)`; `None` if the contract is not known, or these are not a
    /// method of it and its encoded arguments.
    fn call(&self, _contract: &Address, _method: MethodId, _args: &[u8]) -> Option<String> {
        None
    }
}

/// No words: digits.
impl Words for () {}

/// Why a text or JSON is not a value of a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}; for example: {example}", place(.at))]
pub struct ValueError {
    /// Where in the value, as in `orders[2].amount`; empty for all of it.
    pub at: String,
    /// What was expected and what was found.
    pub problem: String,
    /// A value that is accepted there.
    pub example: String,
}

fn place(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!("at `{at}`: ") }
}

/// A value of the type, as one would write it in an argument.
#[must_use]
pub fn example(ty: &Type) -> String {
    match ty {
        Type::String => "some text".into(),
        Type::Address => "alice".into(),
        Type::Enum(_, variants) => match variants.first() {
            Some(variant) if variant.fields.is_empty() => variant.name.clone(),
            _ => example_json(ty),
        },
        Type::Option(inner) if !is_nullable(inner) => example(inner),
        _ => {
            let json = example_json(ty);
            json.strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .map_or(json.clone(), str::to_owned)
        }
    }
}

/// A value of the type in JSON. Written by hand, so that fields keep their order.
fn example_json(ty: &Type) -> String {
    let object = |fields: &[Member]| {
        let member = |m: &Member| {
            if are_positions(fields) {
                example_json(&m.ty)
            } else {
                format!("\"{}\": {}", m.name, example_json(&m.ty))
            }
        };
        let inside = fields.iter().map(member).collect::<Vec<_>>().join(", ");
        if are_positions(fields) { format!("[{inside}]") } else { format!("{{{inside}}}") }
    };
    match ty {
        Type::Unit => "null".into(),
        Type::Bool => "true".into(),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => "100".into(),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => "-100".into(),
        Type::U128 => "\"100\"".into(),
        Type::I128 => "\"-100\"".into(),
        Type::String => "\"some text\"".into(),
        Type::Address => "\"alice\"".into(),
        Type::Hash => format!("\"0x{}\"", "ab".repeat(32)),
        Type::List(inner) if **inner == Type::U8 => "\"0xc0ffee\"".into(),
        Type::Array(inner, n) if **inner == Type::U8 && *n <= 64 => {
            format!("\"0x{}\"", "ab".repeat(*n as usize))
        }
        Type::Option(inner) if is_nullable(inner) => {
            format!("{{\"some\": {}}}", example_json(inner))
        }
        Type::Option(inner) => example_json(inner),
        Type::List(inner) => format!("[{0}, {0}]", example_json(inner)),
        Type::Array(inner, n) if *n <= 4 => {
            format!("[{}]", vec![example_json(inner); *n as usize].join(", "))
        }
        Type::Array(inner, n) => format!("[{}, ...] with {n} elements", example_json(inner)),
        Type::Tuple(members) => {
            format!("[{}]", members.iter().map(example_json).collect::<Vec<_>>().join(", "))
        }
        Type::Struct(_, fields) => object(fields),
        Type::Enum(name, variants) => match variants.first() {
            None => format!("nothing: {name} has no variants"),
            Some(first) if first.fields.is_empty() => format!("\"{}\"", first.name),
            Some(first) => format!("{{\"{}\": {}}}", first.name, object(&first.fields)),
        },
    }
}

/// Whether the fields are called `0`, `1`, ...: those of a tuple struct, an array in JSON.
pub(crate) fn are_positions(fields: &[Member]) -> bool {
    !fields.is_empty() && fields.iter().enumerate().all(|(i, field)| field.name == i.to_string())
}

/// Whether a value of the type may be `null` in JSON, so that an option of it must not be.
pub(crate) fn is_nullable(ty: &Type) -> bool {
    matches!(ty, Type::Unit | Type::Option(_))
}
