//! The chain that a test talks to.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use ed25519_zebra::{SigningKey, VerificationKey};
use kempe_abi::def::ContractDef;
use kempe_abi::upgrade::UpgradeTerms;
use kempe_abi::{AbiType, Address, Encode, Hash};

use super::backend::{Backend, CodeSource, Tx};
use super::gas::GasReport;
use super::native::Native;
use super::receipt::{BlockReport, Receipt};
use super::upgrade::UpgradeOptions;
use super::violation;
use crate::codec::Any;
use crate::{Contract, codec};

/// A chain for tests, on a [`Backend`].
pub struct TestChain {
    backend: Box<dyn Backend>,
    keys: BTreeMap<Address, SigningKey>,
    /// The names of accounts and contracts, and what the contracts are.
    names: BTreeMap<Address, Named>,
    gas: GasReport,
}

/// What a test calls an address.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) def: Option<&'static ContractDef>,
}

impl fmt::Debug for TestChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestChain").field("height", &self.backend.height()).finish_non_exhaustive()
    }
}

/// A contract on a [`TestChain`].
pub struct Instance<C> {
    address: Address,
    contract: PhantomData<fn() -> C>,
}

impl<C> Clone for Instance<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Instance<C> {}

impl<C> fmt::Debug for Instance<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instance({})", self.address)
    }
}

impl<C: Contract> Instance<C> {
    /// The contract at an address, such as one that another contract knows.
    #[must_use]
    pub const fn at(address: Address) -> Self {
        Self { address, contract: PhantomData }
    }

    /// The contract's address.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// A call of a method, for [`TestChain::block`]. The arguments are a tuple: `(to, 5u128)`, `(to,)`.
    ///
    /// # Panics
    /// If an argument's own `Encode` refuses; derived ones do not.
    #[must_use]
    pub fn tx(&self, sender: Address, method: &str, args: impl Encode) -> Tx {
        Tx {
            sender,
            contract: self.address,
            method: method.to_string(),
            args: codec::encoded::<Any, _, _>(&args, <[u8]>::to_vec),
        }
    }
}

impl TestChain {
    /// A chain that runs contracts natively.
    #[must_use]
    pub fn native() -> Self {
        Self::on(Native::default())
    }

    /// A chain on a backend.
    #[must_use]
    pub fn on(backend: impl Backend + 'static) -> Self {
        Self {
            backend: Box::new(backend),
            keys: BTreeMap::new(),
            names: BTreeMap::new(),
            gas: GasReport::default(),
        }
    }

    /// The account with this name: the same name is the same account, on every backend.
    pub fn account(&mut self, name: &str) -> Address {
        let seed = *blake3::Hasher::new_derive_key("kempe-sdk 2026 test account")
            .update(name.as_bytes())
            .finalize()
            .as_bytes();
        let key = SigningKey::from(seed);
        let address = Address(VerificationKey::from(&key).into());
        if self.keys.insert(address, key).is_none() {
            self.names.insert(address, Named { name: name.to_string(), def: None });
            self.backend.account(name, address, seed);
        }
        address
    }

    /// The signature of an account, for contracts that check signatures themselves.
    ///
    /// # Panics
    /// If the account is not one of [`account`](Self::account).
    #[must_use]
    #[track_caller]
    pub fn sign(&self, account: Address, message: &[u8]) -> [u8; 64] {
        let key = self.keys.get(&account).expect("only accounts of this chain can sign");
        key.sign(message).into()
    }

    /// Deploys a contract; the arguments are those of its `init`, or `()`.
    ///
    /// # Panics
    /// If the deployment fails.
    #[track_caller]
    pub fn deploy<C: Contract>(&mut self, deployer: Address, args: impl Encode) -> Instance<C> {
        match self.try_deploy(deployer, args) {
            Ok(instance) => instance,
            Err(receipt) => panic!("expected `{}` to be deployed, got {receipt}", C::DEF.name),
        }
    }

    /// Deploys a contract.
    ///
    /// # Errors
    /// The receipt, if the deployment fails.
    pub fn try_deploy<C: Contract>(
        &mut self,
        deployer: Address,
        args: impl Encode,
    ) -> Result<Instance<C>, Box<Receipt>> {
        self.deploy_with(deployer, args, None)
    }

    /// Deploys a contract whose code `authority` may replace: an account, or a contract that is asked.
    ///
    /// # Panics
    /// If the deployment fails.
    #[track_caller]
    pub fn deploy_upgradable<C: Contract>(
        &mut self,
        deployer: Address,
        authority: Address,
        args: impl Encode,
    ) -> Instance<C> {
        match self.deploy_with(deployer, args, Some(authority)) {
            Ok(instance) => instance,
            Err(receipt) => panic!("expected `{}` to be deployed, got {receipt}", C::DEF.name),
        }
    }

