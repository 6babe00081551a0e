//! A stage for calls of contracts: what is deployed, what is done before the block, and the block.

use std::collections::HashMap;

use kempe_abi::{Address, Encode, MethodId, Outcome};
use kempe_runtime::access::ListedKey;
use kempe_runtime::executor::{BlockOutput, Executor, Plan};
use kempe_runtime::scheduler::Sequential;
use kempe_runtime::state::StateChange;
use kempe_runtime::types::{Action, Bytes, Prices, Receipt, SYSTEM, StateKey, Transaction};

use super::{ENV, UnsignedBlock, World, WorldError, transaction};
use crate::InputTx;

/// A block of calls, and the world that it finds.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) world: World,
    pub(crate) block: UnsignedBlock,
}

/// A block of calls in the making.
#[derive(Debug)]
pub(crate) struct Stage {
    world: World,
    contracts: HashMap<Address, Deployed>,
    nonces: HashMap<Address, u64>,
    before: Vec<Transaction>,
    calls: Vec<Transaction>,
}

#[derive(Debug)]
struct Deployed {
    label: String,
    fields: Vec<String>,
}

impl Stage {
    pub(crate) fn new() -> Result<Self, WorldError> {
        let (before, calls) = (Vec::new(), Vec::new());
        let (contracts, nonces) = (HashMap::new(), HashMap::new());
        Ok(Self { world: World::new()?, contracts, nonces, before, calls })
    }

    /// Deploys a contract. `label` is what its keys are called by.
    pub(crate) fn deploy(
        &mut self,
        label: String,
        wasm: &[u8],
        args: &impl Encode,
    ) -> Result<Address, WorldError> {
        let address = self.world.deploy("a shipped contract", wasm, encode(args))?;
        let fields = &self.world.engine.load(wasm)?.admitted.abi.fields;
        let fields = fields.iter().map(|field| field.name.clone()).collect();
        self.contracts.insert(address, Deployed { label, fields });
        Ok(address)
    }

    /// A call that happens before the block.
    pub(crate) fn before(
        &mut self,
        sender: Address,
        contract: Address,
        method: &str,
        args: &impl Encode,
    ) {
        let call = self.transaction(sender, contract, method, args);
        self.before.push(call);
    }

    /// A call of the block.
    pub(crate) fn call(
        &mut self,
        sender: Address,
        contract: Address,
        method: &str,
        args: &impl Encode,
    ) {
        let call = self.transaction(sender, contract, method, args);
        self.calls.push(call);
    }

    fn transaction(
        &mut self,
        sender: Address,
        contract: Address,
        method: &str,
        args: &impl Encode,
    ) -> Transaction {
        let nonce = self.nonces.entry(sender).or_default();
        *nonce += 1;
        let action = Action::Call { contract, method: MethodId::of(method), args: encode(args) };
        transaction(sender, *nonce - 1, action)
    }

    /// Writes a number into cells of a contract before the block, which is faster than calls that do it.
    pub(crate) fn put(
        &self,
        contract: Address,
        field: &str,
        value: u128,
        keys: impl Iterator<Item = Address>,
    ) -> Result<(), WorldError> {
        let at = self
            .contracts
            .get(&contract)
            .and_then(|deployed| deployed.fields.iter().position(|name| name == field));
        let fault = || WorldError::Contract { contract: "a cell", fault: format!("no {field}") };
        let field = at.and_then(|at| u8::try_from(at).ok()).ok_or_else(fault)?;
        let value = Bytes::from_slice(&value.to_le_bytes());
        let changes = keys.map(|account| {
            let key = StateKey::new(contract, field, &account.0);
            let hash = key.hash();
            StateChange::new(key, hash, Some(value.clone()))
        });
        self.world.store.apply(&changes.collect::<Vec<_>>());
        Ok(())
    }

    /// Runs what happens before, and then the block once to see what its calls cost. Gives the block with the world
    /// before it, the names of its keys by their numbers, and its transactions.
    pub(crate) fn perform(
        self,
        name: &str,
    ) -> Result<(Calls, Vec<String>, Vec<InputTx>), WorldError> {
        let Self { mut world, contracts, before, calls, .. } = self;
        let mut executor = world.executor(1)?;
        let before = UnsignedBlock::new(before);
        let (_, output) = one_by_one(&mut executor, &world, &before)?;
        check(&format!("what happens before {name}"), &output.receipts)?;
        world.settle(&output.changes);
        let block = UnsignedBlock::new(calls);
        let (plan, output) = one_by_one(&mut executor, &world, &block)?;
        check(name, &output.receipts)?;
        let (interned, block_of) = (plan.interned(), plan.interned().block());
        let n_slots = u32::try_from(interned.accesses().n_slots()).unwrap_or(u32::MAX);
        let keys = (0..n_slots).map(|slot| key_name(&contracts, &interned.key(slot)));
        let keys = keys.collect();
        let (txs, prices) = (block.txs(), Prices::default());
        let made = (0u32..).zip(&output.receipts).map(|(tx, receipt)| {
            let row = interned.accesses().of(tx);
            // What fuel pays for before anything runs, signature and list, takes no time here.
            let before = txs[tx as usize].transaction.base_fuel(&prices)
                + row.len() as u64 * prices.list_entry;
            let cost = receipt.fuel.saturating_sub(before).max(1);
            let accesses = row.iter().map(|access| (access.slot.into(), access.kind, false));
            let sender = Some(block_of.sender(tx).into());
            InputTx { accesses: accesses.collect(), cost, sender, ..InputTx::default() }
        });
        let made = made.collect();
        Ok((Calls { world, block }, keys, made))
    }
}

/// Runs a block in the order in which it was made.
fn one_by_one(
    executor: &mut Executor,
    world: &World,
    block: &UnsignedBlock,
) -> Result<(Plan, BlockOutput), WorldError> {
    let (txs, state) = (block.txs(), world.state());
    let lists = executor.derive(&txs, &state)?;
    let plan = Plan::by(executor.intern(lists, &txs)?, &Sequential, 1)?;
    let output = executor.execute(&txs, &plan, &state, ENV)?;
    Ok((plan, output))
}

fn encode(args: &impl Encode) -> Vec<u8> {
    let mut bytes = Vec::new();
    args.serialize(&mut bytes).expect("encoding to memory cannot fail");
    bytes
}

/// Whether all that was called did what it was called for.
fn check(block: &str, receipts: &[Receipt]) -> Result<(), WorldError> {
    match receipts.iter().position(|receipt| receipt.outcome != Outcome::Ok) {
        None => Ok(()),
        Some(tx) => {
            let (block, outcome) = (block.to_owned(), receipts[tx].outcome);
            Err(WorldError::Outcome { block, tx, outcome })
        }
    }
}

/// How the names of the chain's own keys begin.
pub(crate) const CHAIN: &str = "chain;";

/// The contract, its field, and the first bytes of the key.
fn key_name(contracts: &HashMap<Address, Deployed>, key: &ListedKey<'_>) -> String {
    if *key.contract == SYSTEM {
        let deployed = key.key.try_into().ok().and_then(|address| contracts.get(&Address(address)));
        return format!("{CHAIN}{}", deployed.map_or("code", |deployed| &deployed.label));
    }
    let deployed = contracts.get(key.contract);
    let label = deployed.map_or("a contract", |deployed| &deployed.label);
    let field = deployed.and_then(|deployed| deployed.fields.get(usize::from(key.field)));
    let field = field.map_or("a field", |field| field);
    let hex: String = key.key.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    if hex.is_empty() { format!("{label};{field}") } else { format!("{label};{field};{hex}") }
}
