//! The arguments of a method: `--to alice --amount 5`.

use kempe_abi::{Param, Type};

use super::{Resolve, ValueError, example, from_text};
use crate::suggest::suggest;

/// Splits what stands behind `--` on the command line into names and texts. Both `--to alice` and
/// `--to=alice` are accepted; a text without a name belongs to the next parameter in order and is
/// returned with an empty name.
///
/// # Errors
/// [`ValueError`] when a name has no value.
pub fn parse_flags(words: &[String]) -> Result<Vec<(String, String)>, ValueError> {
    let mut given = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--") else {
            given.push((String::new(), word.clone()));
            continue;
        };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => {
                let value = words.next().ok_or_else(|| ValueError {
                    at: String::new(),
                    problem: format!("`--{flag}` has no value"),
                    example: format!("--{flag} VALUE"),
                })?;
                (flag, value.clone())
            }
        };
        given.push((name.replace('-', "_"), value));
    }
    Ok(given)
}

/// Encodes arguments, given by name or in order, as the tuple of the parameters.
///
/// # Errors
/// [`ValueError`] when an argument is missing, unknown, given twice, or not of its type. The error
/// names the parameter.
pub fn encode_args(
    params: &[Param],
    given: &[(String, String)],
    names: &Resolve<'_>,
) -> Result<Vec<u8>, ValueError> {
    let mut texts: Vec<Option<&str>> = vec![None; params.len()];
    for (name, text) in given {
        let index = if name.is_empty() {
            texts.iter().position(Option::is_none).ok_or_else(|| too_many(params, text))?
        } else {
            params.iter().position(|param| param.name == *name).ok_or_else(|| {
                let known = params.iter().map(|param| &*param.name);
                let problem = format!("there is no parameter `{name}`{}", suggest(name, known));
                ValueError { at: String::new(), problem, example: usage(params) }
            })?
        };
        if texts[index].replace(text).is_some() {
            let problem = format!("parameter `{}` is given twice", params[index].name);
            return Err(ValueError { at: String::new(), problem, example: usage(params) });
        }
    }
    let mut encoded = Vec::new();
    for (param, text) in params.iter().zip(texts) {
        let text = match (text, &param.ty) {
            (Some(text), _) => text,
            (None, Type::Option(_)) => "none",
            (None, ty) => {
                let problem = format!("parameter `{}` ({ty}) is missing", param.name);
                return Err(ValueError { at: String::new(), problem, example: usage(params) });
            }
        };
        encoded.extend(from_text(&param.ty, text, names).map_err(|mut error| {
            let dot = if error.at.is_empty() || error.at.starts_with('[') { "" } else { "." };
            error.at = format!("{}{dot}{}", param.name, error.at);
            error
        })?);
    }
    Ok(encoded)
}

fn too_many(params: &[Param], text: &str) -> ValueError {
    let problem = format!(
        "`{}` is one argument too many: the method has {} parameters",
        text.escape_debug(),
        params.len()
    );
    ValueError { at: String::new(), problem, example: usage(params) }
}

fn usage(params: &[Param]) -> String {
    if params.is_empty() {
        return "no arguments at all".into();
    }
    let flag = |param: &Param| {
        let value = example(&param.ty);
        let quote = if value.contains([' ', '"', '{', '[']) { "'" } else { "" };
        format!("--{} {quote}{value}{quote}", param.name)
    };
    params.iter().map(flag).collect::<Vec<_>>().join(" ")
}
