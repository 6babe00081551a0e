//! Files of calls: JSON Lines and CSV, read block by block.
//!
//! | | JSON Lines | CSV |
//! | --- | --- | --- |
//! | sender, contract, method | `from`, `contract`, `method` | the columns of these names |
//! | arguments | `args`: an object by name, or an array in order | each other column is a parameter |
//! | fuel limit | `fuel`, if it is given | the column `fuel` |
//!
//! Without a fuel limit a call may burn its share of the block, or half as much again as one of the method did in a simulation if that is more,
//! and at least 20 million where a simulation has to find its list or fails, because it does not know what earlier calls of the block leave;
//! where fuel costs something, half as much again as in the simulation.
//!
//! In CSV a parameter that is called like one of these columns is the column `arg:NAME`, and an empty
//! field is no argument.

mod csv_lines;
mod json_lines;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Context;
use ed25519_zebra::SigningKey;
use kempe_abi::{Address, Method, MethodId};
use kempe_runtime::engine::Contract;
use kempe_runtime::files;
use kempe_runtime::types::{Action, SignedTransaction, Transaction};

use crate::describe::Describer;
use crate::invoke::find_method;
use crate::output::{Exit, Failure};
use crate::send::ask;
use crate::session::Session;

/// The most bytes of a line or record: what a transaction holds, in hexadecimal, and some more.
pub(crate) const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The least fuel limit of a call whose list a simulation finds, or whose simulation fails, where fuel is free: many times what a trade with a
/// hundred orders burns.
const DYNAMIC_FUEL: u64 = 20_000_000;

/// Where in a file something is, counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

/// Why a line is no call.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) place: Place,
    pub(crate) message: String,
}

/// A call as it stands in the file.
pub(crate) struct Line {
    pub(crate) place: Place,
    pub(crate) from: String,
    pub(crate) contract: String,
    pub(crate) method: String,
    /// The columns of `from`, `contract` and `method`.
    pub(crate) columns: [u64; 3],
    pub(crate) fuel: Option<u64>,
    pub(crate) args: Args,
}

/// The arguments of a call, before their types are known.
pub(crate) enum Args {
    /// The whole line, for the columns of faults, and the arguments.
    Json { text: String, args: serde_json::Value },
    /// The name, the text and the column of each.
    Csv(Vec<(String, String, u64)>),
}

enum Source {
    Json(json_lines::Reader<BufReader<File>>),
    Csv(csv_lines::Reader),
}

/// A file of calls.
pub(crate) struct Calls {
    path: PathBuf,
    source: Source,
    password_stdin: bool,
    keys: BTreeMap<Address, SigningKey>,
    nonces: BTreeMap<Address, u64>,
    contracts: BTreeMap<Address, Rc<Contract>>,
    /// What simulations said, by contract and method.
    simulated: BTreeMap<(Address, MethodId), Simulated>,
    /// The call that did not fit into the block before.
    left: Option<SignedTransaction>,
}

/// What is known of the calls of a method.
#[derive(Clone, Copy)]
struct Simulated {
    /// Whether each has to be simulated for its list.
    each: bool,
    /// The fuel limit that the last of them asked for.
    fuel: u64,
}

impl Calls {
    /// Opens a file.
    pub(crate) fn open(path: &Path, password_stdin: bool) -> Result<Self, Failure> {
        let file = files::open(path).with_context(|| format!("opening {}", path.display()))?;
        let is_csv = path.extension().is_some_and(|extension| extension == "csv");
        let source = if is_csv {
            let reader = csv_lines::Reader::new(file).map_err(|fault| located(path, fault))?;
            Source::Csv(reader)
        } else {
            Source::Json(json_lines::Reader::new(BufReader::new(file)))
        };
        Ok(Self {
            path: path.to_owned(),
            source,
            password_stdin,
            keys: BTreeMap::new(),
            nonces: BTreeMap::new(),
            contracts: BTreeMap::new(),
            simulated: BTreeMap::new(),
            left: None,
        })
    }

    /// The next calls, signed, for a block with this time: at most `n_max`, and as many as its fuel permits; none at the end of the
    /// file.
    pub(crate) fn next_block(
        &mut self,
        session: &Session,
        n_max: usize,
        time_ms: u64,
    ) -> Result<Vec<SignedTransaction>, Failure> {
        let limits = session.chain.genesis().limits;
        let share = limits.block_fuel() / n_max.max(1) as u64;
        let mut block: Vec<SignedTransaction> = self.left.take().into_iter().collect();
        let mut asked: u64 = block.iter().map(|signed| signed.transaction.fuel_limit).sum();
        while block.len() < n_max {
            let line = match &mut self.source {
                Source::Json(reader) => reader.next_line(),
                Source::Csv(reader) => reader.next_line(),
            };
            let Some(line) = line.map_err(|fault| located(&self.path, fault))? else { break };
            let place = line.place;
            let signed =
                self.signed(session, line, share, time_ms).map_err(|error| match error {
                    CallError::Fault(fault) => located(&self.path, fault),
                    CallError::Failure(column, failure) => {
                        let path = self.path.display();
                        failure
                            .with_exit(Exit::Failed)
                            .context(format!("{path}:{}:{column}", place.line))
                    }
                })?;
            asked = asked.saturating_add(signed.transaction.fuel_limit);
            if asked > limits.block_fuel() && !block.is_empty() {
                self.left = Some(signed);
                break;
            }
            block.push(signed);
        }
        Ok(block)
    }

