//! What became of a transaction, for people and for scripts.

use std::fmt::{Display, Write};

use kempe_abi::{AccessKind, Address, Outcome, Type};
use kempe_runtime::chain::Simulation;
use kempe_runtime::types::{
    Action, BlockRecord, DeclaredAccess, EventRecord, Receipt, Transaction, contract_address,
};
use serde::Serialize;
use serde_json::Value;

use crate::describe::{BoundView, Describer, EventView, OutcomeView, Shown};
use crate::output::{Exit, Failure, Output};
use crate::value;

/// A transaction that is part of a block.
#[derive(Clone, Debug, Serialize)]
pub struct TxView {
    /// Its hash.
    pub tx: String,
    /// The block.
    pub height: u64,
    /// The position in the block.
    pub index: usize,
    /// The batch in which it ran; none in the tail lane.
    pub batch: Option<usize>,
    /// Whether it ran alone, after the batches.
    pub tail: bool,
    /// Who sent it.
    pub sender: String,
    /// Its nonce.
    pub nonce: u64,
    /// What it does.
    pub actions: Vec<String>,
    /// The addresses of the contracts that it deployed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contracts: Vec<Address>,
    /// How it ended.
    pub outcome: OutcomeView,
    /// The results of its calls.
    pub results: Vec<Value>,
    /// The calls that the results hold, as a proposal does, where they are known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub result_calls: Vec<String>,
    /// Its events.
    pub events: Vec<EventView>,
    /// The fuel it burned.
    pub fuel: u64,
    /// The most it might burn.
    pub fuel_limit: u64,
    /// What its sender paid.
    pub fee: String,
    /// The log lines, where the block was made just now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<String>,
    #[serde(skip)]
    result_texts: Vec<String>,
    #[serde(skip)]
    has_calls: bool,
}

impl TxView {
    /// The transaction at a position of a block; `None` if the block is shorter.
    #[must_use]
    pub fn new(describer: &Describer<'_>, record: &BlockRecord, index: usize) -> Option<Self> {
        let signed = record.block.transactions.get(index)?;
        let receipt: &Receipt = record.receipts.get(index)?;
        let tx = &signed.transaction;
        let mut batches = record.block.schedule.batches();
        let batch = batches.position(|batch| batch.iter().any(|&at| at as usize == index));
        let Results { json, texts, calls } = Results::new(describer, tx, &receipt.results);
        Some(Self {
            tx: receipt.tx.to_string(),
            height: record.block.header.height,
            index,
            batch: batch.filter(|_| !receipt.tail),
            tail: receipt.tail,
            sender: describer.names().show(&tx.sender),
            nonce: tx.nonce,
            actions: tx.actions.iter().map(|action| describer.action(action)).collect(),
            contracts: deployed(tx, receipt),
            outcome: describer.outcome(receipt.outcome, receipt.failure.as_deref(), Some(tx)),
            results: json,
            result_calls: calls,
            events: events(describer, &receipt.events),
            fuel: receipt.fuel,
            fuel_limit: tx.fuel_limit,
            fee: receipt.fee.to_string(),
            logs: Vec::new(),
            result_texts: texts,
            has_calls: tx.actions.iter().any(|action| matches!(action, Action::Call { .. })),
        })
    }

