//! `kempe upgrade`: new code for a contract.

use std::fmt::Write;
use std::path::PathBuf;

use kempe_abi::upgrade::{Change, FieldChange, MethodChange, check, fields, methods};
use kempe_abi::{Abi, Hash, Method, MethodKind};
use kempe_runtime::engine::admission::admit;
use kempe_runtime::types::{Action, Upgrade};
use serde::Serialize;

use crate::abi_view::{access_lines, field_line, printable, signature};
use crate::args::{Global, HELP};
use crate::describe::Describer;
use crate::output::{Exit, Failure, Output};
use crate::report::TxView;
use crate::send::send;
use crate::session::{ChainArgs, Session, SignerArgs};
use crate::{invoke, module};

const EXAMPLES: &str = "\
Examples:
  kempe upgrade vault vault2.wasm --dry-run       what would change, and the terms to agree to
  kempe upgrade vault contracts/vault --from alice
  kempe upgrade vault vault2.wasm -- --accounts '[\"alice\",\"bob\"]'   the arguments of migrate
  kempe upgrade vault vault2.wasm --final         the last upgrade: nobody may do another

A contract can be upgraded if it was deployed with --upgradable-by, by that account; if the authority is a
contract it is asked, and anybody may send what it agreed to. Without --allow-wider an upgrade is refused
in which a method that stays may touch more than before, or takes or returns something else.
An upgrade that fails ends with code 3 and leaves everything as it was.";

/// The arguments of `kempe upgrade`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// The contract: its name or address
    contract: String,

    /// The new code: wasm, WAT text (.wat), or the directory of the contract, which is built
    file: PathBuf,

    /// Let methods touch more than before, or take and return something else
    #[arg(long)]
    allow_wider: bool,

    /// Who may upgrade it from then on: an account or a contract [default: who may now]
    #[arg(long, value_name = "WHO", conflicts_with = "last")]
    upgradable_by: Option<String>,

    /// Let nobody upgrade it from then on
    #[arg(long = "final")]
    last: bool,

    /// Only show what would change
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    signer: SignerArgs,

    /// The most fuel that it may burn [default: the chain's limit]
    #[arg(long, value_name = "N")]
    fuel: Option<u64>,

    #[command(flatten)]
    chain: ChainArgs,

    /// The arguments of `migrate`
    #[arg(last = true, value_name = "--NAME VALUE")]
    args: Vec<String>,
}

/// What changes, and what is to be agreed to.
#[derive(Serialize)]
struct Difference {
    fields: Vec<FieldView>,
    methods: Vec<MethodView>,
    terms: Terms,
}

#[derive(Serialize)]
struct FieldView {
    old: String,
    new: Option<String>,
    migrated: bool,
}

#[derive(Serialize)]
struct MethodView {
    change: Change,
    name: String,
    old: Option<Shown>,
    new: Option<Shown>,
}

/// A method as it is shown.
#[derive(PartialEq, Eq, Serialize)]
struct Shown {
    signature: String,
    access: Vec<String>,
}

#[derive(Serialize)]
struct Terms {
    contract: String,
    code: String,
    args: String,
    allow_wider: bool,
    authority: Option<String>,
    /// What an authority agrees to that stores no more than a hash: governance's step names it.
    hash: String,
}

#[derive(Serialize)]
struct Upgraded {
    #[serde(flatten)]
    difference: Difference,
    #[serde(flatten)]
    tx: TxView,
}

pub(super) fn run(args: &Args, global: &Global, output: &Output) -> Result<(), Failure> {
    let wasm = module::load(&args.file, output)?;
    let new = admit(&wasm).map_err(|refusal| {
        Failure::from(refusal)
            .with_help("`kempe check` says what a module is made of")
            .context(format!("{} is refused", args.file.display()))
    })?;
    let new = new.abi;
    if invoke::wants_help(&args.args) {
        let command = format!("upgrade {} {} --", args.contract, args.file.display());
        return Ok(output.result(invoke::once_help(&new, &command), &new.name)?);
    }
    let mut session = Session::open(&args.chain, global)?;
    let contract = session.names.contract(&args.contract)?;
    let loaded = session
        .chain
        .contract(&contract)?
        .ok_or_else(|| Failure::new(Exit::Failed, format!("there is no contract at {contract}")))?;
    // The same code is only handed on: its state needs no migration.
    let is_new = Hash(*blake3::hash(&wasm).as_bytes()) != loaded.record.code;
    let migrate = new.methods.iter().find(|method| method.kind == MethodKind::Migrate);
    let encoded = match migrate.filter(|_| is_new) {
        Some(migrate) => invoke::encode(migrate, &args.args, &session.names)?,
        None if args.args.is_empty() => Vec::new(),
        None => {
            let why =
                if is_new { "has no migrate" } else { "is the code it has: nothing migrates" };
            let message = format!("`{}` {why}, so there is nothing that takes arguments", new.name);
            return Err(Failure::new(Exit::Usage, message));
        }
    };
    let named = args.upgradable_by.as_ref().map(|word| authority(&session, word)).transpose()?;
    let authority = if args.last { None } else { named.or(loaded.record.authority) };
    let upgrade =
        Upgrade { contract, wasm, args: encoded, allow_wider: args.allow_wider, authority };
    let difference = Difference::new(&session, loaded.abi(), &new, &upgrade);
    let refused = check(loaded.abi(), &new, args.allow_wider).err().map(|misfit| {
        let allowed = check(loaded.abi(), &new, true).is_ok();
        let help = if allowed { "--allow-wider permits it" } else { "nothing was sent" };
        Failure::new(Exit::Failed, misfit).with_help(help)
    });
    if args.dry_run {
        output.result(difference.text(), &difference)?;
        return refused.map_or(Ok(()), Err);
    }
    if let Some(failure) = refused {
        output.note(difference.text());
        return Err(failure);
    }
    drop(loaded);
    send_it(&mut session, args, upgrade, difference, output)
}

