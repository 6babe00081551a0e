//! Futures: the market has the vault and all margins, positions add up to the sums, and requests are decided about at the next price.

use std::cell::Cell;
use std::collections::BTreeMap;

use kempe_abi::Address;
use kempe_futures::{
    Funded, Futures, ORDER_MS_MIN, Order, OrderCanceled, OrderPlaced, OrderRefused, Position,
    PositionClosed, PositionOpened, Side, Sums, Terms, VaultMoved,
};
use kempe_oracle::{Oracle, Published};
use kempe_sdk::interfaces::Price;
use kempe_sdk::testing::{Campaign, Instance, Receipt, Rng, TestChain};
use kempe_token::Token;

use crate::common::{any_size, balance, endow, expect, one};
use crate::lending::publish;
use crate::{PEOPLE, run};

const ONE: u128 = 1_000_000_000_000_000_000;
const ASSET: Address = Address([5; 32]);
const DAY_MS: u64 = 24 * 3_600_000;
const REWARD: u128 = 3;

struct World {
    market: Instance<Futures>,
    oracle: Instance<Oracle>,
    token: Instance<Token>,
    people: Vec<Address>,
    /// What was published, the oldest first.
    prices: Vec<Published>,
    orders: BTreeMap<Address, Order>,
    wrong: Vec<String>,
    /// How much room each side had after the last block, shorts first, and by how much it has grown since.
    rooms: Cell<Option<[u128; 2]>>,
    grown: Cell<[u128; 2]>,
    /// Whether rooms were measured anew since.
    is_measured: Cell<bool>,
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
        reward: REWARD,
        value_min: 10,
        wait_ms_max: 3 * ORDER_MS_MIN,
        price_ms_max: DAY_MS,
    };
    let args = (token.address(), oracle.address(), ASSET, terms);
    let market = chain.deploy::<Futures>(people[0], args);
    endow(chain, &token, &people, 1 << 60, market.address());
    let price = publish(chain, &oracle, people[0], ASSET, 2 * ONE);
    chain.block([price]).assert_ok();
    chain.send(people[0], &market, "provide", (1u128 << 40, 0u128)).assert_ok();
    chain.send(people[0], &market, "poke", ()).assert_ok();
    World {
        market,
        oracle,
        token,
        people,
        prices: Vec::new(),
        orders: BTreeMap::new(),
        wrong: Vec::new(),
        rooms: Cell::default(),
        grown: Cell::default(),
        is_measured: Cell::default(),
    }
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

/// A trader with a position, if there is one, and on which side it is.
fn some_position(w: &World, rng: &mut Rng, chain: &mut TestChain) -> (Address, bool) {
    let positions = w.people.iter().copied().zip(positions(w, chain));
    let open: Vec<_> =
        positions.filter(|(_, p)| p.size > 0).map(|(who, p)| (who, p.long)).collect();
    rng.choice(&open).copied().unwrap_or((w.people[0], true))
}

/// A trader with a position and without a request, mostly, and on which side it is.
fn free_position(w: &World, rng: &mut Rng, chain: &mut TestChain) -> (Address, bool) {
    let positions = w.people.iter().copied().zip(positions(w, chain));
    let free: Vec<_> = positions
        .filter(|(who, p)| p.size > 0 && !w.orders.contains_key(who))
        .map(|(who, p)| (who, p.long))
        .collect();
    let any = rng.u8(0..8) == 0 || free.is_empty();
    if any { some_position(w, rng, chain) } else { one(&free, rng) }
}

/// The trader with the least behind a position, if that is next to nothing at the last price, and on which side it is.
fn weakest(w: &World, chain: &mut TestChain) -> Option<(Address, bool)> {
    let price = chain.view::<Option<Price>>(&w.oracle, "price", (ASSET,))?.value;
    let open = w.people.iter().copied().zip(positions(w, chain)).filter(|(_, p)| p.size > 0);
    let behind = |p: &Position| {
        let value = kempe_math::times_down(p.size, price).unwrap();
        let [value, cost, margin, size] = [value, p.cost, p.margin, p.size].map(u128::cast_signed);
        let gain = if p.long { value - cost } else { cost - value };
        (margin + gain) * 1_000 / size
    };
    let (who, position) = open.min_by_key(|(_, p)| behind(p))?;
    // The maintenance margin is a twentieth of what a position is worth.
    let limit = (price / (20 * ONE / 1_000)).cast_signed();
    (behind(&position) < limit).then_some((who, position.long))
}

