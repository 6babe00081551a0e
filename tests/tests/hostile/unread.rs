//! Long values that lists name and that are not in memory: who pays for them reads them, and nobody else does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kempe_abi::{AccessKind, Address, Outcome, TrapKind};
use kempe_runtime::chain::{Chain, ChainOptions};
use kempe_runtime::scheduler::Color;
use kempe_runtime::state::{StateRead, StoreError, UpTo};
use kempe_runtime::types::{Bytes, DeclaredAccess, KeyHash, SignedTransaction, StateKey};
use kempe_tests::{FUEL, World, call, genesis, options};

use crate::everywhere::{DYNAMIC, Everywhere, contract};

/// The most bytes of a value that a row of the state has in it.
const ROW_BYTES: usize = 31;

/// A state that has no long value in memory.
pub(crate) struct Unread {
    state: Arc<dyn StateRead>,
    n_bytes: AtomicU64,
}

impl Unread {
    pub(crate) fn new(state: Arc<dyn StateRead>) -> Self {
        Self { state, n_bytes: AtomicU64::new(0) }
    }

    /// How many bytes of long values were read.
    pub(crate) fn n_bytes(&self) -> u64 {
        self.n_bytes.load(Ordering::Relaxed)
    }

    fn count(&self, value: Option<&Bytes>) {
        let length = value.map_or(0, |value| value.len());
        if length > ROW_BYTES {
            self.n_bytes.fetch_add(length as u64, Ordering::Relaxed);
        }
    }
}

impl StateRead for Unread {
    fn get(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        let value = self.state.get(key)?;
        self.count(value.as_ref());
        Ok(value)
    }

    fn look(&self, key: &KeyHash) -> Result<Option<Bytes>, StoreError> {
        let is_long = |value: &Bytes| value.len() > ROW_BYTES;
        let value = self.state.get(key)?;
        Ok(value.map(|value| if is_long(&value) { Bytes::unread() } else { value }))
    }

    fn get_up_to(&self, key: &KeyHash, most: u64) -> Result<UpTo, StoreError> {
        let found = self.state.get_up_to(key, most)?;
        self.count(found.as_ref().ok().and_then(Option::as_ref));
        Ok(found)
    }
}

/// How many keys are filled with values of so many bytes, by how many accounts.
const N_KEYS: u32 = 64;
const VALUE_BYTES: u32 = 65_536;
const N_ACCOUNTS: u8 = 8;

/// Takes a key and a length; `fill` writes as much, `go` does nothing, `add` adds one to what is there, which is no number then.
const TEXT: &str = r#"
    (import "kempe" "input" (func $input (param i32)))
    (import "kempe" "put:1" (func $put (param i32 i32 i32 i32)))
    (import "kempe" "add:1" (func $add (param i32 i32 i64 i64)))
    (memory (export "memory") 2 2)
    (func (export "call.go") (param i32) (result i32) i32.const 0)
    (func (export "call.add") (param i32) (result i32)
        (call $input (i32.const 0)) (call $add (i32.const 0) (i32.const 4) (i64.const 1) (i64.const 0))
        i32.const 0)
    (func (export "call.fill") (param i32) (result i32)
        (call $input (i32.const 0))
        (call $put (i32.const 0) (i32.const 4) (i32.const 0) (i32.load (i32.const 4))) i32.const 0)"#;

fn long_values() -> Vec<u8> {
    contract(&[("go", DYNAMIC), ("add", DYNAMIC), ("fill", DYNAMIC)], TEXT)
}

fn entry(of: Address, key: u32, kind: AccessKind) -> DeclaredAccess {
    DeclaredAccess { kind, key: StateKey::new(of, 1, &key.to_le_bytes()) }
}

/// Fills keys that many accounts name then.
fn fill(world: &World, of: Address, length: u32) -> Vec<SignedTransaction> {
    let fill = |key| {
        let from = key as usize % usize::from(N_ACCOUNTS);
        (from, vec![call(of, "fill", &[key, length, 0, 0, 0])], FUEL, Vec::new())
    };
    world.sign_with((0..N_KEYS).map(fill))
}

/// Calls with lists of many long values, of which some pay for all, some for some, and some for none.
fn lists(world: &World, of: Address, kind: AccessKind, fuels: &[u64]) -> Vec<SignedTransaction> {
    let call = |(from, &fuel): (usize, &u64)| {
        let list = (0..N_KEYS).map(|key| entry(of, key, kind)).collect();
        (from % usize::from(N_ACCOUNTS), vec![call(of, "go", &[0u32; 5])], fuel, list)
    };
    world.sign_with(fuels.iter().enumerate().map(call))
}

