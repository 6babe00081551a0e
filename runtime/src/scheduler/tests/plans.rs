//! Every scheduler's plans against brute force, and the check of plans against wrong ones.

use std::collections::BTreeSet;

use kempe_abi::AccessKind;
use proptest::prelude::*;

use super::super::*;
use super::properties::blocks;
use super::{Add, Owned, Read, Write, brute};

/// Which transactions come before which in any run of a graph.
fn closure(dag: &Dag) -> Vec<BTreeSet<u32>> {
    let n_nodes = u32::try_from(dag.n_nodes()).unwrap();
    let mut before = vec![BTreeSet::new(); dag.n_nodes()];
    // As many rounds as there are nodes settle any graph without a cycle.
    for _ in 0..n_nodes {
        let settled = before.clone();
        for node in 0..n_nodes {
            for &next in dag.successors(node) {
                let all = before[node as usize].clone();
                before[next as usize].extend(all);
                before[next as usize].insert(node);
            }
        }
        if settled == before {
            break;
        }
    }
    before
}

/// Whether a later transaction needs what the earlier one wrote; brute force over both rows.
fn reads_from(block: &Block<'_>, order: &[u32], first: usize, second: usize) -> bool {
    let row = |at: usize| block.accesses().of(order[at]);
    row(second).iter().any(|access| {
        let touched = |at: usize| row(at).iter().find(|other| other.slot == access.slot);
        let writes = touched(first).is_some_and(|other| other.kind != Read);
        // A write between them hides the first.
        let is_hidden =
            (first + 1..second).any(|at| touched(at).is_some_and(|other| other.kind == Write));
        access.kind != Add && writes && !is_hidden
    })
}

