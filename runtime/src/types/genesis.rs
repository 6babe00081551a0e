//! The genesis file: who has what at the start, and the rules of the chain.

use borsh::BorshSerialize;
use kempe_abi::{Address, Hash};
use serde::{Deserialize, Serialize};

use super::block::hash_in_context;
use super::transaction::SIGNATURE_DOMAIN;

/// The start of a chain, as a human-readable TOML file. Every field but `chain_id` has a default.
///
/// ```
/// # use kempe_runtime::types::Genesis;
/// let genesis = Genesis::parse("chain_id = 7").unwrap();
/// assert_eq!((genesis.chain_id, genesis.prices.gas), (7, 0));
/// assert!(Genesis::parse("chain_id = 7\nspeed = 3").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Distinguishes the chain from every other: a transaction names it.
    pub chain_id: u64,
    /// The time of block 0, in milliseconds since 1970.
    #[serde(default)]
    pub time_ms: u64,
    /// Whether this is a development chain, whose named accounts have keys that everybody knows.
    #[serde(default)]
    pub development: bool,
    /// What may not be exceeded.
    #[serde(default)]
    pub limits: Limits,
    /// What things cost.
    #[serde(default)]
    pub prices: Prices,
    /// The accounts that exist from the start.
    #[serde(default)]
    pub accounts: Vec<GenesisAccount>,
}

/// An account of the genesis file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisAccount {
    /// A name for people; not part of the state.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The address.
    pub address: Address,
    /// The native balance. At most 2^63 - 1 in the file, which is what TOML holds.
    #[serde(default)]
    pub balance: u64,
}

/// What may not be exceeded on a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The most transactions of a block.
    pub block_txs_max: u32,
    /// The most fuel that one transaction may ask for. By default 1.5 thousand million, so that a module of 64 KiB
    /// can be deployed, which takes 1.31.
    pub tx_fuel_max: u64,
    /// The most fuel that the transactions of a block may ask for together, at least that of one. It bounds how long a block can run and, as all
    /// that it writes has a price, what it takes of memory. By default 20 thousand million: six seconds of one core where prices are
    /// right, a million for each of 20,000 transactions, or 2 GB of results.
    pub block_fuel_max: u64,
}

impl Limits {
    /// The most fuel that the transactions of a block may ask for together: [`block_fuel_max`](Self::block_fuel_max), and at least what one may.
    #[must_use]
    pub const fn block_fuel(&self) -> u64 {
        if self.block_fuel_max > self.tx_fuel_max { self.block_fuel_max } else { self.tx_fuel_max }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { block_txs_max: 100_000, tx_fuel_max: 1_500_000_000, block_fuel_max: 20_000_000_000 }
    }
}

/// The longest value whose copy the price of a list's entry covers. Ours to choose.
const LISTED_VALUE_FREE_BYTES: usize = 1024;

/// The units of estimated work for which a byte of a module pays: more than code of usual contracts has. A unit takes
/// a microsecond at most, and so six times what it pays for. Ours to choose.
const EFFORT_PER_BYTE: u64 = 40;

/// What things cost: the price of gas, and the fuel of everything that is not an instruction.
///
/// An instruction of wasm costs one fuel, about 0.3 ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, BorshSerialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// Native balance for one gas; zero on a development chain.
    pub gas: u64,
    /// Fuel in one gas.
    pub fuel_per_gas: u64,
    /// Who receives the fees.
    pub collector: Address,
    /// Fuel for a transaction before it does anything: decoding, its signature, and what is free of finding its list.
    pub transaction: u64,
    /// Fuel for each byte of a transaction.
    pub transaction_byte: u64,
    /// Fuel for each entry of the access list: hashing, numbering and scheduling, which are a tenth of it, and reading where its bucket is on the
    /// disk: whether it is must not show in what a transaction burns.
    pub list_entry: u64,
    /// Fuel for entering a contract, beside what its instance [takes](crate::engine::Admitted::instance_fuel).
    pub call: u64,
    /// Fuel for each KiB of the contract's memory, which is reset before each call, and each whole one of its table, at eight bytes an
    /// entry.
    pub memory_kib: u64,
    /// Fuel for each call of the host.
    pub host_call: u64,
    /// Fuel for each byte that the host copies.
    pub copy_byte: u64,
    /// Fuel for each byte of a key or value written to state, an event, a log or a result.
    pub write_byte: u64,
    /// Fuel for each 64 bytes hashed.
    pub hash_block: u64,
    /// Fuel for checking a signature.
    pub signature: u64,
    /// Fuel for each byte of a module deployed: admission and [compilation](Self::deployment).
    pub deploy_byte: u64,
}

impl Default for Prices {
    /// What each thing costs, at about 0.3 ns for one fuel. `just calibrate` measures it: on a 2-core EPYC (Zen 4)
    /// nothing takes more than 7.7 times what its fuel pays for, a call of a function with many locals and calls of 25 contracts and then of no
    /// method being the worst; a key whose bucket is on the disk takes 4.7 times, with four runs whose pages the system has.
    fn default() -> Self {
        Self {
            gas: 0,
            fuel_per_gas: 1000,
            collector: Address::ZERO,
            transaction: 30_000,
            transaction_byte: 4,
            list_entry: 10_000,
            call: 1_000,
            memory_kib: 40,
            host_call: 50,
            copy_byte: 1,
            write_byte: 10,
            hash_block: 600,
            signature: 150_000,
            deploy_byte: 20_000,
        }
    }
}

impl Prices {
    /// The native balance that `fuel` costs: the one place where fuel becomes gas and gas a fee.
    #[must_use]
    pub const fn fee(&self, fuel: u64) -> u128 {
        let per_gas = if self.fuel_per_gas == 0 { 1 } else { self.fuel_per_gas };
        fuel.div_ceil(per_gas) as u128 * self.gas as u128
    }

