//! Settings, power, proposals, events and errors.

use kempe_math::{BASIS_POINTS, mul_div_up};
use kempe_sdk::abi::MethodId;
use kempe_sdk::prelude::*;

/// The most steps of a proposal. Ours to choose.
pub const STEPS_MAX: usize = 16;

/// The most bytes of a proposal's steps: the encoded arguments of its calls, together. Ours to choose, so that the module's memory holds a
/// proposal and its event.
pub const STEPS_BYTES_MAX: usize = 2_048;

/// The longest that any of the settings' periods lasts: 30 days. Ours to choose.
pub const PERIOD_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1_000;

/// How often an account's power can change between two times that matter, before nothing more can be locked.
/// Older changes are forgotten, once votes that could ask for them are over; ours to choose.
pub const CHANGES_MAX: usize = 32;

/// How the organization decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Settings {
    /// The time between a proposal and its vote, in milliseconds: in it whoever holds the token can still lock some
    /// to answer.
    pub delay_ms: u64,
    /// How long a vote lasts, in milliseconds; above zero.
    pub voting_ms: u64,
    /// The time between the end of a vote and the first moment of its execution, in milliseconds.
    pub timelock_ms: u64,
    /// How long a proposal can be executed, in milliseconds; above zero.
    pub grace_ms: u64,
    /// What must take part, in hundredths of a percent of the token's supply, locked or not, without what the organization
    /// itself has; votes against do not count for it.
    pub quorum_bp: u16,
    /// What must take part at least, whatever the supply. A token whose holders can make it less and then more again, such as shares
    /// of a pool or options, needs it: whoever proposes makes a part of the supply as small as their own part permits.
    /// Should the supply fall below it, nothing is decided any more, not even another one: choose far less than there will always be.
    pub quorum_min: u128,
    /// The power that a proposer needs. A proposal that changes it asks for no more than its own proposer has.
    pub threshold: u128,
}

impl Settings {
    /// Whether the organization can decide with these.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let periods = [self.delay_ms, self.voting_ms, self.timelock_ms, self.grace_ms];
        periods.iter().all(|period| *period <= PERIOD_MS_MAX)
            && self.voting_ms > 0
            && self.grace_ms > 0
            && self.quorum_bp > 0
            && u128::from(self.quorum_bp) <= BASIS_POINTS
    }
}

/// An account's power from a time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Change {
    /// The time of the block in which it changed.
    pub time_ms: u64,
    /// The tokens locked from then on.
    pub power: u128,
}

/// How an account's power changed, the oldest change first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Value)]
pub struct History {
    /// The changes.
    pub changes: Vec<Change>,
}

impl History {
    /// The power now.
    #[must_use]
    pub fn now(&self) -> u128 {
        self.changes.last().map_or(0, |change| change.power)
    }

    /// The power before the first block at a time or later.
    #[must_use]
    pub fn before(&self, time_ms: u64) -> u128 {
        let earlier = self.changes.iter().rev().find(|change| change.time_ms < time_ms);
        earlier.map_or(0, |change| change.power)
    }

    /// Notes a new power, and forgets what no vote can ask for any more: changes that were superseded
    /// before `oldest_ms`.
    ///
    /// Where there is no room for a change, less power counts from the last change on: a history may say less
    /// than there was, never more.
    ///
    /// # Errors
    /// - [`GovernanceError::TooManyChanges`]: there is no room, and the power grows.
    pub fn set(&mut self, change: Change, oldest_ms: u64) -> Result<(), GovernanceError> {
        if self.changes.last().is_some_and(|last| last.time_ms == change.time_ms) {
            self.changes.pop();
        }
        let superseded = self.changes.iter().skip(1).take_while(|next| next.time_ms < oldest_ms);
        self.changes.drain(..superseded.count());
        if self.changes.len() < CHANGES_MAX {
            self.changes.push(change);
        } else if let Some(last) = self.changes.last_mut() {
            ensure!(change.power <= last.power, GovernanceError::TooManyChanges);
            last.power = change.power;
        }
        Ok(())
    }
}

/// One thing that a proposal does.
#[derive(Clone, Debug, PartialEq, Eq, Value)]
pub enum Step {
    /// Calls a method of a contract.
    Call {
        /// The contract.
        contract: Address,
        /// The method's selector.
        method: u32,
        /// The encoded arguments.
        args: Vec<u8>,
    },
    /// Replaces the settings.
    SetSettings {
        /// The new ones.
        settings: Settings,
    },
    /// Agrees to an upgrade of a contract whose upgrade authority the organization is. Whoever sends exactly
    /// this upgrade, once and before the grace period is over, replaces the code.
    Upgrade {
        /// The contract.
        contract: Address,
        /// The hash of the terms, an [`UpgradeTerms`](kempe_sdk::abi::upgrade::UpgradeTerms): the contract, the
        /// new code, the arguments of its `migrate`, whether it may be wider, and who may upgrade it from then on.
        terms: Hash,
    },
}

/// An upgrade that was agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Agreed {
    /// The hash of its terms.
    pub terms: Hash,
    /// It can be sent before this block time.
    pub until_ms: u64,
}

