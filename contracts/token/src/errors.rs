use kempe_sdk::prelude::*;

/// Why the token refuses.
#[error]
pub enum TokenError {
    /// Only the owner may do this.
    NotOwner = 100,
    /// The balance is smaller than the amount.
    InsufficientBalance = 101,
    /// The allowance is smaller than the amount.
    InsufficientAllowance = 102,
    /// The amount is larger than can be held or minted.
    AmountTooLarge = 103,
}
