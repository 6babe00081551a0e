//! Where a password comes from: the terminal, standard input, or the environment.

use std::env;
use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read};

use anyhow::{Context, bail};
use zeroize::Zeroizing;

/// The variable that holds the password, for scripts.
pub const PASSWORD_VARIABLE: &str = "KEMPE_PASSWORD";

/// The longest line that is read from standard input, in bytes. Ours to choose.
const LINE_BYTES_MAX: usize = 4096;

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

/// A line of standard input, without its end. Not a byte behind it is read, and none of it stays anywhere but in what is
/// returned.
///
/// # Errors
/// When standard input ends before, is not text, or the line is longer than 4,096 bytes.
pub fn stdin_line(what: &str) -> anyhow::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX + 1));
    let read = stdin().and_then(|mut stdin| read_line(&mut stdin, &mut line));
    read.with_context(|| format!("reading {what}"))?;
    if line.is_empty() {
        bail!("standard input ended before {what}");
    }
    if line.len() > LINE_BYTES_MAX {
        bail!("{what} is longer than {LINE_BYTES_MAX} bytes");
    }
    let Ok(text) = str::from_utf8(&line) else { bail!("{what} is not text") };
    let len = text.trim_end_matches(['\r', '\n']).len();
    line.truncate(len);
    // The same memory, which is wiped as before: that it is text was just seen.
    let text = String::from_utf8(std::mem::take(&mut *line));
    Ok(Zeroizing::new(text.unwrap_or_default()))
}

/// Standard input without the buffer that the process keeps for it until its end.
fn stdin() -> io::Result<File> {
    #[cfg(unix)]
    return std::os::fd::AsFd::as_fd(&io::stdin()).try_clone_to_owned().map(File::from);
    #[cfg(windows)]
    return std::os::windows::io::AsHandle::as_handle(&io::stdin())
        .try_clone_to_owned()
        .map(File::from);
}

/// Reads up to the end of a line, byte by byte, and no more than fits: memory that is full is never exchanged for more,
/// which would leave a copy behind.
fn read_line(input: &mut impl Read, line: &mut Vec<u8>) -> io::Result<()> {
    let mut byte = Zeroizing::new([0]);
    while line.len() < line.capacity() {
        match input.read(&mut *byte) {
            Ok(0) => break,
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if byte[0] == b'\n' {
            break;
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_where_it_stays() {
        for (input, expected) in [
            (&b"one\ntwo\n"[..], &b"one\n"[..]),
            (b"\ntwo", b"\n"),
            (b"one", b"one"),
            (b"", b""),
            (b"0123456789abcdefghij", b"0123456789abcdef"),
        ] {
            let mut line = Vec::with_capacity(16);
            let (at, capacity) = (line.as_ptr(), line.capacity());
            assert_eq!(capacity, 16);
            let mut rest = input;
            read_line(&mut rest, &mut line).unwrap();
            assert_eq!(line, expected);
            assert_eq!(rest, &input[expected.len()..], "what is behind stays there");
            assert_eq!((line.as_ptr(), line.capacity()), (at, capacity), "it was copied");
        }
    }
}
