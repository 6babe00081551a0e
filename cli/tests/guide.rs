//! The guide's first page, followed to the letter: its commands and its files, in their order, outside of this
//! checkout. And the commands of the README.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const PAGE: &str = include_str!("../../docs/src/first-contract.md");
const README: &str = include_str!("../../README.md");

/// A block of code, with the text since the one before it.
struct Block {
    said: &'static str,
    language: &'static str,
    code: &'static str,
}

fn blocks() -> Vec<Block> {
    let mut parts = PAGE.split("```");
    let mut all = Vec::new();
    while let (Some(said), Some(block)) = (parts.next(), parts.next()) {
        let (language, code) = block.split_once('\n').unwrap();
        all.push(Block { said, language, code });
    }
    all
}

/// Runs commands where `at` is, and goes where they end. Returns what they print.
fn shell(home: &Path, at: &mut PathBuf, commands: &str) -> String {
    let kempe = Path::new(env!("CARGO_BIN_EXE_kempe")).parent().unwrap();
    let cargo = Path::new(env!("CARGO")).parent().unwrap();
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = [kempe, cargo].map(Path::to_owned).into_iter().chain(env::split_paths(&path));
    let ran = Command::new("sh")
        .args(["-euc", &format!("{commands}\npwd -P")])
        .current_dir(&*at)
        .env("PATH", env::join_paths(dirs).unwrap())
        .env("KEMPE_HOME", home)
        // What is compiled there serves the next run.
        .env("CARGO_TARGET_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/new"))
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let printed = String::from_utf8(ran.stdout).unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{commands}\n{printed}\n{said}");
    // Who follows the guide is not warned of the code in it.
    assert!(!said.contains("--> src/") && !said.contains("the linter on"), "{commands}\n{said}");
    let (printed, end) = printed.trim_end().rsplit_once('\n').unwrap_or(("", printed.trim_end()));
    *at = PathBuf::from(end);
    printed.to_owned()
}

/// What the last command is said to print, behind a `#`.
fn promised(commands: &str) -> Option<&str> {
    commands.trim_end().lines().last()?.split_once(" # ").map(|(_, promised)| promised.trim())
}

#[test]
fn the_first_page_does_what_it_says() {
    let home = TempDir::new().unwrap();
    let mut at = home.path().to_owned();
    let (mut n_files, mut n_commands, mut n_promises) = (0, 0, 0);
    for Block { said, language, code } in blocks() {
        if language == "sh" {
            let printed = shell(home.path(), &mut at, code);
            n_commands += code.lines().count();
            if let Some(promised) = promised(code) {
                assert_eq!(printed.lines().last(), Some(promised), "{printed}");
                n_promises += 1;
            }
            if let Ok(toml) = fs::read_to_string(at.join("Cargo.toml")) {
                assert!(!at.starts_with(concat!(env!("CARGO_MANIFEST_DIR"), "/..")));
                assert!(toml.contains("[workspace]"), "{toml}");
                // The same versions of everything as here, so that nothing has to be fetched.
                let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
                fs::copy(lock, at.join("Cargo.lock")).unwrap();
            }
        } else {
            // A file is named by the last code in the sentence before it.
            let name = said.trim_end().rsplit('`').nth(1).unwrap();
            assert!(at.join(name).is_file(), "`kempe new` writes {name}");
            // Nobody who copies the page from its source copies what only a book hides.
            assert!(!code.lines().any(|line| line == "#" || line.starts_with("# ")), "{code}");
            fs::write(at.join(name), code).unwrap();
            n_files += 1;
        }
    }
    assert_eq!((n_files, n_commands, n_promises), (2, 9, 1), "the page has other parts now");
}

#[cfg(unix)]
#[test]
fn the_commands_of_the_readme_work() {
    let (_, section) = README.split_once("\n## Deploy and call it\n").unwrap();
    let commands = section.split("```").nth(1).unwrap().strip_prefix("sh\n").unwrap();
    assert!(
        commands.lines().count() > 5 && commands.lines().all(|line| line.starts_with("kempe "))
    );
    let home = TempDir::new().unwrap();
    let mut at = home.path().to_owned();
    // What its reader has: the contracts of the checkout, and new code for one of them.
    let contracts = concat!(env!("CARGO_MANIFEST_DIR"), "/../contracts");
    std::os::unix::fs::symlink(contracts, at.join("contracts")).unwrap();
    fs::write(at.join("token2.wasm"), kempe_contracts::TOKEN).unwrap();
    let printed = shell(home.path(), &mut at, commands);
    // The balance of carol, and the transfer that gave it, explained.
    assert!(printed.lines().any(|line| line == "5"), "{printed}");
    let explained = ["action   token.transfer(to: carol, amount: 5)", "access list"];
    assert!(explained.iter().all(|line| printed.lines().any(|it| it == *line)), "{printed}");
    assert!(at.join("client").is_dir());
}
