//! A market where one token is lent against another.
//!
//! Lenders deposit the loan's token for shares. Borrowers add collateral and borrow up to a part of its
//! worth by an oracle. Interest follows utilization, with a kink. When a debt comes too close to its
//! collateral's worth anyone may pay it and take collateral with a bonus. Every market is an instance of its
//! own, so a bad collateral harms its own lenders only, and an account's health is in one cell.
//!
//! What conflicts: an account is one cell, so calls of one account, and its liquidation. The totals (cash,
//! shares of the supply, shares of the debt) are counters to which calls only add, and the indices that
//! turn shares into amounts are only read, since interest of the time in between follows from the rate. So
//! deposits, withdrawals, loans and repayments of different accounts do not conflict in this contract.
//! [`Lending::accrue`] does, with all of them: it reads the totals and sets the rates. Send it once in a
//! while, as the first call of a block; it costs nothing but its place. What the tokens declare for this
//! contract's balance, and an oracle's publication for these prices, come on top.
//!
//! Cash is a counter, so this contract does not see that a withdrawal or a loan is beyond it: the token
//! refuses to pay it, or, if somebody gave the contract more than its cash, the host stops the transaction
//! when it ends (`CounterOutOfBounds`).
//!
//! Bad debt becomes the lenders' loss when interest is next accrued: who leaves between the two escapes it.
//! Send `accrue` behind a liquidation that reports some.
//!
//! Invariants:
//! - the contract has the cash in the loan's token, and every account's collateral in the other, exactly,
//!   unless somebody gave it more;
//! - shares of supply and debt add up to the totals;
//! - cash and debt are at least what the supply and the reserves are worth;
//! - every rounding is to the disadvantage of who calls.
//!
//! Source: shares and indices as in Compound v2; isolated markets and bad debt as in Morpho Blue (2023).
#![no_std]

use kempe_math::{BASIS_POINTS, ONE, mul_div_down};
use kempe_sdk::interfaces::{FungibleClient, OracleClient};
use kempe_sdk::prelude::*;

mod events;
mod storage;
#[cfg(test)]
mod test;

pub use events::{Accrued, Borrowed, CollateralMoved, Deposited, Liquidated, Repaid, Withdrawn};
pub use storage::{ACCRUAL_MS_MAX, Account, LendingError, RATE_MAX, Rates, Terms, YEAR_MS};
use storage::{Prices, owed, shares_down, shares_up, worth};

/// A market.
#[contract]
#[derive(Debug)]
pub struct Lending {
    /// What is lent.
    loan_token: Immutable<Address>,
    /// What it is lent against.
    collateral_token: Immutable<Address>,
    /// Who gives the prices of both.
    oracle: Immutable<Address>,
    /// The terms.
    terms: Immutable<Terms>,
    /// What shares are worth.
    rates: Item<Rates>,
    /// What the market has of the loan's token.
    cash: Counter<u128>,
    /// All shares of the supply.
    supply: Counter<u128>,
    /// All shares of the debt.
    debt: Counter<u128>,
    /// What each account has.
    accounts: Map<Address, Account>,
}

#[contract]
impl Lending {
    /// Sets up an empty market.
    ///
    /// # Arguments
    /// - `loan_token`, `collateral_token`: two different tokens that move what they are told to move.
    /// - `oracle`: gives the prices of both in one currency.
    /// - `terms`: see [`Terms`].
    ///
    /// # Errors
    /// - [`LendingError::BadTerms`].
    pub fn init(
        &mut self,
        loan_token: Address,
        collateral_token: Address,
        oracle: Address,
        terms: Terms,
    ) -> Result<(), LendingError> {
        let sound = loan_token != collateral_token && terms.is_sound();
        ensure!(sound, LendingError::BadTerms);
        self.loan_token.set(loan_token);
        self.collateral_token.set(collateral_token);
        self.oracle.set(oracle);
        self.terms.set(terms);
        self.rates.put(Rates {
            time_ms: time_ms(),
            debt_index: ONE,
            supply_index: ONE,
            debt_rate: terms.base_rate,
            supply_rate: 0,
            reserves: 0,
        });
        Ok(())
    }

