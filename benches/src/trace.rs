//! Traces: recorded blocks as JSON Lines, one transaction a line.
//!
//! ```json
//! {"tx":0,"reads":[1,2],"writes":[1],"adds":[3],"blind":[],"gas":21000,"ns":1983,"kind":"call","ok":true,"from":"0xaa","to":"0xbb"}
//! ```
//!
//! | field | meaning | if absent |
//! | --- | --- | --- |
//! | `tx` | the position in the block: 0 on the first line, then one more each | refused |
//! | `reads`, `writes` | keys, as numbers; a read-modify-write stands in both | refused |
//! | `adds` | keys that were only added to, which commutes | none |
//! | `blind` | keys of `writes` whose value the program never used; others are taken as not touched, as by a write that changed nothing, and [counted](Trace::n_blind_unwritten) | none |
//! | `gas`, `ns` | the cost in gas, and in nanoseconds of one sequential execution | refused |
//! | `kind` | `transfer`, `call`, `create`, or another word | unknown |
//! | `ok` | whether it succeeded | yes |
//! | `from`, `to` | addresses, as text; an empty one is none | none |
//! | `block` | of several blocks that were joined: which one it is from; not looked at | |
//!
//! Other fields are refused.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use kempe_abi::AccessKind;
use kempe_runtime::files;
use kempe_runtime::scheduler::{Access, Accesses};
use serde::de::{IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer};

/// How long a line of a trace may be, in bytes. The longest of a mainnet block is under 64 KiB; ours
/// to choose.
pub const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How many transactions a trace may have; ours to choose.
pub const TRACE_TXS_MAX: usize = 1 << 20;

/// The longest that a transaction of a trace may take, in nanoseconds: a minute, so that the times of the
/// longest trace on the most simulated workers add up to less than 2^64. Ours to choose.
pub const COST_NS_MAX: u64 = 60_000_000_000;

/// A recorded block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The transactions, in block order.
    pub txs: Vec<TraceTx>,
}

/// A recorded transaction. Keys are numbers that mean something only inside the trace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceTx {
    tx: u64,
    /// The keys that it read.
    #[serde(deserialize_with = "keys")]
    pub reads: Vec<u64>,
    /// The keys that it wrote; a read-modify-write stands in `reads` too.
    #[serde(deserialize_with = "keys")]
    pub writes: Vec<u64>,
    /// The keys that it added to without seeing them.
    #[serde(default, deserialize_with = "keys")]
    pub adds: Vec<u64>,
    /// The keys of `writes` whose value it never used.
    #[serde(default, deserialize_with = "keys")]
    pub blind: Vec<u64>,
    /// What it was charged.
    pub gas: u64,
    /// How long it took, in nanoseconds.
    pub ns: u64,
    /// What it was.
    #[serde(default)]
    pub kind: TraceKind,
    /// Whether it succeeded.
    #[serde(default = "succeeded")]
    pub ok: bool,
    /// Who sent it.
    #[serde(default, deserialize_with = "address")]
    pub from: Option<String>,
    /// Whom it was sent to; none if it created a contract.
    #[serde(default, deserialize_with = "address")]
    pub to: Option<String>,
    #[serde(default, rename = "block", deserialize_with = "ignored")]
    _block: (),
}

/// What a recorded transaction was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TraceKind {
    /// It moved native tokens.
    Transfer,
    /// It called a contract.
    Call,
    /// It created a contract.
    Create,
    /// The trace does not say, or has another word.
    #[default]
    #[serde(other)]
    Unknown,
}

/// Why a trace was refused, and where.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", self.place())]
pub struct TraceError {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1; 0 if the fault is none of a line.
    pub line: usize,
    /// The column, counted in bytes from 1; 0 if the fault is none of a column.
    pub column: usize,
    /// The fault.
    pub fault: TraceFault,
}

impl TraceError {
    /// The file, and where in it the fault is, if it is anywhere.
    fn place(&self) -> String {
        let Self { file, line, column, .. } = self;
        let file = file.display();
        match (line, column) {
            (0, _) => file.to_string(),
            (_, 0) => format!("{file}:{line}"),
            _ => format!("{file}:{line}:{column}"),
        }
    }
}

