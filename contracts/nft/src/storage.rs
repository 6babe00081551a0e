//! What the collection stores, emits, and refuses with.

use kempe_sdk::prelude::*;

/// A token of the collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Owned {
    /// Who has it.
    pub owner: Address,
    /// Who may move it once, besides the owner and the owner's operators.
    pub approved: Option<Address>,
    /// The hash of the document that describes it. Never changes.
    pub content: Hash,
}

/// Why the collection refuses: codes 120 to 139.
#[error]
pub enum NftError {
    /// Only the owner of the collection, or whom it is offered to, may do this.
    NotAdmin = 120,
    /// The caller may not mint.
    NotMinter = 121,
    /// The caller has minted a token with this salt.
    AlreadyMinted = 122,
    /// There is no such token.
    NoSuchToken = 123,
    /// The token is not theirs from whom it is to be taken.
    NotOwner = 124,
    /// The caller is neither approved for the token nor an operator of its owner's.
    NotApproved = 125,
    /// Neither the collection nor the address that nobody has can give a token away again.
    BadReceiver = 126,
}

/// A token was made.
#[event]
pub struct Minted {
    /// Which.
    pub id: Hash,
    /// Who made it.
    pub by: Address,
    /// Who has it.
    pub to: Address,
    /// The hash of the document that describes it.
    pub content: Hash,
}

/// A token has another owner.
#[event]
pub struct Moved {
    /// Which.
    pub id: Hash,
    /// Who had it.
    pub from: Address,
    /// Who has it.
    pub to: Address,
}

/// A token was destroyed.
#[event]
pub struct Burned {
    /// Which.
    pub id: Hash,
    /// Who had it.
    pub from: Address,
}

/// Who may move a token once changed.
#[event]
pub struct Approved {
    /// Which.
    pub id: Hash,
    /// Who has it.
    pub owner: Address,
    /// Who may move it from now on.
    pub spender: Option<Address>,
}

/// Who may move all tokens of an owner's changed.
#[event]
pub struct OperatorSet {
    /// Whose tokens.
    pub owner: Address,
    /// Who.
    pub operator: Address,
    /// Whether that is allowed from now on.
    pub allowed: bool,
}

/// Who may mint changed.
#[event]
pub struct MinterSet {
    /// Who.
    pub who: Address,
    /// Whether that account may mint from now on.
    pub allowed: bool,
}

/// The collection was offered to somebody.
#[event]
pub struct AdminOffered {
    /// To whom.
    pub to: Address,
}

/// The collection has another admin.
#[event]
pub struct AdminChanged {
    /// Who was it.
    pub from: Address,
    /// Who is it.
    pub to: Address,
}
