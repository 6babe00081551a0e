//! The rules of staking, run natively.

extern crate std;

use kempe_sdk::prelude::*;
use kempe_sdk::testing::{Instance, Receipt, TestChain};
use kempe_token::Token;

use crate::{
    Claimed, Distributed, EXITS_MAX, Ended, Exit, ROUND_S_MAX, Round, STAKE_MAX, Stake, Staked,
    Staking, StakingError, UNBONDING_S_MAX, Unstaked, Wide, Withdrawn,
};

const UNBONDING_S: u64 = 10;

struct Setup {
    chain: TestChain,
    token: Instance<Token>,
    reward: Instance<Token>,
    staking: Instance<Staking>,
    rewarder: Address,
    ann: Address,
    ben: Address,
    /// When the first round began.
    start_s: u64,
}

fn wide(low: u128) -> Wide {
    Wide { high: 0, low }
}

fn setup() -> Setup {
    let mut chain = TestChain::native();
    let [rewarder, ann, ben] = ["rewarder", "ann", "ben"].map(|name| chain.account(name));
    let token = chain.deploy::<Token>(rewarder, (rewarder,));
    let reward = chain.deploy::<Token>(rewarder, (rewarder,));
    let start_s = chain.time_ms() / 1_000;
    let args = (token.address(), reward.address(), rewarder, UNBONDING_S);
    let staking = chain.deploy::<Staking>(rewarder, args);
    for (token, who) in [(&token, ann), (&token, ben), (&reward, rewarder)] {
        chain.send(rewarder, token, "mint", (who, STAKE_MAX * 2)).assert_ok();
        chain.send(who, token, "approve", (staking.address(), u128::MAX)).assert_ok();
    }
    Setup { chain, token, reward, staking, rewarder, ann, ben, start_s }
}

impl Setup {
    /// The next block is this many seconds after the start.
    fn at(&mut self, seconds: u64) {
        let now = self.chain.time_ms();
        self.chain.advance_ms((self.start_s + seconds) * 1_000 - now);
    }

    fn stake_of(&mut self, of: Address) -> Stake {
        self.chain.view(&self.staking, "stake_of", (of,))
    }

    /// A call with the round that the caller's stake has.
    fn act(&mut self, by: Address, method: &str, amount: u128) -> Receipt {
        let round = self.stake_of(by).round;
        self.chain.send(by, &self.staking, method, (amount, round))
    }

    fn distribute(&mut self, amount: u128) -> Receipt {
        let round = self.chain.view::<Round>(&self.staking, "current", ()).number;
        self.chain.send(self.rewarder, &self.staking, "distribute", (amount, round))
    }

    fn claim(&mut self, by: Address) -> Receipt {
        let round = self.stake_of(by).round;
        self.chain.send(by, &self.staking, "claim", (round,))
    }

    fn claimable(&mut self, of: Address) -> u128 {
        let round = self.stake_of(of).round;
        self.chain.view(&self.staking, "claimable", (of, round))
    }
}

#[test]
fn a_reward_is_shared_by_tokens_times_seconds() {
    let mut s = setup();
    s.at(10);
    let receipt = s.act(s.ann, "stake", 100);
    assert_eq!(receipt.events::<Staked>(), [Staked { by: s.ann, amount: 100 }]);
    s.at(60);
    s.act(s.ben, "stake", 300).assert_ok();
    s.at(110);
    // 100 tokens for 100 seconds, 300 for 50.
    let receipt = s.distribute(2_500);
    let event = Distributed { round: 1, amount: 2_500, weight: wide(25_000), left: 0 };
    assert_eq!(receipt.events::<Distributed>(), [event]);
    assert_eq!((s.claimable(s.ann), s.claimable(s.ben)), (1_000, 1_500));
    s.at(120);
    // A round in which nothing changes: 100 to 300.
    s.distribute(400).assert_ok();
    let receipt = s.claim(s.ann);
    assert_eq!(receipt.events::<Claimed>(), [Claimed { by: s.ann, amount: 1_100 }]);
    assert_eq!(s.claim(s.ben).value::<u128>(), 1_800);
    s.claim(s.ben).assert_revert(StakingError::Nothing);
    assert_eq!(s.chain.view::<u128>(&s.reward, "balance", (s.staking.address(),)), 0);
    assert_eq!(s.chain.view::<u128>(&s.staking, "total_staked", ()), 400);
}

