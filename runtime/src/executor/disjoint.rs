//! A table whose entries are used by one thread at a time, because a verified schedule says so.

use std::cell::UnsafeCell;
use std::fmt;

use rayon::prelude::*;

use crate::prefetch::prefetch;

/// Entries that threads read and write without locks.
///
/// Two threads never meet at an entry, which is what a [`Plan`](super::Plan) proves: a transaction is named once, and of
/// those whose turn has come at the same time, none lists a slot that another one may write. By batches: one is a turn, and
/// whoever begins with a batch has seen the end of the one before, with all that was written until then. By a graph: what
/// conflicts is joined by edges, and whoever is set free has seen all that those did for whom it waited. What is only added
/// to, nobody reads in its turn; it is changed between two batches, or with a lock held, or by the only transaction that lists it meanwhile.
pub(super) struct Disjoint<T>(Box<[UnsafeCell<T>]>);

#[expect(unsafe_code, reason = "entries are used without locks")]
// SAFETY: the callers of `get` and `get_mut` promise that no entry is used by two threads at once
// unless both only read it; what is read and written may move between threads.
unsafe impl<T: Send + Sync> Sync for Disjoint<T> {}

impl<T> Disjoint<T> {
    /// A table of `len` entries.
    pub(super) fn new(len: usize, entry: impl Fn() -> T + Sync) -> Self
    where
        T: Send,
    {
        let entries = (0..len).into_par_iter().with_min_len(1024);
        Self(entries.map(|_| UnsafeCell::new(entry())).collect::<Vec<_>>().into_boxed_slice())
    }

    /// A table of these entries.
    pub(super) fn of(entries: Vec<T>) -> Self {
        Self(entries.into_iter().map(UnsafeCell::new).collect())
    }

    /// Each entry, to be filled before the threads start.
    pub(super) fn as_mut_slice(&mut self) -> &mut [UnsafeCell<T>] {
        &mut self.0
    }

    /// The entries, after the threads have ended.
    pub(super) fn into_vec(self) -> Vec<T> {
        self.0.into_vec().into_iter().map(UnsafeCell::into_inner).collect()
    }

    /// Reads an entry.
    ///
    /// # Safety
    /// While the reference lives no thread writes the entry.
    #[expect(unsafe_code, reason = "see the type")]
    pub(super) unsafe fn get(&self, at: u32) -> &T {
        // SAFETY: nobody writes the entry, as the caller promises.
        unsafe { &*self.0[at as usize].get() }
    }

    /// Changes an entry.
    ///
    /// # Safety
    /// While the reference lives nobody else uses the entry.
    #[expect(unsafe_code, reason = "see the type")]
    #[expect(clippy::mut_from_ref, reason = "the caller promises that it is the only one")]
    pub(super) unsafe fn get_mut(&self, at: u32) -> &mut T {
        // SAFETY: nobody else uses the entry, as the caller promises.
        unsafe { &mut *self.0[at as usize].get() }
    }

    /// Replaces an entry, which is forgotten without being dropped: for the first value of one that
    /// owns nothing yet.
    ///
    /// # Safety
    /// Nobody else uses the entry meanwhile.
    #[expect(unsafe_code, reason = "see the type")]
    pub(super) unsafe fn put(&self, at: u32, value: T) {
        // SAFETY: nobody else uses the entry, as the caller promises, and the pointer is valid.
        unsafe { self.0[at as usize].get().write(value) }
    }

    /// Asks for an entry to be brought from main memory, without waiting for it.
    #[inline]
    pub(super) fn prefetch(&self, at: u32) {
        if let Some(entry) = self.0.get(at as usize) {
            prefetch(entry);
        }
    }
}

impl<T> Default for Disjoint<T> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<T> fmt::Debug for Disjoint<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disjoint").field("len", &self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_write_their_own_entries() {
        let table = Disjoint::new(64, || 0u32);
        std::thread::scope(|scope| {
            for thread in 0..2u32 {
                let table = &table;
                scope.spawn(move || {
                    for at in (thread..64).step_by(2) {
                        table.prefetch(at + 2);
                        #[expect(unsafe_code, reason = "what is tested")]
                        // SAFETY: the threads take every other entry.
                        unsafe {
                            *table.get_mut(at) += at;
                        }
                    }
                });
            }
        });
        assert_eq!(table.into_vec(), (0..64).collect::<Vec<u32>>());
    }
}
