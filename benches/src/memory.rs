//! How the allocator treats memory that a block has freed.

/// Lets mimalloc keep freed memory for ten seconds instead of ten milliseconds before it goes back
/// to the operating system.
///
/// The next block needs the same megabytes a few milliseconds later, and memory that went back costs
/// a page fault each 4 KiB: about 100 ns of each of 20,000 transfers. Call it first in a program whose
/// global allocator is mimalloc, while there is one thread.
#[expect(unsafe_code, reason = "an option of a C library")]
pub fn keep_freed_memory() {
    /// `mi_option_purge_delay`, in milliseconds. Source: mimalloc 3, `mimalloc.h`, `mi_option_e`.
    const PURGE_DELAY: i32 = 15;
    const DELAY_MS: std::ffi::c_long = 10_000;
    // SAFETY: setting an option touches nothing but the option; there are no other threads yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, DELAY_MS) }
}