/// A trader with such an order at a time, if there is one.
fn some_order(
    w: &World,
    rng: &mut Rng,
    chain: &mut TestChain,
    is_wanted: impl Fn(&Order, u64) -> bool,
) -> Address {
    let now_ms = chain.time_ms();
    let mut wanted = w.people.clone();
    wanted.retain(|who| {
        let order: Option<Order> = chain.view(&w.market, "order", (*who,));
        order.is_some_and(|order| is_wanted(&order, now_ms))
    });
    if wanted.is_empty() { one(&w.people, rng) } else { one(&wanted, rng) }
}

fn campaign() -> Campaign<World> {
    let campaign = Campaign::new(setup)
        .blocks(16, 2 * ORDER_MS_MIN)
        .call(8, "request", |w, rng, chain| {
            let who = one(&w.people, rng);
            let position: Position = chain.view(&w.market, "position", (who,));
            let same = position.size > 0 && rng.u8(0..9) > 0;
            let long = if same { position.long } else { rng.bool() };
            let grow = position.size == 0 || rng.bool();
            let size = if !grow && rng.bool() { u128::MAX } else { any_size(rng, 36) };
            let margin = if grow { size * rng.u128(0..100) / 100 } else { 0 };
            let limit = if long == grow { u128::MAX } else { 0 };
            let expires_ms = chain.time_ms() + rng.u64(ORDER_MS_MIN..4 * ORDER_MS_MIN);
            w.market.tx(who, "request", (long, grow, size, margin, limit, expires_ms))
        })
        .call(6, "settle_growing", |w, rng, chain| {
            let trader = some_order(w, rng, chain, |order, _| order.grow);
            let order: Option<Order> = chain.view(&w.market, "order", (trader,));
            let (long, size) = order.map_or((true, 1), |order| (order.long, order.size));
            w.market.tx(one(&w.people, rng), "settle_growing", (trader, long, size))
        })
        .call(3, "settle_shrinking", |w, rng, chain| {
            let trader = some_order(w, rng, chain, |order, _| !order.grow);
            let order: Option<Order> = chain.view(&w.market, "order", (trader,));
            let long = order.map_or(rng.bool(), |order| order.long);
            w.market.tx(one(&w.people, rng), "settle_shrinking", (trader, long))
        })
        .call(3, "cancel", |w, rng, chain| {
            let trader = some_order(w, rng, chain, |order, now_ms| order.expires_ms <= now_ms);
            w.market.tx(trader, "cancel", ())
        })
        .call(2, "collect", |w, rng, _| w.market.tx(one(&w.people, rng), "collect", ()))
        .call(2, "liquidate", |w, rng, chain| {
            // Most positions are healthy: the price moves on until one is not.
            let found = if rng.u8(0..8) > 0 {
                weakest(w, chain)
            } else {
                Some(some_position(w, rng, chain))
            };
            match found {
                Some((trader, long)) => {
                    w.market.tx(one(&w.people, rng), "liquidate", (trader, long))
                }
                None => publish(chain, &w.oracle, w.people[0], ASSET, rng.u128(ONE..4 * ONE)),
            }
        })
        .call(2, "remove_margin", |w, rng, chain| {
            let (who, long) = free_position(w, rng, chain);
            w.market.tx(who, "remove_margin", (long, any_size(rng, 30)))
        })
        .call(2, "add_margin", |w, rng, chain| {
            let (who, _) = free_position(w, rng, chain);
            w.market.tx(who, "add_margin", (any_size(rng, 38),))
        })
        .call(1, "refill", |w, rng, _| {
            w.market.tx(one(&w.people, rng), "refill", (any_size(rng, 38),))
        })
        .call(2, "poke", |w, rng, _| w.market.tx(one(&w.people, rng), "poke", ()))
        .call(6, "publish", |w, rng, chain| {
            publish(chain, &w.oracle, w.people[0], ASSET, rng.u128(ONE..4 * ONE))
        });
    let campaign = [("provide", 1), ("take_out", 2)].into_iter().fold(
        campaign,
        |campaign, (method, weight)| {
            campaign.call(weight, method, move |w, rng, _| {
                w.market.tx(one(&w.people, rng), method, (any_size(rng, 38), 0u128))
            })
        },
    );
    with_invariants(campaign)
}

