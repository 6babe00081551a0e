//! `#[contract]` on the struct: tags the storage fields and carries them to the `impl`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Ident, ItemStruct};

use crate::expand::carrier;
use crate::field::{self, Field};

pub(crate) fn expand(item: ItemStruct) -> syn::Result<TokenStream> {
    let fields = field::read_all(&item)?;
    let (name, vis, attrs) = (&item.ident, &item.vis, &item.attrs);
    let tags = format_ident!("__kempe_{}_tags", name);
    let tag = |field: &Field| {
        let field = &field.name;
        quote! { #tags::#field }
    };
    let storage = fields.iter().map(|field| field.storage(&tag(field)));
    let names: Vec<&Ident> = fields.iter().map(|field| &field.name).collect();
    let field_attrs = item.fields.iter().map(|field| {
        let (attrs, vis) = (&field.attrs, &field.vis);
        quote! { #(#attrs)* #vis }
    });
    let tag_items = fields.iter().enumerate().map(|(i, field)| tag_item(i, &field.name));
    let (carrier, key_checks) = (carrier(name), fields.iter().filter_map(Field::check_key));
    Ok(quote! {
        #(#attrs)*
        #vis struct #name {
            #(#field_attrs #names: #storage,)*
        }

        impl #name {
            /// The storage handles, which have no size.
            const fn __kempe_storage() -> Self {
                Self { #(#names: ::kempe_sdk::__private::Handle::NEW,)* }
            }
        }

        #(#key_checks)*

        #[doc(hidden)]
        #[allow(non_snake_case, non_camel_case_types, missing_docs, missing_debug_implementations, unreachable_pub, dead_code, reason = "the names of fields")]
        pub mod #tags {
            #(#tag_items)*
        }

        #[doc(hidden)]
        #[allow(unused_macros, reason = "a struct without methods is an error of its own")]
        macro_rules! #carrier {
            ($($methods:tt)*) => {
                ::kempe_sdk::__private::contract_impl! { { #item } { $($methods)* } }
            };
        }
    })
}

/// The type that names a field. Its host functions are imports of its own, whose names carry the
/// field's number.
fn tag_item(index: usize, name: &Ident) -> TokenStream {
    let import = |word: &str| format!("{word}:{index}");
    let [get, start, put, remove] = ["get", "start", "put", "remove"].map(import);
    let [add, max, min] = ["add", "max", "min"].map(import);
    let [reserve, append] = ["reserve", "append"].map(import);
    let index = u8::try_from(index).expect("there are at most 256 fields");
    quote! { ::kempe_sdk::__field!(#name, #index, #get, #start, #put, #remove, #add, #max, #min, #reserve, #append); }
}
