//! From a transaction to its access list.

use std::sync::LazyLock;

use kempe_abi::derive::{self, DeriveError, Sink};
use kempe_abi::{AccessKind, Address};

use crate::engine::{Contract, ContractSet};
use crate::types::{
    Action, Bytes, FieldPrefix, KeyHash, KeyMap, LIST_ENTRIES_MAX, Prices, SYSTEM, StateKey,
    Transaction, system_field,
};

/// One entry of an access list, and, while the transaction runs, the cell's value.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The key.
    pub key: StateKey,
    /// Its hash.
    pub hash: KeyHash,
    /// What the list permits.
    pub kind: AccessKind,
    /// The key's number in the block.
    pub slot: u32,
    /// The value as the transaction sees it; `None` if there is none.
    pub value: Option<Bytes>,
    /// What was added under [`AccessKind::Add`].
    pub added: Delta,
    /// The bytes of the counter that was added to.
    pub width: u8,
    /// What was done.
    pub touched: Touched,
    /// Whether `value` replaces the value in the state.
    pub dirty: bool,
    /// The catching call for which the cell was last journaled; 0 for none.
    pub(crate) journaled: u32,
}

impl Cell {
    /// An entry that was not touched, without a value.
    #[must_use]
    pub fn new(key: StateKey, hash: KeyHash, kind: AccessKind) -> Self {
        Self {
            key,
            hash,
            kind,
            slot: u32::MAX,
            value: None,
            added: Delta::default(),
            width: 16,
            touched: Touched::default(),
            dirty: false,
            journaled: 0,
        }
    }
}

/// A signed 128-bit number with the alignment of its halves: a list of cells is then allocated
/// like any other, and is smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta([u64; 2]);

impl Delta {
    /// The number.
    #[must_use]
    pub fn get(self) -> i128 {
        (u128::from(self.0[1]) << 64 | u128::from(self.0[0])).cast_signed()
    }
}

impl From<i128> for Delta {
    fn from(number: i128) -> Self {
        let bits = number.cast_unsigned();
        let (low, high) = (bits & u128::from(u64::MAX), bits >> 64);
        let half = |bits| u64::try_from(bits).expect("half of the bits");
        Self([half(low), half(high)])
    }
}

/// What was done to a cell: a set of access kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched(u8);

impl Touched {
    /// Adds a kind.
    pub fn insert(&mut self, kind: AccessKind) {
        self.0 |= 1 << kind as u8;
    }

    /// The one byte that a footprint holds: bit 0 read, bit 1 add, bit 2 write.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The least kind of declaration that permits all of it, if anything was done.
    #[must_use]
    pub fn kind(self) -> Option<AccessKind> {
        let kinds = [AccessKind::Read, AccessKind::Add, AccessKind::Write];
        kinds.into_iter().filter(|&kind| self.0 & 1 << kind as u8 != 0).reduce(AccessKind::join)
    }
}

/// What a transaction declares that it touches, each key once.
#[derive(Clone, Debug, Default)]
pub struct AccessList {
    /// The entries, in the order of the templates.
    pub cells: Vec<Cell>,
    /// Whether a method in it is declared as dynamic: a touch outside the list is then not an
    /// error of the contract, and the transaction is tried again in the tail lane.
    pub dynamic: bool,
}

/// Why no access list follows from a transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// It deploys a contract: its list is known when it runs, in the tail lane.
    #[error("a deployment has no access list before it runs")]
    Deployment,
    /// A call has none.
    #[error("action={action}: {source}")]
    Derive {
        /// The position of the action.
        action: usize,
        /// Why.
        source: DeriveError,
    },
    /// More entries than [`LIST_ENTRIES_MAX`].
    #[error("the access list has more than n_entries_max={LIST_ENTRIES_MAX} entries")]
    TooLarge,
}

/// The prefixes of the chain's own fields.
static SYSTEM_PREFIXES: LazyLock<[FieldPrefix; 4]> =
    LazyLock::new(|| [0, 1, 2, 3].map(|field| FieldPrefix::new(&SYSTEM, field)));

/// The hash of a key of the chain's own.
#[must_use]
pub fn system_hash(field: u8, key: &[u8; 32]) -> KeyHash {
    KeyHash::of(&SYSTEM_PREFIXES[usize::from(field)], key)
}

