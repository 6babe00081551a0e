//! Compares what a method declares with what its body touches.

use std::collections::BTreeSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

use crate::access::Clause;
use crate::field::{Field, Touch};
use crate::method::{Method, Role};
use crate::scan::Use;
use crate::text::{self, Errors};

/// A use, with the helpers through which the method reaches it.
struct Reached<'a> {
    used: &'a Use,
    chain: Vec<&'a Ident>,
}

/// A clause `read(..)`, `write(..)` or `add(..)`.
struct Declared {
    field: usize,
    kind: Touch,
    span: Span,
}

/// Checks every method. Returns warnings, as tokens that make the compiler warn.
pub(crate) fn all(fields: &[Field], methods: &[Method], errors: &mut Errors) -> TokenStream {
    let mut warnings = TokenStream::new();
    for method in methods {
        let reached = reach(method, methods, errors);
        if method.is_exported() {
            warnings.extend(check(fields, method, &reached, errors));
        }
    }
    warnings
}

/// Everything that the method touches, also through helpers.
fn reach<'a>(method: &'a Method, methods: &'a [Method], errors: &mut Errors) -> Vec<Reached<'a>> {
    let mut reached = Vec::new();
    let mut seen = BTreeSet::from([method.name.to_string()]);
    let mut open: Vec<(&Method, Vec<&Ident>)> = vec![(method, Vec::new())];
    while let Some((at, chain)) = open.pop() {
        reached.extend(at.scan.uses.iter().map(|used| Reached { used, chain: chain.clone() }));
        for helper in &at.scan.helpers {
            match methods.iter().find(|method| method.name == *helper) {
                Some(next) if seen.insert(helper.to_string()) => {
                    let chain = chain.iter().copied().chain([helper]).collect();
                    open.push((next, chain));
                }
                Some(_) => {}
                // Reported where it is written, once.
                None if chain.is_empty() => errors.push(text::error(
                    helper.span(),
                    &format!("`{helper}` is not a function of this `#[contract] impl`"),
                    "write it there, so that what it touches is known",
                )),
                None => {}
            }
        }
    }
    reached
}

