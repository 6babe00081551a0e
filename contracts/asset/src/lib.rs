//! A regulated token: only admitted holders, holding limits, freezes, locks, forced transfers with a
//! reason, a pause, and an audit trail that anyone can export and check.
//!
//! Invariants:
//! - the sum of all balances is `supply`;
//! - nobody who is not admitted receives, and nobody has more than the limit by receiving;
//! - nothing moves to or from a frozen account, and no locked unit moves, but by force, with a reason;
//! - from the block after a freeze or a pause on, no transfer that it is about begins to run, nor one that a frozen
//!   account asks for with an allowance;
//! - who is not admitted writes no line about anybody, unless something moves;
//! - an account's trail is the hash chain over all lines about it; lines about the asset itself, its pauses and
//!   who owns it, are about its own address;
//! - every line with a reason, and every line about roles, pauses and the ownership, from the first owner's on, is in the
//!   register, once, by its hash.
//!
//! An account is a person or a contract. What a contract holds for others, a pool's reserves, an order book's funds, is its own
//! units here: who admits a contract lets in everybody whom it serves, and a freeze of a person does not reach
//! what a contract holds for them. So admit contracts that ask for the same, or freeze there, too.
//!
//! What conflicts: transfers that share an account. All that decides about a transfer is in the two
//! accounts that it touches anyway, the audit trail too: there is no list of holders and no counter of lines.
//! What needs a reason, or gives power, is also in a register, to which lines are only appended, so those who append do not
//! wait for each other. Supply is only added to.
//!
//! Pauses and freezes refuse by access list: the host looks, before it runs any code of this contract, at the
//! flags as they were before the block. So they wait for no transfer, no transfer for them, and they begin
//! and end with the next block. A freeze holds inside its own block too, from its place in the order on,
//! because what is frozen is in the account as well.
#![no_std]

use kempe_sdk::interfaces;
use kempe_sdk::prelude::*;

mod storage;
#[cfg(test)]
mod test;

pub use storage::{
    ALL_ROLES, Approval, AssetError, COURT, Deed, Holder, ISSUER, Line, OFFICER, PAUSER, Recorded,
};

/// A regulated token.
#[contract]
#[derive(Debug)]
pub struct Asset {
    /// Who gives roles.
    owner: Item<Address>,
    /// The roles of each account, a set of bits; absent is none.
    roles: Map<Address, u8>,
    /// Whether holders can move anything; absent is not.
    paused: Item<bool>,
    /// The sum of all balances.
    supply: Counter<u128>,
    /// The accounts.
    holders: Map<Address, Holder>,
    /// What a spender, the second key, may move of a holder's, the first; absent is zero.
    allowances: Map<Address, Map<Address, u128>>,
    /// The hash of every line with a reason, of all accounts, what officers, courts and issuers did to holders;
    /// and of those about roles, pauses and the ownership.
    register: Log<Hash>,
    /// The accounts that are frozen, as the host looks at them; absent is not.
    frozen: Map<Address, bool>,
    /// Who is offered the ownership.
    offered: Item<Address>,
}

#[contract(implements(interfaces::Fungible))]
impl Asset {
    /// Sets up an asset that nobody has.
    ///
    /// # Arguments
    /// - `owner`: who gives roles; has all of them at first.
    ///
    /// # Events
    /// [`Recorded`], about the owner's roles and about the asset.
    pub fn init(&mut self, owner: Address) {
        self.owner.put(owner);
        self.roles.put(owner, ALL_ROLES);
        self.register_power(owner, Deed::RolesSet, ALL_ROLES.into(), owner);
        self.register_power(this(), Deed::OwnershipTaken, 0, owner);
    }

    /// Moves `amount` from the caller to `to`. Nothing is recorded of an amount of zero.
    ///
    /// # Errors
    /// - [`AssetError::InsufficientBalance`], [`AssetError::NotAdmitted`], [`AssetError::OverLimit`].
    /// - [`AssetError::SenderFrozen`], [`AssetError::ReceiverFrozen`]: in the block of the freeze.
    ///
    /// Does not run while holders are paused, or one of the accounts is frozen, since before the block.
    ///
    /// # Events
    /// [`Recorded`], for each account.
    #[access(unless(paused, frozen[caller], frozen[to]), write(holders[caller], holders[to]))]
    pub fn transfer(&mut self, to: Address, amount: u128) -> Result<(), AssetError> {
        self.move_units(caller(), to, amount)
    }

