//! Separates the options of `kempe` from the arguments of a contract's method.
//!
//! `kempe call token transfer --to bob --amount 5 --from alice` names two parameters of the method
//! and one option of the command. What is no option of the verb is moved behind a `--`, where clap
//! leaves it alone. Everything that stands behind a `--` already is the method's, so a parameter
//! that is called like an option can be given there.

use std::ffi::OsString;

use clap::{Command, CommandFactory};

use crate::args::Cli;

/// The verbs that take a method's arguments, and how many words of their own they have.
const VERBS: [(&str, usize); 4] = [("call", 2), ("simulate", 2), ("deploy", 1), ("upgrade", 2)];

/// Moves a method's arguments behind a `--`.
#[must_use]
pub(crate) fn separate(words: Vec<OsString>) -> Vec<OsString> {
    let cli = Cli::command();
    let Some((at, verb)) = find_verb(&cli, &words) else { return words };
    let Some((_, n_own)) = VERBS.iter().find(|(name, _)| *name == verb.get_name()) else {
        return words;
    };
    let (before, rest) = words.split_at(at + 1);
    let (mut own, mut method) = (before.to_vec(), Vec::new());
    let mut n_words = 0;
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        let text = word.to_string_lossy();
        if text == "--" {
            method.extend(rest.cloned());
            break;
        }
        let (name, has_value) = match text.split_once('=') {
            Some((name, _)) => (name, true),
            None => (&*text, false),
        };
        match option(&cli, verb, name) {
            Some(takes_value) => {
                own.push(word.clone());
                if takes_value && !has_value {
                    own.extend(rest.next().cloned());
                }
            }
            None if text.starts_with("--") => {
                method.push(word.clone());
                if !has_value {
                    method.extend(rest.next().cloned());
                }
            }
            None if n_words < *n_own && !text.starts_with('-') => {
                n_words += 1;
                own.push(word.clone());
            }
            None => method.push(word.clone()),
        }
    }
    if !method.is_empty() {
        own.push("--".into());
        own.extend(method);
    }
    own
}

/// The verb, and where it stands.
fn find_verb<'a>(cli: &'a Command, words: &[OsString]) -> Option<(usize, &'a Command)> {
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let text = word.to_string_lossy();
        if !text.starts_with('-') {
            return Some((at, cli.find_subcommand(&*text)?));
        }
        at += if option(cli, cli, &text) == Some(true) { 2 } else { 1 };
    }
    None
}

/// Whether a word is an option of the verb or of every verb, and then whether it takes a value.
fn option(cli: &Command, verb: &Command, word: &str) -> Option<bool> {
    if matches!(word, "--help" | "-h") {
        return Some(false);
    }
    let mut args =
        verb.get_arguments().chain(cli.get_arguments().filter(|arg| arg.is_global_set()));
    let found = args.find(|arg| match (word.strip_prefix("--"), word.strip_prefix('-')) {
        (Some(long), _) => arg.get_long() == Some(long),
        (None, Some(short)) => {
            arg.get_short().is_some_and(|found| short.chars().eq(std::iter::once(found)))
        }
        _ => false,
    })?;
    Some(found.get_action().takes_values())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &str, expected: &str) {
        let words = given.split(' ').map(OsString::from).collect();
        let separated = separate(words);
        let separated: Vec<_> = separated.iter().map(|word| word.to_string_lossy()).collect();
        assert_eq!(separated.join(" "), expected);
    }

    #[test]
    fn what_is_no_option_is_the_methods() {
        check(
            "kempe call token transfer --to bob --amount 5 --from alice --json",
            "kempe call token transfer --from alice --json -- --to bob --amount 5",
        );
        check(
            "kempe --color never call --from=alice token transfer --amount -5 --to=bob",
            "kempe --color never call --from=alice token transfer -- --amount -5 --to=bob",
        );
        check(
            "kempe call token transfer_from --from carol -- --from alice --to bob",
            "kempe call token transfer_from --from carol -- --from alice --to bob",
        );
        check("kempe call token balance bob", "kempe call token balance -- bob");
        check("kempe deploy token.wat --owner alice", "kempe deploy token.wat -- --owner alice");
        check("kempe call token -- --help", "kempe call token -- --help");
        check("kempe call --help", "kempe call --help");
        check("kempe keys new --frob", "kempe keys new --frob");
        check("kempe", "kempe");
    }
}
