//! What kinds of access are worth. With `--nocapture` these tests print how long blocks run; `KEMPE_KIND_ROUNDS=20000` makes
//! each call work for some 28 microseconds, and `KEMPE_KIND_RUNS=25` says how often each block is run.

use std::time::Duration;

use kempe_abi::{Address, Outcome};
use kempe_runtime::scheduler::Color;
use kempe_tests::{TOIL, World, call, genesis, number, options};

use crate::SLOT;

/// The calls of a block, each of another sender.
const N_CALLS: u8 = 240;

/// How long a call works, in rounds of arithmetic.
fn rounds() -> u32 {
    number("KEMPE_KIND_ROUNDS", 10)
}

fn world() -> (World, Address) {
    let mut world = World::of(genesis(N_CALLS, 0), options(1, &Color));
    let toil = world.deploy(0, TOIL, &());
    (world, toil)
}

/// Runs a block of calls of a method, which must need so many batches, and says how long that takes.
fn measured(world: &mut World, toil: Address, method: &str, n_batches: usize) -> String {
    let n_runs: usize = number("KEMPE_KIND_RUNS", 1);
    let calls =
        (0..N_CALLS).map(|from| (usize::from(from), vec![call(toil, method, &(SLOT, rounds()))]));
    let txs = world.sign(calls.collect());
    let mut times: [Vec<Duration>; 2] = [1, 2].map(|_| Vec::with_capacity(n_runs));
    for _ in 0..n_runs {
        // In turn, so that what else the machine does falls on both.
        for (n_threads, times) in (1..).zip(&mut times) {
            world.chain.set_options(options(n_threads, &Color)).expect("threads start");
            let prepared = world.chain.prepare(txs.clone(), 0).expect("it is prepared");
            assert_eq!(prepared.plan.schedule().n_batches(), n_batches, "{method}");
            world.chain.execute(&prepared).expect("it runs");
            let start = std::time::Instant::now();
            let output = world.chain.execute(&prepared).expect("it runs");
            times.push(start.elapsed());
            assert!(output.receipts.iter().all(|r| r.outcome == Outcome::Ok), "{method}");
        }
    }
    let medians = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    format!("{method}: {n_batches} batches, on 1 and 2 threads {medians:?}")
}

/// Blocks of calls that touch one cell, by a kind that commutes and as a write that does the same.
#[test]
fn a_kind_that_commutes_needs_one_batch_where_a_write_needs_one_each() {
    let (mut world, toil) = world();
    world.send(0, call(toil, "fill", &(SLOT, 1000u64)));
    for kind in ["add", "max", "min", "reserve", "append", "start", "unless"] {
        println!("{}", measured(&mut world, toil, kind, 1));
        let written = format!("{kind}_written");
        println!("{}", measured(&mut world, toil, &written, usize::from(N_CALLS)));
    }
}

/// Blocks of calls that add to a counter and look at it, as a whole and in shards: a batch for each call, or for each of the
/// fullest shard. And what looking at the total costs instead.
#[test]
fn who_looks_at_a_shard_waits_for_that_shard() {
    let (mut world, toil) = world();
    let senders: Vec<Address> =
        world.accounts.iter().take(usize::from(N_CALLS)).map(|account| account.address).collect();
    println!("{}", measured(&mut world, toil, "look", usize::from(N_CALLS)));
    let total = |world: &mut World, method: &str| {
        let receipt = world.send(0, call(toil, method, &SLOT));
        assert_eq!(receipt.outcome, Outcome::Ok, "{method}");
        receipt.fuel
    };
    println!("total: fuel {}", total(&mut world, "total"));
    for n_shards in [4, 16, 64] {
        let shard = |of: &Address| of.shard(n_shards).expect("there are shards");
        let fullest = (0..n_shards).map(|at| senders.iter().filter(|of| shard(of) == at).count());
        let n_batches = fullest.max().expect("there are shards");
        assert!(n_batches < usize::from(N_CALLS) * 2 / usize::from(n_shards) + 12, "{n_shards}");
        println!("{}", measured(&mut world, toil, &format!("look_{n_shards}"), n_batches));
        let fuel = total(&mut world, &format!("total_{n_shards}"));
        println!("total_{n_shards}: fuel {fuel}");
    }
}
