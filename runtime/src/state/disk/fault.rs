//! Power failures, full disks, and what fails once, by plan.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::sync::lock;

/// How a disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The power fails: the operation is partly done, nothing works any more, and of what was not synced some is
    /// lost: any writes and changes of length, and the last changes of names.
    Power,
    /// There is no space left: everything that writes is refused.
    Full,
    /// One sync fails, what it should have made durable is partly lost, and everything works again.
    Sync,
    /// One operation that changes something fails, a write in its middle, and everything works again.
    Once,
    /// One read fails, and everything works again.
    Read,
}

/// What is done to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Change,
    Sync,
    Read,
}

/// A plan for a [`Disk`](super::Disk) to fail.
#[derive(Debug)]
pub struct Faults {
    kind: FaultKind,
    /// How many operations of the kind that fails still work.
    left: AtomicU64,
    failed: AtomicBool,
    random: AtomicU64,
    unsynced: Mutex<Unsynced>,
}

/// What a power failure may take back.
#[derive(Debug, Default)]
struct Unsynced {
    files: BTreeMap<PathBuf, Writes>,
    /// In the order in which they happened.
    names: Vec<NameChange>,
}

#[derive(Debug)]
struct Writes {
    /// The file may have another name by now.
    file: File,
    undos: Vec<Undo>,
}

/// What was in a file before a change.
#[derive(Debug)]
struct Undo {
    offset: u64,
    before: Vec<u8>,
    /// The file's lengths before and after, if the change was of that.
    lengths: Option<[u64; 2]>,
}

/// A name in a directory that was given, moved or taken away.
#[derive(Debug)]
pub(super) struct NameChange {
    path: PathBuf,
    /// What had the name before, if that was a file.
    before: Option<Vec<u8>>,
    moved_from: Option<PathBuf>,
}

impl NameChange {
    pub(super) fn of(path: &Path, moved_from: Option<&Path>) -> Self {
        let (path, moved_from) = (path.to_owned(), moved_from.map(Path::to_owned));
        Self { before: fs::read(&path).ok(), path, moved_from }
    }

    /// The test compares what is left; what cannot be taken back stays.
    fn take_back(&self) {
        let _ = match &self.moved_from {
            Some(from) => fs::rename(&self.path, from),
            None if self.before.is_none() => fs::remove_file(&self.path),
            None => Ok(()),
        };
        if let Some(before) = &self.before {
            let _ = fs::write(&self.path, before);
        }
    }
}

impl Faults {
    /// Fails when `n_operations` that change something have been done, or so many reads where one of those fails. How much is lost follows from that number, too.
    #[must_use]
    pub fn after(n_operations: u64, kind: FaultKind) -> Arc<Self> {
        Arc::new(Self {
            kind,
            left: AtomicU64::new(n_operations),
            failed: AtomicBool::new(false),
            random: AtomicU64::new(n_operations),
            unsynced: Mutex::default(),
        })
    }

