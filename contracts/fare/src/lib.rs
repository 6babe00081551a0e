//! Urban transit: riders tap in and out, pay capped daily fares, transfer between operators, and the
//! operators settle.
//!
//! Invariants:
//! - what the contract has of the token is the sum of the riders' balances and of what operators have
//!   earned and not settled, for a token that moves what it is told to move: do not use one that takes a fee out of
//!   transfers;
//! - a rider has begun at most one ride; a balance is never negative: who taps in can pay for the longest
//!   ride;
//! - where a ride begins and ends a gate has signed, lately, for this rider and for once: a rider can choose
//!   neither a zone nor a time. Without a gate, and after [`RIDE_MS_MAX`], it costs as much as the longest;
//! - a ride costs by the tariff with which it began: a new one does not reach those who are under way;
//! - a base fare that was paid waives one other operator's, within [`TRANSFER_MS`], and no more;
//! - on one day a rider pays at most the largest `daily_cap` of those whom the rider rode with.
//!
//! A gate is a key in a zone, registered by its operator. It signs a [`Tap`] for whom it lets pass, and opens
//! when it sees that the rider's transaction with it succeeded.
//!
//! What conflicts: taps of one rider, and nothing else. A tap writes the rider's one cell; what the
//! operator earns is a counter that is added to. Tariffs and gates are read as they were before the block, so
//! that even a change of them waits for no tap, and no tap for it: it counts from the next block on. Only an
//! operator that settles reads its counter, and waits for its own taps of the block.
#![no_std]

use kempe_sdk::interfaces::FungibleClient;
use kempe_sdk::prelude::*;
use kempe_sdk::{ed25519_verify, message};

mod storage;
#[cfg(test)]
mod test;

pub use storage::{
    Began, Ended, FareError, GateSet, PaidIn, PaidOut, Ride, Rider, Rode, Settled, TAP_TAG, Tap,
    Tariff, TariffSet,
};

/// A day, in milliseconds. Days are those of UTC.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// How long after a ride that paid its base fare another operator's is waived: one hour.
pub const TRANSFER_MS: u64 = 60 * 60 * 1_000;

/// How many zone boundaries the longest ride crosses.
pub const ZONES_MAX: u16 = 8;

/// How long a ride lasts at most: four hours. One that lasts longer, or that no gate ends, costs as much as the
/// longest. Ours to choose.
pub const RIDE_MS_MAX: u64 = 4 * 60 * 60 * 1_000;

/// How far the time of a gate's signature may be from the block's: one minute. So long a rider can hold it
/// back, and a gate's clock be wrong. Ours to choose.
pub const TAP_MS_MAX: u64 = 60 * 1_000;

/// The largest part of a tariff: no sum of them overflows.
pub const TARIFF_MAX: u128 = 1 << 96;

/// The fare collection of a region.
#[contract]
#[derive(Debug)]
pub struct Fare {
    /// The token that is paid with.
    token: Immutable<Address>,
    /// Who says what operators charge.
    authority: Immutable<Address>,
    /// What each operator charges.
    tariffs: Map<Address, Tariff>,
    /// The zone of each operator's gates.
    gates: Map<Address, Map<Address, u16>>,
    /// The riders' accounts.
    riders: Map<Address, Rider>,
    /// What each operator has earned and not settled.
    earned: Map<Address, Counter<u128>>,
}

#[contract]
impl Fare {
    /// Sets up a region without operators.
    ///
    /// # Arguments
    /// - `token`: what is paid with.
    /// - `authority`: who says what operators charge. It stays: choose a multisig or an organization whose
    ///   members change.
    pub fn init(&mut self, token: Address, authority: Address) {
        self.token.set(token);
        self.authority.set(authority);
    }

