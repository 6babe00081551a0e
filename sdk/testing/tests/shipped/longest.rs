//! The longest lists that the contracts take: none of them is more than a transaction may touch, or than a module's memory.

use kempe_abi::host::IMMUTABLE_BYTES_MAX;
use kempe_abi::{Address, Encode, Hash, TrapKind};
use kempe_governance::{Choice, Governance, Settings};
use kempe_multisig::Multisig;
use kempe_nft::Nft;
use kempe_oracle::{Oracle, RECENT_MAX, REPORTERS_MAX, ROUND_MS, Report, message};
use kempe_orderbook::{DEPTH_MAX, Depth, Orderbook, Price, Side, TRADE_LEVELS_MAX, Traded};
use kempe_pool::Pool;
use kempe_router::{HOPS_MAX, Hop, Router};
use kempe_sdk::testing::{Instance, TestChain};
use kempe_token::Token;

fn people(chain: &mut TestChain, n: usize) -> Vec<Address> {
    (0..n).map(|i| chain.account(&format!("person {i}"))).collect()
}

/// A book, and `n_people` who have funds in it.
fn book(chain: &mut TestChain, n_people: usize) -> (Instance<Orderbook>, Vec<Address>) {
    let people = people(chain, n_people);
    let owner = chain.account("owner");
    let tokens = [0, 1].map(|_| chain.deploy::<Token>(owner, (owner,)));
    let args = (tokens[0].address(), tokens[1].address(), 1u128, 1u128, 1u64);
    let book = chain.deploy::<Orderbook>(owner, args);
    for who in &people {
        for token in &tokens {
            chain.send(owner, token, "mint", (*who, 100_000_000u128)).assert_ok();
            chain.send(*who, token, "approve", (book.address(), u128::MAX)).assert_ok();
        }
        chain.send(*who, &book, "deposit", (90_000_000u128, 90_000_000u128)).assert_ok();
    }
    (book, people)
}

/// Orders so far apart, and of so many people, that looking for them and paying them is more than a transaction may touch: a
/// trade takes what it can, and the next one the rest.
#[test]
fn a_sparse_book_is_traded_in_pieces() {
    let mut chain = kempe_testing::wasm(&[kempe_contracts::TOKEN, kempe_contracts::ORDERBOOK]);
    let (book, people) = book(&mut chain, 32);
    let taker = people[31];
    for high in 1..=16 {
        let price = Price { high, mid: 31, low: 31 };
        let place = |who: &Address| book.tx(*who, "place", (Side::Sell, price, 1u64, 1u64));
        chain.block(people[..31].iter().map(place)).assert_ok();
    }
    let (mut lots, mut n_trades) = (16 * 31, 0);
    while lots > 0 {
        let limit = Price { high: 31, mid: 31, low: 31 };
        let receipt = chain.send(taker, &book, "trade", (Side::Buy, limit, lots, None::<u64>));
        let traded = receipt.assert_ok().value::<Traded>().lots;
        assert!(traded >= lots.min(31 * 6), "{traded} of {lots}");
        (lots, n_trades) = (lots - traded, n_trades + 1);
    }
    // Finding a price takes up to 96 cells and filling it 32 and more: seven prices each time.
    assert_eq!(n_trades, 3);
}

/// As many prices as a trade takes, all of them full: it takes all, and is told of, without running out of memory.
#[test]
fn full_prices_are_traded_and_shown() {
    let mut chain = kempe_testing::wasm(&[kempe_contracts::TOKEN, kempe_contracts::ORDERBOOK]);
    let (book, people) = book(&mut chain, 33);
    let price = |at: usize| {
        let at = u8::try_from(at).unwrap();
        Price { high: 1, mid: at / 32, low: at % 32 }
    };
    for at in 1..=DEPTH_MAX {
        let place = |who: &Address| book.tx(*who, "place", (Side::Sell, price(at), 1u64, 1u64));
        chain.block(people[..32].iter().map(place)).assert_ok();
    }
    let n_prices = u8::try_from(DEPTH_MAX).unwrap();
    let depth = |chain: &mut TestChain| {
        let depth: Vec<Depth> = chain.view(&book, "depth", (Side::Sell, n_prices));
        depth.iter().map(|depth| depth.lots).collect::<Vec<_>>()
    };
    assert_eq!(depth(&mut chain), [32; DEPTH_MAX]);
    // All but one order, so that what is left of the last price is stored again.
    let lots = 32 * TRADE_LEVELS_MAX as u64 - 1;
    let args = (Side::Buy, price(DEPTH_MAX), lots, None::<u64>);
    let traded = chain.send(people[32], &book, "trade", args).assert_ok().value::<Traded>();
    assert_eq!(traded.lots, lots);
    let left = depth(&mut chain);
    assert_eq!((left.len(), left[0]), (DEPTH_MAX + 1 - TRADE_LEVELS_MAX, 1));
}

