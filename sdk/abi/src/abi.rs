//! The ABI of a contract, as the host decodes it from the wasm.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::access::{Clause, Expr};
use crate::accumulate::Accumulate;
use crate::address::MethodId;
use crate::interface::Interface;
use crate::section::{FORMAT_VERSION, TAG_ALLOWANCE, TAG_CONTRACT, TAG_EVENT};
use crate::types::{Member, Type};

/// Why the bytes of the custom section are not an ABI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AbiError {
    /// There is no contract record.
    #[error("the section has no contract record")]
    NoContract,
    /// There is more than one contract record.
    #[error("the section has more than one contract record")]
    SecondContract,
    /// The format is of another version.
    #[error("the section has format version {found}, this is version {FORMAT_VERSION}")]
    Version {
        /// The version found.
        found: u8,
    },
    /// A record is cut short, has an unknown tag or is not canonical.
    #[error("the record at byte {offset} is malformed")]
    Malformed {
        /// Where the record starts.
        offset: usize,
    },
    /// A name, number or reference is not consistent.
    #[error("{0}")]
    Inconsistent(String),
}

/// What a contract offers: its fields, methods, errors and events.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Abi {
    /// The name of the contract.
    pub name: String,
    /// Its documentation.
    pub doc: String,
    /// The storage fields; the position is the field's number.
    pub fields: Vec<Field>,
    /// The methods.
    pub methods: Vec<Method>,
    /// The events, in order of name; the identifier of an event is [`Event::id`].
    pub events: Vec<Event>,
    /// The interfaces that the contract has; decoding checks that its methods are theirs.
    pub interfaces: Vec<Interface>,
    /// What of the linter's findings is let stand, in order of method and rule, each once.
    pub allowances: Vec<Allowance>,
}

/// A rule of the linter whose findings of a method stand, with the reason. Means nothing to the chain.
///
/// The rule is a word, which a linter may not know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Allowance {
    /// The name of the method.
    pub method: String,
    /// The rule, in the linter's word for it.
    pub rule: String,
    /// Why its findings stand.
    pub reason: String,
}

/// A storage field.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Field {
    /// The name.
    pub name: String,
    /// The documentation.
    pub doc: String,
    /// What a cell is.
    pub cell: CellKind,
    /// The types of the keys; none for a field of one cell.
    pub keys: Vec<Type>,
    /// The type of the value.
    pub value: Type,
}

/// What a cell of a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum CellKind {
    /// A value that is read and written.
    Value = 0,
    /// An unsigned integer that is accumulated within its bounds.
    Counter = 1,
    /// A value that is set once, at deployment.
    Immutable = 2,
    /// An unsigned integer that is only raised, but by a write.
    Maximum = 3,
    /// An unsigned integer that is only lowered, but by a write.
    Minimum = 4,
    /// An unsigned integer that is added to, and taken from as far as there is enough.
    Stock = 5,
    /// A sequence to which items are only appended, see [`log`](crate::log): the value of the cell is the number of
    /// items, `u64`; the field's value is the type of an item.
    Log = 6,
}

/// A method.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Method {
    /// The name.
    pub name: String,
    /// The documentation.
    pub doc: String,
    /// Who may call it, and what for.
    pub kind: MethodKind,
    /// The parameters.
    pub params: Vec<Param>,
    /// The type of the result.
    pub returns: Type,
    /// The errors it reverts with; mostly other methods have the same.
    pub error: Option<Arc<ErrorSet>>,
    /// The access template.
    pub access: Vec<Clause>,
}

/// A parameter of a method.
pub type Param = Member;

/// What a method is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum MethodKind {
    /// Runs once, at deployment.
    Init = 0,
    /// Changes state.
    Call = 1,
    /// Only reads.
    View = 2,
    /// Runs once, when its code replaces another.
    Migrate = 3,
}

/// The errors of a method.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ErrorSet {
    /// The name of the enum.
    pub name: String,
    /// The errors.
    pub cases: Vec<ErrorCase>,
}

/// An error.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ErrorCase {
    /// The name.
    pub name: String,
    /// The code that a receipt carries.
    pub code: u32,
    /// The documentation.
    pub doc: String,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Event {
    /// The name.
    pub name: String,
    /// The documentation.
    pub doc: String,
    /// The fields.
    pub fields: Vec<Member>,
}

impl Event {
    /// The identifier in receipts: the [`MethodId`] of the event's name.
    #[must_use]
    pub fn id(&self) -> u32 {
        MethodId::of(&self.name).0
    }
}

#[derive(BorshDeserialize)]
struct ContractRecord {
    version: u8,
    name: String,
    doc: String,
    fields: Vec<Field>,
    /// Methods name them by position: most have the same.
    errors: Vec<ErrorSet>,
    methods: Vec<MethodRecord>,
    interfaces: Vec<Interface>,
}

#[derive(BorshDeserialize)]
struct MethodRecord {
    name: String,
    doc: String,
    kind: MethodKind,
    params: Vec<Param>,
    returns: Type,
    error: Option<u32>,
    access: Vec<Clause>,
}

