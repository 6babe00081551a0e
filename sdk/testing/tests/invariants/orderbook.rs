//! The order book: funds and orders are all there is, and priority is kept.

use std::collections::BTreeMap;

use kempe_abi::{Address, Decode};
use kempe_orderbook::{Canceled, Filled, Level, Orderbook, Placed, Price, Side};
use kempe_sdk::testing::{Campaign, Instance, Receipt, Rng, TestChain, Tx};
use kempe_token::Token;

use crate::common::{any_size, balance, endow, expect, one};
use crate::{PEOPLE, run};

const LOT: u128 = 7;
const TICK: u128 = 3;
const ORDER_MIN_LOTS: u64 = 4;
/// A narrow band across two digits, so that orders meet.
const TICKS: std::ops::Range<u16> = 1_014..1_034;

type Queue = Vec<(Address, u64, u64)>;

struct World {
    book: Instance<Orderbook>,
    tokens: [Instance<Token>; 2],
    people: Vec<Address>,
    /// Owner, number and lots of the orders at each price: sells under `true`.
    queues: BTreeMap<(bool, u16), Queue>,
    wrong: Vec<String>,
}

fn setup(chain: &mut TestChain) -> World {
    let people: Vec<Address> = PEOPLE.map(|name| chain.account(name)).into();
    let tokens = [0, 1].map(|_| chain.deploy::<Token>(people[0], (people[0],)));
    let args = (tokens[0].address(), tokens[1].address(), LOT, TICK, ORDER_MIN_LOTS);
    let book = chain.deploy::<Orderbook>(people[0], args);
    for token in &tokens {
        endow(chain, token, &people, 1 << 40, book.address());
    }
    World { book, tokens, people, queues: BTreeMap::new(), wrong: Vec::new() }
}

fn price(rng: &mut Rng) -> Price {
    Price::of(rng.u16(TICKS)).unwrap()
}

fn side(rng: &mut Rng) -> Side {
    if rng.bool() { Side::Buy } else { Side::Sell }
}

/// Checks a fill against the books: the best price first, and the oldest order at it.
fn fill(w: &mut World, event: &Filled) {
    let sells = event.side == Side::Buy;
    let mut levels = w.queues.iter().filter(|((s, _), queue)| *s == sells && !queue.is_empty());
    let best = if sells { levels.next() } else { levels.next_back() };
    let Some((key, (maker, id, lots))) = best.map(|(key, queue)| (*key, queue[0])) else {
        return w.wrong.push(format!("nothing to fill: {event:?}"));
    };
    let left = lots.checked_sub(event.lots);
    if (key.1, maker, id, left) != (event.ticks, event.maker, event.id, Some(event.left)) {
        w.wrong.push(format!("{event:?} before {key:?} {maker} {id} {lots}"));
    }
    let queue = w.queues.entry(key).or_default();
    if event.left == 0 {
        queue.remove(0);
    } else {
        queue[0].2 = event.left;
    }
}

fn observe(w: &mut World, tx: &Tx, receipt: &Receipt) {
    for event in receipt.events::<Filled>() {
        let args = <(Side, Price, u64, Option<u64>)>::deserialize_reader(&mut &tx.args[..]);
        let limit = args.unwrap().1.ticks().unwrap();
        let worse = if event.side == Side::Buy { event.ticks > limit } else { event.ticks < limit };
        if worse {
            w.wrong.push(format!("{event:?} beyond {limit}"));
        }
        fill(w, &event);
    }
    for Placed { owner, id, side, ticks, lots } in receipt.events::<Placed>() {
        if lots < ORDER_MIN_LOTS {
            w.wrong.push(format!("{lots} lots were placed"));
        }
        w.queues.entry((side == Side::Sell, ticks)).or_default().push((owner, id, lots));
    }
    for Canceled { owner, id, side, ticks, .. } in receipt.events::<Canceled>() {
        let queue = w.queues.entry((side == Side::Sell, ticks)).or_default();
        queue.retain(|order| (order.0, order.1) != (owner, id));
    }
}

/// What the orders of one side lock.
fn locked(w: &World, sells: bool) -> u128 {
    let side = w.queues.iter().filter(|((s, _), _)| *s == sells);
    side.flat_map(|((_, ticks), queue)| queue.iter().map(|order| (*ticks, order.2)))
        .map(|(ticks, lots)| u128::from(lots) * if sells { LOT } else { u128::from(ticks) * TICK })
        .sum()
}

fn some_order(w: &World, rng: &mut Rng) -> Option<(Address, Side, Price, u64)> {
    let orders: Vec<_> = w
        .queues
        .iter()
        .flat_map(|((sells, ticks), queue)| queue.iter().map(|o| (o.0, *sells, *ticks, o.1)))
        .collect();
    let (owner, sells, ticks, id) = *rng.choice(&orders)?;
    Some((owner, if sells { Side::Sell } else { Side::Buy }, Price::of(ticks)?, id))
}

fn campaign() -> Campaign<World> {
    let campaign = Campaign::new(setup)
        .call(8, "place", |w, rng, _| {
            let args = (side(rng), price(rng), rng.u64(0..60), rng.u64(0..50));
            w.book.tx(one(&w.people, rng), "place", args)
        })
        .call(4, "cancel", |w, rng, _| {
            let found = some_order(w, rng);
            let (owner, side, price, id) =
                found.unwrap_or((w.people[0], Side::Buy, price(rng), rng.u64(0..9)));
            let by = if rng.u8(0..9) == 0 { one(&w.people, rng) } else { owner };
            w.book.tx(by, "cancel", (side, price, id))
        });
    let campaign = [("deposit", 3), ("withdraw", 2)].into_iter().fold(
        campaign,
        |campaign, (method, weight)| {
            campaign.call(weight, method, move |w, rng, _| {
                let args = (any_size(rng, 16), any_size(rng, 24));
                w.book.tx(one(&w.people, rng), method, args)
            })
        },
    );
    campaign
        .call(7, "trade", |w, rng, _| {
            let rest = rng.bool().then(|| rng.u64(0..50));
            let args = (side(rng), price(rng), rng.u64(0..120), rest);
            w.book.tx(one(&w.people, rng), "trade", args)
        })
        .observe(observe)
        .invariant("better prices first, and older orders", |w, _| {
            expect(w.wrong.is_empty(), || w.wrong.join(", "))
        })
        .invariant("levels are what was placed and left", |w, chain| {
            w.queues.iter().try_for_each(|((sells, ticks), queue)| {
                let side = if *sells { Side::Sell } else { Side::Buy };
                let level: Level = chain.view(&w.book, "level", (side, Price::of(*ticks).unwrap()));
                let orders: Queue = level.orders.iter().map(|o| (o.owner, o.id, o.lots)).collect();
                expect(orders == *queue, || format!("{side:?} {ticks} {orders:?}"))
            })
        })
        .invariant("the book has all funds and what orders lock", |w, chain| {
            let (mut base, mut quote) = (locked(w, true), locked(w, false));
            for who in &w.people {
                let funds: (u128, u128) = chain.view(&w.book, "funds", (*who,));
                (base, quote) = (base + funds.0, quote + funds.1);
            }
            let has = w.tokens.map(|token| balance(chain, &token, w.book.address()));
            expect(has == [base, quote], || format!("{has:?} {base} {quote}"))
        })
}

#[test]
fn orderbook() {
    let wasm = [kempe_contracts::ORDERBOOK, kempe_contracts::TOKEN];
    let summary = run::<Orderbook, _>(&campaign(), &wasm);
    assert!(summary.widest_batch > 3 && summary.n_tail > 0, "{summary:?}");
}
