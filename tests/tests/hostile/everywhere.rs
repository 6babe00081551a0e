//! Contracts in the text format, and what becomes of calls to them, everywhere at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use borsh::BorshSerialize;
use kempe_abi::def::{CellDef, ClauseDef, ContractDef, FieldDef, MethodDef, MethodKindDef};
use kempe_abi::{AbiType, AccessKind, Address, Hash, TypeDef, section};
use kempe_runtime::chain::Prepared;
use kempe_runtime::executor::{BlockOutput, Executor, Tx};
use kempe_runtime::scheduler::{Color, SCHEDULERS, by_name};
use kempe_runtime::state::StateRead;
use kempe_runtime::types::{Action, DeclaredAccess, Receipt, SignedTransaction};

use kempe_tests::{World, options};

use crate::unread::Unread;

/// The fields that every contract here has: a value, a counter, an immutable, another value, a log, logs by
/// number, a stock, a flag, flags by hash, flags by account, a maximum, and a minimum.
pub(crate) const FIELDS: &[FieldDef] = &[
    field("cell", CellDef::Value),
    field("sum", CellDef::Counter),
    field("fixed", CellDef::Immutable),
    field("other", CellDef::Value),
    field("log", CellDef::Log),
    FieldDef { keys: &[u64::TYPE], ..field("logs", CellDef::Log) },
    field("stock", CellDef::Stock),
    FieldDef { value: bool::TYPE, ..field("flag", CellDef::Value) },
    FieldDef { keys: &[Hash::TYPE], value: bool::TYPE, ..field("flags", CellDef::Value) },
    FieldDef { keys: &[Address::TYPE], value: bool::TYPE, ..field("bans", CellDef::Value) },
    field("most", CellDef::Maximum),
    field("least", CellDef::Minimum),
];

pub(crate) const fn field(name: &'static str, cell: CellDef) -> FieldDef {
    FieldDef { name, doc: "", cell, keys: &[], value: u64::TYPE }
}

/// A touch of a field's only cell.
pub(crate) const fn touch(kind: AccessKind, field: u8) -> ClauseDef {
    ClauseDef::Touch { kind, field, key: &[] }
}

/// A template of every field, each touched as much as can be.
pub(crate) const ALL: &[ClauseDef] = &[
    touch(AccessKind::Write, 0),
    touch(AccessKind::Add, 1),
    touch(AccessKind::Write, 3),
    touch(AccessKind::Add, 4),
];

/// A template that only reads, so that many transactions share a batch.
pub(crate) const READS: &[ClauseDef] = &[touch(AccessKind::Read, 0)];

/// A template that adds.
pub(crate) const ADDS: &[ClauseDef] = &[touch(AccessKind::Add, 1)];

/// A template of a call that the flag stops.
pub(crate) const GUARDED: &[ClauseDef] = &[ClauseDef::Unless { field: 7, key: &[] }];

/// A template that writes the flag.
pub(crate) const FLAGS: &[ClauseDef] = &[touch(AccessKind::Write, 7)];

/// A template that knows nothing before.
pub(crate) const DYNAMIC: &[ClauseDef] = &[ClauseDef::Dynamic];

/// The parameters of every method: five numbers.
const PARAMS: &[(&str, &TypeDef)] =
    &[("a", u32::TYPE), ("b", u32::TYPE), ("c", u32::TYPE), ("d", u32::TYPE), ("e", u32::TYPE)];

/// What a method is given.
pub(crate) type Args = [u32; 5];

/// A contract of this text, with methods of these names and templates. Each takes [`Args`], and is
/// exported as `call.<name>` with one page of memory beside it, unless the text has a memory.
pub(crate) fn contract(methods: &[(&'static str, &'static [ClauseDef])], text: &str) -> Vec<u8> {
    contract_of(FIELDS, methods, text)
}

/// The same with other fields.
pub(crate) fn contract_of(
    fields: &'static [FieldDef],
    methods: &[(&'static str, &'static [ClauseDef])],
    text: &str,
) -> Vec<u8> {
    contract_with(fields, PARAMS, methods, text)
}

