//! How the work of a graph is shared.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kempe_abi::{AccessKind, Address};

use super::*;
use crate::engine::{BlockEnv, Engine};
use crate::executor::{Executor, Plan, Tx};
use crate::scheduler::{Access, Accesses, Block, Form, Graph, Scheduler};
use crate::state::{StateRead, StateTable};
use crate::types::{Action, Prices, Transaction};

/// Transactions of four senders in turn, each sender's a chain. Of the chain that starts as the third, the second transaction waits
/// until the fourth chain starts, which only the other thread can do.
#[derive(Default)]
struct Chains {
    n_started: AtomicUsize,
    third: AtomicUsize,
    n_run: AtomicUsize,
}

const N_CHAINS: u32 = 4;

impl Step for Chains {
    fn run(&self, _: &mut Worker, tx: u32, done: &mut Footprints) -> Result<bool, StoreError> {
        let (chain, at) = (tx % N_CHAINS, tx / N_CHAINS);
        if at == 0 && self.n_started.fetch_add(1, Ordering::Relaxed) == 2 {
            self.third.store(chain as usize + 1, Ordering::Relaxed);
        }
        if at == 1 && self.third.load(Ordering::Relaxed) == chain as usize + 1 {
            let start = Instant::now();
            while self.n_started.load(Ordering::Relaxed) < 4 {
                assert!(start.elapsed() < Duration::from_secs(20), "nobody runs the fourth chain");
                std::thread::yield_now();
            }
        }
        self.n_run.fetch_add(1, Ordering::Relaxed);
        done.push(std::iter::empty());
        Ok(true)
    }

    fn fetch_ahead(&self, _: &[u32]) {}
}

