//! The attribute and derive macros of the Kempe contract SDK.
//!
//! Contracts reach these through `kempe_sdk`, whose documentation shows how they work together.
//! One attribute or derive is one module here; `access`, `scan` and `check` are the compile-time
//! half of access declaration: parse the template, find what the body touches, compare the two.

mod access;
mod check;
mod contract_impl;
mod contract_struct;
mod error;
mod event;
mod expand;
mod field;
mod interface;
mod method;
mod scan;
mod template;
mod text;
mod value;

use proc_macro::TokenStream;

/// Marks the struct of a contract, and the `impl` with its methods.
///
/// On the struct: every field is a storage cell (`Item`, `Map`, `Counter`, `Sharded`, `Immutable`). On the
/// `impl`: every `pub fn` with `self` is a method that can be called; its `#[access(...)]` is checked
/// against what its body, and the private helpers it calls, touch. The struct comes first, in the
/// same module.
///
/// Names are ASCII, since no host admits others; what is `r#type` in Rust is `type` in the ABI. A field whose shortest key has
/// more than 256 bytes does not compile.
///
/// `#[contract(implements(Fungible, a::Other))]` on the `impl` says that the contract has the
/// methods of these [`macro@interface`]s; that is checked, and the ABI says so too.
#[proc_macro_attribute]
pub fn contract(attr: TokenStream, item: TokenStream) -> TokenStream {
    finish(expand::contract(attr.into(), item.into()))
}

/// What the struct's half of [`macro@contract`] makes of the `impl`'s half.
#[doc(hidden)]
#[proc_macro]
pub fn contract_impl(input: TokenStream) -> TokenStream {
    finish(contract_impl::expand(input.into()))
}

/// Declares what a method touches. Only has a meaning inside a `#[contract] impl`.
///
/// ```text
/// clause := read(cell, ...) | write(cell, ...) | add(cell, ...) | start(cell, ...) | unless(cell, ...)
///         | calls(callee.method(expr, ...), ...)
///         | each(list, clause, ...)
///         | dynamic
///         | allow(rule = "reason", ...)
/// cell   := field | field[expr, ...] | field[expr][expr]
/// expr   := caller | this | parameter | expr.field | immutable | element
///         | 1u64 | true | "text" | b"bytes" | hash(expr, ...) | (expr, ...) | _
/// ```
///
/// `start` reads what the cell held before the block, with `at_start`, and conflicts with nothing.
/// `unless` is of a `bool`: where it was `true` before the block, the host refuses the call, before the
/// method runs; that conflicts with nothing either.
/// `allow` is no clause: it lets what a rule of the linter finds in the method stand, for a reason that the
/// linter then shows.
/// A callee is a parameter, an immutable or another expression of type `Address`. `element` is the
/// current element of the innermost `each`. `_` is an argument that is not known before the call
/// runs; the callee's template must not need it. `dynamic` says that the method also touches keys
/// that depend on state: the transaction carries them.
#[proc_macro_attribute]
pub fn access(_attr: TokenStream, item: TokenStream) -> TokenStream {
    let error = syn::Error::new(
        proc_macro2::Span::call_site(),
        "`#[access]` belongs on a method of a `#[contract] impl`",
    );
    let mut output = TokenStream::from(error.into_compile_error());
    output.extend(item);
    output
}

/// Marks an enum as the errors of a contract: every variant has a code from 100 on.
///
/// The enum gets `Clone`, `Copy`, `Debug`, `PartialEq` and `Eq`. A receipt carries the code; the
/// ABI carries the variants' names and documentation.
#[proc_macro_attribute]
pub fn error(_attr: TokenStream, item: TokenStream) -> TokenStream {
    finish(error::expand(item.into()))
}

/// Marks a struct as an event, to be reported with `emit(Event { .. })`.
///
/// The struct gets `Clone`, `Debug`, `PartialEq` and `Eq`. Its identifier in receipts is a hash of
/// its name.
#[proc_macro_attribute]
pub fn event(_attr: TokenStream, item: TokenStream) -> TokenStream {
    finish(event::expand(item.into()))
}

/// Makes a struct or an enum a type for parameters, results, keys and values.
#[proc_macro_derive(Value)]
pub fn value(item: TokenStream) -> TokenStream {
    finish(value::expand(item.into()))
}

/// Turns a trait into a typed client, `NameClient`, for the contracts that have its methods.
///
/// Each method of the trait becomes two of the client: `method(..)`, with which a failure of the
/// callee ends the transaction, and `try_method(..)`, which returns it as a `CallError`. A result of another
/// type is no failure of the callee, whose writes stand: with either it ends the transaction.
#[proc_macro_attribute]
pub fn interface(_attr: TokenStream, item: TokenStream) -> TokenStream {
    finish(interface::expand(item.into()))
}

fn finish(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(|error| error.into_compile_error()).into()
}
