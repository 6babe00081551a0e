//! What the macros write down about a contract, as constants.
//!
//! Each definition has an owned counterpart that the host decodes ([`Abi`](crate::Abi) and its
//! parts), with the same fields in the same order; [`section`](crate::section) encodes one into the other.

use crate::access::AccessKind;
use crate::types::TypeDef;

/// A contract. Becomes an [`Abi`](crate::Abi).
#[derive(Clone, Copy, Debug)]
pub struct ContractDef {
    /// The name of the contract's struct.
    pub name: &'static str,
    /// The documentation of the struct.
    pub doc: &'static str,
    /// The storage fields, in order; the position is the field's number.
    pub fields: &'static [FieldDef],
    /// The methods, in order.
    pub methods: &'static [MethodDef],
    /// The interfaces that the contract says it has.
    pub interfaces: &'static [&'static InterfaceDef],
}

/// An interface: methods that contracts share. Becomes an [`Interface`](crate::Interface).
#[derive(Clone, Copy, Debug)]
pub struct InterfaceDef {
    /// The name of the trait.
    pub name: &'static str,
    /// The methods, in order.
    pub methods: &'static [InterfaceMethodDef],
}

/// A method of an interface. Becomes an [`InterfaceMethod`](crate::InterfaceMethod).
#[derive(Clone, Copy, Debug)]
pub struct InterfaceMethodDef {
    /// The name.
    pub name: &'static str,
    /// Whether it only reads.
    pub view: bool,
    /// The types of the parameters.
    pub params: &'static [&'static TypeDef],
    /// The type of the result.
    pub returns: &'static TypeDef,
}

/// A storage field. Becomes a [`Field`](crate::Field).
#[derive(Clone, Copy, Debug)]
pub struct FieldDef {
    /// The name.
    pub name: &'static str,
    /// The documentation.
    pub doc: &'static str,
    /// What a cell of the field is.
    pub cell: CellDef,
    /// The types of the keys; none for a field of one cell.
    pub keys: &'static [&'static TypeDef],
    /// The type of the value.
    pub value: &'static TypeDef,
}

/// Becomes a [`CellKind`](crate::CellKind).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellDef {
    /// Read and written.
    Value,
    /// Accumulated.
    Counter,
    /// Set once, at deployment.
    Immutable,
    /// Raised.
    Maximum,
    /// Lowered.
    Minimum,
    /// Added to, and taken from.
    Stock,
    /// Appended to.
    Log,
}

/// A method. Becomes a [`Method`](crate::Method).
#[derive(Clone, Copy, Debug)]
pub struct MethodDef {
    /// The name.
    pub name: &'static str,
    /// The documentation.
    pub doc: &'static str,
    /// Who may call it, and what for.
    pub kind: MethodKindDef,
    /// The parameters' names and types.
    pub params: &'static [(&'static str, &'static TypeDef)],
    /// The type of the result.
    pub returns: &'static TypeDef,
    /// The errors it reverts with.
    pub error: Option<&'static ErrorSetDef>,
    /// The access template.
    pub access: &'static [ClauseDef],
}

/// Becomes a [`MethodKind`](crate::MethodKind).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodKindDef {
    /// Runs once, at deployment.
    Init,
    /// Changes state.
    Call,
    /// Only reads.
    View,
    /// Runs once, when its code replaces another.
    Migrate,
}

/// An error enum. Becomes an [`ErrorSet`](crate::ErrorSet).
#[derive(Clone, Copy, Debug)]
pub struct ErrorSetDef {
    /// The name of the enum.
    pub name: &'static str,
    /// Names, codes and documentation.
    pub cases: &'static [(&'static str, u32, &'static str)],
}

/// An event. Becomes an [`Event`](crate::Event).
#[derive(Clone, Copy, Debug)]
pub struct EventDef {
    /// The name of the struct.
    pub name: &'static str,
    /// The documentation.
    pub doc: &'static str,
    /// The fields' names and types.
    pub fields: &'static [(&'static str, &'static TypeDef)],
}

/// Becomes a [`Clause`](crate::Clause).
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "each variant and field is documented at Clause")]
pub enum ClauseDef {
    Touch { kind: AccessKind, field: u8, key: &'static [ExprDef] },
    Call { callee: ExprDef, method: &'static str, args: &'static [ExprDef] },
    Each { list: ExprDef, clauses: &'static [Self] },
    Dynamic,
    Start { field: u8, key: &'static [ExprDef] },
    Reserve { field: u8, key: &'static [ExprDef], amount: ExprDef, floor: ExprDef },
    Unless { field: u8, key: &'static [ExprDef] },
}

/// A rule of the linter whose findings of a method stand. Becomes an [`Allowance`](crate::Allowance).
#[derive(Clone, Copy, Debug)]
pub struct AllowanceDef {
    /// The name of the method.
    pub method: &'static str,
    /// The rule, in the linter's word for it.
    pub rule: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// Becomes an [`Expr`](crate::Expr).
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "each variant is documented at Expr")]
pub enum ExprDef {
    Caller,
    This,
    Param(u8),
    Member(&'static Self, &'static str),
    Element,
    Literal(&'static [u8]),
    Immutable(u8),
    Hash(&'static [Self]),
    Tuple(&'static [Self]),
    Open,
    Shard(&'static Self, u8),
}
