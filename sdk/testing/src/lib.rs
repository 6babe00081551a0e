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

mod modules;
mod one_by_one;

use std::collections::BTreeMap;
use std::path::Path;

use ed25519_zebra::SigningKey;
use kempe_abi::upgrade::UpgradeTerms;
use kempe_abi::{Address, CellKind, Hash, MethodId, Outcome};
use kempe_runtime::chain::{
    BlockReport as Built, CallSpec, Chain, ChainError, ChainOptions, Simulation,
};
use kempe_runtime::scheduler::Layers;
use kempe_runtime::types::{
    Action, Genesis, SYSTEM, SignedTransaction, StateKey, Transaction, Undeclared, Upgrade,
    contract_address,
};
use kempe_sdk::testing::{
    Backend, BlockReport, Campaign, CodeSource, Emitted, NamedCell, Receipt, Summary, TestChain,
    Tx, Violation,
};
use modules::Modules;
use one_by_one::OneByOne;

/// The milliseconds between two blocks.
const BLOCK_MS: u64 = 1000;

// What is too long a list natively is too long on a chain, and the other way round.
const _: () = assert!(kempe_abi::host::LIST_ENTRIES_MAX == kempe_runtime::types::LIST_ENTRIES_MAX);

/// A chain in memory that runs the given modules, each under the name of its contract. Several may have one
/// name, versions of a contract, if their types tell them apart: they must not declare the very same.
///
/// # Panics
/// If a module is not admitted, or two declare the same.
#[must_use]
pub fn wasm(modules: &[&[u8]]) -> TestChain {
    TestChain::on(WasmBackend::new(modules))
}

/// As [`wasm`], on one thread, one transaction after the other in the order that [`wasm`] publishes: what a parallel
/// run must equal.
///
/// # Panics
/// As [`wasm`].
#[must_use]
pub fn wasm_sequential(modules: &[&[u8]]) -> TestChain {
    let options = ChainOptions { n_threads: 1, scheduler: &OneByOne, ..ChainOptions::default() };
    TestChain::on(WasmBackend::with_options(modules, options))
}

/// The chain in a directory as it is now, to go on with in memory: nothing in the directory is changed. Until
/// the test's chain is dropped nobody else can open the directory's chain, except for forks.
///
/// Nobody's signature is checked, so a test acts as any account and as any contract. Their balances
/// are those of the chain: where gas has a price, who has nothing sends nothing. A contract of the
/// chain is [`Instance::at`](kempe_sdk::testing::Instance::at) its address. The modules are what the test
/// deploys and upgrades to.
///
/// ```no_run
/// use kempe_sdk::testing::Instance;
/// use kempe_token::Token;
///
/// # let [alice, bob, token] = [kempe_sdk::Address::ZERO; 3];
/// let mut chain = kempe_testing::fork("chain".as_ref(), &[])?;
/// let token = Instance::<Token>::at(token);
/// chain.send(alice, &token, "transfer", (bob, 5u128)).assert_ok();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// What [`Chain::fork`] refuses: there is no chain, somebody has it open, a file is damaged.
///
/// # Panics
/// As [`wasm`].
pub fn fork(directory: &Path, modules: &[&[u8]]) -> Result<TestChain, ChainError> {
    let chain = Chain::fork(directory, parallel())?;
    Ok(TestChain::on(WasmBackend { is_trusting: true, ..WasmBackend::on(chain, modules) }))
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
    modules: Modules,
    keys: BTreeMap<Address, SigningKey>,
    time_ms: u64,
    /// Whether nobody signs.
    is_trusting: bool,
}

fn parallel() -> ChainOptions {
    ChainOptions { n_threads: 2, scheduler: &Layers, ..ChainOptions::default() }
}

impl WasmBackend {
    /// A backend for these modules.
    ///
    /// # Panics
    /// As [`wasm`].
    #[must_use]
    pub fn new(modules: &[&[u8]]) -> Self {
        Self::with_options(modules, parallel())
    }

