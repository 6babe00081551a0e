//! Accesses that commute: small blocks in every order, by every scheduler, against the oracle and against what
//! the kind says in one line.

use kempe_abi::log::item_key;
use kempe_abi::{AccessKind, Address, Outcome, TrapKind};
use kempe_runtime::executor::BlockOutput;
use kempe_runtime::scheduler::{Color, SCHEDULERS};
use kempe_runtime::types::{Action, DeclaredAccess, StateKey};
use kempe_tests::{CHAOS, FUEL, TOIL, World, call, genesis, number, options};
use proptest::prelude::*;

/// The numbers of the fields of `Chaos`.
const SUMS: u8 = 1;
const HIGHS: u8 = 3;
const LOWS: u8 = 4;
const STOCKS: u8 = 5;
const NOTES: u8 = 6;

/// The cell that all of a block's transactions touch.
const SLOT: u8 = 7;

fn world() -> (World, Address) {
    let mut world = World::of(genesis(6, 0), options(3, &Color));
    let chaos = world.deploy(0, CHAOS, &());
    (world, chaos)
}

/// All orders of so many things (Heap's algorithm).
fn permutations(n: usize) -> Vec<Vec<usize>> {
    fn go(k: usize, order: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
        if k <= 1 {
            return all.push(order.clone());
        }
        for i in 0..k {
            go(k - 1, order, all);
            order.swap(if k.is_multiple_of(2) { i } else { 0 }, k - 1);
        }
    }
    let mut all = Vec::new();
    go(n, &mut (0..n).collect(), &mut all);
    all
}

/// How an action ended, what it returned, and its fuel.
type Ended = (Outcome, Vec<Vec<u8>>, u64);

/// What a block gave.
struct Ran {
    scheduler: &'static str,
    /// By the number of the action.
    ended: Vec<Ended>,
    output: BlockOutput,
    /// The published order.
    order: Vec<usize>,
    n_batches: usize,
}

/// Runs actions of different senders, in this order, by every scheduler; each must agree with the oracle.
fn run(world: &mut World, actions: &[Action], order: &[usize]) -> Vec<Ran> {
    let mut all = Vec::new();
    for scheduler in SCHEDULERS {
        world.chain.set_options(options(3, scheduler)).expect("threads start");
        let txs = order.iter().map(|&at| (at, vec![actions[at].clone()])).collect();
        let txs = world.sign(txs);
        let prepared = world.chain.prepare(txs, 0).expect("it is prepared");
        let output = world.chain.execute(&prepared).expect("it runs");
        let oracle = world.chain.execute_oracle(&prepared).expect("it runs");
        assert_eq!(output, oracle, "{} {order:?}", scheduler.name());
        if prepared.plan.post_values().is_some() {
            let again = world.chain.execute(&prepared).expect("its own values are right");
            assert_eq!(again, oracle, "{} {order:?}", scheduler.name());
        }
        let schedule = prepared.plan.schedule();
        let mut ended = vec![(Outcome::Ok, Vec::new(), 0); actions.len()];
        for (receipt, &at) in output.receipts.iter().zip(order) {
            ended[at] = (receipt.outcome, receipt.results.clone(), receipt.fuel);
        }
        all.push(Ran {
            scheduler: scheduler.name(),
            ended,
            output,
            order: schedule.order().iter().map(|&tx| order[tx as usize]).collect(),
            n_batches: schedule.n_batches(),
        });
    }
    all
}

/// What the block left of the cell.
fn left(output: &BlockOutput, chaos: Address, field: u8) -> Option<Vec<u8>> {
    let hash = StateKey::new(chaos, field, &[SLOT]).hash();
    output.changes.get(&hash).flatten().map(|value| value.to_vec())
}

/// Runs a block in every order behind the blocks of these actions; `check` has the last word on each.
fn in_every_order(before: &[Action], block: &[Action], mut check: impl FnMut(&Ran)) {
    let (mut world, _) = world();
    for action in before {
        assert_eq!(world.send(0, action.clone()).outcome, Outcome::Ok);
    }
    for order in permutations(block.len()) {
        run(&mut world, block, &order).iter().for_each(&mut check);
    }
}

/// A block that commutes: color needs one batch, and in every order the outcomes, the results, the fuel and the
/// changes are the same.
fn commutes(before: &[Action], block: &[Action]) -> BlockOutput {
    let mut first: Option<(Vec<Ended>, BlockOutput)> = None;
    in_every_order(before, block, |ran| {
        let (ended, output) = first.get_or_insert_with(|| (ran.ended.clone(), ran.output.clone()));
        assert_eq!(ran.ended, *ended, "{} {:?}", ran.scheduler, ran.order);
        assert_eq!(ran.output.changes, output.changes, "{} {:?}", ran.scheduler, ran.order);
        assert!(ran.scheduler != "color" || ran.n_batches == 1, "{:?}", ran.order);
    });
    first.expect("there is an order").1
}

