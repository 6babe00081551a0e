//! Names of accounts and contracts.
//!
//! Accounts are named by the genesis file and by the keystore, contracts by `names.json` in the
//! chain's directory. Names are for people: the chain itself knows none.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;
use kempe_abi::Address;
use kempe_runtime::types::{Genesis, SYSTEM};

use super::read_capped;
use crate::durable;
use crate::keystore::Keystore;
use crate::output::{Exit, Failure};
use crate::suggest::suggest;
use crate::value::Members;

/// The file of contracts' names in the chain's directory: a JSON object of names and addresses.
pub(crate) const NAMES_FILE: &str = "names.json";

/// The largest file of names that is read.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The longest name of a contract, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// The contracts that a file of names has; none if there is no file.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read_names(file: &Path) -> Result<BTreeMap<String, Address>, Failure> {
    match fs::metadata(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
        _ => {
            let bytes = read_capped(file, FILE_BYTES_MAX)?;
            let names = serde_json::from_slice::<Members<Address>>(&bytes);
            let what = || format!("{} is not a file of names", file.display());
            let Members(names) = names.with_context(what)?;
            match names.keys().find(|name| !is_name(name)) {
                Some(name) => Err(not_a_name(name, Exit::Failed).context(what()).with_help(
                    "give it another name there: letters, digits, - and _, and a letter first",
                )),
                None => Ok(names),
            }
        }
    }
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
        names.keys = keys.list()?.into_iter().map(|key| (key.name, key.address)).collect();
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
    /// With the names that are alike.
    pub fn account(&self, word: &str) -> Result<Address, Failure> {
        self.find(word).ok_or_else(|| {
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
        let mut text = serde_json::to_string_pretty(&self.contracts).context("writing JSON")?;
        text.push('\n');
        let written = durable::replace(&self.file, text.as_bytes());
        Ok(written.with_context(|| format!("writing {}", self.file.display()))?)
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
