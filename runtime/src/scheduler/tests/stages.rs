//! `stages` against its description: clusters are lists of transactions, every try is packed to its end, and what has to
//! wait for what is said of every pair.

use std::cmp::Reverse;

use proptest::prelude::*;

use super::super::*;
use super::{Add, Owned, Read, Write, brute, kind};

/// Which transactions conflict with each.
type Conflicts = Vec<Vec<bool>>;

/// A packed block: for each transaction its stage and its worker.
#[derive(Debug)]
struct Packed {
    places: Vec<(usize, usize)>,
    time: u64,
}

/// The first of the tries that ends soonest: one stage; then two to four, with shares for all workers, half of them, a quarter
/// and so on down to two, and 100, 120 and 150 percent of each.
fn described(block: &Block<'_>, conflicts: &Conflicts, n_workers: usize) -> Packed {
    let mut tries = vec![(1, n_workers, 100)];
    for n_stages in 2..=4 {
        let mut n = n_workers;
        loop {
            tries.extend([100, 120, 150].map(|percent| (n_stages, n, percent)));
            if n <= 2 {
                break;
            }
            n = n / 2 + n % 2;
        }
    }
    let packed = tries.into_iter().map(|(n_stages, n, percent)| {
        let work: u64 = block.txs().map(|tx| block.cost(tx)).sum();
        let share = (work * percent / 100 / (n * n_stages) as u64).max(1);
        packed(block, conflicts, n_workers, n_stages, share)
    });
    packed.min_by_key(|packed| packed.time).unwrap()
}

/// Each transaction joins the clusters that it conflicts with in the first stage, not before its sender's last one, where all of
/// that costs at most `share`; the last stage takes all. Then the clusters of each stage go to the worker that is free first, the
/// most expensive first, and of two the one that ends with the lower transaction.
fn packed(
    block: &Block<'_>,
    conflicts: &Conflicts,
    n_workers: usize,
    n_stages: usize,
    share: u64,
) -> Packed {
    let cost = |cluster: &[u32]| cluster.iter().map(|&tx| block.cost(tx)).sum::<u64>();
    let mut stages: Vec<Vec<Vec<u32>>> = vec![Vec::new(); n_stages];
    let mut stage_of = vec![0; block.n_txs()];
    for tx in block.txs() {
        let own = (0..tx).filter(|&before| block.sender(before) == block.sender(tx));
        let floor = own.map(|before| stage_of[before as usize]).max().unwrap_or(0);
        let meets = |cluster: &Vec<u32>| {
            cluster.iter().any(|&other| conflicts[tx as usize][other as usize])
        };
        for (stage, clusters) in stages.iter_mut().enumerate().skip(floor) {
            let (met, apart): (Vec<_>, Vec<_>) = clusters.iter().cloned().partition(meets);
            let joined = [met.concat(), vec![tx]].concat();
            if cost(&joined) <= share || stage == n_stages - 1 {
                *clusters = [apart, vec![joined]].concat();
                stage_of[tx as usize] = stage;
                break;
            }
        }
    }
    let mut packed = Packed { places: vec![(0, 0); block.n_txs()], time: 0 };
    for (stage, mut clusters) in stages.into_iter().enumerate() {
        clusters.sort_by_key(|cluster| (Reverse(cost(cluster)), cluster.iter().max().copied()));
        let mut ends = vec![0; n_workers];
        for cluster in clusters {
            let worker = (0..n_workers).min_by_key(|&worker| ends[worker]).unwrap();
            ends[worker] += cost(&cluster);
            cluster.iter().for_each(|&tx| packed.places[tx as usize] = (stage, worker));
        }
        packed.time += ends.into_iter().max().unwrap_or(0);
    }
    packed
}

/// By transaction: which ones end before it starts, by a relation of which of two that follow each other in `order` waits for
/// the other.
fn waits(order: &[u32], is_direct: impl Fn(u32, u32) -> bool) -> Vec<Vec<bool>> {
    let mut all = vec![vec![false; order.len()]; order.len()];
    for (at, &tx) in order.iter().enumerate() {
        // The nearest first: most of the others follow from it.
        for &before in order[..at].iter().rev() {
            if !all[tx as usize][before as usize] && is_direct(before, tx) {
                let of_before = all[before as usize].clone();
                let own = &mut all[tx as usize];
                own.iter_mut().zip(of_before).for_each(|(own, other)| *own |= other);
                own[before as usize] = true;
            }
        }
    }
    all
}

/// The same by the edges of a plan's graph.
fn planned_waits(dag: &Dag, order: &[u32]) -> Vec<Vec<bool>> {
    let mut all = vec![vec![false; order.len()]; order.len()];
    for &from in order {
        let mut next = dag.successors(from).to_vec();
        let mut seen = vec![false; dag.n_nodes()];
        while let Some(node) = next.pop() {
            if !std::mem::replace(&mut seen[node as usize], true) {
                next.extend(dag.successors(node));
                if let Some(waits) = all.get_mut(node as usize) {
                    waits[from as usize] = true;
                }
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases::cases(150)))]

    #[test]
    fn a_block_is_packed_and_waits_as_described(
        rows in prop::collection::vec(
            (prop::collection::vec((0..40u32, 0..8u8), 0..4), 1..60u64, 0..200u32),
            1..200,
        ),
        n_workers in 1..20usize,
        is_even in any::<bool>(),
    ) {
        let mut owned = Owned::default();
        let n_txs = u32::try_from(rows.len()).unwrap();
        for (row, cost, sender) in rows {
            // Mostly writes, and a few keys that are hot.
            let access = |(slot, of): (u32, u8)| {
                let kind = [Write, Write, Write, Write, Write, kind(of), Read, Add][usize::from(of)];
                Access::new(slot * slot / 40, kind)
            };
            owned.accesses.push_tx(row.into_iter().map(access));
            owned.costs.push(if is_even { 10 } else { cost });
            owned.senders.push(sender % n_txs);
            owned.unlisted.push(false);
        }
        let block = owned.block();
        let of = |tx: u32| block.txs().map(move |other| brute::conflict(&block, tx, other).is_some());
        let conflicts: Conflicts = block.txs().map(|tx| of(tx).collect()).collect();
        let Packed { places, .. } = described(&block, &conflicts, n_workers);
        let plan = Stages.plan(&block, n_workers);
        let mut order: Vec<u32> = block.txs().collect();
        order.sort_by_key(|&tx| (places[tx as usize].0, tx));
        prop_assert_eq!((plan.body(), plan.tail()), (&order[..], &[][..]));
        let Form::Graph(dag) = plan.form() else { panic!("{plan:?}") };
        // A later stage for all of the one before; in a stage who conflicts, and whoever the same worker runs.
        let expected = waits(&order, |before, tx| {
            let [first, then] = [before, tx].map(|tx| places[tx as usize]);
            first.0 < then.0 || first == then || conflicts[tx as usize][before as usize]
        });
        prop_assert_eq!(planned_waits(dag, &order), expected);
    }
}
