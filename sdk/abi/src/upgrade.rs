//! What an upgrade changes: the new code of a contract against the old.
//!
//! A contract's state and its callers stay when its code is replaced. So the fields that hold something
//! must mean what they meant, and whoever calls a method that stays should touch no more than before. Both
//! follow from the two ABIs; the host decides with [`check`], and tools show [`methods`], [`fields`], [`events`] and
//! [`interfaces`] before. What the new code *does* does not follow from them.

mod clients;
mod cover;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use borsh::io::{self, Read};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::types::{AbiType, Member, Type, TypeDef};
pub use clients::{EventChange, events, interfaces};

use crate::{Abi, AccessKind, Address, CellKind, Clause, Field, Hash, Method, MethodKind};

/// The method that the host calls of an upgrade authority that is a contract: with one parameter,
/// [`UpgradeTerms`], and no result. If it succeeds the upgrade goes on, in the same transaction; if it
/// fails, so does the upgrade. Its caller is [`Address::ZERO`], for which nobody can sign and which is no
/// contract, so that the method can tell the host from everybody else.
pub const AUTHORIZE: &str = "authorize_upgrade";

/// An upgrade, as its authority is asked about it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct UpgradeTerms {
    /// The contract.
    pub contract: Address,
    /// The blake3 hash of the new wasm.
    pub code: Hash,
    /// The encoded arguments of the new code's `migrate`.
    pub args: Vec<u8>,
    /// Whether methods may touch more than before, or go away, and clients find something else; see
    /// [`Change::is_wider`] and [`check`].
    pub allow_wider: bool,
    /// Who may upgrade the contract from then on; nobody if `None`.
    pub authority: Option<Address>,
}

impl AbiType for UpgradeTerms {
    const TYPE: &'static TypeDef = &TypeDef::Struct(
        "UpgradeTerms",
        &[
            ("contract", Address::TYPE),
            ("code", Hash::TYPE),
            ("args", <Vec<u8>>::TYPE),
            ("allow_wider", bool::TYPE),
            ("authority", <Option<Address>>::TYPE),
        ],
    );

    #[inline(always)]
    fn read<R: Read>(reader: &mut R) -> io::Result<Self> {
        Ok(Self {
            contract: AbiType::read(reader)?,
            code: AbiType::read(reader)?,
            args: AbiType::read(reader)?,
            allow_wider: AbiType::read(reader)?,
            authority: AbiType::read(reader)?,
        })
    }
}

/// How a method differs from the one with its name in the old code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "std", derive(serde::Serialize))]
#[cfg_attr(feature = "std", serde(rename_all = "lowercase"))]
pub enum Change {
    /// Any call has the same access list.
    Equal,
    /// Any call has a list that the old one covers.
    Narrower,
    /// Some call may have a list with more.
    Wider,
    /// It takes or returns something else, an error has gone or has another name or code, or a view has become a
    /// method that may write: callers that know the old method fail or misread it.
    Signature,
    /// There was none with its name. Nobody calls it yet, except who knows it from code before the old one, out of which
    /// it could only be taken with permission.
    New,
    /// There is none any more: calls of it fail. That needs permission because the name can come back as a method
    /// that is compared with nothing.
    Removed,
}

impl Change {
    /// Whether it asks more of those who call the method today: only then does it need to be allowed.
    #[must_use]
    pub const fn is_wider(self) -> bool {
        matches!(self, Self::Wider | Self::Signature | Self::Removed)
    }
}

/// A method in the old code, the new code, or both.
#[derive(Clone, Copy, Debug)]
pub struct MethodChange<'a> {
    /// What becomes of it.
    pub change: Change,
    /// As it was.
    pub old: Option<&'a Method>,
    /// As it will be.
    pub new: Option<&'a Method>,
}

