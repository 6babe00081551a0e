//! What scheduling costs: blocks of 20,000 transfers, each with two written keys and one that all
//! read. Elements are transactions: the time for one is 1 / throughput.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kempe_bench::{Workload, transfer_accesses};
use kempe_runtime::scheduler::{Block, Color, ConflictGraph, Mode, SCHEDULERS, Scheduler, verify};

const N_TXS: usize = 20_000;

fn schedulers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scheduler");
    group.throughput(Throughput::Elements(N_TXS as u64)).sample_size(20);
    for name in
        ["uniform:1000000", "zipf:1000000:100", "uniform:100", "one-hot:1000000", "uniform:2"]
    {
        let workload: Workload = name.parse().expect("the names above are workloads");
        let specs = workload.transfers(N_TXS, 7).expect("their parameters are in range");
        let accesses = transfer_accesses(&specs);
        let block = Block::new(&accesses, &[], &[], &[]).expect("no column can be of wrong length");
        // Above its limit of edges DSATUR is only another name for coloring.
        for scheduler in SCHEDULERS.into_iter().filter(|scheduler| scheduler.name() != "dsatur") {
            let id = BenchmarkId::new(scheduler.name(), format!("workload={name}"));
            group.bench_function(id, |bencher| bencher.iter(|| scheduler.schedule(&block)));
        }
        let id = BenchmarkId::new("graph", format!("workload={name}"));
        group.bench_function(id, |bencher| bencher.iter(|| ConflictGraph::new(&block)));
        let schedule = Color.schedule(&block);
        let id = BenchmarkId::new("verify", format!("workload={name}"));
        group.bench_function(id, |bencher| {
            bencher.iter(|| verify(&schedule, &block, Mode::Free).is_ok());
        });
    }
    group.finish();
}

criterion_group!(benches, schedulers);
criterion_main!(benches);
