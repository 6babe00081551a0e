//! New code for a contract: who may, whether it fits, and the migration.
//!
//! Only ever runs alone, in the tail lane. So the batches of a block know the code that the contract had when the
//! block began, with their lists derived from its templates, and what follows in the tail knows the
//! new one, with lists derived then. Lists are derived anew in each block, and a caller's with those of its
//! callees, so nothing holds on to an old template.

use std::sync::Arc;

use kempe_abi::derive::{self, DeriveError, Sink};
use kempe_abi::host::MIGRATE;
use kempe_abi::upgrade::{AUTHORIZE, UpgradeTerms, check};
use kempe_abi::{AbiType, AccessKind, Address, MethodId, Outcome, TrapKind, Type};

use super::compile::Candidate;
use super::contracts::{Contract, ContractSet};
use super::deploy::{charge_code, store_code, write_record};
use super::run::{Ended, enter_frame};
use super::session::{Immutables, Session};
use crate::access::Work;
use crate::types::{ContractRecord, SYSTEM, StateKey, Transaction, Upgrade, system_field};

/// A call that the host makes: of a method by its position, as somebody, with arguments.
struct HostCall {
    contract: usize,
    position: usize,
    caller: Address,
    args: Vec<u8>,
    /// The immutables that are set, if more may be.
    immutables: Option<Immutables>,
}

/// Replaces the code of a contract. Returns the hash of the new code.
pub(super) fn upgrade(
    session: Box<Session>,
    tx: &Transaction,
    upgrade: &Upgrade,
) -> (Box<Session>, Ended) {
    let (mut session, outcome) = run(session, &tx.sender, upgrade);
    if outcome != Outcome::Ok {
        session.failed_in.get_or_insert(upgrade.contract);
        return (session, Err(outcome));
    }
    (session, Ok(upgrade.terms().code.0.to_vec()))
}

fn run(mut session: Box<Session>, sender: &Address, upgrade: &Upgrade) -> (Box<Session>, Outcome) {
    let candidate = match charge_code(&mut session, &upgrade.wasm) {
        Ok(candidate) => candidate,
        Err(kind) => return (session, trap(kind)),
    };
    let (mut session, authority) = authorize(session, sender, upgrade);
    let authority = match authority {
        Ok(authority) => authority,
        Err(outcome) => return (session, outcome),
    };
    match replace(&mut session, upgrade, candidate, authority) {
        Err(kind) => (session, trap(kind)),
        Ok((_, Some(call))) => enter_declared(session, call),
        Ok((contract, None)) => {
            let immutables = session.contract(contract).record.immutables.clone();
            let outcome = write_record(&mut session, contract, immutables);
            (session, outcome)
        }
    }
}

const fn trap(kind: TrapKind) -> Outcome {
    Outcome::Trap(kind)
}

/// Whether the contract's authority agrees; returns the authority.
fn authorize(
    mut session: Box<Session>,
    sender: &Address,
    upgrade: &Upgrade,
) -> (Box<Session>, Result<Address, Outcome>) {
    let authority = session
        .resolve(&upgrade.contract)
        .and_then(|at| session.contract(at).record.authority.ok_or(TrapKind::NotUpgradable));
    let authority = match authority {
        Ok(authority) if authority == *sender => return (session, Ok(authority)),
        Ok(authority) => authority,
        Err(kind) => return (session, Err(trap(kind))),
    };
    match question(&mut session, &authority, &upgrade.terms()) {
        Ok(call) => {
            let outcome;
            (session, outcome) = enter_declared(session, call);
            (session, if outcome == Outcome::Ok { Ok(authority) } else { Err(outcome) })
        }
        Err(kind) => (session, Err(trap(kind))),
    }
}

/// The call that asks an authority that is a contract.
fn question(
    session: &mut Session,
    authority: &Address,
    terms: &UpgradeTerms,
) -> Result<HostCall, TrapKind> {
    let contract = session.resolve(authority).map_err(|kind| match kind {
        // It is an account, and not the sender.
        TrapKind::NoSuchContract => TrapKind::NotUpgradable,
        kind => kind,
    })?;
    let code = &session.contract(contract).code;
    let asked = code.methods.get(&MethodId::of(AUTHORIZE)).copied().filter(|&position| {
        // A method that answers with a value may say no without failing.
        let method = &code.admitted.abi.methods[position];
        let types = method.params.iter().map(|param| &param.ty);
        method.returns == Type::Unit && types.eq([&Type::from(UpgradeTerms::TYPE)])
    });
    let Some(position) = asked else {
        session.log(format!("the authority has no `{AUTHORIZE}(UpgradeTerms)`").as_bytes());
        return Err(TrapKind::NotUpgradable);
    };
    let args = borsh::to_vec(terms).map_err(|_| TrapKind::BadArguments)?;
    Ok(HostCall { contract, position, caller: SYSTEM, args, immutables: None })
}

