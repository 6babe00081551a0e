//! Every scheduler, the graph and `verify` against brute force, on random and on crafted blocks.

use proptest::prelude::*;

use super::super::*;
use super::brute;
use super::{Add, Owned, Read, Write, kind};

/// Blocks of up to 40 transactions on a few keys, so that everything conflicts often.
pub(super) fn blocks(with_unlisted: bool) -> impl Strategy<Value = Owned> {
    let row = prop::collection::vec((0..8u32, any::<u8>()), 0..4);
    let tx = (row, 0..50u64, any::<u32>(), 0..30u8);
    (prop::collection::vec(tx, 0..40), 1..40u32).prop_map(move |(txs, n_senders)| {
        let mut owned = Owned::default();
        let n_txs = u32::try_from(txs.len()).unwrap();
        for (row, cost, sender, luck) in txs {
            owned.accesses.push_tx(row.iter().map(|&(slot, k)| Access::new(slot, kind(k))));
            owned.costs.push(cost);
            owned.senders.push(sender % n_senders.min(n_txs));
            owned.unlisted.push(with_unlisted && luck == 0);
        }
        owned
    })
}

fn colors_of(schedule: &Schedule, n_txs: usize) -> Vec<u32> {
    let mut colors = vec![u32::MAX; n_txs];
    for (color, batch) in (0..).zip(schedule.batches()) {
        batch.iter().for_each(|&tx| colors[tx as usize] = color);
    }
    colors
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::cases::cases(400), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_schedule_fits(owned in blocks(true)) {
        let block = owned.block();
        for scheduler in SCHEDULERS {
            let schedule = scheduler.schedule(&block);
            prop_assert!(brute::fits(&schedule, &block, scheduler.mode()), "{}", scheduler.name());
            prop_assert_eq!(verify(&schedule, &block, scheduler.mode()), Ok(()));
            let bytes = borsh::to_vec(&schedule).unwrap();
            prop_assert_eq!(borsh::from_slice::<Schedule>(&bytes).unwrap(), schedule);
        }
    }

    #[test]
    fn layers_are_the_longest_paths(owned in blocks(false)) {
        let block = owned.block();
        let layers = colors_of(&Layers.schedule(&block), block.n_txs());
        prop_assert_eq!(layers, brute::layers(&block));
        // The graph knows no senders, so compare it where each sender is another one.
        let block = Block::new(&owned.accesses, &owned.costs, &[], &[]).unwrap();
        let graph = ConflictGraph::new(&block);
        let levels: Vec<u64> = brute::layers(&block).into_iter().map(u64::from).collect();
        prop_assert_eq!(graph.levels(), levels);
        let path = graph.critical_path(&block);
        prop_assert_eq!(path.cost, brute::critical_path(&block));
        prop_assert_eq!(path.cost, path.txs.iter().map(|&tx| block.cost(tx)).sum::<u64>());
        for pair in path.txs.windows(2) {
            prop_assert!(brute::conflict(&block, pair[0], pair[1]).is_some());
        }
        prop_assert!(graph.graph().edge_count() <= 2 * owned.accesses.n_accesses());
    }

    #[test]
    fn colors_are_those_of_first_fit_on_the_full_graph(owned in blocks(false)) {
        let block = owned.block();
        let order: Vec<u32> = block.txs().collect();
        let colors = colors_of(&Color.schedule(&block), block.n_txs());
        prop_assert_eq!(colors, brute::first_fit(&block, &order));
        let block = Block::new(&owned.accesses, &owned.costs, &[], &[]).unwrap();
        let mut order = order;
        order.sort_by_key(|&tx| std::cmp::Reverse(block.cost(tx)));
        let colors = colors_of(&HeaviestFirst.schedule(&block), block.n_txs());
        prop_assert_eq!(colors, brute::first_fit(&block, &order));
    }

    #[test]
    fn explanations_are_true_and_complete(owned in blocks(false)) {
        let block = owned.block();
        let graph = ConflictGraph::new(&block);
        for tx in block.txs() {
            let waits = graph.waits_for(tx);
            for wait in &waits {
                prop_assert!(wait.tx < tx);
                let kind_on = |tx| {
                    let row = block.accesses().of(tx).iter();
                    row.filter(|access| access.slot == wait.slot).map(|access| access.kind).next()
                };
                let (before, own) = (kind_on(wait.tx).unwrap(), kind_on(tx).unwrap());
                prop_assert!(before.conflicts(own));
            }
            let waits_at_all = (0..tx).any(|before| brute::conflict(&block, before, tx).is_some());
            prop_assert_eq!(waits_at_all, !waits.is_empty());
        }
    }

    #[test]
    fn verify_refuses_exactly_what_brute_force_refuses(
        owned in blocks(true),
        preserve in any::<bool>(),
        mutations in prop::collection::vec((0..6u8, any::<usize>(), any::<usize>()), 0..4),
    ) {
        let block = owned.block();
        let mode = if preserve { Mode::Preserve } else { Mode::Free };
        let scheduler = if preserve { &Layers as &dyn Scheduler } else { &Color };
        let schedule = scheduler.schedule(&block);
        let mut rows: Vec<Vec<u32>> = schedule.batches().map(<[u32]>::to_vec).collect();
        rows.push(schedule.tail().to_vec());
        for (what, a, b) in mutations {
            mutate(&mut rows, what, a, b);
        }
        let mut tail = rows.pop().unwrap();
        rows.retain(|row| !row.is_empty());
        rows.iter_mut().chain([&mut tail]).for_each(|row| { row.sort_unstable(); row.dedup(); });
        let schedule = Schedule::new(&rows, &tail).unwrap();
        let fits = brute::fits(&schedule, &block, mode);
        prop_assert_eq!(verify(&schedule, &block, mode).is_ok(), fits, "{} {:?}", schedule, mode);
    }

    #[test]
    fn no_schedule_beats_the_bounds(owned in blocks(true), n_workers in 1..6u64) {
        let block = owned.block();
        for scheduler in SCHEDULERS {
            let schedule = scheduler.schedule(&block);
            let cost = |txs: &[u32]| -> Vec<u64> { txs.iter().map(|&tx| block.cost(tx)).collect() };
            let batches = schedule.batches().map(|batch| {
                let mut workers = vec![0; usize::try_from(n_workers).unwrap()];
                for cost in cost(batch) {
                    *workers.iter_mut().min().unwrap() += cost;
                }
                workers.into_iter().max().unwrap_or(0)
            });
            let tail: u64 = cost(schedule.tail()).iter().sum();
            let time = batches.sum::<u64>() + tail;
            let bound = lower_bound(&block, n_workers, scheduler.mode()).max();
            prop_assert!(time >= bound, "{}: {time} < {bound}", scheduler.name());
        }
    }
}

