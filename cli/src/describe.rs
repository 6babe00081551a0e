//! Keys, outcomes, events and calls in the words of the contracts they belong to.

mod held;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use kempe_abi::log::Part;
use kempe_abi::{
    AccessKind, Address, Bound, CellKind, Filled, Method, MethodId, Missing, Outcome, Type, split,
};
use kempe_runtime::chain::Chain;
use kempe_runtime::engine::Contract;
use kempe_runtime::types::{
    Action, EventRecord, Failure as Failed, SYSTEM, StateKey, Transaction, Undeclared, system_field,
};
use serde::Serialize;
use serde_json::Value;

use crate::abi_view;
use crate::session::Names;
use crate::value;

pub use held::Shown;

/// The word for taking from a stock.
pub const RESERVE: &str = "reserve";

/// Knows the contracts of a chain and the names of addresses.
pub struct Describer<'a> {
    chain: &'a Chain,
    names: &'a Names,
    contracts: RefCell<BTreeMap<Address, Option<Rc<Contract>>>>,
    /// How many of the contracts were loaded only because values hold calls of them.
    n_held: Cell<usize>,
}

impl fmt::Debug for Describer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Describer").finish_non_exhaustive()
    }
}

/// How a transaction ended, for people and for scripts.
#[derive(Clone, Debug, Serialize)]
pub struct OutcomeView {
    /// `ok`, `revert` or `trap`.
    pub status: &'static str,
    /// The code of the revert or trap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
    /// The name of the error or trap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The contract that refused or was stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
    /// The key that was touched without permission.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undeclared: Option<UndeclaredView>,
    /// The cell that was set before the block, where a clause `unless` stopped the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<String>,
    /// The counter or stock that would have left its bounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counter: Option<String>,
}

/// A touch outside the access list.
#[derive(Clone, Debug, Serialize)]
pub struct UndeclaredView {
    /// The key, as in `token.balances[alice]`.
    pub key: String,
    /// How it was touched.
    pub wanted: &'static str,
    /// What was declared for it.
    pub declared: Option<&'static str>,
    /// How much of a stock was to be taken in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes: Option<BoundView>,
    /// How much was declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_take: Option<BoundView>,
    /// The clause to add to the method's `#[access(...)]`; where less was declared of a stock, the one to put in that
    /// clause's place.
    pub clause: Option<String>,
}

/// How much is taken of a stock.
#[derive(Clone, Debug, Serialize)]
pub struct BoundView {
    /// The number that is taken.
    pub amount: String,
    /// What is left at least.
    pub floor: String,
}

impl UndeclaredView {
    /// Whether the clause is to stand in the place of one that declares to take less.
    #[must_use]
    pub fn replaces(&self) -> bool {
        self.takes.is_some() && self.may_take.is_some()
    }
}

impl From<Bound> for BoundView {
    fn from(Bound { amount, floor }: Bound) -> Self {
        Self { amount: amount.to_string(), floor: floor.to_string() }
    }
}

impl fmt::Display for BoundView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.amount)?;
        if self.floor == "0" { Ok(()) } else { write!(f, " that leave {}", self.floor) }
    }
}

/// An event in the contract's own words.
#[derive(Clone, Debug, Serialize)]
pub struct EventView {
    /// The contract.
    pub contract: String,
    /// The event's name, or its number where the ABI does not know it.
    pub name: String,
    /// The fields.
    pub fields: Value,
    /// The calls that the fields hold, as those of a proposal do, where they are known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<String>,
    /// The fields as text.
    #[serde(skip)]
    pub text: String,
}

impl OutcomeView {
    /// One line: `ok`, `InsufficientBalance (101)`, `OutOfFuel`.
    #[must_use]
    pub fn line(&self) -> String {
        match (&self.name, self.code) {
            (Some(name), Some(code)) if self.status == "revert" => format!("{name} ({code})"),
            (Some(name), _) => name.clone(),
            (None, Some(code)) => format!("code {code}"),
            _ => self.status.to_owned(),
        }
    }
}

