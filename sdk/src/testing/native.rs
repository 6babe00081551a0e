//! The backend that runs contracts natively.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use kempe_abi::host::INIT;
use kempe_abi::upgrade::UpgradeTerms;
use kempe_abi::{Address, Hash, MethodKind, Outcome, TrapKind, section};

use super::backend::{Backend, CodeSource, Tx};
use super::receipt::{BlockReport, Receipt};
use super::session::{self, Call};
use super::upgrade;
use super::world::{Deployed, List, World, relax};

/// The time between two blocks, unless a test lets more pass.
const BLOCK_MS: u64 = 1_000;

/// Runs contracts natively: no wasm, no fuel, but lists derived and enforced as on a chain.
///
/// The calls of a block run one by one, batch after batch. The list of a dynamic method is what it touches when it
/// runs alone on the state before the block; a call whose list turns out too short, and what its sender sent
/// behind it, runs behind the batches. So does everything from the first call on that has no list.
#[derive(Clone)]
pub struct Native {
    world: World,
    nonces: BTreeMap<Address, u64>,
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Native").field("height", &self.world.height).finish_non_exhaustive()
    }
}

impl Default for Native {
    /// A chain behind its genesis block, where another backend begins too.
    fn default() -> Self {
        let world = World { height: 1, time_ms: BLOCK_MS, ..World::default() };
        Self { world, nonces: BTreeMap::new() }
    }
}

impl Native {
    fn end_block(&mut self) {
        self.world.end_block(BLOCK_MS);
    }

    /// The list of a transaction, with what a dynamic method would touch now.
    fn list(&mut self, tx: &Tx) -> Result<List, TrapKind> {
        let mut list = List::derive(&self.world, &tx.sender, &tx.contract, &tx.method, &tx.args)?;
        if list.is_dynamic {
            let ran = session::run(&mut self.world, list.clone(), &call(tx), false);
            for (key, kind) in ran.observed.cells {
                list.add(key, kind);
            }
            list.calls.extend(ran.observed.calls);
        }
        Ok(list)
    }

    /// Runs a call of a batch, which touches nothing outside its list. `None` if it must run behind the batches.
    fn run_in_batch(&mut self, tx: &Tx, mut list: List) -> Option<Receipt> {
        if self.runs_once(tx) {
            return Some(Receipt::new(Outcome::Trap(TrapKind::NotPermitted)));
        }
        let is_dynamic = std::mem::take(&mut list.is_dynamic);
        let receipt = session::run(&mut self.world, list, &call(tx), true).receipt;
        let is_short = receipt.outcome == Outcome::Trap(TrapKind::UndeclaredAccess);
        (!is_dynamic || !is_short).then_some(receipt)
    }

    /// Runs a call behind the batches, with the list that it has then.
    fn run_in_tail(&mut self, tx: &Tx) -> Receipt {
        if self.runs_once(tx) {
            return Receipt::new(Outcome::Trap(TrapKind::NotPermitted));
        }
        session::run_alone(&mut self.world, &call(tx))
    }

    /// Whether the chain calls the method itself, when a contract is deployed or upgraded.
    fn runs_once(&self, tx: &Tx) -> bool {
        matches!(self.kind(tx), Some(MethodKind::Init | MethodKind::Migrate))
    }

    fn kind(&self, tx: &Tx) -> Option<MethodKind> {
        let method = self.world.contracts.get(&tx.contract)?.abi.method(&tx.method)?;
        Some(method.kind)
    }
}

fn call(tx: &Tx) -> Call<'_> {
    Call { caller: tx.sender, contract: tx.contract, method: &tx.method, args: &tx.args }
}

impl Backend for Native {
    fn account(&mut self, _name: &str, _address: Address, _seed: [u8; 32]) {}

    fn deploy(
        &mut self,
        deployer: Address,
        code: &CodeSource,
        args: &[u8],
        authority: Option<Address>,
    ) -> (Receipt, Option<Address>) {
        let nonce = self.nonces.entry(deployer).or_default();
        let address = contract_address(&deployer, *nonce);
        *nonce += 1;
        let receipt = match Deployed::new(*code, authority) {
            Ok(deployed) => {
                self.world.contracts.insert(address, deployed);
                self.init(deployer, address, code, args)
            }
            Err(kind) => Receipt::new(Outcome::Trap(kind)),
        };
        self.end_block();
        if receipt.is_ok() {
            (receipt, Some(address))
        } else {
            self.world.contracts.remove(&address);
            (receipt, None)
        }
    }

    fn upgrade(&mut self, sender: Address, code: &CodeSource, terms: &UpgradeTerms) -> Receipt {
        *self.nonces.entry(sender).or_default() += 1;
        let receipt = upgrade::run(&mut self.world, sender, code, terms);
        self.end_block();
        receipt
    }

