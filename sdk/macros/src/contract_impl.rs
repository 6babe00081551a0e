//! `#[contract]` on the `impl`: checks the methods, exports them and writes down the ABI.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{ImplItem, ItemImpl, ItemStruct, Path, Token, braced};

use crate::expand::contract_name;
use crate::field::{self, Field};
use crate::method::{self, Method, Returns, Role};
use crate::text::{self, Errors};
use crate::{access, check, template};

/// `{ struct } { { interfaces } impl }`.
struct Input {
    contract: ItemStruct,
    interfaces: Vec<Path>,
    methods: ItemImpl,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (contract, methods, interfaces);
        braced!(contract in input);
        braced!(methods in input);
        braced!(interfaces in methods);
        let interfaces = Punctuated::<Path, Token![,]>::parse_terminated(&interfaces)?;
        Ok(Self {
            contract: contract.parse()?,
            interfaces: interfaces.into_iter().collect(),
            methods: methods.parse()?,
        })
    }
}

/// The most parameters of a method: what tuples are encoded for.
const PARAMS_MAX: usize = 20;

pub(crate) fn expand(input: TokenStream) -> syn::Result<TokenStream> {
    let Input { contract, interfaces, methods: mut item } = syn::parse2(input)?;
    let interfaces: Vec<Path> = interfaces.into_iter().map(client).collect();
    let fields = field::read_all(&contract)?;
    let mut errors = Errors::default();
    let name = contract_name(&item)?;
    let mut methods = read_methods(&item, &name, &fields, &mut errors);
    let warnings = check::all(&fields, &methods, &mut errors);
    let exported: Vec<&Method> = methods.iter().filter(|method| method.is_exported()).collect();
    let templates: Vec<_> =
        exported.iter().map(|method| template::resolve(&fields, method, &mut errors)).collect();
    let defs =
        exported.iter().zip(&templates).map(|(method, template)| def(method, &template.defs));
    let checks = templates.iter().flat_map(|template| &template.checks);
    let contract_impl = contract_trait(&contract, &fields, &exported, defs.collect(), &interfaces);
    let exports = exports(&name, &exported);
    let checks = quote! {
        #[allow(dead_code, unused_variables, clippy::all, reason = "only types are checked")]
        const _: () = { #(#checks)* };
    };
    for method in &mut methods {
        if let Some(error) = std::mem::take(&mut method.scan.errors).into_error() {
            errors.push(error);
        }
    }
    for item in &mut item.items {
        if let ImplItem::Fn(function) = item {
            function.attrs.retain(|attr| !access::is_access(attr));
        }
    }
    if let Some(error) = errors.into_error() {
        return Ok(with_errors(item, &error));
    }
    let implements = interfaces.iter().map(|client| implements(&name, client));
    Ok(quote! { #item #contract_impl #exports #checks #(#implements)* #warnings })
}

/// The path of an interface's client: `a::Fungible` has `a::FungibleClient`.
fn client(mut interface: Path) -> Path {
    if let Some(last) = interface.segments.last_mut() {
        last.ident = format_ident!("{}Client", last.ident, span = last.ident.span());
    }
    interface
}

/// Makes the compiler compare the contract's methods with those of an interface.
fn implements(contract: &syn::Ident, client: &Path) -> TokenStream {
    quote_spanned! { client.span()=>
        const _: () = {
            const CONTRACT: &::kempe_sdk::abi::def::ContractDef =
                <#contract as ::kempe_sdk::Contract>::DEF;
            if let ::core::option::Option::Some(method) = #client::INTERFACE.missing_in(CONTRACT) {
                ::kempe_sdk::__private::not_implemented(#client::INTERFACE.name, method);
            }
        };
    }
}

/// The errors, and the functions without their bodies: one mistake is to be one error.
fn with_errors(mut item: ItemImpl, error: &syn::Error) -> TokenStream {
    for item in &mut item.items {
        if let ImplItem::Fn(function) = item {
            function.block = syn::parse_quote! {{ ::core::unimplemented!() }};
        }
    }
    let error = error.to_compile_error();
    quote! {
        #error
        #[allow(unused_variables, unused_mut, dead_code, reason = "the bodies are left out")]
        #item
    }
}

fn read_methods(
    item: &ItemImpl,
    name: &syn::Ident,
    fields: &[Field],
    errors: &mut Errors,
) -> Vec<Method> {
    let functions = item.items.iter().filter_map(|item| match item {
        ImplItem::Fn(function) => Some(function),
        _ => None,
    });
    let methods: Vec<Method> = functions
        .filter_map(|function| {
            let method = errors.note(method::read(function, name, fields))?;
            if method.params.len() > PARAMS_MAX {
                errors.push(text::error(
                    method.name.span(),
                    &format!("a method has at most {PARAMS_MAX} parameters"),
                    "make some of them a struct with `#[derive(Value)]`",
                ));
            }
            Some(method)
        })
        .collect();
    if !methods.iter().any(Method::is_exported) {
        errors.push(text::error(
            name.span(),
            "the contract has no method that can be called",
            "write `pub fn name(&mut self, ..)`",
        ));
    }
    methods
}

/// A `MethodDef`.
fn def(method: &Method, access: &[TokenStream]) -> TokenStream {
    let (name, doc) = (text::bare(&method.name), &method.doc);
    let kind = match method.role {
        Role::Init => quote! { Init },
        Role::Migrate => quote! { Migrate },
        Role::View => quote! { View },
        Role::Call | Role::Private => quote! { Call },
    };
    let params = method.params.iter().map(|(name, ty)| {
        let name = text::bare(name);
        quote! { (#name, <#ty as ::kempe_sdk::abi::AbiType>::TYPE) }
    });
    let (value, error) = match &method.returns {
        Returns::Plain(ty) => (quote! { #ty }, quote! { ::core::option::Option::None }),
        Returns::Result(ty) => (
            quote! { <#ty as ::kempe_sdk::__private::ResultType>::Value },
            quote! { <<#ty as ::kempe_sdk::__private::ResultType>::Error as ::kempe_sdk::ContractError>::SET },
        ),
    };
    quote! {
        ::kempe_sdk::abi::def::MethodDef {
            name: #name,
            doc: #doc,
            kind: ::kempe_sdk::abi::def::MethodKindDef::#kind,
            params: &[#(#params),*],
            returns: <#value as ::kempe_sdk::abi::AbiType>::TYPE,
            error: #error,
            access: &[#(#access),*],
        }
    }
}

/// A closure from the decoded arguments to `Result<T, u32>`.
fn call(method: &Method) -> TokenStream {
    let name = &method.name;
    let names = method.params.iter().map(|(name, _)| name).collect::<Vec<_>>();
    let types = method.params.iter().map(|(_, ty)| ty);
    let call = quote! { __kempe_contract.#name(#(#names),*) };
    let result = match method.returns {
        Returns::Plain(_) => quote! { ::core::result::Result::Ok(#call) },
        Returns::Result(_) => {
            quote! { #call.map_err(|error| ::kempe_sdk::ContractError::code(&error)) }
        }
    };
    let mutable = (method.role != Role::View).then(|| quote! { mut });
    quote! {
        |(#(#names,)*): (#(#types,)*)| {
            let #mutable __kempe_contract = Self::__kempe_storage();
            #result
        }
    }
}

fn contract_trait(
    contract: &ItemStruct,
    fields: &[Field],
    exported: &[&Method],
    methods: Vec<TokenStream>,
    interfaces: &[Path],
) -> TokenStream {
    let (name, doc) = (&contract.ident, text::doc(&contract.attrs));
    let text = text::bare(name);
    let fields = fields.iter().map(Field::def);
    let arms = exported.iter().map(|method| {
        let (name, call) = (text::bare(&method.name), call(method));
        quote! { #name => ::kempe_sdk::__private::run(args, #call), }
    });
    quote! {
        impl ::kempe_sdk::Contract for #name {
            const DEF: &'static ::kempe_sdk::abi::def::ContractDef =
                &::kempe_sdk::abi::def::ContractDef {
                    name: #text,
                    doc: #doc,
                    fields: &[#(#fields),*],
                    methods: &[#(#methods),*],
                    interfaces: &[#(#interfaces::INTERFACE),*],
                };

            #[cfg(not(target_arch = "wasm32"))]
            fn dispatch(
                method: &str,
                args: &[u8],
            ) -> ::core::result::Result<::kempe_sdk::__private::Vec<u8>, u32> {
                match method {
                    #(#arms)*
                    _ => ::core::panic!("no such method"),
                }
            }
        }
    }
}

/// What wasm needs: an export for each method, and the ABI in a custom section.
fn exports(name: &syn::Ident, exported: &[&Method]) -> TokenStream {
    let functions = exported.iter().map(|method| {
        let export = format!("call.{}", text::bare(&method.name));
        let function = format_ident!("__kempe_call_{}", method.name);
        let (call, bound) = (call(method), bound(method.params.iter().map(|(_, ty)| ty)));
        quote! {
            #[unsafe(export_name = #export)]
            extern "C" fn #function(args_len: usize) -> u32 {
                ::kempe_sdk::__private::enter::<#bound, _, _>(args_len, #call)
            }
        }
    });
    let allowances = exported
        .iter()
        .flat_map(|method| method.allowed.iter().map(|allowed| allowance(method, allowed)));
    quote! {
        #[cfg(target_arch = "wasm32")]
        impl #name {
            #(#functions)*
        }

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            const DEF: &::kempe_sdk::abi::def::ContractDef = <#name as ::kempe_sdk::Contract>::DEF;
            const LEN: usize = ::kempe_sdk::abi::section::contract_len(DEF);
            #[unsafe(link_section = "kempe.abi")]
            pub static ABI_SECTION: [u8; LEN] = ::kempe_sdk::abi::section::contract::<LEN>(DEF);
        };

        #(#allowances)*
    }
}

/// A record of the custom section for the linter.
fn allowance(method: &Method, allowance: &access::Allowance) -> TokenStream {
    let (method, reason) = (text::bare(&method.name), &allowance.reason);
    let rule = allowance.rule.to_string().replace('_', "-");
    quote! {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            const DEF: &::kempe_sdk::abi::def::AllowanceDef = &::kempe_sdk::abi::def::AllowanceDef {
                method: #method,
                rule: #rule,
                reason: #reason,
            };
            const LEN: usize = ::kempe_sdk::abi::section::allowance_len(DEF);
            #[unsafe(link_section = "kempe.abi")]
            pub static ABI_SECTION: [u8; LEN] = ::kempe_sdk::abi::section::allowance::<LEN>(DEF);
        };
    }
}

/// The type that bounds the encodings of a tuple of the types.
pub(crate) fn bound<'a>(types: impl Iterator<Item = &'a syn::Type>) -> TokenStream {
    quote! {
        ::kempe_sdk::__private::AtMost<{
            ::kempe_sdk::__private::max_len_of(&[#(<#types as ::kempe_sdk::abi::AbiType>::TYPE),*])
        }>
    }
}
