//! From a call to its access list: the evaluation of access templates.
//!
//! Evaluation is total: it ends, for any template and any arguments, after at most [`STEPS_MAX`]
//! steps, and runs no code of a contract. It needs the callee's ABI and immutables, which are read
//! under the callee's contract record; the caller adds that read to the list.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use smallvec::SmallVec;

use crate::host::{CALL_DEPTH_MAX, KEY_BYTES_MAX};
use crate::layout::{self, LayoutError};
use crate::{Abi, AccessKind, Address, Bound, Clause, Expr, Method, MethodId, TrapKind, Type};

/// The most steps of one derivation: clauses evaluated and calls spliced. Bounds templates that
/// call each other in a fan; ours to choose.
pub const STEPS_MAX: usize = 8 * 1024;

/// The most bytes of values that [`guards`] looks at: what is looked at before it is paid for. Ours to
/// choose; a guard looks at tens of bytes.
pub const GUARD_BYTES_MAX: usize = 1024 * 1024;

/// The most bytes of values that [`derive()`] looks at, each as often as it does: a template may hash a
/// parameter of a mebibyte thousands of times. Ours to choose: sixteen times what the longest transaction has.
pub const LIST_BYTES_MAX: usize = 16 * 1024 * 1024;

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

/// The cells that a method names with [`Clause::Unless`]; not those of the methods that it calls.
///
/// Beside them stands whether all were found: else the call fails, and what was found until then has cost its
/// steps and bytes too.
pub fn guards(
    contracts: &dyn Contracts,
    caller: &Address,
    contract: &Address,
    (abi, method): (&Abi, &Method),
    args: &[u8],
) -> (Guards, Result<(), DeriveError>) {
    let mut guards = Guards::default();
    let values = match split(method, args) {
        Ok(values) => values,
        Err(error) => return (guards, Err(error)),
    };
    let most = (STEPS_MAX, GUARD_BYTES_MAX);
    let mut walk = Walk { contracts, sink: &mut guards, guards: true, most, steps: 0, bytes: 0 };
    let frame = Frame { abi, method, caller, contract, args: &values, depth: 1 };
    let found = walk.clauses(&frame, &method.access, None);
    let (steps, bytes) = (walk.steps, walk.bytes);
    (Guards { steps, bytes, ..guards }, found)
}

/// Reports what a call touches.
///
/// Cost: one step for each clause, each spliced call and each element of a list, and the bytes of arguments as
/// often as the template names them.
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
    let values = split(method, args)?;
    let (steps, bytes) = sink.most();
    let most = (steps.min(STEPS_MAX), bytes.min(LIST_BYTES_MAX));
    let mut walk = Walk { contracts, sink, guards: false, most, steps: 0, bytes: 0 };
    let walked = walk.frame(&Frame { abi, method, caller, contract, args: &values, depth: 1 });
    let Walk { sink, steps, bytes, .. } = walk;
    sink.spent(steps, bytes);
    walked
}

/// The arguments, each by itself.
fn split<'a>(method: &Method, args: &'a [u8]) -> Result<SmallVec<[Value<'a>; 8]>, DeriveError> {
    let types = method.params.iter().map(|param| &param.ty);
    let mut values = SmallVec::new();
    layout::split(types, args, |bytes| values.push(Some(Cow::Borrowed(bytes))))
        .map_err(|source| DeriveError::BadArguments { method: method.name.clone(), source })?;
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

/// The encoding of a value, or `None` if it is open.
type Value<'a> = Option<Cow<'a, [u8]>>;

/// A value with its type, where the type is known and needed.
type Typed<'a> = (Value<'a>, Option<&'a Type>);

struct Frame<'a> {
    abi: &'a Abi,
    method: &'a Method,
    caller: &'a Address,
    contract: &'a Address,
    args: &'a [Value<'a>],
    depth: usize,
}