    /// What of a transaction's fuel pays for what is done again where a block is executed a second time: all but two thirds of the price
    /// of a transaction, which are for its signature. On a 2-core EPYC that takes 4.9 to 5.7 µs, and decoding and finding its turn one. Who
    /// could not pay burned nothing, and is found a list for all the same.
    pub(crate) fn without_signature(&self, fuel: u64) -> u64 {
        fuel.max(self.transaction) - self.transaction / 3 * 2
    }

    /// The fuel for a value that a list names, beside the price of its entry: nothing up to
    /// 1 KiB, [`copy_byte`](Self::copy_byte) for each of its bytes if it is longer.
    #[must_use]
    pub const fn listed_value(&self, value: Option<&[u8]>) -> u64 {
        match value {
            Some(value) if value.len() > LISTED_VALUE_FREE_BYTES => {
                (value.len() as u64).saturating_mul(self.copy_byte)
            }
            _ => 0,
        }
    }

    /// The bytes of the longest value that so much fuel [pays for](Self::listed_value).
    #[must_use]
    pub const fn listed_bytes(&self, fuel: u64) -> u64 {
        match fuel.checked_div(self.copy_byte) {
            Some(bytes) if bytes > LISTED_VALUE_FREE_BYTES as u64 => bytes,
            Some(_) => LISTED_VALUE_FREE_BYTES as u64,
            None => u64::MAX,
        }
    }

    /// The fuel for admitting and compiling a module of so many bytes, which takes so much work by
    /// [admission's estimate](crate::engine::Admitted::sizes): [`deploy_byte`](Self::deploy_byte) for each byte, or for each
    /// 40 units of the estimate if these are more.
    ///
    /// ```
    /// # use kempe_runtime::types::Prices;
    /// let prices = Prices::default();
    /// assert_eq!(prices.deployment(20_000, 100_000), 20_000 * prices.deploy_byte);
    /// assert_eq!(prices.deployment(20_000, 1_000_000), 25_000 * prices.deploy_byte);
    /// ```
    #[must_use]
    pub const fn deployment(&self, module_bytes: u64, effort: u64) -> u64 {
        let paid = effort.div_ceil(EFFORT_PER_BYTE);
        let bytes = if paid > module_bytes { paid } else { module_bytes };
        bytes.saturating_mul(self.deploy_byte)
    }
}

/// Why a genesis file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// Not the TOML of a genesis file.
    #[error("the genesis file is malformed: {0}")]
    Malformed(String),
    /// An account is listed twice, or is the chain itself.
    #[error("the genesis file lists an account twice, or the zero address: address={0}")]
    BadAccount(Address),
    /// An account's name is none, or another one has it.
    #[error(
        "`{}` is no name for an account, or two have it: at most {ACCOUNT_NAME_MAX} letters, digits, - and _, and a letter first",
        .0.escape_debug().take(80).collect::<String>()
    )]
    BadName(String),
    /// Fuel cannot be turned into gas at this rate.
    #[error("fuel_per_gas is zero")]
    ZeroFuelPerGas,
}

/// The longest name of an account: shorter than an address, for which none can be taken. Ours to choose.
const ACCOUNT_NAME_MAX: usize = 63;

/// Whether an account may be called so, or have no name: names stand in tables and in arguments.
fn is_account_name(name: &str) -> bool {
    let is_permitted = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let first = name.starts_with(|first: char| first.is_ascii_alphabetic());
    first && name.len() <= ACCOUNT_NAME_MAX && name.bytes().all(is_permitted)
}

/// What the parser says, with the place and without its picture of the line, of which the file decides what it
/// looks like.
fn malformed(text: &str, error: &toml::de::Error) -> GenesisError {
    let before = error.span().and_then(|span| text.get(..span.start));
    let place = before.map(|before| {
        let line = before.rsplit('\n').next().unwrap_or_default();
        let (line, column) = (before.matches('\n').count() + 1, line.chars().count() + 1);
        format!("line {line}, column {column}: ")
    });
    GenesisError::Malformed(place.unwrap_or_default() + error.message())
}

impl Genesis {
    /// Reads a genesis file.
    ///
    /// # Errors
    /// [`GenesisError`], with the line and column from the parser.
    pub fn parse(text: &str) -> Result<Self, GenesisError> {
        let genesis: Self = toml::from_str(text).map_err(|error| malformed(text, &error))?;
        if genesis.prices.fuel_per_gas == 0 {
            return Err(GenesisError::ZeroFuelPerGas);
        }
        let mut addresses: Vec<_> = genesis.accounts.iter().map(|a| a.address).collect();
        addresses.push(Address::ZERO);
        addresses.sort_unstable();
        if let Some(pair) = addresses.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(GenesisError::BadAccount(pair[0]));
        }
        let names = genesis.accounts.iter().map(|account| account.name.as_str());
        let mut names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        match names.into_iter().find(|name| !is_account_name(name)).or(twice) {
            Some(name) => Err(GenesisError::BadName(name.to_owned())),
            None => Ok(genesis),
        }
    }

    /// The file's text.
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "every type in it has a TOML form")]
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a genesis has only types that TOML holds")
    }

    /// The hash of the rules under which blocks are executed: what a header calls `protocol`.
    #[must_use]
    pub fn protocol(&self, engine_version: &str) -> Hash {
        let rules = (self.chain_id, engine_version, SIGNATURE_DOMAIN, self.limits, self.prices);
        hash_in_context("kempe 2026 protocol", &rules)
    }
}
