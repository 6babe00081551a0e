//! What planning costs: transfers, each with two written keys and one that all read. Elements are
//! transactions: the time for one is 1 / throughput.

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use kempe_bench::{Workload, plain_transfer_accesses};
use kempe_runtime::scheduler::{Block, Color, ConflictGraph, Mode, SCHEDULERS, Scheduler, verify};

/// The transactions of a block: of each kind of contention, and where that is the least.
const N_TXS: usize = 20_000;
const SIZES: [usize; 3] = [2_000, N_TXS, 200_000];
const LEAST: &str = "uniform:1000000";
const CONTENDED: [&str; 4] = ["zipf:1000000:100", "uniform:100", "one-hot:1000000", "uniform:2"];

fn schedulers(criterion: &mut Criterion) {
    for n_txs in SIZES {
        bench(criterion, LEAST, n_txs);
    }
    for workload in CONTENDED {
        bench(criterion, workload, N_TXS);
    }
}

fn group<'a>(
    criterion: &'a mut Criterion,
    operation: &str,
    n_txs: usize,
) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(operation);
    group.throughput(Throughput::Elements(n_txs as u64)).sample_size(20);
    group
}

fn bench(criterion: &mut Criterion, name: &str, n_txs: usize) {
    let workload: Workload = name.parse().expect("the names above are workloads");
    let specs = workload.transfers(n_txs, 7).expect("their parameters are in range");
    let accesses = plain_transfer_accesses(&specs);
    let block = Block::new(&accesses, &[], &[], &[]).expect("no column can be of wrong length");
    let block_id = format!("workload={name}/txs={n_txs}");
    let mut plans = group(criterion, "scheduler::plan", n_txs);
    // Where the block is too large for it, a scheduler is only another name for its stand-in.
    for scheduler in SCHEDULERS.into_iter().filter(|known| known.stand_in(&block).is_none()) {
        let id = format!("scheduler={}/{block_id}", scheduler.name());
        plans.bench_function(BenchmarkId::from_parameter(id), |bencher| {
            bencher.iter(|| scheduler.plan(&block, 2));
        });
    }
    plans.finish();
    group(criterion, "scheduler::conflict_graph", n_txs).bench_function(
        BenchmarkId::from_parameter(&block_id),
        |bencher| {
            bencher.iter(|| ConflictGraph::new(&block));
        },
    );
    let schedule = Color.schedule(&block);
    group(criterion, "scheduler::verify", n_txs).bench_function(
        BenchmarkId::from_parameter(&block_id),
        |bencher| {
            bencher.iter(|| verify(&schedule, &block, Mode::Free).is_ok());
        },
    );
}

criterion_group!(benches, schedulers);
criterion_main!(benches);
