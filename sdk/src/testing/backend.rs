//! What runs a test's transactions.

use kempe_abi::def::ContractDef;
use kempe_abi::upgrade::UpgradeTerms;
use kempe_abi::{Address, Hash};

use super::receipt::{BlockReport, Receipt};
use crate::Contract;

/// A contract's code, for every kind of backend.
#[derive(Clone, Copy, Debug)]
pub struct CodeSource {
    /// What the macros wrote down; its name says which wasm is meant, and where several have it, all of it.
    pub def: &'static ContractDef,
    /// The contract's type, which tells versions apart that declare the same.
    pub type_name: &'static str,
    /// Runs a method natively on encoded arguments.
    pub dispatch: fn(method: &str, args: &[u8]) -> Result<Vec<u8>, u32>,
}

impl CodeSource {
    /// The code of a contract.
    #[must_use]
    pub fn of<C: Contract>() -> Self {
        Self { def: C::DEF, type_name: core::any::type_name::<C>(), dispatch: C::dispatch }
    }
}

/// A call, to be sent in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tx {
    /// The account that signs.
    pub sender: Address,
    /// The contract that is called.
    pub contract: Address,
    /// The method's name.
    pub method: String,
    /// The encoded arguments.
    pub args: Vec<u8>,
}

/// What runs a test's transactions: natively, or on wasm through a runtime.
pub trait Backend {
    /// Is told of an account before it signs: its name, its address, and the seed of its ed25519 key.
    fn account(&mut self, name: &str, address: Address, seed: [u8; 32]);

    /// Deploys a contract in a block of its own, whose code `authority` may replace later. Without success
    /// there is no address.
    fn deploy(
        &mut self,
        deployer: Address,
        code: &CodeSource,
        args: &[u8],
        authority: Option<Address>,
    ) -> (Receipt, Option<Address>);

    /// Replaces the code of a contract, in a block of its own. The terms have the hash of this code.
    fn upgrade(&mut self, sender: Address, code: &CodeSource, terms: &UpgradeTerms) -> Receipt;

    /// The hash of a contract's code, as [`UpgradeTerms`] have it.
    fn code_hash(&self, code: &CodeSource) -> Hash;

    /// The same chain, which goes its own way from now on.
    fn snapshot(&self) -> Box<dyn Backend>;

    /// Runs the transactions as one block, in this order.
    fn block(&mut self, txs: &[Tx]) -> BlockReport;

    /// Runs a method that only reads on the latest state.
    fn view(&mut self, call: &Tx) -> Receipt;

    /// Lets time pass: the next block is later by this much than it would be.
    fn advance_ms(&mut self, ms: u64);

    /// The height of the next block.
    fn height(&self) -> u64;

    /// The time of the next block, in milliseconds since 1970.
    fn time_ms(&self) -> u64;

    /// A hash over the whole state, where the backend has one.
    fn root(&self) -> Option<Hash> {
        None
    }

    /// The bytes of a cell, by the number of its field and its encoded keys.
    fn cell(&self, contract: Address, field: u8, key: &[u8]) -> Option<Vec<u8>>;
}