/// The contract with its new code, of which the state knows nothing yet, and the call of its `migrate`, if
/// it has one and is new.
fn replace(
    session: &mut Session,
    upgrade: &Upgrade,
    candidate: Candidate<'_>,
    authority: Address,
) -> Result<(usize, Option<HostCall>), TrapKind> {
    let old = session.resolve(&upgrade.contract)?;
    let old = Arc::clone(session.contract(old));
    let code = store_code(session, candidate)?;
    if let Err(misfit) = check(old.abi(), &code.admitted.abi, upgrade.allow_wider) {
        session.log(misfit.to_string().as_bytes());
        return Err(TrapKind::UpgradeRefused);
    }
    let migrate = code.methods.get(&MethodId::of(MIGRATE)).copied();
    let migrate = migrate.filter(|_| code.hash != old.record.code);
    if migrate.is_none() && !upgrade.args.is_empty() {
        return Err(TrapKind::BadArguments);
    }
    let record =
        ContractRecord { code: code.hash, authority: upgrade.authority, ..old.record.clone() };
    let contract = session.remember(Contract::new(old.address, record, code));
    let migration = migrate.map(|position| HostCall {
        contract,
        position,
        caller: authority,
        args: upgrade.args.clone(),
        immutables: Some(old.record.immutables.clone()),
    });
    Ok((contract, migration))
}

/// Makes a call with what its template declares, and nothing else, unless the method is dynamic.
fn enter_declared(mut session: Box<Session>, call: HostCall) -> (Box<Session>, Outcome) {
    let recording = session.recording;
    match declare(&mut session, &call) {
        Ok(dynamic) => session.recording = dynamic,
        Err(kind) => return (session, trap(kind)),
    }
    let HostCall { contract, position, caller, args, immutables } = call;
    let outcome;
    (session, outcome) = enter_frame(session, contract, position, caller, args, immutables);
    session.recording = recording;
    (session, outcome)
}

/// Adds to the cells what a call's template declares; returns whether it may touch more.
///
/// The templates are those that the transaction sees: what it deployed itself is there.
fn declare(session: &mut Session, call: &HostCall) -> Result<bool, TrapKind> {
    let contract = Arc::clone(session.contract(call.contract));
    let method = MethodId::of(&contract.abi().methods[call.position].name);
    let address = contract.address;
    let mut contracts = ContractSet::default();
    contracts.insert(contract);
    loop {
        let work_max = Work::paid_by(session.fuel, &session.prices);
        let mut declared = Declared { work_max, ..Declared::default() };
        let derived =
            derive::derive(&contracts, &call.caller, &address, method, &call.args, &mut declared);
        // An attempt that found a contract missing has done its work, too.
        let entries = declared.entries.len() as u64;
        let entries = entries.saturating_mul(session.prices.list_entry);
        session.charge(entries.saturating_add(declared.work.fuel(&session.prices)))?;
        match derived {
            Ok(()) => {
                for (kind, key) in declared.entries {
                    session.declare(key, kind)?;
                }
                return Ok(declared.dynamic);
            }
            Err(DeriveError::NoSuchContract(callee)) => {
                let at = session.resolve(&callee)?;
                contracts.insert(Arc::clone(session.contract(at)));
            }
            Err(error) => {
                session.log(error.to_string().as_bytes());
                return Err(error.trap());
            }
        }
    }
}

/// What a derivation reports.
#[derive(Default)]
struct Declared {
    entries: Vec<(AccessKind, StateKey)>,
    dynamic: bool,
    /// What finding them took, and the most that it may take.
    work: Work,
    work_max: Work,
}

impl Sink for Declared {
    fn call(&mut self, contract: &Address) {
        let key = StateKey::system(system_field::CONTRACT, &contract.0);
        self.entries.push((AccessKind::Read, key));
    }

    fn touch(&mut self, kind: AccessKind, contract: &Address, field: u8, key: &[u8]) {
        self.entries.push((kind, StateKey::new(*contract, field, key)));
    }

    fn dynamic(&mut self, _: &Address) {
        self.dynamic = true;
    }

    fn most(&self) -> (usize, usize) {
        self.work_max.beyond(self.work)
    }

    fn spent(&mut self, steps: usize, bytes: usize) {
        self.work.add(steps, bytes);
    }
}