/// What is wrong with a trace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceFault {
    /// It cannot be read.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
    /// It has no transactions.
    #[error("the trace has no transactions")]
    Empty,
    /// A line is longer than [`LINE_BYTES_MAX`].
    #[error("the line is longer than size_bytes_max={LINE_BYTES_MAX}")]
    LineTooLong,
    /// A transaction takes longer than [`COST_NS_MAX`].
    #[error("a transaction would take {ns} ns, and may take {COST_NS_MAX} at most")]
    Cost {
        /// How long it takes, in nanoseconds.
        ns: u64,
    },
    /// There are more lines than [`TRACE_TXS_MAX`].
    #[error("the trace has more than n_txs_max={TRACE_TXS_MAX} transactions")]
    TooManyTxs,
    /// A line is empty, and others follow.
    #[error("the line is empty")]
    EmptyLine,
    /// A line is something else than a JSON object.
    #[error("a line is a JSON object: {{...}}")]
    NoObject,
    /// A line is no recorded transaction. The text is the parser's, cut and without control characters.
    #[error("{0}")]
    Line(String),
    /// A line is out of order, doubled or lost.
    #[error("tx={found} stands where tx={expected} should")]
    Position {
        /// The position that the line states.
        found: u64,
        /// The line's position.
        expected: usize,
    },
}

impl Trace {
    /// Reads a trace from a file.
    ///
    /// # Errors
    /// [`TraceError`].
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        let fail = |error| fail(path, 0, 0, TraceFault::Io(error));
        Self::read(BufReader::new(files::open(path).map_err(fail)?), path)
    }

    /// Reads a trace, line by line; `file` is its name in errors.
    ///
    /// # Errors
    /// [`TraceError`], for the first fault.
    pub fn read(mut source: impl BufRead, file: &Path) -> Result<Self, TraceError> {
        let mut trace = Self::default();
        each_line(&mut source, file, |at, line| {
            let tx: TraceTx = serde_json::from_slice(line)
                .map_err(|error| (error.column(), TraceFault::Line(plain(&error))))?;
            if tx.tx != at as u64 {
                return Err((0, TraceFault::Position { found: tx.tx, expected: at }));
            }
            check_cost(tx.ns)?;
            trace.txs.push(tx);
            Ok(())
        })?;
        Ok(trace)
    }

    /// The accesses, for a scheduler: `writes` are [`AccessKind::Write`], and so is a key that is
    /// both read and added to. Keys are numbered in the order in which they appear.
    #[must_use]
    pub fn accesses(&self) -> Accesses {
        let mut slots = Numbers::default();
        let mut accesses = Accesses::with_capacity(self.txs.len(), 0);
        for tx in &self.txs {
            let kinds = [
                (&tx.reads, AccessKind::Read),
                (&tx.writes, AccessKind::Write),
                (&tx.adds, AccessKind::Add),
            ];
            let all =
                kinds.into_iter().flat_map(|(keys, kind)| keys.iter().map(move |&k| (k, kind)));
            accesses.push_tx(all.map(|(key, kind)| Access::new(slots.of(key), kind)));
        }
        accesses
    }

    /// For each access of [`accesses`](Self::accesses), whether it writes a key whose value the
    /// program never used.
    #[must_use]
    pub fn blind(&self, accesses: &Accesses) -> Vec<bool> {
        let mut slots = Numbers::default();
        let mut blind = Vec::with_capacity(accesses.n_accesses());
        for (tx, row) in self.txs.iter().zip(accesses.rows()) {
            // The same numbering as that of the accesses.
            let keys = [&tx.reads, &tx.writes, &tx.adds];
            keys.into_iter().flatten().for_each(|&key| _ = slots.of(key));
            let mut unused: Vec<u32> = tx.blind.iter().filter_map(|key| slots.get(key)).collect();
            unused.sort_unstable();
            blind.extend(row.iter().map(|access| {
                access.kind == AccessKind::Write && unused.binary_search(&access.slot).is_ok()
            }));
        }
        blind
    }

    /// How many transactions name a key in `blind` that is not in `writes`.
    #[must_use]
    pub fn n_blind_unwritten(&self) -> usize {
        let is_unwritten = |tx: &&TraceTx| {
            let written: HashSet<u64> = tx.writes.iter().copied().collect();
            tx.blind.iter().any(|key| !written.contains(key))
        };
        self.txs.iter().filter(is_unwritten).count()
    }

    /// The cost of each transaction: its nanoseconds, at least 1.
    #[must_use]
    pub fn costs(&self) -> Vec<u64> {
        self.txs.iter().map(|tx| tx.ns.max(1)).collect()
    }

    /// The number of each transaction's sender, in the order in which they appear. Transactions
    /// without one have a sender of their own each.
    #[must_use]
    pub fn senders(&self) -> Vec<u32> {
        let mut senders = Numbers::default();
        let names = self.txs.iter().enumerate().map(|(at, tx)| match &tx.from {
            Some(from) => (Some(from.to_ascii_lowercase()), 0),
            None => (None, at),
        });
        names.map(|name| senders.of(name)).collect()
    }
}

