//! The host's functions: imports in wasm, the test host natively.
//!
//! Storage functions are not here but in each field's [`FieldTag`], since the field's number is part
//! of the import's name.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::*;
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::*;

/// Names a storage field: its host functions. Made by `#[contract]` for each field, and by nobody else.
///
/// # Safety
/// Values are read from buffers that were never filled otherwise, so `get` and `start` must keep this promise: where
/// they return `len`, not negative, the first `len` bytes of the buffer are written, or all `out_cap` where `len` is
/// larger; and called again with the same key, before anything else is, they return the same `len`.
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "buffers that are not zeroed are read as far as it says")]
pub unsafe trait FieldTag: 'static {
    /// Copies at most `out_cap` bytes of the value; returns its length, or -1 if there is none.
    ///
    /// # Safety
    /// `out` is valid for writes of `out_cap` bytes.
    #[expect(unsafe_code, reason = "the host writes to the pointer")]
    unsafe fn get(key: &[u8], out: *mut u8, out_cap: usize) -> i32;
    /// As `get`, of the value before the block.
    ///
    /// # Safety
    /// `out` is valid for writes of `out_cap` bytes.
    #[expect(unsafe_code, reason = "the host writes to the pointer")]
    unsafe fn start(key: &[u8], out: *mut u8, out_cap: usize) -> i32;
    /// Replaces the value.
    fn put(key: &[u8], value: &[u8]);
    /// Removes the value.
    fn remove(key: &[u8]);
    /// Adds to a counter.
    fn add(key: &[u8], low: i64, high: i64);
    /// Raises a maximum.
    fn max(key: &[u8], low: i64, high: i64);
    /// Lowers a minimum.
    fn min(key: &[u8], low: i64, high: i64);
    /// Takes from a stock; 0 if there is not enough.
    fn reserve(key: &[u8], amount: [i64; 2], floor: [i64; 2]) -> i32;
    /// Appends to a log.
    fn append(key: &[u8], item: &[u8]);
}

/// Names a storage field.
#[cfg(not(target_arch = "wasm32"))]
pub trait FieldTag: 'static {
    /// The field's number.
    const INDEX: u8;
}

/// The tag of a storage type that is only described, as the `Counter` in `Map<K, Counter<T>>`.
#[derive(Clone, Copy, Debug)]
pub struct Untagged;
