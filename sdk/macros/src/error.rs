//! `#[error]`: an enum of a contract's errors.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Expr, ExprLit, Fields, ItemEnum, Lit, Variant};

use crate::text::{self, Errors};

/// Codes below belong to the SDK.
const FIRST_CODE: u32 = 100;

/// Codes above would be negative numbers at the boundary of wasm.
const LAST_CODE: u32 = i32::MAX as u32;

pub(crate) fn expand(item: TokenStream) -> syn::Result<TokenStream> {
    let item: ItemEnum = syn::parse2(item)?;
    if !item.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(
            &item.generics,
            "an error enum has no generic parameters",
        ));
    }
    if item.variants.is_empty() {
        return Err(syn::Error::new_spanned(&item.ident, "an error enum has at least one error"));
    }
    let mut errors = Errors::default();
    let (mut seen, mut next, mut cases) = (BTreeMap::new(), None, Vec::new());
    text::check_names([&item.ident], &mut errors);
    text::check_names(item.variants.iter().map(|variant| &variant.ident), &mut errors);
    for variant in &item.variants {
        let Some(code) = errors.note(code(variant, next)) else { continue };
        next = code.checked_add(1);
        if let Err(error) = in_range(variant, code) {
            errors.push(error);
        }
        if let Some(first) = seen.insert(code, &variant.ident) {
            errors.push(text::error(
                variant.ident.span(),
                &format!("`{}` has the code {code}, as has `{first}`", variant.ident),
                "give every error a code of its own",
            ));
        }
        let (name, doc) = (text::bare(&variant.ident), text::doc(&variant.attrs));
        cases.push(quote! { (#name, #code, #doc) });
    }
    if let Some(error) = errors.into_error() {
        return Err(error);
    }
    let (name, text) = (&item.ident, text::bare(&item.ident));
    Ok(quote! {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        #item

        impl ::kempe_sdk::ContractError for #name {
            const SET: ::core::option::Option<&'static ::kempe_sdk::abi::def::ErrorSetDef> =
                ::core::option::Option::Some(&::kempe_sdk::abi::def::ErrorSetDef {
                    name: #text,
                    cases: &[#(#cases),*],
                });

            #[inline]
            fn code(&self) -> u32 {
                *self as u32
            }
        }
    })
}

fn code(variant: &Variant, next: Option<u32>) -> syn::Result<u32> {
    let name = &variant.ident;
    if !matches!(variant.fields, Fields::Unit) {
        return Err(text::error(
            name.span(),
            "an error has a code and no fields: a receipt carries the code alone",
            "emit an event in a call that succeeds, or give each case an error of its own",
        ));
    }
    match (&variant.discriminant, next) {
        (Some((_, Expr::Lit(ExprLit { lit: Lit::Int(code), .. }))), _) => code.base10_parse(),
        (Some((_, other)), _) => {
            Err(syn::Error::new_spanned(other, "a code is written as a number"))
        }
        (None, Some(next)) => Ok(next),
        (None, None) => Err(text::error(
            name.span(),
            "the first error needs a code",
            &format!("write `{name} = {FIRST_CODE}`"),
        )),
    }
}

fn in_range(variant: &Variant, code: u32) -> syn::Result<()> {
    let name = &variant.ident;
    if code < FIRST_CODE {
        return Err(text::error(
            name.span(),
            &format!(
                "`{name}` has the code {code}, but codes under {FIRST_CODE} belong to the SDK"
            ),
            &format!("count from {FIRST_CODE}"),
        ));
    }
    if code > LAST_CODE {
        return Err(syn::Error::new(name.span(), format!("a code is at most {LAST_CODE}")));
    }
    Ok(())
}
