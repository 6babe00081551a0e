//! From the canonical encoding to JSON and text.

use std::fmt::Write;

use kempe_abi::{Address, Decode, Hash, LayoutError, Member, MethodId, Type, size_of_value};
use serde_json::{Map, Value};

use super::{Words, are_positions, is_nullable};

/// The JSON of an encoded value; [`from_json`](super::from_json) gives the same bytes back.
///
/// # Errors
/// [`LayoutError`] when `bytes` is not exactly one value of the type.
pub fn to_json(ty: &Type, bytes: &[u8]) -> Result<Value, LayoutError> {
    check(ty, bytes)?;
    Decoder { rest: bytes }.json(ty)
}

/// The text of an encoded value, on one line, without control characters. Fields that hold a call, as the steps of a
/// proposal do, are shown as the call if there are words for it.
///
/// # Errors
/// [`LayoutError`] when `bytes` is not exactly one value of the type.
pub fn display(ty: &Type, bytes: &[u8], words: &dyn Words) -> Result<String, LayoutError> {
    check(ty, bytes)?;
    let mut text = String::new();
    Decoder { rest: bytes }.text(ty, words, &mut text)?;
    Ok(text)
}

/// Checks all of the bytes first: what follows then ends after at most a step for each of them.
fn check(ty: &Type, bytes: &[u8]) -> Result<(), LayoutError> {
    match bytes.len() - size_of_value(ty, bytes)? {
        0 => Ok(()),
        n => Err(LayoutError::Trailing(n)),
    }
}

struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    fn take<T: Decode>(&mut self, ty: &Type) -> Result<T, LayoutError> {
        T::deserialize(&mut self.rest).map_err(|_| LayoutError::Invalid(ty.to_string()))
    }

    fn count(&mut self, ty: &Type) -> Result<usize, LayoutError> {
        match ty {
            Type::Array(_, n) => Ok(*n as usize),
            _ => Ok(self.take::<u32>(ty)? as usize),
        }
    }

    fn bytes(&mut self, ty: &Type) -> Result<&'a [u8], LayoutError> {
        let n = self.count(ty)?;
        let (bytes, rest) =
            self.rest.split_at_checked(n).ok_or_else(|| LayoutError::Truncated(ty.to_string()))?;
        self.rest = rest;
        Ok(bytes)
    }

    /// The number of 64 bits and fewer as JSON numbers, more as strings: most readers of JSON keep
    /// 53 bits.
    fn number(&mut self, ty: &Type) -> Result<Option<Value>, LayoutError> {
        Ok(Some(match ty {
            Type::U8 => self.take::<u8>(ty)?.into(),
            Type::U16 => self.take::<u16>(ty)?.into(),
            Type::U32 => self.take::<u32>(ty)?.into(),
            Type::U64 => self.take::<u64>(ty)?.into(),
            Type::U128 => self.take::<u128>(ty)?.to_string().into(),
            Type::I8 => self.take::<i8>(ty)?.into(),
            Type::I16 => self.take::<i16>(ty)?.into(),
            Type::I32 => self.take::<i32>(ty)?.into(),
            Type::I64 => self.take::<i64>(ty)?.into(),
            Type::I128 => self.take::<i128>(ty)?.to_string().into(),
            _ => return Ok(None),
        }))
    }

    fn json(&mut self, ty: &Type) -> Result<Value, LayoutError> {
        if let Some(number) = self.number(ty)? {
            return Ok(number);
        }
        Ok(match ty {
            Type::Bool => self.take::<bool>(ty)?.into(),
            Type::String => self.take::<String>(ty)?.into(),
            Type::Address => self.take::<Address>(ty)?.to_string().into(),
            Type::Hash => self.take::<Hash>(ty)?.to_string().into(),
            Type::Option(inner) => match self.take::<u8>(ty)? {
                0 => Value::Null,
                _ if is_nullable(inner) => {
                    Value::Object(Map::from_iter([("some".to_owned(), self.json(inner)?)]))
                }
                _ => self.json(inner)?,
            },
            Type::List(inner) | Type::Array(inner, _) if **inner == Type::U8 => {
                format!("0x{}", hex::encode(self.bytes(ty)?)).into()
            }
            Type::List(inner) | Type::Array(inner, _) => {
                let n = self.count(ty)?;
                Value::Array((0..n).map(|_| self.json(inner)).collect::<Result<_, _>>()?)
            }
            Type::Tuple(members) => {
                Value::Array(members.iter().map(|ty| self.json(ty)).collect::<Result<_, _>>()?)
            }
            Type::Struct(_, fields) => self.json_fields(fields)?,
            Type::Enum(_, variants) => {
                let variant = variants
                    .get(usize::from(self.take::<u8>(ty)?))
                    .ok_or_else(|| LayoutError::Invalid(ty.to_string()))?;
                if variant.fields.is_empty() {
                    variant.name.clone().into()
                } else {
                    let fields = self.json_fields(&variant.fields)?;
                    Value::Object(Map::from_iter([(variant.name.clone(), fields)]))
                }
            }
            _ => Value::Null,
        })
    }

    fn json_fields(&mut self, fields: &[Member]) -> Result<Value, LayoutError> {
        if are_positions(fields) {
            let items = fields.iter().map(|field| self.json(&field.ty));
            return Ok(Value::Array(items.collect::<Result<_, _>>()?));
        }
        let members = fields.iter().map(|field| Ok((field.name.clone(), self.json(&field.ty)?)));
        Ok(Value::Object(members.collect::<Result<_, LayoutError>>()?))
    }

    fn text(&mut self, ty: &Type, words: &dyn Words, out: &mut String) -> Result<(), LayoutError> {
        match ty {
            Type::Unit => out.push_str("()"),
            Type::Address => {
                let address = self.take::<Address>(ty)?;
                out.push_str(&words.name(&address).unwrap_or_else(|| address.to_string()));
            }
            // The debug form escapes control characters, which the chain's contents may not send
            // to a terminal.
            Type::String => {
                let text = self.take::<String>(ty)?;
                write!(out, "{text:?}").expect("writing to a string does not fail");
            }
            Type::Option(inner) => match self.take::<u8>(ty)? {
                0 => out.push_str("none"),
                _ if is_nullable(inner) => {
                    out.push_str("some(");
                    self.text(inner, words, out)?;
                    out.push(')');
                }
                _ => self.text(inner, words, out)?,
            },
            Type::List(inner) | Type::Array(inner, _) if **inner != Type::U8 => {
                let n = self.count(ty)?;
                self.text_list(('[', ']'), (0..n).map(|_| ("", &**inner)), words, out)?;
            }
            Type::Tuple(members) => {
                self.text_list(('(', ')'), members.iter().map(|ty| ("", ty)), words, out)?;
            }
            Type::Struct(_, fields) => match self.call(fields, words) {
                Some(call) => out.push_str(&call),
                None => self.text_fields(fields, words, out)?,
            },
            Type::Enum(_, variants) => {
                let variant = variants
                    .get(usize::from(self.take::<u8>(ty)?))
                    .ok_or_else(|| LayoutError::Invalid(ty.to_string()))?;
                out.push_str(&variant.name);
                match self.call(&variant.fields, words) {
                    Some(call) => write!(out, "({call})").expect("a string takes any text"),
                    None if variant.fields.is_empty() => {}
                    None => self.text_fields(&variant.fields, words, out)?,
                }
            }
            _ => match self.json(ty)? {
                Value::String(text) => out.push_str(&text),
                other => out.push_str(&other.to_string()),
            },
        }
        Ok(())
    }

    /// The call that the fields hold, in words. Else nothing is taken.
    fn call(&mut self, fields: &[Member], words: &dyn Words) -> Option<String> {
        let [contract, method, args] = fields else { return None };
        let is_bytes = matches!(&args.ty, Type::List(inner) if **inner == Type::U8);
        if [contract, method, args].map(|field| &*field.name) != ["contract", "method", "args"]
            || (&contract.ty, &method.ty, is_bytes) != (&Type::Address, &Type::U32, true)
        {
            return None;
        }
        let mut held = Self { rest: self.rest };
        let contract = held.take::<Address>(&contract.ty).ok()?;
        let method = MethodId(held.take::<u32>(&method.ty).ok()?);
        let call = words.call(&contract, method, held.bytes(&args.ty).ok()?)?;
        self.rest = held.rest;
        Some(call)
    }

    fn text_fields(
        &mut self,
        fields: &[Member],
        words: &dyn Words,
        out: &mut String,
    ) -> Result<(), LayoutError> {
        if are_positions(fields) {
            self.text_list(('(', ')'), fields.iter().map(|field| ("", &field.ty)), words, out)
        } else {
            let members = fields.iter().map(|field| (&*field.name, &field.ty));
            self.text_list(('{', '}'), members, words, out)
        }
    }

    fn text_list<'t>(
        &mut self,
        brackets: (char, char),
        items: impl Iterator<Item = (&'t str, &'t Type)>,
        words: &dyn Words,
        out: &mut String,
    ) -> Result<(), LayoutError> {
        out.push(brackets.0);
        for (i, (name, ty)) in items.enumerate() {
            if i > 0 {
                out.push_str(", ");
            }
            if !name.is_empty() {
                out.push_str(name);
                out.push_str(": ");
            }
            self.text(ty, words, out)?;
        }
        out.push(brackets.1);
        Ok(())
    }
}
