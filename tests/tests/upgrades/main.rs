//! Code that replaces code: who may, what fits, the migration, and blocks in whose middle it happens.

mod blocks;
mod chains;
mod cover;
mod governed;
mod versions;

use kempe_abi::def::{CellDef, FieldDef, MethodKindDef};
use kempe_abi::{AbiType, Address, Outcome, TrapKind};
use kempe_runtime::chain::CallSpec;
use kempe_runtime::scheduler::Color;
use kempe_runtime::types::{Action, Receipt, Upgrade, contract_address};
use kempe_tests::{CHAIN_ID, World, call, deploy, options};

use versions::{
    FIELDS, authorize, get, method, migrate, module, module_with, put, relay, version, wide_put,
};

const fn trap(kind: TrapKind) -> Outcome {
    Outcome::Trap(kind)
}

/// A chain with four accounts.
struct Test {
    world: World,
}

impl Test {
    fn new() -> Self {
        Self { world: World::new(4) }
    }

    fn account(&self, at: usize) -> Address {
        self.world.accounts[at].address
    }

    /// Runs actions in one transaction, with fuel for code.
    fn run(&mut self, from: usize, actions: Vec<Action>) -> (Receipt, String) {
        let txs = self.world.sign_with([(from, actions, 1_000_000_000, Vec::new())]);
        let prepared = self.world.chain.prepare(txs, 0).expect("it is prepared");
        let oracle = self.world.chain.execute_oracle(&prepared).expect("it runs");
        let output = self.world.chain.execute(&prepared).expect("it runs");
        assert_eq!(output, oracle);
        let result = (output.receipts[0].clone(), output.logs[0].concat());
        self.world.chain.commit_prepared(prepared, output).expect("it is committed");
        result
    }

    /// Deploys a module with an authority.
    fn deploy(&mut self, wasm: &[u8], authority: Option<Address>) -> Address {
        let nonce = self.world.chain.next_nonce(&self.account(0)).expect("readable");
        let Action::Deploy { wasm, args, .. } = deploy(wasm, &()) else { unreachable!() };
        let action = Action::Deploy { wasm, args, authority: authority.map(Box::new) };
        let (receipt, log) = self.run(0, vec![action]);
        assert_eq!(receipt.outcome, Outcome::Ok, "{log}");
        contract_address(CHAIN_ID, &self.account(0), nonce, 0)
    }

    fn upgrade(&mut self, from: usize, upgrade: &Upgrade) -> (Outcome, String) {
        let (receipt, log) = self.run(from, vec![Action::Upgrade(Box::new(upgrade.clone()))]);
        if receipt.outcome == Outcome::Ok {
            assert_eq!(receipt.results, [blake3::hash(&upgrade.wasm).as_bytes()]);
        }
        (receipt.outcome, log)
    }

    /// What `get(slot)` returns.
    fn get(&self, contract: Address, slot: u8) -> u64 {
        let Action::Call { method, args, .. } = call(contract, "get", &slot) else {
            unreachable!()
        };
        let call = CallSpec { caller: Address::ZERO, contract, method, args };
        let result = self.world.chain.query(&call).expect("it runs").results.remove(0);
        u64::from_le_bytes(result.try_into().expect("a u64"))
    }

    fn put(&mut self, contract: Address, slot: u8, value: u64) {
        let receipt = self.world.send(1, call(contract, "put", &(slot, value)));
        assert_eq!(receipt.outcome, Outcome::Ok);
    }
}

/// An upgrade that changes nothing but the code.
fn to(contract: Address, wasm: Vec<u8>, authority: Option<Address>) -> Upgrade {
    Upgrade { contract, wasm, args: Vec::new(), allow_wider: false, authority }
}

