//! Accesses that commute: small blocks in every order, by every scheduler, against the oracle and against what
//! the kind says in one line.

use kempe_abi::{Address, Outcome, TrapKind};
use kempe_runtime::executor::BlockOutput;
use kempe_runtime::scheduler::{Color, SCHEDULERS};
use kempe_runtime::types::{Action, StateKey};
use kempe_tests::{CHAOS, World, call, genesis, number, options};
use proptest::prelude::*;

/// The numbers of the fields of `Chaos`.
const SUMS: u8 = 1;
const HIGHS: u8 = 3;
const LOWS: u8 = 4;
const STOCKS: u8 = 5;

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
    let change = output.changes.iter().find(|change| change.hash == hash);
    change.and_then(|change| change.value.as_ref().map(|value| value.to_vec()))
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
    let (start, amounts) = (20u8, [9u8, 5, 7, 2]);
    let block = amounts.map(|n| on_slot(chaos, "book", n));
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
    assert_eq!(refused, [0, 1, 2].into(), "each of them in some order; the least never");
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

const METHODS: &[&str] = &[
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

    /// Blocks of nothing but stocks, one behind the other, so that they fill and run out.
    #[test]
    fn stocks_are_the_same_by_every_scheduler(
        blocks in proptest::collection::vec(
            proptest::collection::vec(
                (0..6_usize, proptest::sample::select(METHODS), 0..3_u8, 0..24_u8), 1..12,
            ),
            10,
        ),
    ) {
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
                    "rebook" => call(chaos, method, &(other, slot, n)),
                    "book_both" => call(this, method, &(slot, n % 3)),
                    "left" => call(this, method, &slot),
                    "restock" => call(this, method, &(slot, n * 10)),
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
        }
    }
}

/// What a kind is worth: blocks of calls that touch one cell, by a kind that commutes and as a write. With
/// `--nocapture` it prints how long they run.
#[test]
fn a_kind_that_commutes_needs_one_batch_where_a_write_needs_one_each() {
    const N_CALLS: u8 = 240;
    for (method, n_batches) in [("book", 1), ("exchange", 240), ("raise", 1), ("reset", 240)] {
        let mut world = World::of(genesis(N_CALLS, 0), options(1, &Color));
        let chaos = world.deploy(0, CHAOS, &());
        world.send(0, on_slot(chaos, "stock", u8::MAX));
        let calls = (0..N_CALLS).map(|at| (usize::from(at), vec![on_slot(chaos, method, 1)]));
        let txs = world.sign(calls.collect());
        let medians = [1, 2].map(|n_threads| {
            world.chain.set_options(options(n_threads, &Color)).expect("threads start");
            let prepared = world.chain.prepare(txs.clone(), 0).expect("it is prepared");
            assert_eq!(prepared.plan.schedule().n_batches(), n_batches, "{method}");
            let mut times = [0; 31].map(|_| {
                let start = std::time::Instant::now();
                let output = world.chain.execute(&prepared).expect("it runs");
                let time = start.elapsed();
                assert!(output.receipts.iter().all(|r| r.outcome == Outcome::Ok), "{method}");
                time
            });
            times.sort_unstable();
            times[times.len() / 2]
        });
        println!("{method}: {n_batches} batches, on 1 and 2 threads {medians:?}");
    }
}