    /// A backend for these modules on a chain with these options.
    ///
    /// # Panics
    /// As [`wasm`].
    #[must_use]
    pub fn with_options(modules: &[&[u8]], options: ChainOptions) -> Self {
        let genesis = Genesis::parse("chain_id = 1\ndevelopment = true")
            .expect("this text is a genesis file");
        let chain = Chain::in_memory(genesis, options).expect("a chain in memory starts");
        Self::on(chain, modules)
    }

    fn on(chain: Chain, modules: &[&[u8]]) -> Self {
        let time_ms = chain.head().time_ms + BLOCK_MS;
        let modules = Modules::new(modules);
        Self { chain, modules, keys: BTreeMap::new(), time_ms, is_trusting: false }
    }

    /// A transaction that may burn what it can, of so many in a block.
    fn transaction(
        &self,
        sender: Address,
        nonces_before: u64,
        action: Action,
        n_txs: u64,
    ) -> Transaction {
        let limits = self.chain.genesis().limits;
        let nonce = self.chain.next_nonce(&sender).expect("memory can be read") + nonces_before;
        Transaction {
            chain_id: self.chain.genesis().chain_id,
            sender,
            nonce,
            fuel_limit: limits.tx_fuel_max.min(limits.block_fuel() / n_txs),
            actions: vec![action],
            access: Vec::new(),
        }
    }

    /// Builds a block; a dynamic call carries the list that a simulation recorded.
    fn build(&mut self, actions: Vec<(Address, Action)>) -> Built {
        let mut sent: BTreeMap<Address, u64> = BTreeMap::new();
        let (mut signed, n_txs) = (Vec::new(), actions.len() as u64);
        for (sender, action) in actions {
            let n_sent = sent.entry(sender).or_default();
            let mut tx = self.transaction(sender, *n_sent, action, n_txs);
            *n_sent += 1;
            if matches!(tx.actions[0], Action::Call { .. }) {
                tx.access = self
                    .chain
                    .simulate_at(&tx, self.time_ms)
                    .expect("a simulation runs")
                    .explicit_list();
            }
            signed.push(self.sign(tx));
        }
        let built = if self.is_trusting {
            self.chain.build_trusted(signed, self.time_ms)
        } else {
            self.chain.build(signed, self.time_ms)
        };
        let built = built.unwrap_or_else(|error| panic!("no block was built: {error}"));
        assert!(built.rejected.is_empty(), "transactions were rejected: {:?}", built.rejected);
        self.time_ms += BLOCK_MS;
        built
    }

    fn sign(&self, tx: Transaction) -> SignedTransaction {
        if self.is_trusting {
            return SignedTransaction { transaction: tx, signature: [0; 64] };
        }
        let key = self.keys.get(&tx.sender).expect("only accounts of this chain send");
        tx.sign(key)
    }

    fn receipt(&self, built: &Built, at: usize) -> Receipt {
        let stored = &built.record.receipts[at];
        let failed = stored.failure.as_deref();
        let failed_in = failed.map(|failure| failure.contract);
        let undeclared = failed.and_then(|failure| failure.undeclared.as_ref());
        Receipt {
            output: stored.results.first().cloned().unwrap_or_default(),
            events: stored.events.iter().map(emitted).collect(),
            fuel: Some(stored.fuel),
            log: built.logs[at].clone(),
            violation: undeclared.map(|undeclared| self.violation(undeclared)),
            guard: self.named(failed.and_then(|failed| failed.guard.as_ref())),
            counter: self.named(failed.and_then(|failed| failed.counter.as_ref())),
            error_name: self.error_name(stored.outcome, failed_in),
            ..Receipt::new(stored.outcome)
        }
    }