    /// Lends an amount, out of the caller's allowance, for shares of the supply.
    ///
    /// # Arguments
    /// - `amount`: how much.
    ///
    /// Returns the shares.
    ///
    /// # Errors
    /// - [`LendingError::ZeroAmount`], [`LendingError::NotAccrued`], [`LendingError::TooLarge`].
    ///
    /// # Events
    /// [`Deposited`].
    #[access(
        read(rates),
        write(accounts[caller]),
        add(cash, supply),
        calls(loan_token.transfer_from(caller, this, amount))
    )]
    pub fn deposit(&mut self, amount: u128) -> Result<u128, LendingError> {
        let rates = self.fresh_rates()?;
        let shares = shares_down(amount, rates.supply_price_at(time_ms())?)?;
        ensure!(shares > 0, LendingError::ZeroAmount);
        let (by, mut account) = (caller(), self.accounts.get(caller()));
        account.supply = account.supply.checked_add(shares).ok_or(LendingError::TooLarge)?;
        self.accounts.put(by, account);
        self.cash.add(amount);
        self.supply.add(shares);
        FungibleClient::new(self.loan_token.get()).transfer_from(by, this(), amount);
        emit(Deposited { by, amount, shares });
        Ok(shares)
    }

    /// Gives up shares of the supply for what they were worth when interest was last accrued.
    ///
    /// # Arguments
    /// - `shares`: how many.
    ///
    /// Returns the amount.
    ///
    /// # Errors
    /// - [`LendingError::ZeroAmount`]: the shares are not worth anything.
    /// - [`LendingError::Insufficient`]: the caller has fewer.
    /// - [`LendingError::NotAccrued`], [`LendingError::TooLarge`].
    ///
    /// Beyond the cash the transaction fails.
    ///
    /// # Events
    /// [`Withdrawn`].
    #[access(
        read(rates),
        write(accounts[caller]),
        add(cash, supply),
        calls(loan_token.transfer(caller, _))
    )]
    pub fn withdraw(&mut self, shares: u128) -> Result<u128, LendingError> {
        let rates = self.fresh_rates()?;
        let (by, mut account) = (caller(), self.accounts.get(caller()));
        account.supply = account.supply.checked_sub(shares).ok_or(LendingError::Insufficient)?;
        let amount = worth(shares, rates.supply_index)?;
        ensure!(amount > 0, LendingError::ZeroAmount);
        self.accounts.put(by, account);
        self.cash.sub(amount);
        self.supply.sub(shares);
        FungibleClient::new(self.loan_token.get()).transfer(by, amount);
        emit(Withdrawn { by, amount, shares });
        Ok(amount)
    }

    /// Adds collateral, out of the caller's allowance.
    ///
    /// # Arguments
    /// - `amount`: how much.
    ///
    /// # Errors
    /// - [`LendingError::ZeroAmount`], [`LendingError::TooLarge`].
    ///
    /// # Events
    /// [`CollateralMoved`].
    #[access(
        write(accounts[caller]),
        calls(collateral_token.transfer_from(caller, this, amount))
    )]
    pub fn add_collateral(&mut self, amount: u128) -> Result<(), LendingError> {
        ensure!(amount > 0, LendingError::ZeroAmount);
        let (by, mut account) = (caller(), self.accounts.get(caller()));
        account.collateral =
            account.collateral.checked_add(amount).ok_or(LendingError::TooLarge)?;
        self.accounts.put(by, account);
        FungibleClient::new(self.collateral_token.get()).transfer_from(by, this(), amount);
        emit(CollateralMoved { by, amount, added: true });
        Ok(())
    }

    /// Takes collateral out, as long as the rest is worth enough for the debt.
    ///
    /// # Arguments
    /// - `amount`: how much.
    ///
    /// # Errors
    /// - [`LendingError::ZeroAmount`], [`LendingError::Insufficient`], [`LendingError::Unhealthy`].
    /// - [`LendingError::NoPrice`], also without any debt.
    /// - [`LendingError::TooLarge`].
    ///
    /// # Events
    /// [`CollateralMoved`].
    #[access(
        read(rates),
        write(accounts[caller]),
        calls(collateral_token.transfer(caller, amount)),
        calls(oracle.price(loan_token), oracle.price(collateral_token))
    )]
    pub fn remove_collateral(&mut self, amount: u128) -> Result<(), LendingError> {
        ensure!(amount > 0, LendingError::ZeroAmount);
        let (by, mut account) = (caller(), self.accounts.get(caller()));
        account.collateral =
            account.collateral.checked_sub(amount).ok_or(LendingError::Insufficient)?;
        self.check_health(&account, self.terms.get().borrow_bp)?;
        self.accounts.put(by, account);
        FungibleClient::new(self.collateral_token.get()).transfer(by, amount);
        emit(CollateralMoved { by, amount, added: false });
        Ok(())
    }

    /// Borrows an amount against the caller's collateral.
    ///
    /// # Arguments
    /// - `amount`: how much.
    ///
    /// Returns the shares of the debt.
    ///
    /// # Errors
    /// - [`LendingError::ZeroAmount`], [`LendingError::Unhealthy`], [`LendingError::NoPrice`],
    ///   [`LendingError::NotAccrued`], [`LendingError::TooLarge`].
    ///
    /// Beyond the cash the transaction fails.
    ///
    /// # Events
    /// [`Borrowed`].
    #[access(
        read(rates),
        write(accounts[caller]),
        add(cash, debt),
        calls(loan_token.transfer(caller, amount)),
        calls(oracle.price(loan_token), oracle.price(collateral_token))
    )]
    pub fn borrow(&mut self, amount: u128) -> Result<u128, LendingError> {
        ensure!(amount > 0, LendingError::ZeroAmount);
        let index = self.fresh_rates()?.debt_index_at(time_ms())?;
        let shares = shares_up(amount, index)?;
        let (by, mut account) = (caller(), self.accounts.get(caller()));
        account.debt = account.debt.checked_add(shares).ok_or(LendingError::TooLarge)?;
        self.check_health(&account, self.terms.get().borrow_bp)?;
        self.accounts.put(by, account);
        self.cash.sub(amount);
        self.debt.add(shares);
        FungibleClient::new(self.loan_token.get()).transfer(by, amount);
        emit(Borrowed { by, amount, shares });
        Ok(shares)
    }

    /// Pays the caller's debt back, out of the caller's allowance.
    ///
    /// # Arguments
    /// - `amount_max`: the most to pay; more than the debt pays the debt.
    ///
    /// Returns what was paid.
    ///
    /// # Errors
    /// - [`LendingError::ZeroAmount`]: there is no debt, or the amount is less than a share of it.
    /// - [`LendingError::TooLarge`].
    ///
    /// # Events
    /// [`Repaid`].
    #[access(
        read(rates),
        write(accounts[caller]),
        add(cash, debt),
        calls(loan_token.transfer_from(caller, this, _))
    )]
    pub fn repay(&mut self, amount_max: u128) -> Result<u128, LendingError> {
        let index = self.rates()?.debt_index_at(time_ms())?;
        let (by, mut account) = (caller(), self.accounts.get(caller()));
        let (amount, shares) = repayment(account.debt, index, amount_max)?;
        account.debt -= shares;
        self.accounts.put(by, account);
        self.cash.add(amount);
        self.debt.sub(shares);
        FungibleClient::new(self.loan_token.get()).transfer_from(by, this(), amount);
        emit(Repaid { by, amount, shares });
        Ok(amount)
    }

    /// Pays a debt that came too close to its collateral's worth, out of the caller's allowance, and gives
    /// the caller collateral of that worth with a bonus. Debt that is left without any collateral is
    /// written off: it is the lenders' loss.
    ///
    /// # Arguments
    /// - `borrower`: whose debt.
    /// - `amount_max`: the most to pay.
    ///
    /// Returns what was paid and the collateral for it.
    ///
    /// # Errors
    /// - [`LendingError::Healthy`]: the debt is covered.
    /// - [`LendingError::ZeroAmount`], [`LendingError::NoPrice`], [`LendingError::TooLarge`].
    ///
    /// # Events
    /// [`Liquidated`].
    #[access(
        read(rates),
        write(accounts[borrower]),
        add(cash, debt),
        calls(loan_token.transfer_from(caller, this, _)),
        calls(collateral_token.transfer(caller, _)),
        calls(oracle.price(loan_token), oracle.price(collateral_token))
    )]
    pub fn liquidate(
        &mut self,
        borrower: Address,
        amount_max: u128,
    ) -> Result<(u128, u128), LendingError> {
        let (terms, prices) = (self.terms.get(), self.prices()?);
        let index = self.rates()?.debt_index_at(time_ms())?;
        let mut account = self.accounts.get(borrower);
        let limit = prices.limit(account.collateral, terms.liquidation_bp);
        ensure!(owed(account.debt, index)? > limit, LendingError::Healthy);
        let (mut repaid, mut shares) = repayment(account.debt, index, amount_max)?;
        let mut seized = prices.seized(repaid, terms.bonus_bp);
        if seized.is_none_or(|seized| seized > account.collateral) {
            // All the collateral, for what it is worth.
            let price = prices.price_of(account.collateral, terms.bonus_bp)?;
            if price < repaid {
                (repaid, shares) = (price, shares_down(price, index)?.min(account.debt));
            }
            seized = Some(account.collateral);
        }
        let seized = seized.unwrap_or_default();
        account.collateral -= seized;
        account.debt -= shares;
        let written_off = if account.collateral == 0 { account.debt } else { 0 };
        account.debt -= written_off;
        self.accounts.put(borrower, account);
        self.cash.add(repaid);
        self.debt.sub(shares + written_off);
        FungibleClient::new(self.loan_token.get()).transfer_from(caller(), this(), repaid);
        FungibleClient::new(self.collateral_token.get()).transfer(caller(), seized);
        let bad_debt = owed(written_off, index)?;
        emit(Liquidated { borrower, by: caller(), repaid, seized, bad_debt });
        Ok((repaid, seized))
    }

    /// Accrues interest: brings what shares are worth, and the rates, up to date. Anyone may.
    ///
    /// # Errors
    /// - [`LendingError::TooLarge`].
    ///
    /// # Events
    /// [`Accrued`].
    #[access(read(cash, supply, debt), write(rates))]
    pub fn accrue(&mut self) -> Result<(), LendingError> {
        let (terms, old, now_ms) = (self.terms.get(), self.rates()?, time_ms());
        let supply = self.supply.get();
        let debt_index = old.debt_index_at(now_ms)?;
        let debt = worth(self.debt.get(), debt_index)?;
        let assets = self.cash.get().checked_add(debt).ok_or(LendingError::TooLarge)?;
        let lent = assets.saturating_sub(old.reserves);
        // Without lenders what there is belongs to nobody else.
        let gain = lent.saturating_sub(owed(supply, old.supply_index)?);
        let part_bp = if supply == 0 { BASIS_POINTS } else { terms.reserve_bp.into() };
        let part = mul_div_down(gain, part_bp, BASIS_POINTS).ok_or(LendingError::TooLarge)?;
        // A loss beyond the lenders' part is the reserves' too.
        let reserves = old.reserves.min(assets) + part;
        let supply_index = match supply {
            0 => old.supply_index,
            _ => shares_down(assets - reserves, supply)?,
        };
        let utilization = if assets == 0 { 0 } else { shares_down(debt, assets)? };
        let debt_rate = terms.rate(utilization);
        let lenders_bp = BASIS_POINTS - u128::from(terms.reserve_bp);
        let supply_rate = worth(debt_rate, utilization)?;
        let supply_rate = mul_div_down(supply_rate, lenders_bp, BASIS_POINTS).unwrap_or(0);
        let time_ms = now_ms;
        self.rates.put(Rates {
            time_ms,
            debt_index,
            supply_index,
            debt_rate,
            supply_rate,
            reserves,
        });
        emit(Accrued { debt_index, supply_index, utilization, reserves });
        Ok(())
    }

    /// Pays out the market's part of the interest, as of when it was last accrued.
    ///
    /// # Arguments
    /// - `to`: who receives.
    /// - `amount`: how much.
    ///
    /// # Errors
    /// - [`LendingError::NotTreasurer`], [`LendingError::Insufficient`].
    ///
    /// Beyond the cash the transaction fails.
    #[access(write(rates), add(cash), calls(loan_token.transfer(to, amount)))]
    pub fn take_reserves(&mut self, to: Address, amount: u128) -> Result<(), LendingError> {
        ensure!(caller() == self.terms.get().treasurer, LendingError::NotTreasurer);
        let rates = self.rates()?;
        let left = rates.reserves.checked_sub(amount).ok_or(LendingError::Insufficient)?;
        self.rates.put(Rates { reserves: left, ..rates });
        self.cash.sub(amount);
        FungibleClient::new(self.loan_token.get()).transfer(to, amount);
        Ok(())
    }

    /// What an account has, in shares.
    #[access(read(accounts[of]))]
    pub fn account(&self, of: Address) -> Account {
        self.accounts.get(of)
    }

    /// What an account owes now.
    ///
    /// # Errors
    /// - [`LendingError::TooLarge`].
    #[access(read(rates, accounts[of]))]
    pub fn debt_of(&self, of: Address) -> Result<u128, LendingError> {
        owed(self.accounts.get(of).debt, self.rates()?.debt_index_at(time_ms())?)
    }

    /// What shares are worth, as of when interest was last accrued.
    #[access(read(rates))]
    pub fn current_rates(&self) -> Option<Rates> {
        self.rates.get()
    }

    /// The cash, the shares of the supply, and the shares of the debt.
    #[access(read(cash, supply, debt))]
    pub fn totals(&self) -> (u128, u128, u128) {
        (self.cash.get(), self.supply.get(), self.debt.get())
    }

    fn rates(&self) -> Result<Rates, LendingError> {
        self.rates.get().ok_or(LendingError::NotAccrued)
    }

    fn fresh_rates(&self) -> Result<Rates, LendingError> {
        let rates = self.rates()?;
        let fresh = time_ms().saturating_sub(rates.time_ms) <= ACCRUAL_MS_MAX;
        ensure!(fresh, LendingError::NotAccrued);
        Ok(rates)
    }

    fn prices(&self) -> Result<Prices, LendingError> {
        let oldest_ms = time_ms().saturating_sub(self.terms.get().price_ms_max);
        let oracle = OracleClient::new(self.oracle.get());
        let ask = |token| {
            let price = oracle.price(token).filter(|p| p.value > 0 && p.time_ms >= oldest_ms);
            price.map(|price| price.value).ok_or(LendingError::NoPrice)
        };
        let (loan, collateral) = (self.loan_token.get(), self.collateral_token.get());
        Ok(Prices { loan: ask(loan)?, collateral: ask(collateral)? })
    }

    fn check_health(&self, account: &Account, part_bp: u16) -> Result<(), LendingError> {
        let debt = owed(account.debt, self.rates()?.debt_index_at(time_ms())?)?;
        let limit = self.prices()?.limit(account.collateral, part_bp);
        ensure!(debt <= limit, LendingError::Unhealthy);
        Ok(())
    }
}

/// What is paid, and the shares of the debt that are gone for it: all of them for all of the debt.
fn repayment(debt: u128, index: u128, amount_max: u128) -> Result<(u128, u128), LendingError> {
    let owed = owed(debt, index)?;
    let (amount, shares) = if amount_max >= owed {
        (owed, debt)
    } else {
        (amount_max, shares_down(amount_max, index)?)
    };
    ensure!(shares > 0, LendingError::ZeroAmount);
    Ok((amount, shares))
}