#[test]
fn only_the_authority_replaces_code() {
    let mut t = Test::new();
    let (owner, other) = (t.account(1), t.account(2));
    let contract = t.deploy(&version(0), Some(owner));
    t.put(contract, 3, 5);
    let upgrade = to(contract, version(100), Some(owner));
    for from in [0, 2] {
        // The deployer is not the authority.
        assert_eq!(t.upgrade(from, &upgrade).0, trap(TrapKind::NotUpgradable));
    }
    assert_eq!(t.upgrade(1, &upgrade), (Outcome::Ok, String::new()));
    assert_eq!(t.get(contract, 3), 5, "what is stored stays");
    t.put(contract, 3, 5);
    assert_eq!(t.get(contract, 3), 105);

    // The authority is handed on, and then given up.
    assert_eq!(t.upgrade(1, &to(contract, version(200), Some(other))).0, Outcome::Ok);
    assert_eq!(t.upgrade(1, &upgrade).0, trap(TrapKind::NotUpgradable));
    assert_eq!(t.upgrade(2, &to(contract, version(200), None)).0, Outcome::Ok);
    for from in [0, 1, 2] {
        assert_eq!(t.upgrade(from, &upgrade).0, trap(TrapKind::NotUpgradable));
    }
    t.put(contract, 3, 5);
    assert_eq!(t.get(contract, 3), 205);

    let fixed = t.deploy(&version(0), None);
    assert_eq!(t.upgrade(0, &to(fixed, version(1), None)).0, trap(TrapKind::NotUpgradable));
    let nowhere = to(Address([7; 32]), version(1), None);
    assert_eq!(t.upgrade(0, &nowhere).0, trap(TrapKind::NoSuchContract));
}

#[test]
fn code_that_does_not_fit_changes_nothing() {
    const MOVED: &[FieldDef] = &[FIELDS[1], FIELDS[0]];
    const SHORTER: &[FieldDef] = &[FIELDS[0]];
    const RETYPED: &[FieldDef] = &[
        FieldDef {
            name: "cells",
            doc: "",
            cell: CellDef::Value,
            keys: &[u8::TYPE],
            value: i64::TYPE,
        },
        FIELDS[1],
    ];
    let mut t = Test::new();
    let owner = t.account(1);
    let contract = t.deploy(&version(0), Some(owner));
    t.put(contract, 3, 5);
    let record = t.world.chain.contract(&contract).unwrap().unwrap().record;

    let wide = || module(FIELDS, vec![wide_put(7), get(), relay()]);
    let mut longer = put(7);
    longer.def.returns = u64::TYPE;
    let other = || method("put", MethodKindDef::Call, &[], &[], "i32.const 0");
    let nothing = || method("nothing", MethodKindDef::Call, &[], &[], "i32.const 0");
    let refused = trap(TrapKind::UpgradeRefused);
    for (wasm, outcome, log) in [
        (wide(), refused, "calls of `put` may touch more than before"),
        (module(FIELDS, vec![longer]), refused, "`put` takes, returns or refuses with something"),
        (module(FIELDS, vec![other()]), refused, "`put` takes, returns or refuses with something"),
        // Else it could come back as anything.
        (module(FIELDS, vec![put(7), get()]), refused, "`relay` is gone"),
        (module(MOVED, vec![nothing()]), refused, "field 0 `cells` is gone"),
        (module(SHORTER, vec![put(7)]), refused, "field 1 `birth` is gone"),
        (module(RETYPED, vec![put(7)]), refused, "field 0 `cells` is not kept"),
        (b"\0asm".to_vec(), trap(TrapKind::ModuleRefused), ""),
    ] {
        let (found, text) = t.upgrade(1, &to(contract, wasm, Some(owner)));
        assert!(found == outcome && text.contains(log), "{found:?} {text}");
    }
    // Arguments without a `migrate` that takes them.
    let idle = Upgrade { args: vec![1], ..to(contract, version(7), Some(owner)) };
    assert_eq!(t.upgrade(1, &idle).0, trap(TrapKind::BadArguments));
    // The flag is for templates and signatures, not for what is stored.
    let forced = module(RETYPED, vec![put(7)]);
    let forced = Upgrade { allow_wider: true, ..to(contract, forced, Some(owner)) };
    assert_eq!(t.upgrade(1, &forced).0, refused);

    assert_eq!(t.world.chain.contract(&contract).unwrap().unwrap().record, record);
    t.put(contract, 3, 5);
    assert_eq!(t.get(contract, 3), 5);
    let allowed = Upgrade { allow_wider: true, ..to(contract, wide(), Some(owner)) };
    assert_eq!(t.upgrade(1, &allowed).0, Outcome::Ok);
    t.put(contract, 3, 5);
    assert_eq!((t.get(contract, 3), t.get(contract, 9)), (12, 12));
}

