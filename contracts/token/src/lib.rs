//! A fungible token: balances, allowances, permits, roles, a pause, and a supply that mints and burns
//! in parallel.
//!
//! Invariants:
//! - the sum of all balances is `supply`;
//! - only a holder's own call, a spender within the holder's allowance, or a permit that the holder
//!   signed, lowers a balance or sets an allowance;
//! - only a minter raises the supply, and it never exceeds 2^128 - 1;
//! - a permit is good once.
//!
//! What conflicts: what moves out of an account writes its balance, and what moves in adds to it. So whoever is paid by many, as
//! shops are and contracts that hold for many, is paid by all of them at once; what one account pays follows one another, and
//! waits for what it is paid in its block. Mints and burns `add` to the supply. Roles and the pause are read by those whom they
//! concern, and reads do not conflict; nothing that every call does writes them.
//!
//! A balance that is a `Stock` would let an account pay at once, too. It needs a look at what it has before each block, and makes transfers
//! between different accounts, which are most, 7 to 13 % slower.
//!
//! A pause stops minting, burning, and every use of an allowance: contracts that hold or move the token
//! for others come to rest. It does not stop `transfer`: nobody can lock holders in, and a transfer
//! touches two keys and not three. A token that must stop holders too is `asset`.
#![no_std]

use kempe_sdk::prelude::*;
use kempe_sdk::{ed25519_verify, interfaces, message};

mod errors;
mod events;
mod storage;
#[cfg(test)]
mod test;

pub use errors::TokenError;
pub use events::{
    Approval, Burn, Described, Mint, OwnerChanged, OwnerOffered, PauseChanged, RolesChanged,
    Transfer,
};
pub use storage::{ALL_ROLES, MINTER, Metadata, PAUSER, PERMIT_TAG, Permit};

/// A fungible token. Its owner gives roles to those who mint and pause.
#[contract]
#[derive(Debug)]
pub struct Token {
    /// Who gives roles.
    owner: Item<Address>,
    /// The sum of all balances.
    supply: Counter<u128>,
    /// What each account has.
    balances: Map<Address, Counter<u128>>,
    /// What a spender, the second key, may move of a holder's, the first; absent is zero.
    allowances: Map<Address, Map<Address, u128>>,
    /// The roles of each account, a set of bits; absent is none.
    roles: Map<Address, u8>,
    /// Who is offered the ownership.
    offered: Item<Address>,
    /// Whether the token is paused; absent is not.
    paused: Item<bool>,
    /// How many permits of each owner were used.
    permits: Map<Address, u64>,
    /// What people call the token.
    metadata: Item<Metadata>,
}

#[contract(implements(interfaces::Fungible))]
impl Token {
    /// Sets up a token without any supply.
    ///
    /// # Arguments
    /// - `owner`: who gives roles; has all of them at first.
    pub fn init(&mut self, owner: Address) {
        self.owner.put(owner);
        self.roles.put(owner, ALL_ROLES);
    }

    /// Creates `amount` and gives it to `to`.
    ///
    /// # Arguments
    /// - `to`: who receives.
    /// - `amount`: how much; zero is permitted.
    ///
    /// # Errors
    /// - [`TokenError::MissingRole`]: the caller is no minter.
    /// - [`TokenError::Paused`].
    /// - [`TokenError::AmountTooLarge`]: the amount is 2^127 or more.
    ///
    /// A supply of 2^128 or more stops the transaction.
    ///
    /// # Events
    /// [`Mint`].
    #[access(read(roles[caller], paused), add(supply, balances[to]))]
    pub fn mint(&mut self, to: Address, amount: u128) -> Result<(), TokenError> {
        self.ensure_role(MINTER)?;
        self.ensure_running()?;
        self.deposit(to, amount)?;
        self.supply.add(amount);
        emit(Mint { to, amount });
        Ok(())
    }

    /// Destroys `amount` of the caller's.
    ///
    /// # Arguments
    /// - `amount`: how much; zero is permitted.
    ///
    /// # Errors
    /// - [`TokenError::Paused`].
    /// - [`TokenError::InsufficientBalance`]: the caller has less.
    /// - [`TokenError::AmountTooLarge`]: the amount is 2^127 or more.
    ///
    /// # Events
    /// [`Burn`].
    #[access(read(paused), add(supply), write(balances[caller]))]
    pub fn burn(&mut self, amount: u128) -> Result<(), TokenError> {
        self.ensure_running()?;
        ensure!(amount <= Self::STEP_MAX, TokenError::AmountTooLarge);
        let from = caller();
        self.withdraw(from, amount)?;
        self.supply.sub(amount);
        emit(Burn { from, amount });
        Ok(())
    }

