//! Compiled contracts, kept from one command to the next, and the key that seals them.
//!
//! Whoever knows the key can have this process run any machine code, and whoever can replace it, too. So it is
//! [private](crate::private), and so must the directories be.

use std::io;
use std::path::Path;
use std::sync::OnceLock;

use kempe_runtime::engine::Artifacts;

use crate::args::Global;
use crate::output::Output;
use crate::private::{self, Exposed};

/// The directory of compiled contracts in the person's.
const DIRECTORY: &str = "compiled";

/// The key's file beside it.
const KEY_FILE: &str = "compiled.key";

/// What compiled contracts may take of the disk: some thousand of a usual size. Ours to choose.
const BYTES_MAX: u64 = 256 << 20;

/// The compiled contracts of the person; none where no key can be kept, which only costs time. The person is told,
/// once, if that is because of others who could change them.
pub(crate) fn artifacts(global: &Global) -> Option<&'static Artifacts> {
    static OPEN: OnceLock<Option<Artifacts>> = OnceLock::new();
    let open = || {
        let opened = open(&global.own_home()?);
        if let Some(exposed) = opened.as_ref().err().and_then(Exposed::of) {
            Output::new(global).warn(format_args!(
                "compiled contracts are not kept, so each command compiles them again: {exposed}; {}",
                exposed.help()
            ));
        }
        opened.ok()
    };
    OPEN.get_or_init(open).as_ref()
}

fn open(home: &Path) -> io::Result<Artifacts> {
    let directory = home.join(DIRECTORY);
    private::make_directory(&directory)?;
    for path in [home, &directory] {
        private::check_directory(path)?;
    }
    let path = home.join(KEY_FILE);
    let key = kept(&path).or_else(|_| fresh(&path))?;
    Ok(Artifacts::new(directory, key, BYTES_MAX))
}

/// The key in the file, if nobody else made it or may know it.
fn kept(path: &Path) -> io::Result<[u8; 32]> {
    let bytes = private::read(path, 32)?;
    bytes.try_into().map_err(|_| io::ErrorKind::InvalidData.into())
}

/// A new key, in place of whatever is there. What was sealed with another is compiled again.
fn fresh(path: &Path) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    private::write(path, &key, true)?;
    Ok(key)
}
