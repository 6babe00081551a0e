//! The grammar of `#[access(...)]`.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, Lit, Token, bracketed, parenthesized};

use crate::field::Touch;
use crate::text;

/// A clause as it is written; names are not resolved yet.
pub(crate) enum Clause {
    /// `read(cell)`, `write(cell)`, `add(cell)`, `max(cell)`, `min(cell)`, `append(cell)`, `start(cell)`,
    /// `unless(cell)`.
    Touch { kind: Touch, field: Ident, key: Vec<Expr> },
    /// `reserve(cell, amount)`, `reserve(cell, amount, floor)`.
    Reserve { field: Ident, key: Vec<Expr>, amount: Expr, floor: Option<Expr> },
    /// `calls(callee.method(args))`.
    Call { callee: Expr, method: Ident, args: Vec<Expr> },
    /// `each(list, clauses)`.
    Each { list: Expr, clauses: Vec<Self>, span: Span },
    /// `dynamic`.
    Dynamic,
}

/// An expression of a template.
pub(crate) enum Expr {
    /// `caller`, `this`, `element`, a parameter or an immutable.
    Name(Ident),
    /// `expr.field`.
    Member(Box<Self>, Ident),
    /// A literal.
    Literal(Lit),
    /// `hash(exprs)`.
    Hash(Vec<Self>, Span),
    /// `(exprs)`.
    Tuple(Vec<Self>, Span),
    /// `_`.
    Open(Span),
}

impl Expr {
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Name(name) | Self::Member(_, name) => name.span(),
            Self::Literal(lit) => lit.span(),
            Self::Hash(_, span) | Self::Tuple(_, span) | Self::Open(span) => *span,
        }
    }
}

/// The clauses of all `#[access(...)]` attributes of a method.
pub(crate) fn parse(attrs: &[Attribute]) -> syn::Result<Vec<Clause>> {
    let mut clauses = Vec::new();
    for attr in attrs.iter().filter(|attr| is_access(attr)) {
        clauses.extend(attr.parse_args_with(parse_clauses)?);
    }
    Ok(clauses)
}

/// Whether the attribute is `#[access]`, under whatever path.
pub(crate) fn is_access(attr: &Attribute) -> bool {
    attr.path().segments.last().is_some_and(|segment| segment.ident == "access")
}