/// Drops, doubles, moves, swaps or merges; the last row is the tail.
fn mutate(rows: &mut [Vec<u32>], what: u8, a: usize, b: usize) {
    let filled: Vec<usize> = (0..rows.len()).filter(|&row| !rows[row].is_empty()).collect();
    let Some(&from) = filled.get(a % filled.len().max(1)) else { return };
    let to = b % rows.len();
    let at = (a / 7) % rows[from].len();
    match what {
        0 => drop(rows[from].remove(at)),
        1 => {
            let tx = rows[from][at];
            rows[to].push(tx);
        }
        2 => {
            let tx = rows[from].remove(at);
            rows[to].push(tx);
        }
        3 => rows.swap(from, to),
        4 => {
            let moved = std::mem::take(&mut rows[from]);
            rows[to].extend(moved);
        }
        _ => rows[from][at] = u32::try_from(b % 45).unwrap(),
    }
}

#[test]
fn colors_use_no_more_batches_than_layers_on_average() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let [mut colors, mut layers, mut dsatur] = [0; 3];
    for _ in 0..200 {
        let tree = blocks(false).new_tree(&mut runner).unwrap();
        let owned = proptest::strategy::ValueTree::current(&tree);
        let block = Block::new(&owned.accesses, &[], &[], &[]).unwrap();
        let n_writers = |slot| {
            let rows = owned.accesses.rows();
            rows.filter(|row| row.contains(&Access::new(slot, Write))).count()
        };
        let clique = (0..8).map(n_writers).max().unwrap();
        let found = Color.schedule(&block).n_batches();
        assert!(found >= clique, "the writers of one key cannot share batches");
        colors += found;
        layers += Layers.schedule(&block).n_batches();
        dsatur += Dsatur.try_schedule(&block).unwrap().n_batches();
    }
    assert!(colors < layers, "{colors} {layers}");
    assert!(dsatur <= colors && colors * 100 <= dsatur * 115, "{dsatur} {colors}");
}

