//! Words for people: documentation comments, suggestions, errors with help.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::{Attribute, Expr, ExprLit, Ident, Lit, Meta};

/// An error with a line that says how to mend it.
pub(crate) fn error(span: Span, message: &str, help: &str) -> syn::Error {
    syn::Error::new(span, format!("{message}\nhelp: {help}"))
}

/// A name as the ABI has it: without the `r#` of what is a word of Rust.
pub(crate) fn bare(name: &Ident) -> String {
    name.unraw().to_string()
}

/// The same of a name that is only now read: in ASCII, since no host admits another.
pub(crate) fn name(name: &Ident) -> syn::Result<String> {
    let text = bare(name);
    if text.is_ascii() {
        return Ok(text);
    }
    Err(error(
        name.span(),
        &format!("`{text}` is in the ABI, where names are ASCII, so that no two look the same"),
        "use the letters `a` to `z`, digits and `_`",
    ))
}

/// Notes which of the names are not in ASCII.
pub(crate) fn check_names<'a>(names: impl IntoIterator<Item = &'a Ident>, errors: &mut Errors) {
    for ident in names {
        errors.note(name(ident));
    }
}

/// Collects errors, so that one compilation shows all of them.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// The value, or the error after noting it.
    pub(crate) fn note<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(crate) fn into_error(self) -> Option<syn::Error> {
        self.0
    }
}

/// The first paragraph of the `///` lines: what a list of methods shows. The rest is for who reads the
/// source, and would be most of a module's bytes.
pub(crate) fn doc(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<String> =
        lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).to_string()).collect();
    let text = lines.join("\n");
    text.trim().split("\n\n").next().unwrap_or_default().to_string()
}

/// "; did you mean `x`?" when one of the names is close, else the list of names.
pub(crate) fn suggest<'a>(wrong: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    let close = names
        .clone()
        .map(|name| (strsim::damerau_levenshtein(wrong, name), name))
        .filter(|(distance, name)| *distance <= 1.max(name.len() / 3))
        .min();
    if let Some((_, name)) = close {
        return format!("did you mean `{name}`?");
    }
    let all: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if all.is_empty() { "there is none".into() } else { format!("there is {}", all.join(", ")) }
}
