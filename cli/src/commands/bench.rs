//! `kempe bench`: every scheduler on the same blocks, against a lower bound.

mod blocks;
mod compare;
mod pipeline;
mod run;

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use kempe_bench::Pattern;

use crate::args::HELP;
use crate::output::{Failure, Output};

const EXAMPLES: &str = "\
Examples:
  kempe bench                       generated blocks, under a minute
  kempe bench full                  more of them, and longer ones, about five minutes
  kempe bench --workload p2p:accounts=100,zipf=0.9 --workers 2,4,8
  kempe bench --trace block.jsonl --html report.html
  kempe bench --traces blocks/ --out before.json
  kempe bench compare before.json after.json
  kempe bench pipeline              from bytes to durable blocks, in under a minute
  kempe bench workloads             what --workload understands

A plan is checked before it counts: an illegal one ends the bench and names the pair and the key.
Runs on --workers are simulated, with the costs that the block gives, and say so. Runs on --threads
are real: transactions in wasm that touch the same keys and burn the same time.";

/// The arguments of `kempe bench`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,

    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say what changed between two benches, beyond the noise
    #[command(help_template = HELP)]
    Compare {
        /// The file that --out wrote before
        before: PathBuf,
        /// The file that --out wrote after
        after: PathBuf,
    },
    /// The whole path of a transaction: bytes, signature, execution, root, disk
    Pipeline(pipeline::Args),
    /// List the workloads and their parameters
    #[command(help_template = HELP)]
    Workloads,
}

/// What to bench.
#[derive(Debug, clap::Args)]
struct RunArgs {
    /// Which blocks, where none are named [default: quick]
    #[arg(conflicts_with_all = ["workload", "trace", "traces"])]
    preset: Option<Preset>,

    /// A generated block, as NAME or NAME:PARAMETER=VALUE,...; may be repeated
    #[arg(long, value_name = "PATTERN")]
    workload: Vec<Pattern>,

    /// A recorded block, or lines of reads and writes; may be repeated
    #[arg(long, value_name = "FILE")]
    trace: Vec<PathBuf>,

    /// A directory of them: all .jsonl files in and below it; what cannot be read is left out
    #[arg(long, value_name = "DIR")]
    traces: Option<PathBuf>,

    /// Which schedulers [default: all]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    #[arg(value_parser = super::schedule::scheduler_names())]
    schedulers: Vec<String>,

    /// The numbers of simulated workers
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "1,2,4,8,16,64")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Vec<u16>,

    /// On how many threads the blocks really run, as wasm, at most one a core; 0: on none
    #[arg(long, value_name = "N", default_value = "2")]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=64))]
    threads: u8,

    /// How often all blocks are measured, one after the other
    ///
    /// What slows a machine down lasts for seconds. The fastest runs of all times count.
    #[arg(long, value_name = "N", default_value = "2")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    times: u16,

    /// How long a block is measured, each time, if its times do not settle before
    ///
    /// Three rounds in any case, of all times. 450 for quick, 1000 for full, else 10000.
    #[arg(long, value_name = "MS")]
    #[arg(value_parser = clap::value_parser!(u64).range(..=3_600_000))]
    settle: Option<u64>,

    /// Write the report as one page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Write every row as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Write everything as JSON, for `kempe bench compare`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Which blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Preset {
    /// A dozen kinds of 1,000 transactions
    Quick,
    /// Every kind of 4,000, some in several forms, and 10 to 1,000,000 accounts
    Full,
}

pub(super) fn run(args: &Args, output: &Output) -> Result<(), Failure> {
    match &args.verb {
        Some(Verb::Compare { before, after }) => compare::run(before, after, output),
        Some(Verb::Workloads) => run::workloads(output),
        Some(Verb::Pipeline(args)) => pipeline::run(args, output),
        None => run::run(&args.run, output),
    }
}
