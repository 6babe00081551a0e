//! Terms, progress, events and errors.

use kempe_math::mul_div_down;
use kempe_sdk::prelude::*;

/// The terms of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Value)]
pub struct Grant {
    /// Who pays.
    pub funder: Address,
    /// Who receives.
    pub beneficiary: Address,
    /// The token.
    pub token: Address,
    /// How much of it in all.
    pub amount: u128,
    /// Vesting begins at this block time.
    pub start_ms: u64,
    /// Nothing vests before this block time; what has accrued since the start vests then at once.
    pub cliff_ms: u64,
    /// Everything is vested from this block time on.
    pub end_ms: u64,
    /// Whether the funder may take back what has not vested.
    pub revocable: bool,
    /// Makes grants with equal terms different.
    pub salt: u64,
}

impl Grant {
    /// What has vested at a time, rounded down.
    #[must_use]
    pub fn vested(&self, time_ms: u64) -> u128 {
        if time_ms >= self.end_ms {
            return self.amount;
        }
        if time_ms < self.cliff_ms || time_ms <= self.start_ms {
            return 0;
        }
        let (elapsed, whole) = (time_ms - self.start_ms, self.end_ms - self.start_ms);
        // Less than the amount, so it fits.
        mul_div_down(self.amount, elapsed.into(), whole.into()).unwrap_or(0)
    }

    /// Whether the times are in order and something is granted to somebody else.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let ordered = self.start_ms <= self.cliff_ms && self.cliff_ms <= self.end_ms;
        ordered && self.amount > 0 && self.funder != self.beneficiary
    }
}

/// How far a grant has come.
#[derive(Clone, Debug, PartialEq, Eq, Value)]
pub struct Progress {
    /// What the beneficiary has received.
    pub released: u128,
    /// How much had vested when the funder revoked the grant.
    pub revoked_at: Option<u128>,
}

impl Progress {
    /// How much of the grant has vested at a time.
    pub(crate) fn vested(&self, grant: &Grant, time_ms: u64) -> u128 {
        self.revoked_at.unwrap_or_else(|| grant.vested(time_ms))
    }
}

/// Why the contract refuses: codes 1100 to 1199.
#[error]
pub enum VestingError {
    /// The caller is not the funder.
    NotFunder = 1100,
    /// The times are out of order, the amount is zero, or the funder is the beneficiary.
    BadTerms = 1101,
    /// These terms were funded before.
    AlreadyFunded = 1102,
    /// There is no grant with these terms, or it was revoked.
    NotActive = 1103,
    /// Nothing has vested that was not released.
    NothingVested = 1104,
    /// The terms do not let the funder revoke.
    NotRevocable = 1105,
}

/// A grant was funded.
#[event]
pub struct Granted {
    /// The hash of the terms.
    pub id: Hash,
    /// The terms.
    pub grant: Grant,
}

/// The beneficiary received what had vested.
#[event]
pub struct Released {
    /// The hash of the terms.
    pub id: Hash,
    /// How much.
    pub amount: u128,
}

/// The funder took back what had not vested.
#[event]
pub struct Revoked {
    /// The hash of the terms.
    pub id: Hash,
    /// How much had vested, and is the beneficiary's.
    pub vested: u128,
    /// How much the funder took back.
    pub returned: u128,
}
