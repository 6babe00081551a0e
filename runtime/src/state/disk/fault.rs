//! Power failures and full disks, by plan.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::sync::lock;

/// How a disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The power fails: the operation is half done, nothing works any more, and of what was not
    /// synced every second write is lost.
    Power,
    /// There is no space left: everything that writes is refused.
    Full,
}

/// A plan for a [`Disk`](super::Disk) to fail.
#[derive(Debug)]
pub struct Faults {
    kind: FaultKind,
    /// How many operations that change something still work.
    left: AtomicU64,
    failed: AtomicBool,
    unsynced: Mutex<BTreeMap<PathBuf, Vec<Undo>>>,
}

/// What was in a file before a write.
#[derive(Debug)]
struct Undo {
    offset: u64,
    before: Vec<u8>,
}

impl Faults {
    /// Fails when `n_operations` that change something have been done.
    #[must_use]
    pub fn after(n_operations: u64, kind: FaultKind) -> Arc<Self> {
        Arc::new(Self {
            kind,
            left: AtomicU64::new(n_operations),
            failed: AtomicBool::new(false),
            unsynced: Mutex::default(),
        })
    }

    /// Whether it has failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    pub(super) fn step(&self) -> io::Result<()> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if left.is_ok() {
            return Ok(());
        }
        let first = !self.failed.swap(true, Ordering::SeqCst);
        match self.kind {
            FaultKind::Full => Err(io::ErrorKind::StorageFull.into()),
            FaultKind::Power => {
                if first {
                    self.lose();
                }
                Err(io::Error::other("the power failed, as the test wants it"))
            }
        }
    }

    /// Takes back every second write that was not synced.
    fn lose(&self) {
        let unsynced = std::mem::take(&mut *self.lock());
        for (path, writes) in unsynced {
            let Ok(file) = File::options().write(true).open(&path) else { continue };
            for undo in writes.iter().rev().step_by(2) {
                // The test compares what is left; a write that cannot be taken back stays.
                let _ = super::write_all_at(&file, &undo.before, undo.offset);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, Vec<Undo>>> {
        lock(&self.unsynced)
    }
}

/// Notes what writes replace, if a power failure may take them back.
#[derive(Debug)]
pub(in crate::state) struct Journal {
    faults: Option<Arc<Faults>>,
}

impl Journal {
    pub(super) fn new(faults: Option<&Arc<Faults>>, _file: &File) -> Self {
        let faults = faults.filter(|faults| faults.kind == FaultKind::Power);
        Self { faults: faults.cloned() }
    }

    pub(super) fn note(&self, file: &File, path: &Path, offset: u64, length: usize) {
        let Some(faults) = &self.faults else { return };
        if faults.failed() {
            return;
        }
        let mut before = vec![0; length];
        // What is not in the file yet comes back as zeros.
        let there = file.metadata().map_or(0, |metadata| metadata.len().saturating_sub(offset));
        let there = usize::try_from(there).unwrap_or(length).min(length);
        if super::read_exact_at(file, &mut before[..there], offset).is_ok() {
            faults.lock().entry(path.to_owned()).or_default().push(Undo { offset, before });
        }
    }

    pub(super) fn synced(&self, path: &Path) {
        if let Some(faults) = &self.faults {
            faults.lock().remove(path);
        }
    }
}