/// The contract's address in every world of these tests.
fn chaos() -> Address {
    world().1
}

fn on_slot(chaos: Address, method: &str, n: u8) -> Action {
    call(chaos, method, &(SLOT, n))
}

#[test]
fn sums_maxima_and_minima_have_one_root_in_every_order() {
    let chaos = chaos();
    let all = |method: &str, ns: &[u8]| -> Vec<Action> {
        ns.iter().map(|n| on_slot(chaos, method, *n)).collect()
    };
    let output = commutes(&all("add", &[9]), &all("add", &[5, 0, 7, 100]));
    assert_eq!(left(&output, chaos, SUMS), Some(vec![121]));
    // `raise` raises to three times as much.
    let output = commutes(&all("raise", &[4]), &all("raise", &[5, 200, 3, 200]));
    assert_eq!(left(&output, chaos, HIGHS), Some(600u16.to_le_bytes().to_vec()));
    let output = commutes(&all("lower", &[90]), &all("lower", &[7, 255, 0, 100]));
    assert_eq!(left(&output, chaos, LOWS), Some(vec![0]));
    // Nothing is further than what is there.
    let output = commutes(&all("lower", &[3]), &all("lower", &[7, 255, 3, 100]));
    assert_eq!(left(&output, chaos, LOWS), Some(vec![3]));
}

#[test]
fn taking_commutes_while_there_is_enough_for_all() {
    let chaos = chaos();
    let on = |method, n| on_slot(chaos, method, n);
    // What is declared is 10 + 9 + 6 + 8 with a floor of 2: all of the stock.
    let block = [on("book", 10), on("book_parts", 9), on("book_and_fail", 6), on("book", 8)];
    let output = commutes(&[on("stock", 35)], &block);
    assert_eq!(left(&output, chaos, STOCKS), Some(vec![35 - 10 - 4 - 3 - 8]));
    // What is added is not counted on, but commutes.
    let block = [on("book", 10), on("stock", 100), on("book", 23), on("stock", 1)];
    let output = commutes(&[on("stock", 35)], &block);
    assert_eq!(left(&output, chaos, STOCKS), Some(vec![103]));
    // One that exceeds what it declares fails, and the others do not notice.
    let block = [on("overbook", 9), on("book", 20), on("overbook", 3), on("overbook", 1)];
    let output = commutes(&[on("stock", 60)], &block);
    let undeclared = Outcome::Trap(TrapKind::UndeclaredAccess);
    assert_eq!(output.receipts.iter().filter(|r| r.outcome == undeclared).count(), 3);
    assert_eq!(left(&output, chaos, STOCKS), Some(vec![40]));
}

/// Where there is not enough for all, taking is an `if` in the published order.
#[test]
fn taking_is_an_if_where_somebody_could_be_refused() {
    let chaos = chaos();
    let amounts = [9u8, 5, 7, 2];
    let block = amounts.map(|n| on_slot(chaos, "book", n));
    // Of 24 there is enough for all, but not for the floor of who comes last.
    for (start, all_refused) in [(20u8, vec![0, 1, 2]), (24, vec![0, 1, 2, 3])] {
        let mut refused = std::collections::BTreeSet::new();
        in_every_order(&[on_slot(chaos, "stock", start)], &block, |ran| {
            let mut stock = start;
            for &at in &ran.order {
                let takes = stock >= amounts[at] + 2;
                stock -= if takes { amounts[at] } else { 0 };
                let (outcome, results, _) = &ran.ended[at];
                assert_eq!(*outcome, Outcome::Ok);
                assert_eq!(*results, [vec![u8::from(takes)]], "{} {:?}", ran.scheduler, ran.order);
                if !takes {
                    refused.insert(at);
                }
            }
            assert_eq!(left(&ran.output, chaos, STOCKS), Some(vec![stock]));
        });
        assert!(refused.iter().eq(&all_refused), "{start}: each of {refused:?} in some order");
    }
}

