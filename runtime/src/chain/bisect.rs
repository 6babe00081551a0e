//! From a block that two executions see differently to the fewest transactions that show it.

use super::replay::stored;
use super::{Chain, ChainError, ChainOptions, Prepared};
use crate::engine::BlockEnv;
use crate::executor::{BlockOutput, ChangedCells, ExecutorError, Plan, Tx};
use crate::scheduler::{Mode, Schedule};
use crate::state::{StateRead, StoreError};
use crate::types::{Block, Bytes, KeyHash, Receipt, StateKey};

/// How often a block is executed before it counts as one that does not differ: threads that race do
/// not always show it. Ours to choose.
const RUNS: u32 = 4;

/// Where an execution of a block differs from the serial oracle's, with the fewest transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bisection {
    /// The block.
    pub height: u64,
    /// How many transactions it has.
    pub n_txs: usize,
    /// The positions in the block of the transactions that are left: executed alone, in the order
    /// that the block publishes, they still differ, and without any one of them they do not.
    pub txs: Vec<u32>,
    /// How many blocks were executed to find them.
    pub n_runs: u32,
    /// The first key that differs, in the published order of the transactions that list it.
    pub key: Option<KeyDifference>,
    /// The first receipt that differs.
    pub receipt: Option<Box<ReceiptDifference>>,
    /// Why the execution did not end, if a worker panicked.
    pub panic: Option<String>,
}

/// A key that has two values after a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDifference {
    /// The key.
    pub key: StateKey,
    /// Its value by the oracle; `None` if there is none.
    pub oracle: Option<Bytes>,
    /// Its value by the execution.
    pub executed: Option<Bytes>,
}

/// A transaction that has two receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptDifference {
    /// The transaction's position in the block.
    pub tx: u32,
    /// Its receipt by the oracle.
    pub oracle: Receipt,
    /// Its receipt by the execution.
    pub executed: Receipt,
}

