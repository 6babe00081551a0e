//! One transaction as a block of its own, and commits of which nobody knows how they ended.

use std::fmt;

use ed25519_zebra::SigningKey;
use kempe_abi::Outcome;
use kempe_runtime::chain::{BlockReport, Chain, ChainError};
use kempe_runtime::types::{Action, DeclaredAccess, Transaction, address_of};

use crate::output::{Exit, Failure};
use crate::session::now_ms;

/// What a fuel limit that is likely to do has beyond half as much again as a simulation burned: the
/// state may change before the transaction runs.
const FUEL_MARGIN: u64 = 100_000;

/// The next transaction of an account, with the fuel limit and the explicit access list that a
/// simulation asks for, as if the block with it had this time.
///
/// # Errors
/// When the chain cannot simulate it.
pub(crate) fn transaction(
    chain: &Chain,
    sender: kempe_abi::Address,
    actions: Vec<Action>,
    fuel: Option<u64>,
    time_ms: u64,
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
    let asked = ask(chain, &tx, time_ms)?;
    tx.access = asked.access;
    if fuel.is_none() && genesis.prices.gas > 0 {
        tx.fuel_limit = asked.fuel.min(fuel_max);
    }
    Ok(tx)
}

/// What a simulation asks for.
pub(crate) struct Asked {
    /// The explicit access list.
    pub(crate) access: Vec<DeclaredAccess>,
    /// A fuel limit that is likely to do.
    pub(crate) fuel: u64,
    /// Whether the simulation succeeded: some failures burn all that they may.
    pub(crate) succeeds: bool,
}

/// Simulates a transaction as if the block with it had this time.
///
/// # Errors
/// When the chain cannot.
pub(crate) fn ask(chain: &Chain, tx: &Transaction, time_ms: u64) -> Result<Asked, Failure> {
    let simulation = chain.simulate_at(tx, time_ms)?;
    let likely = simulation.fuel.saturating_add(simulation.fuel / 2);
    Ok(Asked {
        access: simulation.explicit_list(),
        fuel: likely.saturating_add(FUEL_MARGIN),
        succeeds: simulation.outcome == Outcome::Ok,
    })
}

/// The store failed when a block was to be made durable. What is on the disk is known only when the chain is opened
/// again.
#[derive(Debug)]
pub(crate) struct Uncertain {
    height: u64,
}

impl fmt::Display for Uncertain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block {} may be committed or not", self.height)
    }
}

/// Why a block of this height is not known to be committed; `ask` says how to find out.
pub(crate) fn commit_failure(error: ChainError, height: u64, ask: &str) -> Failure {
    // All others come before anything is written.
    if !matches!(error, ChainError::Store(_)) {
        return error.into();
    }
    Failure::from(error).context(Uncertain { height }).with_help_before(ask)
}

/// Signs actions and makes a block of them.
///
/// # Errors
/// When the chain refuses the transaction or the block, and when nobody knows whether the block is committed.
pub(crate) fn send(
    chain: &mut Chain,
    key: &SigningKey,
    actions: Vec<Action>,
    fuel: Option<u64>,
) -> Result<BlockReport, Failure> {
    // What it does may depend on the time, so the block has the time that the simulation saw.
    let time_ms = now_ms();
    let tx = transaction(chain, address_of(key), actions, fuel, time_ms)?;
    let (height, hash) = (chain.head().height + 1, tx.hash());
    let report = chain.build(vec![tx.sign(key)], time_ms).map_err(|error| {
        let ask =
            format!("before it is sent again, `kempe tx {hash}` says whether it is committed");
        commit_failure(error, height, &ask)
    })?;
    match report.rejected.first() {
        Some((_, error)) => Err(Failure::new(Exit::Failed, error.clone())),
        None => Ok(report),
    }
}
