//! `kempe keys`: the keys of accounts.

use std::io::{self, IsTerminal};

use clap::Subcommand;
use ed25519_zebra::SigningKey;
use kempe_abi::Address;
use kempe_runtime::chain::exists;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::args::{Global, HELP};
use crate::keystore::{KeyError, KeyInfo, Keystore};
use crate::output::{Exit, Failure, Output};
use crate::password;
use crate::session::{ChainArgs, Session, development_key, keystore};

const EXAMPLES: &str = "\
Examples:
  kempe keys new zoe                asks for a password
  kempe keys list
  echo $PASSWORD | kempe keys new yuri --password-stdin
  kempe keys sign zoe 0x6f7261636c65    the encoded report, permit or tap that a contract checks

Where there is a development chain, `show` and `sign` take its accounts, as --from does. A name
that an account and a key have is the account's there; an address names the key.
A password comes from the terminal, from --password-stdin, or from KEMPE_PASSWORD.";

/// The arguments of `kempe keys`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, help_template = HELP)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a random key
    New {
        /// What to call it
        name: String,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        chain: ChainArgs,
    },
    /// Show names and addresses
    List,
    /// Show the address of a key or a development account
    Show {
        /// The key or the account: its name or address
        name: String,
        #[command(flatten)]
        chain: ChainArgs,
    },
    /// Store a secret that exists: 64 hexadecimal digits, from the terminal or standard input
    Import {
        /// What to call it
        name: String,
        /// Read the password from the first line of standard input, the secret from the next
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        chain: ChainArgs,
    },
    /// Sign the blake3 hash of a message, as contracts check what `hash(..)` makes of a value
    Sign {
        /// The key or the development account: its name or address
        name: String,
        /// The message, in hexadecimal: the encoded value
        message: String,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        chain: ChainArgs,
    },
    /// Print the secret of a key
    Export {
        /// The key
        name: String,
        /// Yes, print the secret: whoever sees it owns the account
        #[arg(long, required = true)]
        reveal_secret: bool,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Remove a key for good
    Remove {
        /// The key
        name: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Serialize)]
struct Signed<'a> {
    address: Address,
    signature: &'a str,
}

#[derive(Serialize)]
struct Secret<'a> {
    name: &'a str,
    secret: &'a str,
}

pub(super) fn run(args: Args, global: &Global, output: &Output) -> Result<(), Failure> {
    let keys = keystore(global);
    match args.verb {
        Verb::New { name, password_stdin, chain } => {
            absent(&keys, &name)?;
            // Before somebody thinks of a password.
            warn_of_namesake(&chain, &name, None, global, output);
            let password = password::new(&name, password_stdin)?;
            let info = keys.create(&name, &password)?;
            output.note(format_args!(
                "stored in {}; there is no way back without file and password",
                keys.dir().display()
            ));
            show(&info, output)
        }
        Verb::List => {
            let (infos, broken) = keys.list_all()?;
            for (_, error) in &broken {
                output.warn(format_args!("a key is left out: {error}"));
            }
            if infos.is_empty() && broken.is_empty() {
                output.note(format_args!("no keys in {}", keys.dir().display()));
            }
            let width = infos.iter().map(|info| info.name.len()).max().unwrap_or_default();
            let line = |info: &KeyInfo| format!("{:width$}  {}", info.name, info.address);
            let text = infos.iter().map(line).collect::<Vec<_>>().join("\n");
            Ok(output.result(text, &infos)?)
        }
        Verb::Show { name, chain } => {
            show(&find(&keys, &chain, &name, global, output)?.info, output)
        }
        Verb::Import { name, password_stdin, chain } => {
            absent(&keys, &name)?;
            let password = password::new(&name, password_stdin)?;
            let info = keys.import(&name, &password, &secret()?)?;
            warn_of_namesake(&chain, &name, Some(info.address), global, output);
            show(&info, output)
        }
        Verb::Sign { name, message, password_stdin, chain } => {
            let found = find(&keys, &chain, &name, global, output)?;
            let message = message_bytes(&message)?;
            let key = found.open(&keys, password_stdin)?;
            let signature = key.sign(blake3::hash(&message).as_bytes());
            let signature = format!("0x{}", hex::encode(signature.to_bytes()));
            let signed = Signed { address: found.info.address, signature: &signature };
            Ok(output.result(&signature, &signed)?)
        }
        Verb::Export { name, reveal_secret: _, password_stdin } => {
            keys.info(&name)?;
            let password = password::existing(&name, password_stdin)?;
            let key = keys.open(&name, &password)?;
            let secret = Zeroizing::new(hex::encode(key.as_bytes()));
            Ok(output.result(&*secret, &Secret { name: &name, secret: &secret })?)
        }
        Verb::Remove { name, yes } => {
            let info = keys.info(&name)?;
            if !yes && !confirm(&info, output)? {
                return Err(Failure::new(Exit::Failed, "nothing was removed"));
            }
            keys.remove(&name)?;
            output.note(format_args!("removed {name}"));
            Ok(output.result("", &info)?)
        }
    }
}

