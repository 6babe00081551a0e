//! A market where one token is lent against another.
//!
//! Lenders deposit the loan's token for shares. Borrowers add collateral and borrow up to a part of its
//! worth by an oracle. Interest follows utilization, with a kink, in the course of hours. When a debt comes too close to its
//! collateral's worth anyone may pay it and take collateral with a bonus. Every market is an instance of its
//! own, so a bad collateral harms its own lenders only, and an account's health is in one cell.
//!
//! What conflicts: an account is one cell, so calls of one account, and its liquidation. The totals (cash,
//! shares of the supply, shares of the debt) are counters to which calls only add. Shares of debt and of the supply
//! are priced by what the market had before the block, with the interest until now, which conflicts with nothing. So
//! deposits, withdrawals, loans and repayments of different accounts do not conflict in this contract, and neither does
//! [`Lending::accrue`] with any of them: it goes by what there was before the block, too, and the index of debt is the same behind it.
//! Send it every ten minutes. What the tokens declare for this contract's balance comes on top: with `token` those who pay in
//! add to it, and those who are paid out of the same one follow one another.
//!
//! All of a block pay and get one price for a share of the supply, whether interest was accrued or not: who
//! comes has no part in interest of the time before, who leaves has all of it. Nothing that a lender or a
//! borrower does in a block moves that price but by rounding, and then up. A share cannot be made expensive
//! to round away what others deposit: [`VIRTUAL_SHARES`] belong to nobody, and take their part of whatever
//! would do it.
//!
//! An accrual samples the utilization of before its block. One sample moves no rate, since whoever has much can lend or borrow it,
//! or take it away, over the end of a single block and accrue in the next: the rate moves towards what two samples, one behind
//! the other, agree about, by no more than the time between them permits. All the way, from nothing borrowed to everything, takes
//! a day ([`RATE_MS`]), and of the time between two samples ten minutes count at most ([`SAMPLE_MS_MAX`]). So who stays over the end of
//! every block is no faster than anybody else who stays; who is there for single samples moves nothing where others accrue in
//! between, and a 144th of the way for each two where nobody does. Single samples can also keep the rate where it is, if they are one
//! of every two. So somebody should accrue every ten minutes, and more often while the rate does not move as it should; where
//! nobody does, it follows more slowly.
//!
//! Cash is a counter, so this contract does not see that a withdrawal or a loan is beyond it: the token
//! refuses to pay it, or, if somebody gave the contract more than its cash, the host stops the transaction
//! when it ends (`CounterOutOfBounds`).
//!
//! An account that borrows, or pays back a part, owes at least [`Terms::debt_min`]: many small debts, each not worth
//! anybody's liquidation, would be a large one that nobody pays. A liquidation may leave less.
//!
//! Bad debt is the lenders' loss from the next block on: who leaves in the block of the liquidation escapes
//! it, and who comes in that block bears some of it.
//!
//! All of a block borrow at the prices before it, so whoever sees a publication that waits for the block can still
//! borrow at the old ones. Who then has more than the collateral is worth gains by leaving it: that takes a
//! move beyond what `borrow_bp` leaves of the collateral's worth, between two publications, and the lenders bear it.
//! Nothing in the oracle bounds a move; `borrow_bp` must.
//!
//! Invariants:
//! - the contract has the cash in the loan's token, and every account's collateral in the other, exactly,
//!   unless somebody gave it more;
//! - shares of supply and debt add up to the totals;
//! - cash and debt are at least what the supply and the reserves are worth;
//! - what a share of the supply is worth falls only by bad debt, or when nobody has one;
//! - every rounding is to the disadvantage of who calls.
//!
//! Source: shares and indices as in Compound v2; isolated markets and bad debt as in Morpho Blue (2023);
//! virtual shares as in OpenZeppelin's ERC-4626 (4.9).
#![no_std]

use kempe_math::ONE;
use kempe_sdk::interfaces::{FungibleClient, OracleClient};
use kempe_sdk::prelude::*;

mod events;
mod storage;
#[cfg(test)]
mod test;

