//! The client in Rust: one module.

use kempe_abi::{Abi, ErrorSet, Event, Member, Method, MethodKind, Type};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;

use super::names::{Names, RUST_KEYWORDS};
use super::{BindingsError, ErrorSets, NamedTypes, are_positions, check, doc_lines, methods, once};

/// Names that the generated code means by what everybody means by them.
#[rustfmt::skip]
const PRELUDE: &[&str] = &[
    "Action", "Address", "Box", "Call", "Clone", "Copy", "Debug", "Default", "Drop", "Eq", "Err",
    "ErrorCodes", "EventRecord", "Fn", "From", "Hash", "Infallible", "Into", "Iterator", "None",
    "Ok", "Option", "Ord", "PartialEq", "PartialOrd", "Receipt", "Result", "Send", "Sized", "Some",
    "String", "Sync", "Upgrade", "Vec", "alloc", "bool", "borsh", "char", "core", "errors", "events", "f32",
    "f64", "i128", "i16", "i32", "i64", "i8", "isize", "kempe_abi", "kempe_runtime", "std", "str",
    "types", "u128", "u16", "u32", "u64", "u8", "usize",
];

/// What cannot be a name even as `r#name`.
const NEVER: &[&str] = &["Self", "_", "crate", "self", "super"];

/// How many members of a tuple have the traits of the standard library.
const TUPLE_MEMBERS_MAX: usize = 12;

/// The source of a module with a client of the contract; it uses `kempe_abi` and `kempe_runtime`.
///
/// # Errors
/// [`BindingsError`] for an ABI that no admitted contract has, or of whose types no value can exist.
///
/// # Panics
/// Never: what is written is Rust.
pub fn rust(abi: &Abi) -> Result<String, BindingsError> {
    check(abi)?;
    let scope = || Names::without(&[PRELUDE, NEVER]);
    let named = NamedTypes::of(abi, &mut scope());
    let errors = ErrorSets::of(abi, &mut scope());
    let writer = Writer { named: &named, errors: &errors };
    let (contract, types) = (writer.contract(abi), writer.types());
    let (errors, events) = (writer.error_sets(), writer.events(&abi.events));
    let tokens = quote! {
        use core::convert::Infallible;

        use kempe_abi::{Address, Hash, borsh};
        use kempe_runtime::types::{Action, Call, Receipt, Upgrade};

        #contract #errors #events #types
    };
    let file = syn::parse2(tokens).expect("what is written is Rust");
    let head = format!(
        "//! A client of the contract `{}`. Written by `kempe bindings rust`; changes are lost.\n\
         #![allow(clippy::all, clippy::nursery, clippy::pedantic, reason = \"generated code\")]\n\
         #![allow(dead_code, missing_docs, unreachable_pub, unused_imports, reason = \"it has all\")]\n\
         #![allow(non_camel_case_types, non_snake_case, reason = \"names of the contract\")]\n\
         #![allow(unreachable_code, unreachable_patterns, reason = \"enums may be empty\")]\n\n",
        abi.name
    );
    Ok(head + &prettyplease::unparse(&file))
}

struct Writer<'a> {
    named: &'a NamedTypes<'a>,
    errors: &'a ErrorSets<'a>,
}

/// An identifier of a name that a scope gave.
fn ident(name: &str) -> Ident {
    if RUST_KEYWORDS.contains(&name) {
        return Ident::new_raw(name, Span::call_site());
    }
    Ident::new(name, Span::call_site())
}