impl<'a> Describer<'a> {
    /// A describer of the chain as it is now.
    #[must_use]
    pub fn new(chain: &'a Chain, names: &'a Names) -> Self {
        Self { chain, names, contracts: RefCell::default(), n_held: Cell::default() }
    }

    /// The names of addresses.
    #[must_use]
    pub fn names(&self) -> &'a Names {
        self.names
    }

    /// The word for touching a key so: `max` where a counter has `add`.
    #[must_use]
    pub fn word(&self, key: &StateKey, kind: AccessKind) -> &'static str {
        self.cell(key).word(kind)
    }

    /// The word for an entry of a list: `reserve` where a stock is only taken from, which is an `add` or a `write`
    /// as the block goes.
    #[must_use]
    pub fn entry_word(
        &self,
        key: &StateKey,
        kind: AccessKind,
        bound: Option<Bound>,
    ) -> &'static str {
        if bound.is_some() { RESERVE } else { self.word(key, kind) }
    }

    /// What a key's field holds.
    #[must_use]
    pub fn cell(&self, key: &StateKey) -> CellKind {
        let contract = if key.contract == SYSTEM { None } else { self.contract(&key.contract) };
        let fields = contract.as_ref().map(|contract| &contract.abi().fields);
        let field = fields.and_then(|fields| fields.get(usize::from(key.field)));
        field.map_or(CellKind::Value, |field| field.cell)
    }

    /// The contract at an address. One that cannot be loaded is described by its digits.
    pub fn contract(&self, address: &Address) -> Option<Rc<Contract>> {
        if let Some(found) = self.contracts.borrow().get(address) {
            return found.clone();
        }
        let found = self.chain.contract(address).ok().flatten().map(Rc::new);
        self.contracts.borrow_mut().insert(*address, found.clone());
        found
    }

    /// A key: `token.balances[alice]`.
    #[must_use]
    pub fn key(&self, key: &StateKey) -> String {
        if key.contract == SYSTEM {
            return self.system_key(key);
        }
        let owner = self.names.show(&key.contract);
        let raw = || format!("{owner}.{}[0x{}]", key.field, hex::encode(&key.key));
        let Some(contract) = self.contract(&key.contract) else { return raw() };
        let Some(field) = contract.abi().fields.get(usize::from(key.field)) else { return raw() };
        // An item of a log is named by its log and its index.
        let item = matches!(field.log_part(&key.key), Some((_, Part::Item(_))));
        let types = || field.keys.iter().chain(item.then_some(&Type::U64));
        match parts(types(), &key.key) {
            Some(parts) => {
                let part = |(ty, bytes): (_, &&[u8])| {
                    self.value(ty, bytes)
                        .map_or_else(|_| format!("0x{}", hex::encode(bytes)), |shown| shown.text)
                };
                let parts = types().zip(&parts).map(part);
                let parts: String = parts.map(|part| format!("[{part}]")).collect();
                format!("{owner}.{}{parts}", field.name)
            }
            None => format!("{owner}.{}[0x{}]", field.name, hex::encode(&key.key)),
        }
    }

    fn system_key(&self, key: &StateKey) -> String {
        let address = <[u8; 32]>::try_from(&key.key[..]).map(Address).unwrap_or_default();
        match key.field {
            system_field::CODE => format!("code {address}"),
            system_field::CONTRACT => format!("contract {}", self.names.show(&address)),
            system_field::NONCE => format!("nonce of {}", self.names.show(&address)),
            system_field::BALANCE => format!("native balance of {}", self.names.show(&address)),
            field => format!("chain.{field}[{address}]"),
        }
    }

    /// How a transaction ended.
    #[must_use]
    pub fn outcome(
        &self,
        outcome: Outcome,
        failed: Option<&Failed>,
        tx: Option<&Transaction>,
    ) -> OutcomeView {
        let contract = failed.filter(|failed| failed.contract != SYSTEM);
        let mut view = OutcomeView {
            status: "ok",
            code: None,
            name: None,
            message: None,
            contract: contract.map(|failed| self.names.show(&failed.contract)),
            undeclared: None,
            guard: None,
            counter: None,
        };
        match outcome {
            Outcome::Ok => {}
            Outcome::Revert(code) => {
                view.status = "revert";
                view.code = Some(code);
                let contract = contract.and_then(|failed| self.contract(&failed.contract));
                let case = contract.as_ref().and_then(|contract| {
                    let sets = contract.abi().methods.iter().filter_map(|m| m.error.as_ref());
                    sets.flat_map(|set| &set.cases).find(|case| case.code == code)
                });
                view.name = case.map(|case| case.name.clone());
                view.message = case.map(|case| case.doc.trim().to_owned());
            }
            Outcome::Trap(kind) => {
                view.status = "trap";
                view.code = Some(u32::from(kind.code()));
                view.name = Some(format!("{kind:?}"));
                view.message = Some(kind.describe().to_owned());
                let undeclared = failed.and_then(|failed| failed.undeclared.as_ref());
                view.undeclared = undeclared.map(|found| self.undeclared(found, failed, tx));
                let guard = failed.and_then(|failed| failed.guard.as_ref());
                view.guard = guard.map(|key| self.key(key));
                let counter = failed.and_then(|failed| failed.counter.as_ref());
                view.counter = counter.map(|key| self.key(key));
            }
        }
        view
    }

    fn undeclared(
        &self,
        found: &Undeclared,
        failed: Option<&Failed>,
        tx: Option<&Transaction>,
    ) -> UndeclaredView {
        let clause = || {
            let (failed, tx) = (failed?, tx?);
            let Action::Call { contract, method, args } = tx.actions.get(failed.action as usize)?
            else {
                return None;
            };
            let at = self.contract(&found.key.contract)?;
            // Inside a call made by another contract the caller and the arguments are not known.
            let known = (contract == &failed.contract && contract == &found.key.contract)
                .then(|| at.abi().method_by_id(*method))
                .flatten();
            let filled = Filled { caller: tx.sender, this: *contract, method: known, args };
            let missing = Missing {
                field: found.key.field,
                key: &found.key.key,
                wanted: found.wanted,
                declared: found.declared,
                takes: found.takes,
                may_take: found.may_take,
            };
            let clause = missing.clause(at.abi(), &filled)?;
            let params = known.map_or(&[][..], |method| &method.params);
            Some(abi_view::clause(at.abi(), params, &clause))
        };
        let declared = |kind| self.entry_word(&found.key, kind, found.may_take);
        UndeclaredView {
            key: self.key(&found.key),
            wanted: self.entry_word(&found.key, found.wanted, found.takes),
            declared: found.declared.map(declared),
            takes: found.takes.map(BoundView::from),
            may_take: found.may_take.map(BoundView::from),
            clause: clause(),
        }
    }

    /// An event.
    #[must_use]
    pub fn event(&self, event: &EventRecord) -> EventView {
        let contract = self.contract(&event.contract);
        let known = contract.as_ref().and_then(|contract| contract.abi().event_by_id(event.id));
        let owner = self.names.show(&event.contract);
        let raw = || format!("0x{}", hex::encode(&event.data));
        let Some(known) = known else {
            let name = format!("{:#010x}", event.id);
            let (fields, calls) = (raw().into(), Vec::new());
            return EventView { contract: owner, name, fields, calls, text: raw() };
        };
        let ty = Type::Struct(known.name.clone(), known.fields.clone());
        let raw_shown = |_| Shown { text: raw(), calls: Vec::new() };
        let Shown { text, calls } = self.value(&ty, &event.data).unwrap_or_else(raw_shown);
        EventView {
            contract: owner,
            name: known.name.clone(),
            fields: value::to_json(&ty, &event.data).unwrap_or_else(|_| raw().into()),
            calls,
            text,
        }
    }

    /// An action: `token.transfer(to: bob, amount: 5)`.
    #[must_use]
    pub fn action(&self, action: &Action) -> String {
        match action {
            Action::Transfer { to, amount } => {
                format!("transfer {amount} of native balance to {}", self.names.show(to))
            }
            Action::Deploy { wasm, .. } => format!("deploy {} bytes", wasm.len()),
            Action::Upgrade(upgrade) => {
                let contract = self.names.show(&upgrade.contract);
                format!("upgrade {contract} to {} bytes", upgrade.wasm.len())
            }
            Action::Call { contract, method, args } => {
                let raw = |name: &str| {
                    format!("{}.{name}(0x{})", self.names.show(contract), hex::encode(args))
                };
                match self.method(contract, *method) {
                    Some((_, method)) => {
                        let call = self.call(contract, &method, args, 0);
                        call.unwrap_or_else(|| raw(&method.name))
                    }
                    None => raw(&format!("{:#010x}", method.0)),
                }
            }
        }
    }

    /// A method by its selector, and its contract.
    pub fn method(&self, contract: &Address, id: MethodId) -> Option<(Rc<Contract>, Method)> {
        let contract = self.contract(contract)?;
        let method = contract.abi().method_by_id(id)?.clone();
        Some((contract, method))
    }
}

