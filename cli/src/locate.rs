//! A transaction as people name it: its hash, or `HEIGHT:INDEX`.

use kempe_abi::Hash;
use kempe_runtime::chain::Chain;
use kempe_runtime::types::BlockRecord;

use crate::output::{Exit, Failure};

/// The block of a transaction and its position there.
pub(crate) fn transaction(chain: &Chain, word: &str) -> Result<(BlockRecord, usize), Failure> {
    let (height, index) = match word.split_once(':') {
        Some((height, index)) => match (height.parse(), index.parse()) {
            (Ok(height), Ok(index)) => (height, index),
            _ => return Err(unreadable(word)),
        },
        None => {
            let hash: Hash = word.parse().map_err(|_| unreadable(word))?;
            let found = chain.find_transaction(&hash)?.ok_or_else(|| {
                Failure::new(Exit::Failed, format!("there is no transaction {hash}"))
                    .with_help("`kempe block` lists the transactions of the last block")
            })?;
            (found.height, found.index as usize)
        }
    };
    let record = block(chain, Some(height))?;
    let n_txs = record.receipts.len();
    if index >= n_txs {
        let plural = if n_txs == 1 { "" } else { "s" };
        let message =
            format!("block {height} has {n_txs} transaction{plural}, none at position {index}");
        return Err(Failure::new(Exit::Failed, message));
    }
    Ok((record, index))
}

/// The block at a height, or the last one.
pub(crate) fn block(chain: &Chain, height: Option<u64>) -> Result<BlockRecord, Failure> {
    let head = chain.head().height;
    let height = height.unwrap_or(head);
    chain.block(height)?.ok_or_else(|| {
        Failure::new(Exit::Failed, format!("there is no block {height}"))
            .with_help(format!("the last block is {head}"))
    })
}

fn unreadable(word: &str) -> Failure {
    let message = format!("`{}` names no transaction", word.escape_debug());
    Failure::new(Exit::Usage, message)
        .with_help("a transaction is its hash, 0x and 64 digits, or HEIGHT:INDEX, as in 2:0")
}
