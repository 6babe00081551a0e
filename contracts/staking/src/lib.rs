//! Rewards by amount and time staked, with an unbonding period.
//!
//! Stake one token, earn another, or the same. If the staked token is a `pool`, whose shares are
//! a token, this is yield farming. A *round* ends when the rewarder pays in a reward, which is shared by tokens times seconds in
//! the round: whoever stakes a moment before gets what a moment earns.
//!
//! Sharing a reward by what is staked usually means that every stake updates a total that every other stake
//! reads. Here stakes only *add* to totals: the tokens, and tokens times the seconds of the round at which
//! they came and went. That is enough to know, when a round ends, the tokens times seconds of all of it:
//! `staked * length - came + went`. An account's own part is in its own cell, and is worth something once
//! the rate of its round is known. So calls of different accounts do not conflict here; the end of a round
//! conflicts with all of them, and comes once in a while. In the token they meet: what this contract has is one cell there. With
//! `token` stakes add to it, and withdrawals, which write it, follow one another.
//!
//! The rate of the round in which an account was last brought up to date is the one thing that it must look
//! up. A template cannot know that round, so the account says it: `since_round` is the `round` that
//! [`Staking::stake_of`] shows. A wrong one is refused, and nobody else's call changes it.
//!
//! Invariants:
//! - the contract has at least all stakes, all exits and all rewards that are owed;
//! - the rewards owed and claimed never exceed those paid in: rates and shares are rounded down, and what the rate of a
//!   round leaves of a reward is part of the next;
//! - a stake can be withdrawn once, `unbonding_s` after it stopped earning, whatever became of rewards.
//!
//! Time is in whole seconds everywhere in this contract, in what it stores, is told and says: those of the block's time, rounded
//! down, the same for everybody. In milliseconds, as elsewhere, the sums below would have a thousandth of the room.
//!
//! Rates and sums have 256 bits, so the two tokens may have any decimals: see [`Wide`]. What came and went in a round is
//! counted in two halves, and takes 64 bits of each: neither is full before 2^64 calls, so nobody keeps others from leaving, or the
//! round from its end, by going in and out with whatever there is.
//!
//! Source: the idea of a reward per token is that of Batog, Boca, Johnson, "Scalable Reward Distribution on
//! the Ethereum Blockchain" (2018).
#![no_std]

use ethnum::U256;
use kempe_sdk::interfaces::FungibleClient;
use kempe_sdk::prelude::*;

mod storage;
#[cfg(test)]
mod test;

pub use storage::{
    Claimed, Distributed, EXITS_MAX, Ended, Exit, ROUND_S_MAX, Round, SCALE, STAKE_MAX, Stake,
    Staked, StakingError, UNBONDING_S_MAX, Unstaked, Wide, Withdrawn,
};
use storage::{halves, narrow, seconds, sum, whole};

/// Stakes in one token, rewards in another.
#[contract]
#[derive(Debug)]
pub struct Staking {
    /// What is staked.
    stake_token: Immutable<Address>,
    /// What is earned.
    reward_token: Immutable<Address>,
    /// Who gives rewards.
    rewarder: Immutable<Address>,
    /// How long an amount that stopped earning stays, in seconds.
    unbonding_s: Immutable<u64>,
    /// The round that runs.
    current: Item<Round>,
    /// Rounds that are over, by number.
    rounds: Map<u64, Ended>,
    /// What all accounts have at stake.
    staked: Counter<u128>,
    /// Tokens that came in this round, times the seconds of the round that had passed: in halves, the upper under `true`.
    came: Map<bool, Counter<u128>>,
    /// Tokens that went in this round, times the seconds of the round that had passed: in halves, the upper under `true`.
    went: Map<bool, Counter<u128>>,
    /// What each account has.
    stakes: Map<Address, Stake>,
}

#[contract]
impl Staking {
    /// Sets up the contract; the first round begins.
    ///
    /// # Arguments
    /// - `stake_token`: what is staked. Not one that takes a fee out of transfers.
    /// - `reward_token`: what is earned; may be the same. Not one that takes a fee, either.
    /// - `rewarder`: who ends rounds by paying rewards. It stays: choose a multisig or an organization whose members change. A
    ///   `governance` can pay rewards in any token but the one that its members lock, of which it makes no allowance.
    /// - `unbonding_s`: how many seconds an amount stays after it stopped earning; at most [`UNBONDING_S_MAX`].
    ///
    /// # Errors
    /// - [`StakingError::TooLarge`]: the unbonding period.
    pub fn init(
        &mut self,
        stake_token: Address,
        reward_token: Address,
        rewarder: Address,
        unbonding_s: u64,
    ) -> Result<(), StakingError> {
        ensure!(unbonding_s <= UNBONDING_S_MAX, StakingError::TooLarge);
        self.stake_token.set(stake_token);
        self.reward_token.set(reward_token);
        self.rewarder.set(rewarder);
        self.unbonding_s.set(unbonding_s);
        self.current.put(Round { number: 1, start_s: now_s(), ..Round::default() });
        Ok(())
    }