/// The encodings of the members of a tuple; `None` if the bytes are not exactly such a tuple.
fn parts<'a, 't>(types: impl Iterator<Item = &'t Type>, bytes: &'a [u8]) -> Option<Vec<&'a [u8]>> {
    let mut parts = Vec::new();
    split(types, bytes, |part| parts.push(part)).ok()?;
    Some(parts)
}

#[cfg(test)]
mod tests {
    use kempe_abi::TrapKind;
    use kempe_runtime::types::{Failure, Transaction};
    use tempfile::TempDir;

    use super::*;
    use crate::transfers::TokenChain;

    #[test]
    fn an_undeclared_touch_is_explained_with_the_clause_to_add() {
        let dir = TempDir::new().unwrap();
        let made = TokenChain::create(dir.path(), 1).unwrap();
        let token = made.names.contract("token").unwrap();
        let describer = Describer::new(&made.chain, &made.names);
        let (sender, to) = (Address([1; 32]), Address([2; 32]));
        let args = borsh::to_vec(&(to, 5u128)).unwrap();
        let tx = Transaction {
            chain_id: 1,
            sender,
            nonce: 0,
            fuel_limit: 0,
            actions: vec![Action::Call { contract: token, method: MethodId::of("transfer"), args }],
            access: Vec::new(),
        };
        let check = |key: &Address, declared, expected: &str| {
            let undeclared = Undeclared {
                key: StateKey::new(token, 2, &key.0),
                wanted: AccessKind::Read,
                declared,
                takes: None,
                may_take: None,
            };
            let undeclared = Some(undeclared);
            let failed =
                Failure { action: 0, contract: token, undeclared, guard: None, counter: None };
            let outcome = Outcome::Trap(TrapKind::UndeclaredAccess);
            let view = describer.outcome(outcome, Some(&failed), Some(&tx));
            let undeclared = view.undeclared.unwrap();
            assert_eq!(undeclared.key, format!("token.balances[{}]", made.names.show(key)));
            assert_eq!(undeclared.clause.unwrap(), expected);
        };
        check(&to, None, "read(balances[to])");
        check(&sender, Some(AccessKind::Add), "write(balances[caller])");
        check(&token, None, "read(balances[this])");
        let other = Address([3; 32]);
        check(&other, None, &format!("read(balances[{other}])"));
    }
}
