//! Compiled contracts, kept from one command to the next, and the key that seals them.
//!
//! Whoever knows the key can have this process run any machine code, and whoever can replace it, too. So the key is
//! taken only from a file of this process's own user that nobody else may use, in a directory that nobody else may
//! write to.

use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;

use kempe_runtime::engine::Artifacts;
use kempe_runtime::files;

use crate::args::Global;
use crate::keystore::private_directory;

/// The directory of compiled contracts in the person's.
const DIRECTORY: &str = "compiled";

/// The key's file beside it.
const KEY_FILE: &str = "compiled.key";

/// What compiled contracts may take of the disk: some thousand of a usual size. Ours to choose.
const BYTES_MAX: u64 = 256 << 20;

/// The compiled contracts of the person; none where no key can be kept, which only costs time.
pub(crate) fn artifacts(global: &Global) -> Option<&'static Artifacts> {
    static OPEN: OnceLock<Option<Artifacts>> = OnceLock::new();
    let open = || open(&global.own_home()?).ok();
    OPEN.get_or_init(open).as_ref()
}

fn open(home: &Path) -> io::Result<Artifacts> {
    let directory = home.join(DIRECTORY);
    private_directory(&directory)?;
    // What this process makes is its user's, whoever that is.
    let own = tempfile::tempfile_in(home)?.metadata()?;
    for path in [home, &directory] {
        check(&fs::metadata(path)?, &own, 0o022)?;
    }
    let path = home.join(KEY_FILE);
    let key = kept(&path, &own).or_else(|_| fresh(&path, home))?;
    Ok(Artifacts::new(directory, key, BYTES_MAX))
}

/// The key in the file, if nobody else made it or may know it. What is looked at is what was opened.
fn kept(path: &Path, own: &Metadata) -> io::Result<[u8; 32]> {
    let file = files::open_no_link(path)?;
    check(&file.metadata()?, own, 0o077)?;
    let bytes = files::read_from(&file, 32)?;
    bytes.try_into().map_err(|_| io::ErrorKind::InvalidData.into())
}

/// A new key, in place of whatever is there. What was sealed with another is compiled again.
fn fresh(path: &Path, home: &Path) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    // Nobody else may read it from the start.
    let mut file = tempfile::NamedTempFile::new_in(home)?;
    file.write_all(&key)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(key)
}

/// Refuses what has another owner than what is our own, or what others may use in one of these ways.
#[cfg(unix)]
fn check(found: &Metadata, own: &Metadata, ways: u32) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let is_own = found.uid() == own.uid() && found.mode() & ways == 0;
    if is_own { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

#[cfg(not(unix))]
fn check(_: &Metadata, _: &Metadata, _: u32) -> io::Result<()> {
    Ok(())
}