fn check(
    fields: &[Field],
    method: &Method,
    reached: &[Reached<'_>],
    errors: &mut Errors,
) -> TokenStream {
    let mut declared = Vec::new();
    declarations(&method.access, fields, &mut declared);
    if method.role == Role::Init {
        for clause in &declared {
            errors.push(text::error(
                clause.span,
                "`init` declares no cells: everything of the new contract is fresh",
                "remove the clause",
            ));
        }
        return TokenStream::new();
    }
    if method.role == Role::View {
        let changes = |kind: Touch| kind.changes() && kind != Touch::Unless;
        for clause in declared.iter().filter(|clause| changes(clause.kind)) {
            errors.push(text::error(
                clause.span,
                &format!("`{}` takes `&self`, so it only reads", method.name),
                "take `&mut self`, or declare `read(..)`",
            ));
        }
    }
    for reached in reached {
        if let Err(error) = check_use(fields, method, &declared, reached) {
            errors.push(error);
        }
    }
    if method.is_dynamic() {
        return TokenStream::new();
    }
    let declared = declared.iter().filter(|clause| clause.kind != Touch::Unless);
    declared.filter_map(|clause| idle(fields, method, clause, reached)).collect()
}

fn declarations(clauses: &[Clause], fields: &[Field], declared: &mut Vec<Declared>) {
    for clause in clauses {
        match clause {
            Clause::Touch { kind, field, key } => {
                if let Some(index) = fields.iter().position(|f| f.name == *field) {
                    let all = fields[index].is_sharded() && key.len() == fields[index].keys.len();
                    let kind = if all { kind.of_all_shards() } else { *kind };
                    declared.push(Declared { field: index, kind, span: field.span() });
                }
            }
            Clause::Reserve { field, .. } => {
                if let Some(index) = fields.iter().position(|f| f.name == *field) {
                    let (kind, span) = (Touch::Reserve, field.span());
                    declared.push(Declared { field: index, kind, span });
                }
            }
            Clause::Each { clauses, .. } => declarations(clauses, fields, declared),
            Clause::Call { .. } | Clause::Dynamic => {}
        }
    }
}

fn check_use(
    fields: &[Field],
    method: &Method,
    declared: &[Declared],
    reached: &Reached<'_>,
) -> syn::Result<()> {
    let (used, name) = (reached.used, &method.name);
    let field = &fields[used.field];
    let through = through(&reached.chain);
    match used.touch {
        Touch::Constant => return Ok(()),
        // Those that the old code did not have.
        Touch::Set if method.role == Role::Migrate => return Ok(()),
        Touch::Set => {
            return Err(text::error(
                used.span,
                &format!("`{name}` sets the immutable `{}`{through}", field.name),
                "an immutable is set in `init`; make it an `Item` if it changes",
            ));
        }
        Touch::Read
        | Touch::ReadAll
        | Touch::Start
        | Touch::Add
        | Touch::Max
        | Touch::Min
        | Touch::Append
        | Touch::Reserve
        | Touch::Unless
        | Touch::Write
        | Touch::WriteAll => {}
    }
    if method.role == Role::View && used.touch.changes() {
        return Err(text::error(
            used.span,
            &format!(
                "`{name}` takes `&self`, so it only reads, but it calls `{}` on `{}`{through}",
                used.method, field.name
            ),
            "take `&mut self`",
        ));
    }
    let start = used.touch == Touch::Start;
    let mut of_field = declared
        .iter()
        .filter(|clause| clause.kind != Touch::Unless)
        .filter(|clause| clause.field == used.field && (clause.kind == Touch::Start) == start)
        .peekable();
    if method.is_dynamic() || of_field.clone().any(|clause| clause.kind.permits(used.touch)) {
        return Ok(());
    }
    Err(not_permitted(method, field, reached, of_field.peek().map(|clause| clause.kind)))
}

/// An error for a use that is not declared, or beside a clause for something else.
fn not_permitted(
    method: &Method,
    field: &Field,
    reached: &Reached<'_>,
    declared: Option<Touch>,
) -> syn::Error {
    let (used, name, through) = (reached.used, &method.name, through(&reached.chain));
    let (word, cell) = (used.touch.word(), field.cell_text(used.touch));
    match declared {
        None if used.touch == Touch::Start => text::error(
            used.span,
            &format!(
                "`{name}` reads `{}` as it was before the block{through}, which its #[access] does not declare",
                field.name
            ),
            &format!("add `start({cell})`"),
        ),
        None => text::error(
            used.span,
            &format!(
                "`{name}` touches `{}` ({word}){through}, which its #[access] does not declare",
                field.name
            ),
            &format!("add `{word}({cell})`"),
        ),
        Some(kind) => {
            let declared = field.cell_text(kind);
            let of_all = if used.touch.is_of_all_shards() { " of all shards" } else { "" };
            let help = match (kind, used.touch) {
                (Touch::ReadAll, Touch::WriteAll) => format!("declare `write({cell})`"),
                // Beside what is looked at the one shard is enough.
                (Touch::ReadAll, _) => format!("add `{word}({cell})`"),
                (_, Touch::ReadAll | Touch::WriteAll) => whole(field, used.touch),
                _ => format!("declare `write({})`", field.cell_text(Touch::Write)),
            };
            let kind = kind.word();
            text::error(
                used.span,
                &format!(
                    "`{name}` declares `{kind}({declared})`, which does not permit `{}` ({word}{of_all}){through}",
                    used.method
                ),
                &help,
            )
        }
    }
}

/// How to mend a use of all shards beside a clause for one.
fn whole(field: &Field, used: Touch) -> String {
    let (word, cell) = (used.word(), field.cell_text(used));
    if used == Touch::ReadAll {
        format!("declare `{word}({cell})`, which is of all shards, or look at the one with `part`")
    } else {
        format!("declare `{word}({cell})`, which is of all shards")
    }
}

fn through(chain: &[&Ident]) -> String {
    let names: Vec<String> = chain.iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { String::new() } else { format!(" through {}", names.join(" and ")) }
}

/// A warning for a clause that permits more than the method does.
fn idle(
    fields: &[Field],
    method: &Method,
    clause: &Declared,
    reached: &[Reached<'_>],
) -> Option<TokenStream> {
    let field = &fields[clause.field];
    let start = clause.kind == Touch::Start;
    let mut uses = reached
        .iter()
        .filter(|r| r.used.field == clause.field && (r.used.touch == Touch::Start) == start)
        .peekable();
    let (kind, cell) = (clause.kind.word(), field.cell_text(clause.kind));
    let note = match uses.peek().map(|reached| reached.used.touch) {
        None if method.allows("over_declared") => return None,
        None => format!(
            "`{}` declares `{kind}({cell})`, but never touches `{}`",
            method.name, field.name
        ),
        Some(first) if clause.kind.is_write() && !first.is_write() => {
            if method.allows("never_written") || !uses.all(|r| r.used.touch == first) {
                return None;
            }
            let (word, enough) = (first.word(), field.cell_text(first));
            format!(
                "`{}` declares `write({cell})`, but `{word}({enough})` is enough and lets more run in parallel",
                method.name
            )
        }
        Some(_) => return None,
    };
    let constant = Ident::new("ACCESS", clause.span);
    Some(quote_spanned! { clause.span=>
        const _: () = {
            #[deprecated(note = #note)]
            const #constant: () = ();
            #constant
        };
    })
}
