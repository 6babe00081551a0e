//! A call with the types of its method: what bindings of contracts make.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;

use borsh::{BorshDeserialize, BorshSerialize, io};
use kempe_abi::{Address, MethodId, Outcome, TrapKind};

use super::receipt::Receipt;
use super::transaction::Action;

/// The errors of a method, by their codes. Bindings implement it for each of a contract's error enums.
pub trait ErrorCodes: Copy + fmt::Debug {
    /// The error with this code, if there is one.
    fn from_code(code: u32) -> Option<Self>;
}

/// A method without errors of its own.
impl ErrorCodes for Infallible {
    fn from_code(_: u32) -> Option<Self> {
        None
    }
}

/// A call whose method returns `T` and refuses with `E`. `kempe bindings rust` writes the functions
/// that make them.
///
/// ```
/// use std::convert::Infallible;
/// use kempe_abi::{Address, MethodId};
/// use kempe_runtime::types::{Action, Call};
///
/// let token = Address([7; 32]);
/// let call = Call::<u128, Infallible>::new(token, "balance", &Address([9; 32]));
/// let action = Action::from(call);
/// let args = vec![9; 32];
/// assert_eq!(action, Action::Call { contract: token, method: MethodId::of("balance"), args });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<T, E> {
    contract: Address,
    method: MethodId,
    args: Vec<u8>,
    types: PhantomData<fn() -> (T, E)>,
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<E: fmt::Debug> {
    /// The method refused.
    #[error("the contract refused: {0:?}")]
    Refused(E),
    /// Another action, another contract, or an error that is not the method's.
    #[error("the transaction was reverted: contract={contract} code={code}")]
    Reverted {
        /// Who reverted; the zero address for the chain itself.
        contract: Address,
        /// With which code.
        code: u32,
    },
    /// The host stopped the transaction.
    #[error("the transaction was stopped: {}", .0.describe())]
    Stopped(TrapKind),
    /// The receipt has no result at this position: it is another transaction's.
    #[error("the receipt has no result of this action: action={0}")]
    NoResult(usize),
    /// The result is not of the method's type: the contract at the address is another one.
    #[error("the result is not of the method's type: {0}")]
    Decode(#[from] io::Error),
}

impl<T, E> Call<T, E> {
    /// A call of the method called `method`. `args` encodes to the arguments, one after the other, as a
    /// tuple of them does.
    ///
    /// # Panics
    /// If `args` has no encoding, as a list of `()` has none.
    #[must_use]
    pub fn new(contract: Address, method: &str, args: &impl BorshSerialize) -> Self {
        let args = borsh::to_vec(args).expect("arguments have an encoding");
        Self { contract, method: MethodId::of(method), args, types: PhantomData }
    }
}

impl<T: BorshDeserialize, E: ErrorCodes> Call<T, E> {
    /// What became of the call, which was the transaction's action at position `action`.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn result(&self, receipt: &Receipt, action: usize) -> Result<T, CallError<E>> {
        match receipt.outcome {
            Outcome::Ok => {
                let result = receipt.results.get(action).ok_or(CallError::NoResult(action))?;
                Ok(borsh::from_slice(result)?)
            }
            Outcome::Trap(kind) => Err(CallError::Stopped(kind)),
            Outcome::Revert(code) => {
                let failure = receipt.failure.as_deref();
                let own = failure.filter(|failure| {
                    failure.contract == self.contract && failure.action as usize == action
                });
                let contract = failure.map_or(Address::ZERO, |failure| failure.contract);
                let error = own.and_then(|_| E::from_code(code));
                Err(error.map_or(CallError::Reverted { contract, code }, CallError::Refused))
            }
        }
    }
}

impl<T, E> From<Call<T, E>> for Action {
    fn from(call: Call<T, E>) -> Self {
        let Call { contract, method, args, .. } = call;
        Self::Call { contract, method, args }
    }
}
