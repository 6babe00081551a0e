//! What goes wrong with the file, as a [`StoreError`].

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::DatabaseError;

use crate::state::error::StoreError;

/// Runs what reads the file, and turns a panic over damaged pages into an error.
pub(super) fn guard<T>(
    path: &Path,
    read: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // Nothing broken can be seen afterward: reads change nothing, and a write transaction that
    // does not commit is rolled back.
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason");
        Err(corrupt(path, format!("reading it failed: {text}")))
    })
}

pub(super) fn corrupt(path: &Path, what: String) -> StoreError {
    StoreError::Corrupt { path: path.into(), what }
}

pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = PathBuf::from(path);
    move |source| StoreError::Io { action, path, source }
}

pub(super) fn database_error(dir: &Path, file: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::Locked { path: dir.into() },
        error => redb_error(file, error.into()),
    }
}

pub(super) fn redb_error(path: &Path, error: redb::Error) -> StoreError {
    match error {
        redb::Error::Io(source)
            if matches!(
                source.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            corrupt(path, source.to_string())
        }
        redb::Error::Io(source) => io_error("read or write", path)(source),
        redb::Error::PreviousIo | redb::Error::DatabaseClosed | redb::Error::LockPoisoned(_) => {
            StoreError::Stopped { path: path.into() }
        }
        redb::Error::ValueTooLarge(size_bytes) => {
            StoreError::TooLarge { path: path.into(), size_bytes }
        }
        error => corrupt(path, error.to_string()),
    }
}