/// Compares an execution of one block with the serial oracle, and takes away transactions as long as
/// they still differ. `None` if they do not.
///
/// `execute` is what is compared: [`Chain::execute`], or something else under test. It is given the
/// chain as it was before the block, and commits nothing. A block is executed four times before it
/// counts as equal. The blocks before are applied on a chain in memory; `chain` is not changed.
///
/// By [delta debugging]: some `log n` executions of what shrinks by halves, for a pair of transactions
/// in a block of `n`, and `n²` at the worst.
///
/// ```
/// use kempe_runtime::chain::{Chain, ChainOptions, bisect};
/// use kempe_runtime::types::Genesis;
///
/// let genesis = Genesis::parse("chain_id = 7").unwrap();
/// let mut chain = Chain::in_memory(genesis, ChainOptions::default()).unwrap();
/// chain.build(Vec::new(), 0).unwrap();
/// let found = bisect(&chain, ChainOptions::default(), 1, Chain::execute, |_| ()).unwrap();
/// assert_eq!(found, None);
/// ```
///
/// Source: Zeller and Hildebrandt, *Simplifying and Isolating Failure-Inducing Input*, IEEE TSE 28(2),
/// 2002, algorithm ddmin.
///
/// # Errors
/// [`ChainError`] when a block is missing, cannot be read, or does not stand up to its own header
/// before it is executed.
///
/// [delta debugging]: https://doi.org/10.1109/32.988498
pub fn bisect(
    chain: &Chain,
    options: ChainOptions,
    height: u64,
    mut execute: impl FnMut(&mut Chain, &Prepared) -> Result<BlockOutput, ChainError>,
    mut progress: impl FnMut(u64),
) -> Result<Option<Bisection>, ChainError> {
    let mut again = Chain::in_memory(chain.genesis().clone(), options)?;
    for before in 1..height {
        again.apply(&stored(chain, before)?.block)?;
        progress(before);
    }
    let block = stored(chain, height)?.block;
    again.check_block(&block)?;
    let mut n_runs = 0;
    let mut compare = |txs: &[u32]| {
        let Some(prepared) = part_of(&again, &block, txs)? else { return Ok(None) };
        for _ in 0..RUNS {
            n_runs += 1;
            let executed = match execute(&mut again, &prepared) {
                Err(ChainError::Executor(ExecutorError::Panicked(what))) => Err(what),
                other => Ok(other?),
            };
            let oracle = again.execute_oracle(&prepared)?;
            let state = again.state()?;
            let found = difference(&prepared, txs, &oracle, executed, &*state)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    };
    let all: Vec<u32> = (0..).take(block.transactions.len()).collect();
    let Some(first) = compare(&all)? else { return Ok(None) };
    let (txs, difference) = least(all, first, &mut compare)?;
    let Difference { key, receipt, panic } = difference;
    let n_txs = block.transactions.len();
    Ok(Some(Bisection { height, n_txs, txs, n_runs, key, receipt, panic }))
}

/// The first differences of two executions.
struct Difference {
    key: Option<KeyDifference>,
    receipt: Option<Box<ReceiptDifference>>,
    panic: Option<String>,
}

/// Takes away parts of `txs` as long as there is a difference; ends when each transaction is needed.
fn least(
    mut txs: Vec<u32>,
    mut found: Difference,
    compare: &mut impl FnMut(&[u32]) -> Result<Option<Difference>, ChainError>,
) -> Result<(Vec<u32>, Difference), ChainError> {
    let mut n_parts = 2;
    while txs.len() > 1 {
        let size = txs.len().div_ceil(n_parts);
        let mut fewer = None;
        for start in (0..txs.len()).step_by(size) {
            let mut rest = txs.clone();
            rest.drain(start..txs.len().min(start + size));
            if let Some(difference) = compare(&rest)? {
                fewer = Some((rest, difference));
                break;
            }
        }
        match fewer {
            Some((rest, difference)) => {
                (txs, found) = (rest, difference);
                n_parts = 2.max(n_parts - 1);
            }
            None if size == 1 => break,
            None => n_parts = txs.len().min(2 * n_parts),
        }
    }
    Ok((txs, found))
}

/// Some transactions of a block, in its order; `None` if they alone make no legal plan.
fn part_of(chain: &Chain, block: &Block, txs: &[u32]) -> Result<Option<Prepared>, ChainError> {
    let transactions: Vec<_> =
        txs.iter().map(|&at| block.transactions[at as usize].clone()).collect();
    let hashes: Vec<_> = transactions.iter().map(|signed| signed.transaction.hash()).collect();
    let pairs = transactions.iter().zip(&hashes);
    let derived: Vec<_> =
        pairs.map(|(signed, &hash)| Tx { transaction: &signed.transaction, hash }).collect();
    let lists = chain.executor.derive(&derived, &chain.state()?)?;
    let interned = chain.executor.intern(lists, &derived)?;
    let Ok(plan) = Plan::new(interned, schedule_of(&block.schedule, txs), Mode::Free) else {
        return Ok(None);
    };
    let env = BlockEnv { height: block.header.height, time_ms: block.header.time_ms };
    Ok(Some(Prepared { transactions, hashes, rejected: Vec::new(), plan, env }))
}

/// A schedule without the transactions that are not among `txs`, which ascend.
fn schedule_of(schedule: &Schedule, txs: &[u32]) -> Schedule {
    let kept = |part: &[u32]| -> Vec<u32> {
        let found = part.iter().filter_map(|tx| txs.binary_search(tx).ok());
        found.map(|at| u32::try_from(at).expect("it is at most the transaction's number")).collect()
    };
    let batches = schedule.batches().map(kept).filter(|batch| !batch.is_empty());
    Schedule::new(batches, &kept(schedule.tail())).expect("what is left keeps its order")
}

fn difference(
    prepared: &Prepared,
    txs: &[u32],
    oracle: &BlockOutput,
    executed: Result<BlockOutput, String>,
    state: &dyn StateRead,
) -> Result<Option<Difference>, StoreError> {
    let executed = match executed {
        Ok(executed) => executed,
        Err(panic) => {
            return Ok(Some(Difference { key: None, receipt: None, panic: Some(panic) }));
        }
    };
    let receipts = oracle.receipts.iter().zip(&executed.receipts).zip(txs);
    let receipt = receipts.filter(|((oracle, executed), _)| oracle != executed).map(
        |((oracle, executed), &tx)| {
            let (oracle, executed) = (oracle.clone(), executed.clone());
            Box::new(ReceiptDifference { tx, oracle, executed })
        },
    );
    let receipt = receipt.min_by_key(|receipt| receipt.tx);
    let key = key_difference(prepared, oracle, &executed, state)?;
    let is_none = key.is_none() && receipt.is_none();
    Ok((!is_none).then_some(Difference { key, receipt, panic: None }))
}

fn key_difference(
    prepared: &Prepared,
    oracle: &BlockOutput,
    executed: &BlockOutput,
    state: &dyn StateRead,
) -> Result<Option<KeyDifference>, StoreError> {
    let after = |changes: &ChangedCells, hash: &KeyHash| {
        changes.get(hash).map_or_else(|| state.get(hash), Ok)
    };
    let mut differing = Vec::new();
    for change in oracle.changes.iter().chain(executed.changes.iter()) {
        let oracle = after(&oracle.changes, &change.hash)?;
        let executed = after(&executed.changes, &change.hash)?;
        if oracle != executed {
            differing.push((change.hash, KeyDifference { key: change.key, oracle, executed }));
        }
    }
    // The first transaction of the published order that lists such a key, and its first; keys that
    // no list names come last.
    let lists = prepared.plan.interned().lists();
    let schedule = prepared.plan.schedule();
    let order = schedule.batches().flatten().chain(schedule.tail());
    let listed = order.filter_map(|&tx| lists.of(tx)).flat_map(|list| list.iter());
    for key in listed {
        let hash = key.state_key().hash();
        if let Some(at) = differing.iter().position(|(found, _)| *found == hash) {
            return Ok(Some(differing.swap_remove(at).1));
        }
    }
    Ok(differing.into_iter().min_by_key(|(hash, _)| *hash).map(|(_, key)| key))
}
