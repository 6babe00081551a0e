//! Lines of reads and writes: the simplest form in which somebody can bring a block.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use kempe_abi::AccessKind;
use kempe_runtime::files;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::InputTx;
use crate::trace::{Numbers, check_cost, each_line, fail, plain, without_mark};
use crate::{LINE_BYTES_MAX, TraceError, TraceFault};

/// What a transaction without a cost costs, in nanoseconds.
const COST_NS: u64 = 1000;

/// How long a key may be, in bytes; ours to choose.
const KEY_BYTES_MAX: usize = 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default)]
    reads: Vec<Key>,
    #[serde(default)]
    writes: Vec<Key>,
    #[serde(default)]
    adds: Vec<Key>,
    #[serde(default)]
    blind: Vec<Key>,
    cost: Option<u64>,
    from: Option<Key>,
}

/// A key or an account. The number 7 and the text "7" are the same.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a key is a text or a whole number from 0 to 18446744073709551615")]
enum Key {
    Number(u64),
    Text(String),
}

impl Key {
    fn name(self) -> Result<String, (usize, TraceFault)> {
        match self {
            Self::Number(number) => Ok(number.to_string()),
            Self::Text(text) if text.len() <= KEY_BYTES_MAX => Ok(text),
            Self::Text(text) => {
                let message =
                    format!("a key has size_bytes={} of at most {KEY_BYTES_MAX}", text.len());
                Err((0, TraceFault::Line(message)))
            }
        }
    }
}

/// Whether the first line is one of a recorded block, which states its position and its time.
pub(super) fn is_recorded(path: &Path) -> Result<bool, TraceError> {
    let fields = first_fields(path)?;
    Ok(fields.is_none_or(|fields| ["tx", "ns"].iter().any(|field| fields.contains_key(*field))))
}

/// The fields of the JSON object that is the first line of a file; none of an empty file, and no fields if it is something
/// else.
///
/// # Errors
/// [`TraceError`], if the file cannot be read.
pub fn first_fields(path: &Path) -> Result<Option<BTreeMap<String, IgnoredAny>>, TraceError> {
    let fail = |error| fail(path, 0, 0, TraceFault::Io(error));
    let mut line = Vec::new();
    let mut source = BufReader::new(files::open(path).map_err(fail)?).take(LINE_BYTES_MAX as u64);
    source.read_until(b'\n', &mut line).map_err(fail)?;
    if line.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(without_mark(&line)).unwrap_or_default()))
}

