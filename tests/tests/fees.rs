//! What transactions pay where gas has a price, and that nobody runs for free.

use kempe_abi::{Address, Outcome, TrapKind};
use kempe_runtime::chain::ChainError;
use kempe_runtime::scheduler::Color;
use kempe_runtime::types::{Action, DeclaredAccess, StateKey, TransactionError};
use kempe_tests::{Account, CHAOS, FUEL, World, call, genesis, options};

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
