//! Taking from stocks: an addition where there is enough for all of a block, and an `if` in the published order where not.

use kempe_abi::{Outcome, TrapKind};
use kempe_runtime::scheduler::SCHEDULERS;
use kempe_runtime::types::{Action, Receipt, StateKey};
use kempe_tests::{CHAOS, TOIL, call, number, options};
use proptest::prelude::*;

use crate::{SLOT, all_agree, chaos, commutes, in_every_order, left, on_slot, run, steps, world};

/// The number of the field of `Chaos`.
const STOCKS: u8 = 5;

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

/// Whoever takes nothing waits for nobody, however much others declare of the same stock, and touches nothing.
#[test]
fn taking_nothing_orders_nothing() {
    let chaos = chaos();
    let on = |method, n| on_slot(chaos, method, n);
    let nothing = on("book_and_fail", 0);
    let block = [nothing.clone(), on("book_and_fail", 200), nothing, on("restock", 50)];
    in_every_order(&[on("stock", 50)], &block, |ran| {
        assert_eq!(ran.ended[0], ran.ended[2]);
        if ran.scheduler == "color" {
            assert_eq!(ran.n_batches, 2, "{:?}", ran.order);
        }
    });
    // Also where there is no stock at all.
    let (world, _) = world();
    let txs =
        world.sign(vec![(0, vec![on("book_and_fail", 0)]), (1, vec![on("book_and_fail", 1)])]);
    let prepared = world.chain.prepare(txs, 0).expect("it is prepared");
    let lists = prepared.plan.interned().lists();
    let n_entries = |tx| lists.of(tx).expect("it is listed").iter().count();
    assert_eq!((n_entries(0), n_entries(1)), (1, 2), "the contract, and the stock");
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
                let Receipt { outcome, failure, .. } = &output.receipts[0];
                assert_eq!(*outcome, unfit, "{}", scheduler.name());
                let counter = failure.as_ref().and_then(|failure| failure.counter.clone());
                assert_eq!(counter, Some(StateKey::new(chaos, STOCKS, &[SLOT])));
            }
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

proptest! {
    #![proptest_config(ProptestConfig {
        cases: number("KEMPE_CASES", 8), ..ProptestConfig::default()
    })]

    /// Blocks of nothing but stocks, so that they fill and run out.
    #[test]
    fn stocks_are_the_same_by_every_scheduler(blocks in steps(TAKING)) {
        all_agree(&blocks, |_, _| Ok(()))?;
    }
}
