//! `kempe bench pipeline`: what a transaction costs on its whole way, and how many go through.

mod measure;
mod report;
mod world;

use anyhow::Context;
use kempe_bench::{Machine, PipelineReport, Workload};

use crate::args::HELP;
use crate::commands::run::{home, threads};
use crate::output::{Failure, Output};
use crate::progress;

use measure::{Path, latencies, run_case};
use world::World;

const EXAMPLES: &str = "\
Examples:
  kempe bench pipeline                      10,000 accounts, 10 blocks of 20,000 transfers
  kempe bench pipeline --accounts 1000000 --blocks 100
  kempe bench pipeline --mix token,pool,counter --contention low,high --json

Each path runs the same blocks in a chain of its own, on disk: signed-durable checks signatures,
unsigned-durable trusts them, execute ends at receipts and has no root and no disk. The accounts
are funded by blocks of mints, whose signatures nobody checks. CPU per stage is measured with one block at a
time on its way, and is the process's time between two stages.";

/// The arguments of `kempe bench pipeline`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub(super) struct Args {
    /// How many accounts have a balance
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "10000")]
    #[arg(value_parser = clap::value_parser!(u32).range(100..=20_000_000))]
    accounts: Vec<u32>,

    /// How often accounts meet: low (evenly), high (Zipf 1.0), hot (all pay one)
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', default_value = "low")]
    contention: Vec<Contention>,

    /// What transactions do; several in turn
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', default_value = "token")]
    mix: Vec<world::Kind>,

    /// Which paths
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    #[arg(default_value = "signed-durable,unsigned-durable,execute")]
    path: Vec<Path>,

    /// How many blocks
    #[arg(long, value_name = "N", default_value = "10")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    blocks: u32,

    /// How many transactions in a block
    #[arg(long, value_name = "N", default_value = "20000")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    block_size: u32,

    /// The numbers of threads [default: 1 and all]
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Vec<u16>,

    /// Measure the time from bytes to durable for blocks of these sizes, one at a time, too
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "100,1000,5000,20000"
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    latency: Vec<u32>,

    /// Write the report as one page
    #[arg(long, value_name = "FILE")]
    html: Option<std::path::PathBuf>,

    /// Where to keep the chains while they run [default: the system's directory for temporary files]
    #[arg(long, value_name = "DIR")]
    dir: Option<std::path::PathBuf>,
}

/// How often accounts meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Contention {
    Low,
    High,
    Hot,
}

impl Contention {
    fn workload(self, n_accounts: usize) -> Workload {
        match self {
            Self::Low => Workload::Uniform { n_accounts },
            Self::High => Workload::Zipf { n_accounts, exponent_percent: 100 },
            Self::Hot => Workload::OneHot { n_accounts },
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::High => "high",
            Self::Hot => "hot",
        }
    }
}

pub(super) fn run(args: &Args, output: &Output) -> Result<(), Failure> {
    let threads = threads(&args.threads);
    let n_cases = args.accounts.len() * args.contention.len() * args.path.len() * threads.len();
    let bar = progress::bar(n_cases as u64, "runs");
    let machine = Machine::here(super::run::commit());
    let mut report = PipelineReport { machine, results: Vec::new(), latency: Vec::new() };
    for &n_accounts in &args.accounts {
        for &contention in &args.contention {
            let workload = contention.workload(n_accounts as usize);
            let n_txs = (args.blocks * args.block_size) as usize;
            let specs = workload.transfers(n_txs, 1)?;
            let home = home(args.dir.as_deref())?;
            let world = World::fund(home.path(), n_accounts as usize, &specs, &args.mix)?;
            for &path in &args.path {
                for &n_threads in &threads {
                    let blocks = specs.chunks(args.block_size as usize);
                    let mut case = run_case(&world, path, n_threads, blocks)?;
                    case.accounts = n_accounts;
                    case.contention = contention.name();
                    report.results.push(case);
                    bar.inc(1);
                }
            }
            if report.latency.is_empty() {
                let most = threads.last().copied().unwrap_or(1);
                report.latency = latencies(&world, most, &specs, &args.latency)?;
            }
        }
    }
    bar.finish_and_clear();
    if let Some(path) = &args.html {
        std::fs::write(path, report.html()?)
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(output.result(report::text(&report), &report)?)
}
