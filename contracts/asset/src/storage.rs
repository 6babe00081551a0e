//! What the asset stores, emits, and refuses with.

use kempe_sdk::prelude::*;

/// May issue and redeem: one bit of a set of roles.
pub const ISSUER: u8 = 1;

/// May admit holders, freeze them and their holdings, and set their limits.
pub const OFFICER: u8 = 2;

/// May force a transfer, with a reason.
pub const COURT: u8 = 4;

/// May pause.
pub const PAUSER: u8 = 8;

/// Every role.
pub const ALL_ROLES: u8 = ISSUER | OFFICER | COURT | PAUSER;

/// A holder's account: all that decides about a transfer is in the two accounts that it touches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Holder {
    /// What it has.
    pub balance: u128,
    /// What of it may not be moved; if it is more than there is, nothing.
    pub locked: u128,
    /// The most that it may have; zero for who may have nothing.
    pub limit: u128,
    /// Whether it is admitted.
    pub admitted: bool,
    /// Whether nothing may be moved to or from it.
    pub frozen: bool,
    /// The hash chain over everything that was done to the account: see [`Recorded`].
    pub trail: Hash,
}

impl Holder {
    /// What may be moved.
    #[must_use]
    pub const fn free(&self) -> u128 {
        self.balance.saturating_sub(self.locked)
    }
}

/// What was done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub enum Deed {
    /// It received newly issued units.
    Issued,
    /// Units of it were redeemed, and are gone.
    Redeemed,
    /// It sent.
    Sent,
    /// It received.
    Received,
    /// It was made to send.
    ForcedOut,
    /// It received what another was made to send.
    ForcedIn,
    /// It was admitted, with a limit; zero for one that was shut out.
    Admitted,
    /// It was frozen, with amount 1, or unfrozen, with amount 0.
    Frozen,
    /// The amount that may not be moved was set.
    Locked,
    /// Its roles were set: the amount is the set of bits.
    RolesSet,
    /// The asset was paused, with amount 1, or unpaused, with amount 0.
    Paused,
    /// The asset's ownership was offered to the other account.
    OwnershipOffered,
    /// The asset's ownership was taken by who did it; the other account had it. The first line about the asset:
    /// who deployed it gave it to the other account.
    OwnershipTaken,
}

/// A line of the audit trail: one for each account that something is done to.
///
/// The lines of an account form a chain: `trail` is the hash of the [`Line`] with the account's trail
/// before it. So whoever has all lines of an account, from events that anybody can export, can check
/// that none is missing, changed or out of order: the last one's `trail` is the account's.
#[event]
pub struct Recorded {
    /// What the chain is over.
    pub line: Line,
    /// The account's trail from now on.
    pub trail: Hash,
}

/// What is hashed for a line of the audit trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Line {
    /// The account's trail before; zeros for the first line.
    pub before: Hash,
    /// Whose account; the asset's own address for what is about the asset.
    pub holder: Address,
    /// What was done.
    pub deed: Deed,
    /// How much.
    pub amount: u128,
    /// The other account, or the holder itself.
    pub other: Address,
    /// Who did it.
    pub by: Address,
    /// The hash of the document with the reason; zeros where none is needed.
    pub reason: Hash,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
}

/// Why the asset refuses: codes 140 to 159.
#[error]
pub enum AssetError {
    /// Only the owner, or whom the ownership is offered to, may do this.
    NotOwner = 140,
    /// The caller does not have the role.
    MissingRole = 141,
    /// There is no such role.
    UnknownRole = 142,
    /// Sender and receiver are one.
    SameHolder = 143,
    /// The sender is frozen.
    SenderFrozen = 144,
    /// The receiver is frozen.
    ReceiverFrozen = 145,
    /// The receiver is not admitted.
    NotAdmitted = 146,
    /// The receiver would have more than its limit.
    OverLimit = 147,
    /// What the sender has and may move is less than the amount.
    InsufficientBalance = 148,
    /// The allowance is smaller than the amount.
    InsufficientAllowance = 149,
    /// A reason is missing: the hash is zeros.
    NoReason = 150,
    /// The amount is larger than can be issued at once.
    AmountTooLarge = 151,
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
