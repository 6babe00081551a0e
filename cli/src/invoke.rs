//! A method and its arguments, as named on the command line.

use kempe_abi::{Abi, Method, MethodKind};

use crate::abi_view::{access_lines, signature};
use crate::output::{Exit, Failure};
use crate::session::Names;
use crate::suggest::suggest;
use crate::value::{encode_args, parse_flags};

/// Whether it is for people to call, and not run once by the host.
const fn is_callable(method: &Method) -> bool {
    matches!(method.kind, MethodKind::Call | MethodKind::View)
}

/// The method of this name.
///
/// # Errors
/// With the names that are alike, as wrong usage.
pub(crate) fn find_method<'a>(
    abi: &'a Abi,
    contract: &str,
    name: &str,
) -> Result<&'a Method, Failure> {
    abi.method(name).filter(|method| is_callable(method)).ok_or_else(|| {
        let known = abi.methods.iter().filter(|method| is_callable(method));
        let known = suggest(name, known.map(|method| &*method.name));
        let message = format!("`{contract}` has no method `{}`{known}", name.escape_debug());
        Failure::new(Exit::Usage, message)
            .with_help(format!("`kempe call {contract} -- --help` shows its methods"))
    })
}

/// The encoded arguments of a method.
///
/// # Errors
/// What is missing, unknown or of another type, as wrong usage.
pub(crate) fn encode(method: &Method, words: &[String], names: &Names) -> Result<Vec<u8>, Failure> {
    let resolve = |word: &str| names.find(word);
    let encoded =
        parse_flags(words).and_then(|given| encode_args(&method.params, &given, &resolve));
    encoded.map_err(|error| {
        let mut help = format!("the method is {}", signature(method));
        if method.params.iter().any(|param| param.name == "from") {
            help.push_str("; its own --from stands behind a --");
        }
        Failure::new(Exit::Usage, error).with_help(help)
    })
}

/// Whether the words ask for help.
#[must_use]
pub(crate) fn wants_help(words: &[String]) -> bool {
    words.iter().any(|word| matches!(&**word, "--help" | "-h"))
}

/// What a contract offers, or one method of it, with the command that calls it, as in `call token`.
#[must_use]
pub(crate) fn help(abi: &Abi, command: &str, method: Option<&str>) -> String {
    let wanted =
        |found: &&Method| is_callable(found) && method.is_none_or(|name| name == found.name);
    let each = abi.methods.iter().filter(wanted);
    joined(each.map(|found| method_help(abi, &format!("{command} {}", found.name), found)))
}

/// What the method that the host runs once takes, with the command that gives it: `init` for `deploy`, else
/// `migrate`.
#[must_use]
pub(crate) fn once_help(abi: &Abi, command: &str) -> String {
    let kind = if command.starts_with("deploy") { MethodKind::Init } else { MethodKind::Migrate };
    let once = abi.methods.iter().filter(|found| found.kind == kind);
    let help = joined(once.map(|found| method_help(abi, command, found)));
    let name = if kind == MethodKind::Init { "init" } else { "migrate" };
    if help.is_empty() {
        format!("{} has no {name}: it takes no arguments", abi.name)
    } else {
        help
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    let mut text: String = parts.collect();
    text.truncate(text.trim_end().len());
    text
}

fn method_help(abi: &Abi, command: &str, found: &Method) -> String {
    let kind = match found.kind {
        MethodKind::View => "  (only reads: free, needs no key)",
        _ => "",
    };
    let mut text = format!("{}{kind}\n", signature(found));
    for line in found.doc.lines().take_while(|line| !line.trim().is_empty()) {
        text.push_str(&format!("    {}\n", line.trim()));
    }
    for line in access_lines(abi, found) {
        text.push_str(&format!("    touches  {line}\n"));
    }
    let name = |param: &kempe_abi::Param| {
        let example = crate::value::example(&param.ty);
        let quote = if example.contains([' ', '"', '{', '[']) { "'" } else { "" };
        format!(" --{} {quote}{example}{quote}", param.name)
    };
    let params: String = found.params.iter().map(name).collect();
    text.push_str(&format!("    kempe {command}{params}\n\n"));
    text
}
