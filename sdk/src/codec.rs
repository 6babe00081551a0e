//! Encoding into small buffers on the stack, and decoding.

use core::marker::PhantomData;
use core::mem::MaybeUninit;

use alloc::vec::Vec;
use kempe_abi::borsh::io::{self, ErrorKind, Read, Write};
use kempe_abi::{AbiType, Encode, TypeDef};

/// Bytes of an encoding that are held on the stack: keys, values, arguments and events are mostly
/// shorter.
const STACK_BYTES: usize = 256;

/// Room on the stack. Lent to a writer, not owned by it: a struct with a part that is not initialized
/// is initialized as a whole, with zeros, which costs more than what is written.
type Room = MaybeUninit<[u8; STACK_BYTES]>;

/// An encoding: on the stack as long as it fits there.
struct Buffer<'a> {
    stack: &'a mut Room,
    len: usize,
    /// Holds everything once it is not empty.
    heap: Vec<u8>,
}

impl Buffer<'_> {
    #[inline(always)]
    #[expect(unsafe_code, reason = "zeroing the buffer would cost more than filling it")]
    fn push(&mut self, bytes: &[u8]) {
        if self.heap.is_empty() && bytes.len() <= STACK_BYTES - self.len {
            // SAFETY: `len` never exceeds `STACK_BYTES`, and the bytes fit behind it.
            unsafe {
                let end = self.stack.as_mut_ptr().cast::<u8>().add(self.len);
                core::ptr::copy_nonoverlapping(bytes.as_ptr(), end, bytes.len());
            }
            self.len += bytes.len();
        } else {
            self.spill(bytes);
        }
    }

    #[cold]
    #[inline(never)]
    fn spill(&mut self, bytes: &[u8]) {
        let mut heap = core::mem::take(&mut self.heap);
        if heap.is_empty() {
            append(&mut heap, self.stack());
        }
        append(&mut heap, bytes);
        self.heap = heap;
    }

    #[inline(always)]
    #[expect(unsafe_code, reason = "the filled part of a buffer that is not zeroed")]
    fn stack(&self) -> &[u8] {
        // SAFETY: `push` filled the first `len` bytes.
        unsafe { core::slice::from_raw_parts(self.stack.as_ptr().cast(), self.len) }
    }

    #[inline(always)]
    fn bytes(&self) -> &[u8] {
        if self.heap.is_empty() { self.stack() } else { &self.heap }
    }
}

/// As `extend_from_slice`, without the messages of its panics.
#[expect(unsafe_code, reason = "the vector's own way would cost a contract kilobytes")]
fn append(heap: &mut Vec<u8>, bytes: &[u8]) {
    if heap.try_reserve(bytes.len()).is_err() {
        unencodable();
    }
    // SAFETY: there is room for the bytes behind the first `len`, which are filled.
    unsafe {
        let end = heap.as_mut_ptr().add(heap.len());
        core::ptr::copy_nonoverlapping(bytes.as_ptr(), end, bytes.len());
        heap.set_len(heap.len() + bytes.len());
    }
}

impl Write for Buffer<'_> {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    #[inline(always)]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.push(bytes);
        Ok(())
    }

    #[inline(always)]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An encoding of a type whose longest one fits: no heap, and the length is mostly a constant.
struct Short<'a> {
    stack: &'a mut Room,
    len: usize,
}

impl Write for Short<'_> {
    #[inline(always)]
    #[expect(unsafe_code, reason = "zeroing the buffer would cost more than filling it")]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > STACK_BYTES - self.len {
            return Err(invalid());
        }
        // SAFETY: `len` never exceeds `STACK_BYTES`, and the bytes fit behind it.
        unsafe {
            let end = self.stack.as_mut_ptr().cast::<u8>().add(self.len);
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), end, bytes.len());
        }
        self.len += bytes.len();
        Ok(())
    }

    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline(always)]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Calls `with` with the canonical encoding of the value, which is bounded by `B`.
