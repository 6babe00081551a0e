//! `kempe tx`: what became of a transaction.

use crate::args::{Global, HELP};
use crate::describe::Describer;
use crate::locate;
use crate::output::{Failure, Output};
use crate::report::TxView;
use crate::session::{ChainArgs, Session};

const EXAMPLES: &str = "\
Examples:
  kempe tx 0x72f4675945fe87bedb2416aa07500247fda8428581970c111d44bcc11c822ab9
  kempe tx 2:0                      the first transaction of block 2";

/// The arguments of `kempe tx`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// The transaction's hash, or HEIGHT:INDEX
    tx: String,

    #[command(flatten)]
    chain: ChainArgs,
}

pub(super) fn run(args: &Args, global: &Global, output: &Output) -> Result<(), Failure> {
    let session = Session::open(&args.chain, global)?;
    let (record, index) = locate::transaction(&session.chain, &args.tx)?;
    let describer = Describer::new(&session.chain, &session.names);
    let view = TxView::new(&describer, &record, index).expect("the position was checked");
    Ok(output.result(view.text(), &view)?)
}
