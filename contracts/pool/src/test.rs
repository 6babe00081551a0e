extern crate std;

use std::vec::Vec;

use kempe_asset::{Asset, AssetError};
use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, TestChain};
use kempe_token::Token;

use super::{
    Approval, Observation, Pool, PoolError, PriceSum, Reserves, Synced, Transfer, isqrt, mul_div_up,
};
use ethnum::U256;

const FOREVER: u64 = u64::MAX;

struct Setup {
    chain: TestChain,
    alice: Address,
    bob: Address,
    a: Instance<Token>,
    b: Instance<Token>,
    pool: Instance<Pool>,
}

fn setup() -> Setup {
    let mut chain = TestChain::native();
    let (alice, bob) = (chain.account("alice"), chain.account("bob"));
    let a = chain.deploy::<Token>(alice, (alice,));
    let b = chain.deploy::<Token>(alice, (alice,));
    let pool = chain.deploy::<Pool>(alice, (a.address(), b.address(), 30u16));
    for token in [&a, &b] {
        for who in [alice, bob] {
            chain.send(alice, token, "mint", (who, 10_000_000u128)).assert_ok();
            chain.send(who, token, "approve", (pool.address(), u128::MAX)).assert_ok();
        }
    }
    Setup { chain, alice, bob, a, b, pool }
}

impl Setup {
    fn add(&mut self, a: u128, b: u128) {
        let args = (a, b, 0u128, FOREVER);
        self.chain.send(self.alice, &self.pool, "add_liquidity", args).assert_ok();
    }

    fn reserves(&mut self) -> Reserves {
        self.chain.view(&self.pool, "reserves", ())
    }

    fn balance(&mut self, token: &Instance<Token>, of: Address) -> u128 {
        self.chain.view(token, "balance", (of,))
    }
}

#[test]
fn a_swap_pays_by_the_formula() {
    let mut s = setup();
    s.add(1_000_000, 4_000_000);
    let receipt = s.chain.send(s.bob, &s.pool, "sell_a", (10_000u128, 0u128, FOREVER));
    // 4_000_000 * 9_970 * 10_000 / (1_000_000 * 10_000 + 9_970 * 10_000) rounded down.
    assert_eq!(receipt.assert_ok().value::<u128>(), 39_486);
    let pool = s.reserves();
    assert_eq!((pool.a, pool.b), (1_010_000, 3_960_514));
    let (token, holder) = (s.b, s.bob);
    assert_eq!(s.balance(&token, holder), 10_000_000 + 39_486);
}

#[test]
fn a_swap_never_lowers_the_product_nor_loses_tokens() {
    let mut s = setup();
    s.add(1_000_003, 777_777);
    let mut product = 0;
    for round in 0..40u128 {
        let method = if round % 3 == 0 { "sell_b" } else { "sell_a" };
        let amount = 1 + round * 97 % 5_000;
        s.chain.send(s.bob, &s.pool, method, (amount, 0u128, FOREVER));
        let pool = s.reserves();
        assert!(pool.a * pool.b >= product, "round {round}");
        product = pool.a * pool.b;
        let address = s.pool.address();
        let (a, b) = (s.a, s.b);
        assert_eq!((s.balance(&a, address), s.balance(&b, address)), (pool.a, pool.b));
    }
}

#[test]
fn refusals() {
    let mut s = setup();
    let swap = (5u128, 0u128, FOREVER);
    s.chain.send(s.bob, &s.pool, "sell_a", swap).assert_revert(PoolError::NoLiquidity);
    s.add(1_000_000, 1_000_000);
    let too_much = (1_000u128, 1_000u128, FOREVER);
    s.chain.send(s.bob, &s.pool, "sell_a", too_much).assert_revert(PoolError::Slippage);
    let nothing = (0u128, 0u128, FOREVER);
    s.chain.send(s.bob, &s.pool, "sell_b", nothing).assert_revert(PoolError::ZeroAmount);
    s.chain.advance_ms(10);
    let late = (1_000u128, 0u128, 5u64);
    s.chain.send(s.bob, &s.pool, "sell_a", late).assert_revert(PoolError::Expired);
    let shares = (1u128, 0u128, 0u128, FOREVER);
    s.chain
        .send(s.bob, &s.pool, "remove_liquidity", shares)
        .assert_revert(PoolError::InsufficientShares);
}

