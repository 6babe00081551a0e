//! A client of the contract `Token`. Written by `kempe bindings rust`; changes are lost.
#![allow(clippy::all, clippy::nursery, clippy::pedantic, reason = "generated code")]
#![allow(dead_code, missing_docs, unreachable_pub, unused_imports, reason = "it has all")]
#![allow(non_camel_case_types, non_snake_case, reason = "names of the contract")]
#![allow(unreachable_code, unreachable_patterns, reason = "enums may be empty")]

use core::convert::Infallible;
use kempe_abi::{Address, Hash, borsh};
use kempe_runtime::types::{Action, Call, Receipt, Upgrade};
/// A fungible token. Its owner gives roles to those who mint and pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Where it is.
    pub address: Address,
}
impl Token {
    /// The contract at an address.
    #[must_use]
    pub const fn at(address: Address) -> Self {
        Self { address }
    }
    /// Deploys the contract. The authority may replace the code later; nobody, ever, if there is none.
    ///
    /// Sets up a token without any supply.
    #[must_use]
    pub fn deploy(wasm: Vec<u8>, authority: Option<Address>, owner: Address) -> Action {
        let args = borsh::to_vec(&(&owner,)).expect("arguments have an encoding");
        Action::Deploy {
            wasm,
            args,
            authority: authority.map(Box::new),
        }
    }
    /// Replaces the code by the one that this client is of. The authority may do so again;
    /// nobody, ever, if there is none.
    #[must_use]
    pub fn upgrade(
        &self,
        wasm: Vec<u8>,
        allow_wider: bool,
        authority: Option<Address>,
    ) -> Action {
        let args = borsh::to_vec(&()).expect("arguments have an encoding");
        let contract = self.address;
        Action::Upgrade(
            Box::new(Upgrade {
                contract,
                wasm,
                args,
                allow_wider,
                authority,
            }),
        )
    }
    /// The contract's events in a receipt, in order.
    ///
    /// # Errors
    /// If the contract at the address is another one, with other events of these names.
    pub fn events(
        &self,
        receipt: &Receipt,
    ) -> Result<Vec<events::Event>, borsh::io::Error> {
        let own = receipt.events.iter().filter(|record| record.contract == self.address);
        own.filter_map(|record| events::Event::decode(record).transpose()).collect()
    }
    /// Creates `amount` and gives it to `to`.
    #[must_use]
    pub fn mint(&self, to: Address, amount: u128) -> Call<(), errors::TokenError> {
        Call::new(self.address, "mint", &(&to, &amount))
    }
    /// Destroys `amount` of the caller's.
    #[must_use]
    pub fn burn(&self, amount: u128) -> Call<(), errors::TokenError> {
        Call::new(self.address, "burn", &(&amount,))
    }
    /// Moves `amount` from the caller to `to`.
    #[must_use]
    pub fn transfer(&self, to: Address, amount: u128) -> Call<(), errors::TokenError> {
        Call::new(self.address, "transfer", &(&to, &amount))
    }
    /// Allows `spender` to move up to `amount` of the caller's. Replaces what was allowed before.
    #[must_use]
    pub fn approve(&self, spender: Address, amount: u128) -> Call<(), Infallible> {
        Call::new(self.address, "approve", &(&spender, &amount))
    }
    /// Moves `amount` from `from` to `to`, out of what `from` allowed the caller.
    #[must_use]
    pub fn transfer_from(
        &self,
        from: Address,
        to: Address,
        amount: u128,
    ) -> Call<(), errors::TokenError> {
        Call::new(self.address, "transfer_from", &(&from, &to, &amount))
    }
    /// Sets an allowance by the owner's signature: anybody may send it, and pay for it. So somebody else may have sent it before: whoever
    /// goes on in the same transaction should look at the allowance first, and send the permit only if that is too small.
    #[must_use]
    pub fn permit(
        &self,
        owner: Address,
        spender: Address,
        amount: u128,
        deadline_ms: u64,
        signature: [u8; 64],
    ) -> Call<(), errors::TokenError> {
        Call::new(
            self.address,
            "permit",
            &(&owner, &spender, &amount, &deadline_ms, &signature),
        )
    }
    /// Gives roles to an account, or takes them.
    #[must_use]
    pub fn set_roles(&self, to: Address, roles: u8) -> Call<(), errors::TokenError> {
        Call::new(self.address, "set_roles", &(&to, &roles))
    }
    /// Offers the ownership. Nothing changes until it is accepted, so that it cannot be lost by a typing
    /// mistake. Roles stay as they are.
    #[must_use]
    pub fn offer_ownership(&self, to: Address) -> Call<(), errors::TokenError> {
        Call::new(self.address, "offer_ownership", &(&to,))
    }
    /// Accepts the ownership that is offered.
    #[must_use]
    pub fn accept_ownership(&self) -> Call<(), errors::TokenError> {
        Call::new(self.address, "accept_ownership", &())
    }
    /// Pauses or unpauses.
    #[must_use]
    pub fn set_paused(&self, paused: bool) -> Call<(), errors::TokenError> {
        Call::new(self.address, "set_paused", &(&paused,))
    }
    /// Says, once, what people call the token.
    #[must_use]
    pub fn describe(&self, metadata: types::Metadata) -> Call<(), errors::TokenError> {
        Call::new(self.address, "describe", &(&metadata,))
    }
    /// What `of` has.
    #[must_use]
    pub fn balance(&self, of: Address) -> Call<u128, Infallible> {
        Call::new(self.address, "balance", &(&of,))
    }
    /// What `spender` may still move of `owner`'s.
    #[must_use]
    pub fn allowance(&self, owner: Address, spender: Address) -> Call<u128, Infallible> {
        Call::new(self.address, "allowance", &(&owner, &spender))
    }
    /// The sum of all balances.
    #[must_use]
    pub fn total_supply(&self) -> Call<u128, Infallible> {
        Call::new(self.address, "total_supply", &())
    }
    /// Who gives roles.
    #[must_use]
    pub fn owner(&self) -> Call<Option<Address>, Infallible> {
        Call::new(self.address, "owner", &())
    }
    /// The roles of an account: a set of bits.
    #[must_use]
    pub fn roles(&self, of: Address) -> Call<u8, Infallible> {
        Call::new(self.address, "roles", &(&of,))
    }
    /// Whether the token is paused.
    #[must_use]
    pub fn is_paused(&self) -> Call<bool, Infallible> {
        Call::new(self.address, "is_paused", &())
    }
    /// The number of the owner's next permit.
    #[must_use]
    pub fn permits(&self, owner: Address) -> Call<u64, Infallible> {
        Call::new(self.address, "permits", &(&owner,))
    }
    /// What an owner signs for a \[`permit`](Self::permit): the message, whose blake3 hash is signed.
    #[must_use]
    pub fn permit_message(
        &self,
        owner: Address,
        spender: Address,
        amount: u128,
        deadline_ms: u64,
    ) -> Call<Vec<u8>, Infallible> {
        Call::new(
            self.address,
            "permit_message",
            &(&owner, &spender, &amount, &deadline_ms),
        )
    }
    /// What people call the token.
    #[must_use]
    pub fn metadata(&self) -> Call<types::Metadata, Infallible> {
        Call::new(self.address, "metadata", &())
    }
}
/// Why methods refuse.
pub mod errors {
    use kempe_runtime::types::ErrorCodes;
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum TokenError {
        /// Only the owner, or whom the ownership is offered to, may do this.
        NotOwner,
        /// The balance is smaller than the amount.
        InsufficientBalance,
        /// The allowance is smaller than the amount.
        InsufficientAllowance,
        /// The amount is larger than can be minted, burned or moved in one step: 2^127 or more.
        AmountTooLarge,
        /// The caller does not have the role.
        MissingRole,
        /// The token is paused.
        Paused,
        /// The block's time is past the permit's deadline.
        PermitExpired,
        /// The signature is for something else, or was used.
        BadPermit,
        /// There is no such role.
        UnknownRole,
        /// The token was described before.
        AlreadyDescribed,
    }
    impl TokenError {
        /// The code in a receipt.
        #[must_use]
        pub const fn code(self) -> u32 {
            match self {
                Self::NotOwner => 100,
                Self::InsufficientBalance => 101,
                Self::InsufficientAllowance => 102,
                Self::AmountTooLarge => 103,
                Self::MissingRole => 104,
                Self::Paused => 105,
                Self::PermitExpired => 106,
                Self::BadPermit => 107,
                Self::UnknownRole => 108,
                Self::AlreadyDescribed => 109,
            }
        }
    }
    impl ErrorCodes for TokenError {
        fn from_code(code: u32) -> Option<Self> {
            Some(
                match code {
                    100 => Self::NotOwner,
                    101 => Self::InsufficientBalance,
                    102 => Self::InsufficientAllowance,
                    103 => Self::AmountTooLarge,
                    104 => Self::MissingRole,
                    105 => Self::Paused,
                    106 => Self::PermitExpired,
                    107 => Self::BadPermit,
                    108 => Self::UnknownRole,
                    109 => Self::AlreadyDescribed,
                    _ => return None,
                },
            )
        }
    }
}
/// What the contract tells.
pub mod events {
    use kempe_abi::{Address, Hash, borsh};
    use kempe_runtime::types::EventRecord;
    /// A spender may move up to an amount.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct Approval {
        pub owner: Address,
        pub spender: Address,
        pub amount: u128,
    }
    /// An amount was destroyed.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct Burn {
        pub from: Address,
        pub amount: u128,
    }
    /// The token was described.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct Described {
        pub metadata: super::types::Metadata,
    }
    /// An amount was created.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct Mint {
        pub to: Address,
        pub amount: u128,
    }
    /// The token has another owner.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct OwnerChanged {
        pub from: Address,
        pub to: Address,
    }
    /// Somebody may become the owner.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct OwnerOffered {
        pub to: Address,
    }
    /// The token was paused or unpaused.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct PauseChanged {
        pub by: Address,
        pub paused: bool,
    }
    /// An account's roles changed.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct RolesChanged {
        pub of: Address,
        pub roles: u8,
    }
    /// An amount moved.
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct Transfer {
        pub from: Address,
        pub to: Address,
        pub amount: u128,
    }
    /// Any of the events.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Event {
        /// A spender may move up to an amount.
        Approval(Approval),
        /// An amount was destroyed.
        Burn(Burn),
        /// The token was described.
        Described(Described),
        /// An amount was created.
        Mint(Mint),
        /// The token has another owner.
        OwnerChanged(OwnerChanged),
        /// Somebody may become the owner.
        OwnerOffered(OwnerOffered),
        /// The token was paused or unpaused.
        PauseChanged(PauseChanged),
        /// An account's roles changed.
        RolesChanged(RolesChanged),
        /// An amount moved.
        Transfer(Transfer),
    }
    impl Event {
        /// The event of a record; none if it is another contract's.
        ///
        /// # Errors
        /// If the record has the number of an event, and other fields.
        pub fn decode(record: &EventRecord) -> Result<Option<Self>, borsh::io::Error> {
            Ok(
                Some(
                    match record.id {
                        3266459509 => Self::Approval(borsh::from_slice(&record.data)?),
                        3387851656 => Self::Burn(borsh::from_slice(&record.data)?),
                        3518334953 => Self::Described(borsh::from_slice(&record.data)?),
                        2818554150 => Self::Mint(borsh::from_slice(&record.data)?),
                        3257054401 => {
                            Self::OwnerChanged(borsh::from_slice(&record.data)?)
                        }
                        1743346634 => {
                            Self::OwnerOffered(borsh::from_slice(&record.data)?)
                        }
                        560419051 => Self::PauseChanged(borsh::from_slice(&record.data)?),
                        2190241470 => {
                            Self::RolesChanged(borsh::from_slice(&record.data)?)
                        }
                        1794887809 => Self::Transfer(borsh::from_slice(&record.data)?),
                        _ => return Ok(None),
                    },
                ),
            )
        }
    }
}
/// The types of arguments, results and events.
pub mod types {
    use kempe_abi::{Address, Hash, borsh};
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    #[borsh(crate = "kempe_abi::borsh")]
    pub struct Metadata {
        pub name: [u8; 32],
        pub symbol: [u8; 12],
        pub decimals: u8,
    }
}
