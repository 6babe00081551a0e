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
    /// With whom the last ride ended, and when, if it paid a base fare: the next one may be a transfer.
    pub last: Option<Ended>,
    /// The gate's time of the last tap, in milliseconds since 1970; the next one's is later.
    pub tapped_ms: u64,
}

/// The first bytes of a [`Tap`].
pub const TAP_TAG: [u8; 16] = *b"kempe tap v1\0\0\0\0";

/// What a gate signs for a rider whom it lets pass.
///
/// The signed message is the 32 bytes of `hash(&tap)`: the blake3 hash of the canonical encoding. It says for
/// whom, where and when, so it is of use to nobody else, not for another collection, and once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Value)]
pub struct Tap {
    /// [`TAP_TAG`]: what is signed here is nothing else.
    pub tag: [u8; 16],
    /// The fare collection.
    pub fare: Address,
    /// Whose gate it is.
    pub operator: Address,
    /// Who passes.
    pub rider: Address,
    /// Whether a ride begins; or else one ends.
    pub entering: bool,
    /// The gate's time, in milliseconds since 1970.
    pub at_ms: u64,
}

impl Tap {
    /// One for the fare collection that runs.
    pub(crate) fn new(operator: Address, rider: Address, entering: bool, at_ms: u64) -> Self {
        Self { tag: TAP_TAG, fare: this(), operator, rider, entering, at_ms }
    }
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
    /// What it costs.
    pub tariff: Tariff,
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
    /// The operator has no such gate, or not since before this block.
    NoSuchGate = 168,
    /// The gate's time is too far from the block's, or not later than that of the rider's last tap.
    StaleTap = 169,
    /// The signature is not the gate's, or for something else.
    BadTap = 170,
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

/// A ride began.
#[event]
pub struct Began {
    /// Who.
    pub rider: Address,
    /// With whom.
    pub operator: Address,
    /// In which zone.
    pub zone: u16,
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
    /// To which zone; `None` where no gate ended it.
    pub to_zone: Option<u16>,
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

/// A tariff changed; rides that begin in the next block or later cost by it.
#[event]
pub struct TariffSet {
    /// Whose.
    pub operator: Address,
    /// The tariff.
    pub tariff: Tariff,
}

/// A gate was registered or taken out; that counts from the next block on.
#[event]
pub struct GateSet {
    /// Whose.
    pub operator: Address,
    /// Its key.
    pub gate: Address,
    /// In which zone; `None` for one that counts no longer.
    pub zone: Option<u16>,
}
