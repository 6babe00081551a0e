//! Access templates: resolving names, the constants of the ABI, and functions for rustc to check types.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Lit;

use crate::access::{Clause, Expr};
use crate::field::{Cell, Field, Touch};
use crate::method::Method;
use crate::text::{self, Errors};

/// What a template becomes.
pub(crate) struct Template {
    /// `ClauseDef`s.
    pub(crate) defs: Vec<TokenStream>,
    /// Functions that are never called, in which rustc checks the types of keys and arguments, and constants
    /// that it evaluates to check what the host knows of them.
    pub(crate) checks: Vec<TokenStream>,
}

/// An expression, resolved.
#[derive(Clone)]
struct Resolved {
    /// An `ExprDef`.
    def: TokenStream,
    /// The same as a Rust expression; `None` for what is open.
    rust: Option<TokenStream>,
    /// An `Option<&TypeDef>`, the type that the host finds; `None` for what it knows no type of.
    ty: Option<TokenStream>,
}

/// Resolves the template of a method.
pub(crate) fn resolve(fields: &[Field], method: &Method, errors: &mut Errors) -> Template {
    let mut resolver = Resolver {
        fields,
        method,
        errors,
        lists: Vec::new(),
        template: Template { defs: Vec::new(), checks: Vec::new() },
    };
    let defs = resolver.clauses(&method.access);
    resolver.template.defs = defs;
    resolver.template
}

struct Resolver<'a> {
    fields: &'a [Field],
    method: &'a Method,
    errors: &'a mut Errors,
    /// The lists of the `each` clauses around: an iterator as a Rust expression, and the list's type.
    lists: Vec<(TokenStream, TokenStream)>,
    template: Template,
}

