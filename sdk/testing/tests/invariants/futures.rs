//! Futures: the market has the vault and all margins, and positions add up to the sums.

use kempe_abi::Address;
use kempe_futures::{Futures, Position, Side, Sums, Terms};
use kempe_oracle::Oracle;
use kempe_sdk::testing::{Campaign, Instance, TestChain};
use kempe_token::Token;

use crate::common::{any_size, balance, endow, expect, one};
use crate::lending::publish;
use crate::{PEOPLE, run};

const ONE: u128 = 1_000_000_000_000_000_000;
const ASSET: Address = Address([5; 32]);
const DAY_MS: u64 = 24 * 3_600_000;

struct World {
    market: Instance<Futures>,
    oracle: Instance<Oracle>,
    token: Instance<Token>,
    people: Vec<Address>,
}

fn setup(chain: &mut TestChain) -> World {
    let people: Vec<Address> = PEOPLE.map(|name| chain.account(name)).into();
    let token = chain.deploy::<Token>(people[0], (people[0],));
    let oracle = chain.deploy::<Oracle>(people[0], (people[0], vec![people[0]], 1u8, 1u64));
    let terms = Terms {
        initial_bp: 1_000,
        maintenance_bp: 500,
        liquidation_bp: 100,
        fee_bp: 10,
        open_bp: 8_000,
        funding_rate: 5 * ONE,
        price_ms_max: 30 * DAY_MS,
    };
    let args = (token.address(), oracle.address(), ASSET, terms);
    let market = chain.deploy::<Futures>(people[0], args);
    endow(chain, &token, &people, 1 << 60, market.address());
    let price = publish(chain, &oracle, people[0], ASSET, 2 * ONE);
    chain.block([price]).assert_ok();
    chain.send(people[0], &market, "provide", (1u128 << 40,)).assert_ok();
    chain.send(people[0], &market, "poke", ()).assert_ok();
    World { market, oracle, token, people }
}

fn positions(w: &World, chain: &mut TestChain) -> Vec<Position> {
    w.people.iter().map(|who| chain.view(&w.market, "position", (*who,))).collect()
}

/// What one side's positions add up to.
fn side(positions: &[Position], long: bool) -> Side {
    positions.iter().filter(|p| p.size > 0 && p.long == long).fold(Side::default(), |sum, p| Side {
        size: sum.size + p.size,
        cost: sum.cost + p.cost,
        funded: sum.funded + kempe_math::times_down(p.size, p.index).unwrap(),
    })
}

fn campaign() -> Campaign<World> {
    let campaign = Campaign::new(setup)
        .blocks(16, DAY_MS / 2)
        .call(8, "open", |w, rng, chain| {
            let who = one(&w.people, rng);
            let position: Position = chain.view(&w.market, "position", (who,));
            let same = position.size > 0 && rng.u8(0..9) > 0;
            let long = if same { position.long } else { rng.bool() };
            let size = any_size(rng, 36);
            let args =
                (long, size, size * rng.u128(0..100) / 100, if long { u128::MAX } else { 0 });
            w.market.tx(who, "open", args)
        })
        .call(5, "close", |w, rng, chain| {
            let who = one(&w.people, rng);
            let position: Position = chain.view(&w.market, "position", (who,));
            let size = if rng.bool() { u128::MAX } else { any_size(rng, 36) };
            let limit = if position.long { 0 } else { u128::MAX };
            w.market.tx(who, "close", (position.long, size, limit))
        })
        .call(5, "liquidate", |w, rng, chain| {
            let trader = one(&w.people, rng);
            let position: Position = chain.view(&w.market, "position", (trader,));
            w.market.tx(one(&w.people, rng), "liquidate", (trader, position.long))
        })
        .call(2, "remove_margin", |w, rng, chain| {
            let who = one(&w.people, rng);
            let position: Position = chain.view(&w.market, "position", (who,));
            w.market.tx(who, "remove_margin", (position.long, any_size(rng, 36)))
        })
        .call(2, "poke", |w, rng, _| w.market.tx(one(&w.people, rng), "poke", ()))
        .call(2, "publish", |w, rng, chain| {
            publish(chain, &w.oracle, w.people[0], ASSET, rng.u128(ONE..4 * ONE))
        });
    [("add_margin", 2), ("provide", 2), ("take_out", 2), ("refill", 1)]
        .into_iter()
        .fold(campaign, |campaign, (method, weight)| {
            campaign.call(weight, method, move |w, rng, _| {
                w.market.tx(one(&w.people, rng), method, (any_size(rng, 38),))
            })
        })
        .invariant("positions add up to the sums", |w, chain| {
            let (positions, sums) =
                (positions(w, chain), chain.view::<Sums>(&w.market, "totals", ()));
            let sides = [true, false].map(|long| side(&positions, long));
            expect(sides == [sums.longs, sums.shorts], || format!("{sides:?} {sums:?}"))
        })
        .invariant("the market has the vault and all margins", |w, chain| {
            let margins: u128 = positions(w, chain).iter().map(|p| p.margin).sum();
            let sums: Sums = chain.view(&w.market, "totals", ());
            let has = balance(chain, &w.token, w.market.address());
            expect(has == sums.vault + margins, || format!("{has} {margins} {sums:?}"))
        })
        .invariant("shares add up to their total", |w, chain| {
            let shares: u128 =
                w.people.iter().map(|who| chain.view::<u128>(&w.market, "shares", (*who,))).sum();
            let total = chain.view::<Sums>(&w.market, "totals", ()).shares;
            expect(shares + kempe_futures::LOCKED_SHARES == total, || format!("{shares} {total}"))
        })
}

#[test]
fn futures() {
    let wasm = [kempe_contracts::FUTURES, kempe_contracts::ORACLE, kempe_contracts::TOKEN];
    let summary = run::<Futures, _>(&campaign(), &wasm);
    assert!(summary.widest_batch > 2, "{summary:?}");
}