    /// Moves `amount` from the caller to `to`.
    ///
    /// # Arguments
    /// - `to`: who receives; the caller is permitted, and changes nothing.
    /// - `amount`: how much; zero is permitted.
    ///
    /// # Errors
    /// - [`TokenError::InsufficientBalance`]: the caller has less.
    /// - [`TokenError::AmountTooLarge`]: the amount is 2^127 or more.
    ///
    /// # Events
    /// [`Transfer`].
    #[access(write(balances[caller]), add(balances[to]))]
    pub fn transfer(&mut self, to: Address, amount: u128) -> Result<(), TokenError> {
        self.move_balance(caller(), to, amount)
    }

    /// Allows `spender` to move up to `amount` of the caller's. Replaces what was allowed before.
    ///
    /// # Arguments
    /// - `spender`: who is allowed.
    /// - `amount`: how much; zero takes the permission back.
    ///
    /// A spender that sees the change coming can use both the old and the new amount: set zero first,
    /// and look, where that matters.
    ///
    /// # Events
    /// [`Approval`].
    #[access(write(allowances[caller][spender]))]
    pub fn approve(&mut self, spender: Address, amount: u128) {
        let owner = caller();
        self.allowances.put((owner, spender), amount);
        emit(Approval { owner, spender, amount });
    }

    /// Moves `amount` from `from` to `to`, out of what `from` allowed the caller.
    ///
    /// # Arguments
    /// - `from`: whose balance it is.
    /// - `to`: who receives.
    /// - `amount`: how much; zero is permitted.
    ///
    /// # Errors
    /// - [`TokenError::Paused`].
    /// - [`TokenError::InsufficientAllowance`]: the caller may move less, also of its own.
    /// - [`TokenError::InsufficientBalance`]: `from` has less.
    /// - [`TokenError::AmountTooLarge`]: the amount is 2^127 or more.
    ///
    /// # Events
    /// [`Transfer`].
    #[access(read(paused), write(allowances[from][caller], balances[from]), add(balances[to]))]
    pub fn transfer_from(
        &mut self,
        from: Address,
        to: Address,
        amount: u128,
    ) -> Result<(), TokenError> {
        self.ensure_running()?;
        let spender = caller();
        let allowed = self.allowances.get((from, spender));
        let left = allowed.checked_sub(amount).ok_or(TokenError::InsufficientAllowance)?;
        self.allowances.put((from, spender), left);
        self.move_balance(from, to, amount)
    }

    /// Sets an allowance by the owner's signature: anybody may send it, and pay for it. So somebody else may have sent it before: whoever
    /// goes on in the same transaction should look at the allowance first, and send the permit only if that is too small.
    ///
    /// # Arguments
    /// - `owner`: whose balance it is.
    /// - `spender`: who is allowed.
    /// - `amount`: how much; replaces what was allowed before.
    /// - `deadline_ms`: the latest block time at which the signature is good.
    /// - `signature`: the owner's ed25519 signature of the [`Permit`] with the owner's next number.
    ///
    /// # Errors
    /// - [`TokenError::PermitExpired`].
    /// - [`TokenError::BadPermit`]: the signature is for something else, or was used.
    ///
    /// # Events
    /// [`Approval`].
    #[access(write(permits[owner], allowances[owner][spender]))]
    pub fn permit(
        &mut self,
        owner: Address,
        spender: Address,
        amount: u128,
        deadline_ms: u64,
        signature: [u8; 64],
    ) -> Result<(), TokenError> {
        ensure!(time_ms() <= deadline_ms, TokenError::PermitExpired);
        let number = self.permits.get(owner);
        let permit = Permit::new(owner, spender, amount, number, deadline_ms);
        let signed = ed25519_verify(&owner, hash(&permit).as_bytes(), &signature);
        ensure!(signed, TokenError::BadPermit);
        self.permits.put(owner, number + 1);
        self.allowances.put((owner, spender), amount);
        emit(Approval { owner, spender, amount });
        Ok(())
    }

    /// Gives roles to an account, or takes them.
    ///
    /// # Arguments
    /// - `to`: whose roles.
    /// - `roles`: all that it has from now on: [`MINTER`], [`PAUSER`], their sum, or zero.
    ///
    /// # Errors
    /// - [`TokenError::NotOwner`], [`TokenError::UnknownRole`].
    ///
    /// # Events
    /// [`RolesChanged`].
    #[access(read(owner), write(roles[to]))]
    pub fn set_roles(&mut self, to: Address, roles: u8) -> Result<(), TokenError> {
        self.ensure_owner()?;
        ensure!(roles & !ALL_ROLES == 0, TokenError::UnknownRole);
        self.roles.put(to, roles);
        emit(RolesChanged { of: to, roles });
        Ok(())
    }

    /// Offers the ownership. Nothing changes until it is accepted, so that it cannot be lost by a typing
    /// mistake. Roles stay as they are.
    ///
    /// # Errors
    /// - [`TokenError::NotOwner`].
    ///
    /// # Events
    /// [`OwnerOffered`].
    #[access(read(owner), write(offered))]
    pub fn offer_ownership(&mut self, to: Address) -> Result<(), TokenError> {
        self.ensure_owner()?;
        self.offered.put(to);
        emit(OwnerOffered { to });
        Ok(())
    }

