//! Covered calls and puts, settled by delivery.
//!
//! One instance is one series: an underlying, a quote token, a strike, an expiry, and whether it is a call
//! or a put. Who *writes* an option locks what its holder may come to ask for: the underlying of a call, the
//! strike of a put. A series is written until holders may exercise, and exercised until the expiry: who
//! exercises pays the one and receives the other; no oracle and no margin call is involved. At the expiry every
//! writer has the same part of what is still locked and of what was paid. So nobody writes who knows already what was
//! exercised, and takes a part of what earlier writers were paid. Options are a fungible token, so that they are sold in any pool or order book.
//!
//! What conflicts: a holder's options and a writer's count are cells of their own, and the sums are counters to
//! which writing, exercising and closing only add. So calls of different accounts do not conflict in this
//! contract; after the expiry the sums stand still and settling only reads them. What the tokens declare for
//! this contract's balance comes on top.
//!
//! Invariants:
//! - the contract has what is locked in the one token and what was paid in the other, less what settled
//!   writers took, at least;
//! - there is as much locked as holders can ask for;
//! - what was written is what is held and what was exercised;
//! - every rounding is to the disadvantage of who calls.
#![no_std]

use kempe_math::mul_div_down;
use kempe_sdk::interfaces::{self, FungibleClient};
use kempe_sdk::prelude::*;

mod storage;
#[cfg(test)]
mod test;

pub use storage::{
    Approval, Closed, Exercised, OptionError, Series, Settled, Sums, Taken, Transfer, Written,
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
    balances: Map<Address, u128>,
    /// What each account has written.
    written: Map<Address, u128>,
    /// What each writer has taken of its two parts, while it has not taken both.
    taken: Map<Address, Taken>,
    /// What a spender, the second key, may move of a holder's, the first.
    allowances: Map<Address, Map<Address, u128>>,
}

#[contract(implements(interfaces::Fungible))]
impl Options {
    /// Sets up the series.
    ///
    /// # Arguments
    /// - `series`: two different tokens that move what they are told to move, a strike, and an expiry behind
    ///   a time in the future from which holders may exercise.
    ///
    /// # Errors
    /// - [`OptionError::BadSeries`].
    pub fn init(&mut self, series: Series) -> Result<(), OptionError> {
        let sound = series.underlying != series.quote && series.strike > 0;
        let in_order = time_ms() < series.exercise_ms && series.exercise_ms < series.expiry_ms;
        ensure!(sound && in_order, OptionError::BadSeries);
        let (locked, paid) = series.tokens();
        self.series.set(series);
        self.locked_token.set(locked);
        self.paid_token.set(paid);
        Ok(())
    }

    /// Writes options, until holders may exercise: locks what these may ask for, out of the caller's
    /// allowance, and gives the options to the caller.
    ///
    /// # Arguments
    /// - `amount`: on how much of the underlying.
    ///
    /// # Errors
    /// - [`OptionError::ZeroAmount`], [`OptionError::WritingEnded`], [`OptionError::TooLarge`].
    ///
    /// # Events
    /// [`Written`].
    #[access(
        write(balances[caller], written[caller]),
        add(options, total_written, locked),
        calls(locked_token.transfer_from(caller, this, _))
    )]
    pub fn write(&mut self, amount: u128) -> Result<(), OptionError> {
        let (by, series) = (caller(), self.series.get());
        ensure!(amount > 0, OptionError::ZeroAmount);
        ensure!(time_ms() < series.exercise_ms, OptionError::WritingEnded);
        let locked = series.locked(amount)?;
        self.give(by, amount)?;
        let had = self.written.get(by);
        self.written.put(by, had.checked_add(amount).ok_or(OptionError::TooLarge)?);
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

    /// Exercises options: a call pays the strike and receives the underlying, a put the other way round.
    /// Takes what is paid out of the caller's allowance.
    ///
    /// # Arguments
    /// - `amount`: on how much of the underlying.
    ///
    /// Returns what was received.
    ///
    /// # Errors
    /// - [`OptionError::ZeroAmount`]: nothing would be received.
    /// - [`OptionError::TooEarly`], [`OptionError::Expired`], [`OptionError::InsufficientOptions`], [`OptionError::TooLarge`].
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
        ensure!(time_ms() >= series.exercise_ms, OptionError::TooEarly);
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

    /// Settles the caller as a writer, from the expiry on: pays its part of what is still locked and of what
    /// was paid, together or each for itself, so that a token that refuses the caller keeps nothing of the other.
    ///
    /// # Arguments
    /// - `unlock`: whether to take the part of what is still locked.
    /// - `collect`: whether to take the part of what was paid.
    ///
    /// Returns the two parts; zero for one that was not asked for, or was taken before.
    ///
    /// # Errors
    /// - [`OptionError::NotExpired`].
    /// - [`OptionError::InsufficientWritten`]: the caller has written nothing, or has taken what is asked for.
    ///
    /// # Events
    /// [`Settled`].
    #[access(
        read(total_written, locked, paid),
        write(written[caller], taken[caller]),
        calls(locked_token.transfer(caller, _)),
        calls(paid_token.transfer(caller, _))
    )]
    pub fn settle(&mut self, unlock: bool, collect: bool) -> Result<(u128, u128), OptionError> {
        ensure!(time_ms() >= self.series.get().expiry_ms, OptionError::NotExpired);
        let (by, total) = (caller(), self.total_written.get());
        let (written, mut taken) = (self.written.get(by), self.taken.get(by));
        let (unlock, collect) = (unlock && !taken.unlocked, collect && !taken.paid);
        ensure!(written > 0 && (unlock || collect), OptionError::InsufficientWritten);
        taken = Taken { unlocked: taken.unlocked || unlock, paid: taken.paid || collect };
        if taken.unlocked && taken.paid {
            self.written.remove(by);
            self.taken.remove(by);
        } else {
            self.taken.put(by, taken);
        }
        let part = |sum| mul_div_down(sum, written, total).ok_or(OptionError::TooLarge);
        let unlocked = if unlock { part(self.locked.get())? } else { 0 };
        let paid = if collect { part(self.paid.get())? } else { 0 };
        if unlocked > 0 {
            FungibleClient::new(self.locked_token.get()).transfer(by, unlocked);
        }
        if paid > 0 {
            FungibleClient::new(self.paid_token.get()).transfer(by, paid);
        }
        emit(Settled { by, written, unlocked, paid });
        Ok((unlocked, paid))
    }

    /// Gives the caller's options to `to`.
    ///
    /// # Errors
    /// - [`OptionError::InsufficientOptions`], [`OptionError::TooLarge`].
    ///
    /// # Events
    /// [`Transfer`].
    #[access(write(balances[caller], balances[to]))]
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
    #[access(write(allowances[from][caller], balances[from], balances[to]))]
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

    /// What an account has written, until it has taken both of its parts.
    #[access(read(written[of]))]
    pub fn written(&self, of: Address) -> u128 {
        self.written.get(of)
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
        let had = self.balances.get(to);
        let has = had.checked_add(amount).ok_or(OptionError::TooLarge)?;
        self.balances.put(to, has);
        Ok(())
    }
}