/// The most bytes of errors that all methods have together, if each had its own: who looks at the errors of all methods looks at so
/// many, and what stands once in the section may be named by thousands. Ours to choose: 256 methods with a hundred errors each have a
/// fifth of it.
const ERROR_BYTES_MAX: usize = 8 * 1024 * 1024;

fn check_errors(record: &ContractRecord) -> Result<(), AbiError> {
    const CASE_BYTES: usize = size_of::<ErrorCase>();
    let of_case = |case: &ErrorCase| CASE_BYTES + case.name.len() + case.doc.len();
    let of_set = |set: &ErrorSet| set.name.len() + set.cases.iter().map(of_case).sum::<usize>();
    let sizes: Vec<usize> = record.errors.iter().map(of_set).collect();
    let named = record.methods.iter().filter_map(|method| usize::try_from(method.error?).ok());
    let sizes = named.filter_map(|set| sizes.get(set));
    match sizes.fold(0usize, |sum, size| sum.saturating_add(*size)) {
        0..=ERROR_BYTES_MAX => Ok(()),
        _ => Err(AbiError::Inconsistent("its methods have too many errors".into())),
    }
}

impl MethodRecord {
    fn method(self, errors: &[Arc<ErrorSet>]) -> Result<Method, AbiError> {
        let set = |index: u32| {
            let set = usize::try_from(index).ok().and_then(|index| errors.get(index)).cloned();
            set.ok_or_else(|| {
                let text = alloc::format!("method `{}` has errors that are not there", self.name);
                AbiError::Inconsistent(text)
            })
        };
        let error = self.error.map(set).transpose()?;
        let Self { name, doc, kind, params, returns, access, .. } = self;
        Ok(Method { name, doc, kind, params, returns, error, access })
    }
}

impl Abi {
    /// Decodes the contents of the custom section.
    ///
    /// Duplicate events of one name and content are joined.
    ///
    /// # Errors
    /// [`AbiError`] when the bytes are not exactly well-formed records with one contract among them,
    /// or when names repeat or positions do not exist.
    pub fn decode(section: &[u8]) -> Result<Self, AbiError> {
        let mut contract: Option<ContractRecord> = None;
        let mut events: Vec<Event> = Vec::new();
        let mut allowances: Vec<Allowance> = Vec::new();
        let mut offset = 0;
        while offset < section.len() {
            let malformed = || AbiError::Malformed { offset };
            let rest = &section[offset..];
            let (header, rest) = rest.split_at_checked(5).ok_or_else(malformed)?;
            let len = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
            let payload = rest.get(..len).ok_or_else(malformed)?;
            match header[0] {
                TAG_CONTRACT => {
                    if let Some(&found) = payload.first().filter(|&&v| v != FORMAT_VERSION) {
                        return Err(AbiError::Version { found });
                    }
                    let record = borsh::from_slice(payload).map_err(|_| malformed())?;
                    if contract.replace(record).is_some() {
                        return Err(AbiError::SecondContract);
                    }
                }
                TAG_EVENT => events.push(borsh::from_slice(payload).map_err(|_| malformed())?),
                TAG_ALLOWANCE => {
                    allowances.push(borsh::from_slice(payload).map_err(|_| malformed())?);
                }
                _ => return Err(malformed()),
            }
            offset += 5 + len;
        }
        let record = contract.ok_or(AbiError::NoContract)?;
        debug_assert_eq!(record.version, FORMAT_VERSION);
        events.sort_by(|a, b| a.name.cmp(&b.name));
        events.dedup();
        allowances.sort();
        check_errors(&record)?;
        let errors: Vec<Arc<ErrorSet>> = record.errors.into_iter().map(Arc::new).collect();
        let methods = record.methods.into_iter().map(|method| method.method(&errors));
        let abi = Self {
            name: record.name,
            doc: record.doc,
            fields: record.fields,
            methods: methods.collect::<Result<_, _>>()?,
            events,
            interfaces: record.interfaces,
            allowances,
        };
        abi.check()?;
        Ok(abi)
    }

    /// The method called `name`.
    #[must_use]
    pub fn method(&self, name: &str) -> Option<&Method> {
        self.methods.iter().find(|method| method.name == name)
    }

    /// The method with this selector.
    #[must_use]
    pub fn method_by_id(&self, id: MethodId) -> Option<&Method> {
        self.methods.iter().find(|method| MethodId::of(&method.name) == id)
    }

    /// The event with this identifier.
    #[must_use]
    pub fn event_by_id(&self, id: u32) -> Option<&Event> {
        self.events.iter().find(|event| event.id() == id)
    }

    /// The name of the error with this code, in the method's errors or any other's.
    #[must_use]
    pub fn error_name(&self, code: u32) -> Option<&str> {
        let sets = self.methods.iter().filter_map(|method| method.error.as_ref());
        sets.flat_map(|set| &set.cases).find(|case| case.code == code).map(|case| &*case.name)
    }

    /// Whether the number `field` is that of a field, and the field is of this kind of cell.
    #[must_use]
    pub fn is_cell(&self, field: u8, kind: CellKind) -> bool {
        self.fields.get(usize::from(field)).is_some_and(|f| f.cell == kind)
    }