#[test]
fn coming_for_a_moment_earns_a_moment() {
    let mut s = setup();
    s.at(10);
    s.act(s.ann, "stake", 1).assert_ok();
    s.at(1_009);
    s.act(s.ben, "stake", 1_000).assert_ok();
    s.distribute(1_999).assert_ok();
    // At 1,010: a thousand seconds of one token, one second of a thousand.
    assert_eq!((s.claimable(s.ann), s.claimable(s.ben)), (999, 999));
}

#[test]
fn unstaking_stops_earning_and_pays_after_the_unbonding_period() {
    let mut s = setup();
    s.at(10);
    s.act(s.ann, "stake", 100).assert_ok();
    s.at(20);
    s.act(s.ben, "stake", 100).assert_ok();
    s.at(30);
    let ready_s = s.start_s + 30 + UNBONDING_S;
    // The block's time has no whole seconds: only those count.
    s.chain.advance_ms(999);
    let receipt = s.act(s.ann, "unstake", 60);
    assert_eq!(receipt.events::<Unstaked>(), [Unstaked { by: s.ann, amount: 60, ready_s }]);
    assert_eq!(s.stake_of(s.ann).exits, [Exit { amount: 60, ready_s }]);
    s.chain.send(s.ann, &s.staking, "withdraw", ()).assert_revert(StakingError::Nothing);
    s.at(40);
    let receipt = s.chain.send(s.ann, &s.staking, "withdraw", ());
    assert_eq!(receipt.events::<Withdrawn>(), [Withdrawn { by: s.ann, amount: 60 }]);
    s.at(50);
    // ann: 100 for 20 seconds and 40 for 20; ben: 100 for 30.
    s.distribute(5_800).assert_ok();
    assert_eq!((s.claimable(s.ann), s.claimable(s.ben)), (2_800, 3_000));
    s.act(s.ann, "unstake", 41).assert_revert(StakingError::InsufficientStake);
    s.act(s.ann, "unstake", 40).assert_ok();
    assert_eq!(s.claim(s.ann).value::<u128>(), 2_800);
    s.at(100);
    // ann: 40 for 2 seconds; ben: 100 for 50.
    s.distribute(500).assert_ok();
    assert_eq!((s.claimable(s.ann), s.claimable(s.ben)), (500 * 80 / 5_080, 3_000 + 492));
}

#[test]
fn refusals() {
    let mut s = setup();
    s.act(s.ann, "stake", 0).assert_revert(StakingError::ZeroAmount);
    s.act(s.ann, "unstake", 0).assert_revert(StakingError::ZeroAmount);
    s.act(s.ann, "stake", STAKE_MAX + 1).assert_revert(StakingError::TooLarge);
    s.act(s.ann, "unstake", 1).assert_revert(StakingError::InsufficientStake);
    s.distribute(5).assert_revert(StakingError::NothingStaked);
    s.distribute(0).assert_revert(StakingError::ZeroAmount);
    s.chain
        .send(s.ann, &s.staking, "distribute", (5u128, 1u64))
        .assert_revert(StakingError::NotRewarder);
    s.act(s.ann, "stake", STAKE_MAX).assert_ok();
    for method in ["stake", "unstake"] {
        s.chain
            .send(s.ann, &s.staking, method, (1u128, 2u64))
            .assert_revert(StakingError::WrongRound);
    }
    s.chain.send(s.ann, &s.staking, "claim", (0u64,)).assert_revert(StakingError::WrongRound);
    s.chain
        .view_as(s.ann, &s.staking, "claimable", (s.ann, 7u64))
        .assert_revert(StakingError::WrongRound);
    s.chain
        .send(s.rewarder, &s.staking, "distribute", (5u128, 2u64))
        .assert_revert(StakingError::WrongRound);
    for _ in 0..EXITS_MAX {
        s.act(s.ann, "unstake", 1).assert_ok();
    }
    s.act(s.ann, "unstake", 1).assert_revert(StakingError::TooManyExits);
}

