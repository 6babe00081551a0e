//! Calls to other contracts. The clients that `#[interface]` makes use these.

use alloc::vec::Vec;

use kempe_abi::{AbiType, Address, Encode, MethodId};

use crate::codec::{Any, Bound, Of};
use crate::{codec, host};

/// Why a call to another contract failed. The callee's writes are undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The callee refused, with this code.
    Revert(u32),
    /// The host stopped the callee.
    Trap,
}

/// Calls a method with arguments of at most `B` bytes; a failure of the callee ends the transaction.
///
/// # Panics
/// If the callee's result has another type.
#[inline]
pub fn call<B: Bound, A: Encode, T: AbiType>(callee: &Address, method: u32, args: &A) -> T {
    codec::encoded::<B, _, _>(args, |args| host::call(callee, method, args, false));
    result()
}

/// Calls a method with arguments of at most `B` bytes; a failure of the callee comes back.
///
/// # Errors
/// [`CallError`].
///
/// # Panics
/// If the callee succeeds with a result of another type: what it wrote stands, so that is no failure that
/// could come back.
#[inline]
pub fn try_call<B: Bound, A: Encode, T: AbiType>(
    callee: &Address,
    method: u32,
    args: &A,
) -> Result<T, CallError> {
    match codec::encoded::<B, _, _>(args, |args| host::call(callee, method, args, true)) {
        0 => Ok(result()),
        code => Err(u32::try_from(code).map_or(CallError::Trap, CallError::Revert)),
    }
}

/// Calls a method that is known only when the contract runs, with encoded arguments, and returns the
/// encoded result; a failure of the callee ends the transaction.
///
/// For contracts that carry out what others decided, as a multisig or a governance does. Where the
/// callee's interface is known, use the client that [`interface`](crate::interface) makes. The calling
/// method declares `dynamic`, or `calls(...)` that cover the call.
#[inline]
pub fn call_encoded(callee: &Address, method: MethodId, args: &[u8]) -> Vec<u8> {
    host::call(callee, method.0, args, false);
    host::with_call_output::<Any, _>(<[u8]>::to_vec).unwrap_or_default()
}

/// The result of the callee that just succeeded.
#[inline]
fn result<T: AbiType>() -> T {
    let value = if Of::<T>::MAX == 0 {
        codec::decode::<Of<T>, T>(&[])
    } else {
        host::with_call_output::<Of<T>, _>(codec::decode::<Of<T>, T>).flatten()
    };
    match value {
        Some(value) => value,
        None => panic!("the callee's result has another type"),
    }
}
