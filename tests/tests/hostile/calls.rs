//! Calls between contracts that do not behave: chains, circles, callees that fail or are not there, and
//! the native stack under all of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::everywhere::{DYNAMIC, Everywhere, contract, go, guarded, one};
use kempe_abi::def::ClauseDef;
use kempe_abi::{AccessKind, Address, MethodId, Outcome, TrapKind};
use kempe_runtime::engine::{BlockEnv, CALL_STACK_BYTES, Engine};
use kempe_runtime::executor::{Executor, Plan, Tx};
use kempe_runtime::scheduler::{Mode, Schedule};
use kempe_runtime::state::{StateRead, StoreError};
use kempe_runtime::types::{Bytes, KeyHash, Receipt, contract_address};
use kempe_tests::CHAIN_ID;

const FUEL: u64 = 50_000_000;

const ARGS: [u32; 5] = [0; 5];

const CALL: &str =
    r#"(import "kempe" "call" (func $call (param i32 i32 i32 i32 i32) (result i32)))"#;

/// Data: the address of a callee at 64. The arguments of the call are 20 zeros.
pub(crate) fn callee(address: Address) -> String {
    let bytes: String = address.0.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!("(data (i32.const 64) \"{bytes}\")")
}

/// Calls `go` of the callee; leaves 0, the callee's code, or -1.
fn call_go(catch: u32) -> String {
    let method = MethodId::of("go").0.cast_signed();
    format!(
        "(call $call (i32.const 64) (i32.const {method}) (i32.const 0) (i32.const 20) (i32.const {catch}))"
    )
}

/// Deploys a contract that calls another one, and ends as `after` says with the result on the stack.
fn caller(chain: &mut Everywhere, address: Address, catch: u32, after: &str) -> Address {
    let before = format!("{CALL} {}", callee(address));
    chain.deploy(&one(DYNAMIC, &before, &format!("{} {after}", call_go(catch))))
}

/// Runs a call with a missing list and with the right one; both must end like this.
fn both(chain: &mut Everywhere, contract: Address, outcome: Outcome) {
    let action = go(contract, ARGS);
    let signed = chain.world.sign_with([(0, vec![action.clone()], FUEL, Vec::new())]);
    let simulation = chain.world.chain.simulate(&signed[0].transaction).expect("it runs");
    assert_eq!(simulation.outcome, outcome);
    let list = simulation.explicit_list();
    for (list, tail) in [(Vec::new(), true), (list, false)] {
        for receipt in chain.flood_with(FUEL, &action, &list) {
            assert_eq!((receipt.outcome, receipt.tail), (outcome, tail));
        }
    }
}

#[test]
fn eight_contracts_deep_and_not_nine() {
    let mut chain = Everywhere::new(20);
    let mut last = chain.deploy(&one(DYNAMIC, "", "i32.const 0"));
    for depth in 2..=9 {
        last = caller(&mut chain, last, 0, "");
        let outcome = if depth <= 8 { Outcome::Ok } else { Outcome::Trap(TrapKind::CallDepth) };
        both(&mut chain, last, outcome);
    }
    // Caught one level above: the call that was too deep is a failure like any other.
    let mut last = chain.deploy(&one(DYNAMIC, "", "i32.const 0"));
    for _ in 2..=9 {
        last = caller(&mut chain, last, 1, "");
    }
    both(&mut chain, last, Outcome::Revert(u32::MAX));
}

#[test]
fn nobody_is_entered_twice() {
    let mut chain = Everywhere::new(20);
    let sender = chain.world.accounts[0].address;
    let nonce = chain.world.chain.next_nonce(&sender).expect("readable");
    // A contract that calls itself, and a circle of three.
    let own = contract_address(CHAIN_ID, &sender, nonce, 0);
    let same = caller(&mut chain, own, 0, "");
    assert_eq!(same, own);
    both(&mut chain, same, Outcome::Trap(TrapKind::Reentry));
    let first = contract_address(
        CHAIN_ID,
        &sender,
        chain.world.chain.next_nonce(&sender).expect("ok") + 2,
        0,
    );
    let third = caller(&mut chain, first, 0, "");
    let second = caller(&mut chain, third, 0, "");
    assert_eq!(caller(&mut chain, second, 0, ""), first);
    both(&mut chain, first, Outcome::Trap(TrapKind::Reentry));
}

