//! How many versions of keys a plan keeps.

use kempe_abi::AccessKind::{Add, Read, Write};
use kempe_runtime::scheduler::{Form, Plan};

use crate::Input;

/// How many versions stand when the block ends, as the runtime lays them out; `None` where each key has one value.
///
/// By versions and in rounds there is one for each declared write and addition, and one for the sum wherever something reads after additions. In a graph of
/// versions a key that one list alone names, or all lists to be written, has none. What is optimistic keeps what was changed.
pub(super) fn n_versions(plan: &Plan, input: &Input) -> Option<u64> {
    let accesses = input.accesses();
    // How many lists name a slot, and whether one of them has it for something else than to write.
    let mut uses = vec![(0u32, false); accesses.n_slots()];
    for access in accesses.rows().flatten() {
        let (n_lists, is_other) = &mut uses[access.slot as usize];
        *n_lists += 1;
        *is_other |= access.kind != Write;
    }
    let is_kept = |slot: u32| match (plan.form(), uses[slot as usize]) {
        (Form::Versions(_), (n_lists, is_other)) => is_other && n_lists > 1,
        _ => true,
    };
    match plan.form() {
        Form::Versions(_) | Form::Rounds { .. } => {}
        Form::Optimistic { .. } => {
            let changed = input.block().txs().map(|tx| {
                let row = accesses.of(tx).iter().enumerate();
                row.filter(|&(at, access)| access.kind != Read && input.does(tx, at)).count() as u64
            });
            return Some(changed.sum());
        }
        _ => return None,
    }
    let (mut n_versions, mut is_added) = (0u64, vec![false; accesses.n_slots()]);
    for access in plan.order().iter().flat_map(|&tx| accesses.of(tx)) {
        if is_kept(access.slot) {
            let is_addition = access.kind == Add;
            let was_added = std::mem::replace(&mut is_added[access.slot as usize], is_addition);
            n_versions += u64::from(was_added && !is_addition) + u64::from(access.kind != Read);
        }
    }
    Some(n_versions + is_added.iter().filter(|is_added| **is_added).count() as u64)
}

#[cfg(test)]
mod tests {
    use kempe_abi::AccessKind;
    use kempe_runtime::scheduler::by_name;

    use super::*;
    use crate::InputTx;

    #[test]
    fn versions_are_counted_as_the_runtime_lays_them_out() {
        let rows: [&[(u64, AccessKind)]; 4] = [
            &[(0, Write), (1, Add), (2, Write)],
            &[(0, Write), (1, Add), (3, Add)],
            &[(0, Write), (1, Read), (4, Write)],
            &[(1, Add), (4, Read)],
        ];
        let tx = |row: &[(u64, AccessKind)]| InputTx {
            accesses: row.iter().map(|&(key, kind)| (key, kind, false)).collect(),
            ..InputTx::default()
        };
        let n_untouched = |n| InputTx { n_untouched: n, ..tx(rows[3]) };
        let input = |last: InputTx| {
            let txs = rows[..3].iter().map(|row| tx(row)).chain([last]).collect();
            Input::new("some".to_owned(), txs)
        };
        let of = |scheduler: &str, last| {
            let input = input(last);
            n_versions(&by_name(scheduler).unwrap().plan(&input.block(), 2), &input)
        };
        // Key 1: three additions, a sum before the reader and one at the end; key 4: a write. Keys 0, 2 and 3 stay in place.
        assert_eq!(of("versions", n_untouched(0)), Some(5 + 1));
        // There is also a version of each of those: three, one, and one with its sum.
        assert_eq!(of("aria", n_untouched(0)), Some(6 + 3 + 1 + 2));
        assert_eq!(of("block-stm", n_untouched(0)), Some(3 + 3 + 3));
        assert_eq!(of("block-stm", n_untouched(2)), Some(3 + 3 + 2));
        assert_eq!((of("graph", n_untouched(0)), of("layers", n_untouched(0))), (None, None));
    }
}
