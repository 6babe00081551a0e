//! `kempe doctor`: is everything here that is needed; and making a chain's store again.

mod repair;

use std::path::Path;
use std::process::Command;

use kempe_abi::Hash;
use kempe_build::TARGET;
use kempe_runtime::chain::{Chain, ChainError, exists};
use kempe_runtime::engine::Engine;
use kempe_runtime::state::{StoreError, TxLocation};
use serde::Serialize;

use crate::args::{Global, HELP};
use crate::measure::plural;
use crate::output::{Exit, Failure, Output, excerpt};
use crate::session::{ChainArgs, Session, keystore};

const EXAMPLES: &str = "\
Examples:
  kempe doctor
  kempe doctor --dir here --json
  kempe doctor --repair                 make a chain's broken store again from its blocks
  kempe doctor --repair --truncate-to 7 and give up the blocks behind block 7, of which one is lost

Looks at the toolchain, the engine, the keys, and the chain: whether its store opens, its state has
the root of the last block, every block can be read, and its named contracts exist. `kempe replay`
executes the blocks again, too. What is broken ends with code 1.

With --repair, every block of a broken chain is checked and executed again into a new store; the old
one stays as store.damaged-N in the chain's directory. State, receipts and indices follow from the
blocks. A block that is damaged cannot be recovered: it is named, and nothing is changed unless
--truncate-to names the block before it. Names of contracts that cannot be read are set aside, too;
those that somebody has written into names.json by hand are shown and taken.";

/// The arguments of `kempe doctor`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// Make a broken chain's store again from its blocks
    #[arg(long)]
    repair: bool,

    /// The last block to keep, where the next one is lost
    #[arg(long, value_name = "HEIGHT", requires = "repair")]
    truncate_to: Option<u64>,

    #[command(flatten)]
    chain: ChainArgs,
}

#[derive(Serialize)]
struct Finding {
    what: &'static str,
    /// `ok`, `warning` or `broken`.
    status: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

impl Finding {
    fn ok(what: &'static str, detail: impl Into<String>) -> Self {
        Self { what, status: "ok", detail: detail.into(), help: None }
    }

    fn warning(what: &'static str, detail: impl Into<String>, help: &str) -> Self {
        Self { what, status: "warning", detail: detail.into(), help: Some(help.into()) }
    }

