//! Re-executing a chain from its genesis, sequentially and in parallel.

use super::{Chain, ChainError, ChainOptions};
use crate::state::StoreError;
use crate::types::BlockRecord;

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayReport {
    /// The number of blocks executed, genesis not counted.
    pub n_blocks: u64,
    /// The number of transactions executed.
    pub n_txs: u64,
    /// The first difference, if there is one.
    pub divergence: Option<Divergence>,
}

/// The first place where a replay differs from what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The block.
    pub height: u64,
    /// What differs, and between which executions.
    pub what: String,
}

/// Executes every block of a chain again, from its genesis in memory: with the serial oracle, and
/// in parallel by the published schedule. Both must give the stored receipts and state roots.
///
/// # Errors
/// [`ChainError`] when a block cannot be read or executed at all.
pub fn replay(
    chain: &Chain,
    options: ChainOptions,
    mut progress: impl FnMut(u64),
) -> Result<ReplayReport, ChainError> {
    let mut again = Chain::in_memory(chain.genesis().clone(), options)?;
    let mut report = ReplayReport { n_blocks: 0, n_txs: 0, divergence: None };
    for height in 1..=chain.head().height {
        let record = stored(chain, height)?;
        let oracle = again.oracle_root(&record.block)?;
        let stored = record.block.header.state_root;
        let what = if oracle != stored {
            Some(format!("state_root={stored} is stored, the serial oracle gives {oracle}"))
        } else {
            match again.apply(&record.block) {
                Ok(applied) if applied.record.receipts == record.receipts => None,
                Ok(_) => Some("the stored receipts differ from the executed ones".to_owned()),
                Err(ChainError::Header { field, found, expected }) => {
                    Some(format!("{field}={found} is stored, parallel execution gives {expected}"))
                }
                Err(error) => return Err(error),
            }
        };
        report.n_blocks += 1;
        report.n_txs += record.block.transactions.len() as u64;
        progress(height);
        if let Some(what) = what {
            report.divergence = Some(Divergence { height, what });
            return Ok(report);
        }
    }
    Ok(report)
}

/// A block that must be there.
pub(super) fn stored(chain: &Chain, height: u64) -> Result<BlockRecord, ChainError> {
    let missing = || StoreError::inconsistent(format!("block height={height} is missing"));
    Ok(chain.block(height)?.ok_or_else(missing)?)
}
