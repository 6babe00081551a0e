//! The shapes: what each transaction of a workload touches.
//!
//! Costs are rough nanoseconds of a contract in wasm; what matters is their relation. Sources: the
//! named benchmarks' papers and repositories, for the keys that each transaction touches.

use super::{Draw, Make, Parameter, Shape, calls, count, parameter};
use crate::world::{Stage, WorldError};

const MANY: f64 = 16_000_000.0;
const ZIPF: Parameter = parameter("zipf", 0.0, 0.0, 10.0);

/// Spaces of keys.
const A: u64 = 1;
const B: u64 = 2;
const C: u64 = 3;
const D: u64 = 4;
const E: u64 = 5;

/// Every shape.
pub const SHAPES: [Shape; 32] = [
    shape(
        "p2p",
        "transfers: two balances are read and written",
        &[count("accounts", 1000.0, 2.0, MANY), ZIPF],
        p2p,
    ),
    shape(
        "ycsb",
        "ten operations on records, four of five reads",
        &[
            count("records", 100_000.0, 1.0, MANY),
            count("ops", 10.0, 1.0, 100.0),
            parameter("reads", 80.0, 0.0, 100.0),
            ZIPF,
        ],
        ycsb,
    ),
    shape(
        "smallbank",
        "six banking transactions on checking and savings accounts",
        &[
            count("accounts", 100_000.0, 1001.0, MANY),
            count("hot", 100.0, 1.0, 1000.0),
            parameter("share", 90.0, 0.0, 100.0),
        ],
        smallbank,
    ),
    shape(
        "tpcc",
        "new orders and payments of warehouses and districts",
        &[count("warehouses", 10.0, 1.0, 10_000.0)],
        tpcc,
    ),
    shape(
        "gigagas",
        "raw transfers and ERC-20 transfers in shares, and swaps for the rest",
        &[
            count("accounts", 20_000.0, 2.0, MANY),
            parameter("raw", 60.0, 0.0, 100.0),
            parameter("erc20", 20.0, 0.0, 100.0),
            parameter("hot", 0.0, 0.0, 100.0),
        ],
        gigagas,
    ),
    shape(
        "banking",
        "Solana's banking bench: 0 no conflict, 1 the same accounts in a batch of 64, 2 all",
        &[count("contention", 0.0, 0.0, 2.0)],
        banking,
    ),
    shape(
        "resource",
        "Aptos: all change one resource, or with aggregator=1 add to it",
        &[count("aggregator", 0.0, 0.0, 1.0)],
        resource,
    ),
    shape("pools", "Aptos: swaps over pools", &[count("pools", 100.0, 1.0, MANY), ZIPF], pools),
    shape(
        "soroban",
        "Soroban: asset transfers, token transfers, swaps in equal shares",
        &[count("accounts", 10_000.0, 2.0, MANY), count("pools", 10.0, 1.0, MANY)],
        soroban,
    ),
    shape(
        "nft",
        "mints: the next number is read and written, or with add=1 only counted",
        &[count("add", 0.0, 0.0, 1.0)],
        nft,
    ),
    shape(
        "amm",
        "swaps: a pool and two balances, pools by Zipf",
        &[
            count("pools", 1000.0, 1.0, MANY),
            parameter("zipf", 1.0, 0.0, 10.0),
            count("accounts", 100_000.0, 2.0, MANY),
        ],
        amm,
    ),
    shape(
        "orderbook",
        "orders: placing at a price level, cancelling, taking the best",
        &[count("markets", 10.0, 1.0, MANY), count("levels", 100.0, 1.0, 10_000.0)],
        orderbook,
    ),
    shape(
        "oracle",
        "one price that most read and some set",
        &[parameter("writes", 1.0, 0.0, 100.0), count("feeds", 1.0, 1.0, MANY)],
        oracle,
    ),
    shape(
        "liquidation",
        "a price falls, then many positions are closed against one pool",
        &[count("positions", 10_000.0, 1.0, MANY), count("add", 0.0, 0.0, 1.0)],
        liquidation,
    ),
    shape(
        "nonces",
        "few senders, whose own transactions follow each other",
        &[count("senders", 10.0, 1.0, MANY)],
        nonces,
    ),
    shape(
        "big",
        "independent transactions, of which one is a share of the block",
        &[parameter("share", 10.0, 0.0, 99.0)],
        big,
    ),
    shape("chain", "each transaction touches what the one before it touched", &[], chain),
    shape(
        "cliques",
        "groups in which everybody conflicts",
        &[count("size", 100.0, 1.0, MANY)],
        cliques,
    ),
    shape(
        "bipartite",
        "exchanges between two sides",
        &[count("left", 100.0, 1.0, MANY), count("right", 100.0, 1.0, MANY), ZIPF],
        bipartite,
    ),
    shape(
        "hot",
        "a share of the transactions touches hot keys",
        &[count("keys", 1.0, 1.0, MANY), parameter("share", 30.0, 0.0, 100.0)],
        hot,
    ),
    shape("independent", "nobody conflicts", &[], independent),
    shape(
        "readers",
        "all read one key, some write it without reading it",
        &[parameter("writes", 5.0, 0.0, 100.0)],
        readers,
    ),
    shape(
        "counters",
        "additions to few counters, which some read",
        &[count("counters", 1.0, 1.0, MANY), parameter("reads", 5.0, 0.0, 100.0)],
        counters,
    ),
    shape(
        "fees",
        "transfers that also pay a fee to one account: written, or with add=1 added",
        &[count("accounts", 10_000.0, 2.0, MANY), count("add", 0.0, 0.0, 1.0)],
        fees,
    ),
    shape("airdrop", "one account pays everybody", &[], airdrop),
    of_calls(
        "token",
        "calls: transfers of the token, so many of a hundred to one account",
        &[count("accounts", 100_000.0, 2.0, MANY), ZIPF, parameter("hot", 0.0, 0.0, 100.0)],
        calls::token,
    ),
    of_calls("swaps", "calls: sales to pools", &[POOLS, ZIPF_OF_POOLS], calls::swaps),
    of_calls("mints", "calls: everybody makes a token of a collection", &[], calls::mints),
    of_calls(
        "loans",
        "calls: loans at prices that are reported meanwhile, every so many calls",
        &[MARKETS, count("every", 100.0, 1.0, 1_000_000.0)],
        calls::loans,
    ),
    of_calls("stakes", "calls: everybody stakes", &[], calls::stakes),
    of_calls(
        "orders",
        "calls: orders at prices around the middle of a book",
        &[count("prices", 100.0, 1.0, 500.0)],
        calls::orders,
    ),
    of_calls(
        "defi",
        "calls: 60 % transfers, 20 % swaps, 10 % loans, 5 % stakes, 5 % mints",
        &[POOLS, ZIPF_OF_POOLS, MARKETS],
        calls::defi,
    ),
];

