//! Where a password comes from: the terminal, standard input, or the environment.

use std::env;
use std::io::{self, BufRead, IsTerminal, Read};

use anyhow::{Context, bail};
use zeroize::Zeroizing;

/// The variable that holds the password, for scripts.
pub const PASSWORD_VARIABLE: &str = "KEMPE_PASSWORD";

/// The longest line that is read from standard input, in bytes. Ours to choose.
const LINE_BYTES_MAX: u64 = 4096;

/// The password of an existing key.
///
/// # Errors
/// When there is no terminal to ask on and neither of the other two sources has one.
pub fn existing(name: &str, from_stdin: bool) -> anyhow::Result<Zeroizing<String>> {
    match given(from_stdin)? {
        Some(password) => Ok(password),
        None => ask(&format!("Password of {name}: ")),
    }
}

/// The password for a new key, asked for twice on a terminal.
///
/// # Errors
/// As [`existing`], and when the two differ.
pub fn new(name: &str, from_stdin: bool) -> anyhow::Result<Zeroizing<String>> {
    if let Some(password) = given(from_stdin)? {
        return Ok(password);
    }
    let password = ask(&format!("New password for {name}: "))?;
    if ask("The same again: ")? != password {
        bail!("the two passwords differ");
    }
    Ok(password)
}

/// A line of standard input, without its end.
///
/// # Errors
/// When standard input ends before, is not text, or the line is longer than 4,096 bytes.
pub fn stdin_line(what: &str) -> anyhow::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    let mut stdin = io::stdin().lock().take(LINE_BYTES_MAX + 1);
    let n = stdin.read_line(&mut line).with_context(|| format!("reading {what}"))?;
    if n == 0 {
        bail!("standard input ended before {what}");
    }
    if n as u64 > LINE_BYTES_MAX {
        bail!("{what} is longer than {LINE_BYTES_MAX} bytes");
    }
    let len = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(len);
    Ok(line)
}

fn given(from_stdin: bool) -> anyhow::Result<Option<Zeroizing<String>>> {
    if from_stdin {
        return stdin_line("the password").map(Some);
    }
    Ok(env::var(PASSWORD_VARIABLE).ok().map(Zeroizing::new))
}

fn ask(prompt: &str) -> anyhow::Result<Zeroizing<String>> {
    if !io::stdin().is_terminal() {
        bail!(
            "there is no terminal to ask for a password on; use --password-stdin or {PASSWORD_VARIABLE}"
        );
    }
    rpassword::prompt_password(prompt).map(Zeroizing::new).context("reading the password")
}
