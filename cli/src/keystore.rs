//! Keys of accounts, encrypted at rest.
//!
//! A key is a JSON file `<name>.json` in the key directory, for its owner only: one that is a link, belongs to somebody
//! else or may be used by others is refused, and so is a directory into which others may put files.
//!
//! ```json
//! {
//!   "version": 2,
//!   "address": "0x...",
//!   "kdf": { "algorithm": "argon2id", "memory_kib": 65536, "passes": 3, "lanes": 1, "salt": "..." },
//!   "cipher": { "algorithm": "xchacha20poly1305", "nonce": "...", "ciphertext": "..." },
//!   "checksum": "..."
//! }
//! ```
//!
//! The plaintext is the 32-byte ed25519 seed. The associated data are the 32 bytes of the address,
//! so a file whose address was exchanged does not open; and the opened seed must have the address.
//! The checksum is the keyed BLAKE3 of the rest, so that a damaged file does not show another address
//! before anybody opens it; who can write the file can make another one. Version 1 has none, and is read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use kempe_abi::Address;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use crate::private::Exposed;

use crate::private;

/// The version of the file format.
const FORMAT_VERSION: u32 = 2;

/// The version without a checksum, which is read and not written.
const UNCHECKED_VERSION: u32 = 1;

/// The context of the checksum's key.
const CHECKSUM_CONTEXT: &str = "kempe 2026 key file";

/// The memory of the key derivation in KiB, its passes and its lanes. Source: the second
/// recommended option of RFC 9106, section 4, with one lane for four.
const KDF_MEMORY_KIB: u32 = 64 * 1024;
const KDF_PASSES: u32 = 3;
const KDF_LANES: u32 = 1;

/// The most that a file may ask for, four times what one is written with: a hostile file must not eat the machine.
/// That is 256 MiB, and at most four times as much to fill as a written one has in all passes, about a second.
const KDF_MEMORY_KIB_MAX: u32 = 4 * KDF_MEMORY_KIB;
const KDF_FILLED_KIB_MAX: u64 = 4 * KDF_MEMORY_KIB as u64 * KDF_PASSES as u64;
const KDF_LANES_MAX: u32 = 4 * KDF_LANES;

/// The longest name of a key, in bytes.
pub const NAME_BYTES_MAX: usize = 32;