#[inline(always)]
#[expect(unsafe_code, reason = "the filled part of a buffer that is not zeroed")]
pub(crate) fn encoded<B: Bound, T: Encode + ?Sized, R>(
    value: &T,
    with: impl FnOnce(&[u8]) -> R,
) -> R {
    let mut stack = Room::uninit();
    if B::MAX <= STACK_BYTES {
        let mut short = Short { stack: &mut stack, len: 0 };
        if value.serialize(&mut short).is_err() {
            unencodable();
        }
        // SAFETY: `write_all` filled the first `len` bytes.
        return with(unsafe {
            core::slice::from_raw_parts(short.stack.as_ptr().cast(), short.len)
        });
    }
    let mut buffer = Buffer { stack: &mut stack, len: 0, heap: Vec::new() };
    if value.serialize(&mut buffer).is_err() {
        unencodable();
    }
    with(buffer.bytes())
}

/// How long encodings can be: a constant, so that only one of two ways is compiled.
pub trait Bound {
    /// The length of the longest encoding; [`UNBOUNDED`] if there is none.
    const MAX: usize;
}

/// The encodings of a type.
#[derive(Debug)]
pub struct Of<T>(PhantomData<T>);

impl<T: AbiType> Bound for Of<T> {
    const MAX: usize = max_len(T::TYPE);
}

/// Encodings of at most `N` bytes.
#[derive(Debug)]
pub struct AtMost<const N: usize>;

impl<const N: usize> Bound for AtMost<N> {
    const MAX: usize = N;
}

/// Encodings of `N` bytes more.
#[derive(Debug)]
pub(crate) struct Longer<B, const N: usize>(PhantomData<B>);

impl<B: Bound, const N: usize> Bound for Longer<B, N> {
    const MAX: usize = B::MAX.saturating_add(N);
}

/// Encodings of any length.
pub(crate) type Any = AtMost<UNBOUNDED>;

/// What [`Bound::MAX`] is for types without a longest encoding.
pub(crate) const UNBOUNDED: usize = usize::MAX;

/// The length of the longest encoding of a type; [`UNBOUNDED`] if there is none.
pub(crate) const fn max_len(def: &TypeDef) -> usize {
    match def {
        TypeDef::Unit => 0,
        TypeDef::Bool | TypeDef::U8 | TypeDef::I8 => 1,
        TypeDef::U16 | TypeDef::I16 => 2,
        TypeDef::U32 | TypeDef::I32 => 4,
        TypeDef::U64 | TypeDef::I64 => 8,
        TypeDef::U128 | TypeDef::I128 => 16,
        TypeDef::Address | TypeDef::Hash => 32,
        TypeDef::String | TypeDef::List(_) => UNBOUNDED,
        TypeDef::Option(inner) => max_len(inner).saturating_add(1),
        TypeDef::Array(inner, n) => max_len(inner).saturating_mul(*n as usize),
        TypeDef::Tuple(members) => max_len_of(members),
        TypeDef::Struct(_, members) => max_len_of_members(members),
        TypeDef::Enum(_, variants) => {
            let (mut max, mut i) = (0, 0);
            while i < variants.len() {
                let len = max_len_of_members(variants[i].1);
                if len > max {
                    max = len;
                }
                i += 1;
            }
            max.saturating_add(1)
        }
    }
}

/// The length of the longest encoding of a tuple.
pub const fn max_len_of(types: &[&TypeDef]) -> usize {
    let (mut sum, mut i) = (0usize, 0);
    while i < types.len() {
        sum = sum.saturating_add(max_len(types[i]));
        i += 1;
    }
    sum
}

const fn max_len_of_members(members: &[(&str, &TypeDef)]) -> usize {
    let (mut sum, mut i) = (0usize, 0);
    while i < members.len() {
        sum = sum.saturating_add(max_len(members[i].1));
        i += 1;
    }
    sum
}

/// The length of the shortest encoding of a type.
const fn min_len(def: &TypeDef) -> usize {
    match def {
        TypeDef::String | TypeDef::List(_) => 4,
        TypeDef::Option(_) => 1,
        TypeDef::Array(inner, n) => min_len(inner).saturating_mul(*n as usize),
        TypeDef::Tuple(members) => min_len_of(members),
        TypeDef::Struct(_, members) => min_len_of_members(members),
        TypeDef::Enum(_, variants) => {
            let (mut min, mut i) = (UNBOUNDED, 0);
            while i < variants.len() {
                let len = min_len_of_members(variants[i].1);
                if len < min {
                    min = len;
                }
                i += 1;
            }
            min.saturating_add(1)
        }
        // What has one length.
        _ => max_len(def),
    }
}

/// The length of the shortest encoding of a tuple.
pub(crate) const fn min_len_of(types: &[&TypeDef]) -> usize {
    let (mut sum, mut i) = (0usize, 0);
    while i < types.len() {
        sum = sum.saturating_add(min_len(types[i]));
        i += 1;
    }
    sum
}