    /// Sets what an operator charges, from the next block on.
    ///
    /// # Errors
    /// - [`FareError::NotAuthority`], [`FareError::BadTariff`].
    ///
    /// # Events
    /// [`TariffSet`].
    #[access(write(tariffs[operator]))]
    pub fn set_tariff(&mut self, operator: Address, tariff: Tariff) -> Result<(), FareError> {
        ensure!(caller() == self.authority.get(), FareError::NotAuthority);
        let Tariff { base, per_zone, daily_cap } = tariff;
        let fits = base <= TARIFF_MAX && per_zone <= TARIFF_MAX && daily_cap <= TARIFF_MAX;
        ensure!(fits, FareError::BadTariff);
        self.tariffs.put(operator, tariff);
        emit(TariffSet { operator, tariff });
        Ok(())
    }

    /// Registers a gate of the calling operator's, or takes it out, from the next block on.
    ///
    /// # Arguments
    /// - `gate`: its ed25519 key. Under one of small order, for which anyone could sign, nobody passes.
    /// - `zone`: where it is; `None` for one that counts no longer.
    ///
    /// # Errors
    /// - [`FareError::NoSuchOperator`]: the caller is none, or not since before this block.
    ///
    /// # Events
    /// [`GateSet`].
    #[access(start(tariffs[caller]), write(gates[caller][gate]))]
    pub fn set_gate(&mut self, gate: Address, zone: Option<u16>) -> Result<(), FareError> {
        let operator = caller();
        ensure!(self.tariffs.at_start(operator).is_some(), FareError::NoSuchOperator);
        match zone {
            Some(zone) => self.gates.put((operator, gate), zone),
            None => self.gates.remove((operator, gate)),
        }
        emit(GateSet { operator, gate, zone });
        Ok(())
    }

    /// Pays in, out of the caller's allowance.
    ///
    /// # Errors
    /// - [`FareError::BadAmount`], and whatever the token refuses with.
    ///
    /// # Events
    /// [`PaidIn`].
    #[access(write(riders[caller]), calls(token.transfer_from(caller, this, amount)))]
    pub fn pay_in(&mut self, amount: u128) -> Result<(), FareError> {
        ensure!(amount > 0, FareError::BadAmount);
        let rider = caller();
        let mut account = self.riders.get(rider);
        account.balance = account.balance.checked_add(amount).ok_or(FareError::BadAmount)?;
        self.riders.put(rider, account);
        FungibleClient::new(self.token.get()).transfer_from(rider, this(), amount);
        emit(PaidIn { rider, amount });
        Ok(())
    }

    /// Takes back what is left, but not during a ride.
    ///
    /// # Errors
    /// - [`FareError::AlreadyRiding`], [`FareError::BadAmount`], [`FareError::InsufficientBalance`].
    ///
    /// # Events
    /// [`PaidOut`].
    #[access(write(riders[caller]), calls(token.transfer(caller, amount)))]
    pub fn pay_out(&mut self, amount: u128) -> Result<(), FareError> {
        ensure!(amount > 0, FareError::BadAmount);
        let rider = caller();
        let mut account = self.riders.get(rider);
        ensure!(account.riding.is_none(), FareError::AlreadyRiding);
        let left = account.balance.checked_sub(amount).ok_or(FareError::InsufficientBalance)?;
        account.balance = left;
        self.riders.put(rider, account);
        FungibleClient::new(self.token.get()).transfer(rider, amount);
        emit(PaidOut { rider, amount });
        Ok(())
    }

