//! What was there before the block.

use kempe_abi::{Outcome, TrapKind};
use kempe_tests::call;

use crate::sums::SUMS;
use crate::{SLOT, chaos, commutes, left, on_slot};

/// What was there before the block, `start` of a cell and of a counter, and a flag that guards: whoever changes them
/// in the block, and whoever is first.
#[test]
fn what_was_before_the_block_is_the_same_in_every_order() {
    let chaos = chaos();
    let on = |method, n| on_slot(chaos, method, n);
    let block = [
        call(chaos, "put", &(SLOT, 50u64)),
        call(chaos, "recall", &(SLOT, 9u8)),
        on("add", 5),
        on("flag", 1),
        on("guarded", 3),
    ];
    let before = [call(chaos, "put", &(SLOT, 7u64)), on("add", 9)];
    let output = commutes(&before, &block);
    assert_eq!(output.receipts[1].results, [16u64.to_le_bytes()]);
    assert_eq!(output.receipts[4].outcome, Outcome::Ok);
    assert_eq!(left(&output, chaos, SUMS), Some(vec![17]), "9, 5, and what was not guarded");

    let [before_put, before_add] = before;
    let before = [before_put, before_add, on("flag", 1)];
    let [put, recall, add, _, guarded] = block;
    let output = commutes(&before, &[put, recall, add, on("flag", 2), guarded]);
    assert_eq!(output.receipts[4].outcome, Outcome::Trap(TrapKind::Guarded));
    assert_eq!(left(&output, chaos, SUMS), Some(vec![14]));
}