#[test]
fn a_whole_panel_reports_and_is_remembered() {
    let mut chain = kempe_testing::wasm(&[kempe_contracts::ORACLE]);
    let (reporters, asset) = (people(&mut chain, REPORTERS_MAX), Address([5; 32]));
    let quorum = u8::try_from(REPORTERS_MAX).unwrap();
    let oracle = chain.deploy::<Oracle>(reporters[0], (reporters[0], &reporters, quorum, 1u64));
    for value in 1..=RECENT_MAX as u128 + 1 {
        chain.advance_ms(ROUND_MS);
        let time_ms = chain.time_ms() / ROUND_MS * ROUND_MS;
        let message = message(1, oracle.address(), asset, value, time_ms);
        let report = |reporter: &Address| {
            let signature = chain.sign(*reporter, &message.0);
            Report { reporter: *reporter, value, signature }
        };
        let reports: Vec<Report> = reporters.iter().map(report).collect();
        chain.send(reporters[0], &oracle, "publish", (asset, time_ms, reports)).assert_ok();
    }
}

/// What a proposal does that pays everybody something.
fn payments(to: &[Address]) -> Vec<Vec<u8>> {
    let args = |to: &Address| {
        let mut args = Vec::new();
        (*to, 1u128).serialize(&mut args).expect("it goes to memory");
        args
    };
    to.iter().map(args).collect()
}

#[test]
fn a_whole_board_does_all_that_a_proposal_may() {
    use kempe_multisig::{Board, MEMBERS_MAX, STEPS_BYTES_MAX, STEPS_MAX, Step};
    let mut chain = kempe_testing::wasm(&[kempe_contracts::TOKEN, kempe_contracts::MULTISIG]);
    let members = people(&mut chain, MEMBERS_MAX);
    let threshold = u8::try_from(MEMBERS_MAX).unwrap();
    let token = chain.deploy::<Token>(members[0], (members[0],));
    let wallet = chain.deploy::<Multisig>(members[0], (&members, threshold));
    chain.send(members[0], &token, "mint", (wallet.address(), 100u128)).assert_ok();
    let steps = payments(&members[..STEPS_MAX]);
    let step = |args| Step::call(token.address(), "transfer", args);
    let steps: Vec<Step> = steps.into_iter().map(step).collect();
    let expires_ms = chain.time_ms() + 1_000_000;
    let receipt = chain.send(members[0], &wallet, "propose", (steps, expires_ms, 1u64));
    let id = receipt.assert_ok().value::<Hash>();
    let vote = |who: &Address| wallet.tx(*who, "vote", (id, true));
    chain.block(members[1..].iter().map(vote)).assert_ok();
    chain.send(members[0], &wallet, "execute", (id,)).assert_ok();
    assert_eq!(chain.view::<u128>(&token, "balance", (wallet.address(),)), 100 - 16);
    // And as many bytes as it may be, which are two boards.
    let board = Step::SetBoard { board: Board { members: members.clone(), threshold: 32 } };
    assert_eq!(2 * 32 * MEMBERS_MAX, STEPS_BYTES_MAX);
    let args = (vec![board.clone(), board], expires_ms, 2u64);
    let id = chain.send(members[0], &wallet, "propose", args).assert_ok().value::<Hash>();
    let vote = |who: &Address| wallet.tx(*who, "vote", (id, true));
    chain.block(members[1..].iter().map(vote)).assert_ok();
    chain.send(members[0], &wallet, "execute", (id,)).assert_ok();
}

