//! A difference between executions is found, and brought down to the transactions that it takes.
//!
//! There is no known difference, so executions with bugs are compared with the oracle.

use kempe_abi::{Address, Hash};
use kempe_runtime::chain::{Bisection, Chain, ChainError, Prepared, bisect};
use kempe_runtime::executor::{BlockOutput, ExecutorError};
use kempe_runtime::scheduler::{Color, Sequential};
use kempe_runtime::types::{Action, Bytes};
use kempe_tests::{World, call, genesis, options};

const N_ACCOUNTS: u8 = 60;

/// A chain with a pool, whose last block has a swap or a transfer of each account.
struct Scene {
    world: World,
    hashes: Vec<Hash>,
    pool: Address,
}

impl Scene {
    fn new() -> Self {
        let mut world = World::of(genesis(N_ACCOUNTS, 0), options(2, &Color));
        let owner = world.accounts[0].address;
        let tokens = [0, 1].map(|_| world.deploy(0, kempe_contracts::TOKEN, &owner));
        let pool = world.deploy(0, kempe_contracts::POOL, &(tokens[0], tokens[1], 30u16));
        for token in tokens {
            let mut txs = Vec::new();
            for from in 0..usize::from(N_ACCOUNTS) {
                let to = world.accounts[from].address;
                txs.push((0, vec![call(token, "mint", &(to, 100_000u128))]));
                txs.push((from, vec![call(token, "approve", &(pool, 1_000_000u128))]));
            }
            let txs = world.sign(txs);
            world.build(txs);
        }
        let args = (20_000u128, 20_000u128, 0u128, u64::MAX);
        world.send(0, call(pool, "add_liquidity", &args));
        let txs = (0..usize::from(N_ACCOUNTS)).map(|from| (from, vec![action(&world, pool, from)]));
        let txs = world.sign(txs.collect());
        let hashes = txs.iter().map(|signed| signed.transaction.hash()).collect();
        let report = world.build(txs);
        assert!(report.rejected.is_empty());
        Self { world, hashes, pool }
    }

    fn bisect(
        &self,
        execute: impl FnMut(&mut Chain, &Prepared) -> Result<BlockOutput, ChainError>,
    ) -> Option<Bisection> {
        let chain = &self.world.chain;
        let height = chain.head().height;
        bisect(chain, options(2, &Color), height, execute, |_| ()).expect("it runs")
    }

    /// Whether the transactions at these positions of the block are all among those.
    fn has(&self, prepared: &Prepared, txs: &[usize]) -> bool {
        txs.iter().all(|&at| prepared.hashes.contains(&self.hashes[at]))
    }
}

/// Two accounts swap, in either direction; the others pay each other.
fn action(world: &World, pool: Address, from: usize) -> Action {
    match from {
        17 => call(pool, "sell_a", &(1_000u128, 0u128, u64::MAX)),
        41 => call(pool, "sell_b", &(2_000u128, 0u128, u64::MAX)),
        _ => {
            let to = world.accounts[(from + 1) % usize::from(N_ACCOUNTS)].address;
            // So that nobody is paid what he pays.
            Action::Transfer { to, amount: 1 + from as u128 }
        }
    }
}

#[test]
fn equal_executions_have_no_difference() {
    assert_eq!(Scene::new().bisect(Chain::execute), None);
}

#[test]
fn a_lost_write_of_three_transactions_together_is_found() {
    let scene = Scene::new();
    let mut lost = None;
    let found = scene.bisect(|chain, prepared| {
        let mut output = chain.execute(prepared)?;
        if scene.has(prepared, &[3, 29, 58]) {
            let sender = scene.world.accounts[29].address;
            let is_its = |key: &[u8]| key == sender.0;
            let mut changes: Vec<_> = output.changes.iter().collect();
            let at = changes.iter().position(|change| is_its(&change.key.key));
            lost = Some(changes.remove(at.expect("it pays")));
            output.changes = changes.into();
        }
        Ok(output)
    });
    let (found, lost) = (found.expect("it differs"), lost.expect("it was lost"));
    assert_eq!((found.n_txs, &found.txs[..]), (60, &[3, 29, 58][..]));
    let key = found.key.expect("a key differs");
    assert_ne!(key.executed, key.oracle);
    assert_eq!((key.key, key.oracle), (lost.key, lost.value));
    assert_eq!((found.receipt, found.panic), (None, None));
    // Halving a block of 60 is far from trying all parts of it.
    assert!(found.n_runs < 400, "{}", found.n_runs);
}

#[test]
fn another_order_than_the_published_one_is_found() {
    let scene = Scene::new();
    let mut others = 0;
    let found = scene.bisect(|chain, prepared| {
        // The transactions of the block backwards, one by one: the two swaps change places.
        chain.set_options(options(2, &Sequential))?;
        let backwards: Vec<_> = prepared.transactions.iter().rev().cloned().collect();
        let other = chain.prepare(backwards, prepared.env.time_ms)?;
        others += 1;
        let mut output = chain.execute(&other)?;
        output.receipts.reverse();
        Ok(output)
    });
    let found = found.expect("it differs");
    assert_eq!(found.txs, [17, 41]);
    assert_eq!(found.receipt.expect("the results differ").tx, 17);
    let key = found.key.expect("a key differs");
    assert_ne!(key.oracle, key.executed);
    assert_ne!(key.key.contract, Address::ZERO, "a contract's: {:?} {:?}", key.key, scene.pool);
    assert!(others > 0);
}

#[test]
fn a_receipt_alone_is_a_difference() {
    let scene = Scene::new();
    let found = scene.bisect(|chain, prepared| {
        let mut output = chain.execute(prepared)?;
        let at = prepared.hashes.iter().position(|hash| *hash == scene.hashes[50]);
        if let Some(at) = at {
            output.receipts[at].fuel += 1;
        }
        Ok(output)
    });
    let found = found.expect("it differs");
    assert_eq!((&found.txs[..], &found.key), (&[50][..], &None));
    let receipt = found.receipt.expect("a receipt differs");
    assert_eq!((receipt.tx, receipt.executed.fuel), (50, receipt.oracle.fuel + 1));
}

#[test]
fn a_panic_and_a_race_are_differences() {
    let scene = Scene::new();
    let found = scene.bisect(|chain, prepared| {
        if scene.has(prepared, &[7, 8]) {
            return Err(ExecutorError::Panicked("index out of bounds".into()).into());
        }
        chain.execute(prepared)
    });
    let found = found.expect("it differs");
    assert_eq!(found.txs, [7, 8]);
    assert_eq!(found.panic.as_deref(), Some("index out of bounds"));
    // It shows only every third time.
    let mut n = 0;
    let found = scene.bisect(|chain, prepared| {
        let mut output = chain.execute(prepared)?;
        n += 1;
        if scene.has(prepared, &[22]) && n % 3 == 0 {
            let mut changes: Vec<_> = output.changes.iter().collect();
            changes[0].value = Some(Bytes::from_slice(&[1]));
            output.changes = changes.into();
        }
        Ok(output)
    });
    assert_eq!(found.expect("it differs").txs, [22]);
}
