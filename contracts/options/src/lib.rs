//! Covered calls and puts, settled by delivery.
//!
//! One instance is one series: an underlying, a quote token, a strike, the times between which it is exercised, and
//! whether it is a call or a put. Who *writes* an option locks what its holder may come to ask for: the underlying of a
//! call, the strike of a put. Writing ends where exercising begins, so that nobody writes to share what others were
//! paid for options that were exercised before. From then until the expiry a holder may exercise, pays the one and receives the other; no oracle and
//! no margin call is involved. At the expiry every writer has the same part of what is still locked and of
//! what was paid, and takes the two apart: a token that refuses one payment does not keep the other.
//! Options are a fungible token, so that they are sold in any pool or order book.
//!
//! What conflicts: a holder's options and a writer's count are cells of their own, and the sums are counters to
//! which writing, exercising and closing only add. So calls of different accounts do not conflict in this
//! contract; after the expiry the sums stand still and settling only reads them. What the tokens declare for
//! this contract's balance comes on top: with `token` those who pay in add to it, and those who are paid out of the same one follow
//! one another.
//!
//! Invariants:
//! - the contract has what is locked in the one token and what was paid in the other, less what settled
//!   writers took, at least;
//! - there is as much locked as holders can ask for;
//! - what was written is what is held and what was exercised;
//! - who wrote an option that may be exercised did so before any was;
//! - every rounding is to the disadvantage of who calls.
#![no_std]

use kempe_math::mul_div_down;
use kempe_sdk::interfaces::{self, FungibleClient};
use kempe_sdk::prelude::*;

mod storage;
#[cfg(test)]
mod test;

pub use storage::{
    Approval, Closed, Exercised, OptionError, Part, Series, Settled, Sums, Taken, Transfer, Written,
};

/// A series of options.
#[contract]
#[derive(Debug)]
pub struct Options {
    /// What an option of the series is.
    series: Immutable<Series>,
    /// What writers lock.
    locked_token: Immutable<Address>,
    /// What holders pay with.
    paid_token: Immutable<Address>,
    /// All options that are held.
    options: Counter<u128>,
    /// All options that were written and not closed.
    total_written: Counter<u128>,
    /// What is locked.
    locked: Counter<u128>,
    /// What was paid.
    paid: Counter<u128>,
    /// What each account holds.
    balances: Map<Address, Counter<u128>>,
    /// What each account has written and not closed.
    written: Map<Address, u128>,
    /// What each writer was settled for.
    taken: Map<Address, Taken>,
    /// What a spender, the second key, may move of a holder's, the first.
    allowances: Map<Address, Map<Address, u128>>,
}

#[contract(implements(interfaces::Fungible))]
impl Options {
    /// Sets up the series.
    ///
    /// # Arguments
    /// - `series`: two different tokens that move what they are told to move, a strike, and a time from which it is
    ///   exercised in the future, and before the expiry.
    ///
    /// # Errors
    /// - [`OptionError::BadSeries`].
    pub fn init(&mut self, series: Series) -> Result<(), OptionError> {
        let sound = series.underlying != series.quote && series.strike > 0;
        let from_ms = series.exercise_from_ms;
        let timely = time_ms() < from_ms && from_ms < series.expiry_ms;
        ensure!(sound && timely, OptionError::BadSeries);
        let (locked, paid) = series.tokens();
        self.series.set(series);
        self.locked_token.set(locked);
        self.paid_token.set(paid);
        Ok(())
    }

