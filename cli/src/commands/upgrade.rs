//! `kempe upgrade`: new code for a contract.

use std::fmt::Write;
use std::path::PathBuf;

use ed25519_zebra::SigningKey;
use kempe_abi::upgrade::{
    AUTHORIZE, Change, EventChange, FieldChange, MethodChange, UpgradeTerms, check, events, fields,
    interfaces, methods,
};
use kempe_abi::{Abi, AbiType, Address, ErrorCase, Hash, Method, MethodKind, Type};
use kempe_runtime::engine::admission::admit;
use kempe_runtime::types::{Action, Upgrade, address_of};
use serde::Serialize;

use crate::abi_view::{access_lines, event_line, field_line, interface_line, printable, signature};
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

A contract can be upgraded if it was deployed with --upgradable-by, by that account; if the
authority is a contract it is asked, and anybody may send what it agreed to. Without --allow-wider
an upgrade is refused in which a method may touch more than before, takes, returns or refuses with
something else, or is gone, or an event or an interface is.
An upgrade that fails ends with code 3 and leaves everything as it was.";

/// The arguments of `kempe upgrade`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    /// The contract: its name or address
    contract: String,

    /// The new code: wasm, WAT text (.wat), or the directory of the contract, which is built
    file: PathBuf,

    /// Let methods touch more than before, be others or go away, and so events and interfaces
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
    /// The events that are not kept.
    events: Vec<EventView>,
    /// The interfaces that the contract no longer has.
    interfaces: Vec<String>,
    terms: Terms,
}

#[derive(Serialize)]
struct FieldView {
    old: String,
    new: Option<String>,
    migrated: bool,
    /// Whether it has cells that the migration may leave as they were, which the new code misreads.
    is_map: bool,
}

#[derive(Serialize)]
struct EventView {
    old: String,
    new: Option<String>,
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
    errors: Vec<String>,
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
    let now = loaded.record.authority.ok_or_else(|| nobody(&session, &contract))?;
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
    let authority = if args.last { None } else { named.or(Some(now)) };
    let upgrade =
        Upgrade { contract, wasm, args: encoded, allow_wider: args.allow_wider, authority };
    let difference = Difference::new(&session, loaded.abi(), &new, &upgrade);
    let misfit = check(loaded.abi(), &new, args.allow_wider).err().map(|misfit| {
        let allowed = check(loaded.abi(), &new, true).is_ok();
        let help = if allowed { "--allow-wider permits it" } else { "nothing was sent" };
        Failure::new(Exit::Failed, misfit).with_help(help)
    });
    // A contract that decides about itself does so with its new code.
    let may_decide = match authority {
        Some(authority) if authority == contract => can_agree(&session, &authority, &new),
        Some(authority) => check_authority(&session, &authority),
        None => Ok(()),
    };
    let refused = misfit.or(may_decide.err());
    if args.dry_run {
        output.result(difference.text(), &difference)?;
        return refused.map_or(Ok(()), Err);
    }
    if let Some(failure) = refused {
        output.note(difference.text());
        return Err(failure);
    }
    drop(loaded);
    let key = session.signer(&args.signer)?;
    may_send(&session, &address_of(&key), &contract, &now)?;
    send_it(&mut session, &key, upgrade, args.fuel, difference, output)
}

/// Why a contract without an authority has the code that it has.
fn nobody(session: &Session, contract: &Address) -> Failure {
    let message = format!(
        "nobody can upgrade {}: it was deployed without --upgradable-by, or its last upgrade was --final",
        session.names.show(contract)
    );
    Failure::new(Exit::Failed, message).with_help("deploy the new code as another contract")
}

/// Refuses a contract as the authority that could never agree: nobody could upgrade anymore what it decides about.
pub(super) fn check_authority(session: &Session, authority: &Address) -> Result<(), Failure> {
    let contract = session.chain.contract(authority)?;
    contract.map_or(Ok(()), |contract| can_agree(session, authority, contract.abi()))
}

