//! New contracts, and what they share with new code for old ones.

use std::sync::Arc;

use kempe_abi::host::INIT;
use kempe_abi::{AccessKind, Address, MethodId, Outcome, TrapKind};

use super::compile::{Candidate, Code, EngineError};
use super::contracts::Contract;
use super::run::{Ended, enter_frame};
use super::session::{Immutables, Session};
use crate::state::StoreError;
use crate::types::{Bytes, ContractRecord, Transaction, contract_address, system_field};

/// Deploys a contract. Only ever runs alone, in the tail lane: see [`Mode::Record`](super::Mode::Record).
pub(super) fn deploy(
    mut session: Box<Session>,
    tx: &Transaction,
    at: usize,
    (wasm, args): (&[u8], &[u8]),
    authority: Option<Address>,
) -> (Box<Session>, Ended) {
    let address = contract_address(tx.chain_id, &tx.sender, tx.nonce, at);
    let prepared = prepare(&mut session, &address, wasm).map(|code| {
        let (deployer, immutables) = (tx.sender, Vec::new());
        let record = ContractRecord { code: code.hash, deployer, authority, immutables };
        Contract::new(address, record, code)
    });
    let contract = match prepared {
        Ok(contract) => contract,
        Err(kind) => return (session, Err(Outcome::Trap(kind))),
    };
    let init = contract.code.methods.get(&MethodId::of(INIT)).copied();
    let contract = session.remember(contract);
    let outcome;
    (session, outcome) = match init {
        Some(init) => {
            enter_frame(session, contract, init, tx.sender, args.to_vec(), Some(Vec::new()))
        }
        None if args.is_empty() => {
            let outcome = write_record(&mut session, contract, Vec::new());
            (session, outcome)
        }
        None => (session, Outcome::Trap(TrapKind::BadArguments)),
    };
    (session, if outcome == Outcome::Ok { Ok(address.0.to_vec()) } else { Err(outcome) })
}

/// Everything of a deployment before there is a contract.
fn prepare(session: &mut Session, address: &Address, wasm: &[u8]) -> Result<Arc<Code>, TrapKind> {
    let candidate = charge_code(session, wasm)?;
    let record = session.system_cell(system_field::CONTRACT, &address.0, AccessKind::Write)?;
    if session.cells[record].value.is_some() {
        return Err(TrapKind::ContractExists);
    }
    store_code(session, candidate)
}

/// Admits a module and charges for it, and for its compilation, whose work admission estimates. What it refuses is
/// refused when it is stored.
pub(super) fn charge_code<'a>(
    session: &mut Session,
    wasm: &'a [u8],
) -> Result<Candidate<'a>, TrapKind> {
    let (prices, n_bytes) = (session.prices, wasm.len() as u64);
    let admission = prices.deployment(n_bytes, 0);
    session.charge(admission)?;
    let candidate = session.engine.consider(wasm);
    session.charge(prices.deployment(n_bytes, candidate.effort()) - admission)?;
    Ok(candidate)
}

/// Compiles a module, and stores it unless some contract has it already.
///
/// Only what admission refuses is an outcome: that is the same on every machine. Whatever else keeps the code from
/// being compiled is this machine's fault, and the block is not made.
pub(super) fn store_code(
    session: &mut Session,
    candidate: Candidate<'_>,
) -> Result<Arc<Code>, TrapKind> {
    session.has_new_code = true;
    let wasm = candidate.wasm();
    let code = match session.engine.finish(candidate) {
        Ok(code) => code,
        Err(EngineError::Refused(refusal)) => {
            session.log(refusal.to_string().as_bytes());
            return Err(TrapKind::ModuleRefused);
        }
        Err(error) => {
            session.fault = Some(StoreError::machine(error.to_string()));
            return Err(TrapKind::NotPermitted);
        }
    };
    let cell = session.system_cell(system_field::CODE, &code.hash.0, AccessKind::Write)?;
    if session.cells[cell].value.is_none() {
        session.cells[cell].value = Some(Bytes::from_slice(wasm));
        session.cells[cell].dirty = true;
    }
    Ok(code)
}

/// Writes the contract's record, now that its immutables are known.
pub(super) fn write_record(
    session: &mut Session,
    contract: usize,
    immutables: Immutables,
) -> Outcome {
    let contract = Arc::clone(session.contract(contract));
    let record = ContractRecord { immutables, ..contract.record.clone() };
    let bytes = record.encode();
    session.remember(Contract::new(contract.address, record, Arc::clone(&contract.code)));
    match session.system_cell(system_field::CONTRACT, &contract.address.0, AccessKind::Write) {
        Ok(at) => {
            session.cells[at].value = Some(bytes);
            session.cells[at].dirty = true;
            Outcome::Ok
        }
        Err(kind) => Outcome::Trap(kind),
    }
}
