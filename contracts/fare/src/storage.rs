//! What the fare collection stores, emits, and refuses with.

use kempe_sdk::prelude::*;

/// What a ride with an operator costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Tariff {
    /// What every ride costs.
    pub base: u128,
    /// What each zone boundary that the ride crosses costs on top.
    pub per_zone: u128,
    /// The most that a rider pays to all operators in a day, by the operator that is ridden with; a
    /// ride that would exceed it costs what is left.
    pub daily_cap: u128,
}

/// A rider's account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Value)]
pub struct Rider {
    /// What is left of what was paid in.
    pub balance: u128,
    /// The ride that was begun and not ended.
    pub riding: Option<Ride>,
    /// The day, counted from 1970, to which `spent` belongs.
    pub day: u64,
    /// What the rider paid for rides on that day.
    pub spent: u128,
    /// With whom the last ride ended, and when: the next one may be a transfer.
    pub last: Option<Ended>,
}

/// A ride that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Ride {
    /// With whom.
    pub operator: Address,
    /// In which zone.
    pub zone: u16,
    /// When, in milliseconds since 1970.
    pub since_ms: u64,
}

/// A ride that was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Ended {
    /// With whom.
    pub operator: Address,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// Why the fare collection refuses: codes 160 to 179.
#[error]
pub enum FareError {
    /// Only the authority may do this.
    NotAuthority = 160,
    /// There is no such operator.
    NoSuchOperator = 161,
    /// The rider has begun a ride.
    AlreadyRiding = 162,
    /// The rider has begun no ride, or one with another operator.
    NotRiding = 163,
    /// The rider's balance does not cover the longest ride: pay in first.
    InsufficientBalance = 164,
    /// The amount is zero, or larger than can be held.
    BadAmount = 165,
    /// The caller is no operator with that much to settle.
    NothingOwed = 166,
    /// A tariff's part is larger than can be counted.
    BadTariff = 167,
}

/// A rider paid in.
#[event]
pub struct PaidIn {
    /// Who.
    pub rider: Address,
    /// How much.
    pub amount: u128,
}

/// A rider took something back.
#[event]
pub struct PaidOut {
    /// Who.
    pub rider: Address,
    /// How much.
    pub amount: u128,
}

/// A ride ended.
#[event]
pub struct Rode {
    /// Who.
    pub rider: Address,
    /// With whom.
    pub operator: Address,
    /// From which zone.
    pub from_zone: u16,
    /// To which zone.
    pub to_zone: u16,
    /// What it cost.
    pub fare: u128,
}

/// An operator got what it earned.
#[event]
pub struct Settled {
    /// Who.
    pub operator: Address,
    /// How much.
    pub amount: u128,
}

/// A tariff changed; it is charged from the next block on.
#[event]
pub struct TariffSet {
    /// Whose.
    pub operator: Address,
    /// The tariff.
    pub tariff: Tariff,
}
