//! What threads share. The tests of interleavings include files of this crate, and bring types of their own
//! for it.

use std::sync::PoisonError;
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};

/// Locks. A panic of another thread is told by itself.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
