//! Says of which commit the program is, for reports.

use std::process::{Command, Stdio};

/// What the program is made of, beside the commit: a change there makes it another one.
const SOURCES: [&str; 9] = [
    "../Cargo.toml",
    "../Cargo.lock",
    "../runtime",
    "../benches",
    "../sdk",
    "../contracts",
    "src",
    "template",
    "build.rs",
];

fn main() {
    SOURCES.iter().for_each(|path| println!("cargo::rerun-if-changed={path}"));
    // Where the history of what is checked out stands: it grows with each commit and each checkout.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    let commit = git(&["describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"]);
    println!("cargo::rustc-env=KEMPE_COMMIT={}", commit.unwrap_or_default());
}

/// What git says, if it is there and these are sources that it knows.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}
