//! The router's rules, run natively.

extern crate std;

use std::vec::Vec;

use kempe_pool::Pool;
use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, TestChain};
use kempe_token::{Token, TokenError};

use crate::{HOPS_MAX, Hop, Routed, Router, RouterError};

const FOREVER: u64 = u64::MAX;

struct Setup {
    chain: TestChain,
    router: Instance<Router>,
    tokens: Vec<Instance<Token>>,
    /// Pool `n` is between token `n` and token `n + 1`.
    pools: Vec<Instance<Pool>>,
    bob: Address,
}

/// Four tokens, and three pools that join them in a row.
fn setup() -> Setup {
    let mut chain = TestChain::native();
    let [alice, bob] = ["alice", "bob"].map(|name| chain.account(name));
    let tokens: Vec<_> = (0..4).map(|_| chain.deploy::<Token>(alice, (alice,))).collect();
    let router = chain.deploy::<Router>(alice, ());
    let mut pools = Vec::new();
    for pair in tokens.windows(2) {
        let args = (pair[0].address(), pair[1].address(), 30u16);
        let pool = chain.deploy::<Pool>(alice, args);
        for token in pair {
            chain.send(alice, token, "mint", (alice, 1_000_000u128)).assert_ok();
            chain.send(alice, token, "approve", (pool.address(), u128::MAX)).assert_ok();
        }
        let args = (1_000_000u128, 1_000_000u128, 0u128, FOREVER);
        chain.send(alice, &pool, "add_liquidity", args).assert_ok();
        pools.push(pool);
    }
    for token in &tokens {
        chain.send(alice, token, "mint", (bob, 10_000u128)).assert_ok();
        chain.send(bob, token, "approve", (router.address(), u128::MAX)).assert_ok();
    }
    Setup { chain, router, tokens, pools, bob }
}

impl Setup {
    /// From token `from` through `n` pools.
    fn path(&self, from: usize, n: usize) -> (Address, Vec<Hop>) {
        let pools: Vec<Address> =
            self.pools[from..from + n].iter().map(Instance::address).collect();
        let next = pools.iter().skip(1).copied().chain([self.bob]);
        let hops = pools.iter().zip(next).map(|(pool, to)| Hop { pool: *pool, a_in: true, to });
        (pools[0], hops.collect())
    }

    fn balance(&mut self, token: usize, of: Address) -> u128 {
        self.chain.view(&self.tokens[token], "balance", (of,))
    }
}

#[test]
fn a_path_pays_what_its_pools_pay_in_turn() {
    let mut s = setup();
    let (first, path) = s.path(0, 3);
    let token = s.tokens[0].address();
    let args = (token, 1_000u128, first, path, 1u128, FOREVER);
    let receipt = s.chain.send(s.bob, &s.router, "swap", args);
    // Three times in * 9_970 * 1_000_000 / (1_000_000 * 10_000 + in * 9_970), rounded down.
    let step = |amount: u128| amount * 9_970 * 1_000_000 / (1_000_000 * 10_000 + amount * 9_970);
    let out = step(step(step(1_000)));
    let event = Routed { by: s.bob, amount_in: 1_000, amount_out: out, to: s.bob };
    assert_eq!(receipt.assert_ok().events::<Routed>(), [event]);
    assert_eq!((s.balance(0, s.bob), s.balance(3, s.bob)), (9_000, 10_000 + out));
    // Nothing stays on the way.
    let router = s.router.address();
    assert_eq!([0, 1, 2, 3].map(|token| s.balance(token, router)), [0; 4]);
}

#[test]
fn paths_that_do_not_join_are_refused() {
    let mut s = setup();
    let token = s.tokens[0].address();
    let (first, path) = s.path(0, 2);
    let mut gap = path.clone();
    gap[0].to = s.bob;
    let long: Vec<Hop> = (0..=HOPS_MAX).map(|_| path[0]).collect();
    for path in [gap, Vec::new(), path[1..].to_vec(), long] {
        let args = (token, 10u128, first, path, 1u128, FOREVER);
        s.chain.send(s.bob, &s.router, "swap", args).assert_revert(RouterError::BadPath);
    }
    assert_eq!(s.balance(0, s.bob), 10_000);
}

#[test]
fn refusals() {
    let mut s = setup();
    let token = s.tokens[0].address();
    let (first, path) = s.path(0, 2);
    s.chain.advance_ms(10);
    let args = |amount: u128, min_out: u128, deadline_ms: u64| {
        (token, amount, first, path.clone(), min_out, deadline_ms)
    };
    let (late, nothing, greedy) =
        (args(10, 1, 5), args(0, 1, FOREVER), args(1_000, 1_000, FOREVER));
    s.chain.send(s.bob, &s.router, "swap", late).assert_revert(RouterError::Expired);
    s.chain.send(s.bob, &s.router, "swap", nothing).assert_revert(RouterError::ZeroAmount);
    s.chain.send(s.bob, &s.router, "swap", greedy).assert_revert(RouterError::Slippage);
    let poor = args(10_001, 1, FOREVER);
    s.chain.send(s.bob, &s.router, "swap", poor).assert_revert(TokenError::InsufficientBalance);
    // What the first pool would leave of it could be sold by anybody.
    let alice = s.chain.account("alice");
    s.chain.send(alice, &s.tokens[0], "mint", (s.bob, 1u128 << 112)).assert_ok();
    let vast = args(1 << 112, 1, FOREVER);
    s.chain.send(s.bob, &s.router, "swap", vast).assert_revert(RouterError::TooLarge);
    s.chain.send(s.bob, &s.tokens[0], "burn", (1u128 << 112,)).assert_ok();
    // Another token than the first pool's: it was sent nothing that it sells.
    let wrong = (s.tokens[3].address(), 10u128, first, path.clone(), 1u128, FOREVER);
    let receipt = s.chain.send(s.bob, &s.router, "swap", wrong);
    receipt.assert_revert(kempe_pool::PoolError::ZeroAmount);
    assert_eq!((s.balance(0, s.bob), s.balance(3, s.bob)), (10_000, 10_000));
}

#[test]
fn paths_without_a_pool_in_common_run_at_once() {
    let mut s = setup();
    let carol = s.chain.account("carol");
    let alice = s.chain.account("alice");
    s.chain.send(alice, &s.tokens[2], "mint", (carol, 1_000u128)).assert_ok();
    s.chain.send(carol, &s.tokens[2], "approve", (s.router.address(), u128::MAX)).assert_ok();
    let (first, path) = s.path(0, 1);
    let (other_first, mut other) = s.path(2, 1);
    other[0].to = carol;
    let [token, other_token] = [0, 2].map(|at| s.tokens[at].address());
    let txs = [
        s.router.tx(s.bob, "swap", (token, 10u128, first, path.clone(), 1u128, FOREVER)),
        s.router.tx(carol, "swap", (other_token, 10u128, other_first, other, 1u128, FOREVER)),
        s.router.tx(s.bob, "swap", (token, 10u128, first, path, 1u128, FOREVER)),
    ];
    s.chain.block(txs).assert_ok().assert_batches(&[&[0, 1], &[2]]);
}
