//! The state of a native chain, and the access list of a call on it.

use std::collections::{BTreeMap, BTreeSet};

use kempe_abi::derive::{self, Contracts, Sink};
use kempe_abi::host::LIST_ENTRIES_MAX;
use kempe_abi::{
    Abi, AccessKind, Accumulate, Address, Bound, Escrow, MethodId, TrapKind, Type, section,
};

use super::backend::CodeSource;

/// The name of a cell: contract, field, encoded keys.
pub(crate) type Key = (Address, u8, Vec<u8>);

/// A deployed contract.
#[derive(Clone)]
pub(crate) struct Deployed {
    pub(crate) abi: Abi,
    pub(crate) code: CodeSource,
    /// Who may replace the code.
    pub(crate) authority: Option<Address>,
}

impl Deployed {
    pub(crate) fn new(code: CodeSource, authority: Option<Address>) -> Result<Self, TrapKind> {
        let record = section::contract_to_vec(code.def);
        let abi = Abi::decode(&record).map_err(|_| TrapKind::ModuleRefused)?;
        Ok(Self { abi, code, authority })
    }
}

/// Contracts, cells and the clock.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) contracts: BTreeMap<Address, Deployed>,
    pub(crate) cells: BTreeMap<Key, Vec<u8>>,
    /// What the cells that this block changed held before it.
    pub(crate) before: BTreeMap<Key, Option<Vec<u8>>>,
    pub(crate) height: u64,
    pub(crate) time_ms: u64,
}

impl World {
    pub(crate) fn change(&mut self, key: Key, value: Option<Vec<u8>>) {
        let had = match value {
            Some(value) => self.cells.insert(key.clone(), value),
            None => self.cells.remove(&key),
        };
        self.before.entry(key).or_insert(had);
    }

    /// The value before the block.
    pub(crate) fn at_start(&self, key: &Key) -> Option<Vec<u8>> {
        self.before.get(key).cloned().unwrap_or_else(|| self.cells.get(key).cloned())
    }

    /// Ends the block: the next one begins with the cells as they are.
    pub(crate) fn end_block(&mut self, block_ms: u64) {
        self.before.clear();
        self.height += 1;
        self.time_ms += block_ms;
    }

    /// What accumulates in the field, and the largest value; `None` if nothing does.
    pub(crate) fn accumulates(&self, contract: &Address, field: u8) -> Option<(Accumulate, u128)> {
        let field = self.contracts.get(contract)?.abi.fields.get(usize::from(field))?;
        let how = Accumulate::of(field.cell)?;
        let value = if how == Accumulate::Length { &Type::U64 } else { &field.value };
        Some((how, u128::MAX >> (128 - 8 * counter_bytes(value))))
    }
}

/// The length of a counter's value in bytes.
pub(super) fn counter_bytes(ty: &Type) -> usize {
    match ty {
        Type::U8 => 1,
        Type::U16 => 2,
        Type::U32 => 4,
        Type::U64 => 8,
        _ => 16,
    }
}

/// A counter's value from its bytes.
pub(crate) fn count(bytes: &[u8]) -> u128 {
    let mut wide = [0; 16];
    let len = bytes.len().min(16);
    wide[..len].copy_from_slice(&bytes[..len]);
    u128::from_le_bytes(wide)
}

/// The bytes of a counter's value whose largest value is `max`.
pub(crate) fn count_bytes(count: u128, max: u128) -> Vec<u8> {
    let len = (128 - max.leading_zeros() as usize) / 8;
    count.to_le_bytes()[..len].to_vec()
}

impl Contracts for World {
    fn abi(&self, contract: &Address) -> Option<&Abi> {
        self.contracts.get(contract).map(|deployed| &deployed.abi)
    }

    fn immutable(&self, contract: &Address, field: u8) -> Option<&[u8]> {
        self.cells.get(&(*contract, field, Vec::new())).map(Vec::as_slice)
    }
}

/// What a transaction declares.
#[derive(Clone, Default)]
pub(crate) struct List {
    pub(crate) cells: BTreeMap<Key, AccessKind>,
    /// The cells of stocks that are only taken from, and how much.
    pub(crate) bounds: BTreeMap<Key, Bound>,
    pub(crate) calls: BTreeSet<Address>,
    /// Whether a method also touches keys that only a run can name.
    pub(crate) is_dynamic: bool,
}

impl Sink for List {
    fn call(&mut self, contract: &Address) {
        self.calls.insert(*contract);
    }

    fn touch(&mut self, kind: AccessKind, contract: &Address, field: u8, key: &[u8]) {
        self.add((*contract, field, key.to_vec()), kind);
    }

    fn reserve(&mut self, contract: &Address, field: u8, key: &[u8], bound: Bound) {
        let key = (*contract, field, key.to_vec());
        let had = self.bounds.get(&key).copied();
        let is_first = !self.cells.contains_key(&key);
        self.add(key.clone(), AccessKind::Write);
        if let Some(had) = had {
            self.bounds.insert(key, had.join(bound));
        } else if is_first {
            self.bounds.insert(key, bound);
        }
    }

    fn dynamic(&mut self, _: &Address) {
        self.is_dynamic = true;
    }
}

impl List {
    /// The list of a call.
    pub(crate) fn derive(
        world: &World,
        caller: &Address,
        contract: &Address,
        method: &str,
        args: &[u8],
    ) -> Result<Self, TrapKind> {
        let mut list = Self::default();
        let method = MethodId::of(method);
        derive::derive(world, caller, contract, method, args, &mut list)
            .map_err(|error| error.trap())?;
        if list.n_entries() > LIST_ENTRIES_MAX { Err(TrapKind::ListTooLarge) } else { Ok(list) }
    }

    /// How many entries it has on a chain, where each contract that is called is one, too.
    pub(crate) fn n_entries(&self) -> usize {
        self.cells.len() + self.calls.len()
    }

    /// With anything else in the list for it, a stock is no longer only taken from.
    pub(crate) fn add(&mut self, key: Key, kind: AccessKind) {
        self.bounds.remove(&key);
        self.cells.entry(key).and_modify(|had| *had = had.join(kind)).or_insert(kind);
    }

    pub(crate) fn permits(&self, key: &Key, kind: AccessKind) -> bool {
        !self.bounds.contains_key(key)
            && self.cells.get(key).is_some_and(|declared| declared.permits(kind))
    }

    pub(crate) fn conflicts(&self, other: &Self) -> bool {
        self.cells
            .iter()
            .any(|(key, kind)| other.cells.get(key).is_some_and(|k| k.conflicts(*kind)))
    }
}

/// Lets those commute who take from a stock that has enough for all, as it is before the block.
pub(crate) fn relax(world: &World, lists: &mut [List]) {
    let mut escrows = BTreeMap::<Key, Escrow>::new();
    for list in lists.iter() {
        for (key, bound) in &list.bounds {
            escrows.entry(key.clone()).or_default().add(*bound);
        }
    }
    for list in lists.iter() {
        for (key, kind) in &list.cells {
            if *kind == AccessKind::Write && !list.bounds.contains_key(key) {
                escrows.entry(key.clone()).and_modify(Escrow::break_up);
            }
        }
    }
    escrows
        .retain(|key, escrow| escrow.holds(world.cells.get(key).map_or(0, |bytes| count(bytes))));
    for list in lists {
        for key in list.bounds.keys().filter(|key| escrows.contains_key(*key)) {
            list.cells.insert(key.clone(), AccessKind::Add);
        }
    }
}
