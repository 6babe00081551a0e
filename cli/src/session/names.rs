//! Names of accounts and contracts.
//!
//! Accounts are named by the genesis file and by the keystore, contracts by `names.json` in the
//! chain's directory. Names are for people: the chain itself knows none, so nothing else tells that a digit of an
//! address is another one than was written. The file has a checksum:
//!
//! ```json
//! {
//!   "_blake3": "...",
//!   "token": "0x..."
//! }
//! ```
//!
//! Who edits it has the names looked at and the checksum written by `kempe doctor --repair`.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use kempe_abi::Address;
use kempe_runtime::types::{Genesis, SYSTEM};

use super::read_capped;
use crate::durable;
use crate::keystore::{KeyError, Keystore};
use crate::output::{Exit, Failure};
use crate::suggest::suggest;
use crate::value::Members;

/// The file of contracts' names in the chain's directory: a JSON object of names and addresses.
pub(crate) const NAMES_FILE: &str = "names.json";

/// The largest file of names that is read.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The longest name of a contract, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// The member with the checksum. No contract is called so.
const CHECKSUM: &str = "_blake3";

/// The context of the checksum's key.
const CHECKSUM_CONTEXT: &str = "kempe 2026 names of contracts";

/// The contracts that a file of names has; none if there is no file.
///
/// # Errors
/// When it cannot be read, or is not what was written.
pub(crate) fn read_names(file: &Path) -> Result<BTreeMap<String, Address>, Failure> {
    let (names, sum) = read_unchecked(file)?;
    let what = match sum {
        _ if names.is_empty() => return Ok(names),
        Some(sum) if sum == checksum(&names) => return Ok(names),
        Some(_) => "is not what was written: its checksum is another one",
        None => "has no checksum",
    };
    Err(Failure::new(Exit::Failed, format!("{} {what}", file.display())).with_help(
        "if somebody has edited it, `kempe doctor --repair` shows its names and writes the checksum",
    ))
}

/// The contracts that a file of names has, be they what was written or not, and its checksum.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read_unchecked(
    file: &Path,
) -> Result<(BTreeMap<String, Address>, Option<String>), Failure> {
    if fs::metadata(file).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok((BTreeMap::new(), None));
    }
    let bytes = read_capped(file, FILE_BYTES_MAX)?;
    let what = || format!("{} is not a file of names", file.display());
    let Members(mut members) =
        serde_json::from_slice::<Members<String>>(&bytes).with_context(what)?;
    let sum = members.remove(CHECKSUM);
    let mut names = BTreeMap::new();
    for (name, text) in members {
        if !is_name(&name) {
            return Err(not_a_name(&name, Exit::Failed).context(what()).with_help(
                "give it another name there: letters, digits, - and _, and a letter first",
            ));
        }
        let address = text.parse().map_err(|error| anyhow!("`{name}`: {error}"));
        names.insert(name, address.with_context(what)?);
    }
    Ok((names, sum))
}

/// Writes the names of contracts with their checksum, durably: the file is replaced as a whole or not at all.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_names(file: &Path, names: &BTreeMap<String, Address>) -> Result<(), Failure> {
    let sum = (CHECKSUM.to_owned(), checksum(names));
    let names = names.iter().map(|(name, address)| (name.clone(), address.to_string()));
    // The order of their bytes has the checksum behind names with capital letters, and before others.
    let members: BTreeMap<String, String> = std::iter::once(sum).chain(names).collect();
    let mut text = serde_json::to_string_pretty(&members).context("writing JSON")?;
    text.push('\n');
    let written = durable::replace(file, text.as_bytes());
    Ok(written.with_context(|| format!("writing {}", file.display()))?)
}

fn checksum(names: &BTreeMap<String, Address>) -> String {
    let bytes = borsh::to_vec(names).expect("encoding to memory cannot fail");
    hex::encode(blake3::derive_key(CHECKSUM_CONTEXT, &bytes))
}

/// Whether a name can be told from an address, and shown as it is.
fn is_name(name: &str) -> bool {
    let permitted = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_word = first && name.bytes().all(permitted) && name.len() <= NAME_BYTES_MAX;
    is_word && name.parse::<Address>().is_err()
}

fn not_a_name(name: &str, exit: Exit) -> Failure {
    Failure::new(exit, format!("`{}` is not a name for a contract", name.escape_debug()))
}

/// The names that the command line knows.
#[derive(Clone, Debug, Default)]
pub struct Names {
    genesis: BTreeMap<String, Address>,
    keys: BTreeMap<String, Address>,
    contracts: BTreeMap<String, Address>,
    by_address: BTreeMap<Address, String>,
    /// What is wrong with the files of other keys, and what to do about it.
    broken_keys: BTreeMap<String, (String, Option<String>)>,
    file: PathBuf,
}

impl Names {
    /// The names of a chain in a directory.
    ///
    /// # Errors
    /// When the file of names cannot be read.
    pub fn load(dir: &Path, genesis: &Genesis, keys: &Keystore) -> Result<Self, Failure> {
        let mut names = Self { file: dir.join(NAMES_FILE), ..Self::default() };
        // What is no name is not shown, and means nobody.
        let named = genesis.accounts.iter().filter(|account| is_name(&account.name));
        names.genesis = named.map(|account| (account.name.clone(), account.address)).collect();
        let (listed, broken) = keys.list_all()?;
        names.keys = listed.into_iter().map(|key| (key.name, key.address)).collect();
        let said = |error: KeyError| (error.to_string(), error.help());
        names.broken_keys = broken.into_iter().map(|(name, error)| (name, said(error))).collect();
        names.contracts = read_names(&names.file)?;
        // Where two names are of one address, the chain's own comes before the keystore's.
        for table in [&names.keys, &names.genesis, &names.contracts] {
            names.by_address.extend(table.iter().map(|(name, address)| (*address, name.clone())));
        }
        names.by_address.insert(SYSTEM, "chain".into());
        Ok(names)
    }