    /// Several lines of text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for action in &self.actions {
            line(&mut text, "action", action);
        }
        for contract in &self.contracts {
            line(&mut text, "contract", &contract.to_string());
        }
        line(&mut text, "sender", &format!("{}, nonce {}", self.sender, self.nonce));
        outcome_lines(&mut text, &self.outcome);
        for result in &self.result_texts {
            line(&mut text, "result", result);
        }
        events_lines(&mut text, &self.events, &self.logs);
        line(&mut text, "fuel", &used(self.fuel, self.fuel_limit, &self.fee));
        let lane = match self.batch {
            Some(batch) => format!("batch {batch}"),
            None => "the tail lane".to_owned(),
        };
        line(&mut text, "block", &format!("{}, position {}, {lane}", self.height, self.index));
        line(&mut text, "tx", &self.tx);
        text
    }

    /// Prints the result of a command that sent this transaction.
    ///
    /// # Errors
    /// When it cannot be printed, which does not undo the transaction: what was committed is said then.
    pub fn print(
        &self,
        output: &Output,
        text: impl Display,
        json: &impl Serialize,
    ) -> Result<(), Failure> {
        let Self { tx, height, .. } = self;
        let addresses = self.contracts.iter().map(|address| format!(" with contract {address}"));
        let addresses: String = addresses.collect();
        let what = format!("transaction {tx} is committed in block {height}{addresses}");
        let help = format!("do not send it again: `kempe tx {height}:{}` shows it", self.index);
        output.done(text, json, what).map_err(|failure| failure.with_help(help))
    }

    /// The failure with which the command ends if the transaction did not succeed.
    ///
    /// # Errors
    /// That failure.
    pub fn check(&self) -> Result<(), Failure> {
        let help = if self.has_calls {
            "`kempe simulate` says what a call would do; nothing but the sender's nonce and fee changed"
        } else {
            "nothing but the sender's nonce and fee changed"
        };
        check(&self.outcome, help)
    }
}

/// What a transaction would do.
#[derive(Clone, Debug, Serialize)]
pub struct SimulationView {
    /// How it would end.
    pub outcome: OutcomeView,
    /// The results of its calls.
    pub results: Vec<Value>,
    /// The calls that the results hold, as a proposal does, where they are known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub result_calls: Vec<String>,
    /// Its events.
    pub events: Vec<EventView>,
    /// The fuel it would burn.
    pub fuel: u64,
    /// The most it might burn.
    pub fuel_limit: u64,
    /// What its sender would pay.
    pub fee: String,
    /// What its access list declares.
    pub declared: Vec<AccessView>,
    /// What it touched.
    pub touched: Vec<AccessView>,
    /// Whether a method is declared as dynamic, so that the transaction carries its list.
    pub dynamic: bool,
    /// The log lines.
    pub logs: Vec<String>,
    /// Its calls as they are encoded, for whoever passes them on: a step of a proposal, for example.
    pub calls: Vec<EncodedCall>,
    #[serde(skip)]
    result_texts: Vec<String>,
}

/// A call as a transaction holds it.
#[derive(Clone, Debug, Serialize)]
pub struct EncodedCall {
    /// The contract's address.
    pub contract: String,
    /// The method's selector.
    pub method: u32,
    /// The arguments, in hexadecimal.
    pub args: String,
}

impl EncodedCall {
    fn of(action: &Action) -> Option<Self> {
        let Action::Call { contract, method, args } = action else { return None };
        let args = format!("0x{}", hex::encode(args));
        Some(Self { contract: contract.to_string(), method: method.0, args })
    }
}

/// An entry of an access list.
#[derive(Clone, Debug, Serialize)]
pub struct AccessView {
    /// The kind: `read`, `add`, `reserve` or `write`.
    pub kind: &'static str,
    /// The key.
    pub key: String,
    /// How much may be taken, of a stock for which nothing else is declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_take: Option<BoundView>,
}

