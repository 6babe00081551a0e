//! The only printer.
//!
//! Standard output carries the result: text, or one JSON value with `--json`. Notes, warnings and
//! errors go to standard error. An error is its chain of causes and at most one line of help.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::{env, fmt};

use anyhow::Context;
use kempe_build::BuildError;
use kempe_runtime::chain::ChainError;
use kempe_runtime::executor::ExecutorError;
use kempe_runtime::state::StoreError;
use serde::Serialize;
use serde_json::json;

use crate::abi_view::printable;
use crate::args::{Color, Global};
use crate::keystore::KeyError;

/// How a verb ends when it does not end well. The numbers are the exit codes of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It failed, or something was refused.
    Failed = 1,
    /// It was asked wrongly.
    Usage = 2,
    /// A contract reverted the call.
    Revert = 3,
}

/// An error with what to do about it and the exit code.
#[derive(Debug)]
pub struct Failure {
    error: anyhow::Error,
    help: Option<String>,
    exit: Exit,
}

impl Failure {
    /// A failure that ends with this code.
    #[must_use]
    pub fn new(exit: Exit, message: impl Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self { error: anyhow::Error::msg(message), help: None, exit }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says something before what to do about it.
    #[must_use]
    pub fn with_help_before(self, before: impl Into<String>) -> Self {
        let (before, own) = (before.into(), self.help());
        self.with_help(own.map_or(before.clone(), |own| format!("{before}; {own}")))
    }

    /// Ends with another code.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Says what was being done; the failure becomes its cause.
    #[must_use]
    pub fn context(mut self, what: impl Display + Send + Sync + 'static) -> Self {
        self.help = self.help();
        self.error = self.error.context(what);
        self
    }

    /// Whether this is what failed, or a part of what was being done.
    #[must_use]
    pub fn is<T: Display + fmt::Debug + Send + Sync + 'static>(&self) -> bool {
        self.error.is::<T>()
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let known = || {
            if let Some(error) = self.error.downcast_ref::<KeyError>() {
                return error.help();
            }
            if let Some(error) = self.error.downcast_ref::<ChainError>() {
                return chain_help(error).map(str::to_owned);
            }
            match self.error.downcast_ref::<BuildError>()? {
                BuildError::NotAPackage(_) => {
                    Some("name the directory of the contract, as in `kempe build contracts/token`")
                }
                BuildError::Start { .. } => Some("install Rust with https://rustup.rs"),
                BuildError::Io { .. } => Some("`kempe new NAME` makes a contract"),
                _ => None,
            }
            .map(str::to_owned)
        };
        self.help.clone().or_else(known)
    }
}

/// The error and its causes on one line.
impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

fn chain_help(error: &ChainError) -> Option<&'static str> {
    Some(match error {
        ChainError::Store(error) | ChainError::Executor(ExecutorError::Store(error)) => {
            return store_help(error);
        }
        ChainError::Missing(_) => {
            "`kempe init` makes a chain; --dir or KEMPE_DIR names another one"
        }
        ChainError::Exists(_) => "name another directory with --dir, or remove this one",
        ChainError::Protocol { .. } => "open it with the program that made it",
        ChainError::StateRoot { .. } => CHANGED,
        _ => return None,
    })
}

/// What to do about files that are not as they were written.
const CHANGED: &str = "the files were changed from outside or the disk is failing: `kempe doctor --repair` makes \
                       them again from the blocks, or says which block is lost";

fn store_help(error: &StoreError) -> Option<&'static str> {
    Some(match error {
        StoreError::Locked { .. } => {
            "another kempe uses this chain: wait until it ends, or name another one with --dir"
        }
        StoreError::Corrupt { .. } => CHANGED,
        StoreError::Missing { .. } | StoreError::Inconsistent { .. } => {
            "`kempe doctor --repair` makes the store again from its blocks"
        }
        StoreError::Machine { .. } => {
            "nothing was changed: raise the limits of processes and memory (`ulimit -a`), and try again"
        }
        StoreError::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
            "`kempe doctor --repair` makes files that are gone again from the blocks"
        }
        _ => return None,
    })
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), help: None, exit: Exit::Failed }
    }
}

/// A message that may quote what a stranger wrote: on one line, escaped, and as much of it as fits a terminal.
pub(crate) fn excerpt(message: &str) -> String {
    const CHARS_MAX: usize = 400;
    let cut =
        |text: &str| text.char_indices().nth(CHARS_MAX).map(|(end, _)| text[..end].to_owned());
    // What is not shown need not be escaped, however long it is.
    let part = cut(message);
    let shown = printable(part.as_deref().unwrap_or(message).trim_end());
    let (shown, is_cut) = match cut(&shown) {
        Some(start) => (start, true),
        None => (shown, part.is_some()),
    };
    if is_cut { shown + "…" } else { shown }
}

/// Standard output and standard error, as the person wants them.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    color: bool,
}

impl Output {
    /// The output that the arguments and the environment ask for.
    #[must_use]
    pub fn new(global: &Global) -> Self {
        let color = match global.color {
            Color::Always => true,
            Color::Never => false,
            // Source: https://no-color.org, present and not empty.
            Color::Auto => {
                io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            }
        };
        Self { json: global.json, color }
    }

