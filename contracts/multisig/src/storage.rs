//! Members, proposals, events and errors.

use kempe_sdk::abi::MethodId;
use kempe_sdk::prelude::*;

/// The most members. Executing reads an approval of each; ours to choose.
pub const MEMBERS_MAX: usize = 32;

/// The most steps of a proposal. Ours to choose.
pub const STEPS_MAX: usize = 16;

/// The most bytes of a proposal's steps: the encoded arguments of its calls and the addresses of its boards, together. Ours to choose,
/// so that the module's memory holds a proposal and its event.
pub const STEPS_BYTES_MAX: usize = 2_048;

/// The longest that a proposal can be executed: 90 days. Ours to choose.
pub const LIFE_MS_MAX: u64 = 90 * 24 * 60 * 60 * 1_000;

/// How long an upgrade that was agreed to can be sent: 7 days. Ours to choose.
pub const UPGRADE_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// Who decides.
#[derive(Clone, Debug, PartialEq, Eq, Value)]
pub struct Board {
    /// The members, each once.
    pub members: Vec<Address>,
    /// How many of them must approve.
    pub threshold: u8,
}

impl Board {
    /// Whether the board can decide: that it reaches its threshold, and no member is the address that nobody has.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let n_members = self.members.len();
        let once = self.members.iter().enumerate().all(|(i, a)| !self.members[..i].contains(a));
        let somebody = !self.members.contains(&Address::ZERO);
        once && somebody
            && n_members <= MEMBERS_MAX
            && self.threshold > 0
            && usize::from(self.threshold) <= n_members
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
    /// Replaces the board, and ends all other proposals.
    SetBoard {
        /// The new one.
        board: Board,
    },
    /// Agrees to an upgrade of a contract whose upgrade authority the wallet is. Whoever sends exactly this
    /// upgrade, once and within [`UPGRADE_MS`], replaces the code.
    Upgrade {
        /// The contract.
        contract: Address,
        /// The hash of the terms, an [`UpgradeTerms`](kempe_sdk::abi::upgrade::UpgradeTerms).
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
    /// How often the board had been changed: an earlier board's agreement is none.
    pub era: u64,
}

impl Step {
    /// The step that calls the method with this name. Encode the arguments as a tuple.
    #[must_use]
    pub fn call(contract: Address, method: &str, args: Vec<u8>) -> Self {
        Self::Call { contract, method: MethodId::of(method).0, args }
    }

    /// The encoded arguments, or the addresses.
    pub(crate) fn n_bytes(&self) -> usize {
        match self {
            Self::Call { args, .. } => args.len(),
            Self::SetBoard { board } => size_of::<Address>() * board.members.len(),
            Self::Upgrade { .. } => 0,
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Value)]
pub struct Proposal {
    /// Who proposed it.
    pub proposer: Address,
    /// The steps, in order; all of them or none.
    pub steps: Vec<Step>,
    /// It can be executed before this block time.
    pub expires_ms: u64,
    /// How often the board had been changed when it was proposed: only that board can execute it.
    pub era: u64,
    /// Whether it was executed or canceled.
    pub closed: bool,
}

/// Why the wallet refuses: codes 1200 to 1299.
#[error]
pub enum MultisigError {
    /// The caller is not a member.
    NotMember = 1200,
    /// The board has no members, too many, one twice or one who cannot vote, or a threshold that it cannot reach.
    BadBoard = 1201,
    /// The proposal has no steps, too many, more than [`STEPS_BYTES_MAX`], or one that calls the wallet itself.
    BadProposal = 1202,
    /// The caller has used this salt before.
    AlreadyProposed = 1203,
    /// There is no such proposal.
    NoSuchProposal = 1204,
    /// The proposal was executed or canceled.
    Closed = 1205,
    /// The proposal's time has passed, or is too long.
    Expired = 1206,
    /// The caller has approved, or has not, already.
    NothingChanges = 1207,
    /// Fewer members than the threshold approve.
    NotApproved = 1208,
    /// The board was changed since it was proposed.
    EarlierBoard = 1209,
    /// The caller is not the proposer.
    NotProposer = 1210,
    /// Only the host asks whether an upgrade was agreed to.
    NotHost = 1211,
    /// The wallet did not agree to this upgrade, or no longer does.
    NotAgreed = 1212,
}

/// A member proposed something, and thereby approved it.
#[event]
pub struct Proposed {
    /// The proposal.
    pub id: Hash,
    /// Who.
    pub by: Address,
    /// The steps.
    pub steps: Vec<Step>,
    /// It can be executed before this block time.
    pub expires_ms: u64,
}

/// The board is another one from now on.
#[event]
pub struct BoardChanged {
    /// The board.
    pub board: Board,
}

/// A proposal was canceled.
#[event]
pub struct Canceled {
    /// The proposal.
    pub id: Hash,
}

/// A member approved, or took an approval back.
#[event]
pub struct Voted {
    /// The proposal.
    pub id: Hash,
    /// Who.
    pub by: Address,
    /// Whether the member approves now.
    pub approves: bool,
}

/// A proposal was executed.
#[event]
pub struct Executed {
    /// The proposal.
    pub id: Hash,
    /// Who asked for it.
    pub by: Address,
}
