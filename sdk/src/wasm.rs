//! What a contract's wasm needs to stand alone: an allocator and a panic handler.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::panic::PanicInfo;
use core::ptr;

/// Hands out memory from the end of the data to the end of the memory and takes nothing back.
///
/// Every transaction starts with a fresh memory, so there is nothing to gain from freeing. The last
/// block can grow in place, so that pushing to one vector does not copy.
struct Bump {
    /// Where the free memory begins; null before the first allocation.
    next: Cell<*mut u8>,
}

#[expect(unsafe_code, reason = "a static is shared by threads, and wasm here has one")]
// SAFETY: the target has no threads.
unsafe impl Sync for Bump {}

#[global_allocator]
static HEAP: Bump = Bump { next: Cell::new(ptr::null_mut()) };

#[expect(unsafe_code, reason = "symbols that the linker defines")]
unsafe extern "C" {
    static mut __heap_base: u8;
    static mut __heap_end: u8;
}

impl Bump {
    fn take(&self, from: *mut u8, size: usize) -> *mut u8 {
        let end = (&raw mut __heap_end).addr();
        match from.addr().checked_add(size) {
            Some(next) if next <= end => {
                self.next.set(from.with_addr(next));
                from
            }
            // Out of memory ends the transaction.
            _ => core::arch::wasm32::unreachable(),
        }
    }
}

#[expect(unsafe_code, reason = "the trait of allocators")]
// SAFETY: blocks lie between the two symbols, do not overlap because `next` only grows past each
// one handed out, and are aligned by rounding up.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let next = self.next.get();
        let next = if next.is_null() { &raw mut __heap_base } else { next };
        let aligned =
            next.map_addr(|addr| addr.wrapping_add(layout.align() - 1) & !(layout.align() - 1));
        self.take(aligned, layout.size())
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if block.wrapping_add(layout.size()) == self.next.get() {
            return self.take(block, new_size);
        }
        // SAFETY: an alignment that was valid stays valid; a size beyond the memory traps in `take`.
        let new =
            unsafe { self.alloc(Layout::from_size_align_unchecked(new_size, layout.align())) };
        // SAFETY: both blocks have at least that many bytes, and the new one is fresh.
        unsafe { ptr::copy_nonoverlapping(block, new, layout.size().min(new_size)) };
        new
    }
}

/// Tells the host the message if it is a constant: formatting would cost kilobytes of every contract.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    crate::host::panic(info.message().as_str().unwrap_or("the contract panicked"))
}
