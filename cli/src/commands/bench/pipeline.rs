//! `kempe bench pipeline`: what a transaction costs on its whole way, and how many go through.

mod measure;
mod report;
mod world;

use anyhow::Context;
use indicatif::ProgressBar;
use kempe_bench::{BlockLatency, Machine, PipelineCase, PipelineReport, Workload};

use crate::args::HELP;
use crate::commands::run::threads;
use crate::output::{Failure, Output};
use crate::progress;

use measure::{Path, latency, latency_blocks, run_case};
use world::World;

const EXAMPLES: &str = "\
Examples:
  kempe bench pipeline                      10,000 accounts, 10 blocks of 20,000 transfers
  kempe bench pipeline --accounts 1000000 --blocks 100
  kempe bench pipeline --mix token,pool,counter --contention low,high --json

Each path runs the same blocks in a chain of its own, on disk: signed-durable checks signatures,
unsigned-durable trusts them, execute ends at receipts and has no root and no disk, and sequential
is the same in the given order on one thread. All blocks are run again, durable ones one by one and
the others by the serial oracle, and the roots compared. The accounts are funded by blocks of mints,
whose signatures nobody checks. CPU per stage is measured with one block at a time on its way, and
is the process's time between two stages.";

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
    #[arg(default_value = "signed-durable,unsigned-durable,execute,sequential")]
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

    /// Sizes of blocks whose time from bytes to durable is measured, one at a time; 0: none
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "100,1000,5000,20000"
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=100_000))]
    latency: Vec<u32>,

    /// How much of the state is kept in memory; the rest is read from the disk
    #[arg(long, value_name = "MIB", default_value = "4096")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    memory: u32,

    /// Write the report as one page
    #[arg(long, value_name = "FILE")]
    html: Option<std::path::PathBuf>,

    /// Where the chains are until they are removed [default: where temporary files are]
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
    let available = std::thread::available_parallelism().map_or(1, Into::into);
    if let Some(most) = threads.last().filter(|most| **most > available) {
        output.warn(format_args!(
            "{most} threads take turns on {available} processors: more of them are not faster"
        ));
    }
    let n_rows: usize = args.path.iter().map(|path| path.threads(&threads).len()).sum();
    let bar = progress::bar((args.accounts.len() * args.contention.len() * n_rows) as u64, "runs");
    let machine = Machine::here(super::run::commit());
    let mut report = PipelineReport { machine, results: Vec::new(), latency: Vec::new() };
    for &n_accounts in &args.accounts {
        for &contention in &args.contention {
            let is_first = report.results.is_empty();
            run_workload(args, (n_accounts, contention, is_first), &threads, &bar, &mut report)?;
        }
    }
    bar.finish_and_clear();
    if let Some(path) = &args.html {
        std::fs::write(path, report.html()?)
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(output.result(report::text(&report), &report)?)
}

/// Runs every path on one workload; the first one measures blocks one at a time, too.
fn run_workload(
    args: &Args,
    (n_accounts, contention, is_first): (u32, Contention, bool),
    threads: &[usize],
    bar: &ProgressBar,
    report: &mut PipelineReport,
) -> Result<(), Failure> {
    let sizes = args.latency.iter().copied().filter(|size| is_first && *size > 0);
    let n_txs = args.blocks as usize * args.block_size as usize;
    let n_more = sizes.clone().map(|size| latency_blocks(size) * size as usize).max();
    let workload = contention.workload(n_accounts as usize);
    let specs = workload.transfers(n_txs.max(n_more.unwrap_or(0)), 1)?;
    let memory_bytes = u64::from(args.memory) << 20;
    let dir = args.dir.as_deref();
    let world = World::fund(dir, memory_bytes, n_accounts as usize, &specs, &args.mix)?;
    let mix = args.mix.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(",");
    let first = report.results.len();
    for &path in &args.path {
        for &n_threads in path.threads(threads) {
            let blocks = specs[..n_txs].chunks(args.block_size as usize);
            let case = run_case(&world, path, n_threads, blocks)?;
            report.results.push(PipelineCase {
                accounts: n_accounts,
                contention: contention.name(),
                mix: mix.clone(),
                memory_mib: args.memory,
                block_size: args.block_size,
                ..case
            });
            bar.inc(1);
        }
    }
    let rows = &mut report.results[first..];
    let sequential = rows.iter().find(|row| row.path == Path::Sequential.name());
    if let Some(tx_per_s) = sequential.map(|row| row.tx_per_s) {
        for row in rows.iter_mut().filter(|row| row.path == Path::Execute.name()) {
            row.of_sequential = Some(row.tx_per_s / tx_per_s);
        }
    }
    for size in sizes {
        let most = threads.last().copied().unwrap_or(1);
        let (n_blocks, p50, p99) = latency(&world, most, &specs, size)?;
        report.latency.push(BlockLatency {
            block_size: size,
            threads: most,
            accounts: n_accounts,
            contention: contention.name(),
            mix: mix.clone(),
            n_blocks,
            latency_ms_p50: p50,
            latency_ms_p99: p99,
        });
    }
    Ok(())
}
