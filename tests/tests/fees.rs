//! What transactions pay where gas has a price, and that nobody runs for free.

use kempe_abi::{Address, Outcome, TrapKind};
use kempe_runtime::chain::ChainError;
use kempe_runtime::scheduler::{Color, by_name};
use kempe_runtime::types::{Action, DeclaredAccess, StateKey, TransactionError};
use kempe_tests::{Account, CHAOS, FUEL, World, call, cases, genesis, options};
use proptest::prelude::*;

fn world() -> World {
    World::of(genesis(3, 7), options(2, &Color))
}

fn supply(world: &World) -> u128 {
    let collector = world.chain.genesis().prices.collector;
    let accounts = world.accounts.iter().map(|account| account.address);
    accounts.chain([collector]).map(|who| world.chain.balance(&who).expect("readable")).sum()
}

/// Sends, and checks that the fee is the fuel's, and that it only changed hands.
fn pays(world: &mut World, from: usize, action: Action, outcome: Outcome) {
    let before = (supply(world), world.chain.balance(&world.accounts[from].address));
    let receipt = world.send(from, action);
    assert_eq!(receipt.outcome, outcome);
    assert_eq!(receipt.fee, world.chain.genesis().prices.fee(receipt.fuel));
    assert!(receipt.fee > 0);
    assert_eq!(supply(world), before.0);
    let after = world.chain.balance(&world.accounts[from].address).expect("readable");
    assert!(before.1.expect("readable") - after >= receipt.fee);
}

#[test]
fn success_and_failure_pay_for_their_fuel() {
    let mut world = world();
    let chaos = world.deploy(0, CHAOS, &());
    let to = world.accounts[2].address;
    pays(&mut world, 1, call(chaos, "put", &(1u8, 2u64)), Outcome::Ok);
    pays(&mut world, 1, Action::Transfer { to, amount: 5 }, Outcome::Ok);
    pays(&mut world, 1, call(chaos, "refuse", &()), Outcome::Revert(100));
    let trap = Outcome::Trap;
    pays(&mut world, 1, call(chaos, "spin", &()), trap(TrapKind::OutOfFuel));
    pays(&mut world, 1, call(chaos, "sub", &(1u8, 1u8)), trap(TrapKind::CounterOutOfBounds));
    // Refused before anything runs, and still not free.
    pays(&mut world, 1, call(chaos, "nothing", &()), trap(TrapKind::NoSuchMethod));
    pays(&mut world, 1, call(chaos, "put", &7u8), trap(TrapKind::BadArguments));
    let nobody = Address([3; 32]);
    pays(&mut world, 1, call(nobody, "put", &()), trap(TrapKind::NoSuchContract));
}

#[test]
fn both_attempts_of_a_retried_transaction_are_paid() {
    let mut world = world();
    let chaos = world.deploy(0, CHAOS, &());
    let lie =
        DeclaredAccess { kind: kempe_abi::AccessKind::Read, key: StateKey::new(chaos, 0, &[7]) };
    let actions = || vec![call(chaos, "follow", &(2u8, 3u8))];
    let once = world.sign_with([(1, actions(), FUEL, Vec::new())]);
    let once = world.build(once).record.receipts[0].clone();
    let twice = world.sign_with([(1, actions(), FUEL, vec![lie])]);
    let twice = world.build(twice).record.receipts[0].clone();
    assert!(once.tail && twice.tail && twice.fuel > once.fuel + 30_000);
    assert_eq!(twice.fee, world.chain.genesis().prices.fee(twice.fuel));
}

#[test]
fn one_sender_keeps_its_order_when_a_transaction_runs_again() {
    let mut world = world();
    let chaos = world.deploy(0, CHAOS, &());
    let lie =
        DeclaredAccess { kind: kempe_abi::AccessKind::Read, key: StateKey::new(chaos, 0, &[7]) };
    let txs = world.sign_with([
        (1, vec![call(chaos, "follow", &(2u8, 0u8))], FUEL, vec![lie]),
        (1, vec![call(chaos, "copy", &(2u8, 5u8))], FUEL, Vec::new()),
    ]);
    let report = world.build(txs);
    let [first, second] = &report.record.receipts[..] else { panic!("two receipts") };
    assert!(first.tail && second.tail);
    assert_eq!(second.results, [14u64.to_le_bytes().to_vec()], "it sees what the first wrote");
}