pub use events::{
    Accrued, Borrowed, CollateralMoved, Deposited, Liquidated, Repaid, ReservesTaken, Withdrawn,
};
pub use storage::{
    ACCRUAL_MS_MAX, Account, DEBT_INDEX_MAX, INVESTED_START, LendingError, RATE_MAX, RATE_MS,
    Rates, SAMPLE_MS_MAX, Terms, VIRTUAL_SHARES, YEAR_MS,
};
use storage::{Lenders, Prices, Totals, owed, shares_down, shares_up};

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
    /// What lenders put in less what they took out, above [`INVESTED_START`].
    invested: Counter<u128>,
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
            debt_rate: terms.base_rate,
            reserves: 0,
            lent: 0,
            invested: INVESTED_START,
            found: terms.base_rate,
        });
        self.invested.put(INVESTED_START);
        Ok(())
    }

    /// Lends an amount, out of the caller's allowance, for shares of the supply, by what they were worth before
    /// the block with interest until now.
    ///
    /// # Arguments
    /// - `amount`: how much.
    /// - `min_shares`: the fewest shares to accept.
    ///
    /// Returns the shares.
    ///
    /// # Errors
    /// - [`LendingError::ZeroAmount`]: the amount is not worth a share.
    /// - [`LendingError::Slippage`]: it is worth fewer than `min_shares`.
    /// - [`LendingError::NotAccrued`]: the market was set up in this block.
    /// - [`LendingError::TooLarge`].
    ///
    /// # Events
    /// [`Deposited`].
    #[access(
        start(rates, cash, supply, debt, invested),
        write(accounts[caller]),
        add(cash, supply, invested),
        calls(loan_token.transfer_from(caller, this, amount))
    )]
    pub fn deposit(&mut self, amount: u128, min_shares: u128) -> Result<u128, LendingError> {
        let shares = self.lenders_at_start()?.shares_for(amount)?;
        ensure!(shares > 0, LendingError::ZeroAmount);
        ensure!(shares >= min_shares, LendingError::Slippage);
        let (by, mut account) = (caller(), self.accounts.get(caller()));
        account.supply = account.supply.checked_add(shares).ok_or(LendingError::TooLarge)?;
        self.accounts.put(by, account);
        self.cash.add(amount);
        self.supply.add(shares);
        self.invested.add(amount);
        FungibleClient::new(self.loan_token.get()).transfer_from(by, this(), amount);
        emit(Deposited { by, amount, shares });
        Ok(shares)
    }

    /// Gives up shares of the supply for what they were worth before the block, with interest until now.
    ///
    /// # Arguments
    /// - `shares`: how many.
    /// - `min_amount`: the least to accept for them.
    ///
    /// Returns the amount.
    ///
    /// # Errors
    /// - [`LendingError::ZeroAmount`]: the shares are not worth anything.
    /// - [`LendingError::Slippage`]: they are worth less than `min_amount`.
    /// - [`LendingError::Insufficient`]: the caller has fewer.
    /// - [`LendingError::NotAccrued`]: the market was set up in this block.
    /// - [`LendingError::TooLarge`].
    ///
    /// Beyond the cash the transaction fails.
    ///
    /// # Events
    /// [`Withdrawn`].
    #[access(
        start(rates, cash, supply, debt, invested),
        write(accounts[caller]),
        add(cash, supply, invested),
        calls(loan_token.transfer(caller, _))
    )]
    pub fn withdraw(&mut self, shares: u128, min_amount: u128) -> Result<u128, LendingError> {
        let (by, mut account) = (caller(), self.accounts.get(caller()));
        account.supply = account.supply.checked_sub(shares).ok_or(LendingError::Insufficient)?;
        let amount = self.lenders_at_start()?.worth(shares)?;
        ensure!(amount > 0, LendingError::ZeroAmount);
        ensure!(amount >= min_amount, LendingError::Slippage);
        self.accounts.put(by, account);
        self.cash.sub(amount);
        self.supply.sub(shares);
        self.invested.sub(amount);
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
    /// - [`LendingError::NoPrice`] or [`LendingError::NotAccrued`], if there is debt.
    /// - [`LendingError::TooLarge`].
    ///
    /// # Events
    /// [`CollateralMoved`].
    #[access(
        start(rates),
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
    /// - [`LendingError::TooSmall`]: the caller would owe less than [`Terms::debt_min`].
    ///
    /// Beyond the cash the transaction fails.
    ///
    /// # Events
    /// [`Borrowed`].
    #[access(
        start(rates),
        write(accounts[caller]),
        add(cash, debt),
        calls(loan_token.transfer(caller, amount)),
        calls(oracle.price(loan_token), oracle.price(collateral_token))
    )]
    pub fn borrow(&mut self, amount: u128) -> Result<u128, LendingError> {
        ensure!(amount > 0, LendingError::ZeroAmount);
        let index = self.fresh_rates()?.debt_index_at(time_ms());
        let shares = shares_up(amount, index)?;
        let (by, mut account) = (caller(), self.accounts.get(caller()));
        account.debt = account.debt.checked_add(shares).ok_or(LendingError::TooLarge)?;
        self.check_size(&account, index)?;
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
    /// - [`LendingError::TooSmall`]: something would be left, and less than [`Terms::debt_min`].
    /// - [`LendingError::NotAccrued`]: the market was set up in this block.
    /// - [`LendingError::TooLarge`].
    ///
    /// # Events
    /// [`Repaid`].
    #[access(
        start(rates),
        write(accounts[caller]),
        add(cash, debt),
        calls(loan_token.transfer_from(caller, this, _))
    )]
    pub fn repay(&mut self, amount_max: u128) -> Result<u128, LendingError> {
        let index = self.rates()?.debt_index_at(time_ms());
        let (by, mut account) = (caller(), self.accounts.get(caller()));
        let (amount, shares) = repayment(account.debt, index, amount_max)?;
        ensure!(amount <= u128::MAX >> 1, LendingError::TooLarge);
        account.debt -= shares;
        self.check_size(&account, index)?;
        self.accounts.put(by, account);
        self.cash.add(amount);
        self.debt.sub(shares);
        FungibleClient::new(self.loan_token.get()).transfer_from(by, this(), amount);
        emit(Repaid { by, amount, shares });
        Ok(amount)
    }

    /// Pays a debt that came too close to its collateral's worth, out of the caller's allowance, and gives
    /// the caller collateral of that worth with a bonus. Where a hundredth of the collateral is left, or less, debt beyond what that
    /// pays for is written off: it is the lenders' loss, which nobody else would have a reason to make known.
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
    /// - [`LendingError::NotAccrued`]: the market was set up in this block.
    ///
    /// # Events
    /// [`Liquidated`].
    #[access(
        start(rates),
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
        let index = self.rates()?.debt_index_at(time_ms());
        let mut account = self.accounts.get(borrower);
        let limit = prices.limit(account.collateral, terms.liquidation_bp);
        ensure!(owed(account.debt, index) > limit, LendingError::Healthy);
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
        let is_rest = account.collateral - seized <= account.collateral / 100;
        account.collateral -= seized;
        account.debt -= shares;
        let mut written_off = 0;
        if is_rest {
            let covered = prices.price_of(account.collateral, terms.bonus_bp)?;
            written_off = account.debt.saturating_sub(shares_up(covered, index)?);
        }
        account.debt -= written_off;
        self.accounts.put(borrower, account);
        self.cash.add(repaid);
        self.debt.sub(shares + written_off);
        FungibleClient::new(self.loan_token.get()).transfer_from(caller(), this(), repaid);
        FungibleClient::new(self.collateral_token.get()).transfer(caller(), seized);
        let bad_debt = owed(written_off, index);
        emit(Liquidated { borrower, by: caller(), repaid, seized, bad_debt });
        Ok((repaid, seized))
    }

    /// Accrues interest: brings the index of debt, the market's part and the rate up to date. Anyone may.
    ///
    /// All of it follows from what there was before the block. The rate moves towards what that and the accrual before agree
    /// about, step by step: see [`Rates::rate_towards`]. So who pays in or takes out over the end of one block moves nobody's rate.
    ///
    /// # Errors
    /// - [`LendingError::NotAccrued`]: the market was set up in this block.
    /// - [`LendingError::AlreadyAccrued`]: interest was accrued in this block.
    ///
    /// # Events
    /// [`Accrued`].
    #[access(start(rates, cash, supply, debt, invested), write(rates))]
    pub fn accrue(&mut self) -> Result<(), LendingError> {
        let (terms, old, now_ms) = (self.terms.get(), self.rates()?, time_ms());
        // In this block only the reserves may have changed: what was taken out of them was there before the block, and is no gain.
        let left = self.rates.get().map_or(0, |rates| rates.reserves);
        let is_old = self.rates.get() == Some(Rates { reserves: left, ..old });
        ensure!(is_old, LendingError::AlreadyAccrued);
        let totals = self.totals_at_start();
        let Lenders { lent, reserves, .. } = Lenders::at(&old, totals, &terms, now_ms);
        let debt_index = old.debt_index_at(now_ms);
        let (debt, assets) = (totals.debt(debt_index), totals.assets(debt_index));
        let utilization = if assets == 0 { 0 } else { shares_down(debt, assets)? };
        let found = terms.rate(utilization);
        // Where bad debt has left less than there were reserves, more may have been taken than is counted.
        let reserves = reserves.saturating_sub(old.reserves - left);
        self.rates.put(Rates {
            time_ms: now_ms,
            debt_index,
            debt_rate: old.rate_towards(found, terms.rate(ONE) - terms.base_rate, now_ms),
            reserves,
            lent,
            invested: totals.invested,
            found,
        });
        emit(Accrued { debt_index, lent, utilization, reserves });
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
    ///
    /// # Events
    /// [`ReservesTaken`].
    #[access(write(rates), add(cash), calls(loan_token.transfer(to, amount)))]
    pub fn take_reserves(&mut self, to: Address, amount: u128) -> Result<(), LendingError> {
        ensure!(caller() == self.terms.get().treasurer, LendingError::NotTreasurer);
        let rates = self.rates.get().ok_or(LendingError::NotAccrued)?;
        let left = rates.reserves.checked_sub(amount).ok_or(LendingError::Insufficient)?;
        self.rates.put(Rates { reserves: left, ..rates });
        self.cash.sub(amount);
        FungibleClient::new(self.loan_token.get()).transfer(to, amount);
        emit(ReservesTaken { to, amount });
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
    /// - [`LendingError::NotAccrued`]: the market was set up in this block.
    #[access(start(rates), read(accounts[of]))]
    pub fn debt_of(&self, of: Address) -> Result<u128, LendingError> {
        Ok(owed(self.accounts.get(of).debt, self.rates()?.debt_index_at(time_ms())))
    }

    /// What shares of the supply are worth: what [`Lending::withdraw`] pays for them in this block.
    ///
    /// # Errors
    /// - [`LendingError::NotAccrued`]: the market was set up in this block.
    /// - [`LendingError::TooLarge`].
    #[access(start(rates, cash, supply, debt, invested))]
    pub fn worth(&self, shares: u128) -> Result<u128, LendingError> {
        self.lenders_at_start()?.worth(shares)
    }

    /// The rates, as of when interest was last accrued.
    #[access(read(rates))]
    pub fn current_rates(&self) -> Option<Rates> {
        self.rates.get()
    }

    /// The cash, the shares of the supply, and the shares of the debt.
    #[access(read(cash, supply, debt))]
    pub fn totals(&self) -> (u128, u128, u128) {
        (self.cash.get(), self.supply.get(), self.debt.get())
    }

    /// The rates of before the block: interest that is accrued in it changes none of what follows from them now.
    fn rates(&self) -> Result<Rates, LendingError> {
        self.rates.at_start().ok_or(LendingError::NotAccrued)
    }

    fn fresh_rates(&self) -> Result<Rates, LendingError> {
        let rates = self.rates()?;
        let fresh = time_ms().saturating_sub(rates.time_ms) <= ACCRUAL_MS_MAX;
        ensure!(fresh, LendingError::NotAccrued);
        Ok(rates)
    }

    /// What the lenders had before the block, with interest until now.
    fn lenders_at_start(&self) -> Result<Lenders, LendingError> {
        Ok(Lenders::at(&self.rates()?, self.totals_at_start(), &self.terms.get(), time_ms()))
    }

    fn totals_at_start(&self) -> Totals {
        Totals {
            cash: self.cash.at_start(),
            supply: self.supply.at_start(),
            debt: self.debt.at_start(),
            invested: self.invested.at_start(),
        }
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

    fn check_size(&self, account: &Account, index: u128) -> Result<(), LendingError> {
        let worthwhile = owed(account.debt, index) >= self.terms.get().debt_min;
        ensure!(account.debt == 0 || worthwhile, LendingError::TooSmall);
        Ok(())
    }

    fn check_health(&self, account: &Account, part_bp: u16) -> Result<(), LendingError> {
        // Without debt nothing depends on a price, and collateral leaves while the oracle is silent.
        if account.debt == 0 {
            return Ok(());
        }
        let debt = owed(account.debt, self.rates()?.debt_index_at(time_ms()));
        let limit = self.prices()?.limit(account.collateral, part_bp);
        ensure!(debt <= limit, LendingError::Unhealthy);
        Ok(())
    }
}

/// What is paid, and the shares of the debt that are gone for it: all of them for all of the debt.
fn repayment(debt: u128, index: u128, amount_max: u128) -> Result<(u128, u128), LendingError> {
    let owed = owed(debt, index);
    let (amount, shares) = if amount_max >= owed {
        (owed, debt)
    } else {
        (amount_max, shares_down(amount_max, index)?)
    };
    ensure!(shares > 0, LendingError::ZeroAmount);
    Ok((amount, shares))
}