/// A write among them says what is there: whoever takes behind it sees that.
#[test]
fn a_write_among_takers_orders_them() {
    let chaos = chaos();
    let on = |method, n| on_slot(chaos, method, n);
    let block = [on("book", 30), on("restock", 40), on("book", 30), call(chaos, "left", &SLOT)];
    in_every_order(&[on("stock", 200)], &block, |ran| {
        let mut stock = 200u8;
        for &at in &ran.order {
            let result = match at {
                1 => {
                    stock = 40 - 9;
                    vec![1, stock]
                }
                3 => vec![stock],
                _ => {
                    let takes = stock >= 32;
                    stock -= if takes { 30 } else { 0 };
                    vec![u8::from(takes)]
                }
            };
            assert_eq!(ran.ended[at].1, [result], "{} {:?}", ran.scheduler, ran.order);
        }
    });
}

/// The outcome, the results and the fuel of a transaction do not tell whether it was ordered.
#[test]
fn whether_takers_were_ordered_does_not_show() {
    let chaos = chaos();
    let on = |method, n| on_slot(chaos, method, n);
    let alone = |others: &[Action]| {
        let (mut world, _) = world();
        world.send(0, on("stock", 50));
        let block: Vec<Action> =
            [on("book", 7)].into_iter().chain(others.iter().cloned()).collect();
        let order: Vec<usize> = (0..block.len()).collect();
        let ran = run(&mut world, &block, &order);
        let color = ran.into_iter().find(|ran| ran.scheduler == "color").expect("it is there");
        (color.output.receipts[0].clone(), color.n_batches)
    };
    let (free, n_free) = alone(&[on("book", 8)]);
    let (ordered, n_ordered) = alone(&[on("book", 200)]);
    assert_eq!((n_free, n_ordered), (1, 2));
    assert_eq!((free.fuel, free.footprint), (ordered.fuel, ordered.footprint));
    assert_eq!((free.outcome, free.results), (ordered.outcome, ordered.results));
}

/// Whoever only declares to take sees nothing, also where takers are ordered and the value is at hand.
#[test]
fn who_declares_to_take_may_not_look() {
    let chaos = chaos();
    let undeclared = Outcome::Trap(TrapKind::UndeclaredAccess);
    for n_other in [5, 200] {
        let block = [call(chaos, "peek", &(SLOT, 3u8, 4u8)), on_slot(chaos, "book", n_other)];
        in_every_order(&[on_slot(chaos, "stock", 50)], &block, |ran| {
            assert_eq!(ran.ended[0].0, undeclared, "{} {n_other}", ran.scheduler);
        });
    }
}

/// A caught failure gives back what it took, where takers commute and where they are ordered.
#[test]
fn a_caught_failure_gives_back_what_it_took() {
    for n_other in [5u8, 200] {
        let (mut world, chaos) = world();
        let other = world.deploy(1, CHAOS, &());
        world.send(0, on_slot(other, "stock", 60));
        let block = [call(chaos, "rebook", &(other, SLOT, 9u8)), on_slot(other, "book", n_other)];
        for ran in run(&mut world, &block, &[0, 1]) {
            // Nine, nine that are given back, and one; two are always left.
            let taken = 10 + if n_other == 5 { 5 } else { 0 };
            assert_eq!(
                left(&ran.output, other, STOCKS),
                Some(vec![60 - taken]),
                "{}",
                ran.scheduler
            );
        }
    }
}

/// What is added to a stock that has no room for it fails in the published order, whoever is faster.
#[test]
fn a_full_stock_takes_nothing_in_the_published_order() {
    let (mut world, chaos) = world();
    let toil = world.deploy(1, TOIL, &());
    world.send(0, on_slot(chaos, "stock", 250));
    for _ in 0..number("KEMPE_KIND_RUNS", 3) {
        for scheduler in SCHEDULERS {
            world.chain.set_options(options(3, scheduler)).expect("threads start");
            // The first is slow, so that the others are there before it.
            let slow = vec![call(toil, "add", &(SLOT, 200_000u32)), on_slot(chaos, "stock", 10)];
            let takers = (1..4).map(|from| (from, vec![on_slot(chaos, "book", 8)]));
            let txs = world.sign([(0, slow)].into_iter().chain(takers).collect());
            let prepared = world.chain.prepare(txs, 0).expect("it is prepared");
            let output = world.chain.execute(&prepared).expect("it runs");
            let oracle = world.chain.execute_oracle(&prepared).expect("it runs");
            assert_eq!(output, oracle, "{}", scheduler.name());
            if prepared.plan.schedule().order()[0] == 0 {
                let unfit = Outcome::Trap(TrapKind::CounterOutOfBounds);
                assert_eq!(output.receipts[0].outcome, unfit, "{}", scheduler.name());
            }
        }
    }
}

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

const TAKING: &[&str] = &[
    "book",
    "book",
    "book",
    "stock",
    "book_parts",
    "overbook",
    "exchange",
    "book_and_fail",
    "rebook",
    "book_both",
    "restock",
    "left",
];

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