#[test]
fn an_organization_does_all_that_a_proposal_may() {
    use kempe_governance::{STEPS_BYTES_MAX, STEPS_MAX, Step};
    let mut chain = kempe_testing::wasm(&[kempe_contracts::TOKEN, kempe_contracts::GOVERNANCE]);
    let members = people(&mut chain, STEPS_MAX);
    let ann = members[0];
    let coins = [0, 1].map(|_| chain.deploy::<Token>(ann, (ann,)));
    let (token, coin) = (&coins[0], &coins[1]);
    let settings = Settings {
        delay_ms: 10_000,
        voting_ms: 10_000,
        timelock_ms: 10_000,
        grace_ms: 1_000_000,
        quorum_bp: 5_000,
        quorum_min: 0,
        threshold: 1,
    };
    let gov = chain.deploy::<Governance>(ann, (token.address(), settings));
    chain.send(ann, token, "mint", (ann, 100u128)).assert_ok();
    chain.send(ann, coin, "mint", (gov.address(), 100u128)).assert_ok();
    chain.send(ann, token, "approve", (gov.address(), u128::MAX)).assert_ok();
    chain.send(ann, &gov, "lock", (100u128,)).assert_ok();
    chain.advance_ms(1_000);
    let step = |args| Step::call(coin.address(), "transfer", args);
    let steps: Vec<Step> = payments(&members).into_iter().map(step).collect();
    let receipt = chain.send(ann, &gov, "propose", (steps, Hash::ZERO, 1u64));
    let id = receipt.assert_ok().value::<Hash>();
    chain.advance_ms(11_000);
    chain.send(ann, &gov, "vote", (id, Choice::For)).assert_ok();
    chain.advance_ms(30_000);
    chain.send(ann, &gov, "execute", (id,)).assert_ok();
    assert_eq!(chain.view::<u128>(coin, "balance", (gov.address(),)), 100 - 16);
    // And as many bytes as it may be.
    let long = Step::call(coin.address(), "transfer", vec![0; STEPS_BYTES_MAX]);
    chain.send(ann, &gov, "propose", (vec![long], Hash::ZERO, 2u64)).assert_ok();
}

#[test]
fn the_longest_path_is_swapped_along() {
    let modules = [kempe_contracts::TOKEN, kempe_contracts::POOL, kempe_contracts::ROUTER];
    let mut chain = kempe_testing::wasm(&modules);
    let ann = chain.account("ann");
    let tokens: Vec<_> = (0..=HOPS_MAX).map(|_| chain.deploy::<Token>(ann, (ann,))).collect();
    let router = chain.deploy::<Router>(ann, ());
    for token in &tokens {
        chain.send(ann, token, "mint", (ann, 1u128 << 60)).assert_ok();
        chain.send(ann, token, "approve", (router.address(), u128::MAX)).assert_ok();
    }
    let mut pools = Vec::new();
    for pair in tokens.windows(2) {
        let args = (pair[0].address(), pair[1].address(), 30u16);
        let pool = chain.deploy::<Pool>(ann, args);
        for token in pair {
            chain.send(ann, token, "approve", (pool.address(), u128::MAX)).assert_ok();
        }
        let args = (1_000_000u128, 1_000_000u128, 0u128, u64::MAX);
        chain.send(ann, &pool, "add_liquidity", args).assert_ok();
        pools.push(pool.address());
    }
    let next = pools[1..].iter().chain([&ann]);
    let hop = |(pool, to): (&Address, &Address)| Hop { pool: *pool, a_in: true, to: *to };
    let path: Vec<Hop> = pools.iter().zip(next).map(hop).collect();
    let args = (tokens[0].address(), 10_000u128, pools[0], path, 9_000u128, u64::MAX);
    chain.send(ann, &router, "swap", args).assert_ok();
}

/// The longest text of an immutable, on wasm as natively.
#[test]
fn an_immutable_has_a_largest_size() {
    for mut chain in [TestChain::native(), kempe_testing::wasm(&[kempe_contracts::NFT])] {
        let owner = chain.account("owner");
        // Its length is four bytes.
        let text = |n_bytes: usize| "x".repeat(n_bytes - 4);
        chain.deploy::<Nft>(owner, (owner, text(IMMUTABLE_BYTES_MAX)));
        let refused = chain.try_deploy::<Nft>(owner, (owner, text(IMMUTABLE_BYTES_MAX + 1)));
        refused.expect_err("it is too long").assert_trap(TrapKind::TooLarge);
    }
}