    /// Stakes an amount, out of the caller's allowance.
    ///
    /// # Arguments
    /// - `amount`: how much.
    /// - `since_round`: the `round` of the caller's stake; anything before the first stake.
    ///
    /// # Errors
    /// - [`StakingError::ZeroAmount`], [`StakingError::WrongRound`].
    /// - [`StakingError::TooLarge`]: the stake would exceed [`STAKE_MAX`].
    ///
    /// And whatever the token refuses with.
    ///
    /// # Events
    /// [`Staked`].
    #[access(
        read(current, rounds[since_round]),
        write(stakes[caller]),
        add(staked, came[true], came[false]),
        calls(stake_token.transfer_from(caller, this, amount))
    )]
    pub fn stake(&mut self, amount: u128, since_round: u64) -> Result<(), StakingError> {
        ensure!(amount > 0, StakingError::ZeroAmount);
        let (by, current) = (caller(), self.current.get().unwrap_or_default());
        let mut stake = self.settle(by, &current, since_round)?;
        stake.amount = sum(stake.amount, amount)?;
        ensure!(stake.amount <= STAKE_MAX, StakingError::TooLarge);
        self.stakes.put(by, stake);
        self.staked.add(amount);
        let (upper, lower) = halves(moment(amount, &current)?);
        self.came.add(true, upper);
        self.came.add(false, lower);
        FungibleClient::new(self.stake_token.get()).transfer_from(by, this(), amount);
        emit(Staked { by, amount });
        Ok(())
    }

    /// Lets an amount stop earning; it can be withdrawn after the unbonding period.
    ///
    /// # Arguments
    /// - `amount`: how much.
    /// - `since_round`: the `round` of the caller's stake.
    ///
    /// # Errors
    /// - [`StakingError::ZeroAmount`], [`StakingError::InsufficientStake`],
    ///   [`StakingError::WrongRound`], [`StakingError::TooManyExits`], [`StakingError::TooLarge`].
    ///
    /// # Events
    /// [`Unstaked`].
    #[access(
        read(current, rounds[since_round]),
        write(stakes[caller]),
        add(staked, went[true], went[false])
    )]
    pub fn unstake(&mut self, amount: u128, since_round: u64) -> Result<(), StakingError> {
        ensure!(amount > 0, StakingError::ZeroAmount);
        let (by, current) = (caller(), self.current.get().unwrap_or_default());
        let mut stake = self.settle(by, &current, since_round)?;
        ensure!(amount <= stake.amount, StakingError::InsufficientStake);
        ensure!(stake.exits.len() < EXITS_MAX, StakingError::TooManyExits);
        let ready_s = now_s().saturating_add(self.unbonding_s.get());
        stake.amount -= amount;
        stake.exits.push(Exit { amount, ready_s });
        self.stakes.put(by, stake);
        self.staked.sub(amount);
        let (upper, lower) = halves(moment(amount, &current)?);
        self.went.add(true, upper);
        self.went.add(false, lower);
        emit(Unstaked { by, amount, ready_s });
        Ok(())
    }

    /// Pays the caller every amount whose unbonding period is over.
    ///
    /// Returns how much.
    ///
    /// # Errors
    /// - [`StakingError::Nothing`]: none is ready.
    ///
    /// # Events
    /// [`Withdrawn`].
    #[access(write(stakes[caller]), calls(stake_token.transfer(caller, _)))]
    pub fn withdraw(&mut self) -> Result<u128, StakingError> {
        let (by, now_s) = (caller(), now_s());
        let mut stake = self.stakes.get(by);
        let ready = stake.exits.iter().filter(|exit| exit.ready_s <= now_s);
        let amount = ready.fold(0, |amount, exit| amount + exit.amount);
        ensure!(amount > 0, StakingError::Nothing);
        stake.exits.retain(|exit| exit.ready_s > now_s);
        self.stakes.put(by, stake);
        FungibleClient::new(self.stake_token.get()).transfer(by, amount);
        emit(Withdrawn { by, amount });
        Ok(amount)
    }

    /// Pays the caller what it earned in rounds that are over.
    ///
    /// # Arguments
    /// - `since_round`: the `round` of the caller's stake.
    ///
    /// Returns how much.
    ///
    /// # Errors
    /// - [`StakingError::WrongRound`], [`StakingError::TooLarge`].
    /// - [`StakingError::Nothing`]: nothing is owed.
    ///
    /// # Events
    /// [`Claimed`].
    #[access(
        read(current, rounds[since_round]),
        write(stakes[caller]),
        calls(reward_token.transfer(caller, _))
    )]
    pub fn claim(&mut self, since_round: u64) -> Result<u128, StakingError> {
        let (by, current) = (caller(), self.current.get().unwrap_or_default());
        let mut stake = self.settle(by, &current, since_round)?;
        let amount = core::mem::take(&mut stake.owed);
        ensure!(amount > 0, StakingError::Nothing);
        self.stakes.put(by, stake);
        FungibleClient::new(self.reward_token.get()).transfer(by, amount);
        emit(Claimed { by, amount });
        Ok(amount)
    }

    /// Ends the round: shares a reward, out of the caller's allowance, by tokens times seconds in it.
    ///
    /// # Arguments
    /// - `amount`: the reward. What rounding leaves of it is added to the next one.
    /// - `round`: the number of the round that runs.
    ///
    /// # Errors
    /// - [`StakingError::NotRewarder`], [`StakingError::ZeroAmount`], [`StakingError::WrongRound`].
    /// - [`StakingError::NothingStaked`]: no token was there for a second.
    /// - [`StakingError::TooSmall`]: the reward for a token and a second rounds to nothing.
    /// - [`StakingError::TooLarge`]: with what was left it is beyond 128 bits.
    ///
    /// # Events
    /// [`Distributed`].
    #[access(
        read(staked),
        write(current, rounds[round], came[true], came[false], went[true], went[false]),
        calls(reward_token.transfer_from(caller, this, amount))
    )]
    pub fn distribute(&mut self, amount: u128, round: u64) -> Result<(), StakingError> {
        ensure!(caller() == self.rewarder.get(), StakingError::NotRewarder);
        ensure!(amount > 0, StakingError::ZeroAmount);
        let current = self.current.get().unwrap_or_default();
        ensure!(round == current.number, StakingError::WrongRound);
        let end_s = until_s(&current);
        let length = U256::from(end_s.saturating_sub(current.start_s));
        // Beyond 128 bits where many accounts have large stakes. What came is still there or went later.
        let most = U256::from(self.staked.get()) * length + whole(|half| self.went.get(half));
        let weight = most.checked_sub(whole(|half| self.came.get(half)));
        let weight = weight.ok_or(StakingError::TooLarge)?;
        ensure!(weight > U256::ZERO, StakingError::NothingStaked);
        let total = sum(amount, current.left)?;
        let scaled = U256::from(total) * U256::from(SCALE);
        let rate = scaled / weight;
        ensure!(rate > U256::ZERO, StakingError::TooSmall);
        // What all shares of this rate are, rounded up, at most the total.
        let shared = narrow((rate * weight + U256::from(SCALE - 1)) / U256::from(SCALE))?;
        let earned = current.earned.get().wrapping_add(rate.wrapping_mul(length)).into();
        self.rounds.put(round, Ended { end_s, rate: rate.into(), earned });
        let left = total - shared;
        self.current.put(Round { number: round + 1, start_s: now_s(), earned, left });
        for half in [true, false] {
            self.came.put(half, 0);
            self.went.put(half, 0);
        }
        FungibleClient::new(self.reward_token.get()).transfer_from(caller(), this(), amount);
        emit(Distributed { round, amount, weight: weight.into(), left });
        Ok(())
    }

    /// What an account has in the contract, as of when it was last brought up to date.
    #[access(read(stakes[of]))]
    pub fn stake_of(&self, of: Address) -> Stake {
        self.stakes.get(of)
    }

    /// What an account could claim now.
    ///
    /// # Errors
    /// - [`StakingError::WrongRound`], [`StakingError::TooLarge`].
    #[access(read(current, stakes[of], rounds[since_round]))]
    pub fn claimable(&self, of: Address, since_round: u64) -> Result<u128, StakingError> {
        let current = self.current.get().unwrap_or_default();
        self.settle(of, &current, since_round).map(|stake| stake.owed)
    }

    /// The round that runs.
    #[access(read(current))]
    pub fn current(&self) -> Round {
        self.current.get().unwrap_or_default()
    }

    /// What all accounts have at stake.
    #[access(read(staked))]
    pub fn total_staked(&self) -> u128 {
        self.staked.get()
    }

    /// An account's stake, up to date.
    fn settle(&self, of: Address, current: &Round, since: u64) -> Result<Stake, StakingError> {
        let stake = self.stakes.get(of);
        ensure!(stake.round == 0 || stake.round == since, StakingError::WrongRound);
        let ended = self.rounds.try_get(since);
        stake.settled(current, ended.as_ref(), until_s(current))
    }
}

/// The contract's clock: the block's time in whole seconds since 1970.
fn now_s() -> u64 {
    time_ms() / 1_000
}

/// Until when the round reckons: a round that lasts too long counts no more time, so that a stake can leave it.
fn until_s(current: &Round) -> u64 {
    now_s().min(current.start_s.saturating_add(ROUND_S_MAX))
}

/// Tokens times the seconds of the round that have passed.
fn moment(amount: u128, current: &Round) -> Result<u128, StakingError> {
    seconds(amount, current.start_s, until_s(current))
}