    fn broken(what: &'static str, failure: &Failure) -> Self {
        let detail = excerpt(&failure.to_string());
        Self { what, status: "broken", detail, help: failure.help() }
    }
}

pub(super) fn run(args: &Args, global: &Global, output: &Output) -> Result<(), Failure> {
    let mut findings = toolchain();
    findings.push(match Engine::new() {
        Ok(_) => Finding::ok("engine", kempe_runtime::engine::ENGINE_VERSION),
        Err(error) => Finding::broken("engine", &error.into()),
    });
    findings.push(keys(global));
    if args.repair {
        findings.extend(repair::run(&args.chain.directory(), args.truncate_to));
    }
    findings.extend(chain(&args.chain, global));
    let line = |found: &Finding| {
        let help = found.help.as_ref().map(|help| format!("\n{:20}help: {help}", ""));
        format!("{:8}{:12}{}{}", found.status, found.what, found.detail, help.unwrap_or_default())
    };
    let text = findings.iter().map(line).collect::<Vec<_>>().join("\n");
    output.result(text, &findings)?;
    let n_broken = findings.iter().filter(|found| found.status == "broken").count();
    match n_broken {
        0 => Ok(()),
        n => Err(Failure::new(Exit::Failed, format!("{n} of {} checks failed", findings.len()))),
    }
}

/// What `rustc` says, without its end of line.
fn rustc(args: &[&str]) -> Option<String> {
    let output = Command::new("rustc").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Only contracts need a toolchain, so nothing of it is broken, at most missing.
fn toolchain() -> Vec<Finding> {
    let Some(version) = rustc(&["--version"]) else {
        let help = "contracts are built with Rust: https://rustup.rs";
        return vec![Finding::warning("rust", "rustc is not found", help)];
    };
    let sysroot = rustc(&["--print", "sysroot"]).unwrap_or_default();
    let target = Path::new(&sysroot).join("lib/rustlib").join(TARGET);
    let target = if target.exists() {
        Finding::ok("target", TARGET)
    } else {
        let help = format!("`kempe build` adds it, or `rustup target add {TARGET}`");
        Finding::warning("target", format!("{TARGET} is not installed"), &help)
    };
    vec![Finding::ok("rust", version), target]
}

fn keys(global: &Global) -> Finding {
    let keys = keystore(global);
    let (listed, broken) = match keys.list_all() {
        Ok(found) => found,
        Err(error) => return Finding::broken("keys", &error.into()),
    };
    if let Some((_, error)) = broken.into_iter().next() {
        return Finding::broken("keys", &error.into());
    }
    Finding::ok("keys", format!("{} in {}", listed.len(), keys.dir().display()))
}

/// Reads every block, its links, the place of each of its transactions, and every cell.
fn blocks(chain: &Chain) -> Result<usize, ChainError> {
    let inconsistent = |what: String| ChainError::from(StoreError::Inconsistent { what });
    let mut parent = Hash::ZERO;
    let mut n_txs = 0;
    for height in 0..=chain.head().height {
        let record = chain.block(height)?;
        let record = record.ok_or_else(|| inconsistent(format!("block {height} is missing")))?;
        let header = &record.block.header;
        if (header.height, header.parent) != (height, parent) {
            return Err(inconsistent(format!("block {height} does not follow the one before")));
        }
        parent = header.hash();
        for (index, signed) in (0u32..).zip(&record.block.transactions) {
            let place = chain.find_transaction(&signed.transaction.hash())?;
            if place != Some(TxLocation { height, index }) {
                let what =
                    format!("transaction {index} of block {height} is not found by its hash");
                return Err(inconsistent(what));
            }
            n_txs += 1;
        }
    }
    chain.cells(|_, _| Ok(()))?;
    Ok(n_txs)
}

fn chain(args: &ChainArgs, global: &Global) -> Vec<Finding> {
    let dir = args.directory();
    if !exists(&dir) {
        let detail = format!("there is none in {}", dir.display());
        return vec![Finding::warning("chain", detail, "`kempe init` makes one")];
    }
    let session = match Session::open(args, global) {
        Ok(session) => session,
        Err(failure) => return vec![Finding::broken("chain", &failure)],
    };
    let head = session.chain.head();
    let detail = format!("{}, height {}", dir.display(), head.height);
    let root = format!("the state has the root of the last block, {}", head.state_root);
    let mut findings = vec![Finding::ok("chain", detail), Finding::ok("state", root)];
    findings.push(match blocks(&session.chain) {
        Ok(n_txs) => Finding::ok("blocks", format!("all readable, {n_txs} transactions")),
        Err(error) => Finding::broken("blocks", &error.into()),
    });
    findings.push(names(&session));
    findings
}

/// Whether each name is of a contract, and each contract has a name.
fn names(session: &Session) -> Finding {
    let named = session.names.contracts();
    let file = session.names.file().display();
    let missing = named.iter().find_map(|(name, address)| match session.chain.contract(address) {
        Ok(Some(_)) => None,
        Ok(None) => Some(format!("`{name}` is {address}, where there is no contract")),
        Err(error) => Some(format!("`{name}`: {error}")),
    });
    if let Some(what) = missing {
        let help = format!("correct {file}, then `kempe doctor --repair`");
        let failure = Failure::new(Exit::Failed, what).with_help(help);
        return Finding::broken("names", &failure);
    }
    let unnamed = match session.unnamed() {
        Ok(unnamed) => unnamed,
        Err(failure) => return Finding::broken("names", &failure),
    };
    if unnamed.is_empty() {
        return Finding::ok("names", plural(named.len() as u64, "contract"));
    }
    let listed: Vec<String> = unnamed.iter().map(ToString::to_string).collect();
    let what = format!("contracts without a name: {}", listed.join(", "));
    let help = format!(
        "write their names into {file}: {{\"NAME\": \"0x...\"}}; then `kempe doctor --repair`"
    );
    Finding::warning("names", what, &help)
}