impl SimulationView {
    /// The view of a simulation of a transaction.
    #[must_use]
    pub fn new(describer: &Describer<'_>, tx: &Transaction, simulation: &Simulation) -> Self {
        let view = |entry: &DeclaredAccess, bound| AccessView {
            kind: describer.entry_word(&entry.key, entry.kind, bound),
            key: describer.key(&entry.key),
            may_take: bound.map(BoundView::from),
        };
        let declared = || simulation.declared.iter().zip(&simulation.may_take);
        let touched = |entry: &DeclaredAccess| {
            let listed = declared().find(|(declared, _)| declared.key == entry.key);
            let bound = listed.and_then(|(_, bound)| *bound);
            let bound = bound.filter(|_| entry.kind == AccessKind::Add);
            AccessView { may_take: None, ..view(entry, bound) }
        };
        let Results { json, texts, calls } = Results::new(describer, tx, &simulation.results);
        Self {
            outcome: describer.outcome(simulation.outcome, simulation.failure.as_deref(), Some(tx)),
            events: events(describer, &simulation.events),
            fuel: simulation.fuel,
            fuel_limit: tx.fuel_limit,
            fee: simulation.fee.to_string(),
            declared: declared().map(|(entry, bound)| view(entry, *bound)).collect(),
            touched: simulation.touched.iter().map(touched).collect(),
            dynamic: simulation.dynamic,
            logs: simulation.logs.clone(),
            calls: tx.actions.iter().filter_map(EncodedCall::of).collect(),
            result_texts: texts,
            results: json,
            result_calls: calls,
        }
    }

    /// The results, a line each.
    #[must_use]
    pub fn result_text(&self) -> String {
        self.result_texts.join("\n")
    }

    /// Several lines of text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        outcome_lines(&mut text, &self.outcome);
        for result in &self.result_texts {
            line(&mut text, "result", result);
        }
        events_lines(&mut text, &self.events, &self.logs);
        line(&mut text, "fuel", &used(self.fuel, self.fuel_limit, &self.fee));
        let n_max = kempe_runtime::types::LIST_ENTRIES_MAX;
        let entries = self.declared.len();
        line(&mut text, "list", &format!("{entries} of at most {n_max} entries"));
        for entry in &self.declared {
            let touched = self.touched.iter().find(|found| found.key == entry.key);
            let touched = touched.map_or("not touched", |found| found.kind);
            let bound = entry.may_take.as_ref().map(|bound| format!("at most {bound}; "));
            let bound = bound.unwrap_or_default();
            let shown = format!("{:7} {}  ({bound}{touched})", entry.kind, entry.key);
            line(&mut text, "", &shown);
        }
        if self.dynamic {
            line(&mut text, "dynamic", "the transaction carries the list that was recorded here");
        }
        text
    }

    /// The failure with which the command ends if the transaction would not succeed.
    ///
    /// # Errors
    /// That failure.
    pub fn check(&self) -> Result<(), Failure> {
        check(&self.outcome, "nothing was signed, and nothing changed")
    }
}

/// The contracts that a transaction deployed.
fn deployed(tx: &Transaction, receipt: &Receipt) -> Vec<Address> {
    let is_deployment = |action: &Action| matches!(action, Action::Deploy { .. });
    let actions = tx.actions.iter().enumerate().filter(|(_, action)| is_deployment(action));
    let address = |(at, _)| contract_address(tx.chain_id, &tx.sender, tx.nonce, at);
    if receipt.outcome == Outcome::Ok { actions.map(address).collect() } else { Vec::new() }
}

/// `help` is what is said where nothing is known that helps more.
fn check(outcome: &OutcomeView, help: &str) -> Result<(), Failure> {
    if outcome.status == "ok" {
        return Ok(());
    }
    let at = outcome.contract.as_deref().unwrap_or("the transaction");
    let verb = if outcome.status == "revert" { "reverted" } else { "was stopped" };
    let mut message = format!("{at} {verb}: {}", outcome.line());
    if let Some(said) = outcome.message.as_deref().filter(|said| !said.is_empty()) {
        message.push_str(&format!(": {}", said.lines().next().unwrap_or_default()));
    }
    if let Some(counter) = &outcome.counter {
        message.push_str(&format!(": {counter}"));
    }
    let failure = Failure::new(Exit::Revert, message);
    if let Some(guard) = &outcome.guard {
        return Err(failure.with_help(format!(
            "`{guard}` was set before the block, and the method declares `unless` of it: the call can be made from the block on that is behind the one in which it is cleared"
        )));
    }
    let Some(undeclared) = &outcome.undeclared else {
        return Err(failure.with_help(help));
    };
    Err(match &undeclared.clause {
        Some(clause) if undeclared.replaces() => failure.with_help(format!(
            "declare `{clause}` in the method's `#[access(...)]` instead, or take no more than is declared"
        )),
        Some(clause) => {
            failure.with_help(format!("add `{clause}` to the method's `#[access(...)]`"))
        }
        None => failure
            .with_help(format!("declare `{}` in the method's `#[access(...)]`", undeclared.key)),
    })
}

