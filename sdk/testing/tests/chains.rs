//! What is signed for a contract of one chain is nothing on another, though the same accounts did the same there.

#![allow(clippy::unwrap_used, reason = "a test may")]

use kempe_fare::{DAY_MS, Fare, FareError, TAP_TAG, Tap, Tariff};
use kempe_runtime::chain::{Chain, ChainOptions};
use kempe_runtime::types::Genesis;
use kempe_sdk::hash;
use kempe_sdk::testing::{Instance, TestChain};
use kempe_token::{PERMIT_TAG, Permit, Token, TokenError};

/// A chain with a number, on which always the same is done first.
struct World {
    chain: TestChain,
    token: Instance<Token>,
    fare: Instance<Fare>,
    _directory: tempfile::TempDir,
}

impl World {
    fn new(chain_id: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let genesis = Genesis::parse(&format!("chain_id = {chain_id}")).unwrap();
        drop(Chain::create(directory.path(), genesis, ChainOptions::default()).unwrap());
        let modules = [kempe_contracts::TOKEN, kempe_contracts::FARE];
        let mut chain = kempe_testing::fork(directory.path(), &modules).unwrap();
        let [ann, metro, gate] = ["ann", "metro", "gate"].map(|name| chain.account(name));
        let token = chain.deploy::<Token>(ann, (ann,));
        let fare = chain.deploy::<Fare>(metro, (token.address(), metro));
        chain.send(ann, &token, "mint", (ann, 1_000u128)).assert_ok();
        chain.send(ann, &token, "approve", (fare.address(), 1_000u128)).assert_ok();
        chain.send(ann, &fare, "pay_in", (1_000u128,)).assert_ok();
        let tariff = Tariff { base: 5, per_zone: 1, daily_cap: 50 };
        chain.send(metro, &fare, "set_tariff", (metro, tariff)).assert_ok();
        chain.send(metro, &fare, "set_gate", (gate, Some(3u16))).assert_ok();
        chain.set_time_ms(DAY_MS);
        Self { chain, token, fare, _directory: directory }
    }
}

#[test]
fn what_is_signed_for_one_chain_is_refused_on_another() {
    let (mut here, mut there) = (World::new(77), World::new(78));
    let [ann, ben, metro, gate] = ["ann", "ben", "metro", "gate"]
        .map(|name| (here.chain.account(name), there.chain.account(name)).0);
    assert_ne!(here.token.address(), there.token.address());

    let (token, amount, deadline_ms) = (here.token.address(), 40, u64::MAX);
    let permit =
        Permit { tag: PERMIT_TAG, token, owner: ann, spender: ben, amount, number: 0, deadline_ms };
    let signature = here.chain.sign(ann, hash(&permit).as_bytes());
    let permit = (ann, ben, amount, deadline_ms, signature);
    there.chain.send(ben, &there.token, "permit", permit).assert_revert(TokenError::BadPermit);
    here.chain.send(ben, &here.token, "permit", permit).assert_ok();

    let (fare, at_ms) = (here.fare.address(), DAY_MS);
    let tap = Tap { tag: TAP_TAG, fare, operator: metro, rider: ann, entering: true, at_ms };
    let tap = (metro, gate, at_ms, here.chain.sign(gate, hash(&tap).as_bytes()));
    there.chain.send(ann, &there.fare, "tap_in", tap).assert_revert(FareError::BadTap);
    here.chain.send(ann, &here.fare, "tap_in", tap).assert_ok();
}
