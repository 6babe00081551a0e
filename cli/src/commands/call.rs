//! `kempe call`: a method of a contract.

use kempe_abi::{MethodId, MethodKind};
use kempe_runtime::chain::CallSpec;
use kempe_runtime::types::{Action, SYSTEM, Transaction};

use crate::args::{Global, HELP};
use crate::describe::Describer;
use crate::invoke;
use crate::output::{Failure, Output};
use crate::report::{SimulationView, TxView};
use crate::send::send;
use crate::session::{ChainArgs, Session, SignerArgs, now_ms};

const EXAMPLES: &str = "\
Examples:
  kempe call token transfer --to bob --amount 5 --from alice
  kempe call token balance --of bob        a method that only reads needs no key and no block
  kempe call token -- --help               shows the contract's methods
  kempe call token transfer_from --from carol -- --from alice --to bob --amount 5

Arguments are named as in the contract, or given in order. One that is called like an option of this
command stands behind a --. A call that reverts or is stopped ends with code 3.

A method that only reads sees the time that a block made now would have, not that of the last block.";

/// The arguments of `kempe call`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// The contract: its name or address
    contract: String,

    /// The method
    method: Option<String>,

    #[command(flatten)]
    signer: SignerArgs,

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
    let mut session = Session::open(&args.chain, global)?;
    let found = find(&session, &args.contract, args.method.as_deref(), &args.args, "call", output)?;
    let Some(Found { spec, kind }) = found else { return Ok(()) };
    if kind == MethodKind::View {
        return view(&session, spec, args, output);
    }
    let key = session.signer(&args.signer)?;
    let action = Action::Call { contract: spec.contract, method: spec.method, args: spec.args };
    let report = send(&mut session.chain, &key, vec![action], args.fuel)?;
    let describer = Describer::new(&session.chain, &session.names);
    let mut tx = TxView::new(&describer, &report.record, 0).expect("the block has one transaction");
    tx.logs = report.logs.concat();
    tx.print(output, tx.text(), &tx)?;
    tx.check()
}

/// A method with its arguments.
pub(super) struct Found {
    pub(super) spec: CallSpec,
    pub(super) kind: MethodKind,
}

/// The method and its encoded arguments; `None` if only help was asked for, which is printed.
pub(super) fn find(
    session: &Session,
    contract: &str,
    method: Option<&str>,
    words: &[String],
    verb: &str,
    output: &Output,
) -> Result<Option<Found>, Failure> {
    let address = session.names.contract(contract)?;
    let loaded = session.chain.contract(&address)?.ok_or_else(|| {
        Failure::new(crate::output::Exit::Failed, format!("there is no contract at {address}"))
    })?;
    let abi = loaded.abi();
    let (Some(name), false) = (method, invoke::wants_help(words)) else {
        let found = method.map(|name| invoke::find_method(abi, contract, name)).transpose()?;
        let help =
            invoke::help(abi, &format!("{verb} {contract}"), found.map(|method| &*method.name));
        output.result(help, &abi.methods.iter().map(|m| &*m.name).collect::<Vec<_>>())?;
        return Ok(None);
    };
    let method = invoke::find_method(abi, contract, name)?;
    let args = invoke::encode(method, words, &session.names)?;
    let spec =
        CallSpec { caller: SYSTEM, contract: address, method: MethodId::of(&method.name), args };
    Ok(Some(Found { spec, kind: method.kind }))
}

/// Asks: nothing is signed, nothing is committed.
fn view(
    session: &Session,
    mut spec: CallSpec,
    args: &Args,
    output: &Output,
) -> Result<(), Failure> {
    if let Some(from) = &args.signer.from {
        spec.caller = session.names.account(from)?;
    }
    let simulation = session.chain.query_at(&spec, now_ms())?;
    let tx = Transaction {
        chain_id: session.chain.genesis().chain_id,
        sender: spec.caller,
        nonce: 0,
        fuel_limit: session.chain.genesis().limits.tx_fuel_max,
        actions: vec![Action::Call {
            contract: spec.contract,
            method: spec.method,
            args: spec.args,
        }],
        access: Vec::new(),
    };
    let describer = Describer::new(&session.chain, &session.names);
    let view = SimulationView::new(&describer, &tx, &simulation);
    let text = if view.check().is_ok() { view.result_text() } else { view.text() };
    output.result(text, &view)?;
    view.check()
}
