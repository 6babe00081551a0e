//! The verbs that need a chain, as a process: what they print, where, and how they end.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod calls;
#[cfg(target_os = "linux")]
mod committed;
mod compiled;
mod damage;
#[cfg(unix)]
mod killed;
mod modules;
mod proposals;
mod replay;
mod runs;
mod stocks;
mod times;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

struct Kempe {
    home: TempDir,
}

impl Kempe {
    fn new() -> Self {
        let kempe = Self { home: TempDir::new().unwrap() };
        kempe.write("token.wasm", kempe_contracts::TOKEN);
        kempe
    }

    /// With a development chain, on which alice owns a token and bob has 100 of it.
    fn with_token() -> Self {
        let kempe = Self::new();
        kempe.ok("init");
        kempe.ok("deploy token.wasm --owner alice");
        kempe.ok("call token mint --to bob --amount 100");
        kempe
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, contents).unwrap();
        path
    }

    fn run(&self, words: &str) -> Ended {
        self.run_with(words, &[])
    }

    fn run_with(&self, words: &str, env: &[(&str, &str)]) -> Ended {
        Ended::of(self.command(words).envs(env.iter().copied()))
    }

    fn command(&self, words: &str) -> Command {
        self.prepared(Command::new(env!("CARGO_BIN_EXE_kempe")), words)
    }

    /// As a script runs it, in which `"$0" "$@"` is the command.
    #[cfg(target_os = "linux")]
    fn scripted(&self, script: &str, words: &str) -> Ended {
        let mut shell = Command::new("sh");
        shell.args(["-c", script, env!("CARGO_BIN_EXE_kempe")]);
        Ended::of(&mut self.prepared(shell, words))
    }

    fn prepared(&self, mut command: Command, words: &str) -> Command {
        command
            .args(words.split(' '))
            .current_dir(self.home.path())
            .env("KEMPE_HOME", self.home.path())
            .env_remove("KEMPE_PASSWORD")
            .env_remove("KEMPE_DIR")
            .stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn ok(&self, words: &str) -> String {
        let ended = self.run(words);
        assert_eq!(ended.code, 0, "{words}: {}", ended.stderr);
        ended.stdout
    }

    #[track_caller]
    fn json(&self, words: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{words} --json"))).unwrap()
    }

    /// Fails with nothing on standard output.
    #[track_caller]
    fn fails(&self, code: i32, words: &str) -> String {
        let ended = self.run(words);
        assert_eq!((ended.code, &*ended.stdout), (code, ""), "{words}: {}", ended.stderr);
        ended.stderr
    }
}

/// The text without what differs from run to run, hashes, addresses and times, and without fuel,
/// which changes with the compiler.
fn redacted(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("0x") {
        let digits = rest[at + 2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        out.push_str(&rest[..at]);
        out.push_str(if digits == 64 { "0x..." } else { &rest[at..at + 2 + digits] });
        rest = &rest[at + 2 + digits..];
    }
    out.push_str(rest);
    let label = |line: &str| ["time ", "fuel "].into_iter().find(|label| line.starts_with(label));
    let lines =
        out.lines().map(|line| label(line).map_or(line.to_owned(), |l| l.to_owned() + "..."));
    lines.collect::<Vec<_>>().join("\n")
}

const CALLS: &str = r#"{"from":"bob","contract":"token","method":"transfer","args":["carol",10]}
{"from":"bob","contract":"token","method":"transfer","args":{"to":"dave","amount":"1000"}}

{"from":"carol","contract":"token","method":"transfer","args":{"to":"erin","amount":3}}
{"from":"alice","contract":"token","method":"mint","args":{"to":"dave","amount":7},"fuel":200000}
"#;