fn used(fuel: u64, limit: u64, fee: &str) -> String {
    let paid = if fee == "0" { String::new() } else { format!(", fee {fee}") };
    format!("{fuel} of at most {limit}{paid}")
}

fn line(text: &mut String, label: &str, value: &str) {
    writeln!(text, "{label:9}{value}").expect("writing to a string does not fail");
}

fn outcome_lines(text: &mut String, outcome: &OutcomeView) {
    let at = outcome.contract.as_ref().map(|at| format!(" in {at}")).unwrap_or_default();
    let shown = match outcome.status {
        "ok" => "ok".to_owned(),
        status => format!("{status} {}{at}", outcome.line()),
    };
    line(text, "outcome", &shown);
    if let Some(guard) = &outcome.guard {
        line(text, "", &format!("unless {guard}, which was set before the block"));
    }
    if let Some(counter) = &outcome.counter {
        line(text, "", &format!("of {counter}"));
    }
    if let Some(found) = &outcome.undeclared {
        let bound = |words: &str, bound: &Option<BoundView>| {
            bound.as_ref().map(|bound| format!(": {words} {bound}")).unwrap_or_default()
        };
        let takes = bound("in all", &found.takes);
        line(text, "", &format!("wanted {} of {}{takes}", found.wanted, found.key));
        let may_take = bound("at most", &found.may_take);
        let declared = found.declared.unwrap_or("nothing for it");
        line(text, "", &format!("declared {declared}{may_take}"));
        if let Some(clause) = &found.clause {
            let verb = if found.replaces() { "to declare instead" } else { "to add" };
            line(text, "", &format!("clause {verb}: {clause}"));
        }
    }
}

fn events_lines(text: &mut String, events: &[EventView], logs: &[String]) {
    for event in events {
        line(text, "event", &format!("{}.{} {}", event.contract, event.name, event.text));
    }
    for log in logs {
        line(text, "log", &format!("{log:?}"));
    }
}

fn events(describer: &Describer<'_>, events: &[EventRecord]) -> Vec<EventView> {
    events.iter().map(|event| describer.event(event)).collect()
}

/// The results of calls, without those that say nothing.
#[derive(Default)]
struct Results {
    json: Vec<Value>,
    texts: Vec<String>,
    /// The calls that they hold.
    calls: Vec<String>,
}

impl Results {
    fn new(describer: &Describer<'_>, tx: &Transaction, results: &[Vec<u8>]) -> Self {
        let mut all = Self::default();
        for (action, bytes) in tx.actions.iter().zip(results) {
            let Action::Call { contract, method, .. } = action else { continue };
            let raw = || format!("0x{}", hex::encode(bytes));
            let method = describer.method(contract, *method).map(|(_, method)| method);
            let ty = method.as_ref().map(|method| &method.returns);
            if ty == Some(&Type::Unit) {
                continue;
            }
            let json = ty.and_then(|ty| value::to_json(ty, bytes).ok());
            let shown = ty.and_then(|ty| describer.value(ty, bytes).ok());
            let Shown { text, calls } =
                shown.unwrap_or_else(|| Shown { text: raw(), calls: Vec::new() });
            all.json.push(json.unwrap_or_else(|| raw().into()));
            all.texts.push(text);
            all.calls.extend(calls);
        }
        all
    }
}
