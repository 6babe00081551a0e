extern crate std;

use kempe_sdk::abi::TrapKind;
use kempe_sdk::testing::TestChain;

use super::Tally;

#[test]
fn raising_never_waits() {
    let mut chain = TestChain::native();
    let (alice, bob) = (chain.account("alice"), chain.account("bob"));
    let tally = chain.deploy::<Tally>(alice, ());
    let report = chain.block([
        tally.tx(alice, "raise", (1u64,)),
        tally.tx(bob, "raise", (2u64,)),
        tally.tx(alice, "raise", (3u64,)),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1, 2]]);
    assert_eq!(chain.view::<u64>(&tally, "total", ()), 6);
    assert_eq!(chain.view::<u64>(&tally, "contribution", (alice,)), 4);
}

#[test]
fn seeing_the_total_waits() {
    let mut chain = TestChain::native();
    let (alice, bob) = (chain.account("alice"), chain.account("bob"));
    let tally = chain.deploy::<Tally>(alice, ());
    let report = chain
        .block([tally.tx(alice, "raise_slowly", (1u64,)), tally.tx(bob, "raise_slowly", (2u64,))]);
    report.assert_ok().assert_batches(&[&[0], &[1]]);
    assert_eq!(report.receipts[1].value::<u64>(), 3);
}

#[test]
fn nobody_takes_back_more_than_they_gave() {
    let mut chain = TestChain::native();
    let (alice, bob) = (chain.account("alice"), chain.account("bob"));
    let tally = chain.deploy::<Tally>(alice, ());
    chain.send(alice, &tally, "raise", (5u64,)).assert_ok();
    chain.send(bob, &tally, "lower", (1u64,)).assert_trap(TrapKind::CounterOutOfBounds);
    chain.send(alice, &tally, "lower", (5u64,)).assert_ok();
    assert_eq!(chain.view::<u64>(&tally, "total", ()), 0);
}

#[test]
fn the_total_does_not_overflow() {
    let mut chain = TestChain::native();
    let alice = chain.account("alice");
    let tally = chain.deploy::<Tally>(alice, ());
    chain.send(alice, &tally, "raise", (u64::MAX,)).assert_ok();
    chain.send(alice, &tally, "raise", (1u64,)).assert_trap(TrapKind::CounterOutOfBounds);
    assert_eq!(chain.view::<u64>(&tally, "total", ()), u64::MAX);
}
