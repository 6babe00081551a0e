use kempe_sdk::prelude::*;

/// Why the token refuses: codes 100 to 119.
#[error]
pub enum TokenError {
    /// Only the owner, or whom the ownership is offered to, may do this.
    NotOwner = 100,
    /// The balance is smaller than the amount.
    InsufficientBalance = 101,
    /// The allowance is smaller than the amount.
    InsufficientAllowance = 102,
    /// The amount is larger than can be minted, burned or moved in one step: 2^127 or more.
    AmountTooLarge = 103,
    /// The caller does not have the role.
    MissingRole = 104,
    /// The token is paused.
    Paused = 105,
    /// The block's time is past the permit's deadline.
    PermitExpired = 106,
    /// The signature is for something else, or was used.
    BadPermit = 107,
    /// There is no such role.
    UnknownRole = 108,
    /// The token was described before.
    AlreadyDescribed = 109,
}