    /// Whether it has failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// A number below `n`. Source: SplitMix64, Steele, Lea and Flood, OOPSLA 2014.
    fn below(&self, n: usize) -> usize {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.random.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % (n.max(1) as u64)).unwrap_or(0)
    }

    /// How much of a write is done in which the disk fails.
    pub(super) fn torn(&self, length: usize) -> usize {
        self.below(length + 1)
    }

    pub(super) fn step(&self, operation: Operation, path: &Path) -> io::Result<()> {
        if (self.kind == FaultKind::Read) != (operation == Operation::Read) {
            return Ok(());
        }
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if left.is_ok() || (self.kind == FaultKind::Sync && operation != Operation::Sync) {
            return Ok(());
        }
        let first = !self.failed.swap(true, Ordering::SeqCst);
        match self.kind {
            FaultKind::Full => Err(io::ErrorKind::StorageFull.into()),
            FaultKind::Power => {
                if first {
                    self.lose();
                }
                Err(power_failed())
            }
            FaultKind::Sync if first => {
                if let Some(writes) = self.lock().files.remove(path) {
                    self.lose_some(&writes);
                }
                Err(io::Error::other("the sync failed, as the test wants it"))
            }
            FaultKind::Once if first => Err(io::Error::other("it failed, as the test wants it")),
            FaultKind::Read if first => {
                Err(io::Error::other("the read failed, as the test wants it"))
            }
            FaultKind::Sync | FaultKind::Once | FaultKind::Read => Ok(()),
        }
    }

    /// Takes back some of what was not synced.
    fn lose(&self) {
        let Unsynced { files, names } = std::mem::take(&mut *self.lock());
        files.values().for_each(|writes| self.lose_some(writes));
        let n_lost = self.below(names.len() + 1);
        names.iter().rev().take(n_lost).for_each(NameChange::take_back);
    }

    /// Takes back any of the changes of a file.
    fn lose_some(&self, Writes { file, undos }: &Writes) {
        // What of the later changes stays: the end of a write, and a length that was set.
        let (mut written_end, mut set_length) = (0, None);
        for Undo { offset, before, lengths } in undos.iter().rev() {
            let is_kept = self.below(2) == 0;
            match lengths {
                Some([_, new]) if is_kept => {
                    set_length = Some(set_length.unwrap_or(*new).min(*new))
                }
                None if is_kept => written_end = written_end.max(offset + before.len() as u64),
                _ => {
                    let room = set_length.unwrap_or(u64::MAX).saturating_sub(*offset);
                    let n_bytes = usize::try_from(room).unwrap_or(usize::MAX).min(before.len());
                    // As of a name: what cannot be taken back stays.
                    let _ = super::write_all_at(file, &before[..n_bytes], *offset);
                    if let (Some([old, _]), None) = (lengths, set_length) {
                        let _ = file.set_len(written_end.max(*old));
                    }
                }
            }
        }
    }

    /// Notes a change of names that is about to be made.
    pub(super) fn note_name(&self, change: NameChange) {
        if self.kind == FaultKind::Power {
            self.lock().names.push(change);
        }
    }

    /// Notes that the names in a directory are durable; see [`Journal::synced`].
    pub(super) fn synced_names(&self, directory: &Path) -> io::Result<()> {
        let is_in = |path: &Path| path.parent() == Some(directory);
        let mut unsynced = self.lock();
        self.check_power()?;
        unsynced.names.retain(|change| !is_in(&change.path));
        Ok(())
    }

    /// Whether there is power. Who holds the lock keeps it from being lost meanwhile.
    fn check_power(&self) -> io::Result<()> {
        match self.kind {
            FaultKind::Power if self.failed() => Err(power_failed()),
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Unsynced> {
        lock(&self.unsynced)
    }
}

fn power_failed() -> io::Error {
    io::Error::other("the power failed, as the test wants it")
}

/// Notes what writes replace, if a failure may take them back.
#[derive(Debug)]
pub(in crate::state) struct Journal {
    faults: Option<Arc<Faults>>,
}

impl Journal {
    pub(super) fn new(faults: Option<&Arc<Faults>>) -> Self {
        let takes_back =
            |faults: &&Arc<Faults>| matches!(faults.kind, FaultKind::Power | FaultKind::Sync);
        Self { faults: faults.filter(takes_back).cloned() }
    }

    /// Notes a write of so many bytes.
    pub(super) fn note(&self, file: &File, path: &Path, offset: u64, length: usize) {
        self.note_change(file, path, offset, length, None);
    }

    /// Notes a change of the length.
    pub(super) fn note_length(&self, file: &File, path: &Path, length: u64) {
        let Ok(old) = file.metadata().map(|metadata| metadata.len()) else { return };
        let cut = usize::try_from(old.saturating_sub(length)).unwrap_or(usize::MAX);
        self.note_change(file, path, length.min(old), cut, Some([old, length]));
    }

    fn note_change(
        &self,
        file: &File,
        path: &Path,
        offset: u64,
        n_bytes: usize,
        lengths: Option<[u64; 2]>,
    ) {
        let Some(faults) = &self.faults else { return };
        if faults.failed() {
            return;
        }
        let mut before = vec![0; n_bytes];
        // What is not in the file yet comes back as zeros.
        let there = file.metadata().map_or(0, |metadata| metadata.len().saturating_sub(offset));
        let there = usize::try_from(there).unwrap_or(n_bytes).min(n_bytes);
        let read = super::read_exact_at(file, &mut before[..there], offset);
        if let (Ok(()), Ok(file)) = (read, file.try_clone()) {
            let mut unsynced = faults.lock();
            let writes = unsynced.files.entry(path.to_owned());
            let writes = writes.or_insert_with(|| Writes { file, undos: Vec::new() });
            writes.undos.push(Undo { offset, before, lengths });
        }
    }

    /// Notes that what was written is durable. If the power failed on another thread between the sync and this, what was
    /// synced may have been taken back already, so the sync does not count.
    pub(super) fn synced(&self, path: &Path) -> io::Result<()> {
        if let Some(faults) = &self.faults {
            let mut unsynced = faults.lock();
            faults.check_power()?;
            unsynced.files.remove(path);
        }
        Ok(())
    }
}
