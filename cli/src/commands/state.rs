//! `kempe state`: what the chain holds, with proofs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use kempe_abi::log::Part;
use kempe_abi::{Address, CellKind, Field, Hash, Type};
use kempe_runtime::engine::Contract;
use kempe_runtime::state::Proof;
use kempe_runtime::types::StateKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::args::{Global, HELP};
use crate::describe::Describer;
use crate::output::{Exit, Failure, Output};
use crate::session::{ChainArgs, Session, read_capped};
use crate::suggest::suggest;
use crate::value;

const EXAMPLES: &str = "\
Examples:
  kempe state                       contracts and accounts
  kempe state alice                 an account's nonce and native balance
  kempe state token                 every cell of a contract
  kempe state token balances alice
  kempe state asset register 7      the item of a log with this index; without it, the log
  kempe state token balances alice --proof > proof.json
  kempe state --verify proof.json   against the root of this chain's last block";

/// The largest proof file that is read.
const PROOF_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The arguments of `kempe state`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// The contract or account
    owner: Option<String>,

    /// The field
    field: Option<String>,

    /// The keys of the cell, in order
    keys: Vec<String>,

    /// How many cells to list
    #[arg(long, value_name = "N", default_value = "100")]
    limit: usize,

    /// Print a proof of one cell against the state root
    #[arg(long, requires = "field")]
    proof: bool,

    /// Check a proof against the state root of the last block
    #[arg(long, value_name = "FILE", conflicts_with_all = ["owner", "proof"])]
    verify: Option<PathBuf>,

    #[command(flatten)]
    chain: ChainArgs,
}

#[derive(Serialize)]
struct CellView {
    key: String,
    field: String,
    value: Value,
    /// The calls that the value holds, as a proposal does, where they are known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    calls: Vec<String>,
    #[serde(skip)]
    text: String,
}

#[derive(Serialize)]
struct AccountView {
    name: Option<String>,
    address: Address,
    nonce: u64,
    balance: String,
}

/// A proof as it is printed and read.
#[derive(Serialize, Deserialize)]
struct ProofFile {
    height: u64,
    state_root: Hash,
    contract: Address,
    field: u8,
    /// The encoded keys, in hexadecimal.
    key: String,
    /// The encoded value, in hexadecimal; none if the cell has none.
    value: Option<String>,
    /// The borsh encoding of the proof, in hexadecimal.
    proof: String,
}

pub(super) fn run(args: &Args, global: &Global, output: &Output) -> Result<(), Failure> {
    let session = Session::open(&args.chain, global)?;
    if let Some(file) = &args.verify {
        return verify(&session, file, output);
    }
    let Some(owner) = &args.owner else { return overview(&session, output) };
    let known = session.names.find(owner);
    let contract = known.map(|address| session.chain.contract(&address)).transpose()?.flatten();
    match contract {
        Some(contract) => match &args.field {
            Some(name) if !args.keys.is_empty() || args.proof || keyless(&contract, name) => {
                cell(&session, &contract, name, args, output)
            }
            name => cells(&session, &contract, name.as_deref(), args.limit, output),
        },
        None if args.field.is_some() => {
            let address = session.names.contract(owner)?;
            Err(Failure::new(Exit::Failed, format!("there is no contract at {address}")))
        }
        None => {
            let view = account(&session, session.names.account(owner)?)?;
            Ok(output.result(account_line(&view), &view)?)
        }
    }
}

fn keyless(contract: &Contract, name: &str) -> bool {
    let is_one = |field: &Field| field.keys.is_empty() && field.cell != CellKind::Log;
    contract.abi().fields.iter().any(|field| field.name == name && is_one(field))
}

fn account(session: &Session, address: Address) -> Result<AccountView, Failure> {
    Ok(AccountView {
        name: session.names.name_of(&address),
        nonce: session.chain.next_nonce(&address)?,
        balance: session.chain.balance(&address)?.to_string(),
        address,
    })
}

