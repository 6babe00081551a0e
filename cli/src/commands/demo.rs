//! `kempe demo`: blocks of generated token transfers, in parallel, on a chain of their own.

use std::path::PathBuf;

use kempe_bench::Workload;
use serde::Serialize;

use super::run::{home, threads};
use crate::args::HELP;
use crate::measure::{Plan, Summary};
use crate::output::{Failure, Output};
use crate::progress;
use crate::session::now_ms;
use crate::transfers::TokenChain;

const EXAMPLES: &str = "\
Examples:
  kempe demo                        a block of 10,000 transfers among 20,000 accounts
  kempe demo --workload zipf:1000:100 --txs 50000 --block-size 5000
  kempe demo --dir here             keeps the chain, for explain, schedule and replay

A workload is uniform:N, zipf:N:EXPONENT_PERCENT, hot:N:N_HOT:PERCENT, one-hot:N or pairs.
The chain is a real one on disk, in a temporary directory unless --dir is given.";

/// The arguments of `kempe demo`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// Who pays whom
    #[arg(long, value_name = "KIND", default_value = "hot:20000:20:2")]
    workload: Workload,

    /// How many transfers
    #[arg(long, value_name = "N", default_value = "10000")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    txs: u32,

    /// How many transfers in a block
    #[arg(long, value_name = "N", default_value = "10000")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    block_size: u32,

    /// The seed of the workload
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,

    /// The numbers of threads to execute on [default: 1 and all]
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Vec<u16>,

    /// How often to execute each block on each number of threads; the fastest counts
    #[arg(long, value_name = "N", default_value = "9")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeats: u16,

    /// Where to make the chain [default: a temporary directory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Serialize)]
struct Done {
    workload: String,
    seed: u64,
    #[serde(flatten)]
    summary: Summary,
}

pub(super) fn run(args: &Args, output: &Output) -> Result<(), Failure> {
    let n_txs = args.txs as usize;
    let specs = args.workload.transfers(n_txs, args.seed)?;
    let home = home(args.dir.as_deref())?;
    let accounts = args.workload.n_accounts(n_txs);
    output.note(format_args!(
        "a chain in {}: the contract `token`, {accounts} accounts",
        home.path().display()
    ));
    let mut chain = TokenChain::create(home.path(), accounts)?;
    let repeats = usize::from(args.repeats);
    let plan = Plan { threads: threads(&args.threads), repeats, oracle: true };
    let mut summary = Summary::new();
    let bar = progress::bar(args.txs.into(), "transfers");
    for block in specs.chunks(args.block_size as usize) {
        let transactions = chain.sign(block);
        summary.run_block(&mut chain.chain, &chain.names, transactions, &plan, now_ms())?;
        bar.inc(block.len() as u64);
    }
    bar.finish_and_clear();
    let done = Done { workload: args.workload.to_string(), seed: args.seed, summary };
    Ok(output.result(done.summary.text(), &done)?)
}