/// What becomes of each method, in the new code's order, those that are removed behind them. `init` and
/// `migrate`, which nobody can call, are left out.
///
/// "Narrower" and "equal" are proved clause by clause, from the templates as they stand: a template that says
/// the same in other words may be found wider, never the other way round. What a callee's template adds
/// is the same on both sides. Cost: `n log n` in the clauses.
#[must_use]
pub fn methods<'a>(old: &'a Abi, new: &'a Abi) -> Vec<MethodChange<'a>> {
    let callable = |method: &&Method| matches!(method.kind, MethodKind::Call | MethodKind::View);
    let mut before: BTreeMap<&str, &Method> =
        old.methods.iter().filter(callable).map(|method| (&*method.name, method)).collect();
    let mut changes = Vec::new();
    for new in new.methods.iter().filter(callable) {
        let old = before.remove(&*new.name);
        let change = old.map_or(Change::New, |old| change(old, new));
        changes.push(MethodChange { change, old, new: Some(new) });
    }
    for old in old.methods.iter().filter(|method| before.contains_key(&*method.name)) {
        changes.push(MethodChange { change: Change::Removed, old: Some(old), new: None });
    }
    changes
}

fn change(old: &Method, new: &Method) -> Change {
    let params = old.params.iter().zip(&new.params).all(|(old, new)| extends(&old.ty, &new.ty));
    let same = params
        && old.params.len() == new.params.len()
        && old.returns == new.returns
        && clients::keeps_errors(old.error.as_deref(), new.error.as_deref());
    if !same || (old.kind == MethodKind::View && new.kind == MethodKind::Call) {
        return Change::Signature;
    }
    match (cover::covers(&old.access, &new.access), cover::covers(&new.access, &old.access)) {
        (true, true) => Change::Equal,
        (true, false) => Change::Narrower,
        (false, _) => Change::Wider,
    }
}

/// A field of the old code that the new one does not keep as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange<'a> {
    /// Its number.
    pub number: u8,
    /// As it was.
    pub old: &'a Field,
    /// What stands at its number now, if anything.
    pub new: Option<&'a Field>,
    /// Whether the new code's `migrate` declares that it writes the field, or is dynamic.
    pub migrated: bool,
}

/// The old fields that are not kept.
///
/// A field is kept if its number, its name, what its cells are, and the types of its keys and its value are
/// the same; enums in the value's type may have more variants behind the old ones. New fields stand behind the
/// old ones: nothing was ever stored under their numbers.
#[must_use]
pub fn fields<'a>(old: &'a Abi, new: &'a Abi) -> Vec<FieldChange<'a>> {
    let migrate = new.methods.iter().find(|method| method.kind == MethodKind::Migrate);
    let clauses = migrate.map(|migrate| &*migrate.access).unwrap_or_default();
    let fields = (0..=u8::MAX).zip(&old.fields).map(|(number, old)| {
        let now = new.fields.get(usize::from(number));
        FieldChange { number, old, new: now, migrated: writes(clauses, number) }
    });
    fields.filter(|change| !change.new.is_some_and(|new| keeps(change.old, new))).collect()
}

impl FieldChange<'_> {
    /// Whether the migration makes up for it. A field can only be migrated to one at its number, because what
    /// is stored under a number that nothing has would turn up in a later field; and what an immutable was
    /// set to stays, as do the items of a log.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        self.migrated && is_mutable(self.old) && self.new.is_some_and(is_mutable)
    }
}

fn is_mutable(field: &Field) -> bool {
    !matches!(field.cell, CellKind::Immutable | CellKind::Log)
}

fn keeps(old: &Field, new: &Field) -> bool {
    (&old.name, old.cell, &old.keys) == (&new.name, new.cell, &new.keys)
        && extends(&old.value, &new.value)
}

/// Whether a template may write some cell of a field.
fn writes(clauses: &[Clause], number: u8) -> bool {
    clauses.iter().any(|clause| match clause {
        Clause::Touch { kind, field, .. } => *kind == AccessKind::Write && *field == number,
        Clause::Each { clauses, .. } => writes(clauses, number),
        Clause::Dynamic => true,
        Clause::Call { .. }
        | Clause::Start { .. }
        | Clause::Unless { .. }
        | Clause::Reserve { .. } => false,
    })
}

