//! `kempe replay`: the whole chain again, sequentially and in parallel.

mod bisection;

use std::time::Instant;

use kempe_runtime::chain::{Chain, ChainOptions, bisect, replay};
use serde::Serialize;

use self::bisection::BisectionView;
use crate::args::{Global, HELP};
use crate::describe::Describer;
use crate::output::{Exit, Failure, Output};
use crate::progress;
use crate::session::{ChainArgs, Session};

const EXAMPLES: &str = "\
Examples:
  kempe replay                      on all processors
  kempe replay --threads 4
  kempe replay --bisect             and where they differ, which transactions it takes
  kempe replay --bisect 17          of block 17 alone

Executes every block from genesis twice, one by one with the serial oracle and in parallel by its
published schedule, and compares state roots and receipts with what is stored. The chain is not
changed. A difference ends with code 1.

With --bisect, the first block that is executed differently is executed again with ever fewer of its
transactions, until each of those left is needed; the first key and receipt that differ are shown.";

/// The arguments of `kempe replay`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// How many threads execute [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// Find the fewest transactions of the first block that differs, or of this one
    #[arg(long, value_name = "HEIGHT", value_parser = clap::value_parser!(u64).range(1..))]
    bisect: Option<Option<u64>>,

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
    #[serde(skip_serializing_if = "Option::is_none")]
    bisection: Option<BisectionView>,
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
    if let Some(Some(height)) = args.bisect {
        return one_block(&session, options, height, output);
    }
    let head = session.chain.head();
    let bar = progress::bar(head.height, "blocks");
    let start = Instant::now();
    let found = replay(&session.chain, options, |height| bar.set_position(height))?;
    bar.finish_and_clear();
    let divergence =
        found.divergence.map(|found| Divergence { height: found.height, what: found.what });
    let bisection = match &divergence {
        Some(Divergence { height, .. }) if args.bisect.is_some() => {
            bisected(&session, options, *height)?
        }
        _ => None,
    };
    let report = Report {
        blocks: found.n_blocks,
        txs: found.n_txs,
        threads: options.n_threads,
        roots_equal: divergence.is_none(),
        divergence,
        bisection,
        state_root: head.state_root.to_string(),
        seconds: start.elapsed().as_secs_f64(),
    };
    let equal = if report.roots_equal { "equal" } else { "DIFFERENT" };
    let mut text = format!(
        "{} blocks, {} transactions, {} threads, {:.2} s\nroots and receipts {equal} (stored, \
         serial oracle, parallel)\n{}",
        report.blocks, report.txs, report.threads, report.seconds, report.state_root
    );
    match &report.bisection {
        Some(bisection) => text += &format!("\n\n{}", bisection.text()),
        None if args.bisect.is_some() && !report.roots_equal => {
            text += "\n\nboth executions give the same: what is stored differs from them";
        }
        None => {}
    }
    output.result(text, &report)?;
    match &report.divergence {
        None => Ok(()),
        Some(Divergence { height, what }) => {
            Err(Failure::new(Exit::Failed, format!("block {height} replays differently: {what}"))
                .with_help("the chain was changed from outside, or the runtime has a bug"))
        }
    }
}

fn bisected(
    session: &Session,
    options: ChainOptions,
    height: u64,
) -> Result<Option<BisectionView>, Failure> {
    let bar = progress::bar(height, "blocks");
    let found = bisect(&session.chain, options, height, Chain::execute, |at| bar.set_position(at))?;
    bar.finish_and_clear();
    let (Some(found), Some(record)) = (found, session.chain.block(height)?) else {
        return Ok(None);
    };
    let describer = Describer::new(&session.chain, &session.names);
    Ok(Some(BisectionView::new(&describer, &record.block, &found)))
}

/// Compares the executions of one block only.
fn one_block(
    session: &Session,
    options: ChainOptions,
    height: u64,
    output: &Output,
) -> Result<(), Failure> {
    let head = session.chain.head().height;
    if height > head {
        return Err(Failure::new(Exit::Usage, format!("there is no block {height}"))
            .with_help(format!("the last block is {head}")));
    }
    let Some(view) = bisected(session, options, height)? else {
        let json = serde_json::json!({ "height": height, "bisection": null });
        return Ok(output.result(format!("block {height}: both executions are equal"), &json)?);
    };
    let json = serde_json::json!({ "height": height, "bisection": &view });
    output.result(view.text(), &json)?;
    Err(Failure::new(Exit::Failed, format!("block {height} is executed differently in parallel"))
        .with_help("the runtime has a bug: report it with these transactions"))
}
