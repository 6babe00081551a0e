//! What the keys of a state that is larger than memory take.

use kempe_abi::{AccessKind, Outcome};
use kempe_runtime::chain::{Chain, ChainOptions};
use kempe_runtime::scheduler::Color;
use kempe_runtime::types::{DeclaredAccess, StateKey};
use kempe_tests::{World, call, genesis, number, options};

use super::{FUEL_MAX, measure_once};
use crate::everywhere::{DYNAMIC, Everywhere, contract};

/// The accounts, each of which fills so many keys in a block.
const N_ACCOUNTS: u8 = 16;
const N_KEYS: u32 = 1000;

/// The blocks before each checkpoint: so few of a size that each becomes a run of its own, and has to be looked into.
const BLOCKS: [u32; 4] = [48, 16, 5, 2];

/// The blocks that no checkpoint has.
const N_PENDING: u32 = 20;

/// The transactions that look for so many keys each: together far more than stays in memory, so some are forgotten meanwhile.
const N_TXS: usize = 64;

/// How far apart keys are that are looked for one after the other: a prime, so that each is met once.
const STRIDE: u32 = 7919;

const FILLING: &str = r#"
    (import "kempe" "input" (func $input (param i32)))
    (import "kempe" "put:0" (func $put (param i32 i32 i32 i32)))
    (func (export "call.go") (param i32) (result i32) i32.const 0)
    (func (export "call.fill") (param i32) (result i32)
        (local $n i32)
        (call $input (i32.const 32)) (local.set $n (i32.load (i32.const 36)))
        (loop $l
            (call $put (i32.const 32) (i32.const 4) (i32.const 32) (i32.const 8))
            (i32.store (i32.const 32) (i32.add (i32.load (i32.const 32)) (i32.const 1)))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        i32.const 0)"#;

/// Nanoseconds for one fuel of entries of lists whose values are on the disk, or would be.
pub(super) fn disk_prices() -> Vec<(String, f64)> {
    let directory = tempfile::tempdir().expect("there is room");
    let options = ChainOptions { memory_bytes: 0, ..options(1, &Color) };
    let genesis = genesis(N_ACCOUNTS, 0);
    let chain = Chain::create(directory.path(), genesis, options).expect("a chain starts");
    let mut chain = Everywhere::on(World::on(chain, N_ACCOUNTS));
    let filled = chain.deploy(&contract(&[("go", DYNAMIC), ("fill", DYNAMIC)], FILLING));
    let mut n_keys = 0;
    let mut fill = |chain: &mut Everywhere, n_blocks: u32| {
        for _ in 0..n_blocks {
            let txs = (0..N_ACCOUNTS).map(|from| {
                let fill = call(filled, "fill", &[n_keys, N_KEYS, 0, 0, 0]);
                n_keys += N_KEYS;
                (usize::from(from), vec![fill], FUEL_MAX, Vec::new())
            });
            let txs = chain.world.sign_with(txs.collect::<Vec<_>>());
            let report = chain.world.build(txs);
            assert!(report.record.receipts.iter().all(|receipt| receipt.outcome == Outcome::Ok));
        }
    };
    for n_blocks in BLOCKS {
        fill(&mut chain, n_blocks);
        chain.world.chain.checkpoint().expect("it is written");
    }
    fill(&mut chain, N_PENDING);
    // Each looks for keys that nobody looked for before.
    let mut next = 0;
    let mut measure = |chain: &mut Everywhere, name: &str, first: u32| {
        let runs = 0..number("KEMPE_CALIBRATE_RUNS", 3u32);
        let run = |_| {
            let mut entry = |_| {
                next += 1;
                let key = first + next * STRIDE % n_keys;
                let key = StateKey::new(filled, 0, &key.to_le_bytes());
                DeclaredAccess { key, kind: AccessKind::Read }
            };
            let txs: Vec<_> = (0..N_TXS)
                .map(|from| {
                    let list = (0..N_KEYS).map(&mut entry).collect();
                    (
                        from % usize::from(N_ACCOUNTS),
                        vec![call(filled, "go", &[0u32; 5])],
                        FUEL_MAX,
                        list,
                    )
                })
                .collect();
            let txs = chain.world.sign_with(txs);
            measure_once(chain, name, txs)
        };
        (name.to_owned(), runs.map(run).fold(f64::INFINITY, f64::min))
    };
    let there = measure(&mut chain, "keys on the disk", 0);
    let absent = measure(&mut chain, "keys that are not on the disk", n_keys);
    vec![there, absent]
}
