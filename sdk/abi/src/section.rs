//! The custom section that carries the ABI: encoded in constants, at compile time.
//!
//! The section is a sequence of records, in any order:
//!
//! ```text
//! tag: u8 (0 contract, 1 event, 2 allowance) | length: u32, little-endian |
//!     payload: borsh of Abi, Event or Allowance
//! ```
//!
//! A module has exactly one contract record. Allowances are not for the chain, only for the linter. Events are records of their own because the macro that
//! sees an event does not see the contract; the linker concatenates sections of one name.

use alloc::vec::Vec;

use crate::def::{
    AllowanceDef, ClauseDef, ContractDef, ErrorSetDef, EventDef, ExprDef, FieldDef, InterfaceDef,
    MethodDef,
};
use crate::interface::same_text;
use crate::types::TypeDef;

/// The name of the custom section.
pub const SECTION_NAME: &str = "kempe.abi";

/// The version of the section's format, the first byte of a contract record.
pub const FORMAT_VERSION: u8 = 2;

pub(crate) const TAG_CONTRACT: u8 = 0;
pub(crate) const TAG_EVENT: u8 = 1;
pub(crate) const TAG_ALLOWANCE: u8 = 2;

/// A fixed buffer that constant functions write to; with `N == 0` it only counts.
struct Writer<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

type Members = [(&'static str, &'static TypeDef)];

#[allow(clippy::cast_possible_truncation, reason = "positions and lengths are far below 4 Gi")]
impl<const N: usize> Writer<N> {
    const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    const fn u8(&mut self, value: u8) {
        if N > 0 {
            self.bytes[self.len] = value;
        }
        self.len += 1;
    }

    const fn raw(&mut self, bytes: &[u8]) {
        let mut i = 0;
        while i < bytes.len() {
            self.u8(bytes[i]);
            i += 1;
        }
    }

    const fn u32(&mut self, value: u32) {
        self.raw(&value.to_le_bytes());
    }

    const fn blob(&mut self, bytes: &[u8]) {
        self.u32(bytes.len() as u32);
        self.raw(bytes);
    }

    const fn ty(&mut self, ty: &TypeDef) {
        let tag = match ty {
            TypeDef::Unit => 0,
            TypeDef::Bool => 1,
            TypeDef::U8 => 2,
            TypeDef::U16 => 3,
            TypeDef::U32 => 4,
            TypeDef::U64 => 5,
            TypeDef::U128 => 6,
            TypeDef::I8 => 7,
            TypeDef::I16 => 8,
            TypeDef::I32 => 9,
            TypeDef::I64 => 10,
            TypeDef::I128 => 11,
            TypeDef::String => 12,
            TypeDef::Address => 13,
            TypeDef::Hash => 14,
            TypeDef::Option(_) => 15,
            TypeDef::List(_) => 16,
            TypeDef::Array(..) => 17,
            TypeDef::Tuple(_) => 18,
            TypeDef::Struct(..) => 19,
            TypeDef::Enum(..) => 20,
        };
        self.u8(tag);
        match ty {
            TypeDef::Option(inner) | TypeDef::List(inner) => self.ty(inner),
            TypeDef::Array(inner, n) => {
                self.ty(inner);
                self.u32(*n);
            }
            TypeDef::Tuple(members) => self.types(members),
            TypeDef::Struct(name, fields) => {
                self.blob(name.as_bytes());
                self.members(fields);
            }
            TypeDef::Enum(name, variants) => {
                self.blob(name.as_bytes());
                self.u32(variants.len() as u32);
                let mut i = 0;
                while i < variants.len() {
                    self.blob(variants[i].0.as_bytes());
                    self.members(variants[i].1);
                    i += 1;
                }
            }
            _ => {}
        }
    }

    const fn types(&mut self, types: &[&TypeDef]) {
        self.u32(types.len() as u32);
        let mut i = 0;
        while i < types.len() {
            self.ty(types[i]);
            i += 1;
        }
    }

    const fn members(&mut self, members: &Members) {
        self.u32(members.len() as u32);
        let mut i = 0;
        while i < members.len() {
            self.blob(members[i].0.as_bytes());
            self.ty(members[i].1);
            i += 1;
        }
    }

    const fn field(&mut self, field: &FieldDef) {
        self.blob(field.name.as_bytes());
        self.blob(field.doc.as_bytes());
        self.u8(field.cell as u8);
        self.types(field.keys);
        self.ty(field.value);
    }

    const fn method(&mut self, contract: &ContractDef, method: &MethodDef) {
        self.blob(method.name.as_bytes());
        self.blob(method.doc.as_bytes());
        self.u8(method.kind as u8);
        self.members(method.params);
        self.ty(method.returns);
        match method.error {
            None => self.u8(0),
            Some(set) => {
                self.u8(1);
                self.u32(error_index(contract, set));
            }
        }
        self.clauses(method.access);
    }

