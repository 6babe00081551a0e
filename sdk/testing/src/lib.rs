//! Runs contract tests on compiled wasm through the real runtime.
//!
//! A test that is written against [`TestChain`] runs natively, fast and under a debugger, and on the
//! wasm that would be deployed, with fuel, admission and enforcement as on a chain:
//!
//! ```
//! use kempe_sdk::testing::TestChain;
//! use kempe_token::Token;
//!
//! for mut chain in [TestChain::native(), kempe_testing::wasm(&[kempe_contracts::TOKEN])] {
//!     let (alice, bob) = (chain.account("alice"), chain.account("bob"));
//!     let token = chain.deploy::<Token>(alice, (alice,));
//!     chain.send(alice, &token, "mint", (bob, 5u128)).assert_ok();
//!     assert_eq!(chain.view::<u128>(&token, "balance", (bob,)), 5);
//! }
//! ```

use std::collections::BTreeMap;

use ed25519_zebra::SigningKey;
use kempe_abi::{Address, CellKind, Hash, MethodId, Outcome};
use kempe_runtime::chain::{BlockReport as Built, CallSpec, Chain, ChainOptions, Simulation};
use kempe_runtime::engine::admit;
use kempe_runtime::scheduler::{Layers, Sequential};
use kempe_runtime::types::{
    Action, Genesis, SYSTEM, StateKey, Transaction, Undeclared, contract_address,
};
use kempe_sdk::testing::{
    Backend, BlockReport, Campaign, CodeSource, Emitted, Receipt, Summary, TestChain, Tx, Violation,
};

/// The milliseconds between two blocks.
const BLOCK_MS: u64 = 1000;

/// The fuel limit of every transaction: the chain's highest.
const FUEL_LIMIT: u64 = 1_000_000_000;

/// A chain in memory that runs the given modules, each under the name of its contract.
///
/// # Panics
/// If a module is not admitted, or two have one name.
#[must_use]
pub fn wasm(modules: &[&[u8]]) -> TestChain {
    TestChain::on(WasmBackend::new(modules))
}

/// As [`wasm`], on one thread, one transaction after the other: what a parallel run must equal.
///
/// # Panics
/// If a module is not admitted, or two have one name.
#[must_use]
pub fn wasm_sequential(modules: &[&[u8]]) -> TestChain {
    let options = ChainOptions { n_threads: 1, scheduler: &Sequential, ..ChainOptions::default() };
    TestChain::on(WasmBackend::with_options(modules, options))
}

/// Runs a campaign natively, on wasm in parallel, and on wasm one by one.
///
/// ```no_run
/// # fn campaign() -> kempe_sdk::testing::Campaign<()> { unimplemented!() }
/// let summary = kempe_testing::run(&campaign(), 10_000, &[kempe_contracts::TOKEN]);
/// assert!(summary.widest_batch > 1);
/// ```
///
/// # Panics
/// As [`Campaign::run`].
#[track_caller]
pub fn run<W>(campaign: &Campaign<W>, n_calls: usize, modules: &[&[u8]]) -> Summary {
    campaign.run(
        n_calls,
        &[
            ("the native chain", &TestChain::native),
            ("wasm in parallel", &|| wasm(modules)),
            ("wasm one by one", &|| wasm_sequential(modules)),
        ],
    )
}

/// A backend that deploys wasm on a chain in memory.
#[derive(Debug)]
pub struct WasmBackend {
    chain: Chain,
    modules: BTreeMap<String, Vec<u8>>,
    keys: BTreeMap<Address, SigningKey>,
    time_ms: u64,
}

impl WasmBackend {
    /// A backend for these modules.
    ///
    /// # Panics
    /// If a module is not admitted, or two have one name.
    #[must_use]
    pub fn new(modules: &[&[u8]]) -> Self {
        Self::with_options(
            modules,
            ChainOptions { n_threads: 2, scheduler: &Layers, ..ChainOptions::default() },
        )
    }

    /// A backend for these modules on a chain with these options.
    ///
    /// # Panics
    /// If a module is not admitted, or two have one name.
    #[must_use]
    pub fn with_options(modules: &[&[u8]], options: ChainOptions) -> Self {
        let genesis = Genesis::parse("chain_id = 1\ndevelopment = true")
            .expect("this text is a genesis file");
        let chain = Chain::in_memory(genesis, options).expect("a chain in memory starts");
        let mut named = BTreeMap::new();
        for wasm in modules {
            let admitted = admit(wasm).unwrap_or_else(|refusal| panic!("{refusal}"));
            let twice = named.insert(admitted.abi.name.clone(), wasm.to_vec());
            assert!(twice.is_none(), "two modules are called `{}`", admitted.abi.name);
        }
        Self { chain, modules: named, keys: BTreeMap::new(), time_ms: BLOCK_MS }
    }

    fn sign(&self, sender: Address, nonces_before: u64, action: Action) -> Transaction {
        let nonce = self.chain.next_nonce(&sender).expect("memory can be read") + nonces_before;
        Transaction {
            chain_id: 1,
            sender,
            nonce,
            fuel_limit: FUEL_LIMIT,
            actions: vec![action],
            access: Vec::new(),
        }
    }

