//! The functions of a contract's `impl`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{FnArg, Ident, ImplItemFn, Pat, PathArguments, ReturnType, Type, Visibility};

use crate::access::{self, Allowance, Clause};
use crate::scan::{self, Scan};
use crate::{field::Field, text};

/// What a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Init,
    Migrate,
    Call,
    View,
    /// Private: only other functions of the `impl` call it.
    Private,
}

/// A function of the `impl`.
pub(crate) struct Method {
    pub(crate) name: Ident,
    pub(crate) doc: String,
    pub(crate) role: Role,
    pub(crate) params: Vec<(Ident, Type)>,
    pub(crate) returns: Returns,
    pub(crate) access: Vec<Clause>,
    pub(crate) allowed: Vec<Allowance>,
    pub(crate) scan: Scan,
}

/// What a method returns.
pub(crate) enum Returns {
    /// A value.
    Plain(TokenStream),
    /// A `Result`, as it is written.
    Result(TokenStream),
}

impl Method {
    pub(crate) fn is_exported(&self) -> bool {
        self.role != Role::Private
    }

    /// Whether findings of this rule of the linter stand.
    pub(crate) fn allows(&self, rule: &str) -> bool {
        self.allowed.iter().any(|allowance| allowance.rule == rule)
    }

    pub(crate) fn is_dynamic(&self) -> bool {
        self.access.iter().any(|clause| matches!(clause, Clause::Dynamic))
    }
}

/// Reads one function: its signature, its `#[access]` and what its body touches.
pub(crate) fn read(item: &ImplItemFn, contract: &Ident, fields: &[Field]) -> syn::Result<Method> {
    let public = matches!(item.vis, Visibility::Public(_));
    let receiver = item.sig.receiver();
    let (name, word) = (item.sig.ident.clone(), text::bare(&item.sig.ident));
    let (access, allowed) = access::parse(&item.attrs)?;
    let role = match receiver {
        Some(receiver) if public => {
            let text = receiver.to_token_stream().to_string().replace(' ', "");
            match &*text {
                "&self" if word == "init" => return Err(init_receiver(receiver.span())),
                "&mutself" if word == "init" => Role::Init,
                "&self" if word == "migrate" => return Err(migrate_receiver(receiver.span())),
                "&mutself" if word == "migrate" => Role::Migrate,
                "&self" => Role::View,
                "&mutself" => Role::Call,
                _ => return Err(receiver_error(receiver.span())),
            }
        }
        _ => Role::Private,
    };
    if let Some(attr) = item.attrs.iter().find(|attr| access::is_access(attr))
        && role == Role::Private
    {
        return Err(text::error(
            attr.span(),
            &format!("`{name}` is not a method that can be called, so it declares nothing"),
            "make it `pub` with `&self` or `&mut self`, or declare at the methods that use it",
        ));
    }
    let params = if role == Role::Private { Vec::new() } else { params(item)? };
    if role != Role::Private {
        text::name(&name)?;
        let generics = &item.sig.generics;
        if !generics.params.is_empty() {
            return Err(syn::Error::new_spanned(generics, "a method of a contract is not generic"));
        }
        if let Some(asyncness) = &item.sig.asyncness {
            return Err(syn::Error::new_spanned(asyncness, "a method of a contract is not async"));
        }
    }
    Ok(Method {
        doc: text::doc(&item.attrs),
        role,
        params,
        returns: returns(&item.sig.output),
        access,
        allowed,
        scan: scan::body(item.block.to_token_stream(), contract, fields),
        name,
    })
}

fn init_receiver(span: proc_macro2::Span) -> syn::Error {
    text::error(span, "`init` sets up the state", "write `&mut self`")
}

fn migrate_receiver(span: proc_macro2::Span) -> syn::Error {
    text::error(span, "`migrate` changes the state at an upgrade", "write `&mut self`")
}

fn receiver_error(span: proc_macro2::Span) -> syn::Error {
    text::error(
        span,
        "a method of a contract takes `&self` or `&mut self`",
        "`&self` only reads, `&mut self` may write",
    )
}

fn params(item: &ImplItemFn) -> syn::Result<Vec<(Ident, Type)>> {
    let typed = item.sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(param) => Some(param),
        FnArg::Receiver(_) => None,
    });
    let read = |param: &syn::PatType| {
        let Pat::Ident(pat) = &*param.pat else {
            return Err(syn::Error::new_spanned(
                &param.pat,
                "a parameter of a method has a plain name",
            ));
        };
        if let Type::Reference(ty) = &*param.ty {
            return Err(text::error(
                ty.span(),
                "a parameter of a method is a value: it arrives from outside",
                "write the type without `&`, `String` for `&str`, `Vec<T>` for `&[T]`",
            ));
        }
        if matches!(&*text::name(&pat.ident)?, "caller" | "this" | "element") {
            return Err(text::error(
                pat.ident.span(),
                &format!("`{}` has a meaning of its own in `#[access(...)]`", pat.ident),
                "give the parameter another name",
            ));
        }
        Ok((pat.ident.clone(), (*param.ty).clone()))
    };
    typed.map(read).collect()
}

/// What a function's `->` says.
pub(crate) fn returns(output: &ReturnType) -> Returns {
    match output {
        ReturnType::Default => Returns::Plain(quote! { () }),
        ReturnType::Type(_, ty) => match &**ty {
            Type::Path(path) if is_result(path) => Returns::Result(ty.to_token_stream()),
            ty => Returns::Plain(ty.to_token_stream()),
        },
    }
}

fn is_result(path: &syn::TypePath) -> bool {
    path.path.segments.last().is_some_and(|last| {
        last.ident == "Result" && !matches!(last.arguments, PathArguments::Parenthesized(_))
    })
}
