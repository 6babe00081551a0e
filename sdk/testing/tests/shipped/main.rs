//! The shipped contracts do on wasm what they do natively: same results, events, refusals and batches.

mod longest;

use kempe_abi::{Address, TrapKind};
use kempe_counter::Tally;
use kempe_orderbook::{Filled, Orderbook, Price, Side};
use kempe_pool::{Pool, PoolError, Reserves, Swapped};
use kempe_runtime::engine::admit;
use kempe_runtime::types::{Limits, Prices};
use kempe_sdk::testing::{BlockReport, Instance, TestChain};
use kempe_staking::{Round, Stake, Staking};
use kempe_token::{Token, TokenError, Transfer};

fn both() -> [TestChain; 2] {
    let wasm = [
        kempe_contracts::TOKEN,
        kempe_contracts::POOL,
        kempe_contracts::COUNTER,
        kempe_contracts::ORDERBOOK,
        kempe_contracts::STAKING,
    ];
    [TestChain::native(), kempe_testing::wasm(&wasm)]
}

/// What must not depend on the backend.
fn gist(report: &BlockReport) -> impl PartialEq + std::fmt::Debug + use<> {
    let receipts = report.receipts.iter().map(|receipt| {
        let events: Vec<_> =
            receipt.events.iter().map(|event| (event.id, event.data.clone())).collect();
        (receipt.outcome, receipt.output.clone(), events, receipt.error_name.clone())
    });
    (receipts.collect::<Vec<_>>(), report.batches.clone(), report.n_tail)
}

#[test]
fn token() {
    let reports = both().map(|mut chain| {
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| chain.account(name));
        let token = chain.deploy::<Token>(alice, (alice,));
        chain.send(alice, &token, "mint", (alice, 100u128)).assert_ok();
        let receipt = chain.send(alice, &token, "transfer", (bob, 40u128));
        let event = Transfer { from: alice, to: bob, amount: 40 };
        assert_eq!(receipt.assert_ok().events::<Transfer>(), [event]);
        chain.send(carol, &token, "mint", (carol, 1u128)).assert_revert(TokenError::MissingRole);
        assert_eq!(chain.cell::<u128, _>(&token, "balances", bob), Some(40));
        chain.block([
            token.tx(alice, "transfer", (carol, 1u128)),
            token.tx(bob, "approve", (carol, 7u128)),
            token.tx(carol, "transfer_from", (bob, carol, 8u128)),
            token.tx(alice, "mint", (bob, 1u128)),
            token.tx(bob, "burn", (500u128,)),
        ])
    });
    assert_eq!(gist(&reports[0]), gist(&reports[1]));
}

#[test]
fn counter() {
    let reports = both().map(|mut chain| {
        let [alice, bob] = ["alice", "bob"].map(|name| chain.account(name));
        let tally = chain.deploy::<Tally>(alice, ());
        let report = chain.block([
            tally.tx(alice, "raise", (5u64,)),
            tally.tx(bob, "raise", (6u64,)),
            tally.tx(bob, "lower", (7u64,)),
            tally.tx(alice, "raise_slowly", (1u64,)),
        ]);
        let unfit = &report.receipts[2];
        unfit.assert_trap(TrapKind::CounterOutOfBounds);
        assert!(unfit.to_string().contains(": Tally.by_caller[0x"), "{unfit}");
        assert_eq!(chain.view::<u64>(&tally, "total", ()), 12);
        report
    });
    assert_eq!(gist(&reports[0]), gist(&reports[1]));
}

fn pool(chain: &mut TestChain) -> (Address, Instance<Pool>) {
    let alice = chain.account("alice");
    let [a, b] = [0, 1].map(|_| chain.deploy::<Token>(alice, (alice,)));
    let pool = chain.deploy::<Pool>(alice, (a.address(), b.address(), 30u16));
    for token in [&a, &b] {
        chain.send(alice, token, "mint", (alice, 1u128 << 100)).assert_ok();
        chain.send(alice, token, "approve", (pool.address(), u128::MAX)).assert_ok();
    }
    let args = (1u128 << 90, 1u128 << 91, 0u128, u64::MAX);
    chain.send(alice, &pool, "add_liquidity", args).assert_ok();
    (alice, pool)
}

#[test]
fn pools_with_large_numbers() {
    let results = both().map(|mut chain| {
        let (alice, pool) = pool(&mut chain);
        let swap = (1u128 << 80, 0u128, u64::MAX);
        let receipt = chain.send(alice, &pool, "sell_a", swap);
        let [event] = &receipt.assert_ok().events::<Swapped>()[..] else { panic!("one event") };
        assert_eq!(event.amount_out, receipt.value::<u128>());
        let too_much = (1u128 << 80, u128::MAX, u64::MAX);
        chain.send(alice, &pool, "sell_b", too_much).assert_revert(PoolError::Slippage);
        (event.amount_out, chain.view::<Reserves>(&pool, "reserves", ()))
    });
    assert_eq!(results[0], results[1]);
}