/// A reward of few units for a stake of many is shared, what is left of it is the next one's, and one that nobody would have
/// any of is refused.
#[test]
fn a_small_reward_for_a_large_stake_is_not_lost() {
    let mut s = setup();
    s.at(10);
    s.act(s.ann, "stake", STAKE_MAX).assert_ok();
    s.at(16);
    // Six seconds of 7.9 * 10^28.
    s.distribute(300_000).assert_ok();
    let first = s.claimable(s.ann);
    assert!((299_999..=300_000).contains(&first), "{first}");
    // Three accounts' parts do not come out even: nothing of it is lost but for a unit each.
    s.act(s.ben, "stake", STAKE_MAX / 7 * 3).assert_ok();
    let mut given = 300_000;
    for n in 1..20 {
        s.chain.advance_ms(n * 1_000);
        s.distribute(100 + u128::from(n)).assert_ok();
        given += 100 + u128::from(n);
    }
    let left = s.chain.view::<Round>(&s.staking, "current", ()).left;
    let shared = s.claimable(s.ann) + s.claimable(s.ben);
    assert!(given - left - shared <= 4, "{given} {left} {shared}");
}

/// Rewards of many units for a stake of few: rounds end for ever, and what was earned is right across every size of sum.
#[test]
fn a_large_reward_for_a_small_stake_goes_on() {
    let mut s = setup();
    s.chain.send(s.rewarder, &s.reward, "mint", (s.rewarder, 1u128 << 120)).assert_ok();
    s.at(10);
    s.act(s.ann, "stake", 1).assert_ok();
    for _ in 0..8 {
        s.chain.advance_ms(1_000);
        s.distribute(1 << 110).assert_ok();
    }
    let claimable = s.claimable(s.ann);
    assert!(((8 << 110) - 16..=8 << 110).contains(&claimable), "{claimable}");
    s.act(s.ben, "stake", 1).assert_ok();
    s.chain.advance_ms((1 << 29) * 1_000);
    s.distribute(1 << 110).assert_ok();
    let (ann, ben) = (s.claimable(s.ann), s.claimable(s.ben));
    assert!(ann + ben <= 9 << 110 && 9 << 110 < ann + ben + (1 << 20), "{ann} {ben}");
    // The sums wrap around: the difference is right.
    let stake = Stake { amount: 3, round: 1, ..Stake::default() };
    let ended = Ended { end_s: 0, rate: wide(0), earned: Wide { high: u128::MAX, low: u128::MAX } };
    let current = Round { number: 2, earned: wide(crate::SCALE * 5 - 1), ..Round::default() };
    assert_eq!(stake.settled(&current, Some(&ended), 0).unwrap().owed, 15);
}

/// Neither a round without an end nor large stakes of many keep a stake in the contract, or a round from its end.
#[test]
fn a_stake_leaves_whatever_became_of_rewards() {
    let mut s = setup();
    s.at(10);
    for who in [s.ann, s.ben] {
        s.act(who, "stake", STAKE_MAX).assert_ok();
    }
    // Six times as much would be more than 128 bits.
    let more = ["c", "d", "e", "f"].map(|name| s.chain.account(name));
    for who in more {
        s.chain.send(s.rewarder, &s.token, "mint", (who, STAKE_MAX)).assert_ok();
        s.chain.send(who, &s.token, "approve", (s.staking.address(), u128::MAX)).assert_ok();
        s.act(who, "stake", STAKE_MAX).assert_ok();
    }
    s.chain.advance_ms((ROUND_S_MAX - 1_000) * 1_000);
    let before = s.chain.snapshot();
    s.distribute(6_000_000).assert_ok();
    let claimable = s.claimable(s.ann);
    // The rate of so long a round of so much has four digits; what it leaves is part of the next reward.
    assert!((999_900..=1_000_010).contains(&claimable), "{claimable}");
    s.chain = before;
    // Beyond the longest round time stands still, and everything else goes on.
    s.chain.advance_ms(2 * ROUND_S_MAX * 1_000);
    s.act(s.ann, "unstake", STAKE_MAX).assert_ok();
    s.distribute(6_000_000).assert_ok();
    s.act(s.ben, "unstake", STAKE_MAX).assert_ok();
    s.chain.advance_ms(UNBONDING_S * 1_000);
    s.chain.send(s.ann, &s.staking, "withdraw", ()).assert_ok();
    let claimable = s.claimable(s.ann);
    assert!((999_900..=1_000_010).contains(&claimable), "{claimable}");
}

