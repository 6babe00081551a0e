//! Values in words, and the calls that they hold, as the steps of a proposal do.

use std::cell::RefCell;

use kempe_abi::{Address, LayoutError, Method, MethodId, Type};

use super::{Describer, parts};
use crate::value::{self, Words};

/// How deep in a value calls are shown: calls in the arguments of calls. What is deeper is shown as bytes, so that no
/// value has its bytes read more often. Ours to choose.
const DEPTH_MAX: usize = 4;

/// How many contracts a describer loads only because values hold calls of them: loading may compile, and a value can
/// name any contracts. Ours to choose.
const CONTRACTS_MAX: usize = 64;

/// A value in words.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The value.
    pub text: String,
    /// The calls that it holds and that are known, in order: `token.transfer(to: bob, amount: 5)`.
    pub calls: Vec<String>,
}

/// The words of a describer, in a value that `depth` calls hold.
struct Held<'a> {
    describer: &'a Describer<'a>,
    depth: usize,
    calls: RefCell<Vec<String>>,
}

impl Describer<'_> {
    /// An encoded value.
    ///
    /// # Errors
    /// [`LayoutError`] when `bytes` is not exactly one value of the type.
    pub fn value(&self, ty: &Type, bytes: &[u8]) -> Result<Shown, LayoutError> {
        let words = self.words(0);
        let text = value::display(ty, bytes, &words)?;
        Ok(Shown { text, calls: words.calls.into_inner() })
    }

    /// A call that `depth` calls hold; `None` if these are not arguments of the method.
    pub(super) fn call(
        &self,
        contract: &Address,
        method: &Method,
        args: &[u8],
        depth: usize,
    ) -> Option<String> {
        let words = self.words(depth);
        let parts = parts(method.params.iter().map(|param| &param.ty), args)?;
        let shown = method.params.iter().zip(parts).map(|(param, bytes)| {
            let text = value::display(&param.ty, bytes, &words).ok()?;
            Some(format!("{}: {text}", param.name))
        });
        let shown = shown.collect::<Option<Vec<_>>>()?.join(", ");
        Some(format!("{}.{}({shown})", self.names.show(contract), method.name))
    }

    fn words(&self, depth: usize) -> Held<'_> {
        Held { describer: self, depth, calls: RefCell::default() }
    }

    /// Whether there is a contract whose calls are shown in values.
    fn may_hold(&self, contract: &Address) -> bool {
        let is_loaded = self.contracts.borrow().contains_key(contract);
        if !is_loaded && self.n_held.get() == CONTRACTS_MAX {
            return false;
        }
        let is_there = self.contract(contract).is_some();
        if !is_loaded && is_there {
            self.n_held.set(self.n_held.get() + 1);
        }
        is_there
    }
}

impl Words for Held<'_> {
    fn name(&self, address: &Address) -> Option<String> {
        self.describer.names.name_of(address)
    }

    fn call(&self, contract: &Address, method: MethodId, args: &[u8]) -> Option<String> {
        if self.depth == DEPTH_MAX || !self.describer.may_hold(contract) {
            return None;
        }
        let (_, method) = self.describer.method(contract, method)?;
        let call = self.describer.call(contract, &method, args, self.depth + 1)?;
        self.calls.borrow_mut().push(call.clone());
        Some(call)
    }
}