    fn code_hash(&self, code: &CodeSource) -> Hash {
        code_hash(code)
    }

    fn snapshot(&self) -> Box<dyn Backend> {
        Box::new(self.clone())
    }

    fn block(&mut self, txs: &[Tx]) -> BlockReport {
        txs.iter().for_each(|tx| *self.nonces.entry(tx.sender).or_default() += 1);
        // Nothing overtakes what could touch anything.
        let mut lists: Vec<List> = txs.iter().map_while(|tx| self.list(tx).ok()).collect();
        relax(&self.world, &mut lists);
        let mut receipts = BTreeMap::new();
        let mut waiting = BTreeSet::new();
        let batches = batches(&lists, txs);
        for &at in batches.iter().flatten() {
            let tx = &txs[at];
            if waiting.contains(&tx.sender) {
                continue;
            }
            match self.run_in_batch(tx, std::mem::take(&mut lists[at])) {
                Some(receipt) => drop(receipts.insert(at, receipt)),
                None => drop(waiting.insert(tx.sender)),
            }
        }
        let tail: Vec<usize> = (0..txs.len()).filter(|at| !receipts.contains_key(at)).collect();
        for &at in &tail {
            receipts.insert(at, self.run_in_tail(&txs[at]));
        }
        self.end_block();
        BlockReport::new(receipts.into_values().collect(), batches, &tail)
    }

    fn view(&mut self, tx: &Tx) -> Receipt {
        let list = match List::derive(&self.world, &tx.sender, &tx.contract, &tx.method, &tx.args) {
            Ok(list) => list,
            Err(kind) => return Receipt::new(Outcome::Trap(kind)),
        };
        if self.kind(tx) != Some(MethodKind::View) {
            return Receipt::new(Outcome::Trap(TrapKind::NotPermitted));
        }
        session::run(&mut self.world, list, &call(tx), false).receipt
    }

    fn advance_ms(&mut self, ms: u64) {
        self.world.time_ms += ms;
    }

    fn height(&self) -> u64 {
        self.world.height
    }

    fn time_ms(&self) -> u64 {
        self.world.time_ms
    }

    fn cell(&self, contract: Address, field: u8, key: &[u8]) -> Option<Vec<u8>> {
        self.world.cells.get(&(contract, field, key.to_vec())).cloned()
    }
}

impl Native {
    fn init(
        &mut self,
        deployer: Address,
        address: Address,
        code: &CodeSource,
        args: &[u8],
    ) -> Receipt {
        if code.def.methods.iter().all(|method| method.name != INIT) {
            let outcome =
                if args.is_empty() { Outcome::Ok } else { Outcome::Trap(TrapKind::BadArguments) };
            return Receipt::new(outcome);
        }
        let call = Call { caller: deployer, contract: address, method: INIT, args };
        session::run_alone(&mut self.world, &call)
    }
}

/// What stands for the hash of wasm where there is none.
pub(super) fn code_hash(code: &CodeSource) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key("kempe-sdk 2026 native code");
    hasher.update(&section::contract_to_vec(code.def)).update(code.type_name.as_bytes());
    Hash(*hasher.finalize().as_bytes())
}

/// The address that the runtime gives on chain 1: a test on both has the same addresses.
fn contract_address(deployer: &Address, nonce: u64) -> Address {
    const CHAIN_ID: u64 = 1;
    let mut hasher = blake3::Hasher::new_derive_key("kempe 2026 contract address");
    hasher
        .update(&CHAIN_ID.to_le_bytes())
        .update(&deployer.0)
        .update(&nonce.to_le_bytes())
        .update(&0u64.to_le_bytes());
    Address(*hasher.finalize().as_bytes())
}

/// Each transaction with a list goes to the first batch behind all those that it conflicts with, and to none
/// before its sender's last: inside a batch the order of the block holds.
fn batches(lists: &[List], txs: &[Tx]) -> Vec<Vec<usize>> {
    let mut batch_of: Vec<usize> = Vec::new();
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for (i, list) in lists.iter().enumerate() {
        let earlier = lists[..i].iter().zip(txs).zip(&batch_of);
        let floors = earlier.map(|((earlier, tx), &batch)| {
            if list.conflicts(earlier) {
                batch + 1
            } else if tx.sender == txs[i].sender {
                batch
            } else {
                0
            }
        });
        let batch = floors.max().unwrap_or(0);
        batch_of.push(batch);
        if batches.len() <= batch {
            batches.push(Vec::new());
        }
        batches[batch].push(i);
    }
    batches
}
