//! Terms, states, events and errors.

use kempe_sdk::prelude::*;
use kempe_sdk::sha256;

/// The terms of a deal.
#[derive(Clone, Debug, PartialEq, Eq, Value)]
pub struct Deal {
    /// Who pays.
    pub buyer: Address,
    /// Who is paid when the deal is done.
    pub seller: Address,
    /// Who decides when the two do not agree; a third.
    pub arbiter: Address,
    /// The token.
    pub token: Address,
    /// How much of it.
    pub amount: u128,
    /// From this block time on the buyer may take the amount back.
    pub deadline_ms: u64,
    /// Makes deals with equal terms different.
    pub salt: u64,
}

impl Deal {
    /// Whether there is something to pay, and who decides is neither who pays nor who is paid.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let apart = self.buyer != self.seller && ![self.buyer, self.seller].contains(&self.arbiter);
        self.amount > 0 && apart
    }
}

/// The terms of a hash-time-locked payment.
#[derive(Clone, Debug, PartialEq, Eq, Value)]
pub struct Lock {
    /// Who pays.
    pub sender: Address,
    /// Who is paid for the secret.
    pub recipient: Address,
    /// The token.
    pub token: Address,
    /// How much of it.
    pub amount: u128,
    /// The SHA-256 of the secret.
    pub secret_hash: Hash,
    /// The secret is accepted before this block time; from it on the sender is paid back.
    pub deadline_ms: u64,
    /// Makes locks with equal terms different.
    pub salt: u64,
}

impl Lock {
    /// Whether a secret is accepted now.
    pub(crate) fn check(&self, secret: &[u8; 32]) -> Result<(), EscrowError> {
        ensure!(time_ms() < self.deadline_ms, EscrowError::Expired);
        self.check_secret(secret)
    }

    /// Whether a secret is the one that the terms name.
    pub(crate) fn check_secret(&self, secret: &[u8; 32]) -> Result<(), EscrowError> {
        ensure!(sha256(secret) == self.secret_hash, EscrowError::WrongSecret);
        Ok(())
    }
}

/// What became of a deal or a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub enum State {
    /// The contract holds the amount.
    Open,
    /// The seller, or the recipient, has it.
    Paid,
    /// The buyer, or the sender, has it back.
    Returned,
    /// The contract holds the amount of a lock for its recipient, who can be paid at any time.
    Revealed,
}

/// Why the escrow refuses: codes 1000 to 1099.
#[error]
pub enum EscrowError {
    /// The caller may not do this, or not yet.
    NotAllowed = 1000,
    /// The amount is zero, or one is two of a deal's three parties.
    BadTerms = 1001,
    /// The deadline has come.
    Expired = 1002,
    /// The deadline is ahead.
    NotYet = 1003,
    /// These terms were opened before.
    AlreadyOpened = 1004,
    /// There is nothing open under these terms.
    NotOpen = 1005,
    /// The secret is not the one whose hash the terms name.
    WrongSecret = 1006,
}

/// A deal was opened.
#[event]
pub struct Opened {
    /// The hash of the terms.
    pub id: Hash,
    /// The terms.
    pub deal: Deal,
}

/// A deal was closed.
#[event]
pub struct Closed {
    /// The hash of the terms.
    pub id: Hash,
    /// Whether the seller was paid, and not the buyer paid back.
    pub paid: bool,
    /// Who decided it.
    pub by: Address,
}

/// An amount was locked.
#[event]
pub struct Locked {
    /// The hash of the terms.
    pub id: Hash,
    /// The terms.
    pub lock: Lock,
}

/// The secret of a lock was accepted, and its recipient not paid yet.
#[event]
pub struct Revealed {
    /// The hash of the terms.
    pub id: Hash,
    /// The secret.
    pub secret: [u8; 32],
}

/// The recipient of a lock was paid.
#[event]
pub struct Claimed {
    /// The hash of the terms.
    pub id: Hash,
    /// The secret.
    pub secret: [u8; 32],
}

/// The sender of a lock was paid back.
#[event]
pub struct Reclaimed {
    /// The hash of the terms.
    pub id: Hash,
}