/// Twenty thousand transactions, each touching the slots that `row` names.
fn crafted(row: impl Fn(u32) -> Vec<Access>) -> Owned {
    let mut owned = Owned::default();
    (0..20_000).for_each(|tx| owned.accesses.push_tx(row(tx)));
    owned
}

fn check_crafted(owned: &Owned, n_colors: usize, n_layers: usize) {
    let block = owned.block();
    for (scheduler, expected) in [(&Color as &dyn Scheduler, n_colors), (&Layers, n_layers)] {
        let schedule = scheduler.schedule(&block);
        assert_eq!(verify(&schedule, &block, scheduler.mode()), Ok(()));
        assert_eq!(schedule.n_batches(), expected, "{}", scheduler.name());
    }
    // Linear, also where the pairwise graph has 200 million edges.
    let graph = ConflictGraph::new(&block);
    assert!(graph.graph().edge_count() <= 2 * owned.accesses.n_accesses());
    assert_eq!(graph.levels().into_iter().max(), Some(n_layers as u64 - 1));
}

#[test]
fn crafted_blocks_stay_linear_and_right() {
    let alternate = |a, b| crafted(move |tx| vec![Access::new(0, if tx % 2 == 0 { a } else { b })]);
    check_crafted(&alternate(Read, Write), 10_001, 20_000);
    check_crafted(&alternate(Read, Add), 2, 20_000);
    check_crafted(&crafted(|_| vec![Access::new(0, Write)]), 20_000, 20_000);
    let halves = |tx| vec![Access::new(0, if tx < 10_000 { Read } else { Add })];
    check_crafted(&crafted(halves), 2, 2);
    // A hot key lifts the colors of keys that few touch: sets must not grow with the color.
    let lifted = |tx| vec![Access::new(0, Write), Access::new(1 + tx / 2, Write)];
    check_crafted(&crafted(lifted), 20_000, 20_000);
    // Every word of one key's set has a hole that another key fills.
    let holes = |tx: u32| match tx {
        0..10_000 => {
            vec![Access::new(2, Write), Access::new(u32::from(tx.is_multiple_of(64)), Write)]
        }
        _ => vec![Access::new(0, Write), Access::new(1, Write)],
    };
    check_crafted(&crafted(holes), 20_000, 20_000);
    let edges = crafted(|_| vec![Access::new(0, Write)]);
    let error = Dsatur.try_schedule(&edges.block());
    assert_eq!(error, Err(TooManyEdges { n_edges: 199_990_000 }));
    assert_eq!(Dsatur.schedule(&edges.block()), Color.schedule(&edges.block()));
}

#[test]
fn a_full_word_does_not_hide_the_free_color_behind_it() {
    // Key 0 fills colors 0 to 199 but for 70; a writer of key 0 must find 70.
    let mut owned = Owned::default();
    for tx in 0..200 {
        let slot = if tx == 70 { 1 } else { 0 };
        owned.accesses.push_tx([Access::new(2, Write), Access::new(slot, Write)]);
    }
    owned.accesses.push_tx([Access::new(0, Write)]);
    owned.accesses.push_tx([Access::new(0, Write)]);
    let colors = colors_of(&Color.schedule(&owned.block()), 202);
    assert_eq!(colors[200..], [70, 200]);
}
