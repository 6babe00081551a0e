use kempe_sdk::prelude::*;

use crate::Metadata;

/// An amount moved.
#[event]
pub struct Transfer {
    /// Who had it.
    pub from: Address,
    /// Who has it.
    pub to: Address,
    /// How much.
    pub amount: u128,
}

/// A spender may move up to an amount.
#[event]
pub struct Approval {
    /// Whose balance it is.
    pub owner: Address,
    /// Who may move it.
    pub spender: Address,
    /// How much.
    pub amount: u128,
}

/// An amount was created.
#[event]
pub struct Mint {
    /// Who has it.
    pub to: Address,
    /// How much.
    pub amount: u128,
}

/// An amount was destroyed.
#[event]
pub struct Burn {
    /// Who had it.
    pub from: Address,
    /// How much.
    pub amount: u128,
}

/// An account's roles changed.
#[event]
pub struct RolesChanged {
    /// Whose.
    pub of: Address,
    /// The set of roles from now on.
    pub roles: u8,
}

/// Somebody may become the owner.
#[event]
pub struct OwnerOffered {
    /// Who.
    pub to: Address,
}

/// The token was described.
#[event]
pub struct Described {
    /// What people call it.
    pub metadata: Metadata,
}

/// The token has another owner.
#[event]
pub struct OwnerChanged {
    /// Who owned it.
    pub from: Address,
    /// Who owns it.
    pub to: Address,
}

/// The token was paused or unpaused.
#[event]
pub struct PauseChanged {
    /// By whom.
    pub by: Address,
    /// Whether it is paused.
    pub paused: bool,
}