fn account_line(view: &AccountView) -> String {
    let AccountView { name, address, nonce, balance } = view;
    let name = name.as_deref().unwrap_or("-");
    format!("{name:12}{address}  nonce {nonce}  native balance {balance}")
}

fn overview(session: &Session, output: &Output) -> Result<(), Failure> {
    let accounts = session.chain.genesis().accounts.iter();
    let accounts: Vec<_> =
        accounts.map(|found| account(session, found.address)).collect::<Result<_, _>>()?;
    let contracts = session.names.contracts();
    let mut lines = vec![format!("{} contracts", contracts.len())];
    lines.extend(contracts.iter().map(|(name, address)| format!("  {name:12}{address}")));
    lines.push(format!("{} accounts", accounts.len()));
    lines.extend(accounts.iter().map(|view| format!("  {}", account_line(view))));
    let json = serde_json::json!({
        "height": session.chain.head().height,
        "state_root": session.chain.head().state_root,
        "contracts": contracts,
        "accounts": accounts,
    });
    Ok(output.result(lines.join("\n"), &json)?)
}

/// Every cell of a contract, or of one of its fields, in order of field and key.
fn cells(
    session: &Session,
    contract: &Contract,
    field: Option<&str>,
    limit: usize,
    output: &Output,
) -> Result<(), Failure> {
    let field = field.map(|name| find_field(contract, name)).transpose()?;
    let number = field.map(|(number, _)| number);
    // Only the first are kept: a contract may have more cells than fit into memory.
    let (mut rows, mut n_rows) = (BTreeMap::new(), 0);
    session.chain.cells(|key, value| {
        if key.contract == contract.address && number.is_none_or(|number| number == key.field) {
            n_rows += 1;
            rows.insert(key.clone(), value.to_vec());
            if rows.len() > limit {
                rows.pop_last();
            }
        }
        Ok(())
    })?;
    let describer = Describer::new(&session.chain, &session.names);
    let views: Vec<_> =
        rows.iter().map(|(key, value)| cell_view(&describer, contract, key, value)).collect();
    let immutables = contract.record.immutables.iter().filter_map(|(number, value)| {
        let key = StateKey::new(contract.address, *number, &[]);
        field.is_none().then(|| cell_view(&describer, contract, &key, value))
    });
    let views: Vec<_> = immutables.chain(views).collect();
    if n_rows > limit {
        output.note(format_args!("{} cells more: --limit {n_rows}", n_rows - limit));
    }
    if views.is_empty() {
        output.note("no cell has a value");
    }
    let line = |view: &CellView| format!("{} = {}", view.key, view.text);
    Ok(output.result(views.iter().map(line).collect::<Vec<_>>().join("\n"), &views)?)
}

fn cell_view(
    describer: &Describer<'_>,
    contract: &Contract,
    key: &StateKey,
    bytes: &[u8],
) -> CellView {
    let field = contract.abi().fields.get(usize::from(key.field));
    let raw = || format!("0x{}", hex::encode(bytes));
    let ty = field.map(|field| match field.log_part(&key.key) {
        Some((_, Part::Length)) => &Type::U64,
        _ => &field.value,
    });
    let json = ty.and_then(|ty| value::to_json(ty, bytes).ok());
    let shown = ty.and_then(|ty| describer.value(ty, bytes).ok());
    let (text, calls) =
        shown.map_or_else(|| (raw(), Vec::new()), |found| (found.text, found.calls));
    CellView {
        key: describer.key(key),
        field: field.map_or_else(|| key.field.to_string(), |field| field.name.clone()),
        value: json.unwrap_or_else(|| raw().into()),
        calls,
        text,
    }
}

fn find_field<'a>(contract: &'a Contract, name: &str) -> Result<(u8, &'a Field), Failure> {
    let fields = &contract.abi().fields;
    let found = (0u8..=u8::MAX).zip(fields).find(|(_, field)| field.name == name);
    found.ok_or_else(|| {
        let known = suggest(name, fields.iter().map(|field| &*field.name));
        let message = format!("the contract has no field `{}`{known}", name.escape_debug());
        Failure::new(Exit::Usage, message)
    })
}

