//! A series, its sums, events and errors.

use kempe_math::{times_down, times_up};
use kempe_sdk::prelude::*;

/// What an option of the series is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Series {
    /// What the option is on.
    pub underlying: Address,
    /// What the strike is paid in.
    pub quote: Address,
    /// What 10^18 smallest units of the underlying cost when an option is exercised, in smallest units
    /// of the quote token.
    pub strike: u128,
    /// Options are written before this block time, and can be exercised from it on.
    pub exercise_from_ms: u64,
    /// Options can be exercised before this block time, and writers are settled from it on.
    pub expiry_ms: u64,
    /// Whether the holder sells the underlying, and not buys it.
    pub put: bool,
}

impl Series {
    /// The token that writers lock, and the one that holders pay with.
    #[must_use]
    pub const fn tokens(&self) -> (Address, Address) {
        if self.put { (self.quote, self.underlying) } else { (self.underlying, self.quote) }
    }

    /// What a writer locks for options on so much of the underlying, rounded up.
    ///
    /// # Errors
    /// - [`OptionError::TooLarge`].
    pub fn locked(&self, amount: u128) -> Result<u128, OptionError> {
        if self.put { bounded(times_up(amount, self.strike)) } else { bounded(Some(amount)) }
    }

    /// What a holder pays to exercise options on so much of the underlying, rounded up.
    ///
    /// # Errors
    /// - [`OptionError::TooLarge`].
    pub fn payment(&self, amount: u128) -> Result<u128, OptionError> {
        if self.put { bounded(Some(amount)) } else { bounded(times_up(amount, self.strike)) }
    }

    /// What is unlocked for options on so much of the underlying, rounded down.
    ///
    /// # Errors
    /// - [`OptionError::TooLarge`].
    pub fn unlocked(&self, amount: u128) -> Result<u128, OptionError> {
        if self.put { bounded(times_down(amount, self.strike)) } else { bounded(Some(amount)) }
    }
}

/// One step of a counter is at most 2^127 - 1.
fn bounded(amount: Option<u128>) -> Result<u128, OptionError> {
    amount.filter(|amount| *amount <= u128::MAX >> 1).ok_or(OptionError::TooLarge)
}

/// Of what a writer is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub enum Part {
    /// What is still locked.
    Locked,
    /// What was paid for options that were exercised.
    Paid,
}

/// What a writer was settled for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Taken {
    /// [`Part::Locked`].
    pub locked: bool,
    /// [`Part::Paid`].
    pub paid: bool,
}

/// The sums of a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Sums {
    /// Options that are held.
    pub options: u128,
    /// Options that were written and not closed.
    pub written: u128,
    /// What is locked for them.
    pub locked: u128,
    /// What was paid for those that were exercised.
    pub paid: u128,
}

/// Why the series refuses: codes 1700 to 1799.
#[error]
pub enum OptionError {
    /// The tokens are one, the strike is zero, or the times are not in the future, one behind the other.
    BadSeries = 1700,
    /// The amount is zero, or so small that nothing is paid for it.
    ZeroAmount = 1701,
    /// The options have expired.
    Expired = 1702,
    /// The options have not expired.
    NotExpired = 1703,
    /// The caller has fewer options.
    InsufficientOptions = 1704,
    /// The caller has written fewer options.
    InsufficientWritten = 1705,
    /// The caller may move less.
    InsufficientAllowance = 1706,
    /// A result does not fit.
    TooLarge = 1707,
    /// Options can be exercised, and so no more are written.
    WritingIsOver = 1708,
    /// Options cannot be exercised yet.
    NotYet = 1709,
    /// The caller was settled for this part.
    AlreadySettled = 1710,
}

/// Options were written.
#[event]
pub struct Written {
    /// By whom.
    pub by: Address,
    /// On how much of the underlying.
    pub amount: u128,
    /// What was locked for them.
    pub locked: u128,
}

/// Options were closed by who had written and held them.
#[event]
pub struct Closed {
    /// By whom.
    pub by: Address,
    /// On how much of the underlying.
    pub amount: u128,
    /// What was unlocked.
    pub unlocked: u128,
}

/// Options were exercised.
#[event]
pub struct Exercised {
    /// By whom.
    pub by: Address,
    /// On how much of the underlying.
    pub amount: u128,
    /// What was paid.
    pub paid: u128,
    /// What was received.
    pub received: u128,
}

/// A writer was settled.
#[event]
pub struct Settled {
    /// Whom.
    pub by: Address,
    /// For how much written.
    pub written: u128,
    /// Of what.
    pub part: Part,
    /// How much was paid.
    pub amount: u128,
}

/// Options changed hands.
#[event]
pub struct Transfer {
    /// Who had them.
    pub from: Address,
    /// Who has them.
    pub to: Address,
    /// On how much of the underlying.
    pub amount: u128,
}

/// A spender may move options up to an amount.
#[event]
pub struct Approval {
    /// Whose.
    pub owner: Address,
    /// Who may move them.
    pub spender: Address,
    /// How much.
    pub amount: u128,
}