#[test]
fn a_caught_failure_changes_nothing_of_what_was_added_before() {
    let mut world = world();
    let (one, two) = (world.deploy(0, CHAOS, &()), world.deploy(0, CHAOS, &()));
    let action = || vec![call(one, "juggle", &(two, 3u8))];
    let signed = world.sign_with([(1, action(), FUEL, Vec::new())]);
    let simulation = world.chain.simulate(&signed[0].transaction).expect("it runs");
    assert_eq!(simulation.results, [vec![6]]);
    let list = simulation.explicit_list();
    for (list, tail, sum) in [(Vec::new(), true, 6), (list, false, 12)] {
        let signed = world.sign_with([(1, action(), FUEL, list)]);
        let receipt = world.build(signed).record.receipts[0].clone();
        assert_eq!((receipt.outcome, receipt.tail), (Outcome::Ok, tail));
        assert_eq!(receipt.results, [vec![sum]]);
        let key = StateKey::new(two, 1, &[3]).hash();
        let stored = world.chain.state().expect("readable").get(&key).expect("readable");
        assert_eq!(stored.as_deref(), Some(&[sum][..]));
    }
}

/// What a caught call leaves to be undone by the one around it is what was there before both.
#[test]
fn caught_calls_in_caught_calls_are_undone_to_where_they_began() {
    let mut world = world();
    let [one, two, three] = [(); 3].map(|()| world.deploy(0, CHAOS, &()));
    let key = StateKey::new(three, 0, &[5]).hash();
    let stored = |world: &World| {
        let stored = world.chain.state().expect("readable").get(&key).expect("readable");
        stored.map(|value| u64::from_le_bytes(value[..].try_into().expect("a number")))
    };
    world.send(0, call(three, "put", &(5u8, 77u64)));
    for (fails, left) in [(1u8, 77), (0, 3)] {
        let signed =
            world.sign_with([(1, vec![call(two, "stir", &(three, 5u8, fails))], FUEL, Vec::new())]);
        world.build(signed);
        assert_eq!(stored(&world), Some(left), "{fails}");
    }
    world.send(0, call(three, "put", &(5u8, 77u64)));
    let signed =
        world.sign_with([(1, vec![call(one, "knead", &(two, three, 5u8))], FUEL, Vec::new())]);
    let receipt = world.build(signed).record.receipts[0].clone();
    assert_eq!((receipt.outcome, &receipt.results[..]), (Outcome::Ok, &[vec![1, 1]][..]));
    assert_eq!(stored(&world), Some(3));
}

/// Wherever the fuel ends, also inside of calls that are caught, the fee is paid.
#[test]
fn whose_fuel_ends_pays_for_it_wherever_that_is() {
    let mut world = world();
    let [one, two, three] = [(); 3].map(|()| world.deploy(0, CHAOS, &()));
    let action = || vec![call(one, "knead", &(two, three, 5u8))];
    let signed = world.sign_with([(1, action(), FUEL, Vec::new())]);
    let enough = world.build(signed).record.receipts[0].fuel;
    for limit in (33_000..enough + 1000).step_by(250) {
        let before = (supply(&world), world.chain.balance(&world.accounts[1].address));
        let signed = world.sign_with([(1, action(), limit, Vec::new())]);
        let receipt = world.build(signed).record.receipts[0].clone();
        assert_eq!(receipt.fee, world.chain.genesis().prices.fee(receipt.fuel), "{limit}");
        assert_eq!(supply(&world), before.0, "{limit}");
        let after = world.chain.balance(&world.accounts[1].address).expect("readable");
        assert_eq!(before.1.expect("readable") - after, receipt.fee, "{limit}");
    }
}

