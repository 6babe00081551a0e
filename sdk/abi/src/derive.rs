//! From a call to its access list: the evaluation of access templates.
//!
//! Evaluation is total: it ends, for any template and any arguments, after at most [`STEPS_MAX`]
//! steps, and runs no code of a contract. It needs the callee's ABI and immutables, which are read
//! under the callee's contract record; the caller adds that read to the list.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use smallvec::SmallVec;

use crate::host::CALL_DEPTH_MAX;
use crate::layout::{Cursor, LayoutError, MEMBERS_FREE};
use crate::{Abi, AccessKind, Address, Bound, Clause, Method, MethodId, TrapKind};

#[cfg(test)]
mod tests;
mod walk;

use walk::{Frame, Value, Walk};

/// The most steps of one derivation: clauses evaluated, and calls with what [finding](CALL_STEPS) the contract takes. Bounds templates that
/// call each other in a fan; ours to choose.
pub const STEPS_MAX: usize = 8 * 1024;

/// So many steps is each call beside its own, for finding the contract: where nobody has met it, its record is read and decoded, and again where the
/// transaction comes to the tail. That takes about 2 µs; ours to choose.
pub const CALL_STEPS: usize = 8;

/// The most bytes of values that [`guards`] looks at: what is looked at before it is paid for. Ours to
/// choose; a guard looks at tens of bytes.
pub const GUARD_BYTES_MAX: usize = 1024 * 1024;

/// The most bytes of values that [`derive()`] looks at, each as often as it does: a template may hash a
/// parameter of a mebibyte thousands of times. Ours to choose: sixteen times what the longest transaction has.
pub const LIST_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A member of a value that is looked at counts as so many bytes of it, whether it has any; the first [`MEMBERS_FREE`] of a call's
/// arguments count nothing. Looking at one takes some 5 ns; ours to choose.
pub const MEMBER_BYTES: usize = 8;

/// Why no access list follows from a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeriveError {
    /// There is no contract at the callee's address.
    #[error("there is no contract at {0}")]
    NoSuchContract(Address),
    /// The callee has no such method.
    #[error("the contract at {contract} has no method with selector {method:?}")]
    NoSuchMethod {
        /// The callee.
        contract: Address,
        /// The selector.
        method: MethodId,
    },
    /// The arguments do not have the parameters' types.
    #[error("the arguments of `{method}` do not have its parameters' types: {source}")]
    BadArguments {
        /// The method.
        method: alloc::string::String,
        /// What is wrong.
        source: LayoutError,
    },
    /// A key depends on something that is not known before the call runs.
    #[error(
        "in the template of `{0}` a key depends on a value that is not known before the call runs"
    )]
    Open(alloc::string::String),
    /// The template is not consistent with its types.
    #[error("the template of `{method}` is not consistent with its types: {what}")]
    Inconsistent {
        /// The method.
        method: alloc::string::String,
        /// What is wrong.
        what: &'static str,
    },
    /// More than [`STEPS_MAX`] steps, calls deeper than the limit, more than [`LIST_BYTES_MAX`], or for what
    /// guards a call [`GUARD_BYTES_MAX`].
    #[error(
        "the list needs more than {STEPS_MAX} steps, or calls deeper than {CALL_DEPTH_MAX}, or more than {LIST_BYTES_MAX} bytes of arguments, or what guards it more than {GUARD_BYTES_MAX}"
    )]
    TooLarge,
    /// More steps or bytes than the [sink](Sink::most) permits, which are fewer than any derivation may take.
    #[error("the fuel limit does not pay for finding the list")]
    Unaffordable,
}

impl DeriveError {
    /// The trap of a transaction whose list does not follow.
    #[must_use]
    pub const fn trap(&self) -> TrapKind {
        match self {
            Self::NoSuchContract(_) => TrapKind::NoSuchContract,
            Self::NoSuchMethod { .. } => TrapKind::NoSuchMethod,
            Self::BadArguments { .. } => TrapKind::BadArguments,
            Self::TooLarge => TrapKind::ListTooLarge,
            Self::Unaffordable => TrapKind::OutOfFuel,
            Self::Open(_) | Self::Inconsistent { .. } => TrapKind::Underivable,
        }
    }
}

/// What derivation asks about contracts.
pub trait Contracts {
    /// The ABI of the contract at this address, if there is one.
    fn abi(&self, contract: &Address) -> Option<&Abi>;
    /// The ABI and the method with this selector, if there is one. An implementation that keeps
    /// selectors should override it: this one hashes the methods' names.
    fn method(&self, contract: &Address, id: MethodId) -> Option<(&Abi, &Method)> {
        let abi = self.abi(contract)?;
        Some((abi, abi.method_by_id(id)?))
    }
    /// The value of an immutable field, if it was set.
    fn immutable(&self, contract: &Address, field: u8) -> Option<&[u8]>;
}

/// What derivation reports, in the template's order, duplicates included.
pub trait Sink {
    /// A contract is called.
    fn call(&mut self, contract: &Address);
    /// A cell is touched.
    fn touch(&mut self, kind: AccessKind, contract: &Address, field: u8, key: &[u8]);
    /// A stock is taken from. Who does not care how much is told that it is written.
    fn reserve(&mut self, contract: &Address, field: u8, key: &[u8], _: Bound) {
        self.touch(AccessKind::Write, contract, field, key);
    }
    /// The method touches keys that only the transaction can name.
    fn dynamic(&mut self, contract: &Address);
    /// The call fails if this cell was set before the block: only from [`guards`].
    fn guard(&mut self, _field: u8, _key: &[u8]) {}
    /// The most steps and bytes that [`derive()`] may take: what the sink can pay for. More than [`STEPS_MAX`] and
    /// [`LIST_BYTES_MAX`] are never taken.
    fn most(&self) -> (usize, usize) {
        (STEPS_MAX, LIST_BYTES_MAX)
    }
    /// How many steps the derivation took, and the bytes of values that it looked at; also of one that failed.
    fn spent(&mut self, _steps: usize, _bytes: usize) {}
}

