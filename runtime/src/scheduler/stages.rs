//! Soroban's parallel phase: a few stages, in each of them clusters that do not touch each other.

mod clusters;

use clusters::Clusters;
use kempe_abi::AccessKind::Write;

use super::dag::Edges;
use super::plan::{Form, plan_of, split};
use super::thin::{self, Sink};
use super::{Block, Dag, Mode, Plan, Scheduler};

/// Puts each transaction into the first of one to four stages in which the cluster that it would
/// join stays below a share of the work; packs a stage's clusters onto the workers, the largest
/// first; takes the number of stages and the share that end soonest, which may be a share for fewer workers than
/// there are: then a cluster may be larger.
///
/// Inside a stage each worker runs its clusters in index order; a barrier separates stages.
///
/// Source: Stellar, CAP-0063, "Parallelism-friendly transaction scheduling", and stellar-core's
/// `ParallelTxSetBuilder`.
#[derive(Clone, Copy, Debug)]
pub struct Stages;

/// Source: CAP-0063's builder tries one to four stages.
const STAGES_MAX: u32 = 4;
/// The shares that are tried, in percent of an even share of a stage, of all workers, half of them, a quarter, and so on; ours
/// to choose. A network sets a limit that depends on no number of workers.
const SHARES_PERCENT: [u64; 3] = [100, 120, 150];

impl Scheduler for Stages {
    fn name(&self) -> &'static str {
        "stages"
    }

    fn mode(&self) -> Mode {
        Mode::Free
    }

    fn plan(&self, block: &Block<'_>, n_workers: usize) -> Plan {
        let (listed, tail) = split(block, Mode::Free);
        let n_workers = n_workers.max(1);
        let one = std::iter::once((1, n_workers, SHARES_PERCENT[0]));
        let several = (2..=STAGES_MAX).flat_map(|n_stages| {
            let halves =
                std::iter::successors(Some(n_workers), |&n| (n > 2).then(|| n.div_ceil(2)));
            halves.flat_map(move |n| SHARES_PERCENT.map(|percent| (n_stages, n, percent)))
        });
        let best = best_of(block, &listed, n_workers, one.chain(several));
        let mut body = listed;
        body.sort_by_key(|&tx| (best.stages[tx as usize], tx));
        let dag = best.dag(block, &body);
        plan_of(body, &tail, Form::Graph(dag))
    }
}

/// How large a cluster may be: so many percent of what falls to each of `n` workers in a stage.
#[derive(Clone, Copy)]
struct Share {
    n: usize,
    percent: u64,
}

/// A packed block.
struct Packed {
    n_stages: u32,
    n_workers: usize,
    stages: Vec<u32>,
    /// The worker of each transaction.
    workers: Vec<usize>,
    time: u64,
}

/// The first of these tries, each a number of stages, of workers and of percents, that ends soonest. One that cannot end sooner
/// than those before it is given up as soon as that shows.
fn best_of(
    block: &Block<'_>,
    listed: &[u32],
    n_workers: usize,
    tries: impl Iterator<Item = (u32, usize, u64)>,
) -> Packed {
    let least = lower_bound(block, listed, n_workers);
    let mut clusters = Clusters::new(block, n_workers);
    let mut best: Option<Packed> = None;
    for (n_stages, n, percent) in tries {
        let limit = best.as_ref().map(|best| best.time);
        if limit.is_some_and(|limit| limit <= least) {
            break;
        }
        let share = Share { n, percent };
        best = pack(listed, n_stages, share, &mut clusters, limit).or(best);
    }
    best.expect("one stage is always tried")
}

/// What no packing ends before: every stage has its share of the work, and in each one a key's writers are one cluster.
fn lower_bound(block: &Block<'_>, listed: &[u32], n_workers: usize) -> u64 {
    let mut writers = vec![0u64; block.accesses().n_slots()];
    let mut work = 0u128;
    for &tx in listed {
        work += u128::from(block.cost(tx));
        for access in block.accesses().of(tx).iter().filter(|access| access.kind == Write) {
            let cost = &mut writers[access.slot as usize];
            *cost = cost.saturating_add(block.cost(tx));
        }
    }
    let even = u64::try_from(work.div_ceil(n_workers as u128)).unwrap_or(u64::MAX);
    writers.into_iter().fold(even, u64::max)
}

/// Packs the block, unless that takes as long as `limit`.
fn pack(
    listed: &[u32],
    n_stages: u32,
    share: Share,
    clusters: &mut Clusters<'_>,
    limit: Option<u64>,
) -> Option<Packed> {
    let block = clusters.block();
    let work: u128 = listed.iter().map(|&tx| u128::from(block.cost(tx))).sum();
    let n_shares = share.n as u128 * u128::from(n_stages);
    let share = work * u128::from(share.percent) / 100 / n_shares;
    let share = u64::try_from(share).unwrap_or(u64::MAX).max(1);
    let mut stages = vec![0; block.n_txs()];
    let mut floors = vec![0u32; block.n_txs()];
    clusters.clear(n_stages);
    for &tx in listed {
        let floor = &mut floors[block.sender(tx) as usize];
        let last = n_stages - 1;
        let fits =
            |&stage: &u32| clusters.add(stage, tx, if stage == last { u64::MAX } else { share });
        let stage = (*floor..n_stages).find(fits).expect("the last stage takes every transaction");
        (*floor, stages[tx as usize]) = (stage, stage);
        if limit.is_some_and(|limit| clusters.least_time() >= limit) {
            return None;
        }
    }
    let mut workers = vec![0; block.n_txs()];
    let mut time = 0u64;
    for stage in 0..n_stages {
        let members = listed.iter().copied().filter(|&tx| stages[tx as usize] == stage);
        time = time.saturating_add(clusters.spread(members, &mut workers));
        if limit.is_some_and(|limit| time >= limit) {
            return None;
        }
    }
    for &tx in listed {
        workers[tx as usize] = workers[clusters.root(tx) as usize];
    }
    Some(Packed { n_stages, n_workers: clusters.n_workers(), stages, workers, time })
}

impl Packed {
    /// Each worker's transactions of a stage as a chain, the conflicts, and barriers between stages.
    fn dag(&self, block: &Block<'_>, body: &[u32]) -> Dag {
        let mut edges = Edges::new(block);
        thin::conflicts(block, body.iter().copied(), &mut edges);
        let barriers: Vec<u32> = (1..self.n_stages).map(|_| edges.join()).collect();
        let mut last = vec![None; self.n_workers];
        let mut now = 0;
        for &tx in body {
            let stage = self.stages[tx as usize] as usize;
            while now < stage {
                last.iter_mut().filter_map(Option::take).for_each(|tx| {
                    edges.edge(tx, barriers[now], 0);
                });
                now += 1;
                if let Some(&next) = barriers.get(now) {
                    edges.edge(barriers[now - 1], next, 0);
                }
            }
            match last[self.workers[tx as usize]].replace(tx) {
                Some(before) => edges.edge(before, tx, 0),
                None if stage > 0 => edges.edge(barriers[stage - 1], tx, 0),
                None => {}
            }
        }
        Dag::of(block, &edges)
    }
}
