//! `#[contract]`: tells the struct from the `impl`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Item, Type};

use crate::contract_struct;

/// The macro that carries a struct's fields to its `impl`: an attribute sees only its own item.
pub(crate) fn carrier(contract: &syn::Ident) -> syn::Ident {
    format_ident!("__kempe_{contract}_fields")
}

pub(crate) fn contract(attr: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    if !attr.is_empty() {
        return Err(syn::Error::new_spanned(attr, "`#[contract]` takes no arguments"));
    }
    match syn::parse2::<Item>(item)? {
        Item::Struct(item) => contract_struct::expand(item),
        Item::Impl(item) => {
            let name = contract_name(&item)?;
            let carrier = carrier(&name);
            Ok(quote! { #carrier! { #item } })
        }
        other => Err(syn::Error::new_spanned(
            other,
            "`#[contract]` belongs on the struct of a contract and on the `impl` with its methods",
        )),
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