/// Derives the access list of a transaction. Runs no code; about 500 ns for a token transfer.
///
/// # Errors
/// [`AccessError`]; the transaction then belongs in the tail lane.
pub fn derive_list(
    tx: &Transaction,
    contracts: &ContractSet,
    prices: &Prices,
) -> Result<AccessList, AccessError> {
    let mut builder = Builder::new(contracts);
    builder.fee(tx, prices);
    for (action, what) in tx.actions.iter().enumerate() {
        match what {
            Action::Call { contract, method, args } => {
                derive::derive(contracts, &tx.sender, contract, *method, args, &mut builder)
                    .map_err(|source| AccessError::Derive { action, source })?;
            }
            Action::Transfer { to, .. } => {
                builder.system(AccessKind::Write, system_field::BALANCE, &tx.sender);
                builder.system(AccessKind::Add, system_field::BALANCE, to);
            }
            Action::Deploy { .. } => return Err(AccessError::Deployment),
        }
    }
    for entry in &tx.access {
        let hash = entry.key.hash();
        builder.insert(entry.kind, &entry.key.contract, entry.key.field, &entry.key.key, hash);
    }
    if builder.overflow { Err(AccessError::TooLarge) } else { Ok(builder.list) }
}

/// The list of a transaction that is looked at and refused: what paying for that touches.
pub(crate) fn fee_list(tx: &Transaction, prices: &Prices) -> AccessList {
    let contracts = ContractSet::default();
    let mut builder = Builder::new(&contracts);
    builder.fee(tx, prices);
    builder.list
}

/// Above this many entries, keys are found through a map instead of one after the other.
/// An estimate: a comparison takes a nanosecond or two, a look-up in a map and its hash far more.
pub(crate) const LINEAR_MAX: usize = 24;

struct Builder<'a> {
    contracts: &'a ContractSet,
    /// The contract that was asked for last: a template touches one contract several times.
    last: Option<&'a Contract>,
    list: AccessList,
    index: KeyMap<u32>,
    overflow: bool,
}

impl<'a> Builder<'a> {
    fn new(contracts: &'a ContractSet) -> Self {
        let list = AccessList { cells: Vec::with_capacity(4), dynamic: false };
        Self { contracts, last: None, list, index: KeyMap::default(), overflow: false }
    }

    fn contract(&mut self, address: &Address) -> Option<&'a Contract> {
        if self.last.is_none_or(|last| last.address != *address) {
            self.last = self.contracts.get(address);
        }
        self.last
    }

    /// What a fee touches.
    fn fee(&mut self, tx: &Transaction, prices: &Prices) {
        if prices.gas > 0 {
            self.system(AccessKind::Write, system_field::BALANCE, &tx.sender);
            self.system(AccessKind::Add, system_field::BALANCE, &prices.collector);
        }
    }

    fn system(&mut self, kind: AccessKind, field: u8, key: &Address) {
        self.insert(kind, &SYSTEM, field, &key.0, system_hash(field, &key.0));
    }

    fn insert(
        &mut self,
        kind: AccessKind,
        contract: &Address,
        field: u8,
        key: &[u8],
        hash: KeyHash,
    ) {
        if let Some(at) = self.find(&hash) {
            let cell = &mut self.list.cells[at];
            cell.kind = cell.kind.join(kind);
            return;
        }
        if self.list.cells.len() == LIST_ENTRIES_MAX {
            self.overflow = true;
            return;
        }
        self.list.cells.push(Cell::new(StateKey::new(*contract, field, key), hash, kind));
    }

    fn find(&mut self, hash: &KeyHash) -> Option<usize> {
        let cells = &self.list.cells;
        if cells.len() <= LINEAR_MAX {
            return cells.iter().position(|cell| cell.hash == *hash);
        }
        // Cells are only ever appended, so the map catches up with those it has not seen.
        for (at, cell) in (0u32..).zip(cells).skip(self.index.len()) {
            self.index.insert(cell.hash, at);
        }
        self.index.get(hash).map(|&at| at as usize)
    }
}

impl Sink for Builder<'_> {
    fn call(&mut self, contract: &Address) {
        let hash = match self.contract(contract) {
            Some(contract) => contract.record_hash,
            None => system_hash(system_field::CONTRACT, &contract.0),
        };
        self.insert(AccessKind::Read, &SYSTEM, system_field::CONTRACT, &contract.0, hash);
    }

    fn touch(&mut self, kind: AccessKind, contract: &Address, field: u8, key: &[u8]) {
        let prefix = match self.contract(contract) {
            Some(contract) => contract.prefix(field),
            None => FieldPrefix::new(contract, field),
        };
        self.insert(kind, contract, field, key, KeyHash::of(&prefix, key));
    }

    fn dynamic(&mut self, _: &Address) {
        self.list.dynamic = true;
    }
}
