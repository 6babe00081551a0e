//! `kempe keys`: the keys of accounts.

use std::io::{self, IsTerminal};

use clap::Subcommand;
use kempe_abi::Address;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::args::{Global, HELP};
use crate::keystore::{KeyInfo, Keystore};
use crate::output::{Exit, Failure, Output};
use crate::password;

const EXAMPLES: &str = "\
Examples:
  kempe keys new alice              asks for a password
  kempe keys list
  echo $PASSWORD | kempe keys new bob --password-stdin
  kempe keys sign alice 0x6f7261636c65    the encoded report, permit or tap that a contract checks

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
    },
    /// Show names and addresses
    List,
    /// Show the address of a key
    Show {
        /// The key
        name: String,
    },
    /// Store a secret that exists: 64 hexadecimal digits, from the terminal or standard input
    Import {
        /// What to call it
        name: String,
        /// Read the password from the first line of standard input, the secret from the next
        #[arg(long)]
        password_stdin: bool,
    },
    /// Sign the blake3 hash of a message, as contracts check what `hash(..)` makes of a value
    Sign {
        /// The key
        name: String,
        /// The message, in hexadecimal: the encoded value
        message: String,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
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
    let keys = Keystore::new(global.home().join("keys"));
    match args.verb {
        Verb::New { name, password_stdin } => {
            absent(&keys, &name)?;
            let password = password::new(&name, password_stdin)?;
            let info = keys.create(&name, &password)?;
            output.note(format_args!(
                "stored in {}; there is no way back without file and password",
                keys.dir().display()
            ));
            show(&info, output)
        }
        Verb::List => {
            let infos = keys.list()?;
            if infos.is_empty() {
                output.note(format_args!("no keys in {}", keys.dir().display()));
            }
            let width = infos.iter().map(|info| info.name.len()).max().unwrap_or_default();
            let line = |info: &KeyInfo| format!("{:width$}  {}", info.name, info.address);
            let text = infos.iter().map(line).collect::<Vec<_>>().join("\n");
            Ok(output.result(text, &infos)?)
        }
        Verb::Show { name } => show(&keys.info(&name)?, output),
        Verb::Import { name, password_stdin } => {
            absent(&keys, &name)?;
            let password = password::new(&name, password_stdin)?;
            let info = keys.import(&name, &password, &secret()?)?;
            show(&info, output)
        }
        Verb::Sign { name, message, password_stdin } => {
            let address = keys.info(&name)?.address;
            let message = message_bytes(&message)?;
            let password = password::existing(&name, password_stdin)?;
            let signature = keys.open(&name, &password)?.sign(blake3::hash(&message).as_bytes());
            let signature = format!("0x{}", hex::encode(signature.to_bytes()));
            Ok(output.result(&signature, &Signed { address, signature: &signature })?)
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
        Err(crate::keystore::KeyError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(crate::keystore::KeyError::Exists(name.into()).into()),
    }
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