    /// Begins a ride. The balance must cover the longest one.
    ///
    /// # Arguments
    /// - `operator`: with whom.
    /// - `gate`: where the ride begins, one of the operator's.
    /// - `at_ms`, `signature`: the gate's time, and its signature of the [`Tap`] with `entering`.
    ///
    /// # Errors
    /// - [`FareError::NoSuchOperator`], [`FareError::AlreadyRiding`],
    ///   [`FareError::InsufficientBalance`].
    /// - [`FareError::NoSuchGate`], [`FareError::StaleTap`], [`FareError::BadTap`].
    ///
    /// # Events
    /// [`Began`].
    #[access(start(tariffs[operator], gates[operator][gate]), write(riders[caller]))]
    pub fn tap_in(
        &mut self,
        operator: Address,
        gate: Address,
        at_ms: u64,
        signature: [u8; 64],
    ) -> Result<(), FareError> {
        let tariff = self.tariffs.at_start(operator).ok_or(FareError::NoSuchOperator)?;
        let mut account = self.riders.get(caller());
        ensure!(account.riding.is_none(), FareError::AlreadyRiding);
        ensure!(account.balance >= longest(&tariff), FareError::InsufficientBalance);
        let zone = self.pass(&mut account, operator, gate, true, at_ms, &signature)?;
        account.riding = Some(Ride { operator, zone, since_ms: time_ms(), tariff });
        self.riders.put(caller(), account);
        emit(Began { rider: caller(), operator, zone });
        Ok(())
    }

    /// Ends the ride and pays for it, by the tariff with which it began: the base fare unless it is a transfer, and each
    /// zone boundary crossed, but no more than is left of the day's cap. Returns the fare.
    ///
    /// A ride counts for the day on which it ends. Beyond [`ZONES_MAX`] boundaries, or behind
    /// [`RIDE_MS_MAX`], it costs as much as the longest.
    ///
    /// # Arguments
    /// - `operator`: with whom the ride was begun.
    /// - `gate`: where it ends, one of the operator's.
    /// - `at_ms`, `signature`: the gate's time, and its signature of the [`Tap`] without `entering`.
    ///
    /// # Errors
    /// - [`FareError::NotRiding`].
    /// - [`FareError::NoSuchGate`], [`FareError::StaleTap`], [`FareError::BadTap`].
    ///
    /// # Events
    /// [`Rode`].
    #[access(start(gates[operator][gate]), write(riders[caller]), add(earned[operator]))]
    pub fn tap_out(
        &mut self,
        operator: Address,
        gate: Address,
        at_ms: u64,
        signature: [u8; 64],
    ) -> Result<u128, FareError> {
        let mut account = self.riders.get(caller());
        ensure!(account.riding.is_some(), FareError::NotRiding);
        let zone = self.pass(&mut account, operator, gate, false, at_ms, &signature)?;
        self.end_ride(account, operator, Some(zone))
    }

    /// Ends a ride that no gate ended. It costs as much as the longest, but no more than is left of the day's
    /// cap. Returns the fare.
    ///
    /// # Arguments
    /// - `operator`: with whom the ride was begun.
    ///
    /// # Errors
    /// - [`FareError::NotRiding`].
    ///
    /// # Events
    /// [`Rode`].
    #[access(write(riders[caller]), add(earned[operator]))]
    pub fn give_up(&mut self, operator: Address) -> Result<u128, FareError> {
        let account = self.riders.get(caller());
        self.end_ride(account, operator, None)
    }

    /// Pays the calling operator what it has earned. Sees its counter, so it waits for its taps.
    ///
    /// # Errors
    /// - [`FareError::NothingOwed`].
    ///
    /// # Events
    /// [`Settled`].
    #[access(write(earned[caller]), calls(token.transfer(caller, _)))]
    pub fn settle(&mut self) -> Result<u128, FareError> {
        let operator = caller();
        let amount = self.earned.get(operator);
        ensure!(amount > 0, FareError::NothingOwed);
        self.earned.put(operator, 0);
        FungibleClient::new(self.token.get()).transfer(operator, amount);
        emit(Settled { operator, amount });
        Ok(amount)
    }

    /// What an operator charges: from the next block on, if it changed in this one.
    #[access(read(tariffs[operator]))]
    pub fn tariff(&self, operator: Address) -> Option<Tariff> {
        self.tariffs.try_get(operator)
    }

    /// A rider's account.
    #[access(read(riders[of]))]
    pub fn rider(&self, of: Address) -> Rider {
        self.riders.get(of)
    }

    /// The zone of an operator's gate: from the next block on, if it changed in this one.
    #[access(read(gates[operator][gate]))]
    pub fn gate(&self, operator: Address, gate: Address) -> Option<u16> {
        self.gates.try_get((operator, gate))
    }

