//! `kempe events`: what contracts said.

use serde::Serialize;

use crate::args::{Global, HELP};
use crate::describe::{Describer, EventView};
use crate::locate;
use crate::output::{Failure, Output};
use crate::session::{ChainArgs, Session};

const EXAMPLES: &str = "\
Examples:
  kempe events                      the last 100
  kempe events token --name Transfer
  kempe events --since 10 --limit 100000 --json";

/// The arguments of `kempe events`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// Only of this contract
    #[arg(value_name = "CONTRACT")]
    of: Option<String>,

    /// The same
    #[arg(long, conflicts_with = "of")]
    contract: Option<String>,

    /// Only of this name
    #[arg(long, value_name = "EVENT")]
    name: Option<String>,

    /// Only of blocks from this height on
    #[arg(long, value_name = "HEIGHT", default_value = "0")]
    since: u64,

    /// How many, the last ones
    #[arg(long, value_name = "N", default_value = "100")]
    limit: usize,

    #[command(flatten)]
    chain: ChainArgs,
}

#[derive(Serialize)]
struct Entry {
    height: u64,
    index: usize,
    tx: String,
    #[serde(flatten)]
    event: EventView,
}

pub(super) fn run(args: &Args, global: &Global, output: &Output) -> Result<(), Failure> {
    let session = Session::open(&args.chain, global)?;
    let contract = args
        .of
        .as_ref()
        .or(args.contract.as_ref())
        .map(|name| session.names.contract(name))
        .transpose()?;
    let describer = Describer::new(&session.chain, &session.names);
    let mut entries = Vec::new();
    // From the last block backward, so that no more blocks are read than are needed.
    for height in (args.since..=session.chain.head().height).rev() {
        let record = locate::block(&session.chain, Some(height))?;
        for (index, receipt) in record.receipts.iter().enumerate().rev() {
            for event in receipt.events.iter().rev() {
                if contract.is_some_and(|contract| contract != event.contract) {
                    continue;
                }
                let event = describer.event(event);
                if args.name.as_ref().is_none_or(|name| *name == event.name) {
                    entries.push(Entry { height, index, tx: receipt.tx.to_string(), event });
                }
            }
        }
        if entries.len() >= args.limit {
            break;
        }
    }
    entries.truncate(args.limit);
    entries.reverse();
    let line = |entry: &Entry| {
        let Entry { height, index, event, .. } = entry;
        format!("{height}:{index}  {}.{} {}", event.contract, event.name, event.text)
    };
    if entries.is_empty() {
        output.note("no such events");
    }
    Ok(output.result(entries.iter().map(line).collect::<Vec<_>>().join("\n"), &entries)?)
}