#[test]
fn a_migration_runs_once_within_what_it_declares() {
    let mut t = Test::new();
    let owner = t.account(1);
    let contract = t.deploy(&version(0), Some(owner));
    t.put(contract, 3, 5);
    t.put(contract, 9, 6);
    let with = |migrate| module(FIELDS, vec![put(7), get(), relay(), migrate]);
    let upgrade = |wasm, slot: u8| Upgrade { args: vec![slot], ..to(contract, wasm, Some(owner)) };

    for (wasm, outcome) in [
        (with(migrate(false, "i32.const 0")), trap(TrapKind::UndeclaredAccess)),
        (with(migrate(true, "i32.const 200")), Outcome::Revert(200)),
        (with(migrate(true, "unreachable")), trap(TrapKind::Unreachable)),
    ] {
        assert_eq!(t.upgrade(1, &upgrade(wasm, 3)).0, outcome);
        assert_eq!((t.get(contract, 3), t.get(contract, 9)), (5, 6), "nothing is left of it");
        t.put(contract, 2, 1);
        assert_eq!(t.get(contract, 2), 1, "the old code runs");
    }
    let wasm = with(migrate(true, "i32.const 0"));
    let wrong = Upgrade { args: vec![3, 3], ..upgrade(wasm.clone(), 3) };
    assert_eq!(t.upgrade(1, &wrong).0, trap(TrapKind::BadArguments));
    assert_eq!(t.upgrade(1, &upgrade(wasm.clone(), 3)).0, Outcome::Ok);
    let first = u64::from_le_bytes(owner.0[..8].try_into().unwrap());
    assert_eq!((t.get(contract, 3), t.get(contract, 9)), (first, 6), "its caller is the authority");

    // Nobody calls it, and code that is there already does not run it again.
    let receipt = t.world.send(1, call(contract, "migrate", &9u8));
    assert_eq!(receipt.outcome, trap(TrapKind::NotPermitted));
    assert_eq!(t.upgrade(1, &upgrade(wasm.clone(), 9)).0, trap(TrapKind::BadArguments));
    assert_eq!(t.upgrade(1, &to(contract, wasm, None)).0, Outcome::Ok);
    assert_eq!(t.get(contract, 9), 6);
}

