//! `kempe simulate`: what a call would do now.

use kempe_runtime::types::Action;

use super::call::{Found, find};
use crate::args::{Global, HELP};
use crate::describe::Describer;
use crate::output::{Exit, Failure, Output};
use crate::report::SimulationView;
use crate::send::transaction;
use crate::session::{ChainArgs, Session, now_ms};

const EXAMPLES: &str = "\
Examples:
  kempe simulate token transfer --to bob --amount 5 --from alice
  kempe simulate token transfer --to bob --amount 5 --from alice --fuel 50000
  kempe simulate token transfer --to bob --amount 5 --json    also the call's bytes, for a proposal

The same code runs as in a block made now, with its time and the same limits; nothing is signed and
nothing is committed.
A call that would revert or be stopped ends with code 3.";

/// The arguments of `kempe simulate`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// The contract: its name or address
    contract: String,

    /// The method
    method: Option<String>,

    /// Who would sign [default: the first account of the genesis file]
    #[arg(long, value_name = "ACCOUNT")]
    from: Option<String>,

    /// The most fuel that it may burn [default: the chain's limit]
    #[arg(long, value_name = "N")]
    fuel: Option<u64>,

    #[command(flatten)]
    chain: ChainArgs,

    /// The arguments of the method
    #[arg(last = true, value_name = "--NAME VALUE")]
    args: Vec<String>,
}

pub(super) fn run(args: &Args, global: &Global, output: &Output) -> Result<(), Failure> {
    let session = Session::open(&args.chain, global)?;
    let method = args.method.as_deref();
    let found = find(&session, &args.contract, method, &args.args, "simulate", output)?;
    let Some(Found { spec, .. }) = found else { return Ok(()) };
    let first = || session.chain.genesis().accounts.first().map(|account| account.address);
    let sender = match &args.from {
        Some(from) => session.names.account(from)?,
        None => first().ok_or_else(|| {
            Failure::new(Exit::Usage, "nobody is named who would sign")
                .with_help("name an account with --from")
        })?,
    };
    let action = Action::Call { contract: spec.contract, method: spec.method, args: spec.args };
    let time_ms = now_ms();
    let tx = transaction(&session.chain, sender, vec![action], args.fuel, time_ms)?;
    let simulation = session.chain.simulate_at(&tx, time_ms)?;
    let describer = Describer::new(&session.chain, &session.names);
    let view = SimulationView::new(&describer, &tx, &simulation);
    output.result(view.text(), &view)?;
    view.check()
}
