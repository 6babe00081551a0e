//! Which transactions add to what others add to meanwhile.

use kempe_abi::AccessKind;

use super::Block;

/// By transaction, whether it may add to a key to which another one of its batch may add, with nobody in between who may read or
/// write it. What all others add can be applied when they end: whoever runs meanwhile does not list that key. Empty if no
/// transaction does.
///
/// `batches` are transactions in an order in which they could run one by one, those of a plan's batches or all of a graph; one pass
/// over their accesses.
///
/// # Panics
/// If a batch names a transaction that the block does not have.
///
/// ```
/// use kempe_abi::AccessKind::{Add, Write};
/// use kempe_runtime::scheduler::{Access, Accesses, Block, adds_together};
///
/// let mut accesses = Accesses::default();
/// for (slot, kind) in [(0, Add), (1, Add), (0, Add), (0, Write), (0, Add)] {
///     accesses.push_tx([Access::new(slot, kind)]);
/// }
/// let block = Block::new(&accesses, &[], &[], &[])?;
/// assert_eq!(adds_together(&block, [&[0, 1, 2, 3, 4][..]]), [true, false, true, false, false]);
/// assert!(adds_together(&block, [&[0, 1][..], &[2], &[3], &[4]]).is_empty());
/// # Ok::<(), kempe_runtime::scheduler::BlockError>(())
/// ```
#[must_use]
pub fn adds_together<'b>(
    block: &Block<'_>,
    batches: impl IntoIterator<Item = &'b [u32]>,
) -> Vec<bool> {
    const NOBODY: u32 = u32::MAX;
    let (accesses, mut is_together) = (block.accesses(), Vec::new());
    let adds = |row: &[super::Access]| row.iter().any(|access| access.kind == AccessKind::Add);
    if !accesses.rows().any(adds) {
        return is_together;
    }
    // By slot, the batch that last touched it, and who last added to it there if nobody did anything else since.
    let mut last = vec![(0u32, NOBODY); accesses.n_slots()];
    for (batch, txs) in (0u32..).zip(batches) {
        for &tx in txs {
            for access in accesses.of(tx) {
                let last = &mut last[access.slot as usize];
                let before = if last.0 == batch { last.1 } else { NOBODY };
                *last = (batch, if access.kind == AccessKind::Add { tx } else { NOBODY });
                if last.1 != NOBODY && before != NOBODY {
                    is_together.resize(block.n_txs(), false);
                    is_together[before as usize] = true;
                    is_together[tx as usize] = true;
                }
            }
        }
    }
    is_together
}