#[test]
fn a_refusal_of_the_token_undoes_the_swap() {
    let mut s = setup();
    s.add(1_000_000, 1_000_000);
    let before = s.reserves();
    let receipt = s.chain.send(s.bob, &s.pool, "sell_a", (20_000_000u128, 0u128, FOREVER));
    receipt.assert_revert(kempe_token::TokenError::InsufficientBalance);
    assert_eq!(s.reserves(), before);
}

#[test]
fn providers_get_their_part_back() {
    let mut s = setup();
    s.add(1_000_000, 2_000_000);
    let args = (500_000u128, 5_000_000u128, 0u128, FOREVER);
    let shares: u128 = s.chain.send(s.bob, &s.pool, "add_liquidity", args).assert_ok().value();
    let args = (shares, 0u128, 0u128, FOREVER);
    let (a, b): (u128, u128) =
        s.chain.send(s.bob, &s.pool, "remove_liquidity", args).assert_ok().value();
    assert!((499_998..=500_000).contains(&a) && (999_997..=1_000_000).contains(&b), "{a} {b}");
}

#[test]
fn swaps_on_two_pools_run_in_parallel() {
    let mut s = setup();
    s.add(1_000_000, 1_000_000);
    let (c, d) = (
        s.chain.deploy::<Token>(s.alice, (s.alice,)),
        s.chain.deploy::<Token>(s.alice, (s.alice,)),
    );
    let other = s.chain.deploy::<Pool>(s.alice, (c.address(), d.address(), 30u16));
    for token in [&c, &d] {
        s.chain.send(s.alice, token, "mint", (s.alice, 10_000_000u128)).assert_ok();
        s.chain.send(s.alice, token, "approve", (other.address(), u128::MAX)).assert_ok();
    }
    let args = (1_000_000u128, 1_000_000u128, 0u128, FOREVER);
    s.chain.send(s.alice, &other, "add_liquidity", args).assert_ok();
    let swap = (1_000u128, 0u128, FOREVER);
    let report = s.chain.block([
        s.pool.tx(s.bob, "sell_a", swap),
        other.tx(s.alice, "sell_a", swap),
        s.pool.tx(s.bob, "sell_b", swap),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1], &[2]]);
}

#[test]
fn a_pool_of_one_token_is_refused() {
    let mut chain = TestChain::native();
    let alice = chain.account("alice");
    let a = chain.deploy::<Token>(alice, (alice,));
    assert!(chain.try_deploy::<Pool>(alice, (a.address(), a.address(), 30u16)).is_err());
    let b = chain.deploy::<Token>(alice, (alice,));
    assert!(chain.try_deploy::<Pool>(alice, (a.address(), b.address(), 10_000u16)).is_err());
}

#[test]
fn roots_and_rounding() {
    let squares: Vec<u128> = [0, 1, 2, 3, 1 << 40, u128::from(u64::MAX)].into();
    for root in squares {
        let square = U256::from(root) * U256::from(root);
        assert_eq!(isqrt(square), root);
        if root > 1 {
            assert_eq!(isqrt(square - U256::ONE), root - 1);
        }
    }
    assert_eq!(isqrt(U256::from(u128::MAX) * U256::from(u128::MAX)), u128::MAX);
    assert_eq!(mul_div_up(7, 3, 2), Ok(11));
    assert_eq!(mul_div_up(8, 3, 2), Ok(12));
}