    /// The error sets of all methods, each once.
    const fn errors(&mut self, contract: &ContractDef) {
        let (mut n, mut i) = (0, 0);
        while i < contract.methods.len() {
            if let Some(set) = first_error(contract, i) {
                n = error_index(contract, set) + 1;
            }
            i += 1;
        }
        self.u32(n);
        i = 0;
        while i < contract.methods.len() {
            if let Some(set) = first_error(contract, i) {
                self.error_set(set);
            }
            i += 1;
        }
    }

    const fn error_set(&mut self, set: &ErrorSetDef) {
        self.blob(set.name.as_bytes());
        self.u32(set.cases.len() as u32);
        let mut i = 0;
        while i < set.cases.len() {
            self.blob(set.cases[i].0.as_bytes());
            self.u32(set.cases[i].1);
            self.blob(set.cases[i].2.as_bytes());
            i += 1;
        }
    }

    const fn clauses(&mut self, clauses: &[ClauseDef]) {
        self.u32(clauses.len() as u32);
        let mut i = 0;
        while i < clauses.len() {
            match &clauses[i] {
                ClauseDef::Touch { kind, field, key } => {
                    self.u8(0);
                    self.u8(*kind as u8);
                    self.u8(*field);
                    self.exprs(key);
                }
                ClauseDef::Call { callee, method, args } => {
                    self.u8(1);
                    self.expr(callee);
                    self.blob(method.as_bytes());
                    self.exprs(args);
                }
                ClauseDef::Each { list, clauses } => {
                    self.u8(2);
                    self.expr(list);
                    self.clauses(clauses);
                }
                ClauseDef::Dynamic => self.u8(3),
                ClauseDef::Reserve { field, key, amount, floor } => {
                    self.u8(5);
                    self.u8(*field);
                    self.exprs(key);
                    self.expr(amount);
                    self.expr(floor);
                }
                ClauseDef::Start { field, key } => {
                    self.u8(4);
                    self.u8(*field);
                    self.exprs(key);
                }
                ClauseDef::Unless { field, key } => {
                    self.u8(6);
                    self.u8(*field);
                    self.exprs(key);
                }
            }
            i += 1;
        }
    }

    const fn exprs(&mut self, exprs: &[ExprDef]) {
        self.u32(exprs.len() as u32);
        let mut i = 0;
        while i < exprs.len() {
            self.expr(&exprs[i]);
            i += 1;
        }
    }

    const fn expr(&mut self, expr: &ExprDef) {
        match expr {
            ExprDef::Caller => self.u8(0),
            ExprDef::This => self.u8(1),
            ExprDef::Param(index) => {
                self.u8(2);
                self.u8(*index);
            }
            ExprDef::Member(of, name) => {
                self.u8(3);
                self.expr(of);
                self.blob(name.as_bytes());
            }
            ExprDef::Element => self.u8(4),
            ExprDef::Literal(bytes) => {
                self.u8(5);
                self.blob(bytes);
            }
            ExprDef::Immutable(field) => {
                self.u8(6);
                self.u8(*field);
            }
            ExprDef::Hash(parts) => {
                self.u8(7);
                self.exprs(parts);
            }
            ExprDef::Tuple(parts) => {
                self.u8(8);
                self.exprs(parts);
            }
            ExprDef::Open => self.u8(9),
            ExprDef::Shard(of, shards) => {
                self.u8(10);
                self.expr(of);
                self.u8(*shards);
            }
        }
    }

    const fn contract(&mut self, contract: &ContractDef) {
        self.u8(FORMAT_VERSION);
        self.blob(contract.name.as_bytes());
        self.blob(contract.doc.as_bytes());
        self.u32(contract.fields.len() as u32);
        let mut i = 0;
        while i < contract.fields.len() {
            self.field(&contract.fields[i]);
            i += 1;
        }
        self.errors(contract);
        self.u32(contract.methods.len() as u32);
        let mut i = 0;
        while i < contract.methods.len() {
            self.method(contract, &contract.methods[i]);
            i += 1;
        }
        self.u32(contract.interfaces.len() as u32);
        let mut i = 0;
        while i < contract.interfaces.len() {
            self.interface(contract.interfaces[i]);
            i += 1;
        }
    }

    const fn interface(&mut self, interface: &InterfaceDef) {
        self.blob(interface.name.as_bytes());
        self.u32(interface.methods.len() as u32);
        let mut i = 0;
        while i < interface.methods.len() {
            let method = &interface.methods[i];
            self.blob(method.name.as_bytes());
            self.u8(method.view as u8);
            self.types(method.params);
            self.ty(method.returns);
            i += 1;
        }
    }

    const fn event(&mut self, event: &EventDef) {
        self.blob(event.name.as_bytes());
        self.blob(event.doc.as_bytes());
        self.members(event.fields);
    }