/// Whoever is settled is at the first price behind the request, or refused at that one.
fn observe(w: &mut World, receipt: &Receipt) {
    w.prices.extend(receipt.events::<Published>());
    for event in receipt.events::<OrderPlaced>() {
        w.orders.insert(event.by, event.order);
    }
    for event in receipt.events::<OrderCanceled>() {
        w.orders.remove(&event.by);
    }
    let opened = receipt.events::<PositionOpened>().into_iter().map(|e| (e.by, e.price));
    let closed = receipt.events::<PositionClosed>().into_iter().map(|e| (e.by, e.price));
    let refused = receipt.events::<OrderRefused>().into_iter().map(|e| (e.by, e.price));
    for (by, price) in opened.chain(closed).chain(refused) {
        let order = w.orders.remove(&by).expect("it was placed");
        let next = w.prices.iter().find(|published| published.time_ms > order.time_ms);
        if next.map(|published| published.value) != Some(price) {
            w.wrong.push(format!("{by} at {price}, and not {next:?}"));
        }
    }
}

/// Notes by how much sides grow, and whether what there is room for was measured anew.
fn observe_rooms(w: &World, receipt: &Receipt) {
    for PositionOpened { long, size, .. } in receipt.events() {
        let mut grown = w.grown.get();
        grown[usize::from(long)] += size;
        w.grown.set(grown);
    }
    let n_measured = receipt.events::<Funded>().len() + receipt.events::<VaultMoved>().len();
    w.is_measured.set(w.is_measured.get() || n_measured > 0);
}

fn with_invariants(campaign: Campaign<World>) -> Campaign<World> {
    campaign
        .observe(|w, _, receipt| {
            observe(w, receipt);
            observe_rooms(w, receipt);
            for PositionClosed { by, paid, bad_debt, .. } in receipt.events() {
                if paid > 0 && bad_debt > 0 {
                    w.wrong.push(format!("{by} got {paid} and left {bad_debt}"));
                }
            }
            for kempe_futures::Liquidated { trader, left, bad_debt, .. } in receipt.events() {
                if left > 0 && bad_debt > 0 {
                    w.wrong.push(format!("{trader} got {left} and left {bad_debt}"));
                }
            }
        })
        .invariant(
            "a side takes room for all that it grows, and no more than there was",
            |w, chain| {
                let room = |long| chain.view::<u128>(&w.market, "room_left", (long,));
                let now = [false, true].map(room);
                let (before, grown) = (w.rooms.replace(Some(now)), w.grown.take());
                let Some(before) = before.filter(|_| !w.is_measured.take()) else { return Ok(()) };
                let left = |side: usize| before[side].checked_sub(grown[side]);
                let is_taken = (0..2).all(|side| left(side) == Some(now[side]));
                expect(is_taken, || format!("{before:?} {grown:?} {now:?}"))
            },
        )
        .invariant("requests are settled at the next price", |w, _| {
            expect(w.wrong.is_empty(), || w.wrong.join(", "))
        })
        .invariant("positions add up to the sums", |w, chain| {
            let (positions, sums) =
                (positions(w, chain), chain.view::<Sums>(&w.market, "totals", ()));
            let sides = [true, false].map(|long| side(&positions, long));
            expect(sides == [sums.longs, sums.shorts], || format!("{sides:?} {sums:?}"))
        })
        .invariant("the market has the vault, all margins, and what it owes", |w, chain| {
            let margins: u128 = positions(w, chain).iter().map(|p| p.margin).sum();
            let waiting = w.people.iter().map(|who| {
                let order: Option<Order> = chain.view(&w.market, "order", (*who,));
                let owed: u128 = chain.view(&w.market, "owed", (*who,));
                owed + order.map_or(0, |order| order.margin + REWARD)
            });
            let waiting: u128 = waiting.sum();
            let sums: Sums = chain.view(&w.market, "totals", ());
            let has = balance(chain, &w.token, w.market.address());
            let all = sums.vault + margins + waiting;
            expect(has == all, || format!("{has} {margins} {waiting} {sums:?}"))
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
