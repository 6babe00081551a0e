//! Calls as JSON Lines.

use std::io::BufRead;

use kempe_abi::{Method, Type};
use serde::Deserialize;
use serde_json::Value;

use super::{Args, Fault, LINE_BYTES_MAX, Line, Place};
use crate::abi_view::signature;
use crate::suggest::suggest;
use crate::value::{Resolve, Unique, from_json};

/// Reads line after line; a line longer than [`LINE_BYTES_MAX`] is refused before it is read.
pub(crate) struct Reader<R> {
    source: R,
    line: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    from: String,
    contract: String,
    method: String,
    #[serde(default)]
    args: Unique,
    fuel: Option<u64>,
}

impl<R: BufRead> Reader<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, line: 0 }
    }

    /// The next call; empty lines are passed over.
    pub(crate) fn next_line(&mut self) -> Result<Option<Line>, Fault> {
        loop {
            self.line += 1;
            let fault = |column: u64, message: String| Fault {
                place: Place { line: self.line, column },
                message,
            };
            let mut bytes = Vec::new();
            let limit = LINE_BYTES_MAX as u64 + 1;
            std::io::Read::take(&mut self.source, limit)
                .read_until(b'\n', &mut bytes)
                .map_err(|error| fault(1, error.to_string()))?;
            if bytes.is_empty() {
                return Ok(None);
            }
            if bytes.len() > LINE_BYTES_MAX {
                let message = format!("the line has more than {LINE_BYTES_MAX} bytes");
                return Err(fault(limit, message));
            }
            let text = String::from_utf8(bytes).map_err(|error| {
                fault(error.utf8_error().valid_up_to() as u64 + 1, "this is not UTF-8".into())
            })?;
            if text.trim().is_empty() {
                continue;
            }
            // serde_json refuses values nested deeper than 128 levels.
            let call: Call = serde_json::from_str(text.trim_end()).map_err(|error| {
                let message = error.to_string();
                let message = message.rsplit_once(" at line").map_or(&*message, |(what, _)| what);
                fault(error.column() as u64, message.to_owned())
            })?;
            let column =
                |name: &str| text.find(&format!("\"{name}\"")).map_or(1, |at| at as u64 + 1);
            return Ok(Some(Line {
                columns: ["from", "contract", "method"].map(column),
                place: Place { line: self.line, column: 1 },
                from: call.from,
                contract: call.contract,
                method: call.method,
                fuel: call.fuel,
                args: Args::Json { text, args: call.args.0 },
            }));
        }
    }
}

/// Encodes the arguments; a fault comes with its column in the line.
pub(crate) fn encode(
    method: &Method,
    text: &str,
    args: &Value,
    names: &Resolve<'_>,
) -> Result<Vec<u8>, (u64, String)> {
    let params = &method.params;
    let at = |name: &str| column_of(text, name);
    let wrong =
        |message: String| (at("args"), format!("{message}; the method is {}", signature(method)));
    let given: Vec<Option<&Value>> = match args {
        Value::Null => vec![None; params.len()],
        Value::Array(list) if list.len() <= params.len() => {
            (0..params.len()).map(|i| list.get(i)).collect()
        }
        Value::Array(list) => {
            let n = list.len();
            return Err(wrong(format!("{n} arguments are {} too many", n - params.len())));
        }
        Value::Object(map) => {
            let unknown = map.keys().find(|name| params.iter().all(|param| param.name != **name));
            if let Some(name) = unknown {
                let known = suggest(name, params.iter().map(|param| &*param.name));
                let message = format!("there is no parameter `{}`{known}", name.escape_debug());
                return Err((at(name), message));
            }
            params.iter().map(|param| map.get(&param.name)).collect()
        }
        _ => return Err(wrong("`args` is an object or an array".into())),
    };
    let mut encoded = Vec::new();
    for (param, value) in params.iter().zip(given) {
        let value = match (value, &param.ty) {
            (Some(value), _) => value,
            (None, Type::Option(_)) => &Value::Null,
            (None, ty) => {
                return Err(wrong(format!("parameter `{}` ({ty}) is missing", param.name)));
            }
        };
        let bytes = from_json(&param.ty, value, names)
            .map_err(|error| (at(&param.name), format!("argument `{}`: {error}", param.name)))?;
        encoded.extend(bytes);
    }
    Ok(encoded)
}

/// The column of a member's name in a line of JSON; 1 if it is not there as such.
fn column_of(text: &str, name: &str) -> u64 {
    let quoted = Value::from(name).to_string();
    // The last one: `from` may be the sender and a parameter. Arguments in order have no names.
    text.rfind(&quoted).or_else(|| text.rfind("\"args\"")).map_or(1, |at| at as u64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut reader = Reader::new(text.as_bytes());
        let found = loop {
            match reader.next_line() {
                Ok(None) => break "fine".to_owned(),
                Ok(Some(_)) => {}
                Err(Fault { place, message }) => {
                    break format!("{}:{} {message}", place.line, place.column);
                }
            }
        };
        assert_eq!(found, expected);
    }

    const GOOD: &str = r#"{"from":"a","contract":"t","method":"m","args":{"x":1}}"#;

    #[test]
    fn broken_lines_are_located() {
        check("", "fine");
        check(&format!("{GOOD}\n\n{GOOD}"), "fine");
        check(
            &format!("{GOOD}\n{{\"from\":1}}"),
            "2:9 invalid type: integer `1`, expected a string",
        );
        check(
            &format!("{GOOD}\n\n{{\"fron\":\"a\"}}\n"),
            "3:7 unknown field `fron`, expected one of `from`, `contract`, `method`, `args`, `fuel`",
        );
        check(r#"{"from":"a"}"#, "1:12 missing field `contract`");
        check(r#"{"from":"a","from":"b"}"#, "1:18 duplicate field `from`");
        check(r#"{"from":"a","args":{"x":1,"x":2}}"#, "1:29 `x` is given twice");
        check(r#"{"from":"#, "1:8 EOF while parsing a value");
        let deep = format!("{{\"from\":\"a\",\"args\":{}", "[".repeat(100_000));
        check(&deep, "1:146 recursion limit exceeded");
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_at_the_limit() {
        struct Endless;
        impl std::io::Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                buffer.fill(b' ');
                Ok(buffer.len())
            }
        }
        let fault = Reader::new(std::io::BufReader::new(Endless)).next_line().err().unwrap();
        assert_eq!(fault.message, "the line has more than 4194304 bytes");
    }

    #[test]
    fn not_text_is_located() {
        let fault = Reader::new(&b"{\"from\xff"[..]).next_line().err().unwrap();
        assert_eq!((fault.place.column, &*fault.message), (7, "this is not UTF-8"));
    }
}
