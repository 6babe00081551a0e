//! Parallel execution equals the serial oracle, byte for byte: random blocks of mixed contracts, with
//! reverts, traps, calls between contracts, additions at their bounds, deployments, native
//! transfers, dynamic calls with right, wrong and missing lists, and several actions at once.

mod calls;
mod metamorphic;

use kempe_runtime::chain::{Chain, ChainError};
use kempe_runtime::scheduler::{Color, SCHEDULERS, Scheduler, by_name};
use kempe_runtime::types::TransactionError;
use kempe_tests::{CHAOS, FUEL, World, call, genesis, number, options};
use proptest::prelude::*;

use calls::{ACCUMULATING, N_ACCOUNTS, Spec, What, block, explicit, setup};

/// Runs blocks on a chain that builds, by each of the schedulers that `by` names for a block, and on
/// others that apply what it built.
fn check(
    blocks: &[Vec<Spec>],
    gas: u64,
    n_threads: impl Fn(usize) -> usize,
    by: impl Fn(usize) -> Vec<&'static dyn Scheduler>,
) -> Result<(), TestCaseError> {
    let mut builder = World::of(genesis(N_ACCOUNTS, gas), options(n_threads(0), &Color));
    let contracts = setup(&mut builder);
    let mut appliers: Vec<Chain> = [1, 3, 8]
        .map(|n| Chain::in_memory(genesis(N_ACCOUNTS, gas), options(n, &Color)).expect("starts"))
        .into();
    for (n, specs) in blocks.iter().enumerate() {
        let txs = specs.iter().map(|spec| {
            let actions =
                spec.actions.iter().map(|what| what.action(&builder, &contracts)).collect();
            (spec.from, actions, spec.fuel, explicit(&builder, &contracts, spec))
        });
        let txs: Vec<_> = txs.collect();
        let txs = builder.sign_with(txs);
        let (mut done, n_threads) = (None, n_threads(n));
        for scheduler in by(n) {
            builder.chain.set_options(options(n_threads, scheduler)).expect("threads start");
            let prepared = builder.chain.prepare(txs.clone(), 0).expect("it is prepared");
            // Who tries to move everything away has nothing more in the block, where that could take the fee.
            let is_taken = |error: &TransactionError| match error {
                TransactionError::Unpayable { taken, .. } => *taken > 0,
                TransactionError::Nonce { .. } => true,
                _ => false,
            };
            let mut rejected = prepared.rejected.iter();
            let may_be = rejected.all(|(_, error)| gas > 0 && is_taken(error));
            prop_assert!(may_be, "{:?}", prepared.rejected);
            let parallel = builder.chain.execute(&prepared).expect("it runs");
            let oracle = builder.chain.execute_oracle(&prepared).expect("it runs");
            let name = scheduler.name();
            if prepared.plan.post_values().is_some() {
                let again = builder.chain.execute(&prepared).expect("its own values are right");
                prop_assert!(again == parallel, "{}", name);
            }
            prop_assert_eq!(&parallel.receipts, &oracle.receipts, "{}", name);
            prop_assert_eq!(&parallel.changes, &oracle.changes, "{}", name);
            prop_assert_eq!(&parallel.logs, &oracle.logs, "{}", name);
            done = Some((prepared, parallel));
        }
        let (prepared, parallel) = done.expect("there is a scheduler");
        builder.chain.commit_prepared(prepared, parallel).expect("it is committed");
    }
    for applier in &mut appliers {
        for height in 1..=builder.chain.head().height {
            let record = builder.chain.block(height).expect("readable").expect("there");
            match applier.apply(&record.block) {
                Ok(applied) => prop_assert_eq!(&applied.record, &record),
                Err(ChainError::Header { field, found, expected }) => {
                    return Err(TestCaseError::fail(format!(
                        "height {height}: {field} {found} is not {expected}"
                    )));
                }
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            }
        }
        prop_assert_eq!(applier.head(), builder.chain.head());
    }
    Ok(())
}