/// A template that looks at a long argument often is paid for, whether a list follows or not.
#[test]
fn what_finding_a_list_takes_is_paid_for() {
    // Few enough for the contract's memory, and three times as many are more than is free.
    const N_BYTES: u64 = 2_500;
    const FREE_BYTES: u64 = 4096;
    let mut world = world();
    let chaos = world.deploy(0, CHAOS, &());
    let data = vec![7u8; usize::try_from(N_BYTES).expect("it is small")];
    let fuel = |world: &mut World, method: &str, limit: u64| {
        let signed =
            world.sign_with([(1, vec![call(chaos, method, &(data.clone(),))], limit, Vec::new())]);
        let receipt = world.build(signed).record.receipts[0].clone();
        (receipt.outcome, receipt.fuel)
    };
    let (once, fuel_once) = fuel(&mut world, "digest", FUEL);
    let (often, fuel_often) = fuel(&mut world, "digest_often", FUEL);
    assert_eq!((once, often), (Outcome::Ok, Outcome::Ok));
    // And two entries.
    let more = fuel_often - fuel_once;
    let least = 3 * N_BYTES - FREE_BYTES + 2 * world.chain.genesis().prices.list_entry;
    assert!((least..least + 1000).contains(&more), "{more}");
    // Who cannot pay for it pays all that there is.
    let short = fuel_once + 100;
    assert_eq!(
        fuel(&mut world, "digest_often", short),
        (Outcome::Trap(TrapKind::OutOfFuel), short)
    );
}

#[test]
fn who_cannot_pay_is_no_part_of_a_block() {
    let mut world = world();
    world.accounts.push(Account::new(77));
    let to = world.accounts[0].address;
    let txs = world.sign(vec![(3, vec![Action::Transfer { to, amount: 0 }])]);
    let error = world.chain.build(txs, 0).expect_err("it has no balance");
    let ChainError::Transaction { source, .. } = error else { panic!("{error}") };
    assert!(matches!(*source, TransactionError::Unpayable { balance: 0, .. }), "{source}");
    let txs = world.sign_with([(0, vec![Action::Transfer { to, amount: 0 }], 10, Vec::new())]);
    let error = world.chain.build(txs, 0).expect_err("ten fuel is not enough");
    assert!(error.to_string().contains("fuel_limit=10"), "{error}");
    assert_eq!(world.chain.head().height, 0);
}

/// What paying touches is there from the start, whatever is left at the end.
#[test]
fn deployments_pay_wherever_their_fuel_ends() {
    let mut world = world();
    let chaos = world.deploy(0, CHAOS, &());
    let prices = world.chain.genesis().prices;
    // The first action takes from a sum what is not there, which shows only when all has run.
    let take = || call(chaos, "sub", &(3u8, 1u8));
    let deploy = || kempe_tests::deploy(kempe_contracts::COUNTER, &());
    let send = |world: &mut World, actions: Vec<Action>, limit: u64| {
        let before = (supply(world), world.chain.balance(&world.accounts[1].address));
        let signed = world.sign_with([(1, actions, limit, Vec::new())]);
        let receipt = world.build(signed).record.receipts[0].clone();
        assert!(receipt.fee > 0);
        assert_eq!(receipt.fee, prices.fee(receipt.fuel), "{limit}");
        assert_eq!(supply(world), before.0, "{limit}");
        let after = world.chain.balance(&world.accounts[1].address).expect("readable");
        assert_eq!(before.1.expect("readable") - after, receipt.fee, "{limit}");
        (receipt.outcome, receipt.fuel)
    };
    let out_of_fuel = Outcome::Trap(TrapKind::OutOfFuel);
    let least = world.sign(vec![(1, vec![deploy()])])[0].transaction.base_fuel(&prices);
    for more in (0..8_000).step_by(500) {
        assert_eq!(send(&mut world, vec![deploy()], least + more).0, out_of_fuel);
    }
    let (outcome, enough) = send(&mut world, vec![deploy()], 1_000_000_000);
    assert_eq!(outcome, Outcome::Ok);
    for less in (1..8_000).step_by(500) {
        assert_eq!(send(&mut world, vec![deploy()], enough - less).0, out_of_fuel);
    }
    let out_of_bounds = Outcome::Trap(TrapKind::CounterOutOfBounds);
    let (outcome, enough) = send(&mut world, vec![take(), deploy()], 1_000_000_000);
    assert_eq!(outcome, out_of_bounds);
    for more in (0..3_000).step_by(250) {
        assert_eq!(send(&mut world, vec![take(), deploy()], enough + more).0, out_of_bounds);
    }
}

