//! A collection of tokens of which each is one of a kind.
//!
//! A token's id is the hash of who minted it and a salt of the minter's choice, so nobody asks a
//! counter for the next number: two minters never conflict, and neither do two mints of one minter.
//!
//! Invariants:
//! - a token has one owner, neither the collection nor the address that nobody has, and an id is minted at most once, also after the token was destroyed;
//! - `balances` of an account is how many tokens it owns, and they add up to `supply`;
//! - a token moves by a call of its owner, of whom the owner approved for it, or of an operator of the
//!   owner's; an approval ends when the token moves.
//!
//! What conflicts: calls about one token. Balances and the supply are counters that are only added
//! to. Minters and operators are read, and seldom written.
#![no_std]

use kempe_sdk::interfaces;
use kempe_sdk::prelude::*;

mod storage;
#[cfg(test)]
mod test;

pub use storage::{
    AdminChanged, AdminOffered, Approved, Burned, Minted, MinterSet, Moved, NftError, OperatorSet,
    Owned,
};

/// A collection.
#[contract]
#[derive(Debug)]
pub struct Nft {
    /// Where the documents are: this text, and a token's `content` in hexadecimal digits.
    base_uri: Immutable<String>,
    /// Who says who mints.
    admin: Item<Address>,
    /// Who is offered to be that.
    offered: Item<Address>,
    /// Who may mint.
    minters: Map<Address, bool>,
    /// The tokens; `None` for one that was destroyed.
    tokens: Map<Hash, Option<Owned>>,
    /// How many tokens each account has.
    balances: Map<Address, Counter<u64>>,
    /// How many tokens there are.
    supply: Counter<u64>,
    /// Who, the second key, may move all tokens of whom, the first.
    operators: Map<Address, Map<Address, bool>>,
}

#[contract(implements(interfaces::NonFungible))]
impl Nft {
    /// Sets up an empty collection.
    ///
    /// # Arguments
    /// - `admin`: who says who mints, and mints at first.
    /// - `base_uri`: where the documents are.
    pub fn init(&mut self, admin: Address, base_uri: String) {
        self.base_uri.set(base_uri);
        self.admin.put(admin);
        self.minters.put(admin, true);
    }

