//! `kempe init`: a chain in a directory.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use kempe_runtime::chain::{Chain, ChainOptions};
use kempe_runtime::types::{Genesis, GenesisAccount, Limits, Prices};
use serde::Serialize;

use crate::abi_view::{COLUMN_CHARS_MAX, printable};
use crate::args::HELP;
use crate::output::{Failure, Output};
use crate::session::{ChainArgs, development_address, now_ms, read_capped};

const EXAMPLES: &str = "\
Examples:
  kempe init                        a chain in kempe-chain: alice, bob, carol, dave, erin
  kempe init --dir here --accounts 20
  kempe init --genesis genesis.toml a chain of your own rules and accounts";

/// The names of the first development accounts; more are called `dev6`, `dev7`, ...
const NAMES: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];

/// What each development account has of native balance.
const BALANCE: u64 = 1_000_000_000_000;

/// The largest genesis file that is read.
const GENESIS_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The arguments of `kempe init`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    #[command(flatten)]
    chain: ChainArgs,

    /// How many development accounts
    #[arg(long, value_name = "N", default_value = "5", conflicts_with = "genesis")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    accounts: u32,

    /// The chain's number: transactions are for one chain only
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "genesis")]
    chain_id: u64,

    /// The genesis file of the chain
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

#[derive(Serialize)]
struct Made {
    dir: String,
    chain_id: u64,
    development: bool,
    state_root: String,
    accounts: Vec<GenesisAccount>,
}

/// The name of the development account at a position.
#[must_use]
pub fn development_name(at: usize) -> String {
    NAMES.get(at).map_or_else(|| format!("dev{}", at + 1), |name| (*name).to_owned())
}

/// The genesis of a development chain with this many accounts.
#[must_use]
pub fn development_genesis(chain_id: u64, n_accounts: usize) -> Genesis {
    let account = |at| {
        let name = development_name(at);
        GenesisAccount { address: development_address(&name), name, balance: BALANCE }
    };
    Genesis {
        chain_id,
        time_ms: now_ms(),
        development: true,
        limits: Limits::default(),
        prices: Prices::default(),
        accounts: (0..n_accounts).map(account).collect(),
    }
}

pub(super) fn run(args: &Args, output: &Output) -> Result<(), Failure> {
    let dir = args.chain.directory();
    let genesis = match &args.genesis {
        None => development_genesis(args.chain_id, args.accounts as usize),
        Some(path) => {
            let text = String::from_utf8(read_capped(path, GENESIS_BYTES_MAX)?)
                .with_context(|| format!("{} is not text", path.display()))?;
            Genesis::parse(&text).with_context(|| format!("reading {}", path.display()))?
        }
    };
    fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
    let chain = Chain::create(&dir, genesis, ChainOptions::default())?;
    let genesis = chain.genesis();
    if genesis.development {
        output.warn(
            "this is a development chain: the keys of its named accounts follow from their names, \
             so everybody knows them",
        );
    }
    let made = Made {
        dir: dir.display().to_string(),
        chain_id: genesis.chain_id,
        development: genesis.development,
        state_root: chain.head().state_root.to_string(),
        accounts: genesis.accounts.clone(),
    };
    output.done(text(&made), &made, format_args!("the chain in {} is made", made.dir))
}

fn text(made: &Made) -> String {
    let mut text = format!("{}\n", made.dir);
    let names: Vec<String> = made.accounts.iter().map(|account| printable(&account.name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let width = width.min(COLUMN_CHARS_MAX);
    for (GenesisAccount { address, balance, .. }, name) in made.accounts.iter().zip(&names) {
        writeln!(text, "  {name:width$}  {address}  {balance}").expect("a string takes any text");
    }
    text
}

#[cfg(test)]
mod tests {
    use kempe_abi::Address;

    use super::*;

    #[test]
    fn a_name_is_a_word_in_its_line_however_long() {
        let account = |name: &str| GenesisAccount {
            name: name.to_owned(),
            address: Address([7; 32]),
            balance: 1,
        };
        let made = Made {
            dir: "here".into(),
            chain_id: 1,
            development: false,
            state_root: String::new(),
            accounts: vec![account(&"a".repeat(70_000)), account("b\n\u{1b}[2J\u{202e}")],
        };
        let text = text(&made);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].ends_with(&format!("a  {}  1", Address([7; 32]))));
        let shown = format!("  {:100}  ", "b\\n\\u{1b}[2J\\u{202e}");
        assert!(lines[2].starts_with(&shown), "{}", lines[2]);
    }
}
