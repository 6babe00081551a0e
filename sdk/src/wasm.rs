//! What a contract's wasm needs to stand alone: an allocator and a panic handler.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::panic::PanicInfo;
use core::ptr;

/// Hands out memory from the end of the data to the end of the memory, and takes back the last block only.
///
/// Every transaction starts with a fresh memory, so there is little to gain from more: what a turn of a loop allocates is
/// mostly freed in the reverse order, so that a loop needs no more memory than its longest turn. The last
/// block can grow in place, so that pushing to one vector does not copy.
struct Bump {
    /// Where the free memory begins; null before the first allocation.
    next: Cell<*mut u8>,
    /// How much at the end of the memory is [`Lent`].
    lent: Cell<usize>,
}

#[expect(unsafe_code, reason = "a static is shared by threads, and wasm here has one")]
// SAFETY: the target has no threads.
unsafe impl Sync for Bump {}

#[global_allocator]
static HEAP: Bump = Bump { next: Cell::new(ptr::null_mut()), lent: Cell::new(0) };

#[expect(unsafe_code, reason = "symbols that the linker defines")]
unsafe extern "C" {
    static mut __heap_base: u8;
    static mut __heap_end: u8;
}

impl Bump {
    fn next(&self) -> *mut u8 {
        let next = self.next.get();
        if next.is_null() { &raw mut __heap_base } else { next }
    }

    fn take(&self, from: *mut u8, size: usize) -> *mut u8 {
        let end = (&raw mut __heap_end).addr() - self.lent.get();
        match from.addr().checked_add(size) {
            Some(next) if next <= end => {
                self.next.set(from.with_addr(next));
                from
            }
            _ => out_of_memory(),
        }
    }

    // Not inlined: wherever something is dropped there would be a copy.
    #[inline(never)]
    fn give_back(&self, block: *mut u8, size: usize) {
        if block.wrapping_add(size) == self.next.get() {
            self.next.set(block);
        }
    }
}

/// Ends the transaction.
#[cold]
#[inline(never)]
fn out_of_memory() -> ! {
    crate::host::panic("out of memory: the contract's Cargo.toml may ask for more memory-bytes")
}

#[expect(unsafe_code, reason = "the trait of allocators")]
// SAFETY: blocks lie between the two symbols, and below what is lent; they do not overlap because `next` grows past each
// one handed out and falls back only to the beginning of the last one, when that is freed; and are aligned by rounding up.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let next = self.next();
        let aligned =
            next.map_addr(|addr| addr.wrapping_add(layout.align() - 1) & !(layout.align() - 1));
        self.take(aligned, layout.size())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.give_back(block, layout.size());
    }

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

/// Bytes at the end of the memory, lent until this is dropped: what is allocated meanwhile is not above them when it is
/// freed, as it would be if they were a block themselves.
pub(crate) struct Lent {
    pub(crate) bytes: *mut u8,
    len: usize,
}

impl Lent {
    /// As many bytes, below those that are lent already.
    #[cold]
    #[inline(never)]
    pub(crate) fn new(len: usize) -> Self {
        let end = (&raw mut __heap_end).addr() - HEAP.lent.get();
        match end.checked_sub(len) {
            Some(from) if from >= HEAP.next().addr() => {
                HEAP.lent.set(HEAP.lent.get() + len);
                Self { bytes: (&raw mut __heap_end).with_addr(from), len }
            }
            _ => out_of_memory(),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        HEAP.lent.set(HEAP.lent.get() - self.len);
    }
}

/// Tells the host the message if it is a constant: formatting would cost kilobytes of every contract.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    crate::host::panic(info.message().as_str().unwrap_or("the contract panicked"))
}
