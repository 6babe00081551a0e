//! From text and JSON to the canonical encoding.

use kempe_abi::{Encode, Hash, Member, Type, size_of_value};
use serde_json::Value;

use super::{Resolve, Unique, ValueError, are_positions, example, example_json, is_nullable};
use crate::suggest::suggest;

/// Encodes an argument as it stands on the command line.
///
/// # Errors
/// [`ValueError`] with the place, the type, and an example.
pub fn from_text(ty: &Type, text: &str, names: &Resolve<'_>) -> Result<Vec<u8>, ValueError> {
    let trimmed = text.trim();
    let json = match ty {
        Type::String => Value::String(text.to_owned()),
        Type::Option(_) if matches!(trimmed, "none" | "null") => Value::Null,
        Type::Option(inner) if !is_nullable(inner) => {
            let mut out = vec![1];
            // A quoted text is JSON, so that an optional string can be the word `none`.
            let quoted = matches!(**inner, Type::String) && trimmed.starts_with('"');
            let value = if quoted { parse(inner, trimmed)? } else { Value::Null };
            out.extend(if quoted {
                from_json(inner, &value, names)?
            } else {
                from_text(inner, text, names)?
            });
            return Ok(out);
        }
        Type::List(inner) | Type::Array(inner, _)
            if **inner == Type::U8 && !trimmed.starts_with('[') =>
        {
            Value::String(trimmed.to_owned())
        }
        Type::Enum(_, _) if !trimmed.starts_with(['{', '"']) => Value::String(trimmed.to_owned()),
        Type::Unit
        | Type::Option(_)
        | Type::List(_)
        | Type::Array(..)
        | Type::Tuple(_)
        | Type::Struct(..)
        | Type::Enum(..) => parse(ty, trimmed)?,
        Type::Bool => match trimmed {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => Value::String(trimmed.to_owned()),
        },
        _ => Value::String(trimmed.to_owned()),
    };
    from_json(ty, &json, names).map_err(|mut error| {
        if error.at.is_empty() {
            error.example = example(ty);
        }
        error
    })
}

fn parse(ty: &Type, text: &str) -> Result<Value, ValueError> {
    let read = serde_json::from_str(text).map(|Unique(value)| value);
    read.map_err(|error| ValueError {
        at: String::new(),
        problem: format!("expected {ty} in JSON: {error}"),
        example: example_json(ty),
    })
}

/// Encodes a JSON value.
///
/// # Errors
/// [`ValueError`] with the place, the type, and an example.
pub fn from_json(ty: &Type, json: &Value, names: &Resolve<'_>) -> Result<Vec<u8>, ValueError> {
    let mut encoder = Encoder { names, out: Vec::new(), at: String::new() };
    encoder.value(ty, json)?;
    // The boundary crate has the last word on what a value is.
    match size_of_value(ty, &encoder.out) {
        Ok(n) if n == encoder.out.len() => Ok(encoder.out),
        Ok(_) => Err(encoder.fail(ty, "the value has no canonical encoding".into())),
        Err(error) => Err(encoder.fail(ty, error.to_string())),
    }
}

struct Encoder<'a> {
    names: &'a Resolve<'a>,
    out: Vec<u8>,
    at: String,
}

/// What a number is, in words, for an integer of 64 bits and more that JSON cannot carry.
const FLOAT: &str = "a number that JSON does not carry exactly; write it in quotes";

