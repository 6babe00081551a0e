//! A method and its arguments, as named on the command line.

use kempe_abi::{Abi, Method, MethodKind};

use crate::abi_view::{access_lines, signature};
use crate::output::{Exit, Failure};
use crate::session::Names;
use crate::suggest::suggest;
use crate::value::{encode_args, parse_flags};

/// The method of this name.
///
/// # Errors
/// With the names that are alike, as wrong usage.
pub(crate) fn find_method<'a>(
    abi: &'a Abi,
    contract: &str,
    name: &str,
) -> Result<&'a Method, Failure> {
    abi.method(name).filter(|method| method.kind != MethodKind::Init).ok_or_else(|| {
        let known = abi.methods.iter().filter(|method| method.kind != MethodKind::Init);
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
    let mut text = String::new();
    for found in &abi.methods {
        if method.is_some_and(|name| name != found.name)
            || (found.kind == MethodKind::Init) != command.starts_with("deploy")
        {
            continue;
        }
        let kind = match found.kind {
            MethodKind::View => "  (only reads: free, needs no key)",
            _ => "",
        };
        text.push_str(&format!("{}{kind}\n", signature(found)));
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
        let called =
            if command.starts_with("deploy") { String::new() } else { format!(" {}", found.name) };
        text.push_str(&format!("    kempe {command}{called}{params}\n\n"));
    }
    text.truncate(text.trim_end().len());
    text
}
