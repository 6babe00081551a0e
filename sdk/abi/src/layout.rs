//! Finding values inside encoded bytes without decoding them.

use crate::Type;

/// Why bytes are not a value of a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// The bytes end inside the value.
    #[error("the bytes end inside a value of type {0}")]
    Truncated(alloc::string::String),
    /// A byte is not one that the type permits there (a `bool` of 2, a variant that is not there, bad UTF-8).
    #[error("a byte is not permitted in a value of type {0}")]
    Invalid(alloc::string::String),
    /// Bytes are left over behind the last value.
    #[error("{0} bytes are left over")]
    Trailing(usize),
    /// The type has no such field.
    #[error("there is no field {0}")]
    NoSuchField(alloc::string::String),
    /// The value is nested deeper than [`TYPE_DEPTH_MAX`].
    #[error("a type is nested deeper than {TYPE_DEPTH_MAX}")]
    TooDeep,
}

/// How deep types may be nested. Guards the host's stack; ours to choose.
pub const TYPE_DEPTH_MAX: usize = 16;

/// The length in bytes of the value of type `ty` that `bytes` begins with. Checks every byte.
///
/// # Errors
/// [`LayoutError`] when `bytes` does not begin with a canonical encoding of such a value.
pub fn size_of_value(ty: &Type, bytes: &[u8]) -> Result<usize, LayoutError> {
    let mut cursor = Cursor { bytes, at: 0 };
    cursor.skip(ty, 0)?;
    Ok(cursor.at)
}

/// Splits the encoding of a tuple of `types` and passes on the encoding of each member, in order.
///
/// # Errors
/// [`LayoutError`] when `bytes` is not exactly one such tuple; some members were passed on then.
pub fn split<'a, 'b>(
    types: impl Iterator<Item = &'b Type>,
    bytes: &'a [u8],
    mut part: impl FnMut(&'a [u8]),
) -> Result<(), LayoutError> {
    let mut cursor = Cursor { bytes, at: 0 };
    for ty in types {
        let start = cursor.at;
        cursor.skip(ty, 0)?;
        part(&bytes[start..cursor.at]);
    }
    match bytes.len() - cursor.at {
        0 => Ok(()),
        n => Err(LayoutError::Trailing(n)),
    }
}

/// The type and encoding of the field `name` inside the encoded struct `bytes` of type `ty`.
///
/// # Errors
/// [`LayoutError`] when `ty` is not a struct with such a field or `bytes` is not such a value.
pub fn project<'a, 't>(
    ty: &'t Type,
    bytes: &'a [u8],
    name: &str,
) -> Result<(&'t Type, &'a [u8]), LayoutError> {
    let no_such = || LayoutError::NoSuchField(name.into());
    let mut cursor = Cursor { bytes, at: 0 };
    let mut step =
        |ty: &'t Type, found: bool| -> Result<Option<(&'t Type, &'a [u8])>, LayoutError> {
            let start = cursor.at;
            cursor.skip(ty, 0)?;
            Ok(found.then(|| (ty, &bytes[start..cursor.at])))
        };
    match ty {
        Type::Struct(_, members) => {
            for member in members {
                if let Some(found) = step(&member.ty, member.name == name)? {
                    return Ok(found);
                }
            }
            Err(no_such())
        }
        Type::Tuple(members) => {
            let wanted: usize = name.parse().map_err(|_| no_such())?;
            for (i, member) in members.iter().enumerate() {
                if let Some(found) = step(member, i == wanted)? {
                    return Ok(found);
                }
            }
            Err(no_such())
        }
        _ => Err(no_such()),
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize, ty: &Type) -> Result<&'a [u8], LayoutError> {
        let rest = &self.bytes[self.at..];
        if n > rest.len() {
            return Err(LayoutError::Truncated(alloc::format!("{ty}")));
        }
        self.at += n;
        Ok(&rest[..n])
    }

    fn len(&mut self, ty: &Type) -> Result<usize, LayoutError> {
        let bytes = self.take(4, ty)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    }

    fn skip(&mut self, ty: &Type, depth: usize) -> Result<(), LayoutError> {
        if depth > TYPE_DEPTH_MAX {
            return Err(LayoutError::TooDeep);
        }
        if let Some(n) = fixed_len(ty) {
            let bytes = self.take(n, ty)?;
            if *ty == Type::Bool && bytes[0] > 1 {
                return Err(LayoutError::Invalid("bool".into()));
            }
            return Ok(());
        }
        let invalid = || LayoutError::Invalid(alloc::format!("{ty}"));
        match ty {
            Type::String => {
                let n = self.len(ty)?;
                core::str::from_utf8(self.take(n, ty)?).map(drop).map_err(|_| invalid())
            }
            Type::Option(inner) => match self.take(1, ty)?[0] {
                0 => Ok(()),
                1 => self.skip(inner, depth + 1),
                _ => Err(invalid()),
            },
            Type::List(inner) => {
                let n = self.len(ty)?;
                self.repeat(inner, n, depth)
            }
            Type::Array(inner, n) => self.repeat(inner, *n as usize, depth),
            Type::Tuple(members) => members.iter().try_for_each(|ty| self.skip(ty, depth + 1)),
            Type::Struct(_, members) => {
                members.iter().try_for_each(|member| self.skip(&member.ty, depth + 1))
            }
            Type::Enum(_, variants) => {
                let tag = self.take(1, ty)?[0];
                let variant = variants.get(usize::from(tag)).ok_or_else(invalid)?;
                variant.fields.iter().try_for_each(|member| self.skip(&member.ty, depth + 1))
            }
            _ => Err(invalid()),
        }
    }

    /// Skips `n` values. A claimed count costs at most one step for each byte that is there:
    /// lists of values without bytes are refused.
    fn repeat(&mut self, inner: &Type, n: usize, depth: usize) -> Result<(), LayoutError> {
        if *inner != Type::Bool
            && let Some(size) = fixed_len(inner).filter(|&size| size > 0)
        {
            let total = n
                .checked_mul(size)
                .ok_or_else(|| LayoutError::Truncated(alloc::format!("{inner}")))?;
            return self.take(total, inner).map(drop);
        }
        for _ in 0..n {
            let before = self.at;
            self.skip(inner, depth + 1)?;
            if self.at == before {
                return Err(LayoutError::Invalid(alloc::format!("list<{inner}>")));
            }
        }
        Ok(())
    }
}

/// The length in bytes of every value of a primitive type.
fn fixed_len(ty: &Type) -> Option<usize> {
    Some(match ty {
        Type::Unit => 0,
        Type::Bool | Type::U8 | Type::I8 => 1,
        Type::U16 | Type::I16 => 2,
        Type::U32 | Type::I32 => 4,
        Type::U64 | Type::I64 => 8,
        Type::U128 | Type::I128 => 16,
        Type::Address | Type::Hash => 32,
        _ => return None,
    })
}
