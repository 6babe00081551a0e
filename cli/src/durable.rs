//! Files that are written as a whole or not at all.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

/// Writes a file in the place of one that may be there, for whoever the system's mask lets read it. What is there is
/// not opened, so that a pipe or a link of somebody else's is replaced too. It is durable then.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let file = Builder::new().make_in(parent(path), |path| File::create_new(path))?;
    write(file, path, contents, true)
}

/// Gives a new file of this directory its contents and its name, durably; one that is there stays, with
/// [`ErrorKind::AlreadyExists`](io::ErrorKind::AlreadyExists), unless it is to be replaced.
pub(crate) fn write(
    mut file: NamedTempFile,
    path: &Path,
    contents: &[u8],
    replace: bool,
) -> io::Result<()> {
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    if replace {
        file.persist(path)?
    } else {
        file.persist_noclobber(path)?
    };
    sync_directory(parent(path))
}

/// The directory of a file.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in a directory durable, where the system has a way.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) && !path.as_os_str().is_empty() {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}
