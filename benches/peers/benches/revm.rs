//! What a token transfer costs in revm: blocks of 20,000, one after the other, each committed to the
//! database in memory. Elements are transactions: the time for one is 1 / throughput.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kempe_bench::Workload;
use kempe_peers::Erc20World;

/// The allocator of Kempe's benches too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const N_TXS: usize = 20_000;

fn revm(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("revm::erc20_transfer");
    group.throughput(Throughput::Elements(N_TXS as u64)).sample_size(20);
    for n_accounts in [10_000, 1_000_000] {
        let workload = Workload::Uniform { n_accounts };
        let specs = workload.transfers(N_TXS, 7).expect("the numbers above are in range");
        let mut world = Erc20World::new(n_accounts);
        let txs = world.txs(&specs);
        let id = BenchmarkId::from_parameter(format!("accounts={n_accounts}"));
        group.bench_function(id, |bencher| {
            let run = |txs| world.run(txs).expect("no account runs dry");
            bencher.iter_batched(|| txs.clone(), run, BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, revm);
criterion_main!(benches);
