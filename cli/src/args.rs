//! What the command line accepts. Each verb's own arguments stand beside the verb.

use std::env;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands;

/// The order of a help page: what it does, examples, then the reference.
pub(crate) const HELP: &str =
    "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// The directory of keys in the person's.
const HOME: &str = ".kempe";

const EXAMPLES: &str = "\
Examples:
  kempe demo                        a block of real contract calls, in parallel
  kempe new greeter                 a contract with a test that passes
  kempe init                        a chain with funded development accounts
  kempe deploy greeter              builds the contract and puts it on the chain
  kempe call greeter -- --help      what it offers, and how to call it";

/// Write contracts, deploy and call them, and see what runs in parallel.
#[derive(Debug, Parser)]
#[command(name = "kempe", version, before_help = EXAMPLES, help_template = HELP)]
pub struct Cli {
    /// What every verb understands.
    #[command(flatten)]
    pub global: Global,
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// What every verb understands.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Print the result as JSON
    #[arg(long, global = true, display_order = 100)]
    pub json: bool,

    /// When to use color
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", display_order = 101)]
    pub color: Color,

    /// The directory of keys [default: ~/.kempe]
    #[arg(long, global = true, value_name = "DIR", env = "KEMPE_HOME", display_order = 102)]
    #[arg(hide_env_values = true)]
    pub home: Option<PathBuf>,
}

impl Global {
    /// The directory that holds what belongs to the person and not to one chain.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.own_home().unwrap_or_else(|| PathBuf::from(HOME))
    }

    /// The same, if it is one that the person named or has, and not just below the current directory.
    pub(crate) fn own_home(&self) -> Option<PathBuf> {
        let in_user_home = || env::home_dir().filter(|home| home.is_absolute());
        self.home.clone().or_else(|| Some(in_user_home()?.join(HOME)))
    }
}

/// When to use color.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The verbs.
#[allow(clippy::large_enum_variant, reason = "there is one in a process")]
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run generated blocks of token transfers on a chain of their own
    Demo(commands::demo::Args),
    /// Compare schedulers on generated and recorded blocks
    Bench(commands::bench::Args),
    /// Make a new contract
    New(commands::new::Args),
    /// Compile contracts to wasm
    Build(commands::build::Args),
    /// Say whether a module would be admitted, and what its methods touch
    Check(commands::check::Args),
    /// Show what a module is made of
    Inspect(commands::inspect::Args),
    /// Write a client of a contract in Rust or TypeScript
    Bindings(commands::bindings::Args),
    /// Make a chain in a directory
    Init(commands::init::Args),
    /// Deploy a contract
    Deploy(commands::deploy::Args),
    /// Replace the code of a contract
    Upgrade(commands::upgrade::Args),
    /// Call a method of a contract
    Call(commands::call::Args),
    /// Say what a call would do
    Simulate(commands::simulate::Args),
    /// Run many calls as blocks, in parallel, with a summary
    Run(commands::run::Args),
    /// Show how a file of calls or a recorded block would be scheduled
    Schedule(commands::schedule::Args),
    /// Explain a transaction: its list, its footprint, who it waits for
    Explain(commands::explain::Args),
    /// Show what became of a transaction
    Tx(commands::tx::Args),
    /// Show a block, its schedule and its transactions
    Block(commands::block::Args),
    /// Show what contracts said
    Events(commands::events::Args),
    /// Show what the chain holds, with proofs
    State(commands::state::Args),
    /// Execute the whole chain again, sequentially and in parallel, and compare
    Replay(commands::replay::Args),
    /// Make, list and remove the keys of accounts
    Keys(commands::keys::Args),
    /// Check the toolchain, the keys and the chain
    Doctor(commands::doctor::Args),
    /// Print a completion script for a shell
    Completions(commands::completions::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    /// What the library would wrap reads badly: examples and paragraphs are set by hand.
    #[test]
    fn no_line_of_help_is_longer_than_100_characters() {
        fn check(command: &clap::Command, path: &str) -> Vec<String> {
            let help = command.clone().term_width(0).render_long_help().to_string();
            let is_long = |line: &&str| {
                // Lists of names wrap well.
                line.chars().count() > 100 && !line.trim_start().starts_with("[possible values: ")
            };
            let own = help.lines().filter(is_long).map(|line| format!("{path}: {line}"));
            let own: Vec<String> = own.collect();
            let verbs = command.get_subcommands().filter(|verb| verb.get_name() != "help");
            let others = verbs.flat_map(|verb| check(verb, &format!("{path} {}", verb.get_name())));
            own.into_iter().chain(others).collect()
        }
        let mut cli = Cli::command();
        cli.build();
        let long = check(&cli, "kempe");
        assert!(long.is_empty(), "{}", long.join("\n"));
    }
}
