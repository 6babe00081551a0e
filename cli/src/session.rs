//! A chain's directory, open: the chain, the names of accounts and contracts, and who signs.

mod names;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use ed25519_zebra::SigningKey;
use kempe_abi::Address;
use kempe_runtime::chain::{Chain, ChainOptions, exists};
use kempe_runtime::files;
use kempe_runtime::types::{SYSTEM, system_field};

use crate::args::Global;
use crate::compiled::artifacts;
use crate::keystore::{Keystore, address_of};
use crate::output::{Exit, Failure};
use crate::password;

pub use names::Names;
pub(crate) use names::{NAMES_FILE, read_names, read_unchecked, write_names};

/// The directory of a chain where none is named.
const DIRECTORY: &str = "kempe-chain";

/// Which chain.
#[derive(Clone, Debug, clap::Args)]
pub struct ChainArgs {
    /// The chain's directory [default: kempe-chain]
    #[arg(long, value_name = "DIR", env = "KEMPE_DIR", hide_env_values = true, display_order = 90)]
    pub dir: Option<PathBuf>,
}

impl ChainArgs {
    /// The chain's directory.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| PathBuf::from(DIRECTORY))
    }
}

/// Who signs.
#[derive(Clone, Debug, clap::Args)]
pub struct SignerArgs {
    /// Who signs: a development account or a key [default: a development chain's first account]
    #[arg(long, value_name = "ACCOUNT")]
    pub from: Option<String>,

    /// Read the key's password from the first line of standard input
    #[arg(long)]
    pub password_stdin: bool,
}

/// An open chain and the names that go with it.
#[derive(Debug)]
pub struct Session {
    /// The chain.
    pub chain: Chain,
    /// The names of accounts and contracts.
    pub names: Names,
    keys: Keystore,
}

/// The keystore of the person.
#[must_use]
pub fn keystore(global: &Global) -> Keystore {
    Keystore::new(global.home().join("keys"))
}

impl Session {
    /// Opens the chain in the directory.
    ///
    /// # Errors
    /// When there is none, it is in use, or it does not stand up to its own root.
    pub fn open(args: &ChainArgs, global: &Global) -> Result<Self, Failure> {
        let dir = args.directory();
        // Without a chain there is nothing to compile, and no key is made.
        let artifacts = exists(&dir).then(|| artifacts(global)).flatten();
        let options = ChainOptions { artifacts, ..ChainOptions::default() };
        let chain = Chain::open(&dir, options)?;
        let keys = keystore(global);
        let names = Names::load(&dir, chain.genesis(), &keys)?;
        Ok(Self { chain, names, keys })
    }

    /// The contracts that have no name here, in order.
    ///
    /// # Errors
    /// When a cell of the chain cannot be read.
    pub fn unnamed(&self) -> Result<Vec<Address>, Failure> {
        let named: BTreeSet<&Address> = self.names.contracts().values().collect();
        let mut unnamed = BTreeSet::new();
        self.chain.cells(|key, _| {
            let is_contract = key.contract == SYSTEM && key.field == system_field::CONTRACT;
            if let Some(address) = is_contract.then(|| key.key.first_chunk()).flatten() {
                unnamed.insert(Address(*address));
            }
            Ok(())
        })?;
        Ok(unnamed.into_iter().filter(|address| !named.contains(address)).collect())
    }

    /// The key with which an account signs: that of a development account follows from its name,
    /// any other is in the keystore.
    ///
    /// # Errors
    /// When there is no such account, its key is not here, or the password is wrong.
    pub fn signer(&self, args: &SignerArgs) -> Result<SigningKey, Failure> {
        let genesis = self.chain.genesis();
        let first = || {
            let first = genesis.accounts.iter().find(|account| !account.name.is_empty());
            first.filter(|_| genesis.development).map(|account| account.name.clone())
        };
        let from = args.from.clone().or_else(first).ok_or_else(|| {
            Failure::new(Exit::Usage, "nobody is named who signs")
                .with_help("name a key of `kempe keys list` with --from")
        })?;
        let address = self.names.account(&from)?;
        self.signer_of(&address, args.password_stdin)
    }

    /// The name of a development account, if the address is one's.
    #[must_use]
    pub fn development(&self, address: &Address) -> Option<&str> {
        self.names.development(address).filter(|_| self.chain.genesis().development)
    }

    /// The key of an address; see [`signer`](Self::signer).
    ///
    /// # Errors
    /// As [`signer`](Self::signer).
    pub fn signer_of(&self, address: &Address, stdin: bool) -> Result<SigningKey, Failure> {
        if let Some(name) = self.development(address) {
            return Ok(development_key(name));
        }
        let Some(name) = self.names.key(address) else {
            return Err(Failure::new(Exit::Failed, format!("the key of {address} is not here"))
                .with_help(
                    "`kempe keys list` shows the keys that are; `kempe keys import` adds one",
                ));
        };
        let password = password::existing(name, stdin)?;
        Ok(self.keys.open(name, &password)?)
    }
}

/// The key of a development account. Everybody who knows the name knows the key.
#[must_use]
pub fn development_key(name: &str) -> SigningKey {
    let seed = blake3::derive_key("kempe 2026 development account", name.as_bytes());
    SigningKey::from_bytes(&seed)
}

/// The address of a development account.
#[must_use]
pub fn development_address(name: &str) -> Address {
    address_of(&development_key(name))
}

/// Milliseconds since 1970: the command line is the chain's clock.
#[must_use]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Reads a file that must not be larger than `max` bytes.
///
/// # Errors
/// When it is none, cannot be read, or is larger.
pub fn read_capped(path: &Path, max: u64) -> Result<Vec<u8>, Failure> {
    Ok(files::read(path, max).with_context(|| format!("reading {}", path.display()))?)
}