impl Step {
    /// The step that calls the method with this name. Encode the arguments as a tuple.
    #[must_use]
    pub fn call(contract: Address, method: &str, args: Vec<u8>) -> Self {
        Self::Call { contract, method: MethodId::of(method).0, args }
    }

    /// The encoded arguments.
    pub(crate) fn n_bytes(&self) -> usize {
        match self {
            Self::Call { args, .. } => args.len(),
            Self::SetSettings { .. } | Self::Upgrade { .. } => 0,
        }
    }
}

/// What is to be done, and when it can be.
#[derive(Clone, Debug, PartialEq, Eq, Value)]
pub struct Proposal {
    /// Who proposed it.
    pub proposer: Address,
    /// The steps, in order; all of them or none.
    pub steps: Vec<Step>,
    /// The hash of a text that explains it.
    pub text: Hash,
    /// The power that must take part: a part of what members had of the token, or could have, when it was proposed.
    pub quorum: u128,
    /// Votes count from this block time on, and power as it was before it.
    pub begin_ms: u64,
    /// Votes count before this block time.
    pub end_ms: u64,
    /// It can be executed from this block time on.
    pub ready_ms: u64,
    /// It can be executed before this block time.
    pub expires_ms: u64,
    /// Whether it was executed or canceled.
    pub closed: bool,
}

/// The power that must take part, of a total, rounded up.
pub(crate) fn quorum(total: u128, settings: &Settings) -> u128 {
    // At most the total.
    let part = mul_div_up(total, settings.quorum_bp.into(), BASIS_POINTS).unwrap_or(total);
    part.max(settings.quorum_min)
}

/// What a voter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub enum Choice {
    /// Do not do it.
    Against,
    /// Do it.
    For,
    /// Count for the quorum only.
    Abstain,
}

/// The power behind each choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Tally {
    /// [`Choice::Against`].
    pub against: u128,
    /// [`Choice::For`].
    pub in_favor: u128,
    /// [`Choice::Abstain`].
    pub abstaining: u128,
}

/// How far a proposal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub enum Stage {
    /// The vote has not begun.
    Pending,
    /// The vote runs.
    Voting,
    /// The vote was lost, or too little power took part.
    Defeated,
    /// The vote was won; the timelock runs.
    Locked,
    /// It can be executed.
    Ready,
    /// It was not executed in time.
    Expired,
    /// It was executed or canceled.
    Closed,
}

impl Proposal {
    /// How far it is at a time.
    #[must_use]
    pub fn stage(&self, tally: &Tally, time_ms: u64) -> Stage {
        let taking_part = tally.in_favor.saturating_add(tally.abstaining);
        let won = tally.in_favor > tally.against && taking_part >= self.quorum;
        match time_ms {
            _ if self.closed => Stage::Closed,
            now if now < self.begin_ms => Stage::Pending,
            now if now < self.end_ms => Stage::Voting,
            _ if !won => Stage::Defeated,
            now if now < self.ready_ms => Stage::Locked,
            now if now < self.expires_ms => Stage::Ready,
            _ => Stage::Expired,
        }
    }
}

/// Why the organization refuses: codes 1900 to 1999.
#[error]
pub enum GovernanceError {
    /// The settings cannot decide anything, or ask for more power than their proposer has, or than there is.
    BadSettings = 1900,
    /// The amount is zero.
    ZeroAmount = 1901,
    /// The caller has locked less, or has less power than is needed.
    InsufficientPower = 1902,
    /// The caller's power changed too often lately for more to be locked.
    TooManyChanges = 1903,
    /// The proposal has no steps, too many, more than [`STEPS_BYTES_MAX`], or one that the organization must not take.
    BadProposal = 1904,
    /// The caller has used this salt before.
    AlreadyProposed = 1905,
    /// There is no such proposal.
    NoSuchProposal = 1906,
    /// The proposal is not at the stage for this.
    WrongStage = 1907,
    /// The caller has voted.
    AlreadyVoted = 1908,
    /// The caller had no power before the vote began.
    NoPower = 1909,
    /// The caller is not the proposer.
    NotProposer = 1910,
    /// The steps would pay out tokens that members have locked.
    LockedTokens = 1911,
    /// A number does not fit.
    TooLarge = 1912,
    /// Only the host asks whether an upgrade was agreed to.
    NotHost = 1913,
    /// The organization did not agree to this upgrade, or no longer does.
    NotAgreed = 1914,
}

/// An account's power changed.
#[event]
pub struct PowerChanged {
    /// Whose.
    pub of: Address,
    /// The tokens locked.
    pub power: u128,
}

/// Something was proposed.
#[event]
pub struct Proposed {
    /// The proposal.
    pub id: Hash,
    /// Who.
    pub by: Address,
    /// The hash of a text that explains it.
    pub text: Hash,
}

/// Somebody voted.
#[event]
pub struct Voted {
    /// The proposal.
    pub id: Hash,
    /// Who.
    pub by: Address,
    /// What.
    pub choice: Choice,
    /// With which power.
    pub power: u128,
}

/// A proposal was executed.
#[event]
pub struct Executed {
    /// The proposal.
    pub id: Hash,
}

/// A proposal was canceled.
#[event]
pub struct Canceled {
    /// The proposal.
    pub id: Hash,
}
