//! Grants of tokens that vest over time.
//!
//! As in the escrow, whoever acts on a grant states its terms, and the contract keeps how far the grant
//! has come under their hash. So every access list follows from the arguments, and two grants touch
//! nothing in common in this contract.
//!
//! What conflicts: calls on the same grant, and what the token declares for its transfers. Releases of one
//! token all lower this contract's balance in it, so a token that writes that balance makes them wait for
//! each other; different tokens never do.
//!
//! Invariants:
//! - a beneficiary has received at most what has vested, and over time exactly the amount;
//! - what the contract has of a token is at least what the active grants in it have not released, for
//!   tokens that move what they are told to move: do not use one that takes a fee out of transfers;
//! - what has vested cannot be taken back.
#![no_std]

use kempe_sdk::interfaces::FungibleClient;
use kempe_sdk::prelude::*;

mod storage;
#[cfg(test)]
mod test;

pub use storage::{Grant, Granted, Progress, Released, Revoked, VestingError};

/// Grants of any number of people, in any tokens.
#[contract]
#[derive(Debug)]
pub struct Vesting {
    /// How far each grant has come, by the hash of its terms; absent before it is funded.
    grants: Map<Hash, Progress>,
}

#[contract]
impl Vesting {
    /// Funds a grant: takes the amount out of the funder's allowance.
    ///
    /// # Arguments
    /// - `grant`: the terms; the caller is the funder. The times may be past. A `salt` makes equal terms
    ///   different grants.
    ///
    /// Returns the hash of the terms.
    ///
    /// # Errors
    /// - [`VestingError::NotFunder`], [`VestingError::BadTerms`].
    /// - [`VestingError::AlreadyFunded`]: these terms were funded before.
    ///
    /// And whatever the token refuses with.
    ///
    /// # Events
    /// [`Granted`].
    #[access(
        write(grants[hash(grant)]),
        calls(grant.token.transfer_from(caller, this, grant.amount))
    )]
    pub fn fund(&mut self, grant: Grant) -> Result<Hash, VestingError> {
        let id = hash(&grant);
        ensure!(caller() == grant.funder, VestingError::NotFunder);
        ensure!(grant.is_sound(), VestingError::BadTerms);
        ensure!(!self.grants.contains(id), VestingError::AlreadyFunded);
        self.grants.put(id, Progress { released: 0, revoked_at: None });
        FungibleClient::new(grant.token).transfer_from(caller(), this(), grant.amount);
        emit(Granted { id, grant });
        Ok(id)
    }

    /// Pays the beneficiary what has vested and was not released. Anyone may, also when the grant was revoked: what
    /// had vested until then is still the beneficiary's.
    ///
    /// # Arguments
    /// - `grant`: the terms.
    ///
    /// Returns how much was paid.
    ///
    /// # Errors
    /// - [`VestingError::NotActive`]: there is no such grant.
    /// - [`VestingError::NothingVested`].
    ///
    /// # Events
    /// [`Released`].
    #[access(write(grants[hash(grant)]), calls(grant.token.transfer(grant.beneficiary, _)))]
    pub fn release(&mut self, grant: Grant) -> Result<u128, VestingError> {
        let id = hash(&grant);
        let progress = self.grants.try_get(id).ok_or(VestingError::NotActive)?;
        let vested = progress.vested(&grant, time_ms());
        ensure!(vested > progress.released, VestingError::NothingVested);
        let amount = vested - progress.released;
        self.grants.put(id, Progress { released: vested, ..progress });
        FungibleClient::new(grant.token).transfer(grant.beneficiary, amount);
        emit(Released { id, amount });
        Ok(amount)
    }

    /// Ends a grant: pays the funder what has not vested. What has stays for the beneficiary, so that a token which
    /// refuses the beneficiary does not stop the funder.
    ///
    /// # Arguments
    /// - `grant`: the terms; the caller is the funder.
    ///
    /// Returns how much the funder took back.
    ///
    /// # Errors
    /// - [`VestingError::NotFunder`], [`VestingError::NotRevocable`].
    /// - [`VestingError::NotActive`]: there is no such grant, or it was revoked.
    ///
    /// # Events
    /// [`Revoked`].
    #[access(
        write(grants[hash(grant)]),
        calls(grant.token.transfer(grant.funder, _))
    )]
    pub fn revoke(&mut self, grant: Grant) -> Result<u128, VestingError> {
        let id = hash(&grant);
        ensure!(caller() == grant.funder, VestingError::NotFunder);
        ensure!(grant.revocable, VestingError::NotRevocable);
        let progress = self.grants.try_get(id).ok_or(VestingError::NotActive)?;
        ensure!(progress.revoked_at.is_none(), VestingError::NotActive);
        let vested = grant.vested(time_ms());
        let returned = grant.amount - vested;
        self.grants.put(id, Progress { revoked_at: Some(vested), ..progress });
        if returned > 0 {
            FungibleClient::new(grant.token).transfer(grant.funder, returned);
        }
        emit(Revoked { id, vested, returned });
        Ok(returned)
    }

    /// How far the grant with these terms has come; `None` if it was never funded.
    #[access(read(grants[hash(grant)]))]
    pub fn progress(&self, grant: Grant) -> Option<Progress> {
        self.grants.try_get(hash(&grant))
    }

    /// What [`Vesting::release`] would pay now; zero if there is no such grant.
    #[access(read(grants[hash(grant)]))]
    pub fn releasable(&self, grant: Grant) -> u128 {
        let progress = self.grants.try_get(hash(&grant));
        progress.map_or(0, |progress| progress.vested(&grant, time_ms()) - progress.released)
    }
}