    fn deploy_with<C: Contract>(
        &mut self,
        deployer: Address,
        args: impl Encode,
        authority: Option<Address>,
    ) -> Result<Instance<C>, Box<Receipt>> {
        let args = codec::encoded::<Any, _, _>(&args, <[u8]>::to_vec);
        match self.backend.deploy(deployer, &CodeSource::of::<C>(), &args, authority) {
            (_, Some(address)) => Ok(self.known(address)),
            (receipt, None) => Err(Box::new(receipt)),
        }
    }

    /// Replaces a contract's code by that of `C`, as `kempe upgrade` does; the arguments are those of its `migrate`,
    /// or `()`.
    ///
    /// ```
    /// use kempe_sdk::testing::{TestChain, UpgradeOptions};
    /// # mod first {
    /// #     use kempe_sdk::prelude::*;
    /// #     #[contract] pub struct Tally { count: Item<u64> }
    /// #     #[contract] impl Tally {
    /// #         #[access(write(count))]
    /// #         pub fn raise(&mut self) { self.count.update(|had| had.unwrap_or(0) + 1); }
    /// #     }
    /// # }
    /// # mod second {
    /// #     use kempe_sdk::prelude::*;
    /// #     #[contract] pub struct Tally { count: Item<u64> }
    /// #     #[contract] impl Tally {
    /// #         #[access(write(count))]
    /// #         pub fn migrate(&mut self, count: u64) { self.count.put(count); }
    /// #         #[access(read(count))] pub fn count(&self) -> u64 { self.count.get().unwrap_or(0) }
    /// #     }
    /// # }
    ///
    /// let mut chain = TestChain::native();
    /// let alice = chain.account("alice");
    /// let tally = chain.deploy_upgradable::<first::Tally>(alice, alice, ());
    /// chain.send(alice, &tally, "raise", ()).assert_ok();
    /// // `raise` goes away, and nobody may do another upgrade.
    /// let last = UpgradeOptions { allow_wider: true, authority: None };
    /// let tally = chain.upgrade::<second::Tally>(alice, &tally, (7u64,), last);
    /// assert_eq!(chain.view::<u64>(&tally, "count", ()), 7);
    /// ```
    ///
    /// # Panics
    /// If the upgrade fails.
    #[track_caller]
    pub fn upgrade<C: Contract>(
        &mut self,
        sender: Address,
        contract: &Instance<impl Contract>,
        args: impl Encode,
        options: UpgradeOptions,
    ) -> Instance<C> {
        match self.try_upgrade(sender, contract, args, options) {
            Ok(instance) => instance,
            Err(receipt) => panic!("expected `{}` to be upgraded, got {receipt}", C::DEF.name),
        }
    }

    /// Replaces a contract's code by that of `C`.
    ///
    /// # Errors
    /// The receipt, if the upgrade fails; nothing is changed then.
    pub fn try_upgrade<C: Contract>(
        &mut self,
        sender: Address,
        contract: &Instance<impl Contract>,
        args: impl Encode,
        options: UpgradeOptions,
    ) -> Result<Instance<C>, Box<Receipt>> {
        let terms = self.upgrade_terms::<C>(contract, args, options);
        let receipt = self.backend.upgrade(sender, &CodeSource::of::<C>(), &terms);
        if !receipt.is_ok() {
            return Err(Box::new(receipt));
        }
        Ok(self.known(contract.address()))
    }

    /// What an authority that is a contract is asked about an upgrade to `C`.
    #[must_use]
    pub fn upgrade_terms<C: Contract>(
        &self,
        contract: &Instance<impl Contract>,
        args: impl Encode,
        options: UpgradeOptions,
    ) -> UpgradeTerms {
        let UpgradeOptions { allow_wider, authority } = options;
        UpgradeTerms {
            contract: contract.address(),
            code: self.backend.code_hash(&CodeSource::of::<C>()),
            args: codec::encoded::<Any, _, _>(&args, <[u8]>::to_vec),
            allow_wider,
            authority,
        }
    }

    /// Remembers what the contract at an address is.
    fn known<C: Contract>(&mut self, address: Address) -> Instance<C> {
        let named = Named { name: C::DEF.name.to_string(), def: Some(C::DEF) };
        self.names.insert(address, named);
        Instance::at(address)
    }

    /// The chain as it is now, which goes its own way from now on: assigned back, it reverts what was done
    /// since, time and the gas report included.
    ///
    /// ```
    /// # use kempe_sdk::testing::TestChain;
    /// let mut chain = TestChain::native();
    /// let before = chain.snapshot();
    /// chain.advance_blocks(5);
    /// chain = before;
    /// assert_eq!(chain.height(), 1);
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Self {
        Self {
            backend: self.backend.snapshot(),
            keys: self.keys.clone(),
            names: self.names.clone(),
            gas: self.gas.clone(),
        }
    }