/// Whoever goes in and out with all that there is fills no sum: others leave, and share the reward.
#[test]
fn going_in_and_out_keeps_nobody_in() {
    let mut s = setup();
    s.act(s.ben, "stake", STAKE_MAX).assert_ok();
    s.chain.advance_ms((ROUND_S_MAX - 1_000) * 1_000);
    for _ in 0..20 {
        s.act(s.ann, "stake", STAKE_MAX).assert_ok();
        s.act(s.ann, "unstake", STAKE_MAX).assert_ok();
        s.chain.advance_ms(UNBONDING_S * 1_000);
        s.chain.send(s.ann, &s.staking, "withdraw", ()).assert_ok();
    }
    s.act(s.ben, "unstake", STAKE_MAX / 2).assert_ok();
    s.distribute(1_000_000_000).assert_ok();
    // All of a round of 34 years, and twenty seconds of it.
    let (ben, ann) = (s.claimable(s.ben), s.claimable(s.ann));
    assert!(ann < 20 && (999_999_900..=1_000_000_000).contains(&(ben + ann)), "{ben} {ann}");
    // The next round's sums begin at nothing: a second of half a stake, ten of a hundred.
    s.act(s.ben, "unstake", STAKE_MAX / 2).assert_ok();
    s.act(s.ann, "stake", 100).assert_ok();
    s.chain.advance_ms(9_000);
    let events = s.distribute(900).events::<Distributed>();
    assert_eq!(events[0].weight, wide(STAKE_MAX / 2 + 1_000));
}

#[test]
fn numbers_that_are_too_large() {
    let mut s = setup();
    let args = (s.token.address(), s.reward.address(), s.rewarder, UNBONDING_S_MAX + 1);
    let refused = s.chain.try_deploy::<Staking>(s.rewarder, args);
    refused.unwrap_err().assert_revert(StakingError::TooLarge);
    let stake = Stake { amount: 2, round: 1, ..Stake::default() };
    let current = Round { number: 2, start_s: 5, ..Round::default() };
    let most = Wide { high: u128::MAX, low: u128::MAX };
    let ended = Ended { end_s: 5, rate: most, earned: wide(0) };
    for ended in [Some(&ended), None] {
        let error = ended.map_or(StakingError::WrongRound, |_| StakingError::TooLarge);
        assert_eq!(stake.clone().settled(&current, ended, 6), Err(error));
    }
    // A reward of which nobody would have anything: a unit, for more than 10^36 tokens times seconds.
    for who in [s.ann, s.ben] {
        s.act(who, "stake", STAKE_MAX).assert_ok();
    }
    s.chain.advance_ms((1 << 29) * 1_000);
    s.distribute(1).assert_revert(StakingError::TooSmall);
    s.distribute(1_000).assert_ok();
}

#[test]
fn accounts_do_not_wait_for_each_other() {
    let mut s = setup();
    // Another token on the way in than on the way out of another contract would not matter: what the
    // token declares for its receiver's balance does. Unstaking and claiming touch no shared balance.
    for who in [s.ann, s.ben] {
        s.act(who, "stake", 100).assert_ok();
    }
    let report = s.chain.block([
        s.staking.tx(s.ann, "unstake", (10u128, 1u64)),
        s.staking.tx(s.ben, "unstake", (20u128, 1u64)),
        s.staking.tx(s.rewarder, "distribute", (5u128, 1u64)),
    ]);
    report.assert_ok().assert_batches(&[&[0, 1], &[2]]);
    assert_eq!(s.chain.view::<u128>(&s.token, "balance", (s.staking.address(),)), 200);
}