const fn min_len_of_members(members: &[(&str, &TypeDef)]) -> usize {
    let (mut sum, mut i) = (0usize, 0);
    while i < members.len() {
        sum = sum.saturating_add(min_len(members[i].1));
        i += 1;
    }
    sum
}

/// Only a type whose own `Encode` refuses to encode gets here, which derived ones do not.
#[cold]
fn unencodable() -> ! {
    panic!("a value does not encode")
}

/// The value whose canonical encoding the bytes are; `None` if they are not.
#[inline(always)]
pub(crate) fn decode<B: Bound, T: AbiType>(bytes: &[u8]) -> Option<T> {
    if B::MAX == UNBOUNDED {
        let mut reader = Bytes { rest: bytes };
        let value = T::read(&mut reader).ok()?;
        return reader.rest.is_empty().then_some(value);
    }
    let mut reader = Sure { rest: bytes, short: false };
    let value = T::read(&mut reader).ok()?;
    (reader.rest.is_empty() && !reader.short).then_some(value)
}

/// Reads from a slice and never fails; that bytes were missing is known at the end.
///
/// What borsh does with an error of a reader costs kilobytes of wasm: it makes a message on the heap.
/// Not for types without a longest encoding, whose claimed lengths would be believed.
struct Sure<'a> {
    rest: &'a [u8],
    short: bool,
}

impl Read for Sure<'_> {
    #[inline(always)]
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.read_exact(out).map(|()| out.len())
    }

    #[inline(always)]
    fn read_exact(&mut self, out: &mut [u8]) -> io::Result<()> {
        match self.rest.split_at_checked(out.len()) {
            Some((head, rest)) => {
                out.copy_from_slice(head);
                self.rest = rest;
            }
            None => self.short = true,
        }
        Ok(())
    }
}

/// Reads from a slice.
struct Bytes<'a> {
    rest: &'a [u8],
}

impl Read for Bytes<'_> {
    #[inline(always)]
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = out.len().min(self.rest.len());
        let (head, rest) = self.rest.split_at(n);
        out[..n].copy_from_slice(head);
        self.rest = rest;
        Ok(n)
    }

    #[inline(always)]
    fn read_exact(&mut self, out: &mut [u8]) -> io::Result<()> {
        let Some((head, rest)) = self.rest.split_at_checked(out.len()) else {
            return Err(invalid());
        };
        out.copy_from_slice(head);
        self.rest = rest;
        Ok(())
    }
}

/// The error of bytes that are not an encoding.
#[inline]
pub fn invalid() -> io::Error {
    io::Error::from(ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_of_every_length_are_whole() {
        for len in [0usize, 1, 123, 124, 125, 127, 128, 129, 500] {
            let value = (vec![7u8; len], 9u8);
            let bytes = encoded::<Any, _, _>(&value, <[u8]>::to_vec);
            assert_eq!(bytes, kempe_abi::borsh::to_vec(&value).unwrap(), "len={len}");
            assert_eq!(decode::<Any, (Vec<u8>, u8)>(&bytes), Some(value));
        }
    }

    #[test]
    fn the_longest_encoding_is_as_long_as_said() {
        type T = (Option<u128>, [u16; 3], Result128);
        let longest: T = (Some(1), [1, 2, 3], (true, kempe_abi::Hash::ZERO));
        type Result128 = (bool, kempe_abi::Hash);
        assert_eq!(encoded::<Of<T>, _, _>(&longest, <[u8]>::len), Of::<T>::MAX);
        assert_eq!(Of::<(u8, Vec<u8>)>::MAX, UNBOUNDED);
    }

    #[test]
    fn bytes_left_over_or_missing_do_not_decode() {
        refuses::<Any>();
        refuses::<AtMost<16>>();
    }

    fn refuses<B: Bound>() {
        assert_eq!(decode::<B, u32>(&[1, 0, 0]), None);
        assert_eq!(decode::<B, u32>(&[1, 0, 0, 0, 0]), None);
        assert_eq!(decode::<B, bool>(&[2]), None);
        assert_eq!(decode::<B, (u8, u32, u8)>(&[1, 2, 3]), None);
        assert_eq!(decode::<B, u32>(&[1, 0, 0, 0]), Some(1));
    }
}