/// What guards a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guards {
    /// The fields and keys of the called contract's cells, in the template's order, duplicates included.
    pub cells: Vec<(u8, Vec<u8>)>,
    /// How many steps it took to find them.
    pub steps: usize,
    /// How many bytes of values were looked at.
    pub bytes: usize,
}

impl Guards {
    /// Whether a cell with this value stops the call: it holds something else than `false`.
    #[must_use]
    pub fn stops(value: Option<&[u8]>) -> bool {
        value.is_some_and(|value| value != [0])
    }
}

impl Sink for Guards {
    fn call(&mut self, _: &Address) {}
    fn touch(&mut self, _: AccessKind, _: &Address, _: u8, _: &[u8]) {}
    fn dynamic(&mut self, _: &Address) {}
    fn guard(&mut self, field: u8, key: &[u8]) {
        self.cells.push((field, key.to_vec()));
    }
}

/// The cells that a method names with [`Clause::Unless`]; not those of the methods that it calls. Of its template it takes what
/// [`guarded`] leaves, which is found once: a template may have thousands of clauses.
///
/// Beside them stands whether all were found: else the call fails, and what was found until then has cost its
/// steps and bytes too. That ends soon behind `most` steps and bytes, for which somebody pays; more than [`STEPS_MAX`] and
/// [`GUARD_BYTES_MAX`] are never taken.
pub fn guards(
    contracts: &dyn Contracts,
    caller: &Address,
    contract: &Address,
    (abi, method): (&Abi, &Method),
    clauses: &[Clause],
    args: &[u8],
    most: (usize, usize),
) -> (Guards, Result<(), DeriveError>) {
    let mut guards = Guards::default();
    let most = (most.0.min(STEPS_MAX), most.1.min(GUARD_BYTES_MAX));
    let mut walk = Walk { contracts, sink: &mut guards, guards: true, most, steps: 0, bytes: 0 };
    let found = split(&mut walk, method, args).and_then(|values| {
        let frame = Frame { abi, method, caller, contract, args: &values, depth: 1 };
        walk.clauses(&frame, clauses, None)
    });
    let (steps, bytes) = (walk.steps, walk.bytes);
    (Guards { steps, bytes, ..guards }, found)
}

/// Reports what a call touches.
///
/// Cost: one step for each clause, each expression and each element of a list, [`CALL_STEPS`] and one for each call, and the bytes of arguments as
/// often as the template names them, and for each member of a value [`MEMBER_BYTES`].
///
/// # Errors
/// [`DeriveError`]; the sink has then seen a part of the list.
pub fn derive(
    contracts: &dyn Contracts,
    caller: &Address,
    contract: &Address,
    method: MethodId,
    args: &[u8],
    sink: &mut dyn Sink,
) -> Result<(), DeriveError> {
    let (abi, method) = lookup(contracts, contract, method)?;
    let (steps, bytes) = sink.most();
    let most = (steps.min(STEPS_MAX), bytes.min(LIST_BYTES_MAX));
    let mut walk = Walk { contracts, sink, guards: false, most, steps: 0, bytes: 0 };
    let walked = split(&mut walk, method, args).and_then(|values| {
        walk.frame(&Frame { abi, method, caller, contract, args: &values, depth: 1 })
    });
    let Walk { sink, steps, bytes, .. } = walk;
    sink.spent(steps, bytes);
    walked
}

/// The arguments, each by itself. No more of them is looked at than may be.
fn split<'a>(
    walk: &mut Walk<'_>,
    method: &Method,
    args: &'a [u8],
) -> Result<SmallVec<[Value<'a>; 8]>, DeriveError> {
    let types = method.params.iter().map(|param| &param.ty);
    let mut values = SmallVec::new();
    let n_paid = (walk.most.1 / MEMBER_BYTES).saturating_add(MEMBERS_FREE + 1);
    let mut cursor = Cursor::new(args).with_at_most(n_paid);
    let split = cursor.split(types, |bytes| values.push(Some(Cow::Borrowed(bytes))));
    walk.members(cursor.steps().saturating_sub(MEMBERS_FREE))?;
    split.map_err(|source| DeriveError::BadArguments { method: method.name.clone(), source })?;
    Ok(values)
}

fn lookup<'a>(
    contracts: &'a dyn Contracts,
    contract: &Address,
    id: MethodId,
) -> Result<(&'a Abi, &'a Method), DeriveError> {
    contracts.method(contract, id).ok_or_else(|| match contracts.abi(contract) {
        None => DeriveError::NoSuchContract(*contract),
        Some(_) => DeriveError::NoSuchMethod { contract: *contract, method: id },
    })
}

/// Those clauses of a template that guard the call, by themselves or for each element.
#[must_use]
pub fn guarded(clauses: &[Clause]) -> Vec<Clause> {
    let guards = clauses.iter().filter_map(|clause| match clause {
        Clause::Unless { .. } => Some(clause.clone()),
        Clause::Each { list, clauses } => {
            let clauses = guarded(clauses);
            (!clauses.is_empty()).then(|| Clause::Each { list: list.clone(), clauses })
        }
        Clause::Touch { .. }
        | Clause::Start { .. }
        | Clause::Reserve { .. }
        | Clause::Call { .. }
        | Clause::Dynamic => None,
    });
    guards.collect()
}