/// The transactions, and the names of their keys by number.
pub(super) fn read(path: &Path) -> Result<(Vec<InputTx>, Vec<String>), TraceError> {
    let file = files::open(path).map_err(|error| fail(path, 0, 0, TraceFault::Io(error)))?;
    let (mut numbers, mut senders) = (Numbers::default(), Numbers::default());
    let (mut txs, mut names) = (Vec::new(), Vec::new());
    each_line(&mut BufReader::new(file), path, |_, line| {
        let line: Line = serde_json::from_slice(line)
            .map_err(|error| (error.column(), TraceFault::Line(plain(&error))))?;
        let mut number = |key: Key| {
            let name = key.name()?;
            let n_before = numbers.len();
            let number = numbers.of(name.clone());
            if number as usize == n_before {
                names.push(name);
            }
            Ok(u64::from(number))
        };
        check_cost(line.cost.unwrap_or(0))?;
        let mut tx = InputTx { cost: line.cost.unwrap_or(COST_NS), ..InputTx::default() };
        for (keys, kind) in [
            (line.reads, AccessKind::Read),
            (line.writes, AccessKind::Write),
            (line.adds, AccessKind::Add),
        ] {
            for key in keys {
                tx.accesses.push((number(key)?, kind, false));
            }
        }
        let mut written = HashMap::new();
        if !line.blind.is_empty() {
            let writes = tx.accesses.iter().enumerate().rev();
            let writes = writes.filter(|(_, access)| access.1 == AccessKind::Write);
            written.extend(writes.map(|(at, access)| (access.0, at)));
        }
        for key in line.blind {
            let Some(&at) = written.get(&number(key)?) else {
                let message = "a key of `blind` is not in `writes`".to_owned();
                return Err((0, TraceFault::Line(message)));
            };
            tx.accesses[at].2 = true;
        }
        if tx.accesses.is_empty() {
            let message = "the line has no key in `reads`, `writes` or `adds`".to_owned();
            return Err((0, TraceFault::Line(message)));
        }
        let sender = line.from.map(Key::name).transpose()?;
        tx.sender = sender.map(|name| u64::from(senders.of(name)));
        txs.push(tx);
        Ok(())
    })?;
    Ok((txs, names))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use kempe_abi::AccessKind::{Add, Read, Write as W};
    use kempe_runtime::scheduler::Access;

    use crate::Input;

    fn open(text: &str) -> Result<Input, String> {
        let mut file = tempfile::Builder::new().suffix(".jsonl").tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let name = file.path().display().to_string();
        Input::open(file.path()).map_err(|error| error.to_string().replace(&name, "f"))
    }

    #[test]
    fn lines_become_a_block() {
        let text = r#"{"reads":["p",7],"writes":["p","q"],"blind":["q"],"from":"a"}
{"adds":["7"],"cost":5,"from":"a"}"#;
        let input = open(text).unwrap();
        let row = [(0, W), (1, Read), (2, W)].map(|(slot, kind)| Access::new(slot, kind));
        assert_eq!(input.accesses().of(0), row);
        assert_eq!(input.accesses().of(1), [Access::new(1, Add)]);
        assert_eq!((input.costs(), input.senders()), (&[1000, 5][..], &[0, 0][..]));
        let block = input.block();
        assert_eq!([0, 1, 2].map(|at| block.is_blind(0, at)), [false, false, true]);
        assert_eq!(input.key_name(2), "q");
    }

    #[test]
    fn what_editors_leave_is_passed_over() {
        let plain = open("{\"writes\":[1]}\n{\"reads\":[1]}").unwrap();
        for text in [
            "{\"writes\":[1]}\r\n{\"reads\":[1]}\r\n\r\n",
            "\u{feff}{\"writes\":[1]}\n {\"reads\":[1]}\n\n \n",
        ] {
            assert_eq!(open(text).unwrap(), plain, "{text:?}");
        }
        // A recorded block is told as such behind a mark, too.
        let recorded = "\u{feff}{\"tx\":0,\"reads\":[],\"writes\":[1],\"gas\":1,\"ns\":9}\n\n";
        assert_eq!(open(recorded).unwrap().costs(), [9]);
        assert_eq!(open("{\"writes\":[1],\"cost\":0}").unwrap().costs(), [1]);
    }

    #[test]
    fn broken_lines_are_named() {
        let check = |text: &str, expected: &str| {
            let error = open(text).expect_err(text);
            assert!(error.starts_with(expected), "{error}");
        };
        check("", "f: the trace has no transactions");
        check("{}", "f:1: the line has no key");
        check("{\"reads\":[1]}\n{\"reads\":[1],\"x\":1}", "f:2:16: unknown field `x`");
        check("{\"reads\":[1]}\n\n{\"reads\":[1]}", "f:2: the line is empty");
        check("\n \r\n", "f: the trace has no transactions");
        check("{\"writes\":[1],\"blind\":[2]}", "f:1: a key of `blind` is not in `writes`");
        for key in ["-1", "1.5", "null", "18446744073709551616", "[1]"] {
            let expected = "a key is a text or a whole number from 0 to 18446744073709551615";
            check(
                &format!("{{\"reads\":[{key}]}}"),
                &format!("f:1:{}: {expected}", 11 + key.len()),
            );
        }
        // A list of the fields' values, and what is no object at all.
        for line in ["[[\"a\"],[\"b\"],[],[],5,\"x\"]", "[]", "7", "nonsense"] {
            check(line, "f:1:1: a line is a JSON object: {...}");
        }
        let long = "f:1: a transaction would take 60000000001 ns, and may take 60000000000 at most";
        check("{\"reads\":[1],\"cost\":60000000001}", long);
        let huge = format!("{{\"reads\":[\"{}\"]}}", "k".repeat(2000));
        check(&huge, "f:1: a key has size_bytes=2000 of at most 1024");
        check("{\"reads\":[1],\"reads\":[2]}", "f:1:20: duplicate field `reads`");
    }
}