    fn check(&self) -> Result<(), AbiError> {
        let fail = |text: String| Err(AbiError::Inconsistent(text));
        if self.fields.len() > 256 {
            return fail(alloc::format!(
                "{} fields are declared, the limit is 256",
                self.fields.len()
            ));
        }
        let mut ids: Vec<_> = self.methods.iter().map(|m| MethodId::of(&m.name)).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return fail("two methods have one selector; rename one".into());
        }
        if self.events.windows(2).any(|pair| pair[0].name == pair[1].name) {
            return fail("two events of one name differ".into());
        }
        let same = |pair: &[Allowance]| {
            (&pair[0].method, &pair[0].rule) == (&pair[1].method, &pair[1].rule)
        };
        if self.allowances.windows(2).any(same) {
            return fail("a rule of the linter is allowed twice for one method".into());
        }
        if let Some(stray) = self.allowances.iter().find(|of| self.method(&of.method).is_none()) {
            return fail(alloc::format!(
                "the linter's `{}` is allowed for `{}`, which is no method",
                stray.rule,
                stray.method
            ));
        }
        for field in &self.fields {
            let integer =
                matches!(field.value, Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::U128);
            let is_number = Accumulate::of(field.cell).is_some() && field.cell != CellKind::Log;
            if is_number && !integer {
                return fail(alloc::format!(
                    "what accumulates in `{}` is not an unsigned integer",
                    field.name
                ));
            }
            if field.cell == CellKind::Immutable && !field.keys.is_empty() {
                return fail(alloc::format!("immutable `{}` has keys", field.name));
            }
        }
        for interface in &self.interfaces {
            if let Err(text) = interface.check(&self.methods) {
                return fail(text);
            }
        }
        self.methods.iter().try_for_each(|method| {
            self.check_clauses(&method.access).or_else(|text| {
                fail(alloc::format!("access template of method `{}`: {text}", method.name))
            })
        })
    }

    fn check_clauses(&self, clauses: &[Clause]) -> Result<(), &'static str> {
        clauses.iter().try_for_each(|clause| match clause {
            // An item of a log has one key more than the log.
            Clause::Start { field, key } if self.is_cell(*field, CellKind::Log) => {
                let whole = self.fields[usize::from(*field)].keys.is_empty() && !key.is_empty();
                if whole { Ok(()) } else { self.check_key(*field, key) }
            }
            Clause::Touch { field, key, .. } | Clause::Start { field, key } => {
                self.check_key(*field, key)
            }
            Clause::Reserve { field, key, .. } => {
                if !self.is_cell(*field, CellKind::Stock) {
                    return Err("only a stock can be taken from");
                }
                self.check_key(*field, key)
            }
            Clause::Unless { field, key } => {
                let value = self.fields.get(usize::from(*field)).map(|field| &field.value);
                if !self.is_cell(*field, CellKind::Value) || value != Some(&Type::Bool) {
                    return Err("`unless` of a field that is not a `bool`");
                }
                self.check_key(*field, key)
            }
            Clause::Each { clauses, .. } => self.check_clauses(clauses),
            Clause::Call { .. } | Clause::Dynamic => Ok(()),
        })
    }

    fn check_key(&self, field: u8, key: &[Expr]) -> Result<(), &'static str> {
        let field = self.fields.get(usize::from(field)).ok_or("no such field")?;
        if field.cell == CellKind::Immutable {
            return Err("an immutable needs no declaration");
        }
        if field.keys.is_empty() != key.is_empty() {
            return Err("a key is missing, or there is one too many");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::format;

    use super::*;
    use crate::def::{ContractDef, ErrorSetDef, MethodDef, MethodKindDef};
    use crate::types::TypeDef;

    /// What so many methods with so many errors each are decoded to: the errors stand in the section once.
    fn decoded(n_methods: usize, n_errors: u32) -> Result<Abi, AbiError> {
        let name = |at: usize| -> &'static str { Box::leak(format!("a{at}").into_boxed_str()) };
        let cases: Vec<_> = (0..n_errors).map(|code| ("Case", code, "")).collect();
        let set = ErrorSetDef { name: "Errors", cases: cases.leak() };
        let set: &'static ErrorSetDef = Box::leak(Box::new(set));
        let method = |at| MethodDef {
            name: name(at),
            doc: "",
            kind: MethodKindDef::Call,
            params: &[],
            returns: &TypeDef::Unit,
            error: Some(set),
            access: &[],
        };
        let methods: Vec<_> = (0..n_methods).map(method).collect();
        let def = ContractDef {
            name: "Errors",
            doc: "",
            fields: &[],
            methods: methods.leak(),
            interfaces: &[],
        };
        Abi::decode(&crate::section::contract_to_vec(&def))
    }

    #[test]
    fn errors_that_many_methods_name_are_bounded() {
        assert_eq!(decoded(256, 100).expect("it is usual").methods.len(), 256);
        let too_many = decoded(3_000, 1_000);
        assert!(matches!(too_many, Err(AbiError::Inconsistent(_))), "{:?}", too_many.is_ok());
    }
}
