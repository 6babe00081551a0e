//! New code for a contract on a native chain, by the rules of the runtime.

use kempe_abi::host::MIGRATE;
use kempe_abi::upgrade::{AUTHORIZE, UpgradeTerms, check};
use kempe_abi::{Abi, AbiType, Address, Outcome, TrapKind, Type};

use super::backend::CodeSource;
use super::native::code_hash;
use super::receipt::Receipt;
use super::session::{self, Call};
use super::world::{Deployed, World};
use crate::codec::{self, Any};

/// What an upgrade asks for, besides the new code and the arguments of its `migrate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpgradeOptions {
    /// Whether methods may touch more than before, take, return and refuse with something else, or go away, and so
    /// events and interfaces: `--allow-wider` of `kempe upgrade`.
    pub allow_wider: bool,
    /// Who may upgrade the contract from then on; nobody if `None`.
    pub authority: Option<Address>,
}

/// Upgrades a contract; without success nothing is changed.
pub(super) fn run(
    world: &mut World,
    sender: Address,
    code: &CodeSource,
    terms: &UpgradeTerms,
) -> Receipt {
    let before = world.clone();
    let receipt = authorize(world, sender, terms)
        .and_then(|authority| replace(world, authority, code, terms))
        .unwrap_or_else(|refused| *refused);
    if !receipt.is_ok() {
        *world = before;
    }
    receipt
}

type Refused = Box<Receipt>;

fn refused(kind: TrapKind) -> Refused {
    Box::new(Receipt::new(Outcome::Trap(kind)))
}

fn refused_because(kind: TrapKind, why: String) -> Refused {
    Box::new(Receipt { log: vec![why], ..Receipt::new(Outcome::Trap(kind)) })
}

/// Whether the contract's authority agrees; gives the authority.
fn authorize(world: &mut World, sender: Address, terms: &UpgradeTerms) -> Result<Address, Refused> {
    let contract = world.contracts.get(&terms.contract);
    let contract = contract.ok_or_else(|| refused(TrapKind::NoSuchContract))?;
    let authority = contract.authority.ok_or_else(|| refused(TrapKind::NotUpgradable))?;
    if authority == sender {
        return Ok(authority);
    }
    let asked = world.contracts.get(&authority);
    let asked = asked.ok_or_else(|| refused(TrapKind::NotUpgradable))?;
    if !can_be_asked(&asked.abi) {
        let why = format!("the authority has no `{AUTHORIZE}(UpgradeTerms)`");
        return Err(refused_because(TrapKind::NotUpgradable, why));
    }
    let args = codec::encoded::<Any, _, _>(terms, <[u8]>::to_vec);
    let call = Call { caller: Address::ZERO, contract: authority, method: AUTHORIZE, args: &args };
    let answer = session::run_alone(world, &call);
    if answer.is_ok() { Ok(authority) } else { Err(Box::new(answer)) }
}

fn can_be_asked(abi: &Abi) -> bool {
    abi.method(AUTHORIZE).is_some_and(|method| {
        let types = method.params.iter().map(|param| &param.ty);
        method.returns == Type::Unit && types.eq([&Type::from(UpgradeTerms::TYPE)])
    })
}

fn replace(
    world: &mut World,
    authority: Address,
    code: &CodeSource,
    terms: &UpgradeTerms,
) -> Result<Receipt, Refused> {
    let new = Deployed::new(*code, terms.authority).map_err(refused)?;
    let old = world.contracts.get(&terms.contract);
    let old = old.ok_or_else(|| refused(TrapKind::NoSuchContract))?;
    check(&old.abi, &new.abi, terms.allow_wider)
        .map_err(|misfit| refused_because(TrapKind::UpgradeRefused, misfit.to_string()))?;
    let migrates = new.abi.method(MIGRATE).is_some() && code_hash(&old.code) != terms.code;
    if !migrates && !terms.args.is_empty() {
        return Err(refused(TrapKind::BadArguments));
    }
    world.contracts.insert(terms.contract, new);
    if !migrates {
        return Ok(Receipt::new(Outcome::Ok));
    }
    let call =
        Call { caller: authority, contract: terms.contract, method: MIGRATE, args: &terms.args };
    Ok(session::run_alone(world, &call))
}
