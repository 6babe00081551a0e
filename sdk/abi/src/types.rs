//! The types of parameters, results, keys and values.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::interface::same_text;
use crate::layout::TYPE_DEPTH_MAX;
use crate::{Address, Hash};

/// A type that has a canonical encoding and a description in the ABI.
///
/// Integers up to 128 bits, `bool`, `()`, [`String`], [`Address`], [`struct@Hash`], arrays, [`Option`],
/// [`Vec`] and tuples implement it; structs and enums derive it. Floats do not: their arithmetic
/// is not the same everywhere.
///
/// ```
/// # use kempe_abi::{AbiType, Type};
/// let described = Type::from(<Option<(u64, String)>>::TYPE);
/// assert_eq!(described.to_string(), "option<(u64, string)>");
/// ```
pub trait AbiType: BorshSerialize + BorshDeserialize {
    /// The description.
    const TYPE: &'static TypeDef;

    /// Decodes as `deserialize_reader` does, but makes no message of what is wrong: that would cost a
    /// contract kilobytes of wasm.
    ///
    /// # Errors
    /// If the reader fails, or the bytes are no such value.
    #[inline(always)]
    fn read<R: Read>(reader: &mut R) -> io::Result<Self> {
        Self::deserialize_reader(reader)
    }
}

/// The constant form of [`Type`], with the same variants in the same order.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "each variant is documented at Type")]
pub enum TypeDef {
    Unit,
    Bool,
    U8,
    U16,
    U32,
    U64,
    U128,
    I8,
    I16,
    I32,
    I64,
    I128,
    String,
    Address,
    Hash,
    Option(&'static Self),
    List(&'static Self),
    Array(&'static Self, u32),
    Tuple(&'static [&'static Self]),
    Struct(&'static str, &'static [(&'static str, &'static Self)]),
    Enum(&'static str, &'static [(&'static str, &'static [(&'static str, &'static Self)])]),
}

impl TypeDef {
    /// The type of the member with this name, as [`project`](crate::project) finds it; `None` if there is none.
    #[must_use]
    pub const fn member(&self, name: &str) -> Option<&'static Self> {
        match self {
            Self::Struct(_, members) => {
                let mut i = 0;
                while i < members.len() {
                    if same_text(members[i].0, name) {
                        return Some(members[i].1);
                    }
                    i += 1;
                }
                None
            }
            Self::Tuple(members) => match usize::from_str_radix(name, 10) {
                Ok(i) if i < members.len() => Some(members[i]),
                _ => None,
            },
            _ => None,
        }
    }

    /// The type of the elements; `None` if this is no list.
    #[must_use]
    pub const fn element(&self) -> Option<&'static Self> {
        match self {
            Self::List(element) => Some(element),
            _ => None,
        }
    }
}

/// A type, as the host knows it. Decoding refuses types nested deeper than
/// [`TYPE_DEPTH_MAX`](crate::TYPE_DEPTH_MAX).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub enum Type {
    /// No value: zero bytes.
    Unit,
    /// One byte, 0 or 1.
    Bool,
    /// One byte.
    U8,
    /// Two bytes, little-endian, as every integer.
    U16,
    /// Four bytes.
    U32,
    /// Eight bytes.
    U64,
    /// Sixteen bytes.
    U128,
    /// One byte, two's complement, as every signed integer.
    I8,
    /// Two bytes.
    I16,
    /// Four bytes.
    I32,
    /// Eight bytes.
    I64,
    /// Sixteen bytes.
    I128,
    /// A `u32` length and that many bytes of UTF-8.
    String,
    /// Thirty-two bytes.
    Address,
    /// Thirty-two bytes.
    Hash,
    /// A byte 0, or a byte 1 and the value.
    Option(Box<Self>),
    /// A `u32` length and that many values.
    List(Box<Self>),
    /// As many values as the number says.
    Array(Box<Self>, u32),
    /// The values in order.
    Tuple(Vec<Self>),
    /// The name and the fields; encoded as the fields in order.
    Struct(String, Vec<Member>),
    /// The name and the variants; encoded as the variant's position in one byte, then its fields.
    Enum(String, Vec<Variant>),
}

/// A field of a struct or of a variant. Fields of tuple structs are called `0`, `1`, ...
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Member {
    /// The name.
    pub name: String,
    /// The type.
    pub ty: Type,
}

/// A variant of an enum.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Variant {
    /// The name.
    pub name: String,
    /// The fields.
    pub fields: Vec<Member>,
}

impl BorshDeserialize for Type {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        Self::read(reader, TYPE_DEPTH_MAX)
    }
}

impl Type {
    /// Reads a type nested at most `depth` deep: the bytes are hostile, the host's stack is finite.
    fn read<R: Read>(reader: &mut R, depth: usize) -> io::Result<Self> {
        let depth = depth.checked_sub(1).ok_or_else(|| invalid("a type is nested too deep"))?;
        Ok(match u8::deserialize_reader(reader)? {
            0 => Self::Unit,
            1 => Self::Bool,
            2 => Self::U8,
            3 => Self::U16,
            4 => Self::U32,
            5 => Self::U64,
            6 => Self::U128,
            7 => Self::I8,
            8 => Self::I16,
            9 => Self::I32,
            10 => Self::I64,
            11 => Self::I128,
            12 => Self::String,
            13 => Self::Address,
            14 => Self::Hash,
            15 => Self::Option(Box::new(Self::read(reader, depth)?)),
            16 => Self::List(Box::new(Self::read(reader, depth)?)),
            17 => {
                let inner = Self::read(reader, depth)?;
                Self::Array(Box::new(inner), u32::deserialize_reader(reader)?)
            }
            18 => Self::Tuple(read_list(reader, |reader| Self::read(reader, depth))?),
            19 => {
                let name = String::deserialize_reader(reader)?;
                Self::Struct(name, read_members(reader, depth)?)
            }
            20 => {
                let name = String::deserialize_reader(reader)?;
                let variants = read_list(reader, |reader| {
                    let name = String::deserialize_reader(reader)?;
                    Ok(Variant { name, fields: read_members(reader, depth)? })
                })?;
                Self::Enum(name, variants)
            }
            _ => return Err(invalid("an unknown type")),
        })
    }
}