    /// Whether standard error may be colored.
    #[must_use]
    pub const fn color(&self) -> bool {
        self.color
    }

    /// Prints the result: `text`, or `json` if that was asked for.
    ///
    /// # Errors
    /// When standard output cannot be written to. A reader that has gone away is no error.
    pub fn result(&self, text: impl Display, json: &impl Serialize) -> anyhow::Result<()> {
        let text = if self.json {
            serde_json::to_string_pretty(json).context("writing JSON")?
        } else {
            text.to_string()
        };
        self.raw(text.as_bytes())?;
        if text.is_empty() || text.ends_with('\n') { Ok(()) } else { self.raw(b"\n") }
    }

    /// Prints the result of something that is done and stays, which the failure says where it cannot be printed.
    ///
    /// # Errors
    /// As [`result`](Self::result).
    pub fn done(
        &self,
        text: impl Display,
        json: &impl Serialize,
        what: impl Display,
    ) -> Result<(), Failure> {
        self.result(text, json).map_err(|error| {
            Failure::from(error).context(format!("{what}, but that could not be printed"))
        })
    }

    /// Prints a result as JSON, whether that was asked for by `--json` or otherwise.
    ///
    /// # Errors
    /// As [`result`](Self::result).
    pub fn json(&self, json: &impl Serialize) -> anyhow::Result<()> {
        Self { json: true, ..*self }.result("", json)
    }

    /// Prints bytes as they are: a script, a file.
    ///
    /// # Errors
    /// As [`result`](Self::result).
    pub fn raw(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(error).context("writing to standard output")
            }
            _ => Ok(()),
        }
    }

    /// Tells the person something that is not the result.
    pub fn note(&self, text: impl Display) {
        self.stderr(&format!("{}\n", text.to_string().trim_end()));
    }

    /// Warns.
    pub fn warn(&self, text: impl Display) {
        self.note(format_args!("{}: {text}", self.painted("33", "warning")));
    }

    /// Prints an error and gives the exit code of the process.
    #[must_use]
    pub fn failure(&self, failure: &Failure) -> ExitCode {
        // What a compiler says has its colors, and is as long as it has to be.
        let is_build = failure.error.is::<BuildError>();
        let shown = |text: String| if is_build { text } else { excerpt(&text) };
        let error = failure.error.to_string();
        let said: Vec<String> = failure.error.chain().map(ToString::to_string).collect();
        // An error that shows its source says it twice.
        let is_new = |at: &usize| said[..*at].iter().all(|before| !before.contains(&said[*at]));
        let causes: Vec<String> =
            (1..said.len()).filter(is_new).map(|at| shown(said[at].clone())).collect();
        let error = shown(error);
        let (help, exit) = (failure.help().map(|help| excerpt(&help)), failure.exit as u8);
        if self.json {
            let json = json!({ "error": error, "causes": causes, "help": help, "exit": exit });
            self.note(format_args!("{json:#}"));
            return ExitCode::from(exit);
        }
        self.note(format_args!("{}: {error}", self.painted("31", "error")));
        for cause in causes {
            self.note(format_args!("  because: {cause}"));
        }
        if let Some(help) = help {
            self.note(format_args!("{}: {help}", self.painted("36", "help")));
        }
        ExitCode::from(exit)
    }

    fn painted(&self, color: &str, word: &str) -> String {
        if self.color { format!("\u{1b}[1;{color}m{word}\u{1b}[0m") } else { word.to_owned() }
    }

    /// Nothing can be done about a standard error that is not there.
    fn stderr(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_one_line_that_shows_all_of_it() {
        // Controls, and what is called a format: https://www.unicode.org/reports/tr44/#General_Category_Values.
        let unseen = ('\0'..' ')
            .chain('\u{7f}'..='\u{9f}')
            .chain(['\u{ad}', '\u{61c}', '\u{180e}', '\u{feff}', '\u{fff9}', '\u{e0001}'])
            .chain('\u{200b}'..='\u{200f}')
            .chain('\u{2028}'..='\u{202e}')
            .chain('\u{2060}'..='\u{2064}')
            .chain('\u{2066}'..='\u{206f}')
            .chain('\u{e0020}'..='\u{e007f}');
        for c in unseen {
            let shown = excerpt(&format!("a{c}b"));
            assert_eq!(shown, format!("a{}b", c.escape_debug()));
            assert!(shown.is_ascii() && shown.starts_with("a\\"), "{shown}");
        }
        for text in ["it's \"here\" \\ `é` 字 ñ e\u{301}", ""] {
            assert_eq!(excerpt(text), text);
        }
        assert_eq!(excerpt("a\nb\n"), "a\\nb");
        assert_eq!(excerpt("  a  "), "  a");
        // What is cut off does not hold what is before it.
        assert_eq!(excerpt(&format!("a{}b", " ".repeat(500))), "a…");
    }

    #[test]
    fn a_quote_fits_a_terminal() {
        let shown = |text: &str| excerpt(text).chars().count();
        assert_eq!([shown(&"é".repeat(400)), shown(&"é".repeat(401))], [400, 401]);
        assert_eq!([shown(&"\u{202e}".repeat(50)), shown(&"\u{202e}".repeat(399))], [400, 401]);
    }
}