    /// Names contracts in this directory's file from now on.
    pub(crate) fn set_file(&mut self, dir: &Path) {
        self.file = dir.join(NAMES_FILE);
    }

    /// The address that a word means: digits, an account, or a contract.
    ///
    /// # Errors
    /// With the names that are alike, or with the file of the key that cannot be read.
    pub fn account(&self, word: &str) -> Result<Address, Failure> {
        self.find(word).ok_or_else(|| {
            if let Some((what, help)) = self.broken_keys.get(word) {
                let failure = Failure::new(Exit::Failed, what.clone());
                return match help {
                    Some(help) => failure.with_help(help),
                    None => failure,
                };
            }
            let known = self.genesis.keys().chain(self.keys.keys()).map(|name| &**name);
            unknown("account", word, known, "an account is a name, or 0x and 64 digits")
        })
    }

    /// The address of a contract.
    ///
    /// # Errors
    /// With the names that are alike.
    pub fn contract(&self, word: &str) -> Result<Address, Failure> {
        digits(word).or_else(|| self.contracts.get(word).copied()).ok_or_else(|| {
            let known = self.contracts.keys().map(|name| &**name);
            unknown("contract", word, known, "`kempe deploy FILE --name NAME` deploys one")
        })
    }

    /// The address of any name, or of digits.
    #[must_use]
    pub fn find(&self, word: &str) -> Option<Address> {
        digits(word).or_else(|| self.on_chain(word)).or_else(|| self.keys.get(word).copied())
    }

    /// The address of what has this name on the chain: a name of a key is of something else then.
    #[must_use]
    pub fn on_chain(&self, word: &str) -> Option<Address> {
        self.genesis.get(word).or_else(|| self.contracts.get(word)).copied()
    }

    /// The name of an address.
    #[must_use]
    pub fn name_of(&self, address: &Address) -> Option<String> {
        self.by_address.get(address).cloned()
    }

    /// The name of an address, or its digits.
    #[must_use]
    pub fn show(&self, address: &Address) -> String {
        self.name_of(address).unwrap_or_else(|| address.to_string())
    }

    /// The name under which the genesis file lists an address, if its key follows from the name.
    #[must_use]
    pub fn development(&self, address: &Address) -> Option<&str> {
        let (name, _) = self.genesis.iter().find(|(_, found)| *found == address)?;
        (super::development_address(name) == *address).then_some(name)
    }

    /// The name of the address's key in the keystore.
    #[must_use]
    pub fn key(&self, address: &Address) -> Option<&str> {
        self.keys.iter().find(|(_, found)| *found == address).map(|(name, _)| &**name)
    }

    /// The file of contracts' names.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The contracts and their names.
    #[must_use]
    pub fn contracts(&self) -> &BTreeMap<String, Address> {
        &self.contracts
    }

    /// Checks that a contract may get this name.
    ///
    /// # Errors
    /// When the name is taken or not one.
    pub fn check_free(&self, name: &str) -> Result<(), Failure> {
        if !is_name(name) || name.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(not_a_name(name, Exit::Usage)
                .with_help("1 to 64 of a-z, 0-9, - and _, and a letter first: --name token"));
        }
        if self.contracts.contains_key(name) || self.genesis.contains_key(name) {
            let message = format!("the name `{name}` is taken on this chain");
            return Err(Failure::new(Exit::Failed, message)
                .with_help(format!("choose another with --name, as in --name {name}-2")));
        }
        Ok(())
    }

    /// Names a contract, durably: the file is replaced as a whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add_contract(&mut self, name: &str, address: Address) -> Result<(), Failure> {
        self.contracts.insert(name.to_owned(), address);
        self.by_address.insert(address, name.to_owned());
        write_names(&self.file, &self.contracts)
    }
}

/// The address that a word writes out.
fn digits(word: &str) -> Option<Address> {
    word.starts_with("0x").then(|| word.parse().ok()).flatten()
}

fn unknown<'a>(
    what: &str,
    word: &str,
    known: impl Iterator<Item = &'a str>,
    help: &str,
) -> Failure {
    let message = format!("there is no {what} `{}`{}", word.escape_debug(), suggest(word, known));
    Failure::new(Exit::Failed, message).with_help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> BTreeMap<String, Address> {
        let name = |(name, byte): (&str, u8)| (name.to_owned(), Address([byte; 32]));
        [("token", 0x4e), ("USD-coin_2", 0xab), ("a", 1)].map(name).into()
    }

    #[test]
    fn a_file_of_names_with_a_flipped_bit_gives_no_other_names() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(NAMES_FILE);
        write_names(&file, &names()).unwrap();
        let written = fs::read(&file).unwrap();
        assert_eq!(read_names(&file).unwrap(), names());
        let mut n_refused = 0;
        for (at, bit) in (0..written.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut bytes = written.clone();
            bytes[at] ^= 1 << bit;
            fs::write(&file, bytes).unwrap();
            match read_names(&file) {
                Ok(found) => assert_eq!(found, names(), "byte {at}, bit {bit}"),
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains(&file.display().to_string()), "not named: {error}");
                    n_refused += 1;
                }
            }
        }
        // White space may become other white space, and digits capital ones.
        assert!(n_refused * 10 > written.len() * 8 * 9, "{n_refused}");
    }

    #[test]
    fn the_checksum_is_pinned() {
        let sum = "61f02761c3bb825c84efca1e6832d1d0317e3bd332de239f0a74398a7f1b2145";
        assert_eq!(checksum(&names()), sum);
    }
}
