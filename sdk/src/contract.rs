//! What the macros make of a contract: its description, its errors, its entry points.

use core::convert::Infallible;

#[cfg(not(target_arch = "wasm32"))]
use alloc::vec::Vec;
use kempe_abi::AbiType;
use kempe_abi::def::{ContractDef, ErrorSetDef};
use kempe_abi::host::CODE_BAD_ARGUMENTS;

use crate::codec;
#[cfg(not(target_arch = "wasm32"))]
use crate::codec::Any;
#[cfg(target_arch = "wasm32")]
use crate::codec::{Bound, Of};
#[cfg(target_arch = "wasm32")]
use crate::host;

/// A contract. `#[contract]` implements it.
pub trait Contract {
    /// What the host is told about the contract.
    const DEF: &'static ContractDef;

    /// Runs a method natively, under a test host.
    ///
    /// # Errors
    /// The code of a revert.
    #[cfg(not(target_arch = "wasm32"))]
    fn dispatch(method: &str, args: &[u8]) -> Result<Vec<u8>, u32>;
}

/// An error of a contract. `#[error]` implements it.
pub trait ContractError {
    /// The names of the errors, if they have names.
    const SET: Option<&'static ErrorSetDef>;

    /// The code in the receipt.
    fn code(&self) -> u32;
}

/// An error that is only a code. See [`revert`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revert(pub u32);

impl ContractError for Revert {
    const SET: Option<&'static ErrorSetDef> = None;

    fn code(&self) -> u32 {
        self.0
    }
}

/// An error without a name, for code that has no error enum: `return Err(revert(117));`.
///
/// Use codes from 100 on; lower ones belong to the SDK, and zero would be success.
///
/// # Panics
/// If the code is zero.
#[must_use]
pub const fn revert(code: u32) -> Revert {
    assert!(code != 0, "a revert with code 0 would be a success");
    Revert(code)
}

impl ContractError for Infallible {
    const SET: Option<&'static ErrorSetDef> = None;

    fn code(&self) -> u32 {
        match *self {}
    }
}

/// The two types of a `Result`, whatever it is called.
pub trait ResultType {
    /// The type of success.
    type Value;
    /// The type of the error.
    type Error;
}

impl<T, E> ResultType for Result<T, E> {
    type Value = T;
    type Error = E;
}

/// Runs a method on encoded arguments of at most `B` bytes: the body of every export. Returns zero
/// or the code of a revert.
#[cfg(target_arch = "wasm32")]
#[inline(always)]
pub fn enter<B: Bound, A: AbiType, T: AbiType>(
    args_len: usize,
    method: impl Fn(A) -> Result<T, u32>,
) -> u32 {
    let args = if B::MAX == 0 {
        if args_len == 0 { codec::decode::<B, A>(&[]) } else { None }
    } else {
        host::with_input::<B, _>(args_len, codec::decode::<B, A>)
    };
    let Some(args) = args else { return CODE_BAD_ARGUMENTS };
    match method(args) {
        Ok(value) => {
            if Of::<T>::MAX > 0 {
                codec::encoded::<Of<T>, _, _>(&value, host::output);
            }
            0
        }
        Err(code) => code,
    }
}

/// Runs a method on encoded arguments. Returns the encoded result or the code of a revert.
///
/// # Errors
/// The code.
#[cfg(not(target_arch = "wasm32"))]
pub fn run<A: AbiType, T: AbiType>(
    args: &[u8],
    method: impl Fn(A) -> Result<T, u32>,
) -> Result<Vec<u8>, u32> {
    let args = codec::decode::<Any, A>(args).ok_or(CODE_BAD_ARGUMENTS)?;
    method(args).map(|value| codec::encoded::<Any, _, _>(&value, <[u8]>::to_vec))
}

/// Ends the compilation of a contract that lacks a method of an interface.
///
/// # Panics
/// Always, at compile time: that is what it is for.
pub const fn not_implemented(interface: &str, method: &str) -> ! {
    const WORDS: [&str; 3] = ["`", "` wants a method `", "` with its parameters, result and kind"];
    let parts = [WORDS[0], interface, WORDS[1], method, WORDS[2]];
    let (mut text, mut len, mut i) = ([0; 256], 0, 0);
    while i < parts.len() {
        let (bytes, mut j) = (parts[i].as_bytes(), 0);
        while j < bytes.len() && len < text.len() {
            text[len] = bytes[j];
            (len, j) = (len + 1, j + 1);
        }
        i += 1;
    }
    match core::str::from_utf8(text.split_at(len).0) {
        Ok(text) => panic!("{}", text),
        Err(_) => panic!("an interface wants a method that is not there"),
    }
}