fn show(info: &KeyInfo, output: &Output) -> Result<(), Failure> {
    Ok(output.result(info.address, info)?)
}

/// Refuses a bad or taken name before it asks for a password.
fn absent(keys: &Keystore, name: &str) -> Result<(), Failure> {
    match keys.info(name) {
        Err(KeyError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(KeyError::Exists(name.into()).into()),
    }
}

/// Who can sign.
struct Found {
    info: KeyInfo,
    is_development: bool,
}

impl Found {
    fn open(&self, keys: &Keystore, password_stdin: bool) -> Result<SigningKey, Failure> {
        let name = &self.info.name;
        if self.is_development {
            return Ok(development_key(name));
        }
        Ok(keys.open(name, &password::existing(name, password_stdin)?)?)
    }
}

/// Who signs where `--from` has this word: a development account of the chain, if there is one, or else a key.
fn find(
    keys: &Keystore,
    chain: &ChainArgs,
    word: &str,
    global: &Global,
    output: &Output,
) -> Result<Found, Failure> {
    let session = session(chain, global, output);
    let address = session.as_ref().and_then(|session| session.names.find(word));
    let account = session.as_ref().zip(address).and_then(|(session, address)| {
        let name = session.development(&address)?.to_owned();
        Some(KeyInfo { name, address })
    });
    let stored = match word.parse::<Address>() {
        Ok(address) if word.starts_with("0x") => {
            keys.list()?.into_iter().find(|info| info.address == address).ok_or_else(|| {
                Failure::new(Exit::Failed, format!("the key of {address} is not here"))
                    .with_help("`kempe keys list` shows the keys that are")
            })
        }
        _ => keys.info(word).map_err(Failure::from),
    };
    let Some(info) = account else { return Ok(Found { info: stored?, is_development: false }) };
    if let Ok(other) = stored.as_ref()
        && other.address != info.address
    {
        output.warn(format_args!(
            "this is the development account `{word}` of the chain in {}; the key called `{word}` is {}",
            chain.directory().display(),
            other.address
        ));
    }
    Ok(Found { info, is_development: true })
}

/// Warns that a name means something else on the chain, if there is one, than the key with this address.
fn warn_of_namesake(
    chain: &ChainArgs,
    name: &str,
    address: Option<Address>,
    global: &Global,
    output: &Output,
) {
    let session = session(chain, global, output);
    let taken = session.and_then(|session| session.names.on_chain(name));
    if taken.is_some() && taken != address {
        output.warn(format_args!(
            "the chain in {} has another `{name}`, and `--from {name}` is that one there: name this key by its \
             address, or choose another name",
            chain.directory().display()
        ));
    }
}

/// The chain, if there is one. Keys can be used without.
fn session(chain: &ChainArgs, global: &Global, output: &Output) -> Option<Session> {
    let dir = chain.directory();
    let open = || Session::open(chain, global);
    exists(&dir)
        .then(open)?
        .map_err(|failure| {
            output.warn(format_args!("the chain in {} is not asked: {failure}", dir.display()));
        })
        .ok()
}

/// The bytes whose hash is signed. A transaction's is made with a key of its own, so no message has the hash of one.
fn message_bytes(message: &str) -> Result<Vec<u8>, Failure> {
    hex::decode(message.strip_prefix("0x").unwrap_or(message)).map_err(|error| {
        Failure::new(Exit::Usage, format!("the message is not hexadecimal: {error}"))
    })
}

fn secret() -> Result<Zeroizing<String>, Failure> {
    if io::stdin().is_terminal() {
        return Ok(Zeroizing::new(rpassword::prompt_password("Secret: ")?));
    }
    Ok(password::stdin_line("the secret")?)
}

fn confirm(info: &KeyInfo, output: &Output) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Usage, "there is no terminal to ask on")
            .with_help("add --yes to remove the key without being asked"));
    }
    output.note(format_args!("Remove {} ({}) for good? Type its name:", info.name, info.address));
    Ok(*password::stdin_line("the name")? == info.name)
}