/// Whether each value of the old type is the same value of the new one.
fn extends(old: &Type, new: &Type) -> bool {
    let members = |old: &[Member], new: &[Member]| {
        let mut pairs = old.iter().zip(new);
        old.len() == new.len() && pairs.all(|(a, b)| a.name == b.name && extends(&a.ty, &b.ty))
    };
    match (old, new) {
        (Type::Option(old), Type::Option(new)) | (Type::List(old), Type::List(new)) => {
            extends(old, new)
        }
        (Type::Array(old, n), Type::Array(new, m)) => n == m && extends(old, new),
        (Type::Tuple(old), Type::Tuple(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| extends(old, new))
        }
        (Type::Struct(old, a), Type::Struct(new, b)) => old == new && members(a, b),
        (Type::Enum(old, a), Type::Enum(new, b)) => {
            let same = |(a, b): (&crate::Variant, &crate::Variant)| {
                a.name == b.name && members(&a.fields, &b.fields)
            };
            old == new && a.len() <= b.len() && a.iter().zip(b).all(same)
        }
        (old, new) => old == new,
    }
}

/// Why new code cannot replace the old.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// A field would mean something else, and the migration does not write it.
    #[error(
        "field {number} `{name}` is not kept: keep its place, name and type, put new fields behind the old ones, or declare `write({name})` at `migrate`"
    )]
    Field {
        /// The number.
        number: u8,
        /// Its name in the old code.
        name: String,
    },
    /// A field is gone, or is or becomes an immutable or a log, which no migration makes up for.
    #[error(
        "field {number} `{name}` is gone, or is or becomes an immutable or a log: keep it as it was"
    )]
    Lost {
        /// The number.
        number: u8,
        /// Its name in the old code.
        name: String,
    },
    /// A method that stays may touch more than before, and that is not allowed.
    #[error("calls of `{method}` may touch more than before, and the upgrade does not allow wider")]
    Wider {
        /// The method.
        method: String,
    },
    /// A method takes or returns something else, or its errors are others, and that is not allowed.
    #[error(
        "`{method}` takes, returns or refuses with something else than before, or was a view, and the upgrade does not allow wider"
    )]
    Signature {
        /// The method.
        method: String,
    },
    /// A method is gone, and that is not allowed.
    #[error("`{method}` is gone, so calls of it fail, and the upgrade does not allow wider")]
    Removed {
        /// The method.
        method: String,
    },
    /// An event is gone or has other fields, and that is not allowed.
    #[error(
        "the event `{event}` is gone or has other fields, and the upgrade does not allow wider"
    )]
    Event {
        /// The event.
        event: String,
    },
    /// The contract no longer has an interface, and that is not allowed.
    #[error(
        "the interface `{interface}` is not the contract's any more, and the upgrade does not allow wider"
    )]
    Interface {
        /// The interface.
        interface: String,
    },
}

