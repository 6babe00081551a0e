//! Pools and the router: no token is made or lost, a pool has what it counts, and no swap lowers the
//! product of its reserves.

use kempe_abi::Address;
use kempe_pool::{Pool, Reserves};
use kempe_router::{Hop, Router};
use kempe_sdk::testing::{Campaign, Instance, Rng, TestChain};
use kempe_token::Token;

use crate::{PEOPLE, run};

struct World {
    tokens: Vec<Instance<Token>>,
    /// Pool `n` is between token `n` and the next, the last one and the first.
    pools: Vec<Instance<Pool>>,
    router: Instance<Router>,
    people: Vec<Address>,
    supplies: Vec<u128>,
}

fn one(w: &World, rng: &mut Rng) -> Address {
    w.people[rng.usize(0..w.people.len())]
}

fn setup(chain: &mut TestChain) -> World {
    let people: Vec<Address> = PEOPLE.map(|name| chain.account(name)).into();
    let tokens: Vec<_> = (0..3).map(|_| chain.deploy::<Token>(people[0], (people[0],))).collect();
    let router = chain.deploy::<Router>(people[0], ());
    let pools: Vec<_> = (0..3)
        .map(|n| {
            let (a, b) = (tokens[n].address(), tokens[(n + 1) % 3].address());
            chain.deploy::<Pool>(people[0], (a, b, 30u16))
        })
        .collect();
    for token in &tokens {
        for who in &people {
            chain.send(people[0], token, "mint", (*who, 1_000_000u128)).assert_ok();
            for spender in pools.iter().map(Instance::address).chain([router.address()]) {
                chain.send(*who, token, "approve", (spender, u128::MAX)).assert_ok();
            }
        }
    }
    let supplies = vec![6_000_000; 3];
    World { tokens, pools, router, people, supplies }
}

fn counted(w: &World, chain: &mut TestChain) -> Result<(), String> {
    for (n, pool) in w.pools.iter().enumerate() {
        let counted: Reserves = chain.view(pool, "reserves", ());
        let [a, b] = [n, (n + 1) % 3]
            .map(|token| chain.view::<u128>(&w.tokens[token], "balance", (pool.address(),)));
        let shares: u128 =
            w.people.iter().map(|of| chain.view::<u128>(pool, "balance", (*of,))).sum();
        let locked = if counted.total_shares == 0 { 0 } else { 1_000 };
        if a < counted.a || b < counted.b || shares + locked != counted.total_shares {
            return Err(format!("a={a} b={b} shares={shares} counted={counted:?}"));
        }
        // Shares grow with the root of the product, and swaps only raise the product.
        if counted.a * counted.b < counted.total_shares * counted.total_shares {
            return Err(format!("a share lost value: {counted:?}"));
        }
    }
    Ok(())
}

fn campaign() -> Campaign<World> {
    Campaign::new(setup)
        .call(2, "add_liquidity", |w, rng, _| {
            let args = (rng.u128(0..50_000), rng.u128(0..50_000), 0u128, u64::MAX);
            w.pools[rng.usize(0..3)].tx(one(w, rng), "add_liquidity", args)
        })
        .call(1, "remove_liquidity", |w, rng, _| {
            let args = (rng.u128(0..20_000), 0u128, 0u128, u64::MAX);
            w.pools[rng.usize(0..3)].tx(one(w, rng), "remove_liquidity", args)
        })
        .call(4, "swap", |w, rng, _| {
            let method = if rng.bool() { "sell_a" } else { "sell_b" };
            let args = (rng.u128(0..20_000), 0u128, u64::MAX);
            w.pools[rng.usize(0..3)].tx(one(w, rng), method, args)
        })
        .call(4, "route", |w, rng, _| {
            let (who, from, n) = (one(w, rng), rng.usize(0..3), rng.usize(1..=3));
            let pool = |step: usize| w.pools[(from + step) % 3].address();
            let to = |step: usize| if step + 1 == n { who } else { pool(step + 1) };
            let hops: Vec<Hop> =
                (0..n).map(|step| Hop { pool: pool(step), a_in: true, to: to(step) }).collect();
            let token = w.tokens[from].address();
            let args = (token, rng.u128(0..20_000), pool(0), hops, 0u128, u64::MAX);
            w.router.tx(who, "swap", args)
        })
        .call(2, "transfer", |w, rng, _| {
            w.pools[rng.usize(0..3)].tx(one(w, rng), "transfer", (one(w, rng), rng.u128(0..5_000)))
        })
        .call(1, "approve", |w, rng, _| {
            w.pools[rng.usize(0..3)].tx(one(w, rng), "approve", (one(w, rng), rng.u128(0..50_000)))
        })
        .call(2, "transfer_from", |w, rng, _| {
            let args = (one(w, rng), one(w, rng), rng.u128(0..2_000));
            w.pools[rng.usize(0..3)].tx(one(w, rng), "transfer_from", args)
        })
        .call(1, "gift", |w, rng, _| {
            // What is sent to a pool is the next one's to sell, and never counted twice.
            let to = w.pools[rng.usize(0..3)].address();
            w.tokens[rng.usize(0..3)].tx(one(w, rng), "transfer", (to, rng.u128(0..100)))
        })
        .call(1, "sync", |w, rng, _| {
            // These tokens move what they are told to move: it never has anything to do.
            w.pools[rng.usize(0..3)].tx(one(w, rng), "sync", ())
        })
        .attack(1, "swap_received", |w, rng, _| {
            let who = one(w, rng);
            w.pools[rng.usize(0..3)].tx(who, "swap_received", (rng.bool(), 0u128, who))
        })
        .invariant("no token is made or lost, and nothing stays at the router", |w, chain| {
            for (token, supply) in w.tokens.iter().zip(&w.supplies) {
                let pools = w.pools.iter().map(Instance::address);
                let all = w.people.iter().copied().chain(pools);
                let sum: u128 = all.map(|of| chain.view::<u128>(token, "balance", (of,))).sum();
                if sum != *supply {
                    return Err(format!("sum={sum} supply={supply}"));
                }
            }
            Ok(())
        })
        .invariant("a pool has what it counts, and its shares add up", counted)
}

#[test]
fn pools_and_router() {
    let modules = [kempe_contracts::TOKEN, kempe_contracts::POOL, kempe_contracts::ROUTER];
    let summary = run::<Pool, _>(&campaign(), &modules);
    crate::demand_methods::<Router>(&summary);
    assert!(summary.widest_batch > 1, "{summary:?}");
}