/// One scheduler for each form of a plan that runs without barriers.
const UNBARRED: [&str; 6] = ["graph", "versions", "values", "block-stm", "block-stm-hints", "aria"];

/// The number of cases: `KEMPE_CASES`, or enough for CI.
fn cases() -> u32 {
    number("KEMPE_CASES", 48)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn parallel_equals_sequential(
        blocks in proptest::collection::vec(block(), 40),
        gas in prop_oneof![Just(0_u64), Just(3_u64)],
    ) {
        // Which scheduler follows from the blocks, so that a failure repeats.
        let first = blocks.iter().map(Vec::len).sum::<usize>();
        // Some on more threads than there are processors, as a rule, and than transactions.
        let n_threads = |n: usize| [2, 2, 2, 8, 2, 2, 2, 16][n % 8];
        check(&blocks, gas, n_threads, |n| vec![SCHEDULERS[(first + n) % SCHEDULERS.len()]])?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().div_ceil(8), ..ProptestConfig::default() })]

    /// Without transactions that could leave their lists, so that every plan runs as its form says.
    #[test]
    fn plans_without_barriers_equal_sequential(
        mut blocks in proptest::collection::vec(block(), 20),
        gas in prop_oneof![Just(0_u64), Just(3_u64)],
    ) {
        let is_listed = |what: &What| match what {
            What::Chaos { method, .. } => ACCUMULATING.contains(method),
            What::Deploy => false,
            _ => true,
        };
        for block in &mut blocks {
            block.retain(|spec| spec.actions.iter().all(is_listed));
        }
        let n_threads = |n: usize| [3, 3, 8, 3, 16][n % 5];
        check(&blocks, gas, n_threads, |_| UNBARRED.map(|name| by_name(name).expect("it is there")).into())?;
    }
}

/// Additions to sums of which little is there, so that one that comes too early does not fit, and who reads them.
fn scarce() -> impl Strategy<Value = Vec<(u8, usize, u8, u8)>> {
    proptest::collection::vec((0..N_ACCOUNTS, 0..5_usize, 0..2_u8, 0..8_u8), 1..14)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().div_ceil(2), ..ProptestConfig::default() })]

    /// Nobody sees a sum that the published order never has, be it that what is added in the end fits.
    #[test]
    fn who_reads_scarce_sums_reads_them_in_the_published_order(
        blocks in proptest::collection::vec(scarce(), 6),
        n_threads in prop_oneof![4 => 1..4_usize, 1 => Just(8), 1 => Just(16)],
    ) {
        let mut world = World::of(genesis(N_ACCOUNTS, 0), options(n_threads, &Color));
        let chaos = world.deploy(0, CHAOS, &());
        for block in blocks {
            let txs = block.into_iter().map(|(from, method, slot, n)| {
                let action = match method {
                    0 => call(chaos, "add", &(slot, n)),
                    1 | 2 => call(chaos, "sub", &(slot, n)),
                    3 => call(chaos, "show", &slot),
                    _ => call(chaos, "put", &(slot, u64::from(n))),
                };
                (usize::from(from), vec![action], FUEL, Vec::new())
            });
            let txs = world.sign_with(txs.collect::<Vec<_>>());
            let mut done = None;
            for name in UNBARRED {
                let scheduler = by_name(name).expect("it is there");
                world.chain.set_options(options(n_threads, scheduler)).expect("threads start");
                let prepared = world.chain.prepare(txs.clone(), 0).expect("it is prepared");
                // Who comes first depends on the threads.
                let oracle = world.chain.execute_oracle(&prepared).expect("it runs");
                for _ in 0..4 {
                    let parallel = world.chain.execute(&prepared).expect("it runs");
                    prop_assert_eq!(&parallel.receipts, &oracle.receipts, "{}", name);
                    prop_assert_eq!(&parallel.changes, &oracle.changes, "{}", name);
                }
                done = Some((prepared, oracle));
            }
            let (prepared, output) = done.expect("there is a scheduler");
            world.chain.commit_prepared(prepared, output).expect("it is committed");
        }
    }
}
