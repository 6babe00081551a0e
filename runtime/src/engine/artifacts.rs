//! Compiled code on disk, which nothing runs without its seal.
//!
//! Loading an artifact is running the machine code in it, and wasmtime hardly checks what it loads. So a file counts
//! only if it begins with the seal that a secret key gives to all that decides what it should be: the code's hash,
//! the engine and its configuration, and every byte. Whatever else is there is compiled again and replaced.
//!
//! | bytes | hold |
//! | --- | --- |
//! | 32 | the seal: BLAKE3 in keyed mode over the 32 bytes of [`identity`] and the rest of the file |
//! | the rest | what [`Module::serialize`] gave |
//!
//! The file's name is the code's hash. A file gets its name when it is whole, and is never synced: one that a crash
//! cut short has no seal.

use std::fs::{self, File};
use std::hash::{Hash as _, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use std::{fmt, io, process};

use kempe_abi::Hash;
use wasmtime::{Engine, Module};

use super::compile::ENGINE_VERSION;
use crate::files;
use crate::sync::lock;

/// The largest artifact, in bytes: what admission lets through is at most some megabytes of machine code.
const ARTIFACT_BYTES_MAX: u64 = 64 << 20;

const SEAL_BYTES: usize = 32;

/// A directory of compiled code. It may be anybody's: only who has the key makes files that are run.
pub struct Artifacts {
    directory: PathBuf,
    key: [u8; 32],
    bytes_max: u64,
    /// What the files take, as far as this process knows: what was there when it first looked, and what it wrote.
    bytes: Mutex<Option<u64>>,
}

/// The least that a file counts: looking for the oldest takes time by their number, so there must not be too many.
const FILE_BYTES_MIN: u64 = 16 * 1024;

impl fmt::Debug for Artifacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Artifacts").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Artifacts {
    /// The artifacts in a directory, which need not exist, sealed with a key that nobody else may know. When they
    /// have more than `bytes_max` bytes together, the oldest are removed.
    ///
    /// A directory that cannot be read or written only costs the time of compiling.
    #[must_use]
    pub const fn new(directory: PathBuf, key: [u8; 32], bytes_max: u64) -> Self {
        Self { directory, key, bytes_max, bytes: Mutex::new(None) }
    }

    /// The module that was compiled from the code with this hash, if a file is there that has its seal.
    pub(super) fn load(&self, engine: &Engine, code: &Hash) -> Option<Module> {
        let bytes = files::read(&self.path(code), ARTIFACT_BYTES_MAX).ok()?;
        let (seal, artifact) = bytes.split_first_chunk::<SEAL_BYTES>()?;
        // Comparing two hashes takes the same time wherever they differ.
        if self.seal(engine, code, artifact) != blake3::Hash::from_bytes(*seal) {
            return None;
        }
        #[expect(unsafe_code, reason = "the seal says that wasmtime made these bytes")]
        // SAFETY: with the key, which is secret, this process or one of the same user sealed these bytes as what
        // `serialize` gave it for this engine, and they did not change since.
        let module = unsafe { Module::deserialize(engine, artifact) };
        module.ok()
    }

    /// Keeps a module for the next process. Failing is no error: it is compiled again then.
    pub(super) fn keep(&self, engine: &Engine, code: &Hash, module: &Module) {
        let Ok(artifact) = module.serialize() else { return };
        let bytes = (SEAL_BYTES + artifact.len()) as u64;
        // What would never be read, or would have to be the first to go.
        let is_kept = bytes <= ARTIFACT_BYTES_MAX.min(self.bytes_max) && {
            let seal = self.seal(engine, code, &artifact);
            self.write(&self.path(code), &seal, &artifact).is_ok()
        };
        self.make_room(if is_kept { bytes.max(FILE_BYTES_MIN) } else { 0 });
    }

    /// Takes note of a new file of so many bytes, and removes old ones where all are too much.
    fn make_room(&self, written: u64) {
        let mut bytes = lock(&self.bytes);
        let known = bytes.map(|bytes| bytes + written);
        if known.is_none_or(|known| known > self.bytes_max) {
            // So that most of what is written later needs no look at all files. The new one stays.
            let room = (self.bytes_max / 8 * 7).max(written);
            *bytes = self.evict(if known.is_some() { room } else { self.bytes_max }).ok();
        } else {
            *bytes = known;
        }
    }

    fn path(&self, code: &Hash) -> PathBuf {
        self.directory.join(blake3::Hash::from_bytes(code.0).to_hex().as_str())
    }

    fn seal(&self, engine: &Engine, code: &Hash, artifact: &[u8]) -> blake3::Hash {
        let mut seal = blake3::Hasher::new_keyed(&self.key);
        seal.update(&identity(engine, code)).update(artifact);
        seal.finalize()
    }

    fn write(&self, path: &Path, seal: &blake3::Hash, artifact: &[u8]) -> io::Result<()> {
        /// How many files this process has written: two engines may write one at the same time.
        static N_WRITTEN: AtomicU64 = AtomicU64::new(0);
        let n_written = N_WRITTEN.fetch_add(1, Ordering::Relaxed);
        let new = path.with_extension(format!("{}-{n_written}", process::id()));
        fs::create_dir_all(&self.directory)?;
        // One of an earlier process with this number; and a link is not followed.
        let _ = fs::remove_file(&new);
        let mut file = File::create_new(&new)?;
        let written = file.write_all(seal.as_bytes()).and_then(|()| file.write_all(artifact));
        written.and_then(|()| fs::rename(&new, path)).inspect_err(|_| {
            let _ = fs::remove_file(&new);
        })
    }

    /// Removes the oldest files where all have more bytes than so many; returns how many those have that are left.
    fn evict(&self, bytes_max: u64) -> io::Result<u64> {
        let mut found: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            // Whatever else is there is somebody's.
            let name = entry.file_name();
            let is_ours = name.to_str().is_some_and(|name| {
                let hash = name.split_once('.').map_or(name, |(hash, _)| hash);
                hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
            });
            let Ok(data) = entry.metadata() else { continue };
            if is_ours && data.is_file() {
                let bytes = data.len().max(FILE_BYTES_MIN);
                found.push((data.modified()?, entry.path(), bytes));
            }
        }
        found.sort();
        let mut bytes: u64 = found.iter().map(|(.., bytes)| bytes).sum();
        for (_, path, freed) in found {
            if bytes <= bytes_max {
                break;
            }
            if fs::remove_file(path).is_ok() {
                bytes -= freed;
            }
        }
        Ok(bytes)
    }
}

/// What an artifact is of: the code, the engine's version, and how it is configured, prices of fuel included.
fn identity(engine: &Engine, code: &Hash) -> [u8; 32] {
    let mut identity = Feed(blake3::Hasher::new_derive_key("kempe 2026 artifact"));
    identity.write(&code.0);
    ENGINE_VERSION.hash(&mut identity);
    engine.precompile_compatibility_hash().hash(&mut identity);
    *identity.0.finalize().as_bytes()
}

/// Gives all that is hashed to BLAKE3.
struct Feed(blake3::Hasher);

impl Hasher for Feed {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("nobody asks for 64 bits")
    }
}