#[test]
fn callees_that_fail() {
    let mut chain = Everywhere::new(20);
    let nobody = Address([0x77; 32]);
    let spin = chain.deploy(&one(DYNAMIC, "", "(loop $l (br $l)) i32.const 0"));
    let trap = chain.deploy(&one(DYNAMIC, "", "unreachable"));
    let refuse = chain.deploy(&one(DYNAMIC, "", "i32.const 123"));
    let trapped = Outcome::Trap;
    for (callee, thrown, caught) in [
        (nobody, trapped(TrapKind::NoSuchContract), Outcome::Revert(u32::MAX)),
        // What burns everything leaves nothing to go on with, but for the instructions up to the
        // next entry of a function or loop, which is where fuel is checked.
        (spin, trapped(TrapKind::OutOfFuel), Outcome::Revert(u32::MAX)),
        (trap, trapped(TrapKind::Unreachable), Outcome::Revert(u32::MAX)),
        (refuse, Outcome::Revert(123), Outcome::Revert(123)),
    ] {
        let loud = caller(&mut chain, callee, 0, "");
        both(&mut chain, loud, thrown);
        let quiet = caller(&mut chain, callee, 1, "");
        both(&mut chain, quiet, caught);
    }
    // Who fails after a failure that was caught is who failed.
    let late = caller(&mut chain, refuse, 1, "unreachable");
    let failure = chain.attack(FUEL, &go(late, ARGS)).failure.expect("it says where");
    assert_eq!(failure.contract, late);
}

#[test]
fn a_callee_deployed_in_the_same_block_is_found_or_not_the_same_way() {
    let mut chain = Everywhere::new(3);
    let sender = chain.world.accounts[1].address;
    let nonce = chain.world.chain.next_nonce(&sender).expect("readable");
    let future = contract_address(CHAIN_ID, &sender, nonce, 0);
    let caller = caller(&mut chain, future, 1, "");
    let module = one(DYNAMIC, "", "i32.const 0");
    let txs = chain.world.sign_with([
        (0, vec![go(caller, ARGS)], FUEL, Vec::new()),
        (1, vec![kempe_tests::deploy(&module, &())], 1_000_000_000, Vec::new()),
        (2, vec![go(caller, ARGS)], FUEL, Vec::new()),
    ]);
    let receipts = chain.block(txs).receipts;
    let outcomes: Vec<_> = receipts.iter().map(|receipt| receipt.outcome).collect();
    assert_eq!(outcomes, [Outcome::Revert(u32::MAX), Outcome::Ok, Outcome::Ok]);
}

#[test]
fn a_fan_of_calls_ends_with_the_fuel() {
    let mut chain = Everywhere::new(3);
    // Each level calls the next 200 times: 200^6 calls.
    let mut last = chain.deploy(&one(DYNAMIC, "", "i32.const 0"));
    for _ in 0..6 {
        let before = format!("{CALL} {}", callee(last));
        let body = format!(
            "(local $i i32) (loop $l {} drop (local.set $i (i32.add (local.get $i) (i32.const 1)))
             (br_if $l (i32.lt_u (local.get $i) (i32.const 200)))) i32.const 0",
            call_go(1)
        );
        last = chain.deploy(&one(DYNAMIC, &before, &body));
    }
    both(&mut chain, last, Outcome::Trap(TrapKind::OutOfFuel));
}

