//! Staking: all that went in is there or went out, and a reward is shared to the last rounding.

use kempe_abi::{Address, Decode};
use kempe_sdk::testing::{Campaign, Instance, Receipt, TestChain, Tx};
use kempe_staking::{Claimed, Distributed, Round, Stake, Staking, Withdrawn};
use kempe_token::Token;

use crate::common::{any_size, balance, endow, expect, one};
use crate::{PEOPLE, run};

struct World {
    staking: Instance<Staking>,
    token: Instance<Token>,
    reward: Instance<Token>,
    people: Vec<Address>,
    /// Staked less withdrawn.
    inside: u128,
    given: u128,
    claimed: u128,
    n_rounds: u128,
}

fn setup(chain: &mut TestChain) -> World {
    let people: Vec<Address> = PEOPLE.map(|name| chain.account(name)).into();
    let [token, reward] = [0, 1].map(|_| chain.deploy::<Token>(people[0], (people[0],)));
    let args = (token.address(), reward.address(), people[0], 5u64);
    let staking = chain.deploy::<Staking>(people[0], args);
    endow(chain, &token, &people, 1 << 90, staking.address());
    endow(chain, &reward, &people[..1], 1 << 80, staking.address());
    World { staking, token, reward, people, inside: 0, given: 0, claimed: 0, n_rounds: 0 }
}

fn observe(w: &mut World, tx: &Tx, receipt: &Receipt) {
    if receipt.is_ok() && tx.method == "stake" {
        w.inside += <(u128, u64)>::deserialize_reader(&mut &tx.args[..]).unwrap().0;
    }
    w.inside -= receipt.events::<Withdrawn>().iter().map(|event| event.amount).sum::<u128>();
    w.claimed += receipt.events::<Claimed>().iter().map(|event| event.amount).sum::<u128>();
    for event in receipt.events::<Distributed>() {
        (w.given, w.n_rounds) = (w.given + event.amount, w.n_rounds + 1);
    }
}

/// Everybody's stake.
fn stakes(w: &World, chain: &mut TestChain) -> Vec<Stake> {
    w.people.iter().map(|who| chain.view(&w.staking, "stake_of", (*who,))).collect()
}

fn campaign() -> Campaign<World> {
    let campaign = Campaign::new(setup)
        .call(1, "distribute", |w, rng, chain| {
            let round: Round = chain.view(&w.staking, "current", ());
            let by = if rng.u8(0..9) == 0 { w.people[1] } else { w.people[0] };
            w.staking.tx(by, "distribute", (any_size(rng, 40), round.number))
        })
        .call(3, "withdraw", |w, rng, _| w.staking.tx(one(&w.people, rng), "withdraw", ()))
        .call(3, "claim", |w, rng, chain| {
            let who = one(&w.people, rng);
            let stake: Stake = chain.view(&w.staking, "stake_of", (who,));
            w.staking.tx(who, "claim", (stake.round,))
        });
    [("stake", 5), ("unstake", 4)]
        .into_iter()
        .fold(campaign, |campaign, (method, weight)| {
            campaign.call(weight, method, move |w, rng, chain| {
                let who = one(&w.people, rng);
                let stake: Stake = chain.view(&w.staking, "stake_of", (who,));
                let round = if rng.u8(0..30) == 0 { rng.u64(0..9) } else { stake.round };
                w.staking.tx(who, method, (any_size(rng, 90), round))
            })
        })
        .observe(observe)
        .invariant("what was staked is at stake or on its way out", |w, chain| {
            let stakes = stakes(w, chain);
            let staked: u128 = stakes.iter().map(|stake| stake.amount).sum();
            let exits: u128 = stakes.iter().flat_map(|s| &s.exits).map(|exit| exit.amount).sum();
            let total: u128 = chain.view(&w.staking, "total_staked", ());
            let has = balance(chain, &w.token, w.staking.address());
            expect(staked == total && staked + exits == w.inside && has == w.inside, || {
                format!("staked={staked} total={total} exits={exits} has={has}")
            })
        })
        .invariant("rewards are shared to the last rounding", |w, chain| {
            let stakes = stakes(w, chain);
            let each = w.people.iter().zip(stakes);
            let claimable: u128 = each
                .map(|(who, s)| chain.view::<u128>(&w.staking, "claimable", (*who, s.round)))
                .sum();
            let has = balance(chain, &w.reward, w.staking.address());
            let shared = w.claimed + claimable;
            // An account loses less than one unit for each rounding: two when it settles, not more often than once
            // a round. What a rate leaves is the next round's.
            let left = chain.view::<Round>(&w.staking, "current", ()).left;
            let rounding = left + 2 * (w.n_rounds + 1) * w.people.len() as u128;
            expect(has + w.claimed == w.given && shared <= w.given, || {
                format!("has={has} claimed={} given={}", w.claimed, w.given)
            })?;
            expect(w.given - shared <= rounding, || format!("shared={shared} given={}", w.given))
        })
}

#[test]
fn staking() {
    let wasm = [kempe_contracts::STAKING, kempe_contracts::TOKEN];
    let summary = run::<Staking, _>(&campaign(), &wasm);
    assert!(summary.widest_batch > 2, "{summary:?}");
}
