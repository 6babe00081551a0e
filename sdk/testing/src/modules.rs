//! The compiled contracts of a test.

use std::collections::BTreeMap;

use kempe_abi::def::ContractDef;
use kempe_abi::{Abi, Field, Method, section};
use kempe_runtime::engine::admit;

/// Compiled contracts, by name and by what they declare.
#[derive(Clone, Debug)]
pub(crate) struct Modules(BTreeMap<String, Vec<(Abi, Vec<u8>)>>);

impl Modules {
    /// # Panics
    /// If a module is not admitted, or two declare the same.
    pub(crate) fn new(modules: &[&[u8]]) -> Self {
        let mut named: BTreeMap<String, Vec<(Abi, Vec<u8>)>> = BTreeMap::new();
        for wasm in modules {
            let abi = admit(wasm).unwrap_or_else(|refusal| panic!("{refusal}")).abi;
            let versions = named.entry(abi.name.clone()).or_default();
            let twice = versions.iter().any(|(other, _)| declare_the_same(other, &abi));
            assert!(!twice, "two modules are called `{}` and declare the same", abi.name);
            versions.push((abi, wasm.to_vec()));
        }
        Self(named)
    }

    /// The module of a contract, with what it says of itself: the only one with its name, or the one that
    /// declares the same.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn of(&self, def: &ContractDef) -> (&Abi, &[u8]) {
        let found = match self.0.get(def.name).map_or(&[][..], Vec::as_slice) {
            [only] => Some(only),
            versions => {
                let declared = Abi::decode(&section::contract_to_vec(def)).ok();
                let same = |abi| declared.as_ref().is_some_and(|d| declare_the_same(abi, d));
                versions.iter().find(|(abi, _)| same(abi))
            }
        };
        let found = found.map(|(abi, wasm)| (abi, wasm.as_slice()));
        found.unwrap_or_else(|| panic!("no module of the contract `{}` was given", def.name))
    }
}

/// Whether two contracts have the same fields and methods. What a module says of its errors, events and
/// interfaces is not all in a contract's own record.
fn declare_the_same(a: &Abi, b: &Abi) -> bool {
    let field = |field: &Field| {
        let Field { name, cell, keys, value, .. } = field.clone();
        (name, cell, keys, value)
    };
    let method = |method: &Method| {
        let Method { name, kind, params, returns, access, .. } = method.clone();
        (name, kind, params, returns, access)
    };
    a.fields.iter().map(field).eq(b.fields.iter().map(field))
        && a.methods.iter().map(method).eq(b.methods.iter().map(method))
}
