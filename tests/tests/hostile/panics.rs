//! A bug that panics in the middle of a block: it is named, and the executor goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::everywhere::{Everywhere, contract, go, touch};
use kempe_abi::def::ClauseDef;
use kempe_abi::{AccessKind, Address, Outcome};
use kempe_runtime::engine::BlockEnv;
use kempe_runtime::executor::{Executor, ExecutorError, Plan, Tx};
use kempe_runtime::scheduler::by_name;
use kempe_runtime::state::{StateRead, StoreError};
use kempe_runtime::types::{Bytes, KeyHash, StateKey};

/// One scheduler for each form of a plan, and for each way to run it.
const FORMS: [&str; 8] =
    ["color", "color-graph", "graph", "versions", "values", "block-stm", "block-stm-hints", "aria"];

const START: ClauseDef = ClauseDef::Start { field: 0, key: &[] };

/// Templates of transactions that run side by side, and one behind the other.
const TEMPLATES: [&[ClauseDef]; 2] = [&[START], &[touch(AccessKind::Write, 0), START]];

/// A state that panics when one cell is read, or any.
struct Broken {
    state: Arc<dyn StateRead>,
    cell: KeyHash,
    any: AtomicBool,
}

impl StateRead for Broken {
    fn get(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        let is_broken = *key == self.cell || self.any.load(Ordering::Relaxed);
        assert!(!is_broken, "as the test wants it");
        self.state.get(key)
    }
}

/// Reads what was before the block of the cell whose key is the first argument. No list names it, so it is read by the thread
/// that runs the transaction.
fn starter(access: &'static [ClauseDef]) -> Vec<u8> {
    let text = r#"(import "kempe" "input" (func $input (param i32)))
        (import "kempe" "start:0" (func $start (param i32 i32 i32 i32) (result i32)))
        (func (export "call.go") (param i32) (result i32) (call $input (i32.const 0))
            (drop (call $start (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0)))
            i32.const 0)"#;
    contract(&[("go", access)], text)
}

#[test]
fn a_panic_in_any_form_of_a_plan_is_named() {
    let mut chain = Everywhere::new(16);
    let contracts = TEMPLATES.map(|access| chain.deploy(&starter(access)));
    for contract in contracts {
        let key = StateKey::new(contract, 0, &9u32.to_le_bytes()).hash();
        let state = chain.world.chain.state().expect("readable");
        let broken = Arc::new(Broken { state, cell: key, any: AtomicBool::new(false) });
        for form in FORMS {
            for n_threads in [1, 4] {
                run(&chain, contract, &broken, form, n_threads);
            }
        }
    }
}

fn run(chain: &Everywhere, contract: Address, broken: &Arc<Broken>, form: &str, n_threads: usize) {
    let state: Arc<dyn StateRead> = Arc::clone(broken) as _;
    let prices = chain.world.chain.genesis().prices;
    let mut executor =
        Executor::new(chain.world.chain.engine(), prices, n_threads).expect("threads start");
    let scheduler = by_name(form).expect("it is there");
    let is_named = |error: &ExecutorError| match error {
        ExecutorError::Panicked(text) => text == "as the test wants it",
        _ => false,
    };
    let mut outputs = Vec::new();
    for bad in [false, true, false] {
        let txs = (0..16).map(|from| {
            let first = if bad && from == 11 { 9 } else { 8 };
            (from, vec![go(contract, [first, 0, 0, 0, 0])], 1_000_000, Vec::new())
        });
        let signed = chain.world.sign_with(txs);
        let txs: Vec<Tx<'_>> = signed
            .iter()
            .map(|signed| Tx { transaction: &signed.transaction, hash: signed.transaction.hash() })
            .collect();
        broken.any.store(true, Ordering::Relaxed);
        let error = executor.derive(&txs, &state).expect_err("no contract can be read");
        assert!(is_named(&error), "{form}: {error}");
        broken.any.store(false, Ordering::Relaxed);
        let lists = executor.derive(&txs, &state).expect("lists");
        let interned = executor.intern(lists, &txs).expect("numbers");
        let plan = Plan::by(interned, scheduler, n_threads).expect("it is legal");
        let result = executor.execute(&txs, &plan, &state, BlockEnv::default());
        if bad {
            let error = result.expect_err("a worker panicked");
            assert!(is_named(&error), "{form} on {n_threads} threads: {error}");
            continue;
        }
        let output = result.expect("the executor lives");
        assert!(output.receipts.iter().all(|receipt| receipt.outcome == Outcome::Ok));
        outputs.push(output);
    }
    assert_eq!(outputs[0], outputs[1], "{form} on {n_threads} threads");
}
