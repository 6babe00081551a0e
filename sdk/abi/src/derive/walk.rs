//! The evaluation of templates, clause by clause.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::{
    CALL_STEPS, Contracts, DeriveError, GUARD_BYTES_MAX, LIST_BYTES_MAX, MEMBER_BYTES, STEPS_MAX,
    Sink, lookup,
};
use crate::host::{CALL_DEPTH_MAX, KEY_BYTES_MAX};
use crate::layout::{Cursor, LayoutError};
use crate::{Abi, AccessKind, Address, Bound, Clause, Expr, Method, MethodId, Type};

/// The encoding of a value, or `None` if it is open.
pub(super) type Value<'a> = Option<Cow<'a, [u8]>>;

/// A value with its type, where the type is known and needed.
type Typed<'a> = (Value<'a>, Option<&'a Type>);

/// A call on the way.
pub(super) struct Frame<'a> {
    pub(super) abi: &'a Abi,
    pub(super) method: &'a Method,
    pub(super) caller: &'a Address,
    pub(super) contract: &'a Address,
    pub(super) args: &'a [Value<'a>],
    pub(super) depth: usize,
}

/// A way through the templates.
pub(super) struct Walk<'w> {
    pub(super) contracts: &'w dyn Contracts,
    pub(super) sink: &'w mut dyn Sink,
    /// Whether it goes through what guards a call, or through all else.
    pub(super) guards: bool,
    /// The most steps and bytes.
    pub(super) most: (usize, usize),
    pub(super) steps: usize,
    /// How many bytes it has looked at.
    pub(super) bytes: usize,
}

impl Frame<'_> {
    fn inconsistent(&self, what: &'static str) -> DeriveError {
        DeriveError::Inconsistent { method: self.method.name.clone(), what }
    }
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

    /// Counts members of values that were looked at.
    pub(super) fn members(&mut self, n: usize) -> Result<(), DeriveError> {
        self.look_at(n.saturating_mul(MEMBER_BYTES))
    }

    /// How many members may be looked at before they are counted: one more than may be.
    fn n_members(&self) -> usize {
        self.most.1.saturating_sub(self.bytes) / MEMBER_BYTES + 1
    }

    fn look_at(&mut self, n_bytes: usize) -> Result<(), DeriveError> {
        self.bytes = self.bytes.saturating_add(n_bytes);
        let bytes_max = if self.guards { GUARD_BYTES_MAX } else { LIST_BYTES_MAX };
        if self.bytes > self.most.1 { Err(exceeded(self.most.1, bytes_max)) } else { Ok(()) }
    }

    fn project<'v, 't>(
        &mut self,
        ty: &'t Type,
        bytes: &'v [u8],
        name: &str,
    ) -> Result<Result<(&'t Type, &'v [u8]), LayoutError>, DeriveError> {
        let mut cursor = Cursor::new(bytes).with_at_most(self.n_members());
        let found = cursor.project(ty, name);
        self.members(cursor.steps())?;
        Ok(found)
    }

    /// What a call touches, the calls that it makes included.
    pub(super) fn frame(&mut self, frame: &Frame<'_>) -> Result<(), DeriveError> {
        if frame.depth > CALL_DEPTH_MAX {
            return Err(DeriveError::TooLarge);
        }
        self.steps += CALL_STEPS;
        self.step()?;
        self.sink.call(frame.contract);
        self.clauses(frame, &frame.method.access, None)
    }

    /// What some clauses of a call name.
    pub(super) fn clauses<'a>(
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
                        if !bound.is_nothing() {
                            self.sink.reserve(frame.contract, *field, &key, bound);
                        }
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
                    let mut elements = Cursor::new(rest).with_at_most(self.n_members());
                    while !rest.is_empty() {
                        let n_before = elements.steps();
                        let len = elements.next_size(ty).ok().filter(|&len| len > 0);
                        self.members(elements.steps() - n_before)?;
                        let len = len.ok_or_else(|| frame.inconsistent("a list is malformed"))?;
                        let (element, tail) = rest.split_at(len);
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
                let mut cursor = Cursor::new(bytes).with_at_most(self.n_members());
                let size = cursor.next_size(&param.ty);
                self.members(cursor.steps())?;
                if size != Ok(bytes.len()) {
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
        self.look_at(typed.0.as_ref().map_or(0, |value| value.len()))?;
        Ok(typed)
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
                        let (ty, bytes) = self.project(ty, bytes, name)?.map_err(wrong)?;
                        (Some(Cow::Borrowed(bytes)), Some(ty))
                    }
                    Cow::Owned(bytes) => {
                        let (ty, bytes) = self.project(ty, &bytes, name)?.map_err(wrong)?;
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
