//! What a position is worth, and what flows when it changes.

use kempe_math::{BASIS_POINTS, ONE, mul_div_down, mul_div_up, times_down, times_up};
use kempe_sdk::prelude::*;

use crate::order::Order;
use crate::{FuturesError, SIZE_MAX, Terms};

/// A trader's position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Position {
    /// Whether it gains when the price rises.
    pub long: bool,
    /// How much of the asset, in its smallest units; zero is no position.
    pub size: u128,
    /// What it was worth when it was opened.
    pub cost: u128,
    /// What stands behind it.
    pub margin: u128,
    /// The funding index up to which it was funded.
    pub index: u128,
}

/// What flows between a position's margin and the vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) to_vault: u128,
    pub(crate) to_trader: u128,
    /// What the vault should have got, and there was no margin for.
    pub(crate) lost: u128,
}

/// What becomes of the sums of a side, and of the vault, when a position grows or gets smaller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) size: u128,
    pub(crate) cost: u128,
    /// What the position was of the side's `funded`, and what it is.
    pub(crate) funded: u128,
    pub(crate) funded_now: u128,
    pub(crate) flow: Flow,
}

/// A part of an amount, rounded up.
#[inline(never)]
pub(crate) fn part_up(amount: u128, bp: u16) -> Result<u128, FuturesError> {
    mul_div_up(amount, bp.into(), BASIS_POINTS).ok_or(FuturesError::TooLarge)
}

/// What a size is worth, rounded up or down.
#[inline(never)]
pub(crate) fn worth(size: u128, price: u128, up: bool) -> Result<u128, FuturesError> {
    let worth = if up { times_up(size, price) } else { times_down(size, price) };
    worth.ok_or(FuturesError::TooLarge)
}

impl Position {
    /// The size times the index, as the sums have it.
    #[inline(never)]
    pub(crate) fn funded(&self) -> Result<u128, FuturesError> {
        mul_div_down(self.size, self.index, ONE).ok_or(FuturesError::TooLarge)
    }

    /// Pays or receives funding up to an index.
    #[inline(never)]
    pub(crate) fn fund(&mut self, index: u128, flow: &mut Flow) -> Result<(), FuturesError> {
        let (received, due) = self.funding(index)?;
        self.index = index;
        self.credit(received, flow)?;
        self.charge(due, flow);
        Ok(())
    }

    /// The funding up to an index: what is received, and what is due. One of them is zero.
    fn funding(&self, index: u128) -> Result<(u128, u128), FuturesError> {
        let pays = self.long == (index > self.index);
        let amount = worth(self.size, index.abs_diff(self.index), pays)?;
        Ok(if pays { (0, amount) } else { (amount, 0) })
    }

    /// What a value is more than a cost, and less: profit and loss. One of them is zero.
    fn result(&self, value: u128, cost: u128) -> (u128, u128) {
        let (more, less) = (value.saturating_sub(cost), cost.saturating_sub(value));
        if self.long { (more, less) } else { (less, more) }
    }

    /// Takes what there is of an amount out of the margin.
    #[inline(never)]
    fn charge(&mut self, amount: u128, flow: &mut Flow) {
        let paid = amount.min(self.margin);
        self.margin -= paid;
        flow.to_vault += paid;
        flow.lost += amount - paid;
    }

    /// Adds an amount out of the vault to the margin.
    #[inline(never)]
    pub(crate) fn credit(&mut self, amount: u128, flow: &mut Flow) -> Result<(), FuturesError> {
        self.margin = self.margin.checked_add(amount).ok_or(FuturesError::TooLarge)?;
        flow.to_trader += amount;
        Ok(())
    }

    /// The position as it is when a request to grow is done, what is new of it, and the fee.
    #[inline(never)]
    pub(crate) fn grown(
        mut self,
        order: &Order,
        price: u128,
        index: u128,
        terms: &Terms,
    ) -> Result<(Self, Change, u128), FuturesError> {
        let &Order { long, size, margin, .. } = order;
        if self.size == 0 {
            self.long = long;
        }
        ensure!(self.long == long, FuturesError::WrongSide);
        let fits = self.size.checked_add(size).is_some_and(|size| size <= SIZE_MAX);
        ensure!(fits, FuturesError::TooLarge);
        let (mut flow, funded) = (Flow::default(), self.funded()?);
        self.margin = self.margin.checked_add(margin).ok_or(FuturesError::TooLarge)?;
        self.fund(index, &mut flow)?;
        let (cost, fee) = (order.cost(price)?, order.fee(price, terms.fee_bp)?);
        // To the trader's disadvantage, and it fits as the size does.
        self.size += size;
        self.cost += cost;
        self.charge(fee, &mut flow);
        let covered = flow.lost == 0 && self.covers(price, terms.initial_bp, 0, terms)?;
        ensure!(covered, FuturesError::Unhealthy);
        let worthwhile = worth(self.size, price, false)? >= terms.value_min;
        ensure!(worthwhile, FuturesError::TooSmall);
        let funded_now = self.funded()?;
        Ok((self, Change { size, cost, funded, funded_now, flow }, fee))
    }

    /// The position as it is when it gets smaller, and what is gone of it.
    ///
    /// What comes in, a profit or funding, pays what goes out, the other of them and the fee: something is lost only
    /// where nothing is left.
    #[inline(never)]
    pub(crate) fn reduced(
        mut self,
        long: bool,
        size: u128,
        price: u128,
        index: u128,
        fee_bp: u16,
    ) -> Result<(Self, Change), FuturesError> {
        ensure!(self.size > 0 && self.long == long, FuturesError::NoPosition);
        let (mut flow, funded) = (Flow::default(), self.funded()?);
        // Of all of the position, while it is there.
        let (received, due) = self.funding(index)?;
        self.index = index;
        let (cost, value) = self.reduce(size, price)?;
        let (profit, loss) = self.result(value, cost);
        // Each is below 2^122: the size times a price, or times what the index has moved.
        self.credit(profit + received, &mut flow)?;
        self.charge(loss + due, &mut flow);
        // A fee that cannot be paid is no loss.
        let lost = flow.lost;
        self.charge(part_up(value, fee_bp)?, &mut flow);
        flow.lost = lost;
        let funded_now = self.funded()?;
        Ok((self, Change { size, cost, funded, funded_now, flow }))
    }

    /// Makes the position smaller. Returns what the part that is gone has cost, and what it is worth.
    #[inline(never)]
    fn reduce(&mut self, size: u128, price: u128) -> Result<(u128, u128), FuturesError> {
        let part = if self.long { mul_div_up } else { mul_div_down };
        let cost = part(self.cost, size, self.size).ok_or(FuturesError::TooLarge)?;
        let value = worth(size, price, !self.long)?;
        self.size -= size;
        self.cost -= cost;
        Ok((cost, value))
    }

    /// Whether the margin with profit and loss, less the funding that it could not pay, is as much as is
    /// [needed](Terms::needed).
    #[inline(never)]
    pub(crate) fn covers(
        &self,
        price: u128,
        bp: u16,
        lost: u128,
        terms: &Terms,
    ) -> Result<bool, FuturesError> {
        let (profit, loss) = self.result(worth(self.size, price, !self.long)?, self.cost);
        let equity = self.margin.checked_add(profit).ok_or(FuturesError::TooLarge)?;
        Ok(equity.saturating_sub(loss + lost)
            >= terms.needed(worth(self.size, price, true)?, bp)?)
    }
}
