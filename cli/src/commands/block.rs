//! `kempe block`: a block, its schedule and its transactions.

use comfy_table::{ColumnConstraint, Row, Table, Width, presets};
use serde::Serialize;

use crate::args::{Global, HELP};
use crate::describe::Describer;
use crate::locate;
use crate::output::{Failure, Output};
use crate::report::TxView;
use crate::session::{ChainArgs, Session};

const EXAMPLES: &str = "\
Examples:
  kempe block                       the last one
  kempe block 2 --json
  kempe block 2 --limit 1000        more of its transactions

What a transaction does is cut to a line; `kempe tx HEIGHT:INDEX` shows all of it.";

/// How much of what a transaction does is shown in the table: a transfer to an address in digits. Ours to choose.
const ACTION_WIDTH: u16 = 120;

/// The arguments of `kempe block`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// The height [default: the last block's]
    height: Option<u64>,

    /// How many transactions to list
    #[arg(long, value_name = "N", default_value = "20")]
    limit: usize,

    #[command(flatten)]
    chain: ChainArgs,
}

#[derive(Serialize)]
struct BlockView {
    height: u64,
    hash: String,
    parent: String,
    time_ms: u64,
    protocol: String,
    transactions_root: String,
    schedule_hash: String,
    receipts_root: String,
    state_root: String,
    txs: usize,
    batches: Vec<usize>,
    tail: usize,
    transactions: Vec<TxView>,
}

pub(super) fn run(args: &Args, global: &Global, output: &Output) -> Result<(), Failure> {
    let session = Session::open(&args.chain, global)?;
    let record = locate::block(&session.chain, args.height)?;
    let describer = Describer::new(&session.chain, &session.names);
    let header = &record.block.header;
    let n_txs = record.receipts.len();
    let listed = (0..n_txs.min(args.limit)).filter_map(|at| TxView::new(&describer, &record, at));
    let view = BlockView {
        height: header.height,
        hash: header.hash().to_string(),
        parent: header.parent.to_string(),
        time_ms: header.time_ms,
        protocol: header.protocol.to_string(),
        transactions_root: header.transactions_root.to_string(),
        schedule_hash: header.schedule_hash.to_string(),
        receipts_root: header.receipts_root.to_string(),
        state_root: header.state_root.to_string(),
        txs: n_txs,
        batches: record.block.schedule.batches().map(<[u32]>::len).collect(),
        tail: record.block.schedule.tail().len(),
        transactions: listed.collect(),
    };
    Ok(output.result(text(&view), &view)?)
}

fn text(view: &BlockView) -> String {
    let mut lines = Vec::new();
    let mut row = |label: &str, value: String| lines.push(format!("{label:14}{value}"));
    row("block", view.height.to_string());
    row("hash", view.hash.clone());
    row("parent", view.parent.clone());
    row("state root", view.state_root.clone());
    row("time", format!("{} ms since 1970", view.time_ms));
    row("transactions", view.txs.to_string());
    if view.txs > 0 {
        let widest = view.batches.iter().max().copied().unwrap_or(0);
        let batches = view.batches.len();
        row("schedule", format!("batches {batches}, widest {widest}, tail {}", view.tail));
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["tx", "batch", "sender", "action", "outcome"]);
        for tx in &view.transactions {
            let mut row = Row::from([
                tx.index.to_string(),
                tx.batch.map_or("tail".into(), |batch| batch.to_string()),
                tx.sender.clone(),
                tx.actions.join("; "),
                tx.outcome.line(),
            ]);
            row.max_height(1);
            table.add_row(row);
        }
        let action = table.column_mut(3).expect("the header has five columns");
        action.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(ACTION_WIDTH)));
        lines.push(String::new());
        lines.push(table.trim_fmt());
        if view.transactions.len() < view.txs {
            let more = view.txs - view.transactions.len();
            lines.push(format!("... and {more} more: --limit {}", view.txs));
        }
    }
    lines.join("\n")
}