/// The largest file that is read, in bytes; a written one has less than 600.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// Why a key cannot be stored or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no key of this name.
    #[error("there is no key called `{name}` in {dir}", dir = dir.display())]
    NotFound {
        /// The name.
        name: String,
        /// The key directory.
        dir: PathBuf,
    },
    /// There is a key of this name.
    #[error("there is a key called `{0}` already")]
    Exists(String),
    /// The name is not one for a key.
    #[error(
        "`{}` is not a name for a key: 1 to {NAME_BYTES_MAX} of a-z, 0-9, - and _, and a letter first",
        .0.escape_debug()
    )]
    BadName(String),
    /// The password is not the one the key was encrypted with, or the file was tampered with.
    #[error("the password of key `{0}` is wrong, or its file was changed")]
    WrongPassword(String),
    /// The password is empty.
    #[error("the password is empty")]
    EmptyPassword,
    /// Others may read or exchange the file, or have made it.
    #[error(transparent)]
    Exposed(#[from] Exposed),
    /// The file is not a key file of a known version.
    #[error("{path} is not a key file: {reason}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The secret is not 32 bytes in hexadecimal.
    #[error("a secret key is 64 hexadecimal digits, with or without 0x")]
    BadSecret,
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

impl KeyError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NotFound { name, .. } => format!(
                "`kempe keys new {name}` makes one, `kempe keys list` shows those there are"
            ),
            Self::Exists(name) => {
                format!("choose another name, or `kempe keys remove {name}` first")
            }
            Self::Exposed(exposed) => exposed.help(),
            _ => return None,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    version: u32,
    address: Address,
    kdf: Kdf,
    cipher: Cipher,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

impl KeyFile {
    /// The checksum of all but itself.
    fn sum(&self) -> String {
        let Self { version, address, kdf, cipher, checksum: _ } = self;
        let rest = serde_json::to_vec(&(version, address, kdf, cipher));
        let rest = rest.expect("strings and numbers are JSON");
        hex::encode(blake3::derive_key(CHECKSUM_CONTEXT, &rest))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kdf {
    algorithm: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cipher {
    algorithm: String,
    nonce: String,
    ciphertext: String,
}

/// A directory of key files.
#[derive(Clone, Debug)]
pub struct Keystore {
    dir: PathBuf,
}

/// The name and address of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyInfo {
    /// The name.
    pub name: String,
    /// The address of the account.
    pub address: Address,
}

/// Names of keys, and what is wrong with their files.
pub type BrokenKeys = Vec<(String, KeyError)>;

impl Keystore {
    /// The keys in `dir`, which need not exist.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes a random key and stores it.
    ///
    /// # Errors
    /// As [`import`](Self::import), and [`KeyError::Random`].
    pub fn create(&self, name: &str, password: &str) -> Result<KeyInfo, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(KeyError::Random)?;
        self.store(name, password, &seed)
    }

    /// Stores the key with this secret: 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`KeyError::BadName`], [`KeyError::Exists`], [`KeyError::BadSecret`],
    /// [`KeyError::EmptyPassword`] or [`KeyError::Io`].
    pub fn import(&self, name: &str, password: &str, secret: &str) -> Result<KeyInfo, KeyError> {
        let secret = secret.trim();
        let mut seed = Zeroizing::new([0; 32]);
        hex::decode_to_slice(secret.strip_prefix("0x").unwrap_or(secret), &mut *seed)
            .map_err(|_| KeyError::BadSecret)?;
        self.store(name, password, &seed)
    }

    /// The keys, in order of name. Files that are not keys are left out; see [`list_all`](Self::list_all).
    ///
    /// # Errors
    /// [`KeyError::Io`] when the directory cannot be read, and [`KeyError::Exposed`] when others may put files into it;
    /// one that does not exist is empty.
    pub fn list(&self) -> Result<Vec<KeyInfo>, KeyError> {
        Ok(self.list_all()?.0)
    }

    /// The keys, and what is wrong with the files that should be keys, each in order of name.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn list_all(&self) -> Result<(Vec<KeyInfo>, BrokenKeys), KeyError> {
        let (mut keys, mut broken) = (Vec::new(), Vec::new());
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((keys, broken)),
            Err(source) => return Err(in_file(&self.dir, source)),
        };
        self.check_directory()?;
        for entry in entries.flatten() {
            let path = entry.path();
            let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if path.extension().is_some_and(|extension| extension == "json") {
                match self.info(name) {
                    Ok(info) => keys.push(info),
                    Err(error) => broken.push((name.to_owned(), error)),
                }
            }
        }
        keys.sort_by(|a, b| a.name.cmp(&b.name));
        broken.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok((keys, broken))
    }

    /// The address of a key; needs no password.
    ///
    /// # Errors
    /// [`KeyError::BadName`], [`KeyError::NotFound`], [`KeyError::Exposed`],
    /// [`KeyError::Malformed`] or [`KeyError::Io`].
    pub fn info(&self, name: &str) -> Result<KeyInfo, KeyError> {
        Ok(KeyInfo { name: name.into(), address: self.read(name)?.address })
    }

    /// Decrypts a key. Takes about a quarter of a second, by design.
    ///
    /// # Errors
    /// As [`info`](Self::info), and [`KeyError::WrongPassword`].
    pub fn open(&self, name: &str, password: &str) -> Result<SigningKey, KeyError> {
        let file = self.read(name)?;
        let malformed =
            |reason: &str| KeyError::Malformed { path: self.path(name), reason: reason.into() };
        let salt =
            hex::decode(&file.kdf.salt).map_err(|_| malformed("the salt is not hexadecimal"))?;
        let nonce: [u8; 24] = hex::decode(&file.cipher.nonce)
            .ok()
            .and_then(|nonce| nonce.try_into().ok())
            .ok_or_else(|| malformed("the nonce is not 24 bytes in hexadecimal"))?;
        let ciphertext = hex::decode(&file.cipher.ciphertext)
            .map_err(|_| malformed("the ciphertext is not hexadecimal"))?;
        let key = derive_key(password, &salt, &file.kdf)
            .map_err(|error| malformed(&error.to_string()))?;
        let wrong = || KeyError::WrongPassword(name.into());
        let payload = Payload { msg: &ciphertext, aad: file.address.as_bytes() };
        let seed = XChaCha20Poly1305::new((&*key).into())
            .decrypt(&XNonce::from(nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| wrong())?;
        let key =
            SigningKey::try_from(&**seed).map_err(|_| malformed("the seed is not 32 bytes"))?;
        if address_of(&key) != file.address {
            return Err(malformed("the seed does not have the address"));
        }
        Ok(key)
    }

    /// Removes a key for good.
    ///
    /// # Errors
    /// [`KeyError::BadName`], [`KeyError::NotFound`] or [`KeyError::Io`].
    pub fn remove(&self, name: &str) -> Result<(), KeyError> {
        check_name(name)?;
        fs::remove_file(self.path(name)).map_err(|source| self.io(name, source))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.json"))
    }

    fn io(&self, name: &str, source: io::Error) -> KeyError {
        match source.kind() {
            io::ErrorKind::NotFound => {
                KeyError::NotFound { name: name.into(), dir: self.dir.clone() }
            }
            io::ErrorKind::AlreadyExists => KeyError::Exists(name.into()),
            _ => in_file(&self.path(name), source),
        }
    }

    fn check_directory(&self) -> Result<(), KeyError> {
        private::check_directory(&self.dir).map_err(|source| in_file(&self.dir, source))
    }

    fn read(&self, name: &str) -> Result<KeyFile, KeyError> {
        check_name(name)?;
        let path = self.path(name);
        let malformed = |reason: String| KeyError::Malformed { path: path.clone(), reason };
        let bytes = private::read(&path, FILE_BYTES_MAX).map_err(|source| match source.kind() {
            io::ErrorKind::FileTooLarge => malformed(source.to_string()),
            _ => self.io(name, source),
        })?;
        self.check_directory()?;
        let file: KeyFile =
            serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        match (file.version, &file.checksum) {
            (UNCHECKED_VERSION, None) => {}
            (FORMAT_VERSION, Some(sum)) if *sum == file.sum() => {}
            (UNCHECKED_VERSION | FORMAT_VERSION, _) => {
                return Err(malformed("it is not what was written".into()));
            }
            (version, _) => return Err(malformed(format!("it has version {version}"))),
        }
        if file.kdf.algorithm != "argon2id" || file.cipher.algorithm != "xchacha20poly1305" {
            return Err(malformed("its algorithms are unknown".into()));
        }
        let filled_kib = u64::from(file.kdf.memory_kib) * u64::from(file.kdf.passes);
        if file.kdf.memory_kib > KDF_MEMORY_KIB_MAX
            || filled_kib > KDF_FILLED_KIB_MAX
            || file.kdf.lanes > KDF_LANES_MAX
        {
            return Err(malformed("it asks for too much memory or time".into()));
        }
        Ok(file)
    }

    fn store(&self, name: &str, password: &str, seed: &[u8; 32]) -> Result<KeyInfo, KeyError> {
        check_name(name)?;
        if password.is_empty() {
            return Err(KeyError::EmptyPassword);
        }
        let address = address_of(&SigningKey::from_bytes(seed));
        let (mut salt, mut nonce) = ([0; 16], [0; 24]);
        getrandom::fill(&mut salt).map_err(KeyError::Random)?;
        getrandom::fill(&mut nonce).map_err(KeyError::Random)?;
        let kdf = Kdf {
            algorithm: "argon2id".into(),
            memory_kib: KDF_MEMORY_KIB,
            passes: KDF_PASSES,
            lanes: KDF_LANES,
            salt: hex::encode(salt),
        };
        let key = derive_key(password, &salt, &kdf).expect("the constant parameters are valid");
        let payload = Payload { msg: seed, aad: address.as_bytes() };
        let ciphertext = XChaCha20Poly1305::new((&*key).into())
            .encrypt(&XNonce::from(nonce), payload)
            .expect("encrypting 32 bytes does not fail");
        let cipher = Cipher {
            algorithm: "xchacha20poly1305".into(),
            nonce: hex::encode(nonce),
            ciphertext: hex::encode(ciphertext),
        };
        let mut file = KeyFile { version: FORMAT_VERSION, address, kdf, cipher, checksum: None };
        file.checksum = Some(file.sum());
        let mut text = serde_json::to_vec_pretty(&file).expect("strings and numbers are JSON");
        text.push(b'\n');
        self.write(name, &text)?;
        Ok(KeyInfo { name: name.into(), address })
    }

    fn write(&self, name: &str, contents: &[u8]) -> Result<(), KeyError> {
        private::make_directory(&self.dir).map_err(|source| in_file(&self.dir, source))?;
        self.check_directory()?;
        private::write(&self.path(name), contents, false).map_err(|source| self.io(name, source))
    }
}

/// The error of a file or a directory.
fn in_file(path: &Path, source: io::Error) -> KeyError {
    match source.downcast::<Exposed>() {
        Ok(exposed) => exposed.into(),
        Err(source) => KeyError::Io { path: path.to_owned(), source },
    }
}

/// The address of a key: its public key.
#[must_use]
pub fn address_of(key: &SigningKey) -> Address {
    Address(VerificationKeyBytes::from(key).into())
}

fn check_name(name: &str) -> Result<(), KeyError> {
    let first = name.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    if first && rest && name.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    Err(KeyError::BadName(name.into()))
}

fn derive_key(
    password: &str,
    salt: &[u8],
    kdf: &Kdf,
) -> Result<Zeroizing<[u8; 32]>, argon2::Error> {
    let params = Params::new(kdf.memory_kib, kdf.passes, kdf.lanes, Some(32))?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(
        password.as_bytes(),
        salt,
        &mut *key,
    )?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_with_a_flipped_bit_shows_no_other_address() {
        let home = tempfile::tempdir().unwrap();
        let keys = Keystore::new(home.path().join("keys"));
        let info = keys.create("zoe", "correct horse").unwrap();
        let path = keys.path("zoe");
        let written = fs::read(&path).unwrap();
        let mut n_refused = 0;
        for (at, bit) in (0..written.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut bytes = written.clone();
            bytes[at] ^= 1 << bit;
            fs::write(&path, bytes).unwrap();
            match keys.info("zoe") {
                Ok(found) => assert_eq!(found, info, "byte {at}, bit {bit}"),
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains(&path.display().to_string()), "not named: {error}");
                    n_refused += 1;
                }
            }
        }
        // White space may become other white space.
        assert!(n_refused * 10 > written.len() * 8 * 9, "{n_refused}");
        // The first version had no checksum.
        fs::write(&path, &written).unwrap();
        let mut old = keys.read("zoe").unwrap();
        (old.version, old.checksum) = (UNCHECKED_VERSION, None);
        fs::write(&path, serde_json::to_vec(&old).unwrap()).unwrap();
        assert_eq!(keys.info("zoe").unwrap(), info);
        assert_eq!(address_of(&keys.open("zoe", "correct horse").unwrap()), info.address);
        old.version = FORMAT_VERSION;
        fs::write(&path, serde_json::to_vec(&old).unwrap()).unwrap();
        assert!(keys.info("zoe").is_err(), "the second one has one");
    }
}