/// A documentation comment. It holds words: no code that `cargo test` would run, no HTML, no links.
fn doc(text: &str) -> TokenStream {
    let lines = doc_lines(text).map(|line| {
        let line = line.replace("```", "'''").replace("~~~", "'''");
        let mut escaped = String::from(" ");
        for c in line.chars() {
            if matches!(c, '<' | '[' | '\\') {
                escaped.push('\\');
            }
            escaped.push(c);
        }
        quote! { #[doc = #escaped] }
    });
    quote! { #(#lines)* }
}

/// The same, behind a first paragraph.
fn paragraph(text: &str) -> Option<TokenStream> {
    let text = doc(text);
    (!text.is_empty()).then(|| quote! { #[doc = ""] #text })
}

fn derives(is_copy: bool) -> TokenStream {
    let copy = is_copy.then(|| quote! { Copy, });
    quote! { #[derive(Clone, #copy Debug, PartialEq, Eq)] }
}

fn borsh() -> TokenStream {
    quote! {
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
        #[borsh(crate = "kempe_abi::borsh")]
    }
}

/// Nested tuples, as long as one has too many members: the encoding is the same.
fn tuple(members: &[TokenStream]) -> TokenStream {
    if members.len() <= TUPLE_MEMBERS_MAX {
        return quote! { (#(#members,)*) };
    }
    let inner: Vec<TokenStream> = members.chunks(TUPLE_MEMBERS_MAX).map(tuple).collect();
    tuple(&inner)
}

impl Writer<'_> {
    /// A type; those with names are in the module `types`, whose path is given.
    fn ty(&self, ty: &Type, types: &TokenStream) -> TokenStream {
        match ty {
            Type::Unit => quote! { () },
            Type::String => quote! { String },
            Type::Address => quote! { Address },
            Type::Hash => quote! { Hash },
            Type::Option(inner) => {
                let inner = self.ty(inner, types);
                quote! { Option<#inner> }
            }
            Type::List(inner) => {
                let inner = self.ty(inner, types);
                quote! { Vec<#inner> }
            }
            Type::Array(inner, n) => {
                let (inner, n) = (self.ty(inner, types), Literal::u32_unsuffixed(*n));
                quote! { [#inner; #n] }
            }
            Type::Tuple(members) => {
                let members: Vec<_> = members.iter().map(|member| self.ty(member, types)).collect();
                tuple(&members)
            }
            Type::Struct(..) | Type::Enum(..) => {
                let name = ident(self.named.name(ty));
                quote! { #types::#name }
            }
            // The name of an integer in Rust is its name in the ABI.
            primitive => {
                let name = ident(&primitive.to_string());
                quote! { #name }
            }
        }
    }

    fn params(&self, params: &[Member], names: &mut Names) -> (Vec<TokenStream>, TokenStream) {
        let idents: Vec<Ident> = params.iter().map(|p| ident(&names.take(&p.name))).collect();
        let types = params.iter().map(|param| self.ty(&param.ty, &quote! { types }));
        let declared = idents.iter().zip(types).map(|(name, ty)| quote! { #name: #ty }).collect();
        let values: Vec<TokenStream> = idents.iter().map(|name| quote! { &#name }).collect();
        (declared, tuple(&values))
    }

    fn contract(&self, abi: &Abi) -> TokenStream {
        let mut scope = Names::without(&[PRELUDE, NEVER]);
        let (name, docs) = (ident(&scope.take(&abi.name)), doc(&abi.doc));
        let (deploy, upgrade) = (self.deploy(abi), self.upgrade(abi));
        let events = (!abi.events.is_empty()).then(events_of_receipt);
        let mut scope = Names::without(&[&["at", "deploy", "events", "upgrade"], NEVER]);
        let methods = methods(abi).map(|method| self.method(method, &mut scope));
        let derives = derives(true);
        quote! {
            #docs
            #derives
            pub struct #name {
                /// Where it is.
                pub address: Address,
            }

            impl #name {
                /// The contract at an address.
                #[must_use]
                pub const fn at(address: Address) -> Self {
                    Self { address }
                }

                #deploy
                #upgrade
                #events
                #(#methods)*
            }
        }
    }

    fn deploy(&self, abi: &Abi) -> TokenStream {
        let (params, text) = once(abi, MethodKind::Init);
        let own = &["wasm", "authority"];
        let (declared, values) = self.params(params, &mut Names::without(&[PRELUDE, NEVER, own]));
        let docs = paragraph(text);
        quote! {
            /// Deploys the contract. The authority may replace the code later; nobody, ever, if there is none.
            #docs
            #[must_use]
            pub fn deploy(wasm: Vec<u8>, authority: Option<Address>, #(#declared),*) -> Action {
                let args = borsh::to_vec(&#values).expect("arguments have an encoding");
                Action::Deploy { wasm, args, authority: authority.map(Box::new) }
            }
        }
    }

    fn upgrade(&self, abi: &Abi) -> TokenStream {
        let (params, text) = once(abi, MethodKind::Migrate);
        let own = &["wasm", "allow_wider", "authority"];
        let (declared, values) = self.params(params, &mut Names::without(&[PRELUDE, NEVER, own]));
        let docs = paragraph(text);
        quote! {
            /// Replaces the code by the one that this client is of. The authority may do so again;
            /// nobody, ever, if there is none.
            #docs
            #[must_use]
            pub fn upgrade(
                &self,
                wasm: Vec<u8>,
                allow_wider: bool,
                authority: Option<Address>,
                #(#declared),*
            ) -> Action {
                let args = borsh::to_vec(&#values).expect("arguments have an encoding");
                let contract = self.address;
                Action::Upgrade(Box::new(Upgrade { contract, wasm, args, allow_wider, authority }))
            }
        }
    }

    fn method(&self, method: &Method, scope: &mut Names) -> TokenStream {
        let (name, text, docs) = (ident(&scope.take(&method.name)), &method.name, doc(&method.doc));
        let (declared, values) =
            self.params(&method.params, &mut Names::without(&[PRELUDE, NEVER]));
        let returns = self.ty(&method.returns, &quote! { types });
        let error = match &method.error {
            None => quote! { Infallible },
            Some(set) => {
                let name = ident(self.errors.name(set));
                quote! { errors::#name }
            }
        };
        quote! {
            #docs
            #[must_use]
            pub fn #name(&self, #(#declared),*) -> Call<#returns, #error> {
                Call::new(self.address, #text, &#values)
            }
        }
    }

    fn error_sets(&self) -> Option<TokenStream> {
        let sets = self.errors.found.iter().map(|(set, name)| error_set(set, &ident(name)));
        (!self.errors.found.is_empty()).then(|| {
            quote! {
                /// Why methods refuse.
                pub mod errors {
                    use kempe_runtime::types::ErrorCodes;

                    #(#sets)*
                }
            }
        })
    }

    fn events(&self, events: &[Event]) -> Option<TokenStream> {
        if events.is_empty() {
            return None;
        }
        let mut scope = Names::without(&[PRELUDE, NEVER, &["Event"]]);
        let names: Vec<Ident> = events.iter().map(|e| ident(&scope.take(&e.name))).collect();
        let structs = events.iter().zip(&names).map(|(event, name)| {
            let (docs, borsh, fields) =
                (doc(&event.doc), borsh(), self.fields(&event.fields, true));
            let end = (!is_braced(&event.fields)).then(|| quote! { ; });
            quote! { #docs #borsh pub struct #name #fields #end }
        });
        let ids = events.iter().map(|event| Literal::u32_unsuffixed(event.id()));
        let texts = events.iter().map(|event| doc(&event.doc));
        let derives = derives(false);
        Some(quote! {
            /// What the contract tells.
            pub mod events {
                use kempe_abi::{Address, Hash, borsh};
                use kempe_runtime::types::EventRecord;

                #(#structs)*

                /// Any of the events.
                #derives
                pub enum Event {
                    #(#texts #names(#names),)*
                }

                impl Event {
                    /// The event of a record; none if it is another contract's.
                    ///
                    /// # Errors
                    /// If the record has the number of an event, and other fields.
                    pub fn decode(
                        record: &EventRecord,
                    ) -> Result<Option<Self>, borsh::io::Error> {
                        Ok(Some(match record.id {
                            #(#ids => Self::#names(borsh::from_slice(&record.data)?),)*
                            _ => return Ok(None),
                        }))
                    }
                }
            }
        })
    }

    fn types(&self) -> Option<TokenStream> {
        let types = self.named.found.iter().map(|(ty, name)| {
            let (name, borsh) = (ident(name), borsh());
            match ty {
                Type::Enum(_, variants) => {
                    let mut scope = Names::without(&[NEVER]);
                    let variants = variants.iter().map(|variant| {
                        let name = ident(&scope.take(&variant.name));
                        let fields = self.fields(&variant.fields, false);
                        quote! { #name #fields }
                    });
                    quote! { #borsh pub enum #name { #(#variants,)* } }
                }
                Type::Struct(_, fields) => {
                    let end = (!is_braced(fields)).then(|| quote! { ; });
                    let fields = self.fields(fields, true);
                    quote! { #borsh pub struct #name #fields #end }
                }
                _ => TokenStream::new(),
            }
        });
        (!self.named.found.is_empty()).then(|| {
            quote! {
                /// The types of arguments, results and events.
                pub mod types {
                    use kempe_abi::{Address, Hash, borsh};

                    #(#types)*
                }
            }
        })
    }

    /// What stands behind the name of a struct or a variant.
    fn fields(&self, fields: &[Member], public: bool) -> TokenStream {
        let public = public.then(|| quote! { pub });
        let types = fields.iter().map(|field| self.ty(&field.ty, &quote! { super::types }));
        if fields.is_empty() {
            return TokenStream::new();
        }
        if are_positions(fields) {
            return quote! { (#(#public #types),*) };
        }
        let mut scope = Names::without(&[NEVER]);
        let names = fields.iter().map(|field| ident(&scope.take(&field.name)));
        quote! { { #(#public #names: #types,)* } }
    }
}

fn is_braced(fields: &[Member]) -> bool {
    !fields.is_empty() && !are_positions(fields)
}

fn events_of_receipt() -> TokenStream {
    quote! {
        /// The contract's events in a receipt, in order.
        ///
        /// # Errors
        /// If the contract at the address is another one, with other events of these names.
        pub fn events(
            &self,
            receipt: &Receipt,
        ) -> Result<Vec<events::Event>, borsh::io::Error> {
            let own = receipt.events.iter().filter(|record| record.contract == self.address);
            own.filter_map(|record| events::Event::decode(record).transpose()).collect()
        }
    }
}

fn error_set(set: &ErrorSet, name: &Ident) -> TokenStream {
    let mut scope = Names::without(&[NEVER]);
    let names: Vec<Ident> = set.cases.iter().map(|c| ident(&scope.take(&c.name))).collect();
    let docs = set.cases.iter().map(|case| doc(&case.doc));
    let codes: Vec<Literal> =
        set.cases.iter().map(|case| Literal::u32_unsuffixed(case.code)).collect();
    let derives = derives(true);
    quote! {
        #derives
        pub enum #name {
            #(#docs #names,)*
        }

        impl #name {
            /// The code in a receipt.
            #[must_use]
            pub const fn code(self) -> u32 {
                match self { #(Self::#names => #codes,)* }
            }
        }

        impl ErrorCodes for #name {
            fn from_code(code: u32) -> Option<Self> {
                Some(match code {
                    #(#codes => Self::#names,)*
                    _ => return None,
                })
            }
        }
    }
}
