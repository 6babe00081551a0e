//! The environment of the programs that a build starts.
//!
//! A build may run inside another cargo: in a build script, in a test, under `cargo run`. What the
//! outer cargo tells its own children (flags, wrappers, targets, profiles, features) must not reach
//! the inner one, or the contract's bytes would depend on how the build was started.

use std::env;
use std::process::Command;

/// `CARGO_*` variables that say where cargo keeps its files and how it reaches the network.
const KEPT: &[&str] = &["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_TERM_"];

/// Variables without the prefix that change what cargo or rustc does.
const DROPPED: &[&str] = &[
    "__CARGO_",
    "DEBUG",
    "HOST",
    "MAKEFLAGS",
    "MFLAGS",
    "NUM_JOBS",
    "OPT_LEVEL",
    "OUT_DIR",
    "PROFILE",
    "RUSTC",
    "RUSTDOC",
    "RUSTFLAGS",
    "TARGET",
];

/// Names that begin like a dropped one and are none of cargo's business.
const UNRELATED: &[&str] = &["DEBUGINFOD", "HOSTNAME", "HOSTTYPE", "PROFILEREAD"];

fn leaks(name: &str) -> bool {
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    if name.starts_with("CARGO") {
        return !begins(KEPT);
    }
    begins(DROPPED) && !begins(UNRELATED)
}

/// A command whose environment says nothing about an outer cargo.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(leaks) {
            command.env_remove(name);
        }
    }
    command
}

/// Cargo: the one that runs this process, if one does.
pub(crate) fn cargo() -> Command {
    command(&env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
}

#[cfg(test)]
mod tests {
    use super::leaks;

    #[test]
    fn what_an_outer_cargo_says_does_not_leak() {
        for name in [
            "RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTC_BOOTSTRAP",
            "CARGO",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "CARGO_TARGET_WASM32V1_NONE_RUSTFLAGS",
            "CARGO_PROFILE_RELEASE_OPT_LEVEL",
            "CARGO_INCREMENTAL",
            "CARGO_MAKEFLAGS",
            "CARGO_FEATURE_STD",
            "OUT_DIR",
            "TARGET",
        ] {
            assert!(leaks(name), "{name}");
        }
    }

    #[test]
    fn what_the_person_says_is_kept() {
        for name in [
            "PATH",
            "HOME",
            "HOSTNAME",
            "RUSTUP_TOOLCHAIN",
            "RUSTUP_HOME",
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_HTTP_PROXY",
            "CARGO_REGISTRIES_MINE_INDEX",
            "CARGO_REGISTRY_TOKEN",
            "CARGO_TERM_COLOR",
        ] {
            assert!(!leaks(name), "{name}");
        }
    }
}
