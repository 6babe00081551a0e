//! Files that only their owner may use: keys of accounts, and the key that seals compiled contracts.
//!
//! They are taken only from a file that is no link, belongs to this process's own user and is for nobody else, in a
//! directory of the same user's that nobody else may write to. What is looked at is what was opened.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use kempe_runtime::files;

use crate::durable::{self, parent};

/// The ways in which others than the owner could use a file.
const USE: u32 = 0o077;

/// The ways in which others than the owner could put files into a directory.
const CHANGE: u32 = 0o022;

/// How others could read or exchange what is the person's alone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Exposed {
    /// Others may use it.
    #[error("{path} has mode {mode:04o}: others than its owner may use it", path = path.display())]
    Mode {
        /// The file or directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// Whether it is a directory.
        is_dir: bool,
    },
    /// Somebody else owns it.
    #[error("{path} belongs to another user", path = path.display())]
    Owner {
        /// The file or directory.
        path: PathBuf,
    },
}

impl Exposed {
    /// What to do about it.
    pub(crate) fn help(&self) -> String {
        match self {
            Self::Mode { path, is_dir: false, .. } => format!("chmod 600 {}", path.display()),
            Self::Mode { path, .. } => format!("chmod go-w {}", path.display()),
            Self::Owner { path } => {
                format!("if you trust what is in it: chown \"$(id -u)\" {}", path.display())
            }
        }
    }

    /// The reason in an error of this module, if it is this one.
    pub(crate) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<Exposed> for io::Error {
    fn from(reason: Exposed) -> Self {
        Self::new(ErrorKind::PermissionDenied, reason)
    }
}

/// Makes a directory, and those above it, that only its owner may use, unless it is there.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Refuses a directory of somebody else's, or into which others may put files: see [`Exposed`].
pub(crate) fn check_directory(path: &Path) -> io::Result<()> {
    check(path, &fs::metadata(path)?, &own(path)?, CHANGE)
}

/// Reads a file of at most `bytes_max` bytes, if nobody else made it or may know it.
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = files::open_no_link(path)?;
    check(path, &file.metadata()?, &own(parent(path))?, USE)?;
    files::read_from(&file, bytes_max)
}

/// Writes a file that only its owner may use, from its first byte on. It has its name when it is whole, and is
/// durable then; one that is there stays, with [`ErrorKind::AlreadyExists`], unless it is to be replaced.
pub(crate) fn write(path: &Path, contents: &[u8], replace: bool) -> io::Result<()> {
    let file = tempfile::NamedTempFile::new_in(parent(path))?;
    durable::write(file, path, contents, replace)?;
    // The directory's own name may be as new.
    path.ancestors().nth(2).map_or(Ok(()), durable::sync_directory)
}

/// What this process makes is its user's, whoever that is.
fn own(directory: &Path) -> io::Result<Metadata> {
    tempfile::tempfile_in(directory).or_else(|_| tempfile::tempfile())?.metadata()
}

/// Refuses what has another owner than what is our own, or what others may use in one of these ways.
#[cfg(unix)]
fn check(path: &Path, found: &Metadata, own: &Metadata, ways: u32) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let (path, mode) = (path.to_owned(), found.mode() & 0o7777);
    if found.uid() != own.uid() {
        return Err(Exposed::Owner { path }.into());
    }
    if mode & ways != 0 {
        return Err(Exposed::Mode { path, mode, is_dir: found.is_dir() }.into());
    }
    Ok(())
}

#[cfg(not(unix))]
fn check(_: &Path, _: &Metadata, _: &Metadata, _: u32) -> io::Result<()> {
    Ok(())
}