impl Resolver<'_> {
    fn clauses(&mut self, clauses: &[Clause]) -> Vec<TokenStream> {
        clauses
            .iter()
            .filter_map(|clause| {
                let defs = self.clause(clause);
                self.errors.note(defs)
            })
            .flatten()
            .collect()
    }

    /// A cell, or all shards of one.
    fn touch(&mut self, kind: Touch, name: &Ident, key: &[Expr]) -> syn::Result<Vec<TokenStream>> {
        let index = self.cell(name, key)?;
        let parts = self.exprs(key)?;
        let field = &self.fields[index];
        check_accumulates(kind, field, name)?;
        check_guards(kind, field, name)?;
        let whole = field.is_sharded() && parts.len() == field.keys.len();
        if field.is_sharded() {
            self.check_sharded(kind, index, &parts, name)?;
        } else if matches!(field.cell, Cell::Log | Cell::LogMap) {
            self.check_log(kind, index, &parts, name)?;
        } else {
            self.check_key(index, &parts, name)?;
        }
        let (shards, index) = (field.shards, byte(index));
        let def = |key: &[TokenStream]| {
            let key = quote! { field: #index, key: &[#(#key),*] };
            if matches!(kind, Touch::Start | Touch::Unless) {
                let clause = format_ident!("{}", capitalized(kind.word()));
                clause_def(&quote! { #clause { #key } })
            } else {
                // What adding does is up to the cell.
                let word = if field.cell.accumulates() == Some(kind) { "add" } else { kind.word() };
                let kind = format_ident!("{}", capitalized(word));
                clause_def(&quote! { Touch { kind: ::kempe_sdk::abi::AccessKind::#kind, #key } })
            }
        };
        let mut key: Vec<TokenStream> = parts.into_iter().map(|part| part.def).collect();
        if whole {
            return Ok((0..shards)
                .map(|shard| {
                    let shard = expr_def(&quote! { Literal(&[#shard]) });
                    def(&[&*key, &[shard]].concat())
                })
                .collect());
        }
        if shards > 1
            && let Some(by) = key.last_mut()
        {
            *by = expr_def(&quote! { Shard(&#by, #shards) });
        }
        Ok(vec![def(&key)])
    }

    /// What is taken of a stock.
    fn reserve(
        &mut self,
        name: &Ident,
        key: &[Expr],
        amount: &Expr,
        floor: Option<&Expr>,
    ) -> syn::Result<TokenStream> {
        let index = self.cell(name, key)?;
        let field = &self.fields[index];
        if !matches!(field.cell, Cell::Stock | Cell::StockMap) {
            return Err(text::error(
                name.span(),
                &format!("`{name}` is no stock, so nothing can be reserved of it"),
                &format!("make it a `Stock`, or write `write({})`", field.cell_text(Touch::Write)),
            ));
        }
        let (ty, parts) = (field.value.to_token_stream(), self.exprs(key)?);
        self.check_key(index, &parts, name)?;
        let mut number = |expr: &Expr| {
            let number = self.expr(expr)?;
            if let Some(rust) = &number.rust {
                self.check(ty.clone(), rust);
            }
            Ok::<_, syn::Error>(number.def)
        };
        let amount = number(amount)?;
        // No bytes are zero.
        let none = expr_def(&quote! { Literal(&[]) });
        let floor = floor.map_or(Ok(none), number)?;
        let (index, key) = (byte(index), parts.into_iter().map(|part| part.def));
        Ok(clause_def(&quote! {
            Reserve { field: #index, key: &[#(#key),*], amount: #amount, floor: #floor }
        }))
    }

    fn clause(&mut self, clause: &Clause) -> syn::Result<Vec<TokenStream>> {
        let def = match clause {
            Clause::Touch { kind, field, key } => return self.touch(*kind, field, key),
            Clause::Reserve { field, key, amount, floor } => {
                return Ok(vec![self.reserve(field, key, amount, floor.as_ref())?]);
            }
            Clause::Call { callee, method, args } => {
                let span = callee.span();
                let callee = self.expr(callee)?;
                let args = self.exprs(args)?;
                let Some(rust) = &callee.rust else {
                    return Err(syn::Error::new(span, "a callee cannot be open"));
                };
                self.check(quote! { ::kempe_sdk::Address }, rust);
                for rust in args.iter().filter_map(|arg| arg.rust.clone()) {
                    self.check(quote! { impl ::kempe_sdk::abi::AbiType }, &rust);
                }
                let (callee, method) = (callee.def, text::name(method)?);
                let args = args.iter().map(|arg| &arg.def);
                quote! { Call { callee: #callee, method: #method, args: &[#(#args),*] } }
            }
            Clause::Each { list, clauses, span } => {
                let at = list.span();
                let resolved = self.expr(list)?;
                let Some(rust) = resolved.rust else {
                    return Err(syn::Error::new(*span, "a list cannot be open"));
                };
                let Some(ty) = resolved.ty else {
                    return Err(text::error(
                        at,
                        "`each` goes through a list that the host finds, and this is none",
                        "name a parameter or an immutable that is a `Vec`",
                    ));
                };
                let list = quote! { #rust.into_iter() };
                let is_list = quote_spanned! { at=> ::kempe_sdk::__private::assert_list(#ty) };
                self.check_found(&list, &is_list);
                self.lists.push((list, ty));
                let clauses = self.clauses(clauses);
                self.lists.pop();
                let list = resolved.def;
                quote! { Each { list: #list, clauses: &[#(#clauses),*] } }
            }
            Clause::Dynamic => quote! { Dynamic },
        };
        Ok(vec![clause_def(&def)])
    }

    /// The number of the field, if a clause may name it with this key.
    fn cell(&self, name: &Ident, key: &[Expr]) -> syn::Result<usize> {
        let Some(index) = self.fields.iter().position(|field| field.name == *name) else {
            let names: Vec<String> = self.fields.iter().map(|f| f.name.to_string()).collect();
            return Err(text::error(
                name.span(),
                &format!("there is no field `{name}`"),
                &text::suggest(&name.to_string(), names.iter().map(String::as_str)),
            ));
        };
        let field = &self.fields[index];
        match (field.cell, key.is_empty()) {
            (Cell::Immutable, _) => Err(text::error(
                name.span(),
                &format!("`{name}` is immutable, so reading it conflicts with nothing"),
                "remove the clause",
            )),
            (Cell::Item | Cell::Counter | Cell::Max | Cell::Min | Cell::Stock, false) => {
                Err(text::error(
                    name.span(),
                    &format!("`{name}` is one cell, it has no keys"),
                    &format!("write `{name}`"),
                ))
            }
            (
                Cell::Map
                | Cell::CounterMap
                | Cell::ShardedMap
                | Cell::MaxMap
                | Cell::MinMap
                | Cell::StockMap
                | Cell::LogMap,
                true,
            ) => Err(text::error(
                name.span(),
                &format!("`{name}` is a map: the clause must say which keys"),
                &format!(
                    "write `{name}[key]`, or declare the method `dynamic` if the key depends on state"
                ),
            )),
            _ => Ok(index),
        }
    }

    fn exprs(&mut self, exprs: &[Expr]) -> syn::Result<Vec<Resolved>> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    fn expr(&mut self, expr: &Expr) -> syn::Result<Resolved> {
        let span = expr.span();
        let (def, rust) = match expr {
            Expr::Name(name) => return self.name(name),
            Expr::Member(of, member) => return self.member(of, member),
            Expr::Literal(lit) => literal(lit)?,
            Expr::Hash(parts, _) => {
                let parts = self.exprs(parts)?;
                let (defs, rust) = (parts.iter().map(|part| &part.def), tuple(&parts));
                let hash = rust.map(|tuple| quote_spanned! { span=> ::kempe_sdk::hash(&#tuple) });
                (quote! { Hash(&[#(#defs),*]) }, hash)
            }
            Expr::Tuple(parts, _) => {
                let parts = self.exprs(parts)?;
                let (defs, rust) = (parts.iter().map(|part| &part.def), tuple(&parts));
                (quote! { Tuple(&[#(#defs),*]) }, rust)
            }
            Expr::Open(_) => (quote! { Open }, None),
        };
        Ok(Resolved { def: expr_def(&def), rust, ty: None })
    }

    fn member(&mut self, of: &Expr, member: &Ident) -> syn::Result<Resolved> {
        let span = member.span();
        let Resolved { def, rust, ty } = self.expr(of)?;
        let text = text::bare(member);
        // A position in a tuple is kept as `_1`, since `1` is no identifier.
        let index = text.strip_prefix('_').and_then(|digits| digits.parse::<u32>().ok());
        let text = index.map_or(text, |index| index.to_string());
        let rust = rust.map(|of| match index {
            Some(index) => {
                let mut index = Literal::u32_unsuffixed(index);
                index.set_span(span);
                quote_spanned! { span=> #of.#index }
            }
            None => quote_spanned! { span=> #of.#member },
        });
        match (&rust, &ty) {
            (Some(rust), Some(of)) => {
                let is_there =
                    quote_spanned! { span=> ::kempe_sdk::__private::assert_member(#of, #text) };
                self.check_found(rust, &is_there);
            }
            (Some(_), None) => {
                return Err(text::error(
                    span,
                    "the host takes members of parameters, immutables and elements only",
                    "name the whole value, and give the field a key of its type",
                ));
            }
            (None, _) => {}
        }
        let ty = ty.map(|of| quote! { ::kempe_sdk::__private::member(#of, #text) });
        Ok(Resolved { def: expr_def(&quote! { Member(&#def, #text) }), rust, ty })
    }

    fn name(&self, name: &Ident) -> syn::Result<Resolved> {
        let word = name.to_string();
        let immutable = self.fields.iter().position(|f| f.is_immutable() && f.name == *name);
        let param = self.method.params.iter().position(|(param, _)| param == name);
        let found = |ty: &syn::Type| {
            let ty = quote! { <#ty as ::kempe_sdk::abi::AbiType>::TYPE };
            Some(quote! { ::core::option::Option::Some(#ty) })
        };
        let (def, ty) = match (&*word, param, immutable) {
            ("caller", ..) => (quote! { Caller }, None),
            ("this", ..) => (quote! { This }, None),
            ("element", ..) => {
                let Some((_, list)) = self.lists.last() else {
                    return Err(text::error(
                        name.span(),
                        "`element` has a meaning only inside `each(list, ...)`",
                        "write `each(list, write(field[element]))`",
                    ));
                };
                (quote! { Element }, Some(quote! { ::kempe_sdk::__private::element(#list) }))
            }
            (_, Some(_), Some(_)) => {
                return Err(text::error(
                    name.span(),
                    &format!("`{name}` is a parameter and an immutable field"),
                    "give the parameter another name",
                ));
            }
            (_, Some(index), None) => {
                let (at, (_, ty)) = (byte(index), &self.method.params[index]);
                (quote! { Param(#at) }, found(ty))
            }
            (_, None, Some(index)) => {
                let (at, field) = (byte(index), &self.fields[index]);
                (quote! { Immutable(#at) }, found(&field.value))
            }
            (_, None, None) => return Err(self.unknown(name)),
        };
        let name = local(name);
        Ok(Resolved { def: expr_def(&def), rust: Some(quote! { #name }), ty })
    }

    fn unknown(&self, name: &Ident) -> syn::Error {
        if self.fields.iter().any(|field| field.name == *name) {
            return text::error(
                name.span(),
                &format!("`{name}` is a field that changes, so the host cannot read it ahead"),
                "make it `Immutable`, pass it as a parameter, or declare the method `dynamic`",
            );
        }
        let immutables = self.fields.iter().filter(|f| f.is_immutable()).map(|f| &f.name);
        let params = self.method.params.iter().map(|(param, _)| param);
        let mut names: Vec<String> = params.chain(immutables).map(Ident::to_string).collect();
        names.extend(["caller".into(), "this".into()]);
        text::error(
            name.span(),
            &format!(
                "`{}` has no parameter `{name}`, and there is no such immutable",
                self.method.name
            ),
            &text::suggest(&name.to_string(), names.iter().map(String::as_str)),
        )
    }

    fn check_key(&mut self, index: usize, parts: &[Resolved], at: &Ident) -> syn::Result<()> {
        let field = &self.fields[index];
        if field.keys.is_empty() {
            return Ok(());
        }
        if parts.len() != 1 && parts.len() != field.keys.len() {
            return Err(syn::Error::new(
                at.span(),
                format!("`{at}` has {} keys, the clause has {}", field.keys.len(), parts.len()),
            ));
        }
        let rust = match parts {
            [part] => part.rust.clone(),
            parts => tuple(parts),
        };
        let Some(rust) = rust else {
            return Err(open_key(at));
        };
        self.check(field.key(), &rust);
        Ok(())
    }

    /// The keys of a log, and behind them the index of an item that is read.
    fn check_log(
        &mut self,
        kind: Touch,
        index: usize,
        parts: &[Resolved],
        at: &Ident,
    ) -> syn::Result<()> {
        let field = &self.fields[index];
        let keys = &field.keys;
        if kind == Touch::Start && parts.len() == keys.len() + 1 {
            let Some(rust) = tuple(parts) else {
                return Err(open_key(at));
            };
            self.check(quote! { (#(#keys,)* u64,) }, &rust);
            return Ok(());
        }
        if keys.is_empty() && !parts.is_empty() {
            return Err(text::error(
                at.span(),
                &format!(
                    "`{at}` is one log, and items are only read as they were before the block"
                ),
                &format!("write `{}({at})`, or `start({at}[index])`", kind.word()),
            ));
        }
        self.check_key(index, parts, at)
    }

    /// The keys of a sharded cell, and behind them the address whose shard it is, if it is only one.
    fn check_sharded(
        &mut self,
        kind: Touch,
        index: usize,
        parts: &[Resolved],
        at: &Ident,
    ) -> syn::Result<()> {
        let field = &self.fields[index];
        let (keys, whole) = (field.keys.len(), parts.len() == field.keys.len());
        let fits = match kind {
            Touch::Add => parts.len() == keys + 1,
            Touch::Start => whole,
            _ => whole || parts.len() == keys + 1,
        };
        if !fits {
            let (name, key) = (&field.name, if keys == 0 { "" } else { "[key]" });
            return Err(text::error(
                at.span(),
                &format!(
                    "`{name}` is sharded: this names neither a shard that is added to nor the total"
                ),
                &format!(
                    "write `add({name}{key}[caller])`, or the address whose shard it is; \
                     `read({name}{key})` is of all shards"
                ),
            ));
        }
        let Some(rust) = tuple(parts) else {
            return Err(open_key(at));
        };
        let keys = &field.keys;
        let by = (!whole).then(|| quote! { ::kempe_sdk::Address, });
        self.check(quote! { (#(#keys,)* #by) }, &rust);
        Ok(())
    }

    /// Adds a function in which `rust` must have the type `ty`.
    fn check(&mut self, ty: TokenStream, rust: &TokenStream) {
        let name = format_ident!("{}_{}", self.method.name, self.template.checks.len());
        let (holes, elements) = self.scope();
        self.template.checks.push(quote! {
            fn #name(#holes) -> #ty {
                #elements
                #rust
            }
        });
    }

    /// Adds a constant that is evaluated where rustc knows `rust` too: one mistake is to be one error.
    fn check_found(&mut self, rust: &TokenStream, assertion: &TokenStream) {
        let (holes, elements) = self.scope();
        self.template.checks.push(quote! {
            const _: () = {
                let _ = |#holes| {
                    #elements
                    let _ = #rust;
                };
                #assertion
            };
        });
    }

    /// What fills the holes, as parameters, and the statements that make `element` one of the innermost list.
    fn scope(&self) -> (TokenStream, TokenStream) {
        let params = self.method.params.iter().map(|(name, ty)| {
            let name = local(name);
            quote! { #name: #ty }
        });
        let immutables = self.fields.iter().filter(|field| {
            field.is_immutable() && self.method.params.iter().all(|(name, _)| *name != field.name)
        });
        let immutables = immutables.map(|field| {
            let (name, ty) = (local(&field.name), &field.value);
            quote! { #name: #ty }
        });
        let holes = quote! {
            caller: ::kempe_sdk::Address,
            this: ::kempe_sdk::Address,
            #(#params,)*
            #(#immutables,)*
        };
        let elements = self.lists.iter().map(|(list, _)| {
            quote! { let Some(element) = #list.next() else { loop {} }; }
        });
        (holes, quote! { #(#elements)* })
    }
}

/// Refuses a clause for something else than what accumulates in the field.
fn open_key(at: &Ident) -> syn::Error {
    text::error(at.span(), "a key cannot be open", "`_` is only for arguments in `calls(...)`")
}

fn check_accumulates(kind: Touch, field: &Field, at: &Ident) -> syn::Result<()> {
    let fits = field.cell.accumulates();
    let accumulates = matches!(kind, Touch::Add | Touch::Max | Touch::Min | Touch::Append);
    if !accumulates || fits == Some(kind) {
        return Ok(());
    }
    let help = match fits {
        Some(fits) => format!("write `{}({})`", fits.word(), field.cell_text(fits)),
        None => {
            "`add` is for a `Counter`, `max` for a `Max`, `min` for a `Min`, `append` for a `Log`"
                .into()
        }
    };
    let message = format!("nothing of `{}` accumulates by `{}`", field.name, kind.word());
    Err(text::error(at.span(), &message, &help))
}

/// Refuses a guard that is neither set nor not.
fn check_guards(kind: Touch, field: &Field, at: &Ident) -> syn::Result<()> {
    let is_flag = matches!(field.cell, Cell::Item | Cell::Map)
        && field.value.to_token_stream().to_string() == "bool";
    if kind != Touch::Unless || is_flag {
        return Ok(());
    }
    let (name, cell) = (&field.name, field.cell_text(Touch::Start));
    Err(text::error(
        at.span(),
        &format!("`{name}` is no `bool`, so nothing can be refused `unless` it is not set"),
        &format!(
            "make it an `Item<bool>` or a map to `bool`, or declare `start({cell})` and look with `at_start`"
        ),
    ))
}

/// The name as a variable of a check: shown where it is written, but the same variable wherever the
/// token comes from.
fn local(name: &Ident) -> Ident {
    let mut name = name.clone();
    name.set_span(name.span().resolved_at(proc_macro2::Span::call_site()));
    name
}

fn clause_def(def: &TokenStream) -> TokenStream {
    quote! { ::kempe_sdk::abi::def::ClauseDef::#def }
}

fn expr_def(def: &TokenStream) -> TokenStream {
    quote! { ::kempe_sdk::abi::def::ExprDef::#def }
}

/// A tuple of the parts; `None` if one is open.
fn tuple(parts: &[Resolved]) -> Option<TokenStream> {
    let parts: Vec<_> = parts.iter().map(|part| part.rust.clone()).collect::<Option<_>>()?;
    Some(quote! { (#(#parts,)*) })
}

/// The canonical encoding of a literal, and the literal as Rust.
fn literal(lit: &Lit) -> syn::Result<(TokenStream, Option<TokenStream>)> {
    let listed = |bytes: &[u8]| -> syn::Result<Vec<u8>> {
        let len =
            u32::try_from(bytes.len()).map_err(|_| syn::Error::new(lit.span(), "too long"))?;
        Ok([&len.to_le_bytes(), bytes].concat())
    };
    let (bytes, rust) = match lit {
        Lit::Bool(value) => (vec![u8::from(value.value)], quote! { #lit }),
        Lit::Int(value) => (integer(value)?, quote! { #lit }),
        Lit::Str(text) => (
            listed(text.value().as_bytes())?,
            quote! { ::kempe_sdk::__private::String::from(#lit) },
        ),
        Lit::ByteStr(bytes) => (listed(&bytes.value())?, quote! { #lit.to_vec() }),
        other => {
            return Err(text::error(
                other.span(),
                "a template has no such literal",
                "write an integer with its type, `true`, \"text\" or b\"bytes\"",
            ));
        }
    };
    let bytes = Literal::byte_string(&bytes);
    Ok((quote! { Literal(#bytes) }, Some(rust)))
}

fn integer(lit: &syn::LitInt) -> syn::Result<Vec<u8>> {
    Ok(match lit.suffix() {
        "u8" => lit.base10_parse::<u8>()?.to_le_bytes().to_vec(),
        "u16" => lit.base10_parse::<u16>()?.to_le_bytes().to_vec(),
        "u32" => lit.base10_parse::<u32>()?.to_le_bytes().to_vec(),
        "u64" => lit.base10_parse::<u64>()?.to_le_bytes().to_vec(),
        "u128" => lit.base10_parse::<u128>()?.to_le_bytes().to_vec(),
        "i8" => lit.base10_parse::<i8>()?.to_le_bytes().to_vec(),
        "i16" => lit.base10_parse::<i16>()?.to_le_bytes().to_vec(),
        "i32" => lit.base10_parse::<i32>()?.to_le_bytes().to_vec(),
        "i64" => lit.base10_parse::<i64>()?.to_le_bytes().to_vec(),
        "i128" => lit.base10_parse::<i128>()?.to_le_bytes().to_vec(),
        _ => {
            return Err(text::error(
                lit.span(),
                "an integer in a template needs its type: its encoding depends on it",
                &format!("write `{lit}u64`, or the type that it has"),
            ));
        }
    })
}

/// A position as the byte that the ABI has for it; the limits on fields and parameters hold it there.
fn byte(index: usize) -> u8 {
    u8::try_from(index).expect("fields and parameters are limited to 256")
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}
