//! One transaction as a block of its own.

use ed25519_zebra::SigningKey;
use kempe_runtime::chain::{BlockReport, Chain};
use kempe_runtime::types::{Action, DeclaredAccess, Transaction, address_of};

use crate::output::{Exit, Failure};
use crate::session::now_ms;

/// What a default fuel limit has beyond what a simulation burned, where fuel costs something: the
/// state may change before the transaction runs.
const FUEL_MARGIN: u64 = 100_000;

/// The next transaction of an account, with the fuel limit and the explicit access list that a
/// simulation asks for.
///
/// # Errors
/// When the chain cannot simulate it.
pub(crate) fn transaction(
    chain: &Chain,
    sender: kempe_abi::Address,
    actions: Vec<Action>,
    fuel: Option<u64>,
) -> Result<Transaction, Failure> {
    let genesis = chain.genesis();
    let fuel_max = genesis.limits.tx_fuel_max;
    let mut tx = Transaction {
        chain_id: genesis.chain_id,
        sender,
        nonce: chain.next_nonce(&sender)?,
        fuel_limit: fuel.unwrap_or(fuel_max),
        actions,
        access: Vec::new(),
    };
    let simulation = chain.simulate(&tx)?;
    tx.access = explicit(&simulation);
    if fuel.is_none() && genesis.prices.gas > 0 {
        let likely = simulation.fuel.saturating_add(simulation.fuel / 2);
        tx.fuel_limit = likely.saturating_add(FUEL_MARGIN).min(fuel_max);
    }
    Ok(tx)
}

fn explicit(simulation: &kempe_runtime::chain::Simulation) -> Vec<DeclaredAccess> {
    simulation.explicit_list()
}

/// Signs actions and makes a block of them.
///
/// # Errors
/// When the chain refuses the transaction or the block.
pub(crate) fn send(
    chain: &mut Chain,
    key: &SigningKey,
    actions: Vec<Action>,
    fuel: Option<u64>,
) -> Result<BlockReport, Failure> {
    let tx = transaction(chain, address_of(key), actions, fuel)?;
    let report = chain.build(vec![tx.sign(key)], now_ms())?;
    match report.rejected.first() {
        Some((_, error)) => Err(Failure::new(Exit::Failed, error.clone())),
        None => Ok(report),
    }
}