fn read_members<R: Read>(reader: &mut R, depth: usize) -> io::Result<Vec<Member>> {
    read_list(reader, |reader| {
        let name = String::deserialize_reader(reader)?;
        Ok(Member { name, ty: Type::read(reader, depth)? })
    })
}

/// Reads a borsh list whose items need more than their bytes to be read. Allocates as it reads,
/// never by the claimed count.
pub(crate) fn read_list<R: Read, T>(
    reader: &mut R,
    mut item: impl FnMut(&mut R) -> io::Result<T>,
) -> io::Result<Vec<T>> {
    let n = u32::deserialize_reader(reader)?;
    let mut items = Vec::new();
    for _ in 0..n {
        items.push(item(reader)?);
    }
    Ok(items)
}

pub(crate) fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl From<&TypeDef> for Type {
    fn from(def: &TypeDef) -> Self {
        let bytes = crate::section::encode_type_to_vec(def);
        borsh::from_slice(&bytes).expect("the constant encoder and this decoder agree")
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Unit => "()",
            Self::Bool => "bool",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::U128 => "u128",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::I128 => "i128",
            Self::String => "string",
            Self::Address => "address",
            Self::Hash => "hash",
            Self::Option(inner) => return write!(f, "option<{inner}>"),
            Self::List(inner) if **inner == Self::U8 => "bytes",
            Self::List(inner) => return write!(f, "list<{inner}>"),
            Self::Array(inner, n) => return write!(f, "[{inner}; {n}]"),
            Self::Tuple(members) => {
                f.write_str("(")?;
                for (i, member) in members.iter().enumerate() {
                    write!(f, "{}{member}", if i == 0 { "" } else { ", " })?;
                }
                return f.write_str(")");
            }
            Self::Struct(name, _) | Self::Enum(name, _) => name,
        };
        f.write_str(word)
    }
}

macro_rules! abi_types {
    ($($rust:ty => $def:ident),* $(,)?) => {
        $(impl AbiType for $rust {
            const TYPE: &'static TypeDef = &TypeDef::$def;
        })*
    };
}

abi_types! {
    () => Unit,
    u8 => U8, u16 => U16, u32 => U32, u64 => U64, u128 => U128,
    i8 => I8, i16 => I16, i32 => I32, i64 => I64, i128 => I128,
    String => String, Address => Address, Hash => Hash,
}

impl AbiType for bool {
    const TYPE: &'static TypeDef = &TypeDef::Bool;

    #[inline(always)]
    fn read<R: Read>(reader: &mut R) -> io::Result<Self> {
        match u8::deserialize_reader(reader)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl<T: AbiType> AbiType for Option<T> {
    const TYPE: &'static TypeDef = &TypeDef::Option(T::TYPE);

    #[inline(always)]
    fn read<R: Read>(reader: &mut R) -> io::Result<Self> {
        if bool::read(reader)? { T::read(reader).map(Some) } else { Ok(None) }
    }
}

impl<T: AbiType> AbiType for Vec<T> {
    const TYPE: &'static TypeDef = &TypeDef::List(T::TYPE);
}

impl<T: AbiType, const N: usize> AbiType for [T; N] {
    #[allow(clippy::cast_possible_truncation, reason = "an array of 4 GiB does not fit the memory")]
    const TYPE: &'static TypeDef = &TypeDef::Array(T::TYPE, N as u32);
}

macro_rules! abi_tuples {
    ($(($($name:ident),+))*) => {
        $(impl<$($name: AbiType),+> AbiType for ($($name,)+) {
            const TYPE: &'static TypeDef = &TypeDef::Tuple(&[$($name::TYPE),+]);

            #[inline(always)]
            fn read<Reader: Read>(reader: &mut Reader) -> io::Result<Self> {
                Ok(($($name::read(reader)?,)+))
            }
        })*
    };
}

abi_tuples! {
    (T0)
    (T0, T1)
    (T0, T1, T2)
    (T0, T1, T2, T3)
    (T0, T1, T2, T3, T4)
    (T0, T1, T2, T3, T4, T5)
    (T0, T1, T2, T3, T4, T5, T6)
    (T0, T1, T2, T3, T4, T5, T6, T7)
    (T0, T1, T2, T3, T4, T5, T6, T7, T8)
    (T0, T1, T2, T3, T4, T5, T6, T7, T8, T9)
    (T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10)
    (T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11)
    (T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12)
    (T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13)
    (T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14)
    (T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14, T15)
    (T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14, T15, T16)
    (T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14, T15, T16, T17)
    (T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14, T15, T16, T17, T18)
    (T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14, T15, T16, T17, T18, T19)
}