    /// Calls a method in a block of its own.
    ///
    /// # Panics
    /// If the backend breaks its contract and returns no receipt.
    pub fn send<C: Contract>(
        &mut self,
        sender: Address,
        contract: &Instance<C>,
        method: &str,
        args: impl Encode,
    ) -> Receipt {
        let report = self.block([contract.tx(sender, method, args)]);
        let receipt = report.receipts.into_iter().next();
        receipt.expect("a backend returns a receipt for each transaction")
    }

    /// Runs transactions as one block.
    pub fn block(&mut self, txs: impl IntoIterator<Item = Tx>) -> BlockReport {
        let txs: Vec<Tx> = txs.into_iter().collect();
        let mut report = self.backend.block(&txs);
        for (tx, receipt) in txs.iter().zip(&mut report.receipts) {
            if let Some(violation) = &mut receipt.violation {
                violation::describe(violation, tx, self);
            }
            if let Some(fuel) = receipt.fuel.filter(|_| receipt.is_ok()) {
                let contract = self.name(&tx.contract);
                self.gas.insert(&contract, &tx.method, fuel);
            }
        }
        report
    }

    /// The fuel of the calls so far that succeeded, by contract and method. Empty on a backend that
    /// does not meter, such as the native one.
    #[must_use]
    pub const fn gas_report(&self) -> &GasReport {
        &self.gas
    }

    /// What the test calls an address: the account's name, the contract's, else the address.
    pub(crate) fn name(&self, address: &Address) -> String {
        self.names.get(address).map_or_else(|| address.to_string(), |named| named.name.clone())
    }

    /// What is known of the contract at an address.
    pub(crate) fn def(&self, address: &Address) -> Option<&'static ContractDef> {
        self.names.get(address)?.def
    }

    /// The result of a method that only reads, called by nobody in particular.
    ///
    /// # Panics
    /// If the call fails, or the result has another type.
    #[track_caller]
    pub fn view<T: AbiType>(
        &mut self,
        contract: &Instance<impl Contract>,
        method: &str,
        args: impl Encode,
    ) -> T {
        self.view_as(Address::ZERO, contract, method, args).value()
    }

    /// Calls a method that only reads, as an account.
    pub fn view_as(
        &mut self,
        caller: Address,
        contract: &Instance<impl Contract>,
        method: &str,
        args: impl Encode,
    ) -> Receipt {
        self.backend.view(&contract.tx(caller, method, args))
    }

    /// The value in a cell, by the field's name and its keys: `()` if it has none.
    ///
    /// # Panics
    /// If the contract has no such field, or the value has another type.
    #[track_caller]
    pub fn cell<T: AbiType, C: Contract>(
        &self,
        contract: &Instance<C>,
        field: &str,
        key: impl Encode,
    ) -> Option<T> {
        let index = C::DEF.fields.iter().position(|def| def.name == field);
        let index = index.and_then(|index| u8::try_from(index).ok()).expect("no such field");
        let key = codec::encoded::<Any, _, _>(&key, <[u8]>::to_vec);
        let value = self.backend.cell(contract.address(), index, &key)?;
        Some(
            codec::decode::<Any, T>(&value)
                .expect("the value has another type than the test asks for"),
        )
    }

    /// Lets time pass: the next block is later by this much than it would be.
    pub fn advance_ms(&mut self, ms: u64) {
        self.backend.advance_ms(ms);
    }

    /// Makes empty blocks.
    pub fn advance_blocks(&mut self, n_blocks: u64) {
        for _ in 0..n_blocks {
            self.backend.block(&[]);
        }
    }

    /// Makes empty blocks until the next block has this height.
    ///
    /// # Panics
    /// If the chain is higher already.
    #[track_caller]
    pub fn advance_to_height(&mut self, height: u64) {
        assert!(self.height() <= height, "the next block has height {}", self.height());
        while self.height() < height {
            self.backend.block(&[]);
        }
    }

    /// Sets the time of the next block, in milliseconds since 1970.
    ///
    /// # Panics
    /// If that is in the past.
    #[track_caller]
    pub fn set_time_ms(&mut self, time_ms: u64) {
        let now = self.time_ms();
        assert!(now <= time_ms, "the next block has time_ms {now}");
        self.advance_ms(time_ms - now);
    }

    /// A hash over the whole state, where the backend has one: the native backend has none.
    #[must_use]
    pub fn root(&self) -> Option<Hash> {
        self.backend.root()
    }

    /// The height of the next block.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.backend.height()
    }

    /// The time of the next block, in milliseconds since 1970.
    #[must_use]
    pub fn time_ms(&self) -> u64 {
        self.backend.time_ms()
    }
}