    /// Builds a block; a dynamic call carries the list that a simulation recorded.
    fn build(&mut self, actions: Vec<(Address, Action)>) -> Built {
        let mut sent: BTreeMap<Address, u64> = BTreeMap::new();
        let mut signed = Vec::new();
        for (sender, action) in actions {
            let n_sent = sent.entry(sender).or_default();
            let mut tx = self.sign(sender, *n_sent, action);
            *n_sent += 1;
            if matches!(tx.actions[0], Action::Call { .. }) {
                tx.access = self.chain.simulate(&tx).expect("a simulation runs").explicit_list();
            }
            let key = self.keys.get(&sender).expect("only accounts of this chain send");
            signed.push(tx.sign(key));
        }
        let built = self.chain.build(signed, self.time_ms).expect("a block in memory is built");
        assert!(built.rejected.is_empty(), "transactions were rejected: {:?}", built.rejected);
        self.time_ms += BLOCK_MS;
        built
    }

    fn receipt(&self, built: &Built, at: usize) -> Receipt {
        let stored = &built.record.receipts[at];
        let failed_in = stored.failure.as_ref().map(|failure| failure.contract);
        let undeclared = stored.failure.as_ref().and_then(|failure| failure.undeclared.as_ref());
        Receipt {
            output: stored.results.first().cloned().unwrap_or_default(),
            events: stored.events.iter().map(emitted).collect(),
            fuel: Some(stored.fuel),
            log: built.logs[at].clone(),
            violation: undeclared.map(|undeclared| self.violation(undeclared)),
            error_name: self.error_name(stored.outcome, failed_in),
            ..Receipt::new(stored.outcome)
        }
    }

    fn simulated(&self, simulation: Simulation) -> Receipt {
        let failed_in = simulation.failure.as_ref().map(|failure| failure.contract);
        Receipt {
            output: simulation.results.first().cloned().unwrap_or_default(),
            events: simulation.events.iter().map(emitted).collect(),
            fuel: Some(simulation.fuel),
            error_name: self.error_name(simulation.outcome, failed_in),
            log: simulation.logs,
            ..Receipt::new(simulation.outcome)
        }
    }

    fn violation(&self, undeclared: &Undeclared) -> Violation {
        let key = &undeclared.key;
        let address = if key.contract == SYSTEM {
            key.key.as_slice().try_into().map_or(SYSTEM, Address)
        } else {
            key.contract
        };
        let contract = self.chain.contract(&address).ok().flatten();
        let abi = contract.as_ref().map(|contract| contract.abi());
        let field = abi.and_then(|abi| abi.fields.get(usize::from(key.field)));
        let field = field.filter(|_| key.contract != SYSTEM);
        Violation {
            contract: address,
            contract_name: abi.map(|abi| abi.name.clone()).unwrap_or_default(),
            field: field.map(|field| field.name.clone()).unwrap_or_default(),
            key: key.key.to_vec(),
            cell: field.map_or(CellKind::Value, |field| field.cell),
            wanted: undeclared.wanted,
        }
    }

    fn error_name(&self, outcome: Outcome, failed_in: Option<Address>) -> Option<String> {
        let Outcome::Revert(code) = outcome else { return None };
        let contract = self.chain.contract(&failed_in?).ok()??;
        contract.abi().error_name(code).map(str::to_owned)
    }
}

fn emitted(event: &kempe_runtime::types::EventRecord) -> Emitted {
    Emitted { contract: event.contract, id: event.id, data: event.data.clone() }
}

impl Backend for WasmBackend {
    fn account(&mut self, _: &str, address: Address, seed: [u8; 32]) {
        self.keys.insert(address, SigningKey::from(seed));
    }

    fn deploy(
        &mut self,
        deployer: Address,
        code: &CodeSource,
        args: &[u8],
    ) -> (Receipt, Option<Address>) {
        let name = code.def.name;
        let wasm = self.modules.get(name);
        let wasm = wasm.unwrap_or_else(|| panic!("no module of the contract `{name}` was given"));
        let action = Action::Deploy { wasm: wasm.clone(), args: args.to_vec(), authority: None };
        let nonce = self.chain.next_nonce(&deployer).expect("memory can be read");
        let built = self.build(vec![(deployer, action)]);
        let receipt = self.receipt(&built, 0);
        let address = receipt.is_ok().then(|| contract_address(&deployer, nonce, 0));
        (receipt, address)
    }

    fn block(&mut self, txs: &[Tx]) -> BlockReport {
        let actions = txs.iter().map(|tx| {
            let method = MethodId::of(&tx.method);
            let action = Action::Call { contract: tx.contract, method, args: tx.args.clone() };
            (tx.sender, action)
        });
        let actions = actions.collect();
        let built = self.build(actions);
        let schedule = &built.record.block.schedule;
        let batches = schedule.batches().map(|batch| batch.iter().map(|&tx| tx as usize).collect());
        let tail = schedule.tail().iter().map(|&tx| vec![tx as usize]);
        BlockReport {
            receipts: (0..txs.len()).map(|at| self.receipt(&built, at)).collect(),
            batches: batches.chain(tail).collect(),
        }
    }

    fn view(&mut self, call: &Tx) -> Receipt {
        let spec = CallSpec {
            caller: call.sender,
            contract: call.contract,
            method: MethodId::of(&call.method),
            args: call.args.clone(),
        };
        let simulation = self.chain.query(&spec).expect("a query runs");
        self.simulated(simulation)
    }

    fn advance_ms(&mut self, ms: u64) {
        self.time_ms += ms;
    }

    fn height(&self) -> u64 {
        self.chain.head().height + 1
    }

    fn time_ms(&self) -> u64 {
        self.time_ms
    }

    fn root(&self) -> Option<Hash> {
        Some(self.chain.head().state_root)
    }

    fn cell(&self, contract: Address, field: u8, key: &[u8]) -> Option<Vec<u8>> {
        let state = self.chain.state().expect("memory can be read");
        let value = state.get(&StateKey::new(contract, field, key).hash());
        value.expect("memory can be read").map(|value| value.to_vec())
    }
}