#[test]
fn trades_whose_lists_turn_out_too_short() {
    let reports = both().map(|mut chain| {
        let people = ["alice", "bob", "carol", "dan"].map(|name| chain.account(name));
        let [alice, bob, carol, dan] = people;
        let tokens = [0, 1].map(|_| chain.deploy::<Token>(alice, (alice,)));
        let args = (tokens[0].address(), tokens[1].address(), 1u128, 1u128, 1u64);
        let book = chain.deploy::<Orderbook>(alice, args);
        for who in people {
            for token in &tokens {
                chain.send(alice, token, "mint", (who, 1_000_000u128)).assert_ok();
                chain.send(who, token, "approve", (book.address(), u128::MAX)).assert_ok();
            }
            chain.send(who, &book, "deposit", (100_000u128, 100_000u128)).assert_ok();
        }
        let at = |ticks| Price::of(ticks).unwrap();
        chain.send(bob, &book, "place", (Side::Sell, at(12), 5u64, 1u64)).assert_ok();
        let report = chain.block([
            book.tx(bob, "place", (Side::Sell, at(11), 5u64, 2u64)),
            // Found to take what is sold at 12.
            book.tx(carol, "trade", (Side::Buy, at(12), 7u64, None::<u64>)),
            book.tx(carol, "withdraw", (7u128, 0u128)),
            book.tx(dan, "place", (Side::Buy, at(9), 1u64, 1u64)),
            // Has no list, and nothing overtakes it.
            book.tx(alice, "no_method", ()),
            book.tx(dan, "cancel", (Side::Buy, at(9), 1u64)),
        ]);
        let ticks: Vec<u16> =
            report.receipts[1].events::<Filled>().iter().map(|event| event.ticks).collect();
        assert_eq!((ticks, report.n_tail), (vec![11, 12], 4));
        report
    });
    assert_eq!(gist(&reports[0]), gist(&reports[1]));
}

/// The largest module that a new chain is to take: what a contract is planned to stay below.
const MODULE_BYTES_MAX: usize = 64 * 1024;

#[test]
fn every_contract_can_be_deployed_within_the_limits_of_a_new_chain() {
    let (prices, limit) = (Prices::default(), Limits::default().tx_fuel_max);
    for (name, wasm) in kempe_contracts::ALL {
        // A hundredth for the rest of the transaction, and for init.
        let effort = admit(wasm).expect("it is admitted").sizes.effort;
        let fuel = prices.deployment(wasm.len() as u64, effort);
        assert!(fuel <= limit / 100 * 99, "{name} takes {fuel} fuel of {limit}");
    }
    // And one of that size is: the token, with a custom section of zeros.
    let padding = |n_bytes: usize| {
        let mut wasm = kempe_contracts::TOKEN.to_vec();
        // A section of the name "p", its length in five bytes of LEB128.
        let length = u32::try_from(n_bytes + 2).unwrap();
        let digit = |at: u32| {
            let more = if at < 4 { 128 } else { 0 };
            u8::try_from((length >> (7 * at)) & 127).unwrap() | more
        };
        wasm.push(0);
        wasm.extend((0..5).map(digit));
        wasm.extend([1, b'p']);
        wasm.resize(wasm.len() + n_bytes, 0);
        wasm
    };
    let wasm = padding(MODULE_BYTES_MAX - kempe_contracts::TOKEN.len() - 8);
    assert_eq!(wasm.len(), MODULE_BYTES_MAX);
    let mut chain = kempe_testing::wasm(&[&wasm]);
    let alice = chain.account("alice");
    let token = chain.deploy::<Token>(alice, (alice,));
    chain.send(alice, &token, "mint", (alice, 1u128)).assert_ok();
    let least = MODULE_BYTES_MAX as u64 * Prices::default().deploy_byte;
    assert!(least < Limits::default().tx_fuel_max);
}

/// Yield farming: the shares of a pool are staked, earn a reward, and come back.
#[test]
fn shares_of_a_pool_are_staked() {
    let results = both().map(|mut chain| {
        let (alice, pool) = pool(&mut chain);
        let bob = chain.account("bob");
        let reward = chain.deploy::<Token>(alice, (alice,));
        let args = (pool.address(), reward.address(), alice, 1u64);
        let staking = chain.deploy::<Staking>(alice, args);
        chain.send(alice, &reward, "mint", (alice, 1_000_000u128)).assert_ok();
        chain.send(alice, &reward, "approve", (staking.address(), u128::MAX)).assert_ok();
        chain.send(alice, &pool, "transfer", (bob, 5_000u128)).assert_ok();
        chain.send(bob, &pool, "approve", (staking.address(), 5_000u128)).assert_ok();
        chain.send(bob, &staking, "stake", (5_000u128, 0u64)).assert_ok();
        assert_eq!(chain.view::<u128>(&pool, "balance", (staking.address(),)), 5_000);
        chain.advance_ms(100_000);
        let current = chain.view::<Round>(&staking, "current", ()).number;
        // While the shares are staked the pool goes on.
        let report = chain.block([
            pool.tx(alice, "sell_a", (1_000_000u128, 0u128, u64::MAX)),
            staking.tx(alice, "distribute", (1_000_000u128, current)),
        ]);
        report.assert_ok();
        let round = |chain: &mut TestChain| chain.view::<Stake>(&staking, "stake_of", (bob,)).round;
        let since = round(&mut chain);
        chain.send(bob, &staking, "unstake", (5_000u128, since)).assert_ok();
        let since = round(&mut chain);
        chain.send(bob, &staking, "claim", (since,)).assert_ok();
        chain.advance_ms(1_000);
        chain.send(bob, &staking, "withdraw", ()).assert_ok();
        let earned: u128 = chain.view(&reward, "balance", (bob,));
        assert!((999_999..=1_000_000).contains(&earned), "{earned}");
        assert_eq!(chain.view::<u128>(&pool, "balance", (bob,)), 5_000);
        let args = (5_000u128, 1u128, 1u128, u64::MAX);
        let receipt = chain.send(bob, &pool, "remove_liquidity", args);
        (report.batches, earned, receipt.assert_ok().value::<(u128, u128)>())
    });
    assert_eq!(results[0], results[1]);
}
