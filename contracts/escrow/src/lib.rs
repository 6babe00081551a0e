//! Escrow with an arbiter, and hash-time-locked payments.
//!
//! The terms of a deal are not stored: whoever acts on a deal states its terms, and the contract keeps
//! one byte under their hash. So the access list of every call, the balances that move included, follows
//! from its arguments, and two deals touch nothing in common in this contract.
//!
//! What conflicts: calls on the same deal or lock, and what the token declares for its transfers. With `token` deposits add to what this
//! contract has, and payments of that token out of it follow one another; one that writes the receiver's balance makes deposits wait, too.
//!
//! Invariants:
//! - a deal or lock is opened at most once, and closed at most once;
//! - what the contract has of a token is at least the sum of the open deals and locks in it, for tokens
//!   that move what they are told to move: do not use one that takes a fee out of transfers;
//! - a deal pays its seller or its buyer, a lock its recipient or its sender, and nobody else;
//! - a lock whose secret was accepted in time pays its recipient, sooner or later.
//!
//! A token that can refuse somebody, because it is paused or the account is frozen or has a limit, can make a payment
//! fail. A deal or a lock stays as it was then. But a `claim` shows the secret to everybody even if it fails, and before
//! the deadline the sender of a lock may be waiting for that: with such a token call [`Escrow::reveal`] first, or at once
//! when a `claim` has failed. It moves no token.
#![no_std]

use kempe_sdk::interfaces::FungibleClient;
use kempe_sdk::prelude::*;

mod storage;
#[cfg(test)]
mod test;

pub use storage::{
    Claimed, Closed, Deal, EscrowError, Lock, Locked, Opened, Reclaimed, Revealed, State,
};

/// Deals and locks of any number of people, in any tokens.
#[contract]
#[derive(Debug)]
pub struct Escrow {
    /// What became of each deal, by the hash of its terms; absent before it is opened.
    deals: Map<Hash, State>,
    /// What became of each lock, by the hash of its terms; absent before it is locked.
    locks: Map<Hash, State>,
}

