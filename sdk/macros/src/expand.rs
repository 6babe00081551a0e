//! `#[contract]`: tells the struct from the `impl`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Ident, Item, Path, Token, Type, parenthesized};

use crate::{contract_struct, text};

/// The macro that carries a struct's fields to its `impl`: an attribute sees only its own item.
pub(crate) fn carrier(contract: &syn::Ident) -> syn::Ident {
    // An argument, since in the text a raw name would keep its `r#`.
    format_ident!("__kempe_{}_fields", contract)
}

pub(crate) fn contract(attr: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let Implements(interfaces) = syn::parse2(attr)?;
    match syn::parse2::<Item>(item)? {
        Item::Struct(item) => match interfaces.first() {
            None => contract_struct::expand(item),
            Some(interface) => Err(text::error(
                interface.span(),
                "the interfaces belong on the `impl` with the methods",
                "write `#[contract(implements(..))]` there",
            )),
        },
        Item::Impl(item) => {
            let name = contract_name(&item)?;
            let carrier = carrier(&name);
            Ok(quote! { #carrier! { { #(#interfaces),* } #item } })
        }
        other => Err(syn::Error::new_spanned(
            other,
            "`#[contract]` belongs on the struct of a contract and on the `impl` with its methods",
        )),
    }
}

/// `implements(a::B, C)`, or nothing.
struct Implements(Vec<Path>);

impl Parse for Implements {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let word: Ident = input.parse()?;
        if word != "implements" {
            return Err(text::error(
                word.span(),
                &format!("`{word}` is no argument of `#[contract]`"),
                "write `#[contract]`, or `#[contract(implements(Interface))]`",
            ));
        }
        let content;
        parenthesized!(content in input);
        let paths = Punctuated::<Path, Token![,]>::parse_terminated(&content)?;
        Ok(Self(paths.into_iter().collect()))
    }
}

/// The struct that the `impl` is for.
pub(crate) fn contract_name(item: &syn::ItemImpl) -> syn::Result<syn::Ident> {
    if let Some((path, _)) = &item.trait_ {
        return Err(syn::Error::new_spanned(
            path,
            "`#[contract]` belongs on the inherent `impl`, not on that of a trait",
        ));
    }
    match &*item.self_ty {
        Type::Path(ty) if ty.qself.is_none() => {
            if let Some(name) = ty.path.get_ident() {
                return Ok(name.clone());
            }
        }
        _ => {}
    }
    Err(syn::Error::new_spanned(&item.self_ty, "expected the plain name of the contract's struct"))
}