/// Refuses a time that is too long.
pub(crate) fn check_cost(ns: u64) -> Result<(), (usize, TraceFault)> {
    if ns > COST_NS_MAX { Err((0, TraceFault::Cost { ns })) } else { Ok(()) }
}

/// Calls `each` with every line and its position; refuses a file without lines, too many, or too
/// long ones. Empty lines at the end, and the mark that some editors write at the start, are passed over. What `each`
/// refuses is a column and a fault.
pub(crate) fn each_line(
    source: &mut impl BufRead,
    file: &Path,
    mut each: impl FnMut(usize, &[u8]) -> Result<(), (usize, TraceFault)>,
) -> Result<(), TraceError> {
    let mut line = Vec::new();
    let (mut n_txs, mut first_empty) = (0, None);
    for number in 1.. {
        let fail = |column, fault| fail(file, number, column, fault);
        line.clear();
        let mut limited = source.by_ref().take(LINE_BYTES_MAX as u64 + 1);
        limited.read_until(b'\n', &mut line).map_err(|error| fail(0, error.into()))?;
        if line.is_empty() {
            break;
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(fail(LINE_BYTES_MAX + 1, TraceFault::LineTooLong));
        }
        let text = if number == 1 { without_mark(&line) } else { &line };
        let Some(start) = text.iter().position(|byte| !byte.is_ascii_whitespace()) else {
            first_empty.get_or_insert(number);
            continue;
        };
        if let Some(empty) = first_empty {
            return Err(self::fail(file, empty, 0, TraceFault::EmptyLine));
        }
        if n_txs == TRACE_TXS_MAX {
            return Err(fail(0, TraceFault::TooManyTxs));
        }
        // The parser would take a list for the fields in their order.
        if text[start] != b'{' {
            return Err(fail(start + 1, TraceFault::NoObject));
        }
        each(n_txs, text).map_err(|(column, fault)| fail(column, fault))?;
        n_txs += 1;
    }
    if n_txs == 0 { Err(fail(file, 0, 0, TraceFault::Empty)) } else { Ok(()) }
}

/// A text without the mark of its encoding, U+FEFF, at its start.
pub(crate) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}

/// Numbers things from 0 in the order in which they are first seen.
#[derive(Debug)]
pub(crate) struct Numbers<K>(HashMap<K, u32>);

impl<K> Default for Numbers<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Numbers<K> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn of(&mut self, key: K) -> u32 {
        let next = u32::try_from(self.0.len()).expect("2^32 different keys do not fit into memory");
        *self.0.entry(key).or_insert(next)
    }

    fn get(&self, key: &K) -> Option<u32> {
        self.0.get(key).copied()
    }
}

pub(crate) fn fail(file: &Path, line: usize, column: usize, fault: TraceFault) -> TraceError {
    TraceError { file: file.to_owned(), line, column, fault }
}

/// How much of the parser's message is kept, in characters: it may quote a whole line.
const MESSAGE_CHARS_MAX: usize = 160;

/// The parser's message without its "at line 1 column 7", which would contradict the true line.
pub(crate) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut short: String = text.chars().take(MESSAGE_CHARS_MAX).map(visible).collect();
    if short.len() < text.len() && text.chars().nth(MESSAGE_CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}

fn succeeded() -> bool {
    true
}

fn ignored<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| ())
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

/// Says of something else what a key is, and not only what it would be in the parser's words.
struct RecordedKey(u64);

impl<'de> Deserialize<'de> for RecordedKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfKey;
        impl Visitor<'_> for OfKey {
            type Value = RecordedKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a key: a whole number from 0 to {}", u64::MAX)
            }

            fn visit_u64<E>(self, key: u64) -> Result<RecordedKey, E> {
                Ok(RecordedKey(key))
            }
        }
        deserializer.deserialize_u64(OfKey)
    }
}

fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    let keys = Vec::<RecordedKey>::deserialize(deserializer)?;
    Ok(keys.into_iter().map(|key| key.0).collect())
}

#[cfg(test)]
pub(crate) use tests::recorded;
#[cfg(test)]
mod tests;