    /// Writes options, as long as none can be exercised: locks what their holders may ask for, out of the caller's
    /// allowance, and gives the options to the caller.
    ///
    /// # Arguments
    /// - `amount`: on how much of the underlying.
    ///
    /// # Errors
    /// - [`OptionError::ZeroAmount`], [`OptionError::WritingIsOver`], [`OptionError::TooLarge`].
    ///
    /// # Events
    /// [`Written`].
    #[access(
        write(written[caller]),
        add(balances[caller], options, total_written, locked),
        calls(locked_token.transfer_from(caller, this, _))
    )]
    pub fn write(&mut self, amount: u128) -> Result<(), OptionError> {
        ensure!(amount > 0, OptionError::ZeroAmount);
        let (by, series) = (caller(), self.series.get());
        ensure!(time_ms() < series.exercise_from_ms, OptionError::WritingIsOver);
        let locked = series.locked(amount)?;
        self.give(by, amount)?;
        let had = self.written.get(by);
        let written = had.checked_add(amount).ok_or(OptionError::TooLarge)?;
        // What a writer is settled for is one payment, so all of it has to be one that tokens make.
        series.locked(written)?;
        series.payment(written)?;
        self.written.put(by, written);
        self.options.add(amount);
        self.total_written.add(amount);
        self.locked.add(locked);
        FungibleClient::new(self.locked_token.get()).transfer_from(by, this(), locked);
        emit(Written { by, amount, locked });
        Ok(())
    }

    /// Closes options that the caller has written and holds: what was locked for them comes back.
    ///
    /// # Arguments
    /// - `amount`: on how much of the underlying.
    ///
    /// # Errors
    /// - [`OptionError::ZeroAmount`], [`OptionError::Expired`], [`OptionError::InsufficientOptions`],
    ///   [`OptionError::InsufficientWritten`], [`OptionError::TooLarge`].
    ///
    /// # Events
    /// [`Closed`].
    #[access(
        write(balances[caller], written[caller]),
        add(options, total_written, locked),
        calls(locked_token.transfer(caller, _))
    )]
    pub fn close(&mut self, amount: u128) -> Result<(), OptionError> {
        self.check_open(amount)?;
        let by = caller();
        let unlocked = self.series.get().unlocked(amount)?;
        self.take(by, amount)?;
        let had = self.written.get(by);
        let left = had.checked_sub(amount).ok_or(OptionError::InsufficientWritten)?;
        self.written.put(by, left);
        self.options.sub(amount);
        self.total_written.sub(amount);
        self.locked.sub(unlocked);
        FungibleClient::new(self.locked_token.get()).transfer(by, unlocked);
        emit(Closed { by, amount, unlocked });
        Ok(())
    }

    /// Exercises options, in their time: a call pays the strike and receives the underlying, a put the other way round.
    /// Takes what is paid out of the caller's allowance.
    ///
    /// # Arguments
    /// - `amount`: on how much of the underlying.
    ///
    /// Returns what was received.
    ///
    /// # Errors
    /// - [`OptionError::ZeroAmount`]: nothing would be received.
    /// - [`OptionError::NotYet`], [`OptionError::Expired`], [`OptionError::InsufficientOptions`],
    ///   [`OptionError::TooLarge`].
    ///
    /// # Events
    /// [`Exercised`].
    #[access(
        write(balances[caller]),
        add(options, locked, paid),
        calls(paid_token.transfer_from(caller, this, _)),
        calls(locked_token.transfer(caller, _))
    )]
    pub fn exercise(&mut self, amount: u128) -> Result<u128, OptionError> {
        self.check_open(amount)?;
        let (by, series) = (caller(), self.series.get());
        ensure!(time_ms() >= series.exercise_from_ms, OptionError::NotYet);
        let (paid, received) = (series.payment(amount)?, series.unlocked(amount)?);
        ensure!(received > 0, OptionError::ZeroAmount);
        self.take(by, amount)?;
        self.options.sub(amount);
        self.locked.sub(received);
        self.paid.add(paid);
        FungibleClient::new(self.paid_token.get()).transfer_from(by, this(), paid);
        FungibleClient::new(self.locked_token.get()).transfer(by, received);
        emit(Exercised { by, amount, paid, received });
        Ok(received)
    }

    /// Settles the caller as a writer, from the expiry on: pays its part of what is still locked.
    ///
    /// Returns how much.
    ///
    /// # Errors
    /// - [`OptionError::NotExpired`].
    /// - [`OptionError::InsufficientWritten`]: the caller has written nothing.
    /// - [`OptionError::AlreadySettled`].
    /// - [`OptionError::ZeroAmount`]: there is nothing of it.
    ///
    /// # Events
    /// [`Settled`].
    #[access(
        read(total_written, locked, written[caller]),
        write(taken[caller]),
        calls(locked_token.transfer(caller, _))
    )]
    pub fn settle_locked(&mut self) -> Result<u128, OptionError> {
        let mut taken = self.taken.get(caller());
        ensure!(!taken.locked, OptionError::AlreadySettled);
        taken.locked = true;
        self.settle(Part::Locked, taken, self.locked.get(), self.locked_token.get())
    }

    /// Settles the caller as a writer, from the expiry on: pays its part of what was paid for options that were exercised.
    ///
    /// Returns how much.
    ///
    /// # Errors
    /// - Those of [`Options::settle_locked`].
    ///
    /// # Events
    /// [`Settled`].
    #[access(
        read(total_written, paid, written[caller]),
        write(taken[caller]),
        calls(paid_token.transfer(caller, _))
    )]
    pub fn settle_paid(&mut self) -> Result<u128, OptionError> {
        let mut taken = self.taken.get(caller());
        ensure!(!taken.paid, OptionError::AlreadySettled);
        taken.paid = true;
        self.settle(Part::Paid, taken, self.paid.get(), self.paid_token.get())
    }

    /// Gives the caller's options to `to`.
    ///
    /// # Errors
    /// - [`OptionError::InsufficientOptions`], [`OptionError::TooLarge`].
    ///
    /// # Events
    /// [`Transfer`].
    #[access(write(balances[caller]), add(balances[to]))]
    pub fn transfer(&mut self, to: Address, amount: u128) -> Result<(), OptionError> {
        self.hand_over(caller(), to, amount)
    }

    /// Gives `from`'s options to `to`, out of what `from` allowed the caller.
    ///
    /// # Errors
    /// - [`OptionError::InsufficientAllowance`], [`OptionError::InsufficientOptions`],
    ///   [`OptionError::TooLarge`].
    ///
    /// # Events
    /// [`Transfer`].
    #[access(write(allowances[from][caller], balances[from]), add(balances[to]))]
    pub fn transfer_from(
        &mut self,
        from: Address,
        to: Address,
        amount: u128,
    ) -> Result<(), OptionError> {
        let allowed = self.allowances.get((from, caller()));
        let left = allowed.checked_sub(amount).ok_or(OptionError::InsufficientAllowance)?;
        self.allowances.put((from, caller()), left);
        self.hand_over(from, to, amount)
    }

    /// Allows `spender` to move up to `amount` of the caller's. Replaces what was allowed before.
    ///
    /// # Events
    /// [`Approval`].
    #[access(write(allowances[caller][spender]))]
    pub fn approve(&mut self, spender: Address, amount: u128) {
        let owner = caller();
        self.allowances.put((owner, spender), amount);
        emit(Approval { owner, spender, amount });
    }

    /// What `of` holds.
    #[access(read(balances[of]))]
    pub fn balance(&self, of: Address) -> u128 {
        self.balances.get(of)
    }

    /// What `spender` may still move of `owner`'s.
    #[access(read(allowances[owner][spender]))]
    pub fn allowance(&self, owner: Address, spender: Address) -> u128 {
        self.allowances.get((owner, spender))
    }

    /// All options that are held.
    #[access(read(options))]
    pub fn total_supply(&self) -> u128 {
        self.options.get()
    }

    /// What an account has written and not closed.
    #[access(read(written[of]))]
    pub fn written(&self, of: Address) -> u128 {
        self.written.get(of)
    }

    /// What a writer was settled for.
    #[access(read(taken[of]))]
    pub fn taken(&self, of: Address) -> Taken {
        self.taken.get(of)
    }

    /// What [`Options::settle_locked`] and [`Options::settle_paid`] have yet to pay a writer, of what is locked and of what was paid: as it would be if the options expired
    /// now.
    #[access(read(total_written, locked, paid, written[of], taken[of]))]
    pub fn settlement(&self, of: Address) -> (u128, u128) {
        let (written, taken) = (self.written.get(of), self.taken.get(of));
        let left = |sum, taken| if taken { 0 } else { self.part_of(sum, written) };
        (left(self.locked.get(), taken.locked), left(self.paid.get(), taken.paid))
    }

    /// The sums of the series.
    #[access(read(options, total_written, locked, paid))]
    pub fn sums(&self) -> Sums {
        Sums {
            options: self.options.get(),
            written: self.total_written.get(),
            locked: self.locked.get(),
            paid: self.paid.get(),
        }
    }

    /// What an option of the series is.
    pub fn series(&self) -> Series {
        self.series.get()
    }

    /// Pays the caller its part of a sum, for which it was not settled.
    fn settle(
        &mut self,
        part: Part,
        taken: Taken,
        sum: u128,
        token: Address,
    ) -> Result<u128, OptionError> {
        ensure!(time_ms() >= self.series.get().expiry_ms, OptionError::NotExpired);
        let (by, written) = (caller(), self.written.get(caller()));
        ensure!(written > 0, OptionError::InsufficientWritten);
        let amount = self.part_of(sum, written);
        ensure!(amount > 0, OptionError::ZeroAmount);
        self.taken.put(by, taken);
        FungibleClient::new(token).transfer(by, amount);
        emit(Settled { by, written, part, amount });
        Ok(amount)
    }

    /// A writer's part of a sum, rounded down; all of nothing is nothing.
    fn part_of(&self, sum: u128, written: u128) -> u128 {
        // At most the sum.
        mul_div_down(sum, written, self.total_written.get()).unwrap_or_default()
    }

    fn check_open(&self, amount: u128) -> Result<(), OptionError> {
        ensure!(amount > 0, OptionError::ZeroAmount);
        ensure!(time_ms() < self.series.get().expiry_ms, OptionError::Expired);
        Ok(())
    }

    fn hand_over(&mut self, from: Address, to: Address, amount: u128) -> Result<(), OptionError> {
        self.take(from, amount)?;
        self.give(to, amount)?;
        emit(Transfer { from, to, amount });
        Ok(())
    }

    fn take(&mut self, from: Address, amount: u128) -> Result<(), OptionError> {
        let had = self.balances.get(from);
        let has = had.checked_sub(amount).ok_or(OptionError::InsufficientOptions)?;
        self.balances.put(from, has);
        Ok(())
    }

    fn give(&mut self, to: Address, amount: u128) -> Result<(), OptionError> {
        ensure!(amount <= u128::MAX >> 1, OptionError::TooLarge);
        self.balances.add(to, amount);
        Ok(())
    }
}
