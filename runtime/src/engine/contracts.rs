//! Deployed contracts: code with an address and immutables.

use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;
use kempe_abi::derive::Contracts;
use kempe_abi::{Abi, Address, Hash, Method, MethodId};

use super::compile::{Code, Engine, EngineError};
use crate::access::system_hash;
use crate::state::{StateRead, StoreError};
use crate::types::{Bytes, ContractRecord, FieldPrefix, KeyHash, system_field};

/// A contract, as derivation and execution need it.
#[derive(Debug)]
pub struct Contract {
    /// Where it is.
    pub address: Address,
    /// What the state says of it.
    pub record: ContractRecord,
    /// The record as stored: while the state holds these bytes, this value is current.
    pub record_bytes: Bytes,
    /// The hash of the key under which the record is stored.
    pub record_hash: KeyHash,
    /// Its code.
    pub code: Arc<Code>,
    /// By field, once somebody asked: a contract may have hundreds, and who calls it uses few or none.
    prefixes: OnceLock<Box<[OnceLock<FieldPrefix>]>>,
}

impl Contract {
    /// A contract of a record and its code.
    #[must_use]
    pub fn new(address: Address, record: ContractRecord, code: Arc<Code>) -> Self {
        let record_hash = system_hash(system_field::CONTRACT, &address.0);
        let (record_bytes, prefixes) = (record.encode(), OnceLock::new());
        Self { address, record, record_bytes, record_hash, code, prefixes }
    }

    /// Its ABI.
    #[must_use]
    pub fn abi(&self) -> &Abi {
        &self.code.admitted.abi
    }

    /// Its ABI and the method with this selector, if it has one.
    pub(super) fn method(&self, id: MethodId) -> Option<(&Abi, &Method)> {
        let at = *self.code.methods.get(&id)?;
        Some((self.abi(), &self.abi().methods[at]))
    }

    /// The hash prefix of a field.
    #[must_use]
    pub fn prefix(&self, field: u8) -> FieldPrefix {
        let new = || FieldPrefix::new(&self.address, field);
        let all = || vec![OnceLock::new(); self.abi().fields.len()].into();
        let known = self.prefixes.get_or_init(all).get(usize::from(field));
        known.map_or_else(new, |known| *known.get_or_init(new))
    }

    /// The value of an immutable, if it was set.
    #[must_use]
    pub fn immutable(&self, field: u8) -> Option<&[u8]> {
        let immutables = &self.record.immutables;
        let at = immutables.binary_search_by_key(&field, |(field, _)| *field).ok()?;
        Some(&immutables[at].1)
    }

    /// Loads a contract from the state; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read, or holds a record or code that cannot be loaded.
    pub fn load(
        engine: &Engine,
        state: &dyn StateRead,
        address: &Address,
    ) -> Result<Option<Self>, StoreError> {
        let record_hash = system_hash(system_field::CONTRACT, &address.0);
        let Some(bytes) = state.get(&record_hash)? else { return Ok(None) };
        Self::decode(engine, state, address, (record_hash, bytes)).map(Some)
    }

    /// Decodes a record, of which the hash of its key is known, and loads its code.
    pub(super) fn decode(
        engine: &Engine,
        state: &dyn StateRead,
        address: &Address,
        (record_hash, record_bytes): (KeyHash, Bytes),
    ) -> Result<Self, StoreError> {
        let inconsistent =
            |what: String| StoreError::inconsistent(format!("contract={address}: {what}"));
        let record: ContractRecord =
            borsh::from_slice(&record_bytes).map_err(|error| inconsistent(error.to_string()))?;
        let code = match engine.loaded(&record.code) {
            Some(code) => code,
            None => load_code(engine, state, &record.code, &inconsistent)?,
        };
        let prefixes = OnceLock::new();
        Ok(Self { address: *address, record, record_bytes, record_hash, code, prefixes })
    }
}

fn load_code(
    engine: &Engine,
    state: &dyn StateRead,
    hash: &Hash,
    inconsistent: &dyn Fn(String) -> StoreError,
) -> Result<Arc<Code>, StoreError> {
    let wasm = state
        .get(&system_hash(system_field::CODE, &hash.0))?
        .ok_or_else(|| inconsistent(format!("code={hash} is missing")))?;
    engine.load(&wasm).map_err(|error| match error {
        EngineError::Refused(refusal) => inconsistent(refusal.to_string()),
        error => StoreError::machine(error.to_string()),
    })
}

/// Where a derivation finds contracts.
pub(crate) trait Find: Contracts {
    /// The contract at this address.
    fn find(&self, address: &Address) -> Option<&Contract>;
}

/// The contracts that a derivation or an execution has met.
#[derive(Clone, Debug, Default)]
pub struct ContractSet {
    contracts: HashMap<Address, Arc<Contract>>,
    /// The one that was loaded last: most blocks ask for one over and over.
    last: Option<Arc<Contract>>,
}

impl ContractSet {
    /// The contract at this address, if it was loaded.
    #[must_use]
    pub fn get(&self, address: &Address) -> Option<&Contract> {
        match &self.last {
            Some(last) if last.address == *address => Some(last),
            _ => self.contracts.get(address).map(|contract| &**contract),
        }
    }

    /// How many were met.
    pub(crate) fn len(&self) -> usize {
        self.contracts.len()
    }

    /// Adds a contract, in place of what was known of its address.
    pub(crate) fn insert(&mut self, contract: Arc<Contract>) {
        self.last = Some(Arc::clone(&contract));
        self.contracts.insert(contract.address, contract);
    }
}

impl Find for ContractSet {
    fn find(&self, address: &Address) -> Option<&Contract> {
        self.get(address)
    }
}

impl Contracts for ContractSet {
    fn abi(&self, contract: &Address) -> Option<&Abi> {
        self.get(contract).map(Contract::abi)
    }

    fn method(&self, contract: &Address, id: MethodId) -> Option<(&Abi, &Method)> {
        self.get(contract)?.method(id)
    }

    fn immutable(&self, contract: &Address, field: u8) -> Option<&[u8]> {
        self.get(contract)?.immutable(field)
    }
}
