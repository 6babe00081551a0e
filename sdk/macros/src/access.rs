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

/// A rule of the linter whose findings of the method stand, as it is written: `every_call = "why"`.
pub(crate) struct Allowance {
    pub(crate) rule: Ident,
    pub(crate) reason: syn::LitStr,
}

/// What the linter calls its rules, as identifiers.
const RULES: [&str; 5] = ["over_declared", "never_written", "could_add", "every_call", "whole_map"];

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

/// The clauses of all `#[access(...)]` attributes of a method, and what they allow.
pub(crate) fn parse(attrs: &[Attribute]) -> syn::Result<(Vec<Clause>, Vec<Allowance>)> {
    let (mut clauses, mut allowed) = (Vec::new(), Vec::new());
    for attr in attrs.iter().filter(|attr| is_access(attr)) {
        let parse = |input: ParseStream<'_>| parse_clauses(input, Some(&mut allowed));
        clauses.extend(attr.parse_args_with(parse)?);
    }
    for (i, Allowance { rule, .. }) in allowed.iter().enumerate() {
        if allowed[..i].iter().any(|before: &Allowance| before.rule == *rule) {
            let message = format!("`{rule}` is allowed twice");
            return Err(text::error(rule.span(), &message, "give one reason for both"));
        }
    }
    Ok((clauses, allowed))
}

/// Whether the attribute is `#[access]`, under whatever path.
pub(crate) fn is_access(attr: &Attribute) -> bool {
    attr.path().segments.last().is_some_and(|segment| segment.ident == "access")
}

/// Clauses; only those that are not inside of another stand beside what is allowed.
fn parse_clauses(
    input: ParseStream<'_>,
    mut allowed: Option<&mut Vec<Allowance>>,
) -> syn::Result<Vec<Clause>> {
    let mut clauses = Vec::new();
    while !input.is_empty() {
        match allowed.as_deref_mut() {
            Some(allowed) if is_allowance(input) => allowed.extend(parse_allowances(input)?),
            _ => parse_clause(input, &mut clauses)?,
        }
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(clauses)
}

fn is_allowance(input: ParseStream<'_>) -> bool {
    input.fork().call(Ident::parse_any).is_ok_and(|word| word == "allow")
}

/// `allow(rule = "reason", ...)`.
fn parse_allowances(input: ParseStream<'_>) -> syn::Result<Vec<Allowance>> {
    input.call(Ident::parse_any)?;
    let content;
    parenthesized!(content in input);
    let allowances = Punctuated::<Allowance, Token![,]>::parse_terminated(&content)?;
    Ok(allowances.into_iter().collect())
}

impl Parse for Allowance {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let rule: Ident = input.call(Ident::parse_any)?;
        let word = rule.to_string();
        if !RULES.contains(&&*word) {
            let message = format!("`{word}` is no rule of the linter");
            return Err(text::error(
                rule.span(),
                &message,
                &text::suggest(&word, RULES.into_iter()),
            ));
        }
        let why = format!("write `allow({word} = \"why this is as it should be\")`");
        if !input.peek(Token![=]) {
            return Err(text::error(rule.span(), "a finding is allowed with a reason", &why));
        }
        input.parse::<Token![=]>()?;
        let reason: syn::LitStr = input.parse()?;
        if reason.value().trim().is_empty() {
            return Err(text::error(reason.span(), "this reason says nothing", &why));
        }
        Ok(Self { rule, reason })
    }
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
        "allow" => {
            let message = "what the linter finds is allowed for the whole method";
            let help = "write `allow(...)` beside this clause, not in it";
            return Err(text::error(word.span(), message, help));
        }
        other => {
            let words = [
                "read", "write", "add", "max", "min", "append", "reserve", "start", "unless",
                "calls", "each", "dynamic", "allow",
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
    Ok(Clause::Each { list, clauses: parse_clauses(&content, None)?, span })
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
