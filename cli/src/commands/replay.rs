//! `kempe replay`: the whole chain again, sequentially and in parallel.

use std::time::Instant;

use kempe_runtime::chain::{ChainOptions, replay};
use serde::Serialize;

use crate::args::{Global, HELP};
use crate::output::{Exit, Failure, Output};
use crate::progress;
use crate::session::{ChainArgs, Session};

const EXAMPLES: &str = "\
Examples:
  kempe replay                      on all processors
  kempe replay --threads 4

Executes every block from genesis twice, one by one with the serial oracle and in parallel by its
published schedule, and compares state roots and receipts with what is stored. The chain is not
changed. A difference ends with code 1.";

/// The arguments of `kempe replay`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// How many threads execute [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    #[command(flatten)]
    chain: ChainArgs,
}

#[derive(Serialize)]
struct Report {
    blocks: u64,
    txs: u64,
    threads: usize,
    roots_equal: bool,
    divergence: Option<Divergence>,
    state_root: String,
    seconds: f64,
}

#[derive(Serialize)]
struct Divergence {
    height: u64,
    what: String,
}

pub(super) fn run(args: &Args, global: &Global, output: &Output) -> Result<(), Failure> {
    let session = Session::open(&args.chain, global)?;
    let mut options = ChainOptions::default();
    options.n_threads = args.threads.map_or(options.n_threads, usize::from);
    let head = session.chain.head();
    let bar = progress::bar(head.height, "blocks");
    let start = Instant::now();
    let found = replay(&session.chain, options, |height| bar.set_position(height))?;
    bar.finish_and_clear();
    let divergence =
        found.divergence.map(|found| Divergence { height: found.height, what: found.what });
    let report = Report {
        blocks: found.n_blocks,
        txs: found.n_txs,
        threads: options.n_threads,
        roots_equal: divergence.is_none(),
        divergence,
        state_root: head.state_root.to_string(),
        seconds: start.elapsed().as_secs_f64(),
    };
    let equal = if report.roots_equal { "equal" } else { "DIFFERENT" };
    let text = format!(
        "{} blocks, {} transactions, {} threads, {:.2} s\nroots and receipts {equal} (stored, \
         serial oracle, parallel)\n{}",
        report.blocks, report.txs, report.threads, report.seconds, report.state_root
    );
    output.result(text, &report)?;
    match &report.divergence {
        None => Ok(()),
        Some(Divergence { height, what }) => {
            Err(Failure::new(Exit::Failed, format!("block {height} replays differently: {what}"))
                .with_help("the chain was changed from outside, or the runtime has a bug"))
        }
    }
}
