//! Sums, maxima and minima.

use kempe_abi::Outcome;
use kempe_runtime::executor::{Executor, Tx};
use kempe_runtime::scheduler::Graph;
use kempe_runtime::types::Action;
use kempe_tests::{call, options};

use crate::{SLOT, chaos, commutes, left, on_slot, world};

/// The numbers of the fields of `Chaos`.
pub(crate) const SUMS: u8 = 1;
const HIGHS: u8 = 3;
const LOWS: u8 = 4;

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

/// How often a block of these calls of different senders, behind one that adds so much, runs its transactions on two threads by a graph.
fn n_runs(first: u8, block: &[(&str, u8)]) -> u64 {
    let (mut world, chaos) = world();
    let add = on_slot(chaos, "add", first);
    assert_eq!(world.send(0, add).outcome, Outcome::Ok);
    world.chain.set_options(options(2, &Graph)).expect("threads start");
    let action = |&(method, n): &(&str, u8)| match method {
        "show" => call(chaos, method, &(SLOT,)),
        _ => on_slot(chaos, method, n),
    };
    let txs = block.iter().map(|step| vec![action(step)]).enumerate().collect();
    let prepared = world.chain.prepare(world.sign(txs), 0).expect("it is prepared");
    let oracle = world.chain.execute_oracle(&prepared).expect("it runs");
    let prices = world.chain.genesis().prices;
    let mut executor = Executor::new(world.chain.engine(), prices, 2).expect("threads start");
    let pairs = prepared.transactions.iter().zip(&prepared.hashes);
    let txs: Vec<Tx<'_>> =
        pairs.map(|(signed, &hash)| Tx { transaction: &signed.transaction, hash }).collect();
    let state = world.chain.state().expect("it is readable");
    let output = executor.execute(&txs, &prepared.plan, &state, prepared.env).expect("it runs");
    assert_eq!(output.receipts, oracle.receipts, "{block:?}");
    executor.n_runs()
}

#[test]
fn a_counter_that_is_raised_and_lowered_runs_again_only_if_an_order_could_show() {
    let mixed = [("add", 5), ("sub", 60), ("add", 7)];
    assert_eq!(n_runs(60, &mixed), 3, "there is enough for all that is taken");
    assert!(n_runs(59, &mixed) > 3, "there is not, if all is taken first");
    let high = [("add", 50), ("sub", 10), ("add", 5)];
    assert_eq!(n_runs(200, &high), 3, "all that is added has room");
    assert!(n_runs(201, &high) > 3, "it has not, if all is added first");
    // Nobody takes anything beside those who add, before and behind the one who looks.
    let looked = [("add", 9), ("add", 9), ("show", 0), ("add", 9), ("add", 9)];
    assert_eq!(n_runs(0, &looked), 5);
}