const POOLS: Parameter = count("pools", 100.0, 1.0, 1000.0);
const ZIPF_OF_POOLS: Parameter = parameter("zipf", 1.0, 0.0, 10.0);
const MARKETS: Parameter = count("markets", 4.0, 1.0, 100.0);

const fn of_calls(
    name: &'static str,
    about: &'static str,
    parameters: &'static [Parameter],
    make: fn(&mut Draw<'_>, &mut Stage) -> Result<(), WorldError>,
) -> Shape {
    Shape { name, about, parameters, make: Make::Calls(make) }
}

const fn shape(
    name: &'static str,
    about: &'static str,
    parameters: &'static [Parameter],
    make: fn(&mut Draw<'_>),
) -> Shape {
    Shape { name, about, parameters, make: Make::Keys(make) }
}

fn p2p(draw: &mut Draw<'_>) {
    let (from, to) = draw.two(draw.count("accounts"), draw.value("zipf"));
    draw.sender(from);
    draw.write(A, from);
    draw.write(A, to);
}

fn ycsb(draw: &mut Draw<'_>) {
    for _ in 0..draw.count("ops") {
        let record = draw.zipf(draw.count("records"), draw.value("zipf"));
        if draw.percent(draw.value("reads")) { draw.read(A, record) } else { draw.write(A, record) }
    }
    draw.cost_ns(4000);
}

fn smallbank(draw: &mut Draw<'_>) {
    let (accounts, hot) = (draw.count("accounts"), draw.count("hot"));
    let mut account = || {
        let is_hot = draw.percent(draw.value("share"));
        if is_hot { draw.below(hot) } else { hot + draw.below(accounts - hot) }
    };
    let (one, other) = (account(), account());
    match draw.below(6) {
        // Balance, deposit, transact savings, amalgamate, write check, send payment.
        0 => [A, B].into_iter().for_each(|space| draw.read(space, one)),
        1 => draw.write(A, one),
        2 => draw.write(B, one),
        3 => {
            [A, B].into_iter().for_each(|space| draw.write(space, one));
            draw.write(A, other);
        }
        4 => {
            draw.read(B, one);
            draw.write(A, one);
        }
        _ => {
            draw.write(A, one);
            draw.write(A, other);
        }
    }
}

fn tpcc(draw: &mut Draw<'_>) {
    let warehouse = draw.below(draw.count("warehouses"));
    let district = warehouse * 10 + draw.below(10);
    let customer = district * 3000 + draw.below(3000);
    if draw.percent(51.0) {
        // New order: the district's next number, then about ten items' stock.
        draw.read(A, warehouse);
        draw.write(B, district);
        draw.read(C, customer);
        for _ in 0..5 + draw.below(11) {
            let item = draw.below(100_000);
            let home =
                if draw.percent(1.0) { draw.below(draw.count("warehouses")) } else { warehouse };
            draw.write(D, home * 100_000 + item);
        }
        draw.cost_ns(12_000);
    } else {
        // Payment: the year-to-date sums of the warehouse and the district.
        draw.write(A, warehouse);
        draw.write(B, district);
        draw.write(C, customer);
        draw.cost_ns(3000);
    }
}

fn gigagas(draw: &mut Draw<'_>) {
    let (from, mut to) = draw.two(draw.count("accounts"), 0.0);
    if draw.percent(draw.value("hot")) {
        to = 0;
    }
    draw.sender(from);
    draw.write(A, from);
    let (raw, erc20) = (draw.value("raw"), draw.value("erc20"));
    if draw.percent(raw) {
        draw.write(A, to);
        draw.cost_ns(800);
    } else if draw.percent(erc20 / (100.0 - raw) * 100.0) {
        draw.write(B, from);
        draw.write(B, to);
        draw.cost_ns(3000);
    } else {
        // A swap: the pool, and the balances of the sender and the pool in two tokens.
        let pool = draw.below(100);
        draw.write(C, pool);
        [B, D].into_iter().for_each(|token| draw.write(token, from));
        draw.cost_ns(15_000);
    }
}

fn banking(draw: &mut Draw<'_>) {
    let at = draw.at;
    let pair = match draw.count("contention") {
        0 => at,
        1 => at / 64,
        _ => 0,
    };
    draw.write(A, 2 * pair);
    draw.write(A, 2 * pair + 1);
}

fn resource(draw: &mut Draw<'_>) {
    let at = draw.at;
    draw.write(A, at);
    if draw.count("aggregator") == 1 { draw.add(B, 0) } else { draw.write(B, 0) }
}

fn pools(draw: &mut Draw<'_>) {
    let at = draw.at;
    let pool = draw.zipf(draw.count("pools"), draw.value("zipf"));
    draw.write(A, at);
    draw.write(B, pool);
    draw.cost_ns(8000);
}

fn soroban(draw: &mut Draw<'_>) {
    let (from, to) = draw.two(draw.count("accounts"), 0.0);
    draw.sender(from);
    match draw.below(3) {
        0 => [from, to].into_iter().for_each(|account| draw.write(A, account)),
        1 => {
            draw.read(C, 0);
            [from, to].into_iter().for_each(|account| draw.write(B, account));
            draw.cost_ns(3000);
        }
        _ => {
            let pool = draw.below(draw.count("pools"));
            draw.write(D, pool);
            [A, B].into_iter().for_each(|asset| draw.write(asset, from));
            draw.cost_ns(10_000);
        }
    }
}

fn nft(draw: &mut Draw<'_>) {
    let at = draw.at;
    if draw.count("add") == 1 {
        draw.add(A, 0)
    } else {
        draw.write(A, 0)
    }
    draw.blind(B, at);
    draw.write(C, at);
    draw.cost_ns(2500);
}

fn amm(draw: &mut Draw<'_>) {
    let pool = draw.zipf(draw.count("pools"), draw.value("zipf"));
    let trader = draw.below(draw.count("accounts"));
    draw.sender(trader);
    draw.write(A, pool);
    [B, C].into_iter().for_each(|token| draw.write(token, trader));
    draw.cost_ns(10_000);
}

fn orderbook(draw: &mut Draw<'_>) {
    let at = draw.at;
    let market = draw.below(draw.count("markets"));
    let level = market * 10_000 + draw.below(draw.count("levels"));
    draw.write(A, at);
    if draw.percent(60.0) {
        draw.write(B, level);
        draw.blind(C, at);
        draw.cost_ns(3000);
    } else if draw.percent(75.0) {
        draw.write(B, level);
        draw.write(C, at);
        draw.cost_ns(2000);
    } else {
        // Taking meets the best prices and moves the market's last price.
        draw.write(D, market);
        (0..3).for_each(|best| draw.write(B, market * 10_000 + best));
        draw.cost_ns(9000);
    }
}

fn oracle(draw: &mut Draw<'_>) {
    let at = draw.at;
    let feed = draw.below(draw.count("feeds"));
    if draw.percent(draw.value("writes")) {
        draw.blind(A, feed);
    } else {
        draw.read(A, feed);
        draw.write(B, at);
        draw.cost_ns(4000);
    }
}

fn liquidation(draw: &mut Draw<'_>) {
    let position = draw.below(draw.count("positions"));
    if draw.at == 0 {
        draw.blind(A, 0);
        return;
    }
    let liquidator = draw.below(50);
    draw.sender(liquidator);
    draw.read(A, 0);
    draw.write(B, position);
    draw.write(C, liquidator);
    if draw.count("add") == 1 {
        draw.add(D, 0)
    } else {
        draw.write(D, 0)
    }
    draw.cost_ns(20_000);
}

fn nonces(draw: &mut Draw<'_>) {
    let at = draw.at;
    let sender = draw.below(draw.count("senders"));
    draw.sender(sender);
    draw.write(A, sender);
    draw.write(B, at);
}

fn big(draw: &mut Draw<'_>) {
    let at = draw.at;
    draw.write(A, at);
    if at == 0 {
        let others = draw.pattern.common[0] - 1.0;
        let share = draw.value("share") / 100.0;
        draw.cost_ns(super::whole(1000.0 * others * share / (1.0 - share)).max(1));
    }
}

fn chain(draw: &mut Draw<'_>) {
    let at = draw.at;
    draw.write(A, at);
    draw.write(A, at + 1);
}

fn cliques(draw: &mut Draw<'_>) {
    let group = draw.at / draw.count("size");
    let at = draw.at;
    draw.write(A, group);
    draw.write(B, at);
}

fn bipartite(draw: &mut Draw<'_>) {
    let zipf = draw.value("zipf");
    let left = draw.zipf(draw.count("left"), zipf);
    let right = draw.zipf(draw.count("right"), zipf);
    draw.write(A, left);
    draw.write(B, right);
    draw.cost_ns(3000);
}

fn hot(draw: &mut Draw<'_>) {
    let at = draw.at;
    draw.write(B, at);
    if draw.percent(draw.value("share")) {
        let key = draw.below(draw.count("keys"));
        draw.write(A, key);
    }
}

fn independent(draw: &mut Draw<'_>) {
    let at = draw.at;
    draw.write(A, 2 * at);
    draw.write(A, 2 * at + 1);
}

fn readers(draw: &mut Draw<'_>) {
    let at = draw.at;
    if draw.percent(draw.value("writes")) {
        draw.blind(A, 0)
    } else {
        draw.read(A, 0)
    }
    draw.write(B, at);
}

fn counters(draw: &mut Draw<'_>) {
    let at = draw.at;
    let counter = draw.below(draw.count("counters"));
    if draw.percent(draw.value("reads")) {
        draw.read(A, counter)
    } else {
        draw.add(A, counter)
    }
    draw.write(B, at);
}

fn fees(draw: &mut Draw<'_>) {
    p2p_of(draw);
    if draw.count("add") == 1 { draw.add(E, 0) } else { draw.write(E, 0) }
}

fn p2p_of(draw: &mut Draw<'_>) {
    let (from, to) = draw.two(draw.count("accounts"), 0.0);
    draw.sender(from);
    draw.write(A, from);
    draw.write(A, to);
}

fn airdrop(draw: &mut Draw<'_>) {
    let at = draw.at;
    draw.sender(0);
    draw.write(A, 0);
    draw.write(A, 1 + at);
}
