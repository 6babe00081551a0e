//! What the token stores and what is signed for it.

use kempe_sdk::prelude::*;

/// May mint: one bit of a set of roles.
pub const MINTER: u8 = 1;

/// May pause and unpause.
pub const PAUSER: u8 = 2;

/// Every role.
pub const ALL_ROLES: u8 = MINTER | PAUSER;

/// What people call the token. Texts are UTF-8, filled up with zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Metadata {
    /// The name.
    pub name: [u8; 32],
    /// The short name.
    pub symbol: [u8; 12],
    /// How many decimals people see: one whole token is 10 to this power of smallest units.
    pub decimals: u8,
}

/// What an owner signs to let somebody spend, instead of calling `approve`.
///
/// The signed message is the 32 bytes of `hash(&permit)`: the blake3 hash of the canonical encoding.
/// The token's address is in it, so a permit is for one token; its number makes it good once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Permit {
    /// [`PERMIT_TAG`]: what is signed here is nothing else.
    pub tag: [u8; 16],
    /// The token.
    pub token: Address,
    /// Whose balance it is, and whose key signs.
    pub owner: Address,
    /// Who may spend.
    pub spender: Address,
    /// How much.
    pub amount: u128,
    /// The owner's next number: `permits(owner)`.
    pub number: u64,
    /// The latest block time at which it is good.
    pub deadline_ms: u64,
}

impl Permit {
    /// One for the token that runs.
    pub(crate) fn new(
        owner: Address,
        spender: Address,
        amount: u128,
        number: u64,
        deadline_ms: u64,
    ) -> Self {
        Self { tag: PERMIT_TAG, token: this(), owner, spender, amount, number, deadline_ms }
    }
}

/// The first bytes of a [`Permit`].
pub const PERMIT_TAG: [u8; 16] = *b"kempe permit v1\0";
