//! `#[event]`: a struct that a contract reports.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemStruct;

use crate::text::{self, Errors};
use crate::value;

pub(crate) fn expand(item: TokenStream) -> syn::Result<TokenStream> {
    let item: ItemStruct = syn::parse2(item)?;
    if !item.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(&item.generics, "an event has no generic parameters"));
    }
    let mut errors = Errors::default();
    text::check_names([&item.ident], &mut errors);
    text::check_names(value::names_of(&item.fields), &mut errors);
    if let Some(error) = errors.into_error() {
        return Err(error);
    }
    let (name, doc) = (&item.ident, text::doc(&item.attrs));
    let text = text::bare(name);
    let id = selector(&text);
    let members = value::members_def(&item.fields);
    let value = value::of_struct(name, &item.fields);
    Ok(quote! {
        #[derive(Clone, Debug, PartialEq, Eq)]
        #item

        #value

        impl ::kempe_sdk::Event for #name {
            const ID: u32 = #id;
            const DEF: &'static ::kempe_sdk::abi::def::EventDef = &::kempe_sdk::abi::def::EventDef {
                name: #text,
                doc: #doc,
                fields: #members,
            };
        }

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            const DEF: &::kempe_sdk::abi::def::EventDef = <#name as ::kempe_sdk::Event>::DEF;
            const LEN: usize = ::kempe_sdk::abi::section::event_len(DEF);
            #[unsafe(link_section = "kempe.abi")]
            pub static ABI_SECTION: [u8; LEN] = ::kempe_sdk::abi::section::event::<LEN>(DEF);
        };
    })
}

/// The selector of a method and the identifier of an event: the first four bytes of the blake3 hash
/// of the name, little-endian.
pub(crate) fn selector(name: &str) -> u32 {
    let hash = blake3::hash(name.as_bytes());
    let [a, b, c, d, ..] = *hash.as_bytes();
    u32::from_le_bytes([a, b, c, d])
}