/// Who moves its balance away with its first transaction would have the others for nothing.
#[test]
fn nobody_moves_away_what_later_transactions_owe() {
    let mut world = world();
    let prices = world.chain.genesis().prices;
    let (fee, to) = (prices.fee(FUEL), world.accounts[0].address);
    let spin = || vec![Action::Transfer { to, amount: 1 }];
    for (more, n_accepted) in [(0, 2), (1, 1)] {
        let had = world.chain.balance(&world.accounts[1].address).expect("readable");
        // What it leaves covers its own highest fee and that of one more, or a unit less.
        let amount = had - 2 * fee + more;
        let away =
            vec![Action::Transfer { to, amount: amount - 1 }, Action::Transfer { to, amount: 1 }];
        let txs = world.sign(vec![(1, away), (1, spin()), (1, spin())]);
        let report = world.build(txs);
        let receipts = &report.record.receipts;
        assert_eq!(receipts.len(), n_accepted);
        assert!(receipts.iter().all(|receipt| receipt.fee > 0 && receipt.outcome == Outcome::Ok));
        let (at, refused) = &report.rejected[0];
        assert_eq!(*at, n_accepted);
        let TransactionError::Unpayable { balance, taken, fee_max, .. } = refused else {
            panic!("{refused}")
        };
        assert_eq!((*balance, *fee_max), (had, fee));
        let second = if n_accepted == 2 { fee + 1 } else { 0 };
        assert_eq!(*taken, amount + fee + second);
        // It gets it back.
        world.send(0, Action::Transfer { to: world.accounts[1].address, amount });
    }
    // To itself it moves nothing.
    let own = world.accounts[1].address;
    let had = world.chain.balance(&own).expect("readable");
    let txs = world.sign(vec![
        (1, vec![Action::Transfer { to: own, amount: had - fee }]),
        (1, vec![Action::Transfer { to: own, amount: 1 }]),
    ]);
    assert_eq!(world.build(txs).record.receipts.len(), 2);
}

/// What a random transaction does.
#[derive(Clone, Debug)]
enum Does {
    /// Moves a share of the balance, and so many of its highest fees less or more, to an account.
    Moves { to: usize, percent: u128, fees: i128, units: i128 },
    /// Spends all of its fuel.
    Spins,
    /// Leaves its list and runs again in the tail lane.
    RunsAgain,
}

fn does() -> impl Strategy<Value = Does> {
    let shares = prop_oneof![Just(0_u128), Just(30), Just(50), Just(100)];
    prop_oneof![
        4 => (0..4_usize, shares, -4..2_i128, -1..2_i128)
            .prop_map(|(to, percent, fees, units)| Does::Moves { to, percent, fees, units }),
        1 => Just(Does::Spins),
        1 => Just(Does::RunsAgain),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(48)))]

    #[test]
    fn whoever_is_in_a_block_pays(
        blocks in proptest::collection::vec(
            proptest::collection::vec((1..4_usize, does(), 100_000..FUEL), 1..24),
            1..4,
        ),
        scheduler in prop_oneof![Just("color"), Just("graph"), Just("versions"), Just("block-stm")],
    ) {
        let scheduler = by_name(scheduler).expect("it is there");
        let mut world = World::of(genesis(4, 7), options(2, scheduler));
        let chaos = world.deploy(0, CHAOS, &());
        let prices = world.chain.genesis().prices;
        for block in blocks {
            let had = supply(&world);
            let action = |from: usize, does: Does, fuel: u64| match does {
                Does::Moves { to, percent, fees, units } => {
                    let balance = world.chain.balance(&world.accounts[from].address);
                    let share = balance.expect("readable") / 100 * percent;
                    let fees = fees * i128::try_from(prices.fee(fuel)).expect("it is small");
                    let to = world.accounts[to].address;
                    let amount = share.saturating_add_signed(fees).saturating_add_signed(units);
                    (Action::Transfer { to, amount }, Vec::new())
                }
                Does::Spins => (call(chaos, "spin", &()), Vec::new()),
                Does::RunsAgain => {
                    let key = StateKey::new(chaos, 0, &[7]);
                    let lie = DeclaredAccess { kind: kempe_abi::AccessKind::Read, key };
                    (call(chaos, "follow", &(2u8, 3u8)), vec![lie])
                }
            };
            let txs = block.into_iter().map(|(from, does, fuel)| {
                let (action, access) = action(from, does, fuel);
                (from, vec![action], fuel, access)
            });
            let txs = world.sign_with(txs.collect::<Vec<_>>());
            // Its first one may be refused already.
            let Ok(report) = world.chain.build(txs, 0) else { continue };
            for receipt in &report.record.receipts {
                prop_assert!(receipt.fee > 0, "{receipt:?}");
                prop_assert_eq!(receipt.fee, prices.fee(receipt.fuel));
            }
            prop_assert_eq!(supply(&world), had);
        }
    }
}