#[contract]
impl Escrow {
    /// Opens a deal: takes the amount out of the buyer's allowance.
    ///
    /// # Arguments
    /// - `deal`: the terms; the caller is the buyer. A `salt` makes equal terms different deals.
    ///
    /// Returns the hash of the terms.
    ///
    /// # Errors
    /// - [`EscrowError::NotAllowed`]: the caller is not the buyer.
    /// - [`EscrowError::BadTerms`]: the amount is zero, or buyer, seller and arbiter are not three.
    /// - [`EscrowError::Expired`]: the deadline is not in the future.
    /// - [`EscrowError::AlreadyOpened`]: these terms were opened before.
    ///
    /// And whatever the token refuses with.
    ///
    /// # Events
    /// [`Opened`].
    #[access(
        write(deals[hash(deal)]),
        calls(deal.token.transfer_from(caller, this, deal.amount))
    )]
    pub fn open(&mut self, deal: Deal) -> Result<Hash, EscrowError> {
        let id = hash(&deal);
        ensure!(caller() == deal.buyer, EscrowError::NotAllowed);
        ensure!(deal.is_sound(), EscrowError::BadTerms);
        ensure!(deal.deadline_ms > time_ms(), EscrowError::Expired);
        ensure!(!self.deals.contains(id), EscrowError::AlreadyOpened);
        self.deals.put(id, State::Open);
        FungibleClient::new(deal.token).transfer_from(caller(), this(), deal.amount);
        emit(Opened { id, deal });
        Ok(id)
    }

    /// Pays the seller. The buyer and the arbiter may, as long as the deal is open.
    ///
    /// # Arguments
    /// - `deal`: the terms.
    ///
    /// # Errors
    /// - [`EscrowError::NotOpen`]: there is no such deal, or it is closed.
    /// - [`EscrowError::NotAllowed`]: the caller is neither.
    ///
    /// # Events
    /// [`Closed`].
    #[access(write(deals[hash(deal)]), calls(deal.token.transfer(deal.seller, deal.amount)))]
    pub fn release(&mut self, deal: Deal) -> Result<(), EscrowError> {
        let id = hash(&deal);
        ensure!(self.deals.try_get(id) == Some(State::Open), EscrowError::NotOpen);
        ensure!(caller() == deal.buyer || caller() == deal.arbiter, EscrowError::NotAllowed);
        self.deals.put(id, State::Paid);
        FungibleClient::new(deal.token).transfer(deal.seller, deal.amount);
        emit(Closed { id, paid: true, by: caller() });
        Ok(())
    }

    /// Pays the buyer back. The seller and the arbiter may at any time, the buyer from the deadline on.
    ///
    /// # Arguments
    /// - `deal`: the terms.
    ///
    /// # Errors
    /// - [`EscrowError::NotOpen`]: there is no such deal, or it is closed.
    /// - [`EscrowError::NotAllowed`]: the caller may not, or not yet.
    ///
    /// # Events
    /// [`Closed`].
    #[access(write(deals[hash(deal)]), calls(deal.token.transfer(deal.buyer, deal.amount)))]
    pub fn refund(&mut self, deal: Deal) -> Result<(), EscrowError> {
        let id = hash(&deal);
        ensure!(self.deals.try_get(id) == Some(State::Open), EscrowError::NotOpen);
        let late = time_ms() >= deal.deadline_ms;
        let by = caller();
        let may = by == deal.seller || by == deal.arbiter || (late && by == deal.buyer);
        ensure!(may, EscrowError::NotAllowed);
        self.deals.put(id, State::Returned);
        FungibleClient::new(deal.token).transfer(deal.buyer, deal.amount);
        emit(Closed { id, paid: false, by });
        Ok(())
    }

    /// Locks an amount until someone shows the secret, or the deadline passes: one half of an exchange
    /// across chains. Takes the amount out of the sender's allowance.
    ///
    /// # Arguments
    /// - `lock`: the terms; the caller is the sender. Let the second half of an exchange expire well
    ///   before the first.
    ///
    /// Returns the hash of the terms.
    ///
    /// # Errors
    /// - [`EscrowError::NotAllowed`]: the caller is not the sender.
    /// - [`EscrowError::BadTerms`]: the amount is zero.
    /// - [`EscrowError::Expired`]: the deadline is not in the future.
    /// - [`EscrowError::AlreadyOpened`]: these terms were locked before.
    ///
    /// And whatever the token refuses with.
    ///
    /// # Events
    /// [`Locked`].
    ///
    /// Source: hash time locked contracts, BIP 199.
    #[access(
        write(locks[hash(lock)]),
        calls(lock.token.transfer_from(caller, this, lock.amount))
    )]
    pub fn lock(&mut self, lock: Lock) -> Result<Hash, EscrowError> {
        let id = hash(&lock);
        ensure!(caller() == lock.sender, EscrowError::NotAllowed);
        ensure!(lock.amount > 0, EscrowError::BadTerms);
        ensure!(lock.deadline_ms > time_ms(), EscrowError::Expired);
        ensure!(!self.locks.contains(id), EscrowError::AlreadyOpened);
        self.locks.put(id, State::Open);
        FungibleClient::new(lock.token).transfer_from(caller(), this(), lock.amount);
        emit(Locked { id, lock });
        Ok(id)
    }

    /// Accepts the secret of a lock, and pays nothing yet: from then on only the recipient can be paid, by
    /// [`Escrow::claim`] at any time. Anyone who knows the secret may, before the deadline; the secret is public from then on.
    ///
    /// # Arguments
    /// - `lock`: the terms.
    /// - `secret`: as for [`Escrow::claim`].
    ///
    /// # Errors
    /// - [`EscrowError::NotOpen`]: there is no such lock, it is closed, or its secret was accepted.
    /// - [`EscrowError::Expired`]: the deadline has come.
    /// - [`EscrowError::WrongSecret`].
    ///
    /// # Events
    /// [`Revealed`].
    #[access(write(locks[hash(lock)]))]
    pub fn reveal(&mut self, lock: Lock, secret: [u8; 32]) -> Result<(), EscrowError> {
        let id = hash(&lock);
        ensure!(self.locks.try_get(id) == Some(State::Open), EscrowError::NotOpen);
        lock.check(&secret)?;
        self.locks.put(id, State::Revealed);
        emit(Revealed { id, secret });
        Ok(())
    }

    /// Pays the recipient of a lock. Anyone who knows the secret may, before the deadline, or at any time if it was
    /// accepted before; the secret is public from then on, even if the token refuses the payment.
    ///
    /// # Arguments
    /// - `lock`: the terms.
    /// - `secret`: 32 bytes whose SHA-256 the terms name. The length is fixed, so that a secret that this
    ///   chain accepts is not too long for the other one.
    ///
    /// # Errors
    /// - [`EscrowError::NotOpen`]: there is no such lock, or it is closed.
    /// - [`EscrowError::Expired`]: the deadline has come.
    /// - [`EscrowError::WrongSecret`].
    ///
    /// # Events
    /// [`Claimed`].
    #[access(write(locks[hash(lock)]), calls(lock.token.transfer(lock.recipient, lock.amount)))]
    pub fn claim(&mut self, lock: Lock, secret: [u8; 32]) -> Result<(), EscrowError> {
        let id = hash(&lock);
        match self.locks.try_get(id) {
            Some(State::Revealed) => lock.check_secret(&secret)?,
            Some(State::Open) => lock.check(&secret)?,
            _ => return Err(EscrowError::NotOpen),
        }
        self.locks.put(id, State::Paid);
        FungibleClient::new(lock.token).transfer(lock.recipient, lock.amount);
        emit(Claimed { id, secret });
        Ok(())
    }

    /// Pays the sender of a lock back. Anyone may, from the deadline on.
    ///
    /// # Arguments
    /// - `lock`: the terms.
    ///
    /// # Errors
    /// - [`EscrowError::NotOpen`]: there is no such lock, it is closed, or its secret was accepted.
    /// - [`EscrowError::NotYet`]: the deadline is ahead.
    ///
    /// # Events
    /// [`Reclaimed`].
    #[access(write(locks[hash(lock)]), calls(lock.token.transfer(lock.sender, lock.amount)))]
    pub fn reclaim(&mut self, lock: Lock) -> Result<(), EscrowError> {
        let id = hash(&lock);
        ensure!(self.locks.try_get(id) == Some(State::Open), EscrowError::NotOpen);
        ensure!(time_ms() >= lock.deadline_ms, EscrowError::NotYet);
        self.locks.put(id, State::Returned);
        FungibleClient::new(lock.token).transfer(lock.sender, lock.amount);
        emit(Reclaimed { id });
        Ok(())
    }

    /// What became of the deal with these terms; `None` if it was never opened.
    #[access(read(deals[hash(deal)]))]
    pub fn deal(&self, deal: Deal) -> Option<State> {
        self.deals.try_get(hash(&deal))
    }

    /// What became of the lock with these terms; `None` if it was never locked.
    #[access(read(locks[hash(lock)]))]
    pub fn lock_state(&self, lock: Lock) -> Option<State> {
        self.locks.try_get(hash(&lock))
    }
}
