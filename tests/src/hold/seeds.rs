//! True encodings, and other inputs that get far, for each property.

use borsh::{BorshSerialize, to_vec};
use kempe_abi::AccessKind;
use kempe_runtime::state::{StateChange, StateTable, StateTree};
use kempe_runtime::types::{
    Action, Bytes, DeclaredAccess, KeyHash, SignedTransaction, StateKey, Transaction,
};

use crate::{Account, CHAIN_ID, FUEL, World, call};

fn encode(value: &impl BorshSerialize) -> Vec<u8> {
    to_vec(value).expect("encoding to memory cannot fail")
}

fn actions() -> Vec<Action> {
    let to = Account::new(0).address;
    vec![Action::Transfer { to, amount: 1 }, call(to, "go", &7_u64)]
}

fn signed(access: Vec<DeclaredAccess>) -> SignedTransaction {
    let account = Account::new(1);
    account.sign(Transaction {
        chain_id: CHAIN_ID,
        sender: account.address,
        nonce: 0,
        fuel_limit: FUEL,
        actions: actions(),
        access,
    })
}

/// For [`super::transaction`].
#[must_use]
pub fn transaction() -> Vec<Vec<u8>> {
    let key = StateKey::new(Account::new(2).address, 3, b"key");
    let access = vec![DeclaredAccess { kind: AccessKind::Write, key }];
    vec![encode(&signed(Vec::new())), encode(&signed(access))]
}

/// For [`super::abi`].
#[must_use]
pub fn abi() -> Vec<Vec<u8>> {
    [kempe_contracts::POOL, kempe_contracts::TOKEN, crate::CHAOS].map(section).to_vec()
}

/// The ABI's section of a contract, behind the length of arguments and these.
fn section(wasm: &[u8]) -> Vec<u8> {
    let at = wasm.windows(9).position(|bytes| bytes == b"kempe.abi").expect("it has one");
    let mut bytes = vec![48];
    bytes.extend([7; 48]);
    bytes.extend(&wasm[at + 9..]);
    bytes
}

/// For [`super::module`].
#[must_use]
pub fn module() -> Vec<Vec<u8>> {
    let text = r#"(module (import "kempe" "get:0" (func (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1 1) (global (export "g") (mut i32) (i32.const 0))
        (func (export "call.go") (param i32) (result i32) (local i64)
            (loop (br_if 0 (i32.const 0))) (i32.load (local.get 0))))"#;
    vec![kempe_contracts::COUNTER.to_vec(), wat::parse_str(text).expect("it is a module")]
}

/// For [`super::schedule`].
#[must_use]
pub fn schedule() -> Vec<Vec<u8>> {
    let rows = vec![vec![(1_u8, 2_u8), (3, 0)], vec![(1, 1)], vec![(4, 2)]];
    // Of one to nine entries each.
    let row = |at: u8| (0..=at % 9).map(|n| (at.wrapping_mul(n + 3), at + n)).collect();
    let many: Vec<Vec<(u8, u8)>> = (0..64).map(row).collect();
    vec![encode(&(rows, vec![0_u32, 2, 1], vec![2_u32])), encode(&many)]
}

/// For [`super::block`].
#[must_use]
pub fn block() -> Vec<Vec<u8>> {
    vec![vec![0, 9, 0, 1], vec![1, 200, 0, 7, 90, 1, 3]]
}

/// For [`super::record`].
#[must_use]
pub fn record() -> Vec<Vec<u8>> {
    let mut world = World::new(2);
    let txs = world.sign(vec![(1, actions())]);
    vec![encode(&world.build(txs).record)]
}

/// For [`super::genesis`].
#[must_use]
pub fn genesis() -> Vec<Vec<u8>> {
    vec![crate::genesis(2, 3).to_toml().into_bytes(), b"chain_id = 7".to_vec()]
}

fn small_state() -> (StateTable, StateTree, Vec<KeyHash>) {
    let table = StateTable::new();
    let keys: Vec<KeyHash> = (0..3_u8).map(|n| KeyHash([n.wrapping_mul(85); 32])).collect();
    let changes: Vec<_> = (0..3_u8)
        .zip(&keys)
        .map(|(n, hash)| {
            let key = StateKey::new(Account::new(n).address, n, &[n; 4]);
            StateChange::new(key, *hash, Some(Bytes::from_slice(&[n; 40])))
        })
        .collect();
    table.apply(&changes);
    let tree = StateTree::from_state(&table).expect("in memory");
    (table, tree, keys)
}

/// For [`super::witness`].
#[must_use]
pub fn witness() -> Vec<Vec<u8>> {
    let (table, tree, keys) = small_state();
    vec![encode(&tree.witness(&table, &keys[..2]).expect("in memory"))]
}

/// For [`super::proof`].
#[must_use]
pub fn proof() -> Vec<Vec<u8>> {
    let (table, tree, keys) = small_state();
    let proof = tree.prove(&table, &keys[1]).expect("in memory");
    vec![[&keys[1].0[..], &encode(&proof)].concat()]
}

/// For [`super::trace`].
#[must_use]
pub fn trace() -> Vec<Vec<u8>> {
    let line = r#"{"tx":0,"reads":[1,2],"writes":[2],"adds":[3],"gas":21000,"ns":900}"#;
    let next = line.replacen("\"tx\":0", "\"tx\":1", 1);
    vec![format!("{line}\n{next}\n").into_bytes()]
}

/// For [`super::value`]: texts behind the number of their type.
#[must_use]
pub fn value() -> Vec<Vec<u8>> {
    let texts: [(u8, &str); 9] = [
        (4, "1_000_000"),
        (6, "-170141183460469231731687303715884105728"),
        (8, "0x0101010101010101010101010101010101010101010101010101010101010101"),
        (10, "0xc0ffee"),
        (13, "\"none\""),
        (14, r#"{"some": null}"#),
        (16, r#"["Cancel", {"Limit": {"price": "9", "tags": [[-1, "a", 7]]}}]"#),
        (17, r#"{"price": 9, "tags": [[1, "x", null]]}"#),
        (19, r#"{"Swap": [1, [2, "y", 3]]}"#),
    ];
    texts.iter().map(|(ty, text)| [&[*ty], text.as_bytes()].concat()).collect()
}

/// For [`super::state`].
#[must_use]
pub fn state() -> Vec<Vec<u8>> {
    vec![(0..120).collect(), vec![1, 5, 9, 1, 3, 0, 255, 0, 0, 1, 40, 2]]
}

/// For [`super::execution`].
#[must_use]
pub fn execution() -> Vec<Vec<u8>> {
    vec![
        (0..=122).collect(),
        vec![1, 2, 0, 15, 1, 200, 0, 1, 16, 1, 90, 0, 2, 12, 1, 0, 0, 3, 17, 1, 2, 5],
    ]
}