/// Whether new code can replace the old.
///
/// # Errors
/// [`Misfit`]: the first field that is lost, or without `allow_wider` the first method that is
/// [wider](Change::is_wider), or the first [event](events) or [interface](interfaces) that is not kept.
pub fn check(old: &Abi, new: &Abi, allow_wider: bool) -> Result<(), Misfit> {
    if let Some(lost) = fields(old, new).into_iter().find(|change| !change.is_covered()) {
        let (number, name) = (lost.number, lost.old.name.clone());
        let could = is_mutable(lost.old) && lost.new.is_some_and(is_mutable);
        return Err(if could {
            Misfit::Field { number, name }
        } else {
            Misfit::Lost { number, name }
        });
    }
    if allow_wider {
        return Ok(());
    }
    for MethodChange { change, old, new } in methods(old, new) {
        let method = || new.or(old).map(|method| method.name.to_string()).unwrap_or_default();
        match change {
            Change::Wider => return Err(Misfit::Wider { method: method() }),
            Change::Signature => return Err(Misfit::Signature { method: method() }),
            Change::Removed => return Err(Misfit::Removed { method: method() }),
            Change::Equal | Change::Narrower | Change::New => {}
        }
    }
    if let Some(change) = events(old, new).first() {
        return Err(Misfit::Event { event: change.old.name.clone() });
    }
    match interfaces(old, new).first() {
        Some(gone) => Err(Misfit::Interface { interface: gone.name.clone() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    /// A contract with one field, whose migration declares that it writes it.
    fn abi(cell: CellKind, keys: &[Type], value: Type) -> Abi {
        let field = Field { name: "f".into(), doc: "".into(), cell, keys: keys.into(), value };
        let migrate = Method {
            name: "migrate".into(),
            doc: "".into(),
            kind: MethodKind::Migrate,
            params: vec![],
            returns: Type::Unit,
            error: None,
            access: vec![Clause::Touch { kind: AccessKind::Write, field: 0, key: vec![] }],
        };
        Abi {
            allowances: Vec::new(),
            name: "C".into(),
            doc: "".into(),
            fields: vec![field],
            methods: vec![migrate],
            events: vec![],
            interfaces: vec![],
        }
    }

    /// A contract with a method `go` that has an error, an event and an interface of no methods.
    fn known(method: &str, error: &[(&str, u32)], event: &[Type], interface: &str) -> Abi {
        let case = |(name, code): &(&str, u32)| crate::ErrorCase {
            name: (*name).into(),
            code: *code,
            doc: "".into(),
        };
        let member = |ty: &Type| Member { name: "n".into(), ty: ty.clone() };
        let mut abi = abi(CellKind::Value, &[], Type::U64);
        abi.methods[0].name = method.into();
        abi.methods[0].kind = MethodKind::Call;
        let cases: Vec<_> = error.iter().map(case).collect();
        abi.methods[0].error = Some(crate::ErrorSet { name: "E".into(), cases }.into());
        let fields = event.iter().map(member).collect();
        abi.events = vec![crate::Event { name: "Went".into(), doc: "".into(), fields }];
        abi.interfaces = vec![crate::Interface { name: interface.into(), methods: vec![] }];
        abi
    }

    #[test]
    fn what_clients_know_stays_unless_wider_is_allowed() {
        let of = |error: &[(&str, u32)]| known("go", error, &[Type::U8], "I");
        let old = of(&[("A", 100), ("B", 101)]);
        let signature = || Misfit::Signature { method: "go".into() };
        let removed = Misfit::Removed { method: "go".into() };
        let event = || Misfit::Event { event: "Went".into() };
        let mut silent = old.clone();
        silent.events.clear();
        let mut alone = old.clone();
        alone.interfaces.clear();
        let errors = &[("A", 100), ("B", 101)][..];
        let interface = || Misfit::Interface { interface: "I".into() };
        for (new, expected) in [
            (of(&[("B", 101), ("A", 100), ("C", 102)]), None),
            (of(&[("A", 100), ("Other", 101)]), Some(signature())),
            (of(&[("A", 100), ("B", 102)]), Some(signature())),
            (of(&[("A", 100)]), Some(signature())),
            (known("went", errors, &[Type::U8], "I"), Some(removed)),
            (known("go", errors, &[Type::U16], "I"), Some(event())),
            (known("go", errors, &[Type::U8, Type::U8], "I"), Some(event())),
            (silent.clone(), Some(event())),
            (known("go", errors, &[Type::U8], "J"), Some(interface())),
            (alone.clone(), Some(interface())),
        ] {
            assert_eq!(check(&old, &new, false).err(), expected, "{new:?}");
            assert_eq!(check(&old, &new, true), Ok(()), "{new:?}");
        }
        for less in [silent, alone] {
            assert_eq!(check(&less, &old, false), Ok(()), "more is nobody's to refuse");
        }
    }

    /// Else a migration could write what a later code takes for an item, or for a length.
    #[test]
    fn no_migration_makes_a_log_something_else_or_something_else_a_log() {
        let [value, counter] = [CellKind::Value, CellKind::Counter].map(|c| abi(c, &[], Type::U64));
        let log = abi(CellKind::Log, &[], Type::U64);
        assert_eq!(check(&value, &counter, true), Ok(()));
        assert_eq!(check(&log, &log, false), Ok(()));
        let lost = Err(Misfit::Lost { number: 0, name: "f".into() });
        assert_eq!(check(&log, &value, true), lost);
        assert_eq!(check(&counter, &log, true), lost);
        assert_eq!(check(&log, &abi(CellKind::Log, &[], Type::U32), true), lost);
        assert_eq!(check(&log, &abi(CellKind::Log, &[Type::U8], Type::U64), true), lost);
    }
}
