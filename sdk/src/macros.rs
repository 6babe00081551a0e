//! Macros for contract code.

/// Returns `Err(error)` unless the condition holds.
///
/// ```
/// # use kempe_sdk::prelude::*;
/// # #[error] pub enum E { Zero = 100 }
/// fn positive(n: u64) -> Result<u64, E> {
///     ensure!(n > 0, E::Zero);
///     Ok(n)
/// }
/// assert_eq!(positive(0), Err(E::Zero));
/// ```
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $error:expr $(,)?) => {
        if !$condition {
            return ::core::result::Result::Err($error);
        }
    };
}

/// Writes a line to the host's log. Never part of a receipt.
///
/// Takes what `format!` takes. A text without arguments costs little; formatting costs some kilobytes
/// of wasm.
#[macro_export]
macro_rules! log {
    ($($args:tt)*) => {
        $crate::__private::log(::core::format_args!($($args)*))
    };
}

/// The type that names a storage field, with imports of its own.
#[doc(hidden)]
#[macro_export]
macro_rules! __field {
    ($name:ident, $index:literal, $get:literal, $start:literal, $put:literal, $remove:literal, $add:literal, $max:literal, $min:literal, $reserve:literal, $append:literal) => {
        pub struct $name;

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[link(wasm_import_module = "kempe")]
            unsafe extern "C" {
                #[link_name = $get]
                fn get(key: *const u8, key_len: usize, out: *mut u8, out_cap: usize) -> i32;
                #[link_name = $start]
                fn start(key: *const u8, key_len: usize, out: *mut u8, out_cap: usize) -> i32;
                #[link_name = $put]
                safe fn put(key: *const u8, key_len: usize, value: *const u8, value_len: usize);
                #[link_name = $remove]
                safe fn remove(key: *const u8, key_len: usize);
                #[link_name = $add]
                safe fn add(key: *const u8, key_len: usize, low: i64, high: i64);
                #[link_name = $max]
                safe fn max(key: *const u8, key_len: usize, low: i64, high: i64);
                #[link_name = $min]
                safe fn min(key: *const u8, key_len: usize, low: i64, high: i64);
                #[link_name = $reserve]
                safe fn reserve(
                    key: *const u8,
                    key_len: usize,
                    low: i64,
                    high: i64,
                    floor_low: i64,
                    floor_high: i64,
                ) -> i32;
                #[link_name = $append]
                safe fn append(key: *const u8, key_len: usize, item: *const u8, item_len: usize);
            }

            // SAFETY: the host's functions copy as much of the value as the buffer holds, and return its length; and
            // only the contract itself could change the value between two calls.
            unsafe impl $crate::host::FieldTag for $name {
                #[inline(always)]
                unsafe fn get(key: &[u8], out: *mut u8, out_cap: usize) -> i32 {
                    // SAFETY: the caller says that `out` has `out_cap` bytes.
                    unsafe { get(key.as_ptr(), key.len(), out, out_cap) }
                }

                #[inline(always)]
                unsafe fn start(key: &[u8], out: *mut u8, out_cap: usize) -> i32 {
                    // SAFETY: the caller says that `out` has `out_cap` bytes.
                    unsafe { start(key.as_ptr(), key.len(), out, out_cap) }
                }

                #[inline(always)]
                fn put(key: &[u8], value: &[u8]) {
                    put(key.as_ptr(), key.len(), value.as_ptr(), value.len());
                }

                #[inline(always)]
                fn remove(key: &[u8]) {
                    remove(key.as_ptr(), key.len());
                }

                #[inline(always)]
                fn add(key: &[u8], low: i64, high: i64) {
                    add(key.as_ptr(), key.len(), low, high);
                }

                #[inline(always)]
                fn max(key: &[u8], low: i64, high: i64) {
                    max(key.as_ptr(), key.len(), low, high);
                }

                #[inline(always)]
                fn min(key: &[u8], low: i64, high: i64) {
                    min(key.as_ptr(), key.len(), low, high);
                }

                #[inline(always)]
                fn reserve(key: &[u8], [low, high]: [i64; 2], floor: [i64; 2]) -> i32 {
                    reserve(key.as_ptr(), key.len(), low, high, floor[0], floor[1])
                }

                #[inline(always)]
                fn append(key: &[u8], item: &[u8]) {
                    append(key.as_ptr(), key.len(), item.as_ptr(), item.len());
                }
            }
        };

        #[cfg(not(target_arch = "wasm32"))]
        impl $crate::host::FieldTag for $name {
            const INDEX: u8 = $index;
        }
    };
}
