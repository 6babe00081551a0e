//! `#[derive(Value)]`: the canonical encoding and the description of a type.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Fields, Ident, Index, Type};

use crate::text::{self, Errors};

pub(crate) fn expand(input: TokenStream) -> syn::Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    if !input.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(
            &input.generics,
            "a value type has no generic parameters",
        ));
    }
    check_names(&input)?;
    match &input.data {
        Data::Struct(data) => Ok(of_struct(&input.ident, &data.fields)),
        Data::Enum(data) if data.variants.is_empty() || data.variants.len() > 256 => {
            Err(syn::Error::new_spanned(&input.ident, "a value enum has 1 to 256 variants"))
        }
        Data::Enum(data) => Ok(of_enum(&input.ident, data)),
        Data::Union(data) => {
            Err(syn::Error::new(data.union_token.span, "a union has no canonical encoding"))
        }
    }
}

/// Refuses names that no ABI can have.
fn check_names(input: &DeriveInput) -> syn::Result<()> {
    let mut errors = Errors::default();
    text::check_names([&input.ident], &mut errors);
    match &input.data {
        Data::Struct(data) => text::check_names(names_of(&data.fields), &mut errors),
        Data::Enum(data) => {
            for variant in &data.variants {
                text::check_names([&variant.ident], &mut errors);
                text::check_names(names_of(&variant.fields), &mut errors);
            }
        }
        Data::Union(_) => {}
    }
    errors.into_error().map_or(Ok(()), Err)
}

/// The names of fields that have any.
pub(crate) fn names_of(fields: &Fields) -> impl Iterator<Item = &Ident> {
    fields.iter().filter_map(|field| field.ident.as_ref())
}

/// The implementations for a struct; events use it too.
pub(crate) fn of_struct(name: &Ident, fields: &Fields) -> TokenStream {
    let members: Vec<TokenStream> = (0u32..)
        .zip(fields)
        .map(|(i, field)| match &field.ident {
            Some(name) => quote! { #name },
            None => {
                let index = Index { index: i, span: Span::call_site() };
                quote! { #index }
            }
        })
        .collect();
    let types: Vec<&Type> = fields.iter().map(|field| &field.ty).collect();
    let text = text::bare(name);
    let described = members_def(fields);
    let write = quote! { #(::kempe_sdk::abi::Encode::serialize(&self.#members, writer)?;)* };
    let read = quote! {
        Self { #(#members: <#types as ::kempe_sdk::abi::AbiType>::read(reader)?,)* }
    };
    impls(name, &write, &read, &quote! { Struct(#text, #described) })
}

/// `&[("name", TYPE), ..]`.
pub(crate) fn members_def(fields: &Fields) -> TokenStream {
    let members = fields.iter().enumerate().map(|(i, field)| {
        let name = field.ident.as_ref().map_or_else(|| i.to_string(), text::bare);
        let ty = &field.ty;
        quote! { (#name, <#ty as ::kempe_sdk::abi::AbiType>::TYPE) }
    });
    quote! { &[#(#members),*] }
}

fn of_enum(name: &Ident, data: &syn::DataEnum) -> TokenStream {
    let (mut writes, mut reads, mut defs) = (Vec::new(), Vec::new(), Vec::new());
    for (tag, variant) in (0u8..=255).zip(&data.variants) {
        let (ident, text) = (&variant.ident, text::bare(&variant.ident));
        let vars: Vec<Ident> = (0..variant.fields.len()).map(|i| format_ident!("v{i}")).collect();
        let types: Vec<&Type> = variant.fields.iter().map(|field| &field.ty).collect();
        let members: Vec<TokenStream> = (0u32..)
            .zip(&variant.fields)
            .map(|(i, field)| match &field.ident {
                Some(name) => quote! { #name },
                None => {
                    let index = Index { index: i, span: Span::call_site() };
                    quote! { #index }
                }
            })
            .collect();
        writes.push(quote! {
            Self::#ident { #(#members: #vars),* } => {
                ::kempe_sdk::abi::Encode::serialize(&#tag, writer)?;
                #(::kempe_sdk::abi::Encode::serialize(#vars, writer)?;)*
            }
        });
        reads.push(quote! {
            #tag => Self::#ident {
                #(#members: <#types as ::kempe_sdk::abi::AbiType>::read(reader)?,)*
            },
        });
        let described = members_def(&variant.fields);
        defs.push(quote! { (#text, #described) });
    }
    let text = text::bare(name);
    let write = quote! { match self { #(#writes)* } };
    let read = quote! {
        match <u8 as ::kempe_sdk::abi::Decode>::deserialize_reader(reader)? {
            #(#reads)*
            _ => return ::core::result::Result::Err(::kempe_sdk::__private::invalid()),
        }
    };
    impls(name, &write, &read, &quote! { Enum(#text, &[#(#defs),*]) })
}

fn impls(name: &Ident, write: &TokenStream, read: &TokenStream, def: &TokenStream) -> TokenStream {
    quote! {
        impl ::kempe_sdk::abi::Encode for #name {
            #[inline]
            fn serialize<W: ::kempe_sdk::abi::borsh::io::Write>(
                &self,
                writer: &mut W,
            ) -> ::kempe_sdk::abi::borsh::io::Result<()> {
                #write
                ::core::result::Result::Ok(())
            }
        }

        impl ::kempe_sdk::abi::Decode for #name {
            #[inline]
            fn deserialize_reader<R: ::kempe_sdk::abi::borsh::io::Read>(
                reader: &mut R,
            ) -> ::kempe_sdk::abi::borsh::io::Result<Self> {
                ::core::result::Result::Ok(#read)
            }
        }

        impl ::kempe_sdk::abi::AbiType for #name {
            const TYPE: &'static ::kempe_sdk::abi::TypeDef = &::kempe_sdk::abi::TypeDef::#def;
        }
    }
}
