//! What a function's body touches, found in its tokens.
//!
//! Tokens, not syntax: so that uses inside macro calls (`ensure!(self.owner.get() == ..)`) count. It is
//! sound because every `self` must be followed by `.field.method(` or `.helper(`; anything else, such as
//! passing a field on, is an error that says how to write it.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

use crate::field::{Field, Touch};
use crate::text::{self, Errors};

/// A field that a body touches.
pub(crate) struct Use {
    pub(crate) field: usize,
    pub(crate) touch: Touch,
    pub(crate) method: Ident,
    /// Where the field is named.
    pub(crate) span: Span,
}

/// What a body does with `self`.
#[derive(Default)]
pub(crate) struct Scan {
    pub(crate) uses: Vec<Use>,
    pub(crate) helpers: Vec<Ident>,
    pub(crate) errors: Errors,
}

/// Scans the body of a function of `contract`.
pub(crate) fn body(tokens: TokenStream, contract: &Ident, fields: &[Field]) -> Scan {
    let mut scanner = Scanner { contract, fields, scan: Scan::default() };
    scanner.tokens(tokens);
    scanner.scan
}

struct Scanner<'a> {
    contract: &'a Ident,
    fields: &'a [Field],
    scan: Scan,
}

impl Scanner<'_> {
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(ident) if ident == "self" => {
                    at += self.self_use(ident.span(), &tokens[at..]);
                }
                TokenTree::Ident(ident) if ident == "Self" || ident == self.contract => {
                    at += self.path(&tokens[at..]);
                }
                _ => {}
            }
        }
    }

    /// Behind a `self`. Returns how many tokens are dealt with.
    fn self_use(&mut self, span: Span, rest: &[TokenTree]) -> usize {
        let [TokenTree::Punct(dot), TokenTree::Ident(name), rest @ ..] = rest else {
            return self.escape(span);
        };
        if dot.as_char() != '.' {
            return self.escape(span);
        }
        if let Some(TokenTree::Group(args)) = rest.first()
            && args.delimiter() == Delimiter::Parenthesis
        {
            self.scan.helpers.push(name.clone());
            return 2;
        }
        let Some(field) = self.fields.iter().position(|field| field.name == *name) else {
            let names: Vec<String> = self.fields.iter().map(|f| f.name.to_string()).collect();
            self.scan.errors.push(text::error(
                name.span(),
                &format!("`{}` has no field `{name}`", self.contract),
                &text::suggest(&name.to_string(), names.iter().map(String::as_str)),
            ));
            return 2;
        };
        2 + self.field_use(field, name.span(), rest)
    }

    /// Behind a `self.field`.
    fn field_use(&mut self, index: usize, span: Span, rest: &[TokenTree]) -> usize {
        let field = &self.fields[index];
        let (TokenTree::Punct(dot), TokenTree::Ident(method)) = (match rest {
            [dot, method, ..] => (dot, method),
            _ => return self.loose_field(field, span),
        }) else {
            return self.loose_field(field, span);
        };
        if dot.as_char() != '.' {
            return self.loose_field(field, span);
        }
        match field.cell.touch(&method.to_string()) {
            Some(touch) => {
                self.scan.uses.push(Use { field: index, touch, method: method.clone(), span });
            }
            None => self.scan.errors.push(text::error(
                method.span(),
                &format!("`{}` has no method `{method}`", field.name),
                &format!("it has {}", field.cell.methods()),
            )),
        }
        2
    }

    fn loose_field(&mut self, field: &Field, span: Span) -> usize {
        self.scan.errors.push(text::error(
            span,
            &format!(
                "`self.{}` is used without a method, so what it touches is not known",
                field.name
            ),
            &format!("call one of its methods right here: {}", field.cell.methods()),
        ));
        0
    }

    fn escape(&mut self, span: Span) -> usize {
        self.scan.errors.push(text::error(
            span,
            "`self` is passed on, so what is touched through it is not known",
            "write `self.field.method(..)`, or `self.helper(..)` for a function of this `impl`",
        ));
        0
    }

    /// Behind a `Self` or the contract's name: `::helper(self, ..)`.
    fn path(&mut self, rest: &[TokenTree]) -> usize {
        let [TokenTree::Punct(a), TokenTree::Punct(b), TokenTree::Ident(name), rest @ ..] = rest
        else {
            return 0;
        };
        if (a.as_char(), b.as_char()) != (':', ':') {
            return 0;
        }
        let Some(TokenTree::Group(args)) = rest.first() else { return 3 };
        if args.delimiter() != Delimiter::Parenthesis {
            return 3;
        }
        self.scan.helpers.push(name.clone());
        self.tokens(without_receiver(args));
        4
    }
}

/// The arguments of `Self::helper(self, ..)` behind the receiver.
fn without_receiver(args: &Group) -> TokenStream {
    let tokens: Vec<TokenTree> = args.stream().into_iter().collect();
    let receiver = tokens
        .iter()
        .take_while(|token| match token {
            TokenTree::Punct(punct) => punct.as_char() == '&',
            TokenTree::Ident(ident) => ident == "mut",
            _ => false,
        })
        .count();
    let is_self =
        matches!(&tokens.get(receiver), Some(TokenTree::Ident(ident)) if *ident == "self");
    let ends = match tokens.get(receiver + 1) {
        None => true,
        Some(TokenTree::Punct(punct)) => punct.as_char() == ',',
        Some(_) => false,
    };
    let skip = if is_self && ends { receiver + 1 } else { 0 };
    tokens.into_iter().skip(skip).collect()
}
