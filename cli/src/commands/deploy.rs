//! `kempe deploy`: a contract on the chain.

use std::path::PathBuf;

use kempe_abi::MethodKind;
use kempe_runtime::engine::admission::admit;
use kempe_runtime::types::{Action, contract_address};
use serde::Serialize;

use super::upgrade::{authority, check_authority};
use crate::args::{Global, HELP};
use crate::describe::Describer;
use crate::output::{Exit, Failure, Output};
use crate::report::TxView;
use crate::send::send;
use crate::session::{ChainArgs, Session, SignerArgs};
use crate::{invoke, module};

const EXAMPLES: &str = "\
Examples:
  kempe deploy token.wasm --owner alice          the arguments of init, by name
  kempe deploy contracts/token --name coin --owner alice --from bob
  kempe deploy token.wasm --owner alice --upgradable-by alice
  kempe deploy token.wasm -- --help              shows what init takes

The file is wasm, WAT text (.wat), or the directory of a contract, which is built. An argument of
the contract that is called like an option of this command stands behind a --.
A deployment that fails ends with code 3.";

/// The arguments of `kempe deploy`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// The wasm, its text, or the directory of the contract
    file: PathBuf,

    /// What to call the contract on this chain [default: its own name in lower case]
    #[arg(long)]
    name: Option<String>,

    /// Who may upgrade it: an account, or a contract that is asked [default: nobody, ever]
    #[arg(long, value_name = "WHO")]
    upgradable_by: Option<String>,

    #[command(flatten)]
    signer: SignerArgs,

    /// The most fuel that it may burn [default: the chain's limit]
    #[arg(long, value_name = "N")]
    fuel: Option<u64>,

    #[command(flatten)]
    chain: ChainArgs,

    /// The arguments of `init`
    #[arg(last = true, value_name = "--NAME VALUE")]
    args: Vec<String>,
}

#[derive(Serialize)]
struct Deployed {
    name: String,
    address: String,
    #[serde(flatten)]
    tx: TxView,
}

pub(super) fn run(args: &Args, global: &Global, output: &Output) -> Result<(), Failure> {
    let wasm = module::load(&args.file, output)?;
    let abi = admit(&wasm).map_err(|refusal| {
        Failure::from(refusal)
            .with_help("`kempe check` says what a module is made of")
            .context(format!("{} is refused", args.file.display()))
    })?;
    let abi = abi.abi;
    if invoke::wants_help(&args.args) {
        let command = format!("deploy {}", args.file.display());
        return Ok(output.result(invoke::once_help(&abi, &command), &abi.name)?);
    }
    let mut session = Session::open(&args.chain, global)?;
    let name = args.name.clone().unwrap_or_else(|| abi.name.to_lowercase());
    session.names.check_free(&name)?;
    let encoded = match abi.methods.iter().find(|method| method.kind == MethodKind::Init) {
        Some(init) => invoke::encode(init, &args.args, &session.names)?,
        None if args.args.is_empty() => Vec::new(),
        None => {
            let message = format!("`{}` has no init, which could take arguments", abi.name);
            return Err(Failure::new(Exit::Usage, message));
        }
    };
    let authority =
        args.upgradable_by.as_deref().map(|word| authority(&session, word)).transpose()?;
    authority.iter().try_for_each(|authority| check_authority(&session, authority))?;
    let key = session.signer(&args.signer)?;
    let sender = kempe_runtime::types::address_of(&key);
    let nonce = session.chain.next_nonce(&sender)?;
    let address = contract_address(session.chain.genesis().chain_id, &sender, nonce, 0);
    let action = Action::Deploy { wasm, args: encoded, authority: authority.map(Box::new) };
    let report = send(&mut session.chain, &key, vec![action], args.fuel)?;
    let ok = report.record.receipts.iter().all(|r| r.outcome == kempe_abi::Outcome::Ok);
    let named = if ok { session.names.add_contract(&name, address) } else { Ok(()) };
    let describer = Describer::new(&session.chain, &session.names);
    let mut tx = TxView::new(&describer, &report.record, 0).expect("the block has one transaction");
    tx.logs = report.logs.concat();
    let deployed = Deployed { name, address: address.to_string(), tx };
    let head = if ok { format!("{} {}\n", deployed.name, deployed.address) } else { String::new() };
    deployed.tx.print(output, format!("{head}{}", deployed.tx.text()), &deployed)?;
    named.map_err(|failure| unnamed(failure, &session, &deployed))?;
    deployed.tx.check()
}

/// The contract is there, and only its name is lost.
fn unnamed(failure: Failure, session: &Session, deployed: &Deployed) -> Failure {
    let Deployed { name, address, tx } = deployed;
    let file = session.names.file().display();
    failure
        .context(format!(
            "the contract is deployed at {address} by transaction {}, but its name `{name}` could not be kept",
            tx.tx
        ))
        .with_help(format!(
            "do not deploy it again: use the address, or write \"{name}\": \"{address}\" into {file} and run `kempe doctor --repair`"
        ))
}