#[test]
fn what_was_sent_is_sold_and_sent_on() {
    let mut s = setup();
    s.add(1_000_000, 4_000_000);
    let nothing = (true, 0u128, s.bob);
    s.chain.send(s.bob, &s.pool, "swap_received", nothing).assert_revert(PoolError::ZeroAmount);
    let own = (true, 0u128, s.pool.address());
    s.chain.send(s.bob, &s.pool, "swap_received", own).assert_revert(PoolError::BadReceiver);
    s.chain.send(s.bob, &s.a, "transfer", (s.pool.address(), 10_000u128)).assert_ok();
    let too_much = (true, 40_000u128, s.bob);
    s.chain.send(s.bob, &s.pool, "swap_received", too_much).assert_revert(PoolError::Slippage);
    // The same as `sell_a`.
    let receipt = s.chain.send(s.bob, &s.pool, "swap_received", (true, 39_486u128, s.alice));
    assert_eq!(receipt.assert_ok().value::<u128>(), 39_486);
    let pool = s.reserves();
    assert_eq!((pool.a, pool.b), (1_010_000, 3_960_514));
    // The other way round, and nothing can be sold twice.
    s.chain.send(s.bob, &s.b, "transfer", (s.pool.address(), 10_000u128)).assert_ok();
    let back = (false, 1u128, s.bob);
    s.chain.send(s.bob, &s.pool, "swap_received", back).assert_ok();
    s.chain.send(s.bob, &s.pool, "swap_received", back).assert_revert(PoolError::ZeroAmount);
    let tokens = s.chain.view::<(Address, Address)>(&s.pool, "tokens", ());
    assert_eq!(tokens, (s.a.address(), s.b.address()));
}

/// Somebody gives the pool more than one swap takes in: everybody's paths still lead through it.
#[test]
fn a_gift_ends_no_path() {
    let mut s = setup();
    s.add(1_000_000, 4_000_000);
    let gift = (s.pool.address(), 1u128 << 113);
    s.chain.send(s.alice, &s.a, "mint", gift).assert_ok();
    s.chain.send(s.bob, &s.pool, "swap_received", (true, 1u128, s.bob)).assert_ok();
    assert_eq!(s.reserves().a, 1_000_000 + (1 << 112) - 1);
    s.chain.send(s.bob, &s.b, "transfer", (s.pool.address(), 10_000u128)).assert_ok();
    s.chain.send(s.bob, &s.pool, "swap_received", (false, 1u128, s.bob)).assert_ok();
}

/// Who looks at the average price waits for no swap, and sees the same before and behind it.
#[test]
fn who_observes_waits_for_nobody() {
    let mut s = setup();
    s.add(1_000_000, 4_000_000);
    s.chain.advance_ms(9_000);
    let sell = |by: Address| s.pool.tx(by, "sell_a", (100_000u128, 0u128, FOREVER));
    let looks = s.pool.tx(s.alice, "observe", ());
    let report = s.chain.block([looks.clone(), sell(s.bob), looks]);
    report.assert_ok().assert_batches(&[&[0, 1, 2]]);
    let seen = [0, 2].map(|tx| report.receipts[tx].value::<Observation>());
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], s.reserves().observed);
}

#[test]
fn the_average_price_counts_time_and_not_the_last_swap() {
    let mut s = setup();
    s.add(1_000_000, 4_000_000);
    let one = 1u128 << 64;
    let before: Observation = s.chain.view(&s.pool, "observe", ());
    s.chain.advance_ms(9_000);
    s.chain.send(s.bob, &s.pool, "sell_a", (1_000_000u128, 0u128, FOREVER)).assert_ok();
    let after: Observation = s.chain.view(&s.pool, "observe", ());
    // Ten seconds at 4, one at 1.0...: the swap counts from its own block on.
    assert_eq!(after.time_ms - before.time_ms, 10_000);
    let (a_in_b, b_in_a) = after.average_since(&before).unwrap();
    let low = a_in_b * 100 / one;
    assert!((360..=380).contains(&low), "{low}");
    assert!((one / 4..one / 2).contains(&b_in_a), "{b_in_a}");
    assert_eq!(before.average_since(&after), None);
    assert_eq!(after.average_since(&after), None);
}