    /// Moves `amount` from `from` to `to`, out of what `from` allowed the caller.
    ///
    /// # Errors
    /// - [`AssetError::InsufficientAllowance`], and those of [`Asset::transfer`].
    ///
    /// Does not run either while the caller is frozen, since before the block.
    ///
    /// # Events
    /// [`Recorded`], for each account.
    #[access(
        unless(paused, frozen[caller], frozen[from], frozen[to]),
        write(allowances[from][caller], holders[from], holders[to])
    )]
    pub fn transfer_from(
        &mut self,
        from: Address,
        to: Address,
        amount: u128,
    ) -> Result<(), AssetError> {
        let allowed = self.allowances.get((from, caller()));
        let left = allowed.checked_sub(amount).ok_or(AssetError::InsufficientAllowance)?;
        self.allowances.put((from, caller()), left);
        self.move_units(from, to, amount)
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

    /// Moves units against their holder's will, or out of a frozen account or a lost one. Neither the
    /// pause nor freezes nor locks stop it; the receiver must be admitted, and another one. What is free goes first: a
    /// lock shrinks by what has to be taken of it.
    ///
    /// # Arguments
    /// - `reason`: the hash of the document that orders it.
    ///
    /// # Errors
    /// - [`AssetError::MissingRole`], [`AssetError::NoReason`], [`AssetError::SameHolder`],
    ///   [`AssetError::InsufficientBalance`], [`AssetError::NotAdmitted`], [`AssetError::OverLimit`].
    ///
    /// # Events
    /// [`Recorded`], for each account.
    #[access(read(roles[caller]), write(holders[from], holders[to]), append(register))]
    pub fn force_transfer(
        &mut self,
        from: Address,
        to: Address,
        amount: u128,
        reason: Hash,
    ) -> Result<(), AssetError> {
        self.ensure_role(COURT)?;
        ensure!(reason != Hash::ZERO, AssetError::NoReason);
        ensure!(from != to, AssetError::SameHolder);
        let mut sender = self.holders.get(from);
        let left = sender.balance.checked_sub(amount).ok_or(AssetError::InsufficientBalance)?;
        sender.locked -= amount.saturating_sub(sender.free());
        sender.balance = left;
        let trail = self.record(from, sender, Deed::ForcedOut, amount, to, reason);
        self.register.append(trail);
        let trail = self.receive(to, amount, Deed::ForcedIn, from, reason)?;
        self.register.append(trail);
        Ok(())
    }

    /// Issues units to an admitted holder.
    ///
    /// # Errors
    /// - [`AssetError::MissingRole`], [`AssetError::AmountTooLarge`], [`AssetError::NotAdmitted`],
    ///   [`AssetError::ReceiverFrozen`], [`AssetError::OverLimit`].
    ///
    /// A supply of 2^128 or more stops the transaction.
    ///
    /// # Events
    /// [`Recorded`].
    #[access(unless(frozen[to]), read(roles[caller]), add(supply), write(holders[to]))]
    pub fn issue(&mut self, to: Address, amount: u128) -> Result<(), AssetError> {
        self.ensure_role(ISSUER)?;
        ensure!(amount <= u128::MAX >> 1, AssetError::AmountTooLarge);
        ensure!(!self.holders.get(to).frozen, AssetError::ReceiverFrozen);
        self.supply.add(amount);
        self.receive(to, amount, Deed::Issued, to, Hash::ZERO)?;
        Ok(())
    }

    /// Redeems units of a holder's that are not locked: they are gone.
    ///
    /// # Arguments
    /// - `reason`: the hash of the document that says what the holder got for them.
    ///
    /// # Errors
    /// - [`AssetError::MissingRole`], [`AssetError::NoReason`], [`AssetError::AmountTooLarge`],
    ///   [`AssetError::InsufficientBalance`], [`AssetError::SenderFrozen`].
    ///
    /// # Events
    /// [`Recorded`].
    #[access(
        unless(frozen[from]),
        read(roles[caller]),
        add(supply),
        write(holders[from]),
        append(register)
    )]
    pub fn redeem(&mut self, from: Address, amount: u128, reason: Hash) -> Result<(), AssetError> {
        self.ensure_role(ISSUER)?;
        ensure!(reason != Hash::ZERO, AssetError::NoReason);
        ensure!(amount <= u128::MAX >> 1, AssetError::AmountTooLarge);
        let trail = self.send(from, amount, Deed::Redeemed, from, reason)?;
        self.register.append(trail);
        self.supply.sub(amount);
        Ok(())
    }

    /// Admits a holder, up to a limit; a limit of zero shuts it out, and leaves it what it has.
    ///
    /// # Errors
    /// - [`AssetError::MissingRole`].
    ///
    /// # Events
    /// [`Recorded`].
    #[access(read(roles[caller]), write(holders[holder]))]
    pub fn admit(&mut self, holder: Address, limit: u128) -> Result<(), AssetError> {
        self.ensure_role(OFFICER)?;
        let account = Holder { limit, admitted: limit > 0, ..self.holders.get(holder) };
        self.record(holder, account, Deed::Admitted, limit, holder, Hash::ZERO);
        Ok(())
    }

    /// Freezes an account, or unfreezes it from the next block on.
    ///
    /// # Errors
    /// - [`AssetError::MissingRole`], [`AssetError::NoReason`].
    ///
    /// # Events
    /// [`Recorded`].
    #[access(read(roles[caller]), write(holders[holder], frozen[holder]), append(register))]
    pub fn freeze(
        &mut self,
        holder: Address,
        frozen: bool,
        reason: Hash,
    ) -> Result<(), AssetError> {
        self.ensure_role(OFFICER)?;
        ensure!(reason != Hash::ZERO, AssetError::NoReason);
        let account = Holder { frozen, ..self.holders.get(holder) };
        self.frozen.put(holder, frozen);
        let amount = u128::from(frozen);
        let trail = self.record(holder, account, Deed::Frozen, amount, holder, reason);
        self.register.append(trail);
        Ok(())
    }

    /// Sets how much of what a holder has may not be moved. If that is more than it has, so that the holder cannot
    /// escape the lock by moving something first, it is of what it receives, too.
    ///
    /// # Errors
    /// - [`AssetError::MissingRole`], [`AssetError::NoReason`].
    ///
    /// # Events
    /// [`Recorded`].
    #[access(read(roles[caller]), write(holders[holder]), append(register))]
    pub fn lock(&mut self, holder: Address, amount: u128, reason: Hash) -> Result<(), AssetError> {
        self.ensure_role(OFFICER)?;
        ensure!(reason != Hash::ZERO, AssetError::NoReason);
        let account = Holder { locked: amount, ..self.holders.get(holder) };
        let trail = self.record(holder, account, Deed::Locked, amount, holder, reason);
        self.register.append(trail);
        Ok(())
    }

    /// Stops all that holders do, from the next block on, or lets it go on.
    ///
    /// # Errors
    /// - [`AssetError::MissingRole`].
    ///
    /// # Events
    /// [`Recorded`], about the asset.
    #[access(read(roles[caller]), write(paused, holders[this]), append(register))]
    pub fn set_paused(&mut self, paused: bool) -> Result<(), AssetError> {
        self.ensure_role(PAUSER)?;
        self.paused.put(paused);
        self.register_power(this(), Deed::Paused, paused.into(), this());
        Ok(())
    }

    /// Gives roles to an account, or takes them.
    ///
    /// # Arguments
    /// - `roles`: all that it has from now on: a sum of [`ISSUER`], [`OFFICER`], [`COURT`], [`PAUSER`].
    ///
    /// # Errors
    /// - [`AssetError::NotOwner`], [`AssetError::UnknownRole`].
    ///
    /// # Events
    /// [`Recorded`].
    #[access(read(owner), write(roles[to], holders[to]), append(register))]
    pub fn set_roles(&mut self, to: Address, roles: u8) -> Result<(), AssetError> {
        self.ensure_owner()?;
        ensure!(roles & !ALL_ROLES == 0, AssetError::UnknownRole);
        self.roles.put(to, roles);
        self.register_power(to, Deed::RolesSet, roles.into(), to);
        Ok(())
    }

    /// Offers the ownership. Nothing changes until it is accepted, so that it cannot be lost by a typing
    /// mistake; another offer replaces this one. Roles stay as they are.
    ///
    /// # Errors
    /// - [`AssetError::NotOwner`].
    ///
    /// # Events
    /// [`Recorded`], about the asset.
    ///
    /// Source: OpenZeppelin's `Ownable2Step`.
    #[access(read(owner), write(offered, holders[this]), append(register))]
    pub fn offer_ownership(&mut self, to: Address) -> Result<(), AssetError> {
        self.ensure_owner()?;
        self.offered.put(to);
        self.register_power(this(), Deed::OwnershipOffered, 0, to);
        Ok(())
    }

    /// Accepts the ownership that is offered.
    ///
    /// # Errors
    /// - [`AssetError::NotOwner`]: it is not offered to the caller.
    ///
    /// # Events
    /// [`Recorded`], about the asset.
    #[access(write(owner, offered, holders[this]), append(register))]
    pub fn accept_ownership(&mut self) -> Result<(), AssetError> {
        let to = caller();
        ensure!(self.offered.take() == Some(to), AssetError::NotOwner);
        let from = self.owner.get().unwrap_or_default();
        self.owner.put(to);
        self.register_power(this(), Deed::OwnershipTaken, 0, from);
        Ok(())
    }

    /// Who gives roles.
    #[access(read(owner))]
    pub fn owner(&self) -> Option<Address> {
        self.owner.get()
    }

    /// A holder's account.
    #[access(read(holders[of]))]
    pub fn holder(&self, of: Address) -> Holder {
        self.holders.get(of)
    }

    /// What `of` has.
    #[access(read(holders[of]))]
    pub fn balance(&self, of: Address) -> u128 {
        self.holders.get(of).balance
    }

    /// What `spender` may still move of `owner`'s.
    #[access(read(allowances[owner][spender]))]
    pub fn allowance(&self, owner: Address, spender: Address) -> u128 {
        self.allowances.get((owner, spender))
    }

    /// The sum of all balances.
    #[access(read(supply))]
    pub fn total_supply(&self) -> u128 {
        self.supply.get()
    }

    /// The roles of an account: a set of bits.
    #[access(read(roles[of]))]
    pub fn roles(&self, of: Address) -> u8 {
        self.roles.get(of)
    }

    /// How many lines the register has.
    #[access(read(register))]
    pub fn n_registered(&self) -> u64 {
        self.register.len()
    }

    /// What the register has of a line, from the block after it on: its hash, which is the [`Recorded::trail`] after it.
    #[access(start(register[index]))]
    pub fn registered(&self, index: u64) -> Option<Hash> {
        self.register.at_start(index)
    }

    // Not inlined: several methods use these, and every copy is bytes of the module.
    #[inline(never)]
    fn ensure_owner(&self) -> Result<(), AssetError> {
        ensure!(self.owner.get() == Some(caller()), AssetError::NotOwner);
        Ok(())
    }

    fn ensure_role(&self, role: u8) -> Result<(), AssetError> {
        ensure!(self.roles.get(caller()) & role != 0, AssetError::MissingRole);
        Ok(())
    }

    fn move_units(&mut self, from: Address, to: Address, amount: u128) -> Result<(), AssetError> {
        // Nothing moves: a stranger may ask for that, and is not to write into anybody's trail.
        if amount == 0 {
            return Ok(());
        }
        self.send(from, amount, Deed::Sent, to, Hash::ZERO)?;
        ensure!(!self.holders.get(to).frozen, AssetError::ReceiverFrozen);
        self.receive(to, amount, Deed::Received, from, Hash::ZERO)?;
        Ok(())
    }

    fn send(
        &mut self,
        from: Address,
        amount: u128,
        deed: Deed,
        other: Address,
        reason: Hash,
    ) -> Result<Hash, AssetError> {
        let mut account = self.holders.get(from);
        ensure!(!account.frozen, AssetError::SenderFrozen);
        ensure!(amount <= account.free(), AssetError::InsufficientBalance);
        account.balance -= amount;
        Ok(self.record(from, account, deed, amount, other, reason))
    }

    fn receive(
        &mut self,
        to: Address,
        amount: u128,
        deed: Deed,
        other: Address,
        reason: Hash,
    ) -> Result<Hash, AssetError> {
        let mut account = self.holders.get(to);
        ensure!(account.admitted, AssetError::NotAdmitted);
        let balance = account.balance.checked_add(amount).ok_or(AssetError::OverLimit)?;
        ensure!(balance <= account.limit, AssetError::OverLimit);
        account.balance = balance;
        Ok(self.record(to, account, deed, amount, other, reason))
    }

    /// Records and registers what was done to the power over the asset.
    #[inline(never)]
    fn register_power(&mut self, about: Address, deed: Deed, amount: u128, other: Address) {
        let account = self.holders.get(about);
        let trail = self.record(about, account, deed, amount, other, Hash::ZERO);
        self.register.append(trail);
    }

    /// Writes an account with one more line in its trail; returns the line's hash.
    #[inline(never)]
    fn record(
        &mut self,
        holder: Address,
        mut account: Holder,
        deed: Deed,
        amount: u128,
        other: Address,
        reason: Hash,
    ) -> Hash {
        let (before, by, time_ms) = (account.trail, caller(), time_ms());
        let line = Line { before, holder, deed, amount, other, by, reason, time_ms };
        account.trail = hash(&line);
        self.holders.put(holder, account);
        emit(Recorded { line, trail: account.trail });
        account.trail
    }
}