    /// Accepts the ownership that is offered.
    ///
    /// # Errors
    /// - [`TokenError::NotOwner`]: it is not offered to the caller.
    ///
    /// # Events
    /// [`OwnerChanged`].
    #[access(write(owner, offered))]
    pub fn accept_ownership(&mut self) -> Result<(), TokenError> {
        let to = caller();
        ensure!(self.offered.take() == Some(to), TokenError::NotOwner);
        let from = self.owner.get().unwrap_or_default();
        self.owner.put(to);
        emit(OwnerChanged { from, to });
        Ok(())
    }

    /// Pauses or unpauses.
    ///
    /// # Errors
    /// - [`TokenError::MissingRole`]: the caller is no pauser.
    ///
    /// # Events
    /// [`PauseChanged`].
    #[access(read(roles[caller]), write(paused))]
    pub fn set_paused(&mut self, paused: bool) -> Result<(), TokenError> {
        self.ensure_role(PAUSER)?;
        self.paused.put(paused);
        emit(PauseChanged { by: caller(), paused });
        Ok(())
    }

    /// Says, once, what people call the token.
    ///
    /// # Errors
    /// - [`TokenError::NotOwner`], [`TokenError::AlreadyDescribed`].
    ///
    /// # Events
    /// [`Described`].
    #[access(read(owner), write(metadata))]
    pub fn describe(&mut self, metadata: Metadata) -> Result<(), TokenError> {
        self.ensure_owner()?;
        ensure!(!self.metadata.exists(), TokenError::AlreadyDescribed);
        self.metadata.put(metadata);
        emit(Described { metadata });
        Ok(())
    }

    /// What `of` has.
    #[access(read(balances[of]))]
    pub fn balance(&self, of: Address) -> u128 {
        self.balances.get(of)
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

    /// Who gives roles.
    #[access(read(owner))]
    pub fn owner(&self) -> Option<Address> {
        self.owner.get()
    }

    /// The roles of an account: a set of bits.
    #[access(read(roles[of]))]
    pub fn roles(&self, of: Address) -> u8 {
        self.roles.get(of)
    }

    /// Whether the token is paused.
    #[access(read(paused))]
    pub fn is_paused(&self) -> bool {
        self.paused.get().unwrap_or_default()
    }

    /// The number of the owner's next permit.
    #[access(read(permits[owner]))]
    pub fn permits(&self, owner: Address) -> u64 {
        self.permits.get(owner)
    }

    /// What an owner signs for a [`permit`](Self::permit): the message, whose blake3 hash is signed.
    #[access(read(permits[owner]))]
    pub fn permit_message(
        &self,
        owner: Address,
        spender: Address,
        amount: u128,
        deadline_ms: u64,
    ) -> Vec<u8> {
        let number = self.permits.get(owner);
        message(&Permit::new(owner, spender, amount, number, deadline_ms))
    }

    /// What people call the token.
    #[access(read(metadata))]
    pub fn metadata(&self) -> Metadata {
        self.metadata.get().unwrap_or_default()
    }

    /// One step of a counter: 2^127 - 1.
    const STEP_MAX: u128 = u128::MAX >> 1;

    // Not inlined: several methods use these, and every copy is bytes of the module.
    #[inline(never)]
    fn ensure_owner(&self) -> Result<(), TokenError> {
        ensure!(self.owner.get() == Some(caller()), TokenError::NotOwner);
        Ok(())
    }

    #[inline(never)]
    fn ensure_role(&self, role: u8) -> Result<(), TokenError> {
        ensure!(self.roles.get(caller()) & role != 0, TokenError::MissingRole);
        Ok(())
    }

    #[inline(never)]
    fn ensure_running(&self) -> Result<(), TokenError> {
        ensure!(self.paused.get() != Some(true), TokenError::Paused);
        Ok(())
    }

    /// Moves a balance. The deposit adds to what the withdrawal wrote, so moving to oneself is right.
    fn move_balance(&mut self, from: Address, to: Address, amount: u128) -> Result<(), TokenError> {
        self.withdraw(from, amount)?;
        self.deposit(to, amount)?;
        emit(Transfer { from, to, amount });
        Ok(())
    }

    fn withdraw(&mut self, from: Address, amount: u128) -> Result<(), TokenError> {
        let had = self.balances.get(from);
        let has = had.checked_sub(amount).ok_or(TokenError::InsufficientBalance)?;
        self.balances.put(from, has);
        Ok(())
    }

    fn deposit(&mut self, to: Address, amount: u128) -> Result<(), TokenError> {
        ensure!(amount <= Self::STEP_MAX, TokenError::AmountTooLarge);
        // All balances are the supply, which is a counter: none leaves its bounds.
        self.balances.add(to, amount);
        Ok(())
    }
}
