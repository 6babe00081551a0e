use kempe_sdk::prelude::*;

/// The loan's token came in for shares of the supply.
#[event]
pub struct Deposited {
    /// Whose.
    pub by: Address,
    /// How much.
    pub amount: u128,
    /// The shares issued for it.
    pub shares: u128,
}

/// The loan's token went out for shares of the supply.
#[event]
pub struct Withdrawn {
    /// Whose.
    pub by: Address,
    /// How much.
    pub amount: u128,
    /// The shares given up for it.
    pub shares: u128,
}

/// Collateral came in, or went out.
#[event]
pub struct CollateralMoved {
    /// Whose.
    pub by: Address,
    /// How much.
    pub amount: u128,
    /// Whether it came in.
    pub added: bool,
}

/// An amount was lent.
#[event]
pub struct Borrowed {
    /// To whom.
    pub by: Address,
    /// How much.
    pub amount: u128,
    /// The shares of the debt.
    pub shares: u128,
}

/// An amount was paid back.
#[event]
pub struct Repaid {
    /// By whom.
    pub by: Address,
    /// How much.
    pub amount: u128,
    /// The shares of the debt that are gone.
    pub shares: u128,
}

/// A debt was paid out of its collateral.
#[event]
pub struct Liquidated {
    /// Whose debt.
    pub borrower: Address,
    /// Who paid it and has the collateral.
    pub by: Address,
    /// How much was paid.
    pub repaid: u128,
    /// How much collateral went for it.
    pub seized: u128,
    /// What is left of the debt without any collateral: the lenders bear it.
    pub bad_debt: u128,
}

/// Interest was accrued.
#[event]
pub struct Accrued {
    /// What a share of debt is.
    pub debt_index: u128,
    /// What the lenders have.
    pub lent: u128,
    /// What is borrowed of what is lent or could be, in units of 10^-18.
    pub utilization: u128,
    /// The market's part so far.
    pub reserves: u128,
}

/// The treasurer took out a part of what the market earned.
#[event]
pub struct ReservesTaken {
    /// Who has it.
    pub to: Address,
    /// How much.
    pub amount: u128,
}