/// Hands over a block of so many transactions on two threads, whose lists do not matter.
fn with_block(n_txs: u32, body: impl FnOnce(&BlockRun<'_>) + Send) {
    let tx = |nonce| Transaction {
        chain_id: 1,
        sender: Address([1; 32]),
        nonce,
        fuel_limit: 100_000,
        actions: vec![Action::Transfer { to: Address([9; 32]), amount: 1 }],
        access: Vec::new(),
    };
    let txs: Vec<_> = (0..u64::from(n_txs)).map(tx).collect();
    let txs: Vec<_> = txs.iter().map(|tx| Tx { transaction: tx, hash: tx.hash() }).collect();
    let engine = Arc::new(Engine::new().unwrap());
    let mut executor = Executor::new(&engine, Prices::default(), 2).unwrap();
    let worker = |_| Mutex::new(Worker::new(&engine, Prices::default(), false));
    executor.workers = (0..2).map(worker).collect();
    let state: Arc<dyn StateRead> = Arc::new(StateTable::new());
    let lists = executor.derive(&txs, &state).unwrap();
    let plan = Plan::by(executor.intern(lists, &txs).unwrap(), &Graph, 2).unwrap();
    let run = BlockRun::new(&executor, &txs, &plan, &state, BlockEnv::default()).unwrap();
    executor.threads.install(|| body(&run));
}

/// Hands over the graph of transactions that write these keys.
fn with_graph(rows: &[Vec<u32>], body: impl FnOnce(&Dag)) {
    let mut accesses = Accesses::default();
    for row in rows {
        accesses.push_tx(row.iter().map(|&slot| Access::new(slot, AccessKind::Write)));
    }
    let block = Block::new(&accesses, &[], &[], &[]).unwrap();
    let plan = Graph.plan(&block, 2);
    let Form::Graph(dag) = plan.form() else { panic!("a graph plans a graph") };
    body(dag);
}

#[test]
#[cfg_attr(miri, ignore = "an engine is too much for an interpreter")]
fn a_worker_does_not_hold_a_chain_while_it_runs_another() {
    /// Behind the last ones of such a chain is little, so that their worker takes more meanwhile.
    const LEN: u32 = 300;
    let order: Vec<u32> = (0..N_CHAINS * LEN).collect();
    let rows: Vec<_> = order.iter().map(|tx| vec![tx % N_CHAINS]).collect();
    with_block(N_CHAINS * LEN, |run| {
        with_graph(&rows, |dag| {
            let chains = Chains::default();
            assert!(run.run_graph(&order, dag, &chains).unwrap());
            assert_eq!(chains.n_run.into_inner(), order.len());
        });
    });
}

#[test]
#[cfg_attr(miri, ignore = "an engine is too much for an interpreter")]
fn no_more_is_left_than_has_not_ended() {
    // Ten that wait for nobody, and a chain of ten, each behind one of them.
    let alone = (0..10).map(|key| vec![key]);
    let rows: Vec<_> = alone.chain((0..10).map(|key| vec![key, 10])).collect();
    let order: Vec<u32> = (0..20).collect();
    with_block(20, |run| {
        with_graph(&rows, |dag| {
            let step = Chains::default();
            let graph = Unbarred::new(run, &order, dag, &step);
            assert_eq!(graph.before.last(), Some(&(2..=11).sum()), "each counts the chain");
            assert_eq!(graph.left(), 20);
            (0..9).for_each(|tx| _ = graph.ends.end(tx, |_| ()));
            assert_eq!(graph.left(), 11);
            graph.next_root.store(9, Ordering::Relaxed);
            assert_eq!(graph.left(), 2, "the last root and what is behind it");
        });
    });
}

#[test]
#[cfg_attr(miri, ignore = "an engine is too much for an interpreter")]
fn who_holds_some_gives_them_to_who_is_idle() {
    let (rows, order): (Vec<_>, Vec<_>) =
        ((0..20).map(|key| vec![key]).collect(), (0..20).collect());
    with_block(20, |run| {
        with_graph(&rows, |dag| {
            let step = Chains::default();
            let (graph, deque) = (Unbarred::new(run, &order, dag, &step), Deque::new_lifo());
            // More than are fetched ahead at once: who has few left takes some more.
            let mut soon = order.clone();
            graph.give(&mut soon, 1, &deque);
            assert_eq!((&soon[..], deque.len()), (&order[..], 0), "nobody is idle");
            graph.n_idle.store(1, Ordering::Relaxed);
            graph.give(&mut soon, 1, &deque);
            assert_eq!((&soon[..], deque.len()), (&[0, 1][..], 18));
            assert_eq!([deque.pop(), deque.pop()], [Some(2), Some(3)]);
        });
    });
}

#[test]
#[cfg_attr(miri, ignore = "an engine is too much for an interpreter")]
fn a_chain_that_is_much_longer_comes_first() {
    // A chain of three and one of ten.
    let rows: Vec<_> = (0..13).map(|tx| vec![u32::from(tx >= 3)]).collect();
    let order: Vec<u32> = (0..13).collect();
    with_block(13, |run| {
        with_graph(&rows, |dag| {
            let step = Chains::default();
            let graph = Unbarred::new(run, &order, dag, &step);
            assert_eq!(graph.roots, [3, 0]);
            assert_eq!(graph.take_longer(1), Some(3), "ten instead of two");
            assert_eq!(graph.take_longer(4), None, "three instead of nine");
            assert_eq!(graph.take_longer(1), None, "three instead of two is hardly more");
            assert_eq!(graph.take_longer(2), Some(0), "three instead of one");
        });
    });
}

#[test]
fn nothing_waits_that_somebody_could_wait_for() {
    assert!(is_urgent(1, 0, 2), "where nothing else is left");
    assert!(is_urgent(10, 2560, 2) && !is_urgent(10, 2561, 2));
    assert!(is_urgent(10, 2561, 3), "there is less for each");
    assert!(is_urgent(u64::MAX, u64::MAX, 2));
    assert!(is_urgent(0, 0, 2) && !is_urgent(0, 1, 2), "what costs nothing can wait");
}

#[test]
fn whoever_holds_a_chain_leaves_the_others_to_the_others() {
    assert!(may_take(0, 0, 2) && may_take(10, 80, 2));
    assert!(!may_take(10, 79, 2) && !may_take(1, 0, 2), "it would hold what others could run");
    assert!(!may_take(10, 80, 3), "there is less for each");
}

#[test]
fn whoever_takes_takes_a_part_of_the_costs_that_are_left() {
    let takes = |costs: &[u64]| {
        let (next, before) = (AtomicUsize::new(0), sums(costs.iter().copied()));
        let take = || take(&next, costs.len(), &before, 2);
        let takes: Vec<_> = std::iter::repeat_with(take).take(4).collect();
        takes.into_iter().map(|taken| (taken.start, taken.len())).collect::<Vec<_>>()
    };
    assert_eq!(takes(&[1; 40]), [(0, 5), (5, 4), (9, 3), (12, 3)], "an eighth of what is left");
    assert_eq!(takes(&[1; 1000])[0], (0, 32));
    assert_eq!(takes(&[90, 50, 10, 9, 1, 1, 1, 1])[..3], [(0, 1), (1, 1), (2, 1)]);
    assert_eq!(takes(&[3, u64::MAX, 2])[..4], [(0, 1), (1, 1), (2, 1), (3, 0)]);
    assert_eq!(takes(&[]), [(0, 0); 4]);
    assert_eq!(takes(&[0, 0, 0])[0], (0, 3), "what costs nothing is taken at once");
}