    /// What a gate signs for a rider whom it lets pass: the message, whose blake3 hash is signed.
    ///
    /// # Arguments
    /// - `operator`: whose gate it is.
    /// - `rider`: who passes.
    /// - `entering`: whether a ride begins, or else one ends.
    /// - `at_ms`: the gate's time.
    pub fn tap_message(
        &self,
        operator: Address,
        rider: Address,
        entering: bool,
        at_ms: u64,
    ) -> Vec<u8> {
        message(&Tap::new(operator, rider, entering, at_ms))
    }

    /// What an operator has earned and not settled.
    #[access(read(earned[operator]))]
    pub fn earned(&self, operator: Address) -> u128 {
        self.earned.get(operator)
    }

    /// Uses up what a gate signed for the caller; returns the gate's zone.
    fn pass(
        &self,
        account: &mut Rider,
        operator: Address,
        gate: Address,
        entering: bool,
        at_ms: u64,
        signature: &[u8; 64],
    ) -> Result<u16, FareError> {
        let zone = self.gates.at_start((operator, gate)).ok_or(FareError::NoSuchGate)?;
        // Each is later than the one before, so none is good twice.
        let is_fresh = at_ms > account.tapped_ms && at_ms.abs_diff(time_ms()) <= TAP_MS_MAX;
        ensure!(is_fresh, FareError::StaleTap);
        let tap = Tap::new(operator, caller(), entering, at_ms);
        let signed = ed25519_verify(&gate, hash(&tap).as_bytes(), signature);
        ensure!(signed, FareError::BadTap);
        account.tapped_ms = at_ms;
        Ok(zone)
    }

    fn end_ride(
        &mut self,
        mut account: Rider,
        operator: Address,
        to_zone: Option<u16>,
    ) -> Result<u128, FareError> {
        let (rider, now_ms) = (caller(), time_ms());
        let ride = account.riding.ok_or(FareError::NotRiding)?;
        ensure!(ride.operator == operator, FareError::NotRiding);
        if account.day != now_ms / DAY_MS {
            (account.day, account.spent) = (now_ms / DAY_MS, 0);
        }
        let (base, fare) = fare(&account, &ride, to_zone);
        account.balance -= fare;
        account.spent += fare;
        account.riding = None;
        // A transfer uses up the base fare that was paid before it; so does a ride that pays its own. Behind a cap none is paid.
        account.last = (base > 0 && fare >= base).then_some(Ended { operator, at_ms: now_ms });
        self.riders.put(rider, account);
        self.earned.add(operator, fare);
        emit(Rode { rider, operator, from_zone: ride.zone, to_zone, fare });
        Ok(fare)
    }
}

/// What the longest ride costs. Nothing overflows: see [`TARIFF_MAX`].
fn longest(tariff: &Tariff) -> u128 {
    tariff.base + tariff.per_zone * u128::from(ZONES_MAX)
}

/// What a ride costs that ends now in a zone, if a gate says in which: the base fare, and all of it.
fn fare(account: &Rider, ride: &Ride, to_zone: Option<u16>) -> (u128, u128) {
    let tariff = &ride.tariff;
    let is_transfer = account.last.is_some_and(|last| {
        last.operator != ride.operator && ride.since_ms - last.at_ms <= TRANSFER_MS
    });
    let is_late = time_ms() - ride.since_ms > RIDE_MS_MAX;
    let (base, full) = match to_zone.filter(|_| !is_late) {
        None => (tariff.base, longest(tariff)),
        Some(zone) => {
            let crossed = ride.zone.abs_diff(zone).min(ZONES_MAX);
            let base = if is_transfer { 0 } else { tariff.base };
            (base, base + tariff.per_zone * u128::from(crossed))
        }
    };
    // The balance covered the longest ride when this one began, and nothing was taken out since.
    (base, full.min(tariff.daily_cap.saturating_sub(account.spent)))
}
