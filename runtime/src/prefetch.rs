//! Hints to the processor.

/// Asks for a value to be brought from main memory, without waiting for it; does nothing where the
/// processor is not known to take the hint.
///
/// A block's transactions, lists and values are far more than a core's cache holds, and are used in
/// an order that is known beforehand: asking some transactions ahead hides most of the wait.
#[inline(always)]
#[expect(unsafe_code, reason = "the processor's hint takes a pointer")]
pub(crate) fn prefetch<T: ?Sized>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint reads and writes nothing that shows, and the pointer is valid anyway.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