fn is_ordered(plan: &Plan, block: &Block<'_>) -> bool {
    let order = plan.body();
    let pairs = || (0..order.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
    match plan.form() {
        Form::Graph(dag) => {
            let before = closure(dag);
            pairs().all(|(a, b)| {
                brute::conflict(block, order[a], order[b]).is_none()
                    || before[order[b] as usize].contains(&order[a])
            })
        }
        Form::Versions(dag) => {
            let before = closure(dag);
            pairs().all(|(a, b)| {
                !reads_from(block, order, a, b) || before[order[b] as usize].contains(&order[a])
            })
        }
        Form::Rounds { again, dag } => {
            let counted = &order[..order.len() - again.len()];
            let before = closure(dag);
            let pairs = |txs: &[u32]| -> Vec<(u32, u32)> {
                let pairs = (0..txs.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
                pairs.map(|(a, b)| (txs[a], txs[b])).collect()
            };
            // All of the first round saw the state before the block: nobody may follow a writer of
            // what it reads.
            let reads = |tx: u32, slot: u32| {
                let mut row = block.accesses().of(tx).iter();
                row.any(|access| access.slot == slot && access.kind != Add)
            };
            pairs(counted).into_iter().all(|(a, b)| {
                let mut row = block.accesses().of(a).iter().filter(|access| access.kind != Read);
                row.all(|access| !reads(b, access.slot))
            }) && pairs(again).into_iter().all(|(a, b)| {
                brute::conflict(block, a, b).is_none() || before[b as usize].contains(&a)
            })
        }
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::cases::cases(300), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_plan_is_legal_by_brute_force(owned in blocks(true), n_workers in 1..5usize) {
        let block = owned.block();
        for scheduler in SCHEDULERS {
            let plan = scheduler.plan(&block, n_workers);
            let mode = scheduler.mode();
            prop_assert_eq!(verify_plan(&plan, &block, mode), Ok(()), "{}", scheduler.name());
            prop_assert!(is_ordered(&plan, &block), "{}", scheduler.name());
            // What it publishes fits, and keeps the plan's order where it matters.
            let schedule = plan.schedule(&block);
            prop_assert!(brute::fits(&schedule, &block, mode), "{}", scheduler.name());
            let place = |order: &[u32], tx| order.iter().position(|&other| other == tx).unwrap();
            for b in plan.body() {
                for a in plan.body().iter().take_while(|&a| a != b) {
                    if brute::conflict(&block, *a, *b).is_some() {
                        let order = schedule.order();
                        prop_assert!(place(order, *a) < place(order, *b), "{}", scheduler.name());
                    }
                }
            }
        }
    }

    #[test]
    fn a_missing_edge_is_found(owned in blocks(false), which in any::<prop::sample::Index>()) {
        let block = owned.block();
        for scheduler in [&Graph as &dyn Scheduler, &Versions] {
            let plan = scheduler.plan(&block, 2);
            let (Form::Graph(dag) | Form::Versions(dag)) = plan.form() else { unreachable!() };
            let mut edges: Vec<(u32, u32)> = (0..u32::try_from(dag.n_nodes()).unwrap())
                .flat_map(|node| dag.successors(node).iter().map(move |&next| (node, next)))
                .collect();
            if edges.is_empty() {
                continue;
            }
            edges.remove(which.index(edges.len()));
            let n_joins = u32::try_from(dag.n_nodes()).unwrap() - dag.n_txs();
            let thinner = Dag::new(&block, n_joins, &edges).unwrap();
            let form = match plan.form() {
                Form::Graph(_) => Form::Graph(thinner),
                _ => Form::Versions(thinner),
            };
            let plan = Plan::new(plan.order().to_vec(), 0, form);
            let verdict = verify_plan(&plan, &block, Mode::Preserve);
            prop_assert_eq!(verdict.is_ok(), is_ordered(&plan, &block), "{:?}", verdict);
        }
    }
}

fn check(text: &str, order: &[u32], edges: &[(u32, u32)], expected: &str) {
    let owned = Owned::parse(text);
    let block = owned.block();
    let dag = Dag::new(&block, 1, edges).unwrap();
    let plan = Plan::new(order.to_vec(), 0, Form::Graph(dag));
    let found = match verify_plan(&plan, &block, Mode::Free) {
        Ok(()) => "fits".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{text}");
}

#[test]
fn illegal_graphs_are_refused_with_the_pair_and_the_key() {
    let block = "t0: w a; t1: w a, w b; t2: w b";
    check(block, &[0, 1, 2], &[(0, 1), (1, 2)], "fits");
    check(block, &[0, 1, 2], &[(0, 3), (3, 1), (1, 2)], "fits");
    let missing = "tx=2 does not wait for tx=1, and they conflict on slot=1";
    check(block, &[0, 1, 2], &[(0, 1), (0, 2)], missing);
    let backward = "tx=0 waits for tx=1, which the published order puts after it";
    check(block, &[0, 1, 2], &[(1, 0), (1, 2)], backward);
    check(block, &[0, 1, 2], &[(1, 3), (3, 0), (1, 2)], backward);
    check(block, &[0, 1], &[(0, 1)], "tx=2 is not scheduled");
    check(block, &[0, 1, 1], &[(0, 1)], "tx=1 is scheduled twice");
    let senders = "tx=0 of sender=7 comes after its tx=1";
    let block = "t0@7: w a; t1@7: w b; t2: ; t3: ; t4: ; t5: ; t6: ; t7: ";
    check(block, &[1, 0, 2, 3, 4, 5, 6, 7], &[], senders);
    let owned = Owned::parse("t0: w a; t1: w a");
    let cycle = Dag::new(&owned.block(), 0, &[(0, 1), (1, 0)]);
    assert_eq!(cycle, Err(DagError::Cycle { node: 0 }));
    let out = Dag::new(&owned.block(), 0, &[(0, 2)]);
    assert_eq!(out, Err(DagError::OutOfRange { from: 0, to: 2, n_nodes: 2 }));
    let other =
        Plan::new(vec![0, 1], 0, Versions.plan(&Owned::parse("t0: ").block(), 1).form().clone());
    let error = verify_plan(&other, &owned.block(), Mode::Preserve);
    assert_eq!(error, Err(PlanError::OtherBlock { found: 1, expected: 2 }));
}

#[test]
fn a_first_round_in_which_somebody_reads_what_another_left_is_refused() {
    let check = |text: &str, order: &[u32]| {
        let owned = Owned::parse(text);
        let dag = Dag::new(&owned.block(), 0, &[]).unwrap();
        let plan = Plan::new(order.to_vec(), 0, Form::Rounds { again: Vec::new(), dag });
        verify_plan(&plan, &owned.block(), Mode::Free)
    };
    let unordered = Err(PlanError::Unordered { first: 0, second: 1, slot: 0 });
    assert_eq!(check("t0: w a; t1: r a", &[0, 1]), unordered);
    assert_eq!(check("t0: a a; t1: w a", &[0, 1]), unordered);
    assert_eq!(check("t0: w a; t1: r a", &[1, 0]), Ok(()), "the reader comes first");
    assert_eq!(check("t0: a a; t1: a a", &[0, 1]), Ok(()), "additions commute");
}

#[test]
fn every_form_is_refused_what_does_not_fit_the_block() {
    let verdict = |text: &str, order: &[u32], form: Form| {
        let owned = Owned::parse(text);
        let plan = Plan::new(order.to_vec(), 0, form);
        match verify_plan(&plan, &owned.block(), Mode::Free) {
            Ok(()) => "fits".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    let block = "t0@2: w a; t1: w b; t2: w c; t3: w a";
    let dag = |edges: &[(u32, u32)]| Dag::new(&Owned::parse(block).block(), 0, edges).unwrap();
    let small = || Dag::new(&Owned::parse("t0: ").block(), 0, &[]).unwrap();
    let rounds = |again: &[u32], dag| Form::Rounds { again: again.to_vec(), dag };
    let hints = |dag| Form::Optimistic { hints: Some(dag) };
    let forms = || {
        let (graph, versions) = (Form::Graph(dag(&[(0, 3)])), Form::Versions(dag(&[(0, 3)])));
        let optimistic = [hints(dag(&[(0, 3)])), Form::Optimistic { hints: None }];
        [graph, versions, Form::Values, rounds(&[3], dag(&[]))].into_iter().chain(optimistic)
    };
    for form in forms() {
        assert_eq!(verdict(block, &[0, 1, 2, 3], form), "fits");
    }
    for form in forms() {
        assert_eq!(verdict(block, &[0, 1, 2], form), "tx=3 is not scheduled");
    }
    for form in forms() {
        assert_eq!(verdict(block, &[0, 1, 1, 3], form), "tx=1 is scheduled twice");
    }
    for form in forms() {
        assert_eq!(verdict(block, &[0, 1, 2, 9], form), "the block has no tx=9: n_txs=4");
    }
    for form in forms() {
        let error = "tx=0 of sender=2 comes after its tx=2";
        assert_eq!(verdict(block, &[2, 1, 0, 3], form), error);
    }
    for form in forms() {
        let error = "tx=1 has no access list and is not in the tail";
        let unlisted = "t0@2: w a; t1: ?; t2: w c; t3: w a";
        assert_eq!(verdict(unlisted, &[0, 1, 2, 3], form), error);
    }
    let order = [0, 1, 2, 3];
    let other = "the graph has n_txs=1, the block n_txs=4";
    assert_eq!(verdict(block, &order, rounds(&[3], small())), other);
    assert_eq!(verdict(block, &order, hints(small())), other);
    let not_last = |tx| {
        format!("tx={tx} runs again, and does not come there in the end of the published order")
    };
    assert_eq!(verdict(block, &order, rounds(&[0, 3, 1], dag(&[]))), not_last(1));
    assert_eq!(verdict(block, &order, rounds(&[2], dag(&[]))), not_last(2));
    assert_eq!(verdict(block, &order, rounds(&[0, 0, 1, 2, 3], dag(&[]))), not_last(0));
    let backward = "tx=3 waits for tx=0, which the published order puts after it";
    assert_eq!(verdict(block, &[3, 0, 1, 2], hints(dag(&[(0, 3)]))), backward);
    assert_eq!(
        verdict(block, &order, rounds(&[3], dag(&[(0, 3)]))),
        backward,
        "0 is not run again"
    );
    let unordered = "tx=3 does not wait for tx=0, and they conflict on slot=0";
    assert_eq!(verdict(block, &[1, 0, 2, 3], rounds(&[0, 2, 3], dag(&[]))), unordered);
    let owned = Owned::parse(block);
    let schedule = Schedule::new([[0, 1], [2, 3]], &[]).unwrap();
    let published = Plan::new(vec![1, 0, 2, 3], 0, Form::Batches(schedule));
    let other = PlanError::OtherOrder { published: 1, batched: 0 };
    assert_eq!(verify_plan(&published, &owned.block(), Mode::Free), Err(other));
    let schedule = Schedule::new([[0, 1], [2, 3]], &[]).unwrap();
    let tail = Plan::new(vec![0, 1, 2, 3], 2, Form::Batches(schedule));
    let other = PlanError::OtherTail { published: 2, batched: 0 };
    assert_eq!(verify_plan(&tail, &owned.block(), Mode::Free), Err(other));
}

#[test]
fn versions_wait_only_for_what_is_read() {
    let path = |text: &str, scheduler: &dyn Scheduler| {
        let owned = Owned::parse(text);
        match scheduler.plan(&owned.block(), 2).form() {
            Form::Graph(dag) | Form::Versions(dag) => dag.critical_path(),
            _ => unreachable!(),
        }
    };
    // Readers of the old price do not hold up its writer.
    let oracle = "t0: r a; t1: r a; t2: w a; t3: r a";
    assert_eq!((path(oracle, &Graph), path(oracle, &Versions)), (3, 2));
    // A chain of read-modify-writes gains nothing.
    let chain = "t0: w a; t1: w a; t2: w a";
    assert_eq!((path(chain, &Graph), path(chain, &Versions)), (3, 3));
    // Additions never wait; who reads waits for all of them.
    let sums = "t0$5: w a; t1$1: a a; t2$9: a a; t3: r a; t4: a a; t5: r a";
    assert_eq!((path(sums, &Graph), path(sums, &Versions)), (17, 10));
    // A blind write waits for nobody.
    let owned = Owned::parse("t0: w a; t1: w a; t2: r a");
    let blind = [false, true, false];
    let block = owned.block().with_blind(&blind).unwrap();
    let Form::Versions(dag) = Versions.plan(&block, 2).form().clone() else { unreachable!() };
    assert_eq!((dag.critical_path(), dag.n_edges()), (2, 1));
    assert!(owned.block().with_blind(&blind[1..]).is_err());
}

#[test]
fn nothing_is_quadratic_on_crafted_blocks() {
    // 20,000 transactions that alternate, share one key or many, come in two halves that exclude each other, or share two keys
    // in a chain: with every pair these would be 100 to 200 million edges. Each must be legal, and have as many edges as there are accesses.
    let halves = |tx: u32, kinds: [AccessKind; 2]| kinds[usize::from(tx >= 10_000)];
    let rows: [&dyn Fn(u32) -> Vec<Access>; 7] = [
        &|_| vec![Access::new(0, Write)],
        &|tx| vec![Access::new(0, if tx % 2 == 0 { Read } else { Write })],
        &|tx| vec![Access::new(0, if tx % 2 == 0 { Read } else { Add })],
        &|tx| vec![Access::new(0, halves(tx, [Add, Read]))],
        &|tx| vec![Access::new(0, halves(tx, [Read, Add]))],
        &|tx| (0..40).map(|slot| Access::new(slot, halves(tx, [Add, Read]))).collect(),
        &|tx| vec![Access::new(tx, Write), Access::new(tx + 1, Write)],
    ];
    for (at, row) in rows.into_iter().enumerate() {
        let mut owned = Owned::default();
        (0..20_000).for_each(|tx| owned.accesses.push_tx(row(tx)));
        let block = owned.block();
        for scheduler in SCHEDULERS {
            let plan = scheduler.plan(&block, 8);
            let verdict = verify_plan(&plan, &block, scheduler.mode());
            assert_eq!(verdict, Ok(()), "{} {at}", scheduler.name());
            let n_steps = match plan.form() {
                Form::Graph(dag) | Form::Versions(dag) | Form::Rounds { dag, .. } => Some(dag),
                Form::Optimistic { hints } => hints.as_ref(),
                Form::Batches(_) | Form::Values => None,
            };
            let n_steps = n_steps.map_or(0, |dag| dag.n_nodes() + dag.n_edges());
            let n_most = 4 * (owned.accesses.n_txs() + owned.accesses.n_accesses());
            assert!(n_steps <= n_most, "{} {at}: {n_steps} of {n_most}", scheduler.name());
        }
    }
}

#[test]
fn who_does_not_lead_into_a_join_is_found_among_all_that_do() {
    // 2,000 adders, then 2,000 readers, by joins that are numbered in another way than the pairs; and without the edge of one.
    let mut owned = Owned::default();
    for tx in 0..4_000 {
        owned.accesses.push_tx([Access::new(0, if tx < 2_000 { Add } else { Read })]);
    }
    let block = owned.block();
    let verdict = |without: Option<(u32, u32)>, join: u32| {
        let adders = (0..2_000).map(|tx| (tx, join));
        let edges = adders.chain((2_000..4_000).rev().map(|tx| (join, tx)));
        let edges: Vec<(u32, u32)> = edges.filter(|&edge| Some(edge) != without).collect();
        let dag = Dag::new(&block, 3, &edges).unwrap();
        verify_plan(&Plan::new(block.txs().collect(), 0, Form::Graph(dag)), &block, Mode::Preserve)
    };
    for join in [4_000, 4_002] {
        assert_eq!(verdict(None, join), Ok(()));
        let unordered = |first, second| Err(PlanError::Unordered { first, second, slot: 0 });
        assert_eq!(verdict(Some((1_234, join)), join), unordered(1_234, 2_000));
        assert_eq!(verdict(Some((join, 3_456)), join), unordered(0, 3_456));
    }
}
