//! Memory does not grow with the number of blocks.
//!
//! The accounts are fixed, so the state does not grow either, and blocks are not stored: what stays
//! behind would be the executor's, the engine's or an instance's. `KEMPE_BLOCKS=100` measures that
//! many blocks of 20,000 transfers instead of the short form.

use std::{env, fs};

use kempe_bench::{TokenWorld, Workload, run_block};
use kempe_runtime::types::Receipt;

const N_ACCOUNTS: usize = 5_000;
/// What a block frees is not all used again by the next one at once.
const WARM_UP_BLOCKS: u64 = 10;

/// How many KiB the heap may grow by itself: measured up to 0.8 MiB in the short form, 3 in the long.
const SHORT_GROWTH_MAX_KIB: u64 = 2 << 10;
const LONG_GROWTH_MAX_KIB: u64 = 8 << 10;

/// What of this process is in memory; `None` where the system does not say.
fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// From the first third of the blocks to the last, by medians: a heap gives memory back in large
/// pieces, so a single sample can be off by a tenth.
fn growth_kib(samples: &[u64]) -> u64 {
    let median = |samples: &[u64]| {
        let mut sorted = samples.to_vec();
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    };
    let third = samples.len().div_ceil(3);
    median(&samples[samples.len() - third..]).saturating_sub(median(&samples[..third]))
}

#[test]
fn memory_stays_flat_over_many_blocks() {
    let long = env::var("KEMPE_BLOCKS").ok();
    let long = long.map(|text| text.parse::<u64>().expect("KEMPE_BLOCKS is a number of blocks"));
    let (n_blocks, n_txs, growth_max_kib) = match long {
        None => (30, 2_000, SHORT_GROWTH_MAX_KIB),
        Some(n_blocks) => (n_blocks.max(3), 20_000, LONG_GROWTH_MAX_KIB),
    };
    if resident_kib().is_none() {
        println!("skipped: /proc/self/status has no VmRSS here");
        return;
    }
    let mut world = TokenWorld::new(N_ACCOUNTS).unwrap();
    let mut executor = world.base.executor(2).unwrap();
    let workload = Workload::Hot { n_accounts: N_ACCOUNTS, n_hot: 10, hot_percent: 5 };
    let mut kept: Vec<Receipt> = Vec::new();
    let mut run = |n_blocks: u64, keep: bool| -> Vec<u64> {
        let run = |seed| {
            let block = world.block(&workload.transfers(n_txs, seed).unwrap());
            let output = run_block(&mut executor, &block.txs(), &world.base.state()).unwrap();
            world.base.settle(&output.changes);
            if keep {
                kept.extend(output.receipts);
            }
            resident_kib().unwrap()
        };
        (0..n_blocks).map(run).collect()
    };
    run(WARM_UP_BLOCKS, false);
    let samples = run(n_blocks, false);
    let growth = growth_kib(&samples);
    println!("{n_blocks} blocks of {n_txs}: {} KiB, then {growth} KiB more", samples[0]);
    assert!(growth <= growth_max_kib, "{growth} KiB more: {samples:?}");

    // The measure sees what it is for: what a block may not leave behind, left behind.
    let leak = growth_kib(&run(15, true));
    println!("the receipts of 15 blocks kept: {leak} KiB more");
    assert!(leak > growth_max_kib, "a leak of {} receipts is not seen", kept.len());
}
