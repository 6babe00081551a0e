//! Stakes, rounds, events and errors.

use ethnum::U256;
use kempe_sdk::prelude::*;

/// What rates are multiplied by: 10^36. Large, because a reward is shared by many tokens and many seconds, and the reward's
/// units may be much larger than those of what is staked.
pub const SCALE: u128 = 1_000_000_000_000_000_000_000_000_000_000_000_000;

/// The largest stake of one account: 2^96, so that a stake times the seconds of a round fits. Ours to
/// choose.
pub const STAKE_MAX: u128 = 1 << 96;

/// The longest round, in seconds: 34 years, see [`STAKE_MAX`]. What is staked longer in one round earns no more in it.
pub const ROUND_S_MAX: u64 = 1 << 30;

/// The longest unbonding period, in seconds: a year. Ours to choose.
pub const UNBONDING_S_MAX: u64 = 365 * 24 * 60 * 60;

/// The most amounts that one account can have on their way out. Ours to choose.
pub const EXITS_MAX: usize = 8;

/// A number of 256 bits, `high * 2^128 + low`; a rate or a sum of them times [`SCALE`].
///
/// A rate fits: a reward has 128 bits and [`SCALE`] has 120. What a token has earned since the beginning may wrap around,
/// because it counts rounds in which hardly anything was staked. The difference of two such sums is right for every stake
/// that was there in between: of each round its part, the rate times its tokens and seconds, is at most the reward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Wide {
    /// What is above the lower 128 bits.
    pub high: u128,
    /// The lower 128 bits.
    pub low: u128,
}

impl Wide {
    pub(crate) const fn get(self) -> U256 {
        U256::from_words(self.high, self.low)
    }
}

impl From<U256> for Wide {
    fn from(number: U256) -> Self {
        let (high, low) = number.into_words();
        Self { high, low }
    }
}

/// A number that is at most an amount.
pub(crate) fn narrow(number: U256) -> Result<u128, StakingError> {
    u128::try_from(number).map_err(|_| StakingError::TooLarge)
}

/// What tokens, or tokens times seconds, earn at a rate, rounded down.
fn earned(tokens: u128, rate: U256) -> Result<u128, StakingError> {
    let scaled = U256::from(tokens).checked_mul(rate).ok_or(StakingError::TooLarge)?;
    narrow(scaled / U256::from(SCALE))
}

/// The round that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Round {
    /// Its number, from one on.
    pub number: u64,
    /// When it began, in seconds since 1970.
    pub start_s: u64,
    /// What one token that was there from the beginning has earned up to this round.
    pub earned: Wide,
    /// What rounding left of the rewards so far: the next one's.
    pub left: u128,
}

/// A round that is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Ended {
    /// When it ended, in seconds since 1970.
    pub end_s: u64,
    /// What one token earned in each of its seconds.
    pub rate: Wide,
    /// What one token that was there from the beginning has earned up to its end.
    pub earned: Wide,
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
    /// From when on it can be withdrawn, in seconds since 1970.
    pub ready_s: u64,
}

impl Stake {
    /// The same stake, up to date.
    ///
    /// # Arguments
    /// - `current`: the round that runs.
    /// - `ended`: the round of this stake, if it is over.
    /// - `now_s`: the time, in seconds since 1970.
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
            let last = earned(last, ended.rate.get())?;
            let since = current.earned.get().wrapping_sub(ended.earned.get());
            let whole = if self.amount == 0 { 0 } else { earned(self.amount, since)? };
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

/// The upper and the lower 64 bits.
pub(crate) fn halves(moment: u128) -> (u128, u128) {
    (moment >> 64, moment & u128::from(u64::MAX))
}

/// What sums of [`halves`] are together; the upper is under `true`.
pub(crate) fn whole(sum_of: impl Fn(bool) -> u128) -> U256 {
    (U256::from(sum_of(true)) << 64u32) + U256::from(sum_of(false))
}

pub(crate) fn sum(a: u128, b: u128) -> Result<u128, StakingError> {
    a.checked_add(b).ok_or(StakingError::TooLarge)
}

/// Why the contract refuses: codes 1400 to 1499.
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
    /// The reward is so small, for what is staked, that nobody would have any of it.
    TooSmall = 1408,
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
    /// From when on it can be withdrawn, in seconds since 1970.
    pub ready_s: u64,
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
    /// Tokens times seconds that share it, and what was left of the one before.
    pub weight: Wide,
    /// What rounding left of them for the next round.
    pub left: u128,
}