/// One cell, or the proof of it.
fn cell(
    session: &Session,
    contract: &Contract,
    name: &str,
    args: &Args,
    output: &Output,
) -> Result<(), Failure> {
    let (number, field) = find_field(contract, name)?;
    // Behind the keys of a log, the index of an item.
    let is_item = field.cell == CellKind::Log && args.keys.len() == field.keys.len() + 1;
    if args.keys.len() != field.keys.len() && !is_item {
        let types: Vec<_> = field.keys.iter().map(ToString::to_string).collect();
        let item = if field.cell == CellKind::Log { " and the index of an item" } else { "" };
        let message = format!(
            "`{name}` has {} keys ({}){item}, {} are given",
            types.len(),
            types.join(", "),
            args.keys.len()
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    let resolve = |word: &str| session.names.find(word);
    let mut bytes = Vec::new();
    let types = field.keys.iter().chain(is_item.then_some(&Type::U64));
    for (ty, text) in types.zip(&args.keys) {
        let part = value::from_text(ty, text, &resolve);
        bytes.extend(part.map_err(|error| Failure::new(Exit::Usage, error))?);
    }
    let key = StateKey::new(contract.address, number, &bytes);
    let hash = key.hash();
    let found = session.chain.state()?.get(&hash)?;
    let found = found.or_else(|| contract.immutable(number).map(Into::into));
    if args.proof {
        let head = session.chain.head();
        let proof = session.chain.tree().prove(session.chain.table()?, &hash)?;
        proof.verify(&head.state_root, &hash, found.as_deref())?;
        let file = ProofFile {
            height: head.height,
            state_root: head.state_root,
            contract: key.contract,
            field: number,
            key: hex::encode(&bytes),
            value: found.as_deref().map(hex::encode),
            proof: hex::encode(borsh::to_vec(&proof).context("encoding the proof")?),
        };
        return Ok(output.json(&file)?);
    }
    let describer = Describer::new(&session.chain, &session.names);
    match found {
        Some(value) => {
            let view = cell_view(&describer, contract, &key, &value);
            Ok(output.result(&view.text, &view)?)
        }
        None => {
            output.note(format_args!("{} has no value", describer.key(&key)));
            Ok(output.result("", &Value::Null)?)
        }
    }
}

fn verify(session: &Session, file: &Path, output: &Output) -> Result<(), Failure> {
    let bytes = read_capped(file, PROOF_BYTES_MAX)?;
    let shown = file.display();
    let given: ProofFile =
        serde_json::from_slice(&bytes).with_context(|| format!("{shown} is not a proof"))?;
    let unhex = |text: &str| hex::decode(text).with_context(|| format!("reading {shown}"));
    let proof: Proof = borsh::from_slice(&unhex(&given.proof)?)
        .with_context(|| format!("{shown} holds no proof"))?;
    let value = given.value.as_deref().map(unhex).transpose()?;
    let key = StateKey::new(given.contract, given.field, &unhex(&given.key)?);
    let root = session.chain.head().state_root;
    proof.verify(&root, &key.hash(), value.as_deref()).map_err(|error| {
        Failure::from(error).with_help(format!(
            "the proof was made at height {}, this chain is at {}",
            given.height,
            session.chain.head().height
        ))
    })?;
    let describer = Describer::new(&session.chain, &session.names);
    let contract = describer.contract(&key.contract);
    let bytes = value.unwrap_or_default();
    let text = match (&contract, &given.value) {
        (Some(contract), Some(_)) => cell_view(&describer, contract, &key, &bytes).text,
        (None, Some(value)) => format!("0x{value}"),
        (_, None) => "no value".to_owned(),
    };
    let text = format!("proven under {root}\n{} = {text}", describer.key(&key));
    let json = serde_json::json!({ "proven": true, "state_root": root, "value": given.value });
    Ok(output.result(text, &json)?)
}