impl Encoder<'_> {
    fn fail(&self, ty: &Type, problem: String) -> ValueError {
        ValueError { at: self.at.clone(), problem, example: example_json(ty) }
    }

    fn expected(&self, ty: &Type, json: &Value) -> ValueError {
        let got = match json {
            Value::String(text) => format!("`{}`", text.escape_debug()),
            Value::Array(items) => format!("a list of {}", items.len()),
            Value::Object(_) => "an object".into(),
            Value::Number(number) if number.is_f64() => FLOAT.into(),
            other => other.to_string(),
        };
        self.fail(ty, format!("expected {ty}, got {got}"))
    }

    /// Runs `step` one step deeper in the value.
    fn within(
        &mut self,
        place: &str,
        step: impl FnOnce(&mut Self) -> Result<(), ValueError>,
    ) -> Result<(), ValueError> {
        let len = self.at.len();
        if !self.at.is_empty() && !place.starts_with('[') {
            self.at.push('.');
        }
        self.at.push_str(place);
        let result = step(self);
        self.at.truncate(len);
        result
    }

    fn value(&mut self, ty: &Type, json: &Value) -> Result<(), ValueError> {
        match ty {
            Type::Unit if json.is_null() => Ok(()),
            Type::Bool => {
                let value = json.as_bool().ok_or_else(|| self.expected(ty, json))?;
                self.out.push(u8::from(value));
                Ok(())
            }
            Type::U8 => self.integer::<u8>(ty, json),
            Type::U16 => self.integer::<u16>(ty, json),
            Type::U32 => self.integer::<u32>(ty, json),
            Type::U64 => self.integer::<u64>(ty, json),
            Type::U128 => self.integer::<u128>(ty, json),
            Type::I8 => self.integer::<i8>(ty, json),
            Type::I16 => self.integer::<i16>(ty, json),
            Type::I32 => self.integer::<i32>(ty, json),
            Type::I64 => self.integer::<i64>(ty, json),
            Type::I128 => self.integer::<i128>(ty, json),
            Type::String => {
                let text = json.as_str().ok_or_else(|| self.expected(ty, json))?;
                self.list_len(ty, text.len())?;
                self.out.extend_from_slice(text.as_bytes());
                Ok(())
            }
            Type::Address => self.address(ty, json),
            Type::Hash => {
                let hash = json.as_str().and_then(|text| text.parse::<Hash>().ok());
                self.out.extend_from_slice(&hash.ok_or_else(|| self.expected(ty, json))?.0);
                Ok(())
            }
            Type::Option(inner) => self.option(ty, inner, json),
            Type::List(inner) | Type::Array(inner, _)
                if **inner == Type::U8 && json.is_string() =>
            {
                self.bytes(ty, json)
            }
            Type::List(inner) => {
                let items = json.as_array().ok_or_else(|| self.expected(ty, json))?;
                self.list_len(ty, items.len())?;
                self.items(items.iter().map(|item| (&**inner, item)))
            }
            Type::Array(inner, n) => {
                let items = json.as_array().filter(|items| items.len() == *n as usize);
                let items = items.ok_or_else(|| self.expected(ty, json))?;
                self.items(items.iter().map(|item| (&**inner, item)))
            }
            Type::Tuple(members) => {
                let items = json.as_array().filter(|items| items.len() == members.len());
                let items = items.ok_or_else(|| self.expected(ty, json))?;
                self.items(members.iter().zip(items))
            }
            Type::Struct(_, fields) => self.fields(ty, fields, json),
            Type::Enum(_, variants) => self.variant(ty, variants, json),
            Type::Unit => Err(self.expected(ty, json)),
        }
    }

    fn integer<T: std::str::FromStr + TryFrom<i128> + Encode>(
        &mut self,
        ty: &Type,
        json: &Value,
    ) -> Result<(), ValueError> {
        let value = match json {
            Value::String(text) => text.replace('_', "").parse().ok(),
            Value::Number(number) => number.as_i128().and_then(|value| T::try_from(value).ok()),
            _ => None,
        };
        let value = value.ok_or_else(|| self.expected(ty, json))?;
        self.encode(&value);
        Ok(())
    }

    fn encode(&mut self, value: &impl Encode) {
        value.serialize(&mut self.out).expect("writing to a vector does not fail");
    }

    fn list_len(&mut self, ty: &Type, len: usize) -> Result<(), ValueError> {
        let len = u32::try_from(len)
            .map_err(|_| self.fail(ty, format!("{len} are too many for {ty}")))?;
        self.encode(&len);
        Ok(())
    }

    fn address(&mut self, ty: &Type, json: &Value) -> Result<(), ValueError> {
        let text = json.as_str().ok_or_else(|| self.expected(ty, json))?;
        let address = if text.starts_with("0x") {
            text.parse().ok()
        } else {
            (self.names)(text).or_else(|| text.parse().ok())
        };
        let address = address.ok_or_else(|| {
            let problem = format!(
                "expected {ty}, and `{}` is neither the name of an account nor 64 hexadecimal digits",
                text.escape_debug()
            );
            self.fail(ty, problem)
        })?;
        self.out.extend_from_slice(&address.0);
        Ok(())
    }

    fn option(&mut self, ty: &Type, inner: &Type, json: &Value) -> Result<(), ValueError> {
        if json.is_null() {
            self.out.push(0);
            return Ok(());
        }
        self.out.push(1);
        if !is_nullable(inner) {
            return self.value(inner, json);
        }
        let object = json.as_object().filter(|object| object.len() == 1);
        let some = object.and_then(|object| object.get("some"));
        let some = some.ok_or_else(|| self.expected(ty, json))?;
        self.within("some", |this| this.value(inner, some))
    }

    fn bytes(&mut self, ty: &Type, json: &Value) -> Result<(), ValueError> {
        let digits = json.as_str().and_then(|text| text.strip_prefix("0x"));
        let bytes = digits.and_then(|digits| hex::decode(digits).ok());
        let bytes = bytes.ok_or_else(|| self.expected(ty, json))?;
        match ty {
            Type::Array(_, n) if bytes.len() != *n as usize => {
                return Err(self.fail(ty, format!("expected {n} bytes, got {}", bytes.len())));
            }
            Type::Array(..) => {}
            _ => self.list_len(ty, bytes.len())?,
        }
        self.out.extend_from_slice(&bytes);
        Ok(())
    }

    fn items<'t>(
        &mut self,
        items: impl Iterator<Item = (&'t Type, &'t Value)>,
    ) -> Result<(), ValueError> {
        for (i, (ty, item)) in items.enumerate() {
            self.within(&format!("[{i}]"), |this| this.value(ty, item))?;
        }
        Ok(())
    }

    fn fields(&mut self, ty: &Type, fields: &[Member], json: &Value) -> Result<(), ValueError> {
        if are_positions(fields) {
            let items = json.as_array().filter(|items| items.len() == fields.len());
            let items = items.ok_or_else(|| self.expected(ty, json))?;
            return self.items(fields.iter().map(|field| &field.ty).zip(items));
        }
        let object = json.as_object().ok_or_else(|| self.expected(ty, json))?;
        let known = || fields.iter().map(|field| &*field.name);
        if let Some(unknown) = object.keys().find(|key| !known().any(|name| name == *key)) {
            let unknown_shown = unknown.escape_debug();
            let problem =
                format!("{ty} has no field `{unknown_shown}`{}", suggest(unknown, known()));
            return Err(self.fail(ty, problem));
        }
        for field in fields {
            let value = object.get(&field.name).ok_or_else(|| {
                self.fail(ty, format!("field `{}` of {ty} is missing", field.name))
            })?;
            self.within(&field.name, |this| this.value(&field.ty, value))?;
        }
        Ok(())
    }

    fn variant(
        &mut self,
        ty: &Type,
        variants: &[kempe_abi::Variant],
        json: &Value,
    ) -> Result<(), ValueError> {
        let (name, fields) = match json {
            Value::String(name) => (name, None),
            Value::Object(object) => match object.iter().next().filter(|_| object.len() == 1) {
                Some((name, fields)) => (name, Some(fields)),
                None => return Err(self.expected(ty, json)),
            },
            _ => return Err(self.expected(ty, json)),
        };
        let found = variants.iter().enumerate().find(|(_, variant)| variant.name == *name);
        let Some((tag, variant)) = found else {
            let known = variants.iter().map(|variant| &*variant.name);
            let problem =
                format!("{ty} has no variant `{}`{}", name.escape_debug(), suggest(name, known));
            return Err(self.fail(ty, problem));
        };
        let tag = u8::try_from(tag)
            .map_err(|_| self.fail(ty, format!("{ty} has more variants than a byte can tell")))?;
        self.out.push(tag);
        match (fields, variant.fields.is_empty()) {
            (None, true) => Ok(()),
            (Some(fields), false) => {
                self.within(name, |this| this.fields(ty, &variant.fields, fields))
            }
            (None, false) => Err(self.fail(ty, format!("variant `{name}` of {ty} has fields"))),
            (Some(_), true) => {
                Err(self.fail(ty, format!("variant `{name}` of {ty} has no fields")))
            }
        }
    }
}
