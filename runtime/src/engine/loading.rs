//! Contracts that are loaded when a derivation asks for them, so that nothing is derived again for each that nobody has met.

use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use hashbrown::HashMap;
use kempe_abi::derive::Contracts;
use kempe_abi::{Abi, Address, Method, MethodId};

use super::compile::Engine;
use super::contracts::{Contract, ContractSet, Find};
use crate::state::{StateRead, StoreError};

/// Those that were met before, and all others, from the state.
pub(crate) struct Loading<'a> {
    known: &'a ContractSet,
    engine: &'a Engine,
    state: &'a dyn StateRead,
    places: RefCell<HashMap<Address, usize>>,
    loaded: Shelves,
    /// The first failure of this node.
    fault: RefCell<Option<StoreError>>,
}

/// Places that are filled one after the other, and stay where they are, so that what is in them can be lent out: one, two, four, and so on.
#[derive(Default)]
struct Shelves([OnceCell<Box<[Place]>>; 32]);

type Place = OnceCell<Arc<Contract>>;

impl Shelves {
    fn place(&self, at: usize) -> &Place {
        let level = (at + 1).ilog2() as usize;
        let n_places = 1 << level;
        let shelf = self.0[level].get_or_init(|| vec![OnceCell::new(); n_places].into());
        &shelf[at + 1 - n_places]
    }
}

impl<'a> Loading<'a> {
    /// With nothing loaded yet.
    pub(crate) fn new(
        known: &'a ContractSet,
        engine: &'a Engine,
        state: &'a dyn StateRead,
    ) -> Self {
        let (places, loaded, fault) = Default::default();
        Self { known, engine, state, places, loaded, fault }
    }

    fn load(&self, address: &Address) -> Option<&Contract> {
        let found = Contract::load(self.engine, self.state, address).unwrap_or_else(|error| {
            self.fault.borrow_mut().get_or_insert(error);
            None
        });
        let mut places = self.places.borrow_mut();
        let at = places.len();
        let contract = Arc::new(found?);
        places.insert(*address, at);
        Some(self.loaded.place(at).get_or_init(|| contract))
    }

    /// What was loaded.
    ///
    /// # Errors
    /// The first [`StoreError`] of loading; what was derived means nothing then.
    pub(crate) fn finish(self) -> Result<Vec<Arc<Contract>>, StoreError> {
        if let Some(error) = self.fault.into_inner() {
            return Err(error);
        }
        let n_loaded = self.places.into_inner().len();
        Ok((0..n_loaded).filter_map(|at| self.loaded.place(at).get().cloned()).collect())
    }
}

impl Find for Loading<'_> {
    fn find(&self, address: &Address) -> Option<&Contract> {
        if let Some(known) = self.known.get(address) {
            return Some(known);
        }
        let at = self.places.borrow().get(address).copied();
        at.map_or_else(
            || self.load(address),
            |at| self.loaded.place(at).get().map(|found| &**found),
        )
    }
}

impl Contracts for Loading<'_> {
    fn abi(&self, contract: &Address) -> Option<&Abi> {
        self.find(contract).map(Contract::abi)
    }

    fn method(&self, contract: &Address, id: MethodId) -> Option<(&Abi, &Method)> {
        self.find(contract)?.method(id)
    }

    fn immutable(&self, contract: &Address, field: u8) -> Option<&[u8]> {
        self.find(contract)?.immutable(field)
    }
}
