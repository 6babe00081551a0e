//! Interfaces: methods that contracts share, so that a callee can be any contract that has them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::abi::{Method, MethodKind};
use crate::def::{ContractDef, InterfaceDef, InterfaceMethodDef, MethodDef, MethodKindDef};
use crate::section::interface_to_vec;
use crate::types::{Type, TypeDef};

/// Methods that contracts share.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Interface {
    /// The name.
    pub name: String,
    /// The methods.
    pub methods: Vec<InterfaceMethod>,
}

/// A method of an interface.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct InterfaceMethod {
    /// The name.
    pub name: String,
    /// Whether it only reads.
    pub view: bool,
    /// The types of the parameters.
    pub params: Vec<Type>,
    /// The type of the result.
    pub returns: Type,
}

/// Which interface: the first eight bytes of the blake3 hash of its canonical encoding, so of its
/// name and its methods' names, parameters, results and kinds.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct InterfaceId(pub [u8; 8]);

impl InterfaceId {
    fn of(encoding: &[u8]) -> Self {
        let hash = blake3::hash(encoding);
        let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
        Self([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Display for InterfaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Interface {
    /// The identifier.
    ///
    /// # Panics
    /// Never: writing to memory does not fail.
    #[must_use]
    pub fn id(&self) -> InterfaceId {
        InterfaceId::of(&borsh::to_vec(self).expect("memory takes every byte"))
    }

    /// Whether the methods are those of the interface; if not, why.
    pub(crate) fn check(&self, methods: &[Method]) -> Result<(), String> {
        self.methods.iter().try_for_each(|wanted| {
            let is = |method: &&Method| {
                let kind = match method.kind {
                    MethodKind::Init | MethodKind::Migrate => false,
                    MethodKind::Call => !wanted.view,
                    MethodKind::View => true,
                };
                kind && method.name == wanted.name
                    && method.returns == wanted.returns
                    && method.params.iter().map(|param| &param.ty).eq(&wanted.params)
            };
            match methods.iter().find(is) {
                Some(_) => Ok(()),
                None => Err(format!(
                    "the contract does not have method `{}` as interface `{}` has it",
                    wanted.name, self.name
                )),
            }
        })
    }
}

impl InterfaceDef {
    /// The identifier.
    #[must_use]
    pub fn id(&self) -> InterfaceId {
        InterfaceId::of(&interface_to_vec(self))
    }

    /// The first method of the interface that the contract does not have: with the same name,
    /// parameters and result, and reading only if the interface says so.
    #[must_use]
    pub const fn missing_in(&self, contract: &ContractDef) -> Option<&'static str> {
        let mut i = 0;
        while i < self.methods.len() {
            let (mut found, mut j) = (false, 0);
            while j < contract.methods.len() {
                found = found || is_method(&self.methods[i], &contract.methods[j]);
                j += 1;
            }
            if !found {
                return Some(self.methods[i].name);
            }
            i += 1;
        }
        None
    }
}

const fn is_method(wanted: &InterfaceMethodDef, method: &MethodDef) -> bool {
    let kind = match method.kind {
        MethodKindDef::Init | MethodKindDef::Migrate => false,
        MethodKindDef::Call => !wanted.view,
        MethodKindDef::View => true,
    };
    if !kind || !same_text(wanted.name, method.name) || !same(wanted.returns, method.returns) {
        return false;
    }
    let mut i = 0;
    while i < wanted.params.len() && i < method.params.len() {
        if !same(wanted.params[i], method.params[i].1) {
            return false;
        }
        i += 1;
    }
    wanted.params.len() == method.params.len()
}

pub(crate) const fn same_text(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    a.len() == b.len()
}

/// Whether two types are one: by their canonical encoding, which names every part.
const fn same(a: &TypeDef, b: &TypeDef) -> bool {
    crate::section::same_type(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AbiType;

    const WANTED: InterfaceDef = InterfaceDef {
        name: "Counting",
        methods: &[InterfaceMethodDef {
            name: "count",
            view: true,
            params: &[<(u64, String)>::TYPE],
            returns: u64::TYPE,
        }],
    };

    const fn contract(
        name: &'static str,
        kind: MethodKindDef,
        params: &'static [(&'static str, &'static TypeDef)],
        returns: &'static TypeDef,
    ) -> MethodDef {
        MethodDef { name, doc: "", kind, params, returns, error: None, access: &[] }
    }

    #[test]
    fn only_the_same_method_counts() {
        const PARAM: &[(&str, &TypeDef)] = &[("of", <(u64, String)>::TYPE)];
        const OTHER: &[(&str, &TypeDef)] = &[("of", <(u64, u64)>::TYPE)];
        let cases = [
            (contract("count", MethodKindDef::View, PARAM, u64::TYPE), true),
            (contract("count", MethodKindDef::Call, PARAM, u64::TYPE), false),
            (contract("counts", MethodKindDef::View, PARAM, u64::TYPE), false),
            (contract("count", MethodKindDef::View, OTHER, u64::TYPE), false),
            (contract("count", MethodKindDef::View, &[], u64::TYPE), false),
            (contract("count", MethodKindDef::View, PARAM, u32::TYPE), false),
        ];
        for (method, fits) in cases {
            let methods = std::vec![method].leak();
            let def = ContractDef {
                name: "C",
                doc: "",
                fields: &[],
                methods,
                interfaces: std::vec![&WANTED].leak(),
            };
            assert_eq!(WANTED.missing_in(&def), (!fits).then_some("count"), "{method:?}");
            // The host comes to the same verdict as the compiler.
            let abi = crate::Abi::decode(&crate::section::contract_to_vec(&def));
            assert_eq!(abi.is_ok(), fits, "{abi:?}");
        }
    }

    #[test]
    fn both_forms_have_one_identifier() {
        let owned: Interface = borsh::from_slice(&interface_to_vec(&WANTED)).unwrap();
        assert_eq!(owned.id(), WANTED.id());
        assert_eq!(WANTED.id().to_string(), "0xf53c710cc9bf1d17");
    }
}
