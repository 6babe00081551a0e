//! Encodings, bad columns and pictures.

use super::super::*;
use super::{Add, Owned, Read, Write};

#[test]
fn a_schedule_has_one_encoding_and_refuses_the_others() {
    let schedule = Schedule::new([[0, 2].as_slice(), &[1]], &[3]).unwrap();
    let bytes = borsh::to_vec(&schedule).unwrap();
    let words: Vec<u32> =
        bytes.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
    assert_eq!(words, [4, 0, 2, 1, 3, 2, 2, 3], "the stored encoding must not change");
    assert_eq!(borsh::from_slice::<Schedule>(&bytes).unwrap(), schedule);
    let encode = |order: &[u32], ends: &[u32]| borsh::to_vec(&(order, ends)).unwrap();
    assert!(borsh::from_slice::<Schedule>(&encode(&[0, 2, 1, 3], &[2, 3])).is_ok());
    for (order, ends) in [
        (&[0, 1][..], &[3][..]), // ends after the last transaction
        (&[0, 1], &[2, 1]),      // ends before it starts
        (&[0, 1], &[1, 1]),      // an empty batch
        (&[0, 1], &[0]),         // an empty first batch
        (&[1, 0], &[2]),         // a batch that does not ascend
        (&[0, 0], &[2]),         // a transaction twice in a batch
        (&[1, 0], &[]),          // a tail that does not ascend
        (&[0, 1], &[u32::MAX]),
    ] {
        assert!(borsh::from_slice::<Schedule>(&encode(order, ends)).is_err(), "{order:?} {ends:?}");
    }
    let claimed = u32::MAX.to_le_bytes();
    assert!(borsh::from_slice::<Schedule>(&claimed).is_err());
}

#[test]
fn a_schedule_made_by_hand_has_the_same_form() {
    let new = |batches: &[&[u32]], tail: &[u32]| Schedule::new(batches, tail);
    assert_eq!(new(&[&[0], &[]], &[]), Err(FormError::EmptyBatch { batch: 1 }));
    assert_eq!(new(&[&[1, 1]], &[]), Err(FormError::Unsorted { batch: 0, tx: 1 }));
    assert_eq!(new(&[&[0]], &[2, 1]), Err(FormError::Unsorted { batch: 1, tx: 1 }));
    let schedule = new(&[&[0, 3], &[1]], &[2]).unwrap();
    assert_eq!(schedule.batches().collect::<Vec<_>>(), [&[0, 3][..], &[1]]);
    assert_eq!((schedule.tail(), schedule.order()), (&[2][..], &[0, 3, 1, 2][..]));
    assert_eq!(Schedule::default().to_string(), "");
}

#[test]
fn columns_must_fit() {
    let mut accesses = Accesses::default();
    accesses.push_tx([Access::new(0, Write), Access::new(1, Read), Access::new(0, Read)]);
    accesses.push_tx([Access::new(0, Read), Access::new(0, Add), Access::new(0, Add)]);
    assert_eq!(accesses.of(0), [Access::new(0, Write), Access::new(1, Read)], "kinds are joined");
    assert_eq!(accesses.of(1), [Access::new(0, Write)], "and only inside a transaction");
    assert_eq!((accesses.n_txs(), accesses.n_accesses(), accesses.n_slots()), (2, 3, 2));
    let length = |column| Some(BlockError::Length { column, found: 1, n_txs: 2 });
    assert_eq!(Block::new(&accesses, &[1], &[], &[]).err(), length("costs"));
    assert_eq!(Block::new(&accesses, &[], &[1], &[]).err(), length("senders"));
    assert_eq!(Block::new(&accesses, &[], &[], &[true]).err(), length("unlisted"));
    let sender = BlockError::Sender { tx: 1, sender: 2, n_txs: 2 };
    assert_eq!(Block::new(&accesses, &[], &[0, 2], &[]).err(), Some(sender));
}

#[test]
fn the_empty_block_has_the_empty_schedule() {
    let owned = Owned::default();
    for scheduler in SCHEDULERS {
        let schedule = scheduler.schedule(&owned.block());
        assert_eq!(schedule, Schedule::default(), "{}", scheduler.name());
        assert_eq!(verify(&schedule, &owned.block(), Mode::Preserve), Ok(()));
    }
    assert_eq!(lower_bound(&owned.block(), 8, Mode::Preserve), LowerBound::default());
    let path = ConflictGraph::new(&owned.block()).critical_path(&owned.block());
    assert_eq!(path, CriticalPath::default());
}

#[test]
fn schedulers_are_found_by_name() {
    for scheduler in SCHEDULERS {
        assert_eq!(by_name(scheduler.name()).map(Scheduler::name), Some(scheduler.name()));
    }
    assert!(by_name("random").is_none());
    // What selects a scheduler on the command line and names it in reports must not change.
    let names = SCHEDULERS.map(Scheduler::name);
    let expected = "color welsh-powell heaviest-first smallest-last dsatur layers \
        color-graph welsh-powell-graph heaviest-first-graph smallest-last-graph dsatur-graph \
        graph versions values block-stm block-stm-hints stages greedy prio-graph aria sequential";
    assert_eq!(names.join(" "), expected);
}

#[test]
fn every_coloring_runs_with_barriers_and_without() {
    let colorings: [&dyn Scheduler; 5] =
        [&Color, &WelshPowell, &HeaviestFirst, &SmallestLast, &Dsatur];
    let owned =
        Owned::parse("t0$2: w a; t1: w a, w b; t2$9: w b, w c; t3$5: w c; t4: r d; t5: w b");
    let mut large = Owned::default();
    (0..1000).for_each(|_| large.accesses.push_tx([Access::new(0, Write)]));
    for batches in colorings {
        let name = format!("{}-graph", batches.name());
        let graph = by_name(&name).unwrap_or_else(|| panic!("{name} is not registered"));
        assert_eq!(graph.mode(), batches.mode(), "{name}");
        let plan = graph.plan(&owned.block(), 2);
        assert!(matches!(plan.form(), Form::Graph(_)), "{name}");
        // Batch by batch, each with the most expensive first.
        let mut order = plan.order();
        for batch in batches.schedule(&owned.block()).batches() {
            let (own, rest) = order.split_at(batch.len());
            assert!(own.is_sorted_by_key(|&tx| std::cmp::Reverse(owned.costs[tx as usize])));
            assert!(batch.iter().all(|tx| own.contains(tx)), "{name}: {own:?} is not {batch:?}");
            order = rest;
        }
        let stand_in = |of: &dyn Scheduler| of.stand_in(&large.block()).map(Scheduler::name);
        assert_eq!(stand_in(graph), stand_in(batches), "{name}");
    }
}

#[test]
fn pictures_hold_every_transaction_and_no_foreign_markup() {
    let owned = Owned::parse("t0: r a; t1: r a; t2: a a; t3: a a");
    let graph = ConflictGraph::new(&owned.block());
    let text = dot(&graph, |slot| format!("k{slot}\"];\n\u{1b}evil\\"));
    assert_eq!(text.matches(" -> ").count(), 4, "two readers to the join, the join to two adders");
    assert!(text.contains(r#"label="k0\"];evil\\""#), "{text}");
    let schedule = Color.schedule(&owned.block());
    let picture = svg(&graph, &schedule).unwrap();
    assert_eq!((picture.matches("<circle").count(), picture.matches("<line").count()), (4, 4));
    let other = Schedule::new([[0, 1, 2, 9]], &[]).unwrap();
    let error = PictureError::OtherBlock { found: 4, expected: 4 };
    assert_eq!(svg(&graph, &other), Err(error));
}