/// A sender, a method, a slot, and a number.
type Step = (usize, &'static str, u8, u8);

fn steps(methods: &'static [&'static str]) -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = (0..6_usize, proptest::sample::select(methods), 0..3_u8, 0..24_u8);
    proptest::collection::vec(proptest::collection::vec(step, 1..12), 10)
}

/// Runs blocks on two of the contracts one behind the other, each by every scheduler and by the oracle; `check`
/// looks at the state behind each.
fn all_agree(
    blocks: &[Vec<Step>],
    mut check: impl FnMut(&World, [Address; 2]) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let (mut world, chaos) = world();
    let other = world.deploy(1, CHAOS, &());
    for slot in 0..3_u8 {
        world.send(0, call(chaos, "stock", &(slot, 40 * slot)));
        world.send(0, call(other, "stock", &(slot, 255 - 20 * slot)));
    }
    for block in blocks {
        let txs = block.iter().map(|&(from, method, slot, n)| {
            let this = if n % 3 == 0 { other } else { chaos };
            let action = match method {
                "rebook" | "renote" => call(chaos, method, &(other, slot, n)),
                "book_both" | "note_both" => call(this, method, &(slot, n % 3)),
                "left" | "n_notes" => call(this, method, &slot),
                "restock" => call(this, method, &(slot, n * 10)),
                "noted" | "put" => call(this, method, &(slot, u64::from(n % 4))),
                _ => call(this, method, &(slot, n)),
            };
            (from, vec![action])
        });
        let txs = world.sign(txs.collect());
        for scheduler in SCHEDULERS {
            world.chain.set_options(options(3, scheduler)).expect("threads start");
            let prepared = world.chain.prepare(txs.clone(), 0).expect("it is prepared");
            let output = world.chain.execute(&prepared).expect("it runs");
            let oracle = world.chain.execute_oracle(&prepared).expect("it runs");
            prop_assert_eq!(&output, &oracle, "{}", scheduler.name());
        }
        world.build(txs);
        check(&world, [chaos, other])?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: number("KEMPE_CASES", 8), ..ProptestConfig::default()
    })]

    /// Blocks of nothing but stocks, so that they fill and run out.
    #[test]
    fn stocks_are_the_same_by_every_scheduler(blocks in steps(TAKING)) {
        all_agree(&blocks, |_, _| Ok(()))?;
    }

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

/// What a kind is worth: blocks of calls that work for a while and touch one cell, by a kind that commutes and as a
/// write that does the same. With `--nocapture` it prints how long they run; `KEMPE_KIND_ROUNDS=20000` makes each
/// work for some 28 microseconds, and `KEMPE_KIND_RUNS=25` says how often each is run.
#[test]
fn a_kind_that_commutes_needs_one_batch_where_a_write_needs_one_each() {
    const N_CALLS: u8 = 240;
    let rounds: u32 = number("KEMPE_KIND_ROUNDS", 10);
    let n_runs: usize = number("KEMPE_KIND_RUNS", 1);
    let mut world = World::of(genesis(N_CALLS, 0), options(1, &Color));
    let toil = world.deploy(0, TOIL, &());
    world.send(0, call(toil, "fill", &(SLOT, 1000u64)));
    let methods = ["add", "max", "min", "reserve", "append", "start", "unless"];
    let methods = methods.into_iter().flat_map(|kind| [kind.into(), format!("{kind}_written")]);
    for (at, method) in methods.enumerate() {
        let calls = (0..N_CALLS)
            .map(|from| (usize::from(from), vec![call(toil, &method, &(SLOT, rounds))]));
        let txs = world.sign(calls.collect());
        let n_batches = if at % 2 == 0 { 1 } else { usize::from(N_CALLS) };
        let mut times = [1, 2].map(|_| Vec::with_capacity(n_runs));
        for _ in 0..n_runs {
            // In turn, so that what else the machine does falls on both.
            for (n_threads, times) in (1..).zip(&mut times) {
                world.chain.set_options(options(n_threads, &Color)).expect("threads start");
                let prepared = world.chain.prepare(txs.clone(), 0).expect("it is prepared");
                assert_eq!(prepared.plan.schedule().n_batches(), n_batches, "{method}");
                world.chain.execute(&prepared).expect("it runs");
                let start = std::time::Instant::now();
                let output = world.chain.execute(&prepared).expect("it runs");
                times.push(start.elapsed());
                assert!(output.receipts.iter().all(|r| r.outcome == Outcome::Ok), "{method}");
            }
        }
        let medians = times.map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2]
        });
        println!("{method}: {n_batches} batches, on 1 and 2 threads {medians:?}");
    }
}