#[test]
fn who_cannot_pay_for_long_values_does_not_read_them() {
    let mut chain = Everywhere::new(N_ACCOUNTS);
    let of = chain.deploy(&long_values());
    let txs = fill(&chain.world, of, VALUE_BYTES);
    assert!(chain.block(txs).receipts.iter().all(|receipt| receipt.outcome == Outcome::Ok));
    let run = |fuel| {
        let txs = lists(&chain.world, of, AccessKind::Read, &[fuel; N_ACCOUNTS as usize]);
        let prepared = chain.world.chain.prepare(txs, 0).expect("it is prepared");
        let oracle = chain.world.chain.execute_oracle(&prepared).expect("it runs");
        let n_bytes = chain.unread(&prepared, &oracle, 2);
        (oracle.receipts[0].clone(), n_bytes / (u64::from(N_ACCOUNTS) * u64::from(VALUE_BYTES)))
    };
    let (paid, n_read) = run(FUEL);
    assert_eq!((paid.outcome, n_read), (Outcome::Ok, u64::from(N_KEYS)));
    let without = paid.fuel - u64::from(N_KEYS * VALUE_BYTES);
    for n_paid in [0, 1, 30, 63] {
        // What the call itself takes is less than a value, and comes behind the list.
        let (receipt, n_read) = run(without + n_paid * u64::from(VALUE_BYTES));
        let out_of_fuel = Outcome::Trap(TrapKind::OutOfFuel);
        assert_eq!((receipt.outcome, n_read), (out_of_fuel, n_paid), "n_paid={n_paid}");
    }
}

fn names(outcomes: impl IntoIterator<Item = Outcome>) -> BTreeSet<String> {
    outcomes.into_iter().map(|outcome| format!("{outcome:?}")).collect()
}

/// The blocks of a chain of which long values are on the disk are those of one that has them in memory.
#[test]
fn a_chain_that_has_long_values_on_the_disk_is_the_same() {
    let directory = tempfile::tempdir().expect("there is room");
    let on_disk = ChainOptions { memory_bytes: 0, ..options(1, &Color) };
    let start = genesis(N_ACCOUNTS, 0);
    let on_disk = Chain::create(directory.path(), start.clone(), on_disk).expect("a chain starts");
    let in_memory = Chain::in_memory(start, options(1, &Color)).expect("a chain starts");
    let mut chains = [on_disk, in_memory].map(|chain| World::on(chain, N_ACCOUNTS));
    let of = chains.each_mut().map(|world| world.deploy(0, &long_values(), &()))[0];
    let mut block = |txs: &dyn Fn(&World) -> Vec<SignedTransaction>| {
        let reports = chains.each_mut().map(|world| {
            let txs = txs(world);
            let report = world.build(txs);
            world.chain.checkpoint().expect("it is written");
            (report.record.receipts, world.chain.head().clone())
        });
        assert!(reports[0] == reports[1], "{reports:?}");
        let [(receipts, _), _] = reports;
        names(receipts.into_iter().map(|receipt| receipt.outcome))
    };
    let out_of_fuel = Outcome::Trap(TrapKind::OutOfFuel);
    let no_number = Outcome::Trap(TrapKind::CounterOutOfBounds);
    assert_eq!(block(&|world| fill(world, of, VALUE_BYTES)), names([Outcome::Ok]));
    let fuels: Vec<u64> = (0..40).map(|at| 500_000 + at * 200_000).collect();
    for kind in [AccessKind::Read, AccessKind::Write, AccessKind::Read] {
        let outcomes = block(&|world| lists(world, of, kind, &fuels));
        assert_eq!(outcomes, names([Outcome::Ok, out_of_fuel]));
    }
    // Nobody looks at what is only added to; it is no number.
    let add = |world: &World| {
        let add = |key: u32| {
            let list = vec![entry(of, key, AccessKind::Add)];
            let from = key as usize % usize::from(N_ACCOUNTS);
            (from, vec![call(of, "add", &[key, 0, 0, 0, 0])], FUEL, list)
        };
        world.sign_with((0..N_KEYS).map(add))
    };
    assert_eq!(block(&add), names([no_number]));
    // Not listed: each is found while it runs, with its value.
    let found = |world: &World| {
        let add = |key: u32| {
            let from = key as usize % usize::from(N_ACCOUNTS);
            let fill = call(of, "fill", &[key, 40, 0, 0, 0]);
            let fuel = 40_000 + u64::from(key) * 10_000;
            (from, vec![fill, call(of, "add", &[key, 0, 0, 0, 0])], fuel, Vec::new())
        };
        world.sign_with((0..N_KEYS).map(add))
    };
    assert_eq!(block(&found), names([out_of_fuel, no_number]));
}
