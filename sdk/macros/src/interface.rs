//! `#[interface]`: a typed client for other contracts.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{FnArg, Ident, ItemTrait, Pat, TraitItem, TraitItemFn, Type};

use crate::contract_impl::bound;
use crate::event::selector;
use crate::method::{self, Returns};
use crate::text::{self, Errors};

pub(crate) fn expand(item: TokenStream) -> syn::Result<TokenStream> {
    let item: ItemTrait = syn::parse2(item)?;
    let mut errors = Errors::default();
    let both = item.items.iter().filter_map(|item| match item {
        TraitItem::Fn(function) => errors.note(methods(function)),
        other => {
            errors.push(syn::Error::new_spanned(other, "an interface has only methods"));
            None
        }
    });
    let (defs, methods): (Vec<TokenStream>, Vec<TokenStream>) = both.unzip();
    if let Some(error) = errors.into_error() {
        return Err(error);
    }
    let (name, vis) = (&item.ident, &item.vis);
    let text = text::name(name)?;
    let client = format_ident!("{}Client", name);
    let doc = format!("Calls the methods of [`{name}`] on the contract at an address.");
    Ok(quote! {
        #[allow(dead_code, reason = "an interface may be there for its client alone")]
        #item

        #[doc = #doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #vis struct #client {
            address: ::kempe_sdk::Address,
        }

        #[allow(dead_code, reason = "a contract uses what it needs")]
        impl #client {
            /// What the interface is, for `#[contract(implements(..))]` and for its identifier.
            #vis const INTERFACE: &'static ::kempe_sdk::abi::def::InterfaceDef =
                &::kempe_sdk::abi::def::InterfaceDef { name: #text, methods: &[#(#defs),*] };

            /// The client of the contract at `address`. Costs nothing; nothing is checked.
            #[must_use]
            #vis const fn new(address: ::kempe_sdk::Address) -> Self {
                Self { address }
            }

            /// The contract's address.
            #[must_use]
            #vis const fn address(&self) -> ::kempe_sdk::Address {
                self.address
            }

            #(#methods)*
        }
    })
}

/// For one method of the interface: its description, and the two methods of the client.
fn methods(function: &TraitItemFn) -> syn::Result<(TokenStream, TokenStream)> {
    let name = &function.sig.ident;
    let Some(receiver) = function.sig.receiver() else {
        return Err(text::error(
            name.span(),
            "a method of an interface takes `&self` or `&mut self`",
            "`&self` only reads, `&mut self` may write",
        ));
    };
    let view = receiver.to_token_stream().to_string().replace(' ', "") == "&self";
    if let Some(body) = &function.default {
        return Err(syn::Error::new_spanned(body, "a method of an interface has no body"));
    }
    let params: Vec<(&Ident, &Type)> =
        function.sig.inputs.iter().filter_map(typed).collect::<syn::Result<_>>()?;
    let (names, types): (Vec<_>, Vec<_>) = params.into_iter().unzip();
    let returns = match method::returns(&function.sig.output) {
        Returns::Plain(ty) => ty,
        Returns::Result(ty) => quote! { <#ty as ::kempe_sdk::__private::ResultType>::Value },
    };
    let bound = bound(types.iter().copied());
    let text_name = text::name(name)?;
    let id = selector(&text_name);
    let docs = function.attrs.iter().filter(|attr| attr.path().is_ident("doc"));
    let docs: Vec<_> = docs.collect();
    let try_name = format_ident!("try_{}", name);
    let text = format!(
        "Calls [`{name}`](Self::{name}); a failure of the callee undoes the callee's writes and comes back."
    );
    let def = quote! {
        ::kempe_sdk::abi::def::InterfaceMethodDef {
            name: #text_name,
            view: #view,
            params: &[#(<#types as ::kempe_sdk::abi::AbiType>::TYPE),*],
            returns: <#returns as ::kempe_sdk::abi::AbiType>::TYPE,
        }
    };
    let client = quote! {
        #(#docs)*
        ///
        /// A failure of the callee ends the transaction.
        pub fn #name(&self #(, #names: #types)*) -> #returns {
            ::kempe_sdk::__private::call::<#bound, _, _>(&self.address, #id, &(#(#names,)*))
        }

        #[doc = #text]
        ///
        /// # Errors
        /// [`CallError`](::kempe_sdk::CallError) with the callee's code, or when it was stopped.
        ///
        /// # Panics
        /// If the callee succeeds with a result of another type, which ends the transaction.
        pub fn #try_name(
            &self #(, #names: #types)*
        ) -> ::core::result::Result<#returns, ::kempe_sdk::CallError> {
            ::kempe_sdk::__private::try_call::<#bound, _, _>(&self.address, #id, &(#(#names,)*))
        }
    };
    Ok((def, client))
}

fn typed(input: &FnArg) -> Option<syn::Result<(&Ident, &Type)>> {
    let FnArg::Typed(param) = input else { return None };
    Some(match &*param.pat {
        Pat::Ident(pat) => Ok((&pat.ident, &*param.ty)),
        other => Err(syn::Error::new_spanned(other, "a parameter has a plain name")),
    })
}
