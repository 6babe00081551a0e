//! Files, and what can go wrong with them.
//!
//! Everything that the store writes goes through here, so that a test can let any one operation be
//! the last before the power fails, or before the disk is full.

mod fault;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::StoreError;
use crate::files;
pub(super) use fault::Journal;
pub use fault::{FaultKind, Faults};
use fault::{NameChange, Operation};

/// Where files are made.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    faults: Option<Arc<Faults>>,
    /// Whether files stay as they are: what cleans up does nothing, and what writes fails.
    is_read_only: bool,
}

/// A file of a [`Disk`].
#[derive(Debug)]
pub(super) struct DiskFile {
    file: File,
    path: PathBuf,
    disk: Disk,
    /// What was written and not yet synced, while faults are injected.
    journal: Journal,
}

impl Disk {
    /// A disk that fails by a plan.
    #[must_use]
    pub fn with_faults(faults: Arc<Faults>) -> Self {
        Self { faults: Some(faults), is_read_only: false }
    }

    /// A disk whose files are only read.
    pub(super) fn read_only() -> Self {
        Self { faults: None, is_read_only: true }
    }

    fn step(&self, operation: Operation, path: &Path) -> io::Result<()> {
        if self.is_read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        self.faults.as_ref().map_or(Ok(()), |faults| faults.step(operation, path))
    }

    /// A step that changes what has a name, or what was `moved_from` another.
    fn step_name(&self, path: &Path, moved_from: Option<&Path>) -> io::Result<()> {
        self.step(Operation::Change, path)?;
        if let Some(faults) = &self.faults {
            faults.note_name(NameChange::of(path, moved_from));
        }
        Ok(())
    }

    /// Makes a file, or empties the one that is there.
    pub(super) fn create(&self, path: &Path) -> Result<DiskFile, StoreError> {
        let create = || {
            self.step_name(path, None)?;
            File::options().read(true).write(true).create(true).truncate(true).open(path)
        };
        Ok(self.wrap(create().map_err(io_error("create", path))?, path))
    }

    /// Opens a file that is there.
    pub(super) fn open(&self, path: &Path) -> Result<DiskFile, StoreError> {
        let file = files::open_with(File::options().read(true).write(!self.is_read_only), path)
            .map_err(io_error("open", path))?;
        Ok(self.wrap(file, path))
    }

    fn wrap(&self, file: File, path: &Path) -> DiskFile {
        let journal = Journal::new(self.faults.as_ref());
        DiskFile { file, path: path.to_owned(), disk: self.clone(), journal }
    }

    /// Gives a file another name, replacing what has it.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        let rename = || {
            self.step_name(to, Some(from))?;
            fs::rename(from, to)
        };
        rename().map_err(io_error("rename", from))
    }

    /// Removes a file that nothing speaks of any more, which a disk that is only read keeps.
    pub(super) fn remove(&self, path: &Path) -> Result<(), StoreError> {
        if self.is_read_only {
            return Ok(());
        }
        let remove = || {
            self.step_name(path, None)?;
            fs::remove_file(path)
        };
        remove().map_err(io_error("remove", path))
    }

    /// Makes a directory, and those above it.
    pub(super) fn create_dir(&self, path: &Path) -> Result<(), StoreError> {
        fs::create_dir_all(path).map_err(io_error("create", path))
    }

    /// Makes names in a directory durable.
    pub(crate) fn sync_dir(&self, path: &Path) -> Result<(), StoreError> {
        // Other systems offer no such call on a directory.
        if cfg!(unix) {
            let sync = || {
                self.step(Operation::Sync, path)?;
                File::open(path)?.sync_all()?;
                self.faults.as_ref().map_or(Ok(()), |faults| faults.synced_names(path))
            };
            sync().map_err(io_error("sync", path))?;
        }
        Ok(())
    }

    /// Replaces a file by new contents: after a crash either the old or the new ones are there.
    pub(super) fn replace(&self, path: &Path, contents: &[u8]) -> Result<(), StoreError> {
        let new = path.with_extension("new");
        let file = self.create(&new)?;
        file.write_at(contents, 0)?;
        file.sync()?;
        self.rename(&new, path)?;
        self.sync_dir(path.parent().unwrap_or(Path::new(".")))
    }
}

impl DiskFile {
    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> Result<u64, StoreError> {
        Ok(self.file.metadata().map_err(io_error("look at", &self.path))?.len())
    }

    /// Fills the buffer from an offset.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), StoreError> {
        let faults = self.disk.faults.as_ref();
        let step = faults.map_or(Ok(()), |faults| faults.step(Operation::Read, &self.path));
        step.and_then(|()| read_exact_at(&self.file, buffer, offset)).map_err(|error| {
            match error.kind() {
                io::ErrorKind::UnexpectedEof => corrupt(&self.path, "it is cut short".to_owned()),
                _ => io_error("read", &self.path)(error),
            }
        })
    }

    /// Writes all bytes at an offset; they are durable after [`sync`](Self::sync).
    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), StoreError> {
        self.journal.note(&self.file, &self.path, offset, bytes.len());
        let torn = self.disk.step(Operation::Change, &self.path).err();
        // Power fails in the middle of a write.
        let bytes = match (&torn, &self.disk.faults) {
            (None, _) => bytes,
            (Some(_), Some(faults)) => &bytes[..faults.torn(bytes.len())],
            (Some(_), None) => &[],
        };
        let written = write_all_at(&self.file, bytes, offset);
        torn.map_or(written, Err).map_err(io_error("write", &self.path))
    }

    /// Makes what was written durable.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        if self.disk.is_read_only {
            return Ok(());
        }
        let sync = || {
            self.disk.step(Operation::Sync, &self.path)?;
            self.file.sync_data()?;
            self.journal.synced(&self.path)
        };
        sync().map_err(io_error("sync", &self.path))
    }

    /// Cuts off what does not count, or makes the file longer with zeros; a disk that is only read leaves
    /// the file as it is.
    pub(super) fn set_len(&self, bytes: u64) -> Result<(), StoreError> {
        if self.disk.is_read_only {
            return Ok(());
        }
        let set = || {
            self.disk.step(Operation::Change, &self.path)?;
            self.journal.note_length(&self.file, &self.path, bytes);
            self.file.set_len(bytes)
        };
        set().map_err(io_error("resize", &self.path))
    }

    /// Takes space on the disk for `bytes` from the start of the file, so that later writes and their syncs need
    /// not.
    pub(super) fn preallocate(&self, bytes: u64) -> Result<(), StoreError> {
        let allocate = || {
            self.disk.step(Operation::Change, &self.path)?;
            self.journal.note_length(&self.file, &self.path, bytes);
            allocate(&self.file, bytes)
        };
        allocate().map_err(io_error("take space for", &self.path))
    }
}

#[cfg(target_os = "linux")]
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        // Some file systems cannot.
        Err(rustix::io::Errno::OPNOTSUPP) => file.set_len(bytes),
        done => Ok(done?),
    }
}

#[cfg(not(target_os = "linux"))]
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    file.set_len(bytes)
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = PathBuf::from(path);
    move |source| StoreError::Io { action, path, source }
}

pub(super) fn corrupt(path: &Path, what: String) -> StoreError {
    StoreError::Corrupt { path: path.into(), what }
}
