//! Compiled contracts, kept from one command to the next, and the key that seals them.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;

use kempe_runtime::engine::Artifacts;
use kempe_runtime::files;

use crate::args::Global;
use crate::keystore::check_mode;

/// The directory of compiled contracts in the person's.
const DIRECTORY: &str = "compiled";

/// The key's file beside it.
const KEY_FILE: &str = "compiled.key";

/// What compiled contracts may take of the disk: some thousand of a usual size. Ours to choose.
const BYTES_MAX: u64 = 256 << 20;

/// The compiled contracts of the person; none where no key can be kept, which only costs time.
pub(crate) fn artifacts(global: &Global) -> Option<&'static Artifacts> {
    static OPEN: OnceLock<Option<Artifacts>> = OnceLock::new();
    let open = || {
        let home = global.home();
        let path = home.join(KEY_FILE);
        let key = kept(&path).or_else(|| fresh(&path).ok())?;
        Some(Artifacts::new(home.join(DIRECTORY), key, BYTES_MAX))
    };
    OPEN.get_or_init(open).as_ref()
}

/// The key in the file, if nobody else may know it.
fn kept(path: &Path) -> Option<[u8; 32]> {
    // A link would name a file that somebody else made.
    let data = fs::symlink_metadata(path).ok()?;
    check_mode(path, &data).ok()?;
    if data.is_symlink() { None } else { files::read(path, 32).ok()?.try_into().ok() }
}

/// A new key, in place of whatever is there. What was sealed with another is compiled again.
fn fresh(path: &Path) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    if let Some(home) = path.parent() {
        fs::create_dir_all(home)?;
    }
    let new = path.with_extension(std::process::id().to_string());
    let _ = fs::remove_file(&new);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    let written = file.write_all(&key).and_then(|()| file.sync_all());
    written.and_then(|()| fs::rename(&new, path)).inspect_err(|_| {
        let _ = fs::remove_file(&new);
    })?;
    Ok(key)
}