/// Whether a contract with this ABI has the method by which the host asks it.
fn can_agree(session: &Session, contract: &Address, abi: &Abi) -> Result<(), Failure> {
    let asked = abi.method(AUTHORIZE).filter(|method| {
        let types = method.params.iter().map(|param| &param.ty);
        method.returns == Type::Unit && types.eq([&Type::from(UpgradeTerms::TYPE)])
    });
    asked.map(drop).ok_or_else(|| {
        let name = session.names.show(contract);
        let message = format!(
            "`{name}` could never agree to an upgrade: it has no `{AUTHORIZE}(UpgradeTerms)`"
        );
        Failure::new(Exit::Failed, message).with_help(
            "nothing was sent; let an account decide, or a contract with that method, as governance and multisig are",
        )
    })
}

/// Whether who signs is the authority, or that is a contract, which the host asks. Else the fuel for the code would be
/// burned for nothing.
fn may_send(
    session: &Session,
    signer: &Address,
    contract: &Address,
    authority: &Address,
) -> Result<(), Failure> {
    if signer == authority || session.chain.contract(authority)?.is_some() {
        return Ok(());
    }
    let [contract, authority] = [contract, authority].map(|who| session.names.show(who));
    Err(Failure::new(Exit::Failed, format!("only {authority} can upgrade {contract}"))
        .with_help(format!("--from {authority} signs as that account; nothing was sent")))
}

fn send_it(
    session: &mut Session,
    key: &SigningKey,
    upgrade: Upgrade,
    fuel: Option<u64>,
    difference: Difference,
    output: &Output,
) -> Result<(), Failure> {
    let action = Action::Upgrade(Box::new(upgrade));
    let report = send(&mut session.chain, key, vec![action], fuel)?;
    let describer = Describer::new(&session.chain, &session.names);
    let mut tx = TxView::new(&describer, &report.record, 0).expect("the block has one transaction");
    tx.logs = report.logs.concat();
    let upgraded = Upgraded { difference, tx };
    let text = format!("{}{}", upgraded.difference.text(), upgraded.tx.text());
    upgraded.tx.print(output, text, &upgraded)?;
    upgraded.tx.check()
}

/// An upgrade authority as it is named on the command line.
pub(super) fn authority(session: &Session, word: &str) -> Result<Address, Failure> {
    session.names.contract(word).or_else(|_| session.names.account(word))
}

impl Shown {
    fn new(abi: &Abi, method: &Method) -> Self {
        let cases = method.error.iter().flat_map(|set| &set.cases);
        let error = |case: &ErrorCase| format!("error {} = {}", printable(&case.name), case.code);
        let errors = cases.map(error).collect();
        Self { signature: signature(method), access: access_lines(abi, method), errors }
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
            is_map: !change.old.keys.is_empty(),
        };
        let event = |change: EventChange<'_>| EventView {
            old: event_line(change.old),
            new: change.new.map(event_line),
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
            events: events(old, new).into_iter().map(event).collect(),
            interfaces: interfaces(old, new).into_iter().map(interface_line).collect(),
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
        for FieldView { old, new, migrated, is_map } in &self.fields {
            let by = match (migrated, is_map) {
                (false, _) => ", not kept",
                (true, false) => ", migrated",
                (true, true) => ", migrated: a cell that `migrate` does not rewrite is misread",
            };
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
            // Errors are many and seldom change.
            let errors = |shown: &Option<Shown>| shown.as_ref().map(|shown| shown.errors.clone());
            let same_errors = old.is_none() || new.is_none() || errors(old) == errors(new);
            for (sign, shown) in [('-', old), ('+', new)] {
                let lines = shown.iter().flat_map(|shown| {
                    let errors = if same_errors { &[][..] } else { &shown.errors };
                    [&shown.signature].into_iter().chain(&shown.access).chain(errors)
                });
                for line in lines {
                    put(format_args!("         {sign} {line}"));
                }
            }
        }
        for EventView { old, new } in &self.events {
            put(format_args!("event      {old} -> {}", new.as_deref().unwrap_or("nothing")));
        }
        for interface in &self.interfaces {
            put(format_args!("interface  {interface} -> nothing"));
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