fn send_it(
    session: &mut Session,
    args: &Args,
    upgrade: Upgrade,
    difference: Difference,
    output: &Output,
) -> Result<(), Failure> {
    let key = session.signer(&args.signer)?;
    let action = Action::Upgrade(Box::new(upgrade));
    let report = send(&mut session.chain, &key, vec![action], args.fuel)?;
    let describer = Describer::new(&session.chain, &session.names);
    let mut tx = TxView::new(&describer, &report.record, 0).expect("the block has one transaction");
    tx.logs = report.logs.concat();
    let upgraded = Upgraded { difference, tx };
    output.result(format!("{}{}", upgraded.difference.text(), upgraded.tx.text()), &upgraded)?;
    upgraded.tx.check()
}

/// An upgrade authority as it is named on the command line.
pub(super) fn authority(session: &Session, word: &str) -> Result<kempe_abi::Address, Failure> {
    session.names.contract(word).or_else(|_| session.names.account(word))
}

impl Shown {
    fn new(abi: &Abi, method: &Method) -> Self {
        Self { signature: signature(method), access: access_lines(abi, method) }
    }
}

impl Difference {
    fn new(session: &Session, old: &Abi, new: &Abi, upgrade: &Upgrade) -> Self {
        let terms = upgrade.terms();
        let encoded = borsh::to_vec(&terms).expect("encoding to memory cannot fail");
        let field = |change: FieldChange<'_>| FieldView {
            old: field_line(change.old),
            new: change.new.map(field_line),
            migrated: change.is_covered(),
        };
        let method = |change: MethodChange<'_>| MethodView {
            change: change.change,
            name: change.new.or(change.old).map(|m| printable(&m.name)).unwrap_or_default(),
            old: change.old.map(|method| Shown::new(old, method)),
            new: change.new.map(|method| Shown::new(new, method)),
        };
        Self {
            fields: fields(old, new).into_iter().map(field).collect(),
            methods: methods(old, new).into_iter().map(method).collect(),
            terms: Terms {
                contract: terms.contract.to_string(),
                code: terms.code.to_string(),
                args: format!("0x{}", hex::encode(&terms.args)),
                allow_wider: terms.allow_wider,
                authority: terms.authority.map(|authority| session.names.show(&authority)),
                hash: Hash(*blake3::hash(&encoded).as_bytes()).to_string(),
            },
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut put = |line: std::fmt::Arguments<'_>| {
            writeln!(text, "{line}").expect("a string takes any text");
        };
        for FieldView { old, new, migrated } in &self.fields {
            let by = if *migrated { ", migrated" } else { ", not kept" };
            put(format_args!("field      {old} -> {}{by}", new.as_deref().unwrap_or("nothing")));
        }
        for MethodView { change, name, old, new } in &self.methods {
            let word = match change {
                Change::Equal => "equal",
                Change::Narrower => "narrower",
                Change::Wider => "wider",
                Change::Signature => "signature",
                Change::New => "new",
                Change::Removed => "removed",
            };
            put(format_args!("{word:<10} {name}"));
            if old == new {
                continue;
            }
            for (sign, shown) in [('-', old), ('+', new)] {
                let lines = shown
                    .iter()
                    .flat_map(|shown| [&shown.signature].into_iter().chain(&shown.access));
                for line in lines {
                    put(format_args!("         {sign} {line}"));
                }
            }
        }
        let Terms { code, args, allow_wider, authority, hash, .. } = &self.terms;
        put(format_args!("code       {code}"));
        put(format_args!("args       {args}"));
        put(format_args!("allows     {}", if *allow_wider { "wider" } else { "no wider" }));
        put(format_args!(
            "authority  {}",
            authority.as_deref().unwrap_or("nobody: the last upgrade")
        ));
        put(format_args!("terms      {hash}"));
        text
    }
}
