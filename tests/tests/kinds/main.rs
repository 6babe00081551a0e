//! Accesses that commute: small blocks in every order, by every scheduler, against the oracle and against what
//! the kind says in one line. A file for each kind; what they are worth is in `worth`.

use kempe_abi::{Address, Outcome};
use kempe_runtime::executor::BlockOutput;
use kempe_runtime::scheduler::{Color, SCHEDULERS};
use kempe_runtime::types::{Action, StateKey};
use kempe_tests::{CHAOS, World, call, genesis, options};
use proptest::prelude::*;

mod logs;
mod start;
mod stocks;
mod sums;
mod worth;

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
