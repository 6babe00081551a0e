//! What threads share. The tests of interleavings include files of this crate, and bring types of their own
//! for it.

use std::any::Any;
use std::sync::PoisonError;
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};

/// Locks. A panic of another thread is told by itself.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a thread panicked with; empty if that is no text.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Passes some time while others run what comes before. The system may need the core for them, so after a
/// while it gets it.
pub(crate) fn pause(n_idle: &mut u32) {
    *n_idle = n_idle.saturating_add(1);
    if *n_idle > 64 { std::thread::yield_now() } else { std::hint::spin_loop() }
}
