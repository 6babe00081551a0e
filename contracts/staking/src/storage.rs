//! Stakes, rounds, events and errors.

use kempe_math::mul_div_down;
use kempe_sdk::prelude::*;

/// What rates are multiplied by. Large, because a reward is shared by many tokens and many seconds.
pub const SCALE: u128 = 1_000_000_000_000_000_000_000_000;

/// The largest stake of one account: 2^96, so that a stake times the seconds of a round fits. Ours to
/// choose.
pub const STAKE_MAX: u128 = 1 << 96;

/// The longest round, in seconds: 34 years, see [`STAKE_MAX`].
pub const ROUND_SECONDS_MAX: u64 = 1 << 30;

/// The most amounts that one account can have on their way out. Ours to choose.
pub const EXITS_MAX: usize = 8;

/// The round that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Round {
    /// Its number, from one on.
    pub number: u64,
    /// When it began, in seconds since 1970.
    pub start_s: u64,
    /// What one token that was there from the beginning has earned up to this round, times [`SCALE`].
    pub earned: u128,
}

/// A round that is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Ended {
    /// When it ended, in seconds since 1970.
    pub end_s: u64,
    /// What one token earned in each of its seconds, times [`SCALE`].
    pub rate: u128,
    /// What one token that was there from the beginning has earned up to its end, times [`SCALE`].
    pub earned: u128,
}

/// What an account has in the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq, Value)]
pub struct Stake {
    /// What earns.
    pub amount: u128,
    /// The round in which this was brought up to date; zero for an account that never staked.
    pub round: u64,
    /// When, in seconds since 1970.
    pub time_s: u64,
    /// Tokens times seconds in that round up to then, for which there is no rate yet.
    pub weight: u128,
    /// What was earned in rounds that are over, and not claimed.
    pub owed: u128,
    /// What is on its way out.
    pub exits: Vec<Exit>,
}

/// An amount that no longer earns and is not paid out yet.
#[derive(Clone, Debug, PartialEq, Eq, Value)]
pub struct Exit {
    /// How much.
    pub amount: u128,
    /// From which block time on it can be withdrawn.
    pub ready_ms: u64,
}

impl Stake {
    /// The same stake, up to date.
    ///
    /// # Arguments
    /// - `current`: the round that runs.
    /// - `ended`: the round of this stake, if it is over.
    /// - `now_s`: the time.
    ///
    /// # Errors
    /// - [`StakingError::TooLarge`].
    pub fn settled(
        mut self,
        current: &Round,
        ended: Option<&Ended>,
        now_s: u64,
    ) -> Result<Self, StakingError> {
        if self.round == 0 {
            (self.round, self.time_s) = (current.number, now_s);
            return Ok(self);
        }
        let from_s = if self.round < current.number {
            // The caller checked that it is the round of this stake, and a round that is over has ended.
            let ended = ended.ok_or(StakingError::WrongRound)?;
            let last = sum(self.weight, seconds(self.amount, self.time_s, ended.end_s)?)?;
            let whole = current.earned.checked_sub(ended.earned).ok_or(StakingError::TooLarge)?;
            let last = mul_div_down(last, ended.rate, SCALE).ok_or(StakingError::TooLarge)?;
            let whole = mul_div_down(self.amount, whole, SCALE).ok_or(StakingError::TooLarge)?;
            self.owed = sum(self.owed, sum(last, whole)?)?;
            (self.weight, self.round) = (0, current.number);
            current.start_s
        } else {
            self.time_s
        };
        self.weight = sum(self.weight, seconds(self.amount, from_s, now_s)?)?;
        self.time_s = now_s;
        Ok(self)
    }
}

/// Tokens times seconds.
pub(crate) fn seconds(amount: u128, from_s: u64, to_s: u64) -> Result<u128, StakingError> {
    amount.checked_mul(to_s.saturating_sub(from_s).into()).ok_or(StakingError::TooLarge)
}

pub(crate) fn sum(a: u128, b: u128) -> Result<u128, StakingError> {
    a.checked_add(b).ok_or(StakingError::TooLarge)
}

/// Why the contract refuses.
#[error]
pub enum StakingError {
    /// The amount is zero.
    ZeroAmount = 1400,
    /// The caller has less at stake.
    InsufficientStake = 1401,
    /// The round is not that of the caller's stake, or not the one that runs.
    WrongRound = 1402,
    /// The caller is not the one who gives rewards.
    NotRewarder = 1403,
    /// Nothing was staked in this round, so that nobody could have the reward.
    NothingStaked = 1404,
    /// There is nothing to claim, or nothing to withdraw yet.
    Nothing = 1405,
    /// Too many amounts are on their way out: withdraw those that are ready first.
    TooManyExits = 1406,
    /// A number is larger than the contract reckons with.
    TooLarge = 1407,
}

/// An amount earns from now on.
#[event]
pub struct Staked {
    /// Whose.
    pub by: Address,
    /// How much.
    pub amount: u128,
}

/// An amount earns no longer.
#[event]
pub struct Unstaked {
    /// Whose.
    pub by: Address,
    /// How much.
    pub amount: u128,
    /// From which block time on it can be withdrawn.
    pub ready_ms: u64,
}

/// An amount left the contract.
#[event]
pub struct Withdrawn {
    /// Whose.
    pub by: Address,
    /// How much.
    pub amount: u128,
}

/// A reward was paid out.
#[event]
pub struct Claimed {
    /// To whom.
    pub by: Address,
    /// How much.
    pub amount: u128,
}

/// A round ended.
#[event]
pub struct Distributed {
    /// Its number.
    pub round: u64,
    /// The reward.
    pub amount: u128,
    /// Tokens times seconds that share it.
    pub weight: u128,
}