fn parse_clauses(input: ParseStream<'_>) -> syn::Result<Vec<Clause>> {
    let mut clauses = Vec::new();
    while !input.is_empty() {
        parse_clause(input, &mut clauses)?;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(clauses)
}

/// One clause as written may name several cells or calls, which become a clause each.
fn parse_clause(input: ParseStream<'_>, clauses: &mut Vec<Clause>) -> syn::Result<()> {
    let word: Ident = input.call(Ident::parse_any)?;
    let kind = match &*word.to_string() {
        "read" => Touch::Read,
        "write" => Touch::Write,
        "add" => Touch::Add,
        "max" => Touch::Max,
        "min" => Touch::Min,
        "append" => Touch::Append,
        "start" => Touch::Start,
        "unless" => Touch::Unless,
        "dynamic" => {
            clauses.push(Clause::Dynamic);
            return Ok(());
        }
        "calls" => {
            let content;
            parenthesized!(content in input);
            let calls = Punctuated::<Call, Token![,]>::parse_terminated(&content)?;
            clauses.extend(calls.into_iter().map(|call| call.0));
            return Ok(());
        }
        "reserve" => {
            let content;
            parenthesized!(content in input);
            clauses.push(parse_reserve(&content)?);
            return Ok(());
        }
        "each" => {
            clauses.push(parse_each(input, word.span())?);
            return Ok(());
        }
        other => {
            let words = [
                "read", "write", "add", "max", "min", "append", "reserve", "start", "unless",
                "calls", "each", "dynamic",
            ];
            let help = text::suggest(other, words.into_iter());
            let message = format!("`{other}` is not a clause of `#[access(...)]`");
            return Err(text::error(word.span(), &message, &help));
        }
    };
    let content;
    parenthesized!(content in input);
    let cells = Punctuated::<Cell, Token![,]>::parse_terminated(&content)?;
    clauses.extend(cells.into_iter().map(|cell| Clause::Touch {
        kind,
        field: cell.field,
        key: cell.key,
    }));
    Ok(())
}

fn parse_reserve(input: ParseStream<'_>) -> syn::Result<Clause> {
    let Cell { field, key } = input.parse()?;
    if input.is_empty() {
        return Err(text::error(
            field.span(),
            "this does not say how much is taken",
            &format!("write `reserve({field}, amount)`, or `reserve({field}, amount, floor)`"),
        ));
    }
    input.parse::<Token![,]>()?;
    let amount = input.parse()?;
    input.parse::<Option<Token![,]>>()?;
    let floor = if input.is_empty() { None } else { Some(input.parse()?) };
    input.parse::<Option<Token![,]>>()?;
    if !input.is_empty() {
        return Err(input.error("`reserve` has a cell, an amount and a floor"));
    }
    Ok(Clause::Reserve { field, key, amount, floor })
}

fn parse_each(input: ParseStream<'_>, span: Span) -> syn::Result<Clause> {
    let content;
    parenthesized!(content in input);
    let list = content.parse()?;
    content.parse::<Token![,]>()?;
    Ok(Clause::Each { list, clauses: parse_clauses(&content)?, span })
}

struct Cell {
    field: Ident,
    key: Vec<Expr>,
}

impl Parse for Cell {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let field = input.parse()?;
        let mut key = Vec::new();
        while input.peek(syn::token::Bracket) {
            let content;
            bracketed!(content in input);
            key.extend(exprs(&content)?);
        }
        // `field[(a, b)]` is `field[a, b]`.
        if let [Expr::Tuple(..)] = &*key
            && let Some(Expr::Tuple(parts, _)) = key.pop()
        {
            key = parts;
        }
        Ok(Self { field, key })
    }
}

struct Call(Clause);

impl Parse for Call {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let callee = input.parse::<Expr>()?;
        let Expr::Member(callee, method) = callee else {
            return Err(text::error(
                callee.span(),
                "this is not a call",
                "write `calls(callee.method(arguments))`",
            ));
        };
        let content;
        parenthesized!(content in input);
        Ok(Self(Clause::Call { callee: *callee, method, args: exprs(&content)? }))
    }
}

impl Parse for Expr {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut expr = parse_head(input)?;
        while input.parse::<Option<Token![.]>>()?.is_some() {
            let member = if input.peek(syn::LitInt) {
                let index: syn::LitInt = input.parse()?;
                let digits: u32 = index.base10_parse()?;
                quote::format_ident!("_{}", digits, span = index.span())
            } else {
                input.parse()?
            };
            expr = Self::Member(Box::new(expr), member);
        }
        Ok(expr)
    }
}

fn parse_head(input: ParseStream<'_>) -> syn::Result<Expr> {
    if input.peek(Token![_]) {
        return Ok(Expr::Open(input.parse::<Token![_]>()?.span));
    }
    if input.peek(syn::token::Paren) {
        let content;
        let paren = parenthesized!(content in input);
        return Ok(Expr::Tuple(exprs(&content)?, paren.span.join()));
    }
    if input.peek(Lit) {
        return Ok(Expr::Literal(input.parse()?));
    }
    if input.peek(Token![self]) {
        return Err(text::error(
            input.span(),
            "a template does not use `self`",
            "name the field, as in `write(balances[caller])`",
        ));
    }
    let name: Ident = input.parse()?;
    if name == "hash" && input.peek(syn::token::Paren) {
        let content;
        parenthesized!(content in input);
        return Ok(Expr::Hash(exprs(&content)?, name.span()));
    }
    Ok(Expr::Name(name))
}

fn exprs(input: ParseStream<'_>) -> syn::Result<Vec<Expr>> {
    Ok(Punctuated::<Expr, Token![,]>::parse_terminated(input)?.into_iter().collect())
}
