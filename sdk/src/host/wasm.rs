//! The imports of a contract. `kempe_abi::host` says what each does.

use core::mem::MaybeUninit;

use kempe_abi::Address;

use crate::codec::Bound;
use crate::wasm::Lent;

mod import {
    // `safe` are those that only read: the host checks every range and traps on a bad one.
    #[expect(unsafe_code, reason = "imports of the host")]
    #[link(wasm_import_module = "kempe")]
    unsafe extern "C" {
        pub(super) fn input(out: *mut u8);
        pub(super) safe fn output(ptr: *const u8, len: usize);
        pub(super) fn caller(out: *mut u8);
        pub(super) fn this(out: *mut u8);
        pub(super) safe fn height() -> u64;
        pub(super) safe fn time_ms() -> u64;
        pub(super) safe fn emit(id: u32, ptr: *const u8, len: usize);
        pub(super) safe fn log(ptr: *const u8, len: usize);
        pub(super) safe fn panic(ptr: *const u8, len: usize);
        pub(super) safe fn call(
            callee: *const u8,
            method: u32,
            args: *const u8,
            args_len: usize,
            catch: i32,
        ) -> i32;
        pub(super) fn call_output(out: *mut u8, cap: usize) -> i32;
        pub(super) fn blake3(ptr: *const u8, len: usize, out: *mut u8);
        pub(super) fn sha256(ptr: *const u8, len: usize, out: *mut u8);
        pub(super) fn keccak256(ptr: *const u8, len: usize, out: *mut u8);
        pub(super) safe fn ed25519_verify(
            key: *const u8,
            message: *const u8,
            message_len: usize,
            signature: *const u8,
        ) -> i32;
    }
}

/// What `fill` writes.
#[inline(always)]
#[expect(unsafe_code, reason = "zeroing what the host fills costs more than the call")]
fn filled(fill: impl FnOnce(*mut u8)) -> [u8; 32] {
    let mut bytes = MaybeUninit::<[u8; 32]>::uninit();
    fill(bytes.as_mut_ptr().cast());
    // SAFETY: each caller below passes the pointer to a host function that writes 32 bytes.
    unsafe { bytes.assume_init() }
}

/// Bytes of a buffer on the stack for what the host copies out; longer ones go to the end of the heap.
const STACK_BYTES: usize = 256;

/// Calls `read` with the bytes that `fill(out, cap)` copies; `None` if it returns a negative length.
///
/// More bytes than `B` bounds are read as none at all, from which no bounded type decodes.
#[inline(always)]
#[expect(unsafe_code, reason = "the host fills a buffer that is not zeroed")]
pub(crate) fn with_copied<B: Bound, T>(
    fill: impl Fn(*mut u8, usize) -> i32,
    read: impl Fn(&[u8]) -> T,
) -> Option<T> {
    let mut stack = MaybeUninit::<[u8; STACK_BYTES]>::uninit();
    let cap = if B::MAX < STACK_BYTES { B::MAX } else { STACK_BYTES };
    let len = usize::try_from(fill(stack.as_mut_ptr().cast(), cap)).ok()?;
    if len <= cap {
        // SAFETY: the host wrote `len` bytes, which the buffer holds: for a field that is the promise of `FieldTag`.
        return Some(read(unsafe { core::slice::from_raw_parts(stack.as_ptr().cast(), len) }));
    }
    if B::MAX <= STACK_BYTES {
        return Some(read(&[]));
    }
    let lent = Lent::new(len);
    fill(lent.bytes, len);
    // SAFETY: `lent` has as many bytes, which nothing else touches, and the host wrote as many as a moment ago.
    Some(read(unsafe { core::slice::from_raw_parts(lent.bytes, len) }))
}

/// The value in a field's cell.
#[inline(always)]
#[expect(unsafe_code, reason = "the host fills the buffer")]
pub(crate) fn with_value<F: super::FieldTag, B: Bound, T>(
    key: &[u8],
    read: impl Fn(&[u8]) -> T,
) -> Option<T> {
    // SAFETY: `with_copied` passes a buffer of `cap` bytes.
    with_copied::<B, _>(|out, cap| unsafe { F::get(key, out, cap) }, read)
}

/// The value that was in a field's cell before the block.
#[inline(always)]
#[expect(unsafe_code, reason = "the host fills the buffer")]
pub(crate) fn with_start<F: super::FieldTag, B: Bound, T>(
    key: &[u8],
    read: impl Fn(&[u8]) -> T,
) -> Option<T> {
    // SAFETY: `with_copied` passes a buffer of `cap` bytes.
    with_copied::<B, _>(|out, cap| unsafe { F::start(key, out, cap) }, read)
}

/// Whether there is a value in a field's cell.
#[inline(always)]
#[expect(unsafe_code, reason = "a host function")]
pub(crate) fn exists<F: super::FieldTag>(key: &[u8]) -> bool {
    // SAFETY: the host writes nothing to a buffer of no bytes.
    unsafe { F::get(key, core::ptr::dangling_mut(), 0) >= 0 }
}

#[inline(always)]
pub(crate) fn put<F: super::FieldTag>(key: &[u8], value: &[u8]) {
    F::put(key, value);
}

#[inline(always)]
pub(crate) fn remove<F: super::FieldTag>(key: &[u8]) {
    F::remove(key);
}

