//! Members, proposals, events and errors.

use kempe_sdk::abi::MethodId;
use kempe_sdk::prelude::*;

/// The most members. Executing reads an approval of each; ours to choose.
pub const MEMBERS_MAX: usize = 32;

/// The most steps of a proposal. Ours to choose.
pub const STEPS_MAX: usize = 16;

/// Who decides.
#[derive(Clone, Debug, PartialEq, Eq, Value)]
pub struct Board {
    /// The members, each once.
    pub members: Vec<Address>,
    /// How many of them must approve.
    pub threshold: u8,
}

impl Board {
    /// Whether the board of a wallet can decide: neither the wallet itself, which acts only when decided, nor
    /// nobody, is a member.
    #[must_use]
    pub fn is_sound(&self, wallet: &Address) -> bool {
        let acts = !self.members.contains(wallet) && !self.members.contains(&Address::ZERO);
        let n_members = self.members.len();
        let once = self.members.iter().enumerate().all(|(i, a)| !self.members[..i].contains(a));
        acts && once
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
    /// Replaces the board.
    SetBoard {
        /// The new one.
        board: Board,
    },
    /// Agrees to an upgrade of a contract whose upgrade authority the wallet is. Whoever sends exactly this
    /// upgrade, once and before the proposal expires, replaces the code.
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
}

impl Step {
    /// The step that calls the method with this name. Encode the arguments as a tuple.
    #[must_use]
    pub fn call(contract: Address, method: &str, args: Vec<u8>) -> Self {
        Self::Call { contract, method: MethodId::of(method).0, args }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Value)]
pub struct Proposal {
    /// The steps, in order; all of them or none.
    pub steps: Vec<Step>,
    /// It can be executed before this block time.
    pub expires_ms: u64,
    /// Whether it was executed.
    pub executed: bool,
}

/// Why the wallet refuses.
#[error]
pub enum MultisigError {
    /// The caller is not a member.
    NotMember = 1200,
    /// The board has no members, too many, one twice, the wallet itself or nobody, or a threshold that it
    /// cannot reach.
    BadBoard = 1201,
    /// The proposal has no steps, or too many.
    BadProposal = 1202,
    /// The caller has used this salt before.
    AlreadyProposed = 1203,
    /// There is no such proposal.
    NoSuchProposal = 1204,
    /// The proposal was executed.
    AlreadyExecuted = 1205,
    /// The proposal's time has passed.
    Expired = 1206,
    /// The caller has approved, or has not, already.
    NothingChanges = 1207,
    /// Fewer members than the threshold approve.
    NotApproved = 1208,
    /// Only the host asks whether an upgrade was agreed to.
    NotHost = 1209,
    /// The members did not agree to this upgrade, or no longer do.
    NotAgreed = 1210,
}

/// A member proposed something, and thereby approved it.
#[event]
pub struct Proposed {
    /// The proposal.
    pub id: Hash,
    /// Who.
    pub by: Address,
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
