//! Values that no field would hold, as only a module that is written by hand leaves them: wider than their field, or longer than a
//! number. Nothing is added to them or taken from them, and who tries is told the same in a batch, alone and by the oracle.

use kempe_abi::def::{CellDef, ClauseDef, ExprDef, FieldDef};
use kempe_abi::{AbiType, AccessKind, Address, Outcome, TrapKind};
use kempe_runtime::types::{Action, DeclaredAccess, Receipt, StateKey};

use crate::everywhere::{DYNAMIC, Everywhere, contract_of, field, touch};

const FUEL: u64 = 5_000_000;

const STOPPED: Outcome = Outcome::Trap(TrapKind::CounterOutOfBounds);

const fn of(name: &'static str, cell: CellDef) -> FieldDef {
    FieldDef { value: u8::TYPE, ..field(name, cell) }
}

const FIELDS: &[FieldDef] = &[
    of("stock", CellDef::Stock),
    of("sum", CellDef::Counter),
    of("most", CellDef::Maximum),
    of("other", CellDef::Stock),
];

const fn takes(field: u8) -> ClauseDef {
    let (amount, floor) = (ExprDef::Literal(&[1]), ExprDef::Literal(&[]));
    ClauseDef::Reserve { field, key: &[], amount, floor }
}

const METHODS: &[(&str, &[ClauseDef])] = &[
    ("fill", DYNAMIC),
    ("number", DYNAMIC),
    ("lengthen", DYNAMIC),
    ("add", &[touch(AccessKind::Add, 1)]),
    ("raise", &[touch(AccessKind::Add, 2)]),
    ("both", &[touch(AccessKind::Add, 1), takes(0)]),
    ("stocks", &[takes(3), takes(0)]),
];

/// The instructions of a method.
fn body(method: &str) -> String {
    const ZERO: &str = "(i32.const 0)";
    const NONE: &str = "(i64.const 0)";
    let put = |field: u8, at: u32, len: u32| {
        format!("(call $put{field} {ZERO} {ZERO} (i32.const {at}) (i32.const {len}))")
    };
    let take = |field: u8| {
        format!("(drop (call $take{field} {ZERO} {ZERO} (i64.const 1) {NONE} {NONE} {NONE}))")
    };
    let add = format!("(call $add {ZERO} {ZERO} (i64.const 1) {NONE})");
    match method {
        // 300 where 255 is the most, and 255, and 200.
        "fill" => [put(0, 8, 2), put(1, 10, 1), put(2, 8, 2), put(3, 11, 1)].concat(),
        "number" => put(1, 64, 17),
        "lengthen" => put(1, 64, 65_000),
        "add" => add,
        "both" => add + &take(0),
        "stocks" => take(3) + &take(0),
        _ => {
            format!("(call $max {ZERO} {ZERO} (i64.extend_i32_u (i32.load (i32.const 32))) {NONE})")
        }
    }
}

fn contract() -> Vec<u8> {
    let put = |field| {
        format!(r#"(import "kempe" "put:{field}" (func $put{field} (param i32 i32 i32 i32)))"#)
    };
    let take = |field| {
        let params = "i32 i32 i64 i64 i64 i64";
        format!(
            r#"(import "kempe" "reserve:{field}" (func $take{field} (param {params}) (result i32)))"#
        )
    };
    let imports: String = (0..4).map(put).chain([0, 3].map(take)).collect();
    let method = |&(name, _): &(&str, _)| {
        let body = body(name);
        format!(
            r#"(func (export "call.{name}") (param i32) (result i32) (call $input (i32.const 32)) {body} i32.const 0)"#
        )
    };
    let methods: String = METHODS.iter().map(method).collect();
    let text = format!(
        r#"{imports} (import "kempe" "input" (func $input (param i32)))
        (import "kempe" "add:1" (func $add (param i32 i32 i64 i64)))
        (import "kempe" "max:2" (func $max (param i32 i32 i64 i64)))
        (data (i32.const 8) "\2c\01\ff\c8") {methods} (memory (export "memory") 2 2)"#
    );
    contract_of(FIELDS, METHODS, &text)
}

/// A chain with the contract.
fn chain() -> (Everywhere, Address) {
    let mut chain = Everywhere::new(8);
    let at = chain.deploy(&contract());
    (chain, at)
}

fn call(at: Address, method: &str, n: u32) -> Action {
    kempe_tests::call(at, method, &[n, 0, 0, 0, 0])
}

/// What has no list, and neither has what its sender sends behind it.
fn nothing() -> Action {
    kempe_tests::call(Address([9; 32]), "go", &())
}

/// The receipts of some actions in a batch, from an account each, and of the same one by one.
fn run(chain: &mut Everywhere, actions: &[Action], list: &[DeclaredAccess]) -> [Vec<Receipt>; 2] {
    const ALONE: usize = 7;
    let all = actions.iter().cloned();
    let in_batch = (0..).zip(all.clone());
    let alone = std::iter::once(nothing()).chain(all).map(|action| (ALONE, action));
    let txs = in_batch.chain(alone).map(|(from, action)| (from, vec![action], FUEL, list.to_vec()));
    let txs = chain.world.sign_with(txs.collect::<Vec<_>>());
    let mut receipts = chain.block(txs).receipts;
    let alone = receipts.split_off(actions.len() + 1);
    receipts.pop();
    assert!(
        receipts.iter().all(|receipt| !receipt.tail) && alone.iter().all(|receipt| receipt.tail)
    );
    [receipts, alone]
}

fn stored(chain: &Everywhere, at: Address, field: u8) -> Vec<u8> {
    let state = chain.world.chain.state().expect("readable");
    let stored = state.get(&StateKey::new(at, field, &[]).hash()).expect("readable");
    stored.expect("it is there").to_vec()
}

#[test]
fn what_is_wider_than_its_field_ends_alike_everywhere() {
    let (mut chain, at) = chain();
    assert_eq!(chain.world.send(0, call(at, "fill", 0)).outcome, Outcome::Ok);
    let actions = ["both", "stocks", "both"].map(|method| call(at, method, 0));
    let [in_batch, alone] = run(&mut chain, &actions, &[]);
    for receipt in in_batch.iter().chain(&alone) {
        assert_eq!(receipt.outcome, STOPPED);
    }
    // The greatest that there is stays, whoever comes first.
    let actions: Vec<Action> = (40..46).map(|n| call(at, "raise", n)).collect();
    run(&mut chain, &actions, &[]);
    assert_eq!(stored(&chain, at, 2), [255]);
}

#[test]
fn what_is_longer_than_a_number_ends_alike_everywhere() {
    let (mut chain, at) = chain();
    for (method, len) in [("number", 17), ("lengthen", 65_000)] {
        assert_eq!(chain.world.send(0, call(at, method, 0)).outcome, Outcome::Ok);
        let [in_batch, alone] = run(&mut chain, &[call(at, "add", 0), call(at, "add", 0)], &[]);
        for receipt in in_batch.iter().chain(&alone) {
            assert_eq!(receipt.outcome, STOPPED);
        }
        // Who only names it pays the same wherever it runs.
        let key = StateKey::new(at, 1, &[]);
        let list = [DeclaredAccess { kind: AccessKind::Add, key }];
        let to = chain.world.accounts[6].address;
        let [in_batch, alone] = run(&mut chain, &[Action::Transfer { to, amount: 0 }], &list);
        assert_eq!((in_batch[0].outcome, in_batch[0].fuel), (Outcome::Ok, alone[0].fuel));
        assert_eq!(stored(&chain, at, 1).len(), len);
    }
}
