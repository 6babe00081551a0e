//! Small blocks and what must come out.

use super::super::*;
use super::Owned;

fn check(block: &str, scheduler: &str, expected: &str) {
    let owned = Owned::parse(block);
    let scheduler = by_name(scheduler).unwrap();
    let schedule = scheduler.schedule(&owned.block());
    assert_eq!(schedule.to_string(), expected, "{} of {block}", scheduler.name());
    assert_eq!(verify(&schedule, &owned.block(), scheduler.mode()), Ok(()), "{block}");
}

fn check_verify(block: &str, batches: &[&[u32]], tail: &[u32], mode: Mode, expected: &str) {
    let owned = Owned::parse(block);
    let schedule = Schedule::new(batches, tail).unwrap();
    let found = match verify(&schedule, &owned.block(), mode) {
        Ok(()) => "fits".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{schedule} for {block}");
}

#[test]
fn kinds_conflict_as_their_table_says() {
    for scheduler in ["layers", "color", "dsatur", "heaviest-first"] {
        check("t0: r a; t1: r a", scheduler, "[0 1]");
        check("t0: a a; t1: a a", scheduler, "[0 1]");
        check("t0: r a, w b; t1: w a", scheduler, "[0] [1]");
        check("t0: a a; t1: w a", scheduler, "[0] [1]");
        check("t0: w a; t1: w b", scheduler, "[0 1]");
        check("t0: ; t1: ", scheduler, "[0 1]");
    }
    check("t0: r a; t1: a a", "layers", "[0] [1]");
    check("t0: a a; t1: r a", "color", "[0] [1]");
    check("t0: w a; t1: r a; t2: r a", "color", "[0] [1 2]");
}

#[test]
fn a_free_order_is_shorter_than_the_given_one() {
    // A chain: 0-1, 1-2, 2-3 conflict; two colors are enough, the given order needs four layers.
    let chain = "t0: w a, w b; t1: w b, w c; t2: w c, w d; t3: w d, w e";
    check(chain, "layers", "[0] [1] [2] [3]");
    check(chain, "color", "[0 2] [1 3]");
    check(chain, "sequential", "[0] [1] [2] [3]");
}

#[test]
fn adds_and_reads_of_one_key_take_turns_only_when_the_order_stands() {
    let turns = "t0: r a; t1: a a; t2: r a; t3: a a";
    check(turns, "layers", "[0] [1] [2] [3]");
    check(turns, "color", "[0 2] [1 3]");
}

#[test]
fn senders_stay_in_order() {
    // t2 alone could be in the first batch, but t1 of the same sender is in the second.
    check("t0: w a; t1@1: w a; t2@1: w b", "color", "[0] [1 2]");
    check("t0: w a; t1@1: w a; t2@1: w b", "layers", "[0] [1 2]");
    check("t0: w a; t1@1: w a; t2@1: w b", "dsatur", "[0] [1 2]");
    // The most expensive is its sender's second: the first gets its color first.
    check("t0$1: w a; t1@1$5: w a; t2@1$9: w b, w a", "heaviest-first", "[1] [2] [0]");
}

#[test]
fn the_expensive_choose_first() {
    check("t0$1: w a; t1$9: w a, w b; t2$8: w b", "heaviest-first", "[1] [0 2]");
}

#[test]
fn what_is_unlisted_runs_in_the_tail() {
    let block = "t0: w a; t1@1: ?; t2@1: w b; t3: w a";
    check(block, "color", "[0] [3] tail [1 2]");
    check(block, "heaviest-first", "[0] [3] tail [1 2]");
    check(block, "dsatur", "[0] [3] tail [1 2]");
    check(block, "layers", "[0] tail [1 2 3]");
    check(block, "sequential", "[0] tail [1 2 3]");
    check("t0: ?", "color", "tail [0]");
}

#[test]
fn verify_names_the_fault() {
    use Mode::{Free, Preserve};
    let block = "t0: w a; t1: w a, r b; t2: r b";
    check_verify(block, &[&[0, 2], &[1]], &[], Free, "fits");
    check_verify(block, &[&[0, 2], &[1]], &[], Preserve, "fits");
    check_verify(block, &[&[1], &[0, 2]], &[], Free, "fits");
    let order = "tx=0 comes after tx=1, and they conflict on slot=Some(0)";
    check_verify(block, &[&[1], &[0, 2]], &[], Preserve, order);
    check_verify(block, &[&[1, 2]], &[0], Preserve, order);
    let conflict = "tx=0 and tx=1 conflict on slot=0 in batch=0";
    check_verify(block, &[&[0, 1, 2]], &[], Free, conflict);
    check_verify(block, &[&[0, 2]], &[], Free, "tx=1 is not scheduled");
    check_verify(block, &[&[0, 2], &[0, 1]], &[], Free, "tx=0 is scheduled twice");
    let range = "the block has no tx=4294967295: n_txs=3";
    check_verify(block, &[&[0, 2], &[1, u32::MAX]], &[], Free, range);
    check_verify(block, &[&[2]], &[0, 1], Preserve, "fits");
    check_verify("", &[&[0]], &[], Free, "the block has no tx=0: n_txs=0");
}

#[test]
fn verify_guards_senders_and_the_tail() {
    use Mode::{Free, Preserve};
    let block = "t0@0: w a; t1@0: w b; t2: ?";
    check_verify(block, &[&[0, 1]], &[2], Preserve, "fits");
    check_verify(block, &[&[1], &[0]], &[2], Free, "tx=0 of sender=0 comes after its tx=1");
    let unlisted = "tx=2 has no access list and is in batch=0 instead of the tail";
    check_verify(block, &[&[0, 1, 2]], &[], Free, unlisted);
    let block = "t0: ?; t1: w a; t2: ?";
    check_verify(block, &[&[1]], &[0, 2], Free, "fits");
    let order = "tx=0 comes after tx=1, and they conflict on slot=None";
    check_verify(block, &[&[1]], &[0, 2], Preserve, order);
    check_verify(block, &[], &[0, 1, 2], Preserve, "fits");
}

#[test]
fn the_graph_explains_who_waits_for_whom() {
    let owned = Owned::parse("t0$5: r a; t1$7: r a; t2$1: a a, w b; t3$1: a a; t4$9: w b");
    let graph = ConflictGraph::new(&owned.block());
    let wait = |tx, slot| Wait { tx, slot };
    assert_eq!(graph.waits_for(0), []);
    assert_eq!(graph.waits_for(2), [wait(0, 0), wait(1, 0)]);
    assert_eq!(graph.waits_for(3), [wait(0, 0), wait(1, 0)]);
    assert_eq!(graph.waits_for(4), [wait(2, 1)]);
    assert_eq!(graph.waits_for(9), []);
    assert_eq!(graph.levels(), [0, 0, 1, 1, 2]);
    let path = graph.critical_path(&owned.block());
    assert_eq!(path, CriticalPath { cost: 17, txs: vec![1, 2, 4] });
    let free = lower_bound(&owned.block(), 2, Mode::Free);
    let bound = LowerBound { work: 12, critical_path: 0, heaviest_key: 10, biggest_tx: 9 };
    assert_eq!(free, bound);
    let given = lower_bound(&owned.block(), 2, Mode::Preserve);
    assert_eq!((given.critical_path, given.max()), (17, 17));
}

#[test]
fn the_tail_adds_to_every_bound() {
    let owned = Owned::parse("t0$4: w a; t1$4: w a; t2$10: ?; t3$2: w a");
    let free = lower_bound(&owned.block(), 4, Mode::Free);
    assert_eq!((free.work, free.heaviest_key, free.biggest_tx), (13, 20, 10));
    assert_eq!(lower_bound(&owned.block(), 0, Mode::Preserve).critical_path, 20);
}