#[inline(always)]
pub(crate) fn add<F: super::FieldTag>(key: &[u8], delta: i128) {
    #[allow(clippy::cast_possible_truncation, reason = "the two halves of the number")]
    F::add(key, delta as i64, (delta >> 64) as i64);
}

#[inline(always)]
pub(crate) fn max<F: super::FieldTag>(key: &[u8], number: u128) {
    #[allow(clippy::cast_possible_truncation, reason = "the two halves of the number")]
    F::max(key, number as i64, (number >> 64) as i64);
}

#[inline(always)]
pub(crate) fn min<F: super::FieldTag>(key: &[u8], number: u128) {
    #[allow(clippy::cast_possible_truncation, reason = "the two halves of the number")]
    F::min(key, number as i64, (number >> 64) as i64);
}

#[inline(always)]
pub(crate) fn reserve<F: super::FieldTag>(key: &[u8], amount: u128, floor: u128) -> bool {
    #[allow(clippy::cast_possible_truncation, reason = "the two halves of the numbers")]
    let [amount, floor] = [amount, floor].map(|number| [number as i64, (number >> 64) as i64]);
    F::reserve(key, amount, floor) != 0
}

#[inline(always)]
pub(crate) fn append<F: super::FieldTag>(key: &[u8], item: &[u8]) {
    F::append(key, item);
}

/// Calls `read` with the arguments.
#[inline(always)]
#[expect(unsafe_code, reason = "the host fills the buffer")]
pub(crate) fn with_input<B: Bound, T>(len: usize, read: impl Fn(&[u8]) -> T) -> T {
    let fill = |out: *mut u8, cap: usize| {
        // The host writes all `args_len` bytes, so only a buffer that holds them may be passed.
        if cap >= len {
            // SAFETY: the buffer has at least `len` bytes, which is what the host writes.
            unsafe { import::input(out) };
        }
        #[allow(
            clippy::cast_possible_wrap,
            clippy::cast_possible_truncation,
            reason = "arguments are limited to 64 KiB"
        )]
        let len = len as i32;
        len
    };
    with_copied::<B, _>(fill, read).unwrap_or_else(|| core::arch::wasm32::unreachable())
}

#[inline(always)]
pub(crate) fn output(bytes: &[u8]) {
    import::output(bytes.as_ptr(), bytes.len());
}

#[inline(always)]
#[expect(unsafe_code, reason = "a host function")]
pub(crate) fn caller() -> Address {
    // SAFETY: `filled` passes a buffer of the 32 bytes that the host writes.
    Address(filled(|out| unsafe { import::caller(out) }))
}

#[inline(always)]
#[expect(unsafe_code, reason = "a host function")]
pub(crate) fn this() -> Address {
    // SAFETY: `filled` passes a buffer of the 32 bytes that the host writes.
    Address(filled(|out| unsafe { import::this(out) }))
}

#[inline(always)]
pub(crate) fn height() -> u64 {
    import::height()
}

#[inline(always)]
pub(crate) fn time_ms() -> u64 {
    import::time_ms()
}

#[inline(always)]
pub(crate) fn emit(id: u32, bytes: &[u8]) {
    import::emit(id, bytes.as_ptr(), bytes.len());
}

#[inline(always)]
pub(crate) fn log(text: &str) {
    import::log(text.as_ptr(), text.len());
}

#[inline(always)]
pub(crate) fn panic(text: &str) -> ! {
    import::panic(text.as_ptr(), text.len());
    core::arch::wasm32::unreachable()
}

#[inline(always)]
pub(crate) fn call(callee: &Address, method: u32, args: &[u8], catch: bool) -> i32 {
    import::call(callee.0.as_ptr(), method, args.as_ptr(), args.len(), i32::from(catch))
}

/// Calls `read` with the result of the last callee.
#[inline(always)]
#[expect(unsafe_code, reason = "the host fills the buffer")]
pub(crate) fn with_call_output<B: Bound, T>(read: impl Fn(&[u8]) -> T) -> Option<T> {
    // SAFETY: `with_copied` passes a buffer of `cap` bytes.
    with_copied::<B, _>(|out, cap| unsafe { import::call_output(out, cap) }, read)
}

#[inline(always)]
#[expect(unsafe_code, reason = "a host function")]
pub(crate) fn blake3(bytes: &[u8]) -> [u8; 32] {
    // SAFETY: `filled` passes a buffer of the 32 bytes that the host writes.
    filled(|out| unsafe { import::blake3(bytes.as_ptr(), bytes.len(), out) })
}

#[inline(always)]
#[expect(unsafe_code, reason = "a host function")]
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    // SAFETY: `filled` passes a buffer of the 32 bytes that the host writes.
    filled(|out| unsafe { import::sha256(bytes.as_ptr(), bytes.len(), out) })
}

#[inline(always)]
#[expect(unsafe_code, reason = "a host function")]
pub(crate) fn keccak256(bytes: &[u8]) -> [u8; 32] {
    // SAFETY: `filled` passes a buffer of the 32 bytes that the host writes.
    filled(|out| unsafe { import::keccak256(bytes.as_ptr(), bytes.len(), out) })
}

#[inline(always)]
pub(crate) fn ed25519_verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    import::ed25519_verify(key.as_ptr(), message.as_ptr(), message.len(), signature.as_ptr()) == 1
}
