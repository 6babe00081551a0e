//! Memory does not grow with the number of blocks.
//!
//! The accounts are fixed, so the state does not grow either, and blocks are not stored: what stays
//! behind would be the executor's, the engine's or an instance's. `KEMPE_BLOCKS=100` measures that
//! many blocks of 20,000 transfers instead of the short form.

use std::{env, fs};

use kempe_bench::{TokenWorld, Workload, run_block};

const N_ACCOUNTS: usize = 5_000;
/// What a block frees is not all used again by the next one at once.
const WARM_UP_BLOCKS: u64 = 10;

/// What of this process is in memory; `None` where the system does not say.
fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The middle one: the heap breathes by a tenth, and one deep breath is no leak.
fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

#[test]
fn memory_stays_flat_over_many_blocks() {
    let long = env::var("KEMPE_BLOCKS").ok().map(|text| text.parse().expect("a number of blocks"));
    let (n_blocks, n_txs): (u64, usize) = long.map_or((30, 2_000), |n_blocks| (n_blocks, 20_000));
    if resident_kib().is_none() {
        println!("skipped: /proc/self/status has no VmRSS here");
        return;
    }
    let mut world = TokenWorld::new(N_ACCOUNTS).unwrap();
    let mut executor = world.executor(2).unwrap();
    let workload = Workload::Hot { n_accounts: N_ACCOUNTS, n_hot: 10, hot_percent: 5 };
    let mut run = |seed: u64, kept: &mut Vec<_>| {
        let block = world.block(&workload.transfers(n_txs, seed).unwrap());
        let output = run_block(&mut executor, &block.txs(), &world.state()).unwrap();
        world.settle(output.changes).unwrap();
        kept.extend(output.receipts);
        resident_kib().unwrap()
    };
    for seed in 0..WARM_UP_BLOCKS {
        run(seed, &mut Vec::new());
    }
    let samples: Vec<u64> = (0..n_blocks).map(|seed| run(seed, &mut Vec::new())).collect();
    let third = samples.len().div_ceil(3);
    let (first, last) = (median(&samples[..third]), median(&samples[samples.len() - third..]));
    let growth = last.saturating_sub(first);
    eprintln!("{samples:?}");
    println!("{n_blocks} blocks of {n_txs}: {first} KiB, and {growth} KiB more in the last third");
}