/// The same with other parameters.
pub(crate) fn contract_with(
    fields: &'static [FieldDef],
    params: &'static [(&'static str, &'static TypeDef)],
    methods: &[(&'static str, &'static [ClauseDef])],
    text: &str,
) -> Vec<u8> {
    let kind = |name| if name == "init" { MethodKindDef::Init } else { MethodKindDef::Call };
    let methods: Vec<MethodDef> = methods
        .iter()
        .map(|&(name, access)| MethodDef {
            name,
            doc: "",
            kind: kind(name),
            params,
            returns: <()>::TYPE,
            error: None,
            access,
        })
        .collect();
    let methods: &'static [MethodDef] = methods.leak();
    let def = ContractDef { name: "Hostile", doc: "", fields, methods, interfaces: &[] };
    let bytes = section::contract_to_vec(&def);
    let abi: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let memory =
        if text.contains("(memory (export") { "" } else { r#"(memory (export "memory") 1 1)"# };
    let module = format!("(module {text} {memory} (@custom \"kempe.abi\" \"{abi}\"))");
    wat::parse_str(&module).unwrap_or_else(|error| panic!("{error}"))
}

/// A contract with one method `go` of this template and body; `before` are imports and the like.
pub(crate) fn one(access: &'static [ClauseDef], before: &str, body: &str) -> Vec<u8> {
    let go = format!(r#"(func (export "call.go") (param i32) (result i32) {body})"#);
    contract(&[("go", access)], &format!("{before} {go}"))
}

/// A contract with a method `go` that the flag stops, and one that sets it.
pub(crate) fn guarded() -> Vec<u8> {
    let text = r#"(import "kempe" "put:7" (func $put (param i32 i32 i32 i32))) (data (i32.const 8) "\01")
        (func (export "call.go") (param i32) (result i32) i32.const 0)
        (func (export "call.set") (param i32) (result i32)
            (call $put (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 1)) i32.const 0)"#;
    contract(&[("go", GUARDED), ("set", FLAGS)], text)
}

/// A call of `go`.
pub(crate) fn go(contract: Address, args: Args) -> Action {
    kempe_tests::call(contract, "go", &args)
}

/// One scheduler for each form of a plan without barriers.
const UNBARRED: [&str; 6] = ["graph", "versions", "values", "block-stm", "block-stm-hints", "aria"];

/// A chain on which every block is run by one, two, three and eight threads and by the oracle, which must agree
/// in every byte. Two other schedulers, of which the first has no barriers, run it in turn.
#[derive(Debug)]
pub(crate) struct Everywhere {
    /// The chain.
    pub(crate) world: World,
    n_blocks: usize,
    ran_by: BTreeSet<&'static str>,
}

impl Everywhere {
    /// A chain with this many accounts.
    pub(crate) fn new(n: u8) -> Self {
        Self::on(World::new(n))
    }

    /// The same with a chain that is there.
    pub(crate) const fn on(world: World) -> Self {
        Self { world, n_blocks: 0, ran_by: BTreeSet::new() }
    }

    /// How many schedulers have run a block.
    pub(crate) fn ran_by(&self) -> usize {
        self.ran_by.len()
    }

    /// Deploys a contract without arguments.
    pub(crate) fn deploy(&mut self, wasm: &[u8]) -> Address {
        self.deploy_with(wasm, &())
    }

    /// Deploys a contract.
    pub(crate) fn deploy_with(&mut self, wasm: &[u8], args: &impl BorshSerialize) -> Address {
        self.world.deploy(0, wasm, args)
    }

    /// Runs a block everywhere and commits it.
    ///
    /// # Panics
    /// If two ways differ, or a transaction is not accepted.
    pub(crate) fn block(&mut self, txs: Vec<SignedTransaction>) -> BlockOutput {
        self.in_turn(&txs);
        let chain = &mut self.world.chain;
        let prepared = chain.prepare(txs, 0).expect("it is prepared");
        assert!(prepared.rejected.is_empty(), "{:?}", prepared.rejected);
        let oracle = chain.execute_oracle(&prepared).expect("it runs");
        for n_threads in [1, 2, 3, 8] {
            chain.set_options(options(n_threads, &Color)).expect("threads start");
            let output = chain.execute(&prepared).expect("it runs");
            assert_eq!(output.receipts, oracle.receipts, "{n_threads} threads");
            assert_eq!(output, oracle, "{n_threads} threads");
        }
        self.unread(&prepared, &oracle, 2);
        let chain = &mut self.world.chain;
        chain.commit_prepared(prepared, oracle.clone()).expect("it is committed");
        oracle
    }

    /// Runs a block of which no long value is in memory, and gives how many bytes of them were read.
    ///
    /// # Panics
    /// If something else comes out.
    pub(crate) fn unread(
        &self,
        prepared: &Prepared,
        expected: &BlockOutput,
        n_threads: usize,
    ) -> u64 {
        let chain = &self.world.chain;
        let unread = Arc::new(Unread::new(chain.state().expect("readable")));
        let state: Arc<dyn StateRead> = unread.clone();
        let executor = Executor::new(chain.engine(), chain.genesis().prices, n_threads);
        let pairs = prepared.transactions.iter().zip(&prepared.hashes);
        let txs = pairs.map(|(signed, &hash)| Tx { transaction: &signed.transaction, hash });
        let txs: Vec<Tx<'_>> = txs.collect();
        let mut executor = executor.expect("threads start");
        let output = executor.execute(&txs, &prepared.plan, &state, prepared.env);
        let output = output.expect("it runs");
        assert_eq!(output.receipts, expected.receipts, "unread on {n_threads} threads");
        for change in output.changes.iter() {
            let value = expected.changes.get(&change.hash);
            assert!(value == Some(change.value), "{:?} on {n_threads} threads", change.key);
        }
        // The chain adds the senders' nonces.
        let senders: BTreeSet<Address> = txs.iter().map(|tx| tx.transaction.sender).collect();
        assert_eq!(output.changes.len() + senders.len(), expected.changes.len());
        unread.n_bytes()
    }

    /// Runs a block under the two schedulers whose turn it is, and commits nothing. Some publish another order, so each is compared with
    /// the oracle on its own.
    fn in_turn(&mut self, txs: &[SignedTransaction]) {
        let unbarred = by_name(UNBARRED[self.n_blocks % UNBARRED.len()]).expect("it is there");
        let any = SCHEDULERS[self.n_blocks % SCHEDULERS.len()];
        let n_threads = if self.n_blocks.is_multiple_of(2) { 2 } else { 8 };
        self.n_blocks += 1;
        for scheduler in [unbarred, any] {
            let chain = &mut self.world.chain;
            let name = scheduler.name();
            self.ran_by.insert(name);
            chain.set_options(options(n_threads, scheduler)).expect("threads start");
            let prepared = chain.prepare(txs.to_vec(), 0).expect("it is prepared");
            let oracle = chain.execute_oracle(&prepared).expect("it runs");
            let output = chain.execute(&prepared).expect("it runs");
            assert_eq!(output.receipts, oracle.receipts, "{name} on {n_threads} threads");
            assert_eq!(output, oracle, "{name} on {n_threads} threads");
            if prepared.plan.post_values().is_some() {
                let again = chain.execute(&prepared).expect("its own values are right");
                assert_eq!(again, oracle, "{name} with values on {n_threads} threads");
            }
            self.unread(&prepared, &oracle, n_threads);
        }
        self.world.chain.set_options(options(n_threads, &Color)).expect("threads start");
    }

    /// Runs an action with this fuel limit from every account in one block, which fills a batch where
    /// the action permits it; gives the receipts.
    pub(crate) fn flood(&mut self, fuel: u64, action: &Action) -> Vec<Receipt> {
        self.flood_with(fuel, action, &[])
    }

    /// The same, with an explicit list.
    pub(crate) fn flood_with(
        &mut self,
        fuel: u64,
        action: &Action,
        access: &[DeclaredAccess],
    ) -> Vec<Receipt> {
        let all = 0..self.world.accounts.len();
        let txs = all.map(|from| (from, vec![action.clone()], fuel, access.to_vec()));
        let txs = self.world.sign_with(txs);
        self.block(txs).receipts
    }

    /// Floods, checks that all end alike with equal fuel, and gives one of them.
    ///
    /// # Panics
    /// If two differ.
    pub(crate) fn attack(&mut self, fuel: u64, action: &Action) -> Receipt {
        let mut receipts = self.flood(fuel, action);
        for receipt in &receipts {
            assert_eq!(receipt.outcome, receipts[0].outcome);
            assert_eq!(receipt.fuel, receipts[0].fuel);
        }
        receipts.swap_remove(0)
    }
}