    /// Makes a token and returns its id: `hash(caller, salt)`.
    ///
    /// # Arguments
    /// - `to`: who gets it.
    /// - `salt`: any number that the caller has not used for a token of this collection.
    /// - `content`: the hash of the document that describes it.
    ///
    /// # Errors
    /// - [`NftError::NotMinter`], [`NftError::BadReceiver`], [`NftError::AlreadyMinted`].
    ///
    /// # Events
    /// [`Minted`].
    #[access(
        read(minters[caller]),
        write(tokens[hash(caller, salt)]),
        add(balances[to], supply)
    )]
    pub fn mint(&mut self, to: Address, salt: u64, content: Hash) -> Result<Hash, NftError> {
        let by = caller();
        ensure!(self.minters.get(by), NftError::NotMinter);
        check_receiver(to)?;
        let id = hash(&(by, salt));
        ensure!(!self.tokens.contains(id), NftError::AlreadyMinted);
        self.tokens.put(id, Some(Owned { owner: to, approved: None, content }));
        self.balances.add(to, 1);
        self.supply.add(1);
        emit(Minted { id, by, to, content });
        Ok(id)
    }

    /// Destroys the caller's token. Its id is never used again.
    ///
    /// # Errors
    /// - [`NftError::NoSuchToken`], [`NftError::NotOwner`].
    ///
    /// # Events
    /// [`Burned`].
    #[access(write(tokens[id]), add(balances[caller], supply))]
    pub fn burn(&mut self, id: Hash) -> Result<(), NftError> {
        let from = caller();
        self.owned_by(id, from)?;
        self.tokens.put(id, None);
        self.balances.sub(from, 1);
        self.supply.sub(1);
        emit(Burned { id, from });
        Ok(())
    }

    /// Gives the caller's token to `to`.
    ///
    /// # Errors
    /// - [`NftError::NoSuchToken`], [`NftError::NotOwner`], [`NftError::BadReceiver`].
    ///
    /// # Events
    /// [`Moved`].
    #[access(write(tokens[id]), add(balances[caller], balances[to]))]
    pub fn transfer(&mut self, to: Address, id: Hash) -> Result<(), NftError> {
        let token = self.owned_by(id, caller())?;
        self.give(id, token, to)
    }

    /// Gives `from`'s token to `to`.
    ///
    /// # Errors
    /// - [`NftError::NoSuchToken`], [`NftError::BadReceiver`].
    /// - [`NftError::NotOwner`]: `from` does not have it.
    /// - [`NftError::NotApproved`]: the caller may not, also if it is `from`: that is `transfer`.
    ///
    /// # Events
    /// [`Moved`].
    #[access(
        write(tokens[id]),
        read(operators[from][caller]),
        add(balances[from], balances[to])
    )]
    pub fn transfer_from(&mut self, from: Address, to: Address, id: Hash) -> Result<(), NftError> {
        let token = self.owned_by(id, from)?;
        let by = caller();
        let may = token.approved == Some(by) || self.operators.get((from, by));
        ensure!(may, NftError::NotApproved);
        self.give(id, token, to)
    }

    /// Allows `spender` to move the caller's token, once; nobody if `None`.
    ///
    /// An operator cannot approve: whose operator it must be is only known from the token, and that
    /// would make the access list depend on state.
    ///
    /// # Errors
    /// - [`NftError::NoSuchToken`], [`NftError::NotOwner`].
    ///
    /// # Events
    /// [`Approved`].
    #[access(write(tokens[id]))]
    pub fn approve(&mut self, spender: Option<Address>, id: Hash) -> Result<(), NftError> {
        let token = self.owned_by(id, caller())?;
        self.tokens.put(id, Some(Owned { approved: spender, ..token }));
        emit(Approved { id, owner: token.owner, spender });
        Ok(())
    }

    /// Allows `operator` to move every token of the caller's, or takes that back.
    ///
    /// # Events
    /// [`OperatorSet`].
    #[access(write(operators[caller][operator]))]
    pub fn set_operator(&mut self, operator: Address, allowed: bool) {
        let owner = caller();
        self.operators.put((owner, operator), allowed);
        emit(OperatorSet { owner, operator, allowed });
    }

    /// Says whether an account may mint.
    ///
    /// # Errors
    /// - [`NftError::NotAdmin`].
    ///
    /// # Events
    /// [`MinterSet`].
    #[access(read(admin), write(minters[who]))]
    pub fn set_minter(&mut self, who: Address, allowed: bool) -> Result<(), NftError> {
        ensure!(self.admin.get() == Some(caller()), NftError::NotAdmin);
        self.minters.put(who, allowed);
        emit(MinterSet { who, allowed });
        Ok(())
    }

    /// Offers to let `to` say who mints. Nothing changes until it accepts.
    ///
    /// # Errors
    /// - [`NftError::NotAdmin`].
    ///
    /// # Events
    /// [`AdminOffered`].
    #[access(read(admin), write(offered))]
    pub fn offer_admin(&mut self, to: Address) -> Result<(), NftError> {
        ensure!(self.admin.get() == Some(caller()), NftError::NotAdmin);
        self.offered.put(to);
        emit(AdminOffered { to });
        Ok(())
    }

    /// Accepts what [`Nft::offer_admin`] offers. Minters stay, the former admin among them, until
    /// [`Nft::set_minter`].
    ///
    /// # Errors
    /// - [`NftError::NotAdmin`]: it is not offered to the caller.
    ///
    /// # Events
    /// [`AdminChanged`].
    #[access(write(admin, offered))]
    pub fn accept_admin(&mut self) -> Result<(), NftError> {
        let to = caller();
        ensure!(self.offered.take() == Some(to), NftError::NotAdmin);
        let from = self.admin.get().unwrap_or_default();
        self.admin.put(to);
        emit(AdminChanged { from, to });
        Ok(())
    }

    /// Who has the token, if it exists.
    #[access(read(tokens[id]))]
    pub fn owner_of(&self, id: Hash) -> Option<Address> {
        self.tokens.get(id).map(|token| token.owner)
    }

    /// Who may move the token once, besides its owner and the owner's operators.
    #[access(read(tokens[id]))]
    pub fn approved(&self, id: Hash) -> Option<Address> {
        self.tokens.get(id).and_then(|token| token.approved)
    }

    /// The hash of the document that describes the token, if it exists.
    #[access(read(tokens[id]))]
    pub fn content(&self, id: Hash) -> Option<Hash> {
        self.tokens.get(id).map(|token| token.content)
    }

    /// Where the documents are: this text, and a token's `content` in hexadecimal digits.
    pub fn base_uri(&self) -> String {
        self.base_uri.get()
    }

    /// Whether `operator` may move every token of `owner`'s.
    #[access(read(operators[owner][operator]))]
    pub fn is_operator(&self, owner: Address, operator: Address) -> bool {
        self.operators.get((owner, operator))
    }

    /// How many tokens `of` has.
    #[access(read(balances[of]))]
    pub fn balance(&self, of: Address) -> u64 {
        self.balances.get(of)
    }

    /// How many tokens there are.
    #[access(read(supply))]
    pub fn total_supply(&self) -> u64 {
        self.supply.get()
    }

    fn owned_by(&self, id: Hash, owner: Address) -> Result<Owned, NftError> {
        let token = self.tokens.get(id).ok_or(NftError::NoSuchToken)?;
        ensure!(token.owner == owner, NftError::NotOwner);
        Ok(token)
    }

    fn give(&mut self, id: Hash, token: Owned, to: Address) -> Result<(), NftError> {
        check_receiver(to)?;
        let from = token.owner;
        self.tokens.put(id, Some(Owned { owner: to, approved: None, ..token }));
        self.balances.sub(from, 1);
        self.balances.add(to, 1);
        emit(Moved { id, from, to });
        Ok(())
    }
}

/// Whether a token that `to` gets can move again.
fn check_receiver(to: Address) -> Result<(), NftError> {
    ensure!(to != Address::ZERO && to != this(), NftError::BadReceiver);
    Ok(())
}