    const fn allowance(&mut self, allowance: &AllowanceDef) {
        self.blob(allowance.method.as_bytes());
        self.blob(allowance.rule.as_bytes());
        self.blob(allowance.reason.as_bytes());
    }

    const fn record(&mut self, tag: u8, payload_len: usize) {
        self.u8(tag);
        self.u32(payload_len as u32);
    }
}

/// The error set of the method at `at`, unless an earlier method has the same.
const fn first_error(contract: &ContractDef, at: usize) -> Option<&'static ErrorSetDef> {
    let Some(set) = contract.methods[at].error else { return None };
    let mut i = 0;
    while i < at {
        if let Some(earlier) = contract.methods[i].error
            && same_errors(earlier, set)
        {
            return None;
        }
        i += 1;
    }
    Some(set)
}

/// The position of an error set among those that differ.
const fn error_index(contract: &ContractDef, set: &ErrorSetDef) -> u32 {
    let (mut index, mut i) = (0, 0);
    while i < contract.methods.len() {
        if let Some(first) = first_error(contract, i) {
            if same_errors(first, set) {
                return index;
            }
            index += 1;
        }
        i += 1;
    }
    panic!("a set of errors is that of a method")
}

const fn same_errors(a: &ErrorSetDef, b: &ErrorSetDef) -> bool {
    if !same_text(a.name, b.name) || a.cases.len() != b.cases.len() {
        return false;
    }
    let mut i = 0;
    while i < a.cases.len() {
        if a.cases[i].1 != b.cases[i].1 || !same_text(a.cases[i].0, b.cases[i].0) {
            return false;
        }
        i += 1;
    }
    true
}

/// Whether two types have one encoding.
pub(crate) const fn same_type(a: &TypeDef, b: &TypeDef) -> bool {
    let (mut x, mut y) = (Writer::<TYPE_BYTES_MAX>::new(), Writer::<TYPE_BYTES_MAX>::new());
    x.ty(a);
    y.ty(b);
    let mut i = 0;
    while i < x.len && i < y.len {
        if x.bytes[i] != y.bytes[i] {
            return false;
        }
        i += 1;
    }
    x.len == y.len
}

const RECORD_HEADER: usize = 5;

/// The length in bytes of the record of a contract.
#[must_use]
pub const fn contract_len(def: &ContractDef) -> usize {
    let mut counter = Writer::<0>::new();
    counter.contract(def);
    RECORD_HEADER + counter.len
}

/// The record of a contract; `N` is [`contract_len`].
#[must_use]
pub const fn contract<const N: usize>(def: &ContractDef) -> [u8; N] {
    let mut writer = Writer::<N>::new();
    writer.record(TAG_CONTRACT, N - RECORD_HEADER);
    writer.contract(def);
    writer.bytes
}

/// The length in bytes of the record of an event.
#[must_use]
pub const fn event_len(def: &EventDef) -> usize {
    let mut counter = Writer::<0>::new();
    counter.event(def);
    RECORD_HEADER + counter.len
}

/// The record of an event; `N` is [`event_len`].
#[must_use]
pub const fn event<const N: usize>(def: &EventDef) -> [u8; N] {
    let mut writer = Writer::<N>::new();
    writer.record(TAG_EVENT, N - RECORD_HEADER);
    writer.event(def);
    writer.bytes
}

/// The length in bytes of the record of an allowance.
#[must_use]
pub const fn allowance_len(def: &AllowanceDef) -> usize {
    let mut counter = Writer::<0>::new();
    counter.allowance(def);
    RECORD_HEADER + counter.len
}

/// The record of an allowance; `N` is [`allowance_len`].
#[must_use]
pub const fn allowance<const N: usize>(def: &AllowanceDef) -> [u8; N] {
    let mut writer = Writer::<N>::new();
    writer.record(TAG_ALLOWANCE, N - RECORD_HEADER);
    writer.allowance(def);
    writer.bytes
}

/// Large enough for every type that a person writes; a larger one is a panic in a test or at
/// compile time, never on input.
const TYPE_BYTES_MAX: usize = 1 << 14;

pub(crate) fn encode_type_to_vec(def: &TypeDef) -> Vec<u8> {
    let mut writer = Writer::<TYPE_BYTES_MAX>::new();
    writer.ty(def);
    writer.bytes[..writer.len].to_vec()
}

/// The record of a contract, at run time. Native tests use it; wasm carries the constant one.
#[must_use]
pub fn contract_to_vec(def: &ContractDef) -> Vec<u8> {
    let mut writer = Writer::<{ 1 << 18 }>::new();
    writer.record(TAG_CONTRACT, contract_len(def) - RECORD_HEADER);
    writer.contract(def);
    writer.bytes[..writer.len].to_vec()
}

pub(crate) fn interface_to_vec(def: &InterfaceDef) -> Vec<u8> {
    let mut writer = Writer::<TYPE_BYTES_MAX>::new();
    writer.interface(def);
    writer.bytes[..writer.len].to_vec()
}