/// Calls `go` of the callee, and catches what comes of it, as often as its first argument says; without end for 0.
/// Ends with how often the call failed.
fn insisting(chain: &mut Everywhere, address: Address) -> Address {
    let input = r#"(import "kempe" "input" (func $input (param i32)))"#;
    let body = format!(
        "(local $n i32) (local $failed i32) (call $input (i32.const 0))
         (local.set $n (i32.load (i32.const 0))) (i32.store (i32.const 0) (i32.const 0))
         (loop $l (if {} (then (local.set $failed (i32.add (local.get $failed) (i32.const 1)))))
             (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
         local.get $failed",
        call_go(1)
    );
    let before = format!("{input} {CALL} {}", callee(address));
    chain.deploy(&one(DYNAMIC, &before, &body))
}

#[test]
fn a_guard_that_stops_a_call_again_and_again_is_paid_each_time() {
    let mut chain = Everywhere::new(12);
    let prices = chain.world.chain.genesis().prices;
    let stopped = chain.deploy(&guarded());
    let insisting = insisting(&mut chain, stopped);
    let fuel_of = |chain: &mut Everywhere, n: u32, n_failed: u32| {
        let action = go(insisting, [n, 0, 0, 0, 0]);
        let signed = chain.world.sign_with([(0, vec![action.clone()], FUEL, Vec::new())]);
        let list = chain.world.chain.simulate(&signed[0].transaction).expect("it runs");
        let receipts = chain.flood_with(FUEL, &action, &list.explicit_list());
        for receipt in &receipts {
            let outcome = match (n, n_failed) {
                (0, _) => Outcome::Trap(TrapKind::OutOfFuel),
                (_, 0) => Outcome::Ok,
                _ => Outcome::Revert(n_failed),
            };
            assert_eq!((receipt.outcome, receipt.tail), (outcome, false), "{n}");
            assert_eq!(receipt.fuel, receipts[0].fuel);
        }
        receipts[0].fuel
    };
    let free = [1, 1_000].map(|n| fuel_of(&mut chain, n, 0));
    let set = kempe_tests::call(stopped, "set", &ARGS);
    assert_eq!(chain.world.send(0, set).outcome, Outcome::Ok);
    let fuels = [1, 1_000, 1_999].map(|n| fuel_of(&mut chain, n, n));
    // What it looks at is the state, each time, and nothing is remembered from one time to the next.
    assert_eq!(fuels[2] - fuels[1], fuels[1] - fuels[0]);
    let each = (fuels[1] - fuels[0]) / 999;
    assert!(each > prices.list_entry + prices.call + 2 * prices.host_call, "{each}");
    // Neither is stopping cheaper than looking: what differs is the code of both.
    let ran = (free[1] - free[0]) / 999;
    assert!(ran.abs_diff(each) < 100, "{ran} {each}");
    assert_eq!(fuel_of(&mut chain, 0, 0), FUEL);
}

/// What an addition costs in a call that may be undone does not depend on the value that is added to, which only
/// some ways of running a block know.
#[test]
fn an_addition_that_may_be_undone_costs_the_same_everywhere() {
    const fn touches(kind: AccessKind) -> ClauseDef {
        ClauseDef::Touch { kind, field: 6, key: &[] }
    }
    const FILLS: &[ClauseDef] = &[touches(AccessKind::Write)];
    const ADDS: &[ClauseDef] = &[touches(AccessKind::Add)];
    let text = r#"(import "kempe" "put:6" (func $put (param i32 i32 i32 i32)))
        (import "kempe" "add:6" (func $add (param i32 i32 i64 i64)))
        (func (export "call.fill") (param i32) (result i32)
            (call $put (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 4096)) i32.const 0)
        (func (export "call.go") (param i32) (result i32)
            (call $add (i32.const 0) (i32.const 0) (i64.const 1) (i64.const 0)) i32.const 0)"#;
    let mut chain = Everywhere::new(3);
    let stock = chain.deploy(&contract(&[("fill", FILLS), ("go", ADDS)], text));
    let fill = kempe_tests::call(stock, "fill", &ARGS);
    assert_eq!(chain.world.send(0, fill).outcome, Outcome::Ok);
    let catching = caller(&mut chain, stock, 1, "");
    // What the stock holds is no number.
    both(&mut chain, catching, Outcome::Trap(TrapKind::CounterOutOfBounds));
}

/// A contract that goes down its wasm stack as many steps as memory at 96 says, with values that live
/// across each call, and then runs `at_the_bottom`.
fn diver(before: &str, steps: u32, at_the_bottom: &str) -> Vec<u8> {
    let live = 24;
    let locals = "i64 ".repeat(live);
    let set: String = (1..=live)
        .map(|i| format!("(local.set {i} (i64.load (i32.const {})))", 128 + 8 * i))
        .collect();
    let sum: String = (1..=live).map(|i| format!("(local.get {i}) i64.add ")).collect();
    let before = format!(
        "{before} (func $dive (param i32) (result i64) (local {locals}) {set}
            (if (result i64) (local.get 0)
                (then (call $dive (i32.sub (local.get 0) (i32.const 1))))
                (else {at_the_bottom} (i64.const 0)))
            {sum})"
    );
    one(DYNAMIC, &before, &format!("(i32.wrap_i64 (call $dive (i32.const {steps})))"))
}

/// The most steps for which a call does not overflow the wasm stack.
fn deepest(chain: &mut Everywhere) -> u32 {
    let (mut low, mut high) = (100, 20_000);
    while low + 1 < high {
        let middle = (low + high) / 2;
        let contract = chain.deploy(&diver("", middle, ""));
        let outcome = chain.world.send(0, go(contract, ARGS)).outcome;
        match outcome {
            Outcome::Ok => low = middle,
            Outcome::Trap(TrapKind::StackOverflow) => high = middle,
            other => panic!("{other:?}"),
        }
    }
    low
}

/// A state that notes between which addresses the stack of its readers lies.
struct Depth {
    state: Arc<dyn StateRead>,
    low: AtomicUsize,
    high: AtomicUsize,
}

impl StateRead for Depth {
    fn get(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        let here = 0_u8;
        let at = std::ptr::from_ref(&here).addr();
        self.low.fetch_min(at, Ordering::Relaxed);
        self.high.fetch_max(at, Ordering::Relaxed);
        self.state.get(key)
    }
}

#[test]
fn the_native_stack_holds_the_deepest_calls() {
    let mut chain = Everywhere::new(1);
    // The bottom of the last one reads a key that no list names, which the state is asked for.
    let get = r#"(import "kempe" "get:0" (func $get (param i32 i32 i32 i32) (result i32)))"#;
    let read = "(drop (call $get (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))";
    // A little less, since what is called at the bottom makes frames larger.
    let steps = deepest(&mut chain) * 9 / 10;
    let mut last = chain.deploy(&diver(get, steps, read));
    for _ in 1..8 {
        let before = format!("{CALL} {}", callee(last));
        last = chain.deploy(&diver(&before, steps, &format!("(drop {})", call_go(0))));
    }
    let world = &chain.world;
    let depth = Arc::new(Depth {
        state: world.chain.state().expect("readable"),
        low: AtomicUsize::new(usize::MAX),
        high: AtomicUsize::new(0),
    });
    let state: Arc<dyn StateRead> = Arc::clone(&depth) as _;
    let signed = world.sign_with([(0, vec![go(last, ARGS)], FUEL, Vec::new())]);
    let transaction = &signed[0].transaction;
    let txs = [Tx { transaction, hash: transaction.hash() }];
    let prices = world.chain.genesis().prices;
    let mut executor = Executor::new(world.chain.engine(), prices, 1).expect("threads start");
    let lists = executor.derive(&txs, &state).expect("lists");
    let interned = executor.intern(lists, &txs).expect("numbers");
    let schedule = Schedule::new::<[u32; 0]>([], &[0]).expect("each once");
    let plan = Plan::new(interned, schedule, Mode::Free).expect("alone");
    let output = executor.execute(&txs, &plan, &state, BlockEnv::default()).expect("it runs");
    assert_eq!(output.receipts[0].outcome, Outcome::Ok, "{:?}", output.receipts[0].failure);
    let used = depth.high.load(Ordering::Relaxed) - depth.low.load(Ordering::Relaxed);
    println!("8 contracts, {steps} steps each: {used} bytes of {CALL_STACK_BYTES}");
    assert!(used > 7 * 200 * 1024, "the stacks were used: {used}");
    assert!(used + 512 * 1024 < CALL_STACK_BYTES, "{used} bytes of {CALL_STACK_BYTES}");
}

/// After a restart nothing is compiled. A batch whose calls reach a contract that no list derivation
/// loads compiles it in the middle of a transaction, on every thread at once.
#[test]
fn code_is_compiled_in_the_middle_of_a_batch() {
    let mut chain = Everywhere::new(40);
    // Many functions, so that the compiler has work to share.
    let functions = "(func (param i32) (result i32) (i32.div_u (local.get 0) (i32.const 3)))";
    let leaf = chain.deploy(&one(DYNAMIC, &functions.repeat(400), "i32.const 0"));
    let caller = caller(&mut chain, leaf, 0, "");
    let action = go(caller, ARGS);
    let signed = chain.world.sign_with([(0, vec![action.clone()], FUEL, Vec::new())]);
    let list = chain.world.chain.simulate(&signed[0].transaction).expect("it runs").explicit_list();
    let all = (0..40).map(|from| (from, vec![action.clone()], FUEL, list.clone()));
    let txs = chain.world.sign_with(all);
    let prepared = chain.world.chain.prepare(txs, 0).expect("it is prepared");
    let state = chain.world.chain.state().expect("readable");
    let prices = chain.world.chain.genesis().prices;
    let txs: Vec<_> = prepared
        .transactions
        .iter()
        .zip(&prepared.hashes)
        .map(|(signed, &hash)| Tx { transaction: &signed.transaction, hash })
        .collect();
    let run = |engine: &Arc<Engine>| {
        let mut executor = Executor::new(engine, prices, 4).expect("threads start");
        executor.execute(&txs, &prepared.plan, &state, prepared.env).expect("it runs")
    };
    // On the chain's own engine, where the code is compiled.
    let warm = run(chain.world.chain.engine());
    assert!(warm.receipts.iter().all(|receipt| receipt.outcome == Outcome::Ok && !receipt.tail));
    for _ in 0..8 {
        let cold = run(&Arc::new(Engine::new().expect("it is configured")));
        let fuel = |receipts: &[Receipt]| -> Vec<u64> {
            receipts.iter().map(|receipt| receipt.fuel).collect()
        };
        assert_eq!(fuel(&cold.receipts), fuel(&warm.receipts), "who compiles pays as all others");
        assert_eq!(cold, warm);
    }
}