/// The time before the first liquidity has no price: it is in no average, not as zero either.
#[test]
fn no_price_is_averaged_before_there_is_one() {
    let mut s = setup();
    let nothing: Observation = s.chain.view(&s.pool, "observe", ());
    assert_eq!(nothing, Observation::default());
    s.chain.advance_ms(8_000);
    s.add(1_000_000, 1_000_000);
    let first: Observation = s.chain.view(&s.pool, "observe", ());
    s.chain.advance_ms(2_000);
    let then: Observation = s.chain.view(&s.pool, "observe", ());
    assert_eq!(then.average_since(&nothing), None);
    assert_eq!(then.average_since(&first), Some((1 << 64, 1 << 64)));
    // And the first block's time counts, though nothing touched the pool since.
    s.add(1_000_000, 1_000_000);
    let reserves = s.reserves();
    assert_eq!(reserves.observed.average_since(&first), Some((1 << 64, 1 << 64)));
}

/// An authority of a token takes units out of the pool: all providers bear it, and not the last one or the next swap.
#[test]
fn a_pool_counts_what_is_left_to_it() {
    let mut s = setup();
    let (alice, bob, reason) = (s.alice, s.bob, Hash([9; 32]));
    let asset = s.chain.deploy::<Asset>(alice, (alice,));
    let pool = s.chain.deploy::<Pool>(alice, (asset.address(), s.b.address(), 30u16));
    for who in [alice, bob, pool.address()] {
        s.chain.send(alice, &asset, "admit", (who, u128::MAX)).assert_ok();
    }
    s.chain.send(alice, &asset, "issue", (alice, 1_000_000u128)).assert_ok();
    s.chain.send(alice, &asset, "approve", (pool.address(), u128::MAX)).assert_ok();
    s.chain.send(alice, &s.b, "approve", (pool.address(), u128::MAX)).assert_ok();
    let args = (1_000_000u128, 1_000_000u128, 0u128, FOREVER);
    s.chain.send(alice, &pool, "add_liquidity", args).assert_ok();
    // Where nothing is missing nothing changes.
    assert_eq!(s.chain.send(bob, &pool, "sync", ()).assert_ok().events::<Synced>(), []);
    let order = (pool.address(), bob, 300_000u128, reason);
    s.chain.send(alice, &asset, "force_transfer", order).assert_ok();
    let leave = (999_000u128, 0u128, 0u128, FOREVER);
    s.chain
        .send(alice, &pool, "remove_liquidity", leave)
        .assert_revert(AssetError::InsufficientBalance);
    let receipt = s.chain.send(bob, &pool, "sync", ());
    let synced = Synced { by: bob, a: 700_000, b: 1_000_000 };
    assert_eq!(receipt.events::<Synced>(), [synced]);
    // What bob sends is his to sell, all of it.
    s.chain.send(bob, &asset, "transfer", (pool.address(), 7_000u128)).assert_ok();
    s.chain.send(bob, &pool, "swap_received", (true, 9_000u128, bob)).assert_ok();
    let received = s.chain.send(alice, &pool, "remove_liquidity", leave).value::<(u128, u128)>();
    assert_eq!(received.0, 707_000 * 999 / 1_000);
}

/// Tokens of 6 and of 18 decimals, where a sum of 128 bits wraps around within five hours: a year in one
/// window, and in many.
#[test]
fn sums_of_prices_do_not_wrap_around() {
    const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1_000;
    let (a, b) = (2 * 10u128.pow(12), 10u128.pow(24) * 2);
    let pool = Reserves { a, b, ..Reserves::default() }.until(1);
    let whole = pool.until(1 + YEAR_MS);
    let parts = (1..=1_000).fold(pool, |pool, n| pool.until(1 + n * YEAR_MS / 1_000));
    assert_eq!(whole, parts);
    assert!(whole.observed.a_in_b.high > 0, "beyond 128 bits: {whole:?}");
    let price = (10u128.pow(12) << 64, (1u128 << 64) / 10u128.pow(12));
    assert_eq!(whole.observed.average_since(&pool.observed), Some(price));
    // The dearest price, for all time that there is.
    let pool = Reserves { a: 1, b: u128::MAX, ..Reserves::default() }.until(1);
    let late = pool.until(u64::MAX);
    assert_eq!(late.observed.average_since(&pool.observed), Some((u128::MAX, 0)));
    // Of another pool: no price rather than a wrong one.
    let foreign = Observation { time_ms: 2, b_in_a: PriceSum { high: 0, low: 9 }, ..pool.observed };
    assert_eq!(late.observed.average_since(&foreign), None);
}