#[test]
fn a_migration_sets_new_immutables_and_no_old_ones() {
    const THREE: &[FieldDef] = &[
        FIELDS[0],
        FIELDS[1],
        FieldDef { name: "second", doc: "", cell: CellDef::Immutable, keys: &[], value: u64::TYPE },
    ];
    let setting = |field: u8, kind, name, fields| {
        let set =
            "(call $set (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 8)) i32.const 0";
        let import =
            format!(r#"(import "kempe" "put:{field}" (func $set (param i32 i32 i32 i32)))"#);
        module_with(fields, vec![method(name, kind, &[], &[], set), put(0)], &import)
    };
    let mut t = Test::new();
    let owner = t.account(1);
    let init = setting(1, MethodKindDef::Init, "init", FIELDS);
    let contract = t.deploy(&init, Some(owner));
    let migrating = |field| {
        let wasm = setting(field, MethodKindDef::Migrate, "migrate", THREE);
        to(contract, wasm, Some(owner))
    };
    assert_eq!(t.upgrade(1, &migrating(1)).0, trap(TrapKind::NotPermitted));
    assert_eq!(t.upgrade(1, &migrating(2)).0, Outcome::Ok);
    let record = t.world.chain.contract(&contract).unwrap().unwrap().record;
    let value = vec![9, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(record.immutables, [(1, value.clone()), (2, value)]);
}

#[test]
fn a_contract_is_asked() {
    let mut t = Test::new();
    let yes = t.deploy(&module(FIELDS, vec![authorize("i32.const 0")]), None);
    let no = t.deploy(&module(FIELDS, vec![authorize("i32.const 321")]), None);
    let mut answers = authorize("i32.const 0");
    answers.def.returns = bool::TYPE;
    let answers = t.deploy(&module(FIELDS, vec![answers]), None);
    let silent = t.deploy(&version(0), None);
    // The caller is the host and nobody else: 32 zero bytes, which no contract has and nobody signs for.
    let only_host = "(call $caller (i32.const 0)) (i64.ne (i64.load (i32.const 0)) (i64.const 0))";
    let host = t.deploy(&module(FIELDS, vec![authorize(only_host)]), None);

    for (authority, outcome) in [
        (yes, Outcome::Ok),
        (no, Outcome::Revert(321)),
        (answers, trap(TrapKind::NotUpgradable)),
        (silent, trap(TrapKind::NotUpgradable)),
        (host, Outcome::Ok),
        (Address::ZERO, trap(TrapKind::NotUpgradable)),
    ] {
        let contract = t.deploy(&version(0), Some(authority));
        let upgrade = to(contract, version(7), Some(authority));
        assert_eq!(t.upgrade(3, &upgrade).0, outcome);
        t.put(contract, 1, 1);
        assert_eq!(t.get(contract, 1), if outcome == Outcome::Ok { 8 } else { 1 });
    }
    let terms = to(host, Vec::new(), None).terms();
    let receipt = t.world.send(1, call(host, kempe_abi::upgrade::AUTHORIZE, &terms));
    assert_eq!(receipt.outcome, Outcome::Revert(1));
}

/// Who is in a batch runs the code from before the block, also through others, wherever the upgrade stands; who follows
/// it in the tail, and every later block, runs the new one.
#[test]
fn a_callee_that_is_upgraded_in_the_same_block() {
    let mut t = Test::new();
    let owner = t.account(1);
    let callee = t.deploy(&version(0), Some(owner));
    let caller = t.deploy(&version(7), None);
    let relay = |slot: u8| vec![call(caller, "relay", &(callee, slot, 10_u64))];
    let upgrade = Action::Upgrade(Box::new(to(callee, version(100), Some(owner))));
    let txs = [(2, relay(1)), (1, vec![upgrade]), (1, relay(2)), (3, relay(3))];
    let txs = txs.map(|(from, actions)| (from, actions, 1_000_000_000, Vec::new()));
    for n_threads in 1..=3 {
        t.world.chain.set_options(options(n_threads, &Color)).expect("threads start");
        let prepared = t.world.chain.prepare(t.world.sign_with(txs.clone()), 0).expect("fine");
        let output = t.world.chain.execute(&prepared).expect("it runs");
        assert_eq!(output, t.world.chain.execute_oracle(&prepared).expect("it runs"));
        let found: Vec<_> =
            output.receipts.iter().map(|receipt| (receipt.outcome, receipt.tail)).collect();
        assert_eq!(found, [false, true, true, false].map(|tail| (Outcome::Ok, tail)));
    }
    let txs = t.world.sign_with(txs);
    t.world.build(txs);
    assert_eq!([1, 2, 3].map(|slot| t.get(callee, slot)), [10, 110, 10]);
    assert_eq!(t.run(2, relay(4)).0.outcome, Outcome::Ok);
    assert_eq!(t.get(callee, 4), 110);
}

#[test]
fn a_transaction_sees_what_it_did_before() {
    let mut t = Test::new();
    let owner = t.account(1);
    let contract = t.deploy(&version(0), Some(owner));
    let put = |value: u64| call(contract, "put", &(3u8, value));
    let upgrade = |wasm| Action::Upgrade(Box::new(to(contract, wasm, Some(owner))));
    let twice = vec![put(1), upgrade(version(10)), put(2), upgrade(version(20)), put(3)];
    assert_eq!(t.run(1, twice).0.outcome, Outcome::Ok);
    assert_eq!(t.get(contract, 3), 23);
    // What fails later takes the upgrade with it.
    let failing = vec![upgrade(version(30)), call(contract, "nothing", &())];
    assert_eq!(t.run(1, failing).0.outcome, trap(TrapKind::NoSuchMethod));
    t.put(contract, 3, 3);
    assert_eq!(t.get(contract, 3), 23);
}