    fn simulated(&self, simulation: Simulation) -> Receipt {
        let failed = simulation.failure.as_deref();
        let failed_in = failed.map(|failure| failure.contract);
        Receipt {
            output: simulation.results.first().cloned().unwrap_or_default(),
            events: simulation.events.iter().map(emitted).collect(),
            fuel: Some(simulation.fuel),
            error_name: self.error_name(simulation.outcome, failed_in),
            guard: self.named(failed.and_then(|failed| failed.guard.as_ref())),
            counter: self.named(failed.and_then(|failed| failed.counter.as_ref())),
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
            declared: undeclared.declared,
            takes: undeclared.takes,
            may_take: undeclared.may_take,
            ..Violation::default()
        }
    }

    fn named(&self, key: Option<&StateKey>) -> Option<NamedCell> {
        let key = key?;
        let contract = self.chain.contract(&key.contract).ok()??;
        let abi = contract.abi();
        Some(NamedCell {
            contract: key.contract,
            contract_name: abi.name.clone(),
            field: abi.fields.get(usize::from(key.field))?.name.clone(),
            key: key.key.to_vec(),
        })
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
        authority: Option<Address>,
    ) -> (Receipt, Option<Address>) {
        let wasm = self.modules.of(code.def).1.to_vec();
        let action =
            Action::Deploy { wasm, args: args.to_vec(), authority: authority.map(Box::new) };
        let nonce = self.chain.next_nonce(&deployer).expect("memory can be read");
        let built = self.build(vec![(deployer, action)]);
        let receipt = self.receipt(&built, 0);
        let chain_id = self.chain.genesis().chain_id;
        let address = receipt.is_ok().then(|| contract_address(chain_id, &deployer, nonce, 0));
        (receipt, address)
    }

    fn upgrade(&mut self, sender: Address, code: &CodeSource, terms: &UpgradeTerms) -> Receipt {
        let UpgradeTerms { contract, args, allow_wider, authority, .. } = terms.clone();
        let wasm = self.modules.of(code.def).1.to_vec();
        let upgrade = Upgrade { contract, wasm, args, allow_wider, authority };
        let built = self.build(vec![(sender, Action::Upgrade(Box::new(upgrade)))]);
        let mut receipt = self.receipt(&built, 0);
        let failure = built.record.receipts[0].failure.as_ref();
        if let Outcome::Revert(revert) = receipt.outcome
            && failure.is_some_and(|failure| failure.contract == contract)
        {
            // The new code refused, whose errors the chain does not know.
            let new = self.modules.of(code.def).0;
            receipt.error_name = new.error_name(revert).map(str::to_owned);
        }
        receipt
    }

    fn code_hash(&self, code: &CodeSource) -> Hash {
        Hash(*blake3::hash(self.modules.of(code.def).1).as_bytes())
    }

    fn snapshot(&self) -> Box<dyn Backend> {
        let chain = self.chain.copy().expect("threads can be started");
        Box::new(Self {
            chain: chain.expect("the chain of a test is in memory"),
            modules: self.modules.clone(),
            keys: self.keys.clone(),
            ..*self
        })
    }

    fn block(&mut self, txs: &[Tx]) -> BlockReport {
        let actions = txs.iter().map(|tx| {
            let method = MethodId::of(&tx.method);
            let action = Action::Call { contract: tx.contract, method, args: tx.args.clone() };
            (tx.sender, action)
        });
        let actions = actions.collect();
        let built = self.build(actions);
        let batches = built.record.block.schedule.batches();
        let batches = batches.map(|batch| batch.iter().map(|&tx| tx as usize).collect());
        let tail: Vec<_> = (0..txs.len()).filter(|&at| built.record.receipts[at].tail).collect();
        let receipts = (0..txs.len()).map(|at| self.receipt(&built, at)).collect();
        BlockReport::new(receipts, batches.collect(), &tail)
    }

    fn view(&mut self, call: &Tx) -> Receipt {
        let spec = CallSpec {
            caller: call.sender,
            contract: call.contract,
            method: MethodId::of(&call.method),
            args: call.args.clone(),
        };
        let simulation = self.chain.query_at(&spec, self.time_ms).expect("a query runs");
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