#[test]
fn shares_are_a_token() {
    let mut s = setup();
    s.add(1_000_000, 4_000_000);
    let (alice, bob, pool) = (s.alice, s.bob, s.pool);
    let carol = s.chain.account("carol");
    let shares = |s: &mut Setup, of: Address| s.chain.view::<u128>(&pool, "balance", (of,));
    assert_eq!(shares(&mut s, alice), 1_999_000);
    let receipt = s.chain.send(alice, &pool, "transfer", (bob, 999_000u128));
    let event = Transfer { from: alice, to: bob, amount: 999_000 };
    assert_eq!(receipt.assert_ok().events::<Transfer>(), [event]);
    let refused = |s: &mut Setup, method, args: (Address, u128), error| {
        s.chain.send(alice, &pool, method, args).assert_revert(error);
    };
    refused(&mut s, "transfer", (bob, 1_000_001), PoolError::InsufficientShares);
    refused(&mut s, "transfer", (pool.address(), 1), PoolError::BadReceiver);
    s.chain.send(alice, &pool, "transfer", (alice, 1_000_000u128)).assert_ok();

    let take = |to: Address, amount: u128| (bob, to, amount);
    let spend = |s: &mut Setup, args| s.chain.send(carol, &pool, "transfer_from", args);
    spend(&mut s, take(carol, 1)).assert_revert(PoolError::InsufficientAllowance);
    let receipt = s.chain.send(bob, &pool, "approve", (carol, 1_000_000u128));
    let event = Approval { owner: bob, spender: carol, amount: 1_000_000 };
    assert_eq!(receipt.assert_ok().events::<Approval>(), [event]);
    spend(&mut s, take(carol, 999_001)).assert_revert(PoolError::InsufficientShares);
    spend(&mut s, take(pool.address(), 1)).assert_revert(PoolError::BadReceiver);
    spend(&mut s, take(carol, 600_000)).assert_ok();
    assert_eq!(s.chain.view::<u128>(&pool, "allowance", (bob, carol)), 400_000);
    assert_eq!([alice, bob, carol].map(|of| shares(&mut s, of)), [1_000_000, 399_000, 600_000]);

    // Who has them gets the reserves for them; the locked ones stay behind everybody.
    for who in [alice, bob, carol] {
        let args = (shares(&mut s, who), 0u128, 0u128, FOREVER);
        s.chain.send(who, &pool, "remove_liquidity", args).assert_ok();
    }
    assert_eq!(s.chain.view::<u128>(&pool, "total_supply", ()), 1_000);
    assert_eq!((s.reserves().a, s.reserves().b), (500, 2_000));
    let has = (s.a, s.b);
    assert_eq!((s.balance(&has.0, carol), s.balance(&has.1, carol)), (300_000, 1_200_000));
}

#[test]
fn sent_shares_and_swaps_do_not_wait_for_each_other() {
    let mut s = setup();
    s.add(1_000_000, 1_000_000);
    let [carol, dan] = ["carol", "dan"].map(|name| s.chain.account(name));
    s.chain.send(s.alice, &s.pool, "transfer", (carol, 10u128)).assert_ok();
    let report = s.chain.block([
        s.pool.tx(s.bob, "sell_a", (1_000u128, 0u128, FOREVER)),
        s.pool.tx(s.alice, "transfer", (s.bob, 1u128)),
        s.pool.tx(carol, "transfer", (dan, 1u128)),
        s.pool.tx(dan, "approve", (carol, 1u128)),
        s.pool.tx(s.bob, "transfer", (carol, 1u128)),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1, 2, 3], &[4]]);
}
