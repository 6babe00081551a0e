//! Finding values inside encoded bytes without decoding them.

use alloc::string::String;
use core::fmt;

use crate::Type;

/// Why bytes are not a value of a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// The bytes end inside the value.
    #[error("the bytes end inside a value of type {0}")]
    Truncated(String),
    /// A byte is not one that the type permits there (a `bool` of 2, a variant that is not there, bad UTF-8).
    #[error("a byte is not permitted in a value of type {0}")]
    Invalid(String),
    /// Bytes are left over behind the last value.
    #[error("{0} bytes are left over")]
    Trailing(usize),
    /// The type has no such field.
    #[error("there is no field {0}")]
    NoSuchField(String),
    /// The value is nested deeper than [`TYPE_DEPTH_MAX`].
    #[error("a type is nested deeper than {TYPE_DEPTH_MAX}")]
    TooDeep,
    /// The value has too many members for its bytes: more than [`MEMBERS_FREE`] and [`MEMBERS_PER_BYTE`] for each byte.
    #[error("a value has more than {MEMBERS_FREE} members and {MEMBERS_PER_BYTE} for each byte")]
    TooManyMembers,
}

/// How deep types may be nested. Guards the host's stack; ours to choose.
pub const TYPE_DEPTH_MAX: usize = 16;

/// So many members of a value, and of members, are looked at for each of its bytes: types may have members without bytes, a
/// thousand for each element of a list, and bytes are what whoever sends them pays for. A step takes some 2 ns. Ours to
/// choose: usual types take two at most.
pub const MEMBERS_PER_BYTE: usize = 4;

/// And so many whatever its bytes.
pub const MEMBERS_FREE: usize = 64;

/// The length in bytes of the value of type `ty` that `bytes` begins with. Checks every byte.
///
/// # Errors
/// [`LayoutError`] when `bytes` does not begin with a canonical encoding of such a value.
pub fn size_of_value(ty: &Type, bytes: &[u8]) -> Result<usize, LayoutError> {
    Cursor::new(bytes).next_size(ty)
}

/// Splits the encoding of a tuple of `types` and passes on the encoding of each member, in order.
///
/// # Errors
/// [`LayoutError`] when `bytes` is not exactly one such tuple; some members were passed on then.
pub fn split<'a, 'b>(
    types: impl Iterator<Item = &'b Type>,
    bytes: &'a [u8],
    part: impl FnMut(&'a [u8]),
) -> Result<(), LayoutError> {
    Cursor::new(bytes).split(types, part)
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
    Cursor::new(bytes).project(ty, name)
}

/// A way through encoded values, one after the other.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How many steps it may take, and how many it took.
    steps_max: usize,
    steps: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let steps_max = bytes.len().saturating_mul(MEMBERS_PER_BYTE).saturating_add(MEMBERS_FREE);
        Self { bytes, at: 0, steps_max, steps: 0 }
    }

    /// The same with fewer steps, if these are fewer.
    pub(crate) fn with_at_most(self, steps_max: usize) -> Self {
        Self { steps_max: self.steps_max.min(steps_max), ..self }
    }

    /// How many steps it took, one for each member of a value that it looked at; also if it failed.
    pub(crate) const fn steps(&self) -> usize {
        self.steps
    }

    /// The length in bytes of the next value, which has this type.
    pub(crate) fn next_size(&mut self, ty: &Type) -> Result<usize, LayoutError> {
        let start = self.at;
        self.skip(ty, 0)?;
        Ok(self.at - start)
    }

    /// The next values, which are of these types, and nothing behind them.
    pub(crate) fn split<'b>(
        &mut self,
        types: impl Iterator<Item = &'b Type>,
        mut part: impl FnMut(&'a [u8]),
    ) -> Result<(), LayoutError> {
        for ty in types {
            let start = self.at;
            self.skip(ty, 0)?;
            part(&self.bytes[start..self.at]);
        }
        match self.bytes.len() - self.at {
            0 => Ok(()),
            n => Err(LayoutError::Trailing(n)),
        }
    }

    /// The type and encoding of a field of the next value, which has this type.
    pub(crate) fn project<'t>(
        &mut self,
        ty: &'t Type,
        name: &str,
    ) -> Result<(&'t Type, &'a [u8]), LayoutError> {
        let no_such = || LayoutError::NoSuchField(name.into());
        let mut step =
            |ty: &'t Type, found: bool| -> Result<Option<(&'t Type, &'a [u8])>, LayoutError> {
                let start = self.at;
                self.skip(ty, 0)?;
                Ok(found.then(|| (ty, &self.bytes[start..self.at])))
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

    fn take(&mut self, n: usize, ty: &Type) -> Result<&'a [u8], LayoutError> {
        let rest = &self.bytes[self.at..];
        if n > rest.len() {
            return Err(LayoutError::Truncated(named(ty)));
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
        if self.steps == self.steps_max {
            return Err(LayoutError::TooManyMembers);
        }
        self.steps += 1;
        if let Some(n) = fixed_len(ty) {
            let bytes = self.take(n, ty)?;
            if *ty == Type::Bool && bytes[0] > 1 {
                return Err(LayoutError::Invalid("bool".into()));
            }
            return Ok(());
        }
        let invalid = || LayoutError::Invalid(named(ty));
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
            let total = n.checked_mul(size).ok_or_else(|| LayoutError::Truncated(named(inner)))?;
            return self.take(total, inner).map(drop);
        }
        for _ in 0..n {
            let before = self.at;
            self.skip(inner, depth + 1)?;
            if self.at == before {
                return Err(LayoutError::Invalid(alloc::format!("list<{}>", named(inner))));
            }
        }
        Ok(())
    }
}

/// The beginning of a type's name, which may be as long as its ABI.
fn named(ty: &Type) -> String {
    struct Short(String);
    impl fmt::Write for Short {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            const BYTES_MAX: usize = 80;
            if self.0.len() + part.len() > BYTES_MAX {
                self.0.push('…');
                return Err(fmt::Error);
            }
            self.0.push_str(part);
            Ok(())
        }
    }
    let mut short = Short(String::new());
    // An error is that it was long.
    let _ = fmt::Write::write_fmt(&mut short, format_args!("{ty}"));
    short.0
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
