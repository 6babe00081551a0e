//! Appending to logs.

use kempe_abi::log::item_key;
use kempe_abi::{AccessKind, Address, Outcome};
use kempe_runtime::executor::BlockOutput;
use kempe_runtime::scheduler::SCHEDULERS;
use kempe_runtime::types::{DeclaredAccess, StateKey};
use kempe_tests::{CHAOS, FUEL, call, number, options};
use proptest::prelude::*;

use crate::{Ran, SLOT, all_agree, chaos, in_every_order, left, on_slot, steps, world};

/// The number of the field of `Chaos`.
const NOTES: u8 = 6;

/// An item of a log: who called, and a number.
type Note = (Address, u8);

/// What the block left of the log: its length, if it changed, and the items that it wrote, by index.
fn notes(output: &BlockOutput, chaos: Address) -> (Option<u64>, Vec<(u64, Note)>) {
    let length = left(output, chaos, NOTES)
        .map(|bytes| u64::from_le_bytes(bytes.try_into().expect("a length has eight bytes")));
    let mut items = Vec::new();
    for change in output.changes.iter() {
        if (change.key.contract, change.key.field) == (chaos, NOTES)
            && let Some(index) = change.key.key.strip_prefix(&[SLOT])
            && let Ok(index) = index.try_into()
        {
            assert_eq!(change.hash, change.key.hash());
            let item = change.value.as_deref().expect("an item is never removed");
            items.push((u64::from_le_bytes(index), borsh::from_slice(item).expect("it decodes")));
        }
    }
    items.sort_unstable();
    (length, items)
}

/// What a block appends: the items by the number of the action, in the published order, behind `before`.
fn expected(
    ran: &Ran,
    before: u64,
    of: impl Fn(usize) -> Vec<Note>,
) -> (Option<u64>, Vec<(u64, Note)>) {
    let items: Vec<_> = (before..).zip(ran.order.iter().flat_map(|&at| of(at))).collect();
    (Some(before + items.len() as u64), items)
}

/// The address of the account that sends the action with this number.
fn sender(at: usize) -> Address {
    world().0.accounts[at].address
}

#[test]
fn appending_commutes_and_the_published_order_numbers_the_items() {
    let chaos = chaos();
    let on = |method, n| on_slot(chaos, method, n);
    let senders = [0, 1, 2, 3, 4].map(sender);
    // Two at once, a failure, an addition that does not fit and one that does.
    let block = [
        on("note", 6),
        on("note_and_fail", 7),
        on("note_and_add", 90),
        on("note", 8),
        on("note_and_add", 4),
    ];
    let mut orders = std::collections::BTreeSet::new();
    let mut first = None;
    in_every_order(&[on("note", 9), on("add", 170)], &block, |ran| {
        assert!(ran.scheduler != "color" || ran.n_batches == 1, "{:?}", ran.order);
        let is_ok = |at: usize| ran.ended[at].0 == Outcome::Ok;
        assert_eq!([0, 1, 2, 3, 4].map(is_ok), [true, false, false, true, true]);
        let ended = first.get_or_insert_with(|| ran.ended.clone());
        assert_eq!(ran.ended, *ended, "{} {:?}", ran.scheduler, ran.order);
        let items = |at: usize| match at {
            0 => vec![(senders[0], 6), (senders[0], 106)],
            3 => vec![(senders[3], 8)],
            4 => vec![(senders[4], 4)],
            _ => vec![],
        };
        let found = notes(&ran.output, chaos);
        assert_eq!(found, expected(ran, 2, items), "{} {:?}", ran.scheduler, ran.order);
        orders.insert(found.1);
    });
    assert_eq!(orders.len(), 6, "three that succeed in every order");
}

/// Who looks at the length is ordered among those who append; who looks at what was there before the block is not,
/// and no item of the block is there yet.
#[test]
fn who_looks_at_the_length_sees_those_before_it() {
    let chaos = chaos();
    let on = |method, n| on_slot(chaos, method, n);
    let senders = [0, 1, 2, 3].map(sender);
    let block = [
        on("note", 3),
        call(chaos, "n_notes", &SLOT),
        on("note_and_see", 50),
        call(chaos, "noted", &(SLOT, 2u64)),
    ];
    in_every_order(&[on("note", 1), on("note", 2)], &block, |ran| {
        let mut length = 2;
        let mut seen = 0u64;
        for &at in &ran.order {
            let result = match at {
                0 => {
                    length += 2;
                    continue;
                }
                1 => borsh::to_vec(&length),
                2 => {
                    seen = length + 1;
                    length += 2;
                    borsh::to_vec(&seen)
                }
                _ => borsh::to_vec(&(2u64, None::<Note>)),
            };
            let result = result.expect("it encodes");
            assert_eq!(ran.ended[at].1, [result], "{} {:?}", ran.scheduler, ran.order);
        }
        let items = |at: usize| match at {
            0 => vec![(senders[0], 3), (senders[0], 103)],
            2 => vec![(senders[2], 50), (senders[2], seen.to_le_bytes()[0])],
            _ => vec![],
        };
        assert_eq!(notes(&ran.output, chaos), expected(ran, 2, items), "{}", ran.scheduler);
    });
}