struct Walk<'w> {
    contracts: &'w dyn Contracts,
    sink: &'w mut dyn Sink,
    /// Whether it goes through what guards a call, or through all else.
    guards: bool,
    /// The most steps and bytes.
    most: (usize, usize),
    steps: usize,
    /// How many bytes it has looked at.
    bytes: usize,
}

impl Frame<'_> {
    fn inconsistent(&self, what: &'static str) -> DeriveError {
        DeriveError::Inconsistent { method: self.method.name.clone(), what }
    }
}

/// Whether a clause of these, or one for each element, guards the call.
#[must_use]
pub fn are_guarded(clauses: &[Clause]) -> bool {
    clauses.iter().any(|clause| match clause {
        Clause::Unless { .. } => true,
        Clause::Each { clauses, .. } => are_guarded(clauses),
        Clause::Touch { .. }
        | Clause::Start { .. }
        | Clause::Reserve { .. }
        | Clause::Call { .. }
        | Clause::Dynamic => false,
    })
}

/// Why a derivation ends that takes more than `most`, where none may take more than `max`.
const fn exceeded(most: usize, max: usize) -> DeriveError {
    if most < max { DeriveError::Unaffordable } else { DeriveError::TooLarge }
}

impl Walk<'_> {
    fn step(&mut self) -> Result<(), DeriveError> {
        self.steps += 1;
        if self.steps > self.most.0 { Err(exceeded(self.most.0, STEPS_MAX)) } else { Ok(()) }
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), DeriveError> {
        if frame.depth > CALL_DEPTH_MAX {
            return Err(DeriveError::TooLarge);
        }
        self.step()?;
        self.sink.call(frame.contract);
        self.clauses(frame, &frame.method.access, None)
    }

    fn clauses<'a>(
        &mut self,
        frame: &Frame<'a>,
        clauses: &'a [Clause],
        element: Option<(&'a [u8], &'a Type)>,
    ) -> Result<(), DeriveError>
    where
        Self: 'a,
    {
        for clause in clauses {
            self.step()?;
            match clause {
                Clause::Unless { field, key } if self.guards => {
                    let key = self.key(frame, key, element)?;
                    self.sink.guard(*field, &key);
                }
                Clause::Each { clauses, .. } if self.guards && !are_guarded(clauses) => {}
                Clause::Touch { .. }
                | Clause::Reserve { .. }
                | Clause::Call { .. }
                | Clause::Dynamic
                    if self.guards => {}
                Clause::Touch { kind, field, key } => {
                    let key = self.key(frame, key, element)?;
                    self.sink.touch(*kind, frame.contract, *field, &key);
                }
                Clause::Reserve { field, key, amount, floor } => {
                    let key = self.key(frame, key, element)?;
                    let amount = self.number(frame, amount, element)?;
                    let floor = self.number(frame, floor, element)?;
                    if let (Some(amount), Some(floor)) = (amount, floor) {
                        let bound = Bound { amount, floor };
                        self.sink.reserve(frame.contract, *field, &key, bound);
                    } else {
                        self.sink.touch(AccessKind::Write, frame.contract, *field, &key);
                    }
                }
                Clause::Dynamic => self.sink.dynamic(frame.contract),
                // What no transaction of the block changes orders nothing.
                Clause::Start { .. } | Clause::Unless { .. } => {}
                Clause::Call { callee, method, args } => {
                    self.splice(frame, callee, method, args, element)?;
                }
                Clause::Each { list, clauses } => {
                    let (value, ty) = self.eval(frame, list, element)?;
                    let value =
                        value.ok_or_else(|| DeriveError::Open(frame.method.name.clone()))?;
                    let Some(Type::List(ty)) = ty else {
                        return Err(frame.inconsistent("`each` of something that is not a list"));
                    };
                    let mut rest = value.get(4..).unwrap_or_default();
                    while !rest.is_empty() {
                        let len = layout::size_of_value(ty, rest)
                            .map_err(|_| frame.inconsistent("a list is malformed"))?;
                        let (element, tail) = rest.split_at(len.max(1));
                        self.step()?;
                        self.each(frame, clauses, (element, ty))?;
                        rest = tail;
                    }
                }
            }
        }
        Ok(())
    }

    /// One element: a call of its own, since the element's bytes do not live as long as the frame.
    fn each<'b>(
        &mut self,
        frame: &'b Frame<'_>,
        clauses: &'b [Clause],
        element: (&'b [u8], &'b Type),
    ) -> Result<(), DeriveError> {
        let Frame { abi, method, caller, contract, args, depth } = *frame;
        let frame: Frame<'b> = Frame { abi, method, caller, contract, args, depth };
        self.clauses(&frame, clauses, Some(element))
    }

    fn splice(
        &mut self,
        frame: &Frame<'_>,
        callee: &Expr,
        method: &str,
        args: &[Expr],
        element: Option<(&[u8], &Type)>,
    ) -> Result<(), DeriveError> {
        let open = || DeriveError::Open(frame.method.name.clone());
        let (callee, _) = self.eval(frame, callee, element)?;
        let callee = callee.ok_or_else(open)?;
        let callee: [u8; 32] = callee
            .as_ref()
            .try_into()
            .map_err(|_| frame.inconsistent("a callee is not an address"))?;
        let callee = Address(callee);
        let contracts = self.contracts;
        let (abi, method) = lookup(contracts, &callee, MethodId::of(method))?;
        if method.params.len() != args.len() {
            return Err(frame.inconsistent("a callee has another number of parameters"));
        }
        let mut values = Vec::with_capacity(args.len());
        for (arg, param) in args.iter().zip(&method.params) {
            let (value, _) = self.eval(frame, arg, element)?;
            if let Some(bytes) = &value {
                let fits = layout::size_of_value(&param.ty, bytes) == Ok(bytes.len());
                if !fits {
                    return Err(frame.inconsistent("a callee's parameter has another type"));
                }
            }
            values.push(value);
        }
        self.frame(&Frame {
            abi,
            method,
            caller: frame.contract,
            contract: &callee,
            args: &values,
            depth: frame.depth + 1,
        })
    }

    /// The bytes of a key.
    fn key<'a>(
        &mut self,
        frame: &Frame<'a>,
        parts: &[Expr],
        element: Option<(&'a [u8], &'a Type)>,
    ) -> Result<Cow<'a, [u8]>, DeriveError> {
        let key = self.concat(frame, parts, element)?;
        let key = key.ok_or_else(|| DeriveError::Open(frame.method.name.clone()))?;
        if key.len() > KEY_BYTES_MAX {
            return Err(frame.inconsistent("a key is longer than the limit"));
        }
        Ok(key)
    }

    /// A number; `None` if it is open.
    fn number<'a>(
        &mut self,
        frame: &Frame<'a>,
        expr: &Expr,
        element: Option<(&'a [u8], &'a Type)>,
    ) -> Result<Option<u128>, DeriveError> {
        let Some(value) = self.eval(frame, expr, element)?.0 else { return Ok(None) };
        let mut bytes = [0; 16];
        let low = bytes.get_mut(..value.len());
        low.ok_or_else(|| frame.inconsistent("a number is too long"))?.copy_from_slice(&value);
        Ok(Some(u128::from_le_bytes(bytes)))
    }

    fn concat<'a>(
        &mut self,
        frame: &Frame<'a>,
        parts: &[Expr],
        element: Option<(&'a [u8], &'a Type)>,
    ) -> Result<Value<'a>, DeriveError> {
        if let [part] = parts {
            return Ok(self.eval(frame, part, element)?.0);
        }
        let mut bytes = Vec::new();
        for part in parts {
            match self.eval(frame, part, element)?.0 {
                Some(part) => bytes.extend_from_slice(&part),
                None => return Ok(None),
            }
        }
        Ok(Some(Cow::Owned(bytes)))
    }

    fn eval<'a>(
        &mut self,
        frame: &Frame<'a>,
        expr: &Expr,
        element: Option<(&'a [u8], &'a Type)>,
    ) -> Result<Typed<'a>, DeriveError> {
        self.step()?;
        let typed = self.value(frame, expr, element)?;
        self.bytes += typed.0.as_ref().map_or(0, |value| value.len());
        let bytes_max = if self.guards { GUARD_BYTES_MAX } else { LIST_BYTES_MAX };
        if self.bytes > self.most.1 { Err(exceeded(self.most.1, bytes_max)) } else { Ok(typed) }
    }

    fn value<'a>(
        &mut self,
        frame: &Frame<'a>,
        expr: &Expr,
        element: Option<(&'a [u8], &'a Type)>,
    ) -> Result<Typed<'a>, DeriveError> {
        Ok(match expr {
            Expr::Caller => (Some(Cow::Borrowed(&frame.caller.0[..])), None),
            Expr::This => (Some(Cow::Borrowed(&frame.contract.0[..])), None),
            Expr::Param(index) => {
                let index = usize::from(*index);
                let missing = || frame.inconsistent("no such parameter");
                let value = frame.args.get(index).ok_or_else(missing)?;
                let ty = &frame.method.params.get(index).ok_or_else(missing)?.ty;
                (value.as_deref().map(Cow::Borrowed), Some(ty))
            }
            Expr::Member(of, name) => {
                let (Some(value), ty) = self.eval(frame, of, element)? else {
                    return Ok((None, None));
                };
                let ty =
                    ty.ok_or_else(|| frame.inconsistent("a field of something without fields"))?;
                let wrong = |_| frame.inconsistent("no such field in a parameter");
                match value {
                    Cow::Borrowed(bytes) => {
                        let (ty, bytes) = layout::project(ty, bytes, name).map_err(wrong)?;
                        (Some(Cow::Borrowed(bytes)), Some(ty))
                    }
                    Cow::Owned(bytes) => {
                        let (ty, bytes) = layout::project(ty, &bytes, name).map_err(wrong)?;
                        (Some(Cow::Owned(bytes.to_vec())), Some(ty))
                    }
                }
            }
            Expr::Element => {
                let (bytes, ty) =
                    element.ok_or_else(|| frame.inconsistent("an element outside `each`"))?;
                (Some(Cow::Borrowed(bytes)), Some(ty))
            }
            Expr::Literal(bytes) => (Some(Cow::Owned(bytes.clone())), None),
            Expr::Immutable(field) => {
                let ty = frame.abi.fields.get(usize::from(*field)).map(|field| &field.value);
                let bytes = self
                    .contracts
                    .immutable(frame.contract, *field)
                    .ok_or_else(|| frame.inconsistent("an immutable was never set"))?;
                (Some(Cow::Owned(bytes.to_vec())), ty)
            }
            Expr::Hash(parts) => {
                let bytes = self.concat(frame, parts, element)?;
                let hash = bytes.map(|bytes| Cow::Owned(blake3::hash(&bytes).as_bytes().to_vec()));
                (hash, None)
            }
            Expr::Tuple(parts) => (self.concat(frame, parts, element)?, None),
            Expr::Open => (None, None),
            Expr::Shard(of, shards) => {
                let Some(value) = self.eval(frame, of, element)?.0 else {
                    return Ok((None, None));
                };
                let address = value.as_ref().try_into().ok().map(Address);
                let shard = address.and_then(|address| address.shard(*shards));
                let shard = shard.ok_or_else(|| frame.inconsistent("a shard of no address"))?;
                (Some(Cow::Owned(alloc::vec![shard])), None)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::{MethodKind, Param};

    /// One contract at every address.
    struct One(Abi);

    impl Contracts for One {
        fn abi(&self, _: &Address) -> Option<&Abi> {
            Some(&self.0)
        }

        fn immutable(&self, _: &Address, _: u8) -> Option<&[u8]> {
            None
        }
    }

    /// Derives the list, or the guards, of a call with so many bytes whose key is the hash of them so many times.
    fn hashes(n_bytes: usize, n_times: usize, guarded: bool) -> Result<(), DeriveError> {
        hashes_for(n_bytes, n_times, guarded, &mut Guards::default())
    }

    fn hashes_for(
        n_bytes: usize,
        n_times: usize,
        guarded: bool,
        sink: &mut dyn Sink,
    ) -> Result<(), DeriveError> {
        let (field, key) = (0, vec![Expr::Hash(vec![Expr::Param(0); n_times])]);
        let clause = if guarded {
            Clause::Unless { field, key }
        } else {
            Clause::Touch { kind: AccessKind::Write, field, key }
        };
        let method = Method {
            name: "go".into(),
            doc: "".into(),
            kind: MethodKind::Call,
            params: vec![Param { name: "data".into(), ty: Type::List(Type::U8.into()) }],
            returns: Type::Unit,
            error: None,
            access: vec![clause],
        };
        let abi = Abi {
            name: "One".into(),
            doc: "".into(),
            fields: vec![],
            methods: vec![method],
            events: vec![],
            interfaces: vec![],
            allowances: vec![],
        };
        let mut args = u32::try_from(n_bytes).unwrap().to_le_bytes().to_vec();
        args.resize(4 + n_bytes, 7);
        let (at, id) = (Address([1; 32]), MethodId::of("go"));
        if guarded {
            guards(&One(abi.clone()), &at, &at, (&abi, &abi.methods[0]), &args).1
        } else {
            derive(&One(abi), &at, &at, id, &args, sink)
        }
    }

    /// Notes what a derivation takes that may take only so much.
    struct Poor {
        most: (usize, usize),
        spent: (usize, usize),
    }

    impl Sink for Poor {
        fn call(&mut self, _: &Address) {}
        fn touch(&mut self, _: AccessKind, _: &Address, _: u8, _: &[u8]) {}
        fn dynamic(&mut self, _: &Address) {}
        fn most(&self) -> (usize, usize) {
            self.most
        }
        fn spent(&mut self, steps: usize, bytes: usize) {
            self.spent = (steps, bytes);
        }
    }

    #[test]
    fn who_can_pay_for_little_is_stopped_early() {
        let of = |n_times, steps, bytes| {
            let mut sink = Poor { most: (steps, bytes), spent: (0, 0) };
            (hashes_for(1000, n_times, false, &mut sink), sink.spent)
        };
        let (found, (steps, bytes)) = of(8, STEPS_MAX, LIST_BYTES_MAX);
        assert_eq!(found, Ok(()));
        assert_eq!(of(8, steps, bytes), (Ok(()), (steps, bytes)));
        assert_eq!(of(8, steps - 1, bytes).0, Err(DeriveError::Unaffordable));
        assert_eq!(of(8, steps, bytes - 1).0, Err(DeriveError::Unaffordable));
        // What follows is not looked at.
        let (found, (_, looked_at)) = of(8000, STEPS_MAX, 3000);
        assert_eq!(found, Err(DeriveError::Unaffordable));
        assert!(looked_at <= 4 * 1004, "{looked_at}");
    }

    #[test]
    fn nothing_is_looked_at_without_end() {
        let mib = 1024 * 1024 - 4;
        assert_eq!(hashes(mib, 15, false), Ok(()));
        assert_eq!(hashes(mib, 17, false), Err(DeriveError::TooLarge));
        assert_eq!(hashes(mib, 8000, false), Err(DeriveError::TooLarge));
        assert_eq!(hashes(mib / 2, 1, true), Ok(()));
        assert_eq!(hashes(mib / 2, 3, true), Err(DeriveError::TooLarge));
    }
}