    /// Whether there is a call that did not fit into the block before.
    pub(crate) fn is_left(&self) -> bool {
        self.left.is_some()
    }

    fn signed(
        &mut self,
        session: &Session,
        line: Line,
        share: u64,
        time_ms: u64,
    ) -> Result<SignedTransaction, CallError> {
        let [from, contract, method] = line.columns;
        let at = |column: u64| move |failure| CallError::Failure(column, failure);
        let sender = session.names.account(&line.from).map_err(at(from))?;
        if !self.keys.contains_key(&sender) {
            let key = session.signer_of(&sender, self.password_stdin).map_err(at(from))?;
            self.keys.insert(sender, key);
        }
        let address = session.names.contract(&line.contract).map_err(at(contract))?;
        let loaded = self.contract(session, address).map_err(at(contract))?;
        let found = find_method(loaded.abi(), &line.contract, &line.method).map_err(at(method))?;
        let args = encode(found, &line, session).map_err(CallError::Fault)?;
        let tx = self
            .transaction(session, sender, (address, found, args), (line.fuel, share), time_ms)
            .map_err(at(line.place.column))?;
        Ok(tx.sign(&self.keys[&sender]))
    }

    fn contract(&mut self, session: &Session, address: Address) -> Result<Rc<Contract>, Failure> {
        if let Some(contract) = self.contracts.get(&address) {
            return Ok(contract.clone());
        }
        let describer = Describer::new(&session.chain, &session.names);
        let contract = describer.contract(&address).ok_or_else(|| {
            Failure::new(Exit::Failed, format!("there is no contract at {address}"))
        })?;
        self.contracts.insert(address, contract.clone());
        Ok(contract)
    }

    fn transaction(
        &mut self,
        session: &Session,
        sender: Address,
        (contract, method, args): (Address, &Method, Vec<u8>),
        (fuel, share): (Option<u64>, u64),
        time_ms: u64,
    ) -> Result<Transaction, Failure> {
        let chain = &session.chain;
        let id = MethodId::of(&method.name);
        let action = Action::Call { contract, method: id, args };
        let nonce = match self.nonces.get(&sender) {
            Some(&nonce) => nonce,
            None => chain.next_nonce(&sender)?,
        };
        let (gas, fuel_max) = (chain.genesis().prices.gas, chain.genesis().limits.tx_fuel_max);
        let mut tx = Transaction {
            chain_id: chain.genesis().chain_id,
            sender,
            nonce,
            fuel_limit: fuel.unwrap_or(fuel_max),
            actions: vec![action],
            access: Vec::new(),
        };
        // A simulation is as expensive as the call, so it is left out where the template says all.
        let known = self.simulated.get(&(contract, id)).copied();
        let known = if let Some(known) = known.filter(|known| !known.each && gas == 0) {
            known
        } else {
            let asked = ask(chain, &tx, time_ms)?;
            tx.access = asked.access;
            let each = !tx.access.is_empty();
            if asked.succeeds || gas > 0 {
                let known = Simulated { each, fuel: asked.fuel };
                self.simulated.insert((contract, id), known);
                known
            } else {
                // What fails without those before it in the file says nothing of what it takes behind them.
                Simulated { each, fuel: DYNAMIC_FUEL }
            }
        };
        if fuel.is_none() {
            let free = if known.each { share.max(DYNAMIC_FUEL) } else { share };
            tx.fuel_limit = known.fuel.max(if gas == 0 { free } else { 0 }).min(fuel_max);
        }
        self.nonces.insert(sender, nonce + 1);
        Ok(tx)
    }
}

enum CallError {
    Fault(Fault),
    /// With the column.
    Failure(u64, Failure),
}

fn encode(method: &Method, line: &Line, session: &Session) -> Result<Vec<u8>, Fault> {
    let resolve = |word: &str| session.names.find(word);
    match &line.args {
        Args::Json { text, args } => {
            json_lines::encode(method, text, args, &resolve).map_err(|(column, message)| Fault {
                place: Place { line: line.place.line, column },
                message,
            })
        }
        Args::Csv(given) => {
            let pairs: Vec<_> =
                given.iter().map(|(name, text, _)| (name.clone(), text.clone())).collect();
            crate::value::encode_args(&method.params, &pairs, &resolve).map_err(|error| {
                let message = error.to_string();
                // The error names the parameter first of all.
                let at = given.iter().find(|(name, ..)| {
                    error.at.split(['.', '[']).next() == Some(name)
                        || error.problem.contains(&format!("`{name}`"))
                });
                let column = at.map_or(1, |(_, _, column)| *column);
                Fault { place: Place { line: line.place.line, column }, message }
            })
        }
    }
}

fn located(path: &Path, fault: Fault) -> Failure {
    let Fault { place, message } = fault;
    let shown = format!("{}:{}:{}: {message}", path.display(), place.line, place.column);
    Failure::new(Exit::Failed, shown)
}