/// A caught failure takes what it appended along, and nothing else; indices go on from block to block; items are
/// cells under the root.
#[test]
fn items_stay_and_are_proven() {
    let (mut world, chaos) = world();
    let other = world.deploy(1, CHAOS, &());
    let mut all: Vec<Note> = Vec::new();
    for round in 0..4u8 {
        let txs = world.sign(vec![
            (0, vec![call(chaos, "renote", &(other, SLOT, 30 * round + 1))]),
            (1, vec![on_slot(other, "note", 2), on_slot(other, "note", 4)]),
            (2, vec![on_slot(other, "note", 5), on_slot(other, "note_and_fail", 5)]),
            (3, vec![call(other, "note_both", &(SLOT, SLOT))]),
            (4, vec![call(other, "noted", &(SLOT, all.len() as u64))]),
        ]);
        let [second, both] = [1, 3].map(|at: usize| world.accounts[at].address);
        let receipts = world.build(txs).record.receipts;
        assert_eq!(receipts[2].outcome, Outcome::Revert(100));
        let n_before = all.len() as u64;
        assert_eq!(receipts[4].results[0], borsh::to_vec(&(n_before, None::<Note>)).unwrap());
        all.extend([(chaos, 30 * round + 1), (chaos, 1), (second, 2), (second, 4)]);
        all.extend([(both, SLOT), (both, SLOT), (other, SLOT)]);
        let root = world.chain.head().state_root;
        let mut proven = vec![(vec![SLOT], Some((all.len() as u64).to_le_bytes().to_vec()))];
        for (index, note) in (0..).zip(&all) {
            proven.push((item_key(&[SLOT], index), Some(borsh::to_vec(note).unwrap())));
        }
        proven.push((item_key(&[SLOT], all.len() as u64), None));
        for (key, value) in proven {
            let hash = StateKey::new(other, NOTES, &key).hash();
            let proof = world.chain.tree().prove(world.chain.table().unwrap(), &hash).unwrap();
            proof.verify(&root, &hash, value.as_deref()).expect("it is proven");
        }
    }
}

const NOTING: &[&str] = &[
    "note",
    "note",
    "note_both",
    "note_and_fail",
    "note_and_add",
    "note_and_see",
    "n_notes",
    "noted",
    "renote",
    "note_somewhere",
    "put",
];

/// A transaction that ran in a batch and waits for an earlier one of its sender after all appends once, in the tail.
#[test]
fn who_is_tried_again_appends_once() {
    let (mut world, chaos) = world();
    // Its list lacks the log that it finds in the cell.
    let key = StateKey::new(chaos, 0, &[SLOT]);
    let list = vec![DeclaredAccess { kind: AccessKind::Read, key }];
    let txs = world.sign_with([
        (0, vec![call(chaos, "note_somewhere", &(SLOT, 1u8))], FUEL, list),
        (0, vec![on_slot(chaos, "note", 2)], FUEL, Vec::new()),
        (1, vec![on_slot(chaos, "note", 4)], FUEL, Vec::new()),
    ]);
    let [first, second] = [0, 1].map(|at: usize| world.accounts[at].address);
    for scheduler in SCHEDULERS {
        world.chain.set_options(options(3, scheduler)).expect("threads start");
        let prepared = world.chain.prepare(txs.clone(), 0).expect("it is prepared");
        let output = world.chain.execute(&prepared).expect("it runs");
        assert_eq!(output, world.chain.execute_oracle(&prepared).expect("it runs"));
        let is_tail: Vec<bool> = output.receipts.iter().map(|receipt| receipt.tail).collect();
        assert_eq!(is_tail, [true, true, false], "{}", scheduler.name());
        let items = vec![(0, (second, 4)), (1, (first, 1)), (2, (first, 2))];
        assert_eq!(notes(&output, chaos), (Some(3), items), "{}", scheduler.name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: number("KEMPE_CASES", 8), ..ProptestConfig::default()
    })]

    /// Blocks of nothing but logs: as many items are there as the length says, and what was there stays.
    #[test]
    fn logs_are_the_same_by_every_scheduler(blocks in steps(NOTING)) {
        let mut had = std::collections::BTreeMap::new();
        all_agree(&blocks, |world, contracts| {
            let state = world.chain.state().expect("it is readable");
            for (contract, slot) in contracts.into_iter().flat_map(|at| [0, 1, 2].map(|n| (at, n))) {
                let get = |key: &[u8]| {
                    let found = state.get(&StateKey::new(contract, NOTES, key).hash());
                    found.expect("it is readable").map(|value| value.to_vec())
                };
                let length = get(&[slot]).map_or(0, |n| u64::from_le_bytes(n.try_into().unwrap()));
                let items: Vec<_> =
                    (0..length).map(|index| get(&item_key(&[slot], index))).collect();
                prop_assert!(items.iter().all(Option::is_some), "{slot} has a gap");
                prop_assert_eq!(get(&item_key(&[slot], length)), None);
                let before: Vec<_> =
                    had.insert((contract, slot), items.clone()).unwrap_or_default();
                prop_assert!(items.starts_with(&before), "{slot} changed");
            }
            Ok(())
        })?;
    }
}
